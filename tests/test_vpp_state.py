"""interfaces/vpp_state.py: what becomes of VPP, and for how long it has been so."""

import os
from collections.abc import Iterator
from dataclasses import replace

import pytest

from simulator.segment import SegmentWriter
from vpp_snmp_agent.interfaces.vpp_state import WATCH_INTERVAL, Alarm, ApiState, VppState
from vpp_snmp_agent.vpp.layout import Generation, Kind
from vpp_snmp_agent.vpp.segment import Segment

from .routers import VPP, Clock

OTHER = replace(VPP, vpe_pid=4799)


@pytest.fixture
def vpp(clock: Clock) -> VppState:
    return VppState(clock)


def new_writer(heartbeat: int, uptime: int) -> SegmentWriter:
    """A segment of a VPP that has run for so long."""
    writer = SegmentWriter(1 << 16, Generation.V26_02)
    writer.add_names("/if/names")
    writer.add_scalar("/sys/vector_rate", 3, Kind.GAUGE)
    writer.add_scalar("/sys/heartbeat", heartbeat)
    writer.add_scalar("/sys/last_update", uptime)
    return writer


@pytest.fixture
def writer() -> Iterator[SegmentWriter]:
    made = new_writer(7, 71)
    yield made
    os.close(made.fd)


def test_nothing_is_known_of_vpp_before_it_is_there(clock: Clock, vpp: VppState) -> None:
    clock.now += 13
    assert (vpp.version, vpp.pid, vpp.up_time) == ("", 0, 0)
    assert (vpp.api_state, vpp.api_state_age) == (ApiState.NOT_REACHED, 13)
    assert (vpp.heartbeat_age, vpp.inventory_age) == (None, None)
    assert vpp.agent_up_time == 13


def test_each_state_counts_from_when_it_began(clock: Clock, vpp: VppState) -> None:
    vpp.answers(VPP)
    clock.now += 11
    vpp.answers(VPP)  # another reporter met the same one
    assert (vpp.api_state, vpp.api_state_age) == (ApiState.ANSWERING, 11)
    clock.now += 17
    vpp.hangs(since=clock.now - 10)
    clock.now += 3
    vpp.hangs(since=clock.now)  # which is no news
    assert (vpp.api_state, vpp.api_state_age) == (ApiState.HUNG, 13)
    assert vpp.pid == VPP.vpe_pid
    vpp.answers_again()
    clock.now += 5
    assert (vpp.api_state, vpp.api_state_age) == (ApiState.ANSWERING, 5)
    vpp.goes_away()
    clock.now += 7
    assert (vpp.api_state, vpp.api_state_age) == (ApiState.AWAY, 7)
    assert (vpp.version, vpp.pid, vpp.up_time) == (VPP.version, 0, 0)
    vpp.is_refused()
    assert (vpp.api_state, vpp.api_state_age) == (ApiState.NOT_REACHED, 0)


def test_another_vpp_is_a_restart_and_the_same_one_is_none(vpp: VppState) -> None:
    vpp.answers(VPP)
    vpp.goes_away()
    vpp.answers(VPP)
    assert vpp.restarts == 0
    vpp.answers(OTHER)
    assert vpp.restarts == 1
    assert vpp.pid == OTHER.vpe_pid


def test_another_segment_of_the_same_version_and_process_id_is_a_restart(
    vpp: VppState, clock: Clock, writer: SegmentWriter
) -> None:
    vpp.answers(VPP)
    vpp.watch(Segment(writer.fd))
    vpp.watch(Segment(writer.fd))
    assert (vpp.restarts, vpp.up_time) == (0, 71)
    vpp.goes_away()
    other = new_writer(1, 2)
    vpp.answers(VPP)
    vpp.watch(Segment(other.fd))
    vpp.watch(Segment(other.fd))
    assert (vpp.restarts, vpp.up_time) == (1, 2)
    third = new_writer(1, 3)
    vpp.answers(OTHER)
    vpp.watch(Segment(third.fd))
    assert (vpp.restarts, vpp.up_time) == (2, 3)
    os.close(other.fd)
    os.close(third.fd)


def test_vpp_runs_for_as_long_as_it_says_or_at_least_as_it_was_seen(
    vpp: VppState, clock: Clock, writer: SegmentWriter
) -> None:
    vpp.answers(VPP)
    clock.now += 19
    assert vpp.up_time == 19
    vpp.watch(Segment(writer.fd))
    assert vpp.up_time == 71
    clock.now += 9  # and VPP writes it every ten
    vpp.watch(Segment(writer.fd))
    assert vpp.up_time == 80


def test_a_heartbeat_ages_until_it_moves(
    vpp: VppState, clock: Clock, writer: SegmentWriter
) -> None:
    segment = Segment(writer.fd)
    vpp.answers(VPP)
    vpp.watch(segment)
    assert vpp.heartbeat_age == 0
    clock.now += 8
    vpp.watch(segment)
    assert vpp.heartbeat_age == 8
    writer.set_scalar("/sys/heartbeat", 8)
    vpp.watch(segment)
    assert vpp.heartbeat_age == 8  # it is not read at every tick
    clock.now += WATCH_INTERVAL
    vpp.watch(segment)
    assert vpp.heartbeat_age == 0
    vpp.goes_away()
    clock.now += 600
    assert vpp.heartbeat_age == 600


def test_an_inventory_ages_until_the_next(vpp: VppState, clock: Clock) -> None:
    vpp.answers(VPP)
    vpp.has_reported_all()
    clock.now += 29
    assert vpp.inventory_age == 29
    vpp.has_reported_all()
    assert vpp.inventory_age == 0


# --- alarms --------------------------------------------------------------------------------------


def test_a_vpp_that_hangs_raises_an_alarm_until_one_answers(vpp: VppState) -> None:
    vpp.answers(VPP)
    assert vpp.alarms == set()
    vpp.hangs(1.0)
    assert vpp.alarms == {Alarm.HUNG}
    vpp.goes_away()
    assert vpp.alarms == {Alarm.HUNG, Alarm.AWAY}
    vpp.is_refused()
    assert vpp.alarms == {Alarm.HUNG, Alarm.AWAY}
    vpp.answers(OTHER)
    assert vpp.alarms == set()


def test_a_vpp_that_is_not_there_when_the_agent_starts_is_no_alarm(vpp: VppState) -> None:
    vpp.goes_away()
    assert vpp.alarms == set()


def test_a_vpp_that_hangs_when_the_agent_starts_is_one(vpp: VppState) -> None:
    vpp.hangs(1.0)
    assert vpp.alarms == {Alarm.HUNG}
