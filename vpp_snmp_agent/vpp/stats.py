"""VPP's statistics segment: map it, find a counter, read one cell of it.

The rules this module keeps:

- Nothing is copied ahead: a cell is read when it is asked for, and summed over threads.
- Every pointer, length and index is checked before it is used; what does not fit is
  `SegmentUnavailable`, and no read leaves the mapping.  A length is held against what such a
  thing can be, too: in a segment of 1 GB the rest of it is no bound.
- Nobody may cut off what is mapped, which would end the agent by SIGBUS: a segment is sealed
  against that, as VPP does, or of huge pages, which VPP cannot seal.
- What a search of the directory did not find is not searched for again in that directory; in
  another one, searches of a large one take a hundredth of the time at most.
- A reading counts only if VPP changed no structure meanwhile (vlib/stats/stats.c:
  in_progress is 0 and the epoch unchanged).  A writer that keeps the lock is waited for
  briefly, and not again until it has let go: it may have died or hung with it.
- A lock that is kept for `KEPT` is a main thread that hangs in it.  It changes nothing any
  more, and its workers count on: what leads to a cell just as it did before is read.
- Where a counter lies is remembered for an epoch.  Within one a vector may grow, but it
  neither moves nor shrinks (vlib/counter.c validates it, or removes its entry): a cell that
  was there still is, and for one that was not the lengths are read again.
"""

import array
import fcntl
import mmap
import os
import socket
import struct
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import TypeVar

from .layout import (
    BASE_WORD,
    DIRECTORY_WORD,
    ENTRY,
    EPOCH_WORD,
    ERROR_VECTOR_WORD,
    HEAP,
    IF_NAMES,
    IN_PROGRESS_WORD,
    KINDS,
    LENGTH,
    LENGTH_BEFORE,
    NAME_OFFSET,
    NODE_ERRORS,
    VALUE_OFFSET,
    VERSION,
    VERSION_WORD,
    Generation,
    Kind,
)

MEMFD = "/memfd:stat segment"  # what VPP calls it (vlib/stats/init.c), as /proc shows it
LOCK_WAIT = 0.05  # seconds; VPP holds its lock for microseconds, unless it is preempted
KEPT = 1.0  # seconds; the longest change, of 10,000 interfaces by 17 threads, takes tens of ms
ATTEMPTS = 5  # to read one cell between two structural changes
MAX_THREADS = 1024  # far above what VPP can start: a longer vector is damage
MAX_ENTRIES = 1_000_000  # of the directory; per-node counters of a large router are half of it
MAX_COPIED_CELLS = 1 << 19  # of all threads, at once; 6,000 errors of 64 threads are 384,000
BLOCK = 32  # cells of a copied vector that are compared at once
MAX_NAME_LENGTH = 256  # bytes of a name in /if/names; VPP's API has 64 for it
MAX_NAMES = 100_000  # in /if/names, all of which are read at once
NAME_SIZE = 64  # bytes of each that are read then
MAX_CELLS = 1_000_000  # of one thread that are read at once; 10,000 interfaces are many
SEARCH_PAUSE = 100  # as many times as long as a search took, before another directory's
MAX_UNPAUSED_ENTRIES = 10_000  # which are searched in less than a millisecond

_WORD = 8
_U32, _U64 = 2**32 - 1, 2**64 - 1
_LENGTH_WORDS = LENGTH_BEFORE // LENGTH.size  # back from a pointer, in u32 words
SEARCH_SLICE = 4096  # entries
NAMES_SLICE = 512  # entries; of each that is asked for its name costs a microsecond
BLOCK_SIZE = BLOCK * _WORD
_HEAD = 8  # bytes of a name: one word of its entry
DELETED = b"deleted"  # what /if/names has since 23.10 where an interface was
_STRIDES = {Kind.SIMPLE: 1, Kind.COMBINED: 2}  # u64 words for each interface

T = TypeVar("T")
Reader = Callable[[memoryview, int], tuple[int, ...]]


class SegmentUnavailable(Exception):
    """The segment, or a part of it, cannot be had or read now; the text says why."""


def receive_segment(path: str, timeout: float) -> tuple[int, int]:
    """Ask VPP at `path` for its segment (vlib/stats/init.c).

    Returns (a file descriptor of the segment, the process id of who gave it or 0).
    Raises SegmentUnavailable after `timeout` seconds, or where nobody listens.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as vpp:
        vpp.settimeout(timeout)
        descriptors = array.array("i")
        try:
            vpp.connect(path)
            # A zero-length message bears the descriptor: 0 octets are not the end here.
            _, ancillary, _, _ = vpp.recvmsg(0, socket.CMSG_SPACE(descriptors.itemsize))
            pid = peer_pid(vpp)
        except OSError as error:
            raise SegmentUnavailable(f"{path}: {error.strerror or 'no answer'}") from error
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
    if not descriptors:
        raise SegmentUnavailable(f"{path}: VPP gave no descriptor of its segment")
    first, *others = descriptors
    for other in others:
        os.close(other)
    return first, pid


def open_segment_of(pid: int) -> int:
    """A file descriptor of the segment that VPP, process `pid`, has open itself.

    For one whose main thread hangs, which hands over nothing.  The kernel lets root look there,
    and who VPP runs as.  Raises SegmentUnavailable.
    """
    directory = f"/proc/{pid}/fd"
    try:
        for each in os.listdir(directory):
            path = f"{directory}/{each}"
            with suppress(FileNotFoundError):  # it was closed just now
                if os.readlink(path).startswith(MEMFD):
                    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        why = f"{directory}: {error.strerror}"
        if isinstance(error, PermissionError):
            why = f"only root can read that of a VPP that hangs ({why})"
        raise SegmentUnavailable(why) from error
    raise SegmentUnavailable(f"process {pid} has no segment open")


def _is_sealed(descriptor: int) -> bool:
    """Whether a segment is sealed against being cut off; False if it is of huge pages.

    Raises SegmentUnavailable if it is neither.
    """
    try:
        seals = fcntl.fcntl(descriptor, fcntl.F_GET_SEALS)
    except OSError:
        seals = None  # it is not even a memfd
    if seals is not None and seals & fcntl.F_SEAL_SHRINK:
        return True
    if seals is not None and os.fstatvfs(descriptor).f_bsize > mmap.PAGESIZE:
        return False
    raise SegmentUnavailable(
        "the segment could be cut off while it is read (no F_SEAL_SHRINK, no huge pages):"
        " what listens there is no VPP"
    )


def listener_pid(path: str, timeout: float) -> int:
    """The process that listens at a stream socket; 0 if it is in another pid namespace.

    It need not accept: the kernel knows.  Raises OSError.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(timeout)
        probe.connect(path)
        return peer_pid(probe)


def peer_pid(connected: socket.socket) -> int:
    """The process at the other end of a unix socket; 0 if it is in another pid namespace."""
    credentials = array.array("i")
    size = 3 * credentials.itemsize
    credentials.frombytes(connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return credentials[0]


@dataclass(frozen=True)
class _Vector:
    """A checked vector: where it starts (bytes), its length, and the u32 word that holds it."""

    at: int
    length: int
    length_at: int


class Segment:
    """A mapped statistics segment."""

    def __init__(self, descriptor: int) -> None:
        """Maps and checks; the descriptor stays the caller's.  Raises SegmentUnavailable."""
        try:
            status = os.fstat(descriptor)
            self.inode = status.st_ino  # another VPP has another one, whatever its pid
            self.size = status.st_size
            if self.size < HEAP:
                raise SegmentUnavailable(f"a segment of {self.size} bytes is too small")
            self.is_sealed = _is_sealed(descriptor)
            self._map = mmap.mmap(descriptor, self.size, mmap.MAP_SHARED, mmap.PROT_READ)
        except (OSError, ValueError) as error:
            raise SegmentUnavailable(f"the segment cannot be mapped: {error}") from error
        whole = memoryview(self._map)
        self.whole = whole[: len(whole) - len(whole) % _WORD]
        self.words = self.whole.cast("Q")
        self.lengths = self.whole.cast("I")
        if self.words[VERSION_WORD] != VERSION:
            raise SegmentUnavailable(
                f"the segment has version {self.words[VERSION_WORD]}, not {VERSION}"
            )
        self._entries: dict[bytes, int] = {}  # where an entry was seen last; checked again
        # The first bytes of all names, as far as they were searched, a slice each.
        self._heads: list[bytes] = []
        self._heads_of: tuple[int, _Vector] | None = None  # in this epoch, of this directory
        self._missing: set[bytes] = set()  # the names that are not there
        self._texts: tuple[int, list[bytes]] | None = None  # `interface_names`, and their epoch
        self._search_from = 0.0  # by time.monotonic: not earlier for a name that was missing
        self._locked_in: int | None = None  # the epoch in which the lock was seen held
        self._locked_since = 0.0  # by time.monotonic
        self.kept_in: int | None = None  # the epoch whose lock is kept, and read through

    # --- the lock -----------------------------------------------------------------------

    def settled_epoch(self) -> int:
        """The epoch, once no change is in progress, or none can be any more (`kept_in`).

        Raises SegmentUnavailable.
        """
        words = self.words
        if not words[IN_PROGRESS_WORD]:
            return words[EPOCH_WORD]
        if not self._is_locked():
            until = time.monotonic() + LOCK_WAIT
            while words[IN_PROGRESS_WORD]:
                if time.monotonic() > until:
                    self.look_at_lock()
                    raise SegmentUnavailable("VPP keeps the segment locked")
                time.sleep(0)  # whoever holds it may need this very core
            return words[EPOCH_WORD]
        if time.monotonic() < self._locked_since + KEPT:
            raise SegmentUnavailable("VPP keeps the segment locked")
        # Letting go makes a new epoch, so the lock of this one was held all the time.
        self.kept_in = self._locked_in
        assert self.kept_in is not None
        return self.kept_in

    def _is_locked(self) -> bool:
        """Whether the lock that is held now was seen held before."""
        return self._locked_in == self.words[EPOCH_WORD]

    def look_at_lock(self) -> None:
        """Note since when the lock is held.  A poller may come too rarely to tell."""
        if self.words[IN_PROGRESS_WORD] and not self._is_locked():
            self._locked_in = self.words[EPOCH_WORD]
            self._locked_since = time.monotonic()

    @property
    def is_stuck(self) -> bool:
        """Whether the lock is kept, by a main thread that hangs in it."""
        is_locked = self.words[IN_PROGRESS_WORD] and self._is_locked()
        return bool(is_locked) and time.monotonic() >= self._locked_since + KEPT

    @property
    def epoch(self) -> int:
        """How many times VPP has changed what is in the segment."""
        return self.words[EPOCH_WORD]

    def unchanged(self, epoch: int) -> bool:
        """Whether what was read since `settled_epoch` is of one piece."""
        words = self.words
        return words[EPOCH_WORD] == epoch and (not words[IN_PROGRESS_WORD] or self.kept_in == epoch)

    # --- what is where ----------------------------------------------------------------------

    def _vector(self, pointer: int, item: int) -> _Vector:
        """Check the vector at `pointer`, of items of so many bytes."""
        at = pointer - self.words[BASE_WORD]
        if at % _WORD or not HEAP + LENGTH_BEFORE <= at < self.size:
            raise SegmentUnavailable(f"a pointer leads out of the segment ({pointer:#x})")
        length_at = at // LENGTH.size - _LENGTH_WORDS
        length = self.lengths[length_at]
        if length * item > self.size - at:
            raise SegmentUnavailable(f"a vector of {length} items does not fit the segment")
        return _Vector(at, length, length_at)

    def _directory(self) -> _Vector:
        directory = self._vector(self.words[DIRECTORY_WORD], ENTRY.size)
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
            return number < count and self._map[at : at + len(wanted)] == wanted

        number = self._entries.get(name, count)
        if not is_at(number):
            number = self._entries[name] = self._search(name, directory, is_at)
        type_, value, _ = ENTRY.unpack_from(self._map, start + number * ENTRY.size)
        return type_, value

    def _search(self, name: bytes, directory: _Vector, is_at: Callable[[int], bool]) -> int:
        """The number of a name's entry.  Raises KeyError if there is none.

        Half a million entries are no rarity: the heads of the names are put together once, and
        searched by the C library.  VPP's own counters stand before those of its interfaces, so
        that the first slice has them.
        """
        began = time.monotonic()
        place = self.words[EPOCH_WORD], directory
        if place != self._heads_of:
            if name in self._missing and began < self._search_from:
                raise KeyError(name)
            self._heads, self._heads_of = [], place
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

    def _find(self, name: bytes, directory: _Vector, is_at: Callable[[int], bool]) -> int:
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

    def _heads_from(self, directory: _Vector, first: int, count: int) -> bytes:
        """The first bytes of the names of so many entries."""
        step = ENTRY.size // _WORD
        begin = (directory.at + NAME_OFFSET) // _WORD
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
        return self._settled(partial(self._entries_from, first, tuple(prefixes)))

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

        Whoever looks for them by name has to look at each of every interface's symlinks.
        Raises SegmentUnavailable, also where there is no such target.
        """
        return self._settled(partial(self._symlinks_from, first, tuple(targets)))

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
            self._entry_of(target)
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

    def _entry_at(self, directory: _Vector, number: int) -> tuple[int, int, bytes]:
        """(type number, value, name) of an entry.  Raises SegmentUnavailable."""
        if number >= directory.length:
            raise SegmentUnavailable(f"the directory has no entry {number}")
        type_, value, name = ENTRY.unpack_from(self._map, directory.at + number * ENTRY.size)
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
        # Nothing but the types themselves tells the later two apart, and a gauge is
        # there from the first moment.
        try:
            type_, _ = self._entry(b"/sys/vector_rate")
        except KeyError:
            return Generation.V22_06
        is_gauge = KINDS[Generation.V26_02].get(type_) is Kind.GAUGE
        return Generation.V26_02 if is_gauge else Generation.V22_06

    def scalar(self, name: str) -> int:
        """The value of a scalar or gauge.  Raises SegmentUnavailable."""
        type_, value = self._entry_of(name)
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
        return self._settled(partial(self._values_of, names))

    def _values_of(self, names: Sequence[str]) -> list[int]:
        kinds, rows = KINDS[self.generation], _Columns(self)
        found = []
        for name in names:
            type_, value = self._entry_of(name)
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
        return self._settled(partial(self._values, name))

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
        return self._settled(partial(self._error_columns, names))

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

    def rows(self, pointer: int, item: int) -> Iterator[_Vector]:
        """The vector of each thread, of items of so many bytes.  Raises SegmentUnavailable."""
        threads = self._vector(pointer, _WORD)
        if threads.length > MAX_THREADS:
            raise SegmentUnavailable(f"a counter has {threads.length} threads")
        first = threads.at // _WORD
        for thread in self.words[first : first + threads.length]:
            if thread:
                yield self._vector(thread, item)

    def _entry_of(self, name: str) -> tuple[int, int]:
        """(type number, value) of an entry.  Raises SegmentUnavailable."""
        try:
            return self._entry(name.encode())
        except KeyError:
            raise SegmentUnavailable(f"the segment has no {name}") from None

    @property
    def uptime(self) -> int:
        """Seconds since this VPP started, by its own count; 0 where it does not tell.

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
        type_, pointer = self._entry_of(name.decode())
        if KINDS[self.generation].get(type_) is not kind:
            raise SegmentUnavailable(f"{name.decode()} is not {kind.value} but of type {type_}")
        if not pointer:
            return []
        rows = self.rows(pointer, _STRIDES[kind] * _WORD)
        return [(cells.at // _WORD, cells.length_at) for cells in rows]

    def name_at(self, sw_if_index: int) -> tuple[int, bytes]:
        """(epoch, what /if/names has at an index in it); the name is empty where it is NULL.

        A rename does not reach it, and a deleted interface's place may keep its name; but
        another interface at that index has its own.  Raises SegmentUnavailable.
        """
        return self._settled(lambda: (self.words[EPOCH_WORD], self._name(sw_if_index)))

    def interface_names(self) -> tuple[int, list[bytes]]:
        """(epoch, what /if/names has in it), by index, each as `name_in` takes it.

        Read once in an epoch, and the same object then: of 10,000 interfaces in 1 ms.  While VPP
        hangs in its lock they are those that were read before.  Raises SegmentUnavailable.
        """
        epoch = self.settled_epoch()
        if self._texts is None or epoch not in (self._texts[0], self.kept_in):
            self._texts = self._settled(self._interface_names)
        return epoch if epoch == self.kept_in else self._texts[0], self._texts[1]

    def _interface_names(self) -> tuple[int, list[bytes]]:
        _, pointer = self._entry_of(IF_NAMES.decode())
        names = self._vector(pointer, _WORD)
        if names.length > MAX_NAMES:
            raise SegmentUnavailable(f"/if/names has {names.length} names")
        first, base, whole = names.at // _WORD, self.words[BASE_WORD], self._map
        # Wherever a pointer leads, a slice does not leave the mapping; of NULL it is empty.
        return self.words[EPOCH_WORD], [
            whole[(at := each - base) : at + NAME_SIZE] if each > base else b""
            for each in self.words[first : first + names.length].tolist()
        ]

    def _settled(self, read: Callable[[], T]) -> T:
        """What is read within one epoch.  Raises SegmentUnavailable, as `read` may."""
        for _ in range(ATTEMPTS):
            epoch = self.settled_epoch()
            try:
                found = read()
            except SegmentUnavailable:
                if self.unchanged(epoch):
                    raise
                continue
            except IndexError as error:
                if self.unchanged(epoch):
                    raise SegmentUnavailable("a length of the segment is damaged") from error
                continue
            if self.unchanged(epoch):
                return found
        raise SegmentUnavailable("VPP changes its segment too fast")

    def _name(self, sw_if_index: int) -> bytes:
        _, pointer = self._entry_of(IF_NAMES.decode())
        names = self._vector(pointer, _WORD)
        address = 0
        if sw_if_index < names.length:
            address = self.words[names.at // _WORD + sw_if_index]
        if not address:
            return b""
        text = self._vector(address, 1)
        if text.length > MAX_NAME_LENGTH:
            raise SegmentUnavailable(f"a name of {text.length} bytes in /if/names")
        return self._map[text.at : text.at + text.length].split(b"\0", 1)[0]


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
            found = self._segment.rows(pointer, _WORD) if pointer else ()
            rows = self._rows[pointer] = [(each.at // _WORD, each.length) for each in found]
        words = self._words
        return sum([words[at + column] for at, length in rows if column < length]) & _U64


def _reader(places: list[int]) -> Reader:
    """What reads the words at some ascending places (bytes) in one call, from the first's on.

    Of 17 threads a word each takes it 0.2 us, and a loop in Python 1.9.  Raises
    SegmentUnavailable where they overlap.
    """
    layout, at = "=", places[0]
    for place in places:
        if place < at:
            raise SegmentUnavailable("two vectors of the segment overlap")
        layout += f"{place - at}xQ"
        at = place + _WORD
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
        self._places: list[tuple[int, int]] = []  # as they were read last

    def read(self) -> tuple[int, list[bytes]]:
        """(the epoch, each thread's cells); a NULL vector is empty.  Raises SegmentUnavailable."""
        return self._segment._settled(self._read)

    def _read(self) -> tuple[int, list[bytes]]:
        segment, item = self._segment, _STRIDES[self._kind] * _WORD
        epoch = segment.words[EPOCH_WORD]
        pointers = self._pointers()
        places = []
        for pointer in pointers:
            cells = segment._vector(pointer, item) if pointer else None
            places.append((cells.at, cells.at + cells.length * item) if cells else (0, 0))
        if sum(end - at for at, end in places) > MAX_COPIED_CELLS * _WORD:
            raise SegmentUnavailable(f"{self._name.decode()} has too many cells")
        # A main thread that hangs in its lock may have been about to move them.
        if epoch == segment.kept_in and places != self._places:
            raise SegmentUnavailable(f"{self._name.decode()} was being changed when VPP hung")
        self._places = places
        whole = segment.whole
        return epoch, [whole[at:end].tobytes() for at, end in places]

    def _pointers(self) -> list[int]:
        """Each thread's pointer to its vector."""
        segment = self._segment
        if self._name == NODE_ERRORS and segment.generation is Generation.V22_02:
            pointer = segment.words[ERROR_VECTOR_WORD]
        else:
            type_, pointer = segment._entry_of(self._name.decode())
            if KINDS[segment.generation].get(type_) is not self._kind:
                raise SegmentUnavailable(f"{self._name.decode()} is of type {type_}")
        if not pointer:
            return []
        threads = segment._vector(pointer, _WORD)
        if threads.length > MAX_THREADS:
            raise SegmentUnavailable(f"{self._name.decode()} has {threads.length} threads")
        first = threads.at // _WORD
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
        self._stride = _STRIDES[kind]
        self.step = self._stride * _WORD  # bytes from one interface's cell to the next one's
        self.epoch = -1  # of the last reading
        self._threads: list[tuple[int, int]] = []
        self._least = 0  # as many interfaces have a cell of each thread

    def read_in(self, epoch: int, sw_if_index: int) -> int | None:
        """What `read` would return, if the epoch is still this one and the cell is in it.

        The short way of nearly all readings: of 3 threads less than half the time, of 17 a
        quarter.  None where `read` has to decide.
        """
        if sw_if_index >= self._least or self.epoch != epoch:
            return None
        try:
            cells = self._read_cells(self._whole, self._first_cell + self.step * sw_if_index)
        except struct.error:  # a length that was damaged
            return None
        # Every change ends with another epoch, so to look afterwards is enough.
        words = self._words
        if words[EPOCH_WORD] != epoch or words[IN_PROGRESS_WORD]:
            return None
        return sum(cells) & _U64

    def read(self, sw_if_index: int) -> int:
        """The sum over all threads, now.

        It lies between the truth just before and just after the call.  Raises
        SegmentUnavailable, also where VPP has no such cell.
        """
        segment = self._segment
        words, lengths = segment.words, segment.lengths
        at = sw_if_index * self._stride + self._offset
        for _ in range(ATTEMPTS):
            epoch = segment.settled_epoch()
            total = seen = 0
            try:
                if epoch != self.epoch or epoch == segment.kept_in:
                    self._locate(epoch)
                for start, length_at in self._threads:
                    if sw_if_index < lengths[length_at]:
                        total += words[start + at]
                        seen += 1
            except IndexError:
                continue  # a length that was damaged, or given back meanwhile
            except SegmentUnavailable:
                if segment.unchanged(epoch):
                    raise  # damage; otherwise VPP was at work, and the next attempt decides
                continue
            if segment.unchanged(epoch):
                if not seen:
                    break
                if sw_if_index >= self._least:
                    self._least = min(lengths[length_at] for _, length_at in self._threads)
                return total & _U64
        raise SegmentUnavailable(f"{self._name.decode()} has no cell {sw_if_index} to be read")

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
            total = longest = 0
            try:
                if epoch != self.epoch or epoch == segment.kept_in:
                    self._locate(epoch)
                for start, length_at in self._threads:
                    length = segment.lengths[length_at]
                    if length > MAX_CELLS:
                        raise SegmentUnavailable(f"{self._name.decode()} has {length} cells")
                    at = start * _WORD
                    total += int.from_bytes(self._whole[at : at + length * _WORD], "little")
                    longest = max(longest, length)
            except (SegmentUnavailable, IndexError) as error:
                if segment.unchanged(epoch):
                    raise SegmentUnavailable(str(error)) from error
                continue
            if segment.unchanged(epoch):
                return total, longest
        raise SegmentUnavailable("VPP changes its interfaces too fast")

    def look(self) -> None:
        """Note where the cells lie, so that they can be read if VPP hangs in its lock next."""
        segment = self._segment
        try:
            epoch = segment.settled_epoch()
            if epoch not in (self.epoch, segment.kept_in):
                self._locate(epoch)
                if not segment.unchanged(epoch):
                    self.epoch = -1
        except (SegmentUnavailable, IndexError):
            return  # the next look, or the next reading, finds out

    def vectors(self) -> list[tuple[int, int]]:
        """Each thread's cell of interface 0 (in bytes), and its vector's length (a u32 word)."""
        return [
            ((start + self._offset) * _WORD, length_at)
            for start, length_at in self._segment.locate(self._name, self._kind)
        ]

    def _locate(self, epoch: int) -> None:
        threads = self._segment.locate(self._name, self._kind)
        if epoch == self._segment.kept_in and threads != self._threads:
            raise SegmentUnavailable(f"{self._name.decode()} was being changed when VPP hung")
        starts = sorted(start * _WORD for start, _ in threads)
        if starts:
            self._read_cells = _reader(starts)
            self._first_cell = starts[0] + self._offset * _WORD
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
        return totals if max(totals) <= _U64 else [total & _U64 for total in totals]

    def _locate(self, epoch: int) -> bool:
        """Find all the cells; whether that could be done in this epoch."""
        segment = self._segment
        if epoch == self._tried or segment.words[EPOCH_WORD] != epoch:
            return False
        self._tried = epoch
        lengths: set[int] = set()
        readers: list[tuple[Reader, int, int]] = []
        nth: dict[tuple[int, int], int] = {}  # (counter, thread) to the place of its cell in all
        counted = 0
        try:
            for group in self._groups:
                places = {}
                for counter in group:
                    for thread, (cell, length) in enumerate(counter.vectors()):
                        places[cell] = counted, thread
                        lengths.add(length)
                    counted += 1
                ascending = sorted(places)
                nth |= {places[cell]: len(nth) + n for n, cell in enumerate(ascending)}
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
