"""Changes the modules that decide, one thing at a time, and has their own tests judge each.

python -m tests.mutants [MODULE ...]

A change that no test notices survives.  Those that need no test stand in survivors.txt, each with
its reason; what is printed are the others, and what stands there and does not survive any more.
Everything runs in copies of the tree below build/mutants.
"""

import argparse
import contextlib
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from .change import Mutant, mutants

ROOT = Path(__file__).resolve().parents[2]
COPIES = ROOT / "build" / "mutants"
SURVIVORS = Path(__file__).with_name("survivors.txt")
COPIED = ("vpp_snmp_agent", "simulator", "tests", "bench", "debian", "docs", "snmpd-dataplane.conf")
SEED = 17  # of the sample
TEST, TIME_LIMIT = "a test", "the time limit"
MAX_MEMORY = 1 << 31  # octets, of each process of a mutant's tests
GRACE = 20.0  # seconds that a mutant's tests may take beyond twice their time

# By module: its own tests, and how many of its mutants are tried.  All together take less than an
# hour of two cores.
EVERY = 10_000
# What the publisher decides in rooms of their own, whose tests make rows by it.
PUBLISHING = ("listing", "numbering", "counting", "moments", "neighbor_tables")
JUDGES: dict[str, tuple[tuple[str, ...], int]] = {
    "agent": (("agent", "describing", "notifying", "serving", "following"), 60),
    "vpp/feed": (("feed_rules",), EVERY),
    "vpp/inventory": (("inventory_rules",), EVERY),
    "vpp/pipe": (("pipe",), EVERY),
    "vpp/reporter": (("reporter_rules",), EVERY),
    "interfaces/publisher": (("publisher", *PUBLISHING, "saving", "stacking"), EVERY),
    **{f"interfaces/{each}": ((each, "publisher"), EVERY) for each in PUBLISHING},
    "interfaces/counting": (("counting", "saving", "publisher"), EVERY),
    "interfaces/facts": (("facts",), EVERY),
    "interfaces/counters": (("counters", "formulas", "reached"), 200),
    "interfaces/links": (("links",), EVERY),
    "interfaces/alarms": (("alarms",), EVERY),
}


def main() -> int:
    """The exit status: 1 if a mutant survives that is not explained."""
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("modules", nargs="*", help=f"of {', '.join(JUDGES)} (default: all)")
    modules = parser.parse_args().modules or list(JUDGES)
    unknown = [each for each in modules if each not in JUDGES]
    if unknown:
        parser.error(
            f"no tests are named for {', '.join(unknown)}; they are for {', '.join(JUDGES)}"
        )
    explained = dict(explanations(SURVIVORS.read_text()))
    copies: SimpleQueue[Path] = SimpleQueue()
    workers = os.cpu_count() or 1
    shutil.rmtree(COPIES, ignore_errors=True)
    for number in range(workers):
        copies.put(copied(COPIES / str(number)))
    unexpected = 0
    with ThreadPoolExecutor(workers) as pool:
        for module in modules:
            unexpected += judge_module(module, explained, copies, pool)
    shutil.rmtree(COPIES)
    return int(unexpected > 0)


def explanations(text: str) -> Iterator[tuple[str, str]]:
    """Mutants and why they need no test: a line each, and below it, indented, the reason."""
    mutant, reason = "", ""
    for line in [*text.splitlines(), "end"]:
        if line.startswith(" "):
            reason = f"{reason} {line.strip()}".strip()
        elif line and not line.startswith("#"):
            if mutant and not reason:
                raise SystemExit(f"{SURVIVORS.name}: no reason stands below: {mutant}")
            if mutant:
                yield mutant, reason
            mutant, reason = line, ""


def copied(directory: Path) -> Path:
    """A copy of what the tests need."""
    directory.mkdir(parents=True)
    without = shutil.ignore_patterns("__pycache__")
    for path in (ROOT / name for name in COPIED):
        if path.is_dir():
            shutil.copytree(path, directory / path.name, ignore=without)
        else:
            shutil.copy(path, directory)
    for path in ROOT.glob("*.*"):
        if path.suffix in (".toml", ".md", ".py"):
            shutil.copy(path, directory)
    return directory


def judge_module(
    module: str, explained: dict[str, str], copies: "SimpleQueue[Path]", pool: ThreadPoolExecutor
) -> int:
    """Try a module's mutants, and say how they fared; how many did otherwise than is known."""
    names, at_most = JUDGES[module]
    tests = [f"tests/test_{name}.py" for name in names]
    path = Path("vpp_snmp_agent", f"{module}.py")
    source = (ROOT / path).read_text()
    every = list(mutants(source))
    tried = random.Random(SEED).sample(every, at_most) if len(every) > at_most else every

    def judge(text: str, limit: float) -> str | None:
        copy = copies.get()
        try:
            (copy / path).write_text(text)
            return noticed_by(copy, tests, limit)
        finally:
            (copy / path).write_text(source)
            copies.put(copy)

    began = time.monotonic()
    if judge(source, 600):
        print(f"{module}: its tests fail as it is", flush=True)
        return 1
    limit = 2 * (time.monotonic() - began) + GRACE
    noticed = list(pool.map(lambda mutant: judge(mutant.source, limit), tried))
    took = time.monotonic() - began
    survivors = [each for each, by in zip(tried, noticed, strict=True) if by is None]
    new = [each for each in survivors if f"{module} {each.text}" not in explained]
    killed = [each for each, by in zip(tried, noticed, strict=True) if by is not None]
    sample = f" (a sample, seed {SEED})" if len(tried) < len(every) else ""
    print(
        f"{module}: {len(tried)} of {len(every)} mutants{sample}: {len(killed)} are noticed"
        f" ({noticed.count(TIME_LIMIT)} by {TIME_LIMIT}), {len(survivors) - len(new)} need no test,"
        f" {len(new)} survive; {took:.0f} s",
        flush=True,
    )
    for each in new:
        print(f"  survives: {module} {each.text}", flush=True)
    gone_or_noticed = outdated(module, explained, every, killed)
    for text in gone_or_noticed:
        print(f"  in {SURVIVORS.name}, and does not survive: {text}", flush=True)
    return len(new) + len(gone_or_noticed)


def outdated(
    module: str, explained: dict[str, str], every: list[Mutant], killed: list[Mutant]
) -> list[str]:
    """What is explained of a module and is noticed, or is no mutant of it any more."""
    possible = {f"{module} {each.text}" for each in every}
    gone = {f"{module} {each.text}" for each in killed}
    ours = [text for text in explained if text.startswith(f"{module} ")]
    return [text for text in ours if text in gone or text not in possible]


def noticed_by(copy: Path, tests: list[str], limit: float) -> str | None:
    """What notices a change: a test, the quicker ones first, or the time limit; or nothing."""
    end = time.monotonic() + limit
    for marks in ("not system and not slow", "not system and slow"):
        command = (sys.executable, "-m", "pytest", "-x", "-q", "-m", marks, *tests)
        options = ("-p", "no:cacheprovider", "--hypothesis-seed=0", "--no-header")
        status = run_alone((*command, *options), copy, end - time.monotonic())
        if status is None:
            return TIME_LIMIT
        if status not in (0, 5):  # 5: no test has this mark
            return TEST
    return None


def run_alone(command: Sequence[str], copy: Path, limit: float) -> int | None:
    """The exit status, None beyond the limit; nothing that the command started is left."""
    with subprocess.Popen(
        command,
        cwd=copy,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(copy)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as running:
        try:
            # A loop without end that appends would take all memory of the machine.
            resource.prlimit(running.pid, resource.RLIMIT_DATA, (MAX_MEMORY, MAX_MEMORY))
            return running.wait(limit)
        except subprocess.TimeoutExpired:
            return None
        finally:
            # What a changed test run leaves behind is in its group still: nothing of it goes on.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
