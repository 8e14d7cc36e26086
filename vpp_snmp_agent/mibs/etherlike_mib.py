"""EtherLike-MIB (RFC 3635): of VPP's ports the duplex, and what their DPDK drivers count."""

from collections.abc import Iterator
from typing import NamedTuple

from ..agentx.mib import Column, Module, SortedRows, Table
from ..agentx.values import COUNTER32, COUNTER64, INTEGER, ValueType
from ..interfaces.facts import ETHERNET_CSMACD
from ..interfaces.publisher import Publisher
from ..interfaces.rows import Interfaces, Row
from ..interfaces.xstats import PortStatistics

# dot3StatsDuplexStatus by VPP's link_duplex: unknown, halfDuplex, fullDuplex.
DUPLEX = {0: 1, 1: 2, 2: 3}


class Port(NamedTuple):
    """One conceptual row of dot3StatsTable and dot3HCStatsTable."""

    row: Row
    statistics: PortStatistics | None  # None: its driver counts nothing


def _counted(number: int, name: str, of: str = "", type_: ValueType = COUNTER32) -> Column:
    """A column of what drivers count: what `XSTATS` has under its name, or `of`."""
    source = of or name
    return Column(
        *(number, f"dot3{'HC' if of else ''}Stats{name}", type_),
        lambda port: port.statistics and port.statistics.value(source),
        is_counter=True,
    )


DOT3_STATS_TABLE = Table(
    "1.3.6.1.2.1.10.7.2.1",
    (
        Column(1, "dot3StatsIndex", INTEGER, lambda port: port.row.index),
        _counted(2, "AlignmentErrors"),
        _counted(3, "FCSErrors"),
        _counted(4, "SingleCollisionFrames"),
        _counted(5, "MultipleCollisionFrames"),
        _counted(7, "DeferredTransmissions"),
        _counted(8, "LateCollisions"),
        _counted(9, "ExcessiveCollisions"),
        _counted(10, "InternalMacTransmitErrors"),
        _counted(11, "CarrierSenseErrors"),
        _counted(13, "FrameTooLongs"),
        _counted(18, "SymbolErrors"),
        Column(
            *(19, "dot3StatsDuplexStatus", INTEGER),
            lambda port: DUPLEX.get(port.row.facts.duplex, 1),
        ),
    ),
)

DOT3_HC_STATS_TABLE = Table(
    "1.3.6.1.2.1.10.7.11.1",
    (
        _counted(1, "AlignmentErrors", "AlignmentErrors", COUNTER64),
        _counted(2, "FCSErrors", "FCSErrors", COUNTER64),
        _counted(3, "InternalMacTransmitErrors", "InternalMacTransmitErrors", COUNTER64),
        _counted(4, "FrameTooLongs", "FrameTooLongs", COUNTER64),
        _counted(6, "SymbolErrors", "SymbolErrors", COUNTER64),
    ),
)


def ports(row: Row, interfaces: Interfaces) -> Iterator[tuple[bytes, Row]]:
    """Rows of dot3StatsTable by ifIndex: hardware that speaks Ethernet."""
    if row.facts.type == ETHERNET_CSMACD:
        yield row.instance, row


class PortRows:
    """Rows of both tables by ifIndex, made when asked for."""

    def __init__(self, rows: SortedRows, interfaces: Publisher) -> None:
        """`rows`: of the ports, each a Row."""
        self._rows = rows
        self._interfaces = interfaces

    def get(self, index: bytes) -> Port | None:
        """The row at an index."""
        row = self._rows.get(index)
        return None if row is None else Port(row, self._interfaces.system.ports.get(row.key))

    def following(self, index: bytes) -> bytes | None:
        """The first index after this one."""
        return self._rows.following(index)


class CountedRows(PortRows):
    """Those of ports whose driver counts anything, which are few: a router's sockets."""

    def get(self, index: bytes) -> Port | None:
        """The row at an index."""
        port = super().get(index)
        return None if port is None or port.statistics is None else port

    def following(self, index: bytes) -> bytes | None:
        """The first index after this one."""
        by_key = self._interfaces.by_key
        rows = (by_key.get(name) for name in self._interfaces.system.ports)
        instances = (row.instance for row in rows if row is not None and row.instance > index)
        return min((each for each in instances if self._rows.get(each) is not None), default=None)


def module(interfaces: Publisher) -> Module:
    """EtherLike-MIB over these interfaces."""
    rows = interfaces.derive(ports).rows
    counted = CountedRows(rows, interfaces)
    return Module(
        capability="1.3.6.1.2.1.35",
        description="EtherLike-MIB (RFC 3635): the ports of VPP",
        subtrees=("1.3.6.1.2.1.10.7.2", "1.3.6.1.2.1.10.7.11"),
        objects=(
            DOT3_STATS_TABLE.over(PortRows(rows, interfaces), counted),
            DOT3_HC_STATS_TABLE.over(counted),
        ),
    )
