"""A million requests, ten thousand connections to snmpd, a thousand to VPP: nothing grows.

The agent's own parts, in processes of this: what is measured is what they keep.
"""

import logging
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from simulator import Simulator
from tests.fuzz.api import DamagingVpp, Rows
from tests.fuzz.portion import resident
from tests.peer import Stage, get_next
from vpp_snmp_agent import mibs
from vpp_snmp_agent.agentx import pdu
from vpp_snmp_agent.agentx.mib import UpTime
from vpp_snmp_agent.agentx.values import END_OF_MIB_VIEW, dotted
from vpp_snmp_agent.interfaces.facts import Configuration
from vpp_snmp_agent.interfaces.publisher import Publisher
from vpp_snmp_agent.operator import snapshot
from vpp_snmp_agent.vpp import feed
from vpp_snmp_agent.vpp.records import INTERFACES, Changes, Complete, NeighborChanges

from .. import oids
from ..operators import settings_for
from .probe import children

GROWTH = 2 << 20  # octets
WARM = 0.1  # of all, after which memory has settled
AT_ONCE = 50  # requests under way


def requests(count: int) -> Iterator[None]:
    """Walks over the edge router's live counters, many requests under way at once."""
    with tempfile.TemporaryDirectory(prefix="leaks.") as name, Simulator(Path(name)) as vpp:
        settings = settings_for(vpp, Path(name))
        _, served = snapshot.rows_of(snapshot.ask(settings), [], Configuration(settings))
        stage = Stage(Path(name) / "agentx", served)
        stage.serve()
        position = oids.INTERFACES
        for number in range(0, count, AT_ONCE):
            stage.peer.send(AT_ONCE * get_next(position, packet=number))
            *_, last = stage.receive(AT_ONCE)
            assert isinstance(last.body, pdu.Response)
            (found,) = last.body.varbinds
            ended = found.type is END_OF_MIB_VIEW
            position = oids.INTERFACES if ended else dotted(found.name)
            for _ in range(AT_ONCE):
                yield
        stage.close()


def connections(count: int) -> Iterator[None]:
    """To snmpd: made, asked over once, and lost."""
    with tempfile.TemporaryDirectory(prefix="leaks.") as name:
        nothing = Publisher(Configuration(), None, UpTime())
        stage = Stage(Path(name) / "agentx", mibs.modules(nothing))
        for _ in range(count):
            stage.serve()
            stage.peer.send(get_next(oids.INTERFACES))
            stage.receive(1)
            stage.peer.hang_up()
            stage.until("it is lost", lambda: not stage.master.serving)
            yield
        stage.close()


def vpps(count: int) -> Iterator[None]:
    """To VPP, by a reporter each: reported whole, made rows of, walked, and lost."""
    with tempfile.TemporaryDirectory(prefix="leaks.") as name:
        vpp, rows = DamagingVpp(Path(name), "26.06"), Rows()
        source = feed.Feed(
            feed.ReporterSettings(f"{name}/api.sock", f"{name}/stats.sock", f"{name}/api", 3600.0)
        )
        for _ in range(count):
            vpp.begin(0, 0)
            vpp.damages = 0.0
            limit, gone = time.monotonic() + 30, False
            while not gone:
                assert time.monotonic() < limit
                vpp.turn(0.005)
                for news in (
                    *source.check(time.monotonic()),
                    *(source.receive(time.monotonic()) if source.fileno() >= 0 else ()),
                ):
                    match news:
                        case feed.SegmentReceived(descriptor):
                            os.close(descriptor)
                        case feed.Present(identity):
                            rows.begin(identity)
                        case Changes() | NeighborChanges() if not vpp.over:
                            rows.take(news)
                        case Complete(what) if not vpp.over:
                            rows.take(news)
                            if what == INTERFACES:
                                vpp.hang_up()
                        case feed.Away() if vpp.over:
                            gone = True
            yield
        source.close()
        vpp.close()


KINDS: dict[str, tuple[int, Callable[[int], Iterator[None]]]] = {
    "requests": (1_000_000, requests),
    "connections to snmpd": (10_000, connections),
    "connections to VPP": (1_000, vpps),
}
QUICK = 50  # of so many, one


def measure(task: tuple[str, int]) -> tuple[str, int, int, int, int]:
    """(kind, how many, octets grown, descriptors more, children more) since it was warm."""
    kind, count = task
    logging.disable()
    settled = (0, 0, 0)
    last = settled
    for number, _ in enumerate(KINDS[kind][1](count), 1):
        if number in (int(count * WARM), count):
            last = (resident(), len(os.listdir("/proc/self/fd")), len(children(os.getpid())))
            if number != count:
                settled = last
    return kind, count, *(b - a for a, b in zip(settled, last, strict=True))  # type: ignore[return-value]


def run(quick: bool) -> bool:
    """Whether nothing grew."""
    tasks = [(kind, count // (QUICK if quick else 1)) for kind, (count, _) in KINDS.items()]
    sound = True
    fresh = multiprocessing.get_context("spawn")
    with fresh.Pool(2, maxtasksperchild=1) as pool:
        for kind, count, octets, descriptors, processes in pool.imap(measure, reversed(tasks)):
            print(f"{count:,} {kind}: {octets / (1 << 20):+.2f} MiB since the first tenth,", end="")
            print(f" {descriptors:+} descriptors, {processes:+} processes", flush=True)
            sound &= octets <= GROWTH and not descriptors and not processes
        pool.close()
        pool.join()
    return sound
