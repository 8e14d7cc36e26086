"""interfaces/publisher.py: rows from what VPP reports, one change after another."""

import gc
import time
import weakref
from dataclasses import replace

import pytest

from vpp_snmp_agent.agentx.values import oid
from vpp_snmp_agent.interfaces import publisher as room
from vpp_snmp_agent.interfaces.counters import CounterSet
from vpp_snmp_agent.interfaces.facts import (
    DOWN,
    LOWER_LAYER_DOWN,
    UNKNOWN,
    UP,
    Configuration,
    Facts,
)
from vpp_snmp_agent.interfaces.publisher import Publisher
from vpp_snmp_agent.interfaces.rows import LinkChange
from vpp_snmp_agent.settings.declarations import Settings
from vpp_snmp_agent.settings.vppcfg import Descriptions
from vpp_snmp_agent.vpp.records import (
    ADDRESSES,
    INTERFACES,
    NEIGHBORS,
    Addresses,
    Bond,
    BridgeDomain,
    Changes,
    Complete,
    Neighbor,
)
from vpp_snmp_agent.vpp.router import Router

from .routers import (
    ETHERNET,
    LOOP,
    LOOP_301,
    PAIRED,
    RESTARTED,
    SUB,
    TAP,
    VPP,
    Clock,
    change,
    finish,
    names,
    new_publisher,
    over,
    port,
    publish,
    router_of,
    rows_of,
    statuses,
    sub,
    with_setting,
)

# --- rows ---------------------------------------------------------------------------------------


def test_a_row_is_at_1000_and_its_sw_if_index(publisher: Publisher) -> None:
    rows = publish(publisher, router_of(ETHERNET, SUB, LOOP))
    assert names(rows) == {1001: "eth0", 1002: "eth0.7", 1003: "loop0"}
    assert list(publisher.rows) == [oid("1001"), oid("1002"), oid("1003")]


def test_a_row_says_what_was_reported_and_what_it_inherits() -> None:
    configuration = Configuration(descriptions=Descriptions({"eth0.7": "a customer"}))
    row = publish(new_publisher(configuration), router_of(ETHERNET, SUB))[1002]
    assert (row.facts.alias, row.facts.mtu, row.facts.speed) == ("a customer", 1500, 10**9)
    assert (row.admin_status, row.oper_status, row.facts.type) == (UP, UP, 135)


def test_descriptions_that_are_read_after_the_start_reach_the_rows_that_are_shown() -> None:
    publisher = new_publisher()
    assert publish(publisher, router_of(ETHERNET, SUB))[1002].facts.alias == ""
    publisher.describe(Descriptions({"eth0.7": "another customer"}))
    while publisher.step(0.0):
        pass
    assert [each.facts.alias for each in rows_of(publisher).values()] == ["", "another customer"]
    publisher.describe(Descriptions({"eth0.7": "another customer"}))
    assert publisher.is_quiet


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys of all rows that are made again, one after another."""
    made: list[str] = []
    original = Publisher._make

    def note(self: Publisher, key: str) -> None:
        made.append(key)
        original(self, key)

    monkeypatch.setattr(Publisher, "_make", note)
    return made


def test_one_change_makes_one_row_again_and_its_higher_layers(
    publisher: Publisher, made: list[str]
) -> None:
    ports = [port(index, f"eth{index}") for index in range(1, 1001)]
    router = router_of(*ports, sub(2001, 7, "eth7.1"), sub(2002, 7, "eth7.2"))
    publish(publisher, router)
    made.clear()
    change(publisher, router, replace(ports[41], link_up=False))
    assert made == ["eth42"]
    made.clear()
    change(publisher, router, replace(ports[6], link_up=False))
    assert sorted(made) == ["eth7", "eth7.1", "eth7.2"]


def test_a_port_with_a_thousand_subs_is_followed_by_them_a_few_at_a_time(
    publisher: Publisher, made: list[str]
) -> None:
    subs = [sub(index, 1, f"eth0.{index}") for index in range(2, 1002)]
    router = router_of(ETHERNET, *subs)
    publish(publisher, router)
    made.clear()
    publisher.touch(router.apply(Changes((replace(ETHERNET, link_up=False),))))
    assert len(publisher._work) < 120  # not all thousand at once
    finish(publisher)
    assert sorted(made) == sorted(["eth0", *(each.interface_name for each in subs)])
    assert set(statuses(rows_of(publisher)).values()) == {DOWN, LOWER_LAYER_DOWN}


def test_a_row_that_is_reported_late_is_not_taken_for_one_that_is_gone(
    publisher: Publisher,
) -> None:
    ports = [port(index, f"eth{index}") for index in range(1, 301)]
    before = publish(publisher, router_of(*ports))
    publisher.lose()
    finish(publisher)
    router = router_of(*ports, identity=RESTARTED)
    publish(publisher, router, finish=False)
    while publisher.step(0.0):
        assert len(publisher.rows) == 300
    after = rows_of(publisher)
    assert all(after[index] is before[index] for index in before)


def test_what_vpp_lists_is_known_whether_it_has_a_row_or_not(publisher: Publisher) -> None:
    assert publisher.listed == 0
    publish(publisher, router_of(ETHERNET, TAP, LOOP, PAIRED))
    assert (publisher.listed, len(publisher.rows)) == (3, 2)
    assert (publisher.interface_of("loop0"), publisher.interface_of("eth6")) == (LOOP, None)
    publisher.lose()
    assert (publisher.listed, publisher.interface_of("loop0")) == (0, None)


def test_a_row_that_goes_leaves_no_trace_in_any_table(
    publisher: Publisher, sources: CounterSet, clock: Clock
) -> None:
    router = router_of(ETHERNET, TAP, LOOP, PAIRED)
    publish(publisher, router)
    publisher.use(sources)
    finish(publisher)
    assert (len(publisher.counted), len(publisher.host_ports)) == (2, 1)
    clock.now += 6
    change(publisher, router, gone=[ETHERNET])
    assert list(publisher.rows) == list(publisher.counted) == [oid("1003")]
    assert len(publisher.host_ports) == 0
    assert publisher.last_change == 600


def test_a_host_interface_goes_with_the_vpp_that_had_it(publisher: Publisher) -> None:
    publish(publisher, router_of(ETHERNET, TAP, PAIRED))
    assert len(publisher.host_ports) == 1
    publisher.lose()
    finish(publisher)
    assert (len(publisher.rows), len(publisher.host_ports)) == (1, 0)


def test_a_row_whose_name_becomes_a_hidden_one_goes() -> None:
    publisher = with_setting(hide=("e0",))
    router = router_of(ETHERNET)
    assert names(publish(publisher, router)) == {1001: "eth0"}
    change(publisher, router, TAP, PAIRED, ETHERNET)
    assert not rows_of(publisher)


def test_a_row_gives_its_host_name_to_a_port_that_is_called_so(publisher: Publisher) -> None:
    router = router_of(ETHERNET, TAP, PAIRED)
    assert names(publish(publisher, router)) == {1001: "e0"}
    change(publisher, router, port(6, "e0"))
    assert names(rows_of(publisher)) == {1001: "eth0", 1006: "e0"}


def test_who_wanted_the_name_of_a_row_that_is_gone_gets_it(publisher: Publisher) -> None:
    second = replace(PAIRED, phy_sw_if_index=3, host_sw_if_index=8, vif_index=13)
    router = router_of(ETHERNET, LOOP, PAIRED, second)
    assert names(publish(publisher, router)) == {1001: "e0", 1003: "loop0"}
    change(publisher, router, gone=[ETHERNET])
    assert names(rows_of(publisher)) == {1003: "e0"}


def test_a_subs_link_follows_its_parents_without_being_reported(publisher: Publisher) -> None:
    router = router_of(ETHERNET, SUB)
    publish(publisher, router)
    change(publisher, router, replace(ETHERNET, link_up=False))
    assert statuses(rows_of(publisher)) == {1001: DOWN, 1002: LOWER_LAYER_DOWN}
    # VPP reported the sub-interface's own flag when it was down: it is its parent's all the same.
    change(publisher, router, replace(SUB, link_up=False))
    change(publisher, router, ETHERNET)
    assert statuses(rows_of(publisher)) == {1001: UP, 1002: UP}


def test_news_wait_behind_work_and_are_merged_by_row(publisher: Publisher, made: list[str]) -> None:
    ports = [port(index, f"eth{index}") for index in range(1, 301)]
    router = router_of(*ports)
    publish(publisher, router, finish=False)
    for up in (False, True, False):
        publisher.touch(router.apply(Changes((replace(ports[299], link_up=up),))))
    finish(publisher)
    assert sorted(made) == sorted(each.interface_name for each in ports)
    assert len(publisher.rows) == 300
    assert rows_of(publisher)[1300].oper_status == DOWN


def test_a_row_of_which_something_changes_stays_the_same_object(publisher: Publisher) -> None:
    router = router_of(ETHERNET, SUB)
    before = publish(publisher, router)
    change(publisher, router, replace(SUB, tag="other"))
    after = rows_of(publisher)
    assert [after[index] is before[index] for index in (1001, 1002)] == [True, True]
    assert after[1002].facts.alias == "other"


# --- a VPP that goes and comes back ---------------------------------------------------------------


def test_while_vpp_is_away_rows_stay_and_are_down_with_their_last_counters(
    publisher: Publisher, sources: CounterSet, clock: Clock
) -> None:
    publish(publisher, router_of(ETHERNET, SUB))
    publisher.use(sources)
    finish(publisher)
    clock.now += 4
    publisher.lose()
    finish(publisher)
    rows = rows_of(publisher)
    assert statuses(rows) == {1001: DOWN, 1002: LOWER_LAYER_DOWN}
    assert rows[1001].counters.in_octets == 501
    assert rows[1001].last_change == 400
    clock.now += 4
    publisher.lose()
    finish(publisher)
    assert rows[1001].last_change == 400


# A port and its VLAN, one that is configured down, a bond and a BVI with what they are over.
STACKED = (
    *(ETHERNET, SUB, replace(sub(5, 1, "eth0.9"), admin_up=False), LOOP_301),
    *(port(6, "eth6"), port(7, "bond7", interface_dev_type="bond"), sub(8, 7, "bond7.4")),
    *(Bond(7, 5, (6,)), BridgeDomain(11, 301, (301, 2))),
)
STACKED_AWAY = dict.fromkeys((1001, 1005, 1006), DOWN) | dict.fromkeys(
    (1002, 1007, 1008, 1301), LOWER_LAYER_DOWN
)


def test_a_row_says_why_it_is_down_while_vpp_is_away(publisher: Publisher) -> None:
    publish(publisher, router_of(*STACKED))
    publisher.lose()
    finish(publisher)
    assert statuses(rows_of(publisher)) == STACKED_AWAY


def test_rows_that_a_new_vpp_does_not_list_yet_wait_for_it(
    publisher: Publisher, sources: CounterSet, clock: Clock
) -> None:
    publish(publisher, router_of(ETHERNET, SUB, LOOP))
    publisher.use(sources)
    finish(publisher)
    publisher.lose()
    clock.now += 1
    moved = replace(ETHERNET, sw_if_index=4, sup_sw_if_index=4)
    rows = publish(publisher, router_of(moved, identity=RESTARTED), settled=False)
    assert names(rows) == {1001: "eth0", 1002: "eth0.7", 1003: "loop0"}
    assert statuses(rows) == {1001: UP, 1002: LOWER_LAYER_DOWN, 1003: DOWN}
    assert rows[1003].counters.in_octets == 503  # the last there was
    assert rows[1001].counters.in_octets == 501  # another VPP's segment is not mapped yet


def test_a_row_waits_for_its_pair_too(publisher: Publisher) -> None:
    assert publish(publisher, router_of(ETHERNET, TAP, PAIRED))[1001].facts.name == "e0"
    publisher.lose()
    router = router_of(ETHERNET, identity=RESTARTED)
    row = publish(publisher, router, settled=False)[1001]
    assert (row.facts.name, row.oper_status) == ("e0", DOWN)
    publisher.touch(router.apply(Changes((PAIRED, TAP))))
    finish(publisher)
    assert (row.facts.name, row.oper_status) == ("e0", UP)


def test_once_settled_what_is_not_listed_goes_and_nothing_is_made_again_and_again(
    publisher: Publisher,
) -> None:
    publish(publisher, router_of(ETHERNET, TAP, LOOP, PAIRED))
    publisher.lose()
    router = router_of(ETHERNET, identity=RESTARTED)
    assert names(publish(publisher, router, settled=False)) == {1001: "e0", 1003: "loop0"}
    publisher.settle()
    finish(publisher)
    assert names(rows_of(publisher)) == {1001: "eth0"}
    publisher.settle()
    assert not publisher.step(0.0)


def test_a_host_name_that_a_waiting_row_bears_is_not_given_twice(publisher: Publisher) -> None:
    publish(publisher, router_of(ETHERNET, TAP, PAIRED))
    publisher.lose()
    other = replace(LOOP, interface_name="loop4")
    router = router_of(other, TAP, replace(PAIRED, phy_sw_if_index=3), identity=RESTARTED)
    rows = publish(publisher, router, settled=False)
    assert {row.key: row.facts.name for row in rows.values()} == {"eth0": "e0", "loop4": "loop4"}
    assert publisher.clashes == {"loop4": "e0"}


def test_of_a_reporter_that_was_started_again_nothing_is_seen(
    publisher: Publisher, clock: Clock
) -> None:
    before = publish(publisher, router_of(ETHERNET, SUB))
    clock.now += 2
    publisher.follow(router_of(complete=()))
    finish(publisher)
    assert statuses(rows_of(publisher)) == {1001: UP, 1002: UP}
    after = publish(publisher, router_of(ETHERNET, SUB))
    assert all(after[index] is before[index] for index in before)
    assert [row.last_change for row in after.values()] == [0, 0]
    assert not publisher.link_changes


# --- what was known before the start --------------------------------------------------------------


def known(publisher: Publisher) -> list[tuple[str, int, Facts]]:
    """What a state would remember of these rows."""
    return [(row.key, row.index, row.facts) for row in rows_of(publisher).values()]


def restored(before: Publisher, status: int, clock: Clock) -> Publisher:
    publisher = new_publisher(clock=clock)
    publisher.derive(over)
    for _ in publisher.restore(known(before), status):
        pass
    return publisher


def test_rows_are_restored_without_counters(publisher: Publisher, clock: Clock) -> None:
    publish(publisher, router_of(ETHERNET, TAP, SUB, PAIRED))
    after = restored(publisher, UNKNOWN, clock)
    rows = rows_of(after)
    assert names(rows) == {1001: "e0", 1002: "eth0.7"}
    assert statuses(rows) == {1001: UNKNOWN, 1002: UNKNOWN}
    assert (rows[1001].facts.speed, rows[1001].facts.phys_address) == (10**9, b"\2\0\0\0\0\1")
    assert rows[1001].counters.in_octets is None
    assert len(after.counted) == 0


def test_rows_restored_once_vpp_is_known_to_be_away_are_down(publisher: Publisher) -> None:
    facts = publish(new_publisher(), router_of(ETHERNET, LOOP))
    ports = [(row.key, row.index, row.facts) for row in facts.values()]
    restoring = publisher.restore(ports, UNKNOWN)
    publisher.lose()
    assert list(restoring) == []
    finish(publisher)
    assert statuses(rows_of(publisher)) == {1001: DOWN, 1003: DOWN}


def test_no_two_restored_rows_have_one_name_though_they_were_saved_at_different_times(
    publisher: Publisher,
) -> None:
    facts = [row.facts for row in publish(new_publisher(), router_of(ETHERNET, LOOP)).values()]
    ports = [
        ("eth0", 1001, replace(facts[0], name="loop0")),  # its host name of then
        ("loop0", 1003, facts[1]),
    ]
    assert list(publisher.restore(ports, UNKNOWN)) == []
    assert names(rows_of(publisher)) == {1001: "eth0", 1003: "loop0"}


def test_restored_rows_keep_what_they_are_over_and_their_addresses(
    publisher: Publisher, clock: Clock
) -> None:
    here = (bytes((192, 0, 2, 1)), 24)
    publish(publisher, router_of(ETHERNET, SUB, Addresses(2, (here,))))
    after = new_publisher(clock=clock)
    derived = after.derive(over)
    for _ in after.restore(known(publisher), DOWN):
        pass
    assert {index: derived.rows.get(index) for index in derived.rows} == {
        oid("1002"): "eth0.7 on eth0"
    }
    rows = rows_of(after)
    assert rows[1002].facts.addresses == (here,)
    assert (rows[1001].facts.link_traps, rows[1002].facts.link_traps) == (True, False)
    # Of a VPP that has reported its interfaces, and not yet its addresses.
    assert publish(after, router_of(ETHERNET, SUB))[1002].facts.addresses == (here,)


def test_what_other_settings_hide_goes_although_vpp_is_away(
    publisher: Publisher, clock: Clock
) -> None:
    publish(publisher, router_of(ETHERNET, LOOP))
    publisher.lose()
    finish(publisher)
    after = successor(publisher, clock, hide=("loop*",))
    finish(after)
    after.succeed(publisher)
    assert names(rows_of(after)) == {1001: "eth0"}


def test_what_the_settings_hide_is_not_restored(publisher: Publisher) -> None:
    publish(publisher, router_of(ETHERNET, LOOP))
    after = with_setting(hide=("loop*",))
    for _ in after.restore(known(publisher), UNKNOWN):
        pass
    assert names(rows_of(after)) == {1001: "eth0"}


# --- links that went down or came up --------------------------------------------------------------


def test_a_link_that_changes_is_noted(publisher: Publisher) -> None:
    router = router_of(ETHERNET, LOOP)
    publish(publisher, router)
    change(publisher, router, replace(ETHERNET, link_up=False))
    change(publisher, router, ETHERNET)
    assert publisher.link_changes == [LinkChange(1001, False), LinkChange(1001, True)]


def test_what_becomes_known_or_goes_is_no_change_of_a_link(publisher: Publisher) -> None:
    router = router_of(replace(ETHERNET, link_up=False))
    publish(publisher, router)
    change(publisher, router, LOOP)
    change(publisher, router, gone=[ETHERNET])
    assert not publisher.link_changes


def test_lower_layer_down_is_a_way_of_being_down(publisher: Publisher) -> None:
    pulled = replace(ETHERNET, link_up=False)
    router = router_of(pulled, SUB)
    publish(publisher, router)
    change(publisher, router, replace(pulled, admin_up=False), replace(SUB, admin_up=False))
    row = rows_of(publisher)[1002]
    assert (row.oper_status, row.is_down) == (DOWN, True)
    assert not publisher.link_changes


def test_a_vpp_that_is_away_takes_its_links_down_and_brings_them_up_again(
    publisher: Publisher,
) -> None:
    publish(publisher, router_of(ETHERNET, LOOP))
    for _ in range(2):
        publisher.lose()
        finish(publisher)
    assert publisher.link_changes == [LinkChange(1001, False), LinkChange(1003, False)]
    publisher.link_changes.clear()
    publish(publisher, router_of(ETHERNET, identity=RESTARTED), settled=False)
    assert publisher.link_changes == [LinkChange(1001, True)]


def test_a_publisher_has_not_settled_before_it_is_said_to(
    publisher: Publisher, clock: Clock
) -> None:
    publish(publisher, router_of(ETHERNET, LOOP))
    after, router = restored(publisher, UNKNOWN, clock), router_of(ETHERNET)
    after.follow(router)
    after.touch(router.interfaces)
    after.complete(INTERFACES)
    finish(after)
    assert statuses(rows_of(after)) == {1001: UP, 1003: DOWN}


@pytest.mark.parametrize(("left", "steps"), [(-1, 1), (0, 2)])
def test_rows_are_restored_a_few_at_a_time(publisher: Publisher, left: int, steps: int) -> None:
    ports = [port(index, f"eth{index}") for index in range(1, 2 * room.MAX_RESTORED + left + 1)]
    publish(publisher, router_of(*ports))
    after = new_publisher()
    assert len(list(after.restore(known(publisher), UNKNOWN))) == steps
    assert len(after.rows) == len(ports)


@pytest.mark.parametrize(("away", "changes"), [(False, 0), (True, 1)])
def test_after_a_start_only_what_was_shown_as_down_can_come_up(
    publisher: Publisher, clock: Clock, away: bool, changes: int
) -> None:
    publish(publisher, router_of(ETHERNET))
    after = restored(publisher, UNKNOWN, clock)
    if away:
        after.lose()
        finish(after)
    publish(after, router_of(ETHERNET))
    assert len(after.link_changes) == changes


# --- addresses and neighbours ---------------------------------------------------------------------

HERE, THERE = (bytes((192, 0, 2, 1)), 24), (bytes((192, 0, 2, 9)), 24)
NEIGHBOR = Neighbor(1, bytes((192, 0, 2, 2)), bytes(range(6)), False)


def test_addresses_of_a_vpp_that_returns_stay_until_it_has_reported_its_own(
    publisher: Publisher,
) -> None:
    everything = (INTERFACES, ADDRESSES, NEIGHBORS)
    first = router_of(ETHERNET, Addresses(1, (HERE,)), neighbors=(NEIGHBOR,), complete=everything)
    row = publish(publisher, first)[1001]

    def neighbors() -> int:
        return len(publisher.neighbors.ipv4.get(oid("1001")) or ())

    assert (len(row.facts.addresses), neighbors()) == (1, 1)
    publisher.lose()
    publish(publisher, router_of(ETHERNET, identity=RESTARTED), settled=False)
    assert (len(row.facts.addresses), neighbors()) == (1, 1)
    # Reported, but not configured yet.
    bare = router_of(ETHERNET, Addresses(1, ()), identity=RESTARTED, complete=everything)
    publish(publisher, bare, settled=False)
    assert (len(row.facts.addresses), neighbors()) == (1, 0)
    publish(publisher, bare, settled=True)
    assert not row.facts.addresses
    other = router_of(ETHERNET, Addresses(1, (THERE,)), identity=RESTARTED, complete=everything)
    publish(publisher, other, settled=False)
    assert row.facts.addresses == (THERE,)


def test_what_a_settled_vpp_was_not_configured_with_again_is_gone(publisher: Publisher) -> None:
    before = router_of(ETHERNET, SUB, LOOP, Addresses(1, (HERE,)), Bond(3, 5, (1,)))
    rows = publish(publisher, before)
    publisher.lose()
    bare = router_of(ETHERNET, SUB, LOOP, Addresses(1, ()), identity=RESTARTED)
    publish(publisher, bare, settled=False)
    assert (rows[1001].facts.addresses, rows[1003].facts.lower_layers) == ((HERE,), ("eth0",))
    publisher.settle()
    finish(publisher)
    assert (rows[1001].facts.addresses, rows[1003].facts.lower_layers) == ((), ())


# --- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "names_and_aliases"),
    [
        pytest.param(
            {"names": "vpp"},
            {"eth0": ("eth0", ""), "loop0": ("loop0", "")},
            id="names may be VPP's own",
        ),
        pytest.param(
            {"names": "tap"},
            {
                "eth0": ("eth0", ""),
                "tap of eth0": ("e0", "LCP eth0 (tap1)"),
                "loop0": ("loop0", ""),
            },
            id="names may be borne by the taps",
        ),
        pytest.param(
            {"taps": "show"},
            {"eth0": ("e0", ""), "tap of eth0": ("tap1", ""), "loop0": ("loop0", "")},
            id="taps may be shown under VPP's names",
        ),
        pytest.param({"hide": ("loop*",)}, {"eth0": ("e0", "")}, id="a glob hides by VPP's name"),
        pytest.param({"hide": ("loop0",)}, {"eth0": ("e0", "")}, id="VPP's name hides"),
        pytest.param({"hide": ("*0",)}, {}, id="a glob hides by any end"),
        pytest.param({"hide": ("e0",)}, {"loop0": ("loop0", "")}, id="a row's own name hides"),
        pytest.param(
            {"alias": "name"},
            {"eth0": ("e0", "e0"), "loop0": ("loop0", "loop0")},
            id="an alias may fall back on the name",
        ),
    ],
)
def test_settings_say_which_rows_there_are_and_what_they_are_called(
    settings: dict[str, object], names_and_aliases: dict[str, tuple[str, str]]
) -> None:
    rows = publish(with_setting(**settings), router_of(ETHERNET, TAP, LOOP, PAIRED))
    found = {row.key: (row.facts.name, row.facts.alias) for row in rows.values()}
    assert found == names_and_aliases


# --- another configuration -----------------------------------------------------------------------


def successor(publisher: Publisher, clock: Clock, **settings: object) -> Publisher:
    """The same rows under other settings, while those are shown on."""
    return Publisher(
        Configuration(Settings(**settings)),  # type: ignore[arg-type]
        *(publisher._saving.indexes, publisher.uptime, publisher),
        clock=clock,
    )


def test_other_settings_make_other_rows_while_the_old_ones_stand(
    publisher: Publisher, sources: CounterSet, clock: Clock
) -> None:
    router = router_of(ETHERNET, TAP, LOOP, PAIRED)
    before = publish(publisher, router)
    publisher.use(sources)
    finish(publisher)
    clock.now += 5
    change(publisher, router, replace(LOOP, link_up=False))
    after = successor(publisher, clock, names="vpp", hide=())
    assert len(after.rows) == 0
    finish(after)
    assert names(rows_of(publisher)) == {1001: "e0", 1003: "loop0"}
    assert names(rows_of(after)) == {1001: "eth0", 1003: "loop0"}
    rows = rows_of(after)
    # What lives with a row passes over; the row is another one.
    assert rows[1001] is not before[1001]
    assert rows[1001].counters is before[1001].counters
    assert (rows[1003].oper_status, rows[1003].last_change) == (DOWN, 500)
    clock.now += 1
    after.succeed(publisher)
    assert after.last_change == publisher.last_change
    assert not after.link_changes


def test_other_rows_are_made_once(publisher: Publisher, clock: Clock, made: list[str]) -> None:
    publish(publisher, router_of(ETHERNET, LOOP))
    made.clear()
    finish(successor(publisher, clock, alias="name"))
    assert made == ["eth0", "loop0"]


def test_a_link_that_changes_before_other_rows_are_shown_is_not_noted_by_those(
    publisher: Publisher, clock: Clock
) -> None:
    router = router_of(ETHERNET)
    publish(publisher, router)
    after = successor(publisher, clock, alias="name")
    finish(after)
    change(after, router, replace(ETHERNET, link_up=False))
    assert after.link_changes
    after.succeed(publisher)
    assert not after.link_changes


@pytest.mark.parametrize(("hide", "last_change"), [((), 500), (("loop*",), 1200)])
def test_the_set_of_rows_changes_with_the_settings_only_if_it_is_another(
    publisher: Publisher, clock: Clock, hide: tuple[str, ...], last_change: int
) -> None:
    clock.now += 5
    publish(publisher, router_of(ETHERNET, LOOP))
    clock.now += 7
    after = successor(publisher, clock, hide=hide)
    finish(after)
    after.succeed(publisher)
    assert after.last_change == last_change


def test_a_name_that_an_unlisted_row_has_is_not_given_twice_by_other_settings(
    publisher: Publisher, clock: Clock
) -> None:
    publish(publisher, router_of(ETHERNET))
    publisher.lose()
    paired = replace(PAIRED, phy_sw_if_index=3, host_if_name="eth0")
    router = router_of(LOOP, TAP, paired, identity=RESTARTED)
    expected = {1001: "eth0", 1003: "loop0"}
    assert names(publish(publisher, router, settled=False)) == expected
    after = successor(publisher, clock, alias="name")
    finish(after)
    assert names(rows_of(after)) == expected


def test_what_vpp_reports_meanwhile_reaches_both(publisher: Publisher, clock: Clock) -> None:
    router = router_of(ETHERNET, LOOP)
    publish(publisher, router)
    after = successor(publisher, clock, alias="name")
    touched = router.apply(Changes((replace(ETHERNET, link_up=False),)))
    for each in (publisher, after):
        each.touch(touched)
        finish(each)
    after.succeed(publisher)
    assert rows_of(after)[1001].oper_status == DOWN
    assert rows_of(publisher)[1001].oper_status == DOWN


def test_rows_that_wait_pass_over_too(publisher: Publisher, clock: Clock) -> None:
    publish(publisher, router_of(ETHERNET, LOOP))
    publisher.lose()
    publish(publisher, router_of(ETHERNET, identity=RESTARTED), settled=False)
    after = successor(publisher, clock, alias="name")
    finish(after)
    after.succeed(publisher)
    assert statuses(rows_of(after)) == {1001: UP, 1003: DOWN}
    after.settle()
    finish(after)
    assert statuses(rows_of(after)) == {1001: UP}


def test_no_row_is_lost_where_vpp_goes_before_the_other_rows_are_made(
    publisher: Publisher, clock: Clock
) -> None:
    publish(publisher, router_of(ETHERNET, LOOP))
    after = successor(publisher, clock, alias="name")
    for each in (publisher, after):
        each.lose()
        finish(each)
    assert statuses(rows_of(after)) == {1001: DOWN, 1003: DOWN}


def test_no_row_is_lost_where_the_reporter_starts_again_before_the_other_rows_are_made(
    publisher: Publisher, clock: Clock
) -> None:
    publish(publisher, router_of(ETHERNET, LOOP))
    after = successor(publisher, clock, alias="name")
    again = Router(VPP)
    for each in (publisher, after):
        each.follow(again)
        finish(each)
    assert statuses(rows_of(after)) == {1001: UP, 1003: UP}


def test_what_vpp_had_reported_and_was_still_waiting_counts_for_other_settings_too(
    publisher: Publisher, clock: Clock
) -> None:
    router = router_of(ETHERNET, LOOP)
    publish(publisher, router, finish=False)
    after = successor(publisher, clock, alias="name")
    for each in (publisher, after):
        finish(each)
    change(after, router, replace(ETHERNET, link_up=False))
    assert after.link_changes == [LinkChange(1001, False)]
    change(after, router, gone=[LOOP])
    assert statuses(rows_of(after)) == {1001: DOWN}


def test_a_publisher_that_was_never_shown_holds_on_to_nothing(
    publisher: Publisher, clock: Clock
) -> None:
    publish(publisher, router_of(ETHERNET, SUB, LOOP))
    gc.collect()
    gc.disable()
    try:
        after = successor(publisher, clock, alias="name")
        after.step(time.perf_counter())
        left = weakref.ref(after)
        for _ in after.dismantle():
            pass
        del after
        assert left() is None
    finally:
        gc.enable()


def test_to_dismantle_takes_many_small_steps(publisher: Publisher, clock: Clock) -> None:
    ports = [port(index, f"eth{index}") for index in range(1, 2001)]
    publish(publisher, router_of(*ports))
    steps = sum(1 for _ in publisher.dismantle())
    assert steps >= 2000 // 512 + 2000 // 100
    assert (len(publisher.rows), len(publisher.by_key)) == (0, 0)


def test_the_same_report_in_any_order_of_changes_gives_the_same_rows(clock: Clock) -> None:
    at_once, one_by_one = new_publisher(clock=clock), new_publisher(clock=clock)
    records = (PAIRED, Bond(3, 5, (1,)), ETHERNET, SUB, LOOP, TAP)
    expected = publish(at_once, router_of(*records))
    router = Router(VPP)
    one_by_one.settled = True
    one_by_one.follow(router)
    for record in reversed(records):
        one_by_one.touch(router.apply(Changes((record,))))
        finish(one_by_one)
    router.complete.add(Complete(INTERFACES).what)
    one_by_one.complete(INTERFACES)
    finish(one_by_one)
    assert {row.key: (row.facts, row.oper_status) for row in rows_of(one_by_one).values()} == {
        row.key: (row.facts, row.oper_status) for row in expected.values()
    }
