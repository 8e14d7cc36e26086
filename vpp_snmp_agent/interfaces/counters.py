"""The counters of an interface, which do not fall (RFC 2863 section 6).

Managers take a counter that falls for one that wrapped at 2^32, and draw a gigabit where there
was none.  So what is served does not fall, whatever VPP does:

    served = base + what VPP counts        of each source by itself

The base is 0, and nowhere stored, until VPP counts from 0 again.  What falls goes on from what
was served last, which becomes its base (`_fell`, for both ways of reading).  `clear interfaces`
zeroes counter after counter: none is carried because another fell: one that is not zeroed
yet would count twice.  A restart of VPP, or another sw_if_index, is another cell (`cell`), which
counts from 0 whether that looks like a fall or not: it goes on from the last that the cell
before said, whose segment stays mapped when its VPP ends (`Reached`).  What each counter is made
of, formulas.py says.

The rules this module keeps:

- A reading is taken when it is asked for.  While the segment cannot be read, the last
  reading stands for it; without one the cell does not exist.
- VPP zeroes a counter thread after thread too.  Of one that fell the reading counts that was
  taken when it falls no further.
- Wherever something may be missing in between, that is a discontinuity, and said to be one.
- Where it is not sure that a cell is the one before, nothing is counted twice: it goes on from
  the base before, and from the last value only if it is below that.
- A counter that reaches 2^64 goes on from 0, as Counter64 does; that is no fall.
- With `counters: plain` what VPP counts is served, and a fall is a discontinuity.
- A cell counts for an interface only while /if/names has its name there: VPP gives the
  index of a deleted interface to the next one at once, before its API reports it.  A rename
  does not reach /if/names, so the name that stood there at first is its name as well.
"""

import struct
import time
from array import array
from collections.abc import Callable, Iterable
from contextlib import suppress
from operator import add, lt
from typing import Protocol, cast

from ..vpp.cells import Counter, Counters
from ..vpp.mapping import ATTEMPTS
from ..vpp.segment import Segment, SegmentUnavailable
from .formulas import (
    DERIVED,
    EVALUATE,
    FORMULAS,
    GROUPS,
    HALF,
    RX_BYTES,
    RX_PACKETS,
    SOURCES,
    TOGETHER,
    TX_BYTES,
    TX_PACKETS,
    U64,
    Formula,
    highest,
)
from .reached import ENDED, NOTHING_READ, UNKNOWN, Reached

_NO_BASES = array("Q")
_ZEROS = array("Q", [0] * len(SOURCES))
_ALL_TOGETHER = (1 << TOGETHER) - 1
_put_together = struct.Struct(f"={TOGETHER}Q").pack_into

# To zero one counter of 10,000 interfaces takes VPP some 40 us a thread.
CLEAR_TIME = 0.001  # seconds in which a counter that is being zeroed falls further
MAX_CLEAR_WAITS = 4  # times CLEAR_TIME, at a stretch
CLEAR_INTERVAL = 1.0  # seconds in which one counter is waited for once


class CounterSet:
    """Where all these counters lie in one segment."""

    __slots__ = (
        *("_counts_drops", "_poll_lock", "_waited", "counters", "evaluate", "fallen", "inode"),
        *("name_at", "segment", "together", "vpp"),
    )

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self.inode = segment.inode
        self.vpp = UNKNOWN  # whose segment it is (`vpp_of`)
        self.fallen: dict[str, None] = {}  # keys of interfaces whose bases are new
        self._waited = [float("-inf")] * len(SOURCES)  # for each to be zeroed, time.monotonic
        self.name_at = segment.name_at
        self._poll_lock = segment.poll_lock
        self.counts_drops = False
        self.counters = tuple(Counter(segment, *source) for source in SOURCES)
        self.together = Counters(segment, *(self.counters[group] for group in GROUPS))

    @property
    def counts_drops(self) -> bool:
        """Whether what VPP drops counts as discarded, because the operator wants it."""
        return self._counts_drops

    @counts_drops.setter
    def counts_drops(self, value: bool) -> None:
        self._counts_drops = value
        self.evaluate = EVALUATE[value]

    def poll(self) -> None:
        """To be called a few times a second: pollers may come too rarely to notice a lock."""
        self._poll_lock()
        for counter in self.counters:
            counter.locate()

    def cell(self, sw_if_index: int) -> int:
        """A number that the cells of this interface have, of this VPP, and no others."""
        return self.vpp and self.vpp + sw_if_index

    def clear_waits(self, sources: Iterable[int]) -> int:
        """How often at most CLEAR_TIME is to be waited for sources that fell."""
        now = time.monotonic()
        waits = 0
        for which in sources:
            if now >= self._waited[which] + CLEAR_INTERVAL:
                self._waited[which] = now
                waits = MAX_CLEAR_WAITS
        return waits


class _Reading(Protocol):
    """A property that is a reading."""

    def __get__(self, counters: "InterfaceCounters", owner: object = None) -> int | None: ...


def _reading(name: str) -> _Reading:
    """The property of that name in FORMULAS."""
    formula = FORMULAS[name]
    if formula == Formula(formula.total[:1]):
        (which,) = formula.total
        return cast(_Reading, property(lambda counters: counters._read(which)))
    return cast(_Reading, property(lambda counters: counters._evaluate(formula)))


class InterfaceCounters:
    """The counters of one interface; each property is a reading, None if there is none."""

    __slots__ = (
        *("_base", "_carries", "_cell", "_epoch", "_first_name", "_key", "_last", "_name"),
        *("_read_once", "_saved", "_set", "_sources", "_sw_if_index", "restarted_at"),
    )

    def __init__(
        self,
        sources: CounterSet | None,
        sw_if_index: int,
        interface_name: str,
        restarted_at: float | None = None,
        *,
        key: str = "",
        carries: bool = True,
        reached: Reached | None = None,
    ) -> None:
        """`restarted_at`: of the last discontinuity so far, by time.monotonic.

        `key`: under which `CounterSet.fallen` has them.  `carries`: what falls is carried on.
        `reached`: what they go on from.
        """
        self._set = sources
        self._sources = sources.counters if sources else ()
        self._sw_if_index = sw_if_index
        self._key = key
        self._carries = carries
        self._cell = UNKNOWN  # without a segment: of what was reached
        self._last = NOTHING_READ[:]  # as served
        self._base: array[int] | None = None  # None: all are 0
        self._read_once = 0  # a bit for each source
        self._saved = -1  # the sum of what was saved last
        self.restarted_at = restarted_at
        self._name = interface_name.encode(errors="replace")
        self._first_name: bytes | None = None
        self._epoch = -1  # in which the segment had one of them there
        if reached is not None:
            self._go_on(reached)
        with suppress(SegmentUnavailable):
            self._check_name()

    def _go_on(self, reached: Reached) -> None:
        """Begin with what the same interface's counters had come to."""
        self._last, self._read_once = reached.served[:], reached.read
        bases = reached.bases
        if self._set is None:
            self._cell = reached.cell
        elif not reached.may_be_at(self._set.cell(self._sw_if_index)):
            bases = reached.served[: len(SOURCES)]
            self._set.fallen[self._key] = None
        elif reached.is_at(self._set.cell(self._sw_if_index)):
            self._saved = sum(self._last)
        self._base = bases[:] if any(bases) else None

    def are_of(self, sources: CounterSet | None, sw_if_index: int, carries: bool = True) -> bool:
        """Whether these are the counters of that interface in that segment, served so."""
        return (
            self._set is sources and self._sw_if_index == sw_if_index and self._carries == carries
        )

    @property
    def has_source(self) -> bool:
        """Whether there is a segment to read them from."""
        return self._set is not None

    def _check_name(self) -> None:
        """Raises SegmentUnavailable where another interface has the index by now."""
        if self._set is None:
            return
        epoch, name = self._set.name_at(self._sw_if_index)
        if self._first_name is None:
            self._first_name = name or None
        elif name not in (self._name, self._first_name):
            raise SegmentUnavailable(f"sw_if_index {self._sw_if_index} is another interface's")
        self._epoch = epoch

    def readings(self) -> tuple[int, ...] | None:
        """What the properties that READINGS names return, all of one moment and soon had.

        None where they cannot be read together: then each is to be asked for by itself.
        """
        sources = self._set
        if sources is None:
            return None
        read = sources.together.read_in(self._epoch, self._sw_if_index)
        if read is None:
            return None
        if self._base is not None:
            read = list(map(add, read, self._base))
        if any(map(lt, read, self._last)):
            fallen = self._fell(0, read, self._read_together)
            if fallen is None:
                return None
            read = fallen
        last = self._last
        try:
            _put_together(last, 0, *read)
        except struct.error:  # 64 bits are full, of a sum with its base
            read = [each & U64 for each in read]
            _put_together(last, 0, *read)
        self._read_once |= _ALL_TOGETHER
        return sources.evaluate(read, last)

    def _read_together(self) -> list[int] | None:
        """With their bases, those that are read together."""
        assert self._set is not None
        read = self._set.together.read_in(self._epoch, self._sw_if_index)
        return read if self._base is None or read is None else list(map(add, read, self._base))

    def _read(self, which: int) -> int | None:
        try:
            value = self._read_alone(which)
            if value < self._last[which]:
                read = [value]
                (value,) = self._fell(which, read, lambda: [self._read_alone(which)]) or read
        except (SegmentUnavailable, IndexError):
            return self._last[which] if self._read_once >> which & 1 else None
        self._last[which] = value
        self._read_once |= 1 << which
        return value

    def _read_alone(self, which: int) -> int:
        """With its base.  Raises SegmentUnavailable, IndexError."""
        value = self._sources[which].read_in(self._epoch, self._sw_if_index)
        if value is None:
            value = self._find(self._sources[which])
        return value if self._base is None else (value + self._base[which]) & U64

    def _find(self, counter: Counter) -> int:
        """The reading of an epoch in which the cell is this interface's.

        Whose it is, is asked before it is read, and once an epoch.
        """
        assert self._set is not None
        for _ in range(ATTEMPTS):
            if self._set.segment.settled_epoch() != self._epoch:
                self._check_name()
            value = counter.read_settled(self._epoch, self._sw_if_index)
            if value is not None:
                return value
        raise SegmentUnavailable("VPP changes its interfaces too fast")

    def _fell(
        self, first: int, read: list[int], read_again: Callable[[], list[int] | None]
    ) -> list[int] | None:
        """What to serve of some sources, from `first` on, one of which reads less than before.

        None where they are to be read again, one by one.
        """
        assert self._set is not None
        if not self._carries:
            self._restart()
            return None
        for _ in range(self._set.clear_waits(self._below(first, read))):
            time.sleep(CLEAR_TIME)
            again = read_again()
            if again is None:
                return None
            read, before = [each & U64 for each in again], read
            if not any(map(lt, read, before)):
                break
        for which in self._below(first, read):
            read[which - first] = self._carry(which, read[which - first])
        return read

    def _below(self, first: int, read: list[int]) -> list[int]:
        """The sources, from `first` on, that fell."""
        last = self._last
        return [n for n, value in enumerate(read, first) if 0 < last[n] - value <= HALF]

    def _carry(self, which: int, value: int) -> int:
        """What to serve of a source that fell to this: it goes on from what was served."""
        assert self._set is not None
        if self._base is None:
            self._base = _ZEROS[:]
        counted = value - self._base[which]
        self._base[which] = self._last[which]
        self.restarted_at = time.monotonic()
        self._set.fallen[self._key] = None
        return (self._last[which] + counted) & U64

    def _restart(self) -> None:
        self._last = NOTHING_READ[:]
        self._read_once = 0
        self.restarted_at = time.monotonic()

    def _evaluate(self, formula: Formula) -> int | None:
        """What a formula gives, whose sources are read one by one."""
        total, off, at, drops = formula
        if drops and self._set is not None and self._set.counts_drops:
            total += drops
        value = 0
        for which in total:
            read = self._read(which)
            if read is None:
                return None
            value += read
        if not off:
            return value
        last = self._last
        for which in off:
            read = self._read(which)
            if read is None:
                return None
            value -= read
        if self._last is not last:  # cleared in between: the total is of before
            return self._evaluate(formula)
        if value < last[at]:
            value = highest(last[at], value)
        last[at] = value
        return value

    def reached(self) -> Reached | None:
        """What they have come to by now; None without any reading, or if they are plain."""
        if not self._carries:
            return None
        cell = self._cell
        if self._set is not None:
            cell = self._set.cell(self._sw_if_index)
            if self.readings() is not None:
                self._read_rest()
            elif self._is_anothers():
                cell = ENDED
            else:
                self._read_one_by_one()
        if not self._read_once:
            return None
        return Reached(cell, self._last[:], (self._base or _NO_BASES)[:], self._read_once)

    def mark_saved(self) -> bool:
        """Note that they are saved as they were read last; whether that is a change."""
        before, self._saved = self._saved, sum(self._last)
        return self._saved != before

    def _read_one_by_one(self) -> None:
        """Read every source."""
        for which in range(TOGETHER):
            self._read(which)
        for formula in DERIVED:
            self._evaluate(formula)
        self._read_rest()

    def _read_rest(self) -> None:
        """Read the sources that are not read together."""
        for which in range(TOGETHER, len(SOURCES)):
            self._read(which)

    def _is_anothers(self) -> bool:
        """Whether another interface has the index by now."""
        assert self._set is not None
        try:
            _, name = self._set.name_at(self._sw_if_index)
        except SegmentUnavailable:
            return False
        return self._first_name is not None and name not in (self._name, self._first_name)

    in_octets = _reading("in_octets")  # whole L2 frames without FCS
    out_octets = _reading("out_octets")
    # Neither multicast nor broadcast, if VPP collects detailed statistics of this interface; else
    # all of them, and those of multicast and broadcast are 0.
    in_unicast = _reading("in_unicast")
    out_unicast = _reading("out_unicast")
    in_multicast = _reading("in_multicast")
    in_broadcast = _reading("in_broadcast")
    out_multicast = _reading("out_multicast")
    out_broadcast = _reading("out_broadcast")
    in_non_unicast = _reading("in_non_unicast")
    out_non_unicast = _reading("out_non_unicast")
    # What the hardware had to leave for want of descriptors or buffers.  With `counts_drops` also
    # all that VPP dropped of what came in here, on purpose or not.
    in_discards = _reading("in_discards")
    in_errors = _reading("in_errors")  # damaged frames, as the driver counts them
    out_errors = _reading("out_errors")  # frames that the driver could not send
    in_unknown_protos = _reading("in_unknown_protos")  # punted for want of anybody to take them
    in_ip4 = _reading("in_ip4")  # packets, at the L3 input of this very interface
    in_ip6 = _reading("in_ip6")

    @property
    def discontinuity(self) -> float | None:
        """When a counter last jumped, by time.monotonic; None if none ever did."""
        for each in (RX_BYTES, TX_BYTES, RX_PACKETS, TX_PACKETS):
            self._read(each)
        return self.restarted_at
