"""vpp/directory.py: the names of a segment that VPP makes as it goes."""

import os
import struct
from collections.abc import Iterator

import pytest

from simulator.segment import SegmentWriter
from vpp_snmp_agent.vpp import directory, entries
from vpp_snmp_agent.vpp.directory import SEARCH_INTERVAL, Directory
from vpp_snmp_agent.vpp.layout import Generation, Kind
from vpp_snmp_agent.vpp.segment import Segment, SegmentUnavailable

from .routers import Clock

HEAP = "/mem/main heap"


@pytest.fixture(params=Generation)
def writer(request: pytest.FixtureRequest) -> Iterator[SegmentWriter]:
    made = SegmentWriter(1 << 20, request.param)
    made.add_scalar("/sys/vector_rate", 75, Kind.GAUGE)
    made.add_counter("/node/errors", Kind.SIMPLE, 3, 5)
    made.add_counter(HEAP, Kind.SIMPLE, 1, 7)
    made.add_symlink(f"{HEAP}/used", HEAP, 1)
    for column, name in enumerate(("ip4-input/bad_length", "ip4-input/ip4 ttl <= 1")):
        made.add_symlink(f"/err/{name}", "/node/errors", column)
    made.add_names("/if/names")
    yield made
    os.close(made.fd)


def whole(found: Directory) -> int:
    """Search to the end; how many slices that took."""
    slices = 1
    while found.search():
        slices += 1
    return slices


def test_names_are_found_by_what_they_begin_with(writer: SegmentWriter) -> None:
    found = Directory(Segment(writer.fd), ("/mem/", "/err/", "/if/lacp/"))
    assert not found.is_complete
    whole(found)
    assert found.is_complete
    assert found.names == {
        "/mem/": {HEAP, f"{HEAP}/used"},
        "/err/": {"/err/ip4-input/bad_length", "/err/ip4-input/ip4 ttl <= 1"},
        "/if/lacp/": frozenset(),
    }


def test_each_entry_has_its_value(writer: SegmentWriter) -> None:
    writer.add_scalar("/sys/heartbeat", 71)
    found = Directory(Segment(writer.fd), ("/sys/heart", "/err/"))
    whole(found)
    assert found.entries["/sys/heart"] == {"/sys/heartbeat": 71}
    columns = [value >> 32 for value in found.entries["/err/"].values()]
    assert columns == [0, 1]  # of symlinks


def test_more_names_that_begin_alike_than_any_vpp_has_are_left_out(
    writer: SegmentWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "MAX_NAMES", 1)
    found = Directory(Segment(writer.fd), ("/mem/", "/err/"))
    whole(found)
    assert found.names == {"/mem/": {HEAP}, "/err/": {"/err/ip4-input/bad_length"}}


def test_a_prefix_longer_than_a_word_is_compared_whole(writer: SegmentWriter) -> None:
    writer.add_scalar("/if/lacp/7/3/state", 63)
    writer.add_scalar("/if/lacx/7/3/state", 61)
    found = Directory(Segment(writer.fd), ("/if/lacp/7/",))
    whole(found)
    assert found.names == {"/if/lacp/7/": {"/if/lacp/7/3/state"}}


def test_a_slice_at_a_time_is_searched(
    writer: SegmentWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entries, "NAMES_SLICE", 3)
    found = Directory(Segment(writer.fd), ("/err/",))
    assert whole(found) == 3
    assert len(found.names["/err/"]) == 2


def test_what_comes_is_found_by_the_next_search_which_waits(writer: SegmentWriter) -> None:
    clock = Clock()
    found = Directory(Segment(writer.fd), ("/mem/",), clock)
    whole(found)
    assert not found.search()
    writer.add_symlink("/mem/main heap/free", HEAP, 2)  # without an epoch
    clock.now += SEARCH_INTERVAL - 1
    assert whole(found) == 1
    assert "/mem/main heap/free" not in found.names["/mem/"]
    clock.now += 1
    whole(found)
    assert "/mem/main heap/free" in found.names["/mem/"]


def test_what_was_removed_is_gone_after_the_next_search(writer: SegmentWriter) -> None:
    clock = Clock()
    segment = Segment(writer.fd)
    found = Directory(segment, ("/mem/",), clock)
    whole(found)
    writer.remove(f"{HEAP}/used")
    with pytest.raises(SegmentUnavailable, match="has no /mem/main heap/used"):
        segment.value(f"{HEAP}/used")
    clock.now += SEARCH_INTERVAL
    whole(found)
    assert found.names["/mem/"] == {HEAP}


def test_a_directory_that_stays_as_it_is_is_not_searched_again(
    writer: SegmentWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    found = Directory(Segment(writer.fd), ("/mem/",), clock)
    whole(found)
    monkeypatch.setattr(Segment, "entries_from", None)
    clock.now += 10 * SEARCH_INTERVAL
    assert not found.search()


def test_a_directory_that_is_damaged_leaves_the_names_as_they_were(writer: SegmentWriter) -> None:
    clock = Clock()
    found = Directory(Segment(writer.fd), ("/mem/",), clock)
    whole(found)
    names = found.names
    writer.add_scalar("/mem/other", 5)
    where = writer.where(HEAP)["directory"]
    assert isinstance(where, int)
    writer.overwrite(where - 8, struct.pack("=I", 2**31))
    clock.now += SEARCH_INTERVAL
    assert not found.search()
    assert found.names == names
