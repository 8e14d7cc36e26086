"""vpp/lacp.py: the states of LACP as the segment has them."""

import os
import struct
from collections.abc import Iterator
from dataclasses import replace

import pytest

from simulator.segment import SegmentWriter
from vpp_snmp_agent.vpp.lacp import States
from vpp_snmp_agent.vpp.layout import Generation, Kind
from vpp_snmp_agent.vpp.records import Bond, Changes, LacpPort
from vpp_snmp_agent.vpp.router import Router
from vpp_snmp_agent.vpp.segment import Segment

from .routers import port, router_of

BOND, FIRST, SECOND = 7, 3, 4
NAMES = {FIRST: "host-a", SECOND: "eth4", BOND: "BondEthernet0"}  # one was renamed
PORTS = [
    LacpPort(index, 5, bytes(6), 11, 13, index, 61, 17, bytes(6), 19, 23, 29, 31)
    for index in (FIRST, SECOND)
]


@pytest.fixture(params=Generation)
def writer(request: pytest.FixtureRequest) -> Iterator[SegmentWriter]:
    made = SegmentWriter(1 << 20, request.param)
    made.add_scalar("/sys/vector_rate", 75, Kind.GAUGE)
    made.add_names("/if/names")
    for index, name in NAMES.items():
        made.set_name(index, name)
    for index in (FIRST, SECOND):
        made.add_scalar(f"/if/lacp/{BOND}/{index}/state", 61, Kind.GAUGE)
        made.add_scalar(f"/if/lacp/{BOND}/{index}/partner-state", 31, Kind.GAUGE)
    yield made
    os.close(made.fd)


@pytest.fixture
def router() -> Router:
    ports = [port(FIRST, "eth3"), port(SECOND, "eth4"), port(BOND, "BondEthernet0")]
    return router_of(*ports, Bond(BOND, 5, (FIRST, SECOND)), *PORTS)


def set_states(writer: SegmentWriter, member: int, state: int, partner_state: int) -> None:
    writer.set_scalar(f"/if/lacp/{BOND}/{member}/state", state)
    writer.set_scalar(f"/if/lacp/{BOND}/{member}/partner-state", partner_state)


def test_states_that_the_api_reported_are_no_change(writer: SegmentWriter, router: Router) -> None:
    assert States().changed_ports(Segment(writer.fd), router) == []


def test_a_state_that_changed_is_a_port_with_that_state(
    writer: SegmentWriter, router: Router
) -> None:
    states, segment = States(), Segment(writer.fd)
    set_states(writer, SECOND, 63, 60)
    (found,) = states.changed_ports(segment, router)
    assert found == replace(PORTS[1], actor_state=63, partner_state=60)
    router.apply(Changes((found,), ()))
    assert states.changed_ports(segment, router) == []


def test_a_bond_of_another_mode_has_no_states(writer: SegmentWriter, router: Router) -> None:
    set_states(writer, FIRST, 63, 60)
    router.apply(Changes((Bond(BOND, 2, (FIRST, SECOND)),), ()))
    assert States().changed_ports(Segment(writer.fd), router) == []


def test_a_member_that_the_segment_does_not_have_is_left_to_the_api(
    writer: SegmentWriter, router: Router
) -> None:
    set_states(writer, FIRST, 63, 60)
    for what in ("state", "partner-state"):
        writer.remove(f"/if/lacp/{BOND}/{SECOND}/{what}")
    assert [each.sw_if_index for each in States().changed_ports(Segment(writer.fd), router)] == [
        FIRST
    ]


@pytest.mark.parametrize("index", [BOND, FIRST])
def test_an_index_that_is_anothers_by_now_has_the_others_states(
    writer: SegmentWriter, router: Router, index: int
) -> None:
    states, segment = States(), Segment(writer.fd)
    set_states(writer, FIRST, 63, 60)
    assert len(states.changed_ports(segment, router)) == 1
    writer.set_name(index, "another")
    assert states.changed_ports(segment, router) == []
    router.apply(Changes((port(index, "another"),), ()))  # the API says so too
    assert len(states.changed_ports(segment, router)) == 1


def test_what_is_no_octet_is_no_state(writer: SegmentWriter, router: Router) -> None:
    set_states(writer, FIRST, 256, 60)
    assert States().changed_ports(Segment(writer.fd), router) == []


def test_states_that_cannot_be_read_stay_as_they_were(
    writer: SegmentWriter, router: Router
) -> None:
    where = writer.where(f"/if/lacp/{BOND}/{FIRST}/state")["entry"]
    assert isinstance(where, int)
    writer.overwrite(where, struct.pack("=I", 99))
    set_states(writer, SECOND, 63, 60)
    segment = Segment(writer.fd)
    (found,) = States().changed_ports(segment, router)
    assert found.sw_if_index == SECOND
    writer.hold(True)
    assert States().changed_ports(segment, router) == []
