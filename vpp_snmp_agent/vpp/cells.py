"""Counters of the statistics segment: where their cells lie, and what they say now.

The rules this module keeps:

- Nothing is copied ahead: a cell is read when it is asked for, and summed over threads.
- Where a counter lies is remembered for an epoch.  Within one a vector may grow, but it
  neither moves nor shrinks (vlib/counter.c validates it, or removes its entry): a cell that
  was there still is, and for one that was not the lengths are read again.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter

from .layout import (
    EPOCH_WORD,
    ERROR_VECTOR_WORD,
    IN_PROGRESS_WORD,
    KINDS,
    NODE_ERRORS,
    Generation,
    Kind,
)
from .mapping import ATTEMPTS, WORD, SegmentUnavailable
from .segment import MAX_THREADS, STRIDES, U64, Segment

MAX_COPIED_CELLS = 1 << 19  # of all threads, at once; 6,000 errors of 64 threads are 384,000
BLOCK = 32  # cells of a copied vector that are compared at once
MAX_CELLS = 1_000_000  # of one thread that are read at once; 10,000 interfaces are many
BLOCK_SIZE = BLOCK * WORD

Reader = Callable[[memoryview, int], tuple[int, ...]]


def _reader(offsets: list[int]) -> Reader:
    """What reads the words at some ascending offsets in one call, from the first one on.

    Of 17 threads a word each takes it 0.2 us, and a loop in Python 1.9.  Raises
    SegmentUnavailable where they overlap.
    """
    layout, at = "=", offsets[0]
    for offset in offsets:
        if offset < at:
            raise SegmentUnavailable("two vectors of the segment overlap")
        layout += f"{offset - at}xQ"
        at = offset + WORD
    return struct.Struct(layout).unpack_from


class Vectors:
    """All cells of a counter, thread by thread: of each a vector, copied whole.

    Of 6,000 columns of 17 threads that takes 0.1 ms, and a cell by itself 1 us.
    """

    def __init__(self, segment: Segment, name: bytes, kind: Kind = Kind.SIMPLE) -> None:
        """`name`: NODE_ERRORS is known to every generation."""
        self._segment = segment
        self._name = name
        self._kind = kind
        self._offsets: list[tuple[int, int]] = []  # as they were read last

    def read(self) -> tuple[int, list[bytes]]:
        """(the epoch, each thread's cells); a NULL vector is empty.  Raises SegmentUnavailable."""
        return self._segment.settled(self._read)

    def _read(self) -> tuple[int, list[bytes]]:
        segment, item = self._segment, STRIDES[self._kind] * WORD
        epoch = segment.words[EPOCH_WORD]
        pointers = self._pointers()
        offsets = []
        for pointer in pointers:
            cells = segment.vector(pointer, item) if pointer else None
            offsets.append((cells.at, cells.at + cells.length * item) if cells else (0, 0))
        if sum(end - at for at, end in offsets) > MAX_COPIED_CELLS * WORD:
            raise SegmentUnavailable(f"{self._name.decode()} has too many cells")
        # A main thread that hangs in its lock may have been about to move them.
        if epoch == segment.stuck_epoch and offsets != self._offsets:
            raise SegmentUnavailable(f"{self._name.decode()} was being changed when VPP hung")
        self._offsets = offsets
        whole = segment.whole
        return epoch, [whole[at:end].tobytes() for at, end in offsets]

    def _pointers(self) -> list[int]:
        """Each thread's pointer to its vector."""
        segment = self._segment
        if self._name == NODE_ERRORS and segment.generation is Generation.V22_02:
            pointer = segment.words[ERROR_VECTOR_WORD]
        else:
            type_, pointer = segment.entry_of(self._name.decode())
            if KINDS[segment.generation].get(type_) is not self._kind:
                raise SegmentUnavailable(f"{self._name.decode()} is of type {type_}")
        if not pointer:
            return []
        threads = segment.vector(pointer, WORD)
        if threads.length > MAX_THREADS:
            raise SegmentUnavailable(f"{self._name.decode()} has {threads.length} threads")
        first = threads.at // WORD
        return segment.words[first : first + threads.length].tolist()


def differing_blocks(before: bytes, after: bytes) -> Iterator[int]:
    """The blocks of one thread's vector that are other than before, or new and not all 0.

    A block is BLOCK cells, the last one fewer; numbered from 0.
    """
    if before != after:
        before = before[: len(after)].ljust(len(after), b"\0")
        for number, at in enumerate(range(0, len(after), BLOCK_SIZE)):
            if before[at : at + BLOCK_SIZE] != after[at : at + BLOCK_SIZE]:
                yield number


class Counter:
    """One number of every interface: the packets of /if/drops, the bytes of /if/rx."""

    __slots__ = (
        *("_first_cell", "_kind", "_least", "_name", "_offset", "_read_cells", "_segment"),
        *("_stride", "_threads", "_whole", "_words", "epoch", "step"),
    )

    def __init__(self, segment: Segment, name: str, kind: Kind, offset: int = 0) -> None:
        """`offset`: of a combined counter 0 for packets, 1 for bytes."""
        self._segment = segment
        self._whole, self._words = segment.whole, segment.words
        self._name = name.encode()
        self._kind = kind
        self._offset = offset
        self._stride = STRIDES[kind]
        self.step = self._stride * WORD  # bytes from one interface's cell to the next one's
        self.epoch = -1  # of the last reading
        self._threads: list[tuple[int, int]] = []
        self._least = 0  # as many interfaces have a cell of each thread

    def read_in(self, epoch: int, sw_if_index: int) -> int | None:
        """What `read` would return, if the epoch is still this one and the cell is in it.

        The fast path of nearly all readings: of 3 threads less than half the time, of 17 a
        quarter.  None where `read` has to decide.
        """
        if sw_if_index >= self._least or self.epoch != epoch:
            return None
        try:
            cells = self._read_cells(self._whole, self._first_cell + self.step * sw_if_index)
        except struct.error:  # a length that was damaged
            return None
        # Every change ends with another epoch, so to check afterwards is enough.
        words = self._words
        if words[EPOCH_WORD] != epoch or words[IN_PROGRESS_WORD]:
            return None
        return sum(cells) & U64

    def read(self, sw_if_index: int) -> int:
        """The sum over all threads, now.

        It lies between the truth just before and just after the call.  Raises
        SegmentUnavailable, also where VPP has no such cell.
        """
        for _ in range(ATTEMPTS):
            total = self.read_settled(self._segment.settled_epoch(), sw_if_index)
            if total is not None:
                return total
        raise self._no_cell(sw_if_index)

    def read_settled(self, epoch: int, sw_if_index: int) -> int | None:
        """What `read` returns, in this epoch of `Segment.settled_epoch`; None in another one.

        Whose cell that is can be asked before it is read: it stays so for as long as the epoch.
        """
        segment = self._segment
        words, lengths = segment.words, segment.lengths
        at = sw_if_index * self._stride + self._offset
        total = seen = 0
        try:
            if epoch != self.epoch or epoch == segment.stuck_epoch:
                self._locate(epoch)
            for start, length_at in self._threads:
                if sw_if_index < lengths[length_at]:
                    total += words[start + at]
                    seen += 1
        except IndexError:
            return None  # a length that was damaged, or given back meanwhile
        except SegmentUnavailable:
            if segment.unchanged(epoch):
                raise  # damage; otherwise VPP was at work, and the next attempt decides
            return None
        if not segment.unchanged(epoch):
            return None
        if not seen:
            raise self._no_cell(sw_if_index)
        if sw_if_index >= self._least:
            self._least = min(lengths[length_at] for _, length_at in self._threads)
        return total & U64

    def _no_cell(self, sw_if_index: int) -> SegmentUnavailable:
        return SegmentUnavailable(f"{self._name.decode()} has no cell {sw_if_index} to be read")

    def read_all(self) -> tuple[int, int]:
        """The sums over all threads, now: (of all interfaces, how many they are).

        All are one integer, 64 bits for each interface, that of sw_if_index 0 the lowest: of
        10,000 interfaces and 17 threads it is there in 1.1 ms, and a list of them in 4.  No sum
        may reach 2^64, as no number of packets does.  Of a simple counter only.  VPP may zero
        an interface meanwhile: then some of its threads are counted and some are not.  Raises
        SegmentUnavailable.
        """
        segment = self._segment
        for _ in range(ATTEMPTS):
            epoch = segment.settled_epoch()
            total = count = 0
            try:
                if epoch != self.epoch or epoch == segment.stuck_epoch:
                    self._locate(epoch)
                for start, length_at in self._threads:
                    length = segment.lengths[length_at]
                    if length > MAX_CELLS:
                        raise SegmentUnavailable(f"{self._name.decode()} has {length} cells")
                    at = start * WORD
                    total += int.from_bytes(self._whole[at : at + length * WORD], "little")
                    count = max(count, length)
            except (SegmentUnavailable, IndexError) as error:
                if segment.unchanged(epoch):
                    raise SegmentUnavailable(str(error)) from error
                continue
            if segment.unchanged(epoch):
                return total, count
        raise SegmentUnavailable("VPP changes its interfaces too fast")

    def locate(self) -> None:
        """Note where the cells lie, so that they can be read if VPP hangs in its lock next."""
        segment = self._segment
        try:
            epoch = segment.settled_epoch()
            if epoch not in (self.epoch, segment.stuck_epoch):
                self._locate(epoch)
                if not segment.unchanged(epoch):
                    self.epoch = -1
        except (SegmentUnavailable, IndexError):
            return  # the next call, or the next reading, finds out

    def vectors(self) -> list[tuple[int, int]]:
        """Each thread's cell of interface 0 (in bytes), and its vector's length (a u32 word)."""
        return [
            ((start + self._offset) * WORD, length_at)
            for start, length_at in self._segment.locate(self._name, self._kind)
        ]

    def _locate(self, epoch: int) -> None:
        threads = self._segment.locate(self._name, self._kind)
        if epoch == self._segment.stuck_epoch and threads != self._threads:
            raise SegmentUnavailable(f"{self._name.decode()} was being changed when VPP hung")
        starts = sorted(start * WORD for start, _ in threads)
        if starts:
            self._read_cells = _reader(starts)
            self._first_cell = starts[0] + self._offset * WORD
        self._threads = threads
        self._least = 0
        self.epoch = epoch


class Counters:
    """Several counters of an interface, read in one call for each group of them.

    Of 3 threads thirteen counters take 3.3 us so, where one by one they take 4.0; of 17 it
    is 8 against 6, but LibreNMS's Get takes 24 readings of them.
    """

    def __init__(self, segment: Segment, *groups: Sequence[Counter]) -> None:
        """The counters of a group are of one kind; it is read after the groups before it."""
        self._segment = segment
        self._groups = groups
        self._epoch: int | None = None
        self._tried: int | None = None
        self._lengths: list[int] = []  # where (u32 words) each vector has its length
        self._least = 0  # as many interfaces have all the cells
        # For each group: what reads it, where interface 0's first cell is, how far the next.
        self._readers: list[tuple[Reader, int, int]] = []

    def read_in(self, epoch: int, sw_if_index: int) -> list[int] | None:
        """What `read_in` of each counter returns, in the order of the groups; None if any does."""
        if self._epoch != epoch and not self._locate(epoch):
            return None
        segment = self._segment
        if sw_if_index >= self._least:
            self._least = min(segment.lengths[each] for each in self._lengths)
            if sw_if_index >= self._least:
                return None
        whole = segment.whole
        found: tuple[int, ...] = ()
        try:
            for read_cells, first, step in self._readers:
                found += read_cells(whole, first + step * sw_if_index)
        except struct.error:  # a length that was damaged
            return None
        if segment.words[EPOCH_WORD] != epoch or segment.words[IN_PROGRESS_WORD]:
            return None
        of_threads = [iter(self._by_counter(found))] * self._threads
        totals = list(map(sum, zip(*of_threads, strict=True)))
        return totals if max(totals) <= U64 else [total & U64 for total in totals]

    def _locate(self, epoch: int) -> bool:
        """Find all the cells; whether that could be done in this epoch."""
        segment = self._segment
        if epoch == self._tried or segment.words[EPOCH_WORD] != epoch:
            return False
        self._tried = epoch
        lengths: set[int] = set()
        readers: list[tuple[Reader, int, int]] = []
        nth: dict[tuple[int, int], int] = {}  # by counter and thread: which of all cells
        counted = 0
        try:
            for group in self._groups:
                by_offset = {}
                for counter in group:
                    for thread, (cell, length) in enumerate(counter.vectors()):
                        by_offset[cell] = counted, thread
                        lengths.add(length)
                    counted += 1
                ascending = sorted(by_offset)
                nth |= {by_offset[cell]: len(nth) + n for n, cell in enumerate(ascending)}
                reader = _reader(ascending or [0])
                readers.append((reader, ascending[0], group[0].step))
        except (SegmentUnavailable, IndexError):
            return False
        self._threads = len(nth) // counted
        if nth.keys() != {(n, thread) for n in range(counted) for thread in range(self._threads)}:
            return False
        if not segment.unchanged(epoch):
            return False
        self._by_counter = itemgetter(*(nth[each] for each in sorted(nth)))
        self._lengths, self._least = list(lengths), 0
        self._readers, self._epoch = readers, epoch
        return True
