"""IF-MIB (RFC 2863), without its deprecated ifTestTable."""

from collections.abc import Iterator
from operator import attrgetter

from ..agentx.mib import Column, Module, Scalar, Table
from ..agentx.values import (
    COUNTER32,
    COUNTER64,
    GAUGE32,
    INTEGER,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    TIMETICKS,
    ValueType,
    encode_varbind,
    oid,
    subids,
)
from ..interfaces.formulas import READINGS
from ..interfaces.publisher import Publisher
from ..interfaces.rows import Interfaces, Row

TRUE, FALSE = 1, 2  # TruthValue, RFC 2579
ENABLED, DISABLED = 1, 2
ACTIVE = 1  # RowStatus, RFC 2579
OTHER = 1  # ifRcvAddressType: it is not said how long it stays
BROADCAST = b"\xff" * 6
ZERO_DOT_ZERO = oid("0.0")


def _counter(number: int, name: str, type_: ValueType, reading: str) -> Column:
    """A column of what `reading` names of the row's counters."""
    value = attrgetter(f"counters.{reading}")
    return Column(number, name, type_, value, READINGS.index(reading))


def megabits(speed: int) -> int:
    """ifHighSpeed of a speed in bits a second: n stands for n - 500,000 to n + 499,999."""
    return (speed + 500_000) // 10**6


IF_TABLE = Table(
    "1.3.6.1.2.1.2.2.1",
    (
        Column(1, "ifIndex", INTEGER, lambda row: row.index),
        Column(2, "ifDescr", OCTET_STRING, lambda row: row.facts.name.encode()),
        Column(3, "ifType", INTEGER, lambda row: row.facts.type),
        Column(4, "ifMtu", INTEGER, lambda row: row.facts.mtu),
        Column(5, "ifSpeed", GAUGE32, lambda row: row.facts.speed),
        Column(6, "ifPhysAddress", OCTET_STRING, lambda row: row.facts.phys_address),
        Column(7, "ifAdminStatus", INTEGER, lambda row: row.admin_status),
        Column(8, "ifOperStatus", INTEGER, lambda row: row.oper_status),
        Column(9, "ifLastChange", TIMETICKS, lambda row: row.last_change),
        _counter(10, "ifInOctets", COUNTER32, "in_octets"),
        _counter(11, "ifInUcastPkts", COUNTER32, "in_unicast"),
        _counter(12, "ifInNUcastPkts", COUNTER32, "in_non_unicast"),
        _counter(13, "ifInDiscards", COUNTER32, "in_discards"),
        _counter(14, "ifInErrors", COUNTER32, "in_errors"),
        Column(
            *(15, "ifInUnknownProtos", COUNTER32),
            lambda row: row.counters.in_unknown_protos,
            is_counter=True,
        ),
        _counter(16, "ifOutOctets", COUNTER32, "out_octets"),
        _counter(17, "ifOutUcastPkts", COUNTER32, "out_unicast"),
        _counter(18, "ifOutNUcastPkts", COUNTER32, "out_non_unicast"),
        Column(19, "ifOutDiscards", COUNTER32, lambda row: 0),  # VPP charges no drop to egress
        _counter(20, "ifOutErrors", COUNTER32, "out_errors"),
        Column(21, "ifOutQLen", GAUGE32, lambda row: 0),
        Column(22, "ifSpecific", OBJECT_IDENTIFIER, lambda row: ZERO_DOT_ZERO),
    ),
)

IF_X_TABLE = Table(
    "1.3.6.1.2.1.31.1.1.1",
    (
        Column(1, "ifName", OCTET_STRING, lambda row: row.facts.name.encode()),
        _counter(2, "ifInMulticastPkts", COUNTER32, "in_multicast"),
        _counter(3, "ifInBroadcastPkts", COUNTER32, "in_broadcast"),
        _counter(4, "ifOutMulticastPkts", COUNTER32, "out_multicast"),
        _counter(5, "ifOutBroadcastPkts", COUNTER32, "out_broadcast"),
        _counter(6, "ifHCInOctets", COUNTER64, "in_octets"),
        _counter(7, "ifHCInUcastPkts", COUNTER64, "in_unicast"),
        _counter(8, "ifHCInMulticastPkts", COUNTER64, "in_multicast"),
        _counter(9, "ifHCInBroadcastPkts", COUNTER64, "in_broadcast"),
        _counter(10, "ifHCOutOctets", COUNTER64, "out_octets"),
        _counter(11, "ifHCOutUcastPkts", COUNTER64, "out_unicast"),
        _counter(12, "ifHCOutMulticastPkts", COUNTER64, "out_multicast"),
        _counter(13, "ifHCOutBroadcastPkts", COUNTER64, "out_broadcast"),
        Column(
            *(14, "ifLinkUpDownTrapEnable", INTEGER),
            lambda row: ENABLED if row.facts.link_traps else DISABLED,
        ),
        Column(15, "ifHighSpeed", GAUGE32, lambda row: megabits(row.facts.speed)),
        Column(16, "ifPromiscuousMode", INTEGER, lambda row: FALSE),
        Column(
            *(17, "ifConnectorPresent", INTEGER),
            lambda row: TRUE if row.facts.has_connector else FALSE,
        ),
        Column(18, "ifAlias", OCTET_STRING, lambda row: row.facts.alias.encode()),
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


def stack(row: Row, interfaces: Interfaces) -> Iterator[tuple[bytes, Row]]:
    """Rows of ifStackTable by ifStackHigherLayer and ifStackLowerLayer.

    0 is above what carries nothing, and below what is over nothing.
    """
    for index in [lower.index for lower in interfaces.lower_rows(row)] or (0,):
        yield subids(row.index, index), row
    if not interfaces.higher_layers(row.key):
        yield subids(0, row.index), row


def received_addresses(row: Row, interfaces: Interfaces) -> Iterator[tuple[bytes, Row]]:
    """Rows of ifRcvAddressTable by ifIndex and address: its own, and the broadcast address."""
    own = row.facts.phys_address
    for address in (own, BROADCAST) if own else ():
        yield subids(row.index, len(address), *address), row


SNMP_TRAP_OID = oid("1.3.6.1.6.3.1.1.4.1.0")  # RFC 3418
LINK_DOWN, LINK_UP = oid("1.3.6.1.6.3.1.1.5.3"), oid("1.3.6.1.6.3.1.1.5.4")
# The last two beyond the standard: people read names.
NOTIFIED = ("ifIndex", "ifAdminStatus", "ifOperStatus", "ifName", "ifAlias")
_COLUMNS = {column.name: column for column in (*IF_TABLE.columns, *IF_X_TABLE.columns)}


def readings(row: Row) -> tuple[int, ...] | None:
    """The counters that cost less together."""
    return row.counters.readings()


def link_notification(row: Row) -> list[bytes]:
    """The varbinds of linkDown or linkUp, as the row is now; sysUpTime is the master's to add."""
    index = row.instance
    event = LINK_DOWN if row.is_down else LINK_UP
    columns = [_COLUMNS[name] for name in NOTIFIED]
    return [
        encode_varbind(SNMP_TRAP_OID, OBJECT_IDENTIFIER, event),
        *(column.varbind(index, column.value(row)) for column in columns),
    ]


def module(interfaces: Publisher) -> Module:
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
            IF_TABLE.over(rows, interfaces.counted, readings),
            IF_X_TABLE.over(rows, interfaces.counted, readings),
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
