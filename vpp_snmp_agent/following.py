"""One VPP after another: what each reports reaches the router, and all rows that it touches.

The rules this module keeps:

- Rows are of one VPP: another one is another router, and takes the rows of the one before
  down until it has reported its own.
- A segment's counters are shown only in rows of the VPP that handed it over.
- The log and the service's status say what changes of VPP, once.
"""

import errno
import logging
import time
from collections.abc import Callable

from .interfaces.counters import CounterSet
from .interfaces.publisher import Publisher
from .interfaces.vpp_state import VppState
from .runtime import sockets
from .runtime.loop import StateLog, counted, log
from .runtime.systemd import Supervisor
from .settings.declarations import Settings
from .vpp import feed, lacp
from .vpp.records import (
    BONDS,
    BRIDGE_DOMAINS,
    INTERFACES,
    LACP,
    LCP_PAIRS,
    THREADS,
    Available,
    Changes,
    Complete,
    Inventory,
    NeighborChanges,
    Threads,
    Unavailable,
)
from .vpp.router import Reported, Router
from .vpp.segment import Segment, SegmentUnavailable

AWAY = "VPP is away"
GONE = (errno.ENOENT, errno.ECONNREFUSED)  # what the socket of a VPP that ended is like
POLL_INTERVAL = 0.5  # seconds between two polls of the segment, at rest more
EVENT_TIMEOUT = 2.0  # seconds within which an event follows another epoch, if one does


class Follower:
    """The VPP that is there, if one is."""

    def __init__(
        self,
        settings: Settings,
        publishers: Callable[[], tuple[Publisher, ...]],
        supervisor: Supervisor,
        ask: Callable[[], None] = lambda: None,
    ) -> None:
        """`publishers`: whose rows follow it, the shown ones first.  `ask`: have VPP asked now for
        what no event reports.
        """
        self.settings = settings  # for what is waited and what is said
        self.state = "VPP not seen yet"  # in a few words
        self.is_reported = False  # VPP reported all, or it is known why it does not
        self._publishers = publishers
        self._supervisor = supervisor
        self._ask = ask
        self._state_log = StateLog()
        self._worker_cpus: frozenset[int] = frozenset()
        self._unavailable: set[str] = set()  # what VPP's answers about cannot be used
        self._lacp = lacp.States()
        self._poll_due = 0.0
        self._epoch: int | None = None  # of the segment, as it was seen last
        self._epoch_seen_at: float | None = None  # that nobody has accounted for yet
        self._router: Router | None = None
        self._segment: Segment | None = None
        self._started = 0.0  # VPP, by time.monotonic, as far as it says

    @property
    def is_following(self) -> bool:
        """Whether a VPP is there, has reported everything, and is configured."""
        shown, *_ = self._publishers()
        return self._router is not None and self.is_reported and shown.settled

    @property
    def worker_cpus(self) -> frozenset[int]:
        """The CPUs of VPP's workers, as it reported them, or the one before it."""
        if self._router is not None and self._router.threads:
            self._worker_cpus = self._router.worker_cpus
        return self._worker_cpus

    @property
    def _vpp(self) -> VppState:
        """Where it is noted what becomes of VPP."""
        shown, *_ = self._publishers()
        return shown.system.vpp

    def check(self, now: float) -> None:
        """To be called a few times a second."""
        self._poll_segment(now)
        shown, *_ = publishers = self._publishers()
        if not shown.settled and self.is_settled(now):
            for each in publishers:
                each.settle()

    def _poll_segment(self, now: float) -> None:
        """Bonds follow what LACP has of their members, and the API is asked what else changed.

        So it is where the segment has another layout and no event followed, as when a bond is
        given a member.
        """
        if self._router is None or self._segment is None or now < self._poll_due:
            return
        self._poll_due = now + POLL_INTERVAL
        epoch = self._segment.epoch
        if epoch != self._epoch:
            self._epoch, self._epoch_seen_at = epoch, now
        elif self._epoch_seen_at is not None and now >= self._epoch_seen_at + EVENT_TIMEOUT:
            self._epoch_seen_at = None
            self._ask()
        ports = self._lacp.changed_ports(self._segment, self._router)
        if ports:
            self._report(Changes(tuple(ports), ()))
            self._ask()

    def take(self, news: feed.News) -> None:
        """What the feed brought."""
        match news:
            case Changes() | NeighborChanges() | Threads() | Complete():
                self._report(news)
            case Inventory():
                self._vpp.has_reported_all()
                self._are_available(LCP_PAIRS, BONDS, LACP, BRIDGE_DOMAINS)
            case feed.Present(identity):
                self._follow(Router(identity))
            case feed.SegmentReceived(descriptor):
                self._map(descriptor)
            case feed.SegmentMissing(reason, number):
                why = sockets.explain(self.settings.stats_socket, number) if number else reason
                self._lose_counters(why)
            case feed.Away(number):
                self._lose()
                why = sockets.explain(self.settings.api_socket, number) if number else ""
                if number == errno.EACCES:
                    self._vpp.is_refused()
                    self._is(logging.ERROR, "VPP cannot be reached", why)
                else:
                    self._vpp.goes_away()
                    if self.state != AWAY or number not in GONE:
                        self._is(logging.WARNING, AWAY, why)
            case feed.Hung(since):
                self._vpp.hangs(since)
                ago = time.monotonic() - since
                when = time.strftime("%H:%M:%S", time.localtime(time.time() - ago))
                self._is(
                    logging.WARNING,
                    f"VPP's API does not answer since {when}",
                    "interfaces stay as last reported, counters are read on",
                )
            case feed.Answering():
                self._vpp.answers_again()
                self._is(logging.INFO, "VPP answers again", "")
            case Unavailable(what, reason):
                self._unavailable.add(what)
                self._state_log.report(
                    logging.ERROR, what, f"VPP's {what} are unavailable: {reason}"
                )
            case Available(what):
                self._unavailable.discard(what)
                self._are_available(what)
            case feed.Failed(reason):
                self.is_reported = True
                self._vpp.is_refused()
                self._is(logging.ERROR, "VPP's API fails", reason)

    def _report(self, news: Reported) -> None:
        """The router takes it, and all rows that it touches follow."""
        assert self._router is not None
        touched = self._router.take(news)
        shown, *_ = publishers = self._publishers()
        match news:
            case Changes(reported, gone):
                self._epoch_seen_at = None  # whoever reports that has asked for what goes with it
                log.debug("VPP reports %s", counted(len(reported) + len(gone), "change", "changes"))
                for each in publishers:
                    each.touch(touched)
            case NeighborChanges():
                for each in publishers:
                    each.touch_neighbors(touched)
            case Threads(threads):
                shown.system.threads.report(threads)
                self._are_available(THREADS)
            case Complete(what):
                log.debug("VPP has reported all %s", what)
                for each in publishers:
                    each.complete(what)
                self.is_reported |= what == INTERFACES
                self._are_available(what)

    def _are_available(self, *answers: str) -> None:
        """This VPP answered, as the one before it may not have."""
        for what in answers:
            if what not in self._unavailable:
                self._state_log.solved(what, f"VPP's {what} are available again")

    def _follow(self, router: Router) -> None:
        identity, before = router.identity, self._router
        if before is None or before.identity != identity:
            if before is not None:
                self._lose()
            self._segment = None
            self._lacp = lacp.States()
            self._started = time.monotonic()
            for each in self._publishers():
                each.settled = False
        self._router = router
        self._unavailable.clear()  # a connection is new, and what fails over it is reported again
        for each in self._publishers():
            each.follow(router)
        self._vpp.answers(identity)
        self._supervisor.publish("distro", f"VPP {identity.version}")
        self._is(logging.INFO, f"VPP {identity.version} answers", f"pid {identity.vpe_pid}")

    def _lose(self) -> None:
        self._router = None
        self.is_reported = True
        for each in self._publishers():
            each.lose()

    def _is(self, level: int, state: str, detail: str) -> None:
        self.state = state
        self._state_log.report(level, "VPP", state + (f" ({detail})" if detail else ""))

    def _map(self, descriptor: int) -> None:
        try:
            self._segment = Segment.map_and_close(descriptor)
        except SegmentUnavailable as error:
            self._lose_counters(str(error))
            return
        self._state_log.solved("segment", "VPP's counters are available again")
        log.debug("VPP's counters are mapped")
        self._started = time.monotonic() - self._segment.uptime
        self._epoch, self._epoch_seen_at = self._segment.epoch, None
        sources = CounterSet(self._segment)
        for each in reversed(self._publishers()):  # the shown one's settings count
            each.use(sources)
        self.check(time.monotonic())

    def _lose_counters(self, why: str) -> None:
        self._state_log.report(logging.ERROR, "segment", f"VPP's counters are unavailable: {why}")

    def is_settled(self, now: float) -> bool:
        """Whether VPP has had its time to be configured."""
        if self._router is None:
            return False
        if self._segment is not None:
            # VPP writes how long it has run every ten seconds: later it is known better.
            self._started = min(self._started, now - self._segment.uptime)
        return now >= self._started + self.settings.settle
