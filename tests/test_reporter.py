"""vpp/reporter.py: what it asks a VPP, how often, and when it ends."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from vpp_snmp_agent.simulator import Simulator
from vpp_snmp_agent.simulator.stage import until
from vpp_snmp_agent.vpp import feed, reporter
from vpp_snmp_agent.vpp.inventory import Alive, Gone, Inventory, unpack

from .conftest import Listener, link, named

STOPPING_WORKERS = ("lcp_itf_pair_get", "sw_bond_interface_dump", "sw_member_interface_dump")


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


def test_without_lacp_details_a_member_is_active_whose_link_is_up(tmp_path: Path) -> None:
    with Simulator(tmp_path / "vpp", without=["lacp"]) as vpp, Listener(vpp) as listener:
        vpp.set_link("TenGigabitEthernet1/0/0", False)
        (bond,) = listener.wait(Inventory, link("TenGigabitEthernet1/0/0", False)).bonds.values()
        assert bond.members == (3, 4)
        assert bond.active == frozenset({4})


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


TALKATIVE = """
import sys, threading
from vpp_snmp_agent.vpp.inventory import Alive, Gone
from vpp_snmp_agent.vpp.reporter import Pipe

pipe = Pipe(int(sys.argv[1]))
begun = threading.Event()

def talk():
    while True:
        pipe.tell(Alive())
        begun.set()

threading.Thread(target=talk, daemon=True).start()
begun.wait()
pipe.tell_last(Gone())
"""


def test_after_the_last_word_no_thread_says_anything() -> None:
    for _ in range(10):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with (
            ours,
            subprocess.Popen(
                [sys.executable, "-c", TALKATIVE, str(theirs.fileno())], pass_fds=[theirs.fileno()]
            ) as child,
        ):
            theirs.close()
            said = []
            while datagram := ours.recv(feed.DATAGRAM):
                said.append(unpack(datagram))
            assert child.wait(10) == 0
        assert said[0] == Alive()
        assert said[-1] == Gone()
