"""OIDs, values and variable bindings as AgentX writes them (RFC 2741 sections 5.1 to 5.4).

The rules this module keeps:

- An OID is a *key*: four octets in network order for each sub-identifier, the
  internet prefix written out.  As bytes, keys sort as their OIDs do, so nothing
  above this module ever takes an OID apart.
- Both byte orders are read; network order is written.
- A value leaves in its type's range: counters wrap, gauges saturate (RFC 2578
  section 7.1), anything else out of range is a bug here and raises ValueError.

The numbers of types are pyagentx3's.
"""

import struct
from collections.abc import Callable
from typing import Any, NamedTuple

import pyagentx3 as ax

MAX_SUBIDS = 128  # RFC 2578 section 3.5


class MalformedPDU(Exception):
    """The peer sent bytes that are no AgentX PDU."""


# --- object identifiers ---------------------------------------------------------------


def oid(dotted: str) -> bytes:
    """The key of an OID written `1.3.6.1.2.1`."""
    subids = [int(part) for part in dotted.split(".")]
    return struct.pack(f">{len(subids)}I", *subids)


def subids(*numbers: int) -> bytes:
    """The key of an OID, or of an index, by its sub-identifiers."""
    return struct.pack(f">{len(numbers)}I", *numbers)


def dotted(key: bytes) -> str:
    """An OID's key as people write it; the null OID (RFC 2741 section 5.1) is `0.0`."""
    return ".".join(map(str, struct.unpack(f">{len(key) // 4}I", key))) or "0.0"


_INTERNET = oid("1.3.6.1")
_PREFIXES = (b"", *(_INTERNET + struct.pack(">I", prefix) for prefix in range(1, 256)))
_SHORTENED = len(_PREFIXES[1])


def encode_oid(key: bytes, include: bool = False) -> bytes:
    """RFC 2741 section 5.1: 1.3.6.1.p.x is written as the prefix p and x."""
    if key[:19] == _PREFIXES[1][:19] and len(key) >= _SHORTENED and key[19]:
        body, prefix = key[_SHORTENED:], key[19]
    else:
        body, prefix = key, 0
    return bytes((len(body) // 4, prefix, include, 0)) + body


def decode_oid(data: bytes, at: int, order: str) -> tuple[bytes, int, int]:
    """(key, include, where the OID ends)."""
    count, prefix, include, _ = data[at : at + 4]
    end = at + 4 + 4 * count
    if end > len(data):
        raise MalformedPDU(f"an OID of {count} sub-identifiers does not fit")
    body = data[at + 4 : end]
    if order == "<":
        body = struct.pack(f">{count}I", *struct.unpack(f"<{count}I", body))
    key = _PREFIXES[prefix] + body
    if len(key) > 4 * MAX_SUBIDS:
        raise MalformedPDU(f"an OID of {len(key) // 4} sub-identifiers")
    return key, include, end


# --- values -----------------------------------------------------------------------------


class ValueType(NamedTuple):
    """A syntax of a MIB: its name, its number (section 5.4), how a value is written."""

    name: str
    number: int
    encode: Callable[[Any], bytes]


def encode_octets(value: bytes) -> bytes:
    """RFC 2741 section 5.3: length, octets, padding to a multiple of four."""
    return struct.pack(">I", len(value)) + value + bytes(-len(value) % 4)


def _ranged(layout: str) -> Callable[[int], bytes]:
    pack = struct.Struct(layout).pack

    def encode(value: int) -> bytes:
        try:
            return pack(value)
        except struct.error as wrong:
            raise ValueError(f"{value!r} is out of range") from wrong

    return encode


_unsigned32 = _ranged(">I")


def _gauge32(value: int) -> bytes:
    return _unsigned32(min(value, 0xFFFFFFFF))


def _address(value: bytes) -> bytes:
    if len(value) != 4:
        raise ValueError(f"{value!r} is no IPv4 address")
    return encode_octets(value)


def _nothing(value: object) -> bytes:
    return b""


_U32 = struct.Struct(">I").pack
_U64 = struct.Struct(">Q").pack

INTEGER = ValueType("INTEGER", ax.TYPE_INTEGER, _ranged(">i"))
OCTET_STRING = ValueType("OCTET STRING", ax.TYPE_OCTETSTRING, encode_octets)
NULL = ValueType("NULL", ax.TYPE_NULL, _nothing)
OBJECT_IDENTIFIER = ValueType("OBJECT IDENTIFIER", ax.TYPE_OBJECTIDENTIFIER, encode_oid)
IP_ADDRESS = ValueType("IpAddress", ax.TYPE_IPADDRESS, _address)
COUNTER32 = ValueType("Counter32", ax.TYPE_COUNTER32, lambda value: _U32(value & 0xFFFFFFFF))
GAUGE32 = ValueType("Gauge32", ax.TYPE_GAUGE32, _gauge32)
TIMETICKS = ValueType("TimeTicks", ax.TYPE_TIMETICKS, lambda value: _U32(value & 0xFFFFFFFF))
OPAQUE = ValueType("Opaque", ax.TYPE_OPAQUE, encode_octets)
COUNTER64 = ValueType("Counter64", ax.TYPE_COUNTER64, lambda value: _U64(value % 2**64))
NO_SUCH_OBJECT = ValueType("noSuchObject", ax.TYPE_NOSUCHOBJECT, _nothing)
NO_SUCH_INSTANCE = ValueType("noSuchInstance", ax.TYPE_NOSUCHINSTANCE, _nothing)
END_OF_MIB_VIEW = ValueType("endOfMibView", ax.TYPE_ENDOFMIBVIEW, _nothing)

# How struct writes a counter by its type, and what of it: it wraps (RFC 2578 sections 7.1.6
# and 7.1.10).
COUNTER_LAYOUTS = {
    COUNTER32.number: ("I", 2**32 - 1),
    COUNTER64.number: ("Q", 2**64 - 1),
}

VALUE_TYPES = {
    value_type.number: value_type
    for value_type in (
        *(INTEGER, OCTET_STRING, NULL, OBJECT_IDENTIFIER, IP_ADDRESS, COUNTER32, GAUGE32),
        *(TIMETICKS, OPAQUE, COUNTER64, NO_SUCH_OBJECT, NO_SUCH_INSTANCE, END_OF_MIB_VIEW),
    )
}
_U32_TYPES = frozenset({COUNTER32.number, GAUGE32.number, TIMETICKS.number})
_OCTET_TYPES = frozenset({OCTET_STRING.number, IP_ADDRESS.number, OPAQUE.number})
_EMPTY_TYPES = frozenset(
    {NULL.number, NO_SUCH_OBJECT.number, NO_SUCH_INSTANCE.number, END_OF_MIB_VIEW.number}
)


class VarBind(NamedTuple):
    """A decoded variable binding; the value as int, octets, key of an OID, or None."""

    name: bytes
    type: ValueType
    value: int | bytes | None

    def __str__(self) -> str:
        value = self.value
        if self.type is OBJECT_IDENTIFIER and isinstance(value, bytes):
            return f"{dotted(self.name)} = {self.type.name}: {dotted(value)}"
        return f"{dotted(self.name)} = {self.type.name}" + ("" if value is None else f": {value!r}")


def varbind_head(type_: ValueType, name: bytes) -> bytes:
    """All of a variable binding but its value (section 5.4)."""
    return struct.pack(">HH", type_.number, 0) + encode_oid(name)


def encode_varbind(name: bytes, type_: ValueType, value: Any = None) -> bytes:
    """A whole variable binding."""
    return varbind_head(type_, name) + type_.encode(value)


def decode_octets(data: bytes, at: int, order: str) -> tuple[bytes, int]:
    """(octets, where they and their padding end)."""
    (length,) = struct.unpack_from(order + "I", data, at)
    end = at + 4 + length
    if end + (-length % 4) > len(data):
        raise MalformedPDU(f"an octet string of {length} octets does not fit")
    return data[at + 4 : end], end + (-length % 4)


def decode_varbind_at(data: bytes, at: int, order: str) -> tuple[VarBind, int]:
    """(variable binding, where it ends)."""
    (number,) = struct.unpack_from(order + "H", data, at)
    if number not in VALUE_TYPES:
        raise MalformedPDU(f"a value of unknown type {number}")
    name, _, at = decode_oid(data, at + 4, order)
    value: int | bytes | None = None
    if number == INTEGER.number:
        (value,) = struct.unpack_from(order + "i", data, at)
        at += 4
    elif number in _U32_TYPES:
        (value,) = struct.unpack_from(order + "I", data, at)
        at += 4
    elif number == COUNTER64.number:
        (value,) = struct.unpack_from(order + "Q", data, at)
        at += 8
    elif number == OBJECT_IDENTIFIER.number:
        value, _, at = decode_oid(data, at, order)
    elif number in _OCTET_TYPES:
        value, at = decode_octets(data, at, order)
    else:
        assert number in _EMPTY_TYPES
    return VarBind(name, VALUE_TYPES[number], value), at


def decode_varbind(varbind: bytes) -> VarBind:
    """What `encode_varbind` encoded."""
    return decode_varbind_at(varbind, 0, ">")[0]
