"""What one session has the master register (RFC 2741 sections 6.2.3 and 6.2.14).

    registrations = Registrations(modules)
    for each in registrations.begin(): ...    # ask the master for it
    for each in registrations.answered(wanted, is_refused): ...    # and for these at once
    for each in registrations.new(), registrations.again(): ...    # now and then

The rules this module keeps:

- Everything is registered when the session opens, or as soon as a module has it, and what
  is refused can be asked for again.
- Nothing is ever withdrawn: net-snmp 5.9.3 does not survive an Unregister while a GetBulk is
  under way.  A Register then does it no harm (25 of them among 250 walks, under valgrind).
- While an answer is waited for, nothing else is asked for.
"""

from collections.abc import Sequence
from typing import NamedTuple

from . import pdu
from .mib import Module, Registration
from .values import oid

# Lower is stronger (section 7.1.4.1).  net-snmp's own modules stand at 127, which is
# also what other subagents leave unchanged.
PRIORITY = 100


class Wanted(NamedTuple):
    """What the master is asked for: the PDU's type and payload, and what to call it."""

    type: int
    payload: bytes
    what: str


def _capability(module: Module) -> Wanted:
    payload = pdu.caps_payload(oid(module.capability), module.description)
    return Wanted(pdu.ADDAGENTCAPS, payload, f"capability {module.capability}")


def _subtree(subtree: str) -> Wanted:
    payload = pdu.register_payload(oid(subtree), PRIORITY)
    return Wanted(pdu.REGISTER, payload, f"subtree {subtree}")


def _row(row: Registration) -> Wanted:
    payload = pdu.register_payload(
        oid(row.subtree), PRIORITY, range_subid=row.range_subid, upper_bound=row.upper_bound
    )
    return Wanted(pdu.REGISTER, payload, f"subtree {row}")


class Registrations:
    """All that was asked for in a session, and what of it the master refused."""

    def __init__(self, modules: Sequence[Module]) -> None:
        self.waiting = 0  # how many answers are waited for
        self._modules = modules
        self._wanted: list[Wanted] = []
        self._refused: list[Wanted] = []
        self._rows: set[Registration] = set()  # that are among those wanted
        self._is_probing = False  # whether one of those refused may be granted by now

    @property
    def total(self) -> int:
        """How many have been asked for."""
        return len(self._wanted)

    def refused(self) -> tuple[str, ...]:
        """What the master refused and was not asked for again, in the order of the first time."""
        return tuple(each.what for each in self._wanted if each in self._refused)

    def begin(self) -> list[Wanted]:
        """Everything, once the session is open."""
        for module in self._modules:
            self._wanted += [_capability(module), *map(_subtree, module.subtrees)]
        self._add_rows()
        return self._ask(list(self._wanted))

    def new(self) -> list[Wanted]:
        """The rows that are new in the modules."""
        return [] if self.waiting else self._ask(self._add_rows())

    def again(self) -> list[Wanted]:
        """One thing that was refused; where that is granted, `answered` has all the others.

        snmpd logs each refusal, and who goes gives all back at once.  Each is asked for in
        its turn.
        """
        if self.waiting or not self._refused:
            return []
        self._is_probing = True
        return self._ask([self._refused.pop(0)])

    def answered(self, wanted: Wanted, is_refused: bool) -> list[Wanted]:
        """The master answered; what it is to be asked for at once."""
        self.waiting -= 1
        if is_refused:
            self._refused.append(wanted)
        if self.waiting:
            return []
        was_probing, self._is_probing = self._is_probing, False
        if is_refused or not was_probing:
            return []
        others, self._refused = self._refused, []
        return self._ask(others)

    def _ask(self, wanted: list[Wanted]) -> list[Wanted]:
        self.waiting = len(wanted)
        return wanted

    def _add_rows(self) -> list[Wanted]:
        new = [each for module in self._modules for each in module.rows() if each not in self._rows]
        self._rows.update(new)
        rows = [_row(each) for each in new]
        self._wanted += rows
        return rows
