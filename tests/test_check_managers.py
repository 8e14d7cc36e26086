"""What `check` says of the rows as managers take them."""

from dataclasses import replace

import pytest

from simulator import Simulator
from vpp_snmp_agent.operator import check_managers
from vpp_snmp_agent.settings.declarations import Settings
from vpp_snmp_agent.vpp.records import LcpPair

from .operators import Check
from .routers import new_publisher, port, publish, router_of

# --- what LibreNMS drops -----------------------------------------------------------------------


def test_names_that_librenms_drops_fail_one_by_one(
    checked: Check, settings: Settings, vpp: Simulator
) -> None:
    vpp.add_hardware("VirtualFunctionEthernet0/4/0")
    vpp.add_hardware("TenGigabitEthernet9/0/0", host="PPPoE-1")
    advice = "give it an LCP pair with another host name, or set `names`"
    lines = checked(settings)
    assert lines["LibreNMS"] == [
        "FAIL: VirtualFunctionEthernet0/4/0 is dropped silently:"
        f" its ifDescr contains 'irtual'; {advice}",
        f"FAIL: PPPoE-1 is dropped silently: its ifDescr contains 'pppoe-'; {advice}",
    ]
    assert checked(replace(settings, hide=("local0", "Virtual*", "PPP*")))["LibreNMS"] == [
        "ok: none of 18 interfaces is dropped for its name or type"
    ]


@pytest.mark.parametrize(
    ("name", "type_", "why"),
    [
        ("eno1", 6, ""),
        ("", 6, "its ifDescr is empty; give it an LCP pair with a host name"),
        *(
            (f"a{part.upper()}b", 6, f"its ifDescr contains {part!r}; give it an LCP pair")
            for part in (
                *("irtual", "ras", "qos", "async", "container", "pppoe-", "lp0", "voip-null"),
                *("unrouted", "eobc", "-atm", "faith0", "plip", "-physical", "bluetooth"),
                *("isatap", "span rp", "span sp", "sslvpn"),
            )
        ),
        ("virtual-7", 53, "its ifDescr contains 'irtual'; give it an LCP pair"),
        ("sl1", 6, "its ifDescr matches ^sl[0-9]; give it an LCP pair"),
        ("SL2.33", 135, "its ifDescr matches ^sl[0-9]; give it an LCP pair"),
        ("sla", 6, ""),
        ("isl4", 6, ""),
        ("ng19", 6, "its ifDescr matches ^ng[0-9]+$; give it an LCP pair"),
        ("ng19.5", 135, ""),
        ("eng19", 6, ""),
        *(
            (f"line{number}", number, f"its ifType is {number}; `hide` it if that is no loss")
            for number in (
                *(18, 30, 39, 49, 50, 51, 81, 82, 100, 101, 102, 103, 104, 134, 150, 152),
                *(153, 166, 170, 185, 198, 211, 212, 213, 235),
            )
        ),
        *((f"else{number}", number, "") for number in (53, 135, 136, 161)),
        ("mpls-tunnel0", 131, ""),
        ("loop0", 24, ""),
    ],
)
def test_a_name_or_type_is_dropped_for_what_it_contains(name: str, type_: int, why: str) -> None:
    (row,) = publish(new_publisher(), router_of(port(1))).values()
    row.facts = replace(row.facts, name=name, type=type_)
    found = check_managers.why_dropped(row)
    assert found.startswith(why)
    assert bool(found) == bool(why)


def test_ports_without_a_speed_are_listed(
    checked: Check, settings: Settings, vpp: Simulator
) -> None:
    vpp.add_hardware("memif3/4", host="mif3", speed=0)
    vpp.add_hardware("pg5", speed=0)
    advice = "MRTG leaves them out, Cacti takes 1 Gb/s; set `speeds`"
    assert checked(settings)["speeds"] == [f"note: none is known of mif3, pg5: {advice}"]
    configured = replace(settings, speeds=(("memif*", 2500),))
    assert checked(configured)["speeds"] == [f"note: none is known of pg5: {advice}"]


def test_descriptions_that_cacti_shows_as_hex_are_listed(
    checked: Check, settings: Settings, vpp: Simulator
) -> None:
    vpp.set_details("BondEthernet0.130", tag="Genève".encode())
    advice = "Cacti, Zabbix and Munin show it as hex; set `charset: ascii`"
    lines = checked(settings)["charset"]
    assert lines == [f"note: not ASCII: the ifAlias of bond0.130: {advice}"]
    assert checked(replace(settings, charset="ascii"))["charset"] == ["ok: every ifAlias is ASCII"]


def test_of_many_ports_without_a_speed_the_first_are_listed_and_the_others_counted() -> None:
    ports = [port(index, f"gre{index}", link_speed=0) for index in range(1, 24)]
    rows = publish(new_publisher(), router_of(*ports, port(30, "eth30")))
    line = check_managers._speeds(list(rows.values()))
    assert line.text.startswith("none is known of gre1, gre2, gre3, ")
    assert ", gre19, gre20 and 3 more: MRTG" in line.text


def test_a_loopback_needs_no_speed() -> None:
    loopback = port(7, "loop7", interface_dev_type="Loopback", link_speed=0)
    rows = publish(new_publisher(), router_of(loopback))
    assert (
        str(check_managers._speeds(list(rows.values())))
        == "ok     speeds            every port has one"
    )


# --- host interfaces -----------------------------------------------------------------------------


def test_pairs_to_which_no_port_number_leads_are_listed_with_why() -> None:
    named = (
        *((3, 12, "dataplane"), (4, 13, "lab"), (5, 14, "")),
        *((6, 65_536, "dataplane"), (8, 15, "dataplane")),
    )
    pairs = [LcpPair(phy, 900 + phy, ifindex, f"e{phy}", netns) for phy, ifindex, netns in named]
    publisher = new_publisher()
    publish(publisher, router_of(*map(port, range(3, 7)), *pairs))
    line = check_managers._bridge_ports(pairs, publisher.host_ports)
    assert str(line) == (
        "note   bridge ports      dot1dBasePortTable has 1 of 5 host interfaces, of namespace"
        " dataplane; left out: e4 (in namespace lab), e5 (in VPP's own namespace),"
        " e6 (its ifindex 65536 is not 1 to 65535), e8 (its interface has no row)"
    )


def test_where_no_port_number_leads_to_a_pair_that_is_noted() -> None:
    far = [LcpPair(phy, 900 + phy, 70_000 + phy, f"e{phy}", "lab") for phy in range(1, 23)]
    publisher = new_publisher()
    publish(publisher, router_of(*map(port, range(1, 23)), *far))
    line = str(check_managers._bridge_ports(far, publisher.host_ports))
    assert line.startswith(
        "note   bridge ports      dot1dBasePortTable has 0 of 22 host interfaces; "
    )
    assert line.endswith("e20 (its ifindex 70020 is not 1 to 65535) and 2 more")
