"""One YAML document: its limits, its encoding, and where in it something is wrong."""

import re
from pathlib import Path

import pytest

from vpp_snmp_agent.settings.document import BadSettings
from vpp_snmp_agent.settings.vppcfg import load_descriptions

from .yaml_files import descriptions, refusal, refusal_of_vppcfg


@pytest.mark.usefixtures("either_loader")
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_byte_order_mark_says_the_encoding(encoding: str) -> None:
    assert descriptions("loopbacks: { lo: { description: Köln } }".encode(encoding)) == {
        "lo": "Köln"
    }


@pytest.mark.usefixtures("either_loader")
@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("interfaces:\n\te0: {}\n", ":2", "that cannot start any token"),
        ('interfaces:\n  e0:\n    description: "open\n', ":4", "(line 3): found unexpected end"),
        ("interfaces: *nowhere\n", ":1", "found undefined alias"),
        ("interfaces: {}\n---\ntaps: {}\n", ":2", "expected a single document"),
        ("interfaces:\n  e0:\n    <<: 3\n", ":3", "expected a mapping or list of mappings"),
    ],
)
def test_what_is_no_yaml_is_refused_with_its_line_and_why(text: str, where: str, what: str) -> None:
    refused = refusal_of_vppcfg(text)
    assert refused.startswith(f"vppcfg.yaml{where}: this is no YAML: ")
    assert what in refused
    assert "\n" not in refused


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
def test_what_is_no_text_is_refused_with_its_line(text: bytes, line: int) -> None:
    assert refusal_of_vppcfg(text).startswith(f"vppcfg.yaml:{line}: expected text in UTF-8: ")


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
    assert refusal_of_vppcfg(text).removeprefix("vppcfg.yaml:1: this is no YAML: ") in limits


def test_a_hundred_levels_are_read() -> None:
    assert descriptions("x: " + "[" * 98 + "]" * 98 + "\ntaps: { t: { description: x } }") == {
        "t": "x"
    }


@pytest.mark.usefixtures("either_loader")
def test_merges_within_merges_end_somewhere() -> None:
    chain = "".join(f"m{n}: &m{n} {{ <<: *m{n - 1} }}\n" for n in range(1, 3000))
    refused = refusal_of_vppcfg(f"m0: &m0 {{}}\n{chain}taps: *m2999\n")
    assert refused == "vppcfg.yaml: expected fewer merges within merges"


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
    refused = refusal_of_vppcfg(bomb(levels, width) + f"interfaces: *m{levels}\n")
    # PyYAML 6.0.4 merges a key once: what is left is one interface, which is no mapping.
    merged_once = r"expected a as a mapping \(`name: value` lines\)"
    assert re.fullmatch(rf"vppcfg\.yaml:[0-9]+: (this is no YAML: {MANY}|{merged_once})", refused)


@pytest.mark.usefixtures("either_loader")
def test_merges_in_settings_are_refused_unfollowed() -> None:
    assert refusal(bomb(12, 10) + "<<: *m12\n") == "agent.yaml:1: unknown key `m0`"
    assert refusal("speeds: &s { a: 1 }\n<<: [ *s, *s ]\n") == "agent.yaml:2: unknown key `<<`"


@pytest.mark.slow
@pytest.mark.usefixtures("either_loader")
def test_aliases_that_multiply_are_refused() -> None:
    subs = ", ".join(f"{n}: {{ description: x }}" for n in range(2000))
    ports = "".join(f"  e{n}: *port\n" for n in range(2000))
    refused = refusal_of_vppcfg(
        f"interfaces:\n  e: &port {{ sub-interfaces: {{ {subs} }} }}\n{ports}"
    )
    assert re.fullmatch(rf"vppcfg\.yaml:2: this is no YAML: {MANY}", refused)


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(BadSettings) as caught:
        load_descriptions(str(tmp_path))
    assert str(caught.value) == f"{tmp_path}: Is a directory"


def test_a_file_that_may_not_be_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(BadSettings) as caught:
        load_descriptions("/etc/vpp/vppcfg.yaml")
    assert str(caught.value) == "/etc/vpp/vppcfg.yaml: Permission denied"


@pytest.mark.usefixtures("either_loader")
@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("hide:\n  - *0\n", ":2", "found undefined alias"),
        ("hide: [ *.100 ]\n", ":1", "while scanning an alias"),
        ("speeds:\n  *: 100\n", ":2", "while scanning an alias"),
    ],
)
def test_a_glob_that_yaml_takes_for_an_alias_belongs_in_quotes(
    text: str, where: str, what: str
) -> None:
    refused = refusal(text)
    assert refused.startswith(f"agent.yaml{where}: this is no YAML: ")
    assert what in refused
    assert refused.endswith("; text that begins with `*` stands in quotes")


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
    refused = refusal(text)
    assert refused.startswith(f"agent.yaml{where}: ")
    assert what in refused
