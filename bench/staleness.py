"""What a poller sees of a counter: a rate, and how wrong it is if the counter is stale.

An agent that refreshes every T seconds answers with what it read up to T seconds ago.  Of
a poll period P, an interval between two answers is so up to T too short or too long.
"""

from collections.abc import Sequence
from itertools import pairwise

# What a refresh itself takes, so that its moments drift along the poller's: 1/77 of T.
DRIFT = 1 + 1 / 77


def as_refreshed(moments: Sequence[float], values: Sequence[int], every: float) -> list[int]:
    """The values of a counter as an agent that refreshes `every` seconds would report them.

    `moments` ascend; at each the counter had the value of `values` at the same place.
    """
    reported, due, held = [], moments[0], values[0]
    for moment, value in zip(moments, values, strict=True):
        if moment >= due:
            held = value
            while due <= moment:
                due += every * DRIFT
        reported.append(held)
    return reported


def worst_rate_error(
    moments: Sequence[float], values: Sequence[int], period: float, truth: float
) -> float:
    """The worst relative error of the rates between polls `period` apart.

    `truth` is the constant rate.  The polls are those of the `moments` that lie a multiple
    of `period` after the first.
    """
    polls = [
        (moment, value)
        for moment, value in zip(moments, values, strict=True)
        if (moment - moments[0]) % period == 0
    ]
    if len(polls) < 2:
        raise ValueError(f"no two moments are {period} s apart")
    return max(
        abs((after - before) / (then - first) / truth - 1)
        for (first, before), (then, after) in pairwise(polls)
    )
