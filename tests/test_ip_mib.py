"""mibs/ip_mib.py: addresses, neighbours and received packets, each at its interface's ifIndex."""

from ipaddress import ip_address, ip_interface
from typing import Any

import pytest

from vpp_snmp_agent.agentx.mib import Table, View
from vpp_snmp_agent.agentx.values import dotted, oid
from vpp_snmp_agent.interfaces.ip_statistics import ERRORS
from vpp_snmp_agent.mibs import ip_mib, ip_mib_addresses, ip_mib_neighbors, ip_mib_statistics
from vpp_snmp_agent.operator.show import walked
from vpp_snmp_agent.vpp.records import (
    ADDRESSES,
    INTERFACES,
    NEIGHBORS,
    Addresses,
    Neighbor,
    NeighborChanges,
)

from . import routers
from .oids import IP
from .routers import new_publisher, port, router_of
from .walks import below, found_in

PORT, LOOP = port(1, "eth0"), port(2, "loop0")
MAC = bytes.fromhex("02005e200205")


def addressed(**by_index: str) -> list[Addresses]:
    """Addresses by `at_<sw_if_index>`, several with blanks between them."""
    return [
        Addresses(
            int(at.removeprefix("at_")),
            tuple(
                (each.packed, each.network.prefixlen) for each in map(ip_interface, text.split())
            ),
        )
        for at, text in by_index.items()
    ]


def served(*addresses: Addresses, neighbors: tuple[Neighbor, ...] = ()) -> dict[str, Any]:
    """All that is served of a port and a loopback, by name."""
    complete = (INTERFACES, ADDRESSES, NEIGHBORS)
    router = router_of(PORT, LOOP, *addresses, neighbors=neighbors, complete=complete)
    module, _ = routers.served(ip_mib.module, router)
    return found_in(View(module.objects))


# RFC 4293 section 5, of each table the objects that can be read: number, name, syntax.
OBJECTS: dict[str, str] = {
    "20.1": "1 ipAdEntAddr IpAddress, 2 ipAdEntIfIndex INTEGER, 3 ipAdEntNetMask IpAddress,"
    "4 ipAdEntBcastAddr INTEGER, 5 ipAdEntReasmMaxSize INTEGER",
    "22.1": "1 ipNetToMediaIfIndex INTEGER, 2 ipNetToMediaPhysAddress OCTET STRING,"
    "3 ipNetToMediaNetAddress IpAddress, 4 ipNetToMediaType INTEGER",
    "28.1": "2 ipv4InterfaceReasmMaxSize INTEGER, 3 ipv4InterfaceEnableStatus INTEGER",
    "30.1": "2 ipv6InterfaceReasmMaxSize Gauge32, 5 ipv6InterfaceEnableStatus INTEGER,"
    "8 ipv6InterfaceForwarding INTEGER",
    "31.1.1": "3 ipSystemStatsInReceives Counter32, 4 ipSystemStatsHCInReceives Counter64,"
    "7 ipSystemStatsInHdrErrors Counter32, 9 ipSystemStatsInAddrErrors Counter32,"
    "10 ipSystemStatsInUnknownProtos Counter32, 11 ipSystemStatsInTruncatedPkts Counter32,"
    "14 ipSystemStatsReasmReqds Counter32, 15 ipSystemStatsReasmOKs Counter32,"
    "16 ipSystemStatsReasmFails Counter32, 17 ipSystemStatsInDiscards Counter32,"
    "25 ipSystemStatsOutDiscards Counter32, 28 ipSystemStatsOutFragFails Counter32,"
    "29 ipSystemStatsOutFragCreates Counter32, 46 ipSystemStatsDiscontinuityTime TimeTicks,"
    "47 ipSystemStatsRefreshRate Gauge32",
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
        *(
            ip_mib_addresses.ADDR_TABLE,
            ip_mib_neighbors.NET_TO_MEDIA_TABLE,
            ip_mib_addresses.IPV4_INTERFACE_TABLE,
        ),
        *(
            ip_mib_addresses.IPV6_INTERFACE_TABLE,
            ip_mib_statistics.IF_STATS_TABLE,
            ip_mib_addresses.ADDRESS_PREFIX_TABLE,
        ),
        *(
            ip_mib_addresses.ADDRESS_TABLE,
            ip_mib_neighbors.NET_TO_PHYSICAL_TABLE,
            ip_mib_statistics.SYSTEM_STATS_TABLE,
        ),
    ],
    ids=lambda table: dotted(table.entry),
)
def test_every_column_has_its_number_and_syntax(table: Table) -> None:
    listed = OBJECTS[dotted(table.entry).removeprefix(f"{IP}.")].split(",")
    assert [f"{each.number} {each.name} {each.type.name}" for each in table.columns] == [
        each.strip() for each in listed
    ]


def test_an_ipv4_address_stands_in_every_table_of_addresses() -> None:
    found = served(*addressed(at_1="198.51.100.1/30"))
    key = "198.51.100.1"
    assert below(found, f"{IP}.20.1") == {
        f"1.{key}": ip_address(key).packed,
        f"2.{key}": 1001,
        f"3.{key}": ip_address("255.255.255.252").packed,
        f"4.{key}": 1,
        f"5.{key}": 65535,
    }
    prefix = "1001.1.4.198.51.100.0.30"
    assert below(found, f"{IP}.34.1") == {
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
    assert below(found, f"{IP}.32.1") == {
        f"{number}.{prefix}": value
        for number, value in {5: 1, 6: 1, 7: 2, 8: 2**32 - 1, 9: 2**32 - 1}.items()
    }
    assert below(found, f"{IP}.28.1") == {"2.1001": 65535, "3.1001": 1}
    assert not below(found, f"{IP}.30.1")


def test_an_ipv6_address_has_a_prefix_of_which_vpp_reports_no_lifetime() -> None:
    found = served(*addressed(at_2="2001:db8:205::1/126"))
    octets = ".".join(map(str, ip_address("2001:db8:205::1").packed))
    prefix = ".".join(map(str, ip_address("2001:db8:205::").packed))
    assert below(found, f"{IP}.34.1.3") == {f"2.16.{octets}": 1002}
    pointer = below(found, f"{IP}.34.1.5")[f"2.16.{octets}"]
    assert dotted(pointer) == f"{IP}.32.1.5.1002.2.16.{prefix}.126"
    assert dotted(pointer) in found
    assert set(below(found, f"{IP}.32.1")) == {
        f"{column}.1002.2.16.{prefix}.126" for column in (5, 6)
    }
    assert below(found, f"{IP}.30.1") == {"2.1002": 65535, "5.1002": 1, "8.1002": 1}
    assert not below(found, f"{IP}.20.1")


@pytest.mark.parametrize("address", ["fe80::1", "fe80:0:0:1::1", "fe9f::2", "febf:ffff::3"])
def test_a_link_local_address_bears_its_zone(address: str) -> None:
    """It may be on every interface; all of fe80::/10 is link-local (RFC 4291 section 2.4)."""
    found = served(*addressed(at_1=f"{address}/64", at_2=f"{address}/64"))
    octets = ".".join(map(str, ip_address(address).packed))
    assert below(found, f"{IP}.34.1.3") == {
        f"4.20.{octets}.0.0.3.{0xE8 + n}": 1000 + n for n in (1, 2)
    }


def test_an_address_on_two_interfaces_is_in_ipaddrtable_once() -> None:
    found = served(*addressed(at_1="192.0.2.1/32", at_2="192.0.2.1/24"))
    assert below(found, f"{IP}.20.1.2") == {"192.0.2.1": 1001}
    assert len(below(found, f"{IP}.32.1.5")) == 2


def test_two_addresses_of_one_prefix_share_its_row() -> None:
    found = served(*addressed(at_1="192.0.2.1/24 192.0.2.2/24 192.0.2.3/0"))
    assert set(below(found, f"{IP}.32.1.5")) == {
        "1001.1.4.192.0.2.0.24",
        "1001.1.4.0.0.0.0.0",
    }
    assert below(found, f"{IP}.20.1.3")["192.0.2.3"] == bytes(4)


def test_a_neighbour_is_at_its_interface_in_both_tables() -> None:
    found = served(
        neighbors=(
            Neighbor(1, ip_address("198.51.100.2").packed, MAC, False),
            Neighbor(1, ip_address("2001:db8::2").packed, MAC, True),
            Neighbor(9, ip_address("192.0.2.7").packed, MAC, False),  # of nothing that is shown
        )
    )
    assert below(found, f"{IP}.22.1") == {
        "1.1001.198.51.100.2": 1001,
        "2.1001.198.51.100.2": MAC,
        "3.1001.198.51.100.2": ip_address("198.51.100.2").packed,
        "4.1001.198.51.100.2": 3,
    }
    v6 = "1001.2.16." + ".".join(map(str, ip_address("2001:db8::2").packed))
    assert below(found, f"{IP}.35.1") == {
        f"{number}.{key}": value
        for key, type_ in (("1001.1.4.198.51.100.2", 3), (v6, 4))
        for number, value in {4: MAC, 6: type_, 7: 6, 8: 1}.items()
    }


def test_without_a_segment_there_are_no_counters_and_nothing_else_is_missing() -> None:
    found = served()
    assert set(below(found, f"{IP}.31.3.1")) == {
        f"{column}.{version}.{1000 + n}"
        for column in (46, 47)
        for version in (1, 2)
        for n in (1, 2)
    }


def test_the_statistics_of_each_version_are_in_a_row_of_its_own_and_ipv4s_are_scalars_too() -> None:
    publisher = new_publisher()
    module = ip_mib.module(publisher)
    publisher.uptime.set(0, 1000.0)
    for statistics, more in ((publisher.system.ipv4, 0), (publisher.system.ipv6, 100)):
        for number, column in enumerate(sorted({each.column for each in ERRORS}), 1 + more):
            statistics.totals.count(column, number)
        statistics.totals.count("InReceives", 2**32 + 50 + more)
        statistics.totals.restarted_at = 1001.0 + more
    found = found_in(View(module.objects))
    table = below(found, f"{IP}.31.1.1")
    names = sorted({each.column for each in ERRORS})
    columns = {3: 50, 4: 2**32 + 50, 46: 100, 47: 1000} | {
        column.number: 1 + names.index(column.name.removeprefix("ipSystemStats"))
        for column in ip_mib_statistics.SYSTEM_STATS_TABLE.columns
        if column.number not in (3, 4, 46, 47)
    }
    assert {key: value for key, value in table.items() if key.endswith(".1")} == {
        f"{number}.1": value for number, value in columns.items()
    }
    assert {key: value for key, value in table.items() if key.endswith(".2")} == {
        f"{number}.2": 10_100 if number == 46 else value + 100 * (number != 47)
        for number, value in columns.items()
    }
    of_table = {3: 3, 4: 7, 5: 9, 7: 10, 8: 17, 11: 25, 14: 14, 15: 15, 16: 16, 18: 28, 19: 29}
    expected = {1: 1, 2: 64, 25: 1, 26: 64} | {n: columns[at] for n, at in of_table.items()}
    assert found.items() >= {f"{IP}.{n}.0": value for n, value in expected.items()}.items()


def test_the_registered_subtrees_hold_every_object_and_only_columns_of_snmpds_own_tables() -> None:
    module = ip_mib.module(new_publisher())
    for each in module.objects:
        if dotted(each.prefix).startswith((f"{IP}.20.", f"{IP}.22.")):
            continue
        assert any(each.prefix.startswith(oid(subtree)) for subtree in module.subtrees)
    columns = [*(f"20.1.{n}" for n in range(1, 6)), *(f"22.1.{n}" for n in range(1, 5))]
    assert {f"{IP}.{each}" for each in columns} < set(module.subtrees)
    assert not {f"{IP}.20", f"{IP}.20.1", f"{IP}.22", f"{IP}.22.1", IP} & set(module.subtrees)


# --- what changes -----------------------------------------------------------------------------


def test_neighbours_that_come_and_go_are_walked_on_from_the_last_name() -> None:
    router = router_of(PORT, LOOP, complete=(INTERFACES, NEIGHBORS))
    module, publisher = routers.served(ip_mib.module, router)
    view = View(module.objects)

    def neighbor(host: int, at: int = 1) -> Neighbor:
        return Neighbor(at, bytes((192, 0, 2, host)), MAC, False)

    def report(*reported: Neighbor, gone: tuple[Neighbor, ...] = ()) -> None:
        lost = tuple((each.sw_if_index, each.address) for each in gone)
        publisher.touch_neighbors(router.apply_neighbors(NeighborChanges(reported, lost)))

    report(neighbor(2), neighbor(5), neighbor(9), neighbor(3, at=2))
    steps = walked(view, oid(f"{IP}.22.1.3"))
    assert next(steps).value == bytes((192, 0, 2, 2))
    report(neighbor(1), neighbor(4), gone=(neighbor(2), neighbor(5)))
    assert next(steps).value == bytes((192, 0, 2, 4))
    report(gone=(neighbor(1), neighbor(4), neighbor(9)))
    assert next(steps).value == bytes((192, 0, 2, 3))
    report(gone=(neighbor(3, at=2),))
    assert list(steps) == []


# --- two rows of ipIfStatsTable for each interface ----------------------------------------------
