"""How the simulator writes its segment."""

import pytest

from simulator import Simulator
from simulator.segment import Heap

from .judges import stats_of


def test_rows_that_outgrow_their_room_move_and_bump_the_epoch(vpp: Simulator) -> None:
    vpp.freeze()
    before, epoch, truth = vpp.where("/if/rx"), vpp.epoch(), vpp.truth()
    for number in range(30):
        vpp.add_loopback(f"loop{number + 1}")
    assert vpp.where("/if/rx")["rows"] != before["rows"]
    assert vpp.epoch() > epoch
    assert vpp.truth().items() >= truth.items()
    stats = stats_of(vpp)
    for row in truth.values():
        assert stats["/if/rx"][:, row.sw_if_index].sum_octets() == row.rx.bytes
    stats.disconnect()


def test_what_a_heap_is_given_back_it_gives_out_again() -> None:
    heap = Heap(4096, 4096 + 160)
    first, second = heap.allocate(60), heap.allocate(30)
    with pytest.raises(MemoryError):
        heap.allocate(80)
    heap.release(first, 60)
    heap.release(second, 30)
    assert heap.allocate(160) == first == 4096
    assert heap.used == heap.size


def test_the_lock_can_be_held_for_ever_and_memory_spoilt(vpp: Simulator) -> None:
    stats = stats_of(vpp)
    vpp.hold_lock()
    vpp.add_loopback("loop1")
    assert stats.in_progress == 1
    epoch = vpp.epoch()
    vpp.hold_lock(False)
    assert (stats.in_progress, vpp.epoch()) == (0, epoch + 1)
    vpp.corrupt(vpp.where("/if/rx")["pointers"], b"\xff" * 8)
    with pytest.raises((IOError, OverflowError)):
        stats.__getitem__("/if/rx", blocking=False)
    stats.disconnect()
