"""What the tests of sub-commands share: settings for them, and that they leave nothing behind."""

import gc
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from simulator import Simulator
from vpp_snmp_agent.operator.output import Line
from vpp_snmp_agent.settings.declarations import Settings, UnixAddress

SKIPPED = "note: skipped: VPP does not report"

# The lines of `check` by what they are about, each as `mark: text`.
Check = Callable[[Settings], dict[str, list[str]]]


def settings_for(vpp: Simulator, directory: Path) -> Settings:
    """Those by which a simulator is asked; snmpd's socket and the state are below a directory."""
    return Settings(
        address=UnixAddress(str(directory / "snmp" / "agentx")),
        api_socket=str(vpp.api_socket),
        stats_socket=str(vpp.stats_socket),
        api_dir=str(vpp.api_dir),
        state_dir=str(directory / "state"),
    )


def _leavings(state: Path) -> tuple[set[str], list[str], list[tuple[Path, int]]]:
    """Whatever a command could leave: children, descriptors, files new or written."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    files = [(path, path.stat().st_mtime_ns) for path in (state, *state.glob("*")) if path.exists()]
    return set(children.split()), os.listdir("/proc/self/fd"), files


@contextmanager
def leaving_nothing(state: Path) -> Iterator[None]:
    """What is done here leaves nothing behind."""
    gc.collect()
    children, *others = _leavings(state)
    yield
    gc.collect()
    children_after, *others_after = _leavings(state)
    assert children_after <= children  # one that an earlier test left may end meanwhile
    assert others_after == others


def cells(table: str) -> list[list[str]]:
    """Of a table, whose columns stand at least two spaces apart."""
    return [re.split(r" {2,}", line.strip()) for line in table.splitlines()]


class Printed(NamedTuple):
    """What a command did."""

    status: int
    out: str
    err: str

    @property
    def table(self) -> list[list[str]]:
        """The cells; columns stand at least two spaces apart."""
        return cells(self.out)


Run = Callable[[Callable[[], int]], Printed]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command; nothing is left behind by it."""

    def ran(command: Callable[[], int]) -> Printed:
        capsys.readouterr()
        with leaving_nothing(tmp_path / "state"):
            status = command()
        return Printed(status, *capsys.readouterr())

    return ran


def in_short(line: Line) -> str:
    """A line of `check`, without its thing."""
    return f"{line.mark}: {line.text}"


def by_thing(printed: str) -> dict[str, list[str]]:
    """Lines as `mark: text`, by what they are about, in the order printed."""
    lines: dict[str, list[str]] = {}
    for line in printed.splitlines():
        mark, thing, text = line[:7].strip(), line[7:25].strip(), line[25:]
        lines.setdefault(thing, []).append(f"{mark}: {text}")
    return lines
