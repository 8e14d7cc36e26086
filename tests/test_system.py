"""The agent behind a real snmpd, asked by net-snmp's own tools."""

import os
import re
import signal
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from simulator import Simulator, Spec
from simulator.scenario import VPPCFG
from simulator.stage import SWITCHED_OFF, AgentProcess, Snmpd, until
from simulator.traffic import Traffic
from vpp_snmp_agent.agentx.mib import UpTime
from vpp_snmp_agent.interfaces.facts import Configuration
from vpp_snmp_agent.interfaces.publisher import Publisher
from vpp_snmp_agent.mibs import modules
from vpp_snmp_agent.mibs.vpp_snmp_agent_mib import OBJECTS as OWN
from vpp_snmp_agent.operator import check
from vpp_snmp_agent.settings.declarations import UnixAddress

from . import oids
from .edge_router import (
    ROWS,
    index_of_row,
    wait_for_addresses,
    wait_for_cell,
    wait_for_entries,
    wait_for_line,
    wait_for_name,
    wait_for_neighbors,
    wait_for_rows,
    wait_until_down,
)
from .operators import by_thing, settings_for

pytestmark = pytest.mark.system

IP_SCALARS = (1, 2, 3, 4, 5, 7, 8, 11, 14, 15, 16, 18, 19)
OF_IP = tuple(
    f"{oids.IP}.{each}"
    for each in (*IP_SCALARS, 20, 22, 25, 26, 27, 28, 29, 30, 31.1, 31.2, 31.3, 32, 34, 35)
)
SUBTREES = (
    oids.LAG,
    oids.INTERFACES,
    *OF_IP,
    oids.ETHERLIKE,
    oids.BRIDGE,
    oids.STORAGE,
    oids.IF_MIB,
    OWN,
)  # in order
MIN_STORAGE = 1001  # the first index of a row that is ours: those before are snmpd's
STACKED = 12 + 7 + 13  # one over another; over nothing; nothing over it
BOND = 8 + 1 + 2 * 15 + 1  # dot3adAggTable, its port list, its ports; dot3adTablesLastChanged
PORTS = 6 * 2 + 10 + 3 + 4 + 3  # dot3StatsTable, of which two ports have more; dot3HCStatsTable
ADDRESSES = 3 * (5 + 2 + 5) + 2 * (3 + 2) + 5 * 9  # of IPv4, of IPv6, of both
NEIGHBORS = 3 * 4 + 4 * 4
VARBINDS = 3 + ROWS * (22 + 19) + STACKED + ROWS * 2 * 2 + BOND + PORTS
VARBINDS += len(IP_SCALARS) + 2 + 15 + 7  # ipSystemStatsTable of IPv4 and IPv6
VARBINDS += ADDRESSES + NEIGHBORS + ROWS * 2 * 4 + 3  # ipIfStatsTable, and the last changes
PAIRS, STORAGES = 16, 3
VARBINDS += PAIRS * 2 + STORAGES * 6
VARBINDS += (
    14 + 3 * 4 + 2 * 2 + 4 + 19 + 1 + 2
)  # state, threads, heaps, pool, errors, punt, sessions
GOLDEN = Path(__file__).parent / "golden" / "edge-router.walk"
DETAILED = "GigabitEthernet5/0/0"  # which counts multicast and broadcast packets apart
REFUSED = "notWritable"

# What depends on when it is asked: last changes, and VPP's process id, ages and epoch.
VARYING = re.compile(
    rf"({oids.IF_MIB}\.1\.[56]|{oids.LAG}\.1\.3|{oids.IP}\.(?:27|29|31\.2)|{OWN}\.1\.(?:2|3|5|7|9|11|14))\.0"
)


@pytest.fixture
def vppcfg(tmp_path: Path) -> Path:
    path = tmp_path / "vppcfg.yaml"
    path.write_text(VPPCFG)
    return path


@pytest.fixture
def agent(tmp_path: Path, vpp: Simulator, snmpd: Snmpd, vppcfg: Path) -> Iterator[AgentProcess]:
    """The edge router served, its traffic frozen at known values, of which no two are the same."""
    vpp.freeze()
    distinguish(vpp)
    vpp.clear()
    vpp.step(1000)
    with AgentProcess(tmp_path, vpp, snmpd.agentx, "-c", str(vppcfg)) as running:
        wait_until_all_is_served(snmpd)
        yield running


def wait_until_all_is_served(snmpd: Snmpd) -> None:
    """By a short walk of each thing that comes by itself; one of everything takes seconds."""
    wait_for_rows(snmpd)
    wait_for_addresses(snmpd)
    wait_for_neighbors(snmpd)
    wait_for_entries(snmpd, f"{oids.IP}.31.1.1.7", 2)  # errors
    wait_for_entries(snmpd, f"{OWN}.5.1", 19)
    wait_for_entries(snmpd, f"{oids.ETHERLIKE}.11.1.2", 2)  # of drivers
    until("VPP's memory is", lambda: len(storages(snmpd)) == STORAGES)


def distinguish(vpp: Simulator) -> None:
    """Give every interface other rates, sizes and speeds, and one port detailed counters."""
    for number, (name, details) in enumerate(sorted(vpp.interfaces().items()), 1):
        if name.startswith("loop"):  # which has never counted anything
            continue
        rates = {"drops": 1, "punt": 2, "rx_miss": 3, "rx_no_buf": 4, "rx_error": 5, "tx_error": 11}
        vpp.set_traffic(
            name,
            rx=1009 + 10 * number,
            tx=2003 + 10 * number,
            rx_size=701 + 3 * number,
            tx_size=499 + 3 * number,
            **{field: rate + number / 32 for field, rate in rates.items()},
        )
        vpp.set_details(name, mtu=1500 + 4 * number)
        if details["speed"]:
            vpp.set_details(name, speed=details["speed"] + 10**3 * number)
    vpp.set_traffic(DETAILED, detailed=True)


def whole_walk(snmpd: Snmpd, *options: str) -> list[tuple[str, str]]:
    """All that is ours, by name."""
    return [entry for subtree in SUBTREES for entry in walk(snmpd, subtree, *options)]


def walk(
    snmpd: Snmpd, subtree: str, *options: str, tool: str = "snmpbulkwalk"
) -> list[tuple[str, str]]:
    """What is ours of a subtree, by name."""
    least = MIN_STORAGE if subtree == oids.STORAGE else 0
    walked = snmpd.walk(subtree, tool, options).items()
    return [
        (name, lasting(name, value))
        for name, value in walked
        if int(name.rpartition(".")[2]) >= least
    ]


def lasting(name: str, value: str) -> str:
    """Of a value that depends on when it is asked for the type alone."""
    return f"{value.partition(': ')[0]}: (varies)" if VARYING.fullmatch(name) else value


def storages(snmpd: Snmpd) -> dict[int, str]:
    """hrStorageDescr of VPP's memory, by hrStorageIndex."""
    found = snmpd.column(f"{oids.STORAGE}.3")
    return {index: name for index, name in found.items() if index >= MIN_STORAGE}


def key(name: str) -> tuple[int, ...]:
    return tuple(map(int, name.split(".")))


# --- one golden walk, and what must hold of any ------------------------------------------------


def test_the_whole_walk_is_the_golden_one(
    agent: AgentProcess, snmpd: Snmpd, request: pytest.FixtureRequest
) -> None:
    lines = "".join(f"{name} = {value}\n" for name, value in whole_walk(snmpd))
    if request.config.getoption("--update-golden"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(lines)
    assert lines == GOLDEN.read_text()
    assert len(lines.splitlines()) == VARBINDS


COUNTERS = [f"{oids.IF_TABLE}.{column}" for column in (10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20)]


def test_no_two_counters_nor_sizes_of_the_golden_walk_are_the_same() -> None:
    walk = dict(line.split(" = ", 1) for line in GOLDEN.read_text().splitlines())
    columns = {
        entry: {name: value for name, value in walk.items() if name.startswith(f"{entry}.")}
        for entry in (*COUNTERS, f"{oids.IF_X_TABLE}.2", f"{oids.IF_X_TABLE}.3", oids.IF_MTU)
    }
    values = [value for column in columns.values() for value in column.values()]
    moved = [value for value in values if not value.endswith(": 0")]
    assert len(moved) > 100
    assert len(set(moved)) == len(moved)
    detailed = {name.rsplit(".", 1)[1] for name, value in columns[f"{oids.IF_X_TABLE}.2"].items()}
    assert len(detailed) > 10
    assert any(not value.endswith(": 0") for value in columns[f"{oids.IF_X_TABLE}.2"].values())


def test_names_are_in_order_and_none_comes_twice(agent: AgentProcess, snmpd: Snmpd) -> None:
    names = [key(name) for name, _ in whole_walk(snmpd)]
    assert names == sorted(set(names))


def test_every_get_gives_what_the_walk_gave(agent: AgentProcess, snmpd: Snmpd) -> None:
    walked = whole_walk(snmpd)
    for at in range(0, len(walked), 60):
        part = walked[at : at + 60]
        assert asked(snmpd, "snmpget", [name for name, _ in part]) == part


def test_every_getnext_gives_the_neighbour(agent: AgentProcess, snmpd: Snmpd) -> None:
    for subtree in (
        each for each in SUBTREES if each != oids.STORAGE
    ):  # snmpd's own do not stand still
        walked = walk(snmpd, subtree)
        for at in range(0, len(walked) - 1, 60):
            part = walked[at : at + 61]
            assert asked(snmpd, "snmpgetnext", [name for name, _ in part[:-1]]) == part[1:]


def asked(snmpd: Snmpd, tool: str, names: list[str]) -> list[tuple[str, str]]:
    text = snmpd.run(tool, *names).stdout.strip()
    entries = [
        " ".join(entry.split("\n")).removeprefix(".") for entry in re.split(r"\n(?=\.\d)", text)
    ]
    split = (entry.partition(" = ") for entry in entries)
    return [(name, lasting(name, value)) for name, _, value in split]


@pytest.mark.parametrize("repetitions", [1, 10, 50])
def test_a_bulk_walk_gives_what_a_plain_one_gives(
    agent: AgentProcess, snmpd: Snmpd, repetitions: int
) -> None:
    plain = [entry for subtree in SUBTREES for entry in walk(snmpd, subtree, tool="snmpwalk")]
    assert whole_walk(snmpd, f"-Cr{repetitions}") == plain


def test_a_get_of_what_is_not_there_says_what_is_missing(agent: AgentProcess, snmpd: Snmpd) -> None:
    answers = asked(
        snmpd, "snmpget", [f"{oids.HC_IN}.4711", f"{oids.IF_TABLE}.23.1001", f"{oids.HC_IN}.1001"]
    )
    assert "No Such Instance" in answers[0][1]
    assert "No Such Object" in answers[1][1]
    assert answers[2][1].startswith("Counter64: ")


def test_nothing_can_be_set(agent: AgentProcess, snmpd: Snmpd, tmp_path: Path) -> None:
    """Asked with write access, so that it is the agent that refuses."""
    conf = tmp_path / "snmp" / "snmpd.conf"
    conf.write_text(conf.read_text().replace("rocommunity public", "rwcommunity public"))
    snmpd.stop()
    snmpd.start()
    wait_for_rows(snmpd)
    done = snmpd.run("snmpset", f"{oids.IF_ALIAS}.1001", "s", "mine", check=False)
    assert done.returncode
    assert REFUSED in done.stdout + done.stderr
    assert snmpd.column(oids.IF_ALIAS)[1001] == "Infra: access switch"


def test_sysortable_shows_every_module(agent: AgentProcess, snmpd: Snmpd) -> None:
    shown = snmpd.walk("1.3.6.1.2.1.1.9.1.2").values()
    ours = [module.capability for module in modules(Publisher(Configuration(), None, UpTime()))]
    assert oids.IF_MIB in ours
    assert {f"OID: .{each}" for each in ours} <= set(shown)


# --- counters -----------------------------------------------------------------------------------


def test_octets_are_true_at_the_moment_of_the_request(
    agent: AgentProcess, snmpd: Snmpd, vpp: Simulator
) -> None:
    vpp.run()
    for _ in range(5):
        before = vpp.truth()
        served = {"rx": snmpd.column(oids.HC_IN), "tx": snmpd.column(oids.HC_OUT)}
        after = vpp.truth()
        compared = 0
        for name, truth in before.items():
            index = 1000 + truth.sw_if_index
            for way in ("rx", "tx"):
                if index in served[way]:
                    value = int(served[way][index])
                    assert truth.combined[way].bytes <= value <= after[name].combined[way].bytes
                    compared += 1
        assert compared == 2 * ROWS


def test_cleared_counters_go_on_and_are_a_discontinuity(
    agent: AgentProcess, snmpd: Snmpd, vpp: Simulator
) -> None:
    assert set(snmpd.column(oids.IF_DISCONTINUITY).values()) == {"(0) 0:00:00.00"}
    before = snmpd.column(oids.HC_IN)
    vpp.clear()
    assert snmpd.column(oids.HC_IN) == before
    vpp.step(5)
    after = snmpd.column(oids.HC_IN)
    assert all(int(after[index]) >= int(value) for index, value in before.items())
    assert int(after[1001]) > int(before[1001])
    served = snmpd.column(oids.IF_DISCONTINUITY)
    assert served[1001] != "(0) 0:00:00.00"
    assert served[1013] == "(0) 0:00:00.00"  # loop0 has never counted anything


# --- beside snmpd's own table ------------------------------------------------------------------


def test_with_snmpds_own_table_off_no_row_of_the_kernels_ever_shows(
    tmp_path: Path, vpp: Simulator, snmpd: Snmpd
) -> None:
    assert not snmpd.column(oids.IF_NAME)
    assert not snmpd.column(oids.IF_DESCR)
    with AgentProcess(tmp_path, vpp, snmpd.agentx) as agent:
        wait_for_rows(snmpd)
        assert agent.stop() == 0
    wait_for_rows(snmpd, 0)
    assert not snmpd.column(oids.IF_DESCR)


def test_with_snmpds_own_table_on_no_row_of_the_kernels_shows_while_we_are_registered(
    tmp_path: Path, vpp: Simulator
) -> None:
    left_on = SWITCHED_OFF.replace("-ifTable,", "-")
    with Snmpd(tmp_path / "snmp", left_on) as snmpd:
        assert "lo" in snmpd.column(oids.IF_DESCR).values()
        with AgentProcess(tmp_path, vpp, snmpd.agentx):
            wait_until_all_is_served(snmpd)
            assert len(whole_walk(snmpd)) == VARBINDS
            assert min(snmpd.column(oids.IF_INDEX)) == 1001
            assert "lo" not in snmpd.column(oids.IF_DESCR).values()


def test_what_another_agent_holds_is_refused_logged_and_taken_over_when_that_one_ends(
    tmp_path: Path,
    vpp: Simulator,
    snmpd: Snmpd,
    agent: AgentProcess,
    capsys: pytest.CaptureFixture[str],
) -> None:
    directory = tmp_path / "second"
    settings = replace(settings_for(vpp, directory), address=UnixAddress(snmpd.agentx))

    def checked() -> str:
        """What `check` says of the second agent."""
        capsys.readouterr()
        check.check("/nowhere/agent.yaml", lambda: settings)
        return by_thing(capsys.readouterr().out)["agent"][0]

    with AgentProcess(directory, vpp, snmpd.agentx) as second:
        ours = sum(
            len(module.subtrees) for module in modules(Publisher(Configuration(), None, UpTime()))
        )
        ours += STORAGES  # which are registered as they are found
        wait_for_line(second, f"refuses {ours} of ")
        assert second.text().count("refused subtree") == ours
        assert "DUPLICATEREGISTRATION" in second.text()
        assert "`vpp-snmp-agent check` names the modules" in second.text()
        assert "serving snmpd" not in second.text()
        assert checked().startswith("FAIL: ")
        assert f"snmpd refuses {ours} of " in checked()
        names = snmpd.column(oids.IF_NAME)
        asked = snmpd.text().count("duplicate registration")
        until("it asks again", lambda: snmpd.text().count("duplicate registration") > asked)
        agent.stop()
        wait_for_line(second, "serving snmpd")
        assert snmpd.column(oids.IF_NAME) == names
        assert checked().startswith("ok: ")
        # snmpd logs each refusal: it must not be asked for everything each time.
        assert snmpd.text().count("duplicate registration") < 2 * ours
        assert second.text().count("refused subtree") == ours


# --- beside snmpd's rows of one table ----------------------------------------------------------

MAIN_HEAP, STAT_SEGMENT, POOL = 1001, 1002, 1010
PAGE, BUFFER = 4096, 2304
KERNELS = range(1, 31)  # the numbers of the kernel's memory; file systems come and go


def kernels(snmpd: Snmpd) -> list[str]:
    """hrStorageTable's names as they are walked, of the kernel's memory."""
    return [name for name in snmpd.walk(oids.STORAGE) if key(name)[-1] in KERNELS]


def test_snmpds_own_storage_is_intact_before_with_and_after_ours(
    tmp_path: Path, vpp: Simulator, snmpd: Snmpd
) -> None:
    before = kernels(snmpd)
    assert len(before) > 6 * 5
    assert not storages(snmpd)
    with AgentProcess(tmp_path, vpp, snmpd.agentx) as agent:
        until("ours are there", lambda: len(storages(snmpd)) == STORAGES)
        for tool in ("snmpwalk", "snmpbulkwalk"):
            names = [key(name) for name in snmpd.walk(oids.STORAGE, tool)]
            assert names == sorted(set(names))
            for column in range(1, 7):
                indexes = [name[-1] for name in names if name[-2] == column]
                assert indexes[-STORAGES:] == [MAIN_HEAP, STAT_SEGMENT, POOL]
        assert kernels(snmpd) == before
        agent.stop()
    until("ours are gone", lambda: not storages(snmpd))
    assert kernels(snmpd) == before


def test_each_cell_of_vpps_memory_is_what_vpp_wrote(
    agent: AgentProcess, snmpd: Snmpd, vpp: Simulator
) -> None:
    heaps = vpp.heaps()
    rows = {
        MAIN_HEAP: ("VPP main heap", PAGE, *(each // PAGE for each in heaps["main heap"])),
        STAT_SEGMENT: ("VPP stat segment", PAGE, *(each // PAGE for each in heaps["stat segment"])),
        POOL: ("VPP buffers default-numa-0", BUFFER, 168 + 376 + 16_008, 376),
    }
    expected = [
        (f"{oids.STORAGE}.{column}.{index}", value)
        for index, (name, unit, size, used) in rows.items()
        for column, value in enumerate(
            (
                f"INTEGER: {index}",
                "OID: .1.3.6.1.2.1.25.2.1.3",
                f'STRING: "{name}"',
                *(f"INTEGER: {figure}" for figure in (unit, size, used)),
            ),
            start=1,
        )
    ]
    assert asked(snmpd, "snmpget", [name for name, _ in expected]) == expected
    names = [name for name, _ in sorted(expected, key=lambda each: key(each[0]))]
    for column in range(6):
        first, second, third = names[3 * column : 3 * column + 3]
        assert [name for name, _ in asked(snmpd, "snmpgetnext", [first, second])] == [second, third]
    assert "No Such Instance" in asked(snmpd, "snmpget", [f"{oids.STORAGE}.7.{MAIN_HEAP}"])[0][1]


def test_vpps_memory_keeps_its_rows_while_vpp_is_away_and_over_its_restart(
    agent: AgentProcess, snmpd: Snmpd, vpp: Simulator
) -> None:
    names, sizes = storages(snmpd), snmpd.column(f"{oids.STORAGE}.5")
    vpp.stop()
    until("nothing is used", lambda: used(snmpd) == [0, 0, 0])
    assert storages(snmpd) == names
    assert snmpd.column(f"{oids.STORAGE}.5")[MAIN_HEAP] == sizes[MAIN_HEAP]
    snmpd.stop()
    snmpd.start()  # the rows are registered there too, while VPP is away
    until("the rows are there again", lambda: storages(snmpd) == names)
    vpp.start()
    until("memory is used again", lambda: all(used(snmpd)))
    assert storages(snmpd) == names


def test_an_agent_that_starts_while_vpp_hangs_has_its_memory_in_what_it_registers_first(
    tmp_path: Path, vpp: Simulator, snmpd: Snmpd
) -> None:
    with AgentProcess(tmp_path, vpp, snmpd.agentx) as agent:
        until("memory is used", lambda: len(used(snmpd)) == STORAGES and all(used(snmpd)))
        names, sizes = storages(snmpd), snmpd.column(f"{oids.STORAGE}.5")
        agent.stop()
    vpp.hang()
    with AgentProcess(tmp_path, vpp, snmpd.agentx) as agent:
        until("snmpd is served again", lambda: agent.text().count("serving snmpd at") == 2)
        assert storages(snmpd) == names
        assert used(snmpd) == [0, 0, 0]
        assert snmpd.column(f"{oids.STORAGE}.5")[MAIN_HEAP] == sizes[MAIN_HEAP]
        vpp.resume()
        until("memory is used again", lambda: all(used(snmpd)))
        assert storages(snmpd) == names


def test_a_reload_that_changes_the_mibs_has_vpps_memory_in_what_it_registers_first(
    tmp_path: Path, vpp: Simulator, snmpd: Snmpd
) -> None:
    file = tmp_path / "agent.yaml"
    file.write_text("mibs: [IF-MIB]\n")
    with AgentProcess(tmp_path, vpp, snmpd.agentx, "-f", str(file)) as agent:
        wait_for_rows(snmpd)
        assert not storages(snmpd)
        file.write_text("mibs: [IF-MIB, HOST-RESOURCES-MIB]\n")
        agent.send(signal.SIGHUP)
        until("snmpd is served again", lambda: agent.text().count("serving snmpd at") == 2)
        assert len(storages(snmpd)) == STORAGES


def used(snmpd: Snmpd) -> list[int]:
    """hrStorageUsed of VPP's memory."""
    found = snmpd.column(f"{oids.STORAGE}.6")
    return [int(found[index]) for index in sorted(found) if index >= MIN_STORAGE]


def test_a_heap_that_comes_later_is_shown_after_the_others(
    agent: AgentProcess, snmpd: Snmpd, vpp: Simulator
) -> None:
    vpp.add_heap("ip fib", 1 << 44, 12_345_678_901)
    until("it is shown", lambda: len(storages(snmpd)) == STORAGES + 1)
    (index,) = storages(snmpd).keys() - {MAIN_HEAP, STAT_SEGMENT, POOL}
    assert storages(snmpd)[index] == "VPP ip fib"
    row = [snmpd.column(f"{oids.STORAGE}.{column}")[index] for column in (4, 5, 6)]
    assert row == ["16384", str(1 << 30), str(12_345_678_901 // 16_384)]
    assert "refuses" not in agent.text()


def test_a_host_interfaces_ifindex_leads_to_our_ifindex(
    agent: AgentProcess, snmpd: Snmpd, vpp: Simulator
) -> None:
    found = snmpd.column(f"{oids.BRIDGE}.1.4.1.2")
    names = snmpd.column(oids.IF_NAME)
    hosts = {row["vif_index"]: row["host"] for row in vpp.interfaces().values() if row["host"]}
    assert {port: names[int(index)] for port, index in found.items()} == hosts
    assert len(found) == PAIRS
    assert not [
        name for name in snmpd.walk("1.3.6.1.2.1.17") if not name.startswith(f"{oids.BRIDGE}.1.4.")
    ]


def test_while_a_vppcfg_does_not_answer_the_agent_serves_and_its_end_leaves_no_session(
    tmp_path: Path, vpp: Simulator, snmpd: Snmpd, agent: AgentProcess, vppcfg: Path
) -> None:
    described = snmpd.column(oids.IF_ALIAS)
    assert described[1001] == "Infra: access switch"
    agent.stop()
    vppcfg.unlink()
    os.mkfifo(vppcfg)
    agent.start()
    wait_for_rows(snmpd)
    assert snmpd.column(oids.IF_ALIAS) == described
    children = Path(f"/proc/{agent.pid}/task/{agent.pid}/children")
    (reading,) = (
        Path("/proc", pid)
        for pid in children.read_text().split()
        if b"load_descriptions" in Path("/proc", pid, "cmdline").read_bytes()
    )
    agent.kill()
    until("the child has ended", lambda: not reading.exists())
    wait_for_rows(snmpd, 0)  # nobody holds the session
    vppcfg.unlink()
    vppcfg.write_text(VPPCFG)
    agent.start()
    wait_for_rows(snmpd)


# --- what stands on what -------------------------------------------------------------------------


def stack(snmpd: Snmpd) -> dict[str, set[str]]:
    """What LibreNMS's discovery makes of ifStackStatus: names below, by name above."""
    column = f"{oids.IF_MIB}.1.2.1.3"
    names = snmpd.column(oids.IF_NAME)
    found: dict[str, set[str]] = {}
    for name in snmpd.walk(column):
        above, below = map(int, name.removeprefix(f"{column}.").split("."))
        if above and below:
            found.setdefault(names[above], set()).add(names[below])
    return found


def test_sub_interfaces_are_under_their_parents_and_members_under_their_bond(
    agent: AgentProcess, snmpd: Snmpd, vpp: Simulator
) -> None:
    on_bond = {f"bond0.{vlan}": {"bond0"} for vlan in (100, 101, 105, 130, 2502)}
    on_port = {f"enp1s0f3.{vlan}": {"enp1s0f3"} for vlan in (501, 511, 310211)}
    expected = on_bond | on_port | {f"eno1.{vlan}": {"eno1"} for vlan in (205, 992)}
    expected["bond0"] = {f"TenGigabitEthernet1/0/{port}" for port in (0, 1)}
    assert stack(snmpd) == expected
    vpp.add_bridge_domain(10, ["loop0", "BondEthernet0.100", "TenGigabitEthernet1/0/2"], "loop0")
    vpp.set_link("GigabitEthernet6/0/0", True)  # an event, so that VPP is asked at once
    expected["loop0"] = {"bond0.100", "enp1s0f2"}
    until("the BVI is over its ports", lambda: stack(snmpd) == expected)
    vpp.kill()
    wait_until_down(snmpd)
    assert stack(snmpd) == expected


def test_bonds_report_their_members_and_ports_of_their_duplex(
    agent: AgentProcess, snmpd: Snmpd, vpp: Simulator
) -> None:
    attached = f"{oids.LAG}.1.2.1.1.13"
    assert snmpd.column(attached) == {1003: "1011", 1004: "1011"}
    assert snmpd.column(f"{oids.ETHERLIKE}.2.1.19") == dict.fromkeys(range(1001, 1007), "3")
    vpp.set_details("GigabitEthernet5/0/0", duplex=1)
    vpp.set_link("GigabitEthernet5/0/0", False)  # an event, so that VPP is asked for it at once
    vpp.set_link("TenGigabitEthernet1/0/1", False)
    until("one is detached", lambda: snmpd.column(attached) == {1003: "1011", 1004: "0"})
    until("the duplex shows", lambda: snmpd.column(f"{oids.ETHERLIKE}.2.1.19")[1001] == "2")


# --- addresses ------------------------------------------------------------------------------------

LEFT_TO_SNMPD = "-smux,mteTrigger,mteTriggerConf,ifTable"  # all its oids.IP tables stay on
NAMED = {
    "203.0.113.17": "enp1s0f2",
    "198.51.100.1": "eno1.205",
    "192.0.2.1": "loop0",
    "2001:db8:205::1": "eno1.205",
    "2001:db8::1": "loop0",
}


def addresses_by_librenms(snmpd: Snmpd) -> dict[str, str]:
    """Names of ports by address, as LibreNMS's discovery attaches them."""
    ports = snmpd.column(oids.IF_NAME)
    found = {}
    for name, value in snmpd.walk(f"{oids.IP}.20.1.2").items():
        found[name.removeprefix(f"{oids.IP}.20.1.2.")] = ports[int(value.removeprefix("INTEGER: "))]
    for name, value in snmpd.walk(f"{oids.IP}.34.1.3.2.16").items():
        octets = bytes(map(int, name.split(".")[-16:]))
        port = ports[int(value.removeprefix("INTEGER: "))]
        # The prefix length is the last number of where this points.
        pointer = snmpd.walk(f"{oids.IP}.34.1.5.2.16.{'.'.join(map(str, octets))}")
        (to,) = pointer.values()
        assert snmpd.run("snmpget", to.removeprefix("OID: .")).stdout.strip().endswith("INTEGER: 1")
        found[str(ip_address(octets))] = port
    return found


def neighbors_by_librenms(snmpd: Snmpd) -> set[tuple[str, str]]:
    """Names of ports and addresses behind them."""
    ports = snmpd.column(oids.IF_NAME)
    found = set()
    for name in snmpd.walk(f"{oids.IP}.22.1.2"):
        index, *octets = map(int, name.removeprefix(f"{oids.IP}.22.1.2.").split("."))
        found.add((ports[index], str(ip_address(bytes(octets)))))
    for name in snmpd.walk(f"{oids.IP}.35.1.4"):
        index, _, _, *octets = map(int, name.removeprefix(f"{oids.IP}.35.1.4.").split("."))
        found.add((ports[index], str(ip_address(bytes(octets)))))
    return found


def test_every_address_and_neighbour_is_on_a_port_that_exists(
    agent: AgentProcess, snmpd: Snmpd
) -> None:
    assert addresses_by_librenms(snmpd) == NAMED
    assert neighbors_by_librenms(snmpd) == {
        ("eno1.205", "198.51.100.2"),
        ("eno1.205", "2001:db8:205::2"),
        ("enp1s0f2", "203.0.113.1"),
        ("enp1s0f2", "203.0.113.18"),
    }


def test_cactis_walks_find_as_many_distinct_indexes_as_rows(
    agent: AgentProcess, snmpd: Snmpd
) -> None:
    indexes = snmpd.column(oids.IF_INDEX)
    assert snmpd.walk(f"{oids.INTERFACES}.1") == {f"{oids.INTERFACES}.1.0": f"INTEGER: {ROWS}"}
    for column in (1, 8, 7, 2, 3, 5, 6):
        assert snmpd.column(f"{oids.IF_TABLE}.{column}").keys() == indexes.keys()
    for column in (1, 18, 15):
        assert snmpd.column(f"{oids.IF_X_TABLE}.{column}").keys() == indexes.keys()
    assert (
        len(indexes) == len(set(indexes.values())) == len(set(snmpd.column(oids.IF_NAME).values()))
    )
    addressed = [
        value.removeprefix("INTEGER: ") for value in snmpd.walk(f"{oids.IP}.20.1.2").values()
    ]
    assert len(addressed) == 3
    assert set(addressed) <= set(indexes.values())


def test_beside_snmpds_own_ip_tables_only_ours_show_and_the_rest_stays_its_own(
    tmp_path: Path, vpp: Simulator
) -> None:
    with Snmpd(tmp_path / "snmp", LEFT_TO_SNMPD) as snmpd:
        before = snmpd.walk(oids.IP)
        assert f"{oids.IP}.20.1.2.127.0.0.1" in before
        theirs = {name for name in before if not name.startswith(tuple(f"{e}." for e in OF_IP))}
        assert f"{oids.IP}.10.0" in theirs  # ipOutRequests
        with AgentProcess(tmp_path, vpp, snmpd.agentx):
            wait_for_rows(snmpd)
            wait_for_addresses(snmpd)
            wait_for_neighbors(snmpd)
            until(
                "errors are counted",
                lambda: "Counter32: 351" in snmpd.walk(f"{oids.IP}.4").values(),
            )
            walked = snmpd.walk(oids.IP)
            assert theirs <= walked.keys()
            assert addresses_by_librenms(snmpd) == NAMED
            ours = {name for subtree in OF_IP for name in snmpd.walk(subtree)}
            assert walked.keys() - theirs == ours
            assert not [name for name in ours if "127.0.0.1" in name]
            assert list(walked) == sorted(walked, key=key)


def test_what_a_driver_counts_is_served_and_does_not_fall(
    agent: AgentProcess, snmpd: Snmpd, vpp: Simulator
) -> None:
    names = {name: index for index, name in snmpd.column(oids.IF_NAME).items()}
    port = names["TenGigabitEthernet1/0/0"]
    fcs, too_long = f"{oids.ETHERLIKE}.11.1.2.{port}", f"{oids.ETHERLIKE}.2.1.13.{port}"
    vpp.set_xstats("TenGigabitEthernet1/0/0", 512_080, 5_000_000_124, 28, 1, 66, 4)
    until("it is counted", lambda: snmpd.walk(too_long) == {too_long: "Counter32: 66"})
    assert snmpd.walk(fcs) == {fcs: "Counter64: 5000000124"}
    vpp.set_xstats("TenGigabitEthernet1/0/0", 0, 0, 0, 0, 68, 0)
    assert snmpd.walk(fcs) == {fcs: "Counter64: 5000000124"}


def test_packets_of_either_family_are_read_at_the_moment_of_the_request(
    agent: AgentProcess, snmpd: Snmpd, vpp: Simulator
) -> None:
    truth = vpp.truth()["GigabitEthernet5/0/0.205"]
    names = {name: index for index, name in snmpd.column(oids.IF_NAME).items()}
    index = names["eno1.205"]
    for version, source in ((1, "ip4"), (2, "ip6")):
        served = snmpd.walk(f"{oids.IP}.31.3.1.4.{version}.{index}")
        assert list(served.values()) == [f"Counter64: {truth.simple[source]}"]
        assert truth.simple[source] > 0


def test_addresses_and_the_stack_stay_while_vpp_is_away_even_over_a_restart(
    agent: AgentProcess, snmpd: Snmpd, vpp: Simulator
) -> None:
    stacked = stack(snmpd)
    vpp.kill()
    wait_until_down(snmpd)
    for end in (None, agent.stop, agent.kill):
        if end:
            end()
            agent.start()
            wait_for_rows(snmpd)
        assert addresses_by_librenms(snmpd) == NAMED
        assert stack(snmpd) == stacked
        assert set(snmpd.walk(f"{oids.IP}.34.1.7").values()) == {"INTEGER: 4"}  # inaccessible


# --- coming and going --------------------------------------------------------------------------


def test_the_order_of_starting_does_not_matter(tmp_path: Path, vppcfg: Path) -> None:
    vpp = Simulator(tmp_path / "vpp")
    snmpd = Snmpd(tmp_path / "snmp")
    with AgentProcess(tmp_path, vpp, snmpd.agentx) as agent:
        wait_for_line(agent, "VPP is away")
        assert agent.text().count("no snmpd yet") == 1
        with snmpd, vpp:
            wait_for_rows(snmpd)


def test_rows_answer_again_when_snmpd_returns(agent: AgentProcess, snmpd: Snmpd) -> None:
    for end in (snmpd.stop, snmpd.kill):
        end()
        snmpd.start()
        wait_for_rows(snmpd)
    assert agent.text().count("\n") < 12


def test_while_vpp_is_away_its_rows_stay_and_are_down(
    agent: AgentProcess, snmpd: Snmpd, vpp: Simulator
) -> None:
    names, octets = snmpd.column(oids.IF_NAME), snmpd.column(oids.HC_IN)
    vpp.kill()
    over_another = {
        index for index, name in names.items() if "." in name or name.startswith("bond")
    }
    expected = {index: "7" if index in over_another else "2" for index in names}
    until("every row is down", lambda: snmpd.column(oids.OPER_STATUS) == expected)
    assert snmpd.column(oids.IF_NAME) == names
    assert snmpd.column(oids.HC_IN) == octets
    vpp.start()
    wait_for_cell(snmpd, oids.OPER_STATUS, 1001, "1")
    assert "VPP is away" in agent.text()


def test_while_vpp_hangs_counters_go_on(agent: AgentProcess, snmpd: Snmpd, vpp: Simulator) -> None:
    vpp.run()
    vpp.hang()
    wait_for_line(agent, "VPP's API does not answer since")
    before = snmpd.column(oids.HC_IN)
    until("octets move", lambda: int(snmpd.column(oids.HC_IN)[1001]) > int(before[1001]))
    assert snmpd.column(oids.OPER_STATUS)[1001] == "1"
    vpp.resume()
    wait_for_line(agent, "answers again")


def test_an_index_that_vpp_gives_away_is_never_read_under_the_old_name(
    agent: AgentProcess, snmpd: Snmpd, vpp: Simulator
) -> None:
    """Not even where VPP's API reports nothing of it for as long as it likes."""
    index = index_of_row(snmpd, "bond0.130")
    octets = snmpd.column(oids.HC_IN)[index]
    assert int(octets) > 0
    vpp.run()
    vpp.hang()
    vpp.reuse("BondEthernet0.130", Spec("loop77", "Loopback", traffic=Traffic(rx=9e6)))
    until("the new one has counted more", lambda: vpp.truth()["loop77"].rx.bytes > 2 * int(octets))
    served = snmpd.column(oids.HC_IN)
    assert (snmpd.column(oids.IF_NAME)[index], served[index]) == ("bond0.130", octets)
    until("the others move on", lambda: int(snmpd.column(oids.HC_IN)[1001]) > int(served[1001]))
    vpp.resume()
    wait_for_name(snmpd, "loop77")


def test_counters_go_on_under_a_lock_that_is_kept_for_ever(
    agent: AgentProcess, snmpd: Snmpd, vpp: Simulator
) -> None:
    before = snmpd.column(oids.HC_IN)
    vpp.run()
    vpp.hang()
    vpp.hold_lock()
    until("octets move", lambda: int(snmpd.column(oids.HC_IN)[1001]) > int(before[1001]))
    truth = vpp.truth()["GigabitEthernet5/0/0"].rx.bytes
    assert (
        truth <= int(snmpd.column(oids.HC_IN)[1001]) <= vpp.truth()["GigabitEthernet5/0/0"].rx.bytes
    )


def test_a_link_that_fails_shows_at_once(agent: AgentProcess, snmpd: Snmpd, vpp: Simulator) -> None:
    vpp.set_link("GigabitEthernet5/0/0", False)
    wait_for_cell(snmpd, oids.OPER_STATUS, 1001, "2")
    assert snmpd.column(oids.OPER_STATUS)[1015] == "7"  # eno1.205 is over it
    assert snmpd.column(oids.IF_LAST_CHANGE)[1001] != "(0) 0:00:00.00"


def test_the_loss_of_one_of_several_members_shows_long_before_the_api_would_be_asked(
    tmp_path: Path, vpp: Simulator, snmpd: Snmpd, vppcfg: Path
) -> None:
    """The segment says it, and the API is not asked for another 300 s unless it does."""
    member, attached = 1003, f"{oids.LAG}.1.2.1.1.13"
    settings = tmp_path / "agent.yaml"
    settings.write_text("period: 300\n")
    with AgentProcess(tmp_path, vpp, snmpd.agentx, "-c", str(vppcfg), "-f", str(settings)):
        wait_for_cell(snmpd, attached, member, "1011")
        calls = vpp.calls()
        vpp.set_active("TenGigabitEthernet1/0/0", False)
        wait_for_cell(snmpd, attached, member, "0")
        assert snmpd.column(oids.HIGH_SPEED)[1011] == "10000"
        asked = "sw_interface_lacp_dump"
        until("the API is asked too", lambda: vpp.calls()[asked] > calls[asked])


def test_the_agent_says_goodbye(agent: AgentProcess, snmpd: Snmpd) -> None:
    assert agent.stop() == 0
    wait_for_rows(snmpd, 0)
    assert agent.text().splitlines()[-1].endswith("vpp-snmp-agent ends")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_agentx_over_tcp_is_served_too(tmp_path: Path, vpp: Simulator, host: str) -> None:
    """In snmpd's own namespace, because TCP does not reach another one; localhost is ::1 first."""
    with Snmpd(tmp_path / "snmp", agentx="tcp:127.0.0.1:11705") as snmpd:
        agent = AgentProcess(tmp_path, vpp, f"{host}:11705")
        agent._command = [*snmpd.enter(), *agent._command]
        with agent:
            wait_for_rows(snmpd)


# --- descriptions ---------------------------------------------------------------------------------


def test_a_slip_in_the_vppcfg_does_not_blind_the_monitoring(
    tmp_path: Path, vpp: Simulator, snmpd: Snmpd, vppcfg: Path
) -> None:
    vppcfg.write_text("interfaces:\n  GigabitEthernet5/0/0: [ 1, 2 ]\n")
    with AgentProcess(tmp_path, vpp, snmpd.agentx, "-c", str(vppcfg)) as agent:
        wait_for_rows(snmpd)
        assert set(snmpd.column(oids.IF_ALIAS).values()) == {""}
        assert f"ERROR {vppcfg}:2: expected GigabitEthernet5/0/0 as a mapping" in agent.text()
        vppcfg.write_text(VPPCFG)
        agent.send(signal.SIGHUP)
        until(
            "the description shows",
            lambda: snmpd.column(oids.IF_ALIAS)[1001] == "Infra: access switch",
        )
        vppcfg.write_text("interfaces: '\n")
        agent.send(signal.SIGHUP)
        wait_for_line(agent, "stay as they were")
        assert snmpd.column(oids.IF_ALIAS)[1001] == "Infra: access switch"


def test_a_vppcfg_that_is_absent_is_one_notice(
    tmp_path: Path, vpp: Simulator, snmpd: Snmpd
) -> None:
    with AgentProcess(tmp_path, vpp, snmpd.agentx, "-c", str(tmp_path / "nowhere.yaml")) as agent:
        wait_for_rows(snmpd)
        assert agent.text().count("nowhere.yaml: there is no such file") == 1
