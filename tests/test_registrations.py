"""What the master is asked to register, by what it refused so far."""

import pytest

from vpp_snmp_agent.agentx import pdu
from vpp_snmp_agent.agentx.mib import Module, Registration
from vpp_snmp_agent.agentx.pdu import HEADER_SIZE, AgentCaps, Register
from vpp_snmp_agent.agentx.registrations import PRIORITY, Registrations, Wanted
from vpp_snmp_agent.agentx.values import oid

from .masters import ASKED, BASE, MODULES
from .wire import read


def names(wanted: list[Wanted]) -> list[str]:
    return [each.what for each in wanted]


def body(wanted: Wanted) -> pdu.Body:
    """What the master reads of it."""
    data = pdu.encode(wanted.type, wanted.payload)
    assert len(data) == HEADER_SIZE + len(wanted.payload)
    return read(data).body


def begun(*refused: int) -> Registrations:
    """The master answered everything, and refused these by their number."""
    registrations = Registrations(MODULES)
    for at, each in enumerate(registrations.begin()):
        assert registrations.answered(each, at in refused) == []
    assert registrations.refused() == tuple(ASKED[at] for at in refused)
    return registrations


def test_we_register_stronger_than_the_modules_of_net_snmp() -> None:
    assert 0 < PRIORITY < 127


def test_everything_is_asked_for_at_first_and_its_answers_are_waited_for() -> None:
    registrations = Registrations(MODULES)
    asked = registrations.begin()
    assert names(asked) == [*ASKED]
    assert body(asked[0]) == AgentCaps(oid(f"{BASE}.9"), b"one table")
    assert body(asked[2]) == Register(0, PRIORITY, 0, oid(f"{BASE}.2"))
    for left, each in zip((4, 3, 2, 1, 0), reversed(asked), strict=True):
        assert registrations.again() == registrations.new() == []
        assert registrations.answered(each, is_refused=left == 2) == []
        assert registrations.waiting == left
    assert registrations.total == 5
    assert registrations.refused() == (ASKED[2],)


def test_what_was_refused_is_asked_for_again_one_in_its_turn() -> None:
    registrations = begun(1, 2, 4)
    for at in (1, 2, 4, 1):
        (again,) = registrations.again()
        assert again.what == ASKED[at]
        assert registrations.again() == []  # an answer is waited for
        assert registrations.answered(again, is_refused=True) == []
        assert registrations.refused() == (ASKED[1], ASKED[2], ASKED[4])


def test_once_one_is_granted_the_others_are_asked_for_at_once() -> None:
    registrations = begun(1, 2, 4)
    (probe,) = registrations.again()
    second, third = registrations.answered(probe, is_refused=False)
    assert names([second, third]) == [ASKED[2], ASKED[4]]
    assert registrations.waiting == 2
    # None of these is a probe, whose grant has the others asked for.
    assert registrations.answered(third, is_refused=True) == []
    assert registrations.answered(second, is_refused=False) == []
    assert registrations.refused() == (ASKED[4],)
    (last,) = registrations.again()
    assert registrations.answered(last, is_refused=False) == []
    assert registrations.refused() == ()
    assert registrations.again() == []
    assert registrations.waiting == 0


def test_a_capability_that_was_refused_is_asked_for_again() -> None:
    (again,) = begun(0).again()
    assert again.type == pdu.ADDAGENTCAPS


# --- rows that are registered as they are found --------------------------------------------


class Found:
    """The registrations of a module that has found some rows."""

    def __init__(self, *numbers: int) -> None:
        self.numbers = list(numbers)
        module = Module(f"{BASE}.11", "rows", [f"{BASE}.1"], (), rows=self._rows)
        self.registrations = Registrations([module])

    def _rows(self) -> list[Registration]:
        return [Registration(f"{BASE}.2.1.1.{number}", 10, 2) for number in self.numbers]

    def grant(self, wanted: list[Wanted]) -> None:
        for each in wanted:
            assert self.registrations.answered(each, is_refused=False) == []


def row_name(number: int) -> str:
    return f"subtree {BASE}.2.1.[1-2].{number}"


def as_registered(number: int) -> Register:
    return Register(0, PRIORITY, 10, oid(f"{BASE}.2.1.1.{number}"), 2)


@pytest.fixture
def found() -> Found:
    """No row was found yet, and the rest is granted."""
    made = Found()
    made.grant(made.registrations.begin())
    return made


def test_rows_that_are_known_are_registered_when_the_session_opens() -> None:
    found = Found(5, 3)
    asked = found.registrations.begin()
    assert [body(each) for each in asked[1:]] == [
        Register(0, PRIORITY, 0, oid(f"{BASE}.1")),
        as_registered(5),
        as_registered(3),
    ]
    assert names(asked[2:]) == [row_name(5), row_name(3)]
    found.grant(asked)
    assert found.registrations.total == 4
    assert found.registrations.new() == []


def test_rows_that_are_found_later_are_registered_once_and_counted() -> None:
    found = Found(5)
    opening = found.registrations.begin()
    found.numbers += [7, 8]
    assert found.registrations.new() == []  # answers are waited for
    found.grant(opening)
    assert found.registrations.total == 3
    asked = found.registrations.new()
    assert [body(each) for each in asked] == [as_registered(7), as_registered(8)]
    assert found.registrations.new() == []
    found.grant(asked)
    assert found.registrations.total == 5
    assert found.registrations.new() == []


def test_a_row_that_is_refused_is_named_and_asked_for_again_like_anything_else(
    found: Found,
) -> None:
    found.numbers += [7, 8]
    refused, granted = found.registrations.new()
    found.registrations.answered(refused, is_refused=True)
    found.grant([granted])
    assert found.registrations.total == 4
    assert found.registrations.refused() == (row_name(7),)
    (again,) = found.registrations.again()
    assert body(again) == as_registered(7)
    found.grant([again])
    assert found.registrations.refused() == ()
