"""The inside of a simulated VPP: what there is, what it counts, which events are due.

A change costs work for what it touches, however many interfaces there are: the rates of
the interface, of its subs where it carries nothing any more, and of those that count for it
(its parent, and the members of a bond) are worked out again before time passes again.
"""

import os
from collections import Counter, deque

from .counters import Counters
from .interface import Bond, BridgeDomain, Interface, Neighbor, Pair, Spec
from .release import Release
from .traffic import CELLS, COMBINED, INCLUDED, SIMPLE, Amount, Clock, Truth


class Dataplane:
    """A VPP's state, mirrored into its segment.  `verbs.Verbs` changes it."""

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
        self.to_come: deque[tuple[float, Spec]] = deque()  # when (monotonic), what to configure
        self.hung = False  # the main thread
        self.calls: Counter[str] = Counter()  # of each API message
        self.page = 64  # LCP pairs after which lcp_itf_pair_get wants to be asked again
        self.unsettled: dict[Interface, None] = {}  # their rates are to be worked out again
        self._events: dict[int, tuple[int, bool]] = {}
        self._neighbor_events: list[tuple[Interface, Neighbor, int]] = []
        self._moving: dict[Interface, None] = {}
        self._round: list[Interface] = []  # those moving when `tick` began with the first
        self._cursor = 0

    def close(self) -> None:
        """Let go of the segment, which others may still have."""
        os.close(self.segment.fd)

    def mac_of(self, spec: Spec, index: int) -> bytes:
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

    # What VPP reports.  It is silent about the rest.

    def report(self, index: int, flags: int, deleted: bool = False) -> None:
        """An event of an interface is due; VPP ORs those of one interface."""
        before, was_deleted = self._events.get(index, (0, False))
        self._events[index] = (before | flags, was_deleted or deleted)

    def report_neighbor(self, interface: Interface, neighbor: Neighbor, flags: int) -> None:
        """An event is due: ADDED, for another MAC too, or REMOVED."""
        self._neighbor_events.append((interface, neighbor, flags))

    def take_events(self) -> dict[int, tuple[int, bool]]:
        """By sw_if_index since last asked: flags, and whether it was deleted."""
        events, self._events = self._events, {}
        return events

    def take_neighbor_events(self) -> list[tuple[Interface, Neighbor, int]]:
        """Each since last asked, in their order."""
        events, self._neighbor_events = self._neighbor_events, []
        return events

    # Traffic.

    def forget(self, interface: Interface) -> None:
        """It was deleted, and carries nothing for its parent any more."""
        if interface.parent:
            self._count_for(interface.parent, interface.rates, [0] * CELLS)
        self.unsettled.pop(interface, None)
        self._moving.pop(interface, None)

    def _work_out_rates(self) -> None:
        """For what changed, and then for whom that changes: sub, parent, members of a bond."""
        now = self.clock.now()
        while self.unsettled:
            unsettled, self.unsettled = self.unsettled, {}
            for interface in unsettled:
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
            self.unsettled |= dict.fromkeys(interface.aggregate.members)
        interface.rates = rates

    def _count_for(self, parent: Interface, before: list[int], after: list[int]) -> None:
        """A parent counts a sub's traffic as well, which was otherwise before."""
        for cell in INCLUDED:
            parent.sub_rates[cell] += after[cell] - before[cell]
        self.unsettled[parent] = None

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

    def truth(self) -> dict[str, Truth]:
        """By name, what every interface has counted, written to the segment just now."""
        now = self.write_all()
        answer = {}
        for interface in self.interfaces.values():
            values = interface.flow.values(now)
            pairs = zip(values[len(SIMPLE) :: 2], values[len(SIMPLE) + 1 :: 2], strict=True)
            answer[interface.name] = Truth(
                interface.name,
                interface.sw_if_index,
                dict(zip(SIMPLE, values, strict=False)),
                dict(zip(COMBINED, (Amount(*pair) for pair in pairs), strict=True)),
            )
        return answer
