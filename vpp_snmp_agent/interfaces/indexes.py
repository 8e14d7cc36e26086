"""What rows and counters need of whoever keeps them over a restart (state.py, or nobody)."""

from collections.abc import Callable, Iterable
from typing import Protocol

from .counters import InterfaceCounters
from .facts import Facts
from .reached import Reached
from .totals import Saved


class Indexes(Protocol):
    """Who gives a row its ifIndex, and saves what is known of it."""

    def index_of(self, key: str) -> int | None:
        """The ifIndex of a key, once that is durable."""

    def assign(self, key: str, sw_if_index: int) -> None:
        """Give a key an ifIndex, which is durable later."""

    def show(self, key: str, facts: Facts) -> None:
        """Its row is shown, and these are its facts."""

    def hide(self, key: str) -> None:
        """Its row is not shown any more."""

    def read_counters(self, of: Callable[[str], InterfaceCounters | None] | None) -> None:
        """Who is asked for the counters of a shown row when they are saved."""

    def reached(self, key: str) -> Reached | None:
        """What its counters had come to, as far as it was saved."""

    def keep(self, key: str, reached: Reached) -> None:
        """What its counters have come to, whose row is not shown any more."""

    def save_counters(self, keys: Iterable[str]) -> bool:
        """Save what the counters of these have come to, at once; whether some are left."""

    def totals(self, key: str) -> Saved | None:
        """What numbers that are no row's had come to, as far as it was saved."""

    def save_totals(self, key: str, saved: Saved, urgent: bool) -> bool:
        """Save what they have come to; whether that could be done.  `urgent`: a base changed."""
