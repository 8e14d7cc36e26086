"""jobs.py: work done by a process or a thread while the loop goes on."""

import atexit
import contextlib
import importlib
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from simulator.stage import until
from vpp_snmp_agent.runtime import jobs
from vpp_snmp_agent.runtime.jobs import MAX_MEMORY, in_process, in_thread
from vpp_snmp_agent.runtime.loop import Loop
from vpp_snmp_agent.runtime.systemd import Supervisor
from vpp_snmp_agent.settings.document import BadSettings

TIMEOUT = 20  # seconds
Outcome = tuple[Any, Exception | None]
RunProcess = Callable[..., Outcome]
RunThread = Callable[[Callable[[], Any]], Outcome]


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    made.close()


def wait(loop: Loop, outcomes: list[Outcome]) -> Outcome:
    """Turn until `done` was called, which is once."""
    limit = time.monotonic() + TIMEOUT
    while not outcomes and time.monotonic() < limit:
        loop.turn(1)
    loop.turn(0)
    (outcome,) = outcomes
    return outcome


@pytest.fixture
def by_process(loop: Loop) -> RunProcess:
    """Have a function of this module called by a process; what `done` was given."""

    def run(work: Callable[..., Any], *arguments: str) -> Outcome:
        outcomes: list[Outcome] = []
        in_process(
            loop, lambda *outcome: outcomes.append(outcome), work, *arguments, timeout=TIMEOUT
        )
        return wait(loop, outcomes)

    return run


@pytest.fixture
def by_thread(loop: Loop) -> RunThread:
    """Have a function called by a thread; what `done` was given."""

    def run(work: Callable[[], Any]) -> Outcome:
        outcomes: list[Outcome] = []
        in_thread(loop, lambda *outcome: outcomes.append(outcome), work)
        return wait(loop, outcomes)

    return run


# --- the work: what a process calls is found by its name -------------------------------------


def pid_and(*texts: str) -> tuple[int, tuple[str, ...]]:
    return os.getpid(), texts


def large() -> dict[str, int]:
    return {str(n): n for n in range(100_000)}


def fail(text: str) -> None:
    raise BadSettings(text)


def end_by(number: str) -> str:
    os.kill(os.getpid(), int(number))
    return "done"


def read_text(path: str) -> str:
    return Path(path).read_text()


def of_environment(*names: str) -> list[str | None]:
    return [os.environ.get(name) for name in names]


def descriptors() -> list[str]:
    """Where each goes, lowest first, but for that of the listing itself."""
    found = []
    for each in sorted(os.listdir("/proc/self/fd"), key=int):
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(f"/proc/self/fd/{each}"))
    return found


def end_slowly_or_never() -> None:
    time.sleep(3600)


def end_slowly() -> str:
    atexit.register(time.sleep, TIMEOUT)
    return "done"


def take_much(octets: str) -> str:
    return f"took {len(bytearray(int(octets)))}"


def say_and_wait(path: str) -> None:
    """Leave this process's id in a file, and wait."""
    new = Path(f"{path}.new")
    new.write_text(str(os.getpid()))
    new.rename(path)
    time.sleep(3600)


def module_of(name: str) -> str | None:
    """From where a module is taken, if from anywhere."""
    try:
        return importlib.import_module(name).__file__
    except ImportError:
        return None


# --- in a process ------------------------------------------------------------------------------


def test_the_work_is_done_by_another_process_with_the_texts_it_is_given(
    by_process: RunProcess,
) -> None:
    (pid, texts), error = by_process(pid_and, "Zürich", "", "-c")
    assert error is None
    assert pid != os.getpid()
    assert texts == ("Zürich", "", "-c")


def test_a_large_result_comes_whole(by_process: RunProcess) -> None:
    assert by_process(large)[0]["99999"] == 99_999


def test_what_the_work_raises_is_handed_on(by_process: RunProcess) -> None:
    result, error = by_process(fail, "line 7")
    assert result is None
    assert isinstance(error, BadSettings)
    assert str(error) == "line 7"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_process_that_is_ended_is_reported(by_process: RunProcess, number: int) -> None:
    result, error = by_process(end_by, str(int(number)))
    assert result is None
    assert isinstance(error, ChildProcessError)
    assert "ended unexpectedly" in str(error)


def test_an_interrupt_for_the_agent_does_not_end_the_work(by_process: RunProcess) -> None:
    assert by_process(end_by, str(int(signal.SIGINT))) == ("done", None)


def test_the_loop_is_not_kept_from_anything_else(loop: Loop, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    outcomes: list[Outcome] = []
    in_process(
        loop, lambda *outcome: outcomes.append(outcome), read_text, str(fifo), timeout=TIMEOUT
    )
    heard: list[int] = []
    reader, writer = os.pipe()
    loop.watch(reader, heard.append)
    os.write(writer, b"!")
    loop.turn(10)
    assert heard == [select.EPOLLIN]
    assert not outcomes
    loop.forget(reader)
    fifo.write_text("x")  # waits for who reads it
    assert wait(loop, outcomes) == ("x", None)
    for descriptor in (reader, writer):
        os.close(descriptor)


def test_a_process_inherits_no_descriptor_but_its_pipe(by_process: RunProcess) -> None:
    with socket.socket(socket.AF_UNIX) as session, socket.socket(socket.AF_UNIX) as snmpd:
        snmpd.bind("")
        snmpd.listen()
        session.connect(snmpd.getsockname())
        for each in (session, snmpd):
            each.set_inheritable(True)
        found, _ = by_process(descriptors)
    pipe = found.pop()
    assert found == ["/dev/null", "/dev/null", os.readlink("/proc/self/fd/2")]
    assert pipe.startswith("pipe:")


def test_what_systemd_gave_the_agent_does_not_reach_a_process(
    by_process: RunProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"NOTIFY_SOCKET": "/nowhere/notify", "WATCHDOG_USEC": "7000000", "WATCHDOG_PID": "11"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert by_process(of_environment, *given)[0] == list(given.values())
    Supervisor()
    assert by_process(of_environment, *given)[0] == [None, None, None]


def test_two_pieces_of_work_at_a_time_do_not_mix(loop: Loop) -> None:
    first: list[Outcome] = []
    second: list[Outcome] = []
    in_process(loop, lambda *outcome: first.append(outcome), pid_and, "first", timeout=19)
    in_process(loop, lambda *outcome: second.append(outcome), pid_and, "second", timeout=19)
    (one, texts), _ = wait(loop, first)
    (other, more), _ = wait(loop, second)
    assert (texts, more) == (("first",), ("second",))
    assert one != other


def test_the_loop_does_not_wait_for_the_end_of_the_childs_interpreter(
    by_process: RunProcess,
) -> None:
    began = time.monotonic()
    assert by_process(end_slowly) == ("done", None)
    assert time.monotonic() - began < TIMEOUT / 2


def test_a_process_leaves_nothing_behind(by_process: RunProcess) -> None:
    before = len(os.listdir("/proc/self/fd"))
    by_process(pid_and)
    by_process(fail, "line 8")
    assert len(os.listdir("/proc/self/fd")) == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_where_no_process_is_available_nothing_is_left_either(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    with pytest.raises(OSError, match="No such file"):
        in_process(loop, lambda result, error: None, pid_and, timeout=18)
    assert len(os.listdir("/proc/self/fd")) == before


# --- bounds ------------------------------------------------------------------------------------


def test_a_process_that_does_not_answer_is_killed(loop: Loop, tmp_path: Path) -> None:
    outcomes: list[Outcome] = []
    path = tmp_path / "pid"
    in_process(
        loop, lambda *outcome: outcomes.append(outcome), say_and_wait, str(path), timeout=1.5
    )
    result, error = wait(loop, outcomes)
    assert result is None
    assert isinstance(error, TimeoutError)
    assert str(error) == "the process for it did not answer within 1.5 s and was killed"
    assert not Path(f"/proc/{path.read_text()}").exists()


def test_a_killed_process_that_does_not_end_is_not_waited_for(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one whose disk does not answer: here no signal reaches it."""
    monkeypatch.setattr(jobs, "REAP_TIMEOUT", 0.1)
    outcomes: list[Outcome] = []
    with monkeypatch.context() as deaf:
        deaf.setattr(subprocess.Popen, "kill", lambda process: None)
        in_process(
            *(loop, lambda *outcome: outcomes.append(outcome), end_slowly_or_never),
            timeout=0.6,
        )
        assert isinstance(wait(loop, outcomes)[1], TimeoutError)
    for child in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
        os.kill(int(child), signal.SIGKILL)
        os.waitpid(int(child), 0)


def test_a_process_that_takes_too_much_memory_is_reported(by_process: RunProcess) -> None:
    assert by_process(take_much, str(64 << 20)) == (f"took {64 << 20}", None)
    result, error = by_process(take_much, str(MAX_MEMORY))
    assert result is None
    assert isinstance(error, ChildProcessError)
    assert str(error) == f"the process for it needs more than {MAX_MEMORY >> 20} MiB of memory"


def test_work_that_is_not_wanted_any_more_can_be_ended(loop: Loop, tmp_path: Path) -> None:
    outcomes: list[Outcome] = []
    path = tmp_path / "pid"
    end = in_process(
        loop, lambda *outcome: outcomes.append(outcome), say_and_wait, str(path), timeout=17
    )
    until("it works", path.exists)
    end()
    assert isinstance(wait(loop, outcomes)[1], ChildProcessError)


# --- in a thread -------------------------------------------------------------------------------


def test_the_work_is_done_by_another_thread(by_thread: RunThread) -> None:
    thread, error = by_thread(threading.get_ident)
    assert error is None
    assert thread != threading.get_ident()


def test_what_the_work_of_a_thread_raises_is_handed_on(by_thread: RunThread) -> None:
    result, error = by_thread(lambda: fail("line 9"))
    assert result is None
    assert isinstance(error, BadSettings)
    assert str(error) == "line 9"


def test_the_loop_turns_while_a_thread_waits(loop: Loop) -> None:
    outcomes: list[Outcome] = []
    gate = threading.Event()
    in_thread(loop, lambda *outcome: outcomes.append(outcome), lambda: gate.wait(TIMEOUT))
    for _ in range(3):
        loop.turn(0)
    assert not outcomes
    gate.set()
    assert wait(loop, outcomes) == (True, None)


def test_done_is_called_on_the_loop(loop: Loop) -> None:
    called_on: list[int] = []
    in_thread(loop, lambda result, error: called_on.append(threading.get_ident()), lambda: None)
    limit = time.monotonic() + TIMEOUT
    while not called_on and time.monotonic() < limit:
        loop.turn(1)
    assert called_on == [threading.get_ident()]


def test_a_thread_leaves_nothing_behind(by_thread: RunThread) -> None:
    before = len(os.listdir("/proc/self/fd")), threading.active_count()
    by_thread(lambda: None)
    by_thread(lambda: fail("line 10"))
    assert (len(os.listdir("/proc/self/fd")), threading.active_count()) == before


def test_where_no_thread_is_available_nothing_is_left_either(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    before = len(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(OSError, match="temporarily unavailable"):
        in_thread(loop, lambda result, error: None, lambda: None)
    with pytest.raises(OSError, match="temporarily unavailable"):
        in_process(loop, lambda result, error: None, pid_and, timeout=16)
    assert len(os.listdir("/proc/self/fd")) == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
