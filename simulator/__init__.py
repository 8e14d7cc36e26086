"""An embedded VPP: a real segment and a real API socket, for the demo and the tests.

It imports nothing of the agent but the declaration of the segment's layout, so that the
two can only agree by both being right.
"""

from .client import Amount, Simulator, SimulatorError, Truth
from .messages import write_api_files

__all__ = ["Amount", "Simulator", "SimulatorError", "Truth", "write_api_files"]
