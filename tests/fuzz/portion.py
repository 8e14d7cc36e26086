"""All kinds of cases, and a portion of one, for a process of its own."""

import resource
from collections.abc import Callable

from . import Broken, Tally, agentx, api, files, segments

KINDS: dict[str, tuple[int, Callable[[int, range], Tally]]] = {
    agentx.KIND: (agentx.CASES, agentx.run),
    segments.KIND: (segments.CASES, segments.run),
    api.KIND: (api.CASES, api.run),
    api.WHOLE: (api.WHOLE_CASES, api.run_whole),
    files.KIND: (files.CASES, files.run),
}
GROWTH = 8 << 20  # octets that a process may grow by from the first half of its cases to the second


def resident() -> int:
    """This process's memory, in octets."""
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


def portion(task: tuple[str, int, range]) -> tuple[str, int, Tally, str]:
    """Some of the cases, in a process of their own: (kind, how many, what happened, what broke)."""
    kind, seed, cases = task
    try:
        return kind, len(cases), _run(kind, seed, cases), ""
    except Broken as error:
        return kind, 0, Tally(), str(error)


def _run(kind: str, seed: int, cases: range) -> Tally:
    """The process must not grow by them."""
    _, run = KINDS[kind]
    half = cases[: len(cases) // 2], cases[len(cases) // 2 :]
    tally = run(seed, half[0])
    before = resident()
    tally += run(seed, half[1])
    if resident() > before + GROWTH:
        raise Broken(f"{kind} cases {cases}: {resident() - before} octets more than before")
    return tally
