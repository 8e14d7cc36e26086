"""What the agent takes, and one port asked fifty times a second: who answers, how soon, what.

An SNMPv2c GET (RFC 3416) of three objects, written and read here: starting a net-snmp tool
takes longer than what is to be measured.
"""

import ctypes
import os
import resource
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, TypeVar

from simulator.stage import COMMUNITY, Snmpd, StageError, until

from ..oids import HC_IN, OPER_STATUS
from . import Beside

PAUSE = 0.02  # seconds between an answer and the next question
TIMEOUT = 1.0  # seconds for an answer
CLONE_NEWNET = 0x40000000
INTEGER, OCTET_STRING, OID, NULL, SEQUENCE = 0x02, 0x04, 0x06, 0x05, 0x30
COUNTER64, GET, RESPONSE = 0x46, 0xA0, 0xA2
ABSENT = {0x80, 0x81}  # noSuchObject, noSuchInstance


def _tlv(tag: int, value: bytes) -> bytes:
    size = len(value)
    length = bytes((size,)) if size < 128 else b"\x82" + size.to_bytes(2, "big")
    return bytes((tag,)) + length + value


def _oid(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    coded = bytes((40 * first + second,))
    for number in rest:
        low, number = bytes((number & 0x7F,)), number >> 7
        while number:
            low, number = bytes((0x80 | number & 0x7F,)) + low, number >> 7
        coded += low
    return _tlv(OID, coded)


def _get(request: int, names: list[str]) -> bytes:
    varbinds = b"".join(_tlv(SEQUENCE, _oid(name) + _tlv(NULL, b"")) for name in names)
    number = _tlv(INTEGER, request.to_bytes(4, "big"))
    zero = _tlv(INTEGER, b"\0")
    pdu = _tlv(GET, number + zero + zero + _tlv(SEQUENCE, varbinds))
    return _tlv(SEQUENCE, _tlv(INTEGER, b"\1") + _tlv(OCTET_STRING, COMMUNITY.encode()) + pdu)


def _parts(data: bytes) -> list[tuple[int, bytes]]:
    """The elements of a constructed value."""
    found = []
    while data:
        tag, length, at = data[0], data[1], 2
        if length & 0x80:
            at += length & 0x7F
            length = int.from_bytes(data[2:at], "big")
        found.append((tag, data[at : at + length]))
        data = data[at + length :]
    return found


def _values(message: bytes, request: int) -> list[tuple[int, bytes]] | None:
    """(type, octets) of each value in the answer to that request."""
    ((_, whole),) = _parts(message)
    tag, pdu = _parts(whole)[2]
    number, error, _, varbinds = (value for _, value in _parts(pdu))
    if tag != RESPONSE or int.from_bytes(number, "big") != request:
        return None
    if any(error):
        return []
    return [_parts(varbind)[1] for _, varbind in _parts(varbinds)]


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    found = []
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += [int(each) for each in thread.read_text().split()]
    return found


def use(agent: int) -> tuple[float, int, int]:
    """(resident MiB, file descriptors, processes) of an agent and its reporter."""
    # One that reads the vppcfg is soon gone.
    until("only the reporter is left", lambda: len(children(agent)) == 1)
    octets = descriptors = 0
    for each in (agent, *children(agent)):
        octets += int(Path(f"/proc/{each}/statm").read_text().split()[1]) * resource.getpagesize()
        descriptors += len(os.listdir(f"/proc/{each}/fd"))
    return octets / (1 << 20), descriptors, 1 + len(children(agent))


class Sample(NamedTuple):
    """One question: when, how long it took (None: no answer), and what the answer was."""

    at: float
    took: float | None
    octets: int | None  # ifHCInOctets
    status: int | None  # ifOperStatus


P = TypeVar("P", bound="Poll")


class Poll(Beside):
    """Asks for the same objects again and again, until it is to end."""

    def __init__(self, snmpd: Snmpd, names: list[str], pause: float = PAUSE) -> None:
        super().__init__()
        self._snmpd = snmpd
        self._names = names
        self._pause = pause

    def __enter__(self: P) -> P:
        self.begin()
        return self

    def take(self, values: list[tuple[int, bytes]]) -> None:
        """What was answered: type and octets of each object; empty for an error."""

    def missed(self) -> None:
        """Nobody answered."""

    def run(self) -> None:
        sock, asked_of, number = None, None, 1 << 24
        while not self.ending.wait(self._pause):
            number += 1
            self.began = time.monotonic()
            try:
                pid = self._snmpd.pid
                if sock is None or pid != asked_of:
                    sock, asked_of = self._connect(pid), pid
                self.take(self._ask(sock, number))
            except (OSError, StageError):  # no snmpd, and perhaps no namespace of it
                self.missed()
                sock = None

    def _connect(self, pid: int) -> socket.socket:
        if os.geteuid() == 0:
            # A thread is in a network namespace of its own (setns(2)).
            with open(f"/proc/{pid}/ns/net", "rb") as namespace:
                if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.settimeout(TIMEOUT)
        host, port = self._snmpd._agent.split(":")
        sock.connect((host, int(port)))
        return sock

    def _ask(self, sock: socket.socket, number: int) -> list[tuple[int, bytes]]:
        sock.send(_get(number, self._names))
        while True:
            values = _values(sock.recv(1 << 16), number)
            if values is not None:
                return values


class Probe(Poll):
    """Asks one port, and keeps what it is answered."""

    def __init__(self, snmpd: Snmpd, index: int) -> None:
        names = [f"{HC_IN}.{index}", f"{OPER_STATUS}.{index}"]
        super().__init__(snmpd, names)
        self.samples: list[Sample] = []

    def take(self, values: list[tuple[int, bytes]]) -> None:
        took = time.monotonic() - self.began
        if len(values) != 2 or values[0][0] != COUNTER64:
            self.samples.append(Sample(self.began, took, None, None))
            return
        octets, status = (int.from_bytes(value, "big") for _, value in values)
        self.samples.append(Sample(self.began, took, octets, status))

    def missed(self) -> None:
        self.samples.append(Sample(self.began, None, None, None))
