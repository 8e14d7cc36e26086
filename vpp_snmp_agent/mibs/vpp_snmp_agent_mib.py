"""VPP-SNMP-AGENT-MIB, our own: what VPP has that no standard MIB has a place for.

The text for managers is the file of that name beside this one; a test holds the two together.

Ages are seconds (interfaces/vpp_state.py), because no sysUpTime fits what started before snmpd.
A gauge of 64 bits travels as a Counter64, the one type of so many bits that SMIv2 has.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain

from .. import __version__
from ..agentx.mib import Column, Module, Object, Scalar, Table
from ..agentx.values import (
    COUNTER32,
    COUNTER64,
    GAUGE32,
    INTEGER,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    ValueType,
    encode_varbind,
    oid,
)
from ..interfaces.publisher import Publisher
from ..interfaces.system import SegmentState, System
from ..interfaces.vpp_state import Alarm
from .vpp_base import BASE

NOTIFICATIONS, OBJECTS = f"{BASE}.0", f"{BASE}.1"
STATE, SESSIONS = f"{OBJECTS}.1", f"{OBJECTS}.6"

HEAP_TABLE = Table(
    f"{OBJECTS}.3.1",
    (
        Column(2, "vppHeapSize", COUNTER64, lambda row: row.amount().size),
        Column(3, "vppHeapUsed", COUNTER64, lambda row: row.amount().used),
    ),
)

BUFFER_POOL_TABLE = Table(
    f"{OBJECTS}.4.1",
    (
        Column(2, "vppBufferPoolSize", COUNTER64, lambda row: row.amount().size),
        Column(3, "vppBufferPoolUsed", COUNTER64, lambda row: row.amount().used),
        Column(4, "vppBufferPoolCached", COUNTER64, lambda row: row.amount().cached),
        Column(5, "vppBufferPoolAvailable", COUNTER64, lambda row: row.amount().available),
    ),
)

SESSION_GAUGES = (
    (1, "vppBfdUdp4Sessions", "/bfd/udp4/sessions"),
    (2, "vppBfdUdp4MultihopSessions", "/bfd/udp4/sessions_mh"),
    (3, "vppBfdUdp6Sessions", "/bfd/udp6/sessions"),
    (4, "vppBfdUdp6MultihopSessions", "/bfd/udp6/sessions_mh"),
    (5, "vppNat44Sessions", "/nat44-ed/total-sessions"),
)


def _state(interfaces: Publisher) -> Iterator[Scalar]:
    """The scalars of the group vppState."""
    system = interfaces.system
    vpp = system.vpp

    def scalar(number: int, name: str, type_: ValueType, value: Callable[[], object]) -> Scalar:
        return Scalar(f"{STATE}.{number}", name, type_, value)

    yield scalar(1, "vppVersion", OCTET_STRING, lambda: display_string(vpp.version))
    yield scalar(2, "vppPid", INTEGER, lambda: vpp.pid)
    yield scalar(3, "vppUpTime", GAUGE32, lambda: vpp.up_time)
    yield scalar(4, "vppApiState", INTEGER, lambda: vpp.api_state)
    yield scalar(5, "vppApiStateAge", GAUGE32, lambda: vpp.api_state_age)
    yield scalar(6, "vppSegmentState", INTEGER, lambda: system.segment_state)
    yield scalar(7, "vppSegmentEpoch", COUNTER64, lambda: _epoch(system))
    yield scalar(8, "vppSegmentLayout", OCTET_STRING, lambda: _layout(system))
    yield scalar(9, "vppHeartbeatAge", GAUGE32, lambda: vpp.heartbeat_age)
    yield scalar(10, "vppInterfaces", GAUGE32, lambda: interfaces.listed)
    yield scalar(11, "vppInventoryAge", GAUGE32, lambda: vpp.inventory_age)
    yield scalar(12, "vppRestarts", COUNTER32, lambda: vpp.restarts)
    yield scalar(13, "vppAgentVersion", OCTET_STRING, lambda: __version__.encode())
    yield scalar(14, "vppAgentUpTime", GAUGE32, lambda: vpp.agent_up_time)


def _epoch(system: System) -> int | None:
    if system.segment is None or system.segment_state == SegmentState.NONE:
        return None
    return system.segment.epoch


def _layout(system: System) -> bytes | None:
    """Which releases' segments are laid out as this one."""
    generation = system.generation
    return None if generation is None else generation.value.encode()


def _sessions(system: System) -> Iterator[Scalar]:
    """The scalars of the group vppSessions; each exists where VPP counts such sessions."""
    for number, name, key in SESSION_GAUGES:
        yield Scalar(f"{SESSIONS}.{number}", name, GAUGE32, partial(system.gauge, key))


def display_string(text: str) -> bytes:
    """A DisplayString (RFC 2579) of at most 255 octets."""
    printed = "".join(each if each.isprintable() else "?" for each in text[:255])
    return printed.encode("ascii", errors="replace")


SNMP_TRAP_OID = oid("1.3.6.1.6.3.1.1.4.1.0")  # RFC 3418
# By what happened: that it began, and that it is over.
EVENTS = {
    Alarm.HUNG: (("vppApiHung", 1), ("vppApiAnswers", 2)),
    Alarm.AWAY: (("vppAway", 3), ("vppBack", 4)),
}
NOTIFIED = ("vppVersion", "vppApiState", "vppApiStateAge")


def notification(interfaces: Publisher, alarm: Alarm, is_raised: bool) -> tuple[str, list[bytes]]:
    """The name of a notification, and its varbinds as VPP is now; sysUpTime is the master's to
    add.
    """
    raised, over = EVENTS[alarm]
    name, number = raised if is_raised else over
    event = encode_varbind(SNMP_TRAP_OID, OBJECT_IDENTIFIER, oid(f"{NOTIFICATIONS}.{number}"))
    scalars = {each.name: each for each in _state(interfaces)}
    return name, [event, *(scalars[each].varbind() for each in NOTIFIED)]


def module(
    interfaces: Publisher, parts: Iterable[Callable[[Publisher], Sequence[Object]]] = ()
) -> Module:
    """VPP-SNMP-AGENT-MIB; `parts` make those of its tables that have a file of their own."""
    system = interfaces.system
    return Module(
        capability=BASE,
        description="VPP-SNMP-AGENT-MIB: the state, threads, memory, errors and sessions of VPP",
        subtrees=(OBJECTS,),
        objects=(
            *_state(interfaces),
            HEAP_TABLE.over(system.storages.heaps),
            BUFFER_POOL_TABLE.over(system.storages.pools),
            *_sessions(system),
            *chain.from_iterable(part(interfaces) for part in parts),
        ),
    )
