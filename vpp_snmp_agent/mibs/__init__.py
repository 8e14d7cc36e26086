"""One file per MIB: its tables, one line per column."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from ..agentx.mib import Module
from ..interfaces.publisher import Publisher
from . import (
    bridge_mib,
    etherlike_mib,
    host_resources_mib,
    if_mib,
    ip_mib,
    lag_mib,
    vpp_errors,
    vpp_snmp_agent_mib,
    vpp_threads,
)

MODULES: Mapping[str, Callable[[Publisher], Module]] = {
    "IF-MIB": if_mib.module,
    "IEEE8023-LAG-MIB": lag_mib.module,
    "EtherLike-MIB": etherlike_mib.module,
    "IP-MIB": ip_mib.module,
    "HOST-RESOURCES-MIB": host_resources_mib.module,
    "BRIDGE-MIB": bridge_mib.module,
    "VPP-SNMP-AGENT-MIB": partial(
        vpp_snmp_agent_mib.module, parts=(vpp_threads.objects, vpp_errors.objects)
    ),
}


def modules(interfaces: Publisher, names: Iterable[str] = MODULES) -> list[Module]:
    """What is served of these MIBs; its tables follow the interfaces from now on."""
    return [make(interfaces) for name, make in MODULES.items() if name in set(names)]
