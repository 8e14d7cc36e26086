"""interfaces/publisher.py: rows from what VPP reports, one change after another."""

import gc
import os
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import pytest

from simulator.segment import SegmentWriter
from vpp_snmp_agent.agentx.mib import UpTime
from vpp_snmp_agent.agentx.pdu import oid
from vpp_snmp_agent.interfaces import publisher as room
from vpp_snmp_agent.interfaces import rows
from vpp_snmp_agent.interfaces.counters import UNKNOWN as UNKNOWN_CELL
from vpp_snmp_agent.interfaces.counters import CounterSet, InterfaceCounters, Reached
from vpp_snmp_agent.interfaces.facts import (
    DOWN,
    LOWER_LAYER_DOWN,
    UNKNOWN,
    UP,
    Configuration,
    Facts,
)
from vpp_snmp_agent.interfaces.ip_statistics import IN_RECEIVES
from vpp_snmp_agent.interfaces.journal import Port
from vpp_snmp_agent.interfaces.publisher import Publisher
from vpp_snmp_agent.interfaces.rows import Interfaces, LinkChange, Row
from vpp_snmp_agent.interfaces.totals import Saved
from vpp_snmp_agent.operator.snapshot import ReadOnlyIndexes
from vpp_snmp_agent.settings.declarations import Settings
from vpp_snmp_agent.settings.vppcfg import Descriptions
from vpp_snmp_agent.vpp import segment as vpp_segment
from vpp_snmp_agent.vpp.layout import Generation, Kind
from vpp_snmp_agent.vpp.records import (
    ADDRESSES,
    INTERFACES,
    NEIGHBORS,
    Addresses,
    Bond,
    BridgeDomain,
    Changes,
    Complete,
    Interface,
    Neighbor,
    NeighborChanges,
)
from vpp_snmp_agent.vpp.router import Router
from vpp_snmp_agent.vpp.segment import Segment

from .routers import VPP, new_publisher, pair, port, publish, router_of, rows_of, sub, tap

ETHERNET = port(1, "eth0", l2_address=b"\2\0\0\0\0\1", mtu=1500)
SUB = sub(2, 1, "eth0.7")
LOOP = port(3, "loop0", interface_dev_type="Loopback")
GONE_301 = Changes((), ((Interface, 301),))
LOOP_301 = port(301, "loop301", interface_dev_type="BVI")
TAP = tap(9, "tap1")
PAIRED = pair(1, "e0", 9)
RESTARTED = replace(VPP, vpe_pid=4712)


class Clock:
    """Seconds that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def publisher(clock: Clock) -> Publisher:
    publisher = new_publisher(clock=clock)
    publisher.uptime.set(0, 1000.0)
    return publisher


def with_setting(**settings: object) -> Publisher:
    """A publisher of these settings."""
    return new_publisher(Configuration(Settings(**settings)))  # type: ignore[arg-type]


def change(publisher: Publisher, router: Router, *reported: Interface, gone: int = 0) -> None:
    """What VPP reports next."""
    lost = ((Interface, gone),) if gone else ()
    publisher.touch(router.apply(Changes(tuple(reported), lost)))
    finish(publisher)


def finish(publisher: Publisher) -> None:
    while publisher.step(time.perf_counter()):
        pass


def writer(rx_bytes: int) -> SegmentWriter:
    made = SegmentWriter(1 << 20, Generation.V26_02)
    made.add_names("/if/names")
    for way in ("rx", "tx"):
        for cast in ("", "-multicast", "-broadcast"):
            made.add_counter(f"/if/{way}{cast}", Kind.COMBINED, 1, 8)
    row = made.counters["/if/rx"].rows[0]
    assert row is not None
    for index in range(8):
        made.words[row.offset // 8 + 2 * index + 1] = rx_bytes + index
    return made


@pytest.fixture
def sources() -> Iterator[CounterSet]:
    made = writer(500)
    yield CounterSet(Segment(made.fd))
    os.close(made.fd)


def names(rows: dict[int, Row]) -> dict[int, str]:
    return {index: row.facts.name for index, row in rows.items()}


def statuses(rows: dict[int, Row]) -> dict[int, int]:
    return {index: row.oper_status for index, row in rows.items()}


# --- rows ---------------------------------------------------------------------------------------


def test_a_row_is_at_1000_and_its_sw_if_index(publisher: Publisher) -> None:
    rows = publish(publisher, router_of(ETHERNET, SUB, LOOP))
    assert names(rows) == {1001: "eth0", 1002: "eth0.7", 1003: "loop0"}
    assert list(publisher.rows) == [oid("1001"), oid("1002"), oid("1003")]


def test_a_row_says_what_was_reported_and_what_it_inherits() -> None:
    configuration = Configuration(descriptions=Descriptions({"eth0.7": "a customer"}))
    row = publish(new_publisher(configuration), router_of(ETHERNET, SUB))[1002]
    assert (row.facts.alias, row.facts.mtu, row.facts.speed) == ("a customer", 1500, 10**9)
    assert (row.admin_status, row.oper_status, row.facts.type) == (UP, UP, 135)


def test_descriptions_that_are_read_after_the_start_reach_the_rows_that_are_shown() -> None:
    publisher = new_publisher()
    assert publish(publisher, router_of(ETHERNET, SUB))[1002].facts.alias == ""
    publisher.describe(Descriptions({"eth0.7": "another customer"}))
    while publisher.step(0.0):
        pass
    assert [each.facts.alias for each in rows_of(publisher).values()] == ["", "another customer"]
    publisher.describe(Descriptions({"eth0.7": "another customer"}))
    assert publisher.is_quiet


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys of all rows that are made anew, one after another."""
    made: list[str] = []
    original = Publisher._make

    def note(self: Publisher, key: str) -> None:
        made.append(key)
        original(self, key)

    monkeypatch.setattr(Publisher, "_make", note)
    return made


def test_one_change_makes_one_row_anew_and_those_over_it(
    publisher: Publisher, made: list[str]
) -> None:
    ports = [port(index, f"eth{index}") for index in range(1, 1001)]
    router = router_of(*ports, sub(2001, 7, "eth7.1"), sub(2002, 7, "eth7.2"))
    publish(publisher, router)
    made.clear()
    change(publisher, router, replace(ports[41], link_up=False))
    assert made == ["eth42"]
    made.clear()
    change(publisher, router, replace(ports[6], link_up=False))
    assert sorted(made) == ["eth7", "eth7.1", "eth7.2"]


def test_a_port_with_a_thousand_subs_is_followed_by_them_a_few_at_a_time(
    publisher: Publisher, made: list[str]
) -> None:
    subs = [sub(index, 1, f"eth0.{index}") for index in range(2, 1002)]
    router = router_of(ETHERNET, *subs)
    publish(publisher, router)
    made.clear()
    publisher.touch(router.apply(Changes((replace(ETHERNET, link_up=False),))))
    assert len(publisher._order) < 120  # not all thousand at once
    finish(publisher)
    assert sorted(made) == sorted(["eth0", *(each.interface_name for each in subs)])
    assert set(statuses(rows_of(publisher)).values()) == {DOWN, LOWER_LAYER_DOWN}


def test_a_row_that_is_reported_late_is_not_taken_for_one_that_is_gone(
    publisher: Publisher,
) -> None:
    ports = [port(index, f"eth{index}") for index in range(1, 301)]
    before = publish(publisher, router_of(*ports))
    publisher.lose()
    finish(publisher)
    router = router_of(*ports, identity=RESTARTED)
    publish(publisher, router, finish=False)
    while publisher.step(0.0):
        assert len(publisher.rows) == 300
    after = rows_of(publisher)
    assert all(after[index] is before[index] for index in before)


def test_a_subs_link_follows_its_parents_without_being_reported(publisher: Publisher) -> None:
    router = router_of(ETHERNET, SUB)
    publish(publisher, router)
    change(publisher, router, replace(ETHERNET, link_up=False))
    assert statuses(rows_of(publisher)) == {1001: DOWN, 1002: LOWER_LAYER_DOWN}
    # VPP reported the sub-interface's own flag when it was down: it is its parent's all the same.
    change(publisher, router, replace(SUB, link_up=False))
    change(publisher, router, ETHERNET)
    assert statuses(rows_of(publisher)) == {1001: UP, 1002: UP}


def test_news_wait_behind_work_and_are_merged_by_row(publisher: Publisher, made: list[str]) -> None:
    ports = [port(index, f"eth{index}") for index in range(1, 301)]
    router = router_of(*ports)
    publish(publisher, router, finish=False)
    for up in (False, True, False):
        publisher.touch(router.apply(Changes((replace(ports[299], link_up=up),))))
    finish(publisher)
    assert sorted(made) == sorted(each.interface_name for each in ports)
    assert len(publisher.rows) == 300
    assert rows_of(publisher)[1300].oper_status == DOWN


def test_a_row_of_which_something_changes_stays_the_same_object(publisher: Publisher) -> None:
    router = router_of(ETHERNET, SUB)
    before = publish(publisher, router)
    change(publisher, router, replace(SUB, tag="other"))
    after = rows_of(publisher)
    assert [after[index] is before[index] for index in (1001, 1002)] == [True, True]
    assert after[1002].facts.alias == "other"


# --- ifIndex --------------------------------------------------------------------------------------


class SlowIndexes(ReadOnlyIndexes):
    """Whose disk has taken nothing yet."""

    def __init__(self) -> None:
        super().__init__([])
        self.assigned: list[str] = []
        self.durable: set[str] = set()
        self.calls: list[tuple[str, str]] = []

    def index_of(self, key: str) -> int | None:
        return super().index_of(key) if key in self.durable else None

    def assign(self, key: str, sw_if_index: int) -> None:
        if key not in self.assigned:
            self.assigned.append(key)
            super().assign(key, sw_if_index)

    def show(self, key: str, facts: Facts) -> None:
        self.calls.append(("show", key))

    def hide(self, key: str) -> None:
        self.calls.append(("hide", key))


def test_a_row_is_shown_only_after_its_ifindex_is_durable() -> None:
    indexes = SlowIndexes()
    publisher = new_publisher(indexes=indexes)
    assert publish(publisher, router_of(ETHERNET, LOOP)) == {}
    assert indexes.assigned == ["eth0", "loop0"]
    assert not publisher.is_idle
    indexes.durable = {"loop0"}
    publisher.numbered(["loop0"])
    finish(publisher)
    assert names(rows_of(publisher)) == {1003: "loop0"}
    assert not publisher.is_idle
    indexes.durable.add("eth0")
    publisher.numbered(["eth0"])
    finish(publisher)
    assert names(rows_of(publisher)) == {1001: "eth0", 1003: "loop0"}
    assert publisher.is_idle


def test_a_first_row_is_no_change_however_late_its_ifindex_is_durable(clock: Clock) -> None:
    indexes = SlowIndexes()
    publisher = new_publisher(indexes=indexes, clock=clock)
    publisher.uptime.set(0, 1000.0)
    router = router_of(ETHERNET)
    publish(publisher, router)
    clock.now += 3
    indexes.durable = {"eth0", "loop0"}
    publisher.numbered(["eth0"])
    finish(publisher)
    change(publisher, router, LOOP)
    rows = rows_of(publisher)
    assert {index: row.last_change for index, row in rows.items()} == {1001: 0, 1003: 300}


def test_what_vpp_deletes_before_its_ifindex_is_durable_is_never_shown() -> None:
    indexes = SlowIndexes()
    publisher = new_publisher(indexes=indexes)
    router = router_of(ETHERNET, LOOP)
    publish(publisher, router)
    change(publisher, router, gone=3)
    indexes.durable = {"loop0", "eth0"}
    publisher.numbered(["loop0", "eth0"])
    finish(publisher)
    assert names(rows_of(publisher)) == {1001: "eth0"}
    assert publisher.is_idle


def test_what_is_shown_and_hidden_is_remembered() -> None:
    indexes = SlowIndexes()
    indexes.durable = {"eth0", "loop0"}
    publisher = new_publisher(indexes=indexes)
    router = router_of(ETHERNET, LOOP)
    publish(publisher, router)
    change(publisher, router, replace(ETHERNET, tag="core"), gone=3)
    assert indexes.calls == [("show", "eth0"), ("show", "loop0"), ("hide", "loop0")] or sorted(
        indexes.calls
    ) == [("hide", "loop0"), ("show", "eth0"), ("show", "eth0"), ("show", "loop0")]


def test_a_sw_if_index_that_changed_hands_is_another_row(
    publisher: Publisher, sources: CounterSet, clock: Clock
) -> None:
    router = router_of(LOOP)
    publisher.use(sources)
    before = publish(publisher, router)
    assert names(before) == {1003: "loop0"}
    clock.now += 3
    change(publisher, router, replace(LOOP, interface_name="loop9"), gone=3)
    after = rows_of(publisher)
    assert names(after) == {100_001: "loop9"}
    row = after[100_001]
    assert row.counters is not before[1003].counters
    assert (row.counter_discontinuity_time, row.last_change) == (300, 300)


def test_an_interface_keeps_its_index_at_another_sw_if_index(
    publisher: Publisher, sources: CounterSet, clock: Clock
) -> None:
    router = router_of(LOOP)
    publish(publisher, router)
    publisher.use(sources)
    finish(publisher)
    row = rows_of(publisher)[1003]
    assert row.counters.in_octets == 503
    clock.now += 3
    change(publisher, router, replace(LOOP, sw_if_index=5, sup_sw_if_index=5), gone=3)
    row = rows_of(publisher)[1003]
    assert (row.facts.name, row.counters.in_octets) == ("loop0", 503 + 505)
    assert row.counter_discontinuity_time == 300


def test_stateless_indexes_follow_vpp() -> None:
    settings = Configuration(Settings(ifindex="stateless"))
    publisher = Publisher(settings, None, UpTime())
    assert names(publish(publisher, router_of(LOOP))) == {1003: "loop0"}
    moved = replace(LOOP, sw_if_index=5, sup_sw_if_index=5)
    assert names(publish(publisher, router_of(moved))) == {1005: "loop0"}
    other = replace(ETHERNET, sw_if_index=5, sup_sw_if_index=5)
    rows = publish(publisher, router_of(other, identity=RESTARTED), settled=False)
    assert names(rows) == {1005: "eth0"}


# --- counters -----------------------------------------------------------------------------------


def test_counters_stay_with_the_interface(publisher: Publisher, sources: CounterSet) -> None:
    router = router_of(ETHERNET, LOOP)
    publish(publisher, router)
    publisher.use(sources)
    finish(publisher)
    before = rows_of(publisher)
    assert (before[1001].counters.in_octets, before[1003].counters.in_octets) == (501, 503)
    counters = before[1001].counters
    change(publisher, router, SUB, gone=3)
    after = rows_of(publisher)
    assert after[1001].counters is counters
    assert after[1002].counters.in_octets == 502


def test_a_segment_that_is_mapped_again_is_the_same_as_long_as_its_vpp_is(
    publisher: Publisher,
) -> None:
    made = writer(500)
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
    other = writer(7)
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
    made = writer(500)
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
    made = writer(500)
    publish(publisher, router_of(ETHERNET))
    segment = Segment(made.fd)
    publisher.use(CounterSet(segment))
    finish(publisher)
    counters = rows_of(publisher)[1001].counters
    made.hold(True)
    segment.poll_lock()
    monkeypatch.setattr(vpp_segment, "STUCK_TIMEOUT", 0.0)
    row = made.counters["/if/tx"].rows[0]
    assert row is not None
    made.words[row.offset // 8 + 2 * 1 + 1] = 9000
    assert counters.out_octets == 9000
    os.close(made.fd)


def test_drops_may_be_discards() -> None:
    made = writer(0)
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


# --- counters that are carried --------------------------------------------------------------------


class Saving(ReadOnlyIndexes):
    """Who notes what is to be saved at once, and what it was then."""

    def __init__(self, ports: Iterable[Port] = ()) -> None:
        super().__init__(list(ports))
        self.saved: dict[str, Reached | None] = {}
        self.saved_totals: dict[str, Saved] = {}
        self.urgent: set[str] = set()
        self.can_save = True  # totals
        self.at_once = 1000  # how many it saves in one call
        self._left: list[str] = []
        self._of: Callable[[str], InterfaceCounters | None] | None = None

    def read_counters(self, of: Callable[[str], InterfaceCounters | None] | None) -> None:
        self._of = of

    def save_counters(self, keys: Iterable[str]) -> bool:
        assert self._of is not None
        self._left += keys
        some, self._left = self._left[: self.at_once], self._left[self.at_once :]
        for key in some:
            counters = self._of(key)
            self.saved[key] = counters.reached() if counters else None
        return bool(self._left)

    def totals(self, key: str) -> Saved | None:
        return self.saved_totals.get(key)

    def save_totals(self, key: str, saved: Saved, urgent: bool) -> bool:
        if self.can_save:
            self.saved_totals[key] = saved
            self.urgent.update([key] if urgent else ())
        return self.can_save


def set_rx(made: SegmentWriter, index: int, octets: int) -> None:
    row = made.counters["/if/rx"].rows[0]
    assert row is not None
    made.words[row.offset // 8 + 2 * index + 1] = octets


@pytest.fixture
def first() -> Iterator[SegmentWriter]:
    made = writer(500)
    yield made
    os.close(made.fd)


@pytest.fixture
def second() -> Iterator[SegmentWriter]:
    made = writer(70)
    yield made
    os.close(made.fd)


def count(publisher: Publisher, router: Router, made: SegmentWriter, settled: bool = True) -> None:
    """A VPP reports, and hands over its segment."""
    publish(publisher, router, settled)
    publisher.use(CounterSet(Segment(made.fd)))
    finish(publisher)


def octets(publisher: Publisher) -> dict[int, int | None]:
    return {index: row.counters.in_octets for index, row in rows_of(publisher).items()}


def test_a_row_that_waits_for_another_vpp_goes_on_when_it_comes(
    clock: Clock, first: SegmentWriter, second: SegmentWriter
) -> None:
    indexes = Saving()
    publisher = new_publisher(indexes=indexes, clock=clock)
    publisher.uptime.set(0, 1000.0)
    count(publisher, router_of(ETHERNET, SUB), first)
    assert indexes.saved == {}
    set_rx(first, 1, 650)  # counted, and not read before it ended
    publisher.lose()
    finish(publisher)
    assert {key: each and each.served[1] for key, each in indexes.saved.items()} == {
        "eth0": 650,
        "eth0.7": 502,
    }
    indexes.saved.clear()
    publisher.lose()
    finish(publisher)
    assert indexes.saved == {}
    clock.now += 2
    router = router_of(ETHERNET, identity=RESTARTED)
    count(publisher, router, second, settled=False)
    assert octets(publisher) == {1001: 650 + 71, 1002: 502}
    assert list(indexes.saved) == ["eth0"]
    clock.now += 2
    change(publisher, router, replace(SUB, sw_if_index=5))
    assert octets(publisher) == {1001: 650 + 71, 1002: 502 + 75}
    assert list(indexes.saved) == ["eth0", "eth0.7"]
    assert [row.counter_discontinuity_time for row in rows_of(publisher).values()] == [200, 400]


def test_a_base_that_changes_is_saved_at_once(first: SegmentWriter) -> None:
    indexes = Saving()
    publisher = new_publisher(indexes=indexes)
    count(publisher, router_of(ETHERNET, SUB), first)
    assert publisher.is_quiet
    set_rx(first, 2, 3)
    row = rows_of(publisher)[1002]
    assert row.counters.in_octets == 505
    assert not publisher.is_quiet
    finish(publisher)
    assert publisher.is_quiet
    (saved,) = indexes.saved.values()
    assert saved is not None
    assert (saved.served[1], saved.bases[1]) == (505, 502)


def test_very_many_bases_that_change_are_saved_a_few_at_a_time(first: SegmentWriter) -> None:
    indexes = Saving()
    publisher = new_publisher(indexes=indexes)
    count(publisher, router_of(ETHERNET), first)
    assert publisher._sources is not None
    publisher._sources.fallen.update({f"eth{number}": None for number in range(1000)})
    publisher.step(0.0)
    assert 0 < len(indexes.saved) <= 30
    finish(publisher)
    assert len(indexes.saved) == 1000


def test_of_bases_that_take_long_to_save_each_is_saved_before_there_is_rest(
    first: SegmentWriter,
) -> None:
    indexes = Saving()
    publisher = new_publisher(indexes=indexes)
    count(publisher, router_of(ETHERNET), first)
    assert publisher._sources is not None
    indexes.at_once = 3
    publisher._sources.fallen.update({f"eth{number}": None for number in range(100)})
    finish(publisher)
    assert len(indexes.saved) == 100


# --- what is no row's -----------------------------------------------------------------------------


def writer_of_ip(*received: int) -> SegmentWriter:
    """A segment that has received so many IPv4 packets at each sw_if_index."""
    made = writer(500)
    made.add_counter("/if/ip4", Kind.SIMPLE, 1, 8)
    made.set_row("/if/ip4", 0, list(received))
    return made


def received(publisher: Publisher) -> int | None:
    """IPv4 packets of all interfaces, as they are now."""
    publisher.system.ipv4._read_at = float("-inf")
    return publisher.system.ipv4.value(IN_RECEIVES)


def test_packets_of_all_interfaces_go_on_over_a_restart_of_vpp_of_the_agent_and_of_both() -> None:
    made, other, third = writer_of_ip(5, 100, 30), writer_of_ip(0, 4), writer_of_ip(0, 0, 9)
    indexes = Saving()
    publisher = new_publisher(indexes=indexes)
    count(publisher, router_of(ETHERNET, LOOP), made)
    assert received(publisher) == 135
    made.set_row("/if/ip4", 0, [5, 120, 0])  # made anew
    assert received(publisher) == 155
    publisher.poll()
    assert indexes.saved_totals["ip 4"].numbers == {IN_RECEIVES: (155, 30)}
    made.set_row("/if/ip4", 0, [5, 120, 7])
    assert received(publisher) == 162
    publisher.lose()
    assert indexes.saved_totals["ip 4"].numbers == {IN_RECEIVES: (162, 30)}
    finish(publisher)
    count(publisher, router_of(ETHERNET, identity=RESTARTED), other)
    assert received(publisher) == 166
    publisher.save_totals()
    after = new_publisher(indexes=indexes)
    assert after.system.ipv4.totals.get(IN_RECEIVES) == 166  # until VPP reports
    other.set_row("/if/ip4", 0, [0, 6])
    count(after, router_of(ETHERNET, identity=RESTARTED), other)
    assert received(after) == 168
    after.save_totals()
    last = new_publisher(indexes=indexes)
    count(last, router_of(ETHERNET, identity=replace(VPP, vpe_pid=4713)), third)
    assert received(last) == 177
    for each in (made, other, third):
        os.close(each.fd)


def test_a_base_that_changed_is_saved_by_the_next_step_and_does_not_wait() -> None:
    made, indexes = writer_of_ip(5, 100, 30), Saving()
    publisher = new_publisher(indexes=indexes)
    count(publisher, router_of(ETHERNET), made)
    assert received(publisher) == 135
    publisher.save_totals()
    assert not indexes.urgent
    made.set_row("/if/ip4", 0, [5, 120, 0])
    assert received(publisher) == 155
    assert not publisher.is_quiet
    finish(publisher)
    assert indexes.saved_totals["ip 4"].numbers == {IN_RECEIVES: (155, 30)}
    assert indexes.urgent == {"ip 4"}
    assert publisher.is_quiet
    os.close(made.fd)


def test_vpps_memory_is_shown_by_an_agent_that_starts_while_none_is_there() -> None:
    made, indexes = writer_of_ip(5), Saving()
    made.add_counter("/mem/main heap", Kind.SIMPLE, 1, 7)
    made.set_row("/mem/main heap", 0, [4096 * 1013, 4096 * 17])
    publisher = new_publisher(indexes=indexes)
    count(publisher, router_of(ETHERNET), made)
    publisher.system.search_all()
    publisher.poll()
    after = new_publisher(indexes=indexes)
    (storage,) = after.system.storages.shown
    assert storage.name == "VPP main heap"
    assert storage.measured() == (4096, 1013, 0)
    count(after, router_of(ETHERNET), made)
    assert storage.measured() == (4096, 1013, 17)
    os.close(made.fd)


def test_what_cannot_be_saved_is_saved_later() -> None:
    made = writer_of_ip(5, 100)
    indexes = Saving()
    indexes.can_save = False
    publisher = new_publisher(indexes=indexes)
    count(publisher, router_of(ETHERNET), made)
    assert received(publisher) == 105
    made.set_row("/if/ip4", 0, [5, 1])
    assert received(publisher) == 106
    publisher.poll()
    finish(publisher)
    assert publisher.is_quiet
    assert indexes.saved_totals == {}
    indexes.can_save = True
    publisher.poll()
    assert indexes.saved_totals["ip 4"].numbers == {IN_RECEIVES: (106, 100)}
    assert indexes.urgent == {"ip 4"}
    os.close(made.fd)


def test_packets_of_all_interfaces_are_vpps_own_if_counters_are_plain() -> None:
    made = writer_of_ip(5, 100)
    publisher = with_setting(counters="plain")
    count(publisher, router_of(ETHERNET), made)
    assert received(publisher) == 105
    made.set_row("/if/ip4", 0, [5, 1])
    assert received(publisher) == 6
    after = Publisher(Configuration(Settings()), None, publisher.uptime, publisher)
    finish(after)
    after.succeed(publisher)
    made.set_row("/if/ip4", 0, [5, 0])
    assert received(after) == 6
    os.close(made.fd)


def test_a_discontinuity_of_what_a_driver_counts_is_its_interfaces(
    publisher: Publisher, first: SegmentWriter
) -> None:
    first.set_name(1, "eth0")
    first.add_counter("/if/xstats/1", Kind.SIMPLE, 1, 1)
    first.add_symlink("/interfaces/eth0/rx_crc_errors", "/if/xstats/1", 0)
    count(publisher, router_of(ETHERNET, LOOP), first)
    publisher.system.search_all()
    port = publisher.system.ports.get("eth0")
    assert port is not None
    publisher.poll()
    row, other = rows_of(publisher).values()
    assert row.counter_discontinuity_time == 0
    port.totals.restarted_at = 1007.0
    publisher.poll()
    assert (row.counter_discontinuity_time, other.counter_discontinuity_time) == (700, 0)
    row.counters.restarted_at = 1009.0
    publisher.poll()
    assert row.counter_discontinuity_time == 900


def restarted_agent(
    publisher: Publisher, indexes: Saving, clock: Clock
) -> tuple[Publisher, Saving]:
    """Another agent, which knows what the one before saved when it ended."""
    ports = []
    for row in rows_of(publisher).values():
        reached = row.counters.reached()
        if reached is not None:
            reached = reached._replace(read=0)
        ports.append(Port(row.index, row.key, 0.0, True, row.facts, reached))
    after_indexes = Saving(ports)
    after = new_publisher(indexes=after_indexes, clock=clock)
    after.uptime.set(0, 1000.0)
    known = [(each.key, each.if_index, each.facts) for each in ports if each.facts]
    for _ in after.restore(known, UNKNOWN):
        pass
    return after, after_indexes


def test_an_agent_that_starts_again_goes_on_with_the_same_vpp_and_says_nothing(
    clock: Clock, first: SegmentWriter
) -> None:
    indexes = Saving()
    publisher = new_publisher(indexes=indexes, clock=clock)
    count(publisher, router_of(ETHERNET, LOOP), first)
    set_rx(first, 1, 30)  # cleared
    assert octets(publisher) == {1001: 531, 1003: 503}
    set_rx(first, 1, 37)
    after, _ = restarted_agent(publisher, indexes, clock)
    assert octets(after) == {1001: None, 1003: None}  # what was served since is not known
    clock.now += 3
    set_rx(first, 1, 41)
    count(after, router_of(ETHERNET, LOOP), first)
    assert octets(after) == {1001: 501 + 41, 1003: 503}
    assert [row.counter_discontinuity_time for row in rows_of(after).values()] == [0, 0]


def test_an_agent_and_a_vpp_that_both_start_again_go_on_and_say_so(
    clock: Clock, first: SegmentWriter, second: SegmentWriter
) -> None:
    indexes = Saving()
    publisher = new_publisher(indexes=indexes, clock=clock)
    count(publisher, router_of(ETHERNET, LOOP), first)
    after, after_indexes = restarted_agent(publisher, indexes, clock)
    clock.now += 3
    count(after, router_of(ETHERNET, LOOP, identity=RESTARTED), second)
    assert octets(after) == {1001: 501 + 71, 1003: 503 + 73}
    assert [row.counter_discontinuity_time for row in rows_of(after).values()] == [300, 300]
    assert sorted(after_indexes.saved) == ["eth0", "loop0"]


def test_where_the_agent_is_not_sure_of_the_vpp_nothing_is_counted_twice_and_it_says_so(
    clock: Clock, first: SegmentWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    indexes = Saving()
    publisher = new_publisher(indexes=indexes, clock=clock)
    count(publisher, router_of(ETHERNET), first)
    after, _ = restarted_agent(publisher, indexes, clock)
    clock.now += 3
    monkeypatch.setattr(room, "vpp_of", lambda pid, inode: UNKNOWN_CELL)
    set_rx(first, 1, 607)
    count(after, router_of(ETHERNET), first)
    assert octets(after) == {1001: 607}
    assert rows_of(after)[1001].counter_discontinuity_time == 300


def test_a_name_that_comes_back_goes_on_from_what_it_had_reached(
    clock: Clock, first: SegmentWriter
) -> None:
    publisher = new_publisher(indexes=Saving(), clock=clock)
    publisher.uptime.set(0, 1000.0)
    router = router_of(ETHERNET, LOOP)
    count(publisher, router, first)
    change(publisher, router, gone=3)
    assert octets(publisher) == {1001: 501}
    clock.now += 3
    set_rx(first, 3, 11)  # VPP zeroes an index when it is made anew
    change(publisher, router, LOOP)
    assert octets(publisher) == {1001: 501, 1003: 503 + 11}
    assert rows_of(publisher)[1003].counter_discontinuity_time > 0


def test_who_gets_an_index_gets_nothing_of_what_it_counted_before(first: SegmentWriter) -> None:
    publisher = new_publisher(indexes=Saving())
    router = router_of(LOOP)
    count(publisher, router, first)
    assert octets(publisher) == {1003: 503}
    set_rx(first, 3, 13)
    change(publisher, router, replace(LOOP, interface_name="loop9"), gone=3)
    assert octets(publisher) == {100_001: 13}


def test_the_same_vpp_that_is_connected_again_is_counted_once(
    clock: Clock, first: SegmentWriter
) -> None:
    publisher = new_publisher(indexes=Saving(), clock=clock)
    publisher.uptime.set(0, 1000.0)
    count(publisher, router_of(ETHERNET), first)
    publisher.lose()
    clock.now += 3
    set_rx(first, 1, 521)
    count(publisher, router_of(ETHERNET), first)
    assert octets(publisher) == {1001: 521}
    assert rows_of(publisher)[1001].counter_discontinuity_time == 0


def test_to_serve_vpps_own_numbers_or_to_carry_them_again_is_a_discontinuity(
    clock: Clock, first: SegmentWriter
) -> None:
    indexes = Saving()
    uptime = UpTime()
    uptime.set(0, 1000.0)
    carried, plain = (
        Configuration(Settings(counters=counters)) for counters in ("carried", "plain")
    )
    publisher = Publisher(carried, indexes, uptime, clock=clock)
    count(publisher, router_of(ETHERNET, LOOP), first)
    set_rx(first, 1, 30)
    assert octets(publisher) == {1001: 531, 1003: 503}
    expected = {1001: 531, 1003: 503}
    for configuration, now, value in ((plain, 1003.0, 30), (carried, 1007.0, 30)):
        clock.now = now
        after = Publisher(configuration, indexes, uptime, publisher, clock=clock)
        finish(after)
        assert octets(publisher) == expected  # until the others are shown
        after.succeed(publisher)
        for _ in publisher.dismantle():
            pass
        publisher, expected = after, {1001: value, 1003: 503}
        assert octets(publisher) == expected
        times = {row.counter_discontinuity_time for row in rows_of(publisher).values()}
        assert times == {100 * (now - 1000)}
    set_rx(first, 1, 7)
    assert octets(publisher) == {1001: 37, 1003: 503}


def test_a_row_that_the_settings_hide_for_a_while_goes_on_where_it_was(
    first: SegmentWriter,
) -> None:
    indexes = Saving()
    hidden = Configuration(Settings(hide=("loop0",)))
    publisher = new_publisher(indexes=indexes)
    router = router_of(ETHERNET, LOOP)
    count(publisher, router, first)
    set_rx(first, 3, 9)
    assert octets(publisher) == {1001: 501, 1003: 512}
    for configuration in (hidden, Configuration()):
        after = Publisher(configuration, indexes, publisher.uptime, publisher)
        finish(after)
        after.succeed(publisher)
        finish(after)
        for _ in publisher.dismantle():
            pass
        publisher = after
        set_rx(first, 3, 19)  # VPP counts on meanwhile, and is not asked
    assert octets(publisher) == {1001: 501, 1003: 503 + 19}


# --- moments --------------------------------------------------------------------------------------


def test_last_change_is_when_the_state_changed_and_0_if_it_never_did(
    publisher: Publisher, clock: Clock
) -> None:
    router = router_of(ETHERNET, SUB)
    assert publish(publisher, router)[1001].last_change == 0
    clock.now += 2
    change(publisher, router, replace(ETHERNET, link_up=False))
    rows = rows_of(publisher)
    assert (rows[1001].oper_status, rows[1001].last_change) == (DOWN, 200)
    assert (rows[1002].oper_status, rows[1002].last_change) == (LOWER_LAYER_DOWN, 200)
    clock.now += 2
    change(publisher, router, replace(SUB, tag="other"))
    assert rows_of(publisher)[1002].last_change == 200


def test_the_tables_last_change_follows_the_set_of_rows_alone(
    publisher: Publisher, clock: Clock
) -> None:
    clock.now += 1
    router = router_of(ETHERNET)
    publish(publisher, router)
    assert publisher.last_change == 100
    clock.now += 1
    change(publisher, router, replace(ETHERNET, link_up=False))
    assert publisher.last_change == 100
    clock.now += 1
    change(publisher, router, SUB)
    assert publisher.last_change == 300


def test_a_snmpd_that_started_later_reads_earlier_moments_as_0(
    publisher: Publisher, clock: Clock
) -> None:
    router = router_of(ETHERNET)
    publish(publisher, router)
    clock.now += 10
    change(publisher, router, replace(ETHERNET, link_up=False))
    row = rows_of(publisher)[1001]
    assert row.last_change == 1000
    publisher.uptime.set(0, clock.now + 5)
    assert row.last_change == 0


# --- a VPP that goes and comes back ---------------------------------------------------------------


def test_while_vpp_is_away_rows_stay_and_are_down_with_their_last_counters(
    publisher: Publisher, sources: CounterSet, clock: Clock
) -> None:
    publish(publisher, router_of(ETHERNET, SUB))
    publisher.use(sources)
    finish(publisher)
    clock.now += 4
    publisher.lose()
    finish(publisher)
    rows = rows_of(publisher)
    assert statuses(rows) == {1001: DOWN, 1002: LOWER_LAYER_DOWN}
    assert rows[1001].counters.in_octets == 501
    assert rows[1001].last_change == 400
    clock.now += 4
    publisher.lose()
    finish(publisher)
    assert rows[1001].last_change == 400


# A port and its VLAN, one that is configured down, a bond and a BVI with what they are over.
STACKED = (
    *(ETHERNET, SUB, replace(sub(5, 1, "eth0.9"), admin_up=False), LOOP_301),
    *(port(6, "eth6"), port(7, "bond7", interface_dev_type="bond"), sub(8, 7, "bond7.4")),
    *(Bond(7, 5, (6,)), BridgeDomain(11, 301, (301, 2))),
)
STACKED_AWAY = dict.fromkeys((1001, 1005, 1006), DOWN) | dict.fromkeys(
    (1002, 1007, 1008, 1301), LOWER_LAYER_DOWN
)


def test_rows_that_a_new_vpp_does_not_list_yet_wait_for_it(
    publisher: Publisher, sources: CounterSet, clock: Clock
) -> None:
    publish(publisher, router_of(ETHERNET, SUB, LOOP))
    publisher.use(sources)
    finish(publisher)
    publisher.lose()
    clock.now += 1
    moved = replace(ETHERNET, sw_if_index=4, sup_sw_if_index=4)
    rows = publish(publisher, router_of(moved, identity=RESTARTED), settled=False)
    assert names(rows) == {1001: "eth0", 1002: "eth0.7", 1003: "loop0"}
    assert statuses(rows) == {1001: UP, 1002: LOWER_LAYER_DOWN, 1003: DOWN}
    assert rows[1003].counters.in_octets == 503  # the last there was
    assert rows[1001].counters.in_octets == 501  # another VPP's segment is not mapped yet


def test_a_row_waits_for_its_pair_too(publisher: Publisher) -> None:
    assert publish(publisher, router_of(ETHERNET, TAP, PAIRED))[1001].facts.name == "e0"
    publisher.lose()
    router = router_of(ETHERNET, identity=RESTARTED)
    row = publish(publisher, router, settled=False)[1001]
    assert (row.facts.name, row.oper_status) == ("e0", DOWN)
    publisher.touch(router.apply(Changes((PAIRED, TAP))))
    finish(publisher)
    assert (row.facts.name, row.oper_status) == ("e0", UP)


def test_once_settled_what_is_not_listed_goes_and_nothing_is_made_again_and_again(
    publisher: Publisher,
) -> None:
    publish(publisher, router_of(ETHERNET, TAP, LOOP, PAIRED))
    publisher.lose()
    router = router_of(ETHERNET, identity=RESTARTED)
    assert names(publish(publisher, router, settled=False)) == {1001: "e0", 1003: "loop0"}
    publisher.settle()
    finish(publisher)
    assert names(rows_of(publisher)) == {1001: "eth0"}
    publisher.settle()
    assert not publisher.step(0.0)


def test_a_host_name_that_a_waiting_row_bears_is_not_given_twice(publisher: Publisher) -> None:
    publish(publisher, router_of(ETHERNET, TAP, PAIRED))
    publisher.lose()
    other = replace(LOOP, interface_name="loop4")
    router = router_of(other, TAP, replace(PAIRED, phy_sw_if_index=3), identity=RESTARTED)
    rows = publish(publisher, router, settled=False)
    assert {row.key: row.facts.name for row in rows.values()} == {"eth0": "e0", "loop4": "loop4"}
    assert publisher.clashes == {"loop4": "e0"}


def test_of_a_reporter_that_was_started_again_nothing_is_seen(
    publisher: Publisher, clock: Clock
) -> None:
    before = publish(publisher, router_of(ETHERNET, SUB))
    clock.now += 2
    publisher.follow(router_of(complete=()))
    finish(publisher)
    assert statuses(rows_of(publisher)) == {1001: UP, 1002: UP}
    after = publish(publisher, router_of(ETHERNET, SUB))
    assert all(after[index] is before[index] for index in before)
    assert [row.last_change for row in after.values()] == [0, 0]
    assert not publisher.link_changes


# --- what was known before the start --------------------------------------------------------------


def known(publisher: Publisher) -> list[tuple[str, int, Facts]]:
    """What a state would remember of these rows."""
    return [(row.key, row.index, row.facts) for row in rows_of(publisher).values()]


def restored(before: Publisher, status: int, clock: Clock) -> Publisher:
    publisher = new_publisher(clock=clock)
    publisher.derive(over)
    for _ in publisher.restore(known(before), status):
        pass
    return publisher


def test_rows_are_restored_without_counters(publisher: Publisher, clock: Clock) -> None:
    publish(publisher, router_of(ETHERNET, TAP, SUB, PAIRED))
    after = restored(publisher, UNKNOWN, clock)
    rows = rows_of(after)
    assert names(rows) == {1001: "e0", 1002: "eth0.7"}
    assert statuses(rows) == {1001: UNKNOWN, 1002: UNKNOWN}
    assert (rows[1001].facts.speed, rows[1001].facts.phys_address) == (10**9, b"\2\0\0\0\0\1")
    assert rows[1001].counters.in_octets is None
    assert len(after.counted) == 0


def test_rows_restored_once_vpp_is_known_to_be_away_are_down(publisher: Publisher) -> None:
    facts = publish(new_publisher(), router_of(ETHERNET, LOOP))
    ports = [(row.key, row.index, row.facts) for row in facts.values()]
    restoring = publisher.restore(ports, UNKNOWN)
    publisher.lose()
    assert list(restoring) == []
    finish(publisher)
    assert statuses(rows_of(publisher)) == {1001: DOWN, 1003: DOWN}


def test_no_two_restored_rows_have_one_name_though_they_were_saved_at_different_times(
    publisher: Publisher,
) -> None:
    facts = [row.facts for row in publish(new_publisher(), router_of(ETHERNET, LOOP)).values()]
    ports = [
        ("eth0", 1001, replace(facts[0], name="loop0")),  # its host name of then
        ("loop0", 1003, facts[1]),
    ]
    assert list(publisher.restore(ports, UNKNOWN)) == []
    assert names(rows_of(publisher)) == {1001: "eth0", 1003: "loop0"}


def test_restored_rows_keep_what_they_are_over_and_their_addresses(
    publisher: Publisher, clock: Clock
) -> None:
    here = (bytes((192, 0, 2, 1)), 24)
    publish(publisher, router_of(ETHERNET, SUB, Addresses(2, (here,))))
    after = new_publisher(clock=clock)
    derived = after.derive(over)
    for _ in after.restore(known(publisher), DOWN):
        pass
    assert {index: derived.rows.get(index) for index in derived.rows} == {
        oid("1002"): "eth0.7 on eth0"
    }
    rows = rows_of(after)
    assert rows[1002].facts.addresses == (here,)
    assert (rows[1001].facts.link_traps, rows[1002].facts.link_traps) == (True, False)
    # Of a VPP that has reported its interfaces, and not yet its addresses.
    assert publish(after, router_of(ETHERNET, SUB))[1002].facts.addresses == (here,)


def test_neighbours_of_a_port_that_the_next_vpp_does_not_list_go_when_it_has_reported_its_own(
    publisher: Publisher,
) -> None:
    router = router_of(ETHERNET, LOOP)
    publish(publisher, router)
    router.apply_neighbors(NeighborChanges((BEHIND._replace(sw_if_index=3),)))
    publisher.touch_neighbors([3])
    publisher.complete(NEIGHBORS)
    publisher.lose()
    finish(publisher)
    assert len(publisher.ipv4_neighbors) == 1
    publish(publisher, router_of(ETHERNET, identity=RESTARTED), settled=False)
    assert len(publisher.ipv4_neighbors) == 1
    publisher.complete(NEIGHBORS)
    finish(publisher)
    assert len(publisher.ipv4_neighbors) == 0
    assert 1003 in rows_of(publisher)  # the row waits for VPP to be configured


def test_what_other_settings_hide_goes_although_vpp_is_away(
    publisher: Publisher, clock: Clock
) -> None:
    publish(publisher, router_of(ETHERNET, LOOP))
    publisher.lose()
    finish(publisher)
    after = successor(publisher, clock, hide=("loop*",))
    finish(after)
    after.succeed(publisher)
    assert names(rows_of(after)) == {1001: "eth0"}


def test_what_the_settings_hide_is_not_restored(publisher: Publisher) -> None:
    publish(publisher, router_of(ETHERNET, LOOP))
    after = with_setting(hide=("loop*",))
    for _ in after.restore(known(publisher), UNKNOWN):
        pass
    assert names(rows_of(after)) == {1001: "eth0"}


# --- links that went down or came up --------------------------------------------------------------


def test_a_link_that_went_down_or_came_up_is_noted(publisher: Publisher) -> None:
    router = router_of(ETHERNET, LOOP)
    publish(publisher, router)
    change(publisher, router, replace(ETHERNET, link_up=False))
    change(publisher, router, ETHERNET)
    assert publisher.link_changes == [LinkChange(1001, False), LinkChange(1001, True)]


def test_what_becomes_known_or_goes_is_no_change_of_a_link(publisher: Publisher) -> None:
    router = router_of(replace(ETHERNET, link_up=False))
    publish(publisher, router)
    change(publisher, router, LOOP)
    change(publisher, router, gone=1)
    assert not publisher.link_changes


def test_lower_layer_down_is_a_way_of_being_down(publisher: Publisher) -> None:
    pulled = replace(ETHERNET, link_up=False)
    router = router_of(pulled, SUB)
    publish(publisher, router)
    change(publisher, router, replace(pulled, admin_up=False), replace(SUB, admin_up=False))
    row = rows_of(publisher)[1002]
    assert (row.oper_status, row.is_down) == (DOWN, True)
    assert not publisher.link_changes


def test_a_vpp_that_is_away_takes_its_links_down_and_brings_them_up_again(
    publisher: Publisher,
) -> None:
    publish(publisher, router_of(ETHERNET, LOOP))
    for _ in range(2):
        publisher.lose()
        finish(publisher)
    assert publisher.link_changes == [LinkChange(1001, False), LinkChange(1003, False)]
    publisher.link_changes.clear()
    publish(publisher, router_of(ETHERNET, identity=RESTARTED), settled=False)
    assert publisher.link_changes == [LinkChange(1001, True)]


@pytest.mark.parametrize(("away", "changes"), [(False, 0), (True, 1)])
def test_after_a_start_only_what_was_shown_as_down_can_come_up(
    publisher: Publisher, clock: Clock, away: bool, changes: int
) -> None:
    publish(publisher, router_of(ETHERNET))
    after = restored(publisher, UNKNOWN, clock)
    if away:
        after.lose()
        finish(after)
    publish(after, router_of(ETHERNET))
    assert len(after.link_changes) == changes


# --- other tables, made of these rows -------------------------------------------------------------


class Over(str):
    """A row of a test's table; a text that knows whose it is."""

    row: Row


def over(row: Row, interfaces: Interfaces) -> Iterator[tuple[bytes, Over]]:
    """A table for a test: who is over whom."""
    for lower in interfaces.lower_rows(row):
        made = Over(f"{row.facts.name} on {lower.facts.name}")
        made.row = row
        yield oid(str(row.index)), made


def entries(publisher: Publisher) -> list[str]:
    (derived,) = publisher._derived
    return [str(derived.rows.get(index)) for index in derived.rows]


def test_a_derived_table_follows_the_rows(publisher: Publisher, clock: Clock) -> None:
    derived = publisher.derive(over, lambda value: value.row)
    assert (len(derived.rows), derived.changed_at) == (0, None)
    router = router_of(ETHERNET, SUB)
    publish(publisher, router)
    assert entries(publisher) == ["eth0.7 on eth0"]
    clock.now += 2
    change(publisher, router, replace(SUB, tag="other"))
    assert derived.changed_at == 1000.0
    change(publisher, router, gone=2)
    assert (len(derived.rows), derived.changed_at) == (0, 1002.0)


def test_what_a_row_is_over_may_come_and_go_after_it(publisher: Publisher) -> None:
    publisher.derive(over, lambda value: value.row)
    router = router_of(SUB)
    publish(publisher, router)
    assert entries(publisher) == []
    change(publisher, router, ETHERNET)
    assert entries(publisher) == ["eth0.7 on eth0"]
    change(publisher, router, gone=1)
    assert entries(publisher) == []


def test_rows_that_wait_for_vpp_keep_what_they_are_over(publisher: Publisher) -> None:
    publisher.derive(over, lambda value: value.row)
    publish(publisher, router_of(ETHERNET, SUB))
    publisher.lose()
    finish(publisher)
    assert entries(publisher) == ["eth0.7 on eth0"]
    publish(publisher, router_of(LOOP, identity=RESTARTED), settled=False)
    assert entries(publisher) == ["eth0.7 on eth0"]
    publish(publisher, router_of(LOOP, identity=RESTARTED), settled=True)
    assert entries(publisher) == []


def test_a_bond_of_a_vpp_that_returns_keeps_its_members_until_they_are_added_again(
    publisher: Publisher,
) -> None:
    record = Bond(3, 5, (1,))
    row = publish(publisher, router_of(ETHERNET, LOOP, record))[1003]
    assert row.facts.lower_layers == ("eth0",)
    publisher.lose()
    bare = router_of(ETHERNET, LOOP, identity=RESTARTED)
    publish(publisher, bare, settled=False)
    assert (row.facts.lower_layers, row.facts.link_traps) == (("eth0",), False)
    publish(publisher, bare, settled=True)
    assert not row.facts.lower_layers
    assert row.facts.link_traps


def test_of_what_a_row_is_over_only_what_differs_is_made_anew(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = [port(index, f"port{index}") for index in range(1, 301)]
    router = router_of(*ports, LOOP_301, BridgeDomain(1, 301, tuple(range(1, 301))))
    publish(publisher, router)
    assert len(publisher.lower_rows(rows_of(publisher)[1301])) == 300
    derived: list[str] = []
    original = Publisher._derive

    def note(self: Publisher, row: Row) -> None:
        derived.append(row.key)
        original(self, row)

    monkeypatch.setattr(Publisher, "_derive", note)
    publisher.touch(router.apply(Changes((BridgeDomain(1, 301, tuple(range(1, 300))),))))
    finish(publisher)
    assert sorted(derived) == ["loop301", "port300"]
    derived.clear()
    publisher.touch(router.apply(Changes((BridgeDomain(1, 301, ()),))))
    publisher.step(time.perf_counter())  # one row, however much it was over
    assert derived == ["loop301"]
    finish(publisher)
    assert len(set(derived)) == 300


def over_each(row: Row, interfaces: Interfaces) -> Iterator[tuple[bytes, Row]]:
    """A table for a test: an entry for each row that one is over."""
    for lower in interfaces.lower_rows(row):
        yield oid(f"{row.index}.{lower.index}"), row


@pytest.mark.parametrize("turns", [1, 3, 8, 100])
@pytest.mark.parametrize("members", [(), (5, 6, 7), None])
def test_the_entries_of_a_row_over_very_many_are_made_a_slice_at_a_time(
    publisher: Publisher,
    monkeypatch: pytest.MonkeyPatch,
    turns: int,
    members: tuple[int, ...] | None,
) -> None:
    """And whatever becomes of the row meanwhile, no entry is left over, nor missing."""
    monkeypatch.setattr(room, "ENTRIES_SLICE", 50)
    monkeypatch.setattr(rows, "ENTRIES_SLICE", 50)
    derived = publisher.derive(over_each)
    ports = [port(index, f"port{index}") for index in range(1, 301)]
    router = router_of(*ports, LOOP_301)
    publish(publisher, router)
    publisher.touch(router.apply(Changes((BridgeDomain(1, 301, tuple(range(1, 301))),))))
    publisher.step(0.0)
    assert len(derived.rows) <= 50
    for _ in range(turns):
        publisher.step(0.0)
    what_next = Changes((BridgeDomain(1, 301, members),)) if members is not None else GONE_301
    publisher.touch(router.apply(what_next))
    finish(publisher)
    expected = [oid(f"1301.{1000 + member}") for member in members or ()]
    assert list(derived.rows) == expected
    shown = rows_of(publisher).get(1301)
    assert (shown.entries if shown else None) == ((tuple(expected),) if shown else None)


def test_a_hidden_interface_carries_nobody() -> None:
    publisher = with_setting(hide=("eth0",))
    row = publish(publisher, router_of(ETHERNET, SUB))[1002]
    assert publisher.lower_rows(row) == []


# --- addresses and neighbours ---------------------------------------------------------------------

HERE, THERE = (bytes((192, 0, 2, 1)), 24), (bytes((192, 0, 2, 9)), 24)
BEHIND = Neighbor(1, bytes((192, 0, 2, 2)), bytes(range(6)), False)


def test_an_address_is_new_only_where_all_had_been_asked_for(
    publisher: Publisher, clock: Clock
) -> None:
    router = router_of(ETHERNET)
    row = publish(publisher, router)[1001]

    def report(*addresses: tuple[bytes, int]) -> None:
        clock.now += 1
        publisher.touch(router.apply(Changes((Addresses(1, addresses),))))
        finish(publisher)

    report(HERE)
    router.complete.add(ADDRESSES)
    publisher.complete(ADDRESSES)
    finish(publisher)
    assert (row.facts.addresses, dict(row.address_since)) == ((HERE,), {})
    report(HERE, THERE)
    assert dict(row.address_since) == {THERE[0]: 1002.0}
    report((HERE[0], 25))
    assert (row.facts.addresses, dict(row.address_since)) == (
        ((HERE[0], 25),),
        {HERE[0]: 1003.0},
    )


def test_addresses_of_a_vpp_that_returns_stay_until_it_has_reported_its_own(
    publisher: Publisher,
) -> None:
    everything = (INTERFACES, ADDRESSES, NEIGHBORS)
    first = router_of(ETHERNET, Addresses(1, (HERE,)), neighbors=(BEHIND,), complete=everything)
    row = publish(publisher, first)[1001]

    def neighbors() -> int:
        return len(publisher.ipv4_neighbors.get(oid("1001")) or ())

    assert (len(row.facts.addresses), neighbors()) == (1, 1)
    publisher.lose()
    publish(publisher, router_of(ETHERNET, identity=RESTARTED), settled=False)
    assert (len(row.facts.addresses), neighbors()) == (1, 1)
    # Reported, but not configured yet.
    bare = router_of(ETHERNET, Addresses(1, ()), identity=RESTARTED, complete=everything)
    publish(publisher, bare, settled=False)
    assert (len(row.facts.addresses), neighbors()) == (1, 0)
    publish(publisher, bare, settled=True)
    assert not row.facts.addresses
    other = router_of(ETHERNET, Addresses(1, (THERE,)), identity=RESTARTED, complete=everything)
    publish(publisher, other, settled=False)
    assert row.facts.addresses == (THERE,)


def test_what_a_settled_vpp_was_not_configured_with_again_is_gone(publisher: Publisher) -> None:
    before = router_of(ETHERNET, SUB, LOOP, Addresses(1, (HERE,)), Bond(3, 5, (1,)))
    rows = publish(publisher, before)
    publisher.lose()
    bare = router_of(ETHERNET, SUB, LOOP, Addresses(1, ()), identity=RESTARTED)
    publish(publisher, bare, settled=False)
    assert (rows[1001].facts.addresses, rows[1003].facts.lower_layers) == ((HERE,), ("eth0",))
    publisher.settle()
    finish(publisher)
    assert (rows[1001].facts.addresses, rows[1003].facts.lower_layers) == ((), ())


def test_neighbours_come_and_go_without_a_row_made_anew(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    router = router_of(ETHERNET)
    publish(publisher, router)
    monkeypatch.setattr(Publisher, "_make", None)
    index = oid("1001")
    publisher.touch_neighbors(router.apply_neighbors(NeighborChanges((BEHIND,))))
    assert publisher.ipv4_neighbors.get(index) == [b"\xc0\0\2\2\0\1\2\3\4\5\0"]
    gone = NeighborChanges(gone=((1, BEHIND.address),))
    publisher.touch_neighbors(router.apply_neighbors(gone))
    assert publisher.ipv4_neighbors.get(index) is None


def test_a_row_that_goes_takes_its_neighbours_along(publisher: Publisher) -> None:
    router = router_of(ETHERNET, LOOP, neighbors=(BEHIND,))
    publish(publisher, router)
    assert len(publisher.ipv4_neighbors) == 1
    change(publisher, router, gone=1)
    assert len(publisher.ipv4_neighbors) == 0


# --- settings -------------------------------------------------------------------------------------


def names_by(**settings: object) -> dict[str, tuple[str, str]]:
    rows = publish(with_setting(**settings), router_of(ETHERNET, TAP, LOOP, PAIRED))
    return {row.key: (row.facts.name, row.facts.alias) for row in rows.values()}


def test_names_may_be_vpps_own() -> None:
    assert names_by(names="vpp") == {"eth0": ("eth0", ""), "loop0": ("loop0", "")}


def test_names_may_be_borne_by_the_taps() -> None:
    assert names_by(names="tap") == {
        "eth0": ("eth0", ""),
        "tap of eth0": ("e0", "LCP eth0 (tap1)"),
        "loop0": ("loop0", ""),
    }


def test_taps_may_be_shown_under_vpps_names() -> None:
    assert names_by(taps="show")["tap of eth0"] == ("tap1", "")


@pytest.mark.parametrize("glob", ["loop*", "loop0", "*0"])
def test_globs_hide_rows_by_vpps_name(glob: str) -> None:
    assert "loop0" not in names_by(hide=(glob,))


def test_globs_hide_rows_by_their_own_name() -> None:
    assert names_by(hide=("e0",)) == {"loop0": ("loop0", "")}


def test_an_alias_may_fall_back_on_the_name() -> None:
    assert names_by(alias="name")["eth0"] == ("e0", "e0")


# --- another configuration -----------------------------------------------------------------------


def successor(publisher: Publisher, clock: Clock, **settings: object) -> Publisher:
    """The same rows under other settings, while those are shown on."""
    return Publisher(
        Configuration(Settings(**settings)),  # type: ignore[arg-type]
        *(publisher._indexes, publisher.uptime, publisher),
        clock=clock,
    )


def test_other_settings_make_other_rows_while_the_old_ones_stand(
    publisher: Publisher, sources: CounterSet, clock: Clock
) -> None:
    router = router_of(ETHERNET, TAP, LOOP, PAIRED)
    before = publish(publisher, router)
    publisher.use(sources)
    finish(publisher)
    clock.now += 5
    change(publisher, router, replace(LOOP, link_up=False))
    after = successor(publisher, clock, names="vpp", hide=())
    assert len(after.rows) == 0
    finish(after)
    assert names(rows_of(publisher)) == {1001: "e0", 1003: "loop0"}
    assert names(rows_of(after)) == {1001: "eth0", 1003: "loop0"}
    rows = rows_of(after)
    # What lives with a row passes over; the row is another one.
    assert rows[1001] is not before[1001]
    assert rows[1001].counters is before[1001].counters
    assert (rows[1003].oper_status, rows[1003].last_change) == (DOWN, 500)
    clock.now += 1
    after.succeed(publisher)
    assert after.last_change == publisher.last_change
    assert not after.link_changes


def test_what_vpp_reports_meanwhile_reaches_both(publisher: Publisher, clock: Clock) -> None:
    router = router_of(ETHERNET, LOOP)
    publish(publisher, router)
    after = successor(publisher, clock, alias="name")
    touched = router.apply(Changes((replace(ETHERNET, link_up=False),)))
    for each in (publisher, after):
        each.touch(touched)
        finish(each)
    after.succeed(publisher)
    assert rows_of(after)[1001].oper_status == DOWN
    assert rows_of(publisher)[1001].oper_status == DOWN


def test_rows_that_wait_pass_over_too(publisher: Publisher, clock: Clock) -> None:
    publish(publisher, router_of(ETHERNET, LOOP))
    publisher.lose()
    publish(publisher, router_of(ETHERNET, identity=RESTARTED), settled=False)
    after = successor(publisher, clock, alias="name")
    finish(after)
    after.succeed(publisher)
    assert statuses(rows_of(after)) == {1001: UP, 1003: DOWN}
    after.settle()
    finish(after)
    assert statuses(rows_of(after)) == {1001: UP}


def test_no_row_is_lost_where_vpp_goes_before_the_other_rows_are_made(
    publisher: Publisher, clock: Clock
) -> None:
    publish(publisher, router_of(ETHERNET, LOOP))
    after = successor(publisher, clock, alias="name")
    for each in (publisher, after):
        each.lose()
        finish(each)
    assert statuses(rows_of(after)) == {1001: DOWN, 1003: DOWN}


def test_no_row_is_lost_where_the_reporter_starts_again_before_the_other_rows_are_made(
    publisher: Publisher, clock: Clock
) -> None:
    publish(publisher, router_of(ETHERNET, LOOP))
    after = successor(publisher, clock, alias="name")
    again = Router(VPP)
    for each in (publisher, after):
        each.follow(again)
        finish(each)
    assert statuses(rows_of(after)) == {1001: UP, 1003: UP}


def test_what_vpp_had_reported_and_was_still_waiting_counts_for_other_settings_too(
    publisher: Publisher, clock: Clock
) -> None:
    router = router_of(ETHERNET, LOOP)
    publish(publisher, router, finish=False)
    after = successor(publisher, clock, alias="name")
    for each in (publisher, after):
        finish(each)
    change(after, router, replace(ETHERNET, link_up=False))
    assert after.link_changes == [LinkChange(1001, False)]
    change(after, router, gone=3)
    assert statuses(rows_of(after)) == {1001: DOWN}


def test_a_publisher_that_was_never_shown_holds_on_to_nothing(
    publisher: Publisher, clock: Clock
) -> None:
    publish(publisher, router_of(ETHERNET, SUB, LOOP))
    gc.collect()
    gc.disable()
    try:
        after = successor(publisher, clock, alias="name")
        after.step(time.perf_counter())
        left = weakref.ref(after)
        for _ in after.dismantle():
            pass
        del after
        assert left() is None
    finally:
        gc.enable()


def test_to_dismantle_takes_many_small_steps(publisher: Publisher, clock: Clock) -> None:
    ports = [port(index, f"eth{index}") for index in range(1, 2001)]
    publish(publisher, router_of(*ports))
    steps = sum(1 for _ in publisher.dismantle())
    assert steps >= 2000 // 512 + 2000 // 100
    assert (len(publisher.rows), len(publisher.by_key)) == (0, 0)


def test_the_same_report_in_any_order_of_changes_gives_the_same_rows(clock: Clock) -> None:
    at_once, one_by_one = new_publisher(clock=clock), new_publisher(clock=clock)
    records = (PAIRED, Bond(3, 5, (1,)), ETHERNET, SUB, LOOP, TAP)
    expected = publish(at_once, router_of(*records))
    router = Router(VPP)
    one_by_one.settled = True
    one_by_one.follow(router)
    for record in reversed(records):
        one_by_one.touch(router.apply(Changes((record,))))
        finish(one_by_one)
    router.complete.add(Complete(INTERFACES).what)
    one_by_one.complete(INTERFACES)
    finish(one_by_one)
    assert {row.key: (row.facts, row.oper_status) for row in rows_of(one_by_one).values()} == {
        row.key: (row.facts, row.oper_status) for row in expected.values()
    }
