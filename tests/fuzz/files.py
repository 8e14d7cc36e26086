"""The files that are read: the state file, the settings, the vppcfg; what is read is served."""

import random
import re
import tempfile
from pathlib import Path

from vpp_snmp_agent import config
from vpp_snmp_agent.config import BadSettings, Settings
from vpp_snmp_agent.interfaces.naming import DOWN
from vpp_snmp_agent.interfaces.store import LastRow, Store, StoreError
from vpp_snmp_agent.interfaces.table import InterfaceTable
from vpp_snmp_agent.simulator.scenario import VPPCFG

from . import Broken, Tally, dice, mutate, walk

KIND, CASES = "files", 60_000

SETTINGS = b"""\
address: /run/agentx-dataplane/master
period: 12.5
vppcfg: ~
ifindex: kept
settle: 60
names: tap
hide: [ local0, "loop9*" ]
speeds: { "memif*": 10000, 'gre*': 100 }
discards: all
debug: 2
"""


def _state() -> bytes:
    with tempfile.TemporaryDirectory(prefix="fuzz.") as name:
        store = Store(name)
        for index, key in enumerate(("GigabitEthernet5/0/0", "BondEthernet0.105", "Zürich")):
            store.index_of(key, index)
            row = LastRow(
                *(f"eno{index}", "Cüst", 6, 9000, 10**10, "6805ca324610", True, True, True),
                *(False, ("GigabitEthernet5/0/0",), (f"c000020{index}/24",)),
            )
            store.remember(key, row)
        store.write()
        return store.path.read_bytes()


_TOKEN = re.compile(rb'"[^"]*"(?!:)|[0-9]+|true|false')
_ODD = (
    *(b"0", b"-1", b"1.5", b"1e400", b"2147483648", b"9" * 400, b"null", b"true", b"[]", b"{}"),
    *(b'""', b'"\\ud800"', b'"zz"', b'"0"', b'"\\u0000"', b'"' + b"x" * 300 + b'"', b"NaN"),
)


def _retell(text: bytes, chance: random.Random) -> bytes:
    """The same with another word in one place, so that it mostly stays JSON or YAML."""
    token = chance.choice(list(_TOKEN.finditer(text)))
    return text[: token.start()] + chance.choice(_ODD) + text[token.end() :]


def _serve(directory: str) -> None:
    """Load the file, show its rows, and walk them."""
    store = Store(directory)
    store.load()
    table = InterfaceTable(store)
    table.restore(DOWN)
    walk(table)
    store.index_of("another", 1)
    store.write()
    Store(directory).load()  # what was written is read again


def run(seed: int, cases: range) -> Tally:
    """The cases; how many were refused."""
    tally = Tally()
    state, vppcfg = _state(), VPPCFG.encode()
    with tempfile.TemporaryDirectory(prefix="fuzz.") as name:
        path = Path(name) / "interfaces.json"
        for case in cases:
            chance = dice(seed, KIND, case)
            what = chance.choice(("state", "state", "settings", "vppcfg"))
            text = {"state": state, "settings": SETTINGS, "vppcfg": vppcfg}[what]
            text = chance.choice((mutate, _retell))(text, chance)
            try:
                if what == "state":
                    path.write_bytes(text)
                    _serve(name)
                elif what == "settings":
                    Settings(**config.parse_settings(text, "agent.yaml"))
                else:
                    for told in config.parse_descriptions(text, "vppcfg.yaml").by_name.values():
                        told.encode()
            except (BadSettings, StoreError):
                tally[f"{what} refused"] += 1
            except Exception as error:
                raise Broken(f"{KIND} case {case}: {error!r}: {text!r}") from error
            else:
                tally[f"{what} taken"] += 1
    return tally
