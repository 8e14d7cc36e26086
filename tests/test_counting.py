"""interfaces/counting.py: the counters of rows, over one segment after another."""

import os
from array import array

import pytest

from vpp_snmp_agent.agentx.values import oid
from vpp_snmp_agent.interfaces.counters import CounterSet, InterfaceCounters
from vpp_snmp_agent.interfaces.counting import Counting
from vpp_snmp_agent.interfaces.publisher import Publisher
from vpp_snmp_agent.interfaces.reached import NOTHING_REACHED, NOTHING_READ, Reached
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
    finish,
    publish,
    router_of,
    rows_of,
    rx_writer,
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


def test_drops_may_be_discards() -> None:
    made = rx_writer(0)
    for name in ("rx-miss", "rx-no-buf", "drops"):
        made.add_counter(f"/if/{name}", Kind.SIMPLE, 1, 8)
        row = made.counters[f"/if/{name}"].rows[0]
        assert row is not None
        made.words[row.offset // 8 + 1] = {"rx-miss": 1, "rx-no-buf": 20, "drops": 300}[name]
    for discards, expected in (("misses", 21), ("all", 321)):
        publisher = with_setting(discards=discards)
        publish(publisher, router_of(ETHERNET))
        publisher.use(CounterSet(Segment(made.fd)))
        finish(publisher)
        assert rows_of(publisher)[1001].counters.in_discards == expected
    os.close(made.fd)


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
