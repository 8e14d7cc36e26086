"""An AgentX subagent that serves VPP's interfaces as IF-MIB, live."""

__version__ = "0.1.0"
