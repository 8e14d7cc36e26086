"""What counters have come to is saved: which of them, and when.

The rules this module keeps:

- A base that changed is saved at once, all else in its time (state.py), or when VPP is lost.
- Counters are saved of the rows that are shown; what those that are not shown any more had come
  to is kept.
"""

from collections.abc import Iterable, Mapping
from functools import partial

from .counters import CounterSet, InterfaceCounters
from .indexes import Indexes
from .rows import Row
from .state import COUNTERS_SLICE
from .system import System
from .work import Work


class Saving:
    """Of the rows of one configuration, and of what numbers are no row's."""

    def __init__(
        self,
        indexes: Indexes | None,
        rows: Mapping[str, Row],
        system: System,
        work: Work,
    ) -> None:
        """`indexes`: None where nothing is saved.  `rows`: by key, as they are."""
        self.indexes = indexes
        self.sources: CounterSet | None = None  # of the VPP that is there, or was last
        self.is_shown = False  # whether it is these rows that are shown
        self._rows = rows
        self._system = system
        self._work = work

    def begin(self) -> None:
        """These rows are the first that are shown."""
        self.is_shown = True
        if self.indexes is not None:
            self.indexes.read_counters(self._counters_of)
            self._system.restore(self.indexes.totals)

    def succeed(self, predecessor: "Saving") -> None:
        """From now on it is the counters of these rows that are saved."""
        self.is_shown, predecessor.is_shown = True, False
        before, indexes = predecessor.indexes, self.indexes
        if before is not indexes:
            if before is not None:
                before.read_counters(None)
            self.save_counters(self._rows)
            self.save_totals()
        if indexes is None:
            return
        indexes.read_counters(self._counters_of)
        rows = iter(list(predecessor._rows.values()))
        self._work.then_each(rows, COUNTERS_SLICE, self.keep_counters)

    def keep_counters(self, rows: Iterable[Row]) -> None:
        """Keep what the counters of those have come to that are not shown any more."""
        for row in rows:
            if self.indexes is None or row.key in self._rows:
                continue
            reached = row.counters.reached()
            if reached is not None:
                self.indexes.keep(row.key, reached)

    def _counters_of(self, key: str) -> InterfaceCounters | None:
        row = self._rows.get(key)
        return row.counters if row else None

    def save_counters(self, keys: Iterable[str]) -> None:
        """Save what these have come to, a few at a time."""
        if self.indexes is not None:
            self._work.then_each(iter(list(keys)), COUNTERS_SLICE, self._save_some_counters)

    def _save_some_counters(self, keys: Iterable[str]) -> None:
        if self.indexes is not None and self.indexes.save_counters(keys):
            self._work.then(partial(self._save_some_counters, ()))

    def save_fallen(self) -> None:
        """Save the bases that changed."""
        if self.has_fallen and self.sources is not None:
            self.save_counters(self.sources.fallen)
            self.sources.fallen.clear()
        if self.has_fallen:
            self._system.fallen.clear()
            self.save_totals(all_of_them=False)

    @property
    def has_fallen(self) -> bool:
        """Whether bases changed that are to be saved."""
        if not self.is_shown:
            return False
        return bool(self._system.fallen or (self.sources is not None and self.sources.fallen))

    def save_totals(self, all_of_them: bool = True) -> None:
        """Save what numbers have come to that are no row's; else those for which it is time."""
        for each in self._system.unsaved(all_of_them) if self.indexes is not None else ():
            assert self.indexes is not None
            urgent = each.is_dirty
            if not self.indexes.save_totals(each.key, each.saved(), urgent):
                each.is_dirty = urgent
