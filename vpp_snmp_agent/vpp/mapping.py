"""VPP's statistics segment as it is mapped: its vectors and its lock, whatever is in it.

The rules this module keeps:

- Every pointer and length is checked before it is used; what does not fit is
  `SegmentUnavailable`, and no read leaves the mapping.
- Nobody may cut off what is mapped, which would end the agent by SIGBUS: a segment is sealed
  against that, as VPP does, or of huge pages, which VPP cannot seal.
- A reading counts only if VPP changed no structure meanwhile (vlib/stats/stats.c:
  in_progress is 0 and the epoch unchanged).  A writer that holds the lock is waited for
  briefly, and not again until it has let go: it may have died or hung with it.
- A lock that is held for `STUCK_TIMEOUT` is that of a main thread that hangs in it.  It changes
  nothing any more, and its workers count on: what leads to a cell just as it did before is read.
"""

import fcntl
import mmap
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from .layout import (
    BASE_WORD,
    EPOCH_WORD,
    HEAP,
    IN_PROGRESS_WORD,
    LENGTH,
    LENGTH_BEFORE,
    VERSION,
    VERSION_WORD,
)

LOCK_WAIT = 0.05  # seconds; VPP holds its lock for microseconds, unless it is preempted
# Seconds; the longest change, of 10,000 interfaces by 17 threads, takes tens of milliseconds.
STUCK_TIMEOUT = 1.0
ATTEMPTS = 5  # to read one cell between two structural changes

WORD = 8
_LENGTH_WORDS = LENGTH_BEFORE // LENGTH.size  # back from a pointer, in u32 words

T = TypeVar("T")


class SegmentUnavailable(Exception):
    """The segment, or a part of it, cannot be had or read now; the text says why."""


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


@dataclass(frozen=True)
class Vector:
    """A checked vector: where it starts (bytes), its length, and the u32 word that holds it."""

    at: int
    length: int
    length_at: int


class MappedSegment:
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
            self.map = mmap.mmap(descriptor, self.size, mmap.MAP_SHARED, mmap.PROT_READ)
        except (OSError, ValueError) as error:
            raise SegmentUnavailable(f"the segment cannot be mapped: {error}") from error
        whole = memoryview(self.map)
        self.whole = whole[: len(whole) - len(whole) % WORD]
        self.words = self.whole.cast("Q")
        self.lengths = self.whole.cast("I")
        if self.words[VERSION_WORD] != VERSION:
            raise SegmentUnavailable(
                f"the segment has version {self.words[VERSION_WORD]}, not {VERSION}"
            )
        self._locked_in: int | None = None  # the epoch in which the lock was seen held
        self._locked_since = 0.0  # by time.monotonic
        self.stuck_epoch: int | None = None  # the epoch whose lock is stuck, and read through

    def settled_epoch(self) -> int:
        """The epoch, once no change is in progress, or none can be any more (`stuck_epoch`).

        Raises SegmentUnavailable.
        """
        words = self.words
        if not words[IN_PROGRESS_WORD]:
            return words[EPOCH_WORD]
        if not self._is_locked():
            until = time.monotonic() + LOCK_WAIT
            while words[IN_PROGRESS_WORD]:
                if time.monotonic() > until:
                    self.poll_lock()
                    raise SegmentUnavailable("VPP keeps the segment locked")
                time.sleep(0)  # whoever holds it may need this very core
            return words[EPOCH_WORD]
        if time.monotonic() < self._locked_since + STUCK_TIMEOUT:
            raise SegmentUnavailable("VPP keeps the segment locked")
        # Letting go makes a new epoch, so the lock of this one was held all the time.
        self.stuck_epoch = self._locked_in
        assert self.stuck_epoch is not None
        return self.stuck_epoch

    def _is_locked(self) -> bool:
        """Whether the lock that is held now was seen held before."""
        return self._locked_in == self.words[EPOCH_WORD]

    def poll_lock(self) -> None:
        """Note since when the lock is held.  A poller may come too rarely for that."""
        if self.words[IN_PROGRESS_WORD] and not self._is_locked():
            self._locked_in = self.words[EPOCH_WORD]
            self._locked_since = time.monotonic()

    @property
    def is_stuck(self) -> bool:
        """Whether the lock is stuck: a main thread hangs in it."""
        is_locked = self.words[IN_PROGRESS_WORD] and self._is_locked()
        return bool(is_locked) and time.monotonic() >= self._locked_since + STUCK_TIMEOUT

    @property
    def epoch(self) -> int:
        """How many times VPP has changed what is in the segment."""
        return self.words[EPOCH_WORD]

    def unchanged(self, epoch: int) -> bool:
        """Whether what was read since `settled_epoch` is of one piece."""
        words = self.words
        return words[EPOCH_WORD] == epoch and (
            not words[IN_PROGRESS_WORD] or self.stuck_epoch == epoch
        )

    def settled(self, read: Callable[[], T]) -> T:
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

    def vector(self, pointer: int, item: int) -> Vector:
        """Check the vector at `pointer`, of items of so many bytes."""
        at = pointer - self.words[BASE_WORD]
        if at % WORD or not HEAP + LENGTH_BEFORE <= at < self.size:
            raise SegmentUnavailable(f"a pointer leads out of the segment ({pointer:#x})")
        length_at = at // LENGTH.size - _LENGTH_WORDS
        length = self.lengths[length_at]
        if length * item > self.size - at:
            raise SegmentUnavailable(f"a vector of {length} items does not fit the segment")
        return Vector(at, length, length_at)
