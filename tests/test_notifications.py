"""What is notified through a real snmpd, as a real snmptrapd hears it: links, and VPP itself."""

import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator import Simulator
from simulator.stage import AgentProcess, Snmpd, until
from vpp_snmp_agent.interfaces.alarms import MIN_INTERVAL
from vpp_snmp_agent.mibs.vpp_snmp_agent_mib import NOTIFICATIONS, OBJECTS

from . import oids
from .edge_router import wait_for_line, wait_for_rows
from .trapd import Snmptrapd

pytestmark = pytest.mark.system

LINKS = {f".{oids.LINK_DOWN}": "down", f".{oids.LINK_UP}": "up"}
PORTS = ("eno1", "enp1s0f2", "enp1s0f3", "TenGigabitEthernet1/0/0", "TenGigabitEthernet1/0/1")
ALARMS = {
    f".{NOTIFICATIONS}.{number}": name
    for number, name in enumerate(("vppApiHung", "vppApiAnswers", "vppAway", "vppBack"), 1)
}
VERSION, API_STATE, SINCE = (f"{OBJECTS}.1.{number}.0" for number in (1, 4, 5))
HUNG_TIMEOUT = 15.0  # seconds in which somebody hears that VPP hangs
ALL = {*PORTS, "bond0", "loop0"}  # what is up, and a bond or on no other


@pytest.fixture
def trapd(tmp_path: Path) -> Iterator[Snmptrapd]:
    receiver = Snmptrapd(tmp_path / "trapd")
    yield receiver
    receiver.stop()


@pytest.fixture
def snmpd(tmp_path: Path, trapd: Snmptrapd) -> Iterator[Snmpd]:
    with Snmpd(tmp_path / "snmp", extra=trapd.sink) as running:
        trapd.start_beside(running)
        yield running


@pytest.fixture
def agent(tmp_path: Path, vpp: Simulator, snmpd: Snmpd) -> Iterator[AgentProcess]:
    with AgentProcess(tmp_path, vpp, snmpd.agentx, "-d") as running:
        wait_for_rows(snmpd)
        yield running


def links(trapd: Snmptrapd) -> list[tuple[str, str]]:
    """What was heard of links, so far: (ifName, up or down)."""
    found = []
    for heard in trapd.heard():
        event = LINKS.get(heard[oids.TRAP_OID].removeprefix("OID: "))
        if event:
            (name,) = [
                value.removeprefix("STRING: ").strip('"')
                for each, value in heard.items()
                if each.startswith(f"{oids.IF_NAME}.")
            ]
            found.append((name, event))
    return found


def hear(trapd: Snmptrapd, *expected: tuple[str, str]) -> None:
    until(f"{expected} is heard", lambda: len(links(trapd)) >= len(expected))
    assert links(trapd) == list(expected)


def test_a_cable_sends_one_notification_that_names_its_port(
    agent: AgentProcess, snmpd: Snmpd, trapd: Snmptrapd, vpp: Simulator
) -> None:
    vpp.set_details("GigabitEthernet5/0/0", tag=b"Core: access switch")
    vpp.set_link("GigabitEthernet5/0/0", False)  # and its two sub-interfaces
    hear(trapd, ("eno1", "down"))
    heard = next(
        each for each in trapd.heard() if each[oids.TRAP_OID].removeprefix("OID: ") in LINKS
    )
    assert list(heard)[:7] == [  # what snmpd adds comes after
        *(oids.UP_TIME, oids.TRAP_OID),
        *(f"{each}.1001" for each in (oids.IF_INDEX, oids.ADMIN_STATUS, oids.OPER_STATUS)),
        *(f"{oids.IF_NAME}.1001", f"{oids.IF_ALIAS}.1001"),
    ]
    assert re.match(r"(Timeticks: )?\(\d+\)", heard[oids.UP_TIME])
    assert heard[f"{oids.OPER_STATUS}.1001"] == "INTEGER: 2"
    assert heard[f"{oids.IF_ALIAS}.1001"] == 'STRING: "Core: access switch"'
    vpp.set_link("GigabitEthernet5/0/0", True)
    hear(trapd, ("eno1", "down"), ("eno1", "up"))


def test_a_vpp_that_goes_and_returns_is_heard_once_of_each_port(
    agent: AgentProcess, snmpd: Snmpd, trapd: Snmptrapd, vpp: Simulator
) -> None:
    assert not links(trapd)  # nothing of what merely became known
    vpp.kill()
    until("every port is down", lambda: len(links(trapd)) >= len(ALL))
    assert sorted(links(trapd)) == sorted((name, "down") for name in ALL)
    vpp.start()
    until("every port is up", lambda: len(links(trapd)) >= 2 * len(ALL))
    assert sorted(links(trapd)[len(ALL) :]) == sorted((name, "up") for name in ALL)


def test_what_happened_while_snmpd_was_away_is_notified_once_and_only_the_latest(
    agent: AgentProcess, snmpd: Snmpd, trapd: Snmptrapd, vpp: Simulator
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
    agent.send(signal.SIGSTOP)  # or it would notify before anybody listens
    snmpd.start()
    trapd.start_beside(snmpd)
    agent.send(signal.SIGCONT)
    before = 2
    until("both are notified", lambda: len(links(trapd)) >= before + 2)
    vpp.set_admin("TenGigabitEthernet1/0/3", True)
    until("the last is notified", lambda: ("enp1s0f3", "up") in links(trapd))
    assert sorted(links(trapd)[before:-1]) == [("eno1", "down"), ("enp1s0f2", "up")]


def test_settings_say_which_interfaces_notify(
    tmp_path: Path, snmpd: Snmpd, trapd: Snmptrapd, vpp: Simulator
) -> None:
    file = tmp_path / "agent.yaml"
    file.write_text("link-traps: { eno1.205: enabled, eno*: disabled }\n")
    with AgentProcess(tmp_path, vpp, snmpd.agentx, "-f", str(file)):
        wait_for_rows(snmpd)
        enabled = snmpd.column(f"{oids.IF_X_TABLE}.14")
        names = snmpd.column(oids.IF_NAME)
        assert {names[at] for at, value in enabled.items() if value == "1"} == {
            *(ALL - {"eno1"}),
            "eno1.205",
        }
        vpp.set_link("GigabitEthernet5/0/0", False)
        hear(trapd, ("eno1.205", "down"))


# --- of VPP as a whole ---------------------------------------------------------------------------


def alarms(trapd: Snmptrapd) -> list[tuple[str, dict[str, str]]]:
    """What was heard of VPP, so far: its name, and its variable bindings."""
    found = ((heard[oids.TRAP_OID].removeprefix("OID: "), heard) for heard in trapd.heard())
    return [(ALARMS[event], heard) for event, heard in found if event in ALARMS]


def names_of(trapd: Snmptrapd) -> list[str]:
    return [name for name, _ in alarms(trapd)]


def hear_alarms(trapd: Snmptrapd, *expected: str) -> None:
    until(f"{expected} is heard", lambda: len(alarms(trapd)) >= len(expected))
    assert names_of(trapd) == list(expected)


def restarts_seen(snmpd: Snmpd) -> int:
    return int(snmpd.column(f"{OBJECTS}.1.12")[0])


def test_a_vpp_that_hangs_is_heard_within_fifteen_seconds_and_that_it_answers(
    agent: AgentProcess, snmpd: Snmpd, trapd: Snmptrapd, vpp: Simulator
) -> None:
    vpp.hang()
    began = time.monotonic()
    until("it is heard", lambda: alarms(trapd), HUNG_TIMEOUT)
    ((name, heard),) = alarms(trapd)
    assert name == "vppApiHung"
    assert list(heard)[:5] == [oids.UP_TIME, oids.TRAP_OID, VERSION, API_STATE, SINCE]
    assert heard[VERSION] == 'STRING: "26.06-release"'
    assert heard[API_STATE] == "INTEGER: 2"
    assert 9 <= int(heard[SINCE].removeprefix("Gauge32: ")) <= time.monotonic() - began + 1
    assert not links(trapd)  # it forwards on
    vpp.resume()
    hear_alarms(trapd, "vppApiHung", "vppApiAnswers")
    _, heard = alarms(trapd)[-1]
    assert heard[API_STATE] == "INTEGER: 1"
    assert int(heard[SINCE].removeprefix("Gauge32: ")) <= MIN_INTERVAL


def test_a_vpp_that_goes_and_returns_is_heard_and_one_that_comes_first_is_not(
    agent: AgentProcess, snmpd: Snmpd, trapd: Snmptrapd, vpp: Simulator
) -> None:
    vpp.kill()
    hear_alarms(trapd, "vppAway")
    assert alarms(trapd)[0][1][API_STATE] == "INTEGER: 3"
    vpp.start()
    hear_alarms(trapd, "vppAway", "vppBack")


def test_a_vpp_that_starts_over_and_over_makes_no_storm(
    agent: AgentProcess, snmpd: Snmpd, trapd: Snmptrapd, vpp: Simulator
) -> None:
    restarts, began = 0, time.monotonic()
    while time.monotonic() < began + 2 * MIN_INTERVAL:
        vpp.kill()
        vpp.start()
        restarts += 1
        until("the agent knows", lambda: restarts_seen(snmpd) == restarts)  # noqa: B023
    until("the last is heard", lambda: names_of(trapd)[-1:] == ["vppBack"])
    elapsed = time.monotonic() - began
    assert restarts > elapsed / MIN_INTERVAL + 1  # or they were too slow to show it
    assert names_of(trapd) == ["vppAway", "vppBack"] * (len(alarms(trapd)) // 2)
    assert len(alarms(trapd)) <= elapsed / MIN_INTERVAL + 1


def test_of_what_happens_to_vpp_while_snmpd_is_away_the_last_is_heard(
    agent: AgentProcess, snmpd: Snmpd, trapd: Snmptrapd, vpp: Simulator
) -> None:
    trapd.stop()
    snmpd.stop()
    vpp.kill()
    wait_for_line(agent, "VPP is away")
    agent.send(signal.SIGSTOP)  # or it would notify before anybody listens
    snmpd.start()
    trapd.start_beside(snmpd)
    agent.send(signal.SIGCONT)
    hear_alarms(trapd, "vppAway")


def test_a_setting_says_whether_anybody_hears_of_vpp(
    tmp_path: Path, snmpd: Snmpd, trapd: Snmptrapd, vpp: Simulator
) -> None:
    file = tmp_path / "agent.yaml"
    file.write_text("vpp-traps: disabled\n")
    with AgentProcess(tmp_path, vpp, snmpd.agentx, "-f", str(file), "-d") as running:
        wait_for_rows(snmpd)
        vpp.kill()
        until("every port is down", lambda: len(links(trapd)) >= len(ALL))
        file.write_text("vpp-traps: enabled\n")
        running.send(signal.SIGHUP)
        hear_alarms(trapd, "vppAway")  # as it is when that is to be said
        vpp.start()
        hear_alarms(trapd, "vppAway", "vppBack")
