"""Prometheus by Debian's snmp_exporter, with what is shipped for both, on the embedded VPP.

Everything runs in the network namespace of the private snmpd, so that no port of the machine
is used.
"""

import difflib
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import yaml

from simulator import Simulator, Truth
from simulator.counters import ERRORS
from simulator.stage import ROOT, AgentProcess, Process, Snmpd, StageError

from ..deb.story import Failed, chapter, check, eventually, until
from ..oids import IF_NAME
from . import packages
from .exposition import (
    PROMETHEUS,
    RULES,
    SCRAPES,
    SNMP,
    Query,
    Sample,
    dashboard_queries,
    module_metrics,
    modules,
    rules,
    samples,
)

EXPORTER, SERVER = "127.0.0.1:9116", "127.0.0.1:9090"
INTERVAL = "1s"  # of scrapes and rules: nobody waits for minutes here
RATE_WINDOW = "10s"  # what Grafana would set $__rate_interval to, and more
MIB = ROOT / "vpp_snmp_agent" / "mibs"
NEEDED_MIBS = (
    *("SNMPv2-SMI", "SNMPv2-TC", "SNMPv2-CONF", "SNMPv2-MIB"),
    *("IANAifType-MIB", "IF-MIB"),
)
RULES_TEST = Path(__file__).with_name("rules_test.yml")

# What the embedded VPP has not, so that no such object is served.
ABSENT = {
    "vppBfdUdp4MultihopSessions",
    "vppBfdUdp6MultihopSessions",
    "vppNat44Sessions",
    "vppThreadInputRate",  # of threads it reports none
    "vppThreadCycleShare",  # it does not run with per-node-counters
}
# Metrics of the second module by what VPP counts.
COUNTERS = {
    "ifHCInOctets": lambda truth: truth.rx.bytes,
    "ifHCOutOctets": lambda truth: truth.tx.bytes,
    "ifInErrors": lambda truth: truth.simple["rx-error"],
    "ifOutErrors": lambda truth: truth.simple["tx-error"],
}
API_STATES = {"answering": 1, "hung": 2, "away": 3}
LINK = "GigabitEthernet5/0/0"  # eno1
MEMBER = "TenGigabitEthernet1/0/0"  # of BondEthernet0

FETCH = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1], timeout=30).read().decode())"


@dataclass(frozen=True)
class Commands:
    """What Debian's two packages bring."""

    exporter: Path
    generator: Path
    server: Path
    promtool: Path


class Daemon(Process):
    """An exporter or a server, where snmpd stands."""

    def __init__(self, log: Path, snmpd: Snmpd, *command: str) -> None:
        super().__init__(log)
        self._command = [*snmpd.enter(), *command]


def fetch(snmpd: Snmpd, url: str) -> str | None:
    """A page, from where snmpd stands; None if it is unavailable."""
    command = [*snmpd.enter(), sys.executable, "-I", "-c", FETCH, url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return None if done.returncode else done.stdout


def run_story(directory: Path, mibs: Path, update: bool) -> None:
    """All of it, in `directory`; StageError or Failed at the first thing that does not hold."""
    commands = _commands(directory)
    generate(commands, directory, mibs, update)
    check_rules(commands, directory)
    vppcfg = directory / "vppcfg.yaml"
    with (
        Simulator(directory / "vpp", vppcfg=vppcfg, update_interval=1.0) as vpp,
        Snmpd(directory / "snmp") as snmpd,
        AgentProcess(directory, vpp, snmpd.agentx, "-c", str(vppcfg)) as agent,
        Daemon(
            *(directory / "exporter.log", snmpd, str(commands.exporter)),
            *(f"--config.file={SNMP}", f"--web.listen-address={EXPORTER}"),
        ),
    ):
        until("the interfaces are served", lambda: snmpd.column(IF_NAME))
        scraped(vpp, snmpd)
        with server(commands, directory, snmpd):
            drawn(snmpd)
            alarmed(vpp, snmpd, agent)


def _commands(directory: Path) -> Commands:
    chapter("Debian's packages")
    names = ("prometheus-snmp-exporter", "prometheus-snmp-generator")
    exporter, generator = packages.commands(directory / "exporter", names[0], *names)
    names = ("prometheus", "promtool")
    server, promtool = packages.commands(directory / "prometheus", names[0], *names)
    for command in (exporter, server):
        done = subprocess.run([command, "--version"], capture_output=True, text=True, check=False)
        version = (done.stdout + done.stderr).partition("(")[0]
        check(version.strip(), done.returncode == 0, done.stderr)
    return Commands(exporter, generator, server, promtool)


# --- without a router --------------------------------------------------------------------------


def generate(commands: Commands, directory: Path, mibs: Path, update: bool) -> None:
    """snmp.yml is what the generator makes of generator.yml."""
    chapter("The modules of snmp_exporter")
    made, texts = directory / "generated", directory / "mibs"
    made.mkdir()
    texts.mkdir()
    for name in NEEDED_MIBS:
        text = mibs / f"{name}.mib"
        if not text.exists():
            raise Failed(f"{name} is not in {mibs}: `make mibs` puts it there")
        shutil.copy(text, texts / name)
    shutil.copy(MIB / "VPP-SNMP-AGENT-MIB", texts)
    for text in (PROMETHEUS / "mibs").iterdir():
        shutil.copy(text, texts)
    shutil.copy(PROMETHEUS / "generator.yml", made)
    done = subprocess.run(
        [commands.generator, "--fail-on-parse-errors", "generate"],
        cwd=made,
        env={"MIBDIRS": str(texts)},
        capture_output=True,
        text=True,
        check=False,
    )
    check("the generator finds no fault with the MIBs", done.returncode == 0, done.stderr)
    if update:
        shutil.copy(made / "snmp.yml", SNMP)
    there, new = SNMP.read_text(), (made / "snmp.yml").read_text()
    diff = "".join(difflib.unified_diff(there.splitlines(True), new.splitlines(True)))
    check("snmp.yml is what the generator makes of generator.yml", there == new, diff)


def check_rules(commands: Commands, directory: Path) -> None:
    """What promtool says of rules.yml and of prometheus.yml."""
    chapter("The rules")
    tested = directory / "rules"
    tested.mkdir()
    for path in (RULES, SCRAPES, RULES_TEST):
        shutil.copy(path, tested)
    for words in (
        ("check", "rules", RULES.name),
        ("test", "rules", RULES_TEST.name),
        ("check", "config", "--syntax-only", SCRAPES.name),
    ):
        command = [commands.promtool, *words]
        done = subprocess.run(command, cwd=tested, capture_output=True, text=True, check=False)
        check(f"promtool {' '.join(words)}", done.returncode == 0, done.stdout + done.stderr)


# --- what the exporter says --------------------------------------------------------------------


def scrape(snmpd: Snmpd, module: str) -> list[Sample]:
    """What the exporter says of the router by one module; empty if it says nothing."""
    page = fetch(snmpd, f"http://{EXPORTER}/snmp?target=127.0.0.1&module={module}")
    return [] if page is None else list(samples(page))


def value(snmpd: Snmpd, module: str, name: str) -> float | None:
    """The value of a metric of which there is one sample."""
    return next((each.value for each in scrape(snmpd, module) if each.name == name), None)


def scraped(vpp: Simulator, snmpd: Snmpd) -> None:
    """Names, labels and values are what snmp.yml and the simulator say."""
    chapter("What snmp_exporter says")
    until("the exporter answers", lambda: scrape(snmpd, "vpp"))
    expected = {module: set(module_metrics(module)) - ABSENT for module in modules()}
    for module, names in expected.items():
        _wait_for(snmpd, module, names)
        took = _check_names(module, scrape(snmpd, module))
        check(f"{module}: {len(names)} metrics under their names and labels, in {took:.3f} s", True)
    vpp.freeze()
    check_state(vpp, scrape(snmpd, "vpp"))
    check_interfaces(vpp, scrape(snmpd, "vpp_interfaces"))
    vpp.run()


def _wait_for(snmpd: Snmpd, module: str, names: set[str]) -> None:
    """Until all metrics are there; Failed with those that are not in time."""
    missing = names

    def nothing_missing() -> bool:
        nonlocal missing
        missing = names - {each.name for each in scrape(snmpd, module)}
        return not missing

    try:
        until(f"all of {module} is there", nothing_missing)
    except StageError as error:
        raise Failed(f"{error}: {', '.join(sorted(missing))} missing") from error


def _check_names(module: str, said: list[Sample]) -> float:
    """The metrics and labels are those of snmp.yml and no others; how long it took."""
    known, took = module_metrics(module), 0.0
    for each in said:
        if each.name == "snmp_scrape_duration_seconds":
            took = each.value
        elif not each.name.startswith("snmp_scrape_") and known.get(each.name) != frozenset(
            each.labels
        ):
            raise Failed(f"{each} is not what the module {module} has")
    return took


def check_state(vpp: Simulator, said: list[Sample]) -> None:
    """The state and the memory, against the simulator."""
    values = {each.name: each for each in said if len(each.labels) <= 1}
    check("vppApiState is answering(1)", values["vppApiState"].value == 1, values)
    check("vppPid is the embedded VPP's", values["vppPid"].value == vpp.pid, values["vppPid"])
    number = len(vpp.interfaces())
    check(f"vppInterfaces is {number}", values["vppInterfaces"].value == number)
    for column, name in enumerate(("vppHeapSize", "vppHeapUsed")):
        heaps = {s.labels["vppHeapName"]: s.value for s in said if s.name == name}
        truth = {heap: amounts[column] for heap, amounts in vpp.heaps().items()}
        check(f"{name} of {', '.join(sorted(truth))}", heaps == truth, (heaps, truth))
    names = {s.labels["vppThreadName"] for s in said if s.name == "vppThreadLoopRate"}
    check(f"threads by name: {', '.join(sorted(names))}", names and all(names), names)
    errors = {
        (s.labels["vppErrorNode"], s.labels["vppErrorReason"]): s.value
        for s in said
        if s.name == "vppErrorCount"
    }
    counted = {(node, reason): count for node, reason, _, count in ERRORS if count}
    check(f"{len(counted)} errors by node and reason", counted.items() <= errors.items(), errors)
    pool = {s.name: s.value for s in said if s.name.startswith("vppBufferPool")}
    parts = sum(pool[f"vppBufferPool{part}"] for part in ("Used", "Cached", "Available"))
    check("every buffer is used, cached or available", parts == pool["vppBufferPoolSize"], pool)


def check_interfaces(vpp: Simulator, said: list[Sample]) -> None:
    """Counters by ifIndex, against the simulator, while traffic stands still."""
    truths = {str(1000 + truth.sw_if_index): truth for truth in vpp.truth().values()}
    compared = 0
    for each in said:
        if each.name in COUNTERS:
            truth: Truth = truths[each.labels["ifIndex"]]
            if each.value != COUNTERS[each.name](truth):
                raise Failed(f"{each} is not what VPP counted: {truth}")
            compared += each.value > 0
    check(f"{compared} counters above zero of ports are VPP's", compared)
    aliases = {s.labels["ifName"]: s.labels["ifAlias"] for s in said if "ifName" in s.labels}
    check(f"eno1 has its ifAlias: {aliases.get('eno1')}", aliases.get("eno1"), aliases)
    members = {
        each.labels["ifName"]: each.value
        for each in said
        if each.name == "dot3adAggPortAttachedAggID"
    }
    check(f"members of bonds: {', '.join(sorted(members))}", len(members) == 2, members)


# --- what Prometheus makes of it ---------------------------------------------------------------


@contextmanager
def server(commands: Commands, directory: Path, snmpd: Snmpd) -> Iterator[None]:
    """Prometheus, with the shipped configuration but for its intervals and its target."""
    configuration = yaml.safe_load(SCRAPES.read_text())
    configuration["global"] = {"evaluation_interval": INTERVAL}
    configuration["rule_files"] = [str(RULES)]
    for job in configuration["scrape_configs"]:
        job["scrape_interval"] = job["scrape_timeout"] = INTERVAL
        job["static_configs"] = [{"targets": ["127.0.0.1"]}]
    path = directory / "prometheus.yml"
    path.write_text(yaml.safe_dump(configuration))
    with Daemon(
        *(directory / "prometheus.log", snmpd, str(commands.server)),
        *(f"--config.file={path}", f"--web.listen-address={SERVER}"),
        f"--storage.tsdb.path={directory / 'tsdb'}",
    ):
        yield


def api(snmpd: Snmpd, what: str, **parameters: str) -> dict[str, Any] | None:
    """What Prometheus answers; None while it does not."""
    page = fetch(snmpd, f"http://{SERVER}/api/v1/{what}?{urlencode(parameters)}")
    return None if page is None else json.loads(page)["data"]


def answered(snmpd: Snmpd, query: Query) -> list[Any]:
    """The result of an expression, with Grafana's variables filled in."""
    expression = query.expression
    for variable, text in (
        ("$instance", "127.0.0.1"),
        ("$port", ".*"),
        ("$__rate_interval", RATE_WINDOW),
    ):
        expression = expression.replace(variable, text)
    # Whether there is anything above zero is no part of the question.
    result = api(snmpd, "query", query=re.sub(r" > 0(?=\)?$)", "", expression))
    return [] if result is None else list(result["result"])


def drawn(snmpd: Snmpd) -> None:
    """Each panel of the dashboard has something to draw, and each record of the rules."""
    chapter("What Prometheus and Grafana have of it")
    until("Prometheus answers", lambda: api(snmpd, "query", query="vppApiState"))
    queries = [each for each in dashboard_queries() if not each.metrics <= ABSENT]
    waiting = queries

    def all_answered() -> bool:
        nonlocal waiting
        waiting = [query for query in waiting if not answered(snmpd, query)]
        return not waiting

    try:
        until("every panel has data", all_answered)
    except StageError as error:
        raise Failed(f"{error}: {waiting}") from error
    check(f"all {len(queries)} expressions of the dashboard give something", True)
    for record in [rule["record"] for rule in rules() if "record" in rule]:
        eventually(f"{record} is recorded", partial(answered, snmpd, Query(record, record)))
    groups = (api(snmpd, "rules") or {})["groups"]
    ill = [rule for group in groups for rule in group["rules"] if rule["health"] != "ok"]
    check("Prometheus evaluates all rules", not ill, ill)
    check("no alert is raised of a healthy router", not alerts(snmpd), alerts(snmpd))


def alerts(snmpd: Snmpd) -> dict[str, str]:
    """`pending` or `firing` by an alert's name."""
    found = (api(snmpd, "alerts") or {"alerts": []})["alerts"]
    return {each["labels"]["alertname"]: each["state"] for each in found}


def alarmed(vpp: Simulator, snmpd: Snmpd, agent: AgentProcess) -> None:
    """What happens to the router is an alert, and the right one."""
    chapter("Alerts")
    began = time.monotonic()
    vpp.hang()
    until("the hang shows", lambda: value(snmpd, "vpp", "vppApiState") == API_STATES["hung"])
    print(f"ok     vppApiState is hung(2), {time.monotonic() - began:.0f} s after VPP hung")
    until("VppApiHung fires", lambda: alerts(snmpd).get("VppApiHung") == "firing")
    print(f"ok     VppApiHung fires, {time.monotonic() - began:.0f} s after VPP hung", flush=True)
    before = _octets(snmpd)
    eventually("its ports count on meanwhile", lambda: _octets(snmpd) > before)
    vpp.resume()
    eventually("the alert ends when VPP answers", lambda: not alerts(snmpd))

    vpp.set_link(LINK, False)
    eventually("VppPortDown of a link that fails", lambda: "VppPortDown" in alerts(snmpd))
    check("and no other alert", set(alerts(snmpd)) == {"VppPortDown"}, alerts(snmpd))
    vpp.set_link(LINK, True)
    eventually("it ends with the link", lambda: not alerts(snmpd))
    vpp.set_active(MEMBER, False)
    eventually("VppBondMemberLost of a member", lambda: "VppBondMemberLost" in alerts(snmpd))
    vpp.set_active(MEMBER, True)
    eventually("it ends when it is back", lambda: not alerts(snmpd))

    vpp.kill()
    eventually("VppAway when VPP ends", lambda: "VppAway" in alerts(snmpd))
    until("the ports are down", lambda: _states(snmpd) <= {2, 7})
    eventually("its ports are no alarm beside", lambda: set(alerts(snmpd)) == {"VppAway"})
    vpp.start()
    eventually("VppRestarted when it is back", lambda: set(alerts(snmpd)) == {"VppRestarted"})
    agent.stop()
    eventually("VppNotWatched when the agent ends", lambda: "VppNotWatched" in alerts(snmpd))


def _states(snmpd: Snmpd) -> set[float]:
    said = scrape(snmpd, "vpp_interfaces")
    return {each.value for each in said if each.name == "ifOperStatus"}


def _octets(snmpd: Snmpd) -> float:
    said = scrape(snmpd, "vpp_interfaces")
    return sum(each.value for each in said if each.name == "ifHCInOctets")
