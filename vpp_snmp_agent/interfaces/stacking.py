"""Which rows are over which, and the tables that have entries of their own of each row.

The rules this module keeps:

- When a row changes, its entries are made again at once; those of rows over it when it is their
  turn, and of many a few at a time: a BVI can be over all ports.
- Entries that are being made are made to the end before they are made again.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from .facts import Facts
from .rows import ENTRIES_SLICE, Derived, Entries, Row
from .work import Work

MAX_MARKED = 100  # rows at a time
MAX_DERIVED = 20  # rows whose entries are made at a time


class Stacking:
    """The layers of the rows that are shown (`rows.Interfaces`), and the tables made of them."""

    def __init__(self, rows: Mapping[str, Row], work: Work, clock: Callable[[], float]) -> None:
        """`rows`: by key, as they are shown."""
        self.by_key = rows
        self.tables: list[Derived] = []
        self._work = work
        self._clock = clock
        self._higher: dict[str, dict[str, None]] = {}  # the keys of shown rows, by lower key
        self._underived: set[str] = set()  # keys of rows over one that was shown or hidden
        self._deriving: dict[str, Iterator[None]] = {}  # by key: entries that are being made

    def add_table(self, entries: Entries, owner: Callable[[Any], Row]) -> Derived:
        """A table of entries that each row has (`Derived`); to be added before any row is shown."""
        assert not self.by_key
        table = Derived(entries, owner)
        self.tables.append(table)
        return table

    def higher_layers(self, key: str) -> Iterable[str]:
        """The keys of the rows directly over a row."""
        return self._higher.get(key, ())

    def lower_rows(self, row: Row) -> list[Row]:
        """The rows directly below a row."""
        found = map(self.by_key.get, row.facts.lower_layers)
        return [each for each in found if each is not None]

    def show(self, row: Row) -> None:
        """A row is shown."""
        row.entries = tuple(() for _ in self.tables)
        self._stack(row, row.facts.lower_layers)
        self._derive(row)
        self._derive_later(self.higher_layers(row.key))

    def change(self, row: Row, before: Facts) -> None:
        """A row has other facts than before."""
        if before.lower_layers != row.facts.lower_layers:
            had, has = set(before.lower_layers), set(row.facts.lower_layers)
            self._unstack(row, had - has)
            self._stack(row, has - had)
        self._derive(row)

    def hide(self, row: Row) -> None:
        """A row is not shown any more."""
        self._end_deriving(row)
        now = self._clock()
        for table, entries in zip(self.tables, row.entries, strict=True):
            table.update(row, entries, None, now)
        self._unstack(row, row.facts.lower_layers)
        self._derive_later(self.higher_layers(row.key))

    def bring_up_to_date(self, key: str) -> None:
        """Make the entries of a row again, if what is below it was shown or hidden."""
        if key in self._underived:
            self._underived.discard(key)
            row = self.by_key.get(key)
            if row is not None:
                self._derive(row)

    def _stack(self, row: Row, lower_layers: Iterable[str]) -> None:
        """A row is over these from now on."""
        first: list[str] = []
        for lower in lower_layers:
            over = self._higher.setdefault(lower, {})
            over[row.key] = None
            if len(over) == 1:
                first.append(lower)
        self._derive_all(first)

    def _unstack(self, row: Row, lower_layers: Iterable[str]) -> None:
        """A row is not over these any more."""
        last: list[str] = []
        for lower in lower_layers:
            over = self._higher.get(lower, {})
            over.pop(row.key, None)
            if not over and self._higher.pop(lower, None) is not None:
                last.append(lower)
        self._derive_all(last)

    def _derive_all(self, keys: list[str]) -> None:
        """Make the entries of these rows again: at once, unless there are many."""
        if len(keys) > MAX_DERIVED:
            self._derive_later(keys)
            return
        for key in keys:
            if key in self.by_key:
                self._derive(self.by_key[key])

    def _derive_later(self, keys: Iterable[str]) -> None:
        """Make the entries of these rows again when it is their turn."""
        self._work.then_each(iter(list(keys)), MAX_MARKED, self._mark_underived)

    def _mark_underived(self, keys: list[str]) -> None:
        self._underived.update(keys)
        self._work.make(keys)

    def _derive(self, row: Row) -> None:
        self._end_deriving(row)
        steps = self._steps_of(row)
        had = max(map(len, row.entries), default=0)
        if max(had, len(row.facts.lower_layers)) <= ENTRIES_SLICE:
            for _ in steps:
                pass
        else:
            self._deriving[row.key] = steps
            self._derive_on(row.key, steps)

    def _steps_of(self, row: Row) -> Iterator[None]:
        """Make a row's entries again, a slice at a time."""
        now, made = self._clock(), []
        for table, entries in zip(self.tables, row.entries, strict=True):
            made.append((yield from table.updating(row, entries, self, now)))
        row.entries = tuple(made)

    def _derive_on(self, key: str, steps: Iterator[None]) -> None:
        if self._deriving.get(key) is not steps:
            return  # done at once meanwhile, because the row changed or was hidden
        for _ in steps:
            self._work.then(partial(self._derive_on, key, steps))
            return
        del self._deriving[key]

    def _end_deriving(self, row: Row) -> None:
        """Do the rest at once of what is under way: what comes next begins where it ends."""
        for _ in self._deriving.pop(row.key, ()):
            pass
