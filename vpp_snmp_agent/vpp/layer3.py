"""The addresses of one VPP, which no event reports, and its neighbours, of which each has one.

The rules this module keeps:

- A few interfaces are asked for addresses at a time, with pauses: nothing else waits for them.
  Which ones, and when, is schedule.py's.
- Events of neighbours are asked for first, then one dump is made, and what was reported during
  it is applied after it: each event says all about one neighbour, so the last one is right.
  The dump stops the workers: it is repeated once in NEIGHBORS_CHECK_INTERVAL, or as often as
  the settings say where VPP reports no such events.
- An index that changed hands takes no address and no neighbour along: events of an interface
  about which VPP has still to be asked wait for that, and neighbours are handed on only of
  interfaces that are reported.
- What is switched off is reported as nothing: what was shown of it before is forgotten.
- Where VPP's answer cannot be used, what was reported stays, and VPP is asked again when it
  would have been anyway.
- Neighbours are handed on while VPP still sends them.  An event that changes nothing ends here.
"""

import time
from collections.abc import Collection, Iterable, Iterator
from itertools import repeat

from .api import Vpp
from .client import UnusableAnswer
from .neighbors import Neighbors, neighbor
from .records import (
    ADDRESSES,
    NEIGHBORS,
    Addresses,
    Available,
    Changes,
    Complete,
    Inventory,
    Neighbor,
    NeighborChanges,
    Record,
    Unavailable,
    changes,
    neighbor_changes,
)
from .schedule import MIN_SHARE, NEVER, PAUSE, Schedule, Sweep

STEP = 10  # interfaces asked for their addresses at a stretch
EVENTS_INTERVAL = 0.05  # seconds in which events of neighbours are gathered
NEIGHBORS_CHECK_INTERVAL = 3600.0  # seconds between two dumps beside the events

News = Iterator[Changes | NeighborChanges | Complete | Inventory | Unavailable | Available]


class Failures:
    """Which of VPP's answers cannot be used: each is reported when that changes.

    The first reason is the one that counts: it may be worded otherwise for each message.
    """

    def __init__(self) -> None:
        self._failed: set[str] = set()

    def failed(self, what: str, reason: str) -> Iterator[Unavailable]:
        """VPP's answer about this cannot be used."""
        if what not in self._failed:
            self._failed.add(what)
            yield Unavailable(what, reason)

    def passed(self, what: str) -> Iterator[Available]:
        """VPP's answer about this could be used."""
        if what in self._failed:
            self._failed.remove(what)
            yield Available(what)


class Layer3:
    """The addresses and neighbours of one VPP, and which questions about them are due."""

    def __init__(self, vpp: Vpp, addresses: float, neighbors: float) -> None:
        """Seconds in which all interfaces are asked, and between two dumps; 0 for never."""
        self._vpp = vpp
        self.failures = Failures()
        self._sweep = Sweep(addresses if vpp.has_addresses else 0.0)
        self._schedule = Schedule()
        self._step_allowed = 0.0
        self._interfaces: set[int] = set()  # those that may have addresses
        self._reported: dict[int, Addresses] = {}
        self._asks_addresses = self._sweep.due < NEVER
        self._neighbors_interval = neighbors
        self._neighbors_due = 0.0 if neighbors and vpp.has_neighbors else NEVER
        self._asks_neighbors = self._neighbors_due < NEVER
        self._has_events: bool | None = None  # of neighbours; None: not asked for yet
        self._events_due = NEVER
        self._neighbors = Neighbors()
        self._complete: set[str] = set()

    def due(self) -> float:
        """When `refresh` is to be called, by time.monotonic.

        Events of neighbours are gathered from the moment on at which this is asked.
        """
        if not self._vpp.neighbor_events:
            self._events_due = NEVER
        elif self._events_due == NEVER:
            self._events_due = time.monotonic() + EVENTS_INTERVAL
        return min(self._step_due(), self._neighbors_due, self._events_due)

    def _step_due(self) -> float:
        """When the next few interfaces are to be asked."""
        return max(min(self._sweep.due, self._schedule.due()), self._step_allowed)

    def follow(self, interfaces: set[int]) -> News:
        """From now on these are reported and may have addresses; what others had is gone."""
        left, new = self._interfaces - interfaces, interfaces - self._interfaces
        yield from self.forget_neighbors(left)
        yield from changes((), self.forget_addresses(left))
        self._take_events(each for each in self._vpp.neighbor_events if each[0] in new)
        self._interfaces = interfaces
        yield from neighbor_changes(each for index in new for each in self._neighbors.of(index))
        if not self._asks_addresses:
            nothing = [Addresses(index, ()) for index in sorted(new)]
            self._reported.update((each.sw_if_index, each) for each in nothing)
            yield from changes(nothing)
        elif self._sweep.due > 0.0:  # the first round, which begins now, asks them all
            self.change(sorted(new))

    def change(self, indexes: Iterable[int]) -> None:
        """These interfaces changed: they may have been given other addresses."""
        now = time.monotonic()
        for index in indexes:
            if self._asks_addresses and index in self._interfaces:
                self._schedule.change(index, now)

    def forget_neighbors(self, indexes: Iterable[int]) -> Iterator[NeighborChanges]:
        """These interfaces are gone, or the indexes are other ones' by now: what goes with them.

        To be called before `forget_addresses`.  Neighbours of which VPP reports events stay
        known until it reports them as removed: they may be those of who has the index by now,
        and are handed on once that is followed.
        """
        for index in indexes:
            if index in self._interfaces:
                addresses = self._neighbors.addresses(index)
                yield from neighbor_changes((), zip(repeat(index), addresses))
            if not self._has_events:
                self._neighbors.forget(index)

    def forget_addresses(self, indexes: Iterable[int]) -> list[tuple[type[Record], int]]:
        """The same of their addresses; they are followed no more."""
        gone: list[tuple[type[Record], int]] = []
        for index in indexes:
            self._interfaces.discard(index)
            self._schedule.forget(index)
            if self._reported.pop(index, None) is not None:
                gone.append((Addresses, index))
        return gone

    def refresh(self, named: Collection[int] = ()) -> News:
        """Ask for some of what is due, and yield how it differs from what was reported.

        `named`: the interfaces about which VPP is to be asked first.
        """
        if time.monotonic() >= self._step_due():
            yield from self._step()
        if time.monotonic() >= self._neighbors_due:
            yield from self._refresh_neighbors()
        if time.monotonic() >= self._events_due:
            yield from self._apply_events(named)

    def skipped(self) -> Iterator[Complete]:
        """Of what is not asked for, there is nothing."""
        if not self._asks_addresses:
            yield from self._completed(ADDRESSES)
        if not self._asks_neighbors:
            yield from self._completed(NEIGHBORS)

    # --- addresses --------------------------------------------------------------------------

    def _step(self) -> News:
        """Ask a few interfaces for their addresses: those that changed, then the sweep's next."""
        now = time.monotonic()
        sweeps = now >= self._sweep.due
        asked = self._schedule.take(now, STEP - MIN_SHARE if sweeps else STEP)
        ends = False
        if sweeps:
            swept, ends = self._sweep.take(now, STEP - len(asked), self._interfaces)
            asked += (each for each in swept if each not in asked)
        if asked:
            yield from self._refresh_addresses(asked)
        self._step_allowed = time.monotonic() + PAUSE
        if ends and self._sweep.is_whole:
            yield from self.failures.passed(ADDRESSES)
            yield from self._completed(ADDRESSES)

    def _refresh_addresses(self, asked: list[int]) -> News:
        try:
            answers = self._vpp.addresses(asked)
        except UnusableAnswer as error:
            self._sweep.is_whole = False
            yield from self.failures.failed(ADDRESSES, str(error))
            return
        yield from changes(each for each in answers if self._reported.get(each.sw_if_index) != each)
        self._reported.update((each.sw_if_index, each) for each in answers)

    # --- neighbours -------------------------------------------------------------------------

    def _refresh_neighbors(self) -> News:
        """Dump them all; events that came meanwhile are applied after it."""
        if self._has_events is None:
            self._has_events = self._vpp.want_neighbor_events()
        shown = self._interfaces
        failures: list[str] = []

        def dump() -> Iterator[tuple[int, bytes, int]]:
            """What comes before a failure is handed on: it is known from then on."""
            try:
                yield from self._vpp.neighbors()
            except UnusableAnswer as error:
                failures.append(str(error))

        found = self._neighbors.differing(dump())
        yield from neighbor_changes(each for each in found if each.sw_if_index in shown)
        if failures:
            self._neighbors.keep()
            self._neighbors_due = time.monotonic() + self._neighbors_interval
            yield from self.failures.failed(NEIGHBORS, *failures)
            return
        yield from self.failures.passed(NEIGHBORS)
        missing = self._neighbors.missing()
        yield from neighbor_changes((), (each for each in missing if each[0] in shown))
        yield from self._completed(NEIGHBORS)
        interval = NEIGHBORS_CHECK_INTERVAL if self._has_events else self._neighbors_interval
        self._neighbors_due = time.monotonic() + interval

    def _apply_events(self, named: Collection[int]) -> Iterator[NeighborChanges]:
        """Hand on what VPP has reported of single neighbours, but of these interfaces."""
        self._events_due = NEVER
        events = self._vpp.neighbor_events
        yield from neighbor_changes(
            *self._take_events(each for each in events if each[0] not in named)
        )

    def _take_events(
        self, keys: Iterable[tuple[int, bytes]]
    ) -> tuple[list[Neighbor], list[tuple[int, bytes]]]:
        """Know what VPP has reported of these; what is to be handed on of that, and is gone."""
        events, shown, known = self._vpp.neighbor_events, self._interfaces, self._neighbors
        reported: list[Neighbor] = []
        gone: list[tuple[int, bytes]] = []
        for key in list(keys):
            index, address = key
            state = events.pop(key)
            if state is None:
                if known.remove(index, address) and index in shown:
                    gone.append(key)
            elif known.put(index, address, state) and index in shown:
                reported.append(neighbor(index, address, state))
        return reported, gone

    def _completed(self, what: str) -> Iterator[Complete]:
        """That all of a sort have been reported, the first time."""
        if what not in self._complete:
            self._complete.add(what)
            yield Complete(what)
