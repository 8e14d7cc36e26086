"""interfaces/table.py: rows from inventories, one after another."""

import os
from collections.abc import Iterator
from dataclasses import replace

import pytest

from vpp_snmp_agent.agentx.pdu import oid
from vpp_snmp_agent.config import Descriptions
from vpp_snmp_agent.interfaces.naming import DOWN, LOWER_LAYER_DOWN, UP
from vpp_snmp_agent.interfaces.table import InterfaceTable, Row
from vpp_snmp_agent.simulator.segment import Segment as Writer
from vpp_snmp_agent.vpp.inventory import Identity, Interface, Inventory, LcpPair
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
    table = InterfaceTable(clock)
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
) -> dict[int, Row]:
    for _ in table.update(told, segment, descriptions or Descriptions()):
        pass
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


def test_an_index_that_changed_hands_starts_over(
    table: InterfaceTable, segment: Segment, clock: Clock
) -> None:
    before = update(table, inventory(LOOP), segment)[1003]
    clock.now += 3
    renamed = replace(LOOP, interface_name="loop9")
    after = update(table, inventory(renamed), segment)[1003]
    assert after.name == "loop9"
    assert after.counters is not before.counters
    assert after.counter_discontinuity_time == 300
    assert after.last_change == 300


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
    rows = {row.index: row for row in table.rows.by_index.values()}
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
