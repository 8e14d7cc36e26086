"""What can be done to a simulated VPP, and what vpp_papi sees of it."""

from collections import Counter
from pathlib import Path

import pytest

from simulator import Simulator, SimulatorError, Spec, Verbs

from .judges import BOND, CUSTOMER, HUNDRED, PORT, Connection, stats_of


def test_a_neighbour_can_change_and_go(vpp: Simulator) -> None:
    vpp.add_neighbor(PORT, "192.0.2.77", "02:00:00:00:00:77")
    vpp.add_neighbor(PORT, "192.0.2.78", "02:00:00:00:00:78", static=True)
    with Connection(vpp) as connection:
        index = connection.rows()[PORT].sw_if_index

        def found() -> dict[str, tuple[str, int]]:
            entries = [e.neighbor for e in connection.api.ip_neighbor_dump(sw_if_index=index, af=0)]
            return {str(e.ip_address): (str(e.mac_address), int(e.flags)) for e in entries}

        assert found() == {
            "192.0.2.77": ("02:00:00:00:00:77", 0),
            "192.0.2.78": ("02:00:00:00:00:78", 1),
        }
        vpp.add_neighbor(PORT, "192.0.2.77", "02:00:00:00:00:79")
        vpp.remove_neighbor(PORT, "192.0.2.78")
        assert found() == {"192.0.2.77": ("02:00:00:00:00:79", 0)}
    with pytest.raises(SimulatorError, match="remove_neighbor"):
        vpp.remove_neighbor(PORT, "192.0.2.78")


def test_many_neighbours_are_spread_over_all_interfaces_and_no_two_are_the_same(
    tmp_path: Path,
) -> None:
    with Simulator(tmp_path, interfaces=50, pairs=True) as vpp, Connection(vpp) as connection:
        vpp.add_neighbors(150)
        vpp.add_neighbors(50)
        entries = [
            each.neighbor
            for family in (0, 1)
            for each in connection.api.ip_neighbor_dump(sw_if_index=0xFFFFFFFF, af=family)
        ]
        port = HUNDRED
        vpp.add_neighbors(7, port)
        index = connection.rows()[port].sw_if_index
        alone = connection.api.ip_neighbor_dump(sw_if_index=index, af=0)
        taps = {pair.host_sw_if_index for pair in connection.pairs().values()}
    assert len({str(each.ip_address) for each in entries}) == 200
    assert len({str(each.mac_address) for each in entries}) == 200
    assert sum(":" in str(each.ip_address) for each in entries) == 50
    holders = Counter(each.sw_if_index for each in entries)
    assert set(holders.values()) == {4}
    assert not holders.keys() & (taps | {0})
    assert len(alone) == 4 + 6  # 0, 50, 100, 150; of 200 to 206 only 203 is IPv6


def test_deleting_a_sub_interface_deletes_its_pair_and_tap(vpp: Simulator) -> None:
    vpp.delete(CUSTOMER)
    with Connection(vpp) as connection:
        assert not {"tap4096.205", CUSTOMER} & connection.rows().keys()
        assert "eno1.205" not in connection.pairs()


def test_a_bond_without_an_active_member_has_no_link(vpp: Simulator) -> None:
    vpp.set_active("TenGigabitEthernet1/0/0", False)
    assert vpp.interfaces()[BOND]["link"] is True
    vpp.set_link("TenGigabitEthernet1/0/1", False)
    assert vpp.interfaces()[BOND]["link"] is False
    vpp.set_active("TenGigabitEthernet1/0/0", True)
    assert vpp.interfaces()[BOND]["link"] is True


def test_a_reused_index_starts_at_zero(vpp: Simulator) -> None:
    index = vpp.truth()["BondEthernet0.130"].sw_if_index
    vpp.freeze()
    vpp.step(10)
    assert vpp.reuse("BondEthernet0.130", Spec(parent=BOND, sub_id=131)) == index
    assert vpp.truth()["BondEthernet0.131"].rx == (0, 0)
    stats = stats_of(vpp)
    assert stats["/if/rx"][:, index].sum_packets() == 0
    assert stats["/if/names"][index] == "BondEthernet0.131"
    stats.disconnect()


def dance(_: Verbs) -> None:
    """No verb."""


def test_what_cannot_be_done_is_an_error_and_harms_nothing(vpp: Simulator) -> None:
    with pytest.raises(SimulatorError, match="nobody"):
        vpp.delete("nobody")
    with pytest.raises(SimulatorError, match="exists"):
        vpp.add_loopback("loop0")
    vpp.send(dance)
    with pytest.raises(SimulatorError, match="dance"):
        vpp.receive()
    assert vpp.truth()[PORT].sw_if_index == 1
