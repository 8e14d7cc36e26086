"""Runs it, and prints what came of it.

python -m tests.soak [--minutes M] [--quick] [--seed S]
"""

import argparse
import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

from simulator import Simulator
from simulator.scenario import VPPCFG
from simulator.stage import AgentProcess, Snmpd, until

from ..oids import HC_IN
from . import churn, leaks
from .faults import SETTLE, Injector, Window
from .oracle import Oracle
from .probe import Probe, Sample, use
from .scrapers import PORTS, SCRAPERS, Judge, Scraper

MINUTES, QUICK = 5.0, 1.0
UNDISTURBED = 0.3  # of the time at the end, in which the agent is not restarted
PROBED = 1001  # eno1


def milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.0f}"


def report(windows: Sequence[Window], samples: Sequence[Sample]) -> None:
    """By kind of fault: how often, until the port answered again, until it counted again."""
    print(f"\n{'fault':24} {'times':>5} {'slowest answer':>15} {'no answer for':>15}", end="")
    print(f" {'not moving for':>15}   (ms, at the worst)")
    nexts = [*(window.begun for window in windows[1:]), float("inf")]
    for kind, count in sorted(Counter(window.kind for window in windows).items()):
        slowest = silent = still = 0.0
        for window, until_then in zip(windows, nexts, strict=True):
            if window.kind != kind:
                continue
            asked = [each for each in samples if window.begun <= each.at < until_then]
            if not window.blinds:
                slowest = max([slowest, *(each.took or 0 for each in asked)])
            answered = [each for each in asked if each.octets is not None]
            # Where nobody could answer, or count, only what comes afterwards is held against us.
            zero = window.ended if window.blinds else window.begun
            silent = max(silent, *gaps(zero, [each.at + (each.took or 0) for each in answered]))
            zero = window.ended if window.blinds or window.away else window.begun
            moves = [b.at for a, b in pairwise(answered) if a.octets != b.octets]
            still = max(still, *gaps(zero, moves))
        print(f"{kind:24} {count:5}", end=" ")
        print(f"{milliseconds(slowest or None):>15} {milliseconds(silent):>15}", end=" ")
        print(f"{milliseconds(still):>15}")


def gaps(begun: float, moments: list[float]) -> list[float]:
    """The times between a beginning and each of the moments that follow."""
    ordered = [begun, *sorted(each for each in moments if each > begun)]
    return [b - a for a, b in pairwise(ordered)] or [0.0]


def soak(minutes: float, seed: int) -> bool:
    """Whether nothing was wrong."""
    with tempfile.TemporaryDirectory(prefix="vpp-snmp-agent-soak.") as name, ExitStack() as stack:
        directory = Path(name)
        (directory / "vppcfg.yaml").write_text(VPPCFG)
        (directory / "agent.yaml").write_text(f"settle: {SETTLE}\nperiod: 5\n")
        vpp = stack.enter_context(Simulator(directory / "vpp"))
        snmpd = stack.enter_context(Snmpd(directory / "snmp"))
        flags = ["-c", str(directory / "vppcfg.yaml"), "-f", str(directory / "agent.yaml")]
        flags += ["--api-dir", str(vpp.api_dir)]
        agent = stack.enter_context(AgentProcess(directory, vpp, snmpd.agentx, *flags))
        until("the rows are served", lambda: len(snmpd.column(HC_IN)) == len(PORTS))
        oracle = stack.enter_context(Oracle(vpp))
        judge = Judge(oracle)
        probe = stack.enter_context(Probe(snmpd, PROBED))
        scrapers = [
            stack.enter_context(Scraper(snmpd, judge, poll, seed)) for poll in SCRAPERS.values()
        ]
        injector = Injector(vpp, snmpd, agent, oracle, judge, seed)
        began = time.monotonic()
        end = began + 60 * minutes
        undisturbed_from = end - 60 * minutes * UNDISTURBED
        while time.monotonic() < undisturbed_from:
            injector.inject()
        time.sleep(min(10.0, 6 * minutes))  # what the last start takes is taken
        settled = use(agent.pid)
        while time.monotonic() < end:
            injector.inject(harmless_to_agent=True)
        for scraper in scrapers:
            scraper.__exit__()
        until("every answer is judged", lambda: not oracle._pending)
        after = use(agent.pid)
        polls = {name: each.polls for name, each in zip(SCRAPERS, scrapers, strict=True)}
        report(injector.windows, probe.samples)
        log = agent.text()
    print(f"\n{len(injector.windows)} faults injected in {time.monotonic() - began:.0f} s")
    print(f"{judge.answered:,} objects answered in {sum(polls.values()):,} polls {polls}")
    print(f"{oracle.checked:,} counters held against the truth")
    figures = {
        "wrong": oracle.wrong,
        "backward": judge.backward,
        "changed": judge.changed,
        "vanished": judge.vanished,
        "unanswered": judge.unanswered,
        "crashed": [line for line in log.splitlines() if "Traceback" in line or "Error:" in line],
    }
    for what, found in figures.items():
        print(f"{len(found)} {what}")
        for each in found[:5]:
            print(f"    {each}")
    print("agent and reporter, settled and at the end:", end=" ")
    for mebibytes, descriptors, processes in (settled, after):
        print(f"{mebibytes:.1f} MiB, {descriptors} descriptors, {processes} processes", end="; ")
    print(f"{len(log.splitlines())} lines logged")
    if any(figures.values()):
        print("\nWhat was done, and what the agent logged of it:")
        offset = time.time() - time.monotonic()
        for window in injector.windows:
            clock = time.strftime("%H:%M:%S", time.localtime(window.begun + offset))
            print(f"{clock} {window.begun:.2f}-{window.ended:.2f} {window.kind}")
        print(log)
    return not any(figures.values())


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES, help="(default: %(default)g)")
    parser.add_argument("--quick", action="store_true", help="a minute, and few connections")
    parser.add_argument("--seed", type=int, help="of the faults (default: another each time)")
    options = parser.parse_args()
    seed = secrets.randbelow(10**9) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    sound = soak(QUICK if options.quick else options.minutes, seed)
    sound &= churn.run(quick=options.quick)
    sound &= leaks.run(quick=options.quick)
    print(f"seed {seed}: {'all is well' if sound else 'SOMETHING IS WRONG'}")
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
