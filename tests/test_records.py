"""vpp/records.py: what changed, and only that, in datagrams that fit a socket buffer."""

from collections.abc import Callable, Iterator

import pytest

from vpp_snmp_agent.vpp import feed, records

SOCKET_BUFFER = 200_000  # octets that one holds as Linux is delivered
TOWERS = "\U0001f5fc" * 60  # four octets each, and more than VPP's 63 octets hold


def interface(index: int) -> records.Interface:
    """The largest there is."""
    return records.Interface(
        sw_if_index=records.NO_INDEX - index,
        sup_sw_if_index=records.NO_INDEX - 1000 - index,
        interface_name=f"{TOWERS}{index}",
        interface_dev_type=f"{TOWERS}a{index}",
        tag=f"{index}{TOWERS}",
        l2_address=index.to_bytes(6, "big"),
        admin_up=True,
        link_up=False,
        link_speed=records.NO_INDEX - 2000 - index,
        link_duplex=2,
        link_mtu=records.NO_INDEX - 3000 - index,
        mtu=records.NO_INDEX - 4000 - index,
    )


def pair(index: int) -> records.LcpPair:
    """The largest there is."""
    return records.LcpPair(
        phy_sw_if_index=records.NO_INDEX - index,
        host_sw_if_index=records.NO_INDEX - 1000 - index,
        vif_index=records.NO_INDEX - 2000 - index,
        host_if_name=f"{index:x>15}",
        netns=f"{index:y>31}",
    )


def bond(index: int) -> records.Bond:
    """One of more members than DPDK has ports."""
    return records.Bond(records.NO_INDEX - index, 5, tuple(range(index << 16, (index << 16) + 16)))


def lacp_port(index: int) -> records.LacpPort:
    """The largest there is."""
    return records.LacpPort(
        sw_if_index=records.NO_INDEX - index,
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


def bridge_domain(index: int) -> records.BridgeDomain:
    """One of so many that 4,000 interfaces are in a hundred of them."""
    return records.BridgeDomain(
        index, records.NO_INDEX - index, tuple(range(index << 16, (index << 16) + 40))
    )


def addresses(index: int) -> records.Addresses:
    """One of more addresses than most have."""
    return records.Addresses(
        records.NO_INDEX - index,
        tuple(((at << 64 | index).to_bytes(16, "big"), 128 - at) for at in range(8)),
    )


LARGEST: list[Callable[[int], records.Record]] = [
    *(interface, pair, bond, lacp_port, bridge_domain, addresses)
]


ONE_OF_EACH: tuple[records.Record, ...] = tuple(each(at) for at, each in enumerate(LARGEST))


def neighbor(index: int) -> records.Neighbor:
    """The largest there is."""
    return records.Neighbor(
        records.NO_INDEX - index, index.to_bytes(16, "big"), index.to_bytes(6, "big"), True
    )


@pytest.mark.parametrize("largest", LARGEST, ids=lambda largest: largest.__name__)
def test_a_message_of_the_largest_records_fits(largest: Callable[[int], records.Record]) -> None:
    (message,) = records.changes(largest(index) for index in range(records.MAX_RECORDS))
    assert len(message.reported) == records.MAX_RECORDS
    assert len(records.pack(message)) <= min(SOCKET_BUFFER, feed.DATAGRAM)


def test_a_bridge_domain_of_ten_thousand_interfaces_fits() -> None:
    (message,) = records.changes([records.BridgeDomain(7, 70_000, tuple(range(80_000, 90_000)))])
    assert len(records.pack(message)) <= min(SOCKET_BUFFER, feed.DATAGRAM)


def test_messages_of_neighbours_and_of_what_is_gone_fit() -> None:
    messages: list[records.Message] = [
        *records.neighbor_changes(map(neighbor, range(records.MAX_RECORDS))),
        *records.neighbor_changes((), (neighbor(each)[:2] for each in range(records.MAX_RECORDS))),
        *records.changes(
            (),
            ((records.Interface, records.NO_INDEX - each) for each in range(records.MAX_RECORDS)),
        ),
    ]
    for message in messages:
        assert len(records.pack(message)) <= min(SOCKET_BUFFER, feed.DATAGRAM)


@pytest.mark.parametrize(
    ("count", "sizes"),
    [
        (0, []),
        (1, [1]),
        (records.MAX_RECORDS, [records.MAX_RECORDS]),
        (records.MAX_RECORDS + 1, [records.MAX_RECORDS, 1]),
        (3 * records.MAX_RECORDS, [records.MAX_RECORDS] * 3),
    ],
)
def test_many_records_go_in_several_messages(count: int, sizes: list[int]) -> None:
    assert [len(each.reported) for each in records.changes(map(interface, range(count)))] == sizes
    assert [
        len(each.reported) for each in records.neighbor_changes(map(neighbor, range(count)))
    ] == sizes
    assert [
        len(each.gone)
        for each in records.changes((), [(records.LcpPair, at) for at in range(count)])
    ] == sizes
    gone = [neighbor(each)[:2] for each in range(count)]
    assert [len(each.gone) for each in records.neighbor_changes((), gone)] == sizes


def test_what_is_gone_goes_first_and_the_order_is_kept() -> None:
    reported: list[records.Record] = [pair(1), bond(2), interface(3)]
    assert list(records.changes(reported, [(records.Interface, 4), (records.Addresses, 5)])) == [
        records.Changes(gone=((records.Interface, 4), (records.Addresses, 5))),
        records.Changes(reported=(pair(1), bond(2), interface(3))),
    ]
    assert list(records.neighbor_changes([neighbor(1)], [(2, b"gone")])) == [
        records.NeighborChanges(gone=((2, b"gone"),)),
        records.NeighborChanges(reported=(neighbor(1),)),
    ]


def test_a_message_of_neighbours_is_made_as_soon_as_it_is_full() -> None:
    taken = []

    def many() -> Iterator[records.Neighbor]:
        for index in range(10 * records.MAX_RECORDS):
            taken.append(index)
            yield neighbor(index)

    next(records.neighbor_changes(many()))
    assert len(taken) == records.MAX_RECORDS


@pytest.mark.parametrize(
    "message",
    [
        records.Unreachable("/run/vpp/api.sock", 2),
        records.Connecting(),
        records.Gone(),
        records.Broken("no sw_interface_dump"),
        records.Connected(records.Identity("26.06-release", "2026-06-24", 4711)),
        records.Mapped(),
        records.Unmapped("no permission for user vpp-snmp-agent", 13),
        records.Alive(),
        records.Waiting(7.5),
        records.Unavailable(records.BONDS, "so it is"),
        records.Available(records.LACP),
        records.Changes(ONE_OF_EACH, ((records.LcpPair, 1),)),
        records.NeighborChanges((neighbor(1),), ((2, b"gone"),)),
        records.Complete(records.INTERFACES),
    ],
    ids=lambda message: type(message).__name__,
)
def test_a_message_is_unpacked_as_it_was_packed(message: records.Message) -> None:
    assert records.unpack(records.pack(message)) == message


def test_every_record_is_known_by_its_first_field() -> None:
    for record in ONE_OF_EACH:
        first = next(iter(type(record).__dataclass_fields__))
        assert record.key == getattr(record, first)
