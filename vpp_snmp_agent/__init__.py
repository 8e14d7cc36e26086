"""An AgentX subagent that serves VPP's interfaces as IF-MIB, live."""

__version__ = "1.0.0"
