"""IF-MIB (RFC 2863), without its deprecated ifTestTable."""

from collections.abc import Iterator, Mapping

from ..agentx.mib import Column, Module, Scalar, Table
from ..agentx.pdu import (
    COUNTER32,
    COUNTER64,
    GAUGE32,
    INTEGER,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    TIMETICKS,
    encode_varbind,
    oid,
    subids,
)
from ..interfaces.table import InterfaceTable, Row

TRUE, FALSE = 1, 2  # TruthValue, RFC 2579
ENABLED, DISABLED = 1, 2
ACTIVE = 1  # RowStatus, RFC 2579
OTHER = 1  # ifRcvAddressType: not told how long it stays
BROADCAST = b"\xff" * 6
ZERO_DOT_ZERO = oid("0.0")

IF_TABLE = Table(
    "1.3.6.1.2.1.2.2.1",
    (
        Column(1, "ifIndex", INTEGER, lambda row: row.index),
        Column(2, "ifDescr", OCTET_STRING, lambda row: row.name.encode()),
        Column(3, "ifType", INTEGER, lambda row: row.type),
        Column(4, "ifMtu", INTEGER, lambda row: row.mtu),
        Column(5, "ifSpeed", GAUGE32, lambda row: row.speed),
        Column(6, "ifPhysAddress", OCTET_STRING, lambda row: row.phys_address),
        Column(7, "ifAdminStatus", INTEGER, lambda row: row.admin_status),
        Column(8, "ifOperStatus", INTEGER, lambda row: row.oper_status),
        Column(9, "ifLastChange", TIMETICKS, lambda row: row.last_change),
        Column(10, "ifInOctets", COUNTER32, lambda row: row.counters.in_octets),
        Column(11, "ifInUcastPkts", COUNTER32, lambda row: row.counters.in_unicast),
        Column(12, "ifInNUcastPkts", COUNTER32, lambda row: row.counters.in_non_unicast),
        Column(13, "ifInDiscards", COUNTER32, lambda row: row.in_discards),
        Column(14, "ifInErrors", COUNTER32, lambda row: row.counters.in_errors),
        Column(15, "ifInUnknownProtos", COUNTER32, lambda row: row.counters.in_unknown_protos),
        Column(16, "ifOutOctets", COUNTER32, lambda row: row.counters.out_octets),
        Column(17, "ifOutUcastPkts", COUNTER32, lambda row: row.counters.out_unicast),
        Column(18, "ifOutNUcastPkts", COUNTER32, lambda row: row.counters.out_non_unicast),
        Column(19, "ifOutDiscards", COUNTER32, lambda row: 0),  # VPP charges no drop to egress
        Column(20, "ifOutErrors", COUNTER32, lambda row: row.counters.out_errors),
        Column(21, "ifOutQLen", GAUGE32, lambda row: 0),
        Column(22, "ifSpecific", OBJECT_IDENTIFIER, lambda row: ZERO_DOT_ZERO),
    ),
)

IF_X_TABLE = Table(
    "1.3.6.1.2.1.31.1.1.1",
    (
        Column(1, "ifName", OCTET_STRING, lambda row: row.name.encode()),
        Column(2, "ifInMulticastPkts", COUNTER32, lambda row: row.counters.in_multicast),
        Column(3, "ifInBroadcastPkts", COUNTER32, lambda row: row.counters.in_broadcast),
        Column(4, "ifOutMulticastPkts", COUNTER32, lambda row: row.counters.out_multicast),
        Column(5, "ifOutBroadcastPkts", COUNTER32, lambda row: row.counters.out_broadcast),
        Column(6, "ifHCInOctets", COUNTER64, lambda row: row.counters.in_octets),
        Column(7, "ifHCInUcastPkts", COUNTER64, lambda row: row.counters.in_unicast),
        Column(8, "ifHCInMulticastPkts", COUNTER64, lambda row: row.counters.in_multicast),
        Column(9, "ifHCInBroadcastPkts", COUNTER64, lambda row: row.counters.in_broadcast),
        Column(10, "ifHCOutOctets", COUNTER64, lambda row: row.counters.out_octets),
        Column(11, "ifHCOutUcastPkts", COUNTER64, lambda row: row.counters.out_unicast),
        Column(12, "ifHCOutMulticastPkts", COUNTER64, lambda row: row.counters.out_multicast),
        Column(13, "ifHCOutBroadcastPkts", COUNTER64, lambda row: row.counters.out_broadcast),
        Column(
            *(14, "ifLinkUpDownTrapEnable", INTEGER),
            lambda row: ENABLED if row.link_traps else DISABLED,
        ),
        Column(15, "ifHighSpeed", GAUGE32, lambda row: row.speed // 10**6),
        Column(16, "ifPromiscuousMode", INTEGER, lambda row: FALSE),
        Column(17, "ifConnectorPresent", INTEGER, lambda row: TRUE if row.has_connector else FALSE),
        Column(18, "ifAlias", OCTET_STRING, lambda row: row.alias.encode()),
        Column(
            19, "ifCounterDiscontinuityTime", TIMETICKS, lambda row: row.counter_discontinuity_time
        ),
    ),
)

IF_STACK_TABLE = Table(
    "1.3.6.1.2.1.31.1.2.1",
    (Column(3, "ifStackStatus", INTEGER, lambda row: ACTIVE),),
)

IF_RCV_ADDRESS_TABLE = Table(
    "1.3.6.1.2.1.31.1.4.1",
    (
        Column(2, "ifRcvAddressStatus", INTEGER, lambda row: ACTIVE),
        Column(3, "ifRcvAddressType", INTEGER, lambda row: OTHER),
    ),
)


def stack(interfaces: Mapping[str, Row]) -> Iterator[tuple[bytes, Row]]:
    """Rows of ifStackTable by ifStackHigherLayer and ifStackLowerLayer.

    0 stands above what carries nothing, and below what stands on nothing.
    """
    carrying = set()
    for row in interfaces.values():
        lower = [interfaces[key].index for key in row.stands_on if key in interfaces]
        carrying.update(lower)
        for index in lower or (0,):
            yield subids(row.index, index), row
    for row in interfaces.values():
        if row.index not in carrying:
            yield subids(0, row.index), row


def received_addresses(interfaces: Mapping[str, Row]) -> Iterator[tuple[bytes, Row]]:
    """Rows of ifRcvAddressTable by ifIndex and address: its own, and the broadcast address."""
    for row in interfaces.values():
        for address in (row.phys_address, BROADCAST) if row.phys_address else ():
            yield subids(row.index, len(address), *address), row


SNMP_TRAP_OID = oid("1.3.6.1.6.3.1.1.4.1.0")  # RFC 3418
LINK_DOWN, LINK_UP = oid("1.3.6.1.6.3.1.1.5.3"), oid("1.3.6.1.6.3.1.1.5.4")
# The last two beyond the standard: people read names.
NOTIFIED = ("ifIndex", "ifAdminStatus", "ifOperStatus", "ifName", "ifAlias")
_COLUMNS = {column.name: column for column in (*IF_TABLE.columns, *IF_X_TABLE.columns)}


def link_notification(row: Row) -> list[bytes]:
    """The varbinds of linkDown or linkUp, as the row is now; sysUpTime is the master's to add."""
    index = subids(row.index)
    event = LINK_DOWN if row.is_down else LINK_UP
    columns = [_COLUMNS[name] for name in NOTIFIED]
    return [
        encode_varbind(SNMP_TRAP_OID, OBJECT_IDENTIFIER, event),
        *(column.varbind(index, column.value(row)) for column in columns),
    ]


def module(interfaces: InterfaceTable) -> Module:
    """IF-MIB over these interfaces."""
    rows = interfaces.rows
    stacked = interfaces.derive(stack)
    return Module(
        capability="1.3.6.1.2.1.31",
        description="IF-MIB (RFC 2863): the interfaces of VPP",
        subtrees=(
            "1.3.6.1.2.1.2.1",
            "1.3.6.1.2.1.2.2",
            "1.3.6.1.2.1.31.1.1",
            "1.3.6.1.2.1.31.1.2",
            "1.3.6.1.2.1.31.1.4",
            "1.3.6.1.2.1.31.1.5",
            "1.3.6.1.2.1.31.1.6",
        ),
        objects=(
            Scalar("1.3.6.1.2.1.2.1", "ifNumber", INTEGER, lambda: len(rows)),
            IF_TABLE.over(rows),
            IF_X_TABLE.over(rows),
            Scalar(
                "1.3.6.1.2.1.31.1.5",
                "ifTableLastChange",
                TIMETICKS,
                lambda: interfaces.last_change,
            ),
            IF_STACK_TABLE.over(stacked.rows),
            Scalar(
                "1.3.6.1.2.1.31.1.6",
                "ifStackLastChange",
                TIMETICKS,
                lambda: interfaces.uptime.ticks(stacked.changed_at),
            ),
            IF_RCV_ADDRESS_TABLE.over(interfaces.derive(received_addresses).rows),
        ),
    )
