"""A set of integers that are mostly neighbours."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator


class Ranges:
    """A set of integers that are mostly neighbours: as sorted ranges that do not touch."""

    __slots__ = ("_firsts", "_lasts")

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []

    def add(self, first: int, last: int) -> None:
        """Add all from `first` to `last`."""
        low = bisect_left(self._lasts, first - 1)
        high = bisect_right(self._firsts, last + 1)
        if low < high:
            first = min(first, self._firsts[low])
            last = max(last, self._lasts[high - 1])
        self._firsts[low:high] = [first]
        self._lasts[low:high] = [last]

    def __contains__(self, number: int) -> bool:
        at = bisect_left(self._lasts, number)
        return at < len(self._lasts) and self._firsts[at] <= number

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """(first, last), ascending."""
        return zip(self._firsts, self._lasts, strict=True)

    def free_from(self, number: int) -> int:
        """The smallest from `number` up that is not in it."""
        at = bisect_left(self._lasts, number)
        if at < len(self._lasts) and self._firsts[at] <= number:
            return self._lasts[at] + 1
        return number
