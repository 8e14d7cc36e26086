"""vpp/reporter.py: what it asks a VPP, how often, and what it makes of the answers."""

import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from types import SimpleNamespace

import pytest

from vpp_snmp_agent.simulator import Simulator
from vpp_snmp_agent.simulator.stage import until
from vpp_snmp_agent.vpp import feed, reporter
from vpp_snmp_agent.vpp.inventory import Interface, Inventory, IpNeighbor

from .conftest import Listener

STOPPING_WORKERS = ("lcp_itf_pair_get", "sw_bond_interface_dump", "sw_member_interface_dump")


def named(inventory: Inventory, name: str) -> Interface | None:
    return next(
        (each for each in inventory.interfaces.values() if each.interface_name == name), None
    )


def link(name: str, up: bool) -> Callable[[Inventory], bool]:
    def is_so(inventory: Inventory) -> bool:
        interface = named(inventory, name)
        return interface is not None and interface.link_up == up

    return is_so


def test_a_link_event_repeats_only_what_does_not_stop_the_workers(vpp: Simulator) -> None:
    with Listener(vpp) as listener:
        listener.wait(Inventory)
        before = vpp.calls()
        for up in (False, True):
            vpp.set_link("TenGigabitEthernet1/0/2", up)
            listener.wait(Inventory, link("TenGigabitEthernet1/0/2", up))
        after = vpp.calls()
        assert after["sw_interface_dump"] == before["sw_interface_dump"] + 2
        assert after["sw_interface_lacp_dump"] == before["sw_interface_lacp_dump"] + 2
        for name in STOPPING_WORKERS:
            assert after[name] == before[name]


def test_an_admin_event_is_told(vpp: Simulator) -> None:
    with Listener(vpp) as listener:
        listener.wait(Inventory)
        vpp.set_admin("loop0", False)
        told = listener.wait(Inventory)
        loop = named(told, "loop0")
        assert loop is not None
        assert not loop.admin_up


def test_a_burst_of_events_costs_few_dumps(vpp: Simulator) -> None:
    with Listener(vpp) as listener:
        listener.wait(Inventory)
        before = vpp.calls()
        began = time.monotonic()
        for number in range(200):
            vpp.set_link("TenGigabitEthernet1/0/2", bool(number % 2))
            listener.pump()
        vpp.set_link("TenGigabitEthernet1/0/2", False)
        listener.wait(Inventory, link("TenGigabitEthernet1/0/2", False))
        dumps = vpp.calls()["sw_interface_dump"] - before["sw_interface_dump"]
        assert 1 <= dumps <= 2 + (time.monotonic() - began) / reporter.PACE


def test_a_new_interface_is_told_together_with_its_pair(vpp: Simulator) -> None:
    with Listener(vpp) as listener:
        listener.wait(Inventory)
        for number in (301, 302, 303):
            vpp.add_sub("BondEthernet0", number, host=f"bond0.{number}")
            name = f"BondEthernet0.{number}"

            def is_there(inventory: Inventory, name: str = name) -> bool:
                found = named(inventory, name)
                if found is not None:
                    assert found.sw_if_index in inventory.pairs
                return found is not None

            listener.wait(Inventory, is_there)


def test_what_stops_the_workers_is_asked_at_most_once_a_second(vpp: Simulator) -> None:
    with Listener(vpp) as listener:
        listener.wait(Inventory)
        before = vpp.calls()
        began = time.monotonic()
        for number in range(60):
            vpp.add_loopback(f"loop{100 + number}")
            listener.pump()
        listener.wait(Inventory, lambda told: named(told, "loop159"))
        seconds = time.monotonic() - began
        for name in STOPPING_WORKERS:
            assert vpp.calls()[name] - before[name] <= 1 + seconds / reporter.RARELY


def test_a_deleted_interface_is_gone_before_anything_rare_is_asked(vpp: Simulator) -> None:
    with Listener(vpp) as listener:
        listener.wait(Inventory)
        vpp.add_loopback("loop7")
        listener.wait(Inventory, lambda told: named(told, "loop7"))
        before = vpp.calls()  # a rare dump was just made, so none is due for a second
        vpp.delete("loop7")
        listener.wait(Inventory, lambda told: not named(told, "loop7"))
        assert vpp.calls()["lcp_itf_pair_get"] == before["lcp_itf_pair_get"]


def test_an_index_that_changed_hands_is_not_told_under_the_old_name(vpp: Simulator) -> None:
    index = vpp.add_loopback("loop7")
    with Listener(vpp) as listener:
        listener.wait(Inventory, lambda told: named(told, "loop7"))
        assert vpp.reuse("loop7", name="loop8", dev_type="Loopback") == index
        told = listener.wait(Inventory, lambda told: not named(told, "loop7"))
        if index not in told.interfaces:
            told = listener.wait(Inventory, lambda told: index in told.interfaces)
        assert told.interfaces[index].interface_name == "loop8"


def test_what_no_event_tells_is_told_within_the_period(vpp: Simulator) -> None:
    with Listener(vpp, period=1) as listener:
        listener.wait(Inventory)
        vpp.set_mtu("loop0", 1234)
        listener.wait(Inventory, lambda told: getattr(named(told, "loop0"), "mtu", 0) == 1234)
        vpp.delete_pair("loop0", keep_host=True)
        loop = vpp.interfaces()["loop0"]["sw_if_index"]
        listener.wait(Inventory, lambda told: loop not in told.pairs)


def test_an_inventory_that_did_not_change_is_not_told_again(vpp: Simulator) -> None:
    with Listener(vpp, period=1) as listener:
        listener.wait(Inventory)
        dumps = vpp.calls()["sw_interface_dump"]

        def dumped_again() -> bool:
            listener.pump()
            return vpp.calls()["sw_interface_dump"] >= dumps + 2

        until("two more dumps", dumped_again)
        assert not listener.all(Inventory)


def test_a_dump_makes_new_records_of_what_changed_alone(vpp: Simulator) -> None:
    client = reporter.Client(str(vpp.api_socket), "")
    client.connect("a test")
    asked = reporter.Vpp(client)
    first = asked.interfaces()
    changed = vpp.interfaces()["GigabitEthernet5/0/0"]["sw_if_index"]
    vpp.set_link("GigabitEthernet5/0/0", False)
    second = asked.interfaces()
    client.disconnect()
    new = {index for index in second if second[index] is not first[index]}
    assert new == {index for index in second if second[index] != first[index]}
    assert changed in new
    assert len(new) < len(second) == len(first)


def test_a_paged_dump_is_read_to_its_end(vpp: Simulator) -> None:
    vpp.set_page(3)
    with Listener(vpp) as listener:
        assert len(listener.wait(Inventory).pairs) == 16
    assert vpp.calls()["lcp_itf_pair_get"] == 6


@pytest.mark.parametrize("absent", [["lcp"], ["lacp"], ["bond"], ["l2"], ["lcp", "lacp", "bond"]])
def test_a_plugin_that_is_off_is_not_asked(tmp_path: Path, absent: list[str]) -> None:
    with Simulator(tmp_path / "vpp", without=absent) as vpp, Listener(vpp) as listener:
        told = listener.wait(Inventory)
        assert bool(told.pairs) == ("lcp" not in absent)
        assert bool(told.bonds) == ("bond" not in absent)


def test_without_lacp_details_a_member_is_active_whose_link_is_up(tmp_path: Path) -> None:
    with Simulator(tmp_path / "vpp", without=["lacp"]) as vpp, Listener(vpp) as listener:
        vpp.set_link("TenGigabitEthernet1/0/0", False)
        (bond,) = listener.wait(Inventory, link("TenGigabitEthernet1/0/0", False)).bonds.values()
        assert bond.members == (3, 4)
        assert bond.active == frozenset({4})


@pytest.mark.parametrize("release", ["22.02", "22.06", "23.02", "24.02", "24.06", "25.10", "26.06"])
def test_every_release_is_understood(tmp_path: Path, release: str) -> None:
    with Simulator(tmp_path / "vpp", release=release) as vpp, Listener(vpp) as listener:
        assert listener.wait(feed.Present).identity.version.startswith(release)
        told = listener.wait(Inventory)
        assert len(told.interfaces) == 35
        assert len(told.pairs) == 16
        ethernet = named(told, "GigabitEthernet5/0/0")
        assert ethernet is not None
        assert ethernet.l2_address == bytes.fromhex("6805ca324610")
        assert (ethernet.link_speed, ethernet.mtu) == (10**6, 9000)


# --- addresses and neighbours ------------------------------------------------------------------


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


def test_a_tag_of_any_octets_breaks_nothing(vpp: Simulator) -> None:
    vpp.set_tag("loop0", "Zürich".encode())
    vpp.set_tag("BondEthernet0", b"\xff\xfe broken")
    with Listener(vpp) as listener:
        told = listener.wait(Inventory)
        loop, bond = named(told, "loop0"), named(told, "BondEthernet0")
        assert loop is not None
        assert bond is not None
        assert loop.tag == "Zürich"
        assert bond.tag == "\ufffd\ufffd broken"


def test_before_24_06_the_directory_of_api_files_is_asked_for(tmp_path: Path) -> None:
    with (
        Simulator(tmp_path / "vpp", release="24.02") as vpp,
        Listener(vpp, api_dir=str(tmp_path / "nowhere")) as listener,
    ):
        reason = listener.wait(feed.Failed).reason
        assert "--api-dir" in reason
        assert "nowhere" in reason


def test_a_segment_that_cannot_be_had_is_told_and_fetched_later(vpp: Simulator) -> None:
    hidden = vpp.stats_socket.with_suffix(".hidden")
    vpp.stats_socket.rename(hidden)
    with Listener(vpp) as listener:
        assert "No such file" in listener.wait(feed.NoSegment).reason
        listener.wait(Inventory)
        hidden.rename(vpp.stats_socket)
        os.close(listener.wait(feed.Segment).descriptor)


def test_another_vpps_segment_is_refused(vpp: Simulator, tmp_path: Path) -> None:
    with (
        Simulator(tmp_path / "other") as other,
        Listener(vpp, stats_socket=str(other.stats_socket)) as listener,
    ):
        assert "another VPP's" in listener.wait(feed.NoSegment).reason
        listener.wait(Inventory)
        assert not listener.all(feed.Segment)


def test_it_ends_with_its_parent(vpp: Simulator) -> None:
    """Even with one that is killed."""
    script = (
        "import sys, time; from vpp_snmp_agent.vpp import feed\n"
        "f = feed.Feed(feed.Settings(*sys.argv[1:4], 30)); list(f.check(1e9))\n"
        "print(f._child.pid, flush=True); sys.stdin.read()"
    )
    parent = subprocess.Popen(
        [
            *(sys.executable, "-c", script),
            *(str(vpp.api_socket), str(vpp.stats_socket), str(vpp.api_dir)),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert parent.stdin
    assert parent.stdout
    child = Path(f"/proc/{int(parent.stdout.readline())}/cmdline")
    until("the child runs", lambda: b"reporter" in child.read_bytes())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    until("the child ended", lambda: not child.exists() or not child.read_bytes())
    parent.stdin.close()
    parent.stdout.close()


# --- a VPP that is none -------------------------------------------------------------------------


def test_a_message_longer_than_any_is_refused_before_there_is_room_for_it(tmp_path: Path) -> None:
    path = tmp_path / "api.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen(4)
        server.settimeout(10)
        settings = feed.Settings(str(path), str(tmp_path / "stats.sock"), str(tmp_path), 30)
        source = feed.Feed(settings)
        assert not list(source.check(1e9))
        server.accept()[0].close()  # it only looks who is there
        vpp, _ = server.accept()
        vpp.sendall(struct.pack(">QII", 0, 2**32 - 1, 0))
        told: list[feed.News] = []

        def failed() -> bool:
            told.extend(source.receive(1e9))
            return any(isinstance(each, feed.Failed) for each in told)

        until("it is refused", failed)
        assert told[-1] == feed.Failed("VPP announces a message of 4294967295 octets")
        vpp.close()
        source.close()


def test_a_sw_if_index_that_no_vpp_gives_is_refused() -> None:
    with pytest.raises(reporter.VPPUnavailable, match="sw_if_index 2147483648"):
        reporter.in_short(SimpleNamespace(sw_if_index=2**31))
