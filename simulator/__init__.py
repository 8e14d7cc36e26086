"""An embedded VPP: a real segment and a real API socket, for the demo and the tests.

It imports nothing of the agent but the declaration of the segment's layout, so that the
two can only agree by both being right.
"""

from .client import Simulator, SimulatorError
from .interface import Spec
from .traffic import Truth
from .verbs import Verbs

__all__ = ["Simulator", "SimulatorError", "Spec", "Truth", "Verbs"]
