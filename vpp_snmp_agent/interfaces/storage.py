"""VPP's memory: its heaps and its pools of buffers, each a row that stays.

The rules this module keeps:

- A row's index follows from its name and from nothing else, on any router and after any
  start: it is not saved.  The known ones have numbers of their own (KNOWN), all
  others 2000 plus a checksum of 30 bits.  Should two names come to one index, as some two of
  sixty do on one router in 600,000, the one that was found first has it and the other is
  left out: an index that changes hands would be worse.
- A row is made when its figures are read for the first time, and lives as long as the agent.
  Its name and size are saved, so that an agent that starts while VPP hangs or is away shows it;
  what VPP had no more at the last search is not.
- Figures are read when they are asked for.  What cannot be read now stands as it was read
  last; what is gone, with its VPP or before, keeps its size and has nothing used.
- Where there are more names than can be true, what is shown stays and is read on, and of what
  is not only the known ones are searched for.
- Of a pool the cached buffers are not used: a thread keeps them at hand, free (`show buffers`).
- What comes out of a segment fits its MIB's type, whatever it is: hrStorageTable's Integer32,
  our own tables' 64 bits.
"""

import logging
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from operator import is_not
from typing import NamedTuple

from ..agentx.mib import SortedRows
from ..agentx.values import subids
from ..vpp.segment import Segment, SegmentUnavailable
from .reached import UNKNOWN
from .totals import Saved

log = logging.getLogger("vpp-snmp-agent")

HEAPS, POOLS = "/mem/", "/buffer-pools/"

# Above the numbers that snmpd gives: 1 to 30 to memory, those that follow to file systems.
KNOWN: Mapping[str, int] = {
    "VPP main heap": 1001,
    "VPP stat segment": 1002,
    **{f"VPP buffers default-numa-{node}": 1010 + node for node in range(8)},
}
FIRST = 2000  # of the indexes by checksum
CHECKSUM_BITS = 30

# Units, in octets: of a heap, and of a pool.  What is too large for its unit has twice that.
PAGE_SIZE = 4096
# No segment says how large a buffer is: 2,048 octets of data and 256 before them, unless
# `buffers { default data-size }` in VPP's startup.conf makes it another size.
BUFFER_SIZE = 2304
MAX_INTEGER = 2**31 - 1
MAX_AMOUNT = 2**64 - 1
MAX_NAME_LENGTH = 110  # of VPP's own, which is the index of our tables: 128 numbers make an OID
MAX_TRIED = 50  # names whose figures were never read, at a time; of damage a read takes 15 us
MAX_ROWS = 64  # each is registered with snmpd by itself
MAX_NAMES = 4 * MAX_ROWS  # below HEAPS or POOLS, where each has up to four: more are damage


class Amount(NamedTuple):
    """How much there is, and how much of it is used: of a heap in octets, of a pool in buffers."""

    size: int
    used: int
    cached: int = 0  # buffers that are free, and kept at hand by a thread

    @property
    def available(self) -> int:
        """What is neither used nor cached."""
        return max(0, self.size - self.used - self.cached)


class Measured(NamedTuple):
    """The same in whole units of so many octets; each an Integer32."""

    unit: int
    size: int
    used: int


def read_heap(segment: Segment, name: str) -> Amount:
    """Of a heap, `/mem/<heap>`.  Raises SegmentUnavailable.

    Its links `/total` and `/used` are not gone by: some releases have them the wrong way
    round (vlib/stats/provider_mem.c).
    """
    cells = segment.values(name)
    if len(cells) < len(Amount._fields):
        raise SegmentUnavailable(f"{name} has {len(cells)} cells")
    return Amount(cells[0], min(cells[1], cells[0]))


def read_pool(segment: Segment, name: str) -> Amount:
    """Of a pool, `/buffer-pools/<pool>`.  Raises SegmentUnavailable."""
    cached, used, available = (
        segment.value(f"{name}/{state}") for state in ("cached", "used", "available")
    )
    return Amount(min(cached + used + available, MAX_AMOUNT), used, cached)


class Kind(NamedTuple):
    """What heaps have in common, or pools."""

    read: Callable[[Segment, str], Amount]
    octets: int  # of each that an amount counts
    least_unit: int
    prefix: str  # of its names in a segment


HEAP = Kind(read_heap, 1, PAGE_SIZE, HEAPS)
POOL = Kind(read_pool, BUFFER_SIZE, BUFFER_SIZE, POOLS)


class Storage:
    """A heap or a pool."""

    __slots__ = (
        *("_amount", "_segment", "index", "instance", "is_gone", "key", "kind", "name"),
        "vpp_name",
    )

    def __init__(self, name: str, key: str, kind: Kind) -> None:
        """`key`: what it is called in a segment."""
        self.name = name
        self.index = index_of(name)
        self.instance = subids(self.index)
        self.kind = kind
        self.vpp_name = key.removeprefix(kind.prefix)
        self.key = key
        self.is_gone = False  # from a VPP that was searched
        self._segment: Segment | None = None
        self._amount = Amount(0, 0)

    def use(self, segment: Segment) -> None:
        """It is read here from now on."""
        self._segment = segment

    def lose(self) -> None:
        """It is gone, but for its size."""
        self._segment, self._amount = None, Amount(self._amount.size, 0)

    def restore(self, size: int) -> None:
        """It had this size before the agent started."""
        self._amount = Amount(size, 0)

    @property
    def size(self) -> int:
        """As it was read last."""
        return self._amount.size

    def amount(self) -> Amount:
        """What is read now, else what was read last; a size of 0 before anything was."""
        if self._segment is not None:
            with suppress(SegmentUnavailable):
                amount = self.kind.read(self._segment, self.key)
                if amount.size:  # else VPP has not written it yet
                    self._amount = amount
        return self._amount

    def measured(self) -> Measured:
        """The same as hrStorageTable has it."""
        amount, unit = self.amount(), self.kind.least_unit
        size, used = amount.size * self.kind.octets, amount.used * self.kind.octets
        while size // unit > MAX_INTEGER and unit <= MAX_INTEGER // 2:
            unit *= 2
        whole = min(size // unit, MAX_INTEGER)
        return Measured(unit, whole, min(used // unit, whole))


def index_of(name: str) -> int:
    """hrStorageIndex."""
    return KNOWN.get(name) or FIRST + zlib.crc32(name.encode()) % (1 << CHECKSUM_BITS)


def found(heaps: Collection[str], pools: Collection[str]) -> Iterator[Storage]:
    """What names of a segment below HEAPS and POOLS stand for, in the order of their keys."""
    for key in sorted(heaps):
        heap = key.removeprefix(HEAPS)
        # What is below a heap are the links to its cells.
        if heap.isprintable() and key.rpartition("/")[0] not in heaps:
            yield Storage(f"VPP {heap}", key, HEAP)
    for entry in sorted(pools):
        key, _, state = entry.rpartition("/")
        pool = key.removeprefix(POOLS)
        if state == "used" and pool.isprintable():
            yield Storage(f"VPP buffers {pool}", key, POOL)


def _known(names: Collection[str]) -> set[str]:
    """Those of them that are of KNOWN heaps and pools."""
    heaps = {HEAPS + name.removeprefix("VPP ") for name in KNOWN}
    pools = {f"{POOLS}{name.removeprefix('VPP buffers ')}/used" for name in KNOWN}
    return {each for each in heaps | pools if each in names}


class Storages:
    """All that were there since the agent started, or when it ended last."""

    key = "storage"  # under which their sizes are saved

    def __init__(self) -> None:
        self.is_dirty = False  # what is there is not what was there when `saved` was called
        self.rows = SortedRows()  # Storage by hrStorageIndex
        # The same by what VPP calls them, with its length before it.
        self.heaps, self.pools = SortedRows(), SortedRows()
        self.shown: list[Storage] = []  # the same, in the order in which they were found
        self._unread: list[Storage] = []  # found, and not shown yet
        self._names: tuple[Collection[str], Collection[str]] | None = None
        self._has_too_many = self._is_full = False  # names, rows

    def use(self, segment: Segment) -> None:
        """Another VPP is there, or the same again; what it has is not known yet."""
        self._unread, self._names = [], None
        for each in self.shown:
            each.use(segment)

    def lose(self) -> None:
        """VPP's process is gone."""
        self._unread, self._names = [], None
        for each in self.shown:
            each.lose()

    def find(self, segment: Segment, heaps: Collection[str], pools: Collection[str]) -> None:
        """Show what is there.  To be called a few times a second, with all names below HEAPS
        and POOLS: only for other objects than the last time is anything searched.
        """
        names = heaps, pools
        if self._names is None or any(map(is_not, names, self._names)):
            self._names = names
            has_too_many = max(len(heaps), len(pools)) > MAX_NAMES
            if has_too_many and not self._has_too_many:
                log.warning(
                    "VPP's segment has %d names of heaps and %d of buffer pools, more than %d: its"
                    " memory is shown as it was found before, but for that which every VPP has",
                    *(len(heaps), len(pools), MAX_NAMES),
                )
            self._has_too_many = has_too_many
            there = {
                each.name: each for each in found(*(map(_known, names) if has_too_many else names))
            }
            for each in self.shown:
                is_gone = there.pop(each.name, None) is None and not has_too_many
                if is_gone:
                    each.lose()
                else:
                    each.use(segment)
                self.is_dirty |= is_gone != each.is_gone
                each.is_gone = is_gone
            self._unread = list(there.values())
        tried, self._unread = self._unread[:MAX_TRIED], self._unread[MAX_TRIED:]
        for each in tried:
            each.use(segment)
            if each.amount().size:
                self._show(each)
                self.is_dirty = True
            else:
                self._unread.append(each)

    def of_kind(self, kind: Kind) -> list[Storage]:
        """HEAP's or POOL's, in the order in which they were found."""
        return [each for each in self.shown if each.kind is kind]

    def restore(self, saved: Saved) -> None:
        """Show what there was, of its size and with nothing used; before anything is there."""
        sizes = {key: size for key, size in saved.served.items() if 0 < size <= MAX_AMOUNT}
        heaps = {key for key in sizes if key.startswith(HEAPS)}
        pools = {f"{key}/used" for key in sizes if key.startswith(POOLS)}
        for each in found(heaps, pools):
            each.restore(sizes[each.key])
            self._show(each)

    def saved(self) -> Saved:
        """The sizes of what there is, by what it is called in a segment."""
        self.is_dirty = False
        return Saved(UNKNOWN, {each.key: (each.size, 0) for each in self.shown if not each.is_gone})

    def _show(self, storage: Storage) -> None:
        if len(self.shown) >= MAX_ROWS:
            if not self._is_full:
                log.warning("%s is not shown: %d rows of VPP's memory are", storage.name, MAX_ROWS)
            self._is_full = True
        elif self.rows.get(storage.instance) is None:
            self.rows.put(storage.instance, storage)
            self.shown.append(storage)
            name = storage.vpp_name.encode()
            if len(name) <= MAX_NAME_LENGTH:
                rows = self.heaps if storage.kind is HEAP else self.pools
                rows.put(subids(len(name), *name), storage)
