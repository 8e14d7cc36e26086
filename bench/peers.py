"""The agents to be measured against: net-snmp's own C subagent, and plain pyagentx3."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path

from vpp_snmp_agent.agentx.pdu import OBJECT_IDENTIFIER, VarBind, dotted
from vpp_snmp_agent.simulator.stage import Process

OURS_ALONE = "ifTable,ifXTable,ifNumber"  # the modules that serve what we serve


class KernelSubagent(Process):
    """`snmpd -X` in a network namespace of its own, among so many kernel interfaces.

    They are ends of veth pairs, beside the loopback.
    """

    def __init__(self, directory: Path, agentx: str, interfaces: int) -> None:
        directory.mkdir(parents=True)
        super().__init__(directory / "subagent.log")
        self._directory = directory
        (directory / "snmpd.conf").write_text(f"agentXSocket {agentx}\n[snmp] mibs :\n")
        (directory / "links").write_text(
            "".join(
                f"link add port{n} type veth peer name wire{n}\n" for n in range(interfaces // 2)
            )
        )

    def __enter__(self) -> "KernelSubagent":
        here = self._directory
        script = f'ip link set lo up && ip -batch {here / "links"} && exec "$@"'
        self._start(
            [
                *("unshare", "--net", "sh", "-c", script, "sh"),
                *("snmpd", "-f", "-X", "-LF", "0-5", str(self.log), "-p", str(here / "pid")),
                *("-I", OURS_ALONE, "-C", "-c", str(here / "snmpd.conf")),
            ],
            {"SNMPCONFPATH": str(here), "SNMP_PERSISTENT_DIR": str(here / "kept")},
        )
        return self


class Pyagentx3(Process):
    """A plain pyagentx3 agent that serves given cells."""

    def __init__(
        self, directory: Path, agentx: str, subtrees: Iterable[str], cells: Iterable[VarBind]
    ) -> None:
        directory.mkdir(parents=True)
        super().__init__(directory / "pyagentx3.log")
        self._agentx = agentx
        self._rows = directory / "rows.json"
        by_subtree: dict[str, list[tuple[str, str, int | str | None]]] = {
            subtree: [] for subtree in subtrees
        }
        for cell in cells:
            name = dotted(cell.name)
            subtree = next(each for each in by_subtree if name.startswith(each + "."))
            by_subtree[subtree].append((name.removeprefix(subtree + "."), *_plain(cell)))
        self._rows.write_text(json.dumps(by_subtree))

    def __enter__(self) -> "Pyagentx3":
        self._start([sys.executable, "-m", "bench.pyagentx3_agent", self._agentx, str(self._rows)])
        return self


def _plain(cell: VarBind) -> tuple[str, int | str | None]:
    """The type's name, and the value as JSON can bear it."""
    if cell.type is OBJECT_IDENTIFIER and isinstance(cell.value, bytes):
        return cell.type.name, dotted(cell.value)
    if isinstance(cell.value, bytes):
        return cell.type.name, cell.value.decode("latin-1")
    return cell.type.name, cell.value
