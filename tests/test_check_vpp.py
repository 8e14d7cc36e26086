"""What `check` says of VPP: its API, LCP, its segment, its memory."""

import fcntl
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from simulator import Simulator
from vpp_snmp_agent.operator import snapshot
from vpp_snmp_agent.settings.declarations import Settings
from vpp_snmp_agent.vpp import mapping
from vpp_snmp_agent.vpp.layout import VALUE_OFFSET

from .operators import SKIPPED, Check, settings_for


@pytest.mark.parametrize(
    ("release", "generation"), [("22.02", "v22.02"), ("23.06", "v22.06 to v25.10")]
)
def test_the_segments_generation_is_named(
    checked: Check, tmp_path: Path, release: str, generation: str
) -> None:
    with Simulator(tmp_path / "vpp", release=release) as vpp:
        lines = checked(settings_for(vpp, tmp_path))
    assert lines["API socket"][0].startswith(f"ok: {vpp.api_socket}: VPP {release}")
    (line,) = lines["segment"]
    assert line.startswith(f"ok: {vpp.stats_socket}: laid out as in {generation}, epoch ")


def test_a_message_that_fails_is_named_and_the_ports_are_well(
    checked: Check, tmp_path: Path
) -> None:
    with Simulator(tmp_path / "vpp", release="24.02") as vpp:
        path = vpp.api_dir / "plugins" / "lcp.api.json"
        path.write_text(path.read_text().replace("8b5481af", "4711abcd"))
        api = f"ok: {vpp.api_socket}: VPP 24.02-release, pid {vpp.pid}, 35 interfaces"
        lines = checked(settings_for(vpp, tmp_path))
    assert lines["API socket"] == [api]
    assert lines["LCP pairs"] == [
        "FAIL: unavailable: lcp_itf_pair_details: defined as lcp_itf_pair_details_4711abcd,"
        " but VPP has lcp_itf_pair_details_8b5481af;"
        " before 24.06 --api-dir must name the files of this very VPP"
    ]
    assert lines["LCP plugin"] == ["note: skipped: LCP pairs are unavailable"]


def test_a_vpp_that_is_away_fails_once(checked: Check, gone: Settings) -> None:
    lines = checked(gone)
    assert lines["API socket"] == [
        f"FAIL: {gone.api_socket}: there is no such socket;"
        " start VPP, with `socksvr { default }` in its startup.conf"
    ]
    for thing in ("LCP plugin", "segment", "LibreNMS", "speeds", "charset"):
        assert lines[thing] == [SKIPPED]


def test_a_vpp_that_was_killed_fails(checked: Check, settings: Settings, vpp: Simulator) -> None:
    vpp.kill()
    assert checked(settings)["API socket"] == [f"FAIL: {vpp.api_socket}: nobody listens; start VPP"]


def test_a_vpp_that_hangs_fails(
    checked: Check, settings: Settings, vpp: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "ANSWER_TIMEOUT", 0.7)
    vpp.hang()
    assert checked(settings)["API socket"] == [
        f"FAIL: {vpp.api_socket}: no answer from VPP within 0.7 s:"
        " it hangs, or is very busy; restart it if that stays so"
    ]


def test_without_the_lcp_plugin_names_are_vpps(checked: Check, tmp_path: Path) -> None:
    with Simulator(tmp_path / "vpp", without=["lcp"]) as vpp:
        lines = checked(settings_for(vpp, tmp_path))
    assert lines["LCP plugin"] == [
        "note: VPP has no LCP pair (is linux_cp_plugin.so off?): names are VPP's own"
    ]
    assert lines["LibreNMS"][0].startswith("ok: none of ")


def test_a_segment_that_cannot_be_had_fails(
    checked: Check, settings: Settings, tmp_path: Path
) -> None:
    lines = checked(replace(settings, stats_socket=str(tmp_path / "nowhere")))
    assert lines["segment"] == [
        f"FAIL: {tmp_path}/nowhere: there is no such socket; start VPP, with"
        " `statseg { default }` in its startup.conf; without it there are no counters"
    ]
    assert lines["API socket"][0].startswith("ok: ")


def test_a_segment_that_stays_locked_fails(
    checked: Check, settings: Settings, vpp: Simulator
) -> None:
    vpp.hold_lock()
    assert checked(settings)["segment"] == [
        f"FAIL: {vpp.stats_socket}: VPP keeps the segment locked;"
        " without it there are no counters: restart VPP if that stays so"
    ]


def test_a_segment_of_huge_pages_is_noted(
    checked: Check, settings: Settings, vpp: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapping, "_is_sealed", lambda descriptor: False)
    ok, note = checked(settings)["segment"]
    assert ok.startswith(f"ok: {vpp.stats_socket}: laid out as in ")
    assert note.startswith("note: of huge pages (statseg { page-size }), which VPP cannot seal: ")


def test_a_segment_that_could_be_cut_off_fails(
    checked: Check, settings: Settings, vpp: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "F_SEAL_SHRINK", fcntl.F_SEAL_WRITE)  # the simulator's is another
    assert checked(settings)["segment"] == [
        f"FAIL: {vpp.stats_socket}: the segment could be cut off while it is read (no"
        " F_SEAL_SHRINK, no huge pages): what listens there is no VPP; without it there are no"
        " counters"
    ]


# --- its memory --------------------------------------------------------------------------------


def set_value(vpp: Simulator, name: str, value: int) -> None:
    """What VPP says by a gauge."""
    vpp.corrupt(vpp.where(name)["entry"] + VALUE_OFFSET, struct.pack("=Q", value))


def test_heaps_and_buffers_that_are_nearly_used_up_fail(
    checked: Check, settings: Settings, vpp: Simulator
) -> None:
    vpp.add_heap("acl-plugin heap", 64 << 20, 61 << 20)
    vpp.add_heap("ip fib", 40 << 20, 36 << 20)  # 90 %, and not more
    set_value(vpp, "/buffer-pools/default-numa-0/used", 148_100)
    set_value(vpp, "/buffer-pools/default-numa-0/available", 11_900)
    lines = checked(settings)
    assert lines["heaps"] == [
        "FAIL: acl-plugin heap: 95% of 64 MiB is used; VPP ends without memory:"
        " give it more in its startup.conf, and restart it"
    ]
    assert lines["buffers"] == [
        "FAIL: default-numa-0: 148100 of 160168 buffers are used (92%); without any, packets are"
        " dropped on reception: raise `buffers { buffers-per-numa }` in VPP's startup.conf, and"
        " restart it"
    ]


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("main heap", "raise `memory { main-heap-size }` in its startup.conf, and restart it"),
        ("stat segment", "raise `statseg { size }` in its startup.conf, and restart it"),
    ],
)
def test_how_a_heap_is_made_larger_depends_on_which(
    checked: Check, settings: Settings, vpp: Simulator, name: str, advice: str
) -> None:
    vpp.freeze()  # or VPP might write it again
    (row,) = vpp.where(f"/mem/{name}")["rows"]
    vpp.corrupt(row, struct.pack("=QQ", 64 << 20, 63 << 20))
    (line,) = checked(settings)["heaps"]
    assert line == (f"FAIL: {name}: 98% of 64 MiB is used; VPP ends without memory: {advice}")


def test_the_memory_of_a_vpp_that_hangs_is_checked(
    checked: Check, settings: Settings, vpp: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "ANSWER_TIMEOUT", 0.7)
    vpp.hang()
    lines = checked(settings)
    assert lines["heaps"] == ["ok: in use: main heap 7%, stat segment 2%"]
    assert lines["buffers"] == ["ok: in use: default-numa-0 2%"]


def test_without_a_segment_memory_is_skipped(checked: Check, gone: Settings) -> None:
    lines = checked(gone)
    for thing in ("heaps", "buffers"):
        assert lines[thing] == ["note: skipped: VPP's segment says nothing of them"]
