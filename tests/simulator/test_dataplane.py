"""What a simulated VPP counts, at the rates that it was given."""

import random
import time

import pytest

from simulator import Simulator, Spec, Verbs
from simulator.scenario import EDGE_ROUTER, in_order
from simulator.traffic import Traffic

from .judges import BOND, CUSTOMER, PORT, stats_of


def test_counters_move_at_the_rates_they_were_given(vpp: Simulator) -> None:
    vpp.freeze()
    vpp.clear()
    vpp.set_traffic(CUSTOMER, rx=1000, rx_size=500, tx=10, tx_size=60, drops=0.5)
    vpp.step(10)
    row = vpp.truth()[CUSTOMER]
    assert (row.rx, row.tx, row.simple["drops"]) == ((10_000, 5_000_000), (100, 6000), 5)
    vpp.step(0.0015)
    assert vpp.truth()[CUSTOMER].rx == (10_001, 5_000_750)


def test_traffic_flows_by_itself_until_it_is_frozen(vpp: Simulator) -> None:
    before = vpp.truth()[BOND].rx.packets
    end = time.monotonic() + 5
    while vpp.truth()[BOND].rx.packets == before:
        assert time.monotonic() < end
    vpp.freeze()
    assert vpp.truth() == vpp.truth()


def test_a_parent_never_counts_less_than_its_sub_interfaces(vpp: Simulator) -> None:
    vpp.freeze()
    vpp.add_sub(BOND, 777, traffic=Traffic(rx=3.7, tx=1.3))
    for seconds in (0.1, 0.37, 1.77):
        vpp.step(seconds)
        truth = vpp.truth()
        subs = [truth[f"BondEthernet0.{n}"] for n in (100, 101, 105, 130, 2502, 777)]
        members = [truth[f"TenGigabitEthernet1/0/{n}"] for n in (0, 1)]
        for part in (subs, members):
            assert truth[BOND].rx.packets >= sum(row.rx.packets for row in part)
            assert truth[BOND].tx.bytes >= sum(row.tx.bytes for row in part)
    before = vpp.truth()[BOND].rx
    vpp.delete("BondEthernet0.777")
    vpp.step(1)
    assert vpp.truth()[BOND].rx > before


def test_kinds_of_address_are_counted_only_when_configured(vpp: Simulator) -> None:
    vpp.freeze()
    vpp.step(10)
    assert vpp.truth()[PORT].combined["rx-multicast"] == (0, 0)
    vpp.clear()
    vpp.set_traffic(PORT, detailed=True)
    vpp.step(10)
    counted = vpp.truth()[PORT].combined
    assert counted["rx-multicast"].packets > counted["rx-broadcast"].packets > 0
    kinds = ("rx-unicast", "rx-multicast", "rx-broadcast")
    assert 0 <= counted["rx"].packets - sum(counted[kind].packets for kind in kinds) <= 2


def test_nothing_flows_where_the_link_is_down(vpp: Simulator) -> None:
    vpp.freeze()
    vpp.set_link(PORT, False)
    before = vpp.truth()
    vpp.step(10)
    after = vpp.truth()
    assert after[CUSTOMER] == before[CUSTOMER]
    assert after["BondEthernet0.100"].rx > before["BondEthernet0.100"].rx


@pytest.mark.parametrize("release", ["26.06"])
@pytest.mark.parametrize("seed", range(12))
def test_whatever_changes_the_rates_are_those_that_follow_from_what_there_is(
    plane: Verbs, seed: int
) -> None:
    chance = random.Random(seed)
    for spec in in_order(EDGE_ROUTER):
        plane.set_up(spec)
    plane.freeze()
    members = ["TenGigabitEthernet1/0/0", "TenGigabitEthernet1/0/1"]
    for turn in range(120):
        name = chance.choice(list(plane.by_name)[1:])
        match chance.randrange(9):
            case 0:
                plane.set_link(name, chance.random() < 0.6)
            case 1:
                plane.set_admin(name, chance.random() < 0.6)
            case 2:
                plane.set_traffic(name, rx=turn + 0.7, tx=3.3 * turn, drops=turn / 7)
            case 3:
                plane.set_traffic(name, detailed=chance.random() < 0.5)
            case 4:
                parent = chance.choice([PORT, BOND, *members])
                plane.add(Spec(parent=parent, sub_id=3000 + turn, traffic=Traffic(rx=turn)))
            case 5 if plane.by_name[name].parent:
                plane.delete(name)
            case 6:
                member = chance.choice(members)
                if plane.by_name[member].bond:
                    plane.remove_member(BOND, member)
                else:
                    plane.add_member(BOND, member)
            case 7 if plane.by_name[members[0]].bond:
                plane.set_active(members[0], chance.random() < 0.5)
            case _:
                plane.step((10**8 + turn) / 10**9)
        plane.write_all()
        moving = {each: each.flow.moving for each in plane.by_index.values()}
        plane.is_settled = False  # whether or not the verb says that it changes any
        plane.settle()
        assert moving == {each: each.flow.moving for each in plane.by_index.values()}


def test_a_member_that_leaves_a_bond_carries_no_share_of_it_any_more(vpp: Simulator) -> None:
    vpp.freeze()
    vpp.clear()
    first, second = "TenGigabitEthernet1/0/0", "TenGigabitEthernet1/0/1"
    vpp.step(10)
    before = vpp.truth()
    vpp.remove_member(BOND, first)
    vpp.step(10)
    after = vpp.truth()
    assert after[first].rx == before[first].rx
    share = before[second].rx.packets
    assert abs(after[second].rx.packets - share - 2 * share) <= 3


def test_clear_zeroes_every_interface(vpp: Simulator) -> None:
    vpp.freeze()
    vpp.step(10)
    vpp.clear()
    assert {row.rx for row in vpp.truth().values()} == {(0, 0)}
    stats = stats_of(vpp)
    assert {sum(row) for row in stats["/if/drops"]} == {0}
    stats.disconnect()
