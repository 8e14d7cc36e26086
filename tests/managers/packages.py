"""Debian's packages: the commands of those that are installed, and of others unpacked."""

import shutil
import subprocess
from pathlib import Path

from ..deb.story import Failed

# What only root may read the downloads of would else be a warning for each.
APT = ("apt-get", "-qq", "-o", "APT::Sandbox::User=root")


def commands(directory: Path, package: str, *names: str) -> list[Path]:
    """The commands of a package: this machine's, or else the package's, unpacked below
    `directory`.
    """
    installed = [shutil.which(name) for name in names]
    if all(installed):
        return [Path(path) for path in installed if path]
    unpack(directory, package)
    found = [directory / "usr/bin" / name for name in names]
    for path in found:
        if not path.exists():
            raise Failed(f"{package} has no {path.name}")
    return found


def unpack(directory: Path, package: str) -> None:
    """Its files below `directory`; neither installed nor configured, nor what it depends on."""
    directory.mkdir(parents=True, exist_ok=True)
    download = (*APT, "download", package)
    if subprocess.run(download, cwd=directory, capture_output=True, check=False).returncode:
        _run([*APT, "update"], directory)
        _run([*download], directory)
    [archive] = directory.glob(f"{package}_*.deb")
    _run(["dpkg-deb", "--extract", str(archive), str(directory)], directory)
    archive.unlink()


def _run(command: list[str], directory: Path) -> None:
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"{' '.join(command)}: {done.stdout}{done.stderr}")
