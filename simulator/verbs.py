"""What can be done to a simulated VPP, said once.

Each public method of Verbs is a verb.  VPP's process does it (process.py); a client has the
same methods, but sends what is to be done instead (client.py).

Names are VPP's own, times are seconds, speeds kbit/s.  What VPP reports to its clients is
noted as an event; what VPP keeps silent about is not.
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
SETTABLE = {"mtu", "speed", "duplex", "tag"}  # by set_details


class Verbs(Dataplane):
    """Done at once where it is called, to this VPP."""

    def __init__(self, *arguments: Any) -> None:
        """The arguments are Dataplane's."""
        super().__init__(*arguments)
        self._next_tap = self.release.first_tap
        self._next_vif = 10
        self._numbers = count_from()  # of neighbours made by `add_neighbors`
        self.add(Spec("local0", "local", mtu=0, admin=False, link=False))

    # Interfaces.

    def add(self, spec: Spec) -> int:
        """Add an interface, with LCP pair and bond membership if the spec says so; its index."""
        if spec.full_name in self.by_name:
            raise ValueError(f"{spec.full_name} exists")
        parent = self.by_name[spec.parent] if spec.parent else None
        index = self.by_index.next()
        interface = Interface(index, spec, parent, self.mac_of(spec, index), self.clock.now())
        if parent:
            parent.subs[interface] = None
        self.by_index[index] = self.by_name[interface.name] = interface
        self.is_settled = False
        self.counters.create(interface)
        self.counters.add_xstats(interface, spec.xstats)
        self.report(index, interface.flags if interface.admin else 0)
        if spec.dev_type == "bond" and not parent:
            self.bonds[interface.name] = Bond(len(self.bonds), interface)
        self._give(interface, spec)
        return index

    def _give(self, interface: Interface, spec: Spec) -> None:
        """What an interface has beside itself."""
        self.set_addresses(interface.name, *spec.addresses)
        for address, mac in spec.neighbors:
            self.add_neighbor(interface.name, address, mac)
        if spec.bond and not interface.bond:
            self.add_member(spec.bond, interface.name)
        if spec.host and not interface.pair:
            self.create_pair(interface.name, spec.host)

    def add_sub(self, /, parent: str, sub_id: int, **fields: Any) -> int:
        """A sub-interface, with these fields of Spec; its sw_if_index."""
        return self.add(Spec(parent=parent, sub_id=sub_id, **fields))

    def add_loopback(self, /, name: str, **fields: Any) -> int:
        return self.add(Spec(name, "Loopback", **fields))

    def add_hardware(self, /, name: str, speed: int = 10**7, **fields: Any) -> int:
        return self.add(Spec(name, speed=speed, **fields))

    def set_up(self, spec: Spec) -> None:
        """Add an interface, or give the hardware that is there already what the spec says."""
        present = self.by_name.get(spec.full_name)
        if present is None:
            self.add(spec)
            return
        present.mtu, present.traffic = spec.l3_mtu, spec.traffic
        self.set_admin(present.name, spec.admin)
        self._give(present, spec)

    def delete(self, name: str) -> None:
        """Delete an interface, its sub-interfaces, and their LCP pairs with their TAPs.

        Its counters stay as they are.
        """
        interface = self.by_name[name]
        for sub in list(interface.subs):
            self.delete(sub.name)
        if interface.pair:
            phy = interface.pair.phy
            self.delete_pair(phy.name, keep_host=phy is not interface)
        if interface.bond:
            self.remove_member(interface.bond.interface.name, name)
        if name in self.bonds:
            for member in list(self.bonds[name].members):
                self.remove_member(name, member.name)
            del self.bonds[name]
        if interface.parent:
            del interface.parent.subs[interface]
        for address in list(interface.neighbors):
            self.remove_neighbor(name, address)
        self.by_index.free(interface.sw_if_index)
        del self.by_name[name]
        self.is_settled = False
        self.counters.delete(interface)
        self.report(interface.sw_if_index, 0, deleted=True)

    def reuse(self, old: str, spec: Spec) -> int:
        """Delete one interface and add another at its index, in one step and one event."""
        self.delete(old)
        return self.add(spec)

    def rename(self, name: str, new: str) -> None:
        """Silently; /if/names never has it.  Sub-interfaces are renamed along."""
        interface = self.by_name[new] = self.by_name.pop(name)
        interface.name, interface.details = new, None
        for sub in interface.subs:
            self.rename(sub.name, f"{new}.{sub.sub_id}")

    def set_admin(self, name: str, up: bool) -> None:
        interface = self.by_name[name]
        interface.admin = up
        self._after_status(interface, ADMIN_UP * up)

    def set_link(self, name: str, up: bool) -> None:
        """Plug or pull the cable of a hardware interface; sub-interfaces follow silently."""
        interface = self.by_name[name]
        interface.carrier = up
        self._after_status(interface, LINK_UP * up)

    def _after_status(self, interface: Interface, flags: int) -> None:
        interface.changed()
        self.is_settled = False
        self.report(interface.sw_if_index, flags)
        if interface.bond:
            self._bond_link(interface.bond)

    def set_details(self, /, name: str, **values: Any) -> None:
        """Other values in its row, about which VPP is silent: mtu (L3), speed, tag (octets),
        duplex (1 for half, 2 for full)."""
        if not values.keys() <= SETTABLE:
            raise ValueError(f"can set {', '.join(sorted(SETTABLE))}")
        interface = self.by_name[name]
        vars(interface).update(values)
        interface.changed()

    def interfaces(self) -> dict[str, dict[str, Any]]:
        """Every interface by name, as VPP sees it."""
        return {
            i.name: {
                "sw_if_index": i.sw_if_index,
                "link": i.link,
                "speed": i.speed,
                "host": i.pair.host_name if i.pair and i.pair.phy is i else "",
                "vif_index": i.pair.vif_index if i.pair and i.pair.phy is i else 0,
                "traffic": asdict(i.traffic),
            }
            for i in self.by_index.values()
        }

    def configure(self, seconds: float = 0, seed: int | None = None, interfaces: int = 0) -> None:
        """Begin to configure an `empty` router as vppcfg would: one interface after another.

        That is the edge router, or so many plain interfaces.  With a seed the order, and so
        the indexes, differ.
        """
        specs = in_order(plain(interfaces) if interfaces else EDGE_ROUTER, seed)
        now, pause = time.monotonic(), seconds / max(1, len(specs))
        self.to_come.extend((now + n * pause, spec) for n, spec in enumerate(specs, 1))

    def pending(self) -> int:
        """How many interfaces are still to be configured."""
        return len(self.to_come)

    # Addresses, of which VPP reports no event, and neighbours, of which it reports each.

    def set_addresses(self, name: str, *addresses: str) -> None:
        """All of an interface's, as in 192.0.2.1/24; VPP is silent about it."""
        self.by_name[name].addresses = [ip_interface(each) for each in addresses]

    def add_neighbor(self, name: str, address: str, mac: str, static: bool = False) -> None:
        """An ARP or ND entry, or another MAC of one that is there."""
        octets = bytes.fromhex(mac.replace(":", ""))
        self._add_neighbor(self.by_name[name], ip_address(address).packed, octets, static)

    def _add_neighbor(
        self, interface: Interface, address: bytes, mac: bytes, static: bool = False
    ) -> None:
        interface.neighbors[address] = neighbor = Neighbor(address, mac, static, None)
        self.neighbor_events.append((interface, neighbor, ADDED))

    def remove_neighbor(self, name: str, address: str | bytes) -> None:
        """By its address, as a text or packed."""
        interface = self.by_name[name]
        neighbor = interface.neighbors.pop(ip_address(address).packed)
        self.neighbor_events.append((interface, neighbor, REMOVED))

    def add_neighbors(self, count: int, name: str = "") -> None:
        """So many more of `scenario.neighbor`: one for each interface in turn, or all for one.

        The turn is that of the sw_if_indexes, without local0 and TAPs.
        """
        turn = (
            [self.by_name[name]]
            if name
            else [
                each
                for index, each in sorted(self.by_index.items())
                if index and not (each.pair and each.pair.host is each)
            ]
        )
        for number in islice(self._numbers, count):
            self._add_neighbor(turn[number % len(turn)], *neighbor(number))

    # Bonds.

    def add_member(self, bond: str, name: str) -> None:
        whole, member = self.bonds[bond], self.by_name[name]
        if not whole.members:
            whole.interface.mac = member.mac
            whole.interface.changed()
        member.mac = whole.interface.mac
        member.bond = whole
        whole.members[member] = True
        member.changed()
        for entry in whole.lacp_entries(member):
            self.segment.add_scalar(entry, kind=Kind.GAUGE)
        self._bond_link(whole)

    def remove_member(self, bond: str, name: str) -> None:
        whole, member = self.bonds[bond], self.by_name[name]
        del whole.members[member]
        member.bond = None
        for entry in whole.lacp_entries(member):
            self.segment.remove(entry)
        self._bond_link(whole)

    def set_active(self, name: str, active: bool) -> None:
        """Whether LACP has a bond's member collecting and distributing."""
        member = self.by_name[name]
        if member.bond is None:
            raise ValueError(f"{name} is no member of a bond")
        member.bond.members[member] = active
        self._bond_link(member.bond)

    def _bond_link(self, bond: Bond) -> None:
        self.is_settled = False  # each member carries its share
        for member in bond.members:
            entries = bond.lacp_entries(member)
            for entry, state in zip(entries, bond.lacp_states(member), strict=True):
                self.segment.set_scalar(entry, state)
        up = bool(bond.active)
        if up != bond.interface.carrier:
            self.set_link(bond.interface.name, up)

    # LCP pairs and bridge domains.

    def create_pair(self, name: str, host_name: str, host: str = "") -> None:
        """Pair an interface with a new TAP, or with the interface `host`.

        Of the pair itself VPP reports nothing; the TAP is an interface that was added.
        """
        phy = self.by_name[name]
        if phy.pair:
            raise ValueError(f"{name} has a pair")
        tap = self.by_name[host] if host else self._create_tap(phy)
        place = self.pairs.next()
        pair = Pair(place, phy, tap, self._next_vif, host_name, NETNS)
        self.pairs[place] = phy.pair = tap.pair = pair
        self._next_vif += 1

    def _create_tap(self, phy: Interface) -> Interface:
        if phy.parent:
            if phy.parent.pair is None:
                raise ValueError(f"{phy.parent.name} has no pair to put {phy.name}'s on")
            name = phy.parent.pair.host.name
            spec = Spec("", "", name, phy.sub_id, phy.outer, phy.inner, mtu=phy.mtu)
        else:
            spec = Spec(f"tap{self._next_tap}", self.release.tap_type, mtu=phy.mtu)
            self._next_tap += 1
        return self.by_index[self.add(replace(spec, traffic=CONTROL_PLANE))]

    def delete_pair(self, name: str, keep_host: bool = False) -> None:
        """Undo a pair; VPP is silent about that, but not about the TAP that goes with it."""
        pair = self.by_name[name].pair
        if pair is None:
            raise ValueError(f"{name} has no pair")
        self.pairs.free(pair.place)
        pair.phy.pair = pair.host.pair = None
        if not keep_host:
            self.delete(pair.host.name)

    def add_bridge_domain(self, number: int, members: Sequence[str], bvi: str = "") -> None:
        inside = tuple(self.by_name[each] for each in members)
        self.bridge_domains.append(BridgeDomain(number, inside, self.by_name[bvi] if bvi else None))

    # Traffic.

    def set_traffic(self, /, name: str, **fields: Any) -> None:
        """Change fields of the interface's Traffic: rx=1000, drops=5, detailed=True, ..."""
        interface = self.by_name[name]
        interface.traffic = replace(interface.traffic, **fields)
        self.is_settled = False

    def freeze(self) -> None:
        """Traffic stands still until `step` or `run`."""
        self.clock.freeze()
        self.write_all()

    def step(self, seconds: float) -> None:
        """So much traffic at once; then it stands still."""
        self.settle()
        self.clock.step(round(seconds * NANO))
        self.write_all()

    def run(self) -> None:
        self.clock.run()

    def truth(self) -> dict[str, Truth]:
        """By name, what has just been written to the segment (which moves on unless frozen)."""
        self.write_all()
        return {interface.name: interface.truth() for interface in self.by_index.values()}

    def clear(self) -> None:
        """`clear interfaces`: every interface's counters start again; rows of deleted ones stay."""
        now = self.clock.now()
        for index, interface in self.by_index.items():
            interface.flow.clear(now)
            self.counters.zero(index)

    def set_xstats(self, name: str, *counts: int) -> None:
        """What VPP has read from a port's driver, in the order of its Spec."""
        self.counters.set_xstats(self.by_name[name], counts)

    # Memory.

    def add_heap(self, name: str, total: int, used: int) -> None:
        """A heap of so many octets, as a plugin may register one."""
        self.counters.add_heap(name, total, used)

    def heaps(self) -> dict[str, tuple[int, int]]:
        """By name: octets there are, and used, as VPP wrote them last."""
        return dict(self.counters.heaps)

    # Misfortune.

    def hang(self) -> None:
        """The main thread stops: connects succeed and nothing is answered; traffic goes on."""
        self.hung = True

    def resume(self) -> None:
        self.hung = False

    def hold_lock(self, held: bool = True) -> None:
        """in_progress stays 1 until it is let go."""
        self.segment.hold(held)

    def where(self, name: str) -> dict[str, Any]:
        """Offsets in the segment: directory, entry and, of a counter, pointers and rows."""
        return self.segment.where(name)

    def corrupt(self, offset: int, data: bytes) -> None:
        """Overwrite bytes of the segment."""
        self.segment.overwrite(offset, data)

    def epoch(self) -> int:
        return self.segment.epoch

    # The API's side.

    def calls(self) -> dict[str, int]:
        """How often each API message has been received.

        `sw_interface_dump` is counted where all interfaces were asked for, `sw_interface_dump
        of one` where one was.
        """
        return dict(self.called)

    def set_page(self, size: int) -> None:
        """How many LCP pairs VPP reports before it wants to be asked again."""
        self.page = size


VERBS: dict[str, Callable[..., Any]] = {
    name: verb for name, verb in vars(Verbs).items() if not name.startswith("_")
}
