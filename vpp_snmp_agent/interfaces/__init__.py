"""The rows: names, what outlives a restart, live counters."""
