"""vpp/layer3.py: which interfaces are asked for their addresses, how often, and when."""

from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast

import pytest

from simulator import Simulator, Spec
from simulator.stage import until
from vpp_snmp_agent.vpp import feed, layer3
from vpp_snmp_agent.vpp.api import Vpp
from vpp_snmp_agent.vpp.client import NeighborEvents, UnusableAnswer
from vpp_snmp_agent.vpp.layer3 import STEP, Layer3
from vpp_snmp_agent.vpp.records import (
    ADDRESSES,
    INTERFACES,
    NEIGHBORS,
    Addresses,
    Available,
    Changes,
    Complete,
    Neighbor,
    NeighborChanges,
    Unavailable,
)
from vpp_snmp_agent.vpp.schedule import ADDRESS_DELAYS, PAUSE

from .conftest import Listener, Reported, link, named
from .routers import Clock

EDGE = {
    ("TenGigabitEthernet1/0/2", "203.0.113.17/24"),
    ("GigabitEthernet5/0/0.205", "198.51.100.1/30"),
    ("GigabitEthernet5/0/0.205", "2001:db8:205::1/126"),
    ("loop0", "192.0.2.1/32"),
    ("loop0", "2001:db8::1/128"),
}


def addresses_of(reported: Reported) -> set[tuple[str, str]]:
    """All that are reported: interface and address."""
    return {
        (reported.interfaces[index].interface_name, f"{ip_address(address)}/{length}")
        for index, each in reported.addresses.items()
        for address, length in each.addresses
    }


# --- with a VPP -------------------------------------------------------------------------------


@pytest.mark.parametrize("release", ["22.02", "24.06", "26.06"])
def test_interfaces_are_reported_first_and_addresses_follow(tmp_path: Path, release: str) -> None:
    with (
        Simulator(tmp_path / "vpp", release=release) as vpp,
        Listener(vpp, addresses=300, neighbors=300) as listener,
    ):
        vpp.add_neighbor("loop0", "192.0.2.7", "02:00:00:00:00:07")
        vpp.add_neighbor("loop0", "fe80::7", "02:00:00:00:00:08", static=True)
        reported = listener.wait_complete()
        assert not reported.addresses
        assert not reported.neighbors
        listener.wait_complete(ADDRESSES)
        assert addresses_of(reported) == EDGE
        listener.wait_complete(NEIGHBORS)
        loop = reported.interface("loop0")
        behind_loop = {each for (at, _), each in reported.neighbors.items() if at == loop.key}
        assert len(reported.neighbors) == 2 + 4
        assert behind_loop == {
            Neighbor(loop.sw_if_index, *each)
            for each in (
                (ip_address("192.0.2.7").packed, bytes.fromhex("020000000007"), False),
                (ip_address("fe80::7").packed, bytes.fromhex("020000000008"), True),
            )
        }


def test_each_interface_is_asked_once_a_round_and_no_tap_at_all(vpp: Simulator) -> None:
    with Listener(vpp, addresses=300) as listener:
        reported = listener.wait_complete(ADDRESSES)
        taps = {each.host_sw_if_index for each in reported.pairs.values()}
        assert reported.addresses.keys() == reported.interfaces.keys() - taps
    calls = vpp.calls()
    assert calls["ip_address_dump"] == 2 * (35 - 16)
    assert calls.get("ip_neighbor_dump", 0) == 0


def test_nothing_is_asked_that_is_switched_off(vpp: Simulator) -> None:
    with Listener(vpp, period=1) as listener:
        listener.wait_complete()
        dumps = vpp.calls()["sw_interface_dump"]

        def dumped_again() -> bool:
            listener.pump()
            return vpp.calls()["sw_interface_dump"] > dumps

        until("another dump", dumped_again)
    assert not {"ip_address_dump", "ip_neighbor_dump"} & vpp.calls().keys()


def test_addresses_that_change_are_reported_within_their_period(vpp: Simulator) -> None:
    with Listener(vpp, addresses=1, neighbors=1) as listener:
        listener.wait_complete(ADDRESSES)
        vpp.set_addresses("loop0", "192.0.2.9/32")
        expected = {each for each in EDGE if each[0] != "loop0"} | {("loop0", "192.0.2.9/32")}
        listener.wait_until(lambda reported: addresses_of(reported) == expected)
        vpp.add_neighbor("loop0", "192.0.2.7", "02:00:00:00:00:07")
        listener.wait_until(lambda reported: len(reported.neighbors) == 4 + 1)


def test_a_newcomer_is_asked_at_once_and_again_and_the_others_are_not(vpp: Simulator) -> None:
    with Listener(vpp, addresses=3600) as listener:
        listener.wait_complete(ADDRESSES)
        before = vpp.calls()["ip_address_dump"]
        index = vpp.add_loopback("loop7")
        listener.wait_until(lambda reported: index in reported.addresses)
        assert vpp.calls()["ip_address_dump"] == before + 2  # by family
        vpp.set_addresses("loop7", "192.0.2.77/32")
        listener.wait_until(lambda reported: ("loop7", "192.0.2.77/32") in addresses_of(reported))
        assert vpp.calls()["ip_address_dump"] == before + 4


def test_an_interface_whose_details_changed_is_asked_at_once(vpp: Simulator) -> None:
    with Listener(vpp, addresses=3600) as listener:
        listener.wait_complete(ADDRESSES)
        before = vpp.calls()["ip_address_dump"]
        vpp.set_addresses("GigabitEthernet6/0/0", "192.0.2.61/31")
        vpp.set_addresses("loop0", "192.0.2.77/32")  # of which nobody knows for an hour
        vpp.set_link(
            "GigabitEthernet6/0/0", not listener.reported.interface("GigabitEthernet6/0/0").link_up
        )
        expected = EDGE | {("GigabitEthernet6/0/0", "192.0.2.61/31")}
        listener.wait_until(lambda reported: addresses_of(reported) == expected)
        assert vpp.calls()["ip_address_dump"] == before + 2


def neighbors_of(reported: Reported, name: str) -> set[tuple[str, str, bool]]:
    """Those of one interface: address, MAC, static or not."""
    index = reported.interface(name).sw_if_index
    return {
        (str(ip_address(each.address)), each.mac_address.hex(":"), each.static)
        for (at, _), each in reported.neighbors.items()
        if at == index
    }


@pytest.mark.parametrize("release", ["22.02", "24.06", "26.06"])
def test_neighbours_come_change_and_go_by_events_without_a_dump(
    tmp_path: Path, release: str
) -> None:
    with (
        Simulator(tmp_path / "vpp", release=release) as vpp,
        Listener(vpp, neighbors=300) as listener,
    ):
        listener.wait_complete(NEIGHBORS)
        before = vpp.calls()

        def follows(*expected: tuple[str, str, bool]) -> None:
            listener.wait_until(lambda reported: neighbors_of(reported, "loop0") == {*expected})

        vpp.add_neighbor("loop0", "192.0.2.7", "02:00:00:00:00:07")
        follows(("192.0.2.7", "02:00:00:00:00:07", False))
        vpp.add_neighbor("loop0", "fe80::8", "02:00:00:00:00:08", static=True)
        vpp.add_neighbor("loop0", "192.0.2.7", "02:00:00:00:00:17")
        follows(("192.0.2.7", "02:00:00:00:00:17", False), ("fe80::8", "02:00:00:00:00:08", True))
        vpp.remove_neighbor("loop0", "192.0.2.7")
        follows(("fe80::8", "02:00:00:00:00:08", True))
        vpp.remove_neighbor("loop0", "fe80::8")
        follows()
        assert vpp.calls()["ip_neighbor_dump"] == before["ip_neighbor_dump"] == 2  # by family


def test_neighbours_that_changed_meanwhile_are_right_after_a_reconnect(vpp: Simulator) -> None:
    vpp.add_neighbor("loop0", "192.0.2.7", "02:00:00:00:00:07")
    with Listener(vpp, neighbors=300) as listener:
        listener.wait_complete(NEIGHBORS)
        vpp.restart()
        vpp.add_neighbor("loop0", "192.0.2.8", "02:00:00:00:00:08")
        listener.wait(feed.Present)
        listener.wait_complete(NEIGHBORS)
        vpp.add_neighbor("loop0", "192.0.2.9", "02:00:00:00:00:09")
        expected = {(f"192.0.2.{number}", f"02:00:00:00:00:0{number}", False) for number in (8, 9)}
        listener.wait_until(lambda reported: neighbors_of(reported, "loop0") == expected)


def test_neighbours_of_who_has_an_index_now_are_never_those_of_who_had_it(
    vpp: Simulator,
) -> None:
    index = vpp.add_loopback("loop100")
    vpp.add_neighbor("loop100", "192.0.2.100", "02:00:00:00:01:00")
    with Listener(vpp, neighbors=300) as listener:
        listener.wait_complete(NEIGHBORS)
        for number in range(101, 110):
            vpp.hang()  # so that all events come at once
            assert vpp.reuse(f"loop{number - 1}", Spec(f"loop{number}")) == index
            vpp.add_neighbor(
                f"loop{number}", f"192.0.2.{number}", f"02:00:00:00:02:{number - 100:02}"
            )
            vpp.resume()

            def is_followed(reported: Reported) -> bool:
                holder = reported.interfaces.get(index)
                for at, address in reported.neighbors:
                    if at == index:
                        assert holder is not None
                        assert holder.interface_name == f"loop{address[3]}"
                return (index, bytes([192, 0, 2, number])) in reported.neighbors  # noqa: B023

            listener.wait_until(is_followed)
        assert vpp.calls()["ip_neighbor_dump"] == 2


def test_what_is_switched_off_is_reported_as_nothing(vpp: Simulator) -> None:
    with Listener(vpp) as listener:
        reported = listener.wait_until(lambda reported: INTERFACES in reported.complete)
        assert reported.complete == {INTERFACES, ADDRESSES, NEIGHBORS}
        taps = {each.host_sw_if_index for each in reported.pairs.values()}
        empty = {index: Addresses(index, ()) for index in reported.interfaces.keys() - taps}
        assert reported.addresses == empty
        assert not reported.neighbors


def test_an_index_that_changed_hands_takes_no_address_and_no_neighbour_along(
    vpp: Simulator,
) -> None:
    index = vpp.add_loopback("loop7")
    vpp.set_addresses("loop7", "192.0.2.77/32")
    vpp.add_neighbor("loop7", "192.0.2.78", "02:00:00:00:00:09")
    with Listener(vpp, addresses=3600, neighbors=3600) as listener:
        listener.wait_complete(ADDRESSES)
        listener.wait_complete(NEIGHBORS)
        assert vpp.reuse("loop7", Spec("loop8", "Loopback")) == index

        def is_gone(reported: Reported) -> bool:
            at = reported.addresses.keys() | {at for at, _ in reported.neighbors}
            found = reported.interfaces.get(index)
            assert not (found and found.interface_name == "loop8" and index in at)
            return found is None

        listener.wait_until(is_gone)
        assert index not in listener.reported.addresses
        listener.wait_until(lambda reported: is_gone(reported) or reported.named("loop8"))
        listener.wait_until(named("loop8"))
        assert {at for at, _ in listener.reported.neighbors}.isdisjoint({index})


def test_many_interfaces_are_asked_a_few_at_a_time_and_events_come_in_between(
    tmp_path: Path,
) -> None:
    with (
        Simulator(tmp_path / "vpp", interfaces=2000) as vpp,
        Listener(vpp, addresses=3600) as listener,
    ):
        listener.wait_complete()

        def began() -> int | None:
            listener.pump()
            return vpp.calls().get("ip_address_dump")

        until("the round began", began)
        vpp.set_link("HundredGigabitEthernet1/0/0", False)
        reported = listener.wait_until(link("HundredGigabitEthernet1/0/0", False))
        assert ADDRESSES not in reported.complete
        assert vpp.calls()["ip_address_dump"] < 2 * 2000


def test_a_link_that_flaps_keeps_no_address_waiting(vpp: Simulator) -> None:
    with Listener(vpp, addresses=3600) as listener:
        up = True

        def all_are_reported() -> bool:
            nonlocal up
            up = not up
            vpp.set_link("TenGigabitEthernet1/0/2", up)
            listener.pump()
            return ADDRESSES in listener.reported.complete

        until("the addresses are reported", all_are_reported)


def test_link_events_during_a_dump_of_neighbours_are_reported_after_it(tmp_path: Path) -> None:
    with (
        Simulator(tmp_path / "vpp", interfaces=50) as vpp,
        Listener(vpp, neighbors=1) as listener,
    ):
        for number in range(2000):
            address = f"10.7.{number >> 8}.{number & 255}"
            vpp.add_neighbor(
                "HundredGigabitEthernet1/0/0", address, f"02:00:00:00:00:{number % 251:02x}"
            )
        listener.wait_until(lambda reported: len(reported.neighbors) == 2000)
        for up in (False, True, False):
            vpp.set_link("HundredGigabitEthernet1/0/0", up)
            listener.wait_until(link("HundredGigabitEthernet1/0/0", up))
        assert not listener.reported.interface("HundredGigabitEthernet1/0/0").link_up


# --- by a clock that is set -------------------------------------------------------------------


class FakeVpp:
    """Answers with what it is given, and remembers what it was asked."""

    has_addresses = has_neighbors = True

    def __init__(self) -> None:
        self.neighbor_events: NeighborEvents = {}
        self.reports_neighbors = False
        self.dumps = 0
        self.asked: list[list[int]] = []
        self.has: dict[int, tuple[tuple[bytes, int], ...]] = {}
        self.neighbor_dump: list[tuple[int, bytes, int]] = []
        self.unusable: set[int] = set()  # interfaces about which the answers are

    def addresses(self, indexes: list[int]) -> list[Addresses]:
        self.asked.append(indexes)
        for index in self.unusable.intersection(indexes):
            raise UnusableAnswer(f"of {index}")
        return [Addresses(index, self.has.get(index, ())) for index in indexes]

    def want_neighbor_events(self) -> bool:
        assert not self.dumps
        return self.reports_neighbors

    def neighbors(self) -> Iterator[tuple[int, bytes, int]]:
        self.dumps += 1
        for each in self.neighbor_dump:
            if each[0] in self.unusable:
                raise UnusableAnswer(f"of {each[0]}")
            yield each


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Clock:
    monkeypatch.setattr(layer3, "time", clock)
    return clock


@pytest.fixture
def fake() -> FakeVpp:
    return FakeVpp()


def following(fake: FakeVpp, interfaces: set[int], addresses: float, neighbors: float) -> Layer3:
    """Asks about these interfaces, within so many seconds each; 0 for never."""
    of = Layer3(cast(Vpp, fake), addresses, neighbors)
    list(of.follow(interfaces))
    return of


def drain(of: Layer3, clock: Clock, seconds: float = 0.0) -> list[Any]:
    """What it reports in so many seconds, refreshed whenever it is due."""
    news: list[Any] = []
    end = clock.now + seconds
    while of.due() <= end:
        clock.now = max(clock.now, of.due())
        news += list(of.refresh())
    clock.now = end
    return news


def test_the_first_answer_is_reported_even_when_it_is_empty(fake: FakeVpp, clock: Clock) -> None:
    fake.has[3] = ((b"\xc0\0\2\3", 31),)
    of = Layer3(cast(Vpp, fake), 300.0, 0.0)
    assert list(of.follow({3, 4})) == []
    expected = Changes((Addresses(3, ((b"\xc0\0\2\3", 31),)), Addresses(4, ())))
    assert drain(of, clock) == [expected, Complete(ADDRESSES)]
    assert drain(of, clock, 700.0) == []
    assert fake.asked == [[3, 4]] * 3


def test_a_few_are_asked_at_a_stretch(fake: FakeVpp, clock: Clock) -> None:
    of = following(fake, set(range(1, 2 * STEP + 6)), 300.0, 0.0)
    began = clock.now
    while len(fake.asked) < 3:
        clock.now = max(clock.now, of.due())
        list(of.refresh())
    assert [len(each) for each in fake.asked] == [STEP, STEP, 5]
    assert clock.now - began == pytest.approx(2 * PAUSE)


def test_an_interface_that_is_new_or_changed_is_asked_at_once_and_again(
    fake: FakeVpp, clock: Clock
) -> None:
    of = following(fake, {3}, 3600.0, 0.0)
    drain(of, clock, 100.0)
    list(of.follow({3, 4}))
    assert drain(of, clock) == [Changes((Addresses(4, ()),))]
    fake.has[4] = ((b"\xc0\0\2\4", 32),)
    assert drain(of, clock, ADDRESS_DELAYS[1] - 0.1) == []
    assert drain(of, clock, 0.2) == [Changes((Addresses(4, fake.has[4]),))]
    drain(of, clock, 100.0)
    assert fake.asked == [[3], *[[4]] * len(ADDRESS_DELAYS)]
    of.change([3])
    began, at = clock.now, []
    while of.due() < began + 100.0:
        clock.now = max(clock.now, of.due())
        list(of.refresh())
        at.append(clock.now - began)
    assert at == pytest.approx(ADDRESS_DELAYS)


def test_what_changes_again_and_again_is_asked_once_a_second_and_its_repeats_are_put_off(
    fake: FakeVpp, clock: Clock
) -> None:
    of = following(fake, {3}, 3600.0, 0.0)
    drain(of, clock, 100.0)
    fake.asked.clear()
    for _ in range(50 * 30):
        of.change([3])
        drain(of, clock, 0.02)
    assert 29 <= len(fake.asked) <= 32
    drain(of, clock, 100.0)
    assert len(fake.asked) <= 32 + 3 + 1
    assert len(of._schedule._later) == 0


def test_many_changes_keep_neither_the_newest_nor_the_sweep_waiting(
    fake: FakeVpp, clock: Clock
) -> None:
    many = set(range(1, 10_001))
    of = following(fake, many, 300.0, 0.0)
    drain(of, clock, 60.0)
    assert {each for some in fake.asked for each in some} == many
    changed_at: dict[int, float] = {}
    asked_at = dict.fromkeys(many, clock.now)
    longest = questions = 0
    most_waiting = 0.0
    began = clock.now
    for number in range(50 * 330):
        index = number * 7919 % 10_000 + 1
        changed_at[index] = clock.now
        of.change([index])
        fake.asked.clear()
        drain(of, clock, 0.02)
        for each in (each for some in fake.asked for each in some):
            questions += 1
            if each in changed_at:
                most_waiting = max(most_waiting, clock.now - changed_at.pop(each))
            asked_at[each] = clock.now
        longest = max(longest, len(of._schedule._later) + len(of._schedule._fresh))
    assert most_waiting < 1.0
    assert min(asked_at.values()) > clock.now - 305.0
    assert questions <= (clock.now - began) * STEP / PAUSE + STEP
    assert longest < 3 * len(many)


def test_interfaces_that_flap_keep_no_other_waiting(fake: FakeVpp, clock: Clock) -> None:
    flapping, quiet = range(1, 401), range(401, 1001)
    of = following(fake, {*flapping, *quiet}, 60.0, 0.0)
    drain(of, clock, 60.0)
    fake.asked.clear()
    began = clock.now
    of.change([444])
    asked_at: dict[int, list[float]] = {}
    while clock.now < began + 62.0:
        of.change(flapping)  # more questions than there is time for
        fake.asked.clear()
        drain(of, clock, 0.5)
        for each in (each for some in fake.asked for each in some):
            asked_at.setdefault(each, []).append(clock.now - began)
    assert asked_at.keys() == {*flapping, *quiet}
    assert [each for each in asked_at[444] if each < 10.0][:2] == pytest.approx([2.0, 6.0], abs=2)
    questions = [len(asked_at[each]) for each in flapping]
    assert max(questions) - min(questions) <= 5


def test_a_sweep_asks_each_once_and_is_spread_over_its_interval(
    fake: FakeVpp, clock: Clock
) -> None:
    many = set(range(1, 1001))
    of = following(fake, many, 300.0, 0.0)
    drain(of, clock, 10.0)
    fake.asked.clear()
    for part in range(1, 4):
        drain(of, clock, 100.0)
        asked = [each for some in fake.asked for each in some]
        assert len(asked) == pytest.approx(part * 1000 / 3, abs=2 * STEP)
        assert {len(some) for some in fake.asked} == {STEP}
    assert len(set(asked)) == len(asked)


def test_no_round_keeps_a_newcomer_waiting(fake: FakeVpp, clock: Clock) -> None:
    many = set(range(10, 10 + 300 * STEP))  # a first round of 15 s
    of = following(fake, many, 300.0, 0.0)
    drain(of, clock, 1.0)
    list(of.follow(many | {4711}))
    drain(of, clock, 2 * PAUSE)
    assert 4711 in {each for some in fake.asked for each in some}
    assert len(fake.asked) < 300
    drain(of, clock, 15.0)
    asked = [each for some in fake.asked for each in some]
    assert set(asked) == many | {4711}
    assert asked.count(4711) == 2  # at once, and after five seconds


def test_who_is_gone_is_asked_no_more(fake: FakeVpp, clock: Clock) -> None:
    of = following(fake, {3, 4}, 300.0, 0.0)
    drain(of, clock, 100.0)
    list(of.follow({3, 4, 5}))
    of.change([4])
    assert of.forget_addresses([4, 5]) == [(Addresses, 4)]
    assert of.forget_addresses([4, 5]) == []
    drain(of, clock, 300.0)
    assert fake.asked == [[3, 4], [3]]


def test_who_has_become_a_tap_has_no_addresses(fake: FakeVpp, clock: Clock) -> None:
    of = following(fake, {3, 4}, 300.0, 0.0)
    drain(of, clock)
    assert list(of.follow({3})) == [Changes(gone=((Addresses, 4),))]


def test_neighbours_are_asked_for_again_a_period_after_their_dump(
    fake: FakeVpp, clock: Clock
) -> None:
    fake.neighbor_dump = [(3, b"\xc0\0\2\3", 0x020000000003), (4, b"\xc0\0\2\4", 0x020000000004)]
    of = following(fake, {3, 4}, 0.0, 60.0)
    known = [
        Neighbor(3, b"\xc0\0\2\3", bytes.fromhex("020000000003"), False),
        Neighbor(4, b"\xc0\0\2\4", bytes.fromhex("020000000004"), False),
    ]
    assert drain(of, clock, 59.0) == [NeighborChanges(tuple(known)), Complete(NEIGHBORS)]
    fake.neighbor_dump = [(4, b"\xc0\0\2\4", 1 << 48 | 0x020000000014)]
    static = Neighbor(4, b"\xc0\0\2\4", bytes.fromhex("020000000014"), True)
    assert drain(of, clock, 2.0) == [
        NeighborChanges((static,)),
        NeighborChanges(gone=((3, b"\xc0\0\2\3"),)),
    ]
    assert drain(of, clock, 60.0) == []
    assert list(of.forget_neighbors([3, 4])) == [NeighborChanges(gone=((4, b"\xc0\0\2\4"),))]


KEY, OTHER = (3, b"\xc0\0\2\3"), (4, b"\xc0\0\2\4")
ONE, TWO, STATIC_TWO = 0x020000000003, 0x020000000004, 1 << 48 | 0x020000000004


def record(key: tuple[int, bytes], state: int) -> Neighbor:
    return Neighbor(*key, (state & (1 << 48) - 1).to_bytes(6, "big"), bool(state >> 48))


def with_events(fake: FakeVpp, clock: Clock) -> Layer3:
    """Interfaces 3 and 4, whose neighbours were dumped: KEY is ONE."""
    fake.reports_neighbors = True
    fake.neighbor_dump = [(*KEY, ONE)]
    of = following(fake, {3, 4}, 0.0, 60.0)
    assert drain(of, clock) == [NeighborChanges((record(KEY, ONE),)), Complete(NEIGHBORS)]
    return of


def test_where_vpp_reports_neighbours_they_are_dumped_once_an_hour(
    fake: FakeVpp, clock: Clock
) -> None:
    of = with_events(fake, clock)
    assert drain(of, clock, 3599.0) == []
    assert fake.dumps == 1
    fake.neighbor_dump = [(*OTHER, TWO)]  # of which the events were lost
    assert drain(of, clock, 2.0) == [
        NeighborChanges((record(OTHER, TWO),)),
        NeighborChanges(gone=(KEY,)),
    ]
    assert drain(of, clock, 3600.0) == []
    assert fake.dumps == 3


def test_events_during_a_dump_are_applied_after_it(fake: FakeVpp, clock: Clock) -> None:
    fake.reports_neighbors = True
    third = (3, b"\xc0\0\2\5")

    def neighbors() -> Iterator[tuple[int, bytes, int]]:
        fake.neighbor_events[OTHER] = TWO  # which the dump does not have
        yield (*KEY, ONE)
        fake.neighbor_events[KEY] = None  # which it has
        fake.neighbor_events[third] = None
        yield (*third, TWO)
        fake.neighbor_events[third] = ONE  # removed, and added again

    cast(Any, fake).neighbors = neighbors
    of = following(fake, {3, 4}, 0.0, 60.0)
    reported = Reported()
    for each in drain(of, clock, 0.1):
        reported.apply(each)
    assert reported.neighbors == {OTHER: record(OTHER, TWO), third: record(third, ONE)}
    assert not fake.neighbor_events


def test_a_burst_of_events_is_handed_on_together_and_what_changes_nothing_is_not(
    fake: FakeVpp, clock: Clock
) -> None:
    of = with_events(fake, clock)
    news: list[Any] = []
    for number in range(1000):
        fake.neighbor_events[KEY] = ONE  # refreshed
        fake.neighbor_events[OTHER] = TWO + number
        news += drain(of, clock, 0.001)
    assert 15 <= len(news) <= 1.0 / layer3.EVENTS_INTERVAL + 1
    assert {key.sw_if_index for each in news for key in each.reported} == {4}
    fake.neighbor_events |= {KEY: None, OTHER: STATIC_TWO}
    assert drain(of, clock, layer3.EVENTS_INTERVAL) == [
        NeighborChanges(gone=(KEY,)),
        NeighborChanges((record(OTHER, STATIC_TWO),)),
    ]
    fake.neighbor_events |= {KEY: None, OTHER: STATIC_TWO, (9, KEY[1]): None}
    assert drain(of, clock, 1.0) == []


def test_events_of_an_interface_that_is_to_be_asked_about_wait(fake: FakeVpp, clock: Clock) -> None:
    of = with_events(fake, clock)
    fake.neighbor_events |= {KEY: TWO, OTHER: TWO}
    of.due()
    clock.now += layer3.EVENTS_INTERVAL
    assert list(of.refresh(named={3})) == [NeighborChanges((record(OTHER, TWO),))]
    assert fake.neighbor_events == {KEY: TWO}
    assert list(of.refresh(named={3})) == []
    assert of.due() > clock.now
    assert drain(of, clock, 0.1) == [NeighborChanges((record(KEY, TWO),))]


def test_neighbours_of_an_interface_that_is_not_reported_follow_it(
    fake: FakeVpp, clock: Clock
) -> None:
    of = with_events(fake, clock)
    early, late = (8, b"\xc0\0\2\x08"), (8, b"\xc0\0\2\x09")
    fake.neighbor_events |= {early: ONE, late: TWO}
    assert drain(of, clock, 0.1) == []
    fake.neighbor_events[late] = None  # and not applied yet
    assert NeighborChanges((record(early, ONE),)) in list(of.follow({3, 4, 8}))
    assert drain(of, clock, 0.1) == []
    assert list(of.forget_neighbors([8])) == [NeighborChanges(gone=(early,))]
    of.forget_addresses([8])
    fake.neighbor_events[late] = TWO  # and nothing of the other: it is the next one's already
    came = list(of.follow({3, 4, 8}))
    assert NeighborChanges((record(early, ONE), record(late, TWO))) in came


def test_a_dump_that_failed_hides_nothing_that_is_gone_from_the_next(
    fake: FakeVpp, clock: Clock
) -> None:
    of = with_events(fake, clock)
    fake.neighbor_dump = [(*OTHER, TWO), (5, b"", ONE)]
    fake.unusable = {5}
    assert drain(of, clock, 3601.0) == [
        NeighborChanges((record(OTHER, TWO),)),
        Unavailable(NEIGHBORS, "of 5"),
    ]
    fake.unusable.clear()
    fake.neighbor_dump = []
    assert drain(of, clock, 61.0) == [
        Available(NEIGHBORS),
        NeighborChanges(gone=(KEY, OTHER)),
    ]


def test_an_interface_that_is_gone_has_no_delayed_question(fake: FakeVpp, clock: Clock) -> None:
    of = following(fake, {3}, 3600.0, 0.0)
    drain(of, clock, 1.0)
    list(of.follow({3, 8}))
    of.forget_addresses([8])
    drain(of, clock, ADDRESS_DELAYS[1] - 1.0)
    list(of.follow({3, 8}))  # another one by now, which has its own time
    drain(of, clock, ADDRESS_DELAYS[1] - 1.0)
    assert fake.asked == [[3], [8]]


# --- answers that cannot be used --------------------------------------------------------------


def test_addresses_that_cannot_be_used_are_reported_once_until_a_whole_round_could(
    fake: FakeVpp, clock: Clock
) -> None:
    indexes = set(range(1, 2 * STEP + 6))
    fake.has = {index: ((bytes([192, 0, 2, index]), 32),) for index in indexes}
    fake.unusable = {2, STEP + 2}
    of = following(fake, indexes, 300.0, 0.0)
    last = tuple(Addresses(index, fake.has[index]) for index in range(2 * STEP + 1, 2 * STEP + 6))
    assert drain(of, clock, 299.0) == [Unavailable(ADDRESSES, "of 2"), Changes(last)]
    assert drain(of, clock, 300.0) == []
    fake.unusable = {STEP + 2}
    first = tuple(Addresses(index, fake.has[index]) for index in range(1, STEP + 1))
    assert drain(of, clock, 300.0) == [Changes(first)]
    fake.unusable.clear()
    middle = tuple(Addresses(index, fake.has[index]) for index in range(STEP + 1, 2 * STEP + 1))
    assert drain(of, clock, 600.0) == [  # the first whole round is the one that begins now
        Changes(middle),
        Available(ADDRESSES),
        Complete(ADDRESSES),
    ]
    fake.unusable = {5}
    assert drain(of, clock, 300.0) == [Unavailable(ADDRESSES, "of 5")]


def test_neighbours_that_cannot_be_used_leave_the_known_ones(fake: FakeVpp, clock: Clock) -> None:
    fake.neighbor_dump = [(3, b"\xc0\0\2\3", 0x020000000003), (4, b"\xc0\0\2\4", 0x020000000004)]
    of = Layer3(cast(Vpp, fake), 0.0, 60.0)
    assert drain(of, clock, 59.0)[-1] == Complete(NEIGHBORS)
    fake.unusable = {3}
    assert drain(of, clock, 60.0) == [Unavailable(NEIGHBORS, "of 3")]
    assert drain(of, clock, 60.0) == []
    fake.unusable.clear()
    assert drain(of, clock, 60.0) == [Available(NEIGHBORS)]
