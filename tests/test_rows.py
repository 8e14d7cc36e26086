"""interfaces/rows.py: a row, and the tables of which each row has some entries."""

import gc
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.segment import SegmentWriter
from vpp_snmp_agent.agentx.mib import UpTime, View
from vpp_snmp_agent.agentx.values import oid, subids
from vpp_snmp_agent.interfaces import facts as rules
from vpp_snmp_agent.interfaces.counters import CounterSet, InterfaceCounters
from vpp_snmp_agent.interfaces.publisher import Publisher
from vpp_snmp_agent.interfaces.rows import Derived, Interfaces, Row
from vpp_snmp_agent.mibs import modules
from vpp_snmp_agent.operator.show import walked
from vpp_snmp_agent.settings.declarations import Settings
from vpp_snmp_agent.vpp.layout import Generation
from vpp_snmp_agent.vpp.records import (
    ADDRESSES,
    INTERFACES,
    NEIGHBORS,
    Addresses,
    BridgeDomain,
    Neighbor,
    NeighborChanges,
    Record,
)
from vpp_snmp_agent.vpp.router import Router
from vpp_snmp_agent.vpp.segment import Segment

from .routers import (
    MAC,
    VPP,
    bond,
    change,
    finish,
    lacp_port,
    new_publisher,
    pair,
    port,
    publish,
    router_of,
    sub,
    tap,
)

FACTS = rules.Facts(
    name="eth0",
    alias="to Bern",
    type=6,
    mtu=9000,
    speed=10**9,
    phys_address=bytes(6),
    has_connector=True,
    duplex=2,
    link_traps=True,
    admin_up=True,
)


def a_row(index: int, status: int = rules.UP, changed_at: float | None = None) -> Row:
    uptime = UpTime()
    uptime.set(500, now=100.0)
    counters = InterfaceCounters(None, index, f"eth{index}", restarted_at=103.0)
    key = f"eth{index}"
    return Row(index, key, FACTS, status, counters, uptime, changed_at)


# --- a row --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "down"),
    [(rules.UP, False), (rules.DOWN, True), (rules.UNKNOWN, False), (rules.LOWER_LAYER_DOWN, True)],
)
def test_lower_layer_down_is_down_and_unknown_is_not(status: int, down: bool) -> None:
    assert a_row(1, status).is_down == down


def test_its_moments_are_in_the_masters_uptime() -> None:
    row = a_row(1, changed_at=101.5)
    assert (row.last_change, row.counter_discontinuity_time) == (650, 800)
    assert a_row(2).last_change == 0


def test_a_new_row_has_no_moments_of_addresses_and_no_entries() -> None:
    assert (dict(a_row(1).address_since), a_row(1).entries) == ({}, ())


# --- a table of entries ---------------------------------------------------------------------------


class Claim(NamedTuple):
    """An entry of a test's table: whose it is, and which of its."""

    row: Row
    text: str


@dataclass
class Claims:
    """What each row claims, and the table of it."""

    claimed: dict[int, dict[str, str]] = field(default_factory=dict)
    rows: dict[int, Row] = field(default_factory=dict)
    indexes: dict[int, tuple[bytes, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.derived = Derived(self.entries, lambda claim: claim.row)
        self.now = 1000.0

    def entries(self, row: Row, interfaces: Interfaces) -> Iterator[tuple[bytes, Claim]]:
        for index, text in self.claimed.get(row.index, {}).items():
            yield oid(index), Claim(row, text)

    def claim(self, index: int, **texts: str) -> None:
        """A row claims these, by `at_<index>`, and nothing else any more."""
        self.claimed[index] = {at.removeprefix("at_"): text for at, text in texts.items()}
        self.update(index)

    def update(self, index: int, shown: bool = True) -> None:
        row = self.rows.setdefault(index, a_row(index))
        interfaces: Interfaces | None = self if shown else None  # type: ignore[assignment]
        before = self.indexes.get(index, ())
        self.indexes[index] = self.derived.update(row, before, interfaces, self.now)

    def withdraw(self, index: int) -> None:
        """The row is gone."""
        self.update(index, shown=False)
        del self.rows[index]

    @property
    def shown(self) -> dict[bytes, str]:
        rows = self.derived.rows
        return {index: rows.get(index).text for index in rows}  # type: ignore[union-attr]


def test_a_contested_index_is_the_lowest_ifindexs() -> None:
    table = Claims()
    table.claim(1005, at_7="five")
    assert table.shown == {oid("7"): "five"}
    table.claim(1003, at_7="three", at_8="eight")
    assert table.shown == {oid("7"): "three", oid("8"): "eight"}
    table.claim(1009, at_7="nine")
    assert table.shown[oid("7")] == "three"


def test_a_contested_index_goes_back_when_the_lowest_gives_it_up() -> None:
    table = Claims()
    for index, text in ((1005, "five"), (1003, "three"), (1009, "nine")):
        table.claim(index, at_7=text)
    table.claim(1003)
    assert table.shown == {oid("7"): "five"}
    table.withdraw(1005)
    assert table.shown == {oid("7"): "nine"}
    table.claim(1003, at_7="three again")
    assert table.shown == {oid("7"): "three again"}
    table.withdraw(1003)
    table.withdraw(1009)
    assert table.shown == {}


def test_who_gives_up_what_it_did_not_have_changes_nothing() -> None:
    table = Claims()
    table.claim(1003, at_7="three")
    table.claim(1005, at_7="five")
    table.withdraw(1005)
    assert table.shown == {oid("7"): "three"}
    table.claim(1003, at_7="three anew")
    assert table.shown == {oid("7"): "three anew"}


def test_the_value_of_a_contested_index_follows_its_row() -> None:
    table = Claims()
    table.claim(1003, at_7="three")
    table.claim(1005, at_7="five")
    table.claim(1003, at_7="three anew")
    table.claim(1005, at_7="five anew")
    assert table.shown == {oid("7"): "three anew"}
    table.claim(1003)
    assert table.shown == {oid("7"): "five anew"}


def test_the_set_of_indexes_changed_with_an_index_and_not_with_its_value_or_owner() -> None:
    table = Claims()
    changes: list[Callable[[], None]] = [
        lambda: table.claim(1005, at_7="five"),
        lambda: table.claim(1005, at_7="five anew"),
        lambda: table.claim(1003, at_7="three"),
        lambda: table.withdraw(1003),
        lambda: table.claim(1005, at_7="five", at_8="eight"),
        lambda: table.withdraw(1005),
    ]
    moments = []
    for event in changes:
        table.now += 1
        event()
        moments.append(table.derived.changed_at)
    assert moments == [1001.0, 1001.0, 1001.0, 1001.0, 1005.0, 1006.0]


def test_an_index_that_a_row_names_twice_has_its_first_value() -> None:
    def twice(row: Row, interfaces: Interfaces) -> Iterator[tuple[bytes, Claim]]:
        yield subids(7), Claim(row, "first")
        yield subids(7), Claim(row, "second")

    derived = Derived(twice, lambda claim: claim.row)
    shown: Interfaces = Claims()  # type: ignore[assignment]
    assert derived.update(a_row(1003), (), shown, 1.0) == (subids(7),)
    assert derived.rows.get(subids(7)).text == "first"  # type: ignore[union-attr]


STEPS = st.lists(
    st.tuples(
        st.integers(1001, 1005),
        st.dictionaries(st.sampled_from("78"), st.text(max_size=2), max_size=2) | st.none(),
    ),
    max_size=30,
)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_any_claims_are_shown_as_the_lowest_ifindex_makes_them(
    steps: list[tuple[int, dict[str, str] | None]],
) -> None:
    table = Claims()
    for index, texts in steps:
        before, table.now = set(table.shown), table.now + 1
        if texts is None:
            if index in table.rows:
                table.withdraw(index)
            table.claimed.pop(index, None)
        else:
            table.claim(index, **{f"at_{at}": text for at, text in texts.items()})
        expected = {
            oid(at): text
            for row in sorted(table.claimed, reverse=True)
            for at, text in table.claimed[row].items()
        }
        assert table.shown == expected
        assert (table.derived.changed_at == table.now) == (before != set(expected))
    assert all(len(claims) > 1 for claims in table.derived._claims.values())


# --- no cycles ------------------------------------------------------------------------------------

HERE, THERE = (bytes((192, 0, 2, 1)), 24), (bytes(15) + b"\1", 64)


def everything(pid: int) -> Router:
    """A VPP that has reported one of each sort."""
    return router_of(
        *(port(1, "eth0"), port(2, "eth1"), port(3, "eth2"), sub(4, 1, "eth0.4")),
        *(port(5, "bond0", interface_dev_type="bond"), bond(5, 2, 3), sub(6, 5, "bond0.6")),
        *(lacp_port(2, 0x3D), lacp_port(3, 0x05)),
        *(port(7, "loop7", interface_dev_type="Loopback"), BridgeDomain(10, 7, (7, 4, 6))),
        *(tap(901, "tap1"), tap(905, "tap5"), pair(1, "e0"), pair(5, "be0")),
        *(Addresses(1, (HERE, THERE)), Addresses(6, (HERE,))),
        neighbors=[Neighbor(1, bytes((192, 0, 2, n)), MAC, n % 2 > 0) for n in range(2, 90)],
        identity=replace(VPP, vpe_pid=pid),
        complete=(INTERFACES, ADDRESSES, NEIGHBORS),
    )


def churn(publisher: Publisher, view: View, sources: CounterSet) -> int:
    """All that may happen to rows, but for another configuration; how many were served."""
    router = everything(4711)
    publish(publisher, router)
    publisher.use(sources)
    finish(publisher)
    served = sum(1 for _ in walked(view, b""))

    def report(*reported: Record, gone: Iterable[Record] = ()) -> None:
        change(publisher, router, *reported, gone=gone)
        publisher.link_changes.clear()

    for number in range(20):
        report(port(2, "eth1", link_up=number % 2 > 0), lacp_port(3, 0x3D - number))
        report(port(1, "eth0", tag=f"customer {number}"), Addresses(6, (HERE, THERE)))
        report(port(50, f"new{number}"), sub(51, 50, f"new{number}.51"), pair(50, "e0"))
        report(gone=(port(51), port(50), pair(50, "e0"), Addresses(6, ())))
        report(bond(5, 2), BridgeDomain(10, 7, (7, 4)))
        report(bond(5, 2, 3), BridgeDomain(10, 7, (7, 4, 6)))
        report(gone=(pair(1, "e0"), bond(5), BridgeDomain(10, 7, ()), lacp_port(2)))
        report(pair(1, "e0"), bond(5, 2, 3), BridgeDomain(10, 7, (7, 4, 6)), lacp_port(2, 0x3D))
        entry = Neighbor(6, bytes((198, 51, 100, number)), MAC, False)
        gone = NeighborChanges((entry,), ((1, bytes((192, 0, 2, 2 + number))),))
        publisher.touch_neighbors(router.apply_neighbors(gone))
        served += sum(1 for _ in walked(view, b""))
    for pid in (4712, 4713):
        publisher.lose()
        finish(publisher)
        publish(publisher, everything(pid), settled=False)
        publisher.settle()
        finish(publisher)
    return served


@contextmanager
def no_garbage() -> Iterator[None]:
    """What runs within leaves nothing that only a collection would find."""
    gc.unfreeze()
    gc.collect()
    gc.disable()
    try:
        yield
        gc.unfreeze()
        assert gc.collect() == 0
    finally:
        gc.enable()


@pytest.fixture
def sources() -> Iterator[CounterSet]:
    made = SegmentWriter(1 << 20, Generation.V26_02)
    made.add_names("/if/names")
    yield CounterSet(Segment(made.fd))
    os.close(made.fd)


def test_a_collection_would_find_a_cycle() -> None:
    def make() -> None:
        cycle: list[object] = []
        cycle.append(cycle)

    with pytest.raises(AssertionError), no_garbage():
        make()


@pytest.mark.slow
def test_whatever_happens_to_rows_leaves_nothing_to_collect(sources: CounterSet) -> None:
    publisher = new_publisher(rules.Configuration(Settings(taps="show")))
    view = View([each for module in modules(publisher) for each in module.objects])
    with no_garbage():
        assert churn(publisher, view, sources) > 20 * 400
    assert len(publisher.rows) == 9


@pytest.mark.slow
def test_another_configuration_leaves_nothing_to_collect(sources: CounterSet) -> None:
    first = new_publisher()
    view = View([each for module in modules(first) for each in module.objects])
    churn(first, view, sources)
    del view

    def succeed(before: Publisher) -> Publisher:
        after = Publisher(
            rules.Configuration(Settings(alias="name")),
            before._saving.indexes,
            before.uptime,
            before,
        )
        modules(after)
        finish(after)
        after.succeed(before)
        for _ in before.dismantle():
            pass
        return after

    with no_garbage():
        second = succeed(first)
        first = second
    assert len(first.rows) == 7
