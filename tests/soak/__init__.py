"""`make soak`: the agent between a real snmpd and the simulator, scraped all the time while
everything that can fail fails, and every answer held against what VPP has really counted.
"""

import threading


class Beside:
    """What runs in a thread of its own while the story goes on; `run` ends when `ending` is set."""

    def __init__(self) -> None:
        self.ending = threading.Event()
        self._thread = threading.Thread(target=self.run)

    def run(self) -> None:
        """What it does."""
        raise NotImplementedError

    def begin(self) -> None:
        """Start."""
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self.ending.set()
        self._thread.join()
