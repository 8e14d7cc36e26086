"""An embedded VPP: a real segment and a real API socket, for the demo and the tests.

The VPP imports nothing of the agent but the declaration of the segment's layout, so that the
two can only agree by both being right; the demo prints as the agent's commands do.
"""

from .client import Simulator, SimulatorError
from .interface import Spec
from .traffic import Truth
from .verbs import Verbs

__all__ = ["Simulator", "SimulatorError", "Spec", "Truth", "Verbs"]
