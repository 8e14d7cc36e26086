"""What VPP has beyond its interfaces: threads, heaps, buffers, errors, and what drivers count.

The rules this module keeps:

- It lives as long as the agent: over another configuration, and over one VPP after another.
- The segment of a VPP that ended stays readable, and stands still.
- Names that VPP makes as it goes are searched for while there is nothing else to do.
- What is counted over interfaces, or of none, goes on from what it had come to (totals.py), and
  is saved as often as a row's counters are.
"""

import enum
import time
from collections import deque
from collections.abc import Callable, Collection
from contextlib import suppress

from ..vpp.directory import Directory
from ..vpp.layout import Generation
from ..vpp.segment import Segment, SegmentUnavailable
from .errors import ERRORS, Errors
from .ip_statistics import IPV4, IPV6, IpStatistics
from .storage import HEAPS, POOLS, Storages
from .threads import NODES, Threads
from .totals import Saved, Totals
from .vpp_state import VppState
from .xstats import PREFIX as XSTATS
from .xstats import Ports

SESSIONS = ("/bfd/", "/nat44-ed/total-sessions")  # gauges that not every VPP has
PREFIXES = (HEAPS, POOLS, ERRORS, XSTATS, NODES, *SESSIONS)
SAVE_INTERVAL = 300.0  # seconds between two savings of what is not a base
FIRST_SAVE_DELAY = 10.0  # seconds


class SegmentState(enum.IntEnum):
    """Of VPP's statistics segment, as vppSegmentState numbers it."""

    LIVE = 1
    STUCK = 2  # VPP hangs in its lock
    NONE = 3


class System:
    """The statistics segment of the VPP that is there, or was last, and what is in it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.segment: Segment | None = None  # None: none was there yet
        self.is_away = False  # its VPP ended
        self.is_searching = False
        self.storages = Storages()
        self.vpp = VppState(clock)
        self.fallen: dict[str, None] = {}  # keys of totals whose bases are new
        self.ipv4, self.ipv6 = (
            IpStatistics(version, clock, self.fallen) for version in (IPV4, IPV6)
        )
        self.ports = Ports(clock, self.fallen)
        self.errors = Errors(clock, self.fallen)
        self.threads = Threads(clock)
        self._polls = deque(each.poll for each in (self.ipv4, self.ipv6, self.errors, self.threads))
        self._directory: Directory | None = None
        self._found: object = None  # all names, as they were found last
        self._gauges: dict[str, int] = {}  # as they were read last
        self._clock = clock
        self._save_due = clock() + FIRST_SAVE_DELAY

    def use(self, segment: Segment, cell: int) -> None:
        """From now on it is this one's; the same again changes nothing.

        `cell`: a number that its VPP has, and no other (`reached.vpp_of`).
        """
        self.is_away = False
        if self.segment is None or self.segment.inode != segment.inode:
            self.segment, self._directory = segment, Directory(segment, PREFIXES)
            self.is_searching, self._found, self._gauges = False, None, {}
            for each in (self.ipv4, self.ipv6, self.ports, self.errors):
                each.use(segment, cell)
        self.storages.use(self.segment)
        self.threads.use(self.segment)
        self._begin_search()  # at once: a row of its memory that is missing is missed

    def lose(self) -> None:
        """VPP's process is gone."""
        self.is_away = True
        self.storages.lose()
        self.errors.lose()
        self.threads.lose()

    @property
    def segment_state(self) -> SegmentState:
        """What can be made of the segment."""
        if self.segment is None or self.is_away:
            return SegmentState.NONE
        return SegmentState.STUCK if self.segment.is_stuck else SegmentState.LIVE

    @property
    def generation(self) -> Generation | None:
        """Which releases' segments are laid out as that of the VPP that is there."""
        if self.segment is not None and not self.is_away:
            with suppress(SegmentUnavailable):
                return self.segment.generation
        return None

    def gauge(self, name: str) -> int | None:
        """What VPP says by one of the SESSIONS, else said last; 0 of a VPP that ended.

        None where it was not found: a request is no time to search a large directory.
        """
        if self.segment is not None and any(name in self.names(each) for each in SESSIONS):
            with suppress(SegmentUnavailable):
                self._gauges[name] = self.segment.value(name)
        value = self._gauges.get(name)
        return 0 if self.is_away and value is not None else value

    def poll(self) -> None:
        """To be called a few times a second: begins what is due."""
        self._begin_search()
        if self.segment is not None and not self.is_away:
            self.vpp.watch(self.segment)
        # One of them at a time, in turn: of 10,000 interfaces and 17 threads each takes 2 ms.
        for _ in range(len(self._polls)):
            self._polls.rotate(-1)
            if self._polls[-1]():
                return
        self.ports.poll()

    def _begin_search(self) -> None:
        if self._directory is not None and not self.is_searching:
            self._search()
        self._find()

    def search_on(self) -> bool:
        """Search another slice of the directory, if a search is under way; whether it goes on."""
        if self.is_searching:
            self._search()
            if not self.is_searching:
                self._find()
        return self.is_searching

    def _search(self) -> None:
        assert self._directory is not None
        if self.ports.search():
            self.is_searching = True
            return
        self.is_searching = self._directory.search()
        if not self.is_searching and self._directory.names is not self._found:
            self._found = self._directory.names
            for each in (self.ipv4, self.ipv6):
                each.find(self.names(ERRORS))
            self.threads.find(self.names(NODES))
            self.ports.begin(self.names(XSTATS))
            self.is_searching = bool(self.names(XSTATS))

    def search_all(self) -> None:
        """Search the directory to its end: for a command that reads once, and waits."""
        self.poll()
        while self.search_on():
            pass
        self.errors.read_all()

    def _find(self) -> None:
        """Show what the directory has, once all of it was searched."""
        if self._directory is None or not self._directory.is_complete:
            return
        assert self.segment is not None
        self.errors.find(self._directory.entries[ERRORS])
        if not self.is_away:
            self.storages.find(self.segment, self.names(HEAPS), self.names(POOLS))

    def names(self, prefix: str) -> Collection[str]:
        """The names in the segment that begin with one of PREFIXES, as far as they were found."""
        return self._directory.names[prefix] if self._directory else ()

    # --- what is counted ------------------------------------------------------------------------

    @property
    def _totals(self) -> tuple[Totals, ...]:
        return self.ipv4.totals, self.ipv6.totals, *self.ports.totals, *self.errors.totals

    def carry(self, carries: bool) -> None:
        """Whether what falls goes on from what it had come to."""
        self.ipv4.totals.carries = self.ipv6.totals.carries = carries
        self.ports.carry(carries)
        self.errors.carry(carries)

    def restore(self, saved: Callable[[str], Saved | None]) -> None:
        """Go on from what was saved, by key; to be called before a segment is there."""
        for each in (self.ipv4.totals, self.ipv6.totals):
            known = saved(each.key)
            if known is not None:
                each.restore(known)
        sizes = saved(self.storages.key)
        if sizes is not None:
            self.storages.restore(sizes)
        self.ports.restore(saved)
        self.errors.restore(saved)

    def unsaved(self, all_of_them: bool = False) -> list[Totals | Storages]:
        """Those that are to be saved now: whose bases changed, and all every SAVE_INTERVAL.

        With them the sizes of VPP's memory, once there is any.
        """
        known: list[Totals | Storages] = [*self._totals]
        if self.storages.shown:
            known.append(self.storages)
        if all_of_them or self._clock() >= self._save_due:
            self._save_due = self._clock() + SAVE_INTERVAL
            return known
        return [each for each in known if each.is_dirty]
