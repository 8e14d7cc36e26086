"""mibs/if_mib.py against RFC 2863's own list of objects."""

import os
import struct
from dataclasses import replace
from typing import Any

import pytest

from simulator.segment import SegmentWriter
from vpp_snmp_agent.agentx.mib import Table, View
from vpp_snmp_agent.agentx.values import (
    COUNTER32,
    COUNTER64,
    NO_SUCH_INSTANCE,
    NO_SUCH_OBJECT,
    decode_varbind,
    dotted,
    oid,
    subids,
)
from vpp_snmp_agent.interfaces.counters import CounterSet
from vpp_snmp_agent.interfaces.formulas import READINGS
from vpp_snmp_agent.interfaces.publisher import Publisher
from vpp_snmp_agent.mibs import if_mib
from vpp_snmp_agent.operator.show import walked
from vpp_snmp_agent.vpp.layout import Generation, Kind
from vpp_snmp_agent.vpp.records import BridgeDomain, Interface, Record
from vpp_snmp_agent.vpp.segment import Segment

from .oids import IF_MIB, STACK
from .routers import (
    VPP,
    Clock,
    bond,
    change,
    finish,
    new_publisher,
    port,
    publish,
    router_of,
    served,
    sub,
)

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
    module = if_mib.module(new_publisher())
    view = View(module.objects)
    number = decode_varbind(view.get(oid("1.3.6.1.2.1.2.1.0")))
    assert (number.type.name, number.value) == ("INTEGER", 0)
    last_change = decode_varbind(view.get(oid("1.3.6.1.2.1.31.1.5.0")))
    assert (last_change.type.name, last_change.value) == ("TimeTicks", 0)
    for each in module.objects:
        assert any(each.prefix.startswith(oid(subtree)) for subtree in module.subtrees)


def test_an_empty_table_has_columns_without_instances() -> None:
    view = View(if_mib.module(new_publisher()).objects)
    assert decode_varbind(view.get(oid("1.3.6.1.2.1.2.2.1.10.1"))).type is NO_SUCH_INSTANCE
    assert decode_varbind(view.get(oid("1.3.6.1.2.1.2.2.1.23.1"))).type is NO_SUCH_OBJECT


def test_every_counter_stands_where_its_readings_do_and_is_walked_where_rows_are_counted() -> None:
    for column in (*if_mib.IF_TABLE.columns, *if_mib.IF_X_TABLE.columns):
        if column.type in (COUNTER32, COUNTER64):
            # VPP has no drops on egress: that is 0 with counters and without.
            assert column.is_counter == (column.name != "ifOutDiscards")
        else:
            assert not column.is_counter
    placed = {
        column.reading_index for column in (*if_mib.IF_TABLE.columns, *if_mib.IF_X_TABLE.columns)
    }
    assert placed - {None} == set(range(len(READINGS)))


@pytest.mark.parametrize(
    ("kilobits", "megabits"),
    [
        (0, 0),
        (64, 0),
        (499, 0),
        (500, 1),
        (1_544, 2),
        (2_048, 2),
        (2_499, 2),
        (400_000_000, 400_000),
    ],
)
def test_ifhighspeed_is_rounded_to_the_nearest(kilobits: int, megabits: int) -> None:
    module, _ = served(if_mib.module, router_of(port(1, link_speed=kilobits)))
    found = View(module.objects).get(oid("1.3.6.1.2.1.31.1.1.1.15.1001"))
    assert decode_varbind(found).value == megabits


# --- counters --------------------------------------------------------------------------------

# Of VPP's sixteen a prime each, above 2^32; packets and octets where it counts both.
SOURCES = {
    "rx": (2 * 10**13 + 3, 3 * 10**15 + 37), "tx": (5 * 10**13 + 21, 7 * 10**15 + 61),
    "rx-multicast": (6 * 10**10 + 31,), "rx-broadcast": (8 * 10**10 + 17,),
    "tx-multicast": (11 * 10**10 + 3,), "tx-broadcast": (13 * 10**10 + 19,),
    "rx-no-buf": (17 * 10**10 + 1,), "rx-miss": (19 * 10**10 + 29,),
    "rx-error": (23 * 10**10 + 41,), "tx-error": (29 * 10**10 + 13,), "drops": (31 * 10**10 + 7,),
    "punt": (37 * 10**10 + 11,), "ip4": (41 * 10**10 + 23,), "ip6": (43 * 10**10 + 47,),
}  # fmt: skip


COMBINED = {f"{way}{cast}" for way in ("rx", "tx") for cast in ("", "-multicast", "-broadcast")}


def segment_of(sources: dict[str, tuple[int, ...]]) -> SegmentWriter:
    """A segment in which interface 1 has counted this."""
    made = SegmentWriter(1 << 20, Generation.V26_02)
    made.add_names("/if/names")
    for name in SOURCES:
        is_combined = name in COMBINED
        made.add_counter(f"/if/{name}", Kind.COMBINED if is_combined else Kind.SIMPLE, 1, 2)
        row = made.counters[f"/if/{name}"].rows[0]
        assert row is not None
        for offset, value in enumerate(sources[name]):
            made.words[row.offset // 8 + (2 if is_combined else 1) + offset] = value
    return made


def counters_by_name(view: View) -> dict[str, int]:
    """Every counter of interface 1, by the name of its column."""
    found = {}
    for table in (if_mib.IF_TABLE, if_mib.IF_X_TABLE):
        for column in table.columns:
            if column.type in (COUNTER32, COUNTER64):
                name = table.entry + subids(column.number, 1001)
                value = decode_varbind(view.get(name)).value
                assert isinstance(value, int)
                found[column.name] = value
    return found


def test_every_counter_column_has_its_source_before_and_after_a_restart_of_vpp() -> None:
    publisher = new_publisher()
    view = View(if_mib.module(publisher).objects)
    for times, vpp in enumerate((VPP, replace(VPP, vpe_pid=4712)), 1):
        publish(publisher, router_of(PORT, identity=vpp))
        made = segment_of(SOURCES)
        publisher.use(CounterSet(Segment(made.fd)))
        os.close(made.fd)
        finish(publisher)
        count = {name: times * values[0] for name, values in SOURCES.items()}
        in_not_unicast = count["rx-multicast"] + count["rx-broadcast"]
        out_not_unicast = count["tx-multicast"] + count["tx-broadcast"]
        counted = {
            "ifHCInOctets": times * SOURCES["rx"][1],
            "ifHCInUcastPkts": count["rx"] - in_not_unicast,
            "ifHCInMulticastPkts": count["rx-multicast"],
            "ifHCInBroadcastPkts": count["rx-broadcast"],
            "ifHCOutOctets": times * SOURCES["tx"][1],
            "ifHCOutUcastPkts": count["tx"] - out_not_unicast,
            "ifHCOutMulticastPkts": count["tx-multicast"],
            "ifHCOutBroadcastPkts": count["tx-broadcast"],
        }
        narrow = {name.replace("HC", ""): value for name, value in counted.items()} | {
            "ifInNUcastPkts": in_not_unicast,
            "ifOutNUcastPkts": out_not_unicast,
            "ifInDiscards": count["rx-no-buf"] + count["rx-miss"],
            "ifInErrors": count["rx-error"],
            "ifOutErrors": count["tx-error"],
            "ifInUnknownProtos": count["punt"],
            "ifOutDiscards": 0,
        }
        assert len(set(narrow.values())) == len(narrow)
        expected = counted | {name: value % 2**32 for name, value in narrow.items()}
        assert counters_by_name(view) == expected
        (row,) = (publisher.rows.get(index) for index in publisher.rows)
        assert row is not None
        together = if_mib.readings(row)
        assert together is not None
        wide = {
            column.name: together[column.reading_index]
            for column in (*if_mib.IF_TABLE.columns, *if_mib.IF_X_TABLE.columns)
            if column.reading_index is not None
        }
        assert wide == {name: (counted | narrow)[name] for name in wide}


# --- what is over what, and who listens ------------------------------------------------------

PORT = port(1, "eth0", l2_address=bytes(range(6)))
OTHER = port(2, "eth1", l2_address=bytes(6))
SUB = sub(3, 1, "eth0.7")
BOND = port(4, "BondEthernet0", l2_address=bytes(6))
EDGE: tuple[Record, ...] = (PORT, OTHER, SUB, BOND, bond(4, 1, 2))
RECEIVED = f"{IF_MIB}.1.4.1.2"


def indexes_in(view: View, prefix: str) -> list[tuple[int, ...]]:
    below = oid(prefix)
    names = [varbind.name[len(below) :] for varbind in walked(view, below)]
    return [struct.unpack(f">{len(name) // 4}I", name) for name in names]


def indexes_below(prefix: str) -> list[tuple[int, ...]]:
    """Of an edge router of four interfaces."""
    module, _ = served(if_mib.module, router_of(*EDGE))
    return indexes_in(View(module.objects), prefix)


def test_rows_come_in_the_order_of_their_indexes() -> None:
    module, _ = served(if_mib.module, router_of(port(7), port(1), port(3)))
    assert indexes_in(View(module.objects), "1.3.6.1.2.1.2.2.1.1") == [(1001,), (1003,), (1007,)]


def test_the_stack_names_each_pair_once_and_0_at_both_ends() -> None:
    assert indexes_below(STACK) == [
        (0, 1003),
        (0, 1004),
        (1001, 0),
        (1002, 0),
        (1003, 1001),
        (1004, 1001),
        (1004, 1002),
    ]


def test_the_stack_follows_what_comes_and_goes() -> None:
    router = router_of(PORT, OTHER)
    module, publisher = served(if_mib.module, router)
    view = View(module.objects)

    def report(*records: Record, gone: tuple[Record, ...] = ()) -> list[tuple[int, ...]]:
        change(publisher, router, *records, gone=gone)
        return indexes_in(view, STACK)

    assert report() == [(0, 1001), (0, 1002), (1001, 0), (1002, 0)]
    over = [(0, 1002), (0, 1003), (1001, 0), (1002, 0), (1003, 1001)]
    assert report(SUB) == over
    assert report(replace(SUB, tag="customer")) == over
    moved = [(0, 1001), (0, 1003), (1001, 0), (1002, 0), (1003, 1002)]
    assert report(replace(SUB, sup_sw_if_index=2)) == moved
    assert report(gone=(OTHER,)) == [(0, 1001), (0, 1003), (1001, 0), (1003, 0)]
    assert report(gone=(SUB,)) == [(0, 1001), (1001, 0)]


def test_the_stack_of_a_bvi_is_the_other_ports_of_its_bridge_domain() -> None:
    bvi = port(6, "loop6", interface_dev_type="Loopback")
    module, _ = served(if_mib.module, router_of(OTHER, bvi, BridgeDomain(10, 6, (6, 2))))
    assert indexes_in(View(module.objects), STACK) == [(0, 1006), (1002, 0), (1006, 1002)]


def test_ifstacklastchange_is_when_the_stack_changed_and_no_later(
    publisher: Publisher, clock: Clock
) -> None:
    view = View(if_mib.module(publisher).objects)
    router = router_of(PORT)
    publish(publisher, router)

    def changes_after(*records: Interface) -> tuple[Any, Any]:
        change(publisher, router, *records)
        names = (oid(f"1.3.6.1.2.1.31.1.{scalar}.0") for scalar in (5, 6))
        table, stack = (decode_varbind(view.get(name)).value for name in names)
        return table, stack

    clock.now = 1003.0
    assert changes_after(OTHER, SUB) == (300, 300)
    clock.now = 1004.0
    assert changes_after(replace(SUB, sup_sw_if_index=2)) == (300, 400)
    clock.now = 1005.0
    assert changes_after(replace(SUB, sup_sw_if_index=2, tag="customer")) == (300, 400)


@pytest.mark.parametrize(("up", "event", "status"), [(False, 3, 2), (True, 4, 1)])
def test_a_notification_bears_what_people_read(up: bool, event: int, status: int) -> None:
    router = router_of(replace(PORT, link_up=up, tag="Zürich"))
    (row,) = publish(new_publisher(), router).values()
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
    assert indexes_below(RECEIVED) == [
        (1001, 6, 0, 1, 2, 3, 4, 5),
        (1001, *everybody),
        (1003, 6, 0, 1, 2, 3, 4, 5),  # its parent's
        (1003, *everybody),
    ]
