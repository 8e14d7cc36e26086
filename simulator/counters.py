"""What a VPP keeps in its statistics segment: the directory, and every interface's cells."""

import time
from collections.abc import Sequence

from vpp_snmp_agent.vpp.layout import Generation, Kind

from .interface import Interface
from .release import Release
from .segment import SegmentWriter
from .traffic import COMBINED, PUNT, SIMPLE, UNIT

COUNTERS = [f"/if/{name}" for name in (*SIMPLE, *COMBINED)]
# Node, what the error is called since 22.10 and before, and how many there are of it.
ERRORS = (
    ("ethernet-input", "none", "no error", 0),
    ("ethernet-input", "unknown_vlan", "unknown vlan", 90),
    ("ip4-input", "time_expired", "ip4 ttl <= 1", 351),
    ("ip4-input", "bad_length", "ip4 length > l2 length", 8),
    ("ip4-input", "inacl_table_miss", "input ACL table-miss drops", 602),
    ("ip4-input", "outacl_table_miss", "output ACL table-miss drops", 75),
    ("ip4-input", "mtu_exceeded", "ip4 MTU exceeded and DF set", 138),
    ("ip4-local", "src_lookup_miss", "ip4 source lookup miss", 21),
    ("ip4-local", "unknown_protocol", "unknown ip protocol", 5),
    ("ip4-frag", "fragment_sent", "number of sent fragments", 1204),
    ("ip4-arp", "throttled", "ARP requests throttled", 33),
    ("ip6-input", "time_expired", "ip6 ttl <= 1", 67),
    ("ip6-input", "mtu_exceeded", "ip6 MTU exceeded", 412),
    ("ip6-input", "rpf_failure", "Multicast RPF check failed", 17),
    ("null-node", "blackholed packets", "blackholed packets", 77),
    ("linux-cp-punt", "packets", "packets", 4),
)
# Those that no release before 22.10 has.
LATE_ERRORS = (
    ("ip4-full-reassembly", "reass_fragments_rcvd", 46),
    ("ip4-full-reassembly-feature", "reass_fragments_rcvd", 2),
    ("ip4-full-reassembly", "reass_success", 19),
    ("ip4-full-reassembly-expire-walk", "reass_timeout", 3),
)
# What each node does between two heartbeats: clocks, packets, calls.  The first one polls.
NODES = {
    "dpdk-input": (900_000, 10, 1000),
    "ip4-lookup": (60_000, 20, 10),
    "ip4-rewrite": (40_000, 20, 20),
}
PUNT_REASONS = 3  # the first of which is none
HEAP_SIZE = 1 << 30  # of the pretended main heap
POOL = "/buffer-pools/default-numa-0"


class Counters:
    """The contents of a segment of `size` bytes."""

    def __init__(
        self, release: Release, threads: int, size: int, counts_nodes: bool = False
    ) -> None:
        """`counts_nodes`: as with `statseg { per-node-counters on }`."""
        self.segment = SegmentWriter(size, release.generation)
        self.release = release
        self.threads = threads
        self.counts_nodes = counts_nodes
        self._has_rates = release.generation is not Generation.V22_02
        self._started = time.monotonic()
        self._beats = 0
        self.heaps: dict[str, tuple[int, int]] = {}  # octets there are, and used, as last written
        self._places: list[tuple[int, list[tuple[int, int]]]] = []
        self._write_directory()

    def _write_directory(self) -> None:
        segment = self.segment
        segment.add_scalar("/sys/heartbeat")
        segment.add_scalar("/sys/last_stats_clear")
        if self.release.has_boottime:
            segment.add_scalar("/sys/boottime", int(time.time()))
        self._add_heap("stat segment")
        segment.add_scalar("/sys/vector_rate", 0, Kind.GAUGE)
        if self._has_rates:
            segment.add_counter("/sys/vector_rate_per_worker", Kind.SIMPLE, 1, self.threads)
        else:  # and stays 0
            segment.add_counter("/sys/vector_rate_per_worker", Kind.SIMPLE, self.threads, 1)
        if self.release.has_loops:
            segment.add_counter("/sys/loops_per_worker", Kind.SIMPLE, 1, self.threads)
        for name, value in (("cached", 168), ("used", 376), ("available", 16008)):
            segment.add_scalar(f"{POOL}/{name}", value, Kind.GAUGE)
        segment.add_scalar("/sys/num_worker_threads", self.threads - 1, Kind.GAUGE)
        self._write_errors()
        if self.counts_nodes:
            for name in ("clocks", "vectors", "calls"):  # and a vector more than threads
                segment.add_counter(f"/sys/node/{name}", Kind.SIMPLE, self.threads + 1, len(NODES))
        segment.add_scalar("/sys/last_update")
        segment.add_scalar("/sys/input_rate", 0, Kind.GAUGE)
        for name in SIMPLE:
            segment.add_counter(f"/if/{name}", Kind.SIMPLE, self.threads, 0)
        for name in COMBINED:
            segment.add_counter(f"/if/{name}", Kind.COMBINED, self.threads, 0)
        segment.add_names("/if/names")
        segment.add_counter("/net/punt", Kind.COMBINED, self.threads, PUNT_REASONS)
        for thread in range(self.threads):
            segment.set_row("/net/punt", thread, [0, 0, 7, 420, 13 * thread, 780 * thread])
        segment.add_scalar("/bfd/udp4/sessions", 2, Kind.GAUGE)
        segment.add_scalar("/bfd/udp6/sessions", 1, Kind.GAUGE)
        self._add_heap("main heap")
        self._find_places()

    def _write_errors(self) -> None:
        """The errors, all of which the main thread and the last worker have seen."""
        has_names = self.release.has_error_names
        errors = [(node, new if has_names else old, count) for node, new, old, count in ERRORS]
        errors += LATE_ERRORS if has_names else ()
        segment = self.segment
        segment.add_counter("/node/errors", Kind.SIMPLE, self.threads, len(errors))
        for column, (node, reason, _) in enumerate(errors):
            segment.add_error(f"/err/{node}/{reason}", column)
        counts = [count for *_, count in errors]
        segment.set_row("/node/errors", 0, counts)
        if self.threads > 1:
            segment.set_row("/node/errors", 0, [count // 3 for count in counts])
            rest = [count - count // 3 for count in counts]
            segment.set_row("/node/errors", self.threads - 1, rest)

    def _add_heap(self, name: str) -> None:
        self.segment.add_counter(f"/mem/{name}", Kind.SIMPLE, 1, 7)
        for column, cell in enumerate(("total", "used", "free")):
            self.segment.add_symlink(f"/mem/{name}/{cell}", f"/mem/{name}", column)

    def _set_heap(self, name: str, total: int, used: int, chunks: int) -> None:
        free = total - used
        self.segment.set_row(f"/mem/{name}", 0, [total, used, free, 0, total, chunks, free])
        self.heaps[name] = (total, used)

    def add_heap(self, name: str, total: int, used: int) -> None:
        """A heap as a plugin may register one."""
        self._add_heap(name)
        self._set_heap(name, total, used, 1)

    def _find_places(self) -> None:
        """By cell: the distance of rows in words, and per thread the word of row 0."""
        self._places = []
        for name in COUNTERS:
            counter = self.segment.counters[name]
            rows = enumerate(counter.rows)
            words = [(thread, row.offset // 8) for thread, row in rows if row]
            if counter.kind is Kind.SIMPLE:
                self._places.append((1, words))
            else:
                self._places.append((2, words))
                self._places.append((2, [(thread, word + 1) for thread, word in words]))

    def heartbeat(self, interfaces: int) -> None:
        """What the main thread writes at every update interval."""
        segment = self.segment
        self._beats += 1
        uptime = int(time.monotonic() - self._started)
        segment.set_scalar("/sys/heartbeat", self._beats)
        segment.set_scalar("/sys/last_update", uptime)
        segment.set_scalar("/sys/vector_rate", 12)
        segment.set_scalar("/sys/input_rate", 4680)
        workers = range(1, self.threads)
        if self._has_rates:
            segment.set_row("/sys/vector_rate_per_worker", 0, [1, *(10 + w for w in workers)])
        if self.release.has_loops:
            loops = [6057, *(6_000_000 + w for w in workers)]
            segment.set_row("/sys/loops_per_worker", 0, loops)
        if self.counts_nodes:
            self._count_nodes()
        self._set_heap("stat segment", segment.heap.size, segment.heap.used, 1)
        self._set_heap("main heap", HEAP_SIZE, 75_000_000 + 4096 * interfaces, 275)

    def _count_nodes(self) -> None:
        """The higher a thread's number, the busier it is."""
        for thread in range(self.threads):
            for name, counts in zip(
                ("clocks", "vectors", "calls"), zip(*NODES.values(), strict=True), strict=True
            ):
                polling, *others = (self._beats * each for each in counts)
                row = [polling, *(each * thread for each in others)]
                self.segment.set_row(f"/sys/node/{name}", thread, row)

    def create(self, interface: Interface) -> None:
        """A new interface's cells start at zero, whatever was counted at its index before."""
        segment, index = self.segment, interface.sw_if_index
        with segment.lock():
            if segment.grow(COUNTERS, index + 1):
                self._find_places()
            self.zero(index)  # before the name, as VPP's hooks run
            segment.set_name(index, interface.name)
            for name in COUNTERS:
                link = f"/interfaces/{interface.name}/{name.removeprefix('/if/')}"
                segment.add_symlink(link, name, index)

    def add_xstats(self, interface: Interface, xstats: Sequence[tuple[str, int]]) -> None:
        """A port's driver counts so much; where a name stands twice, the second has its number."""
        if not xstats or not self.release.has_xstats:
            return
        segment, counter = self.segment, f"/if/xstats/{interface.sw_if_index}"
        segment.add_counter(counter, Kind.SIMPLE, self.threads, len(xstats))
        names: list[str] = []
        for column, (name, _) in enumerate(xstats):
            names.append(f"{name}_{column}" if name in names else name)
            link = f"/interfaces/{interface.name}/{self.release.xstats_prefix}{names[-1]}"
            segment.add_symlink(link, counter, column)
        self.set_xstats(interface, [count for _, count in xstats])

    def set_xstats(self, interface: Interface, counts: Sequence[int]) -> None:
        """What VPP, its main thread, has read from the driver."""
        self.segment.set_row(f"/if/xstats/{interface.sw_if_index}", 0, counts)

    def delete(self, interface: Interface) -> None:
        """The name goes as the release has it, the cells stay as they are."""
        name = interface.made_as
        with self.segment.lock():
            self.segment.set_name(interface.sw_if_index, self.release.name_when_deleted(name))
            for counter in COUNTERS:
                self.segment.remove(f"/interfaces/{name}/{counter.removeprefix('/if/')}")

    def zero(self, index: int) -> None:
        words = self.segment.words
        for step, places in self._places:
            for _, word in places:
                words[word + step * index] = 0

    def write(self, interface: Interface, now: int) -> None:
        """The cells that move, as of `now`, shared out among the threads."""
        words, index, flow = self.segment.words, interface.sw_if_index, interface.flow
        workers = self.threads - 1
        flow.settle(now)
        for cell, _ in flow.moving:
            value = flow.held[cell] // UNIT
            step, places = self._places[cell]
            # The main thread forwards nothing, but drops and punts its share.
            if not workers or cell <= PUNT:
                for thread, word in places:
                    words[word + step * index] = (value + thread) // self.threads
            else:
                for thread, word in places:
                    if thread:
                        words[word + step * index] = (value + thread - 1) // workers
