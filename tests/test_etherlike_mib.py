"""mibs/etherlike_mib.py: which ports have a duplex, and which."""

from dataclasses import replace

from vpp_snmp_agent.agentx.mib import View
from vpp_snmp_agent.agentx.pdu import dotted
from vpp_snmp_agent.config import Descriptions
from vpp_snmp_agent.interfaces.table import InterfaceTable
from vpp_snmp_agent.mibs import etherlike_mib
from vpp_snmp_agent.show import walked
from vpp_snmp_agent.vpp.inventory import Identity, Interface, Inventory

PORT = Interface(1, 1, "eth0", "dpdk", "", bytes(6), True, True, 0, 0, 9000, 9000)


def test_each_port_of_hardware_tells_its_duplex_and_nothing_else_does() -> None:
    table = InterfaceTable()
    module = etherlike_mib.module(table)
    told = [
        PORT,
        *(
            replace(PORT, sw_if_index=n, sup_sw_if_index=n, interface_name=f"eth{n}", link_duplex=d)
            for n, d in ((2, 1), (3, 2), (4, 9))
        ),
        replace(PORT, sw_if_index=5, interface_name="eth0.7", link_duplex=2),
        replace(
            PORT,
            sw_if_index=6,
            sup_sw_if_index=6,
            interface_name="memif0/0",
            interface_dev_type="memif",
        ),
    ]
    inventory = Inventory(Identity("", "", 1), {each.sw_if_index: each for each in told})
    for _ in table.update(inventory, None, Descriptions()):
        pass
    table.commit()
    found = {dotted(each.name): each.value for each in walked(View(module.objects), b"")}
    entry = "1.3.6.1.2.1.10.7.2.1"
    assert found == {f"{entry}.1.{1000 + n}": 1000 + n for n in (1, 2, 3, 4)} | {
        f"{entry}.19.1001": 1,
        f"{entry}.19.1002": 2,
        f"{entry}.19.1003": 3,
        f"{entry}.19.1004": 1,  # nothing that VPP is known to say
    }
