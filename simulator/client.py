"""Starts a simulator and tells it what to do: for tests and benchmarks.

    with Simulator(tmp_path) as vpp:
        vpp.set_link("GigabitEthernet5/0/0", False)
        assert vpp.truth()["BondEthernet0.100"].rx.bytes > 0

Names are VPP's own, times are seconds, speeds kbit/s.  Every method returns once VPP has
done what it says.
"""

import json
import select
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from .process import READY

TIMEOUT = 30.0  # seconds: for a start, an answer, an end


class Amount(NamedTuple):
    """A combined counter."""

    packets: int
    bytes: int


@dataclass(frozen=True)
class Truth:
    """What one interface has really counted; counters by VPP's names, as in /if/<name>."""

    name: str
    sw_if_index: int
    simple: dict[str, int]
    combined: dict[str, Amount]

    @property
    def rx(self) -> Amount:
        return self.combined["rx"]

    @property
    def tx(self) -> Amount:
        return self.combined["tx"]


class SimulatorError(Exception):
    """The simulator did not start, did not answer, or could not do as told."""


class Simulator:
    """A simulated VPP in a process of its own, serving in `run_dir`.

    Options are those of `python -m simulator`, with underscores:
    release="25.10", threads=17, interfaces=1000, pairs=True, empty=True, seed=7,
    addresses=True, segment_size=2**24, without=["lcp"], page=5, update_interval=0.1.
    """

    def __init__(self, run_dir: Path, **options: Any) -> None:
        self.run_dir = run_dir
        self.stats_socket = run_dir / "stats.sock"
        self.api_socket = run_dir / "api.sock"
        self.api_dir = run_dir / "api"
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._inbox = b""
        self.sent_at = 0.0  # time.monotonic() when VPP had sent the events of the last order

    def __enter__(self) -> "Simulator":
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    # The process.

    def start(self, **options: Any) -> None:
        """Start it; options that are given change, the others stay as they were."""
        self._options |= options
        command = [sys.executable, "-m", __package__ or "", "--run-dir", str(self.run_dir)]
        command.append("--end-with-stdin")
        for name, value in self._options.items():
            flag = f"--{name.replace('_', '-')}"
            if value is True:
                command.append(flag)
            elif isinstance(value, list | tuple):
                command += [flag, *map(str, value)] if value else []
            elif value is not False and value is not None:
                command += [flag, str(value)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).resolve().parents[1],
        )
        assert self._process.stdout
        readable, _, _ = select.select([self._process.stdout], [], [], TIMEOUT)
        line = self._process.stdout.readline().decode().strip() if readable else ""
        if line != READY:
            self.kill()
            raise SimulatorError(f"it did not start: {line or 'no word from it'}")
        self._control = socket.socket(socket.AF_UNIX)
        self._control.settimeout(TIMEOUT)
        self._control.connect(str(self.run_dir / "control.sock"))
        self._inbox = b""

    @property
    def pid(self) -> int:
        if self._process is None:
            raise SimulatorError("it does not run")
        return self._process.pid

    def stop(self) -> None:
        """End it as systemd would: the sockets go too."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a crash would: the socket files stay."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if self._control:
            self._control.close()
            self._control = None
        process.send_signal(number)
        process.wait(TIMEOUT)
        for pipe in (process.stdin, process.stdout):
            if pipe:
                pipe.close()

    def restart(self, **options: Any) -> None:
        """A clean end and a new start; options that are not given stay as they were."""
        self.stop()
        self.start(**options)

    def tell(self, what: str, **details: Any) -> Any:
        """Say one line to the control socket, and wait for the answer."""
        self.send(what, **details)
        return self.receive()

    def send(self, what: str, **details: Any) -> None:
        """Say one line and do not wait; `receive` once for each, in this order."""
        if self._control is None:
            raise SimulatorError("it does not run")
        self._control.sendall(json.dumps({"do": what, **details}).encode() + b"\n")

    def receive(self) -> Any:
        """Wait for the answer to the oldest line that was sent; `sent_at` is of that."""
        if self._control is None:
            raise SimulatorError("it does not run")
        while b"\n" not in self._inbox:
            data = self._control.recv(1 << 20)
            if not data:
                raise SimulatorError("it ended without an answer")
            self._inbox += data
        line, _, self._inbox = self._inbox.partition(b"\n")
        answer = json.loads(line)
        self.sent_at = answer["at"]
        if "error" in answer:
            raise SimulatorError(answer["error"])
        return answer["answer"]

    def fileno(self) -> int:
        """Readable when there is something to receive, if all before it was received."""
        if self._control is None:
            raise SimulatorError("it does not run")
        return self._control.fileno()

    @property
    def answered(self) -> bool:
        """Whether `receive` does not have to wait, as far as is known without reading."""
        return b"\n" in self._inbox

    # Interfaces.

    def add(self, name: str = "", **spec: Any) -> int:
        """Add an interface with the fields of `interface.Spec`; its sw_if_index.

        `traffic` is a dict with the fields of `traffic.Traffic`.
        """
        return int(self.tell("add", name=name, **spec))

    def add_sub(self, parent: str, sub_id: int, **spec: Any) -> int:
        return self.add(parent=parent, sub_id=sub_id, **spec)

    def add_loopback(self, name: str, **spec: Any) -> int:
        return self.add(name, dev_type="Loopback", **spec)

    def add_hardware(self, name: str, speed: int = 10**7, **spec: Any) -> int:
        return self.add(name, speed=speed, **spec)

    def delete(self, name: str) -> None:
        """Delete an interface, its sub-interfaces, and their LCP pairs with their TAPs."""
        self.tell("delete", name=name)

    def reuse(self, old: str, **spec: Any) -> int:
        """Delete one interface and add another at its index, in one step and one event.

        `spec` is as for `add`, with `name` (or `parent` and `sub_id`) among its fields.
        """
        return int(self.tell("reuse", old=old, **spec))

    def set_admin(self, name: str, up: bool) -> None:
        self.tell("set_admin", name=name, up=up)

    def set_link(self, name: str, up: bool) -> None:
        """Plug or pull the cable of a hardware interface; sub-interfaces follow silently."""
        self.tell("set_link", name=name, up=up)

    def rename(self, name: str, new: str) -> None:
        """Silently; /if/names never hears of it.  Sub-interfaces are renamed along."""
        self.tell("rename", name=name, new=new)

    def set_mtu(self, name: str, mtu: int) -> None:
        self.tell("set_mtu", name=name, mtu=mtu)

    def set_speed(self, name: str, speed: int) -> None:
        self.tell("set_speed", name=name, speed=speed)

    def set_duplex(self, name: str, duplex: int) -> None:
        """1 for half, 2 for full."""
        self.tell("set_duplex", name=name, duplex=duplex)

    def set_tag(self, name: str, tag: bytes) -> None:
        self.tell("set_tag", name=name, tag=tag.decode("latin-1"))

    def set_detailed(self, name: str, on: bool) -> None:
        """Count multicast, broadcast and unicast apart, as VPP does when told."""
        self.tell("set_detailed", name=name, on=on)

    def set_addresses(self, name: str, *addresses: str) -> None:
        """All of an interface's, as in 192.0.2.1/24; VPP is silent about it."""
        self.tell("set_addresses", name=name, addresses=addresses)

    def add_neighbor(self, name: str, address: str, mac: str, static: bool = False) -> None:
        """An ARP or ND entry, or another MAC of one; VPP reports it by an event."""
        self.tell("add_neighbor", name=name, address=address, mac=mac, static=static)

    def remove_neighbor(self, name: str, address: str) -> None:
        """VPP reports it by an event."""
        self.tell("remove_neighbor", name=name, address=address)

    def add_neighbors(self, count: int, name: str = "") -> None:
        """So many more of `scenario.neighbor`, for all interfaces in turn or for one alone."""
        self.tell("add_neighbors", count=count, name=name)

    def create_pair(self, name: str, host_name: str, host: str = "") -> int:
        """An LCP pair, with a new TAP or silently with the interface `host`; that one's index."""
        return int(self.tell("create_pair", name=name, host_name=host_name, host=host))

    def delete_pair(self, name: str, keep_host: bool = False) -> None:
        """Undo a pair; VPP is silent about that, but not about the TAP that goes with it."""
        self.tell("delete_pair", name=name, keep_host=keep_host)

    def add_member(self, bond: str, name: str) -> None:
        self.tell("add_member", bond=bond, name=name)

    def remove_member(self, bond: str, name: str) -> None:
        self.tell("remove_member", bond=bond, name=name)

    def set_active(self, name: str, active: bool) -> None:
        """Whether LACP has a bond's member active."""
        self.tell("set_active", name=name, active=active)

    def add_bridge_domain(self, number: int, members: list[str], bvi: str = "") -> None:
        self.tell("add_bridge_domain", number=number, members=members, bvi=bvi)

    def interfaces(self) -> dict[str, dict[str, Any]]:
        """By name: sw_if_index, parent, dev_type, admin, link, mtu, speed, mac, host, ..."""
        return {row["name"]: row for row in self.tell("interfaces")}

    def configure(
        self,
        seconds: float = 0,
        seed: int | None = None,
        interfaces: int = 0,
        pairs: bool = False,
        addresses: bool = False,
    ) -> None:
        """Begin to configure an `empty` router as vppcfg would: one interface after another.

        With a seed the order, and so the indexes, differ.  Returns at once.
        """
        specs = {"count": interfaces, "pairs": pairs, "addresses": addresses}
        self.tell("configure", **specs, seconds=seconds, seed=seed)

    def wait_until_configured(self) -> None:
        self.tell("wait")

    # Traffic.

    def set_traffic(self, name: str, **fields: Any) -> None:
        """Change fields of the interface's `traffic.Traffic`: rx=1000, drops=5, ..."""
        self.tell("set_traffic", name=name, **fields)

    def freeze(self) -> None:
        """Traffic stands still until `step` or `run`."""
        self.tell("freeze")

    def step(self, seconds: float) -> None:
        """So much traffic at once; then it stands still."""
        self.tell("step", seconds=seconds)

    def run(self) -> None:
        self.tell("run")

    def truth(self) -> dict[str, Truth]:
        """By name, what has just been written to the segment (which moves on unless frozen)."""
        return {row["name"]: _truth(row) for row in self.tell("truth")}

    def clear(self) -> None:
        """`clear interfaces`: every counter of every interface starts again at zero."""
        self.tell("clear")

    def set_xstats(self, name: str, *counts: int) -> None:
        """What VPP has read from a port's driver, in the order of its Spec."""
        self.tell("set_xstats", name=name, counts=counts)

    # Memory.

    def add_heap(self, name: str, total: int, used: int) -> None:
        """A heap of so many octets, as a plugin may register one."""
        self.tell("add_heap", name=name, total=total, used=used)

    def heaps(self) -> dict[str, tuple[int, int]]:
        """By name: octets there are, and used, as VPP wrote them last."""
        return {name: (total, used) for name, (total, used) in self.tell("heaps").items()}

    # Misfortune.

    def hang(self) -> None:
        """The main thread stops: connects succeed and nothing is answered; traffic goes on."""
        self.tell("hang")

    def resume(self) -> None:
        self.tell("resume")

    def hold_lock(self, held: bool = True) -> None:
        """in_progress stays 1 until it is let go."""
        self.tell("hold_lock", held=held)

    def drop_row(self, counter: str, thread: int) -> None:
        """Make a thread's vector of a counter (say /if/mpls) NULL, until interfaces are added."""
        self.tell("drop_row", counter=counter, thread=thread)

    def where(self, name: str) -> dict[str, Any]:
        """Offsets in the segment: directory, entry and, of a counter, pointers and rows."""
        return dict(self.tell("where", name=name))

    def corrupt(self, offset: int, data: bytes) -> None:
        """Overwrite bytes of the segment."""
        self.tell("corrupt", offset=offset, data=data.decode("latin-1"))

    def epoch(self) -> int:
        return int(self.tell("epoch"))

    # The API's side.

    def calls(self) -> dict[str, int]:
        """How often each API message has been received.

        `sw_interface_dump` is counted where all interfaces were asked for (or a part of
        their names), `sw_interface_dump of one` where one was.
        """
        return dict(self.tell("calls"))

    def set_page(self, size: int) -> None:
        """How many LCP pairs VPP tells before it wants to be asked again."""
        self.tell("set_page", size=size)


def _truth(row: dict[str, Any]) -> Truth:
    name, index = row.pop("name"), row.pop("sw_if_index")
    return Truth(
        name,
        index,
        {key: value for key, value in row.items() if isinstance(value, int)},
        {key: Amount(*value) for key, value in row.items() if isinstance(value, list)},
    )
