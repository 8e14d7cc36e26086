"""interfaces/opening.py: who reads a state directory, and who opens it, whatever is there."""

import contextlib
import errno
import json
import multiprocessing
import os
import select
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from vpp_snmp_agent.interfaces import writer
from vpp_snmp_agent.interfaces.journal import OLD
from vpp_snmp_agent.interfaces.lines import line
from vpp_snmp_agent.interfaces.opening import LOCK, read
from vpp_snmp_agent.interfaces.state import JOURNAL, State, StateError
from vpp_snmp_agent.interfaces.writer import NEW

from .journals import (
    FACTS,
    NOW,
    PLAIN,
    ROW,
    Disk,
    asides,
    assign,
    indexes,
    lines,
    old,
    opened,
    refused,
    start,
    write,
)

pytestmark = pytest.mark.usefixtures("hurried")


def filled(directory: Path) -> None:
    """A small journal with a line of each kind."""
    with opened(directory) as state:
        assign(state, a=1, b=2, c=2)
        state.show("a", FACTS)
        state.show("b", PLAIN)
    with opened(directory, NOW + 9) as state:
        state.hide("b")
        state.forget(["c"])
        assign(state, d=4, e=4)


@pytest.mark.slow
@pytest.mark.usefixtures("unsynced")
def test_cut_at_any_octet_it_renumbers_nothing_that_was_durable(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    filled(whole)
    data = (whole / JOURNAL).read_bytes()
    given: dict[int, str] = {}
    ends = {}  # what is durable when so many octets are
    at, known = 0, dict[str, int]()
    for text in data.splitlines(keepends=True):
        at += len(text)
        record = json.loads(text[9:])
        if isinstance(record, list):
            known[record[1]] = record[0]
            given[record[0]] = record[1]
        elif "forget" in record:
            for key in record["forget"]:
                del known[key]
        ends[at] = dict(known)
    header = len(lines(whole)[0])
    cut = tmp_path / "cut"
    cut.mkdir()
    for size in range(len(data) + 1):
        (cut / JOURNAL).write_bytes(data[:size])
        durable = ends[max((end for end in ends if end <= size), default=header)]
        damaged = size < header - 1  # without its newline the header is read as well
        with opened(cut) as state:
            now = {port.key: port.if_index for port in state.ports()}
            assert now.items() >= durable.items() or size + 1 in ends, size
            assert all(given[index] == key for key, index in now.items()), size
            assign(state, new=2)
            new = state.index_of("new")
            assert new not in {**durable, **now}.values(), size
            if not damaged:
                assert new not in {i for end, m in ends.items() if end <= size for i in m.values()}
        with opened(cut) as state:  # and what is written behind half a line is read
            assert state.index_of("new") == new
        assert bool(asides(cut)) == damaged, size
        for path in cut.iterdir():
            path.unlink()


class Killed(BaseException):
    """The process ended here."""


CALLS = ("fsync", "fdatasync", "rename", "link", "pwrite", "ftruncate", "open", "unlink")


def kills(
    directory: Path, monkeypatch: pytest.MonkeyPatch, act: Callable[[Path], None]
) -> Iterator[Path]:
    """What is left of the directory when `act` is killed before each of its system calls."""
    originals = {name: getattr(os, name) for name in CALLS}
    for number in range(1, 1000):
        work, left = directory.with_name(f"work{number}"), directory.with_name(f"left{number}")
        shutil.copytree(directory, work, symlinks=True)
        seen = [0]

        def dying(
            call: Callable[..., Any], seen: list[int] = seen, work: Path = work, left: Path = left,
            number: int = number,
        ) -> Callable[..., Any]:  # fmt: skip
            def called(*arguments: Any, **more: Any) -> Any:
                seen[0] += 1
                if seen[0] == number:
                    with monkeypatch.context() as patch:
                        for name, original in originals.items():
                            patch.setattr(os, name, original)
                        shutil.copytree(work, left)
                    raise Killed
                return call(*arguments, **more)

            return called

        with monkeypatch.context() as patch:
            for name, original in originals.items():
                patch.setattr(os, name, dying(original))
            with contextlib.suppress(Killed):
                act(work)
        if not left.exists():
            return
        yield left
    raise AssertionError("it never ended")


def started_after_kills(
    home: Path, monkeypatch: pytest.MonkeyPatch, known: dict[str, int], steps: int
) -> Iterator[Path]:
    """A directory for each step at which a start was killed, after the next start; of more steps
    than so many."""
    count = 0
    for left in kills(home, monkeypatch, start):
        count += 1
        assert indexes(left) == known
        start(left)
        assert indexes(left) == known
        yield left
    assert count > steps


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A state directory, with nothing in it."""
    path = tmp_path / "home"
    path.mkdir()
    return path


def test_a_kill_at_any_step_of_a_compaction_leaves_the_old_or_the_new(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(home, *([1001, "a", second] for second in range(50)), [1002, "b", 3])
    for left in started_after_kills(home, monkeypatch, {"a": 1001, "b": 1002}, 5):
        assert len(lines(left)) < 10
        assert not (left / NEW).exists()
        assert not asides(left)


def test_a_kill_at_any_step_of_setting_aside_loses_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(home, [1001, "a", 1], [1002, "b", 2], [1003, "c", 3])
    data = (home / JOURNAL).read_bytes().replace(b'"b"', b'"x"')
    (home / JOURNAL).write_bytes(data)
    for left in started_after_kills(home, monkeypatch, {"a": 1001, "c": 1003}, 5):
        assert asides(left)
        assert all(aside.read_bytes() == data for aside in asides(left))
        assert not (left / NEW).exists()


def test_a_kill_at_any_step_of_a_first_start_takes_all_over_at_the_next(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old(home, a={"ifIndex": 1007, "row": ROW}, b={"ifIndex": 1001})
    assert list(started_after_kills(home, monkeypatch, {"a": 1007, "b": 1001}, 4))


def _assign_for_ever(directory: str, pipe: Any) -> None:
    writer.COMMIT_INTERVAL = writer.GATHER_TIME = 0.0
    state = State.open(directory)
    number = len(list(state.ports()))
    while True:
        number += 1
        state.assign(f"eth{number}", 7)
        select.select([state.fileno()], [], [], 0.001)
        for key in state.committed():
            os.write(pipe, f"{key} {state.index_of(key)}\n".encode())


def test_a_sigkill_at_any_moment_leaves_every_index_that_was_known(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    reported: dict[str, int] = {}
    for seconds in (0.05, 0.11, 0.2):
        reader, end = os.pipe()
        child = context.Process(target=_assign_for_ever, args=(str(tmp_path), end))
        child.start()
        os.close(end)
        assert child.pid
        select.select([reader], [], [], 20)
        limit = time.monotonic() + seconds
        with open(reader, "rb") as file:
            got = b""
            while time.monotonic() < limit:
                got += os.read(file.fileno(), 1 << 16)
            os.kill(child.pid, signal.SIGKILL)
            got += file.read()
        child.join()
        for text in got.decode().splitlines():
            key, index = text.split()
            assert reported.setdefault(key, int(index)) == int(index)
        found = indexes(tmp_path)
        assert found.items() >= reported.items()
        assert len(set(found.values())) == len(found)
    assert len(reported) > 3


def test_a_second_owner_is_refused_and_harms_nobody(tmp_path: Path) -> None:
    with opened(tmp_path) as state:
        assign(state, a=1)
        before = (tmp_path / JOURNAL).read_bytes()
        assert refused(tmp_path) == (
            f"{tmp_path}: in use by another vpp-snmp-agent (pid {os.getpid()}): stop it, or set"
            " another state-dir"
        )
        (tmp_path / LOCK).write_bytes(b"\xff")
        assert "another vpp-snmp-agent: stop it" in refused(tmp_path)
        assert (tmp_path / JOURNAL).read_bytes() == before
        assert indexes(tmp_path) == {"a": 1001}  # who only reads is no owner
        assign(state, b=2)
    with opened(tmp_path) as state:
        assert state.index_of("b") == 1002


def test_a_journal_of_a_newer_program_ends_the_start_and_stays(tmp_path: Path) -> None:
    (tmp_path / JOURNAL).write_bytes(
        line({"vpp-snmp-agent": "ports", "version": 3}) + line({"what": "ever"})
    )
    before = (tmp_path / JOURNAL).read_bytes()
    text = f"{tmp_path / JOURNAL}: was written by a newer vpp-snmp-agent"
    assert refused(tmp_path).startswith(text)
    with pytest.raises(StateError, match="install that, or move the file away"):
        read(str(tmp_path))
    assert (tmp_path / JOURNAL).read_bytes() == before
    assert not asides(tmp_path)


@pytest.mark.parametrize("name", [JOURNAL, LOCK, OLD])
def test_no_symbolic_link_is_followed(home: Path, tmp_path: Path, name: str) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"precious")
    (home / name).symlink_to(target)
    assert "it is a symbolic link" in refused(home)
    assert str(home / name) in refused(home)
    assert target.read_bytes() == b"precious"
    assert (home / name).is_symlink()
    if name != LOCK:
        with pytest.raises(StateError, match="symbolic link"):
            read(str(home))


def test_a_link_in_the_place_of_the_new_file_is_replaced_and_not_followed(
    home: Path, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"precious")
    (home / NEW).symlink_to(target)
    with opened(home):
        assert not (home / NEW).is_symlink()
    assert target.read_bytes() == b"precious"


@pytest.mark.parametrize("name", [JOURNAL, LOCK, OLD])
def test_what_is_not_a_file_is_none(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    assert f"{tmp_path / name}: it is not a file: move it away" in refused(tmp_path)


@pytest.mark.parametrize(
    ("number", "advice"),
    [(errno.EIO, "check that disk"), (errno.EACCES, "must belong to the user")],
)
def test_a_journal_that_cannot_be_read_ends_the_start_and_renumbers_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, advice: str
) -> None:
    write(tmp_path, [1007, "a", 1])
    before = (tmp_path / JOURNAL).read_bytes()

    def failing(fd: int, count: int, offset: int) -> bytes:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", failing)
        assert advice in refused(tmp_path)
        with pytest.raises(StateError, match=os.strerror(number)):
            read(str(tmp_path))
    assert (tmp_path / JOURNAL).read_bytes() == before
    with opened(tmp_path) as state:  # the lock is free again
        assert state.index_of("a") == 1007


def test_a_directory_that_cannot_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "Not a directory: set state-dir to a directory" in refused(tmp_path / "file" / "below")
    assert "File exists: set state-dir to a directory" in refused(tmp_path / "file")


def test_a_directory_that_cannot_be_written_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
    assert refused(tmp_path) == (
        f"{tmp_path}: Permission denied: it must belong to the user that runs vpp-snmp-agent"
    )


def test_the_directory_is_made_when_it_is_absent_and_the_files_are_private(tmp_path: Path) -> None:
    home = tmp_path / "some" / "where"
    with opened(home) as state:
        assign(state, a=1)
    assert {path.name for path in home.iterdir()} == {JOURNAL, LOCK}
    assert {stat.S_IMODE(path.stat().st_mode) for path in home.iterdir()} == {0o600}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files for somebody else")
def test_what_root_makes_belongs_to_whom_the_directory_belongs(tmp_path: Path) -> None:
    def owners() -> set[tuple[str, int, int]]:
        found = ((path.name, path.stat()) for path in tmp_path.iterdir())
        return {(name, status.st_uid, status.st_gid) for name, status in found}

    os.chown(tmp_path, 12_345, 23_456)
    with opened(tmp_path) as state:
        assign(state, a=1)
    assert owners() == {(JOURNAL, 12_345, 23_456), (LOCK, 12_345, 23_456)}
    write(tmp_path, *([1001, "a", second] for second in range(50)))
    os.chown(tmp_path / JOURNAL, 34_567, 45_678)
    with opened(tmp_path):  # it is compacted
        assert (JOURNAL, 12_345, 23_456) in owners()
    os.chown(tmp_path / LOCK, 34_567, 45_678)
    with opened(tmp_path):  # what was there stays whose it was
        assert (LOCK, 34_567, 45_678) in owners()


def test_a_file_that_cannot_be_given_away_is_not_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(fd: int, uid: int, gid: int) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "fchown", refusing)
    assert "Operation not permitted: it must belong to the user" in refused(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_who_is_not_root_gives_nothing_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[int] = []
    monkeypatch.setattr(os, "geteuid", lambda: 1017)
    monkeypatch.setattr(os, "fchown", lambda fd, uid, gid: given.append(fd))
    with opened(tmp_path) as state:
        assign(state, a=1)
    assert given == []


@pytest.mark.parametrize("name", [JOURNAL, LOCK])
def test_no_child_that_executes_another_program_keeps_a_file(tmp_path: Path, name: str) -> None:
    with opened(tmp_path) as state:
        assign(state, a=1)
        command = ["ls", "-l", "/proc/self/fd"]
        assert name not in subprocess.run(command, capture_output=True, text=True).stdout
        links = [os.readlink(path) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
        assert str(tmp_path / name) in links


def test_who_only_reads_makes_nothing(tmp_path: Path) -> None:
    assert read(str(tmp_path / "nowhere")) == []
    assert read(str(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []


def test_who_only_reads_leaves_damage_where_it_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, [1007, "a", 1])
    with (tmp_path / JOURNAL).open("ab") as file:
        file.write(b"rubbish\nhalf a li")
    before = (tmp_path / JOURNAL).read_bytes()
    assert indexes(tmp_path) == {"a": 1007}
    assert "damaged lines left out: 1" in caplog.text
    assert (tmp_path / JOURNAL).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [JOURNAL]


def test_a_first_start_with_a_full_disk_is_refused_and_leaves_no_half_file(
    tmp_path: Path, disk: Disk
) -> None:
    old(tmp_path, a={"ifIndex": 1007})
    disk.full = True
    assert "No space left on device: free some space on that disk" in refused(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {OLD, LOCK}


def test_a_start_that_cannot_compact_goes_on_with_the_file_as_it_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, disk: Disk
) -> None:
    write(tmp_path, *([1001, "a", second] for second in range(50)))
    before = (tmp_path / JOURNAL).read_bytes()
    disk.full = True
    with opened(tmp_path) as state:
        assert state.index_of("a") == 1001
        assert (tmp_path / JOURNAL).read_bytes() == before
        assert not (tmp_path / NEW).exists()
        disk.full = False
    assert "it is not compacted" in caplog.text


def test_a_start_compacts_when_more_than_half_is_dead(tmp_path: Path) -> None:
    write(tmp_path, [1001, "a", 1], [1002, "b", 2], [1001, "a", 3])
    with opened(tmp_path):
        assert len(lines(tmp_path)) == 4
    write(tmp_path, *([1001, "a", second] for second in range(50)), [1002, "b", 2])
    with opened(tmp_path):
        assert len(lines(tmp_path)) == 5
    assert {(port.key, port.last_seen) for port in read(str(tmp_path))} == {("a", 49), ("b", 2)}


def test_patiently_it_reads_the_same(tmp_path: Path) -> None:
    write(tmp_path, *([1000 + number, f"eth{number}", number] for number in range(1, 3000)))
    with contextlib.closing(State.open(str(tmp_path), patiently=True)) as state:
        assert len(list(state.ports())) == 2999
