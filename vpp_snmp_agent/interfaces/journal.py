"""The journal of ports: what its lines say, one by one and all together.

STATE_DIR/ports.journal is a text file to which lines are appended, each with the CRC-32 of
its JSON in front:

    1e9b7d05 {"vpp-snmp-agent":"ports","version":2}
    5f0e5a1c [1001,"GigabitEthernet5/0/0",1790000000]

    [ifIndex, key, seen]          a name, when it was last shown (or got its ifIndex)
    [ifIndex, key, seen, {...}]   it is shown, and these are its facts
    {"forget": [key, ...]}        names that the operator forgot, with all that was counted of them
    {"counters": [key, cell, ...]}
                                  what its counters had come to: which cell they were read
                                  from, 18 values as served, and 16 bases (counters.Reached);
                                  without zeros at the end, and 0 for unicast packets that
                                  are the packets without multicast and broadcast
    {"totals": [key, cell, {name: [served, base], ...}]}
                                  what numbers had come to that are no row's (totals.Saved); of
                                  the key "storage", how large VPP's heaps and pools are
    {"given": [[first, last]...]} ifIndexes that were given to somebody: never again
    {"time": seconds}             whatever is shown was shown at this time too

The last line of a key counts, of its counters by itself: they are saved far more often than
the rest, which takes as much again.  interfaces.json of 0.1.0 says less, and is read into the same.

The rules this module keeps:

- One line is what one damage costs, and a line of facts that cannot be served its facts only.
- What cannot be read at all is an error: nothing is given a new index because of it.
- Nothing here writes.
"""

import json
import os
import re
import time
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from .facts import Facts
from .formulas import DERIVED, SOURCES, VALUES
from .reached import Reached
from .totals import Saved, keys_of

JOURNAL = "ports.journal"
OLD = "interfaces.json"  # of 0.1.0
VERSION, OLD_VERSION = 2, 1

OTHERS = 100_001  # an ifIndex that is no 1000 + sw_if_index: from here up
MAX_INDEX = 2**31 - 1  # InterfaceIndex, RFC 2863
MAX_TOTAL = 2**80  # of what is served without being cut to 64 bits
MAX_ADDRESS_OCTETS = 20  # InfiniBand's; they are part of an index of ifRcvAddressTable

CHUNK = 1 << 16  # octets read or written at a time
SHARDS = 256  # a larger dict stops the loop for milliseconds when it grows
MIN_LINE = 16  # octets; no line of a port is shorter
GIVEN_PER_LINE = 200  # ranges
MAX_HOLD_TIME = 0.0005  # seconds that a thread beside the loop computes at a stretch
PAUSE_TIME = 0.001  # seconds that it sleeps then

# A name's ifIndex and when it was seen are one integer, which takes half the memory of a pair.
SEEN_BITS = 33
SEEN_MASK = (1 << SEEN_BITS) - 1

T = TypeVar("T")

_LINE_START = re.compile(rb"[0-9a-f]{8} [\[{]")


class StateError(Exception):
    """The state cannot be used; the text says which file, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Port:
    """One remembered name."""

    if_index: int
    key: str  # VPP's name for the interface, or `tap of <phy>` for the TAP of an LCP pair
    # Seconds since the epoch: when it was last shown.  A name that never was: when it got its
    # ifIndex, or was taken over from 0.1.0.
    last_seen: float
    shown: bool
    facts: Facts | None  # while it is shown
    reached: Reached | None = None  # what its counters had come to at the last save


# --- lines --------------------------------------------------------------------------------------

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


def _pieces(text: bytes) -> list[bytes]:
    """The sound lines in a damaged one: damaged newlines join lines."""
    starts = [match.start() for match in _LINE_START.finditer(text)]
    found = [text[start : end - 1] for start, end in pairwise(starts)]
    found += [text[start:end] for start in starts[-1:] for end in (len(text), len(text) - 1)]
    return [piece for piece in found if is_sound(piece)]


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


def _numbers(values: list[object]) -> "array[int]":
    if not 1 <= len(values) <= 1 + VALUES + len(SOURCES) or bool in map(type, values):
        raise ValueError("expected the counters of a name")
    try:
        return array("Q", values)  # type: ignore[arg-type]  # that is what it raises for
    except (TypeError, OverflowError) as error:
        raise ValueError(f"counters: {error}") from error


def _saved(cell: object, numbers: object) -> Saved:
    found = {}
    for name, pair in _typed(dict, numbers).items():
        served, base = _typed(list, pair)
        found[name] = _integer(served, MAX_TOTAL), _integer(base, MAX_TOTAL)
    return Saved(_integer(cell, MAX_TOTAL), found)


# --- facts --------------------------------------------------------------------------------------


def _typed(kind: type[T], value: object) -> T:
    if type(value) is not kind:
        raise ValueError(f"{value!r} is no {kind.__name__}")
    return value


def _integer(value: object, largest: int = MAX_INDEX) -> int:
    number = _typed(int, value)
    if not 0 <= number <= largest:
        raise ValueError(f"{number} is not between 0 and {largest}")
    return number


def _speed(value: object) -> int:
    return _integer(value, 2**63 - 1)


def _text(value: object) -> str:
    text = _typed(str, value)
    text.encode()  # raises ValueError: half a surrogate pair has no octets to serve
    return text


def _octets(value: object) -> bytes:
    octets = bytes.fromhex(_text(value))
    if len(octets) > MAX_ADDRESS_OCTETS:
        raise ValueError(f"{value!r} is longer than any link-layer address")
    return octets


def _address(value: object) -> tuple[bytes, int]:
    octets, _, length = _text(value).partition("/")
    address, prefix_length = bytes.fromhex(octets), int(length)
    if len(address) not in (4, 16) or not 0 <= prefix_length <= 8 * len(address):
        raise ValueError(f"{value!r} is not an address")
    return address, prefix_length


_DECODERS: dict[object, Callable[[object], object]] = {
    str: _text,
    int: _integer,
    bool: lambda value: _typed(bool, value),
    bytes: _octets,
    tuple[str, ...]: lambda value: tuple(map(_text, _typed(list, value))),
    tuple[tuple[bytes, int], ...]: lambda value: tuple(map(_address, _typed(list, value))),
}
# Not written where a row has them, so that a line is short; and what an older line lacks.
_DEFAULTS: dict[str, object] = {
    "alias": "",
    "duplex": 0,
    "lower_layers": (),
    "aggregated": False,
    "addresses": (),
    "paired": False,
    "link_traps": False,
}
_KINDS = get_type_hints(Facts)
_FIELDS = [
    (
        each.name,
        _speed if each.name == "speed" else _DECODERS[_KINDS[each.name]],
        _DEFAULTS.get(each.name, each.default),
    )
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


# --- all lines ----------------------------------------------------------------------------------


class Ranges:
    """A set of integers that are mostly neighbours: as sorted ranges that do not touch."""

    __slots__ = ("_firsts", "_lasts")

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []

    def add(self, first: int, last: int) -> None:
        """Add all from `first` to `last`."""
        low = bisect_left(self._lasts, first - 1)
        high = bisect_right(self._firsts, last + 1)
        if low < high:
            first = min(first, self._firsts[low])
            last = max(last, self._lasts[high - 1])
        self._firsts[low:high] = [first]
        self._lasts[low:high] = [last]

    def __contains__(self, number: int) -> bool:
        at = bisect_left(self._lasts, number)
        return at < len(self._lasts) and self._firsts[at] <= number

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """(first, last), ascending."""
        return zip(self._firsts, self._lasts, strict=True)

    def free_from(self, number: int) -> int:
        """The smallest from `number` up that is not in it."""
        at = bisect_left(self._lasts, number)
        if at < len(self._lasts) and self._firsts[at] <= number:
            return self._lasts[at] + 1
        return number


def shards() -> list[dict[str, int]]:
    """An empty dict for each shard."""
    return [{} for _ in range(SHARDS)]


def shard(key: str) -> int:
    """The shard that a key is in."""
    return hash(key) % SHARDS


class Contents:
    """What a journal says."""

    def __init__(self) -> None:
        self.packed = shards()  # by key: ifIndex and when it was seen
        self.facts: list[dict[str, Facts]] = [{} for _ in range(SHARDS)]  # of those shown
        self.counters: list[dict[str, array[int]]] = [{} for _ in range(SHARDS)]  # as packed
        self.totals: dict[str, Saved] = {}  # by key, of numbers that are no row's
        self.given = Ranges()  # to the names of this file, those forgotten included
        self.reserved = Ranges()  # given before, as the file says
        self.time = 0
        self.version = 0  # 0: there is no header
        self.count = 0  # of lines
        self.lost = 0  # of them damaged
        self.lost_octets = 0
        self.tail = b""  # what follows the last newline
        self.without_facts: list[str] = []  # keys whose facts are not valid
        self._given_octets = 0
        self._lengths: dict[str, int] = {}  # of lines with facts
        self._counter_lengths: dict[str, int] = {}  # of lines of counters

    def take(self, text: bytes) -> None:
        """Apply a line without its newline; of a damaged one the sound lines in it."""
        self.count += 1
        sound = is_sound(text)
        try:
            if not sound:
                raise ValueError("another checksum")
            self._apply(_from_json(text[9:].decode()), len(text))
        except (ValueError, RecursionError):
            self.lost += 1
            self.lost_octets += len(text)
            for piece in [] if sound else _pieces(text):
                self.take(piece)

    def _apply(self, record: object, length: int) -> None:
        if isinstance(record, list):
            self.apply_port(record, length)
        elif not isinstance(record, dict):
            raise ValueError("neither a list nor an object")
        elif "vpp-snmp-agent" in record:
            version = _integer(record.get("version"))
            if version < VERSION or record["vpp-snmp-agent"] != "ports":
                raise ValueError("another file's header")
            self.version = max(self.version, version)
        elif "forget" in record:
            for key in _typed(list, record["forget"]):
                at = shard(_typed(str, key))
                self.packed[at].pop(key, None)
                self.facts[at].pop(key, None)
                self.counters[at].pop(key, None)
                self._lengths.pop(key, None)
                self._counter_lengths.pop(key, None)
                for each in keys_of(key):
                    self.totals.pop(each, None)
        elif "counters" in record:
            self._apply_counters(_typed(list, record["counters"]), length)
        elif "totals" in record:
            key, cell, numbers = _typed(list, record["totals"])
            self.totals[_text(key)] = _saved(cell, numbers)
        elif "given" in record:
            for each in _typed(list, record["given"]):
                first, last = map(_integer, _typed(list, each))
                if not 1 <= first <= last:
                    raise ValueError(f"from {first} to {last}")
                self.reserved.add(first, last)
            self._given_octets += length
        elif "time" in record:
            self.time = max(self.time, _integer(record["time"], SEEN_MASK))
        else:
            raise ValueError("an unknown line")

    def _apply_counters(self, record: list[Any], length: int) -> None:
        if not record:
            raise ValueError("expected the counters of a name")
        key, numbers = _typed(str, record[0]), _numbers(record[1:])
        at = shard(key)
        if key in self.packed[at]:  # or else its own line is lost
            self.counters[at][key] = numbers
            self._counter_lengths[key] = length

    def apply_port(self, record: list[Any], length: int) -> None:
        """Apply the line of a name, of so many octets.  Raises ValueError."""
        if not 3 <= len(record) <= 4:
            raise ValueError("expected ifIndex, key, seen and facts")
        index, key = _integer(record[0]), _typed(str, record[1])
        facts = None
        if len(record) == 4:
            try:
                facts = decode_facts(record[3])
            except ValueError:
                self.without_facts.append(key)
        self.put(key, index << SEEN_BITS | _integer(record[2], SEEN_MASK), facts)
        self._lengths.pop(key, None)
        if len(record) == 4:
            self._lengths[key] = length

    def put(self, key: str, packed: int, facts: Facts | None) -> None:
        """A name with these.  ValueError: its ifIndex is another's, or none."""
        at, index = shard(key), packed >> SEEN_BITS
        if not index:
            raise ValueError("0 is no ifIndex")
        if self.packed[at].get(key, 0) >> SEEN_BITS != index:
            if index in self.given:
                raise ValueError(f"{index} is another's ifIndex")
            self.given.add(index, index)
        self.packed[at][key] = packed
        self.facts[at].pop(key, None)
        if facts is not None:
            self.facts[at][key] = facts

    def all_given(self) -> Ranges:
        """Every index that was ever given, as far as it can be read."""
        every = Ranges()
        for first, last in (*self.given, *self.reserved):
            every.add(first, last)
        return every

    def reserve_lost(self) -> None:
        """Reserve each index that a lost line may have held: it is not given to another name."""
        if not any(self.packed):
            return  # nothing is left that could be mistaken
        lost = self.lost_octets // MIN_LINE + 1
        edge = OTHERS - 1
        for first, last in self.all_given():
            if first - edge > lost + 1:
                break
            edge = max(edge, last)
        self.reserved.add(1, min(edge + lost, MAX_INDEX))

    def live_octets(self) -> int:
        """How long the lines are that count, as good as: without facts, two numbers and a key."""
        names = sum(len(key) + 32 for packed in self.packed for key in packed)
        lengths = *self._lengths.values(), *self._counter_lengths.values()
        totals = sum(len(totals_line(*each)) for each in self.totals.items())
        return 100 + self._given_octets + names + sum(lengths) + totals

    def live_lines(self, pause: Callable[[], None]) -> Iterator[bytes]:
        """A journal that says the same, without what no longer counts."""
        yield line({"vpp-snmp-agent": "ports", "version": VERSION})
        ranges = list(self.all_given())
        for at in range(0, len(ranges), GIVEN_PER_LINE):
            yield line({"given": ranges[at : at + GIVEN_PER_LINE]})
        yield line({"time": self.time})
        for key, saved in self.totals.items():
            yield totals_line(key, saved)
        for packed, facts, counters in self._shards():
            for key, value in packed.items():
                yield port_line(key, value, facts.get(key))
                if key in counters:
                    yield counters_line(key, counters[key])
                pause()

    def _shards(self) -> Iterator[tuple[dict[str, int], dict[str, Facts], dict[str, "array[int]"]]]:
        return zip(self.packed, self.facts, self.counters, strict=True)

    def ports(self) -> Iterator[Port]:
        """All of them; those that are shown were last seen when it was last said."""
        for packed, facts, counters in self._shards():
            for port in ports_of(packed, facts, self.time):
                numbers = counters.get(port.key)
                yield port if numbers is None else replace(port, reached=unpack(numbers))

    def clear(self, pause: Callable[[], None]) -> None:
        """Free what it holds, a shard at a time: all at once would stop the loop."""
        for each in self._shards():
            for held in each:
                held.clear()
            pause()


def ports_of(packed: dict[str, int], facts: dict[str, Facts], now: float) -> Iterator[Port]:
    """The ports of a shard, which may change meanwhile; those shown were last seen `now`."""
    for key, value in list(packed.items()):
        fact = facts.get(key)
        seen = float(value & SEEN_MASK)
        if fact is not None:
            seen = max(seen, now)
        yield Port(value >> SEEN_BITS, key, seen, fact is not None, fact)


# --- reading ------------------------------------------------------------------------------------


def yielder(patiently: bool) -> Callable[[], None]:
    """What is called between two lines: with `patiently` it leaves the interpreter to others."""
    since = time.perf_counter()

    def pause() -> None:
        nonlocal since
        if time.perf_counter() - since > MAX_HOLD_TIME:
            time.sleep(PAUSE_TIME)
            since = time.perf_counter()

    return pause if patiently else lambda: None


def chunks(fd: int, start: int, end: int) -> Iterator[bytes]:
    """What is in a file from `start` to `end`.  Raises OSError."""
    while start < end:
        chunk = os.pread(fd, min(CHUNK, end - start), start)
        if not chunk:
            return
        start += len(chunk)
        yield chunk


def contents_of(path: Path, fd: int, size: int, pause: Callable[[], None]) -> Contents:
    """What an open journal says.  Raises OSError, StateError."""
    contents, tail = Contents(), b""
    for chunk in chunks(fd, 0, size):
        *texts, tail = (tail + chunk).split(b"\n")
        for text in texts:
            if text:
                contents.take(text)
            pause()
    contents.tail = tail
    if is_sound(tail) or _pieces(tail):  # or else it is half a line, which a kill left
        contents.take(tail)
    if contents.version > VERSION:
        raise StateError(
            f"{path}: was written by a newer vpp-snmp-agent (version {contents.version}; this one"
            f" knows {VERSION}): install that, or move the file away"
        )
    if not contents.version:
        contents.lost = max(contents.lost, 1)
    return contents


# --- interfaces.json of 0.1.0 -------------------------------------------------------------------


def contents_of_old(text: bytes, now: int) -> Contents:
    """What interfaces.json says, whose names were last seen `now`.  Raises ValueError.

    {"version": 1, "interfaces": {key: {"ifIndex": 1001, "row": {...}}}}; the row is absent
    where the interface was not shown.
    """
    try:
        document = json.loads(text, object_pairs_hook=_no_name_twice)
    except RecursionError as error:
        raise ValueError(str(error)) from error
    if not isinstance(document, dict) or document.get("version") != OLD_VERSION:
        raise ValueError(f"expected version {OLD_VERSION}")
    contents = Contents()
    entries = document.get("interfaces")
    if not isinstance(entries, dict):
        raise ValueError("expected interfaces by name")
    for key, entry in entries.items():
        try:
            record = [_typed(dict, entry).get("ifIndex"), key, now]
            if "row" in entry:
                row = entry["row"]
                if isinstance(row, dict) and "stands_on" in row:
                    row = {**row, "lower_layers": row["stands_on"]}
                record.append(row)
            contents.apply_port(record, 0)
        except ValueError as error:
            raise ValueError(f"ifIndex of {key}: {error}") from error
    return contents


def _no_name_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found
