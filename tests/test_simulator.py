"""The simulator against independent judges: vpp_papi, unchanged, and a recorded VPP 26.06.

vpp_papi keeps its types for a whole process, so clients of releases that differ run in a
process of their own.
"""

import gzip
import json
import os
import queue
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from vpp_papi import VPPApiClient, VPPIOError
from vpp_papi.vpp_stats import VPPStats

from simulator import Simulator, SimulatorError
from simulator.grammar import ENUMS
from simulator.interface import Interface, Spec
from simulator.messages import MEMCLNT, Api
from simulator.release import Release
from simulator.scenario import EDGE_ROUTER, VPPCFG, in_order, plain
from simulator.segment import Heap
from simulator.stage import until
from simulator.traffic import CELLS, INCLUDED, Traffic
from simulator.vpp import Router
from vpp_snmp_agent.vpp import layout
from vpp_snmp_agent.vpp.layout import Kind

RECORDED = Path(__file__).resolve().parents[1].parent / "shared" / "recorded" / "vpp-26.06"
needs_recording = pytest.mark.skipif(
    not RECORDED.is_dir(), reason="no recording of a real VPP beside the repository"
)
PORT, CUSTOMER, BOND = "GigabitEthernet5/0/0", "GigabitEthernet5/0/0.205", "BondEthernet0"
HUNDRED = "HundredGigabitEthernet1/0/0"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """An edge router that no test changes."""
    with Simulator(tmp_path_factory.mktemp("vpp")) as vpp:
        vpp.freeze()
        yield vpp


@pytest.fixture
def vpp(tmp_path: Path) -> Iterator[Simulator]:
    """An edge router of the test's own."""
    with Simulator(tmp_path) as simulator:
        yield simulator


class Connection:
    """vpp_papi connected to a simulator, with the events that it was told of."""

    def __init__(self, simulator: Simulator) -> None:
        self.client = VPPApiClient(
            bootstrapapi=True, server_address=str(simulator.api_socket), read_timeout=2
        )
        self.client.connect("judge")
        self.api = self.client.api
        self.events: queue.Queue[tuple[int, int, bool]] = queue.Queue()
        self.neighbor_events: list[tuple[int, int, str, str]] = []
        self.client.register_event_callback(self._note)

    def _note(self, name: str, event: Any) -> None:
        if name == "sw_interface_event":
            self.events.put((event.sw_if_index, int(event.flags), event.deleted))
        if name == "ip_neighbor_event_v2":
            about = event.neighbor
            said = (str(about.ip_address), str(about.mac_address))
            self.neighbor_events.append((int(event.flags), about.sw_if_index, *said))

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.disconnect()

    def rows(self) -> dict[str, Any]:
        return {row.interface_name: row for row in self.api.sw_interface_dump()}

    def pairs(self) -> dict[str, Any]:
        pairs = self.client.details_iter(self.api.lcp_itf_pair_get)
        return {pair.host_if_name: pair for pair in pairs}

    def told(self) -> list[tuple[int, int, bool]]:
        """The events so far: what is sent before a ping's answer is there before it."""
        self.api.control_ping()
        answer = []
        while not self.events.empty():
            answer.append(self.events.get())
        return answer


def stats_of(simulator: Simulator) -> VPPStats:
    stats = VPPStats(str(simulator.stats_socket))
    stats.connect()
    return stats


def entries(segment: bytes, generation: layout.Generation) -> dict[str, tuple[Kind, int]]:
    """A directory as (kind, value) by name, with none of the simulator's code."""
    _, base, _, _, directory = layout.HEADER.unpack_from(segment)
    start = directory - base
    (count,) = layout.LENGTH.unpack_from(segment, start - layout.LENGTH_BEFORE)
    answer = {}
    for place in range(start, start + count * layout.ENTRY.size, layout.ENTRY.size):
        number, value, name = layout.ENTRY.unpack_from(segment, place)
        answer[name.split(b"\0")[0].decode()] = (layout.KINDS[generation][number], value)
    return answer


def segment_of(simulator: Simulator) -> bytes:
    stats = stats_of(simulator)
    try:
        return bytes(stats.statseg[:])
    finally:
        stats.disconnect()


# Against vpp_papi.


def test_vpp_papi_bootstraps_from_what_the_simulator_says_of_itself(shared: Simulator) -> None:
    with Connection(shared) as connection:
        assert connection.api.show_version().version == "26.06-release"
        assert connection.api.control_ping().vpe_pid == shared.pid


def test_no_host_name_is_longer_than_linux_takes() -> None:
    for specs in (EDGE_ROUTER, plain(10_000, pairs=True)):
        assert max(len(spec.host) for spec in specs) <= 15  # IFNAMSIZ less its NUL
    assert all(spec.host == "" or f"lcp: {spec.host}\n" in VPPCFG for spec in EDGE_ROUTER)


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


def test_a_dump_can_ask_for_one_interface_or_for_part_of_a_name(shared: Simulator) -> None:
    with Connection(shared) as connection:
        dump = connection.api.sw_interface_dump
        assert [row.interface_name for row in dump(sw_if_index=1)] == [PORT]
        assert dump(sw_if_index=9999) == []
        found = dump(name_filter_valid=True, name_filter="net0.10")
        assert [row.sub_id for row in found] == [100, 101, 105]


def test_pairs_come_in_pages(vpp: Simulator) -> None:
    vpp.set_page(5)
    with Connection(vpp) as connection:
        reply, first = connection.api.lcp_itf_pair_get(cursor=0)
        assert (reply.retval, len(first)) == (-165, 5)
        assert len(connection.pairs()) == 16
    assert vpp.calls()["lcp_itf_pair_get"] == 1 + 4


def test_a_bridge_domain_tells_its_members(vpp: Simulator) -> None:
    bvi = vpp.add_loopback("loop1")
    vpp.add_bridge_domain(10, [PORT, "loop1"], "loop1")
    with Connection(vpp) as connection:
        (domain,) = connection.api.bridge_domain_dump()
    assert (domain.bd_id, domain.bvi_sw_if_index) == (10, bvi)
    assert [member.sw_if_index for member in domain.sw_if_details] == [1, bvi]


CLIENT = """
import json, sys
from vpp_papi import VPPApiClient
client = VPPApiClient(apidir=sys.argv[1], server_address=sys.argv[2])
client.connect("judge")
rows = client.api.sw_interface_dump()
lcp = hasattr(client.api, "lcp_itf_pair_get")
pairs = list(client.details_iter(client.api.lcp_itf_pair_get)) if lcp else []
print(json.dumps({
    "version": client.api.show_version().version,
    "types": {row.interface_name: row.interface_dev_type for row in rows},
    "indexes": {row.interface_name: row.sw_if_index for row in rows},
    "pairs": [p.host_if_name for p in pairs] if lcp else None,
    "phys": {p.host_if_name: p.phy_sw_if_index for p in pairs},
    "fields": pairs[0]._fields if pairs else None,
    "json": hasattr(client.api, "get_api_json"),
    "table": list(client.transport.message_table),
}))
client.disconnect()
"""


def through_files(simulator: Simulator) -> dict[str, Any]:
    command = [sys.executable, "-c", CLIENT, str(simulator.api_dir), str(simulator.api_socket)]
    return dict(json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout))


@pytest.mark.parametrize(
    ("release", "tap", "has_json"),
    [
        ("22.02", "tap1", False),
        ("22.06", "tap1", False),
        ("22.10", "tap1", False),
        ("23.06", "tap1", False),
        ("25.10", "tap4096", True),
    ],
)
def test_vpp_papi_connects_to_any_release_through_its_files(
    tmp_path: Path, release: str, tap: str, has_json: bool
) -> None:
    with Simulator(tmp_path, release=release) as simulator:
        said = through_files(simulator)
    assert said["version"] == f"{release}-release"
    assert said["types"][tap] == "virtio"
    assert len(said["pairs"]) == 16
    assert said["json"] is has_json
    crc = "5a95842f" if release in ("22.02", "22.06") else "8b5481af"
    assert f"lcp_itf_pair_details_{crc}" in said["table"]
    assert said["fields"][-1] == ("namespace" if release in ("22.02", "22.06") else "netns")
    phy = struct.pack(">I", said["indexes"][PORT])
    order = sys.byteorder if release == "22.02" else "big"
    assert said["phys"]["eno1"] == int.from_bytes(phy if order == "big" else phy[::-1], "big")


def test_a_plugin_that_is_off_has_no_messages(tmp_path: Path) -> None:
    with Simulator(tmp_path, without=["lcp", "lacp"]) as simulator:
        said = through_files(simulator)
    assert said["pairs"] is None
    assert not any("lcp" in name or "lacp" in name for name in said["table"])


def test_a_tag_that_is_not_ascii_breaks_vpp_papi_as_a_real_one_does(vpp: Simulator) -> None:
    vpp.set_tag(PORT, "Zürich".encode())
    with Connection(vpp) as connection, pytest.raises(UnicodeDecodeError):
        connection.api.sw_interface_dump()


def test_a_dump_of_one_interface_is_counted_apart(vpp: Simulator) -> None:
    with Connection(vpp) as connection:
        before = vpp.calls()
        connection.api.sw_interface_dump(sw_if_index=3)
        connection.api.sw_interface_dump(sw_if_index=0)  # all, to VPP
        connection.api.sw_interface_dump(name_filter_valid=True, name_filter="net1")
        after = vpp.calls()
    asked = {name: after[name] - before.get(name, 0) for name in after}
    assert (asked["sw_interface_dump"], asked["sw_interface_dump of one"]) == (2, 1)


def test_a_neighbour_can_change_and_go(vpp: Simulator) -> None:
    vpp.add_neighbor(PORT, "192.0.2.77", "02:00:00:00:00:77")
    vpp.add_neighbor(PORT, "192.0.2.78", "02:00:00:00:00:78", static=True)
    with Connection(vpp) as connection:
        index = connection.rows()[PORT].sw_if_index

        def found() -> dict[str, tuple[str, int]]:
            entries = [e.neighbor for e in connection.api.ip_neighbor_dump(sw_if_index=index, af=0)]
            return {str(e.ip_address): (str(e.mac_address), int(e.flags)) for e in entries}

        assert found() == {
            "192.0.2.77": ("02:00:00:00:00:77", 0),
            "192.0.2.78": ("02:00:00:00:00:78", 1),
        }
        vpp.add_neighbor(PORT, "192.0.2.77", "02:00:00:00:00:79")
        vpp.remove_neighbor(PORT, "192.0.2.78")
        assert found() == {"192.0.2.77": ("02:00:00:00:00:79", 0)}
    with pytest.raises(SimulatorError, match="remove_neighbor"):
        vpp.remove_neighbor(PORT, "192.0.2.78")


def test_many_neighbours_are_spread_over_all_interfaces_and_no_two_are_the_same(
    tmp_path: Path,
) -> None:
    with Simulator(tmp_path, interfaces=50, pairs=True) as vpp, Connection(vpp) as connection:
        vpp.add_neighbors(150)
        vpp.add_neighbors(50)
        entries = [
            each.neighbor
            for family in (0, 1)
            for each in connection.api.ip_neighbor_dump(sw_if_index=0xFFFFFFFF, af=family)
        ]
        port = HUNDRED
        vpp.add_neighbors(7, port)
        index = connection.rows()[port].sw_if_index
        alone = connection.api.ip_neighbor_dump(sw_if_index=index, af=0)
        taps = {pair.host_sw_if_index for pair in connection.pairs().values()}
    assert len({str(each.ip_address) for each in entries}) == 200
    assert len({str(each.mac_address) for each in entries}) == 200
    assert sum(":" in str(each.ip_address) for each in entries) == 50
    holders = Counter(each.sw_if_index for each in entries)
    assert set(holders.values()) == {4}
    assert not holders.keys() & (taps | {0})
    assert len(alone) == 4 + 6  # 0, 50, 100, 150; of 200 to 206 only 203 is IPv6


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


def test_an_address_for_each_sub_interface_if_so_wanted(tmp_path: Path) -> None:
    with Simulator(tmp_path, interfaces=300, addresses=True) as vpp, Connection(vpp) as connection:
        found = {
            row.interface_name: [
                str(each.prefix)
                for each in connection.api.ip_address_dump(sw_if_index=index, is_ipv6=False)
            ]
            for index, row in enumerate(connection.rows().values())
        }
    assert found.pop("local0") == found.pop(HUNDRED) == []
    assert len({prefix for (prefix,) in found.values()}) == 299
    assert found[f"{HUNDRED}.260"] == ["100.64.4.17/30"]


# Against vpp_papi's reader of the segment.


def test_vpp_papi_reads_the_true_counters(shared: Simulator) -> None:
    shared.step(60)
    truth, stats = shared.truth(), stats_of(shared)
    try:
        for name in ("rx", "tx", "rx-multicast"):
            counter = stats[f"/if/{name}"]
            for row in truth.values():
                column = counter[:, row.sw_if_index]
                assert (column.sum_packets(), column.sum_octets()) == row.combined[name]
        for name in ("drops", "punt", "ip4", "ip6", "rx-miss", "rx-error", "tx-error"):
            counter = stats[f"/if/{name}"]
            for row in truth.values():
                assert counter[:, row.sw_if_index].sum() == row.simple[name]
        assert stats["/interfaces/BondEthernet0.100/rx"].sum_octets() == (
            truth["BondEthernet0.100"].rx.bytes
        )
        assert stats["/if/names"] == [truth[name].name for name in truth]
        assert stats["/sys/num_worker_threads"] == 2
    finally:
        stats.disconnect()


def test_counters_move_at_the_rates_they_were_given(vpp: Simulator) -> None:
    vpp.freeze()
    vpp.clear()
    vpp.set_traffic(CUSTOMER, rx=1000, rx_size=500, tx=10, tx_size=60, drops=0.5)
    vpp.step(10)
    row = vpp.truth()[CUSTOMER]
    assert (row.rx, row.tx, row.simple["drops"]) == ((10_000, 5_000_000), (100, 6000), 5)
    vpp.step(0.0015)
    assert vpp.truth()[CUSTOMER].rx == (10_001, 5_000_750)


def test_traffic_flows_by_itself_until_it_is_frozen(vpp: Simulator) -> None:
    before = vpp.truth()[BOND].rx.packets
    end = time.monotonic() + 5
    while vpp.truth()[BOND].rx.packets == before:
        assert time.monotonic() < end
    vpp.freeze()
    assert vpp.truth() == vpp.truth()


def test_a_parent_never_counts_less_than_its_sub_interfaces(vpp: Simulator) -> None:
    vpp.freeze()
    vpp.add_sub(BOND, 777, traffic={"rx": 3.7, "tx": 1.3})
    for seconds in (0.1, 0.37, 1.77):
        vpp.step(seconds)
        truth = vpp.truth()
        subs = [truth[f"BondEthernet0.{n}"] for n in (100, 101, 105, 130, 2502, 777)]
        members = [truth[f"TenGigabitEthernet1/0/{n}"] for n in (0, 1)]
        for part in (subs, members):
            assert truth[BOND].rx.packets >= sum(row.rx.packets for row in part)
            assert truth[BOND].tx.bytes >= sum(row.tx.bytes for row in part)
    before = vpp.truth()[BOND].rx
    vpp.delete("BondEthernet0.777")
    vpp.step(1)
    assert vpp.truth()[BOND].rx > before


def test_kinds_of_address_are_counted_only_when_told_to(vpp: Simulator) -> None:
    vpp.freeze()
    vpp.step(10)
    assert vpp.truth()[PORT].combined["rx-multicast"] == (0, 0)
    vpp.clear()
    vpp.set_detailed(PORT, True)
    vpp.step(10)
    counted = vpp.truth()[PORT].combined
    assert counted["rx-multicast"].packets > counted["rx-broadcast"].packets > 0
    kinds = ("rx-unicast", "rx-multicast", "rx-broadcast")
    assert 0 <= counted["rx"].packets - sum(counted[kind].packets for kind in kinds) <= 2


def test_nothing_flows_where_the_link_is_down(vpp: Simulator) -> None:
    vpp.freeze()
    vpp.set_link(PORT, False)
    before = vpp.truth()
    vpp.step(10)
    after = vpp.truth()
    assert after[CUSTOMER] == before[CUSTOMER]
    assert after["BondEthernet0.100"].rx > before["BondEthernet0.100"].rx


class Naive:
    """The rates of a router's interfaces, worked out from nothing."""

    def __init__(self) -> None:
        self._done: dict[Interface, list[int]] = {}

    def rates(self, interface: Interface) -> list[int]:
        if interface not in self._done:
            self._done[interface] = self._of(interface)
        return self._done[interface]

    def _of(self, interface: Interface) -> list[int]:
        if not interface.carries:
            return [0] * CELLS
        rates = interface.traffic.rates()
        for sub in interface.subs:
            for cell in INCLUDED:
                rates[cell] += self.rates(sub)[cell]
        if interface.bond and interface in interface.bond.active:
            whole = self.rates(interface.bond.interface)
            for cell in INCLUDED[1:]:
                rates[cell] += whole[cell] // len(interface.bond.active)
        if interface.detailed:
            interface.traffic.detail(rates)
        return rates


@pytest.mark.parametrize("seed", range(12))
def test_what_is_worked_out_bit_by_bit_is_what_would_be_from_nothing(seed: int) -> None:
    chance = random.Random(seed)
    router = Router(Release(26, 6), threads=3, segment_size=1 << 23)
    for spec in in_order(EDGE_ROUTER, None):
        router.configure(spec)
    router.clock.freeze()
    members = ["TenGigabitEthernet1/0/0", "TenGigabitEthernet1/0/1"]
    for turn in range(120):
        name = chance.choice(list(router.names)[1:])
        match chance.randrange(9):
            case 0:
                router.set_link(name, chance.random() < 0.6)
            case 1:
                router.set_admin(name, chance.random() < 0.6)
            case 2:
                router.set_traffic(name, Traffic(rx=turn + 0.7, tx=3.3 * turn, drops=turn / 7))
            case 3:
                router.set_detailed(name, chance.random() < 0.5)
            case 4:
                parent = chance.choice([PORT, BOND, *members])
                router.add(Spec(parent=parent, sub_id=3000 + turn, traffic=Traffic(rx=turn)))
            case 5 if router.names[name].parent:
                router.delete(name)
            case 6:
                member = chance.choice(members)
                if router.names[member].bond:
                    router.remove_member(BOND, member)
                else:
                    router.add_member(BOND, member)
            case 7 if router.names[members[0]].bond:
                router.set_active(members[0], chance.random() < 0.5)
            case _:
                router.step(10**8 + turn)
        if turn % 3 == 0:
            router.write_all()
            naive = Naive()
            for each in router.interfaces.values():
                expected = [(cell, rate) for cell, rate in enumerate(naive.rates(each)) if rate]
                assert each.flow.moving == expected, each.name


def test_a_member_that_leaves_a_bond_carries_no_share_of_it_any_more(vpp: Simulator) -> None:
    vpp.freeze()
    vpp.clear()
    first, second = "TenGigabitEthernet1/0/0", "TenGigabitEthernet1/0/1"
    vpp.step(10)
    before = vpp.truth()
    vpp.remove_member(BOND, first)
    vpp.step(10)
    after = vpp.truth()
    assert after[first].rx == before[first].rx
    share = before[second].rx.packets
    assert abs(after[second].rx.packets - share - 2 * share) <= 3


def test_clear_zeroes_every_interface(vpp: Simulator) -> None:
    vpp.freeze()
    vpp.step(10)
    vpp.clear()
    assert {row.rx for row in vpp.truth().values()} == {(0, 0)}
    stats = stats_of(vpp)
    assert {sum(row) for row in stats["/if/drops"]} == {0}
    stats.disconnect()


# The segment.


def test_a_reused_index_starts_at_zero(vpp: Simulator) -> None:
    index = vpp.truth()["BondEthernet0.130"].sw_if_index
    vpp.freeze()
    vpp.step(10)
    assert vpp.reuse("BondEthernet0.130", parent=BOND, sub_id=131) == index
    assert vpp.truth()["BondEthernet0.131"].rx == (0, 0)
    stats = stats_of(vpp)
    assert stats["/if/rx"][:, index].sum_packets() == 0
    assert stats["/if/names"][index] == "BondEthernet0.131"
    stats.disconnect()


@pytest.mark.parametrize(
    ("release", "links"),
    [
        ("24.10", []),
        ("25.02", ["rx_crc_errors", "rx_crc_errors_2", "tx_late_collisions"]),
        ("26.10", ["xstats-rx_crc_errors", "xstats-rx_crc_errors_2", "xstats-tx_late_collisions"]),
    ],
)
def test_what_a_driver_counts_is_linked_as_the_release_does(release: str, links: list[str]) -> None:
    router = Router(Release.parse(release), 2, 1 << 23)
    xstats = (("rx_crc_errors", 5), ("tx_late_collisions", 7), ("rx_crc_errors", 11))
    index = router.add(Spec("eth/0", xstats=xstats)).sw_if_index
    found = sorted(
        name.removeprefix("/interfaces/eth/0/")
        for name in router.segment._entries
        if name.startswith("/interfaces/eth/0/") and "_" in name
    )
    assert found == sorted(links)
    if links:
        row = router.segment.counters[f"/if/xstats/{index}"].rows[0]
        assert row is not None
        assert list(router.segment.words[row.offset // 8 : row.offset // 8 + 3]) == [5, 7, 11]


@pytest.mark.parametrize(
    ("release", "name"), [("22.06", "ip4 ttl <= 1"), ("22.10", "time_expired")]
)
def test_errors_are_called_as_the_release_calls_them(release: str, name: str) -> None:
    segment = Router(Release.parse(release), 3, 1 << 23).segment
    assert f"/err/ip4-input/{name}" in segment._entries
    has_reassembly = "/err/ip4-full-reassembly/reass_success" in segment._entries
    assert has_reassembly == (release == "22.10")


@pytest.mark.parametrize(
    ("release", "said"), [("22.02", None), ("23.06", "loop0"), ("23.10", "deleted")]
)
def test_a_deleted_name_is_as_the_release_has_it(
    tmp_path: Path, release: str, said: str | None
) -> None:
    with Simulator(tmp_path, release=release) as simulator:
        index = simulator.truth()["loop0"].sw_if_index
        simulator.delete("loop0")
        segment = segment_of(simulator)
        generation = Release.parse(release).generation
        kind, pointer = entries(segment, generation)["/if/names"]
    assert kind is Kind.NAME_VECTOR
    _, base, *_ = layout.HEADER.unpack_from(segment)
    (text,) = layout.POINTER.unpack_from(segment, pointer - base + 8 * index)
    if said is None:
        assert text == 0
    else:
        (length,) = layout.LENGTH.unpack_from(segment, text - base - layout.LENGTH_BEFORE)
        assert segment[text - base : text - base + length] == said.encode() + b"\0"


def test_gauges_are_gauges_only_where_there_are_any(tmp_path: Path) -> None:
    kinds = {}
    for release in ("22.02", "25.10", "26.06"):
        with Simulator(tmp_path, release=release) as simulator:
            found = entries(segment_of(simulator), Release.parse(release).generation)
        kinds[release] = found["/sys/num_worker_threads"]
        assert found["/interfaces/local0/rx"][0] is Kind.SYMLINK
        assert ("/sys/boottime" in found) is (release != "22.02")
    assert kinds["22.02"] == kinds["25.10"] == (Kind.SCALAR, 2)
    assert kinds["26.06"] == (Kind.GAUGE, 2)


def test_rows_that_outgrow_their_room_move_and_bump_the_epoch(vpp: Simulator) -> None:
    vpp.freeze()
    before, epoch, truth = vpp.where("/if/rx"), vpp.epoch(), vpp.truth()
    for number in range(30):
        vpp.add_loopback(f"loop{number + 1}")
    assert vpp.where("/if/rx")["rows"] != before["rows"]
    assert vpp.epoch() > epoch
    assert vpp.truth().items() >= truth.items()
    stats = stats_of(vpp)
    for row in truth.values():
        assert stats["/if/rx"][:, row.sw_if_index].sum_octets() == row.rx.bytes
    stats.disconnect()


def test_what_a_heap_is_given_back_it_gives_out_again() -> None:
    heap = Heap(4096, 4096 + 160)
    first, second = heap.allocate(60), heap.allocate(30)
    with pytest.raises(MemoryError):
        heap.allocate(80)
    heap.release(first, 60)
    heap.release(second, 30)
    assert heap.allocate(160) == first == 4096
    assert heap.used == heap.size


def test_a_row_can_be_null_until_interfaces_are_added(vpp: Simulator) -> None:
    vpp.drop_row("/if/mpls", 1)
    assert vpp.where("/if/mpls")["rows"][1] is None
    for number in range(30):
        vpp.add_loopback(f"loop{number + 1}")
    assert vpp.where("/if/mpls")["rows"][1] is not None


def test_the_lock_can_be_held_for_ever_and_memory_spoilt(vpp: Simulator) -> None:
    stats = stats_of(vpp)
    vpp.hold_lock()
    vpp.add_loopback("loop1")
    assert stats.in_progress == 1
    vpp.hold_lock(False)
    assert stats.in_progress == 0
    vpp.corrupt(vpp.where("/if/rx")["pointers"], b"\xff" * 8)
    with pytest.raises((IOError, OverflowError)):
        stats.__getitem__("/if/rx", blocking=False)
    stats.disconnect()


# Events.


def test_vpp_tells_of_add_delete_admin_and_link(vpp: Simulator) -> None:
    with Connection(vpp) as connection:
        connection.api.want_interface_events(enable_disable=1, pid=os.getpid())
        port = connection.rows()[PORT].sw_if_index
        index = vpp.add_loopback("loop1")
        assert connection.told() == [(index, 3, False)]
        vpp.set_admin("loop1", False)
        vpp.set_link(PORT, False)
        vpp.set_link(PORT, True)
        vpp.delete("loop1")
        assert connection.told() == [
            (index, 0, False),
            (port, 0, False),
            (port, 2, False),
            (index, 0, True),
        ]


def test_vpp_tells_of_each_neighbour_that_comes_changes_or_goes(vpp: Simulator) -> None:
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
        until("all are told", lambda: len(connection.neighbor_events) >= len(expected))
        assert connection.neighbor_events == expected


def test_vpp_is_silent_about_the_rest(vpp: Simulator) -> None:
    with Connection(vpp) as connection:
        connection.api.want_interface_events(enable_disable=1, pid=os.getpid())
        vpp.set_mtu(PORT, 1400)
        vpp.set_tag(PORT, b"uplink")
        vpp.rename("loop0", "lo")
        vpp.delete_pair(CUSTOMER, keep_host=True)
        vpp.create_pair(CUSTOMER, "renamed", host="tap4096.205")
        vpp.remove_member(BOND, "TenGigabitEthernet1/0/1")
        vpp.clear()
        assert connection.told() == []
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
        assert [index for index, *_ in connection.told()] == [rows[PORT].sw_if_index]
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


def test_orders_can_be_sent_ahead_and_are_answered_in_turn(vpp: Simulator) -> None:
    vpp.send("epoch")
    vpp.send("delete", name="nobody")
    vpp.send("calls")
    epoch = vpp.receive()
    with pytest.raises(SimulatorError, match="nobody"):
        vpp.receive()
    first = vpp.sent_at
    calls = vpp.receive()
    assert (type(epoch), type(calls)) == (int, dict)
    assert vpp.sent_at >= first
    assert not vpp.answered


def test_deleting_a_sub_interface_deletes_its_pair_and_tap(vpp: Simulator) -> None:
    vpp.delete(CUSTOMER)
    with Connection(vpp) as connection:
        assert not {"tap4096.205", CUSTOMER} & connection.rows().keys()
        assert "eno1.205" not in connection.pairs()


def test_a_bond_without_an_active_member_has_no_link(vpp: Simulator) -> None:
    vpp.set_active("TenGigabitEthernet1/0/0", False)
    assert vpp.interfaces()[BOND]["link"] is True
    vpp.set_link("TenGigabitEthernet1/0/1", False)
    assert vpp.interfaces()[BOND]["link"] is False
    vpp.set_active("TenGigabitEthernet1/0/0", True)
    assert vpp.interfaces()[BOND]["link"] is True


# The process.


def test_a_hung_vpp_takes_connects_and_answers_nothing(tmp_path: Path) -> None:
    with Simulator(tmp_path, update_interval=0.01) as vpp, Connection(vpp) as connection:
        stats = stats_of(vpp)
        vpp.hang()
        beats = stats["/sys/heartbeat"]
        packets = vpp.truth()[BOND].rx.packets
        with pytest.raises(VPPIOError):
            connection.api.control_ping(_timeout=0.2)
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
            sock.settimeout(0.1)
            sock.connect(str(vpp.stats_socket))
            with pytest.raises(TimeoutError):
                sock.recv(1)
        assert stats["/sys/heartbeat"] == beats
        assert stats["/if/rx"][:, vpp.truth()[BOND].sw_if_index].sum_packets() > packets
        vpp.resume()
        assert connection.api.show_version().retval == 0
        end = time.monotonic() + 5
        while stats["/sys/heartbeat"] == beats:
            assert time.monotonic() < end
        stats.disconnect()


def test_a_clean_end_takes_the_sockets_along_and_a_crash_does_not(vpp: Simulator) -> None:
    stats = stats_of(vpp)
    vpp.stop()
    assert not vpp.api_socket.exists()
    assert not vpp.stats_socket.exists()
    vpp.start()
    vpp.kill()
    with socket.socket(socket.AF_UNIX) as sock, pytest.raises(ConnectionRefusedError):
        sock.connect(str(vpp.api_socket))
    assert stats["/if/rx"][:, 1].sum_packets() >= 0, "the old mapping stays readable"
    stats.disconnect()


def test_a_restarted_vpp_has_only_its_hardware_until_it_is_configured(vpp: Simulator) -> None:
    first = {row.name: row.sw_if_index for row in vpp.truth().values()}
    pid = vpp.pid
    vpp.restart(empty=True)
    assert vpp.pid != pid
    assert set(vpp.truth()) == {"local0", *(s.name for s in EDGE_ROUTER if s.is_hardware)}
    vpp.configure(seconds=0.2, seed=11)
    vpp.wait_until_configured()
    second = {row.name: row.sw_if_index for row in vpp.truth().values()}
    assert {name for name in second if not name.startswith("tap")} == {
        name for name in first if not name.startswith("tap")
    }
    assert second["BondEthernet0.100"] != first["BondEthernet0.100"]


def test_the_simulator_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    program = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from simulator import Simulator\n"
        "vpp = Simulator(Path(sys.argv[1]))\n"
        "vpp.start()\n"
        "print(vpp.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    root = Path(__file__).resolve().parents[1]
    ended = subprocess.run(command, stdout=subprocess.PIPE, cwd=root, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert int(ended.stdout) > 0
    end = time.monotonic() + 5
    while (tmp_path / "api.sock").exists():
        assert time.monotonic() < end


def test_by_hand_it_writes_its_vppcfg_and_serves_until_sigterm(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "simulator", "--run-dir", str(tmp_path)]
    command += ["--vppcfg", str(tmp_path / "vppcfg.yaml")]
    root = Path(__file__).resolve().parents[1]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root) as process:
        assert process.stdout
        assert process.stdout.readline() == b"the simulator serves\n"
        assert (tmp_path / "vppcfg.yaml").read_text(encoding="utf-8") == VPPCFG
        process.terminate()
        assert process.wait(5) == 0
    assert not (tmp_path / "stats.sock").exists()


def test_what_cannot_be_done_is_an_error_and_harms_nothing(vpp: Simulator) -> None:
    with pytest.raises(SimulatorError, match="nobody"):
        vpp.delete("nobody")
    with pytest.raises(SimulatorError, match="exists"):
        vpp.add_loopback("loop0")
    with pytest.raises(SimulatorError, match="nothing to do"):
        vpp.tell("dance")
    assert vpp.truth()[PORT].sw_if_index == 1


def test_a_thousand_interfaces_are_dumped_within_50_ms(tmp_path: Path) -> None:
    with Simulator(tmp_path, interfaces=1000, threads=17) as vpp:
        api = Api(Release(26, 6))
        request = api.pack("sw_interface_dump", 0, 7, 0xFFFFFFFF, False, tail=bytes(4))
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


def test_ten_thousand_interfaces_on_seventeen_threads_fit(tmp_path: Path) -> None:
    with Simulator(tmp_path, interfaces=10_000, threads=17) as vpp:
        vpp.freeze()
        truth, stats = vpp.truth(), stats_of(vpp)
        last = truth["HundredGigabitEthernet1/0/0.9999"]
        assert stats["/if/rx"][:, last.sw_if_index].sum_octets() == last.rx.bytes
        stats.disconnect()
    assert len(truth) == 1 + 10_000


def test_the_vppcfg_yaml_describes_what_is_there() -> None:
    config = yaml.safe_load(VPPCFG)
    names = {spec.full_name for spec in EDGE_ROUTER}
    described = set(config["interfaces"]) | set(config["loopbacks"]) | set(config["bondethernets"])
    for name, interface in config["interfaces"].items():
        described |= {f"{name}.{sub}" for sub in interface.get("sub-interfaces", {})}
    assert described == names


# Against the recording.


@pytest.fixture(scope="module")
def conversation() -> list[bytes]:
    """What the real VPP said."""
    with gzip.open(RECORDED / "api-bootstrap.jsonl.gz", "rt") as lines:
        said = [json.loads(line) for line in lines]
    return [bytes.fromhex(entry["message"]) for entry in said if entry["from"] == "vpp"]


@needs_recording
def test_every_message_has_the_crc_of_the_recorded_table(conversation: list[bytes]) -> None:
    (table,) = (m for m in conversation if struct.unpack_from(">H", m) == (16,))
    recorded = {
        name.split(b"\0")[0].decode(): number
        for number, name in struct.iter_unpack(">H64s", table[20:])
    }
    api = Api(Release(26, 6))
    for name, message in api.messages.items():
        assert message.name_crc in recorded
        if message in MEMCLNT.messages:
            assert recorded[message.name_crc] == api.ids[name]


def without_comments(definition: list[Any]) -> list[Any]:
    """A message's fields, without what only people read."""
    return [
        {"crc": part["crc"]} if isinstance(part, dict) else part
        for part in definition
        if not isinstance(part, dict) or "crc" in part
    ]


@needs_recording
def test_every_message_and_type_is_laid_out_as_recorded(conversation: list[bytes]) -> None:
    (reply,) = (m for m in conversation if struct.unpack_from(">H", m) == (28,))
    retval, length = struct.unpack_from(">iI", reply, 6)
    assert retval == 0
    recorded: dict[tuple[str, str], Any] = {}
    for module in json.loads(reply[14 : 14 + length]):
        for part in ("messages", "types", "unions", "enums", "enumflags"):
            recorded |= {(part.rstrip("s"), d[0]): d for d in module[part]}
        recorded |= {("alias", name): alias for name, alias in module["aliases"].items()}
        recorded |= {("service", name): one for name, one in module["services"].items()}
    ours = json.loads(Api(Release(26, 6)).json())
    compared = 0
    for module in ours:
        for message in module["messages"]:
            assert without_comments(message) == without_comments(recorded["message", message[0]])
            compared += 1
        for structure in module["types"]:
            assert structure[1:] == recorded["type", structure[0]][1 : len(structure)]
        for union in module["unions"]:
            assert union == recorded["union", union[0]]
        for enum in module["enums"]:
            assert enum == recorded["enum", enum[0]]
        for name, alias in module["aliases"].items():
            assert alias == recorded["alias", name]
        for request, service in module["services"].items():
            assert service == recorded["service", request]
    assert compared > 15
    assert len(ENUMS) > 5


@needs_recording
def test_details_are_packed_byte_for_byte_as_recorded(conversation: list[bytes]) -> None:
    api = Api(Release(26, 6))
    layout_of = {name: api.messages[name].layout for name in api.messages}
    decoded = json.loads((RECORDED / "api-decoded.json").read_text())
    details = [m for m in conversation if struct.unpack_from(">H", m) == (247,)]
    assert len(details) == len(decoded["sw_interface_dump"])
    for message, row in zip(details, decoded["sw_interface_dump"], strict=True):
        values = layout_of["sw_interface_details"].unpack(message)
        names = [field.name for field in api.messages["sw_interface_details"].fields]
        flat = [name for name in names for _ in range(4 if name == "mtu" else 1)]
        ours = dict(zip(flat, values, strict=True))
        assert ours["interface_name"].rstrip(b"\0").decode() == row["interface_name"]
        assert ours["l2_address"].hex(":") == row["l2_address"]
        for name in ("sw_if_index", "sup_sw_if_index", "flags", "link_mtu", "sub_if_flags"):
            assert ours[name] == row[name]


@needs_recording
def test_the_directory_has_the_recorded_kinds(shared: Simulator) -> None:
    recorded = entries(
        gzip.decompress((RECORDED / "3-detailed.statseg.gz").read_bytes()),
        layout.Generation.V26_02,
    )
    ours = entries(segment_of(shared), layout.Generation.V26_02)
    wanted = {name for name in recorded if re.match(r"/(if|sys|mem|bfd|buffer-pools)/", name)}
    wanted |= {name for name in recorded if name.startswith("/interfaces/local0/")}
    wanted -= {name for name in recorded if name.startswith("/if/lacp/")}  # by index
    served = wanted & ours.keys()
    assert {name: ours[name][0] for name in served} == {n: recorded[n][0] for n in served}
    assert not {name for name in wanted - served if re.match("/(if|sys|interfaces)/", name)}
    assert ours["/if/lacp/11/3/state"][0] is recorded["/if/lacp/7/3/state"][0]


@needs_recording
def test_a_reply_and_an_event_have_the_recorded_shape(conversation: list[bytes]) -> None:
    api = Api(Release(26, 6))
    sizes = {
        24: "control_ping_reply",
        931: "show_version_reply",
        246: "want_interface_events_reply",
        244: "sw_interface_event",
        112: "lcp_itf_pair_get_reply",
        115: "lcp_itf_pair_details",
        403: "sw_bond_interface_details",
        407: "sw_member_interface_details",
        100: "sw_interface_lacp_details",
        18: "sockclnt_delete_reply",
    }
    met = set()
    for message in conversation:
        (number,) = struct.unpack_from(">H", message)
        if number in sizes:
            assert len(message) == api.messages[sizes[number]].layout.size
            met.add(number)
    assert met == set(sizes)


def octets_alone(definition: Any) -> Any:
    """Of VPP's JSON what describes octets."""
    if isinstance(definition, dict):
        kept = {k: v for k, v in definition.items() if k not in ("comment", "options")}
        return {key: octets_alone(each) for key, each in kept.items()}
    if isinstance(definition, list):
        return [
            each for each in map(octets_alone, definition) if each or not isinstance(each, dict)
        ]
    return definition


def recorded_modules(directory: Path) -> list[dict[str, Any]]:
    """VPP's own definitions: its files, or what get_api_json answered."""
    files = sorted((directory / "api").glob("*.api.json"))
    if files:
        return [json.loads(path.read_text()) for path in files]
    with gzip.open(directory / "api-bootstrap.jsonl.gz", "rt") as lines:
        messages = (bytes.fromhex(json.loads(line)["message"]) for line in lines)
        longest = max(messages, key=len)
    (length,) = struct.unpack_from(">I", longest, 10)
    return list(json.loads(longest[14 : 14 + length].rstrip(b"\0")))


@needs_recording
@pytest.mark.parametrize("release", ["22.02", "23.06", "26.06"])
def test_every_message_and_type_is_defined_as_that_releases_vpp_defines_it(release: str) -> None:
    theirs: dict[str, dict[str, Any]] = {}
    for module in map(octets_alone, recorded_modules(RECORDED.with_name(f"vpp-{release}"))):
        for kind in ("messages", "types", "enums", "unions"):
            theirs.setdefault(kind, {}).update({each[0]: each for each in module[kind]})
        for kind in ("aliases", "services"):
            theirs.setdefault(kind, {}).update(module[kind])
    compared = Counter[str]()
    for module in map(octets_alone, Api(Release.parse(release)).definitions()):
        if module["module"] == MEMCLNT.name and Release.parse(release).has_api_json:
            continue  # which clients have, and VPP does not send
        for kind in ("messages", "types", "enums", "unions"):
            for each in module[kind]:
                assert each == theirs[kind][each[0]]
                compared[kind] += 1
        for kind in ("aliases", "services"):
            for name, each in module[kind].items():
                assert each == theirs[kind][name]
                compared[kind] += 1
    assert compared["messages"] >= 22
    assert compared["unions"]
