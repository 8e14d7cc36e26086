"""vpp/feed.py: a VPP that comes, goes, hangs and is replaced, as the loop learns of it."""

import contextlib
import errno
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator import Simulator
from simulator.stage import until
from vpp_snmp_agent.vpp import feed
from vpp_snmp_agent.vpp.records import (
    ADDRESSES,
    INTERFACES,
    NEIGHBORS,
    Changes,
    Complete,
    Mapped,
    NeighborChanges,
    Threads,
)
from vpp_snmp_agent.vpp.segment import Segment

from .conftest import Listener, link, named

ROWS = 35  # of the edge router, TAPs and local0 included


@pytest.fixture
def listener(vpp: Simulator) -> Iterator[Listener]:
    """Of a VPP that has reported all."""
    with Listener(vpp) as listener:
        listener.wait_complete()
        yield listener


def children() -> set[int]:
    """The reporters of this process."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = (process / "stat").read_text().rsplit(")", 1)[1].split()[1]
            if int(parent) == os.getpid() and b"vpp.reporter" in (process / "cmdline").read_bytes():
                found.add(int(process.name))
    return found


def test_a_vpp_that_is_there_is_reported_whole(vpp: Simulator) -> None:
    with Listener(vpp) as listener:
        present = listener.wait(feed.Present)
        assert (present.identity.version, present.identity.vpe_pid) == ("26.06-release", vpp.pid)
        segment = listener.wait(feed.SegmentReceived)
        assert Segment(segment.descriptor).scalar("/sys/num_worker_threads") == 2
        os.close(segment.descriptor)
        reported = listener.wait_complete()
        assert len(reported.interfaces) == ROWS
        assert {each.host_if_name for each in reported.pairs.values()} >= {"bond0.105", "loop0"}
        (bond,) = reported.bonds.values()
        assert bond.mode == 5
        assert reported.lacp_ports.keys() == set(bond.members)
        names = [reported.interfaces[each].interface_name for each in bond.members]
        assert names == ["TenGigabitEthernet1/0/0", "TenGigabitEthernet1/0/1"]


def test_no_module_is_taken_from_the_working_directory(
    vpp: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "vpp_papi.py").write_text("raise SystemExit('taken')")
    monkeypatch.chdir(tmp_path)
    with Listener(vpp) as listener:
        listener.wait(feed.Present)


def test_a_reporter_inherits_no_descriptor_but_its_pipe(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as session, socket.socket(socket.AF_UNIX) as snmpd:
        snmpd.bind("")
        snmpd.listen()
        session.connect(snmpd.getsockname())
        session.set_inheritable(True)
        with Listener(Simulator(tmp_path / "vpp")) as listener:
            listener.wait(feed.Away)  # until it waits for a VPP that is not there
            (child,) = children()
            opened = sorted(Path(f"/proc/{child}/fd").iterdir(), key=lambda path: int(path.name))
            found = [os.readlink(each) for each in opened]
        inherited = os.readlink(f"/proc/self/fd/{session.fileno()}")
    standard_error = os.readlink("/proc/self/fd/2")
    assert found[:3] == ["/dev/null", standard_error, standard_error]
    assert inherited not in found


def test_a_vpp_that_is_not_there_is_waited_for(tmp_path: Path) -> None:
    vpp = Simulator(tmp_path / "vpp")
    with Listener(vpp) as listener:
        assert listener.wait(feed.Away).errno == errno.ENOENT
        with vpp:
            listener.wait(feed.Present)
            listener.wait_complete()


def test_a_vpp_that_stops_is_away_at_once_and_found_again(vpp: Simulator) -> None:
    with Listener(vpp) as listener:
        before = listener.wait(feed.Present).identity
        listener.wait_complete()
        vpp.stop()
        listener.wait(feed.Away)
        assert listener.wait(feed.Away).errno == errno.ENOENT
        vpp.start()
        assert listener.wait(feed.Present).identity.vpe_pid != before.vpe_pid
        listener.wait_complete()


def test_a_vpp_that_crashes_leaves_its_socket_and_is_away(
    listener: Listener, vpp: Simulator
) -> None:
    vpp.kill()
    listener.wait(feed.Away)
    assert listener.wait(feed.Away).errno == errno.ECONNREFUSED


def test_a_vpp_of_another_release_gets_a_process_of_its_own(
    listener: Listener, vpp: Simulator
) -> None:
    first = children()
    vpp.restart(release="22.02")
    assert listener.wait(feed.Present).identity.version.startswith("22.02")
    assert len(listener.wait_complete().pairs) == 16
    assert len(children()) == 1
    assert children().isdisjoint(first)


def test_a_vpp_that_hangs_is_reported_once_and_goes_on_over_the_same_connection(
    listener: Listener, vpp: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "SILENCE_TIMEOUT", 1.5)
    child = children()
    vpp.hang()
    listener.wait(feed.Hung)
    vpp.set_link("TenGigabitEthernet1/0/2", False)
    vpp.resume()
    listener.wait(feed.Answering)
    listener.wait_until(link("TenGigabitEthernet1/0/2", False))
    assert not listener.all(feed.Hung)
    assert children() == child


def test_a_vpp_that_has_nothing_to_report_does_not_hang(
    vpp: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "SILENCE_TIMEOUT", 2.0)
    with Listener(vpp, period=3600) as listener:
        listener.wait_complete()
        before = vpp.calls()["control_ping"]

        def asked_often() -> bool:
            listener.pump()
            return vpp.calls()["control_ping"] >= before + 4

        until("it is asked four times, a second apart", asked_often)
        assert not listener.news


def test_a_vpp_that_hangs_from_the_start_is_reported(
    vpp: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "SILENCE_TIMEOUT", 1.0)
    vpp.hang()
    with Listener(vpp) as listener:
        listener.wait(feed.Hung)
        vpp.resume()
        listener.wait(feed.Present)
        listener.wait_complete()


def test_a_hung_vpp_that_is_killed_is_away(
    listener: Listener, vpp: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "SILENCE_TIMEOUT", 1.0)
    vpp.hang()
    listener.wait(feed.Hung)
    vpp.kill()
    listener.wait(feed.Away)


def test_another_vpp_in_a_hung_ones_place_is_taken_for_what_it_is(
    listener: Listener, vpp: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "SILENCE_TIMEOUT", 1.0)
    os.kill(vpp.pid, signal.SIGSTOP)
    listener.wait(feed.Hung)
    with Simulator(vpp.run_dir, release="25.10") as other:
        listener.wait(feed.Away)
        assert listener.wait(feed.Present).identity.vpe_pid == other.pid


def test_a_silent_vpp_is_given_up_at_last(
    listener: Listener, vpp: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "SILENCE_TIMEOUT", 1.0)
    monkeypatch.setattr(feed, "RECONNECT_TIMEOUT", 2.0)
    child = children()
    vpp.hang()
    since = listener.wait(feed.Hung).since

    def replaced() -> bool:
        listener.pump()
        return bool(children() - child)

    until("a new connection is tried", replaced)
    vpp.resume()
    listener.wait(feed.Answering)  # which was no news twice
    listener.wait(feed.Present)
    assert not listener.all(feed.Hung)
    assert since < time.monotonic() - 2.0  # the time-out is of the silence


def pump_for(listener: Listener, seconds: float) -> None:
    """What is received in so much time."""
    end = time.monotonic() + seconds

    def is_over() -> bool:
        listener.pump()
        return time.monotonic() >= end

    until("it passes", is_over)


def test_the_time_for_which_a_busy_vpp_is_silent_is_none_in_which_it_hangs() -> None:
    assert 6.0 < feed.SILENCE_TIMEOUT <= 10.0  # over 200,000 neighbours it took 6 s


def test_a_slow_vpp_that_is_configured_does_not_hang(
    listener: Listener, vpp: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "SILENCE_TIMEOUT", 2.0)
    for number in range(5):  # silent for longer than the time-out, all in all
        vpp.hang()
        vpp.add_loopback(f"loop{300 + number}")
        pump_for(listener, 0.8)
        vpp.resume()
        listener.wait_until(named(f"loop{300 + number}"))
    assert not listener.all(feed.Hung)


def test_a_reporter_that_was_stopped_is_no_silence_of_vpps(
    listener: Listener, vpp: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "SILENCE_TIMEOUT", 1.0)
    (child,) = children()
    os.kill(child, signal.SIGSTOP)
    pump_for(listener, 3.0)
    os.kill(child, signal.SIGCONT)
    vpp.set_link("TenGigabitEthernet1/0/2", False)
    listener.wait_until(link("TenGigabitEthernet1/0/2", False))
    assert not listener.all(feed.Hung)
    assert children() == {child}


def test_an_agent_that_was_stopped_takes_its_own_time_for_no_silence(
    listener: Listener, vpp: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "SILENCE_TIMEOUT", 1.0)
    monkeypatch.setattr(feed, "RECONNECT_TIMEOUT", 2.0)
    child = children()
    before = vpp.calls()["control_ping"]
    until("nobody hears the reporter", lambda: vpp.calls()["control_ping"] >= before + 4)
    pump_for(listener, 0.5)
    assert not listener.news
    assert children() == child


def test_both_stopped_are_no_silence_of_vpps(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "SILENCE_TIMEOUT", 1.0)
    monkeypatch.setattr(feed, "RECONNECT_TIMEOUT", 2.0)
    (child,) = children()
    os.kill(child, signal.SIGSTOP)
    end = time.monotonic() + 3.0
    until("the time-outs are over", lambda: time.monotonic() >= end)
    os.kill(child, signal.SIGCONT)
    pump_for(listener, 0.5)
    assert not listener.news
    assert children() == {child}


def test_a_reporter_that_stays_stopped_is_replaced(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "RECONNECT_TIMEOUT", 2.0)
    (child,) = children()
    os.kill(child, signal.SIGSTOP)
    listener.wait(feed.Present)
    assert child not in children()
    assert not listener.all(feed.Hung)


def test_that_vpp_hangs_is_reported_at_most_once_in_an_interval(
    listener: Listener, vpp: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "SILENCE_TIMEOUT", 0.5)
    monkeypatch.setattr(feed, "HUNG_INTERVAL", 9.0)
    vpp.hang()
    listener.wait(feed.Hung)
    at = time.monotonic()
    vpp.resume()
    listener.wait(feed.Answering)
    vpp.hang()
    pump_for(listener, 2.9)  # and VPP is pinged every two
    vpp.resume()
    pump_for(listener, 0.5)
    assert not listener.all(feed.Hung)
    assert not listener.all(feed.Answering)
    vpp.hang()  # and it stays so
    since = listener.wait(feed.Hung).since
    assert time.monotonic() >= at + 9.0
    assert since < at + 8.0
    vpp.resume()
    listener.wait(feed.Answering)


def test_who_listens_and_accepts_nobody_hangs_after_the_same_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "SILENCE_TIMEOUT", 1.5)
    vpp = Simulator(tmp_path / "vpp")
    vpp.run_dir.mkdir()
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as first:
        server.bind(str(vpp.api_socket))
        server.listen(0)
        first.connect(str(vpp.api_socket))
        with Listener(vpp) as listener:
            began = time.monotonic()
            listener.wait(feed.Hung)
            assert time.monotonic() >= began + 1.5
            assert not listener.all(feed.Away)


def test_a_reporter_that_nobody_hears_leaves_vpp_and_the_next_one_reports_all(
    vpp: Simulator,
) -> None:
    with Listener(vpp, neighbors=300) as listener:
        known = len(listener.wait_complete(NEIGHBORS).neighbors)
        (child,) = children()
        vpp.add_neighbors(4000, "loop0")  # more than a pipe holds
        state = Path(f"/proc/{child}/stat")
        until("it ends", lambda: state.read_text().rsplit(")", 1)[1].split()[0] == "Z", timeout=30)
        vpp.add_neighbor("loop0", "203.0.113.77", "02:00:00:00:00:77")
        listener.wait_until(lambda reported: len(reported.neighbors) == known + 4001)
        assert len(listener.all(feed.Present)) == 1
        assert children().isdisjoint({child})
        assert not listener.all(feed.Failed)
        assert not listener.all(feed.Away)
        assert not listener.all(feed.Hung)
        vpp.remove_neighbor("loop0", "203.0.113.77")
        listener.wait_until(lambda reported: len(reported.neighbors) == known + 4000)


def test_a_reporter_that_is_killed_is_news_and_replaced(listener: Listener) -> None:
    (child,) = children()
    os.kill(child, signal.SIGKILL)
    assert "ended unexpectedly" in listener.wait(feed.Failed).reason
    listener.wait(feed.Present)
    listener.wait_complete()
    assert not listener.all(feed.Away)  # VPP itself was there all the time
    assert listener.feed._pause == feed.MIN_RESTART_INTERVAL  # all was reported again


def test_a_reporter_that_fails_starts_anew_after_ever_longer_pauses(
    vpp: Simulator, tmp_path: Path
) -> None:
    vpp.restart(release="22.02")
    with Listener(vpp, api_dir=str(tmp_path / "nowhere")) as listener:
        for pause in (0.5, 1.0, 2.0):
            assert listener.feed._pause == pause
            listener.wait(feed.Failed)


def test_nothing_is_left_behind(vpp: Simulator) -> None:
    descriptors = len(os.listdir("/proc/self/fd"))
    with Listener(vpp) as listener:
        listener.wait_complete()
        assert len(children()) == 1
    assert not children()
    assert len(os.listdir("/proc/self/fd")) == descriptors


def test_without_a_process_that_is_news_and_tried_again(
    vpp: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    descriptors = len(os.listdir("/proc/self/fd"))
    with Listener(vpp) as listener:
        with monkeypatch.context() as patched:
            patched.setattr(subprocess, "Popen", refuse)
            reason = listener.wait(feed.Failed).reason
            assert reason == "no process to ask VPP with: Resource temporarily unavailable"
            assert len(os.listdir("/proc/self/fd")) == descriptors
        listener.wait_complete()


def test_a_segment_for_which_no_descriptor_is_free_is_none(vpp: Simulator) -> None:
    with Listener(vpp) as listener:
        news = list(listener.feed._understand(Mapped(), [], 0.0))
        assert news == [feed.SegmentMissing("", errno.EMFILE)]


def test_the_loop_does_not_wait_for_a_child_to_end(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ended,) = children()
    with monkeypatch.context() as patched:

        def wait(*_: object) -> int:
            raise AssertionError("the loop waits")

        patched.setattr(subprocess.Popen, "wait", wait)
        os.kill(ended, signal.SIGKILL)
        listener.wait(feed.Failed)
        listener.wait(feed.Present)
    listener.wait_complete()

    def is_reaped() -> bool:
        listener.pump()
        return not Path(f"/proc/{ended}").exists()

    until("the child is reaped", is_reaped)


def test_changes_are_handed_on_as_they_came(vpp: Simulator) -> None:
    with Listener(vpp, addresses=3600, neighbors=3600) as listener:
        everything = {INTERFACES, NEIGHBORS, ADDRESSES}
        listener.wait_until(lambda reported: reported.complete == everything)
        kinds = {type(each) for each in listener.news}
        about = {feed.Present, feed.SegmentReceived, Threads}
        assert kinds == {*about, Changes, NeighborChanges, Complete}
        assert len(listener.all(Complete)) == 3
