"""Which of VPP's alarms are to be notified, and when: that it hangs or is away, and no more.

The rules this module keeps:

- What is notified is how things are now: an alarm that is again as it was last notified has
  nothing to notify, however often it came and went, and whether anybody listened or the settings
  let it.
- An alarm that comes and goes rests between two notifications; the first waits for nothing.
- What was handed out counts as notified: nothing is notified twice, whatever became of it.
"""

from collections.abc import Collection, Iterator

from .vpp_state import Alarm

MIN_INTERVAL = 5.0  # seconds between two notifications of one alarm


class Alarms:
    """What was notified of each alarm."""

    def __init__(self) -> None:
        self._raised: set[Alarm] = set()  # as it was notified
        self._quiet_until: dict[Alarm, float] = {}

    def due(self, raised: Collection[Alarm], now: float) -> Iterator[tuple[Alarm, bool]]:
        """What is to be notified now: an alarm, and whether it is raised or over."""
        for alarm in Alarm:
            is_raised = alarm in raised
            if is_raised == (alarm in self._raised) or now < self._quiet_until.get(alarm, now):
                continue
            self._raised ^= {alarm}
            self._quiet_until[alarm] = now + MIN_INTERVAL
            yield alarm, is_raised
