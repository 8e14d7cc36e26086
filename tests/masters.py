"""A master agent by hand, without a socket: its PDUs in either byte order, what it reads, a MIB."""

import struct

from vpp_snmp_agent.agentx import pdu
from vpp_snmp_agent.agentx.mib import Column, Module, Scalar, Table
from vpp_snmp_agent.agentx.pdu import HEADER_SIZE, PDU, Response
from vpp_snmp_agent.agentx.sorted_rows import SortedRows
from vpp_snmp_agent.agentx.values import COUNTER32, END_OF_MIB_VIEW, INTEGER, VarBind, oid

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


def an_octet_string(text: bytes, order: str = ">") -> bytes:
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


def get_next(*starts: str, packet: int = 1, order: str = ">") -> bytes:
    payload = ranges(*((start, 0, NOTHING) for start in starts), order=order)
    return from_master(pdu.GETNEXT, payload, packet=packet, order=order)


def get_bulk(non_repeaters: int, repetitions: int, *each: tuple[str, int, str]) -> bytes:
    head = struct.pack(">HH", non_repeaters, repetitions)
    return from_master(pdu.GETBULK, head + ranges(*each))
