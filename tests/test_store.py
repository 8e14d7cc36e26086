"""interfaces/store.py: one index for one name for ever, and a file that survives anything."""

import errno
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vpp_snmp_agent.interfaces import store as room
from vpp_snmp_agent.interfaces.store import FIRST, OTHERS, Damaged, LastRow, Store, StoreError

ROW = LastRow(
    *("eno1", "Zürich", 6, 9000, 10**10, "6805ca324610", True, True, True),
    link_traps=True,
    stands_on=("eth0", "eth1"),
    addresses=("c0000201/24", "20010db8000000000000000000000001/128"),
)


def loaded(directory: Path) -> Store:
    store = Store(str(directory))
    store.load()
    return store


def test_a_first_index_is_1000_and_the_sw_if_index() -> None:
    assert Store().index_of("eth0", 7) == FIRST + 7


def test_an_index_stays_with_its_name(tmp_path: Path) -> None:
    store = loaded(tmp_path)
    assert store.index_of("eth0", 7) == 1007
    assert store.index_of("eth0", 9) == 1007
    store.write()
    assert loaded(tmp_path).index_of("eth0", 3) == 1007


def test_an_index_that_is_taken_is_never_given_to_another_name(tmp_path: Path) -> None:
    store = loaded(tmp_path)
    assert [store.index_of(name, 7) for name in ("a", "b", "c")] == [1007, OTHERS, OTHERS + 1]
    store.keep_only(())  # all of them are deleted
    store.write()
    again = loaded(tmp_path)
    assert again.index_of("d", 7) == OTHERS + 2
    assert again.index_of("b", 1) == OTHERS


def test_a_very_large_sw_if_index_does_not_collide_with_the_others() -> None:
    store = Store()
    assert store.index_of("far", OTHERS - FIRST) == OTHERS
    assert store.index_of("a", 1) == 1001
    assert store.index_of("b", 1) == OTHERS + 1


def test_rows_are_kept_with_their_indexes(tmp_path: Path) -> None:
    store = loaded(tmp_path)
    store.index_of("GigabitEthernet5/0/0", 1)
    store.remember("GigabitEthernet5/0/0", ROW)
    store.write()
    assert loaded(tmp_path).rows() == {"GigabitEthernet5/0/0": (1001, ROW)}


def test_a_deleted_interface_loses_its_row_and_not_its_index(tmp_path: Path) -> None:
    store = loaded(tmp_path)
    store.index_of("a", 1)
    store.index_of("b", 2)
    store.remember("a", ROW)
    store.remember("b", ROW)
    store.keep_only(["b"])
    store.write()
    again = loaded(tmp_path)
    assert set(again.rows()) == {"b"}
    assert again.index_of("a", 5) == 1001


def test_it_says_what_the_file_does_not_know(tmp_path: Path) -> None:
    store = loaded(tmp_path)

    def unknown() -> tuple[bool, bool]:
        return store.unwritten, store.stale

    assert unknown() == (False, False)
    store.index_of("a", 1)
    assert unknown() == (True, False)
    store.remember("a", ROW)
    assert unknown() == (True, True)
    store.write()
    assert unknown() == (False, False)
    store.index_of("a", 1)
    store.remember("a", ROW)
    store.keep_only(["a"])
    assert unknown() == (False, False)
    store.keep_only([])
    assert unknown() == (False, True)


def test_the_file_is_readable_with_a_line_for_each_name(tmp_path: Path) -> None:
    store = loaded(tmp_path)
    store.index_of("b", 2)
    store.index_of("a", 1)
    store.remember("a", ROW)
    store.write()
    lines = store.path.read_text().splitlines()
    assert lines[1].startswith('"a": {"ifIndex": 1001, "row": {"name": "eno1", "alias": "Zürich"')
    assert lines[2] == '"b": {"ifIndex": 1002}'
    assert json.loads(store.path.read_text())["version"] == 1


def test_without_a_file_it_is_empty(tmp_path: Path) -> None:
    assert not loaded(tmp_path / "nowhere").rows()


def test_the_directory_is_made_when_it_is_needed(tmp_path: Path) -> None:
    store = loaded(tmp_path / "some" / "where")
    store.index_of("a", 1)
    store.write()
    assert loaded(tmp_path / "some" / "where").index_of("a", 9) == 1001


# --- damage -------------------------------------------------------------------------------------


def whole(**interfaces: Any) -> str:
    return json.dumps({"version": 1, "interfaces": interfaces})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "Expecting value"),
        ("{", "Expecting property name"),
        ("[]", "expected version 1"),
        ('{"version": 2}', "expected version 1"),
        ('{"version": 1}', "expected interfaces by name"),
        ('{"version": 1, "version": 1}', "a name stands twice"),
        (whole(a=1), "expected an ifIndex of a"),
        (whole(a={"ifIndex": "1001"}), "expected an ifIndex of a"),
        (whole(a={"ifIndex": True}), "expected an ifIndex of a"),
        (whole(a={"ifIndex": 0}), "expected an ifIndex of a"),
        (whole(a={"ifIndex": 2**31}), "expected an ifIndex of a"),
        (whole(a={"ifIndex": 1}, b={"ifIndex": 1}), "b and a have the same ifIndex 1"),
        (whole(a={"ifIndex": 1, "row": {}}), "expected name, alias"),
        (whole(a={"ifIndex": 1, "row": []}), "expected name, alias"),
        ("[" * 100_000, "recursion"),
        ("\ufeff{}", "expected version 1"),
    ],
)
def test_a_damaged_file_is_told_with_its_damage(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / room.NAME).write_text(text)
    store = Store(str(tmp_path))
    with pytest.raises(Damaged, match=rf"interfaces\.json is damaged: .*{expected}"):
        store.load()
    assert not store.rows()


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", 1), ("type", "6"), ("mtu", -1), ("speed", 1.5), ("has_connector", 1),
     ("phys_address", "zz"), ("speed", 2**63)],
)  # fmt: skip
def test_a_damaged_row_is_damage(tmp_path: Path, field: str, value: object) -> None:
    row = {name: getattr(ROW, name) for name in room._FIELDS} | {field: value}
    (tmp_path / room.NAME).write_text(whole(a={"ifIndex": 1, "row": row}))
    with pytest.raises(StoreError, match="damaged"):
        loaded(tmp_path)


def test_a_damaged_file_is_set_aside_and_nothing_of_it_lost(tmp_path: Path) -> None:
    (tmp_path / room.NAME).write_text("rubbish")
    aside = Store(str(tmp_path)).set_aside()
    assert aside.read_text() == "rubbish"
    assert aside.name.startswith("interfaces.json.damaged-")
    assert not (tmp_path / room.NAME).exists()


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_bytes_are_damage_or_a_store(tmp_path: Path, data: st.DataObject) -> None:
    store = Store(str(tmp_path))
    store.index_of("a", 1)
    store.remember("a", ROW)
    store.write()
    octets = bytearray(store.path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    store.path.write_bytes(octets[: data.draw(st.integers(0, len(octets)))])
    try:
        again = loaded(tmp_path)
    except StoreError:
        return
    for index, row in again.rows().values():
        assert index > 0
        bytes.fromhex(row.phys_address)


# --- writing ------------------------------------------------------------------------------------


def test_what_changes_while_another_process_writes_is_still_unwritten(tmp_path: Path) -> None:
    store = loaded(tmp_path)
    store.index_of("a", 1)
    store.handed_over()
    assert not store.unwritten
    store.index_of("b", 2)
    assert store.unwritten


def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = Store(str(tmp_path / "file" / "below"))
    store.index_of("a", 1)
    with pytest.raises(StoreError, match="Not a directory"):
        store.write()
    assert store.unwritten
    assert store.index_of("a", 5) == 1001  # kept in memory all the same


class Killed(BaseException):
    """The process ended here."""


def write_and_die_at(store: Store, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the n-th system call of a writing end the process."""
    left = [number]

    def dying(call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any, **more: Any) -> Any:
            left[0] -= 1
            if not left[0]:
                raise Killed
            return call(*arguments, **more)

        return called

    with monkeypatch.context() as patch:
        for name in ("fsync", "replace", "open"):
            patch.setattr(os, name, dying(getattr(os, name)))
        with pytest.raises(Killed):
            store.write()


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_kill_at_any_step_leaves_the_old_file_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    store = loaded(tmp_path)
    store.index_of("a", 1)
    store.write()
    store.index_of("b", 2)
    write_and_die_at(store, number, monkeypatch)
    known = set(json.loads(store.path.read_text())["interfaces"])
    assert known == ({"a"} if number <= 2 else {"a", "b"})
    assert loaded(tmp_path).index_of("a", 5) == 1001
    store.write()  # what the kill left is no hindrance
    assert loaded(tmp_path).index_of("b", 5) == 1002


def test_a_full_disk_is_told_and_the_old_file_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = loaded(tmp_path)
    store.index_of("a", 1)
    store.write()
    store.index_of("b", 2)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        store.write()
    assert set(json.loads(store.path.read_text())["interfaces"]) == {"a"}


# --- found by fuzzing, or meant to be ---------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "\ud800"),  # half a surrogate pair: no octets to serve
        ("alias", "x\udfff"),
        ("mtu", 2**31),  # beyond an Integer32
        ("type", 2**40),
        ("phys_address", "00" * 21),  # an index of so many numbers that no OID has
        ("link_traps", 1),
        ("stands_on", "eth0"),
        ("stands_on", [1]),
        ("stands_on", ["\ud800"]),
        ("addresses", ["c0000201"]),
        ("addresses", ["c0000201/33"]),
        ("addresses", ["c00002/24"]),
        ("addresses", ["c0000201/-1"]),
        ("addresses", {"c0000201/24": 1}),
    ],
)
def test_a_row_that_could_not_be_served_is_damage(
    tmp_path: Path, field: str, value: object
) -> None:
    store = loaded(tmp_path)
    store.index_of("eth0", 1)
    store.remember("eth0", ROW)
    store.write()
    whole = json.loads(store.path.read_text())
    whole["interfaces"]["eth0"]["row"][field] = value
    store.path.write_text(json.dumps(whole))
    with pytest.raises(Damaged):
        loaded(tmp_path)


@pytest.mark.parametrize(
    ("field", "default"), [("link_traps", False), ("stands_on", ()), ("addresses", ())]
)
def test_what_was_not_always_written_may_be_absent(
    tmp_path: Path, field: str, default: Any
) -> None:
    store = loaded(tmp_path)
    store.index_of("eth0", 1)
    store.remember("eth0", ROW)
    store.write()
    whole = json.loads(store.path.read_text())
    del whole["interfaces"]["eth0"]["row"][field]
    store.path.write_text(json.dumps(whole))
    (_, row) = loaded(tmp_path).rows()["eth0"]
    assert row == replace(ROW, **{field: default})
