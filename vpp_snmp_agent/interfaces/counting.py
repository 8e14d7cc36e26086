"""Which counters a row has, from where they go on, and which rows have any.

The rules this module keeps:

- Counters go on from what they had come to, of whichever VPP: from the row before, else from what
  the state has of them.  They stay the same as long as the same VPP counts in the same cell.
- They say that they jumped (RFC 2863: ifCounterDiscontinuityTime) unless it is surely that cell,
  or the row was there when the agent started.
- While VPP is away they stay at their last value: the segment of a VPP that ended stays mapped,
  and changes no more.
- A row has counters from the moment on at which they can be read.
"""

from collections.abc import Iterable, Mapping
from itertools import islice

from ..agentx.sorted_rows import SortedRows
from ..settings.declarations import Settings
from ..vpp.records import Identity, Interface
from .counters import CounterSet, InterfaceCounters
from .indexes import Indexes
from .reached import NOTHING_REACHED, vpp_of
from .rows import Row
from .xstats import Ports

MAX_RETRIED = 1000  # rows without a readable counter, a second


class Counting:
    """The counters of the rows of one configuration."""

    def __init__(self, settings: Settings, indexes: Indexes | None) -> None:
        """`indexes`: None where nothing is saved."""
        self.rows = SortedRows()  # those that have counters, by ifIndex
        self.sources: CounterSet | None = None  # of the VPP that is there, or was last
        self._settings = settings
        self._indexes = indexes
        self._unread: dict[str, None] = {}  # keys of rows whose counters were never readable

    @property
    def carries(self) -> bool:
        """Whether counters go on where VPP counts from 0 again."""
        return self._settings.counters == "carried"

    def use(self, sources: CounterSet, identity: Identity | None) -> bool:
        """Counters are read from here from now on; whether that is another VPP's segment."""
        if self.sources is not None and self.sources.inode == sources.inode:
            return False
        if identity is not None:
            sources.vpp = vpp_of(identity.vpe_pid, sources.inode)
        self.sources = sources
        # Where its cells are is known from now on, should VPP hang in its lock next.
        sources.poll()
        self.count_drops()
        return True

    def count_drops(self) -> None:
        """What counts as a discard is as these rows have it."""
        if self.sources is not None:
            self.sources.counts_drops = self._settings.discards == "all"

    def counters_of(
        self, key: str, interface: Interface, before: Row | None, now: float, is_change: bool
    ) -> InterfaceCounters:
        """Of this VPP, at this index; `is_change`: unless they were there before, they are new."""
        sources, index, carries = self.sources, interface.sw_if_index, self.carries
        if before and before.counters.are_of(sources, index, carries):
            return before.counters
        since = now if is_change else None
        reached = before.counters.reached() if before else None
        if reached is None and sources is not None and self._indexes is not None:
            reached = self._indexes.reached(key)
        if reached is not None:
            if not carries:
                if self._indexes is not None and any(reached.served):
                    self._indexes.keep(key, NOTHING_REACHED)
                reached, since = None, now
            elif sources is not None and not reached.is_at(sources.cell(index)):
                since = now
            elif before is not None:
                since = before.counters.restarted_at
        return InterfaceCounters(
            *(sources, index, interface.interface_name, since),
            key=key,
            carries=carries,
            reached=reached,
        )

    def show(self, row: Row) -> None:
        """Show its counters, if they can be read."""
        self._unread.pop(row.key, None)
        if row.counters.readings() is not None or row.counters.in_octets is not None:
            self.rows.put(row.instance, row)
            return
        self.rows.remove(row.instance)
        if row.counters.has_source:
            self._unread[row.key] = None

    def hide(self, row: Row) -> None:
        """A row is not shown any more."""
        self._unread.pop(row.key, None)
        self.rows.remove(row.instance)

    def note_restarts(self, rows: Mapping[str, Row], ports: Ports) -> None:
        """What a driver counts has no discontinuity time but its interface's (RFC 3635).

        `rows`: by key, as they are shown.
        """
        for name in ports:
            row, port = rows.get(name), ports.get(name)
            moment = port.totals.restarted_at if port else None
            if row is not None and moment is not None:
                row.counters.restarted_at = max(moment, row.counters.restarted_at or moment)

    def unread(self) -> Iterable[str]:
        """The keys of some rows none of whose counters could be read yet."""
        return islice(self._unread, MAX_RETRIED)
