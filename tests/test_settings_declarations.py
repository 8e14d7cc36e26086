"""Each setting: its key, its flag, its default, and what a change of it entails."""

import ast
import contextlib
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from vpp_snmp_agent.mibs import MODULES
from vpp_snmp_agent.settings import declarations
from vpp_snmp_agent.settings.declarations import (
    SETTINGS,
    Entails,
    Settings,
    TCPAddress,
    UnixAddress,
    load_settings,
    parse_address,
)
from vpp_snmp_agent.settings.document import BadSettings
from vpp_snmp_agent.vpp import feed

from .yaml_files import damaged, loaders, loading_with, refusal, set_by

# --- addresses -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "address", "shown"),
    [
        ("/run/agentx/master", UnixAddress("/run/agentx/master"), "/run/agentx/master"),
        ("unix:/run/agentx/master", UnixAddress("/run/agentx/master"), "/run/agentx/master"),
        ("./master", UnixAddress("./master"), "./master"),
        ("/run/a:705", UnixAddress("/run/a:705"), "/run/a:705"),
        ("localhost:705", TCPAddress("localhost", 705), "localhost:705"),
        ("tcp:localhost:705", TCPAddress("localhost", 705), "localhost:705"),
        ("192.0.2.1:65535", TCPAddress("192.0.2.1", 65535), "192.0.2.1:65535"),
        ("[::1]:705", TCPAddress("::1", 705), "[::1]:705"),
        ("tcp:[2001:db8::1]:1", TCPAddress("2001:db8::1", 1), "[2001:db8::1]:1"),
    ],
)
def test_an_address_is_a_path_or_a_host_and_a_port(
    text: str, address: UnixAddress | TCPAddress, shown: str
) -> None:
    assert parse_address(text) == address
    assert str(address) == shown
    assert parse_address(shown) == address


EXPECTED = "expected /path/of/socket or host:port"
PORTS = "a port is 1 to 65535"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", EXPECTED),
        ("master", EXPECTED),
        ("unix:master", EXPECTED),
        ("tcp:", EXPECTED),
        ("tcp:705", EXPECTED),
        (":705", EXPECTED),
        ("localhost", EXPECTED),
        ("localhost:", EXPECTED),
        ("localhost:agentx", EXPECTED),
        ("localhost:-1", EXPECTED),
        ("localhost:+1", EXPECTED),
        ("localhost: 1", EXPECTED),
        ("localhost:\u0667", EXPECTED),
        ("[]:705", EXPECTED),
        ("[::1:705", EXPECTED),
        ("::1]:705", EXPECTED),
        ("::1:705", EXPECTED),
        ("::1", EXPECTED),
        ("localhost:0", PORTS),
        ("localhost:65536", PORTS),
        ("localhost:" + "9" * 5000, PORTS),
    ],
)
def test_anything_else_is_refused_with_what_was_expected(text: str, why: str) -> None:
    with pytest.raises(BadSettings) as caught:
        parse_address(text)
    assert str(caught.value) == f"{text!r} is no AgentX address: {why}"


@settings(deadline=None)
@given(st.text())
def test_no_address_raises_anything_else(text: str) -> None:
    with contextlib.suppress(BadSettings):
        address = parse_address(text)
        assert parse_address(str(address)) == address


# --- keys, and what a flag sets ------------------------------------------------------------


VALUES: list[tuple[str, str, Any]] = [
    ("address", "/run/master", UnixAddress("/run/master")),
    ("address", "unix:/run/master", UnixAddress("/run/master")),
    ("address", "localhost:705", TCPAddress("localhost", 705)),
    ("address", "'[::1]:705'", TCPAddress("::1", 705)),
    ("period", "1", 1.0),
    ("period", "2.5", 2.5),
    ("period", "86400", 86400.0),
    ("vppcfg", "/etc/vpp/vppcfg.yaml", "/etc/vpp/vppcfg.yaml"),
    ("vppcfg", "~", None),
    ("vppcfg", "", None),
    ("api-socket", "/a", "/a"),
    ("stats-socket", "'007'", "007"),
    ("api-dir", "my types/ü", "my types/ü"),
    ("state-dir", "!!str 7", "7"),
    ("ifindex", "kept", "kept"),
    ("ifindex", "stateless", "stateless"),
    ("settle", "0", 0.0),
    ("settle", "86400.0", 86400.0),
    ("names", "lcp", "lcp"),
    ("mibs", "[ IP-MIB, IF-MIB ]", ("IP-MIB", "IF-MIB")),
    ("addresses", "0", 0.0),
    ("neighbors", "3600", 3600.0),
    ("names", "vpp", "vpp"),
    ("names", "tap", "tap"),
    ("taps", "hide", "hide"),
    ("taps", "show", "show"),
    ("hide", "[]", ()),
    (
        "hide",
        "\n- local0\n- tap[0-9]*\n- '*.100'\n- 'no'\n",
        ("local0", "tap[0-9]*", "*.100", "no"),
    ),
    ("alias", "description", "description"),
    ("alias", "name", "name"),
    ("charset", "utf-8", "utf-8"),
    ("charset", "ascii", "ascii"),
    ("speeds", "{}", ()),
    (
        "speeds",
        "\n  memif*: 10000000\n  'gre*': 0\n  '*': 1\n",
        (("memif*", 10_000_000), ("gre*", 0), ("*", 1)),
    ),
    ("cpus", "auto", "auto"),
    ("cpus", "any", "any"),
    ("cpus", "[ 3, 0, 8191 ]", (3, 0, 8191)),
    ("discards", "misses", "misses"),
    ("discards", "all", "all"),
    ("counters", "carried", "carried"),
    ("counters", "plain", "plain"),
    ("link-traps", "{}", ()),
    ("link-traps", "{ bond*: enabled, '*': disabled }", (("bond*", True), ("*", False))),
    ("vpp-traps", "enabled", "enabled"),
    ("vpp-traps", "disabled", "disabled"),
    ("debug", "0", 0),
    ("debug", "2", 2),
]


@pytest.mark.usefixtures("either_loader")
@pytest.mark.parametrize(("key", "written", "value"), VALUES)
def test_each_key_reaches_the_settings(key: str, written: str, value: Any, tmp_path: Path) -> None:
    path = tmp_path / "agent.yaml"
    path.write_text(f"# mine\n{key}: {written}\n")
    expected = replace(Settings(), **{key.replace("-", "_"): value})
    found = load_settings(str(path), {})
    assert found == expected
    assert repr(found) == repr(expected)  # 1 and 1.0 are equal, but not the same


def test_every_mib_that_is_served_can_be_chosen() -> None:
    assert tuple(MODULES) == declarations.MIBS == Settings().mibs


def test_every_setting_has_a_key_and_a_value_above_and_its_default_is_one() -> None:
    assert [each.field for each in SETTINGS.values()] == [each.name for each in fields(Settings)]
    assert {key for key, _, _ in VALUES} == set(SETTINGS)
    assert Settings() == Settings(**{each.field: each.default for each in SETTINGS.values()})


# A value for each setting that is not in the file below; the file has no default.
OTHERS: dict[str, Any] = {
    "address": TCPAddress("localhost", 705),
    "mibs": ("IP-MIB",),
    "period": 71.0,
    "addresses": 72.0,
    "neighbors": 73.0,
    "vppcfg": "/flag/vppcfg",
    "api_socket": "/flag/api",
    "stats_socket": "/flag/stats",
    "api_dir": "/flag/types",
    "state_dir": "/flag/state",
    "ifindex": "kept",
    "settle": 74.0,
    "names": "tap",
    "taps": "hide",
    "hide": ("flag1",),
    "alias": "description",
    "charset": "utf-8",
    "speeds": (("flag2", 75),),
    "cpus": "auto",
    "discards": "misses",
    "counters": "carried",
    "link_traps": (("flag3", True),),
    "vpp_traps": "enabled",
    "debug": 1,
}
ALL_KEYS = """
address: /file/master
mibs: [ IF-MIB ]
period: 51
addresses: 52
neighbors: 53
vppcfg: /file/vppcfg
api-socket: /file/api
stats-socket: /file/stats
api-dir: /file/types
state-dir: /file/state
ifindex: stateless
settle: 54
names: vpp
taps: show
hide: [ file1 ]
alias: name
charset: ascii
speeds: { file2: 55 }
discards: all
counters: plain
link-traps: { file3: disabled }
cpus: [ 56 ]
vpp-traps: disabled
debug: 2
"""


@pytest.mark.parametrize("name", OTHERS)
def test_a_flag_wins_over_the_file(name: str, tmp_path: Path) -> None:
    path = tmp_path / "agent.yaml"
    path.write_text(ALL_KEYS)
    of_file = load_settings(str(path), {})
    with_flag = load_settings(str(path), {name: OTHERS[name]})
    assert getattr(of_file, name) != OTHERS[name]
    assert with_flag == replace(of_file, **{name: OTHERS[name]})
    assert load_settings(str(path), OTHERS) == Settings(**OTHERS)


@pytest.mark.usefixtures("either_loader")
@pytest.mark.parametrize("text", ["", "\n# period: 5\n", "---\n", "~", "{}", "\ufeff"])
def test_what_sets_nothing_leaves_the_defaults(text: str) -> None:
    assert set_by(text) == {}


def test_the_default_file_need_not_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "agent.yaml"
    monkeypatch.setattr(declarations, "SETTINGS_FILE", str(path))
    assert load_settings(None, {"debug": 1}) == Settings(debug=1)
    path.write_text("period: 5\n")
    assert load_settings(None, {"debug": 1}) == Settings(debug=1, period=5.0)
    path.write_text("perod: 5\n")
    with pytest.raises(BadSettings) as caught:
        load_settings(None, {})
    assert str(caught.value) == f"{path}:1: unknown key `perod`; did you mean `period`?"


def test_the_file_is_read_again_each_time(tmp_path: Path) -> None:
    path = tmp_path / "agent.yaml"
    for seconds in (5, 6):
        path.write_text(f"period: {seconds}\n")
        assert load_settings(str(path), {}).period == seconds


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    path = str(tmp_path / "agent.yaml")
    with pytest.raises(BadSettings) as caught:
        load_settings(path, {})
    assert str(caught.value) == f"{path}: there is no such file"
    with pytest.raises(BadSettings) as caught:
        load_settings(str(tmp_path), {})
    assert str(caught.value) == f"{tmp_path}: Is a directory"


@pytest.mark.usefixtures("either_loader")
@pytest.mark.parametrize(
    ("text", "refused"),
    [
        # the file
        ("period", "expected the file as a mapping (`key: value` lines); got the text `period`"),
        ("- a\n", "expected the file as a mapping (`key: value` lines); got a list"),
        ("yes", "expected the file as a mapping (`key: value` lines); got the boolean `yes`"),
        # keys
        ("perod: 5", "unknown key `perod`; did you mean `period`?"),
        ("api_socket: /a", "unknown key `api_socket`; did you mean `api-socket`?"),
        ("NAMES: lcp", "unknown key `NAMES`; did you mean `names`?"),
        ("stat-dir: /a", "unknown key `stat-dir`; did you mean `state-dir`?"),
        ("colour: red", "unknown key `colour`"),
        ("7: 7", "unknown key `7`"),
        ("~: 7", "unknown key `~`"),
        ('"a\\nb": 7', "unknown key `a\\nb`"),
        (f"{'k' * 99}: 7", f"unknown key `{'k' * 60}...`"),
        ("<<: { period: 5 }", "unknown key `<<`"),
        ("[ period ]: 5", "expected a key; got a list"),
        ("{ a: b }: 5", "expected a key; got a mapping"),
    ],
)
def test_what_is_no_mapping_of_known_keys_is_refused(text: str, refused: str) -> None:
    assert refusal(text) == f"agent.yaml:1: {refused}"
    assert refusal(f"\n# two lines above\n{text}") == f"agent.yaml:3: {refused}"


@pytest.mark.usefixtures("either_loader")
def test_a_key_stands_once() -> None:
    assert refusal("period: 5\n\nperiod: 5\n") == (
        "agent.yaml:3: duplicate key `period`; the first is in line 1"
    )
    assert refusal("speeds:\n  gre*: 1\n  memif*: 1\n  'gre*': 2\n") == (
        "agent.yaml:4: duplicate glob `gre*`; the first is in line 2"
    )


# --- what a change entails ---------------------------------------------------------------------


def test_what_a_reporter_is_given_is_what_entails_another_one() -> None:
    needed = {each.name for each in fields(feed.ReporterSettings)}
    assert set(Settings().entailing(Entails.REPORTER)) == needed


@pytest.mark.parametrize("key", SETTINGS)
def test_a_change_of_a_setting_entails_what_is_declared_and_nothing_else(key: str) -> None:
    before = Settings()
    field = SETTINGS[key].field
    after = replace(before, **{field: set_by(ALL_KEYS)[field]})
    due = {each for each in Entails if before.entailing(each) != after.entailing(each)}
    assert due == {SETTINGS[key].entails}


def read_by(folder: str) -> set[str]:
    """The settings that the modules of a folder of the package read."""
    attributes = [
        node
        for path in (Path(declarations.__file__).parents[1] / folder).glob("*.py")
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Attribute)
    ]
    return {each.attr for each in attributes if ast.unparse(each.value).endswith("settings")}


def test_of_what_rows_are_made_by_a_change_entails_other_rows() -> None:
    read = read_by("interfaces") & {each.name for each in fields(Settings)}
    assert read >= {"names", "hide", "charset", "counters"}
    assert read < Settings().entailing(Entails.ROWS, Entails.STATE).keys()


def test_some_values_entail_another_state_and_some_other_rows() -> None:
    assert Settings(state_dir="/s", ifindex="stateless").entailing(Entails.STATE) == {
        "state_dir": "/s",
        "ifindex": "stateless",
    }
    both = Settings().entailing(Entails.ROWS, Entails.STATE)
    assert both == Settings().entailing(Entails.ROWS) | Settings().entailing(Entails.STATE)
    assert {"mibs", "link_traps", "state_dir"} < both.keys()


# --- whatever is written ---------------------------------------------------------------------


@settings(deadline=None, max_examples=100)
@given(text=st.binary(max_size=100), loader=loaders)
def test_rubbish_as_settings_is_refused(text: bytes, loader: type[yaml.SafeLoader]) -> None:
    assert_settings_or_refusal(text, loader)


def assert_settings_or_refusal(text: bytes, loader: type[yaml.SafeLoader]) -> None:
    """Whatever the text, there are settings or a complaint of one line that names the file."""
    refused = "agent.yaml:"
    with loading_with(loader):
        try:
            hash(Settings(**set_by(text)))
        except BadSettings as error:
            refused = str(error)
    assert refused.startswith("agent.yaml:")
    assert "\n" not in refused


# Almost what belongs there: mostly known keys, values of any kind in any place.
SCALARS = (
    "|~|yes|5|1.5|1e3|0x1F|'5'|010|1:30|2024-02-30|lcp|/a|a:1|tap*|*a|&a b|<<|=|!x y"
    '|!!int x|!!float x|!!binary x|"\\ud800"'
)
scalars = st.sampled_from(SCALARS.split("|"))
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda each: f"[ {', '.join(each)} ]"),
        st.dictionaries(scalars, inner, max_size=3).map(
            lambda each: "{ " + ", ".join(f"{key}: {value}" for key, value in each.items()) + " }"
        ),
    ),
    max_leaves=6,
)
keys = st.one_of(st.sampled_from(sorted(SETTINGS)), scalars)


@settings(deadline=None, max_examples=300)
@given(lines=st.lists(st.tuples(keys, values), max_size=4), loader=loaders)
def test_any_value_under_any_key_is_set_or_refused(
    lines: list[tuple[str, str]], loader: type[yaml.SafeLoader]
) -> None:
    text = "".join(f"{key}: {value}\n" for key, value in lines)
    assert_settings_or_refusal(text.encode(), loader)


@settings(deadline=None, max_examples=300)
@given(text=damaged(ALL_KEYS), loader=loaders)
def test_damaged_settings_are_set_or_refused(text: bytes, loader: type[yaml.SafeLoader]) -> None:
    assert_settings_or_refusal(text, loader)
