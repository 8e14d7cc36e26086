"""What all measures are made of, and those that need no snmpd: answers, start, rates.

Each measure is a function that sets its stage, measures, and yields rows of the table.
`polled` has those through snmpd, `rest` those of an agent that nobody asks.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from pathlib import Path
from signal import SIGHUP
from statistics import median

from simulator import Simulator
from simulator.stage import AgentProcess, StageError
from vpp_snmp_agent.agentx.values import END_OF_MIB_VIEW, oid

from . import processes, staleness
from .master import Master

TABLES = ("1.3.6.1.2.1.2.2", "1.3.6.1.2.1.31.1.1")
IF_ENTRY, IF_X_ENTRY = (f"{table}.1" for table in TABLES)
COLUMNS = (
    *(f"{IF_ENTRY}.{number}" for number in range(1, 23)),
    *(f"{IF_X_ENTRY}.{number}" for number in range(1, 20)),
)
IF_NUMBER = oid("1.3.6.1.2.1.2.1.0")
HC_IN_OCTETS = f"{IF_X_ENTRY}.6"
SETTINGS = "agent.yaml"  # of a measured agent, in its directory
REQUEST_INTERVAL = 0.001  # seconds between two requests of those whose answers are timed
SETTLED = 1.0  # seconds that answers are timed after the agent has the news

TIMEOUT = 30.0  # seconds until the agent has them
NEWS = "VPP reports"  # in the agent's debug log

MICRO, MILLI, MEBI = 1e-6, 1e-3, 2**20
UNITS = {"us": MICRO, "ms": MILLI, "s": 1.0}


@dataclass(frozen=True)
class Effort:
    """How much is measured: turns, if it does not say anything else."""

    gets: int  # of each of 1,000 ports
    gets_with_pauses: int
    gets_by_processes: int
    walks: int  # of a tenth of the rows, or a hundred
    slow_walks: int  # the same beside pyagentx3
    polls: int
    poll_ports: int  # of 1,000, in each of them
    starts: int
    rates: int  # polls 60 s apart, by the simulator's clock
    rest: int  # seconds


FULL = Effort(
    gets=40,
    gets_with_pauses=30,
    gets_by_processes=100,
    walks=40,
    slow_walks=9,
    polls=10,
    poll_ports=1000,
    starts=9,
    rates=60,
    rest=121,
)
QUICK = Effort(
    gets=4,
    gets_with_pauses=4,
    gets_by_processes=10,
    walks=7,
    slow_walks=2,
    polls=3,
    poll_ports=200,
    starts=3,
    rates=30,
    rest=32,
)


@dataclass(frozen=True)
class Row:
    """One line of the table: both sides' figures, and the one that the bar is for."""

    measure: str
    ours: str
    other: str
    figure: float
    bar: float = inf  # which is none
    unit: str = ""
    is_excused: bool = False  # because of two bars one has to be met, and the other is

    @property
    def met(self) -> bool:
        """Whether the bar is met."""
        return self.figure <= self.bar


def in_turns(count: int, *costs: Callable[[int], float]) -> list[list[float]]:
    """What each of them costs, turn by turn; each is given the number of the turn."""
    return [[each(turn) for each in costs] for turn in range(count)]


def ratio(
    measure: str, turns: Sequence[Sequence[float]], bar: float = inf, unit: str = "us"
) -> Row:
    """A row of turns: seconds of ours, and of the other side.

    The figure is the median of the turns' own ratios: a CPU may do the same work at a third of
    its pace for some seconds, and then both sides of a turn have it so.
    """
    ours, other = zip(*turns, strict=True)
    return Row(
        measure,
        spread(ours, unit),
        spread(other, unit),
        median(mine / theirs for mine, theirs in turns),
        bar,
    )


def spread(seconds: Sequence[float], unit: str) -> str:
    """The median, and where the middle eight tenths are.

    net-snmp's subagent has two costs for the same, for some seconds each: see
    docs/performance.md.
    """
    ordered = sorted(each / UNITS[unit] for each in seconds)
    tenth = len(ordered) // 10
    return f"{median(ordered):.2f} {unit} ({ordered[tenth]:.2f} to {ordered[-1 - tenth]:.2f})"


@contextmanager
def on_cpus(places: Mapping[int, int]) -> Iterator[None]:
    """Meanwhile each of some processes, by its pid, has one CPU and no other."""
    before = {pid: os.sched_getaffinity(pid) for pid in places}
    try:
        for pid, cpu in places.items():
            os.sched_setaffinity(pid, {cpu})
        yield
    finally:
        for pid, cpus in before.items():
            os.sched_setaffinity(pid, cpus)


@contextmanager
def quiet_vpp(directory: Path, interfaces: int, threads: int = 3) -> Iterator[Simulator]:
    """A simulated VPP whose traffic stands still, so that it takes no CPU from others."""
    with Simulator(directory, interfaces=interfaces, threads=threads) as vpp:
        vpp.freeze()
        yield vpp


@contextmanager
def pinned_agent(
    directory: Path, vpp: Simulator, agentx: str, lines: str = ""
) -> Iterator[AgentProcess]:
    """The agent, with some lines of a settings file; it stays on the CPUs that it is put on.

    By itself it would leave those of the workers that the simulated VPP says it has.
    """
    directory.mkdir(parents=True, exist_ok=True)
    settings = directory / SETTINGS
    settings.write_text("cpus: any\n" + lines)
    with AgentProcess(directory, vpp, agentx, "-f", str(settings)) as agent:
        yield agent


@contextmanager
def at_the_socket(
    directory: Path, vpp: Simulator, lines: str = ""
) -> Iterator[tuple[AgentProcess, Master]]:
    """The agent and a master that asks it directly, once rows are served."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "agentx"
    with Master(path) as master, pinned_agent(directory, vpp, str(path), lines) as agent:
        master.accept()
        master.wait_for_rows(oid(IF_ENTRY))
        yield agent, master


# --- at 10,000 interfaces -------------------------------------------------------------------------


def answers(directory: Path, effort: Effort) -> Iterator[Row]:
    """How long a request waits at 10,000 interfaces, and what memory they take."""
    lines = "period: 30\nsettle: 1\ndebug: 1\n"
    with (
        quiet_vpp(directory / "vpp", 10_000) as vpp,
        at_the_socket(directory / "agent", vpp, lines) as many,
    ):
        yield from answers_of(vpp, *many, directory / "agent" / SETTINGS)


def answers_of(
    vpp: Simulator, agent: AgentProcess, master: Master, settings: Path
) -> Iterator[Row]:
    """How long a request waits while the agent has other things to do; what memory it takes."""

    def dump_again() -> None:
        # Another period: another child, which dumps and reports all.
        settings.write_text(settings.read_text().replace("period: 30", "period: 29"))
        agent.send(SIGHUP)

    def come() -> None:
        vpp.configure(interfaces=11_000)
        vpp.wait_until_configured()

    def go() -> None:
        for name in newest:
            vpp.delete(name)

    def logged(text: str) -> Callable[[], bool]:
        so_far = agent.text().count(text)
        return lambda: agent.text().count(text) > so_far

    def rows(count: int) -> Callable[[], bool]:
        return lambda: master.get(IF_NUMBER).value == count

    waits = {"dumped again": timed(agent, master, dump_again, logged(NEWS))}
    dumped = resident(agent)
    waits["1,000 come"] = timed(agent, master, come, rows(11_000))
    # Found now: to read a list of 11,000 would keep this process from seeing an answer.
    newest = list(vpp.interfaces())[-1000:]
    waits["go"] = timed(agent, master, go, rows(10_000))
    gone = resident(agent)
    yield Row(
        "resident memory, 10,000 interfaces: dumped again, 1,000 gone",
        f"{dumped:.0f}, {gone:.0f} MiB",
        f"beside {of_vpp(agent):.0f} MiB of VPP's segment",
        max(dumped, gone),
        96,
        "MiB",
    )
    for name, bar, of in (
        ("99% of answers", 5.0, percentile_99),
        ("the latest answer", 50.0, max),
    ):
        whole = [of([each.whole for each in took]) / MILLI for took in waits.values()]
        own = [of([each.own for each in took]) / MILLI for took in waits.values()]
        yield Row(
            f"{name}: {', '.join(waits)}",
            f"{', '.join(f'{each:.1f}' for each in whole)} ms",
            f"without CPU queue {', '.join(f'{each:.1f}' for each in own)}",
            max(whole),
            bar,
            "ms",
        )


def resident(agent: AgentProcess) -> float:
    """Of the agent and its child, in MiB; what both map counts twice.

    Without VPP's segment, which is VPP's memory and resident whether anybody reads it or not.
    """
    fields = "RssAnon", "RssFile"
    pids = processes.family(agent.pid)
    return sum(processes.memory(pid, field) for pid in pids for field in fields) / MEBI


def of_vpp(agent: AgentProcess) -> float:
    """What is mapped of VPP's segment, in MiB."""
    return processes.memory(agent.pid, "RssShmem") / MEBI


@dataclass(frozen=True)
class Wait:
    """Seconds until an answer came: of all, which a poller waits and the bar is for; and
    without the queue for a CPU, to tell how much of that the machine's load was.
    """

    whole: float
    own: float


def percentile_99(values: Sequence[float]) -> float:
    """99 of 100 are not above it."""
    return sorted(values)[len(values) * 99 // 100]


def timed(
    agent: AgentProcess, master: Master, work: Callable[[], None], done: Callable[[], bool]
) -> list[Wait]:
    """Walk on, a request a millisecond, until `work` is done and the agent has its news."""
    took: list[Wait] = []
    position = start = oid(IF_ENTRY)
    worker = threading.Thread(target=work)
    worker.start()
    limit = time.monotonic() + TIMEOUT
    until_then = None
    both = agent.pid, os.getpid()
    while time.monotonic() < (until_then or limit):
        queued, began = processes.queued(*both), time.perf_counter()
        cell = master.get_next(position)
        whole = time.perf_counter() - began
        took.append(Wait(whole, max(0.0, whole - (processes.queued(*both) - queued))))
        position = start if cell.type is END_OF_MIB_VIEW else cell.name
        if until_then is None and len(took) % 100 == 0 and not worker.is_alive() and done():
            until_then = time.monotonic() + SETTLED
        time.sleep(max(0.0, REQUEST_INTERVAL - whole))
    worker.join()
    if until_then is None:
        raise StageError(f"not within {TIMEOUT:g} s: the agent has the news")
    return took


# --- alone ---------------------------------------------------------------------------------------


def start(directory: Path, effort: Effort) -> Iterator[Row]:
    """How long until the first row is answered, as seen at the AgentX socket."""
    took = []
    with quiet_vpp(directory / "vpp", 1000) as vpp:
        for turn in range(effort.starts):
            began = time.monotonic()
            with at_the_socket(directory / str(turn), vpp):
                took.append(time.monotonic() - began)
    yield Row(
        "start to the first answered row, 1,000 interfaces",
        f"{median(took):.2f} s",
        f"slowest {max(took):.2f} s",
        median(took),
        1.5,
        "s",
    )


def rates(directory: Path, effort: Effort) -> Iterator[Row]:
    """How wrong a rate is at constant traffic, polled each 60 s of the simulated clock."""
    period = 60
    with (
        quiet_vpp(directory / "vpp", 100) as vpp,
        at_the_socket(directory, vpp) as (_, master),
    ):
        port = list(vpp.interfaces().values())[-1]
        truth = port["traffic"]["rx"] * port["traffic"]["rx_size"]
        name = oid(f"{HC_IN_OCTETS}.{1000 + port['sw_if_index']}")
        moments = [float(second) for second in range(effort.rates * period + 1)]
        values = []
        for _ in moments:
            value = master.get(name).value
            assert isinstance(value, int)
            values.append(value)
            vpp.step(1)
    worst = staleness.worst_rate_error(moments, values, period, truth)
    others = [
        staleness.worst_rate_error(
            moments, staleness.as_refreshed(moments, values, every), period, truth
        )
        for every in (30, 10)
    ]
    yield Row(
        "rate error, polls 60 s apart (a refresh each 30 s, 10 s)",
        f"{worst:.4%}",
        ", ".join(f"{each:.0%}" for each in others),
        100 * worst,
        0.1,
        "%",
    )
