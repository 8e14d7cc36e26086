"""mibs/lag_mib.py: bonds and their members, with LACP and without."""

from dataclasses import replace
from typing import Any

import pytest

from vpp_snmp_agent.agentx.mib import View
from vpp_snmp_agent.agentx.pdu import dotted
from vpp_snmp_agent.config import Descriptions
from vpp_snmp_agent.interfaces.table import InterfaceTable
from vpp_snmp_agent.mibs import lag_mib
from vpp_snmp_agent.mibs.lag_mib import lacp_state, port_list
from vpp_snmp_agent.show import walked
from vpp_snmp_agent.vpp.inventory import Bond, Identity, Interface, Inventory, LacpPort

MAC, PARTNER = bytes.fromhex("6805ca324614"), bytes.fromhex("020000000b0d")
PORT = Interface(3, 3, "eth0", "dpdk", "", MAC, True, True, 0, 0, 9000, 9000)
OTHER = replace(PORT, sw_if_index=4, sup_sw_if_index=4, interface_name="eth1")
BOND = replace(
    PORT, sw_if_index=5, sup_sw_if_index=5, interface_name="bond0", interface_dev_type="bond"
)
LACP = LacpPort(3, 65535, MAC, 5, 255, 1, 0x3F, 32768, PARTNER, 9, 127, 17, 0x3D)
ALONE = LacpPort(4, 65535, MAC, 5, 255, 2, 0x47, 65535, bytes(6), 5, 255, 2, 0)

AGG, LIST, PORTS = (f"1.2.840.10006.300.43.1.{each}.1" for each in ("1.1", "1.2", "2.1"))


def served(
    lacp: tuple[LacpPort, ...] = (), active: frozenset[int] = frozenset({3}), away: bool = False
) -> dict[str, Any]:
    """A bond over two members, of which one carries traffic; all that is served of it."""
    table = InterfaceTable()
    view = View(lag_mib.module(table).objects)
    told = Inventory(
        Identity("26.06-release", "", 1),
        {each.sw_if_index: each for each in (PORT, OTHER, BOND)},
        bonds={5: Bond(5, 5, len(active), (3, 4), active)},
        lacp_ports={each.sw_if_index: each for each in lacp},
    )
    for _ in table.update(told, None, Descriptions()):
        pass
    table.commit()
    if away:
        table.away()
    return {dotted(each.name): each.value for each in walked(view, b"")}


def column(found: dict[str, Any], entry: str, number: int) -> dict[int, Any]:
    start = f"{entry}.{number}."
    return {
        int(name.removeprefix(start)): value
        for name, value in found.items()
        if name.startswith(start)
    }


def test_a_bond_with_lacp_tells_of_both_sides() -> None:
    found = served((LACP, ALONE))
    row = {number: column(found, AGG, number).get(1005) for number in range(1, 12)}
    assert list(row.values()) == [None, MAC, 65535, MAC, 1, None, 5, PARTNER, 32768, 9, None]


def test_the_partner_is_that_of_a_member_that_carries_traffic() -> None:
    found = served((replace(ALONE, sw_if_index=3), replace(LACP, sw_if_index=4)), frozenset({4}))
    assert column(found, AGG, 8) == {1005: PARTNER}


def test_a_member_tells_what_it_is_attached_to_and_what_lacp_has_of_it() -> None:
    found = served((LACP, ALONE))
    assert column(found, PORTS, 12) == {1003: 1005, 1004: 1005}
    assert column(found, PORTS, 13) == {1003: 1005, 1004: 0}
    assert column(found, PORTS, 9) == {1003: PARTNER, 1004: bytes(6)}
    assert column(found, PORTS, 14) == {1003: 1, 1004: 2}
    assert column(found, PORTS, 17) == {1003: 17, 1004: 2}
    assert column(found, PORTS, 21) == {1003: b"\xfc", 1004: b"\xe2"}
    assert column(found, PORTS, 23) == {1003: b"\xbc", 1004: b"\0"}
    assert column(found, PORTS, 24) == {1003: 1, 1004: 1}


def test_a_bond_without_lacp_has_members_and_no_cells_that_lacp_would_fill() -> None:
    found = served()
    numbers = {int(name.split(".")[-2]) for name in found if name.startswith(f"{AGG}.")}
    assert numbers == {2, 5}
    numbers = {int(name.split(".")[-2]) for name in found if name.startswith(f"{PORTS}.")}
    assert numbers == {12, 13, 24}


def test_no_member_is_attached_while_vpp_is_away() -> None:
    assert column(served((LACP, ALONE), away=True), PORTS, 13) == {1003: 0, 1004: 0}


def test_members_are_bits_of_a_list() -> None:
    octets = column(served(), LIST, 1)[1005]
    assert len(octets) == 126
    assert [at for at in range(8 * 126) if octets[at // 8] & 0x80 >> at % 8] == [1002, 1003]


@pytest.mark.parametrize(
    ("indexes", "octets"),
    [([], b""), ([1], b"\x80"), ([8, 1], b"\x81"), ([9], b"\0\x80"), ([100_001], None)],
)
def test_a_list_is_as_long_as_its_last_member_needs(
    indexes: list[int], octets: bytes | None
) -> None:
    assert port_list(indexes) == octets


@pytest.mark.parametrize(("octet", "bits"), [(0, 0), (0x01, 0x80), (0x80, 0x01), (0x3F, 0xFC)])
def test_the_bits_of_a_state_count_from_the_other_end(octet: int, bits: int) -> None:
    assert lacp_state(octet) == bytes((bits,))
