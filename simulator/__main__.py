"""A VPP for the demo and the tests: `python -m simulator --run-dir DIR`.

It serves DIR/stats.sock and DIR/api.sock until a signal ends it.  DIR/api holds the
*.api.json files of the release.
"""

import argparse
import sys
from pathlib import Path

from .messages import PLUGINS
from .process import SimulatedVpp
from .release import RELEASES
from .scenario import VPPCFG


def arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulator", description=__doc__)
    add = parser.add_argument
    add("--run-dir", type=Path, required=True, help="where the sockets go")
    which = "the VPP release to be (default: %(default)s)"
    add("--release", default="26.06", choices=RELEASES, metavar="YY.MM", help=which)
    add("--seed", type=int, help="make the interfaces in another order, so with other indexes")
    add("--threads", type=int, default=3, help="main thread and workers (default: %(default)s)")
    add("--interfaces", type=int, default=0, help="so many plain ones, instead of the edge router")
    add("--pairs", action="store_true", help="with --interfaces: an LCP pair for each")
    add("--addresses", action="store_true", help="with --interfaces: one for each sub-interface")
    add("--empty", action="store_true", help="hardware only, as a VPP that was just started")
    add("--segment-size", type=int, default=0, help="bytes (default: 8 MiB, or what it takes)")
    add("--without", nargs="*", default=[], choices=PLUGINS, help="plugins that are off")
    add("--update-interval", type=float, default=10.0, help="seconds between heartbeats")
    add("--per-node-counters", action="store_true", help="what each node has counted")
    add("--vppcfg", type=Path, help="write the edge router's vppcfg YAML there")
    add("--control", type=int, help="a client's descriptor, with which it ends (client.py)")
    return parser.parse_args(words)


def main() -> None:
    options = arguments(sys.argv[1:])
    if options.vppcfg:
        options.vppcfg.write_text(VPPCFG, encoding="utf-8")
    vpp = SimulatedVpp(options)
    vpp.end_on_signals()
    if options.control is None:
        print("the simulator serves", flush=True)
    try:
        vpp.run()
    finally:
        vpp.close()


if __name__ == "__main__":
    main()
