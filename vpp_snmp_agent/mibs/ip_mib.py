"""IP-MIB (RFC 4293): the addresses, neighbours and received packets of VPP's interfaces.

snmpd's own tables of the same objects speak of the kernel's interfaces.  What is served
here stands in their place: table by table, or column by column where snmpd itself
registers columns.  Everything else of 1.3.6.1.2.1.4 stays snmpd's, or is absent where snmpd
runs without its IP modules, as the shipped service has it.
"""

from collections.abc import Callable
from operator import attrgetter

from ..agentx.mib import Module, Scalar
from ..agentx.values import TIMETICKS
from ..interfaces.publisher import Publisher
from .ip_mib_addresses import (
    ADDR_TABLE,
    ADDRESS_PREFIX_TABLE,
    ADDRESS_TABLE,
    IP,
    IPV4_INTERFACE_TABLE,
    IPV6_INTERFACE_TABLE,
    addresses,
    ipv4_addresses,
    ipv4_interfaces,
    ipv6_interfaces,
    prefixes,
)
from .ip_mib_neighbors import NET_TO_MEDIA_TABLE, NET_TO_PHYSICAL_TABLE, NeighborRows
from .ip_mib_statistics import (
    CONSTANTS,
    IF_STATS_TABLE,
    SCALARS,
    SYSTEM_STATS_TABLE,
    StatsRows,
    scalars,
    system_stats,
)


def module(interfaces: Publisher) -> Module:
    """IP-MIB over these interfaces."""
    uptime = interfaces.uptime
    row_of = attrgetter("row")
    ipv4, ipv6 = interfaces.derive(ipv4_interfaces), interfaces.derive(ipv6_interfaces)

    def last_change(number: str, name: str, moment: Callable[[], int]) -> Scalar:
        return Scalar(f"{IP}.{number}", name, TIMETICKS, moment)

    return Module(
        capability="1.3.6.1.2.1.48",
        description="IP-MIB (RFC 4293): addresses and neighbours of VPP's interfaces",
        subtrees=(
            *(f"{IP}.20.1.{column}" for column in range(1, 6)),
            *(f"{IP}.22.1.{column}" for column in range(1, 5)),
            *(f"{IP}.{each}" for each in (27, 28, 29, 30, "31.1", "31.2", "31.3", 32, 34, 35)),
            *(f"{IP}.{number}" for number, *_ in sorted((*CONSTANTS, *SCALARS))),
        ),
        objects=(
            *scalars(interfaces),
            SYSTEM_STATS_TABLE.over(system_stats(interfaces)),
            ADDR_TABLE.over(interfaces.derive(ipv4_addresses, row_of).rows),
            NET_TO_MEDIA_TABLE.over(NeighborRows(interfaces, media=True)),
            last_change(
                *("27", "ipv4InterfaceTableLastChange"), lambda: uptime.ticks(ipv4.changed_at)
            ),
            IPV4_INTERFACE_TABLE.over(ipv4.rows),
            last_change(
                *("29", "ipv6InterfaceTableLastChange"), lambda: uptime.ticks(ipv6.changed_at)
            ),
            IPV6_INTERFACE_TABLE.over(ipv6.rows),
            last_change("31.2", "ipIfStatsTableLastChange", lambda: interfaces.last_change),
            IF_STATS_TABLE.over(StatsRows(interfaces.rows), StatsRows(interfaces.counted)),
            ADDRESS_PREFIX_TABLE.over(interfaces.derive(prefixes, row_of).rows),
            ADDRESS_TABLE.over(interfaces.derive(addresses, row_of).rows),
            NET_TO_PHYSICAL_TABLE.over(NeighborRows(interfaces)),
        ),
    )
