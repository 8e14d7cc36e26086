"""interfaces/links.py: which link states are told, when, and how often."""

from dataclasses import replace

import pytest

from vpp_snmp_agent.agentx.mib import Rows
from vpp_snmp_agent.agentx.pdu import subids
from vpp_snmp_agent.config import Descriptions
from vpp_snmp_agent.interfaces.links import BURST, REST, Links
from vpp_snmp_agent.interfaces.naming import DOWN, UP
from vpp_snmp_agent.interfaces.table import InterfaceTable, LinkChange, Row
from vpp_snmp_agent.vpp.inventory import Identity, Interface, Inventory

PORT = Interface(1, 1, "eth0", "dpdk", "", bytes(6), True, True, 0, 0, 9000, 9000)


@pytest.fixture
def rows() -> Rows:
    """Thirty ports that are up, at 1001 and on."""
    ports = [
        replace(PORT, sw_if_index=n, sup_sw_if_index=n, interface_name=f"eth{n}")
        for n in range(1, 31)
    ]
    table = InterfaceTable()
    told = Inventory(Identity("26.06-release", "", 1), {each.sw_if_index: each for each in ports})
    for _ in table.update(told, None, Descriptions()):
        pass
    table.commit()
    return table.rows


def row(rows: Rows, index: int) -> Row:
    found: Row = rows.by_index[subids(index)]
    return found


def go(links: Links, rows: Rows, index: int, status: int) -> None:
    """A row changes its state."""
    links.went([LinkChange(index, row(rows, index).is_down)])
    row(rows, index).oper_status = status


def due(links: Links, rows: Rows, now: float) -> list[int]:
    return [each.index for each in links.due(rows, now)]


def test_a_change_is_told_once(rows: Rows) -> None:
    links = Links()
    assert due(links, rows, 100) == []
    go(links, rows, 1001, DOWN)
    assert due(links, rows, 100) == [1001]
    assert due(links, rows, 200) == []


def test_of_several_changes_the_latest_state_is_told(rows: Rows) -> None:
    links = Links()
    for status in (DOWN, UP, DOWN):
        go(links, rows, 1001, status)
    assert [each.is_down for each in links.due(rows, 100)] == [True]


def test_a_port_that_is_again_as_it_was_has_nothing_to_tell(rows: Rows) -> None:
    links = Links()
    go(links, rows, 1001, DOWN)
    go(links, rows, 1001, UP)
    assert due(links, rows, 100) == []


def test_a_port_that_flaps_rests_and_then_tells_its_latest_state(rows: Rows) -> None:
    links = Links()
    go(links, rows, 1001, DOWN)
    assert due(links, rows, 100) == [1001]
    for status in (UP, DOWN, UP):
        go(links, rows, 1001, status)
    assert due(links, rows, 100 + REST / 2) == []
    assert due(links, rows, 100 + REST) == [1001]
    go(links, rows, 1001, DOWN)
    go(links, rows, 1001, UP)
    assert due(links, rows, 200) == []


def test_a_burst_is_paced_and_keeps_its_order(rows: Rows) -> None:
    links = Links()
    indexes = list(range(1030, 1000, -1))
    for index in indexes:
        go(links, rows, index, DOWN)
    told = [due(links, rows, 100 + n) for n in range(4)]
    assert told == [indexes[:BURST], indexes[BURST : 2 * BURST], indexes[2 * BURST :], []]


def test_nothing_is_told_of_a_port_that_is_gone_or_is_not_to_tell(rows: Rows) -> None:
    links = Links()
    go(links, rows, 1001, DOWN)
    go(links, rows, 1002, DOWN)
    row(rows, 1002).link_traps = False
    rows.replace({index: each for index, each in rows.by_index.items() if each.index != 1001})
    assert due(links, rows, 100) == []
