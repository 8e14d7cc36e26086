"""VPP's threads: what they are called, where they run, and what VPP says of their rates.

The rules this module keeps:

- Rows are the threads that VPP's API reports; else as many as its segment says there are,
  without names.  While VPP is away they stay, with rates of 0.
- Rates are VPP's own, which it writes every ten seconds, and are read at most once in
  INTERVAL.  What cannot be read now stands as it was read last.
- Vectors per call are no load: 74 of 256 were seen at 280 packets a second.  22.02 sets them
  to 0 before it writes those of each thread: there they are left out.
- Where VPP counts by node (`statseg { per-node-counters on }`), what share of its cycles went
  into nodes that had packets is worked out of what two readings differ by, at least
  NODES_INTERVAL apart.  That is no load either: see VPP-SNMP-AGENT-MIB.
- The share takes four vectors of thousands of nodes for each thread.  They are copied whole,
  and compared a thread at a time; only blocks of nodes that differ are read.
"""

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from typing import NamedTuple

from ..agentx.mib import SortedRows
from ..agentx.values import subids
from ..vpp.cells import BLOCK_SIZE, Vectors, differing_blocks
from ..vpp.layout import Generation
from ..vpp.records import Thread
from ..vpp.segment import MAX_THREADS, Segment, SegmentUnavailable

WORKERS = "/sys/num_worker_threads"  # the main thread is one more
INPUT_RATE = "/sys/input_rate"  # of all threads together
VECTOR_RATES, LOOP_RATES = b"/sys/vector_rate_per_worker", b"/sys/loops_per_worker"
NODES = "/sys/node/"
CLOCKS, VECTORS, CALLS = b"/sys/node/clocks", b"/sys/node/vectors", b"/sys/node/calls"

INTERVAL = 1.0  # seconds between two readings of rates while somebody asks
NODES_INTERVAL = 10.0  # seconds between two readings of nodes; VPP writes no more often
MAX_GAUGE = 2**32 - 1
MAX_VECTORS = 256  # packets that a node is given at a time (VLIB_FRAME_SIZE)
MAX_INTEGER = 2**31 - 1
ALL = 1000  # what a share is of


class Nodes(NamedTuple):
    """What the nodes of all threads have counted: a vector for each thread."""

    clocks: list[bytes]
    vectors: list[bytes]
    calls: list[bytes]

    def of(self, thread: int) -> tuple[bytes, bytes, bytes] | None:
        """Those of one thread; None if it has none."""
        if thread >= min(map(len, self)):
            return None
        return self.clocks[thread], self.vectors[thread], self.calls[thread]


NO_NODES = Nodes([], [], [])


def read_nodes(counters: Iterable[Vectors]) -> Nodes:
    """Clocks, vectors and calls.  Raises SegmentUnavailable, also while VPP writes them."""
    clocks, vectors, calls = counters
    nodes = Nodes(clocks.read()[1], vectors.read()[1], calls.read()[1])
    # VPP writes node after node, without a lock.
    if clocks.read()[1] != nodes.clocks:
        raise SegmentUnavailable("VPP writes what its nodes count")
    return nodes


def cycles(
    before: tuple[bytes, bytes, bytes], after: tuple[bytes, bytes, bytes]
) -> tuple[int, int] | None:
    """(cycles that went into nodes while they had packets, all cycles) of a thread between two
    readings of its clocks, vectors and calls; None if VPP began again (`clear runtime`).

    A node that is polled without packets has more calls than packets.
    """
    busy = total = 0
    for block in differing_blocks(before[0], after[0]):
        part = slice(block * BLOCK_SIZE, (block + 1) * BLOCK_SIZE)
        cells = (_cells(each[part]) for each in (*after, *before))
        for clocks, vectors, calls, *earlier in zip(*cells, strict=False):
            clocks_before, vectors_before, calls_before = earlier
            if clocks < clocks_before or vectors < vectors_before or calls < calls_before:
                return None
            taken = clocks - clocks_before
            total += taken
            packets = vectors - vectors_before
            if packets and packets >= calls - calls_before:
                busy += taken
    return busy, total


def _cells(octets: bytes) -> memoryview:
    """The cells of a block; 0 where there was none yet."""
    return memoryview(octets.ljust(BLOCK_SIZE, b"\0")).cast("Q")


class ThreadRow:
    """A thread, and what VPP said of it last; None where it says nothing."""

    __slots__ = ("busy", "cpu_id", "input_rate", "loop_rate", "name", "type", "vector_rate")

    def __init__(self, thread: Thread | None) -> None:
        self.name = thread.name if thread else ""
        self.type = thread.type if thread else ""
        is_placed = thread is not None and thread.cpu_id <= MAX_INTEGER
        self.cpu_id = thread.cpu_id if thread and is_placed else None
        self.vector_rate: int | None = None  # packets a call
        self.loop_rate: int | None = None  # loops a second
        self.input_rate: int | None = None  # packets a second
        self.busy: int | None = None  # of ALL cycles, those that went into nodes with packets


class Threads:
    """The threads of the VPP that is there, or was last."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.rows = SortedRows()  # ThreadRow by the thread's number and one more
        self._clock = clock
        self._by_index: dict[int, ThreadRow] = {}
        self._reported: tuple[Thread, ...] = ()
        self._segment: Segment | None = None
        self._is_away = False
        self._read_at = self._nodes_read_at = float("-inf")
        self._nodes = NO_NODES  # as they were read last
        self._before = NO_NODES  # and what they are compared with
        self._next = 0  # thread to be compared
        self._has_nodes = False  # whether VPP counts by node

    def report(self, threads: Iterable[Thread]) -> None:
        """VPP's API reports these, or none."""
        self._reported = tuple(each for each in threads if each.index < MAX_THREADS)
        if self._reported:
            self._show({each.index: each for each in self._reported})

    def use(self, segment: Segment) -> None:
        """Another VPP is there, or the same again; what it reports was reported before."""
        self._is_away = False
        if segment is not self._segment:
            self._segment = segment
            self._rates = Vectors(segment, VECTOR_RATES), Vectors(segment, LOOP_RATES)
            self._counters = tuple(Vectors(segment, each) for each in (CLOCKS, VECTORS, CALLS))
            self._nodes = self._before = NO_NODES
            self._has_nodes = False
            self._next = 0
            self._nodes_read_at = float("-inf")
            for row in self._by_index.values():  # what this VPP does not report, it has not
                row.busy = row.vector_rate = row.loop_rate = row.input_rate = None
        self._read_at = float("-inf")
        self.refresh()

    def find(self, names: Collection[str]) -> None:
        """All that the segment has below NODES: a read is no time to search for what is not."""
        self._has_nodes = CLOCKS.decode() in names

    def lose(self) -> None:
        """VPP's process is gone."""
        self._is_away, self._reported = True, ()
        for row in self._by_index.values():
            row.vector_rate, row.loop_rate, row.input_rate = (
                None if rate is None else 0
                for rate in (row.vector_rate, row.loop_rate, row.input_rate)
            )
            row.busy = None

    def in_order(self) -> list[tuple[int, ThreadRow]]:
        """Each thread and its number, as they were read last."""
        return sorted(self._by_index.items())

    def poll(self) -> bool:
        """To be called a few times a second: shares are worked out, a thread at a time.

        Returns whether anything was done.
        """
        if self._segment is None or self._is_away:
            return False
        now = self._clock()
        if self._next < len(self._nodes.clocks):
            self._compare(self._next)
            self._next += 1
        elif self._has_nodes and now >= self._nodes_read_at + NODES_INTERVAL:
            self._nodes_read_at = now
            self._read_nodes()
        else:
            return False
        return True

    def refresh(self) -> None:
        """To be called before what VPP says is asked for."""
        now = self._clock()
        if self._segment is None or self._is_away or now < self._read_at + INTERVAL:
            return
        self._read_at = now
        if not self._reported:
            self._count(self._segment)
        vector_rates, loop_rates = _by_thread(self._segment, self._rates)
        for index, row in self._by_index.items():
            if index < len(vector_rates):
                row.vector_rate = min(vector_rates[index], MAX_VECTORS)
            if index < len(loop_rates):
                row.loop_rate = min(loop_rates[index], MAX_GAUGE)
        if len(self._by_index) == 1:  # then what comes in comes in there
            self._read_input_rate(self._segment)

    def _count(self, segment: Segment) -> None:
        """Show as many threads as the segment says there are."""
        try:
            count = segment.value(WORKERS) + 1
        except SegmentUnavailable:
            return
        self._show(dict.fromkeys(range(min(count, MAX_THREADS))))

    def _show(self, threads: Mapping[int, Thread | None]) -> None:
        for index in self._by_index.keys() - threads.keys():
            del self._by_index[index]
            self.rows.remove(subids(index + 1))
        for index, thread in threads.items():
            row, shown = ThreadRow(thread), self._by_index.get(index)
            if shown is None:
                self._by_index[index] = row
                self.rows.put(subids(index + 1), row)
            else:
                shown.name, shown.type, shown.cpu_id = row.name, row.type, row.cpu_id

    def _read_input_rate(self, segment: Segment) -> None:
        try:
            rate = min(segment.value(INPUT_RATE), MAX_GAUGE)
        except SegmentUnavailable:
            return
        for row in self._by_index.values():
            row.input_rate = rate

    def _read_nodes(self) -> None:
        try:
            nodes = read_nodes(self._counters)
        except SegmentUnavailable:
            return
        self._before, self._nodes = self._nodes, nodes
        self._next = 0 if self._before.clocks else len(nodes.clocks)

    def _compare(self, thread: int) -> None:
        row = self._by_index.get(thread)
        before, after = self._before.of(thread), self._nodes.of(thread)
        if row is None or before is None or after is None:
            return
        found = cycles(before, after)
        if found is not None and found[1]:  # else VPP has written nothing since
            busy, total = found
            row.busy = round(ALL * busy / total)


def _by_thread(segment: Segment, rates: Iterable[Vectors]) -> list[list[int]]:
    """Each rate by thread; an empty one where VPP does not say, or it cannot be read now."""
    found: list[list[int]] = []
    for each in rates:
        found.append([])
        with suppress(SegmentUnavailable):
            if segment.generation is not Generation.V22_02:
                for cells in each.read()[1][:1]:  # [0][thread]
                    found[-1] = memoryview(cells).cast("Q").tolist()
    return found
