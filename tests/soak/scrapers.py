"""Four pollers at once, each in its own way, and what must be so in everything they are answered.

Numbers go to the oracle.  Names, order and presence are judged here: a port bears one name
for ever, is there unless somebody took it away, and none of its counters ever goes back.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from simulator.scenario import EDGE_ROUTER
from simulator.stage import Snmpd, StageError

from ..oids import IF_DISCONTINUITY, IF_NAME, IF_NUMBER, IF_TABLE, IF_X_TABLE
from . import Beside
from .oracle import CELLS, Answer, Oracle

OURS = f"{IF_X_TABLE}."  # what follows it in a GETBULK is snmpd's own
COUNTERS = {
    f"{IF_TABLE}.10": "ifInOctets",
    f"{IF_TABLE}.13": "ifInDiscards",
    f"{IF_TABLE}.14": "ifInErrors",
    f"{IF_TABLE}.15": "ifInUnknownProtos",
    f"{IF_TABLE}.16": "ifOutOctets",
    f"{IF_TABLE}.20": "ifOutErrors",
    f"{IF_X_TABLE}.6": "ifHCInOctets",
    f"{IF_X_TABLE}.7": "ifHCInUcastPkts",
    f"{IF_X_TABLE}.10": "ifHCOutOctets",
    f"{IF_X_TABLE}.11": "ifHCOutUcastPkts",
}
assert set(COUNTERS.values()) == set(CELLS)
# What LibreNMS asks of one port at once.
PORT = [
    *(f"{IF_X_TABLE}.{n}" for n in (1, 6, 7, 8, 9, 10, 11, 12, 13, 15, 18)),
    *(f"{IF_TABLE}.{n}" for n in (2, 3, 4, 6, 7, 8, 9, 13, 14, 19, 20)),
    IF_DISCONTINUITY,
]
PORTS = {spec.host or spec.full_name: spec.full_name for spec in EDGE_ROUTER}

# Interfaces that come and go: sub-interfaces of one that stays.
CHURNED_ON, CHURNED_HOST = "TenGigabitEthernet1/0/2", "enp1s0f2"
CHURNED = range(3000, 3020)
KNOWN = (
    PORTS
    | {name: name for name in PORTS.values()}  # as it is called without its LCP pair
    | {f"{CHURNED_HOST}.{n}": f"{CHURNED_ON}.{n}" for n in CHURNED}
    | {f"{CHURNED_ON}.{n}": f"{CHURNED_ON}.{n}" for n in CHURNED}
)

Values = dict[str, str]


class Judge:
    """What all pollers were answered, by ifIndex."""

    def __init__(self, oracle: Oracle) -> None:
        self.oracle = oracle
        self.answered = 0  # objects
        self.unanswered: list[str] = []
        self.changed: list[str] = []
        self.backward: list[str] = []
        self.vanished: list[str] = []
        self._blind: list[list[float]] = []
        self._names: dict[int, str] = {}  # VPP's name
        self._lock = threading.Lock()

    @contextmanager
    def blind(self, grace: float = 1.5) -> Iterator[None]:
        """Nobody need answer within, nor a moment longer."""
        window = [time.monotonic(), float("inf")]
        self._blind.append(window)
        try:
            yield
        finally:
            window[1] = time.monotonic() + grace

    def is_blind(self, asked: float, answered: float) -> bool:
        return any(begun <= answered and asked <= ended for begun, ended in self._blind)

    def failed(self, what: str, asked: float) -> None:
        """Somebody got no answer."""
        if not self.is_blind(asked, time.monotonic()):
            self.unanswered.append(f"{asked:.2f}: {what}")

    def receive(self, values: Values, asked: float, whole: bool) -> None:
        """Take an answer; `whole`: of every port."""
        answered = time.monotonic()
        blind = self.is_blind(asked, answered)
        answers, names = [], set()
        with self._lock:
            for oid, value in values.items():
                column, _, tail = oid.rpartition(".")
                kind, _, text = value.partition(": ")
                if kind.startswith("No "):
                    continue
                self.answered += 1
                index = int(tail)
                if column == IF_NAME:
                    names.add(text.strip('"'))
                    self._is_named(index, text.strip('"'))
                elif column in COUNTERS and index in self._names:
                    name = self._names[index]
                    answers.append(Answer(name, COUNTERS[column], int(text), asked, answered))
        missing = {name for name, vpps in PORTS.items() if not {name, vpps} & names}
        if whole and missing and not blind:
            self.vanished.append(f"{asked:.2f}-{answered:.2f}: {sorted(missing)}")
        self.oracle.receive(answers)

    def _is_named(self, index: int, name: str) -> None:
        vpps = KNOWN.get(name, f"unknown {name}")
        before = self._names.setdefault(index, vpps)
        if before != vpps or sum(each == vpps for each in self._names.values()) > 1:
            self.changed.append(f"{index} was {before}, is {name}")


class Scraper(Beside):
    """A poller that polls without a pause."""

    def __init__(
        self,
        snmpd: Snmpd,
        judge: Judge,
        poll: Callable[["Scraper", random.Random], None],
        seed: int,
    ) -> None:
        super().__init__()
        self.snmpd = snmpd
        self.judge = judge
        self._poll = poll
        self._chance = random.Random(seed)
        self.polls = 0
        self._last: dict[str, int] = {}  # value by column and ifIndex

    def __enter__(self) -> "Scraper":
        self.begin()
        return self

    def run(self) -> None:
        while not self.ending.wait(0.02):
            self._poll(self, self._chance)
            self.polls += 1

    def ask(
        self, tool: str, *words: str, options: tuple[str, ...] = (), whole: bool = False
    ) -> None:
        """Run a net-snmp tool, and have judged what it prints."""
        asked = time.monotonic()
        try:
            done = self.snmpd.run(tool, *words, options=("-On", *options))
        except (StageError, OSError) as error:
            self.judge.failed(str(error), asked)
            return
        values = {}
        for line in done.stdout.splitlines():
            name, equals, value = line.partition(" = ")
            if equals and name.startswith("."):
                values[name[1:]] = value
        self._compare(values, asked)
        self.judge.receive(values, asked, whole)

    def _compare(self, values: Values, asked: float) -> None:
        """No counter is less than it was, whatever ended or was cleared in between.

        Of 32 bits at 8 Gb/s that cannot be seen 2 s later: the oracle holds them to the truth.
        """
        for oid, value in values.items():
            if not value.startswith("Counter64: ") or not oid.startswith(OURS):
                continue
            now, before = int(value.partition(": ")[2]), self._last.get(oid, 0)
            self._last[oid] = now
            if now < before:
                self.judge.backward.append(f"{asked:.2f}: {oid} from {before} to {now}")


def librenms(self: Scraper, chance: random.Random) -> None:
    """ifXEntry whole, columns of ifEntry, then one port of 23 objects."""
    self.ask("snmpbulkwalk", IF_X_TABLE, options=("-Cr10",), whole=True)
    for number in chance.sample((2, 7, 8, 9, 3, 6, 4, 14, 20, 13, 19), 3):
        self.ask("snmpbulkwalk", f"{IF_TABLE}.{number}", options=("-Cr10",))
    index = chance.choice((1001, 1006, 1019))
    self.ask("snmpget", *(f"{column}.{index}" for column in PORT))


def cacti(self: Scraper, chance: random.Random) -> None:
    """A re-index, a column at a time, and the 32-bit counters."""
    for column in (*(f"{IF_TABLE}.{n}" for n in (1, 8, 2)), IF_NAME, f"{IF_TABLE}.5"):
        self.ask("snmpwalk", column, whole=column == IF_NAME)
    self.ask("snmpget", f"{IF_NUMBER}.0")
    self.ask("snmpwalk", f"{IF_TABLE}.{chance.choice((10, 16))}")


def exporter(self: Scraper, chance: random.Random) -> None:
    """Both subtrees, 25 repetitions."""
    self.ask("snmpbulkwalk", IF_X_TABLE.rpartition(".")[0], options=("-Cr25",), whole=True)
    self.ask("snmpbulkwalk", IF_TABLE, options=("-Cr25",))


def wide(self: Scraper, chance: random.Random) -> None:
    """Many columns and repetitions in one request."""
    columns = [IF_NAME, *COUNTERS, IF_DISCONTINUITY]
    self.ask("snmpbulkget", *columns, options=(f"-Cr{chance.choice((5, 20, 40))}", "-t3"))


SCRAPERS = {"LibreNMS": librenms, "Cacti": cacti, "exporter": exporter, "GETBULK": wide}
