"""FRR and lldpd beside the agent: AgentX agents of their own on the same snmpd.

Two routers in network namespaces, joined by a veth.  Ours has snmpd as shipped, the agent over
the simulator, FRR and lldpd as docs/beside.md has them: bgpd, ospfd and ospf6d with FRR's SNMP
module, zebra without.  The neighbour has zebra, bgpd and lldpd, and announces a table of routes.
Debian's packages frr, frr-snmp and lldpd are needed, and root; otherwise these tests are skipped.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

import pytest

from simulator import Simulator
from simulator.stage import AgentProcess, Process, Snmpd, until
from vpp_snmp_agent.operator import check_snmpd

from .edge_router import ROWS, wait_for_rows
from .oids import IF_NAME, MIB_2
from .test_snmpd import EXTRA, MAX_COST, ROUTES, cost, walk

FRR = Path("/usr/lib/frr")
LLDPD = "/usr/sbin/lldpd"
WITH_SNMP = ("bgpd", "ospfd", "ospf6d")
NEEDED = (FRR / "zebra", *(FRR / name for name in WITH_SNMP), Path(LLDPD))


def missing() -> str:
    """What is not here that these tests need; nothing if all is."""
    if os.geteuid():
        return "only root can make network namespaces and join them"
    absent = [path.name for path in NEEDED if not path.exists()]
    if not list(Path("/usr/lib").glob("*/frr/modules/bgpd_snmp.so")):
        absent.append("bgpd's SNMP module")
    return f"absent: {', '.join(absent)} (packages frr, frr-snmp, lldpd)" if absent else ""


pytestmark = [pytest.mark.system, pytest.mark.skipif(bool(missing()), reason=missing())]

OURS, NEIGHBOURS = "198.51.100.1", "198.51.100.2"
LOCAL_AS, REMOTE_AS = 64511, 64497
PORT, FAR_PORT = "beside0", "beside1"
# The port stands for the host interface of one of the simulator's LCP pairs, which has no TAP:
# it has its ifindex, and is ours by this ifName.
IF_INDEX, HOST_NAME = 12, "enp1s0f2"
FAR_NAME = "the neighbour"
ESTABLISHED = "6"
DOT1D_BASE_PORT_IF_INDEX = f"{MIB_2}.17.1.4.1.2"
BGP = f"{MIB_2}.15"
PEER_STATE, PEER_REMOTE_AS = f"{BGP}.3.1.2", f"{BGP}.3.1.9"
PATHS = f"{BGP}.6"  # bgp4PathAttrTable
BGP4V2 = "1.3.6.1.3.5.1"
BGP4V2_PATHS = f"{BGP4V2}.1.9"  # bgp4V2NlriTable
LLDP_LOCAL_SYS_DESCR, LLDP_REMOTE_SYS_DESCR = (f"1.0.8802.1.1.2.1.{n}" for n in ("3.4", "4.1.1.10"))
CIDR_ROUTES = f"{MIB_2}.4.24"
# Debian's group of those who may configure FRR.  frr is in it, but it is not frr's own group: as
# in group vpp-snmp-agentx, when the operator has added it.
GROUP = "frrvty"
EVERYTHING = "whole"  # a community that no view bounds
OPEN = ("-On", "-c", EVERYTHING)


class Daemon(Process):
    """A daemon of somebody else's, in the foreground."""

    def __init__(self, log: Path, *command: object) -> None:
        super().__init__(log)
        self._command = [str(word) for word in command]

    def __enter__(self) -> "Daemon":
        # Where FRR finds its lines for net-snmp, as in /etc/snmp; in C, so that it logs less.
        self._start(self._command, {"SNMPCONFPATH": str(self.log.parent), "MIBS": ""})
        return self


class Side(NamedTuple):
    """One of the two routers, and the command that enters its namespace."""

    directory: Path
    enter: list[str]
    local: str
    remote: str
    asn: int
    remote_as: int
    snmp: bool

    def ip(self, *words: str) -> None:
        subprocess.run([*self.enter, "ip", *words], check=True)


def frr(side: Side, name: str, *words: str) -> Daemon:
    """One of FRR's daemons, as user frr, reading `name`.conf."""
    directory = side.directory
    files = ["-f", directory / f"{name}.conf", "-i", directory / f"{name}.pid"]
    sockets = ["-z", directory / "zserv.api", "--vty_socket", directory]
    quiet = ["--log", "stdout", "-P", "0", "-A", "127.0.0.1"]
    command = (*side.enter, FRR / name, *files, *sockets, *quiet, *words)
    return Daemon(directory / f"{name}.log", *command)


def lldpd(side: Side, name: str, *words: str) -> Daemon:
    """lldpd on the port between the two.  What it leaves in /run goes with it."""
    directory = side.directory
    nothing = directory / "lldpd.conf"
    nothing.touch()
    alone = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs lldpd /run && exec "$@"', "sh"]
    options = ["-d", "-u", directory / "lldpd.socket", "-O", nothing, "-I", "beside*", "-S", name]
    command = (*side.enter, *alone, LLDPD, *options, *words)
    return Daemon(directory / "lldpd.log", *command)


def configure(side: Side, *lines: str) -> None:
    """Write the configurations of FRR's daemons; `lines`: more for bgpd."""
    shutil.chown(side.directory, "frr", "frr")
    (side.directory / "zebra.conf").write_text("")
    agentx = ["agentx"] if side.snmp else []
    for name, router in (("ospfd", "router ospf"), ("ospf6d", "router ospf6")):
        words = router.removeprefix("router ")
        ospf = [*agentx, router, f" {words} router-id {side.local}"]
        (side.directory / f"{name}.conf").write_text("\n".join(ospf) + "\n")
    bgp = [
        *agentx,
        f"router bgp {side.asn}",
        f" bgp router-id {side.local}",
        " no bgp ebgp-requires-policy",
        f" neighbor {side.remote} remote-as {side.remote_as}",
        f" neighbor {side.remote} timers connect 1",
        f" neighbor {side.remote} advertisement-interval 0",
        *lines,
    ]
    (side.directory / "bgpd.conf").write_text("\n".join(bgp) + "\n")


def fill(side: Side) -> None:
    """Give a router the routes that it is to announce."""
    commands = [
        f"route add 11.{n >> 8}.{n & 255}.0/24 dev {FAR_PORT} proto static" for n in range(ROUTES)
    ]
    batch = side.directory / "routes.batch"
    batch.write_text("\n".join(commands) + "\n")
    side.ip("-batch", str(batch))


def routes(side: Side) -> int:
    """How many routes to other networks the kernel has."""
    words = [*side.enter, "ip", "route", "show", "table", "main"]
    shown = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout
    return sum(line.startswith("11.") for line in shown.splitlines())


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    """Where FRR's user gets to, unlike pytest's."""
    with tempfile.TemporaryDirectory(prefix="beside-") as name:
        os.chmod(name, 0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def snmpd(directory: Path) -> Iterator[Snmpd]:
    """Ours with its AgentX agents, and the neighbour, once the whole table is there."""
    extra = f"{EXTRA}agentXPerms 0660 0755 daemon {GROUP}\n"
    with ExitStack() as stack:
        running = stack.enter_context(Snmpd(directory / "snmp", extra=extra))
        far_directory = directory / "far"
        far_directory.mkdir()
        # The neighbour's namespace is that of a process that does nothing else.
        hold = ["unshare", "--net", "sleep", "infinity"]
        holder = stack.enter_context(Daemon(far_directory / "namespace.log", *hold))
        enter = ["nsenter", "-t", str(holder.pid), "-n"]
        until("the neighbour has a namespace", lambda: is_apart(holder.pid))
        (directory / "near").mkdir()
        near = Side(
            directory / "near", running.enter(), OURS, NEIGHBOURS, LOCAL_AS, REMOTE_AS, True
        )
        far = Side(far_directory, enter, NEIGHBOURS, OURS, REMOTE_AS, LOCAL_AS, False)
        link = f"{PORT} index {IF_INDEX} type veth peer name {FAR_PORT} netns {holder.pid}"
        near.ip("link", "add", *link.split())
        for side, port in ((near, PORT), (far, FAR_PORT)):
            side.ip("address", "add", f"{side.local}/30", "dev", port)
            side.ip("link", "set", "lo", "up")
            side.ip("link", "set", port, "up")
        fill(far)
        (near.directory / "frr.conf").write_text(f"agentXSocket unix:{running.agentx}\n")
        configure(near)
        configure(far, " address-family ipv4 unicast", "  redistribute kernel")
        for side in (near, far):
            stack.enter_context(frr(side, "zebra"))
            zserv = side.directory / "zserv.api"
            until("zebra listens", zserv.exists)
            if side.snmp:
                for name in WITH_SNMP:
                    stack.enter_context(frr(side, name, "-M", "snmp"))
            else:
                stack.enter_context(frr(side, "bgpd"))
        stack.enter_context(lldpd(near, "ours", "-x", "-X", f"unix:{running.agentx}"))
        until("lldpd has joined", lambda: entries(running, LLDP_LOCAL_SYS_DESCR, EVERYTHING))
        stack.enter_context(lldpd(far, FAR_NAME))
        vpp = stack.enter_context(Simulator(directory / "vpp"))
        stack.enter_context(AgentProcess(directory, vpp, running.agentx))
        wait_for_rows(running)
        until("the kernel has the neighbour's routes", lambda: routes(near) == ROUTES)
        yield running


def is_apart(pid: int) -> bool:
    """Whether a process has left our network namespace."""
    here, there = (os.stat(f"/proc/{each}/ns/net").st_ino for each in ("self", pid))
    return here != there


def entries(snmpd: Snmpd, oid: str, community: str = "public") -> dict[str, str]:
    """A subtree as a poller walks it, without what says that there is nothing."""
    walked = snmpd.walk(oid, options=["-c", community])
    return {name: value for name, value in walked.items() if not value.startswith("No ")}


def port_of_base_port(snmpd: Snmpd, local_port: int) -> str:
    """The ifName of the port that a manager finds behind lldpd's local port number."""
    index = snmpd.column(DOT1D_BASE_PORT_IF_INDEX)[local_port]
    return snmpd.column(IF_NAME)[int(index)]


# --- read through our snmpd --------------------------------------------------------------------


def test_the_bgp_session_is_established(snmpd: Snmpd) -> None:
    assert walk(snmpd, "15.3.1.2") == {f"{PEER_STATE}.{NEIGHBOURS}": f"INTEGER: {ESTABLISHED}"}
    assert walk(snmpd, "15.3.1.9") == {f"{PEER_REMOTE_AS}.{NEIGHBOURS}": f"INTEGER: {REMOTE_AS}"}


def test_the_lldp_neighbour_is_there_and_its_local_port_is_the_port_it_is_on(
    snmpd: Snmpd,
) -> None:
    until("the neighbour is seen", lambda: entries(snmpd, LLDP_REMOTE_SYS_DESCR))
    ((name, described),) = entries(snmpd, LLDP_REMOTE_SYS_DESCR).items()
    assert described == f'STRING: "{FAR_NAME}"'
    # lldpRemTimeMark, lldpRemLocalPortNum, lldpRemIndex
    _, local_port, _ = map(int, name.removeprefix(f"{LLDP_REMOTE_SYS_DESCR}.").split("."))
    assert port_of_base_port(snmpd, local_port) == HOST_NAME


@pytest.mark.parametrize(
    ("router_id", "value"),
    [
        ("14.1.1.0", f"IpAddress: {OURS}"),
        ("191.1.1.1.0", f"Gauge32: {int(ip_address(OURS))}"),
    ],
)
def test_ospf_of_either_family_answers(snmpd: Snmpd, router_id: str, value: str) -> None:
    until("it has joined", lambda: walk(snmpd, router_id))
    assert walk(snmpd, router_id) == {f"{MIB_2}.{router_id}": value}


def test_our_ports_are_as_they_are_without_them(snmpd: Snmpd) -> None:
    assert len(snmpd.column(IF_NAME)) == ROWS
    assert PORT not in snmpd.column(IF_NAME).values()


def test_check_names_who_announces_itself(snmpd: Snmpd) -> None:
    line = check_snmpd._other_agents(snmpd.pid)
    assert line.mark == "ok"
    assert line.text.endswith(": 1.0.8802.1.1.2 (lldpMIB implementation by lldpd)")


# --- and the whole table is not ----------------------------------------------------------------


def test_beside_a_bgpd_with_the_whole_table_a_walk_of_mib_2_has_none_of_it(snmpd: Snmpd) -> None:
    """Nor does it ask for it: its CPU time is held against a walk that cannot meet it."""
    walked = walk(snmpd)
    assert len(walked) < ROUTES / 10
    own = cost(snmpd, lambda each: walk(each, "31"))
    assert cost(snmpd, walk) < MAX_COST * own * len(walked) / len(walk(snmpd, "31"))
    assert f"{PEER_STATE}.{NEIGHBOURS}" in walked
    assert len([name for name in walked if name.startswith(f"{IF_NAME}.")]) == ROWS
    assert not [name for name in walked if name.startswith((f"{PATHS}.", f"{CIDR_ROUTES}."))]


def test_bgpds_paths_are_hidden_by_the_view_alone(snmpd: Snmpd) -> None:
    first = snmpd.run("snmpgetnext", PATHS, options=OPEN).stdout
    assert first.startswith(f".{PATHS}.1.1.11.0.0.0.24.{NEIGHBOURS} = IpAddress: {NEIGHBOURS}")
    assert f".{PATHS}." not in snmpd.run("snmpgetnext", PATHS).stdout


def test_where_bgpd_has_bgp4v2_mib_its_peers_are_shown_and_its_paths_hidden(snmpd: Snmpd) -> None:
    everything = entries(snmpd, f"{BGP4V2}.1.2", EVERYTHING)
    if not everything:
        pytest.skip("this FRR has no BGP4V2-MIB, which came with 8.5")
    assert entries(snmpd, f"{BGP4V2}.1.2").keys() == everything.keys()
    assert f".{BGP4V2_PATHS}." in snmpd.run("snmpgetnext", BGP4V2_PATHS, options=OPEN).stdout
    assert f".{BGP4V2_PATHS}." not in snmpd.run("snmpgetnext", BGP4V2_PATHS).stdout


def test_zebra_brings_no_table_of_routes_back(snmpd: Snmpd) -> None:
    assert f".{CIDR_ROUTES}." not in snmpd.run("snmpgetnext", CIDR_ROUTES, options=OPEN).stdout
