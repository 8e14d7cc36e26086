"""The command line: what each flag does, what is refused, and how lines look in the journal."""

import logging
import os
import re
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest

from vpp_snmp_agent import __version__, cli
from vpp_snmp_agent.config import Settings, TCPAddress, UnixAddress


@pytest.fixture
def log_set_up(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What logging.basicConfig was given; the tests' own log stays as it is."""
    given: dict[str, Any] = {}
    monkeypatch.setattr(logging, "basicConfig", given.update)
    return given


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch, log_set_up: dict[str, Any]) -> list[Settings]:
    """The settings of each agent that ran."""
    found: list[Settings] = []

    class Agent:
        def __init__(self, settings: Settings) -> None:
            self.settings = settings

        def run(self) -> None:
            found.append(self.settings)

    monkeypatch.setattr(cli, "Agent", Agent)
    return found


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


@pytest.mark.parametrize(
    ("flag", "default"),
    [
        ("-a ADDRESS", "(default /run/agentx-dataplane/master)"),
        ("-p PERIOD", "(default 30)"),
        ("-c VPPCFG", "(default none)"),
        ("--api-socket PATH", "(default /run/vpp/api.sock)"),
        ("--stats-socket PATH", "(default /run/vpp/stats.sock)"),
        ("--api-dir DIR", "(default /usr/share/vpp/api)"),
        ("--state-dir DIR", "(default /var/lib/vpp-snmp-agent)"),
    ],
)
def test_help_tells_each_flag_and_its_default(
    flag: str, default: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    own = help_text(capsys).partition(" options: ")[2].partition(f"{flag} ")[2]
    assert default == "(" + own.partition("(")[2].partition(")")[0] + ")"


def test_help_lists_every_flag_and_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    text = help_text(capsys)
    flags = {flag for action in cli.parser()._actions for flag in action.option_strings}
    assert flags == {
        *("-h", "--help", "--version", "-a", "-p", "-c", "-d"),
        *("--api-socket", "--stats-socket", "--api-dir", "--state-dir"),
    }
    assert all(f" {flag}" in text for flag in flags)
    assert "{run} run the agent (default)" in text
    assert "-dd: every AgentX PDU too" in text


@pytest.mark.parametrize("arguments", [[], ["run"]])
def test_the_defaults_are_those_of_settings(arguments: list[str], ran: list[Settings]) -> None:
    assert cli.main(arguments) == 0
    assert ran == [Settings()]


FLAGS: list[tuple[list[str], dict[str, Any]]] = [
    (["-a", "/run/master"], {"address": UnixAddress("/run/master")}),
    (["-a", "[::1]:705"], {"address": TCPAddress("::1", 705)}),
    (["-p", "1"], {"period": 1.0}),
    (["-p", "0.1e2"], {"period": 10.0}),
    (["-p", "86400"], {"period": 86400.0}),
    (["-c", "/etc/vpp/vppcfg.yaml"], {"vppcfg": "/etc/vpp/vppcfg.yaml"}),
    (["--api-socket", "/a"], {"api_socket": "/a"}),
    (["--stats-socket=/s"], {"stats_socket": "/s"}),
    (["--api-dir", "/d"], {"api_dir": "/d"}),
    (["--state-dir", "/v"], {"state_dir": "/v"}),
    (["-d"], {"trace": False}),
    (["-dd"], {"trace": True}),
    (["-d", "-d"], {"trace": True}),
]


@pytest.mark.parametrize(("arguments", "changed"), FLAGS)
def test_each_flag_reaches_the_agent(
    arguments: list[str], changed: dict[str, Any], ran: list[Settings]
) -> None:
    assert cli.main([*arguments, "run"]) == 0
    assert cli.main(["run", *arguments]) == 0
    assert ran == [replace(Settings(), **changed)] * 2


def test_every_setting_has_a_flag() -> None:
    reached = {name for _, changed in FLAGS for name in changed}
    assert reached == {field.name for field in fields(Settings)}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--colour"], "error: unrecognized arguments: --colour"),
        (["walk"], "error: argument command: invalid choice: 'walk'"),
        (["run", "run"], "error: unrecognized arguments: run"),
        (["-a"], "error: argument -a: expected one argument"),
        (["-a", "localhost"], "'localhost' is no AgentX address: expected /path/of/socket or"),
        (["-a", "localhost:99999"], "'localhost:99999' is no AgentX address: a port is 1 to 65535"),
        *(
            (["-p", text], f"error: argument -p: {text} is not 1 to 86400 seconds")
            for text in ("0", "0.99", "-5", "86401", "inf", "nan", "often", "30s")
        ),
    ],
)
def test_a_bad_flag_ends_with_status_2_and_says_why(
    arguments: list[str], message: str, ran: list[Settings], capsys: pytest.CaptureFixture[str]
) -> None:
    assert refusal(arguments, capsys).startswith(f"vpp-snmp-agent: {message}")
    assert ran == []


@pytest.mark.parametrize(
    ("arguments", "level"),
    [([], logging.INFO), (["-d"], logging.DEBUG), (["-dd"], logging.DEBUG)],
)
@pytest.mark.usefixtures("ran")
def test_debug_lines_are_logged_on_demand(
    arguments: list[str], level: int, log_set_up: dict[str, Any]
) -> None:
    cli.main(arguments)
    assert log_set_up["level"] == level
    assert len(log_set_up["handlers"]) == 1


@pytest.fixture
def line_of(
    monkeypatch: pytest.MonkeyPatch, log_set_up: dict[str, Any]
) -> Callable[[int, str | None], str]:
    """A line of a level as it is written where $JOURNAL_STREAM is as given."""

    def formatted(level: int, journal: str | None) -> str:
        monkeypatch.delenv("JOURNAL_STREAM", raising=False)
        if journal is not None:
            monkeypatch.setenv("JOURNAL_STREAM", journal)
        cli.set_up_logging(debug=False)
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
def test_the_journal_is_told_a_priority_and_no_time(
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
