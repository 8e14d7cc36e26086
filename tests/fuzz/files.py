"""The files that are read: the journal of ports, settings, vppcfg; what is read is served."""

import logging
import random
import re
import tempfile
from array import array
from dataclasses import replace
from functools import partial
from pathlib import Path

from simulator.scenario import VPPCFG
from simulator.stage import until
from vpp_snmp_agent import mibs
from vpp_snmp_agent.agentx.mib import UpTime
from vpp_snmp_agent.interfaces.facts import DOWN, Configuration
from vpp_snmp_agent.interfaces.publisher import Publisher
from vpp_snmp_agent.interfaces.reached import Reached
from vpp_snmp_agent.interfaces.state import JOURNAL, State, StateError
from vpp_snmp_agent.settings import declarations
from vpp_snmp_agent.settings.declarations import Settings
from vpp_snmp_agent.settings.document import BadSettings
from vpp_snmp_agent.settings.vppcfg import parse_descriptions

from .. import journals
from . import Broken, Tally, dice, mutate, walk

KIND, CASES = "files", 20_000

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
counters: plain
debug: 2
"""


def _has_committed(state: State, key: str) -> bool:
    state.committed()
    return state.index_of(key) is not None


def _state() -> bytes:
    with tempfile.TemporaryDirectory(prefix="fuzz.") as name:
        state = State.open(name)
        for index, key in enumerate(("GigabitEthernet5/0/0", "BondEthernet0.105", "Zürich")):
            state.assign(key, index)
            until(f"{key} is durable", partial(_has_committed, state, key))
            facts = replace(
                journals.FACTS,
                name=f"eno{index}",
                alias="Cüst",
                lower_layers=("GigabitEthernet5/0/0",),
                addresses=((bytes((192, 0, 2, index)), 24),),
            )
            state.show(key, facts)
            state.keep(
                key, Reached(71_000_000 + index, array("Q", range(18)), array("Q", range(16)))
            )
        state.close()
        return Path(name, JOURNAL).read_bytes()


_TOKEN = re.compile(rb'"[^"]*"(?!:)|[0-9]+|true|false')
_ODD = (
    *(b"0", b"-1", b"1.5", b"1e400", b"2147483648", b"9" * 400, b"null", b"true", b"[]", b"{}"),
    *(b'""', b'"\\ud800"', b'"zz"', b'"0"', b'"\\u0000"', b'"' + b"x" * 300 + b'"', b"NaN"),
)


def _replace_word(text: bytes, chance: random.Random) -> bytes:
    """The same with another word in one place, so that it mostly stays JSON or YAML."""
    token = chance.choice(list(_TOKEN.finditer(text)))
    return text[: token.start()] + chance.choice(_ODD) + text[token.end() :]


def _serve(directory: str) -> None:
    """Read the journal, show its rows, and walk them; what is written is read again."""
    state = State.open(directory)
    try:
        publisher = Publisher(Configuration(), state, UpTime())
        modules = mibs.modules(publisher)
        known = [(each.key, each.if_index, each.facts) for each in state.shown() if each.facts]
        for key, _, _ in known:
            state.reached(key)
        for _ in publisher.restore(known, DOWN):
            pass
        walk(modules)
        state.assign("another", 1)
    finally:
        state.close()
    again = State.open(directory)
    indexes = [each.if_index for each in again.ports()]
    again.close()
    if len(set(indexes)) != len(indexes):
        raise AssertionError(f"an ifIndex twice: {indexes}")


def run(seed: int, cases: range) -> Tally:
    """The cases; how many were refused."""
    logging.disable()  # of each damage there is a line
    tally = Tally()
    state, vppcfg = _state(), VPPCFG.encode()
    with tempfile.TemporaryDirectory(prefix="fuzz.") as name:
        path = Path(name, JOURNAL)
        for case in cases:
            chance = dice(seed, KIND, case)
            what = chance.choice(("state", "state", "settings", "vppcfg"))
            text = {"state": state, "settings": SETTINGS, "vppcfg": vppcfg}[what]
            text = chance.choice((mutate, _replace_word))(text, chance)
            try:
                if what == "state":
                    for aside in path.parent.glob("*.damaged-*"):
                        aside.unlink()
                    path.write_bytes(text)
                    _serve(name)
                elif what == "settings":
                    Settings(**declarations.parse_settings(text, "agent.yaml"))
                else:
                    for description in parse_descriptions(text, "vppcfg.yaml").by_name.values():
                        description.encode()
            except (BadSettings, StateError):
                tally[f"{what} refused"] += 1
            except Exception as error:
                raise Broken(f"{KIND} case {case}: {error!r}: {text!r}") from error
            else:
                tally[f"{what} taken"] += 1
    return tally
