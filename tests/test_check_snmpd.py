"""What `check` says of snmpd: its socket, its own tables, other agents, its CPUs."""

import grp
import os
import pwd
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from simulator.stage import SWITCHED_OFF, Snmpd
from vpp_snmp_agent.operator import check_snmpd
from vpp_snmp_agent.operator.snapshot import Asked
from vpp_snmp_agent.settings.declarations import Settings, TCPAddress, UnixAddress
from vpp_snmp_agent.vpp.records import NO_INDEX, Thread
from vpp_snmp_agent.vpp.router import Router

from .conftest import NOBODY
from .operators import Check, in_short
from .routers import VPP

KERNEL_MODULES = set(check_snmpd.KERNEL_MODULES)
ALL = ",".join(check_snmpd.KERNEL_MODULES)
BUT_FOR_AT = ALL.replace(",at,", ",")


# --- the AgentX socket -------------------------------------------------------------------------


def agentx_lines(settings: Settings) -> list[str]:
    """The lines about snmpd alone."""
    return [in_short(line) for line in check_snmpd.agentx(settings)]


def test_a_socket_that_is_not_there_fails_once(checked: Check, gone: Settings) -> None:
    lines = checked(gone)
    path = gone.address
    assert lines["AgentX socket"] == [
        f"FAIL: {path}: there is no such socket;"
        f" start snmpd with `master agentx` and `agentXSocket {path}`"
    ]
    assert lines["snmpd's tables"] == ["note: skipped: no snmpd"]


def test_a_socket_that_snmpd_left_behind_fails(gone: Settings, tmp_path: Path) -> None:
    path = tmp_path / "agentx"
    with socket.socket(socket.AF_UNIX) as ended:
        ended.bind(str(path))
    lines = agentx_lines(replace(gone, address=UnixAddress(str(path))))
    assert lines[0].startswith(f"FAIL: {path}: nobody listens; start snmpd with `master agentx`")


def test_what_is_no_socket_fails(gone: Settings, tmp_path: Path) -> None:
    path = tmp_path / "agentx"
    path.touch()
    assert agentx_lines(replace(gone, address=UnixAddress(str(path))))[0] == (
        f"FAIL: {path}: this is no socket; name that of snmpd's line agentXSocket"
    )


@pytest.mark.usefixtures("as_nobody")
def test_a_socket_that_may_not_be_used_fails(gone: Settings) -> None:
    line = agentx_lines(replace(gone, address=UnixAddress("/root/agentx")))[0]
    assert line.startswith("FAIL: /root/agentx: no permission for user nobody: ")
    assert line.endswith("; snmpd's line is `agentXPerms 0660 0755 <user> <group>`")


def test_a_listener_that_does_not_accept_fails(
    gone: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check_snmpd, "CONNECT_TIMEOUT", 0.05)
    path = str(tmp_path / "agentx")
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as first:
        busy.bind(path)
        busy.listen(0)
        first.connect(path)
        lines = agentx_lines(replace(gone, address=UnixAddress(path)))
    assert lines[0] == f"FAIL: {path}: who listens accepts nobody; restart snmpd"


def test_a_listener_that_is_no_snmpd_is_noted(gone: Settings, tmp_path: Path) -> None:
    path = str(tmp_path / "agentx")
    with socket.socket(socket.AF_UNIX) as another:
        another.bind(path)
        another.listen()
        lines = agentx_lines(replace(gone, address=UnixAddress(path)))
    assert lines[0].startswith(f"ok: {path}: somebody listens; ")
    assert lines[1].startswith(f"note: pid {os.getpid()} is no snmpd but ")
    assert lines[1].endswith("; it must serve no table of the kernel's interfaces")


@pytest.mark.parametrize(
    ("mode", "user", "who"),
    [
        (0o600, 0, "root:{group} 0600: root alone"),
        (0o600, NOBODY, "nobody:{group} 0600: root and nobody"),
        (0o660, 0, "root:{group} 0660: root and group {group}"),
        (0o660, NOBODY, "nobody:{group} 0660: root, nobody and group {group}"),
        (0o666, 0, "root:{group} 0666: every user"),
    ],
)
def test_who_may_use_the_socket_is_said(tmp_path: Path, mode: int, user: int, who: str) -> None:
    if os.geteuid():
        pytest.skip("only root can give a file away")
    who_may = who.format(group=grp.getgrgid(NOBODY).gr_name)
    path = tmp_path / "agentx"
    path.touch()
    path.chmod(mode)
    os.chown(path, user, NOBODY)
    assert check_snmpd._who_may(str(path)) == f"{who_may} may use it (checked as root)"


def group_lines(path: Path, mode: int, user: int, group: int) -> list[str]:
    """The lines about who is in the group of a socket."""
    path.touch()
    os.chown(path, user, group)
    path.chmod(mode)
    return [in_short(line) for line in check_snmpd._agentx_group(str(path))]


@pytest.mark.parametrize(
    ("mode", "user", "members", "lines"),
    [
        (0o660, 4711, ["nobody", "daemon"], ["note: in {group} are daemon, nobody, {warning}"]),
        (0o660, NOBODY, ["nobody", "daemon"], ["note: in {group} are daemon, {warning}"]),
        (0o660, NOBODY, ["nobody", "root"], ["ok: nobody else is in {group}"]),
        (0o660, 4712, [], ["ok: nobody else is in {group}"]),
        (0o600, 4713, ["daemon"], []),
        (0o666, 4714, ["daemon"], []),
    ],
)
def test_who_is_in_the_sockets_group_is_said(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mode: int,
    user: int,
    members: list[str],
    lines: list[str],
) -> None:
    if os.geteuid():
        pytest.skip("only root can give a file away")
    group = grp.struct_group(("vpp-snmp-agentx", "x", 5711, members))
    monkeypatch.setattr(grp, "getgrgid", lambda gid: {5711: group}[gid])
    warning = "who can answer for any table, the agent's too"
    expected = [line.format(group="vpp-snmp-agentx", warning=warning) for line in lines]
    assert group_lines(tmp_path / "agentx", mode, user, 5711) == expected


def test_whose_own_group_it_is_is_in_it_too() -> None:
    daemon = pwd.getpwnam("daemon")
    assert "daemon" in check_snmpd.members_of(daemon.pw_gid)
    assert check_snmpd.members_of(987_654_321) == set()


def test_over_tcp_somebody_must_listen(gone: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as snmpd:
        address = TCPAddress("127.0.0.1", snmpd.getsockname()[1])
        lines = agentx_lines(replace(gone, address=address))
    assert lines == [
        f"note: {address}: somebody listens, who is not to be seen over TCP;"
        " every local user may use it",
        f"note: not to be seen over TCP; it must run with {check_snmpd.SWITCH_OFF}",
    ]
    assert agentx_lines(replace(gone, address=address))[0] == (
        f"FAIL: {address}: Connection refused;"
        f" start snmpd with `agentXSocket tcp:{address}`, and run this in its netns"
    )


def test_of_a_names_addresses_the_first_that_is_served_is_named_with_those_before_it(
    gone: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(host: str, port: int, *, type: int) -> list[object]:
        assert (host, port) == ("snmpd.example", 11713)
        return [
            (socket.AF_INET6, type, 6, "", ("::1", ports[0], 0, 0)),
            (socket.AF_INET, type, 6, "", ("127.0.0.1", ports[1])),
        ]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    settings = replace(gone, address=TCPAddress("snmpd.example", 11713))
    with (
        socket.create_server(("::1", 0), family=socket.AF_INET6) as first,
        socket.create_server(("127.0.0.1", 0)) as snmpd,
    ):
        ports = (first.getsockname()[1], snmpd.getsockname()[1])
        assert agentx_lines(settings)[0].startswith(
            "note: snmpd.example:11713 (::1): somebody listens"
        )
        first.close()
        assert agentx_lines(settings)[0].startswith(
            "note: snmpd.example:11713 (::1): Connection refused;"
            " snmpd.example:11713 (127.0.0.1): somebody listens"
        )
    assert agentx_lines(settings)[0].startswith(
        "FAIL: snmpd.example:11713 (::1): Connection refused;"
        " snmpd.example:11713 (127.0.0.1): Connection refused; start snmpd"
    )


def test_a_name_that_nobody_knows_fails(gone: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(*_: object, type: int) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    lines = agentx_lines(replace(gone, address=TCPAddress("nobody.example", 705)))
    assert lines[0].startswith("FAIL: nobody.example:705: Name or service not known; start snmpd")


# --- snmpd's own tables ------------------------------------------------------------------------


@pytest.mark.system
@pytest.mark.parametrize(
    ("modules", "line"),
    [
        (SWITCHED_OFF, "ok: snmpd (pid {pid}) has those of the kernel switched off"),
        (
            f"!smux:{':'.join(check_snmpd.KERNEL_MODULES)}",
            "ok: snmpd (pid {pid}) has those of the kernel switched off",
        ),
        (
            SWITCHED_OFF.replace("-ifTable,", "-").replace(",ip,", ","),
            "FAIL: snmpd (pid {pid}) serves tables of the kernel's interfaces or routes;"
            " start it with -I -ifTable,ip as well",
        ),
    ],
)
def test_snmpds_own_tables_are_seen_on_its_command_line(
    gone: Settings, tmp_path: Path, modules: str, line: str
) -> None:
    with Snmpd(tmp_path / "snmp", modules) as snmpd:
        lines = agentx_lines(gone)
        assert lines[1] == line.format(pid=snmpd.pid)
        # It is right: with these on, snmpd counts the kernel's interfaces and has its addresses.
        for table in ("1.3.6.1.2.1.2.1", "1.3.6.1.2.1.4.20.1.2"):
            shown = "INTEGER" in snmpd.run("snmpwalk", table).stdout
            assert line.startswith("ok") is not shown


def test_the_modules_are_those_that_the_shipped_service_leaves_out() -> None:
    assert check_snmpd.left_on(["snmpd", *f"-I {SWITCHED_OFF.replace(' ', ' -I ')}".split()]) == []
    kernels = [each for each in SWITCHED_OFF.split() if set(each[1:].split(",")) & KERNEL_MODULES]
    assert {module for each in kernels for module in each[1:].split(",")} == KERNEL_MODULES


def test_a_command_line_that_cannot_be_read_is_noted() -> None:
    line = check_snmpd._snmpds_tables(0)
    assert line.mark == "note"
    assert line.text == (
        "the command line of pid 0 cannot be read (No such file or directory);"
        f" snmpd must run with {check_snmpd.SWITCH_OFF}"
    )


def test_of_sysortable_what_others_announce_is_listed() -> None:
    entry = ".1.3.6.1.2.1.1.9.1"
    walked = f"""\
{entry}.2.1 = OID: .1.3.6.1.6.3.10.3.1.1
{entry}.2.8 = OID: .1.3.6.1.2.1.4
{entry}.2.12 = OID: .1.3.6.1.2.1.31
{entry}.2.13 = OID: .1.0.8802.1.1.2
{entry}.2.16 = OID: .1.3.6.1.2.1.4
{entry}.2.17 = OID: .1.3.6.1.4.1.8072.2.9
{entry}.3.1 = STRING: "The SNMP Management Architecture MIB."
{entry}.3.8 = STRING: "The MIB module for managing IP and ICMP implementations"
{entry}.3.12 = STRING: "IF-MIB (RFC 2863): the interfaces of VPP"
{entry}.3.13 = STRING: "lldpMIB implementation by lldpd"
{entry}.3.16 = STRING: "who would answer for IP as well"
{entry}.4.1 = Timeticks: (0) 0:00:00.00
{entry}.4.8 = Timeticks: (1) 0:00:00.01
{entry}.4.12 = Timeticks: (11) 0:00:00.11
"""
    assert check_snmpd.announced(walked) == [
        ("1.0.8802.1.1.2", "lldpMIB implementation by lldpd"),
        ("1.3.6.1.2.1.4", "who would answer for IP as well"),
        ("1.3.6.1.4.1.8072.2.9", ""),
    ]
    assert check_snmpd.announced("") == []


@pytest.mark.system
def test_snmpd_itself_is_no_other_agent(snmpd: Snmpd) -> None:
    if os.geteuid():
        pytest.skip("only root can enter snmpd's namespace")
    line = check_snmpd._other_agents(snmpd.pid)
    assert (line.mark, line.text) == ("ok", "in sysORTable, where FRR never is: none")


@pytest.mark.process
def test_where_snmpd_cannot_be_asked_that_is_noted_with_what_to_ask() -> None:
    line = check_snmpd._other_agents(0)
    assert line.mark == "note"
    assert line.text.startswith("sysORTable is unavailable (nsenter: ")
    assert line.text.endswith(
        "; in its netns, `snmpbulkwalk -v2c -c public -On 127.0.0.1 .1.3.6.1.2.1.1.9.1`"
        " lists what they announce"
    )


@pytest.mark.parametrize(
    ("flags", "left"),
    [
        (f"-f -I -smux,{ALL}", []),
        (f"-I-smux,mteTrigger,{ALL} -f", []),
        (f"-I -smux mteTrigger {ALL.replace(',', ' ')} -p /run/snmpd.pid", []),  # as in /proc
        (f"-I !{ALL}", []),
        (f"-I -{BUT_FOR_AT} -I -at", []),
        (f"-I -{BUT_FOR_AT}", ["at"]),
        (f"-I -{BUT_FOR_AT},atX", ["at"]),
        (f"-I -{BUT_FOR_AT} -p at", ["at"]),
        ("-I system_mib,ifXTable", []),  # these alone
        ("-I system_mib,ipv6,ifTable", ["ifTable", "ipv6"]),
        ("-I -smux,mteTrigger", list(check_snmpd.KERNEL_MODULES)),
        (f"-f -LF 0-5 {ALL}", list(check_snmpd.KERNEL_MODULES)),
        ("", list(check_snmpd.KERNEL_MODULES)),
    ],
)
def test_snmpds_flags_are_understood(flags: str, left: list[str]) -> None:
    assert check_snmpd.left_on([*flags.split(), ""]) == left


# --- snmpd's CPUs ------------------------------------------------------------------------------


def threads_on(*cpus: int) -> Asked:
    """What a VPP reports whose main thread and workers have these CPUs."""
    router = Router(VPP)
    router.threads = tuple(
        Thread(index, f"vpp_wk_{index}", "workers", 4711 + index, cpu)
        for index, cpu in enumerate(cpus)
    )
    return Asked(router)


@pytest.fixture
def a_listener(gone: Settings, tmp_path: Path) -> Iterator[Settings]:
    """Settings by which this process is snmpd."""
    path = str(tmp_path / "agentx")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        yield replace(gone, address=UnixAddress(path))


@pytest.mark.parametrize(
    ("allowed", "cpus", "line"),
    [
        (
            {0, 1, 2, 3, 4, 6},
            (1, 2, 3, 6),
            "note: it (pid {pid}) may run on CPU 2-3,6, where VPP's workers poll:"
            " `systemctl edit snmpd-dataplane vpp-snmp-agent`, each with the lines `[Service]` and"
            " `CPUAffinity=0`, then restart both",
        ),
        (
            {0, 1},
            (0, 1),  # none is left but the main thread's
            "note: it (pid {pid}) may run on CPU 1, where VPP's workers poll:"
            " `systemctl edit snmpd-dataplane vpp-snmp-agent`, each with the lines `[Service]` and"
            " `CPUAffinity=0`, then restart both",
        ),
        (
            {0, 1, 2},
            (0, 2),
            "note: it (pid {pid}) may run on CPU 2, where VPP's workers poll:"
            " `systemctl edit snmpd-dataplane vpp-snmp-agent`, each with the lines `[Service]` and"
            " `CPUAffinity=1`, then restart both",
        ),
        (
            {0, 1},
            (0, 0, 1),
            "note: it (pid {pid}) may run on CPU 0-1, where VPP's workers poll:"
            " they have all CPUs; give VPP fewer by `cpu { corelist-workers }`",
        ),
        (
            {0, 4},
            (4, 5, 6),
            "ok: it (pid {pid}) runs on CPU 0,4, where none of VPP's workers polls",
        ),
        ({0, 1}, (0,), None),
        ({0, 1}, (0, NO_INDEX), None),  # a worker that VPP did not place
        ({0, 1}, (), None),
    ],
)
def test_snmpd_belongs_on_no_cpu_of_a_worker(
    a_listener: Settings,
    monkeypatch: pytest.MonkeyPatch,
    allowed: set[int],
    cpus: tuple[int, ...],
    line: str | None,
) -> None:
    monkeypatch.setattr(check_snmpd, "cpus_of", {os.getpid(): frozenset(allowed)}.__getitem__)
    monkeypatch.setattr(os, "sched_getaffinity", {0: allowed}.__getitem__)
    found = [in_short(each) for each in check_snmpd.cpus(a_listener, threads_on(*cpus))]
    assert found == ([line.replace("{pid}", str(os.getpid()))] if line else [])


def test_a_snmpd_that_cannot_be_seen_is_best_kept_off_the_workers_cpus(
    gone: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", {0: {0, 1, 2, 3}}.__getitem__)
    advice = (
        "it is best kept off CPU 2-3, where VPP's workers poll: `systemctl edit snmpd-dataplane"
        " vpp-snmp-agent`, each with the lines `[Service]` and `CPUAffinity=1`, then restart both"
    )
    asked = threads_on(0, 2, 3)
    (line,) = check_snmpd.cpus(gone, asked)
    assert (line.mark, line.text) == (
        "note",
        f"skipped: no snmpd; {advice}",
    )
    (line,) = check_snmpd.cpus(replace(gone, address=TCPAddress("::1", 705)), asked)
    assert (line.mark, line.text) == ("note", f"not to be seen over TCP; {advice}")


def test_the_cpus_of_a_process_are_those_that_the_kernel_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check_snmpd.cpus_of(os.getpid()) == os.sched_getaffinity(0)
    monkeypatch.setattr(check_snmpd, "PROC", tmp_path)
    (tmp_path / "4711").mkdir()
    listed = "Name:\tsnmpd\nCpus_allowed:\tfff\nCpus_allowed_list:\t0-2,5,8-9\nMems_allowed:\t1\n"
    (tmp_path / "4711" / "status").write_text(listed)
    assert check_snmpd.cpus_of(4711) == {0, 1, 2, 5, 8, 9}
