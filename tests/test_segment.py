"""vpp/segment.py and vpp/cells.py on segments of the simulator: whole, moving and damaged."""

import fcntl
import os
import socket
import struct
import subprocess
import threading
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from simulator.segment import BASE, SegmentWriter
from vpp_snmp_agent.vpp import cells
from vpp_snmp_agent.vpp import segment as vpp_segment
from vpp_snmp_agent.vpp.cells import BLOCK, Counter, Counters, Vectors, differing_blocks
from vpp_snmp_agent.vpp.layout import (
    BASE_WORD,
    DIRECTORY_WORD,
    IN_PROGRESS_WORD,
    NODE_ERRORS,
    VERSION_WORD,
    Generation,
    Kind,
)
from vpp_snmp_agent.vpp.segment import (
    Segment,
    SegmentUnavailable,
    listener_pid,
    open_segment_of,
    receive_segment,
)

SIZE, LARGE = 1 << 20, 1 << 30
THREADS, COLUMNS = 3, 10


@pytest.fixture(params=Generation)
def writer(request: pytest.FixtureRequest) -> Iterator[SegmentWriter]:
    """A segment with one simple and one combined counter, of each generation."""
    made = SegmentWriter(SIZE, request.param)
    made.add_scalar("/sys/heartbeat", 7)
    made.add_scalar("/sys/vector_rate", 75, Kind.GAUGE)
    made.add_counter("/if/drops", Kind.SIMPLE, THREADS, COLUMNS)
    made.add_counter("/if/rx", Kind.COMBINED, THREADS, COLUMNS)
    made.add_names("/if/names")
    made.add_symlink("/err/one", "/if/drops", 1)
    yield made
    os.close(made.fd)


@contextmanager
def large() -> Iterator[SegmentWriter]:
    """A segment of 1 GiB, nearly all of which is a hole: it costs no memory until it is read."""
    made = SegmentWriter(LARGE, Generation.V26_02)
    made.add_counter("/if/rx", Kind.COMBINED, THREADS, COLUMNS)
    made.add_names("/if/names")
    yield made
    os.close(made.fd)


@contextmanager
def costing(seconds: float, octets: int) -> Iterator[None]:
    """What takes no longer, of this process's CPU, and allocates no more at once."""
    tracemalloc.start()
    began = time.process_time()
    try:
        yield
        took, (_, peak) = time.process_time() - began, tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert took < seconds
    assert peak < octets


@pytest.fixture(autouse=True)
def the_short_way_agrees(monkeypatch: pytest.MonkeyPatch) -> None:
    """After each reading, in every test here: `read_in` tells the same, or nothing."""
    read = Counter.read

    def read_and_compare(counter: Counter, sw_if_index: int) -> int:
        try:
            value = read(counter, sw_if_index)
        except SegmentUnavailable:
            assert counter.read_in(counter.epoch, sw_if_index) is None
            raise
        assert counter.read_in(counter.epoch, sw_if_index) in (None, value)
        return value

    monkeypatch.setattr(Counter, "read", read_and_compare)


def put(writer: SegmentWriter, name: str, thread: int, index: int, *values: int) -> None:
    row = writer.counters[name].rows[thread]
    assert row is not None
    for offset, value in enumerate(values):
        writer.words[row.offset // 8 + index * len(values) + offset] = value


def test_a_simple_cell_is_the_sum_over_the_threads(writer: SegmentWriter) -> None:
    for thread in range(THREADS):
        put(writer, "/if/drops", thread, 4, 10**thread)
    drops = Counter(Segment(writer.fd), "/if/drops", Kind.SIMPLE)
    assert drops.read(4) == 111
    assert drops.read(5) == 0


def test_the_descriptor_of_a_segment_that_is_handed_over_is_closed(writer: SegmentWriter) -> None:
    put(writer, "/if/drops", 2, 3, 13)
    descriptor = os.dup(writer.fd)
    mapped = Segment.map_and_close(descriptor)
    assert Counter(mapped, "/if/drops", Kind.SIMPLE).read(3) == 13
    no_segment = os.open("/dev/null", os.O_RDONLY)
    with pytest.raises(SegmentUnavailable):
        Segment.map_and_close(no_segment)
    for each in (descriptor, no_segment):
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(each)


def test_packets_and_bytes_of_a_combined_cell_are_read_apart(writer: SegmentWriter) -> None:
    put(writer, "/if/rx", 0, 9, 5, 500)
    put(writer, "/if/rx", 2, 9, 6, 2**63)
    segment = Segment(writer.fd)
    assert Counter(segment, "/if/rx", Kind.COMBINED).read(9) == 11
    assert Counter(segment, "/if/rx", Kind.COMBINED, 1).read(9) == 2**63 + 500


def test_a_value_is_read_at_the_moment_it_is_asked_for(writer: SegmentWriter) -> None:
    drops = Counter(Segment(writer.fd), "/if/drops", Kind.SIMPLE)
    for value in (1, 2, 3):
        put(writer, "/if/drops", 1, 0, value)
        assert drops.read(0) == value


def test_what_a_scalar_a_gauge_or_a_symlink_says_is_read_by_its_name(writer: SegmentWriter) -> None:
    for thread in range(THREADS):
        put(writer, "/if/drops", thread, 1, 10**thread)
    segment = Segment(writer.fd)
    assert segment.value("/sys/heartbeat") == 7
    assert segment.value("/sys/vector_rate") == 75
    assert segment.value("/err/one") == 111
    assert segment.values("/if/drops")[:3] == [0, 1, 0]


def test_several_values_are_read_at_once(writer: SegmentWriter) -> None:
    writer.add_symlink("/err/two", "/if/drops", 2)
    for thread in range(THREADS):
        put(writer, "/if/drops", thread, 1, 10**thread)
        put(writer, "/if/drops", thread, 2, 2 * 10**thread)
    segment = Segment(writer.fd)
    assert segment.values_of(("/err/two", "/sys/heartbeat", "/err/one")) == [222, 7, 111]
    with pytest.raises(SegmentUnavailable, match="has no /err/three"):
        segment.values_of(("/err/two", "/err/three"))


def test_the_cells_of_all_interfaces_are_read_at_once(writer: SegmentWriter) -> None:
    drops = Counter(Segment(writer.fd), "/if/drops", Kind.SIMPLE)
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


def test_what_is_no_number_is_refused(writer: SegmentWriter) -> None:
    writer.add_symlink("/err/pair", "/if/rx", 1)
    segment = Segment(writer.fd)
    for name in ("/if/names", "/if/drops", "/err/pair"):
        with pytest.raises(SegmentUnavailable, match="is no number but of type"):
            segment.value(name)
    with pytest.raises(SegmentUnavailable, match="has no /err/two"):
        segment.value("/err/two")
    with pytest.raises(SegmentUnavailable, match="/if/rx is not simple"):
        segment.values("/if/rx")


def test_a_symlink_that_leads_nowhere_is_refused(writer: SegmentWriter) -> None:
    where = writer.where("/err/one")["entry"]
    assert isinstance(where, int)
    writer.overwrite(where + 8, struct.pack("=II", 4_000_000, 1))
    with pytest.raises(SegmentUnavailable, match="no entry 4000000"):
        Segment(writer.fd).value("/err/one")


# --- the fast path -------------------------------------------------------------------------


def both(writer: SegmentWriter) -> tuple[Counter, Counters]:
    """/if/drops, and all three counters together, having been read once."""
    segment = Segment(writer.fd)
    drops = Counter(segment, "/if/drops", Kind.SIMPLE)
    rx = [Counter(segment, "/if/rx", Kind.COMBINED, offset) for offset in (0, 1)]
    drops.read(0)
    return drops, Counters(segment, rx, [drops])


def test_the_short_way_reads_cells_of_the_moment(writer: SegmentWriter) -> None:
    drops, together = both(writer)
    for value in (1, 2, 3):
        for thread in range(THREADS):
            put(writer, "/if/drops", thread, 6, value)
            put(writer, "/if/rx", thread, 6, 10 * value, 100 * value)
        assert drops.read_in(drops.epoch, 6) == 3 * value
        assert together.read_in(drops.epoch, 6) == [30 * value, 300 * value, 3 * value]
        assert together.read_in(drops.epoch, 5) == [0, 0, 0]


def test_the_short_way_wraps_a_sum_beyond_64_bits(writer: SegmentWriter) -> None:
    drops, together = both(writer)
    put(writer, "/if/drops", 0, 0, 2**64 - 1)
    put(writer, "/if/drops", 1, 0, 3)
    assert drops.read_in(drops.epoch, 0) == 2
    assert together.read_in(drops.epoch, 0) == [0, 0, 2]


@pytest.mark.parametrize("threads", [1, 2, 17])
def test_the_short_way_adds_up_all_threads(threads: int) -> None:
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


def test_the_short_way_has_nothing_to_say_where_the_long_way_has_to_look(
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


def test_the_short_way_sees_a_vector_grow_within_its_capacity(writer: SegmentWriter) -> None:
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


# --- the segment ----------------------------------------------------------------------------


def test_a_sum_beyond_64_bits_wraps(writer: SegmentWriter) -> None:
    put(writer, "/if/drops", 0, 0, 2**64 - 1)
    put(writer, "/if/drops", 1, 0, 3)
    assert Counter(Segment(writer.fd), "/if/drops", Kind.SIMPLE).read(0) == 2


def test_the_generation_is_told(tmp_path: Path) -> None:
    for generation in Generation:
        made = SegmentWriter(SIZE, generation)
        made.add_scalar("/sys/vector_rate", 75, Kind.GAUGE)
        made.add_names("/if/names")
        assert Segment(made.fd).generation is generation
        os.close(made.fd)


def test_scalars_and_gauges_are_read_and_nothing_else_as_such(writer: SegmentWriter) -> None:
    segment = Segment(writer.fd)
    assert segment.scalar("/sys/heartbeat") == 7
    assert segment.scalar("/sys/vector_rate") == 75
    with pytest.raises(SegmentUnavailable, match="no scalar"):
        segment.scalar("/if/drops")
    with pytest.raises(SegmentUnavailable, match="has no /sys/nothing"):
        segment.scalar("/sys/nothing")


def test_vpp_tells_how_long_it_has_been_up(writer: SegmentWriter) -> None:
    segment = Segment(writer.fd)
    assert segment.uptime == 0
    writer.add_scalar("/sys/last_update", 86400)
    assert segment.uptime == 86400


def test_a_name_that_is_the_beginning_of_another_is_not_taken_for_it(writer: SegmentWriter) -> None:
    writer.add_counter("/if/tx-error", Kind.SIMPLE, THREADS, COLUMNS)
    with pytest.raises(SegmentUnavailable, match=r"has no /if/tx$"):
        Counter(Segment(writer.fd), "/if/tx", Kind.COMBINED).read(0)


def test_a_counter_of_another_kind_is_refused(writer: SegmentWriter) -> None:
    with pytest.raises(SegmentUnavailable, match="is not simple"):
        Counter(Segment(writer.fd), "/if/rx", Kind.SIMPLE).read(0)


# --- structures that change ---------------------------------------------------------------


def test_growth_within_the_capacity_needs_no_new_epoch(writer: SegmentWriter) -> None:
    drops = Counter(Segment(writer.fd), "/if/drops", Kind.SIMPLE)
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


def test_a_directory_that_moved_is_found_again(writer: SegmentWriter) -> None:
    put(writer, "/if/drops", 0, 3, 5)
    drops = Counter(Segment(writer.fd), "/if/drops", Kind.SIMPLE)
    assert drops.read(3) == 5
    before = writer.where("/if/drops")["directory"]
    for number in range(500):
        writer.add_scalar(f"/more/{number}", number)
    assert writer.where("/if/drops")["directory"] != before
    assert drops.read(3) == 5


def test_an_entry_that_was_removed_and_added_elsewhere_is_found_again(
    writer: SegmentWriter,
) -> None:
    drops = Counter(Segment(writer.fd), "/if/drops", Kind.SIMPLE)
    assert drops.read(0) == 0
    writer.remove("/if/drops")
    with pytest.raises(SegmentUnavailable, match="has no /if/drops"):
        drops.read(0)
    writer.add_scalar("/taken", 1)  # takes the place of the removed one
    writer.add_counter("/if/drops", Kind.SIMPLE, THREADS, COLUMNS)
    put(writer, "/if/drops", 0, 0, 9)
    assert drops.read(0) == 9


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


def test_a_segment_that_never_stands_still_is_given_up(
    writer: SegmentWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment = Segment(writer.fd)
    drops = Counter(segment, "/if/drops", Kind.SIMPLE)
    monkeypatch.setattr(segment, "unchanged", lambda epoch: False)
    with pytest.raises(SegmentUnavailable):
        drops.read(3)


# --- the lock ---------------------------------------------------------------------------------


def test_a_lock_that_is_let_go_soon_is_waited_for(
    writer: SegmentWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vpp_segment, "LOCK_WAIT", 20.0)
    segment = Segment(writer.fd)
    writer.hold(True)
    release = threading.Timer(0.02, writer.hold, (False,))
    release.start()
    assert Counter(segment, "/if/drops", Kind.SIMPLE).read(0) == 0
    release.join()


def test_a_lock_that_is_kept_is_waited_for_once(
    writer: SegmentWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment = Segment(writer.fd)
    drops = Counter(segment, "/if/drops", Kind.SIMPLE)
    writer.hold(True)
    with pytest.raises(SegmentUnavailable, match="locked"):
        drops.read(0)
    monkeypatch.setattr(vpp_segment, "LOCK_WAIT", 3600.0)  # waiting again would never end
    with pytest.raises(SegmentUnavailable, match="locked"):
        drops.read(0)
    writer.hold(False)
    assert drops.read(0) == 0


def test_a_lock_that_is_kept_for_long_is_read_through(
    writer: SegmentWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment = Segment(writer.fd)
    drops = Counter(segment, "/if/drops", Kind.SIMPLE)
    assert drops.read(4) == 0
    writer.hold(True)
    with pytest.raises(SegmentUnavailable, match="locked"):
        drops.read(4)
    monkeypatch.setattr(vpp_segment, "STUCK_TIMEOUT", 0.0)
    for value in (5, 6):
        put(writer, "/if/drops", 1, 4, value)
        assert drops.read(4) == value
    writer.hold(False)
    assert drops.read(4) == 6


def test_a_kept_lock_is_noticed_without_a_reading(
    writer: SegmentWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment = Segment(writer.fd)
    drops = Counter(segment, "/if/drops", Kind.SIMPLE)
    assert drops.read(4) == 0
    monkeypatch.setattr(vpp_segment, "STUCK_TIMEOUT", 0.0)
    monkeypatch.setattr(vpp_segment, "LOCK_WAIT", 3600.0)  # the reading must not wait
    segment.poll_lock()
    writer.hold(True)
    segment.poll_lock()
    put(writer, "/if/drops", 1, 4, 5)
    assert drops.read(4) == 5


def test_a_counter_that_was_looked_at_is_read_under_a_kept_lock_though_never_read_before(
    writer: SegmentWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment = Segment(writer.fd)
    drops = Counter(segment, "/if/drops", Kind.SIMPLE)
    drops.locate()
    assert writer.grow(["/if/drops"], 1000)  # it moves
    drops.locate()
    put(writer, "/if/drops", 1, 999, 5)
    monkeypatch.setattr(vpp_segment, "STUCK_TIMEOUT", 0.0)
    writer.hold(True)
    segment.poll_lock()
    assert drops.read(999) == 5
    drops.locate()
    assert drops.read(999) == 5


def test_a_look_at_what_is_damaged_is_no_failure(writer: SegmentWriter) -> None:
    drops = Counter(Segment(writer.fd), "/if/drops", Kind.SIMPLE)
    right = writer.words[DIRECTORY_WORD]
    writer.words[DIRECTORY_WORD] = 2**63
    drops.locate()
    writer.words[DIRECTORY_WORD] = right
    assert drops.read(0) == 0


def test_a_lock_that_was_taken_anew_is_another_one(
    writer: SegmentWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment = Segment(writer.fd)
    monkeypatch.setattr(vpp_segment, "STUCK_TIMEOUT", 0.0)
    writer.hold(True)
    segment.poll_lock()
    writer.add_scalar("/another", 1)  # lets go, and takes it again
    with pytest.raises(SegmentUnavailable, match="locked"):
        Counter(segment, "/if/drops", Kind.SIMPLE).read(0)


def test_under_a_kept_lock_nothing_is_read_where_the_way_to_it_is_another(
    writer: SegmentWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment = Segment(writer.fd)
    drops = Counter(segment, "/if/drops", Kind.SIMPLE)
    assert drops.read(0) == 0
    monkeypatch.setattr(vpp_segment, "STUCK_TIMEOUT", 0.0)
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


# --- names ----------------------------------------------------------------------------------------


# --- vectors, whole -------------------------------------------------------------------------------


def words(octets: bytes) -> list[int]:
    return list(memoryview(octets).cast("Q"))


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


def test_vectors_that_are_not_there_or_of_another_kind_are_refused(writer: SegmentWriter) -> None:
    segment = Segment(writer.fd)
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


def test_under_a_kept_lock_vectors_are_read_where_they_were_and_nowhere_else(
    writer: SegmentWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vpp_segment, "STUCK_TIMEOUT", 0.0)
    monkeypatch.setattr(vpp_segment, "LOCK_WAIT", 0.0)
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
    assert list(differing_blocks(packed(before), packed(after[:BLOCK]))) == [0]  # it was made anew
    assert list(differing_blocks(b"", packed([0] * BLOCK + [3]))) == [1]


def test_errors_lead_to_columns_of_their_vectors_in_every_generation(writer: SegmentWriter) -> None:
    writer.add_counter("/node/errors", Kind.SIMPLE, THREADS, COLUMNS)
    writer.add_error("/err/ip4-input/bad_length", 3)
    writer.add_error("/err/ip6-input/bad_length", 5)
    writer.set_row("/node/errors", 1, [0, 0, 0, 31, 0, 51])
    segment = Segment(writer.fd)
    entries, _ = segment.entries_from(0, [b"/err/ip"])
    assert segment.by_error_column(dict(entries)) == {
        3: "/err/ip4-input/bad_length",
        5: "/err/ip6-input/bad_length",
    }
    names = [name for name, _ in entries]
    # One leads to a counter of interfaces, one nowhere.
    assert segment.error_columns([*names, "/err/one", "/err/other"]) == {names[0]: 3, names[1]: 5}
    _, read = Vectors(segment, NODE_ERRORS).read()
    assert words(read[1])[3:6] == [31, 0, 51]
    assert segment.value(names[1]) == 51


def test_names_are_told_with_their_epoch(writer: SegmentWriter) -> None:
    segment = Segment(writer.fd)
    assert segment.name_at(3) == (writer.epoch, b"")
    writer.set_name(3, "eno1")
    writer.set_name(4, "eno1.100")
    assert segment.name_at(3) == (writer.epoch, b"eno1")
    assert segment.name_at(4) == (writer.epoch, b"eno1.100")
    writer.set_name(3, None)
    assert segment.name_at(3) == (writer.epoch, b"")
    assert segment.name_at(10_000) == (writer.epoch, b"")


def test_a_damaged_name_costs_nothing() -> None:
    with large() as writer:
        writer.set_name(3, "eno1")
        writer.set_name(4, "eno1.100")
        name = writer._names[4]
        assert name is not None
        writer.overwrite(name.offset - 8, struct.pack("=I", LARGE - name.offset))
        segment = Segment(writer.fd)
        with costing(0.5, 1 << 20), pytest.raises(SegmentUnavailable, match="a name of "):
            segment.name_at(4)
        assert segment.name_at(3) == (writer.epoch, b"eno1")


def test_a_name_as_long_as_names_can_be_is_read(writer: SegmentWriter) -> None:
    longest = "e" * (vpp_segment.MAX_NAME_LENGTH - 1)  # and a NUL
    writer.set_name(3, longest)
    writer.set_name(4, longest + "e")
    segment = Segment(writer.fd)
    assert segment.name_at(3) == (writer.epoch, longest.encode())
    with pytest.raises(SegmentUnavailable, match="a name of 257 bytes"):
        segment.name_at(4)


@pytest.mark.parametrize("value", [1, BASE, BASE + 4100, BASE + SIZE, 2**64 - 8])
def test_a_name_that_leads_astray_is_refused(writer: SegmentWriter, value: int) -> None:
    writer.set_name(3, "eno1")
    names = writer._name_pointers.offset
    writer.overwrite(names + 3 * 8, struct.pack("=Q", value))
    with pytest.raises(SegmentUnavailable):
        Segment(writer.fd).name_at(3)


def test_the_names_of_all_interfaces_are_read_once_in_an_epoch(writer: SegmentWriter) -> None:
    writer.set_name(3, "eno1")
    writer.set_name(4, "e" * 63)
    writer.set_name(6, "deleted")
    segment = Segment(writer.fd)
    epoch, texts = segment.interface_names()
    assert epoch == writer.epoch
    names = [vpp_segment.name_in(text) for text in texts]
    assert names == [b"", b"", b"", b"eno1", b"e" * 63, b"", b""]
    assert segment.interface_names()[1] is texts
    writer.set_name(6, "loop7")
    epoch, texts = segment.interface_names()
    assert (epoch, vpp_segment.name_in(texts[6])) == (writer.epoch, b"loop7")


def test_while_vpp_hangs_in_its_lock_the_names_are_those_of_before(
    writer: SegmentWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vpp_segment, "STUCK_TIMEOUT", 0.0)
    monkeypatch.setattr(vpp_segment, "LOCK_WAIT", 0.0)
    writer.set_name(3, "eno1")
    segment = Segment(writer.fd)
    _, before = segment.interface_names()
    writer.hold(True)
    writer.set_name(3, "eno2")
    segment.poll_lock()
    epoch, texts = segment.interface_names()
    assert texts is before
    assert segment.unchanged(epoch)


@pytest.mark.parametrize("value", [1, BASE, BASE + 4100, BASE + SIZE - 3, BASE + SIZE, 2**64 - 8])
def test_of_all_names_one_that_leads_astray_reads_nothing_beyond(
    writer: SegmentWriter, value: int
) -> None:
    writer.set_name(3, "eno1")
    writer.set_name(4, "eno2")
    names = writer._name_pointers.offset
    writer.overwrite(names + 3 * 8, struct.pack("=Q", value))
    _, texts = Segment(writer.fd).interface_names()
    assert len(texts[3]) <= vpp_segment.NAME_SIZE
    assert vpp_segment.name_in(texts[4]) == b"eno2"


# --- damage ---------------------------------------------------------------------------------------


def test_a_segment_too_small_for_a_header_is_refused() -> None:
    descriptor = os.memfd_create("small")
    os.ftruncate(descriptor, 100)
    with pytest.raises(SegmentUnavailable, match="too small"):
        Segment(descriptor)
    os.close(descriptor)


def test_what_cannot_be_mapped_is_refused() -> None:
    reader, writer_end = os.pipe()
    with pytest.raises(SegmentUnavailable):
        Segment(reader)
    os.close(reader)
    os.close(writer_end)


@pytest.mark.parametrize("seals", [0, fcntl.F_SEAL_GROW, fcntl.F_SEAL_SEAL])
def test_a_segment_that_could_be_cut_off_is_refused(seals: int) -> None:
    descriptor = os.memfd_create("open", os.MFD_ALLOW_SEALING)
    os.ftruncate(descriptor, SIZE)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    with pytest.raises(SegmentUnavailable, match="could be cut off") as refused:
        Segment(descriptor)
    assert "\n" not in str(refused.value)
    os.close(descriptor)


def test_a_file_is_no_segment(tmp_path: Path) -> None:
    with open(tmp_path / "file", "w+b") as file:
        file.truncate(SIZE)
        with pytest.raises(SegmentUnavailable, match="could be cut off"):
            Segment(file.fileno())


def test_a_segment_of_huge_pages_is_taken_though_it_cannot_be_sealed() -> None:
    try:
        descriptor = os.memfd_create("huge", os.MFD_HUGETLB)
    except OSError as error:
        pytest.skip(f"no huge pages here: {error}")
    # To map one takes huge pages to spare, which few machines have.
    assert not vpp_segment._is_sealed(descriptor)
    os.close(descriptor)


def test_the_writer_seals_as_vpp_does(writer: SegmentWriter) -> None:
    assert fcntl.fcntl(writer.fd, fcntl.F_GET_SEALS) == fcntl.F_SEAL_SHRINK
    with pytest.raises(PermissionError):
        os.ftruncate(writer.fd, SIZE - 4096)
    assert Segment(writer.fd).is_sealed


def test_another_version_is_refused(writer: SegmentWriter) -> None:
    writer.words[VERSION_WORD] = 3
    with pytest.raises(SegmentUnavailable, match="version 3, not 2"):
        Segment(writer.fd)


@pytest.mark.parametrize("word", [BASE_WORD, DIRECTORY_WORD])
@pytest.mark.parametrize(
    "value", [0, 1, 7, BASE, BASE + 4096, BASE + SIZE, BASE + SIZE - 8, 2**63, 2**64 - 8]
)
def test_a_header_that_leads_astray_is_refused(
    writer: SegmentWriter, word: int, value: int
) -> None:
    segment = Segment(writer.fd)
    right = writer.words[word]
    if value == right:
        value += 8
    writer.words[word] = value
    with pytest.raises(SegmentUnavailable):
        Counter(segment, "/if/drops", Kind.SIMPLE).read(0)


@pytest.mark.parametrize("place", ["entry", "pointers"])
@pytest.mark.parametrize(
    "value", [1, 4096, BASE - 8, BASE, BASE + 4096, BASE + 4100, BASE + SIZE, 2**64 - 1]
)
def test_a_pointer_that_leads_astray_is_refused(
    writer: SegmentWriter, place: str, value: int
) -> None:
    where = writer.where("/if/drops")[place]
    assert isinstance(where, int)
    offset = where + 8 if place == "entry" else where
    writer.overwrite(offset, struct.pack("=Q", value))
    with pytest.raises(SegmentUnavailable):
        Counter(Segment(writer.fd), "/if/drops", Kind.SIMPLE).read(0)


@pytest.mark.parametrize("place", ["entry", "pointers"])
def test_a_pointer_between_two_words_is_refused(writer: SegmentWriter, place: str) -> None:
    """What it would lead to is a cell all the same, half of one number and half of another."""
    at = writer.where("/if/drops")[place]
    assert isinstance(at, int)
    at += 8 if place == "entry" else 0
    before = writer.words[at // 8]
    segment = Segment(writer.fd)
    assert Counter(segment, "/if/drops", Kind.SIMPLE).read(0) == 0
    writer.overwrite(at, struct.pack("=Q", before + 4))
    with pytest.raises(SegmentUnavailable, match="a pointer leads out of the segment"):
        Counter(segment, "/if/drops", Kind.SIMPLE).read(0)


@pytest.mark.parametrize("length", [1 << 20, 2**31, 2**32 - 1])
@pytest.mark.parametrize("place", ["directory", "pointers", "rows"])
def test_a_length_beyond_the_segment_is_refused(
    writer: SegmentWriter, place: str, length: int
) -> None:
    where = writer.where("/if/drops")[place]
    offset = where[0] if isinstance(where, list) else where
    assert isinstance(offset, int)
    writer.overwrite(offset - 8, struct.pack("=I", length))
    with pytest.raises(SegmentUnavailable):
        Counter(Segment(writer.fd), "/if/drops", Kind.SIMPLE).read(COLUMNS + 5)


def test_a_length_damaged_after_it_was_checked_never_leads_out_of_the_mapping(
    writer: SegmentWriter,
) -> None:
    drops = Counter(Segment(writer.fd), "/if/drops", Kind.SIMPLE)
    assert drops.read(0) == 0
    rows = writer.where("/if/drops")["rows"]
    assert isinstance(rows, list)
    writer.overwrite(rows[0] - 8, struct.pack("=I", 2**32 - 1))
    with pytest.raises(SegmentUnavailable):
        drops.read(SIZE)


def test_more_threads_than_any_vpp_has_are_damage(writer: SegmentWriter) -> None:
    where = writer.where("/if/drops")["pointers"]
    assert isinstance(where, int)
    writer.overwrite(where - 8, struct.pack("=I", vpp_segment.MAX_THREADS + 1))
    with pytest.raises(SegmentUnavailable, match="threads"):
        Counter(Segment(writer.fd), "/if/drops", Kind.SIMPLE).read(0)


def test_a_damaged_length_of_the_directory_costs_nothing() -> None:
    with large() as writer:
        segment = Segment(writer.fd)
        rx = Counter(segment, "/if/rx", Kind.COMBINED)
        assert rx.read(0) == 0
        place = writer.where("/if/rx")["directory"]
        assert isinstance(place, int)
        entries = (LARGE - place) // 144
        writer.overwrite(place - 8, struct.pack("=I", entries))
        missing = [Counter(segment, f"/if/missing-{number}", Kind.SIMPLE) for number in range(16)]
        with costing(0.5, 1 << 20):
            for each in missing:
                with pytest.raises(
                    SegmentUnavailable, match=f"the directory has {entries} entries"
                ):
                    each.read(0)
        # As long as a directory can be: it is searched once, however often it is asked for.
        writer.overwrite(place - 8, struct.pack("=I", vpp_segment.MAX_ENTRIES))
        with costing(2.0, 40 << 20):
            for each in missing * 100:
                with pytest.raises(SegmentUnavailable, match="the segment has no /if/missing-"):
                    each.read(0)
        assert rx.read(0) == 0


def test_a_missing_counter_is_searched_for_once_in_a_directory(
    writer: SegmentWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched = searches(monkeypatch)
    segment = Segment(writer.fd)
    counters = [
        Counter(segment, name, Kind.SIMPLE) for name in ("/if/punt", "/if/ip4", "/if/drops")
    ]
    for _ in range(3):
        for each in counters:
            each.locate()
    assert len(searched) == len(set(searched))
    assert {b"/if/punt", b"/if/ip4", b"/if/drops"} <= set(searched)
    # Another directory may have it.
    writer.add_counter("/if/punt", Kind.SIMPLE, THREADS, COLUMNS)
    put(writer, "/if/punt", 1, 5, 29)
    assert counters[0].read(5) == 29


def test_of_a_large_directory_that_changes_what_is_missing_is_searched_for_now_and_then(
    writer: SegmentWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0

    def clock() -> float:
        nonlocal now
        now += 0.03  # a search looks at it when it begins and when it ends
        return now

    monkeypatch.setattr(vpp_segment, "MAX_UNPAUSED_ENTRIES", 4)
    monkeypatch.setattr(time, "monotonic", clock)
    segment = Segment(writer.fd)
    drops, punt = (Counter(segment, name, Kind.SIMPLE) for name in ("/if/drops", "/if/punt"))
    assert drops.read(0) == 0
    with pytest.raises(SegmentUnavailable):
        punt.read(0)
    writer.add_counter("/if/punt", Kind.SIMPLE, THREADS, COLUMNS)
    writer.add_counter("/if/ip6", Kind.SIMPLE, THREADS, COLUMNS)
    with pytest.raises(SegmentUnavailable, match="has no /if/punt"):
        punt.read(0)
    # Who was never searched for does not wait, nor who is where it was.
    assert drops.read(0) == 0
    now += 100 * vpp_segment.SEARCH_PAUSE
    assert punt.read(0) == 0


def test_a_directory_is_searched_a_slice_at_a_time_and_to_its_end(
    writer: SegmentWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at: list[int] = []
    heads_from = Segment._heads_from

    def note(segment: Segment, directory: Any, first: int, count: int) -> bytes:
        looked_at.append(first)
        return heads_from(segment, directory, first, count)

    monkeypatch.setattr(vpp_segment, "SEARCH_SLICE", 3)
    monkeypatch.setattr(Segment, "_heads_from", note)
    writer.add_counter("/if/punt", Kind.SIMPLE, THREADS, COLUMNS)
    put(writer, "/if/punt", 1, 5, 29)
    segment = Segment(writer.fd)
    Counter(segment, "/if/rx", Kind.COMBINED).read(5)
    first_look = len(looked_at)
    assert Counter(segment, "/if/punt", Kind.SIMPLE).read(5) == 29
    assert first_look < len(looked_at)
    with pytest.raises(SegmentUnavailable, match="has no /if/nowhere"):
        Counter(segment, "/if/nowhere", Kind.SIMPLE).read(5)
    assert looked_at == [3 * number for number in range(len(looked_at))]  # each slice once


def searches(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The names whose entry is found by a search from now on."""
    found: list[bytes] = []
    original = Segment._find

    def note(segment: Segment, name: bytes, *where: Any) -> int:
        found.append(name)
        return original(segment, name, *where)

    monkeypatch.setattr(Segment, "_find", note)
    return found


def test_an_entry_of_an_unknown_type_is_refused(writer: SegmentWriter) -> None:
    where = writer.where("/if/drops")["entry"]
    assert isinstance(where, int)
    writer.overwrite(where, struct.pack("=I", 99))
    with pytest.raises(SegmentUnavailable, match="of type 99"):
        Counter(Segment(writer.fd), "/if/drops", Kind.SIMPLE).read(0)


# --- the handover ---------------------------------------------------------------------------------


def listen(path: Path) -> socket.socket:
    server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    server.bind(str(path))
    server.listen(1)
    return server


def test_the_segment_comes_with_an_empty_message(tmp_path: Path, writer: SegmentWriter) -> None:
    path = tmp_path / "stats.sock"
    with listen(path) as server:

        def hand_over() -> None:
            peer, _ = server.accept()
            socket.send_fds(peer, [], [writer.fd])
            peer.close()

        giver = threading.Thread(target=hand_over)
        giver.start()
        descriptor, pid = receive_segment(str(path), 10)
        giver.join()
    assert pid == os.getpid()
    assert Segment(descriptor).scalar("/sys/heartbeat") == 7
    os.close(descriptor)


def test_a_vpp_that_hangs_is_not_waited_for_longer_than_told(tmp_path: Path) -> None:
    path = tmp_path / "stats.sock"
    with listen(path), pytest.raises(SegmentUnavailable, match="no answer"):
        receive_segment(str(path), 0.05)


def test_a_vpp_that_gives_nothing_is_told_so(tmp_path: Path) -> None:
    path = tmp_path / "stats.sock"
    with listen(path) as server:
        giver = threading.Thread(target=lambda: server.accept()[0].close())
        giver.start()
        with pytest.raises(SegmentUnavailable, match="gave no descriptor"):
            receive_segment(str(path), 10)
        giver.join()


def test_a_socket_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "stats.sock"
    with pytest.raises(SegmentUnavailable, match=r"stats\.sock: No such file"):
        receive_segment(str(path), 1)


def test_the_lock_word_is_where_the_layout_says(writer: SegmentWriter) -> None:
    writer.hold(True)
    assert Segment(writer.fd).words[IN_PROGRESS_WORD] == 1


# --- without a handover ---------------------------------------------------------------------------


def test_the_segment_that_a_process_has_open_can_be_opened_too(writer: SegmentWriter) -> None:
    descriptor = open_segment_of(os.getpid())
    try:
        segment = Segment(descriptor)
        assert segment.inode == os.fstat(writer.fd).st_ino
        assert segment.scalar("/sys/heartbeat") == 7
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.write(descriptor, b"x")
    finally:
        os.close(descriptor)


def test_a_process_that_has_none_open_or_has_ended_is_told_apart() -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        try:
            wrong = f"^process {other.pid} has no segment open$"
            with pytest.raises(SegmentUnavailable, match=wrong):
                open_segment_of(other.pid)
        finally:
            other.kill()
    with pytest.raises(SegmentUnavailable, match=r"^/proc/0/fd: No such file or directory$"):
        open_segment_of(0)


def test_who_may_not_look_into_a_process_is_told_who_may(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> list[str]:
        raise PermissionError(1, "Operation not permitted", path)

    monkeypatch.setattr(os, "listdir", refuse)
    told = r"only root can read that of a VPP that hangs \(/proc/4711/fd: Operation not permitted\)"
    with pytest.raises(SegmentUnavailable, match=told):
        open_segment_of(4711)


def test_who_listens_is_known_though_he_accepts_nobody(tmp_path: Path) -> None:
    path = str(tmp_path / "api.sock")
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(path)
        silent.listen()
        assert listener_pid(path, 1) == os.getpid()
    with pytest.raises(ConnectionRefusedError):
        listener_pid(path, 1)
