"""vpp/pipe.py: what goes from a reporter to its parent, and how that ends."""

import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from vpp_snmp_agent.vpp import feed, records
from vpp_snmp_agent.vpp.pipe import Pipe


@pytest.fixture
def pipe() -> Iterator[tuple[Pipe, socket.socket]]:
    """The way to the parent, and the parent's end."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    pipe = Pipe(theirs.detach())
    with ours, pipe.socket:
        yield pipe, ours


def test_that_vpp_answers_is_said_where_no_message_says_it(
    pipe: tuple[Pipe, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs, ours = pipe
    theirs.send(records.Complete(records.ADDRESSES))
    assert records.unpack(ours.recv(feed.DATAGRAM)) == records.Complete(records.ADDRESSES)
    theirs.send_alive()
    with pytest.raises(BlockingIOError):
        ours.recv(feed.DATAGRAM)
    monkeypatch.setattr("vpp_snmp_agent.vpp.pipe.ALIVE_INTERVAL", 0.0)
    theirs.send_alive()
    assert records.unpack(ours.recv(feed.DATAGRAM)) == records.Alive()


UNREAD = """
import sys
from vpp_snmp_agent.vpp import pipe
from vpp_snmp_agent.vpp.records import BridgeDomain, Changes

pipe.SEND_TIMEOUT = 0.3
way = pipe.Pipe(int(sys.argv[1]))
while True:
    way.send(Changes((BridgeDomain(1, 2, tuple(range(500))),)))
"""


def test_a_parent_that_reads_nothing_is_left_with_a_word_of_why() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with (
        ours,
        subprocess.Popen(
            [sys.executable, "-c", UNREAD, str(theirs.fileno())], pass_fds=[theirs.fileno()]
        ) as child,
    ):
        theirs.close()
        ours.send(records.ASK)  # which is not read any more
        assert child.wait(10) == 0
        came = [records.unpack(data) for data in iter(lambda: ours.recv(feed.DATAGRAM), b"")]
    assert {type(each) for each in came[:-1]} == {records.Changes}
    assert came[-1] == records.Unread()


TOO_LONG = """
import sys
from vpp_snmp_agent.vpp.records import BridgeDomain, Changes
from vpp_snmp_agent.vpp.pipe import Pipe

Pipe(int(sys.argv[1])).send(Changes((BridgeDomain(1, 2, tuple(range(500_000))),)))
"""


def test_what_fits_no_message_ends_the_reporter_with_a_reason() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with (
        ours,
        subprocess.Popen(
            [sys.executable, "-c", TOO_LONG, str(theirs.fileno())], pass_fds=[theirs.fileno()]
        ) as child,
    ):
        theirs.close()
        assert records.unpack(ours.recv(feed.DATAGRAM)) == records.Broken(
            "Changes are too long for one message"
        )
        assert not ours.recv(feed.DATAGRAM)
        assert child.wait(10) == 0
