"""What counts as a change, and when it was.

The rules this module keeps:

- Nothing is a change before VPP has reported everything once: what an agent finds at its start was
  so before.  A row of that report whose ifIndex is durable only later is no change either.
- An address is new only where all addresses had been asked for.
- A moment is by time.monotonic; MIBs have it as the master's sysUpTime (`UpTime`).
"""

from collections.abc import Callable, Iterable, Mapping

from .rows import NO_MOMENTS, Row


class Moments:
    """When the rows of one configuration changed."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.set_changed_at: float | None = None  # the set of rows
        self._clock = clock
        self._is_first = True  # VPP has not reported everything yet
        self._early: set[str] = set()  # keys of that report whose ifIndex was not durable then
        self._addresses_known = False

    def inherit(self, predecessor: "Moments") -> None:
        """What was known before by those whose rows these are to replace."""
        self._is_first = predecessor._is_first
        self._early |= predecessor._early
        self._addresses_known = predecessor._addresses_known

    def succeed(self, predecessor: "Moments", is_other_set: bool) -> None:
        """These rows are shown in the place of the predecessor's from now on."""
        if is_other_set or self.set_changed_at is not None:
            self.set_changed_at = self._clock()
        else:
            self.set_changed_at = predecessor.set_changed_at

    def change_set(self) -> None:
        """A row comes or goes."""
        self.set_changed_at = self._clock()

    def end_first(self, unnumbered: Iterable[str] = ()) -> None:
        """VPP has reported everything, or is lost; keys whose ifIndex is not durable yet."""
        if self._is_first:
            self._is_first, self._early = False, set(unnumbered)

    def know_addresses(self) -> None:
        """All addresses have been reported once."""
        self._addresses_known = True

    def is_change(self, key: str) -> bool:
        """Whether what is found of a row now was different before, or not there."""
        return not self._is_first and key not in self._early

    def show(self, key: str) -> None:
        """A row is shown: what is found of it from now on is a change."""
        self._early.discard(key)

    def status_since(
        self, key: str, before: Row | None, oper_status: int, now: float
    ) -> float | None:
        """Since when a row has this status; None: before this agent."""
        if self.is_change(key) and (before is None or before.oper_status != oper_status):
            return now
        return before.changed_at if before else None

    def addresses_since(
        self, before: Row | None, addresses: tuple[tuple[bytes, int], ...], now: float
    ) -> Mapping[bytes, float]:
        """Since when a row has each of its addresses that this agent has seen come."""
        if before is None:
            return NO_MOMENTS
        if addresses == before.facts.addresses or not self._addresses_known:
            return before.address_since
        had = set(before.facts.addresses)
        return {
            each[0]: before.address_since[each[0]] if each in had else now
            for each in addresses
            if each not in had or each[0] in before.address_since
        }
