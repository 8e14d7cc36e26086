"""affinity.py: the CPUs that the agent runs on."""

import os
import threading
from collections.abc import Collection, Iterator

import pytest

from vpp_snmp_agent.runtime.affinity import Cpus, move, ranges, wanted


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
