"""`check`: one line for each thing that must be right before a manager sees every port.

The rules this module keeps:

- It reads only, by `look`; to snmpd's AgentX socket it connects, and says nothing.  How
  snmpd is served the running agent knows (control.py): it is asked.  What other agents serve
  snmpd alone knows, and no AgentX agent can ask it: net-snmp's own tool does, where it is.
- A line is `ok`, `FAIL` with what to do, or a `note` of what is not wrong but worth knowing.
- A cause is a FAIL once: what cannot be looked at for that is a note.
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
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from .. import control
from ..agentx.connection import targets
from ..interfaces.facts import SOFTWARE_LOOPBACK, Configuration
from ..interfaces.host_ports import MAX_PORT, HostPorts, has_port
from ..interfaces.rows import Row
from ..interfaces.storage import HEAP, POOL, Storage
from ..runtime import sockets
from ..runtime.affinity import PROC, ranges
from ..settings.declarations import Settings, TCPAddress
from ..settings.document import BadSettings
from ..vpp.descriptor import listener_pid
from ..vpp.records import INTERFACES, LCP_PAIRS, LcpPair, Thread
from ..vpp.segment import SegmentUnavailable
from .snapshot import (
    Asked,
    ask,
    capabilities,
    in_order,
    load_descriptions,
    read_ports,
    rows_of,
    system_of,
    take_segment,
)

OK, FAIL, NOTE = "ok", "FAIL", "note"
ANSWERS = 2.0  # seconds for who listens at an AgentX address to accept
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

# LibreNMS leaves a port out without a word whose ifDescr contains one of these or matches one
# of the patterns, in any case, or whose ifType is one of these (IANAifType-MIB; it has them by
# parts of their names).
UNWANTED_NAMES = (
    *("irtual", "ras", "qos", "async", "container", "pppoe-", "lp0"),
    *("voip-null", "unrouted", "eobc", "-atm", "faith0", "plip", "-physical", "bluetooth"),
    *("isatap", "span rp", "span sp", "sslvpn"),
)
UNWANTED_PATTERNS = tuple(
    re.compile(pattern, re.ASCII | re.IGNORECASE) for pattern in (r"^ng[0-9]+$", r"^sl[0-9]")
)
UNWANTED_TYPES = frozenset(
    {
        *(18, 170),  # ds1, ds1FDL
        *(30, 81, 82),  # ds3, ds0, ds0Bundle
        *(39, 50, 51, 185),  # sonet, sonetPath, sonetVT, sonetOverheadChannel
        *(49, 134),  # aal5, atmSubInterface
        *(100, 101, 102, 103, 104, 152, 153, 198, 211, 212, 213, 235),  # voice...
        *(150, 166),  # mplsTunnel, mpls
    }
)
MAX_LISTED = 20  # names in a line
MAX_USED = 0.9  # of a heap or a pool; more is too much

# How VPP is given more, by what it calls a heap.
HEAP_ADVICE = {
    "main heap": "raise `memory { main-heap-size }` in its startup.conf",
    "stat segment": "raise `statseg { size }` in its startup.conf",
}
# By the package's units.
ONE_CPU = "`systemctl edit snmpd-dataplane vpp-snmp-agent`, each with the lines `[Service]` and"


class Line(NamedTuple):
    """What is found of one thing."""

    mark: str
    thing: str
    text: str

    def __str__(self) -> str:
        return f"{self.mark:<7}{self.thing:<18}{self.text}"


def check(settings_path: str, load: Callable[[], Settings]) -> int:
    """Print a line for each thing; 1 if one fails, else 0.  `load` raises BadSettings."""
    status = 0
    for line in _lines(settings_path, load):
        print(line, flush=True)
        if line.mark == FAIL:
            status = 1
    return status


def _lines(settings_path: str, load: Callable[[], Settings]) -> Iterator[Line]:
    try:
        settings = load()
    except BadSettings as error:
        yield Line(FAIL, "settings", f"{error}; nothing else is looked at before this is right")
        return
    if os.path.exists(settings_path):
        yield Line(OK, "settings", settings_path)
    else:
        yield Line(
            NOTE, "settings", f"{settings_path}: there is no such file; flags and defaults hold"
        )
    yield _vppcfg(settings)
    asked = ask(settings)
    yield from _vpp(settings, asked)
    yield from _memory(settings, asked)
    yield from _agentx(settings)
    yield from _cpus(settings, asked)
    yield _agent(settings)
    yield _state_directory(settings)
    yield from _managers(settings, asked)


def _vppcfg(settings: Settings) -> Line:
    descriptions, wrong = load_descriptions(settings)
    if settings.vppcfg is None:
        return Line(NOTE, "vppcfg", "none is set: only VPP's own tags become ifAlias")
    if wrong:
        return Line(FAIL, "vppcfg", f"{wrong}; correct it, or interfaces go without descriptions")
    return Line(OK, "vppcfg", f"{settings.vppcfg}: {len(descriptions.by_name)} descriptions")


# --- VPP -----------------------------------------------------------------------------------


def _vpp(settings: Settings, asked: Asked) -> Iterator[Line]:
    router = asked.router
    if router is None or not asked.has(INTERFACES):
        yield Line(FAIL, "API socket", asked.no_interfaces)
        yield Line(NOTE, "LCP plugin", "skipped: VPP does not report")
    else:
        identity = router.identity
        count = f"pid {identity.vpe_pid}, {len(router.interfaces)} interfaces"
        yield Line(OK, "API socket", f"{settings.api_socket}: VPP {identity.version}, {count}")
        for what, reason in asked.unavailable.items():
            advice = "before 24.06 --api-dir must name the files of this very VPP"
            yield Line(FAIL, what, f"unavailable: {reason}; {advice}")
        if LCP_PAIRS in asked.unavailable:
            yield Line(NOTE, "LCP plugin", f"skipped: {LCP_PAIRS} are unavailable")
        elif router.pairs:
            yield Line(OK, "LCP plugin", f"{len(router.pairs)} interfaces have a host interface")
        else:
            off = "VPP has no LCP pair (is linux_cp_plugin.so off?): names are VPP's own"
            yield Line(NOTE, "LCP plugin", off)
    if asked.segment is not None:
        try:
            of = f"laid out as in {asked.segment.generation.value}"
            epoch = asked.segment.settled_epoch()
        except SegmentUnavailable as error:
            wrong = f"{settings.stats_socket}: {error}; without it there are no counters"
            yield Line(FAIL, "segment", f"{wrong}: restart VPP if that stays so")
        else:
            yield Line(OK, "segment", f"{settings.stats_socket}: {of}, epoch {epoch}")
            if not asked.segment.is_sealed:
                huge = "of huge pages (statseg { page-size }), which VPP cannot seal"
                ends = "the agent ends if the segment is cut off, and systemd starts it again"
                yield Line(NOTE, "segment", f"{huge}: {ends}")
    elif asked.no_segment:
        yield Line(FAIL, "segment", f"{asked.no_segment}; without it there are no counters")
    else:
        yield Line(NOTE, "segment", "skipped: VPP does not report")


def _memory(settings: Settings, asked: Asked) -> Iterator[Line]:
    """Of a VPP that hangs too, as far as the kernel lets us see it."""
    why = "VPP's segment says nothing of them"
    if asked.hung_since is not None and asked.segment is None:
        why = take_segment(settings, asked) or why
    storages = system_of(asked).storages
    for thing, kind, wrong in (("heaps", HEAP, _scarce_heap), ("buffers", POOL, _scarce_pool)):
        found = storages.of_kind(kind)
        scarce = [each for each in found if _share(each) > MAX_USED]
        for each in scarce:
            yield Line(FAIL, thing, wrong(each))
        if not found:
            yield Line(NOTE, thing, f"skipped: {why}")
        elif not scarce:
            shares = ", ".join(f"{each.vpp_name} {_share(each):.0%}" for each in found)
            yield Line(OK, thing, f"in use: {shares}")


def _share(storage: Storage) -> float:
    """How much of it is used, 0 to 1."""
    amount = storage.amount()
    return amount.used / amount.size if amount.size else 0.0


def _scarce_heap(heap: Storage) -> str:
    advice = HEAP_ADVICE.get(heap.vpp_name, "give it more in its startup.conf")
    used = f"{_share(heap):.0%} of {heap.amount().size >> 20} MiB is used"
    return f"{heap.vpp_name}: {used}; VPP ends without memory: {advice}, and restart it"


def _scarce_pool(pool: Storage) -> str:
    amount = pool.amount()
    used = f"{amount.used} of {amount.size} buffers are used ({_share(pool):.0%})"
    advice = "raise `buffers { buffers-per-numa }` in VPP's startup.conf, and restart it"
    return f"{pool.vpp_name}: {used}; without any, packets are dropped on reception: {advice}"


# --- snmpd -----------------------------------------------------------------------------------


def _agentx(settings: Settings) -> Iterator[Line]:
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
    return listener_pid(path, ANSWERS)


def _why_no_snmpd(path: str, error: OSError) -> str:
    with contextlib.suppress(OSError):
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            return f"{path}: this is no socket; name that of snmpd's line agentXSocket"
    if error.errno in (None, errno.EAGAIN):  # a time-out; a full backlog
        return f"{path}: who listens accepts nobody; restart snmpd"
    told = sockets.explain(path, error.errno or 0)
    if error.errno in (errno.ENOENT, errno.ECONNREFUSED):
        return f"{told}; start snmpd with `master agentx` and `agentXSocket {path}`"
    if error.errno == errno.EACCES:
        return f"{told}; snmpd's line is `agentXPerms 0660 0755 <user> <group>`"
    return f"{told}; restart snmpd"


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
        f" (looked at as {sockets.user_name(os.geteuid())})"
    )


def _agentx_group(path: str) -> Iterator[Line]:
    """Who may use a socket beside root and its owner, if its mode gives it to a group alone."""
    try:
        status = os.stat(path)
    except OSError:
        return  # it went a moment ago
    if status.st_mode & stat.S_IWOTH or not status.st_mode & stat.S_IWGRP:
        return
    members = members_of(status.st_gid) - {"root", sockets.user_name(status.st_uid)}
    group = sockets.group_name(status.st_gid)
    if members:
        told = f"in {group} are {', '.join(sorted(members))}, who can answer for any table"
        yield Line(NOTE, "AgentX group", f"{told}, the agent's too")
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
                probe.settimeout(ANSWERS)
                probe.connect(target.address)
        except OSError as error:
            failures.append(f"{target.text}: {error.strerror or error}")
        else:
            known = "somebody listens, who is not to be seen over TCP; every local user may use it"
            return Line(NOTE, "AgentX socket", "; ".join([*failures, f"{target.text}: {known}"]))
    return Line(FAIL, "AgentX socket", f"{'; '.join(failures)}; {advice}")


def _agent(settings: Settings) -> Line:
    """What the running agent says of itself."""
    if settings.ifindex == "stateless":
        return Line(NOTE, "agent", "not asked: without a state directory it cannot be reached")
    directory = settings.state_dir
    try:
        answer = control.ask(directory, {"do": "status"})
    except OSError as error:
        why = "no answer" if isinstance(error, TimeoutError) else error.strerror
        return Line(NOTE, "agent", f"{directory}: the running agent cannot be asked: {why}")
    if answer is None:
        return Line(NOTE, "agent", f"none runs with the state directory {directory}")
    if not answer:
        return Line(NOTE, "agent", "one of an older version runs; restart it")
    status, is_serving, refused = answer[0]
    if refused:
        advice = "end the agent that holds them, or switch them off in snmpd"
        listed = ", ".join(each.removeprefix("subtree ") for each in refused)
        return Line(FAIL, "agent", f"{status} ({listed}); {advice}")
    return Line(OK if is_serving else NOTE, "agent", status)


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
        return Line(NOTE, thing, f"snmpd cannot be asked ({wrong}); {advice}")
    listed = "; ".join(f"{oid} ({text})" for oid, text in announced(done.stdout))
    return Line(OK, thing, f"in sysORTable, where FRR never is: {listed or 'none'}")


def announced(walked: str) -> list[tuple[str, str]]:
    """What neither snmpd nor we announce of a walk of sysOREntry: sysORID and sysORDescr.

    snmpd's own rows are the first of their kind; the time of a row (sysORUpTime) does not tell
    them from those of an agent that was quick.
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


def _cpus(settings: Settings, asked: Asked) -> Iterator[Line]:
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
        seen = f"not to be seen ({error.strerror or error})"
        yield Line(NOTE, thing, f"{seen}; it is best kept off {polled}: {advice}")
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


# --- what is kept ----------------------------------------------------------------------------


def _state_directory(settings: Settings) -> Line:
    if settings.ifindex == "stateless":
        return Line(NOTE, "state directory", "none is used: ifIndexes are stateless")
    path = settings.state_dir
    ports, wrong = read_ports(settings)
    if wrong:
        return Line(FAIL, "state directory", f"{wrong}; the agent does not start like this")
    user = sockets.user_name(os.geteuid())
    exists = os.path.exists(path)
    nearest = os.path.abspath(path)
    while not os.path.exists(nearest):
        nearest = os.path.dirname(nearest)
    if not os.access(nearest, os.W_OK | os.X_OK, effective_ids=True):
        wrong = f"{nearest}: no permission to write for user {user}"
        advice = "give it to the agent's user" if exists else f"make {path} for the agent's user"
        return Line(FAIL, "state directory", f"{wrong}; {advice}")
    known = f"{len(ports)} interfaces are remembered" if exists else "it can be made"
    return Line(OK, "state directory", f"{path}: {known} (looked at as {user})")


# --- managers --------------------------------------------------------------------------------


def _managers(settings: Settings, asked: Asked) -> Iterator[Line]:
    if not asked.has(INTERFACES):
        for thing in ("LibreNMS", "speeds", "charset", "bridge ports"):
            yield Line(NOTE, thing, "skipped: VPP does not report")
        return
    descriptions, _ = load_descriptions(settings)
    ports, _ = read_ports(settings)
    publisher, _ = rows_of(asked, ports, Configuration(settings, descriptions))
    rows = in_order(publisher)
    yield from _librenms(rows)
    yield _speeds(rows)
    yield _charset(rows)
    if "BRIDGE-MIB" in settings.mibs and asked.router is not None and asked.router.pairs:
        yield _bridge_ports(asked.router.pairs.values(), publisher.host_ports)


def _librenms(rows: list[Row]) -> Iterator[Line]:
    dropped = [(row, why) for row in rows if (why := why_dropped(row))]
    for row, why in dropped:
        yield Line(FAIL, "LibreNMS", f"{row.facts.name or row.key} is dropped silently: {why}")
    if not dropped:
        yield Line(
            OK, "LibreNMS", f"none of {len(rows)} interfaces is dropped for its name or type"
        )


def why_dropped(row: Row) -> str:
    """Why LibreNMS leaves a port out without a word, and what would help; nothing if not."""
    if not row.facts.name:
        return "its ifDescr is empty; give it an LCP pair with a host name"
    advice = "give it an LCP pair with another host name, or set `names`"
    for part in UNWANTED_NAMES:
        if part in row.facts.name.lower():
            return f"its ifDescr contains {part!r}; {advice}"
    for pattern in UNWANTED_PATTERNS:
        if pattern.search(row.facts.name):
            return f"its ifDescr matches {pattern.pattern}; {advice}"
    if row.facts.type in UNWANTED_TYPES:
        return f"its ifType is {row.facts.type}; `hide` it if that is no loss"
    return ""


def _charset(rows: list[Row]) -> Line:
    foreign = [row for row in rows if not row.facts.alias.isascii()]
    if not foreign:
        return Line(OK, "charset", "every ifAlias is ASCII")
    advice = "Cacti, Zabbix and Munin show it as hex; set `charset: ascii`"
    return Line(NOTE, "charset", f"not ASCII: the ifAlias of {_listed(foreign)}: {advice}")


def _bridge_ports(pairs: Collection[LcpPair], ports: HostPorts) -> Line:
    """Of which pairs lldpd's local port numbers lead to ifIndexes, and of which they do not."""
    left_out = [
        f"{pair.host_if_name} ({why})" for pair in pairs if (why := _why_no_port(pair, ports))
    ]
    known = f"dot1dBasePortTable has {len(ports)} of {len(pairs)} host interfaces"
    if ports.netns is not None:
        known += f", of {_namespace(ports.netns)}"
    if not left_out:
        return Line(OK, "bridge ports", known)
    more = f" and {len(left_out) - MAX_LISTED} more" if len(left_out) > MAX_LISTED else ""
    listed = ", ".join(left_out[:MAX_LISTED]) + more
    return Line(NOTE, "bridge ports", f"{known}; left out: {listed}")


def _why_no_port(pair: LcpPair, ports: HostPorts) -> str:
    """Why a pair is not in dot1dBasePortTable; nothing if it is."""
    if not has_port(pair):
        return f"its ifindex {pair.vif_index} is not 1 to {MAX_PORT}"
    if pair.netns != ports.netns:
        return f"in {_namespace(pair.netns)}"
    return "" if ports.shows(pair) else "its interface has no row"


def _namespace(netns: str) -> str:
    """A network namespace, as LCP names it: VPP's own has no name."""
    return f"namespace {netns}" if netns else "VPP's own namespace"


def _listed(rows: list[Row]) -> str:
    names = ", ".join(row.facts.name or row.key for row in rows[:MAX_LISTED])
    return names + (f" and {len(rows) - MAX_LISTED} more" if len(rows) > MAX_LISTED else "")


def _speeds(rows: list[Row]) -> Line:
    """Loopbacks apart: MRTG leaves them out whatever their speed."""
    slow = [row for row in rows if not row.facts.speed and row.facts.type != SOFTWARE_LOOPBACK]
    if not slow:
        return Line(OK, "speeds", "every port has one")
    advice = "MRTG leaves them out, Cacti takes 1 Gb/s; set `speeds`"
    return Line(NOTE, "speeds", f"none is known of {_listed(slow)}: {advice}")
