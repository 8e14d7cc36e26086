"""An agent that is installed, by whatever means, held against the simulator's truth.

    python -m tests.installed COMMAND...

COMMAND starts the agent, such as /usr/sbin/vpp-snmp-agent.  It stands between a real snmpd and a
simulated VPP whose traffic stands still: what snmpd gives out of ifTable and ifXTable,
what `show` prints and what VPP has really counted are the same, and `check` has nothing against
it.  The modules of the agent are those that are installed: of this tree the simulator alone runs.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from simulator import Simulator
from simulator.scenario import VPPCFG
from simulator.stage import AgentProcess, Snmpd, StageError, until

from .deb.story import Failed
from .edge_router import ROWS
from .oids import HC_IN, HC_OUT, HIGH_SPEED, IF_DESCR, IF_IN, IF_INDEX, IF_MTU, IF_NAME

# Columns that `show --json` has too, by its keys.
COLUMNS = {
    "ifIndex": IF_INDEX,
    "ifMtu": IF_MTU,
    "ifName": IF_NAME,
    "inOctets": HC_IN,
    "outOctets": HC_OUT,
    "speed": HIGH_SPEED,
}
IN_TABLE = {"ifDescr": IF_DESCR, "ifInOctets": IF_IN}
WRAP = 2**32  # of a Counter32
MEGABIT = 10**6  # ifHighSpeed's unit


class Installed(AgentProcess):
    """The agent, by the command that its installation brought."""

    def __init__(self, words: Sequence[str], directory: Path, vpp: Simulator, agentx: str) -> None:
        super().__init__(directory, vpp, agentx, "-c", str(directory / "vppcfg.yaml"))
        flags = self._command[self._command.index("-a") :]
        self._command = [*words, *flags]

    def ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a sub-command with the same flags."""
        return subprocess.run(
            [*self._command, *words],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
            cwd="/",
        )


def compare(what: str, found: object, expected: object) -> None:
    """A line, if both are the same."""
    if found != expected:
        raise Failed(f"{what}: {found}, expected {expected}")
    print(f"ok     {what}", flush=True)


def serve(words: Sequence[str], directory: Path) -> None:
    """The whole of it."""
    (directory / "vppcfg.yaml").write_text(VPPCFG, encoding="utf-8")
    with Simulator(directory / "vpp") as vpp, Snmpd(directory / "snmp") as snmpd:
        vpp.freeze()
        for number, name in enumerate(vpp.interfaces(), 1):  # no two the same
            vpp.set_traffic(name, rx=1009 + 10 * number, tx=2003 + 10 * number)
        vpp.step(20_000)
        agent = Installed(words, directory, vpp, snmpd.agentx)
        with agent:
            try:
                until(f"{ROWS} ports are served", lambda: rows(snmpd) == ROWS)
                walked(agent, vpp, snmpd)
                checked(agent)
            except (Failed, StageError) as error:
                raise Failed(f"{error}\nThe agent says:\n{agent.text()}") from error


def rows(snmpd: Snmpd) -> int:
    """How many ports a walk finds."""
    return len(snmpd.column(COLUMNS["ifName"]))


def walked(agent: Installed, vpp: Simulator, snmpd: Snmpd) -> None:
    """Both tables, `show`, and the simulator say the same."""
    shown = agent.ask("show", "--json")
    compare("`show` ends well", (shown.returncode, shown.stderr), (0, ""))
    ports: dict[int, dict[str, Any]] = {
        port["ifIndex"]: port | {"speed": port["speed"] // MEGABIT}
        for port in json.loads(shown.stdout)
    }
    compare("`show` has all ports", len(ports), ROWS)
    truth = vpp.truth()
    octets = {index: truth[port["vppName"]].rx.bytes for index, port in ports.items()}
    compare("`show` has VPP's counters", {i: ports[i]["inOctets"] for i in ports}, octets)
    compare("which differ", len(set(octets.values())), ROWS)
    for key, column in COLUMNS.items():
        expected = {index: str(port[key]) for index, port in ports.items()}
        compare(f"a walk of {key} has what `show` has", snmpd.column(column), expected)
    names = {index: str(port["ifName"]) for index, port in ports.items()}
    compare("ifDescr is ifName", snmpd.column(IN_TABLE["ifDescr"]), names)
    low = {index: str(count % WRAP) for index, count in octets.items()}
    compare("ifInOctets are the lower half", snmpd.column(IN_TABLE["ifInOctets"]), low)


def checked(agent: Installed) -> None:
    """`check` finds all well."""
    done = agent.ask("check")
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAIL")]
    compare("`check` finds nothing wrong", (failed, done.stderr), ([], ""))
    compare("and ends well", done.returncode, 0)


def main() -> int:
    """The exit status."""
    os.environ["PATH"] += ":/usr/sbin:/sbin"  # where snmpd is, which no user's PATH has
    try:
        with tempfile.TemporaryDirectory(prefix="vpp-snmp-agent-installed.") as directory:
            serve(sys.argv[1:], Path(directory))
    except (Failed, StageError) as error:
        print(f"FAILED {error}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
