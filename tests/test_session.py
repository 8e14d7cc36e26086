"""The session, against a scripted master that writes its PDUs in either byte order."""

import struct
from collections.abc import Iterable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vpp_snmp_agent.agentx import pdu
from vpp_snmp_agent.agentx import session as room
from vpp_snmp_agent.agentx.answers import MAX_BULK_OCTETS, PROCESSING_ERROR
from vpp_snmp_agent.agentx.fastpath import FastPath
from vpp_snmp_agent.agentx.mib import Column, Module, Registration, Scalar, Table, View
from vpp_snmp_agent.agentx.pdu import (
    HEADER_SIZE,
    PDU,
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
from vpp_snmp_agent.agentx.values import (
    COUNTER32,
    END_OF_MIB_VIEW,
    INTEGER,
    NO_SUCH_INSTANCE,
    NO_SUCH_OBJECT,
    MalformedPDU,
    VarBind,
    encode_oid,
    encode_varbind,
    oid,
)

ORDERS = pytest.mark.parametrize("order", [">", "<"], ids=["network", "little-endian"])
SESSION = 0x11223344
TRANSACTION = 0x55667788
NOTHING = ""  # the null OID

# --- the MIB ----------------------------------------------------------------------------

BASE = "1.3.6.1.4.1.99999"
ROWS = SortedRows()
for number in (1, 2, 10):
    ROWS.put(oid(str(number)), number)
TABLE = Table(
    f"{BASE}.2.1",
    (
        Column(1, "portIndex", INTEGER, lambda row: row),
        Column(2, "portPackets", COUNTER32, lambda row: None if row == 2 else row * 100),
    ),
)
OBJECTS = (Scalar(f"{BASE}.1", "portNumber", INTEGER, lambda: len(ROWS)), TABLE.over(ROWS))
MODULES = (
    Module(f"{BASE}.9", "one table", [f"{BASE}.1", f"{BASE}.2"], OBJECTS),
    Module(f"{BASE}.10", "nothing yet", [f"{BASE}.3"], ()),
)
ASKED = (  # in this order
    *(f"capability {BASE}.9", f"subtree {BASE}.1", f"subtree {BASE}.2"),
    *(f"capability {BASE}.10", f"subtree {BASE}.3"),
)
ALL_GRANTED = Registered(len(ASKED), ())
NUMBER = VarBind(oid(f"{BASE}.1.0"), INTEGER, 3)


def index(row: int) -> VarBind:
    return VarBind(oid(f"{BASE}.2.1.1.{row}"), INTEGER, row)


def packets(row: int) -> VarBind:
    return VarBind(oid(f"{BASE}.2.1.2.{row}"), COUNTER32, row * 100)


def ended(name: str) -> VarBind:
    return VarBind(oid(name), END_OF_MIB_VIEW, None)


# --- the master -------------------------------------------------------------------------


def an_oid(name: str, order: str, include: int = 0) -> bytes:
    subids = [int(part) for part in name.split(".")] if name else []
    return bytes((len(subids), 0, include, 0)) + struct.pack(f"{order}{len(subids)}I", *subids)


def ranges(*each: tuple[str, int, str], order: str = ">") -> bytes:
    """(start, include, end) of each range."""
    return b"".join(
        an_oid(start, order, include) + an_oid(end, order) for start, include, end in each
    )


def octets(text: bytes, order: str = ">") -> bytes:
    return struct.pack(order + "I", len(text)) + text + bytes(-len(text) % 4)


def an_integer(name: str, value: int, order: str = ">") -> bytes:
    """A variable binding."""
    return struct.pack(order + "HH", 2, 0) + an_oid(name, order) + struct.pack(order + "i", value)


def from_master(
    type_: int,
    payload: bytes = b"",
    *,
    packet: int = 1,
    session: int = SESSION,
    order: str = ">",
    flags: int = 0,
) -> bytes:
    flags |= 0x10 if order == ">" else 0
    fields = (session, TRANSACTION, packet, len(payload))
    return bytes((1, type_, flags, 0)) + struct.pack(order + "4I", *fields) + payload


def response(
    packet: int, *, error: int = 0, up_time: int = 4711, order: str = ">", varbinds: bytes = b""
) -> bytes:
    """The master's answer to what we asked."""
    payload = struct.pack(order + "IHH", up_time, error, 0) + varbinds
    return from_master(pdu.RESPONSE, payload, packet=packet, order=order)


def split(stream: bytes) -> list[PDU]:
    """The PDUs we sent."""
    found = []
    while stream:
        header = pdu.decode_header(stream)
        end = HEADER_SIZE + header.length
        found.append(pdu.decode(header, stream[HEADER_SIZE:end]))
        stream = stream[end:]
    return found


def packet_ids(stream: bytes) -> list[int]:
    return [each.header.packet_id for each in split(stream)]


def answered(stream: bytes) -> Response:
    """The body of the one Response we sent."""
    (answer,) = split(stream)
    assert isinstance(answer.body, Response)
    return answer.body


def refusal(error: int, at: int = 0) -> Response:
    return Response(0, error, at, [])


def new_session(on_hold: bool = False) -> Session:
    return Session(View(OBJECTS), MODULES, "a test", on_hold=on_hold)


def opened_session(order: str = ">", on_hold: bool = False) -> Session:
    """A session of which the master accepted everything."""
    session = new_session(on_hold)
    (packet,) = packet_ids(session.open())
    for each in packet_ids(session.receive(response(packet, order=order))):
        session.receive(response(each, order=order))
    assert list(session.events()) == [Opened(4711), ALL_GRANTED]
    return session


def get_next(*starts: str, packet: int = 1, order: str = ">") -> bytes:
    payload = ranges(*((start, 0, NOTHING) for start in starts), order=order)
    return from_master(pdu.GETNEXT, payload, packet=packet, order=order)


def get_bulk(non_repeaters: int, repetitions: int, *each: tuple[str, int, str]) -> bytes:
    head = struct.pack(">HH", non_repeaters, repetitions)
    return from_master(pdu.GETBULK, head + ranges(*each))


# --- opening ----------------------------------------------------------------------------


def test_a_session_begins_with_an_open() -> None:
    (asked,) = split(new_session().open())
    assert asked.header.type == pdu.OPEN
    assert asked.header.session_id == 0
    assert asked.context is None
    assert asked.body == Open(0, b"", b"a test")


@ORDERS
def test_everything_is_registered_at_once_when_the_master_took_the_session(order: str) -> None:
    session = new_session()
    (packet,) = packet_ids(session.open())
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


def test_we_register_stronger_than_the_modules_of_net_snmp() -> None:
    assert 0 < PRIORITY < 127


def test_no_two_of_our_requests_have_the_same_packet_id() -> None:
    session = new_session()
    first = packet_ids(session.open())
    ids = first + packet_ids(session.receive(response(first[0]))) + packet_ids(session.ping())
    assert len(set(ids)) == len(ids) == 7


def test_the_master_may_echo_what_it_answers() -> None:
    session = new_session()
    (packet,) = packet_ids(session.open())
    echo = an_integer(f"{BASE}.1", 5)
    assert len(split(session.receive(response(packet, varbinds=echo)))) == 5


def test_registered_is_reported_once_after_the_last_answer() -> None:
    session = new_session()
    (packet,) = packet_ids(session.open())
    asked = packet_ids(session.receive(response(packet)))
    for each in asked[:0:-1]:
        assert session.receive(response(each)) == b""
    assert list(session.events()) == [Opened(4711)]
    session.receive(response(asked[0]))
    assert list(session.events()) == [ALL_GRANTED]


def test_a_second_answer_to_the_open_registers_nothing_again() -> None:
    session = new_session()
    (packet,) = packet_ids(session.open())
    assert session.receive(response(packet))
    assert session.receive(response(packet)) == b""
    assert list(session.events()) == [Opened(4711)]


def test_a_second_answer_to_a_registration_is_ignored() -> None:
    session = new_session()
    (packet,) = packet_ids(session.open())
    asked = packet_ids(session.receive(response(packet)))
    session.receive(response(asked[0]) * len(asked))
    assert list(session.events()) == [Opened(4711)]


def test_a_refused_open_closes_the_session() -> None:
    session = new_session()
    (packet,) = packet_ids(session.open())
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
    session = new_session()
    (packet,) = packet_ids(session.open())
    asked = packet_ids(session.receive(response(packet)))
    for at, each in enumerate(asked):
        session.receive(response(each, error=263 if at == which else 0))
    assert list(session.events()) == [Opened(4711), Refused(what, 263), Registered(5, (what,))]


def test_a_session_serves_what_was_not_refused() -> None:
    session = new_session()
    (packet,) = packet_ids(session.open())
    for each in packet_ids(session.receive(response(packet))):
        session.receive(response(each, error=263))
    assert list(session.events())[-1] == Registered(5, ASKED)
    assert answered(session.receive(get_next(f"{BASE}.1"))).varbinds == [NUMBER]


def refused_session(*refused: int) -> Session:
    """A session of which the master refused these registrations, by their number."""
    session = new_session()
    (packet,) = packet_ids(session.open())
    for at, each in enumerate(packet_ids(session.receive(response(packet)))):
        session.receive(response(each, error=263 if at in refused else 0))
    assert list(session.events())[-1] == Registered(5, tuple(ASKED[at] for at in refused))
    return session


def asked_again(session: Session) -> tuple[int, bytes]:
    """The one registration that is tried again: its packet, and what is asked for."""
    (again,) = split(sent := session.register_again())
    assert again.header.session_id == SESSION
    return again.header.packet_id, sent[HEADER_SIZE:]


def test_what_was_refused_is_asked_for_again_one_in_its_turn() -> None:
    session = refused_session(1, 2, 4)
    asked = []
    for at in (1, 2, 4, 1):
        packet, what = asked_again(session)
        assert session.register_again() == b""  # an answer is waited for
        assert session.receive(response(packet, error=263)) == b""
        refused = Registered(5, (ASKED[1], ASKED[2], ASKED[4]))
        assert list(session.events()) == [Refused(ASKED[at], 263), refused]
        asked.append(what)
    assert len({*asked}) == 3
    assert asked[0] == asked[3]


def test_once_one_is_granted_the_others_are_asked_for_at_once() -> None:
    session = refused_session(1, 2, 4)
    packet, _ = asked_again(session)
    second, third = packet_ids(session.receive(response(packet)))
    assert list(session.events()) == []
    assert session.receive(response(second)) == b""
    assert session.receive(response(third, error=263)) == b""
    assert list(session.events()) == [Refused(ASKED[4], 263), Registered(5, (ASKED[4],))]
    packet, _ = asked_again(session)
    assert session.receive(response(packet)) == b""
    assert list(session.events()) == [ALL_GRANTED]
    assert session.register_again() == b""


def test_a_capability_that_was_refused_is_asked_for_again() -> None:
    (again,) = split(refused_session(0).register_again())
    assert again.header.type == pdu.ADDAGENTCAPS


def test_a_session_that_was_closed_asks_for_nothing_again() -> None:
    session = refused_session(1)
    session.close()
    assert session.register_again() == b""


# --- rows that are registered as they are found --------------------------------------------


class Found:
    """A session with a module that has found some rows."""

    def __init__(self, *numbers: int) -> None:
        self.numbers = list(numbers)
        module = Module(f"{BASE}.11", "rows", [f"{BASE}.1"], OBJECTS, rows=self._rows)
        self.session = Session(View(OBJECTS), [module], "a test")
        (self.opening,) = packet_ids(self.session.open())

    def _rows(self) -> list[Registration]:
        return [found_row(number) for number in self.numbers]

    def serve(self) -> None:
        """Grant all that is registered when the session opens."""
        for each in packet_ids(self.session.receive(response(self.opening))):
            self.session.receive(response(each))

    def register(self) -> list[PDU]:
        return split(self.session.register_new())


def found_row(number: int) -> Registration:
    return Registration(f"{BASE}.2.1.1.{number}", 10, 2)


def row_name(number: int) -> str:
    return f"subtree {BASE}.2.1.[1-2].{number}"


def as_registered(number: int) -> Register:
    return Register(0, PRIORITY, 10, oid(f"{BASE}.2.1.1.{number}"), 2)


def test_rows_that_are_known_are_registered_when_the_session_opens() -> None:
    found = Found(5, 3)
    asked = split(found.session.receive(response(found.opening)))
    assert [each.body for each in asked[1:]] == [
        Register(0, PRIORITY, 0, oid(f"{BASE}.1")),
        as_registered(5),
        as_registered(3),
    ]
    for each in asked:
        found.session.receive(response(each.header.packet_id))
    assert list(found.session.events())[-1] == Registered(4, ())
    assert found.register() == []


def test_rows_that_are_found_later_are_registered_once_and_counted() -> None:
    found = Found(5)
    assert found.register() == []  # there is no session yet
    opened = packet_ids(found.session.receive(response(found.opening)))
    found.numbers += [7, 8]
    assert found.register() == []  # answers are waited for
    for packet in opened:
        found.session.receive(response(packet))
    assert list(found.session.events())[-1] == Registered(3, ())
    asked = found.register()
    assert [each.body for each in asked] == [as_registered(7), as_registered(8)]
    assert {each.header.session_id for each in asked} == {SESSION}
    assert found.register() == []
    for each in asked:
        found.session.receive(response(each.header.packet_id))
    assert list(found.session.events()) == [Registered(5, ())]
    assert found.register() == []


def test_a_row_that_is_refused_is_named_and_asked_for_again_like_anything_else() -> None:
    found = Found()
    found.serve()
    found.numbers += [7, 8]
    refused, granted = found.register()
    found.session.receive(response(refused.header.packet_id, error=263))
    found.session.receive(response(granted.header.packet_id))
    events = list(found.session.events())
    assert events[-2:] == [Refused(row_name(7), 263), Registered(4, (row_name(7),))]
    (again,) = split(found.session.register_again())
    assert again.body == as_registered(7)
    found.session.receive(response(again.header.packet_id))
    assert list(found.session.events()) == [Registered(4, ())]


def test_a_session_that_was_closed_registers_no_row() -> None:
    found = Found()
    found.serve()
    found.session.close()
    found.numbers.append(9)
    assert found.register() == []


def test_events_are_reported_once() -> None:
    session = new_session()
    (packet,) = packet_ids(session.open())
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
def test_get_answers_every_name_in_its_place(order: str) -> None:
    names = [f"{BASE}.2.1.2.10", f"{BASE}.1.0", f"{BASE}.2.1.2.2", f"{BASE}.7.0"]
    payload = ranges(*((name, 0, NOTHING) for name in names), order=order)
    answer = answered(opened_session().receive(from_master(pdu.GET, payload, order=order)))
    assert (answer.error, answer.error_index) == (0, 0)
    assert answer.varbinds == [
        packets(10),
        NUMBER,
        VarBind(oid(names[2]), NO_SUCH_INSTANCE, None),
        VarBind(oid(names[3]), NO_SUCH_OBJECT, None),
    ]


@ORDERS
def test_getnext_answers_every_range_in_its_place(order: str) -> None:
    payload = ranges(
        (f"{BASE}.2.1.1.2", 0, f"{BASE}.3"),
        (f"{BASE}.2.1.1.2", 1, f"{BASE}.3"),
        (f"{BASE}.2.1.2.1", 0, NOTHING),
        (f"{BASE}.2.1.1.2", 0, f"{BASE}.2.1.1.10"),
        (f"{BASE}.2.1.2.10", 0, NOTHING),
        order=order,
    )
    answer = answered(opened_session().receive(from_master(pdu.GETNEXT, payload, order=order)))
    assert (answer.error, answer.error_index) == (0, 0)
    assert answer.varbinds == [
        index(10),
        index(2),
        packets(10),
        ended(f"{BASE}.2.1.1.2"),
        ended(f"{BASE}.2.1.2.10"),
    ]


@pytest.mark.parametrize("type_", [pdu.GET, pdu.GETNEXT])
def test_a_request_for_nothing_is_answered_with_nothing(type_: int) -> None:
    assert answered(opened_session().receive(from_master(type_))) == Response(0, 0, 0, [])


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


# --- GetBulk ------------------------------------------------------------------------------


def test_getbulk_repeats_what_is_to_be_repeated() -> None:
    request = get_bulk(
        1,
        2,
        (BASE, 0, NOTHING),
        (f"{BASE}.2.1.1", 0, NOTHING),
        (f"{BASE}.2.1.2.1", 1, NOTHING),
    )
    assert answered(opened_session().receive(request)).varbinds == [
        NUMBER,
        *(index(1), packets(1)),
        *(index(2), packets(10)),
    ]


def test_getbulk_ends_when_every_repeater_ended() -> None:
    end = f"{BASE}.3"
    request = get_bulk(
        0, 100, (f"{BASE}.2.1.1.10", 0, f"{BASE}.2.1.2"), (f"{BASE}.2.1.1.10", 0, end)
    )
    one_ended = ended(f"{BASE}.2.1.1.10")
    assert answered(opened_session().receive(request)).varbinds == [
        *(one_ended, packets(1)),
        *(one_ended, packets(10)),
        *(one_ended, ended(f"{BASE}.2.1.2.10")),
    ]


def test_getbulk_of_no_repetitions_answers_the_non_repeaters() -> None:
    request = get_bulk(1, 0, (BASE, 0, NOTHING), (f"{BASE}.2", 0, NOTHING))
    assert answered(opened_session().receive(request)).varbinds == [NUMBER]


def test_getbulk_of_more_non_repeaters_than_ranges_is_a_getnext() -> None:
    request = get_bulk(9, 9, (BASE, 0, NOTHING), (f"{BASE}.2", 0, NOTHING))
    assert answered(opened_session().receive(request)).varbinds == [NUMBER, index(1)]


def test_getbulk_walks_on_as_getnext_does() -> None:
    answer = answered(opened_session().receive(get_bulk(0, 6, (BASE, 0, NOTHING))))
    names = [each.name for each in answer.varbinds]
    assert len(names) == 6
    assert all(before < after for before, after in pairwise(names))


def test_getbulk_of_65535_repetitions_is_bounded() -> None:
    rows = SortedRows()
    for each in range(1, 10_001):
        rows.put(oid(str(each)), each)
    session = Session(View([TABLE.over(rows)]), (), "many rows")
    (packet,) = packet_ids(session.open())
    session.receive(response(packet))
    answer = session.receive(get_bulk(0, 65535, (f"{BASE}.2.1.1", 0, f"{BASE}.2.1.2")))
    assert MAX_BULK_OCTETS < len(answer) < MAX_BULK_OCTETS + 200
    varbinds = answered(answer).varbinds
    assert varbinds == [index(each) for each in range(1, len(varbinds) + 1)]


def test_getbulk_at_the_end_does_not_repeat_the_end() -> None:
    request = get_bulk(0, 65535, (f"{BASE}.3", 0, NOTHING))
    assert answered(opened_session().receive(request)).varbinds == [ended(f"{BASE}.3")]


# --- SET --------------------------------------------------------------------------------


@ORDERS
def test_a_set_is_refused_because_nothing_is_writable(order: str) -> None:
    payload = an_integer(f"{BASE}.1.0", 5, order) + an_integer(f"{BASE}.2.1.1.1", 6, order)
    answer = opened_session().receive(from_master(pdu.TESTSET, payload, order=order))
    assert answered(answer) == refusal(17, 1)


def test_a_set_changes_nothing() -> None:
    session = opened_session()
    session.receive(from_master(pdu.TESTSET, an_integer(f"{BASE}.1.0", 5)))
    session.receive(from_master(pdu.COMMITSET))
    assert answered(session.receive(get_next(BASE))).varbinds == [NUMBER]


@pytest.mark.parametrize(("type_", "error", "at"), [(pdu.COMMITSET, 14, 1), (pdu.UNDOSET, 0, 0)])
def test_the_other_pdus_of_a_set_are_answered(type_: int, error: int, at: int) -> None:
    assert answered(opened_session().receive(from_master(type_))) == refusal(error, at)


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
    payload = octets(b"vrf-1", order) + bodies.get(type_, b"")
    request = from_master(type_, payload, order=order, flags=0x08)
    assert answered(opened_session().receive(request)) == refusal(262)


def test_a_wrong_session_is_refused_before_a_wrong_context() -> None:
    request = from_master(pdu.PING, octets(b"vrf"), session=1, flags=0x08)
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
    ("type_", "payload"),
    [
        (pdu.OPEN, pdu.open_payload("master")),
        (pdu.REGISTER, pdu.register_payload(oid(BASE), 1)),
        (pdu.UNREGISTER, pdu.register_payload(oid(BASE), 1)),
        (pdu.ADDAGENTCAPS, pdu.caps_payload(oid(BASE), "master")),
        (pdu.REMOVEAGENTCAPS, encode_oid(oid(BASE))),
        (pdu.NOTIFY, an_integer(BASE, 1)),
        (pdu.INDEXALLOCATE, an_integer(BASE, 1)),
        (pdu.INDEXDEALLOCATE, an_integer(BASE, 1)),
    ],
)
def test_what_only_a_subagent_asks_is_refused(type_: int, payload: bytes) -> None:
    assert answered(opened_session().receive(from_master(type_, payload))) == refusal(268)


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
    session = new_session()
    (packet,) = packet_ids(session.open())
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
    session = new_session()
    (packet,) = packet_ids(session.open())
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


def test_requests_on_hold_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MAX_HELD", 3)
    session = opened_session(on_hold=True)
    for packet in (51, 52, 53):
        assert session.receive(get_next(BASE, packet=packet)) == b""
    assert packet_ids(session.receive(get_next(BASE, packet=54))) == [54]
    session.release()
    assert packet_ids(drained(session)) == [51, 52, 53]


def test_a_session_may_be_released_before_it_is_open() -> None:
    session = new_session(on_hold=True)
    (packet,) = packet_ids(session.open())
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
