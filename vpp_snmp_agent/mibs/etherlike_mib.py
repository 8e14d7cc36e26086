"""EtherLike-MIB (RFC 3635): of dot3StatsTable the duplex, which is all that VPP tells."""

from collections.abc import Iterator, Mapping

from ..agentx.mib import Column, Module, Table
from ..agentx.pdu import INTEGER, subids
from ..interfaces.naming import ETHERNET_CSMACD
from ..interfaces.table import InterfaceTable, Row

# dot3StatsDuplexStatus by VPP's link_duplex: unknown, halfDuplex, fullDuplex.
DUPLEX = {0: 1, 1: 2, 2: 3}

DOT3_STATS_TABLE = Table(
    "1.3.6.1.2.1.10.7.2.1",
    (
        Column(1, "dot3StatsIndex", INTEGER, lambda row: row.index),
        Column(19, "dot3StatsDuplexStatus", INTEGER, lambda row: DUPLEX.get(row.duplex, 1)),
    ),
)


def ports(interfaces: Mapping[str, Row]) -> Iterator[tuple[bytes, Row]]:
    """Rows of dot3StatsTable by ifIndex: hardware that speaks Ethernet."""
    for row in interfaces.values():
        if row.type == ETHERNET_CSMACD:
            yield subids(row.index), row


def module(interfaces: InterfaceTable) -> Module:
    """EtherLike-MIB over these interfaces."""
    return Module(
        capability="1.3.6.1.2.1.35",
        description="EtherLike-MIB (RFC 3635): the duplex of VPP's ports",
        subtrees=("1.3.6.1.2.1.10.7.2",),
        objects=(DOT3_STATS_TABLE.over(interfaces.derive(ports).rows),),
    )
