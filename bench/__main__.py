"""`make bench`: all measures, as one table.  python -m bench [--quick]"""

import argparse
import os
import platform
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date
from importlib.metadata import version
from math import inf
from pathlib import Path

from vpp_snmp_agent import __version__

from . import measures, polled, processes
from .measures import FULL, QUICK, Effort, Row
from .rest import Resting

HEADS = ("measure", "ours", "beside it", "figure", "bar", "")


def about() -> str:
    """What was measured, when, on what."""
    printed = subprocess.run(["snmpd", "-v"], capture_output=True, text=True, check=True).stdout
    net_snmp = re.search(r"version:\s*(\S+)", printed)
    return (
        f"{date.today()}: vpp-snmp-agent {__version__}, Python {platform.python_version()},"
        f" net-snmp {net_snmp[1] if net_snmp else 'of an unknown version'},"
        f" pyagentx3 {version('pyagentx3')}\n{processes.machine()}"
    )


def verdict(row: Row) -> str:
    """Whether the bar is met, in a word."""
    if row.is_excused:
        return "by the other"
    return "met" if row.met else "missed"


def table(rows: list[Row]) -> list[str]:
    """The rows, aligned."""
    lines = [HEADS]
    for row in rows:
        has_bar = row.bar < inf
        lines.append(
            (
                row.measure,
                row.ours,
                row.other,
                f"{row.figure:.2f} {row.unit}".rstrip(),
                f"{row.bar:.2f} {row.unit}".rstrip() if has_bar else "",
                verdict(row) if has_bar else "",
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
    """Everything; at rest is measured last, when an agent has been for long, and alone."""
    others: tuple[Callable[[Path, Effort], Iterator[Row]], ...] = (
        polled.sizes,
        polled.neighbors,
        measures.answers,
        measures.start,
        measures.rates,
    )
    with Resting(directory / "rest").running() as resting:
        yield from polled.beside_the_peers(directory / "peers", effort, as_root)
        for each in others:
            yield from each(directory / each.__name__, effort)
        yield from resting.rows(effort)


def main() -> int:
    """The benchmark; the exit status."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="within two minutes, less exact")
    effort = QUICK if parser.parse_args().quick else FULL
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    as_root = os.geteuid() == 0
    if len(os.sched_getaffinity(0)) < 2:
        parser.error("it takes two CPUs: one for the poller, one for what is measured")
    print(about())
    if not as_root:
        print("Left out, for it takes root to make a namespace: all that is beside snmpd -X.")
    rows = []
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="vpp-snmp-agent-bench.") as name:
        for row in measure(Path(name), effort, as_root):
            elapsed = time.monotonic() - began
            print(f"... {elapsed:4.0f} s  {row.measure}", file=sys.stderr, flush=True)
            rows.append(row)
    print("\n" + "\n".join(table(rows)) + "\n")
    total = polled.TOTAL
    print(
        f"The pollers took {total.cpu * 1e-9:.1f} s of CPU for {total.cells:,} varbinds,"
        f" {total.cpu * 1e-3 / total.cells:.2f} us each, which is part of no figure."
    )
    for line, begins in (
        ("vs_c_subagent", f"{polled.WALK}, {polled.TWO_CORES}: snmpd -X"),
        ("vs_pyagentx3", f"{polled.WALK}, {polled.TWO_CORES}: pyagentx3"),
    ):
        for row in rows:
            if row.measure == begins:
                print(f"{line}: {row.figure:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
