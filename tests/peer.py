"""A master agent in a test's own hands: where the agent connects, and what it says there."""

import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from simulator.stage import TIMEOUT
from vpp_snmp_agent.agentx import pdu
from vpp_snmp_agent.agentx.connection import Master
from vpp_snmp_agent.agentx.mib import Column, Module, SortedRows, Table, UpTime, View
from vpp_snmp_agent.agentx.pdu import HEADER_SIZE, PDU, Response, SearchRange
from vpp_snmp_agent.agentx.values import INTEGER, oid
from vpp_snmp_agent.runtime.loop import Loop
from vpp_snmp_agent.settings.declarations import Settings, UnixAddress

BASE = "1.3.6.1.4.1.99999"
COLUMN = f"{BASE}.1.1"
PORTS = 3
SESSION = 7
UP_TIME = 4711


class Peer:
    """Where the agent connects, and what it says there."""

    def __init__(self, path: Path) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(8)
        self.socket: socket.socket | None = None
        self._inbox = b""

    def accept(self) -> None:
        """Take the connection that waits, in place of the one there was."""
        self.hang_up()
        self._listener.settimeout(10)
        self.socket, _ = self._listener.accept()
        self.socket.setblocking(False)
        self._inbox = b""

    def send(self, data: bytes) -> None:
        assert self.socket is not None
        self.socket.sendall(data)

    def received(self) -> list[PDU]:
        """The whole PDUs that have come."""
        assert self.socket is not None
        try:
            while data := self.socket.recv(1 << 16):
                self._inbox += data
        except BlockingIOError:
            pass
        found = []
        while len(self._inbox) >= HEADER_SIZE:
            header = pdu.decode_header(self._inbox)
            end = HEADER_SIZE + header.length
            if len(self._inbox) < end:
                break
            found.append(pdu.decode(header, self._inbox[HEADER_SIZE:end]))
            self._inbox = self._inbox[end:]
        return found

    def hang_up(self) -> None:
        """Close the connection there is."""
        if self.socket is not None:
            self.socket.close()
            self.socket = None

    def close(self) -> None:
        for each in (self.socket, self._listener):
            if each is not None:
                each.close()


def get_next(*starts: str, packet: int = 1) -> bytes:
    """A GetNext without an end for each."""
    payload = pdu.ranges_payload(SearchRange(oid(start), False, b"") for start in starts)
    return pdu.encode(pdu.GETNEXT, payload, session_id=SESSION, packet_id=packet)


def get_bulk(repetitions: int, packet: int) -> bytes:
    ranges = pdu.ranges_payload([SearchRange(oid(BASE), False, b"")])
    payload = bytes((0, 0)) + repetitions.to_bytes(2, "big") + ranges
    return pdu.encode(pdu.GETBULK, payload, session_id=SESSION, packet_id=packet)


def answered(pdus: list[PDU]) -> dict[int, list[object]]:
    """The values in the answers, by packet."""
    return {
        each.header.packet_id: [varbind.value for varbind in each.body.varbinds]
        for each in pdus
        if isinstance(each.body, Response)
    }


def ports(count: int = PORTS) -> list[Module]:
    """A table of one column, whose value is its index."""
    rows = SortedRows()
    for index in range(1, count + 1):
        rows.put(oid(str(index)), index)
    table = Table(f"{BASE}.1", [Column(1, "portIndex", INTEGER, lambda row: row)])
    return [Module(BASE, "ports", [f"{BASE}.1"], [table.over(rows)])]


class Stage:
    """The agent's side of the connection, turning, and its peer."""

    def __init__(self, path: Path, modules: Sequence[Module], on_hold: bool = False) -> None:
        self.peer = Peer(path)
        self.loop = Loop()
        self.uptime = UpTime()
        settings = Settings(address=UnixAddress(str(path)))
        view = View([each for module in modules for each in module.objects])
        self.master = Master(settings, view, modules, self.uptime, self.loop, on_hold)

    def turn(self) -> None:
        self.master.check(time.monotonic())
        self.loop.turn(0.001)

    def until(self, what: str, condition: Callable[[], object]) -> None:
        """Turn until something is so, for so long at most."""
        limit = time.monotonic() + TIMEOUT
        while not condition():
            assert time.monotonic() < limit, what
            self.turn()

    def answer(self, *errors: int) -> list[PDU]:
        """Answer what was received as snmpd does; the last ones with these errors."""
        received = self.peer.received()
        fine = [0] * max(0, len(received) - len(errors))
        for each, error in zip(received, (*fine, *errors), strict=False):
            payload = UP_TIME.to_bytes(4, "big") + error.to_bytes(2, "big") + bytes(2)
            packet = each.header.packet_id
            self.peer.send(pdu.encode(pdu.RESPONSE, payload, session_id=SESSION, packet_id=packet))
        return received

    def connect(self) -> None:
        """Take the agent's next connection."""
        self.until("it connects", lambda: self.master._socket is not None)
        self.peer.accept()

    def serve(self) -> None:
        """From connecting to the last registration, the peer answering as snmpd does."""
        self.connect()

        def is_served() -> bool:
            self.answer()
            return self.master.serving

        self.until("it is registered", is_served)

    def receive(self, count: int) -> list[PDU]:
        """So many PDUs of the agent."""
        received: list[PDU] = []

        def has_all() -> bool:
            received.extend(self.peer.received())
            return len(received) >= count

        self.until(f"{count} PDUs", has_all)
        return received

    def close(self) -> None:
        self.master.close()
        self.peer.close()
        self.loop.close()
