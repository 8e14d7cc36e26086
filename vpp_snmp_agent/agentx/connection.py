"""The connection to snmpd: another one is made whenever it is lost, quietly.

The rules this module keeps:

- Nothing here waits, but for NEXT_REQUEST_TIMEOUT in a walk: what cannot be sent or read now
  is done when the loop says so, and a name is resolved by a thread.
- Of a name's addresses each is tried in its turn: `localhost` is ::1 first, and snmpd
  listens on 127.0.0.1.
- What snmpd refuses is asked for again, on the same session: whoever holds it may go, and
  nobody says so.  Until all is granted snmpd is not reported as served.
"""

import errno
import logging
import select
import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from .. import __version__
from ..runtime import jobs, sockets
from ..runtime.loop import Loop, StateLog, counted, log
from ..settings.declarations import Settings, TCPAddress, UnixAddress
from . import session as agentx
from .mib import Module, UpTime, View
from .pdu import error_name
from .session import Session
from .values import MalformedPDU

CONNECT_INTERVAL = 0.5  # seconds between two attempts to reach snmpd
PING_INTERVAL = 15.0  # seconds of silence after which snmpd is asked whether it is there
SILENCE_TIMEOUT = 60.0  # seconds of silence after which it is not
READ_SIZE = 1 << 16
CONNECT_TIMEOUT = 5.0  # seconds that a name server, or one address of several, may be silent
REGISTER_INTERVAL = 10.0  # seconds between two questions for what snmpd refused
HOLD_TIMEOUT = 0.75  # seconds; after one snmpd repeats a request, and so does its client
NEXT_REQUEST_TIMEOUT = 0.001  # seconds that a walk's next request is waited for in recv
MAX_WALK_TIME = 0.004  # seconds that a walk is answered before others have their turn


class Target(NamedTuple):
    """One of the addresses at which snmpd may listen."""

    family: int
    address: Any  # as connect(2) takes it in that family
    text: str  # for the log


class Master:
    """The connection to snmpd; another one is made whenever it is lost."""

    def __init__(
        self,
        settings: Settings,
        view: View,
        modules: Sequence[Module],
        uptime: UpTime,
        loop: Loop,
        on_hold: bool = False,
    ) -> None:
        """`on_hold`: requests wait until `release`, but none for longer than HOLD_TIMEOUT."""
        self.on_hold = on_hold
        self._release_at = float("inf")
        self._address = settings.address
        self._trace: Callable[[str], None] | None = log.debug if settings.debug > 1 else None
        self._view = view
        self._modules = modules
        self._uptime = uptime
        self._loop = loop
        self._state_log = StateLog()
        self._socket: socket.socket | None = None
        self._session: Session | None = None
        self._unsent = b""
        self._busy = False  # with what was received: no more of it is read
        self._try_at = 0.0
        self._received_at = self._pinged_at = 0.0
        self._targets: deque[Target] = deque()  # that are still to be tried
        self._where = str(self._address)  # which of them is tried, or connected
        self._failures: list[str] = []  # of those that were tried
        self._resolving_since: float | None = None
        self._is_closed = False
        self._is_registered = False  # every registration was answered
        self._registrations = 0
        self.refused: tuple[str, ...] = ()  # of them, each as in the log
        self._register_at = 0.0
        self._refusals_log = StateLog()

    @property
    def due(self) -> float:
        """When `check` is to be called at the latest, by time.monotonic."""
        if self._socket is None and self._resolving_since is None:
            return min(self._release_at, self._try_at)
        return self._release_at

    @property
    def serving(self) -> bool:
        """Whether snmpd granted all that was registered."""
        return self._is_registered and not self.refused

    @property
    def state(self) -> str:
        """How snmpd is served, in a few words."""
        if not self._is_registered:
            return "no snmpd"
        if not self.refused:
            return "serving snmpd"
        first, *others = self.refused
        total = counted(self._registrations, "registration", "registrations")
        return (
            f"snmpd refuses {len(self.refused)} of {total}:"
            f" {first}{f' and {len(others)} more' if others else ''}"
        )

    def show(self, view: View) -> None:
        """Answer from another view from now on; it has the same subtrees."""
        self._view = view
        if self._session is not None:
            self._session.show(view)

    def trace(self, debug: int) -> None:
        """Log every PDU from now on, or none, by the setting `debug`."""
        self._trace = log.debug if debug > 1 else None
        if self._session is not None:
            self._session.trace(self._trace)

    def release(self) -> None:
        """End the hold: whoever waited is answered now."""
        self.on_hold = False
        self._release_at = float("inf")
        if self._session is not None:
            waited = self._session.holds
            self._session.release()
            if waited:
                self._receive(b"")

    def check(self, now: float) -> None:
        """Connect, ping, or give up, as it is due."""
        if now >= self._release_at:
            self.release()
        if self._socket is None:
            if self._resolving_since is not None:
                if now - self._resolving_since > CONNECT_TIMEOUT:
                    wrong = f"{self._address}: no name server answers"
                    self._state_log.report(logging.WARNING, "name server", wrong)
            elif now >= self._try_at:
                self._try_at = now + CONNECT_INTERVAL
                self._connect(now)
        elif now - self._received_at > self._timeout:
            self._lost(f"snmpd at {self._where} is silent")
        elif new := self._session.register_new() if self._session else b"":
            self._send(new)
        elif self.refused and now >= self._register_at:
            assert self._session is not None
            self._register_at = now + REGISTER_INTERVAL
            self._send(self._session.register_again())
        elif self._is_registered and now - max(self._received_at, self._pinged_at) > PING_INTERVAL:
            assert self._session is not None
            self._pinged_at = now
            self._send(self._session.ping())

    @property
    def _timeout(self) -> float:
        """Seconds of silence after which this connection is given up."""
        is_unanswered = not self._is_registered and (self._targets or self._session is None)
        return CONNECT_TIMEOUT if is_unanswered else SILENCE_TIMEOUT

    def close(self) -> None:
        """Close the session, if snmpd takes that at once."""
        self._is_closed = True
        if self._socket is not None and self._session is not None:
            try:
                self._socket.send(self._session.close(), socket.MSG_DONTWAIT)
            except OSError:
                log.debug("snmpd took no Close")
            self._drop()

    @property
    def takes_notifications(self) -> bool:
        """Whether snmpd knows us, and took all that it was sent."""
        return self._is_registered and not self._unsent

    def holds(self, subtree: str) -> bool:
        """Whether snmpd granted a subtree that is registered."""
        return self._is_registered and f"subtree {subtree}" not in self.refused

    def notify(self, what: str, varbinds: Sequence[bytes]) -> None:
        """Have snmpd send a notification; `what` it is, for the log."""
        assert self._session is not None
        self._send(self._session.notify(what, varbinds))

    def _connect(self, now: float) -> None:
        """Try the next address, or find out which there are."""
        address = self._address
        if isinstance(address, UnixAddress):
            self._targets.append(Target(socket.AF_UNIX, address.path, str(address)))
        elif not self._targets:
            self._resolve(address, now)
            return
        target = self._targets.popleft()
        self._where = target.text
        try:
            self._socket = socket.socket(target.family, socket.SOCK_STREAM)
            self._socket.setblocking(False)
            number = self._socket.connect_ex(target.address)
        except OSError as error:
            self._lost(f"{self._where}: {error.strerror or error}")
            return
        self._received_at = self._pinged_at = now
        if number == errno.EINPROGRESS:
            self._loop.watch(self._socket.fileno(), self._connected, select.EPOLLOUT)
        elif number:
            self._unreachable(number)
        else:
            self._connected(0)

    def _resolve(self, address: TCPAddress, now: float) -> None:
        """Ask for the addresses of a name, for which a name server can take 20 s."""

        def resolved(found: Any, error: Exception | None) -> None:
            self._resolving_since = None
            if self._is_closed:
                return
            if isinstance(error, OSError | UnicodeError):  # UnicodeError: it cannot be a name
                self._lost(f"{address}: {getattr(error, 'strerror', None) or error}")
            elif error is not None:
                raise error
            else:
                self._targets.extend(targets(address, found))
                self._state_log.report(logging.DEBUG, "name server", f"{address}: resolved")
                self._try_at = 0.0

        work = partial(socket.getaddrinfo, address.host, address.port, type=socket.SOCK_STREAM)
        try:
            jobs.in_thread(self._loop, resolved, work)
            self._resolving_since = now
        except OSError as error:
            self._lost(f"{address}: {error.strerror}")

    def _unreachable(self, number: int) -> None:
        self._lost(sockets.explain(self._where, number))

    def _connected(self, events: int) -> None:
        assert self._socket is not None
        number = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            self._unreachable(number)
            return
        if isinstance(self._address, TCPAddress):
            # A request is one small write after another: waiting to join them only delays.
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # It may wait, but only in recv and not for long.
        self._socket.setblocking(True)
        timeout = struct.pack("@ll", 0, round(NEXT_REQUEST_TIMEOUT * 1e6))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeout)
        self._session = Session(
            *(self._view, self._modules, f"vpp-snmp-agent {__version__}", self._trace),
            on_hold=self.on_hold,
        )
        self._loop.watch(self._socket.fileno(), self._ready)
        self._send(self._session.open())

    def _ready(self, events: int) -> None:
        if not self._busy:
            self._read()
        elif self._unsent:
            self._send(b"")
        else:
            self._receive(b"")

    def _read(self) -> None:
        """Answer what was received; in a walk, wait right here for the next request.

        It comes some 40 us after an answer.  Waiting in recv saves the epoll_wait before
        it, a tenth of what a varbind costs, and the loop's other checks.
        """
        until = 0.0
        while True:
            assert self._socket is not None
            try:
                data = self._socket.recv(READ_SIZE)
            except BlockingIOError:
                return
            except OSError as error:
                self._lost(f"lost snmpd at {self._where}: {error.strerror}")
                return
            if not data:
                self._lost(f"snmpd at {self._where} closed the connection")
                return
            now = time.monotonic()
            walking = now - self._received_at < NEXT_REQUEST_TIMEOUT
            self._received_at = now
            self._receive(data)
            if not walking or not self._loop.may_wait or self._busy or self._socket is None:
                return
            until = until or now + MAX_WALK_TIME
            if now > until:
                return

    def _receive(self, data: bytes) -> None:
        session = self._session
        assert session is not None
        try:
            answer = session.receive(data)
        except MalformedPDU as error:
            self._lost(f"{self._where} does not speak AgentX: {error}")
            return
        if self.on_hold and session.holds:
            self._release_at = min(self._release_at, time.monotonic() + HOLD_TIMEOUT)
        if answer or session.more or self._busy:
            self._send(answer)
        for event in session.events():
            if self._session is session:  # else it was lost over the answer, or an event
                self._handle_event(event)

    def _send(self, data: bytes) -> None:
        assert self._socket is not None
        assert self._session is not None
        data = self._unsent + data if self._unsent else data
        try:
            sent = self._socket.send(data, socket.MSG_DONTWAIT)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._lost(f"lost snmpd at {self._where}: {error.strerror}")
            return
        self._unsent = data[sent:]
        # Nothing more is read before all is answered and sent: a master that takes no
        # answers gets no further ones to be kept for it.
        busy = bool(self._unsent) or self._session.more
        if busy != self._busy:
            self._busy = busy
            mask = select.EPOLLOUT if busy else select.EPOLLIN
            self._loop.watch(self._socket.fileno(), self._ready, mask)

    def _handle_event(self, event: agentx.Event) -> None:
        match event:
            case agentx.Opened(sys_up_time):
                self._uptime.set(sys_up_time, time.monotonic())
            case agentx.Refused(what, error):
                hint = (
                    ": snmpd or another subagent serves it already;"
                    " `vpp-snmp-agent check` names the modules that snmpd must start without"
                    if error == agentx.DUPLICATE_REGISTRATION
                    else ""
                )
                self._refusals_log.report(
                    logging.ERROR, what, f"snmpd refused {what}: {error_name(error)}{hint}"
                )
            case agentx.Registered(total, refused):
                self._is_registered = True
                self._registrations, self.refused = total, refused
                self._register_at = time.monotonic() + REGISTER_INTERVAL
                if refused:
                    asked = counted(total, "registration", "registrations")
                    self._state_log.report(
                        logging.WARNING,
                        "snmpd",
                        f"snmpd at {self._where} refuses {len(refused)} of {asked};"
                        f" what it refuses is tried again every {REGISTER_INTERVAL:g} s",
                    )
                else:
                    self._refusals_log = StateLog()
                    self._state_log.report(logging.INFO, "snmpd", f"serving snmpd at {self._where}")
            case agentx.Closed(reason):
                self._lost(reason)
            case agentx.Pong():
                pass

    def _lost(self, why: str) -> None:
        """This connection, or this attempt, has failed; the next one is `check`'s."""
        was_registered = self._is_registered
        self._drop()
        if was_registered:
            self._try_at = 0.0  # it may be back already
            self._targets.clear()
            self._failures.clear()
            self._state_log.report(logging.WARNING, "snmpd", why)
            return
        self._failures.append(why)
        if self._targets:
            self._try_at = 0.0
            return
        why, self._failures = "; ".join(self._failures), []
        self._report_unreachable(why)

    def _report_unreachable(self, why: str) -> None:
        level = logging.INFO if self._state_log.last("snmpd") else logging.WARNING
        self._state_log.report(level, "snmpd", f"no snmpd yet: {why}")

    def _drop(self) -> None:
        if self._socket is not None:
            self._loop.forget(self._socket.fileno())
            self._socket.close()
        self._socket = self._session = None
        self._unsent = b""
        self._busy = False
        self._release_at = float("inf")
        self._is_registered = False
        self.refused = ()


def targets(address: TCPAddress, found: Sequence[Any]) -> list[Target]:
    """The addresses of a name, as socket.getaddrinfo gives them, in its order."""
    several = dict.fromkeys((family, sockaddr) for family, _, _, _, sockaddr in found)
    return [
        Target(
            family,
            sockaddr,
            str(address) if sockaddr[0] == address.host else f"{address} ({sockaddr[0]})",
        )
        for family, sockaddr in several
    ]
