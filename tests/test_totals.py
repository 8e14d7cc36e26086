"""interfaces/totals.py: what is served never falls, and says where something may be missing."""

from vpp_snmp_agent.interfaces.totals import Saved, Totals

VPP, OTHER_VPP, UNKNOWN = 4711, 4712, 0


def counted(**numbers: int) -> Totals:
    """Numbers that a VPP has counted, at moment 1."""
    totals = Totals("ip 4", clock=lambda: 1.0)
    totals.begin(VPP)
    for name, number in numbers.items():
        totals.count(name, number)
    return totals


def test_what_vpp_counts_is_served_as_it_is() -> None:
    totals = counted(a=5, b=0)
    assert (totals.get("a"), totals.get("b"), totals.get("c")) == (5, 0, None)
    totals.count("a", 7)
    assert totals.get("a") == 7
    assert totals.restarted_at is None
    assert not totals.is_dirty


def test_another_vpp_counts_on_from_what_was_served() -> None:
    totals = counted(a=100, b=30)
    totals.begin(OTHER_VPP)
    assert (totals.get("a"), totals.get("b")) == (100, 30)
    assert totals.restarted_at == 1.0
    totals.count("a", 4)
    totals.count("b", 200)  # which does not look like a fall
    assert (totals.get("a"), totals.get("b")) == (104, 230)


def test_what_may_be_the_same_vpp_is_not_counted_twice() -> None:
    for first, then in ((VPP, VPP), (VPP, UNKNOWN), (UNKNOWN, VPP)):
        totals = Totals("ip 4")
        totals.begin(first)
        totals.count("a", 100)
        totals.begin(then)
        totals.count("a", 130)
        assert totals.get("a") == 130
        assert totals.restarted_at is None


def test_a_part_that_is_counted_from_0_again_stays_in_the_sum() -> None:
    totals = counted(a=100)
    totals.add("a", 40)
    totals.count("a", 61)  # 60 and one more
    assert totals.get("a") == 101
    assert totals.is_dirty


def test_a_number_that_is_zeroed_goes_on() -> None:
    totals = counted(a=100, b=3)
    totals.rebase("a")
    totals.count("a", 20)
    totals.count("b", 4)
    assert (totals.get("a"), totals.get("b")) == (120, 4)


def test_what_falls_for_no_known_reason_stands_still_and_moves_on_from_there() -> None:
    totals = counted(a=100)
    totals.count("a", 90)
    assert totals.get("a") == 100
    assert totals.restarted_at == 1.0
    totals.count("a", 93)
    assert totals.get("a") == 103


def test_what_was_saved_is_gone_on_from() -> None:
    totals = counted(a=100)
    totals.begin(OTHER_VPP)
    totals.count("a", 8)
    saved = totals.saved()
    assert saved == Saved(OTHER_VPP, {"a": (108, 100)})
    assert not totals.is_dirty
    after = Totals("ip 4")
    after.restore(saved)
    assert after.get("a") == 108
    after.begin(OTHER_VPP)
    after.count("a", 11)
    assert after.get("a") == 111
    assert after.restarted_at is None
    third = Totals("ip 4")
    third.restore(saved)
    third.begin(4713)
    third.count("a", 11)
    assert third.get("a") == 119


def test_plain_numbers_are_vpps_own_and_a_fall_is_a_discontinuity() -> None:
    totals = counted(a=100)
    totals.begin(OTHER_VPP)
    totals.count("a", 7)
    totals.carries = False
    totals.count("a", 9)
    assert totals.get("a") == 9
    totals.count("a", 2)
    assert totals.get("a") == 2
    assert totals.restarted_at == 1.0
    totals.begin(VPP)
    assert totals.get("a") is None
    totals.count("a", 3)
    totals.carries = True
    totals.count("a", 4)
    assert totals.get("a") == 4


def test_a_number_passes_2_64_as_counter64_does() -> None:
    totals = counted(a=2**64 - 1)
    totals.begin(OTHER_VPP)
    totals.count("a", 3)
    assert totals.get("a") == 2
    assert Totals("ip 4").saved() == Saved(UNKNOWN, {})
