"""vpp/entries.py on segments of the simulator: which entry is where, and what is not there."""

import os
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simulator.segment import SegmentWriter
from vpp_snmp_agent.vpp import entries as room
from vpp_snmp_agent.vpp.cells import Counter
from vpp_snmp_agent.vpp.layout import Generation, Kind
from vpp_snmp_agent.vpp.mapping import SegmentUnavailable
from vpp_snmp_agent.vpp.segment import Segment

from .segments import COLUMNS, LARGE, SIZE, THREADS, costing, large, put

pytestmark = pytest.mark.usefixtures("both_paths_agree")


def test_the_generation_is_recognised(tmp_path: Path) -> None:
    for generation in Generation:
        made = SegmentWriter(SIZE, generation)
        made.add_scalar("/sys/vector_rate", 75, Kind.GAUGE)
        made.add_names("/if/names")
        assert Segment(made.fd).generation is generation
        os.close(made.fd)


def test_a_name_that_is_the_beginning_of_another_is_not_taken_for_it(writer: SegmentWriter) -> None:
    writer.add_counter("/if/tx-error", Kind.SIMPLE, THREADS, COLUMNS)
    with pytest.raises(SegmentUnavailable, match=r"has no /if/tx$"):
        Counter(Segment(writer.fd), "/if/tx", Kind.COMBINED).read(0)


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
    drops: Counter,
) -> None:
    assert drops.read(0) == 0
    writer.remove("/if/drops")
    with pytest.raises(SegmentUnavailable, match="has no /if/drops"):
        drops.read(0)
    writer.add_scalar("/taken", 1)  # takes the place of the removed one
    writer.add_counter("/if/drops", Kind.SIMPLE, THREADS, COLUMNS)
    put(writer, "/if/drops", 0, 0, 9)
    assert drops.read(0) == 9


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
        writer.overwrite(place - 8, struct.pack("=I", room.MAX_ENTRIES))
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
        now += 0.03  # a search reads it when it begins and when it ends
        return now

    monkeypatch.setattr(room, "MAX_UNPAUSED_ENTRIES", 4)
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
    now += 100 * room.SEARCH_PAUSE
    assert punt.read(0) == 0


def test_a_directory_is_searched_a_slice_at_a_time_and_to_its_end(
    writer: SegmentWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched: list[int] = []
    heads_from = Segment._heads_from

    def note(segment: Segment, directory: Any, first: int, count: int) -> bytes:
        searched.append(first)
        return heads_from(segment, directory, first, count)

    monkeypatch.setattr(room, "SEARCH_SLICE", 3)
    monkeypatch.setattr(Segment, "_heads_from", note)
    writer.add_counter("/if/punt", Kind.SIMPLE, THREADS, COLUMNS)
    put(writer, "/if/punt", 1, 5, 29)
    segment = Segment(writer.fd)
    Counter(segment, "/if/rx", Kind.COMBINED).read(5)
    first_searched = len(searched)
    assert Counter(segment, "/if/punt", Kind.SIMPLE).read(5) == 29
    assert first_searched < len(searched)
    with pytest.raises(SegmentUnavailable, match="has no /if/nowhere"):
        Counter(segment, "/if/nowhere", Kind.SIMPLE).read(5)
    assert searched == [3 * number for number in range(len(searched))]  # each slice once


def searches(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The names whose entry is found by a search from now on."""
    found: list[bytes] = []
    original = Segment._find

    def note(segment: Segment, name: bytes, *where: Any) -> int:
        found.append(name)
        return original(segment, name, *where)

    monkeypatch.setattr(Segment, "_find", note)
    return found


# --- a slice of the directory --------------------------------------------------------------


def whole(read: Callable[[int], tuple[list[Any], int | None]]) -> tuple[list[Any], int]:
    """What all slices have, and how many there were."""
    found, following = read(0)
    slices = 1
    while following is not None:
        more, following = read(following)
        found, slices = found + more, slices + 1
    return found, slices


def test_entries_are_found_by_what_they_begin_with(
    writer: SegmentWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "NAMES_SLICE", 2)
    for number in (61, 62, 63):
        writer.add_scalar(f"/if/dropped/{number}", number)
    segment = Segment(writer.fd)
    found, slices = whole(lambda first: segment.entries_from(first, (b"/if/dropped", b"/sys/he")))
    dropped = [(f"/if/dropped/{each}", each) for each in (61, 62, 63)]
    assert found == [("/sys/heartbeat", 7), *dropped]  # and not /if/drops, of the same head
    assert slices == -(-segment.directory().length // 2)


def test_symlinks_are_found_by_that_to_which_they_lead(
    writer: SegmentWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "SEARCH_SLICE", 2)
    for name, target, column in (("/err/two", "/if/rx", 4), ("/err/six", "/if/drops", 6)):
        writer.add_symlink(name, target, column)
    segment = Segment(writer.fd)
    found, slices = whole(lambda first: segment.symlinks_from(first, ("/if/drops",)))
    assert found == [("/err/one", "/if/drops", 1), ("/err/six", "/if/drops", 6)]
    assert slices == -(-segment.directory().length // 2)
    found, _ = whole(lambda first: segment.symlinks_from(first, ("/if/rx",)))
    assert found == [("/err/two", "/if/rx", 4)]
    with pytest.raises(SegmentUnavailable, match="has no /if/tx"):
        segment.symlinks_from(0, ("/if/tx",))


def test_an_entry_is_read_by_its_number(writer: SegmentWriter) -> None:
    segment = Segment(writer.fd)
    directory = segment.directory()
    entries = [segment.entry_at(directory, number) for number in range(directory.length)]
    values = {name.split(b"\0", 1)[0]: value for _, value, name in entries}
    assert (values[b"/sys/heartbeat"], values[b"/err/one"] >> 32) == (7, 1)
    with pytest.raises(SegmentUnavailable, match=f"no entry {directory.length}$"):
        segment.entry_at(directory, directory.length)


def test_names_of_an_unknown_type_are_refused(writer: SegmentWriter) -> None:
    where = writer.where("/if/names")["entry"]
    assert isinstance(where, int)
    writer.overwrite(where, struct.pack("=I", 98))
    with pytest.raises(SegmentUnavailable, match="/if/names is of the unknown type 98"):
        _ = Segment(writer.fd).generation
