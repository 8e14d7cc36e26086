"""VPP's error counters by node and reason (vlib/error.c), and punted packets (vlib/punt.c).

The rules this module keeps:

- A row is an entry `/err/<node>/<reason>` that was seen above zero since the agent runs.  Its
  index is these two names and nothing else; it stays as long as the agent lives, over another
  VPP too.  They are the segment's: the CLI may print a longer reason, and the name that an
  interface was given later, which does not reach the segment.
- Thousands of entries are nearly all zero.  The vectors of all threads are copied whole, once
  in ASKED_INTERVAL while somebody asks, else once in POLL_INTERVAL, and compared with those
  before: only blocks of columns that differ are read, and MAX_BLOCKS of them at a time.
- A column is an entry's only while the directory says so: VPP gives the columns of a node that
  is gone to the next one.  That is asked again of each column that differs.
- What is counted goes on from what it had come to (totals.py), over any restart and where a
  node is created again; it is saved node by node.  `clear errors` zeroes nothing here: VPP's
  CLI takes it off by itself.
- What was saved is no row before VPP has counted it again.
- What is punted is counted by reasons that have no name in the segment: their sum is served.
- An entry is left out whose name is not printable, or too long for an OID (RFC 2578 section
  3.5): 109 octets of node and reason.  In the recordings none has more than 78.
"""

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice, zip_longest
from typing import NamedTuple

from ..agentx.mib import SortedRows
from ..agentx.values import subids
from ..vpp.cells import BLOCK, BLOCK_SIZE, Vectors, differing_blocks
from ..vpp.layout import NODE_ERRORS, Kind
from ..vpp.segment import Segment, SegmentUnavailable
from .reached import UNKNOWN
from .totals import NODE_KEY, Saved, Totals

ERRORS = "/err/"
PUNT = b"/net/punt"

ASKED_INTERVAL = 1.0  # seconds between two readings while somebody asks
POLL_INTERVAL = 10.0  # seconds between two readings while nobody does
REMAINDER_INTERVAL = 0.2  # seconds after which what one reading left is taken by the next
MAX_BLOCKS, MAX_TAKEN = 50, 60  # that differ, and columns in them, which one reading takes
MAX_READINGS = 100  # in a row; MAX_ROWS take half as many
MAX_ROWS = 2_000  # of 6,000 entries; more are damage, and all are saved at once
MAX_NAMES_LENGTH = 109  # octets: with the entry's OID, the column and two lengths 128 in all

# The node of an interface has its slashes, of hexadecimal digits: TenGigabitEthernet3/0/a-tx.
_NAME = re.compile(r"/err/([^/]+(?:(?:/[0-9a-f]+)+(?:\.\d+)*-[^/ ]+)?)/(.+)")
_PUNTED = "packets"  # of the totals of what is punted
_U64 = 2**64 - 1


class Error:
    """One reason of one node."""

    __slots__ = ("column", "index", "node", "reason", "totals")

    def __init__(self, node: str, reason: str, totals: Totals) -> None:
        """`totals`: of the node, by reason."""
        self.node = node
        self.reason = reason
        self.index = index_of(node, reason)
        self.column = -1  # where it was counted last; -1: nowhere yet
        self.totals = totals

    @property
    def count(self) -> int | None:
        """What is served; None if it was not counted yet, or since VPP began again and is plain."""
        return self.totals.get(self.reason)

    def take(self, column: int, value: int) -> None:
        """VPP counts so many, there."""
        if self.column not in (column, -1):
            self.totals.rebase(self.reason)
        self.column = column
        _count(self.totals, self.reason, value)


def _count(totals: Totals, name: str, value: int) -> None:
    """Count what fell from 0 again."""
    if value < totals.counted(name):
        totals.rebase(name)
    totals.count(name, value)


def split(name: str) -> tuple[str, str] | None:
    """(node, reason) of an entry; None where it is no such entry, or is left out."""
    found = _NAME.fullmatch(name)
    if found is None or not name.isprintable():
        return None
    node, reason = found.groups()
    return (node, reason) if len(node) + len(reason) <= MAX_NAMES_LENGTH else None


def index_of(node: str, reason: str) -> bytes:
    """The key of a row: each name with its length before it (RFC 2578 section 7.7)."""
    return b"".join(subids(len(each), *each.encode()) for each in (node, reason))


def totals(vectors: Iterable[bytes], block: int) -> Iterator[tuple[int, int]]:
    """Each column of a block, and the sum of its cells of all threads."""
    at = block * BLOCK_SIZE
    rows = (memoryview(each[at : at + BLOCK_SIZE]).cast("Q") for each in vectors)
    columns = zip_longest(*rows, fillvalue=0)
    for column, cells in enumerate(columns, block * BLOCK):
        yield column, sum(cells) & _U64


class Snapshot(NamedTuple):
    """What is served of all rows at a moment, by node and reason."""

    at: float  # by the clock of the Errors
    counts: Mapping[tuple[str, str], int]


class Rate(NamedTuple):
    """A row, and how fast it grows."""

    node: str
    reason: str
    counted: int
    per_second: float


def biggest(before: Snapshot, after: Snapshot, most: int) -> list[Rate]:
    """The rows that have counted most, with their rates between two snapshots."""
    seconds = after.at - before.at
    found = sorted(after.counts.items(), key=lambda each: (-each[1], each[0]))[:most]
    rates = []
    for (node, reason), count in found:
        grown = count - before.counts.get((node, reason), 0)
        rates.append(Rate(node, reason, count, grown / seconds if seconds > 0 else 0.0))
    return rates


class Errors:
    """All that was above zero since the agent runs, and what was punted."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        fallen: dict[str, None] | None = None,
    ) -> None:
        """`fallen`: see `Totals`."""
        self._fallen = fallen
        self.rows = SortedRows()  # Error by (node, reason)
        self._clock = clock
        self._by_name: dict[str, Error] = {}  # as the segment has it
        self._segment: Segment | None = None
        self._entries: Mapping[str, int] | None = None  # as they were found last
        self._names: Mapping[int, str] = {}  # of those, by column
        self._read: list[bytes] = []  # each thread's vector, as compared last
        self._left: dict[int, None] = {}  # blocks that differed, and were not read yet
        self._has_more = False  # to be read soon
        self._read_at = float("-inf")
        self._cell = UNKNOWN  # whose segment it is (`reached.vpp_of`)
        self._nodes: dict[str, Totals] = {}
        self._punts: Totals | None = None  # until VPP says what it punted
        self._carries = True
        self._saved: Callable[[str], Saved | None] = lambda key: None

    @property
    def totals(self) -> Iterator[Totals]:
        """All that is to be saved."""
        yield from self._nodes.values()
        if self._punts is not None:
            yield self._punts

    def carry(self, carries: bool) -> None:
        """Whether what falls goes on from what it had come to."""
        self._carries = carries
        for each in self.totals:
            each.carries = carries

    def restore(self, saved: Callable[[str], Saved | None]) -> None:
        """What is found goes on from what was saved of it, by key."""
        self._saved = saved

    def _new_totals(self, key: str) -> Totals:
        """Those of a node that counts for the first time, or of what is punted."""
        totals = Totals(key, self._clock, self._fallen)
        totals.carries = self._carries
        known = self._saved(key)
        if known is not None:
            totals.restore(known)
        totals.begin(self._cell)
        return totals

    def use(self, segment: Segment, cell: int) -> None:
        """From now on it is read there; `cell`: whose segment it is."""
        if self._segment is not None:
            self._refresh()  # what the VPP that ended has counted last
        for each in self.totals:
            each.begin(cell)
        self._segment, self._cell = segment, cell
        self._vectors = Vectors(segment, NODE_ERRORS)
        self._punt_vectors = Vectors(segment, PUNT, Kind.COMBINED)
        self._entries, self._names = None, {}
        self._forget_read()

    def lose(self) -> None:
        """VPP's process is gone: what it has counted last is read now, and stands still."""
        self._has_more = True

    def find(self, entries: Mapping[str, int]) -> None:
        """The directory of that VPP was searched to its end, and has these below ERRORS.

        To be called a few times a second: only for others than the last time is anything done.
        """
        if entries is self._entries or self._segment is None:
            return
        try:
            self._names = self._segment.by_error_column(entries)
        except SegmentUnavailable:
            return
        self._entries = entries
        # All that is not 0 is read again: it may have had no name, or another one.
        self._forget_read()

    def _forget_read(self) -> None:
        """Read all columns that are not 0 again."""
        self._read, self._left, self._has_more = [], {}, True

    def poll(self) -> bool:
        """To be called a few times a second: whether it was read for that."""
        return self._refresh_if(REMAINDER_INTERVAL if self._has_more else POLL_INTERVAL)

    def refresh(self) -> None:
        """To be called before what is served is asked for."""
        self._refresh_if(REMAINDER_INTERVAL if self._has_more else ASKED_INTERVAL)

    def read_all(self) -> None:
        """Read all that there is now: for a command that reads once, and waits."""
        self._has_more = True
        for _ in range(MAX_READINGS):
            if self._has_more:
                self._refresh()

    def snapshot(self) -> Snapshot:
        """What is served of all rows."""
        self.refresh()
        counts = {(each.node, each.reason): each.count or 0 for each in self._by_name.values()}
        return Snapshot(self._clock(), counts)

    @property
    def punted(self) -> int | None:
        """Packets that were punted for whatever reason; None if VPP does not say."""
        self.refresh()
        return None if self._punts is None else self._punts.get(_PUNTED)

    def _refresh_if(self, interval: float) -> bool:
        is_due = self._clock() >= self._read_at + interval
        if is_due:
            self._refresh()
        return is_due and self._segment is not None

    def _refresh(self) -> None:
        self._read_at, self._has_more = self._clock(), False
        if self._segment is None:
            return
        self._refresh_punted()
        if not self._names:
            return
        try:
            epoch, vectors = self._vectors.read()
        except SegmentUnavailable:
            return
        before = self._read + [b""] * len(vectors)
        for was, now in zip(before, vectors, strict=False):
            self._left.update(dict.fromkeys(differing_blocks(was, now)))
        self._read = vectors
        taken = self._compare_blocks(vectors)
        try:
            columns = self._segment.error_columns(taken)
        except SegmentUnavailable:
            self._forget_read()
            return
        if not self._segment.unchanged(epoch):
            self._forget_read()  # a column may have changed hands meanwhile
            return
        self._has_more = bool(self._left)
        for name, (column, value) in taken.items():
            if columns.get(name) == column:  # else it is gone, or not found yet
                self._take(name, column, value)

    def _compare_blocks(self, vectors: list[bytes]) -> dict[str, tuple[int, int]]:
        """(column, value) of what is not as it was, by name; what is not read is left."""
        taken: dict[str, tuple[int, int]] = {}
        for block in list(islice(self._left, MAX_BLOCKS)):
            for column, value in totals(vectors, block):
                name = self._names.get(column)
                row = self._by_name.get(name) if name else None
                if name is None or (row is None and not value):
                    continue
                counted = None if row is None else row.totals.counted(row.reason)
                if row is None or (row.column, counted) != (column, value):
                    taken[name] = column, value
            del self._left[block]
            if len(taken) >= MAX_TAKEN:
                break
        return taken

    def _take(self, name: str, column: int, value: int) -> None:
        row = self._by_name.get(name) or self._new(name)
        if row is not None:
            row.take(column, value)

    def _new(self, name: str) -> Error | None:
        names = split(name)
        if names is None or len(self._by_name) >= MAX_ROWS:
            return None
        node, reason = names
        totals = self._nodes.get(node)
        if totals is None:
            totals = self._nodes[node] = self._new_totals(NODE_KEY.format(node))
        row = self._by_name[name] = Error(node, reason, totals)
        self.rows.put(row.index, row)
        return row

    def _refresh_punted(self) -> None:
        try:
            _, vectors = self._punt_vectors.read()
        except SegmentUnavailable:
            return
        if self._punts is None:
            self._punts = self._new_totals("punt")
        # [thread][reason], of each packets and octets
        packets = (sum(memoryview(each).cast("Q")[::2]) for each in vectors)
        _count(self._punts, _PUNTED, sum(packets) & _U64)
