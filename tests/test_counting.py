"""interfaces/counting.py: the counters of rows, over one segment after another."""

import os
from array import array
from collections.abc import Iterator

import pytest

from simulator.segment import SegmentWriter
from vpp_snmp_agent.agentx.mib import UpTime
from vpp_snmp_agent.agentx.values import oid
from vpp_snmp_agent.interfaces.counters import CounterSet, InterfaceCounters
from vpp_snmp_agent.interfaces.counting import Counting
from vpp_snmp_agent.interfaces.facts import Configuration
from vpp_snmp_agent.interfaces.publisher import Publisher
from vpp_snmp_agent.interfaces.reached import NOTHING_REACHED, NOTHING_READ, Reached
from vpp_snmp_agent.interfaces.system import SegmentState
from vpp_snmp_agent.operator.snapshot import ReadOnlyIndexes
from vpp_snmp_agent.settings.declarations import Settings
from vpp_snmp_agent.vpp import mapping
from vpp_snmp_agent.vpp.layout import Kind
from vpp_snmp_agent.vpp.records import INTERFACES
from vpp_snmp_agent.vpp.segment import Segment

from .routers import (
    ETHERNET,
    LOOP,
    RESTARTED,
    SUB,
    Clock,
    change,
    count,
    finish,
    new_publisher,
    octets,
    publish,
    router_of,
    rows_of,
    rx_writer,
    set_rx,
    with_setting,
)


def test_counters_stay_with_the_interface(publisher: Publisher, sources: CounterSet) -> None:
    router = router_of(ETHERNET, LOOP)
    publish(publisher, router)
    publisher.use(sources)
    finish(publisher)
    before = rows_of(publisher)
    assert (before[1001].counters.in_octets, before[1003].counters.in_octets) == (501, 503)
    counters = before[1001].counters
    change(publisher, router, SUB, gone=[LOOP])
    after = rows_of(publisher)
    assert after[1001].counters is counters
    assert after[1002].counters.in_octets == 502


def test_a_segment_that_is_mapped_again_is_the_same_as_long_as_its_vpp_is(
    publisher: Publisher,
) -> None:
    made = rx_writer(500)
    publish(publisher, router_of(ETHERNET))
    publisher.use(CounterSet(Segment(made.fd)))
    finish(publisher)
    first = rows_of(publisher)[1001].counters
    assert first.in_octets == 501
    publish(publisher, router_of(ETHERNET))  # its reporter was started again
    publisher.use(CounterSet(Segment(made.fd)))
    assert publisher.is_quiet  # no row is made for it
    finish(publisher)
    assert rows_of(publisher)[1001].counters is first
    os.close(made.fd)


def test_another_vpps_segment_brings_other_counters_even_with_the_same_pid(
    publisher: Publisher, sources: CounterSet, clock: Clock
) -> None:
    router = router_of(ETHERNET)
    publisher.follow(router)
    publisher.use(sources)
    publisher.touch(router.interfaces)
    publisher.complete(INTERFACES)
    finish(publisher)
    assert rows_of(publisher)[1001].counter_discontinuity_time == 0
    other = rx_writer(7)
    clock.now += 5
    publisher.use(CounterSet(Segment(other.fd)))
    finish(publisher)
    after = rows_of(publisher)[1001]
    assert after.counters.in_octets == 501 + 8
    assert after.counter_discontinuity_time == 500
    os.close(other.fd)


def test_until_another_vpps_segment_is_there_the_last_values_of_the_one_before_stand(
    publisher: Publisher, sources: CounterSet
) -> None:
    publish(publisher, router_of(ETHERNET))
    publisher.use(sources)
    finish(publisher)
    assert len(publisher.counted) == 1
    row = publish(publisher, router_of(ETHERNET, identity=RESTARTED))[1001]
    assert row.counters.in_octets == 501
    assert len(publisher.counted) == 1


def test_a_row_without_any_reading_is_not_among_the_counted_until_there_is_one(
    publisher: Publisher,
) -> None:
    made = rx_writer(500)
    publish(publisher, router_of(ETHERNET))
    assert len(publisher.counted) == 0
    made.hold(True)
    publisher.use(CounterSet(Segment(made.fd)))
    finish(publisher)
    assert len(publisher.counted) == 0
    made.hold(False)
    publisher.retry_counters()
    finish(publisher)
    assert list(publisher.counted) == [oid("1001")]
    publisher.retry_counters()
    assert publisher.is_quiet
    os.close(made.fd)


def test_a_row_that_goes_is_not_among_the_counted_nor_tried_again(publisher: Publisher) -> None:
    made = rx_writer(500)
    router = router_of(ETHERNET, LOOP)
    publish(publisher, router)
    made.hold(True)
    publisher.use(CounterSet(Segment(made.fd)))
    finish(publisher)
    change(publisher, router, gone=[LOOP])
    assert list(publisher._counting.unread()) == ["eth0"]
    made.hold(False)
    publisher.retry_counters()
    finish(publisher)
    assert list(publisher.counted) == [oid("1001")]
    change(publisher, router, gone=[ETHERNET])
    assert list(publisher.counted) == []
    os.close(made.fd)


def test_counters_are_read_under_a_lock_that_vpp_takes_right_after_its_segment_came(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = rx_writer(500)
    publish(publisher, router_of(ETHERNET))
    segment = Segment(made.fd)
    publisher.use(CounterSet(segment))
    finish(publisher)
    counters = rows_of(publisher)[1001].counters
    made.hold(True)
    segment.poll_lock()
    monkeypatch.setattr(mapping, "STUCK_TIMEOUT", 0.0)
    row = made.counters["/if/tx"].rows[0]
    assert row is not None
    made.words[row.offset // 8 + 2 * 1 + 1] = 9000
    assert counters.out_octets == 9000
    os.close(made.fd)


def test_a_poll_finds_what_the_segment_has_by_now_before_vpp_hangs_in_its_lock(
    publisher: Publisher, first: SegmentWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher.poll()  # there is no segment
    count(publisher, router_of(ETHERNET), first)
    first.add_counter("/if/rx-error", Kind.SIMPLE, 1, 8)
    first.set_row("/if/rx-error", 0, [0, 19])
    first.add_scalar("/sys/heartbeat", 23)
    publisher.poll()
    assert publisher.system.vpp.heartbeat_age == 0
    first.hold(True)
    monkeypatch.setattr(mapping, "STUCK_TIMEOUT", 0.0)
    publisher.poll()
    assert rows_of(publisher)[1001].counters.in_errors == 19
    states = [publisher.system.segment_state]
    publisher.lose()
    states.append(publisher.system.segment_state)
    assert states == [SegmentState.STUCK, SegmentState.NONE]


@pytest.fixture
def discarding() -> Iterator[SegmentWriter]:
    """The segment of a VPP that missed 21 packets at eth0, and dropped 300."""
    made = rx_writer(0)
    for name, value in (("rx-miss", 1), ("rx-no-buf", 20), ("drops", 300)):
        made.add_counter(f"/if/{name}", Kind.SIMPLE, 1, 8)
        made.set_row(f"/if/{name}", 0, [0, value])
    yield made
    os.close(made.fd)


@pytest.mark.parametrize(("discards", "expected"), [("misses", 21), ("all", 321)])
def test_drops_may_be_discards(discarding: SegmentWriter, discards: str, expected: int) -> None:
    publisher = with_setting(discards=discards)
    count(publisher, router_of(ETHERNET), discarding)
    assert rows_of(publisher)[1001].counters.in_discards == expected


def test_what_is_a_discard_changes_when_other_rows_are_shown(discarding: SegmentWriter) -> None:
    publisher = with_setting(discards="misses")
    count(publisher, router_of(ETHERNET), discarding)
    after = Publisher(Configuration(Settings(discards="all")), None, publisher.uptime, publisher)
    finish(after)
    assert rows_of(publisher)[1001].counters.in_discards == 21
    after.succeed(publisher)
    assert rows_of(after)[1001].counters.in_discards == 321


def test_whoever_serves_vpps_own_numbers_forgets_what_counters_had_come_to(
    first: SegmentWriter,
) -> None:
    indexes = ReadOnlyIndexes([])
    publisher = new_publisher(indexes=indexes)
    count(publisher, router_of(ETHERNET), first)
    reached = rows_of(publisher)[1001].counters.reached()
    assert reached is not None
    indexes.keep("eth0", reached)
    after = Publisher(
        Configuration(Settings(counters="plain")), indexes, publisher.uptime, publisher
    )
    finish(after)
    assert indexes.reached("eth0") == NOTHING_REACHED
    assert rows_of(after)[1001].counters.in_octets == 501


def test_vpps_own_numbers_may_be_served_where_nothing_is_saved(first: SegmentWriter) -> None:
    carried, plain = (
        Configuration(Settings(ifindex="stateless", counters=each)) for each in ("carried", "plain")
    )
    publisher = Publisher(carried, None, UpTime())
    count(publisher, router_of(ETHERNET), first)
    set_rx(first, 1, 30)
    assert octets(publisher) == {1001: 531}
    after = Publisher(plain, None, publisher.uptime, publisher)
    finish(after)
    assert octets(after) == {1001: 30}


def test_a_row_whose_counters_cannot_be_read_any_more_is_not_among_the_counted(
    publisher: Publisher, sources: CounterSet
) -> None:
    publish(publisher, router_of(ETHERNET))
    publisher.use(sources)
    finish(publisher)
    row = rows_of(publisher)[1001]
    counting = Counting(Settings(), None)
    counting.show(row)
    assert len(counting.rows) == 1
    row.counters = InterfaceCounters(None, 1, "eth0")
    counting.show(row)
    assert len(counting.rows) == 0
    assert not list(counting.unread())  # there is nothing to read them from


def test_a_row_that_is_hidden_is_neither_counted_nor_tried_again(publisher: Publisher) -> None:
    made = rx_writer(500)
    router = router_of(ETHERNET, LOOP)
    publish(publisher, router)
    made.hold(True)
    sources = CounterSet(Segment(made.fd))
    publisher.use(sources)
    finish(publisher)
    assert list(publisher._counting.unread()) == ["eth0", "loop0"]
    change(publisher, router, gone=[LOOP])
    assert list(publisher._counting.unread()) == ["eth0"]
    made.hold(False)
    publisher.retry_counters()
    finish(publisher)
    assert (len(publisher.counted), list(publisher._counting.unread())) == (1, [])
    publisher.use(sources)  # the same once more
    assert publisher.is_quiet
    change(publisher, router, gone=[ETHERNET])
    assert len(publisher.counted) == 0
    os.close(made.fd)


class Reaching(ReadOnlyIndexes):
    """Who has saved what the counters of eth0 had come to."""

    def __init__(self, *served: int) -> None:
        super().__init__([])
        self.kept: list[tuple[str, Reached]] = []
        values = NOTHING_READ[:]
        values[: len(served)] = array("Q", served)
        self._saved = Reached(4711, values, array("Q"))

    def reached(self, key: str) -> Reached | None:
        return self._saved

    def keep(self, key: str, reached: Reached) -> None:
        self.kept.append((key, reached))


@pytest.mark.parametrize(
    ("served", "kept"), [((7, 9), [("eth0", NOTHING_REACHED)]), ((), [])], ids=["some", "none"]
)
def test_plain_counters_leave_nothing_to_go_on_from(
    sources: CounterSet, served: tuple[int, ...], kept: list[tuple[str, Reached]]
) -> None:
    indexes = Reaching(*served)
    counting = Counting(Settings(counters="plain"), indexes)
    counting.use(sources, None)
    counters = counting.counters_of("eth0", ETHERNET, None, 1000.0, is_change=False)
    assert (counters.in_octets, counters.restarted_at) == (501, 1000.0)
    assert indexes.kept == kept
