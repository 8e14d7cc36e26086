"""The child process that talks to one VPP over its binary API, for as long as that VPP lives.

    python -m vpp_snmp_agent.vpp.reporter PIPE API_SOCKET STATS_SOCKET API_DIR PERIOD \
        ADDRESSES NEIGHBORS

The last three are seconds between two dumps, of what no event tells; 0 for never.
It waits for VPP, connects, dumps, listens for events, hands each change of what VPP told
down PIPE (a SOCK_SEQPACKET descriptor), and ends with its VPP or with its parent.

The rules this module keeps:

- One process for each connection, for vpp_papi knows one VPP (api.py).
- A VPP that hangs is waited for, silently, for no call has a time limit (api.py); the
  parent sees the silence, and ends this process when another VPP is there.
- What a call that failed left behind is told to nobody: the process ends instead.
- Addresses and neighbours are asked for last (layer3.py): nothing else waits for them.
- What stops VPP's workers (lcp_itf_pair_get, the bond and member dumps) is called at most
  once in `RARELY` seconds, after the set of interfaces changed, and once each period.
"""

import contextlib
import ctypes
import os
import resource
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, NoReturn

from . import inventory
from .api import Client, Vpp, VPPUnavailable, decode_any_text
from .inventory import (
    Alive,
    Bond,
    BridgeDomain,
    Broken,
    Connected,
    Connecting,
    Gone,
    Interface,
    Key,
    LacpPort,
    LcpPair,
    Mapped,
    Message,
    Record,
    Unmapped,
    Unreachable,
)
from .layer3 import Layer3
from .stats import SegmentUnavailable, peer_pid, receive_segment

RETRY = 0.25  # seconds between two looks for a VPP that is not there
HEARTBEAT = 1.0  # seconds between two questions to a VPP that has nothing to tell
PACE = 0.25  # seconds between two dumps, however many events come
RARELY = 1.0  # seconds between two dumps that stop the workers
HANDOVER = 0.5  # seconds that VPP may take to hand over its segment
MOST_MEMORY = 1 << 29  # octets of this process; 10,000 interfaces take a twentieth of it

LACP_MODE = 5
COLLECTING_AND_DISTRIBUTING = 0x30  # IEEE 802.3 43.4.2.2, in actor_state

Records = dict[type[Record], dict[Key, Record]]


class Pipe:
    """The way to the parent."""

    def __init__(self, descriptor: int) -> None:
        self.socket = socket.socket(fileno=descriptor)
        self._telling = threading.Lock()

    def tell(self, message: Message, descriptors: tuple[int, ...] = ()) -> None:
        """Hand on a message; ends the process if nobody is there to take it."""
        with self._telling:
            try:
                socket.send_fds(self.socket, [inventory.pack(message)], descriptors)
            except OSError:
                os._exit(0)

    def tell_last(self, message: Message) -> NoReturn:
        """Hand on a message and end the process; no other thread tells anything after it."""
        with self._telling:
            with contextlib.suppress(OSError):
                self.socket.send(inventory.pack(message))
            # Not sys.exit: vpp_papi's atexit hook would wait for an answer from VPP.
            os._exit(0)


# --- connecting -----------------------------------------------------------------------------


def wait_for_vpp(path: str, pipe: Pipe) -> int:
    """Return the process id of who listens at `path`, once somebody does."""
    told = None
    while True:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(RETRY)
            try:
                probe.connect(path)
                return peer_pid(probe)
            except OSError as error:
                # A full backlog (EAGAIN, or the time-out) is a VPP that accepts nobody.
                number = error.errno or 0
                if number != told:
                    pipe.tell(Unreachable(path, number))
                    told = number
        if select.select([pipe.socket], [], [], RETRY)[0]:
            os._exit(0)


class Watch:
    """What is known of one VPP, and which questions are due."""

    def __init__(self, vpp: Vpp, layer3: Layer3, period: float) -> None:
        self._vpp = vpp
        self._layer3 = layer3
        self._period = period
        self._records: Records = {}
        self._raw_bonds: dict[int, tuple[Any, tuple[int, ...]]] = {}
        self._seen: dict[int, str] = {}
        self._rare_due = 0.0
        self._rare_allowed = 0.0

    def due(self) -> float:
        """When `look` is to be called without an event, by time.monotonic."""
        return self._rare_due

    def look(self) -> Iterator[inventory.Changes]:
        """Dump what is due, and yield how it differs from what was told."""
        interfaces = self._vpp.interfaces()
        names = {index: _name(each) for index, each in interfaces.items()}
        if names != self._seen:
            self._seen = names
            self._rare_due = min(self._rare_due, time.monotonic())
        now = time.monotonic()
        self._rare_due = max(self._rare_due, self._rare_allowed)
        told = self._records.get(Interface, {})
        if now >= self._rare_due:
            pairs = self._vpp.pairs()
            self._raw_bonds = self._vpp.bonds_and_members()
            self._rare_allowed = time.monotonic() + RARELY
            self._rare_due = time.monotonic() + self._period
        else:
            # A newcomer is not told before its LCP pair: it would bear another name first.
            pairs = self._records[LcpPair]
            interfaces = {
                index: each
                for index, each in interfaces.items()
                if index in told and _name(told[index]) == names[index]
            }
        lacp = self._vpp.lacp_ports() if self._raw_bonds else None
        after: Records = {
            Interface: interfaces,
            LcpPair: {phy: each for phy, each in pairs.items() if phy in interfaces},
            Bond: self._bonds(interfaces, lacp),
            LacpPort: lacp or {},
            BridgeDomain: self._vpp.bridge_domains(),
        }
        taps = {each.host_sw_if_index for each in pairs.values() if isinstance(each, LcpPair)}
        yield from self._layer3.interfaces_are(
            {index: _name(each) for index, each in interfaces.items() if index not in taps}
        )
        yield from inventory.changes(self._records, after)
        self._records = after

    def _bonds(
        self, interfaces: dict[int, Record], lacp: dict[int, Record] | None
    ) -> dict[int, Record]:
        bonds: dict[int, Record] = {}
        for index, (bond, members) in self._raw_bonds.items():
            active = frozenset(each for each in members if _link_up(interfaces.get(each)))
            if bond.mode == LACP_MODE and lacp is not None:
                active &= {index for index, port in lacp.items() if _carries(port)}
            bonds[index] = Bond(index, int(bond.mode), len(active), members, active)
        return bonds


def _name(record: Record) -> str:
    assert isinstance(record, Interface)
    return record.interface_name


def _carries(port: Record) -> bool:
    assert isinstance(port, LacpPort)
    return port.actor_state & COLLECTING_AND_DISTRIBUTING == COLLECTING_AND_DISTRIBUTING


def _link_up(record: Record | None) -> bool:
    return isinstance(record, Interface) and record.link_up


# --- the process ----------------------------------------------------------------------------------


def hand_over(pipe: Pipe, stats_socket: str, api_pid: int, vpp: Vpp) -> bool:
    """Tell the parent the segment of the VPP that `vpp` asks; whether it could be had."""
    try:
        descriptor, pid = receive_segment(stats_socket, HANDOVER)
    except SegmentUnavailable as error:
        pipe.tell(Unmapped(str(error), getattr(error.__cause__, "errno", None)))
        return False
    try:
        if pid and api_pid and pid != api_pid:
            pipe.tell(Unmapped(f"{stats_socket} is another VPP's"))
            return False
        # It answers after the handover as before it: one VPP lived through both.
        vpp.ping()
        pipe.tell(Mapped(), (descriptor,))
        return True
    finally:
        os.close(descriptor)


def report(
    pipe: Pipe,
    client: Client,
    stats_socket: str,
    api_pid: int,
    period: float,
    addresses: float,
    neighbors: float,
) -> None:
    """Tell what one VPP tells until it is gone; what vpp_papi raises then comes out."""
    client.connect("vpp-snmp-agent")
    vpp = Vpp(client)
    news, bell = socket.socketpair()
    bell.setblocking(False)

    def ring(*event: object) -> None:
        # In vpp_papi's receive thread.  A bell that takes no more has been rung.
        with contextlib.suppress(BlockingIOError):
            bell.send(b"!")

    client.register_event_callback(ring)
    pipe.tell(Connected(vpp.identity()))
    vpp.want_events()
    mapped = hand_over(pipe, stats_socket, api_pid, vpp)
    layer3 = Layer3(vpp, addresses, neighbors)
    watch = Watch(vpp, layer3, period)

    poll = select.poll()
    for ended in (client.transport.socket, pipe.socket):
        poll.register(ended, 0)
    poll.register(news, select.POLLIN)
    while True:
        began = time.monotonic()
        for message in watch.look():
            pipe.tell(message)
        if time.monotonic() >= layer3.due():  # or a link that flaps would keep it waiting
            for message in layer3.look():
                pipe.tell(message)
        pipe.tell(Alive())
        next_look = time.monotonic() + max(PACE, time.monotonic() - began)
        rung = False
        while time.monotonic() < (next_look if rung else watch.due()):
            until = min(watch.due(), layer3.due(), time.monotonic() + HEARTBEAT)
            if rung:
                until = next_look
            ready = dict(poll.poll(max(0.0, until - time.monotonic()) * 1000))
            if client.transport.socket.fileno() in ready or pipe.socket.fileno() in ready:
                return
            if news.fileno() in ready:
                news.recv(1 << 16)
                rung = True
            elif not rung:
                if time.monotonic() >= layer3.due():
                    for message in layer3.look():
                        pipe.tell(message)
                else:
                    vpp.ping()
                pipe.tell(Alive())
                mapped = mapped or hand_over(pipe, stats_socket, api_pid, vpp)


def end_with_parent() -> None:
    """Have the kernel end this process when its parent ends, however that happens."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def main(arguments: list[str]) -> None:
    """The process; it ends by itself only with its VPP."""
    descriptor, api_socket, stats_socket, api_dir, *periods = arguments
    period, addresses, neighbors = map(float, periods)
    pipe = Pipe(int(descriptor))
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's ^C is for the parent
    os.dup2(2, 1)  # vpp_papi prints
    decode_any_text()
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, MOST_MEMORY))
    client = Client(api_socket, api_dir)

    def end(error: BaseException | None) -> NoReturn:
        if error is None or client.hung_up():
            pipe.tell_last(Gone())
        if isinstance(error, VPPUnavailable):
            pipe.tell_last(Broken(str(error)))
        pipe.tell_last(Broken(f"{type(error).__name__}: {error}"))

    # vpp_papi's receive thread would die without a word, and every call wait for ever.
    threading.excepthook = lambda failure: end(failure.exc_value)
    api_pid = wait_for_vpp(api_socket, pipe)
    pipe.tell(Connecting())
    try:
        report(pipe, client, stats_socket, api_pid, period, addresses, neighbors)
        end(None)
    except Exception as error:  # vpp_papi's boundary: unexpected bytes raise anything there
        end(error)


if __name__ == "__main__":
    main(sys.argv[1:])
