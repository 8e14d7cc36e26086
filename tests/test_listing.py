"""interfaces/listing.py: which interface VPP lists under which key."""

from dataclasses import replace

import pytest

from vpp_snmp_agent.interfaces.counters import CounterSet
from vpp_snmp_agent.interfaces.listing import Listing
from vpp_snmp_agent.interfaces.publisher import Publisher
from vpp_snmp_agent.settings.declarations import Settings
from vpp_snmp_agent.vpp.records import INTERFACES, Changes, Interface, Record
from vpp_snmp_agent.vpp.router import Router

from .routers import (
    ETHERNET,
    LOOP,
    PAIRED,
    SUB,
    TAP,
    VPP,
    Clock,
    change,
    finish,
    names,
    publish,
    router_of,
    rows_of,
)


def listed(*records: Record) -> tuple[Listing, Router]:
    """What a VPP lists once it has reported these."""
    listing, router = Listing(), router_of(*records)
    listing.follow(router)
    listing.refresh(router.interfaces, Settings())
    return listing, router


def test_an_interface_is_listed_under_the_key_of_its_row() -> None:
    listing, _ = listed(ETHERNET, SUB)
    assert list(listing) == ["eth0", "eth0.7"]
    assert (listing.interface("eth0"), listing.key_at(2)) == (ETHERNET, "eth0.7")
    assert (listing.interface("loop0"), listing.key_at(3)) == (None, None)


def test_what_can_be_no_row_is_not_listed() -> None:
    listing, _ = listed(ETHERNET, TAP, PAIRED)
    assert list(listing) == ["eth0"]


def test_to_list_one_again_touches_its_row_and_no_other() -> None:
    listing, router = listed(ETHERNET, SUB, LOOP)
    assert list(listing.refresh([3, 1], Settings())) == ["loop0", "eth0"]
    router.apply(Changes((replace(LOOP, interface_name="loop4"),)))
    assert list(listing.refresh([3], Settings())) == ["loop0", "loop4"]
    router.apply(Changes((), ((Interface, 2),)))
    assert list(listing.refresh([2], Settings())) == ["eth0.7"]
    assert list(listing) == ["eth0", "loop4"]
    assert [listing.key_at(index) for index in (1, 2, 3)] == ["eth0", None, "loop4"]


def test_a_key_is_that_of_whoever_was_reported_last_under_it() -> None:
    listing, router = listed(LOOP)
    moved = replace(LOOP, sw_if_index=5, sup_sw_if_index=5)
    router.apply(Changes((moved,)))
    assert list(listing.refresh([5], Settings())) == ["loop0"]
    assert listing.interface("loop0") == moved
    # That the first one goes takes nothing from the second.
    router.apply(Changes((), ((Interface, 3),)))
    assert list(listing.refresh([3], Settings())) == ["loop0"]
    assert listing.interface("loop0") == moved


@pytest.mark.parametrize("following", [Router(VPP), None])
def test_nothing_is_listed_of_a_vpp_before(following: Router | None) -> None:
    listing, _ = listed(ETHERNET)
    listing.reported.add(INTERFACES)
    listing.follow(following)
    assert (list(listing), listing.reported) == ([], set())
    assert (listing.interface("eth0"), listing.key_at(1)) == (None, None)
    assert not list(listing.refresh([1], Settings()))


# --- the rows of keys that move -------------------------------------------------------------------


def test_a_sw_if_index_that_changed_hands_is_another_row(
    publisher: Publisher, sources: CounterSet, clock: Clock
) -> None:
    router = router_of(LOOP)
    publisher.use(sources)
    before = publish(publisher, router)
    assert names(before) == {1003: "loop0"}
    clock.now += 3
    change(publisher, router, replace(LOOP, interface_name="loop9"), gone=[LOOP])
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
    change(publisher, router, replace(LOOP, sw_if_index=5, sup_sw_if_index=5), gone=[LOOP])
    row = rows_of(publisher)[1003]
    assert (row.facts.name, row.counters.in_octets) == ("loop0", 503 + 505)
    assert row.counter_discontinuity_time == 300
