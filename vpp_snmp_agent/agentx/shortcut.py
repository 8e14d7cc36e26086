"""The short way from a request to its answer: the same octets as by the long way, sooner.

Nearly all that a master asks is Get and GetNext of cells that are there.  For these the
octets of the request are the keys: in network order an OID as it comes is a column, found
in one dict, and an index, found in another; the next index stands beside it.  Nothing is
decoded into objects, and no name is searched for by bisection.

The rules this module keeps:

- It answers what it knows for sure, and for anything else returns None: then the long way
  (`pdu.decode`, `View`) decides.  So it may be left out, and every answer stays the same.
- What it remembers follows from the MIB's declaration alone: where columns are, and which
  ends of ranges lie behind a whole column.  Rows are looked up in the table's own, values
  are those of the moment.
"""

import struct

from .mib import Column, Rows, TableView, View
from .pdu import (
    GET,
    GETNEXT,
    HEADER_SIZE,
    NETWORK_BYTE_ORDER,
    RESPONSE,
    VERSION,
    MalformedPDU,
    decode_oid,
    encode_oid,
)

_RESPONSE = struct.pack(">BBBx", VERSION, RESPONSE, NETWORK_BYTE_ORDER)
_NO_END = encode_oid(b"")
# The length of the payload; what it begins with: sysUpTime, error, index.
_REST = struct.Struct(">IIHH").pack
_REST_SIZE = 8


class _Spot:
    """A column of a view, and the rows that it is over."""

    __slots__ = ("behind", "column", "rows", "value")

    def __init__(self, column: Column, rows: Rows) -> None:
        self.column = column
        self.rows = rows
        self.value = column.value
        self.behind = b""  # an end of a range, as it came last, that lies behind the column

    def ends_before(self, end: bytes) -> bool:
        """Whether an end, as it comes, lies behind the whole column."""
        try:
            key, _, _ = decode_oid(end, 0, ">")
        except MalformedPDU:
            return False
        prefix = self.column.prefix
        if key and (key <= prefix or key.startswith(prefix)):
            return False
        self.behind = end
        return True


class Shortcut:
    """Through one view, for the requests of one session."""

    def __init__(self, view: View, session_id: int) -> None:
        """The view's objects are all there will be; their rows may come and go."""
        self._is_next = {
            struct.pack(">BBBxI", VERSION, kind, NETWORK_BYTE_ORDER, session_id): kind == GETNEXT
            for kind in (GET, GETNEXT)
        }
        # Columns by their OID as it comes, without its first octet: that is the number of
        # all sub-identifiers.  How long it is cannot be told, so each length has its dict.
        spots: dict[int, dict[bytes, _Spot]] = {}
        for each in view.objects:
            if isinstance(each, TableView):
                for column in each.columns:
                    key = encode_oid(column.prefix)[1:]
                    spots.setdefault(len(key), {})[key] = _Spot(column, each.rows)
        self._spots = list(spots.items())

    def answer(self, request: bytes) -> bytes | None:
        """The Response to a whole Get or GetNext of cells that are there; else None."""
        is_next = self._is_next.get(request[:8])
        size = len(request)
        if is_next is None or int.from_bytes(request[16:HEADER_SIZE], "big") + HEADER_SIZE != size:
            return None
        answers = b""
        at = HEADER_SIZE
        try:
            while at < size:
                stop = at + 4 + 4 * request[at]
                for length, spots in self._spots:
                    behind = at + 1 + length
                    spot = spots.get(request[at + 1 : behind])
                    if spot is not None:
                        break
                else:
                    return None
                index = request[behind:stop]
                at = stop + 4 + 4 * request[stop]
                end = request[stop:at]
                if is_next:
                    index = spot.rows.following.get(index, b"")
                    if end != spot.behind and not spot.ends_before(end):
                        return None
                elif end != _NO_END:
                    return None
                row = spot.rows.by_index.get(index)
                if row is None:
                    return None
                value = spot.value(row)
                if value is None:
                    return None
                answers += spot.column.varbind(index, value)
        except IndexError:
            return None
        if at != size:
            return None
        return _RESPONSE + request[4:16] + _REST(_REST_SIZE + len(answers), 0, 0, 0) + answers
