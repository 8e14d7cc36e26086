"""interfaces/table.py: rows from inventories, one after another."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest

from vpp_snmp_agent.agentx.pdu import oid
from vpp_snmp_agent.config import Descriptions, Settings
from vpp_snmp_agent.interfaces.naming import DOWN, LOWER_LAYER_DOWN, UNKNOWN, UP
from vpp_snmp_agent.interfaces.store import Store
from vpp_snmp_agent.interfaces.table import (
    DERIVED_STEP,
    STEP,
    Address,
    InterfaceTable,
    LinkChange,
    Row,
)
from vpp_snmp_agent.simulator.segment import Segment as Writer
from vpp_snmp_agent.vpp.inventory import (
    Bond,
    Identity,
    Interface,
    Inventory,
    IpAddress,
    IpNeighbor,
    LcpPair,
)
from vpp_snmp_agent.vpp.layout import Generation, Kind
from vpp_snmp_agent.vpp.stats import Segment

VPP = Identity("26.06-release", "2026-06-24", 4711)
ETHERNET = Interface(1, 1, "eth0", "dpdk", "", b"\2\0\0\0\0\1", True, True, 10**6, 2, 9000, 1500)
SUB = replace(ETHERNET, sw_if_index=2, interface_name="eth0.7", link_speed=0, mtu=0)
LOOP = replace(ETHERNET, sw_if_index=3, sup_sw_if_index=3, interface_name="loop0")


class Clock:
    """Seconds that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def table(clock: Clock) -> InterfaceTable:
    table = InterfaceTable(clock=clock)
    table.uptime.set(0, 1000.0)
    return table


def writer(rx_bytes: int) -> Writer:
    made = Writer(1 << 20, Generation.V26_02)
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
def segment() -> Iterator[Segment]:
    made = writer(500)
    yield Segment(made.fd)
    os.close(made.fd)


def inventory(*interfaces: Interface, identity: Identity = VPP) -> Inventory:
    return Inventory(identity, {each.sw_if_index: each for each in interfaces})


def update(
    table: InterfaceTable,
    told: Inventory,
    segment: Segment | None = None,
    descriptions: Descriptions | None = None,
    settled: bool = True,
) -> dict[int, Row]:
    for _ in table.update(told, segment, descriptions or Descriptions(), settled):
        pass
    table.commit()
    return rows_of(table)


def rows_of(table: InterfaceTable) -> dict[int, Row]:
    return {row.index: row for row in table.rows.by_index.values()}


def test_a_row_is_at_1000_and_its_sw_if_index(table: InterfaceTable) -> None:
    rows = update(table, inventory(ETHERNET, SUB, LOOP))
    assert {index: row.name for index, row in rows.items()} == {
        1001: "eth0",
        1002: "eth0.7",
        1003: "loop0",
    }
    assert list(table.rows.indexes) == [oid("1001"), oid("1002"), oid("1003")]


def test_a_row_says_what_it_was_told_and_what_it_inherits(table: InterfaceTable) -> None:
    told = Descriptions({"eth0.7": "a customer"})
    row = update(table, inventory(ETHERNET, SUB), descriptions=told)[1002]
    assert (row.alias, row.mtu, row.speed) == ("a customer", 1500, 10**9)
    assert (row.admin_status, row.oper_status, row.type) == (UP, UP, 135)


def test_the_old_rows_stand_until_the_new_are_complete(table: InterfaceTable) -> None:
    update(table, inventory(ETHERNET))
    many = [replace(LOOP, sw_if_index=n, sup_sw_if_index=n, interface_name=f"loop{n}")
            for n in range(10, 1010)]  # fmt: skip
    steps = table.update(inventory(*many), None, Descriptions())
    for _ in range(5):
        next(steps)
        assert len(table.rows) == 1
    for _ in steps:
        pass
    assert len(table.rows) == 1
    table.commit()
    assert len(table.rows) == 1000


def test_counters_come_from_the_segment_and_stay_with_the_interface(
    table: InterfaceTable, segment: Segment
) -> None:
    before = update(table, inventory(ETHERNET, LOOP), segment)
    assert (before[1001].counters.in_octets, before[1003].counters.in_octets) == (501, 503)
    after = update(table, inventory(ETHERNET, SUB), segment)
    assert after[1001].counters is before[1001].counters
    assert after[1002].counters.in_octets == 502


def test_a_segment_that_is_mapped_again_is_the_same_as_long_as_its_vpp_is(
    table: InterfaceTable,
) -> None:
    made = writer(500)
    first = update(table, inventory(ETHERNET), Segment(made.fd))[1001].counters
    again = update(table, inventory(ETHERNET), Segment(made.fd))[1001].counters
    assert again is first
    assert update(table, inventory(ETHERNET), None)[1001].counters is first
    os.close(made.fd)


def test_another_vpps_segment_brings_other_counters_even_with_the_same_pid(
    table: InterfaceTable, segment: Segment, clock: Clock
) -> None:
    before = update(table, inventory(ETHERNET), segment)[1001]
    assert before.counter_discontinuity_time == 0
    other = writer(7)
    clock.now += 5
    after = update(table, inventory(ETHERNET), Segment(other.fd))[1001]
    assert after.counters.in_octets == 8
    assert after.counter_discontinuity_time == 500
    os.close(other.fd)


def test_without_its_own_segment_another_vpp_has_no_counters(
    table: InterfaceTable, segment: Segment
) -> None:
    update(table, inventory(ETHERNET), segment)
    other = replace(VPP, vpe_pid=4712)
    row = update(table, inventory(ETHERNET, identity=other), None)[1001]
    assert row.counters.in_octets is None


def test_a_sw_if_index_that_changed_hands_is_another_row(
    table: InterfaceTable, segment: Segment, clock: Clock
) -> None:
    before = update(table, inventory(LOOP), segment)
    clock.now += 3
    renamed = replace(LOOP, interface_name="loop9")
    after = update(table, inventory(renamed), segment)
    assert {index: row.name for index, row in before.items()} == {1003: "loop0"}
    assert {index: row.name for index, row in after.items()} == {100_001: "loop9"}
    row = after[100_001]
    assert row.counters is not before[1003].counters
    assert (row.counter_discontinuity_time, row.last_change) == (300, 300)


def test_an_interface_keeps_its_index_at_another_sw_if_index(
    table: InterfaceTable, segment: Segment, clock: Clock
) -> None:
    before = update(table, inventory(LOOP), segment)[1003]
    clock.now += 3
    moved = replace(LOOP, sw_if_index=5, sup_sw_if_index=5)
    after = update(table, inventory(moved), segment)[1003]
    assert after.name == "loop0"
    assert (before.counters.in_octets, after.counters.in_octets) == (503, 505)
    assert after.counter_discontinuity_time == 300


def test_last_change_is_when_the_state_changed_and_0_if_it_never_did(
    table: InterfaceTable, clock: Clock
) -> None:
    assert update(table, inventory(ETHERNET, SUB))[1001].last_change == 0
    clock.now += 2
    pulled = replace(ETHERNET, link_up=False)
    rows = update(table, inventory(pulled, replace(SUB, link_up=False)))
    assert (rows[1001].oper_status, rows[1001].last_change) == (DOWN, 200)
    assert (rows[1002].oper_status, rows[1002].last_change) == (LOWER_LAYER_DOWN, 200)
    clock.now += 2
    assert update(table, inventory(pulled, SUB))[1001].last_change == 200


def test_the_tables_last_change_follows_the_set_of_rows_alone(
    table: InterfaceTable, clock: Clock
) -> None:
    clock.now += 1
    update(table, inventory(ETHERNET))
    assert table.last_change == 100
    clock.now += 1
    update(table, inventory(replace(ETHERNET, link_up=False)))
    assert table.last_change == 100
    clock.now += 1
    update(table, inventory(ETHERNET, SUB))
    assert table.last_change == 300


def test_while_vpp_is_away_rows_stay_and_are_down_with_their_last_counters(
    table: InterfaceTable, segment: Segment, clock: Clock
) -> None:
    update(table, inventory(ETHERNET, SUB), segment)
    clock.now += 4
    table.away()
    rows = rows_of(table)
    assert {index: row.oper_status for index, row in rows.items()} == {1001: DOWN, 1002: DOWN}
    assert rows[1001].counters.in_octets == 501
    assert rows[1001].last_change == 400
    clock.now += 4
    table.away()
    assert rows[1001].last_change == 400


def test_a_snmpd_that_started_later_reads_earlier_moments_as_0(
    table: InterfaceTable, clock: Clock
) -> None:
    update(table, inventory(ETHERNET))
    clock.now += 10
    row = update(table, inventory(replace(ETHERNET, link_up=False)))[1001]
    table.uptime.set(0, clock.now + 5)
    assert row.last_change == 0


def test_a_pair_gives_its_phy_a_name_and_hides_its_tap(table: InterfaceTable) -> None:
    tap = replace(LOOP, sw_if_index=9, sup_sw_if_index=9, interface_name="tap1")
    told = replace(inventory(ETHERNET, tap), pairs={1: LcpPair(1, 9, 5, "e0", "dataplane")})
    rows = update(table, told)
    assert {index: row.name for index, row in rows.items()} == {1001: "e0"}


# --- a VPP that comes back --------------------------------------------------------------------

RESTARTED = replace(VPP, vpe_pid=4712)
PAIRED = LcpPair(1, 9, 5, "e0", "dataplane")
TAP = replace(LOOP, sw_if_index=9, sup_sw_if_index=9, interface_name="tap1")


def test_rows_that_a_new_vpp_does_not_list_yet_wait_for_it(
    table: InterfaceTable, segment: Segment, clock: Clock
) -> None:
    update(table, inventory(ETHERNET, SUB, LOOP), segment)
    table.away()
    clock.now += 1
    moved = replace(ETHERNET, sw_if_index=4, sup_sw_if_index=4)
    rows = update(table, inventory(moved, identity=RESTARTED), None, settled=False)
    assert {index: (row.name, row.oper_status) for index, row in rows.items()} == {
        1001: ("eth0", UP),
        1002: ("eth0.7", DOWN),
        1003: ("loop0", DOWN),
    }
    assert rows[1003].counters.in_octets == 503  # the last there was
    assert rows[1001].counters.in_octets is None  # another VPP's, not mapped yet
    assert table.leftover


def test_a_row_waits_for_its_pair_too(table: InterfaceTable, clock: Clock) -> None:
    told = replace(inventory(ETHERNET, TAP), pairs={1: PAIRED})
    assert update(table, told)[1001].name == "e0"
    table.away()
    unpaired = inventory(ETHERNET, identity=RESTARTED)
    row = update(table, unpaired, settled=False)[1001]
    assert (row.name, row.oper_status) == ("e0", DOWN)
    again = replace(told, identity=RESTARTED)
    row = update(table, again, settled=False)[1001]
    assert (row.name, row.oper_status) == ("e0", UP)
    assert not table.leftover


def test_once_settled_what_is_not_listed_goes(table: InterfaceTable) -> None:
    told = replace(inventory(ETHERNET, TAP, LOOP), pairs={1: PAIRED})
    update(table, told)
    unpaired = inventory(ETHERNET, identity=RESTARTED)
    assert set(update(table, unpaired, settled=False)) == {1001, 1003}
    rows = update(table, unpaired, settled=True)
    assert {index: row.name for index, row in rows.items()} == {1001: "eth0"}
    assert not table.leftover


def test_a_host_name_that_a_waiting_row_bears_is_not_given_twice(table: InterfaceTable) -> None:
    update(table, replace(inventory(ETHERNET, TAP), pairs={1: PAIRED}))
    other = replace(LOOP, interface_name="loop4")
    told = replace(
        inventory(other, TAP, identity=RESTARTED), pairs={3: replace(PAIRED, phy_sw_if_index=3)}
    )
    rows = update(table, told, settled=False)
    assert {row.key: row.name for row in rows.values()} == {"eth0": "e0", "loop4": "loop4"}
    assert table.clashes == {"loop4": "e0"}


def test_the_rows_of_the_store_are_shown_without_counters(clock: Clock) -> None:
    store = Store()
    first = InterfaceTable(store, clock=clock)
    update(first, replace(inventory(ETHERNET, TAP, SUB), pairs={1: PAIRED}))
    table = InterfaceTable(store, clock=clock)
    table.restore(DOWN)
    rows = rows_of(table)
    assert {index: (row.name, row.oper_status) for index, row in rows.items()} == {
        1001: ("e0", DOWN),
        1002: ("eth0.7", DOWN),
    }
    assert (rows[1001].speed, rows[1001].phys_address) == (10**9, b"\2\0\0\0\0\1")
    assert rows[1001].counters.in_octets is None


def test_the_rows_of_the_store_keep_what_they_stand_on_and_their_addresses(clock: Clock) -> None:
    store = Store()
    address = IpAddress(2, bytes((192, 0, 2, 1)), 24)
    told = replace(inventory(ETHERNET, SUB), addresses={address.key: address})
    update(InterfaceTable(store, clock=clock), told)
    table = InterfaceTable(store, clock=clock)
    derived = table.derive(standing)
    table.restore(DOWN)
    assert derived.rows.by_index == {oid("1002"): "eth0.7 on eth0"}
    rows = rows_of(table)
    assert rows[1002].addresses == (Address(address.address, 24, None),)
    assert (rows[1001].link_traps, rows[1002].link_traps) == (True, False)
    # Of a VPP that has told its interfaces, and not yet its addresses.
    assert update(table, inventory(ETHERNET, SUB))[1002].addresses == rows[1002].addresses


def test_stateless_indexes_follow_vpp_and_nothing_is_remembered() -> None:
    table = InterfaceTable(settings=Settings(ifindex="stateless"))
    update(table, inventory(LOOP))
    moved = replace(LOOP, sw_if_index=5, sup_sw_if_index=5)
    assert set(update(table, inventory(moved))) == {1005}
    assert not table.store.rows()
    other = replace(ETHERNET, sw_if_index=5, sup_sw_if_index=5)
    rows = update(table, inventory(other, identity=RESTARTED), settled=False)
    assert {index: row.name for index, row in rows.items()} == {1005: "eth0"}


# --- links that went down or came up ----------------------------------------------------------


def test_a_link_that_went_down_or_came_up_is_told_once_it_is_shown(table: InterfaceTable) -> None:
    update(table, inventory(ETHERNET, LOOP))
    for _ in table.update(inventory(replace(ETHERNET, link_up=False)), None, Descriptions()):
        pass
    assert not table.went
    table.commit()
    update(table, inventory(ETHERNET))
    assert table.went == [LinkChange(1001, False), LinkChange(1001, True)]


def test_what_becomes_known_or_goes_is_no_change_of_a_link(table: InterfaceTable) -> None:
    update(table, inventory(replace(ETHERNET, link_up=False)))
    update(table, inventory(replace(ETHERNET, link_up=False), LOOP))
    update(table, inventory(LOOP))
    assert not table.went


def test_lower_layer_down_is_a_way_of_being_down(table: InterfaceTable) -> None:
    pulled, sub = replace(ETHERNET, link_up=False), replace(SUB, link_up=False)
    update(table, inventory(pulled, sub))
    rows = update(table, inventory(replace(pulled, admin_up=False), replace(sub, admin_up=False)))
    assert (rows[1002].oper_status, rows[1002].is_down) == (DOWN, True)
    assert not table.went


def test_a_vpp_that_is_away_takes_its_links_down_and_brings_them_up_again(
    table: InterfaceTable,
) -> None:
    update(table, inventory(ETHERNET, LOOP))
    table.away()
    table.away()
    assert table.went == [LinkChange(1001, False), LinkChange(1003, False)]
    table.went.clear()
    update(table, inventory(ETHERNET, identity=RESTARTED), settled=False)
    assert table.went == [LinkChange(1001, True)]


@pytest.mark.parametrize(("shown", "told"), [(None, 0), (UNKNOWN, 0), (DOWN, 1)])
def test_at_start_only_what_was_shown_as_down_can_come_up(shown: int | None, told: int) -> None:
    store = Store()
    update(InterfaceTable(store), inventory(ETHERNET))
    table = InterfaceTable(store)
    if shown is not None:
        table.restore(shown)
    update(table, inventory(ETHERNET))
    assert len(table.went) == told


# --- other tables, made of these rows ----------------------------------------------------------


def standing(rows: Mapping[str, Row]) -> Iterator[tuple[bytes, str]]:
    """A table for a test: who stands on whom."""
    for row in rows.values():
        for below in row.stands_on:
            yield oid(str(row.index)), f"{row.name} on {below}"


def test_a_row_of_which_nothing_changed_stays_the_same_object(table: InterfaceTable) -> None:
    before = update(table, inventory(ETHERNET, SUB))
    after = update(table, inventory(replace(ETHERNET), replace(SUB)))
    assert [after[index] is before[index] for index in (1001, 1002)] == [True, True]
    after = update(table, inventory(replace(ETHERNET), replace(SUB, tag="other")))
    assert [after[index] is before[index] for index in (1001, 1002)] == [True, False]
    assert after[1002].alias == "other"


def test_ten_thousand_rows_are_made_in_steps_of_few_each(table: InterfaceTable) -> None:
    ports = [
        replace(ETHERNET, sw_if_index=index, sup_sw_if_index=index, interface_name=f"eth{index}")
        for index in range(10_000)
    ]
    steps = sum(1 for _ in table.update(inventory(*ports), None, Descriptions()))
    assert steps > 10_000 // STEP + 2 * 10_000 // DERIVED_STEP


def test_a_derived_table_is_made_anew_with_the_rows_and_shown_with_them(
    table: InterfaceTable, clock: Clock
) -> None:
    derived = table.derive(standing)
    assert (len(derived.rows), derived.changed_at) == (0, None)
    update(table, inventory(ETHERNET, SUB))
    assert derived.rows.by_index == {oid("1002"): "eth0.7 on eth0"}
    clock.now += 2
    update(table, inventory(ETHERNET, replace(SUB, tag="other")))
    assert derived.changed_at == 1000.0
    for _ in table.update(inventory(ETHERNET), None, Descriptions()):
        pass
    assert len(derived.rows) == 1
    table.commit()
    assert (len(derived.rows), derived.changed_at) == (0, 1002.0)


def test_a_table_that_is_derived_later_has_the_rows_that_are_shown(table: InterfaceTable) -> None:
    update(table, inventory(ETHERNET, SUB))
    assert len(table.derive(standing).rows) == 1
    table.forget_derived()
    assert len(table.derive(standing).rows) == 1


def test_rows_that_wait_for_vpp_keep_what_they_stand_on(table: InterfaceTable) -> None:
    derived = table.derive(standing)
    update(table, inventory(ETHERNET, SUB))
    table.away()
    assert len(derived.rows) == 1
    update(table, inventory(LOOP, identity=RESTARTED), settled=False)
    assert derived.rows.by_index == {oid("1002"): "eth0.7 on eth0"}
    update(table, inventory(LOOP, identity=RESTARTED), settled=True)
    assert not len(derived.rows)


def test_a_bond_of_a_vpp_that_returns_keeps_its_members_until_they_are_added_again(
    table: InterfaceTable,
) -> None:
    bond = Bond(3, 5, 1, (1,), frozenset({1}))
    told = replace(inventory(ETHERNET, LOOP), bonds={3: bond})
    assert update(table, told)[1003].stands_on == ("eth0",)
    table.away()
    bare = inventory(ETHERNET, LOOP, identity=RESTARTED)
    row = update(table, bare, settled=False)[1003]
    assert (row.stands_on, row.link_traps) == (("eth0",), False)
    row = update(table, bare, settled=True)[1003]
    assert (row.stands_on, row.link_traps) == ((), True)


def test_a_hidden_interface_carries_nobody(table: InterfaceTable) -> None:
    table.settings = Settings(hide=("eth0",))
    assert update(table, inventory(ETHERNET, SUB))[1002].stands_on == ()


# --- addresses and neighbours ------------------------------------------------------------------

HERE, THERE = IpAddress(1, bytes((192, 0, 2, 1)), 24), IpAddress(1, bytes((192, 0, 2, 9)), 24)
BEHIND = IpNeighbor(1, bytes((192, 0, 2, 2)), bytes(6), False)


def addressed(
    *addresses: IpAddress, neighbors: tuple[IpNeighbor, ...] | None = (), identity: Identity = VPP
) -> Inventory:
    return replace(
        inventory(ETHERNET, identity=identity),
        addresses={each.key: each for each in addresses},
        neighbors=None if neighbors is None else {each.key: each for each in neighbors},
    )


def test_an_address_is_new_only_where_all_had_been_asked_for(
    table: InterfaceTable, clock: Clock
) -> None:
    update(table, inventory(ETHERNET))
    for _ in table.update(addressed(HERE), None, Descriptions()):
        pass  # and not shown, for there is newer news
    clock.now += 1
    assert update(table, addressed(HERE))[1001].addresses == (Address(HERE.address, 24, None),)
    clock.now += 1
    assert update(table, addressed(HERE, THERE))[1001].addresses == (
        Address(HERE.address, 24, None),
        Address(THERE.address, 24, 1002.0),
    )
    clock.now += 1
    changed = update(table, addressed(replace(HERE, prefix_length=25)))[1001].addresses
    assert changed == (Address(HERE.address, 25, 1003.0),)


def test_addresses_of_a_vpp_that_returns_stay_until_it_has_told_its_own(
    table: InterfaceTable,
) -> None:
    update(table, addressed(HERE, neighbors=(BEHIND,)))
    table.away()
    (row,) = update(table, inventory(ETHERNET, identity=RESTARTED), settled=False).values()
    assert (len(row.addresses), row.neighbors) == (1, (BEHIND,))
    # Told, but not configured yet.
    bare = addressed(identity=RESTARTED)
    (row,) = update(table, bare, settled=False).values()
    assert (len(row.addresses), row.neighbors) == (1, ())
    (row,) = update(table, bare, settled=True).values()
    assert not row.addresses
    (row,) = update(table, addressed(THERE, identity=RESTARTED), settled=False).values()
    assert [each.address for each in row.addresses] == [THERE.address]


# --- settings ------------------------------------------------------------------------------------


def names_by(settings: Settings) -> dict[str, tuple[str, str]]:
    table = InterfaceTable(settings=settings)
    rows = update(table, replace(inventory(ETHERNET, TAP, LOOP), pairs={1: PAIRED}))
    return {row.key: (row.name, row.alias) for row in rows.values()}


def test_names_may_be_vpps_own() -> None:
    assert names_by(Settings(names="vpp")) == {"eth0": ("eth0", ""), "loop0": ("loop0", "")}


def test_names_may_be_borne_by_the_taps() -> None:
    assert names_by(Settings(names="tap")) == {
        "eth0": ("eth0", ""),
        "tap of eth0": ("e0", "LCP eth0 (tap1)"),
        "loop0": ("loop0", ""),
    }


def test_taps_may_be_shown_under_vpps_names() -> None:
    assert names_by(Settings(taps="show"))["tap of eth0"] == ("tap1", "")


@pytest.mark.parametrize("glob", ["loop*", "loop0", "*0"])
def test_globs_hide_rows_by_vpps_name(glob: str) -> None:
    assert "loop0" not in names_by(Settings(hide=(glob,)))


def test_globs_hide_rows_by_their_own_name() -> None:
    assert names_by(Settings(hide=("e0",))) == {"loop0": ("loop0", "")}


def test_an_alias_may_fall_back_on_the_name() -> None:
    assert names_by(Settings(alias="name"))["eth0"] == ("e0", "e0")


def test_drops_may_be_discards(segment: Segment) -> None:
    made = writer(0)
    for name in ("rx-miss", "rx-no-buf", "drops"):
        made.add_counter(f"/if/{name}", Kind.SIMPLE, 1, 8)
        row = made.counters[f"/if/{name}"].rows[0]
        assert row is not None
        made.words[row.offset // 8 + 1] = {"rx-miss": 1, "rx-no-buf": 20, "drops": 300}[name]
    for settings, discards in ((Settings(), 21), (Settings(discards="all"), 321)):
        table = InterfaceTable(settings=settings)
        shown = update(table, inventory(ETHERNET), Segment(made.fd))[1001]
        assert shown.counters.in_discards == discards
    os.close(made.fd)
