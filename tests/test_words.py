"""The field's words: in names, log lines and refusals, so that a search finds them."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.stage import ROOT

TREES = ("vpp_snmp_agent", "simulator", "tests", "bench")
SOURCES = [path for tree in TREES for path in sorted((ROOT / tree).rglob("*.py"))]
# What stands in a name for the field's own word.
NAMES = {
    **dict.fromkeys(("told", "tell", "tells", "telling"), "report, reported, describe"),
    **dict.fromkeys(("look", "looks", "looked", "looking"), "poll, refresh, compare, snapshot"),
    "went": "link_changes",
    **dict.fromkeys(("spot", "spots"), "slot"),
    **dict.fromkeys(("maker", "makers"), "encoder"),
    **dict.fromkeys(("patience", "unhurried"), "..._TIMEOUT"),
    "rarely": "..._INTERVAL",
    **dict.fromkeys(("remember", "remembered", "remembers"), "save"),
    **dict.fromkeys(("unwritten", "stale"), "dirty"),
    **dict.fromkeys(("errand", "wish", "bearer"), "background job, name candidate, owner"),
}
# What is plain English within a longer name.
WHOLE_NAMES = {
    "behind": "end_bound",
    **dict.fromkeys(("stands_on", "standing"), "lower_layers, higher_layers"),
    **dict.fromkeys(("kept_lock", "kept_in"), "stuck lock, stuck_epoch"),
    **dict.fromkeys(("short_way", "long_way"), "fast path, slow path"),
    **dict.fromkeys(("handed_over", "first_word"), "mark_clean, ..._TIMEOUT"),
}
# A constant is a noun and its unit.
CONSTANTS = {"LONGEST", "FASTEST", "DEEPEST", "MOST", "RARELY", "PATIENCE", "UNHURRIED", "PACE"}
CONSTANTS |= {"FIRST_WORD", "REST", "KEPT", "SHAPES"}
# Of a line that an operator reads.
PHRASES = re.compile(
    r"\b(told|tells?|looks?|looked|went|kept lock|short way|long way|stands? on|remember(?:s|ed)?"
    r"|handed over|unwritten|stale|not to be had|cannot be asked|(?:numbered|made|read) anew|anew"
    r"|for no)\b"
)
WRITERS = {"debug", "info", "warning", "error", "report", "log", "_is"}


def words_of(name: str) -> list[str]:
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]


def names_in(path: Path) -> Iterator[tuple[int, str]]:
    """Each name of a source, and its line."""
    for token in tokenize.tokenize(io.BytesIO(path.read_bytes()).readline):
        if token.type == tokenize.NAME:
            yield token.start[0], token.string


def for_(name: str) -> set[str]:
    """What a name is to say instead; nothing where it may stay."""
    found = {NAMES[word] for word in words_of(name) if word in NAMES}
    whole = WHOLE_NAMES.get(name.lower().strip("_"))
    if name in CONSTANTS:
        whole = "a noun and its unit: MAX_..., ..._INTERVAL, ..._TIMEOUT"
    return found | ({whole} if whole else set())


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_names_are_the_fields_own(path: Path) -> None:
    found = {f"{line}: {name}: {better}" for line, name in names_in(path) for better in for_(name)}
    assert not found


def texts_in(path: Path) -> Iterator[tuple[int, str]]:
    """What a source logs, raises, or prints for an operator, and its line."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Raise):
            inside: ast.AST | None = node.exc
        elif isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            name = node.func.id if isinstance(node.func, ast.Name) else name
            inside = node if name in WRITERS | {"Line", "print"} else None
        else:
            continue
        for each in ast.walk(inside) if inside is not None else ():
            if isinstance(each, ast.Constant) and isinstance(each.value, str):
                yield each.lineno, each.value


@pytest.mark.parametrize(
    "path", [path for path in SOURCES if path.is_relative_to(ROOT / TREES[0])], ids=named
)
def test_what_an_operator_reads_is_in_the_fields_words(path: Path) -> None:
    assert not {f"{line}: {text}" for line, text in texts_in(path) if PHRASES.search(text)}


def test_both_are_found_where_they_are(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(
        'def lookAt(told):\n    log.info("%s is stale", told)\n    raise E("it went")\n'
    )
    assert [name for _, name in names_in(path)][1:3] == ["lookAt", "told"]
    assert words_of("_lookAt_TOLD") == ["look", "at", "told"]
    assert {text for _, text in texts_in(path)} == {"%s is stale", "it went"}
