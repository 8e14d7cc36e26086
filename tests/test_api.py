"""vpp/api.py: a VPP of any release, and one that is none."""

import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from vpp_snmp_agent.simulator import Simulator
from vpp_snmp_agent.simulator.stage import until
from vpp_snmp_agent.vpp import api, feed
from vpp_snmp_agent.vpp.inventory import Inventory

from .conftest import Listener, named


@pytest.fixture
def client(vpp: Simulator) -> Iterator[api.Client]:
    """One that is connected; nothing of it goes on after the test."""
    client = api.Client(str(vpp.api_socket), "")
    client.connect("a test")
    yield client
    client.disconnect()
    # What ended vpp_papi's receive thread went through a queue, which has a thread as well.
    client.transport.sque.close()
    client.transport.sque.join_thread()


def test_a_dump_makes_new_records_of_what_changed_alone(vpp: Simulator, client: api.Client) -> None:
    asked = api.Vpp(client)
    first = asked.interfaces()
    changed = vpp.interfaces()["GigabitEthernet5/0/0"]["sw_if_index"]
    vpp.set_link("GigabitEthernet5/0/0", False)
    second = asked.interfaces()
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
    with pytest.raises(api.VPPUnavailable, match="sw_if_index 2147483648"):
        api.in_short(SimpleNamespace(sw_if_index=2**31))
