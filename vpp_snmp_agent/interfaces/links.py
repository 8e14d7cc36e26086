"""Which link states are to be notified, and when: linkDown and linkUp (RFC 2863 section 3.1.14).

The rules this module keeps:

- One change is pending of each port, and what is notified is its latest state: a port that
  is again as it was last notified has nothing to notify.
- Bursts are paced, and a port that flaps rests between two notifications.
- What was handed out counts as notified: nothing is notified twice, whatever became of it.
"""

from collections.abc import Iterable, Iterator

from ..agentx.mib import SortedRows
from ..agentx.values import subids
from .rows import LinkChange, Row

BURST = 10  # notifications handed out at a time
MIN_INTERVAL = 1.0  # seconds between two of one port


class Links:
    """The changes that are still to be notified."""

    def __init__(self) -> None:
        self._pending: dict[int, bool] = {}  # by ifIndex: whether it was notified as down
        self._quiet_until: dict[int, float] = {}

    def changed(self, changes: Iterable[LinkChange]) -> None:
        """Rows went down or came up."""
        for index, was_down in changes:
            self._pending.setdefault(index, was_down)

    def due(self, rows: SortedRows, now: float) -> Iterator[Row]:
        """The rows to be notified now, in the order in which they changed."""
        if not self._pending:
            return
        self._quiet_until = {at: until for at, until in self._quiet_until.items() if until > now}
        handed_out = 0
        for index in list(self._pending):
            if index in self._quiet_until:
                continue
            was_down = self._pending.pop(index)
            row: Row | None = rows.get(subids(index))
            if row is None or row.is_down == was_down or not row.facts.link_traps:
                continue
            self._quiet_until[index] = now + MIN_INTERVAL
            yield row
            handed_out += 1
            if handed_out == BURST:
                return
