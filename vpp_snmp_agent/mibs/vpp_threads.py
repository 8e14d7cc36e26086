"""VPP-SNMP-AGENT-MIB: VPP's threads.

None of their rates is a load (interfaces/threads.py), so that nothing of it goes to
hrProcessorTable.
"""

from collections.abc import Callable, Sequence

from ..agentx.mib import Column, Object, Table
from ..agentx.values import GAUGE32, INTEGER, OCTET_STRING
from ..interfaces.publisher import Publisher
from ..interfaces.threads import ThreadRow
from .vpp_base import BASE

VPP_THREAD_ENTRY = f"{BASE}.1.2.1"  # vppThreadIndex (1) is not accessible
MAX_NAME_LENGTH = 255  # of a DisplayString


def objects(interfaces: Publisher) -> Sequence[Object]:
    """vppThreadTable."""
    threads = interfaces.system.threads

    def rate(of: Callable[[ThreadRow], int | None]) -> Callable[[ThreadRow], int | None]:
        def value(row: ThreadRow) -> int | None:
            threads.refresh()
            return of(row)

        return value

    table = Table(
        VPP_THREAD_ENTRY,
        (
            Column(2, "vppThreadName", OCTET_STRING, _name),
            Column(3, "vppThreadCpu", INTEGER, lambda row: row.cpu_id),
            Column(4, "vppThreadVectorsPerCall", GAUGE32, rate(lambda row: row.vector_rate)),
            Column(5, "vppThreadLoopRate", GAUGE32, rate(lambda row: row.loop_rate)),
            Column(6, "vppThreadInputRate", GAUGE32, rate(lambda row: row.input_rate)),
            Column(7, "vppThreadCycleShare", GAUGE32, lambda row: row.busy),
        ),
    )
    return (table.over(threads.rows),)


def _name(row: ThreadRow) -> bytes:
    return row.name.encode("ascii", errors="replace")[:MAX_NAME_LENGTH]
