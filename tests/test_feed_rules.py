"""vpp/feed.py, whose reporters the test plays: what each message means, and what is due when."""

import os
import signal
import socket
from collections.abc import Iterator
from dataclasses import replace
from errno import EAGAIN, ENOENT
from pathlib import Path

import pytest

from vpp_snmp_agent.vpp import feed
from vpp_snmp_agent.vpp.records import (
    ASK,
    INTERFACES,
    Alive,
    Broken,
    Complete,
    Connected,
    Connecting,
    Gone,
    Mapped,
    Message,
    Unmapped,
    Unreachable,
    Unread,
    Waiting,
    pack,
)

from .routers import VPP

START = "vpp_snmp_agent.runtime.children.start"
NOBODY = Unreachable("/api", ENOENT)
FULL = Unreachable("/api", EAGAIN)


class PlayedReporter:
    """A reporter's process, and its end of the pipe."""

    def __init__(self, pid: int, descriptor: int, arguments: tuple[str, ...]) -> None:
        self.pid, self.arguments = pid, arguments
        self.pipe = socket.socket(fileno=os.dup(descriptor))
        self.is_killed = self.has_ended = False
        self.waited: list[float] = []

    def kill(self) -> None:
        self.is_killed = True

    def poll(self) -> int | None:
        return -signal.SIGKILL if self.has_ended else None

    def wait(self, seconds: float) -> None:
        self.waited.append(seconds)


class PlayedFeed:
    """A feed whose reporters are played, and `now`, which is what the loop's clock shows."""

    def __init__(self, api_socket: Path) -> None:
        api_socket.touch()
        self.api_socket = api_socket
        self.settings = feed.ReporterSettings(str(api_socket), "/stats", "/types", 30, 40, 50)
        self.opened, self.closed = list[int](), list[int]()
        self.feed = feed.Feed(self.settings, self.opened.append, self.note_closing)
        self.reporters: list[PlayedReporter] = []
        self.now = 1000.0

    def note_closing(self, descriptor: int) -> None:
        os.fstat(descriptor)  # which is to be open still
        self.closed.append(descriptor)

    def start(self, module: str, descriptor: int, *arguments: str) -> PlayedReporter:
        assert module == "vpp_snmp_agent.vpp.reporter"
        self.reporters.append(PlayedReporter(7001 + len(self.reporters), descriptor, arguments))
        return self.reporters[-1]

    @property
    def reporter(self) -> PlayedReporter:
        """The newest one."""
        return self.reporters[-1]

    def check(self, now: float | None = None) -> list[feed.News]:
        """Have what is due done, at this time from now on."""
        self.now = self.now if now is None else now
        return list(self.feed.check(self.now))

    def send(self, *messages: Message) -> list[feed.News]:
        """What the feed makes of these messages."""
        came: list[feed.News] = []
        for each in messages:
            self.reporter.pipe.send(pack(each))
            came += self.feed.receive(self.now)
        return came

    def start_anew(self) -> PlayedReporter:
        """The next reporter is due at once, and starts."""
        count = len(self.reporters)
        assert self.check() == []
        assert len(self.reporters) == count + 1
        return self.reporter

    def check_each_second(self, end: float) -> list[feed.News]:
        """Until that time."""
        came: list[feed.News] = []
        while self.now < end:
            came += self.check(self.now + 1.0)
        return came

    def replace_socket(self) -> None:
        """Another VPP listens in the place of the one before."""
        other = self.api_socket.with_suffix(".other")
        other.touch()
        other.rename(self.api_socket)

    def hang(self) -> None:
        """A VPP is connected, and news is that it hangs, since the 11 s before now."""
        assert self.send(Connecting(), Connected(VPP)) == [feed.Present(VPP)]
        assert self.send(Waiting(11.0)) == [feed.Hung(self.now - 11.0)]


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlayedFeed]:
    """With a first reporter, from which nothing came yet."""
    made = PlayedFeed(tmp_path / "api.sock")
    monkeypatch.setattr(START, made.start)
    made.start_anew()
    yield made
    made.feed.close()
    for each in made.reporters:
        each.pipe.close()


# --- a reporter starts and ends -------------------------------------------------------------------


def test_the_first_reporter_starts_at_the_first_check_whatever_the_clock_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    played = PlayedFeed(tmp_path / "api.sock")
    monkeypatch.setattr(START, played.start)
    assert (played.feed.fileno(), played.feed.pids) == (-1, ())
    played.feed.ask()  # whom there is nobody to ask
    assert played.check(0.0) == []
    assert played.feed.pids == (7001,)
    assert played.reporter.arguments == (
        *(str(played.api_socket), "/stats", "/types"),
        *("30", "40", "50"),
    )
    assert played.opened == [played.feed.fileno()]
    assert not os.get_blocking(played.feed.fileno())
    assert list(played.feed.receive(0.0)) == []
    played.feed.close()
    played.reporter.pipe.close()


def test_a_reporter_that_ends_is_killed_its_pipe_is_closed_and_the_next_one_starts_at_once(
    played: PlayedFeed,
) -> None:
    first, descriptor = played.reporter, played.feed.fileno()
    assert played.send(Gone()) == [feed.Away()]
    assert first.is_killed
    assert played.closed == [descriptor]
    assert (played.feed.fileno(), played.feed.pids) == (-1, ())
    assert first.pipe.recv(8) == b""
    played.start_anew()
    assert played.feed.pids == (7002,)


def test_one_that_was_not_read_is_followed_at_once_by_another_and_that_is_no_news(
    played: PlayedFeed,
) -> None:
    assert played.send(Connecting(), Unread()) == []
    played.start_anew()


def test_after_failures_the_next_one_waits_twice_as_long_each_time_until_all_is_reported(
    played: PlayedFeed,
) -> None:
    def pauses(count: int) -> Iterator[float]:
        """After each of so many failures."""
        for number in range(count):
            failed_at, started = played.now, len(played.reporters)
            assert played.send(Broken(f"reason {number}")) == [feed.Failed(f"reason {number}")]
            while len(played.reporters) == started and played.now < failed_at + 99.0:
                assert played.check(played.now + 0.125) == []
            yield played.now - failed_at

    assert list(pauses(8)) == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert played.send(Complete(INTERFACES)) == [Complete(INTERFACES)]
    assert list(pauses(2)) == [0.5, 1.0]
    assert played.check() == []
    played.feed.use(replace(played.settings, period=31), played.now)
    played.start_anew()
    assert list(pauses(1)) == [0.5]


@pytest.mark.parametrize("is_asked", [False, True])
def test_a_pipe_that_is_closed_is_a_failure_also_where_a_question_is_left_unread(
    played: PlayedFeed, is_asked: bool
) -> None:
    played.send(Connecting())
    if is_asked:
        played.feed.ask()  # then the kernel says that the connection was reset
    played.reporter.pipe.close()
    failed = feed.Failed("the process that asks VPP ended unexpectedly")
    assert list(played.feed.receive(played.now)) == [failed]
    assert played.reporter.is_killed


def test_other_settings_are_another_reporter_and_the_same_ones_are_not(played: PlayedFeed) -> None:
    played.feed.use(replace(played.settings), played.now)
    assert not played.reporter.is_killed
    played.hang()
    played.feed.use(replace(played.settings, addresses=61), played.now)
    assert played.reporter.is_killed
    assert played.start_anew().arguments[-2:] == ("61", "50")
    assert played.send(Connecting(), Connected(VPP)) == [feed.Present(VPP)]  # nobody was silent


def test_whom_nothing_is_asked_of_gets_no_question_before_it_connects(played: PlayedFeed) -> None:
    played.reporter.pipe.setblocking(False)
    played.feed.ask()
    with pytest.raises(BlockingIOError):
        played.reporter.pipe.recv(8)
    played.send(Connecting())
    played.feed.ask()
    assert played.reporter.pipe.recv(8) == ASK
    played.send(Gone())
    played.start_anew().pipe.setblocking(False)
    played.feed.ask()
    with pytest.raises(BlockingIOError):
        played.reporter.pipe.recv(8)


def test_a_close_waits_for_those_that_did_not_end_yet_and_for_no_other(played: PlayedFeed) -> None:
    for _ in range(2):
        played.send(Gone())
        played.start_anew()
    played.reporters[0].has_ended = True
    played.check()
    played.check()
    last = played.feed.fileno()
    played.feed.close()
    assert [each.waited for each in played.reporters] == [[], [1.0], [1.0]]
    assert played.reporter.is_killed
    assert played.closed[-1] == last


def test_a_segment_comes_as_its_descriptor_or_as_why_it_does_not(played: PlayedFeed) -> None:
    descriptor = os.open("/dev/null", os.O_RDONLY)
    socket.send_fds(played.reporter.pipe, [pack(Mapped())], [descriptor])
    (came,) = played.feed.receive(played.now)
    assert isinstance(came, feed.SegmentReceived)
    assert os.path.sameopenfile(came.descriptor, descriptor)
    os.close(came.descriptor)
    os.close(descriptor)
    missing = feed.SegmentMissing("no such file", ENOENT)
    assert played.send(Unmapped("no such file", ENOENT)) == [missing]


# --- VPP's silence --------------------------------------------------------------------------------


def test_a_vpp_hangs_after_the_whole_silence_and_not_before_and_once(played: PlayedFeed) -> None:
    assert played.send(Connecting(), Connected(VPP)) == [feed.Present(VPP)]
    assert played.send(Waiting(1.0)) == []
    played.now += feed.SILENCE_TIMEOUT - 1.25
    assert played.send(Waiting(feed.SILENCE_TIMEOUT - 0.25)) == []
    played.now += 0.25
    assert played.send(Waiting(feed.SILENCE_TIMEOUT)) == [feed.Hung(999.0)]
    assert played.send(Waiting(feed.SILENCE_TIMEOUT + 1.0)) == []


def test_whatever_vpp_sends_ends_its_silence_but_what_reaches_it_not_yet_does_not(
    played: PlayedFeed,
) -> None:
    assert played.send(Alive()) == []  # nobody was silent
    played.hang()
    assert played.send(FULL, Connecting(), Unread()) == []
    played.start_anew()
    assert played.send(Connecting(), Waiting(2.0)) == []
    assert played.send(Alive()) == [feed.Answering()]
    assert played.send(Alive()) == []


@pytest.mark.parametrize(
    ("last", "news"), [(Gone(), feed.Away()), (Broken("odd"), feed.Failed("odd"))]
)
def test_a_hung_vpp_that_ends_does_not_answer(
    played: PlayedFeed, last: Message, news: feed.News
) -> None:
    played.hang()
    assert played.send(last) == [news]
    played.check(played.now + 1.0)
    assert played.send(Connecting(), Connected(VPP)) == [feed.Present(VPP)]


def test_a_hung_vpp_whose_reporter_ends_was_not_silent_over_the_next_one(
    played: PlayedFeed,
) -> None:
    played.hang()
    played.reporter.pipe.close()
    assert [type(each) for each in played.feed.receive(played.now)] == [feed.Failed]
    played.check(played.now + 1.0)
    assert played.send(Connecting(), Connected(VPP)) == [feed.Present(VPP)]


def test_where_nobody_listens_any_more_nobody_is_silent(played: PlayedFeed) -> None:
    assert played.send(FULL, Waiting(11.0)) == [feed.Hung(989.0)]
    assert played.send(NOBODY) == [feed.Away(ENOENT)]
    assert played.send(Connecting(), Connected(VPP)) == [feed.Present(VPP)]


def test_a_silence_goes_on_over_another_connection(played: PlayedFeed) -> None:
    assert played.send(Connecting(), Connected(VPP), Waiting(4.0)) == [feed.Present(VPP)]
    played.send(Unread())
    played.start_anew()
    played.now += 20.0
    assert played.send(Connecting(), Waiting(12.0)) == [feed.Hung(996.0)]


def test_that_one_vpp_hangs_is_news_again_once_the_interval_is_over(played: PlayedFeed) -> None:
    played.hang()
    assert played.send(Alive()) == [feed.Answering()]
    played.now = 1000.0 + feed.HUNG_INTERVAL - 0.25
    assert played.send(Waiting(13.0), Alive()) == []
    played.now = 1000.0 + feed.HUNG_INTERVAL
    assert played.send(Waiting(14.0)) == [feed.Hung(played.now - 14.0)]


def test_that_another_vpp_hangs_is_news_at_once(played: PlayedFeed) -> None:
    """Of one VPP it is at most once in an interval."""
    other = replace(VPP, vpe_pid=4733)
    played.hang()
    assert played.send(Alive()) == [feed.Answering()]
    played.now += 20.0
    assert played.send(Connected(VPP), Waiting(11.0), Alive()) == [feed.Present(VPP)]
    played.now += 2.0
    assert played.send(Connected(other), Waiting(12.0)) == [
        feed.Present(other),
        feed.Hung(played.now - 12.0),
    ]


def test_a_vpp_that_takes_a_hung_ones_place_is_seen_by_its_socket(played: PlayedFeed) -> None:
    played.send(Connecting(), Connected(VPP))
    played.send(Waiting(feed.SILENCE_TIMEOUT))
    hung = played.reporter
    assert played.check() == []
    assert not hung.is_killed
    played.replace_socket()
    assert played.check() == [feed.Away()]
    assert hung.is_killed
    played.start_anew()
    assert played.send(Connecting(), Connected(VPP)) == [feed.Present(VPP)]


@pytest.mark.parametrize("before", [(), (Waiting(0.5), Alive()), (Waiting(0.5), Gone())])
def test_one_that_is_not_silent_keeps_its_connection_whatever_becomes_of_its_socket(
    played: PlayedFeed, before: tuple[Message, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "SILENCE_TIMEOUT", 1.0)
    played.send(Connecting(), *before)
    if not played.feed.pids:
        played.start_anew()
        played.send(Connecting())
    played.replace_socket()
    assert played.check() == []
    assert not played.reporter.is_killed


def test_a_connection_over_which_nothing_comes_is_given_up_after_a_minute(
    played: PlayedFeed,
) -> None:
    played.send(Connecting())
    first = played.reporter
    assert played.check_each_second(1000.0 + feed.RECONNECT_TIMEOUT) == []
    assert not first.is_killed
    assert played.check_each_second(1001.0 + feed.RECONNECT_TIMEOUT) == []
    assert first.is_killed
    played.start_anew()


def test_a_vpp_that_stays_silent_is_given_up_although_its_reporter_says_so(
    played: PlayedFeed,
) -> None:
    played.hang()
    played.send(Waiting(feed.RECONNECT_TIMEOUT))
    played.check()
    assert not played.reporter.is_killed
    played.send(Waiting(feed.RECONNECT_TIMEOUT + 0.25))
    played.check()
    assert played.reporter.is_killed


def test_a_reporter_that_reaches_nobody_is_not_given_up(played: PlayedFeed) -> None:
    assert played.check_each_second(1900.0) == []
    assert not played.reporter.is_killed


def test_time_in_which_this_process_did_not_run_is_no_silence(played: PlayedFeed) -> None:
    played.send(Connecting())
    played.check()
    played.check(2000.0)
    played.check_each_second(2060.0)
    assert not played.reporter.is_killed
    played.check_each_second(2061.0)
    assert played.reporter.is_killed


def test_checks_as_far_apart_as_they_may_be_are_a_process_that_ran(played: PlayedFeed) -> None:
    played.send(Connecting())
    for _ in range(20):
        played.check(played.now + feed.MAX_CHECK_INTERVAL)
    assert not played.reporter.is_killed
    played.check(played.now + feed.MAX_CHECK_INTERVAL)
    assert played.reporter.is_killed
