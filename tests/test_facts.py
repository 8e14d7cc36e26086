"""interfaces/facts.py: what an interface is called and what it is, rule by rule."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vpp_snmp_agent.interfaces import facts as rules
from vpp_snmp_agent.interfaces.facts import DOWN, LOWER_LAYER_DOWN, UP, Configuration, Facts
from vpp_snmp_agent.interfaces.names import Candidates, Names
from vpp_snmp_agent.settings.declarations import Settings
from vpp_snmp_agent.settings.vppcfg import Descriptions
from vpp_snmp_agent.vpp.records import NO_INDEX, Addresses, Bond, BridgeDomain, Interface, Record
from vpp_snmp_agent.vpp.router import ACTIVE_BACKUP_MODE, BROADCAST_MODE, Router

from .routers import GIGABIT, MAC, bond, lacp_port, pair, port, router_of, sub, tap

OTHER_MAC = bytes.fromhex("6805ca324611")
DEFAULT = Settings()


def shown(router: Router, setting: Settings = DEFAULT) -> list[int]:
    """The interfaces that may be rows, in the order of their sw_if_index."""
    return [
        index
        for index, each in sorted(router.interfaces.items())
        if rules.may_be_row(each, router, setting)
    ]


def names(router: Router, setting: Settings = DEFAULT) -> list[str]:
    """ifName of each row, in the order of their sw_if_index."""
    given = Names()
    keys = []
    for index in shown(router, setting):
        interface = router.interfaces[index]
        keys.append(rules.key_of(interface, router))
        wanted = rules.wanted_name(interface, router, setting)
        given.put(keys[-1], Candidates(interface.interface_name, wanted))
    return [given.given[key] for key in keys]


def alias(interface: Interface, descriptions: Descriptions, setting: Settings = DEFAULT) -> str:
    """ifAlias of an interface that is alone."""
    router = router_of(interface)
    return rules.if_alias(interface, "its name", router, Configuration(setting, descriptions))


# --- rows ----------------------------------------------------------------------------------


def test_local0_and_the_taps_of_pairs_are_hidden() -> None:
    router = router_of(
        port(0, "local0", interface_dev_type="local"),
        port(1),
        tap(901, "tap4097"),
        tap(2, "tap2"),
        pair(1, "eno1"),
    )
    assert shown(router) == [1, 2]


def test_the_tap_of_an_interface_that_is_not_there_is_hidden_too() -> None:
    assert shown(router_of(tap(901, "tap4097"), pair(1, "eno1"))) == []


@pytest.mark.parametrize(
    ("key", "name", "setting", "is_hidden"),
    [
        ("loop9", "lo9", Settings(), False),
        ("loop9", "lo9", Settings(hide=("loop*",)), True),
        ("loop9", "lo9", Settings(hide=("lo9",)), True),
        ("loop9", "lo9", Settings(hide=("tap*", "lo")), False),
        ("tap of loop9", "tap4097", Settings(), True),
        ("tap of loop9", "tap4097", Settings(taps="show"), False),
        ("tap of loop9", "tap4097", Settings(taps="show", hide=("tap4*",)), True),
    ],
)
def test_what_vpp_does_not_list_is_hidden_by_either_of_its_names_and_as_a_tap(
    key: str, name: str, setting: Settings, is_hidden: bool
) -> None:
    assert rules.is_hidden(key, name, setting) is is_hidden


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
    router = router_of(
        *(port(index, name) for index, name in enumerate("abc", 1)),
        *(pair(phy, host) for phy, host in hosts.items()),
    )
    assert names(router) == expected


def test_a_hidden_interface_takes_no_name() -> None:
    assert names(router_of(port(1), port(901, "tap1"), pair(1, "tap1"))) == ["tap1"]


def test_a_pair_of_an_interface_that_is_not_there_takes_no_name() -> None:
    assert names(router_of(port(2), pair(1, "eno1"), pair(2, "eno1"))) == ["eno1"]


@settings(deadline=None)
@given(
    vpp=st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=8),
    hosts=st.dictionaries(st.integers(0, 7), st.sampled_from(["", *"abcdefghxyz"])),
)
def test_no_name_stands_twice_and_none_is_invented(vpp: list[str], hosts: dict[int, str]) -> None:
    router = router_of(
        *(port(index, name) for index, name in enumerate(vpp)),
        *(pair(phy, host) for phy, host in hosts.items()),
    )
    found = names(router)
    assert len(found) == len(set(found)) == len(vpp)
    for index, name in enumerate(found):
        assert name in (vpp[index], hosts.get(index))
        if hosts.get(index):  # it has its host's name, or another row has that
            assert hosts[index] in found
        else:
            assert name == vpp[index]


# --- aliases -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("described", "tag", "expected"),
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
    described: str, tag: str, expected: str
) -> None:
    descriptions = Descriptions({"loop0": described, "other": "another's"})
    assert alias(port(1, "loop0", tag=tag), descriptions) == expected


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
        ("Infrastructure Data Path Function (IDPF) interface", 6),
        ("Marvell PPv2 interface", 6),
        ("ixge", 6),
        ("netmap", 6),
        ("atlantic", 6),  # this and those below: drivers of vnet/dev
        ("ena", 6),
        ("iavf", 6),
        ("ige", 6),
        ("mvpp2", 6),
        ("octeon", 6),
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
        ("Packet Vectorizer Tunnel", 131),
        ("ip6ip-6rd", 131),
        ("GBP VXLAN tunnel-template", 131),
        ("VXLAN-GBP", 131),
        ("LISP_GPE", 131),
        ("L2_LISP_GPE", 131),
        ("NSH_LISP_GPE", 131),
        ("NSH", 131),
        ("tap", 53),
        ("virtio", 53),
        ("memif", 53),
        ("vhost-user", 53),
        ("af-packet", 53),
        ("Pipe", 53),
        ("pg", 53),
        ("tuntap", 53),
        ("Xcrw", 53),
        ("Simulated srp", 53),
        ("Test interface", 53),
        ("a kind of next year", 53),
        ("", 53),
    ],
)
def test_the_type_is_by_kind_and_only_hardware_has_a_connector(kind: str, number: int) -> None:
    interface = port(1, interface_dev_type=kind)
    assert rules.if_type(interface, is_bvi=False) == number
    others = router_of(interface, BridgeDomain(10, 2, (1, 2)), BridgeDomain(11, NO_INDEX, (1,)))
    assert rules.if_type(interface, others.is_bvi(1)) == number
    assert rules.has_connector(interface) == (number == 6)


@pytest.mark.parametrize("kind", ["dpdk", "bond", "memif", "BVI", "GRE tunnel device"])
def test_a_sub_interface_of_any_kind_is_a_vlan(kind: str) -> None:
    tagged = sub(5, 1, interface_dev_type=kind)
    assert rules.if_type(tagged, is_bvi=True) == 135
    assert not rules.has_connector(tagged)


def test_the_loopback_in_which_a_bridge_domain_routes_is_a_vlan_of_layer_3() -> None:
    loopback = port(3, "loop10", interface_dev_type="Loopback")
    router = router_of(
        *(loopback, replace(loopback, sw_if_index=4, sup_sw_if_index=4, interface_name="loop11")),
        *(BridgeDomain(10, 3, (1, 2, 3)), BridgeDomain(11, NO_INDEX, (4,))),
    )
    types = {
        index: rules.if_type(each, router.is_bvi(index))
        for index, each in router.interfaces.items()
    }
    assert types == {3: 136, 4: 24}
    assert not rules.has_connector(loopback)


# --- speeds --------------------------------------------------------------------------------


TRUNK = (
    port(1, link_speed=10 * GIGABIT),
    port(2, link_speed=10 * GIGABIT),
    port(3, link_speed=25 * GIGABIT),
    port(4, "BondEthernet0", interface_dev_type="bond", link_speed=0),
    sub(5, 4),
    sub(6, 3),
    port(7, "loop0", interface_dev_type="Loopback", link_speed=0),
    sub(8, 99),
)


def trunk(*more: Record, active: tuple[int, ...] = (1, 2, 3)) -> Router:
    """The ports of TRUNK, of which those of the first three are linked that are active."""
    return router_of(
        *(each if each.sw_if_index > 3 else linked(each, active) for each in TRUNK), *more
    )


def linked(interface: Interface, active: tuple[int, ...]) -> Interface:
    return replace(interface, link_up=interface.sw_if_index in active)


@pytest.mark.parametrize(
    ("index", "gigabits"), [(1, 10), (3, 25), (4, 20), (5, 20), (6, 25), (7, 0), (8, 0)]
)
def test_a_speed_is_its_own_its_parents_or_its_members_sum(index: int, gigabits: int) -> None:
    router = trunk(bond(4, 1, 2))
    assert rules.speed(router.interfaces[index], router, DEFAULT) == gigabits * 10**9


@pytest.mark.parametrize(("active", "gigabits"), [((), 0), ((2,), 10), ((1, 3), 35), ((1, 77), 10)])
def test_only_active_members_that_are_there_count(active: tuple[int, ...], gigabits: int) -> None:
    router = trunk(bond(4, 1, 2, 3, 77), active=active)
    assert rules.speed(router.interfaces[4], router, DEFAULT) == gigabits * 10**9
    assert rules.speed(router.interfaces[5], router, DEFAULT) == gigabits * 10**9


def test_a_member_counts_only_where_lacp_says_that_it_carries_traffic() -> None:
    router = trunk(bond(4, 1, 2, 3), lacp_port(1, 0x3D), lacp_port(2, 0x0D))
    assert rules.speed(router.interfaces[4], router, DEFAULT) == 10 * 10**9


@pytest.mark.parametrize(
    ("active", "gigabits"), [((1, 3), 10), ((2, 3), 10), ((3,), 25), ((3, 77), 25), ((), 0)]
)
def test_an_active_backup_bond_has_the_speed_of_the_member_that_is_active(
    active: tuple[int, ...], gigabits: int
) -> None:
    router = trunk(Bond(4, ACTIVE_BACKUP_MODE, (1, 2, 3, 77)), active=active)
    assert rules.speed(router.interfaces[4], router, DEFAULT) == gigabits * 10**9
    assert rules.speed(router.interfaces[5], router, DEFAULT) == gigabits * 10**9


def test_a_standby_is_not_aggregated_until_it_is_its_turn() -> None:
    backed = Bond(4, ACTIVE_BACKUP_MODE, (2, 1))
    router = trunk(backed)
    assert [facts(router.interfaces[each], router).aggregated for each in (1, 2)] == [False, True]
    router = trunk(backed, active=(1,))
    assert [facts(router.interfaces[each], router).aggregated for each in (1, 2)] == [True, False]


@pytest.mark.parametrize(
    ("active", "gigabits"), [((1, 2), 10), ((1, 3), 10), ((3,), 25), ((3, 6), 25), ((), 0)]
)
def test_a_broadcast_bond_is_as_fast_as_its_slowest_member_whose_speed_is_known(
    active: tuple[int, ...], gigabits: int
) -> None:
    unknown = port(6, "eth6", link_speed=0)
    router = trunk(Bond(4, BROADCAST_MODE, (1, 2, 3, 6)), linked(unknown, active), active=active)
    assert rules.speed(router.interfaces[4], router, DEFAULT) == gigabits * 10**9
    assert [router.is_aggregated(each) for each in (1, 2, 3)] == [
        each in active for each in (1, 2, 3)
    ]


def test_a_speed_beyond_32_bits_is_whole() -> None:
    fast = port(1, link_speed=400 * GIGABIT)
    assert rules.speed(fast, router_of(fast), DEFAULT) == 400 * 10**9


# --- MTU and address -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "parents", "links", "mtu"),
    [(1500, 9000, 9206, 1500), (0, 9000, 9206, 9000), (0, 0, 9206, 9206), (0, 0, 0, 0)],
)
def test_a_sub_interface_without_an_mtu_has_its_parents(
    own: int, parents: int, links: int, mtu: int
) -> None:
    parent, tagged = port(1, mtu=parents, link_mtu=links), sub(5, 1, mtu=own, link_mtu=1)
    router = router_of(parent, tagged)
    assert rules.mtu(tagged, router) == mtu
    assert rules.mtu(parent, router) == (parents or links)


def test_a_sub_interface_without_its_parent_has_its_own() -> None:
    orphan = sub(5, 1, mtu=1500, l2_address=OTHER_MAC)
    router = router_of(orphan)
    assert router.parent(orphan) is None
    assert rules.mtu(orphan, router) == 1500
    assert rules.phys_address(orphan, router) == OTHER_MAC
    assert rules.oper_status(orphan, router) == UP
    assert rules.oper_status(replace(orphan, link_up=False), router) == DOWN


@pytest.mark.parametrize(("address", "expected"), [(MAC, MAC), (bytes(6), b"")])
def test_an_address_is_its_own_or_its_parents_or_empty(address: bytes, expected: bytes) -> None:
    parent, tagged = port(1, l2_address=address), sub(5, 1)
    router = router_of(parent, tagged)
    assert rules.phys_address(parent, router) == expected
    assert rules.phys_address(tagged, router) == expected


# --- operational status --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("admin", "link", "status"),
    [(True, True, UP), (True, False, DOWN), (False, True, DOWN), (False, False, DOWN)],
)
def test_an_interface_is_up_when_wanted_and_linked(admin: bool, link: bool, status: int) -> None:
    interface = port(1, admin_up=admin, link_up=link)
    assert rules.oper_status(interface, router_of(interface)) == status


@pytest.mark.parametrize(
    ("parent_admin", "parent_link", "admin", "link", "status"),
    [
        (True, True, True, True, UP),
        (True, True, True, False, UP),  # its own flag is out of date: VPP takes its parent's
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
    router = router_of(port(1, admin_up=parent_admin, link_up=parent_link), tagged)
    assert rules.oper_status(tagged, router) == status


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
    over = port(4, "BondEthernet0", interface_dev_type="bond", admin_up=admin)
    router = router_of(port(1, link_up=1 in active), over, sub(5, 4), bond(4, 1))
    assert rules.oper_status(over, router) == status
    assert rules.oper_status(router.interfaces[5], router) == tagged


# --- settings ------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", ["lcp", "vpp", "tap"])
def test_an_interface_without_a_pair_bears_vpps_name(setting: Any) -> None:
    assert names(router_of(port(1, "eth0")), Settings(names=setting)) == ["eth0"]


def test_an_alias_is_cut_between_characters_at_255_octets() -> None:
    cut = alias(port(1), Descriptions({"GigabitEthernet3/0/1": "ü" * 200}))
    assert cut == "ü" * 127
    assert alias(port(1), Descriptions({"GigabitEthernet3/0/1": "x" * 300})) == "x" * 255


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Zürich \u2013 Genève", "Zurich - Geneve"),
        ("Straße nach Łódź", "Strasse nach Lodz"),
        ("core → edge", "core -> edge"),
        ("東京 1", "?? 1"),
        ("plain", "plain"),
    ],
)
def test_an_alias_is_transliterated_if_the_charset_is_ascii(text: str, expected: str) -> None:
    descriptions = Descriptions({"GigabitEthernet3/0/1": text})
    assert alias(port(1), descriptions, Settings(charset="ascii")) == expected
    assert alias(port(1), descriptions) == text


def test_an_empty_alias_may_fall_back_on_the_name() -> None:
    by_name = Settings(alias="name")
    assert alias(port(1, tag="vppcfg"), Descriptions(), by_name) == "its name"
    assert alias(port(1, tag="a tag"), Descriptions(), by_name) == "a tag"


def test_a_speed_may_be_configured_by_glob_and_the_first_that_fits_counts() -> None:
    router = trunk(bond(4, 1, 2), pair(3, "eno3"))
    setting = Settings(speeds=(("eno*", 300), ("*/0/1", 2500), ("*/0/*", 1), ("loop*", 5)))
    speeds = {
        index: rules.speed(each, router, setting) // 10**6
        for index, each in router.interfaces.items()
    }
    assert speeds[3] == 300  # by its host name, before VPP's
    assert (speeds[1], speeds[2]) == (2500, 1)
    assert speeds[4] == 2501  # the bond's members as configured
    assert speeds[7] == 5


def test_a_sub_interface_has_its_parents_configured_speed() -> None:
    router = router_of(port(3), sub(6, 3))
    setting = Settings(speeds=(("*/0/3", 77),))
    assert rules.speed(router.interfaces[6], router, setting) == 77 * 10**6


def test_a_bond_and_what_is_over_no_other_notify_of_their_links_unless_configured_otherwise() -> (
    None
):
    over = port(4, "BondEthernet0", interface_dev_type="bond")
    bvi = port(6, "loop6", interface_dev_type="Loopback")
    router = router_of(port(1), sub(2, 1), over, sub(5, 4), bvi, pair(4, "bond0"))
    vlans = Settings(link_traps=(("bond?", False), ("*.?", True)))
    none = Settings(link_traps=(("*", False),))

    def notifying(settings: Settings) -> list[bool]:
        return [
            rules.link_traps(each, index > 1, router, settings)
            for index, each in router.interfaces.items()
        ]

    assert notifying(DEFAULT) == [True, False, True, False, False]
    assert notifying(vlans) == [True, True, False, True, False]
    assert notifying(none) == [False, False, False, False, False]


def test_a_tap_is_known_by_its_phy() -> None:
    router = router_of(port(1, "eth0"), tap(901, "tap4097"), pair(1, "eno1"))
    assert shown(router, Settings(taps="show")) == [1, 901]
    assert [rules.key_of(each, router) for each in router.interfaces.values()] == [
        "eth0",
        "tap of eth0",
    ]


def test_an_mtu_that_no_integer32_holds_is_the_largest_that_one_does() -> None:
    jumbo = port(1, mtu=2**32 - 1)
    assert rules.mtu(jumbo, router_of(jumbo)) == 2**31 - 1


# --- all facts of a row ---------------------------------------------------------------------

HERE, THERE = (bytes((192, 0, 2, 1)), 24), (bytes((198, 51, 100, 1)), 30)


def facts(
    interface: Interface, router: Router, before: Facts | None = None, settled: bool = True
) -> Facts:
    return rules.facts_of(interface, "its name", router, Configuration(), before, settled)


def test_facts_are_all_that_is_reported_of_a_row() -> None:
    member, over = port(1, "eth0"), port(4, "bond0", interface_dev_type="bond", tag="to Bern")
    router = router_of(member, over, bond(4, 1), pair(4, "be0"), Addresses(4, (HERE,)))
    assert facts(over, router) == Facts(
        name="its name",
        alias="to Bern",
        type=161,
        mtu=9000,
        speed=10**9,
        phys_address=MAC,
        has_connector=False,
        duplex=2,
        lower_layers=("eth0",),
        aggregated=False,
        addresses=(HERE,),
        paired=True,
        link_traps=True,
        admin_up=True,
    )
    assert facts(member, router).aggregated
    assert not facts(member, router).paired


def test_facts_under_another_name_are_otherwise_the_same() -> None:
    before = facts(port(1), router_of(port(1)))
    assert rules.renamed(before, "its name") is before
    other = rules.renamed(before, "eno7")
    assert (other.name, replace(other, name="its name")) == ("eno7", before)


def test_what_it_is_over_stays_until_vpp_has_settled() -> None:
    over = port(4, "loop4", interface_dev_type="Loopback")
    before = facts(over, router_of(port(1, "eth0"), over, BridgeDomain(10, 4, (1, 4))))
    bare = router_of(port(1, "eth0"), over)
    waiting = facts(over, bare, before, settled=False)
    assert (waiting.lower_layers, waiting.link_traps) == (("eth0",), False)
    settled = facts(over, bare, before, settled=True)
    assert (settled.lower_layers, settled.link_traps) == ((), True)


@pytest.mark.parametrize(
    ("admin_up", "lower_layers", "status"),
    [
        (True, (), DOWN),
        (True, ("eth0",), LOWER_LAYER_DOWN),
        (False, ("eth0",), DOWN),
        (False, (), DOWN),
    ],
)
def test_what_is_absent_is_down_for_what_it_is_over_unless_configured_down(
    admin_up: bool, lower_layers: tuple[str, ...], status: int
) -> None:
    known = facts(port(1), router_of(port(1)))
    known = replace(known, admin_up=admin_up, lower_layers=lower_layers)
    assert rules.absent_status(known) == status


def test_addresses_stay_until_they_are_reported_and_vpp_has_settled() -> None:
    interface = port(1)
    before = facts(interface, router_of(interface, Addresses(1, (HERE,))))
    for router, settled, expected in (
        (router_of(interface), True, (HERE,)),
        (router_of(interface, Addresses(1, ())), False, (HERE,)),
        (router_of(interface, Addresses(1, ())), True, ()),
        (router_of(interface, Addresses(1, (THERE,))), False, (THERE,)),
    ):
        assert facts(interface, router, before, settled).addresses == expected


def test_a_lower_layer_that_vpp_does_not_list_is_none() -> None:
    over = port(4, "bond0", interface_dev_type="bond")
    assert facts(over, router_of(over, port(1, "eth0"), bond(4, 1, 77))).lower_layers == ("eth0",)


def test_a_tap_below_is_known_by_its_phy() -> None:
    over = sub(6, 901, "tap4097.6")
    router = router_of(port(1, "eth0"), tap(901, "tap4097"), over, pair(1, "eno1"))
    assert facts(over, router).lower_layers == ("tap of eth0",)


def test_where_taps_bear_the_names_a_tap_is_described_by_its_phy_and_no_other() -> None:
    router = router_of(port(1, "eth0", tag="to Bern"), tap(901, "tap4097"), pair(1, "eno1"))

    def described(setting: Settings) -> list[str]:
        configuration = Configuration(setting, Descriptions())
        return [
            rules.if_alias(each, "its name", router, configuration)
            for each in router.interfaces.values()
        ]

    assert described(Settings(names="tap")) == ["to Bern", "LCP eth0 (tap4097)"]
    assert described(DEFAULT) == ["to Bern", ""]
