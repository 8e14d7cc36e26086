"""vpp/inventory.py: what a VPP is asked for, how often, and what is reported of it."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from simulator import Simulator, Spec
from simulator.stage import until
from vpp_snmp_agent.vpp import inventory, records

from .conftest import Listener, Reported, link, named

STOPPING_WORKERS = ("lcp_itf_pair_get", "sw_bond_interface_dump", "sw_member_interface_dump")
NO_BARRIER = ("sw_interface_lacp_dump", "bridge_domain_dump")
DUMP, ONE = "sw_interface_dump", "sw_interface_dump of one"  # as the simulator counts them


def mtu(name: str, value: int) -> Callable[[Reported], bool]:
    """Whether an interface's MTU is reported as such."""

    def is_so(reported: Reported) -> bool:
        interface = reported.named(name)
        return interface is not None and interface.mtu == value

    return is_so


def has(index: int) -> Callable[[Reported], bool]:
    """Whether an interface is reported."""
    return lambda reported: index in reported.interfaces


def test_everything_is_reported_relations_first(vpp: Simulator) -> None:
    vpp.add_bridge_domain(7, ["TenGigabitEthernet1/0/2"], "loop0")
    order = [
        records.LcpPair,
        records.Bond,
        records.LacpPort,
        records.BridgeDomain,
        records.Interface,
    ]
    with Listener(vpp, addresses=3600) as listener:
        listener.wait_until(lambda reported: records.INTERFACES in reported.complete)
        came = [type(each) for news in listener.all(records.Changes) for each in news.reported]
        assert [kind for kind in order if kind in came] == order
        assert came == sorted(came, key=order.index)
        last = listener.news[-1]
        assert isinstance(last, records.Complete)
        assert len(listener.reported.interfaces) == len(vpp.interfaces())


def test_an_event_asks_for_the_interface_that_it_names_and_no_other(vpp: Simulator) -> None:
    with Listener(vpp) as listener:
        listener.wait_complete()
        before = vpp.calls()
        vpp.set_details("loop0", mtu=1234)  # of which VPP is silent
        for up in (False, True):
            vpp.set_link("TenGigabitEthernet1/0/2", up)
            listener.wait_until(link("TenGigabitEthernet1/0/2", up))
            changed = [each for news in listener.all(records.Changes) for each in news.reported]
            names = [each.interface_name for each in changed if isinstance(each, records.Interface)]
            assert set(names) == {"TenGigabitEthernet1/0/2"}
        after = vpp.calls()
        assert after[ONE] == before.get(ONE, 0) + 2
        assert after[DUMP] == before[DUMP]
        for name in STOPPING_WORKERS:
            assert after[name] == before[name]


def test_an_admin_event_is_reported(vpp: Simulator) -> None:
    with Listener(vpp) as listener:
        listener.wait_complete()
        vpp.set_admin("loop0", False)
        reported = listener.wait_until(lambda reported: not reported.interface("loop0").admin_up)
        assert reported.interface("loop0").link_up


def test_an_event_of_index_0_which_means_all_to_vpp_is_reported(vpp: Simulator) -> None:
    with Listener(vpp) as listener:
        assert not listener.wait_complete().interfaces[0].admin_up
        vpp.set_admin("local0", True)
        reported = listener.wait_until(lambda reported: reported.interfaces[0].admin_up)
        assert reported.interfaces[0].interface_name == "local0"


def test_a_burst_of_events_is_asked_about_together(vpp: Simulator) -> None:
    with Listener(vpp) as listener:
        listener.wait_complete()
        before = vpp.calls()
        began = time.monotonic()
        for number in range(200):
            vpp.set_link("TenGigabitEthernet1/0/2", bool(number % 2))
            listener.pump()
        vpp.set_link("TenGigabitEthernet1/0/2", False)
        listener.wait_until(link("TenGigabitEthernet1/0/2", False))
        assert vpp.calls()[DUMP] == before[DUMP]
        dumps = vpp.calls()[ONE] - before.get(ONE, 0)
        assert 1 <= dumps <= 2 + (time.monotonic() - began) / inventory.EVENT_INTERVAL


@pytest.mark.parametrize("count", [5, 30])
def test_many_interfaces_that_changed_at_once_are_asked_for_all_together(
    tmp_path: Path, count: int
) -> None:
    with Simulator(tmp_path / "vpp") as vpp, Listener(vpp) as listener:
        for number in range(30):
            vpp.add_loopback(f"loop{100 + number}")
        listener.wait_until(lambda reported: reported.named("loop129"))
        before = vpp.calls()
        vpp.hang()  # so that all events come at once
        for number in range(count):
            vpp.set_admin(f"loop{100 + number}", False)
        vpp.resume()
        down = {f"loop{100 + number}" for number in range(count)}
        listener.wait_until(
            lambda reported: not any(reported.interface(each).admin_up for each in down)
        )
        after = vpp.calls()
        ones = after.get(ONE, 0) - before.get(ONE, 0)
        wholes = after[DUMP] - before[DUMP]
        few = count < 0.25 * 65
        assert (ones == count) == few
        assert (wholes == 0) == few


def test_a_new_interface_is_reported_after_its_pair(vpp: Simulator) -> None:
    with Listener(vpp) as listener:
        listener.wait_complete()
        for number in (301, 302, 303):
            vpp.add_sub("BondEthernet0", number, host=f"bond0.{number}")
            reported = listener.wait_until(named(f"BondEthernet0.{number}"))
            new = reported.named(f"BondEthernet0.{number}")
            assert new is not None
            pair = reported.pairs[new.sw_if_index]
            listener.wait_until(has(pair.host_sw_if_index))
            tap = reported.interfaces[pair.host_sw_if_index]
            assert tap.interface_name.endswith(f".{number}")
        came = [each for news in listener.all(records.Changes) for each in news.reported]
        for pair in (each for each in came if isinstance(each, records.LcpPair)):
            for index in (pair.phy_sw_if_index, pair.host_sw_if_index):
                assert came.index(pair) < came.index(reported.interfaces[index])


def test_what_stops_the_workers_is_asked_at_most_once_a_second(vpp: Simulator) -> None:
    with Listener(vpp) as listener:
        listener.wait_complete()
        before = vpp.calls()
        began = time.monotonic()
        for number in range(60):
            vpp.add_loopback(f"loop{100 + number}")
            listener.pump()
        listener.wait_until(named("loop159"))
        seconds = time.monotonic() - began
        for name in STOPPING_WORKERS:
            assert vpp.calls()[name] - before[name] <= 1 + seconds / inventory.RARE_INTERVAL


def test_pairs_are_asked_for_again_after_an_interface_that_is_new(vpp: Simulator) -> None:
    tap = vpp.add_loopback("loop7")  # in the place of a TAP: no event reports the pair
    with Listener(vpp, period=3600) as listener:
        listener.wait_complete()
        index = vpp.add_loopback("loop8")
        listener.wait_until(has(index))
        before = vpp.calls()
        vpp.create_pair("loop8", "lo8", host="loop7")
        reported = listener.wait_until(lambda reported: index in reported.pairs)
        assert reported.pairs[index].host_sw_if_index == tap
        assert vpp.calls()["lcp_itf_pair_get"] == before["lcp_itf_pair_get"] + 1


def test_a_pair_is_reported_as_soon_as_its_tap_appears(vpp: Simulator) -> None:
    index = vpp.add_loopback("loop7")
    with Listener(vpp, period=3600) as listener:
        assert index not in listener.wait_complete().pairs
        before = vpp.calls()["lcp_itf_pair_get"]
        vpp.create_pair("loop7", "lo7")
        listener.wait_until(lambda reported: index in reported.pairs)
        assert vpp.calls()["lcp_itf_pair_get"] == before + 1  # at once, not at a later question


def test_lacp_is_asked_after_events_and_at_most_once_a_second(vpp: Simulator) -> None:
    with Listener(vpp) as listener:
        (member,) = {
            each
            for each in listener.wait_complete().lacp_ports
            if listener.reported.interfaces[each].interface_name == "TenGigabitEthernet1/0/0"
        }
        before = vpp.calls()
        began = time.monotonic()
        vpp.set_link("TenGigabitEthernet1/0/0", False)
        listener.wait_until(lambda reported: not reported.lacp_ports[member].partner_state)
        for number in range(50):
            vpp.set_link("TenGigabitEthernet1/0/2", bool(number % 2))
            listener.pump()
        seconds = time.monotonic() - began
        for name in NO_BARRIER:
            asked = vpp.calls()[name] - before[name]
            assert 1 <= asked <= 1 + seconds / inventory.RARE_INTERVAL


def test_a_deleted_interface_is_gone_with_its_addresses_before_anything_rare_is_asked(
    vpp: Simulator,
) -> None:
    index = vpp.add_loopback("loop7")
    with Listener(vpp, addresses=3600) as listener:
        listener.wait_complete(records.ADDRESSES)
        vpp.add_loopback("loop8")
        listener.wait_until(named("loop8"))
        before = vpp.calls()  # a rare dump was just made, so none is due for a second
        vpp.delete("loop7")
        listener.wait_until(lambda reported: index not in reported.interfaces)
        assert vpp.calls()["lcp_itf_pair_get"] == before["lcp_itf_pair_get"]
        gone = [set(news.gone) for news in listener.all(records.Changes) if news.gone]
        assert gone == [{(records.Interface, index), (records.Addresses, index)}]


def test_what_a_deleted_interface_was_related_to_is_gone_soon(vpp: Simulator) -> None:
    with Listener(vpp) as listener:
        listener.wait_complete()
        vpp.delete("BondEthernet0")
        reported = listener.wait_until(lambda reported: not reported.bonds)
        assert not reported.named("BondEthernet0")
        indexes = reported.interfaces.keys()
        assert reported.pairs.keys() <= indexes
        assert not reported.lacp_ports


def test_an_index_that_changed_hands_is_gone_before_it_is_reported_again(vpp: Simulator) -> None:
    index = vpp.add_loopback("loop7")
    with Listener(vpp) as listener:
        listener.wait_complete()
        vpp.add_loopback("loop9")
        listener.wait_until(named("loop9"))  # nothing rare is asked for a second
        assert vpp.reuse("loop7", Spec("loop8", "Loopback")) == index
        listener.wait_until(lambda reported: index not in reported.interfaces)
        pairs_asked = vpp.calls()["lcp_itf_pair_get"]
        listener.wait_until(named("loop8"))
        assert listener.reported.interfaces[index].interface_name == "loop8"
        assert vpp.calls()["lcp_itf_pair_get"] == pairs_asked + 1


def test_what_no_event_reports_is_reported_within_the_period(vpp: Simulator) -> None:
    with Listener(vpp, period=1) as listener:
        reported = listener.wait_complete()
        loop = reported.interface("loop0").sw_if_index
        vpp.set_details("loop0", mtu=1234)
        listener.wait_until(mtu("loop0", 1234))
        vpp.delete_pair("loop0", keep_host=True)
        listener.wait_until(lambda reported: loop not in reported.pairs)
        vpp.set_details("GigabitEthernet5/0/0", duplex=1)
        listener.wait_until(
            lambda reported: reported.interface("GigabitEthernet5/0/0").link_duplex == 1
        )
        vpp.rename("GigabitEthernet5/0/0", "uplink")
        listener.wait_until(named("uplink.205"))
        assert not reported.named("GigabitEthernet5/0/0.205")
        vpp.remove_member("BondEthernet0", "TenGigabitEthernet1/0/1")
        listener.wait_until(lambda reported: len(next(iter(reported.bonds.values())).members) == 1)


def test_what_did_not_change_is_not_reported_again(vpp: Simulator) -> None:
    with Listener(vpp, period=1) as listener:
        listener.wait_complete()
        dumps = vpp.calls()[DUMP]

        def dumped_again() -> bool:
            listener.pump()
            return vpp.calls()[DUMP] >= dumps + 2

        until("two more dumps", dumped_again)
        assert not listener.news


def test_that_all_was_asked_for_again_is_reported_each_time(vpp: Simulator) -> None:
    with Listener(vpp, period=1) as listener:
        listener.wait_complete()
        before = listener.inventories
        vpp.set_link("GigabitEthernet5/0/0", False)  # one interface is asked for, not all
        listener.wait_until(link("GigabitEthernet5/0/0", False))

        def twice() -> bool:
            listener.pump()
            return listener.inventories >= before + 2

        until("two more inventories", twice)
        assert vpp.calls()[DUMP] >= listener.inventories
