"""Rows that come and go one at a time, however many there are.

The rules this module keeps:

- What a row costs that comes or goes does not grow with their number.  The indexes are kept in
  sorted chunks: to insert or remove one moves a chunk's, not all.  The rows are kept in shards:
  a dict that grows is copied, and one of 200,000 entries stops the loop for 7 ms.
- The next row of a walk is found where the last one was, without a search.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from typing import Any

MAX_CHUNK = 512  # indexes
SHARDS = 64
SHARD_MASK, SHARD_SHIFT = SHARDS - 1, 32


class SortedRows:
    """Rows by their index, in the index's order (`mib.Rows`)."""

    __slots__ = ("_at", "_chunk", "_chunks", "_lasts", "_shards", "_size")

    def __init__(self) -> None:
        self._chunks: list[list[bytes]] = []
        self._lasts: list[bytes] = []  # the last index of each chunk
        self._shards: list[dict[bytes, Any]] = [{} for _ in range(SHARDS)]
        self._size = 0
        # Where the last answer was found: in a walk the next question begins there.
        self._chunk: list[bytes] = []
        self._at = 0

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            yield from chunk

    def get(self, index: bytes) -> Any | None:
        """The row at an index."""
        # Not by the lowest bits of the hash: within a shard they are what its dict goes by.
        return self._shards[hash(index) >> SHARD_SHIFT & SHARD_MASK].get(index)

    def following(self, index: bytes) -> bytes | None:
        """The first index after this one."""
        chunk, at = self._chunk, self._at
        if at < len(chunk) and chunk[at] == index:
            at += 1
            if at < len(chunk):
                self._at = at
                return chunk[at]
        number = bisect_right(self._lasts, index)
        if number == len(self._chunks):
            return None
        self._chunk = chunk = self._chunks[number]
        self._at = at = bisect_right(chunk, index)
        return chunk[at]

    def put(self, index: bytes, row: Any) -> bool:
        """Show a row at an index; whether there was none before."""
        shard = self._shards[hash(index) >> SHARD_SHIFT & SHARD_MASK]
        is_new = index not in shard
        shard[index] = row
        if is_new:
            self._insert(index)
            self._size += 1
        return is_new

    def _insert(self, index: bytes) -> None:
        self._chunk = []
        if not self._chunks:
            self._chunks.append([index])
            self._lasts.append(index)
            return
        number = min(bisect_left(self._lasts, index), len(self._lasts) - 1)
        chunk = self._chunks[number]
        insort(chunk, index)
        if len(chunk) > MAX_CHUNK:
            half = len(chunk) // 2
            self._chunks.insert(number + 1, chunk[half:])
            del chunk[half:]
            self._lasts.insert(number, chunk[-1])
            number += 1
        self._lasts[number] = self._chunks[number][-1]

    def remove(self, index: bytes) -> bool:
        """Show no row at an index any more; whether there was one."""
        shard = self._shards[hash(index) >> SHARD_SHIFT & SHARD_MASK]
        if shard.pop(index, None) is None:
            return False
        self._size -= 1
        self._chunk = []
        number = bisect_left(self._lasts, index)
        chunk = self._chunks[number]
        del chunk[bisect_left(chunk, index)]
        if chunk:
            self._lasts[number] = chunk[-1]
        else:
            del self._chunks[number], self._lasts[number]
        return True

    def dismantle(self) -> Iterator[None]:
        """Give everything back, a chunk at a time: 200,000 rows at once would take 10 ms."""
        while self._chunks:
            for index in list(self._chunks[-1]):
                self.remove(index)
            yield
