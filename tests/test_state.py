"""interfaces/state.py: one index for one name for ever, in a file that survives anything."""

import contextlib
import errno
import json
import multiprocessing
import os
import select
import shutil
import signal
import stat
import subprocess
import threading
import time
import zlib
from array import array
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.stage import until
from vpp_snmp_agent.interfaces import journal, writer
from vpp_snmp_agent.interfaces import state as room
from vpp_snmp_agent.interfaces.counters import DERIVED, SOURCES, InterfaceCounters, Reached
from vpp_snmp_agent.interfaces.facts import Facts
from vpp_snmp_agent.interfaces.journal import (
    MAX_INDEX,
    OLD,
    contents_of,
    decode_facts,
    encode_facts,
)
from vpp_snmp_agent.interfaces.state import (
    FIRST,
    JOURNAL,
    LOCK,
    OTHERS,
    Port,
    State,
    StateError,
    read,
    read_totals,
)
from vpp_snmp_agent.interfaces.totals import Saved
from vpp_snmp_agent.interfaces.writer import NEW

from .journals import (
    FACTS,
    NOW,
    PLAIN,
    ROW,
    ROW_FACTS,
    Disk,
    asides,
    assign,
    indexes,
    lines,
    old,
    opened,
    pause,
    wait,
    write,
)


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause between commits; those who test the pauses set them."""
    monkeypatch.setattr(writer, "COMMIT_INTERVAL", 0.0)
    monkeypatch.setattr(writer, "GATHER_TIME", 0.0)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


@pytest.fixture
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who starts a thousand times does not wait for the disk as often."""
    monkeypatch.setattr(os, "fsync", lambda fd: None)
    monkeypatch.setattr(os, "fdatasync", lambda fd: None)


# --- indexes ------------------------------------------------------------------------------------


def test_a_first_index_is_1000_and_the_sw_if_index(tmp_path: Path) -> None:
    with opened(tmp_path) as state:
        assign(state, eth0=7)
        assert state.index_of("eth0") == FIRST + 7


def test_an_index_is_not_known_before_it_is_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, go = threading.Event(), threading.Event()
    real = os.fdatasync

    def slow(fd: int) -> None:
        reached.set()
        assert go.wait(20)
        real(fd)

    with opened(tmp_path) as state:
        monkeypatch.setattr(os, "fdatasync", slow)
        state.assign("eth0", 7)
        assert reached.wait(20)
        assert state.index_of("eth0") is None
        assert state.committed() == []
        assert state.index_of("eth0") is None
        with pytest.raises(KeyError):
            state.show("eth0", FACTS)
        go.set()
        wait(state, "eth0")
        assert state.index_of("eth0") == 1007
        assert indexes(tmp_path) == {"eth0": 1007}


def test_an_index_stays_with_its_name(tmp_path: Path) -> None:
    with opened(tmp_path) as state:
        assign(state, eth0=7)
        state.assign("eth0", 9)
        assert state.index_of("eth0") == 1007
    with opened(tmp_path) as state:
        state.assign("eth0", 3)
        assert state.index_of("eth0") == 1007
        assert state.committed() == []


def test_to_assign_twice_before_it_is_durable_is_to_assign_once(tmp_path: Path) -> None:
    with opened(tmp_path) as state:
        state.assign("eth0", 7)
        state.assign("eth0", 8)
        assign(state, eth1=9)
    assert indexes(tmp_path) == {"eth0": 1007, "eth1": 1009}
    assert sum(b'"eth0"' in line for line in lines(tmp_path)) == 1


def test_an_index_that_is_taken_is_never_given_to_another_name(tmp_path: Path) -> None:
    with opened(tmp_path) as state:
        assign(state, a=7, b=7, c=7)
    with opened(tmp_path) as state:
        assign(state, d=7)
    assert indexes(tmp_path) == {"a": 1007, "b": OTHERS, "c": OTHERS + 1, "d": OTHERS + 2}


def test_a_very_large_sw_if_index_does_not_collide_with_the_others(tmp_path: Path) -> None:
    with opened(tmp_path) as state:
        assign(state, far=OTHERS - FIRST, a=1, b=1, huge=2**32 - 2, largest=MAX_INDEX - FIRST)
    assert indexes(tmp_path) == {
        "far": OTHERS, "a": 1001, "b": OTHERS + 1, "huge": OTHERS + 2, "largest": MAX_INDEX,
    }  # fmt: skip


def test_where_no_index_is_left_a_name_has_none_and_it_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, {"given": [[1, MAX_INDEX - 1]]})
    with opened(tmp_path) as state:
        assign(state, a=1)
        for key in ("b", "c"):
            state.assign(key, 5)
        assert state.index_of("a") == MAX_INDEX
    assert indexes(tmp_path) == {"a": MAX_INDEX}
    assert caplog.text.count("no ifIndex is left for b") == 1
    assert "left for c" not in caplog.text


def test_commits_are_a_second_apart_and_the_first_after_a_quiet_one_is_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "COMMIT_INTERVAL", 1.0)
    monkeypatch.setattr(writer, "GATHER_TIME", 0.02)
    commits: list[float] = []
    real = os.fdatasync

    def counted(fd: int) -> None:
        commits.append(time.monotonic())
        real(fd)

    with opened(tmp_path) as state:
        monkeypatch.setattr(os, "fdatasync", counted)
        started = time.monotonic()
        state.assign("a", 1)
        state.assign("b", 2)
        wait(state, "a", "b")
        assert time.monotonic() - started < 0.5
        assert len(commits) == 1
        for number in range(30):
            state.assign(f"eth{number}", 100 + number)
        wait(state, *(f"eth{number}" for number in range(30)))
        assert len(commits) == 2
        assert 0.9 < commits[1] - commits[0] < 1.5


def test_of_very_many_names_the_next_does_not_wait_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "COMMIT_INTERVAL", 30.0)
    monkeypatch.setattr(writer, "GATHER_TIME", 0.02)
    with opened(tmp_path) as state:
        for start in (0, 1000, 2000):
            keys = [f"eth{number}" for number in range(start, start + writer.MANY_NAMES)]
            for number, key in enumerate(keys):
                state.assign(key, start + number)
            wait(state, *keys)


def test_of_many_keys_a_call_returns_some_and_is_called_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "COMMITTED_SLICE", 2)
    monkeypatch.setattr(writer, "GATHER_TIME", 0.2)
    with opened(tmp_path) as state:
        for number in range(5):
            state.assign(f"eth{number}", number)
        until("readable", lambda: select.select([state.fileno()], [], [], 1)[0])
        sizes = []
        while select.select([state.fileno()], [], [], 0)[0]:
            sizes.append(len(state.committed()))
        assert sizes == [2, 2, 1]


# --- rows ---------------------------------------------------------------------------------------


def test_a_shown_row_is_restored_with_its_index(tmp_path: Path) -> None:
    with opened(tmp_path) as state:
        assign(state, **{"GigabitEthernet5/0/0": 1, "loop0": 2, "eth9": 3})
        state.show("GigabitEthernet5/0/0", FACTS)
        state.show("loop0", PLAIN)
    with opened(tmp_path, NOW + 60) as state:
        assert {port.key: port for port in state.shown()} == {
            "GigabitEthernet5/0/0": Port(1001, "GigabitEthernet5/0/0", NOW + 60, True, FACTS),
            "loop0": Port(1002, "loop0", NOW + 60, True, PLAIN),
        }
        assert len(list(state.ports())) == 3


def test_a_row_that_is_hidden_and_forgotten_meanwhile_is_not_restored(tmp_path: Path) -> None:
    keys = {f"eth{number}": number for number in range(1000)}
    with opened(tmp_path) as state:
        assign(state, **keys)
        for key in keys:
            state.show(key, PLAIN)
        ports = state.shown()
        first = next(ports)
        for key in keys:
            if key != first.key:
                state.hide(key)
        assert len(state.forget(keys)) == 999
        assert list(ports) == []


def test_a_hidden_row_loses_its_facts_and_says_when_it_went(tmp_path: Path) -> None:
    with opened(tmp_path) as state:
        assign(state, eth0=1)
        state.show("eth0", FACTS)
    with opened(tmp_path, NOW + 3600) as state:
        state.hide("eth0")
        assert list(state.ports()) == [Port(1001, "eth0", NOW + 3600, False, None)]
        assert not list(state.shown())
    assert read(str(tmp_path)) == [Port(1001, "eth0", NOW + 3600, False, None)]


def test_a_row_that_is_hidden_already_keeps_the_time_at_which_it_went(tmp_path: Path) -> None:
    with opened(tmp_path) as state:
        assign(state, eth0=1)
    with opened(tmp_path, NOW + 3600) as state:
        state.hide("eth0")
        state.hide("nobody")
    assert read(str(tmp_path)) == [Port(1001, "eth0", NOW, False, None)]


def test_a_shown_port_was_last_seen_when_its_owner_ended(tmp_path: Path) -> None:
    with opened(tmp_path) as state:
        assign(state, eth0=1)
        state.show("eth0", FACTS)
    with opened(tmp_path, NOW + 7200) as state:
        assign(state, eth1=2)
    assert {port.key: port.last_seen for port in read(str(tmp_path))} == {
        "eth0": NOW + 7200,
        "eth1": NOW + 7200,
    }


def test_a_row_that_did_not_change_is_not_written_again(tmp_path: Path) -> None:
    with opened(tmp_path) as state:
        assign(state, eth0=1)
        state.show("eth0", FACTS)
    before = lines(tmp_path)
    with opened(tmp_path) as state:
        state.show("eth0", replace(FACTS))
    assert [line for line in lines(tmp_path) if line not in before] == []


def test_what_may_be_lost_is_saved_soon_after_a_start_and_then_each_300_s(tmp_path: Path) -> None:
    def saved() -> set[str]:
        return {port.key for port in read(str(tmp_path)) if port.shown}

    with opened(tmp_path) as state:
        assign(state, a=1, b=2)
        state.save_some(50.0)
        state.show("a", FACTS)
        state.save_some(59.0)
        state.save_some(61.0)
        until("a is saved", lambda: saved() == {"a"})
        state.show("b", PLAIN)
        for seconds in (62.0, 200.0, 360.0):
            state.save_some(seconds)
        assign(state, c=3)  # all that was queued before is written now
        assert saved() == {"a"}
        state.save_some(362.0)
        until("b is saved", lambda: saved() == {"a", "b"})


def test_a_save_is_handed_over_a_slice_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "SAVE_SLICE", 10)
    keys = {f"eth{number}": number for number in range(100)}
    with opened(tmp_path) as state:
        assign(state, **keys)
        for number, key in enumerate(keys):
            state.show(key, replace(PLAIN, mtu=1500 + number))
        slices: list[int] = []
        monkeypatch.setattr(state, "_queue", lambda records: slices.append(len(records) - 1))
        for second in range(50):
            state.save_some(20.0 + second)
        assert sum(slices) == 100
        assert max(slices) < 20


@pytest.mark.parametrize(
    ("name", "value"),
    [("name", 1), ("name", None), ("name", "\ud800"), ("alias", "x\udfff"), ("type", "6"),
     ("type", 2**40), ("type", True), ("mtu", -1), ("mtu", 2**31), ("speed", 1.5),
     ("speed", 2**63), ("has_connector", 1), ("phys_address", "zz"),
     ("phys_address", "00" * 21), ("phys_address", 5), ("link_traps", 1), ("duplex", "2"),
     ("lower_layers", "eth0"), ("lower_layers", [1]), ("lower_layers", ["\ud800"]),
     ("addresses", ["c0000201"]), ("addresses", ["c0000201/33"]), ("addresses", ["c00002/24"]),
     ("addresses", ["c0000201/-1"]), ("addresses", {"c0000201/24": 1}), ("addresses", [7])],
)  # fmt: skip
def test_facts_that_could_not_be_served_cost_the_row_and_not_its_index(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, value: object
) -> None:
    facts = json.loads(json.dumps(encode_facts(FACTS)))
    with pytest.raises(ValueError, match=name):
        decode_facts(facts | {name: value})
    write(
        tmp_path,
        [1001, "eth0", 5, facts | {name: value}],
        [1002, "eth1", 6, facts],
        [1003, "eth2", 7, []],
    )
    with opened(tmp_path) as state:
        assert state.index_of("eth0") == 1001
        assert [port.key for port in state.shown()] == ["eth1"]
    assert caplog.text.count("rows of 2 interfaces are not valid, the first of eth0") == 1
    assert not asides(tmp_path)


# --- counters -------------------------------------------------------------------------------------


def counters_at(*served: int, cell: int = 71_000_004, bases: tuple[int, ...] = ()) -> Reached:
    """What counters had come to; what is not said is 0."""
    values = array("Q", [*served, *[0] * (SOURCES + DERIVED - len(served))])
    values[SOURCES], values[SOURCES + 1] = values[0], values[2]  # all of them unicast
    carried = array("Q", [*bases, *[0] * (SOURCES - len(bases))] if bases else [])
    return Reached(cell, values, carried)


RX = counters_at(1009, 650_011, 2003, 720_007, bases=(13, 17_011))
HIGHER = RX._replace(served=array("Q", [*RX.served[:SOURCES], 1013, 2011]))  # unicast packets
EVERYTHING = Reached(
    *(83_000_009, array("Q", range(2**64 - 18, 2**64)), array("Q", range(2**63, 2**63 + 16)))
)


def live(reached: Reached) -> InterfaceCounters:
    """Counters of a shown row that have come to this."""
    return InterfaceCounters(None, 0, "eth0", reached=reached._replace(read=1))


def saved_counters(directory: Path) -> dict[str, Reached | None]:
    return {port.key: port.reached for port in read(str(directory))}


@pytest.mark.parametrize(
    "reached", [RX, HIGHER, EVERYTHING, counters_at(), counters_at(5), counters_at(5, bases=(0, 3))]
)
def test_counters_are_restored_as_they_were_saved(tmp_path: Path, reached: Reached) -> None:
    with opened(tmp_path) as state:
        assign(state, a=1)
        state.show("a", FACTS)
        state.read_counters({"a": live(reached)}.get)
        state.save_counters(["a"])
        until("saved", lambda: saved_counters(tmp_path) == {"a": reached})
    with opened(tmp_path) as state:
        assert state.reached("a") == reached
        assert state.reached("b") is None


def test_numbers_that_are_no_rows_are_restored_as_they_were_saved(tmp_path: Path) -> None:
    first, last = Saved(4711, {"a": (5, 0)}), Saved(4712, {"a": (2**64 + 9, 2**64), "b": (0, 0)})
    with opened(tmp_path) as state:
        assert state.totals("ip 4") is None
        assert state.save_totals("ip 4", first, urgent=False)
        assert state.save_totals("ip 6", Saved(4713, {"c": (6, 1)}), urgent=False)
        assert state.save_totals("ip 4", last, urgent=False)
        until("saved", lambda: read_totals(str(tmp_path)).get("ip 4") == last)
    with opened(tmp_path) as state:
        assert state.totals("ip 4") == last
        assert state.totals("ip 6") == Saved(4713, {"c": (6, 1)})


def test_numbers_that_did_not_change_are_not_written_again(tmp_path: Path) -> None:
    saved = Saved(4711, {"a": (5, 0)})
    with opened(tmp_path) as state:
        for _ in range(3):
            assert state.save_totals("ip 4", saved, urgent=False)
    assert (tmp_path / JOURNAL).read_text().count("totals") == 1


def test_a_compacted_journal_has_the_numbers_that_are_no_rows(tmp_path: Path) -> None:
    saved = Saved(4711, {"a": (5, 3)})
    with opened(tmp_path) as state:
        for number in range(40):
            state.save_totals("ip 4", Saved(4711, {"a": (number, 0)}), urgent=False)
        state.save_totals("ip 4", saved, urgent=False)
    with opened(tmp_path) as state:
        assert state.totals("ip 4") == saved
    assert (tmp_path / JOURNAL).read_text().count("totals") == 1


@pytest.mark.parametrize(
    "record",
    [
        {"totals": ["ip 4", 4711]},
        {"totals": ["ip 4", -1, {}]},
        {"totals": ["ip 4", 4711, {"a": [5]}]},
        {"totals": ["ip 4", 4711, {"a": ["5", 0]}]},
        {"totals": [4, 4711, {}]},
        {"totals": {}},
    ],
)
def test_damaged_numbers_that_are_no_rows_cost_their_line(
    tmp_path: Path, record: dict[str, object]
) -> None:
    with opened(tmp_path) as state:
        state.save_totals("ip 6", Saved(4711, {"a": (5, 0)}), urgent=False)
    with (tmp_path / JOURNAL).open("ab") as file:
        file.write(journal.line(record))
    with opened(tmp_path) as state:
        assert state.totals("ip 4") is None
        assert state.totals("ip 6") == Saved(4711, {"a": (5, 0)})


def test_a_base_that_changed_is_durable_within_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "COMMIT_INTERVAL", 30.0)
    monkeypatch.setattr(writer, "GATHER_TIME", 0.02)
    with opened(tmp_path) as state:
        assign(state, a=1)
        started = time.monotonic()
        state.show("a", FACTS)
        state.read_counters({"a": live(RX)}.get)
        state.save_counters(["a"])
        until("saved", lambda: saved_counters(tmp_path) == {"a": RX})
        assert time.monotonic() - started < 1.0


def test_a_base_of_what_is_no_rows_is_durable_within_a_second_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "COMMIT_INTERVAL", 30.0)
    monkeypatch.setattr(writer, "GATHER_TIME", 0.02)
    with opened(tmp_path) as state:
        assign(state, a=1)
        started = time.monotonic()
        saved, other = Saved(4711, {"a": (5, 3)}), Saved(4711, {"b": (7, 1)})
        state.save_totals("ip 6", other, urgent=False)
        state.save_totals("ip 4", saved, urgent=True)
        until("saved", lambda: read_totals(str(tmp_path)) == {"ip 4": saved, "ip 6": other})
        assert time.monotonic() - started < 1.0


def test_counters_that_take_long_to_read_are_saved_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "COUNTERS_TIME", 0.0)
    with opened(tmp_path) as state:
        assign(state, a=1, b=2)
        state.show("a", FACTS)
        state.show("b", PLAIN)
        state.read_counters({"a": live(RX), "b": live(EVERYTHING)}.get)
        assert state.save_counters(["a", "b"])
        until("a is saved", lambda: saved_counters(tmp_path) == {"a": RX, "b": None})
        assert not state.save_counters([])
        until("b is saved", lambda: saved_counters(tmp_path) == {"a": RX, "b": EVERYTHING})


def test_counters_are_saved_each_300_s_where_they_changed_and_at_the_end(tmp_path: Path) -> None:
    counters = {"a": live(RX), "b": live(EVERYTHING)}
    with opened(tmp_path) as state:
        assign(state, a=1, b=2)
        state.show("a", FACTS)
        state.show("b", PLAIN)
        state.read_counters(counters.get)
        state.save_some(0.0)
        state.save_some(9.9)
        assert saved_counters(tmp_path) == {"a": None, "b": None}
        save(state, 10.0)
        until("saved", lambda: saved_counters(tmp_path) == {"a": RX, "b": EVERYTHING})
        size = (tmp_path / JOURNAL).stat().st_size
        save(state, 320.0)
        counters["a"] = live(counters_at(1013, bases=(13, 17_011)))
        state.save_some(600.0)
        assert (tmp_path / JOURNAL).stat().st_size == size
        save(state, 630.0)
        until("a is saved", lambda: saved_counters(tmp_path)["a"] != RX)
        counters["a"] = live(counters_at(1019, bases=(13, 17_011)))
    assert saved_counters(tmp_path) == {
        "a": counters_at(1019, bases=(13, 17_011)),
        "b": EVERYTHING,
    }
    text = (tmp_path / JOURNAL).read_text()
    assert (text.count('{"counters":["a",'), text.count('{"counters":["b",')) == (3, 1)


def save(state: State, now: float) -> None:
    for _ in range(journal.SHARDS + 1):
        state.save_some(now)


@pytest.mark.slow
def test_ten_thousand_rows_take_a_mebibyte_a_minute_at_most_and_no_call_a_millisecond(
    tmp_path: Path,
) -> None:
    served = 10**12, 10**15, 10**12 + 3, 10**15 + 7, *[0] * 8, 10**9, 10**7, 10**12 + 11, 10**11
    bases = tuple(each - each // 3 for each in served)
    counters = {
        f"TenGigabitEthernet3/0/1.{n}": live(counters_at(n, *served[1:], bases=bases))
        for n in range(10_000)
    }
    octets = sum(
        len(journal.counters_line(key, journal.pack(each)))
        for key, each in ((key, value.reached()) for key, value in counters.items())
        if each is not None
    )
    assert octets / 5 < 2**20
    with opened(tmp_path) as state:
        for at in range(journal.SHARDS):  # as if they had all been shown
            state._facts[at].clear()
        for number, key in enumerate(counters):
            at = journal.shard(key)
            state._packed[at][key] = 1 + number << journal.SEEN_BITS
            state._facts[at][key] = PLAIN
        state.read_counters(counters.get)
        state.save_some(0.0)
        took: list[float] = []
        while state._saving < journal.SHARDS or not took:
            begun = time.thread_time()
            state.save_some(10.0)
            took.append(time.thread_time() - begun)
        assert sorted(took)[len(took) // 2] < 0.001
        assert len(took) > 100


def test_the_counters_of_a_name_that_goes_wait_for_it(tmp_path: Path) -> None:
    with opened(tmp_path) as state:
        assign(state, a=1)
        state.show("a", FACTS)
        state.keep("a", RX)
        state.hide("a")
        assert state.reached("a") == RX
        until("saved", lambda: saved_counters(tmp_path) == {"a": RX})
    with opened(tmp_path) as state:
        assert state.reached("a") == RX
        state.show("a", PLAIN)
        state.read_counters({"a": live(EVERYTHING)}.get)
        state.save_counters(["a"])
        assert state.reached("a") is None  # its row has them now
    assert saved_counters(tmp_path) == {"a": EVERYTHING}


def test_with_a_name_its_counters_are_forgotten(tmp_path: Path) -> None:
    with opened(tmp_path) as state:
        assign(state, a=1, b=2)
        state.keep("a", RX)
        state.keep("b", EVERYTHING)
        assert state.forget(["a"]) == ["a"]
        assert state.reached("a") is None
        assign(state, a=1)
        assert state.reached("a") is None
    assert saved_counters(tmp_path) == {"a": None, "b": EVERYTHING}


def test_a_compaction_keeps_counters(tmp_path: Path) -> None:
    write(tmp_path, [1001, "a", 5, journal.encode_facts(FACTS)], [1002, "b", 7])
    with (tmp_path / JOURNAL).open("ab") as file:
        for _ in range(50):
            file.write(journal.counters_line("a", journal.pack(EVERYTHING)))
        file.write(journal.counters_line("a", journal.pack(RX)))
        file.write(journal.counters_line("b", journal.pack(EVERYTHING)))
    size = (tmp_path / JOURNAL).stat().st_size
    with opened(tmp_path) as state:
        assert (tmp_path / JOURNAL).stat().st_size < size / 4
        assert (state.reached("a"), state.reached("b")) == (RX, EVERYTHING)
    assert saved_counters(tmp_path) == {"a": RX, "b": EVERYTHING}


@pytest.mark.parametrize(
    "record",
    [
        [], ["a"], [7, 7], ["a", -1], ["a", 2**64], ["a", 1.5], ["a", True], ["a", "7"],
        ["a", None], ["a", *range(36)],
    ],
)  # fmt: skip
def test_counters_that_are_none_are_damage_and_cost_no_name(
    tmp_path: Path, record: list[object]
) -> None:
    write(tmp_path, [1001, "a", 5], {"counters": record})
    with opened(tmp_path) as state:
        assert state.index_of("a") == 1001
        assert state.reached("a") is None
    assert asides(tmp_path)


def test_counters_of_a_name_that_is_lost_are_nobodys(tmp_path: Path) -> None:
    write(tmp_path, [1001, "a", 5], {"counters": ["b", 71_000_004, 13]})
    with opened(tmp_path) as state:
        assert state.reached("b") is None
        assign(state, b=2)
        assert state.reached("b") is None
    assert not asides(tmp_path)


def test_counters_wait_for_a_disk_that_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    with opened(tmp_path) as state:
        assign(state, a=1)
        state.show("a", FACTS)
        state.read_counters({"a": live(RX)}.get)
        disk.full = True
        state.assign("b", 2)
        until("an attempt", lambda: disk.attempts >= 1)
        for _ in range(30):
            state.save_counters(["a"])
        disk.full = False
        wait(state, "b")
        assert saved_counters(tmp_path)["a"] is None
        state.save_some(0.0)
        until("saved", lambda: saved_counters(tmp_path)["a"] == RX)
    assert (tmp_path / JOURNAL).read_text().count('{"counters":["a",') == 1


# --- forgetting ---------------------------------------------------------------------------------


def test_only_what_is_not_shown_is_forgotten_and_its_index_goes_to_nobody(tmp_path: Path) -> None:
    with opened(tmp_path) as state:
        assign(state, a=1, b=2, c=2, d=4)
        state.show("a", FACTS)
        assert state.forget(["a", "b", "c", "nobody"]) == ["b", "c"]
        assert state.index_of("b") is None
        assign(state, e=2)
        assert state.index_of("e") == OTHERS + 1
        assign(state, b=2)  # it is back, as a new name
        assert state.index_of("b") == OTHERS + 2
    for _ in range(3):  # and so after each compaction
        with opened(tmp_path) as state:
            assert {port.key: port.if_index for port in state.ports()} == {
                "a": 1001, "d": 1004, "e": OTHERS + 1, "b": OTHERS + 2,
            }  # fmt: skip
        with (tmp_path / JOURNAL).open("rb") as file:
            contents = contents_of(tmp_path / JOURNAL, file.fileno(), 1 << 20, pause)
        (tmp_path / JOURNAL).write_bytes(b"".join(contents.live_lines(pause)))
    with opened(tmp_path) as state:
        assign(state, f=2)
        assert state.index_of("f") == OTHERS + 3


def test_what_was_hidden_and_then_forgotten_does_not_come_back(tmp_path: Path) -> None:
    with opened(tmp_path) as state:
        assign(state, a=1)
        state.show("a", FACTS)
        state.save_some(1.0)
        state.save_some(20.0)  # the row is on its way
        state.hide("a")
        assert state.forget(["a"]) == ["a"]
    with opened(tmp_path) as state:
        assert not list(state.ports())
    assert not asides(tmp_path)


def test_what_was_counted_of_a_forgotten_port_is_forgotten(tmp_path: Path) -> None:
    gone = ("dot3 eth9/0/a", "errors eth9/0/a-tx", "errors eth9/0/a-output")
    kept = ("dot3 eth9/0/b", "errors ip4-input", "ip 4")
    totals = {
        key: Saved(4711, {"n": (number, number // 2)}) for number, key in enumerate(gone + kept, 7)
    }
    with opened(tmp_path) as state:
        assign(state, **{"eth9/0/a": 1, "eth9/0/b": 2})
        for key, saved in totals.items():
            state.save_totals(key, saved, urgent=False)
        assert state.forget(["eth9/0/a"]) == ["eth9/0/a"]
        for key in gone:  # as whoever counted it still knows it, over another VPP, too
            assert state.save_totals(key, totals[key], urgent=False)
            served = totals[key].served["n"]
            again = Saved(4712, {"n": (served, served)})
            assert state.save_totals(key, again, urgent=True)
    assert read_totals(str(tmp_path)) == {key: totals[key] for key in kept}
    with opened(tmp_path) as state:
        assert [state.totals(key) for key in gone] == [None] * 3


def test_what_is_counted_of_a_port_that_came_back_is_saved(tmp_path: Path) -> None:
    before, after = Saved(4711, {"n": (5, 0)}), Saved(4711, {"n": (6, 0)})
    with opened(tmp_path) as state:
        assign(state, a=1)
        state.save_totals("dot3 a", before, urgent=False)
        state.forget(["a"])
        assign(state, a=1)
        state.save_totals("dot3 a", after, urgent=False)
        state.save_totals("dot3 a", before, urgent=False)
    assert read_totals(str(tmp_path)) == {"dot3 a": before}


def test_to_forget_is_durable(tmp_path: Path) -> None:
    with opened(tmp_path) as state:
        assign(state, a=1, b=2)
        state.forget(["a"])
        until("a is forgotten", lambda: indexes(tmp_path) == {"b": 1002})


# --- kills --------------------------------------------------------------------------------------


def filled(directory: Path) -> None:
    """A small journal with a line of each kind."""
    with opened(directory) as state:
        assign(state, a=1, b=2, c=2)
        state.show("a", FACTS)
        state.show("b", PLAIN)
    with opened(directory, NOW + 9) as state:
        state.hide("b")
        state.forget(["c"])
        assign(state, d=4, e=4)


@pytest.mark.slow
@pytest.mark.usefixtures("unsynced")
def test_cut_at_any_octet_it_renumbers_nothing_that_was_durable(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    filled(whole)
    data = (whole / JOURNAL).read_bytes()
    given: dict[int, str] = {}
    ends = {}  # what is durable when so many octets are
    at, known = 0, dict[str, int]()
    for line in data.splitlines(keepends=True):
        at += len(line)
        record = json.loads(line[9:])
        if isinstance(record, list):
            known[record[1]] = record[0]
            given[record[0]] = record[1]
        elif "forget" in record:
            for key in record["forget"]:
                del known[key]
        ends[at] = dict(known)
    header = len(lines(whole)[0])
    cut = tmp_path / "cut"
    cut.mkdir()
    for size in range(len(data) + 1):
        (cut / JOURNAL).write_bytes(data[:size])
        durable = ends[max((end for end in ends if end <= size), default=header)]
        damaged = size < header - 1  # without its newline the header is read as well
        with opened(cut) as state:
            now = {port.key: port.if_index for port in state.ports()}
            assert now.items() >= durable.items() or size + 1 in ends, size
            assert all(given[index] == key for key, index in now.items()), size
            assign(state, new=2)
            new = state.index_of("new")
            assert new not in {**durable, **now}.values(), size
            if not damaged:
                assert new not in {i for end, m in ends.items() if end <= size for i in m.values()}
        with opened(cut) as state:  # and what is written behind half a line is read
            assert state.index_of("new") == new
        assert bool(asides(cut)) == damaged, size
        for path in cut.iterdir():
            path.unlink()


class Killed(BaseException):
    """The process ended here."""


CALLS = ("fsync", "fdatasync", "rename", "link", "pwrite", "ftruncate", "open", "unlink")


def kills(
    directory: Path, monkeypatch: pytest.MonkeyPatch, act: Callable[[Path], None]
) -> Iterator[Path]:
    """What is left of the directory when `act` is killed before each of its system calls."""
    originals = {name: getattr(os, name) for name in CALLS}
    for number in range(1, 1000):
        work, left = directory.with_name(f"work{number}"), directory.with_name(f"left{number}")
        shutil.copytree(directory, work, symlinks=True)
        seen = [0]

        def dying(
            call: Callable[..., Any], seen: list[int] = seen, work: Path = work, left: Path = left,
            number: int = number,
        ) -> Callable[..., Any]:  # fmt: skip
            def called(*arguments: Any, **more: Any) -> Any:
                seen[0] += 1
                if seen[0] == number:
                    with monkeypatch.context() as patch:
                        for name, original in originals.items():
                            patch.setattr(os, name, original)
                        shutil.copytree(work, left)
                    raise Killed
                return call(*arguments, **more)

            return called

        with monkeypatch.context() as patch:
            for name, original in originals.items():
                patch.setattr(os, name, dying(original))
            with contextlib.suppress(Killed):
                act(work)
        if not left.exists():
            return
        yield left
    raise AssertionError("it never ended")


def start(directory: Path) -> None:
    os.close(room.open_journal(directory, int(NOW), pause).fd)


def test_a_kill_at_any_step_of_a_compaction_leaves_the_old_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    write(home, *([1001, "a", second] for second in range(50)), [1002, "b", 3])
    count = 0
    for left in kills(home, monkeypatch, start):
        count += 1
        assert indexes(left) == {"a": 1001, "b": 1002}
        start(left)
        assert indexes(left) == {"a": 1001, "b": 1002}
        assert len(lines(left)) < 10
        assert not (left / NEW).exists()
        assert not asides(left)
    assert count > 5


def test_a_kill_at_any_step_of_setting_aside_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    write(home, [1001, "a", 1], [1002, "b", 2], [1003, "c", 3])
    data = (home / JOURNAL).read_bytes().replace(b'"b"', b'"x"')
    (home / JOURNAL).write_bytes(data)
    count = 0
    for left in kills(home, monkeypatch, start):
        count += 1
        assert indexes(left) == {"a": 1001, "c": 1003}
        start(left)
        assert indexes(left) == {"a": 1001, "c": 1003}
        assert asides(left)
        assert all(aside.read_bytes() == data for aside in asides(left))
        assert not (left / NEW).exists()
    assert count > 5


def test_a_kill_at_any_step_of_a_first_start_takes_all_over_at_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    old(home, a={"ifIndex": 1007, "row": ROW}, b={"ifIndex": 1001})
    count = 0
    for left in kills(home, monkeypatch, start):
        count += 1
        assert indexes(left) == {"a": 1007, "b": 1001}
        start(left)
        assert indexes(left) == {"a": 1007, "b": 1001}
    assert count > 4


def _assign_for_ever(directory: str, pipe: Any) -> None:
    writer.COMMIT_INTERVAL = writer.GATHER_TIME = 0.0
    state = State.open(directory)
    number = len(list(state.ports()))
    while True:
        number += 1
        state.assign(f"eth{number}", 7)
        select.select([state.fileno()], [], [], 0.001)
        for key in state.committed():
            os.write(pipe, f"{key} {state.index_of(key)}\n".encode())


def test_a_sigkill_at_any_moment_leaves_every_index_that_was_known(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    reported: dict[str, int] = {}
    for seconds in (0.05, 0.11, 0.2):
        reader, end = os.pipe()
        child = context.Process(target=_assign_for_ever, args=(str(tmp_path), end))
        child.start()
        os.close(end)
        assert child.pid
        select.select([reader], [], [], 20)
        limit = time.monotonic() + seconds
        with open(reader, "rb") as file:
            got = b""
            while time.monotonic() < limit:
                got += os.read(file.fileno(), 1 << 16)
            os.kill(child.pid, signal.SIGKILL)
            got += file.read()
        child.join()
        for line in got.decode().splitlines():
            key, index = line.split()
            assert reported.setdefault(key, int(index)) == int(index)
        found = indexes(tmp_path)
        assert found.items() >= reported.items()
        assert len(set(found.values())) == len(found)
    assert len(reported) > 3


# --- damage -------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.usefixtures("unsynced")
def test_a_flipped_bit_costs_at_most_its_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    names = {f"eth{number}": 1000 + number for number in (3, 14, 15)}
    write(whole, *([index, key, 1] for key, index in names.items()))
    data = (whole / JOURNAL).read_bytes()
    flipped = tmp_path / "flipped"
    flipped.mkdir()
    for at in range(len(data)):
        for bit in range(8):
            octets = bytearray(data)
            octets[at] ^= 1 << bit
            (flipped / JOURNAL).write_bytes(octets)
            with contextlib.closing(State.open(str(flipped))) as state:
                found = {port.key: port.if_index for port in state.ports()}
                assert found.items() <= names.items()
                line = data[:at].count(b"\n")
                in_newline = data[at : at + 1] == b"\n"
                assert len(found) == (3 if line == 0 or in_newline else 2), (at, bit)
                for index in names.values():  # whose name was lost, its index is nobody's
                    state.assign(f"new{index}", index - FIRST)
            found = indexes(flipped)
            assert len(found) >= 5
            assert all(found[key] == index for key, index in names.items() if key in found)
            assert not {found[key] for key in found if key.startswith("new")} & {*names.values()}
            (aside,) = asides(flipped)
            assert aside.read_bytes() == octets
            for path in flipped.iterdir():
                path.unlink()
    assert "1 of its 4 lines could not be read" in caplog.text


def test_damage_is_said_with_what_it_cost_and_where_the_file_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, [1001, "a", 1], [1002, "b", 2], [1003, "c", 3])
    journal = tmp_path / JOURNAL
    journal.write_bytes(journal.read_bytes().replace(b'"b"', b'"B"'))
    with opened(tmp_path) as state:
        assert state.index_of("a") == 1001
        assert state.index_of("b") is None
    (aside,) = asides(tmp_path)
    assert "1 of its 4 lines could not be read; 2 names are left" in caplog.text
    assert f"kept as {aside}" in caplog.text
    caplog.clear()
    with opened(tmp_path) as state:
        assert state.index_of("c") == 1003
    assert not caplog.text


@pytest.mark.parametrize(
    "record",
    [[1001, "b", 1], [0, "b", 1], [-1, "b", 1], [2**31, "b", 1], [True, "b", 1], ["2", "b", 1],
     [1002, 3, 1], [1002, "b", -1], [1002, "b", "1"], [1002, "b"], [1002, "b", 1, {}, 1], [], {},
     3, None, "text", {"unknown": 1}, {"given": [[5, 4]]}, {"given": [[0, 4]]}, {"given": [7]},
     {"given": 3}, {"given": [[1, 2, 3]]}, {"forget": "a"}, {"forget": [1]}, {"time": -1},
     {"vpp-snmp-agent": "ports", "version": 1}, {"vpp-snmp-agent": "others", "version": 2}],
)  # fmt: skip
def test_a_line_that_is_none_is_damage_and_the_others_count(tmp_path: Path, record: object) -> None:
    write(tmp_path, [1001, "a", 1], record, [1005, "c", 3])
    with opened(tmp_path):
        assert indexes(tmp_path) == {"a": 1001, "c": 1005}
    assert len(asides(tmp_path)) == 1


@pytest.mark.parametrize("text", ["[" * 50_000, "[1001,", "\x00", '[1001,"b",1]x'])
def test_a_right_checksum_does_not_make_json(tmp_path: Path, text: str) -> None:
    write(tmp_path, [1007, "a", 1])
    with (tmp_path / JOURNAL).open("ab") as file:
        file.write(b"%08x %s\n" % (zlib.crc32(text.encode()), text.encode()))
    with opened(tmp_path) as state:
        assert state.index_of("a") == 1007
    assert len(asides(tmp_path)) == 1


@pytest.mark.parametrize("data", [b"", b"\n", b"rubbish", b"rubbish\n" * 9, bytes(200_000)])
def test_a_file_of_nothing_or_rubbish_is_damage(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, data: bytes
) -> None:
    (tmp_path / JOURNAL).write_bytes(data)
    with opened(tmp_path) as state:
        assign(state, a=7)
        assert state.index_of("a") == 1007
    (aside,) = asides(tmp_path)
    assert aside.read_bytes() == data
    assert "0 names are left" in caplog.text


def test_a_file_without_its_header_is_damage_and_its_names_count(tmp_path: Path) -> None:
    write(tmp_path, [1001, "a", 1], header=False)
    with opened(tmp_path) as state:
        assert state.index_of("a") == 1001
    assert len(asides(tmp_path)) == 1


def test_a_page_of_zeros_costs_the_lines_in_it_and_their_indexes_go_to_nobody(
    tmp_path: Path,
) -> None:
    names = {f"session{number}": OTHERS + number for number in range(400)}
    write(tmp_path, *([index, key, 1] for key, index in names.items()))
    data = bytearray((tmp_path / JOURNAL).read_bytes())
    data[4096:8192] = bytes(4096)
    (tmp_path / JOURNAL).write_bytes(data)
    with opened(tmp_path) as state:
        left = {port.key: port.if_index for port in state.ports()}
        assert left.items() < names.items()
        assert 400 - len(left) < 4096 // 30
        assign(state, new=3)
        assert state.index_of("new") not in names.values()


def test_damage_takes_lost_names_from_010_again(tmp_path: Path) -> None:
    old(tmp_path, a={"ifIndex": 1001}, b={"ifIndex": 1002, "row": ROW}, c={"ifIndex": 1003})
    write(tmp_path, [1001, "a", 1], [1003, "other", 5])
    journal = tmp_path / JOURNAL
    journal.write_bytes(journal.read_bytes() + b"rubbish\n")
    for _ in range(2):
        with opened(tmp_path):
            assert indexes(tmp_path) == {"a": 1001, "b": 1002, "other": 1003}
    assert len(asides(tmp_path)) == 1


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_octets_are_a_journal_or_damage(tmp_path: Path, data: st.DataObject) -> None:
    shutil.rmtree(tmp_path, ignore_errors=True)
    tmp_path.mkdir()
    records = [[1001, "a", 1, encode_facts(FACTS)], [1002, "b", 2], {"given": [[4, 9]]}]
    write(tmp_path, *records, {"forget": ["b"]}, {"time": 8})
    octets = bytearray((tmp_path / JOURNAL).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / JOURNAL).write_bytes(octets[: data.draw(st.integers(0, len(octets)))])
    start(tmp_path)
    for port in read(str(tmp_path)):
        assert (port.if_index, port.key) in {(1001, "a"), (1002, "b")}


# --- what ends a start --------------------------------------------------------------------------


def refused(directory: Path) -> str:
    with pytest.raises(StateError) as caught:
        State.open(str(directory))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_second_owner_is_refused_and_harms_nobody(tmp_path: Path) -> None:
    with opened(tmp_path) as state:
        assign(state, a=1)
        before = (tmp_path / JOURNAL).read_bytes()
        assert refused(tmp_path) == (
            f"{tmp_path}: in use by another vpp-snmp-agent (pid {os.getpid()}): stop it, or set"
            " another state-dir"
        )
        (tmp_path / LOCK).write_bytes(b"\xff")
        assert "another vpp-snmp-agent: stop it" in refused(tmp_path)
        assert (tmp_path / JOURNAL).read_bytes() == before
        assert indexes(tmp_path) == {"a": 1001}  # who only reads is no owner
        assign(state, b=2)
    with opened(tmp_path) as state:
        assert state.index_of("b") == 1002


def test_a_journal_of_a_newer_program_ends_the_start_and_stays(tmp_path: Path) -> None:
    (tmp_path / JOURNAL).write_bytes(
        journal.line({"vpp-snmp-agent": "ports", "version": 3}) + journal.line({"what": "ever"})
    )
    before = (tmp_path / JOURNAL).read_bytes()
    text = f"{tmp_path / JOURNAL}: was written by a newer vpp-snmp-agent"
    assert refused(tmp_path).startswith(text)
    with pytest.raises(StateError, match="install that, or move the file away"):
        read(str(tmp_path))
    assert (tmp_path / JOURNAL).read_bytes() == before
    assert not asides(tmp_path)


@pytest.mark.parametrize("name", [JOURNAL, LOCK, OLD])
def test_no_symbolic_link_is_followed(tmp_path: Path, name: str) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"precious")
    home = tmp_path / "home"
    home.mkdir()
    (home / name).symlink_to(target)
    assert "it is a symbolic link" in refused(home)
    assert str(home / name) in refused(home)
    assert target.read_bytes() == b"precious"
    assert (home / name).is_symlink()
    if name != LOCK:
        with pytest.raises(StateError, match="symbolic link"):
            read(str(home))


def test_a_link_in_the_place_of_the_new_file_is_replaced_and_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"precious")
    home = tmp_path / "home"
    home.mkdir()
    (home / NEW).symlink_to(target)
    with opened(home):
        assert not (home / NEW).is_symlink()
    assert target.read_bytes() == b"precious"


@pytest.mark.parametrize("name", [JOURNAL, LOCK, OLD])
def test_what_is_not_a_file_is_none(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    assert f"{tmp_path / name}: it is not a file: move it away" in refused(tmp_path)


@pytest.mark.parametrize(
    ("number", "advice"),
    [(errno.EIO, "check that disk"), (errno.EACCES, "must belong to the user")],
)
def test_a_journal_that_cannot_be_read_ends_the_start_and_renumbers_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, advice: str
) -> None:
    write(tmp_path, [1007, "a", 1])
    before = (tmp_path / JOURNAL).read_bytes()

    def failing(fd: int, count: int, offset: int) -> bytes:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", failing)
        assert advice in refused(tmp_path)
        with pytest.raises(StateError, match=os.strerror(number)):
            read(str(tmp_path))
    assert (tmp_path / JOURNAL).read_bytes() == before
    with opened(tmp_path) as state:  # the lock is free again
        assert state.index_of("a") == 1007


def test_a_directory_that_cannot_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "Not a directory: set state-dir to a directory" in refused(tmp_path / "file" / "below")
    assert "File exists: set state-dir to a directory" in refused(tmp_path / "file")


def test_a_directory_that_cannot_be_written_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
    assert refused(tmp_path) == (
        f"{tmp_path}: Permission denied: it must belong to the user that runs vpp-snmp-agent"
    )


def test_the_directory_is_made_when_it_is_absent_and_the_files_are_private(tmp_path: Path) -> None:
    home = tmp_path / "some" / "where"
    with opened(home) as state:
        assign(state, a=1)
    assert {path.name for path in home.iterdir()} == {JOURNAL, LOCK}
    assert {stat.S_IMODE(path.stat().st_mode) for path in home.iterdir()} == {0o600}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files for somebody else")
def test_what_root_makes_belongs_to_whom_the_directory_belongs(tmp_path: Path) -> None:
    def owners() -> set[tuple[str, int, int]]:
        found = ((path.name, path.stat()) for path in tmp_path.iterdir())
        return {(name, status.st_uid, status.st_gid) for name, status in found}

    os.chown(tmp_path, 12_345, 23_456)
    with opened(tmp_path) as state:
        assign(state, a=1)
    assert owners() == {(JOURNAL, 12_345, 23_456), (LOCK, 12_345, 23_456)}
    write(tmp_path, *([1001, "a", second] for second in range(50)))
    os.chown(tmp_path / JOURNAL, 34_567, 45_678)
    with opened(tmp_path):  # it is compacted
        assert (JOURNAL, 12_345, 23_456) in owners()
    os.chown(tmp_path / LOCK, 34_567, 45_678)
    with opened(tmp_path):  # what was there stays whose it was
        assert (LOCK, 34_567, 45_678) in owners()


def test_a_file_that_cannot_be_given_away_is_not_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(fd: int, uid: int, gid: int) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "fchown", refusing)
    assert "Operation not permitted: it must belong to the user" in refused(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_who_is_not_root_gives_nothing_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[int] = []
    monkeypatch.setattr(os, "geteuid", lambda: 1017)
    monkeypatch.setattr(os, "fchown", lambda fd, uid, gid: given.append(fd))
    with opened(tmp_path) as state:
        assign(state, a=1)
    assert given == []


@pytest.mark.parametrize("name", [JOURNAL, LOCK])
def test_no_child_that_executes_another_program_keeps_a_file(tmp_path: Path, name: str) -> None:
    with opened(tmp_path) as state:
        assign(state, a=1)
        command = ["ls", "-l", "/proc/self/fd"]
        assert name not in subprocess.run(command, capture_output=True, text=True).stdout
        links = [os.readlink(path) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
        assert str(tmp_path / name) in links


def test_who_only_reads_makes_nothing(tmp_path: Path) -> None:
    assert read(str(tmp_path / "nowhere")) == []
    assert read(str(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []


def test_who_only_reads_leaves_damage_where_it_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, [1007, "a", 1])
    with (tmp_path / JOURNAL).open("ab") as file:
        file.write(b"rubbish\nhalf a li")
    before = (tmp_path / JOURNAL).read_bytes()
    assert indexes(tmp_path) == {"a": 1007}
    assert "1 damaged lines are left out" in caplog.text
    assert (tmp_path / JOURNAL).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [JOURNAL]


# --- 0.1.0 --------------------------------------------------------------------------------------


def test_the_file_of_010_is_taken_over_at_the_first_start_and_left(tmp_path: Path) -> None:
    old(tmp_path, **{"a": {"ifIndex": 100_003, "row": ROW}, "tap of a": {"ifIndex": 1007}})
    before = (tmp_path / OLD).read_bytes()
    assert indexes(tmp_path) == {"a": 100_003, "tap of a": 1007}
    with opened(tmp_path) as state:
        assert indexes(tmp_path) == {"a": 100_003, "tap of a": 1007}  # durable already
        assert sorted(port.key for port in state.ports()) == ["a", "tap of a"]
        assert list(state.shown()) == [Port(100_003, "a", NOW, True, ROW_FACTS)]
        assign(state, b=7)
        assert state.index_of("b") == OTHERS
    assert (tmp_path / OLD).read_bytes() == before
    old(tmp_path, c={"ifIndex": 1})  # it is not looked at again
    with opened(tmp_path) as state:
        assert state.index_of("c") is None
        assert state.index_of("a") == 100_003


def test_what_010_did_not_always_write_may_be_absent(tmp_path: Path) -> None:
    row = {name: value for name, value in ROW.items() if name in list(ROW)[:9]}
    old(tmp_path, a={"ifIndex": 3, "row": row})
    with opened(tmp_path) as state:
        (port,) = state.shown()
        expected = replace(ROW_FACTS, link_traps=False, lower_layers=(), addresses=())
        assert port.facts == expected


def test_a_row_of_010_that_is_damaged_costs_the_row(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    old(tmp_path, a={"ifIndex": 3, "row": ROW | {"mtu": -1}}, b={"ifIndex": 4, "row": []})
    with opened(tmp_path) as state:
        assert not list(state.shown())
        assert state.index_of("a") == 3
    assert caplog.text.count("interfaces.json: the last rows of 2 interfaces are not valid") == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "Expecting value"),
        ("{", "Expecting property name"),
        ("[]", "expected version 1"),
        ('{"version": 2}', "expected version 1"),
        ('{"version": 1}', "expected interfaces by name"),
        ('{"version": 1, "version": 1}', "a name stands twice"),
        ('{"version": 1, "interfaces": {"a": 1}}', "ifIndex of a: "),
        ('{"version": 1, "interfaces": {"a": {"ifIndex": "1"}}}', "ifIndex of a: "),
        ('{"version": 1, "interfaces": {"a": {"ifIndex": true}}}', "ifIndex of a: "),
        ('{"version": 1, "interfaces": {"a": {"ifIndex": 0}}}', "ifIndex of a: "),
        (
            '{"version": 1, "interfaces": {"a": {"ifIndex": 2147483648}}}',
            "ifIndex of a: 2147483648 is not between",
        ),
        (
            '{"version": 1, "interfaces": {"a": {"ifIndex": 1}, "b": {"ifIndex": 1}}}',
            "ifIndex of b: 1 is another's",
        ),
        ("[" * 100_000, "recursion"),
    ],
)
def test_a_damaged_file_of_010_ends_the_start_and_stays(
    tmp_path: Path, text: str, expected: str
) -> None:
    (tmp_path / OLD).write_text(text)
    refusal = refused(tmp_path)
    assert refusal.startswith(f"{tmp_path / OLD} is damaged: ")
    assert expected in refusal
    assert "restore it, or move it away" in refusal
    assert (tmp_path / OLD).read_text() == text
    assert not (tmp_path / JOURNAL).exists()


# --- a start and the disk ------------------------------------------------------------------------


def test_a_first_start_with_a_full_disk_is_refused_and_leaves_no_half_file(
    tmp_path: Path, disk: Disk
) -> None:
    old(tmp_path, a={"ifIndex": 1007})
    disk.full = True
    assert "No space left on device: free some space on that disk" in refused(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {OLD, LOCK}


def test_a_start_that_cannot_compact_goes_on_with_the_file_as_it_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, disk: Disk
) -> None:
    write(tmp_path, *([1001, "a", second] for second in range(50)))
    before = (tmp_path / JOURNAL).read_bytes()
    disk.full = True
    with opened(tmp_path) as state:
        assert state.index_of("a") == 1001
        assert (tmp_path / JOURNAL).read_bytes() == before
        assert not (tmp_path / NEW).exists()
        disk.full = False
    assert "it is not compacted" in caplog.text


def test_a_start_compacts_when_more_than_half_is_dead(tmp_path: Path) -> None:
    write(tmp_path, [1001, "a", 1], [1002, "b", 2], [1001, "a", 3])
    with opened(tmp_path):
        assert len(lines(tmp_path)) == 4
    write(tmp_path, *([1001, "a", second] for second in range(50)), [1002, "b", 2])
    with opened(tmp_path):
        assert len(lines(tmp_path)) == 5
    assert {(port.key, port.last_seen) for port in read(str(tmp_path))} == {("a", 49), ("b", 2)}


def test_patiently_it_reads_the_same(tmp_path: Path) -> None:
    write(tmp_path, *([1000 + number, f"eth{number}", number] for number in range(1, 3000)))
    with contextlib.closing(State.open(str(tmp_path), patiently=True)) as state:
        assert len(list(state.ports())) == 2999


# --- all of it -----------------------------------------------------------------------------------

KEYS = st.sampled_from(["a", "b", "c", "tap of a", "Zürich", "x\ud800"])
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("assign"), KEYS, st.integers(0, 3)),
        st.tuples(st.just("show"), KEYS, st.integers(0, 5)),
        st.tuples(st.just("hide"), KEYS, st.just(0)),
        st.tuples(st.just("forget"), KEYS, st.just(0)),
        st.tuples(st.just("reopen"), st.just(""), st.just(0)),
        st.tuples(st.just("kill"), st.just(""), st.integers(0, 30)),
    ),
    max_size=25,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(actions=ACTIONS)
def test_it_does_what_a_dict_does(tmp_path: Path, actions: list[tuple[str, str, int]]) -> None:
    base = tmp_path / str(time.monotonic_ns())
    homes = (base / str(number) for number in range(100))
    home = next(homes)
    model: dict[str, int] = {}
    shown: dict[str, Facts] = {}
    owners: dict[int, set[str]] = {}
    state = State.open(str(home), clock=lambda: NOW)
    try:
        for action, key, number in actions:
            if action == "assign" and key not in model:
                assign(state, **{key: number})
                index = state.index_of(key)
                assert index is not None
                assert index not in owners  # an index is given once
                owners[index] = {key}
                model[key] = index
            elif action == "show" and key in model:
                shown[key] = replace(PLAIN, mtu=number)
                state.show(key, shown[key])
            elif action == "hide" and key in model:
                state.hide(key)
                shown.pop(key, None)
            elif action == "forget":
                expected = [key] if key in model and key not in shown else []
                assert state.forget([key]) == expected
                for each in expected:
                    del model[each]
                    assign(state, **{f"barrier{len(owners)}": 0})  # makes it durable, too
                    barrier = state.index_of(f"barrier{len(owners)}")
                    assert barrier is not None
                    assert barrier not in owners
                    model[f"barrier{len(owners)}"] = barrier
                    owners[barrier] = set()
            elif action == "reopen":
                state.close()
                state = State.open(str(home), clock=lambda: NOW)
                assert {port.key: port.facts for port in state.shown()} == shown
            elif action == "kill":
                left = next(homes)
                shutil.copytree(home, left)
                with (left / JOURNAL).open("ab") as file:
                    file.write(journal.line([2**30, "torn", 1])[:number][:-1])
                state.close()
                home = left
                state = State.open(str(home), clock=lambda: NOW)
                shown = {port.key: port.facts for port in state.shown() if port.facts}
            found = {port.key: port.if_index for port in state.ports()}
            assert found == model
        assert not asides(home)
    finally:
        state.close()
        shutil.rmtree(base)
