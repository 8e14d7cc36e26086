"""What `show vpp` prints of a VPP that answers, one that hangs, and none."""

import json
import re
import struct
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from simulator import Simulator
from vpp_snmp_agent.mibs import vpp_snmp_agent_mib
from vpp_snmp_agent.operator import show_vpp, snapshot
from vpp_snmp_agent.operator.snapshot import Asked
from vpp_snmp_agent.settings.declarations import Settings
from vpp_snmp_agent.vpp.segment import SegmentUnavailable

from .operators import Printed, Run, cells

MIB_FILE = Path(vpp_snmp_agent_mib.__file__).with_name("VPP-SNMP-AGENT-MIB")
BIGGEST = 1204  # ip4-frag's fragment_sent
COLUMN = 9  # where it is counted

ShowVpp = Callable[[Settings, bool], Printed]


@pytest.fixture
def show_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> ShowVpp:
    """`show vpp`, without the pause between its readings."""
    monkeypatch.setattr(snapshot, "RATE_INTERVAL", 0.0)
    monkeypatch.setattr(snapshot, "ANSWER_TIMEOUT", 5.0)
    return lambda settings, as_json: run(lambda: show_vpp.show_vpp(settings, as_json))


def tables(printed: Printed) -> list[list[list[str]]]:
    """The cells of each table, its heads first; the first table has none."""
    return [cells(part) for part in printed.out.split("\n\n")]


def test_state_threads_memory_buffers_and_errors_are_tables(
    show_it: ShowVpp, settings: Settings, vpp: Simulator
) -> None:
    printed = show_it(settings, False)
    assert (printed.status, printed.err) == (0, "")
    state, threads, heaps, pools, errors = tables(printed)
    assert [line for line in state if line[0] not in ("up time", "punted")] == [
        ["version", "26.06-release"],
        ["pid", str(vpp.pid)],
        ["API", "answering"],
        ["segment", f"live, laid out as in v26.02 and later, epoch {vpp.epoch()}"],
        ["interfaces", "35"],
    ]
    assert threads == [
        ["thread", "name", "CPU", "vectors/call", "loops/s", "input/s"],
        ["0", "vpp_main", "2", "1", "6057", "-"],
        ["1", "vpp_wk_0", "3", "11", "6000001", "-"],
        ["2", "vpp_wk_1", "4", "12", "6000002", "-"],
    ]
    assert heaps[:2] == [["heap", "size", "used", "%"], ["main heap", "1 GiB", "71.7 MiB", "7"]]
    assert pools == [
        ["buffer pool", "buffers", "used", "cached", "available", "%"],
        ["default-numa-0", "16552", "376", "168", "16008", "2"],
    ]
    assert errors[:3] == [
        ["node", "reason", "count", "per second"],
        ["ip4-frag", "fragment_sent", "1204", "0.0"],
        ["ip4-input", "inacl_table_miss", "602", "0.0"],
    ]


def test_the_same_is_one_json_object(show_it: ShowVpp, settings: Settings, vpp: Simulator) -> None:
    printed = show_it(settings, True)
    shown = json.loads(printed.out)
    assert (printed.status, printed.err) == (0, "")
    assert shown["version"] == "26.06-release"
    assert (shown["pid"], shown["interfaces"]) == (vpp.pid, 35)
    assert (shown["apiState"], shown["segmentState"]) == ("answering", "live")
    assert (shown["segmentLayout"], shown["segmentEpoch"]) == ("v26.02 and later", vpp.epoch())
    assert shown["upTime"] < 60
    assert shown["threads"][1] == {
        "index": 1,
        "name": "vpp_wk_0",
        "cpu": 3,
        "vectorsPerCall": 11,
        "loopRate": 6_000_001,
        "inputRate": None,
    }
    heaps = {each["name"]: (each["size"], each["used"]) for each in shown["heaps"]}
    assert heaps == {name: tuple(amount) for name, amount in vpp.heaps().items()}
    assert shown["bufferPools"] == [
        {"name": "default-numa-0", "size": 16552, "used": 376, "cached": 168, "available": 16008}
    ]
    counts = [each["count"] for each in shown["errors"]]
    assert counts == sorted(counts, reverse=True)
    assert shown["errors"][0] == {
        "node": "ip4-frag",
        "reason": "fragment_sent",
        "count": BIGGEST,
        "rate": 0.0,
    }


def test_no_more_errors_are_shown_than_the_biggest(
    show_it: ShowVpp, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(show_vpp, "MAX_ERRORS", 3)
    shown = json.loads(show_it(settings, True).out)["errors"]
    assert [each["count"] for each in shown] == [BIGGEST, 602, 412]


def count_more(vpp: Simulator, count: int) -> None:
    """The main thread has seen so many more of the biggest error."""
    rows = vpp.where("/node/errors")["rows"]
    vpp.corrupt(rows[0] + 8 * COLUMN, struct.pack("=Q", BIGGEST // 3 + count))


def test_a_rate_is_that_of_the_time_between_two_readings(
    show_it: ShowVpp, settings: Settings, vpp: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def count_meanwhile(seconds: float) -> None:
        count_more(vpp, 100)
        time.sleep(seconds)

    monkeypatch.setattr(snapshot, "RATE_INTERVAL", 0.5)
    monkeypatch.setattr(show_vpp, "time", SimpleNamespace(sleep=count_meanwhile))
    error, still, *_ = json.loads(show_it(settings, True).out)["errors"]
    assert error["count"] == BIGGEST + 100
    assert 100 < error["rate"] <= 200
    assert still["rate"] == 0


def test_the_words_of_a_state_are_the_mibs() -> None:
    text = MIB_FILE.read_text()
    for name, words in (
        ("vppApiState", show_vpp._API_STATE),
        ("vppSegmentState", show_vpp._SEGMENT_STATE),
    ):
        syntax = text.partition(f"\n{name} OBJECT-TYPE")[2].partition("}")[0]
        found = {int(number): word for word, number in re.findall(r"(\w+)\((\d)\)", syntax)}
        assert {int(state): word for state, word in words.items()} == found


def test_what_vpp_says_has_no_power_over_the_terminal(show_it: ShowVpp, settings: Settings) -> None:
    shown: dict[str, Any] = json.loads(show_it(settings, True).out)
    shown |= {"version": "\x1b[2J26.06"}
    shown["threads"][0]["name"] = "\x07main"
    lines = list(show_vpp._in_text(shown))
    assert lines[0] == "version     ?[2J26.06"
    assert any("  ?main  " in line for line in lines)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "0.977 KiB"),
        (155_600, "152 KiB"),
        (3 << 29, "1.5 GiB"),
        (5 << 41, "10 TiB"),
    ],
)
def test_octets_have_three_digits(number: int, text: str) -> None:
    assert show_vpp._octets(number) == text


# --- what is unavailable ---------------------------------------------------------------------


def hang(vpp: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "ANSWER_TIMEOUT", 0.7)
    vpp.hang()


def test_of_a_vpp_that_hangs_its_segment_says_the_rest(
    show_it: ShowVpp, settings: Settings, vpp: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    hang(vpp, monkeypatch)
    count_more(vpp, 7)  # its workers go on
    printed = show_it(settings, True)
    shown = json.loads(printed.out)
    assert printed.status == 1
    assert printed.err == (
        f"vpp-snmp-agent: {vpp.api_socket}: no answer from VPP within 0.7 s: it hangs, or is very"
        " busy; restart it if that stays so\n"
    )
    assert (shown["apiState"], shown["pid"], shown["segmentState"]) == ("hung", vpp.pid, "live")
    assert shown["version"] is shown["upTime"] is shown["interfaces"] is None
    assert [each["loopRate"] for each in shown["threads"]] == [6057, 6_000_001, 6_000_002]
    assert {each["name"] for each in shown["heaps"]} == {"main heap", "stat segment"}
    assert shown["bufferPools"][0]["used"] == 376
    assert shown["errors"][0]["count"] == BIGGEST + 7


def test_of_a_vpp_that_hangs_in_its_lock_what_has_one_place_is_shown(
    show_it: ShowVpp, settings: Settings, vpp: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "LOCK_INTERVAL", 0.01)
    vpp.hold_lock()
    hang(vpp, monkeypatch)
    state, *others = tables(show_it(settings, False))
    assert ["API", "hung"] in state
    assert any(line[1].startswith("stuck, ") for line in state)
    assert [table[0][0] for table in others] == ["thread", "heap", "buffer pool"]


def test_who_may_not_see_its_process_reads_that_it_hangs_and_who_may(
    show_it: ShowVpp, settings: Settings, vpp: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(pid: int) -> int:
        assert pid == vpp.pid
        raise SegmentUnavailable(f"only root can read that of process {pid}")

    monkeypatch.setattr(snapshot, "open_segment_of", refuse)
    hang(vpp, monkeypatch)
    printed = show_it(settings, False)
    assert printed.status == 1
    hangs, no_segment = printed.err.splitlines()
    assert " it hangs, " in hangs
    assert no_segment == (
        f"vpp-snmp-agent: no statistics: only root can read that of process {vpp.pid}"
    )
    assert ["API", "hung"] in tables(printed)[0]


@pytest.mark.parametrize("as_json", [False, True])
def test_without_vpp_that_is_one_line(show_it: ShowVpp, gone: Settings, as_json: bool) -> None:
    printed = show_it(gone, as_json)
    assert (printed.status, printed.err) == (
        1,
        f"vpp-snmp-agent: {gone.api_socket}: there is no such socket;"
        " start VPP, with `socksvr { default }` in its startup.conf\n",
    )
    if as_json:
        shown = json.loads(printed.out)
        assert (shown.pop("apiState"), shown.pop("segmentState")) == ("away", "none")
        assert not any(shown.values())
    else:
        assert printed.out == ""


def test_without_a_segment_the_api_says_what_it_can(
    show_it: ShowVpp, settings: Settings, tmp_path: Path
) -> None:
    printed = show_it(replace(settings, stats_socket=f"{tmp_path}/nowhere"), True)
    shown = json.loads(printed.out)
    assert printed.status == 1
    assert printed.err == (
        f"vpp-snmp-agent: no statistics: {tmp_path}/nowhere: there is no such socket;"
        " start VPP, with `statseg { default }` in its startup.conf\n"
    )
    assert (shown["apiState"], shown["segmentState"]) == ("answering", "none")
    assert [each["cpu"] for each in shown["threads"]] == [2, 3, 4]
    assert (shown["upTime"], shown["heaps"], shown["errors"]) == (None, [], [])


def test_who_hangs_in_another_pid_namespace_cannot_be_seen(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "listener_pid", lambda path, timeout: 0)
    why = snapshot.take_segment(settings, Asked())
    assert why == "VPP hangs in another pid namespace, and sends no segment"


def test_who_accepts_nobody_any_more_cannot_be_seen(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: str, timeout: float) -> int:
        raise TimeoutError

    monkeypatch.setattr(snapshot, "listener_pid", refuse)
    why = snapshot.take_segment(settings, Asked())
    assert why == f"{settings.api_socket}: who listens accepts nobody"
