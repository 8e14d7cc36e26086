"""From the reporter to the feed: what changed, and only that, in datagrams that fit."""

from collections.abc import Callable, Mapping
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vpp_snmp_agent.vpp import inventory
from vpp_snmp_agent.vpp.inventory import (
    ADDRESSES,
    CHUNK,
    KINDS,
    NEIGHBORS,
    NO_INDEX,
    Asked,
    Assembly,
    Bond,
    BridgeDomain,
    Changes,
    Identity,
    Interface,
    Inventory,
    IpAddress,
    IpNeighbor,
    Key,
    LacpPort,
    LcpPair,
    Record,
    changes,
    pack,
    unpack,
)

VPP = Identity("26.06-release", "2026-06-24", 4711)
Records = dict[type[Record], dict[Key, Record]]
DATAGRAM = 200_000  # octets that a socket buffer holds as Linux is delivered


def interface(index: int, name: str = "") -> Interface:
    """An interface of which only the name matters."""
    name = name or f"GigabitEthernet3/0/{index}"
    return Interface(index, index, name, "dpdk", "", bytes(6), True, True, 0, 0, 9206, 9000)


def lacp_port(index: int, state: int) -> LacpPort:
    """A member of a bond of which only its state matters."""
    system = bytes(range(6))
    return LacpPort(index, 65535, system, 7, 255, 1, state, 65535, system, 7, 255, 1, state)


def interfaces(numbers: range) -> Records:
    """Nothing but interfaces."""
    return {Interface: {index: interface(index) for index in numbers}}


def assemble(assembly: Assembly, before: Records, after: Records) -> Inventory | None:
    """What comes out at the far end; only the last message may bring it."""
    brought = [assembly.add(cast(Changes, unpack(pack(each)))) for each in changes(before, after)]
    assert not any(brought[:-1])
    return brought[-1] if brought else None


def records_of(told: Inventory) -> Records:
    """An inventory, as records."""
    kinds: tuple[Mapping[Any, Record], ...] = (
        told.interfaces,
        told.pairs,
        told.bonds,
        told.lacp_ports,
        told.bridge_domains,
        told.addresses or {},
        told.neighbors or {},
    )
    asked: Mapping[Key, Record] = {
        what: Asked(what)
        for what, records in ((ADDRESSES, told.addresses), (NEIGHBORS, told.neighbors))
        if records is not None
    }
    kinds += (asked,)
    return {kind: dict(records) for kind, records in zip(KINDS, kinds, strict=True)}


def whole(records: Records) -> Records:
    """With every kind, be it empty."""
    return {kind: records.get(kind, {}) for kind in KINDS}


index = st.integers(0, 12)
one_of_each: dict[type[Record], st.SearchStrategy[Any]] = {
    Interface: st.builds(interface, index, st.sampled_from(["a", "b", "Köln"])),
    LcpPair: st.builds(LcpPair, index, index, index, st.sampled_from(["e0", "e1"]), st.just("")),
    Bond: st.builds(Bond, index, st.just(5), index, st.tuples(index), st.frozensets(index)),
    LacpPort: st.builds(lacp_port, index, st.integers(0, 255)),
    IpAddress: st.builds(IpAddress, index, st.binary(min_size=4, max_size=4), index),
    IpNeighbor: st.builds(
        IpNeighbor, index, st.sampled_from([b"\1\2\3\4", bytes(16)]), st.just(b""), st.booleans()
    ),
    BridgeDomain: st.builds(BridgeDomain, index, st.just(NO_INDEX), st.tuples(index)),
}


def by_key(records: list[Record]) -> dict[Key, Record]:
    """Of each key the last."""
    return {record.key: record for record in records}


ASKED: Records = {Asked: {what: Asked(what) for what in (ADDRESSES, NEIGHBORS)}}
record_sets: st.SearchStrategy[Records] = st.fixed_dictionaries(
    {}, optional={kind: st.lists(each).map(by_key) for kind, each in one_of_each.items()}
).map(lambda records: records | ASKED)


@settings(deadline=None)
@given(st.lists(record_sets, min_size=1, max_size=5), st.integers(1, 5))
def test_any_records_lead_to_any_others(steps: list[Records], chunk: int) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(inventory, "CHUNK", chunk)
        assembly = Assembly(VPP)
        before: Records = {}
        for after in steps:
            told = assemble(assembly, before, after)
            assert (told is None) == (whole(after) == whole(before))
            if told is not None:
                assert records_of(told) == whole(after)
                assert told.identity is VPP
            before = after


@settings(deadline=None)
@given(before=record_sets, after=record_sets)
def test_only_what_differs_is_told(before: Records, after: Records) -> None:
    messages = list(changes(before, after))
    told = {(type(each), each.key) for message in messages for each in message.told}
    gone = {each for message in messages for each in message.gone}
    keys = {(kind, key) for records in (before, after) for kind in records for key in records[kind]}
    for kind, key in keys:
        old, new = before.get(kind, {}).get(key), after.get(kind, {}).get(key)
        assert ((kind, key) in told) == (new is not None and new != old)
        assert ((kind, key) in gone) == (new is None)


@pytest.mark.parametrize("records", [{}, {Interface: {}}, interfaces(range(600))])
def test_no_change_is_no_message(records: Records) -> None:
    assert list(changes(records, records)) == []
    assert list(changes(records, whole(records))) == []
    again: Records = {kind: dict(each) for kind, each in records.items()}
    assert list(changes(records, again)) == []


@pytest.mark.parametrize(
    ("count", "sizes"),
    [
        (1, [1]),
        (CHUNK, [CHUNK]),
        (CHUNK + 1, [CHUNK, 1]),
        (3 * CHUNK, [CHUNK] * 3),
    ],
)
def test_many_records_go_in_chunks_of_which_only_one_is_the_last(
    count: int, sizes: list[int]
) -> None:
    messages = list(changes({}, interfaces(range(count))))
    assert [len(each.told) for each in messages] == sizes
    assert [each.last for each in messages] == [False] * (len(sizes) - 1) + [True]


def test_what_is_gone_goes_along_in_chunks_of_its_own() -> None:
    first, last = changes(interfaces(range(CHUNK + 2)), interfaces(range(CHUNK + 2, CHUNK + 5)))
    assert len(first.told) == 3
    assert len(first.gone) == CHUNK
    assert not first.last
    assert last == Changes((), ((Interface, CHUNK), (Interface, CHUNK + 1)), last=True)


def test_what_is_gone_needs_no_other_news() -> None:
    assert list(changes(interfaces(range(2)), interfaces(range(1)))) == [
        Changes(told=(), gone=((Interface, 1),), last=True)
    ]
    assert list(changes(interfaces(range(1)), {})) == [
        Changes(told=(), gone=((Interface, 0),), last=True)
    ]


def test_an_index_that_changed_hands_is_told_and_not_gone() -> None:
    before: Records = {Interface: {1: interface(1, "loop0")}}
    after: Records = {Interface: {1: interface(1, "loop1")}}
    assert list(changes(before, after)) == [Changes((interface(1, "loop1"),), (), last=True)]


def test_a_record_that_did_not_change_is_the_same_object() -> None:
    assembly = Assembly(VPP)
    before, after = interfaces(range(3)), interfaces(range(3))
    after[Interface][1] = interface(1, "renamed")
    first, second = assemble(assembly, {}, before), assemble(assembly, before, after)
    assert first is not None
    assert second is not None
    assert second.interfaces[0] is first.interfaces[0]
    assert second.interfaces[2] is first.interfaces[2]
    assert second.interfaces[1].interface_name == "renamed"


def test_addresses_are_unknown_until_all_were_asked_for() -> None:
    assembly = Assembly(VPP)
    address = IpAddress(1, bytes(4), 24)
    found: Records = {IpAddress: {address.key: address}}
    told = assemble(assembly, {}, found)
    assert told is not None
    assert (told.addresses, told.neighbors) == (None, None)
    told = assemble(assembly, found, found | {Asked: {ADDRESSES: Asked(ADDRESSES)}})
    assert told is not None
    assert (told.addresses, told.neighbors) == ({address.key: address}, None)


def test_an_inventory_is_not_touched_by_the_next() -> None:
    assembly = Assembly(VPP)
    first = assemble(assembly, {}, interfaces(range(3)))
    assemble(assembly, interfaces(range(3)), {})
    assert first is not None
    assert list(first.interfaces) == [0, 1, 2]


@pytest.mark.parametrize(
    "message",
    [
        inventory.Unreachable("/run/vpp/api.sock", 2),
        inventory.Connecting(),
        inventory.Gone(),
        inventory.Broken("no sw_interface_dump"),
        inventory.Connected(VPP),
        inventory.Mapped(),
        inventory.Unmapped("no permission for user vpp-snmp-agent"),
        inventory.Alive(),
        Changes((interface(1, "Köln"), Bond(1, 5, 1, (2,), frozenset({2}))), ((LcpPair, 1),), True),
    ],
    ids=lambda message: type(message).__name__,
)
def test_a_message_is_unpacked_as_it_was_packed(message: inventory.Message) -> None:
    assert unpack(pack(message)) == message


TOWERS = "\U0001f5fc" * 60  # four octets each, and more than VPP's 63 octets hold

LARGEST: dict[type[Record], Callable[[int], Record]] = {
    Interface: lambda n: Interface(
        sw_if_index=NO_INDEX - n,
        sup_sw_if_index=NO_INDEX - 1000 - n,
        interface_name=f"{TOWERS}{n}",
        interface_dev_type=f"{TOWERS}{n}",
        tag=f"{n}{TOWERS}",
        l2_address=n.to_bytes(6, "big"),
        admin_up=True,
        link_up=True,
        link_speed=NO_INDEX - 2000 - n,
        link_duplex=2,
        link_mtu=NO_INDEX - 3000 - n,
        mtu=NO_INDEX - 4000 - n,
    ),
    LcpPair: lambda n: LcpPair(
        NO_INDEX - n, NO_INDEX - 1000 - n, NO_INDEX - 2000 - n, f"{n:x>15}", f"{n:x>31}"
    ),
    Bond: lambda n: Bond(
        *(NO_INDEX - n, 5, 16),
        tuple(range(n << 16, (n << 16) + 16)),
        frozenset(range(n << 16, (n << 16) + 16)),
    ),
    LacpPort: lambda n: lacp_port(NO_INDEX - n, 255),
    IpAddress: lambda n: IpAddress(NO_INDEX - n, n.to_bytes(16, "big"), 128),
    IpNeighbor: lambda n: IpNeighbor(
        NO_INDEX - n, n.to_bytes(16, "big"), n.to_bytes(6, "big"), True
    ),
    Asked: lambda n: Asked(f"{n}"),
    # An interface is in one bridge domain at most: ten thousand, spread or all in one.
    BridgeDomain: lambda n: BridgeDomain(n, NO_INDEX - n, tuple(range(n << 16, (n << 16) + 40))),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_chunk_of_the_largest_records_fits_a_datagram(kind: type[Record]) -> None:
    records = by_key([LARGEST[kind](n) for n in range(CHUNK)])
    (message,) = changes({}, {kind: records})
    assert len(message.told) == CHUNK
    assert len(pack(message)) <= DATAGRAM


def test_a_chunk_of_gone_interfaces_fits_a_datagram() -> None:
    messages = list(changes(interfaces(range(10_000)), {}))
    assert sum(len(message.gone) for message in messages) == 10_000
    assert max(len(pack(message)) for message in messages) <= DATAGRAM
