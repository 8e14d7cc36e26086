"""What VPP has beyond its interfaces: heaps, buffers, errors, and what drivers count.

The rules this module keeps:

- It lives as long as the agent: over another configuration, and over one VPP after another.
- The segment of a VPP that ended stays readable, and stands still.
- Names that VPP makes as it goes are searched for while there is nothing else to do.
"""

import enum
from collections.abc import Collection
from contextlib import suppress

from ..vpp.directory import Directory
from ..vpp.layout import Generation
from ..vpp.stats import Segment, SegmentUnavailable
from .storage import HEAPS, POOLS, Storages
from .vpp_state import VppState

SESSIONS = ("/bfd/", "/nat44-ed/total-sessions")  # gauges that not every VPP has
PREFIXES = (HEAPS, POOLS, "/err/", *SESSIONS)


class SegmentState(enum.IntEnum):
    """Of VPP's statistics segment, as vppSegmentState numbers it."""

    LIVE = 1
    STUCK = 2  # VPP hangs in its lock
    NONE = 3


class System:
    """The statistics segment of the VPP that is there, or was last, and what is in it."""

    def __init__(self) -> None:
        self.segment: Segment | None = None  # None: none was there yet
        self.is_away = False  # its VPP ended
        self.is_searching = False
        self.storages = Storages()
        self.vpp = VppState()
        self._directory: Directory | None = None
        self._gauges: dict[str, int] = {}  # as they were read last

    def use(self, segment: Segment) -> None:
        """From now on it is this one's; the same again changes nothing."""
        self.is_away = False
        if self.segment is None or self.segment.inode != segment.inode:
            self.segment, self._directory = segment, Directory(segment, PREFIXES)
            self.is_searching, self._gauges = False, {}
        self.storages.use(self.segment)

    def lose(self) -> None:
        """VPP's process is gone."""
        self.is_away = True
        self.storages.lose()

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
        if self._directory is not None and not self.is_searching:
            self.is_searching = self._directory.search()
        if self.segment is not None and not self.is_away:
            self.vpp.watch(self.segment)
        self._find_storages()

    def search_on(self) -> bool:
        """Search another slice of the directory, if a search is under way; whether it goes on."""
        if self.is_searching:
            assert self._directory is not None
            self.is_searching = self._directory.search()
            if not self.is_searching:
                self._find_storages()
        return self.is_searching

    def search_all(self) -> None:
        """Search the directory to its end: for a command that reads once, and waits."""
        self.poll()
        while self.search_on():
            pass

    def _find_storages(self) -> None:
        if self._directory is not None and self._directory.is_complete and not self.is_away:
            assert self.segment is not None
            self.storages.find(self.segment, self.names(HEAPS), self.names(POOLS))

    def names(self, prefix: str) -> Collection[str]:
        """The names in the segment that begin with one of PREFIXES, as far as they were found."""
        return self._directory.names[prefix] if self._directory else ()
