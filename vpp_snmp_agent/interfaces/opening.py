"""How a state directory is read, and how its owner opens it.

The rules this module keeps:

- A directory has one owner.  Who only reads needs no lock, and writes nothing.
- What cannot be read ends the start.  What is damaged is set aside, and what can be read of it
  counts.
"""

import contextlib
import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, count
from pathlib import Path

from . import journal, lines, writer
from .journal import JOURNAL, Contents, Port, StateError, shard
from .totals import Saved
from .writer import Opened

log = logging.getLogger("vpp-snmp-agent")

LOCK = "ports.lock"


def read(directory: str) -> list[Port]:
    """What is saved, without owning it.  It writes nothing.  Raises StateError.

    A shown port was last seen when its owner last saved.
    """
    path = Path(directory, JOURNAL)
    try:
        with _reading(path) as fd:
            contents = journal.contents_of(path, fd, os.fstat(fd).st_size, lambda: None)
    except FileNotFoundError:
        contents = _read_old(Path(directory), int(time.time()))
    if contents.lost:
        log.warning("%s: damaged lines left out: %d", path, contents.lost)
    return list(contents.ports())


def read_totals(directory: str) -> Mapping[str, Saved]:
    """What numbers that are no row's had come to, as `read` does.  Raises StateError."""
    path = Path(directory, JOURNAL)
    try:
        with _reading(path) as fd:
            return journal.contents_of(path, fd, os.fstat(fd).st_size, lambda: None).totals
    except FileNotFoundError:
        return {}


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[int]:
    """One of our files, open for reading.  Raises FileNotFoundError, StateError."""
    fd = writer.open_file(path, os.O_RDONLY)
    try:
        yield fd
    except OSError as error:
        raise writer.explained(path, error) from error
    finally:
        os.close(fd)


def _read_old(directory: Path, now: int) -> Contents:
    """What 0.1.0 left; of no file, nothing.  Raises StateError."""
    path = directory / journal.OLD
    try:
        with _reading(path) as fd:
            text = b"".join(journal.chunks(fd, 0, os.fstat(fd).st_size))
        contents = journal.contents_of_old(text, now)
    except FileNotFoundError:
        return Contents()
    except ValueError as error:
        raise StateError(
            f"{path} is damaged: {error}: restore it, or move it away and every interface gets"
            " a new ifIndex"
        ) from error
    _warn_without_facts(journal.OLD, contents)
    return contents


def _warn_without_facts(name: str, contents: Contents) -> None:
    keys = contents.without_facts
    if keys:
        log.warning(
            "%s: interfaces whose last row is not valid: %d, the first of them %s; they keep their"
            " ifIndex, and their rows wait for VPP",
            *(name, len(keys), keys[0]),
        )


def lock(directory: Path) -> int:
    """The locked lock file, with our pid in it.  Raises OSError, StateError."""
    path = directory / LOCK
    try:
        fd = writer.create_file(path)
    except FileExistsError:
        fd = writer.open_file(path, os.O_RDWR)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = os.pread(fd, 20, 0).decode(errors="replace").strip()
        os.close(fd)
        owner = f" (pid {pid})" if pid.isdecimal() else ""
        raise StateError(
            f"{directory}: in use by another vpp-snmp-agent{owner}: stop it, or set another"
            " state-dir"
        ) from None
    except OSError:
        os.close(fd)
        raise
    with contextlib.suppress(OSError):  # the pid is for people; a full disk has no place for it
        os.ftruncate(fd, 0)
        os.pwrite(fd, b"%d\n" % os.getpid(), 0)
    return fd


def open_journal(directory: Path, now: int, pause: Callable[[], None]) -> Opened:
    """Read the journal, or make it; mend and compact it.  Raises OSError, StateError."""
    (directory / writer.NEW).unlink(missing_ok=True)
    try:
        fd = writer.open_file(directory / JOURNAL, os.O_RDWR)
    except FileNotFoundError:
        contents = _read_old(directory, now)
        opened = _rewritten(directory, contents, pause)
        names = sum(map(len, contents.packed))
        if names:
            log.info(
                "names taken over from %s with their ifIndex: %d", directory / journal.OLD, names
            )
        return opened
    try:
        opened = _mended(directory, fd, now, pause)
    except BaseException:
        os.close(fd)
        raise
    if opened.fd != fd:
        os.close(fd)
    return opened


def _mended(directory: Path, fd: int, now: int, pause: Callable[[], None]) -> Opened:
    """Read a journal; what it became.  Raises OSError, StateError."""
    path, size = directory / JOURNAL, os.fstat(fd).st_size
    contents = journal.contents_of(path, fd, size, pause)
    _warn_without_facts(JOURNAL, contents)
    if contents.lost:
        return _set_aside(directory, contents, now, pause)
    if lines.is_sound(contents.tail):  # it counts, and lacks only its newline
        writer.write_all(fd, b"\n", size)
        size += 1
    elif contents.tail:
        size -= len(contents.tail)
        os.ftruncate(fd, size)
    live = contents.live_octets()
    if live * 2 < size:
        try:
            return _rewritten(directory, contents, pause)
        except OSError as error:
            log.warning("%s (it is not compacted)", writer.explained(path, error))
    return Opened(fd, size, live, contents)


def _set_aside(directory: Path, contents: Contents, now: int, pause: Callable[[], None]) -> Opened:
    """Put what can be read of a damaged journal in its place.  Raises OSError, StateError."""
    path = directory / JOURNAL
    name = f"{JOURNAL}.damaged-{time.strftime('%Y%m%dT%H%M%S')}"
    names = chain([name], (f"{name}-{number}" for number in count(2)))
    aside = next(path for path in map(directory.joinpath, names) if not os.path.lexists(path))
    contents.reserve_lost()
    try:
        _restore_lost(contents, _read_old(directory, now))
    except StateError as error:
        log.warning("%s", error)  # it was only a second chance
    opened = _rewritten(directory, contents, pause, aside)
    log.error(
        "%s was damaged: lines that could not be read: %d of %d; names that are left: %d; those"
        " that were lost get a new ifIndex. The damaged file is kept as %s",
        *(path, contents.lost, contents.count, sum(map(len, contents.packed)), aside),
    )
    return opened


def _restore_lost(contents: Contents, old: Contents) -> None:
    """Restore lost names that 0.1.0 knew."""
    for packed, facts in zip(old.packed, old.facts, strict=True):
        for key, value in packed.items():
            if key not in contents.packed[shard(key)]:
                with contextlib.suppress(ValueError):  # its ifIndex is another's now
                    contents.put(key, value, facts.get(key))


def _rewritten(
    directory: Path, contents: Contents, pause: Callable[[], None], aside: Path | None = None
) -> Opened:
    """A journal that says this and no more, durably.  Raises OSError."""
    fd, size = writer.replace(directory, contents.live_lines(pause), aside=aside)
    try:
        writer.sync_directory(directory)
    except BaseException:
        os.close(fd)
        raise
    return Opened(fd, size, size, contents)
