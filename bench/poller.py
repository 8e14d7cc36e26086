"""A poller as it stands on another machine: one UDP socket, kept, and one question after another.

A poller that is a new process for each question leaves every cache cold behind it, and then
its own start is measured and not the answer.  Here a turn is a loop of send and recv over
requests that were encoded beforehand.  Only then are the answers looked at: every name, every
type, and the counters that have to move.
"""

import ctypes
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Sequence

from simulator.stage import Snmpd, StageError

from . import snmp
from .snmp import Counters, Question

TIMEOUT = 5  # seconds for an answer; nothing is asked twice
READ_SIZE = 1 << 16
REPETITIONS = 50  # of a GETBULK that finds out what is there
CLONE_NEWNET = 0x40000000  # sched.h


def in_namespace_of(pid: int, make: Callable[[], socket.socket]) -> socket.socket:
    """A socket made in the network namespace of a process; the caller stays in its own.

    setns is a thread's own affair, and a socket stays where it was made.
    """
    made: list[socket.socket | OSError] = []

    def work() -> None:
        try:
            namespace = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
            try:
                if ctypes.CDLL(None, use_errno=True).setns(namespace, CLONE_NEWNET):
                    number = ctypes.get_errno()
                    raise OSError(number, os.strerror(number))
            finally:
                os.close(namespace)
            made.append(make())
        except OSError as error:
            made.append(error)

    worker = threading.Thread(target=work)
    worker.start()
    worker.join()
    if isinstance(made[0], OSError):
        raise StageError(f"no socket in the namespace of {pid}: {made[0]}")
    return made[0]


class Poller:
    """A poller of one snmpd."""

    def __init__(self, snmpd: Snmpd) -> None:
        host, _, port = snmpd.command("")[-1].partition(":")

        def connect() -> socket.socket:
            connected = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            connected.connect((host, int(port)))
            return connected

        self._socket = in_namespace_of(snmpd.pid, connect) if snmpd.enter() else connect()
        timeout = struct.pack("@ll", TIMEOUT, 0)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeout)
        self.cpu = 0  # nanoseconds of its own, while it asked
        self.cells = 0  # that were asked for meanwhile

    def close(self) -> None:
        """Ask nothing more."""
        self._socket.close()

    def ask(self, requests: Sequence[bytes], pause: float = 0.0) -> list[bytes]:
        """The answers to some requests, each sent when the one before was answered."""
        send, recv = self._socket.send, self._socket.recv
        answers = []
        try:
            for request in requests:
                send(request)
                answers.append(recv(READ_SIZE))
                if pause:
                    time.sleep(pause)
        except BlockingIOError as error:
            raise StageError(f"snmpd did not answer within {TIMEOUT} s") from error
        return answers

    def turn(
        self, questions: Sequence[Question], counters: Counters | None = None, pause: float = 0.0
    ) -> Callable[[], int]:
        """Ask them all; who is called afterwards checks the answers, and counts the cells."""
        requests = [question.request for question in questions]
        began = time.thread_time_ns()
        answers = self.ask(requests, pause)
        self.cpu += time.thread_time_ns() - began

        def check() -> int:
            count, now = 0, time.monotonic()
            for question, answer in zip(questions, answers, strict=True):
                found = snmp.check(question, answer)
                count += len(found)
                if counters is not None:
                    counters.see(found, now)
            self.cells += count
            return count

        return check

    def indexes(self, column: str) -> list[str]:
        """The indexes of a column's cells, in their order."""
        prefix = name = snmp.oid(column)
        found: list[str] = []
        while True:
            number = 1 + len(found)
            (answer,) = self.ask([snmp.search(number, name, REPETITIONS)])
            for cell in snmp.cells(number, answer):
                if cell.type in snmp.EXCEPTIONS or not cell.name.startswith(prefix):
                    return found
                name = cell.name
                found.append(snmp.dotted(name).removeprefix(f"{column}."))


def rows_of_columns(
    columns: dict[str, int], indexes: Sequence[str], start: int, count: int, repetitions: int
) -> list[Question]:
    """What a bulk walk asks of so many rows of each column, by columns with their types.

    Rows are counted from `start` on; each column is a walk of its own.
    """
    questions: list[Question] = []
    for column, type_ in columns.items():
        for at in range(start, start + count, repetitions):
            some = indexes[at : min(at + repetitions, start + count)]
            after = f"{column}.{indexes[at - 1]}" if at else column
            names = [f"{column}.{index}" for index in some]
            questions.append(snmp.get_bulk(1 + len(questions), after, names, type_))
    return questions


def one_get_a_row(columns: dict[str, int], indexes: Sequence[str]) -> list[Question]:
    """A GET of these columns, by their types, for each of the rows."""
    types = list(columns.values())
    return [
        snmp.get(1 + number, [f"{column}.{index}" for column in columns], types)
        for number, index in enumerate(indexes)
    ]
