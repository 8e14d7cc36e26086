"""mibs/etherlike_mib.py: the duplex of each port, and what its driver counts."""

import os

import pytest

from simulator.segment import SegmentWriter
from vpp_snmp_agent.agentx.mib import Table, View
from vpp_snmp_agent.agentx.values import dotted
from vpp_snmp_agent.interfaces.xstats import XSTATS
from vpp_snmp_agent.mibs import etherlike_mib
from vpp_snmp_agent.vpp.layout import Generation, Kind
from vpp_snmp_agent.vpp.segment import Segment

from .oids import ETHERLIKE
from .routers import port, router_of, served, sub
from .walks import found_in

# RFC 3635 section 4: number, name, syntax.
OBJECTS = {
    "7.2.1": "1 dot3StatsIndex INTEGER, 2 dot3StatsAlignmentErrors Counter32,"
    "3 dot3StatsFCSErrors Counter32, 4 dot3StatsSingleCollisionFrames Counter32,"
    "5 dot3StatsMultipleCollisionFrames Counter32, 7 dot3StatsDeferredTransmissions Counter32,"
    "8 dot3StatsLateCollisions Counter32, 9 dot3StatsExcessiveCollisions Counter32,"
    "10 dot3StatsInternalMacTransmitErrors Counter32, 11 dot3StatsCarrierSenseErrors Counter32,"
    "13 dot3StatsFrameTooLongs Counter32, 18 dot3StatsSymbolErrors Counter32,"
    "19 dot3StatsDuplexStatus INTEGER",
    "7.11.1": "1 dot3HCStatsAlignmentErrors Counter64, 2 dot3HCStatsFCSErrors Counter64,"
    "3 dot3HCStatsInternalMacTransmitErrors Counter64, 4 dot3HCStatsFrameTooLongs Counter64,"
    "6 dot3HCStatsSymbolErrors Counter64",
}


@pytest.mark.parametrize(
    "table",
    [etherlike_mib.DOT3_STATS_TABLE, etherlike_mib.DOT3_HC_STATS_TABLE],
    ids=lambda table: dotted(table.entry),
)
def test_every_column_has_its_number_and_syntax(table: Table) -> None:
    listed = OBJECTS[dotted(table.entry).removeprefix("1.3.6.1.2.1.10.")].split(",")
    assert [f"{each.number} {each.name} {each.type.name}" for each in table.columns] == [
        each.strip() for each in listed
    ]


def test_each_column_of_a_port_is_what_its_driver_counts_and_others_are_absent() -> None:
    router = router_of(*(port(n, f"eth{n}") for n in (1, 2, 3)), sub(5, 1, "eth1.7"))
    module, publisher = served(etherlike_mib.module, router)
    made = SegmentWriter(1 << 20, Generation.V22_06)
    made.add_names("/if/names")
    for index, names in (
        (3, ("rx_crc_errors", "rx_oversize_errors")),
        (1, ("tx_late_coll_frames",)),
    ):
        made.set_name(index, f"eth{index}")
        made.add_counter(f"/if/xstats/{index}", Kind.SIMPLE, 1, len(names))
        for column, name in enumerate(names):
            made.add_symlink(f"/interfaces/eth{index}/{name}", f"/if/xstats/{index}", column)
    made.set_row("/if/xstats/3", 0, [2**32 + 7, 5])
    made.set_row("/if/xstats/1", 0, [11])
    publisher.system.use(Segment(made.fd), 1)
    publisher.system.poll()
    while publisher.system.search_on():
        pass
    found = found_in(View(module.objects))
    prefix = ETHERLIKE
    assert {name: value for name, value in found.items() if ".2.1.1." not in name} == {
        f"{prefix}.2.1.3.1003": 7,
        f"{prefix}.2.1.8.1001": 11,
        f"{prefix}.2.1.13.1003": 5,
        **{f"{prefix}.2.1.19.100{n}": 3 for n in (1, 2, 3)},
        f"{prefix}.11.1.2.1003": 2**32 + 7,
        f"{prefix}.11.1.4.1003": 5,
    }
    os.close(made.fd)


def test_every_number_of_a_driver_has_a_column() -> None:
    names = {each.name for each in etherlike_mib.DOT3_STATS_TABLE.columns}
    assert {f"dot3Stats{each.column}" for each in XSTATS} == names - {
        *("dot3StatsIndex", "dot3StatsDuplexStatus"),
    }


def test_each_port_of_hardware_says_its_duplex_and_nothing_else_does() -> None:
    router = router_of(
        *(port(n, f"eth{n}", link_duplex=duplex) for n, duplex in ((1, 0), (2, 1), (3, 2), (4, 9))),
        sub(5, 1, "eth0.7", link_duplex=2),
        port(6, "memif0/0", interface_dev_type="memif"),
    )
    module, _ = served(etherlike_mib.module, router)
    found = found_in(View(module.objects))
    entry = f"{ETHERLIKE}.2.1"
    assert found == {f"{entry}.1.{1000 + n}": 1000 + n for n in (1, 2, 3, 4)} | {
        f"{entry}.19.1001": 1,
        f"{entry}.19.1002": 2,
        f"{entry}.19.1003": 3,
        f"{entry}.19.1004": 1,  # nothing that VPP is known to say
    }
