"""What a segment's directory has of names that VPP makes as it goes: heaps, errors, xstats.

    directory = Directory(segment, ("/mem/", "/err/"))
    while directory.search(): ...        # a slice of it, between two requests
    for name in directory.names["/mem/"]: segment.value(name)
    columns = segment.by_error_column(directory.entries["/err/"])

The rules this module keeps:

- Half a million entries are no rarity: a slice of them is searched at a time.
- All are searched again where VPP changed the directory, and at most once in SEARCH_INTERVAL:
  sessions that come and go change it twenty times a second.
- What a search finds is kept as it is found: nothing is made of all of it at its end.
- A name is here as long as the last whole search found it.  That it is still there finds out
  who reads it.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet

from .segment import Segment, SegmentUnavailable

SEARCH_INTERVAL = 10.0  # seconds between the beginnings of two searches
MAX_NAMES = 50_000  # that begin alike: more are damage, and a dict that grows stops the loop


class Directory:
    """The names of one segment that begin with one of some prefixes: `names`, and `entries` with
    the value that each has in the directory (`Segment.entries_from`).
    """

    def __init__(
        self,
        segment: Segment,
        prefixes: Iterable[str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.entries: Mapping[str, Mapping[str, int]] = {each: {} for each in prefixes}
        self.names = _names(self.entries)
        self._segment = segment
        self._clock = clock
        self._prefixes = tuple(each.encode() for each in self.entries)
        self._next: int | None = None  # entry, of the search that is under way
        self._found: dict[str, dict[str, int]] = {}  # by it, so far
        self._version: tuple[int, int, int] | None = None  # of the directory that was searched
        self._searched = (0, 0, 0)  # of the one that is
        self._due = 0.0

    @property
    def is_complete(self) -> bool:
        """Whether all of it was searched once."""
        return self._version is not None

    def search(self) -> bool:
        """Search a slice, if one is due; whether there is more of it to search now."""
        try:
            if self._next is None and not self._begin():
                return False
            found, self._next = self._segment.entries_from(self._next or 0, self._prefixes)
        except SegmentUnavailable:
            self._next = None  # it is tried again when it is due
            return False
        for prefix, entries in self._found.items():
            for name, value in found:
                if name.startswith(prefix) and len(entries) < MAX_NAMES:
                    entries[name] = value
        if self._next is None:
            self.entries, self.names = self._found, _names(self._found)
            self._version = self._searched
        return self._next is not None

    def _begin(self) -> bool:
        """Whether a search is due, which begins with that.  Raises SegmentUnavailable."""
        now, version = self._clock(), self._segment.directory_version
        if now < self._due or version == self._version:
            return False
        self._due = now + SEARCH_INTERVAL
        self._searched, self._next = version, 0
        self._found = {each: {} for each in self.entries}
        return True


def _names(entries: Mapping[str, Mapping[str, int]]) -> Mapping[str, AbstractSet[str]]:
    return {prefix: each.keys() for prefix, each in entries.items()}
