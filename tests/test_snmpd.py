"""snmpd as it ships, on a router with many routes: what it shows, hides, and what they cost it.

Root alone can give a network namespace its routes; otherwise these tests are skipped.
"""

import contextlib
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from simulator import Simulator
from simulator.stage import CONF, SWITCHED_OFF, AgentProcess, Snmpd, until

from .edge_router import ROWS, wait_for_rows
from .hidden import HIDDEN, KERNEL, WHOLE
from .oids import LINK_DOWN, MIB_2

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can fill a namespace with routes"),
]

ROUTES = 40_000
# As many times the CPU time that the same takes the same snmpd with few routes: with its route
# modules on, a question takes 5 to 11 s instead of less than a millisecond.
MAX_COST = 20
DEBIANS = "-smux,mteTrigger,mteTriggerConf"  # what Debian's own snmpd leaves out

# Of IPV6-TCP-MIB and IPV6-UDP-MIB, which Debian's snmpd registers and leaves empty.
NEVER_SEEN = {"6.16", "7.6"}
# Of FRR's bgpd: its paths, and the routes of VPNs (test_beside.py has a bgpd).
OF_FRR = {"15.6", "10.166.11.1.4.1"}
# What the service leaves out of snmpd, whatever the view; `swrun` counts processes.
ABSENT = {"2", "4", "10", "31", *HIDDEN} - {"25.4", "25.5"}
# What a poller of a router goes on to be given by snmpd, and the agent is not.
NEEDED = {
    "1.1.0": "sysDescr",
    "5.1.0": "icmpInMsgs",
    "6.9.0": "tcpCurrEstab",
    "7.1.0": "udpInDatagrams",
    "11.1.0": "snmpInPkts",
    "25.1.6.0": "hrSystemProcesses",
    "25.2.2.0": "hrMemorySize",
    "25.2.3.1.6.1": "hrStorageUsed",
}
EXTRA = f"{WHOLE}proc snmpd\n"  # and a process that is counted by its name


def fill(snmpd: Snmpd, directory: Path, routes: int) -> None:
    """Give snmpd's namespace an interface, addresses, a neighbour and routes."""
    commands = [
        *KERNEL,
        *(f"route add 11.{n >> 8}.{n & 255}.0/24 via 198.18.0.2" for n in range(routes)),
    ]
    batch = directory / "routes.batch"
    batch.write_text("\n".join(commands) + "\n")
    subprocess.run([*snmpd.enter(), "ip", "-batch", str(batch)], check=True)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("router")


@pytest.fixture(scope="module")
def snmpd(directory: Path) -> Iterator[Snmpd]:
    """snmpd as shipped, in a namespace with the routes."""
    with Snmpd(directory / "snmp", extra=EXTRA) as running:
        fill(running, directory, ROUTES)
        counted = subprocess.run(
            [*running.enter(), "ip", "route", "show"], capture_output=True, text=True, check=True
        )
        assert counted.stdout.count("\n") > ROUTES
        with used(running):
            yield running


@pytest.fixture(scope="module")
def debians(directory: Path) -> Iterator[Snmpd]:
    """The same with all that Debian's snmpd has, and with few routes."""
    with Snmpd(directory / "debian", DEBIANS, extra=EXTRA) as running:
        fill(running, directory, 7)
        with used(running):
            yield running


@pytest.fixture(scope="module")
def quiet(directory: Path) -> Iterator[Snmpd]:
    """snmpd as shipped, with few routes: what its answers cost is the measure of the other's."""
    with Snmpd(directory / "quiet", extra=EXTRA) as running:
        fill(running, directory, 5)
        with used(running):
            yield running


def cost(snmpd: Snmpd, ask: Callable[[Snmpd], object]) -> float:
    """Seconds that snmpd is on a CPU for it: a busy machine makes them no more."""
    schedstat = Path(f"/proc/{snmpd.pid}/schedstat")
    before = int(schedstat.read_text().split()[0])
    ask(snmpd)
    return (int(schedstat.read_text().split()[0]) - before) * 1e-9


@contextlib.contextmanager
def used(snmpd: Snmpd) -> Iterator[None]:
    """With a notification that it has sent, to nobody, and an open TCP connection."""
    subprocess.run(["agentxtrap", "-x", snmpd.agentx, LINK_DOWN], check=True)
    connect = "exec 3<>/dev/tcp/127.0.0.1/161 && echo connected && read -r _"
    with subprocess.Popen(
        [*snmpd.enter(), "bash", "-c", connect], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as connection:
        assert connection.stdin is not None
        assert connection.stdout is not None
        assert connection.stdout.readline() == b"connected\n"
        yield
        connection.stdin.close()


def walk(snmpd: Snmpd, subtree: str = "", community: str = "public") -> dict[str, str]:
    """A subtree of mib-2 as a poller walks it, without what says that there is nothing."""
    oid = f"{MIB_2}.{subtree}".rstrip(".")
    walked = snmpd.walk(oid, options=["-c", community, "-t", "30", "-r", "0"])
    return {name: value for name, value in walked.items() if not value.startswith("No ")}


def under(names: dict[str, str], subtree: str) -> list[str]:
    return [name for name in names if name.startswith(f"{MIB_2}.{subtree}.")]


# --- what routes cost --------------------------------------------------------------------------


def test_a_walk_of_all_mib_2_costs_no_more_for_all_the_routes(
    snmpd: Snmpd, quiet: Snmpd, tmp_path: Path
) -> None:
    away = walk(snmpd)
    assert len(away) <= len(walk(quiet)) + 10  # a kind of ICMP message that came is a row
    bound = MAX_COST * cost(quiet, walk)
    assert cost(snmpd, walk) < bound
    with Simulator(tmp_path / "vpp") as vpp, AgentProcess(tmp_path, vpp, snmpd.agentx):
        wait_for_rows(snmpd)
        until("the addresses are", lambda: len(walk(snmpd, "4.20.1.2")) == 3)
        served = walk(snmpd)
        assert cost(snmpd, walk) < bound * len(served) / len(away)
    assert len(under(served, "31.1.1.1.1")) == ROWS
    assert len(served) > len(away) + ROWS * 40
    until("the rows are gone", lambda: not walk(snmpd, "31"))


def test_without_a_view_it_costs_no_more_either_because_the_modules_are_off(
    snmpd: Snmpd, quiet: Snmpd
) -> None:
    def ask(each: Snmpd) -> None:
        assert walk(each, community="whole")

    bound = MAX_COST * cost(quiet, ask)
    assert cost(snmpd, ask) < bound


@pytest.mark.parametrize(
    "oid",
    [
        "4.24.3.0",  # ipCidrRouteNumber
        "4.24.6.0",  # inetCidrRouteNumber
        "4.21.1.7.11.0.9.0",  # ipRouteNextHop
        "4.24.4.1.4.11.0.9.0.255.255.255.0.0.198.18.0.2",  # ipCidrRouteNextHop
        "4.24.7.1.7.1.4.11.0.9.0.24.2.0.0.1.4.198.18.0.2",  # inetCidrRouteIfIndex
    ],
)
@pytest.mark.parametrize("community", ["public", "whole"])
def test_a_question_about_a_route_costs_no_more_than_with_few(
    snmpd: Snmpd, quiet: Snmpd, oid: str, community: str
) -> None:
    def ask(each: Snmpd) -> None:
        for tool in ("snmpget", "snmpgetnext"):
            options = ["-On", "-c", community, "-t", "30", "-r", "0"]
            answer = each.run(tool, f"{MIB_2}.{oid}", options=options).stdout
            assert f".{MIB_2}.4." not in answer or "No Such" in answer

    bound = MAX_COST * cost(quiet, ask)
    assert cost(snmpd, ask) < bound


# --- hidden, and shown -------------------------------------------------------------------------


@pytest.mark.parametrize("subtree", HIDDEN)
def test_what_snmpd_would_show_otherwise_is_hidden_by_the_view_alone(
    debians: Snmpd, subtree: str
) -> None:
    assert walk(debians, subtree, "whole")
    assert not under(walk(debians, subtree), subtree)


def test_the_view_hides_nothing_else_and_the_tests_know_all_of_it() -> None:
    hidden = re.findall(rf"^view poller excluded \.{MIB_2}\.(\S+)$", CONF.read_text(), re.M)
    assert set(hidden) == {*HIDDEN, *NEVER_SEEN, *OF_FRR}


def test_with_the_agent_away_no_table_of_the_kernels_is_left(snmpd: Snmpd, debians: Snmpd) -> None:
    shown, otherwise = walk(snmpd, community="whole"), walk(debians, community="whole")
    for subtree in ABSENT:
        assert under(otherwise, subtree), subtree
        assert not under(shown, subtree)
    assert not [value for value in shown.values() if "198.18.0" in value or "kernel0" in value]


@pytest.mark.parametrize("community", ["public", "whole"])
def test_what_a_poller_needs_of_the_machine_stays(snmpd: Snmpd, community: str) -> None:
    walked = walk(snmpd, community=community)
    assert {f"{MIB_2}.{oid}" for oid in NEEDED} <= walked.keys()
    assert int(walked[f"{MIB_2}.25.1.6.0"].removeprefix("Gauge32: ")) > 1
    assert under(walked, "25.3.3.1.1")  # hrProcessorFrwID: a row for each processor


def test_a_proc_line_counts_though_the_processes_are_hidden(snmpd: Snmpd) -> None:
    counted = snmpd.walk("1.3.6.1.4.1.2021.2.1.5")
    assert (
        list(counted.values()) == ["INTEGER: 1"]
        or int(counted["1.3.6.1.4.1.2021.2.1.5.1"].removeprefix("INTEGER: ")) >= 1
    )


def test_it_is_a_router(snmpd: Snmpd) -> None:
    (services,) = walk(snmpd, "1.7").values()
    layers = int(services.removeprefix("INTEGER: "))
    assert layers == sum(1 << layer - 1 for layer in (2, 3, 4, 7))


def test_every_list_of_the_service_is_one_word_of_names() -> None:
    for modules in SWITCHED_OFF.split():
        assert re.fullmatch(r"-\w+(,\w+)*", modules)
    names = ",".join(each[1:] for each in SWITCHED_OFF.split()).split(",")
    assert len(names) == len(set(names))


# --- SNMPv3 ------------------------------------------------------------------------------------


def test_both_users_of_the_example_may_ask(tmp_path: Path) -> None:
    """Each as it stands, one after the other; what is hidden is so for them too."""
    users = re.findall(r"createUser (poller (\S+) \"(.*)\" (\S+) \"(.*)\")", CONF.read_text())
    assert [(auth, privacy) for _, auth, _, privacy, _ in users] == [
        ("SHA", "AES"),
        ("SHA-256", "AES"),
    ]
    (rouser,) = re.findall(r"^#(rouser poller .*)$", CONF.read_text(), re.M)
    for line, auth, password, privacy, secret in users:
        extra = f"createUser {line}\n{rouser}\n"
        with Snmpd(tmp_path / auth, extra=extra) as snmpd:
            who = ["-v3", "-l", "authPriv", "-u", "poller", "-a", auth, "-A", password]
            options = ["-On", *who, "-x", privacy, "-X", secret]
            services = snmpd.run("snmpget", f"{MIB_2}.1.7.0", options=options).stdout
            assert services.strip().endswith("INTEGER: 78")
            hidden = snmpd.run("snmpwalk", f"{MIB_2}.25.4", options=options).stdout
            assert "No Such" in hidden or "No more variables" in hidden
