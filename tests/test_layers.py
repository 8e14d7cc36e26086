"""Who may import whom: every module of the package, and the libraries that belong to one."""

import ast
from collections.abc import Iterator
from importlib.util import resolve_name
from pathlib import Path

import pytest

import vpp_snmp_agent

PACKAGE = vpp_snmp_agent.__name__
ROOT = Path(vpp_snmp_agent.__file__).parent

# What each module may import of our own; "x." is the package x and all that is in it.
ALLOWED: dict[str, set[str]] = {
    "__init__": set(),
    "__main__": {"cli"},
    "cli": {"__init__", "agent", "check", "config", "show"},
    # The operator's view: what the agent would serve, without it.
    "look": {
        *("config", "sockets", "vpp."),
        *("interfaces.naming", "interfaces.store", "interfaces.table"),
    },
    "show": {"agentx.", "config", "interfaces.naming", "interfaces.table", "look", "mibs."},
    "check": {"config", "interfaces.table", "look", "sockets", "vpp.stats"},
    "agent": {
        *("__init__", "config", "errand", "loop", "master", "sockets", "systemd"),
        *("agentx.", "interfaces.", "mibs.", "vpp."),
    },
    "loop": set(),
    "errand": {"loop"},
    "master": {"__init__", "agentx.", "config", "loop", "sockets"},
    "config": set(),
    "sockets": set(),
    "systemd": set(),
    "agentx.__init__": set(),
    "agentx.pdu": set(),
    "agentx.mib": {"agentx.pdu"},
    "agentx.shortcut": {"agentx.pdu", "agentx.mib"},
    "agentx.session": {"agentx.pdu", "agentx.mib", "agentx.shortcut"},
    "vpp.__init__": set(),
    "vpp.layout": set(),
    "vpp.stats": {"vpp.layout"},
    "vpp.inventory": set(),
    "vpp.api": {"vpp.inventory"},
    "vpp.layer3": {"vpp.api", "vpp.inventory"},
    "vpp.reporter": {"vpp.api", "vpp.inventory", "vpp.layer3", "vpp.stats"},
    "vpp.feed": {"vpp.inventory"},
    "interfaces.__init__": set(),
    "interfaces.naming": {"config", "vpp.inventory"},
    "interfaces.counters": {"vpp.layout", "vpp.stats"},
    "interfaces.store": set(),
    "interfaces.stacking": {"vpp.inventory"},
    "interfaces.links": {"agentx.mib", "agentx.pdu", "interfaces.table"},
    "interfaces.table": {
        *("agentx.mib", "agentx.pdu", "config", "vpp.inventory", "vpp.stats"),
        *("interfaces.__init__", "interfaces.counters", "interfaces.naming"),
        *("interfaces.stacking", "interfaces.store"),
    },
    "mibs.__init__": {"agentx.mib", "interfaces.table", "mibs."},
    "mibs.if_mib": {"agentx.mib", "agentx.pdu", "interfaces.counters", "interfaces.table"},
    "mibs.etherlike_mib": {"agentx.mib", "agentx.pdu", "interfaces.naming", "interfaces.table"},
    "mibs.ip_mib": {"agentx.mib", "agentx.pdu", "interfaces.table", "vpp.inventory"},
    "mibs.lag_mib": {
        *("agentx.mib", "agentx.pdu", "interfaces.naming", "interfaces.table", "vpp.inventory"),
    },
    "simulator.": {"simulator.", "vpp.layout"},
}
# Who alone may import a library.
LIBRARIES = {"yaml": {"config"}, "vpp_papi": {"vpp.api"}, "pyagentx3": {"agentx."}}

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
