"""A private snmpd and an agent beside the simulated VPP: for the demo, tests and benchmarks.

    with Simulator(dir / "vpp") as vpp, Snmpd(dir / "snmp") as snmpd, AgentProcess(dir, vpp, snmpd):
        snmpd.walk("1.3.6.1.2.1.31.1.1")

As root, snmpd stands in a network namespace of its own, which ends with it; otherwise on
a high port of the loopback.  Nothing of the machine's own snmpd is read or written.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

ROOT = Path(__file__).resolve().parents[1]
CONF = ROOT / "snmpd-dataplane.conf"
TIMEOUT = 20.0  # seconds: for whatever is waited for
UNIT = ROOT / "debian" / "vpp-snmp-agent.snmpd-dataplane.service"
# snmpd's flags -I, as the shipped service has them, without their `-I`.
SWITCHED_OFF = " ".join(re.findall(r"^ +-I (\S+) \\$", UNIT.read_text(), re.MULTILINE))
COMMUNITY = "public"


AnyProcess = TypeVar("AnyProcess", bound="Process")


class StageError(Exception):
    """Something did not start, or did not come about in time."""


def until(what: str, condition: Callable[[], object], timeout: float = TIMEOUT) -> None:
    """Return as soon as `condition()` is true; StageError if it is not in time."""
    limit = time.monotonic() + timeout
    pause = 0.005
    while not condition():
        if time.monotonic() > limit:
            raise StageError(f"not within {timeout:g} s: {what}")
        time.sleep(pause)
        pause = min(2 * pause, 0.1)


def free_port() -> int:
    """A UDP port of the loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """A child whose output goes to a file."""

    _command: list[str]  # of those that start in no other way

    def __init__(self, log: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self: AnyProcess) -> AnyProcess:
        self.start()
        return self

    def start(self) -> None:
        """Start it, and do not wait for anything."""
        self._start(self._command)

    def _start(self, command: Sequence[str], env: dict[str, str] | None = None) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | (env or {}),
                cwd=ROOT,
            )

    @property
    def pid(self) -> int:
        if self._process is None:
            raise StageError(f"{self.log.stem} does not run")
        return self._process.pid

    def ended(self) -> int | None:
        """The exit status, once there is one."""
        return self._process.poll() if self._process else 0

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it, and return its exit status."""
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(signal.SIGCONT)
        process.send_signal(number)
        try:
            return process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise StageError(f"{self.log.stem} does not end") from None

    def kill(self) -> None:
        self.stop(signal.SIGKILL)

    def text(self) -> str:
        """What it has logged so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def __exit__(self, *_: object) -> None:
        self.stop()


class Snmpd(Process):
    """snmpd with the shipped configuration, adapted."""

    def __init__(
        self, directory: Path, switched_off: str = SWITCHED_OFF, agentx: str = "", extra: str = ""
    ) -> None:
        """`switched_off`: lists for -I; `agentx`: another AgentX address than the socket;
        `extra`: lines of configuration."""
        super().__init__(directory / "snmpd.log")
        self._directory = directory
        self._switched_off = switched_off
        self.agentx = agentx or str(directory / "agentx")
        self._in_namespace = os.geteuid() == 0
        port = 161 if self._in_namespace else free_port()
        self._agent = f"127.0.0.1:{port}"
        (directory / "snmpd.conf").write_text(self._adapted() + extra)

    def _adapted(self) -> str:
        conf = CONF.read_text()
        for pattern, line in (
            (r"^agentAddress .*$", f"agentAddress udp:{self._agent}"),
            (r"^agentXSocket .*$", f"agentXSocket {self.agentx}"),
            (r"^agentXPerms .*\n", ""),
        ):
            conf, found = re.subn(pattern, line, conf, flags=re.MULTILINE)
            if found != 1:
                raise StageError(f"{CONF.name} has no line {pattern}")
        return conf

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = ["snmpd", "-f", "-LF", "0-5", str(self.log)]
        for modules in self._switched_off.split():
            command += ["-I", modules]
        command += ["-p", str(self._directory / "pid")]
        if self._in_namespace:
            script = 'ip link set lo up && exec "$@"'
            command = ["unshare", "--net", "sh", "-c", script, "sh", *command]
        # What snmpd keeps is called snmpd.conf as well.
        here, kept = str(self._directory), str(self._directory / "kept")
        self._start(command, {"SNMPCONFPATH": here, "SNMP_PERSISTENT_DIR": kept})
        until("snmpd answers", self._answers)

    def _answers(self) -> bool:
        if self.ended() is not None:
            raise StageError(f"snmpd ended:\n{self.text()}")
        options = ["-t", "0.2", "-r", "0"]
        asked = self.run("snmpget", "1.3.6.1.2.1.1.3.0", options=options, check=False)
        return asked.returncode == 0

    def command(self, tool: str, *words: str, options: Sequence[str] = ()) -> list[str]:
        """The command line of a net-snmp tool that asks this snmpd."""
        return [*self.enter(), tool, "-v2c", "-c", COMMUNITY, *options, self._agent, *words]

    def enter(self) -> list[str]:
        """What goes before a command that is to run where snmpd does."""
        return ["nsenter", "-t", str(self.pid), "-n"] if self._in_namespace else []

    def run(
        self, tool: str, *words: str, options: Sequence[str] = ("-On",), check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a net-snmp tool; StageError if it fails, unless not to `check`."""
        done = subprocess.run(
            self.command(tool, *words, options=options),
            capture_output=True,
            text=True,
            env=os.environ | {"MIBS": "", "SNMPCONFPATH": str(self._directory)},
            check=False,
        )
        if check and done.returncode:
            raise StageError(f"{' '.join(done.args)}: {done.stdout}{done.stderr}")
        return done

    def walk(
        self, oid: str, tool: str = "snmpbulkwalk", options: Sequence[str] = ()
    ) -> dict[str, str]:
        """Names (without the leading dot) to `TYPE: value`, in the walk's order."""
        done = self.run(tool, oid, options=["-On", *options])
        # A long value goes on over several lines; only a new one begins with a dot.
        entries = re.split(r"\n(?=\.\d)", done.stdout.strip())
        return dict(
            " ".join(entry.split("\n")).removeprefix(".").split(" = ", 1) for entry in entries
        )

    def column(self, oid: str) -> dict[int, str]:
        """A column by ifIndex, its values without their type and quotes."""
        return {
            int(name.rsplit(".", 1)[1]): value.partition(": ")[2].strip('"')
            for name, value in self.walk(oid).items()
            if name.startswith(oid + ".")
        }


class VppSockets(Protocol):
    """Whatever serves VPP's two sockets."""

    api_socket: Path
    stats_socket: Path


class AgentProcess(Process):
    """The agent, as its command line starts it."""

    module = "vpp_snmp_agent"  # that is run

    def __init__(self, directory: Path, vpp: VppSockets, agentx: str, *flags: str) -> None:
        super().__init__(directory / "agent.log")
        self._command = [
            *(sys.executable, "-m", self.module, "-a", agentx),
            *("--api-socket", str(vpp.api_socket), "--stats-socket", str(vpp.stats_socket)),
            *("--state-dir", str(directory / "state"), *flags),
        ]

    def command(self, *words: str) -> list[str]:
        """The command line of a sub-command about this agent, its VPP and its snmpd."""
        return [*self._command, *words]
