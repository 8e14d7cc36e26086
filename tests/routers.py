"""What several test files report of a router, and the rows that come of it."""

import time
from collections.abc import Callable, Iterable
from typing import Any

from vpp_snmp_agent.agentx.mib import Module, UpTime
from vpp_snmp_agent.interfaces.facts import Configuration
from vpp_snmp_agent.interfaces.publisher import Indexes, Publisher
from vpp_snmp_agent.interfaces.rows import Row
from vpp_snmp_agent.operator.snapshot import ReadOnlyIndexes
from vpp_snmp_agent.vpp.records import (
    ADDRESSES,
    INTERFACES,
    NEIGHBORS,
    Bond,
    Changes,
    Identity,
    Interface,
    LcpPair,
    Neighbor,
    NeighborChanges,
    Record,
)
from vpp_snmp_agent.vpp.router import Router

VPP = Identity("26.06-release", "2026-06-24", 4711)
MAC = bytes.fromhex("6805ca324610")
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
