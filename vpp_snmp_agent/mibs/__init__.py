"""One file per MIB: its tables, one line per column."""
