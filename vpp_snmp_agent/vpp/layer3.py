"""The addresses and neighbours of one VPP, which no event tells: asked for again and again.

The rules this module keeps:

- A few interfaces are asked at a time, with pauses: nothing else waits for them.
- An interface that is new is asked soon, when it was given its addresses.
- An index that changed hands takes no address along.
"""

import time
from collections.abc import Iterator
from typing import Any

from . import inventory
from .api import Vpp
from .inventory import ADDRESSES, NEIGHBORS, Asked, IpAddress, IpNeighbor, Key, Record

STEP = 10  # interfaces asked for their addresses at a stretch
PAUSE = 0.05  # seconds between two such stretches: before v25.02 they stop the workers
NEWCOMER = 5.0  # seconds that an interface may take to be given its addresses


class Layer3:
    """The addresses and neighbours of one VPP, and which questions about them are due."""

    def __init__(self, vpp: Vpp, addresses: float, neighbors: float) -> None:
        """Seconds between two rounds; 0 for never."""
        self._vpp = vpp
        self._every = {ADDRESSES: addresses, NEIGHBORS: neighbors}
        never = float("inf")
        self._addresses_due = 0.0 if addresses and vpp.tells_addresses else never
        self._neighbors_due = 0.0 if neighbors and vpp.tells_neighbors else never
        self._newcomers_due = never
        self._records: dict[type[Record], dict[Key, Any]]
        self._records = {IpAddress: {}, IpNeighbor: {}, Asked: {}}
        self._names: dict[int, str] = {}  # of the interfaces that may have addresses
        self._newcomers: set[int] = set()
        self._to_ask: list[int] = []  # the round that is under way
        self._answered: set[int] = set()
        self._found: dict[Key, Record] = {}
        self._step_at = 0.0

    def due(self) -> float:
        """When `look` is to be called, by time.monotonic."""
        if self._to_ask:
            return self._step_at
        return min(self._addresses_due, self._newcomers_due, self._neighbors_due)

    def interfaces_are(self, names: dict[int, str]) -> Iterator[inventory.Changes]:
        """An index that is another interface's by now has nothing of what was told of it."""
        changed = {index for index, name in self._names.items() if names.get(index) != name}
        new = {index for index, name in names.items() if self._names.get(index) != name}
        self._names = names
        if new and self._addresses_due < float("inf"):
            self._newcomers |= new
            self._newcomers_due = time.monotonic() + NEWCOMER
        if changed:
            self._found = _without(self._found, changed)
            yield from self._tell(
                {kind: _without(self._records[kind], changed) for kind in (IpAddress, IpNeighbor)}
            )

    def look(self) -> Iterator[inventory.Changes]:
        """Ask for some of what is due, and yield how it differs from what was told."""
        now = time.monotonic()
        if not self._to_ask:
            if now >= self._addresses_due:
                self._begin(set(self._names))
                self._addresses_due = now + self._every[ADDRESSES]
            elif now >= self._newcomers_due:
                self._begin(self._newcomers & self._names.keys())
            elif now >= self._neighbors_due:
                self._neighbors_due = now + self._every[NEIGHBORS]
                yield from self._tell({IpNeighbor: self._vpp.neighbors()}, NEIGHBORS)
                return
        for index in self._to_ask[:STEP]:
            if index in self._names:
                self._found |= self._vpp.addresses(index)
            self._answered.add(index)
        del self._to_ask[:STEP]
        self._step_at = time.monotonic() + PAUSE
        if not self._to_ask:
            others = _without(self._records[IpAddress], self._answered)
            yield from self._tell({IpAddress: others | self._found}, ADDRESSES)

    def _begin(self, indexes: set[int]) -> None:
        """A round begins."""
        self._to_ask = sorted(indexes)
        self._answered, self._found, self._newcomers = set(), {}, set()
        self._newcomers_due = float("inf")

    def _tell(
        self, after: dict[type[Record], dict[Key, Any]], asked: str = ""
    ) -> Iterator[inventory.Changes]:
        if asked:
            after[Asked] = self._records[Asked] | {asked: Asked(asked)}
        before = {kind: self._records[kind] for kind in after}
        yield from inventory.changes(before, after)
        self._records |= after


def _without(records: dict[Key, Any], interfaces: set[int]) -> dict[Key, Any]:
    """The addresses or neighbours of all other interfaces."""
    return {key: each for key, each in records.items() if each.sw_if_index not in interfaces}
