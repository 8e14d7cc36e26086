"""An agent whose answer is a constant: what is left where an answer costs nothing to make.

    python -m bench.constant_agent AGENTX_SOCKET CELLS SUBTREE...

CELLS is a pickle: name (a key, as vpp_snmp_agent.agentx.pdu has it) and encoded varbind of
each cell, in the order of their names.  A Get or GetNext that comes for the first time is
answered from these.  From then on its answer is a constant: found by the octets of the
request, and never made again.  So what a walk costs this agent is what Python, the kernel and
snmpd's questions cost any agent in Python.
"""

import pickle
import socket
import sys
from bisect import bisect_left, bisect_right
from itertools import count
from pathlib import Path

from vpp_snmp_agent.agentx import pdu
from vpp_snmp_agent.agentx.pdu import HEADER_SIZE
from vpp_snmp_agent.agentx.values import END_OF_MIB_VIEW, NO_SUCH_INSTANCE, encode_varbind, oid

PRIORITY = 100
READ_SIZE = 1 << 16
LENGTH = slice(16, HEADER_SIZE)  # in the header


class Cells:
    """The cells, and every answer that was ever made of them."""

    def __init__(self, cells: list[tuple[bytes, bytes]]) -> None:
        self._names = [name for name, _ in cells]
        self._varbinds = [varbind for _, varbind in cells]
        self._answers: dict[bytes, bytes] = {}

    def answer(self, request: bytes) -> bytes:
        """The Response to a whole Get or GetNext."""
        key = request[1:2] + request[HEADER_SIZE:]
        rest = self._answers.get(key)
        if rest is None:
            # All that comes behind the numbers of session, transaction and packet.
            made = pdu.encode_response(pdu.decode_header(request), self._varbinds_for(request))
            rest = self._answers[key] = made[16:]
        return b"\x01\x12\x10\x00" + request[4:16] + rest

    def _varbinds_for(self, request: bytes) -> list[bytes]:
        header = pdu.decode_header(request)
        body = pdu.decode(header, request[HEADER_SIZE:]).body
        assert isinstance(body, pdu.Get)
        make = self._get if header.type == pdu.GET else self._get_next
        return [make(each) for each in body.ranges]

    def _get(self, asked: pdu.SearchRange) -> bytes:
        at = bisect_left(self._names, asked.start)
        if self._names[at : at + 1] == [asked.start]:
            return self._varbinds[at]
        return encode_varbind(asked.start, NO_SUCH_INSTANCE)

    def _get_next(self, asked: pdu.SearchRange) -> bytes:
        at = (bisect_left if asked.include else bisect_right)(self._names, asked.start)
        if at < len(self._names) and not (asked.end and self._names[at] >= asked.end):
            return self._varbinds[at]
        return encode_varbind(asked.start, END_OF_MIB_VIEW)


def serve(agentx: str, cells: Cells, subtrees: list[str]) -> None:
    """Register the subtrees and answer until the master goes."""
    master = socket.socket(socket.AF_UNIX)
    master.connect(agentx)
    packets = count(1)

    def call(type_: int, payload: bytes, session: int = 0) -> int:
        """The session that the answer names."""
        ask = pdu.encode(type_, payload, session_id=session, packet_id=next(packets))
        master.sendall(ask)
        header = pdu.decode_header(master.recv(HEADER_SIZE, socket.MSG_WAITALL))
        master.recv(header.length, socket.MSG_WAITALL)
        return header.session_id

    session = call(pdu.OPEN, pdu.open_payload("constant answers"))
    for subtree in subtrees:
        call(pdu.REGISTER, pdu.register_payload(oid(subtree), PRIORITY), session)
    came = b""
    while data := master.recv(READ_SIZE):
        came += data
        while len(came) >= HEADER_SIZE:
            end = HEADER_SIZE + int.from_bytes(came[LENGTH], "big")
            if len(came) < end:
                break
            request, came = came[:end], came[end:]
            if request[1] in (pdu.GET, pdu.GETNEXT):
                master.send(cells.answer(request))


if __name__ == "__main__":
    socket_path, file, *registered = sys.argv[1:]
    serve(socket_path, Cells(pickle.loads(Path(file).read_bytes())), registered)
