"""What an interface is called and what it is, rule by rule."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vpp_snmp_agent.config import Descriptions, Settings
from vpp_snmp_agent.interfaces import naming
from vpp_snmp_agent.vpp.inventory import (
    NO_INDEX,
    Bond,
    BridgeDomain,
    Identity,
    Interface,
    Inventory,
    LcpPair,
)

MAC, OTHER_MAC = bytes.fromhex("6805ca324610"), bytes.fromhex("6805ca324611")
DEFAULT = Settings()
GIGABIT = 10**6  # kbit/s
UP, DOWN, LOWER_LAYER_DOWN = 1, 2, 7  # ifOperStatus


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


def sub(index: int, parent: int, **fields: Any) -> Interface:
    """A sub-interface as VPP tells it: address, speed and MTU are its parent's."""
    inherited = {"sup_sw_if_index": parent, "l2_address": bytes(6), "link_speed": 0, "mtu": 0}
    return port(index, f"GigabitEthernet3/0/{parent}.{index}", **inherited | fields)


def bond(index: int, *members: int, active: tuple[int, ...] | None = None) -> Bond:
    """A bond, of which all members are active if not said otherwise."""
    carrying = frozenset(members if active is None else active)
    return Bond(index, mode=5, active_members=len(carrying), members=members, active=carrying)


def pair(phy: int, host: str, tap: int = 900) -> LcpPair:
    """An LCP pair."""
    return LcpPair(phy, tap + phy, vif_index=phy, host_if_name=host, netns="dataplane")


def inventory(
    *interfaces: Interface,
    pairs: tuple[LcpPair, ...] = (),
    bonds: tuple[Bond, ...] = (),
    bridge_domains: tuple[BridgeDomain, ...] = (),
) -> Inventory:
    """What a VPP told."""
    return Inventory(
        Identity("26.06", "", 1),
        {each.sw_if_index: each for each in interfaces},
        {each.phy_sw_if_index: each for each in pairs},
        {each.sw_if_index: each for each in bonds},
        {each.bd_id: each for each in bridge_domains},
    )


def shown(told: Inventory, setting: Settings = DEFAULT) -> dict[int, Interface]:
    """The interfaces that are rows, in the rows' order."""
    listed = dict(naming.listed(told, naming.taps(told), setting))
    return {each.sw_if_index: each for each in listed.values()}


def names(told: Inventory, setting: Settings = DEFAULT) -> list[str]:
    """ifName of each row, in the rows' order."""
    taps = naming.taps(told)
    wishes = {
        index: naming.wish(each, told, taps, setting)
        for index, each in shown(told, setting).items()
    }
    return list(naming.if_names(wishes).values())


def alias(interface: Interface, descriptions: Descriptions, setting: Settings = DEFAULT) -> str:
    """ifAlias of an interface that is alone."""
    told = inventory(interface)
    return naming.if_alias(interface, "its name", told, {}, descriptions, setting)


# --- rows ----------------------------------------------------------------------------------


def test_local0_and_the_taps_of_pairs_are_hidden() -> None:
    told = inventory(
        port(0, "local0", interface_dev_type="local"),
        port(1),
        port(901, "tap4097", interface_dev_type="tap"),
        port(2, "tap2", interface_dev_type="tap"),
        pairs=(pair(1, "eno1"),),
    )
    assert list(shown(told)) == [1, 2]


def test_the_tap_of_an_interface_that_is_not_there_is_hidden_too() -> None:
    told = inventory(port(901, "tap4097", interface_dev_type="tap"), pairs=(pair(1, "eno1"),))
    assert shown(told) == {}


def test_rows_come_in_the_order_of_their_indexes() -> None:
    told = inventory(port(7), port(1), port(3))
    assert list(shown(told).items()) == [(1, port(1)), (3, port(3)), (7, port(7))]


# --- names ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        ({}, ["a", "b", "c"]),
        ({1: "eno1", 3: "eno1.100"}, ["eno1", "b", "eno1.100"]),
        ({1: ""}, ["a", "b", "c"]),
        ({1: "a", 2: "b"}, ["a", "b", "c"]),
        # The same in two namespaces: the second keeps VPP's.
        ({1: "x", 2: "x"}, ["x", "b", "c"]),
        ({1: "x", 2: "x", 3: "x"}, ["x", "b", "c"]),
        # Another's name in VPP: taken if that one keeps it, free if not.
        ({1: "b"}, ["a", "b", "c"]),
        ({3: "b"}, ["a", "b", "c"]),
        ({1: "b", 2: "x"}, ["b", "x", "c"]),
        ({1: "b", 2: "a"}, ["b", "a", "c"]),
        ({1: "b", 2: "c", 3: "a"}, ["b", "c", "a"]),
        ({1: "b", 2: "b"}, ["a", "b", "c"]),
        ({1: "b", 2: "x", 3: "x"}, ["b", "x", "c"]),
        ({1: "x", 2: "c", 3: "x"}, ["x", "b", "c"]),
        ({1: "b", 2: "c"}, ["a", "b", "c"]),
    ],
)
def test_a_name_is_the_hosts_where_that_is_free(hosts: dict[int, str], expected: list[str]) -> None:
    told = inventory(
        *(port(index, name) for index, name in enumerate("abc", 1)),
        pairs=tuple(pair(phy, host) for phy, host in hosts.items()),
    )
    assert names(told) == expected


def test_a_hidden_interface_takes_no_name() -> None:
    told = inventory(port(1), port(901, "tap1"), pairs=(pair(1, "tap1"),))
    assert names(told) == ["tap1"]


def test_a_pair_of_an_interface_that_is_not_there_takes_no_name() -> None:
    assert names(inventory(port(2), pairs=(pair(1, "eno1"), pair(2, "eno1")))) == ["eno1"]


@settings(deadline=None)
@given(
    vpp=st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=8),
    hosts=st.dictionaries(st.integers(0, 7), st.sampled_from(["", *"abcdefghxyz"])),
)
def test_no_name_stands_twice_and_none_is_invented(vpp: list[str], hosts: dict[int, str]) -> None:
    told = inventory(
        *(port(index, name) for index, name in enumerate(vpp)),
        pairs=tuple(pair(phy, host) for phy, host in hosts.items()),
    )
    found = names(told)
    assert len(found) == len(set(found)) == len(vpp)
    for index, name in enumerate(found):
        assert name in (vpp[index], hosts.get(index))
        if hosts.get(index):  # it has its host's name, or another row has that
            assert hosts[index] in found
        else:
            assert name == vpp[index]


# --- aliases -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("described", "tag", "told"),
    [
        ("from the file", "from VPP", "from the file"),
        ("from the file", "vppcfg", "from the file"),
        ("", "from VPP", "from VPP"),
        ("", "vppcfg", ""),
        ("", "", ""),
        ("", "vppcfg2", "vppcfg2"),
        ("Köln", "", "Köln"),
    ],
)
def test_an_alias_is_the_files_else_the_tag_but_not_vppcfgs_stamp(
    described: str, tag: str, told: str
) -> None:
    descriptions = Descriptions({"loop0": described, "other": "another's"})
    assert alias(port(1, "loop0", tag=tag), descriptions) == told


def test_a_description_belongs_to_vpps_name_not_to_the_hosts() -> None:
    assert alias(port(1, "loop0"), Descriptions({"eno1": "x"})) == ""


# --- types ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        ("dpdk", 6),
        ("RDMA interface", 6),
        ("AF_XDP interface", 6),
        ("VMXNET3 interface", 6),
        ("Adaptive Virtual Function (AVF) interface", 6),
        ("", 6),
        ("bond", 161),
        ("Loopback", 24),
        ("local", 24),
        ("BVI", 136),
        ("VXLAN", 131),
        ("VXLAN_GPE", 131),
        ("GENEVE", 131),
        ("GTPU", 131),
        ("PPPoE", 131),
        ("L2TPv3", 131),
        ("GRE tunnel device", 131),
        ("IPIP tunnel device", 131),
        ("MPLS tunnel device", 131),
        ("Wireguard Tunnel", 131),
        ("IPSEC Tunnel", 131),
        ("tap", 53),
        ("virtio", 53),
        ("memif", 53),
        ("vhost-user", 53),
        ("af-packet", 53),
        ("Pipe", 53),
        ("pg", 53),
    ],
)
def test_the_type_is_by_kind_and_only_hardware_has_a_connector(kind: str, number: int) -> None:
    interface = port(1, interface_dev_type=kind)
    assert naming.if_type(interface, frozenset()) == number
    assert naming.if_type(interface, frozenset({2, NO_INDEX})) == number
    assert naming.has_connector(interface) == (number == 6)


@pytest.mark.parametrize("kind", ["dpdk", "bond", "memif", "BVI", "GRE tunnel device"])
def test_a_sub_interface_of_any_kind_is_a_vlan(kind: str) -> None:
    tagged = sub(5, 1, interface_dev_type=kind)
    assert naming.if_type(tagged, frozenset({5})) == 135
    assert not naming.has_connector(tagged)


def test_the_loopback_in_which_a_bridge_domain_routes_is_a_vlan_of_layer_3() -> None:
    loopback = port(3, "loop10", interface_dev_type="Loopback")
    told = inventory(
        loopback,
        bridge_domains=(BridgeDomain(10, 3, (1, 2, 3)), BridgeDomain(11, NO_INDEX, (4,))),
    )
    assert naming.if_type(loopback, naming.bvis(told)) == 136
    assert (
        naming.if_type(replace(loopback, sw_if_index=4, sup_sw_if_index=4), naming.bvis(told)) == 24
    )
    assert not naming.has_connector(loopback)


# --- speeds --------------------------------------------------------------------------------


TRUNK = inventory(
    port(1, link_speed=10 * GIGABIT),
    port(2, link_speed=10 * GIGABIT),
    port(3, link_speed=25 * GIGABIT),
    port(4, "BondEthernet0", interface_dev_type="bond", link_speed=0),
    sub(5, 4),
    sub(6, 3),
    port(7, "loop0", interface_dev_type="Loopback", link_speed=0),
    sub(8, 99),
)


@pytest.mark.parametrize(
    ("index", "gigabits"), [(1, 10), (3, 25), (4, 20), (5, 20), (6, 25), (7, 0), (8, 0)]
)
def test_a_speed_is_its_own_its_parents_or_its_members_sum(index: int, gigabits: int) -> None:
    told = replace(TRUNK, bonds={4: bond(4, 1, 2)})
    assert naming.speed(told.interfaces[index], told, DEFAULT) == gigabits * 10**9


@pytest.mark.parametrize(("active", "gigabits"), [((), 0), ((2,), 10), ((1, 3), 35), ((1, 77), 10)])
def test_only_active_members_that_are_there_count(active: tuple[int, ...], gigabits: int) -> None:
    told = replace(TRUNK, bonds={4: bond(4, 1, 2, 3, 77, active=active)})
    assert naming.speed(told.interfaces[4], told, DEFAULT) == gigabits * 10**9
    assert naming.speed(told.interfaces[5], told, DEFAULT) == gigabits * 10**9


def test_a_speed_beyond_32_bits_is_whole() -> None:
    fast = port(1, link_speed=400 * GIGABIT)
    assert naming.speed(fast, inventory(fast), DEFAULT) == 400 * 10**9


# --- MTU and address -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "parents", "links", "mtu"),
    [(1500, 9000, 9206, 1500), (0, 9000, 9206, 9000), (0, 0, 9206, 9206), (0, 0, 0, 0)],
)
def test_a_sub_interface_without_an_mtu_has_its_parents(
    own: int, parents: int, links: int, mtu: int
) -> None:
    above, tagged = port(1, mtu=parents, link_mtu=links), sub(5, 1, mtu=own, link_mtu=1)
    told = inventory(above, tagged)
    assert naming.mtu(tagged, told) == mtu
    assert naming.mtu(above, told) == (parents or links)


def test_a_sub_interface_without_its_parent_has_its_own() -> None:
    orphan = sub(5, 1, mtu=1500, l2_address=OTHER_MAC)
    told = inventory(orphan)
    assert naming.parent(orphan, told) is None
    assert naming.mtu(orphan, told) == 1500
    assert naming.phys_address(orphan, told) == OTHER_MAC
    assert naming.oper_status(orphan, told) == UP


@pytest.mark.parametrize(("address", "shown"), [(MAC, MAC), (bytes(6), b"")])
def test_an_address_is_its_own_or_its_parents_or_empty(address: bytes, shown: bytes) -> None:
    above, tagged = port(1, l2_address=address), sub(5, 1)
    told = inventory(above, tagged)
    assert naming.phys_address(above, told) == shown
    assert naming.phys_address(tagged, told) == shown


# --- operational status --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("admin", "link", "status"),
    [(True, True, UP), (True, False, DOWN), (False, True, DOWN), (False, False, DOWN)],
)
def test_an_interface_is_up_when_wanted_and_linked(admin: bool, link: bool, status: int) -> None:
    interface = port(1, admin_up=admin, link_up=link)
    assert naming.oper_status(interface, inventory(interface)) == status


@pytest.mark.parametrize(
    ("parent_admin", "parent_link", "admin", "link", "status"),
    [
        (True, True, True, True, UP),
        (True, True, True, False, DOWN),
        (True, False, True, True, LOWER_LAYER_DOWN),
        (True, False, True, False, LOWER_LAYER_DOWN),
        (False, True, True, True, LOWER_LAYER_DOWN),
        (True, False, False, True, DOWN),
    ],
)
def test_a_sub_interface_that_is_wanted_is_lower_layer_down_with_its_parent(
    parent_admin: bool, parent_link: bool, admin: bool, link: bool, status: int
) -> None:
    tagged = sub(5, 1, admin_up=admin, link_up=link)
    told = inventory(port(1, admin_up=parent_admin, link_up=parent_link), tagged)
    assert naming.oper_status(tagged, told) == status


@pytest.mark.parametrize(
    ("active", "admin", "status", "tagged"),
    [
        ((1,), True, UP, UP),
        ((), True, LOWER_LAYER_DOWN, LOWER_LAYER_DOWN),
        ((), False, DOWN, LOWER_LAYER_DOWN),
    ],
)
def test_a_bond_without_active_member_is_lower_layer_down_and_so_are_its_vlans(
    active: tuple[int, ...], admin: bool, status: int, tagged: int
) -> None:
    trunk = port(4, "BondEthernet0", interface_dev_type="bond", admin_up=admin)
    told = inventory(port(1), trunk, sub(5, 4), bonds=(bond(4, 1, active=active),))
    assert naming.oper_status(trunk, told) == status
    assert naming.oper_status(told.interfaces[5], told) == tagged


# --- settings ------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", ["lcp", "vpp", "tap"])
def test_an_interface_without_a_pair_bears_vpps_name(setting: Any) -> None:
    assert names(inventory(port(1, "eth0")), Settings(names=setting)) == ["eth0"]


def test_an_alias_is_cut_between_characters_at_255_octets() -> None:
    told = alias(port(1), Descriptions({"GigabitEthernet3/0/1": "ü" * 200}))
    assert told == "ü" * 127
    assert alias(port(1), Descriptions({"GigabitEthernet3/0/1": "x" * 300})) == "x" * 255


def test_an_empty_alias_may_fall_back_on_the_name() -> None:
    by_name = Settings(alias="name")
    assert alias(port(1, tag="vppcfg"), Descriptions(), by_name) == "its name"
    assert alias(port(1, tag="a tag"), Descriptions(), by_name) == "a tag"


def test_a_speed_may_be_told_by_glob_and_the_first_that_fits_counts() -> None:
    told = replace(TRUNK, bonds={4: bond(4, 1, 2)}, pairs={3: pair(3, "eno3")})
    setting = Settings(speeds=(("eno*", 300), ("*/0/1", 2500), ("*/0/*", 1), ("loop*", 5)))
    speeds = {
        index: naming.speed(each, told, setting) // 10**6 for index, each in told.interfaces.items()
    }
    assert speeds[3] == 300  # by its host name, before VPP's
    assert (speeds[1], speeds[2]) == (2500, 1)
    assert speeds[4] == 2501  # the bond's members as told
    assert speeds[7] == 5


def test_a_sub_interface_has_its_parents_told_speed() -> None:
    told = inventory(port(3), sub(6, 3))
    assert naming.speed(told.interfaces[6], told, Settings(speeds=(("*/0/3", 77),))) == 77 * 10**6


def test_what_stands_on_no_other_notifies_of_its_link_and_the_operator_has_the_last_word() -> None:
    told = inventory(port(1), sub(2, 1), port(4, "BondEthernet0"), pairs=(pair(4, "bond0"),))
    enabled, disabled = (
        Settings(link_traps=(("bond?", True),)),
        Settings(link_traps=(("*", False),)),
    )

    def notifying(settings: Settings) -> list[bool]:
        return [
            naming.link_traps(each, index > 1, told, settings)
            for index, each in told.interfaces.items()
        ]

    assert notifying(DEFAULT) == [True, False, False]
    assert notifying(enabled) == [True, False, True]
    assert notifying(disabled) == [False, False, False]


def test_a_tap_is_known_by_its_phy() -> None:
    tap = port(901, "tap4097", interface_dev_type="tap")
    told = inventory(port(1, "eth0"), tap, pairs=(pair(1, "eno1"),))
    listed = dict(naming.listed(told, naming.taps(told), Settings(taps="show")))
    assert list(listed) == ["eth0", "tap of eth0"]


def test_an_mtu_that_no_integer32_holds_is_the_largest_that_one_does() -> None:
    jumbo = port(1, mtu=2**32 - 1)
    assert naming.mtu(jumbo, inventory(jumbo)) == 2**31 - 1
