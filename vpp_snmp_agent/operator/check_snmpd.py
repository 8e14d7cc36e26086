"""What `check` says of snmpd: its socket, its own tables, other agents, its CPUs.

The rules this module keeps:

- It connects to snmpd's AgentX socket, and says nothing there.
- What other agents serve snmpd alone knows, and no AgentX agent can ask it: net-snmp's own tool
  does, where it is.
"""

import contextlib
import errno
import grp
import os
import pwd
import re
import socket
import stat
import subprocess
from collections.abc import Collection, Iterator
from pathlib import Path

from ..agentx.connection import targets
from ..runtime import sockets
from ..runtime.affinity import PROC, ranges
from ..settings.declarations import Settings, TCPAddress
from ..vpp.descriptor import listener_pid
from ..vpp.records import Thread
from .output import FAIL, NOTE, OK, Line
from .snapshot import Asked, capabilities

CONNECT_TIMEOUT = 2.0  # seconds for who listens at an AgentX address to accept
# sysORTable, as snmpd-dataplane.conf gives it to the machine itself.
SYS_OR_ENTRY = ".1.3.6.1.2.1.1.9.1"
ASK_SYS_OR = ("snmpbulkwalk", "-v2c", "-c", "public", "-On", "127.0.0.1", SYS_OR_ENTRY)
SYS_OR_TIMEOUT = 5.0  # seconds for snmpd to give out all of it
# What Debian's snmpd has in it of its own, from its start on.
SNMPDS_OWN = frozenset(
    {
        *("1.3.6.1.2.1.4", "1.3.6.1.2.1.49", "1.3.6.1.2.1.50", "1.3.6.1.2.1.92"),
        *("1.3.6.1.6.3.1", "1.3.6.1.6.3.10.3.1.1", "1.3.6.1.6.3.11.3.1.1"),
        *("1.3.6.1.6.3.13.3.1.3", "1.3.6.1.6.3.15.2.1.1", "1.3.6.1.6.3.16.2.2.1"),
    }
)

# snmpd's modules that show the kernel's interfaces, under ifIndexes that are not ours, or read
# its whole routing table for an answer.  As in snmpd-dataplane.service.
KERNEL_MODULES = (
    *("ifTable", "dot3StatsTable", "at", "ip", "ip_scalars"),
    *("ipAddressTable", "ipAddressPrefixTable", "ipIfStatsTable", "ipSystemStatsTable"),
    *("inetNetToMediaTable", "ipv6ScopeZoneIndexTable", "ipv6"),
    *("ipCidrRouteTable", "inetCidrRouteTable", "ipDefaultRouterTable"),
)
SWITCH_OFF = f"-I -{','.join(KERNEL_MODULES)}"
# By the package's units.
ONE_CPU = "`systemctl edit snmpd-dataplane vpp-snmp-agent`, each with the lines `[Service]` and"


def agentx(settings: Settings) -> Iterator[Line]:
    """Its socket, who may use that, its own tables, and which other agents announce themselves."""
    address = settings.address
    if isinstance(address, TCPAddress):
        yield _agentx_over_tcp(address)
        yield Line(
            NOTE, "snmpd's tables", f"not to be seen over TCP; it must run with {SWITCH_OFF}"
        )
        return
    try:
        pid, may = _listener(address.path), _who_may(address.path)
    except OSError as error:
        yield Line(FAIL, "AgentX socket", _why_no_snmpd(address.path, error))
        yield Line(NOTE, "snmpd's tables", "skipped: no snmpd")
        return
    yield Line(OK, "AgentX socket", f"{address.path}: somebody listens; {may}")
    yield from _agentx_group(address.path)
    yield _snmpds_tables(pid)
    yield _other_agents(pid)


def _listener(path: str) -> int:
    """The process id of who listens; 0 in another pid namespace.  Raises OSError."""
    return listener_pid(path, CONNECT_TIMEOUT)


def _why_no_snmpd(path: str, error: OSError) -> str:
    with contextlib.suppress(OSError):
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            return f"{path}: this is no socket; name that of snmpd's line agentXSocket"
    if error.errno in (None, errno.EAGAIN):  # a time-out; a full backlog
        return f"{path}: who listens accepts nobody; restart snmpd"
    why = sockets.explain(path, error.errno or 0)
    if error.errno in (errno.ENOENT, errno.ECONNREFUSED):
        return f"{why}; start snmpd with `master agentx` and `agentXSocket {path}`"
    if error.errno == errno.EACCES:
        return f"{why}; snmpd's line is `agentXPerms 0660 0755 <user> <group>`"
    return f"{why}; restart snmpd"


def _who_may(path: str) -> str:
    """Who may use a socket, by its mode.  Raises OSError."""
    status = os.stat(path)
    user, group = sockets.user_name(status.st_uid), sockets.group_name(status.st_gid)
    if status.st_mode & stat.S_IWOTH:
        may = "every user"
    elif status.st_mode & stat.S_IWGRP:
        may = f"root, {user} and group {group}" if user != "root" else f"root and group {group}"
    else:
        may = "root alone" if user == "root" else f"root and {user}"
    return (
        f"{user}:{group} {stat.S_IMODE(status.st_mode):04o}: {may} may use it"
        f" (checked as {sockets.user_name(os.geteuid())})"
    )


def _agentx_group(path: str) -> Iterator[Line]:
    """Who may use a socket beside root and its owner, if its mode gives it to a group alone."""
    try:
        status = os.stat(path)
    except OSError:
        return  # it is gone since a moment ago
    if status.st_mode & stat.S_IWOTH or not status.st_mode & stat.S_IWGRP:
        return
    members = members_of(status.st_gid) - {"root", sockets.user_name(status.st_uid)}
    group = sockets.group_name(status.st_gid)
    if members:
        listed = f"in {group} are {', '.join(sorted(members))}"
        yield Line(NOTE, "AgentX group", f"{listed}, who can answer for any table, the agent's too")
    else:
        yield Line(OK, "AgentX group", f"nobody else is in {group}")


def members_of(gid: int) -> set[str]:
    """The users of a group, those included whose own group it is."""
    members = {user.pw_name for user in pwd.getpwall() if user.pw_gid == gid}
    with contextlib.suppress(KeyError):
        members.update(grp.getgrgid(gid).gr_mem)
    return members


def _agentx_over_tcp(address: TCPAddress) -> Line:
    """Its addresses in their order, as the agent tries them."""
    advice = f"start snmpd with `agentXSocket tcp:{address}`, and run this in its netns"
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error
        return Line(FAIL, "AgentX socket", f"{address}: {why}; {advice}")
    failures = []
    for target in targets(address, found):
        try:
            with socket.socket(target.family, socket.SOCK_STREAM) as probe:
                probe.settimeout(CONNECT_TIMEOUT)
                probe.connect(target.address)
        except OSError as error:
            failures.append(f"{target.text}: {error.strerror or error}")
        else:
            known = "somebody listens, who is not to be seen over TCP; every local user may use it"
            return Line(NOTE, "AgentX socket", "; ".join([*failures, f"{target.text}: {known}"]))
    return Line(FAIL, "AgentX socket", f"{'; '.join(failures)}; {advice}")


def _snmpds_tables(pid: int) -> Line:
    thing = "snmpd's tables"
    try:
        words = Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")
    except OSError as error:
        seen = f"the command line of pid {pid} cannot be read ({error.strerror})"
        return Line(NOTE, thing, f"{seen}; snmpd must run with {SWITCH_OFF}")
    if os.path.basename(words[0]) != "snmpd":
        seen = f"pid {pid} is no snmpd but {words[0] or 'nameless'}"
        return Line(NOTE, thing, f"{seen}; it must serve no table of the kernel's interfaces")
    left = left_on(words[1:])
    if not left:
        return Line(OK, thing, f"snmpd (pid {pid}) has those of the kernel switched off")
    served = f"snmpd (pid {pid}) serves tables of the kernel's interfaces or routes"
    return Line(FAIL, thing, f"{served}; start it with -I -{','.join(left)} as well")


def _other_agents(pid: int) -> Line:
    """What others announce in snmpd's sysORTable, as they do when they connect to it."""
    thing = "other agents"
    try:
        done = subprocess.run(
            ["nsenter", "-t", str(pid), "-n", *ASK_SYS_OR],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env=os.environ | {"MIBS": ""},
            timeout=SYS_OR_TIMEOUT,
            check=False,
        )
        wrong = (done.stderr.strip() or "no answer").splitlines()[0] if done.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        wrong = str(error)
    if wrong:
        advice = f"in its netns, `{' '.join(ASK_SYS_OR)}` lists what they announce"
        return Line(NOTE, thing, f"sysORTable is unavailable ({wrong}); {advice}")
    listed = "; ".join(f"{oid} ({text})" for oid, text in announced(done.stdout))
    return Line(OK, thing, f"in sysORTable, where FRR never is: {listed or 'none'}")


def announced(walked: str) -> list[tuple[str, str]]:
    """What neither snmpd nor we announce of a walk of sysOREntry: sysORID and sysORDescr.

    snmpd's own rows are the first of their kind; the time of a row (sysORUpTime) does not
    distinguish them from those of an agent that was quick.
    """
    columns: dict[str, dict[str, str]] = {"2": {}, "3": {}}
    for line in walked.splitlines():
        name, _, value = line.partition(" = ")
        column, _, index = name.removeprefix(f"{SYS_OR_ENTRY}.").partition(".")
        columns.setdefault(column, {})[index] = value.partition(": ")[2].strip('"').lstrip(".")
    ids, texts = columns["2"], columns["3"]
    ours, first = capabilities(), {oid: index for index, oid in reversed(ids.items())}
    return [
        (oid, texts.get(index, ""))
        for index, oid in ids.items()
        if oid not in ours and not (oid in SNMPDS_OWN and first[oid] == index)
    ]


def left_on(words: list[str]) -> list[str]:
    """The modules of the kernel's interfaces and routes that snmpd's flags do not leave out.

    `-I -a,b` leaves modules out, `-I a,b` all others.  snmpd cuts the list apart where it
    stands: in /proc each module is a word of its own.
    """
    lists: list[list[str]] = []
    current: list[str] | None = None
    for word in words:
        if word.startswith("-I"):
            current = [word[2:]] if word[2:] else []
            lists.append(current)
        elif current is not None and not (current and word.startswith("-")):
            current.append(word)
        else:
            current = None
    excluded: set[str] = set()
    included: set[str] = set()
    for each in lists:
        text = ",".join(each).replace(":", ",")
        if text[:1] in ("-", "!"):
            excluded.update(text[1:].split(","))
        else:
            included.update(text.split(","))
    if included:
        return [module for module in KERNEL_MODULES if module in included]
    return [module for module in KERNEL_MODULES if module not in excluded]


def cpus(settings: Settings, asked: Asked) -> Iterator[Line]:
    """Whether snmpd stays off the CPUs of VPP's workers, as the agent does by itself."""
    workers = asked.router.worker_cpus if asked.router else frozenset()
    if asked.router is None or not workers:
        return
    thing = "snmpd's CPUs"
    polled = f"CPU {ranges(workers)}, where VPP's workers poll"
    advice = _one_cpu(frozenset(os.sched_getaffinity(0)), asked.router.threads)
    if isinstance(settings.address, TCPAddress):
        yield Line(NOTE, thing, f"not to be seen over TCP; it is best kept off {polled}: {advice}")
        return
    try:
        pid = _listener(settings.address.path)
        allowed = cpus_of(pid)
    except OSError as error:
        why = "no snmpd" if isinstance(error, FileNotFoundError) else error.strerror or error
        yield Line(NOTE, thing, f"skipped: {why}; it is best kept off {polled}: {advice}")
        return
    if allowed & workers:
        shared = f"it (pid {pid}) may run on CPU {ranges(allowed & workers)}, where VPP's workers"
        yield Line(NOTE, thing, f"{shared} poll: {advice}")
    else:
        runs = f"it (pid {pid}) runs on CPU {ranges(allowed)}, where none of VPP's workers polls"
        yield Line(OK, thing, runs)


def _one_cpu(usable: frozenset[int], threads: Collection[Thread]) -> str:
    """The drop-in that keeps snmpd and the agent on one CPU which no worker has; best on one that
    no thread of VPP has.
    """
    workers = {each.cpu_id for each in threads if each.index}
    left = usable - workers
    free = left - {each.cpu_id for each in threads}
    if not left:
        return "they have all CPUs; give VPP fewer by `cpu { corelist-workers }`"
    return f"{ONE_CPU} `CPUAffinity={min(free or left)}`, then restart both"


def cpus_of(pid: int) -> frozenset[int]:
    """The CPUs on which a process may run.  Raises OSError."""
    status = (PROC / str(pid) / "status").read_text(errors="replace")
    (listed,) = re.findall(r"^Cpus_allowed_list:\t(\S*)$", status, re.MULTILINE)
    cpus: set[int] = set()
    for each in listed.split(","):
        low, _, high = each.partition("-")
        cpus.update(range(int(low), int(high or low) + 1))
    return frozenset(cpus)
