"""On which CPUs the agent runs: on none where a worker of VPP polls.

A worker that polls takes its CPU whole.  Whoever else runs there waits for it, or takes time in
which packets are lost.

The rules this module keeps:

- By the setting `cpus`: `auto`, all that the agent was started on but those of VPP's workers; a
  list; or `any`, all that it was started on.
- Where nothing would remain, or the kernel refuses, it runs on where it does.
- All threads are moved, of the agent and of its children; what starts later inherits that.
- They are moved when the setting changes, or the CPUs of VPP's workers do, and not otherwise: who
  moves them by hand is not overruled.
"""

import contextlib
import errno
import logging
import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Literal

from .loop import StateLog

PROC = Path("/proc")

Cpus = Literal["auto", "any"] | tuple[int, ...]


def wanted(setting: Cpus, started_on: Collection[int], workers: Collection[int]) -> frozenset[int]:
    """The CPUs to run on; none where nothing would remain.

    `started_on`: those that the agent might use when it was started.  `workers`: those of
    VPP's workers, as far as they are known.
    """
    allowed = frozenset(started_on)
    if setting == "any":
        return allowed
    if setting == "auto":
        return allowed.difference(workers)
    return allowed.intersection(setting)


def move(cpus: Collection[int], pids: Iterable[int]) -> str:
    """Have all threads of these processes run there; why not, if the kernel refuses."""
    for thread in _threads(pids):
        try:
            os.sched_setaffinity(thread, cpus)
        except ProcessLookupError:
            continue  # it ended
        except OSError as error:
            return error.strerror or errno.errorcode.get(error.errno or 0, "unknown error")
    return ""


def _threads(pids: Iterable[int]) -> Iterator[int]:
    for pid in pids:
        with contextlib.suppress(OSError):  # it ended
            yield from [int(each.name) for each in (PROC / str(pid) / "task").iterdir()]


def ranges(cpus: Collection[int]) -> str:
    """CPUs as taskset and systemd write them: `0-3,6`."""
    found: list[list[int]] = []
    for cpu in sorted(cpus):
        if found and cpu == found[-1][1] + 1:
            found[-1][1] = cpu
        else:
            found.append([cpu, cpu])
    return ",".join(f"{low}-{high}" if low < high else f"{low}" for low, high in found)


class Placement:
    """Where the agent runs, and what was logged of it."""

    def __init__(self) -> None:
        self._started_on = self._cpus = frozenset(os.sched_getaffinity(0))
        # By what the CPUs were chosen last: the setting, and those of VPP's workers.
        self._placed_by: tuple[Cpus, frozenset[int]] = ("any", frozenset())
        self._log = StateLog()

    def update(self, setting: Cpus, workers: frozenset[int], pids: Iterable[int]) -> None:
        """Run on none of the CPUs of VPP's workers, or where the setting says.

        To be called a few times a second.  `pids`: of the agent and its children.
        """
        if (setting, workers) == self._placed_by:
            return
        self._placed_by = setting, workers
        cpus = wanted(setting, self._started_on, workers)
        here, there = ranges(self._cpus), ranges(cpus)
        if not cpus:
            wrong = f"cpus: none that the agent may use is left: it runs on {here} as before"
            self._log.report(logging.WARNING, "cpus", wrong)
            return
        of_workers = f"; VPP's workers are on {ranges(workers)}" if workers else ""
        placed = f"the agent runs on CPU {there}{of_workers}"
        if cpus != self._cpus:
            why = move(cpus, pids)
            if why:
                self._log.report(logging.WARNING, "cpus", f"cpus: not moved to {there}: {why}")
                return
            self._cpus = cpus
            self._log.report(logging.INFO, "cpus", placed)
        else:
            self._log.solved("cpus", placed)
