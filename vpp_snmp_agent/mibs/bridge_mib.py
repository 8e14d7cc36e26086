"""BRIDGE-MIB (RFC 4188): of dot1dBasePortTable what joins Linux's ifindexes and our ifIndexes.

lldpd numbers its local ports by Linux's ifindex, and a manager looks up such a number here.
Nothing else of BRIDGE-MIB is served: who finds more takes the router for a switch.
"""

from ..agentx.mib import Column, Module, Table
from ..agentx.values import INTEGER
from ..interfaces.publisher import Publisher
from ..interfaces.rows import Row

DOT1D_BASE_PORT_TABLE = "1.3.6.1.2.1.17.1.4"


def base_port(row: Row) -> int | None:
    """dot1dBasePort: the ifindex of the host interface."""
    return row.pair.vif_index if row.pair is not None else None


BASE_PORT_TABLE = Table(
    f"{DOT1D_BASE_PORT_TABLE}.1",
    (
        Column(1, "dot1dBasePort", INTEGER, base_port),
        Column(2, "dot1dBasePortIfIndex", INTEGER, lambda row: row.index),
    ),
)


def module(interfaces: Publisher) -> Module:
    """BRIDGE-MIB over these interfaces."""
    return Module(
        capability="1.3.6.1.2.1.17",
        description="BRIDGE-MIB (RFC 4188): the host interfaces of VPP's interfaces",
        subtrees=(DOT1D_BASE_PORT_TABLE,),
        objects=(BASE_PORT_TABLE.over(interfaces.host_ports),),
    )
