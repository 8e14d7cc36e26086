"""mibs/host_resources_mib.py: VPP's memory as rows of hrStorageTable."""

import os
from collections.abc import Iterator

import pytest

from simulator.segment import SegmentWriter
from vpp_snmp_agent.agentx.mib import View
from vpp_snmp_agent.agentx.values import oid
from vpp_snmp_agent.interfaces.counters import CounterSet
from vpp_snmp_agent.interfaces.publisher import Publisher
from vpp_snmp_agent.mibs import host_resources_mib
from vpp_snmp_agent.vpp.layout import Generation, Kind
from vpp_snmp_agent.vpp.segment import Segment

from .oids import STORAGE
from .routers import new_publisher
from .walks import found_in

VIRTUAL_MEMORY = oid("1.3.6.1.2.1.25.2.1.3")


@pytest.fixture
def sources() -> Iterator[CounterSet]:
    """Of a VPP with one heap and one pool."""
    writer = SegmentWriter(1 << 20, Generation.V22_06)
    writer.add_names("/if/names")
    writer.add_counter("/mem/main heap", Kind.SIMPLE, 1, 7)
    writer.set_row("/mem/main heap", 0, [4096 * 1009, 4096 * 211])
    for state, count in (("cached", 31), ("used", 37), ("available", 41)):
        writer.add_scalar(f"/buffer-pools/default-numa-0/{state}", count)
    yield CounterSet(Segment(writer.fd))
    os.close(writer.fd)


@pytest.fixture
def publisher(sources: CounterSet) -> Publisher:
    made = new_publisher()
    made.use(sources)
    made.system.search_all()
    return made


def test_each_row_is_virtual_memory_and_has_every_column_but_failures(publisher: Publisher) -> None:
    module = host_resources_mib.module(publisher)
    found = found_in(View(module.objects))
    assert found == {
        f"{STORAGE}.1.1001": 1001,
        f"{STORAGE}.1.1010": 1010,
        f"{STORAGE}.2.1001": VIRTUAL_MEMORY,
        f"{STORAGE}.2.1010": VIRTUAL_MEMORY,
        f"{STORAGE}.3.1001": b"VPP main heap",
        f"{STORAGE}.3.1010": b"VPP buffers default-numa-0",
        f"{STORAGE}.4.1001": 4096,
        f"{STORAGE}.4.1010": 2304,
        f"{STORAGE}.5.1001": 1009,
        f"{STORAGE}.5.1010": 31 + 37 + 41,
        f"{STORAGE}.6.1001": 211,
        f"{STORAGE}.6.1010": 37,
    }


def test_each_row_is_registered_by_itself_once_it_is_found(sources: CounterSet) -> None:
    publisher = new_publisher()
    module = host_resources_mib.module(publisher)
    assert list(module.subtrees) == []  # the table is snmpd's
    assert list(module.rows()) == []
    publisher.use(sources)
    assert [str(row) for row in module.rows()] == [
        f"{STORAGE}.[1-6].1001",
        f"{STORAGE}.[1-6].1010",
    ]


def test_a_row_outlives_its_vpp_and_another_configuration(publisher: Publisher) -> None:
    publisher.lose()
    successor = Publisher(publisher.configuration, None, publisher.uptime, publisher)
    module = host_resources_mib.module(successor)
    assert len(module.rows()) == 2
    found = found_in(View(module.objects))
    assert (found[f"{STORAGE}.5.1001"], found[f"{STORAGE}.6.1001"]) == (1009, 0)
