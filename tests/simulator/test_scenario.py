"""The routers that the simulator can be."""

from pathlib import Path

import yaml

from simulator import Simulator
from simulator.scenario import EDGE_ROUTER, VPPCFG, plain

from .judges import HUNDRED, Connection


def test_no_host_name_is_longer_than_linux_takes() -> None:
    for specs in (EDGE_ROUTER, plain(10_000, pairs=True)):
        assert max(len(spec.host) for spec in specs) <= 15  # IFNAMSIZ less its NUL
    assert all(spec.host == "" or f'lcp: "{spec.host}"\n' in VPPCFG for spec in EDGE_ROUTER)


def test_an_address_for_each_sub_interface_if_so_wanted(tmp_path: Path) -> None:
    with Simulator(tmp_path, interfaces=300, addresses=True) as vpp, Connection(vpp) as connection:
        found = {
            row.interface_name: [
                str(each.prefix)
                for each in connection.api.ip_address_dump(sw_if_index=index, is_ipv6=False)
            ]
            for index, row in enumerate(connection.rows().values())
        }
    assert found.pop("local0") == found.pop(HUNDRED) == []
    assert len({prefix for (prefix,) in found.values()}) == 299
    assert found[f"{HUNDRED}.260"] == ["100.64.4.17/30"]


def test_the_vppcfg_yaml_describes_what_is_there() -> None:
    config = yaml.safe_load(VPPCFG)
    names = {spec.full_name for spec in EDGE_ROUTER}
    described = set(config["interfaces"]) | set(config["loopbacks"]) | set(config["bondethernets"])
    for name, interface in config["interfaces"].items():
        described |= {f"{name}.{sub}" for sub in interface.get("sub-interfaces", {})}
    assert described == names
