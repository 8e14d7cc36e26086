"""Numbers of VPP that belong to no one interface's row, and do not fall either.

    served = base + what VPP counts        of each number by itself

What counters.py says of a row's counters holds here: a base is 0 until VPP counts from 0 again.
Whoever reads the numbers knows when that is, and says so:

- `begin`: another VPP counts, or another thing under the same name.
- `rebase`: this VPP has zeroed a number.
- `add`: it has zeroed a part of a number, which is a sum.

Anything else that falls has lost a part that nobody saw go: what was served stands still, and
the base makes up for it.  In each case something may be missing, and that is a discontinuity.

The rules this module keeps:

- With `counters: plain` what VPP counts is served, and a fall is a discontinuity.
- A number is kept by its name, so that a later version may have others.
- What is not known to be another VPP is the one before (`reached.UNKNOWN`).
"""

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from .reached import UNKNOWN

_U64 = 2**64 - 1

# Keys: what a driver counts of a port, by the port's name, and errors, by the node's.
PORT_KEY, NODE_KEY = "dot3 {}", "errors {}"
_NODES = "{}-tx", "{}-output"  # that an interface has of its own (vnet/interface.c)


def keys_of(interface: str) -> list[str]:
    """The keys of what is counted of one interface, by VPP's name for it."""
    nodes = (node.format(interface) for node in _NODES)
    return [PORT_KEY.format(interface), *map(NODE_KEY.format, nodes)]


class Saved(NamedTuple):
    """What numbers had come to, for whoever goes on from there."""

    cell: int  # which VPP counted them: see `reached.vpp_of`
    numbers: Mapping[str, tuple[int, int]]  # by name: as served, and the base

    @property
    def served(self) -> dict[str, int]:
        """Each as it was served."""
        return {name: served for name, (served, _) in self.numbers.items()}


class Totals:
    """Some numbers of one thing, by their names."""

    def __init__(
        self,
        key: str,
        clock: Callable[[], float] = time.monotonic,
        fallen: dict[str, None] | None = None,
    ) -> None:
        """`key`: under which they are saved, and which is put into `fallen` when a base changes."""
        self.key = key
        self._fallen = {} if fallen is None else fallen
        self.carries = True  # False with `counters: plain`
        self.restarted_at: float | None = None  # of the last discontinuity, by `clock`
        self.is_dirty = False  # a base changed since `saved` was called
        self._cell = UNKNOWN
        self._served: dict[str, int] = {}
        self._bases: dict[str, int] = {}
        self._clock = clock

    def restore(self, saved: Saved) -> None:
        """Go on from there; to be called before anything is counted."""
        self._cell = saved.cell
        self._served = saved.served
        self._bases = {name: base for name, (_, base) in saved.numbers.items() if base}

    def saved(self) -> Saved:
        """What they have come to."""
        self.is_dirty = False
        numbers = {name: (each, self._bases.get(name, 0)) for name, each in self._served.items()}
        return Saved(self._cell, numbers)

    def get(self, name: str) -> int | None:
        """A number as it is served; None if it was never counted."""
        value = self._served.get(name)
        return None if value is None else value & _U64

    def counted(self, name: str) -> int:
        """What VPP counted of it last."""
        return self._served.get(name, 0) - self._bases.get(name, 0)

    def begin(self, cell: int) -> None:
        """From now on they are counted there: from 0, if that is not where they were counted."""
        if cell != self._cell and UNKNOWN not in (cell, self._cell):
            for name in list(self._served):
                self.rebase(name)
        self._cell = cell or self._cell

    def rebase(self, name: str) -> None:
        """It is counted from 0 again, whether that looks like a fall or not."""
        if not self.carries:
            self._served.pop(name, None)
            self._bases.clear()
        elif self._served.get(name):
            self._bases[name] = self._served[name]
        self._restart()

    def add(self, name: str, amount: int) -> None:
        """A part of it, of so much, is counted from 0 again."""
        if self.carries:
            self._bases[name] = self._bases.get(name, 0) + amount
        self._restart()

    def _restart(self) -> None:
        self.restarted_at, self.is_dirty = self._clock(), True
        self._fallen[self.key] = None

    def count(self, name: str, counted: int) -> None:
        """What VPP counts of it now."""
        if not self.carries:
            if counted < self._served.get(name, 0):
                self._restart()
            self._served[name] = counted
            self._bases.pop(name, None)
            return
        value, last = self._bases.get(name, 0) + counted, self._served.get(name, 0)
        if value < last:
            self.add(name, last - value)
            value = last
        self._served[name] = value
