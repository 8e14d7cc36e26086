"""What a walk finds, by name, where no snmpd is needed for it."""

from typing import Any

from vpp_snmp_agent.agentx.mib import View
from vpp_snmp_agent.agentx.values import dotted
from vpp_snmp_agent.operator.show import walked


def found_in(view: View, subtree: bytes = b"") -> dict[str, Any]:
    """All that is served below a subtree, in order."""
    return {dotted(each.name): each.value for each in walked(view, subtree)}


def below(found: dict[str, Any], prefix: str) -> dict[str, Any]:
    """What is below a prefix, by the rest of the name."""
    start = f"{prefix}."
    return {
        name.removeprefix(start): value for name, value in found.items() if name.startswith(start)
    }


def column(found: dict[str, Any], name: str) -> dict[int, Any]:
    """A column of what has one index, by that."""
    return {int(index): value for index, value in below(found, name).items()}
