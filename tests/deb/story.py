"""How a story is printed: a line for what holds, and what was seen of what does not."""

import os
import signal
import sys
import time
from collections.abc import Callable

from simulator import stage

TIMEOUT = 120.0  # seconds, for a machine that has other things to do


class Failed(Exception):
    """Something that must hold does not."""


def chapter(title: str) -> None:
    """What the next lines are about."""
    print(f"\n{title}", flush=True)


def check(what: str, holds: object, seen: object = "") -> None:
    """A line, if it holds; else Failed with what was seen instead."""
    if not holds:
        raise Failed(f"{what}\n{seen}")
    print(f"ok     {what}", flush=True)


def until(what: str, condition: Callable[[], object]) -> None:
    """Return as soon as `condition()` is true; StageError if it is not in time."""
    stage.until(what, condition, TIMEOUT)


def eventually(what: str, condition: Callable[[], object]) -> None:
    """A line, as soon as it holds; StageError if it does not in time."""
    until(what, condition)
    print(f"ok     {what}", flush=True)


def run_as_root(story: Callable[[], None], need: str) -> int:
    """The exit status of a story that needs root; whoever ends it early has it clean up."""
    if os.geteuid():
        print(need, file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # not before all is cleaned up
    began = time.monotonic()
    try:
        story()
    except (Failed, stage.StageError) as error:
        print(f"FAILED {error}", flush=True)
        return 1
    print(f"\nAll of it holds ({time.monotonic() - began:.0f} s).")
    return 0
