"""The loop's cast: snmpd's requests, VPP's news, timers, signals, systemd.

The rules this module keeps:

- Nothing in it waits but the poll, except 1 ms for a walk's next question
  (agentx/connection.py), 50 ms, once, for a lock that VPP keeps (vpp/mapping.py), and 1 to 4 ms,
  once a second at most for each of its counters, where VPP zeroes them (interfaces/counters.py).
- What is long is done elsewhere (the state's thread, a process that reads the vppcfg) or a
  slice at a time, and requests are answered between the slices.
- Settings are one value.  What they change is brought about by whom it concerns: snmpd's
  connection, the reporter, the rows (serving.py).
- Changes of state are logged.  A failure that repeats is logged once.
"""

import gc
import logging
import os
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import replace

from . import __version__
from .agentx.connection import Master
from .agentx.mib import UpTime
from .describing import SETTINGS_TIMEOUT, DescriptionReader, saved_descriptions
from .following import Follower
from .interfaces.facts import Configuration
from .notifying import Notifier
from .runtime.affinity import Placement
from .runtime.garbage import COLLECTION_INTERVAL, collect_young
from .runtime.loop import Loop, StateLog, counted, log
from .runtime.systemd import Supervisor
from .serving import Served, Serving
from .settings.declarations import Entails, Settings
from .settings.document import BadSettings
from .vpp import feed

TICK = 0.25  # seconds between two ticks while anything changes
IDLE_TICK = 1.0  # the same at rest
COUNT_INTERVAL = 60.0  # seconds between two log lines on how many interfaces are served


def _reporter_settings(settings: Settings) -> feed.ReporterSettings:
    """What a reporter needs to know; another one starts where it changes."""
    own = feed.ReporterSettings(**settings.entailing(Entails.REPORTER))
    serves_ip = "IP-MIB" in settings.mibs
    return own if serves_ip else replace(own, addresses=0.0, neighbors=0.0)


class Agent:
    """All of it together."""

    def __init__(self, settings: Settings, reload: Callable[[], Settings]) -> None:
        """`reload` reads the settings again; it raises BadSettings.

        Raises StateError where the state of ports is unavailable.
        """
        # Garbage is collected at rest, and only what is young (runtime/garbage.py).
        gc.disable()
        log.info("vpp-snmp-agent %s starts", __version__)
        self._settings = settings
        self._reload = reload
        self._loop = Loop()
        self._state_log = StateLog()
        self._supervisor = Supervisor()
        self._uptime = UpTime()
        self._notifier = Notifier()
        self._placement = Placement()
        self._reader = DescriptionReader(self._loop, self._configure)
        self._has_bad_settings = False  # as was logged
        self._has_read = False  # the vppcfg, once, or it is known why not
        self._configure_at = float("inf")
        self._serving = Serving(
            *(self._loop, self._uptime, self._configuration, self._switch, self._control_status)
        )
        self._master = self._make_master(on_hold=True)
        self._follower = Follower(
            *(settings, lambda: self._serving.publishers, self._supervisor),
            ask=lambda: self._feed.ask(),
        )
        self._feed = feed.Feed(
            _reporter_settings(settings),
            opened=lambda fd: self._loop.watch(fd, self._feed_ready),
            closing=self._loop.forget,
        )
        self._status_sent = ""
        self._slices = 0  # of work, since garbage was collected last
        self._count_logged, self._count_logged_at = -1, float("-inf")
        self._alive_at = self._collect_at = self._due = 0.0
        self._was_active = True
        self._stopping = False
        self._know_descriptions()
        self._reader.read(settings.vppcfg)

    @property
    def _configuration(self) -> Configuration:
        return Configuration(self._settings, self._reader.descriptions)

    def _make_master(self, on_hold: bool) -> Master:
        shown = self._serving.shown
        return Master(self._settings, shown.view, shown.modules, self._uptime, self._loop, on_hold)

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        bell = self._catch_signals()
        gc.freeze()
        try:
            self._supervisor.ready()
            while not self._stopping:
                now = time.monotonic()
                if now >= self._next_tick:
                    self._tick(now)
                    self._due = now + (IDLE_TICK if self._is_at_rest else TICK)
                    self._was_active = False
                has_work = self._work()
                self._loop.turn(0 if has_work else max(0.0, self._next_tick - now))
            log.info("vpp-snmp-agent ends")
        finally:
            self._supervisor.stopping()
            self._reader.close()
            self._master.close()
            self._feed.close()
            self._serving.close()
            signal.set_wakeup_fd(-1)
            for end in bell:
                end.close()
            self._loop.close()

    def _tick(self, now: float) -> None:
        if self._serving.is_restored:  # snmpd shall not find half a table
            self._master.check(now)
        for news in self._feed.check(now):
            self._follower.take(news)
        self._follower.check(now)
        self._placement.update(
            *(self._settings.cpus, self._follower.worker_cpus),
            pids=(os.getpid(), *self._feed.pids),
        )
        self._reader.check(now)
        if now >= self._configure_at:
            self._configure()
        self._serving.shown.publisher.poll()
        self._serving.save(now)
        self._notify(now)
        self._log_count(now)
        if now >= self._collect_at:
            self._collect_at = now + COLLECTION_INTERVAL
            self._serving.shown.publisher.retry_counters()
            collect_young(self._slices)
            self._slices = 0
        status = self._status()
        if status != self._status_sent:
            self._status_sent = status
            self._supervisor.status(status)
        period = self._supervisor.watchdog_period
        if period and now >= self._alive_at:
            self._alive_at = now + period
            self._supervisor.alive()

    @property
    def _next_tick(self) -> float:
        return min(self._due, self._master.due) if self._serving.is_restored else self._due

    @property
    def _is_at_rest(self) -> bool:
        """Whether nothing happened since the last tick, and nothing is waited for."""
        if self._was_active or not self._master.serving or self._serving.is_saving:
            return False
        return self._follower.is_following

    def _wake_up(self) -> None:
        """Something happened: tick soon."""
        self._was_active = True
        self._due = min(self._due, time.monotonic() + TICK)

    def _work(self) -> bool:
        """One slice of what there is to do; whether there is more."""
        if self._serving.has_work:
            self._wake_up()
            self._slices += 1
            was_restored = self._serving.is_restored
            has_more = self._serving.work()
            if self._serving.is_restored and not was_restored:
                self._master.check(time.monotonic())
            if has_more:
                return True
        if self._master.on_hold and self._is_known():
            self._master.release()
        return False

    def _is_known(self) -> bool:
        """Whether what is shown is what VPP reports, or as good as it will get."""
        reported = self._follower.is_reported and self._has_read
        return reported and self._serving.shown.publisher.is_idle

    def _feed_ready(self, events: int) -> None:
        for news in self._feed.receive(time.monotonic()):
            self._follower.take(news)
            self._wake_up()

    def _status(self) -> str:
        rows = counted(len(self._serving.shown.publisher.rows), "interface", "interfaces")
        return f"{rows}; {self._follower.state}; {self._master.state}"

    def _control_status(self) -> list[object]:
        """What `check` asks for: the status, whether snmpd is served, what it refuses."""
        return [self._status(), self._master.serving, self._master.refused]

    # --- signals and settings -----------------------------------------------------------

    def _catch_signals(self) -> tuple[socket.socket, socket.socket]:
        reader, writer = socket.socketpair()
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
            self._has_bad_settings = True
            settings = self._settings
        else:
            if self._has_bad_settings:
                log.info("the settings are read again")
            self._has_bad_settings = False
        self._wake_up()
        before, self._settings = self._settings, settings
        self._follower.settings = settings
        log.setLevel(logging.DEBUG if settings.debug else logging.INFO)
        if before.entailing(Entails.CONNECTION) != settings.entailing(Entails.CONNECTION):
            self._master.close()
            self._master = self._make_master(on_hold=self._master.on_hold)
        self._master.trace(settings.debug)
        self._feed.use(_reporter_settings(settings), time.monotonic())
        self._configure_at = time.monotonic() + SETTINGS_TIMEOUT
        self._reader.read_on_request(settings.vppcfg)

    def _switch(self, before: Served, after: Served) -> None:
        """Other rows are shown from now on."""
        is_same = before.state is after.state
        self._notifier.switch(before.publisher.link_changes if is_same else None)
        if before.registered == after.registered:
            self._master.show(after.view)
        else:
            self._master.close()
            self._master = self._make_master(on_hold=self._master.on_hold)

    # --- the vppcfg -------------------------------------------------------------------------

    def _know_descriptions(self) -> None:
        """Until the vppcfg is read, each row keeps the description that it had before."""
        state = self._serving.shown.state
        if state is None or self._settings.vppcfg is None:
            return
        self._reader.descriptions = saved_descriptions(state.shown(), self._settings.alias)
        self._serving.describe(self._reader.descriptions)

    def _configure(self) -> None:
        """Have rows made by the settings and descriptions that are known now."""
        self._configure_at = float("inf")
        if not self._has_read:
            self._has_read = True
            self._serving.describe(self._reader.descriptions)
        self._serving.configure(self._configuration)

    # --- what people hear ---------------------------------------------------------------------

    def _notify(self, now: float) -> None:
        publisher = self._serving.shown.publisher
        self._notifier.notify(self._master, publisher, self._settings, now)

    def _log_count(self, now: float) -> None:
        """How many interfaces are served: at most once a minute while they come and go."""
        publisher = self._serving.shown.publisher
        for key, wanted in publisher.clashes.items():
            self._state_log.report(
                logging.WARNING, key, f"{key} keeps its name: another interface is called {wanted}"
            )
        if now < self._count_logged_at + COUNT_INTERVAL or not publisher.is_idle:
            return
        count = len(publisher.rows)
        if self._follower.is_reported and count != self._count_logged:
            self._count_logged, self._count_logged_at = count, now
            log.info("%s", counted(count, "interface is served", "interfaces are served"))
