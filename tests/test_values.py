"""agentx/values.py: OIDs and values, against bytes laid out as RFC 2741 says."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vpp_snmp_agent.agentx import pdu
from vpp_snmp_agent.agentx.pdu import AgentCaps
from vpp_snmp_agent.agentx.values import (
    COUNTER32,
    COUNTER64,
    GAUGE32,
    INTEGER,
    IP_ADDRESS,
    OCTET_STRING,
    TIMETICKS,
    MalformedPDU,
    ValueType,
    dotted,
    encode_oid,
    oid,
)

from .wire import IF_TABLE, ORDERS, frame, key_of, octets, read


@pytest.mark.parametrize(
    ("name", "layout"),
    [
        ("1.3.6.1.2.1.2", "02 02 00 00 00000001 00000002"),
        ("1.3.6.1.255.7", "01 ff 00 00 00000007"),
        ("1.3.6.1.2", "00 02 00 00"),
        ("1.3.6.1.256.7", "06 00 00 00 00000001 00000003 00000006 00000001 00000100 00000007"),
        ("1.3.6.1.0.7", "06 00 00 00 00000001 00000003 00000006 00000001 00000000 00000007"),
        ("1.3.6.1", "04 00 00 00 00000001 00000003 00000006 00000001"),
        ("1.3.6.2.2.1", "06 00 00 00 00000001 00000003 00000006 00000002 00000002 00000001"),
        ("0.0", "02 00 00 00 00000000 00000000"),
        ("4294967295", "01 00 00 00 ffffffff"),
    ],
)
def test_an_oid_is_written_with_the_prefix_where_it_has_one(name: str, layout: str) -> None:
    encoded = encode_oid(oid(name))
    assert encoded == octets(layout)
    assert read(frame(pdu.REMOVEAGENTCAPS, layout)).body == AgentCaps(oid(name), None)


def test_an_oid_written_out_is_read_as_if_it_had_its_prefix() -> None:
    layout = "06 00 00 00 00000001 00000003 00000006 00000001 00000002 00000001"
    assert read(frame(pdu.REMOVEAGENTCAPS, layout)).body == AgentCaps(oid("1.3.6.1.2.1"), None)


def test_the_null_oid_is_four_zero_octets() -> None:
    assert encode_oid(b"") == bytes(4)
    assert read(frame(pdu.REMOVEAGENTCAPS, "00 00 00 00")).body == AgentCaps(b"", None)


def test_include_is_the_third_octet() -> None:
    assert encode_oid(IF_TABLE, True) == octets("02 02 01 00 00000001 00000002")
    assert encode_oid(b"", True) == octets("00 00 01 00")


@ORDERS
@pytest.mark.parametrize(("prefix", "most"), [(0, 128), (2, 123)])
def test_an_oid_has_at_most_128_sub_identifiers(order: str, prefix: int, most: int) -> None:
    def layout(count: int) -> str:
        return f"{count:02x} {prefix:02x} 00 00" + " 00000009" * count

    body = read(frame(pdu.REMOVEAGENTCAPS, layout(most), order)).body
    assert isinstance(body, AgentCaps)
    assert len(body.id) == 4 * 128
    with pytest.raises(MalformedPDU):
        read(frame(pdu.REMOVEAGENTCAPS, layout(most + 1), order))


@pytest.mark.parametrize("name", ["1", "0.0", "1.3.6.1.2.1.2.2.1.1.4294967295"])
def test_an_oid_is_the_same_written_and_read(name: str) -> None:
    assert dotted(oid(name)) == name


def test_the_key_of_an_oid_is_four_octets_for_each_sub_identifier() -> None:
    assert oid("1.256.4294967295") == b"\0\0\0\1\0\0\1\0\xff\xff\xff\xff"


def test_the_null_oid_is_written_as_zero_dot_zero() -> None:
    assert dotted(b"") == "0.0"


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(st.one_of(st.integers(0, 3), st.integers(0, 2**32 - 1))).map(tuple)))
def test_keys_sort_as_oids_do(names: list[tuple[int, ...]]) -> None:
    assert sorted(map(key_of, names)) == [key_of(name) for name in sorted(names)]


@pytest.mark.parametrize(
    ("type_", "value", "written"),
    [
        (COUNTER32, 2**32 - 1, "ffffffff"),
        (COUNTER32, 2**32, "00000000"),
        (COUNTER32, 2**40 + 5, "00000005"),
        (GAUGE32, 2**32 - 1, "ffffffff"),
        (GAUGE32, 2**32, "ffffffff"),
        (GAUGE32, 10**12, "ffffffff"),
        (TIMETICKS, 2**32 - 1, "ffffffff"),
        (TIMETICKS, 2**32 + 7, "00000007"),
        (COUNTER64, 2**64 - 1, "ffffffffffffffff"),
        (COUNTER64, 2**64 + 9, "0000000000000009"),
        (INTEGER, 2**31 - 1, "7fffffff"),
        (INTEGER, -(2**31), "80000000"),
        (INTEGER, -1, "ffffffff"),
        (OCTET_STRING, b"", "00000000"),
        (OCTET_STRING, b"abcd", "00000004 61 62 63 64"),
        (OCTET_STRING, b"abcde", "00000005 61 62 63 64 65 00 00 00"),
    ],
)
def test_a_value_is_written_within_its_range(type_: ValueType, value: Any, written: str) -> None:
    assert type_.encode(value) == octets(written)


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (INTEGER, 2**31),
        (INTEGER, -(2**31) - 1),
        (GAUGE32, -1),
        (IP_ADDRESS, b"\n\0\0"),
        (IP_ADDRESS, bytes(16)),
        (IP_ADDRESS, b""),
    ],
)
def test_a_value_that_no_range_can_take_is_a_value_error(type_: ValueType, value: Any) -> None:
    with pytest.raises(ValueError, match=r"out of range|no IPv4 address"):
        type_.encode(value)
