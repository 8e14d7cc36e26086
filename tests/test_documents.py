"""README, CONTRIBUTING and docs/: links lead somewhere, and what they list is what there is."""

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from simulator.stage import ROOT
from vpp_snmp_agent.agentx.mib import Scalar, TableView
from vpp_snmp_agent.mibs import MODULES as MIBS

from .routers import new_publisher
from .test_layers import MODULES
from .test_layers import ROOT as PACKAGE

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
TROUBLESHOOTING = DOCS / "troubleshooting.md"
MAX_README_WORDS = 900
MIN_FRAGMENT = 8  # characters of a log line's text that are worth finding
# Where a failure is reported: by the log itself, and by what sees that it is logged once.
LOGGERS = {"warning", "error"}
STATE_LOGGERS = {"report", "_is"}
FAILING = {"WARNING", "ERROR"}
# Texts that are made in one place and logged in another.
LOG_TEXTS = {
    "agentx/connection.py": (
        "no snmpd yet: ",
        "lost snmpd at ",
        "is silent",
        "does not speak AgentX: ",
    ),
    "describing.py": ("there is no such file", "the descriptions stay as they were"),
}


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^ *```.*?^ *```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Those of its headings, as GitHub makes them."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE):
        anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        number = 0
        while (numbered := f"{anchor}-{number}" if number else anchor) in found:
            number += 1
        found.add(numbered)
    return found


def links(page: Path) -> Iterator[str]:
    """The relative ones."""
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if not re.match(r"[a-z]+:", target):
            yield target


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_and_anchor_leads_somewhere(page: Path) -> None:
    for link in links(page):
        target, _, anchor = link.partition("#")
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), f"{named(page)}: {link}"
        assert not anchor or anchor in anchors(path), f"{named(page)}: {link}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_page_that_a_page_names_is_there(page: Path) -> None:
    for name in re.findall(r"`((?:docs|tests|bench|debian)/[\w./-]+)`", prose(page)):
        assert (ROOT / name).exists(), f"{named(page)}: {name}"


def test_every_page_is_linked_from_another() -> None:
    linked = {
        (page.parent / link.partition("#")[0]).resolve()
        for page in PAGES
        for link in links(page)
        if link.partition("#")[0]
    }
    assert {named(page) for page in PAGES[1:]} <= {
        named(path) for path in linked if path.is_relative_to(ROOT)
    }


def test_readme_is_short() -> None:
    assert len(PAGES[0].read_text().split()) <= MAX_README_WORDS


def test_readme_has_the_two_commands_before_anything_is_installed() -> None:
    before = PAGES[0].read_text().partition("\n## Install\n")[0]
    assert re.findall(r"^(make \w+)", before, re.MULTILINE) == ["make demo", "make test"]


def test_the_package_installs_every_page() -> None:
    listed = (ROOT / "debian" / "vpp-snmp-agent.docs").read_text().split()
    (command,) = re.findall(r"^\tdh_installdocs (.*)$", (ROOT / "debian/rules").read_text(), re.M)
    left_out = [word.removeprefix("-X") for word in command.split()]
    pages = {named(page) for page in PAGES if page.name != "CONTRIBUTING.md"}
    assert {
        page
        for page in pages
        for line in listed
        if (fnmatch(page, line) or page.startswith(f"{line}/"))
        and not any(part in page for part in left_out)
    } == pages


@pytest.mark.parametrize("page", PAGES[:2], ids=named)
def test_every_target_of_make_that_is_named_exists(page: Path) -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([\w-]+)", page.read_text(), re.MULTILINE)) <= targets


# --- architecture --------------------------------------------------------------------------------


def test_the_architecture_has_a_room_for_every_module_and_no_other() -> None:
    rooms = (DOCS / "architecture.md").read_text().partition("\n## Rooms\n")[2]
    rooms = rooms.partition("\n## ")[0]
    cells = re.findall(r"^\| (`.*?`) \| ", rooms, re.MULTILINE)
    found = [name for cell in cells for name in re.findall(r"`(.*?)`", cell)]
    assert len(found) == len(set(found))
    there = {f"{module.replace('.', '/')}.py" for module in MODULES}
    assert set(found) == {name for name in there if not name.endswith("__init__.py")}
    assert "`simulator/`" in rooms


# --- MIBs ----------------------------------------------------------------------------------------


def test_every_object_that_is_served_has_its_source_and_no_other() -> None:
    page = (DOCS / "mibs.md").read_text()
    rows = re.findall(r"^\| (.*?) \| (.*?) \|$", page, re.MULTILINE)
    documented = {name for row, _ in rows for name in re.findall(r"\b[a-z]+\d?[a-z]*[A-Z]\w+", row)}
    publisher, served = new_publisher(), set()
    for mib, module in MIBS.items():
        assert f"\n## {mib}\n" in page
        for each in module(publisher).objects:
            assert isinstance(each, Scalar | TableView)
            served |= {each.name} if isinstance(each, Scalar) else {c.name for c in each.columns}
    assert not served - documented
    assert not {name for name in documented - served if not name.endswith("Table")}


# --- troubleshooting -----------------------------------------------------------------------------


def is_failure(call: ast.Call) -> bool:
    """Whether a call logs a warning or an error, by the log or by what logs it once."""
    function = call.func
    if not isinstance(function, ast.Attribute):
        return False
    if function.attr in LOGGERS and isinstance(function.value, ast.Name):
        return function.value.id == "log"
    level = call.args[0] if call.args else None
    return (
        function.attr in STATE_LOGGERS
        and isinstance(level, ast.Attribute)
        and level.attr in FAILING
    )


def fragments(call: ast.Call) -> list[str]:
    """The texts of a call that stand in its line as they are."""
    texts = [
        node.value
        for argument in call.args
        for node in ast.walk(argument)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    return [
        part.strip()
        for text in texts
        for part in re.split(r"%[sdg]", text)
        if len(part.strip()) > 1
    ]


def failures() -> Iterator[tuple[str, str]]:
    """The texts of each module's warnings and errors, but for their shortest pieces."""
    for module, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Call) and is_failure(node):
                yield from ((module, text) for text in fragments(node) if len(text) >= MIN_FRAGMENT)


def on_one_line(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize(("module", "text"), sorted(set(failures())))
def test_every_warning_and_error_of_the_log_is_explained(module: str, text: str) -> None:
    page = on_one_line(TROUBLESHOOTING.read_text())
    assert on_one_line(text) in page, f"{module} logs this"


def test_both_ways_to_log_a_failure_are_found() -> None:
    assert {"agent", "agentx.connection", "following", "interfaces.state"} <= {
        module for module, _ in failures()
    }


def test_the_texts_that_are_made_elsewhere_are_still_there() -> None:
    page = TROUBLESHOOTING.read_text()
    for name, texts in LOG_TEXTS.items():
        source = (PACKAGE / name).read_text()
        for text in texts:
            assert text in source
            assert text.strip(" :") in page


def things(mark: str) -> set[str]:
    """What `check` has a line of this mark for, as far as its source names it."""
    found: set[str] = set()
    modules = [ast.parse(path.read_bytes()) for path in PACKAGE.glob("operator/check*.py")]
    for function in (node for module in modules for node in ast.walk(module)):
        if not isinstance(function, ast.FunctionDef):
            continue
        of_names = {
            node.targets[0].id: {node.value.value}
            for node in ast.walk(function)
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        }
        for node in ast.walk(function):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
                continue
            if node.func.id != "Line" or not isinstance(node.args[0], ast.Name | ast.IfExp):
                continue
            marks = {each.id for each in ast.walk(node.args[0]) if isinstance(each, ast.Name)}
            thing = node.args[1]
            if mark in marks and isinstance(thing, ast.Constant):
                found.add(str(thing.value))
            elif mark in marks and isinstance(thing, ast.Name):
                found |= of_names.get(thing.id, set())
    return found


@pytest.mark.parametrize("mark", ["FAIL", "NOTE"])
def test_every_line_of_check_that_needs_a_person_is_explained(mark: str) -> None:
    table = TROUBLESHOOTING.read_text().partition("\n## What the log says\n")[0]
    shown = "FAIL" if mark == "FAIL" else "note"
    explained = {
        name
        for cell in re.findall(rf"^\| (`.*?) {shown} \| ", table, re.MULTILINE)
        for name in re.findall(r"`(.*?)`", cell)
    }
    assert len(things(mark)) > 5
    assert things(mark) <= explained
