"""One AgentX session (RFC 2741 section 7), without a socket and without a clock.

    session = Session(view, modules, "who we are")
    to_send = session.open()
    to_send = session.receive(data)     # data as it was received, in pieces or joined
    while session.more: to_send = session.receive(b"")    # once that is sent
    for event in session.events(): ...
    to_send = session.close()

The rules this module keeps:

- One session for each connection.  Everything is registered when the session opens, or as
  soon as a module has it, and what is refused can be asked for again.  Nothing is ever
  withdrawn: net-snmp 5.9.3 does not survive an Unregister while a GetBulk is under way.  A
  Register then does it no harm (25 of them among 250 walks, under valgrind).
- Requests are answered in the order in which they were received, each from the view alone.
- Answers are made as they can be sent: of a master that asks faster than it listens,
  the questions wait and not the answers.
- While a session is on hold Get, GetNext and GetBulk wait, and nothing else does: snmpd
  repeats a request after a second, and a repeated one is answered as well.
- Every Response is matched with what it answers, and its error reported as an event.
- After `MalformedPDU` out of `receive`, or the event Closed, the connection is of no
  use any more.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pyagentx3 as ax

from . import pdu
from .fastpath import FastPath
from .mib import Module, Registration, View
from .pdu import HEADER_SIZE, Get, GetBulk, Header, Response
from .values import END_OF_MIB_VIEW, MalformedPDU, decode_varbind, oid

# Lower is stronger (section 7.1.4.1).  net-snmp's own modules stand at 127, which is
# also what other subagents leave unchanged.
PRIORITY = 100

# A GetBulk may ask for 65,535 repetitions; what is not sent is asked for again.  2 ms.
MAX_BULK_OCTETS = 1 << 12
MAX_ANSWERS = 1 << 14  # octets after which the next question waits: 250 answers, 3 ms
MAX_HELD = 10_000  # requests on hold; snmpd has a few under way
REQUESTS = frozenset((pdu.GET, pdu.GETNEXT, pdu.GETBULK))

NOT_WRITABLE: int = ax.ERROR_NOTWRITABLE
COMMIT_FAILED: int = ax.ERROR_COMMITFAILED
DUPLICATE_REGISTRATION: int = ax.ERROR_DUPLICATEREGISTRATION
NOT_OPEN: int = ax.ERROR_NOTOPEN
UNSUPPORTED_CONTEXT: int = ax.ERROR_UNSUPPORTEDCONTEXT
PARSE_ERROR: int = ax.ERROR_PARSEERROR
PROCESSING_ERROR: int = ax.ERROR_PROCESSINGERROR


@dataclass(frozen=True)
class Opened:
    """The master took the session; its sysUpTime in centiseconds."""

    sys_up_time: int


@dataclass(frozen=True)
class Registered:
    """The master answered every registration; those `refused` can be tried again.

    Each is named as in the event Refused that went before.
    """

    total: int
    refused: tuple[str, ...]


@dataclass(frozen=True)
class Refused:
    """The master answered `what` with an error."""

    what: str
    error: int


@dataclass(frozen=True)
class Pong:
    """The master answered a Ping."""


@dataclass(frozen=True)
class Closed:
    """The master has no such session, or no longer; why, in words."""

    reason: str


Event = Opened | Registered | Refused | Pong | Closed


class _Registration(NamedTuple):
    """What the master is asked for when the session opens, and again where it refuses."""

    type: int
    payload: bytes
    what: str


def _row_payload(row: Registration) -> bytes:
    return pdu.register_payload(
        oid(row.subtree), PRIORITY, range_subid=row.range_subid, upper_bound=row.upper_bound
    )


class Session:
    """The subagent's side of one connection to a master agent."""

    def __init__(
        self,
        view: View,
        modules: Sequence[Module],
        description: str,
        trace: Callable[[str], None] | None = None,
        on_hold: bool = False,
    ) -> None:
        """`trace` is given each PDU as a line for the log; `on_hold`: until `release`."""
        self._view = view
        self._modules = modules
        self._description = description
        self._trace = trace
        self._id: int | None = None
        self._pieces: list[bytes] = []  # what was received and is not answered yet
        self._size = 0  # octets in them
        self._needed = HEADER_SIZE  # octets before anything of it can be answered
        self.more = False  # whether `receive` would go on, though nothing new was received
        self._events: list[Event] = []
        self._packet_id = 0
        self._pending: dict[int, Callable[[Response], bytes]] = {}
        self._registrations: list[_Registration] = []
        self._refused: list[_Registration] = []
        self._rows: set[Registration] = set()  # that are among the registrations
        self._is_probing = False  # whether one of those refused is to be had by now
        self._registering = 0  # registrations whose answers are waited for
        self._fast_path: FastPath | None = None
        self._on_hold = on_hold
        self._held: list[bytes] = []  # whole requests

    # --- what we request -------------------------------------------------------------

    def open(self) -> bytes:
        """The Open that begins the session."""
        return self._request(pdu.OPEN, pdu.open_payload(self._description), self._open_answered)

    def register_again(self) -> bytes:
        """Ask again for one thing that was refused, and where that is granted for all the others.

        snmpd logs each refusal, and who goes gives all back at once.  Each is asked for in
        its turn; nothing is while an answer is waited for.
        """
        if self._id is None or self._registering or not self._refused:
            return b""
        self._is_probing = True
        return self._register([self._refused.pop(0)])

    def register_new(self) -> bytes:
        """Register rows that are new in the modules, unless an answer is waited for."""
        if self._id is None or self._registering:
            return b""
        return self._register(self._new_rows())

    def ping(self) -> bytes:
        """A Ping; its answer is the event Pong."""
        return self._request(pdu.PING, b"", self._ping_answered)

    def notify(self, what: str, varbinds: Sequence[bytes]) -> bytes:
        """A Notify (section 6.2.10) of encoded varbinds; `what` is named where it is refused."""

        def answered(answer: Response) -> bytes:
            if answer.error:
                self._events.append(Refused(what, answer.error))
            return b""

        return self._request(pdu.NOTIFY, b"".join(varbinds), answered)

    def close(self) -> bytes:
        """The Close that ends the session; nothing if it never began."""
        if self._id is None:
            return b""
        request = self._request(pdu.CLOSE, pdu.close_payload(pdu.SHUTDOWN), lambda answer: b"")
        self._id = self._fast_path = None
        return request

    def show(self, view: View) -> None:
        """Answer from another view from now on; it has the same subtrees."""
        self._view = view
        self._set_fast_path()

    def trace(self, trace: Callable[[str], None] | None) -> None:
        """Give each PDU to `trace` as a line for the log from now on; None: to nobody."""
        self._trace = trace
        self._set_fast_path()

    def _set_fast_path(self) -> None:
        may = self._id is not None and self._trace is None and not self._on_hold
        self._fast_path = FastPath(self._view, self._id or 0) if may else None

    @property
    def holds(self) -> bool:
        """Whether a request waits for `release`."""
        return bool(self._held)

    def release(self) -> None:
        """End the hold; what waited is answered by the next `receive`."""
        self._on_hold = False
        self._pieces[:0] = self._held
        self._size = sum(map(len, self._pieces))
        self.more = self.more or bool(self._held)
        self._needed = HEADER_SIZE
        self._held = []
        self._set_fast_path()

    def events(self) -> Iterator[Event]:
        """Those since the last call."""
        if not self._events:
            return iter(())
        events, self._events = self._events, []
        return iter(events)

    def _request(self, type_: int, payload: bytes, then: Callable[[Response], bytes]) -> bytes:
        self._packet_id += 1
        self._pending[self._packet_id] = then
        return pdu.encode(type_, payload, session_id=self._id or 0, packet_id=self._packet_id)

    # --- what the master sends -----------------------------------------------------------------

    def receive(self, data: bytes) -> bytes:
        """Take what the master sent, return what it is to be sent.

        Raises MalformedPDU where the stream cannot be followed any further, or where an
        answer to us cannot be read: what it answered would be waited for in vain.
        """
        if self._fast_path is not None and not self._pieces:
            answered = self._fast_path.answer(data)
            if answered is not None:
                return answered
        if self._pieces:
            self._pieces.append(data)
            self._size += len(data)
            if self._size < self._needed:
                return b""
            data = b"".join(self._pieces)
            self._pieces = []
        answers = []
        at = size = 0
        needed = HEADER_SIZE
        while len(data) - at >= HEADER_SIZE and size < MAX_ANSWERS:
            header = pdu.decode_header(data, at)
            end = at + HEADER_SIZE + header.length
            if end > len(data):
                needed = end - at
                break
            if self._on_hold and header.type in REQUESTS and len(self._held) < MAX_HELD:
                self._held.append(data[at:end])
                at = end
                continue
            answer = self._handle(header, data[at + HEADER_SIZE : end])
            if self._trace:
                self._trace_both(data[at:end], answer)
            answers.append(answer)
            size += len(answer)
            at = end
        self._size, self._needed = len(data) - at, needed
        self.more = self._size >= needed
        if self._size:
            self._pieces = [data[at:]]
        return b"".join(answers)

    def _trace_both(self, request: bytes, response: bytes) -> None:
        assert self._trace is not None
        for arrow, data in (("<", request), (">", response)):
            while data:
                header = pdu.decode_header(data)
                end = HEADER_SIZE + header.length
                try:
                    self._trace(f"{arrow} {pdu.decode(header, data[HEADER_SIZE:end])}")
                except MalformedPDU as error:
                    self._trace(f"{arrow} {error}")
                data = data[end:]

    def _handle(self, header: Header, payload: bytes) -> bytes:
        # A Response is never answered, nor is CleanupSet (section 7.2.4.4).
        silent = header.type in (pdu.RESPONSE, pdu.CLEANUPSET, pdu.CLOSE)
        try:
            received = pdu.decode(header, payload)
        except MalformedPDU:
            if header.type == pdu.RESPONSE:
                raise
            return b"" if silent else pdu.encode_response(header, error=PARSE_ERROR)
        body = received.body
        if isinstance(body, Response):
            return self._handle_response(header, body)
        if header.session_id != self._id:
            return b"" if silent else pdu.encode_response(header, error=NOT_OPEN)
        if isinstance(body, pdu.Close):
            reason = pdu.CLOSE_REASONS.get(body.reason, str(body.reason))
            self._end(f"snmpd closed the session: {reason}")
            return b""
        if received.context is not None:
            return pdu.encode_response(header, error=UNSUPPORTED_CONTEXT)
        if isinstance(body, Get):
            return pdu.encode_response(header, self._get(header.type, body))
        if isinstance(body, GetBulk):
            return pdu.encode_response(header, self._get_bulk(body))
        return b"" if silent else self._set_or_refuse(header)

    def _get(self, type_: int, body: Get) -> list[bytes]:
        if type_ == pdu.GET:
            get = self._view.get
            return [get(start) for start, _, _ in body.ranges]
        get_next = self._view.get_next
        return [get_next(start, include, end) for start, include, end in body.ranges]

    def _get_bulk(self, body: GetBulk) -> list[bytes]:
        """Section 7.2.3.3."""
        get_next = self._view.get_next
        found = [get_next(*each) for each in body.ranges[: body.non_repeaters]]
        repeated = body.ranges[body.non_repeaters :]
        size = 0
        for _ in range(body.max_repetitions if repeated else 0):
            row = [get_next(*each) for each in repeated]
            found += row
            size += sum(map(len, row))
            # A varbind gives the next repetition its start, by its name.
            names = [decode_varbind(each) for each in row]
            ended = all(each.type is END_OF_MIB_VIEW for each in names)
            if ended or size > MAX_BULK_OCTETS:
                break
            repeated = [
                pdu.SearchRange(name.name, False, before.end)
                for name, before in zip(names, repeated, strict=True)
            ]
        return found

    def _set_or_refuse(self, header: Header) -> bytes:
        """Nothing here is writable (section 7.2.4), nor is anything asked of a master."""
        if header.type == pdu.TESTSET:
            return pdu.encode_response(header, error=NOT_WRITABLE, index=1)
        if header.type == pdu.COMMITSET:
            return pdu.encode_response(header, error=COMMIT_FAILED, index=1)
        if header.type in (pdu.UNDOSET, pdu.PING):
            return pdu.encode_response(header)
        return pdu.encode_response(header, error=PROCESSING_ERROR)

    # --- answers to what we requested -----------------------------------------------------

    def _handle_response(self, header: Header, answer: Response) -> bytes:
        then = self._pending.pop(header.packet_id, None)
        if then is None:
            return b""
        if then == self._open_answered and not answer.error:
            self._id = header.session_id
            self._set_fast_path()
        return then(answer)

    def _open_answered(self, answer: Response) -> bytes:
        if answer.error:
            self._end(f"snmpd refused the session: {pdu.error_name(answer.error)}")
            return b""
        self._events.append(Opened(answer.sys_up_time))
        for module in self._modules:
            capability = pdu.caps_payload(oid(module.capability), module.description)
            self._registrations.append(
                _Registration(pdu.ADDAGENTCAPS, capability, f"capability {module.capability}")
            )
            self._registrations += [
                _Registration(
                    pdu.REGISTER, pdu.register_payload(oid(subtree), PRIORITY), f"subtree {subtree}"
                )
                for subtree in module.subtrees
            ]
        self._new_rows()
        return self._register(self._registrations)

    def _new_rows(self) -> list[_Registration]:
        """What is to be registered of rows that are new to this session."""
        new = [each for module in self._modules for each in module.rows() if each not in self._rows]
        self._rows.update(new)
        made = [_Registration(pdu.REGISTER, _row_payload(each), f"subtree {each}") for each in new]
        self._registrations += made
        return made

    def _register(self, registrations: list[_Registration]) -> bytes:
        self._registering = len(registrations)
        return b"".join(
            self._request(each.type, each.payload, self._registration_answered(each))
            for each in registrations
        )

    def _registration_answered(self, registration: _Registration) -> Callable[[Response], bytes]:
        def answered(answer: Response) -> bytes:
            self._registering -= 1
            if answer.error:
                self._refused.append(registration)
                self._events.append(Refused(registration.what, answer.error))
            if self._registering:
                return b""
            was_probing, self._is_probing = self._is_probing, False
            if was_probing and self._refused and not answer.error:
                others, self._refused = self._refused, []
                return self._register(others)
            refused = tuple(each.what for each in self._registrations if each in self._refused)
            self._events.append(Registered(len(self._registrations), refused))
            return b""

        return answered

    def _ping_answered(self, answer: Response) -> bytes:
        if answer.error:
            self._end(f"snmpd lost the session: {pdu.error_name(answer.error)}")
        else:
            self._events.append(Pong())
        return b""

    def _end(self, reason: str) -> None:
        self._id = self._fast_path = None
        self._events.append(Closed(reason))
