"""interfaces/stacking.py: layers, and the tables that have entries of each row."""

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from vpp_snmp_agent.agentx.values import oid
from vpp_snmp_agent.interfaces import rows
from vpp_snmp_agent.interfaces import stacking as room
from vpp_snmp_agent.interfaces.publisher import Publisher
from vpp_snmp_agent.interfaces.rows import Interfaces, Row
from vpp_snmp_agent.interfaces.stacking import Stacking
from vpp_snmp_agent.vpp.records import Bond, BridgeDomain, Changes

from .routers import (
    ETHERNET,
    GONE_301,
    LOOP,
    LOOP_301,
    RESTARTED,
    SUB,
    Clock,
    change,
    finish,
    over,
    port,
    publish,
    router_of,
    rows_of,
    with_setting,
)


def entries(publisher: Publisher) -> list[str]:
    (derived,) = publisher.stacking.tables
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
    change(publisher, router, gone=[SUB])
    assert (len(derived.rows), derived.changed_at) == (0, 1002.0)


def test_what_a_row_is_over_may_come_and_go_after_it(publisher: Publisher) -> None:
    publisher.derive(over, lambda value: value.row)
    router = router_of(SUB)
    publish(publisher, router)
    assert entries(publisher) == []
    change(publisher, router, ETHERNET)
    assert entries(publisher) == ["eth0.7 on eth0"]
    change(publisher, router, gone=[ETHERNET])
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


def test_of_the_lower_layers_of_a_row_only_what_differs_is_made_again(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = [port(index, f"port{index}") for index in range(1, 301)]
    router = router_of(*ports, LOOP_301, BridgeDomain(1, 301, tuple(range(1, 301))))
    publish(publisher, router)
    assert len(publisher.stacking.lower_rows(rows_of(publisher)[1301])) == 300
    derived: list[str] = []
    original = Stacking._derive

    def note(self: Stacking, row: Row) -> None:
        derived.append(row.key)
        original(self, row)

    monkeypatch.setattr(Stacking, "_derive", note)
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
    assert publisher.stacking.lower_rows(row) == []
