"""What the agent costs while nobody asks: CPU, and how often it wakes up."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import mean

from simulator.stage import AgentProcess, Snmpd

from . import processes
from .measures import Effort, Row, quiet_vpp
from .polled import PORTS, asked

SWEEP = 0.004  # seconds of the child's CPU in a second that has more to do than rest
MAX_WAKE_UPS = 4  # a second


class Resting:
    """An agent at 1,000 interfaces that nobody asks."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @contextmanager
    def running(self) -> Iterator["Resting"]:
        """Start it.  What follows on a start (addresses are asked for again) ends meanwhile."""
        with (
            quiet_vpp(self._directory / "vpp", PORTS) as vpp,
            Snmpd(self._directory / "snmpd") as snmpd,
            AgentProcess(self._directory, vpp, snmpd.agentx) as self._agent,
        ):
            with asked(self._agent, snmpd, lambda: None):
                pass
            yield self

    def rows(self, effort: Effort) -> Iterator[Row]:
        """To be asked for while nothing else is measured, and some time after the start."""
        pid = self._agent.pid
        seconds: list[tuple[float, float]] = []
        switches, began = _switches(pid), time.monotonic()
        agent, child = _cpu(pid)
        due = began
        for _ in range(effort.rest):
            due += 1
            time.sleep(max(0.0, due - time.monotonic()))
            then, (agent, child) = (agent, child), _cpu(pid)
            seconds.append((agent - then[0], child - then[1]))
        elapsed = time.monotonic() - began
        wakes = {of: count - switches.get(of, 0) for of, count in _switches(pid).items()}
        yield work(seconds)
        rate = sum(wakes.values()) / elapsed
        each = ", ".join(f"{count / elapsed:.2f}" for count in wakes.values())
        yield Row(
            "wake-ups at rest, 1,000 interfaces",
            f"{each} /s",
            f"agent, child; over {elapsed:.0f} s",
            rate,
            MAX_WAKE_UPS,
            "/s",
        )


def _cpu(pid: int) -> tuple[float, float]:
    """Seconds of CPU of the agent, and of its children."""
    own = processes.cpu(pid)
    return own * 1e-9, (processes.family_cpu(pid) - own) * 1e-9


def _switches(pid: int) -> dict[int, int]:
    return {each: processes.voluntary_switches(each) for each in processes.family(pid)}


def work(seconds: list[tuple[float, float]]) -> Row:
    """Of the CPU of agent and child in each second, the share of those between the sweeps.

    A sweep is when the child asks VPP for more than has changed.  With these it is what a
    router's CPU has to bear, which is printed beside it.
    """
    between = [sum(each) for each in seconds if each[1] < SWEEP] or [float("inf")]
    child = mean(child for _, child in seconds)
    return Row(
        "work at rest, 1,000 interfaces, child included, between the sweeps",
        f"{100 * mean(between):.3f}%",
        f"with {len(seconds) - len(between)} s of sweeps {100 * mean(map(sum, seconds)):.3f}%,"
        f" child {100 * child:.3f}%",
        100 * mean(between),
        0.20,
        "%",
    )
