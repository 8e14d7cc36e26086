"""Descriptions of the vppcfg: where one may stand, how it may be written, what is refused."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.scenario import VPPCFG
from vpp_snmp_agent.settings.document import BadSettings
from vpp_snmp_agent.settings.vppcfg import Descriptions, load_descriptions, parse_descriptions

from .yaml_files import damaged, descriptions, loaders, loading_with, refusal_of_vppcfg


def outcome(text: str | bytes) -> dict[str, str] | str:
    """Either."""
    try:
        return descriptions(text)
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
    assert descriptions(EVERYWHERE) == {
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
        assert descriptions(text) == {"if.1": "interface"}


@pytest.mark.parametrize("section", ["bond", "loopback", "tap", "tunnel"])
def test_a_bridge_domain_comes_last(section: str) -> None:
    for text in (f"{ORDER['bridge']}\n{ORDER[section]}", f"{ORDER[section]}\n{ORDER['bridge']}"):
        assert descriptions(text) == {"if.1": section}


@pytest.mark.parametrize("flat_first", [True, False])
def test_a_sub_interface_goes_before_the_flat_form(flat_first: bool) -> None:
    flat, nested = (
        "  if.1: { description: flat }\n",
        "  if: { sub-interfaces: { 1: { description: own } } }\n",
    )
    lines = flat + nested if flat_first else nested + flat
    assert descriptions(f"interfaces:\n{lines}") == {"if.1": "own"}


def test_the_flat_form_names_sub_interfaces_itself() -> None:
    text = """
        interfaces:
          GigabitEthernet3/0/0: { description: port, lcp: e0 }
          GigabitEthernet3/0/0.100: { description: tagged, lcp: e0.100 }
    """
    assert descriptions(text) == {
        "GigabitEthernet3/0/0": "port",
        "GigabitEthernet3/0/0.100": "tagged",
    }


@pytest.mark.parametrize("empty", ["''", '" "', "", "~", "null"])
def test_an_empty_description_gives_way_to_the_next(empty: str) -> None:
    bond = "bondethernets: { b: { description: bond } }"
    assert descriptions(f"interfaces:\n  b:\n    description: {empty}\n{bond}") == {"b": "bond"}
    assert descriptions(f"interfaces:\n  b:\n    description: {empty}\n") == {}


def test_a_bridge_domain_without_bvi_or_without_description_describes_nothing() -> None:
    assert (
        descriptions("bridgedomains: { bd1: { bvi: , description: x }, bd2: { bvi: loop2 } }") == {}
    )


def test_what_the_file_does_not_name_has_no_description() -> None:
    assert Descriptions().of("loop0") == ""
    assert parse_descriptions(EVERYWHERE.encode(), "").of("loop1") == ""
    assert parse_descriptions(EVERYWHERE.encode(), "").of("loop0") == "loopback"


def test_the_edge_routers_file_is_read_whole() -> None:
    found = descriptions(VPPCFG)
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
        assert refusal_of_vppcfg(text).startswith(
            "vppcfg.yaml:3: this is no YAML: mapping values are not"
        )
    else:
        assert descriptions(text) == {"if": read}


@pytest.mark.usefixtures("either_loader")
@pytest.mark.parametrize("tag", ["!vault", "!!binary", "!python/object"])
def test_text_for_another_program_is_refused(tag: str) -> None:
    refused = refusal_of_vppcfg(f"interfaces:\n  if:\n    description: {tag} aGVsbG8=\n")
    assert refused.startswith(
        "vppcfg.yaml:3: expected a description as text on one line; got the tag"
    )


@pytest.mark.usefixtures("either_loader")
@pytest.mark.parametrize(
    ("written", "number"), [("100", 100), ("0100", 64), ("0x64", 100), ("1_001", 1001)]
)
def test_the_number_of_a_sub_interface_is_what_vppcfg_makes_of_it(
    written: str, number: int
) -> None:
    text = f"interfaces: {{ if: {{ sub-interfaces: {{ {written}: {{ description: sub }} }} }} }}"
    assert descriptions(text) == {f"if.{number}": "sub"}


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
    assert descriptions(text) == {
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
    assert descriptions(text) == {}


@pytest.mark.slow
def test_ten_thousand_sub_interfaces_are_read() -> None:
    lines = (f"      {n}: {{ lcp: e0.{n}, description: 'Cust: {n}' }}\n" for n in range(10_000))
    found = descriptions("interfaces:\n  e0:\n    sub-interfaces:\n" + "".join(lines))
    assert len(found) == 10_000
    assert found["e0.9999"] == "Cust: 9999"


# --- malformed -----------------------------------------------------------------------------


@pytest.mark.usefixtures("either_loader")
@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
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
def test_a_malformed_file_is_refused_with_its_line_and_what_was_expected(
    text: str, where: str, what: str
) -> None:
    refused = refusal_of_vppcfg(text)
    assert refused.startswith(f"vppcfg.yaml{where}: ")
    assert what in refused
    assert "\n" not in refused


@pytest.mark.slow
def test_twenty_thousand_merged_descriptions_are_read() -> None:
    subs = "".join(f"      {n}: {{ <<: *c, mtu: {n} }}\n" for n in range(20_000))
    found = descriptions(
        f"c: &c {{ description: x }}\ninterfaces:\n  e0:\n    sub-interfaces:\n{subs}"
    )
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
    assert descriptions(text) == found


@pytest.mark.usefixtures("either_loader")
@pytest.mark.parametrize("escape", ["\\ud800", "\\U00110000", "\\UFFFFFFFF"])
def test_an_escape_that_is_no_character_never_becomes_a_description(escape: str) -> None:
    read = outcome(f'taps: {{ t: {{ description: "{escape}" }} }}')
    assert read == {"t": "?"} or str(read).startswith("vppcfg.yaml")


def test_an_absent_file_is_not_a_malformed_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_descriptions(str(tmp_path / "vppcfg.yaml"))


def test_a_file_is_named_in_what_is_said_about_it(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(EVERYWHERE)
    assert load_descriptions(str(path)).of("loop10") == "bridge"
    path.write_text("taps: 7\n")
    with pytest.raises(BadSettings) as caught:
        load_descriptions(str(path))
    assert str(caught.value).startswith(f"{path}:1: expected taps as a mapping")


def assert_only_bad_settings(text: bytes, loader: type[yaml.SafeLoader]) -> None:
    """Whatever the text, there are descriptions of one line or a refusal that names the file."""
    with loading_with(loader):
        read = outcome(text)
    if isinstance(read, str):
        assert read.startswith("vppcfg.yaml")
    else:
        assert all(value.encode() and " ".join(value.split()) == value for value in read.values())


@settings(deadline=None, max_examples=200)
@given(text=st.binary(max_size=200), loader=loaders)
def test_rubbish_raises_nothing_else(text: bytes, loader: type[yaml.SafeLoader]) -> None:
    assert_only_bad_settings(text, loader)


@settings(deadline=None, max_examples=200)
@given(text=st.text(alphabet="ab:-,.[]{}&*!|>'\"%@`#?<~ \n\t\\xuU0", max_size=60), loader=loaders)
def test_what_almost_is_yaml_raises_nothing_else(text: str, loader: type[yaml.SafeLoader]) -> None:
    assert_only_bad_settings(text.encode(), loader)


@settings(deadline=None, max_examples=200)
@given(text=damaged(EVERYWHERE), loader=loaders)
def test_a_damaged_file_raises_nothing_else(text: bytes, loader: type[yaml.SafeLoader]) -> None:
    assert_only_bad_settings(text, loader)
