"""The interfaces of a simulated VPP, and what it knows of each."""

from dataclasses import dataclass, field
from ipaddress import IPv4Interface, IPv6Interface
from typing import TypeVar

from .traffic import CELLS, COMBINED, SIMPLE, STILL, UNIT, Amount, Flow, Traffic, Truth

ADMIN_UP, LINK_UP = 1, 2
ADDED, REMOVED = 1, 2  # of a neighbour
ONE_TAG, TWO_TAGS, EXACT_MATCH = 2, 4, 16
IN_SYNC, ALONE = 0x3F, 0x47  # collecting and distributing with a partner; defaulted


T = TypeVar("T")


class Pool(dict[int, T]):
    """What VPP numbers: the index that was freed last is given out first."""

    def __init__(self) -> None:
        super().__init__()
        self._freed: list[int] = []

    def next(self) -> int:
        """The index of what is put there now."""
        return self._freed.pop() if self._freed else len(self)

    def free(self, index: int) -> None:
        del self[index]
        self._freed.append(index)


@dataclass(frozen=True)
class Spec:
    """What to make.  A sub-interface has a parent and a sub_id, and its name from them.

    `speed` is in kbit/s (0: VPP does not know).  `host` is the Linux name of an LCP pair
    to make along with it, `bond` the bond whose member it becomes.
    """

    name: str = ""
    dev_type: str = "dpdk"
    parent: str = ""
    sub_id: int = 0
    outer: int = 0  # VLAN tags; 0: as sub_id says
    inner: int = 0
    speed: int = 0
    mtu: int | None = None  # None: 9000, and 0 (as its parent's) for a sub-interface
    admin: bool = True
    link: bool = True
    mac: str = ""
    host: str = ""
    bond: str = ""
    description: str = ""  # in the vppcfg
    addresses: tuple[str, ...] = ()  # with their prefix length
    neighbors: tuple[tuple[str, str], ...] = ()  # address and MAC
    xstats: tuple[tuple[str, int], ...] = ()  # what the driver of a port counts
    traffic: Traffic = STILL

    @property
    def full_name(self) -> str:
        return f"{self.parent}.{self.sub_id}" if self.parent else self.name

    @property
    def l3_mtu(self) -> int:
        if self.mtu is None:
            return 0 if self.parent else 9000
        return self.mtu

    @property
    def is_hardware(self) -> bool:
        """There from the moment that VPP starts, configured or not."""
        return not self.parent and self.dev_type in ("dpdk", "local")


class Interface:
    """A row of sw_interface_dump."""

    def __init__(
        self, index: int, spec: Spec, parent: "Interface | None", mac: bytes, now: int
    ) -> None:
        self.sw_if_index = index
        self.name = self.made_as = spec.full_name  # by its first name the segment knows it for life
        self.dev_type: str = parent.dev_type if parent else spec.dev_type
        self.parent = parent
        self.mac = mac
        self.sub_id, self.outer, self.inner = spec.sub_id, spec.outer or spec.sub_id, spec.inner
        self.speed = spec.speed  # kbit/s
        self.duplex = 2  # 1 half, 2 full; reported where the speed is
        self.mtu = spec.l3_mtu
        self.link_mtu: int = parent.link_mtu if parent else spec.l3_mtu
        self.admin = spec.admin
        # A bond's comes from its members; of a sub-interface its parent's counts.
        self.carrier = spec.link and spec.dev_type != "bond"
        self.tag = b""
        self.subs: dict[Interface, None] = {}  # a set that keeps its order
        self.bond: Bond | None = None  # that it is a member of
        self.pair: Pair | None = None  # whose either half it is
        self.addresses: list[IPv4Interface | IPv6Interface] = []
        self.neighbors: dict[bytes, Neighbor] = {}  # by address, packed
        self.details: bytes | None = None  # packed, without the header
        self.traffic = spec.traffic
        self.flow = Flow(now)
        self.rates = [0] * CELLS  # those of its flow

    def changed(self) -> None:
        """Its row is other than it was, and so are those of its sub-interfaces."""
        self.details = None
        for sub in self.subs:
            sub.changed()

    def truth(self) -> Truth:
        """What it had counted when it was last written."""
        counted = [held // UNIT for held in self.flow.held]
        simple = dict(zip(SIMPLE, counted, strict=False))
        pairs = map(Amount, counted[len(SIMPLE) :: 2], counted[len(SIMPLE) + 1 :: 2])
        return Truth(self.name, self.sw_if_index, simple, dict(zip(COMBINED, pairs, strict=True)))

    @property
    def link(self) -> bool:
        return self.parent.link if self.parent else self.carrier

    @property
    def flags(self) -> int:
        return ADMIN_UP * self.admin | LINK_UP * self.link

    @property
    def carries(self) -> bool:
        """Traffic passes only where everything down to the wire is up."""
        return self.admin and (self.parent.carries if self.parent else self.carrier)

    @property
    def sub_if_flags(self) -> int:
        if not self.sub_id:
            return 0
        return (TWO_TAGS if self.inner else ONE_TAG) | EXACT_MATCH

    @property
    def tags(self) -> int:
        return 0 if not self.sub_id else 2 if self.inner else 1


@dataclass(eq=False)
class Bond:
    """A bond: its own row, and its members with whether LACP has each of them active."""

    number: int
    interface: Interface
    members: dict[Interface, bool] = field(default_factory=dict)

    @property
    def active(self) -> list[Interface]:
        return [m for m, active in self.members.items() if active and m.carries]

    def lacp_entries(self, member: Interface) -> tuple[str, str]:
        """The segment's entries for the states of a member and of its partner."""
        place = f"/if/lacp/{self.interface.sw_if_index}/{member.sw_if_index}"
        return f"{place}/state", f"{place}/partner-state"

    def lacp_states(self, member: Interface) -> tuple[int, int]:
        """What LACP has as these states (IEEE 802.1AX)."""
        return (IN_SYNC, IN_SYNC) if member in self.active else (ALONE, 0)


@dataclass(frozen=True, eq=False)
class Pair:
    """An LCP pair: a VPP interface, and the TAP that is its other half."""

    place: int  # in VPP's pool
    phy: Interface
    host: Interface
    vif_index: int  # Linux's ifindex inside the netns
    host_name: str
    netns: str


@dataclass(eq=False)
class Neighbor:
    """Whom ARP or ND found behind an interface, or the operator put there."""

    __slots__ = ("address", "details", "mac", "static")

    address: bytes  # 4 octets or 16
    mac: bytes
    static: bool
    details: bytes | None  # packed, without the header

    @property
    def is_ipv6(self) -> bool:
        return len(self.address) == 16


@dataclass(frozen=True, eq=False)
class BridgeDomain:
    number: int
    members: tuple[Interface, ...]
    bvi: Interface | None
