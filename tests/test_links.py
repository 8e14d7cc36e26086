"""interfaces/links.py: which link states are notified, when, and how often."""

from dataclasses import replace

import pytest

from vpp_snmp_agent.agentx.sorted_rows import SortedRows
from vpp_snmp_agent.agentx.values import subids
from vpp_snmp_agent.interfaces.facts import DOWN, UP
from vpp_snmp_agent.interfaces.links import BURST, MIN_INTERVAL, Links
from vpp_snmp_agent.interfaces.rows import LinkChange, Row

from .routers import new_publisher, port, publish, router_of


@pytest.fixture
def rows() -> SortedRows:
    """Thirty ports that are up, at 1001 and on."""
    publisher = new_publisher()
    publish(publisher, router_of(*(port(n, f"eth{n}") for n in range(1, 31))))
    return publisher.rows


def row(rows: SortedRows, index: int) -> Row:
    found: Row | None = rows.get(subids(index))
    assert found is not None
    return found


def go(links: Links, rows: SortedRows, index: int, status: int) -> None:
    """A row changes its state."""
    links.changed([LinkChange(index, row(rows, index).is_down)])
    row(rows, index).oper_status = status


def due(links: Links, rows: SortedRows, now: float) -> list[int]:
    return [each.index for each in links.due(rows, now)]


def test_a_change_is_notified_once(rows: SortedRows) -> None:
    links = Links()
    assert due(links, rows, 100) == []
    go(links, rows, 1001, DOWN)
    assert due(links, rows, 100) == [1001]
    assert due(links, rows, 200) == []


def test_of_several_changes_the_latest_state_is_notified(rows: SortedRows) -> None:
    links = Links()
    for status in (DOWN, UP, DOWN):
        go(links, rows, 1001, status)
    assert [each.is_down for each in links.due(rows, 100)] == [True]


def test_a_port_that_is_again_as_it_was_is_not_notified(rows: SortedRows) -> None:
    links = Links()
    go(links, rows, 1001, DOWN)
    go(links, rows, 1001, UP)
    assert due(links, rows, 100) == []


def test_a_port_that_flaps_rests_and_then_its_latest_state_is_notified(rows: SortedRows) -> None:
    links = Links()
    go(links, rows, 1001, DOWN)
    assert due(links, rows, 100) == [1001]
    for status in (UP, DOWN, UP):
        go(links, rows, 1001, status)
    assert due(links, rows, 100 + MIN_INTERVAL / 2) == []
    assert due(links, rows, 100 + MIN_INTERVAL) == [1001]
    go(links, rows, 1001, DOWN)
    go(links, rows, 1001, UP)
    assert due(links, rows, 200) == []


def test_a_burst_is_paced_and_keeps_its_order(rows: SortedRows) -> None:
    links = Links()
    indexes = list(range(1030, 1000, -1))
    for index in indexes:
        go(links, rows, index, DOWN)
    notified = [due(links, rows, 100 + n) for n in range(4)]
    assert notified == [indexes[:BURST], indexes[BURST : 2 * BURST], indexes[2 * BURST :], []]


def test_nothing_is_notified_of_a_port_that_is_gone_or_is_not_to_be_notified(
    rows: SortedRows,
) -> None:
    links = Links()
    go(links, rows, 1001, DOWN)
    go(links, rows, 1002, DOWN)
    silent = row(rows, 1002)
    silent.facts = replace(silent.facts, link_traps=False)
    rows.remove(subids(1001))
    assert due(links, rows, 100) == []


def test_neither_a_port_that_rests_nor_one_without_news_holds_up_the_others(
    rows: SortedRows,
) -> None:
    links = Links()
    go(links, rows, 1001, DOWN)
    assert due(links, rows, 100) == [1001]
    for index, *statuses in ((1001, UP), (1002, DOWN, UP), (1003, DOWN)):
        for status in statuses:
            go(links, rows, index, status)
    assert due(links, rows, 100 + MIN_INTERVAL / 2) == [1003]
