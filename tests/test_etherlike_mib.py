"""mibs/etherlike_mib.py: which ports have a duplex, and which."""

from vpp_snmp_agent.agentx.mib import View
from vpp_snmp_agent.agentx.pdu import dotted
from vpp_snmp_agent.mibs import etherlike_mib
from vpp_snmp_agent.show import walked

from .routers import port, router_of, served, sub


def test_each_port_of_hardware_says_its_duplex_and_nothing_else_does() -> None:
    router = router_of(
        *(port(n, f"eth{n}", link_duplex=duplex) for n, duplex in ((1, 0), (2, 1), (3, 2), (4, 9))),
        sub(5, 1, "eth0.7", link_duplex=2),
        port(6, "memif0/0", interface_dev_type="memif"),
    )
    module, _ = served(etherlike_mib.module, router)
    found = {dotted(each.name): each.value for each in walked(View(module.objects), b"")}
    entry = "1.3.6.1.2.1.10.7.2.1"
    assert found == {f"{entry}.1.{1000 + n}": 1000 + n for n in (1, 2, 3, 4)} | {
        f"{entry}.19.1001": 1,
        f"{entry}.19.1002": 2,
        f"{entry}.19.1003": 3,
        f"{entry}.19.1004": 1,  # nothing that VPP is known to say
    }
