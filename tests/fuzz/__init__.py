"""`make fuzz`: hostile bytes from every side, seeded and repeatable.

A case is a number.  Everything in it follows from the seed, its kind and that number, so
that one case can be run again: `python -m tests.fuzz --seed S --only KIND --case N`.
What it ever finds becomes a named test beside the module's others.
"""

import random
from collections import Counter
from collections.abc import Iterable

from vpp_snmp_agent.agentx.mib import Module, View
from vpp_snmp_agent.agentx.values import END_OF_MIB_VIEW, decode_varbind, dotted

Tally = Counter[str]  # what happened how often


class Broken(Exception):
    """A case did what no bytes may bring about; the text says what."""


def dice(seed: int, kind: str, case: int) -> random.Random:
    """All the chance in a case."""
    return random.Random(f"{seed} {kind} {case}")


# Where a number ends, and with it the care of who reads it.
_EDGES = (0, 1, 3, 4, 5, 127, 128, 255, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1)


def mutate(data: bytes, chance: random.Random) -> bytes:
    """The same with a few changes: bits, octets, edges, pieces lost, doubled or moved."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        at = chance.randrange(len(changed) + 1)
        match chance.randrange(8):
            case 0 | 1 if at < len(changed):
                changed[at] ^= 1 << chance.randrange(8)
            case 2 if at < len(changed):
                changed[at] = chance.randrange(256)
            case 3 | 4:
                size = chance.choice((1, 2, 4, 4))
                edge = chance.choice(_EDGES) % 256**size
                at -= at % size
                changed[at : at + size] = edge.to_bytes(size, chance.choice(("big", "little")))
            case 5:
                del changed[at : at + chance.choice((1, 4, 20))]
            case 6:
                end = at + chance.choice((1, 4, 8, 20))
                changed[at:at] = changed[at:end]
            case 7:
                changed[at:at] = chance.randbytes(chance.choice((1, 4, 20)))
    return bytes(changed)


def walk(modules: Iterable[Module]) -> int:
    """Go through all that is served, as a manager would; how many objects."""
    view = View([each for module in modules for each in module.objects])
    count, name = 0, b""
    while True:
        found = decode_varbind(view.get_next(name, False, b""))
        if found.type is END_OF_MIB_VIEW:
            return count
        if found.name <= name:
            raise Broken(f"a walk goes back from {dotted(name)}")
        name = found.name
        count += 1
