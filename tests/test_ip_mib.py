"""mibs/ip_mib.py: addresses, neighbours and received packets, each at its interface's ifIndex."""

from dataclasses import replace
from ipaddress import ip_address, ip_interface
from typing import Any

import pytest

from vpp_snmp_agent.agentx.mib import Table, View
from vpp_snmp_agent.agentx.pdu import dotted, oid
from vpp_snmp_agent.config import Descriptions
from vpp_snmp_agent.interfaces.table import InterfaceTable
from vpp_snmp_agent.mibs import ip_mib
from vpp_snmp_agent.show import walked
from vpp_snmp_agent.vpp.inventory import Identity, Interface, Inventory, IpAddress, IpNeighbor

PORT = Interface(1, 1, "eth0", "dpdk", "", bytes(6), True, True, 0, 0, 9000, 9000)
LOOP = replace(PORT, sw_if_index=2, sup_sw_if_index=2, interface_name="loop0")
MAC = bytes.fromhex("02005e200205")
IP = "1.3.6.1.2.1.4"


def addressed(**by_index: str) -> dict[tuple[int, bytes], IpAddress]:
    """Addresses by `at_<sw_if_index>`, several with blanks between them."""
    found = [
        IpAddress(int(at.removeprefix("at_")), each.packed, each.network.prefixlen)
        for at, text in by_index.items()
        for each in map(ip_interface, text.split())
    ]
    return {each.key: each for each in found}


def served(**told: Any) -> dict[str, Any]:
    """All that is served of a port and a loopback, by name."""
    table = InterfaceTable()
    view = View(ip_mib.module(table).objects)
    inventory = Inventory(Identity("26.06-release", "", 1), {1: PORT, 2: LOOP}, **told)
    for _ in table.update(inventory, None, Descriptions()):
        pass
    table.commit()
    return {dotted(each.name): each.value for each in walked(view, b"")}


def below(found: dict[str, Any], prefix: str) -> dict[str, Any]:
    """What is below a prefix, by the rest of the name."""
    start = f"{IP}.{prefix}."
    return {
        name.removeprefix(start): value for name, value in found.items() if name.startswith(start)
    }


# RFC 4293 section 5, of each table the objects that can be read: number, name, syntax.
OBJECTS: dict[str, str] = {
    "20.1": "1 ipAdEntAddr IpAddress, 2 ipAdEntIfIndex INTEGER, 3 ipAdEntNetMask IpAddress,"
    "4 ipAdEntBcastAddr INTEGER, 5 ipAdEntReasmMaxSize INTEGER",
    "22.1": "1 ipNetToMediaIfIndex INTEGER, 2 ipNetToMediaPhysAddress OCTET STRING,"
    "3 ipNetToMediaNetAddress IpAddress, 4 ipNetToMediaType INTEGER",
    "28.1": "2 ipv4InterfaceReasmMaxSize INTEGER, 3 ipv4InterfaceEnableStatus INTEGER",
    "30.1": "2 ipv6InterfaceReasmMaxSize Gauge32, 5 ipv6InterfaceEnableStatus INTEGER,"
    "8 ipv6InterfaceForwarding INTEGER",
    "31.3.1": "3 ipIfStatsInReceives Counter32, 4 ipIfStatsHCInReceives Counter64,"
    "46 ipIfStatsDiscontinuityTime TimeTicks, 47 ipIfStatsRefreshRate Gauge32",
    "32.1": "5 ipAddressPrefixOrigin INTEGER, 6 ipAddressPrefixOnLinkFlag INTEGER,"
    "7 ipAddressPrefixAutonomousFlag INTEGER, 8 ipAddressPrefixAdvPreferredLifetime Gauge32,"
    "9 ipAddressPrefixAdvValidLifetime Gauge32",
    "34.1": "3 ipAddressIfIndex INTEGER, 4 ipAddressType INTEGER,"
    "5 ipAddressPrefix OBJECT IDENTIFIER, 6 ipAddressOrigin INTEGER, 7 ipAddressStatus INTEGER,"
    "8 ipAddressCreated TimeTicks, 9 ipAddressLastChanged TimeTicks,"
    "10 ipAddressRowStatus INTEGER, 11 ipAddressStorageType INTEGER",
    "35.1": "4 ipNetToPhysicalPhysAddress OCTET STRING, 6 ipNetToPhysicalType INTEGER,"
    "7 ipNetToPhysicalState INTEGER, 8 ipNetToPhysicalRowStatus INTEGER",
}


@pytest.mark.parametrize(
    "table",
    [
        *(ip_mib.ADDR_TABLE, ip_mib.NET_TO_MEDIA_TABLE, ip_mib.IPV4_INTERFACE_TABLE),
        *(ip_mib.IPV6_INTERFACE_TABLE, ip_mib.IF_STATS_TABLE, ip_mib.ADDRESS_PREFIX_TABLE),
        *(ip_mib.ADDRESS_TABLE, ip_mib.NET_TO_PHYSICAL_TABLE),
    ],
    ids=lambda table: dotted(table.entry),
)
def test_every_column_has_its_number_and_syntax(table: Table) -> None:
    listed = OBJECTS[dotted(table.entry).removeprefix(f"{IP}.")].split(",")
    assert [f"{each.number} {each.name} {each.type.name}" for each in table.columns] == [
        each.strip() for each in listed
    ]


def test_an_ipv4_address_stands_in_every_table_of_addresses() -> None:
    found = served(addresses=addressed(at_1="198.51.100.1/30"))
    key = "198.51.100.1"
    assert below(found, "20.1") == {
        f"1.{key}": ip_address(key).packed,
        f"2.{key}": 1001,
        f"3.{key}": ip_address("255.255.255.252").packed,
        f"4.{key}": 1,
        f"5.{key}": 65535,
    }
    prefix = "1001.1.4.198.51.100.0.30"
    assert below(found, "34.1") == {
        f"{number}.1.4.{key}": value
        for number, value in {
            3: 1001,
            4: 1,
            5: oid(f"{IP}.32.1.5.{prefix}"),
            6: 1,
            7: 1,
            8: 0,
            9: 0,
            10: 1,
            11: 1,
        }.items()
    }
    assert below(found, "32.1") == {
        f"{number}.{prefix}": value
        for number, value in {5: 1, 6: 1, 7: 2, 8: 2**32 - 1, 9: 2**32 - 1}.items()
    }
    assert below(found, "28.1") == {"2.1001": 65535, "3.1001": 1}
    assert not below(found, "30.1")


def test_an_ipv6_address_has_a_prefix_of_which_vpp_tells_no_lifetime() -> None:
    found = served(addresses=addressed(at_2="2001:db8:205::1/126"))
    octets = ".".join(map(str, ip_address("2001:db8:205::1").packed))
    prefix = ".".join(map(str, ip_address("2001:db8:205::").packed))
    assert below(found, "34.1.3") == {f"2.16.{octets}": 1002}
    pointer = below(found, "34.1.5")[f"2.16.{octets}"]
    assert dotted(pointer) == f"{IP}.32.1.5.1002.2.16.{prefix}.126"
    assert dotted(pointer) in found
    assert set(below(found, "32.1")) == {f"{column}.1002.2.16.{prefix}.126" for column in (5, 6)}
    assert below(found, "30.1") == {"2.1002": 65535, "5.1002": 1, "8.1002": 1}
    assert not below(found, "20.1")


def test_a_link_local_address_bears_its_zone() -> None:
    """It may be on every interface."""
    found = served(addresses=addressed(at_1="fe80::1/64", at_2="fe80::1/64"))
    octets = ".".join(map(str, ip_address("fe80::1").packed))
    assert below(found, "34.1.3") == {f"4.20.{octets}.0.0.3.{0xE8 + n}": 1000 + n for n in (1, 2)}


def test_an_address_on_two_interfaces_is_in_ipaddrtable_once() -> None:
    found = served(addresses=addressed(at_1="192.0.2.1/32", at_2="192.0.2.1/24"))
    assert below(found, "20.1.2") == {"192.0.2.1": 1001}
    assert len(below(found, "32.1.5")) == 2


def test_two_addresses_of_one_prefix_share_its_row() -> None:
    found = served(addresses=addressed(at_1="192.0.2.1/24 192.0.2.2/24 192.0.2.3/0"))
    assert set(below(found, "32.1.5")) == {
        "1001.1.4.192.0.2.0.24",
        "1001.1.4.0.0.0.0.0",
    }
    assert below(found, "20.1.3")["192.0.2.3"] == bytes(4)


def test_a_neighbour_is_at_its_interface_in_both_tables() -> None:
    told = [
        IpNeighbor(1, ip_address("198.51.100.2").packed, MAC, False),
        IpNeighbor(1, ip_address("2001:db8::2").packed, MAC, True),
        IpNeighbor(9, ip_address("192.0.2.7").packed, MAC, False),  # of nothing that is shown
    ]
    found = served(neighbors={each.key: each for each in told})
    assert below(found, "22.1") == {
        "1.1001.198.51.100.2": 1001,
        "2.1001.198.51.100.2": MAC,
        "3.1001.198.51.100.2": ip_address("198.51.100.2").packed,
        "4.1001.198.51.100.2": 3,
    }
    v6 = "1001.2.16." + ".".join(map(str, ip_address("2001:db8::2").packed))
    assert below(found, "35.1") == {
        f"{number}.{key}": value
        for key, type_ in (("1001.1.4.198.51.100.2", 3), (v6, 4))
        for number, value in {4: MAC, 6: type_, 7: 6, 8: 1}.items()
    }


def test_without_a_segment_there_are_no_counters_and_nothing_else_is_missing() -> None:
    found = served()
    assert set(below(found, "31.3.1")) == {
        f"{column}.{version}.{1000 + n}"
        for column in (46, 47)
        for version in (1, 2)
        for n in (1, 2)
    }


def test_the_registered_subtrees_hold_every_object_and_only_columns_of_snmpds_own_tables() -> None:
    module = ip_mib.module(InterfaceTable())
    for each in module.objects:
        if dotted(each.prefix).startswith((f"{IP}.20.", f"{IP}.22.")):
            continue
        assert any(each.prefix.startswith(oid(subtree)) for subtree in module.subtrees)
    columns = [*(f"20.1.{n}" for n in range(1, 6)), *(f"22.1.{n}" for n in range(1, 5))]
    assert {f"{IP}.{each}" for each in columns} < set(module.subtrees)
    assert not {f"{IP}.20", f"{IP}.20.1", f"{IP}.22", f"{IP}.22.1", IP} & set(module.subtrees)
