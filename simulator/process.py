"""The simulator's process: one loop that serves its sockets and moves the counters.

What VPP's main thread does (the API, the segment's handover, the heartbeat, configuring)
stops when it hangs; what its workers do (counting) goes on, and so does `control`, by which a
client has verbs done.
"""

import argparse
import array
import selectors
import signal
import socket
import time
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from .api import ApiServer
from .messages import Api, write_api_files
from .release import Release
from .scenario import EDGE_ROUTER, in_order, plain
from .traffic import STILL
from .verbs import VERBS, Verbs

TICK = 0.02  # seconds
SETTLE_INTERVAL = 0.25  # seconds; all rates of 10,000 interfaces are worked out in 20 ms
MAX_CONFIGURED = 100  # interfaces, before others have their turn
BACKLOG = 16


def listen(path: Path, kind: socket.SocketKind) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, kind)
    listener.bind(str(path))
    path.chmod(0o775)
    listener.listen(BACKLOG)
    return listener


class SimulatedVpp:
    """The one loop.  What VPP's main thread serves has a selector of its own in it."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.loop, self.main_thread = selectors.EpollSelector(), selectors.EpollSelector()
        self.loop.register(self.main_thread, selectors.EVENT_READ, self._serve)
        self._watched = True  # the main thread, which does not hang
        self.ending = False
        self.interval: float = options.update_interval
        release = Release.parse(options.release)
        count = options.interfaces
        specs = plain(count, options.pairs, options.addresses) if count else EDGE_ROUTER
        size = options.segment_size or segment_size(len(specs), options)
        self.plane = Verbs(release, options.threads, size, options.per_node_counters)
        run_dir: Path = options.run_dir
        run_dir.mkdir(parents=True, exist_ok=True)
        write_api_files(run_dir / "api", release)
        self.paths = run_dir / "stats.sock", run_dir / "api.sock"
        self.stats = listen(self.paths[0], socket.SOCK_SEQPACKET)
        self.main_thread.register(self.stats, selectors.EVENT_READ, self._hand_over)
        api = Api(release, frozenset(options.without))
        listener = listen(self.paths[1], socket.SOCK_STREAM)
        self.api = ApiServer(self.main_thread, listener, self.plane, api)
        for spec in specs:
            if spec.is_hardware:
                self.plane.add(replace(spec, admin=False, host="", bond="", traffic=STILL))
        if not options.empty:
            for spec in in_order(specs, options.seed):
                self.plane.set_up(spec)
        self._control: Connection[Any, Any] | None = None
        if options.control is not None:
            self._control = Connection(options.control)
            self.loop.register(self._control, selectors.EVENT_READ, self._do)
            self._control.send((True, None, time.monotonic()))  # it serves

    def _serve(self, _: int) -> None:
        if self.plane.hung:
            return  # since the select that saw this coming
        for key, ready in self.main_thread.select(0):
            key.data(ready)

    def _hand_over(self, _: int) -> None:
        """Give whoever connects the segment's descriptor in an empty message, and hang up."""
        peer, _address = self.stats.accept()
        with peer, suppress(OSError):  # it may be gone already
            descriptor = array.array("i", [self.plane.segment.fd])
            peer.sendmsg([], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptor)])

    def _do(self, _: int) -> None:
        """What the client wants; without one there is nothing left to do.

        The answer to it says when the API's clients had been sent what it changed.
        """
        assert self._control
        try:
            while self._control.poll():
                name, values, named = self._control.recv()
                try:
                    done, answer = True, VERBS[name](self.plane, *values, **named)
                except (KeyError, TypeError, ValueError, MemoryError, IndexError) as error:
                    done, answer = False, f"{name}: {error!r}"
                self.api.send_events()
                self._control.send((done, answer, time.monotonic()))
        except (EOFError, OSError):
            self.ending = True

    def end_on_signals(self) -> None:
        """End cleanly at SIGTERM and SIGINT, with the next tick."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: setattr(self, "ending", True))

    def run(self) -> None:
        self.plane.counters.heartbeat(len(self.plane.by_index))
        tick = beat = settle_due = time.monotonic()
        beat += self.interval
        while not self.ending:
            for key, ready in self.loop.select(max(0.0, tick - time.monotonic())):
                key.data(ready)
            if self._watched == self.plane.hung:
                self._hang(self.plane.hung)
            if not self.plane.hung:
                self._configure()
            self.api.send_events()
            now = time.monotonic()
            if now >= tick:
                if not self.plane.clock.frozen:  # or all was written when it was frozen
                    if now >= settle_due:
                        self.plane.settle()
                        settle_due = now + SETTLE_INTERVAL
                    self.plane.write_some()
                # Half of the time is the clients', however many interfaces there are.
                tick = max(now + TICK, 2 * time.monotonic() - now)
            if now >= beat and not self.plane.hung:
                self.plane.counters.heartbeat(len(self.plane.by_index))
                beat += self.interval

    def _hang(self, hung: bool) -> None:
        """The kernel still completes connects, and nobody reads, writes or accepts."""
        self._watched = not hung
        if hung:
            self.loop.unregister(self.main_thread)
        else:
            self.loop.register(self.main_thread, selectors.EVENT_READ, self._serve)

    def _configure(self) -> None:
        """Some of what is due."""
        to_come = self.plane.to_come
        for _ in range(MAX_CONFIGURED):
            if to_come and to_come[0][0] <= time.monotonic():
                self.plane.set_up(to_come.popleft()[1])

    def close(self) -> None:
        """A clean end takes the sockets along, as VPP's does."""
        for path in self.paths:
            path.unlink(missing_ok=True)


def segment_size(interfaces: int, options: argparse.Namespace) -> int:
    """Enough for so many interfaces, their TAPs and the holes that growing leaves behind."""
    rows = 2 * interfaces if options.pairs else interfaces
    megabytes = -(-rows * (200 * options.threads + 17 * 144 + 100) * 4 >> 20)
    return max(8, int(megabytes)) << 20
