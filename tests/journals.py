"""Journals of ports for tests, those who own them, and disks that fail."""

import contextlib
import errno
import json
import os
import select
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simulator.stage import until
from vpp_snmp_agent.interfaces import opening, writer
from vpp_snmp_agent.interfaces.facts import Facts
from vpp_snmp_agent.interfaces.journal import OLD
from vpp_snmp_agent.interfaces.lines import line
from vpp_snmp_agent.interfaces.opening import read
from vpp_snmp_agent.interfaces.state import JOURNAL, State, StateError

FACTS = Facts(
    name="eno1",
    alias="Zürich",
    type=6,
    mtu=9000,
    speed=10**10,
    phys_address=bytes.fromhex("6805ca324610"),
    has_connector=True,
    duplex=2,
    lower_layers=("eth0", "eth1"),
    aggregated=True,
    addresses=((bytes.fromhex("c0000201"), 24), (bytes.fromhex("20010db8" + "00" * 12), 32)),
    paired=True,
    link_traps=True,
    admin_up=True,
)
PLAIN = Facts(
    name="lo0",
    type=24,
    mtu=65536,
    speed=0,
    phys_address=b"",
    has_connector=False,
    admin_up=False,
)
ROW = {  # of 0.1.0
    "name": "eno2", "alias": "Genève", "type": 135, "mtu": 1500, "speed": 25 * 10**9,
    "phys_address": "6805ca324611", "has_connector": True, "admin_up": True, "paired": True,
    "link_traps": True, "stands_on": ["eth2"], "addresses": ["c6336401/25"],
}  # fmt: skip
ROW_FACTS = Facts(
    name="eno2",
    alias="Genève",
    type=135,
    mtu=1500,
    speed=25 * 10**9,
    phys_address=bytes.fromhex("6805ca324611"),
    has_connector=True,
    lower_layers=("eth2",),
    addresses=((bytes.fromhex("c6336401"), 25),),
    paired=True,
    link_traps=True,
    admin_up=True,
)
NOW = 1_790_000_000.0


@contextlib.contextmanager
def opened(directory: Path, now: float = NOW) -> Iterator[State]:
    state = State.open(str(directory), clock=lambda: now)
    try:
        yield state
    finally:
        state.close()


def wait(state: State, *keys: str) -> None:
    """Until all of them are durable."""
    left = set(keys)

    def came() -> bool:
        select.select([state.fileno()], [], [], 0.02)
        left.difference_update(state.committed())
        return not left

    until(f"{keys} durable", came)


def assign(state: State, **sw_if_indexes: int) -> None:
    """Assign, and wait until it is durable."""
    for key, sw_if_index in sw_if_indexes.items():
        state.assign(key, sw_if_index)
    wait(state, *sw_if_indexes)


def indexes(directory: Path) -> dict[str, int]:
    return {port.key: port.if_index for port in read(str(directory))}


def lines(directory: Path) -> list[bytes]:
    return (directory / JOURNAL).read_bytes().splitlines(keepends=True)


def write(directory: Path, *records: object, header: bool = True) -> None:
    """A journal of these records."""
    first = [{"vpp-snmp-agent": "ports", "version": 2}] if header else []
    data = b"".join(line(record) for record in [*first, *records])
    (directory / JOURNAL).write_bytes(data)


def asides(directory: Path) -> list[Path]:
    return sorted(directory.glob(f"{JOURNAL}.damaged-*"))


def old(directory: Path, **interfaces: Any) -> None:
    document = {"version": 1, "interfaces": interfaces}
    (directory / OLD).write_text(json.dumps(document))


def pause() -> None:
    """No pause between two lines."""


class Disk:
    """Fails the writes of a file, after some octets, or its fdatasync."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = self.failing = False
        self.attempts = 0
        pwrite, fdatasync = os.pwrite, os.fdatasync

        def writing(fd: int, data: Any, offset: int) -> int:
            if self.full:
                if len(data) > 7:
                    return pwrite(fd, data[:7], offset)
                self.attempts += 1
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return pwrite(fd, data, offset)

        def syncing(fd: int) -> None:
            if self.failing:
                self.attempts += 1
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            fdatasync(fd)

        monkeypatch.setattr(os, "pwrite", writing)
        monkeypatch.setattr(os, "fdatasync", syncing)
        monkeypatch.setattr(writer, "WRITE_RETRY_INTERVAL", 0.05)


def start(directory: Path) -> None:
    os.close(opening.open_journal(directory, int(NOW), pause).fd)


def refused(directory: Path) -> str:
    with pytest.raises(StateError) as caught:
        State.open(str(directory))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause between commits; those who test the intervals set them."""
    monkeypatch.setattr(writer, "COMMIT_INTERVAL", 0.0)
    monkeypatch.setattr(writer, "GATHER_TIME", 0.0)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


@pytest.fixture
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who starts a thousand times does not wait for the disk as often."""
    monkeypatch.setattr(os, "fsync", lambda fd: None)
    monkeypatch.setattr(os, "fdatasync", lambda fd: None)
