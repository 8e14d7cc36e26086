"""Edge routers for the tests of the simulator."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator import Simulator, Verbs
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
def plane(release: str) -> Iterator[Verbs]:
    """Of a release, in this process; with local0 alone."""
    made = Verbs(Release.parse(release), 3, 1 << 23)  # threads, octets
    yield made
    made.close()
