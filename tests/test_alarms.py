"""interfaces/alarms.py: which of VPP's alarms are notified, and how often."""

from vpp_snmp_agent.interfaces.alarms import MIN_INTERVAL, Alarms
from vpp_snmp_agent.interfaces.vpp_state import Alarm

HUNG, AWAY = Alarm.HUNG, Alarm.AWAY
Notified = list[tuple[Alarm, bool]]


def due(alarms: Alarms, now: float, *raised: Alarm) -> Notified:
    return list(alarms.due(raised, now))


def test_an_alarm_is_notified_once_and_so_is_its_end() -> None:
    alarms = Alarms()
    assert due(alarms, 100) == []
    assert due(alarms, 100, HUNG) == [(HUNG, True)]
    assert due(alarms, 200, HUNG) == []
    assert due(alarms, 300) == [(HUNG, False)]
    assert due(alarms, 400) == []


def test_both_alarms_are_notified_each_by_itself() -> None:
    alarms = Alarms()
    assert due(alarms, 100, HUNG) == [(HUNG, True)]
    assert due(alarms, 101, HUNG, AWAY) == [(AWAY, True)]
    assert due(alarms, 200) == [(HUNG, False), (AWAY, False)]


def test_an_alarm_that_comes_and_goes_rests_and_then_its_latest_state_is_notified() -> None:
    alarms = Alarms()
    assert due(alarms, 100, AWAY) == [(AWAY, True)]
    assert due(alarms, 101) == []
    assert due(alarms, 102, AWAY) == []
    assert due(alarms, 103) == []
    assert due(alarms, 100 + MIN_INTERVAL) == [(AWAY, False)]


def test_an_alarm_that_is_again_as_it_was_notified_is_not_notified() -> None:
    alarms = Alarms()
    assert due(alarms, 100, AWAY) == [(AWAY, True)]
    assert due(alarms, 101) == []
    assert due(alarms, 100 + MIN_INTERVAL, AWAY) == []
    assert due(alarms, 200) == [(AWAY, False)]


def test_what_was_not_taken_is_due_until_it_is() -> None:
    alarms = Alarms()
    (first, *_) = alarms.due([HUNG, AWAY], 100)
    assert first == (HUNG, True)
    only_one = Alarms()
    assert next(only_one.due([HUNG, AWAY], 100)) == (HUNG, True)
    assert due(only_one, 101, HUNG, AWAY) == [(AWAY, True)]


def test_what_nobody_asked_for_meanwhile_is_due_as_it_is_then() -> None:
    """As where the settings sent none for a while."""
    alarms = Alarms()
    assert due(alarms, 100, AWAY) == [(AWAY, True)]
    assert due(alarms, 200, HUNG) == [(HUNG, True), (AWAY, False)]
