"""The child process that talks to one VPP over its binary API, for as long as that VPP lives.

    children.start("vpp_snmp_agent.vpp.reporter", PIPE, API_SOCKET, STATS_SOCKET, API_DIR,
        PERIOD, ADDRESSES, NEIGHBORS)

The last three are seconds: between two dumps of what no event reports, in which all
interfaces are asked for their addresses, and between two dumps of neighbours where VPP
reports no events of them; 0 for never.
It waits for VPP, connects, dumps, listens for events, hands each change of what VPP reports
down PIPE (a SOCK_SEQPACKET descriptor), and ends with its VPP or with its parent.

The rules this module keeps:

- One process for each connection, because vpp_papi knows one VPP (client.py), and one thread.
- A VPP that hangs is waited for, because no call has a time limit (transport.py).  The parent is
  kept informed, and ends this process when another VPP is there.
- What a call that failed left behind is reported to nobody: the process ends instead.
- An event names an interface, and VPP is asked for that one: a change costs what it is.
- An interface that is new, or has another name, is not reported before VPP was asked for
  its LCP pair: it would be served under another name first.
- A message that VPP has otherwise than it is understood takes down what it is for, and is
  reported as that: interfaces are reported without their pairs rather than not at all.
- Addresses and neighbours are asked for last (layer3.py): nothing else waits for them.
- What stops VPP's workers (lcp_itf_pair_get, the bond and member dumps) is asked at most
  once in `RARE_INTERVAL`, after the set of interfaces changed, again after the
  `ADDRESS_DELAYS` of layer3.py where some are new, when the parent asks because a state of
  LACP changed, and once each period.  A TAP that appears is a new interface too, and the sign
  of a pair.
- VPP keeps without limit what a client does not read.  A parent that does not read either is
  waited for: for `SEND_TIMEOUT`, then this process ends, and the parent starts another one,
  which reports everything again.
"""

import contextlib
import os
import resource
import select
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from errno import EMSGSIZE
from typing import NoReturn

from .api import Vpp
from .client import Client, UnusableAnswer, decode_any_text
from .descriptor import peer_pid, receive_segment
from .layer3 import ADDRESS_DELAYS, NEVER, Layer3, News
from .mapping import SegmentUnavailable
from .records import (
    ACCEPTS_NOBODY,
    ASK,
    BONDS,
    BRIDGE_DOMAINS,
    INTERFACES,
    LACP,
    LCP_PAIRS,
    THREADS,
    Alive,
    Available,
    Bond,
    BridgeDomain,
    Broken,
    Changes,
    Complete,
    Connected,
    Connecting,
    Gone,
    Interface,
    Inventory,
    LacpPort,
    LcpPair,
    Mapped,
    Message,
    NeighborChanges,
    Record,
    Threads,
    Unavailable,
    Unmapped,
    Unreachable,
    Unread,
    Waiting,
    changes,
    pack,
)
from .transport import VPPUnavailable

RETRY_INTERVAL = 0.25  # seconds between two attempts to reach a VPP that is not there
PING_INTERVAL = 2.0  # seconds between two questions to a VPP that has nothing to report
ALIVE_INTERVAL = 0.5  # seconds without a message after which an octet of VPP's is one
EVENT_INTERVAL = 0.02  # seconds between two times that events are asked about
WHOLE_INTERVAL = 0.25  # seconds after a dump of all interfaces that events asked for
RARE_INTERVAL = 1.0  # seconds between two dumps that stop the workers
HANDOVER_TIMEOUT = 0.5  # seconds that VPP may take to hand over its segment
SEND_TIMEOUT = 10.0  # seconds that the parent may take to take a message
MAX_MEMORY = 1 << 29  # octets of this process; 10,000 interfaces take a twentieth of it
# Of the known interfaces; a dump of them all costs as much as a quarter of them, one by one.
MAX_NAMED_SHARE = 0.25

Relation = LcpPair | Bond | LacpPort | BridgeDomain
Relations = dict[type[Relation], dict[int, Relation]]
# In the order in which they are reported, and what they are called where VPP's answer fails.
KINDS: dict[type[Relation], str] = {
    LcpPair: LCP_PAIRS,
    Bond: BONDS,
    LacpPort: LACP,
    BridgeDomain: BRIDGE_DOMAINS,
}


class Pipe:
    """The way to the parent."""

    def __init__(self, descriptor: int) -> None:
        self.socket = socket.socket(fileno=descriptor)
        self.socket.settimeout(SEND_TIMEOUT)
        self._sent_at = 0.0

    def send(self, message: Message, descriptors: tuple[int, ...] = ()) -> None:
        """Hand on a message; ends the process if nobody is there to take it, or nobody does."""
        self._sent_at = time.monotonic()
        try:
            socket.send_fds(self.socket, [pack(message)], descriptors)
        except TimeoutError:
            # There is room for one more message than the parent left unread.
            size = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)
            self.send_last(Unread())
        except OSError as error:
            if error.errno == EMSGSIZE:
                self.send_last(Broken(f"{type(message).__name__} are too long for one message"))
            os._exit(0)

    def send_alive(self) -> None:
        """Hand on that VPP answers, unless a message did so just now."""
        if time.monotonic() - self._sent_at >= ALIVE_INTERVAL:
            self.send(Alive())

    def is_asked(self) -> bool:
        """Whether the parent, from which something came, asks; else it is gone."""
        with contextlib.suppress(OSError):
            return self.socket.recv(len(ASK)) == ASK
        return False

    def send_last(self, message: Message) -> NoReturn:
        """Hand on a message if there is room for it, and end the process."""
        with contextlib.suppress(OSError):
            self.socket.send(pack(message))
        # What is left unread here is an error there, which comes before the message.
        self.socket.setblocking(False)
        with contextlib.suppress(OSError):
            while self.socket.recv(len(ASK)):
                pass
        # Not sys.exit: vpp_papi's atexit hook would wait for an answer from VPP.
        os._exit(0)


# --- connecting -----------------------------------------------------------------------------


def wait_for_vpp(path: str, pipe: Pipe) -> int:
    """Return the process id of who listens at `path`, once somebody does."""
    reported = None
    waited = 0.0  # for somebody who listens and accepts nobody
    while True:
        began = time.monotonic()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(RETRY_INTERVAL)
            try:
                probe.connect(path)
                return peer_pid(probe)
            except OSError as error:
                number = error.errno or 0
                if number != reported:
                    pipe.send(Unreachable(path, number))
                    reported = number
        if select.select([pipe.socket], [], [], RETRY_INTERVAL)[0]:
            os._exit(0)
        if number in ACCEPTS_NOBODY:
            # Not the time for which this process was stopped.
            waited += min(time.monotonic() - began, 2 * RETRY_INTERVAL)
            pipe.send(Waiting(waited))
        else:
            waited = 0.0


def send_segment(pipe: Pipe, stats_socket: str, api_pid: int, vpp: Vpp) -> bool:
    """Hand on the segment of the VPP that `vpp` asks; whether it was available."""
    try:
        descriptor, pid = receive_segment(stats_socket, HANDOVER_TIMEOUT)
    except SegmentUnavailable as error:
        pipe.send(Unmapped(str(error), getattr(error.__cause__, "errno", None)))
        return False
    try:
        if pid and api_pid and pid != api_pid:
            pipe.send(Unmapped(f"{stats_socket} is another VPP's"))
            return False
        # It answers after the handover as before it: one VPP lived through both.
        vpp.ping()
        pipe.send(Mapped(), (descriptor,))
        return True
    finally:
        os.close(descriptor)


def report_threads(vpp: Vpp) -> Threads | Unavailable:
    """VPP's threads, or why they are not known."""
    try:
        return Threads(vpp.threads())
    except UnusableAnswer as error:
        return Unavailable(THREADS, str(error))


# --- interfaces, and what relates them ------------------------------------------------------


class Interfaces:
    """The interfaces of one VPP with their relations, and which questions are due."""

    def __init__(self, vpp: Vpp, layer3: Layer3, period: float) -> None:
        """Seconds between two dumps of all."""
        self._vpp = vpp
        self._layer3 = layer3
        self._period = period
        self._reported: dict[int, Interface] = {}
        self._newcomers: dict[int, Interface] = {}  # whose LCP pair was not asked for yet
        self._relations: Relations = {kind: {} for kind in KINDS}
        self._complete = False
        self._is_whole = False  # all interfaces were asked for, and relations not yet since
        self._whole_due = 0.0
        self._named_allowed = 0.0
        self._rare_due = self._relations_due = 0.0
        self._rare_allowed = self._relations_allowed = 0.0
        self._rare_again: list[float] = []  # when it is due, too, for who is new

    def ask_again(self) -> None:
        """Ask for all relations, as soon as that is allowed."""
        self._rare_due = 0.0

    def due(self, named: set[int]) -> float:
        """When `refresh` is to be called, by time.monotonic."""
        return min(
            self._whole_due,
            self._named_allowed if named else NEVER,
            max(self._rare_due, self._rare_allowed),
            max(self._relations_due, self._relations_allowed),
        )

    def refresh(self, named: set[int]) -> News:
        """Ask for what is due, and yield how it differs from what was reported.

        `named` are the indexes of which events came; those that were asked for are removed.
        """
        now = time.monotonic()
        if now >= self._whole_due:
            named.clear()
            yield from self._refresh_all()
            self._whole_due = time.monotonic() + self._period
            self._rare_due = 0.0
        elif named and now >= self._named_allowed:
            indexes = sorted(named)
            named.clear()
            known = len(self._reported) + len(self._newcomers)
            pause = EVENT_INTERVAL
            if indexes[0] == 0 or len(indexes) > MAX_NAMED_SHARE * known:  # 0 means all, to VPP
                yield from self._refresh_all()
                pause = WHOLE_INTERVAL
            else:
                found = self._vpp.interfaces_named(indexes)
                yield from self._found(found, [each for each in indexes if each not in found])
            self._relations_due = 0.0
            # Half of the time is VPP's, however much there is to ask.
            after = time.monotonic()
            self._named_allowed = after + max(pause, after - now)
        if now >= max(self._rare_due, self._rare_allowed):
            yield from self._refresh_rare()
        elif now >= max(self._relations_due, self._relations_allowed):
            relations: Relations = {}
            yield from self._ask_frequent(relations)
            yield from changes(*self._differing(relations))

    def _refresh_all(self) -> Iterator[Changes | NeighborChanges]:
        found = self._vpp.interfaces()
        self._is_whole = True
        known = (*self._reported, *self._newcomers)
        yield from self._found(found, [each for each in known if each not in found])

    def _found(
        self, found: dict[int, Interface], missing: Iterable[int]
    ) -> Iterator[Changes | NeighborChanges]:
        """Report what is known and differs, and what is gone; newcomers wait."""
        changed: list[Record] = []
        altered: list[int] = []  # that may be given other addresses, too
        gone: list[int] = []
        for index, each in found.items():
            known = self._reported.get(index)
            if known is each:
                continue
            if known is not None and known.interface_name == each.interface_name:
                if known != each:
                    changed.append(each)
                    # The link of a sub-interface is its parent's, which may have thousands.
                    if not each.is_sub or replace(known, link_up=each.link_up) != each:
                        altered.append(index)
                self._reported[index] = each
                continue
            if known is not None:
                gone.append(index)
            waiting = self._newcomers.get(index)
            if waiting is None or waiting.interface_name != each.interface_name:
                self._rare_due = 0.0
            self._newcomers[index] = each
        for index in missing:
            self._newcomers.pop(index, None)
            if index in self._reported:
                gone.append(index)
        if gone:
            self._rare_due = 0.0
            for index in gone:
                del self._reported[index]
            yield from self._layer3.forget_neighbors(gone)
            addresses = self._layer3.forget_addresses(gone)
            yield from changes((), [*addresses, *((Interface, index) for index in gone)])
        yield from changes(changed)
        self._layer3.change(altered)

    def _refresh_rare(self) -> News:
        """Ask for all relations; after that newcomers are reported."""
        relations: Relations = {}
        yield from self._ask(LcpPair, self._vpp.pairs, relations)
        yield from self._ask(Bond, self._vpp.bonds, relations)
        now = time.monotonic()
        self._rare_allowed = now + RARE_INTERVAL
        newcomers, self._newcomers = self._newcomers, {}
        if newcomers and self._complete:  # what was there before it was asked is configured
            self._rare_again = [now + delay for delay in ADDRESS_DELAYS]
        self._rare_again = [each for each in self._rare_again if each > now]
        self._rare_due = min([now + self._period, *self._rare_again])
        yield from self._ask_frequent(relations)
        reported, gone = self._differing(relations)
        self._reported |= newcomers
        yield from changes([*reported, *newcomers.values()], gone)
        taps = {
            each.host_sw_if_index
            for each in self._relations[LcpPair].values()
            if isinstance(each, LcpPair)
        }
        yield from self._layer3.follow(self._reported.keys() - taps)
        if not self._complete:
            self._complete = True
            yield from self._layer3.skipped()
            yield Complete(INTERFACES)
        if self._is_whole:
            self._is_whole = False
            yield Inventory()

    def _ask_frequent(self, relations: Relations) -> Iterator[Unavailable | Available]:
        """Ask for those that VPP is asked for without stopping its workers.

        `relations` are those that were asked for just now; what is found goes there too.
        """
        if relations.get(Bond, self._relations[Bond]):
            yield from self._ask(LacpPort, self._vpp.lacp_ports, relations)
        else:
            relations[LacpPort] = {}
        yield from self._ask(BridgeDomain, self._vpp.bridge_domains, relations)
        self._relations_allowed = time.monotonic() + RARE_INTERVAL
        self._relations_due = NEVER  # until the next event; a rare refresh asks for them too

    def _ask(
        self,
        kind: type[Relation],
        question: Callable[[], Mapping[int, Relation]],
        relations: Relations,
    ) -> Iterator[Unavailable | Available]:
        """Ask for one kind, which goes to `relations`."""
        failures = self._layer3.failures
        try:
            relations[kind] = dict(question())
        except UnusableAnswer as error:
            # An index that changed hands takes nothing along: newcomers are not reported yet.
            relations[kind] = {
                key: each
                for key, each in self._relations[kind].items()
                if kind is BridgeDomain or key in self._reported
            }
            yield from failures.failed(KINDS[kind], str(error))
        else:
            yield from failures.passed(KINDS[kind])

    def _differing(self, found: Relations) -> tuple[list[Record], list[tuple[type[Record], int]]]:
        """What is to be reported of these relations, and what is gone."""
        reported: list[Record] = []
        gone: list[tuple[type[Record], int]] = []
        for kind, relations in found.items():
            known = self._relations[kind]
            gone += [(kind, key) for key in known if key not in relations]
            for key, each in relations.items():
                before = known.get(key)
                if before is not each and before != each:
                    reported.append(each)
            self._relations[kind] = relations
        return reported, gone


# --- the process ----------------------------------------------------------------------------


def report(
    pipe: Pipe,
    client: Client,
    stats_socket: str,
    api_pid: int,
    period: float,
    addresses: float,
    neighbors: float,
) -> None:
    """Report one VPP until the parent is gone; what VPP or vpp_papi raise comes out."""
    client.connect("vpp-snmp-agent")
    vpp = Vpp(client)
    pipe.send(Connected(vpp.identity()))
    pipe.send(report_threads(vpp))
    vpp.want_events()
    mapped = send_segment(pipe, stats_socket, api_pid, vpp)
    layer3 = Layer3(vpp, addresses, neighbors)
    interfaces = Interfaces(vpp, layer3, period)
    ping_due = time.monotonic() + PING_INTERVAL

    poll = select.poll()
    poll.register(client.transport.socket, select.POLLIN)
    poll.register(pipe.socket, select.POLLIN)
    while True:
        # An answer may have brought events along: those are in no socket any more.
        client.collect_events()
        due = min(interfaces.due(client.events), layer3.due(), ping_due)
        pause = due - time.monotonic()
        if pause > 0:
            if pipe.socket.fileno() in dict(poll.poll(pause * 1000)):
                if not pipe.is_asked():
                    return
                interfaces.ask_again()
            continue
        for message in interfaces.refresh(client.events):
            pipe.send(message)
        if time.monotonic() >= layer3.due():  # or a link that flaps would keep it waiting
            for message in layer3.refresh(client.events):
                pipe.send(message)
        if time.monotonic() >= ping_due:
            vpp.ping()  # whose answer is passed on, as all that comes from VPP (`received`)
            mapped = mapped or send_segment(pipe, stats_socket, api_pid, vpp)
            ping_due = time.monotonic() + PING_INTERVAL


def main(arguments: list[str]) -> None:
    """The process; it ends by itself only with its VPP."""
    descriptor, api_socket, stats_socket, api_dir, *periods = arguments
    period, addresses, neighbors = map(float, periods)
    pipe = Pipe(int(descriptor))
    os.dup2(2, 1)  # vpp_papi prints
    decode_any_text()
    resource.setrlimit(resource.RLIMIT_DATA, (MAX_MEMORY, MAX_MEMORY))
    client = Client(
        *(api_socket, api_dir),
        received=pipe.send_alive,
        waiting=lambda seconds: pipe.send(Waiting(seconds)),
    )
    api_pid = wait_for_vpp(api_socket, pipe)
    pipe.send(Connecting())
    try:
        report(pipe, client, stats_socket, api_pid, period, addresses, neighbors)
    except Exception as error:  # vpp_papi's boundary: unexpected bytes raise anything there
        if isinstance(error, ConnectionError) or client.hung_up():
            pipe.send_last(Gone())
        if isinstance(error, VPPUnavailable):
            pipe.send_last(Broken(str(error)))
        pipe.send_last(Broken(f"{type(error).__name__}: {error}"))
    pipe.send_last(Gone())
