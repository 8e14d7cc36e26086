"""operator/output.py: tables, units, and what is said on standard error."""

import pytest

from vpp_snmp_agent.operator.output import (
    FAIL,
    Column,
    Line,
    aligned,
    complain,
    complain_of_each,
    number,
    numbers,
    scaled,
    text,
    words,
)

COLUMNS = (
    words("name", "name"),
    numbers("mtu", "mtu"),
    Column("up", lambda row: "yes" if row["up"] else "no"),
    numbers("rate", "rate", "{:.1f}".format),
)
ROWS = (
    {"name": "eno1", "mtu": 1500, "up": True, "rate": 2.25},
    {"name": "loop0.100", "mtu": None, "up": False, "rate": 1234.5},
)


def test_texts_stand_to_the_left_and_numbers_to_the_right() -> None:
    assert list(aligned(COLUMNS, ROWS)) == [
        "name        mtu  up     rate",
        "eno1       1500  yes     2.2",
        "loop0.100     -  no   1234.5",
    ]


def test_a_column_is_as_wide_as_its_head_at_least_and_no_line_ends_with_space() -> None:
    assert list(
        aligned(
            (words("interface", "name"), words("alias", "alias")), [{"name": "b", "alias": "c"}]
        )
    ) == ["interface  alias", "b          c"]


def test_without_rows_there_are_no_heads() -> None:
    assert list(aligned(COLUMNS, [])) == []


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("eno1", "eno1"),
        ("", "-"),
        (None, "-"),
        ("\x1b[2J\x07a\nb", "?[2J?a?b"),
        ("Zürich", "Zürich"),
    ],
)
def test_a_text_has_no_power_over_the_terminal(value: str | None, shown: str) -> None:
    assert text(value) == shown


def test_a_number_that_is_not_known_is_a_dash() -> None:
    assert [number(each) for each in (None, 0, -7)] == ["-", "0", "-7"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0 m"), (999, "999 m"), (1000, "1 km"), (123_456, "123 km"), (10**9, "1e+06 km")],
)
def test_a_quantity_is_shown_in_the_unit_that_fits(value: int, shown: str) -> None:
    assert scaled(value, 1000, ("m", "km")) == shown


def test_a_line_of_check_has_its_mark_its_thing_and_its_text_in_columns() -> None:
    assert str(Line(FAIL, "API socket", "nobody listens")) == (
        "FAIL   API socket        nobody listens"
    )


def test_what_is_unavailable_is_said_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    complain("")
    complain_of_each({})
    assert capsys.readouterr() == ("", "")
    complain("no counters")
    complain_of_each({"bonds": "no reply", "LCP pairs": "no such message"})
    assert capsys.readouterr() == (
        "",
        "vpp-snmp-agent: no counters\n"
        "vpp-snmp-agent: VPP's bonds are unavailable: no reply\n"
        "vpp-snmp-agent: VPP's LCP pairs are unavailable: no such message\n",
    )
