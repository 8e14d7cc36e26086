"""What a row is called and is: rules over what VPP reported and the settings, nothing else.

The rules this module keeps:

- Names are RFC 2863's, numbers those of IANAifType-MIB.
- Nothing here keeps state: the same router and the same configuration give the same facts.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TypeVar

from ..settings.declarations import Settings
from ..settings.vppcfg import Descriptions
from ..vpp.records import Interface
from ..vpp.router import BROADCAST_MODE, Router

STAMP = "vppcfg"  # the tag that vppcfg puts on what it makes: no description
MAX_ALIAS = 255  # octets; RFC 2863 has 64, which no operator's description respects

ETHERNET_CSMACD, SOFTWARE_LOOPBACK, PROP_VIRTUAL, TUNNEL = 6, 24, 53, 131
L2_VLAN, L3_IP_VLAN, IEEE8023AD_LAG = 135, 136, 161

# By the name of VPP's device class: all of 22.02 to master (VNET_DEVICE_CLASS), and those that
# VPP makes of the drivers of vnet/dev, which bear the driver's name (VNET_DEV_REGISTER_DRIVER).
_TYPES = {
    "dpdk": ETHERNET_CSMACD,
    "AF_XDP interface": ETHERNET_CSMACD,
    "Adaptive Virtual Function (AVF) interface": ETHERNET_CSMACD,
    "Infrastructure Data Path Function (IDPF) interface": ETHERNET_CSMACD,
    "Marvell PPv2 interface": ETHERNET_CSMACD,
    "RDMA interface": ETHERNET_CSMACD,
    "VMXNET3 interface": ETHERNET_CSMACD,
    "ixge": ETHERNET_CSMACD,
    "netmap": ETHERNET_CSMACD,
    "atlantic": ETHERNET_CSMACD,
    "ena": ETHERNET_CSMACD,
    "iavf": ETHERNET_CSMACD,
    "ige": ETHERNET_CSMACD,
    "mvpp2": ETHERNET_CSMACD,
    "octeon": ETHERNET_CSMACD,
    "Loopback": SOFTWARE_LOOPBACK,
    "local": SOFTWARE_LOOPBACK,
    "BVI": L3_IP_VLAN,
    "bond": IEEE8023AD_LAG,
    "VXLAN": TUNNEL,
    "GTPU": TUNNEL,
    "VXLAN_GPE": TUNNEL,
    "GENEVE": TUNNEL,
    "PPPoE": TUNNEL,
    "IPIP": TUNNEL,
    "L2TPv3": TUNNEL,
    "ip6ip-6rd": TUNNEL,
    "GBP VXLAN tunnel-template": TUNNEL,
    "VXLAN-GBP": TUNNEL,
    "LISP_GPE": TUNNEL,
    "L2_LISP_GPE": TUNNEL,
    "NSH_LISP_GPE": TUNNEL,
    "NSH": TUNNEL,
    "tap": PROP_VIRTUAL,
    "virtio": PROP_VIRTUAL,
    "memif": PROP_VIRTUAL,
    "vhost-user": PROP_VIRTUAL,
    "VhostEthernet": PROP_VIRTUAL,
    "af-packet": PROP_VIRTUAL,
    "af_packet": PROP_VIRTUAL,
    "Pipe": PROP_VIRTUAL,
    "pg": PROP_VIRTUAL,
    "tuntap": PROP_VIRTUAL,
    "Xcrw": PROP_VIRTUAL,
    "Simulated srp": PROP_VIRTUAL,
}

UP, DOWN, UNKNOWN, LOWER_LAYER_DOWN = 1, 2, 4, 7

NO_ADDRESS = bytes(6)
LARGEST_MTU = 2**31 - 1  # ifMtu is an Integer32

V = TypeVar("V")


@dataclass(frozen=True)
class Configuration:
    """All that the operator says of rows: one value, so that no table is made of two."""

    settings: Settings = field(default_factory=Settings)
    descriptions: Descriptions = field(default_factory=Descriptions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a row is called and is: compared, saved and restored as it stands.

    What VPP alone knows of the moment (status, LACP, counters, neighbours) is not in it.  What
    is as its default is not saved, and an older journal may lack it.
    """

    name: str  # ifName, ifDescr
    alias: str = ""  # ifAlias
    type: int  # IANAifType
    mtu: int
    speed: int = field(metadata={"largest": 2**63 - 1})  # bits a second; 0 unknown
    phys_address: bytes
    has_connector: bool
    duplex: int = 0  # as VPP has it: 0 unknown, 1 half, 2 full
    # The keys of the interfaces directly below (RFC 2863 ifStack).
    lower_layers: tuple[str, ...] = ()
    aggregated: bool = False  # it carries a bond's traffic
    addresses: tuple[tuple[bytes, int], ...] = ()  # octets and prefix length
    paired: bool = False  # it has an LCP pair
    link_traps: bool = False  # a change of ifOperStatus is notified
    admin_up: bool


def matches(name: str, globs: Iterable[str]) -> bool:
    """Whether a name fits one of the globs."""
    return any(fnmatchcase(name, glob) for glob in globs)


TAP_KEY = "tap of "


def key_of(interface: Interface, router: Router) -> str:
    """What the interface is always known by: VPP's name, or its phy's for a TAP.

    VPP renumbers its TAPs at every start.
    """
    phy = router.phy(interface.sw_if_index)
    return f"{TAP_KEY}{phy.interface_name}" if phy else interface.interface_name


def may_be_row(interface: Interface, router: Router, settings: Settings) -> bool:
    """Whether an interface is a row, unless its ifName is hidden."""
    if matches(interface.interface_name, settings.hide):
        return False
    return settings.shows_taps or interface.sw_if_index not in router.taps


def wanted_name(interface: Interface, router: Router, settings: Settings) -> str:
    """The name that a row would bear by the setting `names`: a host name, or VPP's."""
    if settings.names == "vpp":
        return interface.interface_name
    owner = interface.sw_if_index
    if settings.names == "tap":
        owner = router.taps.get(owner, -1)
    pair = router.pairs.get(owner)
    return (pair and pair.host_if_name) or interface.interface_name


def if_alias(interface: Interface, name: str, router: Router, configuration: Configuration) -> str:
    """The operator's description: vppcfg's, else VPP's tag, else nothing or the name."""
    settings = configuration.settings
    phy = router.phy(interface.sw_if_index)
    if phy and settings.names == "tap":
        return f"LCP {phy.interface_name} ({interface.interface_name})"
    tag = "" if interface.tag == STAMP else interface.tag
    description = configuration.descriptions.of(interface.interface_name) or tag
    if not description and settings.alias == "name":
        description = name
    return cut(description if settings.charset == "utf-8" else in_ascii(description))


# What has no decomposition in Unicode, and is common in descriptions.
_IN_ASCII = str.maketrans({
    "ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "đ": "d", "Đ": "D",
    "ł": "l", "Ł": "L", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "\u0131": "i", "\u2010": "-",
    "\u2011": "-", "\u2013": "-", "\u2014": "-", "\u2018": "'", "\u2019": "'", "\u201c": '"',
    "\u201d": '"', "→": "->", "←": "<-", "↔": "<->", "·": "-", "•": "-",
})  # fmt: skip


def in_ascii(text: str) -> str:
    """The text transliterated: no accents, and `?` for what has no likeness."""
    plain = unicodedata.normalize("NFKD", text.translate(_IN_ASCII))
    kept = "".join(each for each in plain if not unicodedata.combining(each))
    return kept.encode("ascii", "replace").decode()


def cut(text: str) -> str:
    """At most MAX_ALIAS octets of UTF-8, whole characters."""
    encoded = text.encode(errors="replace")
    return encoded[:MAX_ALIAS].decode(errors="ignore")


def if_type(interface: Interface, is_bvi: bool) -> int:
    """IANAifType by kind; `is_bvi`: a bridge domain routes in it.

    A kind that is not known is virtual: nobody looks for a cable because of a new tunnel.
    """
    if interface.is_sub:
        return L2_VLAN
    if is_bvi:
        return L3_IP_VLAN
    kind = interface.interface_dev_type
    if kind in _TYPES:
        return _TYPES[kind]
    return TUNNEL if kind.lower().endswith(("tunnel", "tunnel device")) else PROP_VIRTUAL


def has_connector(interface: Interface) -> bool:
    """ifConnectorPresent (RFC 2863 section 6): something to plug a cable into."""
    return if_type(interface, is_bvi=False) == ETHERNET_CSMACD


def speed(interface: Interface, router: Router, settings: Settings) -> int:
    """Bits a second: as configured, its own, its parent's, its active members'; 0 unknown.

    A broadcast bond sends each frame on every member: it is as fast as the slowest.
    """
    configured = _configured_speed(interface, router, settings)
    if configured is not None:
        return configured
    below = router.parent(interface)
    if below is not None:
        return speed(below, router, settings)
    bond = router.bonds.get(interface.sw_if_index)
    if bond is None:
        return interface.link_speed * 1000
    speeds = []
    for member in router.active_members(bond):
        configured = _configured_speed(member, router, settings)
        speeds.append(member.link_speed * 1000 if configured is None else configured)
    if bond.mode == BROADCAST_MODE:
        return min(filter(None, speeds), default=0)
    return sum(speeds)


def _configured_speed(interface: Interface, router: Router, settings: Settings) -> int | None:
    """What the setting `speeds` says."""
    megabits = _first_that_fits(settings.speeds, interface, router)
    return None if megabits is None else megabits * 10**6


def _first_that_fits(
    said: Iterable[tuple[str, V]], interface: Interface, router: Router
) -> V | None:
    """What a setting says by globs of VPP's name or of the LCP host name."""
    if not said:
        return None
    pair = router.pairs.get(interface.sw_if_index)
    names = (interface.interface_name, pair.host_if_name if pair else "")
    for glob, what in said:
        if any(fnmatchcase(name, glob) for name in names if name):
            return what
    return None


def link_traps(
    interface: Interface, has_lower_layer: bool, router: Router, settings: Settings
) -> bool:
    """ifLinkUpDownTrapEnable: as configured, else whether it is over no other, or is a bond.

    RFC 2863 section 6: one cable must not send a thousand notifications.  But a bond can go
    down while every cable of it is up, and nothing else would notify it.
    """
    configured = _first_that_fits(settings.link_traps, interface, router)
    if configured is not None:
        return configured
    return not has_lower_layer or if_type(interface, is_bvi=False) == IEEE8023AD_LAG


def mtu(interface: Interface, router: Router) -> int:
    """The L3 MTU; a sub-interface without one has its parent's.  VPP has it as a u32."""
    below = router.parent(interface)
    if below is not None:
        return min(interface.mtu, LARGEST_MTU) or mtu(below, router)
    return min(interface.mtu or interface.link_mtu, LARGEST_MTU)


def phys_address(interface: Interface, router: Router) -> bytes:
    """Six octets, its own or its parent's; empty where there is none (RFC 2863)."""
    address = (router.parent(interface) or interface).l2_address
    return b"" if address == NO_ADDRESS else address


def oper_status(interface: Interface, router: Router) -> int:
    """up, down, or lowerLayerDown where what it is over is not up."""
    if not interface.admin_up:
        return DOWN
    bond = router.bonds.get(interface.sw_if_index)
    if bond is not None and not any(router.active_members(bond)):
        return LOWER_LAYER_DOWN
    below = router.parent(interface)
    if below is None:
        return UP if interface.link_up else DOWN
    if oper_status(below, router) != UP:
        return LOWER_LAYER_DOWN
    # VPP computes a sub-interface's link from its parent's, and says nothing of it.
    return UP if below.link_up else DOWN


def absent_status(facts: Facts) -> int:
    """ifOperStatus of a row that VPP is to bring back: lowerLayerDown, if it is over another.

    So one router that is away is not one problem for each of its VLANs.
    """
    return LOWER_LAYER_DOWN if facts.admin_up and facts.lower_layers else DOWN


def facts_of(
    interface: Interface,
    name: str,
    router: Router,
    configuration: Configuration,
    before: Facts | None,
    settled: bool,
) -> Facts:
    """The facts of a row that VPP lists, under the name that it was given.

    `before`: its facts so far.  What VPP was not asked for yet, or what a VPP that has not
    `settled` may still be given, stays: addresses, and what it is over.
    """
    settings, index = configuration.settings, interface.sw_if_index
    lower = router.lower_layers(interface)
    keys = tuple(
        key_of(each, router) for each in map(router.interfaces.get, lower) if each is not None
    )
    if before and not keys and not settled:
        keys = before.lower_layers
    addresses = router.addresses.get(index)
    if addresses is None or (not addresses and not settled):
        addresses = before.addresses if before else ()
    return Facts(
        name=name,
        alias=if_alias(interface, name, router, configuration),
        type=if_type(interface, router.is_bvi(index)),
        mtu=mtu(interface, router),
        speed=speed(interface, router, settings),
        phys_address=phys_address(interface, router),
        has_connector=has_connector(interface),
        duplex=interface.link_duplex,
        lower_layers=keys,
        aggregated=router.is_aggregated(index),
        addresses=addresses,
        paired=index in router.pairs,
        link_traps=link_traps(interface, bool(lower or keys), router, settings),
        admin_up=interface.admin_up,
    )
