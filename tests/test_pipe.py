"""vpp/pipe.py: what goes from a reporter to its parent, and how that ends."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from vpp_snmp_agent.vpp import feed, records
from vpp_snmp_agent.vpp import pipe as room
from vpp_snmp_agent.vpp.pipe import Pipe

from .routers import Clock


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


def test_the_first_answer_of_a_vpp_is_said_at_once_and_another_after_the_interval(
    pipe: tuple[Pipe, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, said = Clock(), list[float]()
    monkeypatch.setattr(room, "time", clock)
    theirs, ours = pipe
    for clock.now in (1000.0, 1000.25, 1000.5, 1000.75):
        theirs.send_alive()
        try:
            assert records.unpack(ours.recv(feed.DATAGRAM)) == records.Alive()
            said.append(clock.now)
        except BlockingIOError:
            continue
    assert said == [1000.0, 1000.5]


class Ended(BaseException):
    """In the place of the end of the process."""


@pytest.fixture
def statuses(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """With which the process would have ended, and goes on with `Ended`."""
    ended: list[int] = []

    def end(status: int) -> None:
        ended.append(status)
        raise Ended

    monkeypatch.setattr(os, "_exit", end)
    return ended


def test_a_parent_asks_and_one_that_is_gone_does_not(pipe: tuple[Pipe, socket.socket]) -> None:
    theirs, ours = pipe
    ours.send(records.ASK)
    assert theirs.is_asked() is True
    ours.send(b"???")
    assert theirs.is_asked() is False
    ours.close()
    assert theirs.is_asked() is False


def test_a_parent_that_is_gone_with_messages_unread_does_not_ask(
    pipe: tuple[Pipe, socket.socket],
) -> None:
    theirs, ours = pipe
    theirs.send(records.Alive())
    ours.close()  # which the kernel says by an error
    assert theirs.is_asked() is False


def test_a_message_for_a_parent_that_is_gone_ends_the_reporter_well(
    pipe: tuple[Pipe, socket.socket], statuses: list[int]
) -> None:
    theirs, ours = pipe
    ours.close()
    with pytest.raises(Ended):
        theirs.send(records.Alive())
    assert statuses == [0]


def test_the_last_message_leaves_no_question_unread_and_waits_for_none(
    pipe: tuple[Pipe, socket.socket], statuses: list[int]
) -> None:
    theirs, ours = pipe
    theirs.socket.settimeout(60.0)
    for _ in range(3):
        ours.send(records.ASK)
    with pytest.raises(Ended):
        theirs.send_last(records.Broken("so it is"))
    assert statuses == [0]
    assert theirs.socket.gettimeout() == 0.0
    with pytest.raises(BlockingIOError):
        theirs.socket.recv(8)
    assert records.unpack(ours.recv(feed.DATAGRAM)) == records.Broken("so it is")


@contextmanager
def running(script: str) -> Iterator[tuple[socket.socket, "subprocess.Popen[bytes]"]]:
    """A reporter of this script, which ends here at the latest, and the parent's end."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        descriptor = theirs.fileno()
        child = subprocess.Popen(
            [sys.executable, "-c", script, str(descriptor)], pass_fds=[descriptor]
        )
        theirs.close()
        ours.settimeout(10)
        try:
            yield ours, child
        finally:
            child.kill()
            child.wait()


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
    with running(UNREAD) as (ours, child):
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
    with running(TOO_LONG) as (ours, child):
        assert records.unpack(ours.recv(feed.DATAGRAM)) == records.Broken(
            "Changes are too long for one message"
        )
        assert not ours.recv(feed.DATAGRAM)
        assert child.wait(10) == 0
