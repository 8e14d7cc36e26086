"""A release: its version stands in many places, and what it is made of and tried with in some."""

import re
from pathlib import Path

import pytest

from simulator.stage import ROOT
from vpp_snmp_agent import __version__
from vpp_snmp_agent.mibs import MODULES as MIBS

from .dist.__main__ import PYTHONS

DEBIAN = ROOT / "debian"
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
DEBIAN_CHANGELOG = (DEBIAN / "changelog").read_text()
CONTROL = (DEBIAN / "control").read_text()
SETUP = (ROOT / "setup.py").read_text()
WORKFLOW = (ROOT / ".github/workflows/ci.yml").read_text()
CONSTRAINTS = (ROOT / "tests/constraints.txt").read_text()
PRIVATE = (DEBIAN / "private.txt").read_text()
NEVER_RELEASED = "0.2.0"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def order(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def pins(text: str) -> dict[str, str]:
    """The version of each package that is pinned, by its normalised name."""
    found = re.findall(r"^([\w.-]+)==([^ ;\n\\]+)", text, re.MULTILINE)
    return {normalised(name): version for name, version in found}


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


# --- the version ---------------------------------------------------------------------------------


def test_the_changelogs_begin_with_this_version_and_its_day() -> None:
    ((version, day),) = re.findall(r"\A.*?^## (\S+) \((\S+)\)$", CHANGELOG, re.M | re.S)
    assert version == __version__
    ((packaged, number, month, year),) = re.findall(
        r"\Avpp-snmp-agent \((\S+)\) unstable;.*?^ -- [^\n]*  \w{3}, (\d\d) (\w{3}) (\d{4}) ",
        DEBIAN_CHANGELOG,
        re.MULTILINE | re.DOTALL,
    )
    assert packaged == __version__
    assert f"{year}-{MONTHS.index(month) + 1:02}-{number}" == day


def test_the_changelogs_know_the_same_versions_newest_first() -> None:
    versions = re.findall(r"^## (\S+)", CHANGELOG, re.MULTILINE)
    assert versions == re.findall(r"^vpp-snmp-agent \((\S+)\)", DEBIAN_CHANGELOG, re.MULTILINE)
    assert versions == sorted(versions, key=order, reverse=True)


@pytest.mark.parametrize("page", ["README.md", "docs/installation.md"])
def test_the_package_that_is_to_be_installed_is_the_one_that_is_built(page: str) -> None:
    assert re.findall(r"^apt install (.*)$", (ROOT / page).read_text(), re.MULTILINE) == [
        f"./vpp-snmp-agent_{__version__}_all.deb"
    ]


def test_what_is_served_as_the_agents_version_is_this_one() -> None:
    walk = (ROOT / "tests/golden/edge-router.walk").read_text()
    assert walk.count(f'86.80.80.1.1.13.0 = STRING: "{__version__}"\n') == 1


def test_nothing_speaks_of_a_version_that_was_never_released() -> None:
    tops = ("*", "vpp_snmp_agent/**/*", "docs/**/*", "simulator/*", "bench/*", "tests/*.py")
    files = {path for top in tops for path in ROOT.glob(top) if path.is_file()}
    files = {path for path in files if "__pycache__" not in path.parts}
    files -= {ROOT / "CHANGELOG.md", Path(__file__)}
    version = re.compile(rb"(?<![\d.])" + re.escape(NEVER_RELEASED).encode() + rb"(?![\d.])")
    assert len(files) > 100
    assert {path for path in files if version.search(path.read_bytes())} == set()
    assert CHANGELOG.count(NEVER_RELEASED) == 1


# --- what a package says of itself ---------------------------------------------------------------


def test_both_packages_have_one_synopsis() -> None:
    (synopsis,) = re.findall(r"^Description: (.*)$", CONTROL, re.MULTILINE)
    assert re.findall(r'^    description="(.*)",$', SETUP, re.MULTILINE) == [synopsis]


@pytest.mark.parametrize("mib", MIBS)
def test_the_description_of_the_package_names_each_mib(mib: str) -> None:
    assert f"\n  * {mib}" in CONTROL.partition("\nDescription: ")[2]


def test_each_python_is_declared_tried_and_run_by_ci() -> None:
    assert re.findall(r"Programming Language :: Python :: (3\.\d+)", SETUP) == list(PYTHONS)
    assert re.findall(r'python_requires=">=(.*)"', SETUP) == [PYTHONS[0]]
    assert re.findall(r"python: \[(.*)\]", WORKFLOW) == [", ".join(f'"{v}"' for v in PYTHONS)]


def test_ci_takes_actions_by_their_major_version_and_knows_no_secret() -> None:
    used = re.findall(r"uses: (\S+)", WORKFLOW)
    assert used
    assert all(re.fullmatch(r"actions/[\w-]+@v\d+", each) for each in used)
    assert "secrets" not in WORKFLOW
    assert "bash .ci/run" in WORKFLOW


# --- what it is made of and tried with -----------------------------------------------------------


def test_what_the_package_brings_is_what_the_agent_asks_for() -> None:
    asked = re.findall(r'"(vpp_papi|pyagentx3)>=(.*?),<(.*?)"', SETUP)
    brought = pins(PRIVATE)
    assert len(asked) == len(brought) == 2
    for name, least, below in asked:
        assert order(least) <= order(brought[normalised(name)]) < order(below)


def test_what_the_tests_run_with_is_pinned_and_what_the_package_brings() -> None:
    pinned = pins(CONSTRAINTS)
    asked = {normalised(name) for name in re.findall(r'"([\w-]+)>=[\d.]+(?:,<[\d.]+)?"', SETUP)}
    assert {"pytest", "mypy", "pyyaml", "vpp-papi"} <= asked
    assert asked | {"setuptools", "build", "twine"} <= pinned.keys()
    assert pins(PRIVATE).items() <= pinned.items()


def test_every_constraint_is_one_version() -> None:
    lines = [line for line in CONSTRAINTS.splitlines() if not line.startswith("#")]
    assert len(lines) > 20
    marker = r'(; python_version (<|>=) "3\.11")?'
    assert [line for line in lines if not re.fullmatch(rf"[\w.-]+==[\w.]+{marker}", line)] == []
