"""interfaces/journal.py: what is written comes back, or is known to be damaged."""

import json
from dataclasses import fields
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp_snmp_agent.interfaces import journal
from vpp_snmp_agent.interfaces.facts import Facts
from vpp_snmp_agent.interfaces.journal import Ranges, decode_facts, encode_facts

from .journals import FACTS, PLAIN, ROW_FACTS

# --- facts --------------------------------------------------------------------------------------


def test_facts_come_back_as_they_were() -> None:
    for facts in (FACTS, PLAIN, ROW_FACTS):
        assert decode_facts(json.loads(json.dumps(encode_facts(facts)))) == facts


def test_fields_that_are_written_later_or_not_yet_are_no_damage() -> None:
    encoded = encode_facts(PLAIN)
    assert encoded.keys() == {
        "name", "type", "mtu", "speed", "phys_address", "has_connector", "admin_up",
    }  # fmt: skip
    assert decode_facts(encoded | {"color": "red"}) == PLAIN
    for name in encoded:
        with pytest.raises(ValueError, match=f"{name} is missing"):
            decode_facts({other: value for other, value in encoded.items() if other != name})
    assert len(journal._FIELDS) == len(fields(Facts))


# --- indexes ------------------------------------------------------------------------------------


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
