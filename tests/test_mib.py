"""Get and get-next over a small invented MIB, and against a naive model of any MIB."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from operator import itemgetter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vpp_snmp_agent.agentx.mib import Column, Scalar, Table, TableView, UpTime, View
from vpp_snmp_agent.agentx.sorted_rows import SortedRows
from vpp_snmp_agent.agentx.values import (
    COUNTER64,
    END_OF_MIB_VIEW,
    GAUGE32,
    INTEGER,
    IP_ADDRESS,
    NO_SUCH_INSTANCE,
    NO_SUCH_OBJECT,
    OCTET_STRING,
    ValueType,
    VarBind,
    decode_varbind,
    dotted,
    oid,
)

from .any_mib import key, models, names_near, polls

BASE = "1.3.6.1.4.1.99999"
NOWHERE = b""  # a null end


def name(tail: str) -> bytes:
    """A name below the invented MIB."""
    return oid(f"{BASE}.{tail}")


# The rows of a table by index: column numbers and values.
Cells = dict[str, dict[int, Any]]

PORTS: Cells = {
    "1": {1: 1, 2: b"one", 5: 2**40, 6: 100},
    "2": {1: 2, 2: None, 5: 7, 6: 100},
    "10": {1: 10, 2: b"ten", 5: None, 6: None},
    "1000": {1: 1000, 2: b"", 5: 0, 6: None},
}
ADDRESSES: Cells = {
    "1.4.10.0.0.1": {3: b"\x0a\0\0\x01", 4: 24},
    "1.4.10.0.0.1.0": {3: None, 4: 25},
    "1.4.192.0.2.1": {3: b"\xc0\0\x02\x01", 4: None},
    "1.16.254": {3: None, 4: 64},
    "2.4.10.0.0.2": {3: b"\x0a\0\0\x02", 4: 32},
}

PORT_TABLE = Table(
    f"{BASE}.2.1",
    (
        Column(1, "portIndex", INTEGER, lambda row: row[1]),
        Column(2, "portName", OCTET_STRING, lambda row: row[2]),
        Column(5, "portOctets", COUNTER64, lambda row: row[5]),
        Column(6, "portSpeed", GAUGE32, lambda row: row[6]),
        Column(9, "portNothing", INTEGER, lambda row: None),
    ),
)
EMPTY_TABLE = Table(f"{BASE}.3.1", (Column(1, "noneIndex", INTEGER, itemgetter(1)),))
ADDRESS_TABLE = Table(
    f"{BASE}.5.1",
    (
        Column(3, "addressItself", IP_ADDRESS, lambda row: row[3]),
        Column(4, "addressLength", INTEGER, lambda row: row[4]),
    ),
)

# All there is, in its order.
GOLDEN: list[tuple[str, ValueType, Any]] = [
    ("1.0", INTEGER, 4),
    ("2.1.1.1", INTEGER, 1),
    ("2.1.1.2", INTEGER, 2),
    ("2.1.1.10", INTEGER, 10),
    ("2.1.1.1000", INTEGER, 1000),
    ("2.1.2.1", OCTET_STRING, b"one"),
    ("2.1.2.10", OCTET_STRING, b"ten"),
    ("2.1.2.1000", OCTET_STRING, b""),
    ("2.1.5.1", COUNTER64, 2**40),
    ("2.1.5.2", COUNTER64, 7),
    ("2.1.5.1000", COUNTER64, 0),
    ("2.1.6.1", GAUGE32, 100),
    ("2.1.6.2", GAUGE32, 100),
    ("4.0", OCTET_STRING, b"between"),
    ("5.1.3.1.4.10.0.0.1", IP_ADDRESS, b"\n\0\0\x01"),
    ("5.1.3.1.4.192.0.2.1", IP_ADDRESS, b"\xc0\0\x02\x01"),
    ("5.1.3.2.4.10.0.0.2", IP_ADDRESS, b"\n\0\0\x02"),
    ("5.1.4.1.4.10.0.0.1", INTEGER, 24),
    ("5.1.4.1.4.10.0.0.1.0", INTEGER, 25),
    ("5.1.4.1.16.254", INTEGER, 64),
    ("5.1.4.2.4.10.0.0.2", INTEGER, 32),
]
TREE = [VarBind(name(tail), type_, value) for tail, type_, value in GOLDEN]
EACH = pytest.mark.parametrize("at", range(len(TREE)), ids=[tail for tail, _, _ in GOLDEN])


def rows_of(by_index: Cells) -> SortedRows:
    rows = SortedRows()
    for index, row in by_index.items():
        rows.put(oid(index), row)
    return rows


def view_of(ports: SortedRows) -> View:
    """The invented MIB; its objects in no order, as modules may bring them."""
    return View(
        [
            ADDRESS_TABLE.over(rows_of(ADDRESSES)),
            Scalar(f"{BASE}.4", "text", OCTET_STRING, lambda: b"between"),
            PORT_TABLE.over(ports),
            Scalar(f"{BASE}.1", "portNumber", INTEGER, lambda: len(ports)),
            EMPTY_TABLE.over(SortedRows()),
        ]
    )


VIEW = view_of(rows_of(PORTS))


def test_a_cell_is_computed_only_when_it_is_asked_for() -> None:
    asked = []

    def value(row: str) -> int:
        asked.append(row)
        return 1

    table = Table(f"{BASE}.1", (Column(1, "a", INTEGER, value), Column(2, "b", INTEGER, value)))
    rows = SortedRows()
    rows.put(oid("1"), "first")
    rows.put(oid("2"), "second")
    view = View([table.over(rows)])
    view.get_next(name("1.1.1"), 0, NOWHERE)
    assert asked == ["second"]
    view.get(name("1.2.1"))
    assert asked == ["second", "first"]
    view.get_next(name("1.1.1"), 0, name("1.1.2"))
    assert asked == ["second", "first"]


# --- rows of which some are counted -----------------------------------------------------


class Watched(SortedRows):
    """Rows that note which indexes a GetNext came to."""

    __slots__ = ("seen",)

    def __init__(self, *indexes: int) -> None:
        super().__init__()
        self.seen: list[int] = []
        for index in indexes:
            self.put(oid(str(index)), index)

    def following(self, index: bytes) -> bytes | None:
        found = super().following(index)
        if found is not None:
            self.seen.append(int(dotted(found)))
        return found


COUNTING_TABLE = Table(
    f"{BASE}.7.1",
    (
        Column(1, "index", INTEGER, lambda row: row),
        Column(
            2, "packets", COUNTER64, lambda row: None if row < 100 else row * 11, reading_index=0
        ),
        Column(3, "lost", COUNTER64, lambda row: None if row < 100 else row, is_counter=True),
    ),
)


def test_without_counted_rows_of_its_own_a_counter_is_searched_for_in_every_row() -> None:
    rows = Watched(1, 100)
    view = View([COUNTING_TABLE.over(rows)])
    assert view.get_next(name("7.1.2"), 0, NOWHERE) == view.get(name("7.1.2.100"))
    assert rows.seen == [1, 100]


# --- what a MIB may not be --------------------------------------------------------------


@pytest.mark.parametrize("numbers", [(2, 1), (1, 1), (1, 3, 2), (256, 255)])
def test_columns_out_of_order_are_a_value_error(numbers: tuple[int, ...]) -> None:
    columns = [Column(number, "column", INTEGER, itemgetter(0)) for number in numbers]
    with pytest.raises(ValueError, match="out of order"):
        Table(f"{BASE}.1", columns)


def a_scalar(tail: str) -> Scalar:
    return Scalar(f"{BASE}.{tail}", "scalar", INTEGER, lambda: 0)


def a_table(tail: str) -> TableView:
    return Table(f"{BASE}.{tail}", ()).over(SortedRows())


@pytest.mark.parametrize(
    "objects",
    [
        (a_scalar("1"), a_scalar("1")),
        (a_table("1"), a_scalar("1.5")),
        (a_scalar("1.5"), a_table("1")),
        (a_scalar("1.5.1.2"), a_scalar("1.6"), a_table("1")),
        (a_table("1.1"), a_table("1.1")),
    ],
)
def test_objects_that_overlap_are_a_value_error(objects: tuple[Scalar | TableView, ...]) -> None:
    with pytest.raises(ValueError, match="overlap"):
        View(objects)


# --- time -------------------------------------------------------------------------------


def test_without_a_master_every_moment_is_zero_ticks() -> None:
    assert UpTime().ticks(12345.0) == 0


@pytest.mark.parametrize(
    ("moment", "ticks"),
    [(100.0, 500), (101.5, 650), (95.0, 0), (97.5, 250), (10.0, 0), (None, 0)],
)
def test_a_moment_is_by_the_clock_of_the_master(moment: float | None, ticks: int) -> None:
    up_time = UpTime()
    up_time.set(500, now=100.0)
    assert up_time.ticks(moment) == ticks


def test_a_master_that_started_again_sets_the_clock_anew() -> None:
    up_time = UpTime()
    up_time.set(500, now=100.0)
    up_time.set(0, now=200.0)
    assert up_time.ticks(100.0) == 0
    assert up_time.ticks(201.0) == 100


# --- answers, by either path ------------------------------------------------------------


def any_mib(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test with data of many kinds, over each path."""
    # One class inherits it from another, which is what is wanted here.
    run = settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=[HealthCheck.differing_executors],
    )
    return run(given(st.data())(test))


class TestSlowPath:
    """What is answered, by the slow path; test_fastpath.py has the same of the fast path."""

    def get_all(self, names: Sequence[bytes], view: View) -> list[VarBind]:
        return [decode_varbind(view.get(each)) for each in names]

    def get(self, wanted: bytes, view: View = VIEW) -> VarBind:
        return self.get_all([wanted], view)[0]

    def get_next(
        self, start: bytes, include: int = 0, end: bytes = NOWHERE, *, view: View = VIEW
    ) -> VarBind:
        return decode_varbind(view.get_next(start, include, end))

    def walk(
        self, start: bytes = b"", end: bytes = NOWHERE, *, view: View = VIEW
    ) -> Iterator[VarBind]:
        """Get-next after get-next, up to endOfMibView, which must bear the last name."""
        while (found := self.get_next(start, end=end, view=view)).type is not END_OF_MIB_VIEW:
            yield found
            start = found.name
        assert found.name == start

    def test_a_walk_is_in_order_and_complete(self) -> None:
        walked = list(self.walk())
        assert walked == TREE
        assert all(before.name < after.name for before, after in pairwise(walked))

    @EACH
    def test_get_of_every_name_is_its_value(self, at: int) -> None:
        assert self.get(TREE[at].name) == TREE[at]

    @EACH
    def test_get_next_of_every_name_is_its_neighbour(self, at: int) -> None:
        found = self.get_next(TREE[at].name)
        if at + 1 < len(TREE):
            assert found == TREE[at + 1]
        else:
            assert found == VarBind(TREE[at].name, END_OF_MIB_VIEW, None)

    @EACH
    def test_get_next_with_include_of_every_name_is_itself(self, at: int) -> None:
        assert self.get_next(TREE[at].name, 1) == TREE[at]

    @EACH
    def test_the_end_of_a_range_is_not_in_it(self, at: int) -> None:
        end = TREE[at].name
        assert list(self.walk(end=end)) == TREE[:at]
        assert self.get_next(end, 1, end) == VarBind(end, END_OF_MIB_VIEW, None)

    @EACH
    def test_a_range_ends_just_after_what_is_in_it(self, at: int) -> None:
        assert self.get_next(TREE[at].name, 1, TREE[at].name + oid("0")) == TREE[at]

    def test_a_null_end_is_no_end(self) -> None:
        assert self.get_next(name("2.1.6.2"), 0, NOWHERE).name == name("4.0")

    def test_a_null_start_is_the_beginning(self) -> None:
        assert self.get_next(b"", 0) == self.get_next(b"", 1) == TREE[0]

    @pytest.mark.parametrize(
        ("start", "end", "first"),
        [
            ("1.0", "2", None),
            ("1.0", "2.1.1.2", "2.1.1.1"),
            ("2.1.6.2", "4", None),
            ("2.1.6.2", "4.0", None),
            ("2.1.6.2", "4.0.0", "4.0"),
            ("2.1.6.2", "5", "4.0"),
            ("2.2", "5.1.3.1", "4.0"),
            ("4.0", "5.1.3.1.4.10.0.0.1", None),
            ("4.0", "5.1.3.1.4.10.0.0.1.0", "5.1.3.1.4.10.0.0.1"),
            ("2.1.2.1", "2.1.2.2", None),
            ("2.1.2.1", "2.1.2.11", "2.1.2.10"),
            ("2.1.6.2", "2.1.1", None),
        ],
    )
    def test_a_range_between_objects_holds_what_is_in_it(
        self, start: str, end: str, first: str | None
    ) -> None:
        found = self.get_next(name(start), 0, name(end))
        if first is None:
            assert found == VarBind(name(start), END_OF_MIB_VIEW, None)
        else:
            assert found.name == name(first)

    @pytest.mark.parametrize(
        ("start", "after"),
        [
            ("1", "1.0"),
            ("1.0.0", "2.1.1.1"),
            ("1.1", "2.1.1.1"),
            ("2", "2.1.1.1"),
            ("2.0", "2.1.1.1"),
            ("2.1", "2.1.1.1"),
            ("2.1.0.5", "2.1.1.1"),
            ("2.1.1", "2.1.1.1"),
            ("2.1.1.1.0", "2.1.1.2"),
            ("2.1.1.3", "2.1.1.10"),
            ("2.1.1.4294967295", "2.1.2.1"),
            ("2.1.2.1.4294967295", "2.1.2.10"),
            ("2.1.3", "2.1.5.1"),
            ("2.1.4.10", "2.1.5.1"),
            ("2.1.7.1", "4.0"),
            ("2.1.9", "4.0"),
            ("2.1.9.10", "4.0"),
            ("2.1.10", "4.0"),
            ("2.2.1", "4.0"),
            ("3.1.1.1", "4.0"),
            ("5.1.3.1", "5.1.3.1.4.10.0.0.1"),
            ("5.1.3.1.4", "5.1.3.1.4.10.0.0.1"),
            ("5.1.3.1.4.10", "5.1.3.1.4.10.0.0.1"),
            ("5.1.3.1.4.10.0.0.0.9", "5.1.3.1.4.10.0.0.1"),
            ("5.1.3.1.5", "5.1.3.2.4.10.0.0.2"),
            ("5.1.3.1.4.11", "5.1.3.1.4.192.0.2.1"),
        ],
    )
    @pytest.mark.parametrize("include", [0, 1])
    def test_a_start_that_is_no_name_is_followed_by_the_next_name(
        self, start: str, after: str, include: int
    ) -> None:
        assert self.get_next(name(start), include).name == name(after)

    @pytest.mark.parametrize("start", ["5.1.4.2.4.10.0.0.3", "5.1.5", "5.2", "6", "4294967295"])
    @pytest.mark.parametrize("include", [0, 1])
    def test_beyond_everything_is_the_end_of_the_view_by_the_name_asked(
        self, start: str, include: int
    ) -> None:
        assert self.get_next(name(start), include) == VarBind(name(start), END_OF_MIB_VIEW, None)

    @pytest.mark.parametrize("start", ["0.0", "1", "1.3.6.1", "1.3.6.1.2.1.2.2.1.1.1", BASE])
    def test_before_everything_is_followed_by_the_first_name(self, start: str) -> None:
        assert self.get_next(oid(start)) == TREE[0]

    @pytest.mark.parametrize(
        ("wanted", "type_"),
        [
            ("1", NO_SUCH_INSTANCE),
            ("1.1", NO_SUCH_INSTANCE),
            ("1.0.0", NO_SUCH_INSTANCE),
            ("2", NO_SUCH_OBJECT),
            ("2.1", NO_SUCH_OBJECT),
            ("2.1.0.1", NO_SUCH_OBJECT),
            ("2.1.3.1", NO_SUCH_OBJECT),
            ("2.1.10.1", NO_SUCH_OBJECT),
            ("2.2.1.1", NO_SUCH_OBJECT),
            ("2.1.1", NO_SUCH_INSTANCE),
            ("2.1.1.3", NO_SUCH_INSTANCE),
            ("2.1.1.1.1", NO_SUCH_INSTANCE),
            ("2.1.2.2", NO_SUCH_INSTANCE),
            ("2.1.9.1", NO_SUCH_INSTANCE),
            ("3.1.1.1", NO_SUCH_INSTANCE),
            ("3.1.2.1", NO_SUCH_OBJECT),
            ("5.1.3.1.4.10.0.0", NO_SUCH_INSTANCE),
            ("5.1.3.1.4.10.0.0.1.0", NO_SUCH_INSTANCE),
            ("6.1", NO_SUCH_OBJECT),
        ],
    )
    def test_get_distinguishes_a_missing_instance_from_a_missing_object(
        self, wanted: str, type_: ValueType
    ) -> None:
        assert self.get(name(wanted)) == VarBind(name(wanted), type_, None)

    @pytest.mark.parametrize("wanted", ["0.0", "1.3.6.1", "1.3.6.1.2.1.1.1.0", BASE])
    def test_get_of_what_no_object_holds_is_no_such_object(self, wanted: str) -> None:
        assert self.get(oid(wanted)) == VarBind(oid(wanted), NO_SUCH_OBJECT, None)

    def test_get_of_the_null_oid_is_no_such_object(self) -> None:
        assert self.get(b"") == VarBind(b"", NO_SUCH_OBJECT, None)

    def test_a_view_of_nothing_has_only_an_end(self) -> None:
        view = View([])
        assert self.get(name("1"), view) == VarBind(name("1"), NO_SUCH_OBJECT, None)
        assert self.get_next(name("1"), 1, view=view) == VarBind(name("1"), END_OF_MIB_VIEW, None)

    def test_empty_tables_are_passed_over(self) -> None:
        assert [each.name for each in self.walk(view=view_of(SortedRows()))] == [
            name("1.0"),
            *(each.name for each in TREE if each.name >= name("4")),
        ]

    def test_rows_that_come_and_go_in_mid_walk_are_walked_on_from_the_last_name(self) -> None:
        ports = rows_of(PORTS)
        steps = self.walk(name("2.1.1"), name("2.1.2"), view=view_of(ports))
        assert next(steps).value == 1
        assert next(steps).value == 2
        for gone in ("2", "10", "1000"):
            ports.remove(oid(gone))
        for new in ("7", "8"):
            ports.put(oid(new), {1: int(new)})
        assert [each.value for each in steps] == [7, 8]

    def test_a_row_that_comes_before_the_last_name_in_mid_walk_is_not_walked(self) -> None:
        ports = rows_of(PORTS)
        steps = self.walk(name("2.1.1"), name("2.1.2"), view=view_of(ports))
        assert [next(steps).value for _ in range(3)] == [1, 2, 10]
        ports.put(oid("3"), {1: 3})
        ports.put(oid("11"), {1: 11})
        assert [each.value for each in steps] == [11, 1000]

    def test_rows_that_vanish_in_mid_walk_end_it(self) -> None:
        ports = rows_of(PORTS)
        steps = self.walk(name("2.1"), name("3"), view=view_of(ports))
        assert next(steps).value == 1
        for index in list(ports):
            ports.remove(index)
        assert list(steps) == []

    def test_a_row_that_counts_as_false_is_a_row(self) -> None:
        rows = SortedRows()
        rows.put(oid("1"), 0)
        rows.put(oid("2"), 7)
        view = View([Table(f"{BASE}.1", (Column(1, "a", INTEGER, lambda row: row),)).over(rows)])
        assert self.get(name("1.1.1"), view).value == 0
        assert self.get_next(name("1.1.1"), 1, view=view).value == 0
        assert rows.remove(oid("1"))

    def test_one_table_serves_several_sets_of_rows_of_indexes_of_any_length(self) -> None:
        table = Table(f"{BASE}.1", (Column(1, "a", INTEGER, itemgetter(1)),))
        for indexes in (["1", "2.3"], ["1.2.3", "4"], ["1"]):
            view = View([table.over(rows_of({index: {1: 5} for index in indexes}))])
            assert [each.name for each in self.walk(view=view)] == [
                name(f"1.1.{i}") for i in indexes
            ]

    @pytest.mark.parametrize("column", [2, 3])
    def test_getnext_over_a_counter_comes_to_counted_rows_only(self, column: int) -> None:
        rows, counted = Watched(*range(1, 100), 100, 200), Watched(100, 200)
        view = View([COUNTING_TABLE.over(rows, counted)])
        assert self.get_next(name(f"7.1.{column}"), view=view).name == name(f"7.1.{column}.100")
        assert self.get_next(name(f"7.1.{column}.5"), view=view).name == name(f"7.1.{column}.100")
        assert self.get_next(name(f"7.1.{column}.100"), view=view).name == name(f"7.1.{column}.200")
        assert (rows.seen, counted.seen) == ([], [100, 100, 200])

    def test_a_column_that_is_no_counter_has_cells_in_every_row(self) -> None:
        rows, counted = Watched(1, 2, 100), Watched(100)
        view = View([COUNTING_TABLE.over(rows, counted)])
        walked = [(each.name, each.value) for each in self.walk(view=view)]
        assert walked == [
            *((name(f"7.1.1.{row}"), row) for row in (1, 2, 100)),
            (name("7.1.2.100"), 1100),
            (name("7.1.3.100"), 100),
        ]

    def test_without_counted_rows_getnext_passes_over_the_column_at_once(self) -> None:
        rows, counted = Watched(*range(1, 100)), Watched()
        view = View([COUNTING_TABLE.over(rows, counted)])
        start = name("7.1.1.99")
        assert self.get_next(start, view=view) == VarBind(start, END_OF_MIB_VIEW, None)
        assert (rows.seen, counted.seen) == ([], [])

    def test_an_included_start_is_answered_though_its_row_is_not_counted_yet(self) -> None:
        rows, counted = Watched(1, 100, 200), Watched(200)
        view = View([COUNTING_TABLE.over(rows, counted)])
        assert self.get_next(name("7.1.2.100"), 1, view=view) == self.get(name("7.1.2.100"), view)
        assert self.get_next(name("7.1.2.1"), 1, view=view).name == name("7.1.2.200")

    def test_objects_side_by_side_do_not_overlap(self) -> None:
        assert self.get(name("1.0"), View([a_scalar("1"), a_scalar("10"), a_table("2")])).value == 0

    @any_mib
    def test_any_mib_is_walked_as_the_model_is(self, data: st.DataObject) -> None:
        model = data.draw(models())
        assert list(self.walk(view=model.view)) == [varbind for _, varbind in model.cells]

    @pytest.mark.slow
    @any_mib
    def test_any_range_of_any_mib_begins_as_in_the_model(self, data: st.DataObject) -> None:
        model = data.draw(models())
        start, end = data.draw(names_near(model)), data.draw(names_near(model))
        include = data.draw(st.integers(0, 1))
        expected = next(
            (
                varbind
                for name, varbind in model.cells
                if (name >= start if include else name > start) and (not end or name < end)
            ),
            VarBind(key(start), END_OF_MIB_VIEW, None),
        )
        assert self.get_next(key(start), include, key(end), view=model.view) == expected

    @any_mib
    def test_any_name_of_any_mib_is_answered_as_in_the_model(self, data: st.DataObject) -> None:
        model = data.draw(models())
        wanted = data.draw(names_near(model))
        assert self.get(key(wanted), model.view) == model.get(wanted)

    @any_mib
    def test_any_names_of_any_mib_are_answered_as_in_the_model(self, data: st.DataObject) -> None:
        model = data.draw(models())
        wanted = data.draw(st.lists(names_near(model), max_size=5))
        answers = self.get_all([key(each) for each in wanted], model.view)
        assert answers == [model.get(each) for each in wanted]

    @any_mib
    def test_any_row_is_polled_as_it_is_in_the_model(self, data: st.DataObject) -> None:
        model = data.draw(models())
        for wanted in data.draw(polls(model)):
            answers = self.get_all([key(each) for each in wanted], model.view)
            assert answers == [model.get(each) for each in wanted]

    def test_a_scalar_without_a_value_does_not_exist(self) -> None:
        value: list[int | None] = [None]
        scalar = Scalar("1.3.6.1.4.1.1", "maybe", INTEGER, lambda: value[0])
        view = View([scalar])
        instance = oid("1.3.6.1.4.1.1.0")
        assert decode_varbind(view.get(instance)).type is NO_SUCH_INSTANCE
        assert decode_varbind(view.get_next(b"", 0, b"")).type is END_OF_MIB_VIEW
        value[0] = 5
        assert decode_varbind(view.get(instance)).value == 5
        assert decode_varbind(view.get_next(b"", 0, b"")).name == instance
