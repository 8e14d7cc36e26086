"""interfaces/journal.py: what can be read of a damaged journal counts, and what 0.1.0 left."""

import contextlib
import shutil
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vpp_snmp_agent.interfaces.journal import OLD
from vpp_snmp_agent.interfaces.lines import encode_facts
from vpp_snmp_agent.interfaces.opening import read
from vpp_snmp_agent.interfaces.state import FIRST, JOURNAL, OTHERS, Port, State

from .journals import (
    FACTS,
    NOW,
    ROW,
    ROW_FACTS,
    asides,
    assign,
    indexes,
    old,
    opened,
    refused,
    start,
    write,
)

pytestmark = pytest.mark.usefixtures("hurried")


@pytest.mark.slow
@pytest.mark.usefixtures("unsynced")
def test_a_flipped_bit_costs_at_most_its_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    names = {f"eth{number}": 1000 + number for number in (3, 14, 15)}
    write(whole, *([index, key, 1] for key, index in names.items()))
    data = (whole / JOURNAL).read_bytes()
    flipped = tmp_path / "flipped"
    flipped.mkdir()
    for at in range(len(data)):
        for bit in range(8):
            octets = bytearray(data)
            octets[at] ^= 1 << bit
            (flipped / JOURNAL).write_bytes(octets)
            with contextlib.closing(State.open(str(flipped))) as state:
                found = {port.key: port.if_index for port in state.ports()}
                assert found.items() <= names.items()
                line = data[:at].count(b"\n")
                in_newline = data[at : at + 1] == b"\n"
                assert len(found) == (3 if line == 0 or in_newline else 2), (at, bit)
                for index in names.values():  # whose name was lost, its index is nobody's
                    state.assign(f"new{index}", index - FIRST)
            found = indexes(flipped)
            assert len(found) >= 5
            assert all(found[key] == index for key, index in names.items() if key in found)
            assert not {found[key] for key in found if key.startswith("new")} & {*names.values()}
            (aside,) = asides(flipped)
            assert aside.read_bytes() == octets
            for path in flipped.iterdir():
                path.unlink()
    assert "lines that could not be read: 1 of 4;" in caplog.text


def test_damage_is_said_with_what_it_cost_and_where_the_file_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, [1001, "a", 1], [1002, "b", 2], [1003, "c", 3])
    journal = tmp_path / JOURNAL
    journal.write_bytes(journal.read_bytes().replace(b'"b"', b'"B"'))
    with opened(tmp_path) as state:
        assert state.index_of("a") == 1001
        assert state.index_of("b") is None
    (aside,) = asides(tmp_path)
    assert "lines that could not be read: 1 of 4; names that are left: 2;" in caplog.text
    assert f"kept as {aside}" in caplog.text
    caplog.clear()
    with opened(tmp_path) as state:
        assert state.index_of("c") == 1003
    assert not caplog.text


@pytest.mark.parametrize(
    "record",
    [[1001, "b", 1], [0, "b", 1], [-1, "b", 1], [2**31, "b", 1], [True, "b", 1], ["2", "b", 1],
     [1002, 3, 1], [1002, "b", -1], [1002, "b", "1"], [1002, "b"], [1002, "b", 1, {}, 1], [], {},
     3, None, "text", {"unknown": 1}, {"given": [[5, 4]]}, {"given": [[0, 4]]}, {"given": [7]},
     {"given": 3}, {"given": [[1, 2, 3]]}, {"forget": "a"}, {"forget": [1]}, {"time": -1},
     {"vpp-snmp-agent": "ports", "version": 1}, {"vpp-snmp-agent": "others", "version": 2}],
)  # fmt: skip
def test_a_line_that_is_none_is_damage_and_the_others_count(tmp_path: Path, record: object) -> None:
    write(tmp_path, [1001, "a", 1], record, [1005, "c", 3])
    with opened(tmp_path):
        assert indexes(tmp_path) == {"a": 1001, "c": 1005}
    assert len(asides(tmp_path)) == 1


@pytest.mark.parametrize("text", ["[" * 50_000, "[1001,", "\x00", '[1001,"b",1]x'])
def test_a_right_checksum_does_not_make_json(tmp_path: Path, text: str) -> None:
    write(tmp_path, [1007, "a", 1])
    with (tmp_path / JOURNAL).open("ab") as file:
        file.write(b"%08x %s\n" % (zlib.crc32(text.encode()), text.encode()))
    with opened(tmp_path) as state:
        assert state.index_of("a") == 1007
    assert len(asides(tmp_path)) == 1


@pytest.mark.parametrize("data", [b"", b"\n", b"rubbish", b"rubbish\n" * 9, bytes(200_000)])
def test_a_file_of_nothing_or_rubbish_is_damage(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, data: bytes
) -> None:
    (tmp_path / JOURNAL).write_bytes(data)
    with opened(tmp_path) as state:
        assign(state, a=7)
        assert state.index_of("a") == 1007
    (aside,) = asides(tmp_path)
    assert aside.read_bytes() == data
    assert "names that are left: 0;" in caplog.text


def test_a_file_without_its_header_is_damage_and_its_names_count(tmp_path: Path) -> None:
    write(tmp_path, [1001, "a", 1], header=False)
    with opened(tmp_path) as state:
        assert state.index_of("a") == 1001
    assert len(asides(tmp_path)) == 1


def test_a_page_of_zeros_costs_the_lines_in_it_and_their_indexes_go_to_nobody(
    tmp_path: Path,
) -> None:
    names = {f"session{number}": OTHERS + number for number in range(400)}
    write(tmp_path, *([index, key, 1] for key, index in names.items()))
    data = bytearray((tmp_path / JOURNAL).read_bytes())
    data[4096:8192] = bytes(4096)
    (tmp_path / JOURNAL).write_bytes(data)
    with opened(tmp_path) as state:
        left = {port.key: port.if_index for port in state.ports()}
        assert left.items() < names.items()
        assert 400 - len(left) < 4096 // 30
        assign(state, new=3)
        assert state.index_of("new") not in names.values()


def test_damage_takes_lost_names_from_010_again(tmp_path: Path) -> None:
    old(tmp_path, a={"ifIndex": 1001}, b={"ifIndex": 1002, "row": ROW}, c={"ifIndex": 1003})
    write(tmp_path, [1001, "a", 1], [1003, "other", 5])
    journal = tmp_path / JOURNAL
    journal.write_bytes(journal.read_bytes() + b"rubbish\n")
    for _ in range(2):
        with opened(tmp_path):
            assert indexes(tmp_path) == {"a": 1001, "b": 1002, "other": 1003}
    assert len(asides(tmp_path)) == 1


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_octets_are_a_journal_or_damage(tmp_path: Path, data: st.DataObject) -> None:
    shutil.rmtree(tmp_path, ignore_errors=True)
    tmp_path.mkdir()
    records = [[1001, "a", 1, encode_facts(FACTS)], [1002, "b", 2], {"given": [[4, 9]]}]
    write(tmp_path, *records, {"forget": ["b"]}, {"time": 8})
    octets = bytearray((tmp_path / JOURNAL).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / JOURNAL).write_bytes(octets[: data.draw(st.integers(0, len(octets)))])
    start(tmp_path)
    for port in read(str(tmp_path)):
        assert (port.if_index, port.key) in {(1001, "a"), (1002, "b")}


def test_the_file_of_010_is_taken_over_at_the_first_start_and_left(tmp_path: Path) -> None:
    old(tmp_path, **{"a": {"ifIndex": 100_003, "row": ROW}, "tap of a": {"ifIndex": 1007}})
    before = (tmp_path / OLD).read_bytes()
    assert indexes(tmp_path) == {"a": 100_003, "tap of a": 1007}
    with opened(tmp_path) as state:
        assert indexes(tmp_path) == {"a": 100_003, "tap of a": 1007}  # durable already
        assert sorted(port.key for port in state.ports()) == ["a", "tap of a"]
        assert list(state.shown()) == [Port(100_003, "a", NOW, ROW_FACTS)]
        assign(state, b=7)
        assert state.index_of("b") == OTHERS
    assert (tmp_path / OLD).read_bytes() == before
    old(tmp_path, c={"ifIndex": 1})  # it is not looked at again
    with opened(tmp_path) as state:
        assert state.index_of("c") is None
        assert state.index_of("a") == 100_003


def test_what_010_did_not_always_write_may_be_absent(tmp_path: Path) -> None:
    row = {name: value for name, value in ROW.items() if name in list(ROW)[:9]}
    old(tmp_path, a={"ifIndex": 3, "row": row})
    with opened(tmp_path) as state:
        (port,) = state.shown()
        expected = replace(ROW_FACTS, link_traps=False, lower_layers=(), addresses=())
        assert port.facts == expected


def test_a_row_of_010_that_is_damaged_costs_the_row(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    old(tmp_path, a={"ifIndex": 3, "row": ROW | {"mtu": -1}}, b={"ifIndex": 4, "row": []})
    with opened(tmp_path) as state:
        assert not list(state.shown())
        assert state.index_of("a") == 3
    assert caplog.text.count("interfaces.json: interfaces whose last row is not valid: 2,") == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "Expecting value"),
        ("{", "Expecting property name"),
        ("[]", "expected version 1"),
        ('{"version": 2}', "expected version 1"),
        ('{"version": 1}', "expected interfaces by name"),
        ('{"version": 1, "version": 1}', "a name stands twice"),
        ('{"version": 1, "interfaces": {"a": 1}}', "ifIndex of a: "),
        ('{"version": 1, "interfaces": {"a": {"ifIndex": "1"}}}', "ifIndex of a: "),
        ('{"version": 1, "interfaces": {"a": {"ifIndex": true}}}', "ifIndex of a: "),
        ('{"version": 1, "interfaces": {"a": {"ifIndex": 0}}}', "ifIndex of a: "),
        (
            '{"version": 1, "interfaces": {"a": {"ifIndex": 2147483648}}}',
            "ifIndex of a: 2147483648 is not between",
        ),
        (
            '{"version": 1, "interfaces": {"a": {"ifIndex": 1}, "b": {"ifIndex": 1}}}',
            "ifIndex of b: 1 is another's",
        ),
        ("[" * 100_000, "recursion"),
    ],
)
def test_a_damaged_file_of_010_ends_the_start_and_stays(
    tmp_path: Path, text: str, expected: str
) -> None:
    (tmp_path / OLD).write_text(text)
    refusal = refused(tmp_path)
    assert refusal.startswith(f"{tmp_path / OLD} is damaged: ")
    assert expected in refusal
    assert "restore it, or move it away" in refusal
    assert (tmp_path / OLD).read_text() == text
    assert not (tmp_path / JOURNAL).exists()
