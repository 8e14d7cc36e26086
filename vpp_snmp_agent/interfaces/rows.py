"""A row: its facts, and the state that lives with it; and the tables made of rows.

The rules this module keeps:

- A row is one object as long as it is shown; what changes about it changes in place, so that
  every table that shows it shows the change at once.
- Another table has of each row a few entries (`Derived`), made again when the facts of that
  row change or what it is over, and of no other row then.
"""

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from ..agentx.mib import SortedRows, UpTime
from ..agentx.values import subids
from ..vpp.records import LacpPort, LcpPair
from ..vpp.router import NeighborLists
from .counters import InterfaceCounters
from .facts import DOWN, LOWER_LAYER_DOWN, UP, Facts

ENTRIES_SLICE = 500  # entries of one row that are made or shown at a time

NO_MOMENTS: Mapping[bytes, float] = MappingProxyType({})


@dataclass(slots=True, eq=False)
class Row:
    """One conceptual row of ifTable and ifXTable."""

    index: int  # ifIndex
    key: str  # what it is known by, always
    facts: Facts
    oper_status: int
    counters: InterfaceCounters
    uptime: UpTime
    changed_at: float | None = None  # oper_status, by time.monotonic; None: before this agent
    instance: bytes = field(init=False)  # its ifIndex as the key of its rows (`pdu.subids`)
    lacp: LacpPort | None = None  # of a bond's member
    neighbors: NeighborLists | None = None
    pair: LcpPair | None = None  # while VPP lists it
    # The addresses that this agent has seen come, by time.monotonic.
    address_since: Mapping[bytes, float] = field(default_factory=lambda: NO_MOMENTS)
    entries: tuple[tuple[bytes, ...], ...] = ()  # its indexes in each of the derived tables

    def __post_init__(self) -> None:
        self.instance = subids(self.index)

    @property
    def admin_status(self) -> int:
        """ifAdminStatus."""
        return UP if self.facts.admin_up else DOWN

    @property
    def is_down(self) -> bool:
        """Whether it is down, for whatever reason (RFC 2863 section 3.1.13)."""
        return self.oper_status in (DOWN, LOWER_LAYER_DOWN)

    @property
    def last_change(self) -> int:
        """ifLastChange, in the master's sysUpTime."""
        return self.uptime.ticks(self.changed_at)

    @property
    def counter_discontinuity_time(self) -> int:
        """ifCounterDiscontinuityTime, in the master's sysUpTime."""
        return self.uptime.ticks(self.counters.discontinuity)


class LinkChange(NamedTuple):
    """A row that was shown as down, and is not, or the other way round."""

    if_index: int
    was_down: bool


class Interfaces(Protocol):
    """The rows that are shown, and what is over what."""

    @property
    def by_key(self) -> Mapping[str, Row]:
        """Every row by its key."""

    def higher_layers(self, key: str) -> Iterable[str]:
        """The keys of the rows directly over a row."""

    def lower_rows(self, row: Row) -> list[Row]:
        """The rows directly below a row."""


Entries = Callable[[Row, Interfaces], Iterable[tuple[bytes, Any]]]


class Derived:
    """A table of which each row of the interfaces has some entries."""

    def __init__(self, entries: Entries, owner: Callable[[Any], Row]) -> None:
        """`entries`: indexes and values of one row; `owner`: the row that a value is of.

        Two rows may claim one index (an address in two VRFs): the lower ifIndex has it.
        """
        self.rows = SortedRows()
        self.changed_at: float | None = None  # the set of indexes, by time.monotonic
        self._entries = entries
        self._owner = owner
        self._claims: dict[bytes, dict[int, Any]] = {}  # where there are two or more, by ifIndex

    def update(
        self, row: Row, before: tuple[bytes, ...], interfaces: Interfaces | None, now: float
    ) -> tuple[bytes, ...]:
        """Make a row's entries again, or none without `interfaces`; the indexes of all."""
        steps = self.updating(row, before, interfaces, now)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                indexes: tuple[bytes, ...] = end.value
                return indexes

    def updating(
        self, row: Row, before: tuple[bytes, ...], interfaces: Interfaces | None, now: float
    ) -> Generator[None, None, tuple[bytes, ...]]:
        """The same a few hundred entries at a time: a BVI can be over ten thousand ports."""
        made: dict[bytes, Any] = {}
        if interfaces is not None:
            for number, (index, value) in enumerate(self._entries(row, interfaces), 1):
                made.setdefault(index, value)
                if not number % ENTRIES_SLICE:
                    yield
        if not made and not before:
            return ()
        for number, index in enumerate(before, 1):
            if index not in made and self._withdraw(index, row):
                self.changed_at = now
            if not number % ENTRIES_SLICE:
                yield
        for number, (index, value) in enumerate(made.items(), 1):
            if self._claim(index, value, row):
                self.changed_at = now
            if not number % ENTRIES_SLICE:
                yield
        return tuple(made)

    def _claim(self, index: bytes, value: Any, row: Row) -> bool:
        """Show a row's entry, unless a lower ifIndex has that index; whether it is new."""
        shown = self.rows.get(index)
        if shown is None:
            return self.rows.put(index, value)
        holder = self._owner(shown)
        if holder is row and index not in self._claims:
            return self.rows.put(index, value)
        claims = self._claims.setdefault(index, {holder.index: shown})
        claims[row.index] = value
        return self.rows.put(index, claims[min(claims)])

    def _withdraw(self, index: bytes, row: Row) -> bool:
        """End a row's claim to an index; whether the index is gone."""
        claims = self._claims.get(index)
        if claims is None:
            return self.rows.remove(index)
        claims.pop(row.index, None)
        self.rows.put(index, claims[min(claims)])
        if len(claims) == 1:
            del self._claims[index]
        return False
