"""`make bench`: all measures, as one table.  python -m bench [--quick]"""

import argparse
import os
import platform
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import date
from importlib.metadata import version
from pathlib import Path

from vpp_snmp_agent import __version__

from . import measures, processes
from .measures import FULL, QUICK, Effort, Row

HEADS = ("measure", "ours", "beside it", "figure", "bar", "")


def about() -> str:
    """What was measured, when, on what."""
    told = subprocess.run(["snmpd", "-v"], capture_output=True, text=True, check=True).stdout
    net_snmp = re.search(r"version:\s*(\S+)", told)
    return (
        f"{date.today()}: vpp-snmp-agent {__version__}, Python {platform.python_version()},"
        f" net-snmp {net_snmp[1] if net_snmp else 'of an unknown version'},"
        f" pyagentx3 {version('pyagentx3')}\n{processes.machine()}"
    )


def table(rows: list[Row]) -> list[str]:
    """The rows, aligned."""
    lines = [HEADS]
    for row in rows:
        lines.append(
            (
                row.measure,
                row.ours,
                row.other,
                f"{row.figure:.2f} {row.unit}".rstrip(),
                f"{row.bar:.2f} {row.unit}".rstrip(),
                "met" if row.met else "missed",
            )
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if head == HEADS[0] or not head else cell.rjust(width)
            for head, cell, width in zip(HEADS, line, widths, strict=True)
        ).rstrip()
        for line in lines
    ]


def measure(directory: Path, effort: Effort, as_root: bool) -> Iterator[Row]:
    """Everything, in the order of the table but for what has to wait."""
    with measures.Idle(directory / "idle").running() as idle:
        yield from measures.beside_the_peers(directory / "peers", effort, as_root)
        others: tuple[Callable[[Path, Effort], Iterator[Row]], ...] = (
            measures.many_interfaces,
            measures.threads,
            measures.start,
            measures.rates,
        )
        for each in others:
            yield from each(directory / each.__name__, effort)
        yield idle.row(effort)


def main() -> int:
    """The benchmark; the exit status."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="within three minutes, less exact")
    effort = QUICK if parser.parse_args().quick else FULL
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    as_root = os.geteuid() == 0
    print(about())
    if not as_root:
        print("Left out, for it takes root to make a namespace: all that is beside snmpd -X.")
    rows = []
    with tempfile.TemporaryDirectory(prefix="vpp-snmp-agent-bench.") as name:
        for row in measure(Path(name), effort, as_root):
            print(f"... {row.measure}", file=sys.stderr, flush=True)
            rows.append(row)
    print("\n" + "\n".join(table(rows)) + "\n")
    for line, begins in (
        ("vs_c_subagent", "CPU per varbind, bulk walk: snmpd -X"),
        ("vs_pyagentx3", "CPU per varbind, bulk walk: pyagentx3"),
    ):
        for row in rows:
            if row.measure == begins:
                print(f"{line}: {row.figure:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
