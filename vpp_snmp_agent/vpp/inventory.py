"""What VPP told over its API, and the messages in which its reporter hands that on.

Everything is frozen: an inventory is swapped for the next, never changed.  A record
that did not change between two inventories is the same object in both.
"""

import pickle
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

NO_INDEX = 0xFFFFFFFF  # ~0, VPP's word for "none" and "all"


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
    link_up: bool
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
    """sw_bond_interface_details and its members."""

    sw_if_index: int
    mode: int  # 5 is LACP
    active_members: int
    members: tuple[int, ...]  # sw_if_index of each
    active: frozenset[int]  # the members that carry traffic

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
class IpAddress:
    """ip_address_details."""

    sw_if_index: int
    address: bytes  # four octets or sixteen
    prefix_length: int

    @property
    def key(self) -> tuple[int, bytes]:
        """What it is known by among its kind."""
        return self.sw_if_index, self.address


@dataclass(frozen=True, slots=True)
class IpNeighbor:
    """ip_neighbor_details."""

    sw_if_index: int
    address: bytes  # four octets or sixteen
    mac_address: bytes
    static: bool

    @property
    def key(self) -> tuple[int, bytes]:
        """What it is known by among its kind."""
        return self.sw_if_index, self.address


@dataclass(frozen=True, slots=True)
class Asked:
    """All addresses (or neighbours) there are have been asked for once: `key` says which."""

    key: str


Record = Interface | LcpPair | Bond | LacpPort | BridgeDomain | IpAddress | IpNeighbor | Asked
Key = Any  # int, tuple[int, bytes] or str: what `key` says of a record
KINDS: tuple[type[Record], ...] = (
    *(Interface, LcpPair, Bond, LacpPort, BridgeDomain),
    *(IpAddress, IpNeighbor, Asked),
)


@dataclass(frozen=True)
class Identity:
    """Which VPP: show_version, and the process id by control_ping."""

    version: str
    build_date: str
    vpe_pid: int


@dataclass(frozen=True)
class Inventory:
    """All that one VPP told at one time."""

    identity: Identity
    interfaces: Mapping[int, Interface] = field(default_factory=dict)  # by sw_if_index
    pairs: Mapping[int, LcpPair] = field(default_factory=dict)  # by phy_sw_if_index
    bonds: Mapping[int, Bond] = field(default_factory=dict)  # by sw_if_index
    bridge_domains: Mapping[int, BridgeDomain] = field(default_factory=dict)  # by bd_id
    lacp_ports: Mapping[int, LacpPort] = field(default_factory=dict)  # by sw_if_index
    # By sw_if_index and address; None: not all were asked for yet.
    addresses: Mapping[tuple[int, bytes], IpAddress] | None = None
    neighbors: Mapping[tuple[int, bytes], IpNeighbor] | None = None


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
class Connected:
    """A VPP is there; all that follows comes from it."""

    identity: Identity


@dataclass(frozen=True)
class Mapped:
    """The segment of that VPP; its descriptor comes with the message."""


@dataclass(frozen=True)
class Unmapped:
    """That VPP's segment cannot be had; by this errno of its socket, if that is why."""

    reason: str
    errno: int | None = None


@dataclass(frozen=True)
class Alive:
    """That VPP answered."""


@dataclass(frozen=True)
class Changes:
    """What differs from what was told before; `last` of all that belongs together."""

    told: tuple[Record, ...]
    gone: tuple[tuple[type[Record], Key], ...]
    last: bool


Message = Unreachable | Connecting | Gone | Broken | Connected | Mapped | Unmapped | Alive | Changes

ADDRESSES, NEIGHBORS = "addresses", "neighbors"  # the keys of Asked
CHUNK = 250  # records a message: a socket buffer holds it, and the loop digests it in 2 ms


def changes(
    before: Mapping[type[Record], Mapping[Any, Record]],
    after: Mapping[type[Record], Mapping[Any, Record]],
) -> Iterable[Changes]:
    """The messages that lead from one set of records to another; none if nothing changed."""
    told = [
        record
        for kind, records in after.items()
        for key, record in records.items()
        if before.get(kind, {}).get(key) != record
    ]
    gone = [
        (kind, key)
        for kind, records in before.items()
        for key in records
        if key not in after.get(kind, {})
    ]
    end = max(len(told), len(gone))
    for at in range(0, end, CHUNK):
        chunk = slice(at, at + CHUNK)
        yield Changes(tuple(told[chunk]), tuple(gone[chunk]), last=at + CHUNK >= end)


class Assembly:
    """Puts the messages of one VPP together again."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._records: dict[type[Record], dict[Key, Any]] = {kind: {} for kind in KINDS}

    def add(self, message: Changes) -> Inventory | None:
        """The new inventory, once the last message that belongs to it has come."""
        for record in message.told:
            self._records[type(record)][record.key] = record
        for kind, key in message.gone:
            self._records[kind].pop(key, None)
        if not message.last:
            return None
        asked = self._records[Asked]
        return Inventory(
            self._identity,
            interfaces=dict(self._records[Interface]),
            pairs=dict(self._records[LcpPair]),
            bonds=dict(self._records[Bond]),
            bridge_domains=dict(self._records[BridgeDomain]),
            lacp_ports=dict(self._records[LacpPort]),
            addresses=dict(self._records[IpAddress]) if ADDRESSES in asked else None,
            neighbors=dict(self._records[IpNeighbor]) if NEIGHBORS in asked else None,
        )


def pack(message: Message) -> bytes:
    """One datagram between reporter and feed, which are one program."""
    return pickle.dumps(message, pickle.HIGHEST_PROTOCOL)


def unpack(datagram: bytes) -> Message:
    """What `pack` packed."""
    message: Message = pickle.loads(datagram)
    return message
