"""vpp/schedule.py: who is to be asked when, by moments that a test sets."""

import pytest

from vpp_snmp_agent.vpp.schedule import (
    ADDRESS_DELAYS,
    ADDRESS_INTERVAL,
    MIN_SHARE,
    NEVER,
    PAUSE,
    Schedule,
    Sweep,
)

# --- those that changed ---------------------------------------------------------------------------


def test_what_changed_is_due_at_once_and_after_each_delay_and_then_no_more() -> None:
    schedule = Schedule()
    assert schedule.due() == NEVER
    schedule.change(3, 100.0)
    at = []
    while (due := schedule.due()) < NEVER:
        at.append(due - 100.0)
        assert schedule.take(due, 10) == [3]
    assert tuple(at) == ADDRESS_DELAYS


def test_what_changes_while_it_waits_is_asked_when_it_would_have_been() -> None:
    schedule = Schedule()
    schedule.change(3, 100.0)
    schedule.change(3, 100.4)
    assert schedule.due() == 100.0
    assert schedule.take(100.5, 10) == [3]
    # The delays are those of the last change.
    assert schedule.due() == 100.4 + ADDRESS_DELAYS[1]


def test_what_was_asked_just_now_is_asked_again_an_interval_later() -> None:
    schedule = Schedule()
    schedule.change(3, 100.0)
    schedule.take(100.0, 10)
    schedule.change(3, 100.2)
    assert schedule.due() == 100.0 + ADDRESS_INTERVAL
    assert schedule.take(100.2, 10) == []


def test_who_is_asked_late_skips_what_has_passed_meanwhile() -> None:
    schedule = Schedule()
    schedule.change(3, 100.0)
    schedule.take(100.0, 10)
    assert schedule.take(100.0 + ADDRESS_DELAYS[2] + 1.0, 10) == [3]
    assert schedule.due() == 100.0 + ADDRESS_DELAYS[3]


def test_who_is_gone_is_not_due_any_more() -> None:
    schedule = Schedule()
    schedule.change(3, 100.0)
    schedule.change(4, 101.0)
    schedule.forget(3)
    assert schedule.due() == 101.0
    assert schedule.take(102.0, 10) == [4]
    schedule.forget(4)
    assert schedule.due() == NEVER


def test_what_changed_a_while_ago_has_its_share_beside_what_changed_now() -> None:
    schedule = Schedule()
    for index in range(1, 6):
        schedule.change(index, 100.0)
    schedule.take(100.0, 5)
    later = 100.0 + ADDRESS_DELAYS[1]
    for index in range(11, 31):
        schedule.change(index, later)
    assert schedule.take(later, 10) == [*range(11, 11 + 10 - MIN_SHARE), *range(1, 1 + MIN_SHARE)]


# --- the round of them all ------------------------------------------------------------------------


def test_the_first_round_goes_without_pauses_and_the_next_are_spread_over_the_interval() -> None:
    sweep, everybody = Sweep(300.0), range(1, 26)
    assert sweep.due == 0.0
    assert sweep.take(100.0, 10, everybody) == ([*range(1, 11)], False)
    assert sweep.due <= 100.0
    assert sweep.take(100.0, 10, everybody) == ([*range(11, 21)], False)
    assert sweep.take(100.0, 10, everybody) == ([*range(21, 26)], True)
    assert sweep.due == pytest.approx(100.0 - PAUSE + 300.0 * 5 / 25)
    now = sweep.due
    assert sweep.take(now, 10, everybody) == ([*range(1, 11)], False)
    assert sweep.due == pytest.approx(now + 300.0 * 10 / 25)


def test_a_round_leaves_out_who_is_gone() -> None:
    sweep = Sweep(300.0)
    assert sweep.take(100.0, 2, {3, 4, 5, 6}) == ([3, 4], False)
    assert sweep.take(100.0, 2, {3, 6}) == ([6], True)


def test_each_round_begins_as_a_whole_one() -> None:
    sweep = Sweep(300.0)
    sweep.take(100.0, 1, {3, 4})
    sweep.is_whole = False
    sweep.take(100.0, 1, {3, 4})
    assert not sweep.is_whole
    sweep.take(400.0, 1, {3, 4})
    assert sweep.is_whole


def test_without_an_interval_there_is_no_round() -> None:
    assert Sweep(0.0).due == NEVER
