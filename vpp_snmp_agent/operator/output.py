"""How sub-commands print: tables, one line for each thing that was checked, and what is amiss.

The rules this module keeps:

- What VPP or a file says has no power over the terminal.
- Answers go to standard output, what is unavailable to standard error.
- An answer that cannot be written ends the command, unless whoever read it has enough.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

OK, FAIL, NOTE = "ok", "FAIL", "note"


class Line(NamedTuple):
    """What was found of one thing."""

    mark: str
    thing: str
    text: str

    def __str__(self) -> str:
        return f"{self.mark:<7}{self.thing:<18}{self.text}"


class OutputFailed(Exception):
    """Standard output cannot be written; the text says why."""


def answer(line: object = "") -> None:
    """A line on standard output.  Raises OutputFailed; BrokenPipeError where nobody reads on."""
    if sys.stdout is None:
        raise OutputFailed("standard output is closed")
    _write(lambda: print(line))


def flush() -> None:
    """Have all lines written that are not yet.  Raises as `answer` does."""
    if sys.stdout is not None:  # closed by whoever started us
        _write(sys.stdout.flush)


def _write(write: Callable[[], None]) -> None:
    try:
        write()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputFailed(f"standard output: {error.strerror}") from error


def complain(text: str) -> None:
    """Say on standard error what is unavailable, if anything."""
    if text:
        print(f"vpp-snmp-agent: {text}", file=sys.stderr)


def complain_of_each(unavailable: Mapping[str, str]) -> None:
    """Say what VPP does not report, and why."""
    for what, reason in unavailable.items():
        complain(f"VPP's {what} are unavailable: {reason}")


def text(value: str | None) -> str:
    """Whatever VPP or a file says, without power over the terminal."""
    return "".join(each if each.isprintable() else "?" for each in value or "") or "-"


def number(value: int | None) -> str:
    """A number, if it is known."""
    return "-" if value is None else str(value)


def scaled(value: float, step: int, units: Sequence[str]) -> str:
    """12345678 as `12.3 Mb/s`: in the unit that fits, each of which is `step` times the last."""
    for unit in units[:-1]:
        if value < 999.5:
            return f"{value:.3g} {unit}"
        value /= step
    return f"{value:.3g} {units[-1]}"


# --- tables --------------------------------------------------------------------------------

Row = Mapping[str, Any]


class Column(NamedTuple):
    """A column of a table: its head, and a row's cell in it."""

    head: str
    cell: Callable[[Row], str]
    is_number: bool = False  # which stands to the right


def words(head: str, key: str) -> Column:
    """A column of texts."""
    return Column(head, lambda row: text(row[key]))


def numbers(head: str, key: str, shown: Callable[[Any], str] = number) -> Column:
    """A column of numbers."""
    return Column(head, lambda row: shown(row[key]), is_number=True)


def aligned(columns: Sequence[Column], rows: Sequence[Row]) -> Iterator[str]:
    """A line of heads, and a line for each row; nothing where there is none."""
    if not rows:
        return
    lines = [[each.head for each in columns]]
    lines += [[each.cell(row) for each in columns] for row in rows]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    for line in lines:
        yield "  ".join(
            cell.rjust(width) if column.is_number else cell.ljust(width)
            for column, cell, width in zip(columns, line, widths, strict=True)
        ).rstrip()
