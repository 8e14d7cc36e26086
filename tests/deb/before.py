"""The package of 0.1.0, built from the history for the upgrade from it."""

import os
import shutil
import subprocess
from pathlib import Path

from simulator.stage import ROOT

from .told import Failed

VERSION = "0.1.0"
COMMIT = "e4762a7f1a15bc889cfd6f273d41e5661363fd72"  # the last one of it
PLACE = ROOT / "build" / f"deb-{VERSION}"
MAKES = {"MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MFLAGS"}  # what a make hands to those below it


def in_history() -> bool:
    """Whether this is a repository that reaches back so far."""
    asked = ["git", "cat-file", "-e", f"{COMMIT}^{{commit}}"]
    try:
        return not subprocess.run(asked, cwd=ROOT, capture_output=True, check=False).returncode
    except FileNotFoundError:
        return False


def package() -> Path:
    """As its own `make deb` builds it, but with this tree's environment; kept in build/."""
    path = PLACE / "dist" / f"vpp-snmp-agent_{VERSION}_all.deb"
    if path.exists():
        return path
    print(f"Building {VERSION} in {PLACE} ...", flush=True)
    shutil.rmtree(PLACE, ignore_errors=True)
    PLACE.mkdir(parents=True)
    archive = subprocess.run(["git", "archive", COMMIT], cwd=ROOT, capture_output=True, check=True)
    subprocess.run(["tar", "-x"], cwd=PLACE, input=archive.stdout, check=True)
    (PLACE / ".venv").symlink_to("../../.venv")
    # --old-file: the environment is this tree's, and stays so.
    environment = {name: os.environ[name] for name in os.environ if name not in MAKES}
    done = subprocess.run(
        ["make", "--old-file=.venv/ready", "deb"],
        cwd=PLACE,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode or not path.exists():
        raise Failed(f"make deb of {VERSION}:\n{done.stdout[-3000:]}")
    return path
