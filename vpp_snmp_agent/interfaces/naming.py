"""What an interface is called and what it is: rules from inventory and settings alone.

Names are RFC 2863's, numbers those of IANAifType-MIB.  Nothing here keeps state.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import NamedTuple, TypeVar

from ..config import Descriptions, Settings
from ..vpp.inventory import Interface, Inventory

STAMP = "vppcfg"  # the tag that vppcfg puts on what it makes: no description
LONGEST_ALIAS = 255  # octets; RFC 2863 has 64, which no operator's description respects

ETHERNET_CSMACD, SOFTWARE_LOOPBACK, PROP_VIRTUAL, TUNNEL = 6, 24, 53, 131
L2_VLAN, L3_IP_VLAN, IEEE8023AD_LAG = 135, 136, 161

_TYPES = {
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
    "tap": PROP_VIRTUAL,
    "virtio": PROP_VIRTUAL,
    "memif": PROP_VIRTUAL,
    "vhost-user": PROP_VIRTUAL,
    "VhostEthernet": PROP_VIRTUAL,
    "af-packet": PROP_VIRTUAL,
    "af_packet": PROP_VIRTUAL,
    "Pipe": PROP_VIRTUAL,
    "pg": PROP_VIRTUAL,
}

UP, DOWN, UNKNOWN, LOWER_LAYER_DOWN = 1, 2, 4, 7

NO_ADDRESS = bytes(6)
LARGEST_MTU = 2**31 - 1  # ifMtu is an Integer32

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Wish(NamedTuple):
    """The name that a row has by itself, and the one it would rather bear."""

    own: str
    wanted: str


def matches(name: str, globs: Iterable[str]) -> bool:
    """Whether a name fits one of the globs."""
    return any(fnmatchcase(name, glob) for glob in globs)


def taps(inventory: Inventory) -> dict[int, int]:
    """The phy of each LCP TAP, both by sw_if_index."""
    return {pair.host_sw_if_index: phy for phy, pair in inventory.pairs.items()}


def key(interface: Interface, inventory: Inventory, taps: Mapping[int, int]) -> str:
    """What the interface is known by for ever: VPP's name, or its phy's for a TAP.

    VPP numbers its TAPs anew at every start.
    """
    phy = inventory.interfaces.get(taps.get(interface.sw_if_index, -1))
    return f"tap of {phy.interface_name}" if phy else interface.interface_name


def listed(
    inventory: Inventory, taps: Mapping[int, int], settings: Settings
) -> Iterator[tuple[str, Interface]]:
    """The interfaces that may be rows, with their keys, in the order of their sw_if_index."""
    hidden = set() if settings.shows_taps else taps.keys()
    for index, interface in sorted(inventory.interfaces.items()):
        if index not in hidden and not matches(interface.interface_name, settings.hide):
            yield key(interface, inventory, taps), interface


def wish(
    interface: Interface, inventory: Inventory, taps: Mapping[int, int], settings: Settings
) -> Wish:
    """The names for an interface, by the setting `names`."""
    own = interface.interface_name
    bearer = interface.sw_if_index
    if settings.names == "tap":
        bearer = taps.get(bearer, -1)
    pair = inventory.pairs.get(bearer) if settings.names != "vpp" else None
    return Wish(own, (pair and pair.host_if_name) or own)


def if_names(wishes: Mapping[K, Wish]) -> dict[K, str]:
    """ifName by whatever the rows are known by: no name twice, the earlier of two first.

    Host names are unique only within their namespace; own names are unique.
    """
    names = {row: own for row, (own, _) in wishes.items()}
    bearers: dict[str, K] = {}
    for row, (own, wanted) in wishes.items():
        if wanted != own:
            bearers.setdefault(wanted, row)
    # Who keeps its own name needs it: one that wants the same gives way, and keeps its own.
    keeping = list(names.keys() - bearers.values())
    while keeping:
        displaced = bearers.pop(names[keeping.pop()], None)
        if displaced is not None:
            keeping.append(displaced)
    return names | {row: name for name, row in bearers.items()}


def if_alias(
    interface: Interface,
    name: str,
    inventory: Inventory,
    taps: Mapping[int, int],
    descriptions: Descriptions,
    settings: Settings,
) -> str:
    """The operator's description: vppcfg's, else VPP's tag, else nothing or the name."""
    phy = inventory.interfaces.get(taps.get(interface.sw_if_index, -1))
    if phy and settings.names == "tap":
        return f"LCP {phy.interface_name} ({interface.interface_name})"
    tag = "" if interface.tag == STAMP else interface.tag
    told = descriptions.of(interface.interface_name) or tag
    if not told and settings.alias == "name":
        told = name
    return cut(told)


def cut(text: str) -> str:
    """At most LONGEST_ALIAS octets of UTF-8, whole characters."""
    encoded = text.encode(errors="replace")
    return encoded[:LONGEST_ALIAS].decode(errors="ignore")


def if_type(interface: Interface, bvis: frozenset[int]) -> int:
    """IANAifType by kind; `bvis` are the bridge domains' own interfaces."""
    if interface.is_sub:
        return L2_VLAN
    if interface.sw_if_index in bvis:
        return L3_IP_VLAN
    kind = interface.interface_dev_type
    if kind in _TYPES:
        return _TYPES[kind]
    return TUNNEL if kind.lower().endswith(("tunnel", "tunnel device")) else ETHERNET_CSMACD


def has_connector(interface: Interface) -> bool:
    """ifConnectorPresent (RFC 2863 section 6): something to plug a cable into."""
    return if_type(interface, frozenset()) == ETHERNET_CSMACD


def bvis(inventory: Inventory) -> frozenset[int]:
    """The interfaces in which bridge domains route."""
    return frozenset(each.bvi_sw_if_index for each in inventory.bridge_domains.values())


def parent(interface: Interface, inventory: Inventory) -> Interface | None:
    """What a sub-interface stands on: in VPP never another sub-interface."""
    below = inventory.interfaces.get(interface.sup_sw_if_index) if interface.is_sub else None
    return below if below and not below.is_sub else None


def speed(interface: Interface, inventory: Inventory, settings: Settings) -> int:
    """Bits a second: the operator's word, its own, its parent's, its active members'; 0 unknown."""
    told = _told_speed(interface, inventory, settings)
    if told is not None:
        return told
    below = parent(interface, inventory)
    if below is not None:
        return speed(below, inventory, settings)
    bond = inventory.bonds.get(interface.sw_if_index)
    if bond is None:
        return interface.link_speed * 1000
    total = 0
    for member in bond.active:
        each = inventory.interfaces.get(member)
        if each is not None:
            told = _told_speed(each, inventory, settings)
            total += each.link_speed * 1000 if told is None else told
    return total


def _told_speed(interface: Interface, inventory: Inventory, settings: Settings) -> int | None:
    """What the setting `speeds` says."""
    megabits = _first_that_fits(settings.speeds, interface, inventory)
    return None if megabits is None else megabits * 10**6


def _first_that_fits(
    said: Iterable[tuple[str, V]], interface: Interface, inventory: Inventory
) -> V | None:
    """What a setting says by globs of VPP's name or of the LCP host name."""
    if not said:
        return None
    pair = inventory.pairs.get(interface.sw_if_index)
    names = (interface.interface_name, pair.host_if_name if pair else "")
    for glob, what in said:
        if any(fnmatchcase(name, glob) for name in names if name):
            return what
    return None


def link_traps(
    interface: Interface, stands: bool, inventory: Inventory, settings: Settings
) -> bool:
    """ifLinkUpDownTrapEnable: the operator's word, else whether it stands on no other.

    RFC 2863 section 6: one cable must not send a thousand notifications.
    """
    told = _first_that_fits(settings.link_traps, interface, inventory)
    return not stands if told is None else told


def mtu(interface: Interface, inventory: Inventory) -> int:
    """The L3 MTU; a sub-interface without one has its parent's.  VPP has it as a u32."""
    above = parent(interface, inventory)
    if above is not None:
        return min(interface.mtu, LARGEST_MTU) or mtu(above, inventory)
    return min(interface.mtu or interface.link_mtu, LARGEST_MTU)


def phys_address(interface: Interface, inventory: Inventory) -> bytes:
    """Six octets, its own or its parent's; empty where there is none (RFC 2863)."""
    address = (parent(interface, inventory) or interface).l2_address
    return b"" if address == NO_ADDRESS else address


def oper_status(interface: Interface, inventory: Inventory) -> int:
    """up, down, or lowerLayerDown where what it stands on is not up."""
    if not interface.admin_up:
        return DOWN
    bond = inventory.bonds.get(interface.sw_if_index)
    if bond is not None and not bond.active_members:
        return LOWER_LAYER_DOWN
    above = parent(interface, inventory)
    if above is not None and oper_status(above, inventory) != UP:
        return LOWER_LAYER_DOWN
    return UP if interface.link_up else DOWN
