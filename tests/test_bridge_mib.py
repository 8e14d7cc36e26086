"""mibs/bridge_mib.py: by a host interface's Linux ifindex to our ifIndex."""

from dataclasses import replace
from typing import Any

from vpp_snmp_agent.agentx.mib import View
from vpp_snmp_agent.agentx.values import dotted
from vpp_snmp_agent.interfaces.facts import Configuration
from vpp_snmp_agent.interfaces.publisher import Publisher
from vpp_snmp_agent.mibs import bridge_mib
from vpp_snmp_agent.operator.show import walked
from vpp_snmp_agent.settings.declarations import Settings
from vpp_snmp_agent.vpp.records import Changes, Interface, LcpPair

from . import routers
from .oids import BRIDGE
from .routers import change, finish, port, publish, router_of, sub
from .walks import column, found_in

PORT, IF_INDEX = (f"{BRIDGE}.1.4.1.{number}" for number in (1, 2))
PORTS = (port(3, "eth0"), port(4, "eth1"), port(5, "eth2"), sub(6, 3, "eth0.17"))


def pair(phy: int, ifindex: int, netns: str = "dataplane") -> LcpPair:
    return LcpPair(phy, 900 + phy, ifindex, f"e{phy}", netns)


class Served:
    """Ports with these pairs, and what is served of them."""

    def __init__(self, *pairs: LcpPair, configuration: Configuration | None = None) -> None:
        self.router = router_of(*PORTS, *pairs)
        self.publisher = routers.new_publisher(configuration)
        self.module = bridge_mib.module(self.publisher)
        publish(self.publisher, self.router)

    def report(self, *reported: LcpPair, gone: tuple[int, ...] = ()) -> None:
        change(self.publisher, self.router, *reported, gone=[pair(phy, 0) for phy in gone])

    def lose(self) -> None:
        self.publisher.lose()
        finish(self.publisher)

    @property
    def all(self) -> dict[str, Any]:
        return found_in(View(self.module.objects))

    @property
    def ports(self) -> dict[int, int]:
        """Our ifIndex by port number."""
        return column(self.all, IF_INDEX)


def test_a_port_is_the_host_interfaces_ifindex_and_its_ifindex_is_the_phys() -> None:
    served = Served(pair(3, 12), pair(6, 8))
    assert served.all == {f"{PORT}.8": 8, f"{PORT}.12": 12, f"{IF_INDEX}.8": 1006} | {
        f"{IF_INDEX}.12": 1003
    }
    assert list(served.module.subtrees) == [f"{BRIDGE}.1.4"]


def test_a_number_above_16_bits_has_no_row() -> None:
    assert Served(pair(3, 65_535), pair(4, 65_536), pair(5, 0)).ports == {65_535: 1003}


def test_only_pairs_of_the_dataplane_have_rows_however_many_are_elsewhere() -> None:
    served = Served(pair(3, 12, "lab"), pair(4, 13, "lab"), pair(5, 12))
    assert served.ports == {12: 1005}
    assert served.publisher.host_ports.netns == "dataplane"


def test_where_no_pair_is_in_the_dataplane_it_is_the_namespace_of_most_pairs() -> None:
    served = Served(pair(3, 12, ""), pair(4, 13, "lab"), pair(5, 12, "lab"))
    assert served.ports == {12: 1005, 13: 1004}
    served.report(gone=(4, 5))
    assert served.ports == {12: 1003}
    served.report(pair(4, 14))
    assert served.ports == {14: 1004}
    served.report(gone=(3, 4))
    assert served.ports == {}
    assert served.publisher.host_ports.netns is None


def test_a_pair_that_is_created_again_has_its_new_number_alone() -> None:
    served = Served(pair(3, 12), pair(4, 13))
    served.report(pair(3, 21))
    assert served.ports == {13: 1004, 21: 1003}
    served.report(gone=(4,))
    assert served.ports == {21: 1003}


def test_a_number_that_linux_gives_to_another_is_that_ones_whoever_is_made_first() -> None:
    for one, other in ((3, 4), (4, 3)):
        served = Served(pair(one, 12))
        served.report(pair(other, 12), gone=(one,))
        assert served.ports == {12: 1000 + other}
        served.report(pair(one, 15))
        assert served.ports == {12: 1000 + other, 15: 1000 + one}


def test_numbers_that_are_exchanged_lead_to_the_right_ports() -> None:
    served = Served(pair(3, 12), pair(4, 13))
    served.report(pair(3, 13), pair(4, 12))
    assert served.ports == {12: 1004, 13: 1003}


def test_while_vpp_is_away_there_are_no_host_interfaces() -> None:
    served = Served(pair(3, 12))
    served.lose()
    assert served.ports == {}
    publish(served.publisher, router_of(*PORTS, pair(3, 31), identity=replace(routers.VPP)))
    assert served.ports == {31: 1003}


def test_an_interface_without_a_row_has_no_port() -> None:
    hidden = Configuration(Settings(hide=("eth1",)))
    assert Served(pair(3, 12), pair(4, 13), configuration=hidden).ports == {12: 1003}


def test_another_configuration_takes_the_ports_over_and_the_old_one_gives_them_back() -> None:
    served = Served(pair(3, 12), pair(4, 13, "lab"))
    before = served.publisher
    after = Publisher(Configuration(), before._saving.indexes, before.uptime, before)
    module = bridge_mib.module(after)
    finish(after)
    after.succeed(before)
    for _ in before.dismantle():
        pass
    assert served.ports == {}
    names = [dotted(each.name) for each in walked(View(module.objects), b"")]
    assert names == [f"{PORT}.12", f"{IF_INDEX}.12"]


def test_an_interface_that_is_deleted_takes_its_port_along() -> None:
    served = Served(pair(3, 12), pair(4, 13))
    served.publisher.touch(served.router.apply(Changes((), ((Interface, 4),))))
    finish(served.publisher)
    assert served.ports == {12: 1003}
