"""Segments of the simulator, and what tests put into them."""

import os
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from simulator.segment import SegmentWriter
from vpp_snmp_agent.vpp.cells import Counter
from vpp_snmp_agent.vpp.layout import Generation, Kind
from vpp_snmp_agent.vpp.segment import Segment

SIZE, LARGE = 1 << 20, 1 << 30
THREADS, COLUMNS = 3, 10


@pytest.fixture
def segment(writer: SegmentWriter) -> Segment:
    return Segment(writer.fd)


@pytest.fixture
def drops(segment: Segment) -> Counter:
    """Not yet located."""
    return Counter(segment, "/if/drops", Kind.SIMPLE)


@contextmanager
def large() -> Iterator[SegmentWriter]:
    """A segment of 1 GiB, nearly all of which is a hole: it costs no memory until it is read."""
    made = SegmentWriter(LARGE, Generation.V26_02)
    made.add_counter("/if/rx", Kind.COMBINED, THREADS, COLUMNS)
    made.add_names("/if/names")
    yield made
    os.close(made.fd)


@contextmanager
def costing(seconds: float, octets: int) -> Iterator[None]:
    """What takes no longer, of this process's CPU, and allocates no more at once."""
    tracemalloc.start()
    began = time.process_time()
    try:
        yield
        took, (_, peak) = time.process_time() - began, tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert took < seconds
    assert peak < octets


def words(octets: bytes) -> list[int]:
    return list(memoryview(octets).cast("Q"))


def put(writer: SegmentWriter, name: str, thread: int, index: int, *values: int) -> None:
    row = writer.counters[name].rows[thread]
    assert row is not None
    for offset, value in enumerate(values):
        writer.words[row.offset // 8 + index * len(values) + offset] = value
