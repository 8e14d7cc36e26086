"""The addresses and neighbours of one VPP, which no event reports: asked for again and again.

The rules this module keeps:

- A few interfaces are asked for addresses at a time, with pauses: nothing else waits for them.
- An interface that is new is asked soon, when it was given its addresses, and no round of
  all of them keeps it waiting.
- An index that changed hands takes no address and no neighbour along.
- Where VPP's answer cannot be used, what was reported stays, and VPP is asked again when it
  would have been anyway.
- Neighbours are handed on while VPP still sends them.  Of each is kept what tells it from
  what VPP sends next time: two small objects.
"""

import time
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice

from .api import STATIC, UnusableAnswer, Vpp
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
PAUSE = 0.05  # seconds between two such stretches: before v25.02 they stop the workers
NEWCOMER_DELAY = 5.0  # seconds that an interface may take to be given its addresses
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
    """The neighbours that were reported, and how they differ from those that VPP has."""

    def __init__(self) -> None:
        # By interface and address: flags, MAC address, and as the last bit the parity of the
        # dump that had it.  200,000 of them take 25 MiB; a set of those seen would take 10 more.
        self._known: dict[int, dict[bytes, int]] = {}
        self._parity = 0

    def differing(self, dump: Iterable[tuple[int, bytes, int]]) -> Iterator[Neighbor]:
        """Those of a whole dump that are new or differ, as they come."""
        self._parity ^= 1
        known, parity = self._known, self._parity
        for index, address, state in dump:
            of_interface = known.get(index)
            if of_interface is None:
                of_interface = known[index] = {}
            before = of_interface.get(address)
            of_interface[address] = state << 1 | parity
            if before is None or before >> 1 != state:
                mac_address = (state & 0xFFFFFFFFFFFF).to_bytes(6, "big")
                yield Neighbor(index, address, mac_address, bool(state >> 48 & STATIC))

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

    def forget(self, indexes: Iterable[int]) -> Iterator[tuple[int, bytes]]:
        """All those of these interfaces."""
        for index in indexes:
            for address in self._known.pop(index, {}):
                yield index, address


class Layer3:
    """The addresses and neighbours of one VPP, and which questions about them are due."""

    def __init__(self, vpp: Vpp, addresses: float, neighbors: float) -> None:
        """Seconds between two rounds; 0 for never."""
        self._vpp = vpp
        self.failures = Failures()
        self._addresses_interval, self._neighbors_interval = addresses, neighbors
        self._addresses_due = 0.0 if addresses and vpp.has_addresses else NEVER
        self._neighbors_due = 0.0 if neighbors and vpp.has_neighbors else NEVER
        self._step_allowed = 0.0
        self._interfaces: set[int] = set()  # those that may have addresses
        self._newcomers: dict[int, float] = {}  # when each is to be asked, soonest first
        self._round: deque[int] = deque()  # those to be asked in the round that is under way
        self._in_round = False
        self._round_is_whole = True  # each of its answers could be used
        self._reported: dict[int, Addresses] = {}
        self._neighbors = Neighbors()
        self._complete: set[str] = set()

    def due(self) -> float:
        """When `refresh` is to be called, by time.monotonic."""
        return min(self._step_due(), self._neighbors_due)

    def _step_due(self) -> float:
        """When the next few interfaces are to be asked."""
        due = 0.0 if self._in_round else self._addresses_due
        for newcomer_due in self._newcomers.values():
            due = min(due, newcomer_due)
            break
        return max(due, self._step_allowed)

    def follow(self, interfaces: set[int]) -> News:
        """From now on these may have addresses, and what others had is gone."""
        left, new = self._interfaces - interfaces, interfaces - self._interfaces
        yield from self.forget_neighbors(left)
        yield from changes((), self.forget_addresses(left))
        self._interfaces = interfaces
        if 0.0 < self._addresses_due < NEVER:  # the first round, which begins now, asks them all
            due = time.monotonic() + NEWCOMER_DELAY
            self._newcomers.update(dict.fromkeys(sorted(new), due))

    def forget_addresses(self, indexes: Iterable[int]) -> list[tuple[type[Record], int]]:
        """These interfaces are gone, or the indexes are other ones' by now: what goes with them."""
        gone: list[tuple[type[Record], int]] = []
        for index in indexes:
            self._interfaces.discard(index)
            self._newcomers.pop(index, None)
            if self._reported.pop(index, None) is not None:
                gone.append((Addresses, index))
        return gone

    def forget_neighbors(self, indexes: Iterable[int]) -> Iterator[NeighborChanges]:
        """The same of the neighbours."""
        yield from neighbor_changes((), self._neighbors.forget(indexes))

    def refresh(self) -> News:
        """Ask for some of what is due, and yield how it differs from what was reported."""
        if time.monotonic() >= self._step_due():
            yield from self._step()
        if time.monotonic() >= self._neighbors_due:
            yield from self._refresh_neighbors()
            self._neighbors_due = time.monotonic() + self._neighbors_interval

    def _step(self) -> News:
        """Ask a few interfaces for their addresses: newcomers first, then the round's next."""
        now = time.monotonic()
        if not self._in_round and now >= self._addresses_due:
            self._in_round = self._round_is_whole = True
            self._round.extend(sorted(self._interfaces))
            self._addresses_due = now + self._addresses_interval
        asked: list[int] = []
        for index, due in list(islice(self._newcomers.items(), STEP)):
            if due <= now:
                del self._newcomers[index]
                asked.append(index)
        while self._round and len(asked) < STEP:
            index = self._round.popleft()
            if index in self._interfaces and index not in asked:
                asked.append(index)
        if asked:
            yield from self._refresh_addresses(asked)
        self._step_allowed = time.monotonic() + PAUSE
        if self._in_round and not self._round:
            self._in_round = False
            if self._round_is_whole:
                yield from self.failures.passed(ADDRESSES)
                yield from self._completed(ADDRESSES)

    def _refresh_addresses(self, asked: list[int]) -> News:
        try:
            answers = self._vpp.addresses(asked)
        except UnusableAnswer as error:
            self._round_is_whole = False
            yield from self.failures.failed(ADDRESSES, str(error))
            return
        yield from changes(each for each in answers if self._reported.get(each.sw_if_index) != each)
        self._reported.update((each.sw_if_index, each) for each in answers)

    def _refresh_neighbors(self) -> News:
        try:
            yield from neighbor_changes(self._neighbors.differing(self._vpp.neighbors()))
        except UnusableAnswer as error:
            yield from self.failures.failed(NEIGHBORS, str(error))
            return
        yield from self.failures.passed(NEIGHBORS)
        yield from neighbor_changes((), self._neighbors.missing())
        yield from self._completed(NEIGHBORS)

    def _completed(self, what: str) -> Iterator[Complete]:
        """That all of a sort have been reported, the first time."""
        if what not in self._complete:
            self._complete.add(what)
            yield Complete(what)
