"""python -m tests.managers [--mibs DIRECTORY] [--update] [MANAGER ...]: as root, with a mirror
of Debian."""

import argparse
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from simulator.stage import StageError

from ..deb.story import Failed
from . import librenms, prometheus, zabbix

MANAGERS = {
    "prometheus": prometheus.run_story,
    "zabbix": zabbix.run_story,
    "librenms": librenms.run_story,
}


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="make managers-test", description=__doc__)
    parser.add_argument("--mibs", type=Path, required=True, help="where `make mibs` puts them")
    parser.add_argument("--update", action="store_true", help="write what is generated anew")
    parser.add_argument("manager", nargs="*", choices=[*MANAGERS, []], help="these alone")
    given = parser.parse_args()
    if os.geteuid():
        print("make managers-test needs root: for network namespaces", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # not before all is cleaned up
    began = time.monotonic()
    try:
        for manager in given.manager or MANAGERS:
            with tempfile.TemporaryDirectory(prefix=f"vpp-snmp-agent-{manager}.") as directory:
                MANAGERS[manager](Path(directory), given.mibs, given.update)
    except (Failed, StageError) as error:
        print(f"FAILED {error}", flush=True)
        return 1
    print(f"\nAll of it holds ({time.monotonic() - began:.0f} s).")
    return 0


if __name__ == "__main__":
    sys.exit(main())
