"""What requests are answered with, in either byte order of the master."""

from itertools import pairwise

import pytest

from vpp_snmp_agent.agentx import answers, pdu
from vpp_snmp_agent.agentx.answers import MAX_BULK_OCTETS
from vpp_snmp_agent.agentx.mib import View
from vpp_snmp_agent.agentx.pdu import Get, GetBulk, Response
from vpp_snmp_agent.agentx.sorted_rows import SortedRows
from vpp_snmp_agent.agentx.values import (
    NO_SUCH_INSTANCE,
    NO_SUCH_OBJECT,
    VarBind,
    decode_varbind,
    encode_oid,
    oid,
)

from .masters import (
    BASE,
    NOTHING,
    NUMBER,
    OBJECTS,
    TABLE,
    an_integer,
    ended,
    from_master,
    get_bulk,
    index,
    packets,
    ranges,
    refusal,
)
from .wire import ORDERS, read

PORTS, PACKETS, AFTER = f"{BASE}.2.1.1", f"{BASE}.2.1.2", f"{BASE}.3"  # two columns of a table
Ranges = tuple[tuple[str, int, str], ...]


def answer_to(request: bytes, view: View | None = None) -> list[bytes]:
    """The encoded varbinds that answer a Get, a GetNext or a GetBulk."""
    view = view or View(OBJECTS)
    header, _, body = read(request)
    if isinstance(body, GetBulk):
        return answers.get_bulk(view, body)
    assert isinstance(body, Get)
    return answers.get(view, header.type, body)


def found(request: bytes) -> list[VarBind]:
    return [decode_varbind(each) for each in answer_to(request)]


def refused(request: bytes) -> Response:
    answer = read(answers.refuse(read(request).header)).body
    assert isinstance(answer, Response)
    return answer


@ORDERS
def test_get_answers_every_name_in_its_place(order: str) -> None:
    names = [f"{PACKETS}.10", f"{BASE}.1.0", f"{PACKETS}.2", f"{BASE}.7.0"]
    payload = ranges(*((name, 0, NOTHING) for name in names), order=order)
    assert found(from_master(pdu.GET, payload, order=order)) == [
        packets(10),
        NUMBER,
        VarBind(oid(names[2]), NO_SUCH_INSTANCE, None),
        VarBind(oid(names[3]), NO_SUCH_OBJECT, None),
    ]


@ORDERS
def test_getnext_answers_every_range_in_its_place(order: str) -> None:
    asked = {
        (f"{PORTS}.2", 0, AFTER): index(10),
        (f"{PORTS}.2", 1, AFTER): index(2),
        (f"{PACKETS}.1", 0, NOTHING): packets(10),
        (f"{PORTS}.2", 0, f"{PORTS}.10"): ended(f"{PORTS}.2"),
        (f"{PACKETS}.10", 0, NOTHING): ended(f"{PACKETS}.10"),
    }
    request = from_master(pdu.GETNEXT, ranges(*asked, order=order), order=order)
    assert found(request) == [*asked.values()]


@pytest.mark.parametrize("type_", [pdu.GET, pdu.GETNEXT])
def test_a_request_for_nothing_is_answered_with_nothing(type_: int) -> None:
    assert found(from_master(type_)) == []


@pytest.mark.parametrize(
    ("non_repeaters", "repetitions", "asked", "answered"),
    [
        pytest.param(
            *(1, 2, ((BASE, 0, NOTHING), (PORTS, 0, NOTHING), (f"{PACKETS}.1", 1, NOTHING))),
            [NUMBER, index(1), packets(1), index(2), packets(10)],
            id="what is to be repeated is",
        ),
        pytest.param(
            *(0, 100, ((f"{PORTS}.10", 0, PACKETS), (f"{PORTS}.10", 0, AFTER))),
            [
                *(ended(f"{PORTS}.10"), packets(1)),
                *(ended(f"{PORTS}.10"), packets(10)),
                *(ended(f"{PORTS}.10"), ended(f"{PACKETS}.10")),
            ],
            id="it ends when every repeater ended",
        ),
        pytest.param(
            *(1, 0, ((BASE, 0, NOTHING), (f"{BASE}.2", 0, NOTHING))),
            [NUMBER],
            id="of no repetitions are the non-repeaters",
        ),
        pytest.param(
            *(9, 9, ((BASE, 0, NOTHING), (f"{BASE}.2", 0, NOTHING))),
            [NUMBER, index(1)],
            id="of more non-repeaters than ranges is a GetNext",
        ),
        pytest.param(
            *(0, 65535, ((AFTER, 0, NOTHING),)),
            [ended(AFTER)],
            id="the end is not repeated",
        ),
    ],
)
def test_getbulk_repeats_what_it_says(
    non_repeaters: int, repetitions: int, asked: Ranges, answered: list[VarBind]
) -> None:
    assert found(get_bulk(non_repeaters, repetitions, *asked)) == answered


def test_getbulk_walks_on_as_getnext_does() -> None:
    names = [each.name for each in found(get_bulk(0, 6, (BASE, 0, NOTHING)))]
    assert len(names) == 6
    assert all(before < after for before, after in pairwise(names))


def test_getbulk_of_65535_repetitions_is_bounded() -> None:
    rows = SortedRows()
    for each in range(1, 10_001):
        rows.put(oid(str(each)), each)
    request = get_bulk(0, 65535, (PORTS, 0, PACKETS))
    answer = answer_to(request, View([TABLE.over(rows)]))
    assert MAX_BULK_OCTETS < len(b"".join(answer)) < MAX_BULK_OCTETS + 170
    assert [*map(decode_varbind, answer)] == [index(each + 1) for each in range(len(answer))]


@ORDERS
def test_a_set_is_refused_because_nothing_is_writable(order: str) -> None:
    payload = an_integer(f"{BASE}.1.0", 5, order) + an_integer(f"{PORTS}.1", 6, order)
    assert refused(from_master(pdu.TESTSET, payload, order=order)) == refusal(17, 1)


@pytest.mark.parametrize(("type_", "error", "at"), [(pdu.COMMITSET, 14, 1), (pdu.UNDOSET, 0, 0)])
def test_the_other_pdus_of_a_set_are_answered(type_: int, error: int, at: int) -> None:
    assert refused(from_master(type_)) == refusal(error, at)


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
    assert refused(from_master(type_, payload)) == refusal(268)
