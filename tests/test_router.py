"""vpp/router.py: what one VPP reported, what is over what, and what a change touches."""

from bisect import bisect_left
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from vpp_snmp_agent.interfaces import facts as rules
from vpp_snmp_agent.interfaces.facts import Configuration
from vpp_snmp_agent.settings.declarations import Settings
from vpp_snmp_agent.vpp.records import (
    NO_INDEX,
    Addresses,
    Bond,
    BridgeDomain,
    Changes,
    Complete,
    Interface,
    LcpPair,
    Neighbor,
    NeighborChanges,
    Record,
    Thread,
    Threads,
)
from vpp_snmp_agent.vpp.router import ACTIVE_BACKUP_MODE, BROADCAST_MODE, NeighborLists, Router

from .routers import LACP, MAC, VPP, bond, lacp_port, lost, pair, port, router_of, sub, tap

ETH0, ETH1, ETH2 = port(1, "eth0"), port(2, "eth1"), port(3, "eth2")
BOND = port(4, "bond0", interface_dev_type="bond")
OTHER_BOND = port(5, "bond1", interface_dev_type="bond")
LOOP, OTHER_LOOP = (port(n, f"loop{n}", interface_dev_type="Loopback") for n in (6, 7))
SUB, BOND_SUB = sub(11, 1, "eth0.11"), sub(12, 4, "bond0.12")
TAP, TAP_SUB = tap(20, "tap20"), sub(21, 20, "tap20.21")
HERE = (bytes((192, 0, 2, 1)), 24)
XOR = 3  # a bond's mode
MODES = (LACP, XOR, ACTIVE_BACKUP_MODE, BROADCAST_MODE)


def report(router: Router, *records: Record) -> set[int]:
    return router.apply(Changes(tuple(records)))


def lose(router: Router, *records: Record) -> set[int]:
    return router.apply(Changes(gone=lost(*records)))


# --- what is taken ---------------------------------------------------------------------------


def test_whatever_a_vpp_reports_of_itself_is_taken_and_touches_its_interfaces() -> None:
    router = Router(VPP)
    thread = Thread(2, "vpp_wk_1", "workers", 4711, 6)
    neighbor = Neighbor(2, bytes((192, 0, 2, 9)), MAC, True)
    assert router.take(Changes((ETH0, SUB))) == {1, 11}
    assert router.take(NeighborChanges((neighbor,))) == {2}
    assert router.take(Threads((thread,))) == set()
    assert router.take(Complete("LCP pairs")) == set()
    assert router.interfaces == {1: ETH0, 11: SUB}
    assert router.neighbors[2].ipv4
    assert router.worker_cpus == {6}
    assert router.complete == {"LCP pairs"}


# --- what is over what ----------------------------------------------------------------------


def test_a_sub_interface_is_over_its_parent_and_the_others_over_none() -> None:
    router = router_of(ETH0, ETH1, SUB)
    assert [router.lower_layers(each) for each in (ETH0, ETH1, SUB)] == [(), (), (1,)]


def test_a_bond_is_over_its_members() -> None:
    router = router_of(ETH0, ETH1, BOND, bond(4, 1, 2))
    assert router.lower_layers(BOND) == (1, 2)
    assert router.lower_layers(ETH0) == ()


def test_a_bvi_is_over_the_other_ports_of_its_bridge_domain() -> None:
    router = router_of(ETH1, SUB, LOOP, BridgeDomain(10, 6, (6, 11, 2)))
    assert router.lower_layers(LOOP) == (11, 2)
    assert router.is_bvi(6)
    assert not router.is_bvi(2)


def test_a_bridge_domain_without_bvi_or_ports_stacks_nothing() -> None:
    domains = BridgeDomain(10, NO_INDEX, (11, 2)), BridgeDomain(11, 6, (6,))
    router = router_of(ETH0, ETH1, LOOP, SUB, *domains)
    assert [router.lower_layers(each) for each in (ETH0, ETH1, LOOP, SUB)] == [(), (), (), (1,)]
    assert not router.is_bvi(NO_INDEX)


def test_a_sub_interface_is_never_over_another() -> None:
    router = router_of(ETH0, SUB, sub(13, 11, "eth0.11.13"))
    assert router.parent(router.interfaces[13]) is None
    assert router.parent(SUB) == ETH0
    assert router.parent(ETH0) is None


def test_a_tap_mirrors_its_phy_and_nothing_else_does() -> None:
    router = router_of(ETH0, TAP, LOOP, pair(1, "e0", 20))
    assert router.phy(20) == ETH0
    assert router.phy(1) is None
    assert router_of(TAP, pair(1, "e0", 20)).phy(20) is None


# --- which members carry traffic ---------------------------------------------------------------


def active(router: Router) -> list[int]:
    return [each.sw_if_index for each in router.active_members(router.bonds[4])]


def test_a_member_carries_traffic_while_its_link_is_up() -> None:
    members = (ETH0, replace(ETH1, link_up=False), ETH2)
    router = router_of(*members, BOND, Bond(4, XOR, (1, 2, 3, 77)))
    assert active(router) == [1, 3]
    assert [router.is_aggregated(index) for index in (1, 2, 3, 4, 77)] == [
        *(True, False, True, False, False)
    ]


def test_where_lacp_is_spoken_it_carries_traffic_only_if_lacp_collects_and_distributes() -> None:
    ports = lacp_port(1, 0x3D), lacp_port(2, 0x1D)
    assert active(router_of(ETH0, ETH1, ETH2, BOND, bond(4, 1, 2, 3), *ports)) == [1]


def test_lacp_that_was_not_reported_of_any_member_does_not_count() -> None:
    assert active(router_of(ETH0, ETH1, BOND, bond(4, 1, 2))) == [1, 2]


def test_a_member_that_is_configured_down_carries_nothing() -> None:
    members = (replace(ETH0, admin_up=False), ETH1)
    assert active(router_of(*members, BOND, Bond(4, XOR, (1, 2)))) == [2]


def test_of_an_active_backup_bond_the_first_that_is_up_carries_traffic_alone() -> None:
    backed = Bond(4, ACTIVE_BACKUP_MODE, (2, 1, 3))
    router = router_of(ETH0, ETH1, ETH2, BOND, backed)
    assert active(router) == [2]
    assert [router.is_aggregated(index) for index in (1, 2, 3)] == [False, True, False]
    assert report(router, replace(ETH1, link_up=False)) >= {1, 2, 4}
    assert active(router) == [1]
    assert lose(router, ETH0) >= {1, 3, 4}
    assert active(router) == [3]


def test_of_a_broadcast_bond_every_member_carries_traffic() -> None:
    assert active(router_of(ETH0, ETH1, BOND, Bond(4, BROADCAST_MODE, (1, 2)))) == [1, 2]


def test_lacp_of_a_bond_of_another_mode_does_not_count() -> None:
    assert active(router_of(ETH0, BOND, Bond(4, XOR, (1,)), lacp_port(1, 0x01))) == [1]


# --- what a change touches -------------------------------------------------------------------

EVERYTHING: tuple[Record, ...] = (
    *(pair(1, "e0", 20), bond(4, 2, 3), lacp_port(2), lacp_port(3), BridgeDomain(10, 6, (6, 11))),
    *(ETH0, ETH1, ETH2, BOND, OTHER_BOND, LOOP, OTHER_LOOP, SUB, BOND_SUB, TAP, TAP_SUB),
)


@pytest.fixture
def router() -> Router:
    return router_of(*EVERYTHING)


def test_an_interface_that_nothing_is_over_touches_itself(router: Router) -> None:
    assert report(router, replace(OTHER_LOOP, link_up=False)) == {7}
    assert lose(router, OTHER_LOOP) == {7}
    assert report(router, OTHER_LOOP) == {7}


@pytest.mark.parametrize(
    "change",
    [
        {"link_up": False},
        {"admin_up": False},
        {"link_speed": 1},
        {"link_mtu": 1},
        {"mtu": 1},
        {"l2_address": b"\2" * 6},
    ],
    ids=str,
)
def test_a_parent_touches_its_subs(router: Router, change: dict[str, Any]) -> None:
    assert report(router, replace(ETH0, **change)) >= {1, 11}


@pytest.mark.parametrize("change", [{"tag": "core"}, {"link_duplex": 1}], ids=str)
def test_what_no_other_has_of_it_touches_itself_alone(
    router: Router, change: dict[str, Any]
) -> None:
    assert report(router, replace(ETH0, **change)) == {1}


def test_a_sub_touches_itself_and_the_bvi_that_is_over_it(router: Router) -> None:
    assert report(router, replace(SUB, admin_up=False)) == {11, 6}
    assert report(router, replace(SUB, admin_up=False, tag="customer")) == {11}
    assert lose(router, SUB) == {11, 6}
    # Its parent has it no more.
    assert 11 not in report(router, replace(ETH0, link_up=False))


def test_a_sub_that_moves_is_touched_by_its_new_parent_alone(router: Router) -> None:
    report(router, replace(SUB, sup_sw_if_index=2))
    assert 11 in report(router, replace(ETH1, link_up=False))
    assert 11 not in report(router, replace(ETH0, link_up=False))


def test_the_link_of_a_sub_without_its_parent_is_its_own(router: Router) -> None:
    assert report(router, replace(SUB, link_up=False)) == set()
    lose(router, ETH0)
    assert report(router, SUB) >= {11}


def test_a_member_touches_its_bond_and_the_bonds_subs(router: Router) -> None:
    assert report(router, replace(ETH1, link_up=False)) == {2, 4, 12}
    assert lose(router, ETH1) == {2, 4, 12}


def test_a_bond_touches_its_members_those_of_before_too_and_its_subs(router: Router) -> None:
    assert report(router, bond(4, 3, 1)) == {1, 2, 3, 4, 12}
    assert lose(router, bond(4)) == {1, 3, 4, 12}
    assert report(router, replace(ETH0, link_up=False)).isdisjoint({4, 12})


def test_lacp_of_a_member_touches_it_the_other_members_the_bond_and_its_subs(
    router: Router,
) -> None:
    assert report(router, lacp_port(2, 0x05)) == {2, 3, 4, 12}
    assert lose(router, lacp_port(2)) == {2, 3, 4, 12}


def test_a_pair_touches_its_phy_and_its_tap_that_of_before_too(router: Router) -> None:
    assert report(router, pair(1, "e1", 20)) == {1, 20, 21}
    assert report(router, pair(1, "e1", 7)) == {1, 20, 21, 7}
    assert lose(router, pair(1, "e1", 7)) == {1, 7}
    assert router.taps == {}


def test_a_phy_touches_its_tap_which_is_known_by_its_name(router: Router) -> None:
    assert report(router, replace(ETH0, interface_name="uplink")) >= {1, 11, 20, 21}
    assert lose(router, ETH0) >= {1, 11, 20, 21}


def test_a_bridge_domain_touches_its_bvi_that_of_before_too(router: Router) -> None:
    assert report(router, BridgeDomain(10, 6, (6, 11, 2))) == {6}
    assert report(router, BridgeDomain(10, 7, (7, 11))) == {6, 7}
    assert lose(router, BridgeDomain(10, NO_INDEX, ())) == {7}
    assert not router.is_bvi(7)


def test_a_port_of_a_bridge_domain_touches_the_bvi(router: Router) -> None:
    report(router, BridgeDomain(10, 6, (6, 7)))
    assert report(router, replace(OTHER_LOOP, interface_name="loop77")) == {7, 6}
    assert lose(router, OTHER_LOOP) == {7, 6}


def test_addresses_touch_their_interface(router: Router) -> None:
    assert report(router, Addresses(1, (HERE,))) == {1}
    assert router.addresses == {1: (HERE,)}
    assert lose(router, Addresses(1, ())) == {1}
    assert router.addresses == {}


def test_neighbours_touch_their_interface_and_in_vain_none() -> None:
    router = router_of(ETH0)
    entry = Neighbor(1, HERE[0], MAC, False)
    assert router.apply_neighbors(NeighborChanges((entry,))) == {1}
    assert router.apply_neighbors(NeighborChanges(gone=((1, HERE[0]), (9, HERE[0])))) == {1}
    assert router.neighbors[1].ipv4 == []


# --- an index that changes hands -----------------------------------------------------------------


def with_belongings() -> Router:
    return router_of(
        *(ETH0, ETH1, Addresses(1, (HERE,)), Addresses(2, ((HERE[0], 25),))),
        neighbors=(Neighbor(1, HERE[0], MAC, False), Neighbor(2, HERE[0], MAC, True)),
    )


def test_an_interface_that_is_gone_takes_its_addresses_and_neighbours_along() -> None:
    router = with_belongings()
    lose(router, ETH0)
    assert (list(router.addresses), list(router.neighbors)) == ([2], [2])


@pytest.mark.parametrize("at_once", [True, False])
def test_an_index_that_changes_hands_hands_on_no_addresses_and_no_neighbours(
    at_once: bool,
) -> None:
    router = with_belongings()
    other = replace(ETH0, interface_name="eth9")
    if at_once:
        router.apply(Changes((other,), ((Interface, 1),)))
    else:
        report(router, other)
    assert router.interfaces[1] == other
    assert (list(router.addresses), list(router.neighbors)) == ([2], [2])


def test_an_interface_that_keeps_its_name_keeps_its_addresses_and_neighbours() -> None:
    router = with_belongings()
    report(router, replace(ETH0, link_up=False, tag="core"))
    assert (list(router.addresses), list(router.neighbors)) == ([1, 2], [1, 2])


# --- relations that pass to another owner -------------------------------------------------------


@pytest.mark.parametrize("first", [0, 1])
def test_a_member_may_pass_to_another_bond_in_any_order_of_messages(first: int) -> None:
    router = router_of(ETH0, ETH1, ETH2, BOND, OTHER_BOND, bond(4, 1, 2), bond(5, 3))
    news = (bond(4, 1), bond(5, 3, 2))
    assert report(router, news[first]) | report(router, news[1 - first]) == {1, 2, 3, 4, 5}
    assert router.bond_of == {1: 4, 2: 5, 3: 5}
    assert 5 in report(router, replace(ETH1, link_up=False))


@pytest.mark.parametrize("first", [0, 1])
def test_a_tap_may_pass_to_another_phy_in_any_order_of_messages(first: int) -> None:
    router = router_of(ETH0, ETH1, TAP, pair(1, "e0", 20), pair(2, "e1", 30))
    news = (pair(1, "e0", 30), pair(2, "e1", 20))
    for each in (news[first], news[1 - first]):
        report(router, each)
    assert router.taps == {30: 1, 20: 2}
    assert 20 in report(router, replace(ETH1, interface_name="eth9"))


@pytest.mark.parametrize("first", [0, 1])
def test_a_bvi_may_pass_to_another_bridge_domain_in_any_order_of_messages(first: int) -> None:
    domains = BridgeDomain(10, 6, (6, 1)), BridgeDomain(11, 7, (7, 2))
    router = router_of(ETH0, ETH1, LOOP, OTHER_LOOP, *domains)
    news = (BridgeDomain(10, 7, (7, 1)), BridgeDomain(11, 6, (6, 2)))
    for each in (news[first], news[1 - first]):
        report(router, each)
    assert router.lower_layers(LOOP) == (2,)
    assert router.lower_layers(OTHER_LOOP) == (1,)


# --- any router, changed in any order ------------------------------------------------------------

PORTS, BONDS, LOOPS, TAPS, SUBS = (1, 2, 3), (4, 5), (6, 7), (20, 21), (11, 12, 13)
FLAGS = st.booleans()


@st.composite
def reports(draw: st.DrawFn) -> dict[tuple[type[Record], int], Record]:
    """All that a VPP may report of a few interfaces: each member in one bond, each TAP of one
    pair, each port in one bridge domain.
    """
    found: list[Record] = []

    def interface(make: Any, index: int, *more: Any, **fields: Any) -> None:
        if draw(st.integers(0, 4)):
            name = draw(st.sampled_from((f"if{index}", f"if{index}", f"other{index}")))
            flags = {"link_up": draw(FLAGS), "admin_up": draw(FLAGS)}
            speed = draw(st.sampled_from((10**6, 10**7)))
            found.append(make(index, *more, name, link_speed=speed, **flags, **fields))

    for index in PORTS:
        interface(port, index)
    for index in BONDS:
        interface(port, index, interface_dev_type="bond")
    for index in LOOPS:
        interface(port, index, interface_dev_type="Loopback")
    for index in TAPS:
        interface(port, index, interface_dev_type="tap")
    for index in SUBS:
        interface(sub, index, draw(st.sampled_from((1, 4, 6, 20, 77))))
    owners = {each: draw(st.sampled_from((*BONDS, 0))) for each in PORTS}
    for index in BONDS:
        members = tuple(each for each in PORTS if owners[each] == index)
        if draw(FLAGS) or members:
            found.append(Bond(index, draw(st.sampled_from(MODES)), members))
    found += [lacp_port(each, draw(st.sampled_from((0x3D, 5)))) for each in PORTS if draw(FLAGS)]
    hosts = draw(st.permutations((*TAPS, 22)))
    for phy, host in zip((1, 4, 11), hosts, strict=True):
        if draw(FLAGS):
            found.append(LcpPair(phy, host, phy, draw(st.sampled_from(("", "e0", "e1"))), "ns"))
    bvis = draw(st.permutations([*LOOPS, NO_INDEX]))
    domains = {
        each: draw(st.sampled_from((10, 11, 0))) for each in (*PORTS, *SUBS, *BONDS, *TAPS, *LOOPS)
    }
    for number, bvi in zip((10, 11), bvis, strict=False):
        if draw(FLAGS):
            ports = tuple(each for each, domain in domains.items() if domain == number)
            found.append(BridgeDomain(number, bvi, ports))
    return {(type(each), each.key): each for each in found}


def described(router: Router) -> dict[int, tuple[object, ...]]:
    """All that rows are made of, by sw_if_index."""
    found: dict[int, tuple[object, ...]] = {}
    for setting in (Settings(taps="show"), Settings(names="tap")):
        configuration = Configuration(setting)
        for index, each in router.interfaces.items():
            found[index] = (
                *found.get(index, ()),
                rules.may_be_row(each, router, setting),
                rules.key_of(each, router),
                rules.wanted_name(each, router, setting),
                rules.oper_status(each, router),
                rules.facts_of(each, "a name", router, configuration, None, True),
                router.lacp_ports.get(index),
            )
    return found


# To shrink a router takes minutes, and what fails says enough.
@pytest.mark.slow
@settings(max_examples=150, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(st.data())
def test_any_changes_in_any_order_lead_to_the_same_and_touch_all_that_differs(
    data: st.DataObject,
) -> None:
    router, before = Router(VPP), dict[tuple[type[Record], int], Record]()
    for _ in range(data.draw(st.integers(1, 3))):
        after = data.draw(reports())
        differing = [each for each in before.keys() | after if before.get(each) != after.get(each)]
        was = described(router)
        touched: set[int] = set()
        differing.sort(key=str)
        for kind, key in data.draw(st.permutations(differing)):
            record = after.get((kind, key))
            message = Changes((record,)) if record else Changes(gone=((kind, key),))
            touched |= router.apply(message)
        fresh = Router(VPP)
        fresh.apply(Changes(tuple(after.values())))
        now = described(router)
        assert now == described(fresh)
        for name in ("taps", "bond_of", "_subs", "_domains_of_bvi", "_domain_of_member"):
            assert getattr(router, name) == getattr(fresh, name), name
        differs = {each for each in was.keys() | now.keys() if was.get(each) != now.get(each)}
        assert differs <= touched
        before = after


# --- lists of neighbours -------------------------------------------------------------------------


def test_an_entry_is_address_mac_and_whether_it_is_static() -> None:
    lists = NeighborLists()
    lists.put(bytes((192, 0, 2, 9)), bytes(range(6)), True)
    lists.put(bytes((192, 0, 2, 1)), b"\xff" * 6, False)
    lists.put(bytes(16), MAC, False)
    assert lists.ipv4 == [
        b"\xc0\0\2\1" + b"\xff" * 6 + b"\0",
        b"\xc0\0\2\x09" + bytes(range(6)) + b"\1",
    ]
    assert lists.ipv6 == [bytes(16) + MAC + b"\0"]


def test_an_entry_that_is_put_again_is_changed() -> None:
    lists = NeighborLists()
    for mac, static in ((MAC, False), (bytes(6), True)):
        lists.put(HERE[0], mac, static)
    assert lists.ipv4 == [HERE[0] + bytes(6) + b"\1"]


def test_an_entry_that_is_not_there_is_removed_in_vain() -> None:
    lists = NeighborLists()
    lists.put(HERE[0], MAC, False)
    lists.remove(bytes((192, 0, 2, 0)))
    lists.remove(bytes((192, 0, 2, 255)))
    lists.remove(bytes(16))
    assert lists.ipv4 == [HERE[0] + MAC + b"\0"]
    lists.remove(HERE[0])
    assert lists.ipv4 == []


OCTET = st.sampled_from((0, 1, 0x7F, 0xFE, 0xFF))
ADDRESS = st.one_of(
    st.lists(OCTET, min_size=4, max_size=4).map(bytes),
    st.lists(OCTET, min_size=2, max_size=2).map(lambda ends: bytes(ends) * 8),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(ADDRESS, st.sampled_from((MAC, b"\xff" * 6, None)), FLAGS), max_size=40))
def test_lists_of_neighbours_are_a_dict_in_the_order_of_its_addresses(
    steps: list[tuple[bytes, bytes | None, bool]],
) -> None:
    lists, model = NeighborLists(), dict[bytes, bytes]()
    for address, mac, static in steps:
        if mac is None:
            lists.remove(address)
            model.pop(address, None)
        else:
            lists.put(address, mac, static)
            model[address] = address + mac + bytes((static,))
    for entries, size in ((lists.ipv4, 4), (lists.ipv6, 16)):
        assert entries == [model[each] for each in sorted(model) if len(each) == size]
    for address in model:
        entries = lists.family(address)
        assert entries[bisect_left(entries, address)] == model[address]
