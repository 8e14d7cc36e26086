"""The way from a reporter to its parent: a descriptor of SOCK_SEQPACKET, a datagram a message.

The rules this module keeps:

- A parent that does not read is waited for: for `SEND_TIMEOUT`, then the process ends, because
  VPP keeps without limit what its client does not read meanwhile.  The parent starts another
  one, which reports everything again.
- The last message says why the process ends; nothing that is left unread comes before it.
"""

import contextlib
import os
import socket
import time
from errno import EMSGSIZE
from typing import NoReturn

from .records import ASK, Alive, Broken, Message, Unread, pack

ALIVE_INTERVAL = 0.5  # seconds without a message after which an octet of VPP's is one
SEND_TIMEOUT = 10.0  # seconds that the parent may take to take a message


class Pipe:
    """The way to the parent."""

    def __init__(self, descriptor: int) -> None:
        self.socket = socket.socket(fileno=descriptor)
        self.socket.settimeout(SEND_TIMEOUT)
        self._sent_at = 0.0

    def send(self, message: Message, descriptors: tuple[int, ...] = ()) -> None:
        """Hand on a message; ends the process if nobody is there to take it, or nobody does."""
        self._sent_at = time.monotonic()
        try:
            socket.send_fds(self.socket, [pack(message)], descriptors)
        except TimeoutError:
            # There is room for one more message than the parent left unread.
            size = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)
            self.send_last(Unread())
        except OSError as error:
            if error.errno == EMSGSIZE:
                self.send_last(Broken(f"{type(message).__name__} are too long for one message"))
            os._exit(0)

    def send_alive(self) -> None:
        """Hand on that VPP answers, unless a message did so just now."""
        if time.monotonic() - self._sent_at >= ALIVE_INTERVAL:
            self.send(Alive())

    def is_asked(self) -> bool:
        """Whether the parent, from which something came, asks; else it is gone."""
        with contextlib.suppress(OSError):
            return self.socket.recv(len(ASK)) == ASK
        return False

    def send_last(self, message: Message) -> NoReturn:
        """Hand on a message if there is room for it, and end the process."""
        with contextlib.suppress(OSError):
            self.socket.send(pack(message))
        # What is left unread here is an error there, which comes before the message.
        self.socket.setblocking(False)
        with contextlib.suppress(OSError):
            while self.socket.recv(len(ASK)):
                pass
        # Not sys.exit: vpp_papi's atexit hook would wait for an answer from VPP.
        os._exit(0)
