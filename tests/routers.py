"""What several test files report of a router, and the rows that come of it."""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from simulator.segment import SegmentWriter
from vpp_snmp_agent.agentx.mib import Module, UpTime
from vpp_snmp_agent.agentx.values import oid
from vpp_snmp_agent.interfaces.counters import CounterSet
from vpp_snmp_agent.interfaces.facts import Configuration
from vpp_snmp_agent.interfaces.indexes import Indexes
from vpp_snmp_agent.interfaces.publisher import Publisher
from vpp_snmp_agent.interfaces.rows import Interfaces, Row
from vpp_snmp_agent.operator.snapshot import ReadOnlyIndexes
from vpp_snmp_agent.settings.declarations import Settings
from vpp_snmp_agent.vpp.layout import Generation, Kind
from vpp_snmp_agent.vpp.records import (
    ADDRESSES,
    INTERFACES,
    NEIGHBORS,
    Bond,
    Changes,
    Identity,
    Interface,
    LacpPort,
    LcpPair,
    Neighbor,
    NeighborChanges,
    Record,
)
from vpp_snmp_agent.vpp.router import Router
from vpp_snmp_agent.vpp.segment import Segment

VPP = Identity("26.06-release", "2026-06-24", 4711)
MAC, PARTNER = bytes.fromhex("6805ca324610"), bytes.fromhex("020000000b0d")
GIGABIT = 10**6  # kbit/s
LACP = 5


def port(index: int, name: str = "", **fields: Any) -> Interface:
    """A hardware interface that is up, but for what is said otherwise."""
    usual: dict[str, Any] = {
        "sw_if_index": index,
        "sup_sw_if_index": index,
        "interface_name": name or f"GigabitEthernet3/0/{index}",
        "interface_dev_type": "dpdk",
        "tag": "",
        "l2_address": MAC,
        "admin_up": True,
        "link_up": True,
        "link_speed": GIGABIT,
        "link_duplex": 2,
        "link_mtu": 9206,
        "mtu": 9000,
    }
    return Interface(**usual | fields)


def sub(index: int, parent: int, name: str = "", **fields: Any) -> Interface:
    """A sub-interface as VPP reports it: address, speed and MTU are its parent's."""
    inherited = {"sup_sw_if_index": parent, "l2_address": bytes(6), "link_speed": 0, "mtu": 0}
    name = name or f"GigabitEthernet3/0/{parent}.{index}"
    return port(index, name, **inherited | fields)


def tap(index: int, name: str) -> Interface:
    """The TAP of an LCP pair."""
    return port(index, name, interface_dev_type="tap", link_speed=0)


def bond(index: int, *members: int) -> Bond:
    """A bond of mode LACP."""
    return Bond(index, mode=LACP, members=members)


def pair(phy: int, host: str, tap_index: int = 0) -> LcpPair:
    """An LCP pair; its TAP is at 900 + phy if not said otherwise."""
    return LcpPair(phy, tap_index or 900 + phy, vif_index=phy, host_if_name=host, netns="dataplane")


def lacp_port(index: int, state: int = 0x3D) -> LacpPort:
    """A member of a bond, as LACP has negotiated it."""
    return LacpPort(index, 65535, MAC, 7, 255, index, state, 32768, PARTNER, 9, 127, 17, 0x3F)


def router_of(
    *records: Record,
    neighbors: Iterable[Neighbor] = (),
    identity: Identity = VPP,
    complete: Iterable[str] = (INTERFACES,),
) -> Router:
    """A VPP that has reported this; relations first, as the reporter does."""
    router = Router(identity)
    ordered = sorted(records, key=lambda each: isinstance(each, Interface))
    router.apply(Changes(tuple(ordered)))
    router.apply_neighbors(NeighborChanges(tuple(neighbors)))
    router.complete.update(complete)
    return router


def publish(
    publisher: Publisher, router: Router, settled: bool = True, finish: bool = True
) -> dict[int, Row]:
    """Have a VPP's whole report published; the rows by ifIndex."""
    publisher.settled = settled
    publisher.follow(router)
    publisher.touch(router.interfaces)
    for what in sorted(router.complete, key=(INTERFACES, ADDRESSES, NEIGHBORS).index):
        publisher.complete(what)
    while finish and publisher.step(time.perf_counter()):
        pass
    return rows_of(publisher)


def rows_of(publisher: Publisher) -> dict[int, Row]:
    """The rows that are shown, by ifIndex, in the order of a walk."""
    found = (publisher.rows.get(index) for index in publisher.rows)
    return {row.index: row for row in found if row is not None}


def names(rows: dict[int, Row]) -> dict[int, str]:
    return {index: row.facts.name for index, row in rows.items()}


def statuses(rows: dict[int, Row]) -> dict[int, int]:
    return {index: row.oper_status for index, row in rows.items()}


def new_publisher(
    configuration: Configuration | None = None,
    indexes: Indexes | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Publisher:
    """Without rows yet; ifIndexes are remembered as long as it lives."""
    return Publisher(
        configuration or Configuration(), indexes or ReadOnlyIndexes([]), UpTime(), clock=clock
    )


def served(
    make: Callable[[Publisher], Module], router: Router, settled: bool = True
) -> tuple[Module, Publisher]:
    """A module over the rows of a VPP."""
    publisher = new_publisher()
    module = make(publisher)
    publish(publisher, router, settled)
    return module, publisher


ETHERNET = port(1, "eth0", l2_address=b"\2\0\0\0\0\1", mtu=1500)


SUB = sub(2, 1, "eth0.7")


LOOP = port(3, "loop0", interface_dev_type="Loopback")


GONE_301 = Changes((), ((Interface, 301),))


LOOP_301 = port(301, "loop301", interface_dev_type="BVI")


TAP = tap(9, "tap1")


PAIRED = pair(1, "e0", 9)


RESTARTED = replace(VPP, vpe_pid=4712)


class Clock:
    """Seconds that a test sets; in the place of the module `time` too."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now

    __call__ = monotonic


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def publisher(clock: Clock) -> Publisher:
    publisher = new_publisher(clock=clock)
    publisher.uptime.set(0, 1000.0)
    return publisher


def lost(*records: Record) -> tuple[tuple[type[Record], int], ...]:
    """That VPP has them no more."""
    return tuple((type(each), each.key) for each in records)


def change(
    publisher: Publisher, router: Router, *reported: Record, gone: Iterable[Record] = ()
) -> None:
    """What VPP reports next."""
    publisher.touch(router.apply(Changes(reported, lost(*gone))))
    finish(publisher)


def finish(publisher: Publisher) -> None:
    while publisher.step(time.perf_counter()):
        pass


def rx_writer(rx_bytes: int) -> SegmentWriter:
    made = SegmentWriter(1 << 20, Generation.V26_02)
    made.add_names("/if/names")
    for way in ("rx", "tx"):
        for cast in ("", "-multicast", "-broadcast"):
            made.add_counter(f"/if/{way}{cast}", Kind.COMBINED, 1, 8)
    row = made.counters["/if/rx"].rows[0]
    assert row is not None
    for index in range(8):
        made.words[row.offset // 8 + 2 * index + 1] = rx_bytes + index
    return made


@pytest.fixture
def sources() -> Iterator[CounterSet]:
    made = rx_writer(500)
    yield CounterSet(Segment(made.fd))
    os.close(made.fd)


def set_rx(made: SegmentWriter, index: int, octets: int) -> None:
    row = made.counters["/if/rx"].rows[0]
    assert row is not None
    made.words[row.offset // 8 + 2 * index + 1] = octets


@pytest.fixture
def first() -> Iterator[SegmentWriter]:
    made = rx_writer(500)
    yield made
    os.close(made.fd)


@pytest.fixture
def second() -> Iterator[SegmentWriter]:
    made = rx_writer(70)
    yield made
    os.close(made.fd)


def count(publisher: Publisher, router: Router, made: SegmentWriter, settled: bool = True) -> None:
    """A VPP reports, and hands over its segment."""
    publish(publisher, router, settled)
    publisher.use(CounterSet(Segment(made.fd)))
    finish(publisher)


def octets(publisher: Publisher) -> dict[int, int | None]:
    return {index: row.counters.in_octets for index, row in rows_of(publisher).items()}


def with_setting(**settings: object) -> Publisher:
    """A publisher of these settings."""
    return new_publisher(Configuration(Settings(**settings)))  # type: ignore[arg-type]


class Over(str):
    """A row of a test's table; a text that knows whose it is."""

    row: Row


def over(row: Row, interfaces: Interfaces) -> Iterator[tuple[bytes, Over]]:
    """A table for a test: who is over whom."""
    for lower in interfaces.lower_rows(row):
        made = Over(f"{row.facts.name} on {lower.facts.name}")
        made.row = row
        yield oid(str(row.index)), made
