"""What VPP counts of IPv4 and of IPv6 altogether (RFC 4293, ipSystemStatsTable).

Packets received are the sum of /if/ip4 or /if/ip6 over every interface that VPP has or had.  All
else is a sum of errors, by ERRORS: RFC 4293 says what a column counts, and VPP's sources which
error is charged for that (vnet/ip/ip4_input.h, ip4_forward.c, ip6_forward.c, reass/, ip_frag.c,
ip_in_out_acl.c; src/plugins/urpf).  docs/ip-statistics.md has the same table for people.

The rules this module keeps:

- It is read when it is asked for, once a second at most.  While nobody asks it is read every
  IDLE_INTERVAL, and every CHANGED_INTERVAL while interfaces come and go.
- VPP zeroes an interface's cell when it gives the index to the next one, with each session:
  what it had counted stays in the sum.  What it counted after the last reading is lost, a few
  seconds' worth at most; that is a discontinuity.
- An index was given away where its cell is lower than before, or where /if/names has another
  name, however high the cell is.  VPP writes the name after it has zeroed the cell.  A
  deleted interface's cell stays as it was, and counts until then.
- An interface whose cell fell while it was read is read again: it may be half zeroed.  Where
  many fell, they are being cleared, and the next reading decides.
- What VPP has no error for in this release has no value; what it does not count at all
  has no column.
"""

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from functools import lru_cache
from itertools import compress
from itertools import count as count_from
from operator import ne
from typing import NamedTuple

from ..vpp.cells import Counter
from ..vpp.layout import Kind
from ..vpp.segment import Segment, SegmentUnavailable, name_in
from .totals import Totals

MAX_AGE = 1.0  # seconds
IDLE_INTERVAL = 5.0  # seconds between two readings while nobody asks
CHANGED_INTERVAL = 2.0  # the same where VPP made or deleted something since
MAX_FALLEN = 64  # interfaces that are read again one by one, of 17 threads in 0.1 ms

IPV4, IPV6 = 4, 6
IN_RECEIVES = "InReceives"
_LANE = 64  # bits of an interface in what `Counter.read_all` returns
_LANE_MASK: int = 2**_LANE - 1


class Error(NamedTuple):
    """Errors that feed one column: of each of some nodes the same."""

    column: str  # without its ipSystemStats
    version: int
    nodes: tuple[str, ...]
    before_22_10: str  # its text; "" where there is none
    since_22_10: str  # its name

    def entries(self) -> Iterator[str]:
        """Their names in the segment, in any release."""
        for node in self.nodes:
            for reason in dict.fromkeys((self.before_22_10, self.since_22_10)):
                if reason:
                    yield f"/err/{node}/{reason}"


_INPUT_4, _LOCAL_4, _INPUT_6 = ("ip4-input",), ("ip4-local",), ("ip6-input",)
_FRAG_4, _FRAG_6 = ("ip4-frag", "ip4-pmtu-dpo"), ("ip6-frag", "ip6-pmtu-dpo")
_REASSEMBLY = ("", "-feature", "-custom", "-expire-walk")
_REASS_4 = (
    *(f"ip4-full-reassembly{each}" for each in _REASSEMBLY),
    "ip4-local-full-reassembly",
)
_REASS_6 = (
    *(f"ip6-full-reassembly{each}" for each in _REASSEMBLY),
    "ip6-local-full-reassembly",
)
_HOP_BY_HOP = ("ip6-hop-by-hop",)


def _both(column: str, nodes: tuple[str, ...], before_22_10: str, since_22_10: str) -> list[Error]:
    """The same of IPv4 and of IPv6; `nodes` are called ip4."""
    return [
        Error(
            column,
            version,
            tuple(node.replace("ip4", f"ip{version}") for node in nodes),
            before_22_10,
            since_22_10,
        )
        for version in (IPV4, IPV6)
    ]


ERRORS = (
    Error("InHdrErrors", IPV4, _INPUT_4, "ip4 version != 4", "version"),
    Error("InHdrErrors", IPV4, _INPUT_4, "", "hdr_too_short"),
    Error("InHdrErrors", IPV4, _INPUT_4, "ip4 length < 20 bytes", "too_short"),
    Error("InHdrErrors", IPV4, _INPUT_4, "bad ip4 checksum", "bad_checksum"),
    Error("InHdrErrors", IPV4, _INPUT_4, "ip4 fragment offset == 1", "fragment_offset_one"),
    Error("InHdrErrors", IPV4, _INPUT_4, "ip4 ttl <= 1", "time_expired"),
    Error("InHdrErrors", IPV6, _INPUT_6, "ip6 version != 6", "version"),
    Error("InHdrErrors", IPV6, _INPUT_6, "ip6 ttl <= 1", "time_expired"),
    Error("InHdrErrors", IPV6, _HOP_BY_HOP, *("incorrectly formatted hop-by-hop options",) * 2),
    Error("InHdrErrors", IPV6, _HOP_BY_HOP, *("unknown ip6 hop-by-hop options",) * 2),
    Error("InTruncatedPkts", IPV4, _INPUT_4, "ip4 length > l2 length", "bad_length"),
    Error("InTruncatedPkts", IPV6, _INPUT_6, "ip6 length > l2 length", "bad_length"),
    Error("InTruncatedPkts", IPV6, _INPUT_6, "ip6 length < 40 bytes", "too_short"),
    # RFC 4293 speaks of the destination; VPP checks the source, too, of what is for itself.
    Error("InAddrErrors", IPV4, _LOCAL_4, "ip4 source lookup miss", "src_lookup_miss"),
    Error(
        *("InAddrErrors", IPV4, _LOCAL_4, "ip4 spoofed local-address packet drops"),
        "spoofed_local_packets",
    ),
    Error("InAddrErrors", IPV6, _INPUT_6, "ip6 source lookup miss", "src_lookup_miss"),
    Error("InUnknownProtos", IPV4, _LOCAL_4, "unknown ip protocol", "unknown_protocol"),
    Error("InUnknownProtos", IPV6, _INPUT_6, "unknown ip protocol", "unknown_protocol"),
    Error(
        *("InUnknownProtos", IPV6, ("ip6-local-hop-by-hop",)),
        *("Unknown protocol ip6 local h-b-h packets dropped",) * 2,
    ),
    *_both("InDiscards", _INPUT_4, "Multicast RPF check failed", "rpf_failure"),
    *_both("InDiscards", _INPUT_4, "input ACL table-miss drops", "inacl_table_miss"),
    *_both("InDiscards", _INPUT_4, "input ACL session deny drops", "inacl_session_deny"),
    *_both("InDiscards", ("ip4-rx-urpf-loose", "ip4-rx-urpf-strict"), *("uRPF Drop",) * 2),
    *_both("OutDiscards", _INPUT_4, "output ACL table-miss drops", "outacl_table_miss"),
    *_both("OutDiscards", _INPUT_4, "output ACL session deny drops", "outacl_session_deny"),
    *_both("OutDiscards", ("ip4-tx-urpf-loose", "ip4-tx-urpf-strict"), *("uRPF Drop",) * 2),
    *_both("ReasmReqds", _REASS_4, "", "reass_fragments_rcvd"),
    *_both("ReasmOKs", _REASS_4, "", "reass_success"),
    Error("ReasmFails", IPV4, _REASS_4, "", "reass_timeout"),
    Error("ReasmFails", IPV6, _REASS_6, *("fragments dropped due to reassembly timeout",),
          "reass_timeout"),
    *_both("ReasmFails", _REASS_4, "drops due to concurrent reassemblies limit",
           "reass_limit_reached"),
    *_both("ReasmFails", _REASS_4, "fragment chain too long (drop)",
           "reass_fragment_chain_too_long"),
    *_both("ReasmFails", _REASS_4, "out of buffers (drop)", "reass_no_buf"),
    *_both("ReasmFails", _REASS_4, "drops due to internal reassembly error",
           "reass_internal_error"),
    Error("ReasmFails", IPV4, _REASS_4, "malformed packets", "reass_malformed_packet"),
    Error("ReasmFails", IPV6, _REASS_6, "overlapping fragments", "reass_overlapping_fragment"),
    Error("ReasmFails", IPV6, _REASS_6, "invalid fragment length", "reass_invalid_frag_len"),
    Error("ReasmFails", IPV6, _REASS_6, "", "reass_invalid_frag_size"),
    Error("ReasmFails", IPV6, _REASS_6, "missing-upper layer drops", "reass_missing_upper"),
    Error("OutFragFails", IPV4, _INPUT_4, "ip4 MTU exceeded and DF set", "mtu_exceeded"),
    Error("OutFragFails", IPV6, _INPUT_6, "ip6 MTU exceeded", "mtu_exceeded"),
    *_both("OutFragFails", _FRAG_4, "can't fragment this packet", "dont_fragment_set"),
    *_both("OutFragFails", _FRAG_4, "can't fragment header", "cant_fragment_header"),
    *_both("OutFragFails", _FRAG_4, "malformed packet", "malformed"),
    *_both("OutFragFails", _FRAG_4, "could not allocate buffer", "memory"),
    *_both("OutFragCreates", _FRAG_4, "number of sent fragments", "fragment_sent"),
)  # fmt: skip


class IpStatistics:
    """What is counted of one version of IP."""

    def __init__(
        self,
        version: int,
        clock: Callable[[], float] = time.monotonic,
        fallen: dict[str, None] | None = None,
    ) -> None:
        """`version`: IPV4 or IPV6.  `fallen`: see `Totals`."""
        self.version = version
        self.totals = Totals(f"ip {version}", clock, fallen)
        self._clock = clock
        self._read_at = float("-inf")
        self._segment: Segment | None = None
        self._received: Counter | None = None
        self._cells: int | None = None  # as read last in this segment (`Counter.read_all`)
        self._count = 0  # of them
        self._names: list[bytes] = []  # whose they were (`Segment.interface_names`)
        self._is_clearing = False  # many fell, and the next reading decides
        self._errors: list[tuple[str, list[str]]] = []  # column, and the entries that are there

    def use(self, segment: Segment, cell: int) -> None:
        """From now on this segment is read; `cell`: whose it is (`reached.vpp_of`)."""
        self._read()  # what the one before came to
        self._segment = segment
        self._received = Counter(segment, f"/if/ip{self.version}", Kind.SIMPLE)
        self._cells, self._count, self._is_clearing = None, 0, False
        self._names = []
        self._errors = []
        self._read_at = float("-inf")
        self.totals.begin(cell)

    def find(self, names: Collection[str]) -> None:
        """All that the segment has below /err/: which of that is counted here."""
        found: dict[str, list[str]] = {}
        for error in ERRORS:
            if error.version == self.version:
                there = [entry for entry in error.entries() if entry in names]
                found.setdefault(error.column, []).extend(there)
        self._errors = [(column, entries) for column, entries in found.items() if entries]
        self._read_at = float("-inf")

    def value(self, column: str) -> int | None:
        """What a column counts, at most MAX_AGE old; None if it has no source."""
        if self._clock() >= self._read_at + MAX_AGE:
            self._read()
        return self.totals.get(column)

    def poll(self) -> bool:
        """To be called a few times a second: whether it was read for that."""
        if self._segment is None or self._received is None:
            return False
        has_changed = self._segment.epoch != self._received.epoch
        interval = CHANGED_INTERVAL if has_changed else IDLE_INTERVAL
        is_due = self._is_clearing or self._clock() >= self._read_at + interval
        if is_due:
            self._read()
        return is_due

    def _read(self) -> None:
        self._read_at = self._clock()
        for read in (self._read_received, self._read_errors):
            with suppress(SegmentUnavailable):  # what was read last stands for it
                read()

    def _read_errors(self) -> None:
        if self._segment is None or not self._errors:
            return
        entries = [entry for _, entries in self._errors for entry in entries]
        values = iter(self._segment.values_of(entries))
        for column, entries in self._errors:
            self.totals.count(column, sum(next(values) for _ in entries))

    def _read_received(self) -> None:
        if self._segment is None or self._received is None:
            return
        epoch, names = self._segment.interface_names()
        cells, count = self._received.read_all()
        if self._received.epoch != epoch:
            raise SegmentUnavailable("VPP changes its interfaces too fast")
        if cells & _high_bits(count):
            raise SegmentUnavailable("more packets were received than there are")
        before = self._cells
        if before is not None:
            others = _others(self._names, names)
            fallen = [
                index
                for index in _fallen(before, cells, max(count, self._count))
                if index not in others
            ]
            if len(fallen) > MAX_FALLEN and not self._is_clearing:
                self._is_clearing = True
                return
            if fallen or others:
                cells = self._carry(before, cells, max(count, self._count), fallen, others)
        self._cells, self._count, self._is_clearing = cells, count, False
        self._names = names
        # A number to the base of 2^64 leaves the sum of its digits, divided by 2^64 - 1.
        self.totals.count(IN_RECEIVES, cells % _LANE_MASK)

    def _carry(
        self, before: int, now: int, count: int, fallen: list[int], others: Collection[int]
    ) -> int:
        """Let the sum go on over these; the cells as they are then.  Raises SegmentUnavailable.

        `fallen`: whose cells are lower than before.  `others`: which other interfaces have.
        """
        assert self._received is not None
        had, has = _each(before, count), _each(now, count)
        lost = sum(had[index] for index in others if index < count)
        for index in fallen:
            value = has[index]
            if len(fallen) <= MAX_FALLEN:
                value = self._received.read(index)
                now += (value - has[index]) << (_LANE * index)
            if value < had[index]:
                lost += had[index]
        if lost:
            self.totals.add(IN_RECEIVES, lost)
        return now


def _others(before: list[bytes], now: list[bytes]) -> set[int]:
    """The sw_if_indexes at which another interface is than before."""
    if before is now:
        return set()
    changed = compress(count_from(), map(ne, before, now))
    return {index for index in changed if name_in(now[index]) not in (b"", name_in(before[index]))}


def _each(cells: int, count: int) -> memoryview:
    """The same, one by one."""
    return memoryview(cells.to_bytes(count * _LANE // 8, "little")).cast("Q")


@lru_cache(maxsize=4)
def _high_bits(count: int) -> int:
    """The highest bit of each of so many cells."""
    return int.from_bytes(b"\0\0\0\0\0\0\0\x80" * count, "little")


def _fallen(before: int, now: int, count: int) -> Iterator[int]:
    """The sw_if_indexes of the cells that are lower now, found in all at once.

    The highest bit of each cell is free.  Set in what is now, it is gone after the subtraction
    where that had to borrow.
    """
    high = _high_bits(count)
    lower = high & ~((now | high) - before)
    if not lower:
        return
    flags = lower.to_bytes(8 * count, "little")[7::8]
    at = flags.find(b"\x80")
    while at >= 0:
        yield at
        at = flags.find(b"\x80", at + 1)
