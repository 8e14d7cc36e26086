"""interfaces/moments.py: what counts as a change, and since when."""

from dataclasses import replace

from vpp_snmp_agent.interfaces.facts import DOWN, LOWER_LAYER_DOWN
from vpp_snmp_agent.interfaces.moments import Moments
from vpp_snmp_agent.interfaces.publisher import Publisher
from vpp_snmp_agent.vpp.records import ADDRESSES, Addresses, Changes

from .routers import (
    ETHERNET,
    SUB,
    Clock,
    change,
    finish,
    publish,
    router_of,
    rows_of,
)

HERE, THERE = (bytes((192, 0, 2, 1)), 24), (bytes((192, 0, 2, 9)), 24)
ELSEWHERE = (bytes((192, 0, 2, 17)), 28)


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
    report(HERE, THERE, ELSEWHERE)
    assert dict(row.address_since) == {THERE[0]: 1002.0, ELSEWHERE[0]: 1003.0}
    report((HERE[0], 25))
    assert (row.facts.addresses, dict(row.address_since)) == (
        ((HERE[0], 25),),
        {HERE[0]: 1004.0},
    )


# --- without rows ---------------------------------------------------------------------------------


def test_nothing_is_a_change_before_all_was_reported_once(clock: Clock) -> None:
    moments = Moments(clock)
    assert not moments.is_change("eth0")
    moments.end_first({"eth0.7"})
    assert (moments.is_change("eth0"), moments.is_change("eth0.7")) == (True, False)
    moments.show("eth0.7")
    assert moments.is_change("eth0.7")
    # Only the first report is one: what waits for its ifIndex later is new.
    moments.end_first({"eth0"})
    assert moments.is_change("eth0")


def test_what_was_early_for_those_before_or_for_these_is_no_change_for_these(
    clock: Clock,
) -> None:
    before, after = Moments(clock), Moments(clock)
    before.end_first({"eth0"})
    after.end_first({"loop0"})
    after.inherit(before)
    assert [after.is_change(key) for key in ("eth0", "loop0", "eth6")] == [False, False, True]


def test_other_rows_of_the_same_set_changed_when_those_before_did(clock: Clock) -> None:
    before, same, other = Moments(clock), Moments(clock), Moments(clock)
    before.change_set()
    clock.now += 4
    same.succeed(before, is_other_set=False)
    other.succeed(before, is_other_set=True)
    assert (same.set_changed_at, other.set_changed_at) == (1000.0, 1004.0)


def test_those_that_replace_rows_know_which_of_them_are_no_change(clock: Clock) -> None:
    before, after = Moments(clock), Moments(clock)
    before.end_first({"eth0"})
    after.inherit(before)
    assert (after.is_change("eth0"), after.is_change("loop0")) == (False, True)


def test_an_address_that_came_keeps_its_moment_when_another_comes(
    publisher: Publisher, clock: Clock
) -> None:
    row = publish(publisher, router_of(ETHERNET, Addresses(1, (HERE,))))[1001]
    moments = Moments(clock)
    moments.know_addresses()
    row.address_since = {HERE[0]: 990.0}
    since = moments.addresses_since(row, (HERE, THERE), 1003.0)
    assert since == {HERE[0]: 990.0, THERE[0]: 1003.0}
