"""What several test files need: the recordings, and a stage to play on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from vpp_snmp_agent.simulator import Simulator
from vpp_snmp_agent.simulator.stage import Snmpd

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
