"""The one event loop: snmpd's requests, VPP's news, timers, signals, systemd.

The rules this module keeps:

- Nothing in it waits but the poll.  What is long (making ten thousand rows) is done a
  step at a time, and requests are answered between the steps.
- The log tells changes of state.  A failure that repeats is told once.
"""

import errno
import logging
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator

from . import __version__, config, sockets
from .agentx import session as agentx
from .agentx.mib import Module, UpTime, View
from .agentx.pdu import MalformedPDU, error_name
from .agentx.session import Session
from .config import BadSettings, Descriptions, Settings, TCPAddress, UnixAddress
from .interfaces.table import InterfaceTable
from .mibs import if_mib
from .systemd import Supervisor
from .vpp import feed
from .vpp.inventory import Identity, Inventory
from .vpp.stats import Segment, SegmentUnavailable

log = logging.getLogger("vpp-snmp-agent")

TICK = 0.25  # seconds between two looks at what is due
RECONNECT = 0.5  # seconds between two attempts to reach snmpd
PING = 15.0  # seconds of silence after which snmpd is asked whether it is there
LOST = 60.0  # seconds of silence after which it is not
READ_SIZE = 1 << 16

Handler = Callable[[int], None]


class Loop:
    """What to call when a file descriptor is ready."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._handlers: dict[int, Handler] = {}

    def watch(self, fd: int, handler: Handler, mask: int = select.EPOLLIN) -> None:
        """Call `handler(events)` when `fd` is ready; or change the mask of a watched one."""
        if fd in self._handlers:
            self._epoll.modify(fd, mask)
        else:
            self._epoll.register(fd, mask)
        self._handlers[fd] = handler

    def forget(self, fd: int) -> None:
        """To be called before `fd` is closed."""
        if self._handlers.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def turn(self, timeout: float) -> None:
        """Wait for at most `timeout` seconds and call who is ready."""
        for fd, events in self._epoll.poll(timeout):
            handler = self._handlers.get(fd)  # an earlier handler of this turn may have closed it
            if handler is not None:
                handler(events)

    def close(self) -> None:
        """Of no use any more."""
        self._epoll.close()


class Told:
    """Log lines by subject: the same again is not told again."""

    def __init__(self) -> None:
        self._last: dict[str, str] = {}

    def tell(self, level: int, subject: str, text: str) -> None:
        """Log `text` unless it is the last that was said of `subject`."""
        if self._last.get(subject) != text:
            self._last[subject] = text
            log.log(level, "%s", text)

    def last(self, subject: str) -> str:
        """What was said last."""
        return self._last.get(subject, "")


class Master:
    """The connection to snmpd, made anew whenever it is lost."""

    def __init__(
        self, settings: Settings, view: View, modules: list[Module], uptime: UpTime, loop: Loop
    ) -> None:
        self._address = settings.address
        self._trace = log.debug if settings.trace else None
        self._view = view
        self._modules = modules
        self._uptime = uptime
        self._loop = loop
        self._told = Told()
        self._socket: socket.socket | None = None
        self._session: Session | None = None
        self._unsent = b""
        self._try_at = 0.0
        self._heard = self._pinged = 0.0
        self.serving = False

    def check(self, now: float) -> None:
        """Connect, ping, or give up, as it is due."""
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
                self._socket.send(self._session.close())
            except OSError:
                log.debug("snmpd took no goodbye")
            self._drop()

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
        self._session = Session(
            self._view, self._modules, f"vpp-snmp-agent {__version__}", self._trace
        )
        self._loop.watch(self._socket.fileno(), self._ready)
        self._send(self._session.open())

    def _ready(self, events: int) -> None:
        assert self._socket is not None
        assert self._session is not None
        if events & select.EPOLLOUT:
            self._send(b"")
        if self._socket is None or not events & ~select.EPOLLOUT:
            return
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
        self._heard = time.monotonic()
        try:
            answer = self._session.receive(data)
        except MalformedPDU as error:
            self._lost(f"{self._address} does not speak AgentX: {error}")
            return
        if answer:
            self._send(answer)
        for event in self._session.events():
            self._happened(event)

    def _send(self, data: bytes) -> None:
        assert self._socket is not None
        data = self._unsent + data if self._unsent else data
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._lost(f"lost snmpd at {self._address}: {error.strerror}")
            return
        if sent < len(data) or self._unsent:
            # Nothing more is read before this is gone: a master that takes no answers
            # gets no further ones to be kept for it.
            self._unsent = data[sent:]
            mask = select.EPOLLOUT if self._unsent else select.EPOLLIN
            self._loop.watch(self._socket.fileno(), self._ready, mask)

    def _happened(self, event: agentx.Event) -> None:
        match event:
            case agentx.Opened(sys_up_time):
                self._uptime.set(sys_up_time, time.monotonic())
            case agentx.Refused(what, error):
                hint = (
                    ": snmpd or another subagent serves it already;"
                    " start snmpd with -I -smux,mteTrigger,mteTriggerConf,ifTable"
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
        self.serving = False


class Agent:
    """All of it together."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._descriptions = Descriptions()
        self._loop = Loop()
        self._told = Told()
        self._supervisor = Supervisor()
        self._table = InterfaceTable()
        modules = [if_mib.module(self._table)]
        view = View([each for module in modules for each in module.objects])
        self._master = Master(settings, view, modules, self._table.uptime, self._loop)
        self._feed = feed.Feed(
            feed.Settings(
                settings.api_socket, settings.stats_socket, settings.api_dir, settings.period
            ),
            opened=lambda fd: self._loop.watch(fd, self._feed_ready),
            closing=self._loop.forget,
        )
        self._identity: Identity | None = None
        self._segment: Segment | None = None
        self._inventory: Inventory | None = None
        self._building: Iterator[None] | None = None
        self._vpp_state = "not seen yet"
        self._status_told = ""
        self._stopping = False
        self._alive_at = 0.0

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        bell = self._catch_signals()
        self._load_descriptions()
        log.info("vpp-snmp-agent %s starts", __version__)
        try:
            self._supervisor.ready()
            due = 0.0
            while not self._stopping:
                now = time.monotonic()
                if now >= due:
                    due = now + TICK
                    self._tick(now)
                self._loop.turn(0 if self._building else max(0.0, due - time.monotonic()))
                if self._building:
                    self._build()
            log.info("vpp-snmp-agent ends")
        finally:
            self._supervisor.stopping()
            self._master.close()
            self._feed.close()
            signal.set_wakeup_fd(-1)
            for end in bell:
                end.close()
            self._loop.close()

    def _tick(self, now: float) -> None:
        self._master.check(now)
        for news in self._feed.check(now):
            self._vpp_tells(news)
        status = self._status()
        if status != self._status_told:
            self._status_told = status
            self._supervisor.status(status)
        period = self._supervisor.watchdog_period
        if period and now >= self._alive_at:
            self._alive_at = now + period
            self._supervisor.alive()

    def _status(self) -> str:
        rows = len(self._table.rows)
        snmpd = "serving snmpd" if self._master.serving else "no snmpd"
        return f"{rows} interfaces; VPP {self._vpp_state}; {snmpd}"

    # --- signals ---------------------------------------------------------------------

    def _catch_signals(self) -> tuple[socket.socket, socket.socket]:
        reader, writer = socket.socketpair()
        reader.setblocking(False)
        writer.setblocking(False)
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)

        def caught(events: int) -> None:
            for number in reader.recv(64):
                if number == signal.SIGHUP:
                    self._load_descriptions()
                    self._rebuild()
                elif number in (signal.SIGTERM, signal.SIGINT):
                    self._stopping = True

        self._loop.watch(reader.fileno(), caught)
        return reader, writer

    def _load_descriptions(self) -> None:
        path = self._settings.vppcfg
        if path is None:
            return
        try:
            self._descriptions = config.load_descriptions(path)
            log.info("%s: %d descriptions", path, len(self._descriptions.by_name))
        except FileNotFoundError:
            log.warning("%s: there is no such file; interfaces go without descriptions", path)
        except BadSettings as error:
            log.error("%s; the descriptions stay as they were", error)

    # --- VPP -------------------------------------------------------------------------------

    def _feed_ready(self, events: int) -> None:
        for news in self._feed.receive(time.monotonic()):
            self._vpp_tells(news)

    def _vpp_tells(self, news: feed.News) -> None:
        match news:
            case feed.Present(identity):
                self._identity, self._segment, self._inventory = identity, None, None
                self._vpp_is(logging.INFO, f"{identity.version} answers", f"pid {identity.vpe_pid}")
            case feed.Segment(descriptor):
                self._map(descriptor)
                self._rebuild()
            case feed.NoSegment(reason, number):
                why = sockets.explain(self._settings.stats_socket, number) if number else reason
                self._no_counters(why)
            case Inventory():
                log.debug("VPP tells of %d interfaces", len(news.interfaces))
                self._inventory = news
                self._rebuild()
            case feed.Away(number):
                self._inventory = self._building = None
                self._table.away()
                why = sockets.explain(self._settings.api_socket, number) if number else ""
                if number == errno.EACCES:
                    self._vpp_is(logging.ERROR, "cannot be reached", why)
                else:
                    self._vpp_is(logging.WARNING, "is away", why)
            case feed.Hung(since):
                when = time.strftime(
                    "%H:%M:%S", time.localtime(time.time() - time.monotonic() + since)
                )
                self._vpp_is(
                    logging.WARNING,
                    f"hangs: its API does not answer since {when}",
                    "interfaces stay as last told, counters are live",
                )
            case feed.Answering():
                self._vpp_is(logging.INFO, "answers again", "")
            case feed.Failed(reason):
                self._vpp_is(logging.ERROR, "cannot be asked", reason)

    def _vpp_is(self, level: int, state: str, detail: str) -> None:
        self._vpp_state = state
        self._told.tell(level, "VPP", f"VPP {state}" + (f" ({detail})" if detail else ""))

    def _map(self, descriptor: int) -> None:
        try:
            self._segment = Segment(descriptor)
        except SegmentUnavailable as error:
            self._no_counters(str(error))
        else:
            self._told.tell(logging.DEBUG, "segment", "VPP's counters are mapped")
        finally:
            os.close(descriptor)

    def _no_counters(self, why: str) -> None:
        self._told.tell(logging.ERROR, "segment", f"VPP's counters are not to be had: {why}")

    def _rebuild(self) -> None:
        if self._inventory is not None:
            self._building = self._table.update(self._inventory, self._segment, self._descriptions)

    def _build(self) -> None:
        assert self._building is not None
        before = len(self._table.rows)
        for _ in self._building:
            return
        self._building = None
        if len(self._table.rows) != before:
            log.info("%d interfaces are served", len(self._table.rows))
