"""vpp/descriptor.py: how the segment is had, and who listens."""

import os
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from simulator.segment import SegmentWriter
from vpp_snmp_agent.vpp.descriptor import listener_pid, open_segment_of, receive_segment
from vpp_snmp_agent.vpp.mapping import SegmentUnavailable
from vpp_snmp_agent.vpp.segment import Segment


def listen(path: Path) -> socket.socket:
    server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    server.bind(str(path))
    server.listen(1)
    return server


def test_the_segment_comes_with_an_empty_message(tmp_path: Path, writer: SegmentWriter) -> None:
    path = tmp_path / "stats.sock"
    with listen(path) as server:

        def hand_over() -> None:
            peer, _ = server.accept()
            socket.send_fds(peer, [], [writer.fd])
            peer.close()

        giver = threading.Thread(target=hand_over)
        giver.start()
        descriptor, pid = receive_segment(str(path), 10)
        giver.join()
    assert pid == os.getpid()
    assert Segment(descriptor).scalar("/sys/heartbeat") == 7
    os.close(descriptor)


def test_a_vpp_that_hangs_is_waited_for_no_longer_than_asked(tmp_path: Path) -> None:
    path = tmp_path / "stats.sock"
    with listen(path), pytest.raises(SegmentUnavailable, match="no answer"):
        receive_segment(str(path), 0.05)


def test_a_vpp_that_gives_nothing_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "stats.sock"
    with listen(path) as server:
        giver = threading.Thread(target=lambda: server.accept()[0].close())
        giver.start()
        with pytest.raises(SegmentUnavailable, match="gave no descriptor"):
            receive_segment(str(path), 10)
        giver.join()


def test_a_socket_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "stats.sock"
    with pytest.raises(SegmentUnavailable, match=r"stats\.sock: No such file"):
        receive_segment(str(path), 1)


def test_the_segment_that_a_process_has_open_can_be_opened_too(writer: SegmentWriter) -> None:
    descriptor = open_segment_of(os.getpid())
    try:
        segment = Segment(descriptor)
        assert segment.inode == os.fstat(writer.fd).st_ino
        assert segment.scalar("/sys/heartbeat") == 7
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.write(descriptor, b"x")
    finally:
        os.close(descriptor)


def test_a_process_that_has_none_open_is_distinguished_from_one_that_has_ended() -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        try:
            wrong = f"^process {other.pid} has no segment open$"
            with pytest.raises(SegmentUnavailable, match=wrong):
                open_segment_of(other.pid)
        finally:
            other.kill()
    with pytest.raises(SegmentUnavailable, match=r"^/proc/0/fd: No such file or directory$"):
        open_segment_of(0)


def test_the_refusal_to_read_a_process_says_who_may(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> list[str]:
        raise PermissionError(1, "Operation not permitted", path)

    monkeypatch.setattr(os, "listdir", refuse)
    why = r"only root can read that of a VPP that hangs \(/proc/4711/fd: Operation not permitted\)"
    with pytest.raises(SegmentUnavailable, match=why):
        open_segment_of(4711)


def test_who_listens_is_known_though_he_accepts_nobody(tmp_path: Path) -> None:
    path = str(tmp_path / "api.sock")
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(path)
        silent.listen()
        assert listener_pid(path, 1) == os.getpid()
    with pytest.raises(ConnectionRefusedError):
        listener_pid(path, 1)
