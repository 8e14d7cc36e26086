"""AgentX (RFC 2741): bytes, managed objects, the session."""
