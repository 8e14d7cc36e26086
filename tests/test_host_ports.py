"""interfaces/host_ports.py: rows by the Linux ifindex of their host interface, of one namespace."""

import pytest

from vpp_snmp_agent.agentx.values import subids
from vpp_snmp_agent.interfaces.host_ports import HostPorts
from vpp_snmp_agent.interfaces.rows import Row
from vpp_snmp_agent.vpp.records import LcpPair

from .routers import new_publisher, port, publish, router_of


@pytest.fixture
def rows() -> list[Row]:
    """Of interfaces without a pair."""
    return list(publish(new_publisher(), router_of(*map(port, range(3, 9)))).values())


def pair(ifindex: int, netns: str) -> LcpPair:
    return LcpPair(3, 903, ifindex, "e3", netns)


def shown(ports: HostPorts) -> dict[bytes, Row | None]:
    """All rows by their index, in the order of a walk."""
    found: dict[bytes, Row | None] = {}
    index = ports.following(b"")
    while index is not None:
        found[index] = ports.get(index)
        index = ports.following(index)
    return found


def test_rows_are_walked_by_ifindex_whenever_they_came(rows: list[Row]) -> None:
    ports = HostPorts()
    for row, ifindex in zip(rows, (300, 2, 65_535, 256), strict=False):
        ports.attach(row, pair(ifindex, "lab"))
    assert list(shown(ports)) == [subids(number) for number in (2, 256, 300, 65_535)]
    assert shown(ports)[subids(2)] is rows[1]
    assert len(ports) == 4


def test_without_a_pair_there_is_no_namespace_and_no_row() -> None:
    ports = HostPorts()
    assert (ports.netns, len(ports), shown(ports)) == (None, 0, {})


def test_the_namespace_is_the_same_in_whatever_order_pairs_come(rows: list[Row]) -> None:
    pairs = [pair(12, "b"), pair(13, "a"), pair(14, "a"), pair(15, "b"), pair(16, "")]
    found = set()
    for at in range(len(pairs)):
        ports = HostPorts()
        for row, each in zip(rows, pairs[at:] + pairs[:at], strict=False):
            ports.attach(row, each)
        found.add(ports.netns)
        assert list(shown(ports)) == [subids(12), subids(15)]
    assert found == {"b"}


def test_the_first_pair_in_the_dataplane_takes_the_place_of_all_others(rows: list[Row]) -> None:
    ports = HostPorts()
    for row, ifindex in zip(rows, (17, 18, 19), strict=False):
        ports.attach(row, pair(ifindex, "lab"))
    ports.attach(rows[4], pair(20, "dataplane"))
    assert shown(ports) == {subids(20): rows[4]}
    ports.remove(rows[4])
    assert len(ports) == 3


def test_a_pair_is_shown_where_its_own_row_is(rows: list[Row]) -> None:
    ports = HostPorts()
    first, elsewhere = pair(21, "lab"), pair(21, "other")
    ports.attach(rows[0], first)
    assert ports.shows(first)
    assert not ports.shows(elsewhere)
    assert not ports.shows(pair(22, "lab"))


def test_a_row_that_lost_its_number_does_not_take_it_along(rows: list[Row]) -> None:
    ports = HostPorts()
    ports.attach(rows[0], pair(23, "lab"))
    ports.attach(rows[1], pair(23, "lab"))
    ports.remove(rows[0])
    assert shown(ports) == {subids(23): rows[1]}
    ports.remove(rows[0])  # it has none any more
    ports.remove(rows[1])
    assert not shown(ports)


def test_all_namespaces_are_given_back(rows: list[Row]) -> None:
    ports = HostPorts()
    for row, netns in zip(rows, ("a", "b", "c"), strict=False):
        ports.attach(row, pair(24, netns))
    for _ in ports.dismantle():
        pass
    assert [len(each) for each in ports._by_netns.values()] == [0, 0, 0]
