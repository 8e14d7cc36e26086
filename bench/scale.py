"""`make scale`: the agent at 10,000 interfaces and 200,000 neighbours, quiet and in churn.

    python -m bench.scale [--quick] [--ci]

Each measure sets its stage, measures, and yields rows of the table.  The agent runs as
`bench.measured_agent`, which takes the time of the steps on its loop; everything else is
seen from outside.  What depends on the machine is printed; with --ci the exit status is
that of the rest.
"""

import argparse
import gc
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain, count
from pathlib import Path
from statistics import median
from typing import Any

from simulator import Simulator
from simulator.scenario import address_of, neighbor
from simulator.stage import AgentProcess, StageError, until
from vpp_snmp_agent.agentx import pdu
from vpp_snmp_agent.agentx.values import oid

from . import processes
from .__main__ import about, table
from .churn import PARENT, Churn, Links, Sessions, known_names, run
from .managers import Answer, Managers, Walker, on_wire
from .measured_agent import PACE_FILE, STEPS_FILE
from .measures import COLUMNS, IF_ENTRY, IF_NUMBER, IF_X_ENTRY, MEBI, MILLI, Row
from .state_files import Written, write_past

INTERFACES, PORTS = 10_000, 100  # of which each has one sub-interface
NEIGHBORS = (50_000, 200_000)
PAST = 100_000  # names that are remembered and not there
FIRST_INDEX = 1000  # ifIndex of sw_if_index 0, where no past has it
IP_NET_TO_MEDIA, IP_NET_TO_PHYSICAL = "1.3.6.1.2.1.4.22.1", "1.3.6.1.2.1.4.35.1"
ADDRESS_IF_INDEX = "1.3.6.1.2.1.4.34.1.3"
PHYS_ADDRESS = f"{IP_NET_TO_PHYSICAL}.4"
SEGMENT_SIZE = 1 << 28
START_TIMEOUT = 120.0  # seconds
SAMPLES = 40  # neighbours that are looked for before all are counted
SHOWN_TIMEOUT = 20.0  # seconds for a single change
QUIET = 0.4  # seconds after a change: longer than events are collected
QUIET_SECOND = 1.1  # after what may be done once a second
COLUMN_STEPS = 25  # GetNext from the beginning of each column
MINUTE = 60.0
LOG_TAIL = 2000  # characters
# What ends the run: something did not come about in time, or the agent hung up.
UNUSABLE = (StageError, OSError)
SETTLE, LIVELOCK_TIME = 5.0, 10.0  # seconds


@dataclass(frozen=True)
class Effort:
    """How much is measured."""

    link_changes: int
    new_names: int
    churn: float  # seconds, with each number of neighbours
    neighbors_interval: float  # seconds between two dumps of neighbours meanwhile
    walks: int


FULL = Effort(link_changes=50, new_names=15, churn=120.0, neighbors_interval=30.0, walks=15)
QUICK = Effort(link_changes=10, new_names=4, churn=14.0, neighbors_interval=6.0, walks=9)


@dataclass(frozen=True)
class Bar(Row):
    """A row, and whether another machine would have the same figure."""

    anywhere: bool = False


class MeasuredAgent(AgentProcess):
    """The agent, with the steps on its loop measured."""

    module = "bench.measured_agent"

    def start(self) -> None:
        """Start it, and do not wait for anything."""
        self._figures = self.log.with_suffix(".steps")
        self._figures.unlink(missing_ok=True)
        self._start(self._command, {STEPS_FILE: str(self._figures)})

    def steps(self) -> dict[str, Any]:
        """What the steps took since the start, or since last asked."""
        self._figures.unlink(missing_ok=True)
        self.send(signal.SIGUSR1)
        until("the agent writes its figures", self._figures.exists)
        return dict(json.loads(self._figures.read_text()))


@dataclass(frozen=True)
class Stage:
    """A VPP at scale: `ports` are the ifIndexes of its ports that have a link of their own."""

    vpp: Simulator
    ports: dict[str, int]
    holders: list[str]  # of neighbours, in turn
    last_index: int  # the largest ifIndex
    numbers: Iterator[int]  # of sessions

    def index(self, number: int) -> int:
        """The ifIndex that has a neighbour, by its number."""
        return FIRST_INDEX + 1 + number % len(self.holders)


@contextmanager
def scale_stage(directory: Path) -> Iterator[Stage]:
    """10,000 interfaces: one big port with its sub-interfaces, and small ports with one each."""
    plain = INTERFACES - 2 * PORTS
    options = {"interfaces": plain, "segment_size": SEGMENT_SIZE}
    with Simulator(directory, **options) as vpp:
        vpp.freeze()
        ports = {}
        for number in range(PORTS):
            name = f"TenGigabitEthernet7/0/{number}"
            ports[name] = FIRST_INDEX + vpp.add_hardware(name)
            vpp.add_sub(name, 10 + number)
        found = {row["sw_if_index"]: name for name, row in vpp.interfaces().items()}
        holders = [found[index] for index in sorted(found) if index]
        yield Stage(vpp, ports, holders, FIRST_INDEX + max(found), count())


@contextmanager
def measured(
    directory: Path, vpp: Simulator, settings: str, *flags: str
) -> Iterator[tuple[MeasuredAgent, Managers, float]]:
    """The agent and the managers that ask it; when it was started."""
    directory.mkdir(parents=True, exist_ok=True)
    path, file = directory / "agentx", directory / "agent.yaml"
    path.unlink(missing_ok=True)
    file.write_text(settings)
    with Managers(path) as managers:
        agent = MeasuredAgent(directory, vpp, str(path), "-f", str(file), *flags)
        began = time.monotonic()
        with agent:
            try:
                managers.accept()
                managers.watch_queue_of(agent.pid)
                yield agent, managers, began
            except UNUSABLE:
                print(f"The agent's log ended with\n{agent.text()[-LOG_TAIL:]}", file=sys.stderr)
                raise


def neighbor_cell(stage: Stage, number: int) -> bytes:
    """The name of a neighbour's ipNetToPhysicalPhysAddress."""
    address, _ = neighbor(number)
    kind = 2 if len(address) == 16 else 1
    inet = ".".join(map(str, (stage.index(number), kind, len(address), *address)))
    return oid(f"{PHYS_ADDRESS}.{inet}")


def wait_until_whole(managers: Managers, stage: Stage, neighbors: int, rows: int) -> None:
    """Return once all rows are live, and all neighbours are there."""

    def rows_are_live() -> bool:
        return managers.get(IF_NUMBER).value == rows and all(
            managers.get(oid(f"{IF_ENTRY}.8.{index}")).value == 1
            for index in (FIRST_INDEX + 1, stage.last_index)
        )

    until("all rows are live", rows_are_live, START_TIMEOUT)
    left = [number * (neighbors - 1) // SAMPLES for number in range(SAMPLES + 1) if neighbors]

    def samples_are_there() -> bool:
        while left and managers.get(neighbor_cell(stage, left[-1])).value == neighbor(left[-1])[1]:
            left.pop()
        return not left

    until("some neighbours are there", samples_are_there, START_TIMEOUT)


def check_count(managers: Managers, neighbors: int) -> None:
    """That no neighbour is missing, which takes too long to be asked while time is taken."""
    until(
        f"{neighbors} neighbours are there",
        lambda: managers.count(oid(PHYS_ADDRESS)) == neighbors,
        START_TIMEOUT,
    )


def largest(steps: dict[str, Any], what: str = "cpu") -> str:
    """The three largest steps, for people."""
    return ", ".join(f"{each[what]:.1f}" for each in steps[f"by_{what}"][:3])


def longest(where: str, steps: dict[str, Any]) -> Iterator[Bar]:
    """The longest steps on the loop, and the longest if the machine had its best pace then."""
    worst = max(steps["by_cpu"], key=lambda step: step["cpu"] / step["slowness"])
    first = steps["by_cpu"][0]
    yield Bar(
        f"longest step on the loop: {where}",
        f"{largest(steps)} ms; the machine {first['slowness']:.1f} times slower then",
        f"blocked {largest(steps, 'blocked')} ms; {steps['steps']:,} steps",
        worst["cpu"] / worst["slowness"],
        5.0,
        "ms",
    )


# --- quiet ---------------------------------------------------------------------------------------


def quiet(directory: Path, stage: Stage, effort: Effort, neighbors: int) -> Iterator[Bar]:
    """One change at a time, and nobody else who asks."""
    settings = f"settle: 1\nperiod: 3600\naddresses: 0\nneighbors: {3600 if neighbors else 0}\n"
    with measured(directory, stage.vpp, settings) as (agent, managers, began):
        wait_until_whole(managers, stage, neighbors, INTERFACES)
        took = time.monotonic() - began
        start = agent.steps()
        check_count(managers, neighbors)
        yield whole_tables("first start", neighbors, took)
        yield from longest("first start", start)
        agent.steps()
        yield from cost_of_a_link(agent, stage, effort)
        agent.steps()
        yield from shown_when_quiet(managers, stage, effort)
        yield from longest("quiet", agent.steps())
        yield from reloads(directory, agent, managers, stage)


RELOADS = (
    "speeds: { 'Ten*': 25000, 'memif*': 10000 }",
    "names: vpp",
    "hide: [ local0, 'loop9*' ]",
    "ifindex: stateless",
    "ifindex: kept",
    "discards: all",
    "link-traps: { 'Ten*': enabled }",
    "",
)


def reloads(
    directory: Path, agent: MeasuredAgent, managers: Managers, stage: Stage
) -> Iterator[Bar]:
    """Other settings, and other descriptions, for all rows at once."""
    file, vppcfg = directory / "agent.yaml", directory / "vppcfg.yaml"
    settings = file.read_text()
    subs = "".join(f"      {n}: {{ description: 'Cust: {n}' }}\n" for n in range(1, INTERFACES))
    vppcfg.write_text(f"interfaces:\n  {PARENT}:\n    sub-interfaces:\n{subs}")
    cell = oid(f"{IF_X_ENTRY}.18.{stage.last_index}")
    took = []
    for number, each in enumerate((*RELOADS, f"vppcfg: {vppcfg}", "")):
        by_name = number % 2 == 0  # so that every one of them can be seen
        alias = "name" if by_name else "description"
        file.write_text(f"{settings}alias: {alias}\n{each}\n")
        began = time.monotonic()
        agent.send(signal.SIGHUP)
        until(
            f"{each} is in force",
            lambda by_name=by_name: bool(managers.get(cell).value) == by_name,  # type: ignore[misc]
        )
        took.append(time.monotonic() - began)
        time.sleep(QUIET_SECOND)  # what is not shown any more is given back meanwhile
    yield Bar(
        "other settings are in force, ten reloads",
        f"median {median(took):.2f} s",
        f"worst {max(took):.2f} s",
        max(took),
        5.0,
        "s",
    )
    yield from longest("ten reloads", agent.steps())


def whole_tables(which: str, neighbors: int, took: float) -> Bar:
    """How long from the start until everything is there."""
    return Bar(
        f"{which} to whole tables, {neighbors:,} neighbours", f"{took:.1f} s", "", took, 15.0, "s"
    )


def cost_of_a_link(agent: MeasuredAgent, stage: Stage, effort: Effort) -> Iterator[Bar]:
    """CPU of agent and child for one link among all, and the rows made again for it."""
    name = next(iter(stage.ports))

    def spent(change: Callable[[int], None]) -> float:
        before = processes.family_cpu(agent.pid)
        for turn in range(effort.link_changes):
            change(turn)
            time.sleep(QUIET)
        return (processes.family_cpu(agent.pid) - before) * 1e-9 / effort.link_changes

    def flip(turn: int) -> None:
        stage.vpp.set_link(name, bool(turn % 2))

    idle = spent(lambda _: None)
    agent.steps()
    busy = spent(flip)
    made = agent.steps()["made"]
    stage.vpp.set_link(name, True)
    yield Bar(
        f"CPU of one link change among {INTERFACES:,}, agent and child",
        f"{(busy - idle) / MILLI:.2f} ms",
        f"idle meanwhile {idle / MILLI:.2f} ms",
        (busy - idle) / MILLI,
        5.0,
        "ms",
    )
    if made is not None:
        each = made / effort.link_changes
        yield Bar("rows made again for one link change", f"{each:g}", "", each, 3, anywhere=True)


def shown_when_quiet(managers: Managers, stage: Stage, effort: Effort) -> Iterator[Bar]:
    """How long until one change is shown, with nothing else to do."""
    vpp = stage.vpp
    links, sessions = Links(managers), Sessions(managers, stage.last_index)
    churn = Churn(vpp, stage.ports, stage.holders, links, sessions, stage.numbers)

    def wait(changed: Callable[[], None], waiting: Callable[[], int], pause: float) -> None:
        changed()
        limit = time.monotonic() + SHOWN_TIMEOUT
        while churn.outstanding or (waiting() and time.monotonic() < limit):
            links.ask(time.monotonic())
            if not sessions.scout.busy and time.monotonic() >= sessions.scout.due:
                sessions.scout.begin(time.monotonic())
            if managers.turn(0.002, vpp):
                churn.receive()
        managers.drain()
        time.sleep(pause)

    for _ in range(effort.link_changes):
        wait(churn.flip, lambda: len(links.waiting), QUIET)
    links.give_up()
    for _ in range(effort.new_names):
        come = partial(churn.come, time.monotonic(), only_new=True)
        wait(come, lambda: sessions.waiting, QUIET_SECOND)
    sessions.give_up()
    churn.put_back()
    yield Bar(
        "a link change is shown, quiet",
        *halves(str(links.times)),
        links.times.worst / MILLI,
        100,
        "ms",
    )
    times = sessions.come["new"]
    yield Bar("a new name is shown, quiet", *halves(str(times)), times.worst, 1.5, "s")


def halves(times: str) -> tuple[str, str]:
    """What `Times` says, for two columns."""
    first, _, rest = times.partition(", ")
    return first, rest


# --- churn ---------------------------------------------------------------------------------------


def in_churn(directory: Path, stage: Stage, effort: Effort, neighbors: int) -> Iterator[Bar]:
    """Everything changes, and four managers walk."""
    settings = f"settle: 1\nneighbors: {effort.neighbors_interval:g}\n"
    with measured(directory, stage.vpp, settings) as (agent, managers, began):
        wait_until_whole(managers, stage, neighbors, INTERFACES)
        took = time.monotonic() - began
        start = agent.steps()
        check_count(managers, neighbors)
        which = f"{neighbors // 1000}k neighbours"
        yield whole_tables("start again", neighbors, took)
        yield from longest(f"start again, {which}", start)
        walkers = [
            Walker(managers, IF_ENTRY, IF_X_ENTRY),
            Walker(managers, IP_NET_TO_PHYSICAL, IP_NET_TO_MEDIA),
            Walker(managers, IF_X_ENTRY, IF_ENTRY),
            Walker(managers, IP_NET_TO_MEDIA, IP_NET_TO_PHYSICAL),
        ]
        links, sessions = Links(managers), Sessions(managers, stage.last_index)
        churn = Churn(stage.vpp, stage.ports, stage.holders, links, sessions, stage.numbers)
        written = Written(directory / "state", agent.pid)
        agent.steps()
        lines = agent.text().count("\n")
        for walker in walkers:
            walker.begin()
        gc.collect()
        gc.freeze()
        took = run(managers, stage.vpp, churn, links, sessions, effort.churn, [written.poll])
        octets, lines = written.octets(), agent.text().count("\n") - lines
        for walker in walkers:
            walker.ending = True
        managers.drain()
        steps = agent.steps()
        memory = {pid: processes.memory(pid, "VmHWM") for pid in processes.family(agent.pid)}
        churn.put_back()
        until(
            "the sessions are gone",
            lambda: managers.get(IF_NUMBER).value == INTERFACES,
            START_TIMEOUT,
        )
    suffix = f"churn, {which}"
    for what, times, bar in (
        ("a link change is shown", links.times, 2.0),
        ("a new name is shown", sessions.come["new"], 2.0),
        ("a name that comes back is shown", sessions.come["known"], 2.0),
        ("a session that went is gone", sessions.gone, 2.0),
    ):
        yield Bar(f"{what}: {suffix}", *halves(str(times)), times.worst, bar, "s")
    yield from longest(suffix, steps)
    yield latest_answer(suffix, walkers, took)
    yield Bar(
        f"written to the state directory a minute: {suffix}",
        f"{octets / MEBI:.2f} MiB in {took:.0f} s",
        written.how(),
        octets / MEBI * MINUTE / took,
        1.0,
        "MiB",
        anywhere=True,
    )
    yield Bar(
        f"log lines a minute: {suffix}",
        f"{lines} in {took:.0f} s",
        "",
        lines * MINUTE / max(took, MINUTE),
        2,
        anywhere=True,
    )
    each = ", ".join(f"{octets / MEBI:.0f}" for octets in memory.values())
    if neighbors == max(NEIGHBORS):
        yield Bar(
            f"memory at its highest, agent and child: {suffix}",
            f"{each} MiB",
            "",
            sum(memory.values()) / MEBI,
            256,
            "MiB",
            anywhere=True,
        )


def latest_answer(suffix: str, walkers: list[Walker], took: float) -> Bar:
    """What one of four walkers had to wait for an answer, at worst."""
    latest = max((each.latest.took for each in walkers if each.latest), default=float("inf"))
    own = max(each.latest_own for each in walkers)
    answers = sum(each.answers for each in walkers)
    disorders = sum(each.disorders for each in walkers)
    return Bar(
        f"latest answer of four walkers: {suffix}",
        f"{latest / MILLI:.1f} ms",
        f"without CPU queue {own / MILLI:.1f}; {answers / took:,.0f}/s; {disorders} out of order",
        latest / MILLI,
        50,
        "ms",
    )


# --- without counters ----------------------------------------------------------------------------


def without_counters(directory: Path, stage: Stage, effort: Effort) -> Iterator[Bar]:
    """What a walk of each column's beginning costs with no statistics socket, and with one."""
    settings = "settle: 1\naddresses: 0\nneighbors: 0\n"
    nowhere = ("--stats-socket", str(directory / "no-such-socket"))
    costs, worst = [], []
    with ExitStack() as stack:
        sides = []
        for number, flags in enumerate(((), nowhere)):
            side = measured(directory / str(number), stage.vpp, settings, *flags)
            agent, managers, _ = stack.enter_context(side)
            wait_until_whole(managers, stage, 0, INTERFACES)
            sides.append((agent, managers))
            os.sched_setaffinity(agent.pid, {min(os.sched_getaffinity(0))})
        # On one CPU, in turn, and the cheapest counts: the same work can cost thrice as much on
        # the other one, or a second later.
        turns = [[walk_columns(*side) for side in sides] for _ in range(effort.walks)]
        for each in zip(*turns, strict=True):
            costs.append(min(cost for cost, _ in each))
            worst.append(min(latest for _, latest in each))
    with_one, without = (
        f"{cost / MILLI:.0f} ms, latest answer {latest / MILLI:.1f} ms"
        for cost, latest in zip(costs, worst, strict=True)
    )
    what = "CPU of a walk without a statistics socket: with one"
    yield Bar(what, without, with_one, costs[1] / costs[0], 1.1)


def walk_columns(agent: MeasuredAgent, managers: Managers) -> tuple[float, float]:
    """Some GetNext from the beginning of each column: seconds of CPU, the latest answer."""
    took: list[float] = []
    for column in COLUMNS:
        left = [COLUMN_STEPS]

        def take(answer: Answer, left: list[int] = left) -> None:
            took.append(answer.took)
            left[0] -= 1
            if left[0] and not answer.is_end:
                managers.ask(pdu.GETNEXT, answer.name, take)

        if not took:
            before = processes.cpu(agent.pid)
        managers.ask(pdu.GETNEXT, on_wire(column), take)
        managers.drain()
    return (processes.cpu(agent.pid) - before) * 1e-9, max(took)


# --- a VPP that does not come back whole ----------------------------------------------------------


def livelock(directory: Path) -> Iterator[Bar]:
    """VPP restarts, one sub-interface stays away, and the agent goes on with its life."""
    options = {"interfaces": INTERFACES, "addresses": True, "segment_size": SEGMENT_SIZE}
    settings = f"settle: {SETTLE:g}\nneighbors: 0\n"
    with (
        Simulator(directory / "vpp", **options) as vpp,
        measured(directory, vpp, settings) as (agent, managers, _),
    ):
        vpp.freeze()
        until("all rows are there", lambda: managers.get(IF_NUMBER).value == INTERFACES, 60.0)
        last = oid(f"{ADDRESS_IF_INDEX}.1.4.{address_of(INTERFACES - 1)}")
        found = FIRST_INDEX + INTERFACES
        until("the last is asked", lambda: managers.get(last).value == found, START_TIMEOUT)
        until(
            "all addresses are there",
            lambda: managers.count(oid(ADDRESS_IF_INDEX)) == INTERFACES - 1,
        )
        vpp.restart(interfaces=INTERFACES - 1)
        vpp.freeze()
        up = oid(f"{IF_ENTRY}.8.{FIRST_INDEX + 1}")
        time.sleep(SETTLE)
        until("VPP's ports are up again", lambda: managers.get(up).value == 1, 60.0)
        time.sleep(SETTLE)
        before, began = processes.family_cpu(agent.pid), time.monotonic()
        time.sleep(LIVELOCK_TIME)
        share = (processes.family_cpu(agent.pid) - before) * 1e-9 / (time.monotonic() - began)
        vpp.set_admin(PARENT, False)
        since = vpp.sent_at
        took = float("inf")
        try:
            until("the port is shown down", lambda: managers.get(up).value == 2, SHOWN_TIMEOUT)
            took = time.monotonic() - since
        except StageError:
            pass
    yield Bar(
        "CPU after a VPP that came back without one sub-interface",
        f"{100 * share:.1f}%",
        f"{LIVELOCK_TIME:g} s after settle",
        100 * share,
        5.0,
        "%",
    )
    yield Bar("a port taken down after that is shown", f"{took:.2f} s", "", took, 2.0, "s")


# --- all of it ------------------------------------------------------------------------------------


def at_scale(directory: Path, effort: Effort) -> Iterator[Bar]:
    """Everything at 10,000 interfaces, in the order of the table."""
    state = directory / "agent" / "state"
    with scale_stage(directory / "vpp") as stage:
        past = (f"{PARENT}.{3_000_000 + number}" for number in range(PAST - len(known_names())))
        write_past(state, chain(known_names(), past), stage.last_index + 1)
        yield from without_counters(directory / "counters", stage, effort)
        added = 0
        for neighbors in NEIGHBORS:
            stage.vpp.add_neighbors(neighbors - added)
            added = neighbors
            if neighbors == NEIGHBORS[0]:
                yield from quiet(directory / "agent", stage, effort, neighbors)
            yield from in_churn(directory / "agent", stage, effort, neighbors)


def main() -> int:
    """The measures; the exit status."""
    parser = argparse.ArgumentParser(prog="make scale", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="within three minutes, less exact")
    parser.add_argument(
        "--ci", action="store_true", help="fail where a bar is missed that no machine explains"
    )
    options = parser.parse_args()
    effort = QUICK if options.quick else FULL
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    print(about())
    rows: list[Bar] = []
    began = time.monotonic()
    broken: Exception | None = None
    with tempfile.TemporaryDirectory(prefix="vpp-snmp-agent-scale.") as name:
        directory = Path(name)
        os.environ[PACE_FILE] = str(directory / "pace")
        try:
            for row in chain(at_scale(directory, effort), livelock(directory / "livelock")):
                elapsed = time.monotonic() - began
                print(f"... {elapsed:4.0f} s  {row.measure}", file=sys.stderr, flush=True)
                rows.append(row)
        except UNUSABLE as error:
            broken = error
    print("\n" + "\n".join(table(list(rows))) + "\n")
    print(f"scale: {sum(row.met for row in rows)} of {len(rows)} bars met")
    if broken is not None:
        print(f"scale: not measured to its end: {broken}", file=sys.stderr)
        return 1
    return int(options.ci and any(row.anywhere and not row.met for row in rows))


if __name__ == "__main__":
    sys.exit(main())
