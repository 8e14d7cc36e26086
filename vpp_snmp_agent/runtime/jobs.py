"""Work that can take long, done beside the loop: in a process, or in a thread.

A disk can take seconds to answer; a YAML of ten thousand interfaces takes most of one to
read, and keeps the interpreter while it is read: that one needs a process.

The rules this module keeps:

- A process is spawned, not forked: to copy the agent's page tables takes the loop 3 ms.
- It is bounded in time and memory, and nobody waits for the end of one that was killed.
- `done(result, None)` or `done(None, what it raised)` follows once, on the loop.
"""

import contextlib
import errno
import gc
import importlib
import os
import pickle
import resource
import select
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any

from . import children
from .loop import Loop

Done = Callable[[Any, Exception | None], None]

MAX_MEMORY = 512 << 20  # octets of data that a process may have
REAP_TIMEOUT = 1.0  # seconds that a killed process may take to end

_READ_SIZE = 1 << 16
_TOO_LARGE = f"the process for it needs more than {MAX_MEMORY >> 20} MiB of memory"


def in_process(
    loop: Loop, done: Done, work: Callable[..., Any], *arguments: str, timeout: float
) -> Callable[[], None]:
    """Call a module's function with texts, in a process of its own.

    The process is killed after `timeout` seconds (TimeoutError), or where it takes more than
    MAX_MEMORY (ChildProcessError, as for any other end without an answer).

    Returns what ends it at once; `done` follows.  Raises OSError where no process is available.
    """
    reader, writer = os.pipe()
    try:
        process = children.start(__name__, writer, work.__module__, work.__qualname__, *arguments)
    except OSError:
        os.close(reader)
        raise
    finally:
        os.close(writer)

    def wait() -> Any:
        try:
            answer = _read_all(reader, timeout)
        finally:
            os.close(reader)
            process.kill()
            # A disk that does not answer can keep a killed process for ever: nobody waits.
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(REAP_TIMEOUT)
        try:
            result, error = pickle.loads(answer)
        except (EOFError, pickle.UnpicklingError):
            raise ChildProcessError("the process for it ended unexpectedly") from None
        if error is not None:
            raise error
        return result

    try:
        in_thread(loop, done, wait)
    except OSError:
        os.close(reader)
        process.kill()
        process.wait()
        raise
    return process.kill


def _read_all(reader: int, timeout: float) -> bytes:
    """All that is written until the other end is closed.  Raises TimeoutError."""
    until = time.monotonic() + timeout
    answer = bytearray()
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    while poll.poll(max(0.0, until - time.monotonic()) * 1000):
        data = os.read(reader, _READ_SIZE)
        if not data:
            return bytes(answer)
        answer += data
    raise TimeoutError(f"the process for it did not answer within {timeout:g} s and was killed")


def in_thread(loop: Loop, done: Done, work: Callable[[], Any]) -> None:
    """Call a function that waits more than it computes, in a thread of its own.

    Raises OSError where no thread is available.
    """
    reader, writer = os.pipe()
    outcome: list[tuple[Any, Exception | None]] = []

    def run() -> None:
        try:
            outcome.append((work(), None))
        except Exception as error:  # a boundary: what was raised is the answer
            outcome.append((None, error))
        os.close(writer)

    def ended(events: int) -> None:
        loop.forget(reader)
        os.close(reader)
        thread.join()
        done(*outcome[0])

    thread = threading.Thread(target=run, daemon=True)
    try:
        thread.start()
    except RuntimeError as error:  # the kernel's limit of threads, which passes
        os.close(reader)
        os.close(writer)
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from error
    loop.watch(reader, ended)


def main(arguments: list[str]) -> None:
    """In the process: write what the function returned, or raised."""
    descriptor, module, name, *texts = arguments
    resource.setrlimit(resource.RLIMIT_DATA, (MAX_MEMORY, MAX_MEMORY))
    gc.disable()  # it ends soon, and collections are half of what a large YAML takes
    outcome: tuple[Any, Exception | None] = (None, ChildProcessError(_TOO_LARGE))
    try:
        outcome = getattr(importlib.import_module(module), name)(*texts), None
    except MemoryError:
        pass  # there is none to say so before what took it is given back
    except Exception as error:  # a boundary: what was raised is the answer
        outcome = None, error
    answer = pickle.dumps(outcome)
    # The pipe ends with the process, at once: the interpreter's own end takes 25 ms.
    pipe = open(int(descriptor), "wb")  # noqa: SIM115
    pipe.write(answer)
    pipe.flush()
    os._exit(0)
