"""interfaces/lines.py: what is written comes back, or is known to be damaged."""

import json
from dataclasses import fields

import pytest

from vpp_snmp_agent.interfaces import lines
from vpp_snmp_agent.interfaces.facts import Facts
from vpp_snmp_agent.interfaces.lines import decode_facts, encode_facts

from .journals import FACTS, PLAIN, ROW_FACTS


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
    assert len(lines._FIELDS) == len(fields(Facts))
