"""Managed objects: what a MIB says of a table or scalar, and get and get-next over them.

The rules this module keeps:

- A table is columns x rows, and never more: a cell's value is computed when that
  cell is asked for.
- A cell whose value is None does not exist: Get says noSuchInstance, GetNext passes on
  to the next cell.  It never ends a walk.
- Names are keys (`pdu.oid`), so the next name is found by bisection, as bytes.
- What leaves is an encoded variable binding, ready for a Response.

It knows no interface: rows are whatever the columns' functions take.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Protocol

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


class Rows:
    """A table's rows by their index, in the index's order; replaced whole.

    An index is the key of the instance part of a name: `oid("1001")` for ifIndex 1001.
    """

    __slots__ = ("_following", "by_index", "indexes", "readings")

    def __init__(self, readings: Callable[[Any], tuple[int, ...] | None] | None = None) -> None:
        """`readings(row)`: counters of the row that cost less together than one by one.

        Columns tell by their `place` which of them is theirs.  None where each has to be
        asked for by itself.
        """
        self.readings = readings
        self.replace({})

    def replace(self, by_index: Mapping[bytes, Any]) -> None:
        """From now on these are the rows."""
        self.by_index = by_index
        self.indexes: Sequence[bytes] = sorted(by_index)
        self._following: dict[bytes, bytes] | None = None

    @property
    def following(self) -> dict[bytes, bytes]:
        """Each index but the last to the next; made when the first walk asks for it."""
        if self._following is None:
            self._following = dict(pairwise(self.indexes))
        return self._following

    def __len__(self) -> int:
        return len(self.indexes)


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

    __slots__ = ("_heads", "name", "number", "place", "prefix", "type", "value")

    def __init__(
        self,
        number: int,
        name: str,
        type_: ValueType,
        value: Callable[[Any], Any],
        place: int | None = None,
    ) -> None:
        """`place`: where the same value stands in the row's `readings`, of a counter."""
        self.number = number
        self.name = name
        self.type = type_
        self.value = value
        self.place = place
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

    def over(self, rows: Rows) -> "TableView":
        """This table with rows in it."""
        return TableView(self, rows)


class TableView:
    """A table and its rows."""

    def __init__(self, table: Table, rows: Rows) -> None:
        self.prefix = table.entry
        self.columns = table.columns
        self._numbers = table.numbers
        self.rows = rows

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
        column, row = self.columns[at], self.rows.by_index.get(index)
        value = None if row is None else column.value(row)
        if value is None:
            return encode_varbind(name, NO_SUCH_INSTANCE)
        return column.varbind(index, value)

    def get_next(self, start: bytes, include: int, end: bytes) -> bytes | None:
        """RFC 2741 section 7.2.3.2."""
        indexes, by_index = self.rows.indexes, self.rows.by_index
        column_at = row_at = 0
        if start.startswith(self.prefix):
            number, index = self._split(start)
            column_at = bisect_left(self._numbers, number)
            if column_at < len(self._numbers) and self._numbers[column_at] == number:
                row_at = (bisect_left if include else bisect_right)(indexes, index)
        elif start > self.prefix:
            return None
        for column in self.columns[column_at:]:
            for at in range(row_at, len(indexes)):
                index = indexes[at]
                if end and column.prefix + index >= end:
                    return None
                value = column.value(by_index[index])
                if value is not None:
                    return column.varbind(index, value)
            row_at = 0
        return None


class Scalar:
    """A scalar object; its only instance is `.0`."""

    def __init__(self, name_oid: str, name: str, type_: ValueType, value: Callable[[], Any]):
        self.prefix = oid(name_oid)
        self.name = name
        self._instance = self.prefix + oid("0")
        self._type = type_
        self._value = value

    def get(self, name: bytes) -> bytes:
        """RFC 2741 section 7.2.3.1."""
        value = self._value() if name == self._instance else None
        if value is None:
            return encode_varbind(name, NO_SUCH_INSTANCE)
        return encode_varbind(name, self._type, value)

    def get_next(self, start: bytes, include: int, end: bytes) -> bytes | None:
        """RFC 2741 section 7.2.3.2."""
        instance = self._instance
        if start > instance or (start == instance and not include) or (end and end <= instance):
            return None
        value = self._value()
        return None if value is None else encode_varbind(instance, self._type, value)


@dataclass(frozen=True)
class Module:
    """What one MIB module brings: to the view, to the master's registry, to sysORTable."""

    capability: str  # the module's own OID, for sysORID
    description: str
    subtrees: Sequence[str]
    objects: Sequence[Object] = field(repr=False)


class View:
    """All objects together, in the order of their names."""

    def __init__(self, objects: Sequence[Object]) -> None:
        self.objects = sorted(objects, key=lambda each: each.prefix)
        self._prefixes = [each.prefix for each in self.objects]
        for before, after in zip(self._prefixes, self._prefixes[1:], strict=False):
            if after.startswith(before):
                raise ValueError("two objects of a view overlap")

    def get(self, name: bytes) -> bytes:
        """The varbind `name`, or what RFC 2741 section 7.2.3.1 puts in its place."""
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
