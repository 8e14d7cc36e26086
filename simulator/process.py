"""The simulator's process: one loop that serves its sockets and moves the counters.

What VPP's main thread does (the API, the segment's handover, the heartbeat, configuring)
stops when it hangs; what its workers do (counting) goes on.
"""

import argparse
import array
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from .api import ApiServer
from .control import ControlServer, Script
from .messages import Api, write_api_files
from .release import Release
from .scenario import EDGE_ROUTER, in_order, plain
from .traffic import STILL
from .vpp import Router

TICK = 0.02  # seconds
AT_ONCE = 1000  # interfaces whose counters one tick writes
BACKLOG = 16
READY = "the simulator serves"

Callback = Callable[[int], None]


def listen(path: Path, kind: socket.SocketKind) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, kind)
    listener.bind(str(path))
    path.chmod(0o775)
    listener.listen(BACKLOG)
    return listener


class Process:
    """The one loop, and what VPP's main thread does in it."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.loop = selectors.DefaultSelector()
        self.ending = False
        self.hung = False
        self.interval: float = options.update_interval
        release = Release.parse(options.release)
        count = options.interfaces
        specs = plain(count, options.pairs, options.addresses) if count else EDGE_ROUTER
        size = options.segment_size or segment_size(len(specs), options)
        self.router = Router(release, options.threads, size, options.per_node_counters)
        run_dir: Path = options.run_dir
        run_dir.mkdir(parents=True, exist_ok=True)
        write_api_files(run_dir / "api", options.release)
        self.paths = [run_dir / name for name in ("stats.sock", "api.sock", "control.sock")]
        self.stats = listen(self.paths[0], socket.SOCK_SEQPACKET)
        self.loop.register(self.stats, selectors.EVENT_READ, self.hand_over)
        api = Api(release, frozenset(options.without))
        listener = listen(self.paths[1], socket.SOCK_STREAM)
        self.api = ApiServer(self.loop, listener, self.router, api)
        self.api.page = options.page
        self.script = Script(self.router, self.api, self.hang)
        control = listen(self.paths[2], socket.SOCK_STREAM)
        self.control = ControlServer(self.loop, control, self.script)
        for spec in specs:
            if spec.is_hardware:
                self.router.add(replace(spec, admin=False, host="", bond="", traffic=STILL))
        if not options.empty:
            for spec in in_order(specs, options.seed):
                self.router.configure(spec)

    def hand_over(self, _: int) -> None:
        """Give whoever connects the segment's descriptor in an empty message, and hang up."""
        if self.hung:
            return  # since the select that saw this coming
        peer, _address = self.stats.accept()
        with peer, suppress(OSError):  # it may be gone already
            descriptor = array.array("i", [self.router.segment.fd])
            peer.sendmsg([], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptor)])

    def hang(self, hung: bool) -> None:
        """The main thread stops: no API, no handover, no heartbeat.  The workers go on."""
        if hung == self.hung:
            return
        self.hung = hung
        self.api.hang(hung)
        if hung:
            self.loop.unregister(self.stats)
        else:
            self.loop.register(self.stats, selectors.EVENT_READ, self.hand_over)

    def end(self) -> None:
        self.ending = True

    def end_with(self, descriptor: int) -> None:
        """End when the other side of a pipe is gone."""

        def read(_: int) -> None:
            if not os.read(descriptor, 64):
                self.end()

        self.loop.register(descriptor, selectors.EVENT_READ, read)

    def end_on_signals(self) -> None:
        """End cleanly at SIGTERM and SIGINT, which wake the loop."""
        ours, self._waker = socket.socketpair()
        ours.setblocking(False)
        self._waker.setblocking(False)
        signal.set_wakeup_fd(self._waker.fileno())
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.end())
        self.loop.register(ours, selectors.EVENT_READ, lambda _: ours.recv(64))

    def run(self) -> None:
        self.router.heartbeat()
        tick = beat = time.monotonic()
        beat += self.interval
        while not self.ending:
            wait = max(0.0, tick - time.monotonic())
            for key, ready in self.loop.select(wait):
                callback: Callback = key.data
                callback(ready)
            if not self.hung:
                self.script.go_on()
                self.control.go_on()
            self.api.tell()
            self.control.answer()
            now = time.monotonic()
            if now >= tick:
                self.router.tick(AT_ONCE)
                # Half of the time is the clients', however many interfaces there are.
                tick = max(now + TICK, 2 * time.monotonic() - now)
            if now >= beat and not self.hung:
                self.router.heartbeat()
                beat += self.interval

    def close(self) -> None:
        """A clean end takes the sockets along, as VPP's does."""
        for path in self.paths:
            path.unlink(missing_ok=True)


def segment_size(interfaces: int, options: argparse.Namespace) -> int:
    """Enough for so many interfaces, their TAPs and the holes that growing leaves behind."""
    rows = 2 * interfaces if options.pairs else interfaces
    megabytes = -(-rows * (200 * options.threads + 17 * 144 + 100) * 4 >> 20)
    return max(8, int(megabytes)) << 20
