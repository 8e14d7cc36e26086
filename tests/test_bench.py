"""bench: the rules by which its figures come about."""

import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import cast

import pytest

from bench import measures, polled, poller, processes, rest, snmp, staleness
from bench.__main__ import table
from bench.constant_agent import Cells
from bench.measures import Row
from bench.poller import Poller, one_get_a_row, rows_of_columns
from bench.snmp import (
    COUNTER32,
    COUNTER64,
    INTEGER,
    OCTET_STRING,
    Cell,
    Counters,
    Question,
    WrongAnswer,
)
from simulator.stage import Process, Snmpd, StageError, until
from vpp_snmp_agent.agentx import pdu
from vpp_snmp_agent.agentx.mib import Column, Table
from vpp_snmp_agent.agentx.values import INTEGER as INTEGER_TYPE
from vpp_snmp_agent.agentx.values import dotted, encode_varbind, oid
from vpp_snmp_agent.mibs import if_mib
from vpp_snmp_agent.mibs.ip_mib_neighbors import NET_TO_PHYSICAL_TABLE


class Sleeper(Process):
    """A process that does nothing."""

    def __enter__(self) -> "Sleeper":
        self._start(["sleep", "infinity"])
        return self


SECONDS = [float(second) for second in range(3601)]
STEADY = [1000 * second for second in range(3601)]


def test_a_counter_that_is_read_live_has_the_true_rate() -> None:
    assert staleness.worst_rate_error(SECONDS, STEADY, 60, 1000) == 0


@pytest.mark.parametrize(("every", "error"), [(30, 0.5), (10, 1 / 6)])
def test_a_refreshed_counter_is_wrong_by_up_to_its_age_in_the_poll_period(
    every: int, error: float
) -> None:
    reported = staleness.as_refreshed(SECONDS, STEADY, every)
    assert staleness.worst_rate_error(SECONDS, reported, 60, 1000) == pytest.approx(error, abs=0.03)


def test_a_refreshed_counter_is_never_newer_than_it_is() -> None:
    reported = staleness.as_refreshed(SECONDS, STEADY, 30)
    assert all(0 <= now - then < 31 * 1000 for now, then in zip(STEADY, reported, strict=True))


def test_a_rate_takes_two_polls() -> None:
    with pytest.raises(ValueError, match="60 s apart"):
        staleness.worst_rate_error(SECONDS[:60], STEADY[:60], 60, 1000)


def test_a_ratio_is_the_median_of_the_turns_ratios() -> None:
    row = measures.ratio("walk", [[1e-6, 2e-6], [2e-6, 2e-6], [9e-6, 3e-6]], 0.8)
    assert (row.ours, row.other) == ("2.00 us (1.00 to 9.00)", "2.00 us (2.00 to 3.00)")
    assert (row.figure, row.met) == (1.0, False)


def test_a_tenth_on_either_side_is_left_out_of_the_spread() -> None:
    assert measures.spread([*range(18), 700, 800], "s") == "9.50 s (2.00 to 17.00)"


def test_sides_are_measured_in_turns() -> None:
    costs = iter(range(10, 16))
    assert measures.in_turns(
        3, lambda turn: next(costs) + 100 * turn, lambda turn: -next(costs)
    ) == [[10, -11], [112, -13], [214, -15]]


def test_what_is_to_have_one_cpu_has_it_only_meanwhile(tmp_path: Path) -> None:
    with Sleeper(tmp_path / "one") as one, Sleeper(tmp_path / "other") as other:
        before = os.sched_getaffinity(one.pid)
        places = {one.pid: min(before), other.pid: max(before)}
        with measures.on_cpus(places):
            meanwhile = {pid: os.sched_getaffinity(pid) for pid in places}
        assert meanwhile == {one.pid: {min(before)}, other.pid: {max(before)}}
        assert os.sched_getaffinity(one.pid) == os.sched_getaffinity(other.pid) == before


def test_the_99th_of_a_hundred_answers_counts() -> None:
    assert measures.percentile_99([*range(99), 1000]) == 1000
    assert measures.percentile_99([*range(199), 1000]) == 198


def test_the_table_says_which_bars_are_missed() -> None:
    rows = [Row("a", "1 us", "2 us", 0.5, 0.8), Row("b", "3 s", "", 3, 1.5, "s")]
    assert [line.split()[-1] for line in table(rows)[1:]] == ["met", "missed"]


def test_of_two_bars_one_has_to_be_met() -> None:
    (line,) = table([Row("walk", "7 us", "8 us", 0.875, 0.8, is_excused=True)])[1:]
    assert line.endswith("by the other")


def test_a_row_without_a_bar_has_no_verdict() -> None:
    (line,) = table([Row("walk", "7 us", "8 us", 0.875)])[1:]
    assert line.split()[-1] == "0.88"


def test_cpu_is_that_of_all_threads() -> None:
    worked, seen = threading.Event(), threading.Event()

    def work() -> None:
        while time.thread_time_ns() < 20_000_000:
            pass
        worked.set()
        seen.wait()

    before = processes.cpu(os.getpid())
    worker = threading.Thread(target=work)
    worker.start()
    worked.wait()
    assert processes.cpu(os.getpid()) - before >= 20_000_000
    seen.set()
    worker.join()


def test_the_family_of_a_process_is_itself_and_its_children() -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
        family = processes.family(os.getpid())
        assert family[0] == os.getpid()
        assert child.pid in family


def switches() -> int:
    """Of this process."""
    return processes.voluntary_switches(os.getpid())


def test_falling_asleep_is_a_voluntary_switch() -> None:
    before = switches()
    asleep = threading.Event()
    until("it slept", lambda: asleep.wait(0.001) or switches() >= before + 7)


# --- SNMP ----------------------------------------------------------------------------------------

SYS_UP_TIME = "1.3.6.1.2.1.1.3.0"


def test_an_oid_is_encoded_in_septets() -> None:
    assert snmp.oid("1.3.6.1.4.1.2680.4294967295").hex() == "2b060104019478" + "8fffffff7f"
    assert snmp.dotted(snmp.oid("1.3.6.1.4.1.2680.4294967295")) == "1.3.6.1.4.1.2680.4294967295"
    assert snmp.dotted(snmp.oid("2.999.3")) == "2.999.3"


def test_a_get_is_encoded_as_rfc_3416_has_it() -> None:
    assert snmp.get(42, [SYS_UP_TIME], [snmp.TIMETICKS]).request == bytes.fromhex(
        "3026 020101 0406 7075626c6963"
        "a019 02012a 020100 020100 300e 300c 0608 2b06010201010300 0500"
    )


def test_a_bulk_walk_asks_for_as_many_as_are_expected() -> None:
    names = [f"1.3.6.1.2.1.2.2.1.10.{index}" for index in range(1001, 1201)]
    question = snmp.get_bulk(300, "1.3.6.1.2.1.2.2.1.10", names, COUNTER32)
    # A number of two octets, no non-repeaters, 200 repetitions.
    assert bytes.fromhex("a51c 0202012c 020100 020200c8") in question.request
    assert len(question.expected) == 200


NAMES = ["1.3.6.1.2.1.2.2.1.4.1003", "1.3.6.1.2.1.31.1.1.1.6.1003"]
ASKED = snmp.get(7, NAMES, [INTEGER, COUNTER64])


def encode(type_: int, *contents: bytes) -> bytes:
    """One BER value, long enough for a length of two octets or not."""
    content = b"".join(contents)
    size = len(content)
    length = bytes((size,)) if size < 128 else b"\x82" + size.to_bytes(2, "big")
    return bytes((type_,)) + length + content


def answer_to(
    question: Question, values: list[tuple[str, int, bytes]], number: int = 0, error: int = 0
) -> bytes:
    """A Response, of a request's own number if none is given."""
    varbinds = [
        encode(0x30, encode(0x06, snmp.oid(name)), encode(type_, value))
        for name, type_, value in values
    ]
    head = [
        encode(0x02, each.to_bytes(2, "big")) for each in (number or question.number, error, error)
    ]
    body = encode(0xA2, *head, encode(0x30, *varbinds))
    return encode(0x30, encode(0x02, b"\x01"), encode(0x04, b"public"), body)


RIGHT = [(NAMES[0], INTEGER, b"\x23\x28"), (NAMES[1], COUNTER64, b"\x00\xff" + bytes(7))]


def test_what_was_asked_for_is_taken() -> None:
    mtu, octets = snmp.check(ASKED, answer_to(ASKED, RIGHT))
    assert (mtu.number, octets.number) == (9000, 0xFF << 56)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        (RIGHT[::-1], r"31\.1\.1\.1\.6\.1003 came instead of 1\.3\.6\.1\.2\.1\.2\.2\.1\.4\.1003"),
        ([RIGHT[0], (NAMES[1] + "4", COUNTER64, b"\x05")], r"6\.10034 came instead of .*6\.1003"),
        ([RIGHT[0], (NAMES[1], COUNTER32, b"\x05")], "type 0x41 instead of type 0x46"),
        ([RIGHT[0], (NAMES[1], 0x81, b"")], "noSuchInstance"),
        (RIGHT[:1], "1 cells came instead of 2"),
        ([*RIGHT, (NAMES[1] + ".0", COUNTER64, b"\x05")], "3 cells came instead of 2"),
    ],
)
def test_what_was_not_asked_for_is_found(
    values: list[tuple[str, int, bytes]], complaint: str
) -> None:
    with pytest.raises(WrongAnswer, match=complaint):
        snmp.check(ASKED, answer_to(ASKED, values))


def test_an_answer_to_another_request_is_found() -> None:
    with pytest.raises(WrongAnswer, match="request 7 was answered as 6"):
        snmp.check(ASKED, answer_to(ASKED, RIGHT, number=6))


def test_an_error_is_found() -> None:
    with pytest.raises(WrongAnswer, match="request 7 was answered with error 5 at 5"):
        snmp.check(ASKED, answer_to(ASKED, [], error=5))


def test_an_answer_that_is_cut_short_is_found_wherever_that_is() -> None:
    whole = answer_to(ASKED, RIGHT)
    for end in range(len(whole)):
        with pytest.raises(WrongAnswer):
            snmp.check(ASKED, whole[:end])


def octets(index: int, value: int) -> Cell:
    """ifHCInOctets of a port."""
    return Cell(snmp.oid(f"1.3.6.1.2.1.31.1.1.1.6.{index}"), COUNTER64, value.to_bytes(9, "big"))


def counters(timeout: float) -> Counters:
    """Of port 1001 alone."""
    return Counters(["1.3.6.1.2.1.31.1.1.1.6.1001"], timeout)


def test_a_counter_that_stands_still_is_found() -> None:
    seen = counters(0)
    seen.see([octets(1001, 2**63)], 100.0)
    seen.see([octets(1001, 2**63 + 1)], 100.5)
    with pytest.raises(WrongAnswer, match=f"6\\.1001 stands still at {2**63 + 1}"):
        seen.see([octets(1001, 2**63 + 1)], 101.0)


def test_a_counter_may_stand_still_as_long_as_its_agent_keeps_it() -> None:
    seen = counters(3)
    for now, value in ((100.0, 17), (102.0, 17), (102.5, 18), (105.0, 18)):
        seen.see([octets(1001, value)], now)
    with pytest.raises(WrongAnswer, match="stands still at 18"):
        seen.see([octets(1001, 18)], 105.6)


def test_a_counter_that_falls_is_found() -> None:
    seen = counters(3)
    seen.see([octets(1001, 19)], 100.0)
    with pytest.raises(WrongAnswer, match="fell from 19 to 16"):
        seen.see([octets(1001, 16)], 100.1)


def test_the_counters_of_others_may_do_as_they_like() -> None:
    seen = counters(0)
    for now in (100.0, 101.0):
        seen.see([octets(1002, 23)], now)


# --- the poller ----------------------------------------------------------------------------------


def test_a_walk_asks_for_each_row_of_each_column_once_and_in_order() -> None:
    indexes = [str(index) for index in range(1001, 1031)]
    columns = {"1.3.6.1.2.1.2.2.1.2": OCTET_STRING, "1.3.6.1.2.1.2.2.1.3": INTEGER}
    questions = rows_of_columns(columns, indexes, 8, 15, 10)
    expected = [each for question in questions for each in question.expected]
    assert expected == [
        (snmp.oid(f"{column}.{index}"), type_)
        for column, type_ in columns.items()
        for index in range(1009, 1024)
    ]
    assert snmp.oid("1.3.6.1.2.1.2.2.1.2.1008") in questions[0].request
    assert snmp.oid("1.3.6.1.2.1.2.2.1.2.1018") in questions[1].request
    assert len({question.number for question in questions}) == len(questions) == 4


def test_a_walk_from_the_beginning_asks_for_the_column() -> None:
    (question,) = rows_of_columns({"1.3.6.1.2.1.2.2.1.3": INTEGER}, ["5", "6"], 0, 2, 10)
    column = snmp.oid("1.3.6.1.2.1.2.2.1.3")
    assert bytes((6, len(column))) + column in question.request


def test_turns_see_the_whole_table() -> None:
    assert {polled.window(turn, 1001) for turn in range(10)} == set(range(0, 1000, 100))
    assert {polled.window(turn, 10_000) for turn in range(100)} == set(range(0, 10_000, 100))
    assert polled.window(5, 100) == 0


def test_the_get_of_23_is_of_one_port() -> None:
    first, second = one_get_a_row(polled.SELECTED_PORT, ["1004", "1009"])
    assert len(set(first.expected)) == 23
    assert all(name == snmp.oid(snmp.dotted(name)) for name, _ in first.expected)
    assert {snmp.dotted(name).rsplit(".", 1)[1] for name, _ in second.expected} == {"1009"}


@pytest.mark.parametrize(
    ("columns", "served"),
    [
        (polled.IF_TABLE, if_mib.IF_TABLE),
        (polled.IF_X_TABLE, if_mib.IF_X_TABLE),
    ],
)
def test_the_bench_knows_the_types_of_all_that_we_serve(
    columns: dict[str, int], served: Table
) -> None:
    def name(column: Column) -> str:
        return dotted(served.entry) + f".{column.number}"

    assert columns == {name(column): column.type.number for column in served.columns}


def test_the_bench_walks_all_columns_of_neighbours() -> None:
    served = NET_TO_PHYSICAL_TABLE
    assert list(polled.IP_NET_TO_PHYSICAL) == [
        f"{dotted(served.entry)}.{column.number}" for column in served.columns
    ]


class Answerer:
    """In the place of an snmpd: answers what it is asked with what it was given."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.pid = os.getpid()

    def command(self, tool: str) -> list[str]:
        return [tool, f"127.0.0.1:{self._port}"]

    def enter(self) -> list[str]:
        return []


@contextmanager
def poller_of(*answers: bytes) -> Iterator[Poller]:
    """A poller whose snmpd gives these answers, one after the other, and then none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)

        def serve() -> None:
            for answer in answers:
                _, peer = server.recvfrom(1 << 16)
                server.sendto(answer, peer)

        worker = threading.Thread(target=serve)
        worker.start()
        asks = Poller(cast(Snmpd, Answerer(server.getsockname()[1])))
        yield asks
        asks.close()
        worker.join()


def test_the_poller_checks_after_the_turn_and_counts() -> None:
    with poller_of(answer_to(ASKED, RIGHT), answer_to(ASKED, RIGHT)) as asks:
        check = asks.turn([ASKED, ASKED])
        assert asks.cells == 0
        assert check() == asks.cells == 4
        assert asks.cpu > 0


def test_the_poller_finds_a_counter_that_stands_still() -> None:
    with poller_of(answer_to(ASKED, RIGHT), answer_to(ASKED, RIGHT)) as asks:
        check = asks.turn([ASKED, ASKED], Counters(NAMES[1:]))
        with pytest.raises(WrongAnswer, match="stands still"):
            check()


def test_a_poller_that_is_not_answered_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poller, "TIMEOUT", 1)
    with poller_of() as asks, pytest.raises(StageError, match="did not answer within 1 s"):
        asks.turn([ASKED])


def test_no_socket_is_made_where_there_is_no_namespace() -> None:
    with pytest.raises(StageError, match="no socket in the namespace of 4194305"):
        poller.in_namespace_of(4194305, socket.socket)


@pytest.mark.system
def test_the_agent_is_polled_and_its_counters_move(tmp_path: Path) -> None:
    with polled.ours(tmp_path, interfaces=20) as side:
        ask = partial(polled.first_rows, polled.BOTH_TABLES, 20)
        assert polled.cost(side, ask, 0) > 0
        assert polled.cost(side, ask, 1) > 0
        assert side.poller.cells == 2 * 20 * len(polled.BOTH_TABLES)
        side.move = lambda: None
        with pytest.raises(WrongAnswer, match="stands still"):
            polled.cost(side, ask, 2)


# --- the constant agent, and rest ----------------------------------------------------------------


def cells_of(*names: str) -> Cells:
    """Integers: 61, 62, ..."""
    return Cells(
        [
            (oid(name), encode_varbind(oid(name), INTEGER_TYPE, 61 + number))
            for number, name in enumerate(names)
        ]
    )


def ask(cells: Cells, type_: int, start: str, end: str = "", packet: int = 9) -> pdu.PDU:
    """What it answers to a request for one cell."""
    ranges = [pdu.SearchRange(oid(start), 0, oid(end) if end else b"")]
    request = pdu.encode(
        type_, pdu.ranges_payload(ranges), session_id=3, transaction_id=5, packet_id=packet
    )
    answer = cells.answer(request)
    header = pdu.decode_header(answer)
    assert len(answer) == pdu.HEADER_SIZE + header.length
    return pdu.decode(header, answer[pdu.HEADER_SIZE :])


def test_the_constant_agent_answers_from_its_cells() -> None:
    cells = cells_of("1.3.6.1.2.1.2.2.1.1.4", "1.3.6.1.2.1.2.2.1.1.8")
    for type_, start, end, value in (
        (pdu.GET, "1.3.6.1.2.1.2.2.1.1.8", "", 62),
        (pdu.GET, "1.3.6.1.2.1.2.2.1.1.5", "", None),
        (pdu.GETNEXT, "1.3.6.1.2.1.2.2.1.1.4", "", 62),
        (pdu.GETNEXT, "1.3.6.1.2.1.2.2", "", 61),
        (pdu.GETNEXT, "1.3.6.1.2.1.2.2.1.1.4", "1.3.6.1.2.1.2.2.1.1.8", None),
        (pdu.GETNEXT, "1.3.6.1.2.1.2.2.1.1.8", "", None),
    ):
        body = ask(cells, type_, start, end).body
        assert isinstance(body, pdu.Response)
        assert body.varbinds[0].value == value


def test_a_constant_is_given_again_to_another_packet() -> None:
    cells = cells_of("1.3.6.1.2.1.2.2.1.1.4")
    first = ask(cells, pdu.GET, "1.3.6.1.2.1.2.2.1.1.4", packet=11)
    again = ask(cells, pdu.GET, "1.3.6.1.2.1.2.2.1.1.4", packet=12)
    assert again == first._replace(header=first.header._replace(packet_id=12))
    assert (again.header.session_id, again.header.transaction_id) == (3, 5)


def test_seconds_with_a_sweep_are_no_rest() -> None:
    row = rest.work([(0.001, 0.0), (0.003, 0.0002), (0.002, 0.3)])
    assert row.figure == pytest.approx(0.21)
    assert row.other.startswith("with 1 s of sweeps 10.207%, child 10.007%")
