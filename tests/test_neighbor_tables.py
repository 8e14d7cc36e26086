"""interfaces/neighbor_tables.py: the neighbours of rows that come and go."""

import pytest

from vpp_snmp_agent.agentx.values import oid
from vpp_snmp_agent.interfaces.listing import Listing
from vpp_snmp_agent.interfaces.neighbor_tables import NeighborTables
from vpp_snmp_agent.interfaces.publisher import Publisher
from vpp_snmp_agent.vpp.records import NEIGHBORS, Neighbor, NeighborChanges

from .routers import ETHERNET, LOOP, RESTARTED, change, finish, publish, router_of, rows_of

NEIGHBOR = Neighbor(1, bytes((192, 0, 2, 2)), bytes(range(6)), False)


def test_neighbours_of_a_port_that_the_next_vpp_does_not_list_go_when_it_has_reported_its_own(
    publisher: Publisher,
) -> None:
    router = router_of(ETHERNET, LOOP)
    publish(publisher, router)
    router.apply_neighbors(NeighborChanges((NEIGHBOR._replace(sw_if_index=3),)))
    publisher.touch_neighbors([3])
    publisher.complete(NEIGHBORS)
    publisher.lose()
    finish(publisher)
    assert len(publisher.neighbors.ipv4) == 1
    publish(publisher, router_of(ETHERNET, identity=RESTARTED), settled=False)
    assert len(publisher.neighbors.ipv4) == 1
    publisher.complete(NEIGHBORS)
    finish(publisher)
    assert len(publisher.neighbors.ipv4) == 0
    assert 1003 in rows_of(publisher)  # the row waits for VPP to be configured


def test_neighbours_come_and_go_without_a_row_made_again(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    router = router_of(ETHERNET)
    publish(publisher, router)
    monkeypatch.setattr(Publisher, "_make", None)
    index = oid("1001")
    publisher.touch_neighbors(router.apply_neighbors(NeighborChanges((NEIGHBOR,))))
    assert publisher.neighbors.ipv4.get(index) == [b"\xc0\0\2\2\0\1\2\3\4\5\0"]
    gone = NeighborChanges(gone=((1, NEIGHBOR.address),))
    publisher.touch_neighbors(router.apply_neighbors(gone))
    assert publisher.neighbors.ipv4.get(index) is None


def test_neighbours_are_there_until_those_that_vpp_has_reported_whole_take_their_place(
    publisher: Publisher,
) -> None:
    publish(publisher, router_of(ETHERNET, LOOP, neighbors=(NEIGHBOR,)))
    publisher.complete(NEIGHBORS)
    publisher.step(0.0)
    assert not publisher.is_quiet
    assert len(publisher.neighbors.ipv4) == 1


def test_a_row_that_goes_takes_its_neighbours_along(publisher: Publisher) -> None:
    router = router_of(ETHERNET, LOOP, neighbors=(NEIGHBOR,))
    publish(publisher, router)
    assert len(publisher.neighbors.ipv4) == 1
    change(publisher, router, gone=[ETHERNET])
    assert len(publisher.neighbors.ipv4) == 0


def test_a_row_keeps_its_neighbours_until_the_next_vpp_has_reported_its_own(
    publisher: Publisher,
) -> None:
    row = publish(publisher, router_of(ETHERNET, neighbors=(NEIGHBOR,)))[1001]
    tables, listing, router = NeighborTables(), Listing(), router_of(ETHERNET)
    tables.show(row, row.neighbors)
    listing.follow(router)
    tables.refresh(row, listing, 1)
    assert len(tables.ipv4) == 1
    other = NEIGHBOR._replace(address=bytes(15) + b"\1")
    router.apply_neighbors(NeighborChanges((other,)))
    tables.refresh(row, listing, 1)
    assert (len(tables.ipv4), len(tables.ipv6)) == (1, 0)
    listing.reported.add(NEIGHBORS)
    tables.refresh(row, listing, 1)
    assert (len(tables.ipv4), len(tables.ipv6)) == (0, 1)
    # What takes the row's place may go on with them.
    tables.hide(row)
    assert (len(tables.ipv6), row.neighbors) == (0, router.neighbors[1])
