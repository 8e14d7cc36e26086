"""What a simulated VPP counts: at the rates that it was given, and in every order of changes."""

import random
import time

import pytest

from simulator import Simulator, Spec, Verbs
from simulator.dataplane import Dataplane
from simulator.interface import Interface
from simulator.scenario import EDGE_ROUTER, in_order
from simulator.traffic import CELLS, INCLUDED, Traffic

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
    vpp.set_detailed(PORT, True)
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


class Naive:
    """The rates of a router's interfaces, worked out from nothing."""

    def __init__(self) -> None:
        self._done: dict[Interface, list[int]] = {}

    def rates(self, interface: Interface) -> list[int]:
        if interface not in self._done:
            self._done[interface] = self._of(interface)
        return self._done[interface]

    def _of(self, interface: Interface) -> list[int]:
        if not interface.carries:
            return [0] * CELLS
        rates = interface.traffic.rates()
        for sub in interface.subs:
            for cell in INCLUDED:
                rates[cell] += self.rates(sub)[cell]
        if interface.bond and interface in interface.bond.active:
            whole = self.rates(interface.bond.interface)
            for cell in INCLUDED[1:]:
                rates[cell] += whole[cell] // len(interface.bond.active)
        if interface.detailed:
            interface.traffic.detail(rates)
        return rates


@pytest.mark.parametrize("release", ["26.06"])
@pytest.mark.parametrize("seed", range(12))
def test_what_is_worked_out_bit_by_bit_is_what_would_be_from_nothing(
    plane: Dataplane, seed: int
) -> None:
    chance = random.Random(seed)
    vpp = Verbs(plane)
    for spec in in_order(EDGE_ROUTER):
        vpp.set_up(spec)
    vpp.freeze()
    members = ["TenGigabitEthernet1/0/0", "TenGigabitEthernet1/0/1"]
    for turn in range(120):
        name = chance.choice(list(plane.names)[1:])
        match chance.randrange(9):
            case 0:
                vpp.set_link(name, chance.random() < 0.6)
            case 1:
                vpp.set_admin(name, chance.random() < 0.6)
            case 2:
                vpp.set_traffic(name, rx=turn + 0.7, tx=3.3 * turn, drops=turn / 7)
            case 3:
                vpp.set_detailed(name, chance.random() < 0.5)
            case 4:
                parent = chance.choice([PORT, BOND, *members])
                vpp.add(Spec(parent=parent, sub_id=3000 + turn, traffic=Traffic(rx=turn)))
            case 5 if plane.names[name].parent:
                vpp.delete(name)
            case 6:
                member = chance.choice(members)
                if plane.names[member].bond:
                    vpp.remove_member(BOND, member)
                else:
                    vpp.add_member(BOND, member)
            case 7 if plane.names[members[0]].bond:
                vpp.set_active(members[0], chance.random() < 0.5)
            case _:
                vpp.step((10**8 + turn) / 10**9)
        if turn % 3 == 0:
            plane.write_all()
            naive = Naive()
            for each in plane.interfaces.values():
                expected = [(cell, rate) for cell, rate in enumerate(naive.rates(each)) if rate]
                assert each.flow.moving == expected, each.name


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
