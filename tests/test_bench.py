"""bench: the rules by which its figures come about."""

import os
import subprocess
import threading
import time
from pathlib import Path

import pytest

from bench import measures, processes, staleness
from bench.__main__ import table
from bench.measures import Row
from vpp_snmp_agent.simulator.stage import Process


class Sleeper(Process):
    """A process that does nothing."""

    def __enter__(self) -> "Sleeper":
        self._start(["sleep", "infinity"])
        return self


SECONDS = [float(second) for second in range(3601)]
STEADY = [1000 * second for second in range(3601)]


def test_a_counter_that_is_read_live_has_the_true_rate() -> None:
    assert staleness.worst_rate_error(SECONDS, STEADY, 60, 1000) == 0


@pytest.mark.parametrize(("every", "error"), [(30, 0.5), (10, 1 / 6)])
def test_a_refreshed_counter_is_wrong_by_up_to_its_age_in_the_poll_period(
    every: int, error: float
) -> None:
    told = staleness.as_refreshed(SECONDS, STEADY, every)
    assert staleness.worst_rate_error(SECONDS, told, 60, 1000) == pytest.approx(error, abs=0.03)


def test_a_refreshed_counter_is_never_newer_than_it_is() -> None:
    told = staleness.as_refreshed(SECONDS, STEADY, 30)
    assert all(0 <= now - then < 31 * 1000 for now, then in zip(STEADY, told, strict=True))


def test_a_rate_takes_two_polls() -> None:
    with pytest.raises(ValueError, match="60 s apart"):
        staleness.worst_rate_error(SECONDS[:60], STEADY[:60], 60, 1000)


def test_a_ratio_is_the_median_of_the_turns_ratios() -> None:
    row = measures.ratio("walk", [[1e-6, 2e-6], [2e-6, 2e-6], [9e-6, 3e-6]], 0.8)
    assert (row.ours, row.other, row.figure, row.met) == ("2.0 us", "2.0 us", 1.0, False)


def test_sides_are_measured_in_turns() -> None:
    costs = iter(range(6))
    assert measures.in_turns(3, lambda: next(costs), lambda: -next(costs)) == [
        [0, -1],
        [2, -3],
        [4, -5],
    ]


def test_what_is_to_have_one_cpu_has_it_only_meanwhile(tmp_path: Path) -> None:
    with Sleeper(tmp_path / "one") as one, Sleeper(tmp_path / "other") as other:
        before = os.sched_getaffinity(one.pid)
        with measures.on_one_cpu(one, other):
            meanwhile = [os.sched_getaffinity(each.pid) for each in (one, other)]
        assert meanwhile == [{min(before)}] * 2
        assert os.sched_getaffinity(one.pid) == os.sched_getaffinity(other.pid) == before


def test_the_99th_of_a_hundred_answers_counts() -> None:
    assert measures.percentile_99([*range(99), 1000]) == 1000
    assert measures.percentile_99([*range(199), 1000]) == 198


def test_the_table_says_which_bars_are_missed() -> None:
    rows = [Row("a", "1 us", "2 us", 0.5, 0.8), Row("b", "3 s", "", 3, 1.5, "s")]
    assert [line.split()[-1] for line in table(rows)[1:]] == ["met", "missed"]


def test_cpu_is_that_of_all_threads() -> None:
    worked, seen = threading.Event(), threading.Event()

    def work() -> None:
        while time.thread_time_ns() < 20_000_000:
            pass
        worked.set()
        seen.wait()

    before = processes.cpu(os.getpid())
    worker = threading.Thread(target=work)
    worker.start()
    worked.wait()
    assert processes.cpu(os.getpid()) - before >= 20_000_000
    seen.set()
    worker.join()


def test_the_family_of_a_process_is_itself_and_its_children() -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
        family = processes.family(os.getpid())
        assert family[0] == os.getpid()
        assert child.pid in family
