"""interfaces/ranges.py: a set of integers."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from vpp_snmp_agent.interfaces.ranges import Ranges


@given(ranges=st.lists(st.tuples(st.integers(1, 60), st.integers(0, 9))))
def test_ranges_are_a_set(ranges: list[tuple[int, int]]) -> None:
    found, model = Ranges(), set()
    for first, more in ranges:
        found.add(first, first + more)
        model |= set(range(first, first + more + 1))
    assert {number for number in range(90) if number in found} == model
    pairs = list(found)
    assert all(this[1] + 1 < after[0] for this, after in pairwise(pairs))
    for number in range(80):
        assert found.free_from(number) == next(n for n in range(number, 99) if n not in model)
