"""serving.py: other settings make other rows, whatever comes in between."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from vpp_snmp_agent import control
from vpp_snmp_agent.interfaces.state import State

from .agents import Stage, two_interfaces
from .routers import port


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with two_interfaces(tmp_path) as made:
        yield made


def shown(directory: Path) -> dict[str, bool]:
    """What a state that nobody owns says of its names."""
    state = State.open(str(directory))
    try:
        return {each.key: each.shown for each in state.ports()}
    finally:
        state.close()


@pytest.mark.parametrize("last", ["c", "stateless"])
def test_a_state_that_is_not_wanted_any_more_once_it_is_open_is_closed_again(
    stage: Stage, tmp_path: Path, last: str
) -> None:
    stage.reload(state_dir=str(tmp_path / "b"))
    assert stage.agent._serving._is_opening
    if last == "stateless":
        stage.reload(ifindex="stateless")
    else:
        stage.reload(state_dir=str(tmp_path / last))
    stage.rest()
    served = stage.agent._serving.shown
    assert served.settings == stage.settings
    assert (served.state is None) == (last == "stateless")
    assert stage.names() == {1001: "eth0", 1003: "loop0"}
    assert (shown(tmp_path / "b"), shown(tmp_path / "a")) == ({}, {"eth0": True, "loop0": True})


@pytest.mark.parametrize("once_shown", [False, True])
def test_another_state_directory_and_back_again_is_as_before(
    stage: Stage, tmp_path: Path, once_shown: bool, caplog: pytest.LogCaptureFixture
) -> None:
    stage.reload(state_dir=str(tmp_path / "b"))
    stage.turn_until(
        "it is open", lambda: stage.agent._serving.next or not stage.agent._serving._is_opening
    )
    if once_shown:
        stage.turn_until("it is shown", lambda: stage.agent._serving.next is None)
    stage.reload(state_dir=str(tmp_path / "a"))
    stage.rest()
    assert stage.agent._serving.shown.settings.state_dir == str(tmp_path / "a")
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]
    shown(tmp_path / "b")  # it can be opened
    assert (tmp_path / "a" / control.NAME).exists()
    assert not (tmp_path / "b" / control.NAME).exists()


def test_rows_that_were_never_shown_leave_nothing_in_the_state(
    stage: Stage, tmp_path: Path
) -> None:
    stage.reload(hide=("loop*",))
    stage.rest()
    stage.reload(hide=(), alias="name")
    publisher = stage.agent._serving.next and stage.agent._serving.next.publisher
    assert publisher is not None
    while publisher.step(0.0):  # all is made, and not shown
        pass
    stage.reload(hide=("loop*",), alias="description")
    stage.rest()
    state = stage.agent._serving.shown.state
    assert state is not None
    assert {each.key: each.facts and each.facts.alias for each in state.shown()} == {"eth0": ""}


@pytest.mark.slow
def test_a_new_name_that_waits_for_the_disk_does_not_hold_up_other_settings(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = stage.agent._serving.shown.state
    assert state is not None
    monkeypatch.setattr(state, "committed", list)
    stage.report(port(5, "eth5"))
    stage.reload(names="vpp", alias="name")
    stage.turn_until("other rows are shown", lambda: stage.agent._serving.next is None)
    assert stage.names() == {1001: "eth0", 1003: "loop0"}
    monkeypatch.undo()
    stage.agent._serving._numbered(state)
    stage.rest()
    assert stage.names() == {1001: "eth0", 1003: "loop0", 1005: "eth5"}
