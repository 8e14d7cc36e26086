"""docs/managers/zabbix: the template asks for what is served, and is whole in itself.

`make managers-test` has a real server import it.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from vpp_snmp_agent.mibs.vpp_base import BASE

from .managers.zabbix import NAME, TEMPLATE
from .test_mib_file import DESCRIBED, OIDS, PLAIN

EXPORT = yaml.safe_load(TEMPLATE.read_text())["zabbix_export"]
[TEXT] = EXPORT["templates"]
RULES = TEXT["discovery_rules"]
ITEMS = TEXT["items"]
PROTOTYPES = [each for rule in RULES for each in rule["item_prototypes"]]
ALL = [*ITEMS, *PROTOTYPES]
KEYS = {each["key"] for each in ALL}
MACROS = {each["macro"]: each["value"] for each in TEXT["macros"]}
INDEX = ".{#SNMPINDEX}"

# Of other MIBs, by what they are called there.
STANDARD = {
    "1.3.6.1.2.1.2.2.1.7": "ifAdminStatus",
    "1.3.6.1.2.1.31.1.1.1.1": "ifName",
    "1.2.840.10006.300.43.1.2.1.1.12": "dot3adAggPortSelectedAggID",
    "1.2.840.10006.300.43.1.2.1.1.13": "dot3adAggPortAttachedAggID",
}
NAMES = {number: each.name for number, each in DESCRIBED.items()} | STANDARD
# Left out: where a thread is placed does not change, and its name is in the names of its items.
LEFT_OUT = {"vppThreadCpu", "vppThreadName"}
# A rate is made of these alone; of vppRestarts the number is what is wanted.
RATES = {"vppErrorCount", "vppPuntPackets"}


def resolved(oid: str) -> str:
    """With the base of the MIB in the place of its macro."""
    return oid.replace("{$VPP.MIB}", MACROS["{$VPP.MIB}"])


def asked(each: dict[str, Any]) -> str:
    """The object that an item asks for, by its name; a part of the MIB's where it asks for more."""
    oid = resolved(each["snmp_oid"])
    if oid.endswith(INDEX):
        return object_of(oid.removesuffix(INDEX))
    assert oid.endswith(".0")
    return object_of(oid.removesuffix(".0"))


def object_of(number: str) -> str:
    if number == OIDS["vppSessions"]:
        return "vppSessions"
    return NAMES[number]


def triggers() -> Iterator[dict[str, Any]]:
    """All of them, of items and of rules."""
    for each in ITEMS:
        yield from each.get("triggers", ())
    for rule in RULES:
        yield from rule.get("trigger_prototypes", ())
        for each in rule["item_prototypes"]:
            yield from each.get("trigger_prototypes", ())


def graphs() -> Iterator[dict[str, Any]]:
    """All of them, of the template and of rules."""
    yield from EXPORT["graphs"]
    for rule in RULES:
        yield from rule.get("graph_prototypes", ())


def values(key: str, tree: Any = EXPORT) -> Iterator[Any]:
    """What stands anywhere under a key."""
    if isinstance(tree, dict):
        for name, each in tree.items():
            if name == key:
                yield each
            yield from values(key, each)
    elif isinstance(tree, list):
        for each in tree:
            yield from values(key, each)


def referred(expression: str, host: str) -> set[str]:
    """The keys of items that an expression names."""
    return set(re.findall(rf"/{host}/([\w.]+(?:\[[^\]]*\])?)[,)]", expression))


def test_it_is_of_zabbix_6_0_which_later_ones_take() -> None:
    assert EXPORT["version"] == "6.0"
    assert TEXT["template"] == TEXT["name"] == NAME


def test_every_uuid_is_of_version_4_and_there_once() -> None:
    found = list(values("uuid"))
    assert len(found) > 60
    assert [
        each for each in found if not re.fullmatch(r"[\da-f]{12}4[\da-f]{3}[89ab][\da-f]{15}", each)
    ] == []
    assert len(set(found)) == len(found)


def test_the_base_of_the_mib_stands_in_one_place() -> None:
    assert MACROS["{$VPP.MIB}"] == BASE
    assert TEMPLATE.read_text().count(BASE) == 1


@pytest.mark.parametrize("each", [e for e in ALL if "snmp_oid" in e], ids=lambda e: e["key"])
def test_an_item_asks_for_an_object_and_says_which(each: dict[str, Any]) -> None:
    name = asked(each)
    scalar = "{#" not in each["key"]
    assert scalar == each["snmp_oid"].endswith(".0")
    if name != "vppSessions":
        assert each["description"].startswith((f"{name}:", f"{name}."))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["key"])
def test_a_rule_walks_columns(rule: dict[str, Any]) -> None:
    words = re.fullmatch(r"discovery\[(.*)\]", rule["snmp_oid"])
    assert words
    macros, numbers = words[1].split(",")[::2], words[1].split(",")[1::2]
    assert all(re.fullmatch(r"{#[A-Z]+}", each) for each in macros)
    assert all(object_of(resolved(each)) for each in numbers)
    # What an item is called is in the answer, or made of the index.
    made = "".join(p for step in rule.get("preprocessing", ()) for p in step["parameters"])
    for name in re.findall(r"{#\w+}", "".join(e["name"] for e in rule["item_prototypes"])):
        assert name in macros or f"'{name}':" in made


def test_every_object_of_the_mib_is_asked_for() -> None:
    sessions = OIDS["vppSessions"] + "."
    readable = {
        each.name
        for number, each in DESCRIBED.items()
        if each.access == "read-only" and not number.startswith(sessions)
    }
    found = {asked(each) for each in ALL if "snmp_oid" in each}
    assert readable - found == LEFT_OUT
    assert found - readable == {"vppSessions"} | set(STANDARD.values()) - {"ifName"}


def test_sessions_are_called_what_the_mib_numbers() -> None:
    [rule] = [rule for rule in RULES if rule["key"] == "vpp.sessions.discovery"]
    kinds = dict(re.findall(r"(\d+): '(.*?)'", rule["preprocessing"][0]["parameters"][0]))
    sessions = OIDS["vppSessions"]
    named = {
        number.removeprefix(f"{sessions}."): each.name
        for number, each in DESCRIBED.items()
        if number.startswith(f"{sessions}.")
    }
    assert kinds.keys() == named.keys()
    for number, name in named.items():
        words = [word.removesuffix("v4").removesuffix("v6") for word in kinds[number].split(", ")]
        assert words[0].lower() in name.lower()
        assert ("Multihop" in name) == ("multihop" in words)
        assert ("6" in name) == ("IPv6" in kinds[number])


def test_a_rate_is_made_of_counters_alone() -> None:
    rates = {
        asked(each)
        for each in ALL
        if any(step["type"] == "CHANGE_PER_SECOND" for step in each.get("preprocessing", ()))
    }
    assert rates == RATES
    counters = set(
        re.findall(r"^(\w+) OBJECT-TYPE\s+SYNTAX Counter(?:32|64)\n", PLAIN, re.MULTILINE)
    )
    assert counters == RATES | {"vppRestarts"}


def test_what_may_be_absent_makes_no_item_unsupported() -> None:
    """A scalar that does not exist while VPP is away, and all rows."""
    steps = {each["key"]: [s["type"] for s in each.get("preprocessing", ())] for each in ALL}
    always = {each["key"] for each in ITEMS} - {
        *("vpp.segment.epoch", "vpp.segment.layout", "vpp.heartbeat.age"),
        *("vpp.inventory.age", "vpp.punt"),
    }
    assert {key for key, each in steps.items() if each[:1] != ["CHECK_NOT_SUPPORTED"]} == always


def test_every_item_of_a_trigger_is_there() -> None:
    count = 0
    for each in triggers():
        keys = referred(each["expression"], NAME)
        assert keys
        assert keys <= KEYS, each["name"]
        # No call of a function was overlooked.
        assert each["expression"].count(f"/{NAME}/") == len(
            re.findall(rf"/{NAME}/([\w.]+(?:\[[^\]]*\])?)[,)]", each["expression"])
        )
        count += 1
    assert count == 13


def test_what_a_trigger_depends_on_is_there() -> None:
    known = {(each["name"], each["expression"]) for each in triggers()}
    for each in triggers():
        for other in each.get("dependencies", ()):
            assert (other["name"], other["expression"]) in known


def test_the_states_that_it_is_all_about_are_problems() -> None:
    severity = {each["name"]: each["priority"] for each in triggers()}
    assert severity["VPP: its API hangs"] == "HIGH"
    assert severity["VPP: it is away"] == "DISASTER"
    assert len(severity) == len(list(triggers()))


def test_every_item_of_a_calculation_and_of_a_graph_is_there() -> None:
    calculated = [each for each in PROTOTYPES if each["type"] == "CALCULATED"]
    assert calculated
    for each in calculated:
        assert referred(each["params"], "") <= KEYS
        assert len(referred(each["params"], "")) == 2
    drawn = list(graphs())
    assert drawn
    for each in drawn:
        assert {line["item"]["key"] for line in each["graph_items"]} <= KEYS
        assert {line["item"]["host"] for line in each["graph_items"]} == {NAME}


def test_every_graph_of_the_dashboard_is_there() -> None:
    names = {each["name"] for each in graphs()}
    shown = [
        field["value"]["name"]
        for widget in values("widgets")
        for each in widget
        for field in each["fields"]
        if isinstance(field["value"], dict)
    ]
    assert len(shown) == 5
    assert set(shown) <= names


def test_every_macro_is_used_and_has_a_value() -> None:
    text = TEMPLATE.read_text()
    used = set(re.findall(r"\{\$[A-Z._]+", text))
    assert {macro.removesuffix("}") for macro in MACROS} == used
    for macro in MACROS:
        assert len(re.findall(re.escape(macro.removesuffix("}")) + r"[:}]", text)) > 1, macro


def test_states_are_called_what_the_mib_calls_them() -> None:
    maps = {each["name"]: each for each in TEXT["valuemaps"]}
    for name in ("vppApiState", "vppSegmentState"):
        (listed,) = re.findall(
            rf"^{name} OBJECT-TYPE\s+SYNTAX INTEGER {{(.*?)}}", PLAIN, re.MULTILINE | re.DOTALL
        )
        said = {
            each["value"]: each["newvalue"]
            for each in maps[f"VPP-SNMP-AGENT-MIB::{name}"]["mappings"]
        }
        assert said == {number: label for label, number in re.findall(r"(\w+)\((\d)\)", listed)}
    assert {each["valuemap"]["name"] for each in ALL if "valuemap" in each} == set(maps)


def test_the_package_installs_it() -> None:
    lines = (TEMPLATE.parents[3] / "debian/vpp-snmp-agent.install").read_text()
    assert "docs/managers/zabbix usr/share/vpp-snmp-agent/managers\n" in lines
