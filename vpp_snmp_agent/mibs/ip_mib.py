"""IP-MIB (RFC 4293): the addresses, neighbours and received packets of VPP's interfaces.

snmpd's own tables of the same objects speak of the kernel's interfaces.  What is served
here stands in their place: table by table, or column by column where snmpd itself
registers columns.  Everything else of 1.3.6.1.2.1.4 stays snmpd's.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from ..agentx.mib import Column, Module, Scalar, Table
from ..agentx.pdu import (
    COUNTER32,
    COUNTER64,
    GAUGE32,
    INTEGER,
    IP_ADDRESS,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    TIMETICKS,
    subids,
)
from ..interfaces.table import Address, Derived, InterfaceTable, Row
from ..vpp.inventory import IpNeighbor

IP = "1.3.6.1.2.1.4"
IPV4, IPV6, IPV6Z = 1, 2, 4  # InetAddressType, RFC 4001; the first two InetVersion too
TRUE, FALSE = 1, 2  # TruthValue, RFC 2579
ACTIVE = 1  # RowStatus, RFC 2579
OTHER = 1  # of a StorageType, of an origin: VPP does not tell it
UNICAST = 1
PREFERRED, INACCESSIBLE = 1, 4  # IpAddressStatusTC
DYNAMIC, STATIC = 3, 4  # ipNetToPhysicalType, ipNetToMediaType
UNKNOWN = 6  # ipNetToPhysicalState: VPP does not tell it
ENABLED = 1  # ipv4InterfaceEnableStatus: up
FORWARDING = 1  # ipv6InterfaceForwarding
LARGEST = 65535  # octets of a datagram that can be reassembled: by Linux, behind LCP
ALL_ONES = 1  # ipAdEntBcastAddr: the lowest bit of the broadcast address
FOREVER = 2**32 - 1  # a lifetime
NO_TIME = 0  # ipIfStatsRefreshRate: counters are read when they are asked for


class AddressRow(NamedTuple):
    """One conceptual row of ipAddrTable, ipAddressTable and ipAddressPrefixTable."""

    row: Row
    address: Address

    @property
    def version(self) -> int:
        """InetVersion."""
        return version(self.address.address)

    @property
    def inet(self) -> tuple[int, ...]:
        """InetAddressType, length and octets: a link-local address has its zone behind it."""
        octets = self.address.address
        if octets[:1] == b"\xfe" and len(octets) == 16 and octets[1] & 0xC0 == 0x80:
            zoned = octets + self.row.index.to_bytes(4, "big")
            return IPV6Z, len(zoned), *zoned
        return self.version, len(octets), *octets

    @property
    def netmask(self) -> bytes:
        """Of an IPv4 address."""
        return network(b"\xff" * 4, self.address.prefix_length)

    @property
    def prefix(self) -> bytes:
        """Index of its row in ipAddressPrefixTable."""
        length = self.address.prefix_length
        octets = network(self.address.address, length)
        return subids(self.row.index, self.version, len(octets), *octets, length)

    @property
    def status(self) -> int:
        """IpAddressStatusTC."""
        return INACCESSIBLE if self.row.is_down else PREFERRED

    @property
    def since(self) -> int:
        """When it was seen first, in the master's sysUpTime."""
        return self.row.uptime.ticks(self.address.since)


class NeighborRow(NamedTuple):
    """One conceptual row of ipNetToMediaTable and ipNetToPhysicalTable."""

    row: Row
    neighbor: IpNeighbor

    @property
    def type(self) -> int:
        """Who put it there."""
        return STATIC if self.neighbor.static else DYNAMIC


class StatsRow(NamedTuple):
    """One conceptual row of ipIfStatsTable."""

    row: Row
    version: int

    @property
    def in_receives(self) -> int | None:
        """Packets of its version, read now."""
        counters = self.row.counters
        return counters.in_ip4 if self.version == IPV4 else counters.in_ip6


def version(address: bytes) -> int:
    """InetVersion of four octets or sixteen."""
    return IPV4 if len(address) == 4 else IPV6


def network(address: bytes, prefix_length: int) -> bytes:
    """An address without the bits of the host."""
    host = max(0, 8 * len(address) - prefix_length)
    return (int.from_bytes(address, "big") >> host << host).to_bytes(len(address), "big")


# --- tables ------------------------------------------------------------------------------------

ADDR_TABLE = Table(
    f"{IP}.20.1",
    (
        Column(1, "ipAdEntAddr", IP_ADDRESS, lambda each: each.address.address),
        Column(2, "ipAdEntIfIndex", INTEGER, lambda each: each.row.index),
        Column(3, "ipAdEntNetMask", IP_ADDRESS, lambda each: each.netmask),
        Column(4, "ipAdEntBcastAddr", INTEGER, lambda each: ALL_ONES),
        Column(5, "ipAdEntReasmMaxSize", INTEGER, lambda each: LARGEST),
    ),
)

NET_TO_MEDIA_TABLE = Table(
    f"{IP}.22.1",
    (
        Column(1, "ipNetToMediaIfIndex", INTEGER, lambda each: each.row.index),
        Column(
            *(2, "ipNetToMediaPhysAddress", OCTET_STRING), lambda each: each.neighbor.mac_address
        ),
        Column(3, "ipNetToMediaNetAddress", IP_ADDRESS, lambda each: each.neighbor.address),
        Column(4, "ipNetToMediaType", INTEGER, lambda each: each.type),
    ),
)

IPV4_INTERFACE_TABLE = Table(
    f"{IP}.28.1",
    (
        Column(2, "ipv4InterfaceReasmMaxSize", INTEGER, lambda row: LARGEST),
        Column(3, "ipv4InterfaceEnableStatus", INTEGER, lambda row: ENABLED),
    ),
)

IPV6_INTERFACE_TABLE = Table(
    f"{IP}.30.1",
    (
        Column(2, "ipv6InterfaceReasmMaxSize", GAUGE32, lambda row: LARGEST),
        Column(5, "ipv6InterfaceEnableStatus", INTEGER, lambda row: ENABLED),
        Column(8, "ipv6InterfaceForwarding", INTEGER, lambda row: FORWARDING),
    ),
)

IF_STATS_TABLE = Table(
    f"{IP}.31.3.1",
    (
        Column(3, "ipIfStatsInReceives", COUNTER32, lambda each: each.in_receives),
        Column(4, "ipIfStatsHCInReceives", COUNTER64, lambda each: each.in_receives),
        Column(
            *(46, "ipIfStatsDiscontinuityTime", TIMETICKS),
            lambda each: each.row.counter_discontinuity_time,
        ),
        Column(47, "ipIfStatsRefreshRate", GAUGE32, lambda each: NO_TIME),
    ),
)


# The last three are what RFC 4293 says of every IPv4 prefix; of IPv6 VPP does not tell them.
ADDRESS_PREFIX_TABLE = Table(
    f"{IP}.32.1",
    (
        Column(5, "ipAddressPrefixOrigin", INTEGER, lambda each: OTHER),
        Column(6, "ipAddressPrefixOnLinkFlag", INTEGER, lambda each: TRUE),
        Column(
            *(7, "ipAddressPrefixAutonomousFlag", INTEGER),
            lambda each: FALSE if each.version == IPV4 else None,
        ),
        Column(
            *(8, "ipAddressPrefixAdvPreferredLifetime", GAUGE32),
            lambda each: FOREVER if each.version == IPV4 else None,
        ),
        Column(
            *(9, "ipAddressPrefixAdvValidLifetime", GAUGE32),
            lambda each: FOREVER if each.version == IPV4 else None,
        ),
    ),
)

PREFIX_POINTER = ADDRESS_PREFIX_TABLE.columns[0].prefix  # a row's first accessible column

ADDRESS_TABLE = Table(
    f"{IP}.34.1",
    (
        Column(3, "ipAddressIfIndex", INTEGER, lambda each: each.row.index),
        Column(4, "ipAddressType", INTEGER, lambda each: UNICAST),
        Column(
            *(5, "ipAddressPrefix", OBJECT_IDENTIFIER), lambda each: PREFIX_POINTER + each.prefix
        ),
        Column(6, "ipAddressOrigin", INTEGER, lambda each: OTHER),
        Column(7, "ipAddressStatus", INTEGER, lambda each: each.status),
        Column(8, "ipAddressCreated", TIMETICKS, lambda each: each.since),
        Column(9, "ipAddressLastChanged", TIMETICKS, lambda each: each.since),
        Column(10, "ipAddressRowStatus", INTEGER, lambda each: ACTIVE),
        Column(11, "ipAddressStorageType", INTEGER, lambda each: OTHER),
    ),
)
NET_TO_PHYSICAL_TABLE = Table(
    f"{IP}.35.1",
    (
        Column(
            *(4, "ipNetToPhysicalPhysAddress", OCTET_STRING),
            lambda each: each.neighbor.mac_address,
        ),
        Column(6, "ipNetToPhysicalType", INTEGER, lambda each: each.type),
        Column(7, "ipNetToPhysicalState", INTEGER, lambda each: UNKNOWN),
        Column(8, "ipNetToPhysicalRowStatus", INTEGER, lambda each: ACTIVE),
    ),
)


# --- their rows ---------------------------------------------------------------------------------

Interfaces = Mapping[str, Row]


def address_rows(interfaces: Interfaces) -> Iterator[AddressRow]:
    """All addresses."""
    for row in interfaces.values():
        for address in row.addresses:
            yield AddressRow(row, address)


def ipv4_addresses(interfaces: Interfaces) -> Iterator[tuple[bytes, AddressRow]]:
    """Rows of ipAddrTable by address: one that is used twice is there once."""
    for each in address_rows(interfaces):
        if each.version == IPV4:
            yield subids(*each.address.address), each


def addresses(interfaces: Interfaces) -> Iterator[tuple[bytes, AddressRow]]:
    """Rows of ipAddressTable by type and address."""
    for each in address_rows(interfaces):
        yield subids(*each.inet), each


def prefixes(interfaces: Interfaces) -> Iterator[tuple[bytes, AddressRow]]:
    """Rows of ipAddressPrefixTable by ifIndex, type, prefix and length."""
    for each in address_rows(interfaces):
        yield each.prefix, each


def interfaces_of(ip_version: int) -> Callable[[Interfaces], Iterator[tuple[bytes, Row]]]:
    """Rows of ipv4InterfaceTable or ipv6InterfaceTable by ifIndex: that have an address."""

    def rows(interfaces: Interfaces) -> Iterator[tuple[bytes, Row]]:
        for row in interfaces.values():
            for each in row.addresses:
                if version(each.address) == ip_version:
                    yield subids(row.index), row
                    break

    return rows


def statistics(interfaces: Interfaces) -> Iterator[tuple[bytes, StatsRow]]:
    """Rows of ipIfStatsTable by version and ifIndex."""
    for ip_version in (IPV4, IPV6):
        for row in interfaces.values():
            yield subids(ip_version, row.index), StatsRow(row, ip_version)


def neighbor_rows(interfaces: Interfaces) -> Iterator[NeighborRow]:
    """All neighbours."""
    for row in interfaces.values():
        for neighbor in row.neighbors:
            yield NeighborRow(row, neighbor)


def ipv4_neighbors(interfaces: Interfaces) -> Iterator[tuple[bytes, NeighborRow]]:
    """Rows of ipNetToMediaTable by ifIndex and address."""
    for each in neighbor_rows(interfaces):
        if version(each.neighbor.address) == IPV4:
            yield subids(each.row.index, *each.neighbor.address), each


def neighbors(interfaces: Interfaces) -> Iterator[tuple[bytes, NeighborRow]]:
    """Rows of ipNetToPhysicalTable by ifIndex, type and address."""
    for each in neighbor_rows(interfaces):
        octets = each.neighbor.address
        yield subids(each.row.index, version(octets), len(octets), *octets), each


def module(interfaces: InterfaceTable) -> Module:
    """IP-MIB over these interfaces."""
    derive, uptime = interfaces.derive, interfaces.uptime
    ipv4, ipv6 = derive(interfaces_of(IPV4)), derive(interfaces_of(IPV6))
    stats = derive(statistics)

    def last_change(number: str, name: str, table: Derived) -> Scalar:
        return Scalar(f"{IP}.{number}", name, TIMETICKS, lambda: uptime.ticks(table.changed_at))

    return Module(
        capability="1.3.6.1.2.1.48",
        description="IP-MIB (RFC 4293): addresses and neighbours of VPP's interfaces",
        subtrees=(
            *(f"{IP}.20.1.{column}" for column in range(1, 6)),
            *(f"{IP}.22.1.{column}" for column in range(1, 5)),
            *(f"{IP}.{each}" for each in (27, 28, 29, 30, "31.2", "31.3", 32, 34, 35)),
        ),
        objects=(
            ADDR_TABLE.over(derive(ipv4_addresses).rows),
            NET_TO_MEDIA_TABLE.over(derive(ipv4_neighbors).rows),
            last_change("27", "ipv4InterfaceTableLastChange", ipv4),
            IPV4_INTERFACE_TABLE.over(ipv4.rows),
            last_change("29", "ipv6InterfaceTableLastChange", ipv6),
            IPV6_INTERFACE_TABLE.over(ipv6.rows),
            last_change("31.2", "ipIfStatsTableLastChange", stats),
            IF_STATS_TABLE.over(stats.rows),
            ADDRESS_PREFIX_TABLE.over(derive(prefixes).rows),
            ADDRESS_TABLE.over(derive(addresses).rows),
            NET_TO_PHYSICAL_TABLE.over(derive(neighbors).rows),
        ),
    )
