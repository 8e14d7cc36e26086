"""VPP's binary API: vpp_papi's client made fit for it, and the questions that are asked.

The rules this module keeps:

- vpp_papi is imported here and nowhere else: its types are global to a process and
  first come, so another VPP needs another process.
- Who asks reads the answers, in the same thread.  vpp_papi's receive thread, which is not
  started, would queue a whole dump, and hand over the interpreter for each message of it.
- A dump is read message by message.  Details whose octets are those of last time are not
  decoded: they are the record of last time.
- An event of an interface is an index that somebody has to ask about, nothing else.
- Of the events of one neighbour the last counts, whatever it was before: each says all there is.
- What is asked for of an answer is kept, as a record, and nothing else of it.
- An answer that cannot be used is the failure of one question: what is left of it is read
  to its end, and the next question is asked over the same connection.
- Where releases differ (docs/releases.md), what VPP sends decides, not its version: a fix
  may have been ported back.
- No call has a time limit.  While VPP is waited for that is said, by the time that was spent
  in waiting: what this process takes for itself, or does not run, is no silence of VPP's.
"""

import codecs
import contextlib
import json
import os
import re
import select
import socket
import struct
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import replace
from typing import Any, Generic, TypeVar

from vpp_papi import VPPApiClient, vpp_papi, vpp_serializer
from vpp_papi.vpp_transport_socket import VppTransport

from .records import (
    NO_INDEX,
    Addresses,
    Bond,
    BridgeDomain,
    Identity,
    Interface,
    LacpPort,
    LcpPair,
    Thread,
)

# No VPP sends as much; what does is no VPP, and must not take the machine's memory.
MAX_MESSAGE = 1 << 24  # octets; 26.06 sends its own definitions in 1.6 MB
MAX_THREADS = 1024  # far above what VPP can start
MAX_INDEX = 1 << 24  # a sw_if_index is a place in a vector, with counters for each thread
WAITING_INTERVAL = 0.5  # seconds of waiting for VPP after which that is said, again and again
RECEIVE_SIZE = 1 << 16  # octets taken from the socket at a time
MAX_REQUESTS = 64  # of one dump before its answers are read: they fit any socket's buffer

AGAIN = -165  # VNET_API_ERROR_EAGAIN: a paged dump goes on from its cursor
MAX_PAGES = 100_000
ADMIN_UP, LINK_UP = 1, 2  # vl_api_if_status_flags_t
STATIC = 1  # vl_api_ip_neighbor_flags_t
REMOVED = 2  # vl_api_ip_neighbor_event_flags_t

# The definitions of VPP that are used.  All 1,000 of a VPP take 18 MB and 0.2 s.
MESSAGES = {
    *("show_version", "show_version_reply"),
    *("show_threads", "show_threads_reply"),
    *("want_interface_events", "want_interface_events_reply", "sw_interface_event"),
    *("sw_interface_dump", "sw_interface_details"),
    *("lcp_itf_pair_get", "lcp_itf_pair_get_reply", "lcp_itf_pair_details"),
    *("sw_bond_interface_dump", "sw_bond_interface_details"),
    *("sw_member_interface_dump", "sw_member_interface_details"),
    *("sw_interface_lacp_dump", "sw_interface_lacp_details"),
    *("bridge_domain_dump", "bridge_domain_details"),
    *("ip_address_dump", "ip_address_details"),
    *("ip_neighbor_dump", "ip_neighbor_details"),
    *("want_ip_neighbor_events_v2", "want_ip_neighbor_events_v2_reply", "ip_neighbor_event_v2"),
}
# Where there is no get_api_json (before v24.06), these files of API_DIR hold them.
API_FILES = ["memclnt", "vpe", "vlib", "interface", "bond", "lcp", "lacp", "l2", "*_types"]
API_FILES += ["ip", "ip_neighbor"]

CRC_DIGITS = 8  # behind each message's name in VPP's table
MESSAGE_ID = struct.Struct(">H")
LENGTH = struct.Struct(">8xI4x")  # the header before each message: nothing, length, nothing
HEAD = struct.Struct(">HI")  # of each answer: the message's id and the request's context

# ip_neighbor_details of this name and CRC: age, sw_if_index, flags and MAC, family, address.
# There may be 200,000 of them, for which vpp_papi takes 4 s.
NEIGHBOR_DETAILS = "ip_neighbor_details_e29d79f0"
NEIGHBOR = struct.Struct(">HI8xI7sB16s")
# The same of an event: client index, pid, what happened, then as above.  There may be thousands
# a second: of another layout none is asked for.
NEIGHBOR_EVENT_NAME = "ip_neighbor_event_v2_c1d53dc0"
NEIGHBOR_EVENT = struct.Struct(">H8xII7sB16s")

# By sw_if_index and address: flags << 48 | MAC address, or None where there is no such neighbour.
NeighborEvents = dict[tuple[int, bytes], int | None]

K = TypeVar("K", bound=Interface | LcpPair | LacpPort | BridgeDomain)


class VPPUnavailable(Exception):
    """VPP answers as no VPP does; the text says how."""


class UnusableAnswer(VPPUnavailable):
    """The answer to one question cannot be used; the text names the message.

    Other questions can still be asked over the same connection.
    """


class VPPGone(ConnectionError):
    """VPP closed its API socket."""


# Newlines and escape sequences reach a terminal, the log and sd_notify(3), where a line
# `MAINPID=1` is obeyed; a DisplayString has none (RFC 2579 section 2).
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def _clean(raw: bytes) -> str:
    """What VPP says, in one line: a space for each control character.

    VPP cuts a tag at 63 octets: a character that is cut in two is left out.
    """
    text, _ = codecs.utf_8_decode(raw, "replace", False)
    return text if text.isprintable() else _CONTROL.sub(" ", text)


def _decode_text(
    self: Any, data: Any, offset: int = 0, result: Any = None, ntc: bool = False
) -> Any:
    """vpp_serializer.String.unpack, for whatever octets an operator put into a tag."""
    if self.fixed:
        raw = bytes(data[offset : offset + self.num])
        if len(raw) < self.num:
            raise ValueError("a message ends within a string")
        return _clean(raw.split(b"\0", 1)[0]), self.num
    (length,) = struct.unpack_from(">I", data, offset)
    text = _clean(bytes(data[offset + 4 : offset + 4 + length]))
    # An empty string is reported as of no size, as vpp_papi's own does.
    return text, length + 4 if length else 0


def decode_any_text() -> None:
    """From now on a text is read whatever octets an operator put into it."""
    vpp_serializer.String.unpack = _decode_text


class Transport(VppTransport):  # type: ignore[misc]
    """vpp_papi's transport, read by who waits for the answer.

    `received` is called each time octets came from VPP, `waiting` each WAITING_INTERVAL for
    which they do not come, with the seconds so far.
    """

    q: Any
    sque: Any

    def __init__(
        self,
        client: "Client",
        path: str,
        received: Callable[[], None],
        waiting: Callable[[float], None],
    ) -> None:
        super().__init__(client, read_timeout=0, server_address=path)
        self._received = received
        self._waiting = waiting
        self._inbox = b""
        self._at = 0  # of what is not read yet

    def msg_thread_func(self) -> None:
        """Nothing: the caller reads."""

    def connect(self, *arguments: Any, **more: Any) -> Any:
        """As vpp_papi's, without the queues between its threads."""
        result = super().connect(*arguments, **more)
        self.sque.close()
        self.q.close()
        self.sque = self.q = None
        return result

    def write(self, buf: bytes) -> None:
        """Send a message to VPP."""
        self.write_all([buf])

    def write_all(self, messages: Iterable[bytes]) -> None:
        """Send messages to VPP at one go; VPPGone if it went."""
        frames = (self.header.pack(0, len(each), 0) + each for each in messages)
        try:
            self.socket.sendall(b"".join(frames))
        except BrokenPipeError as error:
            raise VPPGone("VPP closed its API socket") from error

    def read(self, timeout: float | None = None) -> bytes:
        """The next answer; events are noted.  Waits for it as long as it takes."""
        while self.parent.take_event(message := self.next_message()):
            pass
        return message

    def _read(self) -> bytes:
        """What vpp_papi calls before it is connected."""
        return self.next_message()

    def next_message(self) -> bytes:
        """The next message, whatever it is; VPPGone where no more will come."""
        while True:
            start = self._at + LENGTH.size
            if start <= len(self._inbox):
                end = start + LENGTH.unpack_from(self._inbox, self._at)[0]
                if end <= len(self._inbox):
                    self._at = end
                    return self._inbox[start:end]
                self._receive(end - self._at)
            else:
                self._receive(LENGTH.size)

    def waiting(self) -> Iterator[bytes]:
        """The messages that have come by now; does not wait for more."""
        while True:
            unread = len(self._inbox) - self._at
            if unread < LENGTH.size:
                return
            if unread < LENGTH.size + LENGTH.unpack_from(self._inbox, self._at)[0]:
                return
            yield self.next_message()

    def receive_waiting(self) -> None:
        """Take what is in the socket, RECEIVE_SIZE at most; does not wait."""
        try:
            self._add(self.socket.recv(RECEIVE_SIZE, socket.MSG_DONTWAIT))
        except BlockingIOError:
            return

    def _receive(self, size: int) -> None:
        """Wait until so many octets are unread."""
        if size > MAX_MESSAGE:
            raise VPPUnavailable(f"VPP announces a message of {size - LENGTH.size} octets")
        inbox = bytearray(self._inbox[self._at :])
        self._inbox, self._at = b"", 0
        while len(inbox) < size:
            self._wait()
            data = self.socket.recv(RECEIVE_SIZE)
            if not data:
                raise VPPGone("VPP closed its API socket")
            self._received()
            inbox += data
        self._inbox = bytes(inbox)

    def _wait(self) -> None:
        """Wait until VPP sends something, or hangs up."""
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        waited = 0.0
        # A process that was stopped in between has waited for one interval, not for all the time.
        while not poll.poll(WAITING_INTERVAL * 1000):
            waited += WAITING_INTERVAL
            self._waiting(waited)

    def _add(self, data: bytes) -> None:
        if not data:
            raise VPPGone("VPP closed its API socket")
        self._received()
        self._inbox, self._at = self._inbox[self._at :] + data, 0


class Client(VPPApiClient):  # type: ignore[misc]
    """vpp_papi's client, for any release, with dumps that are read as they come."""

    def __init__(
        self,
        path: str,
        api_dir: str,
        received: Callable[[], None] = lambda: None,
        waiting: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        """`received` and `waiting`: as of Transport."""
        super().__init__(bootstrapapi=True, server_address=path, read_timeout=0, async_thread=False)
        self.transport = Transport(self, path, received, waiting)
        self._api_dir = api_dir
        self._end = b""  # of the dump that is under way: how the message that ends it begins
        self.events: set[int] = set()  # each sw_if_index of which VPP reported an event
        self.neighbor_events: NeighborEvents = {}  # what VPP reported of each
        self._neighbor_event_id: int | None = None
        self._takes_neighbor_events = False

    def get_api_definitions(self) -> None:
        """VPP's own definitions where it offers them, those of its package where not."""
        self._register_functions(do_async=False)
        files = vpp_papi.VPPApiJSONFiles
        if hasattr(self.api, "get_api_json"):
            reply = self.api.get_api_json()
            if reply.retval:
                raise VPPUnavailable(f"VPP refused get_api_json: {reply.retval}")
            modules = [_restricted(each) for each in json.loads(reply.json)]
            messages, services = files.process_json_array_str(json.dumps(modules))
        else:
            found = files.find_api_files(self._api_dir, API_FILES)
            if not found:
                raise VPPUnavailable(
                    f"this VPP is older than 24.06 and {self._api_dir} holds no *.api.json:"
                    " install the files that come with VPP, or name their directory with --api-dir"
                )
            _, messages, services = files.load_api(apifiles=found)
        self.messages.update(messages)
        self.services.update(services)

    def take_event(self, message: bytes) -> bool:
        """Whether the message answers no request; if it is an interface's event, it is noted."""
        if len(message) < MESSAGE_ID.size:
            raise VPPUnavailable(f"VPP sent a message of {len(message)} octets")
        (number,) = MESSAGE_ID.unpack_from(message)
        if number == self._neighbor_event_id:
            if self._takes_neighbor_events:
                self._take_neighbor_event(message)
            return True
        definition = self.id_msgdef[number] if number < len(self.id_msgdef) else None
        if definition is None:
            raise VPPUnavailable(f"VPP sent a message of the unknown id {number}")
        if "context" in definition.field_by_name:
            return False
        if definition.name == "sw_interface_event":
            self.events.add(_index(definition.unpack(message, ntc=True)[0].sw_if_index))
        return True

    def take_neighbor_events(self) -> bool:
        """From now on note them; whether VPP has them as they are understood here."""
        self._neighbor_event_id = self.transport.message_table.get(NEIGHBOR_EVENT_NAME)
        self._takes_neighbor_events = self._neighbor_event_id is not None
        return self._takes_neighbor_events

    def ignore_neighbor_events(self) -> None:
        """Note no more of them, and forget those that were."""
        self._takes_neighbor_events = False
        self.neighbor_events.clear()

    def _take_neighbor_event(self, message: bytes) -> None:
        _, happened, index, state, family, address = NEIGHBOR_EVENT.unpack(message)
        key = (_index(index), address if family else address[:4])
        self.neighbor_events[key] = None if happened & REMOVED else int.from_bytes(state, "big")

    def collect_events(self) -> None:
        """Note the events that have come by now."""
        self.transport.receive_waiting()
        for message in self.transport.waiting():
            self.take_event(message)

    def has(self, name: str) -> bool:
        """Whether VPP knows a request, defined as here or not, or its plugin is off."""
        return self._offered(name) is not None

    def _offered(self, name: str) -> str | None:
        """A message of VPP's by its name, with the CRC that VPP has for it."""
        length = len(name) + 1 + CRC_DIGITS
        for offered in self.transport.message_table:
            if len(offered) == length and offered.startswith(f"{name}_"):
                return str(offered)
        return None

    def dump(self, name: str, *requests: dict[str, Any]) -> Generator[bytes, None, bytes]:
        """The details that answer the requests, all of them `name`, one by one as they come.

        Returned is the message that ends them.  No other call may be made in between.
        """
        context = self.get_context()
        self._id(name)
        service, transport = self.services[name], self.transport
        asked = [self._pack(name, context, each) for each in requests]
        if "stream_msg" in service:
            details, last = self._id(service["stream_msg"]), self._id(service["reply"])
        else:
            # VPP answers in the order in which it is asked: a ping's reply is behind them all.
            details, last = self._id(service["reply"]), self._id("control_ping_reply")
            asked.append(self._pack("control_ping", context, {}))
        head, end = HEAD.pack(details, context), HEAD.pack(last, context)
        transport.write_all(asked)
        self._end = end
        next_message = transport.next_message
        while True:
            message: bytes = next_message()
            if message.startswith(head):
                yield message
            elif message.startswith(end):
                self._end = b""
                return message
            else:
                self.take_event(message)  # or the answer to no question of ours

    def skip_dump(self) -> None:
        """Read a dump that was given up to its end, if one is under way."""
        while self._end:
            message = self.transport.next_message()
            if message.startswith(self._end):
                self._end = b""
            else:
                self.take_event(message)

    @contextlib.contextmanager
    def question(self, name: str) -> Iterator[None]:
        """Turn what goes wrong with the answer to `name` into UnusableAnswer.

        What ends the connection comes out as it is: VPPGone, VPPUnavailable.
        """
        try:
            yield
        except UnusableAnswer:
            self.skip_dump()
            raise
        except (ConnectionError, VPPUnavailable, MemoryError):
            raise
        except Exception as error:  # vpp_papi's boundary: unexpected octets raise anything there
            self.skip_dump()
            raise UnusableAnswer(f"{name}: {type(error).__name__}: {error}") from error

    def decode(self, message: bytes) -> Any:
        """A message as vpp_papi has it, its numbers left as they are."""
        (number,) = MESSAGE_ID.unpack_from(message)
        # The conversions would make an enum and an address object of every number.
        return self.id_msgdef[number].unpack(message, ntc=True)[0]

    def _id(self, name: str) -> int:
        if name not in self.messages:
            raise UnusableAnswer(f"{name}: no definition of it in {self._api_dir}")
        with_crc = f"{name}_{self.messages[name].crc[2:]}"
        number = self.transport.get_msg_index(with_crc)
        if not number:
            offered = self._offered(name) or "no such message"
            raise UnusableAnswer(f"{name}: defined as {with_crc}, but VPP has {offered}")
        return int(number)

    def _pack(self, name: str, context: int, fields: dict[str, Any]) -> bytes:
        head = {"_vl_msg_id": self._id(name), "context": context}
        head["client_index"] = self.transport.socket_index
        return bytes(self.messages[name].pack(head | fields))

    def hung_up(self) -> bool:
        """Whether VPP closed the connection."""
        poll = select.poll()
        if self.transport.socket is None or self.transport.socket.fileno() < 0:
            return True
        poll.register(self.transport.socket, 0)
        return bool(poll.poll(0))


def _restricted(module: dict[str, Any]) -> dict[str, Any]:
    """A module of VPP's definitions without the messages that are not used."""
    messages = [each for each in module.get("messages", ()) if each[0] in MESSAGES]
    services = {name: each for name, each in module.get("services", {}).items() if name in MESSAGES}
    return module | {"messages": messages, "services": services}


def _index(sw_if_index: int) -> int:
    if sw_if_index > MAX_INDEX:
        raise UnusableAnswer(f"VPP reports a sw_if_index {sw_if_index}")
    return sw_if_index


# --- from details to records ---------------------------------------------------------------


class Details(Generic[K]):
    """The records of one kind, decoded only where VPP's octets are not those of last time."""

    def __init__(self, client: Client, record: Callable[[Any], K]) -> None:
        """`record` makes one of what vpp_papi decoded."""
        self._client = client
        self._record = record
        # By their first four octets, which are the key in all of these messages; if they
        # were not, details of one key would be decoded each time.
        self._known: dict[bytes, tuple[bytes, K]] = {}

    def whole(self, messages: Iterable[bytes]) -> dict[int, K]:
        """The records of all there are, by key; others are forgotten."""
        known, self._known = self._known, {}
        return {each.key: each for each in self._read(messages, known)}

    def some(self, messages: Iterable[bytes]) -> dict[int, K]:
        """The records of some, by key; the others stay known."""
        return {each.key: each for each in self._read(messages, self._known)}

    def _read(self, messages: Iterable[bytes], known: dict[bytes, tuple[bytes, K]]) -> Iterator[K]:
        for message in messages:
            octets = message[HEAD.size :]
            entry = known.get(octets[:4])
            if entry is None or entry[0] != octets:
                entry = (octets, self._record(self._client.decode(message)))
            self._known[octets[:4]] = entry
            yield entry[1]


def interface(details: Any) -> Interface:
    """What is asked for of sw_interface_details."""
    return Interface(
        sw_if_index=_index(details.sw_if_index),
        sup_sw_if_index=details.sup_sw_if_index,
        interface_name=details.interface_name,
        interface_dev_type=sys.intern(details.interface_dev_type),
        tag=sys.intern(details.tag),
        l2_address=bytes(details.l2_address),
        admin_up=bool(details.flags & ADMIN_UP),
        link_up=bool(details.flags & LINK_UP),
        link_speed=0 if details.link_speed == NO_INDEX else int(details.link_speed),
        link_duplex=int(details.link_duplex),
        link_mtu=int(details.link_mtu),
        mtu=int(details.mtu[0]),
    )


def thread(data: Any) -> Thread:
    """What is asked for of a thread in show_threads_reply."""
    return Thread(data.id, data.name, data.type, data.pid, data.cpu_id)


def lcp_pair(details: Any) -> LcpPair:
    """What is asked for of lcp_itf_pair_details, its numbers as they were sent.

    22.02 and 22.06 call the Linux namespace `namespace`, later releases `netns`.
    """
    netns = details.netns if hasattr(details, "netns") else details.namespace
    return LcpPair(
        phy_sw_if_index=details.phy_sw_if_index,
        host_sw_if_index=details.host_sw_if_index,
        vif_index=details.vif_index,
        host_if_name=details.host_if_name,
        netns=sys.intern(netns),
    )


def in_host_order(pairs: dict[int, LcpPair]) -> dict[int, LcpPair]:
    """The pairs of a VPP that sends their numbers in host byte order, as 22.02 does.

    That is to be seen in the numbers alone: 22.06 has the same message, and its CRC too.  In
    the wrong order an index below MAX_INDEX is above it unless it is a multiple of 256, which
    no router's pairs all are, TAPs included.
    """
    indexes = {i for each in pairs.values() for i in (each.phy_sw_if_index, each.host_sw_if_index)}
    if max(indexes - {NO_INDEX}, default=0) <= MAX_INDEX:
        return pairs
    turned = (
        replace(
            each,
            phy_sw_if_index=_turned(each.phy_sw_if_index),
            host_sw_if_index=_turned(each.host_sw_if_index),
            vif_index=_turned(each.vif_index),
        )
        for each in pairs.values()
    )
    return {each.key: each for each in turned}


def _turned(number: int) -> int:
    """What was meant by a u32 that was sent in host byte order."""
    return int.from_bytes(number.to_bytes(4, "big"), sys.byteorder)


def lacp_port(details: Any) -> LacpPort:
    """What is asked for of sw_interface_lacp_details."""
    return LacpPort(
        sw_if_index=details.sw_if_index,
        actor_system_priority=details.actor_system_priority,
        actor_system=bytes(details.actor_system),
        actor_key=details.actor_key,
        actor_port_priority=details.actor_port_priority,
        actor_port_number=details.actor_port_number,
        actor_state=details.actor_state,
        partner_system_priority=details.partner_system_priority,
        partner_system=bytes(details.partner_system),
        partner_key=details.partner_key,
        partner_port_priority=details.partner_port_priority,
        partner_port_number=details.partner_port_number,
        partner_state=details.partner_state,
    )


def bridge_domain(details: Any) -> BridgeDomain:
    """What is asked for of bridge_domain_details."""
    return BridgeDomain(
        bd_id=details.bd_id,
        bvi_sw_if_index=details.bvi_sw_if_index,
        members=tuple(member.sw_if_index for member in details.sw_if_details),
    )


# --- the questions --------------------------------------------------------------------------


class Vpp:
    """The questions, each answered by records; a plugin that is off has none.

    Each raises UnusableAnswer, after which the next one can be asked; VPPGone or VPPUnavailable
    where the connection is of no use any more.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._api = client.api
        self._interfaces = Details(client, interface)
        self._pairs = Details(client, lcp_pair)
        self._lacp_ports = Details(client, lacp_port)
        self._bridge_domains = Details(client, bridge_domain)

    def _checked(self, reply: Any, name: str) -> Any:
        if reply.retval:
            raise UnusableAnswer(f"VPP refused {name}: {reply.retval}")
        return reply

    def identity(self) -> Identity:
        """Which VPP this is."""
        version = self._checked(self._api.show_version(), "show_version")
        return Identity(version.version, version.build_date, self.ping())

    def threads(self) -> tuple[Thread, ...]:
        """show_threads; none where VPP does not answer that, but the ping behind it."""
        if not self._client.has("show_threads"):
            return ()
        found: list[Thread] = []
        with self._client.question("show_threads_reply"):
            for message in self._client.dump("show_threads", {}):
                reply = self._checked(self._client.decode(message), "show_threads")
                found += map(thread, reply.thread_data)
                if len(found) > MAX_THREADS:
                    raise UnusableAnswer(f"VPP reports {len(found)} threads")
        return tuple(found)

    def ping(self) -> int:
        """VPP's process id."""
        return int(self._checked(self._api.control_ping(), "control_ping").vpe_pid)

    def want_events(self) -> None:
        """From now on sw_interface_event reports changes."""
        reply = self._api.want_interface_events(enable_disable=True, pid=os.getpid())
        self._checked(reply, "want_interface_events")

    def interfaces(self) -> dict[int, Interface]:
        """sw_interface_dump of all."""
        with self._client.question("sw_interface_details"):
            return self._interfaces.whole(
                self._client.dump("sw_interface_dump", {"sw_if_index": NO_INDEX})
            )

    def interfaces_named(self, indexes: Iterable[int]) -> dict[int, Interface]:
        """sw_interface_dump of each; without those that are gone.  0 is all, to VPP."""
        found: dict[int, Interface] = {}
        for some in _portions([{"sw_if_index": index} for index in indexes]):
            found |= self._interfaces.some(self._client.dump("sw_interface_dump", *some))
        return found

    def pairs(self) -> dict[int, LcpPair]:
        """lcp_itf_pair_get; stops VPP's workers."""
        if not self._client.has("lcp_itf_pair_get"):
            return {}
        with self._client.question("lcp_itf_pair_details"):
            pairs = self._pairs.whole(self._pages("lcp_itf_pair_get"))
            if "namespace" in self._client.messages["lcp_itf_pair_details"].field_by_name:
                pairs = in_host_order(pairs)
            for each in pairs.values():
                _index(each.phy_sw_if_index)
        return pairs

    def _pages(self, name: str) -> Iterator[bytes]:
        """The details of a paged dump."""
        cursor = 0
        for _ in range(MAX_PAGES):
            reply = self._client.decode((yield from self._client.dump(name, {"cursor": cursor})))
            if reply.retval != AGAIN:
                self._checked(reply, name)
                return
            cursor = reply.cursor
        raise UnusableAnswer(f"{name} does not come to an end")

    def bonds(self) -> dict[int, Bond]:
        """sw_bond_interface_dump and sw_member_interface_dump; stops VPP's workers."""
        client = self._client
        if not client.has("sw_bond_interface_dump"):
            return {}
        asked = {"sw_if_index": NO_INDEX}
        with client.question("sw_bond_interface_details"):
            bonds = [client.decode(each) for each in client.dump("sw_bond_interface_dump", asked)]
            modes = {bond.sw_if_index: int(bond.mode) for bond in bonds}
        found = {}
        for index, mode in modes.items():
            with client.question("sw_member_interface_details"):
                members = client.dump("sw_member_interface_dump", {"sw_if_index": index})
                indexes = tuple(client.decode(each).sw_if_index for each in members)
            found[index] = Bond(sw_if_index=index, mode=mode, members=indexes)
        return found

    def lacp_ports(self) -> dict[int, LacpPort]:
        """sw_interface_lacp_dump."""
        if not self._client.has("sw_interface_lacp_dump"):
            return {}
        with self._client.question("sw_interface_lacp_details"):
            return self._lacp_ports.whole(self._client.dump("sw_interface_lacp_dump", {}))

    def bridge_domains(self) -> dict[int, BridgeDomain]:
        """bridge_domain_dump."""
        if not self._client.has("bridge_domain_dump"):
            return {}
        asked = {"bd_id": NO_INDEX, "sw_if_index": NO_INDEX}
        with self._client.question("bridge_domain_details"):
            return self._bridge_domains.whole(self._client.dump("bridge_domain_dump", asked))

    @property
    def has_addresses(self) -> bool:
        """Whether VPP can be asked for them."""
        return self._client.has("ip_address_dump")

    @property
    def has_neighbors(self) -> bool:
        """Whether VPP can be asked for them."""
        return self._client.has("ip_neighbor_dump")

    def addresses(self, indexes: list[int]) -> list[Addresses]:
        """ip_address_dump of each, of both families, at most MAX_REQUESTS / 2 at a time.

        Stops VPP's workers before v25.02.
        """
        found: dict[int, list[tuple[bytes, int]]] = {index: [] for index in indexes}
        asked = [
            {"sw_if_index": index, "is_ipv6": is_ipv6}
            for is_ipv6 in (False, True)  # the answers come in this order
            for index in indexes
        ]
        with self._client.question("ip_address_details"):
            for message in self._client.dump("ip_address_dump", *asked):
                details = self._client.decode(message)
                prefix = details.prefix
                un = prefix.address.un
                address = bytes(un.ip6 if prefix.address.af else un.ip4)
                if details.sw_if_index not in found:
                    raise UnusableAnswer(
                        f"VPP was not asked for addresses of the sw_if_index {details.sw_if_index}"
                    )
                found[details.sw_if_index].append((address, prefix.len))
        return [Addresses(index, tuple(each)) for index, each in found.items()]

    def neighbors(self) -> Iterator[tuple[int, bytes, int]]:
        """ip_neighbor_dump of all interfaces and both families; stops VPP's workers.

        Yields, as VPP sends them: sw_if_index, address, flags << 48 | MAC address.
        """
        with self._client.question("ip_neighbor_details"):
            yield from self._neighbors()

    def want_neighbor_events(self) -> bool:
        """Whether from now on `neighbor_events` has each neighbour that comes, changes or goes.

        Each release has the messages; of a VPP that has them otherwise, or refuses, none come.
        """
        client, name = self._client, "want_ip_neighbor_events_v2"
        asked = [  # all addresses of each family, on all interfaces
            {"enable": True, "pid": os.getpid(), "ip": each, "sw_if_index": NO_INDEX}
            for each in ("0.0.0.0", "::")
        ]
        if not client.take_neighbor_events():
            return False
        try:
            with client.question(name):
                replies = [client.decode(each).retval for each in client.dump(name, *asked)]
        except UnusableAnswer:
            replies = []
        if replies == [0, 0]:
            return True
        client.ignore_neighbor_events()
        return False

    @property
    def neighbor_events(self) -> NeighborEvents:
        """What VPP reported since; who has applied one removes it."""
        return self._client.neighbor_events

    def _neighbors(self) -> Iterator[tuple[int, bytes, int]]:
        asked = [{"sw_if_index": NO_INDEX, "af": family} for family in (0, 1)]
        messages = self._client.dump("ip_neighbor_dump", *asked)
        if NEIGHBOR_DETAILS not in self._client.transport.message_table:
            for message in messages:
                of = self._client.decode(message).neighbor
                un = of.ip_address.un
                address = bytes(un.ip6 if of.ip_address.af else un.ip4)
                mac_address = int.from_bytes(bytes(of.mac_address), "big")
                yield of.sw_if_index, address, int(of.flags) << 48 | mac_address
            return
        unpack, number = NEIGHBOR.unpack, int.from_bytes
        for message in messages:
            _, _, index, state, family, address = unpack(message)
            yield index, address if family else address[:4], number(state, "big")


def _portions(requests: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(requests), MAX_REQUESTS):
        yield requests[start : start + MAX_REQUESTS]
