"""A thousand interfaces that come and go again and again, a burst of link flaps, and walks."""

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from simulator import Simulator
from simulator.stage import AgentProcess, Snmpd

from ..edge_router import wait_for_cell, wait_for_rows
from ..oids import IF_NAME, OPER_STATUS
from . import Beside
from .probe import use

POOL, FLAPS = 1000, 10_000
BASE = 200  # interfaces that stay
PARENT = "HundredGigabitEthernet1/0/0"
WARM = 20.0  # seconds in which memory settles
SECONDS, QUICK_SECONDS = 60.0, 10.0
GROWTH = 2.0  # MiB
DESCRIPTORS = 2  # that may be open just when they are counted
# A dump of all interfaces, and one that stops VPP's workers.
DUMP, RARE_DUMP = "sw_interface_dump", "sw_bond_interface_dump"
MAX_DUMPS, MAX_RARE_DUMPS = 5, 1  # a second


class Walker(Beside):
    """Walks ifName without a pause; a walk that ends improperly or out of order is reported."""

    def __init__(self, snmpd: Snmpd) -> None:
        super().__init__()
        self._snmpd = snmpd
        self.walks = 0
        self.wrong: list[str] = []

    def __enter__(self) -> "Walker":
        self.begin()
        return self

    def run(self) -> None:
        while not self.ending.is_set():
            done = self._snmpd.run("snmpbulkwalk", IF_NAME, options=("-On", "-Cr25"), check=False)
            names = [line.partition(" = ")[0] for line in done.stdout.splitlines()]
            indexes = [int(name.rpartition(".")[2]) for name in names]
            if done.returncode or indexes != sorted(set(indexes)) or len(indexes) < BASE:
                self.wrong.append(f"{len(indexes)} rows, {done.stderr.strip()}")
            self.walks += 1


class Rates:
    """How often VPP was asked what, at the most within a second."""

    def __init__(self, vpp: Simulator) -> None:
        self._vpp = vpp
        self._seen: list[tuple[float, dict[str, int]]] = []
        self.most = {DUMP: 0, RARE_DUMP: 0}

    def poll(self) -> None:
        now = time.monotonic()
        self._seen = [each for each in self._seen if each[0] > now - 1.0]
        self._seen.append((now, self._vpp.calls()))
        for name in self.most:
            first, last = self._seen[0][1].get(name, 0), self._seen[-1][1].get(name, 0)
            self.most[name] = max(self.most[name], last - first)


def churn(vpp: Simulator, rates: Rates, seconds: float) -> int:
    """Add and delete the pool, with LCP pairs, again and again; how often."""
    rounds, end = 0, time.monotonic() + seconds
    while not rounds or time.monotonic() < end:
        for number in range(POOL):
            sub_id = 5000 + number
            vpp.add_sub(PARENT, sub_id, outer=100, inner=number + 1, host=f"ice0.{sub_id}")
            if not number % 50:
                rates.poll()
        for number in range(POOL):
            vpp.delete(f"{PARENT}.{5000 + number}")
            if not number % 50:
                rates.poll()
        rounds += 1
    return rounds


def run(quick: bool) -> bool:
    """Whether all walks were right, memory flat and VPP left in peace."""
    with tempfile.TemporaryDirectory(prefix="churn.") as name, ExitStack() as stack:
        directory = Path(name)
        (directory / "agent.yaml").write_text("settle: 0\n")
        vpp = stack.enter_context(
            Simulator(directory / "vpp", interfaces=BASE, pairs=True, segment_size=1 << 27)
        )
        snmpd = stack.enter_context(Snmpd(directory / "snmp"))
        flags = ("-f", str(directory / "agent.yaml"))
        agent = stack.enter_context(AgentProcess(directory, vpp, snmpd.agentx, *flags))
        wait_for_rows(snmpd, BASE)
        walker = stack.enter_context(Walker(snmpd))
        rates = Rates(vpp)
        seconds = QUICK_SECONDS if quick else SECONDS
        rounds = churn(vpp, rates, WARM)
        settled = use(agent.pid)
        rounds += churn(vpp, rates, seconds)
        for number in range(FLAPS):
            vpp.set_link(PARENT, bool(number % 2))
            if not number % 200:
                rates.poll()
        wait_for_cell(snmpd, OPER_STATUS, 1001, "1")
        wait_for_rows(snmpd, BASE)
        walker.__exit__()
        after = use(agent.pid)
    grown = after[0] - settled[0]
    print(f"{rounds} times {POOL:,} interfaces made and deleted, {FLAPS:,} flaps:", end=" ")
    print(f"{walker.walks} walks, {len(walker.wrong)} wrong; {grown:+.1f} MiB; at most", end=" ")
    print(f"{rates.most[DUMP]} dumps a second, {rates.most[RARE_DUMP]} that stop workers")
    for each in walker.wrong[:5]:
        print(f"    {each}")
    return (
        not walker.wrong
        and grown <= GROWTH
        and rates.most[DUMP] <= MAX_DUMPS
        and rates.most[RARE_DUMP] <= MAX_RARE_DUMPS
        and after[1] <= settled[1] + DESCRIPTORS
        and after[2] == settled[2]
    )
