"""What stands on what (ifStackTable, RFC 2863 section 3.1.1): a rule from the inventory alone."""

from ..vpp.inventory import NO_INDEX, Inventory


def standing(inventory: Inventory) -> dict[int, tuple[int, ...]]:
    """By sw_if_index what each interface stands on directly; without those that stand on none.

    A sub-interface stands on its parent, a bond on its members, a BVI on the other ports of
    its bridge domain.
    """
    below: dict[int, tuple[int, ...]] = {
        index: (interface.sup_sw_if_index,)
        for index, interface in inventory.interfaces.items()
        if interface.is_sub
    }
    below |= {bond.sw_if_index: bond.members for bond in inventory.bonds.values() if bond.members}
    for domain in inventory.bridge_domains.values():
        bvi = domain.bvi_sw_if_index
        ports = tuple(port for port in domain.members if port != bvi)
        if bvi != NO_INDEX and ports:
            below[bvi] = ports
    return below
