"""The package of 0.1.0, built from the history for the upgrade from it."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from simulator.stage import ROOT

from .story import Failed

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
    path = PLACE / f"vpp-snmp-agent_{VERSION}_all.deb"
    if path.exists():
        return path
    print(f"Building {VERSION} ...", flush=True)
    # Without the make above it; and where no path has spaces, of which debhelper knows nothing.
    environment = {name: os.environ[name] for name in os.environ if name not in MAKES}
    with tempfile.TemporaryDirectory(prefix="vpp-snmp-agent-deb.") as name:
        tree = Path(name)
        archive = subprocess.run(
            ["git", "archive", COMMIT], cwd=ROOT, capture_output=True, check=True
        )
        subprocess.run(["tar", "-x"], cwd=tree, input=archive.stdout, check=True)
        (tree / ".venv").symlink_to(ROOT / ".venv")
        done = subprocess.run(
            ["make", "--old-file=.venv/ready", "deb"],  # this tree's environment stays as it is
            cwd=tree,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Failed(f"make deb of {VERSION}:\n{done.stdout[-3000:]}")
        PLACE.mkdir(parents=True, exist_ok=True)
        shutil.copy(tree / "dist" / path.name, path)
    return path
