"""Streams of AgentX: a real snmpd's PDUs, changed, whole to one session and in pieces to another.

Both must answer alike, with whole Responses to what was asked, or find the same stream
malformed; no more is answered at a time than can be kept, and nothing else comes out.
"""

import random
from pathlib import Path

from vpp_snmp_agent.agentx import pdu
from vpp_snmp_agent.agentx.answers import MAX_BULK_OCTETS
from vpp_snmp_agent.agentx.mib import Column, Module, Object, Scalar, Table, View
from vpp_snmp_agent.agentx.pdu import HEADER_SIZE, Response, SearchRange
from vpp_snmp_agent.agentx.session import MAX_ANSWERS, Session
from vpp_snmp_agent.agentx.sorted_rows import SortedRows
from vpp_snmp_agent.agentx.values import (
    COUNTER64,
    INTEGER,
    OCTET_STRING,
    TIMETICKS,
    MalformedPDU,
    encode_octets,
    encode_varbind,
    oid,
)

from ..oids import IF_TABLE, IF_X_TABLE
from . import Broken, Tally, dice, mutate

KIND, CASES = "agentx", 1_000_000
RECORDED = Path(__file__).parent / "snmpd-5.9.3.hex"  # what one sent to the agent, a PDU a line
SESSION = 5  # that snmpd's number for us
MAX_AT_ONCE = MAX_ANSWERS + MAX_BULK_OCTETS + (1 << 16)


def _view() -> tuple[View, list[Module]]:
    """As IF-MIB's, with the same names, and holes."""
    rows = SortedRows()
    for index in (*range(1001, 1034), 100_001):
        rows.put(oid(str(index)), index)
    octets, number = OCTET_STRING, INTEGER
    objects: list[Object] = [
        Scalar("1.3.6.1.2.1.2.1", "ifNumber", number, lambda: len(rows)),
        Table(IF_TABLE, [Column(n, "", number, lambda row: row) for n in range(1, 23)]).over(rows),
        Table(
            IF_X_TABLE,
            [
                Column(1, "", octets, lambda row: b"eno%d" % row),
                *(Column(n, "", COUNTER64, lambda row: row << 33) for n in range(2, 18)),
                Column(18, "", octets, lambda row: b"" if row % 3 else None),
                Column(19, "", TIMETICKS, lambda row: 0),
            ],
        ).over(rows),
        Scalar("1.3.6.1.2.1.31.1.5", "", TIMETICKS, lambda: None),
    ]
    subtrees = ("1.3.6.1.2.1.2", "1.3.6.1.2.1.31")
    return View(objects), [Module("1.3.6.1.2.1.31", "IF-MIB", subtrees, objects)]


def _more() -> list[bytes]:
    """What snmpd sends rarely or never: sets, bulks, pings, closes, contexts, little endian."""
    name = oid(f"{IF_X_TABLE}.18.1001")
    varbind = encode_varbind(name, OCTET_STRING, b"another")
    ranges = pdu.ranges_payload(
        [
            SearchRange(oid(IF_X_TABLE), True, oid("1.3.6.1.2.1.31.1.2")),
            SearchRange(name, False, b""),
        ]
    )
    payloads = [
        (pdu.TESTSET, varbind),
        (pdu.COMMITSET, b""),
        (pdu.UNDOSET, b""),
        (pdu.CLEANUPSET, b""),
        (pdu.PING, b""),
        (pdu.CLOSE, pdu.close_payload(4)),
        (pdu.GETBULK, bytes((0, 1, 0, 30)) + ranges),
        (pdu.GETBULK, bytes((0, 0, 255, 255)) + ranges),
        (pdu.OPEN, pdu.open_payload("who")),
        (pdu.REGISTER, pdu.register_payload(name, 1)),
        (pdu.NOTIFY, varbind),
        (pdu.ADDAGENTCAPS, pdu.caps_payload(name, "what")),
    ]
    made = [pdu.encode(type_, payload, session_id=SESSION) for type_, payload in payloads]
    context = encode_octets(b"other") + ranges
    with_context = bytearray(pdu.encode(pdu.GET, context, session_id=SESSION))
    with_context[2] |= pdu.NON_DEFAULT_CONTEXT
    little = bytes((1, pdu.GETNEXT, 0, 0)) + b"".join(
        number.to_bytes(4, "little") for number in (SESSION, 1, 9, 16, 0x0202, 1, 2, 0)
    )
    return [*made, bytes(with_context), little]


class Conversation:
    """A session as far as its registrations, and what it answers from then on."""

    def __init__(self, view: View, modules: list[Module], opened: list[bytes]) -> None:
        self._session = Session(view, modules, "fuzzed")
        self._session.open()
        for each in opened:
            self._session.receive(each)
        self.answers: list[bytes] = []
        self.malformed = False

    def receive(self, data: bytes) -> None:
        """Take a piece, and go on as long as it wants to be called again."""
        if self.malformed:
            return
        try:
            self._answer(self._session.receive(data))
            while self._session.more:
                self._answer(self._session.receive(b""))
        except MalformedPDU:
            self.malformed = True
        self.events = [type(each).__name__ for each in self._session.events()]

    def _answer(self, answer: bytes) -> None:
        if len(answer) > MAX_AT_ONCE:
            raise Broken(f"an answer of {len(answer)} octets at once")
        if answer:
            self.answers.append(answer)


def _pieces(data: bytes, chance: random.Random) -> list[bytes]:
    if chance.randrange(16) == 0:
        return [data[at : at + 1] for at in range(len(data))]
    cuts = sorted(chance.randrange(len(data) + 1) for _ in range(chance.choice((1, 1, 2, 3, 7))))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def _check_answers(data: bytes) -> int:
    """That these are whole PDUs of ours; how many."""
    count = 0
    while data:
        header = pdu.decode_header(data)
        end = HEADER_SIZE + header.length
        sent = pdu.decode(header, data[HEADER_SIZE:end])
        if isinstance(sent.body, Response) and header.session_id == SESSION:
            ours = sent.body.error in range(19) or sent.body.error in (256, 257, 262, 266, 268)
            if not ours:
                raise Broken(f"an answer with the error {sent.body.error}")
        count += 1
        data = data[end:]
    return count


def run(seed: int, cases: range) -> Tally:
    """The cases; what was answered, and how."""
    view, modules = _view()
    recorded = [bytes.fromhex(line) for line in RECORDED.read_text().split()]
    opened, asked = recorded[:6], [*recorded[6:], *_more()]
    tally = Tally()
    for case in cases:
        chance = dice(seed, KIND, case)
        chosen = [chance.choice(asked) for _ in range(chance.choice((1, 1, 2, 3)))]
        damaged = chance.randrange(8) > 0
        stream = b"".join(mutate(each, chance) if damaged else each for each in chosen)
        if damaged and chance.randrange(8) == 0:
            stream = stream[: chance.randrange(len(stream) + 1)]
        whole, parted = Conversation(view, modules, opened), Conversation(view, modules, opened)
        try:
            whole.receive(stream)
            for piece in _pieces(stream, chance):
                parted.receive(piece)
            if whole.malformed != parted.malformed:
                raise Broken("malformed in pieces or as a whole, not both")
            answered, in_parts = b"".join(whole.answers), b"".join(parted.answers)
            # What stands before a malformed PDU may be answered or not.
            if answered != in_parts and not (
                whole.malformed and (answered.startswith(in_parts) or in_parts.startswith(answered))
            ):
                raise Broken("other answers in pieces than as a whole")
            tally["answers"] += _check_answers(in_parts)
        except Exception as error:
            raise Broken(f"{KIND} case {case}: {error!r}: {stream.hex()}") from error
        tally["malformed" if whole.malformed else "understood"] += 1
    return tally
