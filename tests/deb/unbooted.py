"""The short story: a system that is not booted, only installed into.

Shows that the package goes with the release's Python, systemd and snmpd.
"""

import re
import shlex
from pathlib import Path

from .debian import SIMULATOR, System
from .router import IF_NAME, ROWS
from .told import chapter, check, eventually

UNITS = ("netns-dataplane.service", "snmpd-dataplane.service", "vpp-snmp-agent.service")
EXPOSURE = 15  # tenths, by systemd-analyze(1)
AGENT = ("setpriv", "--reuid=vpp-snmp-agent", "--regid=vpp-snmp-agent", "--init-groups")


def tell(suite: str, package: Path, version: str) -> None:
    """The whole story on one release."""
    with System(suite, boot=False) as system:
        chapter(f"On a clean {suite}, not booted")
        before = paths(system)
        told = system.install(package)
        check("the package installs with what Debian has", "Setting up vpp-snmp-agent" in told)
        check("nothing in it warns", "arning" not in told, told)
        check("there is no pip that could have helped", not system.succeeds("which", "pip3"))
        told = system.run("vpp-snmp-agent", "--version")
        check(f"--version says {version}", told == f"vpp-snmp-agent {version}", told)
        verify_units(system)
        serve(system)
        system.apt("purge", "vpp-snmp-agent")
        check_that_nothing_is_left(system, before)


def verify_units(system: System) -> None:
    """As systemd itself judges them."""
    told = system.run("systemd-analyze", "verify", "--man=no", *UNITS)
    check("systemd-analyze has nothing against the units", told == "", told)
    agent = UNITS[-1]
    security = ["systemd-analyze", "security", "--offline=yes", f"--threshold={EXPOSURE}", agent]
    told = system.run(*security)
    (exposure,) = re.findall(r"Overall exposure level.*: ([0-9.]+)", told)
    check(
        f"the agent's exposure is {exposure}, at most {EXPOSURE / 10}",
        float(exposure) * 10 <= EXPOSURE,
    )


def serve(system: System) -> None:
    """VPP, snmpd and the agent, started by hand as their units say."""
    system.run("systemd-tmpfiles", "--create")
    system.run("install", "-d", "-g", "vpp", "-m", "0750", "/run/vpp")
    simulator = ["-m", "vpp_snmp_agent.simulator", "--run-dir", "/run/vpp"]
    simulator += ["--vppcfg", "/etc/vpp/vppcfg.yaml"]
    (system.root / "etc/vpp").mkdir()
    modules = [f"PYTHONPATH={SIMULATOR}", "PYTHONDONTWRITEBYTECODE=1"]
    system.begin(
        "vpp", "setpriv", "--regid=vpp", "--clear-groups", "python3", *simulator, env=modules
    )
    system.run("ip", "link", "set", "lo", "up")
    unit = (system.root / "lib/systemd/system/snmpd-dataplane.service").read_text()
    command, environment = started_by(unit)
    system.begin("snmpd", *command, env=environment)
    system.run("install", "-d", "-o", "vpp-snmp-agent", "/var/lib/vpp-snmp-agent")
    system.begin("agent", *AGENT, "vpp-snmp-agent")
    walk = ("snmpbulkwalk", "-v2c", "-c", "public", "-On", "127.0.0.1", IF_NAME)
    eventually(
        f"by the units' command lines snmpd and the agent serve {ROWS} ports",
        lambda: system.run(*walk, check=False, env=["MIBS="]).count("STRING") == ROWS,
    )
    told = system.run(*AGENT, "vpp-snmp-agent", "check", check=False)
    lines = told.splitlines()
    good = [line for line in lines if line.startswith("ok ")]
    check("`check` finds all well", lines and good == lines, told)
    for name in ("agent", "snmpd", "vpp"):
        system.end(name)
    system.run("rm", "-r", "/etc/vpp", "/run/snmpd-dataplane.pid")  # the latter is systemd's to do


def started_by(unit: str) -> tuple[list[str], list[str]]:
    """The command line of a service, and its environment."""
    text = unit.replace("\\\n", " ")
    (command,) = re.findall(r"^ExecStart=(.*)$", text, re.M)
    return shlex.split(command), re.findall(r"^Environment=(.*)$", text, re.M)


# --- what is left ----------------------------------------------------------------------------

# What any installation of any package changes.
CHANGING = re.compile(
    r"/(var/lib/(dpkg|apt|systemd)|var/(cache|log|backups)|etc/(group|gshadow|passwd|shadow)|"
    r"etc/sub.id|var/lib/snmp|run|etc/machine-id)\b"
)


def paths(system: System) -> set[str]:
    """All there is on the system's disk, but for what any installation changes."""
    found = system.run("find", "/", "-xdev").splitlines()
    return {path for path in found if not CHANGING.match(path)}


def check_that_nothing_is_left(system: System, before: set[str]) -> None:
    """After a purge."""
    left = paths(system) - before
    check("after a purge no file is left", not left, "\n".join(sorted(left)))
    named = system.run("find", "/run", "/var/lib", "/etc", "-name", "*vpp-snmp-agent*").splitlines()
    named += system.run("find", "/run", "/var/lib", "/etc", "-name", "*-dataplane*").splitlines()
    # What systemd knows of a unit that is active goes with the namespace.
    named = [path for path in named if not re.match("/var/lib/dpkg/|/run/systemd/units/", path)]
    check("nor what the system kept about the units", not named, "\n".join(named))
    check("nor the agent's user", not system.succeeds("getent", "passwd", "vpp-snmp-agent"))
