"""The connection to snmpd, against a peer that is slow, deaf, confused or gone."""

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from vpp_snmp_agent import master as room
from vpp_snmp_agent.agentx import pdu
from vpp_snmp_agent.agentx.mib import UpTime, View
from vpp_snmp_agent.config import Settings, UnixAddress
from vpp_snmp_agent.loop import Loop
from vpp_snmp_agent.master import Master

from .peer import COLUMN, SESSION, UP_TIME, Stage, answered, get_bulk, get_next, ports


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path / "agentx", ports())
    made.serve()
    yield made
    made.close()


def test_the_masters_uptime_is_taken_over(stage: Stage) -> None:
    assert UP_TIME <= stage.uptime.ticks(time.monotonic()) < UP_TIME + 3000


def test_a_request_split_at_every_octet_is_answered_once(stage: Stage) -> None:
    whole = get_next(COLUMN)
    for at in range(1, len(whole)):
        stage.peer.send(whole[:at])
        stage.turn()
        stage.peer.send(whole[at:])
        assert answered(stage.hear(1)) == {1: [1]}
    stage.turn()
    assert not stage.peer.heard()


def test_a_request_octet_by_octet_and_joined_with_the_next_is_answered(stage: Stage) -> None:
    for octet in get_next(COLUMN, packet=1):
        stage.peer.send(bytes((octet,)))
        stage.turn()
    stage.peer.send(get_next(f"{COLUMN}.1", packet=2) + get_next(f"{COLUMN}.2", packet=3)[:21])
    assert answered(stage.hear(2)) == {1: [1], 2: [2]}
    stage.peer.send(get_next(f"{COLUMN}.2", packet=3)[21:])
    assert answered(stage.hear(1)) == {3: [3]}


def test_a_request_that_comes_six_times_is_answered_six_times(stage: Stage) -> None:
    stage.peer.send(6 * get_next(COLUMN, f"{COLUMN}.1"))
    heard = stage.hear(6)
    assert len(heard) == 6
    assert answered(heard) == {1: [1, 2]}


def test_an_answer_that_nobody_waits_for_changes_nothing(stage: Stage) -> None:
    for packet in (0, 1, 99):
        payload = bytes(4) + (257).to_bytes(2, "big") + bytes(2)
        stage.peer.send(pdu.encode(pdu.RESPONSE, payload, session_id=1, packet_id=packet))
    stage.peer.send(get_next(COLUMN))
    assert answered(stage.hear(1)) == {1: [1]}
    assert stage.master.serving


def test_a_master_that_asks_and_does_not_listen_is_kept_no_answers_for(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "agentx", ports(500))
    stage.serve()
    assert stage.peer.socket is not None
    asked, left = 0, b""
    while not left:  # until neither side takes any more
        asked += 1
        question = get_bulk(500, asked)
        try:
            left = question[stage.peer.socket.send(question) :]
        except BlockingIOError:
            left = question
        for _ in range(3):
            stage.turn()
    assert asked > 100
    assert len(stage.master._unsent) < 1 << 18
    assert stage.master._session is not None
    assert stage.master._session._came < 1 << 18
    # It listens again: nothing is lost, nothing is out of order.
    heard = stage.hear(asked - 1)
    stage.peer.send(left)
    heard += stage.hear(1)
    assert [each.header.packet_id for each in heard] == list(range(1, asked + 1))
    assert all(len(values) == 500 for values in answered(heard).values())
    stage.close()


def test_a_master_that_goes_away_before_its_answer_is_connected_again(stage: Stage) -> None:
    stage.peer.send(get_next(COLUMN))
    stage.peer.hang_up()
    stage.until("it is lost", lambda: not stage.master.serving)
    stage.serve()
    stage.peer.send(get_next(COLUMN))
    assert answered(stage.hear(1)) == {1: [1]}


def test_a_master_that_closes_behind_an_unsent_backlog_is_connected_again(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "agentx", ports(2000))
    stage.serve()
    stage.peer.send(get_bulk(2000, 1) * 64)
    stage.until("it waits to send", lambda: stage.master._busy)
    stage.peer.hang_up()
    stage.until("it is lost", lambda: not stage.master.serving)
    assert not stage.master._unsent
    stage.serve()
    stage.close()


def test_what_is_no_agentx_ends_the_connection_and_no_more(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.peer.send(b"SSH-2.0-OpenSSH_9.2p1\r\n")
    stage.until("it is lost", lambda: not stage.master.serving)
    assert "does not speak AgentX" in caplog.text
    stage.serve()
    assert stage.master.serving


def test_a_session_that_the_master_closes_is_opened_anew(stage: Stage) -> None:
    payload = pdu.close_payload(4)
    stage.peer.send(pdu.encode(pdu.CLOSE, payload, session_id=SESSION) + get_next(COLUMN))
    stage.until("it is lost", lambda: not stage.master.serving)
    stage.serve()
    stage.peer.send(get_next(COLUMN))
    assert answered(stage.hear(1)) == {1: [1]}


def test_a_silent_master_is_asked_and_then_given_up(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(room, "PING", 0.0)
    (ping,) = stage.hear(1)
    assert ping.header.type == pdu.PING
    monkeypatch.setattr(room, "PING", 3600.0)
    monkeypatch.setattr(room, "LOST", 0.0)
    stage.until("it is given up", lambda: not stage.master.serving)
    assert "is silent" in caplog.text


def test_a_master_that_is_not_there_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(room, "RECONNECT", 0.0)
    loop = Loop()
    nowhere = UnixAddress(str(tmp_path / "nowhere"))
    master = Master(Settings(address=nowhere), View([]), [], UpTime(), loop)
    for _ in range(5):
        master.check(time.monotonic())
    assert caplog.text.count("there is no such socket") == 1
    (tmp_path / "nowhere").touch()
    master.check(time.monotonic())
    assert "there is no such socket (4 times more)" in caplog.text
    loop.close()
