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
from typing import Any, NamedTuple, Protocol

from .pdu import (
    END_OF_MIB_VIEW,
    NO_SUCH_INSTANCE,
    NO_SUCH_OBJECT,
    ValueType,
    encode_varbind,
    oid,
    varbind_head,
)

_SUBID = 4
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


class Object(Protocol):
    """What a View is made of."""

    prefix: bytes

    def get(self, name: bytes) -> bytes:
        """The varbind named `name`, which begins with `prefix`."""

    def get_next(self, start: bytes, include: int, end: bytes) -> bytes | None:
        """The first varbind after `start` (or at it, with `include`) and before `end`."""


class Table:
    """A conceptual table (RFC 2578 section 7.1.12): `entry` is the OID of its entry object."""

    def __init__(self, entry: str, columns: Sequence[Column]) -> None:
        self.entry = oid(entry)
        self.columns = columns
        self.numbers = [oid(str(column.number)) for column in columns]
        if self.numbers != sorted(set(self.numbers)):
            raise ValueError(f"the columns of {entry} are out of order")
        for column, number in zip(columns, self.numbers, strict=True):
            column.prefix = self.entry + number

    def over(
        self,
        rows: Rows,
        counted: Rows | None = None,
        readings: Callable[[Any], tuple[int, ...] | None] | None = None,
    ) -> "TableView":
        """This table with rows in it.

        `counted` are those of the rows that have counters: where there are none, GetNext does
        not look for them in ten thousand rows.  `readings(row)`: counters of a row that cost
        less together than one by one, by the `reading_index` of their columns; None where each has
        to be read by itself.
        """
        return TableView(self, rows, counted, readings)


class TableView:
    """A table and its rows."""

    def __init__(
        self,
        table: Table,
        rows: Rows,
        counted: Rows | None = None,
        readings: Callable[[Any], tuple[int, ...] | None] | None = None,
    ) -> None:
        self.prefix = table.entry
        self.columns = table.columns
        self._numbers = table.numbers
        self.rows = rows
        self._counted = rows if counted is None else counted
        self.readings = readings

    def walked(self, column: Column) -> Rows:
        """The rows in which a column has cells."""
        return self._counted if column.is_counter else self.rows

    def _split(self, name: bytes) -> tuple[bytes, bytes]:
        """A name below `prefix` as column number and index."""
        number = len(self.prefix)
        return name[number : number + _SUBID], name[number + _SUBID :]

    def get(self, name: bytes) -> bytes:
        """RFC 2741 section 7.2.3.1."""
        number, index = self._split(name)
        at = bisect_left(self._numbers, number)
        if at == len(self._numbers) or self._numbers[at] != number:
            return encode_varbind(name, NO_SUCH_OBJECT)
        column, row = self.columns[at], self.rows.get(index)
        value = None if row is None else column.value(row)
        if value is None:
            return encode_varbind(name, NO_SUCH_INSTANCE)
        return column.varbind(index, value)

    def get_next(self, start: bytes, include: int, end: bytes) -> bytes | None:
        """RFC 2741 section 7.2.3.2."""
        column_at, after, at_start = 0, b"", False
        if start.startswith(self.prefix):
            number, index = self._split(start)
            column_at = bisect_left(self._numbers, number)
            if column_at < len(self._numbers) and self._numbers[column_at] == number:
                after, at_start = index, bool(include)
        elif start > self.prefix:
            return None
        for column in self.columns[column_at:]:
            walked = self.walked(column)
            at_start = at_start and self.rows.get(after) is not None
            candidate = after if at_start else walked.following(after)
            after, at_start = b"", False
            while candidate is not None:
                if end and column.prefix + candidate >= end:
                    return None
                row = self.rows.get(candidate)
                value = None if row is None else column.value(row)
                if value is not None:
                    return column.varbind(candidate, value)
                candidate = walked.following(candidate)
        return None


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
        self._prefixes = [each.prefix for each in self.objects]
        for before, after in zip(self._prefixes, self._prefixes[1:], strict=False):
            if after.startswith(before):
                raise ValueError("two objects of a view overlap")

    def get(self, name: bytes) -> bytes:
        """The varbind `name`, or what RFC 2741 section 7.2.3.1 puts in its reading_index."""
        at = bisect_right(self._prefixes, name) - 1
        if at >= 0 and name.startswith(self._prefixes[at]):
            return self.objects[at].get(name)
        return encode_varbind(name, NO_SUCH_OBJECT)

    def get_next(self, start: bytes, include: int, end: bytes) -> bytes:
        """The first varbind in the range, or endOfMibView (RFC 2741 section 7.2.3.2)."""
        at = max(0, bisect_right(self._prefixes, start) - 1)
        for each in self.objects[at:]:
            found = each.get_next(start, include, end)
            if found is not None:
                return found
            if end and each.prefix >= end:
                break
        return encode_varbind(start, END_OF_MIB_VIEW)
