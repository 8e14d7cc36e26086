"""How `ports` and `check` ask a running agent: a socket in the state directory.

One JSON line comes in, JSON lines go out, and the end of the connection ends the answer:

    {"do": "list"}                              -> [ifIndex, key, last seen, shown] each
    {"do": "forget", "glob": G, "unseen": S}    -> [ifIndex, key] of each that was forgotten
    {"do": "status"}                            -> [text, snmpd is served, what it refuses]

The rules this module keeps:

- Whoever may write into the state directory may ask; nobody else can reach the socket.
- An answer is made a slice at a time, and only as fast as it is read.
"""

import contextlib
import json
import os
import select
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import Any

from .interfaces.state import Port, State
from .runtime.loop import Loop

NAME = "ports.socket"
MAX_REQUEST = 4096  # octets
MAX_CLIENTS = 8  # at a time; the next one is turned away
SLICE = 100  # names at a time
ANSWER_TIMEOUT = 30.0  # seconds that the agent has to answer


def forgettable(ports: Iterable[Port], glob: str, unseen_before: float) -> dict[str, int]:
    """The ifIndex of each name that fits and was not seen for so long.

    Those of them that are shown State.forget keeps.
    """
    return {
        each.key: each.if_index
        for each in ports
        if each.last_seen <= unseen_before and fnmatchcase(each.key, glob)
    }


class Control:
    """Listens until it is closed."""

    def __init__(
        self, loop: Loop, state: State, directory: str, status: Callable[[], list[object]]
    ) -> None:
        """`status` is what is answered to `check`.

        Raises OSError where the socket cannot be made.
        """
        self._status = status
        self._loop = loop
        self._state = state
        self._path = Path(directory, NAME)
        # The lock on the state is ours: a socket that is there was left by a crash.
        self._path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.setblocking(False)
        self._clients: set[socket.socket] = set()
        try:
            self._listener.bind(os.fspath(self._path))
            self._listener.listen(4)
        except OSError:
            self._listener.close()
            raise
        loop.watch(self._listener.fileno(), self._accept)

    def close(self) -> None:
        """End every conversation."""
        for client in list(self._clients):
            self._drop(client)
        self._loop.forget(self._listener.fileno())
        self._listener.close()
        self._path.unlink(missing_ok=True)

    def _accept(self, events: int) -> None:
        with contextlib.suppress(OSError):  # it is gone again; or no descriptor is left for it
            client, _ = self._listener.accept()
            if len(self._clients) >= MAX_CLIENTS:
                client.close()
                return
            client.setblocking(False)
            self._clients.add(client)
            self._loop.watch(client.fileno(), lambda events: self._read(client))

    def _drop(self, client: socket.socket) -> None:
        self._clients.discard(client)
        self._loop.forget(client.fileno())
        client.close()

    def _read(self, client: socket.socket) -> None:
        """A request is one write, and comes as a whole."""
        try:
            request = json.loads(client.recv(MAX_REQUEST))
            answer = self._answer(request)
        except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
            self._drop(client)
            return
        unsent = bytearray()

        def write(events: int) -> None:
            try:
                if not unsent:
                    unsent.extend(next(answer))
                del unsent[: client.send(unsent)]
            except BlockingIOError:
                return
            except (StopIteration, OSError):
                self._drop(client)

        self._loop.watch(client.fileno(), write, select.EPOLLOUT)

    def _answer(self, request: dict[str, Any]) -> Iterator[bytes]:
        if request["do"] == "list":
            return self._list()
        if request["do"] == "status":
            return iter((_line(self._status()),))
        return self._forget(str(request["glob"]), time.time() - float(request["unseen"]))

    def _list(self) -> Iterator[bytes]:
        ports = self._state.ports()
        while some := list(islice(ports, SLICE)):
            yield b"".join(_line(each.listed) for each in some)

    def _forget(self, glob: str, unseen_before: float) -> Iterator[bytes]:
        ports = self._state.ports()
        while some := list(islice(ports, SLICE)):
            indexes = forgettable(some, glob, unseen_before)
            forgotten = self._state.forget(indexes)
            yield b"".join(_line([indexes[key], key]) for key in forgotten) or b"\n"


def _line(answer: list[Any]) -> bytes:
    return json.dumps(answer).encode() + b"\n"


def ask(directory: str, request: dict[str, Any]) -> list[Any] | None:
    """What the running agent answers, line by line; None where none runs.

    Raises OSError where one runs that does not answer.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as agent:
        agent.settimeout(ANSWER_TIMEOUT)
        try:
            agent.connect(os.path.join(directory, NAME))
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        agent.sendall(json.dumps(request).encode())
        answer = bytearray()
        while data := agent.recv(1 << 16):
            answer += data
    return [json.loads(line) for line in answer.splitlines() if line]
