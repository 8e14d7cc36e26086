"""agentx/sorted_rows.py: against a dict, and by how much is searched."""

from bisect import bisect_right
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vpp_snmp_agent.agentx import sorted_rows
from vpp_snmp_agent.agentx.sorted_rows import SHARDS, SortedRows
from vpp_snmp_agent.agentx.values import dotted, oid


def test_rows_are_counted_and_sorted_by_index_not_by_text() -> None:
    rows = SortedRows()
    for index in ("1000", "2", "10", "1"):
        rows.put(oid(index), f"port {index}")
    assert len(rows) == 4
    assert [dotted(index) for index in rows] == ["1", "2", "10", "1000"]


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Borders of chunks after every few rows."""
    monkeypatch.setattr(sorted_rows, "MAX_CHUNK", 4)


def followed(rows: SortedRows, start: bytes = b"") -> Iterator[bytes]:
    """A walk's indexes."""
    index = rows.following(start)
    while index is not None:
        yield index
        index = rows.following(index)


SMALL = st.lists(st.integers(0, 9), min_size=1, max_size=2).map(
    lambda subids: b"".join(subid.to_bytes(4, "big") for subid in subids)
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), SMALL),
        st.tuples(st.just("remove"), SMALL),
        st.tuples(st.just("get"), SMALL),
        st.tuples(st.just("following"), SMALL | st.just(b"")),
        st.tuples(st.just("walk on"), st.just(b"")),
    ),
    max_size=80,
)


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_sorted_rows_are_a_dict_in_the_order_of_its_keys(steps: list[tuple[str, bytes]]) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(sorted_rows, "MAX_CHUNK", 3)
        rows, model, walked = SortedRows(), dict[bytes, int](), b""
        for number, (step, index) in enumerate(steps):
            match step:
                case "put":
                    assert rows.put(index, number) == (index not in model)
                    model[index] = number
                case "remove":
                    assert rows.remove(index) == (model.pop(index, None) is not None)
                case "get":
                    assert rows.get(index) == model.get(index)
                case _:
                    after = walked if step == "walk on" else index
                    expected = min((each for each in model if each > after), default=None)
                    assert rows.following(after) == expected
                    walked = expected or b""
            assert len(rows) == len(model)
        assert list(rows) == list(followed(rows)) == sorted(model)
        assert all(0 < len(chunk) <= sorted_rows.MAX_CHUNK for chunk in rows._chunks)
        assert rows._lasts == [chunk[-1] for chunk in rows._chunks]


def test_rows_put_in_any_order_are_walked_in_theirs(small_chunks: None) -> None:
    numbers = [number * 37 % 101 for number in range(101)]
    rows = SortedRows()
    for number in numbers:
        rows.put(oid(str(number)), number)
    assert [rows.get(index) for index in followed(rows)] == list(range(101))


def test_the_walk_hint_is_of_no_use_once_rows_came_or_are_gone(small_chunks: None) -> None:
    rows = SortedRows()
    for number in range(0, 40, 2):
        rows.put(oid(str(number)), number)
    for number in range(0, 36, 2):
        here, there = oid(str(number)), oid(str(number + 1))
        assert rows.following(here) == oid(str(number + 2))
        rows.put(there, number + 1)
        assert rows.following(here) == there
        assert rows.following(there) == oid(str(number + 2))
        rows.remove(there)
        assert rows.following(here) == oid(str(number + 2))
        assert rows.following(oid(str(number + 2))) == oid(str(number + 4))


def test_two_walks_at_a_time_do_not_mislead_each_other(small_chunks: None) -> None:
    rows = SortedRows()
    for number in range(50):
        rows.put(oid(str(number)), number)
    one, other = followed(rows), followed(rows, oid("20"))
    taken = [(next(one), next(other)) for _ in range(29)]
    assert [each for each, _ in taken] == [oid(str(number)) for number in range(29)]
    assert [each for _, each in taken] == [oid(str(number)) for number in range(21, 50)]


def test_in_a_walk_no_index_is_searched_for_within_a_chunk(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = SortedRows()
    for number in range(1, 401):
        rows.put(oid(str(number)), number)
    searched: list[int] = []

    def counting(where: list[bytes], index: bytes) -> int:
        searched.append(len(where))
        return bisect_right(where, index)

    monkeypatch.setattr(sorted_rows, "bisect_right", counting)
    assert len(list(followed(rows))) == 400
    # For the first row of all, and to see that there is none after the last.
    assert searched == [1, 400, 1]


def test_the_shards_share_the_rows_evenly() -> None:
    rows = SortedRows()
    for number in range(1001, 1001 + 100 * SHARDS):
        rows.put(oid(str(number)), number)
    sizes = [len(shard) for shard in rows._shards]
    assert sum(sizes) == 100 * SHARDS
    assert min(sizes) > 50
    assert max(sizes) < 200


def test_rows_are_given_back_a_chunk_at_a_time(small_chunks: None) -> None:
    rows = SortedRows()
    for number in range(41):
        rows.put(oid(str(number)), number)
    left = [len(rows)]
    for _ in rows.dismantle():
        left.append(len(rows))
        assert len(list(followed(rows))) == left[-1]
    assert left[-1] == 0
    assert all(0 < before - after <= sorted_rows.MAX_CHUNK for before, after in pairwise(left))
    assert [rows.get(oid(str(number))) for number in range(41)] == 41 * [None]
