"""interfaces/storage.py: VPP's heaps and pools, as they are measured, and as they come and go."""

import os
from collections.abc import Iterator

import pytest

from simulator.segment import SegmentWriter
from vpp_snmp_agent.interfaces import storage
from vpp_snmp_agent.interfaces.storage import (
    BUFFER_SIZE,
    FIRST,
    KNOWN,
    MAX_INTEGER,
    Measured,
    Storages,
    found,
    index_of,
)
from vpp_snmp_agent.interfaces.totals import Saved
from vpp_snmp_agent.vpp.layout import Generation, Kind
from vpp_snmp_agent.vpp.segment import Segment

POOL = "default-numa-0"
HEAP_LINKS = ("total", "used", "free")


class Memory:
    """A VPP's memory as a segment has it, and the names in it."""

    def __init__(self, generation: Generation = Generation.V26_02) -> None:
        self.writer = SegmentWriter(1 << 20, generation)
        self.writer.add_names("/if/names")
        self.writer.add_scalar("/sys/vector_rate", 0, Kind.GAUGE)  # by which 26.02 is known
        self.heaps: set[str] = set()
        self.pools: set[str] = set()
        self.segment = Segment(self.writer.fd)

    def add_heap(self, name: str, *cells: int) -> None:
        key = f"/mem/{name}"
        self.writer.add_counter(key, Kind.SIMPLE, 1, 7)
        for column, cell in enumerate(HEAP_LINKS):
            self.writer.add_symlink(f"{key}/{cell}", key, column)
        self.heaps |= {key, *(f"{key}/{cell}" for cell in HEAP_LINKS)}
        self.set_heap(name, *cells)

    def set_heap(self, name: str, *cells: int) -> None:
        self.writer.set_row(f"/mem/{name}", 0, list(cells))

    def add_pool(self, name: str, **states: int) -> None:
        for state, count in states.items():
            key = f"/buffer-pools/{name}/{state}"
            self.writer.add_scalar(key, count, Kind.GAUGE)
            self.pools.add(key)

    def set_pool(self, name: str, **states: int) -> None:
        for state, count in states.items():
            self.writer.set_scalar(f"/buffer-pools/{name}/{state}", count)

    def shown(self, storages: Storages) -> dict[str, Measured]:
        """What is shown once all its names are found."""
        storages.find(self.segment, frozenset(self.heaps), frozenset(self.pools))
        return measured(storages)


def measured(storages: Storages) -> dict[str, Measured]:
    rows = [storages.rows.get(index) for index in storages.rows]
    return {row.name: row.measured() for row in rows if row is not None}


@pytest.fixture
def memory() -> Iterator[Memory]:
    made = Memory()
    made.add_heap("main heap", 1 << 30, 75_143_360, 998_598_464)
    made.add_heap("stat segment", 33_550_336, 894_528, 32_655_808)
    made.add_pool(POOL, cached=168, used=376, available=16_008)
    yield made
    os.close(made.writer.fd)


# --- what is measured ----------------------------------------------------------------------------


@pytest.mark.parametrize("generation", Generation)
def test_a_heap_is_measured_in_pages_and_a_pool_in_buffers(generation: Generation) -> None:
    memory = Memory(generation)
    memory.add_heap("main heap", 1 << 30, 75_143_360, 998_598_464)
    memory.add_pool(POOL, cached=168, used=376, available=16_008)
    assert memory.shown(Storages()) == {
        "VPP main heap": (4096, 262_144, 18_345),
        f"VPP buffers {POOL}": (BUFFER_SIZE, 168 + 376 + 16_008, 376),
    }
    os.close(memory.writer.fd)


def test_figures_are_those_of_the_moment(memory: Memory) -> None:
    storages = Storages()
    memory.shown(storages)
    memory.set_heap("main heap", 1 << 31, 10 * 4096 + 4095)
    memory.set_pool(POOL, cached=3, used=5, available=7)
    found = measured(storages)
    assert found["VPP main heap"] == (4096, 1 << 19, 10)
    assert found[f"VPP buffers {POOL}"] == (BUFFER_SIZE, 15, 5)


@pytest.mark.parametrize(
    ("total", "used", "expected"),
    [
        ((1 << 43) - 1, 1 << 42, (4096, (1 << 31) - 1, 1 << 30)),
        (1 << 43, 1 << 42, (8192, 1 << 30, 1 << 29)),
        (1 << 44, 12_345_678_901, (16_384, 1 << 30, 753_520)),
        (1 << 63, (1 << 64) - 1, (1 << 30, MAX_INTEGER, MAX_INTEGER)),  # damage
        (4096 * 17, 4096 * 19, (4096, 17, 17)),
    ],
)
def test_every_figure_fits_31_bits_and_no_more_is_used_than_there_is(
    memory: Memory, total: int, used: int, expected: tuple[int, int, int]
) -> None:
    memory.set_heap("main heap", total, used)
    assert memory.shown(Storages())["VPP main heap"] == expected


def test_links_to_a_heaps_cells_are_no_heaps_and_a_slash_in_a_name_is_none_either() -> None:
    heaps = {"/mem/a", "/mem/a/used", "/mem/a/total", "/mem/b/c", "/mem/b/c/free", "/mem/\x1b[2J"}
    pools = {"/buffer-pools/p q/used", "/buffer-pools/p q/cached", "/buffer-pools/odd"}
    names = [each.name for each in found(heaps, pools)]
    assert names == ["VPP a", "VPP b/c", "VPP buffers p q"]


# --- indexes -------------------------------------------------------------------------------------


def test_an_index_never_changes() -> None:
    """Of what a manager has stored under them: these numbers must not change."""
    assert index_of("VPP main heap") == 1001
    assert index_of("VPP stat segment") == 1002
    assert index_of("VPP buffers default-numa-0") == 1010
    assert index_of("VPP buffers default-numa-1") == 1011
    assert index_of("VPP ip fib") == 311_126_798
    assert max(KNOWN.values()) < FIRST
    assert len(set(KNOWN.values())) == len(KNOWN)


def test_rows_are_in_the_order_of_their_indexes_whenever_they_were_found(memory: Memory) -> None:
    storages = Storages()
    memory.shown(storages)
    memory.add_heap("ip fib", 1 << 25, 999_424)
    memory.shown(storages)
    assert [each.name for each in storages.shown][-1] == "VPP ip fib"
    assert list(measured(storages)) == [
        "VPP main heap",
        "VPP stat segment",
        f"VPP buffers {POOL}",
        "VPP ip fib",
    ]


def test_of_two_names_that_come_to_one_index_the_first_one_has_it(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "CHECKSUM_BITS", 0)
    storages = Storages()
    memory.add_heap("one", 4096 * 11, 4096 * 2)
    memory.shown(storages)
    memory.add_heap("another", 4096 * 13, 4096 * 3)
    for _ in range(2):
        found = memory.shown(storages)
        assert found["VPP one"] == (4096, 11, 2)
        assert "VPP another" not in found
        assert len(storages.shown) == 4


# --- what is saved -------------------------------------------------------------------------------


def test_an_agent_that_starts_while_no_vpp_is_there_shows_every_size(memory: Memory) -> None:
    storages = Storages()
    memory.add_heap("ip fib", 1 << 43, 999_424)
    memory.shown(storages)
    assert storages.is_dirty
    saved = storages.saved()
    assert not storages.is_dirty
    after = Storages()
    after.restore(saved)
    assert measured(after) == {
        "VPP main heap": (4096, 262_144, 0),
        "VPP stat segment": (4096, 8191, 0),
        f"VPP buffers {POOL}": (BUFFER_SIZE, 16_552, 0),
        "VPP ip fib": (8192, 1 << 30, 0),
    }
    assert after.saved() == saved
    after.use(memory.segment)
    assert measured(after)["VPP main heap"] == (4096, 262_144, 18_345)
    assert memory.shown(after) == measured(storages)
    assert not after.is_dirty


def test_what_vpp_has_no_more_is_shown_until_the_next_start(memory: Memory) -> None:
    storages = Storages()
    memory.add_heap("ip fib", 4096 * 29, 4096 * 7)
    memory.shown(storages)
    saved = storages.saved()
    other = Memory()
    other.add_heap("main heap", 4096 * 31, 4096 * 9)
    after = Storages()
    after.restore(saved)
    assert other.shown(after)["VPP ip fib"] == (4096, 29, 0)
    assert after.is_dirty
    last = Storages()
    last.restore(after.saved())
    assert measured(last) == {"VPP main heap": (4096, 31, 0)}
    os.close(other.writer.fd)


@pytest.mark.parametrize(
    ("key", "size"),
    [("/mem/\ud800", 5), ("/mem/x", 0), ("/mem/y", 1 << 64), ("/err/z", 7), ("", 8)],
)
def test_damage_in_what_was_saved_makes_no_row(key: str, size: int) -> None:
    storages = Storages()
    storages.restore(Saved(0, {key: (size, 0), "/mem/whole": (4096 * 3, 0)}))
    assert measured(storages) == {"VPP whole": (4096, 3, 0)}


# --- what comes and goes -------------------------------------------------------------------------


def test_what_vpp_has_not_written_yet_is_shown_once_it_has(memory: Memory) -> None:
    memory.add_heap("late", 0, 0)
    storages = Storages()
    assert "VPP late" not in memory.shown(storages)
    memory.set_heap("late", 4096 * 23, 4096 * 5)
    names = storages._names
    assert names is not None
    storages.find(memory.segment, *names)
    assert measured(storages)["VPP late"] == (4096, 23, 5)


def test_while_vpp_is_away_every_size_stays_and_nothing_is_used(memory: Memory) -> None:
    storages = Storages()
    memory.shown(storages)
    storages.lose()
    assert measured(storages) == {
        "VPP main heap": (4096, 262_144, 0),
        "VPP stat segment": (4096, 8191, 0),
        f"VPP buffers {POOL}": (BUFFER_SIZE, 16_552, 0),
    }
    storages.use(memory.segment)
    assert measured(storages)["VPP main heap"] == (4096, 262_144, 18_345)


def test_another_vpp_has_its_own_figures_and_what_it_has_not_is_gone(memory: Memory) -> None:
    storages = Storages()
    memory.add_heap("ip fib", 4096 * 29, 4096 * 7)
    memory.shown(storages)
    storages.lose()
    other = Memory()
    other.add_heap("main heap", 0, 0)
    storages.use(other.segment)
    assert measured(storages)["VPP main heap"] == (4096, 262_144, 0)  # not written yet
    other.set_heap("main heap", 4096 * 31, 4096 * 9)
    assert measured(storages)["VPP main heap"] == (4096, 31, 9)
    found = other.shown(storages)
    assert found["VPP ip fib"] == (4096, 29, 0)
    assert found[f"VPP buffers {POOL}"] == (BUFFER_SIZE, 16_552, 0)
    assert len(found) == 4
    os.close(other.writer.fd)


def test_a_heap_that_goes_in_a_running_vpp_keeps_its_size(memory: Memory) -> None:
    storages = Storages()
    memory.add_heap("ip fib", 4096 * 29, 4096 * 7)
    assert memory.shown(storages)["VPP ip fib"] == (4096, 29, 7)
    for link in HEAP_LINKS:
        memory.writer.remove(f"/mem/ip fib/{link}")
    memory.writer.remove("/mem/ip fib")
    assert measured(storages)["VPP ip fib"] == (4096, 29, 7)  # nobody has searched yet
    memory.heaps = {name for name in memory.heaps if "ip fib" not in name}
    assert memory.shown(storages)["VPP ip fib"] == (4096, 29, 0)


def test_what_cannot_be_read_now_stands_as_it_was_read_last(memory: Memory) -> None:
    storages = Storages()
    before = memory.shown(storages)
    memory.writer.hold(True)
    memory.set_pool(POOL, used=17)
    assert measured(storages) == before
    memory.writer.hold(False)
    assert measured(storages) != before


def test_a_damaged_directory_makes_neither_rows_without_end_nor_a_long_search(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "MAX_ROWS", 3)
    memory.add_heap("ip fib", 4096 * 29, 4096 * 7)
    assert len(memory.shown(Storages())) == 3
    monkeypatch.setattr(storage, "MAX_TRIED", 1)
    storages = Storages()
    assert [len(memory.shown(storages)) for _ in range(4)] == [1, 2, 3, 3]


def add_heaps(memory: Memory, count: int) -> None:
    for number in range(count):
        memory.add_heap(f"heap {number}", 4096 * (100 + number), 4096 * (number + 1))


def test_more_names_than_can_be_true_take_nothing_away_and_are_logged_once(
    memory: Memory, caplog: pytest.LogCaptureFixture
) -> None:
    memory.add_heap("ip fib", 4096 * 29, 4096 * 7)
    storages = Storages()
    before = memory.shown(storages)
    add_heaps(memory, 65)
    assert memory.shown(storages) == before
    memory.set_heap("ip fib", 4096 * 29, 4096 * 11)
    assert memory.shown(storages) == before | {"VPP ip fib": (4096, 29, 11)}
    (record,) = caplog.records
    assert "272 names of heaps" in record.message
    memory.heaps = {each for each in memory.heaps if "/heap " not in each and "fib" not in each}
    assert memory.shown(storages) == before | {"VPP ip fib": (4096, 29, 0)}


def test_of_more_names_than_can_be_true_those_that_every_vpp_has_are_shown(
    memory: Memory,
) -> None:
    before = memory.shown(Storages())
    add_heaps(memory, 65)
    assert memory.shown(Storages()) == before
    assert len(before) == 3


def test_what_is_not_shown_because_there_are_too_many_rows_is_logged_once(
    memory: Memory, caplog: pytest.LogCaptureFixture
) -> None:
    add_heaps(memory, 62)
    storages = Storages()
    for _ in range(3):
        shown = memory.shown(storages)
    assert len(shown) == 64
    (record,) = caplog.records
    assert record.message == f"VPP buffers {POOL} is not shown: 64 rows of VPP's memory are"
