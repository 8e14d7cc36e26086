"""interfaces/formulas.py: what each counter is made of, read alone or with the others."""

from array import array

import pytest

from simulator.segment import SegmentWriter
from vpp_snmp_agent.interfaces.counters import CounterSet, InterfaceCounters
from vpp_snmp_agent.interfaces.formulas import (
    DERIVED,
    DROPS,
    EVALUATE,
    FORMULAS,
    READINGS,
    RX_MISS,
    RX_NO_BUF,
    SOURCES,
    TOGETHER,
    VALUES,
    highest,
)
from vpp_snmp_agent.vpp.cells import Counter
from vpp_snmp_agent.vpp.layout import Kind
from vpp_snmp_agent.vpp.segment import Segment

from .cells import INDEX, NAME, Set, behind_the_totals, sources_of, together


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
    interface_writer: SegmentWriter, put: Set
) -> None:
    sources = CounterSet(Segment(interface_writer.fd))
    counters = InterfaceCounters(sources, INDEX, NAME)
    for name, value in (("rx-no-buf", 20), ("rx-miss", 300), ("drops", 1000)):
        put(name, value)
    assert counters.in_discards == 320
    sources.counts_drops = True
    assert counters.in_discards == 1320
    assert together(counters)["in_discards"] == 1320


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


def test_the_total_is_read_before_what_is_taken_off_it(
    counters: InterfaceCounters, put: Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    put("rx", 10, 1000)
    read = Counter.read_settled

    def note(counter: Counter, epoch: int, sw_if_index: int) -> int | None:
        order.append(counter._name.decode())
        return read(counter, epoch, sw_if_index)

    monkeypatch.setattr(Counter, "read_settled", note)
    assert counters.in_unicast == 10
    assert order == ["/if/rx", "/if/rx-multicast", "/if/rx-broadcast"]


def test_all_sources_are_counters_that_every_release_has() -> None:
    simple = {"drops", "punt", "rx-no-buf", "rx-miss", "rx-error", "tx-error", "ip4", "ip6"}
    combined = {f"{way}{cast}" for way in ("rx", "tx") for cast in ("", "-multicast", "-broadcast")}
    assert {name for name, kind, _ in SOURCES if kind is Kind.SIMPLE} == {
        f"/if/{name}" for name in simple
    }
    assert {name for name, kind, _ in SOURCES if kind is Kind.COMBINED} == {
        f"/if/{name}" for name in combined
    }


@pytest.mark.parametrize(("carries", "expected"), [(True, 905), (False, 5)])
def test_unicast_after_a_clear_in_the_middle_of_it_is_not_of_before(
    interface_writer: SegmentWriter,
    put: Set,
    monkeypatch: pytest.MonkeyPatch,
    carries: bool,
    expected: int,
) -> None:
    counters = InterfaceCounters(sources_of(interface_writer), INDEX, NAME, carries=carries)
    put("rx", 1000, 1)
    put("rx-multicast", 100, 1)
    assert counters.in_unicast == 900
    cell = counters._read_alone
    reads = iter(range(99))

    def clear_after_the_first(which: int) -> int:
        value = cell(which)
        if next(reads) == 0:
            put("rx", 7, 1)
            put("rx-multicast", 2, 1)
        return value

    monkeypatch.setattr(
        InterfaceCounters, "_read_alone", lambda _, which: clear_after_the_first(which)
    )
    if carries:
        assert counters.in_unicast == 900  # the total is of before: it is not known any better
    assert counters.in_unicast == expected


def everything(counters: InterfaceCounters) -> list[object]:
    return [counters.discontinuity, *(getattr(counters, name) for name in FORMULAS)]


def fill(put: Set, base: int) -> None:
    put("rx", base + 1000, 64 * base)
    put("tx", base + 2000, 65 * base)
    for number, (name, kind, _) in enumerate(SOURCES):
        if name not in ("/if/rx", "/if/tx"):
            cell = (base + number, 1) if kind is Kind.COMBINED else (base + number,)
            put(name.removeprefix("/if/"), *cell)


def test_readings_are_the_same_as_read_one_by_one(
    interface_writer: SegmentWriter, put: Set
) -> None:
    sources = CounterSet(Segment(interface_writer.fd)), CounterSet(Segment(interface_writer.fd))
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


def test_what_is_derived_does_not_fall_where_no_source_did(
    counters: InterfaceCounters, put: Set
) -> None:
    put("rx", 1000, 1)
    assert counters.in_unicast == together(counters)["in_unicast"] == 1000
    put("rx", 1001, 1)  # cleared, and 1001 multicast packets since
    put("rx-multicast", 1001, 1)
    assert counters.in_unicast == together(counters)["in_unicast"] == 1000


def test_a_reading_of_many_reads_the_total_before_what_is_taken_off_it(
    counters: InterfaceCounters, put: Set
) -> None:
    put("rx", 100, 1)
    put("tx", 200, 1)
    assert together(counters)["in_unicast"] == 100

    def go_on() -> None:
        put("rx", 150, 1)
        put("rx-multicast", 11, 1)
        put("tx", 270, 1)
        put("tx-broadcast", 13, 1)

    with behind_the_totals(counters, go_on):
        found = together(counters)  # never above the truth: the packets of before
    assert (found["in_unicast"], found["out_unicast"]) == (100, 200)
    found = together(counters)
    assert (found["in_unicast"], found["out_unicast"]) == (139, 257)


def test_each_formula_is_a_counter_and_each_counter_has_one() -> None:
    names = [name for name, each in vars(InterfaceCounters).items() if isinstance(each, property)]
    assert set(names) - {"has_source", "discontinuity"} == set(FORMULAS)


@pytest.mark.parametrize("counts_drops", [False, True])
def test_what_is_written_out_is_what_the_table_says(counts_drops: bool) -> None:
    read = [5**number % 1009 + 5000 * (number < 4) for number in range(TOGETHER)]
    served = array("Q", [0] * VALUES)
    found = dict(zip(READINGS, EVALUATE[counts_drops](read, served), strict=True))
    assert found == {
        name: each.of(read) + counts_drops * sum(read[number] for number in each.drops)
        for name, each in FORMULAS.items()
        if name in READINGS
    }
    assert found["in_discards"] == read[RX_MISS] + read[RX_NO_BUF] + counts_drops * read[DROPS]
    assert [served[each.highest] for each in DERIVED] == [
        found[name] for name, each in FORMULAS.items() if each.off
    ]


def test_the_highest_of_what_is_derived_stands_unless_it_has_wrapped() -> None:
    assert [highest(70, 71), highest(70, 69), highest(70, -3)] == [71, 70, 70]
    assert highest(2**64 - 5, 3) == 3
