"""The API that the simulator speaks, as vpp_papi, unchanged, understands it."""

import os
import socket
import struct
import time
from pathlib import Path

import pytest

from simulator import Simulator
from simulator.messages import Api
from simulator.release import Release
from simulator.scenario import EDGE_ROUTER
from simulator.stage import until

from .judges import BOND, CUSTOMER, PORT, Connection


def test_vpp_papi_bootstraps_from_what_the_simulator_says_of_itself(shared: Simulator) -> None:
    with Connection(shared) as connection:
        assert connection.api.show_version().version == "26.06-release"
        assert connection.api.control_ping().vpe_pid == shared.pid


def test_the_edge_router_is_all_there(shared: Simulator) -> None:
    with Connection(shared) as connection:
        rows, pairs = connection.rows(), connection.pairs()
        (bond,) = connection.api.sw_bond_interface_dump()
        members = connection.api.sw_member_interface_dump(sw_if_index=bond.sw_if_index)
        partners = connection.api.sw_interface_lacp_dump()
    assert rows.keys() >= {spec.full_name for spec in EDGE_ROUTER} | {"local0", "tap4096.205"}
    assert rows["local0"].sw_if_index == 0
    assert (rows[PORT].link_speed, int(rows[PORT].flags)) == (1_000_000, 3)
    assert int(rows["GigabitEthernet6/0/0"].flags) == 0
    assert rows["BondEthernet0.105"].mtu[0] == 1500
    qinq = rows["TenGigabitEthernet1/0/3.310211"]
    assert (qinq.sub_outer_vlan_id, qinq.sub_inner_vlan_id) == (3102, 11)
    assert qinq.sup_sw_if_index == rows["TenGigabitEthernet1/0/3"].sw_if_index
    assert rows["tap4096"].interface_dev_type == "tap"
    assert pairs["enp1s0f3.310211"].phy_sw_if_index == qinq.sw_if_index
    assert pairs["eno1.205"].host_sw_if_index == rows["tap4096.205"].sw_if_index
    assert {pair.netns for pair in pairs.values()} == {"dataplane"}
    assert len(pairs) == sum(bool(spec.host) for spec in EDGE_ROUTER)
    assert (bond.active_members, bond.members) == (2, 2)
    names = {"TenGigabitEthernet1/0/0", "TenGigabitEthernet1/0/1"}
    assert {member.interface_name for member in members} == names
    assert {partner.interface_name for partner in partners} == names


def test_a_dump_can_ask_for_one_interface(shared: Simulator) -> None:
    with Connection(shared) as connection:
        dump = connection.api.sw_interface_dump
        assert [row.interface_name for row in dump(sw_if_index=1)] == [PORT]
        assert dump(sw_if_index=9999) == []


def test_pairs_come_in_pages(vpp: Simulator) -> None:
    vpp.set_page(5)
    with Connection(vpp) as connection:
        reply, first = connection.api.lcp_itf_pair_get(cursor=0)
        assert (reply.retval, len(first)) == (-165, 5)
        assert len(connection.pairs()) == 16
    assert vpp.calls()["lcp_itf_pair_get"] == 1 + 4


def test_a_bridge_domain_has_its_members(vpp: Simulator) -> None:
    bvi = vpp.add_loopback("loop1")
    vpp.add_bridge_domain(10, [PORT, "loop1"], "loop1")
    with Connection(vpp) as connection:
        (domain,) = connection.api.bridge_domain_dump()
    assert (domain.bd_id, domain.bvi_sw_if_index) == (10, bvi)
    assert [member.sw_if_index for member in domain.sw_if_details] == [1, bvi]


def test_a_tag_that_is_not_ascii_breaks_vpp_papi_as_a_real_one_does(vpp: Simulator) -> None:
    vpp.set_details(PORT, tag="Zürich".encode())
    with Connection(vpp) as connection, pytest.raises(UnicodeDecodeError):
        connection.api.sw_interface_dump()


def test_a_dump_of_one_interface_is_counted_apart(vpp: Simulator) -> None:
    with Connection(vpp) as connection:
        before = vpp.calls()
        connection.api.sw_interface_dump(sw_if_index=3)
        connection.api.sw_interface_dump(sw_if_index=0)  # all, to VPP
        after = vpp.calls()
    asked = {name: after[name] - before.get(name, 0) for name in after}
    assert (asked["sw_interface_dump"], asked["sw_interface_dump of one"]) == (1, 1)


def test_two_hundred_thousand_neighbours_are_dumped_within_a_second(tmp_path: Path) -> None:
    with Simulator(tmp_path, interfaces=1000) as vpp, socket.socket(socket.AF_UNIX) as sock:
        vpp.freeze()
        vpp.add_neighbors(200_000)
        api = Api(Release(26, 6))
        size = 200_000 * (16 + api.messages["ip_neighbor_details"].layout.size)
        sock.connect(str(vpp.api_socket))
        sock.settimeout(5)
        took = []
        for context in range(3):
            start, left = time.monotonic(), size
            for family in (0, 1):
                message = api.pack("ip_neighbor_dump", 0, context, 0xFFFFFFFF, family)
                sock.sendall(struct.pack(">QII", 0, len(message), 0) + message)
            while left:
                left -= len(sock.recv(left))
            took.append(time.monotonic() - start)
    assert min(took) < 1.0


def test_a_thousand_interfaces_are_dumped_within_50_ms(tmp_path: Path) -> None:
    with Simulator(tmp_path, interfaces=1000, threads=17) as vpp:
        api = Api(Release(26, 6))
        request = api.pack("sw_interface_dump", 0, 7, 0xFFFFFFFF, False, bytes(4))
        ping = api.pack("control_ping", 0, 8)
        size = 1001 * (16 + api.messages["sw_interface_details"].layout.size)
        size += 16 + api.messages["control_ping_reply"].layout.size
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(vpp.api_socket))
            sock.settimeout(5)
            took = []
            for _ in range(5):
                start, left = time.monotonic(), size
                for message in (request, ping):
                    sock.sendall(struct.pack(">QII", 0, len(message), 0) + message)
                while left:
                    left -= len(sock.recv(left))
                took.append(time.monotonic() - start)
    assert min(took) < 0.05


def test_vpp_reports_add_delete_admin_and_link(vpp: Simulator) -> None:
    with Connection(vpp) as connection:
        connection.api.want_interface_events(enable_disable=1, pid=os.getpid())
        port = connection.rows()[PORT].sw_if_index
        index = vpp.add_loopback("loop1")
        assert connection.reported() == [(index, 3, False)]
        vpp.set_admin("loop1", False)
        vpp.set_link(PORT, False)
        vpp.set_link(PORT, True)
        vpp.delete("loop1")
        assert connection.reported() == [
            (index, 0, False),
            (port, 0, False),
            (port, 2, False),
            (index, 0, True),
        ]


def test_vpp_reports_each_neighbour_that_comes_changes_or_goes(vpp: Simulator) -> None:
    index = vpp.add_loopback("loop7")
    with Connection(vpp) as connection:
        vpp.add_neighbor("loop7", "192.0.2.70", "02:00:00:00:00:70")
        for any_address in ("0.0.0.0", "::"):
            reply = connection.api.want_ip_neighbor_events_v2(
                enable=True, pid=os.getpid(), ip=any_address, sw_if_index=0xFFFFFFFF
            )
            assert reply.retval == 0
        vpp.add_neighbor("loop7", "192.0.2.71", "02:00:00:00:00:71")
        vpp.add_neighbor("loop7", "192.0.2.71", "02:00:00:00:00:72")
        vpp.remove_neighbor("loop7", "192.0.2.71")
        vpp.add_neighbor("loop7", "fe80::73", "02:00:00:00:00:73", static=True)
        vpp.delete("loop7")
        expected = [
            (1, index, "192.0.2.71", "02:00:00:00:00:71"),
            (1, index, "192.0.2.71", "02:00:00:00:00:72"),
            (2, index, "192.0.2.71", "02:00:00:00:00:72"),
            (1, index, "fe80::73", "02:00:00:00:00:73"),
            (2, index, "192.0.2.70", "02:00:00:00:00:70"),
            (2, index, "fe80::73", "02:00:00:00:00:73"),
        ]
        until("all are reported", lambda: len(connection.neighbor_events) >= len(expected))
        assert connection.neighbor_events == expected


def test_vpp_is_silent_about_the_rest(vpp: Simulator) -> None:
    with Connection(vpp) as connection:
        connection.api.want_interface_events(enable_disable=1, pid=os.getpid())
        vpp.set_details(PORT, mtu=1400)
        vpp.set_details(PORT, tag=b"uplink")
        vpp.rename("loop0", "lo")
        vpp.delete_pair(CUSTOMER, keep_host=True)
        vpp.create_pair(CUSTOMER, "renamed", host="tap4096.205")
        vpp.remove_member(BOND, "TenGigabitEthernet1/0/1")
        vpp.clear()
        assert connection.reported() == []
        rows, pairs = connection.rows(), connection.pairs()
        (bond,) = connection.api.sw_bond_interface_dump()
    assert (rows[PORT].mtu[0], rows[PORT].tag) == (1400, "uplink")
    assert "lo" in rows
    assert pairs["renamed"].phy_sw_if_index == rows[CUSTOMER].sw_if_index
    assert (bond.active_members, bond.members) == (1, 1)


def test_a_sub_interface_loses_its_link_with_its_parent_silently(vpp: Simulator) -> None:
    with Connection(vpp) as connection:
        connection.api.want_interface_events(enable_disable=1, pid=os.getpid())
        vpp.set_link(PORT, False)
        rows = connection.rows()
        assert (int(rows[PORT].flags), int(rows[CUSTOMER].flags)) == (1, 1)
        assert [index for index, *_ in connection.reported()] == [rows[PORT].sw_if_index]
        vpp.set_link(PORT, True)  # what was packed before is of no use
        rows = connection.rows()
        assert (int(rows[PORT].flags), int(rows[CUSTOMER].flags)) == (3, 3)


def test_an_answer_says_when_the_events_had_been_sent(vpp: Simulator) -> None:
    with Connection(vpp) as connection:
        connection.api.want_interface_events(enable_disable=1, pid=os.getpid())
        before = time.monotonic()
        vpp.set_link(PORT, False)
        after = time.monotonic()
        assert before < vpp.sent_at < after
        assert connection.events.get(timeout=5)[2] is False
