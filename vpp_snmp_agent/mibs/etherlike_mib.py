"""EtherLike-MIB (RFC 3635): of dot3StatsTable the duplex, which is all that VPP tells."""

from collections.abc import Iterator

from ..agentx.mib import Column, Module, Table
from ..agentx.pdu import INTEGER
from ..interfaces.facts import ETHERNET_CSMACD
from ..interfaces.publisher import Publisher
from ..interfaces.rows import Interfaces, Row

# dot3StatsDuplexStatus by VPP's link_duplex: unknown, halfDuplex, fullDuplex.
DUPLEX = {0: 1, 1: 2, 2: 3}

DOT3_STATS_TABLE = Table(
    "1.3.6.1.2.1.10.7.2.1",
    (
        Column(1, "dot3StatsIndex", INTEGER, lambda row: row.index),
        Column(19, "dot3StatsDuplexStatus", INTEGER, lambda row: DUPLEX.get(row.facts.duplex, 1)),
    ),
)


def ports(row: Row, interfaces: Interfaces) -> Iterator[tuple[bytes, Row]]:
    """Rows of dot3StatsTable by ifIndex: hardware that speaks Ethernet."""
    if row.facts.type == ETHERNET_CSMACD:
        yield row.instance, row


def module(interfaces: Publisher) -> Module:
    """EtherLike-MIB over these interfaces."""
    return Module(
        capability="1.3.6.1.2.1.35",
        description="EtherLike-MIB (RFC 3635): the duplex of VPP's ports",
        subtrees=("1.3.6.1.2.1.10.7.2",),
        objects=(DOT3_STATS_TABLE.over(interfaces.derive(ports).rows),),
    )
