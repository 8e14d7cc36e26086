"""What VPP reports, as it comes from the reporter: the loop's side of the child process.

The rules this module keeps:

- Nothing here waits: not for VPP, not for the child.
- One child for each connection to a VPP.  It ends with its VPP and the next one starts at
  once; where it fails, the next one waits longer each time.
- Only VPP's own silence is one: the child says how long it has waited for VPP.  How
  long the child says nothing means nothing: it may be busy, or either of us was stopped.
- The child of a hung VPP is left to wait, because VPP may go on.  It is ended when another
  VPP's socket is in the old one's place, or after `RECONNECT_TIMEOUT`.
- A child from which this process took nothing for long ends (pipe.py), and is followed by
  another at once: that is nothing that VPP did, and no news.
- That one VPP hangs is news at most once in `HUNG_INTERVAL`.
"""

import contextlib
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from errno import EMFILE

from ..runtime import children
from .records import (
    ACCEPTS_NOBODY,
    ASK,
    Alive,
    Available,
    Broken,
    Changes,
    Complete,
    Connected,
    Connecting,
    Gone,
    Identity,
    Inventory,
    Mapped,
    Message,
    NeighborChanges,
    Threads,
    Unavailable,
    Unmapped,
    Unreachable,
    Unread,
    Waiting,
    unpack,
)

# Seconds of VPP's silence after which it hangs; a busy one took 6 s over 200,000 neighbours.
SILENCE_TIMEOUT = 10.0
RECONNECT_TIMEOUT = 60.0  # seconds of silence after which a new connection is tried
HUNG_INTERVAL = 60.0  # seconds between two times that a hung VPP is news
MAX_CHECK_INTERVAL = 3.0  # seconds; longer between two checks, and this process did not run
MIN_RESTART_INTERVAL, MAX_RESTART_INTERVAL = 0.5, 30.0  # seconds after a reporter that failed
REAP_TIMEOUT = 1.0  # seconds that the last child may take to end when the feed is closed
DATAGRAM = 1 << 18  # octets; a socket buffer holds no larger message


@dataclass(frozen=True)
class ReporterSettings:
    """Where VPP is, and how often it is asked for what no event reports (seconds; 0: never)."""

    api_socket: str
    stats_socket: str
    api_dir: str
    period: float
    addresses: float = 0.0
    neighbors: float = 0.0


@dataclass(frozen=True)
class Away:
    """VPP's process is gone, or cannot be reached; errno of its API socket, or None."""

    errno: int | None = None


@dataclass(frozen=True)
class Present:
    """A VPP answers from now on."""

    identity: Identity


@dataclass(frozen=True)
class SegmentReceived:
    """Its statistics segment; the descriptor is the receiver's to close."""

    descriptor: int


@dataclass(frozen=True)
class SegmentMissing:
    """Its statistics segment is unavailable; by this errno of its socket, if that is why."""

    reason: str
    errno: int | None


@dataclass(frozen=True)
class Hung:
    """VPP is connected but silent since `since`, by the loop's clock."""

    since: float


@dataclass(frozen=True)
class Answering:
    """VPP, silent before, answers again."""


@dataclass(frozen=True)
class Failed:
    """The reporter could not go on."""

    reason: str


News = (
    Away
    | Present
    | Threads
    | SegmentReceived
    | SegmentMissing
    | Hung
    | Answering
    | Failed
    | Unavailable
    | Available
    | Changes
    | NeighborChanges
    | Complete
    | Inventory
)


class Feed:
    """One reporter after another."""

    def __init__(
        self,
        settings: ReporterSettings,
        opened: Callable[[int], None] = lambda descriptor: None,
        closing: Callable[[int], None] = lambda descriptor: None,
    ) -> None:
        """`opened` and `closing` get the descriptor of a reporter's pipe."""
        self._settings = settings
        self._opened = opened
        self._closing = closing
        self._child: subprocess.Popen[bytes] | None = None
        self._ending: list[subprocess.Popen[bytes]] = []  # killed, and not reaped yet
        self._pipe: socket.socket | None = None
        self._received_at = self._checked = 0.0
        self._asked = False  # somebody listens who owes an answer
        self._silent = 0.0  # seconds for which the child has waited for VPP
        self._silent_since: float | None = None  # over as many connections as were tried
        self._hung = False  # which is news that was handed on, over as many connections too
        self._hung_allowed = 0.0
        self._identity: Identity | None = None  # of the VPP that answered last
        self._inode: int | None = None
        self._start_at = 0.0
        self._pause = MIN_RESTART_INTERVAL

    def use(self, settings: ReporterSettings, now: float) -> None:
        """Start another reporter where the settings differ, without waiting for the end of this."""
        if settings != self._settings:
            self._settings = settings
            self._pause = MIN_RESTART_INTERVAL
            self._forget_silence()
            self._end(now)

    def ask(self) -> None:
        """Have VPP asked now for what no event reports, as soon as that is allowed."""
        if self._pipe is not None and self._asked:  # before that it takes any message for our end
            with contextlib.suppress(OSError):  # it is ending, or was asked often enough
                self._pipe.send(ASK, socket.MSG_DONTWAIT)

    @property
    def pids(self) -> tuple[int, ...]:
        """Of the child, if there is one."""
        return (self._child.pid,) if self._child else ()

    def fileno(self) -> int:
        """What to wait on; -1 while there is no child."""
        return self._pipe.fileno() if self._pipe else -1

    def check(self, now: float) -> Iterator[News]:
        """To be called a few times a second: starts, and ends, what is due."""
        self._ending = [child for child in self._ending if child.poll() is None]
        if now - self._checked > MAX_CHECK_INTERVAL:
            self._received_at += now - self._checked  # what was sent meanwhile waits to be read
        self._checked = now
        if self._child is None:
            if now >= self._start_at:
                try:
                    self._start(now)
                except OSError as error:  # no process, no memory, no descriptor left
                    yield self._fail(now, f"no process to ask VPP with: {error.strerror}")
            return
        if not self._asked:
            return
        if self._silent >= SILENCE_TIMEOUT and self._inode != self._current_inode():
            self._forget_silence()
            self._end(now)
            yield Away()
        elif max(self._silent, now - self._received_at) > RECONNECT_TIMEOUT:
            self._end(now)

    def receive(self, now: float) -> Iterator[News]:
        """One message of the reporter, as news."""
        assert self._pipe is not None
        try:
            data, descriptors, _, _ = socket.recv_fds(self._pipe, DATAGRAM, 1)
        except BlockingIOError:
            return
        except OSError:
            data, descriptors = b"", []
        if not data:  # killed, or it never sent anything
            yield self._fail(now, "the process that asks VPP ended unexpectedly")
            return
        message = unpack(data)
        self._received_at = now
        if not isinstance(message, Connecting | Unreachable | Waiting | Unread):
            was_hung = self._hung
            self._forget_silence()
            if was_hung and not isinstance(message, Gone | Broken):
                yield Answering()
        yield from self._understand(message, descriptors, now)

    def _understand(self, message: Message, descriptors: list[int], now: float) -> Iterator[News]:
        match message:
            case Unreachable(_, errno):
                if errno not in ACCEPTS_NOBODY:
                    self._forget_silence()
                    yield Away(errno)
            case Waiting(seconds):
                yield from self._wait(seconds, now)
            case Connecting():
                self._asked = True
                self._inode = self._current_inode()
            case Connected(identity):
                if identity != self._identity:
                    self._identity, self._hung_allowed = identity, 0.0
                yield Present(identity)
            case Mapped() if descriptors:
                yield SegmentReceived(descriptors[0])
            case Mapped():  # the kernel had no number left for it
                yield SegmentMissing("", EMFILE)
            case Unmapped(reason, errno):
                yield SegmentMissing(reason, errno)
            case Complete():
                self._pause = MIN_RESTART_INTERVAL
                yield message
            case Threads() | Changes() | NeighborChanges() | Inventory():
                yield message
            case Unavailable() | Available():
                yield message
            case Gone():
                self._end(now)
                yield Away()
            case Unread():
                self._end(now)
            case Broken(reason):
                yield self._fail(now, reason)
            case Alive():
                pass

    def _wait(self, seconds: float, now: float) -> Iterator[Hung]:
        """VPP has been silent for so long over this connection."""
        self._silent = seconds
        if self._silent_since is None:
            self._silent_since = now - seconds
        if not self._hung and seconds >= SILENCE_TIMEOUT and now >= self._hung_allowed:
            self._hung = True
            self._hung_allowed = now + HUNG_INTERVAL
            yield Hung(self._silent_since)

    def _forget_silence(self) -> None:
        """VPP answers, or another one will, or none."""
        self._silent = 0.0
        self._silent_since = None
        self._hung = False

    def _fail(self, now: float, reason: str) -> Failed:
        """End the reporter; the next one waits longer."""
        self._forget_silence()
        self._end(now, self._pause)
        self._pause = min(2 * self._pause, MAX_RESTART_INTERVAL)
        return Failed(reason)

    def _start(self, now: float) -> None:
        self._pipe, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._pipe.setblocking(False)
        self._opened(self._pipe.fileno())
        self._received_at = self._checked = now
        settings = self._settings
        with theirs:
            self._child = children.start(
                *("vpp_snmp_agent.vpp.reporter", theirs.fileno()),
                *(settings.api_socket, settings.stats_socket, settings.api_dir),
                *(str(settings.period), str(settings.addresses), str(settings.neighbors)),
            )

    def _end(self, now: float, pause: float = 0.0) -> None:
        if self._pipe is not None:
            self._closing(self._pipe.fileno())
            self._pipe.close()
        if self._child is not None:
            self._child.kill()
            self._ending.append(self._child)  # a process that ends may take long to: no wait
        self._pipe = self._child = None
        self._asked = False
        self._silent = 0.0
        self._start_at = now + pause

    def _current_inode(self) -> int | None:
        with contextlib.suppress(OSError):
            return os.stat(self._settings.api_socket).st_ino
        return None

    def close(self) -> None:
        """End the child, and wait for its end."""
        self._end(0.0)
        for child in self._ending:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(REAP_TIMEOUT)
