"""The fast path answers as the slow path does, or not at all."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vpp_snmp_agent.agentx import fastpath, pdu
from vpp_snmp_agent.agentx.fastpath import FastPath
from vpp_snmp_agent.agentx.mib import Column, Scalar, Table, View
from vpp_snmp_agent.agentx.pdu import HEADER_SIZE, Response, SearchRange
from vpp_snmp_agent.agentx.session import Session
from vpp_snmp_agent.agentx.sorted_rows import SortedRows
from vpp_snmp_agent.agentx.values import (
    COUNTER32,
    COUNTER64,
    END_OF_MIB_VIEW,
    INTEGER,
    OCTET_STRING,
    MalformedPDU,
    VarBind,
    dotted,
    oid,
)

from . import test_mib
from .any_mib import key, models, names_near, polls
from .test_mib import NOWHERE, VIEW

SESSION = 0x11223344
ENTRY = "1.3.6.1.2.1.2.2.1"
AFTER_TABLE = oid("1.3.6.1.2.1.2.3")
ADDRESSES = "1.3.6.1.2.1.4.34.1"  # whose index is a type, a length, and an address
COLUMNS = tuple(range(1, 7))


def rows_of(*indexes: str) -> SortedRows:
    rows = SortedRows()
    for index in indexes:
        rows.put(oid(index), index)
    return rows


def replace(rows: SortedRows, *indexes: str) -> None:
    """These and no others from now on."""
    for each in list(rows):
        rows.remove(each)
    for index in indexes:
        rows.put(oid(index), index)


def cell(column: int) -> Callable[[str], int | None]:
    """Of row 2 the third column does not exist."""
    return lambda row: None if (row, column) == ("2", 3) else column * 1000 + len(row)


def table(entry: str) -> Table:
    return Table(
        entry, [Column(number, f"column{number}", COUNTER64, cell(number)) for number in COLUMNS]
    )


@pytest.fixture
def rows() -> SortedRows:
    return rows_of("1", "2", "10", "1000")


@pytest.fixture
def view(rows: SortedRows) -> View:
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


def get_next(*names: str, end: bytes = AFTER_TABLE, include: int = 0) -> bytes:
    return request(pdu.GETNEXT, *names, end=end, include=include)


def opened(view: View, trace: Callable[[str], None] | None) -> Session:
    session = Session(view, (), "a test", trace)
    packet = pdu.decode_header(session.open()).packet_id
    session.receive(pdu.encode(pdu.RESPONSE, bytes(8), session_id=SESSION, packet_id=packet))
    return session


def by_both_paths(view: View, requests: Sequence[bytes]) -> list[bytes]:
    """The answers by the fast path, having checked that the slow path gives the same."""
    fast, slow = opened(view, None), opened(view, lambda line: None)
    answers = [fast.receive(each) for each in requests]
    assert answers == [slow.receive(each) for each in requests]
    return answers


def values(answer: bytes) -> list[int | bytes | None]:
    header = pdu.decode_header(answer)
    body = pdu.decode(header, answer[HEADER_SIZE:]).body
    assert isinstance(body, Response)
    return [each.value for each in body.varbinds]


FAST = {
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
    "the cell after one of a row that does not exist": get_next(f"{ENTRY}.4.3"),
    "the first cell of a column": get_next(f"{ENTRY}.4"),
    "the cell after an index too long": get_next(f"{ENTRY}.4.10.0"),
    "nothing": get(),
}
SLOW = {
    "a cell that does not exist": get(f"{ENTRY}.3.2"),
    "the cell after which one does not exist": get_next(f"{ENTRY}.3.1"),
    "the cell after the last of a column": get_next(f"{ENTRY}.4.1000"),
    "a row that does not exist": get(f"{ENTRY}.4.3"),
    "the first cell of a table": get_next(ENTRY),
    "what is before the table": get_next("1.3.6.1.2.1.2"),
    "an index too long": get(f"{ENTRY}.4.10.0"),
    "an index too short": get(f"{ADDRESSES}.3.1.4.10.0.0"),
    "a column that does not exist": get(f"{ENTRY}.9.10"),
    "a scalar": get("1.3.6.1.2.1.2.1.0"),
    "an end within the column": get_next(f"{ENTRY}.4.1", end=oid(f"{ENTRY}.4.2")),
    "an end before the start": get_next(f"{ENTRY}.4.1", end=oid(f"{ENTRY}.1")),
    "the start itself": get_next(f"{ENTRY}.4.1", include=1),
    "one that is and one that is not": get(f"{ENTRY}.4.10", f"{ENTRY}.4.11"),
    "a Get with an end": request(pdu.GET, f"{ENTRY}.4.10", end=AFTER_TABLE),
}


@pytest.mark.parametrize("asked", FAST.values(), ids=FAST)
def test_what_is_there_is_answered_by_the_fast_path(view: View, asked: bytes) -> None:
    assert FastPath(view, SESSION).answer(asked) == by_both_paths(view, [asked])[0]


@pytest.mark.parametrize("asked", SLOW.values(), ids=SLOW)
def test_whatever_else_is_left_to_the_slow_path(view: View, asked: bytes) -> None:
    assert FastPath(view, SESSION).answer(asked) is None
    assert by_both_paths(view, [asked])[0]


def test_only_requests_of_the_session_in_network_order_are_answered(view: View) -> None:
    asked = get(f"{ENTRY}.4.10")
    fast = FastPath(view, SESSION)
    assert fast.answer(asked) is not None
    for octet, value in ((0, 2), (1, pdu.GETBULK), (1, pdu.TESTSET), (2, 0x00), (2, 0x18), (7, 0)):
        assert fast.answer(asked[:octet] + bytes((value,)) + asked[octet + 1 :]) is None


@pytest.mark.parametrize(
    "asked", [get(f"{ENTRY}.4.10"), get_next(f"{ENTRY}.4.1")], ids=["Get", "GetNext"]
)
def test_only_a_whole_request_and_nothing_more_is_answered(view: View, asked: bytes) -> None:
    fast = FastPath(view, SESSION)
    for cut in range(len(asked)):
        assert fast.answer(asked[:cut]) is None
        # Even where the header agrees.
        length = max(0, cut - HEADER_SIZE).to_bytes(4, "big")
        lying = asked[:16] + length + asked[HEADER_SIZE:cut]
        assert fast.answer(lying) is None or len(lying) == HEADER_SIZE
    assert fast.answer(asked + bytes(4)) is None
    assert fast.answer(asked + asked) is None


def test_rows_that_come_and_go_in_mid_walk_are_seen_at_once(view: View, rows: SortedRows) -> None:
    fast = FastPath(view, SESSION)
    answer = fast.answer(get_next(f"{ENTRY}.4.2"))
    assert answer is not None
    assert values(answer) == [4002]
    replace(rows, "2", "77777", "100000")
    answer = fast.answer(get_next(f"{ENTRY}.4.2"))
    assert answer is not None
    assert values(answer) == [4005]
    (answer,) = by_both_paths(view, [get_next(f"{ENTRY}.4.1")])
    assert values(answer) == [4001]
    replace(rows, "1")
    assert fast.answer(get_next(f"{ENTRY}.4.1")) is None
    replace(rows)
    assert fast.answer(get_next(f"{ENTRY}.4.2")) is None


# --- a poller's Get of one row after another --------------------------------------------------


def port(index: str, *columns: int) -> bytes:
    return get(*(f"{ENTRY}.{column}.{index}" for column in columns or (1, 2, 4, 5)))


def test_a_get_of_many_cells_is_answered_alike_for_each_row(view: View) -> None:
    answers = by_both_paths(
        view, [port(index) for index in ("1", "10", "2", "1000", "1", "7", "2")]
    )
    assert [values(each) for each in answers[:3]] == [
        [1001, 2001, 4001, 5001],
        [1002, 2002, 4002, 5002],
        [1001, 2001, 4001, 5001],
    ]


def test_a_get_of_as_many_octets_but_other_cells_is_not_taken_for_it(
    view: View, rows: SortedRows
) -> None:
    replace(rows, "1", "2", "4", "10")
    mixed = get(f"{ENTRY}.1.1", f"{ENTRY}.2.1", f"{ENTRY}.4.2", f"{ENTRY}.5.1")
    by_both_paths(
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


def test_a_get_of_many_cells_of_which_one_does_not_exist_is_left_to_the_slow_path(
    view: View,
) -> None:
    by_both_paths(view, [port(index, 1, 2, 3, 4) for index in ("1", "2", "10")])


BIG = 5 * 2**64 + 7 * 2**32 + 2**31 + 9


def with_readings(readings: Callable[[str], tuple[int, ...] | None]) -> View:
    """Four columns of two readings, long and short in turns, beside a column of its own."""
    rows = rows_of("1", "2", "3")
    columns = [
        Column(1, "first", COUNTER64, lambda row: BIG, reading_index=0),
        Column(2, "second", COUNTER32, lambda row: BIG + 1, reading_index=1),
        Column(3, "none's", OCTET_STRING, lambda row: row.encode()),
        Column(4, "first again", COUNTER32, lambda row: BIG, reading_index=0),
        Column(5, "second again", COUNTER64, lambda row: BIG + 1, reading_index=1),
        Column(6, "not beside them", INTEGER, lambda row: 6),
        Column(7, "alone", COUNTER32, lambda row: BIG, reading_index=0),
    ]
    return View([Table(ENTRY, columns).over(rows, rows, readings)])


def test_counters_of_a_known_get_are_read_together_and_answered_alike() -> None:
    asked: list[str] = []

    def readings(row: str) -> tuple[int, ...]:
        asked.append(row)
        return BIG, BIG + 1

    view = with_readings(readings)
    requests = [port(index, *range(1, 8)) for index in ("1", "2", "3", "4", "1")]
    answers = by_both_paths(view, requests)
    assert asked == ["2", "3", "1"]  # not to learn it, nor of a row that is not there
    long, short = BIG % 2**64, BIG % 2**32
    assert values(answers[1]) == [long, short + 1, b"2", short, long + 1, 6, short]


def test_a_row_without_readings_is_left_to_be_read_one_by_one() -> None:
    view = with_readings(lambda row: None)
    answers = by_both_paths(view, [port(index, 1, 2, 4, 5) for index in ("1", "2", "3")])
    long, short = BIG % 2**64, BIG % 2**32
    assert [values(each) for each in answers] == 3 * [[long, short + 1, short, long + 1]]


def test_a_row_that_comes_is_known_by_the_gets_of_the_others_and_one_that_goes_is_not(
    view: View, rows: SortedRows
) -> None:
    fast, slow = opened(view, None), opened(view, lambda line: None)
    for index, change in (
        ("1", None),
        ("2", None),
        ("7", "put"),
        ("7", "remove"),
        ("2", "remove"),
        ("2", "put"),
    ):
        if change == "put":
            rows.put(oid(index), index)
        elif change == "remove":
            rows.remove(oid(index))
        for each in (port(index), get_next(f"{ENTRY}.4.{index}"), get_next(f"{ENTRY}.4.1")):
            assert fast.receive(each) == slow.receive(each)


# --- counters of which some rows have none ------------------------------------------------------


@pytest.fixture
def counting() -> View:
    """Of rows 1 to 99 none is counted; their counters exist for Get alone."""
    rows, counted = SortedRows(), SortedRows()
    for number in (*range(1, 100), 150, 151):
        rows.put(oid(str(number)), number)
    for number in (150, 151):
        counted.put(oid(str(number)), number)
    columns = [
        Column(1, "index", INTEGER, lambda row: row),
        Column(2, "octets", COUNTER64, lambda row: row * 7 or None, reading_index=0),
        Column(3, "packets", COUNTER32, lambda row: row * 3, is_counter=True),
        Column(4, "last", INTEGER, lambda row: row + 4),
    ]
    return View([Table(ENTRY, columns).over(rows, counted, lambda row: (row * 7,))])


def test_counted_rows_are_walked_by_the_fast_path(counting: View) -> None:
    fast = FastPath(counting, SESSION)
    for column, value in ((2, 1050), (3, 450)):
        answer = fast.answer(get_next(f"{ENTRY}.{column}.5"))
        assert answer is not None
        assert values(answer) == [value]
    answer = fast.answer(get_next(f"{ENTRY}.1.5"))
    assert answer is not None
    assert values(answer) == [6]


def test_a_walk_over_counted_rows_gives_the_same_octets_by_both_paths(counting: View) -> None:
    start, seen = ENTRY, 0
    while True:
        (answer,) = by_both_paths(counting, [get_next(start, end=AFTER_TABLE)])
        header = pdu.decode_header(answer)
        body = pdu.decode(header, answer[HEADER_SIZE:]).body
        assert isinstance(body, Response)
        (varbind,) = body.varbinds
        if varbind.type is END_OF_MIB_VIEW:
            break
        start, seen = dotted(varbind.name), seen + 1
    assert seen == 101 + 2 + 2 + 101


def test_a_get_of_a_counter_that_is_not_counted_gives_the_same_octets_by_both_paths(
    counting: View,
) -> None:
    by_both_paths(counting, [port(index, 1, 2, 3, 4) for index in ("5", "150", "7", "151", "200")])


def test_the_gets_that_are_known_are_bounded(view: View) -> None:
    fast = FastPath(view, SESSION)
    for count in range(fastpath.MIN_TEMPLATE_CELLS, 5 * fastpath.MAX_TEMPLATES):
        assert fast.answer(get(*(count * [f"{ENTRY}.4.10"]))) is not None
        assert len(fast._templates) <= fastpath.MAX_TEMPLATES


# --- the answers of the slow path ---------------------------------------------------------------


class TestFastPath(test_mib.TestSlowPath):
    """The same answers: by the fast path where it has them, else by the slow one."""

    def answer(self, view: View, kind: int, ranges: Sequence[SearchRange]) -> list[VarBind] | None:
        """What the fast path of this view has to say, which goes on from one request to another."""
        if getattr(self, "view", None) is not view:
            self.view, self.fast = view, FastPath(view, SESSION)
        asked = pdu.encode(kind, pdu.ranges_payload(ranges), session_id=SESSION)
        response = self.fast.answer(asked)
        if response is None:
            return None
        body = pdu.decode(pdu.decode_header(response), response[HEADER_SIZE:]).body
        assert isinstance(body, Response)
        assert body.error == 0
        return body.varbinds

    def get_all(self, names: Sequence[bytes], view: View) -> list[VarBind]:
        ranges = [SearchRange(each, 0, NOWHERE) for each in names]
        answers = self.answer(view, pdu.GET, ranges)
        return super().get_all(names, view) if answers is None else answers

    def get_next(
        self, start: bytes, include: int = 0, end: bytes = NOWHERE, *, view: View = VIEW
    ) -> VarBind:
        answers = self.answer(view, pdu.GETNEXT, [SearchRange(start, include, end)])
        if answers is None:
            return super().get_next(start, include, end, view=view)
        (answer,) = answers
        return answer


# --- any MIB, any request -----------------------------------------------------------------------


@pytest.mark.slow
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
    by_both_paths(model.view, requests)


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(st.data())
def test_any_gets_of_one_row_after_another_are_answered_alike(data: st.DataObject) -> None:
    model = data.draw(models())
    requests = []
    for wanted in data.draw(polls(model)):
        ranges = [SearchRange(key(each), 0, b"") for each in wanted]
        requests.append(pdu.encode(pdu.GET, pdu.ranges_payload(ranges), session_id=SESSION))
    by_both_paths(model.view, requests)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_request_with_octets_wrong_is_answered_alike(data: st.DataObject) -> None:
    """Where the slow path ends the connection, the fast path has nothing to say."""
    rows = rows_of("1", "2", "10", "1000")
    view = View([table(ENTRY).over(rows)])
    asked = bytearray(data.draw(st.sampled_from([*FAST.values(), *SLOW.values()])))
    for _ in range(data.draw(st.integers(1, 3))):
        asked[data.draw(st.integers(8, len(asked) - 1))] = data.draw(st.integers(0, 8))
    slow = opened(view, lambda line: None)
    try:
        expected: bytes | None = slow.receive(bytes(asked))
    except MalformedPDU:
        expected = None
    assert FastPath(view, SESSION).answer(bytes(asked)) in (None, expected)
