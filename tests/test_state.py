"""interfaces/state.py: one index for one name for ever, in a file that survives anything."""

import json
import os
import select
import shutil
import threading
import time
from array import array
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.stage import until
from vpp_snmp_agent.interfaces import journal, writer
from vpp_snmp_agent.interfaces import state as room
from vpp_snmp_agent.interfaces.counters import InterfaceCounters
from vpp_snmp_agent.interfaces.facts import Facts
from vpp_snmp_agent.interfaces.formulas import IN_UNICAST, OUT_UNICAST, SOURCES, VALUES
from vpp_snmp_agent.interfaces.journal import contents_of
from vpp_snmp_agent.interfaces.lines import (
    MAX_INDEX,
    SEEN_BITS,
    counters_line,
    decode_facts,
    encode_facts,
    line,
    pack,
)
from vpp_snmp_agent.interfaces.opening import read, read_totals
from vpp_snmp_agent.interfaces.reached import Reached
from vpp_snmp_agent.interfaces.state import FIRST, JOURNAL, OTHERS, Port, State
from vpp_snmp_agent.interfaces.totals import Saved

from .journals import (
    FACTS,
    NOW,
    PLAIN,
    Disk,
    asides,
    assign,
    indexes,
    lines,
    opened,
    pause,
    wait,
    write,
)

pytestmark = pytest.mark.usefixtures("hurried")


@pytest.fixture
def slow_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a first commit the next comes 30 s later, unless it is urgent."""
    monkeypatch.setattr(writer, "COMMIT_INTERVAL", 30.0)
    monkeypatch.setattr(writer, "GATHER_TIME", 0.02)


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
    tmp_path: Path, slow_commits: None
) -> None:
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
            "GigabitEthernet5/0/0": Port(1001, "GigabitEthernet5/0/0", NOW + 60, FACTS),
            "loop0": Port(1002, "loop0", NOW + 60, PLAIN),
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


def test_a_hidden_row_loses_its_facts_and_says_when_it_was_hidden(tmp_path: Path) -> None:
    with opened(tmp_path) as state:
        assign(state, eth0=1)
        state.show("eth0", FACTS)
    with opened(tmp_path, NOW + 3600) as state:
        state.hide("eth0")
        assert list(state.ports()) == [Port(1001, "eth0", NOW + 3600, None)]
        assert not list(state.shown())
    assert read(str(tmp_path)) == [Port(1001, "eth0", NOW + 3600, None)]


def test_a_row_that_is_hidden_already_keeps_the_time_at_which_it_was_hidden(tmp_path: Path) -> None:
    with opened(tmp_path) as state:
        assign(state, eth0=1)
    with opened(tmp_path, NOW + 3600) as state:
        state.hide("eth0")
        state.hide("nobody")
    assert read(str(tmp_path)) == [Port(1001, "eth0", NOW, None)]


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


def test_a_save_is_queued_a_slice_at_a_time(
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
    assert (
        caplog.text.count("interfaces whose last row is not valid: 2, the first of them eth0") == 1
    )
    assert not asides(tmp_path)


# --- counters -------------------------------------------------------------------------------------


def counters_at(*served: int, cell: int = 71_000_004, bases: tuple[int, ...] = ()) -> Reached:
    """What counters had come to; what is not said is 0."""
    values = array("Q", [*served, *[0] * (VALUES - len(served))])
    values[IN_UNICAST], values[OUT_UNICAST] = values[0], values[2]  # all of them unicast
    carried = array("Q", [*bases, *[0] * (len(SOURCES) - len(bases))] if bases else [])
    return Reached(cell, values, carried)


RX = counters_at(1009, 650_011, 2003, 720_007, bases=(13, 17_011))
HIGHER = RX._replace(served=array("Q", [*RX.served[:IN_UNICAST], 1013, 2011]))  # unicast packets
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
        file.write(line(record))
    with opened(tmp_path) as state:
        assert state.totals("ip 4") is None
        assert state.totals("ip 6") == Saved(4711, {"a": (5, 0)})


def test_a_base_that_changed_is_durable_within_a_second(tmp_path: Path, slow_commits: None) -> None:
    with opened(tmp_path) as state:
        assign(state, a=1)
        started = time.monotonic()
        state.show("a", FACTS)
        state.read_counters({"a": live(RX)}.get)
        state.save_counters(["a"])
        until("saved", lambda: saved_counters(tmp_path) == {"a": RX})
        assert time.monotonic() - started < 1.0


def test_a_base_of_what_is_no_rows_is_durable_within_a_second_too(
    tmp_path: Path, slow_commits: None
) -> None:
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
        len(counters_line(key, pack(each)))
        for key, each in ((key, value.reached()) for key, value in counters.items())
        if each is not None
    )
    assert octets / 5 < 2**20
    with opened(tmp_path) as state:
        for at in range(journal.SHARDS):  # as if they had all been shown
            state._facts[at].clear()
        for number, key in enumerate(counters):
            at = journal.shard(key)
            state._packed[at][key] = 1 + number << SEEN_BITS
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
    write(tmp_path, [1001, "a", 5, encode_facts(FACTS)], [1002, "b", 7])
    with (tmp_path / JOURNAL).open("ab") as file:
        for _ in range(50):
            file.write(counters_line("a", pack(EVERYTHING)))
        file.write(counters_line("a", pack(RX)))
        file.write(counters_line("b", pack(EVERYTHING)))
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
                    file.write(line([2**30, "torn", 1])[:number][:-1])
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
