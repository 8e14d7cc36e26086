"""mibs/vpp_threads.py: VPP's threads as a table of VPP-SNMP-AGENT-MIB."""

import os
from collections.abc import Iterator

import pytest

from simulator.segment import SegmentWriter
from vpp_snmp_agent.agentx.mib import View
from vpp_snmp_agent.interfaces.counters import CounterSet
from vpp_snmp_agent.interfaces.publisher import Publisher
from vpp_snmp_agent.mibs import vpp_threads
from vpp_snmp_agent.mibs.vpp_base import BASE
from vpp_snmp_agent.vpp.layout import Generation, Kind
from vpp_snmp_agent.vpp.records import NO_INDEX, Thread
from vpp_snmp_agent.vpp.segment import Segment

from .routers import new_publisher
from .walks import found_in

ENTRY = f"{BASE}.1.2.1"


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    """Of a VPP with two threads."""
    writer = SegmentWriter(1 << 20, Generation.V22_06)
    writer.add_names("/if/names")
    writer.add_counter("/sys/vector_rate_per_worker", Kind.SIMPLE, 1, 2)
    writer.add_counter("/sys/loops_per_worker", Kind.SIMPLE, 1, 2)
    writer.set_row("/sys/vector_rate_per_worker", 0, [1, 74])
    writer.set_row("/sys/loops_per_worker", 0, [791, 1_298_026])
    made = new_publisher()
    made.system.threads.report(
        [
            Thread(0, "vpp_main", "", 4711, NO_INDEX),
            Thread(1, "vpp_wk_0 \N{EN DASH} x", "workers", 4713, 5),
        ]
    )
    made.use(CounterSet(Segment(writer.fd)))
    yield made
    os.close(writer.fd)


def shown(publisher: Publisher) -> dict[str, object]:
    return found_in(View(vpp_threads.objects(publisher)))


def test_each_thread_is_a_row_without_what_vpp_does_not_say(publisher: Publisher) -> None:
    assert shown(publisher) == {
        f"{ENTRY}.2.1": b"vpp_main",
        f"{ENTRY}.2.2": b"vpp_wk_0 ? x",
        f"{ENTRY}.3.2": 5,
        f"{ENTRY}.4.1": 1,
        f"{ENTRY}.4.2": 74,
        f"{ENTRY}.5.1": 791,
        f"{ENTRY}.5.2": 1_298_026,
    }


def test_the_share_of_cycles_and_what_comes_in_are_shown_once_they_are_known(
    publisher: Publisher,
) -> None:
    rows = publisher.system.threads.rows
    for index, share in zip(rows, (17, 330), strict=True):
        row = rows.get(index)
        assert row is not None
        row.busy, row.input_rate = share, 10 * share
    found = shown(publisher)
    assert [found[f"{ENTRY}.6.{n}"] for n in (1, 2)] == [170, 3300]
    assert [found[f"{ENTRY}.7.{n}"] for n in (1, 2)] == [17, 330]


def test_without_a_vpp_there_is_nothing() -> None:
    assert shown(new_publisher()) == {}
