"""What `check` finds right and wrong, line by line, and that it leaves nothing behind."""

import fcntl
import gc
import grp
import json
import os
import pwd
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from simulator import Simulator
from simulator.scenario import VPPCFG
from simulator.stage import SWITCHED_OFF, Snmpd
from vpp_snmp_agent import control
from vpp_snmp_agent.control import NAME
from vpp_snmp_agent.operator import check, snapshot
from vpp_snmp_agent.operator.snapshot import Asked
from vpp_snmp_agent.settings.declarations import Settings, TCPAddress, UnixAddress
from vpp_snmp_agent.settings.document import BadSettings
from vpp_snmp_agent.vpp import segment as vpp_segment
from vpp_snmp_agent.vpp.layout import VALUE_OFFSET
from vpp_snmp_agent.vpp.records import NO_INDEX, LcpPair, Thread
from vpp_snmp_agent.vpp.router import Router

from .routers import VPP, new_publisher, port, publish, router_of

NOBODY = 65534
KERNEL_MODULES = set(check.KERNEL_MODULES)
ALL = ",".join(check.KERNEL_MODULES)
BUT_FOR_AT = ALL.replace(",at,", ",")
SKIPPED = "note: skipped: VPP does not report"

Run = Callable[[Settings], dict[str, list[str]]]


def left_behind(state: Path) -> tuple[str, list[str], list[tuple[Path, int]]]:
    """Whatever a command could leave: children, descriptors, files new or written."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    files = [(path, path.stat().st_mtime_ns) for path in (state, *state.glob("*")) if path.exists()]
    return children, os.listdir("/proc/self/fd"), files


def by_thing(printed: str) -> dict[str, list[str]]:
    """Lines as `mark: text`, by what they are about, in the order printed."""
    lines: dict[str, list[str]] = {}
    for line in printed.splitlines():
        mark, thing, text = line[:7].strip(), line[7:25].strip(), line[25:]
        lines.setdefault(thing, []).append(f"{mark}: {text}")
    return lines


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Check, and compare the exit status with the marks; nothing is left behind."""
    path = tmp_path / "settings.yaml"
    path.touch()

    def ran(settings: Settings) -> dict[str, list[str]]:
        capsys.readouterr()
        gc.collect()
        before = left_behind(tmp_path / "state")
        status = check.check(str(path), lambda: settings)
        children, *others = left_behind(tmp_path / "state")
        # One that an earlier test left may end meanwhile.
        assert set(children.split()) <= set(before[0].split())
        assert others == list(before[1:])
        printed = capsys.readouterr()
        lines = by_thing(printed.out)
        failed = any(line.startswith("FAIL") for about in lines.values() for line in about)
        assert (status, printed.err) == (int(failed), "")
        return lines

    return ran


def settings_for(vpp: Simulator, directory: Path) -> Settings:
    return Settings(
        address=UnixAddress(str(directory / "snmp" / "agentx")),
        api_socket=str(vpp.api_socket),
        stats_socket=str(vpp.stats_socket),
        api_dir=str(vpp.api_dir),
        state_dir=str(directory / "state"),
    )


@pytest.fixture
def settings(vpp: Simulator, tmp_path: Path) -> Settings:
    """Those of the edge router."""
    return settings_for(vpp, tmp_path)


@pytest.fixture
def gone(tmp_path: Path) -> Settings:
    """Those of a router of which nothing runs."""
    return settings_for(Simulator(tmp_path / "vpp"), tmp_path)


@pytest.fixture
def as_nobody(tmp_path: Path) -> Iterator[None]:
    """What is the superuser's alone is not to be had."""
    if os.geteuid():
        pytest.skip("only root can become another user")
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    yield
    os.seteuid(0)
    os.setegid(0)
    os.setgroups(groups)


# --- everything right, in order --------------------------------------------------------------


@pytest.mark.system
def test_where_all_is_right_every_line_says_so(
    settings: Settings,
    vpp: Simulator,
    snmpd: Snmpd,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(check, "cpus_of", lambda pid: frozenset({0}) if pid == snmpd.pid else 0)
    vppcfg = tmp_path / "vppcfg.yaml"
    vppcfg.write_text(VPPCFG)
    (tmp_path / "state").mkdir()
    settings = replace(settings, vppcfg=str(vppcfg))
    assert check.check(str(vppcfg), lambda: settings) == 0
    user = pwd.getpwuid(os.geteuid()).pw_name
    assert capsys.readouterr().out.splitlines() == [
        f"ok     settings          {vppcfg}",
        f"ok     vppcfg            {vppcfg}: 16 descriptions",
        f"ok     API socket        {vpp.api_socket}: VPP 26.06-release,"
        f" pid {vpp.pid}, 35 interfaces",
        "ok     LCP plugin        16 interfaces have a host interface",
        f"ok     segment           {vpp.stats_socket}: laid out as in v26.02 and later,"
        f" epoch {vpp.epoch()}",
        "ok     heaps             in use: main heap 7%, stat segment 2%",
        "ok     buffers           in use: default-numa-0 2%",
        f"ok     AgentX socket     {snmpd.agentx}: somebody listens;"
        f" {check._who_may(snmpd.agentx)}",
        f"ok     snmpd's tables    snmpd (pid {snmpd.pid}) has those of the kernel switched off",
        str(check._other_agents(snmpd.pid)),
        f"ok     snmpd's CPUs      it (pid {snmpd.pid}) runs on CPU 0, where none of VPP's workers"
        " polls",
        f"note   agent             none runs with the state directory {tmp_path}/state",
        f"ok     state directory   {tmp_path}/state: 0 interfaces are remembered"
        f" (looked at as {user})",
        "ok     LibreNMS          none of 18 interfaces is dropped for its name or type",
        "ok     speeds            every port has one",
        "note   charset           not ASCII: the ifAlias of enp1s0f3.501:"
        " Cacti, Zabbix and Munin show it as hex; set `charset: ascii`",
        "ok     bridge ports      dot1dBasePortTable has 16 of 16 host interfaces,"
        " of namespace dataplane",
    ]


# --- settings and vppcfg ---------------------------------------------------------------------


def test_bad_settings_are_all_that_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    def load() -> Settings:
        raise BadSettings("agent.yaml:3: expected a number")

    assert check.check("agent.yaml", load) == 1
    assert capsys.readouterr().out == (
        "FAIL   settings          agent.yaml:3: expected a number;"
        " nothing else is looked at before this is right\n"
    )


def test_without_a_settings_file_defaults_hold(
    gone: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    check.check("/nowhere/agent.yaml", lambda: gone)
    assert by_thing(capsys.readouterr().out)["settings"] == [
        "note: /nowhere/agent.yaml: there is no such file; flags and defaults hold"
    ]


def test_no_vppcfg_is_worth_knowing(run: Run, gone: Settings) -> None:
    assert run(gone)["vppcfg"] == ["note: none is set: only VPP's own tags become ifAlias"]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [(None, ": there is no such file"), ("interfaces: [1]\n", ":1: expected interfaces as")],
)
def test_a_vppcfg_that_cannot_be_used_fails(
    run: Run, gone: Settings, tmp_path: Path, text: str | None, wrong: str
) -> None:
    path = tmp_path / "vppcfg.yaml"
    if text:
        path.write_text(text)
    (line,) = run(replace(gone, vppcfg=str(path)))["vppcfg"]
    assert line.startswith(f"FAIL: {path}{wrong}")
    assert line.endswith("; correct it, or interfaces go without descriptions")


# --- VPP ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("release", "generation"), [("22.02", "v22.02"), ("23.06", "v22.06 to v25.10")]
)
def test_the_segments_generation_is_told(
    run: Run, tmp_path: Path, release: str, generation: str
) -> None:
    with Simulator(tmp_path / "vpp", release=release) as vpp:
        lines = run(settings_for(vpp, tmp_path))
    assert lines["API socket"][0].startswith(f"ok: {vpp.api_socket}: VPP {release}")
    (line,) = lines["segment"]
    assert line.startswith(f"ok: {vpp.stats_socket}: laid out as in {generation}, epoch ")


def test_a_message_that_fails_is_named_and_the_ports_are_well(run: Run, tmp_path: Path) -> None:
    with Simulator(tmp_path / "vpp", release="24.02") as vpp:
        path = vpp.api_dir / "plugins" / "lcp.api.json"
        path.write_text(path.read_text().replace("8b5481af", "4711abcd"))
        api = f"ok: {vpp.api_socket}: VPP 24.02-release, pid {vpp.pid}, 35 interfaces"
        lines = run(settings_for(vpp, tmp_path))
    assert lines["API socket"] == [api]
    assert lines["LCP pairs"] == [
        "FAIL: unavailable: lcp_itf_pair_details: defined as lcp_itf_pair_details_4711abcd,"
        " but VPP has lcp_itf_pair_details_8b5481af;"
        " before 24.06 --api-dir must name the files of this very VPP"
    ]
    assert lines["LCP plugin"] == ["note: skipped: LCP pairs are unavailable"]


def test_a_vpp_that_is_away_fails_once(run: Run, gone: Settings) -> None:
    lines = run(gone)
    assert lines["API socket"] == [
        f"FAIL: {gone.api_socket}: there is no such socket;"
        " start VPP, with `socksvr { default }` in its startup.conf"
    ]
    for thing in ("LCP plugin", "segment", "LibreNMS", "speeds", "charset"):
        assert lines[thing] == [SKIPPED]


def test_a_vpp_that_was_killed_fails(run: Run, settings: Settings, vpp: Simulator) -> None:
    vpp.kill()
    assert run(settings)["API socket"] == [f"FAIL: {vpp.api_socket}: nobody listens; start VPP"]


def test_a_vpp_that_hangs_fails(
    run: Run, settings: Settings, vpp: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "ANSWER_TIMEOUT", 0.7)
    vpp.hang()
    assert run(settings)["API socket"] == [
        f"FAIL: {vpp.api_socket}: no answer from VPP within 0.7 s:"
        " it hangs, or is very busy; restart it if that stays so"
    ]


def test_without_the_lcp_plugin_names_are_vpps(run: Run, tmp_path: Path) -> None:
    with Simulator(tmp_path / "vpp", without=["lcp"]) as vpp:
        lines = run(settings_for(vpp, tmp_path))
    assert lines["LCP plugin"] == [
        "note: VPP has no LCP pair (is linux_cp_plugin.so off?): names are VPP's own"
    ]
    assert lines["LibreNMS"][0].startswith("ok: none of ")


def test_a_segment_that_cannot_be_had_fails(run: Run, settings: Settings, tmp_path: Path) -> None:
    lines = run(replace(settings, stats_socket=str(tmp_path / "nowhere")))
    assert lines["segment"] == [
        f"FAIL: {tmp_path}/nowhere: there is no such socket; start VPP, with"
        " `statseg { default }` in its startup.conf; without it there are no counters"
    ]
    assert lines["API socket"][0].startswith("ok: ")


def test_a_segment_that_stays_locked_fails(run: Run, settings: Settings, vpp: Simulator) -> None:
    vpp.hold_lock()
    assert run(settings)["segment"] == [
        f"FAIL: {vpp.stats_socket}: VPP keeps the segment locked;"
        " without it there are no counters: restart VPP if that stays so"
    ]


# --- its memory --------------------------------------------------------------------------------


def set_value(vpp: Simulator, name: str, value: int) -> None:
    """What VPP says by a gauge."""
    vpp.corrupt(vpp.where(name)["entry"] + VALUE_OFFSET, struct.pack("=Q", value))


def test_heaps_and_buffers_that_are_nearly_used_up_fail(
    run: Run, settings: Settings, vpp: Simulator
) -> None:
    vpp.add_heap("acl-plugin heap", 64 << 20, 61 << 20)
    vpp.add_heap("ip fib", 40 << 20, 36 << 20)  # 90 %, and not more
    set_value(vpp, "/buffer-pools/default-numa-0/used", 148_100)
    set_value(vpp, "/buffer-pools/default-numa-0/available", 11_900)
    lines = run(settings)
    assert lines["heaps"] == [
        "FAIL: acl-plugin heap: 95% of 64 MiB is used; VPP ends without memory:"
        " give it more in its startup.conf, and restart it"
    ]
    assert lines["buffers"] == [
        "FAIL: default-numa-0: 148100 of 160168 buffers are used (92%); without any, packets are"
        " dropped on reception: raise `buffers { buffers-per-numa }` in VPP's startup.conf, and"
        " restart it"
    ]


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("main heap", "raise `memory { main-heap-size }` in its startup.conf, and restart it"),
        ("stat segment", "raise `statseg { size }` in its startup.conf, and restart it"),
    ],
)
def test_how_a_heap_is_made_larger_depends_on_which(
    run: Run, settings: Settings, vpp: Simulator, name: str, advice: str
) -> None:
    vpp.freeze()  # or VPP might write it again
    (row,) = vpp.where(f"/mem/{name}")["rows"]
    vpp.corrupt(row, struct.pack("=QQ", 64 << 20, 63 << 20))
    (line,) = run(settings)["heaps"]
    assert line == (f"FAIL: {name}: 98% of 64 MiB is used; VPP ends without memory: {advice}")


def test_the_memory_of_a_vpp_that_hangs_is_looked_at(
    run: Run, settings: Settings, vpp: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "ANSWER_TIMEOUT", 0.7)
    vpp.hang()
    lines = run(settings)
    assert lines["heaps"] == ["ok: in use: main heap 7%, stat segment 2%"]
    assert lines["buffers"] == ["ok: in use: default-numa-0 2%"]


def test_without_a_segment_memory_is_skipped(run: Run, gone: Settings) -> None:
    lines = run(gone)
    for thing in ("heaps", "buffers"):
        assert lines[thing] == ["note: skipped: VPP's segment says nothing of them"]


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
    monkeypatch.setattr(check, "cpus_of", {os.getpid(): frozenset(allowed)}.__getitem__)
    monkeypatch.setattr(os, "sched_getaffinity", {0: allowed}.__getitem__)
    found = [f"{each.mark}: {each.text}" for each in check._cpus(a_listener, threads_on(*cpus))]
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
    (line,) = check._cpus(gone, asked)
    assert (line.mark, line.text) == (
        "note",
        f"not to be seen (No such file or directory); {advice}",
    )
    (line,) = check._cpus(replace(gone, address=TCPAddress("::1", 705)), asked)
    assert (line.mark, line.text) == ("note", f"not to be seen over TCP; {advice}")


def test_the_cpus_of_a_process_are_those_that_the_kernel_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check.cpus_of(os.getpid()) == os.sched_getaffinity(0)
    monkeypatch.setattr(check, "PROC", tmp_path)
    (tmp_path / "4711").mkdir()
    listed = "Name:\tsnmpd\nCpus_allowed:\tfff\nCpus_allowed_list:\t0-2,5,8-9\nMems_allowed:\t1\n"
    (tmp_path / "4711" / "status").write_text(listed)
    assert check.cpus_of(4711) == {0, 1, 2, 5, 8, 9}


# --- the AgentX socket -------------------------------------------------------------------------


def agentx_lines(settings: Settings) -> list[str]:
    """The lines about snmpd alone."""
    return [f"{line.mark}: {line.text}" for line in check._agentx(settings)]


def test_a_socket_that_is_not_there_fails_once(run: Run, gone: Settings) -> None:
    lines = run(gone)
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
    monkeypatch.setattr(check, "ANSWERS", 0.05)
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
def test_who_may_use_the_socket_is_told(tmp_path: Path, mode: int, user: int, who: str) -> None:
    if os.geteuid():
        pytest.skip("only root can give a file away")
    told = who.format(group=grp.getgrgid(NOBODY).gr_name)
    path = tmp_path / "agentx"
    path.touch()
    path.chmod(mode)
    os.chown(path, user, NOBODY)
    assert check._who_may(str(path)) == f"{told} may use it (looked at as root)"


def group_lines(path: Path, mode: int, user: int, group: int) -> list[str]:
    """The lines about who is in the group of a socket."""
    path.touch()
    os.chown(path, user, group)
    path.chmod(mode)
    return [f"{line.mark}: {line.text}" for line in check._agentx_group(str(path))]


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
def test_who_is_in_the_sockets_group_is_told(
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
    assert "daemon" in check.members_of(daemon.pw_gid)
    assert check.members_of(987_654_321) == set()


def test_over_tcp_somebody_must_listen(gone: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as snmpd:
        address = TCPAddress("127.0.0.1", snmpd.getsockname()[1])
        lines = agentx_lines(replace(gone, address=address))
    assert lines == [
        f"note: {address}: somebody listens, who is not to be seen over TCP;"
        " every local user may use it",
        f"note: not to be seen over TCP; it must run with {check.SWITCH_OFF}",
    ]
    assert agentx_lines(replace(gone, address=address))[0] == (
        f"FAIL: {address}: Connection refused;"
        f" start snmpd with `agentXSocket tcp:{address}`, and run this in its netns"
    )


def test_of_a_names_addresses_the_first_that_is_served_is_told_with_those_before_it(
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


# --- the running agent -------------------------------------------------------------------------


@contextmanager
def an_agent(directory: Path, *answers: bytes) -> Iterator[None]:
    """Who listens in a state directory, and answers each request in its turn."""
    directory.mkdir(exist_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(directory / NAME))
        listener.listen()

        def answer() -> None:
            for each in answers:
                client, _ = listener.accept()
                with client:
                    assert json.loads(client.recv(4096)) == {"do": "status"}
                    client.sendall(each)

        thread = threading.Thread(target=answer)
        thread.start()
        yield
        thread.join()


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (["18 interfaces; VPP answers; serving snmpd", True, []], "ok: 18 interfaces;"),
        (["17 interfaces; VPP is away; no snmpd", False, []], "note: 17 interfaces;"),
        (
            [
                "16 interfaces; snmpd refuses 2 of 38 registrations",
                *(False, ["subtree 1.3.6.1.2.1.2.2", "capability 1.3.6.1.2.1.31"]),
            ],
            "FAIL: 16 interfaces; snmpd refuses 2 of 38 registrations"
            " (1.3.6.1.2.1.2.2, capability 1.3.6.1.2.1.31); end the agent that holds them,"
            " or switch them off in snmpd",
        ),
        (None, "note: one of an older version runs; restart it"),
    ],
)
def test_the_running_agent_is_asked_how_it_serves_snmpd(
    gone: Settings, answer: list[object] | None, line: str
) -> None:
    data = json.dumps(answer).encode() + b"\n" if answer else b""
    with an_agent(Path(gone.state_dir), data):
        found = check._agent(gone)
    assert f"{found.mark}: {found.text}".startswith(line)


def test_where_no_agent_runs_or_can_be_reached_that_is_noted(
    gone: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = gone.state_dir
    assert check._agent(gone).text == f"none runs with the state directory {directory}"
    stateless = check._agent(replace(gone, ifindex="stateless"))
    assert stateless.text == "not asked: without a state directory it cannot be reached"
    monkeypatch.setattr(control, "ANSWER_TIMEOUT", 0.05)
    Path(directory).mkdir()
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(Path(directory, NAME)))
        silent.listen()
        found = check._agent(gone)
    assert (found.mark, found.text) == (
        "note",
        f"{directory}: the running agent cannot be asked: no answer",
    )


# --- snmpd's own tables ------------------------------------------------------------------------


@pytest.mark.system
@pytest.mark.parametrize(
    ("modules", "line"),
    [
        (SWITCHED_OFF, "ok: snmpd (pid {pid}) has those of the kernel switched off"),
        (
            f"!smux:{':'.join(check.KERNEL_MODULES)}",
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
    assert check.left_on(["snmpd", *f"-I {SWITCHED_OFF.replace(' ', ' -I ')}".split()]) == []
    kernels = [each for each in SWITCHED_OFF.split() if set(each[1:].split(",")) & KERNEL_MODULES]
    assert {module for each in kernels for module in each[1:].split(",")} == KERNEL_MODULES


def test_a_command_line_that_cannot_be_read_is_noted() -> None:
    line = check._snmpds_tables(0)
    assert line.mark == "note"
    assert line.text == (
        "the command line of pid 0 cannot be read (No such file or directory);"
        f" snmpd must run with {check.SWITCH_OFF}"
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
    assert check.announced(walked) == [
        ("1.0.8802.1.1.2", "lldpMIB implementation by lldpd"),
        ("1.3.6.1.2.1.4", "who would answer for IP as well"),
        ("1.3.6.1.4.1.8072.2.9", ""),
    ]
    assert check.announced("") == []


@pytest.mark.system
def test_snmpd_itself_is_no_other_agent(snmpd: Snmpd) -> None:
    if os.geteuid():
        pytest.skip("only root can enter snmpd's namespace")
    line = check._other_agents(snmpd.pid)
    assert (line.mark, line.text) == ("ok", "in sysORTable, where FRR never is: none")


@pytest.mark.process
def test_where_snmpd_cannot_be_asked_that_is_noted_with_what_to_ask() -> None:
    line = check._other_agents(0)
    assert line.mark == "note"
    assert line.text.startswith("snmpd cannot be asked (nsenter: ")
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
        ("-I -smux,mteTrigger", list(check.KERNEL_MODULES)),
        (f"-f -LF 0-5 {ALL}", list(check.KERNEL_MODULES)),
        ("", list(check.KERNEL_MODULES)),
    ],
)
def test_snmpds_flags_are_understood(flags: str, left: list[str]) -> None:
    assert check.left_on([*flags.split(), ""]) == left


# --- the state directory -----------------------------------------------------------------------


def state_line(settings: Settings) -> str:
    """The line about the state directory alone."""
    line = check._state_directory(settings)
    return f"{line.mark}: {line.text}"


def test_a_state_directory_that_can_be_made_is_right(gone: Settings) -> None:
    assert state_line(gone).startswith(f"ok: {gone.state_dir}: it can be made (looked at as ")


def test_no_state_directory_is_needed_without_state(gone: Settings) -> None:
    stateless = replace(gone, ifindex="stateless", state_dir="/proc/nowhere")
    assert state_line(stateless) == "note: none is used: ifIndexes are stateless"


def test_a_damaged_state_file_fails_and_stays(run: Run, gone: Settings, tmp_path: Path) -> None:
    path = tmp_path / "state" / "interfaces.json"
    path.parent.mkdir()
    path.write_text("{}")
    (line,) = run(gone)["state directory"]
    assert line.startswith(f"FAIL: {path} is damaged: expected version 1: restore it, or move it")
    assert line.endswith("; the agent does not start like this")
    assert path.read_text() == "{}"


@pytest.mark.usefixtures("as_nobody")
@pytest.mark.parametrize(
    ("directory", "line"),
    [
        (
            "/usr",
            "/usr: no permission to write for user nobody; give it to the agent's user",
        ),
        (
            "/usr/one/two",
            "/usr: no permission to write for user nobody; make /usr/one/two for the agent's user",
        ),
    ],
)
def test_a_state_directory_that_may_not_be_written_fails(
    gone: Settings, directory: str, line: str
) -> None:
    assert state_line(replace(gone, state_dir=directory)) == f"FAIL: {line}"


# --- the segment --------------------------------------------------------------------------------


def test_a_segment_of_huge_pages_is_noted(
    run: Run, settings: Settings, vpp: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vpp_segment, "_is_sealed", lambda descriptor: False)
    ok, note = run(settings)["segment"]
    assert ok.startswith(f"ok: {vpp.stats_socket}: laid out as in ")
    assert note.startswith("note: of huge pages (statseg { page-size }), which VPP cannot seal: ")


def test_a_segment_that_could_be_cut_off_fails(
    run: Run, settings: Settings, vpp: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "F_SEAL_SHRINK", fcntl.F_SEAL_WRITE)  # the simulator's is another
    assert run(settings)["segment"] == [
        f"FAIL: {vpp.stats_socket}: the segment could be cut off while it is read (no"
        " F_SEAL_SHRINK, no huge pages): what listens there is no VPP; without it there are no"
        " counters"
    ]


# --- what LibreNMS drops -----------------------------------------------------------------------


def test_names_that_librenms_drops_fail_one_by_one(
    run: Run, settings: Settings, vpp: Simulator
) -> None:
    vpp.add_hardware("VirtualFunctionEthernet0/4/0")
    vpp.add_hardware("TenGigabitEthernet9/0/0", host="PPPoE-1")
    advice = "give it an LCP pair with another host name, or set `names`"
    lines = run(settings)
    assert lines["LibreNMS"] == [
        "FAIL: VirtualFunctionEthernet0/4/0 is dropped silently:"
        f" its ifDescr contains 'irtual'; {advice}",
        f"FAIL: PPPoE-1 is dropped silently: its ifDescr contains 'pppoe-'; {advice}",
    ]
    assert run(replace(settings, hide=("local0", "Virtual*", "PPP*")))["LibreNMS"] == [
        "ok: none of 18 interfaces is dropped for its name or type"
    ]


@pytest.mark.parametrize(
    ("name", "type_", "why"),
    [
        ("eno1", 6, ""),
        ("", 6, "its ifDescr is empty; give it an LCP pair with a host name"),
        *(
            (f"a{part.upper()}b", 6, f"its ifDescr contains {part!r}; give it an LCP pair")
            for part in (
                *("irtual", "ras", "qos", "async", "container", "pppoe-", "lp0", "voip-null"),
                *("unrouted", "eobc", "-atm", "faith0", "plip", "-physical", "bluetooth"),
                *("isatap", "span rp", "span sp", "sslvpn"),
            )
        ),
        ("virtual-7", 53, "its ifDescr contains 'irtual'; give it an LCP pair"),
        ("sl1", 6, "its ifDescr matches ^sl[0-9]; give it an LCP pair"),
        ("SL2.33", 135, "its ifDescr matches ^sl[0-9]; give it an LCP pair"),
        ("sla", 6, ""),
        ("isl4", 6, ""),
        ("ng19", 6, "its ifDescr matches ^ng[0-9]+$; give it an LCP pair"),
        ("ng19.5", 135, ""),
        ("eng19", 6, ""),
        *(
            (f"line{number}", number, f"its ifType is {number}; `hide` it if that is no loss")
            for number in (
                *(18, 30, 39, 49, 50, 51, 81, 82, 100, 101, 102, 103, 104, 134, 150, 152),
                *(153, 166, 170, 185, 198, 211, 212, 213, 235),
            )
        ),
        *((f"else{number}", number, "") for number in (53, 135, 136, 161)),
        ("mpls-tunnel0", 131, ""),
        ("loop0", 24, ""),
    ],
)
def test_a_name_or_type_is_dropped_for_what_it_contains(name: str, type_: int, why: str) -> None:
    (row,) = publish(new_publisher(), router_of(port(1))).values()
    row.facts = replace(row.facts, name=name, type=type_)
    found = check.why_dropped(row)
    assert found.startswith(why)
    assert bool(found) == bool(why)


def test_ports_without_a_speed_are_listed(run: Run, settings: Settings, vpp: Simulator) -> None:
    vpp.add_hardware("memif3/4", host="mif3", speed=0)
    vpp.add_hardware("pg5", speed=0)
    advice = "MRTG leaves them out, Cacti takes 1 Gb/s; set `speeds`"
    assert run(settings)["speeds"] == [f"note: none is known of mif3, pg5: {advice}"]
    configured = replace(settings, speeds=(("memif*", 2500),))
    assert run(configured)["speeds"] == [f"note: none is known of pg5: {advice}"]


def test_descriptions_that_cacti_shows_as_hex_are_listed(
    run: Run, settings: Settings, vpp: Simulator
) -> None:
    vpp.set_tag("BondEthernet0.130", "Genève".encode())
    advice = "Cacti, Zabbix and Munin show it as hex; set `charset: ascii`"
    told = run(settings)["charset"]
    assert told == [f"note: not ASCII: the ifAlias of bond0.130: {advice}"]
    assert run(replace(settings, charset="ascii"))["charset"] == ["ok: every ifAlias is ASCII"]


def test_of_many_ports_without_a_speed_the_first_are_listed_and_the_others_counted() -> None:
    ports = [port(index, f"gre{index}", link_speed=0) for index in range(1, 24)]
    rows = publish(new_publisher(), router_of(*ports, port(30, "eth30")))
    line = check._speeds(list(rows.values()))
    assert line.text.startswith("none is known of gre1, gre2, gre3, ")
    assert ", gre19, gre20 and 3 more: MRTG" in line.text


def test_a_loopback_needs_no_speed() -> None:
    loopback = port(7, "loop7", interface_dev_type="Loopback", link_speed=0)
    rows = publish(new_publisher(), router_of(loopback))
    assert str(check._speeds(list(rows.values()))) == "ok     speeds            every port has one"


# --- host interfaces -----------------------------------------------------------------------------


def test_pairs_to_which_no_port_number_leads_are_listed_with_why() -> None:
    named = (
        *((3, 12, "dataplane"), (4, 13, "lab"), (5, 14, "")),
        *((6, 65_536, "dataplane"), (8, 15, "dataplane")),
    )
    pairs = [LcpPair(phy, 900 + phy, ifindex, f"e{phy}", netns) for phy, ifindex, netns in named]
    publisher = new_publisher()
    publish(publisher, router_of(*map(port, range(3, 7)), *pairs))
    line = check._bridge_ports(pairs, publisher.host_ports)
    assert str(line) == (
        "note   bridge ports      dot1dBasePortTable has 1 of 5 host interfaces, of namespace"
        " dataplane; left out: e4 (in namespace lab), e5 (in VPP's own namespace),"
        " e6 (its ifindex 65536 is not 1 to 65535), e8 (its interface has no row)"
    )


def test_where_no_port_number_leads_to_a_pair_that_is_noted() -> None:
    far = [LcpPair(phy, 900 + phy, 70_000 + phy, f"e{phy}", "lab") for phy in range(1, 23)]
    publisher = new_publisher()
    publish(publisher, router_of(*map(port, range(1, 23)), *far))
    line = str(check._bridge_ports(far, publisher.host_ports))
    assert line.startswith(
        "note   bridge ports      dot1dBasePortTable has 0 of 22 host interfaces; "
    )
    assert line.endswith("e20 (its ifindex 70020 is not 1 to 65535) and 2 more")
