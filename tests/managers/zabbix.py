"""Zabbix by Debian's packages, with the shipped template, on the embedded VPP.

The packages are installed in a copy of this machine's files that is kept in `directory` (an
overlay, which only our own processes see), behind a policy-rc.d that starts nothing.  The server,
its PostgreSQL and its frontend run there, in the network namespace of the private snmpd.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from simulator import Simulator
from simulator.stage import ROOT, AgentProcess, Process, Snmpd
from vpp_snmp_agent.mibs.vpp_base import BASE

from ..deb.story import Failed, chapter, check, eventually, until
from ..oids import IF_NAME

TEMPLATE = ROOT / "docs" / "managers" / "zabbix" / "vpp-by-snmp.yaml"
NAME = "VPP by SNMP"
PACKAGES = (
    *("zabbix-server-pgsql", "zabbix-frontend-php", "postgresql"),
    # php is content with php-cgi; it would bring Apache.
    *("php-pgsql", "php-cli", "php-cgi"),
)
SHARED = "/usr/share/zabbix-server-pgsql"
# What is linked beside ours.
MODULES = "/usr/share/doc/zabbix-frontend-php/templates/module"
BESIDE = {
    "Interfaces by SNMP": f"{MODULES}/interfaces_snmp/template_module_interfaces_snmp.yaml",
    "Generic by SNMP": f"{MODULES}/generic_snmp_snmp/template_module_generic_snmp_snmp.yaml",
}
FRONTEND = "127.0.0.1:8080"
ONE_TASK = 50  # items that are asked for at once
UNSUPPORTED = "1"

IMPORTED = (
    *("discoveryRules", "graphs", "groups", "items", "templateDashboards", "templateLinkage"),
    *("templates", "triggers", "valueMaps"),
)

POST = """
import sys, urllib.request as r
asked = r.Request(sys.argv[1], sys.stdin.buffer.read(), {"Content-Type": "application/json-rpc"})
print(r.urlopen(asked, timeout=120).read().decode())
"""

SERVER_CONF = """
DBHost=/srv
DBName=zabbix
DBUser=zabbix
LogType=console
PidFile=/srv/zabbix_server.pid
SocketDir=/srv
AllowRoot=1
CacheUpdateFrequency=1
StartPollers=2
StartPollersUnreachable=1
StartTrappers=1
StartPingers=1
StartDiscoverers=0
StartHTTPPollers=0
FpingLocation=/usr/bin/fping
"""

FRONTEND_CONF = """<?php
$DB['TYPE'] = 'POSTGRESQL';
$DB['SERVER'] = '/srv';
$DB['PORT'] = '0';
$DB['DATABASE'] = 'zabbix';
$DB['USER'] = 'zabbix';
$DB['PASSWORD'] = '';
$DB['SCHEMA'] = '';
$DB['ENCRYPTION'] = false;
$DB['DOUBLE_IEEE754'] = true;
"""

COPY = """
mount -t overlay overlay -o lowerdir=/,upperdir="$1/upper",workdir="$1/work" "$1/root"
for each in /proc /dev /sys; do mount --rbind "$each" "$1/root$each"; done
mount --bind "$1/shared" "$1/root/srv"
touch "$1/shared/ready"
exec sleep infinity
"""


class Copy(Process):
    """A copy of this machine's files, for those who enter it; it ends with this process."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory / "copy.log")
        self._directory = directory
        self.shared = directory / "shared"  # is /srv within
        for name in ("upper", "work", "root", "shared"):
            (directory / name).mkdir()
        self.shared.chmod(0o777)  # for PostgreSQL, which refuses to be root

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file of the copy; before it starts."""
        there = self._directory / "upper" / path.lstrip("/")
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_text(text)
        there.chmod(mode)

    def __enter__(self) -> "Copy":
        command = ["unshare", "--mount", "--propagation", "private"]
        self._start([*command, "sh", "-ec", COPY, "sh", str(self._directory)])
        until("the copy is there", self._ready)
        return self

    def _ready(self) -> bool:
        if self.ended() is not None:
            raise Failed(f"no overlay of this machine's files: {self.text()}")
        return (self.shared / "ready").exists()

    def enter(self, snmpd: Snmpd | None = None) -> list[str]:
        """What goes before a command that is to run there, and where snmpd does."""
        command = ["nsenter", f"--mount=/proc/{self.pid}/ns/mnt"]
        if snmpd is not None:
            command.append(f"--net=/proc/{snmpd.pid}/ns/net")
        return [*command, "chroot", str(self._directory / "root")]

    def run(self, *command: str, text: str = "") -> str:
        """Its output; Failed if it fails."""
        done = subprocess.run(
            [*self.enter(), *command], input=text, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Failed(f"{' '.join(command)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout


class Daemon(Process):
    """Something that runs in the copy."""

    def __init__(
        self, copy: Copy, snmpd: Snmpd, name: str, *command: str, end: signal.Signals
    ) -> None:
        super().__init__(copy.shared / f"{name}.log")
        self._command = [*copy.enter(snmpd), "setsid", *command]
        self._end = end

    def __exit__(self, *_: object) -> None:
        group = self.pid
        try:
            self.stop(self._end)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)


class Api:
    """Zabbix's API."""

    def __init__(self, snmpd: Snmpd) -> None:
        self._command = [*snmpd.enter(), sys.executable, "-I", "-c", POST]
        self._auth: str | None = None

    def login(self) -> bool:
        """Whether it answers; from then on as its administrator."""
        try:
            self._auth = self("user.login", username="Admin", password="zabbix")
        except Failed:
            return False
        return True

    def __call__(self, method: str, /, *listed: Any, **named: Any) -> Any:
        """The result of a call; Failed with what it says if it refuses."""
        asked = {"jsonrpc": "2.0", "method": method, "id": 1, "params": list(listed) or named}
        if self._auth is not None:
            asked["auth"] = self._auth
        done = subprocess.run(
            [*self._command, f"http://{FRONTEND}/api_jsonrpc.php"],
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Failed(f"{method}: {done.stderr[-500:]}")
        answer = json.loads(done.stdout)
        if "error" in answer:
            raise Failed(f"{method}: {answer['error']}")
        return answer["result"]


def run_story(directory: Path, mibs: Path, update: bool) -> None:
    """All of it, in `directory`; StageError or Failed at the first thing that does not hold."""
    del mibs, update  # nothing here is generated
    vppcfg = directory / "vppcfg.yaml"
    with (
        installed(directory / "zabbix") as copy,
        Simulator(directory / "vpp", vppcfg=vppcfg, per_node_counters=True) as vpp,
        Snmpd(directory / "snmp") as snmpd,
        AgentProcess(directory, vpp, snmpd.agentx, "-c", str(vppcfg)) as agent,
        server(copy, snmpd) as api,
    ):
        until("the interfaces are served", lambda: snmpd.column(IF_NAME))
        imported(copy, api)
        host = discovered(api)
        valued(api, host)
        compared(api, host, vpp, snmpd)
        alarmed(api, host, vpp, agent)


# --- the server -----------------------------------------------------------------------------------


@contextmanager
def installed(directory: Path) -> Iterator[Copy]:
    """A copy of this machine with Debian's packages."""
    chapter("Debian's packages")
    directory.mkdir()
    copy = Copy(directory)
    copy.write("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755)
    with copy:
        missing = [each for each in PACKAGES if not _is_installed(copy, each)]
        if missing:
            environment = ("env", "DEBIAN_FRONTEND=noninteractive")
            apt = (*environment, "apt-get", "-qq", "-o", "APT::Sandbox::User=root")
            copy.run(*apt, "update")
            copy.run(*apt, "install", "-y", "--no-install-recommends", *missing)
        copy.run("tee", "/etc/zabbix/zabbix.conf.php", text=FRONTEND_CONF)
        version = copy.run("zabbix_server", "--version").splitlines()[0]
        check(version, " 6.0." in version)
        yield copy


def _is_installed(copy: Copy, package: str) -> bool:
    command = [*copy.enter(), "dpkg-query", "-W", "-f", "${db:Status-Status}", package]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout == "installed"


@contextmanager
def server(copy: Copy, snmpd: Snmpd) -> Iterator[Api]:
    """PostgreSQL, zabbix_server and its frontend; to be asked by its API."""
    chapter("The server")
    shared = copy.shared
    as_postgres = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")
    [initdb] = copy.run("sh", "-c", "ls /usr/lib/postgresql/*/bin/initdb | tail -1").split()
    database = "/srv/database"
    settings = ("--auth=trust", "--username=zabbix", "--encoding=UTF8", "--no-sync")
    copy.run(*as_postgres, initdb, *settings, f"--pgdata={database}")
    psql = ("psql", "-qX", "-v", "ON_ERROR_STOP=1", "-h", "/srv", "-U", "zabbix")
    (shared / "zabbix_server.conf").write_text(SERVER_CONF)
    with ExitStack() as stack:

        def start(name: str, *command: str, end: signal.Signals = signal.SIGTERM) -> Process:
            return stack.enter_context(Daemon(copy, snmpd, name, *command, end=end))

        postgres = (*as_postgres, initdb.replace("initdb", "postgres"), "-D", database)
        options = ("-c", "listen_addresses=", "-c", "unix_socket_directories=/srv")
        start("postgres", *postgres, *options, "-c", "fsync=off", end=signal.SIGINT)
        until("PostgreSQL answers", (shared / ".s.PGSQL.5432").exists)
        until("it takes connections", lambda: _succeeds(copy, *psql, "-l"))
        copy.run(*psql, "-d", "postgres", "-c", "CREATE DATABASE zabbix")
        began = time.monotonic()
        for part in ("schema", "images", "data"):
            load = f'zcat {SHARED}/{part}.sql.gz | "$@" >/srv/{part}.log'
            copy.run("sh", "-ec", load, "sh", *psql, "-d", "zabbix")
        # Without, the planner knows nothing of it, and a new host takes minutes.
        copy.run(*psql, "-d", "zabbix", "-c", "ANALYZE")
        check(f"its database is filled, in {time.monotonic() - began:.0f} s", True)
        running = start("server", "zabbix_server", "-f", "-c", "/srv/zabbix_server.conf")
        limits = ("-d", "memory_limit=512M", "-d", "max_execution_time=300")
        start("frontend", "php", *limits, "-S", FRONTEND, "-t", "/usr/share/zabbix")
        api = Api(snmpd)
        until("the frontend answers", api.login)
        until("the server works", lambda: "server #0 started" in running.text())
        check("the server and its frontend run", running.ended() is None, running.text())
        yield api


def _succeeds(copy: Copy, *command: str) -> bool:
    entered = [*copy.enter(), *command]
    return not subprocess.run(entered, capture_output=True, check=False).returncode


# --- the template ---------------------------------------------------------------------------------


def imported(copy: Copy, api: Api) -> None:
    """The template is taken, and what the server makes of it is what is in the file."""
    chapter("The template")
    rules = {each: {"createMissing": True, "updateExisting": True} for each in IMPORTED}
    rules["groups"] = {"createMissing": True, "updateExisting": False}
    rules["templateLinkage"] = {"createMissing": True}
    for path in BESIDE.values():
        api("configuration.import", format="yaml", rules=rules, source=copy.run("cat", path))
    text = TEMPLATE.read_text()
    for again in ("", ", and again"):
        done = api("configuration.import", format="yaml", rules=rules, source=text)
        check(f"configuration.import takes it{again}", done is True, done)
    [template] = api("template.get", filter={"host": NAME}, output=["templateid"])
    options = {"templates": [template["templateid"]]}
    exported = yaml.safe_load(api("configuration.export", format="yaml", options=options))
    there, here = (_sorted(each) for each in (exported, yaml.safe_load(text)))
    for each in (there, here):
        del each["zabbix_export"]["date"]
    check("configuration.export says the same", there == here, _difference(there, here))


def _sorted(value: Any) -> Any:
    """A list in the order of its texts, for Zabbix has an order of its own; but for what is done
    one after another."""
    if isinstance(value, dict):
        return {
            key: each if key in ("preprocessing", "parameters") else _sorted(each)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return sorted(map(_sorted, value), key=lambda each: json.dumps(each, sort_keys=True))
    return value


def _difference(one: Any, other: Any, where: str = "") -> str:
    """Where they differ first."""
    if type(one) is type(other) and isinstance(one, dict):
        for key in one.keys() | other.keys():
            found = _difference(one.get(key), other.get(key), f"{where}/{key}")
            if found:
                return found
    if type(one) is type(other) and isinstance(one, list):
        for number, pair in enumerate(zip(one, other, strict=False)):
            found = _difference(*pair, f"{where}[{number}]")
            if found:
                return found
    return "" if one == other else f"{where}: {one!r} {other!r}"


def discovered(api: Api) -> str:
    """A host with the templates, and what each rule discovers; its id."""
    chapter("Discovery")
    [group] = api("hostgroup.get", filter={"name": "Discovered hosts"}, output=["groupid"])
    templates = api("template.get", filter={"host": [NAME, *BESIDE]}, output=["templateid", "host"])
    check("Zabbix's own are beside it", {each["host"] for each in templates} == {NAME, *BESIDE})
    [host] = api(
        "host.create",
        host="router",
        groups=[group],
        templates=[{"templateid": each["templateid"]} for each in templates],
        macros=[
            {"macro": "{$SNMP_COMMUNITY}", "value": "public"},
            {"macro": "{$VPP.NODATA.TIME}", "value": "30s"},
        ],
        interfaces=[
            {
                "type": 2,
                "main": 1,
                "useip": 1,
                "ip": "127.0.0.1",
                "dns": "",
                "port": "161",
                "details": {"version": 2, "bulk": 1, "community": "{$SNMP_COMMUNITY}"},
            }
        ],
    )["hostids"]
    rules = api("discoveryrule.get", hostids=[host], output=["itemid", "name", "key_"])
    ours = {rule["key_"]: rule for rule in rules if rule["key_"].startswith("vpp.")}
    found: dict[str, list[str]] = {}

    def all_discovered() -> bool:
        _ask_now(api, [rule["itemid"] for rule in rules])
        for key, rule in ours.items():
            items = api("item.get", hostids=[host], output=["key_"], search={"key_": "vpp."})
            prototypes = api("itemprototype.get", discoveryids=[rule["itemid"]], output=["key_"])
            starts = tuple(each["key_"].partition("[")[0] + "[" for each in prototypes)
            found[key] = [each["key_"] for each in items if each["key_"].startswith(starts)]
        return all(items for key, items in found.items() if key not in ABSENT)

    try:
        until("every rule has discovered something", all_discovered)
    except Exception as error:
        states = api("discoveryrule.get", hostids=[host], output=["key_", "state", "error"])
        raise Failed(f"{error}: {found}, {states}") from error
    for key, items in sorted(found.items()):
        check(f"{key}: {len(items)} items", items or key in ABSENT)
    until(
        "ports are discovered", lambda: api("item.get", hostids=[host], search={"key_": "net.if"})
    )
    return str(host)


# Of threads the embedded VPP reports no input.
ABSENT = {"vpp.thread.input.discovery"}


def _ask_now(api: Api, ids: list[str]) -> None:
    """Have the server ask for these now, instead of in up to an hour."""
    for start in range(0, len(ids), ONE_TASK):
        tasks = [{"type": 6, "request": {"itemid": each}} for each in ids[start : start + ONE_TASK]]
        done = False
        limit = time.monotonic() + 60
        while not done:
            try:
                api("task.create", *tasks)
                done = True
            except Failed:
                if time.monotonic() > limit:  # the server has not heard of it yet
                    raise


def items(api: Api, host: str) -> dict[str, dict[str, str]]:
    """The items of our template by key."""
    output = ["itemid", "key_", "name", "state", "error", "lastvalue", "lastclock", "units"]
    found = api(
        "item.get", hostids=[host], output=output, search={"key_": "vpp."}, startSearch=True
    )
    return {each["key_"]: each for each in found}


def unsupported(api: Api, host: str) -> dict[str, str]:
    """Why, by the key of an item of our template."""
    return {
        key: each["error"] for key, each in items(api, host).items() if each["state"] == UNSUPPORTED
    }


def valued(api: Api, host: str) -> None:
    """Each item has a value, and none is unsupported."""
    chapter("Values")

    def without() -> list[str]:
        return [each["itemid"] for each in items(api, host).values() if each["lastclock"] == "0"]

    def all_valued() -> bool:
        asked = [
            each["itemid"]
            for each in items(api, host).values()
            if each["lastclock"] == "0" or each["state"] == UNSUPPORTED
        ]
        _ask_now(api, asked)
        return not asked

    try:
        until("each item has a value", all_valued)
    except Exception as error:
        lacking = [e for e in items(api, host).values() if e["lastclock"] == "0"]
        raise Failed(f"{error}: {lacking}, {unsupported(api, host)}") from error
    check("no item is unsupported", not unsupported(api, host), unsupported(api, host))
    check(f"all {len(items(api, host))} items have a value", not without())
    for _, each in sorted(items(api, host).items()):
        print(f"       {each['name']:<60} {each['lastvalue']} {each['units']}")


def compared(api: Api, host: str, vpp: Simulator, snmpd: Snmpd) -> None:
    """The values are those that the simulator and snmpd have."""
    found = items(api, host)
    for heap, (total, *_) in vpp.heaps().items():
        check(f"size of {heap}", found[f"vpp.heap.size[{heap}]"]["lastvalue"] == str(total), total)
        size, used, share = (
            float(found[f"vpp.heap.{part}[{heap}]"]["lastvalue"])
            for part in ("size", "used", "pused")
        )
        check(f"its used part in percent: {share:.2f}", 0 < share < 100 and used < size)
    errors = {key for key in found if key.startswith("vpp.error[")}
    served = snmpd.walk(f"{BASE}.1.5.1.1.3")
    check(f"{len(errors)} errors, as many as are served", len(errors) == len(served), served)
    expected = {_error_key(name) for name in served}
    check("under the names that their indexes spell", errors == expected, (errors, expected))


def _error_key(name: str) -> str:
    """The key of an error's item, of the name of its counter."""
    octets = [int(each) for each in name.removeprefix(f"{BASE}.1.5.1.1.3.").split(".")]
    node = bytes(octets[1 : 1 + octets[0]]).decode()
    reason = bytes(octets[2 + octets[0] :]).decode()
    return f"vpp.error[{node},{_quoted(reason)}]"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '\\"') + '"' if set(text) & set(",]") else text


# What our template's triggers begin with.
OURS = ("VPP:", "Thread ", "Heap ", "Buffers ", "Error ", "Bond member ")
HANGS, AWAY = "VPP: its API hangs", "VPP: it is away"
UNKNOWN, RESTARTED = "VPP: nothing is known of it", "VPP: it has been restarted"
MEMBER = "TenGigabitEthernet1/0/0"  # of BondEthernet0
LOST = f"Bond member {MEMBER}: it carries nothing of its bond"
ASKED = (  # what they are of
    *("vpp.api.state", "vpp.uptime", "vpp.heartbeat.age", "vpp.bond.", "vpp.thread.vectors"),
    *("vpp.heap.pused", "vpp.buffers.pused", "vpp.error[null-node"),
)
# A limit that a healthy router exceeds, and what that is then.
LIMITS = {
    "{$VPP.HEARTBEAT.AGE.MAX}": ("-1", "VPP: its heart does not beat"),
    "{$VPP.THREAD.VECTORS.MAX}": ("11", "Thread vpp_wk_1: it is at its limit"),
    '{$VPP.HEAP.PUSED.MAX:"main heap"}': ("1", "Heap main heap: nearly used up"),
    '{$VPP.BUFFERS.PUSED.MAX:"default-numa-0"}': ("1", "Buffers default-numa-0: nearly used up"),
    '{$VPP.ERROR.RATE.MAX:"null-node"}': ("-1", "Error null-node: many of blackholed packets"),
}


def problems(api: Api, host: str) -> set[str]:
    """What our template's triggers say, with the items that they are of asked for now."""
    _ask_now(api, [e["itemid"] for key, e in items(api, host).items() if key.startswith(ASKED)])
    found = api(
        "trigger.get",
        hostids=[host],
        filter={"value": 1},
        output=["description"],
        expandDescription=True,
        skipDependent=True,
    )
    return {each["description"] for each in found if each["description"].startswith(OURS)}


def alarmed(api: Api, host: str, vpp: Simulator, agent: AgentProcess) -> None:
    """What happens to the router is a problem, and the right one."""
    chapter("Problems")

    def are(*expected: str) -> bool:
        # Whatever has just been started says so, for ten minutes.
        return problems(api, host) - {RESTARTED} == set(expected)

    eventually("of a healthy router there is none", are)
    changed = [
        {"hostid": host, "macro": macro, "value": limit} for macro, (limit, _) in LIMITS.items()
    ]
    macros = api("usermacro.create", *changed)["hostmacroids"]
    expected = [problem for _, problem in LIMITS.values()]
    eventually(f"what is above its limit: {', '.join(expected)}", lambda: are(*expected))
    api("usermacro.delete", *macros)
    eventually("and within its limit none", are)
    began = time.monotonic()
    vpp.hang()
    until(HANGS, lambda: are(HANGS))
    print(f"ok     {HANGS}, {time.monotonic() - began:.0f} s after it hung", flush=True)
    vpp.resume()
    eventually("it ends when VPP answers", are)
    vpp.set_active(MEMBER, False)
    eventually(LOST, lambda: are(LOST))
    vpp.set_active(MEMBER, True)
    eventually("it ends when the member is back", are)
    vpp.kill()
    eventually(f"{AWAY}, and nothing beside it", lambda: are(AWAY))
    ask_all(api, host)
    check("none is unsupported for that", not unsupported(api, host), unsupported(api, host))
    vpp.start()
    eventually(f"{RESTARTED}, and nothing else", lambda: problems(api, host) == {RESTARTED})
    agent.stop()
    eventually(f"{UNKNOWN}, when the agent ends", lambda: UNKNOWN in problems(api, host))


def ask_all(api: Api, host: str) -> None:
    """Have all items asked for, and wait until they have been."""
    found = items(api, host)
    _ask_now(api, [each["itemid"] for each in found.values()])
    # The server takes them in turn, and has none of them left when it has come to this one again.
    for _ in range(2):
        last = items(api, host)["vpp.agent.uptime"]

        def is_newer(last: dict[str, str] = last) -> bool:
            return items(api, host)["vpp.agent.uptime"]["lastclock"] > last["lastclock"]

        _ask_now(api, [last["itemid"]])
        until("what is asked for last comes", is_newer)
