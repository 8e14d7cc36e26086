"""What is known of VPP as a whole: whether it answers, since when, and how often it restarted.

    system.vpp.answers(identity)    # who follows VPP notes what changes of it
    system.vpp.watch(segment)       # a few times a second
    system.vpp.api_state_age        # and a MIB reads

The rules this module keeps:

- It lives as long as the agent, over one VPP after another and over every configuration.
- All times are by one clock that nobody sets, and are read as ages.
- An alarm is raised when VPP hangs or goes, and is over when a VPP answers: neither that it
  goes while it hangs, nor that its successor hangs, ends one.
- A VPP that is not there yet when the agent starts is no alarm: that is how a router boots.
  One that hangs already is.
"""

import enum
import time
from collections.abc import Callable

from ..vpp.records import Identity
from ..vpp.segment import Segment, SegmentUnavailable

WATCH_INTERVAL = 1.0  # seconds between two readings of the heartbeat


class ApiState(enum.IntEnum):
    """Of VPP's binary API, as vppApiState numbers it."""

    ANSWERING = 1
    HUNG = 2
    AWAY = 3
    NOT_REACHED = 4  # nothing is known of it


class Alarm(enum.Enum):
    """What somebody should be notified of."""

    HUNG = "hung"
    AWAY = "away"


class VppState:
    """The VPP that is there, or was last."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.version = ""
        self.pid = 0  # 0: no VPP is there
        self.api_state = ApiState.NOT_REACHED
        self.restarts = 0
        self.alarms: set[Alarm] = set()  # that are raised
        self._clock = clock
        self._agent_started = self._api_state_since = clock()
        self._identity: Identity | None = None
        self._inode: int | None = None  # of the segment of the VPP of that identity
        self._started = float("inf")  # that VPP
        self._inventory_at: float | None = None
        self._heartbeat: int | None = None
        self._heartbeat_at: float | None = None
        self._watch_due = float("-inf")

    # --- what is noted ------------------------------------------------------------------------

    def answers(self, identity: Identity) -> None:
        """A VPP is there, and answers."""
        if identity != self._identity:
            self.restarts += self._identity is not None
            self._identity, self._inode = identity, None
            self._started = self._clock()
        self.version, self.pid = identity.version, identity.vpe_pid
        self.answers_again()

    def answers_again(self) -> None:
        """The same VPP answers, which was silent."""
        self._become(ApiState.ANSWERING)
        self.alarms.clear()

    def hangs(self, since: float) -> None:
        """VPP is silent since then."""
        self._become(ApiState.HUNG, since)
        self.alarms.add(Alarm.HUNG)

    def goes_away(self) -> None:
        """There is no VPP."""
        self._become(ApiState.AWAY)
        self.pid = 0
        if self._identity is not None:
            self.alarms.add(Alarm.AWAY)

    def is_refused(self) -> None:
        """Nothing can be learnt of VPP, which may be there."""
        self._become(ApiState.NOT_REACHED)
        self.pid = 0

    def has_reported_all(self) -> None:
        """VPP has reported all of its interfaces just now."""
        self._inventory_at = self._clock()

    def watch(self, segment: Segment) -> None:
        """To be called a few times a second, with the segment of the VPP that is there."""
        now = self._clock()
        if now < self._watch_due and segment.inode == self._inode:
            return
        self._watch_due = now + WATCH_INTERVAL
        if segment.inode != self._inode:
            # The same version and process id again, as within a container.
            self.restarts += self._inode is not None
            self._started = now if self._inode is not None else self._started
            self._inode, self._heartbeat = segment.inode, None
        # VPP writes how long it has run every ten seconds: later it is known better.
        self._started = min(self._started, now - segment.uptime)
        try:
            heartbeat = segment.scalar("/sys/heartbeat")
        except SegmentUnavailable:
            return
        if heartbeat != self._heartbeat:
            self._heartbeat, self._heartbeat_at = heartbeat, now

    def _become(self, state: ApiState, since: float | None = None) -> None:
        if state != self.api_state:
            self.api_state = state
            self._api_state_since = self._clock() if since is None else since

    # --- what is read -------------------------------------------------------------------------

    @property
    def up_time(self) -> int:
        """Seconds that VPP has run; 0 while none is there."""
        return int(max(0.0, self._clock() - self._started)) if self.pid else 0

    @property
    def api_state_age(self) -> int:
        """Seconds since the API's state is what it is."""
        return self._age(self._api_state_since)

    @property
    def heartbeat_age(self) -> int | None:
        """Seconds since the heartbeat was seen to move; None if there never was one."""
        return None if self._heartbeat_at is None else self._age(self._heartbeat_at)

    @property
    def inventory_age(self) -> int | None:
        """Seconds since VPP reported all of its interfaces; None before the first time."""
        return None if self._inventory_at is None else self._age(self._inventory_at)

    @property
    def agent_up_time(self) -> int:
        """Seconds that this process has watched."""
        return self._age(self._agent_started)

    def _age(self, moment: float) -> int:
        return int(max(0.0, self._clock() - moment))
