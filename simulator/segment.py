"""Writes a statistics segment as VPP does (vlib/stats/stats.c).

The segment is a memfd of fixed size.  What keeps readers honest is kept here:
structures change between in_progress = 1 and epoch + 1, in_progress = 0; values change
at any time; a vector that outgrows its capacity moves, and what it leaves behind is
handed out again.
"""

import bisect
import fcntl
import mmap
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from vpp_snmp_agent.vpp import layout
from vpp_snmp_agent.vpp.layout import Generation, Kind

BASE = 0x7F0000000000  # the address at which the pretended VPP maps the segment
VECTOR_HEADER = 16  # bytes before a vector's first item; the length is the third word
ALIGNMENT = 16
SPARE = 32  # the least capacity of a vector that will grow

ITEM_SIZE = {Kind.SIMPLE: layout.CELL.size, Kind.COMBINED: layout.CELL_PAIR.size}


class Heap:
    """First fit in a fixed range of offsets; neighbours that are free become one."""

    def __init__(self, start: int, end: int) -> None:
        self.size = end - start
        self.used = 0
        self._free = [(start, end - start)]

    def allocate(self, size: int) -> int:
        """The offset of `size` bytes; raises MemoryError as VPP would abort."""
        size = -(-size // ALIGNMENT) * ALIGNMENT
        for place, (offset, room) in enumerate(self._free):
            if room < size:
                continue
            if room == size:
                del self._free[place]
            else:
                self._free[place] = (offset + size, room - size)
            self.used += size
            return offset
        raise MemoryError(f"the segment's heap has no {size} bytes in a row left")

    def release(self, offset: int, size: int) -> None:
        size = -(-size // ALIGNMENT) * ALIGNMENT
        self.used -= size
        place = bisect.bisect(self._free, (offset, 0))
        if place < len(self._free) and self._free[place][0] == offset + size:
            size += self._free.pop(place)[1]
        if place and sum(self._free[place - 1]) == offset:
            before, room = self._free[place - 1]
            self._free[place - 1] = (before, room + size)
        else:
            self._free.insert(place, (offset, size))


@dataclass
class Vector:
    """A vector in the segment: `offset` is that of its first item."""

    offset: int
    length: int
    capacity: int
    item: int  # bytes


@dataclass
class CounterVectors:
    """A simple or combined counter: one vector of cells per thread (None: NULL)."""

    kind: Kind
    pointers: Vector
    rows: list[Vector | None]
    columns: int


class SegmentWriter:
    """A statistics segment of `size` bytes, speaking as the releases of `generation`."""

    def __init__(self, size: int, generation: Generation) -> None:
        self.size = size
        self.fd = os.memfd_create("stat segment", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self.fd, size)
        fcntl.fcntl(self.fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)  # vppinfra/linux/mem.c
        self._memory = mmap.mmap(self.fd, size)
        self.words = memoryview(self._memory).cast("B").cast("Q")
        self.heap = Heap(layout.HEAP, size)
        self._numbers = {kind: number for number, kind in layout.KINDS[generation].items()}
        self._numbers.setdefault(Kind.GAUGE, self._numbers[Kind.SCALAR])
        self._entries: dict[str, int] = {}
        self._empty: list[int] = []
        self.counters: dict[str, CounterVectors] = {}
        self._names: list[Vector | None] = []
        self._depth = 0
        self._held = False
        self._directory = self._vector(layout.ENTRY.size, 0, SPARE)
        self._name_pointers = self._vector(layout.POINTER.size, 0, SPARE)
        header = (layout.VERSION, BASE, 1, 0, BASE + self._directory.offset)
        layout.HEADER.pack_into(self._memory, 0, *header)

    # The lock.

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Structures may change within; nested locks are one."""
        self._depth += 1
        self.words[layout.IN_PROGRESS_WORD] = 1
        try:
            yield
        finally:
            self._depth -= 1
            if not self._depth:
                self.words[layout.EPOCH_WORD] += 1
                self.words[layout.IN_PROGRESS_WORD] = int(self._held)

    def hold(self, held: bool) -> None:
        """Leave in_progress at 1, as a VPP that died or hung while it wrote.

        Whatever it is that it goes on with then, it ends as every change does: with another epoch.
        """
        if self._held and not held:
            self.words[layout.EPOCH_WORD] += 1
        self._held = held
        self.words[layout.IN_PROGRESS_WORD] = int(held)

    @property
    def epoch(self) -> int:
        return int(self.words[layout.EPOCH_WORD])

    # Vectors.

    def _vector(self, item: int, length: int, capacity: int = 0) -> Vector:
        capacity = max(length, capacity)
        size = VECTOR_HEADER + item * capacity
        start = self.heap.allocate(size)
        self._memory[start : start + size] = bytes(size)
        vector = Vector(start + VECTOR_HEADER, length, capacity, item)
        self._write_length(vector)
        return vector

    def _write_length(self, vector: Vector) -> None:
        place = vector.offset - layout.LENGTH_BEFORE
        layout.LENGTH.pack_into(self._memory, place, vector.length)

    def _free(self, vector: Vector) -> None:
        size = VECTOR_HEADER + vector.item * vector.capacity
        self.heap.release(vector.offset - VECTOR_HEADER, size)

    def _resize(self, vector: Vector, length: int) -> bool:
        """Make a vector longer; True when it had to move.  New items are zero."""
        if length <= vector.capacity:
            start = vector.offset + vector.item * vector.length
            end = vector.offset + vector.item * length
            self._memory[start:end] = bytes(end - start)
            vector.length = length
            self._write_length(vector)
            return False
        moved = self._vector(vector.item, length, vector.capacity * 3 // 2)
        size = vector.item * vector.length
        kept = self._memory[vector.offset : vector.offset + size]
        self._memory[moved.offset : moved.offset + size] = kept
        self._free(vector)
        vector.offset, vector.length, vector.capacity = moved.offset, length, moved.capacity
        return True

    def _write_pointer(self, vector: Vector, index: int, target: Vector | None) -> None:
        address = BASE + target.offset if target else 0
        self.words[vector.offset // 8 + index] = address

    # The directory.

    def _write_entry(self, index: int, kind: Kind, value: int, name: str) -> None:
        place = self._directory.offset + layout.ENTRY.size * index
        number = self._numbers[kind]
        layout.ENTRY.pack_into(self._memory, place, number, value, name.encode())

    def _add(self, name: str, kind: Kind, value: int) -> int:
        if self._empty:
            index = self._empty.pop()
        else:
            index = self._directory.length
            if self._resize(self._directory, index + 1):
                self.words[layout.DIRECTORY_WORD] = BASE + self._directory.offset
        self._entries[name] = index
        self._write_entry(index, kind, value, name)
        return index

    def add_scalar(self, name: str, value: int = 0, kind: Kind = Kind.SCALAR) -> None:
        """A scalar; a gauge is one too where the generation has no gauges."""
        with self.lock():
            self._add(name, kind, value)

    def add_symlink(self, name: str, target: str, column: int) -> None:
        """Leads to one column of a counter.  Unlocked, as VPP may do: no new epoch."""
        self._add(name, Kind.SYMLINK, self._entries[target] | column << 32)

    def add_error(self, name: str, column: int) -> None:
        """Leads to a column of /node/errors, by a symlink or as v22.02 did."""
        if Kind.ERROR_INDEX not in self._numbers:
            self.add_symlink(name, "/node/errors", column)
            return
        with self.lock():
            vectors = self.counters["/node/errors"].pointers
            self.words[layout.ERROR_VECTOR_WORD] = BASE + vectors.offset
            self._add(name, Kind.ERROR_INDEX, column)

    def add_counter(self, name: str, kind: Kind, threads: int, columns: int) -> None:
        with self.lock():
            pointers = self._vector(layout.POINTER.size, threads)
            rows: list[Vector | None] = []
            for thread in range(threads):
                row = self._vector(ITEM_SIZE[kind], columns, SPARE)
                self._write_pointer(pointers, thread, row)
                rows.append(row)
            self.counters[name] = CounterVectors(kind, pointers, rows, columns)
            self._add(name, kind, BASE + pointers.offset)

    def add_names(self, name: str) -> None:
        """The name vector, still empty."""
        with self.lock():
            self._add(name, Kind.NAME_VECTOR, BASE + self._name_pointers.offset)
            self._names_entry = name

    def remove(self, name: str) -> None:
        """The entry becomes an empty one, which the next entry takes over."""
        with self.lock():
            index = self._entries.pop(name)
            self._write_entry(index, Kind.EMPTY, 0, "")
            self._empty.append(index)

    def where(self, name: str) -> dict[str, Any]:
        """Offsets of an entry and of what it leads to, for a test that wants to break it."""
        index = self._entries[name]
        places: dict[str, Any] = {
            "directory": self._directory.offset,
            "entry": self._directory.offset + layout.ENTRY.size * index,
        }
        if name in self.counters:
            counter = self.counters[name]
            places["pointers"] = counter.pointers.offset
            places["rows"] = [row.offset if row else None for row in counter.rows]
        return places

    # Values.

    def set_scalar(self, name: str, value: int) -> None:
        place = self._directory.offset + layout.ENTRY.size * self._entries[name]
        self.words[place // 8 + 1] = value

    def set_row(self, name: str, thread: int, values: Sequence[int]) -> None:
        """All cells of one thread's row; of a combined counter packets and bytes in turn."""
        row = self.counters[name].rows[thread]
        if row:
            start = row.offset // 8
            for column, value in enumerate(values):
                self.words[start + column] = value

    def grow(self, names: list[str], columns: int) -> bool:
        """Give counters at least so many columns; True when a row moved (and the epoch)."""
        counters = [self.counters[name] for name in names]
        if all(counter.columns >= columns for counter in counters):
            return False
        rows = [row for counter in counters for row in counter.rows]
        moves = any(row is None or row.capacity < columns for row in rows)
        with self.lock() if moves else nullcontext():
            for counter in counters:
                counter.columns = columns
                for thread, row in enumerate(counter.rows):
                    if row is None:
                        row = self._vector(ITEM_SIZE[counter.kind], columns, SPARE)
                        counter.rows[thread] = row
                        self._write_pointer(counter.pointers, thread, row)
                    elif self._resize(row, columns):
                        self._write_pointer(counter.pointers, thread, row)
        return moves

    def drop_row(self, name: str, thread: int) -> None:
        """One thread's vector becomes NULL, until the counter grows again."""
        with self.lock():
            counter = self.counters[name]
            row = counter.rows[thread]
            if row:
                self._write_pointer(counter.pointers, thread, None)
                self._free(row)
                counter.rows[thread] = None

    def set_name(self, index: int, name: str | None) -> None:
        """What the name vector says at an index (None: NULL)."""
        with self.lock():
            while len(self._names) <= index:
                self._names.append(None)
            if index >= self._name_pointers.length and self._resize(self._name_pointers, index + 1):
                place = self._entries[self._names_entry]
                address = BASE + self._name_pointers.offset
                self._write_entry(place, Kind.NAME_VECTOR, address, self._names_entry)
            old, new = self._names[index], None
            if name is not None:
                text = name.encode() + b"\0"
                new = self._vector(1, len(text))
                self._memory[new.offset : new.offset + len(text)] = text
            self._names[index] = new
            self._write_pointer(self._name_pointers, index, new)
            if old:
                self._free(old)

    def overwrite(self, offset: int, data: bytes) -> None:
        """Put any bytes anywhere."""
        self._memory[offset : offset + len(data)] = data
