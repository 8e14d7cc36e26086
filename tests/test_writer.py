"""interfaces/writer.py: what the disk does not take is not shown, and what it took is not lost."""

import errno
import logging
import os
import select
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from simulator.stage import until
from vpp_snmp_agent.interfaces import journal, writer
from vpp_snmp_agent.interfaces.opening import read
from vpp_snmp_agent.interfaces.state import FIRST, JOURNAL, State
from vpp_snmp_agent.interfaces.writer import NEW

from .journals import FACTS, Disk, asides, assign, indexes, lines, opened, wait

pytestmark = pytest.mark.usefixtures("hurried")


# --- a disk that fails ---------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "why"), [("full", "No space left"), ("failing", "Input/output")])
def test_what_cannot_be_written_is_not_shown_is_said_once_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, disk: Disk, kind: str, why: str
) -> None:
    caplog.set_level(logging.INFO)
    with opened(tmp_path) as state:
        assign(state, a=1)
        before = (tmp_path / JOURNAL).read_bytes()
        setattr(disk, kind, True)
        state.assign("b", 2)
        until("three attempts", lambda: disk.attempts >= 3)
        assert state.committed() == []
        assert state.index_of("b") is None
        assert caplog.text.count(why) == 1
        assert "trying again each" in caplog.text
        state.assign("c", 3)
        until("more attempts", lambda: disk.attempts >= 5)
        assert (tmp_path / JOURNAL).read_bytes()[: len(before)] == before
        assert indexes(tmp_path).items() >= {"a": 1001}.items()
        setattr(disk, kind, False)
        wait(state, "b", "c")
        assert caplog.text.count("written again; attempts that failed: ") == 1
    assert indexes(tmp_path) == {"a": 1001, "b": 1002, "c": 1003}
    assert not asides(tmp_path)
    with opened(tmp_path):
        assert not asides(tmp_path)


def test_after_a_failed_fdatasync_the_lines_are_written_again(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes: list[bytes] = []
    real = os.pwrite

    def seen(fd: int, data: Any, offset: int) -> int:
        writes.append(bytes(data))
        return real(fd, data, offset)

    with opened(tmp_path) as state:
        assign(state, a=1)
        monkeypatch.setattr(os, "pwrite", seen)
        disk.failing = True
        state.assign("b", 2)
        until("two attempts", lambda: disk.attempts >= 2)
        disk.failing = False
        wait(state, "b")
    assert sum(b'"b"' in data for data in writes) >= 3


def test_while_the_disk_is_full_nothing_piles_up(tmp_path: Path, disk: Disk) -> None:
    with opened(tmp_path) as state:
        assign(state, a=1)
        state.save_some(0.0)
        disk.full = True
        state.assign("b", 2)
        until("an attempt", lambda: disk.attempts >= 1)
        for number in range(100):
            state.show("a", replace(FACTS, mtu=number))
            state.save_some(1000.0 * number)
        disk.full = False
        wait(state, "b")
        state.save_some(10**6)
        until("a is saved", lambda: any(port.shown for port in read(str(tmp_path))))
    assert sum(b'"a"' in line for line in lines(tmp_path)) == 2


def test_an_end_with_a_full_disk_is_said_and_ends(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, disk: Disk
) -> None:
    state = State.open(str(tmp_path))
    assign(state, a=1)
    disk.full = True
    state.show("a", FACTS)
    state.close()
    state.close()
    assert "changes lost: " in caplog.text
    disk.full = False
    with opened(tmp_path) as state:
        assert state.index_of("a") == 1001
    assert not asides(tmp_path)


def test_a_bug_in_the_writer_ends_the_loop_and_not_the_thread_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = State.open(str(tmp_path))

    def broken(fd: int) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(os, "fdatasync", broken)
    state.assign("a", 1)
    until("readable", lambda: select.select([state.fileno()], [], [], 1)[0])
    with pytest.raises(ZeroDivisionError):
        state.committed()
    with pytest.raises(ZeroDivisionError):
        state.close()
    monkeypatch.undo()
    with opened(tmp_path):  # the directory is free
        pass


# --- compaction ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_while_it_runs_it_compacts_and_goes_on_committing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "COMPACT_SLACK", 20_000)
    monkeypatch.setattr(writer, "SYNC_CHUNK", 1000)
    monkeypatch.setattr(writer, "CHUNK", 600)
    monkeypatch.setattr(journal, "CHUNK", 700)
    keys = {f"eth{number}": number for number in range(200)}
    with opened(tmp_path) as state:
        assign(state, **keys)
        state.forget([f"eth{number}" for number in range(100, 110)])
        inodes = {os.stat(tmp_path / JOURNAL).st_ino}
        expected = {key: index + FIRST for key, index in keys.items()}
        for number in range(100, 110):
            del expected[f"eth{number}"]
        for turn in range(30):
            for number in range(50):
                state.show(f"eth{number}", replace(FACTS, mtu=1000 * turn + number))
            for second in range(2):
                state.save_some(1000.0 * turn + 100 * second)
            assign(state, **{f"new{turn}": 7})
            expected[f"new{turn}"] = state.index_of(f"new{turn}") or 0
            assert indexes(tmp_path) == expected
            inodes.add(os.stat(tmp_path / JOURNAL).st_ino)

        def compacted() -> bool:
            key = f"more{len(expected)}"
            assign(state, **{key: 7})
            expected[key] = state.index_of(key) or 0
            inodes.add(os.stat(tmp_path / JOURNAL).st_ino)
            return len(inodes) > 1 and os.stat(tmp_path / JOURNAL).st_size < 100_000

        until("compacted", compacted)
    assert not asides(tmp_path)
    with opened(tmp_path) as state:
        assert {port.key: port.if_index for port in state.ports()} == expected
        assert {port.facts.mtu for port in state.shown() if port.facts} == {
            29_000 + number for number in range(50)
        }
        assert len(set(expected.values())) == len(expected)
    assert not asides(tmp_path)
    assert not (tmp_path / NEW).exists()


def test_a_compacted_file_is_in_the_directory_on_the_disk_before_a_commit_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failing = True
    attempts: list[bool] = []

    def sync(directory: Path) -> None:
        attempts.append(failing)
        if failing:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(writer, "WRITE_RETRY_INTERVAL", 0.05)
    with opened(tmp_path) as state:
        monkeypatch.setattr(writer, "sync_directory", sync)
        monkeypatch.setattr(writer, "COMPACT_SLACK", -(10**9))
        before = os.stat(tmp_path / JOURNAL).st_ino
        assign(state, a=1)
        until("compacted", lambda: os.stat(tmp_path / JOURNAL).st_ino != before and attempts)
        monkeypatch.setattr(writer, "COMPACT_SLACK", 10**9)
        state.assign("b", 2)
        until("attempts", lambda: len(attempts) > 3)
        assert state.committed() == []
        assert state.index_of("b") is None
        failing = False
        wait(state, "b")
        count = len(attempts)
        assign(state, c=3)
        assert len(attempts) == count
    assert "Input/output error" in caplog.text


def test_a_compaction_that_failed_is_logged_and_once_that_it_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    done: list[bool] = []
    real = writer.replace

    def replace_journal(*arguments: Any, **named: Any) -> Any:
        if not done:
            done.append(False)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replaced = real(*arguments, **named)
        done.append(True)
        return replaced

    monkeypatch.setattr(writer, "COMPACT_RETRY_INTERVAL", 0.0)
    with opened(tmp_path) as state:
        monkeypatch.setattr(writer, "replace", replace_journal)
        monkeypatch.setattr(writer, "COMPACT_SLACK", -(10**9))
        numbers = count()

        def compacted_twice() -> bool:
            number = next(numbers)
            assign(state, **{f"eth{number}": number})
            return done.count(True) >= 2

        until("it is compacted", compacted_twice)
    said = [each for each in caplog.messages if "compacted" in each]
    path = tmp_path / JOURNAL
    assert said == [
        f"{path} is not compacted: {path}: No space left on device: free some space on that disk",
        f"{path} is compacted",
    ]


def test_a_compaction_that_meets_damage_leaves_it_to_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(tmp_path) as state:
        assign(state, a=1, b=2)
        with (tmp_path / JOURNAL).open("r+b") as file:
            data = file.read()
            file.seek(data.index(b'"a"') + 1)
            file.write(b"A")
        monkeypatch.setattr(writer, "COMPACT_SLACK", -(10**9))
        assign(state, c=3)
        until("said", lambda: "left as it is until the next start" in caplog.text)
        assign(state, d=4)
        assert (tmp_path / JOURNAL).read_bytes().count(b'"A"') == 1
    assert caplog.text.count("is not compacted") == 1
    with opened(tmp_path) as state:
        assert len(list(state.ports())) == 3
