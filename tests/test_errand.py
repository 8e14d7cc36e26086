"""errand.py: work done by another process while the loop goes on."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from vpp_snmp_agent.config import BadSettings
from vpp_snmp_agent.errand import Errand
from vpp_snmp_agent.loop import Loop

Answers = list[tuple[Any, Exception | None]]


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    made.close()


@pytest.fixture
def run(loop: Loop) -> Callable[[Callable[[], Any]], tuple[Any, Exception | None]]:
    """Have the work done, and return what `done` was told."""

    def run(work: Callable[[], Any]) -> tuple[Any, Exception | None]:
        answers: Answers = []
        Errand(loop, work, lambda result, error: answers.append((result, error)))
        limit = time.monotonic() + 20
        while not answers and time.monotonic() < limit:
            loop.turn(1)
        (answer,) = answers
        return answer

    return run


Run = Callable[[Callable[[], Any]], tuple[Any, Exception | None]]


def test_the_work_is_done_by_another_process(run: Run) -> None:
    pid, error = run(os.getpid)
    assert error is None
    assert pid != os.getpid()


def test_a_large_result_comes_whole(run: Run) -> None:
    assert run(lambda: {str(n): n for n in range(100_000)})[0]["99999"] == 99_999


def test_what_the_work_raises_is_told(run: Run) -> None:
    def work() -> None:
        raise BadSettings("line 7")

    result, error = run(work)
    assert result is None
    assert isinstance(error, BadSettings)
    assert str(error) == "line 7"


def test_a_process_that_dies_is_told(run: Run) -> None:
    result, error = run(lambda: os.kill(os.getpid(), signal.SIGKILL))
    assert result is None
    assert "without a word" in str(error)


def test_the_loop_is_not_kept_from_anything_else(loop: Loop) -> None:
    reader, writer = os.pipe()
    heard: list[int] = []
    answers: Answers = []
    errand = Errand(
        loop, lambda: os.read(reader, 1), lambda result, error: answers.append((result, error))
    )
    other_reader, other_writer = os.pipe()
    loop.watch(other_reader, heard.append)
    os.write(other_writer, b"!")
    loop.turn(10)
    assert heard
    assert not answers
    os.write(writer, b"x")
    errand.wait()
    assert answers == [(b"x", None)]
    for descriptor in (reader, writer, other_reader, other_writer):
        os.close(descriptor)


def test_nothing_is_left_behind(run: Run) -> None:
    descriptors = len(os.listdir("/proc/self/fd"))
    run(os.getpid)
    assert len(os.listdir("/proc/self/fd")) == descriptors
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_a_signal_for_the_agent_does_not_end_the_work(run: Run) -> None:
    def work() -> str:
        os.kill(os.getpid(), signal.SIGTERM)
        return "done"

    assert run(work) == ("done", None)
