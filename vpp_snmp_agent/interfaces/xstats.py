"""What the DPDK drivers count of a port (VPP's plugins/dpdk/device/init.c, DPDK's drivers/net).

From 25.02 on VPP has for each port a counter /if/xstats/<sw_if_index>, which has a column for each
number of the driver, and a symlink to each: /interfaces/<port>/<xstat>, since 26.10
/interfaces/<port>/xstats-<xstat>.  XSTATS says which of them feeds which column of RFC 3635;
docs/ethernet-statistics.md has the same table for people.  24.10 has other names, by driver and
for all ports of a driver together, and is left out.

The rules this module keeps:

- A port is known by the name that it had when VPP made the symlinks, which a rename does not reach.
- The symlinks of a deleted port stay, and VPP gives its index to the next one: numbers are the
  port's whose name /if/names has at the index, and are read only while it has.  Whose they
  are not any more keeps what was served.
- They are read when they are asked for, once a second at most; VPP reads the driver every
  XSTATS_INTERVAL.  While nobody asks they are read every IDLE_INTERVAL.
- A fall counts once it has lasted for longer than XSTATS_INTERVAL.  VPP zeroes its cells when the
  driver has other numbers than before, and writes the driver's, which may go on, only at
  the next reading: until then what was served last stands.
- What no driver of a port counts has no value there.
"""

import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

from ..vpp.cells import Counter
from ..vpp.layout import Kind
from ..vpp.segment import Segment, SegmentUnavailable, name_in
from .totals import PORT_KEY, Saved, Totals

log = logging.getLogger("vpp-snmp-agent")

PREFIX = "/if/xstats/"
_LINK, _RENAMED = "/interfaces/", "xstats-"
MAX_AGE = 1.0  # seconds
MAX_PORTS = 512  # more are damage
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


class Source(NamedTuple):
    """Where the numbers of a port are."""

    segment: Segment
    counter: Counter
    sw_if_index: int
    name: bytes  # what /if/names has there as long as it is this port's
    places: Mapping[str, list[int]]  # columns of the counter by ours

    def read(self) -> dict[str, int]:
        """What our columns say.  Raises SegmentUnavailable, also where another port has it."""
        epoch, name = self.segment.name_at(self.sw_if_index)
        if name != self.name:
            raise SegmentUnavailable(f"sw_if_index {self.sw_if_index} is another interface's")
        read = self.counter.read
        found = {column: sum(map(read, places)) for column, places in self.places.items()}
        if self.counter.epoch != epoch:
            raise SegmentUnavailable("VPP changes its interfaces too fast")
        return found


class Link(NamedTuple):
    """A symlink to a number of a port that feeds one of our columns."""

    port: str  # its name when the symlink was made
    column: str  # ours
    target: str  # the counter
    place: int  # column of it


class PortStatistics:
    """What a driver counts of one port."""

    def __init__(
        self, name: str, clock: Callable[[], float], fallen: dict[str, None] | None
    ) -> None:
        self.totals = Totals(PORT_KEY.format(name), clock, fallen)
        self._clock = clock
        self._read_at = float("-inf")
        self._fallen_at: float | None = None
        self._source: Source | None = None

    def use(self, source: "Source | None", cell: int) -> None:
        """From now on it is read there, or nowhere; `cell`: by whom and for which port it is
        counted.
        """
        self._source = source
        self._fallen_at, self._read_at = None, float("-inf")
        if source is not None:
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
        if self._source is None:
            return
        with suppress(SegmentUnavailable):  # what was read last stands for it
            found = self._source.read()
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

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        fallen: dict[str, None] | None = None,
    ) -> None:
        """`fallen`: see `Totals`."""
        self._clock = clock
        self._fallen = fallen
        self._ports: dict[str, PortStatistics] = {}
        self._saved: Callable[[str], Saved | None] = lambda key: None
        self.carries = True
        self._segment: Segment | None = None
        self._cell = 0
        self._next: int | None = None  # entry, of the search that is under way
        self._targets: Collection[str] = ()
        self._has_too_many = False  # of them
        self._found: list[Link] = []
        # As it was found last, and what /if/names had at the index of each target.
        self._used: tuple[list[Link], dict[str, bytes]] | None = None

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
        """From now on they are searched for there; `cell`: whose segment it is."""
        self._segment, self._cell = segment, cell
        self._next, self._used, self._targets = None, None, ()

    def begin(self, targets: Collection[str]) -> None:
        """Search for the numbers of these counters, all that there are, below PREFIX."""
        has_too_many = len(targets) > MAX_PORTS
        if has_too_many and not self._has_too_many:
            log.warning(
                "VPP's segment has xstats of %d ports, more than %d: ports are read as they were"
                " found before",
                *(len(targets), MAX_PORTS),
            )
        self._has_too_many = has_too_many
        self._targets, self._found = targets, []
        self._next = 0 if targets and not has_too_many else None

    def search(self) -> bool:
        """Search a slice of the directory; whether there is more of it."""
        if self._segment is None or self._next is None:
            return False
        try:
            found, self._next = self._segment.symlinks_from(self._next, self._targets)
        except SegmentUnavailable:
            self._next = None  # the next search of the directory begins from the start
            return False
        self._found += [link for each in found if (link := _link(*each))]
        if self._next is not None:
            return True
        try:
            self._use_found(self._segment)
        except SegmentUnavailable:
            self.begin(self._targets)  # soon
        return False

    def _use_found(self, segment: Segment) -> None:
        """Have each port read where its numbers are now.  Raises SegmentUnavailable."""
        indexes = {each: each.removeprefix(PREFIX) for each in self._targets}
        names = {
            target: segment.name_at(int(index))[1]
            for target, index in indexes.items()
            if index.isdecimal()
        }
        used = sorted(self._found), names
        if used == self._used:
            return
        self._used = used
        owners = _owners(self._found, names)
        places: dict[str, dict[str, list[int]]] = {}  # of each port
        for port, column, target, place in self._found:
            if owners.get(port) == target:
                places.setdefault(port, {}).setdefault(column, []).append(place)
        for name in self._ports.keys() - places.keys():
            self._ports[name].use(None, 0)
        for name, columns in places.items():
            target = owners[name]
            index, counter = int(indexes[target]), Counter(segment, target, Kind.SIMPLE)
            source = Source(segment, counter, index, names[target], columns)
            self._port(name).use(source, self._cell and self._cell + index)

    def _port(self, name: str) -> PortStatistics:
        """A port, which goes on from what was saved where it is new."""
        port = self._ports.get(name)
        if port is None:
            port = self._ports[name] = PortStatistics(name, self._clock, self._fallen)
            port.totals.carries = self.carries
            known = self._saved(port.totals.key)
            if known is not None:
                port.totals.restore(known)
        return port

    def poll(self) -> None:
        """To be called a few times a second."""
        for each in self._ports.values():
            each.poll()


def _link(name: str, target: str, place: int) -> Link | None:
    """A symlink by its name; None if it feeds no column: of a port's hundreds nearly all."""
    port, _, xstat = name.rpartition("/")
    column = _COLUMNS.get(xstat.removeprefix(_RENAMED))
    if column is None or not port.startswith(_LINK):
        return None
    return Link(port.removeprefix(_LINK), column, target, place)


def _owners(links: Iterable[Link], names: Mapping[str, bytes]) -> dict[str, str]:
    """Whose numbers are where: a target by the name of the port that has its index.

    `names`: what /if/names has there.
    """
    there = {target: name_in(name).decode(errors="replace") for target, name in names.items()}
    return {link.port: link.target for link in links if link.port == there.get(link.target)}
