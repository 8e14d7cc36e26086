"""Any MIB, with a naive model of it: what tests of both paths to an answer draw from."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from hypothesis import strategies as st

from vpp_snmp_agent.agentx.mib import Column, Object, Scalar, SortedRows, Table, View
from vpp_snmp_agent.agentx.values import (
    COUNTER32,
    COUNTER64,
    INTEGER,
    NO_SUCH_INSTANCE,
    NO_SUCH_OBJECT,
    VarBind,
    oid,
)

Subids = tuple[int, ...]
FEW = st.integers(0, 3)
INDEXES = st.tuples(FEW) | st.lists(FEW, min_size=1, max_size=3).map(tuple)
READINGS = 3  # of a row, some of which cannot be had
MODULUS = {INTEGER: 2**31, COUNTER32: 2**32, COUNTER64: 2**64}
COUNTS = (0, 7, 2**31 + 5, 2**32 + 11, 2**33 - 1, 2**64 - 1, 5 * 2**64 + 13)


def mostly(strategy: st.SearchStrategy[int]) -> st.SearchStrategy[int | None]:
    """What is there in most rows: a Get of many cells is worth little where one is missing."""
    return st.integers(0, 9).flatmap(lambda chance: strategy if chance else st.none())


class Row(NamedTuple):
    """A row of a drawn table: cells by column, and readings of which several columns may be."""

    cells: dict[int, int | None]
    readings: tuple[int | None, ...]
    fails: bool  # to be read in one go


class Model(NamedTuple):
    """All varbinds of a MIB by their names, and the view of the same."""

    view: View
    cells: list[tuple[Subids, VarBind]]
    objects: list[Subids]  # columns and scalars
    rows: list[tuple[Subids, Subids]]  # a table's OID and an index in it

    def get(self, wanted: Subids) -> VarBind:
        """RFC 2741 section 7.2.3.1."""
        found = dict(self.cells).get(wanted)
        if found is not None:
            return found
        is_in_object = any(wanted[: len(each)] == each for each in self.objects)
        return VarBind(key(wanted), NO_SUCH_INSTANCE if is_in_object else NO_SUCH_OBJECT, None)


def written(subids: Subids) -> str:
    return ".".join(map(str, subids))


def key(subids: Subids) -> bytes:
    return oid(written(subids)) if subids else b""


def rows_of(by_index: dict[Subids, Any]) -> SortedRows:
    rows = SortedRows()
    for index, row in by_index.items():
        rows.put(key(index), row)
    return rows


def constantly(value: int) -> Callable[[], int]:
    return lambda: value


def cell_of(column: int) -> Callable[[Row], int | None]:
    return lambda row: row.cells[column]


def reading_of(index: int) -> Callable[[Row], int | None]:
    return lambda row: row.readings[index]


def read_by(columns: Sequence[Column]) -> Callable[[Row], tuple[int, ...] | None]:
    """All readings of a row; None where one of them that has a column is missing."""
    needed = {each.reading_index for each in columns if each.reading_index is not None}

    def readings(row: Row) -> tuple[int, ...] | None:
        if row.fails or any(row.readings[index] is None for index in needed):
            return None
        return tuple(each or 0 for each in row.readings)

    return readings


@st.composite
def columns_of(draw: st.DrawFn) -> list[Column]:
    """Columns in order: plain ones, counters, and counters that are readings of their row."""
    columns = []
    for number in sorted(draw(st.sets(FEW, max_size=4))):
        reading = draw(st.sampled_from((None, *range(READINGS))))
        if reading is None:
            value, type_ = cell_of(number), INTEGER
        else:
            value, type_ = reading_of(reading), draw(st.sampled_from((COUNTER32, COUNTER64)))
        is_counter = draw(st.booleans())
        columns.append(Column(number, "column", type_, value, reading, is_counter))
    return columns


@st.composite
def models(draw: st.DrawFn) -> Model:
    view: list[Object] = []
    cells: list[tuple[Subids, VarBind]] = []
    objects: list[Subids] = []
    indexes: list[tuple[Subids, Subids]] = []
    for number in draw(st.permutations(range(4))):
        base = (1, 3, number)
        if draw(st.sampled_from((False, False, True))):
            value = draw(st.integers(0, 99))
            view.append(Scalar(written(base), "scalar", INTEGER, constantly(value)))
            cells.append(((*base, 0), VarBind(key((*base, 0)), INTEGER, value)))
            objects.append(base)
            continue
        columns = draw(columns_of())
        numbers = [each.number for each in columns]
        row = st.builds(
            Row,
            st.fixed_dictionaries({each: mostly(st.integers(0, 99)) for each in numbers}),
            st.tuples(*READINGS * [mostly(st.sampled_from(COUNTS))]),
            st.sampled_from((False, False, False, True)),
        )
        by_index = draw(st.dictionaries(INDEXES, row, max_size=6))
        # Of the rows those are counted that have a counter.
        counted = {
            index: row
            for index, row in by_index.items()
            if any(each.is_counter and each.value(row) is not None for each in columns)
        }
        table = Table(written(base), columns)
        view.append(table.over(rows_of(by_index), rows_of(counted), read_by(columns)))
        indexes += [(base, index) for index in by_index]
        for column in columns:
            objects.append((*base, column.number))
            for index, of_row in by_index.items():
                value = column.value(of_row)
                if value is not None:
                    cell = (*base, column.number, *index)
                    value %= MODULUS[column.type]
                    cells.append((cell, VarBind(key(cell), column.type, value)))
    return Model(View(view), sorted(cells), objects, indexes)


def names_near(model: Model) -> st.SearchStrategy[Subids]:
    """Names in the MIB, their beginnings, what is just beside them, and others."""
    other = st.lists(FEW, max_size=7).map(lambda tail: (1, 3, *tail))
    anything = st.one_of(st.just(()), other)
    if not model.cells:
        return anything
    there = st.sampled_from([each for each, _ in model.cells])
    return st.one_of(
        there,
        st.tuples(there, st.integers(0, 6)).map(lambda cut: cut[0][: cut[1]]),
        st.tuples(there, FEW).map(lambda longer: (*longer[0], longer[1])),
        st.tuples(there, FEW).map(lambda beside: (*beside[0][:-1], beside[1])),
        anything,
    )


@st.composite
def polls(draw: st.DrawFn, model: Model) -> list[list[Subids]]:
    """Gets of the same columns of one row after another, as pollers send them."""
    base, first = draw(st.sampled_from(model.rows or [((1, 3, 0), (0,))]))
    own = [each for each in model.objects if each[: len(base)] == base] or [(*base, 1)]
    columns = draw(st.lists(st.sampled_from(own), min_size=4, max_size=7))
    alike = [each for table, each in model.rows if table == base and len(each) == len(first)]
    others = st.lists(st.sampled_from(alike or [first]) | INDEXES, min_size=1, max_size=4)
    return [[(*column, *index) for column in columns] for index in (first, *draw(others))]
