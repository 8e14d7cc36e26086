"""IP-MIB's tables of the addresses of interfaces, and of the interfaces that have any."""

from collections.abc import Iterator
from typing import NamedTuple

from ..agentx.mib import Column, Table
from ..agentx.values import GAUGE32, INTEGER, IP_ADDRESS, OBJECT_IDENTIFIER, TIMETICKS, subids
from ..interfaces.rows import Interfaces, Row

IP = "1.3.6.1.2.1.4"
IPV4, IPV6, IPV6Z = 1, 2, 4  # InetAddressType, RFC 4001; the first two InetVersion too
TRUE, FALSE = 1, 2  # TruthValue, RFC 2579
ACTIVE = 1  # RowStatus, RFC 2579
OTHER = 1  # of a StorageType, of an origin: VPP does not say
UNICAST = 1
PREFERRED, INACCESSIBLE = 1, 4  # IpAddressStatusTC
ENABLED = 1  # ipv4InterfaceEnableStatus: up
FORWARDING = 1  # ipForwarding, ipv6IpForwarding, ipv6InterfaceForwarding
LARGEST = 65535  # octets of a datagram that can be reassembled: by Linux, behind LCP
ALL_ONES = 1  # ipAdEntBcastAddr: the lowest bit of the broadcast address
FOREVER = 2**32 - 1  # a lifetime


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

# The last three are what RFC 4293 says of every IPv4 prefix; of IPv6 VPP does not say.
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
