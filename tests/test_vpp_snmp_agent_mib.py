"""mibs/vpp_snmp_agent_mib.py: VPP's state, memory and sessions, as they are served."""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from simulator.segment import SegmentWriter
from vpp_snmp_agent import __version__
from vpp_snmp_agent.agentx.mib import Scalar, View
from vpp_snmp_agent.agentx.values import GAUGE32, decode_varbind, dotted
from vpp_snmp_agent.interfaces.counters import CounterSet
from vpp_snmp_agent.interfaces.publisher import Publisher
from vpp_snmp_agent.interfaces.vpp_state import Alarm
from vpp_snmp_agent.mibs import vpp_snmp_agent_mib
from vpp_snmp_agent.mibs.vpp_base import BASE
from vpp_snmp_agent.vpp import mapping
from vpp_snmp_agent.vpp.layout import Generation, Kind
from vpp_snmp_agent.vpp.segment import Segment, SegmentUnavailable

from .routers import VPP, new_publisher, port, publish, router_of
from .walks import below, found_in

GIB = 1 << 30


@pytest.fixture
def writer() -> Iterator[SegmentWriter]:
    """A segment with a heap of 64 bits, a pool, and some sessions."""
    made = SegmentWriter(1 << 20, Generation.V26_02)
    made.add_names("/if/names")
    made.add_scalar("/sys/vector_rate", 3, Kind.GAUGE)
    made.add_scalar("/sys/heartbeat", 5)
    made.add_scalar("/sys/last_update", 53)
    made.add_counter("/mem/main heap", Kind.SIMPLE, 1, 7)
    made.set_row("/mem/main heap", 0, [17 * GIB, 11 * GIB])
    for state, count in (("cached", 31), ("used", 37), ("available", 41)):
        made.add_scalar(f"/buffer-pools/default-numa-0/{state}", count, Kind.GAUGE)
    made.add_scalar("/bfd/udp4/sessions", 19, Kind.GAUGE)
    made.add_scalar("/bfd/udp6/sessions_mh", 23, Kind.GAUGE)
    made.add_scalar("/nat44-ed/total-sessions", 1 << 33, Kind.GAUGE)
    yield made
    os.close(made.fd)


@pytest.fixture
def publisher(writer: SegmentWriter) -> Publisher:
    """Of a VPP that has reported its two interfaces."""
    made = new_publisher()
    made.system.vpp.answers(VPP)
    publish(made, router_of(port(1), port(2)))
    made.use(CounterSet(Segment(writer.fd)))
    made.system.search_all()
    return made


def served(publisher: Publisher) -> dict[str, Any]:
    """What is served, by what follows the base."""
    return below(found_in(View(vpp_snmp_agent_mib.module(publisher).objects)), BASE)


def index(name: str) -> str:
    """A name as an index, with its length before it."""
    return ".".join(map(str, (len(name), *name.encode())))


def test_the_state_of_a_vpp_that_answers(publisher: Publisher, writer: SegmentWriter) -> None:
    assert below(served(publisher), "1.1") == {
        "1.0": b"26.06-release",
        "2.0": 4711,
        "3.0": 53,
        "4.0": 1,
        "5.0": 0,
        "6.0": 1,
        "7.0": Segment(writer.fd).epoch,
        "8.0": b"v26.02 and later",
        "9.0": 0,
        "10.0": 2,
        "12.0": 0,  # no inventory came, which would be 11
        "13.0": __version__.encode(),
        "14.0": 0,
    }


def test_before_vpp_is_there_what_has_no_value_does_not_exist() -> None:
    found = below(served(new_publisher()), "1.1")
    assert sorted(map(float, found)) == [1, 2, 3, 4, 5, 6, 10, 12, 13, 14]
    assert (found["1.0"], found["2.0"], found["4.0"], found["6.0"]) == (b"", 0, 4, 3)
    assert not below(served(new_publisher()), "1.6")


def test_a_vpp_that_is_away_has_no_segment_and_no_interface(publisher: Publisher) -> None:
    publisher.lose()
    publisher.system.vpp.goes_away()
    found = below(served(publisher), "1.1")
    assert (found["1.0"], found["2.0"], found["3.0"]) == (b"26.06-release", 0, 0)
    assert (found["4.0"], found["6.0"], found["10.0"]) == (3, 3, 0)
    assert not {"7.0", "8.0"} & found.keys()


def test_a_segment_whose_lock_is_kept_is_stuck(
    publisher: Publisher, writer: SegmentWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapping, "STUCK_TIMEOUT", 0.0)
    writer.hold(True)
    assert below(served(publisher), "1.1")["6.0"] == 1  # nobody has seen yet that it is held
    publisher.poll()
    assert below(served(publisher), "1.1")["6.0"] == 2
    writer.hold(False)
    assert below(served(publisher), "1.1")["6.0"] == 1


def test_heaps_are_in_octets_and_pools_in_buffers_of_64_bits(publisher: Publisher) -> None:
    heap, pool = index("main heap"), index("default-numa-0")
    found = served(publisher)
    assert below(found, "1.3.1") == {f"2.{heap}": 17 * GIB, f"3.{heap}": 11 * GIB}
    assert below(found, "1.4.1") == {
        f"2.{pool}": 31 + 37 + 41,
        f"3.{pool}": 37,
        f"4.{pool}": 31,
        f"5.{pool}": 41,
    }
    publisher.lose()
    found = served(publisher)
    assert below(found, "1.3.1") == {f"2.{heap}": 17 * GIB, f"3.{heap}": 0}
    assert [*below(found, "1.4.1").values()] == [109, 0, 0, 109]


def test_sessions_exist_where_vpp_counts_them(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = {"1.0": 19, "4.0": 23, "5.0": 2**32 - 1}
    assert below(served(publisher), "1.6") == counted

    def unreadable(*_: object) -> int:
        raise SegmentUnavailable("VPP changes its segment too fast")

    monkeypatch.setattr(Segment, "value", unreadable)
    assert below(served(publisher), "1.6") == counted
    monkeypatch.undo()
    publisher.lose()
    assert below(served(publisher), "1.6") == dict.fromkeys(counted, 0)


def test_a_notification_says_which_vpp_and_what_and_since_when(publisher: Publisher) -> None:
    publisher.system.vpp.hangs(0.0)
    name, varbinds = vpp_snmp_agent_mib.notification(publisher, Alarm.HUNG, True)
    assert name == "vppApiHung"
    event, version, state, age = (decode_varbind(each) for each in varbinds)
    assert isinstance(event.value, bytes)
    assert dotted(event.value) == f"{BASE}.0.1"
    assert (version.value, state.value) == (b"26.06-release", 2)
    assert isinstance(age.value, int)
    assert age.value > 0


def test_a_text_of_vpps_is_a_display_string() -> None:
    assert vpp_snmp_agent_mib.display_string("26.06-r\u00e9lease\x1b") == b"26.06-r?lease?"
    assert len(vpp_snmp_agent_mib.display_string("7" * 300)) == 255


def test_a_part_with_a_file_of_its_own_is_served_with_the_rest(publisher: Publisher) -> None:
    def objects(interfaces: Publisher) -> list[Scalar]:
        return [Scalar(f"{BASE}.1.5.2", "vppAnother", GAUGE32, lambda: interfaces.listed)]

    module = vpp_snmp_agent_mib.module(publisher, (objects,))
    found = found_in(View(module.objects))
    assert f"{BASE}.1.5.2.0" in found
