"""What is in VPP's statistics segment: the values and names to which its directory leads.

The rules this module keeps:

- A length is held against what such a thing can be: in a segment of 1 GB the rest of it is no
  bound.
- What is read counts as `mapping.py` says.
"""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial

from .entries import SegmentDirectory
from .layout import (
    BASE_WORD,
    EPOCH_WORD,
    ERROR_VECTOR_WORD,
    IF_NAMES,
    KINDS,
    NODE_ERRORS,
    Generation,
    Kind,
)
from .mapping import WORD, Vector
from .mapping import SegmentUnavailable as SegmentUnavailable  # whoever reads a segment catches it

MAX_THREADS = 1024  # far above what VPP can start: a longer vector is damage
MAX_NAME_LENGTH = 256  # bytes of a name in /if/names; VPP's API has 64 for it
MAX_NAMES = 100_000  # in /if/names, all of which are read at once
NAME_SIZE = 64  # bytes of each that are read then

_U32, U64 = 2**32 - 1, 2**64 - 1
DELETED = b"deleted"  # what /if/names has since 23.10 where an interface was
STRIDES = {Kind.SIMPLE: 1, Kind.COMBINED: 2}  # u64 words for each interface


class Segment(SegmentDirectory):
    """A mapped statistics segment, and what its directory leads to."""

    def __init__(self, descriptor: int) -> None:
        """Maps and checks; the descriptor stays the caller's.  Raises SegmentUnavailable."""
        super().__init__(descriptor)
        self._texts: tuple[int, list[bytes]] | None = None  # `interface_names`, and their epoch

    @classmethod
    def map_and_close(cls, descriptor: int) -> "Segment":
        """Map a segment that was received: its descriptor is no longer needed.

        Raises SegmentUnavailable.
        """
        try:
            return cls(descriptor)
        finally:
            os.close(descriptor)

    def scalar(self, name: str) -> int:
        """The value of a scalar or gauge.  Raises SegmentUnavailable."""
        type_, value = self.entry_of(name)
        if KINDS[self.generation].get(type_) not in (Kind.SCALAR, Kind.GAUGE):
            raise SegmentUnavailable(f"{name} is no scalar but of type {type_}")
        return value

    def value(self, name: str) -> int:
        """What a scalar, a gauge, an error or a symlink says: of a counter the sum of all threads.

        Raises SegmentUnavailable, also where there is no such entry.
        """
        return self.values_of((name,))[0]

    def values_of(self, names: Sequence[str]) -> list[int]:
        """What `value` says of each of these, all in one epoch.

        Raises SegmentUnavailable, also where there is no such entry.
        """
        return self.settled(partial(self._values_of, names))

    def _values_of(self, names: Sequence[str]) -> list[int]:
        kinds, rows = KINDS[self.generation], _Columns(self)
        found = []
        for name in names:
            type_, value = self.entry_of(name)
            kind = kinds.get(type_)
            if kind is Kind.ERROR_INDEX:
                value = rows.sum(self.words[ERROR_VECTOR_WORD], value)
            elif kind is Kind.SYMLINK:
                # index1, an entry, and index2, a column of it (vlib/stats/shared.h)
                type_, pointer, _ = self.entry_at(self.directory(), value & _U32)
                if kinds.get(type_) is not Kind.SIMPLE:
                    raise SegmentUnavailable(f"{name} is no number but of type {type_}")
                value = rows.sum(pointer, value >> 32)
            elif kind not in (Kind.SCALAR, Kind.GAUGE):
                raise SegmentUnavailable(f"{name} is no number but of type {type_}")
            found.append(value)
        return found

    def values(self, name: str) -> list[int]:
        """All of the first thread's cells of a simple counter.  Raises SegmentUnavailable."""
        return self.settled(partial(self._values, name))

    def _values(self, name: str) -> list[int]:
        for start, length_at in self.locate(name.encode(), Kind.SIMPLE)[:1]:
            return self.words[start : start + self.lengths[length_at]].tolist()
        return []

    def by_error_column(self, entries: Mapping[str, int]) -> dict[int, str]:
        """The names of `/err/` entries by the columns to which their values lead.

        Raises SegmentUnavailable.
        """
        shift = 0 if self.generation is Generation.V22_02 else 32
        return {value >> shift: name for name, value in entries.items()}

    def error_columns(self, names: Collection[str]) -> dict[str, int]:
        """The columns to which `/err/` entries lead now; none of those that are not there.

        Raises SegmentUnavailable.
        """
        return self.settled(partial(self._error_columns, names))

    def _error_columns(self, names: Collection[str]) -> dict[str, int]:
        kinds, directory, found = KINDS[self.generation], self.directory(), {}
        for name in names:
            with suppress(KeyError, SegmentUnavailable):
                type_, value = self.entry(name.encode())
                kind = kinds.get(type_)
                if kind is Kind.ERROR_INDEX:
                    found[name] = value
                elif kind is Kind.SYMLINK:
                    _, _, target = self.entry_at(directory, value & _U32)
                    if target.startswith(NODE_ERRORS + b"\0"):
                        found[name] = value >> 32
        return found

    def rows(self, pointer: int, item: int) -> Iterator[Vector]:
        """The vector of each thread, of items of so many bytes.  Raises SegmentUnavailable."""
        threads = self.vector(pointer, WORD)
        if threads.length > MAX_THREADS:
            raise SegmentUnavailable(f"a counter has {threads.length} threads")
        first = threads.at // WORD
        for thread in self.words[first : first + threads.length]:
            if thread:
                yield self.vector(thread, item)

    @property
    def uptime(self) -> int:
        """Seconds since this VPP started, by its own count; 0 where it does not say.

        Not by /sys/boottime, which trusts the clock that a router has when it boots.
        """
        try:
            return self.scalar("/sys/last_update")
        except SegmentUnavailable:
            return 0

    def locate(self, name: bytes, kind: Kind) -> list[tuple[int, int]]:
        """Where a counter's cells lie, thread by thread: (first u64 word, u32 word of the length).

        Raises SegmentUnavailable.
        """
        type_, pointer = self.entry_of(name.decode())
        if KINDS[self.generation].get(type_) is not kind:
            raise SegmentUnavailable(f"{name.decode()} is not {kind.value} but of type {type_}")
        if not pointer:
            return []
        rows = self.rows(pointer, STRIDES[kind] * WORD)
        return [(cells.at // WORD, cells.length_at) for cells in rows]

    def name_at(self, sw_if_index: int) -> tuple[int, bytes]:
        """(epoch, what /if/names has at an index in it); the name is empty where it is NULL.

        A rename does not reach it, and a deleted interface's place may keep its name; but
        another interface at that index has its own.  Raises SegmentUnavailable.
        """
        return self.settled(lambda: (self.words[EPOCH_WORD], self._name(sw_if_index)))

    def interface_names(self) -> tuple[int, list[bytes]]:
        """(epoch, what /if/names has in it), by index, each as `name_in` takes it.

        Read once in an epoch, and the same object then: of 10,000 interfaces in 1 ms.  While VPP
        hangs in its lock they are those that were read before.  Raises SegmentUnavailable.
        """
        epoch = self.settled_epoch()
        if self._texts is None or epoch not in (self._texts[0], self.stuck_epoch):
            self._texts = self.settled(self._interface_names)
        return epoch if epoch == self.stuck_epoch else self._texts[0], self._texts[1]

    def _interface_names(self) -> tuple[int, list[bytes]]:
        _, pointer = self.entry_of(IF_NAMES.decode())
        names = self.vector(pointer, WORD)
        if names.length > MAX_NAMES:
            raise SegmentUnavailable(f"/if/names has {names.length} names")
        first, base, whole = names.at // WORD, self.words[BASE_WORD], self.map
        # Wherever a pointer leads, a slice does not leave the mapping; of NULL it is empty.
        return self.words[EPOCH_WORD], [
            whole[(at := each - base) : at + NAME_SIZE] if each > base else b""
            for each in self.words[first : first + names.length].tolist()
        ]

    def _name(self, sw_if_index: int) -> bytes:
        _, pointer = self.entry_of(IF_NAMES.decode())
        names = self.vector(pointer, WORD)
        address = 0
        if sw_if_index < names.length:
            address = self.words[names.at // WORD + sw_if_index]
        if not address:
            return b""
        text = self.vector(address, 1)
        if text.length > MAX_NAME_LENGTH:
            raise SegmentUnavailable(f"a name of {text.length} bytes in /if/names")
        return self.map[text.at : text.at + text.length].split(b"\0", 1)[0]


def name_in(text: bytes) -> bytes:
    """The name that a text begins with; empty where no interface is any more.

    Since 23.10 VPP writes a word for a deleted one, before 22.06 a NULL, and between these
    the name stays.
    """
    name = text.split(b"\0", 1)[0]
    return b"" if name == DELETED else name


class _Columns:
    """Columns of simple counters, whose vectors are looked up once."""

    def __init__(self, segment: Segment) -> None:
        self._segment = segment
        self._words = segment.words
        self._rows: dict[int, list[tuple[int, int]]] = {}  # by pointer: first word, length

    def sum(self, pointer: int, column: int) -> int:
        """That of all threads that have it.  Raises SegmentUnavailable."""
        rows = self._rows.get(pointer)
        if rows is None:
            found = self._segment.rows(pointer, WORD) if pointer else ()
            rows = self._rows[pointer] = [(each.at // WORD, each.length) for each in found]
        words = self._words
        return sum([words[at + column] for at, length in rows if column < length]) & U64
