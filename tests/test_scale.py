"""bench.scale: the rules by which its figures come about."""

import json
import os
import select
import socket
import struct
import sys
import threading
import time
import types
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from bench import churn, state_files
from bench.churn import KNOWN, NAME, Churn, Links, Sessions, Times, known_names
from bench.managers import Managers, Walker, is_below, on_wire
from bench.measured_agent import LARGEST, MeasuredPoll, Pace, Recorder, Steps, count_rows_made
from bench.scale import Bar, halves
from bench.state_files import BLOCK, Growth, Written, file_system, write_past
from simulator import Simulator
from simulator.stage import until
from vpp_snmp_agent.agentx import pdu
from vpp_snmp_agent.agentx.values import (
    END_OF_MIB_VIEW,
    INTEGER,
    OCTET_STRING,
    decode_oid,
    encode_oid,
    encode_varbind,
    oid,
)

from .oids import IF_X_TABLE, OPER_STATUS

MILLI = 10**6  # ns


# The steps on a loop.


def test_the_largest_steps_are_kept_and_all_are_counted() -> None:
    steps = Steps()
    for number in range(1, 101):
        steps.add(float(number), number * MILLI, number * MILLI + 500, 500, 1 + number / 7)
    figures = steps.figures()
    assert figures["steps"] == sum(figures["histogram"].values()) == 100
    assert len(figures["by_cpu"]) == LARGEST
    assert [each["cpu"] for each in figures["by_cpu"][:3]] == [100.0, 99.0, 98.0]
    assert figures["by_cpu"][0]["at"] == 100.0
    assert figures["by_cpu"][0]["slowness"] == 1 + 100 / 7


def test_a_step_is_in_the_histogram_by_the_power_of_two_that_it_is_below() -> None:
    steps = Steps()
    for micros in (0, 1, 3, 4, 1023, 1024):
        steps.add(1.0, micros * 1000, micros * 1000, 0, 1.0)
    assert steps.figures()["histogram"] == {"1": 1, "2": 1, "4": 1, "8": 1, "1024": 1, "2048": 1}


def test_what_was_neither_run_nor_waited_for_a_cpu_was_blocked() -> None:
    steps = Steps()
    steps.add(1.0, 2 * MILLI, 30 * MILLI, 27 * MILLI, 1.0)
    steps.add(2.0, 1 * MILLI, 12 * MILLI, 1 * MILLI, 1.0)
    (first, second) = steps.figures()["by_blocked"]
    assert (first["at"], first["blocked"]) == (2.0, 10.0)
    assert (second["at"], second["blocked"]) == (1.0, 1.0)


@pytest.fixture
def measured(tmp_path: Path) -> Iterator[tuple[MeasuredPoll, Recorder, Path]]:
    path = tmp_path / "steps"
    recorder = Recorder(path)
    poll = MeasuredPoll(select.epoll(), recorder)
    yield poll, recorder, path
    poll.close()


def test_a_step_is_what_is_done_between_two_polls(
    measured: tuple[MeasuredPoll, Recorder, Path],
) -> None:
    poll, recorder, _ = measured
    poll.poll(0.05, 1)  # the wait counts for nothing
    end = time.thread_time_ns() + 20 * MILLI
    while time.thread_time_ns() < end:
        pass
    poll.poll(0.05, 1)
    figures = recorder.steps.figures()
    assert figures["steps"] == 1
    assert 20 <= figures["by_cpu"][0]["cpu"] < 40
    assert figures["by_cpu"][0]["slowness"] >= 1


def test_how_slow_the_machine_is_goes_by_the_best_that_it_ever_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    took = {"now": 100}
    monkeypatch.setattr(Pace, "_work", lambda pace: took["now"])
    pace = Pace(tmp_path / "pace")
    assert pace() == 1
    took["now"] = 300
    assert pace() == 3
    took["now"] = 50
    assert pace() == 1
    took["now"] = 300
    assert pace() == 6
    assert Pace(tmp_path / "pace")() == 3  # by the best of any process of the run


def test_a_call_that_blocks_shows_as_that(measured: tuple[MeasuredPoll, Recorder, Path]) -> None:
    poll, recorder, _ = measured
    poll.poll(0, 1)
    threading.Event().wait(0.05)
    poll.poll(0, 1)
    (step,) = recorder.steps.figures()["by_blocked"]
    assert step["cpu"] < 20
    assert 25 < step["blocked"] <= step["wall"]


def test_the_figures_are_written_when_asked_for_and_begin_anew(
    measured: tuple[MeasuredPoll, Recorder, Path],
) -> None:
    poll, recorder, path = measured
    recorder.made = 3
    for _ in range(4):
        poll.poll(0, 1)
    assert not path.exists()
    recorder.asked = True
    poll.poll(0, 1)
    figures = json.loads(path.read_text())
    assert (figures["steps"], figures["made"]) == (4, 3)
    assert (recorder.steps.figures()["steps"], recorder.made) == (0, 0)


def test_rows_made_anew_are_counted_where_there_is_a_publisher(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Publisher:
        def _make(self, port: str, twice: bool = False) -> str:
            return port * 2 if twice else port

    module = types.ModuleType("vpp_snmp_agent.interfaces.publisher")
    module.Publisher = Publisher  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    recorder = Recorder(tmp_path / "steps")
    count_rows_made(recorder)
    assert recorder.made == 0
    assert Publisher()._make("eno1", twice=True) == "eno1eno1"
    assert Publisher()._make("eno2") == "eno2"
    assert recorder.made == 2


# The state directory.


def test_a_past_is_a_state_of_the_first_version(tmp_path: Path) -> None:
    write_past(tmp_path / "state", ["a.1", 'b"2', "c.3"], 11_001)
    whole = json.loads((tmp_path / "state" / "interfaces.json").read_text())
    assert whole["version"] == 1
    assert whole["interfaces"] == {
        "a.1": {"ifIndex": 11_001},
        'b"2': {"ifIndex": 11_002},
        "c.3": {"ifIndex": 11_003},
    }


def test_what_is_appended_counts_with_a_block(tmp_path: Path) -> None:
    file = tmp_path / "journal"
    file.write_bytes(bytes(700))
    growth = Growth(tmp_path)
    growth.poll()
    assert growth.octets == 0
    with file.open("ab") as appended:
        appended.write(bytes(90))
    growth.poll()
    growth.poll()
    assert growth.octets == 90 + BLOCK


def test_a_file_that_is_replaced_or_new_counts_whole(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    file.write_bytes(bytes(5000))
    growth = Growth(tmp_path)
    new = tmp_path / "state.new"
    new.write_bytes(bytes(6100))
    growth.poll()
    assert growth.octets == 6100
    new.replace(file)  # written as `new`, and counted then
    growth.poll()
    assert growth.octets == 6100
    new.write_bytes(bytes(37))
    new.replace(file)
    growth.poll()
    assert growth.octets == 6100 + 37


def test_a_file_that_is_written_in_place_counts_a_block(tmp_path: Path) -> None:
    file = tmp_path / "database"
    file.write_bytes(bytes(8192))
    growth = Growth(tmp_path)
    os.utime(file, (1, 1))
    growth.poll()
    assert growth.octets == BLOCK


def test_the_kernel_is_believed_where_it_accounts_writes(tmp_path: Path) -> None:
    written = Written(tmp_path, os.getpid())
    with (tmp_path / "journal").open("wb") as file:
        file.write(bytes(3 * BLOCK))
        os.fsync(file.fileno())
    assert written.octets() >= 3 * BLOCK
    assert ("write_bytes" in written.how()) == (file_system(tmp_path) not in state_files.IN_MEMORY)


def test_the_file_system_is_that_of_the_longest_mount(tmp_path: Path) -> None:
    assert file_system(Path("/proc/self")) == "proc"
    assert file_system(tmp_path) != "proc"


# Times.


def test_a_change_that_was_not_shown_is_worse_than_any_time() -> None:
    assert Times([0.2, 0.7, 0.3]).worst == 0.7
    assert Times([0.2], missed=1).worst == float("inf")
    assert Times().worst == float("inf")
    assert str(Times([0.2, 0.7, 0.3])) == "median 300 ms, worst 700 ms"
    assert "1 of 4 not shown" in str(Times([0.2, 0.7, 0.3], missed=1))
    assert halves("median 300 ms, worst 700 ms") == ("median 300 ms", "worst 700 ms")


def test_a_bar_says_whether_the_machine_can_be_blamed() -> None:
    assert not Bar("walk", "", "", 1.2, 1.1).met
    assert not Bar("walk", "", "", 1.2, 1.1).anywhere
    assert Bar("log lines", "", "", 2, 2, anywhere=True).met


# Several managers.


class Subagent(threading.Thread):
    """Answers GetNext and Get from a few cells, as the agent would."""

    def __init__(self, path: Path, cells: dict[str, int | str]) -> None:
        super().__init__(daemon=True)
        self.cells = cells
        self.repeats = False  # whether it answers with the first name again and again
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(os.fspath(path))

    def run(self) -> None:
        register = struct.pack(">BBBB", 0, 127, 0, 0) + encode_oid(oid("1.3.6.1.2.1"))
        self._socket.sendall(pdu.encode(pdu.REGISTER, register, packet_id=1))
        while data := self._socket.recv(1 << 16):
            at = 0
            while at < len(data):
                header = pdu.decode_header(data, at)
                payload = data[at + 20 : at + 20 + header.length]
                at += 20 + header.length
                if header.type in (pdu.GET, pdu.GETNEXT):
                    self._answer(header, payload)

    def _answer(self, header: pdu.Header, payload: bytes) -> None:
        key, _, _ = decode_oid(payload, 0, ">")
        known = {oid(name): value for name, value in self.cells.items()}
        if header.type == pdu.GETNEXT:
            after = [name for name in known if name > key or self.repeats]
            key = min(after, default=b"")
        value = known.get(key)
        if isinstance(value, str):
            answer = encode_varbind(key, OCTET_STRING, value.encode())
        elif value is None:
            answer = encode_varbind(key, END_OF_MIB_VIEW)
        else:
            answer = encode_varbind(key, INTEGER, value)
        body = struct.pack(">IHH", 0, 0, 0) + answer
        reply = pdu.encode(pdu.RESPONSE, body, session_id=1, packet_id=header.packet_id)
        self._socket.sendall(reply)


IN, OTHER = OPER_STATUS, f"{IF_X_TABLE}.2"


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[tuple[Managers, Subagent]]:
    """Managers in front of a subagent of three ports."""
    cells: dict[str, int | str] = {f"{IN}.{1001 + port}": 1 for port in range(3)}
    cells |= {f"{NAME}.{1001 + port}": f"port{port}" for port in range(3)}
    cells |= {f"{OTHER}.{1001 + port}": 40 + port for port in range(3)}
    with Managers(tmp_path / "agentx") as managers:
        subagent = Subagent(tmp_path / "agentx", cells)
        subagent.start()
        managers.accept()
        managers.watch_queue_of(os.getpid())
        yield managers, subagent


def turns(managers: Managers, what: str, condition: object) -> None:
    assert callable(condition)

    def so_far() -> object:
        managers.turn(0.01)
        return condition()

    until(what, so_far)


@pytest.mark.slow
def test_each_walker_asks_on_by_itself(asked: tuple[Managers, Subagent]) -> None:
    managers, _ = asked
    walkers = [Walker(managers, IN, OTHER), Walker(managers, OTHER)]
    for walker in walkers:
        walker.begin()
    assert managers.waiting == 2
    turns(managers, "both walk", lambda: all(each.walks >= 3 for each in walkers))
    for walker in walkers:
        walker.ending = True
    managers.drain()
    assert [each.disorders for each in walkers] == [0, 0]
    assert walkers[0].answers >= 3 * 8
    latest = walkers[0].latest
    assert latest is not None
    assert 0 < walkers[0].latest_own <= latest.took < 5


def test_what_lies_below_an_oid_is_seen_by_its_octets() -> None:
    assert is_below(on_wire(f"{IN}.7"), on_wire(IN))
    assert not is_below(on_wire("1.3.6.1.2.1.2.2.1.80"), on_wire(IN))
    assert not is_below(on_wire("1.3.6.1.4.1.2.2.1.8.7"), on_wire(IN))


def test_a_walker_notices_a_name_that_does_not_follow(tmp_path: Path) -> None:
    with Managers(tmp_path / "agentx") as managers:
        subagent = Subagent(tmp_path / "agentx", {f"{IN}.{port}": port for port in (5, 9)})
        subagent.repeats = True
        subagent.start()
        managers.accept()
        walker = Walker(managers, IN)
        walker.begin()
        turns(managers, "it noticed", lambda: walker.disorders > 1)
        walker.ending = True
        managers.drain()


def test_a_link_is_shown_when_an_answer_bears_its_new_state(
    asked: tuple[Managers, Subagent],
) -> None:
    managers, subagent = asked
    links = Links(managers)
    since = time.monotonic()
    links.changed(1002, up=False, since=since)

    def waited() -> bool:
        links.ask(time.monotonic())
        return not links.waiting

    for _ in range(5):
        links.ask(time.monotonic())
        managers.turn(0.02)
    assert links.waiting, "it is up still"
    subagent.cells[f"{IN}.1002"] = 2
    changed = time.monotonic() - since
    turns(managers, "the link is down", waited)
    assert links.times.shown[0] >= changed


def test_a_link_that_is_overtaken_was_not_shown_and_what_follows_proves_nothing(
    asked: tuple[Managers, Subagent],
) -> None:
    links = Links(asked[0])
    links.changed(1003, up=False, since=time.monotonic())
    links.changed(1003, up=True, since=time.monotonic())
    links.changed(1003, up=False, since=time.monotonic())
    assert (links.times.missed, links.waiting) == (1, {})


def test_sessions_are_seen_to_come_and_go(asked: tuple[Managers, Subagent]) -> None:
    managers, subagent = asked
    sessions = Sessions(managers, 1003)
    known, new = known_names()[5], f"{churn.PARENT}.{churn.NEW_SUB_ID + 4}"
    sessions.came(known, time.monotonic())
    sessions.came(new, time.monotonic())

    def shown() -> bool:
        if not sessions.scout.busy and time.monotonic() >= sessions.scout.due:
            sessions.scout.begin(time.monotonic())
        return not sessions.waiting

    subagent.cells[f"{NAME}.11005"] = known
    turns(managers, "one came", lambda: shown() or len(sessions.come["known"].shown))
    assert not sessions.come["new"].shown
    subagent.cells[f"{NAME}.111001"] = new
    turns(managers, "both came", shown)
    sessions.left(new, time.monotonic())
    for _ in range(20):
        shown()
        managers.turn(0.005)
    assert not sessions.gone.shown, "its row is there still"
    del subagent.cells[f"{NAME}.111001"]
    turns(managers, "it is gone", shown)
    assert [len(each.shown) for each in (*sessions.come.values(), sessions.gone)] == [1, 1, 1]


def test_a_session_that_was_never_shown_is_not_waited_for_to_go(
    asked: tuple[Managers, Subagent],
) -> None:
    sessions = Sessions(asked[0], 1003)
    name = known_names()[17]
    sessions.came(name, time.monotonic())
    sessions.left(name, time.monotonic())
    assert (sessions.come["known"].missed, sessions.waiting) == (1, 0)


# Churn.


def test_churn_keeps_its_rates_and_half_of_its_names_come_back(tmp_path: Path) -> None:
    with Simulator(tmp_path, interfaces=20) as vpp, Managers(tmp_path / "agentx") as managers:
        vpp.freeze()
        ports = {
            f"TenGigabitEthernet7/0/{n}": vpp.add_hardware(f"TenGigabitEthernet7/0/{n}")
            for n in range(9)
        }
        links, sessions = Links(managers), Sessions(managers, 5000)
        order = Churn(vpp, ports, [churn.PARENT], links, sessions, count())
        order.go_on(elapsed=3.0, now=100.0)
        while order.outstanding:
            assert order.outstanding <= churn.MAX_ORDERS
            order.receive()
            order.go_on(elapsed=3.0, now=100.0)
        sub_ids = {name: int(name.rpartition(".")[2]) for name in vpp.interfaces() if "." in name}
        names = {name for name, sub_id in sub_ids.items() if sub_id >= churn.KNOWN_SUB_ID}
        new = {name for name in names if sub_ids[name] >= churn.NEW_SUB_ID}
        assert (len(names), len(new)) == (60, 30)
        assert names - new <= set(known_names())
        assert links.times.missed == len(ports)  # each changed again, and none was shown
        order.put_back()
        left = vpp.interfaces()
    assert not names & left.keys()
    assert all(left[name]["link"] for name in ports)


def test_a_name_that_comes_back_is_one_of_a_few() -> None:
    assert len(set(known_names())) == KNOWN > churn.LIFE * churn.SESSIONS
