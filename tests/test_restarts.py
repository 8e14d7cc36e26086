"""Ports as LibreNMS and Cacti know them, before and after every kind of restart."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from simulator import Simulator
from simulator.scenario import VPPCFG
from simulator.stage import AgentProcess, Snmpd, until

from . import oids
from .edge_router import (
    ROWS,
    index_of_row,
    statuses,
    wait_for_name,
    wait_for_rows,
    wait_until_down,
    wait_until_gone,
)
from .soak.probe import ABSENT, Poll

pytestmark = pytest.mark.system


def librenms(snmpd: Snmpd) -> set[tuple[int, str, str, str, str]]:
    """A poll: ifXEntry whole, then its columns of ifEntry; ports by ifIndex."""
    whole = snmpd.walk(oids.IF_X_TABLE, options=["-Cr10"])
    names = {
        int(name.rsplit(".", 1)[1]): value
        for name, value in whole.items()
        if name.startswith(f"{oids.IF_NAME}.")
    }
    columns = {
        number: snmpd.column(f"{oids.IF_TABLE}.{number}") for number in (2, 7, 8, 9, 3, 6, 4)
    }
    aliases = snmpd.column(oids.IF_ALIAS)
    assert all(column.keys() == names.keys() for column in columns.values())
    return {
        (index, name, columns[2][index], columns[3][index], aliases[index])
        for index, name in names.items()
    }


def cacti(snmpd: Snmpd) -> set[tuple[int, str, str, str]]:
    """A re-index: one walk a field; ifNumber must be the number of rows."""
    fields = [snmpd.column(f"{oids.IF_TABLE}.{number}") for number in (1, 2, 3, 6)]
    names = snmpd.column(oids.IF_NAME)
    number = snmpd.walk(oids.IF_NUMBER)[f"{oids.IF_NUMBER}.0"]
    assert number == f"INTEGER: {len(names)}"
    assert len(set(names.values())) == len(names)  # ifName is Cacti's sort field
    assert all(field.keys() == names.keys() for field in fields)
    # Not by ifPhysAddress: a bond's members take its address when they join it.
    return {(index, names[index], fields[1][index], fields[2][index]) for index in names}


def ports(snmpd: Snmpd) -> tuple[object, object]:
    """What either keys its graphs on, and what it shows beside it."""
    return librenms(snmpd), cacti(snmpd)


def live(snmpd: Snmpd) -> bool:
    """All rows there, all that are meant to be up are up."""
    served = snmpd.column(oids.OPER_STATUS)
    return len(served) == ROWS and sum(value == "1" for value in served.values()) == ROWS - 1


@pytest.fixture
def flags(tmp_path: Path) -> list[str]:
    """Descriptions, and a VPP that counts as settled a moment after its start."""
    (tmp_path / "vppcfg.yaml").write_text(VPPCFG)
    (tmp_path / "agent.yaml").write_text("settle: 60\n")
    return ["-c", str(tmp_path / "vppcfg.yaml"), "-f", str(tmp_path / "agent.yaml")]


@pytest.fixture
def agent(tmp_path: Path, vpp: Simulator, snmpd: Snmpd, flags: list[str]) -> Iterator[AgentProcess]:
    with AgentProcess(tmp_path, vpp, snmpd.agentx, *flags) as running:
        until("the rows are served", lambda: live(snmpd))
        yield running


def test_the_agents_restart_changes_no_port(agent: AgentProcess, snmpd: Snmpd) -> None:
    before = ports(snmpd)
    for end in (agent.stop, agent.kill):
        end()
        agent.start()
        until("the rows are served", lambda: live(snmpd))
        assert ports(snmpd) == before


def totals(snmpd: Snmpd) -> dict[str, int]:
    """What is counted of all ports together, and by drivers."""
    subtrees = (f"{oids.IP}.31.1.1", f"{oids.ETHERLIKE}.11.1")
    return {
        name: int(value.removeprefix("Counter64: "))
        for subtree in subtrees
        for name, value in snmpd.walk(subtree).items()
        if value.startswith("Counter64: ")
    } | {
        name: int(value.removeprefix("Counter32: "))
        for name, value in snmpd.walk(f"{oids.IP}.31.1.1").items()
        if value.startswith("Counter32: ") and ".31.1.1.3." not in name  # which wraps
    }


def test_what_is_counted_beside_rows_does_not_fall_over_any_restart(
    agent: AgentProcess, snmpd: Snmpd, vpp: Simulator
) -> None:
    in_header_errors = f"{oids.IP}.31.1.1.7.1"
    of_driver = f"{oids.ETHERLIKE}.11.1.2.1003"
    until("all is counted", lambda: {in_header_errors, of_driver} <= totals(snmpd).keys())
    first = totals(snmpd)

    def restart_vpp() -> None:
        vpp.kill()
        vpp.start()

    restarts: tuple[tuple[Callable[[], object], ...], ...] = (
        (agent.stop, agent.start),
        (agent.kill, agent.start),
        (restart_vpp,),
        (agent.stop, restart_vpp, agent.start),
    )
    for number, steps in enumerate(restarts):
        before = totals(snmpd)
        for step in steps:
            step()
        times = max(1, number)  # that VPP has counted the same errors
        expected = {name: first[name] * times for name in (in_header_errors, of_driver)}
        until("it goes on", lambda e=expected: totals(snmpd).items() >= e.items())  # type: ignore[misc]
        after = totals(snmpd)
        assert after.keys() == before.keys()
        assert {name for name in after if after[name] < before[name]} == set()


def test_snmpds_restart_changes_no_port(agent: AgentProcess, snmpd: Snmpd) -> None:
    before = ports(snmpd)
    for end in (snmpd.stop, snmpd.kill):
        end()
        snmpd.start()
        until("the rows are served", lambda: live(snmpd))
        assert ports(snmpd) == before


def test_a_vpp_that_returns_with_other_indexes_over_20_s_changes_no_port(
    agent: AgentProcess, snmpd: Snmpd, vpp: Simulator
) -> None:
    before = ports(snmpd)
    octets = {index: int(value) for index, value in snmpd.column(oids.HC_IN).items()}
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
    # Every port goes on with the counters of the new VPP, and says that some may be missing.
    jumped = snmpd.column(oids.IF_DISCONTINUITY)
    assert "(0) 0:00:00.00" not in jumped.values()
    vpp.freeze()
    truth = {each.name: each for each in vpp.truth().values()}
    served = snmpd.column(oids.HC_IN)
    by_name = {value: index for index, value in snmpd.column(oids.IF_NAME).items()}
    index = by_name["bond0.100"]
    assert int(served[index]) >= octets[index] + truth["BondEthernet0.100"].rx.bytes
    assert all(int(served[index]) >= value for index, value in octets.items())
    assert octets.keys() == served.keys()


def test_a_restarted_vpp_that_lost_an_interface_for_good_loses_it_once_settled(
    tmp_path: Path, vpp: Simulator, snmpd: Snmpd, flags: list[str]
) -> None:
    (tmp_path / "agent.yaml").write_text("settle: 3\n")
    with AgentProcess(tmp_path, vpp, snmpd.agentx, *flags):
        until("the rows are served", lambda: live(snmpd))
        vpp.restart(empty=True)
        wait_until_down(snmpd)
        hardware = {"eno1", "eno2", "enp1s0f2", "enp1s0f3"}
        wait_for_rows(snmpd, 6)
        names = set(snmpd.column(oids.IF_NAME).values())
        assert not names & hardware  # without its pair each bears VPP's name
        vpp.configure()
        vpp.wait_until_configured()
        until("all is back", lambda: live(snmpd))
        assert hardware < set(snmpd.column(oids.IF_NAME).values())


def test_what_a_settled_vpp_deletes_goes_at_once_and_its_index_waits_for_it(
    tmp_path: Path, vpp: Simulator, snmpd: Snmpd, flags: list[str]
) -> None:
    (tmp_path / "agent.yaml").write_text("settle: 0\n")
    with AgentProcess(tmp_path, vpp, snmpd.agentx, *flags):
        until("the rows are served", lambda: live(snmpd))
        before = ports(snmpd)
        names = snmpd.column(oids.IF_NAME)
        gone = next(index for index, name in names.items() if name == "bond0.130")
        vpp.delete("BondEthernet0.130")
        wait_until_gone(snmpd, gone)
        vpp.add_sub("BondEthernet0", 777, host="bond0.777")
        wait_for_rows(snmpd)
        assert gone not in snmpd.column(oids.IF_NAME)
        vpp.delete("BondEthernet0.777")
        vpp.add_sub("BondEthernet0", 130, host="bond0.130")
        until("it is back", lambda: gone in snmpd.column(oids.IF_NAME))
        wait_for_rows(snmpd)
        assert ports(snmpd) == before


def test_an_agent_that_starts_while_vpp_is_away_serves_what_it_knew(
    agent: AgentProcess, snmpd: Snmpd, vpp: Simulator
) -> None:
    before = ports(snmpd)
    agent.stop()
    vpp.stop()
    agent.start()
    wait_for_rows(snmpd)
    assert ports(snmpd) == before
    assert statuses(snmpd) == {"2", "7"}
    assert not snmpd.column(oids.HC_IN)  # counters that nobody has are not there
    assert snmpd.column(oids.HIGH_SPEED)
    vpp.start()
    until("VPP's interfaces are live", lambda: live(snmpd))
    assert ports(snmpd) == before
    assert len(snmpd.column(oids.HC_IN)) == ROWS


def test_all_three_restarted_in_any_order(
    agent: AgentProcess, snmpd: Snmpd, vpp: Simulator
) -> None:
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


# --- what is remembered -------------------------------------------------------------------------


def journal(tmp_path: Path) -> Path:
    return tmp_path / "state" / "ports.journal"


def test_a_journal_that_is_damaged_is_set_aside_and_what_can_be_read_is_kept(
    tmp_path: Path, agent: AgentProcess, snmpd: Snmpd
) -> None:
    before = snmpd.column(oids.IF_NAME)
    agent.stop()
    lines = journal(tmp_path).read_bytes().splitlines(keepends=True)
    name = b'"BondEthernet0.105"'
    damaged = [line.replace(name, b'"BondEthernet0.106"') for line in lines]
    assert damaged != lines
    journal(tmp_path).write_bytes(b"".join(damaged))
    agent.start()
    until("the rows are served", lambda: live(snmpd))
    after = snmpd.column(oids.IF_NAME)
    lost = [index for index, name in before.items() if name == "bond0.105"]
    assert {index: name for index, name in before.items() if index not in lost}.items() < (
        after.items()
    )
    (aside,) = journal(tmp_path).parent.glob("ports.journal.damaged-*")
    assert aside.read_bytes() == b"".join(damaged)
    assert str(aside) in agent.text()


def ended(agent: AgentProcess) -> int:
    until("it ends", lambda: agent.ended() is not None)
    status = agent.ended()
    assert status is not None
    return status


def test_a_state_that_cannot_be_read_ends_the_start_and_renumbers_nothing(
    tmp_path: Path, agent: AgentProcess, snmpd: Snmpd
) -> None:
    before = ports(snmpd)
    agent.stop()
    elsewhere = journal(tmp_path).rename(tmp_path / "elsewhere")
    journal(tmp_path).symlink_to(elsewhere)
    agent.start()
    assert ended(agent) == 1
    assert f"{journal(tmp_path)}: " in agent.text().splitlines()[-1]
    elsewhere.rename(journal(tmp_path))
    agent.start()
    until("the rows are served", lambda: live(snmpd))
    assert ports(snmpd) == before


def test_a_state_directory_that_cannot_be_written_ends_the_start(
    tmp_path: Path, vpp: Simulator, snmpd: Snmpd, flags: list[str]
) -> None:
    (tmp_path / "state").symlink_to("/proc/nowhere")
    with AgentProcess(tmp_path, vpp, snmpd.agentx, *flags) as agent:
        assert ended(agent) == 1
        assert str(tmp_path / "state") in agent.text().splitlines()[-1]
        assert "Traceback" not in agent.text()


def test_a_second_agent_on_one_state_is_refused_and_neither_harms_the_other(
    tmp_path: Path, agent: AgentProcess, snmpd: Snmpd, vpp: Simulator, flags: list[str]
) -> None:
    before = ports(snmpd)
    second = AgentProcess(tmp_path / "second", vpp, snmpd.agentx, *flags)
    at = second._command.index("--state-dir") + 1
    second._command[at] = str(tmp_path / "state")
    second.start()
    assert ended(second) == 1
    (refusal,) = [line for line in second.text().splitlines() if " ERROR " in line]
    assert str(tmp_path / "state") in refusal
    assert str(agent.pid) in refusal
    assert ports(snmpd) == before
    vpp.add_loopback("loop7")
    wait_for_name(snmpd, "loop7")
    agent.kill()
    agent.start()
    wait_for_name(snmpd, "loop7")


def test_the_ports_of_0_1_0_are_taken_over_whole_and_its_file_is_left(
    tmp_path: Path, vpp: Simulator, snmpd: Snmpd, flags: list[str]
) -> None:
    old = tmp_path / "state" / "interfaces.json"
    old.parent.mkdir()
    text = json.dumps(
        {
            "version": 1,
            "interfaces": {
                "GigabitEthernet5/0/0": {"ifIndex": 4711},
                "BondEthernet0.105": {"ifIndex": 815},
                "loop7": {"ifIndex": 1013},  # where loop0 would be otherwise
            },
        }
    )
    old.write_text(text)
    with AgentProcess(tmp_path, vpp, snmpd.agentx, *flags):
        until("the rows are served", lambda: live(snmpd))
        by_name = {name: index for index, name in snmpd.column(oids.IF_NAME).items()}
        assert (by_name["eno1"], by_name["bond0.105"]) == (4711, 815)
        assert by_name["loop0"] == 100_001
    assert old.read_text() == text


def test_what_is_gone_is_listed_and_can_be_forgotten(
    tmp_path: Path, vpp: Simulator, snmpd: Snmpd, flags: list[str]
) -> None:
    (tmp_path / "agent.yaml").write_text("settle: 0\n")
    where = ["--state-dir", str(tmp_path / "state")]

    def command(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "vpp_snmp_agent", "ports", *words, *where],
            capture_output=True,
            text=True,
            check=False,
        )

    def listed() -> dict[str, list[str]]:
        lines = command().stdout.splitlines()
        return {line.split()[-1]: line.split() for line in lines}

    with AgentProcess(tmp_path, vpp, snmpd.agentx, *flags) as agent:
        until("the rows are served", lambda: live(snmpd))
        gone = index_of_row(snmpd, "bond0.130")
        vpp.delete("BondEthernet0.130")
        wait_until_gone(snmpd, gone)
        assert listed()["BondEthernet0.130"][0] == str(gone)
        assert "no" in listed()["BondEthernet0.130"]
        assert "yes" in listed()["BondEthernet0.105"]
        assert command("forget", "BondEthernet0.105").returncode == 1  # it is shown
        assert command("forget", "--unseen", "1d").returncode == 1
        assert command("forget", "Bond*").stdout == f"forgot {gone} BondEthernet0.130\n"
        assert "BondEthernet0.130" not in listed()
        vpp.add_sub("BondEthernet0", 130, host="bond0.130")
        wait_for_name(snmpd, "bond0.130")
        assert gone not in snmpd.column(oids.IF_NAME)  # its number is nobody's again
        vpp.delete("BondEthernet0.130")
        until("it is gone", lambda: "bond0.130" not in snmpd.column(oids.IF_NAME).values())
        agent.stop()
    assert command("forget", "BondEthernet0.130").returncode == 0  # without an agent
    assert "BondEthernet0.130" not in listed()


def test_stateless_indexes_are_vpps(
    tmp_path: Path, vpp: Simulator, snmpd: Snmpd, flags: list[str]
) -> None:
    with AgentProcess(tmp_path, vpp, snmpd.agentx, "--ifindex", "stateless", *flags):
        until("the rows are served", lambda: live(snmpd))
        indexes = {1000 + row["sw_if_index"] for row in vpp.interfaces().values()}
        assert set(snmpd.column(oids.IF_NAME)) < indexes
        assert not (tmp_path / "state").exists()


def test_an_agent_that_starts_while_vpp_is_being_configured_loses_no_port(
    agent: AgentProcess, snmpd: Snmpd, vpp: Simulator
) -> None:
    before = ports(snmpd)
    agent.stop()
    vpp.restart(empty=True)
    agent.start()
    wait_for_rows(snmpd)
    assert ports(snmpd) == before
    assert statuses(snmpd) == {"2", "7"}
    vpp.configure()
    vpp.wait_until_configured()
    until("VPP's interfaces are live", lambda: live(snmpd))
    assert ports(snmpd) == before


# --- nobody sees half a table ---------------------------------------------------------------------


class Poller(Poll):
    """Asks each 20 ms for the number of rows, and for name and status of all of them."""

    def __init__(self, snmpd: Snmpd, names: dict[int, str], statuses: dict[int, str]) -> None:
        columns = [f"{oids.IF_NAME}.{index}" for index in names]
        columns += [f"{oids.OPER_STATUS}.{index}" for index in names]
        super().__init__(snmpd, [f"{oids.IF_NUMBER}.0", *columns], pause=0.02)
        self._known = [name.encode() for name in names.values()]
        self._statuses = list(map(int, statuses.values()))
        self.seen: Counter[str] = Counter()

    def has_seen(self, wanted: int) -> bool:
        """Whether so many answers were as they had been."""
        return self.seen["as before"] >= wanted

    def take(self, values: list[tuple[int, bytes]]) -> None:
        kinds = {tag for tag, _ in values}
        if kinds <= ABSENT:
            self.seen["nobody connected"] += 1
            return
        number = int.from_bytes(values[0][1], "big")
        count = len(self._known)
        names = [octets for _, octets in values[1 : 1 + count]]
        statuses = [int.from_bytes(octets, "big") for _, octets in values[1 + count :]]
        if number != count or names != self._known:
            self.seen[f"wrong: {number} rows, {names}"] += 1
        elif statuses == self._statuses:
            self.seen["as before"] += 1
        elif all(now in (then, 4) for now, then in zip(statuses, self._statuses, strict=True)):
            self.seen["unknown"] += 1
        else:
            self.seen[f"wrong: {statuses}"] += 1


BUSY = "import os\nwhile os.getppid() == {}: pass"


def test_through_twenty_restarts_nobody_reads_an_empty_or_half_table(
    agent: AgentProcess, snmpd: Snmpd
) -> None:
    names, statuses = snmpd.column(oids.IF_NAME), snmpd.column(oids.OPER_STATUS)
    script = BUSY.format(os.getpid())
    busy = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(2)]
    try:
        with Poller(snmpd, names, statuses) as poller:
            for number in range(20):
                (agent.kill if number % 2 else agent.stop)()
                agent.start()
                wanted = poller.seen["as before"] + 3
                until("it serves again", partial(poller.has_seen, wanted))
    finally:
        for each in busy:
            each.kill()
            each.wait()
    assert not [what for what in poller.seen if what.startswith("wrong")], poller.seen
    assert poller.seen["as before"] > 60
