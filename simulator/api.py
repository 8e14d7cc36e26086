"""Serves VPP's binary API on a stream socket, as vlibmemory/socket_api.c does.

Every message has a 16-byte header before it: u64 (nothing), u32 length, u32 (nothing).
A dump is answered by its details alone: the client's own ping behind it marks the end.

The method called `_<message>` answers that message.  It takes the message's fields and yields
answers: each the values of VPP's answer to it, whose name goes before them where it is another;
or a list of such answers that are packed already, all but their heads.
"""

import os
import selectors
import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .dataplane import Dataplane
from .interface import Interface, Neighbor, Pair
from .messages import ANY, Api

FRAME = struct.Struct(">QII")
CONTEXT = struct.Struct(">HI")  # id, context: how an answer begins
FIRST_CLIENT = 0x80000001
EAGAIN, INVALID_VALUE = -165, -2  # VNET_API_ERROR_*

# Of the state machines in plugins/lacp/node.h: a partner that is heard, and one that is not.
LACP_ACTIVE = (5, 0, 3, 3)
LACP_DEFAULTED = (4, 0, 0, 3)
EVERY = (0, ANY)  # what asks sw_interface_dump for all: VPP takes 0 for that as well
INTERFACE_EVENT, NEIGHBOR_EVENT = "sw_interface_event", "ip_neighbor_event_v2"
ONE_INTERFACE = "sw_interface_dump of one"  # how a dump of one is counted
THREAD = struct.Struct(">I64s64sIIII")  # vl_api_thread_data_t
FIRST_CPU = 2
PARTNER = bytes.fromhex("020000000b0d")

Answers = Iterable[tuple[Any, ...] | list[bytes]]


class ApiClient:
    """One connection: what came in so far, and what still has to go out."""

    def __init__(self, sock: socket.socket, index: int) -> None:
        self.sock = sock
        self.index = index
        self.inbox = bytearray()
        self.outbox = bytearray()
        self.wanted: dict[str, int] = {}  # events, and the process id by which it wants them

    def send(self, message: bytes) -> None:
        self.outbox += FRAME.pack(0, len(message), 0) + message

    def requests(self) -> Iterator[bytes]:
        """The whole messages that came in."""
        while len(self.inbox) >= FRAME.size:
            end = FRAME.size + FRAME.unpack_from(self.inbox)[1]
            if len(self.inbox) < end:
                return
            message = bytes(self.inbox[FRAME.size : end])
            del self.inbox[:end]
            yield message


class ApiServer:
    """The API's clients, and the answers to them."""

    def __init__(
        self, loop: selectors.BaseSelector, listener: socket.socket, plane: Dataplane, api: Api
    ) -> None:
        self.listener = listener
        self.clients: dict[socket.socket, ApiClient] = {}
        self._loop = loop
        self._plane = plane
        self._api = api
        self._json = api.json()
        self._next_client = FIRST_CLIENT
        self._handlers: dict[str, Callable[..., Answers]] = {
            name: getattr(self, f"_{name}") for name in api.messages if hasattr(self, f"_{name}")
        }
        loop.register(listener, selectors.EVENT_READ, self.accept)

    # Connections.

    def accept(self, _: int) -> None:
        sock, _address = self.listener.accept()
        sock.setblocking(False)
        client = self.clients[sock] = ApiClient(sock, self._next_client)
        self._next_client += 1
        self._loop.register(sock, selectors.EVENT_READ, lambda ready: self._ready(client, ready))

    def _ready(self, client: ApiClient, ready: int) -> None:
        try:
            if ready & selectors.EVENT_READ:
                data = client.sock.recv(1 << 16)
                if not data:
                    raise ConnectionResetError
                client.inbox += data
                for message in client.requests():
                    self._answer(client, message)
            self.flush(client)
        except (OSError, struct.error):  # gone, or not speaking the API
            self.drop(client)

    def flush(self, client: ApiClient) -> None:
        while client.outbox:
            try:
                sent = client.sock.send(client.outbox)
            except BlockingIOError:
                break
            del client.outbox[:sent]
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.outbox else 0)
        key = self._loop.get_key(client.sock)
        if key.events != wanted:
            self._loop.modify(client.sock, wanted, key.data)

    def drop(self, client: ApiClient) -> None:
        del self.clients[client.sock]
        self._loop.unregister(client.sock)
        client.sock.close()

    def send_events(self) -> None:
        """Send what happened since last time to the clients that want it.

        Of neighbours first: VPP promises no order between the two.
        """
        plane = self._plane
        due: list[tuple[Any, ...]] = [
            (NEIGHBOR_EVENT, flags, interface.sw_if_index, *_fields(neighbor))
            for interface, neighbor, flags in plane.neighbor_events
        ]
        due += [(INTERFACE_EVENT, index, *status) for index, status in plane.events.items()]
        plane.events, plane.neighbor_events = {}, []
        for name, *values in due:
            for client in self.clients.values():
                if name in client.wanted:
                    whom = client.index, client.wanted[name]
                    client.send(self._api.pack(name, *whom, *values))
        if not plane.hung:
            for client in list(self.clients.values()):
                try:
                    self.flush(client)
                except OSError:
                    self.drop(client)

    # Answers.

    def _answer(self, client: ApiClient, message: bytes) -> None:
        (number,) = struct.unpack_from(">H", message)
        name = self._api.names.get(number, "")
        handler = self._handlers.get(name)
        if handler is None:
            self._plane.called[name] += 1
            return  # as VPP, which logs an unknown id and goes on
        context, *fields = self._api.unpack(name, message)
        is_of_one = name == "sw_interface_dump" and fields[0] not in EVERY
        self._plane.called[ONE_INTERFACE if is_of_one else name] += 1
        for answer in handler(client, *fields):
            what = self._api.answers[name]
            if isinstance(answer, list):
                frame = FRAME.pack(0, self._api.messages[what].layout.size, 0)
                head = frame + CONTEXT.pack(self._api.ids[what], context)
                client.outbox += b"".join(head + packed for packed in answer)
                continue
            if isinstance(answer[0], str):
                what, *answer = answer
            of_request = (0,) if self._api.messages[what].header == "request" else ()
            client.send(self._api.pack(what, *of_request, context, *answer))

    def _pack(self, name: str, *values: Any) -> bytes:
        """An answer without its head."""
        return self._api.pack(name, 0, *values)[CONTEXT.size :]

    def _sockclnt_create(self, client: ApiClient, _name: bytes) -> Answers:
        yield 0, client.index, len(self._api.messages), self._api.table()

    def _sockclnt_delete(self, client: ApiClient, _index: int) -> Answers:
        client.wanted.clear()
        yield (1,)

    def _control_ping(self, client: ApiClient) -> Answers:
        yield 0, client.index if self._api.release.pings_with_client else 0, os.getpid()

    def _get_api_json(self, _: ApiClient) -> Answers:
        yield 0, struct.pack(">I", len(self._json)) + self._json + b"\0"  # not in the length

    def _show_version(self, _: ApiClient) -> Answers:
        release = f"{self._plane.release.text}-release"
        yield 0, b"vpe", release.encode(), b"2026-01-01T00:00:00", b"/src/vpp"

    def _show_threads(self, _: ApiClient) -> Answers:
        """As a VPP whose cores are configured: each thread on one of its own."""
        count, main = self._plane.counters.threads, os.getpid()
        yield (
            *(0, count),
            b"".join(
                THREAD.pack(
                    number,
                    f"vpp_wk_{number - 1}".encode() if number else b"vpp_main",
                    b"workers" if number else b"",
                    *(main + number, FIRST_CPU + number, FIRST_CPU + number, 0),
                )
                for number in range(count)
            ),
        )

    def _want_interface_events(self, client: ApiClient, enable: int, pid: int) -> Answers:
        return self._want(client, INTERFACE_EVENT, bool(enable), pid)

    def _want_ip_neighbor_events_v2(
        self, client: ApiClient, enable: bool, pid: int, *_address: Any
    ) -> Answers:
        """Whichever family is asked for, both are reported, as VPP does."""
        return self._want(client, NEIGHBOR_EVENT, enable, pid)

    def _want(self, client: ApiClient, event: str, enable: bool, pid: int) -> Answers:
        client.wanted.pop(event, None)
        if enable:
            client.wanted[event] = pid
        yield (0,)

    def _found(self, wanted: int, every: tuple[int, ...]) -> list[Interface]:
        """One interface, if it is there, or every one, by sw_if_index."""
        interfaces = self._plane.by_index
        if wanted in every:
            return [interfaces[each] for each in sorted(interfaces)]
        return [interfaces[wanted]] if wanted in interfaces else []

    def _sw_interface_dump(self, _: ApiClient, index: int, *_name_filter: Any) -> Answers:
        yield [each.details or self._pack_details(each) for each in self._found(index, EVERY)]

    def _pack_details(self, interface: Interface) -> bytes:
        interface.details = self._pack(
            "sw_interface_details",
            interface.sw_if_index,
            (interface.parent or interface).sw_if_index,
            interface.mac,
            interface.flags,
            1 if interface.parent else 0,
            interface.duplex if interface.speed else 0,
            interface.speed,
            interface.link_mtu,
            *(interface.mtu, 0, 0, 0),  # L3, and none for IP4, IP6, MPLS
            interface.sub_id,
            interface.tags,
            interface.outer,
            interface.inner,
            interface.sub_if_flags,
            *(0, 0, 0, 0, 0, bytes(6), bytes(6), 0, 0),  # no tag rewriting
            interface.name.encode(),
            interface.dev_type.encode(),
            interface.tag[:63],
        )
        return interface.details

    def _lcp_itf_pair_get(self, _: ApiClient, cursor: int) -> Answers:
        pairs = self._plane.pairs
        left = sorted(place for place in pairs if place >= cursor)
        page, rest = left[: self._plane.page], left[self._plane.page :]
        for place in page:
            yield "lcp_itf_pair_details", *self._pair(pairs[place])
        retval = EAGAIN if rest else 0
        if pairs and not page:
            retval = INVALID_VALUE
        yield retval, rest[0] if rest else ANY

    def _pair(self, pair: Pair) -> tuple[Any, ...]:
        numbers = (pair.phy.sw_if_index, pair.host.sw_if_index, pair.vif_index)
        if self._api.release.has_pairs_in_host_order:
            numbers = struct.unpack(">3I", struct.pack("=3I", *numbers))
        return *numbers, pair.host_name.encode(), 0, pair.netns.encode()  # 0: a TAP

    def _sw_bond_interface_dump(self, _: ApiClient, wanted: int) -> Answers:
        for bond in self._plane.bonds.values():
            index = bond.interface.sw_if_index
            if wanted in (ANY, index):
                counts = len(bond.active), len(bond.members)
                yield index, bond.number, 5, 1, False, *counts, bond.interface.name.encode()

    def _sw_member_interface_dump(self, _: ApiClient, wanted: int) -> Answers:
        for bond in self._plane.bonds.values():
            if bond.interface.sw_if_index == wanted:
                for member in bond.members:
                    yield member.sw_if_index, member.name.encode(), False, False, False, 0

    def _sw_interface_lacp_dump(self, _: ApiClient) -> Answers:
        for bond in self._plane.bonds.values():
            active, key = bond.active, bond.interface.sw_if_index
            for port, member in enumerate(bond.members, 1):
                has_partner = member in active
                actor_state, partner_state = bond.lacp_states(member)
                yield (
                    *(member.sw_if_index, member.name.encode()),
                    *(LACP_ACTIVE if has_partner else LACP_DEFAULTED),
                    bond.interface.name.encode(),
                    *(65535, bond.interface.mac, key, 255, port, actor_state),
                    *(65535, PARTNER if has_partner else bytes(6), key, 255, port, partner_state),
                )

    def _bridge_domain_dump(self, _: ApiClient, wanted: int, _index: int) -> Answers:
        for domain in self._plane.bridge_domains:
            if wanted in (ANY, domain.number):
                bvi = domain.bvi.sw_if_index if domain.bvi else ANY
                members = (struct.pack(">IIB", 0, m.sw_if_index, 0) for m in domain.members)
                switches = (True, True, True, True, False, False, 0)
                counts = bvi, ANY, len(domain.members)
                yield domain.number, *switches, b"", *counts, b"".join(members)

    def _ip_address_dump(self, _: ApiClient, index: int, is_ipv6: bool) -> Answers:
        interface = self._plane.by_index.get(index)
        for each in interface.addresses if interface else ():
            if (each.version == 6) == is_ipv6:
                yield index, int(is_ipv6), each.packed, each.network.prefixlen

    def _ip_neighbor_dump(self, _: ApiClient, wanted: int, family: int) -> Answers:
        yield [
            neighbor.details or self._pack_neighbor(interface, neighbor)
            for interface in self._found(wanted, (ANY,))
            for neighbor in interface.neighbors.values()
            if neighbor.is_ipv6 == bool(family)
        ]

    def _pack_neighbor(self, interface: Interface, neighbor: Neighbor) -> bytes:
        about = interface.sw_if_index, *_fields(neighbor)
        neighbor.details = self._pack("ip_neighbor_details", 1.5, *about)
        return neighbor.details


def _fields(neighbor: Neighbor) -> tuple[int, bytes, int, bytes]:
    return int(neighbor.static), neighbor.mac, int(neighbor.is_ipv6), neighbor.address
