"""interfaces/saving.py: what counters have come to is saved, and gone on from."""

import os
from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from simulator.segment import SegmentWriter
from vpp_snmp_agent.agentx.mib import UpTime
from vpp_snmp_agent.interfaces import counting
from vpp_snmp_agent.interfaces.counters import InterfaceCounters
from vpp_snmp_agent.interfaces.facts import UNKNOWN, Configuration
from vpp_snmp_agent.interfaces.ip_statistics import IN_RECEIVES
from vpp_snmp_agent.interfaces.journal import Port
from vpp_snmp_agent.interfaces.publisher import Publisher
from vpp_snmp_agent.interfaces.reached import UNKNOWN as UNKNOWN_CELL
from vpp_snmp_agent.interfaces.reached import Reached
from vpp_snmp_agent.interfaces.totals import Saved
from vpp_snmp_agent.operator.snapshot import ReadOnlyIndexes
from vpp_snmp_agent.settings.declarations import Settings
from vpp_snmp_agent.vpp.layout import Kind

from .routers import (
    ETHERNET,
    LOOP,
    RESTARTED,
    SUB,
    VPP,
    Clock,
    change,
    count,
    finish,
    new_publisher,
    octets,
    router_of,
    rows_of,
    rx_writer,
    set_rx,
    with_setting,
)


class NotingIndexes(ReadOnlyIndexes):
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


def test_a_row_that_waits_for_another_vpp_goes_on_when_it_comes(
    clock: Clock, first: SegmentWriter, second: SegmentWriter
) -> None:
    indexes = NotingIndexes()
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
    indexes = NotingIndexes()
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
    indexes = NotingIndexes()
    publisher = new_publisher(indexes=indexes)
    count(publisher, router_of(ETHERNET), first)
    assert publisher._counting.sources is not None
    publisher._counting.sources.fallen.update({f"eth{number}": None for number in range(1000)})
    publisher.step(0.0)
    assert 0 < len(indexes.saved) <= 30
    finish(publisher)
    assert len(indexes.saved) == 1000


def test_of_bases_that_take_long_to_save_each_is_saved_before_there_is_rest(
    first: SegmentWriter,
) -> None:
    indexes = NotingIndexes()
    publisher = new_publisher(indexes=indexes)
    count(publisher, router_of(ETHERNET), first)
    assert publisher._counting.sources is not None
    indexes.at_once = 3
    publisher._counting.sources.fallen.update({f"eth{number}": None for number in range(100)})
    finish(publisher)
    assert len(indexes.saved) == 100


def writer_of_ip(*received: int) -> SegmentWriter:
    """A segment that has received so many IPv4 packets at each sw_if_index."""
    made = rx_writer(500)
    made.add_counter("/if/ip4", Kind.SIMPLE, 1, 8)
    made.set_row("/if/ip4", 0, list(received))
    return made


def received(publisher: Publisher) -> int | None:
    """IPv4 packets of all interfaces, as they are now."""
    publisher.system.ipv4._read_at = float("-inf")
    return publisher.system.ipv4.value(IN_RECEIVES)


def test_packets_of_all_interfaces_go_on_over_a_restart_of_vpp_of_the_agent_and_of_both() -> None:
    made, other, third = writer_of_ip(5, 100, 30), writer_of_ip(0, 4), writer_of_ip(0, 0, 9)
    indexes = NotingIndexes()
    publisher = new_publisher(indexes=indexes)
    count(publisher, router_of(ETHERNET, LOOP), made)
    assert received(publisher) == 135
    made.set_row("/if/ip4", 0, [5, 120, 0])  # made again
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
    made, indexes = writer_of_ip(5, 100, 30), NotingIndexes()
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


def test_what_only_counted_on_is_not_saved_at_every_poll() -> None:
    made, indexes = writer_of_ip(5, 100), NotingIndexes()
    publisher = new_publisher(indexes=indexes)
    count(publisher, router_of(ETHERNET), made)
    assert received(publisher) == 105
    publisher.poll()
    assert indexes.saved_totals == {}
    os.close(made.fd)


def test_vpps_memory_is_shown_by_an_agent_that_starts_while_none_is_there() -> None:
    made, indexes = writer_of_ip(5), NotingIndexes()
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
    indexes = NotingIndexes()
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
    publisher: Publisher, indexes: NotingIndexes, clock: Clock
) -> tuple[Publisher, NotingIndexes]:
    """Another agent, which knows what the one before saved when it ended."""
    ports = []
    for row in rows_of(publisher).values():
        reached = row.counters.reached()
        if reached is not None:
            reached = reached._replace(read=0)
        ports.append(Port(row.index, row.key, 0.0, row.facts, reached))
    after_indexes = NotingIndexes(ports)
    after = new_publisher(indexes=after_indexes, clock=clock)
    after.uptime.set(0, 1000.0)
    known = [(each.key, each.if_index, each.facts) for each in ports if each.facts]
    for _ in after.restore(known, UNKNOWN):
        pass
    return after, after_indexes


def test_an_agent_that_starts_again_goes_on_with_the_same_vpp_and_says_nothing(
    clock: Clock, first: SegmentWriter
) -> None:
    indexes = NotingIndexes()
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
    indexes = NotingIndexes()
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
    indexes = NotingIndexes()
    publisher = new_publisher(indexes=indexes, clock=clock)
    count(publisher, router_of(ETHERNET), first)
    after, _ = restarted_agent(publisher, indexes, clock)
    clock.now += 3
    monkeypatch.setattr(counting, "vpp_of", lambda pid, inode: UNKNOWN_CELL)
    set_rx(first, 1, 607)
    count(after, router_of(ETHERNET), first)
    assert octets(after) == {1001: 607}
    assert rows_of(after)[1001].counter_discontinuity_time == 300


def test_a_name_that_comes_back_goes_on_from_what_it_had_reached(
    clock: Clock, first: SegmentWriter
) -> None:
    publisher = new_publisher(indexes=NotingIndexes(), clock=clock)
    publisher.uptime.set(0, 1000.0)
    router = router_of(ETHERNET, LOOP)
    count(publisher, router, first)
    change(publisher, router, gone=[LOOP])
    assert octets(publisher) == {1001: 501}
    clock.now += 3
    set_rx(first, 3, 11)  # VPP zeroes an index when it is made again
    change(publisher, router, LOOP)
    assert octets(publisher) == {1001: 501, 1003: 503 + 11}
    assert rows_of(publisher)[1003].counter_discontinuity_time > 0


def test_who_gets_an_index_gets_nothing_of_what_it_counted_before(first: SegmentWriter) -> None:
    publisher = new_publisher(indexes=NotingIndexes())
    router = router_of(LOOP)
    count(publisher, router, first)
    assert octets(publisher) == {1003: 503}
    set_rx(first, 3, 13)
    change(publisher, router, replace(LOOP, interface_name="loop9"), gone=[LOOP])
    assert octets(publisher) == {100_001: 13}


def test_the_same_vpp_that_is_connected_again_is_counted_once(
    clock: Clock, first: SegmentWriter
) -> None:
    publisher = new_publisher(indexes=NotingIndexes(), clock=clock)
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
    indexes = NotingIndexes()
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
    indexes = NotingIndexes()
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
