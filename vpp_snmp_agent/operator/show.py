"""What the agent would serve, on standard output: `show` and `walk`.

The rules this module keeps:

- It reads only, by a snapshot.
- What is unavailable is said on standard error; the rest is shown.
- Of VPP itself show_vpp.py has the rest.
"""

import json
import struct
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..agentx.mib import Module, View
from ..agentx.values import (
    END_OF_MIB_VIEW,
    IP_ADDRESS,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    TIMETICKS,
    VarBind,
    decode_varbind,
    dotted,
    oid,
)
from ..interfaces.facts import DOWN, LOWER_LAYER_DOWN, UNKNOWN, UP, Configuration
from ..interfaces.publisher import Publisher
from ..interfaces.rows import Row
from ..settings.declarations import Settings
from ..vpp.records import Interface
from . import snapshot
from .output import Column, aligned, answer, complain, complain_of_each, numbers, scaled, words
from .snapshot import Asked, ask, in_order, load_descriptions, read_ports, rows_of

_STATUS = {UP: "up", DOWN: "down", UNKNOWN: "unknown", LOWER_LAYER_DOWN: "lowerLayerDown"}


class Snapshot(NamedTuple):
    """What VPP reported, the rows and tables that come of it, and the exit status."""

    asked: Asked
    publisher: Publisher
    modules: list[Module]
    status: int


def _snapshot(settings: Settings, everything: bool = False) -> Snapshot:
    """Ask VPP, and say on standard error what is unavailable."""
    descriptions, no_descriptions = load_descriptions(settings)
    ports, no_ports = read_ports(settings)
    complain(no_descriptions and f"{no_descriptions}; interfaces go without descriptions")
    complain(no_ports and f"{no_ports}; these ifIndexes are not those of before")
    asked = ask(settings, everything)
    publisher, served = rows_of(asked, ports, Configuration(settings, descriptions))
    complain(asked.no_interfaces)
    if asked.no_interfaces and len(publisher.rows):
        complain("these are the interfaces as last known")
    complain(asked.no_addresses)
    complain_of_each(asked.unavailable)
    complain(asked.no_segment and f"no counters: {asked.no_segment}")
    status = 1 if asked.no_interfaces or asked.no_segment else 0
    return Snapshot(asked, publisher, served, status)


# --- show ------------------------------------------------------------------------------------


def show(settings: Settings, as_json: bool) -> int:
    """Print a table of the interfaces, or a JSON list; the exit status."""
    asked, publisher, _, status = _snapshot(settings)
    rows = in_order(publisher)
    before = [_reading(row) for row in rows]
    if asked.segment:
        time.sleep(snapshot.RATE_INTERVAL)
    interfaces = {publisher.interface_of(row.key): row.facts.name for row in rows}
    names = {each.sw_if_index: name for each, name in interfaces.items() if each}
    shown = [
        _shown(row, first, publisher.interface_of(row.key), names, asked)
        for row, first in zip(rows, before, strict=True)
    ]
    for line in [json.dumps(shown, indent=2)] if as_json else aligned(_INTERFACES, shown):
        answer(line)
    return status


Reading = tuple[float, int | None, int | None]  # time.monotonic, octets in and out


def _reading(row: Row) -> Reading:
    return time.monotonic(), row.counters.in_octets, row.counters.out_octets


def _shown(
    row: Row, before: Reading, interface: Interface | None, names: dict[int, str], asked: Asked
) -> dict[str, Any]:
    """What is shown of a row; rates and speed in bit/s, None (speed: 0) if unknown."""
    after = _reading(row)
    reported = asked.router.interfaces if asked.router else {}
    facts = row.facts
    kind = interface.interface_dev_type if interface else ""
    if interface and interface.is_sub:
        above = interface.sup_sw_if_index
        hidden = reported[above].interface_name if above in reported else str(above)
        kind = f"sub of {names.get(above, hidden)}"
    return {
        "ifIndex": row.index,
        "ifName": facts.name,
        "vppName": interface.interface_name if interface else row.key,
        "ifAlias": facts.alias,
        "kind": kind,
        "ifAdminStatus": _STATUS[row.admin_status],
        "ifOperStatus": _STATUS[row.oper_status],
        "speed": facts.speed,
        "ifMtu": facts.mtu,
        "ifPhysAddress": facts.phys_address.hex(":"),
        "inOctets": after[1],
        "outOctets": after[2],
        "inRate": _rate(before[1], after[1], after[0] - before[0]),
        "outRate": _rate(before[2], after[2], after[0] - before[0]),
    }


def _rate(before: int | None, after: int | None, seconds: float) -> int | None:
    if before is None or after is None or after < before:
        return None
    return round((after - before) * 8 / seconds)


def _bits(number: int | None) -> str:
    """12345678 as `12.3 Mb/s`; none are not known."""
    if number is None:
        return "-"
    return scaled(number, 1000, ("b/s", "kb/s", "Mb/s", "Gb/s", "Tb/s"))


_INTERFACES = (
    numbers("ifIndex", "ifIndex"),
    words("ifName", "ifName"),
    words("VPP name", "vppName"),
    words("alias", "ifAlias"),
    words("kind", "kind"),
    Column("admin/oper", lambda row: f"{row['ifAdminStatus']}/{row['ifOperStatus']}"),
    numbers("speed", "speed", lambda speed: _bits(speed or None)),
    numbers("MTU", "ifMtu"),
    numbers("in", "inRate", _bits),
    numbers("out", "outRate", _bits),
)


# --- walk ------------------------------------------------------------------------------------


def walk(settings: Settings, below: str | None) -> int:
    """Print what is below an OID (all that is served: None) as snmpwalk -On does."""
    try:
        root = oid(below.removeprefix(".")) if below is not None else b""
    except (ValueError, struct.error):
        complain(f"{below!r} is no OID: expected numbers, as in 1.3.6.1.2.1.2.2")
        return 1
    _, _, served, status = _snapshot(settings, everything="IP-MIB" in settings.mibs)
    found = False
    view = View([each for module in served for each in module.objects])
    for varbind in walked(view, root):
        found = True
        answer(in_snmpwalks_form(varbind))
    if not found:
        complain(f"no such object: nothing is served at or below {below}")
        return 1
    return status


def walked(view: View, root: bytes) -> Iterator[VarBind]:
    """All varbinds at and below an OID's key, in order."""
    name, include = root, 1
    while True:
        varbind = decode_varbind(view.get_next(name, include, b""))
        if varbind.type is END_OF_MIB_VIEW or not varbind.name.startswith(root):
            return
        yield varbind
        name, include = varbind.name, 0


# What net-snmp takes for text: isprint or isspace, in the C locale.
_PRINTED = frozenset(range(0x20, 0x7F)) | frozenset(b"\t\n\v\f\r")


def in_snmpwalks_form(varbind: VarBind) -> str:
    """As net-snmp 5.9 prints it with -On and no MIB loaded; octets can take several lines."""
    value: Any = varbind.value
    if varbind.type is OCTET_STRING:
        text = _octets(value)
    elif varbind.type is TIMETICKS:
        text = _ticks(value)
    elif varbind.type is OBJECT_IDENTIFIER:
        text = f"OID: .{dotted(value)}"
    elif varbind.type is IP_ADDRESS:
        text = f"IpAddress: {'.'.join(map(str, value))}"
    else:
        text = f"{varbind.type.name}: {value}"
    return f".{dotted(varbind.name)} = {text}"


def _octets(value: bytes) -> str:
    if not value:
        return '""'
    if _PRINTED.issuperset(value):
        text = value.decode("ascii").replace("\\", r"\\").replace('"', r"\"")
        return f'STRING: "{text}"'
    lines = [value[at : at + 16].hex(" ").upper() for at in range(0, len(value), 16)]
    return "Hex-STRING: " + "\n".join(f"{line} " for line in lines)


def _ticks(value: int) -> str:
    seconds, hundredths = divmod(value, 100)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    whole_days = f"{days} day{'s' if days > 1 else ''}, " if days else ""
    return f"Timeticks: ({value}) {whole_days}{hours}:{minutes:02}:{seconds:02}.{hundredths:02}"
