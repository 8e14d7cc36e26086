"""The rows: what VPP told, what it is called, its index for ever, and its live counters.

The rules this module keeps:

- Rows are replaced all at once, between two requests, and none is shown before its index
  is on the disk (`prepared`, then `commit`).
- A segment's counters are shown only in rows of an inventory of the same VPP.
- While VPP is away its rows stay, down, and their counters at the last value: the
  segment of a VPP that ended stays mapped, and stands still.
- A VPP that has not settled is being configured: a row that it does not list yet, or not
  yet with its LCP pair, stays as it was, down.
- Every other table is made of these rows and nothing else (`derive`): what waits for VPP
  keeps its place there too.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar

from ..agentx.mib import Rows, UpTime
from ..agentx.pdu import oid
from ..config import Descriptions, Settings
from ..vpp.inventory import Identity, Interface, Inventory, IpAddress, IpNeighbor, LacpPort
from ..vpp.stats import Segment
from . import naming, stacking
from .counters import CounterSet, InterfaceCounters
from .naming import Wish
from .store import FIRST, LastRow, Store, address_of

STEP = 50  # rows made at a stretch: a millisecond
DERIVED_STEP = 1000  # of what takes less: rows made of them, and what they are made of


@dataclass(frozen=True, slots=True)
class Address:
    """An address of an interface."""

    address: bytes  # four octets or sixteen
    prefix_length: int
    since: float | None  # by time.monotonic; None: before we looked


@dataclass(slots=True)
class Row:
    """One conceptual row of ifTable and ifXTable."""

    index: int
    key: str  # what it is known by for ever
    sw_if_index: int | None  # in the VPP that told it last; None: known from the store
    name: str
    alias: str
    type: int
    mtu: int
    speed: int  # bits a second
    phys_address: bytes
    has_connector: bool
    duplex: int  # as VPP tells it: 0 unknown, 1 half, 2 full
    stands_on: tuple[str, ...]  # the keys of the interfaces directly below it
    aggregated: bool  # it carries a bond's traffic
    lacp: LacpPort | None  # of a bond's member
    addresses: tuple["Address", ...]
    neighbors: tuple[IpNeighbor, ...]
    paired: bool
    link_traps: bool  # a change of oper_status is to be notified
    admin_up: bool
    oper_status: int
    changed_at: float | None  # oper_status, by time.monotonic; None: before we looked
    counters: InterfaceCounters
    uptime: UpTime

    @property
    def admin_status(self) -> int:
        """ifAdminStatus."""
        return naming.UP if self.admin_up else naming.DOWN

    @property
    def is_down(self) -> bool:
        """Whether it is down, for whatever reason (RFC 2863 section 3.1.13)."""
        return self.oper_status in (naming.DOWN, naming.LOWER_LAYER_DOWN)

    @property
    def last_change(self) -> int:
        """ifLastChange, in the master's sysUpTime."""
        return self.uptime.ticks(self.changed_at)

    @property
    def counter_discontinuity_time(self) -> int:
        """ifCounterDiscontinuityTime, in the master's sysUpTime."""
        return self.uptime.ticks(self.counters.discontinuity)

    def last(self) -> LastRow:
        """What is to be known of it without VPP."""
        return LastRow(
            name=self.name,
            alias=self.alias,
            type=self.type,
            mtu=self.mtu,
            speed=self.speed,
            phys_address=self.phys_address.hex(),
            has_connector=self.has_connector,
            admin_up=self.admin_up,
            paired=self.paired,
            link_traps=self.link_traps,
            stands_on=self.stands_on,
            addresses=tuple(
                f"{each.address.hex()}/{each.prefix_length}" for each in self.addresses
            ),
        )


class LinkChange(NamedTuple):
    """A row that was shown as down, and is not, or the other way round."""

    if_index: int
    was_down: bool


class Derived:
    """Rows of another table, made of those of the interfaces whenever they are made."""

    def __init__(self, make: Callable[[Mapping[str, Row]], Iterable[tuple[bytes, Any]]]) -> None:
        """`make`: indexes and rows, of the interfaces by key; of one index the first counts."""
        self.rows = Rows()
        self.changed_at: float | None = None  # the set of rows, by time.monotonic
        self._make = make
        self._prepared: dict[bytes, Any] = {}

    def prepare(self, interfaces: Mapping[str, Row]) -> Iterator[None]:
        """Make the rows, a step at a time; the old ones are shown until `commit`."""
        made: dict[bytes, Any] = {}
        yield from _in_steps(self._make(interfaces), lambda entry: made.setdefault(*entry))
        # In order, so that little is left to sort when all are shown at once.
        self._prepared = {index: made[index] for index in sorted(made)}
        yield

    def commit(self, now: float) -> None:
        """Show them."""
        if self.changed_at is None or self._prepared.keys() != self.rows.by_index.keys():
            self.changed_at = now
        self.rows.replace(self._prepared)


class InterfaceTable:
    """All rows, and when their number last changed."""

    def __init__(
        self,
        store: Store | None = None,
        settings: Settings | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.rows = Rows(readings=lambda row: row.counters.readings())
        self.uptime = UpTime()
        self.store = store or Store()
        self.settings = settings or Settings()
        self.clashes: dict[str, str] = {}  # the name that a row wanted, and another bears
        self.leftover = False  # rows are shown that wait for VPP to be configured
        self._clock = clock
        self._changed_at: float | None = None
        self._identity: Identity | None = None
        self._sources: CounterSet | None = None
        self._by_key: dict[str, Row] = {}
        self._derived: list[Derived] = []
        self._addresses_known = self._prepared_known = False  # all were asked for
        self.prepared: dict[bytes, Row] | None = None  # rows that wait for `commit`
        self.went: list[LinkChange] = []  # down or up since they were shown, oldest first
        self._prepared_changes: list[LinkChange] = []

    @property
    def last_change(self) -> int:
        """ifTableLastChange, in the master's sysUpTime."""
        return self.uptime.ticks(self._changed_at)

    def derive(self, make: Callable[[Mapping[str, Row]], Iterable[tuple[bytes, Any]]]) -> Derived:
        """A table that is made anew, by `Derived`, together with these rows."""
        derived = Derived(make)
        if self._changed_at is not None:
            for _ in derived.prepare(self._by_key):
                pass
            derived.commit(self._clock())
        self._derived.append(derived)
        return derived

    def forget_derived(self) -> None:
        """From now on no table is derived from these rows."""
        self._derived = []

    def restore(self, oper_status: int) -> None:
        """Show the rows that the store knows, all of one status and without counters."""
        known = self._known(oper_status)
        self.prepared = {oid(str(row.index)): row for row in known.values()}
        for derived in self._derived:
            for _ in derived.prepare(known):
                pass
        self.commit()

    def _known(self, oper_status: int) -> dict[str, Row]:
        """The rows that the store knows, by key."""
        return {
            key: Row(
                index=index,
                key=key,
                sw_if_index=None,
                name=last.name,
                alias=last.alias,
                type=last.type,
                mtu=last.mtu,
                speed=last.speed,
                phys_address=bytes.fromhex(last.phys_address),
                has_connector=last.has_connector,
                duplex=0,
                stands_on=last.stands_on,
                aggregated=False,
                lacp=None,
                addresses=tuple(Address(*address_of(each), None) for each in last.addresses),
                neighbors=(),
                paired=last.paired,
                link_traps=last.link_traps,
                admin_up=last.admin_up,
                oper_status=oper_status,
                changed_at=None,
                counters=InterfaceCounters(None, 0, key),
                uptime=self.uptime,
            )
            for key, (index, last) in self.store.rows().items()
        }

    def update(
        self,
        inventory: Inventory,
        segment: Segment | None,
        descriptions: Descriptions,
        settled: bool = True,
    ) -> Iterator[None]:
        """Make the rows of an inventory and of the same VPP's segment, a step at a time.

        They stand in `prepared` once the iterator is exhausted; the old rows are shown
        until `commit`.
        """
        self.prepared = None
        now = self._clock()
        settings = self.settings
        first = self._changed_at is None
        if first:
            # What was known before this start may have to wait for VPP too.
            self._by_key = self._known(naming.DOWN)
        sources = self._counters_of(inventory, segment)
        self._identity, self._sources = inventory.identity, sources

        taps = naming.taps(inventory)
        listed: dict[str, Interface] = {}
        yield from _in_steps(
            naming.listed(inventory, taps, settings), lambda entry: listed.__setitem__(*entry)
        )
        kept = {} if settled else self._waiting_for(listed, inventory)
        wishes = {key: Wish(key, row.name) for key, row in kept.items()}
        yield from _in_steps(
            (
                (key, naming.wish(interface, inventory, taps, settings))
                for key, interface in listed.items()
                if key not in kept
            ),
            lambda entry: wishes.__setitem__(*entry),
        )
        names = naming.if_names(wishes)
        self.clashes = {key: wanted for key, (_, wanted) in wishes.items() if names[key] != wanted}
        bvis = naming.bvis(inventory)
        yield
        standing = stacking.standing(inventory)
        keys = {interface.sw_if_index: key for key, interface in listed.items()}
        addresses: dict[int, list[IpAddress]] = {}
        neighbors: dict[int, list[IpNeighbor]] = {}
        asked_before = self._addresses_known
        yield from _by_interface(inventory.addresses, addresses)
        yield from _by_interface(inventory.neighbors, neighbors)
        aggregated = {member for bond in inventory.bonds.values() for member in bond.active}
        yield

        rows: dict[bytes, Row] = {}
        changes = self._prepared_changes = []
        for number, (key, name) in enumerate(names.items(), 1):
            if not number % STEP:
                yield
            if naming.matches(name, settings.hide):
                continue
            before = self._by_key.get(key)
            if key in kept:
                row = self._waiting(kept[key], name, now)
                changes += _change(before if not first else None, row)
                self._remember(row)
                # Only without an index for ever can another bear it already.
                rows.setdefault(oid(str(row.index)), row)
                continue
            interface = listed[key]
            sw_if_index = interface.sw_if_index
            index = self._index(key, sw_if_index)
            status = naming.oper_status(interface, inventory)
            if before and before.oper_status == status:
                changed_at = before.changed_at
            else:
                changed_at = None if first else now
            if before and before.counters.are_of(sources, sw_if_index):
                counters = before.counters
            else:
                counters = InterfaceCounters(
                    sources, sw_if_index, interface.interface_name, None if first else now
                )
            counters.counts_drops = settings.discards == "all"
            below = standing.get(sw_if_index, ())
            stands_on = tuple(keys[each] for each in below if each in keys)
            if before and not stands_on and not settled:
                stands_on = before.stands_on  # a bond whose members are still to be added
            row = Row(
                index=index,
                key=key,
                sw_if_index=sw_if_index,
                name=name,
                alias=naming.if_alias(interface, name, inventory, taps, descriptions, settings),
                type=naming.if_type(interface, bvis),
                mtu=naming.mtu(interface, inventory),
                speed=naming.speed(interface, inventory, settings),
                phys_address=naming.phys_address(interface, inventory),
                has_connector=naming.has_connector(interface),
                duplex=interface.link_duplex,
                stands_on=stands_on,
                aggregated=sw_if_index in aggregated,
                lacp=inventory.lacp_ports.get(sw_if_index),
                addresses=_since(
                    addresses.get(sw_if_index, ()), before, now if asked_before else None
                ),
                neighbors=tuple(neighbors.get(sw_if_index, ())),
                paired=self._paired(interface, inventory),
                link_traps=naming.link_traps(
                    interface, bool(below or stands_on), inventory, settings
                ),
                admin_up=interface.admin_up,
                oper_status=status,
                changed_at=changed_at,
                counters=counters,
                uptime=self.uptime,
            )
            if before and not row.addresses and not (settled and inventory.addresses is not None):
                row.addresses = before.addresses  # not asked for yet, or not configured yet
            if before and inventory.neighbors is None:
                row.neighbors = before.neighbors
            if before == row:
                row = before  # so that memory is not filled with holes at each change
            rows[oid(str(index))] = row
            changes += _change(before if not first else None, row)
            self._remember(row)
        by_key = {row.key: row for row in rows.values()}
        for derived in self._derived:
            yield from derived.prepare(by_key)
        self.leftover = bool(kept)
        self.prepared = rows
        self._prepared_known = inventory.addresses is not None

    def _counters_of(self, inventory: Inventory, segment: Segment | None) -> CounterSet | None:
        """Where this VPP's counters lie; what was known of the same VPP's stays."""
        same_vpp = self._identity == inventory.identity
        if segment is None:
            return self._sources if same_vpp else None
        if same_vpp and self._sources and self._sources.inode == segment.inode:
            return self._sources
        return CounterSet(segment)

    def _waiting_for(self, listed: dict[str, Interface], inventory: Inventory) -> dict[str, Row]:
        """The rows that this VPP does not list yet, or not yet with the pair that they had."""
        settings = self.settings
        return {
            key: row
            for key, row in self._by_key.items()
            if (key not in listed or (row.paired and not self._paired(listed[key], inventory)))
            and (settings.shows_taps or not key.startswith("tap of "))
            and not naming.matches(key, settings.hide)
        }

    def _paired(self, interface: Interface, inventory: Inventory) -> bool:
        return interface.sw_if_index in inventory.pairs

    def _index(self, key: str, sw_if_index: int) -> int:
        if self.settings.ifindex == "stateless":
            return FIRST + sw_if_index
        return self.store.index_of(key, sw_if_index)

    def _remember(self, row: Row) -> None:
        if self.settings.ifindex == "kept":
            self.store.remember(row.key, row.last())

    def _waiting(self, row: Row, name: str, now: float) -> Row:
        """A row as it waits for VPP to list it again."""
        if row.oper_status == naming.DOWN and row.name == name:
            return row
        changed_at = row.changed_at if row.oper_status == naming.DOWN else now
        return replace(row, name=name, oper_status=naming.DOWN, changed_at=changed_at)

    def look(self) -> None:
        """To be called a few times a second, whether anybody asks or not."""
        if self._sources is not None:
            self._sources.look()

    def commit(self) -> None:
        """Show the prepared rows, and remember them."""
        rows, self.prepared = self.prepared, None
        assert rows is not None
        now = self._clock()
        if rows.keys() != self.rows.by_index.keys() or self._changed_at is None:
            self._changed_at = now
        self.went += self._prepared_changes
        self._prepared_changes = []
        self._addresses_known = self._prepared_known
        self.rows.replace(rows)
        for derived in self._derived:
            derived.commit(now)
        self._by_key = {row.key: row for row in rows.values()}
        if self.settings.ifindex == "kept":
            self.store.keep_only(self._by_key)

    def away(self) -> None:
        """VPP's process is gone: every row stays, and is down."""
        now = self._clock()
        for row in self.rows.by_index.values():
            if row.oper_status != naming.DOWN:
                self.went += _change(row, replace(row, oper_status=naming.DOWN))
                row.oper_status = naming.DOWN
                row.changed_at = now


E = TypeVar("E")
T = TypeVar("T", IpAddress, IpNeighbor)


def _in_steps(entries: Iterable[E], take: Callable[[E], object]) -> Iterator[None]:
    """Take one entry after the other, a step at a time."""
    for number, entry in enumerate(entries, 1):
        take(entry)
        if not number % DERIVED_STEP:
            yield
    yield


def _by_interface(told: Mapping[Any, T] | None, found: dict[int, list[T]]) -> Iterator[None]:
    """Put what was told into `found`, by sw_if_index, a step at a time."""
    yield from _in_steps(
        (told or {}).values(), lambda each: found.setdefault(each.sw_if_index, []).append(each)
    )


def _since(told: Iterable[IpAddress], before: Row | None, now: float | None) -> tuple[Address, ...]:
    """An interface's addresses: those that it had since then, the others since now."""
    had = {each.address: each for each in before.addresses} if before else {}
    found = []
    for each in told:
        known = had.get(each.address)
        if known is None or known.prefix_length != each.prefix_length:
            known = Address(each.address, each.prefix_length, now)
        found.append(known)
    return tuple(found)


def _change(before: Row | None, after: Row) -> tuple[LinkChange, ...]:
    """What there is to be told of a row that was shown: nothing of one merely known now."""
    if before is None or before.oper_status == naming.UNKNOWN or before.is_down == after.is_down:
        return ()
    return (LinkChange(after.index, before.is_down),)
