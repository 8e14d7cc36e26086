"""mibs/if_mib.py against RFC 2863's own list of objects."""

import struct
from dataclasses import replace

import pytest

from vpp_snmp_agent.agentx.mib import Table, View
from vpp_snmp_agent.agentx.pdu import NO_SUCH_INSTANCE, NO_SUCH_OBJECT, decode_varbind, dotted, oid
from vpp_snmp_agent.config import Descriptions
from vpp_snmp_agent.interfaces.table import InterfaceTable
from vpp_snmp_agent.mibs import if_mib
from vpp_snmp_agent.show import walked
from vpp_snmp_agent.vpp.inventory import Bond, Identity, Interface, Inventory

# RFC 2863 section 6: every accessible object of the two entries, with its syntax.
IF_ENTRY = """
    ifIndex INTEGER, ifDescr OCTET STRING, ifType INTEGER, ifMtu INTEGER, ifSpeed Gauge32,
    ifPhysAddress OCTET STRING, ifAdminStatus INTEGER, ifOperStatus INTEGER,
    ifLastChange TimeTicks, ifInOctets Counter32, ifInUcastPkts Counter32,
    ifInNUcastPkts Counter32, ifInDiscards Counter32, ifInErrors Counter32,
    ifInUnknownProtos Counter32, ifOutOctets Counter32, ifOutUcastPkts Counter32,
    ifOutNUcastPkts Counter32, ifOutDiscards Counter32, ifOutErrors Counter32,
    ifOutQLen Gauge32, ifSpecific OBJECT IDENTIFIER
"""
IF_X_ENTRY = """
    ifName OCTET STRING, ifInMulticastPkts Counter32, ifInBroadcastPkts Counter32,
    ifOutMulticastPkts Counter32, ifOutBroadcastPkts Counter32, ifHCInOctets Counter64,
    ifHCInUcastPkts Counter64, ifHCInMulticastPkts Counter64, ifHCInBroadcastPkts Counter64,
    ifHCOutOctets Counter64, ifHCOutUcastPkts Counter64, ifHCOutMulticastPkts Counter64,
    ifHCOutBroadcastPkts Counter64, ifLinkUpDownTrapEnable INTEGER, ifHighSpeed Gauge32,
    ifPromiscuousMode INTEGER, ifConnectorPresent INTEGER, ifAlias OCTET STRING,
    ifCounterDiscontinuityTime TimeTicks
"""


@pytest.mark.parametrize(
    ("table", "entry", "objects"),
    [
        (if_mib.IF_TABLE, "1.3.6.1.2.1.2.2.1", IF_ENTRY),
        (if_mib.IF_X_TABLE, "1.3.6.1.2.1.31.1.1.1", IF_X_ENTRY),
    ],
)
def test_every_column_is_there_with_its_syntax(table: Table, entry: str, objects: str) -> None:
    listed = [each.split(maxsplit=1) for each in " ".join(objects.split()).split(", ")]
    assert dotted(table.entry) == entry
    assert [(column.number, column.name, column.type.name) for column in table.columns] == [
        (number, name, syntax) for number, (name, syntax) in enumerate(listed, 1)
    ]


def test_the_scalars_and_the_registered_subtrees_hold_every_object() -> None:
    table = InterfaceTable()
    module = if_mib.module(table)
    view = View(module.objects)
    number = decode_varbind(view.get(oid("1.3.6.1.2.1.2.1.0")))
    assert (number.type.name, number.value) == ("INTEGER", 0)
    last_change = decode_varbind(view.get(oid("1.3.6.1.2.1.31.1.5.0")))
    assert (last_change.type.name, last_change.value) == ("TimeTicks", 0)
    for each in module.objects:
        assert any(each.prefix.startswith(oid(subtree)) for subtree in module.subtrees)


def test_an_empty_table_has_columns_without_instances() -> None:
    view = View(if_mib.module(InterfaceTable()).objects)
    assert decode_varbind(view.get(oid("1.3.6.1.2.1.2.2.1.10.1"))).type is NO_SUCH_INSTANCE
    assert decode_varbind(view.get(oid("1.3.6.1.2.1.2.2.1.23.1"))).type is NO_SUCH_OBJECT


# --- what stands on what, and who listens ----------------------------------------------------

PORT = Interface(1, 1, "eth0", "dpdk", "", bytes(range(6)), True, True, 0, 0, 9000, 9000)
OTHER = replace(PORT, sw_if_index=2, sup_sw_if_index=2, interface_name="eth1", l2_address=bytes(6))
SUB = replace(PORT, sw_if_index=3, interface_name="eth0.7", l2_address=bytes(6))
BOND = replace(OTHER, sw_if_index=4, sup_sw_if_index=4, interface_name="BondEthernet0")


def indexes_below(prefix: str) -> list[tuple[int, ...]]:
    """Of an edge router of four interfaces."""
    table = InterfaceTable()
    view = View(if_mib.module(table).objects)
    told = Inventory(
        Identity("26.06-release", "", 1),
        {each.sw_if_index: each for each in (PORT, OTHER, SUB, BOND)},
        bonds={4: Bond(4, 5, 1, (1, 2), frozenset({1}))},
    )
    for _ in table.update(told, None, Descriptions()):
        pass
    table.commit()
    below = oid(prefix)
    names = [varbind.name[len(below) :] for varbind in walked(view, below)]
    return [struct.unpack(f">{len(name) // 4}I", name) for name in names]


def test_the_stack_names_each_pair_once_and_0_at_both_ends() -> None:
    assert indexes_below("1.3.6.1.2.1.31.1.2.1.3") == [
        (0, 1003),
        (0, 1004),
        (1001, 0),
        (1002, 0),
        (1003, 1001),
        (1004, 1001),
        (1004, 1002),
    ]


@pytest.mark.parametrize(("up", "event", "status"), [(False, 3, 2), (True, 4, 1)])
def test_a_notification_bears_what_people_read(up: bool, event: int, status: int) -> None:
    table = InterfaceTable()
    interface = replace(PORT, link_up=up, tag="Zürich")
    for _ in table.update(Inventory(Identity("", "", 1), {1: interface}), None, Descriptions()):
        pass
    table.commit()
    (row,) = table.rows.by_index.values()
    varbinds = [decode_varbind(each) for each in if_mib.link_notification(row)]
    assert [(dotted(each.name), each.value) for each in varbinds] == [
        ("1.3.6.1.6.3.1.1.4.1.0", oid(f"1.3.6.1.6.3.1.1.5.{event}")),
        ("1.3.6.1.2.1.2.2.1.1.1001", 1001),
        ("1.3.6.1.2.1.2.2.1.7.1001", 1),
        ("1.3.6.1.2.1.2.2.1.8.1001", status),
        ("1.3.6.1.2.1.31.1.1.1.1.1001", b"eth0"),
        ("1.3.6.1.2.1.31.1.1.1.18.1001", "Zürich".encode()),
    ]


def test_an_address_that_is_received_is_an_index_with_its_length() -> None:
    everybody = (6, 255, 255, 255, 255, 255, 255)
    assert indexes_below("1.3.6.1.2.1.31.1.4.1.2") == [
        (1001, 6, 0, 1, 2, 3, 4, 5),
        (1001, *everybody),
        (1003, 6, 0, 1, 2, 3, 4, 5),  # its parent's
        (1003, *everybody),
    ]
