"""interfaces/xstats.py: what drivers count of ports, found, read, and carried."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.segment import SegmentWriter
from vpp_snmp_agent.interfaces import xstats
from vpp_snmp_agent.interfaces.system import System
from vpp_snmp_agent.interfaces.totals import Saved
from vpp_snmp_agent.interfaces.xstats import XSTATS
from vpp_snmp_agent.vpp import entries
from vpp_snmp_agent.vpp.layout import Generation, Kind
from vpp_snmp_agent.vpp.segment import Segment, SegmentUnavailable

VPP, OTHER_VPP = 47110000, 47120000
PORT, OTHER = "TenGigabitEthernet1/0/0", "GigabitEthernet5/0/1"
IXGBE = ("rx_good_packets", "rx_crc_errors", "rx_oversize_errors")
BNXT = ("rx_fcs_err_frames", "rx_good_frames", "tx_late_coll_frames")


def new_writer(prefix: str = "", index: int = 3) -> SegmentWriter:
    """A segment with two ports, the first of them at this sw_if_index."""
    made = SegmentWriter(1 << 20, Generation.V26_02)
    made.add_scalar("/sys/vector_rate", 3, Kind.GAUGE)
    made.add_names("/if/names")
    made.add_counter("/if/rx-error", Kind.SIMPLE, 2, 8)
    for port, at, names in ((PORT, index, IXGBE), (OTHER, 7, BNXT)):
        made.set_name(at, port)
        made.add_symlink(f"/interfaces/{port}/rx-error", "/if/rx-error", at)
        made.add_counter(f"/if/xstats/{at}", Kind.SIMPLE, 2, len(names))
        for column, name in enumerate(names):
            made.add_symlink(f"/interfaces/{port}/{prefix}{name}", f"/if/xstats/{at}", column)
    return made


@pytest.fixture(params=["", "xstats-"])
def writer(request: pytest.FixtureRequest) -> Iterator[SegmentWriter]:
    made = new_writer(request.param)
    yield made
    os.close(made.fd)


class Reader:
    """A system, and when it is."""

    def __init__(self) -> None:
        self.now = 100.0
        self.system = System(lambda: self.now)

    def use(self, writer: SegmentWriter, cell: int = VPP) -> None:
        self.system.use(Segment(writer.fd), cell)
        self.system.poll()
        while self.system.search_on():
            pass

    def search_again(self) -> None:
        """Search the directory at once, though it was searched just now."""
        directory = self.system._directory
        assert directory is not None
        directory._due = 0.0
        self.system.poll()
        while self.system.search_on():
            pass

    def value(self, column: str, port: str = PORT, later: float = 1.0) -> int | None:
        """What a port's column says, so much later."""
        self.now += later
        statistics = self.system.ports.get(port)
        return statistics.value(column) if statistics else None


@pytest.fixture
def reader(writer: SegmentWriter) -> Reader:
    made = Reader()
    made.use(writer)
    return made


def test_each_port_has_what_its_driver_counts_and_nothing_else(
    writer: SegmentWriter, reader: Reader
) -> None:
    writer.set_row("/if/xstats/3", 0, [9000, 12, 5])
    writer.set_row("/if/xstats/7", 0, [31, 8000, 2])
    assert set(reader.system.ports) == {PORT, OTHER}
    columns = ("FCSErrors", "FrameTooLongs", "LateCollisions", "SymbolErrors")
    assert [reader.value(column) for column in columns] == [12, 5, None, None]
    assert [reader.value(column, OTHER) for column in columns] == [31, None, 2, None]
    assert reader.value("FCSErrors", "local0") is None


def test_links_are_found_a_slice_of_the_directory_at_a_time(
    writer: SegmentWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entries, "SEARCH_SLICE", 2)
    reader = Reader()
    reader.use(writer)
    writer.set_row("/if/xstats/7", 0, [31, 8000, 2])
    assert reader.value("FCSErrors", OTHER) == 31
    assert reader.value("LateCollisions", OTHER) == 2


def test_what_was_zeroed_for_longer_than_vpp_takes_to_read_the_driver_is_counted_on(
    writer: SegmentWriter, reader: Reader
) -> None:
    writer.set_row("/if/xstats/3", 0, [9000, 12, 5])
    assert reader.value("FCSErrors") == 12
    writer.set_row("/if/xstats/3", 0, [0, 0, 7])
    assert reader.value("FCSErrors") == 12
    assert reader.value("FrameTooLongs", later=0.0) == 5
    assert reader.value("FCSErrors", later=11.0) == 12
    writer.set_row("/if/xstats/3", 0, [0, 3, 8])
    assert reader.value("FCSErrors") == 15
    assert reader.value("FrameTooLongs") == 8
    statistics = reader.system.ports.get(PORT)
    assert statistics is not None
    assert statistics.totals.restarted_at == 114.0
    assert statistics.totals.is_dirty


def test_what_vpp_zeroed_and_found_again_is_not_counted_twice(
    writer: SegmentWriter, reader: Reader
) -> None:
    writer.set_row("/if/xstats/3", 0, [9000, 12, 5])
    assert reader.value("FCSErrors") == 12
    writer.set_row("/if/xstats/3", 0, [0, 0, 0])
    assert reader.value("FCSErrors") == 12
    writer.set_row("/if/xstats/3", 0, [9001, 13, 5])
    assert reader.value("FCSErrors", later=9.0) == 13
    assert reader.value("FCSErrors", later=20.0) == 13


def test_an_agent_that_starts_again_in_that_time_does_not_count_twice_either(
    writer: SegmentWriter, reader: Reader
) -> None:
    writer.set_row("/if/xstats/3", 0, [9000, 12, 5])
    assert reader.value("FCSErrors") == 12
    saved = {each.key: each.saved() for each in reader.system.unsaved(all_of_them=True)}
    assert saved[f"dot3 {PORT}"] == Saved(VPP + 3, {"FCSErrors": (12, 0), "FrameTooLongs": (5, 0)})
    writer.set_row("/if/xstats/3", 0, [0, 0, 0])
    after = Reader()
    after.system.restore(saved.get)
    after.use(writer)
    assert after.value("FCSErrors") == 12
    writer.set_row("/if/xstats/3", 0, [9001, 14, 5])
    assert after.value("FCSErrors") == 14
    assert after.value("FrameTooLongs") == 5


def test_another_vpp_counts_on_whatever_index_it_gives_the_port(
    writer: SegmentWriter, reader: Reader
) -> None:
    writer.set_row("/if/xstats/3", 0, [9000, 12, 5])
    assert reader.value("FCSErrors") == 12
    other = new_writer(index=4)
    other.set_row("/if/xstats/4", 0, [1, 90, 0])
    reader.use(other, OTHER_VPP)
    assert reader.value("FCSErrors") == 102
    assert reader.value("FrameTooLongs") == 5
    os.close(other.fd)


def test_plain_numbers_are_vpps_own(writer: SegmentWriter) -> None:
    reader = Reader()
    reader.system.carry(False)
    reader.use(writer)
    writer.set_row("/if/xstats/3", 0, [9000, 12, 5])
    assert reader.value("FCSErrors") == 12
    writer.set_row("/if/xstats/3", 0, [0, 2, 0])
    assert reader.value("FCSErrors") == 2


def test_numbers_of_a_driver_that_come_later_are_found(writer: SegmentWriter) -> None:
    late = SegmentWriter(1 << 20, Generation.V26_02)
    late.add_names("/if/names")
    late.add_scalar("/sys/vector_rate", 3, Kind.GAUGE)
    reader = Reader()
    reader.use(late)
    assert reader.value("FCSErrors") is None
    late.set_name(1, PORT)
    late.add_counter("/if/xstats/1", Kind.SIMPLE, 1, 1)
    late.add_symlink(f"/interfaces/{PORT}/rx_phy_crc_errors", "/if/xstats/1", 0)
    late.set_row("/if/xstats/1", 0, [77])
    reader.search_again()
    assert reader.value("FCSErrors") == 77
    os.close(late.fd)


# --- an index that another port is given ----------------------------------------------------------

THIRD = "TenGigabitEthernet9/0/1"


def add_port(writer: SegmentWriter, name: str, index: int, *counts: int) -> None:
    """A port of an ixgbe, in the place of whichever was there."""
    writer.set_name(index, name)
    writer.add_counter(f"/if/xstats/{index}", Kind.SIMPLE, 2, len(IXGBE))
    for column, xstat in enumerate(IXGBE):
        writer.add_symlink(f"/interfaces/{name}/{xstat}", f"/if/xstats/{index}", column)
    writer.set_row(f"/if/xstats/{index}", 0, list(counts))


def give_away(writer: SegmentWriter, index: int) -> None:
    """Delete the port there: its symlinks and its numbers stay."""
    writer.set_name(index, "deleted")


def take_over(writer: SegmentWriter, name: str, index: int, *counts: int) -> None:
    """A port gets the index, and the counter, of one that was deleted."""
    writer.set_name(index, name)
    for column, xstat in enumerate(IXGBE):
        writer.add_symlink(f"/interfaces/{name}/{xstat}", f"/if/xstats/{index}", column)
    writer.set_row(f"/if/xstats/{index}", 0, list(counts))


def test_a_port_that_is_created_again_elsewhere_has_nothing_of_the_one_in_its_place() -> None:
    writer, reader = new_writer(), Reader()
    writer.set_row("/if/xstats/3", 0, [100, 7, 5])
    reader.use(writer)
    assert reader.value("FCSErrors") == 7
    give_away(writer, 3)
    take_over(writer, THIRD, 3, 200, 5000, 60)
    assert reader.value("FCSErrors") == 7  # nobody has searched yet
    reader.search_again()
    assert reader.value("FCSErrors", later=14.0) == 7
    assert reader.value("FCSErrors", THIRD) == 5000
    add_port(writer, PORT, 5, 300, 1, 2)
    assert reader.value("FCSErrors") == 7
    reader.search_again()
    assert reader.value("FCSErrors", later=13.0) == 8
    assert reader.value("FrameTooLongs") == 7
    assert reader.value("FCSErrors", THIRD) == 5000
    os.close(writer.fd)


def test_a_port_that_is_found_no_more_keeps_what_it_had() -> None:
    writer, reader = new_writer(), Reader()
    writer.set_row("/if/xstats/3", 0, [100, 7, 5])
    reader.use(writer)
    assert reader.value("FCSErrors") == 7
    for column, xstat in enumerate(IXGBE):
        writer.remove(f"/interfaces/{PORT}/{xstat}")
        writer.add_symlink(f"/interfaces/{THIRD}/{xstat}", "/if/xstats/3", column)
    writer.set_name(3, THIRD)
    writer.set_row("/if/xstats/3", 0, [200, 5000, 60])
    reader.search_again()
    port = reader.system.ports.get(PORT)
    assert port is not None
    assert port._source is None
    assert reader.value("FCSErrors") == 7
    assert reader.value("FCSErrors", THIRD) == 5000
    os.close(writer.fd)


def test_a_port_that_comes_back_where_it_was_is_read_again() -> None:
    writer, reader = new_writer(), Reader()
    writer.set_row("/if/xstats/3", 0, [100, 7, 5])
    reader.use(writer)
    assert reader.value("FCSErrors") == 7
    give_away(writer, 3)
    reader.search_again()
    writer.set_row("/if/xstats/3", 0, [100, 9, 5])
    assert reader.value("FCSErrors") == 7
    writer.set_name(3, PORT)
    reader.search_again()
    assert reader.value("FCSErrors") == 9
    os.close(writer.fd)


def test_more_ports_than_can_be_true_are_not_searched_for_and_that_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(xstats, "MAX_PORTS", 3)
    writer, reader = new_writer(), Reader()
    writer.set_row("/if/xstats/3", 0, [100, 7, 5])
    reader.use(writer)
    for number in (4, 5, 6):
        add_port(writer, f"eth{number}", number, 0, 100 * number, 0)
        reader.search_again()
    writer.set_row("/if/xstats/3", 0, [100, 9, 5])
    assert reader.value("FCSErrors") == 9
    assert set(reader.system.ports) == {PORT, OTHER, "eth4"}
    (record,) = caplog.records
    assert "xstats of 4 ports" in record.message
    os.close(writer.fd)


def test_a_search_whose_end_meets_a_lock_ends_later(monkeypatch: pytest.MonkeyPatch) -> None:
    writer, reader = new_writer(), Reader()
    writer.set_row("/if/xstats/3", 0, [100, 7, 5])

    def locked(segment: Segment, sw_if_index: int) -> tuple[int, bytes]:
        raise SegmentUnavailable("VPP keeps the segment locked")

    with monkeypatch.context() as patch:
        patch.setattr(Segment, "name_at", locked)
        reader.use(writer)
        assert not list(reader.system.ports)
    reader.system.poll()
    while reader.system.search_on():
        pass
    assert reader.value("FCSErrors") == 7
    os.close(writer.fd)


DOCS = Path(__file__).parent.parent / "docs" / "ethernet-statistics.md"


def test_the_documentation_has_the_same_table() -> None:
    row = re.compile(r"^\| (\w+) \| `(\w+)` \| (.*?) \|$", re.MULTILINE)
    assert row.findall(DOCS.read_text()) == [
        (each.column, each.name, ", ".join(each.drivers)) for each in XSTATS
    ]


def test_no_driver_feeds_a_column_twice() -> None:
    fed = [(each.column, driver) for each in XSTATS for driver in each.drivers]
    assert len(fed) == len(set(fed))
    assert len({each.name for each in XSTATS}) == len(XSTATS)
