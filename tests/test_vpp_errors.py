"""mibs/vpp_errors.py: VPP's error counters as a table of VPP-SNMP-AGENT-MIB."""

import os
from collections.abc import Iterator

import pytest

from simulator.segment import SegmentWriter
from vpp_snmp_agent.agentx.mib import View
from vpp_snmp_agent.agentx.values import dotted, oid
from vpp_snmp_agent.interfaces.counters import CounterSet
from vpp_snmp_agent.interfaces.errors import MAX_NAMES_LENGTH, index_of
from vpp_snmp_agent.interfaces.facts import Configuration
from vpp_snmp_agent.interfaces.publisher import Publisher
from vpp_snmp_agent.mibs import vpp_errors
from vpp_snmp_agent.mibs.vpp_base import BASE
from vpp_snmp_agent.settings.declarations import Settings
from vpp_snmp_agent.vpp.layout import Generation, Kind
from vpp_snmp_agent.vpp.segment import Segment

from .routers import new_publisher
from .walks import found_in

COUNT = f"{BASE}.1.5.1.1.3"
MAX_SUBIDS = 128  # of an OID (RFC 2578 section 3.5)


@pytest.fixture
def writer() -> Iterator[SegmentWriter]:
    made = SegmentWriter(1 << 20, Generation.V26_02)
    made.add_names("/if/names")
    made.add_counter("/node/errors", Kind.SIMPLE, 2, 3)
    made.add_error("/err/ab/c", 0)
    made.add_error("/err/b/x y", 1)
    made.add_error("/err/zero/z", 2)
    made.set_row("/node/errors", 0, [11, 0, 0])
    made.set_row("/node/errors", 1, [20, 7, 0])
    made.add_counter("/net/punt", Kind.COMBINED, 1, 2)
    made.set_row("/net/punt", 0, [0, 0, 13, 1700])
    yield made
    os.close(made.fd)


def shown(publisher: Publisher) -> dict[str, object]:
    publisher.system.search_all()
    return found_in(View(vpp_errors.objects(publisher)))


def test_each_error_is_a_row_by_node_and_reason_and_what_is_punted_stands_beside(
    writer: SegmentWriter,
) -> None:
    publisher = new_publisher()
    publisher.use(CounterSet(Segment(writer.fd)))
    assert list(shown(publisher).items()) == [
        (f"{COUNT}.1.98.3.120.32.121", 7),
        (f"{COUNT}.2.97.98.1.99", 31),
        (f"{BASE}.1.5.2.0", 13),
    ]


@pytest.mark.parametrize(("counters", "expected"), [("carried", [11, 35]), ("plain", [4, 4])])
def test_after_a_fall_what_is_served_goes_on_or_is_vpps_own(
    writer: SegmentWriter, counters: str, expected: list[int]
) -> None:
    publisher = new_publisher(Configuration(Settings(counters=counters)))  # type: ignore[arg-type]
    publisher.use(CounterSet(Segment(writer.fd)))
    shown(publisher)
    writer.set_row("/node/errors", 0, [4, 4, 0])
    writer.set_row("/node/errors", 1, [0, 0, 0])
    found = shown(publisher)
    assert [found[f"{COUNT}.1.98.3.120.32.121"], found[f"{COUNT}.2.97.98.1.99"]] == expected


def test_without_a_vpp_there_is_nothing() -> None:
    assert shown(new_publisher()) == {}


def test_the_longest_index_makes_the_longest_oid_that_there_may_be() -> None:
    name = oid(COUNT) + index_of("n" * 50, "r" * (MAX_NAMES_LENGTH - 50))
    assert dotted(name).count(".") + 1 == MAX_SUBIDS
