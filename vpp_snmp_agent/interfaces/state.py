"""What outlives a restart: the ifIndex of a name, always, and the row it last had.

A key is VPP's name for the interface, or `tap of <phy>` for the TAP of an LCP pair.  All is in
STATE_DIR/ports.journal, whose lines lines.py describes and a thread of writer.py appends.
Beside it is ports.lock, which its owner holds locked.

The rules this module keeps:

- An index is given once: never to another name, and never another to a name that is
  known.  It is between 1 and 2147483647.
- `index_of` knows an index once it is on the disk.  All else is saved minutes later,
  but for a counter's base, or a number's that is no row's: when it changes, its line is queued
  at once.
"""

import contextlib
import errno
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

from . import journal, lines, opening, writer
from .counters import InterfaceCounters
from .facts import Facts
from .journal import (
    JOURNAL,
    OTHERS,
    SHARDS,
    Port,
    StateError,
    shard,
)
from .lines import SEEN_BITS, SEEN_MASK
from .reached import Reached
from .totals import Saved, keys_of
from .writer import CountersEntry, Entry, Opened, Record, TotalsEntry, Writer

__all__ = ["FIRST", "JOURNAL", "OTHERS", "Port", "State", "StateError"]

log = logging.getLogger("vpp-snmp-agent")

FIRST = 1000  # a first ifIndex is this + sw_if_index: 0 is no ifIndex, but a sw_if_index

SAVE_INTERVAL = 300.0  # seconds between two savings of what may be lost
FIRST_SAVE_DELAY = 10.0  # seconds: what a first start shows shall not wait that long
SAVE_SLICE = 100  # entries that the loop queues at a time
COUNTERS_SLICE = 16  # names whose counters it reads at a time: 18 us each, of 17 threads 33,
COUNTERS_TIME = 0.0007  # but for seconds at most: the first of a segment find no page mapped
COMMITTED_SLICE = 250  # keys that `committed` returns at a time
FORGET_SLICE = 200  # keys of one line


# --- reading ------------------------------------------------------------------------------------


# --- opening ------------------------------------------------------------------------------------


# --- the state ----------------------------------------------------------------------------------


class State:
    """The names of one state directory, which has this one owner.

    Made by `open`; to be used by one thread.
    """

    def __init__(
        self, directory: str, lock: int, opened: Opened, clock: Callable[[], float]
    ) -> None:
        self._directory = directory
        self._lock = lock
        self._clock = clock
        self._packed = opened.contents.packed  # by key: ifIndex and seen, of those durable
        self._facts = opened.contents.facts  # of those that are shown
        # Of those that are not shown, or not yet with counters of their own.
        self._counters = opened.contents.counters
        self._totals = opened.contents.totals
        # What had been saved of forgotten interfaces: not to be saved again as it is.
        self._forgotten: dict[str, Saved] = {}
        self._counters_of: Callable[[str], InterfaceCounters | None] | None = None
        self._unsaved: dict[str, None] = {}  # keys whose counters' lines shall not wait
        self._given = opened.contents.all_given()
        self._waiting = journal.shards()  # until they are durable
        self._dirty: list[set[str]] = [set() for _ in range(SHARDS)]
        self._saving = SHARDS  # the shard at which a save has arrived; SHARDS: none is under way
        self._unread: list[str] = []  # of that shard, whose counters are still to be saved
        self._next_save: float | None = None
        self._exhausted = False
        self._writer: Writer | None = Writer(Path(directory), opened)

    @classmethod
    def open(
        cls, directory: str, *, patiently: bool = False, clock: Callable[[], float] = time.time
    ) -> "State":
        """Lock the directory, and read, mend or make its journal.  Raises StateError.

        `patiently`: in a thread beside the loop, which then waits at most a millisecond for the
        interpreter (a first start's interfaces.json excepted).  `clock` is the time of day.
        """
        path = Path(directory)
        try:
            path.mkdir(mode=0o755, parents=True, exist_ok=True)
            if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            lock = opening.lock(path)
        except OSError as error:
            raise writer.explained(path, error) from error
        try:
            opened = opening.open_journal(path, _seconds(clock), journal.yielder(patiently))
        except OSError as error:
            os.close(lock)
            raise writer.explained(path / JOURNAL, error) from error
        except BaseException:
            os.close(lock)
            raise
        return cls(directory, lock, opened, clock)

    # --- indexes ----------------------------------------------------------------------------------

    def index_of(self, key: str) -> int | None:
        """Its ifIndex, once that is durable and `committed` has said so."""
        value = self._packed[shard(key)].get(key)
        return None if value is None else value >> SEEN_BITS

    def assign(self, key: str, sw_if_index: int) -> None:
        """Give it an ifIndex, if it has none; `committed` returns it once that is durable."""
        at = shard(key)
        if key in self._packed[at] or key in self._waiting[at]:
            return
        index = FIRST + sw_if_index
        if index > lines.MAX_INDEX or index in self._given:
            index = self._given.free_from(OTHERS)
        if index > lines.MAX_INDEX:
            if not self._exhausted:
                log.error("no ifIndex is left for %s: it is not shown, nor any other new name", key)
            self._exhausted = True
            return
        self._given.add(index, index)
        packed = index << SEEN_BITS | _seconds(self._clock)
        self._waiting[at][key] = packed
        self._queue([Entry(key, packed, None, True)])

    def fileno(self) -> int:
        """Readable when a commit ended, well or not."""
        return self._writer.event if self._writer else -1

    def committed(self) -> list[str]:
        """The keys whose ifIndex became durable: at most 250, and `fileno` stays readable.

        What cannot be written is logged once and tried again.
        """
        thread = self._writer
        if thread is None:
            return []
        if thread.bug:
            raise thread.bug
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(thread.event)
        found: list[str] = []
        while thread.durable and len(found) < COMMITTED_SLICE:
            key, packed = thread.durable.popleft()
            at = shard(key)
            del self._waiting[at][key]
            self._packed[at][key] = packed
            found.append(key)
        if thread.durable:
            os.eventfd_write(thread.event, 1)
        return found

    def forget(self, keys: Iterable[str]) -> list[str]:
        """Forget those that are known and not shown; their ifIndex goes to nobody else.

        What was counted of them is forgotten, too.  Returns those forgotten.  It takes 3 us a
        key: pass some hundreds at a time.
        """
        found = []
        for key in keys:
            at = shard(key)
            if key not in self._facts[at] and self._packed[at].pop(key, None) is not None:
                self._dirty[at].discard(key)
                self._counters[at].pop(key, None)
                for each in keys_of(key):
                    saved = self._totals.pop(each, None)
                    if saved is not None:
                        self._forgotten[each] = saved
                found.append(key)
        for start in range(0, len(found), FORGET_SLICE):
            self._queue([{"forget": found[start : start + FORGET_SLICE]}])
        return found

    # --- rows -------------------------------------------------------------------------------------

    def show(self, key: str, facts: Facts) -> None:
        """Its row is shown, and these are its facts.  KeyError: its ifIndex is not durable."""
        at = shard(key)
        if key not in self._packed[at]:
            raise KeyError(key)
        known = self._facts[at].get(key)
        if known is not facts and known != facts:
            self._facts[at][key] = facts
            self._dirty[at].add(key)

    def hide(self, key: str) -> None:
        """Its row is not shown any more."""
        at = shard(key)
        if self._facts[at].pop(key, None) is not None:
            index = self._packed[at][key] >> SEEN_BITS
            self._packed[at][key] = index << SEEN_BITS | _seconds(self._clock)
            self._dirty[at].add(key)

    # --- counters ---------------------------------------------------------------------------------

    def read_counters(self, of: Callable[[str], InterfaceCounters | None] | None) -> None:
        """Ask this from now on for the counters of the shown, when they are to be saved."""
        self._counters_of = of

    def reached(self, key: str) -> Reached | None:
        """What its counters had come to when they were saved last."""
        packed = self._counters[shard(key)].get(key)
        return None if packed is None else lines.unpack(packed)

    def keep(self, key: str, reached: Reached) -> None:
        """Its row is not shown any more, or not with carried counters; this is what they were."""
        self._counters[shard(key)][key] = lines.pack(reached)
        self.save_counters([key])

    def save_counters(self, keys: Iterable[str]) -> bool:
        """Save these at once: on the disk they are a second later, or when that can be written.

        Whether some are left, for which it is to be called again, with no keys; else they wait
        for `save_some`.
        """
        self._unsaved.update(dict.fromkeys(keys))
        if self._writer is None or self._writer.failures:
            return False
        records: list[Record] = []
        until = time.perf_counter() + COUNTERS_TIME
        for key in list(islice(self._unsaved, COUNTERS_SLICE)):
            del self._unsaved[key]
            if key in self._packed[shard(key)]:
                records += self._counters_entry(key)
            if time.perf_counter() >= until:
                break
        if records:
            self._queue(records)
        return bool(self._unsaved)

    def _counters_entry(self, key: str, changed: bool = False) -> list[CountersEntry]:
        """The line of its counters, if it has any; `changed`: unless it is the one before.

        All of them are read for it, so that one that fell shows what else has fallen.
        """
        counters, kept = self._counters_of and self._counters_of(key), self._counters[shard(key)]
        reached = counters.reached() if counters is not None else None
        if counters is not None and reached is not None:
            kept.pop(key, None)
            is_change = counters.mark_saved()
            if changed and not is_change:
                return []
            return [CountersEntry(key, lines.pack(reached), not changed)]
        if not changed and key in kept:
            return [CountersEntry(key, kept[key], urgent=True)]
        return []

    def totals(self, key: str) -> Saved | None:
        """What numbers that are no row's had come to when they were saved last."""
        return self._totals.get(key)

    def save_totals(self, key: str, saved: Saved, urgent: bool) -> bool:
        """Save what they have come to; False where nothing can be written now.

        On the disk it is with the next commit, a second later at most, and half a second if it
        is `urgent`: a base changed.
        """
        if self._writer is None or self._writer.failures:
            return False
        forgotten = self._forgotten.get(key)
        if forgotten is not None:
            if forgotten.served == saved.served:
                return True
            del self._forgotten[key]
        if self._totals.get(key) != saved:
            self._totals[key] = saved
            self._queue([TotalsEntry(key, saved, urgent)])
        return True

    def shown(self) -> Iterator[Port]:
        """Those that are shown; after `open`, those that were shown at the last save."""
        now = self._clock()
        for packed, facts in zip(self._packed, self._facts, strict=True):
            for key in list(facts):
                if key in facts:  # still
                    yield journal.port_of(key, packed[key], facts[key], now)

    def ports(self) -> Iterator[Port]:
        """Everything known, in no order; it may change between two of them."""
        now = self._clock()
        for packed, facts in zip(self._packed, self._facts, strict=True):
            yield from journal.ports_of(packed, facts, now)

    # --- saving -----------------------------------------------------------------------------------

    @property
    def is_saving(self) -> bool:
        """Whether a save is under way, of which `save_some` does a slice at a time."""
        return self._saving < SHARDS or bool(self._unsaved)

    def save_some(self, now: float) -> None:
        """Every 300 s, queue what changed for the writer, a slice a call; `now` is any clock's.

        The first time after 10 s.  While the disk cannot be written nothing is queued, so
        that it does not pile up.
        """
        if self._writer is None or self._writer.failures:
            return
        if self._unsaved:
            self.save_counters(())
        if self._next_save is None:
            self._next_save = now + FIRST_SAVE_DELAY
        if self._saving == SHARDS:
            if now < self._next_save:
                return
            self._next_save = now + SAVE_INTERVAL
            self._saving = 0
        records: list[Record] = []
        left, until = COUNTERS_SLICE, time.perf_counter() + COUNTERS_TIME
        while self._saving < SHARDS and len(records) < SAVE_SLICE and left:
            if not self._unread:
                records += self._dirty_entries(self._saving)
                self._unread = list(self._facts[self._saving] if self._counters_of else ())
            while self._unread and left:
                records += self._counters_entry(self._unread.pop(), changed=True)
                left = left - 1 if time.perf_counter() < until else 0
            if not self._unread:
                self._saving += 1
        if records:
            self._queue([{"time": _seconds(self._clock)}, *records])

    def _dirty_entries(self, at: int) -> list[Entry]:
        if not self._dirty[at]:
            return []
        keys, self._dirty[at] = self._dirty[at], set()
        packed, facts, seconds = self._packed[at], self._facts[at], _seconds(self._clock)
        found = []
        for key in keys:
            fact, value = facts.get(key), packed[key]
            if fact is not None:
                value = value & ~SEEN_MASK | seconds
            found.append(Entry(key, value, fact, False))
        return found

    def close(self) -> None:
        """Save all, and release the directory.  It waits for the disk, and logs if that fails."""
        if self._writer is None:
            return
        thread, self._writer = self._writer, None
        for at in range(SHARDS):
            records: list[Record] = [*self._dirty_entries(at)]
            for key in self._facts[at]:
                records += self._counters_entry(key, changed=True)
            if records:
                thread.queue.put(records)
        for key in self._unsaved:
            thread.queue.put([*self._counters_entry(key)])
        self._counters_of = None
        if any(self._facts):
            thread.queue.put([{"time": _seconds(self._clock)}])
        thread.queue.put(None)
        thread.thread.join()
        os.close(thread.event)
        os.close(self._lock)
        if thread.bug:
            raise thread.bug

    def _queue(self, records: list[Record]) -> None:
        if self._writer:
            self._writer.queue.put(records)


def _seconds(clock: Callable[[], float]) -> int:
    return min(max(int(clock()), 0), SEEN_MASK)
