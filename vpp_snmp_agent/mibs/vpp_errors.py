"""VPP-SNMP-AGENT-MIB: VPP's error counters by node and reason, and what was punted.

With `counters: plain` they are as VPP counts them.
"""

from collections.abc import Sequence

from ..agentx.mib import Column, Object, Scalar, Table
from ..agentx.pdu import COUNTER64
from ..interfaces.errors import Counted, Error
from ..interfaces.publisher import Publisher
from .vpp_base import BASE

VPP_ERROR_ENTRY = f"{BASE}.1.5.1"  # vppErrorNode (1) and vppErrorReason (2) are not accessible
VPP_PUNT = f"{BASE}.1.7"


def objects(interfaces: Publisher) -> Sequence[Object]:
    """vppErrorTable and the scalars of what was punted."""
    errors = interfaces.system.errors
    is_plain = interfaces.configuration.settings.counters == "plain"

    def value(counted: Counted) -> int:
        return counted.own if is_plain else counted.served

    def count(row: Error) -> int:
        errors.refresh()
        return value(row.counted)

    def punted(which: int) -> int | None:
        punts = errors.punts
        return None if punts is None else value(punts[which])

    table = Table(VPP_ERROR_ENTRY, (Column(3, "vppErrorCount", COUNTER64, count),))
    return (
        table.over(errors.rows),
        Scalar(f"{VPP_PUNT}.1", "vppPuntPackets", COUNTER64, lambda: punted(0)),
        Scalar(f"{VPP_PUNT}.2", "vppPuntOctets", COUNTER64, lambda: punted(1)),
    )
