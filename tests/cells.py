"""A segment with the counters of one interface, whose cells a test sets."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from simulator.segment import SegmentWriter
from vpp_snmp_agent.interfaces import counters as room
from vpp_snmp_agent.interfaces.counters import CounterSet, InterfaceCounters
from vpp_snmp_agent.interfaces.formulas import READINGS, SOURCES
from vpp_snmp_agent.vpp.layout import Generation
from vpp_snmp_agent.vpp.segment import Segment

INDEX, NAME = 4, "eno1"
VPP, OTHER_VPP = 71_000_000, 83_000_000

Set = Callable[..., None]


def new_writer() -> SegmentWriter:
    made = SegmentWriter(1 << 20, Generation.V26_02)
    made.add_names("/if/names")
    made.set_name(INDEX, NAME)
    for name, kind, _ in dict.fromkeys((name, kind, 0) for name, kind, _ in SOURCES):
        made.add_counter(name, kind, 2, INDEX + 1)
    return made


@pytest.fixture
def interface_writer(monkeypatch: pytest.MonkeyPatch) -> Iterator[SegmentWriter]:
    """A segment that is cleared in no time, but where a test says otherwise."""
    monkeypatch.setattr(room, "CLEAR_TIME", 0.0)
    made = new_writer()
    yield made
    os.close(made.fd)


def setter(interface_writer: SegmentWriter, thread: int = 1) -> Set:
    """What sets the cells of one thread: packets and octets, or what there is to count."""

    def put(name: str, *values: int) -> None:
        row = interface_writer.counters[f"/if/{name}"].rows[thread]
        assert row is not None
        for offset, value in enumerate(values):
            interface_writer.words[row.offset // 8 + INDEX * len(values) + offset] = value

    return put


@pytest.fixture
def put(interface_writer: SegmentWriter) -> Set:
    return setter(interface_writer)


def sources_of(interface_writer: SegmentWriter, vpp: int = VPP) -> CounterSet:
    sources = CounterSet(Segment(interface_writer.fd))
    sources.vpp = vpp
    return sources


@pytest.fixture
def plain(interface_writer: SegmentWriter) -> InterfaceCounters:
    return InterfaceCounters(sources_of(interface_writer), INDEX, NAME, carries=False)


@pytest.fixture
def counters(interface_writer: SegmentWriter) -> InterfaceCounters:
    return InterfaceCounters(sources_of(interface_writer), INDEX, NAME, key="eno1")


def together(counters: InterfaceCounters) -> dict[str, int]:
    readings = counters.readings()
    assert readings is not None
    return dict(zip(READINGS, readings, strict=True))


COUNTED = {  # a prime each, and no two of them, nor of their sums, the same
    "rx": (1009, 650_011), "tx": (2003, 720_007), "rx-multicast": (31, 1511),
    "rx-broadcast": (7, 523), "tx-multicast": (41, 2027), "tx-broadcast": (11, 569),
    "rx-no-buf": (61,), "rx-miss": (73,), "rx-error": (83,), "tx-error": (97,), "drops": (109,),
    "punt": (127,), "ip4": (149,), "ip6": (167,),
}  # fmt: skip


def fill_with(put: Set, counted: dict[str, tuple[int, ...]]) -> None:
    for name, values in counted.items():
        put(name, *values)


@pytest.fixture
def restarted() -> Iterator[SegmentWriter]:
    """The segment of the VPP after a restart."""
    made = new_writer()
    yield made
    os.close(made.fd)


@contextmanager
def behind_the_totals(counters: InterfaceCounters, happens: Callable[[], None]) -> Iterator[None]:
    """What happens in a reading of many after the totals are read, before the rest is."""
    assert counters._set is not None
    together = counters._set.together
    first, *others = together._readers
    read_cells = first[0]

    def read(*args: object) -> tuple[int, ...]:
        found = read_cells(*args)  # type: ignore[arg-type]
        happens()
        return found

    together._readers = [(read, *first[1:]), *others]
    yield
    together._readers = [first, *others]
