"""The rows: what VPP told, what it is called, its index, and its live counters.

The rules this module keeps:

- Rows are replaced all at once, between two requests.
- A segment's counters are shown only in rows of an inventory of the same VPP.
- While VPP is away its rows stay, down, and their counters at the last value: the
  segment of a VPP that ended stays mapped, and stands still.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..agentx.mib import Rows, UpTime
from ..agentx.pdu import oid
from ..config import Descriptions
from ..vpp.inventory import Identity, Interface, Inventory
from ..vpp.stats import Segment
from . import naming
from .counters import CounterSet, InterfaceCounters

FIRST_INDEX = 1000  # ifIndex is this + sw_if_index: 0 is no ifIndex, but a sw_if_index
STEP = 100  # rows made at a stretch: a millisecond


@dataclass(slots=True)
class Row:
    """One conceptual row of ifTable and ifXTable."""

    index: int
    interface: Interface
    name: str
    alias: str
    type: int
    mtu: int
    speed: int  # bits a second
    phys_address: bytes
    has_connector: bool
    oper_status: int
    changed_at: float | None  # oper_status, by time.monotonic; None: before we looked
    counters: InterfaceCounters
    uptime: UpTime

    @property
    def admin_status(self) -> int:
        """ifAdminStatus."""
        return naming.UP if self.interface.admin_up else naming.DOWN

    @property
    def last_change(self) -> int:
        """ifLastChange, in the master's sysUpTime."""
        return self.uptime.ticks(self.changed_at)

    @property
    def counter_discontinuity_time(self) -> int:
        """ifCounterDiscontinuityTime, in the master's sysUpTime."""
        return self.uptime.ticks(self.counters.discontinuity)


class InterfaceTable:
    """All rows, and when their number last changed."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.rows = Rows()
        self.uptime = UpTime()
        self._clock = clock
        self._changed_at: float | None = None
        self._identity: Identity | None = None
        self._sources: CounterSet | None = None

    @property
    def last_change(self) -> int:
        """ifTableLastChange, in the master's sysUpTime."""
        return self.uptime.ticks(self._changed_at)

    def update(
        self, inventory: Inventory, segment: Segment | None, descriptions: Descriptions
    ) -> Iterator[None]:
        """Make the rows of an inventory and of the same VPP's segment, a step at a time.

        The old rows stand until the iterator is exhausted.
        """
        now = self._clock()
        first = self._identity is None
        same_vpp = self._identity == inventory.identity
        if segment is None:
            sources = self._sources if same_vpp else None
        elif same_vpp and self._sources and self._sources.inode == segment.inode:
            sources = self._sources
        else:
            sources = CounterSet(segment)
        keep_counters = sources is not None and sources is self._sources
        interfaces = naming.shown(inventory)
        names = naming.if_names(inventory, interfaces)
        bvis = naming.bvis(inventory)
        yield

        rows: dict[bytes, Row] = {}
        for number, (sw_if_index, interface) in enumerate(interfaces.items(), 1):
            index = FIRST_INDEX + sw_if_index
            key = oid(str(index))
            before: Row | None = self.rows.by_index.get(key)
            if before and before.interface.interface_name != interface.interface_name:
                before = None
            status = naming.oper_status(interface, inventory)
            if before and before.oper_status == status:
                changed_at = before.changed_at
            else:
                changed_at = None if first else now
            if before and keep_counters:
                counters = before.counters
            else:
                counters = InterfaceCounters(sources, sw_if_index, None if first else now)
            rows[key] = Row(
                index=index,
                interface=interface,
                name=names[sw_if_index],
                alias=naming.if_alias(interface, descriptions),
                type=naming.if_type(interface, bvis),
                mtu=naming.mtu(interface, inventory),
                speed=naming.speed(interface, inventory),
                phys_address=naming.phys_address(interface, inventory),
                has_connector=naming.has_connector(interface),
                oper_status=status,
                changed_at=changed_at,
                counters=counters,
                uptime=self.uptime,
            )
            if not number % STEP:
                yield

        if rows.keys() != self.rows.by_index.keys() or first:
            self._changed_at = now
        self._identity, self._sources = inventory.identity, sources
        self.rows.replace(rows)

    def away(self) -> None:
        """VPP's process is gone: every row stays, and is down."""
        now = self._clock()
        for row in self.rows.by_index.values():
            if row.oper_status != naming.DOWN:
                row.oper_status = naming.DOWN
                row.changed_at = now
