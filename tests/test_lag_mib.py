"""mibs/lag_mib.py: bonds and their members, with LACP and without."""

import tracemalloc
from dataclasses import replace
from typing import Any

import pytest

from vpp_snmp_agent.agentx.mib import View
from vpp_snmp_agent.agentx.values import oid
from vpp_snmp_agent.interfaces.publisher import Publisher
from vpp_snmp_agent.mibs import lag_mib
from vpp_snmp_agent.mibs.lag_mib import lacp_state, port_list
from vpp_snmp_agent.vpp.records import Bond, LacpPort
from vpp_snmp_agent.vpp.router import ACTIVE_BACKUP_MODE

from . import routers
from .oids import LAG
from .routers import Clock, bond, change, finish, port, router_of
from .walks import column, found_in

MAC, PARTNER = bytes.fromhex("6805ca324614"), bytes.fromhex("020000000b0d")
PORT, OTHER = port(3, "eth0", l2_address=MAC), port(4, "eth1", l2_address=MAC)
BOND = port(5, "bond0", interface_dev_type="bond", l2_address=MAC)
LACP = LacpPort(3, 65535, MAC, 5, 255, 1, 0x3F, 32768, PARTNER, 9, 127, 17, 0x3D)
ALONE = LacpPort(4, 65535, MAC, 5, 255, 2, 0x47, 65535, bytes(6), 5, 255, 2, 0)

AGG, LIST, PORTS = (f"{LAG}.1.{each}.1" for each in ("1.1", "1.2", "2.1"))


def served(
    lacp: tuple[LacpPort, ...] = (), away: bool = False, links: tuple[bool, bool] | None = None
) -> dict[str, Any]:
    """A bond over two members; all that is served of it.  The second is down without LACP."""
    first, second = links or (True, bool(lacp))
    members = replace(PORT, link_up=first), replace(OTHER, link_up=second)
    router = router_of(*members, BOND, routers.bond(5, 3, 4), *lacp)
    module, publisher = routers.served(lag_mib.module, router)
    if away:
        publisher.lose()
        finish(publisher)
    return found_in(View(module.objects))


def test_a_bond_with_lacp_says_what_both_sides_are() -> None:
    found = served((LACP, ALONE))
    row = {number: column(found, f"{AGG}.{number}").get(1005) for number in range(1, 12)}
    assert list(row.values()) == [None, MAC, 65535, MAC, 1, None, 5, PARTNER, 32768, 9, None]


def test_the_partner_is_that_of_a_member_that_carries_traffic() -> None:
    found = served((replace(ALONE, sw_if_index=3), replace(LACP, sw_if_index=4)))
    assert column(found, f"{AGG}.8") == {1005: PARTNER}


def test_a_member_says_what_it_is_attached_to_and_what_lacp_has_of_it() -> None:
    found = served((LACP, ALONE))
    assert column(found, f"{PORTS}.12") == {1003: 1005, 1004: 1005}
    assert column(found, f"{PORTS}.13") == {1003: 1005, 1004: 0}
    assert column(found, f"{PORTS}.9") == {1003: PARTNER, 1004: bytes(6)}
    assert column(found, f"{PORTS}.14") == {1003: 1, 1004: 2}
    assert column(found, f"{PORTS}.17") == {1003: 17, 1004: 2}
    assert column(found, f"{PORTS}.21") == {1003: b"\xfc", 1004: b"\xe2"}
    assert column(found, f"{PORTS}.23") == {1003: b"\xbc", 1004: b"\0"}
    assert column(found, f"{PORTS}.24") == {1003: 1, 1004: 1}


def test_a_bond_without_lacp_has_members_and_no_cells_that_lacp_would_fill() -> None:
    found = served()
    numbers = {int(name.split(".")[-2]) for name in found if name.startswith(f"{AGG}.")}
    assert numbers == {2, 5}
    numbers = {int(name.split(".")[-2]) for name in found if name.startswith(f"{PORTS}.")}
    assert numbers == {12, 13, 24}


def test_no_member_is_attached_while_vpp_is_away() -> None:
    found = served((LACP, ALONE), away=True)
    assert column(found, f"{PORTS}.13") == {1003: 0, 1004: 0}
    # Nor does it synchronize, collect or distribute (bits 3, 4, 5), at either end.
    assert column(found, f"{PORTS}.21") == {1003: b"\xe0", 1004: b"\xe2"}
    assert column(found, f"{PORTS}.23") == {1003: b"\xa0", 1004: b"\0"}
    # Who the partner was stays as last reported.
    assert column(found, f"{PORTS}.9") == {1003: PARTNER, 1004: bytes(6)}


def test_a_member_whose_link_is_down_does_not_collect_whatever_lacp_said_before() -> None:
    found = served((LACP, replace(LACP, sw_if_index=4)), links=(False, True))
    assert column(found, f"{PORTS}.13") == {1003: 0, 1004: 1005}
    assert column(found, f"{PORTS}.21") == {1003: b"\xe0", 1004: b"\xfc"}
    assert column(found, f"{PORTS}.23") == {1003: b"\xa0", 1004: b"\xbc"}


def test_the_standby_of_an_active_backup_bond_is_attached_to_nothing() -> None:
    router = router_of(PORT, OTHER, BOND, Bond(5, ACTIVE_BACKUP_MODE, (3, 4)))
    module, _ = routers.served(lag_mib.module, router)
    found = found_in(View(module.objects))
    assert column(found, f"{PORTS}.12") == {1003: 1005, 1004: 1005}
    assert column(found, f"{PORTS}.13") == {1003: 1005, 1004: 0}


def test_a_member_that_is_down_is_attached_to_nothing() -> None:
    assert column(served(), f"{PORTS}.13") == {1003: 1005, 1004: 0}


def test_members_come_and_go_and_the_moment_of_it_is_known(
    publisher: Publisher, clock: Clock
) -> None:
    view = View(lag_mib.module(publisher).objects)
    router = router_of(PORT, OTHER, BOND)
    routers.publish(publisher, router)
    seen = []
    for members in ((3,), (3, 4), (4,), ()):
        clock.now += 2
        change(publisher, router, bond(5, *members))
        found = found_in(view)
        changed = found[f"{LAG}.1.3.0"]
        seen.append((sorted(column(found, f"{PORTS}.12")), len(column(found, f"{AGG}.2")), changed))
    assert seen == [([1003], 1, 200), ([1003, 1004], 1, 400), ([1004], 1, 600), ([], 1, 800)]


def test_a_member_of_which_lacp_says_something_else_is_served_so_at_once() -> None:
    router = router_of(PORT, OTHER, BOND, routers.bond(5, 3, 4), LACP, ALONE)
    module, publisher = routers.served(lag_mib.module, router)
    change(publisher, router, replace(LACP, actor_key=77, actor_state=0x05))
    found = found_in(View(module.objects), oid(PORTS))
    assert column(found, f"{PORTS}.5") == {1003: 77, 1004: 5}
    assert column(found, f"{PORTS}.13") == {1003: 0, 1004: 0}


def test_members_are_bits_of_a_list() -> None:
    octets = column(served(), f"{LIST}.1")[1005]
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


def test_a_list_that_would_be_too_long_is_not_made() -> None:
    assert len(port_list([1, 8192]) or b"") == 1024
    tracemalloc.start()
    assert port_list([1, 8193]) is None
    assert port_list([2**31 - 1]) is None  # 256 MiB
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000


@pytest.mark.parametrize(("octet", "bits"), [(0, 0), (0x01, 0x80), (0x80, 0x01), (0x3F, 0xFC)])
def test_the_bits_of_a_state_count_from_the_other_end(octet: int, bits: int) -> None:
    assert lacp_state(octet) == bytes((bits,))
