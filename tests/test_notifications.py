"""linkDown and linkUp through a real snmpd, as a real snmptrapd hears them."""

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from vpp_snmp_agent.simulator import Simulator
from vpp_snmp_agent.simulator.stage import Agent, Snmpd, Snmptrapd, until

pytestmark = pytest.mark.system

IF_TABLE, IF_X_TABLE = "1.3.6.1.2.1.2.2.1", "1.3.6.1.2.1.31.1.1.1"
TRAP_OID, UP_TIME = "1.3.6.1.6.3.1.1.4.1.0", "1.3.6.1.2.1.1.3.0"
LINKS = {".1.3.6.1.6.3.1.1.5.3": "down", ".1.3.6.1.6.3.1.1.5.4": "up"}
PORTS = ("eno1", "enp1s0f2", "enp1s0f3", "TenGigabitEthernet1/0/0", "TenGigabitEthernet1/0/1")
ALL = {*PORTS, "bond0", "loop0"}  # what is up, and a bond or on no other


@pytest.fixture
def trapd(tmp_path: Path) -> Iterator[Snmptrapd]:
    receiver = Snmptrapd(tmp_path / "trapd")
    yield receiver
    receiver.stop()


@pytest.fixture
def snmpd(tmp_path: Path, trapd: Snmptrapd) -> Iterator[Snmpd]:
    with Snmpd(tmp_path / "snmp", extra=trapd.sink) as running:
        trapd.start(running)
        yield running


@pytest.fixture
def agent(tmp_path: Path, vpp: Simulator, snmpd: Snmpd) -> Iterator[Agent]:
    with Agent(tmp_path, vpp, snmpd.agentx, "-d") as running:
        until("the rows are served", lambda: len(snmpd.column(f"{IF_X_TABLE}.1")) == 18)
        yield running


def links(trapd: Snmptrapd) -> list[tuple[str, str]]:
    """What was heard of links, so far: (ifName, up or down)."""
    found = []
    for heard in trapd.heard():
        event = LINKS.get(heard[TRAP_OID].removeprefix("OID: "))
        if event:
            (name,) = [
                value.removeprefix("STRING: ").strip('"')
                for each, value in heard.items()
                if each.startswith(f"{IF_X_TABLE}.1.")
            ]
            found.append((name, event))
    return found


def hear(trapd: Snmptrapd, *expected: tuple[str, str]) -> None:
    until(f"{expected} is heard", lambda: len(links(trapd)) >= len(expected))
    assert links(trapd) == list(expected)


def test_a_cable_sends_one_notification_that_names_its_port(
    agent: Agent, snmpd: Snmpd, trapd: Snmptrapd, vpp: Simulator
) -> None:
    vpp.set_tag("GigabitEthernet5/0/0", b"Core: access switch")
    vpp.set_link("GigabitEthernet5/0/0", False)  # and its two sub-interfaces
    hear(trapd, ("eno1", "down"))
    heard = next(each for each in trapd.heard() if each[TRAP_OID].removeprefix("OID: ") in LINKS)
    assert list(heard)[:7] == [  # what snmpd adds comes after
        *(UP_TIME, TRAP_OID, f"{IF_TABLE}.1.1001", f"{IF_TABLE}.7.1001", f"{IF_TABLE}.8.1001"),
        *(f"{IF_X_TABLE}.1.1001", f"{IF_X_TABLE}.18.1001"),
    ]
    assert re.match(r"(Timeticks: )?\(\d+\)", heard[UP_TIME])
    assert heard[f"{IF_TABLE}.8.1001"] == "INTEGER: 2"
    assert heard[f"{IF_X_TABLE}.18.1001"] == 'STRING: "Core: access switch"'
    vpp.set_link("GigabitEthernet5/0/0", True)
    hear(trapd, ("eno1", "down"), ("eno1", "up"))


def test_a_vpp_that_goes_and_returns_is_heard_once_of_each_port(
    agent: Agent, snmpd: Snmpd, trapd: Snmptrapd, vpp: Simulator
) -> None:
    assert not links(trapd)  # nothing of what merely became known
    vpp.kill()
    until("every port is down", lambda: len(links(trapd)) >= len(ALL))
    assert sorted(links(trapd)) == sorted((name, "down") for name in ALL)
    vpp.start()
    until("every port is up", lambda: len(links(trapd)) >= 2 * len(ALL))
    assert sorted(links(trapd)[len(ALL) :]) == sorted((name, "up") for name in ALL)


def test_what_happened_while_snmpd_was_away_is_told_once_and_only_the_latest(
    agent: Agent, snmpd: Snmpd, trapd: Snmptrapd, vpp: Simulator
) -> None:
    vpp.set_link("TenGigabitEthernet1/0/2", False)
    hear(trapd, ("enp1s0f2", "down"))
    vpp.set_admin("TenGigabitEthernet1/0/3", False)
    hear(trapd, ("enp1s0f2", "down"), ("enp1s0f3", "down"))
    trapd.stop()
    snmpd.stop()
    news = "VPP reports"
    known = agent.text().count(news)
    for name in ("TenGigabitEthernet1/0/2", "GigabitEthernet5/0/0"):
        vpp.set_link(name, name.startswith("Ten"))
    until("the agent knows", lambda: agent.text().count(news) > known)
    agent.send(signal.SIGSTOP)  # or it would tell before anybody listens
    snmpd.start()
    trapd.start(snmpd)
    agent.send(signal.SIGCONT)
    before = 2
    until("both are told", lambda: len(links(trapd)) >= before + 2)
    vpp.set_admin("TenGigabitEthernet1/0/3", True)
    until("the last is told", lambda: ("enp1s0f3", "up") in links(trapd))
    assert sorted(links(trapd)[before:-1]) == [("eno1", "down"), ("enp1s0f2", "up")]


def test_settings_say_which_interfaces_notify(
    tmp_path: Path, snmpd: Snmpd, trapd: Snmptrapd, vpp: Simulator
) -> None:
    file = tmp_path / "agent.yaml"
    file.write_text("link-traps: { eno1.205: enabled, eno*: disabled }\n")
    with Agent(tmp_path, vpp, snmpd.agentx, "-f", str(file)):
        until("the rows are served", lambda: len(snmpd.column(f"{IF_X_TABLE}.1")) == 18)
        enabled = snmpd.column(f"{IF_X_TABLE}.14")
        names = snmpd.column(f"{IF_X_TABLE}.1")
        assert {names[at] for at, value in enabled.items() if value == "1"} == {
            *(ALL - {"eno1"}),
            "eno1.205",
        }
        vpp.set_link("GigabitEthernet5/0/0", False)
        hear(trapd, ("eno1.205", "down"))
