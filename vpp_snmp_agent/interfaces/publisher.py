"""From what VPP reported to the rows that are shown, a row at a time.

    publisher.follow(router)                 # a VPP is there
    publisher.touch(router.apply(changes))   # what it reported touches these rows
    while publisher.step(until): ...         # make them, between two requests

The rules this module keeps:

- A change costs what the rows cost that it touches, and those over them, and no other row.
  Work that began is finished; what comes meanwhile waits, and is merged by row.
- A row is shown only after its ifIndex is durable (numbering.py).
- A publisher has one configuration for life.  Another configuration is another publisher,
  which takes over the rows of its predecessor once it has made all of its own.  Only the
  first reading of the descriptions reaches rows that are shown (`describe`).
- While VPP is away its rows stay, down (lowerLayerDown if over another).
- A VPP that has not settled is being configured: a row that it does not list yet, or not
  yet with its LCP pair, stays as it was, down.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

from ..agentx.mib import UpTime
from ..agentx.sorted_rows import SortedRows
from ..settings.vppcfg import Descriptions
from ..vpp.records import ADDRESSES, INTERFACES, NEIGHBORS, Interface
from ..vpp.router import Router
from . import facts as rules
from .counters import CounterSet, InterfaceCounters
from .counting import Counting
from .facts import DOWN, UNKNOWN, Configuration, Facts
from .host_ports import HostPorts
from .indexes import Indexes
from .listing import Listing
from .moments import Moments
from .names import Candidates, Names
from .neighbor_tables import NeighborTables
from .numbering import Numbering
from .rows import Derived, Entries, LinkChange, Row
from .saving import Saving
from .stacking import Stacking
from .state import FIRST
from .system import System
from .work import Work

MAX_TOUCHED = 100  # interfaces at a time, of which 10,000 would take 13 ms
MAX_RESTORED = 20  # rows at a time
MAX_GIVEN_BACK = 100  # rows at a time


class Publisher:
    """The rows that are shown under one configuration, and those that are still to be made."""

    def __init__(
        self,
        configuration: Configuration,
        indexes: Indexes | None,
        uptime: UpTime,
        predecessor: "Publisher | None" = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`indexes`: None where an ifIndex is 1000 + sw_if_index, and not saved.

        `predecessor`: whose rows these are to replace; what lives with a row passes over.
        """
        self.configuration = configuration
        self.rows = SortedRows()  # Row by ifIndex
        self.neighbors = NeighborTables()
        self.host_ports = HostPorts()
        self.by_key: dict[str, Row] = {}
        self.uptime = uptime
        # Of rows that notify them, since they were taken, oldest first.
        self.link_changes: list[LinkChange] = []
        self.settled = False  # VPP had its time to be configured
        self.system: System = predecessor.system if predecessor else System()
        self._settings = configuration.settings
        self._clock = clock
        self._names = Names()
        self._inherited: Mapping[str, Row] = {}  # the predecessor's rows
        self._is_away = False
        self._listing = Listing()
        self._counting = Counting(configuration.settings, indexes)
        self.counted = self._counting.rows
        self._moments = Moments(clock)
        self._numbering = Numbering(indexes)
        self._work = Work()
        self.stacking = Stacking(self.by_key, self._work, clock)
        self._saving = Saving(indexes, self.by_key, self._counting, self.system, self._work)
        if predecessor is not None:
            self._take_over(predecessor)
        else:
            self.system.carry(self._counting.carries)
            self._saving.begin()

    def _take_over(self, predecessor: "Publisher") -> None:
        self.settled = predecessor.settled
        self._inherited = predecessor.by_key
        router = self._listing.router = predecessor._listing.router
        self._counting.sources = predecessor._counting.sources
        self._is_away = predecessor._is_away
        self._touch_later(iter(router.interfaces if router else ()))
        self._work.then(partial(self._inherit_rest, predecessor))

    def _inherit_rest(self, predecessor: "Publisher") -> None:
        """Of the predecessor's rows those that VPP does not list.

        What was reported whole is asked for now: the predecessor may have had it to do still,
        and VPP may have been lost since.
        """
        self._listing.reported |= predecessor._listing.reported
        self._moments.inherit(predecessor._moments)
        self._work.make(key for key in self._inherited if key not in self._listing)

    # --- what is shown ------------------------------------------------------------------------

    @property
    def last_change(self) -> int:
        """ifTableLastChange, in the master's sysUpTime."""
        return self.uptime.ticks(self._moments.set_changed_at)

    @property
    def listed(self) -> int:
        """How many interfaces VPP lists, whether they have a row or not."""
        return len(self._listing.router.interfaces) if self._listing.router else 0

    @property
    def clashes(self) -> Mapping[str, str]:
        """By key: the name that a row wanted, and another has."""
        return self._names.clashes

    def derive(
        self, entries: Entries, owner: Callable[[Any], Row] = lambda value: value
    ) -> Derived:
        """A table of entries that each row has (`Derived`); to be asked for before any row is."""
        return self.stacking.add_table(entries, owner)

    def interface_of(self, key: str) -> Interface | None:
        """What VPP lists under a key."""
        return self._listing.interface(key)

    def succeed(self, predecessor: "Publisher") -> None:
        """Its rows are shown in the place of the predecessor's from now on."""
        self._inherited = {}
        self.link_changes.clear()
        self._moments.succeed(predecessor._moments, len(self.rows) != len(predecessor.rows))
        self._counting.count_drops()
        self.system.carry(self._counting.carries)
        self._saving.succeed(predecessor._saving)

    def save_totals(self) -> None:
        """Save what numbers have come to that are no row's."""
        self._saving.save_totals()

    def poll(self) -> None:
        """To be called a few times a second, whether anybody asks or not."""
        if self._counting.sources is not None:
            self._counting.sources.poll()
        self.system.poll()
        self._counting.note_restarts(self.by_key, self.system.ports)
        self._saving.save_totals(all_of_them=False)

    def dismantle(self) -> Iterator[None]:
        """Give everything back, a step at a time, once a successor is shown, or in its place."""
        self._work.clear()
        self._inherited = {}
        derived = (each.rows for each in self.stacking.tables)
        neighbors = self.neighbors.ipv4, self.neighbors.ipv6
        for table in (self.rows, self.counted, *neighbors, *derived):
            yield from table.dismantle()
        yield from self.host_ports.dismantle()
        while self.by_key:
            for _ in range(min(MAX_GIVEN_BACK, len(self.by_key))):
                self.by_key.popitem()
            yield

    # --- what is to be shown ----------------------------------------------------------------------

    def restore(self, ports: Iterable[tuple[str, int, Facts]], oper_status: int) -> Iterator[None]:
        """Show rows as they were last known (key, ifIndex, facts), without counters."""
        for number, (key, index, facts) in enumerate(ports, 1):
            if key not in self.by_key and not rules.is_hidden(key, facts.name, self._settings):
                others = self._names.put(key, Candidates(key, facts.name))
                counters = InterfaceCounters(None, 0, key)
                is_absent = self._is_away or oper_status == DOWN
                status = rules.absent_status(facts) if is_absent else oper_status
                self._show(
                    Row(
                        *(index, key, rules.renamed(facts, self._names.given[key]), status),
                        *(counters, self.uptime),
                    )
                )
                self._make_others(others)
            if not number % MAX_RESTORED:
                yield

    def follow(self, router: Router) -> None:
        """A VPP reports; its rows are touched as it goes on to report them."""
        before = self._listing.router
        if before is None or before.identity != router.identity:
            self._counting.sources = None
        self._is_away = False
        self._listing.follow(router)

    def lose(self) -> None:
        """VPP's process is gone: every row stays, and is down."""
        if self._listing.router is not None and self._saving.is_shown:
            # The agent may end before the next VPP is there.
            self._saving.save_counters(self.by_key)
            self._saving.save_totals()
        self.system.lose()
        self._is_away = True
        self._listing.follow(None)
        self._moments.end_first()
        self._work.make(self._numbering.pending)
        self._work.make(self.by_key)

    def use(self, sources: CounterSet) -> None:
        """Counters are read from here from now on; the same segment again changes nothing."""
        router = self._listing.router
        is_another = self._counting.use(sources, router.identity if router else None)
        self.system.use(sources.segment, sources.vpp)
        if is_another:
            self._work.make(self._listing)

    def touch(self, sw_if_indexes: Iterable[int]) -> None:
        """Make the rows of these interfaces again."""
        indexes = iter(sw_if_indexes)
        self._touch(islice(indexes, MAX_TOUCHED))
        self._touch_later(indexes)

    def _touch_later(self, indexes: Iterator[int]) -> None:
        """The same, a few at a time: one port can carry ten thousand."""
        self._work.then_each(indexes, MAX_TOUCHED, self._touch)

    def _touch(self, sw_if_indexes: Iterable[int]) -> None:
        self._work.make(self._listing.refresh(sw_if_indexes, self._settings))

    def describe(self, descriptions: Descriptions) -> None:
        """The operator's descriptions, read for the first time after the start."""
        if descriptions != self.configuration.descriptions:
            self.configuration = replace(self.configuration, descriptions=descriptions)
            self._work.make(self._listing)

    def touch_neighbors(self, sw_if_indexes: Iterable[int]) -> None:
        """The neighbours of these interfaces changed; their rows stay as they are."""
        for index in sw_if_indexes:
            row = self.by_key.get(self._listing.key_at(index) or "")
            if row is not None:
                self.neighbors.refresh(row, self._listing, index)

    def complete(self, what: str) -> None:
        """VPP has reported everything of a sort once."""
        self._work.then(partial(self._complete, self._listing.router, what))

    def _complete(self, router: Router | None, what: str) -> None:
        """The same, once all is touched that was reported before."""
        if router is not self._listing.router:
            return
        self._listing.reported.add(what)
        if what == INTERFACES:
            self._work.make(key for key in self.by_key if key not in self._listing)
            self._work.then(partial(self._moments.end_first, self._numbering.pending))
        elif what == ADDRESSES:
            self._work.then(self._moments.know_addresses)
        elif what == NEIGHBORS:
            self._work.make(self._listing)
            absent = [row for key, row in self.by_key.items() if key not in self._listing]
            for row in absent:  # the VPP that had them is gone, and this one has them not
                self.neighbors.show(row, None)

    def settle(self) -> None:
        """VPP has had its time to be configured: what it does not list by now is gone."""
        self.settled = True
        self._work.make(key for key in self.by_key if key not in self._listing)
        self._work.make(self._listing)  # what VPP has not given back to a row is not the row's

    def numbered(self, keys: Iterable[str]) -> None:
        """The ifIndexes of these keys are durable."""
        self._work.make(key for key in keys if key in self._numbering.pending)

    def retry_counters(self) -> None:
        """To be called about once a second: where no counter could be read yet, try again."""
        self._work.make(self._counting.unread())

    @property
    def is_quiet(self) -> bool:
        """Whether there is no row to be made now, nor a base to be saved."""
        return not self._work and not self._saving.has_fallen

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to make, and nothing waits for the disk."""
        return not self._work and not self._numbering.pending

    @property
    def is_ready(self) -> bool:
        """Whether all is made that the predecessor shows; what is new may wait for the disk."""
        return not self._work and self._inherited.keys().isdisjoint(self._numbering.pending)

    def step(self, until: float) -> bool:
        """Make rows until that moment (time.perf_counter); whether there are more to make."""
        self._saving.save_fallen()
        self._work.run(until, self._make)
        return not self.is_quiet

    # --- one row --------------------------------------------------------------------------------

    def _make(self, key: str) -> None:
        """Bring one row to what is known of it now."""
        interface = self._interface(key)
        if interface is None:
            self._make_unlisted(key)
        else:
            self._make_listed(key, interface)
        self.stacking.bring_up_to_date(key)

    def _interface(self, key: str) -> Interface | None:
        """What VPP lists under a key, unless the row is to wait for the rest of it."""
        router, interface = self._listing.router, self._listing.interface(key)
        if router is None or interface is None:
            return None
        before = self._before(key)
        waits = before and before.facts.paired and interface.sw_if_index not in router.pairs
        return None if waits and not self.settled else interface

    def _before(self, key: str) -> Row | None:
        """The row so far: its own, or its predecessor's."""
        return self.by_key.get(key) or self._inherited.get(key)

    def _make_unlisted(self, key: str) -> None:
        before = self._before(key)
        reported = INTERFACES in self._listing.reported
        if (
            before is None
            or (reported and self.settled)
            or rules.is_hidden(key, before.facts.name, self._settings)
        ):
            self._remove(key)
            return
        oper_status = before.oper_status
        if self._is_away or reported or key in self._listing:
            oper_status = rules.absent_status(before.facts)
        # It keeps the name that it has, or would have if it were not another's meanwhile.
        others = self._names.put(key, Candidates(key, before.facts.name))
        facts = rules.renamed(before.facts, self._names.given[key])
        index = self._numbering.index_of(key, before.index - FIRST)
        if index is not None:
            self._publish(key, index, facts, oper_status, before.counters, None)
        self._make_others(others)

    def _make_listed(self, key: str, interface: Interface) -> None:
        router, settings = self._listing.router, self._settings
        assert router is not None
        before = self._before(key)
        wanted = rules.wanted_name(interface, router, settings)
        others = self._names.put(key, Candidates(key, wanted))
        name = self._names.given[key]
        index = None
        if rules.matches(name, settings.hide):
            self._hide(key)
        else:
            index = self._numbering.index_of(key, interface.sw_if_index)
        if index is not None:
            facts = rules.facts_of(
                *(interface, name, router, self.configuration),
                *(before.facts if before else None, self.settled),
            )
            oper_status = rules.oper_status(interface, router)
            counters = self._counting.counters_of(
                *(key, interface, before, self._clock(), self._moments.is_change(key))
            )
            self._publish(key, index, facts, oper_status, counters, interface)
        self._make_others(others)

    def _make_others(self, keys: Iterable[str]) -> None:
        """Whose name changed along is shown so before the next request is answered."""
        for key in keys:
            self._make(key)

    def _publish(
        self,
        key: str,
        index: int,
        facts: Facts,
        oper_status: int,
        counters: InterfaceCounters,
        interface: Interface | None,
    ) -> None:
        """Show a row, or what changed about it; `interface`: as VPP lists it, if it does."""
        now = self._clock()
        row = self.by_key.get(key)
        before = row or self._inherited.get(key)
        if row is not None and row.index != index:
            self._hide(key)  # another state directory, or another sw_if_index without one
            row = None
        since = self._moments.addresses_since(before, facts.addresses, now)
        changed_at = self._moments.status_since(key, before, oper_status, now)
        if row is None:
            row = Row(index, key, facts, oper_status, counters, self.uptime, changed_at)
            if before is not None:
                row.neighbors, row.lacp = before.neighbors, before.lacp
            self._show(row)
        else:
            if row.oper_status != UNKNOWN and self._moments.is_change(key):
                was_down = row.is_down
                row.oper_status = oper_status
                if row.is_down != was_down and facts.link_traps:
                    self.link_changes.append(LinkChange(index, was_down))
            row.oper_status, row.changed_at, row.counters = oper_status, changed_at, counters
            if row.facts != facts:
                self._change_facts(row, facts)
        row.address_since = since
        self._moments.show(key)
        self._counting.show(row)
        if interface is None:
            self.host_ports.remove(row)
        else:
            router = self._listing.router
            assert router is not None
            self.host_ports.attach(row, router.pairs.get(interface.sw_if_index))
            row.lacp = router.lacp_ports.get(interface.sw_if_index)
            self.neighbors.refresh(row, self._listing, interface.sw_if_index)

    # --- coming and going -----------------------------------------------------------------------

    def _show(self, row: Row) -> None:
        holder = self.rows.get(row.instance)
        if holder is not None:
            # Only a stateless ifIndex can be another's: of one that VPP does not list any more.
            self._hide(holder.key)
        self.by_key[row.key] = row
        self.rows.put(row.instance, row)
        inherited = self._inherited.get(row.key)
        if inherited is None or inherited.index != row.index:
            self._moments.change_set()
        self.stacking.show(row)
        self._numbering.show(row)

    def _change_facts(self, row: Row, facts: Facts) -> None:
        before, row.facts = row.facts, facts
        self.stacking.change(row, before)
        self._numbering.show(row)

    def _remove(self, key: str) -> None:
        """A row is gone for good, its name too."""
        self._hide(key)
        self._make_others(self._names.remove(key))

    def _hide(self, key: str) -> None:
        """A row is not shown any more; its name stays its own."""
        self._numbering.pending.discard(key)
        row = self.by_key.pop(key, None)
        if row is None:
            return
        self._saving.keep_counters((row,))
        self.rows.remove(row.instance)
        self._counting.hide(row)
        self.neighbors.hide(row)
        self.host_ports.remove(row)
        self._moments.change_set()
        self.stacking.hide(row)
        self._numbering.hide(row)
