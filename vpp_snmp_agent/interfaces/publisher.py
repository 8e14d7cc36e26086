"""From what VPP reported to the rows that are shown, a row at a time.

    publisher.follow(router)                 # a VPP is there
    publisher.touch(router.apply(changes))   # what it reported touches these rows
    while publisher.step(until): ...         # make them, between two requests

The rules this module keeps:

- A change costs what the rows cost that it touches, and those over them, and no other row.
  Work that began is finished; what comes meanwhile waits, and is merged by row.
- A row is shown only after its ifIndex is durable: whoever starts after a power cut must
  not give that number to another port.
- A publisher has one configuration for life.  Another configuration is another publisher,
  which takes over the rows of its predecessor once it has made all of its own.  Only the
  first reading of the descriptions reaches rows that are shown (`describe`).
- While VPP is away its rows stay, down (lowerLayerDown if over another), and their counters
  at the last value: the segment of a VPP that ended stays mapped, and stands still.
- Counters go on from what they had come to, of whichever VPP (counters.py): from the row before,
  else from what the state has of them.  A base that changed is saved at once.
- A VPP that has not settled is being configured: a row that it does not list yet, or not
  yet with its LCP pair, stays as it was, down.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

from ..agentx.mib import SortedRows, UpTime
from ..settings.vppcfg import Descriptions
from ..vpp.records import ADDRESSES, INTERFACES, NEIGHBORS, NO_INDEX, Interface
from ..vpp.router import NeighborLists, Router
from . import facts as rules
from .counters import CounterSet, InterfaceCounters
from .facts import DOWN, TAP_KEY, UNKNOWN, Configuration, Facts
from .host_ports import HostPorts
from .indexes import Indexes
from .names import Candidates, Names
from .reached import NOTHING_REACHED, vpp_of
from .rows import NO_MOMENTS, Derived, Entries, LinkChange, Row
from .saving import Saving
from .stacking import Stacking
from .state import FIRST
from .system import System
from .work import Work

MAX_RETRIED = 1000  # rows without a readable counter, a second
MAX_TOUCHED = 100  # interfaces at a time, of which 10,000 would take 13 ms


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
        self.counted = SortedRows()  # those that have counters
        self.ipv4_neighbors = SortedRows()  # NeighborLists.ipv4 by ifIndex, unless empty
        self.ipv6_neighbors = SortedRows()
        self._tables = self.rows, self.counted, self.ipv4_neighbors, self.ipv6_neighbors
        self.host_ports = HostPorts()
        self.by_key: dict[str, Row] = {}
        self.uptime = uptime
        # Of rows that notify them, since they were taken, oldest first.
        self.link_changes: list[LinkChange] = []
        self.settled = False  # VPP had its time to be configured
        self.system: System = predecessor.system if predecessor else System()
        self._settings = configuration.settings
        self._indexes = indexes
        self._clock = clock
        self._changed_at: float | None = None  # the set of rows
        self._names = Names()
        self._inherited: Mapping[str, Row] = {}  # the predecessor's rows
        self._router: Router | None = None
        self._is_away = False
        self._is_first = True  # nothing is a change before VPP has reported everything once,
        self._addresses_known = False  # nor is an address
        self._early: set[str] = set()  # keys of that report whose ifIndex was not durable then
        self._reported: set[str] = set()  # the sorts of records that VPP has reported whole
        self._listed: dict[str, int] = {}  # sw_if_index by key
        self._keys: dict[int, str] = {}  # by sw_if_index
        self._unnumbered: set[str] = set()  # keys whose ifIndex is not durable yet
        self._waiting: set[str] = set()  # keys of rows that wait for VPP to be configured
        self._uncounted: dict[str, None] = {}  # keys of rows whose counters were never readable
        self._work = Work()
        self.stacking = Stacking(self.by_key, self._work, clock)
        self._saving = Saving(indexes, self.by_key, self.system, self._work)
        if predecessor is not None:
            self._take_over(predecessor)
        else:
            self._carry_totals()
            self._saving.begin()

    def _take_over(self, predecessor: "Publisher") -> None:
        self.settled = predecessor.settled
        self._inherited = predecessor.by_key
        self._router, self._saving.sources = predecessor._router, predecessor._saving.sources
        self._is_away = predecessor._is_away
        self._touch_later(iter(self._router.interfaces if self._router else ()))
        self._work.then(partial(self._inherit_rest, predecessor))

    def _inherit_rest(self, predecessor: "Publisher") -> None:
        """Of the predecessor's rows those that VPP does not list.

        What was reported whole is asked for now: the predecessor may have had it to do still,
        and VPP may have been lost since.
        """
        self._reported |= predecessor._reported
        self._is_first = predecessor._is_first
        self._early |= predecessor._early
        self._addresses_known = predecessor._addresses_known
        self._work.make(key for key in self._inherited if key not in self._listed)

    # --- what is shown ------------------------------------------------------------------------

    @property
    def last_change(self) -> int:
        """ifTableLastChange, in the master's sysUpTime."""
        return self.uptime.ticks(self._changed_at)

    @property
    def listed(self) -> int:
        """How many interfaces VPP lists, whether they have a row or not."""
        return len(self._router.interfaces) if self._router else 0

    @property
    def clashes(self) -> Mapping[str, str]:
        """The name that a row wanted, and another bears."""
        return self._names.clashes

    def derive(
        self, entries: Entries, owner: Callable[[Any], Row] = lambda value: value
    ) -> Derived:
        """A table of entries that each row has (`Derived`); to be asked for before any row is."""
        return self.stacking.add_table(entries, owner)

    def interface_of(self, key: str) -> Interface | None:
        """What VPP lists under a key."""
        index = self._listed.get(key, NO_INDEX)
        return self._router.interfaces.get(index) if self._router else None

    def succeed(self, predecessor: "Publisher") -> None:
        """Its rows are shown in the place of the predecessor's from now on."""
        self._inherited = {}
        self.link_changes.clear()
        is_other_set = self._changed_at is not None or len(self.rows) != len(predecessor.rows)
        self._changed_at = self._clock() if is_other_set else predecessor._changed_at
        self._count_drops()
        self._carry_totals()
        self._saving.succeed(predecessor._saving)

    def _count_drops(self) -> None:
        if self._saving.sources is not None:
            self._saving.sources.counts_drops = self._settings.discards == "all"

    def _carry_totals(self) -> None:
        self.system.carry(self._settings.counters == "carried")

    def save_totals(self) -> None:
        """Save what numbers have come to that are no row's."""
        self._saving.save_totals()

    def poll(self) -> None:
        """To be called a few times a second, whether anybody asks or not."""
        if self._saving.sources is not None:
            self._saving.sources.poll()
        self.system.poll()
        self._note_restarts()
        self._saving.save_totals(all_of_them=False)

    def _note_restarts(self) -> None:
        """What a driver counts has no discontinuity time but its interface's (RFC 3635)."""
        for name in self.system.ports:
            row, port = self.by_key.get(name), self.system.ports.get(name)
            moment = port.totals.restarted_at if port else None
            if row is not None and moment is not None:
                row.counters.restarted_at = max(moment, row.counters.restarted_at or moment)

    def dismantle(self) -> Iterator[None]:
        """Give everything back, a step at a time, once a successor is shown, or in its place."""
        self._work.clear()
        self._inherited = {}
        for table in (*self._tables, *(each.rows for each in self.stacking.tables)):
            yield from table.dismantle()
        yield from self.host_ports.dismantle()
        while self.by_key:
            for _ in range(min(100, len(self.by_key))):
                self.by_key.popitem()
            yield

    # --- what is to be shown ----------------------------------------------------------------------

    def restore(self, ports: Iterable[tuple[str, int, Facts]], oper_status: int) -> Iterator[None]:
        """Show rows as they were last known (key, ifIndex, facts), without counters."""
        for number, (key, index, facts) in enumerate(ports, 1):
            if key not in self.by_key and not self._is_hidden(key, facts.name):
                others = self._names.put(key, Candidates(key, facts.name))
                counters = InterfaceCounters(None, 0, key)
                is_absent = self._is_away or oper_status == DOWN
                status = rules.absent_status(facts) if is_absent else oper_status
                self._show(
                    Row(
                        *(index, key, _called(facts, self._names.given[key]), status),
                        *(counters, self.uptime),
                    )
                )
                self._make_others(others)
            if not number % 20:
                yield

    def follow(self, router: Router) -> None:
        """A VPP reports; its rows are touched as it goes on to report them."""
        if self._router is None or self._router.identity != router.identity:
            self._saving.sources = None
        self._router, self._is_away = router, False
        self._listed, self._keys, self._reported = {}, {}, set()

    def lose(self) -> None:
        """VPP's process is gone: every row stays, and is down."""
        if self._router is not None and self._saving.is_shown:
            # The agent may end before the next VPP is there.
            self._saving.save_counters(self.by_key)
            self._saving.save_totals()
        self.system.lose()
        self._router, self._is_away, self._is_first = None, True, False
        self._listed, self._keys, self._reported = {}, {}, set()
        self._unnumbered.clear()
        self._work.make(self.by_key)

    def use(self, sources: CounterSet) -> None:
        """Counters are read from here from now on; the same segment again changes nothing."""
        is_another = self._saving.sources is None or self._saving.sources.inode != sources.inode
        if is_another and self._router is not None:
            sources.vpp = vpp_of(self._router.identity.vpe_pid, sources.inode)
        self.system.use(sources.segment, sources.vpp)
        if is_another:
            self._saving.sources = sources
            # Where its cells are is known from now on, should VPP hang in its lock next.
            sources.poll()
            self._count_drops()
            self._work.make(self._listed)

    def touch(self, sw_if_indexes: Iterable[int]) -> None:
        """Make the rows of these interfaces again."""
        indexes = iter(sw_if_indexes)
        self._touch(islice(indexes, MAX_TOUCHED))
        self._touch_later(indexes)

    def _touch_later(self, indexes: Iterator[int]) -> None:
        """The same, a few at a time: one port can carry ten thousand."""
        self._work.then_each(indexes, MAX_TOUCHED, self._touch)

    def _touch(self, sw_if_indexes: Iterable[int]) -> None:
        router = self._router
        if router is None:
            return  # VPP was lost meanwhile
        for index in sw_if_indexes:
            interface = router.interfaces.get(index)
            key = None
            if interface and rules.may_be_row(interface, router, self._settings):
                key = rules.key_of(interface, router)
            before = self._keys.get(index)
            if before is not None and before != key:
                del self._keys[index]
                if self._listed.get(before) == index:
                    del self._listed[before]
                self._work.make((before,))
            if key is not None:
                self._keys[index], self._listed[key] = key, index
                self._work.make((key,))

    def describe(self, descriptions: Descriptions) -> None:
        """The operator's descriptions, read for the first time after the start."""
        if descriptions != self.configuration.descriptions:
            self.configuration = replace(self.configuration, descriptions=descriptions)
            self._work.make(self._listed)

    def touch_neighbors(self, sw_if_indexes: Iterable[int]) -> None:
        """The neighbours of these interfaces changed; their rows stay as they are."""
        for index in sw_if_indexes:
            row = self.by_key.get(self._keys.get(index, ""))
            if row is not None:
                self._attach_neighbors(row, index)

    def complete(self, what: str) -> None:
        """VPP has reported everything of a sort once."""
        self._work.then(partial(self._complete, self._router, what))

    def _complete(self, router: Router | None, what: str) -> None:
        """The same, once all is touched that was reported before."""
        if router is not self._router:
            return
        self._reported.add(what)
        if what == INTERFACES:
            self._work.make(key for key in self.by_key if key not in self._listed)
            self._work.then(self._end_first)
        elif what == ADDRESSES:
            self._work.then(self._know_addresses)
        elif what == NEIGHBORS:
            self._work.make(self._listed)
            absent = [row for key, row in self.by_key.items() if key not in self._listed]
            for row in absent:  # the VPP that had them is gone, and this one has them not
                self._show_neighbors(row, None)

    def _end_first(self) -> None:
        if self._is_first:
            self._is_first, self._early = False, set(self._unnumbered)

    def _know_addresses(self) -> None:
        self._addresses_known = True

    def settle(self) -> None:
        """VPP has had its time to be configured: what it does not list by now is gone."""
        self.settled = True
        self._work.make(self._waiting)
        self._work.make(self._listed)  # what VPP has not given back to a row is not the row's

    def numbered(self, keys: Iterable[str]) -> None:
        """The ifIndexes of these keys are durable."""
        self._work.make(key for key in keys if key in self._unnumbered)

    def retry_counters(self) -> None:
        """To be called about once a second: where no counter could be read yet, try again."""
        self._work.make(islice(self._uncounted, MAX_RETRIED))

    @property
    def is_quiet(self) -> bool:
        """Whether there is no row to be made now, nor a base to be saved."""
        return not self._work and not self._saving.has_fallen

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to make, and nothing waits for the disk."""
        return not self._work and not self._unnumbered

    @property
    def is_ready(self) -> bool:
        """Whether all is made that the predecessor shows; what is new may wait for the disk."""
        return not self._work and not any(key in self._inherited for key in self._unnumbered)

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
        router, index = self._router, self._listed.get(key)
        if router is None or index is None:
            return None
        before = self._before(key)
        if before and before.facts.paired and index not in router.pairs and not self.settled:
            return None
        return router.interfaces.get(index)

    def _before(self, key: str) -> Row | None:
        """The row so far: its own, or its predecessor's."""
        return self.by_key.get(key) or self._inherited.get(key)

    def _is_hidden(self, key: str, name: str) -> bool:
        """Whether the settings leave a row out that VPP does not list."""
        settings = self._settings
        if key.startswith(TAP_KEY) and not settings.shows_taps:
            return True
        return rules.matches(key, settings.hide) or rules.matches(name, settings.hide)

    def _make_unlisted(self, key: str) -> None:
        before = self._before(key)
        self._unnumbered.discard(key)
        self._waiting.discard(key)
        reported = INTERFACES in self._reported
        if before is None or (reported and self.settled) or self._is_hidden(key, before.facts.name):
            self._remove(key)
            return
        oper_status = before.oper_status
        if self._is_away or reported or key in self._listed:
            oper_status = rules.absent_status(before.facts)
        if reported or key in self._listed:
            self._waiting.add(key)
        # It keeps the name that it has, or would have if it were not another's meanwhile.
        others = self._names.put(key, Candidates(key, before.facts.name))
        facts = _called(before.facts, self._names.given[key])
        index = self._index(key, before.index - FIRST, before)
        if index is not None:
            self._publish(key, index, facts, oper_status, before.counters, None)
        self._make_others(others)

    def _make_listed(self, key: str, interface: Interface) -> None:
        router, settings = self._router, self._settings
        assert router is not None
        before = self._before(key)
        wanted = rules.wanted_name(interface, router, settings)
        others = self._names.put(key, Candidates(key, wanted))
        name = self._names.given[key]
        index = None
        self._waiting.discard(key)
        if rules.matches(name, settings.hide):
            self._hide(key)
        else:
            index = self._index(key, interface.sw_if_index, before)
        if index is not None:
            facts = rules.facts_of(
                *(interface, name, router, self.configuration),
                *(before.facts if before else None, self.settled),
            )
            oper_status = rules.oper_status(interface, router)
            counters = self._counters(key, interface, before)
            self._publish(key, index, facts, oper_status, counters, interface)
        self._make_others(others)

    def _make_others(self, keys: Iterable[str]) -> None:
        """Whose name changed along is shown so before the next request is answered."""
        for key in keys:
            self._make(key)

    def _index(self, key: str, sw_if_index: int, before: Row | None) -> int | None:
        """The row's ifIndex, once it is durable."""
        if self._indexes is None:
            listed = key in self._listed
            return FIRST + sw_if_index if listed or before is None else before.index
        index = self._indexes.index_of(key)
        if index is None:
            self._indexes.assign(key, sw_if_index)
            index = self._indexes.index_of(key)
        if index is None:
            self._unnumbered.add(key)
        else:
            self._unnumbered.discard(key)
        return index

    def _is_change(self, key: str) -> bool:
        """Whether what is found of a row now was different before, or not there."""
        return not self._is_first and key not in self._early

    def _counters(self, key: str, interface: Interface, before: Row | None) -> InterfaceCounters:
        """Of this VPP, at this index; they go on from what they had come to."""
        sources, index = self._saving.sources, interface.sw_if_index
        carries = self._settings.counters == "carried"
        if before and before.counters.are_of(sources, index, carries):
            return before.counters
        now = self._clock()
        since = now if self._is_change(key) else None
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
        since = self._addresses_since(before, facts.addresses, now)
        changed_at = before.changed_at if before else None
        is_change = self._is_change(key)
        if (before is None or before.oper_status != oper_status) and is_change:
            changed_at = now
        if row is None:
            row = Row(index, key, facts, oper_status, counters, self.uptime, changed_at)
            if before is not None:
                row.neighbors, row.lacp = before.neighbors, before.lacp
            self._show(row)
        else:
            if row.oper_status != UNKNOWN and is_change:
                was_down = row.is_down
                row.oper_status = oper_status
                if row.is_down != was_down and facts.link_traps:
                    self.link_changes.append(LinkChange(index, was_down))
            row.oper_status, row.changed_at, row.counters = oper_status, changed_at, counters
            if row.facts != facts:
                self._change_facts(row, facts)
        row.address_since = since
        self._early.discard(key)
        self._count(row)
        if interface is None:
            self.host_ports.remove(row)
        else:
            assert self._router is not None
            self.host_ports.attach(row, self._router.pairs.get(interface.sw_if_index))
            row.lacp = self._router.lacp_ports.get(interface.sw_if_index)
            self._attach_neighbors(row, interface.sw_if_index)

    def _addresses_since(
        self, before: Row | None, addresses: tuple[tuple[bytes, int], ...], now: float
    ) -> Mapping[bytes, float]:
        """Since when it has each address that this agent has seen come."""
        if before is None:
            return NO_MOMENTS
        if addresses == before.facts.addresses or not self._addresses_known:
            return before.address_since
        had = set(before.facts.addresses)
        return {
            each[0]: before.address_since[each[0]] if each in had else now
            for each in addresses
            if each not in had or each[0] in before.address_since
        }

    def _count(self, row: Row) -> None:
        """Show its counters from the moment on at which they can be read."""
        self._uncounted.pop(row.key, None)
        if row.counters.readings() is not None or row.counters.in_octets is not None:
            self.counted.put(row.instance, row)
            return
        self.counted.remove(row.instance)
        if row.counters.has_source:
            self._uncounted[row.key] = None

    def _attach_neighbors(self, row: Row, sw_if_index: int) -> None:
        """Show what is known of its neighbours: of this VPP, once that has reported them."""
        router = self._router
        assert router is not None
        if row.neighbors is None or NEIGHBORS in self._reported:
            self._show_neighbors(row, router.neighbors.get(sw_if_index))
        else:
            self._show_neighbors(row, row.neighbors)

    def _show_neighbors(self, row: Row, neighbors: NeighborLists | None) -> None:
        row.neighbors = neighbors
        index, lists = row.instance, row.neighbors or NO_NEIGHBORS
        for table, entries in (
            (self.ipv4_neighbors, lists.ipv4),
            (self.ipv6_neighbors, lists.ipv6),
        ):
            if entries:
                table.put(index, entries)
            else:
                table.remove(index)

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
            self._changed_at = self._clock()
        self.stacking.show(row)
        if self._indexes is not None:
            self._indexes.show(row.key, row.facts)

    def _change_facts(self, row: Row, facts: Facts) -> None:
        before, row.facts = row.facts, facts
        self.stacking.change(row, before)
        if self._indexes is not None:
            self._indexes.show(row.key, facts)

    def _remove(self, key: str) -> None:
        """A row is gone for good, its name too."""
        self._hide(key)
        self._make_others(self._names.remove(key))

    def _hide(self, key: str) -> None:
        """A row is not shown any more; its name stays its own."""
        self._unnumbered.discard(key)
        self._uncounted.pop(key, None)
        self._waiting.discard(key)
        row = self.by_key.pop(key, None)
        if row is None:
            return
        self._saving.keep_counters((row,))
        for table in self._tables:
            table.remove(row.instance)
        self.host_ports.remove(row)
        self._changed_at = self._clock()
        self.stacking.hide(row)
        if self._indexes is not None:
            self._indexes.hide(key)


def _called(facts: Facts, name: str) -> Facts:
    """The same facts under a name."""
    return facts if facts.name == name else replace(facts, name=name)


NO_NEIGHBORS = NeighborLists()
