"""The agent with its loop measured from outside: what each step on it takes.

    SCALE_STEPS=FILE python -m bench.measured_agent [the agent's own arguments]

A step is what the loop's thread does between two waits in its poll.  Of each are taken: its
CPU time; its wall time; and how long it was neither running nor waiting for a CPU, which is
a call that blocked (a disk, a lock, another thread that holds the interpreter).  FILE is
written at the end, and at SIGUSR1, after which everything is counted from zero again.

A virtual CPU does the same work in one second at a third of its pace in another, when its core
is another's as well.  So after a step that took long a known piece of work is done, and how
much slower that is than it ever was goes with the step.

The agent knows nothing of this: `Loop` gets a poll that takes the time.
"""

import heapq
import importlib
import json
import os
import select
import signal
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from vpp_snmp_agent.runtime import loop

STEPS_FILE = "SCALE_STEPS"  # the environment variable
PACE_FILE = "SCALE_PACE"  # likewise: of `Pace`, one for all agents of a run
LARGEST = 20  # steps that are kept
LONG = 2_000_000  # ns of CPU, after which the machine's pace is taken
MICRO = 1000  # ns


Step = tuple[int, float, int, int, int, float]


class RunDelay:
    """Nanoseconds that the calling thread was ready to run and had to wait for a CPU."""

    def __init__(self) -> None:
        self._file = os.open(f"/proc/self/task/{threading.get_native_id()}/schedstat", os.O_RDONLY)

    def __call__(self) -> int:
        return int(os.pread(self._file, 64, 0).split()[1])


class Pace:
    """How much slower this machine is at the moment than it was at its best.

    Its best is kept in a file over the processes of one run: one of them may know it at no other
    pace than a slow one.
    """

    def __init__(self, best: Path) -> None:
        known = [int(best.read_text())] if best.exists() else []
        self._best = min(*known, *(self._work() for _ in range(300)))
        best.write_text(str(self._best))

    def __call__(self) -> float:
        """The smallest of three: what disturbed one of them was not the machine's pace."""
        took = min(self._work() for _ in range(3))
        self._best = min(self._best, took)
        return took / self._best

    def _work(self) -> int:
        """Nanoseconds that some work takes, a tenth of a millisecond at best."""
        began = time.thread_time_ns()
        for number in range(500):
            str(number)
        return time.thread_time_ns() - began


class Steps:
    """What the steps took, in nanoseconds, since the last `clear`."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self._since = time.monotonic()
        self._count = 0
        self._cpu = 0
        self._histogram: Counter[int] = Counter()
        # (what it is ordered by, when it ended, CPU, wall, blocked, the machine's slowness)
        self._by_cpu: list[Step] = []
        self._by_blocked: list[Step] = []

    def add(self, ended: float, cpu: int, wall: int, delayed: int, slowness: float) -> None:
        """One step; times in ns, `slowness` as `Pace` has it."""
        blocked = max(0, wall - cpu - delayed)
        self._count += 1
        self._cpu += cpu
        self._histogram[(cpu // MICRO).bit_length()] += 1
        for largest, by in ((self._by_cpu, cpu), (self._by_blocked, blocked)):
            if len(largest) < LARGEST:
                heapq.heappush(largest, (by, ended, cpu, wall, blocked, slowness))
            elif by > largest[0][0]:
                heapq.heapreplace(largest, (by, ended, cpu, wall, blocked, slowness))

    def figures(self) -> dict[str, Any]:
        """For JSON; times of a step in ms, the histogram by the power of 2 us it is below."""
        return {
            "since": self._since,
            "until": time.monotonic(),
            "steps": self._count,
            "cpu": self._cpu / 1e9,
            "histogram": {str(1 << bits): n for bits, n in sorted(self._histogram.items())},
            "by_cpu": _ordered(self._by_cpu),
            "by_blocked": _ordered(self._by_blocked),
        }


def _ordered(largest: list[Step]) -> list[dict[str, float]]:
    return [
        {
            "at": at,
            "cpu": cpu / 1e6,
            "wall": wall / 1e6,
            "blocked": blocked / 1e6,
            "slowness": slowness,
        }
        for _, at, cpu, wall, blocked, slowness in sorted(largest, reverse=True)
    ]


class Recorder:
    """Where the figures go, and what else is counted."""

    def __init__(self, path: Path) -> None:
        self.pace_file = Path(os.environ.get(PACE_FILE) or path.with_suffix(".pace"))
        self.steps = Steps()
        self.made: int | None = None  # rows made again; None: there is no Publisher
        self.asked = False  # by SIGUSR1, for the figures
        self._path = path

    def write(self) -> None:
        """Replace the file, and begin anew."""
        self.asked = False
        figures = self.steps.figures() | {"made": self.made}
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps(figures))
        new.replace(self._path)
        self.steps.clear()
        if self.made is not None:
            self.made = 0


class MeasuredPoll:
    """An epoll that says when it is waited in."""

    def __init__(self, epoll: select.epoll, recorder: Recorder) -> None:
        self._epoll = epoll
        self._recorder = recorder
        self._delay = RunDelay()
        self._pace = Pace(recorder.pace_file)
        self._begun: tuple[int, int, int] | None = None  # CPU, wall, delay: no step before

    def __getattr__(self, name: str) -> Any:
        return getattr(self._epoll, name)

    def poll(self, *arguments: Any) -> list[tuple[int, int]]:
        """As epoll's, with a step ended before it and one begun after it."""
        cpu, wall = time.thread_time_ns(), time.monotonic_ns()
        if self._begun is not None:
            before = self._begun
            delayed, took = self._delay() - before[2], cpu - before[0]
            slowness = self._pace() if took > LONG else 1.0
            self._recorder.steps.add(wall / 1e9, took, wall - before[1], delayed, slowness)
        try:
            return self._epoll.poll(*arguments)
        finally:
            if self._recorder.asked:  # here, where it is part of no step
                self._recorder.write()
            delay = self._delay()
            self._begun = (time.thread_time_ns(), time.monotonic_ns(), delay)


def measure_loop(recorder: Recorder) -> None:
    """Have every Loop that is made from now on take the time of its steps."""
    make = loop.Loop.__init__

    def made(self: loop.Loop) -> None:
        make(self)
        self._epoll = MeasuredPoll(self._epoll, recorder)  # type: ignore[assignment]

    loop.Loop.__init__ = made  # type: ignore[method-assign]


def count_rows_made(recorder: Recorder) -> None:
    """Count what the publisher makes anew, where there is one (there is none before 0.2)."""
    try:
        publisher = importlib.import_module("vpp_snmp_agent.interfaces.publisher")
    except ModuleNotFoundError:
        return
    make = publisher.Publisher._make
    recorder.made = 0

    def counted(*arguments: Any, **options: Any) -> Any:
        assert recorder.made is not None
        recorder.made += 1
        return make(*arguments, **options)

    publisher.Publisher._make = counted


def main() -> int:
    """The agent; its exit status."""
    from vpp_snmp_agent import cli

    recorder = Recorder(Path(os.environ.pop(STEPS_FILE)))
    measure_loop(recorder)
    count_rows_made(recorder)

    def asked(*_: object) -> None:
        recorder.asked = True

    signal.signal(signal.SIGUSR1, asked)
    owner = os.getpid()
    try:
        return cli.main()
    finally:
        if os.getpid() == owner:  # not in a process that it forked
            recorder.write()


if __name__ == "__main__":
    sys.exit(main())
