"""python -m tests.deb [--short] PACKAGE: as root, on this machine's mirror of Debian."""

import argparse
import sys
from pathlib import Path

from . import booted, unbooted, upgraded
from .story import run_as_root


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="make deb-test", description=__doc__)
    parser.add_argument("--short", action="store_true", help="boot nothing")
    parser.add_argument("package", type=Path)
    given = parser.parse_args()
    version = given.package.name.split("_")[1]

    def story() -> None:
        if given.short:
            unbooted.run_story("bookworm", given.package, version)
        else:
            booted.run_story("bookworm", given.package)
            upgraded.run_story("bookworm", given.package, version)
        unbooted.run_story("trixie", given.package, version)

    return run_as_root(story, "make deb-test needs root: it makes systems and boots them")


if __name__ == "__main__":
    sys.exit(main())
