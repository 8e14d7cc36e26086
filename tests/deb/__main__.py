"""python -m tests.deb [--short] PACKAGE: as root, on this machine's mirror of Debian."""

import argparse
import os
import signal
import sys
import time
from pathlib import Path

from simulator.stage import StageError

from . import booted, unbooted, upgraded
from .story import Failed


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="make deb-test", description=__doc__)
    parser.add_argument("--short", action="store_true", help="boot nothing")
    parser.add_argument("package", type=Path)
    given = parser.parse_args()
    if os.geteuid():
        print("make deb-test needs root: it makes systems and boots them", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # not before all is cleaned up
    version = given.package.name.split("_")[1]
    began = time.monotonic()
    try:
        if given.short:
            unbooted.run_story("bookworm", given.package, version)
        else:
            booted.run_story("bookworm", given.package)
            upgraded.run_story("bookworm", given.package, version)
        unbooted.run_story("trixie", given.package, version)
    except (Failed, StageError) as error:
        print(f"FAILED {error}", flush=True)
        return 1
    print(f"\nAll of it holds ({time.monotonic() - began:.0f} s).")
    return 0


if __name__ == "__main__":
    sys.exit(main())
