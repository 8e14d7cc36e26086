"""The session, against a scripted master that writes its PDUs in either byte order."""

import struct
from collections.abc import Iterable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vpp_snmp_agent.agentx import pdu
from vpp_snmp_agent.agentx import session as room
from vpp_snmp_agent.agentx.answers import PROCESSING_ERROR
from vpp_snmp_agent.agentx.fastpath import FastPath
from vpp_snmp_agent.agentx.mib import Module, Registration, View
from vpp_snmp_agent.agentx.pdu import (
    HEADER_SIZE,
    AgentCaps,
    Open,
    Register,
    Response,
    VarBinds,
)
from vpp_snmp_agent.agentx.registrations import PRIORITY
from vpp_snmp_agent.agentx.session import (
    MAX_ANSWERS,
    Closed,
    Opened,
    Pong,
    Refused,
    Registered,
    Session,
)
from vpp_snmp_agent.agentx.sorted_rows import SortedRows
from vpp_snmp_agent.agentx.values import INTEGER, MalformedPDU, encode_varbind, oid

from .masters import (
    ASKED,
    BASE,
    MODULES,
    NOTHING,
    NUMBER,
    OBJECTS,
    SESSION,
    TABLE,
    TRANSACTION,
    an_integer,
    an_octet_string,
    answered,
    from_master,
    get_bulk,
    get_next,
    index,
    packet_ids,
    ranges,
    refusal,
    response,
    split,
)
from .wire import ORDERS

ALL_GRANTED = Registered(len(ASKED), ())


def new_session(on_hold: bool = False) -> Session:
    return Session(View(OBJECTS), MODULES, "a test", on_hold=on_hold)


def opening(on_hold: bool = False) -> tuple[Session, int]:
    """A session that has sent its Open, and the packet of that."""
    session = new_session(on_hold)
    (packet,) = packet_ids(session.open())
    return session, packet


def registering(order: str = ">", on_hold: bool = False) -> tuple[Session, list[int]]:
    """A session that the master took, and the packets of what it registers."""
    session, packet = opening(on_hold)
    return session, packet_ids(session.receive(response(packet, order=order)))


def opened_session(order: str = ">", on_hold: bool = False) -> Session:
    """A session of which the master accepted everything."""
    session, asked = registering(order, on_hold)
    for each in asked:
        session.receive(response(each, order=order))
    assert list(session.events()) == [Opened(4711), ALL_GRANTED]
    return session


# --- opening ----------------------------------------------------------------------------


def test_a_session_begins_with_an_open() -> None:
    (asked,) = split(new_session().open())
    assert asked.header.type == pdu.OPEN
    assert asked.header.session_id == 0
    assert asked.context is None
    assert asked.body == Open(0, b"", b"a test")


@ORDERS
def test_everything_is_registered_at_once_when_the_master_took_the_session(order: str) -> None:
    session, packet = opening()
    asked = split(session.receive(response(packet, order=order)))
    assert [(each.header.type, each.body) for each in asked] == [
        (pdu.ADDAGENTCAPS, AgentCaps(oid(f"{BASE}.9"), b"one table")),
        (pdu.REGISTER, Register(0, PRIORITY, 0, oid(f"{BASE}.1"))),
        (pdu.REGISTER, Register(0, PRIORITY, 0, oid(f"{BASE}.2"))),
        (pdu.ADDAGENTCAPS, AgentCaps(oid(f"{BASE}.10"), b"nothing yet")),
        (pdu.REGISTER, Register(0, PRIORITY, 0, oid(f"{BASE}.3"))),
    ]
    assert {each.header.session_id for each in asked} == {SESSION}
    assert {each.header.order for each in asked} == {">"}
    assert list(session.events()) == [Opened(4711)]


def test_no_two_of_our_requests_have_the_same_packet_id() -> None:
    session = new_session()
    first = packet_ids(session.open())
    ids = first + packet_ids(session.receive(response(first[0]))) + packet_ids(session.ping())
    assert len(set(ids)) == len(ids) == 7


def test_the_master_may_echo_what_it_answers() -> None:
    session, packet = opening()
    echo = an_integer(f"{BASE}.1", 5)
    assert len(split(session.receive(response(packet, varbinds=echo)))) == 5


def test_registered_is_reported_once_after_the_last_answer() -> None:
    session, asked = registering()
    for each in asked[:0:-1]:
        assert session.receive(response(each)) == b""
    assert list(session.events()) == [Opened(4711)]
    session.receive(response(asked[0]))
    assert list(session.events()) == [ALL_GRANTED]


def test_a_second_answer_to_the_open_registers_nothing_again() -> None:
    session, packet = opening()
    assert session.receive(response(packet))
    assert session.receive(response(packet)) == b""
    assert list(session.events()) == [Opened(4711)]


def test_a_second_answer_to_a_registration_is_ignored() -> None:
    session, asked = registering()
    session.receive(response(asked[0]) * len(asked))
    assert list(session.events()) == [Opened(4711)]


def test_a_refused_open_closes_the_session() -> None:
    session, packet = opening()
    assert session.receive(response(packet, error=256)) == b""
    (event,) = session.events()
    assert isinstance(event, Closed)
    assert "OPENFAILED(256)" in event.reason
    assert session.close() == b""


def test_a_notification_goes_out_whole_and_its_refusal_is_reported() -> None:
    session = opened_session()
    sent = session.notify("a notification", [encode_varbind(oid(f"{BASE}.1.0"), INTEGER, 3)])
    (asked,) = split(sent)
    assert (asked.header.type, asked.header.session_id) == (pdu.NOTIFY, SESSION)
    assert asked.body == VarBinds([NUMBER])
    assert session.receive(response(asked.header.packet_id)) == b""
    assert not list(session.events())
    (packet,) = packet_ids(session.notify("a notification", []))
    session.receive(response(packet, error=PROCESSING_ERROR))
    assert list(session.events()) == [Refused("a notification", PROCESSING_ERROR)]


@pytest.mark.parametrize(
    ("which", "what"),
    [(0, f"capability {BASE}.9"), (2, f"subtree {BASE}.2"), (4, f"subtree {BASE}.3")],
)
def test_a_refused_registration_is_reported_with_its_error(which: int, what: str) -> None:
    session, asked = registering()
    for at, each in enumerate(asked):
        session.receive(response(each, error=263 if at == which else 0))
    assert list(session.events()) == [Opened(4711), Refused(what, 263), Registered(5, (what,))]


def test_a_session_serves_what_was_not_refused() -> None:
    session, asked = registering()
    for each in asked:
        session.receive(response(each, error=263))
    assert list(session.events())[-1] == Registered(5, ASKED)
    assert answered(session.receive(get_next(f"{BASE}.1"))).varbinds == [NUMBER]


def refused_session(*refused: int) -> Session:
    """A session of which the master refused these registrations, by their number."""
    session, asked = registering()
    for at, each in enumerate(asked):
        session.receive(response(each, error=263 if at in refused else 0))
    assert list(session.events())[-1] == Registered(5, tuple(ASKED[at] for at in refused))
    return session


def test_what_was_refused_is_asked_for_again_and_reported_once_all_is_answered() -> None:
    session = refused_session(1, 2, 4)
    (probe,) = split(session.register_again())
    assert probe.header.session_id == SESSION
    assert probe.body == Register(0, PRIORITY, 0, oid(f"{BASE}.1"))
    assert session.register_again() == session.register_new() == b""  # an answer is waited for
    second, third = packet_ids(session.receive(response(probe.header.packet_id)))
    assert list(session.events()) == []
    assert session.receive(response(second)) == b""
    assert session.receive(response(third, error=263)) == b""
    assert list(session.events()) == [Refused(ASKED[4], 263), Registered(5, (ASKED[4],))]
    (packet,) = packet_ids(session.register_again())
    assert session.receive(response(packet)) == b""
    assert list(session.events()) == [ALL_GRANTED]
    assert session.register_again() == b""


def test_a_session_that_was_closed_asks_for_nothing_again() -> None:
    session = refused_session(1)
    session.close()
    assert session.register_again() == b""


def test_a_row_that_is_found_is_registered_while_the_session_is_open() -> None:
    rows = [Registration(f"{BASE}.2.1.1.7", 10, 2)]
    module = Module(f"{BASE}.11", "rows", [], (), rows=lambda: rows)
    session = Session(View(OBJECTS), [module], "a test")
    assert session.register_new() == b""  # there is no session yet
    session.receive(response(*packet_ids(session.open())) + response(2) + response(3))
    assert list(session.events()) == [Opened(4711), Registered(2, ())]
    rows.append(Registration(f"{BASE}.2.1.1.8", 10, 2))
    (asked,) = split(session.register_new())
    assert asked.header.session_id == SESSION
    assert asked.body == Register(0, PRIORITY, 10, oid(f"{BASE}.2.1.1.8"), 2)
    assert session.receive(response(asked.header.packet_id)) == b""
    assert list(session.events()) == [Registered(3, ())]
    session.close()
    rows.append(Registration(f"{BASE}.2.1.1.9", 10, 2))
    assert session.register_new() == b""


def test_events_are_reported_once() -> None:
    session, packet = opening()
    session.receive(response(packet, up_time=99))
    assert list(session.events()) == [Opened(99)]
    assert list(session.events()) == []


def test_an_answer_nobody_waits_for_is_ignored() -> None:
    session = opened_session()
    assert session.receive(response(12345) + response(0, error=257)) == b""
    assert list(session.events()) == []


# --- pings ------------------------------------------------------------------------------


@ORDERS
def test_an_answered_ping_is_a_pong(order: str) -> None:
    session = opened_session(order)
    (asked,) = split(session.ping())
    assert (asked.header.type, asked.header.session_id) == (pdu.PING, SESSION)
    assert session.receive(response(asked.header.packet_id, order=order)) == b""
    assert list(session.events()) == [Pong()]


def test_a_ping_answered_with_an_error_closes_the_session() -> None:
    session = opened_session()
    (packet,) = packet_ids(session.ping())
    assert session.receive(response(packet, error=257)) == b""
    (event,) = session.events()
    assert isinstance(event, Closed)
    assert "NOTOPEN(257)" in event.reason
    assert session.close() == b""


def test_a_ping_of_the_master_is_answered() -> None:
    assert answered(opened_session().receive(from_master(pdu.PING))) == Response(0, 0, 0, [])


# --- closing ----------------------------------------------------------------------------


def test_our_close_says_that_we_shut_down() -> None:
    session = opened_session()
    (asked,) = split(session.close())
    assert (asked.header.type, asked.header.session_id) == (pdu.CLOSE, SESSION)
    assert asked.body == pdu.Close(5)


def test_a_session_is_closed_only_once() -> None:
    session = opened_session()
    (packet,) = packet_ids(session.close())
    assert session.close() == b""
    assert session.receive(response(packet)) == b""
    assert list(session.events()) == []


def test_a_session_that_never_opened_needs_no_close() -> None:
    session = new_session()
    assert session.close() == b""
    session.open()
    assert session.close() == b""


@ORDERS
@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (1, "other"),
        (2, "parse error"),
        (3, "protocol error"),
        (4, "timeouts"),
        (5, "shutdown"),
        (6, "by manager"),
        (77, "77"),
    ],
)
def test_a_close_of_the_master_is_reported_with_its_reason(
    reason: int, words: str, order: str
) -> None:
    session = opened_session()
    assert session.receive(from_master(pdu.CLOSE, bytes((reason, 0, 0, 0)), order=order)) == b""
    (event,) = session.events()
    assert isinstance(event, Closed)
    assert event.reason.endswith(f": {words}")
    assert session.close() == b""


def test_after_the_close_of_the_master_the_session_is_not_open() -> None:
    session = opened_session()
    session.receive(from_master(pdu.CLOSE, bytes((5, 0, 0, 0))))
    assert answered(session.receive(get_next(BASE))) == refusal(257)


def test_a_close_of_another_session_is_ignored() -> None:
    session = opened_session()
    assert session.receive(from_master(pdu.CLOSE, bytes((5, 0, 0, 0)), session=1)) == b""
    assert list(session.events()) == []
    assert answered(session.receive(get_next(BASE))).varbinds == [NUMBER]


# --- requests ---------------------------------------------------------------------------


@ORDERS
def test_an_answer_bears_the_ids_of_its_request_in_network_order(order: str) -> None:
    request = get_next(BASE, packet=0xAABBCCDD, order=order)
    answer = opened_session(order).receive(request)
    ids = struct.pack(">III", SESSION, TRANSACTION, 0xAABBCCDD)
    assert answer[:16] == b"\x01\x12\x10\x00" + ids
    assert answered(answer).varbinds == [NUMBER]


def test_a_request_sent_six_times_is_answered_six_times_alike() -> None:
    session = opened_session()
    answers = {session.receive(get_next(f"{BASE}.2")) for _ in range(6)}
    assert len(answers) == 1
    (answer,) = answers
    assert session.receive(get_next(f"{BASE}.2") * 6) == answer * 6


# --- SET --------------------------------------------------------------------------------


def test_a_set_changes_nothing() -> None:
    session = opened_session()
    session.receive(from_master(pdu.TESTSET, an_integer(f"{BASE}.1.0", 5)))
    session.receive(from_master(pdu.COMMITSET))
    assert answered(session.receive(get_next(BASE))).varbinds == [NUMBER]


@pytest.mark.parametrize("session_id", [SESSION, SESSION + 1])
@pytest.mark.parametrize("order", "><")
def test_a_cleanupset_is_never_answered(session_id: int, order: str) -> None:
    request = from_master(pdu.CLEANUPSET, session=session_id, order=order)
    assert opened_session().receive(request) == b""


# --- what is refused ----------------------------------------------------------------------

REQUESTS = {
    pdu.GET: ranges((BASE, 0, NOTHING)),
    pdu.GETNEXT: ranges((BASE, 0, NOTHING)),
    pdu.GETBULK: struct.pack(">HH", 0, 1) + ranges((BASE, 0, NOTHING)),
    pdu.TESTSET: an_integer(BASE, 1),
    pdu.COMMITSET: b"",
    pdu.UNDOSET: b"",
    pdu.PING: b"",
}
EACH_REQUEST = pytest.mark.parametrize("type_", REQUESTS)
BEARS_CONTEXT = [type_ for type_ in REQUESTS if type_ != pdu.COMMITSET]


@EACH_REQUEST
def test_a_request_for_another_session_is_refused_because_it_is_not_open(type_: int) -> None:
    request = from_master(type_, REQUESTS[type_], session=SESSION + 1)
    (answer,) = split(opened_session().receive(request))
    assert answer.body == refusal(257)
    assert answer.header.session_id == SESSION + 1


@pytest.mark.parametrize("session_id", [0, SESSION])
@EACH_REQUEST
def test_before_the_session_is_open_every_request_is_refused(type_: int, session_id: int) -> None:
    request = from_master(type_, REQUESTS[type_], session=session_id)
    assert answered(new_session().receive(request)) == refusal(257)


@EACH_REQUEST
def test_after_our_close_every_request_is_refused_because_it_is_not_open(type_: int) -> None:
    session = opened_session()
    session.close()
    assert answered(session.receive(from_master(type_, REQUESTS[type_]))) == refusal(257)


@ORDERS
@pytest.mark.parametrize("type_", BEARS_CONTEXT)
def test_a_context_is_not_supported(type_: int, order: str) -> None:
    bodies = {pdu.GETBULK: bytes(4), pdu.TESTSET: an_integer(BASE, 1, order)}
    payload = an_octet_string(b"vrf-1", order) + bodies.get(type_, b"")
    request = from_master(type_, payload, order=order, flags=0x08)
    assert answered(opened_session().receive(request)) == refusal(262)


def test_a_wrong_session_is_refused_before_a_wrong_context() -> None:
    request = from_master(pdu.PING, an_octet_string(b"vrf"), session=1, flags=0x08)
    assert answered(opened_session().receive(request)) == refusal(257)


@pytest.mark.parametrize(
    ("type_", "payload"),
    [
        (pdu.GET, ranges((BASE, 0, NOTHING))[:-4]),
        (pdu.GETNEXT, bytes((255, 0, 0, 0))),
        (pdu.GETBULK, b""),
        (pdu.TESTSET, bytes(8)),
        (pdu.ADDAGENTCAPS, b""),
        (0, b""),
        (19, b"abcd"),
        (255, b""),
    ],
)
def test_what_cannot_be_parsed_is_refused_and_the_stream_goes_on(
    type_: int, payload: bytes
) -> None:
    session = opened_session()
    broken, sound = split(session.receive(from_master(type_, payload) + get_next(BASE, packet=2)))
    assert broken.body == refusal(266)
    assert broken.header.packet_id == 1
    assert sound.body == Response(0, 0, 0, [NUMBER])
    assert sound.header.packet_id == 2


@pytest.mark.parametrize(
    "wrong",
    [
        from_master(pdu.CLOSE),
        from_master(pdu.CLOSE, bytes(4), session=1),
        from_master(pdu.RESPONSE, bytes(8), session=1),
    ],
)
def test_what_is_never_answered_is_not_answered_when_it_is_wrong_either(wrong: bytes) -> None:
    session = opened_session()
    assert session.receive(wrong) == b""
    assert list(session.events()) == []


@pytest.mark.parametrize("payload", [b"", bytes(4), bytes(12)])
def test_an_answer_to_us_that_cannot_be_read_ends_the_connection(payload: bytes) -> None:
    session = opened_session()
    session.ping()
    with pytest.raises(MalformedPDU):
        session.receive(from_master(pdu.RESPONSE, payload))


@pytest.mark.parametrize(
    "header",
    [
        b"\x02" + get_next(BASE)[1:HEADER_SIZE],
        from_master(pdu.GET)[:16] + b"\0\0\0\3",
        from_master(pdu.GET, order="<")[:16] + b"\3\0\0\0",
        from_master(pdu.GET)[:16] + b"\xff\xff\xff\xfc",
        b"GET / HTTP/1.1\r\nHost",
    ],
    ids=["version", "length", "little-endian length", "4 GiB", "another protocol"],
)
def test_a_header_that_cannot_be_read_ends_the_stream(header: bytes) -> None:
    with pytest.raises(MalformedPDU):
        opened_session().receive(header)


# --- the stream -----------------------------------------------------------------------------

THREE = (
    get_next(BASE, f"{BASE}.2", packet=1)
    + get_bulk(0, 2, (f"{BASE}.2", 0, NOTHING))
    + get_next(f"{BASE}.2.1.1.2", packet=3, order="<")
)


def test_requests_joined_in_one_read_are_answered_in_their_order() -> None:
    answers = split(opened_session().receive(THREE))
    assert [each.body for each in answers] == [
        Response(0, 0, 0, [NUMBER, index(1)]),
        Response(0, 0, 0, [index(1), index(2)]),
        Response(0, 0, 0, [index(10)]),
    ]
    assert [each.header.packet_id for each in answers] == [1, 1, 3]


@ORDERS
@pytest.mark.parametrize("joined", [1, 3])
def test_requests_are_answered_alike_wherever_a_read_cuts_them(joined: int, order: str) -> None:
    stream = get_next(BASE, order=order) if joined == 1 else THREE
    whole = opened_session().receive(stream)
    session = opened_session()
    for cut in range(len(stream) + 1):
        assert session.receive(stream[:cut]) + session.receive(stream[cut:]) == whole


def test_requests_are_answered_alike_byte_by_byte() -> None:
    session = opened_session()
    pieces = [session.receive(bytes((octet,))) for octet in THREE]
    assert b"".join(pieces) == opened_session().receive(THREE)
    assert pieces[-1] != b""


def test_an_answer_is_given_as_soon_as_its_request_is_whole() -> None:
    session = opened_session()
    first = get_next(BASE, packet=1)
    assert answered(session.receive(first + THREE[:30])).varbinds == [NUMBER]
    assert len(split(session.receive(THREE[30:]))) == 3


def test_opening_may_come_byte_by_byte() -> None:
    session, packet = opening()
    asked = b"".join(session.receive(bytes((octet,))) for octet in response(packet))
    assert [each.header.type for each in split(asked)] == [16, 3, 3, 16, 3]


def test_a_read_of_nothing_is_answered_with_nothing() -> None:
    assert opened_session().receive(b"") == b""


# --- the trace ----------------------------------------------------------------------------


def test_a_trace_has_a_line_for_each_pdu_that_comes_or_goes() -> None:
    lines: list[str] = []
    session = Session(View(OBJECTS), MODULES, "a test", lines.append)
    (packet,) = packet_ids(session.open())
    session.receive(response(packet))
    assert [line.split()[:2] for line in lines] == [
        ["<", "Response"],
        [">", "Addagentcaps"],
        [">", "Register"],
        [">", "Register"],
        [">", "Addagentcaps"],
        [">", "Register"],
    ]
    lines.clear()
    session.receive(from_master(99) + get_next(BASE))
    assert [line.split()[0] for line in lines] == ["<", ">", "<", ">"]
    assert lines[0] == "< a PDU of unknown type 99"
    assert lines[3].endswith(f"{BASE}.1.0 = INTEGER: 3")


def test_a_trace_begins_and_ends_at_once_and_loses_no_request() -> None:
    session = opened_session()
    lines: list[str] = []
    first = get_next(BASE, packet=11)
    assert session.receive(first[:21]) == b""
    session.trace(lines.append)
    assert answered(session.receive(first[21:])).varbinds == [NUMBER]
    assert [line.split()[:2] for line in lines] == [["<", "Getnext"], [">", "Response"]]
    second = get_next(f"{BASE}.1", packet=12)
    assert session.receive(second[:5]) == b""
    session.trace(None)
    assert answered(session.receive(second[5:])).varbinds == [NUMBER]
    assert session.receive(get_next(BASE, packet=13))
    assert len(lines) == 2


# --- another view ---------------------------------------------------------------------------


def another_view(*numbers: int) -> View:
    rows = SortedRows()
    for each in numbers:
        rows.put(oid(str(each)), each)
    return View([TABLE.over(rows)])


def test_another_view_is_answered_from_at_once() -> None:
    session = opened_session()
    asked = get_next(f"{BASE}.2.1.1.2")
    assert answered(session.receive(asked)).varbinds == [index(10)]
    session.show(another_view(2, 7))
    assert answered(session.receive(asked)).varbinds == [index(7)]
    assert answered(session.receive(get_bulk(0, 2, (f"{BASE}.2.1.1", 0, NOTHING)))).varbinds == [
        index(2),
        index(7),
    ]


def test_a_request_that_came_in_part_is_answered_from_the_other_view() -> None:
    session = opened_session()
    asked = get_next(f"{BASE}.2.1.1.2")
    assert session.receive(asked[:-3]) == b""
    session.show(another_view(4))
    assert answered(session.receive(asked[-3:])).varbinds == [index(4)]


def test_another_view_before_the_session_is_open_serves_it_later() -> None:
    session, packet = opening()
    session.show(another_view(5))
    session.receive(response(packet))
    assert answered(session.receive(get_next(f"{BASE}.2.1.1"))).varbinds == [index(5)]


def test_another_view_opens_no_session_that_was_closed() -> None:
    session = opened_session()
    session.close()
    session.show(another_view(5))
    session.trace(None)
    assert answered(session.receive(get_next(f"{BASE}.2.1.1"))) == refusal(257)


# --- on hold --------------------------------------------------------------------------------


def drained(session: Session) -> bytes:
    """What is sent once the hold ends, in as many pieces as it takes."""
    sent = []
    while session.more:
        sent.append(session.receive(b""))
    return b"".join(sent)


@pytest.mark.parametrize(
    "asked",
    [
        from_master(pdu.GET, ranges((f"{BASE}.1.0", 0, NOTHING))),
        get_next(BASE),
        get_bulk(0, 1, (BASE, 0, NOTHING)),
    ],
    ids=["Get", "GetNext", "GetBulk"],
)
def test_on_hold_a_request_waits_for_the_release(asked: bytes) -> None:
    session = opened_session(on_hold=True)
    assert session.receive(asked) == b""
    assert session.holds
    assert not session.more
    session.release()
    assert session.more
    assert not session.holds
    assert answered(session.receive(b"")).varbinds == [NUMBER]
    assert not session.more


@pytest.mark.parametrize(
    ("type_", "asked", "found"), [(pdu.GET, 10, 10), (pdu.GETNEXT, 2, 10)], ids=["Get", "GetNext"]
)
def test_on_hold_what_the_fast_path_would_answer_waits_too(
    type_: int, asked: int, found: int
) -> None:
    """snmpd writes a name with its prefix, as the fast path knows it."""
    search = pdu.SearchRange(oid(f"{BASE}.2.1.1.{asked}"), False, b"")
    request = from_master(type_, pdu.ranges_payload([search]), packet=35)
    session = opened_session(on_hold=True)
    assert session.receive(request) == b""
    session.show(View(OBJECTS))
    session.trace(None)
    assert session.receive(request) == b""
    session.release()
    answers = split(drained(session))
    assert [each.body for each in answers] == 2 * [Response(0, 0, 0, [index(found)])]
    fast = session.receive(request)
    assert FastPath(View(OBJECTS), SESSION).answer(request) == fast
    session.show(another_view(3))
    assert session.receive(request) != fast


def test_on_hold_everything_else_is_answered() -> None:
    session = opened_session(on_hold=True)
    assert session.receive(get_next(BASE, packet=41)) == b""
    ping = from_master(pdu.PING, packet=42)
    testset = from_master(pdu.TESTSET, an_integer(f"{BASE}.1.0", 5), packet=43)
    commit = from_master(pdu.COMMITSET, packet=44)
    undo = from_master(pdu.UNDOSET, packet=45)
    wrong = from_master(19, b"abcd", packet=46)
    assert packet_ids(session.receive(ping + testset + commit + undo + wrong)) == [
        *(42, 43, 44, 45, 46)
    ]
    assert session.receive(from_master(pdu.CLEANUPSET, packet=47)) == b""
    (pinged,) = packet_ids(session.ping())
    session.receive(response(pinged))
    assert list(session.events()) == [Pong()]
    session.receive(from_master(pdu.CLOSE, bytes((5, 0, 0, 0))))
    assert [type(each) for each in session.events()] == [Closed]


def test_release_answers_all_in_the_order_of_their_arrival() -> None:
    session = opened_session(on_hold=True)
    asked = [get_next(BASE, packet=packet) for packet in (9, 3, 7, 1)]
    for each in asked[:2]:
        assert session.receive(each) == b""
    assert session.receive(asked[2] + asked[3]) == b""
    session.release()
    assert packet_ids(drained(session)) == [9, 3, 7, 1]


def test_a_repeated_request_is_answered_as_often_as_it_came() -> None:
    session = opened_session(on_hold=True)
    for packet in (21, 22, 21):
        assert session.receive(get_next(BASE, packet=packet)) == b""
    session.release()
    answers = split(drained(session))
    assert [each.header.packet_id for each in answers] == [21, 22, 21]
    assert [each.body for each in answers] == 3 * [Response(0, 0, 0, [NUMBER])]


def test_a_request_that_came_in_part_before_the_release_is_answered_after_it() -> None:
    session = opened_session(on_hold=True)
    whole, cut = get_next(BASE, packet=31), get_next(f"{BASE}.2", packet=32)
    assert session.receive(whole + cut[:25]) == b""
    session.release()
    assert packet_ids(session.receive(b"")) == [31]
    assert not session.more
    assert session.receive(cut[25:-1]) == b""
    assert answered(session.receive(cut[-1:])).varbinds == [index(1)]


@pytest.mark.parametrize("at", range(0, 40, 3))
def test_on_hold_a_request_waits_wherever_a_read_cuts_it(at: int) -> None:
    session = opened_session(on_hold=True)
    asked = get_next(BASE, packet=33)
    assert session.receive(asked[:at]) + session.receive(asked[at:]) == b""
    session.release()
    assert packet_ids(drained(session)) == [33]


def test_after_the_release_nothing_waits() -> None:
    session = opened_session(on_hold=True)
    session.release()
    assert not session.more
    assert answered(session.receive(get_next(BASE))).varbinds == [NUMBER]


def test_what_waited_is_answered_from_the_view_of_the_release() -> None:
    session = opened_session(on_hold=True)
    asked = get_next(f"{BASE}.2.1.1.2", packet=34)
    assert session.receive(asked) == b""
    session.show(another_view(2, 8))
    assert session.receive(asked) == b""
    session.release()
    assert [each.body for each in split(drained(session))] == 2 * [Response(0, 0, 0, [index(8)])]


def test_on_hold_a_request_that_is_traced_is_traced_with_its_answer() -> None:
    lines: list[str] = []
    session = opened_session(on_hold=True)
    session.trace(lines.append)
    assert session.receive(get_next(BASE)) == b""
    session.release()
    assert session.receive(b"")
    assert [line.split()[:2] for line in lines] == [["<", "Getnext"], [">", "Response"]]


def test_more_than_a_stretch_of_answers_is_sent_in_pieces() -> None:
    session = opened_session(on_hold=True)
    count = 5 * MAX_ANSWERS // len(opened_session().receive(get_next(BASE)))
    for packet in range(1, count + 1):
        assert session.receive(get_next(BASE, packet=packet)) == b""
    session.release()
    pieces = []
    while session.more:
        pieces.append(session.receive(b""))
    assert len(pieces) > 4
    assert all(len(piece) < MAX_ANSWERS + 100 for piece in pieces)
    assert packet_ids(b"".join(pieces)) == list(range(1, count + 1))
    # The stream goes on behind them.
    assert packet_ids(session.receive(get_next(BASE, packet=7777))) == [7777]


def test_what_comes_while_answers_wait_to_be_sent_is_answered_behind_them() -> None:
    session = opened_session()
    bulk = get_bulk(0, 300, (f"{BASE}.2.1.1", 0, NOTHING))
    many = bulk * 400
    sent = session.receive(many)
    assert session.more
    sent += session.receive(get_next(BASE, packet=8888))
    sent += drained(session)
    assert packet_ids(sent) == 400 * [1] + [8888]


def test_a_request_that_is_a_header_alone_is_answered_behind_a_stretch_too() -> None:
    session = opened_session()
    bulk = get_bulk(0, 300, (f"{BASE}.2.1.1", 0, NOTHING))
    stretch = -(-MAX_ANSWERS // len(session.receive(bulk)))
    sent = session.receive(bulk * stretch + from_master(pdu.PING, packet=7878))
    assert packet_ids(sent) == stretch * [1]
    assert session.more
    assert packet_ids(session.receive(b"")) == [7878]
    assert not session.more


def test_requests_on_hold_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MAX_HELD", 3)
    session = opened_session(on_hold=True)
    for packet in (51, 52, 53):
        assert session.receive(get_next(BASE, packet=packet)) == b""
    assert packet_ids(session.receive(get_next(BASE, packet=54))) == [54]
    session.release()
    assert packet_ids(drained(session)) == [51, 52, 53]


def test_a_session_may_be_released_before_it_is_open() -> None:
    session, packet = opening(on_hold=True)
    session.release()
    session.receive(response(packet))
    assert answered(session.receive(get_next(BASE))).varbinds == [NUMBER]


# --- whatever comes -----------------------------------------------------------------------


def read_in_pieces(stream: bytes, pieces: Iterable[int]) -> None:
    """Only Responses may be sent, only MalformedPDU raised, wherever the reads are cut."""
    session = opened_session()
    cuts = sorted({0, len(stream), *(each for each in pieces if each < len(stream))})
    try:
        for start, end in pairwise(cuts):
            answers = split(session.receive(stream[start:end]))
            assert all(each.header.type == pdu.RESPONSE for each in answers)
    except MalformedPDU:
        return
    assert all(isinstance(each, Closed) for each in session.events())


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=4))
def test_random_bytes_only_ever_are_malformed(stream: bytes, pieces: list[int]) -> None:
    read_in_pieces(stream, pieces)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 255)), min_size=1, max_size=3))
def test_requests_with_some_octets_wrong_only_ever_are_malformed(
    wrong: list[tuple[int, int]],
) -> None:
    stream = bytearray(THREE)
    for at, octet in wrong:
        stream[at % len(stream)] = octet
    read_in_pieces(bytes(stream), [])


PDUS = st.builds(
    from_master,
    st.integers(0, 20).filter(lambda type_: type_ != pdu.RESPONSE),
    st.one_of(
        st.lists(st.sampled_from([b"\0\0\0\0", b"\0\2\0\0", b"\2\0\0\0", b"\0\0\0\1"])).map(
            b"".join
        ),
        st.sampled_from(list(REQUESTS.values())),
        st.integers(0, 12).flatmap(lambda words: st.binary(min_size=4 * words, max_size=4 * words)),
    ),
    session=st.sampled_from([SESSION, 0, 1]),
    packet=st.integers(100, 2**32 - 1),
    order=st.sampled_from("><"),
    flags=st.sampled_from([0, 0x08]),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(PDUS, max_size=5), st.lists(st.integers(0, 300), max_size=4))
def test_random_pdus_are_answered_and_never_malformed(
    pdus: Sequence[bytes], pieces: list[int]
) -> None:
    stream = b"".join(pdus)
    read_in_pieces(stream, pieces)
    answers = split(opened_session().receive(stream))
    silent = {pdu.CLEANUPSET, pdu.CLOSE}
    assert len(answers) == sum(each[1] not in silent for each in pdus)


@settings(max_examples=100, deadline=None)
@given(st.lists(PDUS, max_size=6), st.lists(st.integers(0, 300), max_size=4), st.integers(0, 6))
def test_a_hold_and_its_release_lose_no_answer(
    pdus: Sequence[bytes], pieces: list[int], released_after: int
) -> None:
    """The same answers as without a hold; only their order differs."""
    stream = b"".join(each for each in pdus if each[1] != pdu.CLOSE)
    session = opened_session(on_hold=True)
    cuts = sorted({0, len(stream), *(each for each in pieces if each < len(stream))})
    sent = []
    for number, (start, end) in enumerate(pairwise(cuts)):
        if number == released_after:
            session.release()
            sent.append(drained(session))
        sent.append(session.receive(stream[start:end]))
        sent.append(drained(session))
    session.release()
    sent.append(drained(session))
    plain = opened_session()
    expected = plain.receive(stream) + drained(plain)

    def by_packet(answers: bytes) -> list[tuple[int, str]]:
        return sorted((each.header.packet_id, repr(each)) for each in split(answers))

    assert by_packet(b"".join(sent)) == by_packet(expected)
