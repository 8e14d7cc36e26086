"""One AgentX session (RFC 2741 section 7), without a socket and without a clock.

    session = Session(view, modules, "who we are")
    to_send = session.open()
    to_send = session.receive(data)     # data as it was received, in pieces or joined
    while session.more: to_send = session.receive(b"")    # once that is sent
    for event in session.events(): ...
    to_send = session.close()

The rules this module keeps:

- One session for each connection.
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

import pyagentx3 as ax

from . import answers, pdu
from .fastpath import FastPath
from .mib import Module, View
from .pdu import HEADER_SIZE, Get, GetBulk, Header, Response
from .registrations import Registrations, Wanted
from .values import MalformedPDU

MAX_ANSWERS = 1 << 14  # octets after which the next question waits: 250 answers, 3 ms
MAX_HELD = 10_000  # requests on hold; snmpd has a few under way
REQUESTS = frozenset((pdu.GET, pdu.GETNEXT, pdu.GETBULK))

DUPLICATE_REGISTRATION: int = ax.ERROR_DUPLICATEREGISTRATION
NOT_OPEN: int = ax.ERROR_NOTOPEN
UNSUPPORTED_CONTEXT: int = ax.ERROR_UNSUPPORTEDCONTEXT
PARSE_ERROR: int = ax.ERROR_PARSEERROR


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
        self._registrations = Registrations(modules)
        self._fast_path: FastPath | None = None
        self._on_hold = on_hold
        self._held: list[bytes] = []  # whole requests

    # --- what we request -------------------------------------------------------------

    def open(self) -> bytes:
        """The Open that begins the session."""
        return self._request(pdu.OPEN, pdu.open_payload(self._description), self._open_answered)

    def register_again(self) -> bytes:
        """Ask again for what was refused, as `Registrations.again` says."""
        return b"" if self._id is None else self._register(self._registrations.again())

    def register_new(self) -> bytes:
        """Register rows that are new in the modules, unless an answer is waited for."""
        return b"" if self._id is None else self._register(self._registrations.new())

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
        responses = []
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
            responses.append(answer)
            size += len(answer)
            at = end
        self._size, self._needed = len(data) - at, needed
        self.more = self._size >= needed
        if self._size:
            self._pieces = [data[at:]]
        return b"".join(responses)

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
            return pdu.encode_response(header, answers.get(self._view, header.type, body))
        if isinstance(body, GetBulk):
            return pdu.encode_response(header, answers.get_bulk(self._view, body))
        return b"" if silent else answers.refuse(header)

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
        return self._register(self._registrations.begin())

    def _register(self, wanted: list[Wanted]) -> bytes:
        return b"".join(
            self._request(each.type, each.payload, self._registration_answered(each))
            for each in wanted
        )

    def _registration_answered(self, wanted: Wanted) -> Callable[[Response], bytes]:
        def answered(answer: Response) -> bytes:
            if answer.error:
                self._events.append(Refused(wanted.what, answer.error))
            following = self._registrations.answered(wanted, bool(answer.error))
            if not self._registrations.waiting:
                total, refused = self._registrations.total, self._registrations.refused()
                self._events.append(Registered(total, refused))
            return self._register(following)

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
