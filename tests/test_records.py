"""vpp/records.py: what changed, and only that, in datagrams that fit a socket buffer."""

from collections.abc import Callable, Iterator

import pytest

from vpp_snmp_agent.vpp import feed, records
from vpp_snmp_agent.vpp.records import (
    MAX_RECORDS,
    NO_INDEX,
    Addresses,
    Bond,
    BridgeDomain,
    Changes,
    Identity,
    Interface,
    LacpPort,
    LcpPair,
    Neighbor,
    NeighborChanges,
    Record,
    changes,
    neighbor_changes,
    pack,
    unpack,
)

SOCKET_BUFFER = 200_000  # octets that one holds as Linux is delivered
TOWERS = "\U0001f5fc" * 60  # four octets each, and more than VPP's 63 octets hold


def interface(index: int) -> Interface:
    """The largest there is."""
    return Interface(
        sw_if_index=NO_INDEX - index,
        sup_sw_if_index=NO_INDEX - 1000 - index,
        interface_name=f"{TOWERS}{index}",
        interface_dev_type=f"{TOWERS}a{index}",
        tag=f"{index}{TOWERS}",
        l2_address=index.to_bytes(6, "big"),
        admin_up=True,
        link_up=False,
        link_speed=NO_INDEX - 2000 - index,
        link_duplex=2,
        link_mtu=NO_INDEX - 3000 - index,
        mtu=NO_INDEX - 4000 - index,
    )


def pair(index: int) -> LcpPair:
    """The largest there is."""
    return LcpPair(
        phy_sw_if_index=NO_INDEX - index,
        host_sw_if_index=NO_INDEX - 1000 - index,
        vif_index=NO_INDEX - 2000 - index,
        host_if_name=f"{index:x>15}",
        netns=f"{index:y>31}",
    )


def bond(index: int) -> Bond:
    """One of more members than DPDK has ports."""
    return Bond(NO_INDEX - index, 5, tuple(range(index << 16, (index << 16) + 16)))


def lacp_port(index: int) -> LacpPort:
    """The largest there is."""
    return LacpPort(
        sw_if_index=NO_INDEX - index,
        actor_system_priority=65535,
        actor_system=(1 << 40 | index).to_bytes(6, "big"),
        actor_key=65534,
        actor_port_priority=65533,
        actor_port_number=65532,
        actor_state=255,
        partner_system_priority=65531,
        partner_system=(2 << 40 | index).to_bytes(6, "big"),
        partner_key=65530,
        partner_port_priority=65529,
        partner_port_number=65528,
        partner_state=254,
    )


def bridge_domain(index: int) -> BridgeDomain:
    """One of so many that 4,000 interfaces are in a hundred of them."""
    return BridgeDomain(index, NO_INDEX - index, tuple(range(index << 16, (index << 16) + 40)))


def addresses(index: int) -> Addresses:
    """One of more addresses than most have."""
    return Addresses(
        NO_INDEX - index,
        tuple(((at << 64 | index).to_bytes(16, "big"), 128 - at) for at in range(8)),
    )


LARGEST: list[Callable[[int], Record]] = [
    *(interface, pair, bond, lacp_port, bridge_domain, addresses)
]


ONE_OF_EACH: tuple[Record, ...] = tuple(each(at) for at, each in enumerate(LARGEST))


def neighbor(index: int) -> Neighbor:
    """The largest there is."""
    return Neighbor(NO_INDEX - index, index.to_bytes(16, "big"), index.to_bytes(6, "big"), True)


@pytest.mark.parametrize("largest", LARGEST, ids=lambda largest: largest.__name__)
def test_a_message_of_the_largest_records_fits(largest: Callable[[int], Record]) -> None:
    (message,) = changes(largest(index) for index in range(MAX_RECORDS))
    assert len(message.reported) == MAX_RECORDS
    assert len(pack(message)) <= min(SOCKET_BUFFER, feed.DATAGRAM)


def test_a_bridge_domain_of_ten_thousand_interfaces_fits() -> None:
    (message,) = changes([BridgeDomain(7, 70_000, tuple(range(80_000, 90_000)))])
    assert len(pack(message)) <= min(SOCKET_BUFFER, feed.DATAGRAM)


def test_messages_of_neighbours_and_of_what_is_gone_fit() -> None:
    messages: list[records.Message] = [
        *neighbor_changes(map(neighbor, range(MAX_RECORDS))),
        *neighbor_changes((), (neighbor(each)[:2] for each in range(MAX_RECORDS))),
        *changes((), ((Interface, NO_INDEX - each) for each in range(MAX_RECORDS))),
    ]
    for message in messages:
        assert len(pack(message)) <= min(SOCKET_BUFFER, feed.DATAGRAM)


@pytest.mark.parametrize(
    ("count", "sizes"),
    [
        (0, []),
        (1, [1]),
        (MAX_RECORDS, [MAX_RECORDS]),
        (MAX_RECORDS + 1, [MAX_RECORDS, 1]),
        (3 * MAX_RECORDS, [MAX_RECORDS] * 3),
    ],
)
def test_many_records_go_in_several_messages(count: int, sizes: list[int]) -> None:
    assert [len(each.reported) for each in changes(map(interface, range(count)))] == sizes
    assert [len(each.reported) for each in neighbor_changes(map(neighbor, range(count)))] == sizes
    assert [len(each.gone) for each in changes((), [(LcpPair, at) for at in range(count)])] == sizes
    gone = [neighbor(each)[:2] for each in range(count)]
    assert [len(each.gone) for each in neighbor_changes((), gone)] == sizes


def test_what_is_gone_goes_first_and_the_order_is_kept() -> None:
    reported: list[Record] = [pair(1), bond(2), interface(3)]
    assert list(changes(reported, [(Interface, 4), (Addresses, 5)])) == [
        Changes(gone=((Interface, 4), (Addresses, 5))),
        Changes(reported=(pair(1), bond(2), interface(3))),
    ]
    assert list(neighbor_changes([neighbor(1)], [(2, b"gone")])) == [
        NeighborChanges(gone=((2, b"gone"),)),
        NeighborChanges(reported=(neighbor(1),)),
    ]


def test_a_message_of_neighbours_is_made_as_soon_as_it_is_full() -> None:
    taken = []

    def many() -> Iterator[Neighbor]:
        for index in range(10 * MAX_RECORDS):
            taken.append(index)
            yield neighbor(index)

    next(neighbor_changes(many()))
    assert len(taken) == MAX_RECORDS


@pytest.mark.parametrize(
    "message",
    [
        records.Unreachable("/run/vpp/api.sock", 2),
        records.Connecting(),
        records.Gone(),
        records.Broken("no sw_interface_dump"),
        records.Connected(Identity("26.06-release", "2026-06-24", 4711)),
        records.Mapped(),
        records.Unmapped("no permission for user vpp-snmp-agent", 13),
        records.Alive(),
        records.Waiting(7.5),
        records.Unavailable(records.BONDS, "so it is"),
        records.Available(records.LACP),
        Changes(ONE_OF_EACH, ((LcpPair, 1),)),
        NeighborChanges((neighbor(1),), ((2, b"gone"),)),
        records.Complete(records.INTERFACES),
    ],
    ids=lambda message: type(message).__name__,
)
def test_a_message_is_unpacked_as_it_was_packed(message: records.Message) -> None:
    assert unpack(pack(message)) == message


def test_every_record_is_known_by_its_first_field() -> None:
    for record in ONE_OF_EACH:
        first = next(iter(type(record).__dataclass_fields__))
        assert record.key == getattr(record, first)
