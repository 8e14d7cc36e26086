"""interfaces/counters.py over a segment whose cells a test sets."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.segment import Segment as Writer
from vpp_snmp_agent.interfaces import counters as room
from vpp_snmp_agent.interfaces.counters import (
    ENDED,
    NOTHING_REACHED,
    READINGS,
    UNKNOWN,
    CounterSet,
    InterfaceCounters,
    Reached,
    vpp_of,
)
from vpp_snmp_agent.vpp.layout import Generation, Kind
from vpp_snmp_agent.vpp.segment import Segment, SegmentUnavailable

Set = Callable[..., None]
INDEX, NAME = 4, "eno1"
VPP, OTHER_VPP = 71_000_000, 83_000_000


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clear takes VPP no time, but where a test says that it does."""
    monkeypatch.setattr(room, "CLEAR_TIME", 0.0)


def new_writer() -> Writer:
    made = Writer(1 << 20, Generation.V26_02)
    made.add_names("/if/names")
    made.set_name(INDEX, NAME)
    for name, kind, _ in dict.fromkeys((name, kind, 0) for name, kind, _ in room._SOURCES):
        made.add_counter(name, kind, 2, INDEX + 1)
    return made


@pytest.fixture
def writer() -> Iterator[Writer]:
    made = new_writer()
    yield made
    os.close(made.fd)


def setter(writer: Writer, thread: int = 1) -> Set:
    """What sets the cells of one thread: packets and octets, or what there is to count."""

    def put(name: str, *values: int) -> None:
        row = writer.counters[f"/if/{name}"].rows[thread]
        assert row is not None
        for offset, value in enumerate(values):
            writer.words[row.offset // 8 + INDEX * len(values) + offset] = value

    return put


@pytest.fixture
def put(writer: Writer) -> Set:
    return setter(writer)


def sources_of(writer: Writer, vpp: int = VPP) -> CounterSet:
    sources = CounterSet(Segment(writer.fd))
    sources.vpp = vpp
    return sources


@pytest.fixture
def counters(writer: Writer) -> InterfaceCounters:
    return InterfaceCounters(sources_of(writer), INDEX, NAME, key="eno1")


@pytest.fixture
def plain(writer: Writer) -> InterfaceCounters:
    return InterfaceCounters(sources_of(writer), INDEX, NAME, carries=False)


def test_each_object_has_its_source(counters: InterfaceCounters, put: Set) -> None:
    put("rx", 1000, 900_000)
    put("tx", 2000, 800_000)
    put("rx-multicast", 30, 3000)
    put("rx-broadcast", 7, 700)
    put("tx-multicast", 40, 4000)
    put("tx-broadcast", 9, 900)
    for name, value in (("punt", 1), ("rx-no-buf", 20), ("rx-miss", 300), ("rx-error", 4000)):
        put(name, value)
    put("tx-error", 50_000)
    assert (counters.in_octets, counters.out_octets) == (900_000, 800_000)
    assert (counters.in_unicast, counters.out_unicast) == (963, 1951)
    assert (counters.in_multicast, counters.in_broadcast) == (30, 7)
    assert (counters.out_multicast, counters.out_broadcast) == (40, 9)
    assert (counters.in_non_unicast, counters.out_non_unicast) == (37, 49)
    assert counters.in_discards == 320
    assert (counters.in_errors, counters.out_errors) == (4000, 50_000)
    assert counters.in_unknown_protos == 1
    assert counters.discontinuity is None


def test_what_vpp_drops_is_discarded_only_if_the_operator_wants_it(
    writer: Writer, put: Set
) -> None:
    sources = CounterSet(Segment(writer.fd))
    counters = InterfaceCounters(sources, INDEX, NAME)
    for name, value in (("rx-no-buf", 20), ("rx-miss", 300), ("drops", 1000)):
        put(name, value)
    assert counters.in_discards == 320
    sources.counts_drops = True
    assert counters.in_discards == 1320
    assert together(counters)["in_discards"] == 1320


def test_counters_know_whose_they_are(writer: Writer) -> None:
    sources, other = CounterSet(Segment(writer.fd)), CounterSet(Segment(writer.fd))
    counters, none = InterfaceCounters(sources, INDEX, NAME), InterfaceCounters(None, INDEX, NAME)
    assert (counters.has_source, none.has_source) == (True, False)
    assert counters.are_of(sources, INDEX)
    assert not counters.are_of(sources, INDEX + 1)
    assert not counters.are_of(other, INDEX)
    assert none.are_of(None, INDEX)


def test_unicast_never_goes_below_zero_nor_backwards(counters: InterfaceCounters, put: Set) -> None:
    put("rx", 5, 500)
    put("rx-multicast", 6, 600)
    assert counters.in_unicast == 0
    put("rx", 20, 2000)
    assert counters.in_unicast == 14
    put("rx-broadcast", 3, 300)  # seen before the packets that it is part of
    assert counters.in_unicast == 14
    put("rx", 25, 2500)
    assert counters.in_unicast == 16


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
    writer: Writer, counters: InterfaceCounters, put: Set
) -> None:
    put("rx", 50, 5000)
    assert counters.in_octets == 5000
    writer.hold(True)
    put("rx", 60, 6000)
    assert counters.in_octets == 5000
    assert counters.out_octets is None  # never read so far: no such cell
    assert counters.in_unicast is None
    writer.hold(False)
    assert counters.in_octets == 6000
    octets: int | None = counters.out_octets
    assert octets == 0
    assert counters.discontinuity is None


def test_the_total_is_read_before_what_is_taken_off_it(
    counters: InterfaceCounters, put: Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    put("rx", 10, 1000)
    for source in counters._sources:
        monkeypatch.setattr(type(source), "read", _noting(order), raising=True)
    assert counters.in_unicast is None
    assert order == ["/if/rx", "/if/rx-multicast", "/if/rx-broadcast"]


def _noting(order: list[str]) -> Callable[[object, int], int]:
    def read(counter: object, sw_if_index: int) -> int:
        order.append(counter._name.decode())  # type: ignore[attr-defined]
        raise SegmentUnavailable("for the order's sake")

    return read


def test_without_a_segment_there_are_no_cells() -> None:
    counters = InterfaceCounters(None, INDEX, NAME, 12.5)
    assert counters.in_octets is None
    assert counters.in_discards is None
    assert counters.discontinuity == 12.5


def test_all_sources_are_counters_that_every_release_has() -> None:
    simple = {"drops", "punt", "rx-no-buf", "rx-miss", "rx-error", "tx-error", "ip4", "ip6"}
    combined = {f"{way}{cast}" for way in ("rx", "tx") for cast in ("", "-multicast", "-broadcast")}
    assert {name for name, kind, _ in room._SOURCES if kind is Kind.SIMPLE} == {
        f"/if/{name}" for name in simple
    }
    assert {name for name, kind, _ in room._SOURCES if kind is Kind.COMBINED} == {
        f"/if/{name}" for name in combined
    }


def test_an_index_that_another_interface_has_by_now_is_not_read(
    writer: Writer, counters: InterfaceCounters, put: Set
) -> None:
    put("rx", 50, 5000)
    assert counters.in_octets == 5000
    writer.set_name(INDEX, "deleted")  # as from v23.10 on
    put("rx", 0, 0)
    writer.set_name(INDEX, "eno2")
    put("rx", 70, 7000)
    assert counters.in_octets == 5000
    assert counters.in_errors is None  # never read while it was the interface's
    assert counters.discontinuity is None
    writer.set_name(INDEX, NAME)  # deleted in its turn, and the first is made again
    put("rx", 1, 100)
    assert counters.in_octets == 5100
    assert counters.discontinuity is not None


def test_an_index_without_a_name_is_not_the_interfaces_any_more(
    writer: Writer, counters: InterfaceCounters, put: Set
) -> None:
    put("rx", 50, 5000)
    assert counters.in_octets == 5000
    writer.set_name(INDEX, None)  # as v22.02 deletes
    put("rx", 60, 6000)
    assert counters.in_octets == 5000


def test_a_renamed_interface_keeps_the_name_that_it_has_in_the_segment(
    writer: Writer, put: Set
) -> None:
    put("rx", 50, 5000)
    renamed = InterfaceCounters(CounterSet(Segment(writer.fd)), INDEX, "uplink")
    assert renamed.in_octets == 5000
    writer.set_name(0, "another")  # a new epoch
    put("rx", 60, 6000)
    assert renamed.in_octets == 6000
    writer.set_name(INDEX, "eno2")
    put("rx", 70, 7000)
    assert renamed.in_octets == 6000


def test_a_segment_that_names_nothing_is_read_all_the_same(writer: Writer, put: Set) -> None:
    writer.set_name(INDEX, None)
    put("rx", 50, 5000)
    unnamed = InterfaceCounters(CounterSet(Segment(writer.fd)), INDEX, NAME)
    assert unnamed.in_octets == 5000


@pytest.mark.parametrize(("carries", "expected"), [(True, 905), (False, 5)])
def test_unicast_after_a_clear_in_the_middle_of_it_is_not_of_before(
    writer: Writer, put: Set, monkeypatch: pytest.MonkeyPatch, carries: bool, expected: int
) -> None:
    counters = InterfaceCounters(sources_of(writer), INDEX, NAME, carries=carries)
    put("rx", 1000, 1)
    put("rx-multicast", 100, 1)
    assert counters.in_unicast == 900
    cell = counters._cell_of
    reads = iter(range(99))

    def clear_after_the_first(which: int) -> int:
        value = cell(which)
        if next(reads) == 0:
            put("rx", 7, 1)
            put("rx-multicast", 2, 1)
        return value

    monkeypatch.setattr(
        InterfaceCounters, "_cell_of", lambda _, which: clear_after_the_first(which)
    )
    if carries:
        assert counters.in_unicast == 900  # the total is of before: it is not known any better
    assert counters.in_unicast == expected


# --- many at once ------------------------------------------------------------------------------

PROPERTIES = [name for name, each in vars(InterfaceCounters).items() if isinstance(each, property)]


def everything(counters: InterfaceCounters) -> list[object]:
    return [getattr(counters, name) for name in PROPERTIES]


def fill(put: Set, base: int) -> None:
    put("rx", base + 1000, 64 * base)
    put("tx", base + 2000, 65 * base)
    for number, (name, kind, _) in enumerate(room._SOURCES):
        if name not in ("/if/rx", "/if/tx"):
            cell = (base + number, 1) if kind is Kind.COMBINED else (base + number,)
            put(name.removeprefix("/if/"), *cell)


def together(counters: InterfaceCounters) -> dict[str, int]:
    readings = counters.readings()
    assert readings is not None
    return dict(zip(READINGS, readings, strict=True))


def test_readings_are_the_same_as_read_one_by_one(writer: Writer, put: Set) -> None:
    sources = CounterSet(Segment(writer.fd)), CounterSet(Segment(writer.fd))
    one_by_one, at_once = (InterfaceCounters(each, INDEX, NAME) for each in sources)
    for base, counts_drops in ((3, False), (5000, True), (5001, False)):
        fill(put, base)
        for each in sources:
            each.counts_drops = counts_drops
        expected = {name: getattr(one_by_one, name) for name in READINGS}
        assert None not in expected.values()
        assert together(at_once) == expected
        assert everything(at_once) == everything(one_by_one)
        assert together(at_once) == expected


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


def test_unicast_never_goes_backwards_in_readings_either(
    counters: InterfaceCounters, put: Set
) -> None:
    put("rx", 10, 1000)
    put("tx", 20, 2000)
    assert together(counters)["in_unicast"] == 10
    assert together(counters)["out_unicast"] == 20
    put("rx-multicast", 4, 400)
    put("tx-broadcast", 4, 400)
    assert together(counters)["in_unicast"] == counters.in_unicast == 10
    assert together(counters)["out_unicast"] == counters.out_unicast == 20
    put("rx", 15, 1500)
    put("tx", 25, 2500)
    assert together(counters)["in_unicast"] == 11
    assert together(counters)["out_unicast"] == 21
    assert counters.restarted_at is None


def test_a_segment_that_cannot_be_read_leaves_what_the_readings_were(
    counters: InterfaceCounters, writer: Writer, put: Set
) -> None:
    put("rx", 10, 1000)
    put("tx-multicast", 3, 300)
    together(counters)
    writer.hold(True)
    put("rx", 20, 2000)
    assert counters.readings() is None
    assert (counters.in_octets, counters.out_multicast) == (1000, 3)


def test_an_index_that_is_anothers_has_no_readings(
    counters: InterfaceCounters, writer: Writer, put: Set
) -> None:
    put("rx", 10, 1000)
    together(counters)
    writer.set_name(INDEX, "another")
    put("rx", 20, 2000)
    assert counters.readings() is None
    assert counters.in_octets == 1000


def test_without_a_segment_there_are_no_readings() -> None:
    assert InterfaceCounters(None, INDEX, NAME).readings() is None


# --- what falls ----------------------------------------------------------------------------------

COUNTED = {  # a prime each, and no two of them, nor of their sums, the same
    "rx": (1009, 650_011), "tx": (2003, 720_007), "rx-multicast": (31, 1511),
    "rx-broadcast": (7, 523), "tx-multicast": (41, 2027), "tx-broadcast": (11, 569),
    "rx-no-buf": (61,), "rx-miss": (73,), "rx-error": (83,), "tx-error": (97,), "drops": (109,),
    "punt": (127,), "ip4": (149,), "ip6": (167,),
}  # fmt: skip
LATER = {name: tuple(value // 5 for value in values) for name, values in COUNTED.items()}


def fill_with(put: Set, counted: dict[str, tuple[int, ...]]) -> None:
    for name, values in counted.items():
        put(name, *values)


def values_of(counters: InterfaceCounters) -> dict[str, int]:
    """Every counter, by its property."""
    return {
        name: getattr(counters, name) for name in PROPERTIES
        if name not in ("has_source", "discontinuity")
    }  # fmt: skip


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
    assert counters._set is not None
    first, *others = counters._set.together._readers
    read_cells = first[0]

    def clear_behind(*args: object) -> tuple[int, ...]:
        found = read_cells(*args)  # type: ignore[arg-type]
        put("rx", 7, 448)
        put("rx-multicast", 2, 128)
        return found

    counters._set.together._readers = [(clear_behind, *first[1:]), *others]
    monkeypatch.setattr(room, "MAX_CLEAR_WAITS", 0)
    assert together(counters)["in_unicast"] == 998  # packets of before, multicast of after
    counters._set.together._readers = [first, *others]
    assert together(counters)["in_unicast"] == counters.in_unicast == 998 + 5
    assert counters.in_multicast == 5 + 2
    assert counters.in_octets == 64_448


def test_what_is_derived_does_not_fall_where_no_source_did(
    counters: InterfaceCounters, put: Set
) -> None:
    put("rx", 1000, 1)
    assert counters.in_unicast == together(counters)["in_unicast"] == 1000
    put("rx", 1001, 1)  # cleared, and 1001 multicast packets since
    put("rx-multicast", 1001, 1)
    assert counters.in_unicast == together(counters)["in_unicast"] == 1000


def test_a_counter_that_is_being_zeroed_thread_by_thread_is_not_counted_twice(
    counters: InterfaceCounters, writer: Writer, put: Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = setter(writer, thread=0)
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
    assert set(slept) == {0.001}
    assert len(slept) <= 2 * room.MAX_CLEAR_WAITS


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


def test_at_64_bits_a_counter_goes_on_from_0_and_that_is_no_discontinuity(
    counters: InterfaceCounters, put: Set
) -> None:
    put("rx", 2**64 - 40, 2**64 - 7)
    assert counters.in_octets == together(counters)["in_octets"] == 2**64 - 7
    put("rx", 2, 13)
    assert (counters.in_octets, counters.in_unicast) == (13, 2)
    assert together(counters)["in_octets"] == 13
    assert counters.restarted_at is None


def test_a_base_and_what_is_counted_wrap_at_64_bits_too(writer: Writer, put: Set) -> None:
    served = NOTHING_REACHED.served[:]
    served[0], served[1] = 2**64 - 3, 2**64 - 5
    reached = Reached(VPP + INDEX + 1, served, NOTHING_REACHED.bases)
    one_by_one, at_once = (
        InterfaceCounters(sources_of(writer), INDEX, NAME, reached=reached) for _ in range(2)
    )
    for packets, octets in ((1, 2), (10, 20), (30, 45)):
        put("rx", packets, octets)
        expected = (packets - 3) % 2**64, (octets - 5) % 2**64
        assert (one_by_one.in_unicast, one_by_one.in_octets) == expected
        found = together(at_once)
        assert (found["in_unicast"], found["in_octets"]) == expected
    assert one_by_one.restarted_at is at_once.restarted_at is None


def test_each_discontinuity_is_told_and_not_the_first_alone(
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


def test_a_reading_of_many_reads_the_total_before_what_is_taken_off_it(
    counters: InterfaceCounters, put: Set
) -> None:
    put("rx", 100, 1)
    put("tx", 200, 1)
    assert together(counters)["in_unicast"] == 100
    assert counters._set is not None
    first, *others = counters._set.together._readers
    read_cells = first[0]

    def count_behind(*args: object) -> tuple[int, ...]:
        found = read_cells(*args)  # type: ignore[arg-type]
        put("rx", 150, 1)
        put("rx-multicast", 11, 1)
        put("tx", 270, 1)
        put("tx-broadcast", 13, 1)
        return found

    counters._set.together._readers = [(count_behind, *first[1:]), *others]
    found = together(counters)  # never above the truth: the packets of before
    assert (found["in_unicast"], found["out_unicast"]) == (100, 200)
    counters._set.together._readers = [first, *others]
    found = together(counters)
    assert (found["in_unicast"], found["out_unicast"]) == (139, 257)


# --- what they go on from ------------------------------------------------------------------------


@pytest.fixture
def restarted() -> Iterator[Writer]:
    """The segment of the VPP after a restart."""
    made = new_writer()
    yield made
    os.close(made.fd)


def test_another_vpp_counts_on_from_the_last_value_of_the_one_before(
    counters: InterfaceCounters, put: Set, restarted: Writer
) -> None:
    fill_with(put, COUNTED)
    together(counters)
    put("rx", 1013, 650_017)  # and nobody asked again before it ended
    sources = sources_of(restarted, OTHER_VPP)
    after = InterfaceCounters(sources, INDEX, NAME, key="eno1", reached=counters.reached())
    assert list(sources.fallen) == ["eno1"]
    assert after.in_octets == 650_017
    assert after.in_unicast == 1013 - 31 - 7
    setter(restarted)("rx", 5000, 700_001)  # more than before: no source fell
    assert (after.in_octets, together(after)["in_octets"]) == (1_350_018, 1_350_018)
    assert after.in_unicast == 6013 - 31 - 7


def test_the_same_vpp_goes_on_with_its_bases(counters: InterfaceCounters, put: Set) -> None:
    put("rx", 50, 5000)
    assert (counters.in_octets, counters.in_unicast) == (5000, 50)
    put("rx", 3, 300)
    assert (counters.in_octets, counters.in_unicast) == (5300, 53)
    put("rx", 4, 400)
    after = InterfaceCounters(counters._set, INDEX, NAME, reached=counters.reached())
    assert (after.in_octets, after.in_unicast) == (5400, 54)
    put("rx", 6, 600)
    assert (after.in_octets, together(after)["in_unicast"]) == (5600, 56)
    put("rx", 1, 100)  # cleared again
    assert (after.in_octets, together(after)["in_unicast"]) == (5700, 57)


def test_a_clear_that_nobody_saw_is_carried_by_who_comes_next(writer: Writer, put: Set) -> None:
    put("rx", 50, 5000)
    before = InterfaceCounters(sources_of(writer), INDEX, NAME).reached()
    put("rx", 3, 300)
    after = InterfaceCounters(sources_of(writer), INDEX, NAME, reached=before)
    assert (after.in_octets, after.in_unicast) == (5300, 53)
    assert after.restarted_at is not None


@pytest.mark.parametrize(("then", "now"), [(UNKNOWN, VPP), (VPP, UNKNOWN), (UNKNOWN, UNKNOWN)])
def test_where_it_is_not_sure_which_vpp_it_was_nothing_is_counted_twice(
    writer: Writer, put: Set, then: int, now: int
) -> None:
    put("rx", 50, 5000)
    reached = InterfaceCounters(sources_of(writer, then), INDEX, NAME).reached()
    assert reached is not None
    assert not reached.is_at(now and now + INDEX)
    put("rx", 60, 6000)
    after = InterfaceCounters(sources_of(writer, now), INDEX, NAME, reached=reached)
    assert (after.in_octets, after.in_unicast) == (6000, 60)
    put("rx", 7, 700)  # whose fall shows that it counts anew
    assert (after.in_octets, after.in_unicast) == (6700, 67)


def test_an_index_that_was_given_away_counts_from_0_when_it_comes_back(
    counters: InterfaceCounters, writer: Writer, put: Set
) -> None:
    put("rx", 50, 5000)
    assert (counters.in_octets, counters.in_unicast) == (5000, 50)
    writer.set_name(INDEX, "deleted")
    reached = counters.reached()
    assert reached is not None
    assert reached.cell == ENDED
    writer.set_name(INDEX, NAME)
    put("rx", 60, 6000)  # more than before: no source fell
    after = InterfaceCounters(counters._set, INDEX, NAME, reached=reached)
    assert (after.in_octets, after.in_unicast) == (11_000, 110)


def test_a_segment_that_cannot_be_read_is_nobody_elses(
    counters: InterfaceCounters, writer: Writer, put: Set
) -> None:
    put("rx", 50, 5000)
    assert counters.in_octets == 5000
    writer.hold(True)
    reached = counters.reached()
    assert reached is not None
    assert reached.cell == VPP + INDEX


def test_until_there_is_a_segment_what_was_read_last_stands(
    counters: InterfaceCounters, writer: Writer, put: Set
) -> None:
    put("rx", 50, 5000)
    reached = counters.reached()
    waiting = InterfaceCounters(None, INDEX, NAME, 12.5, reached=reached)
    assert (waiting.in_octets, waiting.in_unicast, waiting.discontinuity) == (5000, 50, 12.5)
    again = InterfaceCounters(counters._set, INDEX, NAME, reached=waiting.reached())
    put("rx", 51, 5100)
    assert again.in_octets == 5100  # the same VPP: nothing is counted twice


def test_what_was_only_saved_is_not_served_before_a_reading(writer: Writer, put: Set) -> None:
    put("rx", 50, 5000)
    reached = InterfaceCounters(sources_of(writer), INDEX, NAME).reached()
    assert reached is not None
    writer.hold(True)
    after = InterfaceCounters(
        sources_of(writer, OTHER_VPP), INDEX, NAME, reached=reached._replace(read=0)
    )
    assert after.in_octets is None  # what was served since it was saved may be more
    writer.hold(False)
    assert after.in_octets is not None


def test_without_a_reading_nothing_is_reached(writer: Writer) -> None:
    writer.hold(True)
    assert InterfaceCounters(sources_of(writer), INDEX, NAME).reached() is None
    assert InterfaceCounters(None, INDEX, NAME).reached() is None


def test_plain_counters_leave_nothing_to_go_on_from(plain: InterfaceCounters, put: Set) -> None:
    put("rx", 50, 5000)
    assert plain.in_octets == 5000
    assert plain.reached() is None


def test_who_carries_what_was_plain_begins_with_what_vpp_counts(writer: Writer, put: Set) -> None:
    put("rx", 50, 5000)
    after = InterfaceCounters(sources_of(writer), INDEX, NAME, reached=NOTHING_REACHED)
    assert (after.in_octets, after.in_unicast) == (5000, 50)


def test_where_no_base_is_they_take_no_memory(
    counters: InterfaceCounters, put: Set, restarted: Writer
) -> None:
    put("rx", 50, 5000)
    reached = counters.reached()
    assert reached is not None
    assert not reached.bases
    assert InterfaceCounters(counters._set, INDEX, NAME, reached=reached)._base is None
    assert InterfaceCounters(
        sources_of(restarted, OTHER_VPP), INDEX, NAME, reached=reached
    )._base is not None  # fmt: skip


def test_what_did_not_change_is_not_saved_again(counters: InterfaceCounters, put: Set) -> None:
    put("rx", 50, 5000)
    counters.reached()
    assert counters.mark_saved()
    counters.reached()
    assert not counters.mark_saved()
    put("rx", 51, 5000)
    reached = counters.reached()
    assert counters.mark_saved()
    assert not InterfaceCounters(counters._set, INDEX, NAME, reached=reached).mark_saved()


def test_a_vpp_is_told_from_another_by_boot_pid_and_segment(tmp_path: Path) -> None:
    boot, other_boot = tmp_path / "boot", tmp_path / "other"
    boot.write_text("6f1a\n")
    other_boot.write_text("93c2\n")
    vpps = [vpp_of(*each) for each in ((11, 5, boot), (13, 5, boot), (11, 7, boot))]
    vpps.append(vpp_of(11, 5, other_boot))
    assert len({*vpps, UNKNOWN, ENDED}) == 6
    assert vpp_of(11, 5, boot) == vpps[0]
    assert vpp_of(11, 5, tmp_path / "absent") == UNKNOWN
    assert vpp_of(11, 5) > ENDED


# --- histories -----------------------------------------------------------------------------------

NAMES = [name.removeprefix("/if/") for name, _, offset in room._SOURCES if not offset]
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

    writer: Writer = field(default_factory=new_writer)
    vpp: int = VPP
    now: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NAMES, 0))
    ever: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NAMES, 0))

    def __post_init__(self) -> None:
        self.each = [InterfaceCounters(sources_of(self.writer), INDEX, NAME) for _ in range(2)]

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
            self.writer.hold(True)
            self.read()
            self.writer.hold(False)
        else:
            reached = [each.reached() for each in self.each]
            if kind == "restart":
                os.close(self.writer.fd)
                self.writer, self.vpp = new_writer(), self.vpp + 10_000
                self.now = dict.fromkeys(NAMES, 0)
            sources = [sources_of(self.writer, self.vpp) for _ in reached]
            self.each = [
                InterfaceCounters(source, INDEX, NAME, reached=last)
                for source, last in zip(sources, reached, strict=True)
            ]

    def put(self, name: str, value: int) -> None:
        self.now[name] = value
        pair = (value, OCTETS * value) if name.startswith(("rx", "tx")) else (value,)
        put = setter(self.writer)
        put(name, *(pair if f"/if/{name}" in COMBINED else pair[:1]))

    def read(self) -> tuple[dict[str, int], dict[str, int]]:
        one_by_one, at_once = self.each
        first = {name: getattr(one_by_one, name) for name in READINGS}
        readings = at_once.readings()
        if readings is None:
            return first, {name: getattr(at_once, name) for name in READINGS}
        return first, dict(zip(READINGS, readings, strict=True))


COMBINED = {name for name, kind, _ in room._SOURCES if kind is Kind.COMBINED}


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
    os.close(history.writer.fd)
