"""vpp/transport.py: messages however they come, and a VPP that sends none."""

import socket
import struct
from pathlib import Path

import pytest

from simulator import Simulator
from simulator.stage import until
from vpp_snmp_agent.vpp import api, feed, transport
from vpp_snmp_agent.vpp.client import Client

from .conftest import framed


def test_octets_that_come_from_vpp_are_news_of_it(vpp: Simulator) -> None:
    received = []
    client = Client(str(vpp.api_socket), "", received=lambda: received.append(1))
    client.connect("a test")
    before = len(received)
    api.Vpp(client).ping()
    assert len(received) > before > 0
    client.disconnect()


def test_vpp_is_waited_for_only_while_it_sends_nothing(
    client: Client, pretended: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "WAITING_INTERVAL", 0.02)
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


def test_a_message_longer_than_any_is_refused_before_there_is_room_for_it(tmp_path: Path) -> None:
    path = tmp_path / "api.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen(4)
        server.settimeout(10)
        settings = feed.ReporterSettings(str(path), str(tmp_path / "stats.sock"), str(tmp_path), 30)
        source = feed.Feed(settings)
        assert not list(source.check(1e9))
        server.accept()[0].close()  # it only finds out who is there
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


def test_messages_are_read_however_they_are_cut(client: Client, pretended: socket.socket) -> None:
    number = client.transport.get_msg_index("sw_interface_event_2d3d95a7")
    events = b"".join(
        framed(struct.pack(">HIIII?", number, 1, 2, index, 3, False)) for index in range(5, 25)
    )
    for at in range(0, len(events), 7):
        pretended.sendall(events[at : at + 7])
        client.collect_events()
        whole = min(at + 7, len(events)) // (len(events) // 20)
        assert client.events == set(range(5, 5 + whole))


def test_a_vpp_that_hangs_up_is_gone(client: Client, pretended: socket.socket) -> None:
    pretended.close()
    with pytest.raises(transport.VPPGone):
        client.collect_events()
    with pytest.raises(transport.VPPGone):
        api.Vpp(client).interfaces()
