"""What `show` and `walk` print, and that they leave nothing behind."""

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from simulator import Simulator
from simulator.scenario import VPPCFG
from simulator.stage import AgentProcess, Snmpd, until
from vpp_snmp_agent.agentx.values import (
    COUNTER32,
    COUNTER64,
    GAUGE32,
    INTEGER,
    IP_ADDRESS,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    TIMETICKS,
    ValueType,
    VarBind,
    oid,
)
from vpp_snmp_agent.interfaces.facts import ETHERNET_CSMACD, Facts
from vpp_snmp_agent.interfaces.state import JOURNAL, State
from vpp_snmp_agent.interfaces.totals import Saved
from vpp_snmp_agent.mibs import vpp_snmp_agent_mib
from vpp_snmp_agent.operator import show, snapshot
from vpp_snmp_agent.runtime import children
from vpp_snmp_agent.settings.declarations import Settings

from .edge_router import ROWS, wait_for_entries, wait_for_neighbors, wait_for_rows
from .oids import ETHERLIKE, HC_IN, IF_ALIAS, IF_MIB, IF_NAME, IF_X_TABLE, INTERFACES, IP
from .operators import Run, settings_for


@pytest.fixture(autouse=True)
def no_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "RATE_INTERVAL", 0.0)


@pytest.fixture
def settings(vpp: Simulator, tmp_path: Path) -> Settings:
    """Those of a frozen edge router with descriptions."""
    vpp.freeze()
    vpp.clear()
    vpp.step(1000)
    path = tmp_path / "vppcfg.yaml"
    path.write_text(VPPCFG)
    return replace(settings_for(vpp, tmp_path), vppcfg=str(path))


@pytest.fixture
def known(tmp_path: Path) -> None:
    """One interface is known from before."""
    state = State.open(str(tmp_path / "state"))
    state.assign("GigabitEthernet5/0/0", 5)
    until("it is durable", state.committed)
    facts = Facts(
        name="eno1",
        alias="to Bern",
        type=ETHERNET_CSMACD,
        mtu=9000,
        speed=10**9,
        phys_address=bytes.fromhex("6805ca324610"),
        has_connector=True,
        duplex=2,
        paired=True,
        link_traps=True,
        admin_up=True,
    )
    state.show("GigabitEthernet5/0/0", facts)
    state.close()


# --- show ------------------------------------------------------------------------------------


def test_the_table_has_a_line_for_each_interface(run: Run, settings: Settings) -> None:
    printed = run(lambda: show.show(settings, False))
    assert printed.status == 0
    assert printed.err == ""
    heads = "ifIndex ifName VPP_name alias kind admin/oper speed MTU in out"
    assert printed.table[0] == [head.replace("_", " ") for head in heads.split()]
    assert len(printed.table) == 1 + ROWS
    lines = {line[0]: line[1:] for line in printed.table}
    assert lines["1001"] == [
        *("eno1", "GigabitEthernet5/0/0", "Infra: access switch", "dpdk"),
        *("up/up", "1 Gb/s", "9000", "0 b/s", "0 b/s"),
    ]
    assert lines["1029"] == [
        *("bond0.105", "BondEthernet0.105", "Cust: office", "sub of bond0"),
        *("up/up", "20 Gb/s", "1500", "0 b/s", "0 b/s"),
    ]
    assert lines["1013"][3:6] == ["Loopback", "up/up", "-"]
    assert lines["1002"][4] == "down/down"


def test_the_columns_are_aligned(run: Run, settings: Settings) -> None:
    lines = run(lambda: show.show(settings, False)).out.splitlines()
    for head in ("ifName", "VPP name", "alias", "kind", "admin/oper"):
        at = lines[0].index(head)
        assert {line[at - 2 : at] for line in lines} == {"  "}, head
    assert all(line == line.rstrip() for line in lines)


def test_json_has_the_truth(run: Run, settings: Settings, vpp: Simulator) -> None:
    printed = run(lambda: show.show(settings, True))
    assert printed.status == 0
    shown = json.loads(printed.out)
    truth = vpp.truth()
    assert len(shown) == ROWS
    for each in shown:
        assert each["inOctets"] == truth[each["vppName"]].rx.bytes
        assert each["outOctets"] == truth[each["vppName"]].tx.bytes
        assert each["ifIndex"] == 1000 + truth[each["vppName"]].sw_if_index
        assert each["inRate"] == each["outRate"] == 0
    assert shown[0] == {
        "ifIndex": 1001,
        "ifName": "eno1",
        "vppName": "GigabitEthernet5/0/0",
        "ifAlias": "Infra: access switch",
        "kind": "dpdk",
        "ifAdminStatus": "up",
        "ifOperStatus": "up",
        "speed": 10**9,
        "ifMtu": 9000,
        "ifPhysAddress": "68:05:ca:32:46:10",
        "inOctets": truth["GigabitEthernet5/0/0"].rx.bytes,
        "outOctets": truth["GigabitEthernet5/0/0"].tx.bytes,
        "inRate": 0,
        "outRate": 0,
    }
    assert {each["ifAlias"] for each in shown} >= {"Cust: Zürich Nord", ""}


def test_a_status_is_the_mibs_word(run: Run, settings: Settings, vpp: Simulator) -> None:
    vpp.set_link("GigabitEthernet5/0/0", False)
    shown = {
        each["ifName"]: each for each in json.loads(run(lambda: show.show(settings, True)).out)
    }
    assert shown["eno1"]["ifOperStatus"] == "down"
    assert shown["eno1.205"]["ifOperStatus"] == "lowerLayerDown"
    assert shown["eno1.205"]["ifAdminStatus"] == "up"


def test_rates_are_those_of_the_interval(
    run: Run, settings: Settings, vpp: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """3,100 packets of 380 octets a second come in, 7,400 of 1,210 go out."""
    monkeypatch.setattr(snapshot, "RATE_INTERVAL", 0.3)
    vpp.run()
    shown = {
        each["ifName"]: each for each in json.loads(run(lambda: show.show(settings, True)).out)
    }
    assert 1 / 3 < shown["eno1.205"]["inRate"] / (3_100 * 380 * 8) < 3
    assert 1 / 3 < shown["eno1.205"]["outRate"] / (7_400 * 1_210 * 8) < 3
    assert shown["loop0"]["inRate"] == 0


@pytest.mark.parametrize(
    ("before", "after", "rate"),
    [(1000, 2000, 4000), (1000, 1000, 0), (1000, 999, None), (None, 5, None), (5, None, None)],
)
def test_a_rate_is_bits_a_second_or_unknown(
    before: int | None, after: int | None, rate: int | None
) -> None:
    assert show._rate(before, after, 2.0) == rate


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (None, "-"),
        (0, "0 b/s"),
        (999, "999 b/s"),
        (1000, "1 kb/s"),
        (12_345_678, "12.3 Mb/s"),
        (999_499_999, "999 Mb/s"),
        (999_999_999, "1 Gb/s"),
        (10**11, "100 Gb/s"),
        (16 * 10**11, "1.6 Tb/s"),
    ],
)
def test_bits_are_printed_with_three_digits(number: int | None, shown: str) -> None:
    assert show._bits(number) == shown


def test_what_vpp_says_has_no_power_over_the_terminal(
    run: Run, settings: Settings, vpp: Simulator
) -> None:
    vpp.set_details("BondEthernet0.130", tag=b"\x1b[2Jgone\n")
    printed = run(lambda: show.show(settings, False))
    assert {line[0]: line for line in printed.table}["1031"][3] == "[2Jgone"
    (shown,) = [
        each["ifAlias"]
        for each in json.loads(run(lambda: show.show(settings, True)).out)
        if each["ifIndex"] == 1031
    ]
    assert shown == " [2Jgone "


def test_a_terminal_that_knows_latin_1_alone_shows_what_it_can(
    settings: Settings, vpp: Simulator
) -> None:
    vpp.set_details("BondEthernet0.130", tag="Zürich 東京".encode())
    sockets = (f"--api-socket={settings.api_socket}", f"--stats-socket={settings.stats_socket}")
    shown = subprocess.run(
        (sys.executable, "-m", "vpp_snmp_agent", "show", *sockets, "--ifindex=stateless"),
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert "Zürich ??" in shown.stdout.decode("latin-1")


def test_taps_are_shown_where_their_names_are_served(run: Run, settings: Settings) -> None:
    printed = run(lambda: show.show(replace(settings, names="tap"), False))
    aliases = [line[3] for line in printed.table]
    assert len(printed.table) == 1 + ROWS + 16
    assert any(re.fullmatch(r"LCP GigabitEthernet5/0/0 \(tap\d+\)", alias) for alias in aliases)


# --- what is unavailable ---------------------------------------------------------------------


@pytest.mark.parametrize(("as_json", "out"), [(False, ""), (True, "[]\n")])
def test_without_vpp_and_any_state_nothing_is_shown(
    run: Run, gone: Settings, as_json: bool, out: str
) -> None:
    assert run(lambda: show.show(gone, as_json)) == (
        1,
        out,
        f"vpp-snmp-agent: {gone.api_socket}: there is no such socket;"
        " start VPP, with `socksvr { default }` in its startup.conf\n",
    )


@pytest.mark.usefixtures("known")
def test_without_vpp_what_is_known_is_shown_down(run: Run, gone: Settings) -> None:
    printed = run(lambda: show.show(gone, False))
    assert printed.status == 1
    (line,) = printed.table[1:]
    assert line == [
        *("1005", "eno1", "GigabitEthernet5/0/0", "to Bern", "-"),
        *("up/down", "1 Gb/s", "9000", "-", "-"),
    ]
    assert printed.err.endswith("\nvpp-snmp-agent: these are the interfaces as last known\n")


@pytest.mark.usefixtures("known")
def test_a_vpp_that_hangs_is_reported(
    run: Run, settings: Settings, vpp: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "ANSWER_TIMEOUT", 0.7)
    vpp.hang()
    printed = run(lambda: show.show(settings, True))
    assert printed.status == 1
    (shown,) = json.loads(printed.out)
    assert (shown["ifName"], shown["ifOperStatus"]) == ("eno1", "unknown")
    assert (shown["kind"], shown["inOctets"], shown["inRate"]) == ("", None, None)
    assert printed.err.startswith(
        f"vpp-snmp-agent: {vpp.api_socket}: no answer from VPP within 0.7 s: it hangs"
    )


def test_a_vpp_that_was_killed_is_reported(run: Run, settings: Settings, vpp: Simulator) -> None:
    vpp.kill()
    printed = run(lambda: show.show(settings, False))
    assert printed.status == 1
    assert printed.err == f"vpp-snmp-agent: {vpp.api_socket}: nobody listens; start VPP\n"


def test_a_vpp_whose_api_is_not_known_is_reported(run: Run, tmp_path: Path) -> None:
    with Simulator(tmp_path / "vpp", release="23.06") as vpp:
        settings = replace(settings_for(vpp, tmp_path), api_dir=str(tmp_path / "nowhere"))
        printed = run(lambda: show.show(settings, False))
    assert printed.status == 1
    assert f"{vpp.api_socket}: this VPP is older than 24.06 and" in printed.err


def test_without_counters_the_rest_is_shown(run: Run, settings: Settings, tmp_path: Path) -> None:
    nowhere = tmp_path / "stats.sock"
    settings = replace(settings, stats_socket=str(nowhere))
    printed = run(lambda: show.show(settings, False))
    assert printed.status == 1
    assert printed.table[1][-3:] == ["9000", "-", "-"]
    assert printed.err == (
        f"vpp-snmp-agent: no counters: {nowhere}: there is no such socket;"
        " start VPP, with `statseg { default }` in its startup.conf\n"
    )
    walked = run(lambda: show.walk(settings, IF_MIB))
    assert walked.status == 1
    assert f".{IF_NAME}.1001 = " in walked.out
    assert f".{HC_IN}.1001 = " not in walked.out


@pytest.mark.usefixtures("known")
def test_a_damaged_state_file_is_reported_and_stays(
    run: Run, settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "state" / JOURNAL
    path.write_text("{}")
    printed = run(lambda: show.show(settings, False))
    assert printed.status == 0
    assert len(printed.table) == 1 + ROWS
    assert caplog.messages == [f"{path}: damaged lines left out: 1"]
    assert path.read_text() == "{}"


@pytest.mark.usefixtures("known")
def test_an_index_that_is_known_is_shown(run: Run, settings: Settings) -> None:
    shown = json.loads(run(lambda: show.show(settings, True)).out)
    assert [each["ifName"] for each in shown if each["ifIndex"] == 1005] == ["eno1"]
    stateless = replace(settings, ifindex="stateless")
    shown = json.loads(run(lambda: show.show(stateless, True)).out)
    assert [each["ifName"] for each in shown if each["ifIndex"] == 1005] == ["enp1s0f2"]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (None, "vppcfg.yaml: there is no such file"),
        ("interfaces: [1]\n", "vppcfg.yaml:1: expected interfaces as a mapping"),
    ],
)
def test_descriptions_that_are_unavailable_are_reported(
    run: Run, settings: Settings, text: str | None, wrong: str
) -> None:
    assert settings.vppcfg
    Path(settings.vppcfg).unlink()
    if text:
        Path(settings.vppcfg).write_text(text)
    printed = run(lambda: show.show(settings, True))
    assert printed.status == 0
    assert {each["ifAlias"] for each in json.loads(printed.out)} == {""}
    assert wrong in printed.err
    assert printed.err.endswith("; interfaces go without descriptions\n")


# --- walk ------------------------------------------------------------------------------------


def test_a_walk_goes_below_an_oid(run: Run, settings: Settings) -> None:
    for given in ("1.3.6.1.2.1.2.2.1.7", ".1.3.6.1.2.1.2.2.1.7"):
        printed = run(lambda given=given: show.walk(settings, given))  # type: ignore[misc]
        lines = printed.out.splitlines()
        assert (printed.status, printed.err, len(lines)) == (0, "", ROWS)
        assert lines[0] == ".1.3.6.1.2.1.2.2.1.7.1001 = INTEGER: 1"
        assert lines[1] == ".1.3.6.1.2.1.2.2.1.7.1002 = INTEGER: 2"


def test_a_walk_of_an_instance_is_that_instance(run: Run, settings: Settings) -> None:
    printed = run(lambda: show.walk(settings, "1.3.6.1.2.1.2.1.0"))
    assert printed == (0, ".1.3.6.1.2.1.2.1.0 = INTEGER: 18\n", "")


def test_a_walk_of_all_is_all_that_is_served(run: Run, settings: Settings) -> None:
    lines = run(lambda: show.walk(settings, None)).out.splitlines()
    names = [line.partition(" = ")[0] for line in lines if line.startswith(".")]
    golden = (Path(__file__).parent / "golden" / "edge-router.walk").read_text().splitlines()
    assert [name[1:] for name in names] == [line.partition(" = ")[0] for line in golden]
    keys = [tuple(map(int, name[1:].split("."))) for name in names]
    assert keys == sorted(set(keys))


def test_a_walk_counts_on_from_what_the_agent_saved(run: Run, settings: Settings) -> None:
    state = State.open(settings.state_dir)
    state.save_totals("ip 4", Saved(4711, {"InHdrErrors": (1000, 0)}), urgent=False)
    state.close()
    printed = run(lambda: show.walk(settings, "1.3.6.1.2.1.4.4"))
    assert printed.out == ".1.3.6.1.2.1.4.4.0 = Counter32: 1351\n"


def test_a_walk_of_what_is_not_served_says_so(run: Run, settings: Settings) -> None:
    assert run(lambda: show.walk(settings, "1.3.6.1.2.1.6")) == (
        1,
        "",
        "vpp-snmp-agent: no such object: nothing is served at or below 1.3.6.1.2.1.6\n",
    )


@pytest.mark.parametrize("given", ["ifName", "", ".", "1..3", "1.3.-6", "1.4294967296"])
def test_what_is_no_oid_is_refused(run: Run, gone: Settings, given: str) -> None:
    assert run(lambda: show.walk(gone, given)) == (
        1,
        "",
        f"vpp-snmp-agent: {given!r} is no OID: expected numbers, as in 1.3.6.1.2.1.2.2\n",
    )


@pytest.mark.usefixtures("known")
def test_without_vpp_a_walk_shows_what_is_known(run: Run, gone: Settings) -> None:
    printed = run(lambda: show.walk(gone, IF_X_TABLE))
    assert printed.status == 1
    assert f'.{IF_ALIAS}.1005 = STRING: "to Bern"\n' in printed.out
    assert f"{HC_IN}.1005" not in printed.out


API_STATE = f"{vpp_snmp_agent_mib.OBJECTS}.1.4"


def test_a_walk_says_that_vpp_is_away(run: Run, gone: Settings) -> None:
    assert f".{API_STATE}.0 = INTEGER: 3\n" in run(lambda: show.walk(gone, API_STATE)).out


def test_a_walk_says_that_vpp_hangs(
    run: Run, settings: Settings, vpp: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "ANSWER_TIMEOUT", 0.3)
    vpp.hang()
    assert f".{API_STATE}.0 = INTEGER: 2\n" in run(lambda: show.walk(settings, API_STATE)).out


# As net-snmp 5.9.3 printed each of these, of an agent that served them.
@pytest.mark.parametrize(
    ("type_", "value", "text"),
    [
        (OCTET_STRING, b"", '""'),
        (OCTET_STRING, b"plain", 'STRING: "plain"'),
        (OCTET_STRING, b'a"b\\c', r'STRING: "a\"b\\c"'),
        (OCTET_STRING, b"tab\there", 'STRING: "tab\there"'),
        (OCTET_STRING, b"nl\n.1.2", 'STRING: "nl\n.1.2"'),
        (OCTET_STRING, b"end\0", "Hex-STRING: 65 6E 64 00 "),
        (OCTET_STRING, b"a\x7f", "Hex-STRING: 61 7F "),
        (
            *(OCTET_STRING, bytes(range(16))),
            "Hex-STRING: 00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F ",
        ),
        (
            *(OCTET_STRING, bytes(range(17))),
            "Hex-STRING: 00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F \n10 ",
        ),
        (TIMETICKS, 0, "Timeticks: (0) 0:00:00.00"),
        (TIMETICKS, 123, "Timeticks: (123) 0:00:01.23"),
        (TIMETICKS, 8639999, "Timeticks: (8639999) 23:59:59.99"),
        (TIMETICKS, 8640000, "Timeticks: (8640000) 1 day, 0:00:00.00"),
        (TIMETICKS, 34560005, "Timeticks: (34560005) 4 days, 0:00:00.05"),
        (TIMETICKS, 2**32 - 1, "Timeticks: (4294967295) 497 days, 2:27:52.95"),
        (OBJECT_IDENTIFIER, oid("0.0"), "OID: .0.0"),
        (OBJECT_IDENTIFIER, oid("1.3.6"), "OID: .1.3.6"),
        (INTEGER, -5, "INTEGER: -5"),
        (GAUGE32, 2**32 - 1, "Gauge32: 4294967295"),
        (COUNTER32, 7, "Counter32: 7"),
        (COUNTER64, 2**64 - 1, "Counter64: 18446744073709551615"),
        (IP_ADDRESS, bytes((192, 0, 2, 1)), "IpAddress: 192.0.2.1"),
    ],
)
def test_a_value_is_printed_as_by_snmpwalk(type_: ValueType, value: Any, text: str) -> None:
    varbind = VarBind(oid("1.3.6.1.2.1.99.1"), type_, value)
    assert show.in_snmpwalks_form(varbind) == f".1.3.6.1.2.1.99.1 = {text}"


@pytest.mark.system
def test_a_walk_is_what_snmpwalk_gets_from_a_running_agent(
    run: Run, settings: Settings, vpp: Simulator, snmpd: Snmpd, tmp_path: Path
) -> None:
    """But for the last change of each table, which is when that agent saw its first row."""
    vpp.set_details("BondEthernet0.130", tag=b'"quoted" \\ and\ttabbed')
    vpp.set_details("TenGigabitEthernet1/0/3.511", tag="Zürich, and on to the next line".encode())
    last_change = re.compile(
        r"^(\.1\.3\.6\.1\.2\.1\.(?:31\.1\.[56]|4\.2[79]|4\.31\.2)\.0 = "
        r"|\.1\.2\.840\.10006\.300\.43\.1\.3\.0 = ).*$",
        re.MULTILINE,
    )
    assert settings.vppcfg
    with AgentProcess(tmp_path, vpp, snmpd.agentx, "-c", settings.vppcfg):
        wait_for_rows(snmpd)
        wait_for_neighbors(snmpd)
        # The agent writes down what it learned in its own time, and nobody else may write.
        kept = tmp_path / "state" / JOURNAL
        until("they are kept", lambda: kept.exists() and "c0000201/32" in kept.read_text())
        until("nothing is written", lambda: time.time() - kept.stat().st_mtime > 1.5)
        wait_for_entries(snmpd, f"{IP}.31.1.1.7", 2)
        wait_for_entries(snmpd, f"{ETHERLIKE}.11.1.2", 2)
        scalars = (1, 2, 3, 4, 5, 7, 8, 11, 14, 15, 16, 18, 19, 25, 26)
        tables = (20, 22, 27, 28, 29, 30, 31.1, 31.2, 31.3, 32, 34, 35)
        ip = [f"{IP}.{each}" for each in (*scalars, *tables)]
        mib_2 = (INTERFACES, *ip, ETHERLIKE, IF_MIB)
        for below in ("1.2.840.10006", *mib_2):
            theirs = snmpd.run("snmpwalk", below).stdout
            ours = run(lambda below=below: show.walk(settings, below))  # type: ignore[misc]
            assert (ours.status, ours.err) == (0, "")
            assert last_change.sub(r"\1", ours.out) == last_change.sub(r"\1", theirs)
    assert (tmp_path / "state" / JOURNAL).exists()


def test_where_no_process_can_be_started_that_is_what_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(children, "start", refuse)
    asked = snapshot.ask(Settings(api_socket=str(tmp_path / "api.sock")))
    assert "no process to ask VPP with: Resource temporarily" in asked.no_interfaces
