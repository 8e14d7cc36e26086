"""The ifIndex of each row, and what is saved of a row while it is shown.

The rules this module keeps:

- A row has an ifIndex once that is durable: whoever starts after a power cut must not give that
  number to another port.
- Where nothing is saved an ifIndex is 1000 + sw_if_index.
"""

from .indexes import Indexes
from .rows import Row
from .state import FIRST


class Numbering:
    """The ifIndexes of the rows of one configuration."""

    def __init__(self, indexes: Indexes | None) -> None:
        """`indexes`: None where nothing is saved."""
        self.pending: set[str] = set()  # keys whose ifIndex is not durable yet
        self._indexes = indexes

    def index_of(self, key: str, sw_if_index: int) -> int | None:
        """The ifIndex of a key, once it is durable; from now on it is pending, if it is not."""
        if self._indexes is None:
            return FIRST + sw_if_index
        index = self._indexes.index_of(key)
        if index is None:
            self._indexes.assign(key, sw_if_index)
            index = self._indexes.index_of(key)
        if index is None:
            self.pending.add(key)
        else:
            self.pending.discard(key)
        return index

    def show(self, row: Row) -> None:
        """A row is shown, or has other facts."""
        if self._indexes is not None:
            self._indexes.show(row.key, row.facts)

    def hide(self, row: Row) -> None:
        """A row is not shown any more."""
        if self._indexes is not None:
            self._indexes.hide(row.key)
