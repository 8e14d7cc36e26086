"""VPP-SNMP-AGENT-MIB: VPP's error counters by node and reason, and what was punted."""

from collections.abc import Sequence

from ..agentx.mib import Column, Object, Scalar, Table
from ..agentx.values import COUNTER64
from ..interfaces.errors import Error
from ..interfaces.publisher import Publisher
from .vpp_base import BASE

VPP_ERRORS = f"{BASE}.1.5"
# vppErrorNode (1) and vppErrorReason (2) are not accessible.
VPP_ERROR_ENTRY, VPP_PUNT_PACKETS = f"{VPP_ERRORS}.1.1", f"{VPP_ERRORS}.2"


def objects(interfaces: Publisher) -> Sequence[Object]:
    """vppErrorTable, and vppPuntPackets beside it."""
    errors = interfaces.system.errors

    def count(row: Error) -> int | None:
        errors.refresh()
        return row.count

    table = Table(VPP_ERROR_ENTRY, (Column(3, "vppErrorCount", COUNTER64, count),))
    return (
        table.over(errors.rows),
        Scalar(VPP_PUNT_PACKETS, "vppPuntPackets", COUNTER64, lambda: errors.punted),
    )
