"""The one event loop: snmpd's requests, VPP's news, timers, signals, systemd.

The rules this module keeps:

- Nothing in it waits but the poll, save 1 ms for a walk's next question (master.py), and
  50 ms, once, for a lock that VPP keeps (vpp/stats.py).
- What is long is done elsewhere (the state file is written by a process forked for it) or a
  step at a time (making ten thousand rows), and requests are answered between the steps.
- The log tells changes of state.  A failure that repeats is told once.
"""

import ctypes
import errno
import gc
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from . import __version__, config, mibs, sockets
from .agentx.mib import View
from .config import BadSettings, Descriptions, Settings
from .errand import Errand
from .interfaces.links import Links
from .interfaces.naming import DOWN, UNKNOWN
from .interfaces.store import Damaged, Store, StoreError
from .interfaces.table import InterfaceTable
from .loop import Loop, Told, log
from .master import Master
from .mibs.if_mib import link_notification
from .systemd import Supervisor
from .vpp import feed
from .vpp.inventory import Inventory
from .vpp.stats import Segment, SegmentUnavailable

TICK = 0.25  # seconds between two looks at what is due
FIRST_WORD = 1.0  # seconds that VPP has to speak before its last known rows are shown
UNHURRIED = 10.0  # seconds between two writings of what is no new index


SAID_TO_SNMPD = ("address", "debug", "mibs")  # a new connection where one of these changes


def _asked_of_vpp(settings: Settings) -> feed.Settings:
    """What a reporter is told; another one starts where it changes."""
    tells_ip = "IP-MIB" in settings.mibs
    return feed.Settings(
        settings.api_socket,
        settings.stats_socket,
        settings.api_dir,
        settings.period,
        settings.addresses if tells_ip else 0.0,
        settings.neighbors if tells_ip else 0.0,
    )


def give_memory_back() -> None:
    """Leave to the system what old rows took: 6 MiB of 10,000, in 1 ms."""
    with suppress(AttributeError):  # a C library other than glibc
        ctypes.CDLL(None).malloc_trim(0)


class Agent:
    """All of it together."""

    def __init__(self, settings: Settings, reload: Callable[[], Settings]) -> None:
        """`reload` reads the settings again; it raises BadSettings."""
        self._settings = settings
        self._reload = reload
        self._descriptions = Descriptions()
        self._loop = Loop()
        self._told = Told()
        self._supervisor = Supervisor()
        self._table = InterfaceTable(self._open_store(settings), settings)
        self._master = self._make_master()
        self._feed = self._make_feed()
        self._links = Links()
        self._segment: Segment | None = None
        self._inventory: Inventory | None = None
        self._building: Iterator[None] | None = None
        self._writing: Errand | None = None  # the state file
        self._reading: Errand | None = None  # the vppcfg
        self._read_again_after = False
        self._write_at = 0.0  # not sooner, if it is no new index
        self._restore_at: float | None = None
        self._vpp_started = 0.0  # by time.monotonic, as far as VPP tells
        self._vpp_state = "VPP not seen yet"
        self._status_told = ""
        self._alive_at = 0.0
        self._stopping = False

    def _make_master(self) -> Master:
        self._table.forget_derived()
        modules = mibs.modules(self._table, self._settings.mibs)
        view = View([each for module in modules for each in module.objects])
        return Master(self._settings, view, modules, self._table.uptime, self._loop)

    def _make_feed(self) -> feed.Feed:
        return feed.Feed(
            _asked_of_vpp(self._settings),
            opened=lambda fd: self._loop.watch(fd, self._feed_ready),
            closing=self._loop.forget,
        )

    def _open_store(self, settings: Settings) -> Store:
        if settings.ifindex == "stateless":
            return Store()
        store = Store(settings.state_dir)
        try:
            try:
                store.load()
            except Damaged as error:
                log.error("%s; set aside as %s", error, store.set_aside())
                log.error("every interface is numbered anew")
        except StoreError as error:
            log.error("%s: every interface is numbered anew, in memory alone", error)
            return Store()
        return store

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        bell = self._catch_signals()
        log.info("vpp-snmp-agent %s starts", __version__)
        self._first_descriptions()
        try:
            self._supervisor.ready()
            due = 0.0
            self._restore_at = time.monotonic() + FIRST_WORD
            while not self._stopping:
                now = time.monotonic()
                if now >= due:
                    due = now + TICK
                    self._tick(now)
                self._loop.turn(0 if self._building else due - now)
                if self._building:
                    self._build()
            log.info("vpp-snmp-agent ends")
        finally:
            self._supervisor.stopping()
            self._master.close()
            self._feed.close()
            self._write_last()
            signal.set_wakeup_fd(-1)
            for end in bell:
                end.close()
            self._loop.close()

    def _tick(self, now: float) -> None:
        self._master.check(now)
        for news in self._feed.check(now):
            self._vpp_tells(news)
        self._table.look()
        if self._restore_at is not None and now >= self._restore_at:
            self._restore(UNKNOWN)
        if self._table.leftover and self._settled(now):
            self._rebuild()
        if self._table.store.stale and now >= self._write_at:
            self._write(now)
        self._notify(now)
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
        return f"{rows} interfaces; {self._vpp_state}; {snmpd}"

    # --- signals and settings -----------------------------------------------------------

    def _first_descriptions(self) -> None:
        """Before there are rows, so that none is shown without its description."""
        read, error = None, None
        try:
            if self._settings.vppcfg is not None:
                read = config.load_descriptions(self._settings.vppcfg)
        except (BadSettings, OSError) as wrong:
            error = wrong
        if read or error:
            self._descriptions_are(read, error)

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
                    self._read_again()
                elif number in (signal.SIGTERM, signal.SIGINT):
                    self._stopping = True

        self._loop.watch(reader.fileno(), caught)
        return reader, writer

    def _read_again(self) -> None:
        try:
            settings = self._reload()
        except BadSettings as error:
            log.error("%s; the settings stay as they were", error)
            settings = self._settings
        before, self._settings, self._table.settings = self._settings, settings, settings
        log.setLevel(logging.DEBUG if settings.debug else logging.INFO)
        if (before.state_dir, before.ifindex) != (settings.state_dir, settings.ifindex):
            self._table.store = self._open_store(settings)
        if any(getattr(before, name) != getattr(settings, name) for name in SAID_TO_SNMPD):
            self._building = self._table.prepared = None  # of other tables
            self._master.close()
            self._master = self._make_master()
        if _asked_of_vpp(before) != _asked_of_vpp(settings):
            self._feed.close()
            self._feed = self._make_feed()
        self._read_descriptions()

    def _read_descriptions(self) -> None:
        """Read the vppcfg elsewhere, for it can be long; then make the rows anew."""
        path = self._settings.vppcfg
        if path is None:
            self._descriptions_are(Descriptions(), None)
        elif self._reading is None:  # else it is read again as soon as that is done
            try:
                self._reading = Errand(
                    self._loop, lambda: config.load_descriptions(path), self._descriptions_are
                )
            except OSError as error:
                self._descriptions_are(None, error)
        else:
            self._read_again_after = True

    def _descriptions_are(self, read: Descriptions | None, error: Exception | None) -> None:
        self._reading = None
        path = self._settings.vppcfg
        if read is not None:
            self._descriptions = read
            if path is not None:
                log.info("%s: %d descriptions", path, len(read.by_name))
        elif isinstance(error, FileNotFoundError):
            log.warning("%s: there is no such file; the descriptions stay as they were", path)
        else:
            log.error("%s; the descriptions stay as they were", error)
        if self._read_again_after:
            self._read_again_after = False
            self._read_descriptions()
        else:
            self._rebuild()

    # --- VPP -------------------------------------------------------------------------------

    def _feed_ready(self, events: int) -> None:
        for news in self._feed.receive(time.monotonic()):
            self._vpp_tells(news)

    def _vpp_tells(self, news: feed.News) -> None:
        match news:
            case feed.Present(identity):
                self._segment = self._inventory = None
                self._vpp_started = time.monotonic()
                self._supervisor.publish("distro", f"VPP {identity.version}")
                self._vpp_is(
                    logging.INFO, f"VPP {identity.version} answers", f"pid {identity.vpe_pid}"
                )
            case feed.Segment(descriptor):
                self._map(descriptor)
                self._rebuild()
            case feed.NoSegment(reason, number):
                why = sockets.explain(self._settings.stats_socket, number) if number else reason
                self._no_counters(why)
            case Inventory():
                log.debug("VPP tells of %d interfaces", len(news.interfaces))
                self._inventory = news
                self._restore_at = None
                self._rebuild()
            case feed.Away(number):
                self._inventory = self._building = self._table.prepared = None
                if self._restore_at is not None:
                    self._restore(DOWN)
                self._table.away()
                why = sockets.explain(self._settings.api_socket, number) if number else ""
                if number == errno.EACCES:
                    self._vpp_is(logging.ERROR, "VPP cannot be reached", why)
                else:
                    self._vpp_is(logging.WARNING, "VPP is away", why)
            case feed.Hung(since):
                ago = time.monotonic() - since
                when = time.strftime("%H:%M:%S", time.localtime(time.time() - ago))
                self._vpp_is(
                    logging.WARNING,
                    f"VPP's API does not answer since {when}",
                    "interfaces stay as last told, counters are read on",
                )
            case feed.Answering():
                self._vpp_is(logging.INFO, "VPP answers again", "")
            case feed.Failed(reason):
                if self._restore_at is not None:
                    self._restore(UNKNOWN)
                self._vpp_is(logging.ERROR, "VPP cannot be asked", reason)

    def _vpp_is(self, level: int, state: str, detail: str) -> None:
        self._vpp_state = state
        self._told.tell(level, "VPP", state + (f" ({detail})" if detail else ""))

    def _map(self, descriptor: int) -> None:
        try:
            self._segment = Segment(descriptor)
        except SegmentUnavailable as error:
            self._no_counters(str(error))
        else:
            self._told.tell(logging.DEBUG, "segment", "VPP's counters are mapped")
            self._vpp_started = time.monotonic() - self._segment.uptime
        finally:
            os.close(descriptor)

    def _no_counters(self, why: str) -> None:
        self._told.tell(logging.ERROR, "segment", f"VPP's counters are not to be had: {why}")

    # --- rows --------------------------------------------------------------------------------

    def _restore(self, oper_status: int) -> None:
        """Show what was known before this start, for VPP does not tell."""
        self._restore_at = None
        if not len(self._table.rows) and self._settings.ifindex == "kept":
            self._table.restore(oper_status)
            self._tell_rows()

    def _rebuild(self) -> None:
        if self._inventory is not None:
            settled = self._settled(time.monotonic())
            self._building = self._table.update(
                self._inventory, self._segment, self._descriptions, settled
            )

    def _settled(self, now: float) -> bool:
        """Whether VPP has had its time to be configured."""
        if self._segment is not None:
            # VPP writes how long it has run every ten seconds: later it is told better.
            self._vpp_started = min(self._vpp_started, now - self._segment.uptime)
        return now >= self._vpp_started + self._settings.settle

    def _build(self) -> None:
        assert self._building is not None
        for _ in self._building:
            return
        self._building = None
        self._publish()

    def _publish(self) -> None:
        """Show the prepared rows, once the indexes in them are on the disk."""
        if self._table.prepared is None or self._writing is not None:
            return
        if self._table.store.unwritten:
            self._write(time.monotonic())
            if self._writing is not None:
                return
        self._table.commit()
        # Rows stay.  To look through 10,000 for garbage would stop all answers for 10 ms.
        gc.freeze()
        give_memory_back()
        self._tell_rows()

    def _notify(self, now: float) -> None:
        """Tell of links that failed or came up, as soon as there is somebody to tell."""
        self._links.went(self._table.went)
        self._table.went.clear()
        if not self._master.takes_notifications or "IF-MIB" not in self._settings.mibs:
            return
        for row in self._links.due(self._table.rows, now):
            what = "linkDown" if row.is_down else "linkUp"
            log.debug("%s: %s", what, row.name)
            self._master.notify(f"notification {what}", link_notification(row))
            if not self._master.takes_notifications:
                return

    def _tell_rows(self) -> None:
        self._told.tell(logging.INFO, "rows", f"{len(self._table.rows)} interfaces are served")
        for key, wanted in self._table.clashes.items():
            self._told.tell(
                logging.WARNING, key, f"{key} keeps its name: another interface is called {wanted}"
            )

    # --- the state file -------------------------------------------------------------------------

    def _write(self, now: float) -> None:
        self._write_at = now + UNHURRIED
        if self._writing is not None:
            return
        store = self._table.store

        def written(result: None, error: Exception | None) -> None:
            self._writing = None
            if error is not None:
                store.stale = True  # tried again, unhurried
                self._not_kept(error)
            self._publish()

        try:
            self._writing = Errand(self._loop, store.write, written)
            store.handed_over()
        except OSError as error:
            self._not_kept(error)

    def _write_last(self) -> None:
        if self._writing is not None:
            self._writing.wait()
        store = self._table.store
        if store.unwritten or store.stale:
            try:
                store.write()
            except StoreError as error:
                self._not_kept(error)

    def _not_kept(self, why: Exception) -> None:
        self._told.tell(
            logging.WARNING, "state", f"{why}: ifIndexes are kept in memory alone, until it can"
        )
