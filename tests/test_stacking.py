"""interfaces/stacking.py: what stands on what, from what VPP told."""

from dataclasses import replace

from vpp_snmp_agent.interfaces.stacking import standing
from vpp_snmp_agent.vpp.inventory import (
    NO_INDEX,
    Bond,
    BridgeDomain,
    Identity,
    Interface,
    Inventory,
)

PORT = Interface(1, 1, "eth0", "dpdk", "", bytes(6), True, True, 0, 0, 9000, 9000)
OTHER = replace(PORT, sw_if_index=2, sup_sw_if_index=2, interface_name="eth1")
SUB = replace(PORT, sw_if_index=3, interface_name="eth0.7")
LOOP = replace(PORT, sw_if_index=4, sup_sw_if_index=4, interface_name="loop0")
BOND = replace(PORT, sw_if_index=5, sup_sw_if_index=5, interface_name="BondEthernet0")


def told(*domains: BridgeDomain, bond: tuple[int, ...] = ()) -> Inventory:
    return Inventory(
        Identity("26.06-release", "", 1),
        {each.sw_if_index: each for each in (PORT, OTHER, SUB, LOOP, BOND)},
        bonds={5: Bond(5, 5, 0, bond, frozenset())},
        bridge_domains={each.bd_id: each for each in domains},
    )


def test_a_sub_interface_stands_on_its_parent_and_the_others_on_none() -> None:
    assert standing(told()) == {3: (1,)}


def test_a_bond_stands_on_its_members() -> None:
    assert standing(told(bond=(1, 2)))[5] == (1, 2)


def test_a_bvi_stands_on_the_other_ports_of_its_bridge_domain() -> None:
    assert standing(told(BridgeDomain(10, 4, (4, 3, 2))))[4] == (3, 2)


def test_a_bridge_domain_without_bvi_or_ports_stacks_nothing() -> None:
    domains = BridgeDomain(10, NO_INDEX, (3, 2)), BridgeDomain(11, 4, (4,))
    assert standing(told(*domains)) == {3: (1,)}
