"""Starts a simulator and has it do things: for tests and benchmarks.

    with Simulator(tmp_path) as vpp:
        vpp.set_link("GigabitEthernet5/0/0", False)
        assert vpp.truth()["BondEthernet0.100"].rx.bytes > 0

A Simulator has every verb of `verbs.Verbs`, and each returns once VPP has done it and its
events are sent.  Nothing of the project is imported here that is not there wherever a
simulator is started by hand: no `stage`.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from functools import wraps
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals
from typing import Any, Concatenate, ParamSpec

from .verbs import VERBS, Verbs

TIMEOUT = 30.0  # seconds: for a start, an answer, an end
PAUSE = 0.02  # seconds before it is asked again how much is left
P = ParamSpec("P")


class SimulatorError(Exception):
    """The simulator did not start, did not answer, or could not do what it was to do."""


class Simulator(Verbs):
    """A simulated VPP in a process of its own, serving in `run_dir`.

    Options are those of `python -m simulator`, with underscores:
    release="25.10", threads=17, interfaces=1000, pairs=True, empty=True, addresses=True,
    segment_size=2**24, without=["lcp"], update_interval=0.1.
    """

    def __init__(self, run_dir: Path, **options: Any) -> None:
        self.run_dir = run_dir
        self.stats_socket = run_dir / "stats.sock"
        self.api_socket = run_dir / "api.sock"
        self.api_dir = run_dir / "api"
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._control: Connection[Any, Any] | None = None
        self.sent_at = 0.0  # time.monotonic() when VPP had sent the events of the last verb

    def __enter__(self) -> "Simulator":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    # The process.

    def start(self, **options: Any) -> None:
        """Start it; options that are given change, the others stay as they were."""
        self._options |= options
        self._control, theirs = Pipe()
        command = [sys.executable, "-m", __package__ or "", "--run-dir", str(self.run_dir)]
        command += ["--control", str(theirs.fileno())]
        for name, value in self._options.items():
            flag = f"--{name.replace('_', '-')}"
            if value is True:
                command.append(flag)
            elif isinstance(value, list | tuple):
                command += [flag, *map(str, value)] if value else []
            elif value is not False and value is not None:
                command += [flag, str(value)]
        root = Path(__file__).resolve().parents[1]
        with theirs:
            self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], cwd=root)
        try:
            self.receive()
        except SimulatorError:
            self.kill()
            raise

    @property
    def pid(self) -> int:
        if self._process is None:
            raise SimulatorError("it does not run")
        return self._process.pid

    def stop(self) -> None:
        """End it as systemd would: the sockets go too."""
        self._end(SIGTERM)

    def kill(self) -> None:
        """End it as a crash would: the socket files stay."""
        self._end(SIGKILL)

    def _end(self, number: Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        process.wait(TIMEOUT)
        self._connection.close()
        self._control = None

    def restart(self, **options: Any) -> None:
        """A clean end and a new start; options that are not given stay as they were."""
        self.stop()
        self.start(**options)

    def wait_until_configured(self) -> None:
        """Until all that `configure` began is there."""
        limit = time.monotonic() + TIMEOUT
        while left := self.pending():
            if time.monotonic() > limit:
                raise SimulatorError(f"{left} interfaces not configured within {TIMEOUT:g} s")
            time.sleep(PAUSE)

    # Verbs.

    def send(
        self, verb: Callable[Concatenate[Verbs, P], Any], *values: P.args, **named: P.kwargs
    ) -> None:
        """Have it do this, and do not wait; `receive` once for each, in this order."""
        self._connection.send((verb.__name__, values, named))

    def receive(self) -> Any:
        """Wait for the answer to the oldest verb that was sent; `sent_at` is of that."""
        if not self._connection.poll(TIMEOUT):
            raise SimulatorError(f"no answer within {TIMEOUT:g} s")
        try:
            done, answer, self.sent_at = self._connection.recv()
        except (EOFError, ConnectionResetError):
            raise SimulatorError("it ended without an answer") from None
        if not done:
            raise SimulatorError(answer)
        return answer

    @property
    def answered(self) -> bool:
        """Whether `receive` does not have to wait."""
        return self._connection.poll()

    def fileno(self) -> int:
        """Readable when there is something to receive."""
        return self._connection.fileno()

    @property
    def _connection(self) -> "Connection[Any, Any]":
        if self._control is None:
            raise SimulatorError("it does not run")
        return self._control


def _sent(verb: Callable[..., Any]) -> Callable[..., Any]:
    """What a Simulator has in the place of a verb."""

    @wraps(verb)
    def send(self: Simulator, *values: Any, **named: Any) -> Any:
        self.send(verb, *values, **named)
        return self.receive()

    return send


for _name, _verb in VERBS.items():
    setattr(Simulator, _name, _sent(_verb))
