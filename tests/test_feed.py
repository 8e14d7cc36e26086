"""vpp/feed.py: a VPP that comes, goes, hangs and is replaced, as the loop is told of it."""

import contextlib
import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from vpp_snmp_agent.simulator import Simulator
from vpp_snmp_agent.simulator.stage import until
from vpp_snmp_agent.vpp import feed
from vpp_snmp_agent.vpp.inventory import Inventory, Mapped
from vpp_snmp_agent.vpp.stats import Segment

from .conftest import Listener

ROWS = 35  # of the edge router, TAPs and local0 included


def children() -> set[int]:
    """The reporters of this process."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = (process / "stat").read_text().rsplit(")", 1)[1].split()[1]
            if int(parent) == os.getpid() and b"vpp.reporter" in (process / "cmdline").read_bytes():
                found.add(int(process.name))
    return found


def test_a_vpp_that_is_there_is_told_whole(vpp: Simulator) -> None:
    with Listener(vpp) as listener:
        present = listener.wait(feed.Present)
        assert (present.identity.version, present.identity.vpe_pid) == ("26.06-release", vpp.pid)
        segment = listener.wait(feed.Segment)
        assert Segment(segment.descriptor).scalar("/sys/num_worker_threads") == 2
        os.close(segment.descriptor)
        told = listener.wait(Inventory)
        assert told.identity == present.identity
        assert len(told.interfaces) == ROWS
        assert {each.host_if_name for each in told.pairs.values()} >= {"bond0.105", "loop0"}
        bond = next(iter(told.bonds.values()))
        assert len(bond.active) == bond.active_members == 2


@pytest.mark.skipif(sys.version_info < (3, 11), reason="only Python 3.11 leaves it out")
def test_no_module_is_taken_from_the_working_directory(
    vpp: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "vpp_papi.py").write_text("raise SystemExit('taken')")
    monkeypatch.chdir(tmp_path)
    with Listener(vpp) as listener:
        listener.wait(feed.Present)


def test_a_vpp_that_is_not_there_is_waited_for(tmp_path: Path) -> None:
    vpp = Simulator(tmp_path / "vpp")
    with Listener(vpp) as listener:
        assert listener.wait(feed.Away).errno == errno.ENOENT
        with vpp:
            listener.wait(feed.Present)
            listener.wait(Inventory)


def test_a_vpp_that_stops_is_away_at_once_and_found_again(vpp: Simulator) -> None:
    with Listener(vpp) as listener:
        before = listener.wait(feed.Present).identity
        listener.wait(Inventory)
        vpp.stop()
        listener.wait(feed.Away)
        assert listener.wait(feed.Away).errno == errno.ENOENT
        vpp.start()
        assert listener.wait(feed.Present).identity.vpe_pid != before.vpe_pid
        listener.wait(Inventory)


def test_a_vpp_that_crashes_leaves_its_socket_and_is_away(vpp: Simulator) -> None:
    with Listener(vpp) as listener:
        listener.wait(Inventory)
        vpp.kill()
        listener.wait(feed.Away)
        assert listener.wait(feed.Away).errno == errno.ECONNREFUSED


def test_a_vpp_of_another_release_gets_a_process_of_its_own(vpp: Simulator) -> None:
    with Listener(vpp) as listener:
        listener.wait(Inventory)
        first = children()
        vpp.restart(release="22.02")
        assert listener.wait(feed.Present).identity.version.startswith("22.02")
        assert len(listener.wait(Inventory).pairs) == 16
        assert len(children()) == 1
        assert children().isdisjoint(first)


def test_a_vpp_that_hangs_is_told_once_and_goes_on_over_the_same_connection(
    vpp: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "SILENCE", 1.5)
    with Listener(vpp) as listener:
        listener.wait(Inventory)
        child = children()
        vpp.hang()
        listener.wait(feed.Hung)
        vpp.set_link("TenGigabitEthernet1/0/2", False)
        vpp.resume()
        listener.wait(feed.Answering)
        told = listener.wait(Inventory)
        assert not listener.all(feed.Hung)
        down = {each.interface_name for each in told.interfaces.values() if not each.link_up}
        assert "TenGigabitEthernet1/0/2" in down
        assert children() == child


def test_a_vpp_that_hangs_from_the_start_is_told(
    vpp: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "SILENCE", 1.0)
    vpp.hang()
    with Listener(vpp) as listener:
        listener.wait(feed.Hung)
        vpp.resume()
        listener.wait(feed.Present)
        listener.wait(Inventory)


def test_a_hung_vpp_that_is_killed_is_away(vpp: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "SILENCE", 1.0)
    with Listener(vpp) as listener:
        listener.wait(Inventory)
        vpp.hang()
        listener.wait(feed.Hung)
        vpp.kill()
        listener.wait(feed.Away)


def test_another_vpp_in_a_hung_ones_place_is_taken_for_what_it_is(
    vpp: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "SILENCE", 1.0)
    with Listener(vpp) as listener:
        listener.wait(Inventory)
        os.kill(vpp.pid, signal.SIGSTOP)
        listener.wait(feed.Hung)
        with Simulator(vpp.run_dir, release="25.10") as other:
            listener.wait(feed.Away)
            assert listener.wait(feed.Present).identity.vpe_pid == other.pid


def test_patience_with_a_silent_vpp_ends(vpp: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "SILENCE", 1.0)
    monkeypatch.setattr(feed, "PATIENCE", 2.0)
    with Listener(vpp) as listener:
        listener.wait(Inventory)
        child = children()
        vpp.hang()
        listener.wait(feed.Hung)

        def replaced() -> bool:
            listener.pump()
            return bool(children() - child)

        until("a new connection is tried", replaced)
        vpp.resume()
        listener.wait(feed.Present)


def test_a_reporter_that_is_killed_is_told_of_and_replaced(vpp: Simulator) -> None:
    with Listener(vpp) as listener:
        listener.wait(Inventory)
        (child,) = children()
        os.kill(child, signal.SIGKILL)
        assert "ended unexpectedly" in listener.wait(feed.Failed).reason
        listener.wait(Inventory)
        assert not listener.all(feed.Away)  # VPP itself was there all the time


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
        listener.wait(Inventory)
        assert len(children()) == 1
    assert not children()
    assert len(os.listdir("/proc/self/fd")) == descriptors


def test_where_no_process_can_be_had_it_is_told_and_tried_again(
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
        listener.wait(Inventory)


def test_a_segment_for_which_no_descriptor_is_free_is_none(vpp: Simulator) -> None:
    with Listener(vpp) as listener:
        told = list(listener.feed._understand(Mapped(), [], 0.0))
        assert told == [feed.NoSegment("", errno.EMFILE)]
