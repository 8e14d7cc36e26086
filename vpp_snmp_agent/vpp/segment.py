"""What is in VPP's statistics segment: its directory, and the values and names in it.

The rules this module keeps:

- A length is held against what such a thing can be: in a segment of 1 GB the rest of it is no
  bound.
- What a search of the directory did not find is not searched for again in that directory; in
  another one, searches of a large one take a hundredth of the time at most.
- What is read counts as `mapping.py` says.
"""

import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial

from .layout import (
    BASE_WORD,
    DIRECTORY_WORD,
    ENTRY,
    EPOCH_WORD,
    ERROR_VECTOR_WORD,
    IF_NAMES,
    KINDS,
    LENGTH,
    NAME_OFFSET,
    NODE_ERRORS,
    VALUE_OFFSET,
    Generation,
    Kind,
)
from .mapping import WORD, MappedSegment, Vector
from .mapping import SegmentUnavailable as SegmentUnavailable  # whoever reads a segment catches it

MAX_THREADS = 1024  # far above what VPP can start: a longer vector is damage
MAX_ENTRIES = 1_000_000  # of the directory; per-node counters of a large router are half of it
MAX_NAME_LENGTH = 256  # bytes of a name in /if/names; VPP's API has 64 for it
MAX_NAMES = 100_000  # in /if/names, all of which are read at once
NAME_SIZE = 64  # bytes of each that are read then
SEARCH_PAUSE = 100  # as many times as long as a search took, before another directory's
MAX_UNPAUSED_ENTRIES = 10_000  # which are searched in less than a millisecond
SEARCH_SLICE = 4096  # entries
NAMES_SLICE = 512  # entries; of each that is asked for its name costs a microsecond

_U32, U64 = 2**32 - 1, 2**64 - 1
_HEAD = 8  # bytes of a name: one word of its entry
DELETED = b"deleted"  # what /if/names has since 23.10 where an interface was
STRIDES = {Kind.SIMPLE: 1, Kind.COMBINED: 2}  # u64 words for each interface


class Segment(MappedSegment):
    """A mapped statistics segment, and what its directory leads to."""

    def __init__(self, descriptor: int) -> None:
        """Maps and checks; the descriptor stays the caller's.  Raises SegmentUnavailable."""
        super().__init__(descriptor)
        self._entries: dict[bytes, int] = {}  # where an entry was seen last; checked again
        # The first bytes of all names, as far as they were searched, a slice each.
        self._heads: list[bytes] = []
        self._heads_of: tuple[int, Vector] | None = None  # in this epoch, of this directory
        self._missing: set[bytes] = set()  # the names that are not there
        self._texts: tuple[int, list[bytes]] | None = None  # `interface_names`, and their epoch
        self._search_from = 0.0  # by time.monotonic: not earlier for a name that was missing

    @classmethod
    def map_and_close(cls, descriptor: int) -> "Segment":
        """Map a segment that was received: its descriptor is no longer needed.

        Raises SegmentUnavailable.
        """
        try:
            return cls(descriptor)
        finally:
            os.close(descriptor)

    # --- what is where ----------------------------------------------------------------------

    def _directory(self) -> Vector:
        directory = self.vector(self.words[DIRECTORY_WORD], ENTRY.size)
        if directory.length > MAX_ENTRIES:
            raise SegmentUnavailable(f"the directory has {directory.length} entries")
        return directory

    def _entry(self, name: bytes) -> tuple[int, int]:
        """(type number, value) of the directory entry.  Raises KeyError if there is none."""
        directory = self._directory()
        start, count = directory.at, directory.length
        wanted = name + b"\0"

        def is_at(number: int) -> bool:
            at = start + number * ENTRY.size + NAME_OFFSET
            return number < count and self.map[at : at + len(wanted)] == wanted

        number = self._entries.get(name, count)
        if not is_at(number):
            number = self._entries[name] = self._search(name, directory, is_at)
        type_, value, _ = ENTRY.unpack_from(self.map, start + number * ENTRY.size)
        return type_, value

    def _search(self, name: bytes, directory: Vector, is_at: Callable[[int], bool]) -> int:
        """The number of a name's entry.  Raises KeyError if there is none.

        Half a million entries are no rarity: the heads of the names are put together once, and
        searched by the C library.  VPP's own counters stand before those of its interfaces, so
        that the first slice has them.
        """
        began = time.monotonic()
        searched = self.words[EPOCH_WORD], directory
        if searched != self._heads_of:
            if name in self._missing and began < self._search_from:
                raise KeyError(name)
            self._heads, self._heads_of = [], searched
            self._missing.clear()
        if name in self._missing:
            raise KeyError(name)
        number = self._find(name, directory, is_at)
        if directory.length > MAX_UNPAUSED_ENTRIES:
            now = time.monotonic()
            self._search_from = max(self._search_from, now) + SEARCH_PAUSE * (now - began)
        if number < 0:
            self._missing.add(name)
            raise KeyError(name)
        return number

    def _find(self, name: bytes, directory: Vector, is_at: Callable[[int], bool]) -> int:
        """The number of a name's entry by the heads of all names; -1 if there is none."""
        head = (name + b"\0")[:_HEAD]
        for part, first in enumerate(range(0, directory.length, SEARCH_SLICE)):
            if part == len(self._heads):
                self._heads.append(self._heads_from(directory, first, SEARCH_SLICE))
            heads = self._heads[part]
            at = heads.find(head)
            while at >= 0:
                if not at % _HEAD and is_at(first + at // _HEAD):
                    return first + at // _HEAD
                at = heads.find(head, at + 1)
        return -1

    def _heads_from(self, directory: Vector, first: int, count: int) -> bytes:
        """The first bytes of the names of so many entries."""
        step = ENTRY.size // WORD
        begin = (directory.at + NAME_OFFSET) // WORD
        end = begin + min(first + count, directory.length) * step
        return self.words[begin + first * step : end : step].tobytes()

    @property
    def directory_version(self) -> tuple[int, int, int]:
        """What is another one where an entry came or went; a symlink comes without an epoch.

        Raises SegmentUnavailable.
        """
        directory = self._directory()
        return self.words[EPOCH_WORD], directory.at, directory.length

    def entries_from(
        self, first: int, prefixes: Iterable[bytes]
    ) -> tuple[list[tuple[str, int]], int | None]:
        """The entries in a slice of the directory whose names begin with one of these, and the
        entry at which the next slice begins; None after the last.  Raises SegmentUnavailable.

        Each entry is its name and its value, which may be a pointer or two indexes.  A prefix
        that is shorter than eight bytes is searched for as it is.
        """
        return self.settled(partial(self._entries_from, first, tuple(prefixes)))

    def _entries_from(
        self, first: int, prefixes: tuple[bytes, ...]
    ) -> tuple[list[tuple[str, int]], int | None]:
        directory, found = self._directory(), []
        heads = self._heads_from(directory, first, NAMES_SLICE)
        for head in {prefix[:_HEAD] for prefix in prefixes}:
            at = heads.find(head)
            while at >= 0:
                if not at % _HEAD:
                    number = first + at // _HEAD
                    _, value, name = self._entry_at(directory, number)
                    name = name.split(b"\0", 1)[0]
                    if name.startswith(prefixes) and name.isascii():
                        self._entries[name] = number
                        found.append((name.decode(), value))
                at = heads.find(head, at + 1)
        following = first + NAMES_SLICE
        return found, following if following < directory.length else None

    def symlinks_from(
        self, first: int, targets: Iterable[str]
    ) -> tuple[list[tuple[str, str, int]], int | None]:
        """In a slice of the directory the symlinks that lead to one of these entries: (name,
        target, column); and the entry at which the next slice begins, None after the last.

        To search for them by name is to read each of every interface's symlinks.
        Raises SegmentUnavailable, also where there is no such target.
        """
        return self.settled(partial(self._symlinks_from, first, tuple(targets)))

    def _symlinks_from(
        self, first: int, targets: Iterable[str]
    ) -> tuple[list[tuple[str, str, int]], int | None]:
        directory, kinds = self._directory(), KINDS[self.generation]
        step = ENTRY.size // LENGTH.size
        begin = (directory.at + VALUE_OFFSET) // LENGTH.size
        end = begin + min(first + SEARCH_SLICE, directory.length) * step
        # The lower half of each value: of a symlink the entry that it leads to.
        halves = self.lengths[begin + first * step : end : step].tobytes()
        found = []
        for target in targets:
            self.entry_of(target)
            wanted = LENGTH.pack(self._entries[target.encode()])
            at = halves.find(wanted)
            while at >= 0:
                if not at % LENGTH.size:
                    number = first + at // LENGTH.size
                    type_, value, name = self._entry_at(directory, number)
                    text = name.split(b"\0", 1)[0]
                    if kinds.get(type_) is Kind.SYMLINK and text.isascii():
                        found.append((text.decode(), target, value >> 32))
                at = halves.find(wanted, at + 1)
        following = first + SEARCH_SLICE
        return found, following if following < directory.length else None

    def _entry_at(self, directory: Vector, number: int) -> tuple[int, int, bytes]:
        """(type number, value, name) of an entry.  Raises SegmentUnavailable."""
        if number >= directory.length:
            raise SegmentUnavailable(f"the directory has no entry {number}")
        type_, value, name = ENTRY.unpack_from(self.map, directory.at + number * ENTRY.size)
        return type_, value, name

    @property
    def generation(self) -> Generation:
        """Which numbers the entry types bear here."""
        try:
            type_, _ = self._entry(IF_NAMES)
        except KeyError:
            raise SegmentUnavailable("the segment has no /if/names") from None
        if KINDS[Generation.V22_02].get(type_) is Kind.NAME_VECTOR:
            return Generation.V22_02
        if KINDS[Generation.V26_02].get(type_) is not Kind.NAME_VECTOR:
            raise SegmentUnavailable(f"/if/names is of the unknown type {type_}")
        # Nothing but the types themselves distinguishes the later two, and a gauge is
        # there from the first moment.
        try:
            type_, _ = self._entry(b"/sys/vector_rate")
        except KeyError:
            return Generation.V22_06
        is_gauge = KINDS[Generation.V26_02].get(type_) is Kind.GAUGE
        return Generation.V26_02 if is_gauge else Generation.V22_06

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
                type_, pointer, _ = self._entry_at(self._directory(), value & _U32)
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
        kinds, directory, found = KINDS[self.generation], self._directory(), {}
        for name in names:
            with suppress(KeyError, SegmentUnavailable):
                type_, value = self._entry(name.encode())
                kind = kinds.get(type_)
                if kind is Kind.ERROR_INDEX:
                    found[name] = value
                elif kind is Kind.SYMLINK:
                    _, _, target = self._entry_at(directory, value & _U32)
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

    def entry_of(self, name: str) -> tuple[int, int]:
        """(type number, value) of an entry.  Raises SegmentUnavailable."""
        try:
            return self._entry(name.encode())
        except KeyError:
            raise SegmentUnavailable(f"the segment has no {name}") from None

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
