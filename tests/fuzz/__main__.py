"""Runs the cases, and prints how many there were of what.

python -m tests.fuzz [--seed S] [--quick] [--only KIND [--case N]]
"""

import argparse
import multiprocessing
import os
import secrets
import sys
import time

from . import Tally
from .portion import KINDS, portion

QUICK = 200  # of so many cases, one
PORTIONS = 40  # in which each kind is handed out


def main() -> int:
    """All kinds side by side; the exit status."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, help="of all chance (default: another each time)")
    parser.add_argument("--quick", action="store_true", help=f"one case of {QUICK}")
    parser.add_argument("--only", choices=KINDS, help="one kind")
    parser.add_argument("--case", type=int, help="one case of that kind")
    options = parser.parse_args()
    seed = secrets.randbelow(10**9) if options.seed is None else options.seed
    if options.case is not None:
        if not options.only:
            parser.error("--case takes --only")
        print(dict(KINDS[options.only][1](seed, range(options.case, options.case + 1))))
        return 0
    print(f"seed {seed}", flush=True)
    began = time.monotonic()
    kinds = [options.only] if options.only else list(KINDS)
    done, tallies, broken = Tally(), {kind: Tally() for kind in kinds}, 0
    tasks = []
    for number in range(PORTIONS):
        for kind in kinds:
            count = KINDS[kind][0] // (QUICK if options.quick else 1)
            cases = range(count * number // PORTIONS, count * (number + 1) // PORTIONS)
            if cases:
                tasks.append((kind, seed, cases))
    # Half of them wait for a reporter at any time.
    workers = 2 * (os.cpu_count() or 1)
    fresh = multiprocessing.get_context("spawn")
    with fresh.Pool(workers, maxtasksperchild=1) as pool:
        for kind, count, tally, wrong in pool.imap_unordered(portion, tasks):
            tallies[kind] += tally
            done[kind] += count
            if wrong:
                broken += 1
                print(f"BROKEN (seed {seed}): {wrong}", flush=True)
        pool.close()
        pool.join()
    for kind, tally in tallies.items():
        outcomes = ", ".join(f"{count:,} {what}" for what, count in sorted(tally.items()))
        print(f"{kind:9} {done[kind]:9,} cases: {outcomes}")
    print(f"{broken} broken, {time.monotonic() - began:.0f} s, seed {seed}")
    return 1 if broken or not all(done.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
