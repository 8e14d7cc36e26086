"""Who writes the journal: the calls that make its files, and the thread that appends.

The rules this module keeps:

- A new name is on the disk before the loop knows that it is.  All else may be lost.
- The loop neither waits for the disk nor encodes: this thread does both, in pieces so short
  that the loop has the interpreter back within a millisecond.
- At most one commit a second, or two while the bases of counters change; the first after a
  quiet second is at once.
- What could not be written is written again, whole.  What was on the disk is not touched.
- A file takes the place of another only when it is whole and on the disk.
- A new file belongs to whom the directory belongs, whoever made it.
"""

import contextlib
import errno
import logging
import os
import queue
import stat
import threading
import time
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from .facts import Facts
from .journal import (
    CHUNK,
    JOURNAL,
    Contents,
    StateError,
    chunks,
    contents_of,
    yielder,
)
from .lines import counters_line, line, port_line, totals_line
from .totals import Saved

log = logging.getLogger("vpp-snmp-agent")

NEW = "ports.journal.new"  # for a moment: what takes the journal's place

COMMIT_INTERVAL = 1.0  # seconds: an append costs 4 KiB of the disk, however short
MANY_NAMES = 50  # new at a time, as at a first start: they fill what a commit costs
GATHER_TIME = 0.02  # seconds from a first new name to the commit: the others come with it
URGENT_TIME = 0.5  # seconds from a base that changed to the commit: it is durable within 1
WRITE_RETRY_INTERVAL = 10.0  # seconds
COMPACT_SLACK = 4 << 20  # octets that may be dead whatever the size
COMPACT_RETRY_INTERVAL = 3600.0  # seconds
SYNC_CHUNK = 1 << 20  # octets written between two fdatasync

# No symbolic link is followed, no FIFO waits for its other end, and no child, each of which
# executes another program, keeps a file or its lock.
FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def explained(path: Path, error: OSError) -> StateError:
    """What an operator reads of a failed system call."""
    advice = {
        errno.ELOOP: "it is a symbolic link, which is not followed: put the file itself there",
        errno.EACCES: "it must belong to the user that runs vpp-snmp-agent",
        errno.EPERM: "it must belong to the user that runs vpp-snmp-agent",
        errno.EROFS: "set state-dir to a directory that can be written",
        errno.ENOTDIR: "set state-dir to a directory",
        errno.EEXIST: "set state-dir to a directory",
        errno.ENOSPC: "free some space on that disk",
        errno.EDQUOT: "free some space on that disk",
        errno.EIO: "check that disk; nothing is given a new ifIndex meanwhile",
    }.get(error.errno or 0, "check the state directory")
    return StateError(f"{path}: {error.strerror or error}: {advice}")


def open_file(path: Path, access: int) -> int:
    """Open one of our files, which is a file.  Raises FileNotFoundError, StateError."""
    try:
        fd = os.open(path, access | FLAGS)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise explained(path, error) from error
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise StateError(f"{path}: it is not a file: move it away")
    return fd


def create_file(path: Path) -> int:
    """Make one of our files.  Raises OSError; FileExistsError whatever is there.

    `ports forget` may be typed by root: what it makes must not lock the agent's user out.  What
    is there already may be a hard link to any file, and is left to whom it belongs.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | FLAGS, 0o600)
    try:
        if os.geteuid() == 0:
            directory = os.stat(path.parent)
            os.fchown(fd, directory.st_uid, directory.st_gid)
    except OSError:
        os.close(fd)
        path.unlink()
        raise
    return fd


def write_all(fd: int, data: bytes, offset: int) -> None:
    """Write all of it.  Raises OSError."""
    view = memoryview(data)
    while view:
        count = os.pwrite(fd, view, offset)
        view, offset = view[count:], offset + count


def sync_directory(directory: Path) -> None:
    """Bring the names of its files to the disk.  Raises OSError."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def replace(
    directory: Path,
    lines: Iterable[bytes],
    *,
    aside: Path | None = None,
    wait: Callable[[], None] = lambda: None,
) -> tuple[int, int]:
    """Put a journal of these lines in the place of the old; its descriptor and size.

    It is on the disk, but perhaps not yet its name.  The old one stays as `aside`, if that is
    given; if this fails, as it is.  `wait` returns when it is a good moment to wait for the
    disk.  Raises OSError, and what `lines` and `wait` do.
    """
    path = directory / NEW
    path.unlink(missing_ok=True)
    fd = create_file(path)
    try:
        buffer, size, synced = bytearray(), 0, 0
        for each in lines:
            buffer += each
            if len(buffer) >= CHUNK:
                write_all(fd, bytes(buffer), size)
                size += len(buffer)
                buffer.clear()
            if size - synced >= SYNC_CHUNK:
                wait()
                os.fdatasync(fd)
                synced = size
        write_all(fd, bytes(buffer), size)
        os.fsync(fd)
        if aside:
            os.link(directory / JOURNAL, aside)
        os.rename(path, directory / JOURNAL)
    except BaseException:
        os.close(fd)
        path.unlink(missing_ok=True)
        raise
    return fd, size + len(buffer)


class Opened(NamedTuple):
    """An open journal: clean, and ending with a newline at `size`."""

    fd: int
    size: int  # octets
    live: int  # of them in lines that count, as good as
    contents: Contents


class Entry(NamedTuple):
    """A line of a port, before it is encoded."""

    key: str
    packed: int  # ifIndex and when it was seen
    facts: Facts | None
    new: bool  # its ifIndex is not durable yet


class CountersEntry(NamedTuple):
    """A line of a port's counters, before it is encoded."""

    key: str
    numbers: "array[int]"  # as `lines.pack` makes them
    urgent: bool  # a base of theirs changed


class TotalsEntry(NamedTuple):
    """A line of numbers that are no row's, before it is encoded."""

    key: str
    saved: Saved
    urgent: bool  # a base of theirs changed


Record = Entry | CountersEntry | TotalsEntry | dict[str, object]  # the last as the journal has it


class _Abandoned(Exception):
    """A compaction that gives way to something else."""


class Writer:
    """The thread that encodes, writes and compacts."""

    def __init__(self, directory: Path, opened: Opened) -> None:
        self.queue: queue.SimpleQueue[list[Record] | None] = queue.SimpleQueue()
        self.durable: deque[tuple[str, int]] = deque()  # keys and packed values, for the loop
        self.event = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self.failures = 0  # in a row
        self.bug: BaseException | None = None
        self._directory = directory
        self._path = directory / JOURNAL
        self._fd = opened.fd
        self._size = opened.size  # octets that are durable, or were there
        self._live = opened.live
        self._lines: list[bytes] = []  # not durable yet
        self._new: list[tuple[str, int]] = []  # whose lines are among them
        self._due = 0.0  # when they are written; with no lines, not before this
        self._renamed = False  # a compacted file may not be in the directory on the disk yet
        self._closing = False
        self._compact_after = 0.0  # by time.monotonic, once that failed
        self._yield = yielder(True)
        self.thread = threading.Thread(target=self._run, name="state", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            while not self._closing:
                self._serve(wait=True)
                if self._size > 2 * self._live + COMPACT_SLACK and not self.failures:
                    self._compact()
            if self._lines or self._renamed:
                self._commit()
            os.close(self._fd)
        except BaseException as error:  # a thread's end is silent: the loop raises it
            self.bug = error
            os.eventfd_write(self.event, 1)

    def _serve(self, wait: bool) -> None:
        """Take what the loop queued, and commit when it is time."""
        self._receive(wait)
        if self._lines and not self._closing and time.monotonic() >= self._due:
            self._commit()

    def _receive(self, wait: bool) -> None:
        until = None
        while not self._closing:
            if self._lines:
                until = self._due - time.monotonic()
                if until <= 0:
                    return
            try:
                records = self.queue.get(wait, until)
            except queue.Empty:
                return
            if records is None:
                self._closing = True
                return
            if not self._lines:
                self._due = max(self._due, time.monotonic() + GATHER_TIME)
            for record in records:
                self._lines.append(self._encoded(record))
                is_urgent = isinstance(record, CountersEntry | TotalsEntry) and record.urgent
                if is_urgent and not self.failures:
                    self._due = min(self._due, time.monotonic() + URGENT_TIME)
                self._yield()

    def _encoded(self, record: Record) -> bytes:
        if isinstance(record, CountersEntry):
            return counters_line(record.key, record.numbers)
        if isinstance(record, TotalsEntry):
            return totals_line(record.key, record.saved)
        if not isinstance(record, Entry):
            return line(record)
        text = port_line(record.key, record.packed, record.facts)
        if record.new:
            self._new.append((record.key, record.packed))
            self._live += len(text)
        return text

    def _commit(self) -> None:
        """Write what is not durable; if that fails, all of it is written again later.

        After a failed fdatasync the kernel may have dropped the pages and call them clean, so
        nothing but writing them again is worth anything.
        """
        started = time.monotonic()
        data = b"".join(self._lines)
        try:
            write_all(self._fd, data, self._size)
            os.fdatasync(self._fd)
            if self._renamed:
                sync_directory(self._directory)
                self._renamed = False
        except OSError as error:
            self._failed(error)
            return
        if self.failures:
            log.info("%s: written again; attempts that failed: %d", self._path, self.failures)
        self.failures = 0
        self._size += len(data)
        if len(self._new) < MANY_NAMES:  # of many each has its share of the page
            self._due = started + COMMIT_INTERVAL
        self.durable.extend(self._new)
        self._lines, self._new = [], []
        os.eventfd_write(self.event, 1)

    def _failed(self, error: OSError) -> None:
        # Half a line at the end costs nothing, and the next attempt begins at the same place.
        with contextlib.suppress(OSError):
            os.ftruncate(self._fd, self._size)
        if self._closing:
            log.error("%s; changes lost: %d", explained(self._path, error), len(self._lines))
        elif not self.failures:
            log.error(
                "%s; no new interface is shown until it can be written; trying again each %g s",
                *(explained(self._path, error), WRITE_RETRY_INTERVAL),
            )
        self.failures += 1
        self._due = time.monotonic() + WRITE_RETRY_INTERVAL
        os.eventfd_write(self.event, 1)

    # --- compaction -----------------------------------------------------------------------------

    def _compact(self) -> None:
        """Replace the file by one without dead lines, and serve meanwhile."""
        if time.monotonic() < self._compact_after:
            return
        end = self._size
        try:
            lines = self._live_lines(end)
            fd, size = replace(self._directory, lines, wait=self._until_committed)
        except _Abandoned:
            return
        except (OSError, StateError) as error:
            why = explained(self._path, error) if isinstance(error, OSError) else error
            log.error("%s is not compacted: %s", self._path, why)
            self._compact_after = time.monotonic() + COMPACT_RETRY_INTERVAL
            return
        if self._compact_after:
            self._compact_after = 0.0
            log.info("%s is compacted", self._path)
        os.close(self._fd)
        self._live = size - (self._size - end)  # what came meanwhile may be dead
        self._fd, self._size = fd, size
        # Until the directory is on the disk a power cut brings back the old file, which has all
        # that was durable.  If this fails, the next commit does it before it counts.
        self._renamed = True
        with contextlib.suppress(OSError):
            sync_directory(self._directory)
            self._renamed = False

    def _live_lines(self, end: int) -> Iterator[bytes]:
        """What counts of the file up to `end`, and all that came behind it meanwhile."""
        contents = contents_of(self._path, self._fd, end, self._between_lines)
        if contents.lost:
            raise StateError(f"{contents.lost} damaged lines: left as it is until the next start")
        yield from contents.live_lines(self._between_lines)
        contents.clear(self._between_lines)
        while end < self._size:  # more may come while this is copied
            start, end = end, self._size
            yield from chunks(self._fd, start, end)

    def _between_lines(self) -> None:
        """Between two lines of a compaction: others have the interpreter, commits their turn."""
        self._yield()
        self._serve(wait=False)
        if self._closing or self.failures:
            raise _Abandoned

    def _until_committed(self) -> None:
        """Return when nothing waits for a commit: the disk may take 0.3 s."""
        self._serve(wait=False)
        while self._lines:
            self._serve(wait=True)
            if self._closing or self.failures:
                raise _Abandoned
