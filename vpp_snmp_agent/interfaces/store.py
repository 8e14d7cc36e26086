"""What outlives a restart: the ifIndex of a name, for ever, and the row it last had.

One file, STATE_DIR/interfaces.json, JSON with a line for each name:

    "GigabitEthernet5/0/0": {"ifIndex": 1001, "row": {"ifName": "eno1", ...}},

A name is VPP's for the interface, or `tap of <phy>` for the TAP of an LCP pair.  It keeps
its line when its interface goes; only the row is forgotten then.

The rules this module keeps:

- An index is given once: never to another name, never another to that name.
- The file is replaced whole, and only after the new one is on the disk: a kill at any
  moment leaves the old or the new.
"""

import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FIRST = 1000  # a first ifIndex is this + sw_if_index: 0 is no ifIndex, but a sw_if_index
OTHERS = 100_001  # where that is taken: from here up
LARGEST = 2**31 - 1  # InterfaceIndex, RFC 2863
LONGEST_ADDRESS = 20  # octets, of InfiniBand; it is part of an index of ifRcvAddressTable
VERSION = 1
NAME = "interfaces.json"


class StoreError(Exception):
    """The state file cannot be read or written; the text says why."""


class Damaged(StoreError):
    """The state file was read, and is none; the text says where."""


@dataclass(frozen=True, slots=True)
class LastRow:
    """What is known of an interface without VPP."""

    name: str  # ifName
    alias: str
    type: int
    mtu: int
    speed: int  # bits a second
    phys_address: str  # hexadecimal
    has_connector: bool
    admin_up: bool
    paired: bool  # it had an LCP pair
    # What follows was not always written.
    link_traps: bool = False
    stands_on: tuple[str, ...] = ()  # names
    addresses: tuple[str, ...] = ()  # hexadecimal, with the prefix length: c0000201/24


_LISTS = ("stands_on", "addresses")
_FIELDS = {name: kind for name, kind in LastRow.__annotations__.items() if name not in _LISTS}
_NOT_ALWAYS = {"link_traps", *_LISTS}
_LARGEST = {"speed": 2**63 - 1}  # the other numbers are served as an Integer32


class Store:
    """The indexes and rows of one state directory; of none, they live in memory alone."""

    def __init__(self, directory: str | None = None) -> None:
        self._directory = directory
        self._indexes: dict[str, int] = {}
        self._given: set[int] = set()
        self._next = OTHERS
        self._rows: dict[str, LastRow] = {}
        self.unwritten = False  # an index was given that the file does not know
        self.stale = False  # the file does not know a row as it is

    @property
    def path(self) -> Path:
        """The file."""
        return Path(self._directory or "") / NAME

    # --- indexes ----------------------------------------------------------------------------

    def index_of(self, name: str, sw_if_index: int) -> int:
        """The name's ifIndex; given now, if it never had one."""
        index = self._indexes.get(name)
        if index is None:
            index = FIRST + sw_if_index
            while index in self._given:
                index, self._next = self._next, self._next + 1
            self._indexes[name] = index
            self._given.add(index)
            self.unwritten = True
        return index

    # --- rows ---------------------------------------------------------------------------------

    def rows(self) -> dict[str, tuple[int, LastRow]]:
        """The last rows and their indexes, by name."""
        return {name: (self._indexes[name], row) for name, row in self._rows.items()}

    def remember(self, name: str, row: LastRow) -> None:
        """What the name's row is now."""
        if self._rows.get(name) != row:
            self._rows[name] = row
            self.stale = True

    def keep_only(self, names: Iterable[str]) -> None:
        """Forget the rows of all other names, not their indexes."""
        gone = self._rows.keys() - set(names)
        for name in gone:
            del self._rows[name]
        self.stale |= bool(gone)

    # --- the file ---------------------------------------------------------------------------------

    def load(self) -> None:
        """Read the file, if there is one.  Raises Damaged or StoreError; it is empty then."""
        if self._directory is None:
            return
        try:
            text = self.path.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            raise StoreError(f"{self.path}: {error.strerror}") from error
        try:
            self._indexes, self._rows = _parse(text)
        except (ValueError, RecursionError) as error:
            raise Damaged(f"{self.path} is damaged: {error}") from error
        self._given = set(self._indexes.values())
        self._next = max((index + 1 for index in self._given if index >= OTHERS), default=OTHERS)

    def set_aside(self) -> Path:
        """Rename a damaged file, so that nothing in it is lost.  Raises StoreError."""
        aside = self.path.with_name(f"{NAME}.damaged-{time.strftime('%Y%m%dT%H%M%S')}")
        try:
            self.path.rename(aside)
        except OSError as error:
            raise StoreError(f"{self.path}: {error.strerror}") from error
        return aside

    def write(self) -> None:
        """Replace the file, durably.  Raises StoreError.  It can take long."""
        if self._directory is None:
            return
        new = self.path.with_suffix(".new")
        try:
            os.makedirs(self._directory, exist_ok=True)
            with open(new, "wb") as file:
                file.write(_render(self._indexes, self._rows))
                file.flush()
                os.fsync(file.fileno())
            os.replace(new, self.path)
            directory = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        except OSError as error:
            raise StoreError(f"{error.filename or self.path}: {error.strerror}") from error
        self.handed_over()

    def handed_over(self) -> None:
        """What is known now is on its way to the file."""
        self.unwritten = self.stale = False


def _render(indexes: Mapping[str, int], rows: Mapping[str, LastRow]) -> bytes:
    lines = []
    for name, index in sorted(indexes.items(), key=lambda entry: entry[1]):
        entry: dict[str, Any] = {"ifIndex": index}
        if name in rows:
            entry["row"] = asdict(rows[name])
        lines.append(f"{json.dumps(name)}: {json.dumps(entry, ensure_ascii=False)}")
    text = ",\n".join(lines)
    return f'{{"version": {VERSION}, "interfaces": {{\n{text}\n}}}}\n'.encode(errors="replace")


def _parse(text: bytes) -> tuple[dict[str, int], dict[str, LastRow]]:
    """Raises ValueError, RecursionError."""
    whole = json.loads(text, object_pairs_hook=_no_name_twice)
    if not isinstance(whole, dict) or whole.get("version") != VERSION:
        raise ValueError(f"expected version {VERSION}")
    entries = whole.get("interfaces")
    if not isinstance(entries, dict):
        raise ValueError("expected interfaces by name")
    indexes: dict[str, int] = {}
    rows: dict[str, LastRow] = {}
    given: dict[int, str] = {}
    for name, entry in entries.items():
        index = entry.get("ifIndex") if isinstance(entry, dict) else None
        if type(index) is not int or not 0 < index <= LARGEST:
            raise ValueError(f"expected an ifIndex of {name}")
        if index in given:
            raise ValueError(f"{name} and {given[index]} have the same ifIndex {index}")
        given[index] = name
        indexes[name] = index
        if "row" in entry:
            rows[name] = _row(name, entry["row"])
    return indexes, rows


def address_of(text: str) -> tuple[bytes, int]:
    """(octets, prefix length) of one of `LastRow.addresses`.  Raises ValueError."""
    octets, _, length = text.partition("/")
    address, prefix_length = bytes.fromhex(octets), int(length)
    if len(address) not in (4, 16) or not 0 <= prefix_length <= 8 * len(address):
        raise ValueError(f"{text} is no address")
    return address, prefix_length


def _row(name: str, fields: object) -> LastRow:
    every = LastRow.__annotations__.keys()
    if not isinstance(fields, dict) or not every - _NOT_ALWAYS <= fields.keys() <= every:
        raise ValueError(f"expected {', '.join(every)} of {name}")
    for field, kind in _FIELDS.items():
        if field not in fields:
            continue
        if type(fields[field]) is not kind or (
            kind is int and not 0 <= fields[field] <= _LARGEST.get(field, LARGEST)
        ):
            raise ValueError(f"expected another {field} of {name}")
    lists = {}
    for field in _LISTS:
        texts = fields.get(field, [])
        if not isinstance(texts, list) or not all(isinstance(each, str) for each in texts):
            raise ValueError(f"expected texts as {field} of {name}")
        lists[field] = tuple(texts)
    for text in (name, fields["name"], fields["alias"], *lists["stands_on"]):
        text.encode()  # raises ValueError: half a surrogate pair is no text
    for text in lists["addresses"]:
        address_of(text)
    if len(bytes.fromhex(fields["phys_address"])) > LONGEST_ADDRESS:
        raise ValueError(f"expected another phys_address of {name}")
    return LastRow(**fields | lists)


def _no_name_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found
