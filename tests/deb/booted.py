"""The long story: an operator's router, from `apt install` to `apt purge`.

Debian 12 with systemd as its init, the simulator as its VPP.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import permutations
from pathlib import Path

from simulator.scenario import VPPCFG
from simulator.stage import ROOT
from vpp_snmp_agent.runtime.affinity import ranges

from ..edge_router import ROWS
from ..hidden import HIDDEN
from ..oids import IF_ALIAS, MIB_2
from .debian import System
from .router import (
    AUTH,
    BGP,
    IN_NAMESPACE,
    PRIVACY,
    VPP,
    WORKER_CPUS,
    get,
    pid,
    ports,
    served,
    shown,
    state,
    v3_get,
    wait_for_rows,
    write_unit,
)
from .story import Failed, chapter, check, eventually, until
from .unbooted import GROUP, UNITS, check_that_nothing_is_left, paths, verify_units

NETNS, SNMPD, AGENT = UNITS
USER = "vpp-snmp-agent"
SYS_DESCR, SYS_NAME, SYS_LOCATION = (f"{MIB_2}.1.{number}.0" for number in (1, 5, 6))
ENGINE_ID, ENGINE_BOOTS = "1.3.6.1.6.3.10.2.1.1.0", "1.3.6.1.6.3.10.2.1.2.0"
DISTRO = "1.3.6.1.4.1.8072.1.3.2.3.1.1.6.100.105.115.116.114.111"
SETTINGS, CONF = "etc/vpp-snmp-agent/agent.yaml", "etc/snmp/snmpd-dataplane.conf"


def run_story(suite: str, package: Path) -> None:
    """The whole story."""
    with System(suite, boot=True) as system, tempfile.TemporaryDirectory() as directory:
        before = paths(system)
        newer = as_version(package, "9.0", Path(directory))
        try:
            installed(system, package)
            polled(system)
            secured(system)
            confined(system)
            started_in_any_order(system)
            supervised(system)
            on_one_cpu(system)
            rebooted(system)
            cut_off_by_nothing(system, newer)
            check_that_nothing_is_left(system, before)
            taken_over(system, package)
        except Exception as error:
            journal = system.run("journalctl", "--no-pager", "--lines=60", check=False)
            raise Failed(f"{error}\n\nThe journal says:\n{journal}") from error


def as_version(package: Path, version: str, directory: Path) -> Path:
    """The same package under another version."""
    tree, newer = directory / "tree", directory / f"vpp-snmp-agent_{version}_all.deb"
    subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True)
    control = tree / "DEBIAN/control"
    control.write_text(re.sub(r"(?m)^Version: .*$", f"Version: {version}", control.read_text()))
    build = ["dpkg-deb", "--root-owner-group", "--build", str(tree), str(newer)]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    return newer


def edit(system: System, path: str, pattern: str, text: str) -> None:
    """Change one line of a file, as an operator would."""
    file = system.root / path
    changed, found = re.subn(pattern, text, file.read_text(), flags=re.MULTILINE)
    if found != 1:
        raise Failed(f"{path} has no line {pattern}")
    file.write_text(changed)


# --- the chapters ------------------------------------------------------------------------------


def installed(system: System, package: Path) -> None:
    """Nothing is there that it waits for, but systemd."""
    chapter("Installed, before there is a VPP")
    system.install(package)
    for unit in (*UNITS, "snmpd.service"):
        active = state(system, unit, "ActiveState")
        check(f"{unit} is active", active == "active", system.run("systemctl", "status", unit))
    for unit in UNITS:
        printed = system.prints("systemctl", "is-enabled", unit)
        check(f"{unit} starts at boot", printed == "enabled", printed)
    verify_units(system)
    flags = system.run(*IN_NAMESPACE, "ip", "-o", "link", "show", "lo")
    check("the namespace's lo is up", "LOWER_UP" in flags, flags)
    expected = "0 interfaces; VPP is away; serving snmpd"
    eventually(
        "the agent is ready without VPP, and its status says so",
        lambda: state(system, AGENT, "StatusText") == expected,
    )

    chapter("A VPP starts")
    write_unit(system, "vpp.service", VPP)
    (system.root / "etc/vpp").mkdir()
    (system.root / "etc/vpp/vppcfg.yaml").write_text(VPPCFG)
    system.run("chown", "root:vpp", "/etc/vpp/vppcfg.yaml")
    system.run("chmod", "0640", "/etc/vpp/vppcfg.yaml")
    system.run("systemctl", "enable", "--now", "vpp.service")
    eventually(f"{ROWS} ports are served", lambda: served(system))
    expected = f"{ROWS} interfaces; VPP 26.06-release answers; serving snmpd"
    eventually(
        "and the agent's status says so", lambda: state(system, AGENT, "StatusText") == expected
    )


def polled(system: System) -> None:
    """What a poller sees, and where."""
    chapter("Polled")
    seen = ports(system, *IN_NAMESPACE)
    check(f"inside the namespace a walk shows {ROWS} ports", '1001 "eno1"' in seen, seen)
    outside = ports(system)
    check("outside it shows none", outside == "", outside)
    words = ["snmpget", "-v2c", "-c", "public", "-On", "127.0.0.1", SYS_DESCR]
    printed = system.run(*words, check=False, env=["MIBS="])
    check("where the distribution's own snmpd answers", "STRING: " in printed, printed)
    check("snmpd's host resources are given out", "INTEGER" in get(system, f"{MIB_2}.25.2.2.0"))
    printed = get(system, DISTRO)
    check("`extend distro` says VPP's version", 'STRING: "VPP 26.06-release"' in printed, printed)
    printed = get(system, "1.3.6.1.6.3.15.1.1.1.0")
    check("what no poller needs is not given out", "No Such" in printed, printed)
    found = shown(system, HIDDEN, *IN_NAMESPACE)
    check("nor what grows with the kernel or the machine", not found, found)

    printed = log(system, SNMPD)
    check("snmpd's log has no word about MIBs", "MIB" not in printed, printed)

    chapter("Reloaded")
    alias = f"{IF_ALIAS}.1001"
    system.run("systemctl", "reload", AGENT)
    eventually(
        "systemctl reload reads a vppcfg of root:vpp 0640",
        lambda: "Infra: access switch" in get(system, alias),
    )
    before = pid(system, AGENT)
    edit(system, SETTINGS, r"^vppcfg: .*$", "vppcgf: /etc/vpp/vppcfg.yaml")
    system.run("systemctl", "reload", AGENT)
    until("the refusal is logged", lambda: "did you mean `vppcfg`?" in log(system, AGENT))
    check("settings that are refused leave the old ones in force", pid(system, AGENT) == before)
    system.run("systemctl", "restart", AGENT, check=False)
    until("systemd gave up", lambda: state(system, AGENT, "ActiveState") == "failed")
    ended = state(system, AGENT, "ExecMainStatus"), state(system, AGENT, "NRestarts")
    check(
        "an agent that refuses them at its start is not started again", ended == ("2", "0"), ended
    )
    edit(system, SETTINGS, "^vppcgf:", "vppcfg:")
    system.run("systemctl", "start", AGENT)
    wait_for_rows(system)

    before = pid(system, SNMPD)
    edit(system, CONF, "^sysLocation unknown$", "sysLocation here")
    system.run("systemctl", "reload", SNMPD)
    eventually(
        "systemctl reload has snmpd read its file again",
        lambda: 'STRING: "here"' in get(system, SYS_LOCATION),
    )
    check("and go on", pid(system, SNMPD) == before)
    wait_for_rows(system)


def secured(system: System) -> None:
    """SNMPv3, as the configuration file says how."""
    chapter("SNMPv3")
    system.run("systemctl", "stop", SNMPD)
    kept = system.root / "var/lib/snmpd-dataplane/snmpd.conf"
    with kept.open("a") as file:
        file.write(f'createUser poller SHA "{AUTH}" AES "{PRIVACY}"\n')
    edit(system, CONF, "^#rouser poller priv -V poller$", "rouser poller priv -V poller")
    system.run("systemctl", "start", SNMPD)
    eventually("the user that was made may ask", lambda: "STRING" in v3_get(system, SYS_NAME))
    check("no password is left in a file", AUTH not in kept.read_text())
    engine, boots = get(system, ENGINE_ID), number(v3_get(system, ENGINE_BOOTS))
    check("the engine has an ID", "Hex-STRING" in engine, engine)
    for how in ("restart", "kill --signal=KILL"):
        restart(system, SNMPD, how)
        eventually(
            f"after systemctl {how} it still may", lambda: "STRING" in v3_get(system, SYS_NAME)
        )
        check("the engine is the same", get(system, ENGINE_ID) == engine)
        now = number(v3_get(system, ENGINE_BOOTS))
        check("and counts its starts", now > boots, f"{now}, before {boots}")
        boots = now
    wait_for_rows(system)
    mode = system.run("stat", "-c", "%U:%G %a", "/var/lib/snmpd-dataplane/snmpd.conf")
    check("what snmpd keeps is snmpd's alone", mode == "Debian-snmp:Debian-snmp 600", mode)


def confined(system: System) -> None:
    """Who may use what."""
    chapter("Confined")
    printed = system.run("stat", "-c", "%U:%G %a %F", "/run/agentx-dataplane/master")
    mine = printed == f"{USER}:{GROUP} 660 socket"
    check("the AgentX socket is the agent's and its group's", mine, printed)
    groups = system.run("id", "-nG", USER).split()
    check("the agent's user is in that group, and in VPP's", {GROUP, "vpp"} <= set(groups), groups)
    check("the agent's user may use it", may_connect(system, USER, "/run/agentx-dataplane/master"))
    system.run("useradd", "--groups", "vpp", "somebody")
    for user in ("Debian-snmp", "nobody", "somebody"):
        may = may_connect(system, user, "/run/agentx-dataplane/master")
        check(f"{user} may not", not may)
    system.run("usermod", "--append", "--groups", GROUP, "somebody")
    may = may_connect(system, "somebody", "/run/agentx-dataplane/master")
    check("somebody may who was added to its group", may)
    printed = system.run("vpp-snmp-agent", "check", check=False)
    check("and `check` names them", f"in {GROUP} are somebody, who can answer" in printed, printed)
    check("and lists other agents", "in sysORTable, where FRR never is: none" in printed, printed)
    system.run("userdel", "--remove", "somebody", check=False)
    listening = system.run(*IN_NAMESPACE, "ss", "--tcp", "--listening", "--no-header")
    check("snmpd listens on no TCP port", listening == "", listening)
    check("the agent's user may use VPP's sockets", may_connect(system, USER, "/run/vpp/api.sock"))
    check("snmpd's may not", not may_connect(system, "Debian-snmp", "/run/vpp/api.sock"))
    names = system.run("stat", "-c", "%U:%G", f"/proc/{pid(system, SNMPD)}")
    check("snmpd runs as Debian-snmp", names == "Debian-snmp:Debian-snmp", names)

    agent = pid(system, AGENT)
    status = system.run("cat", f"/proc/{agent}/status")
    for line in (
        "CapEff:\t0000000000000000",
        "CapBnd:\t0000000000000000",
        "NoNewPrivs:\t1",
        "Seccomp:\t2",
    ):
        check(f"of the agent the kernel says {' '.join(line.split())}", line in status, status)
    # What it reaches through its own mounts; /proc says only of its own processes.
    find = ["find", "/", "-path", "/proc", "-prune", "-o", "-type", "d,f", "-writable", "-print"]
    enter = ["nsenter", "-t", agent, "-m", "setpriv", f"--reuid={USER}", f"--regid={USER}"]
    found = set(system.prints(*enter, "--init-groups", *find).splitlines())
    own = re.compile(rf"/var/lib/{USER}(/.*)?|/run/{USER}(/.*)?|/tmp|/var/tmp|/dev/shm(/.*)?")
    elsewhere = {path for path in found if not own.fullmatch(path)}
    check("it can write its state", f"/var/lib/{USER}/ports.journal" in found, found)
    check("and VPP's version, and nothing else", not elsewhere, elsewhere)
    for place in ("/tmp", "/var/tmp", "/dev/shm"):
        theirs = system.run("nsenter", "-t", agent, "-m", "stat", "-c", "%d:%i", place)
        check(f"its {place} is its own", theirs != system.run("stat", "-c", "%d:%i", place))


def started_in_any_order(system: System) -> None:
    """Each order of three."""
    chapter("Started in any order")
    before = ports(system, *IN_NAMESPACE)
    services = ("vpp.service", SNMPD, AGENT)
    for order in permutations(services):
        system.run("systemctl", "stop", *services)
        for service in order:
            system.run("systemctl", "start", service)
        names = ", ".join(name.removesuffix(".service") for name in order)
        keeps(system, before, f"{names}: the same ports")


def supervised(system: System) -> None:
    """Whatever ends, and however."""
    chapter("Restarted, killed, hung")
    before, vpp = ports(system, *IN_NAMESPACE), pid(system, "vpp.service")
    for unit in (AGENT, SNMPD):
        for how in ("restart", "kill --signal=TERM", "kill --signal=KILL"):
            restart(system, unit, how)
            keeps(system, before, f"systemctl {how} {unit}: the same ports")
    with drop_in(system, "WatchdogSec=5", AGENT):
        restart(system, AGENT, "restart")
        wait_for_rows(system)
        check("a drop-in changes the unit", state(system, AGENT, "WatchdogUSec") == "5s")
        hung = pid(system, AGENT)
        started = state(system, AGENT, "NRestarts")
        system.run("systemctl", "kill", "--kill-whom=main", "--signal=STOP", AGENT)
        until("systemd noticed", lambda: state(system, AGENT, "NRestarts") != started)
        keeps(system, before, "an agent that hangs is started again, and serves the same ports")
        check("as another process", pid(system, AGENT) != hung)
    namespace = inode(system)
    for how in ("restart", "stop"):
        system.run("systemctl", how, NETNS)
        check(f"systemctl {how} {NETNS} leaves the namespace alone", inode(system) == namespace)
    system.run("systemctl", "start", NETNS)
    keeps(system, before, "and the ports")
    check("VPP went on through all of it", pid(system, "vpp.service") == vpp)


def on_one_cpu(system: System) -> None:
    """As docs/installation.md advises."""
    chapter("On one CPU")
    before = ports(system, *IN_NAMESPACE)
    cpu = min(os.sched_getaffinity(0))
    with drop_in(system, f"CPUAffinity={cpu}", SNMPD, AGENT):
        for unit in (SNMPD, AGENT):
            restart(system, unit, "restart")
            found = cpus(system, unit)
            check(f"a drop-in gives {unit} one CPU", found == {str(cpu)}, found)
        printed = system.run("vpp-snmp-agent", "check", check=False)
        check(
            "`check` finds snmpd on no CPU of VPP's workers",
            f"runs on CPU {cpu}," in printed,
            printed,
        )
        keeps(system, before, "the same ports")
    for unit in (SNMPD, AGENT):
        restart(system, unit, "restart")
    keeps(system, before, "without it, the same ports")

    # The kernel would end an agent whose SystemCallFilter forbade it.
    agent = pid(system, AGENT)
    first, last = min(os.sched_getaffinity(0)), max(os.sched_getaffinity(0))
    settings = (system.root / SETTINGS).read_text()
    for cpu in (last, first, last):
        (system.root / SETTINGS).write_text(f"{settings}\ncpus: [ {cpu} ]\n")
        system.run("systemctl", "reload", AGENT)
        eventually(
            f"`cpus: [ {cpu} ]` and systemctl reload move all threads of the agent and its child",
            lambda cpu=cpu: cpus(system, AGENT) == {str(cpu)},  # type: ignore[misc]
        )
    check("which goes on", pid(system, AGENT) == agent and state(system, AGENT, "NRestarts") == "0")
    (system.root / SETTINGS).write_text(settings)
    system.run("systemctl", "reload", AGENT)
    left = ranges(os.sched_getaffinity(0) - WORKER_CPUS)
    eventually(
        "and by `cpus: auto` it runs on all but those of VPP's workers",
        lambda: cpus(system, AGENT) == {left},
    )
    keeps(system, before, "the same ports")


def rebooted(system: System) -> None:
    """Everything at once."""
    chapter("Rebooted")
    before = ports(system, *IN_NAMESPACE)
    system.reboot()
    keeps(system, before, "the same ports")
    check("the same SNMPv3 user", "STRING" in v3_get(system, SYS_NAME))
    began = {
        unit: int(state(system, unit, "InactiveExitTimestampMonotonic"))
        for unit in (*UNITS, "vpp.service")
    }
    ready = int(state(system, NETNS, "ActiveEnterTimestampMonotonic"))
    check("the namespace stood before VPP started", ready <= began["vpp.service"], began)
    check("and before snmpd", ready <= began[SNMPD], began)
    check("the agent came last", began[AGENT] == max(began.values()), began)
    failed = system.run("systemctl", "--failed", "--no-legend")
    check("nothing failed", failed == "", failed)


def cut_off_by_nothing(system: System, newer: Path) -> None:
    """What lives in the namespace outlives the package, step by step."""
    chapter("Upgraded, removed, purged")
    write_unit(system, "bgpd.service", BGP)
    system.run("systemctl", "start", "bgpd.service")
    veth = ["type", "veth", "peer", "name", "xe0-peer"]
    system.run("ip", "link", "add", "xe0", "netns", "dataplane", *veth)

    def living() -> tuple[str, ...]:
        """What distinguishes the namespace, the daemon and the port from any others."""
        return (
            inode(system),
            pid(system, "bgpd.service"),
            state(system, "bgpd.service", "ActiveEnterTimestampMonotonic"),
            system.run("ip", "-n", "dataplane", "-o", "link", "show", "xe0"),
            pid(system, "vpp.service"),
        )

    alive = living()
    before = ports(system, *IN_NAMESPACE)
    settings = (system.root / SETTINGS).read_text() + "# the operator was here\n"
    (system.root / SETTINGS).write_text(settings)
    conf = (system.root / CONF).read_text()
    system.run("chmod", "0600", f"/{CONF}")

    old = pid(system, AGENT)
    system.run("groupdel", GROUP)  # a package before had none
    system.install(newer)
    printed = system.run("stat", "-c", "%G", "/run/agentx-dataplane/master")
    check(
        "an upgrade makes the AgentX socket's group where there is none", printed == GROUP, printed
    )
    groups = system.run("id", "-nG", USER).split()
    check("with the agent's user in it", GROUP in groups, groups)
    check("an upgrade leaves VPP, the daemon and the port alone", living() == alive, living())
    check("but restarts the agent", pid(system, AGENT) != old)
    keeps(system, before, "which serves the same ports")
    kept = (system.root / SETTINGS).read_text() == settings
    check("the settings are kept", kept and (system.root / CONF).read_text() == conf)
    mode = system.run("stat", "-c", "%a", f"/{CONF}")
    check("with their mode", mode == "600", mode)

    system.apt("remove", "vpp-snmp-agent")
    check("removal leaves VPP, the daemon and the port alone", living() == alive, living())
    check("but ends the agent and its snmpd", not served(system))
    for unit in (SNMPD, AGENT):
        printed = state(system, unit, "ActiveState")
        check(f"{unit} is inactive", printed == "inactive", printed)
    check("the settings are kept", (system.root / SETTINGS).read_text() == settings)
    system.install(newer)
    keeps(system, before, "installed again, it serves the same ports")
    check("with the same settings", (system.root / SETTINGS).read_text() == settings)

    system.apt("purge", "vpp-snmp-agent")
    check("a purge leaves VPP, the daemon and the port alone", living() == alive, living())
    check("and the distribution's snmpd", state(system, "snmpd.service", "ActiveState") == "active")
    system.run("systemctl", "disable", "--now", "bgpd.service", "vpp.service", check=False)
    for name in ("bgpd.service", "vpp.service"):
        (system.root / "etc/systemd/system" / name).unlink()
    shutil.rmtree(system.root / "etc/vpp")
    system.run("systemctl", "daemon-reload")


# A router that was set up by hand.
BEFORE = {
    NETNS: """
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'test -e /run/netns/dataplane || ip netns add dataplane'
ExecStop=/bin/ip netns delete dataplane
[Install]
WantedBy=multi-user.target
""",
    SNMPD: """
[Service]
NetworkNamespacePath=/run/netns/dataplane
ExecStart=/usr/sbin/snmpd -LOw -f -I -smux,mteTrigger,mteTriggerConf \
    -p /run/snmpd-dataplane.pid -C -c /etc/snmp/snmpd-dataplane.conf
[Install]
WantedBy=multi-user.target
""",
    AGENT: """
[Service]
User=Debian-snmp
ExecStart=/bin/sleep infinity
[Install]
WantedBy=multi-user.target
""",
}
CONF_BEFORE = """
agentAddress udp:161
rocommunity public default
master agentx
agentXSocket tcp:localhost:705
"""


def taken_over(system: System, package: Path) -> None:
    """A router with units of the same names, as docs/migration.md leads it over."""
    chapter("On a router that has such units")
    for name, text in BEFORE.items():
        write_unit(system, name, text)
    (system.root / CONF).write_text(CONF_BEFORE)
    system.run("systemctl", "enable", "--now", *UNITS)
    write_unit(system, "vpp.service", VPP)
    system.run("systemctl", "start", "vpp.service")
    namespace = inode(system)
    running = [pid(system, unit) for unit in (SNMPD, AGENT)]
    system.install(package, "--option=Dpkg::Options::=--force-confold")
    check("its units go on", [pid(system, unit) for unit in (SNMPD, AGENT)] == running)
    for unit in UNITS:
        path = state(system, unit, "FragmentPath")
        check(f"its own {unit} holds", path == f"/etc/systemd/system/{unit}", path)
    check("and its own snmpd's file", (system.root / CONF).read_text() == CONF_BEFORE)

    for command in taking_over():
        system.run("sh", "-c", command)
    eventually(f"as the page leads it over, {ROWS} ports are served", lambda: served(system))
    for unit in UNITS:
        path = state(system, unit, "FragmentPath")
        check(f"by the package's {unit}", path == f"/lib/systemd/system/{unit}", path)
    now = inode(system)
    check("in the same namespace", now == namespace)


def taking_over() -> list[str]:
    """The commands of docs/migration.md for it."""
    return (ROOT / "docs" / "migration.md").read_text().split("```")[1].strip().splitlines()


# --- what the chapters ask ---------------------------------------------------------------------


def number(answer: str) -> int:
    """The value of an INTEGER."""
    return int(answer.rpartition(" ")[2])


def log(system: System, unit: str) -> str:
    """What a unit logged since the system's start."""
    return system.run("journalctl", "--boot", "--no-pager", "--output=cat", "--unit", unit)


@contextmanager
def drop_in(system: System, setting: str, *units: str) -> Iterator[None]:
    """Meanwhile services have one more setting, of the operator's."""
    files = [system.root / f"etc/systemd/system/{unit}.d/override.conf" for unit in units]
    for file in files:
        file.parent.mkdir()
        file.write_text(f"[Service]\n{setting}\n")
    system.run("systemctl", "daemon-reload")
    yield
    for file in files:
        shutil.rmtree(file.parent)
    system.run("systemctl", "daemon-reload")


def restart(system: System, unit: str, how: str) -> None:
    """By `systemctl HOW UNIT`; returns when another process of the unit runs."""
    before = pid(system, unit)
    system.run("systemctl", *how.split(), unit)

    def another() -> bool:
        return state(system, unit, "ActiveState") == "active" and pid(system, unit) not in (
            before,
            "0",
        )

    until(f"{unit} runs again", another)


def keeps(system: System, before: str, what: str) -> None:
    """Whether the ports are what they were, as soon as they are all there."""
    wait_for_rows(system)
    now = ports(system, *IN_NAMESPACE)
    check(what, now == before, now)


def cpus(system: System, unit: str) -> set[str]:
    """Which CPUs the kernel allows to the threads of a unit and of its child, as it lists them."""
    main = pid(system, unit)

    def read(paths: str) -> str:
        """What the files say that are there still: a thread or a child may just have ended."""
        return system.run("sh", "-c", f"cat {paths}", check=False)

    children = read(f"/proc/{main}/task/*/children").split()
    statuses = read(" ".join(f"/proc/{each}/task/*/status" for each in (main, *children)))
    return set(re.findall(r"^Cpus_allowed_list:\t(\S+)$", statuses, re.MULTILINE))


def inode(system: System) -> str:
    """What distinguishes the namespace from any other."""
    return system.run("stat", "-L", "-c", "%i", "/run/netns/dataplane")


def may_connect(system: System, user: str, path: str) -> bool:
    """Whether a user gets through to a unix socket, with the groups that it is in."""
    connect = f"import socket; socket.socket(socket.AF_UNIX).connect({path!r})"
    group = system.run("id", "-g", user)
    become = ["setpriv", f"--reuid={user}", f"--regid={group}", "--init-groups"]
    printed = system.run(*become, "python3", "-c", connect, check=False)
    if printed and "PermissionError" not in printed:
        raise Failed(f"{user} on {path}: {printed}")
    return not printed
