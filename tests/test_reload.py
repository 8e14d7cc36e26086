"""What a change of a setting entails at a reload (SIGHUP), seen through a real walk."""

import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from simulator import Simulator
from simulator.scenario import VPPCFG
from simulator.stage import AgentProcess, Snmpd, StageError, until

from .edge_router import (
    ROWS,
    wait_for_cell,
    wait_for_entries,
    wait_for_line,
    wait_for_name,
    wait_for_neighbors,
    wait_for_rows,
)
from .oids import HIGH_SPEED, IF_ALIAS, IF_DESCR, IF_MIB, IF_NAME, IF_SPEED, IF_TABLE, IP, LAG

pytestmark = pytest.mark.system

DISCARDS = f"{IF_TABLE}.13"
TAPS = 16

Set = Callable[..., None]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "agent.yaml"


@pytest.fixture
def agent(tmp_path: Path, vpp: Simulator, snmpd: Snmpd, file: Path) -> Iterator[AgentProcess]:
    """The edge router, frozen, with an empty settings file."""
    vpp.freeze()
    file.write_text("")
    with AgentProcess(tmp_path, vpp, snmpd.agentx, "-f", str(file)) as running:
        wait_for_rows(snmpd)
        yield running


@pytest.fixture
def put(agent: AgentProcess, file: Path) -> Set:
    """Write settings and have them read."""

    def put(**settings: Any) -> None:
        file.write_text(yaml.safe_dump({key.replace("_", "-"): settings[key] for key in settings}))
        agent.send(signal.SIGHUP)

    return put


def test_names_may_be_vpps(snmpd: Snmpd, put: Set) -> None:
    put(names="vpp")
    wait_for_cell(snmpd, IF_NAME, 1001, "GigabitEthernet5/0/0")
    assert len(snmpd.column(IF_NAME)) == ROWS
    assert snmpd.column(IF_DESCR) == snmpd.column(IF_NAME)


def test_names_may_be_those_of_the_taps(snmpd: Snmpd, put: Set) -> None:
    put(names="tap")
    wait_for_rows(snmpd, ROWS + TAPS)
    names, aliases = snmpd.column(IF_NAME), snmpd.column(IF_ALIAS)
    by_name = {name: index for index, name in names.items()}
    assert names[1001] == "GigabitEthernet5/0/0"
    assert aliases[by_name["eno1"]] == "LCP GigabitEthernet5/0/0 (tap4096)"
    assert len(by_name) == ROWS + TAPS


def test_taps_may_be_shown(snmpd: Snmpd, put: Set) -> None:
    put(taps="show")
    wait_for_rows(snmpd, ROWS + TAPS)
    assert "tap4096" in snmpd.column(IF_NAME).values()
    assert snmpd.column(IF_NAME)[1001] == "eno1"
    put()
    wait_for_rows(snmpd)


def test_globs_hide_rows(snmpd: Snmpd, put: Set) -> None:
    put(hide=["loop*", "bond0.1??", "Ten*/0"])
    wait_for_rows(snmpd, ROWS - 6 + 1)
    names = set(snmpd.column(IF_NAME).values())
    assert "local0" in names  # the list is the operator's, whole
    assert not names & {"loop0", "bond0.100", "bond0.130", "TenGigabitEthernet1/0/0"}


def test_an_alias_may_fall_back_on_the_name(snmpd: Snmpd, put: Set) -> None:
    assert snmpd.column(IF_ALIAS)[1001] == ""
    put(alias="name")
    wait_for_cell(snmpd, IF_ALIAS, 1001, "eno1")


def test_speeds_may_be_configured(snmpd: Snmpd, put: Set) -> None:
    put(speeds={"eno1": 2500, "Ten*": 100, "loop0": 5_000_000})
    wait_for_cell(snmpd, HIGH_SPEED, 1001, "2500")
    speeds = snmpd.column(HIGH_SPEED)
    assert speeds[1015] == "2500"  # eno1.205
    assert speeds[1011] == "200"  # bond0 over two members
    assert speeds[1013] == "5000000"
    assert snmpd.column(IF_SPEED)[1013] == "4294967295"  # saturated


def test_drops_may_be_discards(snmpd: Snmpd, put: Set, vpp: Simulator) -> None:
    vpp.step(1000)
    counted = vpp.truth()["GigabitEthernet5/0/0"].simple
    misses = counted["rx-miss"] + counted["rx-no-buf"]
    assert counted["drops"] > 0
    assert snmpd.column(DISCARDS)[1001] == str(misses)
    put(discards="all")
    wait_for_cell(snmpd, DISCARDS, 1001, str(misses + counted["drops"]))


def test_a_vppcfg_is_taken_up_without_a_row_vanishing(
    snmpd: Snmpd, put: Set, tmp_path: Path
) -> None:
    before = snmpd.column(IF_NAME)
    (tmp_path / "vppcfg.yaml").write_text(VPPCFG)
    put(vppcfg=str(tmp_path / "vppcfg.yaml"))
    while snmpd.column(IF_ALIAS)[1001] == "":
        assert snmpd.column(IF_NAME) == before
    assert snmpd.column(IF_ALIAS)[1001] == "Infra: access switch"
    put()
    wait_for_cell(snmpd, IF_ALIAS, 1001, "")


def test_stateless_indexes_may_be_switched_to_and_back(
    snmpd: Snmpd, put: Set, vpp: Simulator
) -> None:
    before = snmpd.column(IF_NAME)
    put(settle=0)
    vpp.delete("BondEthernet0.130")
    vpp.add_sub("BondEthernet0", 131, host="bond0.131")
    wait_for_name(snmpd, "bond0.131")
    wait_for_rows(snmpd)
    kept = snmpd.column(IF_NAME)
    assert set(kept) - set(before)
    put(ifindex="stateless")
    index = 1000 + vpp.interfaces()["BondEthernet0.131"]["sw_if_index"]
    wait_for_cell(snmpd, IF_NAME, index, "bond0.131")
    put(settle=0)
    until("the kept ones are back", lambda: snmpd.column(IF_NAME) == kept)


def test_another_agentx_address_is_another_session(
    snmpd: Snmpd, put: Set, agent: AgentProcess, tmp_path: Path
) -> None:
    flagless = [each for each in agent._command if each not in ("-a", snmpd.agentx)]
    agent.stop()
    agent._command = flagless
    put_file = tmp_path / "agent.yaml"
    put_file.write_text(f"address: {snmpd.agentx}\n")
    agent.start()
    wait_for_rows(snmpd)
    with Snmpd(tmp_path / "other") as other:
        put(address=other.agentx)
        wait_for_rows(other)
        assert not snmpd.column(IF_NAME)
        put(address=snmpd.agentx)
        wait_for_rows(snmpd)


def test_other_sockets_are_another_vpp(
    snmpd: Snmpd, agent: AgentProcess, tmp_path: Path, file: Path
) -> None:
    agent.stop()
    flags = agent._command
    sockets = {flags[flags.index(name) + 1] for name in ("--api-socket", "--stats-socket")}
    agent._command = [
        each for each in flags if each not in {"--api-socket", "--stats-socket"} | sockets
    ]
    with Simulator(tmp_path / "second", interfaces=30) as second:
        file.write_text(
            f"api-socket: {second.api_socket}\nstats-socket: {second.stats_socket}\nsettle: 0\n"
        )
        agent.start()
        wait_for_rows(snmpd, 30)


def test_a_bad_file_leaves_the_old_settings_in_force(
    snmpd: Snmpd, put: Set, agent: AgentProcess, file: Path
) -> None:
    put(alias="name")
    wait_for_cell(snmpd, IF_ALIAS, 1001, "eno1")
    put(alias="nmae")
    wait_for_line(agent, "the settings stay as they were")
    assert f"{file}:1: alias: expected one of description, name" in agent.text()
    assert snmpd.column(IF_ALIAS)[1001] == "eno1"


def test_more_or_less_can_be_logged(put: Set, agent: AgentProcess, vpp: Simulator) -> None:
    assert " DEBUG " not in agent.text()
    put(debug=1)
    vpp.set_link("GigabitEthernet5/0/0", False)
    wait_for_line(agent, "DEBUG VPP reports")
    assert "Getnext" not in agent.text()


def test_every_pdu_can_be_logged_and_no_more_without_a_new_connection(
    snmpd: Snmpd, put: Set, agent: AgentProcess
) -> None:
    def traced() -> int:
        snmpd.column(IF_NAME)
        return agent.text().count("DEBUG < ")

    assert traced() == 0
    put(debug=2)
    until("PDUs are logged", lambda: traced() > 10)
    put(debug=1)
    until("they are no more", lambda: traced() == traced())
    assert agent.text().count("serving snmpd at") == 1


def test_two_interfaces_of_one_host_name_have_different_names(
    snmpd: Snmpd, agent: AgentProcess, vpp: Simulator
) -> None:
    vpp.add_loopback("loop5", host="eno1")
    wait_for_name(snmpd, "loop5")
    assert list(snmpd.column(IF_NAME).values()).count("eno1") == 1
    wait_for_line(agent, "loop5 keeps its name")


# --- which MIBs, and what VPP is asked for them ------------------------------------------------


def sysortable(snmpd: Snmpd) -> set[str]:
    return {value.removeprefix("OID: .") for value in snmpd.walk("1.3.6.1.2.1.1.9.1.2").values()}


def test_mibs_are_chosen_and_a_change_is_a_new_session(
    agent: AgentProcess, snmpd: Snmpd, put: Set
) -> None:
    until("bonds are served", lambda: len(snmpd.column(f"{LAG}.1.1.1.1.2")) == 1)
    put(mibs=["IF-MIB", "IP-MIB"])

    def gone() -> bool:
        # A walk that the end of the session meets gets an error from snmpd.
        with suppress(StageError):
            return not snmpd.column(f"{LAG}.1.1.1.1.2")
        return False

    until("bonds are gone", gone)
    wait_for_rows(snmpd)
    assert LAG not in sysortable(snmpd)
    assert IF_MIB in sysortable(snmpd)
    put(mibs=["IEEE8023-LAG-MIB"])

    def back() -> bool:
        with suppress(StageError):
            return len(snmpd.column(f"{LAG}.1.1.1.1.2")) == 1
        return False

    until("bonds are back", back)
    assert not snmpd.column(IF_NAME)
    assert agent.text().count("serving snmpd at") == 3


def test_addresses_are_not_asked_for_where_they_are_not_served(
    snmpd: Snmpd, put: Set, vpp: Simulator
) -> None:
    addresses = f"{IP}.20.1.2"
    wait_for_entries(snmpd, addresses, 3)
    asked = 2 * 19  # each interface but the TAPs, for both families
    until("the round is over", lambda: vpp.calls()["ip_address_dump"] == asked)
    put(mibs=["IF-MIB"], addresses=1, neighbors=1, period=1)
    dumps = vpp.calls()["sw_interface_dump"]
    until("VPP is asked again", lambda: vpp.calls()["sw_interface_dump"] >= dumps + 3)
    assert vpp.calls()["ip_address_dump"] == asked
    put(addresses=1, neighbors=1)
    until("VPP is asked for addresses", lambda: vpp.calls()["ip_address_dump"] > 2 * asked)


def test_addresses_and_neighbours_are_switched_off_one_by_one(
    snmpd: Snmpd, put: Set, vpp: Simulator
) -> None:
    wait_for_neighbors(snmpd)
    put(neighbors=0, addresses=1)
    asked = vpp.calls()
    more = asked["ip_address_dump"] + 3 * 2 * 19
    until("addresses are asked for", lambda: vpp.calls()["ip_address_dump"] > more)
    assert vpp.calls()["ip_neighbor_dump"] == asked["ip_neighbor_dump"]

    def is_empty(column: str) -> bool:
        return not any(name.startswith(f"{column}.") for name in snmpd.walk(column))

    until("neighbours are shown no more", lambda: is_empty(f"{IP}.22.1.1"))
    assert len(snmpd.walk(f"{IP}.20.1.2")) == 3
    put(neighbors=300, addresses=0, settle=1)  # until then VPP is being configured
    until("addresses are shown no more", lambda: is_empty(f"{IP}.20.1.2"))
    wait_for_neighbors(snmpd)
