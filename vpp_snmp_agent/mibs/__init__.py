"""One file per MIB: its tables, one line per column."""

from collections.abc import Callable, Iterable, Mapping

from ..agentx.mib import Module
from ..interfaces.table import InterfaceTable
from . import etherlike_mib, if_mib, ip_mib, lag_mib

MODULES: Mapping[str, Callable[[InterfaceTable], Module]] = {
    "IF-MIB": if_mib.module,
    "IEEE8023-LAG-MIB": lag_mib.module,
    "EtherLike-MIB": etherlike_mib.module,
    "IP-MIB": ip_mib.module,
}


def modules(interfaces: InterfaceTable, names: Iterable[str] = MODULES) -> list[Module]:
    """What is served of these MIBs; its tables are derived from the interfaces from now on."""
    return [make(interfaces) for name, make in MODULES.items() if name in set(names)]
