"""What the operator writes: descriptions wherever they stand, addresses, settings; mistakes."""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.scenario import VPPCFG
from vpp_snmp_agent.mibs import MODULES
from vpp_snmp_agent.settings import declarations, document
from vpp_snmp_agent.settings.declarations import (
    Settings,
    TCPAddress,
    UnixAddress,
    load_settings,
    parse_address,
    parse_settings,
)
from vpp_snmp_agent.settings.document import BadSettings
from vpp_snmp_agent.settings.vppcfg import Descriptions, load_descriptions, parse_descriptions

# Python's own and libyaml's word some problems differently.
LOADERS: list[type[yaml.SafeLoader]] = [
    type(name, (document._Bounded, getattr(yaml, name)), {})
    for name in ("SafeLoader", "CSafeLoader")
    if hasattr(yaml, name)
]


@pytest.fixture(params=LOADERS, ids=lambda loader: loader.__name__)
def either_loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With libyaml and without."""
    monkeypatch.setattr(document, "_Loader", request.param)


def parse(text: str | bytes) -> dict[str, str]:
    """All descriptions in a text, by name."""
    raw = text.encode() if isinstance(text, str) else text
    return dict(parse_descriptions(raw, "vppcfg.yaml").by_name)


def complaint(text: str | bytes) -> str:
    """What is said about a malformed text."""
    with pytest.raises(BadSettings) as caught:
        parse(text)
    return str(caught.value)


def outcome(text: str | bytes) -> dict[str, str] | str:
    """Either."""
    try:
        return parse(text)
    except BadSettings as error:
        return str(error)


# --- where a description may stand ---------------------------------------------------------


EVERYWHERE = """
interfaces:
  GigabitEthernet3/0/0:
    description: port
    sub-interfaces:
      100: { description: tagged, lcp: e0.100 }
      1001: { encapsulation: { dot1q: 7 }, description: elsewhere }
bondethernets:
  BondEthernet0: { description: bond, interfaces: [ GigabitEthernet3/0/1 ] }
loopbacks:
  loop0: { description: loopback }
bridgedomains:
  bd10: { description: bridge, bvi: loop10 }
  bd11: { description: bridge without BVI }
vxlan_tunnels:
  vxlan_tunnel1: { description: tunnel, vni: 101 }
taps:
  tap100: { description: tap }
prefixlists:
  description: { none: here }
"""


@pytest.mark.usefixtures("either_loader")
def test_a_description_may_stand_in_every_section() -> None:
    assert parse(EVERYWHERE) == {
        "GigabitEthernet3/0/0": "port",
        "GigabitEthernet3/0/0.100": "tagged",
        "GigabitEthernet3/0/0.1001": "elsewhere",
        "BondEthernet0": "bond",
        "loop0": "loopback",
        "loop10": "bridge",
        "vxlan_tunnel1": "tunnel",
        "tap100": "tap",
    }


ORDER = {
    "sub": "interfaces: { if: { sub-interfaces: { 1: { description: sub } } } }",
    "interface": "interfaces: { if.1: { description: interface } }",
    "bond": "bondethernets: { if.1: { description: bond } }",
    "loopback": "loopbacks: { if.1: { description: loopback } }",
    "tap": "taps: { if.1: { description: tap } }",
    "tunnel": "vxlan_tunnels: { if.1: { description: tunnel } }",
    "bridge": "bridgedomains: { bd1: { bvi: if.1, description: bridge } }",
}


@pytest.mark.parametrize("weaker", ["bond", "loopback", "tap", "tunnel", "bridge"])
def test_interfaces_goes_before_every_other_section(weaker: str) -> None:
    for text in (
        f"{ORDER['interface']}\n{ORDER[weaker]}",
        f"{ORDER[weaker]}\n{ORDER['interface']}",
    ):
        assert parse(text) == {"if.1": "interface"}


@pytest.mark.parametrize("section", ["bond", "loopback", "tap", "tunnel"])
def test_a_bridge_domain_comes_last(section: str) -> None:
    for text in (f"{ORDER['bridge']}\n{ORDER[section]}", f"{ORDER[section]}\n{ORDER['bridge']}"):
        assert parse(text) == {"if.1": section}


@pytest.mark.parametrize("flat_first", [True, False])
def test_a_sub_interface_goes_before_the_flat_form(flat_first: bool) -> None:
    flat, nested = (
        "  if.1: { description: flat }\n",
        "  if: { sub-interfaces: { 1: { description: own } } }\n",
    )
    lines = flat + nested if flat_first else nested + flat
    assert parse(f"interfaces:\n{lines}") == {"if.1": "own"}


def test_the_flat_form_names_sub_interfaces_itself() -> None:
    text = """
        interfaces:
          GigabitEthernet3/0/0: { description: port, lcp: e0 }
          GigabitEthernet3/0/0.100: { description: tagged, lcp: e0.100 }
    """
    assert parse(text) == {
        "GigabitEthernet3/0/0": "port",
        "GigabitEthernet3/0/0.100": "tagged",
    }


@pytest.mark.parametrize("empty", ["''", '" "', "", "~", "null"])
def test_an_empty_description_gives_way_to_the_next(empty: str) -> None:
    bond = "bondethernets: { b: { description: bond } }"
    assert parse(f"interfaces:\n  b:\n    description: {empty}\n{bond}") == {"b": "bond"}
    assert parse(f"interfaces:\n  b:\n    description: {empty}\n") == {}


def test_a_bridge_domain_without_bvi_or_without_description_describes_nothing() -> None:
    assert parse("bridgedomains: { bd1: { bvi: , description: x }, bd2: { bvi: loop2 } }") == {}


def test_what_the_file_does_not_name_has_no_description() -> None:
    assert Descriptions().of("loop0") == ""
    assert parse_descriptions(EVERYWHERE.encode(), "").of("loop1") == ""
    assert parse_descriptions(EVERYWHERE.encode(), "").of("loop0") == "loopback"


def test_the_edge_routers_file_is_read_whole() -> None:
    found = parse(VPPCFG)
    assert found["GigabitEthernet5/0/0.205"] == "Cust: Fern & Daughters"
    assert len(found) == VPPCFG.count("description:")


# --- how it may be written -----------------------------------------------------------------


@pytest.mark.usefixtures("either_loader")
@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Infra: core", None),
        ("'Infra: core'", "Infra: core"),
        ("4711", "4711"),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("007", "007"),
        ("3.10", "3.10"),
        ("yes", "yes"),
        ("2024-02-30", "2024-02-30"),
        ("'null'", "null"),
        ("München & Zürich", "München & Zürich"),
        ('"M\\xfcnchen"', "München"),
        ("東京 🗼", "東京 🗼"),
        ("  much   room  ", "much room"),
        ("a # comment", "a"),
        ("a#b", "a#b"),
        ("|\n      one\n      two\n", "one two"),
        (">\n      one\n\n      two\n", "one two"),
        ("one\n      two", "one two"),
        ('"one\\n\\ttwo"', "one two"),
        ('"a\\e[31m\\abell\\0"', "a [31m bell "),
    ],
)
def test_a_description_is_the_text_as_written_on_one_line(written: str, read: str | None) -> None:
    text = f"interfaces:\n  if:\n    description: {written}\n"
    if read is None:
        assert complaint(text).startswith("vppcfg.yaml:3: this is no YAML: mapping values are not")
    else:
        assert parse(text) == {"if": read}


@pytest.mark.usefixtures("either_loader")
@pytest.mark.parametrize("tag", ["!vault", "!!binary", "!python/object"])
def test_text_for_another_program_is_refused(tag: str) -> None:
    told = complaint(f"interfaces:\n  if:\n    description: {tag} aGVsbG8=\n")
    assert told.startswith("vppcfg.yaml:3: expected a description as text on one line; got the tag")


@pytest.mark.usefixtures("either_loader")
@pytest.mark.parametrize(
    ("written", "number"), [("100", 100), ("0100", 64), ("0x64", 100), ("1_001", 1001)]
)
def test_the_number_of_a_sub_interface_is_what_vppcfg_makes_of_it(
    written: str, number: int
) -> None:
    text = f"interfaces: {{ if: {{ sub-interfaces: {{ {written}: {{ description: sub }} }} }} }}"
    assert parse(text) == {f"if.{number}": "sub"}


@pytest.mark.usefixtures("either_loader")
def test_merge_keys_and_anchors_are_followed() -> None:
    text = """
        customer: &customer { description: a customer, mtu: 1500 }
        name: &name shared
        interfaces:
          e0:
            sub-interfaces: &subs
              1: { <<: *customer }
              2: { <<: *customer, description: own }
              3: { description: own, <<: *customer }
              4: { <<: [ { mtu: 9000 }, *customer ] }
          e1: { description: *name, sub-interfaces: *subs }
          e2: *customer
    """
    subs = {1: "a customer", 2: "own", 3: "own", 4: "a customer"}
    assert parse(text) == {
        **{f"{port}.{sub}": text for port in ("e0", "e1") for sub, text in subs.items()},
        "e1": "shared",
        "e2": "a customer",
    }


@pytest.mark.usefixtures("either_loader")
@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n\n# only a comment\n",
        b"---\n",
        b"~",
        b"\xef\xbb\xbf",
        b"interfaces:\nbondethernets: ~\nloopbacks: null\nbridgedomains: {}\ntaps: NULL\n",
        b"interfaces:\n  e0:\n  e1: {}\n  e2: { sub-interfaces: }\n",
        b"interfaces: { e0: { sub-interfaces: { 1: , 2: {} } } }\nsomething: [ else ]\n",
        b"{a: " * 99 + b"}" * 99,
    ],
)
def test_what_is_empty_describes_nothing(text: bytes) -> None:
    assert parse(text) == {}


@pytest.mark.usefixtures("either_loader")
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_byte_order_mark_tells_the_encoding(encoding: str) -> None:
    assert parse("loopbacks: { lo: { description: Köln } }".encode(encoding)) == {"lo": "Köln"}


def test_ten_thousand_sub_interfaces_are_read() -> None:
    lines = (f"      {n}: {{ lcp: e0.{n}, description: 'Cust: {n}' }}\n" for n in range(10_000))
    found = parse("interfaces:\n  e0:\n    sub-interfaces:\n" + "".join(lines))
    assert len(found) == 10_000
    assert found["e0.9999"] == "Cust: 9999"


# --- malformed -----------------------------------------------------------------------------


@pytest.mark.usefixtures("either_loader")
@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("interfaces:\n\te0: {}\n", ":2", "that cannot start any token"),
        ('interfaces:\n  e0:\n    description: "open\n', ":4", "(line 3): found unexpected end"),
        ("interfaces: *nowhere\n", ":1", "found undefined alias"),
        ("interfaces: {}\n---\ntaps: {}\n", ":2", "expected a single document"),
        ("interfaces:\n  e0:\n    <<: 3\n", ":3", "expected a mapping or list of mappings"),
        ("- interfaces\n", ":1", "expected the file as a mapping (`name: value` lines)"),
        ("interfaces", ":1", "expected the file as a mapping"),
        ("\ntaps:\n  - tap1\n", ":3", "expected taps as a mapping"),
        ("interfaces: 'null'\n", ":1", "expected interfaces as a mapping"),
        ("interfaces:\n  e0: [ 1 ]\n", ":2", "expected e0 as a mapping"),
        (
            "interfaces:\n  e0:\n    sub-interfaces:\n      - 1\n",
            ":4",
            "the sub-interfaces of e0 as a",
        ),
        ("interfaces: { e0: { sub-interfaces: { 1: x } } }\n", ":1", "expected e0.1 as a mapping"),
        ("bridgedomains:\n  bd1: loop0\n", ":2", "expected bd1 as a mapping"),
        ("interfaces:\n  [ e0 ]: {}\n", ":2", "expected a name in interfaces"),
        (
            "taps:\n  t:\n    description:\n      a: b\n",
            ":4",
            "expected a description as text on one",
        ),
        (
            "taps:\n  t:\n    description: [ a ]\n",
            ":3",
            "expected a description as text on one line",
        ),
        ("taps: { t: &t { description: *t } }\n", ":1", "expected a description as text"),
        (
            "bridgedomains:\n  bd1:\n    description: x\n    bvi: [ loop0 ]\n",
            ":4",
            "expected an interface's name as text on one line",
        ),
    ],
)
def test_a_malformed_file_is_told_with_its_line_and_what_was_expected(
    text: str, where: str, what: str
) -> None:
    told = complaint(text)
    assert told.startswith(f"vppcfg.yaml{where}: ")
    assert what in told
    assert "\n" not in told


@pytest.mark.usefixtures("either_loader")
@pytest.mark.parametrize(
    ("text", "line"),
    [
        (bytes(range(10)) * 5, 1),
        (b"\0" * 10, 1),
        (b"\x7fELF\x02\x01\x01\0", 1),
        (b"interfaces:\n  e0:\n    description: M\xfcnchen\n", 3),
        ("# Köln\n\ninterfaces:\n".encode() + b"  e0: { description: \xff }\n", 4),
        (b"interfaces: {}\n\n\x01\n", 3),
    ],
)
def test_what_is_no_text_is_told_with_its_line(text: bytes, line: int) -> None:
    assert complaint(text).startswith(f"vppcfg.yaml:{line}: expected text in UTF-8: ")


@pytest.mark.usefixtures("either_loader")
@pytest.mark.parametrize(
    "text",
    [
        b"[" * 10_000,
        b"[" * 10_000 + b"]" * 10_000,
        b"{" * 10_000,
        b"{a: " * 10_000 + b"}" * 10_000,
        b"- " * 100_000,
        b"? " * 100_000,
    ],
    ids=lambda text: f"{text[:4].decode()}",
)
def test_bottomless_nesting_is_refused(text: bytes) -> None:
    # libyaml 0.2.6 (in PyYAML 6.0.4) has a limit of its own, and is there first.
    limits = (
        "expected at most 100 levels",
        "while increasing flow level (line 1): exceeded maximum nesting depth",
    )
    assert complaint(text).removeprefix("vppcfg.yaml:1: this is no YAML: ") in limits


def test_a_hundred_levels_are_read() -> None:
    assert parse("x: " + "[" * 98 + "]" * 98 + "\ntaps: { t: { description: x } }") == {"t": "x"}


@pytest.mark.usefixtures("either_loader")
def test_merges_within_merges_end_somewhere() -> None:
    chain = "".join(f"m{n}: &m{n} {{ <<: *m{n - 1} }}\n" for n in range(1, 3000))
    told = complaint(f"m0: &m0 {{}}\n{chain}taps: *m2999\n")
    assert told == "vppcfg.yaml: expected fewer merges within merges"


def bomb(levels: int, width: int) -> str:
    """Mappings that merge the one before `width` times each; the last is m<levels>."""
    lines = ["m0: &m0 { a: b }\n"]
    for level in range(1, levels + 1):
        merged = ", ".join([f"*m{level - 1}"] * width)
        lines.append(f"m{level}: &m{level} {{ <<: [ {merged} ] }}\n")
    return "".join(lines)


MANY = "expected at most 1000000 entries, repeated and merged ones too"


@pytest.mark.usefixtures("either_loader")
@pytest.mark.parametrize(("levels", "width"), [(12, 10), (3, 2000), (60, 2)])
def test_merges_that_multiply_come_to_an_end(levels: int, width: int) -> None:
    told = complaint(bomb(levels, width) + f"interfaces: *m{levels}\n")
    # PyYAML 6.0.4 merges a key once: what is left is one interface, which is no mapping.
    merged_once = r"expected a as a mapping \(`name: value` lines\)"
    assert re.fullmatch(rf"vppcfg\.yaml:[0-9]+: (this is no YAML: {MANY}|{merged_once})", told)


@pytest.mark.usefixtures("either_loader")
def test_merges_in_settings_are_refused_unfollowed() -> None:
    assert refusal(bomb(12, 10) + "<<: *m12\n") == "agent.yaml:1: unknown key `m0`"
    assert refusal("speeds: &s { a: 1 }\n<<: [ *s, *s ]\n") == "agent.yaml:2: unknown key `<<`"


@pytest.mark.slow
@pytest.mark.usefixtures("either_loader")
def test_aliases_that_multiply_are_refused() -> None:
    subs = ", ".join(f"{n}: {{ description: x }}" for n in range(2000))
    ports = "".join(f"  e{n}: *port\n" for n in range(2000))
    told = complaint(f"interfaces:\n  e: &port {{ sub-interfaces: {{ {subs} }} }}\n{ports}")
    assert re.fullmatch(rf"vppcfg\.yaml:2: this is no YAML: {MANY}", told)


def test_twenty_thousand_merged_descriptions_are_read() -> None:
    subs = "".join(f"      {n}: {{ <<: *c, mtu: {n} }}\n" for n in range(20_000))
    found = parse(f"c: &c {{ description: x }}\ninterfaces:\n  e0:\n    sub-interfaces:\n{subs}")
    assert len(found) == 20_000


@pytest.mark.usefixtures("either_loader")
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("interfaces: &a\n  e0: *a\n", {}),
        ("interfaces: &a\n  <<: *a\n", {}),
        ("interfaces:\n  e0: &a\n    <<: [ *a, *a ]\n    description: x\n", {"e0": "x"}),
        ("taps: &t { t: { <<: *t, description: x } }", {"t": "x"}),
    ],
)
def test_an_anchor_within_itself_is_followed_once(text: str, found: dict[str, str]) -> None:
    assert parse(text) == found


@pytest.mark.usefixtures("either_loader")
@pytest.mark.parametrize("escape", ["\\ud800", "\\U00110000", "\\UFFFFFFFF"])
def test_an_escape_that_is_no_character_never_becomes_a_description(escape: str) -> None:
    told = outcome(f'taps: {{ t: {{ description: "{escape}" }} }}')
    assert told == {"t": "?"} or str(told).startswith("vppcfg.yaml")


def test_an_absent_file_is_not_a_malformed_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_descriptions(str(tmp_path / "vppcfg.yaml"))


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(BadSettings) as caught:
        load_descriptions(str(tmp_path))
    assert str(caught.value) == f"{tmp_path}: Is a directory"


def test_a_file_that_may_not_be_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(BadSettings) as caught:
        load_descriptions("/etc/vpp/vppcfg.yaml")
    assert str(caught.value) == "/etc/vpp/vppcfg.yaml: Permission denied"


def test_a_file_is_named_in_what_is_said_about_it(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(EVERYWHERE)
    assert load_descriptions(str(path)).of("loop10") == "bridge"
    path.write_text("taps: 7\n")
    with pytest.raises(BadSettings) as caught:
        load_descriptions(str(path))
    assert str(caught.value).startswith(f"{path}:1: expected taps as a mapping")


@contextlib.contextmanager
def loading_with(loader: type[yaml.SafeLoader]) -> Iterator[None]:
    """What `either_loader` does, for one example among many."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(document, "_Loader", loader)
        yield


def assert_only_bad_settings(text: bytes, loader: type[yaml.SafeLoader]) -> None:
    """Whatever the text, there are descriptions of one line or a complaint that names the file."""
    with loading_with(loader):
        told = outcome(text)
    if isinstance(told, str):
        assert told.startswith("vppcfg.yaml")
    else:
        assert all(value.encode() and " ".join(value.split()) == value for value in told.values())


loaders = st.sampled_from(LOADERS)


@settings(deadline=None, max_examples=200)
@given(text=st.binary(max_size=200), loader=loaders)
def test_rubbish_raises_nothing_else(text: bytes, loader: type[yaml.SafeLoader]) -> None:
    assert_only_bad_settings(text, loader)


@settings(deadline=None, max_examples=200)
@given(text=st.text(alphabet="ab:-,.[]{}&*!|>'\"%@`#?<~ \n\t\\xuU0", max_size=60), loader=loaders)
def test_what_almost_is_yaml_raises_nothing_else(text: str, loader: type[yaml.SafeLoader]) -> None:
    assert_only_bad_settings(text.encode(), loader)


REAL = EVERYWHERE.encode()
cuts = st.tuples(st.integers(0, len(REAL)), st.integers(0, 12), st.binary(max_size=6))


@settings(deadline=None, max_examples=200)
@given(mutations=st.lists(cuts, min_size=1, max_size=5), loader=loaders)
def test_a_damaged_file_raises_nothing_else(
    mutations: list[tuple[int, int, bytes]], loader: type[yaml.SafeLoader]
) -> None:
    text = REAL
    for at, length, instead in mutations:
        text = text[:at] + instead + text[at + length :]
    assert_only_bad_settings(text, loader)


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


# --- the settings file ---------------------------------------------------------------------


def set_by(text: str | bytes) -> dict[str, Any]:
    """What a settings file sets."""
    return parse_settings(text.encode() if isinstance(text, str) else text, "agent.yaml")


def refusal(text: str | bytes) -> str:
    """What is said about a settings file that is refused."""
    with pytest.raises(BadSettings) as caught:
        set_by(text)
    return str(caught.value)


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


def test_every_setting_has_a_key() -> None:
    names = {each.name for each in fields(Settings)}
    assert {key.replace("-", "_") for key, _, _ in VALUES} == names
    assert {key.replace("-", "_") for key in declarations._SETTINGS} == names


# A value for each setting that is neither its default nor in the file below.
FLAGS: dict[str, Any] = {
    "address": TCPAddress("localhost", 705),
    "mibs": ("IP-MIB",),
    "period": 7.0,
    "addresses": 7.0,
    "neighbors": 7.0,
    "vppcfg": "/flag",
    "api_socket": "/flag",
    "stats_socket": "/flag",
    "api_dir": "/flag",
    "state_dir": "/flag",
    "ifindex": "kept",
    "settle": 7.0,
    "names": "tap",
    "taps": "hide",
    "hide": ("flag",),
    "alias": "description",
    "charset": "utf-8",
    "speeds": (("flag", 7),),
    "cpus": "auto",
    "discards": "misses",
    "counters": "carried",
    "link_traps": (("flag", True),),
    "vpp_traps": "enabled",
    "debug": 1,
}
ALL_KEYS = """
address: /file
mibs: [ IF-MIB ]
period: 5
addresses: 5
neighbors: 5
vppcfg: /file
api-socket: /file
stats-socket: /file
api-dir: /file
state-dir: /file
ifindex: stateless
settle: 5
names: vpp
taps: show
hide: [ file ]
alias: name
charset: ascii
speeds: { file: 5 }
discards: all
counters: plain
link-traps: { file: disabled }
cpus: [ 5 ]
vpp-traps: disabled
debug: 2
"""


@pytest.mark.parametrize("name", FLAGS)
def test_a_flag_wins_over_the_file(name: str, tmp_path: Path) -> None:
    path = tmp_path / "agent.yaml"
    path.write_text(ALL_KEYS)
    of_file = load_settings(str(path), {})
    with_flag = load_settings(str(path), {name: FLAGS[name]})
    assert getattr(of_file, name) != FLAGS[name]
    assert with_flag == replace(of_file, **{name: FLAGS[name]})
    assert load_settings(str(path), FLAGS) == Settings(**FLAGS)


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


SECONDS = "expected 1 to 86400 seconds"
NAMES = "expected one of lcp, vpp, tap"
GLOBS = "expected globs as text"
ALL_MIBS = "IF-MIB, IEEE8023-LAG-MIB, EtherLike-MIB, IP-MIB, HOST-RESOURCES-MIB, BRIDGE-MIB"
ALL_MIBS += ", VPP-SNMP-AGENT-MIB"
MIBS = f"expected a list of some of {ALL_MIBS}"
TRAPS = "expected one of enabled, disabled"
SPEED = "expected 0 to 10000000 whole Mb/s"
PLACE = "expected /path/of/socket or host:port"


@pytest.mark.usefixtures("either_loader")
@pytest.mark.parametrize(
    ("text", "told"),
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
        # seconds
        ("period: yes", f"period: {SECONDS}; got the boolean `yes`"),
        ("period: soon", f"period: {SECONDS}; got the text `soon`"),
        ("period: 30s", f"period: {SECONDS}; got the text `30s`"),
        ("period: '30'", f"period: {SECONDS}; got the text `30`"),
        ("period:", f"period: {SECONDS}; got nothing"),
        ("period: 0", f"period: {SECONDS}; got `0`"),
        ("period: 0.99", f"period: {SECONDS}; got `0.99`"),
        ("period: -5", f"period: {SECONDS}; got `-5`"),
        ("period: 86400.1", f"period: {SECONDS}; got `86400.1`"),
        ("period: .inf", f"period: {SECONDS}; got `.inf`"),
        ("period: .nan", f"period: {SECONDS}; got `.nan`"),
        ("period: 010", f"period: {SECONDS}; got `010`"),
        ("period: 0x10", f"period: {SECONDS}; got `0x10`"),
        ("period: 1:30", f"period: {SECONDS}; got `1:30`"),
        ("period: 1_000", f"period: {SECONDS}; got `1_000`"),
        (f"period: {'9' * 5000}", f"period: {SECONDS}; got `{'9' * 60}...`"),
        ("period: 2024-02-30", f"period: {SECONDS}; got the date `2024-02-30`"),
        ("period: !mine 5", f"period: {SECONDS}; got a `!mine`, `5`"),
        ("period: [ 5 ]", f"period: {SECONDS}; got a list"),
        ("period: { a: b }", f"period: {SECONDS}; got a mapping"),
        ("settle: -1", "settle: expected 0 to 86400 seconds; got `-1`"),
        ("settle: 86401", "settle: expected 0 to 86400 seconds; got `86401`"),
        ("settle: off", "settle: expected 0 to 86400 seconds; got the boolean `off`"),
        # choices
        ("names: lpc", f"names: {NAMES}; got `lpc`; did you mean `lcp`?"),
        ("names: VPP", f"names: {NAMES}; got `VPP`; did you mean `vpp`?"),
        ("names: kernel", f"names: {NAMES}; got `kernel`"),
        ("names: no", f"names: {NAMES}; got the boolean `no`"),
        ("names: 7", f"names: {NAMES}; got the number `7`"),
        ("names: ''", f"names: {NAMES}; got ``"),
        ("names:", f"names: {NAMES}; got nothing"),
        ("names: [ lcp ]", f"names: {NAMES}; got a list"),
        ("names: !mine lcp", f"names: {NAMES}; got a `!mine`, `lcp`"),
        (
            "ifindex: stateles",
            "ifindex: expected one of kept, stateless; got `stateles`; did you mean `stateless`?",
        ),
        ("taps: hidden", "taps: expected one of hide, show; got `hidden`; did you mean `hide`?"),
        ("taps: ~", "taps: expected one of hide, show; got nothing"),
        (
            "alias: descr",
            "alias: expected one of description, name; got `descr`; did you mean `description`?",
        ),
        ("discards: 1", "discards: expected one of misses, all; got the number `1`"),
        ("cpus: 3", "cpus: expected auto, any, or a list of CPUs; got the number `3`"),
        ("cpus: []", "cpus: expected auto, any, or a list of CPUs; got a list"),
        ("cpus: [ 0-3 ]", "cpus: expected CPUs as whole numbers, 0 to 8191; got the text `0-3`"),
        ("cpus: [ 8192 ]", "cpus: expected CPUs as whole numbers, 0 to 8191; got `8192`"),
        ("debug: 3", "debug: expected 0, 1 or 2; got `3`"),
        ("debug: -1", "debug: expected 0, 1 or 2; got `-1`"),
        ("debug: 1.0", "debug: expected 0, 1 or 2; got `1.0`"),
        ("debug: true", "debug: expected 0, 1 or 2; got the boolean `true`"),
        ("debug:", "debug: expected 0, 1 or 2; got nothing"),
        # addresses and paths
        ("address: 705", f"address: {PLACE}; got the number `705`"),
        ("address:", f"address: {PLACE}; got nothing"),
        ("address: ''", f"address: {PLACE}; got ``"),
        ("address: [ /a ]", f"address: {PLACE}; got a list"),
        ("address: localhost", f"address: 'localhost' is no AgentX address: {PLACE}"),
        (
            "address: localhost:0",
            "address: 'localhost:0' is no AgentX address: a port is 1 to 65535",
        ),
        *(
            (f"{key}: {written}", f"{key}: expected a path; got {got}")
            for key in ("api-socket", "stats-socket", "api-dir", "state-dir")
            for written, got in (
                ("", "nothing"),
                ("''", "``"),
                ("' '", "` `"),
                ("7", "the number `7`"),
                ("on", "the boolean `on`"),
                ('"/a\\0"', "`/a\\x00`"),
                ('"/a\\nb"', "`/a\\nb`"),
                ("{}", "a mapping"),
            )
        ),
        ("vppcfg: ''", "vppcfg: expected a path, or `~` for none; got ``"),
        ("vppcfg: no", "vppcfg: expected a path, or `~` for none; got the boolean `no`"),
        ("vppcfg: []", "vppcfg: expected a path, or `~` for none; got a list"),
        # globs
        (
            "hide: local0",
            "hide: expected a list of globs; got `local0`; did you mean `[ local0 ]`?",
        ),
        ("hide:", "hide: expected a list of globs; got nothing"),
        ("hide: 7", "hide: expected a list of globs; got the number `7`"),
        ("hide: { a: b }", "hide: expected a list of globs; got a mapping"),
        ("hide: [ tap*, 7 ]", f"hide: {GLOBS}; got the number `7`"),
        ("hide: [ no ]", f"hide: {GLOBS}; got the boolean `no`"),
        ("hide: [ ~ ]", f"hide: {GLOBS}; got nothing"),
        ("hide: [ '' ]", f"hide: {GLOBS}; got ``"),
        ("hide: [ [ a ] ]", f"hide: {GLOBS}; got a list"),
        ("hide: &h [ *h ]", f"hide: {GLOBS}; got a list"),
        # mibs
        ("mibs: IF-MIB", f"mibs: {MIBS}; got `IF-MIB`"),
        ("mibs: []", f"mibs: {MIBS}; got a list"),
        (
            "mibs: [ IF-MIB, if-mib ]",
            f"mibs: expected one of {ALL_MIBS}; got `if-mib`",
        ),
        # speeds
        (
            "speeds: 100",
            "speeds: expected a mapping of globs to Mb/s (`glob: number` lines);"
            " got the number `100`",
        ),
        (
            "speeds: [ a: 1 ]",
            "speeds: expected a mapping of globs to Mb/s (`glob: number` lines); got a list",
        ),
        (
            "speeds:",
            "speeds: expected a mapping of globs to Mb/s (`glob: number` lines); got nothing",
        ),
        ("speeds: { gre*: -1 }", f"speeds: `gre*`: {SPEED}; got `-1`"),
        ("speeds: { gre*: 10000001 }", f"speeds: `gre*`: {SPEED}; got `10000001`"),
        ("speeds: { gre*: 1.5 }", f"speeds: `gre*`: {SPEED}; got `1.5`"),
        ("speeds: { gre*: 10G }", f"speeds: `gre*`: {SPEED}; got the text `10G`"),
        ("speeds: { gre*: }", f"speeds: `gre*`: {SPEED}; got nothing"),
        ("speeds: { gre*: { a: b } }", f"speeds: `gre*`: {SPEED}; got a mapping"),
        ("speeds: { 7: 7 }", f"speeds: {GLOBS}; got the number `7`"),
        ("speeds: { '': 7 }", f"speeds: {GLOBS}; got ``"),
        ("speeds: { [ a ]: 7 }", "expected a glob; got a list"),
        ("speeds: { <<: { a: 1 } }", f"speeds: {GLOBS}; got a `tag:yaml.org,2002:merge`, `<<`"),
        # link-traps
        (
            "link-traps: [ bond* ]",
            "link-traps: expected a mapping of globs to enabled or disabled"
            " (`glob: enabled` lines); got a list",
        ),
        ("link-traps: { eno*: yes }", f"link-traps: `eno*`: {TRAPS}; got the boolean `yes`"),
        (
            "link-traps: { eno*: enable }",
            f"link-traps: `eno*`: {TRAPS}; got `enable`; did you mean `enabled`?",
        ),
        ("link-traps: { 7: enabled }", f"link-traps: {GLOBS}; got the number `7`"),
        # vpp-traps
        ("vpp-traps: true", f"vpp-traps: {TRAPS}; got the boolean `true`"),
    ],
)
def test_what_cannot_be_set_is_refused_with_line_key_and_what_was_expected(
    text: str, told: str
) -> None:
    assert refusal(text) == f"agent.yaml:1: {told}"
    assert refusal(f"\n# two lines above\n{text}") == f"agent.yaml:3: {told}"


@pytest.mark.usefixtures("either_loader")
def test_each_value_is_told_with_its_own_line() -> None:
    assert refusal("period: 5\nhide:\n  - tap*\n  - 7\n").startswith("agent.yaml:4: hide: ")
    assert refusal("speeds:\n  a: 1\n\n  b: x\n").startswith("agent.yaml:4: speeds: `b`: ")
    assert refusal("period:\nnames: lcp\n").startswith("agent.yaml:1: period: ")
    assert refusal("names:\n  lpc\n").startswith("agent.yaml:2: names: ")


@pytest.mark.usefixtures("either_loader")
def test_a_key_stands_once() -> None:
    assert refusal("period: 5\n\nperiod: 5\n") == (
        "agent.yaml:3: duplicate key `period`; the first is in line 1"
    )
    assert refusal("speeds:\n  gre*: 1\n  memif*: 1\n  'gre*': 2\n") == (
        "agent.yaml:4: duplicate glob `gre*`; the first is in line 2"
    )


@pytest.mark.usefixtures("either_loader")
@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("hide:\n  - *0\n", ":2", "found undefined alias"),
        ("hide: [ *.100 ]\n", ":1", "while scanning an alias"),
        ("speeds:\n  *: 100\n", ":2", "while scanning an alias"),
    ],
)
def test_a_glob_that_yaml_takes_for_an_alias_is_told_so(text: str, where: str, what: str) -> None:
    told = refusal(text)
    assert told.startswith(f"agent.yaml{where}: this is no YAML: ")
    assert what in told
    assert told.endswith("; text that begins with `*` stands in quotes")


@pytest.mark.usefixtures("either_loader")
@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("period:\n\t5\n", ":2", "this is no YAML: "),
        ("period: 5\n---\nperiod: 6\n", ":2", "expected a single document"),
        (b"period: 5\n\nstate-dir: /\xff\n", ":3", "expected text in UTF-8: "),
        ("- " * 10_000, ":1", "this is no YAML: expected at most 100 levels"),
    ],
)
def test_the_settings_are_read_by_the_same_loader(text: str | bytes, where: str, what: str) -> None:
    told = refusal(text)
    assert told.startswith(f"agent.yaml{where}: ")
    assert what in told


@settings(deadline=None, max_examples=100)
@given(text=st.binary(max_size=100), loader=loaders)
def test_rubbish_as_settings_is_refused(text: bytes, loader: type[yaml.SafeLoader]) -> None:
    assert_settings_or_refusal(text, loader)


def assert_settings_or_refusal(text: bytes, loader: type[yaml.SafeLoader]) -> None:
    """Whatever the text, there are settings or a complaint of one line that names the file."""
    told = "agent.yaml:"
    with loading_with(loader):
        try:
            hash(Settings(**set_by(text)))
        except BadSettings as error:
            told = str(error)
    assert told.startswith("agent.yaml:")
    assert "\n" not in told


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
keys = st.one_of(st.sampled_from(sorted(declarations._SETTINGS)), scalars)


@settings(deadline=None, max_examples=300)
@given(lines=st.lists(st.tuples(keys, values), max_size=4), loader=loaders)
def test_any_value_under_any_key_is_set_or_refused(
    lines: list[tuple[str, str]], loader: type[yaml.SafeLoader]
) -> None:
    text = "".join(f"{key}: {value}\n" for key, value in lines)
    assert_settings_or_refusal(text.encode(), loader)


ALL = ALL_KEYS.encode()
damages = st.tuples(st.integers(0, len(ALL)), st.integers(0, 12), st.binary(max_size=6))


@settings(deadline=None, max_examples=300)
@given(mutations=st.lists(damages, min_size=1, max_size=5), loader=loaders)
def test_damaged_settings_are_set_or_refused(
    mutations: list[tuple[int, int, bytes]], loader: type[yaml.SafeLoader]
) -> None:
    text = ALL
    for at, length, instead in mutations:
        text = text[:at] + instead + text[at + length :]
    assert_settings_or_refusal(text, loader)
