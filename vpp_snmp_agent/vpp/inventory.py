"""The interfaces of one VPP, and what relates them: when each is asked for, and what differs.

The rules this module keeps:

- An event names an interface, and VPP is asked for that one: a change costs what it is.
- An interface that is new, or has another name, is not reported before VPP was asked for
  its LCP pair: it would be served under another name first.
- Relations that VPP has otherwise than they are understood stay as they were and are reported
  as unavailable: interfaces are reported without their pairs rather than not at all.
- Addresses and neighbours are asked for last (layer3.py): nothing else waits for them.
- What stops VPP's workers (lcp_itf_pair_get, the bond and member dumps) is asked at most
  once in `RARE_INTERVAL`, after the set of interfaces changed, again after the
  `ADDRESS_DELAYS` of schedule.py where some are new, when the parent asks because a state of
  LACP changed, and once each period.  A TAP that appears is a new interface too, and the sign
  of a pair.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from .api import Vpp
from .client import UnusableAnswer
from .layer3 import Layer3, News
from .records import (
    BONDS,
    BRIDGE_DOMAINS,
    INTERFACES,
    LACP,
    LCP_PAIRS,
    Available,
    Bond,
    BridgeDomain,
    Changes,
    Complete,
    Interface,
    Inventory,
    LacpPort,
    LcpPair,
    NeighborChanges,
    Record,
    Unavailable,
    changes,
)
from .schedule import ADDRESS_DELAYS, NEVER

EVENT_INTERVAL = 0.02  # seconds between two times that events are asked about
WHOLE_INTERVAL = 0.25  # seconds after a dump of all interfaces that events asked for
RARE_INTERVAL = 1.0  # seconds between two dumps that stop the workers
# Of the known interfaces; a dump of them all costs as much as a quarter of them, one by one.
MAX_NAMED_SHARE = 0.25

Relation = LcpPair | Bond | LacpPort | BridgeDomain
Relations = dict[type[Relation], dict[int, Relation]]
# In the order in which they are reported, and what they are called where VPP's answer fails.
KINDS: dict[type[Relation], str] = {
    LcpPair: LCP_PAIRS,
    Bond: BONDS,
    LacpPort: LACP,
    BridgeDomain: BRIDGE_DOMAINS,
}


class Interfaces:
    """The interfaces of one VPP with their relations, and which questions are due."""

    def __init__(self, vpp: Vpp, layer3: Layer3, period: float) -> None:
        """Seconds between two dumps of all."""
        self._vpp = vpp
        self._layer3 = layer3
        self._period = period
        self._reported: dict[int, Interface] = {}
        self._newcomers: dict[int, Interface] = {}  # whose LCP pair was not asked for yet
        self._relations: Relations = {kind: {} for kind in KINDS}
        self._complete = False
        self._is_whole = False  # all interfaces were asked for, and relations not yet since
        self._whole_due = 0.0
        self._named_allowed = 0.0
        self._rare_due = self._relations_due = 0.0
        self._rare_allowed = self._relations_allowed = 0.0
        self._rare_again: list[float] = []  # when it is due, too, for who is new

    def ask_again(self) -> None:
        """Ask for all relations, as soon as that is allowed."""
        self._rare_due = 0.0

    def due(self, named: set[int]) -> float:
        """When `refresh` is to be called, by time.monotonic."""
        return min(
            self._whole_due,
            self._named_allowed if named else NEVER,
            max(self._rare_due, self._rare_allowed),
            max(self._relations_due, self._relations_allowed),
        )

    def refresh(self, named: set[int]) -> News:
        """Ask for what is due, and yield how it differs from what was reported.

        `named` are the indexes of which events came; those that were asked for are removed.
        """
        now = time.monotonic()
        if now >= self._whole_due:
            named.clear()
            yield from self._refresh_all()
            self._whole_due = time.monotonic() + self._period
            self._rare_due = 0.0
        elif named and now >= self._named_allowed:
            indexes = sorted(named)
            named.clear()
            known = len(self._reported) + len(self._newcomers)
            pause = EVENT_INTERVAL
            if indexes[0] == 0 or len(indexes) > MAX_NAMED_SHARE * known:  # 0 means all, to VPP
                yield from self._refresh_all()
                pause = WHOLE_INTERVAL
            else:
                found = self._vpp.interfaces_named(indexes)
                yield from self._found(found, [each for each in indexes if each not in found])
            self._relations_due = 0.0
            # Half of the time is VPP's, however much there is to ask.
            after = time.monotonic()
            self._named_allowed = after + max(pause, after - now)
        if now >= max(self._rare_due, self._rare_allowed):
            yield from self._refresh_rare()
        elif now >= max(self._relations_due, self._relations_allowed):
            relations: Relations = {}
            yield from self._ask_frequent(relations)
            yield from changes(*self._differing(relations))

    def _refresh_all(self) -> Iterator[Changes | NeighborChanges]:
        found = self._vpp.interfaces()
        self._is_whole = True
        known = (*self._reported, *self._newcomers)
        yield from self._found(found, [each for each in known if each not in found])

    def _found(
        self, found: dict[int, Interface], missing: Iterable[int]
    ) -> Iterator[Changes | NeighborChanges]:
        """Report what is known and differs, and what is gone; newcomers wait."""
        changed: list[Record] = []
        altered: list[int] = []  # that may be given other addresses, too
        gone: list[int] = []
        for index, each in found.items():
            known = self._reported.get(index)
            if known is each:
                continue
            if known is not None and known.interface_name == each.interface_name:
                if known != each:
                    changed.append(each)
                    # The link of a sub-interface is its parent's, which may have thousands.
                    if not each.is_sub or replace(known, link_up=each.link_up) != each:
                        altered.append(index)
                self._reported[index] = each
                continue
            if known is not None:
                gone.append(index)
            self._newcomers[index] = each
            self._rare_due = 0.0
        for index in missing:
            self._newcomers.pop(index, None)
            if index in self._reported:
                gone.append(index)
        if gone:
            self._rare_due = 0.0
            for index in gone:
                del self._reported[index]
            yield from self._layer3.forget_neighbors(gone)
            addresses = self._layer3.forget_addresses(gone)
            yield from changes((), [*addresses, *((Interface, index) for index in gone)])
        yield from changes(changed)
        self._layer3.change(altered)

    def _refresh_rare(self) -> News:
        """Ask for all relations; after that newcomers are reported."""
        relations: Relations = {}
        yield from self._ask(LcpPair, self._vpp.pairs, relations)
        yield from self._ask(Bond, self._vpp.bonds, relations)
        now = time.monotonic()
        self._rare_allowed = now + RARE_INTERVAL
        newcomers, self._newcomers = self._newcomers, {}
        if newcomers and self._complete:  # what was there before it was asked is configured
            self._rare_again = [now + delay for delay in ADDRESS_DELAYS]
        self._rare_again = [each for each in self._rare_again if each > now]
        self._rare_due = min([now + self._period, *self._rare_again])
        yield from self._ask_frequent(relations)
        reported, gone = self._differing(relations)
        self._reported |= newcomers
        yield from changes([*reported, *newcomers.values()], gone)
        taps = {
            each.host_sw_if_index
            for each in self._relations[LcpPair].values()
            if isinstance(each, LcpPair)
        }
        yield from self._layer3.follow(self._reported.keys() - taps)
        if not self._complete:
            self._complete = True
            yield from self._layer3.skipped()
            yield Complete(INTERFACES)
        if self._is_whole:
            self._is_whole = False
            yield Inventory()

    def _ask_frequent(self, relations: Relations) -> Iterator[Unavailable | Available]:
        """Ask for those that VPP is asked for without stopping its workers.

        `relations` are those that were asked for just now; what is found goes there too.
        """
        if relations.get(Bond, self._relations[Bond]):
            yield from self._ask(LacpPort, self._vpp.lacp_ports, relations)
        else:
            relations[LacpPort] = {}
        yield from self._ask(BridgeDomain, self._vpp.bridge_domains, relations)
        self._relations_allowed = time.monotonic() + RARE_INTERVAL
        self._relations_due = NEVER  # until the next event; a rare refresh asks for them too

    def _ask(
        self,
        kind: type[Relation],
        question: Callable[[], Mapping[int, Relation]],
        relations: Relations,
    ) -> Iterator[Unavailable | Available]:
        """Ask for one kind, which goes to `relations`."""
        failures = self._layer3.failures
        try:
            relations[kind] = dict(question())
        except UnusableAnswer as error:
            # An index that changed hands takes nothing along: newcomers are not reported yet.
            relations[kind] = {
                key: each
                for key, each in self._relations[kind].items()
                if kind is BridgeDomain or key in self._reported
            }
            yield from failures.failed(KINDS[kind], str(error))
        else:
            yield from failures.passed(KINDS[kind])

    def _differing(self, found: Relations) -> tuple[list[Record], list[tuple[type[Record], int]]]:
        """What is to be reported of these relations, and what is gone."""
        reported: list[Record] = []
        gone: list[tuple[type[Record], int]] = []
        for kind, relations in found.items():
            known = self._relations[kind]
            gone += [(kind, key) for key in known if key not in relations]
            for key, each in relations.items():
                before = known.get(key)
                if before is not each and before != each:
                    reported.append(each)
            self._relations[kind] = relations
        return reported, gone
