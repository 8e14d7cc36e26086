"""The child process that talks to one VPP over its binary API, for as long as that VPP lives.

    python -m vpp_snmp_agent.vpp.reporter PIPE API_SOCKET STATS_SOCKET API_DIR PERIOD \
        ADDRESSES NEIGHBORS

The last three are seconds between two dumps, of what no event tells; 0 for never.
It waits for VPP, connects, dumps, listens for events, hands each change of what VPP told
down PIPE (a SOCK_SEQPACKET descriptor), and ends with its VPP or with its parent.

The rules this module keeps:

- vpp_papi is imported here and nowhere else: its types are global to a process and
  first come, so another VPP needs another process.
- No call has a time limit.  A VPP that hangs is waited for, silently; the parent sees the
  silence, and ends this process when another VPP is there.
- What a call that failed left behind is told to nobody: the process ends instead.
- Addresses and neighbours are asked for last, a few at a time: nothing else waits for them.
- What stops VPP's workers (lcp_itf_pair_get, the bond and member dumps) is called at most
  once in `RARELY` seconds, after the set of interfaces changed, and once each period.
"""

import contextlib
import ctypes
import os
import queue
import resource
import select
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from vpp_papi import VPPApiClient, vpp_papi, vpp_serializer
from vpp_papi.vpp_transport_socket import VppTransport

from . import inventory
from .inventory import (
    ADDRESSES,
    NEIGHBORS,
    NO_INDEX,
    Alive,
    Asked,
    Bond,
    BridgeDomain,
    Broken,
    Connected,
    Connecting,
    Gone,
    Identity,
    Interface,
    IpAddress,
    IpNeighbor,
    Key,
    LacpPort,
    LcpPair,
    Mapped,
    Message,
    Record,
    Unmapped,
    Unreachable,
)
from .stats import SegmentUnavailable, peer_pid, receive_segment

RETRY = 0.25  # seconds between two looks for a VPP that is not there
HEARTBEAT = 1.0  # seconds between two questions to a VPP that has nothing to tell
PACE = 0.25  # seconds between two dumps, however many events come
RARELY = 1.0  # seconds between two dumps that stop the workers
STEP = 10  # interfaces asked for their addresses at a stretch
PAUSE = 0.05  # seconds between two such stretches: before v25.02 they stop the workers
NEWCOMER = 5.0  # seconds that an interface may take to be given its addresses
HANDOVER = 0.5  # seconds that VPP may take to hand over its segment

# No VPP sends as much; what does is no VPP, and must not take the machine's memory.
LONGEST_MESSAGE = 1 << 24  # octets; 26.06 tells its own definitions in 1.6 MB
MOST_MEMORY = 1 << 29  # octets of this process; 10,000 interfaces take a tenth of it
LAST_INDEX = 1 << 24  # a sw_if_index is a place in a vector, with counters for each thread

AGAIN = -165  # VNET_API_ERROR_EAGAIN: a paged dump goes on from its cursor
MAX_PAGES = 100_000
LACP_MODE = 5
COLLECTING_AND_DISTRIBUTING = 0x30  # IEEE 802.3 43.4.2.2, in actor_state
ADMIN_UP, LINK_UP = 1, 2  # vl_api_if_status_flags_t

# Where there is no get_api_json (before v24.06), these files of API_DIR tell enough.
API_FILES = ["memclnt", "vpe", "vlib", "interface", "bond", "lcp", "lacp", "l2", "*_types"]
API_FILES += ["ip", "ip_neighbor"]
STATIC = 1  # vl_api_ip_neighbor_flags_t

Records = dict[type[Record], dict[Key, Record]]


class VPPUnavailable(Exception):
    """VPP went away, or answers as no VPP does; the text says which."""


def _decode_text(
    self: Any, data: Any, offset: int = 0, result: Any = None, ntc: bool = False
) -> Any:
    """vpp_serializer.String.unpack, for whatever octets an operator put into a tag."""
    if self.fixed:
        raw = bytes(data[offset : offset + self.num])
        if len(raw) < self.num:
            raise ValueError("a message ends within a string")
        return raw.split(b"\0", 1)[0].decode("utf-8", "replace"), self.num
    (length,) = struct.unpack_from(">I", data, offset)
    text = bytes(data[offset + 4 : offset + 4 + length]).decode("utf-8", "replace")
    # An empty string is reported as of no size, as vpp_papi's own does.
    return text, length + 4 if length else 0


class Answers(queue.SimpleQueue[Any]):
    """What VPP answered, from vpp_papi's receive thread to the caller."""

    def close(self) -> None:
        """As of a multiprocessing.Queue, which has something to close."""

    def join_thread(self) -> None:
        """As of a multiprocessing.Queue, which has a thread."""


class Transport(VppTransport):  # type: ignore[misc]
    """vpp_papi's transport, whose answers do not leave the process, nor are longer than any is.

    The original sends each of them to itself: pickled, through a pipe, by a third thread.
    """

    def __init__(self, client: VPPApiClient, path: str) -> None:
        self._answers = Answers()
        super().__init__(client, read_timeout=0, server_address=path)

    @property
    def q(self) -> Answers:
        """Where the receive thread puts answers."""
        return self._answers

    @q.setter
    def q(self, original: Any) -> None:
        original.close()

    def _read_fixed(self, size: int) -> Any:
        if size > LONGEST_MESSAGE:
            raise VPPUnavailable(f"VPP announces a message of {size} octets")
        return super()._read_fixed(size)


class sw_interface_details(NamedTuple):  # noqa: N801
    """What takes the place of its namesake, which vpp_papi knows by its name and its context."""

    context: int
    interface: Interface


def in_short(told: Any) -> Interface:
    """What is asked for of sw_interface_details."""
    if told.sw_if_index > LAST_INDEX:
        raise VPPUnavailable(f"VPP tells of a sw_if_index {told.sw_if_index}")
    return Interface(
        sw_if_index=told.sw_if_index,
        sup_sw_if_index=told.sup_sw_if_index,
        interface_name=told.interface_name,
        interface_dev_type=told.interface_dev_type,
        tag=told.tag,
        l2_address=bytes(told.l2_address),
        admin_up=bool(told.flags & ADMIN_UP),
        link_up=bool(told.flags & LINK_UP),
        link_speed=0 if told.link_speed == NO_INDEX else int(told.link_speed),
        link_duplex=int(told.link_duplex),
        link_mtu=int(told.link_mtu),
        mtu=int(told.mtu[0]),
    )


class Client(VPPApiClient):  # type: ignore[misc]
    """vpp_papi's client, for any release, and quicker at receiving."""

    def __init__(self, path: str, api_dir: str) -> None:
        super().__init__(bootstrapapi=True, server_address=path, read_timeout=0, async_thread=False)
        self.transport = Transport(self, path)
        self._api_dir = api_dir
        self.interfaces: dict[int, Record] = {}  # as the last dump told them

    def get_api_definitions(self) -> None:
        """VPP's own definitions where it offers them, those of its package where not."""
        self._register_functions(do_async=False)
        if hasattr(self.api, "get_api_json"):
            super().get_api_definitions()
            return
        files = vpp_papi.VPPApiJSONFiles.find_api_files(self._api_dir, API_FILES)
        if not files:
            raise VPPUnavailable(
                f"this VPP is older than 24.06 and {self._api_dir} holds no *.api.json:"
                " install the files that come with VPP, or name their directory with --api-dir"
            )
        _, messages, services = vpp_papi.VPPApiJSONFiles.load_api(apifiles=files)
        self.messages.update(messages)
        self.services.update(services)

    def has_context(self, msg: bytes) -> bool:
        """Whether the message answers a request.

        The original defines a new type for each message received: half the cost of a dump.
        """
        if len(msg) < 10:
            return False
        (number,) = struct.unpack_from(">H", msg)
        definition = self.id_msgdef[number]
        return definition is not None and "context" in definition.field_by_name

    def read_blocking(self, no_type_conversion: bool = False, timeout: float | None = None) -> Any:
        """As vpp_papi's, but of an interface no more than is asked for.

        A dump is a list of them all.  Whole, and made anew each time, ten thousand fill
        memory with holes that stay.
        """
        message = super().read_blocking(no_type_conversion, timeout)
        if type(message).__name__ != sw_interface_details.__name__:
            return message
        told = in_short(message)
        known = self.interfaces.get(told.sw_if_index)
        return sw_interface_details(message.context, known if known == told else told)

    def hung_up(self) -> bool:
        """Whether VPP closed the connection."""
        poll = select.poll()
        if self.transport.socket is None or self.transport.socket.fileno() < 0:
            return True
        poll.register(self.transport.socket, 0)
        return bool(poll.poll(0))


class Pipe:
    """The way to the parent."""

    def __init__(self, descriptor: int) -> None:
        self.socket = socket.socket(fileno=descriptor)

    def tell(self, message: Message, descriptors: tuple[int, ...] = ()) -> None:
        """Hand on a message; ends the process if nobody is there to take it."""
        try:
            socket.send_fds(self.socket, [inventory.pack(message)], descriptors)
        except OSError:
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


# --- dumping ----------------------------------------------------------------------------------


class Vpp:
    """The questions, each answered by records."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._api = client.api

    def _checked(self, reply: Any, name: str) -> Any:
        if reply.retval:
            raise VPPUnavailable(f"VPP refused {name}: {reply.retval}")
        return reply

    def identity(self) -> Identity:
        """Which VPP this is."""
        version = self._checked(self._api.show_version(), "show_version")
        return Identity(version.version, version.build_date, self.ping())

    def ping(self) -> int:
        """VPP's process id."""
        return int(self._checked(self._api.control_ping(), "control_ping").vpe_pid)

    def want_events(self) -> None:
        """From now on sw_interface_event tells of changes."""
        reply = self._api.want_interface_events(enable_disable=True, pid=os.getpid())
        self._checked(reply, "want_interface_events")

    def interfaces(self) -> dict[int, Record]:
        """sw_interface_dump."""
        # The conversions would make an enum and an address object of every number.
        details = self._api.sw_interface_dump(
            sw_if_index=NO_INDEX, name_filter_valid=False, _no_type_conversion=True
        )
        told = {each.interface.sw_if_index: each.interface for each in details}
        self._client.interfaces = told
        return told

    def pairs(self) -> dict[int, Record]:
        """lcp_itf_pair_get, page by page; empty without the plugin."""
        found: dict[int, Record] = {}
        if not hasattr(self._api, "lcp_itf_pair_get"):
            return found
        cursor = 0
        for _ in range(MAX_PAGES):
            reply, details = self._api.lcp_itf_pair_get(cursor=cursor)
            for each in details:
                found[each.phy_sw_if_index] = LcpPair(
                    phy_sw_if_index=each.phy_sw_if_index,
                    host_sw_if_index=each.host_sw_if_index,
                    vif_index=each.vif_index,
                    host_if_name=each.host_if_name,
                    netns=each.netns,
                )
            if reply.retval != AGAIN:
                self._checked(reply, "lcp_itf_pair_get")
                return found
            cursor = reply.cursor
        raise VPPUnavailable("lcp_itf_pair_get does not come to an end")

    def bonds_and_members(self) -> dict[int, tuple[Any, tuple[int, ...]]]:
        """sw_bond_interface_dump and sw_member_interface_dump: (details, members) by bond."""
        if not hasattr(self._api, "sw_bond_interface_dump"):
            return {}
        return {
            bond.sw_if_index: (
                bond,
                tuple(
                    member.sw_if_index
                    for member in self._api.sw_member_interface_dump(sw_if_index=bond.sw_if_index)
                ),
            )
            for bond in self._api.sw_bond_interface_dump(sw_if_index=NO_INDEX)
        }

    def lacp_ports(self) -> dict[int, Record] | None:
        """sw_interface_lacp_dump; None without the plugin."""
        if not hasattr(self._api, "sw_interface_lacp_dump"):
            return None
        return {
            each.sw_if_index: LacpPort(
                sw_if_index=each.sw_if_index,
                actor_system_priority=each.actor_system_priority,
                actor_system=bytes(each.actor_system),
                actor_key=each.actor_key,
                actor_port_priority=each.actor_port_priority,
                actor_port_number=each.actor_port_number,
                actor_state=each.actor_state,
                partner_system_priority=each.partner_system_priority,
                partner_system=bytes(each.partner_system),
                partner_key=each.partner_key,
                partner_port_priority=each.partner_port_priority,
                partner_port_number=each.partner_port_number,
                partner_state=each.partner_state,
            )
            for each in self._api.sw_interface_lacp_dump(_no_type_conversion=True)
        }

    def bridge_domains(self) -> dict[int, Record]:
        """bridge_domain_dump."""
        if not hasattr(self._api, "bridge_domain_dump"):
            return {}
        details = self._api.bridge_domain_dump(bd_id=NO_INDEX, sw_if_index=NO_INDEX)
        return {
            each.bd_id: BridgeDomain(
                bd_id=each.bd_id,
                bvi_sw_if_index=each.bvi_sw_if_index,
                members=tuple(member.sw_if_index for member in each.sw_if_details),
            )
            for each in details
        }

    @property
    def tells_addresses(self) -> bool:
        """Whether it can be asked for them."""
        return hasattr(self._api, "ip_address_dump")

    @property
    def tells_neighbors(self) -> bool:
        """Whether it can be asked for them."""
        return hasattr(self._api, "ip_neighbor_dump")

    def addresses(self, sw_if_index: int) -> dict[Key, Record]:
        """ip_address_dump of one interface, of both families."""
        found: dict[Key, Record] = {}
        for is_ipv6 in (False, True):
            for each in self._api.ip_address_dump(
                sw_if_index=sw_if_index, is_ipv6=is_ipv6, _no_type_conversion=True
            ):
                un = each.prefix.address.un
                address = bytes(un.ip6 if is_ipv6 else un.ip4)
                told = IpAddress(sw_if_index, address, each.prefix.len)
                found[told.key] = told
        return found

    def neighbors(self) -> dict[Key, Record]:
        """ip_neighbor_dump of all interfaces, of both families."""
        found: dict[Key, Record] = {}
        for family in (0, 1):
            for each in self._api.ip_neighbor_dump(
                sw_if_index=NO_INDEX, af=family, _no_type_conversion=True
            ):
                of = each.neighbor
                address = bytes(of.ip_address.un.ip6 if family else of.ip_address.un.ip4)
                told = IpNeighbor(
                    of.sw_if_index, address, bytes(of.mac_address), bool(of.flags & STATIC)
                )
                found[told.key] = told
        return found


class Layer3:
    """The addresses and neighbours of one VPP, and which questions about them are due."""

    def __init__(self, vpp: Vpp, addresses: float, neighbors: float) -> None:
        """Seconds between two rounds; 0 for never."""
        self._vpp = vpp
        self._every = {ADDRESSES: addresses, NEIGHBORS: neighbors}
        never = float("inf")
        self._addresses_due = 0.0 if addresses and vpp.tells_addresses else never
        self._neighbors_due = 0.0 if neighbors and vpp.tells_neighbors else never
        self._newcomers_due = never
        self._records: dict[type[Record], dict[Key, Any]]
        self._records = {IpAddress: {}, IpNeighbor: {}, Asked: {}}
        self._names: dict[int, str] = {}  # of the interfaces that may have addresses
        self._newcomers: set[int] = set()
        self._to_ask: list[int] = []  # the round that is under way
        self._answered: set[int] = set()
        self._found: dict[Key, Record] = {}
        self._step_at = 0.0

    def due(self) -> float:
        """When `look` is to be called, by time.monotonic."""
        if self._to_ask:
            return self._step_at
        return min(self._addresses_due, self._newcomers_due, self._neighbors_due)

    def interfaces_are(self, names: dict[int, str]) -> Iterator[inventory.Changes]:
        """An index that is another interface's by now has nothing of what was told of it."""
        changed = {index for index, name in self._names.items() if names.get(index) != name}
        new = {index for index, name in names.items() if self._names.get(index) != name}
        self._names = names
        if new and self._addresses_due < float("inf"):
            self._newcomers |= new
            self._newcomers_due = time.monotonic() + NEWCOMER
        if changed:
            self._found = _without(self._found, changed)
            yield from self._tell(
                {kind: _without(self._records[kind], changed) for kind in (IpAddress, IpNeighbor)}
            )

    def look(self) -> Iterator[inventory.Changes]:
        """Ask for some of what is due, and yield how it differs from what was told."""
        now = time.monotonic()
        if not self._to_ask:
            if now >= self._addresses_due:
                self._begin(set(self._names), now)
                self._addresses_due = now + self._every[ADDRESSES]
            elif now >= self._newcomers_due:
                self._begin(self._newcomers & self._names.keys(), now)
            elif now >= self._neighbors_due:
                self._neighbors_due = now + self._every[NEIGHBORS]
                yield from self._tell({IpNeighbor: self._vpp.neighbors()}, NEIGHBORS)
                return
        for index in self._to_ask[:STEP]:
            if index in self._names:
                self._found |= self._vpp.addresses(index)
            self._answered.add(index)
        del self._to_ask[:STEP]
        self._step_at = time.monotonic() + PAUSE
        if not self._to_ask:
            others = _without(self._records[IpAddress], self._answered)
            yield from self._tell({IpAddress: others | self._found}, ADDRESSES)

    def _begin(self, indexes: set[int], now: float) -> None:
        """A round begins."""
        self._to_ask = sorted(indexes)
        self._answered, self._found, self._newcomers = set(), {}, set()
        self._newcomers_due = float("inf")

    def _tell(
        self, after: dict[type[Record], dict[Key, Any]], asked: str = ""
    ) -> Iterator[inventory.Changes]:
        if asked:
            after[Asked] = self._records[Asked] | {asked: Asked(asked)}
        before = {kind: self._records[kind] for kind in after}
        yield from inventory.changes(before, after)
        self._records |= after


def _without(records: dict[Key, Any], interfaces: set[int]) -> dict[Key, Any]:
    """The addresses or neighbours of all other interfaces."""
    return {key: each for key, each in records.items() if each.sw_if_index not in interfaces}


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
    vpp_serializer.String.unpack = _decode_text
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, MOST_MEMORY))
    client = Client(api_socket, api_dir)

    def end(error: BaseException | None) -> None:
        if error is None or client.hung_up():
            pipe.tell(Gone())
        elif isinstance(error, VPPUnavailable):
            pipe.tell(Broken(str(error)))
        else:
            pipe.tell(Broken(f"{type(error).__name__}: {error}"))
        # Not sys.exit: vpp_papi's atexit hook would wait for an answer from VPP.
        os._exit(0)

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
