"""The measures through snmpd: what a poller with one socket costs the agent.

A cost is the CPU that the kernel accounts to the agent's process (`processes.cpu`), for each
varbind that it answered; snmpd's and the poller's own are no part of it.  All sides of a row
are asked the same, in short turns, one after the other, each on the same CPUs: *two cores* is
the agent on one and snmpd on the other, *one core* both on one.  The poller is where the
agent is not.  Between turns traffic moves, and the answers have to say so.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import cycle, islice
from pathlib import Path

from simulator import Simulator
from simulator.stage import Process, Snmpd, until
from vpp_snmp_agent.agentx.values import VarBind
from vpp_snmp_agent.agentx.values import oid as key

from . import processes
from .measures import (
    HC_IN_OCTETS,
    IF_ENTRY,
    IF_X_ENTRY,
    TABLES,
    Effort,
    Row,
    at_the_socket,
    in_turns,
    on_cpus,
    pinned_agent,
    quiet_vpp,
    ratio,
)
from .peers import MOVING, ConstantAnswers, KernelSubagent, Pyagentx3
from .poller import Poller, one_get_a_row, rows_of_columns
from .snmp import (
    COUNTER32,
    COUNTER64,
    GAUGE32,
    INTEGER,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    TIMETICKS,
    Counters,
    Question,
)


def _columns(entry: str, types: dict[int, int]) -> dict[str, int]:
    return {f"{entry}.{number}": type_ for number, type_ in types.items()}


# Columns and their types, as RFC 2863 and RFC 4293 have them: not as the agent does.
IF_TABLE = _columns(
    IF_ENTRY,
    {1: INTEGER, 2: OCTET_STRING, 3: INTEGER, 4: INTEGER, 5: GAUGE32, 6: OCTET_STRING}
    | {7: INTEGER, 8: INTEGER, 9: TIMETICKS}
    | dict.fromkeys(range(10, 21), COUNTER32)
    | {21: GAUGE32, 22: OBJECT_IDENTIFIER},
)
IF_X_TABLE = _columns(
    IF_X_ENTRY,
    {1: OCTET_STRING}
    | dict.fromkeys(range(2, 6), COUNTER32)
    | dict.fromkeys(range(6, 14), COUNTER64)
    | {14: INTEGER, 15: GAUGE32, 16: INTEGER, 17: INTEGER, 18: OCTET_STRING, 19: TIMETICKS},
)
BOTH_TABLES = IF_TABLE | IF_X_TABLE
IP_NET_TO_PHYSICAL = _columns(
    "1.3.6.1.2.1.4.35.1",
    {4: OCTET_STRING, 6: INTEGER, 7: INTEGER, 8: INTEGER},
)
# What LibreNMS asks of one port in one GET, in its mode for selected ports: thirteen columns of
# ifXTable, ten of ifTable.
SELECTED_PORT = {
    column: BOTH_TABLES[column]
    for column in (
        *(f"{IF_X_ENTRY}.{number}" for number in (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15)),
        *(f"{IF_ENTRY}.{number}" for number in (14, 20, 12, 18, 13, 19, 6, 9, 3, 4)),
    )
}
# What LibreNMS walks of all ports: ifXTable, and these of ifTable.
ALL_PORTS = IF_X_TABLE | {
    column: BOTH_TABLES[column]
    for column in (f"{IF_ENTRY}.{number}" for number in (2, 7, 8, 9, 3, 6, 4, 14, 20, 13, 19))
}

NOT_OF_KERNEL = frozenset((f"{IF_X_ENTRY}.14",))  # ifLinkUpDownTrapEnable, of the C subagent

PORTS, NEIGHBORS = 1000, 50_000
REPETITIONS = 10  # of a GETBULK: net-snmp's own default, and so LibreNMS's
ROWS = 100  # of each column, or GETs with a pause, in a turn
STRIDE = 37  # turns go through a table in such steps, so that a few see all of it
PAUSE = 0.002  # seconds
PROCESSES = 4  # snmpgets in a turn
KERNEL_READ = 20.0  # seconds: the C subagent reads the kernel's counters more often
NEIGHBORS_TIMEOUT = 60.0  # seconds
TWO_CORES, ONE_CORE = "two cores", "one core"
WALK = "bulk walk of ifTable and ifXTable"


@dataclass
class Side:
    """An agent, the snmpd that it serves, and the poller that asks it."""

    agent: Process
    snmpd: Snmpd
    poller: Poller
    move: Callable[[], None]  # its traffic
    indexes: list[str] = field(default_factory=list)  # ifIndexes
    counters: Counters = field(default_factory=lambda: Counters(()))
    lacks: frozenset[str] = frozenset()  # columns that are left out of what it is asked

    def wait_for_ports(self, count: int) -> None:
        """Return once so many ports, or more, are served."""

        def are_there() -> bool:
            self.indexes = self.poller.indexes(f"{IF_ENTRY}.1")
            return len(self.indexes) >= count

        until(f"{count} ports are served", are_there)


Ask = Callable[[Side, int], list[Question]]  # what is asked of a side in a turn


# --- what is asked --------------------------------------------------------------------------------


def window(turn: int, count: int) -> int:
    """Where among so many rows the ROWS of a turn begin."""
    return turn * STRIDE % (count // ROWS) * ROWS


def walk(columns: dict[str, int], side: Side, turn: int) -> list[Question]:
    """Some rows of each column."""
    start = window(turn, len(side.indexes))
    return rows_of_columns(of(side, columns), side.indexes, start, ROWS, REPETITIONS)


def first_rows(columns: dict[str, int], count: int, side: Side, turn: int) -> list[Question]:
    """So many rows of each column."""
    return rows_of_columns(of(side, columns), side.indexes, 0, count, REPETITIONS)


def of(side: Side, columns: dict[str, int]) -> dict[str, int]:
    """Those of the columns that a side has."""
    return {column: type_ for column, type_ in columns.items() if column not in side.lacks}


def gets(side: Side, turn: int) -> list[Question]:
    """A GET of 23 of each port, as a poll is: its first ones find cold caches."""
    return one_get_a_row(SELECTED_PORT, side.indexes[:PORTS])


def some_gets(side: Side, turn: int) -> list[Question]:
    """The same of some ports: where there are pauses."""
    start = window(turn, len(side.indexes))
    return one_get_a_row(SELECTED_PORT, side.indexes[start : start + ROWS])


# --- what it costs --------------------------------------------------------------------------------


def cost(side: Side, ask: Ask, turn: int, pause: float = 0.0) -> float:
    """Seconds of the agent's CPU for each varbind of a turn."""
    questions = ask(side, turn)
    side.move()
    before = processes.cpu(side.agent.pid)
    check = side.poller.turn(questions, side.counters, pause)
    spent = processes.cpu(side.agent.pid) - before
    return spent * 1e-9 / check()


def wall(side: Side, ask: Ask, turn: int) -> float:
    """Seconds until all of a turn was answered."""
    questions = ask(side, turn)
    side.move()
    began = time.monotonic()
    check = side.poller.turn(questions, side.counters)
    took = time.monotonic() - began
    check()
    return took


def costs(count: int, ask: Ask, *sides: Side, pause: float = 0.0) -> list[list[float]]:
    """Of all sides, turn by turn."""
    return in_turns(count, *(partial(cost, side, ask, pause=pause) for side in sides))


def column(turns: Sequence[Sequence[float]], *sides: int) -> list[list[float]]:
    """Of the costs of several sides those of some."""
    return [[turn[side] for side in sides] for turn in turns]


# --- stages ---------------------------------------------------------------------------------------


@contextmanager
def asked(
    agent: Process, snmpd: Snmpd, move: Callable[[], None], count: int = PORTS
) -> Iterator[Side]:
    """A side, once so many ports are served."""
    side = Side(agent, snmpd, Poller(snmpd), move)
    try:
        side.wait_for_ports(count)
        yield side
    finally:
        side.poller.close()
        TOTAL.cpu += side.poller.cpu
        TOTAL.cells += side.poller.cells


@dataclass
class Total:
    """Of all pollers: their CPU in nanoseconds, and the cells that they got for it."""

    cpu: int = 0
    cells: int = 0


TOTAL = Total()


@contextmanager
def ours(directory: Path, interfaces: int = PORTS, threads: int = 3) -> Iterator[Side]:
    """The agent, with a VPP whose counters move by a second's traffic before each turn."""
    with (
        quiet_vpp(directory / "vpp", interfaces, threads) as vpp,
        Snmpd(directory / "snmpd") as snmpd,
        pinned_agent(directory, vpp, snmpd.agentx) as agent,
        asked(agent, snmpd, partial(vpp.step, 1), interfaces) as side,
    ):
        side.counters = Counters(f"{HC_IN_OCTETS}.{index}" for index in with_traffic(vpp))
        yield side


def with_traffic(vpp: Simulator) -> list[int]:
    """The ifIndexes of ports that receive."""
    return [
        1000 + row["sw_if_index"]
        for row in vpp.interfaces().values()
        if row["traffic"]["rx"] * row["traffic"]["rx_size"] > 0
    ]


@contextmanager
def kernels(directory: Path) -> Iterator[Side]:
    """net-snmp's own C subagent, with as many interfaces of the kernel's."""
    with (
        Snmpd(directory / "snmpd") as snmpd,
        KernelSubagent(directory / "subagent", snmpd.agentx, PORTS) as agent,
        asked(agent, snmpd, agent.move) as side,
    ):
        names = snmpd.column(f"{IF_ENTRY}.2")
        moving = [index for index, name in names.items() if name == MOVING]
        side.counters = Counters((f"{HC_IN_OCTETS}.{index}" for index in moving), KERNEL_READ)
        side.lacks = NOT_OF_KERNEL
        yield side


@contextmanager
def with_cells(
    kind: type[ConstantAnswers] | type[Pyagentx3], directory: Path, cells: list[VarBind]
) -> Iterator[Side]:
    """A peer that serves given cells."""
    with (
        Snmpd(directory / "snmpd") as snmpd,
        kind(directory / "agent", snmpd.agentx, TABLES, cells) as agent,
        asked(agent, snmpd, lambda: None) as side,
    ):
        yield side


def cells_of(directory: Path) -> list[VarBind]:
    """All that the agent serves at 1,000 interfaces: for a peer to serve the same."""
    with (
        quiet_vpp(directory / "vpp", PORTS) as vpp,
        at_the_socket(directory, vpp) as (_, master),
    ):
        return master.walk(*map(key, TABLES))


@contextmanager
def placed(where: str, *sides: Side) -> Iterator[None]:
    """Meanwhile agents and snmpds have the CPUs of TWO_CORES or ONE_CORE, and we another.

    With two CPUs in all it is snmpd's, or the only other one.
    """
    *others, first, second = sorted(os.sched_getaffinity(0))
    of_snmpd, of_poller = (first, first) if where == TWO_CORES else (second, first)
    places = {os.getpid(): others[0] if others else of_poller}
    for side in sides:
        places |= {side.agent.pid: second, side.snmpd.pid: of_snmpd}
    with on_cpus(places):
        yield


# --- beside the peers -----------------------------------------------------------------------------


def beside_the_peers(directory: Path, effort: Effort, with_kernel: bool) -> Iterator[Row]:
    """CPU per varbind, and time, beside net-snmp's own C subagent, constants and pyagentx3."""
    cells = cells_of(directory / "cells")
    with ExitStack() as stack:
        mine = stack.enter_context(ours(directory / "ours"))
        constant = stack.enter_context(with_cells(ConstantAnswers, directory / "constant", cells))
        sides = [mine, constant]
        if with_kernel:
            sides.append(stack.enter_context(kernels(directory / "kernel")))
        for side in sides:  # not counted: what is made once is made now
            cost(side, partial(first_rows, BOTH_TABLES, PORTS), 0)
            cost(side, gets, 0)
        for where, get_bar, walk_bar in ((TWO_CORES, 0.60, 0.80), (ONE_CORE, 0.45, 0.60)):
            with placed(where, *sides):
                yield from _gets(where, get_bar, sides, effort)
                yield from _walks(where, walk_bar, sides, effort)
                if with_kernel and where == TWO_CORES:
                    yield _polls(where, mine, sides[-1], effort)
        if with_kernel:
            turns = in_turns(
                effort.gets_by_processes,
                *(partial(by_processes, each) for each in (mine, sides[-1])),
            )
            yield ratio("GET of 23, each by an snmpget of its own: snmpd -X", turns)
    with ExitStack() as stack:
        mine = stack.enter_context(ours(directory / "ours3"))
        peer = stack.enter_context(with_cells(Pyagentx3, directory / "pyagentx3", cells))
        with placed(TWO_CORES, mine, peer):
            turns = costs(effort.slow_walks, partial(walk, BOTH_TABLES), mine, peer)
        yield ratio(f"{WALK}, {TWO_CORES}: pyagentx3", turns, 1 / 7)


def _gets(where: str, bar: float, sides: list[Side], effort: Effort) -> Iterator[Row]:
    """Sides: ours, constants, and the C subagent where it is there."""
    for how, count, ask, pause in (
        ("no pause", effort.gets, gets, 0.0),
        ("2 ms pause", effort.gets_with_pauses, some_gets, PAUSE),
    ):
        turns = costs(count, ask, *sides, pause=pause)
        what = f"GET of 23, {how}, {where}"
        if len(sides) > 2:
            yield ratio(f"{what}: snmpd -X", column(turns, 0, 2), bar)
        yield ratio(f"{what}: constant answers", column(turns, 0, 1))


def _walks(where: str, bar: float, sides: list[Side], effort: Effort) -> Iterator[Row]:
    """Of the two bars one has to be met."""
    turns = costs(effort.walks, partial(walk, BOTH_TABLES), *sides)
    what = f"{WALK}, {where}"
    rows = [ratio(f"{what}: constant answers", column(turns, 0, 1), 1.10)]
    if len(sides) > 2:
        rows.insert(0, ratio(f"{what}: snmpd -X", column(turns, 0, 2), bar))
    is_met = any(row.met for row in rows)
    yield from (replace(row, is_excused=is_met and not row.met) for row in rows)


def _polls(where: str, mine: Side, kernel: Side, effort: Effort) -> Row:
    ask = partial(first_rows, ALL_PORTS, effort.poll_ports)
    turns = in_turns(effort.polls, partial(wall, mine, ask), partial(wall, kernel, ask))
    what = f"wall time of LibreNMS's poll of {effort.poll_ports:,} ports, {where}: snmpd -X"
    return ratio(what, turns, 0.90, "s")


def by_processes(side: Side, turn: int) -> float:
    """What a GET of 23 costs an agent, per varbind, if a new process asks for each."""
    ports = list(islice(cycle(side.indexes), turn * PROCESSES, (turn + 1) * PROCESSES))
    before = processes.cpu(side.agent.pid)
    for index in ports:
        side.snmpd.run("snmpget", *(f"{column}.{index}" for column in SELECTED_PORT))
    spent = processes.cpu(side.agent.pid) - before
    return spent * 1e-9 / (PROCESSES * len(SELECTED_PORT))


# --- ours beside ours -----------------------------------------------------------------------------


def sizes(directory: Path, effort: Effort) -> Iterator[Row]:
    """Whether more interfaces, or more workers of VPP's, make a varbind cost more."""
    for what, many, few in (
        ("10,000 interfaces: 100", {"interfaces": 10_000}, {"interfaces": 100}),
        ("17 VPP threads: 1 thread", {"threads": 17}, {"threads": 1}),
    ):
        place = directory / what[:2]
        with ours(place / "many", **many) as mine, ours(place / "few", **few) as other:
            ask = partial(walk, BOTH_TABLES)
            with placed(ONE_CORE, mine, other):
                costs(1, ask, mine, other)
                yield ratio(f"{WALK}, {what}", costs(effort.walks, ask, mine, other), 1.10)


def neighbors(directory: Path, effort: Effort) -> Iterator[Row]:
    """Whether a varbind of a table of 50,000 rows costs more than one of ifTable."""
    with (
        quiet_vpp(directory / "vpp", PORTS) as vpp,
        Snmpd(directory / "snmpd") as snmpd,
    ):
        vpp.add_neighbors(NEIGHBORS)
        with (
            pinned_agent(directory, vpp, snmpd.agentx) as agent,
            asked(agent, snmpd, partial(vpp.step, 1)) as side,
        ):
            indexes: list[str] = []

            def are_there() -> bool:
                indexes[:] = side.poller.indexes(next(iter(IP_NET_TO_PHYSICAL)))
                return len(indexes) == NEIGHBORS

            until(f"{NEIGHBORS} neighbours are served", are_there, NEIGHBORS_TIMEOUT)
            table = replace(side, indexes=indexes)

            def of_neighbors(turn: int) -> float:
                return cost(table, partial(walk, IP_NET_TO_PHYSICAL), turn)

            def of_ports(turn: int) -> float:
                return cost(side, partial(walk, IF_TABLE), turn)

            with placed(ONE_CORE, side):
                in_turns(1, of_neighbors, of_ports)
                turns = in_turns(effort.walks, of_neighbors, of_ports)
            yield ratio("walk of ipNetToPhysicalTable, 50,000 rows: ifTable", turns, 1.10)
