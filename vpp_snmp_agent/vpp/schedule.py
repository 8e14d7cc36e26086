"""Which interfaces are to be asked for their addresses, which no event reports, and when.

The rules this module keeps:

- An interface that is new or changed is asked at once, and again after ADDRESS_DELAYS: it may
  be given its addresses a moment later.  What changes again and again is asked no more often
  than each ADDRESS_INTERVAL, and the later questions are put off, not added.
- All interfaces are asked at the start, then in a sweep that is spread over its whole interval;
  it goes on beside whatever changes.  That is as many questions as in one go: they stop no
  worker from VPP 25.02 on, and before it each of them stops the workers for as long as before.
- It has no clock: moments are the caller's, in seconds.
"""

from collections import deque
from collections.abc import Collection
from heapq import heappop, heappush

MIN_SHARE = 2  # of those asked at a stretch for the sweep, and for what changed a while ago
PAUSE = 0.05  # seconds between two such stretches: before v25.02 they stop the workers
ADDRESS_DELAYS = (0.0, 5.0, 20.0, 60.0)  # seconds after a change of an interface
ADDRESS_INTERVAL = 1.0  # seconds between two questions about one that goes on changing
NEVER = float("inf")


class Schedule:
    """Which interfaces are to be asked because they changed, and when.

    There is one moment for each, whatever happens to it: the next one of ADDRESS_DELAYS after
    its last change.  Those that are asked late skip what has passed meanwhile.
    """

    def __init__(self) -> None:
        self._changed: dict[int, float] = {}  # when each changed
        self._asked: dict[int, float] = {}  # when it was asked since, or shortly before
        self._due: dict[int, float] = {}
        # By moment; an entry counts as long as it is what `_due` says.
        self._fresh: list[tuple[float, int]] = []  # those not asked since they changed
        self._later: list[tuple[float, int]] = []

    def change(self, index: int, now: float) -> None:
        """An interface is new, or changed."""
        waits = index in self._due and index not in self._asked
        asked_before = self._asked.pop(index, None)
        self._changed[index] = now
        if waits:
            return  # and is asked at the moment at which it would have been
        due = now if asked_before is None else max(now, asked_before + ADDRESS_INTERVAL)
        self._due[index] = due
        heappush(self._fresh, (due, index))

    def forget(self, index: int) -> None:
        """An interface is gone."""
        for each in (self._changed, self._asked, self._due):
            each.pop(index, None)

    def due(self) -> float:
        """When the next one is."""
        return min(self._next(self._fresh), self._next(self._later))

    def take(self, now: float, count: int) -> list[int]:
        """So many that are due, at most; they are asked now."""
        share = MIN_SHARE if self._next(self._later) <= now else 0
        taken: list[int] = []
        for heap, limit in ((self._fresh, count - share), (self._later, count)):
            while len(taken) < limit and self._next(heap) <= now:
                _, index = heappop(heap)
                taken.append(index)
                self._ask_again(index, now)
        return taken

    def _ask_again(self, index: int, now: float) -> None:
        changed = self._changed[index]
        due = min((changed + each for each in ADDRESS_DELAYS if changed + each > now), default=None)
        if due is None:
            self.forget(index)
            return
        self._asked[index], self._due[index] = now, due
        heappush(self._later, (due, index))

    def _next(self, heap: list[tuple[float, int]]) -> float:
        while heap and self._due.get(heap[0][1]) != heap[0][0]:
            heappop(heap)
        return heap[0][0] if heap else NEVER


class Sweep:
    """The round of all interfaces that is under way, spread over `interval` but for the first."""

    def __init__(self, interval: float) -> None:
        """Seconds of a round; 0 for never."""
        self._interval = interval
        self.due = 0.0 if interval else NEVER  # when the next few are to be asked
        self._is_first = True
        self.is_whole = True  # each answer of this round could be used
        self._left: deque[int] = deque()  # those still to be asked in this round

    def take(self, now: float, count: int, interfaces: Collection[int]) -> tuple[list[int], bool]:
        """So many, at most, of those that are next; and whether they end a round."""
        if not self._left:
            self._left.extend(sorted(interfaces))
            self.is_whole = True
        taken: list[int] = []
        while self._left and len(taken) < count:
            index = self._left.popleft()
            if index in interfaces:
                taken.append(index)
        ends = not self._left
        share = len(taken) / len(interfaces) if interfaces else 1.0
        # A step that was a little late does not put off all that follow.
        pause = 0.0 if self._is_first and not ends else self._interval * share
        self.due = max(self.due, now - PAUSE) + pause
        self._is_first = self._is_first and not ends
        return taken, ends
