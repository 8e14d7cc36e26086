"""Judged by a real VPP 26.06: its recorded memory, API conversation and CLI output."""

import fcntl
import gzip
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_interface
from pathlib import Path
from typing import Any

import pytest

from simulator.stage import AgentProcess, Snmpd, until
from vpp_snmp_agent.interfaces.counters import CounterSet, InterfaceCounters
from vpp_snmp_agent.interfaces.ip_statistics import ERRORS
from vpp_snmp_agent.interfaces.system import System
from vpp_snmp_agent.interfaces.threads import CALLS, CLOCKS, VECTORS, cycles, read_nodes
from vpp_snmp_agent.vpp.cells import Counter, Vectors
from vpp_snmp_agent.vpp.directory import Directory
from vpp_snmp_agent.vpp.layout import Generation, Kind
from vpp_snmp_agent.vpp.segment import Segment

from . import oids
from .edge_router import wait_for_entries, wait_for_rows

ALL = ("1-configured", "2-traffic", "3-detailed", "4-events", "5-deleted", "6-reused", "7-cleared")
WHOLE = ALL[:4]  # the API conversation was recorded before the others

# The CLI's counters and ours.
CLI = {
    "rx packets": ("/if/rx", Kind.COMBINED, 0),
    "rx bytes": ("/if/rx", Kind.COMBINED, 1),
    "tx packets": ("/if/tx", Kind.COMBINED, 0),
    "tx bytes": ("/if/tx", Kind.COMBINED, 1),
    "drops": ("/if/drops", Kind.SIMPLE, 0),
    "punt": ("/if/punt", Kind.SIMPLE, 0),
    "ip4": ("/if/ip4", Kind.SIMPLE, 0),
    "ip6": ("/if/ip6", Kind.SIMPLE, 0),
    "rx-miss": ("/if/rx-miss", Kind.SIMPLE, 0),
    "rx-error": ("/if/rx-error", Kind.SIMPLE, 0),
    "tx-error": ("/if/tx-error", Kind.SIMPLE, 0),
} | {
    # The CLI cuts its labels at 16 characters.
    f"{name} {what}"[:16]: (f"/if/{name}", Kind.COMBINED, offset)
    for name in (
        f"{way}-{cast}" for way in ("rx", "tx") for cast in ("unicast", "multicast", "broadcast")
    )
    for offset, what in enumerate(("packets", "bytes"))
}


def cli(recordings: Path, name: str) -> dict[int, dict[str, int]]:
    """What `show interface` printed: counters by sw_if_index, those of 0 left out by VPP."""
    found: dict[int, dict[str, int]] = {}
    current: dict[str, int] = {}
    for line in (recordings / f"{name}.show-interface.txt").read_text().splitlines()[1:]:
        first = re.match(r"(\S+)\s+(\d+)\s+(?:up|down)\s+\S+", line)
        if first:
            current = found[int(first[2])] = {}
        counter = re.search(r"\s{2,}([a-z][a-z0-9 -]*?)\s+(\d+)\s*$", line)
        if counter:
            current[counter[1]] = int(counter[2])
    return found


def segment_of(recordings: Path, name: str) -> Segment:
    descriptor = os.memfd_create(name, os.MFD_ALLOW_SEALING)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
    with os.fdopen(descriptor, "wb", closefd=False) as memory:
        memory.write(gzip.decompress((recordings / f"{name}.statseg.gz").read_bytes()))
    try:
        return Segment(descriptor)
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("name", ALL)
def test_every_counter_that_the_cli_printed_is_read_alike(recordings: Path, name: str) -> None:
    segment = segment_of(recordings, name)
    assert segment.generation is Generation.V26_02
    counters = {label: Counter(segment, *source) for label, source in CLI.items()}
    printed = cli(recordings, name)
    assert len(printed) >= 40
    for sw_if_index, values in printed.items():
        assert values.keys() <= counters.keys()
        for label, counter in counters.items():
            served = counter.read(sw_if_index)
            assert served == values.get(label, 0), (sw_if_index, label)


def test_the_traffic_recordings_are_no_row_of_zeroes(recordings: Path) -> None:
    assert cli(recordings, "2-traffic")[6]["rx bytes"] > 100_000
    assert not any(values.get("rx bytes") for values in cli(recordings, "7-cleared").values())


def printed_errors(recordings: Path, name: str) -> dict[str, int]:
    """What `show errors` printed, by node: it words the reasons otherwise."""
    found: dict[str, int] = {}
    for line in (recordings / f"{name}.show-errors.txt").read_text().splitlines()[1:]:
        counted, node = line.split()[:2]
        found[node] = found.get(node, 0) + int(counted)
    return found


@pytest.mark.parametrize("router", ["vpp-22.02", "vpp-23.06"])
def test_errors_of_every_generation_are_what_the_cli_printed(recordings: Path, router: str) -> None:
    recording = recordings.parent / router
    segment = segment_of(recording, "1-traffic")
    directory = Directory(segment, ("/err/", "/mem/"))
    while directory.search():
        pass
    assert len(directory.names["/err/"]) > 2000
    found: dict[str, int] = {}
    for name in directory.names["/err/"]:
        node = name.split("/")[2]
        found[node] = found.get(node, 0) + segment.value(name)
    assert {node: count for node, count in found.items() if count} == printed_errors(
        recording, "1-traffic"
    )
    total, used, free, *_ = segment.values("/mem/main heap")
    assert total == used + free == segment.value("/mem/main heap/total") == 536870864


def errors_of(recording: Path, snapshot: str) -> tuple[System, dict[str, int]]:
    """All rows of errors, and their counts by node."""
    system = System()
    system.use(segment_of(recording, snapshot), 1)
    system.search_all()
    found: dict[str, int] = {}
    for (node, _), count in system.errors.snapshot().counts.items():
        found[node] = found.get(node, 0) + count
    return system, found


@pytest.mark.parametrize("router", ["vpp-22.02", "vpp-23.06"])
def test_rows_of_errors_are_what_the_cli_printed(recordings: Path, router: str) -> None:
    system, found = errors_of(recordings.parent / router, "1-traffic")
    assert found == printed_errors(recordings.parent / router, "1-traffic")
    counts = system.errors.snapshot().counts
    assert counts["ethernet-input", "l3 mac mismatch"] == 90
    assert system.errors.punted == 0


def test_rows_of_errors_of_a_vpp_that_runs_are_what_the_cli_printed_seconds_later(
    recordings: Path,
) -> None:
    recording = recordings.parent / "vpp-26.06-lcp"
    system, found = errors_of(recording, "1-lcp")
    printed = printed_errors(recording, "1-lcp")
    # vppcfg renamed its interfaces, which the names of their errors do not follow.
    renamed = {
        "TenGigabitEthernet1/0/0": "host-ve10f0",
        "TenGigabitEthernet1/0/1": "host-ve10f1",
        "GigabitEthernet5/0/0": "host-veno1",
        "GigabitEthernet6/0/0": "host-veno2",
    }
    for name, first in renamed.items():
        for way in ("tx", "output"):
            if f"{name}-{way}" in printed:
                printed[f"{first}-{way}"] = printed.pop(f"{name}-{way}")
    lacp = {"af-packet-input", "bond-input", "lacp-input"}  # whose partner speaks each second
    for node in lacp:
        assert 0.98 * printed[node] < found[node] < printed.pop(node)
    assert {node: count for node, count in found.items() if node not in lacp} == printed
    counts = system.errors.snapshot().counts
    assert len(counts) == len(system.errors.rows) == 23
    assert counts["ip6-icmp-input", "neighbor_solicitation_source_unknown"] == 5
    assert counts["bond-input", "pass through (CDP, LLDP, slow protocols)"] == 1086


# What is counted of IPv4 and of IPv6, and which lines of `show errors` that is: the beginning of
# a reason, for the CLI cuts it off.
CLI_ERRORS = {
    "vpp-22.02/1-traffic": ({"InTruncatedPkts": ("ip4-input ip4 length > l2 length",)}, {}),
    "vpp-23.06/1-traffic": ({"InTruncatedPkts": ("ip4-input ip4 length > l2 length",)}, {}),
    "vpp-26.06-lcp/1-lcp": (
        {},
        {
            "InAddrErrors": ("ip6-input ip6 source lookup miss",),
            "InUnknownProtos": ("ip6-local-hop-by-hop Unknown protocol ip6 local h-b-h",),
            "InDiscards": ("ip6-input Multicast RPF check failed",),
        },
    ),
}


@pytest.mark.parametrize("recording", CLI_ERRORS)
def test_ip_statistics_are_what_the_cli_printed(recordings: Path, recording: str) -> None:
    router, name = recording.split("/")
    directory = recordings.parent / router
    system = System()
    system.use(segment_of(directory, name), 1)
    system.search_all()
    lines = (directory / f"{name}.show-errors.txt").read_text().splitlines()[1:]
    errors = [" ".join(line.split()) for line in lines]
    printed = cli(directory, name).values()
    for statistics, source, columns in zip(
        *((system.ipv4, system.ipv6), ("ip4", "ip6"), CLI_ERRORS[recording]), strict=True
    ):
        received = sum(each.get(source, 0) for each in printed)
        expected = {"InReceives": received} | {
            column: sum(
                int(error.split(" ", 1)[0])
                for error in errors
                if error.split(" ", 1)[1].startswith(of)
            )
            for column, of in columns.items()
        }
        assert all(expected.values()) or recording != "vpp-26.06-lcp/1-lcp"
        found = {"InReceives": statistics.value("InReceives")}
        found |= {error.column: statistics.value(error.column) for error in ERRORS}
        assert {column: count for column, count in found.items() if count} == {
            column: count for column, count in expected.items() if count
        }
        has_reassembly = router != "vpp-22.02"
        assert (found["ReasmOKs"] is not None) == has_reassembly
        assert found["ReasmFails"] == 0


@pytest.mark.parametrize(
    ("router", "snapshot", "heaps", "buffers"),
    [
        ("vpp-26.06-lcp", "1-lcp", [(131_072, 23_185), (8191, 343)], (8846, 1804)),
        ("vpp-23.06", "1-traffic", [(131_071, 18_989), (8190, 334)], (8192, 238)),
        ("vpp-22.02", "1-traffic", [(131_071, 17_939), (8190, 219)], (8192, 238)),
    ],
)
def test_memory_of_every_generation_is_measured(
    recordings: Path,
    router: str,
    snapshot: str,
    heaps: list[tuple[int, int]],
    buffers: tuple[int, int],
) -> None:
    system = System()
    system.use(segment_of(recordings.parent / router, snapshot), 1)
    system.search_all()
    assert {each.name: each.measured() for each in system.storages.shown} == {
        "VPP main heap": (4096, *heaps[0]),
        "VPP stat segment": (4096, *heaps[1]),
        "VPP buffers default-numa-0": (2304, *buffers),
    }


@pytest.mark.parametrize(
    ("router", "snapshot", "rates"),
    [
        ("vpp-26.06", "2-traffic", [(1, 5885), (74, 7_464_598)]),
        ("vpp-26.06-lcp", "1-lcp", [(0, 791), (1, 1_298_026)]),
        ("vpp-23.06", "1-traffic", [(1, 1_183_798), (0, 98)]),
        ("vpp-22.02", "1-traffic", [(None, None), (None, None)]),
    ],
)
def test_rates_of_every_thread_are_read_in_every_generation(
    recordings: Path, router: str, snapshot: str, rates: list[tuple[int | None, int | None]]
) -> None:
    system = System()
    system.use(segment_of(recordings.parent / router, snapshot), 1)
    rows = [system.threads.rows.get(index) for index in system.threads.rows]
    assert [row and (row.vector_rate, row.loop_rate) for row in rows] == rates


@pytest.mark.parametrize(
    ("router", "snapshot", "nodes", "share"),
    [
        ("vpp-26.06-lcp", "1-lcp", 515, 487),
        ("vpp-23.06", "1-traffic", 468, 46),
        ("vpp-22.02", "1-traffic", 461, 8),
    ],
)
def test_cycles_of_nodes_with_packets_are_found_among_those_of_all(
    recordings: Path, router: str, snapshot: str, nodes: int, share: int
) -> None:
    segment = segment_of(recordings.parent / router, snapshot)
    counters = [Vectors(segment, each) for each in (CLOCKS, VECTORS, CALLS)]
    read = read_nodes(counters).of(1)
    assert read is not None
    clocks, vectors, calls = (memoryview(each).cast("Q").tolist() for each in read)
    assert len(clocks) == len(vectors) == len(calls) == nodes
    busy = sum(each for n, each in enumerate(clocks) if 0 < vectors[n] >= calls[n])
    assert cycles((b"", b"", b""), read) == (busy, sum(clocks))
    assert round(100_000 * busy / sum(clocks)) == share


@pytest.mark.parametrize(
    ("router", "name", "bond", "states"),
    [
        ("vpp-22.02", "1-traffic", 7, (71, 0)),
        ("vpp-23.06", "1-traffic", 7, (71, 0)),
        ("vpp-26.06", "1-configured", 7, (199, 2)),
        ("vpp-26.06-lcp", "1-lcp", 9, (63, 61)),  # the one with a partner
    ],
)
def test_lacps_states_are_in_the_segment_of_every_release(
    recordings: Path, router: str, name: str, bond: int, states: tuple[int, int]
) -> None:
    segment = segment_of(recordings.parent / router, name)
    for member in (3, 4):
        place = f"/if/lacp/{bond}/{member}"
        assert states == (segment.value(f"{place}/state"), segment.value(f"{place}/partner-state"))


@pytest.mark.parametrize("name", ALL)
def test_vpp_papis_own_reader_agrees_about_every_interface_counter(
    recordings: Path, name: str, tmp_path: Path
) -> None:
    """In a process of its own, served as VPP serves it."""
    with Replay(recordings, tmp_path, name) as replay:
        script = (
            "import json, sys\n"
            "from vpp_papi.vpp_stats import VPPStats\n"
            "stats = VPPStats(sys.argv[1])\n"
            "stats.connect()\n"
            "print(json.dumps({name: stats[name] for name, _ in stats\n"
            "  if name.startswith('/if/') and 'lacp' not in name and name != '/if/names'}))"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, str(replay.stats_socket)],
            capture_output=True,
            text=True,
            check=True,
        )
    judged: dict[str, list[list[Any]]] = json.loads(done.stdout)
    segment = segment_of(recordings, name)
    compared = 0
    for counter_name, threads in judged.items():
        pairs = isinstance(threads[0][0], list)
        kind = Kind.COMBINED if pairs else Kind.SIMPLE
        for offset in range(2 if pairs else 1):
            counter = Counter(segment, counter_name, kind, offset)
            for index in range(len(threads[0])):
                cells = [thread[index] for thread in threads]
                total = sum(cell[offset] if pairs else cell for cell in cells)
                assert counter.read(index) == total, (counter_name, index)
                compared += 1
    assert compared >= 25 * 41


class Memory:
    """A segment in which one recording is written over another, as time passes."""

    def __init__(self, recordings: Path, name: str) -> None:
        self._recordings = recordings
        self._descriptor = os.memfd_create(name, os.MFD_ALLOW_SEALING)
        fcntl.fcntl(self._descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
        self.becomes(name)
        self.segment = Segment(self._descriptor)

    def becomes(self, name: str) -> None:
        """What the memory holds from now on."""
        whole = gzip.decompress((self._recordings / f"{name}.statseg.gz").read_bytes())
        os.pwrite(self._descriptor, whole, 0)

    def receives(self, sw_if_index: int, octets: int) -> None:
        """Traffic for an interface that had none when it was recorded."""
        first, _ = self.segment.locate(b"/if/rx", Kind.COMBINED)[0]
        at = 8 * (first + 2 * sw_if_index + 1)
        os.pwrite(self._descriptor, octets.to_bytes(8, sys.byteorder), at)

    def close(self) -> None:
        os.close(self._descriptor)


@pytest.fixture
def memory(recordings: Path) -> Iterator[Memory]:
    made = Memory(recordings, "4-events")
    yield made
    made.close()


def test_an_index_that_a_real_vpp_gave_away_is_not_read_under_the_old_name(memory: Memory) -> None:
    sources = CounterSet(memory.segment)
    bond = InterfaceCounters(sources, 7, NAMES[7])
    deleted = InterfaceCounters(sources, 18, "BondEthernet0.2502")
    memory.receives(18, 5000)
    assert deleted.in_octets == 5000
    for snapshot, name in (("5-deleted", b"deleted"), ("6-reused", b"loop18")):
        memory.becomes(snapshot)
        memory.receives(18, 7000)
        assert memory.segment.name_at(18)[1] == name
        assert deleted.in_octets == 5000
        assert deleted.discontinuity is None
    assert InterfaceCounters(sources, 18, "loop18").in_octets == 7000
    assert bond.in_octets  # what happens at another index is nothing to it


def test_after_a_real_clear_counters_go_on_and_say_so(memory: Memory) -> None:
    sources = CounterSet(memory.segment)
    carried = InterfaceCounters(sources, 6, NAMES[6])
    plain = InterfaceCounters(sources, 6, NAMES[6], carries=False)
    before = carried.in_octets
    assert before
    assert plain.in_octets == before
    assert (carried.discontinuity, plain.discontinuity) == (None, None)
    memory.becomes("7-cleared")
    assert (carried.in_octets, plain.in_octets) == (before, 0)
    assert carried.discontinuity is not None
    assert plain.discontinuity is not None


# --- end to end ---------------------------------------------------------------------------------


@dataclass
class Replay:
    """A recorded VPP, served by the tool that comes with the recordings."""

    recordings: Path
    directory: Path
    first: str
    others: tuple[str, ...] = ()

    def __enter__(self) -> "Replay":
        run_dir = self.directory / "replay"
        self.api_socket = run_dir / "api.sock"
        self.stats_socket = run_dir / "stats.sock"
        tool = self.recordings.parents[1] / "tools" / "replay_vpp.py"
        self._process = subprocess.Popen(
            [
                *(sys.executable, str(tool), "--recording", str(self.recordings)),
                *("--run-dir", str(run_dir), self.first, *self.others),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.expect(f"serving {self.first}")
        return self

    def expect(self, said: str) -> None:
        assert self._process.stdout
        assert said in self._process.stdout.readline()

    def next(self, name: str) -> None:
        """Move to the next recording."""
        self._process.send_signal(signal.SIGUSR1)
        self.expect(f"now serving {name}")

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)
        assert self._process.stdout
        self._process.stdout.close()


NAMES = dict(
    enumerate(
        [
            "eno1",
            "eno2",
            "TenGigabitEthernet1/0/0",
            "TenGigabitEthernet1/0/1",
            "enp1s0f2",
            "enp1s0f3",
            "bond0",
            "eno1.205",
            "eno1.992",
            "enp1s0f3.501",
            "enp1s0f3.511",
            "TenGigabitEthernet1/0/3.3102",
            "enp1s0f3.q11",
            "bond0.100",
            "bond0.101",
            "bond0.105",
            "bond0.130",
            "bond0.2502",
            "TenGigabitEthernet1/0/2.700",
            "loop0",
            "loop1",
            "memif0/0",
            "vxlan_tunnel0",
            "gre0",
        ],
        start=1,
    )
)


@pytest.fixture
def served(recordings: Path, tmp_path: Path, snmpd: Snmpd) -> Iterator[tuple[Replay, Snmpd]]:
    """The first recording behind snmpd, and the others to come."""
    with (
        Replay(recordings, tmp_path, WHOLE[0], WHOLE[1:]) as replay,
        AgentProcess(tmp_path, replay, snmpd.agentx),
    ):
        wait_for_rows(snmpd, 24)
        yield replay, snmpd


@pytest.mark.system
def test_all_24_rows_bear_the_right_names(served: tuple[Replay, Snmpd]) -> None:
    _, snmpd = served
    expected = {1000 + index: name for index, name in NAMES.items()}
    assert snmpd.column(oids.IF_NAME) == expected
    assert snmpd.column(oids.IF_DESCR) == expected
    assert snmpd.walk(oids.IF_NUMBER) == {f"{oids.IF_NUMBER}.0": "INTEGER: 24"}


@pytest.mark.system
def test_every_octet_and_packet_counter_is_the_clis_in_each_recording(
    recordings: Path, served: tuple[Replay, Snmpd]
) -> None:
    replay, snmpd = served
    for name in WHOLE:
        if name != WHOLE[0]:
            replay.next(name)
        printed = cli(recordings, name)

        def printed_by(label: str, values: dict[int, dict[str, int]] = printed) -> dict[int, str]:
            return {1000 + index: str(values[index].get(label, 0)) for index in NAMES}

        octets = printed_by("rx bytes")

        def are_served(octets: dict[int, str] = octets) -> bool:
            return snmpd.column(oids.HC_IN) == octets

        until(f"the octets of {name}", are_served)
        assert snmpd.column(oids.HC_OUT) == printed_by("tx bytes")
        assert snmpd.column(oids.IF_IN) == printed_by("rx bytes")
        assert snmpd.column(f"{oids.IF_TABLE}.15") == printed_by("punt")
        for direction, columns in (("rx", (7, 8, 9)), ("tx", (11, 12, 13))):
            kinds = [snmpd.column(f"{oids.IF_X_TABLE}.{column}") for column in columns]
            total = printed_by(f"{direction} packets")
            assert {index: str(sum(int(kind[index]) for kind in kinds)) for index in total} == total


@pytest.mark.system
def test_interfaces_are_stacked_as_the_router_is_configured(served: tuple[Replay, Snmpd]) -> None:
    _, snmpd = served
    column = oids.STACK
    pairs = [tuple(map(int, name.split(".")[-2:])) for name in snmpd.walk(column)]
    stacked = sorted((NAMES[a - 1000], NAMES[b - 1000]) for a, b in pairs if a and b)
    bond = [("bond0", f"TenGigabitEthernet1/0/{port}") for port in (0, 1)]
    assert [pair for pair in stacked if pair[0] == "bond0"] == bond
    assert ("loop1", "TenGigabitEthernet1/0/2.700") in stacked  # a BVI over its bridge domain
    subs = {name for index, name in NAMES.items() if "." in name}
    assert subs == {above for above, below in stacked} - {"bond0", "loop1"}
    assert ("enp1s0f3.501", "enp1s0f3") in stacked


@pytest.mark.system
def test_what_lacp_said_of_a_bond_without_partner(served: tuple[Replay, Snmpd]) -> None:
    _, snmpd = served
    lag = "1.2.840.10006.300.43.1"
    assert snmpd.column(f"{lag}.1.1.1.4") == {1007: "64 9D 99 B1 31 AF"}
    assert snmpd.column(f"{lag}.1.1.1.8") == {1007: "00 00 00 00 00 00"}
    assert snmpd.column(f"{lag}.2.1.1.12") == {1003: "1007", 1004: "1007"}
    assert snmpd.column(f"{lag}.2.1.1.13") == {1003: "0", 1004: "0"}
    # activity, timeout, aggregation, defaulted
    states = snmpd.column(f"{lag}.2.1.1.21")
    assert {at: state.strip() for at, state in states.items()} == {1003: "E2", 1004: "E2"}


@pytest.mark.system
def test_every_address_is_on_the_port_that_it_was_given_to(
    recordings: Path, served: tuple[Replay, Snmpd]
) -> None:
    """Those of TAPs and of local0 apart, of which there are none."""
    _, snmpd = served
    said = json.loads((recordings / "api-decoded.json").read_text())
    names = {each["sw_if_index"]: each["interface_name"] for each in said["sw_interface_dump"]}
    expected: dict[str, str] = {}
    for what, addresses in said["ip_address_dump"].items():
        interface = what.rpartition("/")[0]
        (index,) = (index for index, name in names.items() if name == interface)
        expected |= {str(ip_interface(each).ip): NAMES[index] for each in addresses}
    column = f"{oids.IP}.34.1.3"

    def all_are_there() -> bool:
        return len(snmpd.walk(column)) == len(expected)

    until("the addresses are served", all_are_there)
    found = {}
    for name, value in snmpd.walk(column).items():
        _, _, *octets = map(int, name.removeprefix(f"{column}.").split("."))
        found[str(ip_address(bytes(octets)))] = NAMES[int(value.split()[-1]) - 1000]
    assert found == expected
    assert found["192.0.2.1"] == "loop0"
    assert found["203.0.113.2"] == "bond0.105"
    assert found["2001:db8:501::1"] == "enp1s0f3.501"
    table = snmpd.walk(f"{oids.IP}.20.1.2")
    assert table[f"{oids.IP}.20.1.2.203.0.113.2"] == "INTEGER: 1016"


@pytest.mark.system
def test_packets_of_either_family_are_the_clis(
    recordings: Path, served: tuple[Replay, Snmpd]
) -> None:
    _, snmpd = served
    printed = cli(recordings, WHOLE[0])
    for version, source in ((1, "ip4"), (2, "ip6")):
        sums = snmpd.column(f"{oids.IP}.31.3.1.4.{version}")
        assert sums == {1000 + index: str(printed[index].get(source, 0)) for index in NAMES}


@pytest.mark.system
def test_packets_of_all_interfaces_are_the_clis(
    recordings: Path, served: tuple[Replay, Snmpd]
) -> None:
    """The TAPs and local0 included."""
    _, snmpd = served
    printed = cli(recordings, WHOLE[0]).values()
    for version, source in ((1, "ip4"), (2, "ip6")):
        expected = str(sum(each.get(source, 0) for each in printed))
        assert snmpd.column(f"{oids.IP}.31.1.1.3")[version] == expected
        assert snmpd.column(f"{oids.IP}.31.1.1.4")[version] == expected
    assert snmpd.walk(f"{oids.IP}.1") == {f"{oids.IP}.1.0": "INTEGER: 1"}


@pytest.mark.system
def test_kinds_and_states_are_what_the_recorded_api_said(served: tuple[Replay, Snmpd]) -> None:
    _, snmpd = served
    status = snmpd.column(oids.OPER_STATUS)
    assert {index for index, value in status.items() if value == "2"} == {1002, 1019, 1022}
    # The bond has no active member, and its sub-interfaces are over it.
    bond = {1007, *range(1014, 1019)}
    assert {index for index, value in status.items() if value == "7"} == bond
    types = snmpd.column(oids.IF_TYPE)
    expected = {1007: "161", 1008: "135", 1020: "24", 1022: "53", 1023: "131", 1024: "131"}
    assert {index: types[index] for index in expected} == expected
    mtus = snmpd.column(oids.IF_MTU)
    assert (mtus[1007], mtus[1014], mtus[1016], mtus[1020]) == ("9000", "9000", "1500", "9216")
    addresses = snmpd.column(oids.IF_PHYS_ADDRESS)
    assert addresses[1007] == addresses[1016] == "64 9D 99 B1 31 AF "
    alias = snmpd.column(oids.IF_ALIAS)
    assert alias[1001] == "uplink-fiberring"
    assert alias[1002] == ""


# --- other routers ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Recorded:
    """What another real VPP said of itself."""

    path: Path
    snapshot: str

    def dump(self, name: str) -> Any:
        return json.loads((self.path / "api-decoded.json").read_text())[name]

    def own_names(self) -> set[str]:
        """VPP's name of every row."""
        by_index = {
            each["sw_if_index"]: each["interface_name"] for each in self.dump("sw_interface_dump")
        }
        return {by_index[index] for index in self.names()}

    def index(self, number: int) -> int:
        """An index of an LCP pair, which 22.02 sends in host byte order (of x86)."""
        if not self.path.name.endswith("22.02"):
            return number
        return int.from_bytes(number.to_bytes(4, "big"), "little")

    def names(self) -> dict[int, str]:
        """ifName by sw_if_index of every row: the host name of its LCP pair, or VPP's own."""
        pairs = self.dump("lcp_itf_pair_get")
        hosts = {self.index(pair["phy_sw_if_index"]): pair["host_if_name"] for pair in pairs}
        taps = {self.index(pair["host_sw_if_index"]) for pair in pairs}
        return {
            index: hosts.get(index, each["interface_name"])
            for each in self.dump("sw_interface_dump")
            if (index := each["sw_if_index"]) not in taps and each["interface_name"] != "local0"
        }


ROUTERS = [("vpp-26.06-lcp", "1-lcp"), ("vpp-23.06", "1-traffic"), ("vpp-22.02", "1-traffic")]


@pytest.fixture(params=ROUTERS, ids=lambda p: p[0])
def recorded(request: pytest.FixtureRequest, recordings: Path) -> Recorded:
    name, snapshot = request.param
    return Recorded(recordings.parent / name, snapshot)


@pytest.mark.system
def test_another_real_router_is_served_as_its_own_cli_has_it(
    recorded: Recorded, tmp_path: Path, snmpd: Snmpd
) -> None:
    names = recorded.names()
    printed = cli(recorded.path, recorded.snapshot)
    pairs = recorded.dump("lcp_itf_pair_get")
    # All that the CLI printed, but for local0 and the TAPs, which it printed too.
    assert len(names) == len(printed) - 1 - len(pairs)
    assert {pair["host_if_name"] for pair in pairs} <= set(names.values())
    flags = ["--api-dir", str(recorded.path / "api")]
    with (
        Replay(recorded.path, tmp_path, recorded.snapshot) as replay,
        AgentProcess(tmp_path, replay, snmpd.agentx, *flags),
    ):
        wait_for_rows(snmpd, len(names))
        assert snmpd.column(oids.IF_NAME) == {1000 + n: name for n, name in names.items()}
        for column, label in (("6", "rx bytes"), ("10", "tx bytes")):
            expected = {1000 + n: str(printed[n].get(label, 0)) for n in names}
            assert any(int(value) for value in expected.values())
            assert snmpd.column(f"{oids.IF_X_TABLE}.{column}") == expected
        flags_of = {
            each["sw_if_index"]: each["flags"] for each in recorded.dump("sw_interface_dump")
        }
        admin = {1000 + n: "1" if flags_of[n] & 1 else "2" for n in names}
        assert snmpd.column(oids.ADMIN_STATUS) == admin
        neighbors = sum(len(each) for each in recorded.dump("ip_neighbor_dump").values())
        until(
            "every neighbour",
            lambda: len(snmpd.walk(f"{oids.IP}.35.1.4") if neighbors else ()) == neighbors,
        )
        addresses = {
            text.partition("/")[0]
            for where, texts in recorded.dump("ip_address_dump").items()
            for text in texts
            if where.rpartition("/")[0] in recorded.own_names()
        }
        assert not any(ip_address(each).is_link_local for each in addresses)
        wait_for_entries(snmpd, f"{oids.IP}.34.1.3", len(addresses))


def test_walk_has_lacps_states_as_the_segment_has_them(recordings: Path, tmp_path: Path) -> None:
    """What the API said was recorded at another moment."""
    column = "1.2.840.10006.300.43.1.2.1.1.23"  # dot3adAggPortPartnerOperState
    with Replay(recordings.parent / "vpp-26.06-lcp", tmp_path, "1-lcp") as replay:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "vpp_snmp_agent", "walk", column),
                *("--api-socket", str(replay.api_socket)),
                *("--stats-socket", str(replay.stats_socket)),
                *("--state-dir", str(tmp_path / "state")),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
    assert re.findall(r"Hex-STRING: (\S+)", done.stdout) == ["BC", "BC"]  # 61
