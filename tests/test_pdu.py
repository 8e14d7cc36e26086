"""agentx/pdu.py: against pyagentx3's, and against bytes laid out as RFC 2741 says."""

from typing import Any

import pyagentx3 as ax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vpp_snmp_agent.agentx import pdu
from vpp_snmp_agent.agentx.pdu import (
    HEADER_SIZE,
    AgentCaps,
    Body,
    Close,
    Empty,
    Get,
    GetBulk,
    Header,
    Open,
    Register,
    Response,
    SearchRange,
    VarBinds,
)
from vpp_snmp_agent.agentx.values import (
    COUNTER32,
    COUNTER64,
    END_OF_MIB_VIEW,
    GAUGE32,
    INTEGER,
    IP_ADDRESS,
    NO_SUCH_INSTANCE,
    NO_SUCH_OBJECT,
    NULL,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    OPAQUE,
    TIMETICKS,
    MalformedPDU,
    ValueType,
    VarBind,
    decode_varbind,
    dotted,
    encode_varbind,
    oid,
)

from .wire import IDS, IF_TABLE, ORDERS, frame, key_of, octets, read

CONTEXT = "00000003 76 72 66 00"
TYPES_WITH_CONTEXT = {*range(3, 9), 10, *range(12, 18)}


def read_by_other(data: bytes) -> Any:
    """The same by pyagentx3."""
    other = ax.pdu.PDU()
    other.decode(data)
    return other


def written_by_other(type_: int, **fields: Any) -> bytes:
    """A PDU as pyagentx3 encodes it."""
    other = ax.pdu.PDU(type_)
    vars(other).update(IDS, **fields)
    encoded: bytes = other.encode()
    return encoded


def as_dotted(key: bytes) -> str:
    """A key as pyagentx3 writes it; its null OID is empty."""
    return dotted(key) if key else ""


def ids_of(header: Header) -> dict[str, int]:
    return {name: getattr(header, name) for name in IDS}


IF_INDEX = oid("1.3.6.1.2.1.2.2.1.1")

# Every type of PDU: its payload as sections 6.2.1 to 6.2.16 draw it, what it says.
SAMPLES: dict[str, tuple[int, str, Body]] = {
    "Open": (
        1,
        "05 00 00 00  03 04 00 00 00000001 0001869f 00000002  00000003 76 70 70 00",
        Open(5, oid("1.3.6.1.4.1.99999.2"), b"vpp"),
    ),
    "Open of nobody": (1, "00 00 00 00  00 00 00 00  00000000", Open(0, b"", b"")),
    "Close": (2, "05 00 00 00", Close(5)),
    "Register": (
        3,
        "00 64 00 00  02 02 00 00 00000001 00000002",
        Register(0, 100, 0, IF_TABLE),
    ),
    "Register of a range": (
        3,
        "05 7f 0a 00  06 02 00 00 00000001 00000002 00000002 00000001 00000001 00000007  00000016",
        Register(5, 127, 10, oid("1.3.6.1.2.1.2.2.1.1.7"), 22),
    ),
    "Unregister": (
        4,
        "00 64 00 00  02 02 00 00 00000001 00000002",
        Register(0, 100, 0, IF_TABLE),
    ),
    "Get": (
        5,
        "02 02 00 00 00000001 00000002  00 00 00 00"
        "  05 00 01 00 00000001 00000003 00000006 00000001 00000003  00 00 00 00",
        Get([SearchRange(IF_TABLE, 0, b""), SearchRange(oid("1.3.6.1.3"), 1, b"")]),
    ),
    "GetNext": (
        6,
        "05 02 01 00 00000001 00000002 00000002 00000001 00000001"
        "  02 02 00 00 00000001 00000003"
        "  00 00 00 00  02 00 00 00 00000001 00000004",
        Get([SearchRange(IF_INDEX, 1, oid("1.3.6.1.2.1.3")), SearchRange(b"", 0, oid("1.4"))]),
    ),
    "GetBulk": (
        7,
        "0001 ffff  02 02 00 00 00000001 00000002  00 00 00 00"
        "  00 00 00 00  02 02 00 00 00000001 00000002",
        GetBulk(1, 65535, [SearchRange(IF_TABLE, 0, b""), SearchRange(b"", 0, IF_TABLE)]),
    ),
    "TestSet": (
        8,
        "0042 0000  02 02 00 00 00000001 00000002  80000001"
        "  0004 0000  02 02 00 00 00000001 00000002  00000005 65 74 68 2d 30 00 00 00",
        VarBinds(
            [
                VarBind(IF_TABLE, GAUGE32, 0x80000001),
                VarBind(IF_TABLE, OCTET_STRING, b"eth-0"),
            ]
        ),
    ),
    "CommitSet": (9, "", Empty()),
    "UndoSet": (10, "", Empty()),
    "CleanupSet": (11, "", Empty()),
    "Notify": (
        12,
        "0006 0000  06 06 00 00 00000003 00000001 00000001 00000004 00000001 00000000"
        "  05 06 00 00 00000003 00000001 00000001 00000005 00000003",
        VarBinds(
            [
                VarBind(
                    oid("1.3.6.1.6.3.1.1.4.1.0"),
                    OBJECT_IDENTIFIER,
                    oid("1.3.6.1.6.3.1.1.5.3"),
                )
            ]
        ),
    ),
    "Ping": (13, "", Empty()),
    "IndexAllocate": (
        14,
        "0002 0000  02 02 00 00 00000001 00000002  fffffffe",
        VarBinds([VarBind(IF_TABLE, INTEGER, -2)]),
    ),
    "IndexDeallocate": (
        15,
        "0040 0000  02 02 00 00 00000001 00000002  00000004 c0 00 02 01",
        VarBinds([VarBind(IF_TABLE, IP_ADDRESS, b"\xc0\0\x02\x01")]),
    ),
    "AddAgentCaps": (
        16,
        "02 02 00 00 00000001 0000001f  00000006 49 46 2d 4d 49 42 00 00",
        AgentCaps(oid("1.3.6.1.2.1.31"), b"IF-MIB"),
    ),
    "RemoveAgentCaps": (
        17,
        "02 02 00 00 00000001 0000001f",
        AgentCaps(oid("1.3.6.1.2.1.31"), None),
    ),
    "Response": (
        18,
        "00003039 0000 0000"
        "  0002 0000  02 02 00 00 00000001 00000002  80000000"
        "  0004 0000  02 02 00 00 00000001 00000002  00000004 00 ff 0a 20"
        "  0005 0000  02 02 00 00 00000001 00000002"
        "  0006 0000  02 02 00 00 00000001 00000002  00 00 00 00"
        "  0040 0000  02 02 00 00 00000001 00000002  00000004 0a 00 00 01"
        "  0041 0000  02 02 00 00 00000001 00000002  ffffffff"
        "  0042 0000  02 02 00 00 00000001 00000002  00000001"
        "  0043 0000  02 02 00 00 00000001 00000002  00000002"
        "  0044 0000  02 02 00 00 00000001 00000002  00000001 9f 00 00 00"
        "  0046 0000  02 02 00 00 00000001 00000002  0102030405060708"
        "  0080 0000  02 02 00 00 00000001 00000002"
        "  0081 0000  02 02 00 00 00000001 00000002"
        "  0082 0000  00 00 00 00",
        Response(
            12345,
            0,
            0,
            [
                VarBind(IF_TABLE, INTEGER, -(2**31)),
                VarBind(IF_TABLE, OCTET_STRING, b"\x00\xff\n "),
                VarBind(IF_TABLE, NULL, None),
                VarBind(IF_TABLE, OBJECT_IDENTIFIER, b""),
                VarBind(IF_TABLE, IP_ADDRESS, b"\n\0\0\1"),
                VarBind(IF_TABLE, COUNTER32, 2**32 - 1),
                VarBind(IF_TABLE, GAUGE32, 1),
                VarBind(IF_TABLE, TIMETICKS, 2),
                VarBind(IF_TABLE, OPAQUE, b"\x9f"),
                VarBind(IF_TABLE, COUNTER64, 0x0102030405060708),
                VarBind(IF_TABLE, NO_SUCH_OBJECT, None),
                VarBind(IF_TABLE, NO_SUCH_INSTANCE, None),
                VarBind(b"", END_OF_MIB_VIEW, None),
            ],
        ),
    ),
    "Response with an error": (18, "00000000 0107 0003", Response(0, 263, 3, [])),
}
EACH_SAMPLE = pytest.mark.parametrize("sample", SAMPLES)

# A value of each type, as both codecs take and give it.
VALUES: list[tuple[ValueType, Any]] = [
    (INTEGER, 2**31 - 1),
    (OCTET_STRING, b""),
    (OCTET_STRING, b"GigabitEthernet0/0/0 \xff\x00"),
    (NULL, None),
    (OBJECT_IDENTIFIER, oid("1.3.6.1.2.1.10.7")),
    (OBJECT_IDENTIFIER, oid("0.0")),
    (IP_ADDRESS, b"\xc0\x00\x02\x01"),
    (COUNTER32, 2**32 - 1),
    (GAUGE32, 2**32 - 1),
    (TIMETICKS, 2**32 - 1),
    (OPAQUE, b"\x9f\x78\x04\x00\x00\x00\x00"),
    (COUNTER64, 2**64 - 1),
    (NO_SUCH_OBJECT, None),
    (NO_SUCH_INSTANCE, None),
    (END_OF_MIB_VIEW, None),
]


def other_value(type_: ValueType, value: Any) -> Any:
    """A value as pyagentx3 has it."""
    return as_dotted(value) if type_ is OBJECT_IDENTIFIER else value


def other_varbinds() -> list[dict[str, Any]]:
    """`VALUES` as pyagentx3 encodes them."""
    return [
        {"type": type_.number, "name": dotted(IF_INDEX), "value": other_value(type_, value)}
        for type_, value in VALUES
    ]


# --- against the layouts --------------------------------------------------------------


def test_the_samples_are_of_every_type_of_pdu() -> None:
    assert {type_ for type_, _, _ in SAMPLES.values()} == set(range(1, 19))


@ORDERS
@EACH_SAMPLE
def test_every_pdu_is_read_in_both_byte_orders(sample: str, order: str) -> None:
    type_, layout, body = SAMPLES[sample]
    received = read(frame(type_, layout, order))
    assert received.body == body
    assert type(received.body) is type(body)
    assert received.context is None
    assert received.header.order == order
    assert received.header.type == type_
    assert ids_of(received.header) == IDS


@ORDERS
@EACH_SAMPLE
def test_a_context_is_read_of_just_those_pdus_that_may_bear_one(sample: str, order: str) -> None:
    type_, layout, body = SAMPLES[sample]
    bears = type_ in TYPES_WITH_CONTEXT
    data = frame(type_, CONTEXT + " " + layout if bears else layout, order, flags=0x08)
    received = read(data)
    assert received.context == (b"vrf" if bears else None)
    assert received.body == body


@EACH_SAMPLE
def test_the_flags_of_a_registration_change_nothing_in_its_reading(sample: str) -> None:
    type_, layout, body = SAMPLES[sample]
    received = read(frame(type_, layout, flags=0x07))
    assert received.header.flags == 0x17
    assert received.body == body


def test_a_get_and_a_notify_are_written_as_laid_out() -> None:
    get = SAMPLES["GetNext"][2]
    notify = SAMPLES["Notify"][2]
    assert isinstance(get, Get)
    assert isinstance(notify, VarBinds)
    varbinds = b"".join(encode_varbind(*each) for each in notify.varbinds)
    for sample, payload in [("GetNext", pdu.ranges_payload(get.ranges)), ("Notify", varbinds)]:
        type_, layout, _ = SAMPLES[sample]
        assert pdu.encode(type_, payload, **IDS) == frame(type_, layout)


@pytest.mark.parametrize(
    ("sample", "payload"),
    [
        ("Open", pdu.open_payload("vpp", oid("1.3.6.1.4.1.99999.2"), 5)),
        ("Open of nobody", pdu.open_payload("")),
        ("Close", pdu.close_payload(pdu.SHUTDOWN)),
        ("Register", pdu.register_payload(IF_TABLE, 100)),
        ("Unregister", pdu.register_payload(IF_TABLE, 100)),
        ("AddAgentCaps", pdu.caps_payload(oid("1.3.6.1.2.1.31"), "IF-MIB")),
        ("Ping", b""),
    ],
)
def test_what_a_subagent_asks_is_written_as_laid_out(sample: str, payload: bytes) -> None:
    type_, layout, _ = SAMPLES[sample]
    assert pdu.encode(type_, payload, **IDS) == frame(type_, layout)


def test_a_response_bears_the_ids_of_its_request() -> None:
    request = pdu.decode_header(frame(pdu.GET, ""))
    assert pdu.encode_response(request, error=263, index=3) == frame(18, "00000000 0107 0003")


def test_a_little_endian_request_is_answered_in_network_order() -> None:
    request = pdu.decode_header(frame(pdu.GET, "", "<"))
    varbind = encode_varbind(IF_TABLE, COUNTER32, 5)
    layout = "00000000 0000 0000  0041 0000  02 02 00 00 00000001 00000002  00000005"
    assert pdu.encode_response(request, [varbind]) == frame(18, layout)


# --- against pyagentx3 ----------------------------------------------------------------


@pytest.mark.parametrize("type_", range(1, 19))
def test_pyagentx3_reads_the_header_that_we_write(type_: int) -> None:
    theirs = ax.pdu.PDU.decode_header(pdu.encode(type_, bytes(8), **IDS))
    assert theirs == {
        "version": 1,
        "pdu_type": type_,
        "pdu_type_name": ax.PDU_TYPE_NAME[type_],
        "flags": ax.AX_PDU_FLAG_BYTE_ORDER,
        "reserved": 0,
        "payload_length": 8,
        **IDS,
    }


@pytest.mark.parametrize(("type_", "value"), VALUES)
def test_pyagentx3_reads_each_value_that_we_write(type_: ValueType, value: Any) -> None:
    request = Header(1, pdu.GET, 0x10, **IDS, length=0)
    varbind = encode_varbind(IF_INDEX, type_, value)
    theirs = read_by_other(pdu.encode_response(request, [varbind]))
    assert theirs.values == [
        {"type": type_.number, "name": dotted(IF_INDEX), "data": other_value(type_, value)}
    ]
    assert {name: getattr(theirs, name) for name in IDS} == IDS


@pytest.mark.parametrize("error", sorted(ax.ERROR_NAMES))
def test_pyagentx3_reads_each_error_that_we_write(error: int) -> None:
    request = Header(1, pdu.GET, 0x10, **IDS, length=0)
    theirs = read_by_other(pdu.encode_response(request, error=error, index=2))
    assert theirs.values == []
    assert theirs.response == {
        "sysUpTime": 0,
        "error": error,
        "error_name": ax.ERROR_NAMES[error],
        "index": 2,
    }


@pytest.mark.parametrize("type_", [pdu.GET, pdu.GETNEXT])
def test_pyagentx3_reads_the_ranges_that_we_write(type_: int) -> None:
    ranges = [
        SearchRange(IF_INDEX, 1, IF_TABLE),
        SearchRange(b"", 0, oid("1.3.6.1")),
        SearchRange(oid("1.3.6.1.2.1"), 0, b""),
    ]
    theirs = read_by_other(pdu.encode(type_, pdu.ranges_payload(ranges), **IDS))
    assert theirs.type == type_
    assert theirs.range_list == [
        (as_dotted(start), as_dotted(end), include) for start, include, end in ranges
    ]


def test_pyagentx3_reads_a_testset_that_we_write() -> None:
    payload = b"".join(encode_varbind(IF_INDEX, *each) for each in VALUES)
    theirs = read_by_other(pdu.encode(pdu.TESTSET, payload, **IDS))
    assert [(each["type"], each["data"]) for each in theirs.values] == [
        (type_.number, other_value(type_, value)) for type_, value in VALUES
    ]


@pytest.mark.parametrize("type_", [pdu.COMMITSET, pdu.UNDOSET, pdu.CLEANUPSET])
def test_pyagentx3_reads_the_end_of_a_set_that_we_write(type_: int) -> None:
    theirs = read_by_other(pdu.encode(type_, b"", **IDS))
    assert (theirs.type, theirs.values, theirs.decode_buf) == (type_, [], b"")


def test_we_read_an_open_of_pyagentx3() -> None:
    received = read(written_by_other(pdu.OPEN, agent_id="someone"))
    assert received.body == Open(5, b"", b"someone")
    assert ids_of(received.header) == IDS


def test_we_read_a_ping_of_pyagentx3() -> None:
    received = read(written_by_other(pdu.PING))
    assert received.body == Empty()
    assert received.header.type == pdu.PING


@pytest.mark.parametrize("subtree", ["1.3.6.1.2.1.2", "1.3.6.1.2", "1.3", "1.3.6.1.4.1.99999.1"])
def test_we_read_a_register_of_pyagentx3(subtree: str) -> None:
    received = read(written_by_other(pdu.REGISTER, oid=subtree))
    assert received.body == Register(5, 127, 0, oid(subtree))


@pytest.mark.parametrize("type_", [pdu.RESPONSE, pdu.NOTIFY])
def test_we_read_every_value_of_pyagentx3(type_: int) -> None:
    body = read(written_by_other(type_, values=other_varbinds())).body
    assert isinstance(body, Response | VarBinds)
    assert body.varbinds == [VarBind(IF_INDEX, *each) for each in VALUES]


def test_we_read_a_negative_integer_of_pyagentx3() -> None:
    values = [{"type": 2, "name": "1.3.6.1.2.1.2", "value": -1}]
    body = read(written_by_other(pdu.RESPONSE, values=values)).body
    assert body == Response(0, 0, 0, [VarBind(IF_TABLE, INTEGER, -1)])


@pytest.mark.parametrize("error", sorted(ax.ERROR_NAMES))
def test_we_read_each_error_of_pyagentx3(error: int) -> None:
    received = read(written_by_other(pdu.RESPONSE, error=error, error_index=9))
    assert received.body == Response(0, error, 9, [])


SUBIDS = st.lists(st.integers(0, 2**32 - 1), max_size=100)
NAMES = st.one_of(SUBIDS, SUBIDS.map(lambda tail: [1, 3, 6, 1, *tail]))
NUMBERS: dict[ValueType, Any] = {
    INTEGER: st.integers(0, 2**31 - 1),
    COUNTER32: st.integers(0, 2**32 - 1),
    GAUGE32: st.integers(0, 2**32 - 1),
    TIMETICKS: st.integers(0, 2**32 - 1),
    COUNTER64: st.integers(0, 2**64 - 1),
    OCTET_STRING: st.binary(max_size=30),
    OPAQUE: st.binary(max_size=30),
    IP_ADDRESS: st.binary(min_size=4, max_size=4),
    NULL: st.none(),
}


@settings(max_examples=100, deadline=None)
@given(NAMES, st.sampled_from(list(NUMBERS)).flatmap(lambda t: st.tuples(st.just(t), NUMBERS[t])))
def test_any_varbind_is_read_back_by_us_and_by_pyagentx3(
    name: list[int], typed: tuple[ValueType, Any]
) -> None:
    key = key_of(name)
    varbind = encode_varbind(key, *typed)
    assert decode_varbind(varbind) == VarBind(key, *typed)
    header = Header(1, pdu.GET, 0x10, **IDS, length=0)
    assert read_by_other(pdu.encode_response(header, [varbind])).values == [
        {"type": typed[0].number, "name": as_dotted(key), "data": typed[1]}
    ]


# --- what is malformed ----------------------------------------------------------------


def parts(body: Body) -> list[Any] | None:
    """The list that a PDU of any length ends with."""
    match body:
        case Get(ranges) | GetBulk(_, _, ranges):
            return list(ranges)
        case VarBinds(varbinds) | Response(_, _, _, varbinds):
            return list(varbinds)
    return None


@ORDERS
@pytest.mark.parametrize("step", [4, 1])
@EACH_SAMPLE
def test_a_payload_cut_short_is_malformed_or_has_fewer_parts(
    sample: str, order: str, step: int
) -> None:
    type_, layout, body = SAMPLES[sample]
    data = frame(type_, layout, order)
    header, payload = pdu.decode_header(data), data[HEADER_SIZE:]
    least = 1 if isinstance(body, Close) else len(payload)  # a Close's other octets say nothing
    for length in range(0, len(payload), step):
        try:
            shorter = pdu.decode(header, payload[:length]).body
        except MalformedPDU:
            continue
        left, whole = parts(shorter), parts(body)
        if left is None or whole is None:
            assert length >= least
        else:
            assert left == whole[: len(left)]
            assert len(left) < len(whole)


@ORDERS
@pytest.mark.parametrize("type_", sorted(TYPES_WITH_CONTEXT))
def test_a_pdu_cut_within_its_context_is_malformed(type_: int, order: str) -> None:
    header = pdu.decode_header(frame(type_, "", order, flags=0x08))
    for length in range(8):
        with pytest.raises(MalformedPDU):
            pdu.decode(header, octets(CONTEXT, order)[:length])


@pytest.mark.parametrize(
    ("type_", "layout"),
    [
        (pdu.RESPONSE, "00000000 0000 0000  0003 0000  00 00 00 00"),
        (pdu.TESTSET, "0000 0000  00 00 00 00"),
        (pdu.ADDAGENTCAPS, "00 00 00 00  ffffffff"),
        (pdu.ADDAGENTCAPS, "00 00 00 00  00000005 61 62 63 64"),
        (pdu.REMOVEAGENTCAPS, "02 02 00 00 00000001"),
        (pdu.GET, "00 00 00 00"),
    ],
    ids=["no such type", "type 0", "4 GiB of octets", "no padding", "short OID", "half a range"],
)
def test_a_payload_that_does_not_fit_is_malformed(type_: int, layout: str) -> None:
    with pytest.raises(MalformedPDU):
        read(frame(type_, layout))


@pytest.mark.parametrize("type_", [0, 19, 255])
def test_a_pdu_of_unknown_type_is_malformed(type_: int) -> None:
    with pytest.raises(MalformedPDU, match=f"unknown type {type_}"):
        read(frame(type_, ""))


@ORDERS
@pytest.mark.parametrize("version", [0, 2, 255])
def test_a_header_of_another_version_is_malformed(version: int, order: str) -> None:
    data = bytes((version,)) + frame(pdu.PING, "", order)[1:]
    with pytest.raises(MalformedPDU, match=f"version {version}"):
        pdu.decode_header(data)


@ORDERS
@pytest.mark.parametrize("length", [1, 2, 3, 5, pdu.MAX_PAYLOAD + 4, 2**32 - 4])
def test_a_header_of_an_impossible_length_is_malformed(length: int, order: str) -> None:
    data = frame(pdu.PING, "", order)[:16] + octets(f"{length:08x}", order)
    with pytest.raises(MalformedPDU, match=f"{length} octets"):
        pdu.decode_header(data)


@ORDERS
def test_a_header_may_promise_the_longest_payload(order: str) -> None:
    data = frame(pdu.PING, "", order)[:16] + octets(f"{pdu.MAX_PAYLOAD:08x}", order)
    assert pdu.decode_header(data).length == pdu.MAX_PAYLOAD


def test_a_header_is_read_wherever_it_stands() -> None:
    data = b"before" + frame(pdu.PING, "") + b"after"
    assert pdu.decode_header(data, 6) == Header(1, pdu.PING, 0x10, **IDS, length=0)


def read_or_malformed(header: Header, payload: bytes) -> None:
    """Either a PDU that can be written to the log, or MalformedPDU; never anything else."""
    try:
        received = pdu.decode(header, payload)
    except MalformedPDU:
        return
    assert len(str(received).splitlines()) == 1


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 20), st.sampled_from([0x00, 0x08, 0x10, 0x18]), st.binary(max_size=80))
def test_random_payloads_are_read_or_malformed(type_: int, flags: int, payload: bytes) -> None:
    read_or_malformed(Header(1, type_, flags, 1, 2, 3, len(payload)), payload)


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from([sample for sample in SAMPLES.values() if sample[1]]),
    st.sampled_from("><"),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=3),
)
def test_payloads_with_some_octets_wrong_are_read_or_malformed(
    sample: tuple[int, str, Body], order: str, wrong: list[tuple[int, int]]
) -> None:
    type_, layout, _ = sample
    data = frame(type_, layout, order)
    payload = bytearray(data[HEADER_SIZE:])
    for at, octet in wrong:
        payload[at % len(payload)] = octet
    read_or_malformed(pdu.decode_header(data), bytes(payload))


@settings(max_examples=200, deadline=None)
@given(st.binary(min_size=HEADER_SIZE, max_size=HEADER_SIZE))
def test_random_headers_are_read_or_malformed(data: bytes) -> None:
    try:
        header = pdu.decode_header(data)
    except MalformedPDU:
        return
    assert header.version == 1
    assert header.length % 4 == 0
    assert header.length <= pdu.MAX_PAYLOAD


# --- for the log ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sample", "line"),
    [
        ("Open", "Open session=7 packet=4294967295"),
        ("Close", "Close session=7 packet=4294967295 shutdown"),
        ("Register", "Register session=7 packet=4294967295 1.3.6.1.2.1.2 priority=100"),
        (
            "GetNext",
            "Getnext session=7 packet=4294967295"
            " 1.3.6.1.2.1.2.2.1.1(include)..1.3.6.1.2.1.3 0.0..1.4",
        ),
        ("GetBulk", "Getbulk session=7 packet=4294967295 1.3.6.1.2.1.2..0.0 0.0..1.3.6.1.2.1.2"),
        (
            "TestSet",
            "Testset session=7 packet=4294967295 1.3.6.1.2.1.2 = Gauge32: 2147483649"
            " 1.3.6.1.2.1.2 = OCTET STRING: b'eth-0'",
        ),
        (
            "Notify",
            "Notify session=7 packet=4294967295"
            " 1.3.6.1.6.3.1.1.4.1.0 = OBJECT IDENTIFIER: 1.3.6.1.6.3.1.1.5.3",
        ),
        ("Ping", "Ping session=7 packet=4294967295"),
        (
            "Response with an error",
            "Response session=7 packet=4294967295 DUPLICATEREGISTRATION(263)@3",
        ),
    ],
)
def test_a_pdu_is_one_readable_line(sample: str, line: str) -> None:
    type_, layout, _ = SAMPLES[sample]
    assert str(read(frame(type_, layout))) == line


def test_the_line_of_a_pdu_has_its_context() -> None:
    line = str(read(frame(pdu.PING, CONTEXT, flags=0x08)))
    assert line == "Ping session=7 packet=4294967295 context=b'vrf'"


@EACH_SAMPLE
def test_every_pdu_has_a_line(sample: str) -> None:
    type_, layout, _ = SAMPLES[sample]
    line = str(read(frame(type_, layout)))
    assert line.startswith(sample.split()[0].capitalize())
    assert len(line.splitlines()) == 1


def test_a_close_for_no_known_reason_has_its_number() -> None:
    assert str(read(frame(pdu.CLOSE, "09 00 00 00"))).endswith(" 9")


@pytest.mark.parametrize(
    ("error", "name"),
    [(17, "NOTWRITABLE(17)"), (14, "COMMITFAILED(14)"), (99, "unknown error(99)")],
)
def test_an_error_is_shown_by_name_and_number(error: int, name: str) -> None:
    assert pdu.error_name(error) == name
