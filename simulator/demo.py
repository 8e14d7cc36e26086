"""`make demo`: the main job on the simulated VPP, behind a real snmpd, asked by real walks.

python -m simulator.demo [--keep]
"""

import argparse
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

from vpp_snmp_agent.operator.output import Column, aligned, scaled

from .client import Simulator
from .stage import AgentProcess, Snmpd, until

IF_TABLE = "1.3.6.1.2.1.2.2.1"
IF_X_TABLE = "1.3.6.1.2.1.31.1.1.1"
IP = "1.3.6.1.2.1.4"
ATTACHED = "1.2.840.10006.300.43.1.2.1.1.13"  # dot3adAggPortAttachedAggID
HR_STORAGE = "1.3.6.1.2.1.25.2.3.1"
MAX_OF_SNMPD = 1000  # hrStorageIndex; above are ours
APART = 3.0  # seconds between the two walks
STATUS = {"1": "up", "2": "down", "7": "lowerLayerDown"}


@dataclass(frozen=True)
class Walked:
    """What two walks found, by object name and ifIndex, and when the octets were asked."""

    columns: dict[str, dict[int, str]]
    at: float


def walk(snmpd: Snmpd) -> Walked:
    """The columns that the table shows."""
    columns = {
        "ifOperStatus": snmpd.column(f"{IF_TABLE}.8"),
        "ifName": snmpd.column(f"{IF_X_TABLE}.1"),
        "ifHighSpeed": snmpd.column(f"{IF_X_TABLE}.15"),
        "ifAlias": snmpd.column(f"{IF_X_TABLE}.18"),
    }
    at = time.monotonic()
    columns["ifHCInOctets"] = snmpd.column(f"{IF_X_TABLE}.6")
    columns["ifHCOutOctets"] = snmpd.column(f"{IF_X_TABLE}.10")
    return Walked(columns, at)


def text(value: str) -> str:
    """An octet string as people read it; snmpbulkwalk prints what is not ASCII in hex."""
    pairs = value.split()
    if pairs and all(len(pair) == 2 and pair.isalnum() for pair in pairs):
        try:
            return bytes.fromhex(value).decode()
        except ValueError:
            return value
    return value


def amount(number: float, unit: str) -> str:
    """1234567 B as `1.23 MB`."""
    return scaled(number, 1000, [prefix + unit for prefix in ("", "k", "M", "G", "T")])


def table(before: Walked, after: Walked) -> Iterator[str]:
    """One line for each interface; rates are what came between the two walks."""

    def rate(index: int, direction: str) -> str:
        came = int(after.columns[direction][index]) - int(before.columns[direction][index])
        return amount(came * 8 / (after.at - before.at), "bit/s")

    rows = []
    for index, name in after.columns["ifName"].items():
        cells = {head: column[index] for head, column in after.columns.items()}
        speed = int(cells["ifHighSpeed"]) * 10**6
        row = {"ifIndex": str(index), "ifName": name, "ifAlias": text(cells["ifAlias"])}
        row["status"] = STATUS.get(cells["ifOperStatus"], cells["ifOperStatus"])
        row["speed"] = amount(speed, "b/s") if speed else "-"
        for head, direction in (("in", "ifHCInOctets"), ("out", "ifHCOutOctets")):
            row[head] = amount(int(cells[direction]), "B")
        for head, direction in (("in rate", "ifHCInOctets"), ("out rate", "ifHCOutOctets")):
            row[head] = rate(index, direction)
        rows.append(row)
    left = {"ifName", "ifAlias", "status"}
    return aligned([Column(head, itemgetter(head), head not in left) for head in rows[0]], rows)


def router(snmpd: Snmpd) -> list[str]:
    """What there is beside the interfaces: addresses, neighbours, bonds, memory, packets."""
    names = snmpd.column(f"{IF_X_TABLE}.1")
    lines = [("ipAddrTable", *_by_port(snmpd, f"{IP}.20.1.2", names))]
    lines += [("ipNetToMediaTable", *_by_port(snmpd, f"{IP}.22.1.1", names))]
    attached = {name: index for name, index in snmpd.column(ATTACHED).items() if index != "0"}
    for bond in sorted(set(map(int, attached.values()))):
        members = [names[port] for port, index in attached.items() if int(index) == bond]
        lines.append(("dot3adAggPortTable", f"{names[bond]} carries by {' and '.join(members)}"))
    described, units, sizes, used = (snmpd.column(f"{HR_STORAGE}.{n}") for n in (3, 4, 5, 6))
    for index, name in described.items():
        if index > MAX_OF_SNMPD:
            octets = amount(int(units[index]) * int(sizes[index]), "B")
            share = int(used[index]) / int(sizes[index])
            lines.append(("hrStorageTable", f"{name}: {octets}, {share:.1%} used"))
    for version, count in snmpd.column(f"{IP}.31.1.1.4").items():
        lines.append(
            ("ipSystemStatsTable", f"IPv{ {1: 4, 2: 6}[version] }: {int(count):,} received")
        )
    width = max(len(table) for table, *_ in lines)
    return [f"{table.ljust(width)}  {', '.join(cells)}" for table, *cells in lines]


def _by_port(snmpd: Snmpd, column: str, names: dict[int, str]) -> list[str]:
    """The IPv4 addresses that a column's rows are of, and the port of each."""
    return [
        f"{'.'.join(name.split('.')[-4:])} at {names[int(value.rpartition(' ')[2])]}"
        for name, value in snmpd.walk(column).items()
    ]


def commands(agent: AgentProcess) -> list[str]:
    """What an operator would type on this machine, to be pasted into a shell."""
    return [
        shlex.join(agent.command(*words.split()))
        for words in ("check", "show", "show vpp", "ports")
    ]


def main() -> int:
    """The demo; the exit status."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="stay up until ^C")
    keep = parser.parse_args().keep
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="vpp-snmp-agent-demo.") as name:
        directory = Path(name)
        vppcfg = directory / "vppcfg.yaml"
        print("Starting an embedded VPP, a private snmpd, and the agent between them ...")
        with (
            Simulator(directory / "vpp", vppcfg=vppcfg) as vpp,
            Snmpd(directory / "snmp") as snmpd,
            AgentProcess(directory, vpp, snmpd.agentx, "-c", str(vppcfg)) as agent,
        ):
            until("the interfaces are served", lambda: snmpd.column(f"{IF_X_TABLE}.1"))
            print("The agent says:")
            print("".join(f"    {line}\n" for line in agent.text().splitlines()))
            print("Asked with (and the same with .10, .15, .18, and .8 of ifTable):")
            print(f"    {shlex.join(snmpd.command('snmpbulkwalk', f'{IF_X_TABLE}.1'))}")
            print(f"    {shlex.join(snmpd.command('snmpbulkwalk', f'{IF_X_TABLE}.6'))}")
            print(f"twice, {APART:g} seconds apart:\n")
            before = walk(snmpd)
            time.sleep(APART)
            print("\n".join(table(before, walk(snmpd))))
            print("\nand beside them:\n")
            print("\n".join(router(snmpd)))
            if keep:
                print("\nIt stays up until ^C.  Meanwhile, walk it yourself:")
                print(f"    {shlex.join(snmpd.command('snmpbulkwalk', IF_X_TABLE))}")
                print("or ask as an operator does:")
                print("".join(f"    {command}\n" for command in commands(agent)), end="")
                print(f"VPP's sockets are in {vpp.run_dir}, logs in {directory}.")
                try:
                    signal.pause()
                except KeyboardInterrupt:
                    print()
    print("\nEnded; nothing is left behind.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
