"""interfaces/reached.py: what counters have come to, and who goes on from there."""

from pathlib import Path

import pytest

from simulator.segment import SegmentWriter
from vpp_snmp_agent.interfaces.counters import InterfaceCounters
from vpp_snmp_agent.interfaces.reached import ENDED, NOTHING_REACHED, UNKNOWN, vpp_of

from .cells import (
    COUNTED,
    INDEX,
    NAME,
    OTHER_VPP,
    VPP,
    Set,
    fill_with,
    setter,
    sources_of,
    together,
)


def test_another_vpp_counts_on_from_the_last_value_of_the_one_before(
    counters: InterfaceCounters, put: Set, restarted: SegmentWriter
) -> None:
    fill_with(put, COUNTED)
    together(counters)
    put("rx", 1013, 650_017)  # and nobody asked again before it ended
    put("ip6", 173)
    sources = sources_of(restarted, OTHER_VPP)
    after = InterfaceCounters(sources, INDEX, NAME, key="eno1", reached=counters.reached())
    assert list(sources.fallen) == ["eno1"]
    assert after.in_octets == 650_017
    assert after.in_unicast == 1013 - 31 - 7
    setter(restarted)("rx", 5000, 700_001)  # more than before: no source fell
    assert (after.in_octets, together(after)["in_octets"]) == (1_350_018, 1_350_018)
    assert after.in_unicast == 6013 - 31 - 7
    assert (after.in_unknown_protos, after.in_ip4, after.in_ip6) == (127, 149, 173)


def test_what_cannot_be_read_together_is_reached_one_by_one(
    counters: InterfaceCounters, interface_writer: SegmentWriter, put: Set, restarted: SegmentWriter
) -> None:
    fill_with(put, COUNTED)
    interface_writer.set_name(INDEX + 3, "eno9")  # another epoch, which nobody has asked in
    reached = counters.reached()
    assert reached is not None
    assert reached.cell == VPP + INDEX
    # Derived of it, they take no room where they are saved.
    assert list(reached.served[-2:]) == [1009 - 31 - 7, 2003 - 41 - 11]
    after = InterfaceCounters(sources_of(restarted, OTHER_VPP), INDEX, NAME, reached=reached)
    assert (after.in_octets, after.out_octets) == (650_011, 720_007)
    assert (after.in_unicast, after.out_unicast) == (1009 - 31 - 7, 2003 - 41 - 11)
    assert (after.in_errors, after.in_ip6) == (83, 167)


def test_the_same_vpp_goes_on_with_its_bases(counters: InterfaceCounters, put: Set) -> None:
    put("rx", 50, 5000)
    assert (counters.in_octets, counters.in_unicast) == (5000, 50)
    put("rx", 3, 300)
    assert (counters.in_octets, counters.in_unicast) == (5300, 53)
    put("rx", 4, 400)
    after = InterfaceCounters(counters._set, INDEX, NAME, reached=counters.reached())
    assert (after.in_octets, after.in_unicast) == (5400, 54)
    put("rx", 6, 600)
    assert (after.in_octets, together(after)["in_unicast"]) == (5600, 56)
    put("rx", 1, 100)  # cleared again
    assert (after.in_octets, together(after)["in_unicast"]) == (5700, 57)


def test_a_clear_that_nobody_saw_is_carried_by_who_comes_next(
    interface_writer: SegmentWriter, put: Set
) -> None:
    put("rx", 50, 5000)
    before = InterfaceCounters(sources_of(interface_writer), INDEX, NAME).reached()
    put("rx", 3, 300)
    after = InterfaceCounters(sources_of(interface_writer), INDEX, NAME, reached=before)
    assert (after.in_octets, after.in_unicast) == (5300, 53)
    assert after.restarted_at is not None


@pytest.mark.parametrize(("then", "now"), [(UNKNOWN, VPP), (VPP, UNKNOWN), (UNKNOWN, UNKNOWN)])
def test_where_it_is_not_sure_which_vpp_it_was_nothing_is_counted_twice(
    interface_writer: SegmentWriter, put: Set, then: int, now: int
) -> None:
    put("rx", 50, 5000)
    reached = InterfaceCounters(sources_of(interface_writer, then), INDEX, NAME).reached()
    assert reached is not None
    assert not reached.is_at(now and now + INDEX)
    put("rx", 60, 6000)
    after = InterfaceCounters(sources_of(interface_writer, now), INDEX, NAME, reached=reached)
    assert (after.in_octets, after.in_unicast) == (6000, 60)
    put("rx", 7, 700)  # whose fall shows that it counts anew
    assert (after.in_octets, after.in_unicast) == (6700, 67)


def test_an_index_that_was_given_away_counts_from_0_when_it_comes_back(
    counters: InterfaceCounters, interface_writer: SegmentWriter, put: Set
) -> None:
    put("rx", 50, 5000)
    assert (counters.in_octets, counters.in_unicast) == (5000, 50)
    interface_writer.set_name(INDEX, "deleted")
    reached = counters.reached()
    assert reached is not None
    assert reached.cell == ENDED
    interface_writer.set_name(INDEX, NAME)
    put("rx", 60, 6000)  # more than before: no source fell
    after = InterfaceCounters(counters._set, INDEX, NAME, reached=reached)
    assert (after.in_octets, after.in_unicast) == (11_000, 110)


def test_a_segment_that_cannot_be_read_is_nobody_elses(
    counters: InterfaceCounters, interface_writer: SegmentWriter, put: Set
) -> None:
    put("rx", 50, 5000)
    assert counters.in_octets == 5000
    interface_writer.hold(True)
    reached = counters.reached()
    assert reached is not None
    assert reached.cell == VPP + INDEX


def test_until_there_is_a_segment_what_was_read_last_stands(
    counters: InterfaceCounters, interface_writer: SegmentWriter, put: Set
) -> None:
    put("rx", 50, 5000)
    reached = counters.reached()
    waiting = InterfaceCounters(None, INDEX, NAME, 12.5, reached=reached)
    assert (waiting.in_octets, waiting.in_unicast, waiting.discontinuity) == (5000, 50, 12.5)
    again = InterfaceCounters(counters._set, INDEX, NAME, reached=waiting.reached())
    put("rx", 51, 5100)
    assert again.in_octets == 5100  # the same VPP: nothing is counted twice


def test_what_was_only_saved_is_not_served_before_a_reading(
    interface_writer: SegmentWriter, put: Set
) -> None:
    put("rx", 50, 5000)
    reached = InterfaceCounters(sources_of(interface_writer), INDEX, NAME).reached()
    assert reached is not None
    interface_writer.hold(True)
    after = InterfaceCounters(
        sources_of(interface_writer, OTHER_VPP), INDEX, NAME, reached=reached._replace(read=0)
    )
    assert after.in_octets is None  # what was served since it was saved may be more
    interface_writer.hold(False)
    assert after.in_octets is not None


def test_without_a_reading_nothing_is_reached(interface_writer: SegmentWriter) -> None:
    interface_writer.hold(True)
    assert InterfaceCounters(sources_of(interface_writer), INDEX, NAME).reached() is None
    assert InterfaceCounters(None, INDEX, NAME).reached() is None


def test_plain_counters_leave_nothing_to_go_on_from(plain: InterfaceCounters, put: Set) -> None:
    put("rx", 50, 5000)
    assert plain.in_octets == 5000
    assert plain.reached() is None


def test_who_carries_what_was_plain_begins_with_what_vpp_counts(
    interface_writer: SegmentWriter, put: Set
) -> None:
    put("rx", 50, 5000)
    after = InterfaceCounters(sources_of(interface_writer), INDEX, NAME, reached=NOTHING_REACHED)
    assert (after.in_octets, after.in_unicast) == (5000, 50)


def test_where_no_base_is_they_take_no_memory(
    counters: InterfaceCounters, put: Set, restarted: SegmentWriter
) -> None:
    put("rx", 50, 5000)
    reached = counters.reached()
    assert reached is not None
    assert not reached.bases
    assert InterfaceCounters(counters._set, INDEX, NAME, reached=reached)._base is None
    assert InterfaceCounters(
        sources_of(restarted, OTHER_VPP), INDEX, NAME, reached=reached
    )._base is not None  # fmt: skip


def test_what_did_not_change_is_not_saved_again(counters: InterfaceCounters, put: Set) -> None:
    put("rx", 50, 5000)
    counters.reached()
    assert counters.mark_saved()
    counters.reached()
    assert not counters.mark_saved()
    put("rx", 51, 5000)
    reached = counters.reached()
    assert counters.mark_saved()
    assert not InterfaceCounters(counters._set, INDEX, NAME, reached=reached).mark_saved()


def test_a_vpp_is_known_from_another_by_boot_pid_and_segment(tmp_path: Path) -> None:
    boot, other_boot = tmp_path / "boot", tmp_path / "other"
    boot.write_text("6f1a\n")
    other_boot.write_text("93c2\n")
    vpps = [vpp_of(*each) for each in ((11, 5, boot), (13, 5, boot), (11, 7, boot))]
    vpps.append(vpp_of(11, 5, other_boot))
    assert len({*vpps, UNKNOWN, ENDED}) == 6
    assert vpp_of(11, 5, boot) == vpps[0]
    assert vpp_of(11, 5, tmp_path / "absent") == UNKNOWN
    assert vpp_of(11, 5) > ENDED
