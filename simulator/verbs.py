"""What can be done to a simulated VPP, said once.

Each public method of Verbs is a verb.  VPP's process does it (process.py); a client has the
same methods, but sends what is to be done instead (client.py).

Names are VPP's own, times are seconds, speeds kbit/s.  Indexes are given out as VPP's pools
do, the one freed last first.  What VPP reports to its clients is noted as an event; what VPP
keeps silent about is not.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from ipaddress import ip_address, ip_interface
from itertools import count as count_from
from itertools import islice
from typing import Any

from vpp_snmp_agent.vpp.layout import Kind

from .dataplane import Dataplane
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
from .scenario import EDGE_ROUTER, in_order, neighbor, plain
from .traffic import Traffic, Truth

NETNS = "dataplane"
NANO = 10**9
CONTROL_PLANE = Traffic(rx=1, tx=2, rx_size=90, tx_size=90)  # of a TAP


class Verbs:
    """Done at once where it is called, to this Dataplane."""

    def __init__(self, plane: Dataplane) -> None:
        self._plane = plane
        self._by_phy: dict[Interface, int] = {}  # places of LCP pairs
        self._free_pairs: list[int] = []
        self._free_indexes: list[int] = []
        self._next_index = 0
        self._next_tap = plane.release.first_tap
        self._next_vif = 10
        self._numbers = count_from()  # of neighbours made by `add_neighbors`
        self.add(Spec("local0", "local", mtu=0, admin=False, link=False))

    # Interfaces.

    def add(self, spec: Spec) -> int:
        """Add an interface, with LCP pair and bond membership if the spec says so; its index."""
        plane = self._plane
        if spec.full_name in plane.names:
            raise ValueError(f"{spec.full_name} exists")
        parent = plane.names[spec.parent] if spec.parent else None
        index = self._free_indexes.pop() if self._free_indexes else self._next_index
        self._next_index = max(self._next_index, index + 1)
        mac = plane.mac_of(spec, index)
        interface = Interface(index, spec, parent, mac, plane.clock.now())
        if parent:
            parent.subs[interface] = None
        plane.interfaces[index] = interface
        plane.names[interface.name] = interface
        plane.unsettled[interface] = None
        plane.counters.create(interface)
        plane.counters.add_xstats(interface, spec.xstats)
        plane.report(index, interface.flags if interface.admin else 0)
        if spec.dev_type == "bond" and not parent:
            bond = Bond(len(plane.bonds), interface)
            interface.aggregate = plane.bonds[interface.name] = bond
        self._give_addresses(interface, spec)
        if spec.bond:
            self.add_member(spec.bond, interface.name)
        if spec.host:
            self.create_pair(interface.name, spec.host)
        return index

    def add_sub(self, /, parent: str, sub_id: int, **fields: Any) -> int:
        """A sub-interface, with these fields of Spec; its sw_if_index."""
        return self.add(Spec(parent=parent, sub_id=sub_id, **fields))

    def add_loopback(self, /, name: str, **fields: Any) -> int:
        return self.add(Spec(name, "Loopback", **fields))

    def add_hardware(self, /, name: str, speed: int = 10**7, **fields: Any) -> int:
        return self.add(Spec(name, speed=speed, **fields))

    def set_up(self, spec: Spec) -> None:
        """Add an interface, or give the hardware that is there already what the spec says."""
        present = self._plane.names.get(spec.full_name)
        if present is None:
            self.add(spec)
            return
        present.mtu[0] = spec.l3_mtu
        present.traffic = spec.traffic
        self._plane.unsettled[present] = None
        self._give_addresses(present, spec)
        self.set_admin(present.name, spec.admin)
        if spec.bond and not present.bond:
            self.add_member(spec.bond, present.name)
        if spec.host and present not in self._by_phy:
            self.create_pair(present.name, spec.host)

    def delete(self, name: str) -> None:
        """Delete an interface, its sub-interfaces, and their LCP pairs with their TAPs.

        Its counters stay as they are.
        """
        plane, interface = self._plane, self._plane.names[name]
        for sub in list(interface.subs):
            self.delete(sub.name)
        if interface in self._by_phy:
            self.delete_pair(name)
        for pair in [p for p in plane.pairs if p and p.host is interface]:
            self.delete_pair(pair.phy.name, keep_host=True)
        if interface.bond:
            self.remove_member(interface.bond.interface.name, name)
        if name in plane.bonds:
            for member in list(plane.bonds[name].members):
                self.remove_member(name, member.name)
            del plane.bonds[name]
        if interface.parent:
            del interface.parent.subs[interface]
        plane.forget(interface)
        for address in list(interface.neighbors):
            self._remove_neighbor(interface, address)
        del plane.interfaces[interface.sw_if_index]
        del plane.names[name]
        self._free_indexes.append(interface.sw_if_index)
        plane.counters.delete(interface)
        plane.report(interface.sw_if_index, 0, deleted=True)

    def reuse(self, old: str, spec: Spec) -> int:
        """Delete one interface and add another at its index, in one step and one event."""
        self.delete(old)
        return self.add(spec)

    def rename(self, name: str, new: str) -> None:
        """Silently; /if/names never has it.  Sub-interfaces are renamed along."""
        interface = self._plane.names.pop(name)
        interface.name = new
        interface.details = None
        self._plane.names[new] = interface
        for sub in interface.subs:
            self.rename(sub.name, f"{new}.{sub.sub_id}")

    def set_admin(self, name: str, up: bool) -> None:
        interface = self._plane.names[name]
        interface.admin = up
        self._after_status(interface, ADMIN_UP * up)

    def set_link(self, name: str, up: bool) -> None:
        """Plug or pull the cable of a hardware interface; sub-interfaces follow silently."""
        interface = self._plane.names[name]
        interface.carrier = up
        self._after_status(interface, LINK_UP * up)

    def _after_status(self, interface: Interface, flags: int) -> None:
        interface.changed()
        self._plane.report(interface.sw_if_index, flags)
        self._plane.unsettled |= dict.fromkeys(interface.with_subs())
        if interface.bond:
            self._bond_link(interface.bond)

    def set_mtu(self, name: str, mtu: int) -> None:
        interface = self._plane.names[name]
        interface.mtu[0] = mtu
        interface.changed()

    def set_speed(self, name: str, speed: int) -> None:
        interface = self._plane.names[name]
        interface.speed = speed
        interface.changed()

    def set_duplex(self, name: str, duplex: int) -> None:
        """1 for half, 2 for full."""
        interface = self._plane.names[name]
        interface.duplex = duplex
        interface.changed()

    def set_tag(self, name: str, tag: bytes) -> None:
        interface = self._plane.names[name]
        interface.tag = tag
        interface.changed()

    def interfaces(self) -> dict[str, dict[str, Any]]:
        """Every interface by name, as VPP sees it."""
        pairs = {pair.phy: pair for pair in self._plane.pairs if pair}
        return {
            i.name: {
                "sw_if_index": i.sw_if_index,
                "parent": i.parent.name if i.parent else "",
                "dev_type": i.dev_type,
                "admin": i.admin,
                "link": i.link,
                "mtu": i.mtu[0],
                "speed": i.speed,
                "mac": i.mac.hex(":"),
                "host": pairs[i].host_name if i in pairs else "",
                "vif_index": pairs[i].vif_index if i in pairs else 0,
                "bond": i.bond.interface.name if i.bond else "",
                "traffic": asdict(i.traffic),
            }
            for i in self._plane.interfaces.values()
        }

    def configure(
        self,
        seconds: float = 0,
        seed: int | None = None,
        interfaces: int = 0,
        pairs: bool = False,
        addresses: bool = False,
    ) -> None:
        """Begin to configure an `empty` router as vppcfg would: one interface after another.

        That is the edge router, or so many plain interfaces.  With a seed the order, and so
        the indexes, differ.
        """
        wanted = plain(interfaces, pairs, addresses) if interfaces else EDGE_ROUTER
        specs = in_order(wanted, seed)
        now, pause = time.monotonic(), seconds / max(1, len(specs))
        self._plane.to_come.extend((now + n * pause, spec) for n, spec in enumerate(specs, 1))

    def pending(self) -> int:
        """How many interfaces are still to be configured."""
        return len(self._plane.to_come)

    # Addresses, of which VPP reports no event, and neighbours, of which it reports each.

    def set_addresses(self, name: str, *addresses: str) -> None:
        """All of an interface's, as in 192.0.2.1/24; VPP is silent about it."""
        self._plane.names[name].addresses = [ip_interface(each) for each in addresses]

    def _give_addresses(self, interface: Interface, spec: Spec) -> None:
        self.set_addresses(interface.name, *spec.addresses)
        for address, mac in spec.neighbors:
            self.add_neighbor(interface.name, address, mac)

    def add_neighbor(self, name: str, address: str, mac: str, static: bool = False) -> None:
        """An ARP or ND entry, or another MAC of one that is there."""
        octets = bytes.fromhex(mac.replace(":", ""))
        self._add_neighbor(self._plane.names[name], ip_address(address).packed, octets, static)

    def _add_neighbor(
        self, interface: Interface, address: bytes, mac: bytes, static: bool = False
    ) -> None:
        interface.neighbors[address] = neighbor = Neighbor(address, mac, static, None)
        self._plane.report_neighbor(interface, neighbor, ADDED)

    def remove_neighbor(self, name: str, address: str) -> None:
        self._remove_neighbor(self._plane.names[name], ip_address(address).packed)

    def _remove_neighbor(self, interface: Interface, address: bytes) -> None:
        self._plane.report_neighbor(interface, interface.neighbors.pop(address), REMOVED)

    def add_neighbors(self, count: int, name: str = "") -> None:
        """So many more of `scenario.neighbor`: one for each interface in turn, or all for one.

        The turn is that of the sw_if_indexes, without local0 and TAPs.
        """
        plane = self._plane
        taps = {pair.host for pair in plane.pairs if pair}
        all_in_turn = (each for index, each in sorted(plane.interfaces.items()) if index)
        turn = [plane.names[name]] if name else [i for i in all_in_turn if i not in taps]
        for number in islice(self._numbers, count):
            self._add_neighbor(turn[number % len(turn)], *neighbor(number))

    # Bonds.

    def add_member(self, bond: str, name: str) -> None:
        whole, member = self._plane.bonds[bond], self._plane.names[name]
        if not whole.members:
            whole.interface.mac = member.mac
            whole.interface.changed()
        member.mac = whole.interface.mac
        member.bond = whole
        whole.members[member] = True
        member.changed()
        for entry in whole.lacp_entries(member):
            self._plane.segment.add_scalar(entry, kind=Kind.GAUGE)
        self._bond_link(whole)

    def remove_member(self, bond: str, name: str) -> None:
        whole, member = self._plane.bonds[bond], self._plane.names[name]
        del whole.members[member]
        member.bond = None
        self._plane.unsettled[member] = None
        for entry in whole.lacp_entries(member):
            self._plane.segment.remove(entry)
        self._bond_link(whole)

    def set_active(self, name: str, active: bool) -> None:
        """Whether LACP has a bond's member collecting and distributing."""
        member = self._plane.names[name]
        if member.bond is None:
            raise ValueError(f"{name} is no member of a bond")
        member.bond.members[member] = active
        self._bond_link(member.bond)

    def _bond_link(self, bond: Bond) -> None:
        for member in bond.members:
            entries = bond.lacp_entries(member)
            for entry, state in zip(entries, bond.lacp_states(member), strict=True):
                self._plane.segment.set_scalar(entry, state)
        up = bool(bond.active)
        if up != bond.interface.carrier:
            self.set_link(bond.interface.name, up)
        self._plane.unsettled |= dict.fromkeys(bond.members)  # each carries its share

    # LCP pairs and bridge domains.

    def create_pair(self, name: str, host_name: str, host: str = "") -> int:
        """Pair an interface with a new TAP, or with the interface `host`; that one's index.

        Of the pair itself VPP reports nothing; the TAP is an interface that was added.
        """
        plane, phy = self._plane, self._plane.names[name]
        if phy in self._by_phy:
            raise ValueError(f"{name} has a pair")
        tap = plane.names[host] if host else self._create_tap(phy)
        if not self._free_pairs:
            self._free_pairs.append(len(plane.pairs))
            plane.pairs.append(None)
        place = self._by_phy[phy] = self._free_pairs.pop()
        plane.pairs[place] = Pair(phy, tap, self._next_vif, host_name, NETNS)
        self._next_vif += 1
        return tap.sw_if_index

    def _create_tap(self, phy: Interface) -> Interface:
        if phy.parent:
            place = self._by_phy.get(phy.parent)
            parent = self._plane.pairs[place] if place is not None else None
            if parent is None:
                raise ValueError(f"{phy.parent.name} has no pair to put {phy.name}'s on")
            name = parent.host.name
            spec = Spec("", "", name, phy.sub_id, phy.outer, phy.inner, mtu=phy.mtu[0])
        else:
            tap_type = self._plane.release.tap_type
            spec = Spec(f"tap{self._next_tap}", tap_type, mtu=phy.mtu[0])
            self._next_tap += 1
        tap = self._plane.interfaces[self.add(spec)]
        tap.traffic = CONTROL_PLANE
        return tap

    def delete_pair(self, name: str, keep_host: bool = False) -> None:
        """Undo a pair; VPP is silent about that, but not about the TAP that goes with it."""
        place = self._by_phy.pop(self._plane.names[name])
        pair, self._plane.pairs[place] = self._plane.pairs[place], None
        self._free_pairs.append(place)
        if pair and not keep_host:
            self.delete(pair.host.name)

    def add_bridge_domain(self, number: int, members: Sequence[str], bvi: str = "") -> None:
        names = self._plane.names
        domain = BridgeDomain(
            number, tuple(names[each] for each in members), names[bvi] if bvi else None
        )
        self._plane.bridge_domains.append(domain)

    # Traffic.

    def set_traffic(self, /, name: str, **fields: Any) -> None:
        """Change fields of the interface's Traffic: rx=1000, drops=5, ..."""
        interface = self._plane.names[name]
        interface.traffic = replace(interface.traffic, **fields)
        self._plane.unsettled[interface] = None

    def set_detailed(self, name: str, on: bool) -> None:
        """collect_detailed_interface_stats: multicast, broadcast and unicast apart."""
        interface = self._plane.names[name]
        interface.detailed = on
        self._plane.unsettled[interface] = None

    def freeze(self) -> None:
        """Traffic stands still until `step` or `run`."""
        self._plane.clock.freeze()
        self._plane.write_all()

    def step(self, seconds: float) -> None:
        """So much traffic at once; then it stands still."""
        self._plane.step(round(seconds * NANO))

    def run(self) -> None:
        self._plane.clock.run()

    def truth(self) -> dict[str, Truth]:
        """By name, what has just been written to the segment (which moves on unless frozen)."""
        return self._plane.truth()

    def clear(self) -> None:
        """`clear interfaces`: every interface's counters start again; rows of deleted ones stay."""
        now = self._plane.clock.now()
        for index, interface in self._plane.interfaces.items():
            interface.flow.clear(now)
            self._plane.counters.zero(index)

    def set_xstats(self, name: str, *counts: int) -> None:
        """What VPP has read from a port's driver, in the order of its Spec."""
        self._plane.counters.set_xstats(self._plane.names[name], counts)

    # Memory.

    def add_heap(self, name: str, total: int, used: int) -> None:
        """A heap of so many octets, as a plugin may register one."""
        self._plane.counters.add_heap(name, total, used)

    def heaps(self) -> dict[str, tuple[int, int]]:
        """By name: octets there are, and used, as VPP wrote them last."""
        return dict(self._plane.counters.heaps)

    # Misfortune.

    def hang(self) -> None:
        """The main thread stops: connects succeed and nothing is answered; traffic goes on."""
        self._plane.hung = True

    def resume(self) -> None:
        self._plane.hung = False

    def hold_lock(self, held: bool = True) -> None:
        """in_progress stays 1 until it is let go."""
        self._plane.segment.hold(held)

    def drop_row(self, counter: str, thread: int) -> None:
        """Make a thread's vector of a counter (say /if/mpls) NULL, until interfaces are added."""
        self._plane.counters.drop_row(counter, thread)

    def where(self, name: str) -> dict[str, Any]:
        """Offsets in the segment: directory, entry and, of a counter, pointers and rows."""
        return self._plane.segment.where(name)

    def corrupt(self, offset: int, data: bytes) -> None:
        """Overwrite bytes of the segment."""
        self._plane.segment.overwrite(offset, data)

    def epoch(self) -> int:
        return self._plane.segment.epoch

    # The API's side.

    def calls(self) -> dict[str, int]:
        """How often each API message has been received.

        `sw_interface_dump` is counted where all interfaces were asked for (or a part of
        their names), `sw_interface_dump of one` where one was.
        """
        return dict(self._plane.calls)

    def set_page(self, size: int) -> None:
        """How many LCP pairs VPP reports before it wants to be asked again."""
        self._plane.page = size


VERBS: dict[str, Callable[..., Any]] = {
    name: verb for name, verb in vars(Verbs).items() if not name.startswith("_")
}
