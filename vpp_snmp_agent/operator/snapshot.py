"""A snapshot of VPP and of what is known of it, for the sub-commands that only read.

The rules this module keeps:

- Nothing is changed: no file is written or moved, and snmpd hears nothing of it.
- VPP is asked once, by the agent's own feed, whose child has ended when `ask` returns.
- What is unavailable is said in words, never raised: an operator sees the rest.
"""

import errno
import select
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from ..agentx.mib import Module, UpTime
from ..interfaces import opening
from ..interfaces.counters import CounterSet, InterfaceCounters
from ..interfaces.facts import DOWN, UNKNOWN, Configuration, Facts
from ..interfaces.publisher import Publisher
from ..interfaces.reached import UNKNOWN as UNKNOWN_VPP
from ..interfaces.reached import Reached
from ..interfaces.rows import Row
from ..interfaces.state import FIRST, OTHERS, Port, StateError
from ..interfaces.system import System
from ..interfaces.totals import Saved
from ..mibs import modules
from ..runtime import sockets
from ..settings import vppcfg
from ..settings.declarations import Entails, Settings
from ..settings.document import BadSettings
from ..settings.vppcfg import Descriptions
from ..vpp import feed, lacp
from ..vpp.descriptor import listener_pid, open_segment_of
from ..vpp.mapping import STUCK_TIMEOUT
from ..vpp.records import (
    ADDRESSES,
    INTERFACES,
    NEIGHBORS,
    Changes,
    Complete,
    NeighborChanges,
    Threads,
    Unavailable,
)
from ..vpp.router import Router
from ..vpp.segment import Segment, SegmentUnavailable

ANSWER_TIMEOUT = 10.0  # seconds that VPP has to report all
CONNECT_TIMEOUT = 1.0  # seconds for a VPP that hangs to be connected to
LOCK_TIMEOUT = (
    2 * STUCK_TIMEOUT
)  # seconds for a lock to be let go, or to be known as one that is kept
LOCK_INTERVAL = 0.05  # seconds between two polls of it
RATE_INTERVAL = 1.0  # seconds between the two readings of which a rate is made
NO_TOTALS: Mapping[str, Saved] = MappingProxyType({})


@dataclass
class Asked:
    """What one VPP reported, and why it did not report more."""

    router: Router | None = None
    segment: Segment | None = None
    away: bool = False  # nobody is there who could have answered
    hung_since: float | None = None  # by time.monotonic: somebody is, and did not
    pid: int = 0  # of who does not; 0: not known
    no_interfaces: str = ""
    no_addresses: str = ""  # not all of them, at least
    no_segment: str = ""
    unavailable: dict[str, str] = field(default_factory=dict)  # what else, and why

    def has(self, what: str) -> bool:
        """Whether VPP reported all of this sort."""
        return self.router is not None and what in self.router.complete


def ask(settings: Settings, everything: bool = False) -> Asked:
    """Ask VPP, for at most ANSWER_TIMEOUT seconds.

    `everything`: addresses and neighbours too.
    """
    asked = Asked()
    addresses = settings.addresses if everything else 0.0
    neighbors = settings.neighbors if everything else 0.0
    wanted = {INTERFACES}
    wanted |= {ADDRESSES} if addresses else set()
    wanted |= {NEIGHBORS} if neighbors else set()
    until = time.monotonic() + ANSWER_TIMEOUT
    own = feed.ReporterSettings(**settings.entailing(Entails.REPORTER))
    source = feed.Feed(replace(own, addresses=addresses, neighbors=neighbors))
    try:
        for news in source.check(time.monotonic()):  # it starts, or cannot be started
            _take(news, asked, settings)
        while not (asked.no_interfaces or all(map(asked.has, wanted - asked.unavailable.keys()))):
            left = max(0.0, until - time.monotonic())
            if not select.select([source], [], [], left)[0] or not left:
                if asked.has(INTERFACES):
                    asked.no_addresses = (
                        f"VPP did not report all addresses within {ANSWER_TIMEOUT:g} s"
                    )
                    break
                asked.hung_since = until - ANSWER_TIMEOUT
                asked.no_interfaces = (
                    f"{settings.api_socket}: no answer from VPP within {ANSWER_TIMEOUT:g} s:"
                    " it hangs, or is very busy; restart it if that stays so"
                )
                break
            for news in source.receive(time.monotonic()):
                _take(news, asked, settings)
    finally:
        source.close()
    return asked


def _take(news: feed.News, asked: Asked, settings: Settings) -> None:
    match news:
        case feed.Present(identity):
            asked.router = Router(identity)
        case Changes() | NeighborChanges() | Threads() | Complete() if asked.router:
            asked.router.take(news)
        case Unavailable(what, reason):
            asked.unavailable[what] = reason
        case feed.SegmentReceived(descriptor):
            try:
                asked.segment = Segment.map_and_close(descriptor)
            except SegmentUnavailable as error:
                asked.no_segment = f"{settings.stats_socket}: {error}"
        case feed.SegmentMissing(reason, number):
            why = _explain(settings.stats_socket, number, "statseg") if number else reason
            asked.no_segment = why
        case feed.Away(number):
            asked.away = True
            ended = f"{settings.api_socket}: VPP ended while it was asked"
            why = _explain(settings.api_socket, number, "socksvr") if number else ended
            asked.no_interfaces = why
        case feed.Failed(reason):
            asked.no_interfaces = f"{settings.api_socket}: {reason}"


def take_segment(settings: Settings, asked: Asked) -> str:
    """Take from the process of a VPP that hangs the segment that it does not send.

    Returns why not, or nothing.
    """
    try:
        asked.pid = listener_pid(settings.api_socket, CONNECT_TIMEOUT)
        if not asked.pid:
            return "VPP hangs in another pid namespace, and sends no segment"
        asked.segment = Segment.map_and_close(open_segment_of(asked.pid))
    except OSError as error:
        return f"{settings.api_socket}: {error.strerror or 'who listens accepts nobody'}"
    except SegmentUnavailable as error:
        return str(error)
    return ""


def _explain(path: str, number: int, section: str) -> str:
    advice = {
        errno.ENOENT: f"; start VPP, with `{section} {{ default }}` in its startup.conf",
        errno.ECONNREFUSED: "; start VPP",
    }
    return sockets.explain(path, number) + advice.get(number, "")


def read_ports(settings: Settings) -> tuple[list[Port], str]:
    """What is saved of ports, and what is wrong with that, which stays as it is."""
    if settings.ifindex == "stateless":
        return [], ""
    try:
        return opening.read(settings.state_dir), ""
    except StateError as error:
        return [], str(error)


def load_descriptions(settings: Settings) -> tuple[Descriptions, str]:
    """The operator's descriptions, and what is wrong with their file."""
    if settings.vppcfg is None:
        return Descriptions(), ""
    try:
        return vppcfg.load_descriptions(settings.vppcfg), ""
    except FileNotFoundError:
        return Descriptions(), f"{settings.vppcfg}: there is no such file"
    except BadSettings as error:
        return Descriptions(), str(error)


def _read_totals(settings: Settings) -> Mapping[str, Saved]:
    """What numbers that are no row's had come to; nothing where that cannot be read."""
    try:
        return opening.read_totals(settings.state_dir)
    except StateError:
        return NO_TOTALS  # `read_ports` says why


class ReadOnlyIndexes:
    """The ifIndexes that are saved; a new one is what the agent would give, nothing more."""

    def __init__(self, ports: list[Port], totals: Mapping[str, Saved] = NO_TOTALS) -> None:
        self._indexes = {port.key: port.if_index for port in ports}
        self._given = set(self._indexes.values())
        self._reached = {port.key: port.reached for port in ports}
        self._totals = totals

    def index_of(self, key: str) -> int | None:
        """The ifIndex of a key."""
        return self._indexes.get(key)

    def assign(self, key: str, sw_if_index: int) -> None:
        """Give a key the ifIndex that it would get."""
        index = FIRST + sw_if_index
        if index in self._given:
            index = max(OTHERS, 1 + max(self._given))
        self._indexes[key] = index
        self._given.add(index)

    def show(self, key: str, facts: Facts) -> None:
        """Nothing is saved."""

    def hide(self, key: str) -> None:
        """Nothing is forgotten."""

    def read_counters(self, of: Callable[[str], InterfaceCounters | None] | None) -> None:
        """Nothing is saved."""

    def reached(self, key: str) -> Reached | None:
        """What its counters had come to when the agent saved them last."""
        return self._reached.get(key)

    def keep(self, key: str, reached: Reached) -> None:
        """What its counters have come to: for as long as this lives."""
        self._reached[key] = reached

    def save_counters(self, keys: Iterable[str]) -> bool:
        """Nothing is saved, and nothing left to be."""
        return False

    def totals(self, key: str) -> Saved | None:
        """What numbers that are no row's had come to when the agent saved them last."""
        return self._totals.get(key)

    def save_totals(self, key: str, saved: Saved, urgent: bool) -> bool:
        """Nothing is saved."""
        return True


def capabilities() -> set[str]:
    """The sysORIDs by which the agent announces its MIBs to snmpd."""
    return {each.capability for each in modules(Publisher(Configuration(), None, UpTime()))}


def rows_of(
    asked: Asked, ports: list[Port], configuration: Configuration
) -> tuple[Publisher, list[Module]]:
    """The rows as the agent would show them, and the tables made of them.

    Where VPP did not report, they are those that are saved.
    """
    settings = configuration.settings
    indexes = None
    if settings.ifindex == "kept":
        indexes = ReadOnlyIndexes(ports, _read_totals(settings))
    publisher = Publisher(configuration, indexes, UpTime())
    served = modules(publisher, settings.mibs)
    known = ((each.key, each.if_index, each.facts) for each in ports if each.shown and each.facts)
    for _ in publisher.restore(known, DOWN if asked.away else UNKNOWN):
        pass
    router = asked.router
    _note(asked, publisher.system)
    if router is not None and asked.has(INTERFACES):
        publisher.system.vpp.has_reported_all()
        if asked.segment is not None:
            publisher.settled = asked.segment.uptime >= settings.settle
        publisher.follow(router)
        publisher.system.threads.report(router.threads)
        if asked.segment is not None:
            router.apply(Changes(tuple(lacp.States().changed_ports(asked.segment, router))))
            publisher.use(CounterSet(asked.segment))
            publisher.system.search_all()
        publisher.touch(router.interfaces)
        for what in router.complete:
            publisher.complete(what)
    while publisher.step(time.perf_counter()):
        pass
    return publisher, served


def _note(asked: Asked, system: System) -> None:
    """Whether VPP answers."""
    if asked.router is not None:
        system.vpp.answers(asked.router.identity)
    if asked.away:
        system.vpp.goes_away()
    elif asked.hung_since is not None:
        system.vpp.hangs(asked.hung_since)


def system_of(asked: Asked) -> System:
    """What VPP has beyond its interfaces, of one that answers and of one that hangs."""
    system = System()
    _note(asked, system)
    if asked.router is not None:
        system.threads.report(asked.router.threads)
    if asked.segment is not None and not asked.away:
        _await_lock(asked.segment)
        system.use(asked.segment, UNKNOWN_VPP)
        system.search_all()
    return system


def _await_lock(segment: Segment) -> None:
    """Wait until the segment can be read: a lock that is kept is read through."""
    until = time.monotonic() + LOCK_TIMEOUT
    while time.monotonic() < until:
        with suppress(SegmentUnavailable):
            segment.settled_epoch()
            return
        time.sleep(LOCK_INTERVAL)


def in_order(publisher: Publisher) -> list[Row]:
    """The rows by ifIndex."""
    found = (publisher.rows.get(index) for index in publisher.rows)
    return [row for row in found if row is not None]
