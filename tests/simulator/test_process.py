"""The simulator's process: how it hangs, ends and starts again, and who ends it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from vpp_papi import VPPIOError

from simulator import Simulator, SimulatorError, Verbs
from simulator.scenario import EDGE_ROUTER, VPPCFG
from simulator.stage import ROOT

from .judges import BOND, Connection, stats_of


def test_a_hung_vpp_takes_connects_and_answers_nothing(tmp_path: Path) -> None:
    with Simulator(tmp_path, update_interval=0.01) as vpp, Connection(vpp) as connection:
        stats = stats_of(vpp)
        vpp.hang()
        beats = stats["/sys/heartbeat"]
        packets = vpp.truth()[BOND].rx.packets
        with pytest.raises(VPPIOError):
            connection.api.control_ping(_timeout=0.2)
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
            sock.settimeout(0.1)
            sock.connect(str(vpp.stats_socket))
            with pytest.raises(TimeoutError):
                sock.recv(1)
        assert stats["/sys/heartbeat"] == beats
        assert stats["/if/rx"][:, vpp.truth()[BOND].sw_if_index].sum_packets() > packets
        vpp.resume()
        assert connection.api.show_version().retval == 0
        end = time.monotonic() + 5
        while stats["/sys/heartbeat"] == beats:
            assert time.monotonic() < end
        stats.disconnect()


def test_a_clean_end_takes_the_sockets_along_and_a_crash_does_not(vpp: Simulator) -> None:
    stats = stats_of(vpp)
    vpp.stop()
    assert not vpp.api_socket.exists()
    assert not vpp.stats_socket.exists()
    vpp.start()
    vpp.kill()
    with socket.socket(socket.AF_UNIX) as sock, pytest.raises(ConnectionRefusedError):
        sock.connect(str(vpp.api_socket))
    assert stats["/if/rx"][:, 1].sum_packets() >= 0, "the old mapping stays readable"
    stats.disconnect()


def test_a_restarted_vpp_has_only_its_hardware_until_it_is_configured(vpp: Simulator) -> None:
    first = {row.name: row.sw_if_index for row in vpp.truth().values()}
    pid = vpp.pid
    vpp.restart(empty=True)
    assert vpp.pid != pid
    assert set(vpp.truth()) == {"local0", *(s.name for s in EDGE_ROUTER if s.is_hardware)}
    vpp.configure(seconds=0.2, seed=11)
    vpp.wait_until_configured()
    second = {row.name: row.sw_if_index for row in vpp.truth().values()}
    assert {name for name in second if not name.startswith("tap")} == {
        name for name in first if not name.startswith("tap")
    }
    assert second["BondEthernet0.100"] != first["BondEthernet0.100"]


def test_the_simulator_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    program = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from simulator import Simulator\n"
        "vpp = Simulator(Path(sys.argv[1]))\n"
        "vpp.start()\n"
        "print(vpp.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    ended = subprocess.run(command, stdout=subprocess.PIPE, cwd=ROOT, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert int(ended.stdout) > 0
    end = time.monotonic() + 5
    while (tmp_path / "api.sock").exists():
        assert time.monotonic() < end


def test_by_hand_it_writes_its_vppcfg_and_serves_until_sigterm(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "simulator", "--run-dir", str(tmp_path)]
    command += ["--vppcfg", str(tmp_path / "vppcfg.yaml")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout
        assert process.stdout.readline() == b"the simulator serves\n"
        assert (tmp_path / "vppcfg.yaml").read_text(encoding="utf-8") == VPPCFG
        process.terminate()
        assert process.wait(5) == 0
    assert not (tmp_path / "stats.sock").exists()


def test_a_release_that_there_is_not_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "simulator", "--run-dir", str(tmp_path), "--release", "9.99"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    for expected in ("9.99", "22.02", "24.10", "26.10"):
        assert expected in ended.stderr
    assert "Traceback" not in ended.stderr


def test_with_a_seed_the_interfaces_have_other_indexes(vpp: Simulator, tmp_path: Path) -> None:
    with Simulator(tmp_path / "other", seed=7) as other:
        one, another = vpp.interfaces(), other.interfaces()
    assert len(one) == len(another)
    assert one["BondEthernet0.100"]["sw_if_index"] != another["BondEthernet0.100"]["sw_if_index"]


def test_it_needs_nothing_of_the_project_but_itself_and_the_layout(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "simulator", tmp_path / "simulator")
    package = tmp_path / "vpp_snmp_agent"
    (package / "vpp").mkdir(parents=True)
    for name in ("__init__.py", "vpp/__init__.py", "vpp/layout.py"):
        shutil.copy(ROOT / "vpp_snmp_agent" / name, package / name)
    command = [sys.executable, "-m", "simulator", "--help"]
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    subprocess.run(command, stdout=subprocess.PIPE, cwd=tmp_path, env=env, check=True)


def test_ten_thousand_interfaces_on_seventeen_threads_fit(tmp_path: Path) -> None:
    with Simulator(tmp_path, interfaces=10_000, threads=17) as vpp:
        vpp.freeze()
        truth, stats = vpp.truth(), stats_of(vpp)
        last = truth["HundredGigabitEthernet1/0/0.9999"]
        assert stats["/if/rx"][:, last.sw_if_index].sum_octets() == last.rx.bytes
        stats.disconnect()
    assert len(truth) == 1 + 10_000


def test_verbs_can_be_sent_ahead_and_are_answered_in_turn(vpp: Simulator) -> None:
    vpp.send(Verbs.epoch)
    vpp.send(Verbs.delete, "nobody")
    vpp.send(Verbs.calls)
    epoch = vpp.receive()
    with pytest.raises(SimulatorError, match="nobody"):
        vpp.receive()
    first = vpp.sent_at
    calls = vpp.receive()
    assert (type(epoch), type(calls)) == (int, dict)
    assert vpp.sent_at >= first
    assert not vpp.answered
