"""agent.py without its sockets; with them it runs in test_system and test_restarts."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from vpp_snmp_agent.vpp import feed

from .agents import ETHERNET, Stage, two_interfaces


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with two_interfaces(tmp_path) as made:
        yield made


def test_a_link_that_changed_just_before_other_rows_are_shown_is_notified(stage: Stage) -> None:
    stage.report(replace(ETHERNET, link_up=False))
    stage.reload(alias="name")
    stage.rest()
    agent = stage.agent
    due = agent._links.due(agent._serving.shown.publisher.rows, 1.0)
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
