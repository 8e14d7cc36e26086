"""An AgentX master that asks one subagent directly, with no snmpd between.

For what snmpd would blur: when an answer came, to the microsecond.
"""

import os
import socket
import time
from pathlib import Path

from vpp_snmp_agent.agentx import pdu
from vpp_snmp_agent.agentx.pdu import SearchRange
from vpp_snmp_agent.agentx.values import END_OF_MIB_VIEW, VarBind

TIMEOUT = 20.0  # seconds: for a connection or an answer
SESSION = 1
NEVER = b""  # the end of a range that has none


class Master:
    """Listens at `path`; takes whatever a subagent registers."""

    def __init__(self, path: Path) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(os.fspath(path))
        self._listener.listen(1)
        self._listener.settimeout(TIMEOUT)
        self._peer: socket.socket | None = None
        self._packets = 0

    def __enter__(self) -> "Master":
        return self

    def __exit__(self, *_: object) -> None:
        if self._peer:
            self._peer.close()
        self._listener.close()

    def accept(self) -> None:
        """Wait for a subagent and let it open its session."""
        self._peer, _ = self._listener.accept()
        self._peer.settimeout(TIMEOUT)
        self._serve_until(pdu.REGISTER)

    def _receive(self) -> tuple[pdu.Header, bytes]:
        assert self._peer
        data = self._read(pdu.HEADER_SIZE)
        header = pdu.decode_header(data)
        return header, self._read(header.length)

    def _read(self, size: int) -> bytes:
        assert self._peer
        data = self._peer.recv(size, socket.MSG_WAITALL) if size else b""
        if len(data) < size:
            raise ConnectionError("the subagent hung up")
        return data

    def _serve_until(self, type_: int) -> None:
        """Say yes to everything up to the first PDU of a type."""
        while self._say_yes(self._receive()[0]) != type_:
            pass

    def _say_yes(self, header: pdu.Header) -> int:
        assert self._peer
        self._peer.sendall(pdu.encode_response(header._replace(session_id=SESSION)))
        return header.type

    def _ask(self, type_: int, name: bytes) -> VarBind:
        return self._answer_to(type_, pdu.ranges_payload([SearchRange(name, 0, NEVER)]))[0]

    def _answer_to(self, type_: int, payload: bytes) -> list[VarBind]:
        assert self._peer
        self._packets += 1
        self._peer.sendall(pdu.encode(type_, payload, session_id=SESSION, packet_id=self._packets))
        while True:
            header, payload = self._receive()
            if header.type != pdu.RESPONSE:
                self._say_yes(header)
                continue
            body = pdu.decode(header, payload).body
            assert isinstance(body, pdu.Response)
            if body.error or header.packet_id != self._packets:
                raise ConnectionError(f"the subagent answered {pdu.error_name(body.error)}")
            return body.varbinds

    def get(self, name: bytes) -> VarBind:
        """One Get."""
        return self._ask(pdu.GET, name)

    def get_next(self, name: bytes) -> VarBind:
        """One GetNext."""
        return self._ask(pdu.GETNEXT, name)

    def walk(self, *subtrees: bytes) -> list[VarBind]:
        """All that is below some OIDs."""
        found = []
        for subtree in subtrees:
            at = self.get_next(subtree)
            while at.type is not END_OF_MIB_VIEW and at.name.startswith(subtree):
                found.append(at)
                at = self.get_next(at.name)
        return found

    def wait_for_rows(self, subtree: bytes) -> None:
        """Return as soon as there is anything below an OID."""
        limit = time.monotonic() + TIMEOUT
        while not self.get_next(subtree).name.startswith(subtree):
            if time.monotonic() > limit:
                raise TimeoutError("the subagent serves no row")
            time.sleep(0.001)
