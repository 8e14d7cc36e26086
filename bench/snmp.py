"""SNMPv2c messages (RFC 3416, RFC 1901), as far as a poller needs them: asked and checked.

    question = get(7, ["1.3.6.1.2.1.2.2.1.10.1001"], [COUNTER32])
    cells = check(question, datagram)     # WrongAnswer unless it is the answer to this

Names are OIDs as BER has them, without type and length: so they are asked for and compared.
Everything is encoded beforehand, and what comes is decoded once the clock has stopped.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

INTEGER, OCTET_STRING, NULL, OBJECT_IDENTIFIER, SEQUENCE = 0x02, 0x04, 0x05, 0x06, 0x30
COUNTER32, GAUGE32, TIMETICKS, COUNTER64 = 0x41, 0x42, 0x43, 0x46
EXCEPTIONS = {0x80: "noSuchObject", 0x81: "noSuchInstance", 0x82: "endOfMibView"}
GET, RESPONSE, GETBULK = 0xA0, 0xA2, 0xA5
VERSION = b"\x02\x01\x01"  # SNMPv2c
_NOTHING = bytes((NULL, 0))
_SHORT, _MORE = 0x80, 0x80  # a length below; a sub-identifier that goes on


class WrongAnswer(Exception):
    """What came is no answer to what was asked, or says something that cannot be true."""


class Cell(NamedTuple):
    """A variable binding of an answer; the value as BER has it."""

    name: bytes
    type: int
    value: bytes

    @property
    def number(self) -> int:
        """The value of a counter."""
        return int.from_bytes(self.value, "big")


class Question(NamedTuple):
    """A request, and of each cell of its answer the name and the type."""

    request: bytes
    number: int
    expected: tuple[tuple[bytes, int], ...]


# --- BER ----------------------------------------------------------------------------------------


def oid(dotted: str) -> bytes:
    """A name, of an OID written `1.3.6.1.2.1`."""
    first, second, *rest = map(int, dotted.split("."))
    encoded = bytearray()
    for subid in (40 * first + second, *rest):
        septets = [subid & 0x7F]
        while subid := subid >> 7:
            septets.append(subid & 0x7F | _MORE)
        encoded += bytes(reversed(septets))
    return bytes(encoded)


def dotted(name: bytes) -> str:
    """A name as people write it."""
    subids, subid = [], 0
    for octet in name:
        subid = subid << 7 | octet & 0x7F
        if not octet & _MORE:
            subids.append(subid)
            subid = 0
    first = min(subids[0] // 40, 2)
    return ".".join(map(str, (first, subids[0] - 40 * first, *subids[1:])))


def _encode(type_: int, content: bytes) -> bytes:
    size = len(content)
    if size < _SHORT:
        return bytes((type_, size)) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((type_, _SHORT | len(octets))) + octets + content


def _encode_integer(value: int) -> bytes:
    return _encode(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _decode(data: bytes, at: int, type_: int | None = None) -> tuple[int, int, int]:
    """(type, where the content starts, where it ends) of what is at `at`."""
    found, size = data[at], data[at + 1]
    start = at + 2
    if size >= _SHORT:
        octets = size - _SHORT
        size = int.from_bytes(data[start : start + octets], "big")
        start += octets
    if start + size > len(data):
        raise WrongAnswer("an answer is cut short")
    if type_ not in (None, found):
        raise WrongAnswer(f"an answer has {found:#x} where {type_:#x} belongs")
    return found, start, start + size


# --- questions -----------------------------------------------------------------------------------


def _request(kind: int, number: int, third: int, fourth: int, names: Iterable[bytes]) -> bytes:
    varbinds = (_encode(SEQUENCE, _encode(OBJECT_IDENTIFIER, name) + _NOTHING) for name in names)
    pdu = b"".join(map(_encode_integer, (number, third, fourth)))
    pdu = _encode(kind, pdu + _encode(SEQUENCE, b"".join(varbinds)))
    return _encode(SEQUENCE, VERSION + _encode(OCTET_STRING, b"public") + pdu)


def get(number: int, names: Sequence[str], types: Sequence[int]) -> Question:
    """A GET of some cells, and their types."""
    encoded = [oid(name) for name in names]
    expected = tuple(zip(encoded, types, strict=True))
    return Question(_request(GET, number, 0, 0, encoded), number, expected)


def get_bulk(number: int, after: str, names: Sequence[str], type_: int) -> Question:
    """A GETBULK of the cells that follow a name, all of one column."""
    request = _request(GETBULK, number, 0, len(names), [oid(after)])
    return Question(request, number, tuple((oid(name), type_) for name in names))


def search(number: int, after: bytes, repetitions: int) -> bytes:
    """A GETBULK by somebody who does not know what follows."""
    return _request(GETBULK, number, 0, repetitions, [after])


# --- answers -------------------------------------------------------------------------------------


def cells(number: int, message: bytes) -> list[Cell]:
    """What an answer binds; WrongAnswer if it is not the one to request `number`, or an error."""
    try:
        return list(_cells(number, message))
    except IndexError as error:
        raise WrongAnswer("an answer is cut short") from error


def _cells(number: int, message: bytes) -> Iterable[Cell]:
    _, at, _ = _decode(message, 0, SEQUENCE)
    _, _, at = _decode(message, at, INTEGER)
    _, _, at = _decode(message, at, OCTET_STRING)
    _, at, _ = _decode(message, at, RESPONSE)
    head = []
    for _ in range(3):
        _, start, at = _decode(message, at, INTEGER)
        head.append(int.from_bytes(message[start:at], "big", signed=True))
    came, error, index = head
    if came != number:
        raise WrongAnswer(f"request {number} was answered as {came}")
    if error:
        raise WrongAnswer(f"request {number} was answered with error {error} at {index}")
    _, at, end = _decode(message, at, SEQUENCE)
    while at < end:
        _, at, stop = _decode(message, at, SEQUENCE)
        _, start, at = _decode(message, at, OBJECT_IDENTIFIER)
        name = message[start:at]
        type_, start, at = _decode(message, at)
        yield Cell(name, type_, message[start:at])
        if at != stop:
            raise WrongAnswer(f"{dotted(name)} has something behind its value")


def check(question: Question, message: bytes) -> list[Cell]:
    """The cells of an answer, whose names and types are all as expected."""
    found = cells(question.number, message)
    if len(found) != len(question.expected):
        raise WrongAnswer(f"{len(found)} cells came instead of {len(question.expected)}")
    for cell, (name, type_) in zip(found, question.expected, strict=True):
        if cell.name != name:
            raise WrongAnswer(f"{dotted(cell.name)} came instead of {dotted(name)}")
        if cell.type != type_:
            what = EXCEPTIONS.get(cell.type, f"type {cell.type:#x}")
            raise WrongAnswer(f"{dotted(name)} came with {what} instead of type {type_:#x}")
    return found


class Counters:
    """Counters that have to move: what was seen of each, and when it was another value."""

    def __init__(self, names: Iterable[str], timeout: float = 0.0) -> None:
        """`timeout`: seconds for which one may show the value that it had."""
        self._timeout = timeout
        self._seen: dict[bytes, tuple[int, float] | None] = dict.fromkeys(map(oid, names))

    def see(self, found: Iterable[Cell], now: float) -> None:
        """WrongAnswer if one of these cells is a counter that fell, or that stands still."""
        for cell in found:
            if cell.name not in self._seen:
                continue
            before = self._seen[cell.name]
            if before is not None:
                value, since = before
                if cell.number < value:
                    raise WrongAnswer(f"{dotted(cell.name)} fell from {value} to {cell.number}")
                if cell.number == value:
                    if now - since >= self._timeout:
                        raise WrongAnswer(f"{dotted(cell.name)} stands still at {value}")
                    continue
            self._seen[cell.name] = cell.number, now
