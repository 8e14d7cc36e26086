"""One line of the journal of ports: what it says, and how that is written.

STATE_DIR/ports.journal is a text file to which lines are appended, each with the CRC-32 of
its JSON in front:

    1e9b7d05 {"vpp-snmp-agent":"ports","version":2}
    5f0e5a1c [1001,"GigabitEthernet5/0/0",1790000000]

    [ifIndex, key, seen]          a name, when it was last shown (or got its ifIndex)
    [ifIndex, key, seen, {...}]   it is shown, and these are its facts
    {"forget": [key, ...]}        names that the operator forgot, with all that was counted of them
    {"counters": [key, cell, ...]}
                                  what its counters had come to: which cell they were read
                                  from, 18 values as served, and 16 bases (reached.Reached);
                                  without zeros at the end, and 0 for unicast packets that
                                  are the packets without multicast and broadcast
    {"totals": [key, cell, {name: [served, base], ...}]}
                                  what numbers had come to that are no row's (totals.Saved); of
                                  the key "storage", how large VPP's heaps and pools are
    {"given": [[first, last]...]} ifIndexes that were given to somebody: never again
    {"time": seconds}             whatever is shown was shown at this time too

The rules this module keeps:

- Facts are written as they are declared: whichever fields they have, none is named here.
- What a line says is checked when it is read: a line of facts that cannot be served costs its
  facts only.
"""

import json
import re
import zlib
from array import array
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields
from itertools import pairwise
from typing import Any, TypeVar, get_type_hints

from .facts import Facts
from .formulas import DERIVED, SOURCES, VALUES
from .reached import Reached
from .totals import Saved

MAX_INDEX = 2**31 - 1  # InterfaceIndex, RFC 2863
MAX_TOTAL = 2**80  # of what is served without being cut to 64 bits
MAX_ADDRESS_OCTETS = 20  # InfiniBand's; they are part of an index of ifRcvAddressTable

# A name's ifIndex and when it was seen are one integer, which takes half the memory of a pair.
SEEN_BITS = 33
SEEN_MASK = (1 << SEEN_BITS) - 1

T = TypeVar("T")

_LINE_START = re.compile(rb"[0-9a-f]{8} [\[{]")

_to_json = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
_from_json = json.JSONDecoder().decode


def line(record: object) -> bytes:
    """A record as it is appended."""
    text = _to_json(record).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def port_line(key: str, packed: int, facts: Facts | None) -> bytes:
    """A name's line; `packed` is its ifIndex and when it was seen."""
    record = [packed >> SEEN_BITS, key, packed & SEEN_MASK]
    return line(record if facts is None else [*record, encode_facts(facts)])


def counters_line(key: str, packed: "array[int]") -> bytes:
    """The line of a name's counters, which `pack` made."""
    return line({"counters": [key, *packed]})


def totals_line(key: str, saved: Saved) -> bytes:
    """The line of numbers that are no row's."""
    return line({"totals": [key, saved.cell, saved.numbers]})


def is_sound(text: bytes) -> bool:
    """Whether a line without its newline has the checksum that it says."""
    return len(text) > 9 and text[:9] == b"%08x " % zlib.crc32(text[9:])


def pieces(text: bytes) -> list[bytes]:
    """The sound lines in a damaged one: damaged newlines join lines."""
    starts = [match.start() for match in _LINE_START.finditer(text)]
    found = [text[start : end - 1] for start, end in pairwise(starts)]
    found += [text[start:end] for start in starts[-1:] for end in (len(text), len(text) - 1)]
    return [piece for piece in found if is_sound(piece)]


def decoded(text: bytes) -> object:
    """What a sound line says, as JSON has it.  Raises ValueError, RecursionError."""
    return _from_json(text[9:].decode())


# --- values -------------------------------------------------------------------------------------


def typed(kind: type[T], value: object) -> T:
    if type(value) is not kind:
        raise ValueError(f"{value!r} is no {kind.__name__}")
    return value


def integer(value: object, largest: int = MAX_INDEX) -> int:
    number = typed(int, value)
    if not 0 <= number <= largest:
        raise ValueError(f"{number} is not between 0 and {largest}")
    return number


def text_of(value: object) -> str:
    text = typed(str, value)
    text.encode()  # raises ValueError: half a surrogate pair has no octets to serve
    return text


# --- counters -----------------------------------------------------------------------------------


def _derived(served: "array[int]") -> Iterator[tuple[int, int]]:
    """What unicast packets are, unless they were more at their highest: for the most part."""
    for formula in DERIVED:
        yield formula.highest, max(0, formula.of(served))


def pack(reached: Reached) -> "array[int]":
    """Counters as their line has them, which takes a third of the memory of the other."""
    numbers = array("Q", [reached.cell])
    numbers += reached.served
    for which, found in _derived(reached.served):
        if reached.served[which] == found:
            numbers[1 + which] = 0
    numbers += reached.bases
    while not numbers[-1] and len(numbers) > 1:
        numbers.pop()
    return numbers


def unpack(packed: "array[int]") -> Reached:
    """The inverse."""
    served = packed[1 : 1 + VALUES]
    served.extend([0] * (VALUES - len(served)))
    for which, found in _derived(served):
        served[which] = served[which] or found
    bases = packed[1 + VALUES :]
    if bases:
        bases.extend([0] * (len(SOURCES) - len(bases)))
    return Reached(packed[0], served, bases)


def numbers_of(values: list[object]) -> "array[int]":
    if not 1 <= len(values) <= 1 + VALUES + len(SOURCES) or bool in map(type, values):
        raise ValueError("expected the counters of a name")
    try:
        return array("Q", values)  # type: ignore[arg-type]  # that is what it raises for
    except (TypeError, OverflowError) as error:
        raise ValueError(f"counters: {error}") from error


def saved_of(cell: object, numbers: object) -> Saved:
    found = {}
    for name, pair in typed(dict, numbers).items():
        served, base = typed(list, pair)
        found[name] = integer(served, MAX_TOTAL), integer(base, MAX_TOTAL)
    return Saved(integer(cell, MAX_TOTAL), found)


# --- facts --------------------------------------------------------------------------------------


def _octets(value: object) -> bytes:
    octets = bytes.fromhex(text_of(value))
    if len(octets) > MAX_ADDRESS_OCTETS:
        raise ValueError(f"{value!r} is longer than any link-layer address")
    return octets


def _address(value: object) -> tuple[bytes, int]:
    octets, _, length = text_of(value).partition("/")
    address, prefix_length = bytes.fromhex(octets), int(length)
    if len(address) not in (4, 16) or not 0 <= prefix_length <= 8 * len(address):
        raise ValueError(f"{value!r} is not an address")
    return address, prefix_length


_DECODERS: dict[object, Callable[[object], object]] = {
    str: text_of,
    int: integer,
    bool: lambda value: typed(bool, value),
    bytes: _octets,
    tuple[str, ...]: lambda value: tuple(map(text_of, typed(list, value))),
    tuple[tuple[bytes, int], ...]: lambda value: tuple(map(_address, typed(list, value))),
}


def _decoder(kind: object, largest: int | None) -> Callable[[object], object]:
    """What reads a field of facts; `largest`: of a number that may be more than an Integer32."""
    return _DECODERS[kind] if largest is None else lambda value: integer(value, largest)


_KINDS = get_type_hints(Facts)
# Its name, what reads it, and what it is where a line does not have it (so that lines are short).
_FIELDS = [
    (each.name, _decoder(_KINDS[each.name], each.metadata.get("largest")), each.default)
    for each in fields(Facts)
]


def encode_facts(facts: Facts) -> dict[str, object]:
    """Facts as JSON has them: octets hexadecimal, addresses as c0000201/24, no defaults."""
    values = [(name, getattr(facts, name), default) for name, _, default in _FIELDS]
    return {name: _encoded(value) for name, value, default in values if value != default}


def _encoded(value: object) -> object:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple):
        return [f"{each[0].hex()}/{each[1]}" if isinstance(each, tuple) else each for each in value]
    return value


def decode_facts(record: object) -> Facts:
    """The inverse; what it does not know, it ignores.  Raises ValueError."""
    if not isinstance(record, dict):
        raise ValueError("expected facts by name")
    found: dict[str, Any] = {}
    for name, decode, default in _FIELDS:
        try:
            found[name] = decode(record[name]) if name in record else default
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        if found[name] is MISSING:
            raise ValueError(f"{name} is missing")
    return Facts(**found)
