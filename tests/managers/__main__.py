"""python -m tests.managers [--mibs DIRECTORY] [--update] [MANAGER ...]: as root, with a mirror
of Debian."""

import argparse
import sys
import tempfile
from pathlib import Path

from ..deb.story import run_as_root
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

    def story() -> None:
        for manager in given.manager or MANAGERS:
            with tempfile.TemporaryDirectory(prefix=f"vpp-snmp-agent-{manager}.") as directory:
                MANAGERS[manager](Path(directory), given.mibs, given.update)

    return run_as_root(story, "make managers-test needs root: for network namespaces")


if __name__ == "__main__":
    sys.exit(main())
