"""The command line: commands, flags, what is refused, and how lines are written to the journal."""

import io
import logging
import os
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from vpp_snmp_agent import __version__, cli
from vpp_snmp_agent.interfaces.state import StateError
from vpp_snmp_agent.settings import declarations
from vpp_snmp_agent.settings.declarations import (
    SETTINGS,
    Settings,
    TCPAddress,
    UnixAddress,
    parse_settings,
)
from vpp_snmp_agent.settings.document import BadSettings


@pytest.fixture
def log_set_up(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What logging.basicConfig was given; the tests' own log stays as it is."""
    given: dict[str, Any] = {}
    monkeypatch.setattr(logging, "basicConfig", given.update)
    return given


class Ran:
    """What was run, and with what: the agent, `show`, `show vpp`, `walk`, `ports` or `check`."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.reload: Callable[[], Settings] = Settings

    def agent(self, settings: Settings, reload: Callable[[], Settings]) -> "Ran":
        """In place of the class Agent."""
        self.calls.append(("run", settings))
        self.reload = reload
        return self

    def run(self) -> None:
        """In place of Agent.run."""
        self.calls.append(("runs",))

    def show(self, settings: Settings, as_json: bool) -> int:
        """In place of show.show."""
        self.calls.append(("show", settings, as_json))
        return 3

    def show_vpp(self, settings: Settings, as_json: bool) -> int:
        """In place of show_vpp.show_vpp."""
        self.calls.append(("show vpp", settings, as_json))
        return 8

    def walk(self, settings: Settings, oid: str | None) -> int:
        """In place of show.walk."""
        self.calls.append(("walk", settings, oid))
        return 4

    def ports(self, settings: Settings) -> int:
        """In place of ports.show_ports."""
        self.calls.append(("ports", settings))
        return 6

    def forget(self, settings: Settings, glob: str, unseen: float) -> int:
        """In place of ports.forget_ports."""
        self.calls.append(("forget", settings, glob, unseen))
        return 7

    def check(self, settings_path: str, load: Callable[[], Settings]) -> int:
        """In place of check.check."""
        self.calls.append(("check", settings_path))
        self.reload = load
        return 5


@pytest.fixture
def default_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the settings file is expected; not there yet."""
    path = tmp_path / "default.yaml"
    monkeypatch.setattr(declarations, "SETTINGS_FILE", str(path))
    monkeypatch.setattr(cli, "SETTINGS_FILE", str(path))
    return path


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch, log_set_up: dict[str, Any], default_file: Path) -> Ran:
    """Nothing runs for real."""
    ran = Ran()
    monkeypatch.setattr(cli, "Agent", ran.agent)
    for name in ("show", "show_vpp", "check", "ports"):
        module = ModuleType(f"vpp_snmp_agent.operator.{name}")
        vars(module).update(show=ran.show, walk=ran.walk, check=ran.check)
        vars(module).update(show_ports=ran.ports, forget_ports=ran.forget)
        vars(module).update(show_vpp=ran.show_vpp)
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return ran


def settings_of(arguments: list[str], ran: Ran) -> Settings:
    """The settings that the agent is run with."""
    ran.calls.clear()
    assert cli.main(arguments) == 0
    (_, settings), runs = ran.calls
    assert runs == ("runs",)
    assert isinstance(settings, Settings)
    return settings


def refusal(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The last line on standard error, of a command line that ends with status 2."""
    with pytest.raises(SystemExit) as end:
        sys.exit(cli.main(arguments))
    output, errors = capsys.readouterr()
    assert (end.value.code, output) == (2, "")
    return str(errors.splitlines()[-1])


def help_text(capsys: pytest.CaptureFixture[str]) -> str:
    """What --help prints, as one line."""
    with pytest.raises(SystemExit) as end:
        cli.main(["--help"])
    assert end.value.code == 0
    return " ".join(capsys.readouterr().out.split())


def test_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"vpp-snmp-agent {__version__}\n"


@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_an_unbuffered_standard_output_that_is_full_is_named_too(
    flag: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By $PYTHONUNBUFFERED: what argparse prints itself would be lost without a word."""
    monkeypatch.setattr(os, "dup2", lambda *_: None)  # standard output is not the real one
    with open("/dev/full", "wb", buffering=0) as full:
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(full, write_through=True))
        assert cli.main([flag]) == 1
    monkeypatch.undo()
    assert capsys.readouterr().err == ("vpp-snmp-agent: standard output: No space left on device\n")


@pytest.mark.parametrize(
    ("flag", "default"),
    [
        ("-f FILE", "(default /etc/vpp-snmp-agent/agent.yaml, if it is there)"),
        ("-a ADDRESS", "(default /run/agentx-dataplane/master)"),
        ("-p PERIOD", "(default 300)"),
        ("-c VPPCFG", "(default none)"),
        ("--api-socket PATH", "(default /run/vpp/api.sock)"),
        ("--stats-socket PATH", "(default /run/vpp/stats.sock)"),
        ("--api-dir DIR", "(default /usr/share/vpp/api)"),
        ("--state-dir DIR", "(default /var/lib/vpp-snmp-agent)"),
        ("--ifindex {kept,stateless}", "(default kept)"),
    ],
)
def test_help_has_each_flag_and_its_default(
    flag: str, default: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    own = help_text(capsys).partition(" options: ")[2].partition(f"{flag} ")[2]
    assert default == "(" + own.partition("(")[2].partition(")")[0] + ")"


def test_help_lists_every_flag_and_command(capsys: pytest.CaptureFixture[str]) -> None:
    text = help_text(capsys)
    flags = {flag for action in cli.parser()._actions for flag in action.option_strings}
    assert flags == {
        *("-h", "--help", "--version", "--json", "-f", "-a", "-p", "-c", "-d"),
        *("--api-socket", "--stats-socket", "--api-dir", "--state-dir", "--ifindex"),
        "--unseen",
    }
    assert all(f" {flag}" in text for flag in flags)
    assert "{run,show,walk,check,ports} run the agent (default); show " in text
    assert " walk [OID]: only what is at or below it (default all); ports [forget " in text
    assert " show vpp: VPP's state, threads, memory, buffers and errors; " in text
    assert "-dd: every AgentX PDU too" in text


@pytest.mark.parametrize("arguments", [[], ["run"]])
def test_the_defaults_are_those_of_settings(arguments: list[str], ran: Ran) -> None:
    assert settings_of(arguments, ran) == Settings()


FLAGS: list[tuple[list[str], dict[str, Any]]] = [
    (["-a", "/run/master"], {"address": UnixAddress("/run/master")}),
    (["-a", "[::1]:705"], {"address": TCPAddress("::1", 705)}),
    (["-p", "1"], {"period": 1.0}),
    (["-p", "10.5"], {"period": 10.5}),
    (["-p", "86400"], {"period": 86400.0}),
    (["-c", "/etc/vpp/vppcfg.yaml"], {"vppcfg": "/etc/vpp/vppcfg.yaml"}),
    (["--api-socket", "/a"], {"api_socket": "/a"}),
    (["--stats-socket=/s"], {"stats_socket": "/s"}),
    (["--api-dir", "/d"], {"api_dir": "/d"}),
    (["--state-dir", "/v"], {"state_dir": "/v"}),
    (["--ifindex", "stateless"], {"ifindex": "stateless"}),
    (["--ifindex=kept"], {"ifindex": "kept"}),
    (["-d"], {"debug": 1}),
    (["-dd"], {"debug": 2}),
    (["-d", "-d"], {"debug": 2}),
    (["-ddd"], {"debug": 2}),
]
FILE = """
address: /mine/master
period: 5
vppcfg: /mine/vppcfg
api-socket: /mine/api
stats-socket: /mine/stats
api-dir: /mine/types
state-dir: /mine/state
ifindex: stateless
debug: 1
"""
OF_FILE = Settings(**parse_settings(FILE.encode(), "mine.yaml"))


@pytest.mark.parametrize(("arguments", "changed"), FLAGS)
def test_each_flag_reaches_the_agent(
    arguments: list[str], changed: dict[str, Any], ran: Ran
) -> None:
    expected = replace(Settings(), **changed)
    assert settings_of(arguments, ran) == expected
    assert settings_of([*arguments, "run"], ran) == expected
    assert settings_of(["run", *arguments], ran) == expected


@pytest.mark.parametrize(("arguments", "changed"), FLAGS)
def test_a_flag_wins_over_the_file_and_hides_no_other_key(
    arguments: list[str], changed: dict[str, Any], ran: Ran, tmp_path: Path
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(FILE)
    expected = replace(OF_FILE, **changed)
    assert settings_of(["-f", str(path)], ran) == OF_FILE
    assert settings_of([*arguments, "-f", str(path)], ran) == expected
    assert settings_of(["-f", str(path), "run", *arguments], ran) == expected


def test_every_flag_of_a_setting_is_tried_above_and_stands_in_the_file() -> None:
    reached = {name for _, changed in FLAGS for name in changed}
    assert reached == {each.field for each in SETTINGS.values() if each.flag}
    assert all(
        getattr(OF_FILE, each.field) != each.default for each in SETTINGS.values() if each.flag
    )


def test_the_default_file_is_read_if_it_is_there(ran: Ran, default_file: Path) -> None:
    assert settings_of(["-p", "7"], ran) == Settings(period=7.0)
    default_file.write_text(FILE)
    assert settings_of(["-p", "7"], ran) == replace(OF_FILE, period=7.0)


def test_the_agent_can_read_the_file_again(ran: Ran, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(FILE)
    assert settings_of(["-f", str(path), "-p", "7"], ran) == replace(OF_FILE, period=7.0)
    path.write_text("period: 6\nnames: vpp\n")
    assert ran.reload() == Settings(period=7.0, names="vpp")
    path.write_text("names: vvp\n")
    with pytest.raises(BadSettings) as caught:
        ran.reload()
    refused = "names: expected one of lcp, vpp, tap; got `vvp`; did you mean `vpp`?"
    assert str(caught.value) == f"{path}:1: {refused}"


# --- commands ------------------------------------------------------------------------------


CHANGED = Settings(address=UnixAddress("/x"), debug=1)


@pytest.mark.parametrize(
    ("arguments", "call", "status"),
    [
        ("show", ("show", Settings(), False), 3),
        ("show --json", ("show", Settings(), True), 3),
        ("--json show", ("show", Settings(), True), 3),
        ("show --json -a /x -d", ("show", CHANGED, True), 3),
        ("-a /x -d show", ("show", CHANGED, False), 3),
        ("-a /x show -d --json", ("show", CHANGED, True), 3),
        ("show vpp", ("show vpp", Settings(), False), 8),
        ("--json show vpp", ("show vpp", Settings(), True), 8),
        ("show -a /x vpp -d --json", ("show vpp", CHANGED, True), 8),
        ("walk", ("walk", Settings(), None), 4),
        ("walk 1.3.6.1.2.1.2", ("walk", Settings(), "1.3.6.1.2.1.2"), 4),
        ("walk .1.3.6", ("walk", Settings(), "1.3.6"), 4),
        ("walk 1", ("walk", Settings(), "1"), 4),
        ("walk 1.3.4294967295", ("walk", Settings(), "1.3.4294967295"), 4),
        ("walk -a /x -d .1.3", ("walk", CHANGED, "1.3"), 4),
        ("-a /x walk -d .1.3", ("walk", CHANGED, "1.3"), 4),
        ("-d walk .1.3 -a /x", ("walk", CHANGED, "1.3"), 4),
        ("-a /x -d walk", ("walk", CHANGED, None), 4),
        ("ports", ("ports", Settings()), 6),
        ("ports forget loop*", ("forget", Settings(), "loop*", 0.0), 7),
        ("ports forget --unseen 90d", ("forget", Settings(), "*", 90 * 86400.0), 7),
        ("-a /x ports forget a.b --unseen 3m -d", ("forget", CHANGED, "a.b", 180.0), 7),
    ],
)
def test_show_walk_and_ports_are_given_settings_and_what_is_asked(
    arguments: str, call: tuple[Any, ...], status: int, ran: Ran
) -> None:
    assert cli.main(arguments.split()) == status
    assert ran.calls == [call]


def test_a_state_that_is_unavailable_is_one_line_and_status_1(
    monkeypatch: pytest.MonkeyPatch, ran: Ran, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(settings: Settings, reload: Callable[[], Settings]) -> None:
        raise StateError("/state/ports.journal: Permission denied")

    monkeypatch.setattr(cli, "Agent", refuse)
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert cli.main([]) == 1
    assert caplog.messages == ["/state/ports.journal: Permission denied"]


def test_under_systemd_a_refused_start_waits_before_it_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, ran: Ran
) -> None:
    def refuse(settings: Settings, reload: Callable[[], Settings]) -> None:
        raise StateError("in use")

    waited: list[float] = []
    monkeypatch.setattr(cli, "Agent", refuse)
    monkeypatch.setattr("vpp_snmp_agent.cli.time.sleep", waited.append)
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")
    assert cli.main([]) == 1
    assert waited == [cli.RESTART_PAUSE]


def test_every_command_is_given_the_files_settings(ran: Ran, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(FILE)
    for command in ("show", "walk"):
        cli.main([command, "-f", str(path)])
    assert [call[:2] for call in ran.calls] == [("show", OF_FILE), ("walk", OF_FILE)]


def test_check_is_given_the_file_and_a_way_to_read_it(
    ran: Ran, tmp_path: Path, default_file: Path
) -> None:
    assert cli.main(["check", "-p", "7"]) == 5
    assert ran.reload() == Settings(period=7.0)
    path = tmp_path / "mine.yaml"
    path.write_text(FILE)
    assert cli.main(["-f", str(path), "check"]) == 5
    assert ran.reload() == OF_FILE
    assert ran.calls == [("check", str(default_file)), ("check", str(path))]


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("perod: 5", ":1: unknown key `perod`; did you mean `period`?"),
        (None, ": there is no such file"),
    ],
)
def test_check_reports_bad_settings_itself(
    text: str | None, refused: str, ran: Ran, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.yaml"
    if text is not None:
        path.write_text(text)
    assert cli.main(["check", "-f", str(path)]) == 5
    assert capsys.readouterr() == ("", "")
    with pytest.raises(BadSettings) as caught:
        ran.reload()
    assert str(caught.value) == f"{path}{refused}"


# --- what is refused -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--colour"], "unrecognized arguments: --colour"),
        (["--if=kept"], "unrecognized arguments: --if=kept"),
        (["wakl"], "argument command: invalid choice: 'wakl'"),
        (["1.3.6"], "argument command: invalid choice: '1.3.6'"),
        (["run", "run"], "run takes no argument 'run'"),
        (["show", "1.3"], "show takes no argument '1.3'"),
        (["show", "vpp", "vpp"], "show takes no argument 'vpp'"),
        (["check", "vpp"], "check takes no argument 'vpp'"),
        (["check", "1.3"], "check takes no argument '1.3'"),
        (["walk", "1.3", "1.4"], "walk takes no argument '1.4'"),
        (["ports", "forgte"], "ports takes no argument 'forgte'"),
        (["ports", "forget"], "ports forget: expected a GLOB, --unseen AGE, or both"),
        (["ports", "forget", "a", "b"], "ports forget takes one GLOB"),
        (["ports", "--unseen", "1d"], "--unseen belongs to `ports forget`"),
        (["ports", "forget", "--unseen", "90"], "argument --unseen: '90' is no age: expected"),
        (["--json"], "run takes no --json"),
        (["walk", "--json"], "walk takes no --json"),
        (["check", "--json"], "check takes no --json"),
        (["-a"], "argument -a: expected one argument"),
        (
            ["-a", "localhost"],
            "argument -a: 'localhost' is no AgentX address: expected /path/of/socket or host:port",
        ),
        (
            ["-a", "localhost:99999"],
            "argument -a: 'localhost:99999' is no AgentX address: a port is 1 to 65535",
        ),
        (
            ["check", "-a", ""],
            "argument -a: expected /path/of/socket or host:port; got an empty text",
        ),
        (
            ["--ifindex", "kep"],
            "argument --ifindex: expected one of kept, stateless; got `kep`; did you mean `kept`?",
        ),
        *(
            (["-p", text], f"argument -p: expected 1 to 86400 seconds; got `{text}`")
            for text in ("0", "0.99", "-5", "86401", "inf", "nan", "often", "30s", "1e2", "010")
        ),
        *(
            ([flag, ""], f"argument {flag}: expected a path; got an empty text")
            for flag in ("-f", "-c", "--api-socket", "--stats-socket", "--api-dir", "--state-dir")
        ),
        *(
            (["walk", oid], f"argument OID: {oid!r} is no OID: expected numbers, as in 1.3.6.1.2")
            for oid in ("", ".", "..1", "1..3", "1.3.", "ifName", "1.x", "1.3 ", "1.+3", "1.\u0663")
        ),
        (["walk", "1." * 128 + "1"], f"argument OID: '{'1.' * 128}1' is no OID: expected numbers"),
        (
            ["walk", "1.4294967296"],
            "argument OID: '1.4294967296' is no OID: a number is at most 4294967295",
        ),
    ],
)
def test_a_bad_flag_ends_with_status_2_and_says_why(
    arguments: list[str], message: str, ran: Ran, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refusal(arguments, capsys).startswith(f"vpp-snmp-agent: error: {message}")
    assert ran.calls == []


@pytest.mark.parametrize("command", ["run", "show", "walk"])
def test_bad_settings_end_with_status_2_and_say_why(
    command: str, ran: Ran, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.yaml"
    arguments = [command, "-f", str(path)]
    assert refusal(arguments, capsys) == f"vpp-snmp-agent: {path}: there is no such file"
    path.write_text("\nperod: 5\n")
    refused = f"vpp-snmp-agent: {path}:2: unknown key `perod`; did you mean `period`?"
    assert refusal(arguments, capsys) == refused
    assert ran.calls == []


@pytest.mark.usefixtures("ran")
def test_a_bad_default_file_is_refused_too(
    default_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    default_file.write_text("debug: yes\n")
    refused = "debug: expected 0, 1 or 2; got the boolean `yes`"
    assert refusal([], capsys) == f"vpp-snmp-agent: {default_file}:1: {refused}"


# --- the log -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "level"),
    [
        ("", logging.INFO),
        ("-d", logging.DEBUG),
        ("-dd", logging.DEBUG),
        ("show", logging.WARNING),
        ("walk", logging.WARNING),
        ("check", logging.WARNING),
        ("show -d", logging.DEBUG),
        ("check -d", logging.DEBUG),
    ],
)
@pytest.mark.usefixtures("ran")
def test_debug_lines_are_logged_on_demand(
    arguments: str, level: int, log_set_up: dict[str, Any]
) -> None:
    cli.main(arguments.split())
    assert log_set_up["level"] == level
    assert len(log_set_up["handlers"]) == 1


def test_the_file_can_demand_debug_lines(
    ran: Ran, log_set_up: dict[str, Any], default_file: Path
) -> None:
    default_file.write_text("debug: 1\n")
    assert settings_of([], ran).debug == 1
    assert log_set_up["level"] == logging.DEBUG


@pytest.fixture
def line_of(
    monkeypatch: pytest.MonkeyPatch, log_set_up: dict[str, Any]
) -> Callable[[int, str | None], str]:
    """A line of a level as it is written where $JOURNAL_STREAM is as given."""

    def formatted(level: int, journal: str | None) -> str:
        monkeypatch.delenv("JOURNAL_STREAM", raising=False)
        if journal is not None:
            monkeypatch.setenv("JOURNAL_STREAM", journal)
        cli.set_up_logging(logging.INFO)
        record = logging.LogRecord("agent", level, "", 0, "%d rows", (7,), None)
        line: str = log_set_up["handlers"][0].format(record)
        return line

    return formatted


@pytest.mark.parametrize(
    ("level", "line"),
    [
        (logging.DEBUG, "<7>7 rows"),
        (logging.INFO, "<6>7 rows"),
        (logging.WARNING, "<4>7 rows"),
        (logging.ERROR, "<3>7 rows"),
    ],
)
def test_the_journal_gets_a_priority_and_no_time(
    level: int, line: str, line_of: Callable[[int, str | None], str]
) -> None:
    status = os.fstat(2)
    assert line_of(level, f"{status.st_dev}:{status.st_ino}") == line


@pytest.mark.parametrize("journal", [None, "", "8:4711"])
def test_elsewhere_a_line_has_time_and_level(
    journal: str | None, line_of: Callable[[int, str | None], str]
) -> None:
    line = line_of(logging.WARNING, journal)
    assert re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:,]+ WARNING 7 rows", line)
