"""An agent's cast, each of whom a test has say what it likes: snmpd, reporter, systemd, clock."""

import gc
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from vpp_snmp_agent import agent as room
from vpp_snmp_agent.runtime.loop import log
from vpp_snmp_agent.settings.declarations import Settings
from vpp_snmp_agent.vpp import feed
from vpp_snmp_agent.vpp.records import INTERFACES, Complete

from .agents import ETHERNET, LOOP, Stage
from .routers import VPP


class FakeMaster:
    """The connection to snmpd."""

    def __init__(self, settings: Settings, *others: object) -> None:
        self.settings, self.on_hold = settings, others[-1]
        self.due, self.serving, self.refused = float("inf"), False, ()
        self.state = "no snmpd"
        self.takes_notifications, self.is_closed = False, False
        self.checked: list[float] = []
        self.notified: list[str] = []
        self.shown: list[object] = []
        self.traced: list[int] = []
        self.show, self.trace = self.shown.append, self.traced.append

    def check(self, now: float) -> None:
        self.checked.append(now)
        self.due = float("inf") if now >= self.due else self.due

    def release(self) -> None:
        self.on_hold = False

    def close(self) -> None:
        self.is_closed = True

    def holds(self, subtree: str) -> bool:
        return True

    def notify(self, what: str, varbinds: object) -> None:
        self.notified.append(what)


class FakeFeed:
    """The reporter: `news` is what it has to say next."""

    def __init__(
        self,
        settings: feed.ReporterSettings,
        opened: Callable[[int], None],
        closing: Callable[[int], None],
    ) -> None:
        self.used, self.news = [settings], list[feed.News]()
        self.opened, self.closing = opened, closing
        self.checked: list[float] = []
        self.pids, self.is_closed, self.asked = (), False, 0

    def check(self, now: float) -> Iterator[feed.News]:
        self.checked.append(now)
        return self.receive(now)

    def receive(self, now: float) -> Iterator[feed.News]:
        while self.news:
            yield self.news.pop(0)

    def use(self, settings: feed.ReporterSettings, now: float) -> None:
        self.used.append(settings)

    def ask(self) -> None:
        self.asked += 1

    def close(self) -> None:
        self.is_closed = True


class FakeSupervisor:
    """systemd."""

    def __init__(self) -> None:
        self.watchdog_period: float | None = None
        self.words: list[str] = []

    def ready(self) -> None:
        self.words.append("ready")

    def status(self, text: str) -> None:
        self.words.append(text)

    def alive(self) -> None:
        self.words.append("alive")

    def stopping(self) -> None:
        self.words.append("stopping")

    def publish(self, name: str, text: str) -> None:
        self.words.append(f"{name} {text}")


START = 1e9  # by the clock of a run: later than any machine's own
MAX_TURNS = 2000  # of a run that does not end as it should


class Cast:
    """An agent among fakes, which runs by a clock that goes on by what the loop waits."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.before = descriptors()  # what was open
        self.masters: list[FakeMaster] = []
        self.now = START
        self.waits: list[float] = []
        self._happens: list[tuple[float, Callable[[], object]]] = []
        self._turns = 0

        def make_master(*arguments: object) -> FakeMaster:
            self.masters.append(FakeMaster(*arguments))  # type: ignore[arg-type]
            return self.masters[-1]

        monkeypatch.setattr(room, "Master", make_master)
        monkeypatch.setattr(room, "Supervisor", FakeSupervisor)
        monkeypatch.setattr(feed, "Feed", FakeFeed)
        monkeypatch.setattr(room, "time", SimpleNamespace(monotonic=lambda: self.now))
        self.stage = Stage(Settings(state_dir=str(directory / "state"), settle=0, vppcfg=None))
        self.agent = self.stage.agent
        reporter: object = self.agent._feed
        systemd: object = self.agent._supervisor
        assert isinstance(reporter, FakeFeed)
        assert isinstance(systemd, FakeSupervisor)
        self.feed, self.supervisor = reporter, systemd
        self._turn = self.agent._loop.turn

    @property
    def master(self) -> FakeMaster:
        """The one that serves."""
        return self.masters[-1]

    def report_two(self) -> None:
        """A VPP with two interfaces."""
        self.stage.agent._follower.take(feed.Present(VPP))
        self.stage.report(ETHERNET, LOOP)
        self.stage.agent._follower.take(Complete(INTERFACES))
        self.stage.rest()
        assert self.stage.names() == {1001: "eth0", 1003: "loop0"}

    def settle(self) -> None:
        """The same, and all that follows from it is done."""
        self.report_two()
        self.tick_at(-10.0)
        self.stage.rest()
        self.feed.checked.clear()

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return round(self.now - START, 3)

    def tick_at(self, *moments: float) -> None:
        """Ticks so many seconds after the start."""
        for moment in moments:
            self.now = START + moment
            self.agent._tick(self.now)

    def run(self, *happens: tuple[float, Callable[[], object]]) -> None:
        """Run; each of these happens so many seconds after the start, and then it is ended."""
        self.now = START
        self._happens = [(self.now + after, call) for after, call in happens]
        self.agent._loop.turn = self._go_on  # type: ignore[method-assign]
        self.agent.run()

    def _go_on(self, timeout: float) -> None:
        self.waits.append(timeout)
        self._turns += 1
        assert self._turns < MAX_TURNS, "it does not end"
        until = self.now + timeout
        if self._happens and self._happens[0][0] <= until:
            self.now, call = self._happens.pop(0)
            call()
        elif self._happens:
            self.now = until
        else:
            signal.raise_signal(signal.SIGTERM)
        self._turn(0)


SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def descriptors() -> set[tuple[int, str]]:
    """What this process has open."""
    found = set[tuple[int, str]]()
    for number in map(int, os.listdir("/proc/self/fd")):
        with suppress(OSError):  # of the listing itself
            found.add((number, os.readlink(f"/proc/self/fd/{number}")))
    return found


@contextmanager
def playing(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cast]:
    """A cast, and at the end everything of this process as it was."""
    handlers = [(number, signal.getsignal(number)) for number in SIGNALS]
    level = log.level
    made = Cast(directory, monkeypatch)
    made.stage.turn_until("what is known is restored", lambda: made.agent._serving.is_restored)
    yield made
    if made.waits:  # it ran, and closed all itself
        signal.set_wakeup_fd(-1)
        for number, handler in handlers:
            signal.signal(number, handler)
    else:
        made.stage.close()
    log.setLevel(level)
    gc.unfreeze()
    gc.enable()
