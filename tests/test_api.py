"""vpp/api.py: the questions to a VPP of any release."""

import json
import socket
import struct
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from simulator import Simulator
from simulator.stage import until
from vpp_snmp_agent.vpp import api, feed, transport
from vpp_snmp_agent.vpp import client as vpp_client
from vpp_snmp_agent.vpp.client import Client
from vpp_snmp_agent.vpp.records import (
    ADDRESSES,
    BONDS,
    BRIDGE_DOMAINS,
    INTERFACES,
    LACP,
    LCP_PAIRS,
    NEIGHBORS,
    THREADS,
    Addresses,
    Thread,
    Threads,
    Unavailable,
)

from .conftest import Listener, framed, index_of


def test_one_interface_is_asked_for_and_the_next_dump_knows_it(
    vpp: Simulator, client: Client
) -> None:
    asked = api.Vpp(client)
    first = asked.interfaces()
    loop, ethernet = index_of(vpp, "loop0"), index_of(vpp, "GigabitEthernet6/0/0")
    vpp.set_details("loop0", mtu=1234)
    some = asked.interfaces_named([loop, ethernet, 4711])
    assert some.keys() == {loop, ethernet}
    assert some[loop].mtu == 1234
    assert some[ethernet] is first[ethernet]
    assert asked.interfaces()[loop] is some[loop]


def test_a_deleted_interface_is_in_no_dump(vpp: Simulator, client: Client) -> None:
    asked = api.Vpp(client)
    index = vpp.add_loopback("loop7")
    assert asked.interfaces()[index].interface_name == "loop7"
    vpp.delete("loop7")
    assert index not in asked.interfaces()
    assert asked.interfaces_named([index]) == {}


def test_more_interfaces_are_asked_for_than_one_request_holds(tmp_path: Path) -> None:
    with Simulator(tmp_path / "vpp", interfaces=200) as vpp:
        client = Client(str(vpp.api_socket), "")
        client.connect("a test")
        asked = range(1, 151)
        assert api.Vpp(client).interfaces_named(asked).keys() == set(asked)
        assert vpp.calls()["sw_interface_dump of one"] == len(asked)
        assert vpp.calls()["control_ping"] == 3
        client.disconnect()


def test_a_paged_dump_is_read_to_its_end(vpp: Simulator, client: Client) -> None:
    vpp.set_page(3)
    assert len(api.Vpp(client).pairs()) == 16
    assert vpp.calls()["lcp_itf_pair_get"] == 6


def test_several_interfaces_are_asked_for_addresses_together(
    vpp: Simulator, client: Client
) -> None:
    vpp.set_addresses("loop0", "192.0.2.9/32", "2001:db8::9/127", "192.0.2.8/31")
    loop, ethernet = index_of(vpp, "loop0"), index_of(vpp, "GigabitEthernet6/0/0")
    assert api.Vpp(client).addresses([ethernet, loop]) == [
        Addresses(ethernet, ()),
        Addresses(
            loop,
            (
                (bytes([192, 0, 2, 9]), 32),
                (bytes([192, 0, 2, 8]), 31),
                (bytes.fromhex("20010db8000000000000000000000009"), 127),
            ),
        ),
    ]
    assert vpp.calls()["control_ping"] == 1


def test_neighbours_are_the_same_whoever_decodes_them(
    vpp: Simulator, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    vpp.add_neighbor("loop0", "192.0.2.7", "02:00:00:00:00:07")
    vpp.add_neighbor("loop0", "fe80::7", "02:00:00:00:00:08", static=True)
    ours = list(api.Vpp(client).neighbors())
    monkeypatch.setattr(api, "NEIGHBOR_DETAILS", "ip_neighbor_details_4711abcd")
    assert list(api.Vpp(client).neighbors()) == ours
    loop = index_of(vpp, "loop0")
    assert (loop, bytes([192, 0, 2, 7]), 0x020000000007) in ours
    address = bytes.fromhex("fe800000000000000000000000000007")
    assert (loop, address, 1 << 48 | 0x020000000008) in ours


def test_of_the_events_of_a_neighbour_the_last_counts(vpp: Simulator, client: Client) -> None:
    asked = api.Vpp(client)
    loop = index_of(vpp, "loop0")
    vpp.add_neighbor("loop0", "192.0.2.6", "02:00:00:00:00:06")
    assert asked.want_neighbor_events()
    vpp.add_neighbor("loop0", "192.0.2.7", "02:00:00:00:00:07")
    vpp.add_neighbor("loop0", "192.0.2.7", "02:00:00:00:00:17")
    vpp.add_neighbor("loop0", "fe80::8", "02:00:00:00:00:08", static=True)
    vpp.remove_neighbor("loop0", "192.0.2.6")
    vpp.add_neighbor("loop0", "192.0.2.9", "02:00:00:00:00:09")
    vpp.remove_neighbor("loop0", "192.0.2.9")
    asked.ping()
    assert asked.neighbor_events == {
        (loop, ip_address("192.0.2.6").packed): None,
        (loop, ip_address("192.0.2.7").packed): 0x020000000017,
        (loop, ip_address("fe80::8").packed): 1 << 48 | 0x020000000008,
        (loop, ip_address("192.0.2.9").packed): None,
    }
    assert not client.events


def test_events_of_neighbours_that_are_refused_or_otherwise_are_not_noted(
    vpp: Simulator, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = api.Vpp(client)
    answers = iter((0, -12))
    monkeypatch.setattr(client, "decode", lambda _: SimpleNamespace(retval=next(answers)))
    assert not asked.want_neighbor_events()
    assert not list(answers)
    vpp.add_neighbor("loop0", "192.0.2.7", "02:00:00:00:00:07")
    asked.ping()
    assert not asked.neighbor_events
    monkeypatch.undo()
    monkeypatch.setattr(vpp_client, "NEIGHBOR_EVENT_NAME", "ip_neighbor_event_v2_4711abcd")
    assert not asked.want_neighbor_events()


def test_threads_are_asked_for_once_after_connecting(vpp: Simulator) -> None:
    with Listener(vpp) as listener:
        found = listener.wait(Threads).threads
        listener.wait_complete()
        assert found == (
            Thread(0, "vpp_main", "", vpp.pid, 2),
            Thread(1, "vpp_wk_0", "workers", vpp.pid + 1, 3),
            Thread(2, "vpp_wk_1", "workers", vpp.pid + 2, 4),
        )
        assert vpp.calls()["show_threads"] == 1


def test_a_vpp_that_does_not_answer_about_threads_is_not_waited_for(
    client: Client, pretended: socket.socket
) -> None:
    number = client.transport.get_msg_index("control_ping_reply_f6b0b8ca")
    pretended.sendall(framed(struct.pack(">HIiII", number, client.get_context() + 1, 0, 1, 47)))
    assert api.Vpp(client).threads() == ()


def test_more_threads_than_any_vpp_has_are_refused(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "MAX_THREADS", 2)
    with pytest.raises(vpp_client.UnusableAnswer, match="VPP reports 3 threads"):
        api.Vpp(client).threads()
    assert api.Vpp(client).ping() > 0


@pytest.mark.parametrize("absent", [["lcp"], ["lacp"], ["bond"], ["l2"], ["lcp", "lacp", "bond"]])
def test_a_plugin_that_is_off_is_not_asked(tmp_path: Path, absent: list[str]) -> None:
    with Simulator(tmp_path / "vpp", without=absent) as vpp, Listener(vpp) as listener:
        reported = listener.wait_complete()
        assert bool(reported.pairs) == ("lcp" not in absent)
        assert bool(reported.bonds) == ("bond" not in absent)
        assert bool(reported.lacp_ports) == (not {"bond", "lacp"} & set(absent))


RELEASES = ["22.02", "22.06", "22.10", "23.02", "24.02", "24.06", "25.10", "26.06", "26.10"]


@pytest.mark.parametrize("release", RELEASES)
def test_every_release_is_understood(tmp_path: Path, release: str) -> None:
    with Simulator(tmp_path / "vpp", release=release) as vpp, Listener(vpp) as listener:
        assert listener.wait(feed.Present).identity.version.startswith(release)
        reported = listener.wait_complete()
        assert len(reported.interfaces) == 35
        assert len(reported.pairs) == 16
        ethernet = reported.interface("GigabitEthernet5/0/0")
        assert ethernet.l2_address == bytes.fromhex("6805ca324610")
        assert (ethernet.link_speed, ethernet.mtu) == (10**6, 9000)
        pair = reported.pairs[ethernet.sw_if_index]
        assert (pair.host_if_name, pair.netns) == ("eno1", "dataplane")
        assert reported.interfaces[pair.host_sw_if_index].interface_name.startswith("tap")
        assert 0 < pair.vif_index < 1000
        assert {each.host_sw_if_index for each in reported.pairs.values()} <= (
            reported.interfaces.keys() - reported.pairs.keys()
        )


Edit = Callable[[list[Any]], None]  # of a message in an *.api.json file


def has_another_crc(message: list[Any]) -> None:
    message[-1]["crc"] = "0x4711abcd"


def has_another_name_for_its_fields(message: list[Any]) -> None:
    lengths = {field[3] for field in message[1:-1] if len(field) > 3}
    for field in message[3:-1]:
        if field[1] not in lengths:
            field[1] = f"the_{field[1]}"


def is_longer(message: list[Any]) -> None:
    message.insert(-1, ["u64", "more", 32])


def edit(api_dir: Path, message: str, edit: Edit) -> None:
    """Change what the files of VPP say of a message."""
    for path in api_dir.rglob("*.api.json"):
        definitions = json.loads(path.read_text())
        for each in definitions["messages"]:
            if each[0] == message:
                edit(each)
                path.write_text(json.dumps(definitions))
                return
    raise LookupError(message)


FAILING = {
    "show_threads": THREADS,
    "show_threads_reply": THREADS,
    "lcp_itf_pair_get": LCP_PAIRS,
    "lcp_itf_pair_get_reply": LCP_PAIRS,
    "lcp_itf_pair_details": LCP_PAIRS,
    "sw_bond_interface_details": BONDS,
    "sw_member_interface_details": BONDS,
    "sw_interface_lacp_details": LACP,
    "bridge_domain_details": BRIDGE_DOMAINS,
    "ip_address_dump": ADDRESSES,
    "ip_address_details": ADDRESSES,
    "ip_neighbor_details": NEIGHBORS,
}


EDITS = [has_another_crc, has_another_name_for_its_fields, is_longer]


@pytest.mark.parametrize(
    ("message", "how"),
    [
        *((message, has_another_crc) for message in FAILING),
        *(("lcp_itf_pair_details", how) for how in EDITS[1:]),
        *(("bridge_domain_details", how) for how in EDITS[1:]),
        *(("ip_address_details", how) for how in EDITS[1:]),
        ("sw_interface_lacp_details", has_another_name_for_its_fields),
        ("sw_member_interface_details", is_longer),
    ],
)
def test_a_message_that_fails_takes_down_what_it_is_for_and_no_port(
    tmp_path: Path, message: str, how: Edit
) -> None:
    with Simulator(tmp_path / "vpp", release="24.02") as vpp:
        vpp.add_bridge_domain(7, ["TenGigabitEthernet1/0/2"], "loop0")
        vpp.set_addresses("loop0", "192.0.2.9/32")
        vpp.add_neighbor("GigabitEthernet5/0/0", "192.0.2.7", "02:00:00:00:00:07")
        edit(vpp.api_dir, message, how)
        with Listener(vpp, period=1, addresses=1, neighbors=1) as listener:
            failed = listener.wait(Unavailable)
            assert failed.what == FAILING[message]
            assert message in failed.reason
            whole = {INTERFACES, ADDRESSES, NEIGHBORS} - {failed.what}
            reported = listener.wait_until(lambda reported: reported.complete == whole)
            assert len(reported.interfaces) == len(vpp.interfaces())
            assert bool(reported.pairs) == (failed.what != LCP_PAIRS)
            assert bool(reported.bonds) == (failed.what != BONDS)
            assert bool(reported.lacp_ports) == (failed.what not in (BONDS, LACP))
            assert bool(reported.bridge_domains) == (failed.what != BRIDGE_DOMAINS)
            assert bool(reported.addresses) == (failed.what != ADDRESSES)
            assert bool(reported.neighbors) == (failed.what != NEIGHBORS)
            before = vpp.calls()["sw_interface_dump"]

            def asked_again() -> bool:
                listener.pump()
                return vpp.calls()["sw_interface_dump"] >= before + 2

            until("VPP is asked twice more", asked_again)
            assert not listener.all(Unavailable)
            assert not listener.all(feed.Failed)


@pytest.mark.parametrize(
    "message", ["want_ip_neighbor_events_v2", "want_ip_neighbor_events_v2_reply"]
)
def test_where_vpp_reports_no_neighbours_they_are_dumped_each_period(
    tmp_path: Path, message: str
) -> None:
    with Simulator(tmp_path / "vpp", release="24.02") as vpp:
        edit(vpp.api_dir, message, has_another_crc)
        with Listener(vpp, neighbors=1) as listener:
            reported = listener.wait_complete(NEIGHBORS)
            known = len(reported.neighbors)
            dumps = vpp.calls()["ip_neighbor_dump"]
            vpp.add_neighbor("loop0", "192.0.2.7", "02:00:00:00:00:07")
            listener.wait_until(lambda reported: len(reported.neighbors) == known + 1)
            assert vpp.calls()["ip_neighbor_dump"] > dumps
            assert not listener.all(feed.Failed)


def test_a_message_without_a_definition_is_named_with_the_directory(tmp_path: Path) -> None:
    with Simulator(tmp_path / "vpp", release="24.02") as vpp:
        (vpp.api_dir / "plugins" / "lcp.api.json").unlink()
        with Listener(vpp) as listener:
            failed = listener.wait(Unavailable)
            reason = f"lcp_itf_pair_get: no definition of it in {vpp.api_dir}"
            assert failed == Unavailable(LCP_PAIRS, reason)


def test_what_ports_are_made_of_has_no_substitute(tmp_path: Path) -> None:
    with Simulator(tmp_path / "vpp", release="24.02") as vpp:
        edit(vpp.api_dir, "sw_interface_details", has_another_crc)
        with Listener(vpp) as listener:
            assert "sw_interface_details_4711abcd" in listener.wait(feed.Failed).reason


def test_after_an_answer_that_cannot_be_used_the_next_question_is_answered(
    vpp: Simulator, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = api.Vpp(client)
    asked.want_events()
    with monkeypatch.context() as patched:
        patched.setattr(client, "decode", lambda message: bytes(message)[4711])
        with pytest.raises(vpp_client.UnusableAnswer, match="lcp_itf_pair_details: IndexError"):
            asked.pairs()
        vpp.set_admin("loop0", False)
        with pytest.raises(vpp_client.UnusableAnswer, match="sw_interface_details: IndexError"):
            asked.interfaces()
    assert len(asked.pairs()) == 16
    assert asked.ping() == vpp.pid
    assert client.events == {index_of(vpp, "loop0")}


def test_a_vpp_that_hangs_up_in_the_midst_of_an_unusable_answer_is_gone(
    client: Client, pretended: socket.socket
) -> None:
    number = client.transport.get_msg_index("sw_interface_lacp_details_d9a83d2f")
    pretended.sendall(framed(struct.pack(">HI", number, client.get_context() + 1) + b"too short"))
    pretended.shutdown(socket.SHUT_WR)
    with pytest.raises(transport.VPPGone):
        api.Vpp(client).lacp_ports()
