"""The agents to be measured against: net-snmp's own C subagent, plain pyagentx3, constants."""

import json
import pickle
import socket
import sys
from collections.abc import Iterable
from pathlib import Path

from simulator.stage import Process
from vpp_snmp_agent.agentx.values import OBJECT_IDENTIFIER, VarBind, dotted, encode_varbind

from .poller import in_namespace_of

OURS_ALONE = "ifTable,ifXTable,ifNumber"  # the modules that serve what we serve
MOVING = "port0"  # the one interface of the C subagent's that has traffic
FRAME = b"\xff" * 6 + b"\x02\x00\x00\x00\x00\x01" + b"\x88\xb5" + bytes(46)  # 802's own ethertype


class KernelSubagent(Process):
    """`snmpd -X` in a network namespace of its own, among so many kernel interfaces.

    They are ends of veth pairs, beside the loopback.  One pair is up, and `move` sends a frame
    through it.
    """

    def __init__(self, directory: Path, agentx: str, interfaces: int) -> None:
        directory.mkdir(parents=True)
        super().__init__(directory / "subagent.log")
        self._directory = directory
        self._wire: socket.socket | None = None
        (directory / "snmpd.conf").write_text(f"agentXSocket {agentx}\n[snmp] mibs :\n")
        (directory / "links").write_text(
            "".join(
                f"link add port{n} type veth peer name wire{n}\n" for n in range(interfaces // 2)
            )
        )

    def __enter__(self) -> "KernelSubagent":
        here = self._directory
        up = " && ".join(f"ip link set {each} up" for each in ("lo", "port0", "wire0"))
        script = f'ip -batch {here / "links"} && {up} && exec "$@"'
        self._start(
            [
                *("unshare", "--net", "sh", "-c", script, "sh"),
                *("snmpd", "-f", "-X", "-LF", "0-5", str(self.log), "-p", str(here / "pid")),
                *("-I", OURS_ALONE, "-C", "-c", str(here / "snmpd.conf")),
            ],
            {"SNMPCONFPATH": str(here), "SNMP_PERSISTENT_DIR": str(here / "kept")},
        )
        return self

    def move(self) -> None:
        """Have MOVING count a frame.  The subagent notes it when it next reads the kernel's."""

        def connect() -> socket.socket:
            wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            wire.bind(("wire0", 0))
            return wire

        if self._wire is None:
            self._wire = in_namespace_of(self.pid, connect)
        self._wire.send(FRAME)


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


class ConstantAnswers(Process):
    """An agent that serves given cells, and makes no answer twice."""

    def __init__(
        self, directory: Path, agentx: str, subtrees: Iterable[str], cells: Iterable[VarBind]
    ) -> None:
        directory.mkdir(parents=True)
        super().__init__(directory / "constant.log")
        self._arguments = [agentx, str(directory / "cells.pickle"), *subtrees]
        encoded = sorted((cell.name, encode_varbind(*cell)) for cell in cells)
        (directory / "cells.pickle").write_bytes(pickle.dumps(encoded))

    def __enter__(self) -> "ConstantAnswers":
        self._start([sys.executable, "-m", "bench.constant_agent", *self._arguments])
        return self


def _plain(cell: VarBind) -> tuple[str, int | str | None]:
    """The type's name, and the value as JSON can bear it."""
    if cell.type is OBJECT_IDENTIFIER and isinstance(cell.value, bytes):
        return cell.type.name, dotted(cell.value)
    if isinstance(cell.value, bytes):
        return cell.type.name, cell.value.decode("latin-1")
    return cell.type.name, cell.value
