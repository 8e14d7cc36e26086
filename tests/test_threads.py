"""interfaces/threads.py: VPP's threads, and what VPP says of their rates."""

import os
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from simulator import Simulator
from simulator.counters import NODES
from simulator.segment import SegmentWriter
from simulator.stage import until
from vpp_snmp_agent.interfaces import threads as module
from vpp_snmp_agent.interfaces.threads import (
    INTERVAL,
    NODES_INTERVAL,
    ThreadRow,
    Threads,
    cycles,
    read_nodes,
)
from vpp_snmp_agent.vpp.cells import Vectors
from vpp_snmp_agent.vpp.descriptor import receive_segment
from vpp_snmp_agent.vpp.layout import Generation, Kind
from vpp_snmp_agent.vpp.records import NO_INDEX, Thread
from vpp_snmp_agent.vpp.segment import Segment, SegmentUnavailable

from .routers import Clock

MAIN = Thread(0, "vpp_main", "", 4711, 1)
WORKERS = Thread(1, "vpp_wk_0", "workers", 4713, 5), Thread(2, "vpp_wk_1", "workers", 4714, 7)
POLLING, LOOKUP, REWRITE, COUNT = 0, 40, 70, 71  # nodes


class Vpp:
    """The segment of a VPP with so many threads."""

    def __init__(
        self,
        threads: int = 3,
        generation: Generation = Generation.V26_02,
        counts_nodes: bool = True,
    ) -> None:
        self.threads = threads
        self.writer = writer = SegmentWriter(1 << 20, generation)
        writer.add_names("/if/names")
        writer.add_scalar("/sys/vector_rate", 0, Kind.GAUGE)  # by which 26.02 is known
        writer.add_scalar("/sys/num_worker_threads", threads - 1, Kind.GAUGE)
        writer.add_scalar("/sys/input_rate", 4680, Kind.GAUGE)
        self.is_first = generation is Generation.V22_02
        if self.is_first:
            writer.add_counter("/sys/vector_rate_per_worker", Kind.SIMPLE, threads, 1)
        else:
            # There is a cell more than threads where there is but one.
            writer.add_counter("/sys/vector_rate_per_worker", Kind.SIMPLE, 1, max(2, threads))
            writer.add_counter("/sys/loops_per_worker", Kind.SIMPLE, 1, max(2, threads))
        for name in ("clocks", "vectors", "calls") if counts_nodes else ():
            writer.add_counter(f"/sys/node/{name}", Kind.SIMPLE, threads + 1, COUNT)
        self.segment = Segment(writer.fd)

    def set_rates(self, vectors: Sequence[int], loops: Sequence[int] = ()) -> None:
        if self.is_first:
            for thread, rate in enumerate(vectors):
                self.writer.set_row("/sys/vector_rate_per_worker", thread, [rate])
            return
        self.writer.set_row("/sys/vector_rate_per_worker", 0, list(vectors))
        self.writer.set_row("/sys/loops_per_worker", 0, list(loops))

    def set_node(self, thread: int, node: int, clocks: int, vectors: int, calls: int) -> None:
        counts = {"clocks": clocks, "vectors": vectors, "calls": calls}
        for name, count in counts.items():
            row = self.writer.counters[f"/sys/node/{name}"].rows[thread]
            assert row is not None
            self.writer.words[row.offset // 8 + node] = count

    def close(self) -> None:
        os.close(self.writer.fd)


@pytest.fixture
def vpp() -> Iterator[Vpp]:
    made = Vpp()
    yield made
    made.close()


def rows(threads: Threads) -> list[ThreadRow]:
    """What is shown now, in the order of a walk."""
    threads.refresh()
    return [row for row in (threads.rows.get(index) for index in threads.rows) if row is not None]


def following(vpp: Vpp, clock: Clock) -> Threads:
    """The threads of a VPP whose API reports them."""
    threads = Threads(clock)
    threads.report((MAIN, *WORKERS)[: vpp.threads])
    threads.use(vpp.segment)
    threads.find(["/sys/node/clocks"])
    return threads


def compare(threads: Threads, clock: Clock) -> list[int | None]:
    """The shares after another reading of nodes."""
    clock.now += NODES_INTERVAL
    for _ in range(10):
        threads.poll()
    return [row.busy for row in rows(threads)]


# --- rows ----------------------------------------------------------------------------------------


def test_each_thread_that_vpp_reports_is_a_row_with_its_name_and_cpu(
    vpp: Vpp, clock: Clock
) -> None:
    found = rows(following(vpp, clock))
    assert [(row.name, row.type, row.cpu_id) for row in found] == [
        ("vpp_main", "", 1),
        ("vpp_wk_0", "workers", 5),
        ("vpp_wk_1", "workers", 7),
    ]


def test_a_thread_that_was_not_placed_has_no_cpu(clock: Clock) -> None:
    threads = Threads(clock)
    threads.report([Thread(0, "vpp_main", "", 4711, NO_INDEX)])
    assert [row.cpu_id for row in rows(threads)] == [None]


def test_where_vpp_reports_none_there_are_as_many_as_its_segment_says(
    vpp: Vpp, clock: Clock
) -> None:
    threads = Threads(clock)
    threads.report(())
    assert rows(threads) == []
    vpp.set_rates([11, 13, 17], [19, 23, 29])
    threads.use(vpp.segment)
    assert [(row.name, row.cpu_id, row.vector_rate) for row in rows(threads)] == [
        ("", None, 11),
        ("", None, 13),
        ("", None, 17),
    ]


def test_no_damage_makes_rows_without_end(
    vpp: Vpp, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_THREADS", 5)
    vpp.writer.set_scalar("/sys/num_worker_threads", 2**64 - 1)
    threads = Threads(clock)
    threads.use(vpp.segment)
    assert len(rows(threads)) == 5
    threads.report([MAIN, Thread(5, "far", "", 4712, 3)])
    assert len(rows(threads)) == 1


def test_another_vpp_has_its_own_threads(vpp: Vpp, clock: Clock) -> None:
    threads = following(vpp, clock)
    threads.lose()
    other = Vpp(threads=2)
    other.set_rates([3, 5])
    threads.report([MAIN, Thread(1, "vpp_wk_9", "workers", 31, 37)])
    threads.use(other.segment)
    assert [(row.name, row.vector_rate) for row in rows(threads)] == [
        ("vpp_main", 3),
        ("vpp_wk_9", 5),
    ]
    threads.lose()
    # Of this one's API nobody knows.
    threads.use(vpp.segment)
    assert [row.name for row in rows(threads)] == ["", "", ""]
    other.close()


# --- rates ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("generation", Generation)
def test_rates_are_those_of_each_thread_in_every_generation(
    generation: Generation, clock: Clock
) -> None:
    vpp = Vpp(generation=generation, counts_nodes=False)
    vpp.set_rates([1, 74, 256], [791, 1_298_026, 1_298_027])
    found = rows(following(vpp, clock))
    rates = [(1, 791), (74, 1_298_026), (256, 1_298_027)]
    assert [(row.vector_rate, row.loop_rate) for row in found] == (
        [(None, None)] * 3 if vpp.is_first else rates
    )
    assert [row.busy for row in found] == [None] * 3
    vpp.close()


def test_rates_are_read_once_a_second_while_asked(vpp: Vpp, clock: Clock) -> None:
    threads = following(vpp, clock)
    vpp.set_rates([2, 3, 5], [7, 11, 13])
    clock.now += INTERVAL - 0.01
    assert [row.vector_rate for row in rows(threads)] == [0, 0, 0]
    clock.now += 0.01
    assert [row.vector_rate for row in rows(threads)] == [2, 3, 5]
    vpp.writer.hold(True)
    clock.now += INTERVAL
    assert [row.loop_rate for row in rows(threads)] == [7, 11, 13]
    vpp.writer.hold(False)


def test_a_damaged_rate_fits_its_type(vpp: Vpp, clock: Clock) -> None:
    vpp.set_rates([2**64 - 1, 257, 255], [2**64 - 1, 2**32, 2**32 - 2])
    found = rows(following(vpp, clock))
    assert [row.vector_rate for row in found] == [256, 256, 255]
    assert [row.loop_rate for row in found] == [2**32 - 1, 2**32 - 1, 2**32 - 2]


def test_what_comes_in_is_known_of_a_thread_that_is_the_only_one(vpp: Vpp, clock: Clock) -> None:
    assert [row.input_rate for row in rows(following(vpp, clock))] == [None] * 3
    alone = Vpp(threads=1)
    alone.set_rates([9], [10])
    (row,) = rows(following(alone, clock))
    assert (row.input_rate, row.vector_rate, row.loop_rate) == (4680, 9, 10)
    alone.close()


def test_while_vpp_is_away_its_threads_stay_and_do_nothing(vpp: Vpp, clock: Clock) -> None:
    vpp.set_rates([2, 3, 5], [7, 11, 13])
    threads = following(vpp, clock)
    threads.lose()
    clock.now += 10 * INTERVAL
    found = rows(threads)
    assert [row.name for row in found] == ["vpp_main", "vpp_wk_0", "vpp_wk_1"]
    assert [(row.vector_rate, row.loop_rate, row.busy) for row in found] == [(0, 0, None)] * 3


# --- cycles --------------------------------------------------------------------------------------


def packed(cells: Sequence[int]) -> bytes:
    return struct.pack(f"={len(cells)}Q", *cells)


def vectors(*nodes: tuple[int, int, int]) -> tuple[bytes, bytes, bytes]:
    """Of nodes with so many clocks, vectors and calls; 40 others between each two."""
    spread = [each for node in nodes for each in (node, *[(0, 0, 0)] * 40)]
    clocks, packets, calls = zip(*spread, strict=True)
    return packed(clocks), packed(packets), packed(calls)


def test_cycles_are_busy_in_nodes_with_as_many_packets_as_calls() -> None:
    before = vectors((1000, 10, 500), (200, 30, 30), (70, 0, 9))
    after = vectors((1900, 20, 900), (260, 31, 31), (79, 0, 11))
    assert cycles(before, after) == (60, 900 + 60 + 9)
    assert cycles(after, after) == (0, 0)


def test_cycles_without_a_call_or_a_packet_are_not_busy() -> None:
    """As of a process, which is resumed."""
    assert cycles(vectors((5, 0, 0)), vectors((12, 0, 0))) == (0, 7)


def test_a_node_that_is_new_has_counted_from_0() -> None:
    before = vectors((5, 1, 1))
    after = vectors((5, 1, 1), (300, 2, 1))
    assert cycles(before, after) == (300, 300)


@pytest.mark.parametrize("after", [(99, 11, 11), (101, 9, 11), (101, 11, 9)])
def test_between_two_readings_of_which_the_second_is_less_nothing_is_known(
    after: tuple[int, int, int],
) -> None:
    assert cycles(vectors((100, 10, 10)), vectors(after)) is None


def test_a_share_is_what_two_readings_differ_by(vpp: Vpp, clock: Clock) -> None:
    threads = following(vpp, clock)
    for thread in range(3):
        vpp.set_node(thread, POLLING, 10_000, 1, 100)
    assert compare(threads, clock) == [None] * 3  # since when it counts is not known
    for thread, busy in enumerate((0, 330, 990)):
        vpp.set_node(thread, POLLING, 10_000 + 1000 - busy, 1, 200)
        vpp.set_node(thread, LOOKUP, busy // 3, 20, 10)
        vpp.set_node(thread, REWRITE, 2 * busy // 3, 20, 20)
    assert compare(threads, clock) == [0, 330, 990]
    assert compare(threads, clock) == [0, 330, 990]  # VPP has written nothing since
    for thread in range(3):
        vpp.set_node(thread, POLLING, 100, 1, 1)  # `clear runtime`
        vpp.set_node(thread, LOOKUP, 0, 0, 0)
    assert compare(threads, clock) == [0, 330, 990]
    for thread in range(3):
        vpp.set_node(thread, POLLING, 100 + 750, 1, 2)
        vpp.set_node(thread, REWRITE, 990 + 250, 1000, 40)
    assert compare(threads, clock)[0] == round(1000 * (990 + 250) / (990 + 250 + 750))


def test_nodes_are_read_now_and_then_and_compared_a_thread_at_a_time(
    vpp: Vpp, clock: Clock
) -> None:
    threads = following(vpp, clock)
    vpp.set_node(0, POLLING, 1, 0, 1)
    threads.poll()
    for thread in range(3):
        vpp.set_node(thread, LOOKUP, 10 + thread, 20, 10)
    clock.now += NODES_INTERVAL - 0.01
    threads.poll()
    assert [row.busy for row in rows(threads)] == [None, None, None]
    clock.now += 0.01
    threads.poll()
    seen = []
    for _ in range(3):
        threads.poll()
        seen.append([row.busy for row in rows(threads)])
    assert seen == [[1000, None, None], [1000, 1000, None], [1000, 1000, 1000]]


def test_where_vpp_does_not_count_by_node_nothing_is_searched_for(
    vpp: Vpp, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of half a million entries one that is not there takes 6 ms to be missed."""
    threads = following(vpp, clock)
    threads.find([])
    monkeypatch.setattr(module, "read_nodes", None)
    assert compare(threads, clock) == [None] * 3


def test_what_vpp_writes_meanwhile_is_not_taken(vpp: Vpp, monkeypatch: pytest.MonkeyPatch) -> None:
    counters = [Vectors(vpp.segment, each) for each in (module.CLOCKS, module.VECTORS)]
    read = Vectors.read

    class Writing(Vectors):
        def read(self) -> tuple[int, list[bytes]]:
            vpp.set_node(2, LOOKUP, 17, 3, 3)
            return read(self)

    with pytest.raises(SegmentUnavailable, match="VPP writes"):
        read_nodes([*counters, Writing(vpp.segment, module.CALLS)])
    read_nodes([*counters, Vectors(vpp.segment, module.CALLS)])


def test_another_vpps_share_is_not_known_from_the_one_before(vpp: Vpp, clock: Clock) -> None:
    threads = following(vpp, clock)
    vpp.set_node(1, LOOKUP, 10, 1, 1)
    compare(threads, clock)
    vpp.set_node(1, LOOKUP, 20, 2, 2)
    assert compare(threads, clock) == [None, 1000, None]
    other = Vpp()
    other.set_node(1, LOOKUP, 30, 3, 3)
    threads.use(other.segment)
    assert [row.busy for row in rows(threads)] == [None] * 3
    assert threads.poll() is False  # that it counts by node is not known yet
    threads.find(["/sys/node/clocks"])
    assert compare(threads, clock) == [None] * 3
    other.close()


def test_a_simulated_vpp_counts_by_node(tmp_path: Path, clock: Clock) -> None:
    with Simulator(tmp_path, per_node_counters=True, update_interval=0.05) as vpp:
        descriptor, _ = receive_segment(str(vpp.stats_socket), 1.0)
        segment = Segment(descriptor)
        os.close(descriptor)
        threads = Threads(clock)
        threads.use(segment)
        threads.find(["/sys/node/clocks"])

        def shares() -> list[int | None]:
            return compare(threads, clock)

        until("a share of each thread", lambda: None not in shares())
        (polling, *_), *others = (NODES[each] for each in NODES)
        counted = sum(clocks for clocks, *_ in others)
        expected = [1000 * n * counted / (polling + n * counted) for n in range(3)]
        assert shares() == [round(each) for each in expected]


def test_what_another_vpp_does_not_report_it_has_not_from_the_one_before(
    vpp: Vpp, clock: Clock
) -> None:
    threads = following(vpp, clock)
    assert None not in [row.vector_rate for row in rows(threads)]
    bare = SegmentWriter(1 << 20, Generation.V22_02)
    bare.add_names("/if/names")
    threads.use(Segment(bare.fd))
    os.close(bare.fd)
    found = [(row.vector_rate, row.loop_rate, row.input_rate) for row in rows(threads)]
    assert found
    assert set(found) == {(None, None, None)}
