"""Work that can take long, done by a process forked for it while the loop goes on.

A disk can take seconds to write a file, and a YAML of ten thousand interfaces takes most
of one to read.
"""

import os
import pickle
import signal
from collections.abc import Callable
from typing import Any

from .loop import Loop

Done = Callable[[Any, Exception | None], None]

_READ_SIZE = 1 << 16


class Errand:
    """One piece of work: `done(result, None)` or `done(None, what it raised)` follows.

    The work sees everything as it is now; what it changes, only its result tells.
    Raises OSError where no process can be had.
    """

    def __init__(self, loop: Loop, work: Callable[[], Any], done: Done) -> None:
        self._loop = loop
        self._done = done
        self._said = b""
        self._reader, writer = os.pipe()
        try:
            self._pid = os.fork()
        except OSError:
            os.close(self._reader)
            os.close(writer)
            raise
        if not self._pid:
            _run(work, writer)
        os.close(writer)
        loop.watch(self._reader, lambda events: self._hear())

    def _hear(self) -> None:
        heard = os.read(self._reader, _READ_SIZE)
        self._said += heard
        if not heard:
            self._loop.forget(self._reader)
            self._finish()

    def _finish(self) -> None:
        os.close(self._reader)
        os.waitpid(self._pid, 0)
        try:
            result, error = pickle.loads(self._said)
        except (EOFError, pickle.UnpicklingError):
            result, error = None, ChildProcessError("the process for it ended without a word")
        self._done(result, error)

    def wait(self) -> None:
        """Stay until it is done: for the end, when nothing else is to be done."""
        self._loop.forget(self._reader)
        while heard := os.read(self._reader, _READ_SIZE):
            self._said += heard
        self._finish()


def _run(work: Callable[[], Any], writer: int) -> None:
    """In the process of its own, where nothing of the parent's may run: not its signals,
    not its exit."""
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        try:
            said = pickle.dumps((work(), None))
        except Exception as error:  # a boundary: what was raised is the answer
            said = pickle.dumps((None, error))
        while said:
            said = said[os.write(writer, said) :]
    finally:
        os._exit(0)
