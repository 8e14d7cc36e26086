"""vpp/mapping.py on segments of the simulator: the lock, and whatever leads astray."""

import fcntl
import os
import struct
import threading
from pathlib import Path

import pytest

from simulator.segment import BASE, SegmentWriter
from vpp_snmp_agent.vpp import mapping
from vpp_snmp_agent.vpp.cells import Counter
from vpp_snmp_agent.vpp.layout import (
    BASE_WORD,
    DIRECTORY_WORD,
    IN_PROGRESS_WORD,
    VERSION_WORD,
    Kind,
)
from vpp_snmp_agent.vpp.mapping import SegmentUnavailable
from vpp_snmp_agent.vpp.segment import Segment

from .segments import COLUMNS, SIZE, put

pytestmark = pytest.mark.usefixtures("both_paths_agree")


def test_a_lock_that_is_let_go_soon_is_waited_for(
    writer: SegmentWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapping, "LOCK_WAIT", 20.0)
    segment = Segment(writer.fd)
    writer.hold(True)
    release = threading.Timer(0.02, writer.hold, (False,))
    release.start()
    assert Counter(segment, "/if/drops", Kind.SIMPLE).read(0) == 0
    release.join()


def test_a_lock_that_stays_held_is_waited_for_once(
    writer: SegmentWriter, drops: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.hold(True)
    with pytest.raises(SegmentUnavailable, match="locked"):
        drops.read(0)
    monkeypatch.setattr(mapping, "LOCK_WAIT", 3600.0)  # waiting again would never end
    with pytest.raises(SegmentUnavailable, match="locked"):
        drops.read(0)
    writer.hold(False)
    assert drops.read(0) == 0


def test_a_stuck_lock_is_read_through(
    writer: SegmentWriter, drops: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert drops.read(4) == 0
    writer.hold(True)
    with pytest.raises(SegmentUnavailable, match="locked"):
        drops.read(4)
    monkeypatch.setattr(mapping, "STUCK_TIMEOUT", 0.0)
    for value in (5, 6):
        put(writer, "/if/drops", 1, 4, value)
        assert drops.read(4) == value
    writer.hold(False)
    assert drops.read(4) == 6


def test_a_stuck_lock_is_noticed_without_a_reading(
    writer: SegmentWriter, drops: Counter, segment: Segment, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert drops.read(4) == 0
    monkeypatch.setattr(mapping, "STUCK_TIMEOUT", 0.0)
    monkeypatch.setattr(mapping, "LOCK_WAIT", 3600.0)  # the reading must not wait
    segment.poll_lock()
    writer.hold(True)
    segment.poll_lock()
    put(writer, "/if/drops", 1, 4, 5)
    assert drops.read(4) == 5


def test_a_lock_that_was_taken_anew_is_another_one(
    writer: SegmentWriter, segment: Segment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapping, "STUCK_TIMEOUT", 0.0)
    writer.hold(True)
    segment.poll_lock()
    writer.add_scalar("/another", 1)  # lets go, and takes it again
    with pytest.raises(SegmentUnavailable, match="locked"):
        Counter(segment, "/if/drops", Kind.SIMPLE).read(0)


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
    assert not mapping._is_sealed(descriptor)
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
    writer: SegmentWriter, segment: Segment, word: int, value: int
) -> None:
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
    drops: Counter,
) -> None:
    assert drops.read(0) == 0
    rows = writer.where("/if/drops")["rows"]
    assert isinstance(rows, list)
    writer.overwrite(rows[0] - 8, struct.pack("=I", 2**32 - 1))
    with pytest.raises(SegmentUnavailable):
        drops.read(SIZE)


def test_the_lock_word_is_where_the_layout_says(writer: SegmentWriter) -> None:
    writer.hold(True)
    assert Segment(writer.fd).words[IN_PROGRESS_WORD] == 1
