"""The descriptions of the vppcfg: read in a process of its own, and again if that failed.

The rules this module keeps:

- The loop does not wait for them: a vppcfg can be long, and its disk can be dead.
- Until it is read, and where it cannot be read, the descriptions stay as they were.
- A failure that repeats is logged once, unless somebody asks for the reading.
"""

import logging
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from .interfaces.journal import Port
from .runtime import jobs
from .runtime.loop import Loop, StateLog, counted
from .settings import vppcfg
from .settings.document import BadSettings
from .settings.vppcfg import Descriptions

VPPCFG_TIMEOUT = 60.0  # seconds that reading the vppcfg may take; 25 MB of it take 38
SETTINGS_TIMEOUT = 2.0  # seconds that new settings wait for the vppcfg
VPPCFG_INTERVAL = 60.0  # seconds after which a vppcfg that could not be read is tried again


def saved_descriptions(ports: Iterable[Port], alias: str) -> Descriptions:
    """Those that rows had before the start, until the vppcfg is read.

    `alias`: the setting, by which a row without a description may have its name in ifAlias.
    """
    known = {}
    for each in ports:
        has_default = each.facts and alias == "name" and each.facts.alias == each.facts.name
        if each.facts and each.facts.alias and not has_default:
            known[each.key] = each.facts.alias
    return Descriptions(known)


class Reading(NamedTuple):
    """A process that reads the vppcfg."""

    path: str
    since: float  # by time.monotonic
    end: Callable[[], None]


class DescriptionReader:
    """The descriptions, as they were read last."""

    def __init__(self, loop: Loop, changed: Callable[[], None]) -> None:
        """`changed` is called when they are read, or it is known why they are not."""
        self.descriptions = Descriptions()
        self.reading: Reading | None = None
        self.due = float("inf")  # when they are to be read again
        self._loop = loop
        self._changed = changed
        self._path: str | None = None
        self._is_outdated = False  # what the reading will bring: it is to be read again
        self._log = StateLog()

    def read(self, path: str | None) -> None:
        """Read this vppcfg, or none; one that is being read is read again after that."""
        now = time.monotonic()
        self._path, self.due = path, float("inf")
        if self.reading is not None:
            self._is_outdated = True
            if path != self.reading.path or now > self.reading.since + SETTINGS_TIMEOUT:
                self.reading.end()
        elif path is None:
            self.descriptions = Descriptions()
            self._changed()
        else:
            try:
                end = jobs.in_process(
                    *(self._loop, self._read, vppcfg.load_descriptions, path),
                    timeout=VPPCFG_TIMEOUT,
                )
                self.reading = Reading(path, now, end)
            except OSError as error:
                self._failed(f"{path}: no process to read it: {error.strerror}")

    def read_on_request(self, path: str | None) -> None:
        """The same for somebody who asks for it, and shall see in the log what came of it."""
        self._log = StateLog()
        self.read(path)

    def check(self, now: float) -> None:
        """To be called a few times a second: what could not be read is tried again."""
        if now >= self.due:
            self.read(self._path)

    def close(self) -> None:
        """End a reading that is under way."""
        if self.reading is not None:
            self.reading.end()

    def _read(self, read: Descriptions | None, error: Exception | None) -> None:
        path, self.reading = self._path, None
        if self._is_outdated:
            self._is_outdated = False
            self.read(path)
        elif read is not None:
            self.descriptions = read
            found = counted(len(read.by_name), "description", "descriptions")
            self._log.report(logging.INFO, "vppcfg", f"{path}: {found}")
            self._changed()
        elif isinstance(error, FileNotFoundError):
            self._failed(f"{path}: there is no such file", logging.WARNING)
        elif isinstance(error, BadSettings):
            self._failed(str(error))
        else:  # runtime/jobs.py's: it did not answer, not in time, or took too much memory
            self._failed(f"{path}: {error}")

    def _failed(self, why: str, level: int = logging.ERROR) -> None:
        self._log.report(level, "vppcfg", f"{why}; the descriptions stay as they were")
        self.due = time.monotonic() + VPPCFG_INTERVAL
        self._changed()
