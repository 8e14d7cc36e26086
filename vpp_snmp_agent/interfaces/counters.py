"""The counters of IF-MIB from those of VPP (vnet/interface.h; RFC 2863 section 6).

Managers take a counter that falls for one that wrapped at 2^32, and draw a gigabit where there
was none.  So what is served does not fall, whatever VPP does:

    served = base + what VPP counts        of each source by itself

The base is 0, and nowhere stored, until VPP counts from 0 again.  What falls goes on from what
was served last, which becomes its base (`_carry`, for both ways of reading).  `clear interfaces`
zeroes counter after counter: none is carried because another fell, for one that is not zeroed
yet would count twice.  A restart of VPP, or another sw_if_index, is another cell (`cell`), which
counts from 0 whether that looks like a fall or not: it goes on from the last that the cell
before said, whose segment stays mapped when its VPP ends (`Reached`).

The rules this module keeps:

- A reading is taken when it is asked for.  While the segment cannot be read, the last
  reading stands for it; without one the cell does not exist.
- A derived counter is never above the truth and never goes backwards: the total is read
  first, what is taken off it afterwards, and the highest result stands.  After a clear that is
  not always a fall of any source: 1000 - 0, then 1001 - 1001.
- VPP zeroes a counter thread after thread too.  Of one that fell the reading counts that was
  taken when it falls no further.
- Wherever something may be missing in between, that is a discontinuity, and said to be one.
- Where it is not sure that a cell is the one before, nothing is counted twice: it goes on from
  the base before, and from the last value only if it is below that.
- A counter that reaches 2^64 goes on from 0, as Counter64 does; that is no fall.
- With `counters: plain` what VPP counts is served, and a fall is a discontinuity.
- A cell counts for an interface only while /if/names has its name there: VPP gives the
  index of a deleted interface to the next one at once, before its API tells.  A rename
  does not reach /if/names, so the name that stood there at first is its name as well.
"""

import struct
import time
from array import array
from collections.abc import Callable, Iterable
from contextlib import suppress
from hashlib import blake2b
from operator import add, lt
from pathlib import Path
from typing import NamedTuple

from ..vpp.cells import Counter, Counters
from ..vpp.layout import Kind
from ..vpp.mapping import ATTEMPTS
from ..vpp.segment import Segment, SegmentUnavailable

# (name in the segment, kind, which number of the pair)
_SOURCES = (
    ("/if/rx", Kind.COMBINED, 0),
    ("/if/rx", Kind.COMBINED, 1),
    ("/if/tx", Kind.COMBINED, 0),
    ("/if/tx", Kind.COMBINED, 1),
    ("/if/rx-multicast", Kind.COMBINED, 0),
    ("/if/rx-broadcast", Kind.COMBINED, 0),
    ("/if/tx-multicast", Kind.COMBINED, 0),
    ("/if/tx-broadcast", Kind.COMBINED, 0),
    ("/if/rx-no-buf", Kind.SIMPLE, 0),
    ("/if/rx-miss", Kind.SIMPLE, 0),
    ("/if/rx-error", Kind.SIMPLE, 0),
    ("/if/tx-error", Kind.SIMPLE, 0),
    ("/if/drops", Kind.SIMPLE, 0),
    ("/if/punt", Kind.SIMPLE, 0),
    ("/if/ip4", Kind.SIMPLE, 0),
    ("/if/ip6", Kind.SIMPLE, 0),
)
SOURCES, DERIVED = len(_SOURCES), 2  # numbers of an interface: read, and made of those
_RX_PACKETS, _RX_BYTES, _TX_PACKETS, _TX_BYTES = range(4)
_RX_MULTICAST, _RX_BROADCAST, _TX_MULTICAST, _TX_BROADCAST = range(4, 8)
_RX_NO_BUF, _RX_MISS, _RX_ERROR, _TX_ERROR, _DROPS = range(8, 13)
_PUNT, _IP4, _IP6 = range(13, 16)
# Read together: totals before what is taken off them.  Not the last three, for LibreNMS and
# Cacti leave them out of their Gets: each cell of each thread lies on a page of its own.
_GROUPS = slice(0, 4), slice(4, 8), slice(8, 13)
_TOGETHER = _GROUPS[-1].stop
_put_together = struct.Struct(f"={_TOGETHER}Q").pack_into
_RX_UNICAST, _TX_UNICAST = range(SOURCES, SOURCES + DERIVED)
# What is derived, of which source, and what is taken off that.
UNICAST = (
    (_RX_UNICAST, _RX_PACKETS, _RX_MULTICAST, _RX_BROADCAST),
    (_TX_UNICAST, _TX_PACKETS, _TX_MULTICAST, _TX_BROADCAST),
)
_NO_BASES = array("Q")
_ZEROS = array("Q", [0] * SOURCES)
_NOTHING_READ = array("Q", [0] * (SOURCES + DERIVED))
_ALL_TOGETHER = (1 << _TOGETHER) - 1

_U64 = 2**64 - 1
_HALF = 2**63  # what falls by more has wrapped

# To zero one counter of 10,000 interfaces takes VPP some 40 us a thread.
CLEAR_TIME = 0.001  # seconds in which a counter that is being zeroed falls further
MAX_CLEAR_WAITS = 4  # times CLEAR_TIME, at a stretch
CLEAR_INTERVAL = 1.0  # seconds in which one counter is waited for once

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

# Cells that are none:
UNKNOWN = 0  # of which nobody knows whether it is the one before
ENDED = 1  # which VPP has given to another interface: it will count from 0 again

# What `InterfaceCounters.readings` returns, by the names of its properties.
READINGS = (
    *("in_octets", "out_octets", "in_unicast", "out_unicast"),
    *("in_multicast", "in_broadcast", "out_multicast", "out_broadcast"),
    *("in_non_unicast", "out_non_unicast", "in_discards", "in_errors", "out_errors"),
)


class Reached(NamedTuple):
    """What the counters of an interface have come to, for whoever goes on from there."""

    cell: int  # which VPP counts them, at which sw_if_index: see `CounterSet.cell`
    served: "array[int]"  # by source; then unicast packets in and out, at their highest
    bases: "array[int]"  # by source; empty where all are 0
    read: int = 0  # a bit for each source that was read since the agent runs

    def is_at(self, cell: int) -> bool:
        """Whether that cell is surely the one that these were read from."""
        return self.cell == cell != UNKNOWN

    def may_be_at(self, cell: int) -> bool:
        """Whether that cell can be the one that these were read from."""
        return self.cell == cell or UNKNOWN in (self.cell, cell)


# Of a row that was served plain: whoever carries its counters begins with what VPP counts.
NOTHING_REACHED = Reached(ENDED, _NOTHING_READ, array("Q"))


def vpp_of(vpe_pid: int, inode: int, boot_id: Path = BOOT_ID) -> int:
    """A number that this VPP has, and no other; UNKNOWN where that cannot be told.

    Of the machine's boot, VPP's pid, and the inode of its segment, which it makes when it
    starts: within a boot the kernel gives no inode of shared memory twice.
    """
    try:
        boot = boot_id.read_text().strip()
    except OSError:
        return UNKNOWN
    text = f"{boot} {vpe_pid} {inode}".encode()
    return int.from_bytes(blake2b(text, digest_size=6).digest(), "big") + 2


class CounterSet:
    """Where all these counters lie in one segment."""

    __slots__ = (
        *("_poll_lock", "_waited", "counters", "counts_drops", "fallen", "inode", "name_at"),
        *("segment", "together", "vpp"),
    )

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self.inode = segment.inode
        self.vpp = UNKNOWN  # whose segment it is (`vpp_of`)
        self.fallen: dict[str, None] = {}  # keys of interfaces whose bases are new
        self._waited = [float("-inf")] * SOURCES  # for each to be zeroed, time.monotonic
        self.name_at = segment.name_at
        self._poll_lock = segment.poll_lock
        self.counts_drops = False  # as discards; True if the operator wants it
        self.counters = tuple(Counter(segment, *source) for source in _SOURCES)
        self.together = Counters(segment, *(self.counters[group] for group in _GROUPS))

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


def _highest(before: int, found: int) -> int:
    """A derived counter that was served, and what it is found to be."""
    if found >= before or before - found > _HALF:
        return found & _U64
    return before


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
        self._last = _NOTHING_READ[:]  # as served
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
            bases = reached.served[:SOURCES]
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

    def _cell_of(self, which: int) -> int:
        """The reading of an epoch in which the cell is this interface's."""
        counter, sw_if_index = self._sources[which], self._sw_if_index
        at_once = counter.read_in(self._epoch, sw_if_index)
        if at_once is not None:
            return at_once
        value = counter.read(sw_if_index)
        for _ in range(ATTEMPTS):
            if counter.epoch == self._epoch:
                return value
            self._check_name()
            value = counter.read(sw_if_index)
        raise SegmentUnavailable("VPP changes its interfaces too fast")

    def readings(self) -> tuple[int, ...] | None:
        """What the properties that READINGS names return, all of one moment and soon had.

        None where they cannot be read together: then each is to be asked for by itself.
        """
        if self._set is None:
            return None
        read = self._set.together.read_in(self._epoch, self._sw_if_index)
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
            read = [each & _U64 for each in read]
            _put_together(last, 0, *read)
        (
            rx_packets,
            rx_bytes,
            tx_packets,
            tx_bytes,
            rx_multicast,
            rx_broadcast,
            tx_multicast,
            tx_broadcast,
            no_buf,
            miss,
            rx_error,
            tx_error,
            drops,
        ) = read
        in_unicast = rx_packets - rx_multicast - rx_broadcast
        if in_unicast < last[_RX_UNICAST]:
            in_unicast = _highest(last[_RX_UNICAST], in_unicast)
        out_unicast = tx_packets - tx_multicast - tx_broadcast
        if out_unicast < last[_TX_UNICAST]:
            out_unicast = _highest(last[_TX_UNICAST], out_unicast)
        last[_RX_UNICAST] = in_unicast
        last[_TX_UNICAST] = out_unicast
        self._read_once |= _ALL_TOGETHER
        return (
            rx_bytes,
            tx_bytes,
            in_unicast,
            out_unicast,
            rx_multicast,
            rx_broadcast,
            tx_multicast,
            tx_broadcast,
            rx_multicast + rx_broadcast,
            tx_multicast + tx_broadcast,
            miss + no_buf + drops if self._set.counts_drops else miss + no_buf,
            rx_error,
            tx_error,
        )

    def _read_together(self) -> list[int] | None:
        """With their bases, those that are read together."""
        assert self._set is not None
        read = self._set.together.read_in(self._epoch, self._sw_if_index)
        if self._base is None or read is None:
            return read
        return [each & _U64 for each in map(add, read, self._base)]

    def _read_alone(self, which: int) -> list[int]:
        """With its base.  Raises SegmentUnavailable, IndexError."""
        value = self._cell_of(which)
        return [value if self._base is None else (value + self._base[which]) & _U64]

    def _read(self, which: int) -> int | None:
        try:
            value = self._cell_of(which)
            if self._base is not None:
                value = (value + self._base[which]) & _U64
            if value < self._last[which]:
                read = [value]
                (value,) = self._fell(which, read, lambda: self._read_alone(which)) or read
        except (SegmentUnavailable, IndexError):
            return self._last[which] if self._read_once >> which & 1 else None
        self._last[which] = value
        self._read_once |= 1 << which
        return value

    def _fell(
        self, first: int, read: list[int], read_again: Callable[[], list[int] | None]
    ) -> list[int] | None:
        """What to serve of some sources, from `first` on, one of which reads less than before.

        None where they are to be read anew, one by one.
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
            read, before = again, read
            if not any(map(lt, read, before)):
                break
        for which in self._below(first, read):
            read[which - first] = self._carry(which, read[which - first])
        return read

    def _below(self, first: int, read: list[int]) -> list[int]:
        """The sources, from `first` on, that fell."""
        last = self._last
        return [n for n, value in enumerate(read, first) if 0 < last[n] - value <= _HALF]

    def _carry(self, which: int, value: int) -> int:
        """What to serve of a source that fell to this: it goes on from what was served."""
        assert self._set is not None
        if self._base is None:
            self._base = _ZEROS[:]
        counted = value - self._base[which]
        self._base[which] = self._last[which]
        self.restarted_at = time.monotonic()
        self._set.fallen[self._key] = None
        return (self._last[which] + counted) & _U64

    def _restart(self) -> None:
        self._last = _NOTHING_READ[:]
        self._read_once = 0
        self.restarted_at = time.monotonic()

    def _unicast(self, packets: int, multicast: int, broadcast: int, which: int) -> int | None:
        total = self._read(packets)
        last = self._last
        off_multicast, off_broadcast = self._read(multicast), self._read(broadcast)
        if self._last is not last:  # cleared in between: the total is of before
            total = self._read(packets)
        if total is None or off_multicast is None or off_broadcast is None:
            return None
        last = self._last
        last[which] = _highest(last[which], total - off_multicast - off_broadcast)
        return last[which]

    def _sum(self, *which: int) -> int | None:
        total = 0
        for each in which:
            value = self._read(each)
            if value is None:
                return None
            total += value
        return total

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
        for which in range(_TOGETHER):
            self._read(which)
        for derived, total, multicast, broadcast in UNICAST:
            self._unicast(total, multicast, broadcast, derived)
        self._read_rest()

    def _read_rest(self) -> None:
        """Read the sources that are not read together."""
        for which in range(_TOGETHER, SOURCES):
            self._read(which)

    def _is_anothers(self) -> bool:
        """Whether another interface has the index by now."""
        assert self._set is not None
        try:
            _, name = self._set.name_at(self._sw_if_index)
        except SegmentUnavailable:
            return False
        return self._first_name is not None and name not in (self._name, self._first_name)

    @property
    def in_octets(self) -> int | None:
        """Whole L2 frames without FCS."""
        return self._read(_RX_BYTES)

    @property
    def out_octets(self) -> int | None:
        """Whole L2 frames without FCS."""
        return self._read(_TX_BYTES)

    @property
    def in_unicast(self) -> int | None:
        """Packets that are neither multicast nor broadcast; all of them without detail."""
        return self._unicast(_RX_PACKETS, _RX_MULTICAST, _RX_BROADCAST, _RX_UNICAST)

    @property
    def out_unicast(self) -> int | None:
        """Packets that are neither multicast nor broadcast; all of them without detail."""
        return self._unicast(_TX_PACKETS, _TX_MULTICAST, _TX_BROADCAST, _TX_UNICAST)

    @property
    def in_multicast(self) -> int | None:
        """0 unless VPP collects detailed statistics of this interface."""
        return self._read(_RX_MULTICAST)

    @property
    def in_broadcast(self) -> int | None:
        """0 unless VPP collects detailed statistics of this interface."""
        return self._read(_RX_BROADCAST)

    @property
    def out_multicast(self) -> int | None:
        """0 unless VPP collects detailed statistics of this interface."""
        return self._read(_TX_MULTICAST)

    @property
    def out_broadcast(self) -> int | None:
        """0 unless VPP collects detailed statistics of this interface."""
        return self._read(_TX_BROADCAST)

    @property
    def in_non_unicast(self) -> int | None:
        """Multicast and broadcast together."""
        return self._sum(_RX_MULTICAST, _RX_BROADCAST)

    @property
    def out_non_unicast(self) -> int | None:
        """Multicast and broadcast together."""
        return self._sum(_TX_MULTICAST, _TX_BROADCAST)

    @property
    def in_discards(self) -> int | None:
        """What the hardware had to leave for want of descriptors or buffers.

        With `counts_drops` also all that VPP dropped of what came in here, on purpose or not.
        """
        if self._set is not None and self._set.counts_drops:
            return self._sum(_RX_MISS, _RX_NO_BUF, _DROPS)
        return self._sum(_RX_MISS, _RX_NO_BUF)

    @property
    def in_errors(self) -> int | None:
        """Damaged frames, as the driver counts them."""
        return self._read(_RX_ERROR)

    @property
    def out_errors(self) -> int | None:
        """Frames that the driver could not send."""
        return self._read(_TX_ERROR)

    @property
    def in_unknown_protos(self) -> int | None:
        """Packets punted for want of anybody who takes them."""
        return self._read(_PUNT)

    @property
    def in_ip4(self) -> int | None:
        """IPv4 packets received, at the L3 input of this very interface."""
        return self._read(_IP4)

    @property
    def in_ip6(self) -> int | None:
        """IPv6 packets received, at the L3 input of this very interface."""
        return self._read(_IP6)

    @property
    def discontinuity(self) -> float | None:
        """When a counter last jumped, by time.monotonic; None if none ever did."""
        for each in (_RX_BYTES, _TX_BYTES, _RX_PACKETS, _TX_PACKETS):
            self._read(each)
        return self.restarted_at
