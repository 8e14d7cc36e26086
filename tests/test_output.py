"""operator/output.py: tables, units, and what is said on standard error."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.stage import ROOT
from vpp_snmp_agent.operator.output import (
    FAIL,
    Column,
    Line,
    aligned,
    complain,
    complain_of_each,
    number,
    numbers,
    scaled,
    text,
    words,
)

from .journals import assign, opened

COLUMNS = (
    words("name", "name"),
    numbers("mtu", "mtu"),
    Column("up", lambda row: "yes" if row["up"] else "no"),
    numbers("rate", "rate", "{:.1f}".format),
)
ROWS = (
    {"name": "eno1", "mtu": 1500, "up": True, "rate": 2.25},
    {"name": "loop0.100", "mtu": None, "up": False, "rate": 1234.5},
)


def test_texts_stand_to_the_left_and_numbers_to_the_right() -> None:
    assert list(aligned(COLUMNS, ROWS)) == [
        "name        mtu  up     rate",
        "eno1       1500  yes     2.2",
        "loop0.100     -  no   1234.5",
    ]


def test_a_column_is_as_wide_as_its_head_at_least_and_no_line_ends_with_space() -> None:
    assert list(
        aligned(
            (words("interface", "name"), words("alias", "alias")), [{"name": "b", "alias": "c"}]
        )
    ) == ["interface  alias", "b          c"]


def test_without_rows_there_are_no_heads() -> None:
    assert list(aligned(COLUMNS, [])) == []


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("eno1", "eno1"),
        ("", "-"),
        (None, "-"),
        ("\x1b[2J\x07a\nb", "?[2J?a?b"),
        ("Zürich", "Zürich"),
    ],
)
def test_a_text_has_no_power_over_the_terminal(value: str | None, shown: str) -> None:
    assert text(value) == shown


def test_a_number_that_is_not_known_is_a_dash() -> None:
    assert [number(each) for each in (None, 0, -7)] == ["-", "0", "-7"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0 m"), (999, "999 m"), (1000, "1 km"), (123_456, "123 km"), (10**9, "1e+06 km")],
)
def test_a_quantity_is_shown_in_the_unit_that_fits(value: int, shown: str) -> None:
    assert scaled(value, 1000, ("m", "km")) == shown


def test_a_line_of_check_has_its_mark_its_thing_and_its_text_in_columns() -> None:
    assert str(Line(FAIL, "API socket", "nobody listens")) == (
        "FAIL   API socket        nobody listens"
    )


def test_what_is_unavailable_is_said_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    complain("")
    complain_of_each({})
    assert capsys.readouterr() == ("", "")
    complain("no counters")
    complain_of_each({"bonds": "no reply", "LCP pairs": "no such message"})
    assert capsys.readouterr() == (
        "",
        "vpp-snmp-agent: no counters\n"
        "vpp-snmp-agent: VPP's bonds are unavailable: no reply\n"
        "vpp-snmp-agent: VPP's LCP pairs are unavailable: no such message\n",
    )


# --- where it goes -------------------------------------------------------------------------


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory with a port."""
    with opened(tmp_path) as own:
        assign(own, eth7=1)
    return tmp_path


ANSWERING = ("--help", "--version", "show --json", "show vpp --json", "walk", "check", "ports")


def command(words: str, state: Path, stdout: int) -> "subprocess.CompletedProcess[str]":
    """A command of its own, without VPP; its errors."""
    own = ["--state-dir", str(state), "-f", os.devnull, "--api-socket", str(state / "api")]
    return subprocess.run(
        [sys.executable, "-m", "vpp_snmp_agent", *words.split(), *own],
        cwd=ROOT,
        # argparse is silent of what it cannot write, but not of what it leaves in a buffer.
        env={key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"},
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.process
@pytest.mark.parametrize("words", ANSWERING)
def test_an_answer_that_cannot_be_written_is_one_line_and_status_1(words: str, state: Path) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        done = command(words, state, full)
    finally:
        os.close(full)
    assert done.returncode == 1
    *others, last = done.stderr.splitlines()
    assert last == "vpp-snmp-agent: standard output: No space left on device"
    assert all(each.startswith("vpp-snmp-agent: ") for each in others)


@pytest.mark.process
@pytest.mark.parametrize("words", [*ANSWERING, "ports forget eth7"])
def test_a_command_makes_no_state_directory(words: str, tmp_path: Path) -> None:
    with (tmp_path / "answer").open("w") as file:
        command(words, tmp_path / "below" / "state", file.fileno())
    assert [path.name for path in tmp_path.iterdir()] == ["answer"]


@pytest.mark.process
@pytest.mark.parametrize("words", ANSWERING)
def test_an_answer_that_nobody_reads_on_is_no_failure(words: str, state: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = command(words, state, writer)
    finally:
        os.close(writer)
    assert done.returncode == 0
    assert all(each.startswith("vpp-snmp-agent: ") for each in done.stderr.splitlines())
    assert "standard output" not in done.stderr


@pytest.mark.process
@pytest.mark.parametrize(
    ("closed", "status", "said"),
    [
        ("2", 0, ""),
        ("1", 1, "vpp-snmp-agent: standard output is closed\n"),
        ("1 2", 1, ""),
    ],
)
def test_of_closed_descriptors_only_the_one_of_the_answer_matters(
    state: Path, closed: str, status: int, said: str
) -> None:
    closing = " ".join(f"{each}>&-" for each in closed.split())
    script = f'"$@" {closing}'
    own = ["-m", "vpp_snmp_agent", "ports", "--state-dir", str(state), "-f", os.devnull]
    done = subprocess.run(
        ["sh", "-c", script, "sh", sys.executable, *own],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (status, said)
    assert ("eth7" in done.stdout) == (status == 0)
