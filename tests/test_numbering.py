"""interfaces/numbering.py: no row without an ifIndex that is on the disk."""

from dataclasses import replace

from vpp_snmp_agent.agentx.mib import UpTime
from vpp_snmp_agent.interfaces.facts import DOWN, Configuration, Facts
from vpp_snmp_agent.interfaces.numbering import Numbering
from vpp_snmp_agent.interfaces.publisher import Publisher
from vpp_snmp_agent.interfaces.rows import LinkChange
from vpp_snmp_agent.operator.snapshot import ReadOnlyIndexes
from vpp_snmp_agent.settings.declarations import Settings
from vpp_snmp_agent.vpp.records import Changes

from .routers import (
    ETHERNET,
    LOOP,
    PAIRED,
    RESTARTED,
    TAP,
    Clock,
    change,
    finish,
    names,
    new_publisher,
    publish,
    router_of,
    rows_of,
    statuses,
)


class SlowIndexes(ReadOnlyIndexes):
    """Whose disk has taken nothing yet."""

    def __init__(self) -> None:
        super().__init__([])
        self.assigned: list[str] = []
        self.durable: set[str] = set()
        self.calls: list[tuple[str, str]] = []

    def index_of(self, key: str) -> int | None:
        return super().index_of(key) if key in self.durable else None

    def assign(self, key: str, sw_if_index: int) -> None:
        if key not in self.assigned:
            self.assigned.append(key)
            super().assign(key, sw_if_index)

    def show(self, key: str, facts: Facts) -> None:
        self.calls.append(("show", key))

    def hide(self, key: str) -> None:
        self.calls.append(("hide", key))


def test_a_row_is_shown_only_after_its_ifindex_is_durable() -> None:
    indexes = SlowIndexes()
    publisher = new_publisher(indexes=indexes)
    assert publish(publisher, router_of(ETHERNET, LOOP)) == {}
    assert indexes.assigned == ["eth0", "loop0"]
    assert not publisher.is_idle
    indexes.durable = {"loop0"}
    publisher.numbered(["loop0"])
    finish(publisher)
    assert names(rows_of(publisher)) == {1003: "loop0"}
    assert not publisher.is_idle
    indexes.durable.add("eth0")
    publisher.numbered(["eth0"])
    finish(publisher)
    assert names(rows_of(publisher)) == {1001: "eth0", 1003: "loop0"}
    assert publisher.is_idle


def test_a_first_row_is_no_change_however_late_its_ifindex_is_durable(clock: Clock) -> None:
    indexes = SlowIndexes()
    publisher = new_publisher(indexes=indexes, clock=clock)
    publisher.uptime.set(0, 1000.0)
    router = router_of(ETHERNET)
    publish(publisher, router)
    clock.now += 3
    indexes.durable = {"eth0", "loop0"}
    publisher.numbered(["eth0"])
    finish(publisher)
    change(publisher, router, LOOP)
    rows = rows_of(publisher)
    assert {index: row.last_change for index, row in rows.items()} == {1001: 0, 1003: 300}
    # What becomes of it once it is shown is one.
    clock.now += 4
    change(publisher, router, replace(ETHERNET, link_up=False))
    assert rows[1001].last_change == 700
    assert publisher.link_changes == [LinkChange(1001, False)]


def test_that_an_ifindex_is_durable_which_nobody_waits_for_makes_no_row() -> None:
    publisher = new_publisher()
    publish(publisher, router_of(ETHERNET))
    publisher.numbered(["eth0", "loop0"])
    assert publisher.is_quiet


def test_rows_are_ready_once_all_is_made_but_what_is_new(publisher: Publisher) -> None:
    router = router_of(ETHERNET)
    publish(publisher, router)
    indexes = SlowIndexes()
    after = Publisher(Configuration(), indexes, publisher.uptime, publisher)
    assert not after.is_ready  # nothing is made
    after.touch(router.apply(Changes((LOOP,))))
    finish(after)
    assert not after.is_ready  # eth0 waits for its ifIndex
    indexes.durable = {"eth0"}
    after.numbered(["eth0"])
    assert not after.is_ready
    finish(after)
    assert after.is_ready
    assert not after.is_idle
    assert rows_of(after).keys() == {1001}


def test_what_vpp_deletes_before_its_ifindex_is_durable_is_never_shown() -> None:
    indexes = SlowIndexes()
    publisher = new_publisher(indexes=indexes)
    router = router_of(ETHERNET, LOOP)
    publish(publisher, router)
    change(publisher, router, gone=[LOOP])
    indexes.durable = {"loop0", "eth0"}
    publisher.numbered(["loop0", "eth0"])
    finish(publisher)
    assert names(rows_of(publisher)) == {1001: "eth0"}
    assert publisher.is_idle


def test_what_waits_for_its_ifindex_when_vpp_goes_is_waited_for_no_more() -> None:
    indexes = SlowIndexes()
    publisher = new_publisher(indexes=indexes)
    publish(publisher, router_of(ETHERNET, TAP, PAIRED))
    publisher.lose()
    finish(publisher)
    assert publisher.is_idle
    # Nor does it keep its name from the next one.
    indexes.durable = {"eth0", "loop0"}
    paired = replace(PAIRED, phy_sw_if_index=3)
    rows = publish(publisher, router_of(LOOP, TAP, paired, identity=RESTARTED))
    assert names(rows) == {1003: "e0"}


def test_no_row_is_lost_where_vpp_goes_before_its_ifindex_elsewhere_is_durable(
    publisher: Publisher,
) -> None:
    publish(publisher, router_of(ETHERNET, LOOP))
    indexes = SlowIndexes()
    after = Publisher(Configuration(), indexes, publisher.uptime, publisher)
    finish(after)
    for each in (publisher, after):
        each.lose()
        finish(each)
    assert not after.is_ready
    indexes.durable = {"eth0", "loop0"}
    after.numbered(["eth0", "loop0"])
    finish(after)
    assert after.is_idle
    assert statuses(rows_of(after)) == {1001: DOWN, 1003: DOWN}


def test_what_is_shown_and_hidden_is_saved() -> None:
    indexes = SlowIndexes()
    indexes.durable = {"eth0", "loop0"}
    publisher = new_publisher(indexes=indexes)
    router = router_of(ETHERNET, LOOP)
    publish(publisher, router)
    change(publisher, router, replace(ETHERNET, tag="core"), gone=[LOOP])
    assert indexes.calls[:2] == [("show", "eth0"), ("show", "loop0")]
    assert sorted(indexes.calls[2:]) == [("hide", "loop0"), ("show", "eth0")]


def test_stateless_indexes_follow_vpp() -> None:
    settings = Configuration(Settings(ifindex="stateless"))
    publisher = Publisher(settings, None, UpTime())
    assert names(publish(publisher, router_of(LOOP))) == {1003: "loop0"}
    moved = replace(LOOP, sw_if_index=5, sup_sw_if_index=5)
    assert names(publish(publisher, router_of(moved))) == {1005: "loop0"}
    other = replace(ETHERNET, sw_if_index=5, sup_sw_if_index=5)
    rows = publish(publisher, router_of(other, identity=RESTARTED), settled=False)
    assert names(rows) == {1005: "eth0"}
    assert list(publisher.by_key) == ["eth0"]  # nothing is left of the one that had it


def test_a_key_is_pending_until_its_ifindex_is_durable() -> None:
    indexes = SlowIndexes()
    numbering = Numbering(indexes)
    assert numbering.index_of("eth0", 1) is None
    assert numbering.pending == {"eth0"}
    indexes.durable = {"eth0"}
    assert numbering.index_of("eth0", 1) == 1001
    assert numbering.pending == set()


def test_where_nothing_is_saved_an_ifindex_is_that_of_the_sw_if_index() -> None:
    numbering = Numbering(None)
    assert [numbering.index_of("eth0", 4), numbering.index_of("eth0", 7)] == [1004, 1007]
    assert numbering.pending == set()
