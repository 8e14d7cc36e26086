"""What a request is answered with, from a view alone (RFC 2741 sections 7.2.3 and 7.2.4).

This is the slow path, which takes any request; `fastpath` has the same octets for those that
it knows.
"""

import pyagentx3 as ax

from . import pdu
from .mib import View
from .pdu import Get, GetBulk, Header
from .values import END_OF_MIB_VIEW, decode_varbind

# A GetBulk may ask for 65,535 repetitions; what is not sent is asked for again.  2 ms.
MAX_BULK_OCTETS = 1 << 12

NOT_WRITABLE: int = ax.ERROR_NOTWRITABLE
COMMIT_FAILED: int = ax.ERROR_COMMITFAILED
PROCESSING_ERROR: int = ax.ERROR_PROCESSINGERROR


def get(view: View, type_: int, body: Get) -> list[bytes]:
    """The varbinds that answer a Get or a GetNext, as `type_` says."""
    if type_ == pdu.GET:
        get = view.get
        return [get(start) for start, _, _ in body.ranges]
    get_next = view.get_next
    return [get_next(start, include, end) for start, include, end in body.ranges]


def get_bulk(view: View, body: GetBulk) -> list[bytes]:
    """The varbinds that answer a GetBulk (section 7.2.3.3)."""
    get_next = view.get_next
    found = [get_next(*each) for each in body.ranges[: body.non_repeaters]]
    repeated = body.ranges[body.non_repeaters :]
    size = 0
    for _ in range(body.max_repetitions if repeated else 0):
        row = [get_next(*each) for each in repeated]
        found += row
        size += sum(map(len, row))
        # A varbind gives the next repetition its start, by its name.
        names = [decode_varbind(each) for each in row]
        ended = all(each.type is END_OF_MIB_VIEW for each in names)
        if ended or size > MAX_BULK_OCTETS:
            break
        repeated = [
            pdu.SearchRange(name.name, False, before.end)
            for name, before in zip(names, repeated, strict=True)
        ]
    return found


def refuse(header: Header) -> bytes:
    """The Response to anything else: nothing is writable, nor is anything asked of a master."""
    if header.type == pdu.TESTSET:
        return pdu.encode_response(header, error=NOT_WRITABLE, index=1)
    if header.type == pdu.COMMITSET:
        return pdu.encode_response(header, error=COMMIT_FAILED, index=1)
    if header.type in (pdu.UNDOSET, pdu.PING):
        return pdu.encode_response(header)
    return pdu.encode_response(header, error=PROCESSING_ERROR)
