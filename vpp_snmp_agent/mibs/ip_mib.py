"""IP-MIB (RFC 4293): the addresses, neighbours and received packets of VPP's interfaces.

snmpd's own tables of the same objects speak of the kernel's interfaces.  What is served
here stands in their place: table by table, or column by column where snmpd itself
registers columns.  Everything else of 1.3.6.1.2.1.4 stays snmpd's, or is absent where snmpd
runs without its IP modules, as the shipped service has it.
"""

import struct
from bisect import bisect_left
from collections.abc import Callable, Iterator
from functools import partial
from operator import attrgetter
from typing import NamedTuple

from ..agentx.mib import Column, Module, Scalar, SortedRows, Table, UpTime
from ..agentx.pdu import (
    COUNTER32,
    COUNTER64,
    GAUGE32,
    INTEGER,
    IP_ADDRESS,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    TIMETICKS,
    ValueType,
    subids,
)
from ..interfaces.ip_statistics import IN_RECEIVES, MAX_AGE, IpStatistics
from ..interfaces.publisher import Publisher
from ..interfaces.rows import Interfaces, Row

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
FORWARDING = 1  # ipForwarding, ipv6IpForwarding, ipv6InterfaceForwarding
LARGEST = 65535  # octets of a datagram that can be reassembled: by Linux, behind LCP
ALL_ONES = 1  # ipAdEntBcastAddr: the lowest bit of the broadcast address
FOREVER = 2**32 - 1  # a lifetime
VERSIONS = {subids(IPV4): IPV4, subids(IPV6): IPV6}
PHYSICAL_IPV4, PHYSICAL_IPV6 = subids(IPV4, 4), subids(IPV6, 16)  # before the octets
ENTRY_TAIL = 7  # octets of a neighbour's entry behind the address
# `subids` of an address, by its octets.
_ADDRESSES = {size: struct.Struct(f">{size}I").pack for size in (4, 16)}
NO_TIME = 0  # ipIfStatsRefreshRate: counters are read when they are asked for
HOP_LIMIT = 64  # ipDefaultTTL: of what VPP and Linux behind it send


class AddressRow(NamedTuple):
    """One conceptual row of ipAddrTable, ipAddressTable and ipAddressPrefixTable."""

    row: Row
    address: bytes  # four octets or sixteen
    prefix_length: int

    @property
    def version(self) -> int:
        """InetVersion."""
        return version(self.address)

    @property
    def inet(self) -> tuple[int, ...]:
        """InetAddressType, length and octets: a link-local address has its zone behind it."""
        octets = self.address
        if octets[:1] == b"\xfe" and len(octets) == 16 and octets[1] & 0xC0 == 0x80:
            zoned = octets + self.row.index.to_bytes(4, "big")
            return IPV6Z, len(zoned), *zoned
        return self.version, len(octets), *octets

    @property
    def netmask(self) -> bytes:
        """Of an IPv4 address."""
        return network(b"\xff" * 4, self.prefix_length)

    @property
    def prefix(self) -> bytes:
        """Index of its row in ipAddressPrefixTable."""
        length = self.prefix_length
        octets = network(self.address, length)
        return subids(self.row.index, self.version, len(octets), *octets, length)

    @property
    def status(self) -> int:
        """IpAddressStatusTC."""
        return INACCESSIBLE if self.row.is_down else PREFERRED

    @property
    def since(self) -> int:
        """When it was seen first, in the master's sysUpTime."""
        return self.row.uptime.ticks(self.row.address_since.get(self.address))


class NeighborRow(NamedTuple):
    """One conceptual row of ipNetToMediaTable and ipNetToPhysicalTable."""

    key: bytes  # of its ifIndex
    entry: bytes  # as `NeighborLists` has it
    size: int  # octets of its address

    @property
    def if_index(self) -> int:
        """Whose neighbour it is."""
        return int.from_bytes(self.key, "big")

    @property
    def address(self) -> bytes:
        """Four octets or sixteen."""
        return self.entry[: self.size]

    @property
    def mac_address(self) -> bytes:
        """Six octets."""
        return self.entry[self.size : self.size + 6]

    @property
    def static(self) -> bool:
        """Whether somebody configured it."""
        return self.entry[-1:] == b"\1"

    @property
    def type(self) -> int:
        """Who put it there."""
        return STATIC if self.static else DYNAMIC


class StatsRow(NamedTuple):
    """One conceptual row of ipIfStatsTable."""

    row: Row
    version: int

    @property
    def in_receives(self) -> int | None:
        """Packets of its version, read now."""
        counters = self.row.counters
        return counters.in_ip4 if self.version == IPV4 else counters.in_ip6


class SystemStatsRow(NamedTuple):
    """One conceptual row of ipSystemStatsTable."""

    statistics: IpStatistics
    uptime: UpTime

    @property
    def discontinuity_time(self) -> int:
        """When something may have been missed last, in the master's sysUpTime."""
        return self.uptime.ticks(self.statistics.totals.restarted_at)


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
        Column(1, "ipAdEntAddr", IP_ADDRESS, lambda each: each.address),
        Column(2, "ipAdEntIfIndex", INTEGER, lambda each: each.row.index),
        Column(3, "ipAdEntNetMask", IP_ADDRESS, lambda each: each.netmask),
        Column(4, "ipAdEntBcastAddr", INTEGER, lambda each: ALL_ONES),
        Column(5, "ipAdEntReasmMaxSize", INTEGER, lambda each: LARGEST),
    ),
)

NET_TO_MEDIA_TABLE = Table(
    f"{IP}.22.1",
    (
        Column(1, "ipNetToMediaIfIndex", INTEGER, lambda each: each.if_index),
        Column(*(2, "ipNetToMediaPhysAddress", OCTET_STRING), lambda each: each.mac_address),
        Column(3, "ipNetToMediaNetAddress", IP_ADDRESS, lambda each: each.address),
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
        Column(
            *(3, "ipIfStatsInReceives", COUNTER32), lambda each: each.in_receives, is_counter=True
        ),
        Column(
            *(4, "ipIfStatsHCInReceives", COUNTER64), lambda each: each.in_receives, is_counter=True
        ),
        Column(
            *(46, "ipIfStatsDiscontinuityTime", TIMETICKS),
            lambda each: each.row.counter_discontinuity_time,
        ),
        Column(47, "ipIfStatsRefreshRate", GAUGE32, lambda each: NO_TIME),
    ),
)


def _counted(number: int, name: str, type_: ValueType = COUNTER32, of: str = "") -> Column:
    """A column of ipSystemStatsTable, of what `ERRORS` has under its name, or `of`."""
    source = of or name
    return Column(number, f"ipSystemStats{name}", type_, lambda each: each.statistics.value(source))


SYSTEM_STATS_TABLE = Table(
    f"{IP}.31.1.1",
    (
        _counted(3, IN_RECEIVES),
        _counted(4, "HCInReceives", COUNTER64, IN_RECEIVES),
        _counted(7, "InHdrErrors"),
        _counted(9, "InAddrErrors"),
        _counted(10, "InUnknownProtos"),
        _counted(11, "InTruncatedPkts"),
        _counted(14, "ReasmReqds"),
        _counted(15, "ReasmOKs"),
        _counted(16, "ReasmFails"),
        _counted(17, "InDiscards"),
        _counted(25, "OutDiscards"),
        _counted(28, "OutFragFails"),
        _counted(29, "OutFragCreates"),
        Column(
            *(46, "ipSystemStatsDiscontinuityTime", TIMETICKS),
            lambda each: each.discontinuity_time,
        ),
        Column(
            *(47, "ipSystemStatsRefreshRate", GAUGE32),
            lambda each: int(MAX_AGE * 1000),  # milliseconds
        ),
    ),
)

# The deprecated scalars of IPv4: number, name, and what of ipSystemStatsTable they are.
SCALARS = (
    (3, "ipInReceives", IN_RECEIVES),
    (4, "ipInHdrErrors", "InHdrErrors"),
    (5, "ipInAddrErrors", "InAddrErrors"),
    (7, "ipInUnknownProtos", "InUnknownProtos"),
    (8, "ipInDiscards", "InDiscards"),
    (11, "ipOutDiscards", "OutDiscards"),
    (14, "ipReasmReqds", "ReasmReqds"),
    (15, "ipReasmOKs", "ReasmOKs"),
    (16, "ipReasmFails", "ReasmFails"),
    (18, "ipFragFails", "OutFragFails"),
    (19, "ipFragCreates", "OutFragCreates"),
)
# What a router is: number, name, value.
CONSTANTS = (
    (1, "ipForwarding", FORWARDING),
    (2, "ipDefaultTTL", HOP_LIMIT),
    (25, "ipv6IpForwarding", FORWARDING),
    (26, "ipv6IpDefaultHopLimit", HOP_LIMIT),
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
            lambda each: each.mac_address,
        ),
        Column(6, "ipNetToPhysicalType", INTEGER, lambda each: each.type),
        Column(7, "ipNetToPhysicalState", INTEGER, lambda each: UNKNOWN),
        Column(8, "ipNetToPhysicalRowStatus", INTEGER, lambda each: ACTIVE),
    ),
)


# --- their rows ---------------------------------------------------------------------------------


def addresses_of(row: Row) -> Iterator[AddressRow]:
    """The addresses of one interface."""
    for octets, prefix_length in row.facts.addresses:
        yield AddressRow(row, octets, prefix_length)


def ipv4_addresses(row: Row, interfaces: Interfaces) -> Iterator[tuple[bytes, AddressRow]]:
    """Rows of ipAddrTable by address."""
    for each in addresses_of(row):
        if each.version == IPV4:
            yield subids(*each.address), each


def addresses(row: Row, interfaces: Interfaces) -> Iterator[tuple[bytes, AddressRow]]:
    """Rows of ipAddressTable by type and address."""
    for each in addresses_of(row):
        yield subids(*each.inet), each


def prefixes(row: Row, interfaces: Interfaces) -> Iterator[tuple[bytes, AddressRow]]:
    """Rows of ipAddressPrefixTable by ifIndex, type, prefix and length."""
    for each in addresses_of(row):
        yield each.prefix, each


def ipv4_interfaces(row: Row, interfaces: Interfaces) -> Iterator[tuple[bytes, Row]]:
    """Rows of ipv4InterfaceTable by ifIndex: that have an address."""
    if any(each.version == IPV4 for each in addresses_of(row)):
        yield row.instance, row


def ipv6_interfaces(row: Row, interfaces: Interfaces) -> Iterator[tuple[bytes, Row]]:
    """Rows of ipv6InterfaceTable by ifIndex: that have an address."""
    if any(each.version == IPV6 for each in addresses_of(row)):
        yield row.instance, row


class StatsRows:
    """Rows of ipIfStatsTable by version and ifIndex: two of each interface, made when asked for."""

    def __init__(self, rows: SortedRows) -> None:
        self._rows = rows

    def get(self, index: bytes) -> StatsRow | None:
        """The row at an index."""
        ip_version = VERSIONS.get(index[:4])
        row = self._rows.get(index[4:])
        return None if ip_version is None or row is None else StatsRow(row, ip_version)

    def following(self, index: bytes) -> bytes | None:
        """The first index after this one."""
        for version_index in VERSIONS:
            if index[:4] > version_index:
                continue
            after = index[4:] if index[:4] == version_index else b""
            found = self._rows.following(after)
            if found is not None:
                return version_index + found
        return None


def system_stats(interfaces: Publisher) -> SortedRows:
    """Rows of ipSystemStatsTable by version."""
    rows, system = SortedRows(), interfaces.system
    for ip_version, statistics in ((IPV4, system.ipv4), (IPV6, system.ipv6)):
        rows.put(subids(ip_version), SystemStatsRow(statistics, interfaces.uptime))
    return rows


def scalars(interfaces: Publisher) -> Iterator[Scalar]:
    """Those of 1.3.6.1.2.1.4 itself."""
    for number, name, value in CONSTANTS:
        yield Scalar(f"{IP}.{number}", name, INTEGER, partial(int, value))
    for number, name, column in SCALARS:
        yield Scalar(
            f"{IP}.{number}", name, COUNTER32, partial(interfaces.system.ipv4.value, column)
        )


class NeighborRows:
    """Rows of ipNetToPhysicalTable by ifIndex, type and address, made when asked for.

    What is kept are the interfaces' own lists of entries; with `media` the rows are those of
    ipNetToMediaTable: the same of IPv4 alone, by ifIndex and address.

    A walk asks for the row at the index that it was just given, and then for what follows it.
    So where that one stands is known, and used as long as the same entry stands there.
    """

    def __init__(self, interfaces: Publisher, media: bool = False) -> None:
        self._families = (
            ((interfaces.ipv4_neighbors, b"", 4),)
            if media
            else (
                (interfaces.ipv4_neighbors, PHYSICAL_IPV4, 4),
                (interfaces.ipv6_neighbors, PHYSICAL_IPV6, 16),
            )
        )
        # Where `following` was found last.
        self._index = self._key = b""  # and its ifIndex's
        self._lists, _, self._size = self._families[0]
        self._entries: list[bytes] = []
        self._at = 0
        self._entry = b""

    def _is_last(self, index: bytes) -> bool:
        """Whether this index was found last, and its entry is still where it was."""
        entries, at = self._entries, self._at
        return (
            index == self._index
            and at < len(entries)
            and entries[at] is self._entry
            and self._lists.get(self._key) is entries
        )

    def _found(self, before: bytes, at: int) -> bytes:
        """The index of an entry; `before` is all of it that comes before the address."""
        size = self._size
        self._at = at
        self._entry = entry = self._entries[at]
        self._index = index = before + _ADDRESSES[size](*entry[:size])
        return index

    def get(self, index: bytes) -> NeighborRow | None:
        """The row at an index."""
        if self._is_last(index):
            return NeighborRow(self._key, self._entry, self._size)
        if_index, rest = index[:4], index[4:]
        for lists, head, size in self._families:
            if not rest.startswith(head) or len(rest) != len(head) + 4 * size:
                continue
            address = rest[len(head) + 3 :: 4]
            entries = lists.get(if_index)
            if entries is None or subids(*address) != rest[len(head) :]:
                return None
            at = bisect_left(entries, address)
            if at < len(entries) and entries[at].startswith(address):
                return NeighborRow(if_index, entries[at], size)
            return None
        return None

    def following(self, index: bytes) -> bytes | None:
        """The first index after this one."""
        if self._is_last(index) and self._at + 1 < len(self._entries):
            return self._found(index[: -4 * self._size], self._at + 1)
        if_index, rest = index[:4], index[4:]
        for lists, head, size in self._families:
            entries = lists.get(if_index)
            if entries is None:
                continue
            if rest.startswith(head):
                at = _place_after(entries, rest[len(head) :], size)
            elif rest < head:
                at = 0
            else:
                continue
            if at < len(entries):
                self._key, self._lists, self._entries, self._size = if_index, lists, entries, size
                return self._found(if_index + head, at)
        # No more of this interface: the first of the next one that has any.
        found = [
            (next_index, number)
            for number, (lists, _, _) in enumerate(self._families)
            if (next_index := lists.following(if_index)) is not None
        ]
        if not found:
            return None
        if_index, number = min(found)
        self._lists, head, self._size = self._families[number]
        entries = self._lists.get(if_index)
        assert entries
        self._key, self._entries = if_index, entries
        return self._found(if_index + head, 0)


def _place_after(entries: list[bytes], octets: bytes, size: int) -> int:
    """Where the first entry is whose address follows these sub-identifiers, which are some,
    all or more than an address has, and need not be octets.
    """
    address = b""
    for at in range(0, min(len(octets), 4 * size), 4):
        if octets[at : at + 3] != bytes(3):  # above 255: behind all that begin like this
            return bisect_left(entries, address + b"\xff" * (size + ENTRY_TAIL))
        address += octets[at + 3 : at + 4]
    if len(address) < size:
        return bisect_left(entries, address)
    return bisect_left(entries, address + b"\xff" * ENTRY_TAIL)


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
