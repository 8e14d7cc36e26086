"""mibs/ip_mib_statistics.py: two rows of ipIfStatsTable for each interface, made when asked for."""

from hypothesis import given, settings
from hypothesis import strategies as st

from vpp_snmp_agent.agentx.mib import SortedRows
from vpp_snmp_agent.agentx.values import subids
from vpp_snmp_agent.mibs.ip_mib_statistics import StatsRows

from .test_ip_mib_neighbors import IF_INDEXES, STRANGE, Subids


@settings(max_examples=300, deadline=None)
@given(st.sets(IF_INDEXES), st.lists(st.lists(STRANGE | IF_INDEXES, max_size=3).map(tuple)))
def test_any_rows_of_statistics_are_found_as_in_a_sorted_list_of_all(
    if_indexes: set[int], asked: list[Subids]
) -> None:
    interfaces = SortedRows()
    for if_index in if_indexes:
        interfaces.put(subids(if_index), f"row {if_index}")
    rows = StatsRows(interfaces)
    expected = [(version, if_index) for version in (1, 2) for if_index in sorted(if_indexes)]
    for each in (*expected, *asked, *((version, *each) for version in (1, 2) for each in asked)):
        after = next((other for other in expected if other > each), None)
        assert rows.following(subids(*each)) == (None if after is None else subids(*after))
        row: tuple[object, int] | None = rows.get(subids(*each))
        assert row == ((f"row {each[1]}", each[0]) if each in expected else None)
