"""Work that can take long, done beside the loop: in a process, or in a thread.

A disk can take seconds to answer; a YAML of ten thousand interfaces takes most of one to
read, and keeps the interpreter while it is read: that one needs a process.

The rules this module keeps:

- A process is spawned, not forked: to copy the agent's page tables takes the loop 3 ms.
- `done(result, None)` or `done(None, what it raised)` follows once, on the loop.
"""

import importlib
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

from .loop import Loop

Done = Callable[[Any, Exception | None], None]

_READ_SIZE = 1 << 16


def child_environment() -> dict[str, str]:
    """What a child needs to import this package: from where this process has it."""
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "PYTHONSAFEPATH": "1",  # -m alone would look in the working directory first
    }


def in_process(loop: Loop, done: Done, work: Callable[..., Any], *arguments: str) -> None:
    """Call a module's function with texts, in a process of its own.

    Raises OSError where no process can be had.
    """
    reader, writer = os.pipe()
    try:
        process = subprocess.Popen(
            (
                *(sys.executable, "-m", "vpp_snmp_agent.jobs", str(writer)),
                *(work.__module__, work.__qualname__, *arguments),
            ),
            stdin=subprocess.DEVNULL,
            pass_fds=(writer,),
            env=child_environment(),
        )
    except OSError:
        os.close(reader)
        raise
    finally:
        os.close(writer)
    answer: list[bytes] = []

    def read(events: int) -> None:
        data = os.read(reader, _READ_SIZE)
        answer.append(data)
        if data:
            return
        loop.forget(reader)
        os.close(reader)
        process.wait()  # it closed its end by ending
        try:
            result, error = pickle.loads(b"".join(answer))
        except (EOFError, pickle.UnpicklingError):
            result, error = None, ChildProcessError("the process for it ended unexpectedly")
        done(result, error)

    loop.watch(reader, read)


def in_thread(loop: Loop, done: Done, work: Callable[[], Any]) -> None:
    """Call a function that waits more than it computes, in a thread of its own."""
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
    loop.watch(reader, ended)
    thread.start()


def main(arguments: list[str]) -> None:
    """In the process: write what the function returned, or raised."""
    descriptor, module, name, *texts = arguments
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's ^C is for the parent
    try:
        answer = pickle.dumps((getattr(importlib.import_module(module), name)(*texts), None))
    except Exception as error:  # a boundary: what was raised is the answer
        answer = pickle.dumps((None, error))
    # The pipe ends with the process, at once: the interpreter's own end takes 25 ms, and the
    # loop, which has read all by then, would wait for it.
    pipe = open(int(descriptor), "wb")  # noqa: SIM115
    pipe.write(answer)
    pipe.flush()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
