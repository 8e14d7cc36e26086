"""VPP's binary API: vpp_papi's client made fit for it, and the questions that are asked.

The rules this module keeps:

- vpp_papi is imported here and nowhere else: its types are global to a process and
  first come, so another VPP needs another process.
- What is asked for of an answer is kept, as a record, and nothing else of it.
- No call has a time limit.
"""

import os
import queue
import select
import struct
from typing import Any, NamedTuple

from vpp_papi import VPPApiClient, vpp_papi, vpp_serializer
from vpp_papi.vpp_transport_socket import VppTransport

from .inventory import (
    NO_INDEX,
    BridgeDomain,
    Identity,
    Interface,
    IpAddress,
    IpNeighbor,
    Key,
    LacpPort,
    LcpPair,
    Record,
)

# No VPP sends as much; what does is no VPP, and must not take the machine's memory.
LONGEST_MESSAGE = 1 << 24  # octets; 26.06 tells its own definitions in 1.6 MB
LAST_INDEX = 1 << 24  # a sw_if_index is a place in a vector, with counters for each thread

AGAIN = -165  # VNET_API_ERROR_EAGAIN: a paged dump goes on from its cursor
MAX_PAGES = 100_000
ADMIN_UP, LINK_UP = 1, 2  # vl_api_if_status_flags_t
STATIC = 1  # vl_api_ip_neighbor_flags_t

# Where there is no get_api_json (before v24.06), these files of API_DIR tell enough.
API_FILES = ["memclnt", "vpe", "vlib", "interface", "bond", "lcp", "lacp", "l2", "*_types"]
API_FILES += ["ip", "ip_neighbor"]


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


def decode_any_text() -> None:
    """From now on a text is read whatever octets an operator put into it."""
    vpp_serializer.String.unpack = _decode_text


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
