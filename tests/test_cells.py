"""vpp/cells.py on segments of the simulator: whole, moving and damaged."""

import os
import struct
from collections.abc import Sequence

import pytest

from simulator.segment import BASE, SegmentWriter
from vpp_snmp_agent.vpp import cells, mapping
from vpp_snmp_agent.vpp.cells import BLOCK, Counter, Counters, Vectors, differing_blocks
from vpp_snmp_agent.vpp.layout import DIRECTORY_WORD, Generation, Kind
from vpp_snmp_agent.vpp.mapping import SegmentUnavailable
from vpp_snmp_agent.vpp.segment import Segment

from .segments import COLUMNS, SIZE, THREADS, costing, large, put, words

pytestmark = pytest.mark.usefixtures("both_paths_agree")


def test_a_simple_cell_is_the_sum_over_the_threads(writer: SegmentWriter) -> None:
    for thread in range(THREADS):
        put(writer, "/if/drops", thread, 4, 10**thread)
    drops = Counter(Segment(writer.fd), "/if/drops", Kind.SIMPLE)
    assert drops.read(4) == 111
    assert drops.read(5) == 0


def test_packets_and_bytes_of_a_combined_cell_are_read_apart(writer: SegmentWriter) -> None:
    put(writer, "/if/rx", 0, 9, 5, 500)
    put(writer, "/if/rx", 2, 9, 6, 2**63)
    segment = Segment(writer.fd)
    assert Counter(segment, "/if/rx", Kind.COMBINED).read(9) == 11
    assert Counter(segment, "/if/rx", Kind.COMBINED, 1).read(9) == 2**63 + 500


def test_a_value_is_read_at_the_moment_it_is_asked_for(
    writer: SegmentWriter, drops: Counter
) -> None:
    for value in (1, 2, 3):
        put(writer, "/if/drops", 1, 0, value)
        assert drops.read(0) == value


def test_the_cells_of_all_interfaces_are_read_at_once(
    writer: SegmentWriter, drops: Counter
) -> None:
    assert drops.read_all() == (0, COLUMNS)
    put(writer, "/if/drops", 0, 3, 2**40)
    put(writer, "/if/drops", 2, 3, 5)
    put(writer, "/if/drops", 1, 9, 6)
    assert drops.read_all() == (((2**40 + 5) << 64 * 3) + (6 << 64 * 9), COLUMNS)
    writer.grow(["/if/drops"], 5 * COLUMNS)
    put(writer, "/if/drops", 1, 49, 7)
    assert drops.read_all()[0] >> 64 * 49 == 7


def test_a_length_that_no_counter_has_is_refused_before_all_of_it_is_read() -> None:
    with large() as writer:
        writer.add_counter("/if/drops", Kind.SIMPLE, 1, COLUMNS)
        rows = writer.where("/if/drops")["rows"]
        assert isinstance(rows, list)
        writer.overwrite(rows[0] - 8, struct.pack("=I", 100_000_000))
        drops = Counter(Segment(writer.fd), "/if/drops", Kind.SIMPLE)
        with costing(1.0, 1 << 20), pytest.raises(SegmentUnavailable, match="100000000 cells"):
            drops.read_all()


def both(writer: SegmentWriter) -> tuple[Counter, Counters]:
    """/if/drops, and all three counters together, having been read once."""
    segment = Segment(writer.fd)
    drops = Counter(segment, "/if/drops", Kind.SIMPLE)
    rx = [Counter(segment, "/if/rx", Kind.COMBINED, offset) for offset in (0, 1)]
    drops.read(0)
    return drops, Counters(segment, rx, [drops])


def test_the_fast_path_reads_cells_of_the_moment(writer: SegmentWriter) -> None:
    drops, together = both(writer)
    for value in (1, 2, 3):
        for thread in range(THREADS):
            put(writer, "/if/drops", thread, 6, value)
            put(writer, "/if/rx", thread, 6, 10 * value, 100 * value)
        assert drops.read_in(drops.epoch, 6) == 3 * value
        assert together.read_in(drops.epoch, 6) == [30 * value, 300 * value, 3 * value]
        assert together.read_in(drops.epoch, 5) == [0, 0, 0]


def test_the_fast_path_wraps_a_sum_beyond_64_bits(writer: SegmentWriter) -> None:
    drops, together = both(writer)
    put(writer, "/if/drops", 0, 0, 2**64 - 1)
    put(writer, "/if/drops", 1, 0, 3)
    assert drops.read_in(drops.epoch, 0) == 2
    assert together.read_in(drops.epoch, 0) == [0, 0, 2]


@pytest.mark.parametrize("threads", [1, 2, 17])
def test_the_fast_path_adds_up_all_threads(threads: int) -> None:
    writer = SegmentWriter(SIZE, Generation.V26_02)
    for name, kind in (("/if/drops", Kind.SIMPLE), ("/if/rx", Kind.COMBINED)):
        writer.add_counter(name, kind, threads, COLUMNS)
    writer.add_names("/if/names")
    drops, together = both(writer)
    for thread in range(threads):
        put(writer, "/if/drops", thread, 9, 1 << thread)
        put(writer, "/if/rx", thread, 9, 1 << thread, 2 << thread)
    every = (1 << threads) - 1
    assert drops.read_in(drops.epoch, 9) == every
    assert together.read_in(drops.epoch, 9) == [every, 2 * every, every]
    os.close(writer.fd)


def test_the_fast_path_has_nothing_to_say_where_the_slow_path_decides(
    writer: SegmentWriter,
) -> None:
    drops, together = both(writer)
    epoch = drops.epoch

    def says() -> bool:
        one, all_ = drops.read_in(epoch, 0), together.read_in(epoch, 0)
        assert (one is None) == (all_ is None)
        return one is not None

    assert says()
    for other, index in ((epoch, COLUMNS), (epoch + 1, 0)):
        assert drops.read_in(other, index) is None
        assert together.read_in(other, index) is None
    writer.hold(True)
    assert not says()
    writer.hold(False)
    assert not says()  # it is another epoch by now
    drops.read(0)
    epoch = drops.epoch
    assert says()
    with writer.lock():
        assert not says()
    assert not says()  # it is another epoch by now
    drops.read(0)
    epoch = drops.epoch
    assert says()
    writer.grow(["/if/drops"], 4 * COLUMNS)  # and moves
    assert not says()


def test_the_fast_path_sees_a_vector_grow_within_its_capacity(writer: SegmentWriter) -> None:
    drops, together = both(writer)
    for name in ("/if/drops", "/if/rx"):
        for row in writer.counters[name].rows:
            assert row is not None
            writer.overwrite(row.offset - 8, struct.pack("=I", COLUMNS + 1))
    assert drops.read_in(drops.epoch, COLUMNS) is None
    assert drops.read(COLUMNS) == 0
    assert drops.read_in(drops.epoch, COLUMNS) == 0
    assert together.read_in(drops.epoch, COLUMNS) == [0, 0, 0]


def test_where_one_thread_lacks_a_vector_counters_are_not_read_together(
    writer: SegmentWriter,
) -> None:
    writer.drop_row("/if/drops", 1)
    drops, together = both(writer)
    put(writer, "/if/drops", 2, 0, 7)
    assert drops.read_in(drops.epoch, 0) == 7
    assert together.read_in(drops.epoch, 0) is None


def test_a_sum_beyond_64_bits_wraps(writer: SegmentWriter) -> None:
    put(writer, "/if/drops", 0, 0, 2**64 - 1)
    put(writer, "/if/drops", 1, 0, 3)
    assert Counter(Segment(writer.fd), "/if/drops", Kind.SIMPLE).read(0) == 2


def test_a_counter_of_another_kind_is_refused(writer: SegmentWriter) -> None:
    with pytest.raises(SegmentUnavailable, match="is not simple"):
        Counter(Segment(writer.fd), "/if/rx", Kind.SIMPLE).read(0)


def test_growth_within_the_capacity_needs_no_new_epoch(
    writer: SegmentWriter, drops: Counter
) -> None:
    with pytest.raises(SegmentUnavailable, match="no cell 10"):
        drops.read(COLUMNS)
    epoch = writer.epoch
    assert not writer.grow(["/if/drops"], COLUMNS + 1)
    assert writer.epoch == epoch
    put(writer, "/if/drops", 0, COLUMNS, 77)
    assert drops.read(COLUMNS) == 77


def test_a_vector_that_moved_is_found_again(writer: SegmentWriter) -> None:
    put(writer, "/if/drops", 0, 3, 5)
    drops = Counter(Segment(writer.fd), "/if/drops", Kind.SIMPLE)
    assert drops.read(3) == 5
    assert writer.grow(["/if/drops"], 1000)
    put(writer, "/if/drops", 2, 999, 8)
    assert (drops.read(3), drops.read(999)) == (5, 8)


def test_a_thread_without_a_vector_counts_nothing(writer: SegmentWriter) -> None:
    for thread in range(THREADS):
        put(writer, "/if/drops", thread, 2, 1)
    drops = Counter(Segment(writer.fd), "/if/drops", Kind.SIMPLE)
    writer.drop_row("/if/drops", 1)
    assert drops.read(2) == THREADS - 1


def test_a_cell_that_no_thread_has_is_unavailable(writer: SegmentWriter) -> None:
    for thread in range(THREADS):
        writer.drop_row("/if/drops", thread)
    with pytest.raises(SegmentUnavailable, match="no cell 2"):
        Counter(Segment(writer.fd), "/if/drops", Kind.SIMPLE).read(2)


def test_a_vector_that_moves_in_the_middle_of_a_reading_is_read_anew(
    writer: SegmentWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(writer, "/if/drops", 0, 3, 5)
    segment = Segment(writer.fd)
    drops = Counter(segment, "/if/drops", Kind.SIMPLE)
    assert drops.read(3) == 5
    settled, moves = segment.settled_epoch, iter((100, 200))

    def move_behind_the_readers_back() -> int:
        epoch = settled()
        columns = next(moves, 0)
        if columns:
            assert writer.grow(["/if/drops"], columns)
            # Others take the memory that it left behind.
            for number in range(THREADS):
                name = f"/others/{columns}/{number}"
                writer.add_counter(name, Kind.SIMPLE, THREADS, COLUMNS)
                for thread in range(THREADS):
                    put(writer, name, thread, 3, 2**40)
        return epoch

    monkeypatch.setattr(segment, "settled_epoch", move_behind_the_readers_back)
    assert drops.read(3) == 5
    assert next(moves, None) is None


def test_a_cell_is_read_in_the_epoch_in_which_its_owner_is_known_and_in_no_other(
    writer: SegmentWriter,
) -> None:
    put(writer, "/if/drops", 1, 4, 23)
    segment = Segment(writer.fd)
    drops = Counter(segment, "/if/drops", Kind.SIMPLE)
    epoch, _ = segment.name_at(4)
    assert drops.read_settled(epoch, 4) == 23
    writer.add_scalar("/another", 1)
    assert drops.read_settled(epoch, 4) is None
    epoch, _ = segment.name_at(4)
    assert drops.read_settled(epoch, 4) == 23
    with pytest.raises(SegmentUnavailable, match="no cell 10"):
        drops.read_settled(epoch, COLUMNS)


def test_a_segment_that_never_stands_still_is_given_up(
    drops: Counter, segment: Segment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segment, "unchanged", lambda epoch: False)
    with pytest.raises(SegmentUnavailable):
        drops.read(3)


def test_a_counter_that_was_located_is_read_through_a_stuck_lock_though_never_read_before(
    writer: SegmentWriter, drops: Counter, segment: Segment, monkeypatch: pytest.MonkeyPatch
) -> None:
    drops.locate()
    assert writer.grow(["/if/drops"], 1000)  # it moves
    drops.locate()
    put(writer, "/if/drops", 1, 999, 5)
    monkeypatch.setattr(mapping, "STUCK_TIMEOUT", 0.0)
    writer.hold(True)
    segment.poll_lock()
    assert drops.read(999) == 5
    drops.locate()
    assert drops.read(999) == 5


def test_to_locate_what_is_damaged_is_no_failure(writer: SegmentWriter, drops: Counter) -> None:
    right = writer.words[DIRECTORY_WORD]
    writer.words[DIRECTORY_WORD] = 2**63
    drops.locate()
    writer.words[DIRECTORY_WORD] = right
    assert drops.read(0) == 0


def test_through_a_stuck_lock_nothing_is_read_where_the_way_to_it_is_another(
    writer: SegmentWriter, drops: Counter, segment: Segment, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert drops.read(0) == 0
    monkeypatch.setattr(mapping, "STUCK_TIMEOUT", 0.0)
    writer.hold(True)
    segment.poll_lock()
    where = writer.where("/if/drops")["pointers"]
    assert isinstance(where, int)
    rows = writer.where("/if/drops")["rows"]
    assert isinstance(rows, list)
    writer.overwrite(where, struct.pack("=Q", BASE + rows[1]))  # moved, but for the rest
    with pytest.raises(SegmentUnavailable, match="being changed"):
        drops.read(0)
    with pytest.raises(SegmentUnavailable, match="being changed"):  # nor what was never read
        Counter(segment, "/if/rx", Kind.COMBINED).read(0)


def test_vectors_are_copied_whole_thread_by_thread_and_a_null_one_is_empty(
    writer: SegmentWriter,
) -> None:
    vectors = Vectors(Segment(writer.fd), b"/if/drops")
    for thread in range(THREADS):
        writer.set_row("/if/drops", thread, [100 * thread + n for n in range(COLUMNS)])
    epoch, read = vectors.read()
    assert epoch == writer.epoch
    assert [words(each) for each in read] == [
        [100 * thread + n for n in range(COLUMNS)] for thread in range(THREADS)
    ]
    writer.drop_row("/if/drops", 1)
    _, read = vectors.read()
    assert [len(each) for each in read] == [8 * COLUMNS, 0, 8 * COLUMNS]


def test_vectors_of_a_combined_counter_have_packets_and_octets_in_turn(
    writer: SegmentWriter,
) -> None:
    writer.set_row("/if/rx", 2, [7, 700, 9, 900])
    _, read = Vectors(Segment(writer.fd), b"/if/rx", Kind.COMBINED).read()
    assert words(read[2])[:4] == [7, 700, 9, 900]
    assert len(read[2]) == 16 * COLUMNS


def test_vectors_that_are_not_there_or_of_another_kind_are_refused(segment: Segment) -> None:
    with pytest.raises(SegmentUnavailable, match="has no /net/punt"):
        Vectors(segment, b"/net/punt").read()
    with pytest.raises(SegmentUnavailable, match="/if/rx is of type 3"):
        Vectors(segment, b"/if/rx").read()


def test_vectors_with_more_cells_than_any_vpp_has_are_damage(
    writer: SegmentWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = Vectors(Segment(writer.fd), b"/if/drops")
    vectors.read()
    monkeypatch.setattr(cells, "MAX_COPIED_CELLS", THREADS * COLUMNS - 1)
    with pytest.raises(SegmentUnavailable, match="too many cells"):
        vectors.read()


def test_through_a_stuck_lock_vectors_are_read_where_they_were_and_nowhere_else(
    writer: SegmentWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapping, "STUCK_TIMEOUT", 0.0)
    monkeypatch.setattr(mapping, "LOCK_WAIT", 0.0)
    segment = Segment(writer.fd)
    known, unknown = Vectors(segment, b"/if/drops"), Vectors(segment, b"/if/drops")
    known.read()
    writer.hold(True)
    with pytest.raises(SegmentUnavailable, match="keeps the segment locked"):
        known.read()  # the lock is seen for the first time
    writer.set_row("/if/drops", 0, [17])
    assert words(known.read()[1][0])[0] == 17
    with pytest.raises(SegmentUnavailable, match="when VPP hung"):
        unknown.read()


def packed(cells: Sequence[int]) -> bytes:
    return struct.pack(f"={len(cells)}Q", *cells)


def test_only_blocks_that_differ_are_found() -> None:
    size = 3 * BLOCK + 5
    before = [7] * size
    after = list(before)
    after[0], after[2 * BLOCK], after[size - 1] = 8, 6, 2**64 - 1
    assert list(differing_blocks(packed(before), packed(before))) == []
    assert list(differing_blocks(packed(before), packed(after))) == [0, 2, 3]
    assert list(differing_blocks(packed(before[: 2 * BLOCK]), packed(after))) == [
        0,
        2,
        3,
    ]  # it grew
    assert list(differing_blocks(packed(before), packed(after[:BLOCK]))) == [0]  # another vector
    assert list(differing_blocks(b"", packed([0] * BLOCK + [3]))) == [1]
