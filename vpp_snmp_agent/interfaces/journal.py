"""The journal of ports: what all of its lines say together (lines.py).

The last line of a key counts, of its counters by itself: they are saved far more often than
the rest, which takes as much again.  interfaces.json of 0.1.0 says less, and is read into the same.

The rules this module keeps:

- One line is what one damage costs.
- What cannot be read at all is an error: nothing is given a new index because of it.
- Nothing here writes.
"""

import json
import os
import time
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .facts import Facts
from .lines import (
    MAX_INDEX,
    SEEN_BITS,
    SEEN_MASK,
    counters_line,
    decode_facts,
    decoded,
    integer,
    is_sound,
    line,
    numbers_of,
    pieces,
    port_line,
    saved_of,
    text_of,
    totals_line,
    typed,
    unpack,
)
from .ranges import Ranges
from .reached import Reached
from .totals import Saved, keys_of

JOURNAL = "ports.journal"
OLD = "interfaces.json"  # of 0.1.0
VERSION, OLD_VERSION = 2, 1

OTHERS = 100_001  # an ifIndex that is no 1000 + sw_if_index: from here up

CHUNK = 1 << 16  # octets read or written at a time
SHARDS = 256  # a larger dict stops the loop for milliseconds when it grows
MIN_LINE = 16  # octets; no line of a port is shorter
GIVEN_PER_LINE = 200  # ranges
MAX_HOLD_TIME = 0.0005  # seconds that a thread beside the loop computes at a stretch
PAUSE_TIME = 0.001  # seconds that it sleeps then


class StateError(Exception):
    """The state cannot be used; the text says which file, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Port:
    """One name that is saved."""

    if_index: int
    key: str  # VPP's name for the interface, or `tap of <phy>` for the TAP of an LCP pair
    # Seconds since the epoch: when it was last shown.  A name that never was: when it got its
    # ifIndex, or was taken over from 0.1.0.
    last_seen: float
    facts: Facts | None  # while it is shown
    reached: Reached | None = None  # what its counters had come to at the last save

    @property
    def shown(self) -> bool:
        """Whether it is shown."""
        return self.facts is not None

    @property
    def listed(self) -> list[object]:
        """What the command `ports` lists of it."""
        return [self.if_index, self.key, self.last_seen, self.shown]


def port_of(key: str, packed: int, facts: Facts | None, now: float) -> Port:
    """A name as it is kept; one that is shown was last seen `now`."""
    seen = float(packed & SEEN_MASK)
    return Port(packed >> SEEN_BITS, key, seen if facts is None else max(seen, now), facts)


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
            self._apply(decoded(text), len(text))
        except (ValueError, RecursionError):
            self.lost += 1
            self.lost_octets += len(text)
            for piece in [] if sound else pieces(text):
                self.take(piece)

    def _apply(self, record: object, length: int) -> None:
        if isinstance(record, list):
            self.apply_port(record, length)
        elif not isinstance(record, dict):
            raise ValueError("neither a list nor an object")
        elif "vpp-snmp-agent" in record:
            version = integer(record.get("version"))
            if version < VERSION or record["vpp-snmp-agent"] != "ports":
                raise ValueError("another file's header")
            self.version = max(self.version, version)
        elif "forget" in record:
            for key in typed(list, record["forget"]):
                at = shard(typed(str, key))
                self.packed[at].pop(key, None)
                self.facts[at].pop(key, None)
                self.counters[at].pop(key, None)
                self._lengths.pop(key, None)
                self._counter_lengths.pop(key, None)
                for each in keys_of(key):
                    self.totals.pop(each, None)
        elif "counters" in record:
            self._apply_counters(typed(list, record["counters"]), length)
        elif "totals" in record:
            key, cell, numbers = typed(list, record["totals"])
            self.totals[text_of(key)] = saved_of(cell, numbers)
        elif "given" in record:
            for each in typed(list, record["given"]):
                first, last = map(integer, typed(list, each))
                if not 1 <= first <= last:
                    raise ValueError(f"from {first} to {last}")
                self.reserved.add(first, last)
            self._given_octets += length
        elif "time" in record:
            self.time = max(self.time, integer(record["time"], SEEN_MASK))
        else:
            raise ValueError("an unknown line")

    def _apply_counters(self, record: list[Any], length: int) -> None:
        if not record:
            raise ValueError("expected the counters of a name")
        key, numbers = typed(str, record[0]), numbers_of(record[1:])
        at = shard(key)
        if key in self.packed[at]:  # or else its own line is lost
            self.counters[at][key] = numbers
            self._counter_lengths[key] = length

    def apply_port(self, record: list[Any], length: int) -> None:
        """Apply the line of a name, of so many octets.  Raises ValueError."""
        if not 3 <= len(record) <= 4:
            raise ValueError("expected ifIndex, key, seen and facts")
        index, key = integer(record[0]), typed(str, record[1])
        facts = None
        if len(record) == 4:
            try:
                facts = decode_facts(record[3])
            except ValueError:
                self.without_facts.append(key)
        self.put(key, index << SEEN_BITS | integer(record[2], SEEN_MASK), facts)
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
        yield port_of(key, value, facts.get(key), now)


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
    if is_sound(tail) or pieces(tail):  # or else it is half a line, which a kill left
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
            record = [typed(dict, entry).get("ifIndex"), key, now]
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
