"""What several test files need: the recordings, and a stage to play on."""

import os
import select
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from vpp_snmp_agent.simulator import Simulator
from vpp_snmp_agent.simulator.stage import Snmpd, until
from vpp_snmp_agent.vpp import feed
from vpp_snmp_agent.vpp.inventory import Interface, Inventory

N = TypeVar("N")
SHARED = Path(__file__).resolve().parents[1].parent / "shared"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden walk anew")


@pytest.fixture(scope="session")
def recordings() -> Path:
    """Where a real VPP's recordings are; they are not part of the project."""
    path = SHARED / "recorded" / "vpp-26.06"
    if not path.is_dir():
        pytest.skip(f"no recordings of a real VPP beside the project ({path.name} absent)")
    return path


@pytest.fixture
def vpp(tmp_path: Path) -> Iterator[Simulator]:
    """The edge router."""
    with Simulator(tmp_path / "vpp") as simulator:
        yield simulator


@pytest.fixture
def snmpd(tmp_path: Path) -> Iterator[Snmpd]:
    """snmpd as shipped, with its own ifTable off."""
    with Snmpd(tmp_path / "snmp") as running:
        yield running


class Listener:
    """A feed, and all the news that it has brought."""

    def __init__(
        self,
        vpp: Simulator,
        period: float = 30.0,
        addresses: float = 0.0,
        neighbors: float = 0.0,
        **settings: str,
    ) -> None:
        paths = {
            "api_socket": str(vpp.api_socket),
            "stats_socket": str(vpp.stats_socket),
            "api_dir": str(vpp.api_dir),
        } | settings
        self.feed = feed.Feed(
            feed.Settings(period=period, addresses=addresses, neighbors=neighbors, **paths)
        )
        self.news: list[feed.News] = []

    def __enter__(self) -> "Listener":
        return self

    def __exit__(self, *_: object) -> None:
        self.feed.close()
        self._forget(len(self.news))

    def _forget(self, count: int) -> None:
        for each in self.news[:count]:
            if isinstance(each, feed.Segment):
                os.close(each.descriptor)
        del self.news[:count]

    def pump(self) -> None:
        """Take what comes within a moment."""
        self.news += self.feed.check(time.monotonic())
        fd = self.feed.fileno()
        if fd >= 0 and select.select([fd], [], [], 0.02)[0]:
            self.news += self.feed.receive(time.monotonic())

    def all(self, kind: type[N]) -> list[N]:
        """The news of one kind, oldest first."""
        return [each for each in self.news if isinstance(each, kind)]

    def wait(self, kind: type[N], which: Callable[[N], object] = lambda news: True) -> N:
        """The next news of a kind that is as wanted; what came before is forgotten."""
        found: list[tuple[int, N]] = []

        def came() -> bool:
            self.pump()
            found[:] = [
                (at, each)
                for at, each in enumerate(self.news)
                if isinstance(each, kind) and which(each)
            ]
            return bool(found)

        until(f"news of {kind.__name__}; so far {self.news}", came)
        at, wanted = found[0]
        self._forget(at)
        self.news.pop(0)
        return wanted


def named(inventory: Inventory, name: str) -> Interface | None:
    """An interface by VPP's name for it."""
    return next(
        (each for each in inventory.interfaces.values() if each.interface_name == name), None
    )


def link(name: str, up: bool) -> Callable[[Inventory], bool]:
    """Whether an inventory tells of an interface's link as up, or down."""

    def is_so(inventory: Inventory) -> bool:
        interface = named(inventory, name)
        return interface is not None and interface.link_up == up

    return is_so
