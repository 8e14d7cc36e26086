"""vpp/neighbors.py: what is known, what a dump or an event changes, and what is gone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp_snmp_agent.vpp.neighbors import Neighbors
from vpp_snmp_agent.vpp.records import Neighbor

ADDRESS, OTHER = b"\xc0\0\2\3", b"\xc0\0\2\4"
MAC, ANOTHER_MAC = 0x020000000003, 0x020000000014
STATIC = 1 << 48  # a flag above the MAC address


@pytest.fixture
def neighbors() -> Neighbors:
    """One dump had two of one interface, and one of another."""
    made = Neighbors()
    dump = [(3, ADDRESS, MAC), (3, OTHER, STATIC | ANOTHER_MAC), (4, ADDRESS, MAC)]
    assert list(made.differing(dump)) == [
        Neighbor(3, ADDRESS, bytes.fromhex("020000000003"), False),
        Neighbor(3, OTHER, bytes.fromhex("020000000014"), True),
        Neighbor(4, ADDRESS, bytes.fromhex("020000000003"), False),
    ]
    assert list(made.missing()) == []
    return made


def test_an_event_says_whether_it_changes_anything(neighbors: Neighbors) -> None:
    assert not neighbors.put(3, ADDRESS, MAC)
    assert neighbors.put(3, ADDRESS, STATIC | MAC)
    assert neighbors.put(5, ADDRESS, MAC)
    assert neighbors.remove(5, ADDRESS)
    assert not neighbors.remove(5, ADDRESS)
    assert not neighbors.remove(3, b"\xc0\0\2\5")
    assert [(each.address, each.static) for each in neighbors.of(3)] == [
        (ADDRESS, True),
        (OTHER, True),
    ]


def test_what_a_dump_does_not_have_is_gone_once(neighbors: Neighbors) -> None:
    assert list(neighbors.differing([(3, OTHER, STATIC | ANOTHER_MAC)])) == []
    assert list(neighbors.missing()) == [(3, ADDRESS), (4, ADDRESS)]
    assert list(neighbors.missing()) == []
    assert (neighbors.addresses(3), neighbors.addresses(4)) == ([OTHER], [])


def test_of_a_dump_that_came_to_no_end_nothing_is_missing(neighbors: Neighbors) -> None:
    assert list(neighbors.differing([(3, OTHER, STATIC | ANOTHER_MAC)])) == []
    neighbors.keep()
    assert list(neighbors.missing()) == []
    assert list(neighbors.differing([(4, ADDRESS, MAC)])) == []
    assert list(neighbors.missing()) == [(3, ADDRESS), (3, OTHER)]


def test_with_an_interface_all_its_neighbours_are_forgotten(neighbors: Neighbors) -> None:
    neighbors.forget(3)
    assert list(neighbors.of(3)) == []
    assert neighbors.addresses(4) == [ADDRESS]


DUMPS = st.dictionaries(
    st.tuples(st.integers(1, 3), st.sampled_from([b"\1\2\3\4", bytes(16), b"\5\6\7\x08"])),
    st.sampled_from([0x020000000007, 0x020000000008, 1 << 48 | 0x020000000007]),
)


@given(st.lists(st.tuples(DUMPS, st.sets(st.integers(1, 3)))))
def test_any_neighbours_lead_to_any_others(
    steps: list[tuple[dict[tuple[int, bytes], int], set[int]]],
) -> None:
    neighbors = Neighbors()
    reported: dict[tuple[int, bytes], Neighbor] = {}
    for dump, forgotten in steps:
        came = list(neighbors.differing((*key, state) for key, state in dump.items()))
        for each in came:
            key = (each.sw_if_index, each.address)
            assert reported.get(key) != each
            reported[key] = each
        for gone in neighbors.missing():
            del reported[gone]
        assert {
            key: (each.static << 48) | int.from_bytes(each.mac_address, "big")
            for key, each in reported.items()
        } == dump
        for index in forgotten:
            for address in neighbors.addresses(index):
                del reported[index, address]
            neighbors.forget(index)
        assert not {index for index, _ in reported} & forgotten
