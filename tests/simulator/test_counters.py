"""What stands in the simulator's segment: as vpp_papi reads it, and as real ones were recorded."""

import gzip
import re
from pathlib import Path

import pytest

from simulator import Simulator, Spec, Verbs
from simulator.release import Release
from vpp_snmp_agent.vpp import layout
from vpp_snmp_agent.vpp.layout import Kind

from .judges import RECORDED, entries, needs_recording, segment_of, stats_of


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


@pytest.mark.parametrize(
    ("release", "links"),
    [
        ("24.10", []),
        ("25.02", ["rx_crc_errors", "rx_crc_errors_2", "tx_late_collisions"]),
        ("26.10", ["xstats-rx_crc_errors", "xstats-rx_crc_errors_2", "xstats-tx_late_collisions"]),
    ],
)
def test_what_a_driver_counts_is_linked_as_the_release_does(plane: Verbs, links: list[str]) -> None:
    xstats = (("rx_crc_errors", 5), ("tx_late_collisions", 7), ("rx_crc_errors", 11))
    index = plane.add(Spec("eth/0", xstats=xstats))
    found = sorted(
        name.removeprefix("/interfaces/eth/0/")
        for name in plane.segment._entries
        if name.startswith("/interfaces/eth/0/") and "_" in name
    )
    assert found == sorted(links)
    if links:
        row = plane.segment.counters[f"/if/xstats/{index}"].rows[0]
        assert row is not None
        assert list(plane.segment.words[row.offset // 8 : row.offset // 8 + 3]) == [5, 7, 11]


@pytest.mark.parametrize(
    ("release", "name"), [("22.06", "ip4 ttl <= 1"), ("22.10", "time_expired")]
)
def test_errors_are_called_as_the_release_calls_them(plane: Verbs, release: str, name: str) -> None:
    assert f"/err/ip4-input/{name}" in plane.segment._entries
    has_reassembly = "/err/ip4-full-reassembly/reass_success" in plane.segment._entries
    assert has_reassembly == (release == "22.10")


@pytest.mark.parametrize(
    ("release", "name"), [("22.02", None), ("23.06", "loop0"), ("23.10", "deleted")]
)
def test_a_deleted_name_is_as_the_release_has_it(
    tmp_path: Path, release: str, name: str | None
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
    if name is None:
        assert text == 0
    else:
        (length,) = layout.LENGTH.unpack_from(segment, text - base - layout.LENGTH_BEFORE)
        assert segment[text - base : text - base + length] == name.encode() + b"\0"


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
