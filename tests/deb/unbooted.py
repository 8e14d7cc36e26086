"""The short story: a system that is not booted, only installed into.

Shows that the package goes with the release's Python, systemd and snmpd.
"""

import re
import shlex
from pathlib import Path

from simulator.stage import ROOT

from ..edge_router import ROWS
from ..hidden import HIDDEN, KERNEL, WHOLE
from ..oids import IF_NAME
from .debian import SOURCE, System
from .router import shown
from .story import chapter, check, eventually

UNITS = ("netns-dataplane.service", "snmpd-dataplane.service", "vpp-snmp-agent.service")
EXPOSURE = 15  # tenths, by systemd-analyze(1)
# Processes, for `proc` lines need their module; connections, for there are none.
ON_OR_EMPTY = ("25.4", "25.5", "6.19")
# What the service's flags leave out.  snmpd takes a name that it does not know in silence: only
# a walk shows whether they are this release's.
LEFT_OUT = ("2", "4", "10", "31", *(each for each in HIDDEN if each not in ON_OR_EMPTY))
GROUP = "vpp-snmp-agentx"
NOBODY = "65534"
AGENT = ("setpriv", "--reuid=vpp-snmp-agent", "--regid=vpp-snmp-agent", "--init-groups")


def run_story(suite: str, package: Path, version: str) -> None:
    """The whole story on one release."""
    with System(suite, boot=False) as system:
        chapter(f"On a clean {suite}, not booted")
        before = paths(system)
        printed = system.install(package)
        check("the package installs with what Debian has", "Setting up vpp-snmp-agent" in printed)
        check("nothing in it warns", "arning" not in printed, printed)
        check("there is no pip that could have helped", not system.succeeds("which", "pip3"))
        printed = system.run("vpp-snmp-agent", "--version")
        check(f"--version says {version}", printed == f"vpp-snmp-agent {version}", printed)
        verify_units(system)
        run_its_tests(system)
        serve(system)
        system.apt("purge", "vpp-snmp-agent")
        check_that_nothing_is_left(system, before)


def verify_units(system: System) -> None:
    """As systemd itself judges them."""
    printed = system.run("systemd-analyze", "verify", "--man=no", *UNITS)
    check("systemd-analyze has nothing against the units", printed == "", printed)
    agent = UNITS[-1]
    security = ["systemd-analyze", "security", "--offline=yes", f"--threshold={EXPOSURE}", agent]
    printed = system.run(*security)
    (exposure,) = re.findall(r"Overall exposure level.*: ([0-9.]+)", printed)
    check(
        f"the agent's exposure is {exposure}, at most {EXPOSURE / 10}",
        float(exposure) * 10 <= EXPOSURE,
    )


def run_its_tests(system: System) -> None:
    """Those of debian/tests, as a Debian CI runs them: in the source tree, here as any user."""
    control = (ROOT / "debian/tests/control").read_text()
    for name in " ".join(re.findall(r"^Tests: (.*)$", control, re.M)).split():
        directory = system.run("mktemp", "--directory")
        system.run("chown", NOBODY, directory)
        become = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        begin = ["sh", "-c", f"cd {SOURCE} && exec debian/tests/{name}"]
        printed = system.run(*become, *begin, env=[f"AUTOPKGTEST_TMP={directory}"])
        for line in printed.splitlines():
            check(
                f"debian/tests/{name}: {line.removeprefix('ok').lstrip()}", line.startswith("ok ")
            )
        check(f"debian/tests/{name} ends well", printed != "")
        system.run("rm", "--recursive", directory)


def serve(system: System) -> None:
    """VPP, snmpd and the agent, started by hand as their units say."""
    system.run("systemd-tmpfiles", "--create")
    system.run("install", "-d", "-g", "vpp", "-m", "0750", "/run/vpp")
    simulator = ["-m", "simulator", "--run-dir", "/run/vpp"]
    simulator += ["--vppcfg", "/etc/vpp/vppcfg.yaml"]
    (system.root / "etc/vpp").mkdir()
    modules = [f"PYTHONPATH={SOURCE}", "PYTHONDONTWRITEBYTECODE=1"]
    system.begin(
        "vpp", "setpriv", "--regid=vpp", "--clear-groups", "python3", *simulator, env=modules
    )
    system.run("ip", "link", "set", "lo", "up")
    conf = system.root / "etc/snmp/snmpd-dataplane.conf"
    shipped = conf.read_text()
    conf.write_text(shipped + WHOLE)
    for words in KERNEL:
        system.run("ip", *words.split())
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
    printed = system.run(*AGENT, "vpp-snmp-agent", "check", check=False)
    lines = printed.splitlines()
    # The scenario has a description with an umlaut; snmpd's namespace is for root to enter.
    notes = ("note   charset ", "note   other agents ")
    good = [line for line in lines if line.startswith(("ok ", *notes))]
    check("`check` finds all well", lines and good == lines, printed)
    printed = system.run("stat", "-c", "%U:%G %a", "/run/agentx-dataplane/master")
    check("the AgentX socket has its group", printed == f"vpp-snmp-agent:{GROUP} 660", printed)
    printed = system.run("vpp-snmp-agent", "check", check=False)
    check(
        "which nobody else is in", f"ok     AgentX group      nobody else is in {GROUP}" in printed
    )
    check("and root is shown no other agent", "where FRR never is: none" in printed, printed)
    found = shown(system, HIDDEN)
    check("what grows with the kernel or the machine is hidden", not found, found)
    system.end("agent")
    found = shown(system, LEFT_OUT, community="whole")
    check("without the agent nothing of the kernel's shows, view or not", not found, found)
    system.end("snmpd")
    system.begin("snmpd", *with_all_modules(command), env=environment)
    eventually(
        "where snmpd runs with all its modules each of these tables shows",
        lambda: all(shown(system, (each,), community="whole") for each in LEFT_OUT),
    )
    for name in ("snmpd", "vpp"):
        system.end(name)
    conf.write_text(shipped)
    system.run("rm", "-r", "/etc/vpp", "/run/snmpd-dataplane.pid")  # the latter is systemd's to do


def started_by(unit: str) -> tuple[list[str], list[str]]:
    """The command line of a service, and its environment."""
    text = unit.replace("\\\n", " ")
    (command,) = re.findall(r"^ExecStart=(.*)$", text, re.M)
    return shlex.split(command), re.findall(r"^Environment=(.*)$", text, re.M)


def with_all_modules(command: list[str]) -> list[str]:
    """A command line of snmpd without its flags -I."""
    pairs = zip(["", *command], command, strict=False)
    return [word for before, word in pairs if "-I" not in (before, word)]


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
    check("nor the AgentX socket's group", not system.succeeds("getent", "group", GROUP))
