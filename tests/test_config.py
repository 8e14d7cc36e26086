"""What the operator writes: descriptions in every place they may stand, addresses, and mistakes."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from vpp_snmp_agent import config
from vpp_snmp_agent.config import (
    BadSettings,
    Descriptions,
    TCPAddress,
    UnixAddress,
    load_descriptions,
    parse_address,
    parse_descriptions,
)
from vpp_snmp_agent.simulator.scenario import VPPCFG

# Python's own and libyaml's word some problems differently.
LOADERS: list[type[yaml.SafeLoader]] = [
    type(name, (config._Shallow, getattr(yaml, name)), {})
    for name in ("SafeLoader", "CSafeLoader")
    if hasattr(yaml, name)
]


@pytest.fixture(params=LOADERS, ids=lambda loader: loader.__name__)
def either_loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With libyaml and without."""
    monkeypatch.setattr(config, "_Loader", request.param)


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
        ("!!python/object:os.system true", "true"),
    ],
)
def test_a_description_is_the_text_as_written_on_one_line(written: str, read: str | None) -> None:
    text = f"interfaces:\n  if:\n    description: {written}\n"
    if read is None:
        assert complaint(text).startswith("vppcfg.yaml:3: this is no YAML: mapping values are not")
    else:
        assert parse(text) == {"if": read}


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
    assert complaint(text) == "vppcfg.yaml:1: this is no YAML: expected at most 100 levels"


def test_a_hundred_levels_are_read() -> None:
    assert parse("x: " + "[" * 98 + "]" * 98 + "\ntaps: { t: { description: x } }") == {"t": "x"}


@pytest.mark.usefixtures("either_loader")
def test_merges_within_merges_end_somewhere() -> None:
    chain = "".join(f"m{n}: &m{n} {{ <<: *m{n - 1} }}\n" for n in range(1, 3000))
    told = complaint(f"m0: &m0 {{}}\n{chain}taps: *m2999\n")
    assert told == "vppcfg.yaml: expected fewer merges within merges"


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
        monkeypatch.setattr(config, "_Loader", loader)
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
