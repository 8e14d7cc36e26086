"""vpp/inventory.py, whose VPP and clock the test plays: what it asks when, and what it reports."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import pytest

from vpp_snmp_agent.vpp import inventory
from vpp_snmp_agent.vpp.api import Vpp
from vpp_snmp_agent.vpp.client import UnusableAnswer
from vpp_snmp_agent.vpp.layer3 import Failures, Layer3
from vpp_snmp_agent.vpp.records import (
    ADDRESSES,
    BRIDGE_DOMAINS,
    INTERFACES,
    LCP_PAIRS,
    Addresses,
    Available,
    Bond,
    BridgeDomain,
    Changes,
    Complete,
    Interface,
    Inventory,
    LacpPort,
    LcpPair,
    Message,
    Unavailable,
)
from vpp_snmp_agent.vpp.schedule import ADDRESS_DELAYS

from .routers import Clock, bond, lacp_port, pair, port, sub, tap

START = Clock.now
RARE = ["pairs", "bonds"]
FREQUENT = ["lacp ports", "bridge domains"]
DOMAIN = BridgeDomain(7, 3, (1, 2))


class PlayedVpp:
    """Answers what the test has put there, and notes each question with its moment."""

    def __init__(self, clock: Clock) -> None:
        self.there: dict[str, dict[int, Any]] = {
            each: {} for each in ("interfaces", *RARE, *FREQUENT)
        }
        self.unusable: dict[str, str] = {}  # questions of which the answer is, and why
        self.takes: dict[str, float] = {}  # seconds until it is answered
        self.asked: list[tuple[float, str]] = []
        self._clock = clock

    def put(self, *interfaces: Interface) -> None:
        self.there["interfaces"] |= {each.sw_if_index: each for each in interfaces}

    def _answer(self, what: str, note: str = "") -> dict[int, Any]:
        self.asked.append((round(self._clock.now - START, 6), note or what))
        self._clock.now += self.takes.get(what, 0.0)
        if what in self.unusable:
            raise UnusableAnswer(self.unusable[what])
        return dict(self.there[what])

    def interfaces(self) -> dict[int, Interface]:
        return self._answer("interfaces")

    def interfaces_named(self, indexes: list[int]) -> dict[int, Interface]:
        found = self._answer("interfaces", f"interfaces {indexes}")
        return {index: found[index] for index in indexes if index in found}

    def pairs(self) -> dict[int, LcpPair]:
        return self._answer("pairs")

    def bonds(self) -> dict[int, Bond]:
        return self._answer("bonds")

    def lacp_ports(self) -> dict[int, LacpPort]:
        return self._answer("lacp ports")

    def bridge_domains(self) -> dict[int, BridgeDomain]:
        return self._answer("bridge domains")


class PlayedLayer3:
    """Notes what it is to do; interface 2 has an address."""

    def __init__(self) -> None:
        self.failures = Failures()
        self.called: list[tuple[str, list[int]]] = []

    def _note(self, what: str, indexes: list[int]) -> None:
        if indexes:
            self.called.append((what, indexes))

    def forget_neighbors(self, indexes: list[int]) -> Iterator[Message]:
        self._note("forget neighbors", list(indexes))
        yield from ()

    def forget_addresses(self, indexes: list[int]) -> list[tuple[type[Addresses], int]]:
        self._note("forget addresses", list(indexes))
        return [(Addresses, index) for index in indexes if index == 2]

    def change(self, indexes: list[int]) -> None:
        self._note("change", list(indexes))

    def follow(self, interfaces: set[int]) -> Iterator[Message]:
        self._note("follow", sorted(interfaces))
        yield from ()

    def skipped(self) -> Iterator[Message]:
        yield Complete(ADDRESSES)


class Played:
    """The inventory of a played VPP; `named` are the indexes of which events came."""

    period = 300.0

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.vpp, self.layer3 = PlayedVpp(clock), PlayedLayer3()
        layer3 = cast(Layer3, self.layer3)
        self.of = inventory.Interfaces(cast(Vpp, self.vpp), layer3, self.period)
        self.named: set[int] = set()

    def until(self, second: float) -> list[Message]:
        """What is reported until so many seconds after the start."""
        news: list[Message] = []
        while (due := self.of.due(self.named)) <= START + second:
            self.clock.now = max(self.clock.now, due)
            news += self.of.refresh(self.named)
        self.clock.now = max(self.clock.now, START + second)
        return news

    def asked(self) -> list[tuple[float, str]]:
        """The questions since last time, and when after the start."""
        asked, self.vpp.asked = self.vpp.asked, []
        return asked

    def called(self) -> list[tuple[str, list[int]]]:
        """What layer3 was to do since last time."""
        called, self.layer3.called = self.layer3.called, []
        return called


@pytest.fixture
def played(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Played:
    monkeypatch.setattr(inventory, "time", clock)
    return Played(clock)


@pytest.fixture
def known(played: Played) -> Played:
    """Two ports of which one has a pair, a sub-interface, a bond of both; all of it reported."""
    played.vpp.put(port(1), port(2), sub(3, 1), tap(901, "tap1"))
    played.vpp.there["pairs"] = {1: pair(1, "eno1")}
    played.vpp.there["bonds"] = {5: bond(5, 1, 2)}
    played.vpp.there["lacp ports"] = {1: lacp_port(1), 2: lacp_port(2)}
    played.vpp.there["bridge domains"] = {7: DOMAIN}
    played.until(10.0)
    played.asked()
    played.called()
    return played


def records_of(news: list[Message]) -> tuple[list[Any], list[Any]]:
    """What is reported, and what is gone, in their order."""
    some = [each for each in news if isinstance(each, Changes)]
    return [r for each in some for r in each.reported], [g for each in some for g in each.gone]


# --- the first time ---------------------------------------------------------------------------


def test_relations_are_reported_before_interfaces_and_that_all_is_reported_last(
    played: Played,
) -> None:
    ports = port(1), port(2), tap(901, "tap1")
    played.vpp.put(*ports)
    played.vpp.there["pairs"] = {1: pair(1, "eno1")}
    played.vpp.there["bonds"] = {2: bond(2, 1)}
    played.vpp.there["lacp ports"] = {1: lacp_port(1)}
    played.vpp.there["bridge domains"] = {7: DOMAIN}
    assert played.until(10.0) == [
        Changes((pair(1, "eno1"), bond(2, 1), lacp_port(1), DOMAIN, *ports)),
        *(Complete(ADDRESSES), Complete(INTERFACES), Inventory()),
    ]
    assert played.asked() == [(0.0, each) for each in ("interfaces", *RARE, *FREQUENT)]
    assert played.called() == [("follow", [1, 2])]  # a TAP has no addresses of its own


def test_without_a_bond_nobody_is_asked_for_lacp(played: Played) -> None:
    played.vpp.put(port(1))
    played.until(10.0)
    assert [what for _, what in played.asked()] == ["interfaces", *RARE, "bridge domains"]


# --- once a period ----------------------------------------------------------------------------


def test_all_is_asked_for_once_a_period_and_what_did_not_change_is_not_reported(
    known: Played,
) -> None:
    known.vpp.put(port(1))  # equal, though another object
    known.vpp.there["pairs"] = {1: pair(1, "eno1")}
    assert known.until(310.0) == [Inventory()]
    assert known.asked() == [(300.0, each) for each in ("interfaces", *RARE, *FREQUENT)]
    assert known.called() == [("follow", [1, 2, 3])]


def test_the_next_period_begins_when_all_is_answered(known: Played) -> None:
    known.vpp.takes = {"interfaces": 4.0, "pairs": 2.0}
    known.until(310.0)
    assert known.asked()[:3] == [(300.0, "interfaces"), (304.0, "pairs"), (306.0, "bonds")]
    known.until(610.0)
    assert known.asked()[0] == (604.0, "interfaces")


# --- events -----------------------------------------------------------------------------------


def test_an_event_asks_for_the_interface_that_it_names_and_for_its_relations(
    known: Played,
) -> None:
    for index in range(11, 19):
        known.vpp.put(port(index))
    known.until(310.0)
    known.asked()
    known.called()
    down = port(2, link_up=False)
    known.vpp.put(down)
    known.vpp.there["lacp ports"] = {1: lacp_port(1), 2: lacp_port(2, 0x45)}
    known.named.add(2)
    assert known.until(315.0) == [
        Changes((down,)),
        Changes((lacp_port(2, 0x45),)),
    ]
    assert known.asked() == [
        (310.0, "interfaces [2]"),
        *((310.0, each) for each in FREQUENT),
    ]
    assert known.called() == [("change", [2])]
    assert not known.named


@pytest.mark.parametrize(
    ("named", "asked"),
    [
        ({0}, "interfaces"),  # which means all, to VPP
        ({0, 2}, "interfaces"),
        ({2}, "interfaces [2]"),
        ({1, 2}, "interfaces"),  # of four more than a quarter
    ],
)
def test_many_are_asked_for_all_together(known: Played, named: set[int], asked: str) -> None:
    known.named |= named
    known.until(11.0)
    assert known.asked()[0] == (10.0, asked)
    assert known.of.due({1}) == START + 10.0 + (0.25 if asked == "interfaces" else 0.02)


def test_who_is_new_counts_among_those_of_whom_a_quarter_is_many(known: Played) -> None:
    known.vpp.put(port(4))
    known.named.add(4)
    known.until(10.3)  # so that nothing rare may be asked for until 11.0
    known.vpp.put(*(port(index) for index in range(11, 15)))
    known.named |= {11, 12, 13, 14}
    known.until(10.6)
    known.asked()
    known.named |= {1, 2}
    known.until(10.7)
    assert known.asked()[0] == (10.6, "interfaces [1, 2]")


def test_all_that_changed_is_reported_together(known: Played) -> None:
    changed = port(1, mtu=1400), port(2, mtu=1500)
    known.vpp.put(*changed)
    known.named |= {1, 2}
    assert known.until(10.5) == [Changes(changed)]


def test_an_event_is_answered_by_the_question_for_all(known: Played) -> None:
    known.until(299.9)
    known.asked()
    known.named.add(2)
    known.clock.now = START + 300.0
    known.until(301.0)
    assert [each for each in known.asked() if each[1].startswith("interfaces")] == [
        (300.0, "interfaces")
    ]


def test_events_wait_for_as_long_as_the_answer_about_the_last_ones_took(known: Played) -> None:
    def asked(takes: float, seconds: float) -> list[float]:
        """When, while an event comes each 10 ms, seconds after the first one."""
        known.until(known.clock.now - START + 5.0)
        known.vpp.takes = {"interfaces": takes}
        known.asked()
        began = known.clock.now
        while known.clock.now < began + seconds:
            known.named.add(2)
            known.until(known.clock.now - START + 0.01)
        moments = [moment for moment, what in known.asked() if what.startswith("interfaces")]
        return [START + moment - began for moment in moments]

    assert asked(takes=0.5, seconds=2.9) == pytest.approx([0.0, 1.0, 2.0], abs=1e-6)
    assert asked(takes=0.01, seconds=0.07) == pytest.approx([0.0, 0.03, 0.06], abs=1e-6)


def test_the_link_of_a_parent_asks_for_no_address_of_its_subs(known: Played) -> None:
    known.vpp.put(port(1, link_up=False), sub(3, 1, link_up=False))
    known.named.add(0)
    known.until(11.0)
    assert known.called() == [("change", [1])]
    known.vpp.put(sub(3, 1, link_up=False, mtu=1400))
    known.named.add(3)
    known.until(12.0)
    assert known.called() == [("change", [3])]


def test_relations_are_asked_for_once_a_second_after_events(known: Played) -> None:
    for _ in range(30):
        known.named.add(2)
        known.until(known.clock.now - START + 0.1)
    known.until(20.0)
    moments = [moment for moment, what in known.asked() if what == "lacp ports"]
    assert moments == pytest.approx([10.0, 11.0, 12.0, 13.0])


# --- who comes, and who goes ------------------------------------------------------------------


def test_who_is_new_is_reported_with_its_pair_and_pairs_are_asked_for_again_later(
    known: Played,
) -> None:
    known.vpp.put(port(4))
    known.vpp.there["pairs"] |= {4: pair(4, "eno4")}
    known.named.add(4)
    assert known.until(11.0) == [Changes((pair(4, "eno4"), port(4)))]
    assert known.called() == [("follow", [1, 2, 3, 4])]
    known.until(100.0)
    moments = [moment for moment, what in known.asked() if what == "pairs"]
    assert moments == pytest.approx([10.0 + delay for delay in ADDRESS_DELAYS])


def test_one_question_for_pairs_serves_all_that_is_new(known: Played) -> None:
    known.vpp.put(port(11), port(12))
    known.named |= {11, 12}
    known.until(13.0)
    known.vpp.put(port(13))
    known.named.add(13)
    known.until(200.0)
    moments = [moment for moment, what in known.asked() if what == "pairs"]
    assert moments == pytest.approx([10.0, *(13.0 + delay for delay in ADDRESS_DELAYS)])


def test_what_stops_the_workers_is_asked_once_a_second_while_interfaces_come(
    known: Played,
) -> None:
    for number in range(30):
        known.vpp.put(port(20 + number))
        known.named.add(20 + number)
        known.until(known.clock.now - START + 0.1)
    moments = [moment for moment, what in known.asked() if what == "bonds"]
    assert moments == pytest.approx([10.0, 11.0, 12.0, 13.0])


def test_who_is_gone_is_reported_at_once_with_its_addresses_and_its_relations_after_that(
    known: Played,
) -> None:
    known.vpp.put(port(4))
    known.named.add(4)
    known.until(10.5)  # so that nothing rare may be asked for until 11.0
    known.called()
    del known.vpp.there["interfaces"][2]
    known.vpp.there["bonds"], known.vpp.there["lacp ports"] = {}, {}
    known.named.add(2)
    assert known.until(10.6) == [Changes(gone=((Addresses, 2), (Interface, 2)))]
    assert known.called() == [("forget neighbors", [2]), ("forget addresses", [2])]
    _, gone = records_of(known.until(11.0))
    assert gone == [(Bond, 5), (LacpPort, 1), (LacpPort, 2)]
    assert known.called() == [("follow", [1, 3, 4])]


def test_who_has_another_name_is_gone_until_its_pair_is_asked_for(known: Played) -> None:
    known.vpp.put(port(4))
    known.named.add(4)
    known.until(10.5)
    other = port(2, "other")
    known.vpp.put(other)
    known.named.add(2)
    assert known.until(10.6) == [Changes(gone=((Addresses, 2), (Interface, 2)))]
    assert records_of(known.until(11.0)) == ([other], [])


def test_who_is_gone_before_its_pair_was_asked_for_is_never_reported(known: Played) -> None:
    known.vpp.put(port(4))
    known.named.add(4)
    known.until(10.5)
    known.vpp.put(port(6))
    known.named.add(6)
    known.until(10.6)
    del known.vpp.there["interfaces"][6]
    known.named.add(6)
    assert known.until(50.0) == []


def test_who_is_renamed_before_its_pair_was_asked_for_has_its_last_name(known: Played) -> None:
    known.vpp.put(port(4))
    known.named.add(4)
    known.until(10.5)
    known.vpp.put(port(6, "first"))
    known.named.add(6)
    known.until(10.6)
    known.vpp.put(port(6, "second"))
    known.named.add(6)
    assert records_of(known.until(11.0)) == ([port(6, "second")], [])


def test_a_relation_that_changed_or_is_gone_is_reported_as_that(known: Played) -> None:
    known.vpp.there["pairs"] = {2: pair(2, "eno2", 902)}
    known.vpp.there["bridge domains"] = {7: replace(DOMAIN, members=(1,))}
    known.of.ask_again()
    assert known.until(11.0) == [
        Changes(gone=((LcpPair, 1),)),
        Changes((pair(2, "eno2", 902), replace(DOMAIN, members=(1,)))),
    ]
    assert [what for _, what in known.asked()] == [*RARE, *FREQUENT]
    # Its TAP is one no more, and may have addresses.
    assert known.called() == [("follow", [1, 2, 3, 901])]


# --- answers that cannot be used --------------------------------------------------------------


def test_pairs_that_cannot_be_used_stay_but_for_an_index_that_changed_hands(
    known: Played,
) -> None:
    known.vpp.there["pairs"] = {1: pair(1, "eno1"), 2: pair(2, "eno2")}
    known.of.ask_again()
    known.until(11.0)
    known.vpp.unusable["pairs"] = "so it is"
    known.vpp.put(port(2, "other"))
    known.named.add(2)
    news = known.until(12.0)
    assert Unavailable(LCP_PAIRS, "so it is") in news
    assert records_of(news) == (
        [port(2, "other")],
        [(Addresses, 2), (Interface, 2), (LcpPair, 2)],
    )
    known.vpp.unusable.clear()
    known.of.ask_again()
    news = known.until(13.5)
    assert Available(LCP_PAIRS) in news
    assert records_of(news) == ([pair(2, "eno2")], [])


def test_bridge_domains_that_cannot_be_used_stay_whatever_has_their_number(
    known: Played,
) -> None:
    known.vpp.unusable["bridge domains"] = "so it is"
    known.of.ask_again()
    assert known.until(11.0) == [Unavailable(BRIDGE_DOMAINS, "so it is")]


def test_interfaces_are_complete_without_what_cannot_be_used(played: Played) -> None:
    played.vpp.put(port(1))
    played.vpp.unusable["pairs"] = "so it is"
    assert played.until(0.5) == [
        Unavailable(LCP_PAIRS, "so it is"),
        Changes((port(1),)),
        *(Complete(ADDRESSES), Complete(INTERFACES), Inventory()),
    ]
