"""mibs/ip_mib_neighbors.py: any neighbours, against a sorted list of all indexes."""

from itertools import count, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vpp_snmp_agent.agentx.values import dotted, oid, subids
from vpp_snmp_agent.interfaces.neighbor_tables import NeighborTables
from vpp_snmp_agent.mibs.ip_mib_neighbors import NeighborRows
from vpp_snmp_agent.vpp.router import NeighborLists

Subids = tuple[int, ...]


FEW = st.sampled_from((0, 1, 2, 254, 255))


V4 = st.tuples(FEW, FEW, FEW, FEW)


V6 = st.tuples(FEW, FEW).map(lambda ends: (ends[0], *([0] * 14), ends[1]))


IF_INDEXES = st.sampled_from((1, 255, 256, 1001, 2**31 - 1))


ENTRIES = st.lists(st.tuples(IF_INDEXES, V4 | V6, st.booleans()), max_size=25)


class Neighbors:
    """What a publisher keeps of neighbours, and all their indexes in two sorted lists."""

    def __init__(self, entries: list[tuple[int, Subids, bool]]) -> None:
        self.neighbors = NeighborTables()
        self.known: dict[tuple[int, Subids], tuple[bytes, bool]] = {}
        self._lists: dict[int, NeighborLists] = {}
        self._macs = count()
        for if_index, octets, static in entries:
            self.change(if_index, octets, static, True)

    def change(self, if_index: int, octets: Subids, static: bool, there: bool) -> None:
        """One comes, or is another one now, or goes."""
        lists = self._lists.setdefault(if_index, NeighborLists())
        if there:
            # An address that the MAC goes on from: nothing may take it for more of the address.
            mac = b"\xff" * 4 + next(self._macs).to_bytes(2, "big")
            lists.put(bytes(octets), mac, static)
            self.known[if_index, octets] = mac, static
        else:
            lists.remove(bytes(octets))
            self.known.pop((if_index, octets), None)
        for table, family in (
            (self.neighbors.ipv4, lists.ipv4),
            (self.neighbors.ipv6, lists.ipv6),
        ):
            if family:
                table.put(subids(if_index), family)
            else:
                table.remove(subids(if_index))

    def indexes(self, media: bool) -> dict[Subids, tuple[int, Subids]]:
        """The interface and address of each index, in the indexes' order."""
        found: dict[Subids, tuple[int, Subids]] = {}
        for if_index, octets in self.known:
            index: Subids = (if_index, *octets)
            if not media:
                kind = 1 if len(octets) == 4 else 2
                index = (if_index, kind, len(octets), *octets)
            if len(octets) == 4 or not media:
                found[index] = if_index, octets
        return dict(sorted(found.items()))

    def rows(self, media: bool) -> NeighborRows:
        return NeighborRows(self, media)  # type: ignore[arg-type]


STRANGE = st.sampled_from((0, 1, 2, 3, 4, 5, 16, 17, 254, 255, 256, 257, 65536, 2**32 - 1))


def indexes_near(known: list[Subids]) -> st.SearchStrategy[Subids]:
    """Indexes that are there, their beginnings, what is beside them, and others."""
    anything = st.lists(STRANGE | IF_INDEXES, max_size=8).map(tuple)
    if not known:
        return anything
    there = st.sampled_from(known)
    return st.one_of(
        there,
        st.tuples(there, st.integers(0, 19)).map(lambda cut: cut[0][: cut[1]]),
        st.tuples(there, STRANGE).map(lambda longer: (*longer[0], longer[1])),
        st.tuples(there, st.integers(0, 19), STRANGE).map(
            lambda beside: (*beside[0][: beside[1]], beside[2], *beside[0][beside[1] + 1 :])
        ),
        st.tuples(there, st.integers(0, 19), STRANGE).map(
            lambda beside: (*beside[0][: beside[1]], beside[2])
        ),
        anything,
    )


@pytest.mark.slow
@pytest.mark.parametrize("media", [False, True], ids=["physical", "media"])
@settings(max_examples=400, deadline=None)
@given(entries=ENTRIES, data=st.data())
def test_any_neighbours_are_found_as_in_a_sorted_list_of_all(
    media: bool, entries: list[tuple[int, Subids, bool]], data: st.DataObject
) -> None:
    neighbors = Neighbors(entries)
    rows, expected = neighbors.rows(media), neighbors.indexes(media)
    for _ in range(5):
        asked = data.draw(indexes_near(list(expected)))
        after = next((each for each in expected if each > asked), None)
        assert rows.following(subids(*asked)) == (None if after is None else subids(*after))
        row, of = rows.get(subids(*asked)), expected.get(asked)
        if of is None:
            assert row is None
        else:
            assert row is not None
            if_index, octets = of
            mac, static = neighbors.known[of]
            assert (row.if_index, row.address) == (if_index, bytes(octets))
            assert (row.mac_address, row.static) == (mac, static)
            assert row.type == (4 if static else 3)


@pytest.mark.slow
@pytest.mark.parametrize("media", [False, True], ids=["physical", "media"])
@settings(max_examples=200, deadline=None)
@given(entries=ENTRIES, others=ENTRIES, data=st.data())
def test_neighbours_that_change_in_a_walk_are_found_as_they_are_then(
    media: bool,
    entries: list[tuple[int, Subids, bool]],
    others: list[tuple[int, Subids, bool]],
    data: st.DataObject,
) -> None:
    neighbors = Neighbors(entries)
    rows = neighbors.rows(media)
    index = rows.following(b"")
    while index is not None:
        for if_index, octets, static in (
            data.draw(st.lists(st.sampled_from(others), max_size=2)) if others else ()
        ):
            neighbors.change(if_index, octets, static, data.draw(st.booleans()))
        expected = {subids(*each): of for each, of in neighbors.indexes(media).items()}
        row, of = rows.get(index), expected.get(index)
        known = None if of is None else neighbors.known[of]
        assert (None if row is None else (row.mac_address, row.static)) == known
        after = next((each for each in expected if each > index), None)
        index = rows.following(index)
        assert index == after


def test_neighbours_of_an_interface_that_goes_in_a_walk_go_with_it() -> None:
    neighbors = Neighbors([(1001, (192, 0, 2, 1), False), (1001, (192, 0, 2, 7), True)])
    rows = neighbors.rows(False)
    index = rows.following(b"")
    assert index is not None
    assert rows.get(index) is not None
    neighbors.neighbors.ipv4.remove(subids(1001))
    assert rows.get(index) is None
    assert rows.following(index) is None


@pytest.mark.parametrize("media", [False, True], ids=["physical", "media"])
@settings(max_examples=100, deadline=None)
@given(entries=ENTRIES)
def test_any_neighbours_are_walked_in_the_order_of_their_indexes(
    media: bool, entries: list[tuple[int, Subids, bool]]
) -> None:
    neighbors = Neighbors(entries)
    rows = neighbors.rows(media)
    walked_indexes, index = [], rows.following(b"")
    while index is not None:
        walked_indexes.append(index)
        index = rows.following(index)
    assert walked_indexes == [subids(*each) for each in neighbors.indexes(media)]
    assert all(before < after for before, after in pairwise(walked_indexes))


@pytest.mark.parametrize(
    ("asked", "after"),
    [
        ("", "7.1.4.10.0.0.1"),
        ("7", "7.1.4.10.0.0.1"),
        ("7.0", "7.1.4.10.0.0.1"),
        ("7.1.3", "7.1.4.10.0.0.1"),
        ("7.1.4.10.0.0", "7.1.4.10.0.0.1"),
        ("7.1.4.10.0.0.1", "7.1.4.10.0.0.3"),
        ("7.1.4.10.0.0.1.0", "7.1.4.10.0.0.3"),
        ("7.1.4.10.0.0.256", "7.1.4.10.0.2.1"),
        ("7.1.4.10.0.256.0", "7.1.4.11.0.0.1"),
        ("7.1.4.9.4294967295.0.0", "7.1.4.10.0.0.1"),
        ("7.1.4.11.0.0.1", "7.2.16.254.128.0.0.0.0.0.0.0.0.0.0.0.0.0.9"),
        ("7.1.5", "7.2.16.254.128.0.0.0.0.0.0.0.0.0.0.0.0.0.9"),
        ("7.2.4.10.0.0.1", "7.2.16.254.128.0.0.0.0.0.0.0.0.0.0.0.0.0.9"),
        ("7.2.16.254.128.0.0.0.0.0.0.0.0.0.0.0.0.0.9", "300.1.4.10.0.0.2"),
        ("7.2.17", "300.1.4.10.0.0.2"),
        ("7.3", "300.1.4.10.0.0.2"),
        ("8.1.4.10.0.0.1", "300.1.4.10.0.0.2"),
        ("300.1.4.10.0.0.2", None),
        ("301", None),
    ],
)
def test_an_index_that_is_none_is_followed_by_the_next_that_is_one(
    asked: str, after: str | None
) -> None:
    hosts = (10, 0, 0, 1), (10, 0, 0, 3), (10, 0, 2, 1), (11, 0, 0, 1)
    link_local = (254, 128, *([0] * 13), 9)
    rows = Neighbors(
        [*((7, host, False) for host in (*hosts, link_local)), (300, (10, 0, 0, 2), True)]
    ).rows(media=False)
    found = rows.following(oid(asked) if asked else b"")
    assert (found and dotted(found)) == after
    if asked and after and asked in after:
        assert rows.get(oid(asked)) is None
