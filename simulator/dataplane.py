"""The inside of a simulated VPP: what there is, what it counts, which events are due."""

import os
from collections import Counter, deque

from .counters import Counters
from .interface import Bond, BridgeDomain, Interface, Neighbor, Pair, Pool, Spec
from .release import Release
from .traffic import CELLS, INCLUDED, Clock


class Dataplane:
    """A VPP's state, mirrored into its segment.  `verbs.Verbs` changes it."""

    def __init__(
        self, release: Release, threads: int, segment_size: int, counts_nodes: bool = False
    ) -> None:
        self.release = release
        self.clock = Clock()
        self.counters = Counters(release, threads, segment_size, counts_nodes)
        self.segment = self.counters.segment
        self.by_index: Pool[Interface] = Pool()
        self.by_name: dict[str, Interface] = {}
        self.bonds: dict[str, Bond] = {}
        self.pairs: Pool[Pair] = Pool()
        self.bridge_domains: list[BridgeDomain] = []
        self.to_come: deque[tuple[float, Spec]] = deque()  # when (monotonic), what to configure
        self.hung = False  # the main thread
        self.called: Counter[str] = Counter()  # each API message
        self.page = 64  # LCP pairs after which lcp_itf_pair_get wants to be asked again
        self.is_settled = True  # nothing has changed since `settle`
        # What is due to be reported: by sw_if_index flags, and whether it was deleted.
        self.events: dict[int, tuple[int, bool]] = {}
        # Of neighbours each, ADDED (for another MAC too) or REMOVED.
        self.neighbor_events: list[tuple[Interface, Neighbor, int]] = []

    def close(self) -> None:
        """Let go of the segment, which others may still have."""
        os.close(self.segment.fd)

    def mac_of(self, spec: Spec, index: int) -> bytes:
        if spec.mac:
            return bytes.fromhex(spec.mac.replace(":", ""))
        if spec.parent or spec.dev_type == "local":
            return bytes(6)
        if spec.dev_type == "Loopback":
            loopbacks = sum(i.dev_type == "Loopback" for i in self.by_index.values())
            return b"\xde\xad" + loopbacks.to_bytes(4, "big")
        return b"\x68\x05\xca" + index.to_bytes(3, "big")

    # What VPP reports.  It is silent about the rest.

    def report(self, index: int, flags: int, deleted: bool = False) -> None:
        """An event of an interface is due; VPP ORs those of one interface."""
        before, was_deleted = self.events.get(index, (0, False))
        self.events[index] = (before | flags, was_deleted or deleted)

    # Traffic.  Before time passes, all rates are worked out anew if anything has changed.

    def settle(self) -> None:
        """Have all flow at the rates that follow from what there is."""
        if self.is_settled:
            return
        now = self.clock.now()
        known: dict[Interface, list[int]] = {}
        for interface in self.by_index.values():
            rates = self._rates(interface, known)
            if rates != interface.rates:
                self.counters.write(interface, now)  # what stands still from now on, too
                interface.flow.change(rates, now)
                interface.rates = rates
        self.is_settled = True

    def _rates(self, interface: Interface, known: dict[Interface, list[int]]) -> list[int]:
        if interface in known:
            return known[interface]
        rates = known[interface] = [0] * CELLS
        if interface.carries:
            rates[:] = interface.traffic.rates
            for sub in interface.subs:
                for_sub = self._rates(sub, known)
                for cell in INCLUDED:
                    rates[cell] += for_sub[cell]
            if interface.bond and interface in interface.bond.active:
                whole = self._rates(interface.bond.interface, known)
                for cell in INCLUDED[1:]:
                    rates[cell] += whole[cell] // len(interface.bond.active)
            if interface.traffic.detailed:
                interface.traffic.detail(rates)
        return rates

    def write_all(self) -> None:
        """Write every counter as of now."""
        self.settle()
        now = self.clock.now()
        for interface in self.by_index.values():
            if interface.flow.moving:
                self.counters.write(interface, now)
