"""The router as one VPP has reported it so far: records by sw_if_index, and what is over what.

The rules this module keeps:

- A router is of one VPP.  Another VPP is another router.
- `take` takes one message and says which interfaces it touches: those that it is about, and
  those over them, whose link, speed and status follow (RFC 2863 section 3.1.1).  The cost is
  in proportion to these, not to all there are.
- What VPP computes from something else is not kept twice: a sub-interface's link is its
  parent's, a bond's active members follow from links and LACP.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import replace
from typing import TypeVar

from .records import (
    NO_INDEX,
    Addresses,
    Bond,
    BridgeDomain,
    Changes,
    Complete,
    Identity,
    Interface,
    LacpPort,
    LcpPair,
    NeighborChanges,
    Record,
    Thread,
    Threads,
)

ACTIVE_BACKUP_MODE, BROADCAST_MODE, LACP_MODE = 2, 4, 5  # of a bond (bond.api)
COLLECTING_AND_DISTRIBUTING = 0x30  # IEEE 802.3 43.4.2.2, in actor_state

IPV4_SIZE = 4

V = TypeVar("V")
Reported = Changes | NeighborChanges | Threads | Complete  # what a router is made of


class NeighborLists:
    """The ARP and ND entries of one interface, each family in the order of its addresses.

    An entry is one `bytes`: address, MAC (six octets), 1 or 0 for static or not.  200,000
    of them are 11 MiB, and nothing else is kept of a neighbour.
    """

    __slots__ = ("ipv4", "ipv6")

    def __init__(self) -> None:
        self.ipv4: list[bytes] = []
        self.ipv6: list[bytes] = []

    def family(self, address: bytes) -> list[bytes]:
        """The entries of this address's family."""
        return self.ipv4 if len(address) == IPV4_SIZE else self.ipv6

    def put(self, address: bytes, mac_address: bytes, static: bool) -> None:
        """Add an entry, or change it."""
        entries = self.family(address)
        entry = address + mac_address + (b"\1" if static else b"\0")
        at = bisect_left(entries, address)
        if at < len(entries) and entries[at].startswith(address):
            entries[at] = entry
        else:
            entries.insert(at, entry)

    def remove(self, address: bytes) -> None:
        """Remove the entry of an address, if there is one."""
        entries = self.family(address)
        at = bisect_left(entries, address)
        if at < len(entries) and entries[at].startswith(address):
            del entries[at]


class Router:
    """What one VPP has reported."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.threads: tuple[Thread, ...] = ()
        self.complete: set[str] = set()  # the sorts of records that have been reported whole
        self.interfaces: dict[int, Interface] = {}
        self.pairs: dict[int, LcpPair] = {}  # by the phy's sw_if_index
        self.taps: dict[int, int] = {}  # the phy of each LCP TAP
        self.bonds: dict[int, Bond] = {}
        self.bond_of: dict[int, int] = {}  # by member
        self.lacp_ports: dict[int, LacpPort] = {}  # by member
        self.bridge_domains: dict[int, BridgeDomain] = {}  # by bd_id
        self.addresses: dict[int, tuple[tuple[bytes, int], ...]] = {}  # of those asked for them
        self.neighbors: dict[int, NeighborLists] = {}
        self._subs: dict[int, set[int]] = {}  # by parent
        self._domains_of_bvi: dict[int, int] = {}
        self._domain_of_member: dict[int, int] = {}

    @property
    def worker_cpus(self) -> frozenset[int]:
        """The CPUs of VPP's workers, as far as VPP placed and reported them."""
        workers = (each for each in self.threads if each.index)
        return frozenset(each.cpu_id for each in workers if each.cpu_id != NO_INDEX)

    # --- relations ------------------------------------------------------------------------

    def parent(self, interface: Interface) -> Interface | None:
        """What a sub-interface is over: in VPP never another sub-interface."""
        below = self.interfaces.get(interface.sup_sw_if_index) if interface.is_sub else None
        return below if below and not below.is_sub else None

    def phy(self, sw_if_index: int) -> Interface | None:
        """What an LCP TAP mirrors; None for anything that is no TAP of a pair."""
        return self.interfaces.get(self.taps.get(sw_if_index, NO_INDEX))

    def is_bvi(self, sw_if_index: int) -> bool:
        """Whether a bridge domain routes in it."""
        return sw_if_index in self._domains_of_bvi

    def active_members(self, bond: Bond) -> Iterator[Interface]:
        """The members that carry traffic: they are up, and LACP, if spoken, says so.

        Of an active-backup bond that is one, the first of those that are up as VPP lists them:
        it prefers that which was active before, and does not report which that is.
        """
        spoken = bond.mode == LACP_MODE and any(each in self.lacp_ports for each in bond.members)
        for member in bond.members:
            interface = self.interfaces.get(member)
            if interface is None or not (interface.admin_up and interface.link_up):
                continue
            if spoken:
                port = self.lacp_ports.get(member)
                state = port.actor_state if port else 0
                if state & COLLECTING_AND_DISTRIBUTING != COLLECTING_AND_DISTRIBUTING:
                    continue
            yield interface
            if bond.mode == ACTIVE_BACKUP_MODE:
                return

    def is_aggregated(self, sw_if_index: int) -> bool:
        """Whether it carries a bond's traffic."""
        bond = self.bonds.get(self.bond_of.get(sw_if_index, NO_INDEX))
        return bond is not None and any(
            each.sw_if_index == sw_if_index for each in self.active_members(bond)
        )

    def lower_layers(self, interface: Interface) -> tuple[int, ...]:
        """What it is directly over: a sub-interface over its parent, a bond over its members, a
        BVI over the other ports of its bridge domain.
        """
        if interface.is_sub:
            return (interface.sup_sw_if_index,)
        bond = self.bonds.get(interface.sw_if_index)
        if bond is not None and bond.members:
            return bond.members
        domain = self.bridge_domains.get(self._domains_of_bvi.get(interface.sw_if_index, NO_INDEX))
        if domain is None:
            return ()
        return tuple(port for port in domain.members if port != interface.sw_if_index)

    def _higher_layers(self, sw_if_index: int) -> Iterator[int]:
        """Everything above it, however far."""
        yield from self._subs.get(sw_if_index, ())
        bond = self.bond_of.get(sw_if_index)
        if bond is not None:
            yield bond
            yield from self._subs.get(bond, ())
        domain = self.bridge_domains.get(self._domain_of_member.get(sw_if_index, NO_INDEX))
        if domain is not None:
            yield domain.bvi_sw_if_index

    def _standbys(self, sw_if_index: int) -> Iterator[int]:
        """The members that may carry traffic, or not, because of this one of their bond."""
        bond = self.bonds.get(self.bond_of.get(sw_if_index, NO_INDEX))
        if bond is not None and bond.mode == ACTIVE_BACKUP_MODE:
            yield from bond.members

    def _tap_and_higher_layers(self, pair: LcpPair) -> Iterator[int]:
        """A TAP is known by its phy's name, and what is over it says what that is over."""
        yield pair.host_sw_if_index
        yield from self._higher_layers(pair.host_sw_if_index)

    # --- changes ----------------------------------------------------------------------------

    def take(self, news: Reported) -> set[int]:
        """Take whatever a VPP reports of itself; the sw_if_indexes of all that this touches."""
        match news:
            case Changes():
                return self.apply(news)
            case NeighborChanges():
                return self.apply_neighbors(news)
            case Threads(threads):
                self.threads = threads
            case Complete(what):
                self.complete.add(what)
        return set()

    def apply(self, message: Changes) -> set[int]:
        """Take what is gone and what is reported; the sw_if_indexes of all that this touches."""
        touched: set[int] = set()
        for kind, key in message.gone:
            touched.update(self._replace(kind, key, None))
        for record in message.reported:
            touched.update(self._replace(type(record), record.key, record))
        return touched

    def _replace(self, kind: type[Record], key: int, record: Record | None) -> Iterator[int]:
        """Put a record, or nothing, in the place of the one before; yields what it touches."""
        if kind is Interface:
            assert record is None or isinstance(record, Interface)
            yield from self._replace_interface(key, record)
        elif kind is LcpPair:
            assert record is None or isinstance(record, LcpPair)
            yield from self._replace_pair(key, record)
        elif kind is Bond:
            assert record is None or isinstance(record, Bond)
            yield from self._replace_bond(key, record)
        elif kind is LacpPort:
            assert record is None or isinstance(record, LacpPort)
            _put(self.lacp_ports, key, record)
            yield key
            yield from self._higher_layers(key)
            bond = self.bonds.get(self.bond_of.get(key, NO_INDEX))
            yield from bond.members if bond else ()
        elif kind is BridgeDomain:
            assert record is None or isinstance(record, BridgeDomain)
            yield from self._replace_bridge_domain(key, record)
        else:
            assert record is None or isinstance(record, Addresses)
            if record is None:
                self.addresses.pop(key, None)
            else:
                self.addresses[key] = record.addresses
            yield key

    def _replace_interface(self, key: int, after: Interface | None) -> Iterator[int]:
        before = self.interfaces.get(key)
        has_parent = after is not None and self.parent(after) is not None
        if before and after and has_parent and replace(before, link_up=after.link_up) == after:
            self.interfaces[key] = after  # its own link counts for nothing
            return
        yield key
        if before is not None and before.is_sub:
            subs = self._subs[before.sup_sw_if_index]
            subs.discard(key)
            if not subs:
                del self._subs[before.sup_sw_if_index]
        if after is not None and after.is_sub:
            self._subs.setdefault(after.sup_sw_if_index, set()).add(key)
        if before is not None and (after is None or before.interface_name != after.interface_name):
            # An index that changed hands takes nothing along.
            self.addresses.pop(key, None)
            self.neighbors.pop(key, None)
        _put(self.interfaces, key, after)
        if before is None or after is None or _inherited(before) != _inherited(after):
            yield from self._higher_layers(key)
            yield from self._standbys(key)
            pair = self.pairs.get(key)
            if pair is not None:
                yield from self._tap_and_higher_layers(pair)

    def _replace_pair(self, key: int, after: LcpPair | None) -> Iterator[int]:
        before = self.pairs.get(key)
        if before is not None:
            _drop(self.taps, before.host_sw_if_index, key)
            yield from self._tap_and_higher_layers(before)
        if after is not None:
            self.taps[after.host_sw_if_index] = key
            yield from self._tap_and_higher_layers(after)
        _put(self.pairs, key, after)
        yield key

    def _replace_bond(self, key: int, after: Bond | None) -> Iterator[int]:
        before = self.bonds.get(key)
        for member in before.members if before else ():
            _drop(self.bond_of, member, key)
            yield member
        for member in after.members if after else ():
            self.bond_of[member] = key
            yield member
        _put(self.bonds, key, after)
        yield key
        yield from self._higher_layers(key)

    def _replace_bridge_domain(self, key: int, after: BridgeDomain | None) -> Iterator[int]:
        before = self.bridge_domains.get(key)
        if before is not None:
            _drop(self._domains_of_bvi, before.bvi_sw_if_index, key)
            for member in before.members:
                _drop(self._domain_of_member, member, key)
            yield before.bvi_sw_if_index
        if after is not None:
            if after.bvi_sw_if_index != NO_INDEX:
                self._domains_of_bvi[after.bvi_sw_if_index] = key
            for member in after.members:
                self._domain_of_member[member] = key
            yield after.bvi_sw_if_index
        _put(self.bridge_domains, key, after)

    def apply_neighbors(self, message: NeighborChanges) -> set[int]:
        """Take what is gone and what is reported; the sw_if_indexes of all that this touches."""
        touched = set()
        for sw_if_index, address in message.gone:
            lists = self.neighbors.get(sw_if_index)
            if lists is not None:
                lists.remove(address)
                touched.add(sw_if_index)
        for sw_if_index, address, mac_address, static in message.reported:
            lists = self.neighbors.get(sw_if_index)
            if lists is None:
                lists = self.neighbors[sw_if_index] = NeighborLists()
            lists.put(address, mac_address, static)
            touched.add(sw_if_index)
        return touched


def _put(records: dict[int, V], key: int, record: V | None) -> None:
    if record is None:
        records.pop(key, None)
    else:
        records[key] = record


def _drop(owners: dict[int, int], key: int, owner: int) -> None:
    """Of a relation that has not passed to another owner already."""
    if owners.get(key) == owner:
        del owners[key]


def _inherited(interface: Interface) -> tuple[object, ...]:
    """What those over it, or named after it, have from an interface."""
    return (
        interface.interface_name,
        interface.admin_up,
        interface.link_up,
        interface.link_speed,
        interface.link_mtu,
        interface.mtu,
        interface.l2_address,
        interface.sup_sw_if_index,
    )
