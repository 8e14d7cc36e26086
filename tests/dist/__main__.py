"""python -m tests.dist [--unit] SDIST WHEEL: in each Python that is found on this machine.

The rules this module keeps:

- A Python that is wanted and not found is named, and is no failure: no machine has them all.
- The agent runs in a virtual environment that has the wheel, and what the wheel asks for, alone.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from simulator.stage import ROOT

PYTHONS = ("3.10", "3.11", "3.12", "3.13")  # as setup.py's classifiers have them
PLACE = ROOT / "build" / "dist-test"
DEBIANS = Path("/usr/bin/python3")
IDENTIFY = "import ensurepip, sys; print('%d.%d' % sys.version_info[:2])"
CONSTRAINTS = "tests/constraints.txt"
NOT_IN_SDIST = {".gitignore"}


class Failed(Exception):
    """Something that must hold does not."""


def run(*words: str | Path, cwd: Path = ROOT) -> None:
    """A command that must end well; what it prints goes by."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(words, stdin=subprocess.DEVNULL, cwd=cwd, env=environment, check=False)
    if done.returncode:
        raise Failed(f"{' '.join(map(str, words))}: exit status {done.returncode}")


def version_of(python: Path) -> str:
    """Such as 3.12; empty if it does not run or can make no virtual environment."""
    try:
        done = subprocess.run(
            [python, "-c", IDENTIFY], capture_output=True, text=True, cwd="/", check=False
        )
    except OSError:
        return ""
    return done.stdout.strip() if not done.returncode else ""


def interpreters() -> dict[Path, str]:
    """The version of each Python that is wanted: one of each from PATH or pyenv, and Debian's."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found: dict[Path, str] = {}
    for version in PYTHONS:
        candidates = sorted(pyenv.glob(f"{version}.*/bin/python"))
        if in_path := shutil.which(f"python{version}"):
            candidates.append(Path(in_path))
        for each in candidates:
            if version_of(each) == version:
                found[each] = version
                break
    if DEBIANS.resolve() not in {each.resolve() for each in found}:
        version = version_of(DEBIANS)
        if version in PYTHONS:
            found[DEBIANS] = version
    return found


def check_contents(sdist: Path, wheel: Path) -> Path:
    """The sdist has all that the repository has, the wheel the package alone; the former unpacked."""
    with tarfile.open(sdist) as archive:
        if sys.version_info >= (3, 12):
            archive.extractall(PLACE, filter="data")
        else:
            archive.extractall(PLACE)
    tree = PLACE / sdist.name.removesuffix(".tar.gz")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    if listed.returncode:
        print("SKIPPED what is in the sdist: this is no git repository", flush=True)
    else:
        missing = {
            name
            for name in listed.stdout.split("\0")
            if name and (ROOT / name).exists() and not (tree / name).exists()
        } - NOT_IN_SDIST
        if missing:
            raise Failed(f"the sdist lacks {', '.join(sorted(missing))}")
        print("ok     the sdist has all that the repository has", flush=True)
    information = "-".join(wheel.name.split("-")[:2]) + ".dist-info"
    with zipfile.ZipFile(wheel) as archive_of_wheel:
        tops = {name.partition("/")[0] for name in archive_of_wheel.namelist()}
    if tops != {"vpp_snmp_agent", information}:
        raise Failed(f"the wheel has {', '.join(sorted(tops))}")
    print("ok     the wheel has the package alone", flush=True)
    return tree


def new_environment(python: Path, name: str) -> Path:
    """Its python."""
    run(python, "-m", "venv", PLACE / name)
    return PLACE / name / "bin" / "python"


def pip(python: Path, *words: str | Path, cwd: Path = ROOT) -> None:
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *words, cwd=cwd)


def serve(python: Path, wheel: Path, name: str) -> None:
    """The wheel in an empty environment serves VPP."""
    own = new_environment(python, name)
    pip(own, wheel)
    run(sys.executable, "-m", "tests.installed", own.with_name("vpp-snmp-agent"))


def test(python: Path, tree: Path, name: str) -> None:
    """The sdist's own tests that need no snmpd."""
    own = new_environment(python, f"{name}-unit")
    pip(own, "--constraint", CONSTRAINTS, "setuptools", cwd=tree)
    pinned = ("--constraint", CONSTRAINTS, "--no-build-isolation")
    pip(own, *pinned, "--editable", ".[test]", cwd=tree)
    run(own, "-m", "pytest", "-q", "-m", "not system", cwd=tree)


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="make dist-test", description=__doc__)
    parser.add_argument("--unit", action="store_true", help="the sdist's unit tests too")
    parser.add_argument("sdist", type=Path)
    parser.add_argument("wheel", type=Path)
    given = parser.parse_args()
    shutil.rmtree(PLACE, ignore_errors=True)
    PLACE.mkdir(parents=True)
    pythons = interpreters()
    failed = []
    try:
        tree = check_contents(given.sdist.resolve(), given.wheel.resolve())
    except Failed as error:
        print(f"FAILED {error}")
        return 1
    for number, (python, version) in enumerate(pythons.items()):
        name = f"{number}-python{version}"
        print(f"\nPython {version}, {python}", flush=True)
        try:
            serve(python, given.wheel.resolve(), name)
            if given.unit:
                test(python, tree, name)
        except Failed as error:
            print(f"FAILED {error}", flush=True)
            failed.append(str(python))
    print(f"\nRan with {', '.join(f'{v} ({p})' for p, v in pythons.items()) or 'none'}.")
    for version in PYTHONS:
        if version not in pythons.values():
            print(f"SKIPPED Python {version}: unavailable on this machine")
    if failed:
        print(f"FAILED with {', '.join(failed)}")
    return int(bool(failed) or not pythons)


if __name__ == "__main__":
    sys.exit(main())
