"""The counters of IF-MIB from those of VPP (vnet/interface.h; RFC 2863 section 6).

The rules this module keeps:

- A reading is taken when it is asked for.  While the segment cannot be read, the last
  reading stands for it; without one the cell does not exist.
- A derived counter is never above the truth and never goes backwards: the total is read
  first, what is taken off it afterwards, and the highest result stands.
- Any decrease of what VPP counts is a discontinuity, and said to be one.
- A cell counts for an interface only while /if/names has its name there: VPP gives the
  index of a deleted interface to the next one at once, before its API tells.  A rename
  does not reach /if/names, so the name that stood there at first is its name as well.
"""

import struct
import time
from array import array
from contextlib import suppress
from operator import lt

from ..vpp.layout import Kind
from ..vpp.stats import ATTEMPTS, Counter, Counters, Segment, SegmentUnavailable

# (name in the segment, kind, which number of the pair)
_SOURCES = (
    ("/if/rx", Kind.COMBINED, 0),
    ("/if/rx", Kind.COMBINED, 1),
    ("/if/tx", Kind.COMBINED, 0),
    ("/if/tx", Kind.COMBINED, 1),
    ("/if/rx-multicast", Kind.COMBINED, 0),
    ("/if/rx-broadcast", Kind.COMBINED, 0),
    ("/if/tx-multicast", Kind.COMBINED, 0),
    ("/if/tx-broadcast", Kind.COMBINED, 0),
    ("/if/rx-no-buf", Kind.SIMPLE, 0),
    ("/if/rx-miss", Kind.SIMPLE, 0),
    ("/if/rx-error", Kind.SIMPLE, 0),
    ("/if/tx-error", Kind.SIMPLE, 0),
    ("/if/drops", Kind.SIMPLE, 0),
    ("/if/punt", Kind.SIMPLE, 0),
    ("/if/ip4", Kind.SIMPLE, 0),
    ("/if/ip6", Kind.SIMPLE, 0),
)
_RX_PACKETS, _RX_BYTES, _TX_PACKETS, _TX_BYTES = range(4)
_RX_MULTICAST, _RX_BROADCAST, _TX_MULTICAST, _TX_BROADCAST = range(4, 8)
_RX_NO_BUF, _RX_MISS, _RX_ERROR, _TX_ERROR, _DROPS = range(8, 13)
_PUNT, _IP4, _IP6 = range(13, 16)
# Read together: totals before what is taken off them.  Not the last three, for LibreNMS and
# Cacti leave them out of their Gets: each cell of each thread lies on a page of its own.
_GROUPS = slice(0, 4), slice(4, 8), slice(8, 13)
_TOGETHER = _GROUPS[-1].stop
_put_together = struct.Struct(f"={_TOGETHER}Q").pack_into
_RX_UNICAST, _TX_UNICAST = len(_SOURCES), len(_SOURCES) + 1
_NOTHING_READ = array("Q", [0] * (len(_SOURCES) + 2))

# What `InterfaceCounters.readings` returns, by the names of its properties.
READINGS = (
    *("in_octets", "out_octets", "in_unicast", "out_unicast"),
    *("in_multicast", "in_broadcast", "out_multicast", "out_broadcast"),
    *("in_non_unicast", "out_non_unicast", "in_discards", "in_errors", "out_errors"),
)


class CounterSet:
    """Where all these counters lie in one segment."""

    __slots__ = ("_look_at_lock", "counters", "counts_drops", "inode", "name_at", "together")

    def __init__(self, segment: Segment) -> None:
        self.inode = segment.inode
        self.name_at = segment.name_at
        self._look_at_lock = segment.look_at_lock
        self.counts_drops = False  # as discards; True if the operator wants it
        self.counters = tuple(Counter(segment, *source) for source in _SOURCES)
        self.together = Counters(segment, *(self.counters[group] for group in _GROUPS))

    def look(self) -> None:
        """To be called a few times a second: pollers may come too rarely to notice a lock."""
        self._look_at_lock()
        for counter in self.counters:
            counter.look()


class InterfaceCounters:
    """The counters of one interface; each property is a reading, None if there is none."""

    __slots__ = (
        *("_epoch", "_first_name", "_last", "_name", "_read_once", "_set", "_sources"),
        *("_sw_if_index", "restarted_at"),
    )

    def __init__(
        self,
        sources: CounterSet | None,
        sw_if_index: int,
        interface_name: str,
        restarted_at: float | None = None,
    ) -> None:
        """`restarted_at`: of the last discontinuity so far, by time.monotonic."""
        self._set = sources
        self._sources = sources.counters if sources else ()
        self._sw_if_index = sw_if_index
        self._last = _NOTHING_READ[:]
        self._read_once = 0  # a bit for each source
        self.restarted_at = restarted_at
        self._name = interface_name.encode(errors="replace")
        self._first_name: bytes | None = None
        self._epoch = -1  # in which the segment had one of them there
        with suppress(SegmentUnavailable):
            self._check_name()

    def are_of(self, sources: CounterSet | None, sw_if_index: int) -> bool:
        """Whether these are the counters of that interface in that segment."""
        return self._set is sources and self._sw_if_index == sw_if_index

    @property
    def has_source(self) -> bool:
        """Whether there is a segment to read them from."""
        return self._set is not None

    def _check_name(self) -> None:
        """Raises SegmentUnavailable where another interface has the index by now."""
        if self._set is None:
            return
        epoch, name = self._set.name_at(self._sw_if_index)
        if self._first_name is None:
            self._first_name = name or None
        elif name not in (self._name, self._first_name):
            raise SegmentUnavailable(f"sw_if_index {self._sw_if_index} is another interface's")
        self._epoch = epoch

    def _cell(self, which: int) -> int:
        """The reading of an epoch in which the cell is this interface's."""
        counter, sw_if_index = self._sources[which], self._sw_if_index
        at_once = counter.read_in(self._epoch, sw_if_index)
        if at_once is not None:
            return at_once
        value = counter.read(sw_if_index)
        for _ in range(ATTEMPTS):
            if counter.epoch == self._epoch:
                return value
            self._check_name()
            value = counter.read(sw_if_index)
        raise SegmentUnavailable("VPP changes its interfaces too fast")

    def readings(self) -> tuple[int, ...] | None:
        """What the properties that READINGS names return, all of one moment and soon had.

        None where they cannot be read together: then each is to be asked for by itself.
        """
        if self._set is None:
            return None
        read = self._set.together.read_in(self._epoch, self._sw_if_index)
        if read is None:
            return None
        if any(map(lt, read, self._last)):
            self._restart()
        last = self._last
        (
            rx_packets,
            rx_bytes,
            tx_packets,
            tx_bytes,
            rx_multicast,
            rx_broadcast,
            tx_multicast,
            tx_broadcast,
            no_buf,
            miss,
            rx_error,
            tx_error,
            drops,
        ) = read
        in_unicast = max(last[_RX_UNICAST], rx_packets - rx_multicast - rx_broadcast)
        out_unicast = max(last[_TX_UNICAST], tx_packets - tx_multicast - tx_broadcast)
        _put_together(last, 0, *read)
        last[_RX_UNICAST] = in_unicast
        last[_TX_UNICAST] = out_unicast
        self._read_once |= (1 << _TOGETHER) - 1
        return (
            rx_bytes,
            tx_bytes,
            in_unicast,
            out_unicast,
            rx_multicast,
            rx_broadcast,
            tx_multicast,
            tx_broadcast,
            rx_multicast + rx_broadcast,
            tx_multicast + tx_broadcast,
            miss + no_buf + drops if self._set.counts_drops else miss + no_buf,
            rx_error,
            tx_error,
        )

    def _read(self, which: int) -> int | None:
        last = self._last
        try:
            value = self._cell(which)
        except (SegmentUnavailable, IndexError):
            return last[which] if self._read_once >> which & 1 else None
        if value < last[which]:
            self._restart()
            last = self._last
        last[which] = value
        self._read_once |= 1 << which
        return value

    def _restart(self) -> None:
        self._last = _NOTHING_READ[:]
        self._read_once = 0
        self.restarted_at = time.monotonic()

    def _unicast(self, packets: int, multicast: int, broadcast: int, which: int) -> int | None:
        total = self._read(packets)
        last = self._last
        off_multicast, off_broadcast = self._read(multicast), self._read(broadcast)
        if self._last is not last:  # cleared in between: the total is of before
            total = self._read(packets)
        if total is None or off_multicast is None or off_broadcast is None:
            return None
        last = self._last
        last[which] = max(last[which], total - off_multicast - off_broadcast)
        return last[which]

    def _sum(self, *which: int) -> int | None:
        total = 0
        for each in which:
            value = self._read(each)
            if value is None:
                return None
            total += value
        return total

    @property
    def in_octets(self) -> int | None:
        """Whole L2 frames without FCS."""
        return self._read(_RX_BYTES)

    @property
    def out_octets(self) -> int | None:
        """Whole L2 frames without FCS."""
        return self._read(_TX_BYTES)

    @property
    def in_unicast(self) -> int | None:
        """Packets that are neither multicast nor broadcast; all of them without detail."""
        return self._unicast(_RX_PACKETS, _RX_MULTICAST, _RX_BROADCAST, _RX_UNICAST)

    @property
    def out_unicast(self) -> int | None:
        """Packets that are neither multicast nor broadcast; all of them without detail."""
        return self._unicast(_TX_PACKETS, _TX_MULTICAST, _TX_BROADCAST, _TX_UNICAST)

    @property
    def in_multicast(self) -> int | None:
        """0 unless VPP collects detailed statistics of this interface."""
        return self._read(_RX_MULTICAST)

    @property
    def in_broadcast(self) -> int | None:
        """0 unless VPP collects detailed statistics of this interface."""
        return self._read(_RX_BROADCAST)

    @property
    def out_multicast(self) -> int | None:
        """0 unless VPP collects detailed statistics of this interface."""
        return self._read(_TX_MULTICAST)

    @property
    def out_broadcast(self) -> int | None:
        """0 unless VPP collects detailed statistics of this interface."""
        return self._read(_TX_BROADCAST)

    @property
    def in_non_unicast(self) -> int | None:
        """Multicast and broadcast together."""
        return self._sum(_RX_MULTICAST, _RX_BROADCAST)

    @property
    def out_non_unicast(self) -> int | None:
        """Multicast and broadcast together."""
        return self._sum(_TX_MULTICAST, _TX_BROADCAST)

    @property
    def in_discards(self) -> int | None:
        """What the hardware had to leave for want of descriptors or buffers.

        With `counts_drops` also all that VPP dropped of what came in here, on purpose or not.
        """
        if self._set is not None and self._set.counts_drops:
            return self._sum(_RX_MISS, _RX_NO_BUF, _DROPS)
        return self._sum(_RX_MISS, _RX_NO_BUF)

    @property
    def in_errors(self) -> int | None:
        """Damaged frames, as the driver counts them."""
        return self._read(_RX_ERROR)

    @property
    def out_errors(self) -> int | None:
        """Frames that the driver could not send."""
        return self._read(_TX_ERROR)

    @property
    def in_unknown_protos(self) -> int | None:
        """Packets punted for want of anybody who takes them."""
        return self._read(_PUNT)

    @property
    def in_ip4(self) -> int | None:
        """IPv4 packets received, at the L3 input of this very interface."""
        return self._read(_IP4)

    @property
    def in_ip6(self) -> int | None:
        """IPv6 packets received, at the L3 input of this very interface."""
        return self._read(_IP6)

    @property
    def discontinuity(self) -> float | None:
        """When a counter last jumped, by time.monotonic; None if none ever did."""
        for each in (_RX_BYTES, _TX_BYTES, _RX_PACKETS, _TX_PACKETS):
            self._read(each)
        return self.restarted_at
