"""vpp/api.py: a VPP of any release, and one that is none."""

import json
import socket
import struct
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from vpp_papi import vpp_serializer

from simulator import Simulator
from simulator.stage import until
from vpp_snmp_agent.vpp import api, feed
from vpp_snmp_agent.vpp.records import (
    ADDRESSES,
    BONDS,
    BRIDGE_DOMAINS,
    INTERFACES,
    LACP,
    LCP_PAIRS,
    NEIGHBORS,
    NO_INDEX,
    THREADS,
    Addresses,
    Interface,
    LcpPair,
    Thread,
    Threads,
    Unavailable,
)

from .conftest import Listener


@pytest.fixture
def client(vpp: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[api.Client]:
    """One that is connected."""
    monkeypatch.setattr(vpp_serializer.String, "unpack", vpp_serializer.String.unpack)
    api.decode_any_text()
    client = api.Client(str(vpp.api_socket), "")
    client.connect("a test")
    yield client
    client.disconnect()


def index_of(vpp: Simulator, name: str) -> int:
    return int(vpp.interfaces()[name]["sw_if_index"])


# --- texts -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "read"),
    [
        (b"a tag", "a tag"),
        ("München".encode(), "München"),
        ("München".encode("latin-1"), "M\ufffdnchen"),
        ("cut in hal\u00fc".encode()[:-1], "cut in hal"),
        (b"26.06\nMAINPID=1", "26.06 MAINPID=1"),
        (b"\x1b]0;title\x07", " ]0;title "),
        ("line\u2028line \x9b31m\x7f".encode(), "line line  31m "),
    ],
)
def test_a_text_of_vpps_is_one_line_without_control_characters(said: bytes, read: str) -> None:
    fixed = SimpleNamespace(fixed=True, num=64)
    assert api._decode_text(fixed, said.ljust(64, b"\0")) == (read, 64)
    counted = SimpleNamespace(fixed=False)
    told = struct.pack(">I", len(said)) + said
    assert api._decode_text(counted, told) == (read, len(told))


# --- dumps ------------------------------------------------------------------------------------


def test_a_dump_makes_new_records_of_what_changed_alone(vpp: Simulator, client: api.Client) -> None:
    asked = api.Vpp(client)
    first = asked.interfaces()
    changed = index_of(vpp, "GigabitEthernet5/0/0")
    vpp.set_link("GigabitEthernet5/0/0", False)
    second = asked.interfaces()
    new = {index for index in second if second[index] is not first[index]}
    assert new == {index for index in second if second[index] != first[index]}
    assert changed in new
    assert len(new) < len(second) == len(first)


@pytest.mark.parametrize("kind", ["interfaces", "pairs", "lacp_ports", "bridge_domains"])
def test_what_did_not_change_is_not_decoded_again(
    vpp: Simulator, client: api.Client, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    vpp.add_bridge_domain(7, ["TenGigabitEthernet1/0/2"], "loop0")
    ask = getattr(api.Vpp(client), kind)
    first = ask()
    assert first
    decoded: list[bytes] = []

    def decode(message: bytes) -> object:
        decoded.append(message)
        return api.Client.decode(client, message)

    monkeypatch.setattr(client, "decode", decode)
    second = ask()
    assert [id(each) for each in second.values()] == [id(each) for each in first.values()]
    assert len(decoded) == (kind == "pairs")  # whose reply carries the cursor


def test_one_interface_is_asked_for_and_the_next_dump_knows_it(
    vpp: Simulator, client: api.Client
) -> None:
    asked = api.Vpp(client)
    first = asked.interfaces()
    loop, ethernet = index_of(vpp, "loop0"), index_of(vpp, "GigabitEthernet6/0/0")
    vpp.set_mtu("loop0", 1234)
    some = asked.interfaces_named([loop, ethernet, 4711])
    assert some.keys() == {loop, ethernet}
    assert some[loop].mtu == 1234
    assert some[ethernet] is first[ethernet]
    assert asked.interfaces()[loop] is some[loop]


def test_a_deleted_interface_is_in_no_dump(vpp: Simulator, client: api.Client) -> None:
    asked = api.Vpp(client)
    index = vpp.add_loopback("loop7")
    assert asked.interfaces()[index].interface_name == "loop7"
    vpp.delete("loop7")
    assert index not in asked.interfaces()
    assert asked.interfaces_named([index]) == {}


def test_more_interfaces_are_asked_for_than_one_request_holds(tmp_path: Path) -> None:
    with Simulator(tmp_path / "vpp", interfaces=200) as vpp:
        client = api.Client(str(vpp.api_socket), "")
        client.connect("a test")
        asked = range(1, 151)
        assert api.Vpp(client).interfaces_named(asked).keys() == set(asked)
        assert vpp.calls()["sw_interface_dump of one"] == len(asked)
        assert vpp.calls()["control_ping"] == 3
        client.disconnect()


def test_events_that_come_during_a_dump_are_noted(vpp: Simulator, client: api.Client) -> None:
    asked = api.Vpp(client)
    asked.want_events()
    vpp.set_admin("loop0", False)
    asked.interfaces()
    vpp.set_link("TenGigabitEthernet1/0/2", False)

    def noted() -> bool:
        client.collect_events()
        return len(client.events) == 2

    until("both events", noted)
    assert client.events == {index_of(vpp, "loop0"), index_of(vpp, "TenGigabitEthernet1/0/2")}


def test_a_paged_dump_is_read_to_its_end(vpp: Simulator, client: api.Client) -> None:
    vpp.set_page(3)
    assert len(api.Vpp(client).pairs()) == 16
    assert vpp.calls()["lcp_itf_pair_get"] == 6


def test_several_interfaces_are_asked_for_addresses_together(
    vpp: Simulator, client: api.Client
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
    vpp: Simulator, client: api.Client, monkeypatch: pytest.MonkeyPatch
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


def test_of_the_events_of_a_neighbour_the_last_counts(vpp: Simulator, client: api.Client) -> None:
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
    vpp: Simulator, client: api.Client, monkeypatch: pytest.MonkeyPatch
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
    monkeypatch.setattr(api, "NEIGHBOR_EVENT_NAME", "ip_neighbor_event_v2_4711abcd")
    assert not asked.want_neighbor_events()


def test_events_between_the_messages_of_a_dump_are_noted_and_no_part_of_it(
    client: api.Client, pretended: socket.socket
) -> None:
    client.take_neighbor_events()
    table = client.transport.message_table
    address, other = bytes([192, 0, 2, 7]).ljust(16, b"\0"), bytes([192, 0, 2, 8]).ljust(16, b"\0")
    state = bytes.fromhex("00020000000007")
    context = client.get_context() + 1

    def details(of: bytes) -> bytes:
        head = struct.pack(">HId", table[api.NEIGHBOR_DETAILS], context, 1.5)
        return framed(head + struct.pack(">I7sB16s", 3, state, 0, of))

    def event(happened: int, of: bytes) -> bytes:
        head = struct.pack(">HIII", table[api.NEIGHBOR_EVENT_NAME], 1, 2, happened)
        return framed(head + struct.pack(">I7sB16s", 3, state, 0, of))

    ping = struct.pack(">HIiII", table["control_ping_reply_f6b0b8ca"], context, 0, 1, 2)
    said = (event(1, other), details(address), event(2, address), details(other), framed(ping))
    pretended.sendall(b"".join(said) + event(2, other))
    dump = list(api.Vpp(client).neighbors())
    assert dump == [(3, address[:4], 0x020000000007), (3, other[:4], 0x020000000007)]
    assert client.neighbor_events == {(3, address[:4]): None, (3, other[:4]): 0x020000000007}
    client.collect_events()
    assert client.neighbor_events == {(3, address[:4]): None, (3, other[:4]): None}


def test_an_event_of_a_neighbour_at_an_index_that_no_vpp_gives_is_refused(
    client: api.Client, pretended: socket.socket
) -> None:
    client.take_neighbor_events()
    number = client.transport.message_table[api.NEIGHBOR_EVENT_NAME]
    pretended.sendall(framed(struct.pack(">HIIII", number, 1, 2, 1, 2**31) + bytes(24)))
    with pytest.raises(api.VPPUnavailable, match="sw_if_index 2147483648"):
        client.collect_events()


def test_octets_that_come_from_vpp_are_news_of_it(vpp: Simulator) -> None:
    received = []
    client = api.Client(str(vpp.api_socket), "", received=lambda: received.append(1))
    client.connect("a test")
    before = len(received)
    api.Vpp(client).ping()
    assert len(received) > before > 0
    client.disconnect()


def test_vpp_is_waited_for_only_while_it_sends_nothing(
    client: api.Client, pretended: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "WAITING_INTERVAL", 0.02)
    number = client.transport.get_msg_index("control_ping_reply_f6b0b8ca")
    reply = framed(struct.pack(">HIiII", number, client.get_context() + 1, 0, 1, 4711))
    waited: list[float] = []

    def waiting(seconds: float) -> None:
        """Each time that it is silent for three intervals VPP sends one more octet."""
        waited.append(seconds)
        if len(waited) % 3 == 0:
            at = len(waited) // 3 - 1
            pretended.sendall(reply[at : at + 1] if at < 4 else reply[4:])

    monkeypatch.setattr(client.transport, "_waiting", waiting)
    assert api.Vpp(client).ping() == 4711
    assert waited == pytest.approx([0.02, 0.04, 0.06] * 5)


# --- threads ----------------------------------------------------------------------------------


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
    client: api.Client, pretended: socket.socket
) -> None:
    number = client.transport.get_msg_index("control_ping_reply_f6b0b8ca")
    pretended.sendall(framed(struct.pack(">HIiII", number, client.get_context() + 1, 0, 1, 47)))
    assert api.Vpp(client).threads() == ()


def test_more_threads_than_any_vpp_has_are_refused(
    client: api.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "MAX_THREADS", 2)
    with pytest.raises(api.UnusableAnswer, match="VPP reports 3 threads"):
        api.Vpp(client).threads()
    assert api.Vpp(client).ping() > 0


# --- releases ---------------------------------------------------------------------------------


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


def pairs(*numbers: tuple[int, int, int]) -> dict[int, LcpPair]:
    """LCP pairs of these indexes: phy, host, vif."""
    return {each[0]: LcpPair(*each, f"e{each[2]}", f"ns{each[1]}") for each in numbers}


def test_pairs_in_host_order_are_seen_by_an_index_that_no_vpp_gives() -> None:
    meant = pairs((20, 25, 17), (1, 26, 18), (256, 768, 19), (7, NO_INDEX, 21))
    turned = (
        tuple(struct.unpack(">3I", struct.pack("=3I", p.phy_sw_if_index, p.host_sw_if_index, vif)))
        for vif, p in ((p.vif_index, p) for p in meant.values())
    )
    sent = {
        phy: LcpPair(phy, host, vif, of.host_if_name, of.netns)
        for (phy, host, vif), of in zip(turned, meant.values(), strict=True)
    }
    assert api.in_host_order(sent) == meant


@pytest.mark.parametrize(
    "sent",
    [
        pairs(),
        pairs((20, 25, 17), (256, 768, 1 << 30)),  # a Linux ifindex says nothing
        pairs((api.MAX_INDEX, 3, 4), (5, NO_INDEX, 6)),
    ],
)
def test_pairs_in_network_order_stay_as_they_are(sent: dict[int, LcpPair]) -> None:
    assert api.in_host_order(sent) is sent


# --- a message that fails ---------------------------------------------------------------------

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
    vpp: Simulator, client: api.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = api.Vpp(client)
    asked.want_events()
    with monkeypatch.context() as patched:
        patched.setattr(client, "decode", lambda message: bytes(message)[4711])
        with pytest.raises(api.UnusableAnswer, match="lcp_itf_pair_details: IndexError"):
            asked.pairs()
        vpp.set_admin("loop0", False)
        with pytest.raises(api.UnusableAnswer, match="sw_interface_details: IndexError"):
            asked.interfaces()
    assert len(asked.pairs()) == 16
    assert asked.ping() == vpp.pid
    assert client.events == {index_of(vpp, "loop0")}


def test_a_vpp_that_hangs_up_in_the_midst_of_an_unusable_answer_is_gone(
    client: api.Client, pretended: socket.socket
) -> None:
    number = client.transport.get_msg_index("sw_interface_lacp_details_d9a83d2f")
    pretended.sendall(framed(struct.pack(">HI", number, client.get_context() + 1) + b"too short"))
    pretended.shutdown(socket.SHUT_WR)
    with pytest.raises(api.VPPGone):
        api.Vpp(client).lacp_ports()


def test_a_tag_of_any_octets_breaks_nothing(vpp: Simulator) -> None:
    vpp.set_tag("loop0", "Zürich".encode())
    vpp.set_tag("BondEthernet0", b"\xff\xfe broken")
    with Listener(vpp) as listener:
        reported = listener.wait_complete()
        loop, bond = reported.interface("loop0"), reported.interface("BondEthernet0")
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


def test_only_the_definitions_in_use_are_kept(client: api.Client) -> None:
    assert "sw_interface_details" in client.messages
    assert {name for name in client.messages if name in api.MESSAGES} == api.MESSAGES
    module = {"messages": [["show_version"], ["cli"]], "services": {"cli": {}}, "types": [["t"]]}
    assert api._restricted(module) == {
        "messages": [["show_version"]],
        "services": {},
        "types": [["t"]],
    }


# --- what no VPP sends ------------------------------------------------------------------------


def test_a_message_that_vpp_defines_and_does_not_have_is_missed(client: api.Client) -> None:
    del client.transport.message_table["sw_interface_details_6c221fc7"]
    with pytest.raises(api.VPPUnavailable, match="sw_interface_details_6c221fc7"):
        api.Vpp(client).interfaces()


def test_a_message_longer_than_any_is_refused_before_there_is_room_for_it(tmp_path: Path) -> None:
    path = tmp_path / "api.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen(4)
        server.settimeout(10)
        settings = feed.ReporterSettings(str(path), str(tmp_path / "stats.sock"), str(tmp_path), 30)
        source = feed.Feed(settings)
        assert not list(source.check(1e9))
        server.accept()[0].close()  # it only looks who is there
        vpp, _ = server.accept()
        vpp.sendall(struct.pack(">QII", 0, 2**32 - 1, 0))
        news: list[feed.News] = []

        def failed() -> bool:
            news.extend(source.receive(1e9))
            return any(isinstance(each, feed.Failed) for each in news)

        until("it is refused", failed)
        assert news[-1] == feed.Failed("VPP announces a message of 4294967295 octets")
        vpp.close()
        source.close()


@pytest.fixture
def pretended(client: api.Client) -> Iterator[socket.socket]:
    """The other end of the client's socket, which is no VPP's any more."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    real, client.transport.socket = client.transport.socket, theirs
    with ours, theirs:
        yield ours
    client.transport.socket = real


def framed(message: bytes) -> bytes:
    """As on the wire."""
    return struct.pack(">QII", 0, len(message), 0) + message


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"", "a message of 0 octets"),
        (b"\1", "a message of 1 octets"),
        (b"\xff\xff" + bytes(40), "the unknown id 65535"),
        (bytes(20), "the unknown id 0"),
    ],
)
def test_a_message_that_is_none_is_refused(
    client: api.Client, pretended: socket.socket, message: bytes, reason: str
) -> None:
    pretended.sendall(framed(message))
    with pytest.raises(api.VPPUnavailable, match=reason):
        client.collect_events()
    pretended.sendall(framed(message))
    with pytest.raises(api.VPPUnavailable, match=reason):
        list(client.dump("sw_interface_dump", {"sw_if_index": 3}))


def test_an_event_of_an_index_that_no_vpp_gives_is_refused(
    client: api.Client, pretended: socket.socket
) -> None:
    number = client.transport.get_msg_index("sw_interface_event_2d3d95a7")
    pretended.sendall(framed(struct.pack(">HIIII?", number, 1, 2, 2**31, 3, False)))
    with pytest.raises(api.VPPUnavailable, match="sw_if_index 2147483648"):
        client.collect_events()


def test_an_interface_of_an_index_that_no_vpp_gives_is_refused(
    client: api.Client, pretended: socket.socket
) -> None:
    number = client.transport.get_msg_index("sw_interface_details_6c221fc7")
    context = client.get_context() + 1
    ping = client.transport.get_msg_index("control_ping_reply_f6b0b8ca")
    pretended.sendall(framed(struct.pack(">HII", number, context, 2**31) + bytes(400)))
    pretended.sendall(framed(struct.pack(">HIiII", ping, context, 0, 1, 2)))
    with pytest.raises(api.VPPUnavailable, match="sw_if_index 2147483648"):
        api.Vpp(client).interfaces()


def test_an_answer_to_another_question_is_none_to_this(
    client: api.Client, pretended: socket.socket
) -> None:
    context = client.get_context() + 1
    details = client.transport.get_msg_index("sw_interface_details_6c221fc7")
    ping = client.transport.get_msg_index("control_ping_reply_f6b0b8ca")
    for number, of in ((details, 99_999), (ping, 99_999), (ping, context)):
        pretended.sendall(framed(struct.pack(">HIiII", number, of, 0, 1, 2)))
    assert list(client.dump("sw_interface_dump", {"sw_if_index": 3})) == []


def test_messages_are_read_however_they_are_cut(
    client: api.Client, pretended: socket.socket
) -> None:
    number = client.transport.get_msg_index("sw_interface_event_2d3d95a7")
    events = b"".join(
        framed(struct.pack(">HIIII?", number, 1, 2, index, 3, False)) for index in range(5, 25)
    )
    for at in range(0, len(events), 7):
        pretended.sendall(events[at : at + 7])
        client.collect_events()
        whole = min(at + 7, len(events)) // (len(events) // 20)
        assert client.events == set(range(5, 5 + whole))


def test_a_vpp_that_hangs_up_is_gone(client: api.Client, pretended: socket.socket) -> None:
    pretended.close()
    with pytest.raises(api.VPPGone):
        client.collect_events()
    with pytest.raises(api.VPPGone):
        api.Vpp(client).interfaces()


def test_a_truncated_record_is_refused(client: api.Client, pretended: socket.socket) -> None:
    number = client.transport.get_msg_index(api.NEIGHBOR_DETAILS)
    pretended.sendall(framed(struct.pack(">HI", number, client.get_context() + 1) + bytes(30)))
    pretended.shutdown(socket.SHUT_WR)
    with pytest.raises(api.VPPGone):  # nothing ends what was sent in part
        list(api.Vpp(client).neighbors())


def test_speed_that_vpp_does_not_know_is_none(vpp: Simulator, client: api.Client) -> None:
    vpp.set_speed("GigabitEthernet5/0/0", 0xFFFFFFFF)
    found = api.Vpp(client).interfaces()[index_of(vpp, "GigabitEthernet5/0/0")]
    assert isinstance(found, Interface)
    assert found.link_speed == 0
