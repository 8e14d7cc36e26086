"""vpp/segment.py on segments of the simulator: the values and names in it."""

import os
import struct

import pytest

from simulator.segment import BASE, SegmentWriter
from vpp_snmp_agent.vpp import mapping
from vpp_snmp_agent.vpp import segment as vpp_segment
from vpp_snmp_agent.vpp.cells import Counter, Vectors
from vpp_snmp_agent.vpp.layout import NODE_ERRORS, Kind
from vpp_snmp_agent.vpp.mapping import SegmentUnavailable
from vpp_snmp_agent.vpp.segment import Segment

from .segments import COLUMNS, LARGE, SIZE, THREADS, costing, large, put, words

pytestmark = pytest.mark.usefixtures("both_paths_agree")


def test_the_descriptor_of_a_segment_that_was_mapped_is_closed(writer: SegmentWriter) -> None:
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


def test_scalars_and_gauges_are_read_and_nothing_else_as_such(writer: SegmentWriter) -> None:
    segment = Segment(writer.fd)
    assert segment.scalar("/sys/heartbeat") == 7
    assert segment.scalar("/sys/vector_rate") == 75
    with pytest.raises(SegmentUnavailable, match="no scalar"):
        segment.scalar("/if/drops")
    with pytest.raises(SegmentUnavailable, match="has no /sys/nothing"):
        segment.scalar("/sys/nothing")


def test_vpp_says_how_long_it_has_been_up(writer: SegmentWriter) -> None:
    segment = Segment(writer.fd)
    assert segment.uptime == 0
    writer.add_scalar("/sys/last_update", 86400)
    assert segment.uptime == 86400


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


def test_names_come_with_their_epoch(writer: SegmentWriter) -> None:
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
    monkeypatch.setattr(mapping, "STUCK_TIMEOUT", 0.0)
    monkeypatch.setattr(mapping, "LOCK_WAIT", 0.0)
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


def test_more_threads_than_any_vpp_has_are_damage(writer: SegmentWriter) -> None:
    where = writer.where("/if/drops")["pointers"]
    assert isinstance(where, int)
    writer.overwrite(where - 8, struct.pack("=I", vpp_segment.MAX_THREADS + 1))
    with pytest.raises(SegmentUnavailable, match="threads"):
        Counter(Segment(writer.fd), "/if/drops", Kind.SIMPLE).read(0)


def test_an_entry_of_an_unknown_type_is_refused(writer: SegmentWriter) -> None:
    where = writer.where("/if/drops")["entry"]
    assert isinstance(where, int)
    writer.overwrite(where, struct.pack("=I", 99))
    with pytest.raises(SegmentUnavailable, match="of type 99"):
        Counter(Segment(writer.fd), "/if/drops", Kind.SIMPLE).read(0)
