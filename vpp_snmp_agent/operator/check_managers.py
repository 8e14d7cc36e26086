"""What `check` says of the rows as managers take them: what they drop, and show badly."""

import re
from collections.abc import Collection, Iterator

from ..interfaces.facts import SOFTWARE_LOOPBACK, Configuration
from ..interfaces.host_ports import MAX_PORT, HostPorts, has_port
from ..interfaces.rows import Row
from ..runtime.loop import counted
from ..settings.declarations import Settings
from ..vpp.records import INTERFACES, LcpPair
from .output import FAIL, NOTE, OK, Line
from .snapshot import Asked, in_order, load_descriptions, read_ports, rows_of

# LibreNMS leaves a port out without a word whose ifDescr contains one of these or matches one
# of the patterns, in any case, or whose ifType is one of these (IANAifType-MIB; it has them by
# parts of their names).
UNWANTED_NAMES = (
    *("irtual", "ras", "qos", "async", "container", "pppoe-", "lp0"),
    *("voip-null", "unrouted", "eobc", "-atm", "faith0", "plip", "-physical", "bluetooth"),
    *("isatap", "span rp", "span sp", "sslvpn"),
)
UNWANTED_PATTERNS = tuple(
    re.compile(pattern, re.ASCII | re.IGNORECASE) for pattern in (r"^ng[0-9]+$", r"^sl[0-9]")
)
UNWANTED_TYPES = frozenset(
    {
        *(18, 170),  # ds1, ds1FDL
        *(30, 81, 82),  # ds3, ds0, ds0Bundle
        *(39, 50, 51, 185),  # sonet, sonetPath, sonetVT, sonetOverheadChannel
        *(49, 134),  # aal5, atmSubInterface
        *(100, 101, 102, 103, 104, 152, 153, 198, 211, 212, 213, 235),  # voice...
        *(150, 166),  # mplsTunnel, mpls
    }
)
MAX_LISTED = 20  # names in a line


def managers(settings: Settings, asked: Asked) -> Iterator[Line]:
    """What they drop, what they show badly, and which ports lldpd's numbers lead to."""
    if not asked.has(INTERFACES):
        for thing in ("LibreNMS", "speeds", "charset", "bridge ports"):
            yield Line(NOTE, thing, "skipped: VPP does not report")
        return
    descriptions, _ = load_descriptions(settings)
    ports, _ = read_ports(settings)
    publisher, _ = rows_of(asked, ports, Configuration(settings, descriptions))
    rows = in_order(publisher)
    yield from _librenms(rows)
    yield _speeds(rows)
    yield _charset(rows)
    if "BRIDGE-MIB" in settings.mibs and asked.router is not None and asked.router.pairs:
        yield _bridge_ports(asked.router.pairs.values(), publisher.host_ports)


def _librenms(rows: list[Row]) -> Iterator[Line]:
    dropped = [(row, why) for row in rows if (why := why_dropped(row))]
    for row, why in dropped:
        yield Line(FAIL, "LibreNMS", f"{row.facts.name or row.key} is dropped silently: {why}")
    if not dropped:
        none = (
            "the one interface is not" if len(rows) == 1 else f"none of {len(rows)} interfaces is"
        )
        yield Line(OK, "LibreNMS", f"{none} dropped for its name or type")


def why_dropped(row: Row) -> str:
    """Why LibreNMS leaves a port out without a word, and what would help; nothing if not."""
    if not row.facts.name:
        return "its ifDescr is empty; give it an LCP pair with a host name"
    advice = "give it an LCP pair with another host name, or set `names`"
    for part in UNWANTED_NAMES:
        if part in row.facts.name.lower():
            return f"its ifDescr contains {part!r}; {advice}"
    for pattern in UNWANTED_PATTERNS:
        if pattern.search(row.facts.name):
            return f"its ifDescr matches {pattern.pattern}; {advice}"
    if row.facts.type in UNWANTED_TYPES:
        return f"its ifType is {row.facts.type}; `hide` it if that is no loss"
    return ""


def _charset(rows: list[Row]) -> Line:
    foreign = [row for row in rows if not row.facts.alias.isascii()]
    if not foreign:
        return Line(OK, "charset", "every ifAlias is ASCII")
    advice = "Cacti, Zabbix and Munin show it as hex; set `charset: ascii`"
    return Line(NOTE, "charset", f"not ASCII: the ifAlias of {_listed(foreign)}: {advice}")


def _bridge_ports(pairs: Collection[LcpPair], ports: HostPorts) -> Line:
    """Of which pairs lldpd's local port numbers lead to ifIndexes, and of which they do not."""
    left_out = [
        f"{pair.host_if_name} ({why})" for pair in pairs if (why := _why_no_port(pair, ports))
    ]
    some = counted(len(pairs), "host interface", "host interfaces")
    known = f"dot1dBasePortTable has {len(ports)} of {some}"
    if ports.netns is not None:
        known += f", of {_namespace(ports.netns)}"
    if not left_out:
        return Line(OK, "bridge ports", known)
    more = f" and {len(left_out) - MAX_LISTED} more" if len(left_out) > MAX_LISTED else ""
    listed = ", ".join(left_out[:MAX_LISTED]) + more
    return Line(NOTE, "bridge ports", f"{known}; left out: {listed}")


def _why_no_port(pair: LcpPair, ports: HostPorts) -> str:
    """Why a pair is not in dot1dBasePortTable; nothing if it is."""
    if not has_port(pair):
        return f"its ifindex {pair.vif_index} is not 1 to {MAX_PORT}"
    if pair.netns != ports.netns:
        return f"in {_namespace(pair.netns)}"
    return "" if ports.shows(pair) else "its interface has no row"


def _namespace(netns: str) -> str:
    """A network namespace, as LCP names it: VPP's own has no name."""
    return f"namespace {netns}" if netns else "VPP's own namespace"


def _listed(rows: list[Row]) -> str:
    names = ", ".join(row.facts.name or row.key for row in rows[:MAX_LISTED])
    return names + (f" and {len(rows) - MAX_LISTED} more" if len(rows) > MAX_LISTED else "")


def _speeds(rows: list[Row]) -> Line:
    """Loopbacks apart: MRTG leaves them out whatever their speed."""
    slow = [row for row in rows if not row.facts.speed and row.facts.type != SOFTWARE_LOOPBACK]
    if not slow:
        return Line(OK, "speeds", "every port has one")
    advice = "MRTG leaves them out, Cacti takes 1 Gb/s; set `speeds`"
    return Line(NOTE, "speeds", f"none is known of {_listed(slow)}: {advice}")
