"""IEEE8023-LAG-MIB (IEEE 802.1AX annex D): bonds, their members, and what LACP has of them.

VPP reports the operational values.  The administrative ones, and of bonds without LACP what
only LACP knows, are cells that do not exist.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any

from ..agentx.mib import Column, Module, Scalar, Table
from ..agentx.values import INTEGER, OCTET_STRING, TIMETICKS
from ..interfaces.facts import IEEE8023AD_LAG
from ..interfaces.publisher import Publisher
from ..interfaces.rows import Interfaces, Row
from ..vpp.records import LacpPort

LAG_MIB = "1.2.840.10006.300.43"
TRUE, FALSE = 1, 2  # TruthValue, RFC 2579
AGGREGATION = 4  # in LACP's state: the link may be aggregated
IN_SERVICE = 0x38  # synchronization, collecting, distributing
MAX_PORT_LIST_SIZE = 1024  # octets: one more would not go into a datagram with its neighbours


@dataclass(frozen=True, slots=True)
class Aggregator:
    """A bond."""

    row: Row
    members: tuple[Row, ...]

    @property
    def lacp(self) -> LacpPort | None:
        """What LACP has of it: of a member that carries traffic, else of any."""
        speaking = [member for member in self.members if member.lacp]
        carrying = [member for member in speaking if member.facts.aggregated]
        return next((member.lacp for member in carrying + speaking), None)

    @property
    def port_list(self) -> bytes | None:
        """PortList (RFC 4363) of the members' ifIndexes; None where it would be too long."""
        return port_list([member.index for member in self.members])


@dataclass(frozen=True, slots=True)
class Port:
    """A member of a bond."""

    row: Row
    aggregator: Row

    @property
    def lacp(self) -> LacpPort | None:
        """What LACP has of it."""
        lacp = self.row.lacp
        if lacp is None or not self.row.is_down:
            return lacp
        # What was last reported, but for what ends with the link, whoever could still say so.
        return replace(
            lacp,
            actor_state=lacp.actor_state & ~IN_SERVICE,
            partner_state=lacp.partner_state & ~IN_SERVICE,
        )

    @property
    def attached(self) -> int:
        """The aggregator's ifIndex while it carries its traffic, else 0."""
        return self.aggregator.index if self.row.facts.aggregated and not self.row.is_down else 0


def port_list(indexes: list[int]) -> bytes | None:
    """The bits of these ifIndexes, the first of each octet being its highest."""
    size = -(-max(indexes, default=0) // 8)
    if size > MAX_PORT_LIST_SIZE:
        return None
    octets = bytearray(size)
    for index in indexes:
        octets[(index - 1) // 8] |= 0x80 >> (index - 1) % 8
    return bytes(octets)


def lacp_state(octet: int) -> bytes:
    """LacpState: BITS count from the highest bit of an octet, LACP from the lowest."""
    return bytes((int(f"{octet & 0xFF:08b}"[::-1], 2),))


def by_lacp(value: Callable[[LacpPort], Any]) -> Callable[[Aggregator | Port], Any]:
    """A column's value where LACP is spoken; else the cell does not exist."""

    def of(row: Aggregator | Port) -> Any:
        lacp = row.lacp
        return None if lacp is None else value(lacp)

    return of


def may_aggregate(row: Aggregator | Port) -> int:
    """Whether LACP has it as aggregatable; without LACP a member is there for nothing else."""
    lacp = row.lacp
    return TRUE if lacp is None or lacp.actor_state & AGGREGATION else FALSE


AGG_TABLE = Table(
    f"{LAG_MIB}.1.1.1.1",
    (
        Column(
            2, "dot3adAggMACAddress", OCTET_STRING, lambda agg: agg.row.facts.phys_address or None
        ),
        Column(
            *(3, "dot3adAggActorSystemPriority", INTEGER),
            by_lacp(lambda lacp: lacp.actor_system_priority),
        ),
        Column(4, "dot3adAggActorSystemID", OCTET_STRING, by_lacp(lambda lacp: lacp.actor_system)),
        Column(5, "dot3adAggAggregateOrIndividual", INTEGER, may_aggregate),
        Column(7, "dot3adAggActorOperKey", INTEGER, by_lacp(lambda lacp: lacp.actor_key)),
        Column(
            *(8, "dot3adAggPartnerSystemID", OCTET_STRING),
            by_lacp(lambda lacp: lacp.partner_system),
        ),
        Column(
            *(9, "dot3adAggPartnerSystemPriority", INTEGER),
            by_lacp(lambda lacp: lacp.partner_system_priority),
        ),
        Column(10, "dot3adAggPartnerOperKey", INTEGER, by_lacp(lambda lacp: lacp.partner_key)),
    ),
)

AGG_PORT_LIST_TABLE = Table(
    f"{LAG_MIB}.1.1.2.1",
    (Column(1, "dot3adAggPortListPorts", OCTET_STRING, lambda agg: agg.port_list),),
)

AGG_PORT_TABLE = Table(
    f"{LAG_MIB}.1.2.1.1",
    (
        Column(
            *(2, "dot3adAggPortActorSystemPriority", INTEGER),
            by_lacp(lambda lacp: lacp.actor_system_priority),
        ),
        Column(
            *(3, "dot3adAggPortActorSystemID", OCTET_STRING),
            by_lacp(lambda lacp: lacp.actor_system),
        ),
        Column(5, "dot3adAggPortActorOperKey", INTEGER, by_lacp(lambda lacp: lacp.actor_key)),
        Column(
            *(7, "dot3adAggPortPartnerOperSystemPriority", INTEGER),
            by_lacp(lambda lacp: lacp.partner_system_priority),
        ),
        Column(
            *(9, "dot3adAggPortPartnerOperSystemID", OCTET_STRING),
            by_lacp(lambda lacp: lacp.partner_system),
        ),
        Column(11, "dot3adAggPortPartnerOperKey", INTEGER, by_lacp(lambda lacp: lacp.partner_key)),
        Column(12, "dot3adAggPortSelectedAggID", INTEGER, lambda port: port.aggregator.index),
        Column(13, "dot3adAggPortAttachedAggID", INTEGER, lambda port: port.attached),
        Column(14, "dot3adAggPortActorPort", INTEGER, by_lacp(lambda lacp: lacp.actor_port_number)),
        Column(
            *(15, "dot3adAggPortActorPortPriority", INTEGER),
            by_lacp(lambda lacp: lacp.actor_port_priority),
        ),
        Column(
            *(17, "dot3adAggPortPartnerOperPort", INTEGER),
            by_lacp(lambda lacp: lacp.partner_port_number),
        ),
        Column(
            *(19, "dot3adAggPortPartnerOperPortPriority", INTEGER),
            by_lacp(lambda lacp: lacp.partner_port_priority),
        ),
        Column(
            *(21, "dot3adAggPortActorOperState", OCTET_STRING),
            by_lacp(lambda lacp: lacp_state(lacp.actor_state)),
        ),
        Column(
            *(23, "dot3adAggPortPartnerOperState", OCTET_STRING),
            by_lacp(lambda lacp: lacp_state(lacp.partner_state)),
        ),
        Column(24, "dot3adAggPortAggregateOrIndividual", INTEGER, may_aggregate),
    ),
)


def aggregators(row: Row, interfaces: Interfaces) -> Iterator[tuple[bytes, Aggregator]]:
    """Rows of dot3adAggTable and dot3adAggPortListTable by ifIndex: a bond."""
    if row.facts.type == IEEE8023AD_LAG:
        yield row.instance, Aggregator(row, tuple(interfaces.lower_rows(row)))


def ports(row: Row, interfaces: Interfaces) -> Iterator[tuple[bytes, Port]]:
    """Rows of dot3adAggPortTable by ifIndex: the members of a bond that are shown."""
    if row.facts.type == IEEE8023AD_LAG:
        for member in interfaces.lower_rows(row):
            yield member.instance, Port(member, row)


def module(interfaces: Publisher) -> Module:
    """IEEE8023-LAG-MIB over these interfaces."""
    aggregating = interfaces.derive(aggregators, attrgetter("row"))
    aggregated = interfaces.derive(ports, attrgetter("aggregator"))

    def last_changed() -> int:
        moments = [each.changed_at for each in (aggregating, aggregated)]
        return max(interfaces.uptime.ticks(moment) for moment in moments)

    return Module(
        capability=LAG_MIB,
        description="IEEE8023-LAG-MIB (IEEE 802.1AX): the bonds of VPP",
        subtrees=(
            f"{LAG_MIB}.1.1.1",
            f"{LAG_MIB}.1.1.2",
            f"{LAG_MIB}.1.2.1",
            f"{LAG_MIB}.1.3",
        ),
        objects=(
            AGG_TABLE.over(aggregating.rows),
            AGG_PORT_LIST_TABLE.over(aggregating.rows),
            AGG_PORT_TABLE.over(aggregated.rows),
            Scalar(f"{LAG_MIB}.1.3", "dot3adTablesLastChanged", TIMETICKS, last_changed),
        ),
    )
