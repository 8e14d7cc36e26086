"""The ten measures: each function sets its stage, measures, and returns rows of the table.

CPU is what the kernel accounts to the agent's process (`processes.cpu`), divided by the
varbinds that it answered.  Both sides of a ratio are measured in turns within one run,
and what is told is the median of the ratios of the turns: the machine may be busy.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice, starmap
from pathlib import Path
from signal import SIGHUP
from statistics import median

from vpp_snmp_agent.agentx.pdu import END_OF_MIB_VIEW, VarBind, oid
from vpp_snmp_agent.simulator import Simulator
from vpp_snmp_agent.simulator.stage import Agent, Process, Snmpd, StageError, until

from . import processes, staleness
from .master import Master
from .peers import KernelSubagent, Pyagentx3

TABLES = ("1.3.6.1.2.1.2.2", "1.3.6.1.2.1.31.1.1")
IF_ENTRY, IF_X_ENTRY = (f"{table}.1" for table in TABLES)
COLUMNS = (
    *(f"{IF_ENTRY}.{number}" for number in range(1, 23)),
    *(f"{IF_X_ENTRY}.{number}" for number in range(1, 20)),
)
IF_NUMBER = oid("1.3.6.1.2.1.2.1.0")
HC_IN_OCTETS = f"{IF_X_ENTRY}.6"
# What LibreNMS asks of one port in one GET: thirteen columns of ifXTable, ten of ifTable.
LIBRENMS = (
    *(f"{IF_X_ENTRY}.{number}" for number in (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15)),
    *(f"{IF_ENTRY}.{number}" for number in (14, 20, 12, 18, 13, 19, 6, 9, 3, 4)),
)
PORTS = 4  # asked in one turn
PACE = 0.001  # seconds between two requests of those whose answers are timed
SETTLED = 1.0  # seconds that answers are timed after the agent has the news

PATIENCE = 30.0  # seconds until the agent has them
NEWS = "VPP reports"  # in the agent's debug log

MICRO, MILLI, MEBI = 1e-6, 1e-3, 2**20


@dataclass(frozen=True)
class Effort:
    """How much is measured."""

    walks: int  # turns of walks of 41,000 varbinds
    slow_walks: int  # the same of pyagentx3
    gets: int  # turns of GETs
    stretches: int  # turns of 41,000 GetNext at the AgentX socket
    starts: int
    polls: int
    idle: float  # seconds that nobody asks, at least


FULL = Effort(walks=9, slow_walks=3, gets=100, stretches=7, starts=9, polls=60, idle=120)
QUICK = Effort(walks=3, slow_walks=1, gets=30, stretches=3, starts=3, polls=30, idle=60)


@dataclass(frozen=True)
class Row:
    """One line of the table: both sides' figures, and the one that the bar is for."""

    measure: str
    ours: str
    other: str
    figure: float
    bar: float
    unit: str = ""

    @property
    def met(self) -> bool:
        """Whether the bar is met."""
        return self.figure <= self.bar


def in_turns(count: int, *costs: Callable[[], float]) -> list[list[float]]:
    """What each of them costs, turn by turn."""
    return [[each() for each in costs] for _ in range(count)]


def ratio(measure: str, turns: Sequence[Sequence[float]], bar: float) -> Row:
    """A row of turns: seconds per varbind of ours, and of the other side."""
    ours, other = zip(*turns, strict=True)
    return Row(
        measure,
        f"{median(ours) / MICRO:.1f} us",
        f"{median(other) / MICRO:.1f} us",
        median(mine / theirs for mine, theirs in turns),
        bar,
    )


def cost(process: Process, work: Callable[[], int]) -> float:
    """Seconds of CPU that a process took for each of the varbinds that `work` counts."""
    before = processes.cpu(process.pid)
    varbinds = work()
    return (processes.cpu(process.pid) - before) * 1e-9 / varbinds


@contextmanager
def on_one_cpu(*some: Process) -> Iterator[None]:
    """Meanwhile they all have the same CPU and no other.

    Between two virtual CPUs it takes more to wake the other side than to answer it.
    """
    before = {each.pid: os.sched_getaffinity(each.pid) for each in some}
    one = {min(set.intersection(*before.values()))}
    try:
        for pid in before:
            os.sched_setaffinity(pid, one)
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
def at_the_socket(directory: Path, vpp: Simulator, *flags: str) -> Iterator[tuple[Agent, Master]]:
    """The agent and a master that asks it directly, once rows are served."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "agentx"
    with Master(path) as master, Agent(directory, vpp, str(path), *flags) as agent:
        master.accept()
        master.wait_for_rows(oid(IF_ENTRY))
        yield agent, master


# --- through snmpd, beside the peers -----------------------------------------------------------


def walk(snmpd: Snmpd) -> int:
    """snmpbulkwalk of both tables, ten repetitions at a time; the number of varbinds."""
    return sum(
        snmpd.run("snmpbulkwalk", table, options=["-On", "-Cr10"]).stdout.count("\n.") + 1
        for table in TABLES
    )


def walking(agent: Process, snmpd: Snmpd) -> Callable[[], float]:
    """What a walk costs an agent, for each varbind."""
    return partial(cost, agent, partial(walk, snmpd))


def polling(agent: Process, snmpd: Snmpd) -> Callable[[], float]:
    """What LibreNMS's GET costs an agent, for each varbind; of other ports each time."""
    ports = cycle(sorted(snmpd.column(f"{IF_ENTRY}.1")))

    def get_some() -> int:
        for index in islice(ports, PORTS):
            snmpd.run("snmpget", *(f"{column}.{index}" for column in LIBRENMS))
        return PORTS * len(LIBRENMS)

    return partial(cost, agent, get_some)


def cells_of(directory: Path) -> list[VarBind]:
    """All that the agent serves at 1,000 interfaces: for a peer to serve the same."""
    with (
        quiet_vpp(directory / "vpp", 1000) as vpp,
        at_the_socket(directory, vpp) as (_, master),
    ):
        return master.walk(*map(oid, TABLES))


def beside_the_peers(directory: Path, effort: Effort, with_kernel: bool) -> Iterator[Row]:
    """CPU per varbind beside net-snmp's own C subagent and beside plain pyagentx3."""
    cells = cells_of(directory / "cells")
    with (
        quiet_vpp(directory / "vpp", 1000) as vpp,
        Snmpd(directory / "snmpd") as snmpd,
        Agent(directory, vpp, snmpd.agentx) as agent,
    ):
        wait_for_ports(snmpd, 1000)
        if with_kernel:
            yield from _beside_kernel(directory / "kernel", snmpd, agent, effort)
        with (
            Snmpd(directory / "snmpd3") as snmpd3,
            Pyagentx3(directory / "pyagentx3", snmpd3.agentx, TABLES, cells) as peer,
        ):
            wait_for_ports(snmpd3, 1000)
            assert walk(snmpd) == walk(snmpd3) == len(cells)  # the same is served
            turns = in_turns(effort.slow_walks, walking(agent, snmpd), walking(peer, snmpd3))
            yield ratio("CPU per varbind, bulk walk: pyagentx3", turns, 1 / 7)


def _beside_kernel(directory: Path, snmpd: Snmpd, agent: Agent, effort: Effort) -> Iterator[Row]:
    with (
        Snmpd(directory / "snmpd") as theirs,
        KernelSubagent(directory / "subagent", theirs.agentx, 1000) as peer,
    ):
        wait_for_ports(theirs, 1000)
        sides = (agent, snmpd), (peer, theirs)
        in_turns(1, *starmap(walking, sides))  # not counted: what is made once is made now
        yield from _walks_and_gets("", sides, effort)
        with on_one_cpu(agent, snmpd, peer, theirs):
            yield from _walks_and_gets(", one CPU", sides, effort)


def _walks_and_gets(
    where: str, sides: Sequence[tuple[Process, Snmpd]], effort: Effort
) -> Iterator[Row]:
    turns = in_turns(effort.walks, *starmap(walking, sides))
    yield ratio(f"CPU per varbind, bulk walk{where}: snmpd -X", turns, 0.80)
    turns = in_turns(effort.gets, *starmap(polling, sides))
    yield ratio(f"CPU per varbind, LibreNMS's GET of 23{where}: snmpd -X", turns, 0.60)


def wait_for_ports(snmpd: Snmpd, count: int) -> None:
    """Return once so many ports, or more, are served."""
    until(f"{count} ports are served", lambda: len(snmpd.column(f"{IF_ENTRY}.1")) >= count)


# --- at the AgentX socket: ours against ours ------------------------------------------------------


class Stretch:
    """The GetNext requests of a walk over 1,000 rows of each column, wherever they are.

    Of a smaller table all rows, several times.
    """

    def __init__(self, agent: Agent, master: Master) -> None:
        self._agent = agent
        self._master = master
        subtree = oid(f"{IF_ENTRY}.1")
        indexes = [cell.name[len(subtree) :] for cell in master.walk(subtree)]
        middle = max(0, len(indexes) // 2 - 500)
        some = indexes[middle : middle + 1000]
        self._times = 1000 // len(some)
        self._names = [oid(column) + index for column in COLUMNS for index in some]

    def cost(self) -> float:
        """Seconds of CPU per varbind."""
        return cost(self._agent, self._ask)

    def _ask(self) -> int:
        for _ in range(self._times):
            for name in self._names:
                self._master.get_next(name)
        return self._times * len(self._names)


def threads(directory: Path, effort: Effort) -> Iterator[Row]:
    """Whether more workers of VPP's cost more."""
    with (
        quiet_vpp(directory / "vpp17", 1000, threads=17) as vpp17,
        quiet_vpp(directory / "vpp1", 1000, threads=1) as vpp1,
        at_the_socket(directory / "agent17", vpp17) as many,
        at_the_socket(directory / "agent1", vpp1) as one,
    ):
        turns = in_turns(effort.stretches, Stretch(*many).cost, Stretch(*one).cost)
        yield ratio("CPU per varbind, 17 VPP threads: 1 thread", turns, 1.25)


def many_interfaces(directory: Path, effort: Effort) -> Iterator[Row]:
    """What 10,000 interfaces cost: CPU, waiting, memory."""
    settings = directory / "agent.yaml"
    directory.mkdir(parents=True)
    settings.write_text("period: 30\nsettle: 1\ndebug: 1\n")
    with (
        quiet_vpp(directory / "vpp", 10_000) as vpp,
        at_the_socket(directory / "agent", vpp, "-f", str(settings)) as many,
    ):
        with (
            quiet_vpp(directory / "vpp100", 100) as vpp100,
            at_the_socket(directory / "agent100", vpp100) as few,
        ):
            turns = in_turns(effort.stretches, Stretch(*many).cost, Stretch(*few).cost)
            yield ratio("CPU per varbind, 10,000 interfaces: 100", turns, 1.15)
        yield from answers(vpp, *many, settings)


def answers(vpp: Simulator, agent: Agent, master: Master, settings: Path) -> Iterator[Row]:
    """How long a request waits while the agent has other things to do; what memory it takes."""

    def dump_anew() -> None:
        # Another period: another child, which dumps all and tells all.
        settings.write_text(settings.read_text().replace("period: 30", "period: 29"))
        agent.send(SIGHUP)

    def come() -> None:
        vpp.configure(interfaces=11_000)
        vpp.wait_until_configured()

    def go() -> None:
        for name in newest:
            vpp.delete(name)

    def told(text: str) -> Callable[[], bool]:
        so_far = agent.text().count(text)
        return lambda: agent.text().count(text) > so_far

    def rows(count: int) -> Callable[[], bool]:
        return lambda: master.get(IF_NUMBER).value == count

    waits = {"dumped anew": timed(agent, master, dump_anew, told(NEWS))}
    dumped = resident(agent)
    waits["1,000 come"] = timed(agent, master, come, rows(11_000))
    # Found now: to read a list of 11,000 would keep this process from seeing an answer.
    newest = list(vpp.interfaces())[-1000:]
    waits["go"] = timed(agent, master, go, rows(10_000))
    gone = resident(agent)
    yield Row(
        "resident memory, 10,000 interfaces: dumped anew, 1,000 gone",
        f"{dumped:.0f}, {gone:.0f} MiB",
        "dumped anew" if dumped > gone else "1,000 gone",
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


def resident(agent: Agent) -> float:
    """Of the agent and its child, in MiB; what both map counts twice."""
    return sum(processes.memory(pid, "VmRSS") for pid in processes.family(agent.pid)) / MEBI


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
    agent: Agent, master: Master, work: Callable[[], None], done: Callable[[], bool]
) -> list[Wait]:
    """Walk on, a request a millisecond, until `work` is done and the agent has its news."""
    took: list[Wait] = []
    position = start = oid(IF_ENTRY)
    worker = threading.Thread(target=work)
    worker.start()
    limit = time.monotonic() + PATIENCE
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
        time.sleep(max(0.0, PACE - whole))
    worker.join()
    if until_then is None:
        raise StageError(f"not within {PATIENCE:g} s: the agent has the news")
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
        moments = [float(second) for second in range(effort.polls * period + 1)]
        values = []
        for _ in moments:
            value = master.get(name).value
            assert isinstance(value, int)
            values.append(value)
            vpp.step(1)
    worst = staleness.worst_rate_error(moments, values, period, truth)
    stale = [
        staleness.worst_rate_error(
            moments, staleness.as_refreshed(moments, values, every), period, truth
        )
        for every in (30, 10)
    ]
    yield Row(
        "rate error, polls 60 s apart (a refresh each 30 s, 10 s)",
        f"{worst:.4%}",
        ", ".join(f"{each:.0%}" for each in stale),
        100 * worst,
        0.1,
        "%",
    )


class Idle:
    """An agent at 1,000 interfaces that nobody asks, while other things are measured."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @contextmanager
    def running(self) -> Iterator["Idle"]:
        """Start it; what its start takes does not count."""
        with (
            quiet_vpp(self._directory / "vpp", 1000) as vpp,
            Snmpd(self._directory / "snmpd") as snmpd,
            Agent(self._directory, vpp, snmpd.agentx) as self._agent,
        ):
            wait_for_ports(snmpd, 1000)
            self._began = time.monotonic()
            self._before = self._cpu()
            yield self

    def _cpu(self) -> list[int]:
        return [processes.cpu(pid) for pid in processes.family(self._agent.pid)]

    def row(self, effort: Effort) -> Row:
        """Waits for the rest of the time that this takes."""
        time.sleep(max(0.0, self._began + effort.idle - time.monotonic()))
        elapsed = time.monotonic() - self._began
        after = self._cpu()
        parent, child = (
            100 * (now - then) * 1e-9 / elapsed
            for now, then in zip(after, self._before, strict=True)
        )
        return Row(
            "work between requests, 1,000 interfaces, period 30 s",
            f"{parent + child:.2f}%",
            f"child {child:.2f}%",
            parent + child,
            0.5,
            "%",
        )
