"""IP-MIB's counters: of each interface, of each version, and the deprecated scalars of IPv4."""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from ..agentx.mib import Column, Scalar, SortedRows, Table, UpTime
from ..agentx.values import COUNTER32, COUNTER64, GAUGE32, INTEGER, TIMETICKS, ValueType, subids
from ..interfaces.ip_statistics import IN_RECEIVES, MAX_AGE, IpStatistics
from ..interfaces.publisher import Publisher
from ..interfaces.rows import Row
from .ip_mib_addresses import FORWARDING, IP, IPV4, IPV6

VERSIONS = {subids(IPV4): IPV4, subids(IPV6): IPV6}
NO_TIME = 0  # ipIfStatsRefreshRate: counters are read when they are asked for
HOP_LIMIT = 64  # ipDefaultTTL: of what VPP and Linux behind it send


class StatsRow(NamedTuple):
    """One conceptual row of ipIfStatsTable."""

    row: Row
    version: int

    @property
    def in_receives(self) -> int | None:
        """Packets of its version, read now."""
        counters = self.row.counters
        return counters.in_ip4 if self.version == IPV4 else counters.in_ip6


class SystemStatsRow(NamedTuple):
    """One conceptual row of ipSystemStatsTable."""

    statistics: IpStatistics
    uptime: UpTime

    @property
    def discontinuity_time(self) -> int:
        """When something may have been missed last, in the master's sysUpTime."""
        return self.uptime.ticks(self.statistics.totals.restarted_at)


IF_STATS_TABLE = Table(
    f"{IP}.31.3.1",
    (
        Column(
            *(3, "ipIfStatsInReceives", COUNTER32), lambda each: each.in_receives, is_counter=True
        ),
        Column(
            *(4, "ipIfStatsHCInReceives", COUNTER64), lambda each: each.in_receives, is_counter=True
        ),
        Column(
            *(46, "ipIfStatsDiscontinuityTime", TIMETICKS),
            lambda each: each.row.counter_discontinuity_time,
        ),
        Column(47, "ipIfStatsRefreshRate", GAUGE32, lambda each: NO_TIME),
    ),
)


def _counted(number: int, name: str, type_: ValueType = COUNTER32, of: str = "") -> Column:
    """A column of ipSystemStatsTable, of what `ERRORS` has under its name, or `of`."""
    source = of or name
    return Column(number, f"ipSystemStats{name}", type_, lambda each: each.statistics.value(source))


SYSTEM_STATS_TABLE = Table(
    f"{IP}.31.1.1",
    (
        _counted(3, IN_RECEIVES),
        _counted(4, "HCInReceives", COUNTER64, IN_RECEIVES),
        _counted(7, "InHdrErrors"),
        _counted(9, "InAddrErrors"),
        _counted(10, "InUnknownProtos"),
        _counted(11, "InTruncatedPkts"),
        _counted(14, "ReasmReqds"),
        _counted(15, "ReasmOKs"),
        _counted(16, "ReasmFails"),
        _counted(17, "InDiscards"),
        _counted(25, "OutDiscards"),
        _counted(28, "OutFragFails"),
        _counted(29, "OutFragCreates"),
        Column(
            *(46, "ipSystemStatsDiscontinuityTime", TIMETICKS),
            lambda each: each.discontinuity_time,
        ),
        Column(
            *(47, "ipSystemStatsRefreshRate", GAUGE32),
            lambda each: int(MAX_AGE * 1000),  # milliseconds
        ),
    ),
)

# The deprecated scalars of IPv4: number, name, and what of ipSystemStatsTable they are.
SCALARS = (
    (3, "ipInReceives", IN_RECEIVES),
    (4, "ipInHdrErrors", "InHdrErrors"),
    (5, "ipInAddrErrors", "InAddrErrors"),
    (7, "ipInUnknownProtos", "InUnknownProtos"),
    (8, "ipInDiscards", "InDiscards"),
    (11, "ipOutDiscards", "OutDiscards"),
    (14, "ipReasmReqds", "ReasmReqds"),
    (15, "ipReasmOKs", "ReasmOKs"),
    (16, "ipReasmFails", "ReasmFails"),
    (18, "ipFragFails", "OutFragFails"),
    (19, "ipFragCreates", "OutFragCreates"),
)
# What a router is: number, name, value.
CONSTANTS = (
    (1, "ipForwarding", FORWARDING),
    (2, "ipDefaultTTL", HOP_LIMIT),
    (25, "ipv6IpForwarding", FORWARDING),
    (26, "ipv6IpDefaultHopLimit", HOP_LIMIT),
)


class StatsRows:
    """Rows of ipIfStatsTable by version and ifIndex: two of each interface, made when asked for."""

    def __init__(self, rows: SortedRows) -> None:
        self._rows = rows

    def get(self, index: bytes) -> StatsRow | None:
        """The row at an index."""
        ip_version = VERSIONS.get(index[:4])
        row = self._rows.get(index[4:])
        return None if ip_version is None or row is None else StatsRow(row, ip_version)

    def following(self, index: bytes) -> bytes | None:
        """The first index after this one."""
        for version_index in VERSIONS:
            if index[:4] > version_index:
                continue
            after = index[4:] if index[:4] == version_index else b""
            found = self._rows.following(after)
            if found is not None:
                return version_index + found
        return None


def system_stats(interfaces: Publisher) -> SortedRows:
    """Rows of ipSystemStatsTable by version."""
    rows, system = SortedRows(), interfaces.system
    for ip_version, statistics in ((IPV4, system.ipv4), (IPV6, system.ipv6)):
        rows.put(subids(ip_version), SystemStatsRow(statistics, interfaces.uptime))
    return rows


def scalars(interfaces: Publisher) -> Iterator[Scalar]:
    """Those of 1.3.6.1.2.1.4 itself."""
    for number, name, value in CONSTANTS:
        yield Scalar(f"{IP}.{number}", name, INTEGER, partial(int, value))
    for number, name, column in SCALARS:
        yield Scalar(
            f"{IP}.{number}", name, COUNTER32, partial(interfaces.system.ipv4.value, column)
        )
