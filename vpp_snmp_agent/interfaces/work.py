"""What is to be done between requests: rows to be made, and jobs, in the order in which they came.

The rules this module keeps:

- A row that is to be made twice is made once: what comes while it waits is merged by row.
- Work that began is finished; what comes meanwhile waits.
- No step is long: many things are done a few at a time.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


class Work:
    """A queue of rows, by their keys, and of jobs between them."""

    def __init__(self) -> None:
        self._order: deque[str | Callable[[], object]] = deque()
        self._queued: set[str] = set()

    def __len__(self) -> int:
        return len(self._order)

    def make(self, keys: Iterable[str]) -> None:
        """Have the rows of these keys made."""
        queued = self._queued
        new = [key for key in keys if key not in queued]
        queued.update(new)
        self._order.extend(new)

    def then(self, job: Callable[[], object]) -> None:
        """Have this done once all is done that came before."""
        self._order.append(job)

    def then_each(self, items: Iterator[T], size: int, job: Callable[[list[T]], object]) -> None:
        """The same for these, so many at a time."""
        while some := list(islice(items, size)):
            self.then(partial(job, some))

    def run(self, until: float, make: Callable[[str], None]) -> None:
        """Do what there is until that moment (time.perf_counter), one thing at least."""
        while self._order:
            next_ = self._order.popleft()
            if callable(next_):
                next_()
            else:
                self._queued.discard(next_)
                make(next_)
            if time.perf_counter() >= until:
                break

    def clear(self) -> None:
        """Leave everything undone."""
        self._order.clear()
        self._queued.clear()
