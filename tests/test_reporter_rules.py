"""vpp/reporter.py, whose parent, VPP and clock the test plays: what it says and does when."""

import os
import resource
import select
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from errno import EAGAIN, ECONNREFUSED, ENOENT
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from vpp_snmp_agent.vpp import reporter
from vpp_snmp_agent.vpp.api import Vpp
from vpp_snmp_agent.vpp.client import Client, UnusableAnswer
from vpp_snmp_agent.vpp.mapping import SegmentUnavailable
from vpp_snmp_agent.vpp.pipe import Pipe
from vpp_snmp_agent.vpp.records import (
    INTERFACES,
    LACP,
    LCP_PAIRS,
    THREADS,
    Available,
    Broken,
    Complete,
    Connected,
    Connecting,
    Gone,
    Mapped,
    Message,
    Thread,
    Threads,
    Unavailable,
    Unmapped,
    Unreachable,
    Waiting,
)
from vpp_snmp_agent.vpp.transport import VPPUnavailable

from .routers import VPP, Clock


class Ended(BaseException):
    """In the place of the end of the process."""


class PlayedPipe:
    """The way to a parent, which notes what comes by it."""

    def __init__(self) -> None:
        self.socket, self.parent = socket.socketpair()
        self.sent: list[Message] = []
        self.descriptors: list[int] = []
        self.asks = list[bool]()  # what the parent says next

    def send(self, message: Message, descriptors: tuple[int, ...] = ()) -> None:
        self.sent.append(message)
        self.descriptors += map(os.dup, descriptors)

    def send_alive(self) -> None:
        raise NotImplementedError

    def is_asked(self) -> bool:
        return self.asks.pop(0)

    def send_last(self, message: Message) -> None:
        self.sent.append(message)
        raise Ended


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[PlayedPipe]:
    made = PlayedPipe()

    def end(status: int) -> None:
        assert status == 0
        raise Ended

    monkeypatch.setattr(os, "_exit", end)
    with made.socket, made.parent:
        yield made
    for each in made.descriptors:
        os.close(each)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(reporter, "time", made)
    return made


# --- until a VPP is there -------------------------------------------------------------------------


class Attempts:
    """What happens after each attempt to reach VPP: the next of `happens` returns the seconds
    until the one after it; True: something came from the parent."""

    def __init__(
        self, pipe: PlayedPipe, clock: Clock, *happens: Callable[[], float | bool]
    ) -> None:
        self._pipe, self._clock, self._happens = pipe, clock, list(happens)

    def select(
        self, read: list[Any], write: list[Any], broken: list[Any], seconds: float
    ) -> tuple[list[Any], list[Any], list[Any]]:
        assert (read, write, broken, seconds) == ([self._pipe.socket], [], [], 0.25)
        passed = self._happens.pop(0)()
        if passed is True:
            return read, [], []
        self._clock.now += passed
        return [], [], []


def wait_for_vpp(
    path: Path, attempts: Attempts, pipe: PlayedPipe, monkeypatch: pytest.MonkeyPatch
) -> int:
    monkeypatch.setattr(reporter, "select", attempts)
    return reporter.wait_for_vpp(str(path), cast(Pipe, pipe))


def test_who_listens_is_found_at_once_and_that_needs_no_word(
    tmp_path: Path, pipe: PlayedPipe, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "api.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        found = wait_for_vpp(path, Attempts(pipe, clock), pipe, monkeypatch)
    assert (found, pipe.sent) == (os.getpid(), [])


def test_why_nobody_is_reached_is_reported_once_until_it_is_for_another_reason(
    tmp_path: Path, pipe: PlayedPipe, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "api.sock"
    with socket.socket(socket.AF_UNIX) as server:

        def bind() -> float:
            server.bind(str(path))
            return 0.25

        def listen() -> float:
            server.listen()
            return 0.25

        attempts = Attempts(pipe, clock, lambda: 0.25, bind, lambda: 0.25, listen)
        assert wait_for_vpp(path, attempts, pipe, monkeypatch) == os.getpid()
    assert pipe.sent == [Unreachable(str(path), ENOENT), Unreachable(str(path), ECONNREFUSED)]


def test_it_ends_where_its_parent_does_while_it_waits(
    tmp_path: Path, pipe: PlayedPipe, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = Attempts(pipe, clock, lambda: 0.25, lambda: True)
    with pytest.raises(Ended):
        wait_for_vpp(tmp_path / "api.sock", attempts, pipe, monkeypatch)


def test_who_accepts_nobody_is_waited_for_but_not_while_this_process_was_stopped(
    tmp_path: Path, pipe: PlayedPipe, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "api.sock"
    tried = iter([EAGAIN, EAGAIN, None, None, ENOENT, EAGAIN, ENOENT])  # None: a time-out

    def connect(probe: socket.socket, to: str) -> None:
        assert (probe.gettimeout(), to) == (0.25, str(path))
        number = next(tried)
        raise TimeoutError("timed out") if number is None else OSError(number, "so it is")

    monkeypatch.setattr(socket.socket, "connect", connect, raising=False)
    passing = (0.125, 0.25, 7.0, 0.375, 0.25, 0.0625)
    attempts = Attempts(
        pipe, clock, *(lambda seconds=each: seconds for each in passing), lambda: True
    )
    with pytest.raises(Ended):
        wait_for_vpp(path, attempts, pipe, monkeypatch)
    name = str(path)
    assert pipe.sent == [
        *(Unreachable(name, EAGAIN), Waiting(0.125), Waiting(0.375)),
        *(Unreachable(name, 0), Waiting(0.875), Waiting(1.25)),
        *(Unreachable(name, ENOENT), Unreachable(name, EAGAIN), Waiting(0.0625)),
        Unreachable(name, ENOENT),
    ]


# --- its segment, its threads ---------------------------------------------------------------------


class PlayedVpp:
    """A VPP that is asked by hand."""

    threads_of = (Thread(0, "vpp_main", "", 4711, 1),)

    def __init__(self, pipe: PlayedPipe, clock: Clock) -> None:
        self._pipe, self._clock = pipe, clock
        self.pinged: list[tuple[float, int]] = []  # when, and after how many messages
        self.wants_events = False
        self.fails = False

    def ping(self) -> None:
        self.pinged.append((self._clock.now - 1000.0, len(self._pipe.sent)))
        if self.fails:
            raise ConnectionResetError

    def identity(self) -> object:
        return VPP

    def want_events(self) -> None:
        self.wants_events = True

    def threads(self) -> tuple[Thread, ...]:
        if self.fails:
            raise UnusableAnswer("show_threads_reply: too short")
        return self.threads_of


class Handover:
    """What hands over VPP's segment: `pid` says who did, None for nobody."""

    def __init__(self, pid: int | None) -> None:
        self.pid = pid
        self.asked = 0
        self.given: list[int] = []

    def receive(self, path: str, seconds: float) -> tuple[int, int]:
        assert (path, seconds) == ("/stats", 0.5)
        self.asked += 1
        if self.pid is None:
            raise SegmentUnavailable("/stats: no such file") from OSError(ENOENT, "no such file")
        self.given.append(os.open("/dev/null", os.O_RDONLY))
        return self.given[-1], self.pid


def is_open(descriptor: int) -> bool:
    with suppress(OSError):
        os.fstat(descriptor)
        return True
    return False


@pytest.mark.parametrize("pid", [4711, 0])
def test_a_segment_is_handed_on_after_its_vpp_answered_and_is_not_kept(
    pipe: PlayedPipe, clock: Clock, monkeypatch: pytest.MonkeyPatch, pid: int
) -> None:
    handover, vpp = Handover(pid), PlayedVpp(pipe, clock)
    monkeypatch.setattr(reporter, "receive_segment", handover.receive)
    assert reporter.send_segment(cast(Pipe, pipe), "/stats", 4711, cast(Vpp, vpp)) is True
    assert vpp.pinged == [(0.0, 0)]
    assert pipe.sent == [Mapped()]
    (handed_on,) = pipe.descriptors
    assert os.path.samestat(os.fstat(handed_on), os.stat("/dev/null"))
    assert not is_open(handover.given[0])


@pytest.mark.parametrize(
    ("pid", "why"),
    [
        (None, Unmapped("/stats: no such file", ENOENT)),
        (4733, Unmapped("/stats is another VPP's")),
    ],
)
def test_a_segment_that_is_none_of_this_vpps_is_reported_with_the_reason(
    pipe: PlayedPipe, clock: Clock, monkeypatch: pytest.MonkeyPatch, pid: int | None, why: Message
) -> None:
    handover, vpp = Handover(pid), PlayedVpp(pipe, clock)
    monkeypatch.setattr(reporter, "receive_segment", handover.receive)
    assert reporter.send_segment(cast(Pipe, pipe), "/stats", 4711, cast(Vpp, vpp)) is False
    assert (pipe.sent, vpp.pinged) == ([why], [])
    assert not any(map(is_open, handover.given))


def test_a_segment_whose_vpp_is_gone_after_the_handover_is_not_handed_on(
    pipe: PlayedPipe, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    handover, vpp = Handover(4711), PlayedVpp(pipe, clock)
    vpp.fails = True
    monkeypatch.setattr(reporter, "receive_segment", handover.receive)
    with pytest.raises(ConnectionResetError):
        reporter.send_segment(cast(Pipe, pipe), "/stats", 4711, cast(Vpp, vpp))
    assert pipe.sent == []
    assert not is_open(handover.given[0])


def test_threads_are_reported_or_why_they_are_not_known(pipe: PlayedPipe, clock: Clock) -> None:
    vpp = PlayedVpp(pipe, clock)
    assert reporter.report_threads(cast(Vpp, vpp)) == Threads(vpp.threads_of)
    vpp.fails = True
    failed = Unavailable(THREADS, "show_threads_reply: too short")
    assert reporter.report_threads(cast(Vpp, vpp)) == failed


# --- what it does when ----------------------------------------------------------------------------


class Part:
    """Interfaces, or addresses and neighbours: `moments` is when they are due, one by one."""

    def __init__(self, clock: Clock, message: Message, *moments: float) -> None:
        self._clock, self._message = clock, message
        self._moments = [*moments, float("inf")]
        self.refreshed: list[tuple[float, set[int]]] = []
        self.calls = 0
        self.asked_again: list[float] = []

    def due(self, named: object = None) -> float:
        return 1000.0 + self._moments[0]

    def refresh(self, named: set[int]) -> Iterator[Message]:
        self.calls += 1
        assert self.calls < 100, "it goes round"
        if self._clock.now >= self.due():
            self._moments.pop(0)
            self.refreshed.append((self._clock.now - 1000.0, set(named)))
            yield self._message

    def ask_again(self) -> None:
        self.asked_again.append(self._clock.now - 1000.0)


class Round:
    """A reporter's whole life over one VPP; `asks`: when its parent says something, and what."""

    def __init__(self, pipe: PlayedPipe, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pipe, self.clock = pipe, clock
        self.vpp = PlayedVpp(pipe, clock)
        self.handover = Handover(4711)
        self.interfaces = Part(clock, Complete(INTERFACES))
        self.layer3 = Part(clock, Available(LCP_PAIRS))
        self.asks: list[tuple[float, bool]] = [(1000.0, False)]
        self.waits: list[float] = []
        self.watched: dict[Any, int] = {}
        self.client = SimpleNamespace(
            connect=self.connect,
            collect_events=self.collect_events,
            events=set[int](),
            transport=SimpleNamespace(socket=pipe.parent),
        )
        self.connected: list[str] = []
        for name, made in {
            "Vpp": lambda _: self.vpp,
            "Layer3": lambda vpp, addresses, neighbors: self.make(self.layer3, 41, addresses),
            "Interfaces": lambda vpp, layer3, period: self.make(self.interfaces, 31, period),
            "receive_segment": self.handover.receive,
            "select": SimpleNamespace(poll=lambda: self, POLLIN=select.POLLIN),
        }.items():
            monkeypatch.setattr(reporter, name, made)

    def make(self, part: Part, expected: float, seconds: float) -> Part:
        assert seconds == expected
        return part

    def connect(self, name: str) -> None:
        assert not self.pipe.sent
        self.connected.append(name)

    def collect_events(self) -> None:
        self.client.events.add(round(self.clock.now))

    def register(self, watched: Any, events: int) -> None:
        self.watched[watched] = events

    def poll(self, milliseconds: float) -> list[tuple[int, int]]:
        """Until somebody says something, or nobody does for so long."""
        self.waits.append(milliseconds)
        assert len(self.waits) < 100, "it goes round"
        until, (moment, is_asked) = self.clock.now + milliseconds / 1000, self.asks[0]
        if until < 1000.0 + moment:
            self.clock.now = until
            return []
        self.clock.now = 1000.0 + moment
        self.pipe.asks = [is_asked]
        del self.asks[0]
        return [(self.pipe.socket.fileno(), select.POLLIN)]

    def report(self) -> None:
        reporter.report(
            *(cast(Pipe, self.pipe), cast(Client, self.client), "/stats", 4711),
            *(31.0, 41.0, 51.0),
        )


@pytest.fixture
def life(pipe: PlayedPipe, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Round:
    return Round(pipe, clock, monkeypatch)


def test_a_vpp_is_reported_in_the_order_in_which_it_is_needed(life: Round) -> None:
    life.asks = [(0.5, False)]
    life.report()
    assert life.connected == ["vpp-snmp-agent"]
    assert life.pipe.sent == [Connected(VPP), Threads(life.vpp.threads_of), Mapped()]
    assert life.vpp.wants_events
    assert life.watched == {life.pipe.socket: select.POLLIN, life.pipe.parent: select.POLLIN}


def test_a_vpp_that_has_nothing_to_report_is_pinged_every_two_seconds(life: Round) -> None:
    life.asks = [(7.0, False)]
    life.report()
    assert [moment for moment, _ in life.vpp.pinged] == [
        0.0,
        2.0,
        4.0,
        6.0,
    ]  # first, of the segment
    assert life.waits == [2000.0] * 4
    assert life.handover.asked == 1


def test_a_segment_that_was_unavailable_is_asked_for_at_each_ping_until_it_comes(
    life: Round,
) -> None:
    life.handover.pid = None
    life.asks = [(4.5, True), (9.0, False)]
    life.interfaces.ask_again = lambda: setattr(life.handover, "pid", 4711)  # type: ignore[method-assign]
    life.report()
    assert life.handover.asked == 4  # at 0, 2, 4 and, when it is there, at 6
    assert [each for each in life.pipe.sent if isinstance(each, Mapped)] == [Mapped()]


def test_what_is_due_is_asked_for_at_its_time_with_the_events_until_then(life: Round) -> None:
    life.interfaces._moments[:0] = [0.0, 0.5, 3.25]
    life.layer3._moments[:0] = [0.75, 3.25]
    life.asks = [(5.0, False)]
    life.report()
    assert [moment for moment, _ in life.interfaces.refreshed] == [0.0, 0.5, 3.25]
    assert [moment for moment, _ in life.layer3.refreshed] == [0.75, 3.25]
    assert life.waits == [500.0, 250.0, 1250.0, 1250.0, 750.0, 2000.0]
    assert life.interfaces.refreshed[-1][1] >= {1000, 1003}
    interfaces, layer3 = Complete(INTERFACES), Available(LCP_PAIRS)
    assert life.pipe.sent[3:] == [interfaces, interfaces, layer3, interfaces, layer3]


def test_a_parent_that_asks_has_relations_asked_for_again_and_one_that_is_gone_ends_it(
    life: Round,
) -> None:
    life.asks = [(0.25, True), (2.5, True), (3.0, False)]
    life.report()
    assert life.interfaces.asked_again == [0.25, 2.5]
    assert life.clock.now == 1003.0


# --- how it ends ----------------------------------------------------------------------------------


class Main:
    """What `main` makes of its arguments and of this process."""

    def __init__(self, pipe: PlayedPipe, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pipe = pipe
        self.done: list[object] = []
        self.raised: Exception | None = None
        self.has_hung_up = False
        for name, made in {
            "Pipe": self.make_pipe,
            "Client": self.make_client,
            "decode_any_text": lambda: self.done.append("any text"),
            "wait_for_vpp": self.wait_for_vpp,
            "report": self.report,
        }.items():
            monkeypatch.setattr(reporter, name, made)
        mine = SimpleNamespace(dup2=lambda *numbers: self.done.append(numbers))
        monkeypatch.setattr(reporter, "os", mine)  # pytest itself uses the real one
        monkeypatch.setattr(resource, "setrlimit", lambda *limit: self.done.append(limit))

    def make_pipe(self, descriptor: int) -> PlayedPipe:
        assert descriptor == 77
        return self.pipe

    def make_client(self, *paths: str, **listeners: Any) -> object:
        self.done.append(paths)
        assert listeners["received"] == self.pipe.send_alive
        listeners["waiting"](7.5)
        return SimpleNamespace(hung_up=lambda: self.has_hung_up)

    def wait_for_vpp(self, path: str, pipe: object) -> int:
        self.done.append(("waits", path))
        return 4711

    def report(self, *arguments: object) -> None:
        self.done.append(arguments[2:])
        assert self.pipe.sent == [Waiting(7.5), Connecting()]
        if self.raised:
            raise self.raised

    def run(self) -> list[Message]:
        """What it says at the end."""
        with pytest.raises(Ended):
            reporter.main(["77", "/api", "/stats", "/types", "30", "40", "50.5"])
        return self.pipe.sent[2:]


@pytest.fixture
def main(pipe: PlayedPipe, monkeypatch: pytest.MonkeyPatch) -> Main:
    return Main(pipe, monkeypatch)


def test_it_is_prepared_for_any_vpp_before_it_waits_for_one(main: Main) -> None:
    assert main.run() == [Gone()]
    limit = (reporter.MAX_MEMORY, reporter.MAX_MEMORY)
    assert main.done == [
        *((2, 1), "any text", (resource.RLIMIT_DATA, limit), ("/api", "/types")),
        *(("waits", "/api"), ("/stats", 4711, 30.0, 40.0, 50.5)),
    ]


@pytest.mark.parametrize(
    ("raised", "has_hung_up", "last"),
    [
        (ConnectionResetError("by peer"), False, Gone()),
        (ValueError("cut off"), True, Gone()),
        (VPPUnavailable("no API of a VPP"), False, Broken("no API of a VPP")),
        (UnusableAnswer(f"{LACP}: too long"), False, Broken(f"{LACP}: too long")),
        (ValueError("not a name"), False, Broken("ValueError: not a name")),
    ],
)
def test_its_last_word_is_whether_vpp_is_gone_or_why_it_could_not_go_on(
    main: Main, raised: Exception, has_hung_up: bool, last: Message
) -> None:
    main.raised, main.has_hung_up = raised, has_hung_up
    assert main.run() == [last]
