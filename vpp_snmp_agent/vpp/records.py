"""What VPP reports over its API, and the messages in which the reporter hands it on.

The rules this module keeps:

- A record is frozen and says all that is reported of one thing; a change is a new record.
- A message is applied as soon as it is read, in the order in which it was sent: what is
  gone first, then what is reported.
- Nothing is handed on twice: a record that did not change stays in the reporter.
"""

import pickle
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from errno import EAGAIN
from itertools import islice
from typing import NamedTuple, TypeVar

ASK = b"ask"  # what the parent says to the reporter, which is to ask VPP for all relations
NO_INDEX = 0xFFFFFFFF  # ~0, VPP's word for "none" and "all"
# The errno of a socket where somebody listens and accepts nobody: none at all for a time-out,
# EAGAIN for a full backlog.
ACCEPTS_NOBODY = (0, EAGAIN)


@dataclass(frozen=True, slots=True)
class Interface:
    """sw_interface_details, as far as a MIB asks for it."""

    sw_if_index: int
    sup_sw_if_index: int  # the parent; itself if it is no sub-interface
    interface_name: str
    interface_dev_type: str
    tag: str
    l2_address: bytes  # six octets; zero on sub-interfaces and where there is none
    admin_up: bool
    link_up: bool  # of a sub-interface out of date: its parent's counts
    link_speed: int  # kbit/s; 0 unknown
    link_duplex: int  # 0 unknown, 1 half, 2 full
    link_mtu: int
    mtu: int  # L3; on a sub-interface 0 means its parent's

    @property
    def key(self) -> int:
        """What it is known by among its kind."""
        return self.sw_if_index

    @property
    def is_sub(self) -> bool:
        """Whether it is a sub-interface."""
        return self.sup_sw_if_index != self.sw_if_index


@dataclass(frozen=True, slots=True)
class LcpPair:
    """lcp_itf_pair_details: an interface and the TAP that mirrors it into Linux."""

    phy_sw_if_index: int
    host_sw_if_index: int
    vif_index: int  # the Linux ifindex in `netns`
    host_if_name: str
    netns: str

    @property
    def key(self) -> int:
        """What it is known by among its kind."""
        return self.phy_sw_if_index


@dataclass(frozen=True, slots=True)
class Bond:
    """sw_bond_interface_details and sw_member_interface_details of its members."""

    sw_if_index: int
    mode: int  # 5 is LACP
    members: tuple[int, ...]  # sw_if_index of each, in VPP's order

    @property
    def key(self) -> int:
        """What it is known by among its kind."""
        return self.sw_if_index


@dataclass(frozen=True, slots=True)
class LacpPort:
    """sw_interface_lacp_details: a member of a bond, and the port at the other end."""

    sw_if_index: int
    actor_system_priority: int
    actor_system: bytes  # six octets, as all systems
    actor_key: int
    actor_port_priority: int
    actor_port_number: int
    actor_state: int  # an octet as LACP has it: activity is 1, expired 128
    partner_system_priority: int
    partner_system: bytes
    partner_key: int
    partner_port_priority: int
    partner_port_number: int
    partner_state: int

    @property
    def key(self) -> int:
        """What it is known by among its kind."""
        return self.sw_if_index


@dataclass(frozen=True, slots=True)
class BridgeDomain:
    """bridge_domain_details."""

    bd_id: int
    bvi_sw_if_index: int  # NO_INDEX without one
    members: tuple[int, ...]

    @property
    def key(self) -> int:
        """What it is known by among its kind."""
        return self.bd_id


@dataclass(frozen=True, slots=True)
class Addresses:
    """ip_address_details: all addresses of one interface, IPv4 before IPv6."""

    sw_if_index: int
    addresses: tuple[tuple[bytes, int], ...]  # four octets or sixteen, and the prefix length

    @property
    def key(self) -> int:
        """What it is known by among its kind."""
        return self.sw_if_index


Record = Interface | LcpPair | Bond | LacpPort | BridgeDomain | Addresses


class Neighbor(NamedTuple):
    """ip_neighbor_details."""

    sw_if_index: int
    address: bytes  # four octets or sixteen
    mac_address: bytes  # six octets
    static: bool


@dataclass(frozen=True, slots=True)
class Thread:
    """show_threads: a thread of VPP's process, the main one or a worker."""

    index: int  # 0 is the main thread; the statistics segment goes by it
    name: str  # such as `vpp_main` and `vpp_wk_0`
    type: str  # such as `workers`; empty for the main thread
    pid: int  # as Linux numbers threads
    cpu_id: int  # as Linux numbers CPUs; NO_INDEX where VPP did not place it


@dataclass(frozen=True)
class Identity:
    """Which VPP: show_version, and the process id by control_ping."""

    version: str
    build_date: str
    vpe_pid: int


# --- from the reporter to the feed ---------------------------------------------------------


@dataclass(frozen=True)
class Unreachable:
    """VPP's socket `path` cannot be used, by this errno."""

    path: str
    errno: int


@dataclass(frozen=True)
class Connecting:
    """Somebody listens on VPP's API socket, and is asked from now on."""


@dataclass(frozen=True)
class Gone:
    """VPP closed its API socket; the reporter ends."""


@dataclass(frozen=True)
class Broken:
    """VPP answers, but not as it should; the reporter ends."""

    reason: str


@dataclass(frozen=True)
class Unread:
    """The parent has not taken a message for long; the reporter ends, and VPP is well."""


@dataclass(frozen=True)
class Connected:
    """A VPP is there; all that follows comes from it."""

    identity: Identity


@dataclass(frozen=True)
class Threads:
    """That VPP's threads, which stay as they are for as long as it lives."""

    threads: tuple[Thread, ...]  # none where it does not say


@dataclass(frozen=True)
class Mapped:
    """The segment of that VPP; its descriptor comes with the message."""


@dataclass(frozen=True)
class Unmapped:
    """That VPP's segment is unavailable; by this errno of its socket, if that is why."""

    reason: str
    errno: int | None = None


@dataclass(frozen=True)
class Alive:
    """That VPP answered."""


@dataclass(frozen=True)
class Waiting:
    """That VPP was asked and is waited for, and sent nothing for so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Unavailable:
    """What VPP says of this cannot be used; everything else is reported on.

    What was reported of it before stays as it was.
    """

    what: str  # THREADS, LCP_PAIRS, BONDS, LACP, BRIDGE_DOMAINS, ADDRESSES or NEIGHBORS
    reason: str  # names the message


@dataclass(frozen=True)
class Available:
    """What was unavailable is reported again."""

    what: str


@dataclass(frozen=True)
class Changes:
    """What differs from what was reported before.

    Relations come before the interfaces that they are of: a new interface never arrives
    before its LCP pair, its bond's members or its bridge domain.
    """

    reported: tuple[Record, ...] = ()
    gone: tuple[tuple[type[Record], int], ...] = ()  # kind and `key`


@dataclass(frozen=True)
class NeighborChanges:
    """ARP and ND entries that are new or differ, and those that are gone."""

    reported: tuple[Neighbor, ...] = ()
    gone: tuple[tuple[int, bytes], ...] = ()  # sw_if_index and address


@dataclass(frozen=True)
class Complete:
    """Everything of this sort has been reported once; from now on only changes follow.

    Of what the settings do not ask for, everything is nothing.
    """

    what: str  # INTERFACES, ADDRESSES or NEIGHBORS


@dataclass(frozen=True)
class Inventory:
    """All interfaces and their relations were asked for again, and what differs is reported."""


Message = (
    Unreachable
    | Connecting
    | Gone
    | Broken
    | Unread
    | Connected
    | Threads
    | Mapped
    | Unmapped
    | Alive
    | Waiting
    | Unavailable
    | Available
    | Changes
    | NeighborChanges
    | Complete
    | Inventory
)

# INTERFACES: together with LCP pairs, bonds, LACP and bridge domains.
INTERFACES, ADDRESSES, NEIGHBORS = "interfaces", "addresses", "neighbors"
THREADS = "threads"
LCP_PAIRS, BONDS, LACP, BRIDGE_DOMAINS = "LCP pairs", "bonds", "LACP states", "bridge domains"
E = TypeVar("E")
MAX_RECORDS = 100  # a message: a socket buffer holds it, and the loop digests it in 1 ms


def changes(
    reported: Iterable[Record], gone: Iterable[tuple[type[Record], int]] = ()
) -> Iterator[Changes]:
    """The messages that hand these on, in this order; none where there is nothing."""
    yield from (Changes(gone=some) for some in _batches(gone))
    yield from (Changes(reported=some) for some in _batches(reported))


def neighbor_changes(
    reported: Iterable[Neighbor], gone: Iterable[tuple[int, bytes]] = ()
) -> Iterator[NeighborChanges]:
    """The messages that hand these on, made as they are taken; none where there is nothing."""
    yield from (NeighborChanges(gone=some) for some in _batches(gone))
    yield from (NeighborChanges(reported=some) for some in _batches(reported))


def _batches(entries: Iterable[E]) -> Iterator[tuple[E, ...]]:
    """At most MAX_RECORDS of them at a time, in their order."""
    remaining = iter(entries)
    while some := tuple(islice(remaining, MAX_RECORDS)):
        yield some


def pack(message: Message) -> bytes:
    """One datagram between reporter and feed, which are one program."""
    return pickle.dumps(message, pickle.HIGHEST_PROTOCOL)


def unpack(datagram: bytes) -> Message:
    """What `pack` packed."""
    message: Message = pickle.loads(datagram)
    return message
