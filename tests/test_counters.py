"""interfaces/counters.py over a segment whose cells a test sets."""

import os
import time
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.segment import SegmentWriter
from vpp_snmp_agent.interfaces import counters as room
from vpp_snmp_agent.interfaces.counters import CounterSet, InterfaceCounters
from vpp_snmp_agent.interfaces.formulas import FORMULAS, READINGS, SOURCES
from vpp_snmp_agent.interfaces.reached import NOTHING_REACHED, Reached
from vpp_snmp_agent.vpp.cells import Counter
from vpp_snmp_agent.vpp.layout import Kind
from vpp_snmp_agent.vpp.mapping import STUCK_TIMEOUT
from vpp_snmp_agent.vpp.segment import Segment

from .cells import (
    COUNTED,
    INDEX,
    NAME,
    VPP,
    Set,
    behind_the_totals,
    fill_with,
    new_writer,
    setter,
    sources_of,
    together,
)


def test_counters_know_whose_they_are(interface_writer: SegmentWriter) -> None:
    sources, other = (
        CounterSet(Segment(interface_writer.fd)),
        CounterSet(Segment(interface_writer.fd)),
    )
    counters, none = InterfaceCounters(sources, INDEX, NAME), InterfaceCounters(None, INDEX, NAME)
    assert (counters.has_source, none.has_source) == (True, False)
    assert counters.are_of(sources, INDEX)
    assert not counters.are_of(sources, INDEX + 1)
    assert not counters.are_of(other, INDEX)
    assert none.are_of(None, INDEX)


def test_plain_counters_start_afresh_after_a_decrease_and_say_so(
    plain: InterfaceCounters, put: Set
) -> None:
    counters = plain
    put("rx", 50, 5000)
    put("tx", 50, 5000)
    assert (counters.in_octets, counters.in_unicast, counters.out_octets) == (5000, 50, 5000)
    put("rx", 2, 200)
    put("tx", 1, 100)
    assert counters.in_octets == 200
    first = counters.discontinuity
    assert first is not None
    assert counters.in_unicast == 2
    assert counters.out_octets == 100
    assert counters.discontinuity == first
    put("rx", 1, 90)
    assert counters.in_octets == 90
    second = counters.discontinuity
    assert second is not None
    assert second > first


def test_a_discontinuity_is_noticed_by_whoever_asks_for_nothing_else(
    counters: InterfaceCounters, put: Set
) -> None:
    put("tx", 50, 5000)
    assert counters.discontinuity is None
    put("tx", 0, 0)
    assert counters.discontinuity is not None


def test_while_the_segment_is_locked_the_last_reading_stands(
    interface_writer: SegmentWriter, counters: InterfaceCounters, put: Set
) -> None:
    put("rx", 50, 5000)
    assert counters.in_octets == 5000
    interface_writer.hold(True)
    put("rx", 60, 6000)
    assert counters.in_octets == 5000
    assert counters.out_octets is None  # never read so far: no such cell
    assert counters.in_unicast is None
    interface_writer.hold(False)
    assert counters.in_octets == 6000
    octets: int | None = counters.out_octets
    assert octets == 0
    assert counters.discontinuity is None


def test_without_a_segment_there_are_no_cells() -> None:
    counters = InterfaceCounters(None, INDEX, NAME, 12.5)
    assert counters.in_octets is None
    assert counters.in_discards is None
    assert counters.discontinuity == 12.5


def test_an_index_that_another_interface_has_by_now_is_not_read(
    interface_writer: SegmentWriter, counters: InterfaceCounters, put: Set
) -> None:
    put("rx", 50, 5000)
    assert counters.in_octets == 5000
    interface_writer.set_name(INDEX, "deleted")  # as from v23.10 on
    put("rx", 0, 0)
    interface_writer.set_name(INDEX, "eno2")
    put("rx", 70, 7000)
    assert counters.in_octets == 5000
    assert counters.in_errors is None  # never read while it was the interface's
    assert counters.discontinuity is None
    interface_writer.set_name(INDEX, NAME)  # deleted in its turn, and the first is made again
    put("rx", 1, 100)
    assert counters.in_octets == 5100
    assert counters.discontinuity is not None


def test_whose_cell_it_is_is_asked_before_it_is_read_and_once_an_epoch(
    interface_writer: SegmentWriter, put: Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    sources = sources_of(interface_writer)
    name_at, read = sources.name_at, Counter.read_settled

    def note_name(sw_if_index: int) -> tuple[int, bytes]:
        asked.append("/if/names")
        return name_at(sw_if_index)

    def note_counter(counter: Counter, epoch: int, sw_if_index: int) -> int | None:
        asked.append(counter._name.decode())
        return read(counter, epoch, sw_if_index)

    sources.name_at = note_name
    counters = InterfaceCounters(sources, INDEX, NAME, key="eno1")
    monkeypatch.setattr(Counter, "read_settled", note_counter)
    put("tx", 30, 3000)
    interface_writer.set_name(INDEX, NAME)  # another epoch
    asked.clear()
    assert (counters.out_octets, counters.in_errors) == (3000, 0)
    assert asked == ["/if/names", "/if/tx", "/if/rx-error"]
    interface_writer.set_name(INDEX, "eno2")
    asked.clear()
    assert counters.out_octets == 3000
    assert asked == ["/if/names"]


def test_an_index_without_a_name_is_not_the_interfaces_any_more(
    interface_writer: SegmentWriter, counters: InterfaceCounters, put: Set
) -> None:
    put("rx", 50, 5000)
    assert counters.in_octets == 5000
    interface_writer.set_name(INDEX, None)  # as v22.02 deletes
    put("rx", 60, 6000)
    assert counters.in_octets == 5000


def test_a_renamed_interface_keeps_the_name_that_it_has_in_the_segment(
    interface_writer: SegmentWriter, put: Set
) -> None:
    put("rx", 50, 5000)
    renamed = InterfaceCounters(CounterSet(Segment(interface_writer.fd)), INDEX, "uplink")
    assert renamed.in_octets == 5000
    interface_writer.set_name(0, "another")  # a new epoch
    put("rx", 60, 6000)
    assert renamed.in_octets == 6000
    interface_writer.set_name(INDEX, "eno2")
    put("rx", 70, 7000)
    assert renamed.in_octets == 6000


def test_a_segment_that_names_nothing_is_read_all_the_same(
    interface_writer: SegmentWriter, put: Set
) -> None:
    interface_writer.set_name(INDEX, None)
    put("rx", 50, 5000)
    unnamed = InterfaceCounters(CounterSet(Segment(interface_writer.fd)), INDEX, NAME)
    assert unnamed.in_octets == 5000


def test_where_unicast_was_never_read_what_is_taken_off_it_does_not_stand_for_it(
    interface_writer: SegmentWriter, counters: InterfaceCounters, put: Set
) -> None:
    fill_with(put, COUNTED)
    assert (counters.in_multicast, counters.in_broadcast) == (31, 7)
    interface_writer.hold(True)
    assert counters.in_unicast is None


def test_what_plain_counters_were_before_a_fall_does_not_stand_after_it(
    interface_writer: SegmentWriter, plain: InterfaceCounters, put: Set
) -> None:
    fill_with(put, COUNTED)
    together(plain)
    put("tx", 401, 144_001)
    assert plain.out_octets == 144_001
    assert (plain.in_multicast, plain.in_broadcast) == (31, 7)
    interface_writer.hold(True)
    assert (plain.in_unicast, plain.in_octets, plain.out_unicast) == (None, None, None)


def test_through_a_stuck_lock_counters_are_read_that_nobody_asked_for_before_it(
    interface_writer: SegmentWriter, put: Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 200.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("the lock is waited for"))
    sources = sources_of(interface_writer)
    counters = InterfaceCounters(sources, INDEX, NAME)
    sources.poll()
    interface_writer.hold(True)
    sources.poll()  # nobody else notices the lock
    now += STUCK_TIMEOUT
    fill_with(put, COUNTED)
    assert (counters.in_octets, counters.out_errors) == (650_011, 97)


def test_while_vpp_changes_its_interfaces_too_fast_the_last_reading_stands(
    interface_writer: SegmentWriter,
    counters: InterfaceCounters,
    put: Set,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put("rx", 50, 5000)
    assert counters.in_octets == 5000
    interface_writer.set_name(INDEX, NAME)  # another epoch, and one more at each reading
    monkeypatch.setattr(Counter, "read_settled", lambda counter, epoch, sw_if_index: None)
    put("rx", 60, 6000)
    assert (counters.in_octets, counters.out_octets) == (5000, None)


# --- many at once ------------------------------------------------------------------------------


def test_readings_are_of_the_moment(counters: InterfaceCounters, put: Set) -> None:
    for octets in (1000, 2000):
        put("rx", 10, octets)
        assert together(counters)["in_octets"] == octets


def test_a_decrease_between_two_readings_is_a_discontinuity(
    counters: InterfaceCounters, put: Set
) -> None:
    put("rx", 10, 1000)
    put("rx-multicast", 4, 400)
    assert together(counters)["in_unicast"] == 6
    assert counters.restarted_at is None
    put("rx", 2, 200)
    put("rx-multicast", 0, 0)
    assert together(counters)["in_unicast"] == 8
    assert counters.restarted_at is not None


def test_plain_readings_are_asked_for_one_by_one_after_a_decrease(
    plain: InterfaceCounters, put: Set
) -> None:
    put("rx", 1003, 1)
    put("rx-multicast", 5, 1)
    assert together(plain)["in_unicast"] == 998
    put("rx", 7, 1)
    put("rx-multicast", 2, 1)
    assert plain.readings() is None
    assert plain.restarted_at is not None
    assert plain.in_unicast == together(plain)["in_unicast"] == 5


def test_a_segment_that_cannot_be_read_leaves_what_the_readings_were(
    counters: InterfaceCounters, interface_writer: SegmentWriter, put: Set
) -> None:
    put("rx", 10, 1000)
    put("tx-multicast", 3, 300)
    together(counters)
    interface_writer.hold(True)
    put("rx", 20, 2000)
    assert counters.readings() is None
    assert (counters.in_octets, counters.out_multicast) == (1000, 3)


def test_an_index_that_is_anothers_has_no_readings(
    counters: InterfaceCounters, interface_writer: SegmentWriter, put: Set
) -> None:
    put("rx", 10, 1000)
    together(counters)
    interface_writer.set_name(INDEX, "another")
    put("rx", 20, 2000)
    assert counters.readings() is None
    assert counters.in_octets == 1000


def test_without_a_segment_there_are_no_readings() -> None:
    assert InterfaceCounters(None, INDEX, NAME).readings() is None


# --- what falls ----------------------------------------------------------------------------------

LATER = {name: tuple(value // 5 for value in values) for name, values in COUNTED.items()}


def values_of(counters: InterfaceCounters) -> dict[str, int]:
    """Every counter, by its property."""
    return {name: getattr(counters, name) for name in FORMULAS}


def test_each_counter_goes_on_from_what_it_had_reached(
    counters: InterfaceCounters, put: Set
) -> None:
    fill_with(put, COUNTED)
    before = values_of(counters)
    assert len(set(before.values())) == len(before)
    fill_with(put, LATER)
    after = values_of(counters)
    assert {name: after[name] - before[name] for name in after} == {
        "in_octets": 130_002, "out_octets": 144_001, "in_unicast": 201 - 6 - 1,
        "out_unicast": 400 - 8 - 2, "in_multicast": 6, "in_broadcast": 1, "out_multicast": 8,
        "out_broadcast": 2, "in_non_unicast": 7, "out_non_unicast": 10, "in_discards": 12 + 14,
        "in_errors": 16, "out_errors": 19, "in_unknown_protos": 25, "in_ip4": 29, "in_ip6": 33,
    }  # fmt: skip
    assert list(counters._set.fallen) == ["eno1"] if counters._set else False


def test_a_source_is_carried_by_its_own_fall_and_none_because_another_fell(
    counters: InterfaceCounters, put: Set
) -> None:
    fill_with(put, COUNTED)
    together(counters)
    for name in COUNTED:  # as a clear does it, and nothing counts meanwhile
        before = together(counters), values_of(counters)
        put(name, *(0 for _ in COUNTED[name]))
        assert (together(counters), values_of(counters)) == before
    put("rx", 3, 300)
    assert (counters.in_unicast, counters.in_octets) == (1009 - 31 - 7 + 3, 650_311)


def test_a_clear_between_the_groups_of_a_reading_of_many_counts_nothing_twice(
    counters: InterfaceCounters, put: Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("rx", 1003, 64_000)
    put("rx-multicast", 5, 320)
    assert together(counters)["in_unicast"] == 998

    def clear() -> None:
        put("rx", 7, 448)
        put("rx-multicast", 2, 128)

    monkeypatch.setattr(room, "MAX_CLEAR_WAITS", 0)
    with behind_the_totals(counters, clear):
        assert together(counters)["in_unicast"] == 998  # packets of before, multicast of after
    assert together(counters)["in_unicast"] == counters.in_unicast == 998 + 5
    assert counters.in_multicast == 5 + 2
    assert counters.in_octets == 64_448


def test_a_counter_that_is_being_zeroed_thread_by_thread_is_not_counted_twice(
    counters: InterfaceCounters,
    interface_writer: SegmentWriter,
    put: Set,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = setter(interface_writer, thread=0)
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        put("tx", 3, 192)  # the other thread's vector is zeroed, and counts again

    put("tx", 400, 25_600)
    other("tx", 600, 38_400)
    assert (counters.out_octets, counters.out_unicast) == (64_000, 1000)
    monkeypatch.setattr(room, "CLEAR_TIME", 0.001)
    monkeypatch.setattr(time, "sleep", sleep)
    other("tx", 2, 128)
    assert counters.out_octets == 64_000 + 128 + 192
    assert counters.out_unicast == 1000 + 5
    # The octets fall on once, and then the packets do not: nobody waits longer than that.
    assert slept == [0.001, 0.001, 0.001]


def test_a_counter_is_waited_for_once_a_second_at_most(
    counters: InterfaceCounters, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    assert counters._set is not None
    assert counters._set.clear_waits([1, 5]) == room.MAX_CLEAR_WAITS
    assert counters._set.clear_waits([1, 5]) == 0
    assert counters._set.clear_waits([1, 6]) == room.MAX_CLEAR_WAITS
    now += room.CLEAR_INTERVAL
    assert counters._set.clear_waits([5]) == room.MAX_CLEAR_WAITS


def test_what_falls_by_one_is_carried(counters: InterfaceCounters, put: Set) -> None:
    put("rx-error", 83)
    assert counters.in_errors == 83
    put("rx-error", 82)
    assert counters.in_errors == 83 + 82
    assert counters.restarted_at is not None


def test_what_falls_by_half_of_64_bits_has_not_wrapped(
    counters: InterfaceCounters, put: Set
) -> None:
    put("rx", 2**63 + 7, 2**63 + 520)
    assert counters.in_octets == 2**63 + 520
    put("rx", 7, 520)
    assert counters.in_octets == 2**63 + 1040
    assert counters.restarted_at is not None


def test_at_64_bits_a_counter_goes_on_from_0_and_that_is_no_discontinuity(
    counters: InterfaceCounters, put: Set
) -> None:
    put("rx", 2**64 - 40, 2**64 - 7)
    assert counters.in_octets == together(counters)["in_octets"] == 2**64 - 7
    put("rx", 2, 13)
    assert (counters.in_octets, counters.in_unicast) == (13, 2)
    assert together(counters)["in_octets"] == 13
    assert counters.restarted_at is None


def test_a_base_and_what_is_counted_wrap_at_64_bits_too(
    interface_writer: SegmentWriter, put: Set
) -> None:
    served = NOTHING_REACHED.served[:]
    served[0], served[1] = 2**64 - 3, 2**64 - 5
    reached = Reached(VPP + INDEX + 1, served, NOTHING_REACHED.bases)
    one_by_one, at_once = (
        InterfaceCounters(sources_of(interface_writer), INDEX, NAME, reached=reached)
        for _ in range(2)
    )
    for packets, octets in ((1, 2), (10, 20), (30, 45)):
        put("rx", packets, octets)
        expected = (packets - 3) % 2**64, (octets - 5) % 2**64
        assert (one_by_one.in_unicast, one_by_one.in_octets) == expected
        found = together(at_once)
        assert (found["in_unicast"], found["in_octets"]) == expected
    interface_writer.hold(True)
    assert (at_once.in_unicast, at_once.in_octets) == expected
    assert one_by_one.restarted_at is at_once.restarted_at is None


def test_each_discontinuity_is_reported_and_not_the_first_alone(
    counters: InterfaceCounters, put: Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    put("rx", 50, 5000)
    assert counters.discontinuity is None
    for now, octets in ((103.0, 700), (107.0, 600)):
        put("rx", 3, octets)
        assert counters.discontinuity == now
    now = 109.0
    put("rx", 2, 500)
    together(counters)
    assert counters.restarted_at == 109.0


# --- histories -----------------------------------------------------------------------------------

NAMES = [name.removeprefix("/if/") for name, _, offset in SOURCES if not offset]
OCTETS = 97  # of each packet
MOVES = st.one_of(
    st.tuples(st.just("count"), st.sampled_from(NAMES), st.integers(1, 5000)),
    st.tuples(st.just("zero"), st.sampled_from(NAMES), st.just(0)),
    st.tuples(st.just("clear"), st.just(""), st.just(0)),
    st.tuples(st.just("restart"), st.just(""), st.just(0)),
    st.tuples(st.just("agent"), st.just(""), st.just(0)),
    st.tuples(st.just("lock"), st.just(""), st.just(0)),
)


@dataclass
class History:
    """A VPP, and counters that are read in both ways, each of their own."""

    interface_writer: SegmentWriter = field(default_factory=new_writer)
    vpp: int = VPP
    now: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NAMES, 0))
    ever: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NAMES, 0))

    def __post_init__(self) -> None:
        self.each = [
            InterfaceCounters(sources_of(self.interface_writer), INDEX, NAME) for _ in range(2)
        ]

    def move(self, kind: str, name: str, amount: int) -> None:
        if kind == "count":
            self.put(name, self.now[name] + amount)
            self.ever[name] += amount
        elif kind == "zero":
            self.put(name, 0)
        elif kind == "clear":
            for each in NAMES:
                self.put(each, 0)
        elif kind == "lock":
            self.interface_writer.hold(True)
            self.read()
            self.interface_writer.hold(False)
        else:
            reached = [each.reached() for each in self.each]
            if kind == "restart":
                os.close(self.interface_writer.fd)
                self.interface_writer, self.vpp = new_writer(), self.vpp + 10_000
                self.now = dict.fromkeys(NAMES, 0)
            sources = [sources_of(self.interface_writer, self.vpp) for _ in reached]
            self.each = [
                InterfaceCounters(source, INDEX, NAME, reached=last)
                for source, last in zip(sources, reached, strict=True)
            ]

    def put(self, name: str, value: int) -> None:
        self.now[name] = value
        pair = (value, OCTETS * value) if name.startswith(("rx", "tx")) else (value,)
        put = setter(self.interface_writer)
        put(name, *(pair if f"/if/{name}" in COMBINED else pair[:1]))

    def read(self) -> tuple[dict[str, int], dict[str, int]]:
        one_by_one, at_once = self.each
        first = {name: getattr(one_by_one, name) for name in READINGS}
        readings = at_once.readings()
        if readings is None:
            return first, {name: getattr(at_once, name) for name in READINGS}
        return first, dict(zip(READINGS, readings, strict=True))


COMBINED = {name for name, kind, _ in SOURCES if kind is Kind.COMBINED}


@pytest.mark.slow
@settings(deadline=None, max_examples=150)
@given(st.lists(MOVES, max_size=40))
def test_both_ways_of_reading_say_the_same_and_neither_ever_falls(
    moves: list[tuple[str, str, int]],
) -> None:
    history = History()
    before = dict.fromkeys(READINGS, 0)
    for move in moves:
        history.move(*move)
        one_by_one, at_once = history.read()
        assert one_by_one == at_once
        assert all(one_by_one[name] >= before[name] for name in READINGS)
        before = one_by_one
        ever = history.ever  # read after each move, nothing was missed
        assert one_by_one["in_octets"] == OCTETS * ever["rx"]
        assert one_by_one["out_multicast"] == ever["tx-multicast"]
        assert one_by_one["in_discards"] == ever["rx-miss"] + ever["rx-no-buf"]
        assert one_by_one["in_errors"] == ever["rx-error"]
    os.close(history.interface_writer.fd)
