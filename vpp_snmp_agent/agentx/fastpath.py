"""The fast path from a request to its answer: the same octets as by the slow path, sooner.

Nearly all that a master asks is Get and GetNext of cells that are there.  For these the
octets of the request are the keys: in network order an OID as it comes is a column, found
in one dict, and an index, found in another; the next index is found with it.  Nothing is
decoded into objects, and no name is searched for by bisection.

The rules this module keeps:

- It answers what it knows for sure, and for anything else returns None: then the slow path
  (`pdu.decode`, `View`) decides.  So it may be left out, and every answer stays the same.
- Columns are found in the view's own index, and rows in the table's.
- What is cached follows from the MIB's declaration alone: of a column which end of a range is
  behind all of it, of a Get which columns it asks for.  Values are those of the moment.
"""

import struct
from collections.abc import Callable, Sequence
from itertools import groupby
from operator import and_, itemgetter
from typing import Any

from .mib import Column, Slot, View
from .pdu import GET, GETNEXT, HEADER_SIZE, NETWORK_BYTE_ORDER, RESPONSE, VERSION
from .values import COUNTER_LAYOUTS, encode_oid

_RESPONSE = struct.pack(">BBBx", VERSION, RESPONSE, NETWORK_BYTE_ORDER)
_NO_END = encode_oid(b"")
# The length of the payload, and what it begins with: sysUpTime, error, index.
_pack_start = struct.Struct(">IIHH").pack
_START_SIZE = 8

MIN_TEMPLATE_CELLS = 4  # cells of one row in a Get that is worth knowing again
MAX_TEMPLATES = 16  # of such Gets known at a time: a poller has one or two


# What makes some varbinds of a row: of its index, the row, its readings; None if it cannot.
_Encoder = Callable[[bytes, Any, tuple[int, ...]], bytes | None]


def _cell(column: Column, size: int) -> _Encoder:
    """One varbind, of an index of so many octets."""
    value_of, head, encode = column.value, column.head(size), column.type.encode

    def varbind(index: bytes, row: Any, readings: tuple[int, ...]) -> bytes | None:
        value = value_of(row)
        return None if value is None else head + index + encode(value)

    return varbind


def _counters(columns: Sequence[Column], size: int) -> _Encoder:
    """The varbinds of counters that stand side by side, all in one call."""
    layout = ">"
    blank: list[Any] = []
    limits = []
    for column in columns:
        head = column.head(size)
        letter, limit = COUNTER_LAYOUTS[column.type.number]
        layout += f"{len(head)}s{size}s{letter}"
        limits.append(limit)
        blank += head, b"", 0
    pack = struct.Struct(layout).pack
    count = len(limits)
    pick = itemgetter(*(column.reading_index for column in columns))

    def varbinds(index: bytes, row: Any, readings: tuple[int, ...]) -> bytes:
        parts = blank.copy()
        parts[1::3] = [index] * count
        parts[2::3] = map(and_, pick(readings), limits)
        return pack(*parts)

    return varbinds


class _RequestTemplate:
    """A Get of many cells of one row, as pollers send it for one row after another.

    Such Gets differ in the index alone.  What is the same in them is compared in one go,
    and LibreNMS's 23 columns of a port are looked up once, not again for each port.
    """

    __slots__ = ("_between", "_encoders", "_first", "_readings", "_row_at", "_size")

    def __init__(
        self, request: bytes, slots: list[Slot], index_starts: list[int], index: bytes
    ) -> None:
        """The index stands at `index_starts` of the request; all slots are over the same rows."""
        self._row_at = slots[0].row_at
        self._readings = slots[0].readings
        self._size = size = len(index)
        self._first = index_starts[0]
        starts = [HEADER_SIZE, *(start + size for start in index_starts)]
        self._between = [
            request[start:end] for start, end in zip(starts, [*index_starts, None], strict=True)
        ]
        self._encoders: list[_Encoder] = []
        for is_counter, some in groupby([slot.column for slot in slots], self._is_counter):
            columns = list(some)
            if is_counter and len(columns) > 1:
                self._encoders.append(_counters(columns, size))
            else:
                self._encoders += [_cell(column, size) for column in columns]

    def _is_counter(self, column: Column) -> bool:
        return self._readings is not None and column.reading_index is not None

    def answer(self, request: bytes) -> bytes | None:
        """The varbinds of the same cells of another row; None if it asks of anything else."""
        index = request[self._first : self._first + self._size]
        if index.join(self._between) != request[HEADER_SIZE:]:
            return None
        row = self._row_at(index)
        if row is None:
            return None
        readings = self._readings(row) if self._readings else ()
        if readings is None:
            return None
        answers = []
        for encode in self._encoders:
            encoded = encode(index, row, readings)
            if encoded is None:
                return None
            answers.append(encoded)
        return b"".join(answers)


class FastPath:
    """Through one view, for the requests of one session."""

    def __init__(self, view: View, session_id: int) -> None:
        """The view's objects are all there will be; their rows may come and go."""
        self._is_next = {
            struct.pack(">BBBxI", VERSION, kind, NETWORK_BYTE_ORDER, session_id): kind == GETNEXT
            for kind in (GET, GETNEXT)
        }
        self._slots = view.slots
        self._templates: dict[int, _RequestTemplate] = {}  # by the request's length
        # The column of the GetNext before, and its OID as it came.
        self._walked: Slot | None = None
        self._walked_oid = b""

    def answer(self, request: bytes) -> bytes | None:
        """The Response to a whole Get or GetNext of cells that are there; else None."""
        is_next = self._is_next.get(request[:8])
        size = len(request)
        if is_next is None or int.from_bytes(request[16:HEADER_SIZE], "big") + HEADER_SIZE != size:
            return None
        answers = None
        if not is_next:
            template = self._templates.get(size)
            if template is not None:
                answers = template.answer(request)
        elif self._walked is not None and size > HEADER_SIZE:
            answers = self._step(request, self._walked)
        if answers is None:
            answers = self._varbinds(request, is_next)
            if answers is None:
                return None
        start = _pack_start(_START_SIZE + len(answers), 0, 0, 0)
        return _RESPONSE + request[4:16] + start + answers

    def _step(self, request: bytes, slot: Slot) -> bytes | None:
        """The varbind of a GetNext in the same column and to the same end bound as the one before.

        That is each one of a walk but the first of a column.
        """
        oid = self._walked_oid
        end_at = HEADER_SIZE + 4 + 4 * request[HEADER_SIZE]
        if request[end_at:] != slot.end_bound or not request.startswith(oid, HEADER_SIZE + 1):
            return None
        index = slot.following(request[HEADER_SIZE + 1 + len(oid) : end_at])
        if index is None:
            return None
        row = slot.row_at(index)
        value = None if row is None else slot.value(row)
        return None if value is None else slot.column.varbind(index, value)

    def _varbinds(self, request: bytes, is_next: bool) -> bytes | None:
        size = len(request)
        answers = b""
        asked = []
        at = HEADER_SIZE
        try:
            while at < size:
                stop = at + 4 + 4 * request[at]
                for length, slots in self._slots:
                    index_at = at + 1 + length
                    slot = slots.get(request[at + 1 : index_at])
                    if slot is not None:
                        break
                else:
                    return None
                index = request[index_at:stop]
                at = stop + 4 + 4 * request[stop]
                if at > size:
                    return None
                end = request[stop:at]
                if is_next:
                    found = slot.following(index)
                    if found is None:
                        return None
                    index = found
                    self._walked, self._walked_oid = slot, request[index_at - length : index_at]
                    if end != slot.end_bound and not slot.ends_before(end):
                        return None
                elif end == _NO_END:
                    asked.append((slot, index_at))
                else:
                    return None
                row = slot.row_at(index)
                if row is None:
                    return None
                value = slot.value(row)
                if value is None:
                    return None
                answers += slot.column.varbind(index, value)
        except IndexError:
            return None
        if len(asked) >= MIN_TEMPLATE_CELLS:
            self._learn(request, asked, index)
        return answers

    def _learn(self, request: bytes, asked: list[tuple[Slot, int]], index: bytes) -> None:
        """Know this Get again, if all of it is about one row."""
        rows = asked[0][0].rows
        if all(slot.rows is rows and request[at : at + len(index)] == index for slot, at in asked):
            if len(self._templates) >= MAX_TEMPLATES:
                self._templates.clear()
            slots, index_starts = map(list, zip(*asked, strict=True))
            self._templates[len(request)] = _RequestTemplate(request, slots, index_starts, index)
