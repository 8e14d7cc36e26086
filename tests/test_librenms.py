"""docs/managers/librenms: definitions of the form that LibreNMS has, of objects that are served.

`make managers-test` asks the embedded VPP by them.
"""

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from vpp_snmp_agent.mibs.vpp_base import BASE

from .managers.librenms import DETECTION, DISCOVERY, sensors
from .test_mib_file import CACHE, DESCRIBED, NAME, OIDS, PLAIN

# Its resources/definitions/schema: of its sources, to be put there by hand.
SCHEMAS = CACHE / "vpp-snmp-agent" / "librenms"
SENSORS = list(sensors())
WARNING, CRITICAL = 1, 2


def object_of(sensor: dict[str, Any]) -> str:
    """The name of what a sensor shows."""
    return str(sensor.get("value", sensor["oid"]))


def complaints(schema: str, document: Any) -> list[str]:
    """What LibreNMS's own schema says of a definition."""
    jsonschema = pytest.importorskip("jsonschema", reason="no jsonschema")
    path = SCHEMAS / schema
    if not path.is_file():
        pytest.skip(f"no schemas of LibreNMS in {SCHEMAS}: docs/managers/librenms.md")
    validator = jsonschema.Draft202012Validator(json.loads(path.read_text()))
    return [each.message for each in validator.iter_errors(document)]


@pytest.mark.parametrize(
    ("schema", "path"), [("os_schema.json", DETECTION), ("discovery_schema.json", DISCOVERY)]
)
def test_it_is_of_the_form_that_librenms_has(schema: str, path: Path) -> None:
    assert complaints(schema, yaml.safe_load(path.read_text())) == []


def test_a_slip_is_not_of_that_form() -> None:
    detection = yaml.safe_load(DETECTION.read_text())
    del detection["discovery"][0]["sysObjectID"]
    assert complaints("os_schema.json", detection)
    discovery = yaml.safe_load(DISCOVERY.read_text())
    wrong = copy.deepcopy(discovery)
    wrong["modules"]["sensors"]["delay"]["data"][0]["hihg_limit"] = 31
    assert complaints("discovery_schema.json", wrong)
    del discovery["modules"]["sensors"]["state"]["data"][0]["num_oid"]
    assert complaints("discovery_schema.json", discovery)


def test_a_router_is_known_by_what_is_there_whether_vpp_is_or_not() -> None:
    [condition] = yaml.safe_load(DETECTION.read_text())["discovery"]
    assert condition["snmpget"]["oid"] == f".{OIDS['vppAgentVersion']}.0"
    # Without the other condition every device of LibreNMS's would be asked for it.
    assert condition["sysObjectID"] == ".1.3.6.1.4.1.8072.3.2.10"


@pytest.mark.parametrize(("kind", "sensor"), SENSORS, ids=lambda each: str(each)[:40])
def test_a_sensor_is_polled_where_it_is_discovered(kind: str, sensor: dict[str, Any]) -> None:
    name = object_of(sensor)
    assert sensor["num_oid"] == f".{OIDS[name]}.{{{{ $index }}}}"
    assert sensor["index"] == f"{name}.{{{{ $index }}}}"
    assert DESCRIBED[OIDS[name]].access == "read-only"
    assert OIDS[name].startswith(OIDS[sensor["oid"]])
    described = re.findall(r"{{ \$(\w+) }}", sensor["descr"])
    assert all(OIDS[each].startswith(OIDS[sensor["oid"]]) for each in described)


def test_no_two_sensors_are_the_same() -> None:
    for part in ("index", "descr"):
        assert len({sensor[part] for _, sensor in SENSORS}) == len(SENSORS)


def test_states_are_called_what_the_mib_calls_them() -> None:
    found = {}
    for kind, sensor in SENSORS:
        if kind == "state":
            name = object_of(sensor)
            (listed,) = re.findall(
                rf"^{name} OBJECT-TYPE\s+SYNTAX INTEGER {{(.*?)}}", PLAIN, re.MULTILINE | re.DOTALL
            )
            said = {each["descr"]: each["value"] for each in sensor["states"]}
            assert said == {
                label: int(number) for label, number in re.findall(r"(\w+)\((\d)\)", listed)
            }
            found[name] = {each["descr"]: each["generic"] for each in sensor["states"]}
    assert found["vppApiState"] == {
        "answering": 0,
        "hung": CRITICAL,
        "away": CRITICAL,
        "notReached": WARNING,
    }
    assert found["vppSegmentState"]["stuck"] == CRITICAL


def test_every_number_below_the_base_is_of_a_name() -> None:
    text = DETECTION.read_text() + DISCOVERY.read_text()
    assert text.count(BASE) == len(SENSORS) + 1
    assert yaml.safe_load(DISCOVERY.read_text())["mib"] == NAME
    for name in re.findall(rf"{NAME}::(\w+)\.0", text):
        assert DESCRIBED[OIDS[name]].access == "read-only"


def test_what_librenms_finds_by_itself_is_left_to_it() -> None:
    """Memory and processors of the machine: a definition of ours would take their place."""
    modules = yaml.safe_load(DISCOVERY.read_text())["modules"]
    assert set(modules) == {"os", "sensors"}


def test_the_package_installs_it() -> None:
    lines = (DETECTION.parents[4] / "debian/vpp-snmp-agent.install").read_text()
    assert "docs/managers/librenms usr/share/vpp-snmp-agent/managers\n" in lines
