"""What VPP reports, as it comes from the reporter: the loop's side of the child process.

The rules this module keeps:

- Nothing here waits: not for VPP, not for the child.
- One child for each connection to a VPP.  It ends with its VPP and the next one starts at
  once; where it fails, the next one waits longer each time.
- A silent child is a hung VPP, and is left to wait, for VPP may go on.  It is ended when
  another VPP's socket stands in the old one's place, or after `RECONNECT_TIMEOUT`.
"""

import contextlib
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from errno import EAGAIN, EMFILE

from .. import children
from .records import (
    Alive,
    Available,
    Broken,
    Changes,
    Complete,
    Connected,
    Connecting,
    Gone,
    Identity,
    Mapped,
    Message,
    NeighborChanges,
    Unavailable,
    Unmapped,
    Unreachable,
    unpack,
)

SILENCE_TIMEOUT = 4.0  # seconds without a word from a VPP that is asked every second
RECONNECT_TIMEOUT = 60.0  # seconds of silence after which a new connection is tried
MIN_RESTART_INTERVAL, MAX_RESTART_INTERVAL = 0.5, 30.0  # seconds after a reporter that failed
REAP_TIMEOUT = 1.0  # seconds that the last child may take to end when the feed is closed
DATAGRAM = 1 << 18  # octets; a socket buffer holds no larger message
ACCEPTS_NOBODY = (0, EAGAIN)  # no errno at all: a time-out; EAGAIN: a full backlog


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
)


class Feed:
    """One reporter after another."""

    def __init__(
        self,
        settings: ReporterSettings,
        opened: Callable[[int], None] = lambda descriptor: None,
        closing: Callable[[int], None] = lambda descriptor: None,
    ) -> None:
        """`opened` and `closing` get the descriptor on which a reporter is heard."""
        self._settings = settings
        self._opened = opened
        self._closing = closing
        self._child: subprocess.Popen[bytes] | None = None
        self._ending: list[subprocess.Popen[bytes]] = []  # killed, and not reaped yet
        self._pipe: socket.socket | None = None
        self._heard = 0.0
        self._asked = False  # somebody listens who owes an answer
        self._hung = False
        self._silent_since: float | None = None  # over as many connections as were tried
        self._inode: int | None = None
        self._start_at = 0.0
        self._pause = MIN_RESTART_INTERVAL

    def use(self, settings: ReporterSettings, now: float) -> None:
        """Start another reporter where the settings differ, without waiting for the end of this."""
        if settings != self._settings:
            self._settings = settings
            self._pause = MIN_RESTART_INTERVAL
            self._end(now)

    def fileno(self) -> int:
        """What to wait on; -1 while there is no child."""
        return self._pipe.fileno() if self._pipe else -1

    def check(self, now: float) -> Iterator[News]:
        """To be called a few times a second: starts, and ends, what is due."""
        self._ending = [child for child in self._ending if child.poll() is None]
        if self._child is None:
            if now >= self._start_at:
                try:
                    self._start(now)
                except OSError as error:  # no process, no memory, no descriptor left
                    yield self._fail(now, f"no process to ask VPP with: {error.strerror}")
            return
        silent = now - self._heard
        if not self._asked or silent < SILENCE_TIMEOUT:
            return
        if not self._hung:
            self._hung = True
            if self._silent_since is None:
                self._silent_since = self._heard
            yield Hung(self._silent_since)
        if self._inode != self._current_inode():
            self._end(now)
            yield Away()
        elif silent > RECONNECT_TIMEOUT:
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
        if not data:  # killed, or never come to speak
            yield self._fail(now, "the process that asks VPP ended unexpectedly")
            return
        message = unpack(data)
        self._heard = now
        if not isinstance(message, Connecting | Unreachable):
            self._silent_since = None
        if self._hung:
            self._hung = False
            yield Answering()
        yield from self._understand(message, descriptors, now)

    def _understand(self, message: Message, descriptors: list[int], now: float) -> Iterator[News]:
        match message:
            case Unreachable(_, errno):
                if errno not in ACCEPTS_NOBODY:
                    yield Away(errno)
                elif not self._hung:
                    self._hung = True
                    yield Hung(now)
            case Connecting():
                self._asked = True
                self._inode = self._current_inode()
            case Connected(identity):
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
            case Changes() | NeighborChanges() | Unavailable() | Available():
                yield message
            case Gone():
                self._end(now)
                yield Away()
            case Broken(reason):
                yield self._fail(now, reason)
            case Alive():
                pass

    def _fail(self, now: float, reason: str) -> Failed:
        """End the reporter; the next one waits longer."""
        self._end(now, self._pause)
        self._pause = min(2 * self._pause, MAX_RESTART_INTERVAL)
        return Failed(reason)

    def _start(self, now: float) -> None:
        self._pipe, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._pipe.setblocking(False)
        self._opened(self._pipe.fileno())
        self._heard = now
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
        self._asked = self._hung = False
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
        self._ending.clear()
