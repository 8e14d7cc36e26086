"""PDUs written by hand, as RFC 2741 lays them out."""

import struct

import pytest

from vpp_snmp_agent.agentx import pdu
from vpp_snmp_agent.agentx.pdu import HEADER_SIZE, PDU
from vpp_snmp_agent.agentx.values import oid

ORDERS = pytest.mark.parametrize("order", [">", "<"], ids=["network", "little-endian"])
IDS = {"session_id": 7, "transaction_id": 0x01020304, "packet_id": 0xFFFFFFFF}
IF_TABLE = oid("1.3.6.1.2.1.2")


def octets(layout: str, order: str = ">") -> bytes:
    """Groups of 2, 4, 8 or 16 hexadecimal digits: integers of that size, in this order."""
    groups = [bytes.fromhex(group) for group in layout.split()]
    return b"".join(group if order == ">" else group[::-1] for group in groups)


def frame(type_: int, layout: str, order: str = ">", flags: int = 0) -> bytes:
    """A whole PDU, header and payload written by hand."""
    payload = octets(layout, order)
    flags |= 0x10 if order == ">" else 0
    header = f"01 {type_:02x} {flags:02x} 00 00000007 01020304 ffffffff {len(payload):08x}"
    return octets(header, order) + payload


def read(data: bytes) -> PDU:
    """The one PDU that `data` is."""
    header = pdu.decode_header(data)
    assert header.length == len(data) - HEADER_SIZE
    return pdu.decode(header, data[HEADER_SIZE:])


def key_of(subids: list[int] | tuple[int, ...]) -> bytes:
    return struct.pack(f">{len(subids)}I", *subids)
