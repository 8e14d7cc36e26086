"""Serves VPP's binary API on a stream socket, as vlibmemory/socket_api.c does.

Every message has a 16-byte header before it: u64 (nothing), u32 length, u32 (nothing).
A dump is answered by its details alone: the client's own ping behind it marks the end.
"""

import os
import selectors
import socket
import struct
from collections import Counter
from collections.abc import Callable, Iterator

from .interface import Interface, Neighbor, Pair
from .messages import ANY, Api
from .vpp import Router

FRAME = struct.Struct(">QII")
REQUEST = struct.Struct(">HII")  # id, client index, context
REPLY_HEAD = struct.Struct(">HI")  # id, context
AFTER_CONTEXT = REPLY_HEAD.size
FIRST_CLIENT = 0x80000001
EAGAIN, INVALID_VALUE = -165, -2  # VNET_API_ERROR_*

# Of the state machines in plugins/lacp/node.h: a partner that is heard, and one that is not.
LACP_ACTIVE = (5, 0, 3, 3)
LACP_DEFAULTED = (4, 0, 0, 3)
EVERY = (0, ANY)  # what asks sw_interface_dump for all: VPP takes 0 for that as well
ONE_INTERFACE = "sw_interface_dump of one"  # how a dump of one is counted
THREAD = struct.Struct(">I64s64sIIII")  # vl_api_thread_data_t
FIRST_CPU = 2
PARTNER = bytes.fromhex("020000000b0d")

Handler = Callable[["Client", int, bytes], None]


class Client:
    """One connection: what came in so far, and what still has to go out."""

    def __init__(self, sock: socket.socket, index: int) -> None:
        self.sock = sock
        self.index = index
        self.inbox = bytearray()
        self.outbox = bytearray()
        self.pid = 0
        self.wants_events = False
        self.neighbors_pid: int | None = None  # as it calls itself who wants events of neighbours

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
    """The API's clients, and the answers to them.

    `page` is after how many LCP pairs lcp_itf_pair_get asks to be asked again.
    """

    def __init__(
        self, loop: selectors.BaseSelector, listener: socket.socket, router: Router, api: Api
    ) -> None:
        self.calls: Counter[str] = Counter()
        self.page = 64
        self._loop = loop
        self._listener = listener
        self._router = router
        self._api = api
        self._json = api.json()
        self._clients: dict[socket.socket, Client] = {}
        self._next_client = FIRST_CLIENT
        self._hung = False
        self._handlers: dict[str, Handler] = {
            name: getattr(self, f"_{name}") for name in api.messages if hasattr(self, f"_{name}")
        }
        loop.register(listener, selectors.EVENT_READ, self._accept)

    # Connections.

    def hang(self, hung: bool) -> None:
        """Stop reading, writing and accepting; the kernel still completes connects."""
        if hung == self._hung:
            return
        self._hung = hung
        if hung:
            for sock in (self._listener, *self._clients):
                self._loop.unregister(sock)
        else:
            self._loop.register(self._listener, selectors.EVENT_READ, self._accept)
            for client in list(self._clients.values()):
                self._watch(client)
                self._try_flush(client)

    def _accept(self, _: int) -> None:
        if self._hung:
            return  # since the select that saw this coming
        sock, _address = self._listener.accept()
        sock.setblocking(False)
        self._clients[sock] = Client(sock, self._next_client)
        self._next_client += 1
        self._watch(self._clients[sock])

    def _watch(self, client: Client) -> None:
        self._loop.register(
            client.sock, selectors.EVENT_READ, lambda ready: self._ready(client, ready)
        )

    def _ready(self, client: Client, ready: int) -> None:
        if self._hung:
            return
        try:
            if ready & selectors.EVENT_READ:
                data = client.sock.recv(1 << 16)
                if not data:
                    raise ConnectionResetError
                client.inbox += data
                for message in client.requests():
                    self._answer(client, message)
            self._flush(client)
        except (OSError, struct.error):  # gone, or not speaking the API
            self._drop(client)

    def _flush(self, client: Client) -> None:
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

    def _drop(self, client: Client) -> None:
        del self._clients[client.sock]
        self._loop.unregister(client.sock)
        client.sock.close()

    def tell(self) -> None:
        """Send what happened since last time to the clients that want to know.

        Of neighbours first: VPP promises no order between the two.
        """
        for interface, neighbor, flags in self._router.take_neighbor_events():
            for client in self._clients.values():
                if client.neighbors_pid is not None:
                    about = (interface.sw_if_index, *self._neighbor_fields(neighbor))
                    whom = (client.index, client.neighbors_pid)
                    client.send(self._api.pack("ip_neighbor_event_v2", *whom, flags, *about))
        for index, flags, deleted in self._router.take_events():
            for client in self._clients.values():
                if client.wants_events:
                    event = (client.index, client.pid, index, flags, deleted)
                    client.send(self._api.pack("sw_interface_event", *event))
        if not self._hung:
            for client in list(self._clients.values()):
                self._try_flush(client)

    def _try_flush(self, client: Client) -> None:
        try:
            self._flush(client)
        except OSError:
            self._drop(client)

    # Answers.

    def _answer(self, client: Client, message: bytes) -> None:
        (number,) = struct.unpack_from(">H", message)
        name = self._api.names.get(number, "")
        self.calls[ONE_INTERFACE if self._asks_for_one(name, message) else name] += 1
        handler = self._handlers.get(name)
        if handler is None:
            return  # as VPP, which logs an unknown id and goes on
        at = 2 if name == "sockclnt_create" else 6
        (context,) = struct.unpack_from(">I", message, at)
        handler(client, context, message)

    def _asks_for_one(self, name: str, message: bytes) -> bool:
        if name != "sw_interface_dump":
            return False
        *_, index, filtered = self._api.unpack(name, message)
        return not filtered and index not in EVERY

    def _sockclnt_create(self, client: Client, context: int, _: bytes) -> None:
        count = len(self._api.messages)
        values = (0, context, 0, client.index, count)
        table = self._api.table()
        client.send(self._api.pack("sockclnt_create_reply", *values, tail=table))

    def _sockclnt_delete(self, client: Client, context: int, _: bytes) -> None:
        client.wants_events = False
        client.neighbors_pid = None
        client.send(self._api.pack("sockclnt_delete_reply", context, 1))

    def _memclnt_keepalive(self, client: Client, context: int, _: bytes) -> None:
        client.send(self._api.pack("memclnt_keepalive_reply", context, 0))

    def _control_ping(self, client: Client, context: int, _: bytes) -> None:
        index = client.index if self._api.release.pings_with_client else 0
        client.send(self._api.pack("control_ping_reply", context, 0, index, os.getpid()))

    def _get_api_json(self, client: Client, context: int, _: bytes) -> None:
        tail = struct.pack(">I", len(self._json)) + self._json + b"\0"  # not in the length
        client.send(self._api.pack("get_api_json_reply", context, 0, tail=tail))

    def _show_version(self, client: Client, context: int, _: bytes) -> None:
        release = f"{self._router.release}-release"
        values = (b"vpe", release.encode(), b"2026-01-01T00:00:00", b"/src/vpp")
        client.send(self._api.pack("show_version_reply", context, 0, *values))

    def _show_threads(self, client: Client, context: int, _: bytes) -> None:
        """As a VPP that is told its cores: each thread on one of its own."""
        count, main = self._router.counters.threads, os.getpid()
        tail = b"".join(
            THREAD.pack(
                number,
                f"vpp_wk_{number - 1}".encode() if number else b"vpp_main",
                b"workers" if number else b"",
                *(main + number, FIRST_CPU + number, FIRST_CPU + number, 0),
            )
            for number in range(count)
        )
        client.send(self._api.pack("show_threads_reply", context, 0, count, tail=tail))

    def _want_interface_events(self, client: Client, context: int, message: bytes) -> None:
        *_, enable, pid = self._api.unpack("want_interface_events", message)
        client.wants_events, client.pid = bool(enable), pid
        client.send(self._api.pack("want_interface_events_reply", context, 0))

    def _want_ip_neighbor_events_v2(self, client: Client, context: int, message: bytes) -> None:
        """Whichever family is asked for, both are told of, as VPP does."""
        *_, enable, pid, _family, _address, _index = self._api.unpack(
            "want_ip_neighbor_events_v2", message
        )
        client.neighbors_pid = pid if enable else None
        client.send(self._api.pack("want_ip_neighbor_events_v2_reply", context, 0))

    def _sw_interface_dump(self, client: Client, context: int, message: bytes) -> None:
        *_, index, filtered = self._api.unpack("sw_interface_dump", message)
        router = self._router
        if filtered:
            (length,) = struct.unpack_from(">I", message, 15)
            part = message[19 : 19 + length].rstrip(b"\0").decode()
            found = [i for i in router.interfaces.values() if part in i.name]
        elif index in EVERY:
            found = [router.interfaces[each] for each in sorted(router.interfaces)]
        else:
            found = [router.interfaces[index]] if index in router.interfaces else []
        head = self._head("sw_interface_details", context)
        client.outbox += b"".join(
            head + (interface.details or self._pack_details(interface)) for interface in found
        )

    def _pack_details(self, interface: Interface) -> bytes:
        sup = interface.parent or interface
        hardware = not interface.parent
        values = (
            interface.sw_if_index,
            sup.sw_if_index,
            interface.mac,
            interface.flags,
            0 if hardware else 1,
            interface.duplex if interface.speed else 0,
            interface.speed,
            interface.link_mtu,
            *interface.mtu,
            interface.sub_id,
            interface.tags,
            interface.outer,
            interface.inner,
            interface.sub_if_flags,
            *(0, 0, 0, 0, 0),  # no tag rewriting
            bytes(6),
            bytes(6),
            *(0, 0),
            interface.name.encode(),
            interface.dev_type.encode(),
            interface.tag[:63],
        )
        interface.details = self._api.pack("sw_interface_details", 0, *values)[AFTER_CONTEXT:]
        return interface.details

    def _lcp_itf_pair_get(self, client: Client, context: int, message: bytes) -> None:
        *_, cursor = self._api.unpack("lcp_itf_pair_get", message)
        left = [(i, pair) for i, pair in enumerate(self._router.pairs) if pair and i >= cursor]
        page, rest = left[: self.page], left[self.page :]
        for _, pair in page:
            client.send(self._pair_details(context, pair))
        retval = EAGAIN if rest else 0
        if not page and any(self._router.pairs):
            retval = INVALID_VALUE
        after = rest[0][0] if rest else ANY
        client.send(self._api.pack("lcp_itf_pair_get_reply", context, retval, after))

    def _pair_details(self, context: int, pair: Pair) -> bytes:
        numbers = (pair.phy.sw_if_index, pair.host.sw_if_index, pair.vif_index)
        if self._api.release.has_pairs_in_host_order:
            numbers = struct.unpack(">3I", struct.pack("=3I", *numbers))
        return self._api.pack(
            "lcp_itf_pair_details",
            context,
            *numbers,
            pair.host_name.encode(),
            0,  # a TAP
            pair.netns.encode(),
        )

    def _sw_bond_interface_dump(self, client: Client, context: int, message: bytes) -> None:
        *_, wanted = self._api.unpack("sw_bond_interface_dump", message)
        for bond in self._router.bonds.values():
            index = bond.interface.sw_if_index
            if wanted in (ANY, index):
                counts = (len(bond.active), len(bond.members))
                values = (index, bond.number, 5, 1, False, *counts, bond.interface.name.encode())
                client.send(self._api.pack("sw_bond_interface_details", context, *values))

    def _sw_member_interface_dump(self, client: Client, context: int, message: bytes) -> None:
        *_, wanted = self._api.unpack("sw_member_interface_dump", message)
        for bond in self._router.bonds.values():
            if bond.interface.sw_if_index == wanted:
                for member in bond.members:
                    values = (member.sw_if_index, member.name.encode(), False, False, False, 0)
                    client.send(self._api.pack("sw_member_interface_details", context, *values))

    def _sw_interface_lacp_dump(self, client: Client, context: int, _: bytes) -> None:
        for bond in self._router.bonds.values():
            active = bond.active
            for port, member in enumerate(bond.members, 1):
                heard = member in active
                actor_state, partner_state = bond.states(member)
                key = bond.interface.sw_if_index
                values = (
                    member.sw_if_index,
                    member.name.encode(),
                    *(LACP_ACTIVE if heard else LACP_DEFAULTED),
                    bond.interface.name.encode(),
                    *(65535, bond.interface.mac, key, 255, port, actor_state),
                    *(65535, PARTNER if heard else bytes(6), key, 255, port),
                    partner_state,
                )
                client.send(self._api.pack("sw_interface_lacp_details", context, *values))

    def _bridge_domain_dump(self, client: Client, context: int, message: bytes) -> None:
        *_, wanted, _index = self._api.unpack("bridge_domain_dump", message)
        for domain in self._router.bridge_domains:
            if wanted in (ANY, domain.number):
                bvi = domain.bvi.sw_if_index if domain.bvi else ANY
                switches = (True, True, True, True, False, False)
                values = (*switches, 0, b"", bvi, ANY, len(domain.members))
                tail = b"".join(struct.pack(">IIB", 0, m.sw_if_index, 0) for m in domain.members)
                client.send(
                    self._api.pack(
                        "bridge_domain_details", context, domain.number, *values, tail=tail
                    )
                )

    def _ip_address_dump(self, client: Client, context: int, message: bytes) -> None:
        *_, index, is_ipv6 = self._api.unpack("ip_address_dump", message)
        interface = self._router.interfaces.get(index)
        for each in interface.addresses if interface else ():
            if (each.version == 6) == is_ipv6:
                family = (int(is_ipv6), each.packed)
                values = (context, index, *family, each.network.prefixlen)
                client.send(self._api.pack("ip_address_details", *values))

    def _ip_neighbor_dump(self, client: Client, context: int, message: bytes) -> None:
        *_, wanted, family = self._api.unpack("ip_neighbor_dump", message)
        interfaces = self._router.interfaces
        if wanted == ANY:
            found = [each for each in interfaces.values() if each.neighbors]
        else:
            found = [interfaces[wanted]] if wanted in interfaces else []
        head = self._head("ip_neighbor_details", context)
        client.outbox += b"".join(
            head + (neighbor.details or self._pack_neighbor(interface, neighbor))
            for interface in found
            for neighbor in interface.neighbors.values()
            if neighbor.is_ipv6 == bool(family)
        )

    def _pack_neighbor(self, interface: Interface, neighbor: Neighbor) -> bytes:
        values = (0, 1.5, interface.sw_if_index, *self._neighbor_fields(neighbor))
        neighbor.details = self._api.pack("ip_neighbor_details", *values)[AFTER_CONTEXT:]
        return neighbor.details

    @staticmethod
    def _neighbor_fields(neighbor: Neighbor) -> tuple[int, bytes, int, bytes]:
        return int(neighbor.static), neighbor.mac, int(neighbor.is_ipv6), neighbor.address

    def _head(self, name: str, context: int) -> bytes:
        """What goes before details of fixed length that were packed before."""
        frame = FRAME.pack(0, self._api.messages[name].layout.size, 0)
        return frame + REPLY_HEAD.pack(self._api.ids[name], context)
