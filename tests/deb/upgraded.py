"""From 0.1.0 to this version: the router that was set up before keeps its ports and its files."""

from pathlib import Path

from . import before
from .booted import AGENT, CONF, SETTINGS, SNMPD, edit, keeps
from .debian import System
from .router import IN_NAMESPACE, VPP, pid, ports, state, wait_for_rows, write_unit
from .story import Failed, chapter, check, eventually
from .unbooted import UNITS, check_that_nothing_is_left, paths

KEEP = "--option=Dpkg::Options::=--force-confold"  # as who answers N to dpkg's question
STATE = "var/lib/vpp-snmp-agent"
# Another order of VPP's indexes than after its restart: ifIndexes that only the state knows.
OTHER_ORDER = VPP.replace(" --run-dir ", " --seed 7 --run-dir ")
IN_VPPS_ORDER = '1025 "bond0.100"'  # as an agent without a state numbers it after the restart
MODULES = "/usr/share/vpp-snmp-agent"


def run_story(suite: str, package: Path, version: str) -> None:
    """The whole story, or a line that says why not."""
    chapter(f"Upgraded from {before.VERSION}")
    if not before.in_history():
        reason = f"{before.COMMIT[:7]} is not in the history: a shallow clone?"
        print(f"SKIPPED the upgrade from {before.VERSION}: {reason}", flush=True)
        return
    old = before.package()
    with System(suite, boot=True) as system:
        clean = paths(system)
        try:
            set_up(system, old)
            upgrade(system, package, version)
            go_back(system, old, package)
            purge(system)
            check_that_nothing_is_left(system, clean)
        except Exception as error:
            journal = system.run("journalctl", "--no-pager", "--lines=60", check=False)
            raise Failed(f"{error}\n\nThe journal says:\n{journal}") from error


def set_up(system: System, old: Path) -> None:
    """A router with 0.1.0, whose VPP was restarted since."""
    system.install(old)
    write_unit(system, "vpp.service", OTHER_ORDER)
    system.run("systemctl", "enable", "--now", "vpp.service")
    wait_for_rows(system)
    first = ports(system, *IN_NAMESPACE)
    check(f"{before.VERSION} serves", "bond0.100" in first and IN_VPPS_ORDER not in first, first)
    system.run("systemctl", "stop", "vpp.service")
    write_unit(system, "vpp.service", VPP)
    system.run("systemctl", "start", "vpp.service")
    keeps(system, first, "and keeps ifIndexes that its state alone knows")
    for path, line in ((SETTINGS, '\nspeeds: { "loop*": 4321 }\n'), (CONF, "\nsysName edge\n")):
        file = system.root / path
        file.write_text(file.read_text() + line)
    edit(system, CONF, "^sysLocation unknown$", "sysLocation here")
    system.run("systemctl", "restart", SNMPD, AGENT)
    keeps(system, first, "the operator's settings are in force")


def upgrade(system: System, package: Path, version: str) -> None:
    """As `apt install ./package` does it."""
    first = ports(system, *IN_NAMESPACE)
    written = {path: (system.root / path).read_text() for path in (SETTINGS, CONF)}
    running, vpp = pid(system, AGENT), pid(system, "vpp.service")
    system.install(package, KEEP)
    printed = system.run("vpp-snmp-agent", "--version")
    check(f"the agent is {version}", printed == f"vpp-snmp-agent {version}", printed)
    check_that_units_run(system)
    check("the agent was restarted", pid(system, AGENT) != running)
    check("VPP was not", pid(system, "vpp.service") == vpp)
    keeps(system, first, "every ifIndex is kept")
    now = {path: (system.root / path).read_text() for path in written}
    check("so are the settings and snmpd's file", now == written, now)
    printed = system.run("vpp-snmp-agent", "show", "--json")
    check("which are in force", '"speed": 4321000000' in printed, printed)
    check("the state is a journal", (system.root / STATE / "ports.journal").stat().st_size > 0)
    old_state = (system.root / STATE / "interfaces.json").read_bytes()  # as it was left at its end
    system.run("systemctl", "restart", AGENT)
    keeps(system, first, "which keeps every ifIndex over a restart too")
    kept = (system.root / STATE / "interfaces.json").read_bytes()
    check(f"the state of {before.VERSION} is left as it was", kept == old_state)
    left = not_the_packages(system)
    check(f"no module of {before.VERSION} is left", not left, left)
    printed = system.run("dpkg-query", "--show", "--showformat=${Conffiles}", "vpp-snmp-agent")
    check("nor is a file in /etc that the package has no more", "obsolete" not in printed, printed)


def check_that_units_run(system: System) -> None:
    """Now and at boot."""
    for unit in UNITS:
        eventually(
            f"{unit} is active",
            lambda unit=unit: state(system, unit, "ActiveState") == "active",  # type: ignore[misc]
        )
        printed = system.prints("systemctl", "is-enabled", unit)
        check(f"{unit} starts at boot", printed == "enabled", printed)


def not_the_packages(system: System) -> list[str]:
    """What lies among the modules and is neither the package's nor compiled from what is."""
    listed = set(system.run("dpkg", "--listfiles", "vpp-snmp-agent").splitlines())
    found = system.run("find", MODULES).splitlines()
    compiled = [path for path in found if "/__pycache__" in path]
    orphans = [path for path in compiled if path.endswith(".pyc") and source(path) not in listed]
    return orphans + [path for path in found if path not in listed and path not in compiled]


def source(compiled: str) -> str:
    """/a/__pycache__/b.cpython-311.pyc is compiled from /a/b.py."""
    directory, _, name = compiled.rpartition("/__pycache__/")
    return f"{directory}/{name.split('.')[0]}.py"


def go_back(system: System, old: Path, package: Path) -> None:
    """An operator who finds fault with it returns, and comes again later."""
    first = ports(system, *IN_NAMESPACE)
    system.install(old, KEEP, "--allow-downgrades")
    keeps(system, first, f"{before.VERSION} installed again renumbers nothing")
    system.install(package, KEEP)
    keeps(system, first, "nor does this version, once more")


def purge(system: System) -> None:
    """The package and the router's VPP."""
    system.apt("purge", "vpp-snmp-agent")
    system.run("systemctl", "disable", "--now", "vpp.service")
    (system.root / "etc/systemd/system/vpp.service").unlink()
    system.run("systemctl", "daemon-reload")
