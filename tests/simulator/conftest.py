"""Edge routers for the tests of the simulator."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator import Simulator
from simulator.dataplane import Dataplane
from simulator.release import Release


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """An edge router that no test changes."""
    with Simulator(tmp_path_factory.mktemp("vpp")) as vpp:
        vpp.freeze()
        yield vpp


@pytest.fixture
def vpp(tmp_path: Path) -> Iterator[Simulator]:
    """An edge router of the test's own."""
    with Simulator(tmp_path) as simulator:
        yield simulator


@pytest.fixture
def plane(release: str) -> Iterator[Dataplane]:
    """Of a release, in this process; with nothing in it."""
    made = Dataplane(Release.parse(release), threads=3, segment_size=1 << 23)
    yield made
    made.close()
