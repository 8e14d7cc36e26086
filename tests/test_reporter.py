"""vpp/reporter.py: how it begins and ends, with which segment."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from simulator import Simulator
from simulator.stage import until
from vpp_snmp_agent.vpp import feed

from .conftest import Listener


def test_a_segment_that_is_unavailable_is_reported_and_fetched_later(vpp: Simulator) -> None:
    hidden = vpp.stats_socket.with_suffix(".hidden")
    vpp.stats_socket.rename(hidden)
    with Listener(vpp) as listener:
        assert "No such file" in listener.wait(feed.SegmentMissing).reason
        listener.wait_complete()
        hidden.rename(vpp.stats_socket)
        os.close(listener.wait(feed.SegmentReceived).descriptor)


def test_another_vpps_segment_is_refused(vpp: Simulator, tmp_path: Path) -> None:
    with (
        Simulator(tmp_path / "other") as other,
        Listener(vpp, stats_socket=str(other.stats_socket)) as listener,
    ):
        assert "another VPP's" in listener.wait(feed.SegmentMissing).reason
        listener.wait_until(lambda reported: reported.complete)
        assert not listener.all(feed.SegmentReceived)


def test_it_ends_with_its_parent(vpp: Simulator) -> None:
    """Even with one that is killed."""
    script = (
        "import sys, time; from vpp_snmp_agent.vpp import feed\n"
        "f = feed.Feed(feed.ReporterSettings(*sys.argv[1:4], 30)); list(f.check(1e9))\n"
        "print(f._child.pid, flush=True); sys.stdin.read()"
    )
    parent = subprocess.Popen(
        [
            *(sys.executable, "-c", script),
            *(str(vpp.api_socket), str(vpp.stats_socket), str(vpp.api_dir)),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert parent.stdin
    assert parent.stdout
    child = Path(f"/proc/{int(parent.stdout.readline())}/cmdline")
    until("the child runs", lambda: b"reporter" in child.read_bytes())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    until("the child ended", lambda: not child.exists() or not child.read_bytes())
    parent.stdin.close()
    parent.stdout.close()
