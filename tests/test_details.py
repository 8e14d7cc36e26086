"""vpp/details.py: from what VPP sends to records."""

import socket
import struct

import pytest

from simulator import Simulator
from vpp_snmp_agent.vpp import api, details, transport
from vpp_snmp_agent.vpp import client as vpp_client
from vpp_snmp_agent.vpp.client import Client
from vpp_snmp_agent.vpp.records import NO_INDEX, Interface, LcpPair

from .conftest import framed, index_of


def test_a_dump_makes_new_records_of_what_changed_alone(vpp: Simulator, client: Client) -> None:
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
    vpp: Simulator, client: Client, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    vpp.add_bridge_domain(7, ["TenGigabitEthernet1/0/2"], "loop0")
    ask = getattr(api.Vpp(client), kind)
    first = ask()
    assert first
    decoded: list[bytes] = []

    def decode(message: bytes) -> object:
        decoded.append(message)
        return Client.decode(client, message)

    monkeypatch.setattr(client, "decode", decode)
    second = ask()
    assert [id(each) for each in second.values()] == [id(each) for each in first.values()]
    assert len(decoded) == (kind == "pairs")  # whose reply carries the cursor


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
    assert details.in_host_order(sent) == meant


@pytest.mark.parametrize(
    "sent",
    [
        pairs(),
        pairs((20, 25, 17), (256, 768, 1 << 30)),  # a Linux ifindex says nothing
        pairs((vpp_client.MAX_INDEX, 3, 4), (5, NO_INDEX, 6)),
    ],
)
def test_pairs_in_network_order_stay_as_they_are(sent: dict[int, LcpPair]) -> None:
    assert details.in_host_order(sent) is sent


def test_an_interface_of_an_index_that_no_vpp_gives_is_refused(
    client: Client, pretended: socket.socket
) -> None:
    number = client.transport.get_msg_index("sw_interface_details_6c221fc7")
    context = client.get_context() + 1
    ping = client.transport.get_msg_index("control_ping_reply_f6b0b8ca")
    pretended.sendall(framed(struct.pack(">HII", number, context, 2**31) + bytes(400)))
    pretended.sendall(framed(struct.pack(">HIiII", ping, context, 0, 1, 2)))
    with pytest.raises(transport.VPPUnavailable, match="sw_if_index 2147483648"):
        api.Vpp(client).interfaces()


def test_a_truncated_record_is_refused(client: Client, pretended: socket.socket) -> None:
    number = client.transport.get_msg_index(api.NEIGHBOR_DETAILS)
    pretended.sendall(framed(struct.pack(">HI", number, client.get_context() + 1) + bytes(30)))
    pretended.shutdown(socket.SHUT_WR)
    with pytest.raises(transport.VPPGone):  # nothing ends what was sent in part
        list(api.Vpp(client).neighbors())


def test_speed_that_vpp_does_not_know_is_none(vpp: Simulator, client: Client) -> None:
    vpp.set_details("GigabitEthernet5/0/0", speed=0xFFFFFFFF)
    found = api.Vpp(client).interfaces()[index_of(vpp, "GigabitEthernet5/0/0")]
    assert isinstance(found, Interface)
    assert found.link_speed == 0
