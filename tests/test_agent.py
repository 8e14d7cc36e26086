"""agent.py without its sockets; with them it runs in test_system and test_restarts."""

import gc
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from vpp_snmp_agent import __version__
from vpp_snmp_agent import agent as room
from vpp_snmp_agent.describing import SETTINGS_TIMEOUT
from vpp_snmp_agent.runtime import affinity
from vpp_snmp_agent.runtime.loop import log
from vpp_snmp_agent.settings.declarations import Settings, TCPAddress
from vpp_snmp_agent.settings.document import BadSettings
from vpp_snmp_agent.vpp import feed
from vpp_snmp_agent.vpp.records import INTERFACES, Changes, Complete, Thread, Threads

from .agents import ETHERNET, Stage, started, two_interfaces
from .cast import START, Cast, descriptors, playing
from .routers import VPP, port


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with two_interfaces(tmp_path) as made:
        yield made


@pytest.fixture
def cast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cast]:
    with playing(tmp_path, monkeypatch) as made:
        yield made


def test_a_link_that_changed_just_before_other_rows_are_shown_is_notified(stage: Stage) -> None:
    stage.report(replace(ETHERNET, link_up=False))
    stage.reload(alias="name")
    stage.rest()
    agent = stage.agent
    due = agent._notifier.links.due(agent._serving.shown.publisher.rows, 1.0)
    assert [row.facts.name for row in due] == ["eth0"]


def test_a_reporter_whose_settings_change_is_not_waited_for(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed.Feed, "close", None)
    before = stage.agent._feed
    stage.reload(period=45.0)
    assert stage.agent._feed is before
    assert before._settings.period == 45.0


def test_snmpd_is_not_served_before_all_that_is_known_is_restored(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[float] = []
    agent = stage.agent
    monkeypatch.setattr(agent._master, "check", checked.append)
    monkeypatch.setattr(agent._feed, "check", lambda now: iter(()))
    agent._serving._restoring = agent._serving._restore()
    agent._tick(1.0)
    assert checked == []
    stage.turn_until("all is restored", lambda: agent._serving._restoring is None)
    assert len(checked) == 1
    stage.report(port(5, "eth5"))
    stage.rest()
    assert len(checked) == 1  # a tick does the rest


def test_whether_it_is_at_rest_may_be_asked_twice(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = stage.agent
    monkeypatch.setattr(type(agent._follower), "is_following", True)
    monkeypatch.setattr(type(agent._master), "serving", True)
    monkeypatch.setattr(type(agent._serving), "is_saving", False)
    agent._was_active = True
    assert [agent._is_at_rest, agent._is_at_rest] == [False, False]
    agent._was_active = False
    assert [agent._is_at_rest, agent._is_at_rest] == [True, True]


# --- what is said of snmpd ------------------------------------------------------------------------


def test_the_status_says_what_snmpd_refuses(tmp_path: Path) -> None:
    with started(tmp_path, "eth0", vppcfg=None) as stage:
        stage.rest()
        master = stage.agent._master
        assert stage.agent._status().endswith("; no snmpd")
        master._is_registered, master._registrations = True, 38
        master.refused = ("subtree 1.3.6.1.2.1.2.2", "subtree 1.3.6.1.2.1.2.1", "subtree 1.2.840")
        refuses = "snmpd refuses 3 of 38 registrations: subtree 1.3.6.1.2.1.2.2 and 2 more"
        assert stage.agent._status().endswith(f"; {refuses}")
        answer = stage.agent._control_status()
        assert answer == [stage.agent._status(), False, master.refused]
        master._is_registered, master.refused = False, ()


@pytest.mark.parametrize(
    ("mibs", "asked"), [(("IF-MIB", "IP-MIB"), (71, 83)), (("IF-MIB",), (0, 0))]
)
def test_what_stops_vpps_workers_is_asked_for_ip_mib_alone(
    mibs: tuple[str, ...], asked: tuple[float, float]
) -> None:
    reporter = room._reporter_settings(Settings(mibs=mibs, addresses=71, neighbors=83))
    assert (reporter.addresses, reporter.neighbors) == asked


# --- VPP's cores ----------------------------------------------------------------------------------


def have_workers(stage: Stage, *cpus: int) -> None:
    main = Thread(0, "vpp_main", "", 4711, 0)
    workers = [Thread(n, f"vpp_wk_{n}", "workers", 4711 + n, cpu) for n, cpu in enumerate(cpus, 1)]
    stage.agent._follower.take(feed.Present(VPP))
    stage.agent._follower.take(Threads((main, *workers)))
    stage.agent._tick(time.monotonic())


def test_the_agent_and_its_reporter_follow_the_setting_and_vpps_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed: list[frozenset[int]] = []

    def move(cpus: frozenset[int], pids: tuple[int, ...]) -> str:
        assert pids == (os.getpid(), 4715)
        placed.append(cpus)
        return ""

    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setattr(affinity, "move", move)
    monkeypatch.setattr(feed.Feed, "pids", (4715,))
    with started(tmp_path, vppcfg=None) as stage:
        stage.agent._tick(time.monotonic())
        assert placed == []
        have_workers(stage, 2, 3)
        assert placed == [{0, 1, 4, 5, 6, 7}]
        stage.agent._follower.take(feed.Away())  # it comes back to the same ones
        stage.agent._tick(time.monotonic())
        assert len(placed) == 1
        for setting, cpus in (("any", set(range(8))), ((5, 3), {3, 5})):
            stage.reload(cpus=setting)
            stage.agent._tick(time.monotonic())
            assert placed[-1] == cpus


# --- how it starts and ends -----------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_a_signal_ends_it_and_says_goodbye_to_all(
    cast: Cast, number: signal.Signals, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    cast.report_two()
    cast.run((0.6, lambda: signal.raise_signal(number)), (30.0, lambda: pytest.fail("goes on")))
    words = cast.supervisor.words
    assert (words[1], words[-1]) == ("ready", "stopping")
    assert (cast.master.is_closed, cast.feed.is_closed) == (True, True)
    assert caplog.messages[-1] == "vpp-snmp-agent ends"
    assert signal.set_wakeup_fd(-1) == -1
    assert descriptors() <= cast.before


def test_a_start_is_one_line_with_the_version(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with started(tmp_path, vppcfg=None):
        assert caplog.messages[0] == f"vpp-snmp-agent {__version__} starts"


def test_what_it_served_is_saved_when_it_ends(cast: Cast, tmp_path: Path) -> None:
    cast.report_two()
    cast.run()
    again = Stage(cast.stage.settings)
    again.rest()
    assert again.names() == {1001: "eth0", 1003: "loop0"}
    again.close()


def test_python_collects_no_garbage_by_itself_and_none_of_what_was_made_before(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "collect_young", lambda slices: None)
    gc.unfreeze()
    found: list[bool] = []
    cast.run((0.1, lambda: found.extend((gc.isenabled(), gc.get_freeze_count() > 10_000))))
    assert found == [False, True]


def test_a_storm_of_signals_is_no_noise(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    noise: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", noise.append)

    def storm() -> None:
        for _ in range(3000):  # more than the socket takes
            signal.raise_signal(signal.SIGHUP)

    monkeypatch.setattr(cast.agent, "_read_again", lambda: None)
    cast.run((0.1, storm), (90.0, lambda: None))
    assert noise == []


def test_it_starts_with_a_vppcfg_where_no_state_is_kept(tmp_path: Path) -> None:
    vppcfg = tmp_path / "vppcfg.yaml"
    vppcfg.write_text("interfaces:\n  eth0:\n    description: 'Core: k'\n")
    with started(tmp_path, "eth0", ifindex="stateless") as stage:
        stage.turn_until(
            "it is read",
            lambda: stage.agent._reader.descriptions.by_name == {"eth0": "Core: k"},
        )


# --- settings that are read again -----------------------------------------------------------------


def hang_up(cast: Cast, **settings: object) -> Callable[[], None]:
    def send() -> None:
        cast.stage.settings = replace(cast.stage.settings, **settings)  # type: ignore[arg-type]
        signal.raise_signal(signal.SIGHUP)

    return send


def test_sighup_has_the_settings_read_again_while_it_serves_on(cast: Cast) -> None:
    cast.report_two()
    shown: list[dict[int, str]] = []
    cast.run(
        (0.1, hang_up(cast, hide=("loop*",), debug=2, period=45.0)),
        (9.0, lambda: shown.append(cast.stage.names())),
    )
    assert shown == [{1001: "eth0"}]
    assert log.level == logging.DEBUG
    assert cast.master.traced == [2]
    assert [each.period for each in cast.feed.used] == [Settings().period, 45.0]
    assert len(cast.masters) == 1  # other rows of the same tables: snmpd notices nothing
    assert len(cast.master.shown) == 1


def test_another_address_of_snmpd_is_another_connection_that_holds_no_question_back(
    cast: Cast,
) -> None:
    cast.report_two()
    first = cast.master
    assert not first.on_hold
    elsewhere = TCPAddress("192.0.2.7", 705)
    cast.stage.reload(address=elsewhere)
    assert first.is_closed
    assert cast.master is not first
    assert (cast.master.on_hold, cast.master.settings.address) == (False, elsewhere)
    assert not cast.master.is_closed


def test_other_mibs_are_another_connection(cast: Cast) -> None:
    cast.report_two()
    first = cast.master
    cast.stage.reload(mibs=("IF-MIB",))
    cast.stage.turn_until("that is registered", lambda: cast.master is not first)
    assert (first.is_closed, cast.master.on_hold, cast.master.is_closed) == (True, False, False)


def test_settings_that_cannot_be_read_leave_all_as_it_was(
    cast: Cast, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> Settings:
        raise BadSettings("agent.yaml, line 7: no such key: hidden")

    cast.report_two()
    cast.agent._reload = fail
    cast.agent._read_again()
    cast.stage.rest()
    said = "agent.yaml, line 7: no such key: hidden; the settings stay as they were"
    assert said in caplog.messages
    assert cast.agent._settings is cast.stage.settings
    assert cast.stage.names() == {1001: "eth0", 1003: "loop0"}
    assert len(cast.masters) == 1
    caplog.set_level(logging.INFO)
    cast.agent._reload = lambda: cast.stage.settings
    for _ in range(2):
        cast.agent._read_again()
    assert caplog.messages.count("the settings are read again") == 1


def test_other_settings_wait_two_seconds_and_no_longer_for_the_vppcfg(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    cast.report_two()
    monkeypatch.setattr(cast.agent._reader, "read_on_request", lambda path: None)
    cast.stage.reload(hide=("loop*",))
    cast.tick_at(SETTINGS_TIMEOUT - 0.125)
    cast.stage.rest()
    assert cast.stage.names() == {1001: "eth0", 1003: "loop0"}
    cast.tick_at(SETTINGS_TIMEOUT)
    cast.stage.rest()
    assert cast.stage.names() == {1001: "eth0"}


# --- what a tick does, and when it comes ----------------------------------------------------------


def ticks(cast: Cast) -> list[float]:
    return [round(moment - START, 3) for moment in cast.feed.checked]


def test_it_ticks_four_times_a_second_until_nothing_changes_and_at_rest_once(cast: Cast) -> None:
    cast.settle()
    cast.master.serving = True

    def bring_news() -> None:
        cast.feed.news = [Changes((replace(ETHERNET, link_up=False),))]
        cast.agent._feed_ready(1)

    cast.run((2.6, bring_news), (9.0, lambda: None))
    at_first, later = ticks(cast)[:4], ticks(cast)[4:]
    assert at_first == [0.0, 0.25, 1.25, 2.25]
    assert later[:4] == [2.85, 3.1, 4.1, 5.1]
    assert max(cast.waits) == 1.0


def test_work_that_comes_at_rest_is_followed_by_a_tick(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    cast.settle()
    cast.master.serving = True
    left = list[bool]()
    serving = cast.agent._serving
    monkeypatch.setattr(type(serving), "has_work", property(lambda _: bool(left)))
    monkeypatch.setattr(serving, "work", left.pop)
    cast.run((2.6, lambda: left.append(False)), (4.0, lambda: None))
    assert ticks(cast)[:5] == [0.0, 0.25, 1.25, 2.25, 2.85]


def test_what_changes_nothing_in_rows_is_followed_by_a_tick_too(cast: Cast) -> None:
    cast.settle()
    cast.master.serving = True

    def bring_news() -> None:
        cast.feed.news = [feed.Answering()]
        cast.agent._feed_ready(1)

    cast.run((2.7, bring_news), (4.0, lambda: None))
    assert ticks(cast)[:5] == [0.0, 0.25, 1.25, 2.25, 2.95]


def test_settings_that_are_read_again_are_followed_by_a_tick(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    cast.settle()
    cast.master.serving = True
    monkeypatch.setattr(cast.agent._reader, "read_on_request", lambda path: None)
    cast.run((2.8, hang_up(cast, period=85.0)), (4.0, lambda: None))
    assert ticks(cast)[:5] == [0.0, 0.25, 1.25, 2.25, 3.05]


def test_without_snmpd_or_vpp_it_does_not_rest(cast: Cast) -> None:
    cast.run((1.4, lambda: None))
    assert ticks(cast) == [0.0, 0.25, 0.5, 0.75, 1.0, 1.25]


def test_snmpds_connection_is_checked_when_it_is_due(cast: Cast) -> None:
    cast.settle()
    cast.master.serving, cast.master.due = True, START + 0.7
    cast.run((2.0, lambda: None))
    assert ticks(cast) == [0.0, 0.25, 0.7, 1.7]


def test_while_there_is_work_it_polls_and_does_not_wait(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [False, True, True]
    serving = cast.agent._serving
    monkeypatch.setattr(type(serving), "has_work", property(lambda _: bool(left)))
    monkeypatch.setattr(serving, "work", left.pop)
    cast.run((0.2, lambda: None))
    assert cast.waits[:3] == [0, 0, 0.25]


def test_systemds_watchdog_is_fed_in_its_time_and_only_if_there_is_one(cast: Cast) -> None:
    cast.tick_at(0.0)
    cast.supervisor.watchdog_period = 1.5
    fed: list[float] = []
    for moment in (0.25, 1.0, 1.75, 3.0, 3.25, 4.0):
        cast.supervisor.words.clear()
        cast.tick_at(moment)
        fed += [moment] * cast.supervisor.words.count("alive")
    assert fed == [0.25, 1.75, 3.25]
    cast.supervisor.watchdog_period = None
    cast.supervisor.words.clear()
    cast.tick_at(10.0)
    assert "alive" not in cast.supervisor.words


def test_a_status_is_sent_when_it_changes_and_not_again(cast: Cast) -> None:
    cast.report_two()
    cast.supervisor.words.clear()
    cast.tick_at(1.0, 1.25)
    cast.master.state = "serving snmpd"
    cast.tick_at(1.5, 1.75)
    cast.feed.news = [feed.Away()]
    cast.tick_at(2.0, 2.25)
    assert cast.supervisor.words == [
        "2 interfaces; VPP 26.06-release answers; no snmpd",
        "2 interfaces; VPP 26.06-release answers; serving snmpd",
        "2 interfaces; VPP is away; serving snmpd",
    ]


def test_a_lost_vpp_leaves_its_rows_which_are_down_and_notified(cast: Cast) -> None:
    cast.report_two()
    cast.tick_at(3.0)
    cast.master.takes_notifications = True
    cast.feed.news = [feed.Away()]
    cast.tick_at(4.0)
    cast.stage.rest()
    assert cast.stage.names() == {1001: "eth0", 1003: "loop0"}
    cast.tick_at(5.0)
    assert "notification linkDown" in cast.master.notified


def test_news_are_taken_as_they_come(cast: Cast) -> None:
    cast.report_two()
    ours, theirs = socket.socketpair()
    cast.feed.opened(ours.fileno())
    cast.feed.news = [Changes((port(9, "eth9"),))]
    with ours, theirs:
        theirs.send(b"7")
        cast.stage.turn_until("it shows", lambda: 1009 in cast.stage.names())
        cast.feed.closing(ours.fileno())


def test_a_bond_that_changes_has_vpp_asked(cast: Cast) -> None:
    cast.agent._follower._ask()
    assert cast.feed.asked == 1


def test_each_tick_polls_the_rows_and_saves_them(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    polled, saved, read = list[float](), list[float](), list[float]()
    agent = cast.agent
    monkeypatch.setattr(agent._serving.shown.publisher, "poll", lambda: polled.append(cast.elapsed))
    monkeypatch.setattr(agent._serving, "save", lambda _: saved.append(cast.elapsed))
    monkeypatch.setattr(agent._reader, "check", lambda _: read.append(cast.elapsed))
    cast.tick_at(11.0, 11.25)
    assert polled == saved == read == [11.0, 11.25]


def test_garbage_is_collected_and_counters_are_tried_again_once_a_second(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    slices, tried = list[int](), list[float]()
    publisher = cast.agent._serving.shown.publisher
    monkeypatch.setattr(room, "collect_young", slices.append)
    monkeypatch.setattr(publisher, "retry_counters", lambda: tried.append(cast.elapsed))
    work, done = cast.agent._serving.work, list[bool]()

    def note_slice() -> bool:
        done.append(work())
        return done[-1]

    monkeypatch.setattr(cast.agent._serving, "work", note_slice)
    cast.agent._slices = 0
    cast.report_two()
    assert done
    cast.tick_at(21.0, 21.75, 22.0, 22.5)
    assert slices == [len(done), 0]
    assert tried == [21.0, 22.0]


def test_how_many_interfaces_are_served_is_logged_once_a_minute_at_most(
    cast: Cast, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    cast.tick_at(31.0)
    cast.report_two()
    cast.tick_at(31.25)  # it settles
    cast.stage.rest()
    cast.tick_at(32.0)
    cast.stage.report(port(9, "eth9"))
    cast.tick_at(32.25)  # it is not made yet
    cast.stage.rest()
    cast.tick_at(91.9)
    counts = [each for each in caplog.messages if "are served" in each]
    assert counts == ["2 interfaces are served"]
    cast.tick_at(92.0)
    counts = [each for each in caplog.messages if "are served" in each]
    assert counts == ["2 interfaces are served", "3 interfaces are served"]


def test_a_name_that_another_interface_has_is_one_warning(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    publisher = cast.agent._serving.shown.publisher
    monkeypatch.setattr(type(publisher), "clashes", {"loop0": "core"})
    cast.tick_at(41.0, 41.25)
    said = "loop0 keeps its name: another interface is called core"
    assert caplog.messages.count(said) == 1


# --- until when questions are held back -----------------------------------------------------------


def test_questions_are_held_back_until_vpp_has_reported_all(cast: Cast) -> None:
    cast.stage.turn()
    assert cast.master.on_hold
    cast.agent._follower.take(feed.Present(VPP))
    cast.stage.report(ETHERNET)
    cast.stage.rest()
    assert cast.master.on_hold
    cast.agent._follower.take(Complete(INTERFACES))
    cast.stage.rest()
    assert not cast.master.on_hold


@pytest.mark.parametrize("news", [feed.Away(), feed.Failed("no API of this release")])
def test_questions_are_not_held_back_where_vpp_reports_nothing(cast: Cast, news: feed.News) -> None:
    cast.agent._follower.take(news)
    cast.stage.rest()
    cast.stage.turn()
    assert not cast.master.on_hold
