"""A plain pyagentx3 agent, as its README teaches to write one.

    python -m bench.pyagentx3_agent AGENTX_SOCKET ROWS

ROWS is a JSON file: per subtree, [name below it, type, value] of every cell; octets as
latin-1 text.  It is read once: what its refreshing would cost is left out, in its favour.
"""

import json
import sys
from typing import Any

import pyagentx3

ONCE = 10**9  # seconds between two updates

SETTERS = {
    "INTEGER": "set_INTEGER",
    "OCTET STRING": "set_OCTETSTRING",
    "OBJECT IDENTIFIER": "set_OBJECTIDENTIFIER",
    "Counter32": "set_COUNTER32",
    "Gauge32": "set_GAUGE32",
    "TimeTicks": "set_TIMETICKS",
    "Counter64": "set_COUNTER64",
}


class Cells(pyagentx3.Updater):  # type: ignore[misc]
    """All the cells of one subtree."""

    def update(self) -> None:
        """Set them."""
        for name, type_, value in self.data_store:
            getattr(self, SETTERS[type_])(name, value)


class Agent(pyagentx3.Agent):  # type: ignore[misc]
    """All subtrees."""

    def __init__(self, socket_path: str, subtrees: dict[str, list[Any]]) -> None:
        super().__init__("pyagentx3", socket_path)
        self._subtrees = subtrees

    def setup(self) -> None:
        """Register one updater for each."""
        for subtree, cells in self._subtrees.items():
            self.register(subtree, Cells, freq=ONCE, data_store=cells)


if __name__ == "__main__":
    agentx, rows = sys.argv[1:]
    with open(rows) as file:
        Agent(agentx, json.load(file)).start()
