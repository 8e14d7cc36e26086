"""Conversations with a VPP that says what none says: the reporter, and what is made of its news.

The VPP is the simulator, whose octets are changed on their way.  Most conversations are
with a reporter forked from here, and short; some are with the agent's own feed, which starts
its reporter as always.  However it goes, the reporter ends with its VPP, by its own word;
its reports can be made rows of, and walked.
"""

import multiprocessing
import os
import selectors
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from simulator.__main__ import arguments
from simulator.api import ApiClient
from simulator.process import SimulatedVpp
from vpp_snmp_agent import mibs
from vpp_snmp_agent.agentx.mib import UpTime
from vpp_snmp_agent.interfaces.facts import Configuration
from vpp_snmp_agent.interfaces.publisher import Publisher
from vpp_snmp_agent.operator.snapshot import ReadOnlyIndexes
from vpp_snmp_agent.settings.declarations import Settings
from vpp_snmp_agent.vpp import feed, reporter
from vpp_snmp_agent.vpp.records import (
    Alive,
    Changes,
    Complete,
    Connected,
    Gone,
    Identity,
    Message,
    NeighborChanges,
    unpack,
)
from vpp_snmp_agent.vpp.records import Broken as Failed
from vpp_snmp_agent.vpp.router import Router

from . import Broken, Tally, dice, mutate, walk

KIND, CASES = "api", 20_000
WHOLE, WHOLE_CASES = "feed", 500
MAX_FORKED, MAX_WHOLE = 0.3, 1.0  # seconds that a conversation may last
SILENCE = 0.03  # seconds without an octet, after which VPP is gone
END_TIMEOUT = 10.0  # seconds that a reporter has to end when its VPP is gone
RELEASES = ("22.02", "24.06", "26.06")


class DamagingVpp:
    """The simulator in this process, saying other things than it means to."""

    def __init__(self, run_dir: Path, release: str) -> None:
        self.vpp = SimulatedVpp(arguments(["--run-dir", str(run_dir), "--release", release]))
        self.vpp.plane.add_bridge_domain(7, ["TenGigabitEthernet1/0/2"], "loop0")
        self.run_dir = run_dir
        self.sent = 0
        self._flush = self.vpp.api.flush
        self.vpp.api.flush = self._change  # type: ignore[method-assign]
        listener = self.vpp.api.listener
        self.vpp.main_thread.modify(listener, selectors.EVENT_READ, self._accept)
        self.begin(0, 0)

    def begin(self, seed: int, case: int) -> None:
        """A conversation of its own."""
        self.hang_up()
        self.chance = dice(seed, KIND, case)
        # Most of the early octets are the definitions: damage them rarely, or little else is met.
        self.damages = self.chance.choice((0.0, 0.02, 0.2, 1.0))
        self.over = False

    def _accept(self, ready: int) -> None:
        self.vpp.api.accept(ready)
        if self.over:
            self.hang_up()

    def _change(self, client: ApiClient) -> None:
        if client.outbox and self.chance.random() < self.damages:
            changed = mutate(bytes(client.outbox), self.chance)
            client.outbox[:] = changed
        self.sent += len(client.outbox)
        self._flush(client)

    def turn(self, timeout: float) -> None:
        """Serve for a moment; now and then report an event, and what hides in one."""
        if self.chance.randrange(20) == 0:
            index = self.chance.choice(list(self.vpp.plane.by_index))
            self.vpp.plane.report(index, self.chance.randrange(4))
        for key, ready in self.vpp.main_thread.select(timeout):
            key.data(ready)
        self.vpp.api.send_events()

    def hang_up(self) -> None:
        """As a VPP that ends: from now on nobody is listened to."""
        self.over = True
        for client in list(self.vpp.api.clients.values()):
            self.vpp.api.drop(client)

    def close(self) -> None:
        self.vpp.close()
        for each in (self.vpp.stats, self.vpp.api.listener, self.vpp.main_thread, self.vpp.loop):
            each.close()
        self.vpp.plane.close()


class Rows:
    """What is made of one VPP's reports, walked to its end."""

    def __init__(self) -> None:
        self.walked = 0
        self._router: Router | None = None

    def begin(self, identity: Identity) -> None:
        """Another VPP."""
        configuration = Configuration(Settings(hide=(), taps="show"))
        self._router = Router(identity)
        self._publisher = Publisher(configuration, ReadOnlyIndexes([]), UpTime())
        self._modules = mibs.modules(self._publisher)
        self._publisher.follow(self._router)

    def take(self, message: Changes | NeighborChanges | Complete) -> None:
        """What it reports."""
        router, publisher = self._router, self._publisher
        if router is None:
            raise Broken("reports before a VPP was there")
        match message:
            case Changes():
                publisher.touch(router.apply(message))
            case NeighborChanges():
                publisher.touch_neighbors(router.apply_neighbors(message))
            case Complete(what):
                router.complete.add(what)
                publisher.complete(what)
                publisher.settle()
                while publisher.step(time.perf_counter() + 1):
                    pass
                self.walked += walk(self._modules)


@contextmanager
def _forked(vpp: DamagingVpp) -> Iterator[tuple[socket.socket, int]]:
    """A reporter, and the socket that it reports to."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    run_dir = vpp.run_dir
    pid = os.fork()
    if not pid:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        ours.close()
        multiprocessing.set_start_method("fork", force=True)  # as in a process begun anew
        paths = (str(run_dir / "api.sock"), str(run_dir / "stats.sock"), str(run_dir / "api"))
        try:
            reporter.main([str(theirs.detach()), *paths, *3 * ("3600",)])
        finally:
            os._exit(99)  # it ends by itself, and otherwise
    theirs.close()
    ours.setblocking(False)
    try:
        yield ours, pid
    finally:
        ours.close()


def _received(pipe: socket.socket) -> list[Message]:
    """What it has reported by now."""
    reported = []
    with suppress(BlockingIOError):
        while True:
            data, descriptors, _, _ = socket.recv_fds(pipe, feed.DATAGRAM, 4)
            for each in descriptors:
                os.close(each)
            if not data:
                break
            reported.append(unpack(data))
    return reported


def _converse(vpp: DamagingVpp, rows: Rows) -> str:
    """One conversation with a forked reporter; how it ended."""
    reported: list[Message] = []
    with _forked(vpp) as (pipe, pid):
        began = quiet = time.monotonic()
        before, dumps = vpp.sent, 0
        ended = (0, 0)
        while ended[0] == 0:
            vpp.turn(0.002)
            reported += _received(pipe)
            now = time.monotonic()
            if vpp.sent != before:
                before, quiet, dumps = vpp.sent, now, dumps + 1
            # Half of those that have reported all are listened to no further.
            is_done = reported and isinstance(reported[-1], Alive) and vpp.chance.randrange(2)
            if now - began > MAX_FORKED or (dumps and now - quiet > SILENCE) or is_done:
                vpp.hang_up()
            if now - began > MAX_FORKED + END_TIMEOUT:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                raise Broken("the reporter does not end with its VPP")
            ended = os.waitpid(pid, os.WNOHANG)
        reported += _received(pipe)
    if ended[1]:
        raise Broken(f"the reporter ended with the status {ended[1]:#x}")
    return _assembled(reported, rows)


def _assembled(reported: list[Message], rows: Rows) -> str:
    """Make rows of it as the agent does; how it ended."""
    for message in reported:
        match message:
            case Connected(identity):
                rows.begin(identity)
            case Changes() | NeighborChanges() | Complete():
                rows.take(message)
    if not reported or not isinstance(reported[-1], Gone | Failed):
        raise Broken(f"the reporter ended without a word: {reported[-1:]}")
    return type(reported[-1]).__name__


def _feed(vpp: DamagingVpp, rows: Rows) -> str:
    """One whole conversation, as the agent leads it; how it ended."""
    run_dir = vpp.run_dir
    settings = feed.ReporterSettings(
        str(run_dir / "api.sock"), str(run_dir / "stats.sock"), str(run_dir / "api"), *3 * (3600,)
    )
    source = feed.Feed(settings)
    began = time.monotonic()
    try:
        for _ in source.check(began):
            raise Broken("news before anybody was asked")
        while True:
            vpp.turn(0.005)
            for news in source.receive(time.monotonic()):
                match news:
                    case feed.SegmentReceived(descriptor):
                        os.close(descriptor)
                    case feed.Present(identity):
                        rows.begin(identity)
                    case Changes() | NeighborChanges() | Complete():
                        rows.take(news)
                    case feed.Failed(reason):
                        if "unexpectedly" in reason:
                            raise Broken(reason)
                        return "Broken"
                    case feed.Away():
                        return "Gone"
            now = time.monotonic()
            if now - began > MAX_WHOLE:
                vpp.hang_up()
            if now - began > MAX_WHOLE + END_TIMEOUT:
                raise Broken("the reporter does not end with its VPP")
    finally:
        source.close()


def run(seed: int, cases: range, kind: str = KIND) -> Tally:
    """The cases; how they ended, and how many objects were walked."""
    tally, rows = Tally(), Rows()
    converse = _converse if kind == KIND else _feed
    with tempfile.TemporaryDirectory(prefix="fuzz.") as name:
        vpps = [DamagingVpp(Path(name) / release, release) for release in RELEASES]
        for case in cases:
            vpp = vpps[case % len(vpps)]
            vpp.begin(seed, case)
            try:
                tally[converse(vpp, rows)] += 1
            except Exception as error:
                raise Broken(f"{kind} case {case}: {error!r}") from error
        for vpp in vpps:
            vpp.close()
    tally["objects walked"] = rows.walked
    return tally


def run_whole(seed: int, cases: range) -> Tally:
    """The same with the agent's own feed."""
    return run(seed, cases, WHOLE)
