"""Whatever happens to VPP and to the agent, an index means one interface for ever."""

import os
import random
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vpp_snmp_agent.agentx.mib import UpTime
from vpp_snmp_agent.interfaces import writer
from vpp_snmp_agent.interfaces.facts import DOWN, Configuration
from vpp_snmp_agent.interfaces.publisher import Publisher
from vpp_snmp_agent.interfaces.state import JOURNAL, State
from vpp_snmp_agent.operator.snapshot import ReadOnlyIndexes
from vpp_snmp_agent.settings.declarations import Settings
from vpp_snmp_agent.vpp.records import INTERFACES, Changes, Identity, Record
from vpp_snmp_agent.vpp.router import Router

from .routers import VPP, pair, port, publish, router_of, rows_of, tap

NAMES = [f"port{number}" for number in range(6)] + ["e0", "e1", "tap101"]
HOSTS = ["", "e0", "e1", "e2", "port1"]


@dataclass
class FakeVpp:
    """Interfaces by sw_if_index, indexes handed out lowest first, as VPP does."""

    pid: int = 1
    names: dict[int, str] = field(default_factory=dict)
    hosts: dict[str, str] = field(default_factory=dict)  # LCP host name by interface name
    reported: dict[tuple[type[Record], int], Record] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.router = Router(Identity("26.06", "2026-06-24", self.pid))

    def add(self, name: str, host: str = "") -> None:
        if name in self.names.values():
            return
        self.names[min(set(range(1, len(self.names) + 2)) - self.names.keys())] = name
        if host:
            self.hosts[name] = host

    def delete(self, name: str) -> None:
        self.names = {index: each for index, each in self.names.items() if each != name}
        self.hosts.pop(name, None)

    def records(self) -> list[Record]:
        """All there is, relations first."""
        pairs: list[Record] = []
        interfaces: list[Record] = [port(index, name) for index, name in self.names.items()]
        taken = set(self.names.values())
        for index, name in self.names.items():
            if name in self.hosts:
                number = next(n for n in range(100, 200) if f"tap{n}" not in taken)
                taken.add(f"tap{number}")
                interfaces.append(tap(100 + index, f"tap{number}"))
                pairs.append(pair(index, self.hosts[name], 100 + index))
        return pairs + interfaces

    def changes(self) -> Changes:
        """What differs from what was reported."""
        now = {(type(each), each.key): each for each in self.records()}
        gone = tuple(each for each in self.reported if each not in now)
        reported = tuple(each for key, each in now.items() if self.reported.get(key) != each)
        self.reported = now
        return Changes(reported, gone)


OPERATIONS = st.one_of(
    st.tuples(st.just("add"), st.sampled_from(NAMES), st.sampled_from(HOSTS)),
    st.tuples(st.just("delete"), st.sampled_from(NAMES)),
    st.tuples(st.just("rename"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
    st.tuples(st.just("reuse"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
    st.tuples(st.just("restart VPP"), st.integers(0, 1000)),
    st.tuples(st.just("settle")),
    st.tuples(st.just("restart agent")),
    st.tuples(st.just("kill agent"), st.floats(0, 1)),
)


@pytest.mark.slow
@pytest.mark.parametrize("taps", ["hide", "show"])
@settings(max_examples=100, deadline=None)
@given(history=st.lists(OPERATIONS, max_size=25))
def test_no_history_changes_what_an_index_means(
    taps: str, history: list[tuple[object, ...]]
) -> None:
    with TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(writer, "COMMIT_INTERVAL", 0.0)
        monkeypatch.setattr(writer, "GATHER_TIME", 0.0)
        for call in ("fsync", "fdatasync"):
            monkeypatch.setattr(os, call, lambda fd: None)
        configuration = Configuration(Settings(taps=taps))  # type: ignore[arg-type]
        play(history, Agent(Path(directory), configuration))


class Agent:
    """A publisher and the state that remembers its indexes, in a directory of directories."""

    def __init__(self, directory: Path, configuration: Configuration) -> None:
        self._directory, self._configuration, self._lives = directory, configuration, 0
        self._start()

    def _start(self) -> None:
        self.state = State.open(str(self._path))
        self.publisher = Publisher(self._configuration, self.state, UpTime())
        shown = [(each.key, each.if_index, each.facts) for each in self.state.shown()]
        known = [(key, index, facts) for key, index, facts in shown if facts is not None]
        for _ in self.publisher.restore(known, DOWN):
            pass

    @property
    def _path(self) -> Path:
        return self._directory / str(self._lives)

    def restart(self) -> None:
        """Ended in order: all is on the disk."""
        self.state.close()
        self._start()

    def kill(self, cut: float) -> None:
        """Killed: of what was not known to be durable some octets are on the disk, or none."""
        durable = self._size
        was, self._lives = self._path, self._lives + 1
        shutil.copytree(was, self._path)
        journal = self._path / JOURNAL
        size = journal.stat().st_size
        os.truncate(journal, durable + round(cut * max(0, size - durable)))
        self.state.close()
        self._start()

    def follow(self, vpp: FakeVpp, settled: bool) -> None:
        """A VPP is there, and has reported everything."""
        self.publisher.settled = settled
        self.publisher.follow(vpp.router)
        self.publisher.touch(vpp.router.interfaces)
        self.publisher.complete(INTERFACES)

    @contextmanager
    def nothing_durable(self) -> Iterator[None]:
        """What is assigned meanwhile may or may not be on the disk."""
        self._size = (self._path / JOURNAL).stat().st_size
        yield

    def step(self) -> None:
        while self.publisher.step(time.perf_counter()):
            pass

    def finish(self) -> None:
        """Until every row is shown."""
        limit = time.monotonic() + 20
        while True:
            self.step()
            if self.publisher.is_idle:
                return
            assert time.monotonic() < limit
            self.publisher.numbered(self.state.committed())


def play(history: list[tuple[object, ...]], agent: Agent) -> None:
    vpp, settled = FakeVpp(names={1: "port0", 2: "port1"}, hosts={"port0": "e0"}), True
    meanings: dict[int, str] = {}
    vpp.router.apply(vpp.changes())
    agent.follow(vpp, settled)
    for operation, *details in history:
        words = [str(each) for each in details]
        started_anew = False
        match operation:
            case "add":
                vpp.add(*words)
            case "delete":
                vpp.delete(words[0])
            case "rename" if words[1] not in vpp.names.values():
                vpp.names = {
                    index: words[1] if name == words[0] else name
                    for index, name in vpp.names.items()
                }
            case "reuse":
                vpp.delete(words[0])
                vpp.add(words[1])
            case "restart VPP":
                before = list(vpp.names.values())
                random.Random(words[0]).shuffle(before)
                agent.publisher.lose()
                agent.step()
                hosts = {name: host for name, host in vpp.hosts.items() if int(words[0]) % 2}
                names = dict(enumerate(before[: len(before) // 2], 1))
                vpp = FakeVpp(vpp.pid + 1, names, hosts)
                settled, started_anew = False, True
            case "settle":
                settled = True
                agent.publisher.settle()
            case "restart agent":
                agent.restart()
                started_anew = True
            case "kill agent":
                agent.finish()
                with agent.nothing_durable():
                    agent.publisher.touch(vpp.router.apply(vpp.changes()))
                    vpp.add("port5")
                    agent.publisher.touch(vpp.router.apply(vpp.changes()))
                    agent.step()
                    meanings |= checked(agent.publisher, meanings)
                    agent.kill(float(words[0]))
                started_anew = True
        before_rows = set(agent.publisher.by_key)
        touched = vpp.router.apply(vpp.changes())
        if started_anew:
            agent.follow(vpp, settled)
        else:
            agent.publisher.touch(touched)
        agent.step()
        meanings |= checked(agent.publisher, meanings)
        agent.finish()
        meanings |= checked(agent.publisher, meanings)
        if not settled:
            assert before_rows <= set(agent.publisher.by_key)  # nothing vanishes meanwhile
    agent.state.close()


def checked(publisher: Publisher, meanings: dict[int, str]) -> dict[int, str]:
    """What each index that is shown means, having checked that it meant nothing else."""
    rows = list(rows_of(publisher).values())
    assert len({row.facts.name for row in rows}) == len(rows)
    assert {row.key: row for row in rows} == publisher.by_key
    for row in rows:
        assert meanings.get(row.index, row.key) == row.key
    every = meanings | {row.index: row.key for row in rows}
    assert len(set(every.values())) == len(every)
    return every


def test_a_tap_that_gets_the_name_of_one_that_waits_is_not_called_the_same() -> None:
    """VPP numbers its TAPs anew at every start."""
    configuration = Configuration(Settings(taps="show"))
    publisher = Publisher(configuration, ReadOnlyIndexes([]), UpTime())
    before = router_of(port(1, "eth0"), tap(2, "tap1"), tap(901, "tap2"), pair(1, "e0"))
    publish(publisher, before)
    publisher.lose()
    other = replace(VPP, vpe_pid=4712)
    after = router_of(port(1, "eth0"), tap(901, "tap1"), pair(1, "e0"), identity=other)
    rows = publish(publisher, after, settled=False)
    assert {row.key: row.facts.name for row in rows.values()} == {
        "eth0": "e0",
        "tap1": "tap1",
        "tap of eth0": "tap of eth0",
    }
    publisher.settle()
    while publisher.step(time.perf_counter()):
        pass
    assert {row.key: row.facts.name for row in rows_of(publisher).values()} == {
        "eth0": "e0",
        "tap of eth0": "tap1",
    }
