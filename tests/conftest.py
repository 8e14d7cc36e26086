"""What several test files need: the recordings, and a stage to play on."""

import os
import select
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, TypeVar

import pytest
from vpp_papi import vpp_serializer

from simulator import Simulator
from simulator.segment import SegmentWriter
from simulator.stage import Snmpd, until
from vpp_snmp_agent.operator import check
from vpp_snmp_agent.settings.declarations import Settings
from vpp_snmp_agent.vpp import feed
from vpp_snmp_agent.vpp.cells import Counter
from vpp_snmp_agent.vpp.client import Client, decode_any_text
from vpp_snmp_agent.vpp.layout import Generation, Kind
from vpp_snmp_agent.vpp.mapping import SegmentUnavailable
from vpp_snmp_agent.vpp.records import (
    INTERFACES,
    Addresses,
    Bond,
    BridgeDomain,
    Changes,
    Complete,
    Interface,
    Inventory,
    LacpPort,
    LcpPair,
    Neighbor,
    NeighborChanges,
)

from .cells import counters, interface_writer, plain, put, restarted
from .journals import disk, hurried, unsynced
from .operators import Check, by_thing, leaving_nothing, run, settings_for
from .routers import clock, first, publisher, second, sources
from .segments import COLUMNS, SIZE, THREADS, drops, segment
from .yaml_files import LOADERS, loading_with

# Fixtures of several test files.
__all__ = [
    "clock",
    "counters",
    "disk",
    "drops",
    "first",
    "hurried",
    "interface_writer",
    "plain",
    "publisher",
    "put",
    "restarted",
    "run",
    "second",
    "segment",
    "sources",
    "unsynced",
]

NOBODY = 65534
N = TypeVar("N")
SHARED = Path(__file__).resolve().parents[1].parent / "shared"


TESTS = Path(__file__).resolve().parent

# What `--quick` leaves out, by marker.
LEFT_OUT = {"system": "start snmpd", "process": "start processes", "slow": "take long"}
# Who names one of these starts processes, or reads a vppcfg by one.
STARTERS = {"Simulator", "Listener", "Feed", "Process", "Sleeper", "Popen", "subprocess"}
STARTERS |= {"in_process", "get_context", "children", "started"}
# Audit events (docs.python.org, "Audit events table") of a new process.
PROCESS_EVENTS = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system"}

QUICK: pytest.StashKey[dict[str, int]] = pytest.StashKey()
noted: list[str] = []  # what a test that is to start no process has started


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden walk anew")
    parser.addoption(
        "--quick", action="store_true", help="without what starts snmpd or processes, or takes long"
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--quick"):
        config.stash[QUICK] = dict.fromkeys(LEFT_OUT, 0)
        sys.addaudithook(_note_process)


def _note_process(event: str, arguments: tuple[object, ...]) -> None:
    if event in PROCESS_EVENTS:
        noted.append(event)


def _names_starter(function: FunctionType, seen: set[FunctionType]) -> bool:
    """Whether a function of ours, or one that it uses, names what starts processes."""
    if function in seen or not Path(function.__code__.co_filename).is_relative_to(TESTS):
        return False
    seen.add(function)
    codes: list[CodeType] = [function.__code__]
    for code in codes:  # which grows: with the code of what is defined within
        codes += [each for each in code.co_consts if isinstance(each, CodeType)]
    names = {name for code in codes for name in code.co_names}
    if names & STARTERS:
        return True
    used = [function.__globals__.get(name) for name in names]
    used += [getattr(each, "__wrapped__", None) for each in used]  # below a decorator
    return any(_names_starter(each, seen) for each in used if isinstance(each, FunctionType))


def _starts_processes(item: pytest.Function) -> bool:
    """Whether a test, or a fixture that it is given, names what starts processes."""
    fixtures = (
        fixture.func for each in item._fixtureinfo.name2fixturedefs.values() for fixture in each
    )
    seen: set[FunctionType] = set()
    return any(
        _names_starter(each, seen)
        for each in (item.function, *fixtures)
        if isinstance(each, FunctionType)
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what starts processes, and leave out what is not quick."""
    for item in items:
        if isinstance(item, pytest.Function) and _starts_processes(item):
            item.add_marker("process")
    if QUICK not in config.stash:
        return
    left_out = config.stash[QUICK]
    kept: list[pytest.Item] = []
    dropped: list[pytest.Item] = []
    for item in items:
        why = next((each for each in LEFT_OUT if item.get_closest_marker(each)), None)
        if why:
            left_out[why] += 1
        (dropped if why else kept).append(item)
    config.hook.pytest_deselected(items=dropped)
    items[:] = kept


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if QUICK in config.stash:
        left_out = config.stash[QUICK]
        counts = [f"{left_out[mark]} that {what}" for mark, what in LEFT_OUT.items()]
        terminalreporter.write_line(f"quick leaves out of the tests {', '.join(counts)}")


@pytest.fixture(autouse=True)
def without_processes() -> Iterator[None]:
    """Under `--quick`, a test that starts a process and does not say so fails."""
    noted.clear()
    yield
    assert not noted, "this test starts a process: mark it `process`"


@pytest.fixture(scope="session")
def recordings() -> Path:
    """Where a real VPP's recordings are; they are not part of the project."""
    path = SHARED / "recorded" / "vpp-26.06"
    if not path.is_dir():
        pytest.skip(f"no recordings of a real VPP beside the project ({path.name} absent)")
    return path


@pytest.fixture(params=LOADERS, ids=lambda loader: loader.__name__)
def either_loader(request: pytest.FixtureRequest) -> Iterator[None]:
    """With libyaml and without."""
    with loading_with(request.param):
        yield


@pytest.fixture
def vpp(tmp_path: Path) -> Iterator[Simulator]:
    """The edge router."""
    with Simulator(tmp_path / "vpp") as simulator:
        yield simulator


@pytest.fixture
def settings(vpp: Simulator, tmp_path: Path) -> Settings:
    """Those by which the edge router is asked."""
    return settings_for(vpp, tmp_path)


@pytest.fixture
def gone(tmp_path: Path) -> Settings:
    """Those of a router of which nothing runs."""
    return settings_for(Simulator(tmp_path / "vpp"), tmp_path)


@pytest.fixture
def checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Check:
    """Check, and compare the exit status with the marks; nothing is left behind."""
    path = tmp_path / "settings.yaml"
    path.touch()

    def lines_of(settings: Settings) -> dict[str, list[str]]:
        capsys.readouterr()
        with leaving_nothing(tmp_path / "state"):
            status = check.check(str(path), lambda: settings)
        printed = capsys.readouterr()
        lines = by_thing(printed.out)
        failed = any(line.startswith("FAIL") for about in lines.values() for line in about)
        assert (status, printed.err) == (int(failed), "")
        return lines

    return lines_of


@pytest.fixture
def as_nobody(tmp_path: Path) -> Iterator[None]:
    """What is the superuser's alone is refused; but the directory is made before that."""
    if os.geteuid():
        pytest.skip("only root can become another user")
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    yield
    os.seteuid(0)
    os.setegid(0)
    os.setgroups(groups)


@pytest.fixture
def snmpd(tmp_path: Path) -> Iterator[Snmpd]:
    """snmpd as shipped, with its own ifTable off."""
    with Snmpd(tmp_path / "snmp") as running:
        yield running


@pytest.fixture(params=Generation)
def writer(request: pytest.FixtureRequest) -> Iterator[SegmentWriter]:
    """A segment with one simple and one combined counter, of each generation."""
    made = SegmentWriter(SIZE, request.param)
    made.add_scalar("/sys/heartbeat", 7)
    made.add_scalar("/sys/vector_rate", 75, Kind.GAUGE)
    made.add_counter("/if/drops", Kind.SIMPLE, THREADS, COLUMNS)
    made.add_counter("/if/rx", Kind.COMBINED, THREADS, COLUMNS)
    made.add_names("/if/names")
    made.add_symlink("/err/one", "/if/drops", 1)
    yield made
    os.close(made.fd)


@pytest.fixture
def both_paths_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """After each reading: `read_in` says the same, or nothing."""
    read = Counter.read

    def read_and_compare(counter: Counter, sw_if_index: int) -> int:
        try:
            value = read(counter, sw_if_index)
        except SegmentUnavailable:
            assert counter.read_in(counter.epoch, sw_if_index) is None
            raise
        assert counter.read_in(counter.epoch, sw_if_index) in (None, value)
        return value

    monkeypatch.setattr(Counter, "read", read_and_compare)


@pytest.fixture
def client(vpp: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """One that is connected."""
    monkeypatch.setattr(vpp_serializer.String, "unpack", vpp_serializer.String.unpack)
    decode_any_text()
    client = Client(str(vpp.api_socket), "")
    client.connect("a test")
    yield client
    client.disconnect()


@pytest.fixture
def pretended(client: Client) -> Iterator[socket.socket]:
    """The other end of the client's socket, which is no VPP's any more."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    real, client.transport.socket = client.transport.socket, theirs
    with ours, theirs:
        yield ours
    client.transport.socket = real


def index_of(vpp: Simulator, name: str) -> int:
    return int(vpp.interfaces()[name]["sw_if_index"])


def framed(message: bytes) -> bytes:
    """As on the wire."""
    return struct.pack(">QII", 0, len(message), 0) + message


class Reported:
    """What a reporter has reported so far, by key: each change applied in its order."""

    def __init__(self) -> None:
        self.interfaces: dict[int, Interface] = {}
        self.pairs: dict[int, LcpPair] = {}
        self.bonds: dict[int, Bond] = {}
        self.lacp_ports: dict[int, LacpPort] = {}
        self.bridge_domains: dict[int, BridgeDomain] = {}
        self.addresses: dict[int, Addresses] = {}
        self.neighbors: dict[tuple[int, bytes], Neighbor] = {}
        self.complete: set[str] = set()

    def _of(self, kind: type[Any]) -> dict[int, Any]:
        kinds: dict[type[Any], dict[int, Any]] = {
            Interface: self.interfaces,
            LcpPair: self.pairs,
            Bond: self.bonds,
            LacpPort: self.lacp_ports,
            BridgeDomain: self.bridge_domains,
            Addresses: self.addresses,
        }
        return kinds[kind]

    def apply(self, news: feed.News) -> None:
        """A change; what is gone must have been there."""
        match news:
            case feed.Present():
                self.__init__()  # type: ignore[misc]
            case Changes(reported, gone):
                for kind, key in gone:
                    del self._of(kind)[key]
                for record in reported:
                    self._of(type(record))[record.key] = record
            case NeighborChanges(reported=neighbors, gone=gone_neighbors):
                for of_interface in gone_neighbors:
                    del self.neighbors[of_interface]
                for each in neighbors:
                    self.neighbors[each.sw_if_index, each.address] = each
            case Complete(what):
                self.complete.add(what)

    def named(self, name: str) -> Interface | None:
        """An interface by VPP's name for it."""
        found = (each for each in self.interfaces.values() if each.interface_name == name)
        return next(found, None)

    def interface(self, name: str) -> Interface:
        """The same of one that must be there."""
        found = self.named(name)
        assert found is not None, name
        return found


class Listener:
    """A feed, all the news that it has brought, and what they add up to."""

    def __init__(
        self,
        vpp: Simulator,
        period: float = 30.0,
        addresses: float = 0.0,
        neighbors: float = 0.0,
        **settings: str,
    ) -> None:
        paths = {
            "api_socket": str(vpp.api_socket),
            "stats_socket": str(vpp.stats_socket),
            "api_dir": str(vpp.api_dir),
        } | settings
        self.feed = feed.Feed(
            feed.ReporterSettings(period=period, addresses=addresses, neighbors=neighbors, **paths)
        )
        self.news: list[feed.News] = []
        self.reported = Reported()
        self.inventories = 0  # how often VPP reported all: no news, but for an age

    def __enter__(self) -> "Listener":
        return self

    def __exit__(self, *_: object) -> None:
        self.feed.close()
        self._forget(len(self.news))

    def _forget(self, count: int) -> None:
        for each in self.news[:count]:
            if isinstance(each, feed.SegmentReceived):
                os.close(each.descriptor)
        del self.news[:count]

    def pump(self) -> None:
        """Take one message, if it comes within a moment."""
        came = list(self.feed.check(time.monotonic()))
        fd = self.feed.fileno()
        if fd >= 0 and select.select([fd], [], [], 0.02)[0]:
            came += self.feed.receive(time.monotonic())
        for each in came:
            self.reported.apply(each)
        whole = [each for each in came if isinstance(each, Inventory)]
        self.inventories += len(whole)
        self.news += [each for each in came if each not in whole]

    def all(self, kind: type[N]) -> list[N]:
        """The news of one kind, oldest first."""
        return [each for each in self.news if isinstance(each, kind)]

    def wait(self, kind: type[N], which: Callable[[N], object] = lambda news: True) -> N:
        """The next news of a kind that is as wanted; what came before is forgotten."""
        found: list[tuple[int, N]] = []

        def came() -> bool:
            self.pump()
            found[:] = [
                (at, each)
                for at, each in enumerate(self.news)
                if isinstance(each, kind) and which(each)
            ]
            return bool(found)

        until(f"news of {kind.__name__}; so far {self.news}", came)
        at, wanted = found[0]
        self._forget(at)
        self.news.pop(0)
        return wanted

    def wait_until(self, condition: Callable[[Reported], object]) -> Reported:
        """Once what is reported is as wanted; it is asked after each message."""

        def is_so() -> bool:
            if not condition(self.reported):
                self.pump()
            return bool(condition(self.reported))

        until("it is reported", is_so)
        return self.reported

    def wait_complete(self, what: str = INTERFACES) -> Reported:
        """Once everything of a sort has been reported; what came before is forgotten."""
        self.wait_until(lambda reported: what in reported.complete)
        self._forget(len(self.news))
        return self.reported


def named(name: str) -> Callable[[Reported], Interface | None]:
    """An interface by VPP's name for it, in what is reported."""
    return lambda reported: reported.named(name)


def link(name: str, up: bool) -> Callable[[Reported], bool]:
    """Whether an interface's link is reported as up, or down."""

    def is_so(reported: Reported) -> bool:
        interface = reported.named(name)
        return interface is not None and interface.link_up == up

    return is_so
