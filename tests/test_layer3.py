"""vpp/layer3.py: which interfaces are asked for their addresses, how often, and when."""

from ipaddress import ip_address
from pathlib import Path

import pytest

from vpp_snmp_agent.simulator import Simulator
from vpp_snmp_agent.simulator.stage import until
from vpp_snmp_agent.vpp.inventory import Inventory, IpNeighbor

from .conftest import Listener, link, named


def addresses_of(told: Inventory) -> set[tuple[str, str]]:
    """All that are told: interface and address."""
    assert told.addresses is not None
    return {
        (
            told.interfaces[each.sw_if_index].interface_name,
            f"{ip_address(each.address)}/{each.prefix_length}",
        )
        for each in told.addresses.values()
    }


EDGE = {
    ("TenGigabitEthernet1/0/2", "203.0.113.17/24"),
    ("GigabitEthernet5/0/0.205", "198.51.100.1/30"),
    ("GigabitEthernet5/0/0.205", "2001:db8:205::1/126"),
    ("loop0", "192.0.2.1/32"),
    ("loop0", "2001:db8::1/128"),
}


def knows_addresses(told: Inventory) -> bool:
    return told.addresses is not None


@pytest.mark.parametrize("release", ["22.02", "24.06", "26.06"])
def test_interfaces_are_told_first_and_addresses_follow(tmp_path: Path, release: str) -> None:
    with (
        Simulator(tmp_path / "vpp", release=release) as vpp,
        Listener(vpp, addresses=300, neighbors=300) as listener,
    ):
        vpp.add_neighbor("loop0", "192.0.2.7", "02:00:00:00:00:07")
        vpp.add_neighbor("loop0", "fe80::7", "02:00:00:00:00:08", static=True)
        assert listener.wait(Inventory).addresses is None
        assert addresses_of(listener.wait(Inventory, knows_addresses)) == EDGE
        told = listener.wait(Inventory, lambda told: told.neighbors is not None)
        assert told.neighbors is not None
        loop = named(told, "loop0")
        assert loop is not None
        behind_loop = {
            each for each in told.neighbors.values() if each.sw_if_index == loop.sw_if_index
        }
        assert len(told.neighbors) == 2 + 4
        assert behind_loop == {
            IpNeighbor(loop.sw_if_index, *each)
            for each in (
                (ip_address("192.0.2.7").packed, bytes.fromhex("020000000007"), False),
                (ip_address("fe80::7").packed, bytes.fromhex("020000000008"), True),
            )
        }


def test_each_interface_is_asked_once_a_round_and_no_tap_at_all(vpp: Simulator) -> None:
    with Listener(vpp, addresses=300) as listener:
        listener.wait(Inventory, knows_addresses)
    calls = vpp.calls()
    assert calls["ip_address_dump"] == 2 * (35 - 16)
    assert calls.get("ip_neighbor_dump", 0) == 0


def test_nothing_is_asked_that_is_switched_off(vpp: Simulator) -> None:
    with Listener(vpp, period=1) as listener:
        listener.wait(Inventory)
        dumps = vpp.calls()["sw_interface_dump"]

        def dumped_again() -> bool:
            listener.pump()
            return vpp.calls()["sw_interface_dump"] > dumps

        until("another dump", dumped_again)
    assert not {"ip_address_dump", "ip_neighbor_dump"} & vpp.calls().keys()


def test_addresses_that_change_are_told_within_their_period(vpp: Simulator) -> None:
    with Listener(vpp, addresses=1, neighbors=1) as listener:
        listener.wait(Inventory, knows_addresses)
        vpp.set_addresses("loop0", "192.0.2.9/32")
        expected = {each for each in EDGE if each[0] != "loop0"} | {("loop0", "192.0.2.9/32")}
        listener.wait(Inventory, lambda told: addresses_of(told) == expected)
        vpp.add_neighbor("loop0", "192.0.2.7", "02:00:00:00:00:07")
        listener.wait(Inventory, lambda told: len(told.neighbors or ()) == 4 + 1)


def test_a_newcomer_is_asked_before_the_period_is_over_and_the_others_are_not(
    vpp: Simulator,
) -> None:
    with Listener(vpp, addresses=3600) as listener:
        listener.wait(Inventory, knows_addresses)
        before = vpp.calls()["ip_address_dump"]
        vpp.add_loopback("loop7")
        vpp.set_addresses("loop7", "192.0.2.77/32")
        listener.wait(
            Inventory,
            lambda told: knows_addresses(told) and ("loop7", "192.0.2.77/32") in addresses_of(told),
        )
        assert vpp.calls()["ip_address_dump"] == before + 2


def test_an_index_that_changed_hands_takes_no_address_along(vpp: Simulator) -> None:
    index = vpp.add_loopback("loop7")
    vpp.set_addresses("loop7", "192.0.2.77/32")
    with Listener(vpp, addresses=3600) as listener:
        listener.wait(Inventory, knows_addresses)
        assert vpp.reuse("loop7", name="loop8", dev_type="Loopback") == index

        def is_told(told: Inventory) -> bool:
            found = told.interfaces.get(index)
            name = found.interface_name if found else ""
            at = {each.sw_if_index for each in (told.addresses or {}).values()}
            assert not (name == "loop8" and index in at)
            return name == "loop8"

        listener.wait(Inventory, is_told)


def test_many_interfaces_are_asked_a_few_at_a_time_and_events_come_in_between(
    tmp_path: Path,
) -> None:
    with (
        Simulator(tmp_path / "vpp", interfaces=2000) as vpp,
        Listener(vpp, addresses=3600) as listener,
    ):
        listener.wait(Inventory)

        def began() -> int | None:
            listener.pump()
            return vpp.calls().get("ip_address_dump")

        until("the round began", began)
        vpp.set_link("HundredGigabitEthernet1/0/0", False)
        told = listener.wait(Inventory, link("HundredGigabitEthernet1/0/0", False))
        assert told.addresses is None
        assert vpp.calls()["ip_address_dump"] < 2 * 2000


def test_a_link_that_flaps_keeps_no_address_waiting(vpp: Simulator) -> None:
    with Listener(vpp, addresses=3600) as listener:
        up = True

        def all_are_told() -> bool:
            nonlocal up
            up = not up
            vpp.set_link("TenGigabitEthernet1/0/2", up)
            listener.pump()
            return any(told.addresses is not None for told in listener.all(Inventory))

        until("the addresses are told", all_are_told)
