"""Several managers who ask one subagent at the same time, as one master passes them on.

Each has one question under way and asks the next when its answer came.  One loop carries
all of them, and whatever else has a descriptor: with threads, the interpreter's own turns
would count as the subagent's time.
"""

import os
import select
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from vpp_snmp_agent.agentx import pdu
from vpp_snmp_agent.agentx.pdu import HEADER_SIZE
from vpp_snmp_agent.agentx.values import END_OF_MIB_VIEW, VarBind, decode_varbind, encode_oid, oid

from .master import SESSION, Master

READ_SIZE = 1 << 16
RESPONSE_HEAD = 8  # octets of a Response before its first varbind
VARBIND_HEAD = 4  # octets of a varbind before its name
WHOLE_NAME = 4  # octets of an OID on the wire before its sub-identifiers
MAX_REPETITIONS = 1000

TYPE = struct.Struct(">H").unpack_from
ERROR = struct.Struct(">4xHH").unpack_from


@dataclass(frozen=True, slots=True)
class Answer:
    """The first varbind of a Response, as it came."""

    payload: bytes
    asked: float  # time.monotonic
    took: float  # seconds
    queued: float  # of these, a process that took part waited for a CPU

    @property
    def name(self) -> bytes:
        """As on the wire."""
        size = WHOLE_NAME + 4 * self.payload[RESPONSE_HEAD + VARBIND_HEAD]
        start = RESPONSE_HEAD + VARBIND_HEAD
        return self.payload[start : start + size]

    @property
    def is_end(self) -> bool:
        return bool(TYPE(self.payload, RESPONSE_HEAD)[0] == END_OF_MIB_VIEW.number)

    @property
    def varbind(self) -> VarBind:
        return decode_varbind(self.payload[RESPONSE_HEAD:])


Then = Callable[[Answer], None]


class Selectable(Protocol):
    """What else the loop can wait for."""

    def fileno(self) -> int: ...


class Queue:
    """Seconds that some processes' main threads were ready to run and had to wait for a CPU."""

    def __init__(self, *pids: int) -> None:
        self._files = [os.open(f"/proc/{pid}/schedstat", os.O_RDONLY) for pid in pids]

    def __call__(self) -> float:
        return sum(int(os.pread(each, 64, 0).split()[1]) for each in self._files) * 1e-9

    def close(self) -> None:
        for each in self._files:
            os.close(each)


class Managers(Master):
    """A master with as many questions under way as there are managers behind it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._asked: dict[int, tuple[float, float, Then]] = {}
        self._inbox = bytearray()
        self._queue: Queue | None = None

    def __enter__(self) -> "Managers":
        return self

    def watch_queue_of(self, pid: int) -> None:
        """Count from now on how long the subagent, and this process, waited for a CPU."""
        self._queue = Queue(pid, os.getpid())

    def __exit__(self, *error: object) -> None:
        if self._queue:
            self._queue.close()
        super().__exit__(None, None, None)

    def ask(self, type_: int, name: bytes, then: Then) -> None:
        """Ask about a name as on the wire; `then` is called with the answer by `turn`."""
        assert self._peer
        self._packets += 1
        data = pdu.encode(type_, name + bytes(4), session_id=SESSION, packet_id=self._packets)
        queued = self._queue() if self._queue else 0.0
        self._asked[self._packets] = (time.monotonic(), queued, then)
        self._peer.sendall(data)

    @property
    def waiting(self) -> int:
        """How many questions are under way."""
        return len(self._asked)

    def turn(self, timeout: float, *others: Selectable) -> list[Selectable]:
        """Hand out the answers that come within so many seconds; who else is ready."""
        assert self._peer
        watched: list[Selectable] = [self._peer, *others]
        ready, _, _ = select.select(watched, [], [], max(0.0, timeout))
        if self._peer in ready:
            ready.remove(self._peer)
            self._receive_some()
        return ready

    def _receive_some(self) -> None:
        assert self._peer
        try:
            data = self._peer.recv(READ_SIZE, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        if not data:
            raise ConnectionError("the subagent hung up")
        now = time.monotonic()
        queued = self._queue() if self._queue else 0.0
        self._inbox += data
        at, inbox = 0, bytes(self._inbox)
        while len(inbox) - at >= HEADER_SIZE:
            header = pdu.decode_header(inbox, at)
            end = at + HEADER_SIZE + header.length
            if end > len(inbox):
                break
            self._heard(header, inbox[at + HEADER_SIZE : end], now, queued)
            at = end
        del self._inbox[:at]

    def _heard(self, header: pdu.Header, payload: bytes, now: float, queued: float) -> None:
        if header.type != pdu.RESPONSE:
            self._say_yes(header)
            return
        asked, queued_then, then = self._asked.pop(header.packet_id)
        error, _ = ERROR(payload)
        if error:
            raise ConnectionError(f"the subagent answered {pdu.error_name(error)}")
        then(Answer(payload, asked, now - asked, max(0.0, queued - queued_then)))

    def drain(self, seconds: float = 20.0) -> None:
        """Wait for what was asked, with nobody asking on."""
        limit = time.monotonic() + seconds
        while self._asked:
            if time.monotonic() > limit:
                raise TimeoutError("the subagent does not answer")
            self.turn(0.1)

    def count(self, column: bytes) -> int:
        """The cells of a column, by GetBulk."""
        found, at = 0, column
        while True:
            some = self._get_bulk(at)
            inside = [
                each
                for each in some
                if each.type is not END_OF_MIB_VIEW and each.name.startswith(column)
            ]
            found += len(inside)
            if len(inside) < len(some) or not some:
                return found
            at = inside[-1].name

    def _get_bulk(self, name: bytes) -> list[VarBind]:
        payload = struct.pack(">HH", 0, MAX_REPETITIONS) + encode_oid(name) + bytes(4)
        return self._answer_to(pdu.GETBULK, payload)


def on_wire(dotted: str) -> bytes:
    """An OID as a question names it."""
    return encode_oid(oid(dotted))


def is_below(name: bytes, subtree: bytes) -> bool:
    """Whether a name lies below an OID, both as on the wire with the same prefix."""
    return name[1] == subtree[1] and name[WHOLE_NAME:].startswith(subtree[WHOLE_NAME:])


class Walker:
    """Walks some subtrees without end; what it waited longest for."""

    def __init__(self, managers: Managers, *subtrees: str) -> None:
        self._managers = managers
        self._subtrees = [on_wire(each) for each in subtrees]
        self._at = 0
        self._position = b""
        self.ending = False
        self.answers = self.walks = self.disorders = 0
        self.latest: Answer | None = None
        self.latest_own = 0.0  # seconds, without the queue for a CPU: of any answer

    def begin(self) -> None:
        """Ask the first question."""
        self._next(self._subtrees[self._at])

    def _next(self, name: bytes) -> None:
        if not self.ending:
            self._position = name
            self._managers.ask(pdu.GETNEXT, name, self._take)

    def _take(self, answer: Answer) -> None:
        self.answers += 1
        if self.latest is None or answer.took > self.latest.took:
            self.latest = answer
        self.latest_own = max(self.latest_own, answer.took - answer.queued)
        name = answer.name
        if answer.is_end or not is_below(name, self._subtrees[self._at]):
            self._at = (self._at + 1) % len(self._subtrees)
            self.walks += not self._at
            name = self._subtrees[self._at]
        elif name[WHOLE_NAME:] <= self._position[WHOLE_NAME:]:
            self.disorders += 1
        self._next(name)


class Scout:
    """Reads the rows of a column behind an index, round after round: who came, who went."""

    def __init__(
        self,
        managers: Managers,
        column: str,
        after: int,
        seen: Callable[[str, float], None],
        done: Callable[[set[str], float], None],
    ) -> None:
        """`seen(name, when)` for each row; `done(names, begun)` after each round."""
        self._managers = managers
        self._column = on_wire(column)
        self._first = on_wire(f"{column}.{after}")
        self._seen = seen
        self._done = done
        self._names: set[str] = set()
        self.due = 0.0  # when the next round is to begin
        self.busy = False

    def begin(self, now: float) -> None:
        self.busy, self._begun, self._names = True, now, set()
        self._managers.ask(pdu.GETNEXT, self._first, self._take)

    def _take(self, answer: Answer) -> None:
        name = answer.name
        if answer.is_end or not is_below(name, self._column):
            self.busy = False
            self.due = answer.asked + answer.took + PAUSE
            self._done(self._names, self._begun)
            return
        value = answer.varbind.value
        assert isinstance(value, bytes)
        self._names.add(value.decode())
        self._seen(value.decode(), answer.asked + answer.took)
        self._managers.ask(pdu.GETNEXT, name, self._take)


PAUSE = 0.005  # seconds between two rounds of a Scout
