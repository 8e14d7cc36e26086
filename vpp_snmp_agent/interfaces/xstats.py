"""What the DPDK drivers count of a port (VPP's plugins/dpdk/device/init.c, DPDK's drivers/net).

From 25.02 on VPP has for each port a counter /if/xstats/<sw_if_index>, which has a column for each
number of the driver, and a symlink to each: /interfaces/<port>/<xstat>, since 26.10
/interfaces/<port>/xstats-<xstat>.  XSTATS says which of them feeds which column of RFC 3635;
docs/ethernet-statistics.md has the same table for people.  24.10 has other names, by driver and
for all ports of a driver together, and is left out.

The rules this module keeps:

- A port is known by the name that it had when VPP made the symlinks, which a rename does not reach.
- They are read when they are asked for, once a second at most; VPP reads the driver every
  XSTATS_INTERVAL.  While nobody asks they are read every IDLE_INTERVAL.
- A fall counts once it has lasted for longer than XSTATS_INTERVAL.  VPP zeroes its cells when the
  driver has other numbers than before, and writes the driver's, which may go on, only at
  the next reading: until then what was served last stands.
- What no driver of a port counts has no value there.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

from ..vpp.layout import Kind
from ..vpp.stats import Counter, Segment, SegmentUnavailable
from .totals import Saved, Totals

PREFIX = "/if/xstats/"
_LINK, _RENAMED = "/interfaces/", "xstats-"
MAX_AGE = 1.0  # seconds
IDLE_INTERVAL = 5.0  # seconds
XSTATS_INTERVAL = 10.0  # seconds, VPP's
MAX_FALL_TIME = XSTATS_INTERVAL + 2.0  # seconds: it may be late


class Xstat(NamedTuple):
    """A number of some drivers, and the column of dot3StatsTable that it is."""

    column: str  # without its dot3Stats
    name: str
    drivers: tuple[str, ...]


_E1000 = ("igb", "igc")
XSTATS = (
    Xstat("AlignmentErrors", "rx_align_errors", _E1000),
    Xstat("AlignmentErrors", "rx_align_err_frames", ("bnxt",)),
    Xstat("FCSErrors", "rx_crc_errors", ("ixgbe", "i40e", "ice", *_E1000)),
    Xstat("FCSErrors", "rx_phy_crc_errors", ("mlx5",)),
    Xstat("FCSErrors", "rx_fcs_err_frames", ("bnxt",)),
    Xstat("SingleCollisionFrames", "tx_single_collision_packets", _E1000),
    Xstat("SingleCollisionFrames", "tx_single_coll_frames", ("bnxt",)),
    Xstat("MultipleCollisionFrames", "tx_multiple_collision_packets", _E1000),
    Xstat("MultipleCollisionFrames", "tx_multi_coll_frames", ("bnxt",)),
    Xstat("DeferredTransmissions", "tx_deferred_packets", _E1000),
    Xstat("LateCollisions", "tx_late_collisions", _E1000),
    Xstat("LateCollisions", "tx_late_coll_frames", ("bnxt",)),
    Xstat("ExcessiveCollisions", "tx_excessive_collision_packets", _E1000),
    Xstat("ExcessiveCollisions", "tx_excessive_coll_frames", ("bnxt",)),
    Xstat("InternalMacTransmitErrors", "tx_fifo_underruns", ("bnxt",)),
    Xstat("CarrierSenseErrors", "tx_no_carrier_sense_packets", _E1000),
    Xstat("FrameTooLongs", "rx_oversize_errors", ("ixgbe", "i40e", "ice", *_E1000)),
    Xstat("FrameTooLongs", "rx_ovrsz_frames", ("bnxt",)),
    Xstat("SymbolErrors", "rx_illegal_byte_errors", ("ixgbe", "i40e", "ice")),
    Xstat("SymbolErrors", "rx_symbol_errors", ("igb",)),
    Xstat("SymbolErrors", "rx_phy_symbol_errors", ("mlx5",)),
    Xstat("SymbolErrors", "rx_pcs_symbol_err", ("bnxt",)),
)
_COLUMNS = {each.name: each.column for each in XSTATS}


class PortStatistics:
    """What a driver counts of one port."""

    def __init__(self, name: str, clock: Callable[[], float]) -> None:
        self.totals = Totals(f"dot3 {name}", clock)
        self._clock = clock
        self._read_at = float("-inf")
        self._fallen_at: float | None = None
        self._counter: Counter | None = None
        self._places: Mapping[str, list[int]] = {}  # columns of the counter by ours

    def use(self, counter: Counter, places: Mapping[str, list[int]], cell: int) -> None:
        """From now on it is read there; `cell`: by whom and for which port it is counted."""
        self._counter, self._places = counter, places
        self._fallen_at, self._read_at = None, float("-inf")
        self.totals.begin(cell)

    def value(self, column: str) -> int | None:
        """What a column counts; None if it has no source."""
        if self._clock() >= self._read_at + MAX_AGE:
            self._read()
        return self.totals.get(column)

    def poll(self) -> None:
        """To be called a few times a second."""
        if self._clock() >= self._read_at + IDLE_INTERVAL:
            self._read()

    def _read(self) -> None:
        now = self._read_at = self._clock()
        counter = self._counter
        if counter is None:
            return
        with suppress(SegmentUnavailable):  # what was read last stands for it
            found = {
                column: sum(map(counter.read, places)) for column, places in self._places.items()
            }
            fallen = [name for name, each in found.items() if each < self.totals.counted(name)]
            if fallen and self.totals.carries:
                self._fallen_at = now if self._fallen_at is None else self._fallen_at
                if now < self._fallen_at + MAX_FALL_TIME:
                    return
                for name in fallen:
                    self.totals.rebase(name)
            self._fallen_at = None
            for name, each in found.items():
                self.totals.count(name, each)


class Ports:
    """The ports of which drivers count anything, by VPP's names; a port stays for ever."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ports: dict[str, PortStatistics] = {}
        self._saved: Callable[[str], Saved | None] = lambda key: None
        self.carries = True
        self._segment: Segment | None = None
        self._cell = 0
        self._next: int | None = None  # entry, of the search that is under way
        self._targets: Collection[str] = ()
        self._found: list[tuple[str, str, int]] = []
        self._used: list[tuple[str, str, int]] | None = None  # as it was found last

    def restore(self, saved: Callable[[str], Saved | None]) -> None:
        """Ports that are found go on from what was saved of them, by key."""
        self._saved = saved

    def carry(self, carries: bool) -> None:
        """Whether what falls goes on from what it had come to."""
        self.carries = carries
        for each in self._ports.values():
            each.totals.carries = carries

    @property
    def totals(self) -> Iterator[Totals]:
        """Those of all ports."""
        return (each.totals for each in self._ports.values())

    def get(self, name: str) -> PortStatistics | None:
        """A port by VPP's name."""
        return self._ports.get(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._ports)

    def use(self, segment: Segment, cell: int) -> None:
        """From now on they are looked for there; `cell`: whose segment it is."""
        self._segment, self._cell = segment, cell
        self._next, self._used, self._targets = None, None, ()

    def begin(self, targets: Collection[str]) -> None:
        """Look for the numbers of these counters, all that there are, below PREFIX."""
        self._targets, self._found = targets, []
        self._next = 0 if targets else None

    def search(self) -> bool:
        """Look through a slice of the directory; whether there is more of it."""
        if self._segment is None or self._next is None:
            return False
        try:
            found, self._next = self._segment.symlinks_from(self._next, self._targets)
        except SegmentUnavailable:
            self._next = None  # the next search of the directory begins it anew
            return False
        self._found += found
        if self._next is not None:
            return True
        if sorted(self._found) != self._used:
            self._used = sorted(self._found)
            self._use_found(self._segment, self._used)
        return False

    def _use_found(self, segment: Segment, links: list[tuple[str, str, int]]) -> None:
        by_port: dict[tuple[str, str], dict[str, list[int]]] = {}
        for link, target, place in links:
            name, _, xstat = link.removeprefix(_LINK).rpartition("/")
            column = _COLUMNS.get(xstat.removeprefix(_RENAMED))
            if column is not None and link.startswith(_LINK):
                by_port.setdefault((name, target), {}).setdefault(column, []).append(place)
        for (name, target), places in by_port.items():
            port = self._ports.get(name)
            if port is None:
                port = self._ports[name] = PortStatistics(name, self._clock)
                port.totals.carries = self.carries
                known = self._saved(port.totals.key)
                if known is not None:
                    port.totals.restore(known)
            index = target.removeprefix(PREFIX)
            cell = self._cell and self._cell + (int(index) if index.isdecimal() else 0)
            port.use(Counter(segment, target, Kind.SIMPLE), places, cell)

    def poll(self) -> None:
        """To be called a few times a second."""
        for each in self._ports.values():
            each.poll()
