"""The connection to snmpd, against a peer that is slow, silent, confused or gone."""

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from simulator.stage import TIMEOUT
from vpp_snmp_agent.agentx import connection as room
from vpp_snmp_agent.agentx import pdu
from vpp_snmp_agent.agentx.connection import Master
from vpp_snmp_agent.agentx.mib import Module, Registration, UpTime, View
from vpp_snmp_agent.agentx.pdu import HEADER_SIZE
from vpp_snmp_agent.agentx.session import DUPLICATE_REGISTRATION, MAX_ANSWERS
from vpp_snmp_agent.runtime.loop import Loop
from vpp_snmp_agent.settings.declarations import Settings, TCPAddress, UnixAddress

from .peer import BASE, COLUMN, SESSION, UP_TIME, Stage, answered, get_bulk, get_next, ports

MAX_ASKED = 5000  # by a walk that should have let others have their turn


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
        assert answered(stage.receive(1)) == {1: [1]}
    stage.turn()
    assert not stage.peer.received()


def test_a_request_octet_by_octet_and_joined_with_the_next_is_answered(stage: Stage) -> None:
    for octet in get_next(COLUMN, packet=1):
        stage.peer.send(bytes((octet,)))
        stage.turn()
    stage.peer.send(get_next(f"{COLUMN}.1", packet=2) + get_next(f"{COLUMN}.2", packet=3)[:21])
    assert answered(stage.receive(2)) == {1: [1], 2: [2]}
    stage.peer.send(get_next(f"{COLUMN}.2", packet=3)[21:])
    assert answered(stage.receive(1)) == {3: [3]}


def test_a_request_that_comes_six_times_is_answered_six_times(stage: Stage) -> None:
    stage.peer.send(6 * get_next(COLUMN, f"{COLUMN}.1"))
    received = stage.receive(6)
    assert len(received) == 6
    assert answered(received) == {1: [1, 2]}


class Walk:
    """In the place of a connection: the next question is there whenever an answer was sent."""

    def __init__(self) -> None:
        self.asked = 0

    def recv(self, size: int) -> bytes:
        self.asked += 1
        if self.asked > MAX_ASKED:
            raise BlockingIOError
        return get_next(COLUMN)

    def send(self, data: bytes, flags: int) -> int:
        return len(data)


def test_a_walk_without_a_pause_lets_others_have_their_turn(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = count()
    began = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: began + next(ticks) * 50e-6)
    walk = Walk()
    monkeypatch.setattr(stage.master, "_socket", walk)
    stage.loop.may_wait = True
    stage.master._read()
    assert walk.asked == 1  # what follows at once makes it a walk
    stage.master._read()
    assert walk.asked == pytest.approx(room.MAX_WALK_TIME / 50e-6, abs=3)
    monkeypatch.undo()


def test_an_answer_that_nobody_waits_for_changes_nothing(stage: Stage) -> None:
    for packet in (0, 1, 99):
        payload = bytes(4) + (257).to_bytes(2, "big") + bytes(2)
        stage.peer.send(pdu.encode(pdu.RESPONSE, payload, session_id=1, packet_id=packet))
    stage.peer.send(get_next(COLUMN))
    assert answered(stage.receive(1)) == {1: [1]}
    assert stage.master.serving


@pytest.mark.slow
def test_a_master_that_asks_and_does_not_listen_has_no_answers_stored(
    tmp_path: Path,
) -> None:
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
    assert stage.master._session._size < 1 << 18
    # It listens again: nothing is lost, nothing is out of order.
    received = stage.receive(asked - 1)
    stage.peer.send(left)
    received += stage.receive(1)
    assert [each.header.packet_id for each in received] == list(range(1, asked + 1))
    # Each answer is as long as one may be: who asks for more asks again.
    (length,) = {len(values) for values in answered(received).values()}
    assert 40 < length < 500
    stage.close()


def test_a_master_that_goes_away_before_its_answer_is_connected_again(stage: Stage) -> None:
    stage.peer.send(get_next(COLUMN))
    stage.peer.hang_up()
    stage.until("it is lost", lambda: not stage.master.serving)
    stage.serve()
    stage.peer.send(get_next(COLUMN))
    assert answered(stage.receive(1)) == {1: [1]}


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
    assert answered(stage.receive(1)) == {1: [1]}


def test_a_silent_master_is_asked_and_then_given_up(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(room, "PING_INTERVAL", 0.0)
    (ping,) = stage.receive(1)
    assert ping.header.type == pdu.PING
    monkeypatch.setattr(room, "PING_INTERVAL", 3600.0)
    monkeypatch.setattr(room, "SILENCE_TIMEOUT", 0.0)
    stage.until("it is given up", lambda: not stage.master.serving)
    assert "is silent" in caplog.text


def test_a_master_that_is_not_there_is_reported_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(room, "CONNECT_INTERVAL", 0.0)
    loop = Loop()
    nowhere = UnixAddress(str(tmp_path / "nowhere"))
    master = Master(Settings(address=nowhere), View([]), [], UpTime(), loop)
    for _ in range(5):
        master.check(time.monotonic())
    assert caplog.text.count("there is no such socket") == 1
    (tmp_path / "nowhere").touch()
    master.check(time.monotonic())
    assert "4 times more: " in caplog.text
    loop.close()


# --- refused registrations ----------------------------------------------------------------------

SUBTREE = f"subtree {BASE}.1"


@pytest.fixture
def refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Stage]:
    """Another agent holds the one subtree."""
    caplog.set_level(logging.INFO)
    made = Stage(tmp_path / "agentx", ports())
    made.connect()
    made.until("it opens", lambda: made.answer())
    made.until("it registers", lambda: made.answer(DUPLICATE_REGISTRATION))
    made.until("it is refused", lambda: made.master.refused)
    yield made
    made.close()


def test_an_agent_that_is_refused_says_what_and_not_that_it_serves(
    refused: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    assert refused.master.refused == (SUBTREE,)
    assert refused.master.state == f"snmpd refuses 1 of 2 registrations: {SUBTREE}"
    assert not refused.master.serving
    assert not refused.master.holds(f"{BASE}.1")
    assert refused.master.holds(f"{BASE}.2")
    first, second = (record.getMessage() for record in caplog.get_records("setup"))
    assert first.startswith(f"snmpd refused {SUBTREE}: DUPLICATEREGISTRATION")
    assert second.endswith(
        " refuses 1 of 2 registrations; what it refuses is tried again every 10 s"
    )


def test_what_is_refused_is_tried_again_until_it_is_granted_and_reported_once(
    refused: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    caplog.clear()
    now = 7000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    refused.master._register_at = now + room.REGISTER_INTERVAL
    received: list[pdu.PDU] = []

    def has_answered(*errors: int) -> bool:
        refused.master.check(now)
        new = refused.answer(*errors)
        received.extend(new)
        return bool(new)

    def is_answered() -> bool:
        assert refused.master._session is not None
        return not refused.master._session._registrations.waiting

    for _ in range(3):
        refused.master._received_at = now
        refused.master.check(now + room.REGISTER_INTERVAL - 0.1)
        assert not refused.peer.received()
        now += room.REGISTER_INTERVAL
        turn_until(refused, lambda: has_answered(DUPLICATE_REGISTRATION))
        turn_until(refused, is_answered)
        assert refused.master.refused == (SUBTREE,)
    now += room.REGISTER_INTERVAL
    refused.master._received_at = now
    assert not caplog.text
    turn_until(refused, has_answered)
    turn_until(refused, lambda: refused.master.serving)
    assert [each.header.type for each in received] == 4 * [pdu.REGISTER]
    assert refused.master.state == "serving snmpd"
    counted, served = caplog.messages
    assert counted.startswith("3 times more: ")
    assert served == f"serving snmpd at {refused.master._address}"


# --- rows that are found while snmpd is served ------------------------------------------------

ROW = Registration(f"{BASE}.2.1.1.77", 10, 6)


def test_a_row_that_is_found_is_registered_at_once_and_again_after_a_reconnect(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    found: list[Registration] = []
    module = Module(f"{BASE}.5", "rows", (), (), rows=lambda: found)
    stage = Stage(tmp_path / "agentx", [*ports(), module])
    stage.serve()
    caplog.clear()
    found.append(ROW)
    (asked,) = stage.receive(1)
    assert isinstance(asked.body, pdu.Register)
    assert asked.body.upper_bound == ROW.upper_bound
    assert stage.master.serving
    payload = UP_TIME.to_bytes(4, "big") + DUPLICATE_REGISTRATION.to_bytes(2, "big") + bytes(2)
    packet = asked.header.packet_id
    stage.peer.send(pdu.encode(pdu.RESPONSE, payload, session_id=SESSION, packet_id=packet))
    stage.until("it is refused", lambda: stage.master.refused)
    row = f"subtree {BASE}.2.1.[1-6].77"
    assert stage.master.state == f"snmpd refuses 1 of 4 registrations: {row}"
    assert f"snmpd refused {row}: DUPLICATEREGISTRATION" in caplog.text
    stage.peer.hang_up()
    stage.until("it is lost", lambda: not stage.master.refused)
    stage.serve()
    assert stage.master._registrations == 4
    assert not stage.master.refused
    stage.close()


# --- a name's addresses ---------------------------------------------------------------------------


class Names:
    """A TCP master's stage: who listens where, and what a name resolves to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.loop = Loop()
        self.gate = threading.Event()
        self.gate.set()
        self.resolved_on: list[int] = []
        self.found: list[object] = []
        monkeypatch.setattr(socket, "getaddrinfo", self._resolve)
        self.master = Master(
            Settings(address=TCPAddress("snmpd.example", 705)),
            *(View([]), ports(), UpTime(), self.loop),
        )

    def _resolve(self, host: str, port: int, *, type: int) -> list[object]:
        assert (host, port, type) == ("snmpd.example", 705, socket.SOCK_STREAM)
        self.resolved_on.append(threading.get_ident())
        self.gate.wait(TIMEOUT)
        if not self.found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return self.found

    def listens(self, host: str, backlog: int = 8) -> socket.socket:
        """Somebody at an address that the name has."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, 0), family=family, backlog=backlog)
        self.has(family, listener.getsockname())
        return listener

    def has(self, family: int, address: object) -> None:
        self.found.append((family, socket.SOCK_STREAM, 6, "", address))

    def until(self, condition: Callable[[], object]) -> None:
        limit = time.monotonic() + TIMEOUT
        while not condition():
            assert time.monotonic() < limit
            self.master.check(time.monotonic())
            self.loop.turn(0.001)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    made = Names(monkeypatch)
    yield made
    made.gate.set()
    made.until(lambda: made.master._resolving_since is None)
    made.master.close()
    made.loop.close()


def test_an_snmpd_that_is_lost_is_searched_for_from_the_first_address_on(names: Names) -> None:
    with names.listens("127.0.0.10") as snmpd, names.listens("127.0.0.11"):
        names.until(lambda: names.master._session is not None)
        connection, _ = snmpd.accept()
        with connection:
            connection.setblocking(False)

            def is_served() -> bool:
                answer_all(connection)
                return names.master.serving

            names.until(is_served)
        names.until(lambda: not names.master.serving)
        names.until(lambda: names.master._session is not None)
        assert "127.0.0.10" in names.master._where
        assert len(names.resolved_on) == 2


def answer_all(connection: socket.socket) -> None:
    """Grant what was asked, if anything was."""
    try:
        data = connection.recv(4096)
    except BlockingIOError:
        return
    while data:
        header = pdu.decode_header(data)
        data = data[HEADER_SIZE + header.length :]
        connection.sendall(
            pdu.encode(pdu.RESPONSE, bytes(8), session_id=SESSION, packet_id=header.packet_id)
        )


def opens(listener: socket.socket) -> bool:
    """Whether an agent connects there and opens a session."""
    listener.settimeout(TIMEOUT)
    connection, _ = listener.accept()
    with connection:
        connection.settimeout(TIMEOUT)
        return pdu.decode_header(connection.recv(4096)).type == pdu.OPEN


def test_each_address_of_a_name_is_tried_in_its_turn(
    names: Names, caplog: pytest.LogCaptureFixture
) -> None:
    names.listens("::1").close()
    names.listens("127.0.0.3").close()
    with names.listens("127.0.0.2") as snmpd:
        names.until(lambda: names.master._session is not None)
        assert opens(snmpd)
    assert names.master._where == "snmpd.example:705 (127.0.0.2)"
    assert not caplog.text


def test_addresses_of_which_none_is_served_are_all_reported_once(
    names: Names, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "CONNECT_INTERVAL", 0.0)
    names.listens("::1").close()
    names.listens("127.0.0.4").close()
    names.until(lambda: len(names.resolved_on) >= 3)
    assert caplog.messages == [
        "no snmpd yet: snmpd.example:705 (::1): nobody listens;"
        " snmpd.example:705 (127.0.0.4): nobody listens"
    ]


def test_an_address_that_accepts_and_says_nothing_gives_way_to_the_next(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "CONNECT_TIMEOUT", 0.05)
    with names.listens("127.0.0.5"), names.listens("127.0.0.6") as snmpd:
        names.until(lambda: "127.0.0.6" in names.master._where)
        names.until(lambda: names.master._session is not None)
        assert opens(snmpd)


def test_a_name_server_that_does_not_answer_does_not_stop_the_loop(
    names: Names, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "CONNECT_TIMEOUT", 0.05)
    names.gate.clear()
    received: list[int] = []
    reader, writer = socket.socketpair()
    with reader, writer, names.listens("127.0.0.7") as snmpd:
        names.loop.watch(reader.fileno(), received.append)
        names.until(lambda: names.resolved_on)
        writer.send(b"!")
        names.until(lambda: received)
        names.loop.forget(reader.fileno())
        names.until(lambda: caplog.text)
        assert caplog.messages == ["snmpd.example:705: no name server answers"]
        assert names.resolved_on != [threading.get_ident()]
        assert len(names.resolved_on) == 1
        names.gate.set()
        names.until(lambda: names.master._session is not None)
        assert opens(snmpd)


def test_a_name_that_nobody_knows_is_reported_once_and_tried_again(
    names: Names, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "CONNECT_INTERVAL", 0.0)
    names.until(lambda: len(names.resolved_on) >= 3)
    assert caplog.messages == ["no snmpd yet: snmpd.example:705: Name or service not known"]
    with names.listens("127.0.0.8"):
        names.until(lambda: names.master._session is not None)


def test_a_name_that_is_resolved_after_the_end_connects_nobody(names: Names) -> None:
    names.gate.clear()
    names.listens("127.0.0.9").close()
    names.until(lambda: names.resolved_on)
    names.master.close()
    names.gate.set()
    turns = 0
    while names.master._resolving_since is not None and turns < 10_000:
        names.loop.turn(0.001)
        turns += 1
    assert names.master._resolving_since is None
    assert not names.master._targets


# --- on hold ----------------------------------------------------------------------------------


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Stage]:
    """Registered, and on hold."""
    made = Stage(tmp_path / "agentx", ports(), on_hold=True)
    made.serve()
    yield made
    made.close()


def ask_on_hold(stage: Stage, *packets: int) -> None:
    """GetNexts that wait, having come."""
    assert stage.master._session is not None
    stage.peer.send(b"".join(get_next(COLUMN, packet=packet) for packet in packets))
    held = stage.master._session._held
    stage.until("they wait", lambda: len(held) == len(packets))
    assert not stage.peer.received()


def test_on_hold_a_session_is_opened_and_registered_all_the_same(held: Stage) -> None:
    assert held.master.serving
    assert held.master.due == float("inf")


def test_a_release_answers_those_who_wait(held: Stage) -> None:
    ask_on_hold(held, 61, 62, 61)
    held.master.release()
    received = held.receive(3)
    assert [each.header.packet_id for each in received] == [61, 62, 61]
    assert answered(received) == {61: [1], 62: [1]}
    held.peer.send(get_next(f"{COLUMN}.1", packet=63))
    assert answered(held.receive(1)) == {63: [2]}


def test_a_request_is_held_no_longer_than_hold_from_its_arrival(
    held: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 5000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    stage_turn(held)
    assert held.master.due == float("inf")
    held.peer.send(get_next(COLUMN, packet=64))
    turn_until(held, lambda: held.master.due < float("inf"))
    assert held.master.due == 5000.0 + room.HOLD_TIMEOUT
    now += 0.4
    held.peer.send(get_next(COLUMN, packet=65))
    turn_until(held, lambda: len(held_requests(held)) == 2)
    # The first one's end is the end of the hold: the second waits less.
    assert held.master.due == 5000.0 + room.HOLD_TIMEOUT
    held.master.check(held.master.due - 0.01)
    assert not held.peer.received()
    held.master.check(held.master.due)
    assert [each.header.packet_id for each in held.peer.received()] == [64, 65]
    assert held.master.due == float("inf")
    assert not held.master.on_hold


def stage_turn(stage: Stage) -> None:
    """A turn of the loop in which `check` has nothing to do."""
    stage.loop.turn(0.001)


def turn_until(stage: Stage, condition: Callable[[], object]) -> None:
    """Turn on, at most ten thousand times: the clock of this test stands still."""
    for _ in range(10_000):
        if condition():
            return
        stage_turn(stage)
    raise AssertionError("it did not come about")


def held_requests(stage: Stage) -> list[bytes]:
    assert stage.master._session is not None
    return stage.master._session._held


def test_hold_is_short_enough_for_those_who_repeat_after_a_second() -> None:
    assert 0.5 < room.HOLD_TIMEOUT <= 0.8


def test_who_hangs_up_on_hold_is_held_again_and_anew(held: Stage) -> None:
    ask_on_hold(held, 66)
    assert held.master.due < float("inf")
    held.peer.hang_up()
    held.until("it is lost", lambda: not held.master.serving)
    assert held.master.due < time.monotonic()  # to be reached again at once; nobody waits
    held.serve()
    assert held.master.due == float("inf")
    ask_on_hold(held, 67)
    held.master.release()
    assert answered(held.receive(1)) == {67: [1]}


def test_a_release_before_snmpd_is_there_holds_nothing(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "agentx", ports(), on_hold=True)
    stage.master.release()
    stage.serve()
    stage.peer.send(get_next(COLUMN, packet=68))
    assert answered(stage.receive(1)) == {68: [1]}
    stage.close()


def test_a_release_of_more_than_a_stretch_is_sent_in_pieces(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "agentx", ports(), on_hold=True)
    stage.serve()
    packets = range(1, 1501)
    size = len(get_next(COLUMN)) + HEADER_SIZE
    assert len(packets) * size > 4 * MAX_ANSWERS
    ask_on_hold(stage, *packets)
    stage.master.release()
    assert stage.master._busy  # the rest follows as the loop turns
    received = stage.receive(len(packets))
    assert [each.header.packet_id for each in received] == list(packets)
    stage.peer.send(get_next(f"{COLUMN}.2", packet=9999))
    assert answered(stage.receive(1)) == {9999: [3]}
    stage.close()


# --- another view, and a trace ------------------------------------------------------------------


def test_another_view_is_served_at_once_and_no_request_is_lost(stage: Stage) -> None:
    (other,) = ports(5)
    numbers = count(71)
    asked = get_next(f"{COLUMN}.3", packet=next(numbers))
    stage.peer.send(asked[:30])
    assert stage.master._session is not None
    session = stage.master._session
    stage.until("half of it was received", lambda: session._pieces)
    stage.master.show(View(list(other.objects)))
    stage.peer.send(asked[30:])
    assert answered(stage.receive(1)) == {71: [4]}


def test_another_view_is_served_to_who_connects_later(stage: Stage) -> None:
    (other,) = ports(4)
    stage.peer.hang_up()
    stage.until("it is lost", lambda: not stage.master.serving)
    stage.master.show(View(list(other.objects)))
    stage.serve()
    stage.peer.send(get_next(f"{COLUMN}.3", packet=74))
    assert answered(stage.receive(1)) == {74: [4]}


def test_a_trace_begins_and_ends_without_a_new_connection(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    session = stage.master._session
    for debug, traced in ((2, True), (1, False), (2, True), (0, False)):
        stage.master.trace(debug)
        caplog.clear()
        stage.peer.send(get_next(COLUMN, packet=75 + debug))
        assert answered(stage.receive(1)) == {75 + debug: [1]}
        assert any(each.startswith("< Getnext") for each in caplog.messages) == traced
    assert stage.master._session is session
