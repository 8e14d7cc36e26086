"""What an interface is called and what it is: rules from the inventory alone.

Names are RFC 2863's, numbers those of IANAifType-MIB.  Nothing here keeps state.
"""

from collections.abc import Mapping

from ..config import Descriptions
from ..vpp.inventory import Interface, Inventory

HIDDEN = frozenset({"local0"})
STAMP = "vppcfg"  # the tag that vppcfg puts on what it makes: no description

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

UP, DOWN, LOWER_LAYER_DOWN = 1, 2, 7

NO_ADDRESS = bytes(6)


def shown(inventory: Inventory) -> dict[int, Interface]:
    """The interfaces that are rows, by sw_if_index: all but `local0` and the LCP TAPs."""
    taps = {pair.host_sw_if_index for pair in inventory.pairs.values()}
    return {
        index: interface
        for index, interface in sorted(inventory.interfaces.items())
        if index not in taps and interface.interface_name not in HIDDEN
    }


def if_names(inventory: Inventory, interfaces: Mapping[int, Interface]) -> dict[int, str]:
    """ifName by sw_if_index: the LCP host name, or VPP's name, and no name twice.

    Host names are unique only within their namespace; the second of two keeps VPP's.
    """
    names = {index: each.interface_name for index, each in interfaces.items()}
    hosts: dict[str, int] = {}
    for index in interfaces:
        if index in inventory.pairs and inventory.pairs[index].host_if_name:
            hosts.setdefault(inventory.pairs[index].host_if_name, index)
    # Who keeps VPP's name needs it: one with that host name gives way, and keeps VPP's too.
    keeping = list(names.keys() - hosts.values())
    while keeping:
        displaced = hosts.pop(names[keeping.pop()], None)
        if displaced is not None:
            keeping.append(displaced)
    return names | {index: host for host, index in hosts.items()}


def if_alias(interface: Interface, descriptions: Descriptions) -> str:
    """The operator's description: vppcfg's, else VPP's tag, else nothing."""
    described = descriptions.of(interface.interface_name)
    if described:
        return described
    return "" if interface.tag == STAMP else interface.tag


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
    """What a sub-interface stands on."""
    return inventory.interfaces.get(interface.sup_sw_if_index) if interface.is_sub else None


def speed(interface: Interface, inventory: Inventory) -> int:
    """Bits a second: its own, its parent's, the sum of a bond's active members; 0 unknown."""
    interface = parent(interface, inventory) or interface
    bond = inventory.bonds.get(interface.sw_if_index)
    if bond is None:
        return interface.link_speed * 1000
    members = (inventory.interfaces.get(each) for each in bond.active)
    return sum(each.link_speed * 1000 for each in members if each)


def mtu(interface: Interface, inventory: Inventory) -> int:
    """The L3 MTU; a sub-interface without one has its parent's."""
    above = parent(interface, inventory)
    if above is not None:
        return interface.mtu or mtu(above, inventory)
    return interface.mtu or interface.link_mtu


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
