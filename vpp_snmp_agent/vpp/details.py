"""From the messages in which VPP answers a dump to records.

The rules this module keeps:

- Details whose octets are those of last time are not decoded: they are the record of last time.
- What is asked for of an answer is kept, as a record, and nothing else of it.
- Where releases differ (docs/releases.md), what VPP sends decides, not its version: a fix
  may have been ported back.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, Generic, TypeVar

from .client import HEAD, MAX_INDEX, Client, checked_index
from .records import NO_INDEX, BridgeDomain, Interface, LacpPort, LcpPair, Thread

ADMIN_UP, LINK_UP = 1, 2  # vl_api_if_status_flags_t

K = TypeVar("K", bound=Interface | LcpPair | LacpPort | BridgeDomain)


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
        sw_if_index=checked_index(details.sw_if_index),
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
