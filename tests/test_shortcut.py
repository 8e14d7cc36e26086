"""The short way answers as the long way does, or not at all."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vpp_snmp_agent.agentx import pdu, shortcut
from vpp_snmp_agent.agentx.mib import Column, Rows, Scalar, Table, View
from vpp_snmp_agent.agentx.pdu import (
    COUNTER32,
    COUNTER64,
    HEADER_SIZE,
    INTEGER,
    OCTET_STRING,
    Response,
    SearchRange,
    oid,
)
from vpp_snmp_agent.agentx.session import Session
from vpp_snmp_agent.agentx.shortcut import Shortcut

from .test_mib import key, models, names_near

SESSION = 0x11223344
ENTRY = "1.3.6.1.2.1.2.2.1"
BEHIND = oid("1.3.6.1.2.1.2.3")
ADDRESSES = "1.3.6.1.2.1.4.34.1"  # whose index is a type, a length, and an address
COLUMNS = tuple(range(1, 7))


def rows_of(*indexes: str, **hooks: Any) -> Rows:
    rows = Rows(**hooks)
    rows.replace({oid(index): index for index in indexes})
    return rows


def cell(column: int) -> Callable[[str], int | None]:
    """Of row 2 the third column does not exist."""
    return lambda row: None if (row, column) == ("2", 3) else column * 1000 + len(row)


def table(entry: str) -> Table:
    return Table(
        entry, [Column(number, f"column{number}", COUNTER64, cell(number)) for number in COLUMNS]
    )


@pytest.fixture
def rows() -> Rows:
    return rows_of("1", "2", "10", "1000")


@pytest.fixture
def view(rows: Rows) -> View:
    addresses = rows_of("1.4.10.0.0.1", "1.4.10.0.0.2", "2.2.1.1")
    return View(
        [
            Scalar("1.3.6.1.2.1.2.1", "number", INTEGER, lambda: len(rows)),
            table(ENTRY).over(rows),
            table(ADDRESSES).over(addresses),
        ]
    )


def request(
    type_: int, *names: str, end: bytes = b"", include: int = 0, session_id: int = SESSION
) -> bytes:
    ranges = [SearchRange(oid(name), include, end) for name in names]
    payload = pdu.ranges_payload(ranges)
    return pdu.encode(type_, payload, session_id=session_id, transaction_id=5, packet_id=6)


def get(*names: str) -> bytes:
    return request(pdu.GET, *names)


def get_next(*names: str, end: bytes = BEHIND, include: int = 0) -> bytes:
    return request(pdu.GETNEXT, *names, end=end, include=include)


def opened(view: View, trace: Callable[[str], None] | None) -> Session:
    session = Session(view, (), "a test", trace)
    packet = pdu.decode_header(session.open()).packet_id
    session.receive(pdu.encode(pdu.RESPONSE, bytes(8), session_id=SESSION, packet_id=packet))
    return session


def both_ways(view: View, requests: Sequence[bytes]) -> list[bytes]:
    """The answers by the short way, having checked that the long way gives the same."""
    short, long = opened(view, None), opened(view, lambda line: None)
    answers = [short.receive(each) for each in requests]
    assert answers == [long.receive(each) for each in requests]
    return answers


def values(answer: bytes) -> list[int | bytes | None]:
    header = pdu.decode_header(answer)
    body = pdu.decode(header, answer[HEADER_SIZE:]).body
    assert isinstance(body, Response)
    return [each.value for each in body.varbinds]


SHORT = {
    "a cell": get(f"{ENTRY}.4.10"),
    "cells of several rows": get(f"{ENTRY}.4.10", f"{ENTRY}.2.1000"),
    "cells of several tables": get(f"{ENTRY}.4.10", f"{ADDRESSES}.3.1.4.10.0.0.1"),
    "the cell after another": get_next(f"{ENTRY}.4.1"),
    "the cells after others": get_next(f"{ENTRY}.4.1", f"{ENTRY}.5.10", f"{ENTRY}.6.2"),
    "without an end": get_next(f"{ENTRY}.4.1", end=b""),
    "with an end at the next column but one": get_next(f"{ENTRY}.4.1", end=oid(f"{ENTRY}.5")),
    "of an index of several sub-identifiers": get_next(
        f"{ADDRESSES}.3.1.4.10.0.0.1", end=oid("1.3.6.1.2.1.5")
    ),
    "nothing": get(),
}
LONG = {
    "a cell that does not exist": get(f"{ENTRY}.3.2"),
    "the cell after which one does not exist": get_next(f"{ENTRY}.3.1"),
    "the cell after the last of a column": get_next(f"{ENTRY}.4.1000"),
    "a row that does not exist": get(f"{ENTRY}.4.3"),
    "the cell after one of a row that does not exist": get_next(f"{ENTRY}.4.3"),
    "the first cell of a column": get_next(f"{ENTRY}.4"),
    "the first cell of a table": get_next(ENTRY),
    "what is before the table": get_next("1.3.6.1.2.1.2"),
    "an index too long": get_next(f"{ENTRY}.4.10.0"),
    "an index too short": get(f"{ADDRESSES}.3.1.4.10.0.0"),
    "a column that does not exist": get(f"{ENTRY}.9.10"),
    "a scalar": get("1.3.6.1.2.1.2.1.0"),
    "an end within the column": get_next(f"{ENTRY}.4.1", end=oid(f"{ENTRY}.4.2")),
    "an end before the start": get_next(f"{ENTRY}.4.1", end=oid(f"{ENTRY}.1")),
    "the start itself": get_next(f"{ENTRY}.4.1", include=1),
    "one that is and one that is not": get(f"{ENTRY}.4.10", f"{ENTRY}.4.11"),
    "a Get with an end": request(pdu.GET, f"{ENTRY}.4.10", end=BEHIND),
}


@pytest.mark.parametrize("asked", SHORT.values(), ids=SHORT)
def test_what_is_there_is_answered_by_the_short_way(view: View, asked: bytes) -> None:
    assert Shortcut(view, SESSION).answer(asked) == both_ways(view, [asked])[0]


@pytest.mark.parametrize("asked", LONG.values(), ids=LONG)
def test_whatever_else_is_left_to_the_long_way(view: View, asked: bytes) -> None:
    assert Shortcut(view, SESSION).answer(asked) is None
    assert both_ways(view, [asked])[0]


def test_only_requests_of_the_session_in_network_order_are_answered(view: View) -> None:
    asked = get(f"{ENTRY}.4.10")
    short = Shortcut(view, SESSION)
    assert short.answer(asked) is not None
    for octet, value in ((0, 2), (1, pdu.GETBULK), (1, pdu.TESTSET), (2, 0x00), (2, 0x18), (7, 0)):
        assert short.answer(asked[:octet] + bytes((value,)) + asked[octet + 1 :]) is None


@pytest.mark.parametrize(
    "asked", [get(f"{ENTRY}.4.10"), get_next(f"{ENTRY}.4.1")], ids=["Get", "GetNext"]
)
def test_only_a_whole_request_and_nothing_more_is_answered(view: View, asked: bytes) -> None:
    short = Shortcut(view, SESSION)
    for cut in range(len(asked)):
        assert short.answer(asked[:cut]) is None
        # Even where the header agrees.
        length = max(0, cut - HEADER_SIZE).to_bytes(4, "big")
        lying = asked[:16] + length + asked[HEADER_SIZE:cut]
        assert short.answer(lying) is None or len(lying) == HEADER_SIZE
    assert short.answer(asked + bytes(4)) is None
    assert short.answer(asked + asked) is None


def test_rows_that_are_replaced_in_mid_walk_are_seen_at_once(view: View, rows: Rows) -> None:
    short = Shortcut(view, SESSION)
    answer = short.answer(get_next(f"{ENTRY}.4.2"))
    assert answer is not None
    assert values(answer) == [4002]
    rows.replace({oid(index): index for index in ("2", "77777", "100000")})
    answer = short.answer(get_next(f"{ENTRY}.4.2"))
    assert answer is not None
    assert values(answer) == [4005]
    assert short.answer(get_next(f"{ENTRY}.4.1")) is None
    assert both_ways(view, [get_next(f"{ENTRY}.4.1")])
    rows.replace({})
    assert short.answer(get_next(f"{ENTRY}.4.2")) is None


# --- a poller's Get of one row after another --------------------------------------------------


def port(index: str, *columns: int) -> bytes:
    return get(*(f"{ENTRY}.{column}.{index}" for column in columns or (1, 2, 4, 5)))


def test_a_get_of_many_cells_is_answered_alike_for_each_row(view: View) -> None:
    answers = both_ways(view, [port(index) for index in ("1", "10", "2", "1000", "1", "7", "2")])
    assert [values(each) for each in answers[:3]] == [
        [1001, 2001, 4001, 5001],
        [1002, 2002, 4002, 5002],
        [1001, 2001, 4001, 5001],
    ]


def test_a_get_of_as_many_octets_but_other_cells_is_not_taken_for_it(
    view: View, rows: Rows
) -> None:
    rows.replace({oid(index): index for index in ("1", "2", "4", "10")})
    mixed = get(f"{ENTRY}.1.1", f"{ENTRY}.2.1", f"{ENTRY}.4.2", f"{ENTRY}.5.1")
    both_ways(
        view,
        [
            port("1"),
            port("2"),
            port("10", 2, 1, 5, 4),
            port("1"),
            mixed,
            port("4"),
            mixed,
            port("2"),
        ],
    )


def test_a_get_of_many_cells_of_which_one_does_not_exist_is_left_to_the_long_way(
    view: View,
) -> None:
    both_ways(view, [port(index, 1, 2, 3, 4) for index in ("1", "2", "10")])


BIG = 5 * 2**64 + 7 * 2**32 + 9


def counted(readings: Callable[[str], tuple[int, ...] | None]) -> tuple[Rows, View]:
    """Four columns of two readings, long and short in turns, beside a column of its own."""
    rows = rows_of("1", "2", "3", readings=readings)
    columns = [
        Column(1, "first", COUNTER64, lambda row: BIG, place=0),
        Column(2, "second", COUNTER32, lambda row: BIG + 1, place=1),
        Column(3, "none's", OCTET_STRING, lambda row: row.encode()),
        Column(4, "first again", COUNTER32, lambda row: BIG, place=0),
        Column(5, "second again", COUNTER64, lambda row: BIG + 1, place=1),
        Column(6, "not beside them", INTEGER, lambda row: 6),
        Column(7, "alone", COUNTER32, lambda row: BIG, place=0),
    ]
    return rows, View([Table(ENTRY, columns).over(rows)])


def test_counters_of_a_known_get_are_read_together_and_answered_alike() -> None:
    asked: list[str] = []

    def readings(row: str) -> tuple[int, ...]:
        asked.append(row)
        return BIG, BIG + 1

    _, view = counted(readings)
    requests = [port(index, *range(1, 8)) for index in ("1", "2", "3", "4", "1")]
    answers = both_ways(view, requests)
    assert asked == ["2", "3", "1"]  # not to learn it, nor of a row that is not there
    long, short = BIG % 2**64, BIG % 2**32
    assert values(answers[1]) == [long, short + 1, b"2", short, long + 1, 6, short]


def test_a_row_without_readings_is_left_to_be_read_one_by_one() -> None:
    _, view = counted(lambda row: None)
    answers = both_ways(view, [port(index, 1, 2, 4, 5) for index in ("1", "2", "3")])
    long, short = BIG % 2**64, BIG % 2**32
    assert [values(each) for each in answers] == 3 * [[long, short + 1, short, long + 1]]


def test_the_gets_that_are_known_are_bounded(view: View) -> None:
    short = Shortcut(view, SESSION)
    for count in range(shortcut.MANY, 5 * shortcut.SHAPES):
        assert short.answer(get(*(count * [f"{ENTRY}.4.10"]))) is not None
        assert len(short._shapes) <= shortcut.SHAPES


# --- any MIB, any request -----------------------------------------------------------------------


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_request_is_answered_alike(data: st.DataObject) -> None:
    model = data.draw(models())
    names = names_near(model)
    requests = []
    for _ in range(data.draw(st.integers(1, 4))):
        ranges = [
            SearchRange(
                key(data.draw(names)),
                data.draw(st.integers(0, 1)),
                key(data.draw(st.just(()) | names)),
            )
            for _ in range(data.draw(st.integers(0, 5)))
        ]
        kind = data.draw(st.sampled_from([pdu.GET, pdu.GETNEXT]))
        requests.append(pdu.encode(kind, pdu.ranges_payload(ranges), session_id=SESSION))
    both_ways(model.view, requests)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_gets_of_one_row_after_another_are_answered_alike(data: st.DataObject) -> None:
    model = data.draw(models())
    columns = data.draw(st.lists(st.sampled_from(model.objects or [(1, 3)]), max_size=7))
    indexes = data.draw(st.lists(st.lists(st.integers(0, 3), max_size=3), min_size=1, max_size=5))
    requests = []
    for index in indexes:
        ranges = [SearchRange(key((*column, *index)), 0, b"") for column in columns]
        requests.append(pdu.encode(pdu.GET, pdu.ranges_payload(ranges), session_id=SESSION))
    both_ways(model.view, requests)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_request_with_octets_wrong_is_answered_alike(data: st.DataObject) -> None:
    """Where the long way ends the connection, the short way has nothing to say."""
    rows = rows_of("1", "2", "10", "1000")
    view = View([table(ENTRY).over(rows)])
    asked = bytearray(data.draw(st.sampled_from([*SHORT.values(), *LONG.values()])))
    for _ in range(data.draw(st.integers(1, 3))):
        asked[data.draw(st.integers(8, len(asked) - 1))] = data.draw(st.integers(0, 8))
    long = opened(view, lambda line: None)
    try:
        expected: bytes | None = long.receive(bytes(asked))
    except pdu.MalformedPDU:
        expected = None
    assert Shortcut(view, SESSION).answer(bytes(asked)) in (None, expected)
