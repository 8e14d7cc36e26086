"""vpp/client.py: texts, definitions, events, and what is no answer."""

import socket
import struct
from pathlib import Path
from types import SimpleNamespace

import pytest

from simulator import Simulator
from simulator.stage import until
from vpp_snmp_agent.vpp import api, feed, transport
from vpp_snmp_agent.vpp import client as vpp_client
from vpp_snmp_agent.vpp.client import Client

from .conftest import Listener, framed, index_of


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
    assert vpp_client._decode_text(fixed, said.ljust(64, b"\0")) == (read, 64)
    counted = SimpleNamespace(fixed=False)
    counted_octets = struct.pack(">I", len(said)) + said
    assert vpp_client._decode_text(counted, counted_octets) == (read, len(counted_octets))


def test_events_that_come_during_a_dump_are_noted(vpp: Simulator, client: Client) -> None:
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


def test_events_between_the_messages_of_a_dump_are_noted_and_no_part_of_it(
    client: Client, pretended: socket.socket
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
        head = struct.pack(">HIII", table[vpp_client.NEIGHBOR_EVENT_NAME], 1, 2, happened)
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
    client: Client, pretended: socket.socket
) -> None:
    client.take_neighbor_events()
    number = client.transport.message_table[vpp_client.NEIGHBOR_EVENT_NAME]
    pretended.sendall(framed(struct.pack(">HIIII", number, 1, 2, 1, 2**31) + bytes(24)))
    with pytest.raises(transport.VPPUnavailable, match="sw_if_index 2147483648"):
        client.collect_events()


def test_a_tag_of_any_octets_breaks_nothing(vpp: Simulator) -> None:
    vpp.set_details("loop0", tag="Zürich".encode())
    vpp.set_details("BondEthernet0", tag=b"\xff\xfe broken")
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


def test_only_the_definitions_in_use_are_kept(client: Client) -> None:
    assert "sw_interface_details" in client.messages
    assert {name for name in client.messages if name in vpp_client.MESSAGES} == vpp_client.MESSAGES
    module = {"messages": [["show_version"], ["cli"]], "services": {"cli": {}}, "types": [["t"]]}
    assert vpp_client._restricted(module) == {
        "messages": [["show_version"]],
        "services": {},
        "types": [["t"]],
    }


def test_a_message_that_vpp_defines_and_does_not_have_is_missed(client: Client) -> None:
    del client.transport.message_table["sw_interface_details_6c221fc7"]
    with pytest.raises(transport.VPPUnavailable, match="sw_interface_details_6c221fc7"):
        api.Vpp(client).interfaces()


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
    client: Client, pretended: socket.socket, message: bytes, reason: str
) -> None:
    pretended.sendall(framed(message))
    with pytest.raises(transport.VPPUnavailable, match=reason):
        client.collect_events()
    pretended.sendall(framed(message))
    with pytest.raises(transport.VPPUnavailable, match=reason):
        list(client.dump("sw_interface_dump", {"sw_if_index": 3}))


def test_an_event_of_an_index_that_no_vpp_gives_is_refused(
    client: Client, pretended: socket.socket
) -> None:
    number = client.transport.get_msg_index("sw_interface_event_2d3d95a7")
    pretended.sendall(framed(struct.pack(">HIIII?", number, 1, 2, 2**31, 3, False)))
    with pytest.raises(transport.VPPUnavailable, match="sw_if_index 2147483648"):
        client.collect_events()


def test_an_answer_to_another_question_is_none_to_this(
    client: Client, pretended: socket.socket
) -> None:
    context = client.get_context() + 1
    details = client.transport.get_msg_index("sw_interface_details_6c221fc7")
    ping = client.transport.get_msg_index("control_ping_reply_f6b0b8ca")
    for number, of in ((details, 99_999), (ping, 99_999), (ping, context)):
        pretended.sendall(framed(struct.pack(">HIiII", number, of, 0, 1, 2)))
    assert list(client.dump("sw_interface_dump", {"sw_if_index": 3})) == []
