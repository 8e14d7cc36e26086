"""The connection to snmpd: made anew whenever it is lost, quietly.

Nothing here waits, but for LINGER in a walk: what cannot be sent or read now is done when
the loop says so.
"""

import errno
import logging
import select
import socket
import struct
import time
from collections.abc import Callable, Sequence

from . import __version__, sockets
from .agentx import session as agentx
from .agentx.mib import Module, UpTime, View
from .agentx.pdu import MalformedPDU, error_name
from .agentx.session import Session
from .config import Settings, TCPAddress, UnixAddress
from .loop import Loop, Told, log

RECONNECT = 0.5  # seconds between two attempts to reach snmpd
PING = 15.0  # seconds of silence after which snmpd is asked whether it is there
LOST = 60.0  # seconds of silence after which it is not
READ_SIZE = 1 << 16
HOLD = 0.75  # seconds; after one snmpd repeats a request, and so does its client
LINGER = 0.001  # seconds that a walk's next question is waited for where it comes
STRETCH = 16  # questions answered before others have their turn


class Master:
    """The connection to snmpd, made anew whenever it is lost."""

    def __init__(
        self,
        settings: Settings,
        view: View,
        modules: Sequence[Module],
        uptime: UpTime,
        loop: Loop,
        on_hold: bool = False,
    ) -> None:
        """`on_hold`: requests wait until `release`, but none for longer than HOLD."""
        self.on_hold = on_hold
        self._release_at = float("inf")
        self._address = settings.address
        self._trace: Callable[[str], None] | None = log.debug if settings.debug > 1 else None
        self._view = view
        self._modules = modules
        self._uptime = uptime
        self._loop = loop
        self._told = Told()
        self._socket: socket.socket | None = None
        self._session: Session | None = None
        self._unsent = b""
        self._busy = False  # with what came, and deaf to more of it
        self._try_at = 0.0
        self._heard = self._pinged = 0.0
        self.serving = False

    @property
    def due(self) -> float:
        """When `check` is to be called at the latest, by time.monotonic."""
        return self._release_at

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
                self._take(b"")

    def check(self, now: float) -> None:
        """Connect, ping, or give up, as it is due."""
        if now >= self._release_at:
            self.release()
        if self._socket is None:
            if now >= self._try_at:
                self._try_at = now + RECONNECT
                self._connect(now)
        elif now - self._heard > LOST:
            self._lost(f"snmpd at {self._address} is silent")
        elif self.serving and now - max(self._heard, self._pinged) > PING:
            assert self._session is not None
            self._pinged = now
            self._send(self._session.ping())

    def close(self) -> None:
        """Say goodbye, if snmpd takes it at once."""
        if self._socket is not None and self._session is not None:
            try:
                self._socket.send(self._session.close(), socket.MSG_DONTWAIT)
            except OSError:
                log.debug("snmpd took no goodbye")
            self._drop()

    @property
    def takes_notifications(self) -> bool:
        """Whether snmpd serves us, and took all that it was sent."""
        return self.serving and not self._unsent

    def notify(self, what: str, varbinds: Sequence[bytes]) -> None:
        """Have snmpd send a notification; `what` it is, for the log."""
        assert self._session is not None
        self._send(self._session.notify(what, varbinds))

    def _connect(self, now: float) -> None:
        address = self._address
        try:
            if isinstance(address, UnixAddress):
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                target: str | tuple[str, int] = address.path
            else:
                family, _, _, _, found = socket.getaddrinfo(
                    address.host, address.port, type=socket.SOCK_STREAM
                )[0]
                self._socket = socket.socket(family, socket.SOCK_STREAM)
                target = found[:2]  # type: ignore[assignment]
            self._socket.setblocking(False)
            number = self._socket.connect_ex(target)
        except OSError as error:
            self._lost(f"{address}: {error.strerror or error}")
            return
        self._heard = self._pinged = now
        if number == errno.EINPROGRESS:
            self._loop.watch(self._socket.fileno(), self._connected, select.EPOLLOUT)
        elif number:
            self._unreachable(number)
        else:
            self._connected(0)

    def _unreachable(self, number: int) -> None:
        self._lost(f"no snmpd yet: {sockets.explain(str(self._address), number)}")

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
        patience = struct.pack("@ll", 0, round(LINGER * 1e6))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, patience)
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
            self._take(b"")

    def _read(self) -> None:
        """Answer what came; in a walk, wait right here for the next question.

        It comes some 40 us after an answer.  Waiting in recv saves the epoll_wait before
        it, a tenth of what a varbind costs.
        """
        for _ in range(STRETCH):
            assert self._socket is not None
            try:
                data = self._socket.recv(READ_SIZE)
            except BlockingIOError:
                return
            except OSError as error:
                self._lost(f"lost snmpd at {self._address}: {error.strerror}")
                return
            if not data:
                self._lost(f"snmpd at {self._address} closed the connection")
                return
            now = time.monotonic()
            walking = now - self._heard < LINGER
            self._heard = now
            self._take(data)
            if not walking or not self._loop.patient or self._busy or self._socket is None:
                return

    def _take(self, data: bytes) -> None:
        session = self._session
        assert session is not None
        try:
            answer = session.receive(data)
        except MalformedPDU as error:
            self._lost(f"{self._address} does not speak AgentX: {error}")
            return
        if self.on_hold and session.holds:
            self._release_at = min(self._release_at, time.monotonic() + HOLD)
        if answer or session.more or self._busy:
            self._send(answer)
        for event in session.events():
            if self._session is session:  # else it was lost over the answer, or an event
                self._happened(event)

    def _send(self, data: bytes) -> None:
        assert self._socket is not None
        assert self._session is not None
        data = self._unsent + data if self._unsent else data
        try:
            sent = self._socket.send(data, socket.MSG_DONTWAIT)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._lost(f"lost snmpd at {self._address}: {error.strerror}")
            return
        self._unsent = data[sent:]
        # Nothing more is read before all is answered and sent: a master that takes no
        # answers gets no further ones to be kept for it.
        busy = bool(self._unsent) or self._session.more
        if busy != self._busy:
            self._busy = busy
            mask = select.EPOLLOUT if busy else select.EPOLLIN
            self._loop.watch(self._socket.fileno(), self._ready, mask)

    def _happened(self, event: agentx.Event) -> None:
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
                self._told.tell(
                    logging.ERROR, what, f"snmpd refused {what}: {error_name(error)}{hint}"
                )
            case agentx.Registered(refused):
                self.serving = True
                self._told.tell(
                    logging.INFO,
                    "snmpd",
                    f"serving snmpd at {self._address}"
                    + (f", with {refused} registrations refused" if refused else ""),
                )
            case agentx.Closed(reason):
                self._lost(reason)
            case agentx.Pong():
                pass

    def _lost(self, why: str) -> None:
        if self.serving:
            self._try_at = 0.0  # it may be back already
        level = logging.WARNING if self.serving or not self._told.last("snmpd") else logging.INFO
        self._told.tell(level, "snmpd", why)
        self._drop()

    def _drop(self) -> None:
        if self._socket is not None:
            self._loop.forget(self._socket.fileno())
            self._socket.close()
        self._socket = self._session = None
        self._unsent = b""
        self._busy = False
        self._release_at = float("inf")
        self.serving = False
