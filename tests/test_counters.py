"""interfaces/counters.py over a segment whose cells a test sets."""

import os
from collections.abc import Callable, Iterator

import pytest

from vpp_snmp_agent.interfaces import counters as room
from vpp_snmp_agent.interfaces.counters import READINGS, CounterSet, InterfaceCounters
from vpp_snmp_agent.simulator.segment import Segment as Writer
from vpp_snmp_agent.vpp.layout import Generation, Kind
from vpp_snmp_agent.vpp.stats import Segment, SegmentUnavailable

Set = Callable[..., None]
INDEX, NAME = 4, "eno1"


@pytest.fixture
def writer() -> Iterator[Writer]:
    made = Writer(1 << 20, Generation.V26_02)
    made.add_names("/if/names")
    made.set_name(INDEX, NAME)
    for name, kind, _ in dict.fromkeys((name, kind, 0) for name, kind, _ in room._SOURCES):
        made.add_counter(name, kind, 2, INDEX + 1)
    yield made
    os.close(made.fd)


@pytest.fixture
def put(writer: Writer) -> Set:
    def put(name: str, *values: int) -> None:
        row = writer.counters[f"/if/{name}"].rows[1]
        assert row is not None
        for offset, value in enumerate(values):
            writer.words[row.offset // 8 + INDEX * len(values) + offset] = value

    return put


@pytest.fixture
def counters(writer: Writer) -> InterfaceCounters:
    return InterfaceCounters(CounterSet(Segment(writer.fd)), INDEX, NAME)


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


def test_a_decrease_is_a_discontinuity_and_starts_afresh(
    counters: InterfaceCounters, put: Set
) -> None:
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
    assert counters.in_octets == 100
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


def test_unicast_after_a_clear_in_the_middle_of_it_is_not_of_before(
    counters: InterfaceCounters, put: Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("rx", 1000, 1)
    put("rx-multicast", 100, 1)
    assert counters.in_unicast == 900
    cell = counters._cell
    reads = iter(range(99))

    def clear_after_the_first(which: int) -> int:
        value = cell(which)
        if next(reads) == 0:
            put("rx", 7, 1)
            put("rx-multicast", 2, 1)
        return value

    monkeypatch.setattr(InterfaceCounters, "_cell", lambda _, which: clear_after_the_first(which))
    assert counters.in_unicast == 5


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
    assert together(counters)["in_unicast"] == 2
    assert counters.restarted_at is not None


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
