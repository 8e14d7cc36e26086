"""The socket to VPP's binary API: vpp_papi's transport, read by who waits for the answer.

The rules this module keeps:

- Who asks reads the answers, in the same thread.  vpp_papi's receive thread, which is not
  started, would queue a whole dump, and hand over the interpreter for each message of it.
- No call has a time limit.  While VPP is waited for that is said, by the time that was spent
  in waiting: what this process takes for itself, or does not run, is no silence of VPP's.
"""

import select
import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from vpp_papi.vpp_transport_socket import VppTransport

# No VPP sends as much; what does is no VPP, and must not take the machine's memory.
MAX_MESSAGE = 1 << 24  # octets; 26.06 sends its own definitions in 1.6 MB
WAITING_INTERVAL = 0.5  # seconds of waiting for VPP after which that is said, again and again
RECEIVE_SIZE = 1 << 16  # octets taken from the socket at a time

LENGTH = struct.Struct(">8xI4x")  # the header before each message: nothing, length, nothing


class VPPUnavailable(Exception):
    """VPP answers as no VPP does; the text says how."""


class VPPGone(ConnectionError):
    """VPP closed its API socket."""


class Transport(VppTransport):  # type: ignore[misc]
    """vpp_papi's transport, read by who waits for the answer.

    `received` is called each time octets came from VPP, `waiting` each WAITING_INTERVAL for
    which they do not come, with the seconds so far.
    """

    q: Any
    sque: Any

    def __init__(
        self,
        client: Any,
        path: str,
        received: Callable[[], None],
        waiting: Callable[[float], None],
    ) -> None:
        super().__init__(client, read_timeout=0, server_address=path)
        self._received = received
        self._waiting = waiting
        self._inbox = b""
        self._at = 0  # of what is not read yet

    def msg_thread_func(self) -> None:
        """Nothing: the caller reads."""

    def connect(self, *arguments: Any, **more: Any) -> Any:
        """As vpp_papi's, without the queues between its threads."""
        result = super().connect(*arguments, **more)
        self.sque.close()
        self.q.close()
        self.sque = self.q = None
        return result

    def write(self, buf: bytes) -> None:
        """Send a message to VPP."""
        self.write_all([buf])

    def write_all(self, messages: Iterable[bytes]) -> None:
        """Send messages to VPP at one go; VPPGone if it went."""
        frames = (self.header.pack(0, len(each), 0) + each for each in messages)
        try:
            self.socket.sendall(b"".join(frames))
        except BrokenPipeError as error:
            raise VPPGone("VPP closed its API socket") from error

    def read(self, timeout: float | None = None) -> bytes:
        """The next answer; events are noted.  Waits for it as long as it takes."""
        while self.parent.take_event(message := self.next_message()):
            pass
        return message

    def _read(self) -> bytes:
        """What vpp_papi calls before it is connected."""
        return self.next_message()

    def next_message(self) -> bytes:
        """The next message, whatever it is; VPPGone where no more will come."""
        while True:
            start = self._at + LENGTH.size
            if start <= len(self._inbox):
                end = start + LENGTH.unpack_from(self._inbox, self._at)[0]
                if end <= len(self._inbox):
                    self._at = end
                    return self._inbox[start:end]
                self._receive(end - self._at)
            else:
                self._receive(LENGTH.size)

    def waiting(self) -> Iterator[bytes]:
        """The messages that have come by now; does not wait for more."""
        while True:
            unread = len(self._inbox) - self._at
            if unread < LENGTH.size:
                return
            if unread < LENGTH.size + LENGTH.unpack_from(self._inbox, self._at)[0]:
                return
            yield self.next_message()

    def receive_waiting(self) -> None:
        """Take what is in the socket, RECEIVE_SIZE at most; does not wait."""
        try:
            self._add(self.socket.recv(RECEIVE_SIZE, socket.MSG_DONTWAIT))
        except BlockingIOError:
            return

    def _receive(self, size: int) -> None:
        """Wait until so many octets are unread."""
        if size > MAX_MESSAGE:
            raise VPPUnavailable(f"VPP announces a message of {size - LENGTH.size} octets")
        inbox = bytearray(self._inbox[self._at :])
        self._inbox, self._at = b"", 0
        while len(inbox) < size:
            self._wait()
            data = self.socket.recv(RECEIVE_SIZE)
            if not data:
                raise VPPGone("VPP closed its API socket")
            self._received()
            inbox += data
        self._inbox = bytes(inbox)

    def _wait(self) -> None:
        """Wait until VPP sends something, or hangs up."""
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        waited = 0.0
        # A process that was stopped in between has waited for one interval, not for all the time.
        while not poll.poll(WAITING_INTERVAL * 1000):
            waited += WAITING_INTERVAL
            self._waiting(waited)

    def _add(self, data: bytes) -> None:
        if not data:
            raise VPPGone("VPP closed its API socket")
        self._received()
        self._inbox, self._at = self._inbox[self._at :] + data, 0
