"""Ports as LibreNMS and Cacti know them, before and after every kind of restart."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vpp_snmp_agent.simulator import Simulator
from vpp_snmp_agent.simulator.scenario import VPPCFG
from vpp_snmp_agent.simulator.stage import Agent, Snmpd, until

pytestmark = pytest.mark.system

IF_TABLE = "1.3.6.1.2.1.2.2.1"
IF_X_TABLE = "1.3.6.1.2.1.31.1.1.1"
ROWS = 18


def librenms(snmpd: Snmpd) -> set[tuple[int, str, str, str, str]]:
    """A poll: ifXEntry whole, then its columns of ifEntry; ports by ifIndex."""
    whole = snmpd.walk(IF_X_TABLE, options=["-Cr10"])
    names = {
        int(name.rsplit(".", 1)[1]): value
        for name, value in whole.items()
        if name.startswith(f"{IF_X_TABLE}.1.")
    }
    columns = {number: snmpd.column(f"{IF_TABLE}.{number}") for number in (2, 7, 8, 9, 3, 6, 4)}
    aliases = snmpd.column(f"{IF_X_TABLE}.18")
    assert all(column.keys() == names.keys() for column in columns.values())
    return {
        (index, name, columns[2][index], columns[3][index], aliases[index])
        for index, name in names.items()
    }


def cacti(snmpd: Snmpd) -> set[tuple[int, str, str, str]]:
    """A re-index: one walk a field; ifNumber must be the number of rows."""
    fields = [snmpd.column(f"{IF_TABLE}.{number}") for number in (1, 2, 3, 6)]
    names = snmpd.column(f"{IF_X_TABLE}.1")
    number = snmpd.walk("1.3.6.1.2.1.2.1")["1.3.6.1.2.1.2.1.0"]
    assert number == f"INTEGER: {len(names)}"
    assert len(set(names.values())) == len(names)  # ifName is Cacti's sort field
    assert all(field.keys() == names.keys() for field in fields)
    # Not by ifPhysAddress: a bond's members take its address when they join it.
    return {(index, names[index], fields[1][index], fields[2][index]) for index in names}


def ports(snmpd: Snmpd) -> tuple[object, object]:
    """What either keys its graphs on, and what it shows beside it."""
    return librenms(snmpd), cacti(snmpd)


def status(snmpd: Snmpd) -> set[str]:
    return set(snmpd.column(f"{IF_TABLE}.8").values())


def live(snmpd: Snmpd) -> bool:
    """All rows there, all that are meant to be up are up."""
    told = snmpd.column(f"{IF_TABLE}.8")
    return len(told) == ROWS and sum(value == "1" for value in told.values()) == ROWS - 1


@pytest.fixture
def flags(tmp_path: Path) -> list[str]:
    """Descriptions, and a VPP that counts as settled a moment after its start."""
    (tmp_path / "vppcfg.yaml").write_text(VPPCFG)
    (tmp_path / "agent.yaml").write_text("settle: 60\n")
    return ["-c", str(tmp_path / "vppcfg.yaml"), "-f", str(tmp_path / "agent.yaml")]


@pytest.fixture
def agent(tmp_path: Path, vpp: Simulator, snmpd: Snmpd, flags: list[str]) -> Iterator[Agent]:
    with Agent(tmp_path, vpp, snmpd.agentx, *flags) as running:
        until("the rows are served", lambda: live(snmpd))
        yield running


def test_the_agents_restart_changes_no_port(agent: Agent, snmpd: Snmpd) -> None:
    before = ports(snmpd)
    for end in (agent.stop, agent.kill):
        end()
        agent.start()
        until("the rows are served", lambda: live(snmpd))
        assert ports(snmpd) == before


def test_snmpds_restart_changes_no_port(agent: Agent, snmpd: Snmpd) -> None:
    before = ports(snmpd)
    for end in (snmpd.stop, snmpd.kill):
        end()
        snmpd.start()
        until("the rows are served", lambda: live(snmpd))
        assert ports(snmpd) == before


def test_a_vpp_that_returns_with_other_indexes_over_20_s_changes_no_port(
    agent: Agent, snmpd: Snmpd, vpp: Simulator
) -> None:
    before = ports(snmpd)
    octets = {index: int(value) for index, value in snmpd.column(f"{IF_X_TABLE}.6").items()}
    indexes = {name: row["sw_if_index"] for name, row in vpp.interfaces().items()}
    vpp.restart(empty=True)
    vpp.configure(seconds=20, seed=7)
    polls = 0
    limit = time.monotonic() + 60
    while not live(snmpd):
        assert time.monotonic() < limit
        assert ports(snmpd) == before
        polls += 1
    assert polls > 5
    vpp.wait_until_configured()
    assert ports(snmpd) == before
    after = {name: row["sw_if_index"] for name, row in vpp.interfaces().items()}
    assert indexes != after
    # Every port that counts has the counters of the new VPP, and says that they jumped.
    jumped = snmpd.column(f"{IF_X_TABLE}.19")
    assert "(0) 0:00:00.00" not in jumped.values()
    vpp.freeze()
    truth = {each.name: each for each in vpp.truth().values()}
    told = snmpd.column(f"{IF_X_TABLE}.6")
    by_name = {value: index for index, value in snmpd.column(f"{IF_X_TABLE}.1").items()}
    assert int(told[by_name["bond0.100"]]) == truth["BondEthernet0.100"].rx.bytes
    assert octets.keys() == told.keys()


def test_a_restarted_vpp_that_lost_an_interface_for_good_loses_it_once_settled(
    tmp_path: Path, vpp: Simulator, snmpd: Snmpd, flags: list[str]
) -> None:
    (tmp_path / "agent.yaml").write_text("settle: 3\n")
    with Agent(tmp_path, vpp, snmpd.agentx, *flags):
        until("the rows are served", lambda: live(snmpd))
        vpp.restart(empty=True)
        until("all is down", lambda: len(snmpd.column(f"{IF_X_TABLE}.1")) == ROWS)
        hardware = {"eno1", "eno2", "enp1s0f2", "enp1s0f3"}
        until("only hardware is left", lambda: len(snmpd.column(f"{IF_X_TABLE}.1")) == 6)
        names = set(snmpd.column(f"{IF_X_TABLE}.1").values())
        assert not names & hardware  # without its pair each bears VPP's name
        vpp.configure()
        vpp.wait_until_configured()
        until("all is back", lambda: live(snmpd))
        assert hardware < set(snmpd.column(f"{IF_X_TABLE}.1").values())


def test_what_a_settled_vpp_deletes_goes_at_once_and_its_index_waits_for_it(
    tmp_path: Path, vpp: Simulator, snmpd: Snmpd, flags: list[str]
) -> None:
    (tmp_path / "agent.yaml").write_text("settle: 0\n")
    with Agent(tmp_path, vpp, snmpd.agentx, *flags):
        until("the rows are served", lambda: live(snmpd))
        before = ports(snmpd)
        names = snmpd.column(f"{IF_X_TABLE}.1")
        gone = next(index for index, name in names.items() if name == "bond0.130")
        vpp.delete("BondEthernet0.130")
        until("it is gone", lambda: gone not in snmpd.column(f"{IF_X_TABLE}.1"))
        vpp.add_sub("BondEthernet0", 777, host="bond0.777")
        until("another is there", lambda: len(snmpd.column(f"{IF_X_TABLE}.1")) == ROWS)
        assert gone not in snmpd.column(f"{IF_X_TABLE}.1")
        vpp.delete("BondEthernet0.777")
        vpp.add_sub("BondEthernet0", 130, host="bond0.130")
        until("it is back", lambda: gone in snmpd.column(f"{IF_X_TABLE}.1"))
        until("the other is gone", lambda: len(snmpd.column(f"{IF_X_TABLE}.1")) == ROWS)
        assert ports(snmpd) == before


def test_an_agent_that_starts_while_vpp_is_away_serves_what_it_knew(
    agent: Agent, snmpd: Snmpd, vpp: Simulator
) -> None:
    before = ports(snmpd)
    agent.stop()
    vpp.stop()
    agent.start()
    until("the rows are served", lambda: len(snmpd.column(f"{IF_X_TABLE}.1")) == ROWS)
    assert ports(snmpd) == before
    assert status(snmpd) == {"2"}
    assert not snmpd.column(f"{IF_X_TABLE}.6")  # counters that nobody has are not there
    assert snmpd.column(f"{IF_X_TABLE}.15")
    vpp.start()
    until("VPP's interfaces are live", lambda: live(snmpd))
    assert ports(snmpd) == before
    assert len(snmpd.column(f"{IF_X_TABLE}.6")) == ROWS


def test_all_three_restarted_in_any_order(agent: Agent, snmpd: Snmpd, vpp: Simulator) -> None:
    before = ports(snmpd)
    steps: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "agent": (agent.stop, agent.start),
        "snmpd": (snmpd.stop, snmpd.start),
        "vpp": (vpp.stop, vpp.start),
    }
    for order in (("vpp", "agent", "snmpd"), ("snmpd", "vpp", "agent"), ("agent", "snmpd", "vpp")):
        for name in order:
            steps[name][0]()
        for name in order:
            steps[name][1]()
        until("the rows are served", lambda: live(snmpd))
        assert ports(snmpd) == before


def test_a_damaged_state_file_is_set_aside_and_told(
    tmp_path: Path, agent: Agent, snmpd: Snmpd
) -> None:
    agent.stop()
    state = tmp_path / "state" / "interfaces.json"
    assert '"BondEthernet0.105": {"ifIndex": 1029' in state.read_text()
    state.write_text("rubbish")
    agent.start()
    until("the rows are served", lambda: live(snmpd))
    assert f"{state} is damaged" in agent.text()
    (aside,) = state.parent.glob("interfaces.json.damaged-*")
    assert aside.read_text() == "rubbish"
    assert str(aside) in agent.text()


def test_a_state_directory_that_cannot_be_written_is_one_warning(
    tmp_path: Path, vpp: Simulator, snmpd: Snmpd, flags: list[str]
) -> None:
    (tmp_path / "state").symlink_to("/proc/nowhere")
    with Agent(tmp_path, vpp, snmpd.agentx, *flags) as agent:
        until("the rows are served", lambda: live(snmpd))
        assert agent.text().count("are kept in memory alone") == 1
        assert snmpd.column(f"{IF_X_TABLE}.1")[1001] == "eno1"


def test_stateless_indexes_are_vpps(
    tmp_path: Path, vpp: Simulator, snmpd: Snmpd, flags: list[str]
) -> None:
    with Agent(tmp_path, vpp, snmpd.agentx, "--ifindex", "stateless", *flags):
        until("the rows are served", lambda: live(snmpd))
        indexes = {1000 + row["sw_if_index"] for row in vpp.interfaces().values()}
        assert set(snmpd.column(f"{IF_X_TABLE}.1")) < indexes
        assert not (tmp_path / "state").exists()


def test_an_agent_that_starts_while_vpp_is_being_configured_loses_no_port(
    agent: Agent, snmpd: Snmpd, vpp: Simulator
) -> None:
    before = ports(snmpd)
    agent.stop()
    vpp.restart(empty=True)
    agent.start()
    until("the rows are served", lambda: len(snmpd.column(f"{IF_X_TABLE}.1")) == ROWS)
    assert ports(snmpd) == before
    assert status(snmpd) == {"2"}
    vpp.configure()
    vpp.wait_until_configured()
    until("VPP's interfaces are live", lambda: live(snmpd))
    assert ports(snmpd) == before
