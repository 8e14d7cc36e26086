"""The addresses of one VPP, which no event reports, and its neighbours, of which each has one.

The rules this module keeps:

- A few interfaces are asked for addresses at a time, with pauses: nothing else waits for them.
- An interface that is new or changed is asked at once, and again after ADDRESS_DELAYS: it may
  be given its addresses a moment later.  What changes again and again is asked no more often
  than each ADDRESS_INTERVAL, and the later questions are put off, not added.
- All interfaces are asked at the start, then in a sweep that is spread over its whole interval;
  it goes on beside whatever changes.  That is as many questions as in one go: they stop no
  worker from VPP 25.02 on, and before it each of them stops the workers for as long as before.
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
- Neighbours are handed on while VPP still sends them.  Of each is kept what distinguishes it
  from what VPP sends next time: two small objects.  An event that changes nothing ends here.
"""

import time
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from heapq import heappop, heappush
from itertools import repeat

from .api import STATIC, Vpp
from .client import UnusableAnswer
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

STEP = 10  # interfaces asked for their addresses at a stretch
MIN_SHARE = 2  # of these for the sweep, and for what changed a while ago, if it is due
PAUSE = 0.05  # seconds between two such stretches: before v25.02 they stop the workers
ADDRESS_DELAYS = (0.0, 5.0, 20.0, 60.0)  # seconds after a change of an interface
ADDRESS_INTERVAL = 1.0  # seconds between two questions about one that goes on changing
EVENTS_INTERVAL = 0.05  # seconds in which events of neighbours are gathered
NEIGHBORS_CHECK_INTERVAL = 3600.0  # seconds between two dumps beside the events
NEVER = float("inf")

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


class Neighbors:
    """The neighbours that VPP has, as far as it reported them, and how they change.

    They are those of all interfaces; who reports them leaves out what is not to be shown.
    """

    def __init__(self) -> None:
        # By interface and address: flags, MAC address, and as the last bit the parity of the
        # dump that had it.  200,000 of them take 25 MiB; a set of those seen would take 10 more.
        self._known: dict[int, dict[bytes, int]] = {}
        self._parity = 0

    def put(self, index: int, address: bytes, state: int) -> bool:
        """Know one; whether it is new, or differs."""
        of_interface = self._known.get(index)
        if of_interface is None:
            of_interface = self._known[index] = {}
        before = of_interface.get(address)
        of_interface[address] = state << 1 | self._parity
        return before is None or before >> 1 != state

    def remove(self, index: int, address: bytes) -> bool:
        """Forget one; whether it was known."""
        of_interface = self._known.get(index, {})
        if of_interface.pop(address, None) is None:
            return False
        if not of_interface:
            del self._known[index]
        return True

    def differing(self, dump: Iterable[tuple[int, bytes, int]]) -> Iterator[Neighbor]:
        """Those of a whole dump that are new or differ, as they come."""
        self._parity ^= 1
        for index, address, state in dump:
            if self.put(index, address, state):
                yield neighbor(index, address, state)

    def missing(self) -> Iterator[tuple[int, bytes]]:
        """Those that the last dump did not have; they are forgotten."""
        parity = self._parity
        for index, of_interface in list(self._known.items()):
            gone = [address for address, each in of_interface.items() if each & 1 != parity]
            for address in gone:
                del of_interface[address]
                yield index, address
            if not of_interface:
                del self._known[index]

    def keep(self) -> None:
        """Of a dump that came to no end nothing is missing; the next one says what is."""
        for of_interface in self._known.values():
            for address, each in of_interface.items():
                of_interface[address] = each & ~1 | self._parity

    def of(self, index: int) -> Iterator[Neighbor]:
        """All those of an interface."""
        for address, each in self._known.get(index, {}).items():
            yield neighbor(index, address, each >> 1)

    def addresses(self, index: int) -> list[bytes]:
        """The address of each of an interface."""
        return list(self._known.get(index, ()))

    def forget(self, index: int) -> None:
        """All those of an interface."""
        self._known.pop(index, None)


def neighbor(index: int, address: bytes, state: int) -> Neighbor:
    """The record of one; `state`: flags << 48 | MAC address, as Vpp.neighbors yields it."""
    mac_address = (state & 0xFFFFFFFFFFFF).to_bytes(6, "big")
    return Neighbor(index, address, mac_address, bool(state >> 48 & STATIC))


class Schedule:
    """Which interfaces are to be asked because they changed, and when.

    There is one moment for each, whatever happens to it: the next one of ADDRESS_DELAYS after
    its last change.  Those that are asked late skip what has passed meanwhile.
    """

    def __init__(self) -> None:
        self._changed: dict[int, float] = {}  # when each changed
        self._asked: dict[int, float] = {}  # when it was asked since, or shortly before
        self._due: dict[int, float] = {}
        # By moment; an entry counts as long as it is what `_due` says.
        self._fresh: list[tuple[float, int]] = []  # those not asked since they changed
        self._later: list[tuple[float, int]] = []

    def change(self, index: int, now: float) -> None:
        """An interface is new, or changed."""
        waits = index in self._due and index not in self._asked
        asked_before = self._asked.pop(index, None)
        self._changed[index] = now
        if waits:
            return  # and is asked at the moment at which it would have been
        due = now if asked_before is None else max(now, asked_before + ADDRESS_INTERVAL)
        self._due[index] = due
        heappush(self._fresh, (due, index))

    def forget(self, index: int) -> None:
        """An interface is gone."""
        for each in (self._changed, self._asked, self._due):
            each.pop(index, None)

    def due(self) -> float:
        """When the next one is."""
        return min(self._next(self._fresh), self._next(self._later))

    def take(self, now: float, count: int) -> list[int]:
        """So many that are due, at most; they are asked now."""
        share = MIN_SHARE if self._next(self._later) <= now else 0
        taken: list[int] = []
        for heap, limit in ((self._fresh, count - share), (self._later, count)):
            while len(taken) < limit and self._next(heap) <= now:
                _, index = heappop(heap)
                taken.append(index)
                self._ask_again(index, now)
        return taken

    def _ask_again(self, index: int, now: float) -> None:
        changed = self._changed[index]
        due = min((changed + each for each in ADDRESS_DELAYS if changed + each > now), default=None)
        if due is None:
            self.forget(index)
            return
        self._asked[index], self._due[index] = now, due
        heappush(self._later, (due, index))

    def _next(self, heap: list[tuple[float, int]]) -> float:
        while heap and self._due.get(heap[0][1]) != heap[0][0]:
            heappop(heap)
        return heap[0][0] if heap else NEVER


class Sweep:
    """The round of all interfaces that is under way, spread over `interval` but for the first."""

    def __init__(self, interval: float) -> None:
        """Seconds of a round; 0 for never."""
        self._interval = interval
        self.due = 0.0 if interval else NEVER  # when the next few are to be asked
        self._is_first = True
        self.is_whole = True  # each answer of this round could be used
        self._left: deque[int] = deque()  # those still to be asked in this round

    def take(self, now: float, count: int, interfaces: Collection[int]) -> tuple[list[int], bool]:
        """So many, at most, of those that are next; and whether they end a round."""
        if not self._left:
            self._left.extend(sorted(interfaces))
            self.is_whole = True
        taken: list[int] = []
        while self._left and len(taken) < count:
            index = self._left.popleft()
            if index in interfaces:
                taken.append(index)
        ends = not self._left
        share = len(taken) / len(interfaces) if interfaces else 1.0
        # A step that was a little late does not put off all that follow.
        pause = 0.0 if self._is_first and not ends else self._interval * share
        self.due = max(self.due, now - PAUSE) + pause
        self._is_first = self._is_first and not ends
        return taken, ends


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
