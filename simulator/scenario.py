"""What the simulated VPPs look like: an ISP's edge router, and plain ones of any size."""

import json
import random
from ipaddress import IPv4Address
from typing import Any

from .interface import Spec
from .traffic import Traffic

GIGABIT, TEN_GIGABIT, HUNDRED_GIGABIT = 10**6, 10**7, 10**8  # kbit/s

CARRIER_GRADE = 0x64400000  # 100.64.0.0
PRIVATE, DOCUMENTATION = 0x0A000000, 0x20010DB8 << 96  # 10.0.0.0, 2001:db8::
LOCAL_MACS = 0x024E00000000  # 02:4e:00:00:00:00

UPLINK = Traffic(rx=42_000, tx=18_500, rx_size=1100, tx_size=420, multicast=2)
CUSTOMER = Traffic(rx=3_100, tx=7_400, rx_size=380, tx_size=1210, drops=0.4, punt=0.1)
PEERING = Traffic(rx=9_700, tx=6_300, rx_size=870, tx_size=640, multicast=6, drops=1.5)
QUIET = Traffic(rx=12, tx=11, rx_size=120, tx_size=118)
PORT = Traffic(drops=0.7, rx_miss=0.2, rx_no_buf=0.05, rx_error=0.01, tx_error=0.02)

# Of what igb and ixgbe count, some.
IGB = (
    ("rx_good_packets", 90_210),
    ("rx_errors", 44),
    ("rx_crc_errors", 37),
    ("rx_align_errors", 3),
    ("rx_symbol_errors", 6),
    ("tx_single_collision_packets", 52),
    ("tx_multiple_collision_packets", 23),
    ("tx_excessive_collision_packets", 9),
    ("tx_late_collisions", 11),
    ("tx_deferred_packets", 71),
    ("tx_no_carrier_sense_packets", 2),
    ("rx_oversize_errors", 15),
)
IXGBE = (
    ("rx_good_packets", 512_077),
    ("rx_crc_errors", 5_000_000_123),
    ("rx_illegal_byte_errors", 28),
    ("mac_local_errors", 1),
    ("rx_oversize_errors", 64),
    ("rx_jabber_errors", 4),
)

GIG5, GIG6 = "GigabitEthernet5/0/0", "GigabitEthernet6/0/0"
TEN0, TEN1, TEN2, TEN3 = (f"TenGigabitEthernet1/0/{n}" for n in range(4))
BOND = "BondEthernet0"


def _port(name: str, mac: int, host: str, description: str, **more: Any) -> Spec:
    """A port, with the last octet of its MAC."""
    speed = TEN_GIGABIT if name.startswith("Ten") else GIGABIT
    more |= {"mac": f"68:05:ca:32:46:{mac:02x}", "host": host, "description": description}
    return Spec(name, speed=speed, **more)


def _sub(
    parent: str, host: str, sub_id: int, traffic: Traffic, description: str = "", **more: Any
) -> Spec:
    more |= {"host": f"{host}.{sub_id}", "traffic": traffic, "description": description}
    return Spec(parent=parent, sub_id=sub_id, **more)


EDGE_ROUTER = (
    _port(GIG5, 0x10, "eno1", "Infra: access switch", xstats=IGB, traffic=PORT),
    _port(GIG6, 0x11, "eno2", "Spare", admin=False, link=False),
    _port(TEN0, 0x14, "", "Core: switch A, port 1", bond=BOND, xstats=IXGBE, traffic=PORT),
    _port(TEN1, 0x15, "", "Core: switch B, port 1", bond=BOND, traffic=PORT),
    _port(
        *(TEN2, 0x16, "enp1s0f2", "Peering: exchange, port 17"),
        addresses=("203.0.113.17/24",),
        neighbors=(("203.0.113.1", "02:00:5e:20:01:13"), ("203.0.113.18", "02:00:5e:20:01:18")),
        traffic=PEERING,
    ),
    _port(TEN3, 0x17, "enp1s0f3", "Access: fibre provider", traffic=PORT),
    Spec(BOND, "bond", host="bond0", description="Core: to the switch pair", traffic=QUIET),
    _sub(
        *(GIG5, "eno1", 205, CUSTOMER, "Cust: Fern & Daughters"),
        addresses=("198.51.100.1/30", "2001:db8:205::1/126"),
        neighbors=(
            ("198.51.100.2", "02:00:5e:20:02:05"),
            ("2001:db8:205::2", "02:00:5e:20:02:05"),
        ),
    ),
    _sub(GIG5, "eno1", 992, QUIET, "Infra: management"),
    _sub(TEN3, "enp1s0f3", 501, CUSTOMER, "Cust: Zürich Nord"),
    _sub(TEN3, "enp1s0f3", 511, CUSTOMER),
    _sub(TEN3, "enp1s0f3", 310211, QUIET, "Cust: a line within a line", outer=3102, inner=11),
    _sub(BOND, "bond0", 100, UPLINK, "Transit: first"),
    _sub(BOND, "bond0", 101, PEERING, "Transit: second"),
    _sub(BOND, "bond0", 105, CUSTOMER, "Cust: office", mtu=1500),
    _sub(BOND, "bond0", 130, CUSTOMER),
    _sub(BOND, "bond0", 2502, QUIET, "Infra: out of band"),
    Spec(
        *("loop0", "Loopback"),
        mtu=9216,
        host="loop0",
        description="Core: router loopback",
        addresses=("192.0.2.1/32", "2001:db8::1/128"),
    ),
)


def _configured(spec: Spec) -> dict[str, Any]:
    """What vppcfg is given for an interface and its sub-interfaces."""
    subs = {sub.sub_id: _configured(sub) for sub in EDGE_ROUTER if sub.parent == spec.full_name}
    tags = {"dot1q": spec.outer, "inner-dot1q": spec.inner, "exact-match": True}
    values = {
        # A bond's is where its members are.
        "description": spec.description if spec.dev_type != "bond" else "",
        "lcp": spec.host,
        "mtu": spec.l3_mtu,
        "addresses": spec.addresses,
        "encapsulation": tags if spec.inner else {},
        "sub-interfaces": subs,
    }
    return {key: value for key, value in values.items() if value}


def _bond(spec: Spec) -> dict[str, Any]:
    members = [member.name for member in EDGE_ROUTER if member.bond == spec.name]
    how = {"mode": "lacp", "load-balance": "l34"}
    return {"description": spec.description, "interfaces": members, **how}


def _yaml(values: dict[Any, Any], indent: str = "") -> str:
    """A mapping a line for each key; what else there is, is JSON, which is YAML as well."""
    return "".join(
        f"{indent}{key}:\n{_yaml(value, indent + '  ')}"
        if isinstance(value, dict)
        else f"{indent}{key}: {json.dumps(value, ensure_ascii=False)}\n"
        for key, value in values.items()
    )


_PARENTS = [spec for spec in EDGE_ROUTER if not spec.parent]
# What vppcfg 1.2.4 would be given for it.  Two interfaces have no description, on purpose.
VPPCFG = _yaml(
    {
        "bondethernets": {s.name: _bond(s) for s in _PARENTS if s.dev_type == "bond"},
        "loopbacks": {s.name: _configured(s) for s in _PARENTS if s.dev_type == "Loopback"},
        "interfaces": {s.name: _configured(s) for s in _PARENTS if s.dev_type != "Loopback"},
    }
)


def plain(count: int, pairs: bool = False, addresses: bool = False) -> tuple[Spec, ...]:
    """One port of 100 Gb/s and count - 1 sub-interfaces of it, with or without LCP pairs.

    With `addresses` each sub-interface has one of 100.64.0.0/10.
    """
    port = "HundredGigabitEthernet1/0/0"
    host = "ice0" if pairs else ""
    flow = Traffic(rx=900, tx=700)
    return (
        Spec(port, speed=HUNDRED_GIGABIT, host=host, traffic=PORT),
        *(
            Spec(
                parent=port,
                sub_id=n,
                outer=(n - 1) // 4000 + 1,
                inner=(n - 1) % 4000 + 1,
                host=f"ice0.{n}" if pairs else "",
                addresses=(f"{address_of(n)}/30",) if addresses else (),
                traffic=flow,
            )
            for n in range(1, count)
        ),
    )


def address_of(sub_id: int) -> IPv4Address:
    """The address that a sub-interface of `plain` has, if it has one."""
    return IPv4Address(CARRIER_GRADE + 4 * sub_id + 1)


def neighbor(number: int) -> tuple[bytes, bytes]:
    """The address and the MAC of one of many neighbours, by its number from 0 on.

    No two are the same; every fourth is IPv6.
    """
    mac = (LOCAL_MACS + number).to_bytes(6, "big")
    if number % 4 == 3:
        return (DOCUMENTATION + number).to_bytes(16, "big"), mac
    return (PRIVATE + number).to_bytes(4, "big"), mac


def in_order(specs: tuple[Spec, ...], seed: int | None = None) -> list[Spec]:
    """The specs so that nothing comes before what it needs; shuffled if there is a seed."""
    left = list(specs)
    if seed is not None:
        random.Random(seed).shuffle(left)
    ranked = {spec.full_name: spec for spec in left}

    def depth(spec: Spec) -> int:
        needs = spec.parent or spec.bond
        return 1 + depth(ranked[needs]) if needs in ranked else 0

    # The sort keeps the shuffle among equals.
    return sorted(left, key=depth)
