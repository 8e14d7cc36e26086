"""One file per MIB: its tables, one line per column."""

from ..agentx.mib import Module
from ..interfaces.table import InterfaceTable
from . import if_mib


def modules(interfaces: InterfaceTable) -> list[Module]:
    """All that is served."""
    return [if_mib.module(interfaces)]
