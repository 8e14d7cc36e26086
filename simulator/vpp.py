"""The router inside the simulated VPP: what exists, what it counts, whom it tells.

Indexes are given out as VPP's pools do, the one freed last first.  Every change that VPP
tells its clients is noted as an event; what VPP keeps silent about is not.

A change costs work for what it touches, however many interfaces there are: the rates of
the interface, of its subs where it carries nothing any more, and of those that count for it
(its parent, and the members of a bond) are worked out anew before time passes again.
"""

from collections.abc import Iterable, Iterator
from ipaddress import ip_address, ip_interface
from itertools import count as count_from
from itertools import islice

from vpp_snmp_agent.vpp.layout import Kind

from .counters import Counters
from .interface import (
    ADDED,
    ADMIN_UP,
    LINK_UP,
    REMOVED,
    Bond,
    BridgeDomain,
    Interface,
    Neighbor,
    Pair,
    Spec,
)
from .release import Release
from .scenario import neighbor
from .traffic import CELLS, COMBINED, INCLUDED, SIMPLE, Clock, Flow, Traffic

NETNS = "dataplane"


class Router:
    """A VPP's state, mirrored into its segment."""

    def __init__(
        self, release: Release, threads: int, segment_size: int, counts_nodes: bool = False
    ) -> None:
        self.release = release
        self.clock = Clock()
        self.counters = Counters(release, threads, segment_size, counts_nodes)
        self.segment = self.counters.segment
        self.interfaces: dict[int, Interface] = {}
        self.names: dict[str, Interface] = {}
        self.bonds: dict[str, Bond] = {}
        self.pairs: list[Pair | None] = []
        self.bridge_domains: list[BridgeDomain] = []
        self._by_phy: dict[Interface, int] = {}
        self._free_pairs: list[int] = []
        self._free_indexes: list[int] = []
        self._next_index = 0
        self._next_tap = release.first_tap
        self._next_vif = 10
        self._events: dict[int, list[int]] = {}
        self._neighbor_events: list[tuple[Interface, Neighbor, int]] = []
        self._stale: dict[Interface, None] = {}  # their rates are to be worked out anew
        self._moving: dict[Interface, None] = {}
        self._round: list[Interface] = []  # those moving when `tick` began with the first
        self._cursor = 0
        self._numbers = count_from()  # of neighbours made by `add_neighbors`
        self.add(Spec("local0", "local", mtu=0, admin=False, link=False))

    # Interfaces.

    def add(self, spec: Spec) -> Interface:
        """Create an interface, and its LCP pair and bond membership if the spec says so."""
        if spec.full_name in self.names:
            raise ValueError(f"{spec.full_name} exists")
        parent = self.names[spec.parent] if spec.parent else None
        index = self._free_indexes.pop() if self._free_indexes else self._next_index
        self._next_index = max(self._next_index, index + 1)
        interface = Interface(
            index,
            spec.full_name,
            parent.dev_type if parent else spec.dev_type,
            parent,
            self._mac(spec, index),
            Flow(self.clock.now()),
            spec.full_name,
            spec.traffic,
            speed=spec.speed,
            mtu=[spec.l3_mtu, 0, 0, 0],
            link_mtu=parent.link_mtu if parent else spec.l3_mtu,
            admin=spec.admin,
            carrier=spec.link and spec.dev_type != "bond",
            tag=spec.tag.encode(),
            sub_id=spec.sub_id,
            outer=spec.outer or spec.sub_id,
            inner=spec.inner,
        )
        if parent:
            parent.subs[interface] = None
        self.interfaces[index] = interface
        self.names[interface.name] = interface
        self._stale[interface] = None
        self.counters.create(interface)
        self.counters.add_xstats(interface, spec.xstats)
        self._tell(index, interface.flags if interface.admin else 0)
        if spec.dev_type == "bond" and not parent:
            interface.aggregate = self.bonds[interface.name] = Bond(len(self.bonds), interface)
        self._give_addresses(interface, spec)
        if spec.bond:
            self.add_member(spec.bond, interface.name)
        if spec.host:
            self.create_pair(interface.name, spec.host)
        return interface

    def configure(self, spec: Spec) -> None:
        """Add an interface, or give the hardware that is there already what the spec says."""
        present = self.names.get(spec.full_name)
        if present is None:
            self.add(spec)
            return
        present.mtu[0] = spec.l3_mtu
        present.traffic = spec.traffic
        self._stale[present] = None
        self._give_addresses(present, spec)
        self.set_admin(present.name, spec.admin)
        if spec.bond and not present.bond:
            self.add_member(spec.bond, present.name)
        if spec.host and present not in self._by_phy:
            self.create_pair(present.name, spec.host)

    def _mac(self, spec: Spec, index: int) -> bytes:
        if spec.mac:
            return bytes.fromhex(spec.mac.replace(":", ""))
        if spec.parent or spec.dev_type == "local":
            return bytes(6)
        if spec.dev_type == "Loopback":
            loopbacks = sum(i.dev_type == "Loopback" for i in self.interfaces.values())
            return b"\xde\xad" + loopbacks.to_bytes(4, "big")
        if spec.dev_type == self.release.tap_type:
            return b"\x02\xfe" + (0x5A000000 + index).to_bytes(4, "big")
        return b"\x68\x05\xca" + index.to_bytes(3, "big")

    def delete(self, name: str) -> None:
        """Delete an interface with everything that hangs on it.  Its counters stay as they are."""
        interface = self.names[name]
        for sub in list(interface.subs):
            self.delete(sub.name)
        if interface in self._by_phy:
            self.delete_pair(name)
        for pair in [p for p in self.pairs if p and p.host is interface]:
            self.delete_pair(pair.phy.name, keep_host=True)
        if interface.bond:
            self.remove_member(interface.bond.interface.name, name)
        if name in self.bonds:
            for member in list(self.bonds[name].members):
                self.remove_member(name, member.name)
            del self.bonds[name]
        if interface.parent:
            del interface.parent.subs[interface]
            self._count_for(interface.parent, interface.rates, [0] * CELLS)
        self._stale.pop(interface, None)
        self._moving.pop(interface, None)
        for address in list(interface.neighbors):
            self._remove_neighbor(interface, address)
        del self.interfaces[interface.sw_if_index]
        del self.names[name]
        self._free_indexes.append(interface.sw_if_index)
        self.counters.delete(interface)
        self._tell(interface.sw_if_index, 0, deleted=True)

    def changed(self, interface: Interface) -> None:
        """Its row is other than it was."""
        interface.details = None
        for sub in interface.subs:
            self.changed(sub)

    def rename(self, name: str, new: str) -> None:
        """Silently, and without a word to the segment."""
        interface = self.names.pop(name)
        interface.name = new
        interface.details = None
        self.names[new] = interface
        for sub in interface.subs:
            self.rename(sub.name, f"{new}.{sub.sub_id}")

    def set_admin(self, name: str, up: bool) -> None:
        interface = self.names[name]
        interface.admin = up
        self._after_status(interface, ADMIN_UP * up)

    def set_link(self, name: str, up: bool) -> None:
        """The wire of a hardware interface; its sub-interfaces follow silently."""
        interface = self.names[name]
        interface.carrier = up
        self._after_status(interface, LINK_UP * up)

    def _after_status(self, interface: Interface, flags: int) -> None:
        self.changed(interface)
        self._tell(interface.sw_if_index, flags)
        self._carries_otherwise(interface)
        if interface.bond:
            self._bond_link(interface.bond)

    def _carries_otherwise(self, interface: Interface) -> None:
        self._stale[interface] = None
        for sub in interface.subs:
            self._carries_otherwise(sub)

    def set_detailed(self, name: str, on: bool) -> None:
        """collect_detailed_interface_stats: the counters by kind of address."""
        self.names[name].detailed = on
        self._stale[self.names[name]] = None

    def set_traffic(self, name: str, traffic: Traffic) -> None:
        self.names[name].traffic = traffic
        self._stale[self.names[name]] = None

    def clear(self) -> None:
        """Zero the counters of every interface there is; rows of deleted ones stay."""
        now = self.clock.now()
        for index, interface in self.interfaces.items():
            interface.flow.clear(now)
            self.counters.zero(index)

    # Addresses, of which VPP tells no event, and neighbours, of which it tells each.

    def set_addresses(self, name: str, addresses: Iterable[str]) -> None:
        """All of an interface's, each with its prefix length."""
        self.names[name].addresses = [ip_interface(each) for each in addresses]

    def _give_addresses(self, interface: Interface, spec: Spec) -> None:
        self.set_addresses(interface.name, spec.addresses)
        for address, mac in spec.neighbors:
            self.add_neighbor(interface.name, address, mac, static=False)

    def add_neighbor(self, name: str, address: str, mac: str, static: bool) -> None:
        """A new one, or another MAC of one that is there."""
        packed = ip_address(address).packed
        octets = bytes.fromhex(mac.replace(":", ""))
        self._add_neighbor(self.names[name], Neighbor(packed, octets, static, None))

    def _add_neighbor(self, interface: Interface, neighbor: Neighbor) -> None:
        interface.neighbors[neighbor.address] = neighbor
        self._neighbor_events.append((interface, neighbor, ADDED))

    def remove_neighbor(self, name: str, address: str) -> None:
        self._remove_neighbor(self.names[name], ip_address(address).packed)

    def _remove_neighbor(self, interface: Interface, address: bytes) -> None:
        neighbor = interface.neighbors.pop(address)
        self._neighbor_events.append((interface, neighbor, REMOVED))

    def add_neighbors(self, count: int, name: str = "") -> None:
        """So many more of `scenario.neighbor`: one for each interface in turn, or all for one.

        The turn is that of the sw_if_indexes, without local0 and TAPs.
        """
        taps = {pair.host for pair in self.pairs if pair}
        turn = (
            [self.names[name]]
            if name
            else [
                interface
                for index, interface in sorted(self.interfaces.items())
                if index and interface not in taps
            ]
        )
        for number in islice(self._numbers, count):
            address, mac = neighbor(number)
            self._add_neighbor(turn[number % len(turn)], Neighbor(address, mac, False, None))

    # Bonds.

    def add_member(self, bond_name: str, name: str) -> None:
        bond, member = self.bonds[bond_name], self.names[name]
        if not bond.members:
            bond.interface.mac = member.mac
            self.changed(bond.interface)
        member.mac = bond.interface.mac
        member.bond = bond
        bond.members[member] = True
        self.changed(member)
        for state in self._lacp_states(bond, member):
            self.segment.add_scalar(state, kind=Kind.GAUGE)
        self._bond_link(bond)

    def remove_member(self, bond_name: str, name: str) -> None:
        bond, member = self.bonds[bond_name], self.names[name]
        del bond.members[member]
        member.bond = None
        self._stale[member] = None
        for state in self._lacp_states(bond, member):
            self.segment.remove(state)
        self._bond_link(bond)

    def set_active(self, name: str, active: bool) -> None:
        """Whether LACP has a member collecting and distributing."""
        member = self.names[name]
        if member.bond is None:
            raise ValueError(f"{name} is no member of a bond")
        member.bond.members[member] = active
        self._bond_link(member.bond)

    def _lacp_states(self, bond: Bond, member: Interface) -> tuple[str, str]:
        """The directory's entries for a member's and its partner's state."""
        place = f"/if/lacp/{bond.interface.sw_if_index}/{member.sw_if_index}"
        return f"{place}/state", f"{place}/partner-state"

    def _bond_link(self, bond: Bond) -> None:
        for member in bond.members:
            for entry, state in zip(
                self._lacp_states(bond, member), bond.states(member), strict=True
            ):
                self.segment.set_scalar(entry, state)
        up = bool(bond.active)
        if up != bond.interface.carrier:
            self.set_link(bond.interface.name, up)
        self._stale |= dict.fromkeys(bond.members)  # each carries its share

    # LCP pairs.

    def create_pair(self, name: str, host_name: str, host: str = "") -> Pair:
        """Pair an interface with a TAP: a new one, unless `host` names an interface.

        Of the pair itself VPP tells nobody; the TAP is an interface that was added.
        """
        phy = self.names[name]
        if phy in self._by_phy:
            raise ValueError(f"{name} has a pair")
        tap = self.names[host] if host else self._create_tap(phy)
        pair = Pair(phy, tap, self._next_vif, host_name, NETNS)
        self._next_vif += 1
        if self._free_pairs:
            place = self._free_pairs.pop()
            self.pairs[place] = pair
        else:
            place = len(self.pairs)
            self.pairs.append(pair)
        self._by_phy[phy] = place
        return pair

    def _create_tap(self, phy: Interface) -> Interface:
        control_plane = Traffic(rx=1, tx=2, rx_size=90, tx_size=90, drops=0)
        if phy.parent:
            place = self._by_phy.get(phy.parent)
            parent = self.pairs[place] if place is not None else None
            if parent is None:
                raise ValueError(f"{phy.parent.name} has no pair to put {phy.name}'s on")
            name = parent.host.name
            spec = Spec("", "", name, phy.sub_id, phy.outer, phy.inner, mtu=phy.mtu[0])
        else:
            spec = Spec(f"tap{self._next_tap}", self.release.tap_type, mtu=phy.mtu[0])
            self._next_tap += 1
        tap = self.add(spec)
        tap.traffic = control_plane
        return tap

    def delete_pair(self, name: str, keep_host: bool = False) -> None:
        """Undo a pair and its TAP, silently unless the TAP goes too."""
        place = self._by_phy.pop(self.names[name])
        pair = self.pairs[place]
        self.pairs[place] = None
        self._free_pairs.append(place)
        if pair and not keep_host:
            self.delete(pair.host.name)

    # Events.

    def _tell(self, index: int, flags: int, deleted: bool = False) -> None:
        event = self._events.setdefault(index, [0, 0])
        event[0] |= flags
        event[1] |= deleted

    def take_events(self) -> Iterator[tuple[int, int, bool]]:
        """(sw_if_index, flags, deleted) since last asked, ORed by interface as VPP does."""
        events, self._events = self._events, {}
        for index, (flags, deleted) in events.items():
            yield index, flags, bool(deleted)

    def take_neighbor_events(self) -> list[tuple[Interface, Neighbor, int]]:
        """Each since last asked, in their order: ADDED, for another MAC too, or REMOVED."""
        events, self._neighbor_events = self._neighbor_events, []
        return events

    # Traffic.

    def _work_out_rates(self) -> None:
        """For what changed, and then for whom that changes: sub, parent, members of a bond."""
        now = self.clock.now()
        while self._stale:
            stale, self._stale = self._stale, {}
            for interface in stale:
                rates = self._rates(interface)
                if rates != interface.rates:
                    self._move(interface, rates, now)

    def _move(self, interface: Interface, rates: list[int], now: int) -> None:
        if interface.flow.moving:
            self.counters.write(interface, now)  # it may be still from now on
        interface.flow.change(rates, now)
        if interface.flow.moving:
            self._moving[interface] = None
        else:
            self._moving.pop(interface, None)
        if interface.parent:
            self._count_for(interface.parent, interface.rates, rates)
        if interface.aggregate:
            self._stale |= dict.fromkeys(interface.aggregate.members)
        interface.rates = rates

    def _count_for(self, parent: Interface, before: list[int], after: list[int]) -> None:
        """A parent counts a sub's traffic as well, which was otherwise before."""
        for cell in INCLUDED:
            parent.sub_rates[cell] += after[cell] - before[cell]
        self._stale[parent] = None

    def _rates(self, interface: Interface) -> list[int]:
        if not interface.carries:
            return [0] * CELLS
        rates = interface.traffic.rates()
        for cell in INCLUDED:
            rates[cell] += interface.sub_rates[cell]
        if interface.bond and interface in interface.bond.active:
            whole = interface.bond.interface.rates
            for cell in INCLUDED[1:]:
                rates[cell] += whole[cell] // len(interface.bond.active)
        if interface.detailed:
            interface.traffic.detail(rates)
        return rates

    def heartbeat(self) -> None:
        """What the main thread writes now and then."""
        self.counters.heartbeat(len(self.interfaces))

    def step(self, nanoseconds: int) -> None:
        """Let traffic pass for so long, at once, and stand still from then on."""
        self._work_out_rates()
        self.clock.step(nanoseconds)
        self.write_all()

    def tick(self, most: int) -> None:
        """Write the counters of at most so many moving interfaces; the next tick goes on."""
        self._work_out_rates()
        if self.clock.frozen:
            return  # whoever froze it had everything written
        now = self.clock.now()
        if self._cursor >= len(self._round):
            self._round, self._cursor = list(self._moving), 0
        part = self._round[self._cursor : self._cursor + most]
        self._cursor += most
        for interface in part:
            if interface in self._moving:  # its index may be another's by now
                self.counters.write(interface, now)

    def write_all(self) -> int:
        """Write every counter as of now, and say when that is."""
        self._work_out_rates()
        now = self.clock.now()
        for interface in self._moving:
            self.counters.write(interface, now)
        return now

    def truth(self) -> list[dict[str, object]]:
        """What every interface has counted, written to the segment just now."""
        now = self.write_all()
        answer = []
        for interface in self.interfaces.values():
            values = interface.flow.values(now)
            row: dict[str, object] = dict(zip(SIMPLE, values, strict=False))
            for place, name in enumerate(COMBINED):
                row[name] = values[len(SIMPLE) + 2 * place : len(SIMPLE) + 2 * place + 2]
            row.update(name=interface.name, sw_if_index=interface.sw_if_index)
            answer.append(row)
        return answer
