"""runtime/garbage.py: what is collected, and when."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from vpp_snmp_agent.runtime.garbage import MAX_SLICES, MAX_YOUNG, collect_young


class Cycle:
    """An object that refers to itself."""

    def __init__(self) -> None:
        self.own = self


@pytest.fixture(autouse=True)
def nothing_young() -> Iterator[None]:
    """As the agent runs: nothing is collected by itself, and all there was is frozen."""
    gc.collect()
    gc.disable()
    gc.freeze()
    yield
    gc.unfreeze()
    gc.enable()


def dropped_cycle() -> "weakref.ref[Cycle]":
    return weakref.ref(Cycle())


def test_young_garbage_is_collected_at_rest() -> None:
    left = dropped_cycle()
    assert left() is not None
    collect_young(MAX_SLICES - 1)
    assert left() is None


def test_after_work_nothing_is_traversed_then_or_later() -> None:
    left = dropped_cycle()
    collect_young(MAX_SLICES)
    collect_young(0)
    assert left() is not None


def test_what_is_too_much_is_not_traversed() -> None:
    left = dropped_cycle()
    much = [[number] for number in range(MAX_YOUNG + 1)]
    collect_young(0)
    assert left() is not None
    assert len(much) > gc.get_count()[0]
