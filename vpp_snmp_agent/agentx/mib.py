"""Managed objects: what a MIB says of a table or scalar, and get and get-next over them.

The rules this module keeps:

- A table is columns x rows, and never more: a cell's value is computed when that
  cell is asked for.
- Rows come and go one at a time; what that costs does not grow with their number.
- A cell whose value is None does not exist: Get says noSuchInstance, GetNext passes on
  to the next cell.  It never ends a walk.
- Names are keys (`pdu.oid`), so the next name is found by bisection, as bytes.
- What leaves is an encoded variable binding, ready for a Response.

It knows no interface: rows are whatever the columns' functions take.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

from .values import (
    END_OF_MIB_VIEW,
    NO_SUCH_INSTANCE,
    NO_SUCH_OBJECT,
    MalformedPDU,
    ValueType,
    decode_oid,
    encode_oid,
    encode_varbind,
    oid,
    subids,
    varbind_head,
)

MAX_CHUNK = 512  # indexes
SHARDS = 64
SHARD_MASK, SHARD_SHIFT = SHARDS - 1, 32


class Rows(Protocol):
    """A table's rows by their index, in the index's order.

    An index is the key of the instance part of a name: `oid("1001")` for ifIndex 1001.
    """

    def get(self, index: bytes) -> Any | None:
        """The row at an index."""

    def following(self, index: bytes) -> bytes | None:
        """The first index after this one, which need not be there; after b"" the first of all."""


class SortedRows:
    """Rows that come and go one at a time, however many there are.

    The indexes are kept in sorted chunks: to insert or remove one moves a chunk's, not all.
    The rows are kept in shards: a dict that grows is copied, and one of 200,000 entries
    stops the loop for 7 ms.
    """

    __slots__ = ("_at", "_chunk", "_chunks", "_lasts", "_shards", "_size")

    def __init__(self) -> None:
        self._chunks: list[list[bytes]] = []
        self._lasts: list[bytes] = []  # the last index of each chunk
        self._shards: list[dict[bytes, Any]] = [{} for _ in range(SHARDS)]
        self._size = 0
        # Where the last answer was found: in a walk the next question begins there.
        self._chunk: list[bytes] = []
        self._at = 0

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            yield from chunk

    def get(self, index: bytes) -> Any | None:
        """The row at an index."""
        # Not by the lowest bits of the hash: within a shard they are what its dict goes by.
        return self._shards[hash(index) >> SHARD_SHIFT & SHARD_MASK].get(index)

    def following(self, index: bytes) -> bytes | None:
        """The first index after this one."""
        chunk, at = self._chunk, self._at
        if at < len(chunk) and chunk[at] == index:
            at += 1
            if at < len(chunk):
                self._at = at
                return chunk[at]
        number = bisect_right(self._lasts, index)
        if number == len(self._chunks):
            return None
        self._chunk = chunk = self._chunks[number]
        self._at = at = bisect_right(chunk, index)
        return chunk[at]

    def put(self, index: bytes, row: Any) -> bool:
        """Show a row at an index; whether there was none before."""
        shard = self._shards[hash(index) >> SHARD_SHIFT & SHARD_MASK]
        is_new = index not in shard
        shard[index] = row
        if is_new:
            self._insert(index)
            self._size += 1
        return is_new

    def _insert(self, index: bytes) -> None:
        self._chunk = []
        if not self._chunks:
            self._chunks.append([index])
            self._lasts.append(index)
            return
        number = min(bisect_left(self._lasts, index), len(self._lasts) - 1)
        chunk = self._chunks[number]
        insort(chunk, index)
        if len(chunk) > MAX_CHUNK:
            half = len(chunk) // 2
            self._chunks.insert(number + 1, chunk[half:])
            del chunk[half:]
            self._lasts.insert(number, chunk[-1])
            number += 1
        self._lasts[number] = self._chunks[number][-1]

    def remove(self, index: bytes) -> bool:
        """Show no row at an index any more; whether there was one."""
        shard = self._shards[hash(index) >> SHARD_SHIFT & SHARD_MASK]
        if shard.pop(index, None) is None:
            return False
        self._size -= 1
        self._chunk = []
        number = bisect_left(self._lasts, index)
        chunk = self._chunks[number]
        del chunk[bisect_left(chunk, index)]
        if chunk:
            self._lasts[number] = chunk[-1]
        else:
            del self._chunks[number], self._lasts[number]
        return True

    def dismantle(self) -> Iterator[None]:
        """Give everything back, a chunk at a time: 200,000 rows at once would take 10 ms."""
        while self._chunks:
            for index in list(self._chunks[-1]):
                self.remove(index)
            yield


class UpTime:
    """The master's sysUpTime, which every TimeTicks of a MIB is in (RFC 2863 section 6)."""

    def __init__(self) -> None:
        self._zero = float("inf")  # no moment is later: without a master all ticks are 0

    def set(self, sys_up_time: int, now: float) -> None:
        """The master said `sys_up_time` (centiseconds) at `now`, by the caller's clock."""
        self._zero = now - sys_up_time / 100

    def ticks(self, moment: float | None) -> int:
        """A moment as sysUpTime; 0 for None and for what was before the master started."""
        return 0 if moment is None else int(max(0.0, moment - self._zero) * 100)


class Column:
    """One columnar object: its number, name and syntax in the MIB, its value for a row."""

    __slots__ = (
        "_heads",
        "is_counter",
        "name",
        "number",
        "prefix",
        "reading_index",
        "type",
        "value",
    )

    def __init__(
        self,
        number: int,
        name: str,
        type_: ValueType,
        value: Callable[[Any], Any],
        reading_index: int | None = None,
        is_counter: bool = False,
    ) -> None:
        """`reading_index`: where the same value stands in the row's `readings`, of a counter.

        A counter (`is_counter`, or one with a reading index) exists only in rows that are counted.
        """
        self.number = number
        self.name = name
        self.type = type_
        self.value = value
        self.reading_index = reading_index
        self.is_counter = is_counter or reading_index is not None
        self.prefix = b""
        # All of a varbind up to the index, by the index's length: the one part of an
        # answer worth keeping, for it is the same in each.
        self._heads: dict[int, bytes] = {}

    def varbind(self, index: bytes, value: Any) -> bytes:
        """This column's cell of the row at `index`, encoded."""
        head = self._heads.get(len(index)) or self.head(len(index))
        return head + index + self.type.encode(value)

    def head(self, size: int) -> bytes:
        """All of this column's varbinds that comes before an index of so many octets."""
        head = self._heads.get(size)
        if head is None:
            whole = varbind_head(self.type, self.prefix + bytes(size))
            head = self._heads[size] = whole[: len(whole) - size]
        return head


class Table:
    """A conceptual table (RFC 2578 section 7.1.12): `entry` is the OID of its entry object."""

    def __init__(self, entry: str, columns: Sequence[Column]) -> None:
        self.entry = oid(entry)
        self.columns = columns
        numbers = [column.number for column in columns]
        if numbers != sorted(set(numbers)):
            raise ValueError(f"the columns of {entry} are out of order")
        for column in columns:
            column.prefix = self.entry + subids(column.number)

    def over(
        self,
        rows: Rows,
        counted: Rows | None = None,
        readings: Callable[[Any], tuple[int, ...] | None] | None = None,
    ) -> "TableView":
        """This table with rows in it.

        `counted` are those of the rows that have counters: where there are none, GetNext does
        not search ten thousand rows for them.  `readings(row)`: counters of a row that cost
        less together than one by one, by the `reading_index` of their columns; None where each has
        to be read by itself.
        """
        return TableView(self, rows, counted, readings)


class Slot:
    """A column of a view, and the rows that it is over."""

    __slots__ = (
        *("column", "end_bound", "following", "prefix", "readings", "row_at", "rows", "value"),
    )

    def __init__(
        self,
        column: Column,
        rows: Rows,
        counted: Rows,
        readings: Callable[[Any], tuple[int, ...] | None] | None,
    ) -> None:
        """As of `Table.over`."""
        self.column = column
        self.prefix = column.prefix
        self.value = column.value
        self.rows = rows
        self.row_at = rows.get
        self.following = (counted if column.is_counter else rows).following
        self.readings = readings
        self.end_bound = b""  # an end of a range, as it came last, that is behind the column

    def get(self, name: bytes) -> bytes:
        """RFC 2741 section 7.2.3.1."""
        index = name[len(self.prefix) :]
        row = self.row_at(index)
        value = None if row is None else self.value(row)
        if value is None:
            return encode_varbind(name, NO_SUCH_INSTANCE)
        return self.column.varbind(index, value)

    def get_next(self, start: bytes, include: int, end: bytes) -> bytes | None:
        """RFC 2741 section 7.2.3.2."""
        prefix, after = self.prefix, b""
        if start.startswith(prefix):
            after = start[len(prefix) :]
        elif start > prefix:
            return None
        is_included = include and after and self.row_at(after) is not None
        index = after if is_included else self.following(after)
        while index is not None:
            if end and prefix + index >= end:
                return None
            row = self.row_at(index)
            value = None if row is None else self.value(row)
            if value is not None:
                return self.column.varbind(index, value)
            index = self.following(index)
        return None

    def ends_before(self, end: bytes) -> bool:
        """Whether the end of a range, as a request has it, is behind the whole column."""
        try:
            key, _, _ = decode_oid(end, 0, ">")
        except MalformedPDU:
            return False
        if key and (key <= self.prefix or key.startswith(self.prefix)):
            return False
        self.end_bound = end
        return True


class TableView:
    """A table and its rows."""

    def __init__(
        self,
        table: Table,
        rows: Rows,
        counted: Rows | None = None,
        readings: Callable[[Any], tuple[int, ...] | None] | None = None,
    ) -> None:
        """As of `Table.over`."""
        self.prefix = table.entry
        self.columns = table.columns
        counted = rows if counted is None else counted
        self.slots = [Slot(column, rows, counted, readings) for column in table.columns]


class Scalar:
    """A scalar object; its only instance is `.0`."""

    def __init__(self, name_oid: str, name: str, type_: ValueType, value: Callable[[], Any]):
        self.prefix = oid(name_oid)
        self.name = name
        self._instance = self.prefix + oid("0")
        self.type = type_
        self._value = value

    def varbind(self) -> bytes:
        """Its instance, which must exist, encoded."""
        return encode_varbind(self._instance, self.type, self._value())

    def get(self, name: bytes) -> bytes:
        """RFC 2741 section 7.2.3.1."""
        value = self._value() if name == self._instance else None
        if value is None:
            return encode_varbind(name, NO_SUCH_INSTANCE)
        return encode_varbind(name, self.type, value)

    def get_next(self, start: bytes, include: int, end: bytes) -> bytes | None:
        """RFC 2741 section 7.2.3.2."""
        instance = self._instance
        if start > instance or (start == instance and not include) or (end and end <= instance):
            return None
        value = self._value()
        return None if value is None else encode_varbind(instance, self.type, value)


Object = TableView | Scalar  # what a view is made of


class Registration(NamedTuple):
    """What is registered with the master beside whole subtrees (RFC 2741 section 6.2.3)."""

    subtree: str  # with the lower bound of the range in it
    range_subid: int  # which of its sub-identifiers stands for the range, counted from 1
    upper_bound: int

    def __str__(self) -> str:
        """As section 6.2.3 writes it: `1.3.6.1.2.1.2.2.1.[1-22].7`."""
        parts = self.subtree.split(".")
        parts[self.range_subid - 1] = f"[{parts[self.range_subid - 1]}-{self.upper_bound}]"
        return ".".join(parts)


def no_more() -> Sequence[Registration]:
    """Of a module whose subtrees are all there is to register."""
    return ()


@dataclass(frozen=True)
class Module:
    """What one MIB module brings: to the view, to the master's registry, to sysORTable."""

    capability: str  # the module's own OID, for sysORID
    description: str
    subtrees: Sequence[str]
    objects: Sequence[Object] = field(repr=False)
    # What is registered as it is found, beside the subtrees: it may become more, never less.
    rows: Callable[[], Sequence[Registration]] = field(default=no_more, repr=False)


class View:
    """All objects together, in the order of their names."""

    def __init__(self, objects: Sequence[Object]) -> None:
        self.objects = sorted(objects, key=lambda each: each.prefix)
        for before, after in pairwise(self.objects):
            if after.prefix.startswith(before.prefix):
                raise ValueError("two objects of a view overlap")
        self._parts: list[Slot | Scalar] = []
        # Columns by their OID as a request has it, without its first octet: that is the number
        # of all sub-identifiers, which are more.  It does not say where the column ends, so each
        # length has its dict.
        by_octets: dict[int, dict[bytes, Slot]] = {}
        for each in self.objects:
            if isinstance(each, Scalar):
                self._parts.append(each)
                continue
            self._parts += each.slots
            for slot in each.slots:
                octets = encode_oid(slot.prefix)[1:]
                by_octets.setdefault(len(octets), {})[octets] = slot
        self._prefixes = [each.prefix for each in self._parts]
        self.slots = list(by_octets.items())

    def get(self, name: bytes) -> bytes:
        """The varbind `name`, or what RFC 2741 section 7.2.3.1 puts in its place."""
        at = bisect_right(self._prefixes, name) - 1
        if at >= 0 and name.startswith(self._prefixes[at]):
            return self._parts[at].get(name)
        return encode_varbind(name, NO_SUCH_OBJECT)

    def get_next(self, start: bytes, include: int, end: bytes) -> bytes:
        """The first varbind in the range, or endOfMibView (RFC 2741 section 7.2.3.2)."""
        first = max(0, bisect_right(self._prefixes, start) - 1)
        for at in range(first, len(self._parts)):
            if end and self._prefixes[at] >= end:
                break
            found = self._parts[at].get_next(start, include, end)
            if found is not None:
                return found
        return encode_varbind(start, END_OF_MIB_VIEW)
