"""IP-MIB's tables of neighbours, whose rows are made when they are asked for."""

import struct
from bisect import bisect_left
from typing import NamedTuple

from ..agentx.mib import Column, Table
from ..agentx.values import INTEGER, IP_ADDRESS, OCTET_STRING, subids
from ..interfaces.publisher import Publisher
from .ip_mib_addresses import ACTIVE, IP, IPV4, IPV6

DYNAMIC, STATIC = 3, 4  # ipNetToPhysicalType, ipNetToMediaType
UNKNOWN = 6  # ipNetToPhysicalState: VPP does not say
PHYSICAL_IPV4, PHYSICAL_IPV6 = subids(IPV4, 4), subids(IPV6, 16)  # before the octets
ENTRY_TAIL = 7  # octets of a neighbour's entry behind the address
# `subids` of an address, by its octets.
_ADDRESSES = {size: struct.Struct(f">{size}I").pack for size in (4, 16)}


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


NET_TO_MEDIA_TABLE = Table(
    f"{IP}.22.1",
    (
        Column(1, "ipNetToMediaIfIndex", INTEGER, lambda each: each.if_index),
        Column(*(2, "ipNetToMediaPhysAddress", OCTET_STRING), lambda each: each.mac_address),
        Column(3, "ipNetToMediaNetAddress", IP_ADDRESS, lambda each: each.address),
        Column(4, "ipNetToMediaType", INTEGER, lambda each: each.type),
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
