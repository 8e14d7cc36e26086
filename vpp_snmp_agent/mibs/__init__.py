"""One file per MIB: its tables, one line per column."""

from ..agentx.mib import Module
from ..interfaces.table import InterfaceTable
from . import etherlike_mib, if_mib, ip_mib, lag_mib


def modules(interfaces: InterfaceTable) -> list[Module]:
    """All that is served."""
    return [each.module(interfaces) for each in (if_mib, lag_mib, etherlike_mib, ip_mib)]
