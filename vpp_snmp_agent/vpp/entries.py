"""The directory of VPP's statistics segment: which entry is where, by name or by what it leads to.

The rules this module keeps:

- What a search of the directory did not find is not searched for again in that directory; in
  another one, searches of a large one take a hundredth of the time at most.
- Where an entry was found it is looked for first, and its name there is compared each time.
- What is read counts as `mapping.py` says.
"""

import time
from collections.abc import Callable, Iterable
from functools import partial

from .layout import (
    DIRECTORY_WORD,
    ENTRY,
    EPOCH_WORD,
    IF_NAMES,
    KINDS,
    LENGTH,
    NAME_OFFSET,
    VALUE_OFFSET,
    Generation,
    Kind,
)
from .mapping import WORD, MappedSegment, SegmentUnavailable, Vector

MAX_ENTRIES = 1_000_000  # of the directory; per-node counters of a large router are half of it
SEARCH_PAUSE = 100  # as many times as long as a search took, before another directory's
MAX_UNPAUSED_ENTRIES = 10_000  # which are searched in less than a millisecond
SEARCH_SLICE = 4096  # entries
NAMES_SLICE = 512  # entries; of each that is asked for its name costs a microsecond
_HEAD = 8  # bytes of a name: one word of its entry


class SegmentDirectory(MappedSegment):
    """A mapped statistics segment, and the entries of its directory."""

    def __init__(self, descriptor: int) -> None:
        """As MappedSegment."""
        super().__init__(descriptor)
        self._entries: dict[bytes, int] = {}  # where an entry was seen last; checked again
        # The first bytes of all names, as far as they were searched, a slice each.
        self._heads: list[bytes] = []
        self._heads_of: tuple[int, Vector] | None = None  # in this epoch, of this directory
        self._missing: set[bytes] = set()  # the names that are not there
        self._search_from = 0.0  # by time.monotonic: not earlier for a name that was missing

    def directory(self) -> Vector:
        """All entries.  Raises SegmentUnavailable."""
        directory = self.vector(self.words[DIRECTORY_WORD], ENTRY.size)
        if directory.length > MAX_ENTRIES:
            raise SegmentUnavailable(f"the directory has {directory.length} entries")
        return directory

    def entry(self, name: bytes) -> tuple[int, int]:
        """(type number, value) of the directory entry.  Raises KeyError if there is none."""
        directory = self.directory()
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

    def entry_of(self, name: str) -> tuple[int, int]:
        """(type number, value) of an entry.  Raises SegmentUnavailable."""
        try:
            return self.entry(name.encode())
        except KeyError:
            raise SegmentUnavailable(f"the segment has no {name}") from None

    def entry_at(self, directory: Vector, number: int) -> tuple[int, int, bytes]:
        """(type number, value, name) of an entry.  Raises SegmentUnavailable."""
        if number >= directory.length:
            raise SegmentUnavailable(f"the directory has no entry {number}")
        type_, value, name = ENTRY.unpack_from(self.map, directory.at + number * ENTRY.size)
        return type_, value, name

    @property
    def generation(self) -> Generation:
        """Which numbers the entry types bear here."""
        try:
            type_, _ = self.entry(IF_NAMES)
        except KeyError:
            raise SegmentUnavailable("the segment has no /if/names") from None
        if KINDS[Generation.V22_02].get(type_) is Kind.NAME_VECTOR:
            return Generation.V22_02
        if KINDS[Generation.V26_02].get(type_) is not Kind.NAME_VECTOR:
            raise SegmentUnavailable(f"/if/names is of the unknown type {type_}")
        # Nothing but the types themselves distinguishes the later two, and a gauge is
        # there from the first moment.
        try:
            type_, _ = self.entry(b"/sys/vector_rate")
        except KeyError:
            return Generation.V22_06
        is_gauge = KINDS[Generation.V26_02].get(type_) is Kind.GAUGE
        return Generation.V26_02 if is_gauge else Generation.V22_06

    # --- searched for ---------------------------------------------------------------------------

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
        """Differs once an entry was added or removed: a symlink may be, without another epoch.

        Raises SegmentUnavailable.
        """
        directory = self.directory()
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
        directory, found = self.directory(), []
        heads = self._heads_from(directory, first, NAMES_SLICE)
        for head in {prefix[:_HEAD] for prefix in prefixes}:
            at = heads.find(head)
            while at >= 0:
                if not at % _HEAD:
                    number = first + at // _HEAD
                    _, value, name = self.entry_at(directory, number)
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
        directory, kinds = self.directory(), KINDS[self.generation]
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
                    type_, value, name = self.entry_at(directory, number)
                    text = name.split(b"\0", 1)[0]
                    if kinds.get(type_) is Kind.SYMLINK and text.isascii():
                        found.append((text.decode(), target, value >> 32))
                at = halves.find(wanted, at + 1)
        following = first + SEARCH_SLICE
        return found, following if following < directory.length else None
