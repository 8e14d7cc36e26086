"""interfaces/ip_statistics.py: packets of all interfaces, and errors by what they are."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.segment import SegmentWriter
from vpp_snmp_agent.interfaces import ip_statistics
from vpp_snmp_agent.interfaces.ip_statistics import (
    ERRORS,
    IN_RECEIVES,
    IPV4,
    IPV6,
    IpStatistics,
    _fallen,
)
from vpp_snmp_agent.vpp.cells import Counter
from vpp_snmp_agent.vpp.layout import IN_PROGRESS_WORD, Generation, Kind
from vpp_snmp_agent.vpp.segment import Segment

THREADS, INTERFACES = 3, 200
VPP, OTHER_VPP = 4711, 4712
ENTRIES = ("ip4-input/ip4 ttl <= 1", "ip4-input/version", "ip6-input/version", "null-node/drops")


def new_writer() -> SegmentWriter:
    made = SegmentWriter(1 << 20, Generation.V26_02)
    for name in ("/if/ip4", "/if/ip6"):
        made.add_counter(name, Kind.SIMPLE, THREADS, INTERFACES)
    made.add_counter("/node/errors", Kind.SIMPLE, THREADS, len(ENTRIES))
    for column, name in enumerate(ENTRIES):
        made.add_symlink(f"/err/{name}", "/node/errors", column)
    made.add_names("/if/names")
    return made


@pytest.fixture
def writer() -> Iterator[SegmentWriter]:
    made = new_writer()
    yield made
    os.close(made.fd)


def put(writer: SegmentWriter, index: int, *values: int, name: str = "/if/ip4") -> None:
    """A cell of each thread."""
    for thread, value in enumerate(values):
        row = writer.counters[name].rows[thread]
        assert row is not None
        writer.words[row.offset // 8 + index] = value


class Reader:
    """What is read of IPv4, and when."""

    def __init__(self, writer: SegmentWriter, version: int = IPV4) -> None:
        self.now = 100.0
        self.statistics = IpStatistics(version, lambda: self.now)
        self.statistics.use(Segment(writer.fd), VPP)
        self.statistics.find({f"/err/{name}" for name in ENTRIES})

    def later(self, seconds: float = 1.0) -> int | None:
        """Packets received, so much later."""
        self.now += seconds
        return self.statistics.value(IN_RECEIVES)


def test_packets_of_all_threads_and_interfaces_are_one_sum(writer: SegmentWriter) -> None:
    put(writer, 0, 1, 2, 4)
    put(writer, 199, 8, 16, 2**40)
    put(writer, 5, 1000, 0, 0, name="/if/ip6")
    assert Reader(writer).later() == 31 + 2**40
    assert Reader(writer, IPV6).later() == 1000


def test_they_are_at_most_a_second_old_and_read_no_more_often(writer: SegmentWriter) -> None:
    reader = Reader(writer)
    assert reader.later() == 0
    put(writer, 1, 5)
    assert reader.later(0.9) == 0
    assert reader.later(0.1) == 5


def test_they_are_read_every_few_seconds_while_nobody_asks(writer: SegmentWriter) -> None:
    reader = Reader(writer)
    assert reader.later() == 0
    reader.now += 4.9
    assert not reader.statistics.poll()
    reader.now += 0.1
    assert reader.statistics.poll()
    assert not reader.statistics.poll()


def test_what_an_index_had_counted_stays_in_the_sum_when_it_is_reused(
    writer: SegmentWriter,
) -> None:
    reader = Reader(writer)
    put(writer, 7, 300, 100, 0)
    put(writer, 8, 0, 50, 0)
    assert reader.later() == 450
    put(writer, 7, 0, 0, 0)
    put(writer, 8, 2000, 50, 0)  # far more than was zeroed
    assert reader.later() == 2450
    put(writer, 7, 3, 0, 0)
    assert reader.later() == 2453
    assert reader.statistics.totals.restarted_at == 102.0


def test_what_an_index_had_counted_stays_in_the_sum_however_busy_the_next_one_is(
    writer: SegmentWriter,
) -> None:
    writer.set_name(7, "pppoe_session4")
    writer.set_name(8, "loop11")
    reader = Reader(writer)
    put(writer, 7, 300, 100, 0)
    put(writer, 8, 0, 50, 0)
    assert reader.later() == 450
    put(writer, 7, 0, 5000, 0)
    writer.set_name(7, "pppoe_session5")
    assert reader.later() == 5450
    assert reader.statistics.totals.restarted_at == 102.0
    put(writer, 7, 0, 5001, 0)
    assert reader.later() == 5451


@pytest.mark.parametrize("gap", ["deleted", None])
def test_what_a_deleted_interface_had_counted_is_counted_once(
    writer: SegmentWriter, gap: str | None
) -> None:
    writer.set_name(7, "loop4")
    reader = Reader(writer)
    put(writer, 7, 300, 100, 0)
    assert reader.later() == 400
    writer.set_name(7, gap)
    put(writer, 7, 310, 100, 0)  # after the last reading
    assert reader.later() == 410
    put(writer, 7, 0, 0, 0)
    assert reader.later() == 410
    put(writer, 7, 0, 9000, 0)
    writer.set_name(7, "loop4")
    assert reader.later() == 9410
    writer.set_name(7, gap)
    assert reader.later() == 9410
    put(writer, 7, 0, 0, 9999)
    writer.set_name(7, "loop4")
    assert reader.later() == 410 + 9000 + 9999


def test_an_interface_that_is_created_again_while_many_are_cleared_is_not_counted_twice(
    writer: SegmentWriter,
) -> None:
    writer.set_name(7, "loop4")
    reader = Reader(writer)
    for index in range(INTERFACES):
        put(writer, index, 1000 + index)
    before = reader.later()
    assert before is not None
    for index in range(INTERFACES):
        put(writer, index, 0)
    put(writer, 7, 2222)
    writer.set_name(7, "loop5")
    assert reader.later() == before
    assert reader.later() == before + 2222


def test_they_are_read_soon_while_interfaces_come_and_go(writer: SegmentWriter) -> None:
    reader = Reader(writer)
    assert reader.later() == 0
    reader.now += 2.0
    assert not reader.statistics.poll()
    writer.set_name(9, "loop6")
    assert reader.statistics.poll()
    assert not reader.statistics.poll()


def test_what_is_changed_between_names_and_cells_is_read_again_later(
    writer: SegmentWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.set_name(7, "loop4")
    reader = Reader(writer)
    put(writer, 7, 300)
    assert reader.later() == 300
    names = Segment.interface_names

    def read_and_make_another(segment: Segment) -> tuple[int, list[bytes]]:
        found = names(segment)
        put(writer, 7, 4000)
        writer.set_name(7, "loop5")
        return found

    monkeypatch.setattr(Segment, "interface_names", read_and_make_another)
    assert reader.later() == 300
    monkeypatch.undo()
    assert reader.later() == 4300


def test_an_index_that_is_half_zeroed_when_it_is_read_is_not_counted_twice(
    writer: SegmentWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader(writer)
    put(writer, 7, 300, 100, 20)
    assert reader.later() == 420
    put(writer, 7, 300, 0, 0)
    read_all = Counter.read_all

    def read_and_zero_the_rest(counter: Counter) -> tuple[int, int]:
        found = read_all(counter)
        put(writer, 7, 0, 0, 0)
        return found

    monkeypatch.setattr(Counter, "read_all", read_and_zero_the_rest)
    assert reader.later() == 420
    monkeypatch.undo()
    put(writer, 7, 0, 0, 9)
    assert reader.later() == 429


def test_all_that_are_cleared_go_on_and_none_is_counted_twice(writer: SegmentWriter) -> None:
    reader = Reader(writer)
    for index in range(INTERFACES):
        put(writer, index, index, 1000, 7)
    before = reader.later()
    assert before == INTERFACES * 1007 + 19900
    for index in range(100):
        put(writer, index, 0, 1000, 7)  # VPP clears thread after thread
    assert reader.later() == before
    for index in range(INTERFACES):
        put(writer, index, 0, 0, 0)
    reader.now += 0.25
    assert reader.statistics.poll()
    assert reader.later(0.0) == before
    put(writer, 3, 5, 0, 0)
    assert reader.later() == before + 5


def test_another_vpp_counts_on(writer: SegmentWriter) -> None:
    reader = Reader(writer)
    put(writer, 7, 300)
    writer.set_row("/node/errors", 0, [11, 0, 0, 0])
    assert reader.later() == 300
    put(writer, 7, 310)  # after the last reading, and before it ended
    other = new_writer()
    put(other, 7, 4)
    reader.statistics.use(Segment(other.fd), OTHER_VPP)
    assert reader.statistics.value("InHdrErrors") == 11  # until it is known what there is
    assert reader.later() == 314
    reader.statistics.find({f"/err/{name}" for name in ENTRIES})
    other.set_row("/node/errors", 1, [2, 0, 0, 0])
    reader.now += 1
    assert reader.statistics.value("InHdrErrors") == 13
    os.close(other.fd)


def test_more_interfaces_than_before_are_no_fall(writer: SegmentWriter) -> None:
    reader = Reader(writer)
    put(writer, 199, 12)
    assert reader.later() == 12
    writer.grow(["/if/ip4"], 5000)
    put(writer, 4999, 5)
    assert reader.later() == 17
    assert reader.statistics.totals.restarted_at is None


def test_while_the_segment_is_locked_the_last_reading_stands(
    writer: SegmentWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vpp_snmp_agent.vpp.mapping.LOCK_WAIT", 0.0)
    reader = Reader(writer)
    put(writer, 1, 5)
    assert reader.later() == 5
    put(writer, 1, 6)
    writer.words[IN_PROGRESS_WORD] = 1
    assert reader.later() == 5


def test_a_damaged_cell_changes_nothing(writer: SegmentWriter) -> None:
    reader = Reader(writer)
    put(writer, 1, 5)
    assert reader.later() == 5
    put(writer, 1, 2**63)
    assert reader.later() == 5


def test_errors_of_all_releases_add_up_to_the_column_that_they_are_of(
    writer: SegmentWriter,
) -> None:
    writer.set_row("/node/errors", 0, [1, 20, 300, 4000])
    writer.set_row("/node/errors", 2, [5, 60, 700, 8000])
    assert Reader(writer).statistics.value("InHdrErrors") == 86
    assert Reader(writer, IPV6).statistics.value("InHdrErrors") == 1000
    assert Reader(writer).statistics.value("ReasmOKs") is None


lists = st.lists(st.integers(0, 2**63 - 1) | st.integers(0, 3), max_size=6)


@given(before=lists, now=lists)
def test_the_cells_that_fell_are_found_in_all_at_once(before: list[int], now: list[int]) -> None:
    count = max(len(before), len(now))
    packed = [
        sum(value << 64 * index for index, value in enumerate(each)) for each in (before, now)
    ]
    before, now = (each + [0] * (count - len(each)) for each in (before, now))
    assert list(_fallen(packed[0], packed[1], count)) == [
        index for index in range(count) if now[index] < before[index]
    ]


# --- the table ----------------------------------------------------------------------------------

DOCS = Path(__file__).parent.parent / "docs" / "ip-statistics.md"


def test_the_documentation_has_the_same_table() -> None:
    row = re.compile(r"^\| (\w+) \| IPv([46]) \| (.*?) \| (.*?) \| (.*?) \|$", re.MULTILINE)
    found = [
        (column, int(version), nodes, before, since)
        for column, version, nodes, before, since in row.findall(DOCS.read_text())
    ]
    assert found == [
        (
            error.column,
            error.version,
            ", ".join(f"`{node}`" for node in error.nodes),
            f"`{error.before_22_10}`" if error.before_22_10 else "-",
            f"`{error.since_22_10}`",
        )
        for error in ERRORS
    ]


def test_no_error_is_counted_twice() -> None:
    entries = [entry for error in ERRORS for entry in error.entries()]
    assert len(entries) == len(set(entries))
    assert ip_statistics.IN_RECEIVES not in {error.column for error in ERRORS}
