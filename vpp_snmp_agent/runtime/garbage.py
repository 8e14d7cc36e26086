"""Garbage is collected at rest, and only what is young.

The rules this module keeps:

- Python collects nothing by itself (`gc.disable`).  To traverse all there is would stop the loop
  for 40 ms and more at 10,000 interfaces and 200,000 neighbours.
- What was traversed once is never traversed again: rows hold no cycles, so that this is not
  needed.
"""

import gc

COLLECTION_INTERVAL = 1.0  # seconds between two collections
MAX_YOUNG = 2_000  # objects that a collection may traverse: 0.3 ms
MAX_SLICES = 10  # of work in between, which leaves more of them than their count says


def collect_young(slices: int) -> None:
    """Collect the garbage of the last second, if little was made; `slices` of work were done."""
    if slices < MAX_SLICES and gc.get_count()[0] < MAX_YOUNG:
        gc.collect(1)
    gc.freeze()
