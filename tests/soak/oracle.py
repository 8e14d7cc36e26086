"""What VPP has really counted at every moment, and what of it an answer may say.

The counters of an interface live from its making (or from a `clear`, or a start of VPP) to
its end: an epoch.  Of each there are snapshots, every few hundredths of a second, taken
while nothing but traffic moved.  An answer may say what an epoch counted between the last
snapshot before the question and the first one after the answer; of an epoch that has ended,
its last value, until the agent has had its time to learn of the end.  To that comes what all
the epochs before it counted, of which what was counted since the last reading may be missing.
"""

import threading
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise

from simulator import Simulator, Truth

from . import Beside

LEARNED = 3.0  # seconds after which the agent knows of an end; 2 by issue, and a busy machine
UNREAD = 3.0  # seconds for which a counter may not have been read before it was zeroed
STUCK_TIMEOUT = 1.5  # seconds for which a lock may hide what moves: the agent waits for 1
PAUSE = 0.05  # seconds between two snapshots

CELLS: dict[str, Callable[[Truth], int]] = {
    "ifHCInOctets": lambda truth: truth.rx.bytes,
    "ifHCOutOctets": lambda truth: truth.tx.bytes,
    "ifHCInUcastPkts": lambda truth: truth.rx.packets,
    "ifHCOutUcastPkts": lambda truth: truth.tx.packets,
    "ifInOctets": lambda truth: truth.rx.bytes,
    "ifOutOctets": lambda truth: truth.tx.bytes,
    "ifInDiscards": lambda truth: truth.simple["rx-miss"] + truth.simple["rx-no-buf"],
    "ifInErrors": lambda truth: truth.simple["rx-error"],
    "ifOutErrors": lambda truth: truth.simple["tx-error"],
    "ifInUnknownProtos": lambda truth: truth.simple["punt"],
}
WRAPPING = frozenset(name for name in CELLS if "HC" not in name)


@dataclass
class Life:
    """An epoch of one interface's counters."""

    begun: float
    # What the epochs before it counted, by column: at least, and at most.
    least: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CELLS, 0))
    most: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CELLS, 0))
    at: list[float] = field(default_factory=list)  # when each snapshot began
    done: list[float] = field(default_factory=list)  # and when it was there
    snapshots: list[Truth] = field(default_factory=list)
    ended: float | None = None
    forgotten: float | None = None  # from when on nobody may serve it

    def next(self, begun: float) -> "Life":
        """The epoch after this one, which has ended."""
        assert self.ended is not None
        read = self.ended - UNREAD
        least = {column: self.lowest(read, column) for column in CELLS}
        most = {column: self.highest(float("inf"), column) or 0 for column in CELLS}
        return Life(begun, least, most)

    def lowest(self, asked: float, column: str) -> int:
        """What was surely counted by then."""
        before = bisect_right(self.done, asked)
        own = CELLS[column](self.snapshots[before - 1]) if before else 0
        return self.least[column] + own

    def highest(self, answered: float, column: str) -> int | None:
        """What was surely not exceeded by then; None if that is not known yet."""
        own = self._highest(answered, CELLS[column])
        return None if own is None else self.most[column] + own

    def _highest(self, answered: float, cell: Callable[[Truth], int]) -> int | None:
        after = bisect_left(self.at, answered)
        if after < len(self.at):
            return cell(self.snapshots[after])
        if self.ended is None:
            return None
        # What moved between the last snapshot and the end nobody has seen.
        last = cell(self.snapshots[-1])
        moved = [cell(each) for each in self.snapshots[-20:]]
        pace = max((b - a for a, b in pairwise(moved)), default=0)
        return last + 4 * pace + 1


@dataclass(frozen=True)
class Answer:
    """One value that somebody was answered, and when it was asked and answered."""

    name: str  # VPP's
    column: str
    value: int
    asked: float
    answered: float


class Oracle(Beside):
    """The truth about one simulator, for as long as it is watched."""

    def __init__(self, vpp: Simulator) -> None:
        super().__init__()
        self.vpp = vpp
        self.lock = threading.RLock()  # whoever speaks to the simulator holds it
        self.lives: dict[str, list[Life]] = {}
        self.hidden: list[list[float]] = []  # when the lock was held, or often
        self._pending: list[Answer] = []
        self.wrong: list[str] = []
        self.checked = 0
        self._last_poll = time.monotonic()

    def __enter__(self) -> "Oracle":
        self.poll()
        self.begin()
        return self

    def run(self) -> None:
        while not self.ending.wait(PAUSE):
            with self.lock:
                self.poll()
            self._settle()

    def poll(self) -> None:
        """Take a snapshot; to be called with the lock held."""
        began = time.monotonic()
        truth = self.vpp.truth()
        done = time.monotonic()
        for name, each in truth.items():
            lives = self.lives.setdefault(name, [])
            if not lives or lives[-1].ended is not None:
                # Made since the last snapshot, in which it was not there: perhaps right after it.
                lives.append(lives[-1].next(self._last_poll) if lives else Life(self._last_poll))
            life = lives[-1]
            life.at.append(began)
            life.done.append(done)
            life.snapshots.append(each)
        self._last_poll = began

    @contextmanager
    def change(self, *names: str, everything: bool = False) -> Iterator[None]:
        """Epochs end within; those of `names`, or all.  The next begin with the next snapshot."""
        with self.lock:
            self.poll()
            now = time.monotonic()
            ending = [
                lives[-1]
                for name, lives in self.lives.items()
                if (everything or name in names) and lives and lives[-1].ended is None
            ]
            yield
            for life in ending:
                life.ended = max(now, time.monotonic())
            # While VPP changes its structures the last reading may stand for a moment.
            self.hidden.append([now, time.monotonic() + 0.1])
            self.poll()
            self._learned_by(ending, time.monotonic() + LEARNED)

    def _learned_by(self, lives: list[Life], moment: float) -> None:
        for life in lives:
            life.forgotten = moment

    def put_off(self, moment: float, *names: str) -> None:
        """What has just ended of these, or of all, may be served until then."""
        with self.lock:
            for name in names or self.lives:
                for life in self.lives.get(name, []):
                    if life.forgotten is not None and life.forgotten > time.monotonic() - LEARNED:
                        life.forgotten = max(life.forgotten, moment)

    # --- answers --------------------------------------------------------------------------

    def receive(self, answers: list[Answer]) -> None:
        """Judge them as soon as the truth is known."""
        with self.lock:
            self._pending += answers

    def _settle(self) -> None:
        with self.lock:
            left = []
            for answer in self._pending:
                verdict = self._is_true(answer)
                if verdict is None:
                    left.append(answer)
                    continue
                self.checked += 1
                if not verdict:
                    self.wrong.append(f"{answer}; {self._known(answer)}")
            self._pending = left
            self._prune()

    def _known(self, answer: Answer) -> str:
        column = answer.column
        return "; ".join(
            f"{life.begun:.2f}-{life.ended or 0:.2f}-{life.forgotten or 0:.2f}:"
            f" {life.lowest(answer.asked, column)} to {life.highest(answer.answered, column)}"
            for life in self.lives.get(answer.name, [])
        )

    def _is_true(self, answer: Answer) -> bool | None:
        column = answer.column
        asked = answer.asked
        for held, let_go in self.hidden:
            if held < answer.answered and asked < min(let_go, held + STUCK_TIMEOUT):
                asked = held - 10.0  # the last reading stands, of whenever that was
        unknown = False
        for life in self.lives.get(answer.name, []):
            if life.begun > answer.answered:
                continue
            if life.forgotten is not None and life.forgotten < answer.asked:
                continue
            highest = life.highest(answer.answered, column)
            if highest is None:
                unknown = True
                continue
            lowest = life.lowest(asked, column)
            if life.ended is not None and life.ended < answer.answered:
                # Frozen at its last value, or at the last reading before that.
                lowest = life.lowest(min(asked, life.ended - 10.0), column)
            value = answer.value
            if answer.column in WRAPPING:
                value = lowest + (value - lowest) % 2**32
            if lowest <= value <= highest:
                return True
        return None if unknown else False

    def _prune(self) -> None:
        old = time.monotonic() - 60
        self.hidden[:] = [each for each in self.hidden if each[1] > old]
        for lives in self.lives.values():
            lives[:-1] = [
                each for each in lives[:-1] if each.forgotten is None or each.forgotten > old
            ]
            for life in lives:
                cut = max(0, bisect_left(life.at, old) - 1)
                if cut > 100 and life.ended is None:
                    del life.at[:cut], life.done[:cut], life.snapshots[:cut]
