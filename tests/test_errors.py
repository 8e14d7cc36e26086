"""interfaces/errors.py: VPP's error counters by node and reason, and what is punted."""

import os
import re
import struct
from collections.abc import Iterator, Sequence

import pytest

from simulator.segment import SegmentWriter
from vpp_snmp_agent.agentx.values import dotted
from vpp_snmp_agent.interfaces import errors as module
from vpp_snmp_agent.interfaces.errors import (
    ASKED_INTERVAL,
    MAX_NAMES_LENGTH,
    POLL_INTERVAL,
    Errors,
    Rate,
    Snapshot,
    biggest,
    index_of,
    split,
    totals,
)
from vpp_snmp_agent.interfaces.totals import Saved
from vpp_snmp_agent.vpp.cells import BLOCK
from vpp_snmp_agent.vpp.layout import Generation, Kind
from vpp_snmp_agent.vpp.segment import Segment

from .routers import Clock

THREADS, COLUMNS = 3, 3 * BLOCK + 5
FIRST, OTHER = 17, 19  # cells of two VPPs
NAMES = {
    2: "/err/ip4-input/ip4 ttl <= 1",
    BLOCK: "/err/memif0/0-tx/no_free_slots",
    BLOCK + 1: "/err/linux-cp-punt/packets",
    3 * BLOCK + 4: "/err/ip6-input/unknown udp/ip lengths",
}
TTL, SLOTS, PUNTED, LENGTHS = NAMES
BY_NAME = {name: column for column, name in NAMES.items()}


class Vpp:
    """The segment of a VPP with a few errors, and what has searched its directory."""

    def __init__(self, generation: Generation = Generation.V26_02) -> None:
        self.writer = SegmentWriter(1 << 20, generation)
        self.writer.add_names("/if/names")
        self.writer.add_scalar("/sys/vector_rate", 0, Kind.GAUGE)  # by which 26.02 is known
        self.writer.add_counter("/node/errors", Kind.SIMPLE, THREADS, COLUMNS)
        for column, name in NAMES.items():
            self.writer.add_error(name, column)
        self.segment = Segment(self.writer.fd)

    def count(self, column: int, *cells: int) -> None:
        """What each thread has counted, the first ones first."""
        rows = self.writer.counters["/node/errors"].rows
        for row, value in zip(rows, cells, strict=False):
            assert row is not None
            self.writer.words[row.offset // 8 + column] = value

    def entries(self) -> dict[str, int]:
        found, following = self.segment.entries_from(0, [b"/err/"])
        assert following is None
        return dict(found)

    def close(self) -> None:
        os.close(self.writer.fd)


@pytest.fixture(params=Generation)
def vpp(request: pytest.FixtureRequest) -> Iterator[Vpp]:
    made = Vpp(request.param)
    yield made
    made.close()


@pytest.fixture
def other() -> Iterator[Vpp]:
    """The VPP that comes after the first one."""
    made = Vpp()
    yield made
    made.close()


def following(vpp: Vpp, clock: Clock) -> Errors:
    """The errors of a VPP whose directory was searched."""
    errors = Errors(clock)
    errors.use(vpp.segment, FIRST)
    errors.find(vpp.entries())
    return errors


def served(errors: Errors) -> dict[str, int | None]:
    """What is served now of each row, by its name in the segment, in the order of a walk."""
    errors.read_all()
    rows = [errors.rows.get(index) for index in errors.rows]
    return {f"/err/{row.node}/{row.reason}": row.count for row in rows if row}


# --- rows ----------------------------------------------------------------------------------------


def test_a_row_is_what_was_ever_above_zero_summed_over_the_threads(vpp: Vpp, clock: Clock) -> None:
    vpp.count(TTL, 1, 20, 300)
    vpp.count(LENGTHS, 0, 0, 7)
    errors = following(vpp, clock)
    assert served(errors) == {NAMES[TTL]: 321, NAMES[LENGTHS]: 7}
    vpp.count(SLOTS, 5)
    vpp.count(TTL, 2, 20, 300)
    assert served(errors) == {NAMES[TTL]: 322, NAMES[LENGTHS]: 7, NAMES[SLOTS]: 5}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("/err/ip4-input/bad_length", ("ip4-input", "bad_length")),
        ("/err/mpls-input/MPLS no label for fib/dst", ("mpls-input", "MPLS no label for fib/dst")),
        ("/err/x/duplicate/overlapping bits", ("x", "duplicate/overlapping bits")),
        ("/err/memif0/0-output/interface is down", ("memif0/0-output", "interface is down")),
        (
            "/err/TenGigabitEthernet3/0/1-tx/tx sendto temporary failure",
            ("TenGigabitEthernet3/0/1-tx", "tx sendto temporary failure"),
        ),
        ("/err/GigabitEthernet0/a/0-tx/w/o end", ("GigabitEthernet0/a/0-tx", "w/o end")),
        ("/err/a node/ <1>", ("a node", " <1>")),
        ("/err/x/6in4", ("x", "6in4")),
        ("/err/nothing", None),
        ("/err//reason", None),
        ("/err/node/", None),
        ("/err/node/\x1b[2J", None),
    ],
)
def test_an_entrys_name_is_a_node_and_a_reason(name: str, expected: tuple[str, str] | None) -> None:
    assert split(name) == expected


def test_an_index_is_both_names_each_after_its_length() -> None:
    assert dotted(index_of("ab", "c d")) == "2.97.98.3.99.32.100"


def test_a_name_that_fits_an_oid_is_served_and_a_longer_one_left_out() -> None:
    reason = "r" * (MAX_NAMES_LENGTH - 4)
    assert split(f"/err/node/{reason}") == ("node", reason)
    assert split(f"/err/node/{reason}r") is None


def test_an_entry_that_is_left_out_takes_no_other_with_it(vpp: Vpp, clock: Clock) -> None:
    vpp.writer.add_error("/err/node/" + "r" * 106, 11)
    vpp.count(11, 13)
    vpp.count(TTL, 17)
    assert served(following(vpp, clock)) == {NAMES[TTL]: 17}


def test_damage_makes_no_rows_without_end(
    vpp: Vpp, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_ROWS", 2)
    for column in NAMES:
        vpp.count(column, column)
    assert len(served(following(vpp, clock))) == 2


# --- what is compared ---------------------------------------------------------------------------


def packed(cells: Sequence[int]) -> bytes:
    return struct.pack(f"={len(cells)}Q", *cells)


def test_a_blocks_columns_are_added_up_though_one_thread_has_fewer() -> None:
    vectors = [packed(range(COLUMNS)), b"", packed([1000] * (3 * BLOCK + 2))]
    last = list(totals(vectors, 3))
    assert last == [
        (3 * BLOCK, 3 * BLOCK + 1000),
        (3 * BLOCK + 1, 3 * BLOCK + 1001),
        (3 * BLOCK + 2, 3 * BLOCK + 2),
        (3 * BLOCK + 3, 3 * BLOCK + 3),
        (3 * BLOCK + 4, 3 * BLOCK + 4),
    ]
    assert dict(totals([packed([2**64 - 1]), packed([4])], 0)) == {0: 3}


def test_what_one_reading_leaves_is_taken_by_those_that_follow_at_once(
    vpp: Vpp, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_BLOCKS", 1)
    for column in NAMES:
        vpp.count(column, column)
    errors = following(vpp, clock)
    seen = []
    for _ in range(4):
        errors.poll()
        seen.append(len(errors.rows))
        clock.now += module.REMAINDER_INTERVAL
    assert seen == [1, 3, 4, 4]
    monkeypatch.setattr(module, "MAX_BLOCKS", 9)
    monkeypatch.setattr(module, "MAX_TAKEN", 1)
    for column in NAMES:
        vpp.count(column, 2 * column)
    assert served(errors) == {name: 2 * column for column, name in NAMES.items()}


def test_it_is_read_once_a_second_while_asked_and_now_and_then_while_not(
    vpp: Vpp, clock: Clock
) -> None:
    errors = following(vpp, clock)
    errors.poll()
    vpp.count(TTL, 3)
    for read, interval in ((errors.refresh, ASKED_INTERVAL), (errors.poll, POLL_INTERVAL)):
        before = len(errors.rows)
        clock.now += interval - 0.01
        read()
        assert len(errors.rows) == before
        clock.now += 0.01
        read()
        assert len(errors.rows) == before + 1
        vpp.count(SLOTS, 5)


def test_nothing_is_read_before_a_directory_was_searched(vpp: Vpp, clock: Clock) -> None:
    vpp.count(TTL, 3)
    errors = Errors(clock)
    assert served(errors) == {}
    errors.use(vpp.segment, FIRST)
    assert served(errors) == {}
    errors.find(vpp.entries())
    assert served(errors) == {NAMES[TTL]: 3}


def test_a_name_that_comes_later_is_served_after_the_next_search(vpp: Vpp, clock: Clock) -> None:
    vpp.count(19, 23)
    errors = following(vpp, clock)
    assert served(errors) == {}
    vpp.writer.add_error("/err/host-eth0-tx/late", 19)
    assert served(errors) == {}
    errors.find(vpp.entries())
    assert served(errors) == {"/err/host-eth0-tx/late": 23}


def test_vectors_that_grow_are_read_on(vpp: Vpp, clock: Clock) -> None:
    vpp.count(TTL, 3)
    errors = following(vpp, clock)
    assert served(errors) == {NAMES[TTL]: 3}
    vpp.writer.grow(["/node/errors"], 4 * COLUMNS)
    vpp.writer.add_error("/err/new/far away", 4 * COLUMNS - 1)
    vpp.count(4 * COLUMNS - 1, 0, 29)
    errors.find(vpp.entries())
    assert served(errors) == {"/err/new/far away": 29, NAMES[TTL]: 3}


def test_what_is_locked_stands_as_it_was(vpp: Vpp, clock: Clock) -> None:
    vpp.count(TTL, 3)
    errors = following(vpp, clock)
    assert served(errors) == {NAMES[TTL]: 3}
    vpp.writer.hold(True)
    vpp.count(TTL, 4)
    assert served(errors) == {NAMES[TTL]: 3}
    vpp.writer.hold(False)
    assert served(errors) == {NAMES[TTL]: 4}


# --- what changes hands --------------------------------------------------------------------------


def test_a_column_that_changed_hands_counts_for_nobody_until_the_next_search(
    vpp: Vpp, clock: Clock
) -> None:
    vpp.count(SLOTS, 31)
    errors = following(vpp, clock)
    served(errors)
    vpp.writer.remove(NAMES[SLOTS])
    vpp.writer.add_error("/err/memif1/0-tx/no_free_slots", SLOTS)
    vpp.count(SLOTS, 37)
    assert served(errors) == {NAMES[SLOTS]: 31}
    errors.find(vpp.entries())
    assert served(errors) == {NAMES[SLOTS]: 31, "/err/memif1/0-tx/no_free_slots": 37}


def test_a_node_that_is_created_again_at_another_column_goes_on(vpp: Vpp, clock: Clock) -> None:
    vpp.count(SLOTS, 31)
    errors = following(vpp, clock)
    served(errors)
    vpp.writer.remove(NAMES[SLOTS])
    vpp.writer.add_error(NAMES[SLOTS], 41)
    vpp.count(41, 43)  # more than before: no fall shows it
    errors.find(vpp.entries())
    assert served(errors) == {NAMES[SLOTS]: 31 + 43}


def test_a_reading_during_which_vpp_changed_its_directory_is_taken_back(
    vpp: Vpp, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    vpp.count(TTL, 3)
    errors = following(vpp, clock)
    whole = Segment.error_columns

    def error_columns(segment: Segment, names: Sequence[str]) -> dict[str, int]:
        with vpp.writer.lock():
            pass
        return whole(segment, names)

    with monkeypatch.context() as patch:
        patch.setattr(Segment, "error_columns", error_columns)
        errors.poll()
    assert len(errors.rows) == 0
    clock.now += module.REMAINDER_INTERVAL
    errors.poll()
    assert len(errors.rows) == 1


# --- what does not fall --------------------------------------------------------------------------


def test_what_falls_goes_on_from_what_was_served(vpp: Vpp, clock: Clock) -> None:
    vpp.count(TTL, 100, 11)
    errors = following(vpp, clock)
    served(errors)
    vpp.count(TTL, 0, 5)
    assert served(errors) == {NAMES[TTL]: 116}
    vpp.count(TTL, 2, 5)
    assert served(errors) == {NAMES[TTL]: 118}


def test_another_vpp_goes_on_from_the_last_that_the_one_before_counted(
    vpp: Vpp, other: Vpp, clock: Clock
) -> None:
    vpp.count(TTL, 100)
    vpp.count(SLOTS, 200)
    errors = following(vpp, clock)
    served(errors)
    vpp.count(TTL, 103)  # after the last reading
    other.count(TTL, 7)
    other.count(PUNTED, 9)
    other.count(SLOTS, 0, 250)  # more than the one before: no fall shows it
    errors.lose()
    errors.use(other.segment, OTHER)
    assert served(errors) == {NAMES[TTL]: 103, NAMES[SLOTS]: 200}
    errors.find(other.entries())
    assert served(errors) == {NAMES[TTL]: 110, NAMES[SLOTS]: 450, NAMES[PUNTED]: 9}


def test_what_vpp_counted_when_it_ended_is_read_soon(vpp: Vpp, clock: Clock) -> None:
    errors = following(vpp, clock)
    errors.poll()
    vpp.count(TTL, 3)
    clock.now += module.REMAINDER_INTERVAL
    errors.poll()
    assert len(errors.rows) == 0
    errors.lose()
    errors.poll()
    assert len(errors.rows) == 1


def test_with_plain_counters_what_vpp_counts_is_served(vpp: Vpp, other: Vpp, clock: Clock) -> None:
    vpp.count(TTL, 100)
    vpp.count(SLOTS, 200)
    errors = following(vpp, clock)
    served(errors)
    errors.carry(False)
    vpp.count(TTL, 3)
    assert served(errors) == {NAMES[TTL]: 3, NAMES[SLOTS]: 200}
    errors.use(other.segment, OTHER)
    other.count(TTL, 7)
    errors.find(other.entries())
    assert served(errors) == {NAMES[TTL]: 7, NAMES[SLOTS]: None}


def restarted(saved: dict[str, Saved], vpp: Vpp, cell: int, clock: Clock) -> Errors:
    """The errors of an agent that starts, and had saved these."""
    errors = Errors(clock)
    errors.restore(saved.get)
    errors.use(vpp.segment, cell)
    errors.find(vpp.entries())
    return errors


def test_after_a_restart_of_the_agent_what_was_saved_goes_on(
    vpp: Vpp, other: Vpp, clock: Clock
) -> None:
    vpp.count(TTL, 100)
    vpp.count(SLOTS, 200)
    vpp.count(LENGTHS, 300)
    vpp.writer.add_counter("/net/punt", Kind.COMBINED, 1, 1)
    vpp.writer.set_row("/net/punt", 0, [11, 700])
    errors = following(vpp, clock)
    served(errors)
    vpp.count(TTL, 5)
    served(errors)
    saved = {each.key: each.saved() for each in errors.totals}
    assert saved.keys() == {
        *("errors ip4-input", "errors memif0/0-tx", "errors ip6-input", "punt"),
    }
    vpp.count(TTL, 8)
    again = restarted(saved, vpp, FIRST, clock)
    assert served(again) == {NAMES[TTL]: 108, NAMES[SLOTS]: 200, NAMES[LENGTHS]: 300}
    assert again.punted == 11
    other.count(TTL, 1000)
    anew = restarted(saved, other, OTHER, clock)
    assert served(anew) == {NAMES[TTL]: 1105}  # what it has not counted is no row
    other.count(SLOTS, 1)
    assert served(anew)[NAMES[SLOTS]] == 201


def test_only_nodes_that_began_again_are_to_be_saved_at_once(vpp: Vpp, clock: Clock) -> None:
    vpp.count(TTL, 100)
    vpp.count(SLOTS, 200)
    errors = following(vpp, clock)
    served(errors)
    for each in errors.totals:
        each.saved()
    vpp.count(SLOTS, 2)
    vpp.count(TTL, 101)
    served(errors)
    assert [each.key for each in errors.totals if each.is_dirty] == ["errors memif0/0-tx"]


# --- what is punted ------------------------------------------------------------------------------


def test_what_is_punted_is_the_sum_of_all_reasons_and_threads(vpp: Vpp, clock: Clock) -> None:
    errors = following(vpp, clock)
    assert errors.punted is None
    vpp.writer.add_counter("/net/punt", Kind.COMBINED, THREADS, 3)
    vpp.writer.set_row("/net/punt", 0, [0, 0, 1, 60, 0, 0])
    vpp.writer.set_row("/net/punt", 2, [0, 0, 20, 1500, 300, 27_000])
    clock.now += ASKED_INTERVAL
    assert errors.punted == 321


def test_what_is_punted_does_not_fall_when_another_vpp_comes(
    vpp: Vpp, other: Vpp, clock: Clock
) -> None:
    for each, packets in ((vpp, 11), (other, 17)):
        each.writer.add_counter("/net/punt", Kind.COMBINED, 1, 2)
        each.writer.set_row("/net/punt", 0, [0, 0, packets, 60 * packets])
    errors = following(vpp, clock)
    errors.poll()
    errors.use(other.segment, OTHER)
    errors.read_all()
    assert errors.punted == 28


# --- the biggest ---------------------------------------------------------------------------------


def test_the_biggest_are_those_that_counted_most_with_their_rates(vpp: Vpp, clock: Clock) -> None:
    vpp.count(TTL, 1000)
    vpp.count(LENGTHS, 500)
    vpp.count(SLOTS, 5)
    errors = following(vpp, clock)
    before = errors.snapshot()
    vpp.count(TTL, 1010)
    vpp.count(PUNTED, 800)
    clock.now += 4
    after = errors.snapshot()
    assert biggest(before, after, 3) == [
        Rate("ip4-input", "ip4 ttl <= 1", 1010, 2.5),
        Rate("linux-cp-punt", "packets", 800, 200.0),
        Rate("ip6-input", "unknown udp/ip lengths", 500, 0.0),
    ]


def test_of_two_snapshots_of_one_moment_no_rate_is_made() -> None:
    snapshot = Snapshot(3.0, {("a", "b"): 7})
    assert biggest(snapshot, snapshot, 9) == [Rate("a", "b", 7, 0.0)]


def test_the_rules_say_how_long_names_may_be() -> None:
    assert module.__doc__ is not None
    assert re.search(rf"{MAX_NAMES_LENGTH} octets of node and reason", module.__doc__)
