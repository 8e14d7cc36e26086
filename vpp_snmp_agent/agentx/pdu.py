"""AgentX PDUs (RFC 2741 section 6): bytes to PDU, PDU to bytes.

The rules this module keeps:

- Both byte orders are read (flag 0x10, section 6.1); network order is written.
- Whatever a peer sends, `decode_header` and `decode` return or raise `MalformedPDU`.

The numbers of PDUs and errors are pyagentx3's.
"""

import struct
from collections.abc import Callable, Iterable
from typing import NamedTuple

import pyagentx3 as ax

from .values import (
    MalformedPDU,
    VarBind,
    decode_octets,
    decode_oid,
    decode_varbind_at,
    dotted,
    encode_octets,
    encode_oid,
)

VERSION = 1
HEADER_SIZE = 20
MAX_PAYLOAD = 1 << 20  # an SNMP message has at most 64 KiB: more is no AgentX peer

INSTANCE_REGISTRATION, NEW_INDEX, ANY_INDEX = 0x01, 0x02, 0x04
NON_DEFAULT_CONTEXT, NETWORK_BYTE_ORDER = 0x08, 0x10

OPEN: int = ax.AGENTX_OPEN_PDU
CLOSE: int = ax.AGENTX_CLOSE_PDU
REGISTER: int = ax.AGENTX_REGISTER_PDU
UNREGISTER: int = ax.AGENTX_UNREGISTER_PDU
GET: int = ax.AGENTX_GET_PDU
GETNEXT: int = ax.AGENTX_GETNEXT_PDU
GETBULK: int = ax.AGENTX_GETBULK_PDU
TESTSET: int = ax.AGENTX_TESTSET_PDU
COMMITSET: int = ax.AGENTX_COMMITSET_PDU
UNDOSET: int = ax.AGENTX_UNDOSET_PDU
CLEANUPSET: int = ax.AGENTX_CLEANUPSET_PDU
NOTIFY: int = ax.AGENTX_NOTIFY_PDU
PING: int = ax.AGENTX_PING_PDU
INDEXALLOCATE: int = ax.AGENTX_INDEXALLOCATE_PDU
INDEXDEALLOCATE: int = ax.AGENTX_INDEXDEALLOCATE_PDU
ADDAGENTCAPS: int = ax.AGENTX_ADDAGENTCAPS_PDU
REMOVEAGENTCAPS: int = ax.AGENTX_REMOVEAGENTCAPS_PDU
RESPONSE: int = ax.AGENTX_RESPONSE_PDU

# CommitSet and CleanupSet bear no context: they follow a TestSet that bore it.
MAY_BEAR_CONTEXT = frozenset(
    {REGISTER, UNREGISTER, GET, GETNEXT, GETBULK, TESTSET, UNDOSET, NOTIFY, PING}
    | {INDEXALLOCATE, INDEXDEALLOCATE, ADDAGENTCAPS, REMOVEAGENTCAPS}
)

CLOSE_REASONS = {
    1: "other",
    2: "parse error",
    3: "protocol error",
    4: "timeouts",
    5: "shutdown",
    6: "by manager",
}
SHUTDOWN = 5


class Header(NamedTuple):
    """RFC 2741 section 6.1."""

    version: int
    type: int
    flags: int
    session_id: int
    transaction_id: int
    packet_id: int
    length: int

    @property
    def order(self) -> str:
        """`struct`'s letter for the byte order of every field of this PDU."""
        return ">" if self.flags & NETWORK_BYTE_ORDER else "<"


_HEADERS = {order: struct.Struct(order + "BBBxIIII") for order in "><"}
_NETWORK_HEADER = _HEADERS[">"]


class SearchRange(NamedTuple):
    """RFC 2741 section 5.2.  A null `end` means that there is none."""

    start: bytes
    include: int
    end: bytes


class Open(NamedTuple):
    """Section 6.2.1; the timeout in seconds, 0 for the master's own."""

    timeout: int
    id: bytes
    descr: bytes


class Close(NamedTuple):
    """Section 6.2.2."""

    reason: int


class Register(NamedTuple):
    """Sections 6.2.3 and 6.2.4, of an Unregister too (whose timeout is 0)."""

    timeout: int
    priority: int
    range_subid: int
    subtree: bytes
    upper_bound: int | None = None


class Get(NamedTuple):
    """Sections 6.2.5 and 6.2.6: of Get and GetNext."""

    ranges: list[SearchRange]


class GetBulk(NamedTuple):
    """Section 6.2.7."""

    non_repeaters: int
    max_repetitions: int
    ranges: list[SearchRange]


class VarBinds(NamedTuple):
    """Sections 6.2.8, 6.2.10, 6.2.12, 6.2.13: TestSet, Notify, index allocation."""

    varbinds: list[VarBind]


class AgentCaps(NamedTuple):
    """Sections 6.2.14 and 6.2.15; a RemoveAgentCaps has no description."""

    id: bytes
    descr: bytes | None


class Response(NamedTuple):
    """Section 6.2.16; `sys_up_time` in centiseconds, of the master's answers only."""

    sys_up_time: int
    error: int
    error_index: int
    varbinds: list[VarBind]


class Empty(NamedTuple):
    """Sections 6.2.9 and 6.2.11: CommitSet, UndoSet, CleanupSet, Ping."""


Body = Open | Close | Register | Get | GetBulk | VarBinds | AgentCaps | Response | Empty


class PDU(NamedTuple):
    """A decoded PDU; a context of None is the default context."""

    header: Header
    context: bytes | None
    body: Body

    def __str__(self) -> str:
        """One line for the log."""
        header = self.header
        parts = [ax.PDU_TYPE_NAME[header.type].removesuffix("_PDU").title()]
        parts += [f"session={header.session_id} packet={header.packet_id}"]
        if self.context is not None:
            parts += [f"context={self.context!r}"]
        match self.body:
            case Get(ranges) | GetBulk(_, _, ranges):
                parts += [
                    f"{dotted(start)}{'(include)' if include else ''}..{dotted(end)}"
                    for start, include, end in ranges
                ]
            case Response(_, error, index, varbinds):
                parts += [f"{error_name(error)}@{index}"] if error else []
                parts += map(str, varbinds)
            case VarBinds(varbinds):
                parts += map(str, varbinds)
            case Register():
                parts += [f"{dotted(self.body.subtree)} priority={self.body.priority}"]
            case Close(reason):
                parts += [CLOSE_REASONS.get(reason, str(reason))]
        return " ".join(parts)


def error_name(error: int) -> str:
    """The name of a `res.error` (section 6.2.16 and RFC 1905), as RFC 2741 spells it."""
    return f"{ax.ERROR_NAMES.get(error, 'unknown error').removeprefix('ERROR_')}({error})"


def decode_header(data: bytes | bytearray, at: int = 0) -> Header:
    """The 20 octets at `at`; a MalformedPDU means that the stream cannot be followed."""
    header = Header._make(_NETWORK_HEADER.unpack_from(data, at))
    if not header.flags & NETWORK_BYTE_ORDER:
        header = Header._make(_HEADERS["<"].unpack_from(data, at))
    if header.version != VERSION:
        raise MalformedPDU(f"a PDU of version {header.version}, not {VERSION}")
    if header.length % 4 or header.length > MAX_PAYLOAD:
        raise MalformedPDU(f"a payload of {header.length} octets")
    return header


def decode(header: Header, payload: bytes) -> PDU:
    """The PDU that `header` and its payload make."""
    order = header.order
    try:
        context, at = None, 0
        if header.flags & NON_DEFAULT_CONTEXT and header.type in MAY_BEAR_CONTEXT:
            named, at = decode_octets(payload, 0, order)
            context = named or None  # the empty one is the default context, flagged or not
        decoder = _DECODERS.get(header.type)
        if decoder is None:
            raise MalformedPDU(f"a PDU of unknown type {header.type}")
        return PDU(header, context, decoder(payload, at, order))
    except (struct.error, ValueError, IndexError) as wrong:
        # What struct, slices and unpacking raise at the end of a payload cut short.
        raise MalformedPDU(f"a PDU of type {header.type} ends too early") from wrong


def _decode_open(data: bytes, at: int, order: str) -> Open:
    id_, _, end = decode_oid(data, at + 4, order)
    return Open(data[at], id_, decode_octets(data, end, order)[0])


def _decode_close(data: bytes, at: int, order: str) -> Close:
    return Close(data[at])


def _decode_register(data: bytes, at: int, order: str) -> Register:
    timeout, priority, range_subid, _ = data[at : at + 4]
    subtree, _, at = decode_oid(data, at + 4, order)
    upper = struct.unpack_from(order + "I", data, at)[0] if range_subid else None
    return Register(timeout, priority, range_subid, subtree, upper)


def _decode_ranges(data: bytes, at: int, order: str) -> list[SearchRange]:
    ranges = []
    while at < len(data):
        start, include, at = decode_oid(data, at, order)
        end, _, at = decode_oid(data, at, order)
        ranges.append(SearchRange(start, include, end))
    return ranges


def _decode_get(data: bytes, at: int, order: str) -> Get:
    return Get(_decode_ranges(data, at, order))


def _decode_getbulk(data: bytes, at: int, order: str) -> GetBulk:
    non_repeaters, max_repetitions = struct.unpack_from(order + "HH", data, at)
    return GetBulk(non_repeaters, max_repetitions, _decode_ranges(data, at + 4, order))


def _decode_varbind_list(data: bytes, at: int, order: str) -> list[VarBind]:
    varbinds = []
    while at < len(data):
        varbind, at = decode_varbind_at(data, at, order)
        varbinds.append(varbind)
    return varbinds


def _decode_varbinds(data: bytes, at: int, order: str) -> VarBinds:
    return VarBinds(_decode_varbind_list(data, at, order))


def _decode_add_caps(data: bytes, at: int, order: str) -> AgentCaps:
    id_, _, at = decode_oid(data, at, order)
    return AgentCaps(id_, decode_octets(data, at, order)[0])


def _decode_remove_caps(data: bytes, at: int, order: str) -> AgentCaps:
    return AgentCaps(decode_oid(data, at, order)[0], None)


def _decode_response(data: bytes, at: int, order: str) -> Response:
    sys_up_time, error, index = struct.unpack_from(order + "IHH", data, at)
    return Response(sys_up_time, error, index, _decode_varbind_list(data, at + 8, order))


def _decode_empty(data: bytes, at: int, order: str) -> Empty:
    return Empty()


_DECODERS: dict[int, Callable[[bytes, int, str], Body]] = {
    OPEN: _decode_open,
    CLOSE: _decode_close,
    REGISTER: _decode_register,
    UNREGISTER: _decode_register,
    GET: _decode_get,
    GETNEXT: _decode_get,
    GETBULK: _decode_getbulk,
    TESTSET: _decode_varbinds,
    COMMITSET: _decode_empty,
    UNDOSET: _decode_empty,
    CLEANUPSET: _decode_empty,
    NOTIFY: _decode_varbinds,
    PING: _decode_empty,
    INDEXALLOCATE: _decode_varbinds,
    INDEXDEALLOCATE: _decode_varbinds,
    ADDAGENTCAPS: _decode_add_caps,
    REMOVEAGENTCAPS: _decode_remove_caps,
    RESPONSE: _decode_response,
}


def encode(
    type_: int,
    payload: bytes,
    *,
    session_id: int = 0,
    transaction_id: int = 0,
    packet_id: int = 0,
) -> bytes:
    """A whole PDU in network order and the default context."""
    return (
        _NETWORK_HEADER.pack(
            VERSION,
            type_,
            NETWORK_BYTE_ORDER,
            session_id,
            transaction_id,
            packet_id,
            len(payload),
        )
        + payload
    )


_RESPONSE_START = struct.Struct(">IHH")


def encode_response(
    request: Header, varbinds: Iterable[bytes] = (), error: int = 0, index: int = 0
) -> bytes:
    """The answer to `request` (section 7.2.3): `varbinds` already encoded."""
    payload = _RESPONSE_START.pack(0, error, index) + b"".join(varbinds)
    return encode(
        RESPONSE,
        payload,
        session_id=request.session_id,
        transaction_id=request.transaction_id,
        packet_id=request.packet_id,
    )


def open_payload(descr: str, id_: bytes = b"", timeout: int = 0) -> bytes:
    """What follows an Open's header (section 6.2.1)."""
    return bytes((timeout, 0, 0, 0)) + encode_oid(id_) + encode_octets(descr.encode())


def close_payload(reason: int) -> bytes:
    """What follows a Close's header (section 6.2.2)."""
    return bytes((reason, 0, 0, 0))


def register_payload(
    subtree: bytes, priority: int, timeout: int = 0, range_subid: int = 0, upper_bound: int = 0
) -> bytes:
    """What follows a Register's header (section 6.2.3); `range_subid` of 0: without a range."""
    bound = struct.pack(">I", upper_bound) if range_subid else b""
    return bytes((timeout, priority, range_subid, 0)) + encode_oid(subtree) + bound


def caps_payload(id_: bytes, descr: str) -> bytes:
    """What follows an AddAgentCaps's header (section 6.2.14)."""
    return encode_oid(id_) + encode_octets(descr.encode())


def ranges_payload(ranges: Iterable[SearchRange]) -> bytes:
    """What follows the header of a Get or GetNext (sections 6.2.5, 6.2.6)."""
    return b"".join(
        encode_oid(start, bool(include)) + encode_oid(end) for start, include, end in ranges
    )
