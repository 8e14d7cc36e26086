"""VPP's binary API: the questions that are asked, each answered by records.

The rules this module keeps:

- A plugin that is off is not asked, and has nothing.
- What is read of an answer is what details.py says; what is left of one that cannot be used is
  read to its end (client.py).
"""

import os
import struct
from collections.abc import Iterable, Iterator
from typing import Any

from .client import Client, NeighborEvents, UnusableAnswer, checked_index
from .details import (
    Details,
    bridge_domain,
    in_host_order,
    interface,
    lacp_port,
    lcp_pair,
    thread,
)
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

MAX_THREADS = 1024  # far above what VPP can start
MAX_REQUESTS = 64  # of one dump before its answers are read: they fit any socket's buffer

AGAIN = -165  # VNET_API_ERROR_EAGAIN: a paged dump goes on from its cursor
MAX_PAGES = 100_000
STATIC = 1  # vl_api_ip_neighbor_flags_t

# ip_neighbor_details of this name and CRC: age, sw_if_index, flags and MAC, family, address.
# There may be 200,000 of them, for which vpp_papi takes 4 s.
NEIGHBOR_DETAILS = "ip_neighbor_details_e29d79f0"
NEIGHBOR = struct.Struct(">HI8xI7sB16s")


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
                checked_index(each.phy_sw_if_index)
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
