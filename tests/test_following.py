"""following.py: what VPP reports, and since when it has run."""

import errno
import logging
import os
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest

from simulator.segment import SegmentWriter
from vpp_snmp_agent.following import Follower
from vpp_snmp_agent.interfaces.facts import LOWER_LAYER_DOWN, UP
from vpp_snmp_agent.interfaces.publisher import Publisher
from vpp_snmp_agent.interfaces.vpp_state import ApiState
from vpp_snmp_agent.runtime.systemd import Supervisor
from vpp_snmp_agent.settings.declarations import Settings
from vpp_snmp_agent.vpp import feed, lacp
from vpp_snmp_agent.vpp.records import (
    ADDRESSES,
    LCP_PAIRS,
    NO_INDEX,
    THREADS,
    Available,
    Changes,
    Complete,
    Inventory,
    LacpPort,
    Thread,
    Threads,
    Unavailable,
)
from vpp_snmp_agent.vpp.segment import Segment

from .routers import VPP, bond, finish, new_publisher, port, publish, router_of, rows_of


def test_how_long_vpp_has_run_is_believed_when_it_says_so_later() -> None:
    publisher = new_publisher()
    follower = Follower(Settings(settle=6), lambda: (publisher,), Supervisor())
    follower.take(feed.Present(VPP))
    segment = SimpleNamespace(uptime=0, epoch=7)  # as VPP writes it, every ten seconds
    follower._segment = cast(Segment, segment)
    follower._started = 1004.0  # when another reporter met it: four seconds late
    assert not follower.is_settled(1006.5)
    segment.uptime = 6
    assert follower.is_settled(1006.5)
    segment.uptime = 0  # nor is it believed less, where a segment can not be read
    assert follower.is_settled(1006.5)
    follower.check(1006.5)
    assert publisher.settled


PORT = LacpPort(3, 5, bytes(6), 11, 13, 17, 63, 19, bytes(6), 23, 29, 31, 61)


def test_a_bond_follows_the_states_in_the_segment_and_the_api_is_asked_for_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publisher = new_publisher()
    asked: list[str] = []
    follower = Follower(
        Settings(settle=0), lambda: (publisher,), Supervisor(), ask=lambda: asked.append("now")
    )
    router = router_of(port(3), port(7, "BondEthernet0"), bond(7, 3), PORT)
    publish(publisher, router)
    assert rows_of(publisher)[1007].oper_status == UP
    follower._router = router
    follower._segment = cast(Segment, SimpleNamespace(uptime=100, epoch=7))
    changed = [replace(PORT, actor_state=7)]
    monkeypatch.setattr(lacp.States, "changed_ports", lambda *_: [changed.pop()] if changed else [])
    follower.check(1000.0)
    finish(publisher)
    assert rows_of(publisher)[1007].oper_status == LOWER_LAYER_DOWN
    assert asked == ["now"]
    follower.check(1001.0)
    assert asked == ["now"]


def test_threads_that_vpp_reports_are_rows() -> None:
    publisher = new_publisher()
    follower = Follower(Settings(), lambda: (publisher,), Supervisor())
    follower.take(feed.Present(VPP))
    follower.take(Threads((Thread(0, "vpp_main", "", 4711, 3),)))
    rows = publisher.system.threads.rows
    assert [(row.name, row.cpu_id) for row in map(rows.get, rows) if row] == [("vpp_main", 3)]


def test_the_segment_is_asked_for_lacp_twice_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    publisher = new_publisher()
    follower = Follower(Settings(settle=0), lambda: (publisher,), Supervisor())
    polls: list[int] = []

    def poll(*_: object) -> list[LacpPort]:
        polls.append(1)
        return []

    monkeypatch.setattr(lacp.States, "changed_ports", poll)
    follower.check(1000.0)
    assert polls == []  # no VPP is there
    follower._router = router_of(port(3))
    follower._segment = cast(Segment, SimpleNamespace(uptime=100, epoch=7))
    for tenths in range(21):
        follower.check(1000 + tenths / 10)
    assert len(polls) == 5


def test_the_cpus_of_vpps_workers_are_known_for_as_long_as_no_other_vpp_says_otherwise() -> None:
    publisher = new_publisher()
    follower = Follower(Settings(), lambda: (publisher,), Supervisor())
    assert follower.worker_cpus == frozenset()
    follower.take(feed.Present(VPP))
    main, first = Thread(0, "vpp_main", "", 41, 1), Thread(1, "vpp_wk_0", "workers", 43, 6)
    unplaced = Thread(2, "vpp_wk_1", "workers", 47, NO_INDEX)
    follower.take(Threads((main, first, unplaced)))
    assert follower.worker_cpus == {6}
    follower.take(feed.Away())
    assert follower.worker_cpus == {6}
    follower.take(feed.Present(replace(VPP, vpe_pid=4712)))
    assert follower.worker_cpus == {6}
    follower.take(Threads((main,)))
    assert follower.worker_cpus == frozenset()


def test_what_becomes_of_vpp_is_noted_over_another_configuration_too() -> None:
    first = new_publisher()
    shown = [first]
    follower = Follower(Settings(), lambda: tuple(shown), Supervisor())
    vpp = first.system.vpp

    def state() -> ApiState:
        return vpp.api_state

    follower.take(feed.Away(errno.ENOENT))
    assert state() == ApiState.AWAY
    follower.take(feed.Present(VPP))
    assert (state(), vpp.version, vpp.pid) == (ApiState.ANSWERING, VPP.version, VPP.vpe_pid)
    assert vpp.inventory_age is None
    follower.take(Inventory())
    assert vpp.inventory_age == 0
    shown[:] = [Publisher(first.configuration, None, first.uptime, first)]
    follower.take(feed.Hung(time.monotonic() - 17))
    assert (state(), vpp.api_state_age) == (ApiState.HUNG, 17)
    assert shown[0].system.vpp is vpp
    follower.take(feed.Answering())
    assert state() == ApiState.ANSWERING
    follower.take(feed.Away())
    follower.take(feed.Present(replace(VPP, vpe_pid=4733)))
    assert vpp.restarts == 1


@pytest.mark.parametrize("news", [feed.Failed("it answers nonsense"), feed.Away(errno.EACCES)])
def test_a_vpp_of_which_nothing_can_be_learnt_is_not_said_to_be_away(news: feed.News) -> None:
    publisher = new_publisher()
    follower = Follower(Settings(), lambda: (publisher,), Supervisor())
    follower.take(feed.Present(VPP))
    follower.take(news)
    assert publisher.system.vpp.api_state == ApiState.NOT_REACHED
    assert not publisher.system.vpp.alarms


def test_the_api_is_asked_where_the_segment_has_another_layout_and_no_event_says_why() -> None:
    publisher = new_publisher()
    asked: list[str] = []
    follower = Follower(
        Settings(settle=0), lambda: (publisher,), Supervisor(), ask=lambda: asked.append("now")
    )
    follower._router = router_of(port(3))
    segment = SimpleNamespace(uptime=100, epoch=7)
    follower._segment, follower._epoch = cast(Segment, segment), 7
    follower.check(1000.0)
    segment.epoch = 8  # as when a bond is given a member
    for seconds in (1001.0, 1002.0):
        follower.check(seconds)
        assert asked == []
    follower.check(1003.0)
    assert asked == ["now"]
    segment.epoch = 9  # as when an interface is made
    follower.check(1004.0)
    follower.take(Changes((port(5),)))
    for seconds in range(1005, 1020):
        follower.check(float(seconds))
    assert asked == ["now"]


def test_that_vpp_is_away_is_one_line_however_its_socket_shows_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    publisher = new_publisher()
    follower = Follower(Settings(), lambda: (publisher,), Supervisor())
    follower.take(feed.Present(VPP))
    for number in (None, errno.ECONNREFUSED, errno.ENOENT):
        follower.take(feed.Away(number))
    assert [each for each in caplog.messages if "away" in each] == ["VPP is away"]
    follower.take(feed.Away(errno.EACCES))
    assert caplog.messages[-1].startswith("VPP cannot be reached")


def test_that_counters_are_available_again_is_logged_once_after_each_loss(
    writer: SegmentWriter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    publisher = new_publisher()
    follower = Follower(Settings(), lambda: (publisher,), Supervisor())
    follower.take(feed.Present(VPP))

    def received() -> feed.SegmentReceived:
        return feed.SegmentReceived(os.dup(writer.fd))

    follower.take(received())
    assert not [each for each in caplog.messages if "counters" in each]
    for _ in range(2):
        follower.take(feed.SegmentMissing("no such file", None))
        follower.take(feed.SegmentMissing("no such file", None))
        follower.take(received())
        follower.take(received())
    assert [each for each in caplog.messages if "counters" in each] == 2 * [
        "VPP's counters are unavailable: no such file",
        "1 time more: VPP's counters are unavailable: no such file",
        "VPP's counters are available again",
    ]


# What says that a question is answered again, over a new connection.
ANSWERED = [(LCP_PAIRS, Inventory()), (ADDRESSES, Complete(ADDRESSES)), (THREADS, Threads(()))]


@pytest.mark.parametrize(("what", "answered"), ANSWERED)
def test_what_the_next_vpp_answers_is_available_again_and_what_it_does_not_is_not(
    what: str, answered: feed.News, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    publisher = new_publisher()
    follower = Follower(Settings(), lambda: (publisher,), Supervisor())
    failed = f"VPP's {what} are unavailable: so it is"
    available = f"VPP's {what} are available again"

    def said(*news: feed.News) -> list[str]:
        """What the log says of it, of what came."""
        caplog.clear()
        for each in news:
            follower.take(each)
        return [each for each in caplog.messages if what in each]

    follower.take(feed.Present(VPP))
    assert said(answered) == []
    assert said(Unavailable(what, "so it is"), Inventory(), Complete(ADDRESSES)) == [failed]
    follower.take(feed.Away())
    follower.take(feed.Present(replace(VPP, vpe_pid=4733)))
    assert said(Unavailable(what, "so it is"), Inventory(), Complete(ADDRESSES)) == []
    follower.take(feed.Away())
    follower.take(feed.Present(replace(VPP, vpe_pid=4751)))
    assert said(answered, answered) == [f"1 time more: {failed}", available]
    assert said(Unavailable(what, "so it is"), Available(what)) == [failed, available]
