"""An AgentX subagent that serves VPP's interfaces as IF-MIB, live."""

__version__ = "0.2.0"
