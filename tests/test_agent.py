"""agent.py without its sockets; with them it runs in test_system and test_restarts."""

import logging
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from vpp_snmp_agent import agent as room
from vpp_snmp_agent.runtime import affinity
from vpp_snmp_agent.settings.declarations import Settings
from vpp_snmp_agent.vpp import feed
from vpp_snmp_agent.vpp.records import Thread, Threads

from .agents import ETHERNET, Stage, started, two_interfaces
from .routers import VPP


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with two_interfaces(tmp_path) as made:
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


@pytest.fixture
def placed(monkeypatch: pytest.MonkeyPatch) -> list[frozenset[int]]:
    """The CPUs that the agent was moved to, on a machine with eight of them."""
    found: list[frozenset[int]] = []

    def move(cpus: frozenset[int], pids: tuple[int, ...]) -> str:
        assert os.getpid() in pids
        found.append(cpus)
        return "Invalid argument" if cpus == {6} else ""

    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setattr(affinity, "move", move)
    return found


def have_workers(stage: Stage, *cpus: int) -> None:
    main = Thread(0, "vpp_main", "", 4711, 0)
    workers = [Thread(n, f"vpp_wk_{n}", "workers", 4711 + n, cpu) for n, cpu in enumerate(cpus, 1)]
    stage.agent._follower.take(feed.Present(VPP))
    stage.agent._follower.take(Threads((main, *workers)))
    stage.agent._tick(time.monotonic())


def test_the_agent_leaves_the_cpus_of_vpps_workers_and_says_so_once(
    tmp_path: Path, placed: list[frozenset[int]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with started(tmp_path, vppcfg=None) as stage:
        stage.agent._tick(time.monotonic())
        assert placed == []
        have_workers(stage, 2, 3)
        have_workers(stage, 2, 3)
        assert placed == [{0, 1, 4, 5, 6, 7}]
        said = "the agent runs on CPU 0-1,4-7; VPP's workers are on 2-3"
        assert caplog.messages.count(said) == 1
        stage.agent._follower.take(feed.Away())  # it comes back to the same ones
        stage.agent._tick(time.monotonic())
        assert len(placed) == 1
        for setting, cpus in (("any", set(range(8))), ((5, 3), {3, 5})):
            stage.reload(cpus=setting)
            stage.agent._tick(time.monotonic())
            assert placed[-1] == cpus


def test_where_no_cpu_would_be_left_or_the_kernel_refuses_the_agent_stays(
    tmp_path: Path, placed: list[frozenset[int]], caplog: pytest.LogCaptureFixture
) -> None:
    with started(tmp_path, vppcfg=None) as stage:
        have_workers(stage, *range(8))
        assert placed == []
        assert "none that the agent may use is left: it runs on 0-7 as before" in caplog.text
        stage.reload(cpus=(6,))
        stage.agent._tick(time.monotonic())
        assert placed == [{6}]
        assert "cpus: not moved to 6: Invalid argument" in caplog.text
