"""interfaces/system.py: what VPP has beyond its interfaces, over one VPP after another."""

import os
from collections.abc import Iterator

import pytest

from simulator.segment import SegmentWriter
from vpp_snmp_agent.interfaces.system import System
from vpp_snmp_agent.vpp import entries
from vpp_snmp_agent.vpp.layout import Generation, Kind
from vpp_snmp_agent.vpp.segment import Segment


@pytest.fixture
def writer() -> Iterator[SegmentWriter]:
    made = SegmentWriter(1 << 20, Generation.V26_02)
    made.add_scalar("/sys/vector_rate", 3, Kind.GAUGE)
    made.add_scalar("/buffer-pools/default-numa-0/used", 5, Kind.GAUGE)
    made.add_scalar("/bfd/udp4/sessions", 7, Kind.GAUGE)
    made.add_names("/if/names")
    yield made
    os.close(made.fd)


def test_names_are_searched_for_once_a_segment_is_there(
    writer: SegmentWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entries, "NAMES_SLICE", 1)
    system = System()
    system.poll()
    assert not system.search_on()
    assert list(system.names("/buffer-pools/")) == []
    assert system.gauge("/bfd/udp4/sessions") is None
    system.use(Segment(writer.fd), 1)
    assert system.gauge("/bfd/udp4/sessions") is None  # it is not searched for by itself
    system.poll()
    assert system.is_searching
    while system.search_on():
        pass
    assert not system.is_searching
    assert list(system.names("/buffer-pools/")) == ["/buffer-pools/default-numa-0/used"]
    assert system.gauge("/bfd/udp4/sessions") == 7
    assert system.gauge("/bfd/udp6/sessions") is None


def test_the_same_segment_again_keeps_what_was_found(writer: SegmentWriter) -> None:
    system = System()
    segment = Segment(writer.fd)
    system.use(segment, 1)
    system.poll()
    system.lose()
    assert system.is_away
    assert system.segment is segment
    system.use(Segment(writer.fd), 1)
    assert not system.is_away
    assert system.segment is segment
    assert list(system.names("/buffer-pools/"))


def test_another_segment_has_other_names(writer: SegmentWriter) -> None:
    system = System()
    system.use(Segment(writer.fd), 1)
    system.poll()
    other = SegmentWriter(1 << 20, Generation.V22_06)
    other.add_names("/if/names")
    system.use(Segment(other.fd), 1)
    system.poll()
    os.close(other.fd)
    assert list(system.names("/buffer-pools/")) == []


def test_numbers_are_saved_after_10_s_then_every_300_s_and_when_a_base_changed() -> None:
    now = [1000.0]
    system = System(lambda: now[0])
    keys = ["ip 4", "ip 6"]
    due = {1009.9: [], 1010.0: keys, 1010.1: [], 1309.9: [], 1310.0: keys}
    for now[0], expected in due.items():
        assert [each.key for each in system.unsaved()] == expected
    system.ipv6.totals.add("InReceives", 5)
    assert [each.key for each in system.unsaved()] == ["ip 6"]
    system.ipv6.totals.saved()
    assert system.unsaved() == []
    assert [each.key for each in system.unsaved(all_of_them=True)] == keys


def test_errors_are_saved_and_restored_with_the_others(writer: SegmentWriter) -> None:
    writer.add_counter("/node/errors", Kind.SIMPLE, 1, 2)
    writer.add_error("/err/ip4-input/bad_length", 1)
    writer.set_row("/node/errors", 0, [0, 23])
    system = System()
    system.use(Segment(writer.fd), 5)
    system.search_all()
    saved = {each.key: each.saved() for each in system.unsaved(all_of_them=True)}
    assert saved["errors ip4-input"].numbers == {"bad_length": (23, 0)}
    writer.set_row("/node/errors", 0, [0, 3])
    again = System()
    again.restore(saved.get)
    again.use(Segment(writer.fd), 7)
    again.search_all()
    assert again.errors.snapshot().counts == {("ip4-input", "bad_length"): 26}
    again.carry(False)
    writer.set_row("/node/errors", 0, [0, 2])
    again.errors.read_all()
    assert again.errors.snapshot().counts == {("ip4-input", "bad_length"): 2}
