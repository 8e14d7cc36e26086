"""LibreNMS's definition of a VPP router, asked as LibreNMS asks it, on the embedded VPP.

LibreNMS itself is in no package of Debian's.  It asks by net-snmp's tools, with the MIB in a
directory of its own; so does this.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from simulator import Simulator
from simulator.stage import ROOT, AgentProcess, Snmpd

from ..deb.story import Failed, chapter, check, until
from ..oids import IF_NAME, MIB_2

LIBRENMS = ROOT / "docs" / "managers" / "librenms"
DETECTION, DISCOVERY = (LIBRENMS / each / "vpp.yaml" for each in ("os_detection", "os_discovery"))
MIB = ROOT / "vpp_snmp_agent" / "mibs" / "VPP-SNMP-AGENT-MIB"
WALK = ("-OteQUsa", "-Ih")  # as it walks for sensors
# What VPP or the embedded one does not have.
ABSENT = {
    *("vppBfdUdp4MultihopSessions", "vppBfdUdp6MultihopSessions"),
    "vppNat44Sessions",
}
MOVING = {"vppHeartbeatAge", "vppUpTime", "vppThreadCycleShare"}  # from one answer to the next


def sensors() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each sensor and its class."""
    for kind, each in yaml.safe_load(DISCOVERY.read_text())["modules"]["sensors"].items():
        for sensor in each["data"]:
            yield kind, sensor


def run_story(directory: Path, mibs: Path, update: bool) -> None:
    """All of it, in `directory`; StageError or Failed at the first thing that does not hold."""
    del update  # nothing here is generated
    texts = directory / "mibs"
    texts.mkdir()
    for text in mibs.glob("SNMPv2-*.mib"):
        shutil.copy(text, texts / text.stem)
    shutil.copy(MIB, texts)
    vppcfg = directory / "vppcfg.yaml"
    with (
        Simulator(
            directory / "vpp", vppcfg=vppcfg, per_node_counters=True, update_interval=1.0
        ) as vpp,
        Snmpd(directory / "snmp") as snmpd,
        AgentProcess(directory, vpp, snmpd.agentx, "-c", str(vppcfg)),
    ):
        until("the interfaces are served", lambda: snmpd.column(IF_NAME))
        detected(snmpd)
        for kind, sensor in sensors():
            discovered(snmpd, texts, kind, sensor)


def _asked(snmpd: Snmpd, texts: Path, tool: str, *words: str) -> list[str]:
    mibs = ("-M", str(texts), "-m", MIB.name)
    command = snmpd.command(tool, *words, options=mibs)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or done.stderr:
        raise Failed(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout.splitlines()


def detected(snmpd: Snmpd) -> None:
    """The router is taken for one."""
    chapter("LibreNMS: detection")
    [condition] = yaml.safe_load(DETECTION.read_text())["discovery"]
    kind = snmpd.run("snmpget", f"{MIB_2}.1.2.0", options=("-Oqvn",)).stdout.strip()
    check(f"sysObjectID is {kind}", kind == condition["sysObjectID"])
    asked = condition["snmpget"]
    value = snmpd.run("snmpget", asked["oid"], options=("-Oqv",)).stdout.strip().strip('"')
    check(f"and our object {value}", re.search(asked["value"].strip("/"), value))
    chapter("LibreNMS: sensors")


def _walk(snmpd: Snmpd, texts: Path, name: str) -> dict[str, dict[str, str]]:
    """Values by index and object, as its discovery has them."""
    found: dict[str, dict[str, str]] = {}
    for line in _asked(snmpd, texts, "snmpbulkwalk", *WALK, name):
        instance, separator, value = line.partition(" = ")
        if separator and "No Such" not in value:
            known, _, index = instance.partition(".")
            found.setdefault(index, {})[known] = value.strip('"')
    return found


def discovered(snmpd: Snmpd, texts: Path, kind: str, sensor: dict[str, Any]) -> None:
    """What discovery finds by name is what polling gets by number."""
    name = sensor.get("value", sensor["oid"])
    rows: dict[str, dict[str, str]] = {}

    def is_there() -> bool:
        found = _walk(snmpd, texts, sensor["oid"])
        rows.update({index: row for index, row in found.items() if name in row})
        return bool(rows)

    if name not in ABSENT:
        until(f"{name} is there", is_there)
    check(f"{name}: {len(rows)} of {kind}", True)
    for index, row in rows.items():
        label = sensor["descr"]
        for each in re.findall(r"{{ \$(\w+) }}", label):
            label = label.replace(f"{{{{ ${each} }}}}", row[each])
        number = sensor["num_oid"].replace("{{ $index }}", index)
        [polled] = _asked(snmpd, texts, "snmpget", "-OeQUv", number)
        is_same = polled == row[name] or (name in MOVING and polled.isdecimal())
        check(f"    {label}: {polled} at {number}", is_same, row)
