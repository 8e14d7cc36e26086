"""The simulator's edge router as it is polled through snmpd, and how long a test waits for it."""

from simulator.stage import Process, Snmpd, until

from .oids import IF_NAME, IP, OPER_STATUS

ROWS = 18
ADDRESSES = NEIGHBORS = 3  # of IPv4
DOWN = {"2", "7"}  # ifOperStatus: down, lowerLayerDown


def wait_for_rows(snmpd: Snmpd, count: int = ROWS) -> None:
    """Until a walk of ifName finds so many."""
    until(f"{count} rows are served", lambda: len(snmpd.column(IF_NAME)) == count)


def wait_for_entries(snmpd: Snmpd, subtree: str, count: int) -> None:
    """Until a walk of a subtree finds so many."""
    until(f"{subtree} has {count}", lambda: len(snmpd.walk(subtree)) == count)


def wait_for_addresses(snmpd: Snmpd) -> None:
    """Until ipAddrTable has them; what is asked last comes last."""
    wait_for_entries(snmpd, f"{IP}.20.1.2", ADDRESSES)


def wait_for_neighbors(snmpd: Snmpd) -> None:
    """Until ipNetToMediaTable has them."""
    wait_for_entries(snmpd, f"{IP}.22.1.1", NEIGHBORS)


def wait_for_cell(snmpd: Snmpd, column: str, index: int, value: str) -> None:
    """Until a walk of a column finds a value."""
    until(f"{column}.{index} is {value}", lambda: snmpd.column(column).get(index) == value)


def wait_for_name(snmpd: Snmpd, name: str) -> None:
    """Until a row bears it."""
    until(f"{name} is there", lambda: name in snmpd.column(IF_NAME).values())


def wait_until_gone(snmpd: Snmpd, index: int) -> None:
    """Until there is no row of an ifIndex."""
    until(f"{index} is gone", lambda: index not in snmpd.column(IF_NAME))


def statuses(snmpd: Snmpd) -> set[str]:
    """Every ifOperStatus that there is."""
    return set(snmpd.column(OPER_STATUS).values())


def wait_until_down(snmpd: Snmpd) -> None:
    """Until every row is."""
    until("every row is down", lambda: statuses(snmpd) <= DOWN)


def wait_for_line(process: Process, text: str) -> None:
    """Until it has logged it."""
    until(f"{text!r} is logged", lambda: text in process.text())


def index_of_row(snmpd: Snmpd, name: str) -> int:
    """The ifIndex of the row that bears a name."""
    return next(index for index, each in snmpd.column(IF_NAME).items() if each == name)
