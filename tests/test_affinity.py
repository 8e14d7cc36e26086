"""runtime/affinity.py: the CPUs that the agent runs on."""

import logging
import os
import threading
from collections.abc import Collection, Iterator

import pytest

from vpp_snmp_agent.runtime import affinity
from vpp_snmp_agent.runtime.affinity import Cpus, Placement, move, ranges, wanted


@pytest.mark.parametrize(
    ("setting", "started_on", "workers", "expected"),
    [
        ("auto", (0, 1, 2, 3), (2, 3), {0, 1}),
        ("auto", (0, 1), (), {0, 1}),  # not known, or none
        ("auto", (2, 3), (2, 3), set()),
        ("auto", (0, 1), (5, 1), {0}),
        ("any", (0, 1, 2), (1,), {0, 1, 2}),
        ((1, 7), (0, 1, 2), (1,), {1}),
        ((8,), (0, 1), (), set()),
    ],
)
def test_the_cpus_are_those_of_the_start_without_vpps_workers(
    setting: Cpus, started_on: Collection[int], workers: Collection[int], expected: set[int]
) -> None:
    assert wanted(setting, started_on, workers) == expected


@pytest.fixture
def put_back() -> Iterator[frozenset[int]]:
    before = frozenset(os.sched_getaffinity(0))
    yield before
    move(before, [os.getpid()])


def test_every_thread_moves_and_one_that_starts_later_inherits_it(put_back: frozenset[int]) -> None:
    cpu = min(put_back)
    ended = threading.Event()
    other = threading.Thread(target=ended.wait)
    other.start()
    try:
        assert move({cpu}, [os.getpid()]) == ""
        found: list[set[int]] = []
        later = threading.Thread(target=lambda: found.append(os.sched_getaffinity(0)))
        later.start()
        later.join()
        assert other.native_id is not None
        assert os.sched_getaffinity(other.native_id) == {cpu} == os.sched_getaffinity(0)
        assert found == [{cpu}]
    finally:
        ended.set()
        other.join()


def test_a_process_that_ended_is_no_failure() -> None:
    assert move({0}, [2**22 + 1]) == ""


def test_what_the_kernel_refuses_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    assert move({0}, [os.getpid()]) == "Operation not permitted"


@pytest.mark.parametrize(
    ("cpus", "text"), [((), ""), ((3,), "3"), ((0, 1, 2, 3), "0-3"), ((6, 0, 2, 1), "0-2,6")]
)
def test_cpus_are_written_as_taskset_writes_them(cpus: Collection[int], text: str) -> None:
    assert ranges(cpus) == text


# --- where the agent runs -------------------------------------------------------------------------

PIDS = 4711, 4712


@pytest.fixture
def placed(monkeypatch: pytest.MonkeyPatch) -> list[frozenset[int]]:
    """The CPUs that the agent was moved to, on a machine with eight of them."""
    found: list[frozenset[int]] = []

    def move(cpus: frozenset[int], pids: tuple[int, ...]) -> str:
        assert pids == PIDS
        found.append(cpus)
        return "Invalid argument" if cpus == {6} else ""

    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setattr(affinity, "move", move)
    return found


def test_the_agent_leaves_the_cpus_of_vpps_workers_and_says_so_once(
    placed: list[frozenset[int]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    placement = Placement()
    placement.update("auto", frozenset(), PIDS)
    assert placed == []
    for _ in range(2):
        placement.update("auto", frozenset({2, 3}), PIDS)
    assert placed == [{0, 1, 4, 5, 6, 7}]
    assert caplog.messages == ["the agent runs on CPU 0-1,4-7; VPP's workers are on 2-3"]
    placement.update("any", frozenset({2, 3}), PIDS)
    placement.update((5, 3), frozenset({2, 3}), PIDS)
    assert placed[1:] == [set(range(8)), {3, 5}]


def test_where_no_cpu_would_be_left_or_the_kernel_refuses_the_agent_stays(
    placed: list[frozenset[int]], caplog: pytest.LogCaptureFixture
) -> None:
    placement = Placement()
    placement.update("auto", frozenset(range(8)), PIDS)
    assert placed == []
    assert "none that the agent may use is left: it runs on 0-7 as before" in caplog.text
    for _ in range(2):  # what the kernel refused is not tried again and again
        placement.update((6,), frozenset(range(8)), PIDS)
    assert placed == [{6}]
    assert "cpus: not moved to 6: Invalid argument" in caplog.text


def test_that_a_cpu_is_left_again_is_said_once(
    placed: list[frozenset[int]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    placement = Placement()
    placement.update("auto", frozenset(range(8)), PIDS)
    for workers in ((), (8,)):
        placement.update("auto", frozenset(workers), PIDS)
    assert placed == []
    assert caplog.messages[1:] == ["the agent runs on CPU 0-7"]
