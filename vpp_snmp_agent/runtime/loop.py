"""What the agent's one loop is made of: who is called when, and what is logged once."""

import logging
import select
from collections.abc import Callable

log = logging.getLogger("vpp-snmp-agent")

MAX_EVENTS = 16  # descriptors in a turn: epoll_wait takes memory for them each time

Handler = Callable[[int], None]


class Loop:
    """What to call when a file descriptor is ready."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._handlers: dict[int, Handler] = {}
        self.may_wait = False  # whether nothing else is to be done in this turn

    def watch(self, fd: int, handler: Handler, mask: int = select.EPOLLIN) -> None:
        """Call `handler(events)` when `fd` is ready; or change the mask of a watched one."""
        if fd in self._handlers:
            self._epoll.modify(fd, mask)
        else:
            self._epoll.register(fd, mask)
        self._handlers[fd] = handler

    def forget(self, fd: int) -> None:
        """To be called before `fd` is closed."""
        if self._handlers.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def turn(self, timeout: float) -> None:
        """Wait for at most `timeout` seconds and call who is ready."""
        self.may_wait = timeout > 0
        for fd, events in self._epoll.poll(timeout, MAX_EVENTS):
            handler = self._handlers.get(fd)  # an earlier handler of this turn may have closed it
            if handler is not None:
                handler(events)

    def close(self) -> None:
        """Of no use any more."""
        self._epoll.close()


def counted(number: int, one: str, many: str) -> str:
    """`1 interface`, `18 interfaces`: for what people read."""
    return f"{number} {one if number == 1 else many}"


class StateLog:
    """Log lines by subject: the same again is not logged again; a failure is counted."""

    def __init__(self) -> None:
        self._last: dict[str, str] = {}
        self._failures: dict[str, int] = {}

    def report(self, level: int, subject: str, text: str) -> None:
        """Log `text` unless it is the last that was said of `subject`."""
        if self._last.get(subject) == text:
            if subject in self._failures:
                self._failures[subject] += 1
            return
        again = self._failures.pop(subject, 0)
        if again:
            log.info("%s more: %s", counted(again, "time", "times"), self._last[subject])
        if level > logging.INFO:
            self._failures[subject] = 0
        self._last[subject] = text
        log.log(level, "%s", text)

    def solved(self, subject: str, text: str) -> None:
        """Log `text` if what was said last of `subject` is a failure."""
        if subject in self._failures:
            self.report(logging.INFO, subject, text)

    def last(self, subject: str) -> str:
        """What was said last."""
        return self._last.get(subject, "")
