"""What `check` finds right and wrong, line by line, and that it leaves nothing behind."""

import json
import os
import pwd
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from simulator import Simulator
from simulator.scenario import VPPCFG
from simulator.stage import Snmpd
from vpp_snmp_agent import control
from vpp_snmp_agent.control import NAME
from vpp_snmp_agent.operator import check, check_snmpd
from vpp_snmp_agent.settings.declarations import Settings
from vpp_snmp_agent.settings.document import BadSettings

from .operators import Check, by_thing, in_short

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
    monkeypatch.setattr(
        check_snmpd, "cpus_of", lambda pid: frozenset({0}) if pid == snmpd.pid else 0
    )
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
        f" {check_snmpd._who_may(snmpd.agentx)}",
        f"ok     snmpd's tables    snmpd (pid {snmpd.pid}) has those of the kernel switched off",
        str(check_snmpd._other_agents(snmpd.pid)),
        f"ok     snmpd's CPUs      it (pid {snmpd.pid}) runs on CPU 0, where none of VPP's workers"
        " polls",
        f"note   agent             none runs with the state directory {tmp_path}/state",
        f"ok     state directory   {tmp_path}/state: 0 interfaces are saved (checked as {user})",
        "ok     LibreNMS          none of 18 interfaces is dropped for its name or type",
        "ok     speeds            every port has one",
        "note   charset           not ASCII: the ifAlias of enp1s0f3.501:"
        " Cacti, Zabbix and Munin show it as hex; set `charset: ascii`",
        "ok     bridge ports      dot1dBasePortTable has 16 of 16 host interfaces,"
        " of namespace dataplane",
    ]


# --- settings and vppcfg ---------------------------------------------------------------------


def test_bad_settings_are_all_that_is_checked(capsys: pytest.CaptureFixture[str]) -> None:
    def load() -> Settings:
        raise BadSettings("agent.yaml:3: expected a number")

    assert check.check("agent.yaml", load) == 1
    assert capsys.readouterr().out == (
        "FAIL   settings          agent.yaml:3: expected a number;"
        " nothing else is checked before this is right\n"
    )


def test_without_a_settings_file_defaults_hold(
    gone: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    check.check("/nowhere/agent.yaml", lambda: gone)
    assert by_thing(capsys.readouterr().out)["settings"] == [
        "note: /nowhere/agent.yaml: there is no such file; flags and defaults hold"
    ]


def test_no_vppcfg_is_worth_knowing(checked: Check, gone: Settings) -> None:
    assert checked(gone)["vppcfg"] == ["note: none is set: only VPP's own tags become ifAlias"]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [(None, ": there is no such file"), ("interfaces: [1]\n", ":1: expected interfaces as")],
)
def test_a_vppcfg_that_cannot_be_used_fails(
    checked: Check, gone: Settings, tmp_path: Path, text: str | None, wrong: str
) -> None:
    path = tmp_path / "vppcfg.yaml"
    if text:
        path.write_text(text)
    (line,) = checked(replace(gone, vppcfg=str(path)))["vppcfg"]
    assert line.startswith(f"FAIL: {path}{wrong}")
    assert line.endswith("; correct it, or interfaces go without descriptions")


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
    assert in_short(found).startswith(line)


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
        f"{directory}: the running agent is unavailable: no answer",
    )


# --- the state directory -----------------------------------------------------------------------


def state_line(settings: Settings) -> str:
    """The line about the state directory alone."""
    line = check._state_directory(settings)
    return in_short(line)


def test_a_state_directory_that_can_be_made_is_right(gone: Settings) -> None:
    assert state_line(gone).startswith(f"ok: {gone.state_dir}: it can be made (checked as ")


def test_no_state_directory_is_needed_without_state(gone: Settings) -> None:
    stateless = replace(gone, ifindex="stateless", state_dir="/proc/nowhere")
    assert state_line(stateless) == "note: none is used: ifIndexes are stateless"


def test_a_damaged_state_file_fails_and_stays(
    checked: Check, gone: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "state" / "interfaces.json"
    path.parent.mkdir()
    path.write_text("{}")
    (line,) = checked(gone)["state directory"]
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


@pytest.mark.parametrize(
    ("blocks", "files", "is_full"), [(0, 7, True), (5, 0, True), (5, 7, False)]
)
def test_a_full_disk_fails(
    gone: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    blocks: int,
    files: int,
    is_full: bool,
) -> None:
    disk = SimpleNamespace(f_bavail=blocks, f_favail=files, f_files=11)
    monkeypatch.setattr(os, "statvfs", {str(tmp_path): disk}.__getitem__)
    line = state_line(replace(gone, state_dir=str(tmp_path)))
    full = f"FAIL: {tmp_path}: its disk is full; free some space on it"
    assert (line == full) is is_full


def test_a_disk_that_counts_no_files_is_not_full(
    gone: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SimpleNamespace(f_bavail=5, f_favail=0, f_files=0)
    monkeypatch.setattr(os, "statvfs", {str(tmp_path): disk}.__getitem__)
    assert state_line(replace(gone, state_dir=str(tmp_path))).startswith(f"ok: {tmp_path}: ")
