"""Who may import whom: every module of the package, and the libraries that belong to one."""

import ast
from collections.abc import Iterator
from importlib.util import resolve_name
from pathlib import Path

import pytest

import vpp_snmp_agent

PACKAGE = vpp_snmp_agent.__name__
ROOT = Path(vpp_snmp_agent.__file__).parent

A_MIB = {
    *("agentx.mib", "agentx.sorted_rows", "agentx.values"),
    *("interfaces.facts", "interfaces.publisher", "interfaces.rows"),
}
A_COMMAND = {
    *("operator.__init__", "operator.output", "operator.snapshot", "runtime.loop", "settings.")
}
# What each module may import of our own; "x." is the package x and all that is in it.
ALLOWED: dict[str, set[str]] = {
    "__init__": set(),
    "__main__": {"cli"},
    "cli": {
        *("__init__", "agent", "interfaces.state", "operator.check", "operator.output"),
        "operator.ports",
        *("operator.show", "operator.show_vpp", "runtime.loop", "settings."),
    },
    "operator.__init__": set(),
    # The operator's view: what the agent would serve, without it.
    "operator.snapshot": {
        *("agentx.mib", "interfaces.", "mibs.", "runtime.sockets", "settings.", "vpp."),
    },
    "operator.output": set(),
    "operator.show": A_COMMAND | {"agentx.", "interfaces.", "vpp.records"},
    "operator.show_vpp": A_COMMAND | {"interfaces.", "vpp.records"},
    "operator.check": A_COMMAND
    | {
        *("control", "operator.check_managers", "operator.check_snmpd", "operator.check_vpp"),
        "runtime.sockets",
    },
    "operator.check_vpp": A_COMMAND
    | {"interfaces.storage", "vpp.descriptor", "vpp.records", "vpp.segment"},
    "operator.check_snmpd": A_COMMAND
    | {
        *(
            "agentx.connection",
            "runtime.affinity",
            "runtime.sockets",
            "vpp.descriptor",
            "vpp.records",
        ),
        "vpp.segment",
    },
    "operator.check_managers": A_COMMAND | {"interfaces.", "vpp.records"},
    "operator.ports": {"control", "interfaces.", "operator.output", "settings."},
    "agent": {
        *("__init__", "agentx.connection", "agentx.mib", "describing", "following"),
        *("interfaces.facts", "notifying", "runtime.affinity", "runtime.garbage"),
        *("runtime.loop", "runtime.systemd", "serving", "settings.", "vpp.__init__", "vpp.feed"),
    },
    "describing": {
        *("interfaces.journal", "runtime.__init__", "runtime.jobs", "runtime.loop", "settings."),
    },
    "notifying": {
        *("agentx.connection", "interfaces.alarms", "interfaces.links", "interfaces.publisher"),
        *("interfaces.rows", "mibs.__init__", "mibs.if_mib", "mibs.vpp_snmp_agent_mib"),
        *("runtime.loop", "settings."),
    },
    "serving": {
        *("__init__", "agentx.mib", "control", "interfaces.", "mibs.", "runtime.jobs"),
        *("runtime.loop", "settings."),
    },
    "following": {
        *("__init__", "interfaces.", "runtime.loop", "runtime.sockets", "runtime.systemd"),
        *("settings.", "vpp."),
    },
    "runtime.affinity": {"runtime.loop"},
    "runtime.garbage": set(),
    "runtime.__init__": set(),
    "runtime.loop": set(),
    "runtime.children": set(),
    "runtime.jobs": {"runtime.children", "runtime.loop"},
    "control": {"interfaces.state", "runtime.loop"},
    "agentx.connection": {
        *("__init__", "agentx.", "runtime.jobs", "runtime.loop", "runtime.sockets"),
        "settings.",
    },
    "settings.__init__": set(),
    "settings.document": set(),
    "settings.vppcfg": {"settings.document"},
    "settings.values": {"settings.document"},
    "settings.declarations": {"settings.document", "settings.values"},
    "runtime.sockets": set(),
    "runtime.systemd": set(),
    "agentx.__init__": set(),
    "agentx.values": set(),
    "agentx.pdu": {"agentx.values"},
    "agentx.mib": {"agentx.values"},
    "agentx.sorted_rows": set(),
    "agentx.fastpath": {"agentx.mib", "agentx.pdu", "agentx.values"},
    "agentx.registrations": {"agentx.mib", "agentx.pdu", "agentx.values"},
    "agentx.answers": {"agentx.mib", "agentx.pdu", "agentx.values"},
    "agentx.session": {
        *("agentx.answers", "agentx.fastpath", "agentx.mib", "agentx.pdu", "agentx.registrations"),
        "agentx.values",
    },
    "vpp.__init__": set(),
    "vpp.layout": set(),
    "vpp.mapping": {"vpp.layout"},
    "vpp.descriptor": {"vpp.mapping"},
    "vpp.entries": {"vpp.layout", "vpp.mapping"},
    "vpp.segment": {"vpp.entries", "vpp.layout", "vpp.mapping"},
    "vpp.cells": {"vpp.layout", "vpp.mapping", "vpp.segment"},
    "vpp.directory": {"vpp.segment"},
    "vpp.lacp": {"vpp.records", "vpp.router", "vpp.segment"},
    "vpp.records": set(),
    "vpp.router": {"vpp.records"},
    "vpp.transport": set(),
    "vpp.client": {"vpp.transport"},
    "vpp.details": {"vpp.client", "vpp.records"},
    "vpp.api": {"vpp.client", "vpp.details", "vpp.records"},
    "vpp.schedule": set(),
    "vpp.neighbors": {"vpp.api", "vpp.records"},
    "vpp.layer3": {"vpp.api", "vpp.client", "vpp.neighbors", "vpp.records", "vpp.schedule"},
    "vpp.pipe": {"vpp.records"},
    "vpp.inventory": {"vpp.api", "vpp.client", "vpp.layer3", "vpp.records", "vpp.schedule"},
    "vpp.reporter": {
        *("vpp.api", "vpp.client", "vpp.descriptor", "vpp.inventory", "vpp.layer3", "vpp.mapping"),
        *("vpp.pipe", "vpp.records", "vpp.transport"),
    },
    "vpp.feed": {"__init__", "runtime.children", "vpp.records"},
    "interfaces.__init__": set(),
    "interfaces.facts": {"settings.", "vpp.records", "vpp.router"},
    "interfaces.names": set(),
    "interfaces.formulas": {"vpp.layout"},
    "interfaces.reached": {"interfaces.formulas"},
    "interfaces.totals": {"interfaces.reached"},
    "interfaces.ip_statistics": {"interfaces.totals", "vpp.cells", "vpp.layout", "vpp.segment"},
    "interfaces.storage": {
        *("agentx.sorted_rows", "agentx.values", "interfaces.reached", "interfaces.totals"),
        "vpp.segment",
    },
    "interfaces.errors": {
        *("agentx.sorted_rows", "agentx.values", "interfaces.reached", "interfaces.totals"),
        *("vpp.cells", "vpp.layout", "vpp.segment"),
    },
    "interfaces.threads": {
        *("agentx.sorted_rows", "agentx.values", "vpp.cells", "vpp.layout", "vpp.records"),
        "vpp.segment",
    },
    "interfaces.system": {
        *("interfaces.errors", "interfaces.ip_statistics", "interfaces.storage"),
        *("interfaces.threads", "interfaces.totals", "interfaces.vpp_state"),
        *("interfaces.xstats", "vpp.directory", "vpp.layout", "vpp.segment"),
    },
    "interfaces.vpp_state": {"vpp.records", "vpp.segment"},
    "interfaces.xstats": {"interfaces.totals", "vpp.cells", "vpp.layout", "vpp.segment"},
    "interfaces.counters": {
        *("interfaces.formulas", "interfaces.reached", "vpp.cells", "vpp.mapping", "vpp.segment"),
    },
    "interfaces.ranges": set(),
    "interfaces.lines": {
        *("interfaces.facts", "interfaces.formulas", "interfaces.reached", "interfaces.totals"),
    },
    "interfaces.journal": {
        *("interfaces.facts", "interfaces.lines", "interfaces.ranges", "interfaces.reached"),
        "interfaces.totals",
    },
    "interfaces.writer": {
        *("interfaces.facts", "interfaces.journal", "interfaces.lines", "interfaces.totals"),
    },
    "interfaces.opening": {
        *("interfaces.__init__", "interfaces.journal", "interfaces.lines", "interfaces.totals"),
        "interfaces.writer",
    },
    "interfaces.state": {
        *("interfaces.__init__", "interfaces.counters", "interfaces.facts"),
        *("interfaces.journal", "interfaces.lines", "interfaces.opening", "interfaces.reached"),
        *("interfaces.totals", "interfaces.writer"),
    },
    "interfaces.rows": {
        *("agentx.mib", "agentx.sorted_rows", "agentx.values", "interfaces.counters"),
        *("interfaces.facts", "vpp.records", "vpp.router"),
    },
    "interfaces.host_ports": {
        *("agentx.sorted_rows", "agentx.values", "interfaces.rows", "vpp.records"),
    },
    "interfaces.alarms": {"interfaces.vpp_state"},
    "interfaces.links": {"agentx.sorted_rows", "agentx.values", "interfaces.rows"},
    "interfaces.indexes": {
        *("interfaces.counters", "interfaces.facts", "interfaces.reached", "interfaces.totals"),
    },
    "interfaces.work": set(),
    "interfaces.listing": {
        *("interfaces.__init__", "interfaces.facts", "settings.", "vpp.records", "vpp.router"),
    },
    "interfaces.neighbor_tables": {
        *("agentx.sorted_rows", "interfaces.listing", "interfaces.rows"),
        *("vpp.records", "vpp.router"),
    },
    "interfaces.moments": {"interfaces.rows"},
    "interfaces.numbering": {"interfaces.indexes", "interfaces.rows", "interfaces.state"},
    "interfaces.counting": {
        *("agentx.sorted_rows", "interfaces.counters", "interfaces.indexes"),
        *("interfaces.reached", "interfaces.rows", "interfaces.xstats", "settings."),
        "vpp.records",
    },
    "interfaces.stacking": {"interfaces.facts", "interfaces.rows", "interfaces.work"},
    "interfaces.saving": {
        *("interfaces.counters", "interfaces.counting", "interfaces.indexes", "interfaces.rows"),
        *("interfaces.state", "interfaces.system", "interfaces.work"),
    },
    "interfaces.publisher": {
        *("agentx.mib", "agentx.sorted_rows", "interfaces.__init__", "interfaces.counters"),
        *("interfaces.counting", "interfaces.facts", "interfaces.host_ports"),
        *("interfaces.indexes", "interfaces.listing", "interfaces.moments", "interfaces.names"),
        *("interfaces.neighbor_tables", "interfaces.numbering", "interfaces.rows"),
        *("interfaces.saving", "interfaces.stacking", "interfaces.state", "interfaces.system"),
        *("interfaces.work", "settings.", "vpp.records", "vpp.router"),
    },
    "mibs.__init__": {"agentx.mib", "interfaces.publisher", "mibs."},
    "mibs.if_mib": A_MIB | {"interfaces.formulas"},
    "mibs.bridge_mib": A_MIB,
    "mibs.etherlike_mib": A_MIB | {"interfaces.xstats"},
    "mibs.host_resources_mib": A_MIB,
    "mibs.ip_mib": A_MIB
    | {"mibs.ip_mib_addresses", "mibs.ip_mib_neighbors", "mibs.ip_mib_statistics"},
    "mibs.ip_mib_addresses": A_MIB,
    "mibs.ip_mib_neighbors": A_MIB | {"mibs.ip_mib_addresses"},
    "mibs.ip_mib_statistics": A_MIB | {"interfaces.ip_statistics", "mibs.ip_mib_addresses"},
    "mibs.lag_mib": A_MIB | {"vpp.records"},
    "mibs.vpp_base": set(),
    "mibs.vpp_threads": A_MIB | {"interfaces.threads", "mibs.vpp_base"},
    "mibs.vpp_errors": A_MIB | {"interfaces.errors", "mibs.vpp_base"},
    "mibs.vpp_snmp_agent_mib": A_MIB
    | {
        *("__init__", "interfaces.system", "interfaces.vpp_state", "mibs.vpp_base"),
    },
}
# Who alone may import a library.
LIBRARIES = {
    "yaml": {"settings."},
    "vpp_papi": {"vpp.client", "vpp.transport"},
    "pyagentx3": {"agentx."},
}

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in ROOT.rglob("*.py")
}


def within(module: str, names: set[str]) -> bool:
    """Whether a module is one of the names or in one of the packages."""
    return any(module.startswith(name) if name.endswith(".") else module == name for name in names)


def imported(module: str) -> Iterator[str]:
    """What a module imports anywhere in it: our own as in `MODULES`, libraries by their name."""
    package = f"{PACKAGE}.{module}".rpartition(".")[0]
    for node in ast.walk(ast.parse(MODULES[module].read_bytes())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package)
            names = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            top, _, own = name.partition(".")
            if top != PACKAGE:
                yield top
            elif own in MODULES or f"{own}.__init__" in MODULES:
                yield own if own in MODULES else f"{own}.__init__"
            else:  # what is in a module, or in a package itself
                holder = own.rpartition(".")[0]
                yield holder if holder in MODULES else f"{holder}.__init__".lstrip(".")


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_imports_only_what_stands_below_it(module: str) -> None:
    rules = [allowed for name, allowed in ALLOWED.items() if within(module, {name})]
    assert len(rules) == 1, f"{module} has no place in the house: give it one in ALLOWED"
    for name in imported(module):
        if name in MODULES:
            assert within(name, rules[0]), f"{module} must not import {name}"
        elif name in LIBRARIES:
            assert within(module, LIBRARIES[name]), f"{module} must not import {name}"


@pytest.mark.parametrize("name", sorted(ALLOWED))
def test_every_rule_is_about_a_module_that_exists(name: str) -> None:
    assert any(within(module, {name}) for module in MODULES)
