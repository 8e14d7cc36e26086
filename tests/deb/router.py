"""What a router has besides the package: a VPP, a routing daemon, a port, a poller."""

import re
from collections.abc import Iterable

from simulator.api import FIRST_CPU

from ..edge_router import ROWS
from ..oids import IF_NAME, MIB_2
from .debian import SOURCE, System
from .story import Failed, until

WORKER_CPUS = {FIRST_CPU + 1, FIRST_CPU + 2}  # as it says
AUTH, PRIVACY = "an authentication password", "a privacy password"
IN_NAMESPACE = ("ip", "netns", "exec", "dataplane")

VPP = f"""
[Unit]
Description=VPP, simulated
StartLimitIntervalSec=0

[Service]
Group=vpp
RuntimeDirectory=vpp
RuntimeDirectoryMode=0750
Environment=PYTHONPATH={SOURCE} PYTHONDONTWRITEBYTECODE=1
ExecStart=/usr/bin/python3 -m simulator --run-dir /run/vpp

[Install]
WantedBy=multi-user.target
"""
# What must not be cut off: it requires the namespace, so systemd stops it with its service.
BGP = """
[Unit]
Description=A routing daemon in the namespace
Requires=netns-dataplane.service
After=netns-dataplane.service

[Service]
NetworkNamespacePath=/run/netns/dataplane
ExecStart=/bin/sleep infinity
"""


def write_unit(system: System, name: str, text: str) -> None:
    """A unit of the operator's own."""
    path = system.root / "etc/systemd/system" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    system.run("systemctl", "daemon-reload")


def ports(system: System, *where: str, options: tuple[str, ...] = ("-v2c", "-c", "public")) -> str:
    """ifIndex and ifName of every port, a line each, as a poller sees them from `where`."""
    poll = [*where, "snmpbulkwalk", *options, "-t", "2", "-r", "1", "-On", "127.0.0.1", IF_NAME]
    printed = system.run(*poll, check=False, env=["MIBS="])
    return "\n".join(
        " ".join(found)
        for found in re.findall(rf"^\.{IF_NAME}\.(\d+) = STRING: (.*)$", printed, re.M)
    )


def served(system: System) -> bool:
    """Whether every row is there."""
    return ports(system, *IN_NAMESPACE).count("\n") == ROWS - 1


def wait_for_rows(system: System) -> None:
    """Until every row is there."""
    until(f"{ROWS} rows are served", lambda: served(system))


def get(system: System, oid: str, *options: str) -> str:
    """The answer of snmpd in the namespace, with its type; or why there is none."""
    words = ["snmpget", *(options or ("-v2c", "-c", "public")), "-On", "127.0.0.1", oid]
    return system.run(*IN_NAMESPACE, *words, check=False, env=["MIBS="])


def shown(
    system: System, subtrees: Iterable[str], *where: str, community: str = "public"
) -> list[str]:
    """What snmpd has below some subtrees of mib-2, as a walk of all mib-2 finds it."""
    poll = [
        *where,
        "snmpbulkwalk",
        "-v2c",
        "-c",
        community,
        "-t",
        "2",
        "-r",
        "20",
        "-On",
        "127.0.0.1",
        MIB_2,
    ]
    walked = system.run(*poll, check=False, env=["MIBS="])
    names = re.findall(rf"^\.{MIB_2}\.([0-9.]+) = ", walked, re.M)
    if "1.7.0" not in names:
        raise Failed(f"a walk of mib-2 finds no sysServices: {walked[:500]}")
    return [name for name in names if name.startswith(tuple(f"{each}." for each in subtrees))]


def v3_get(system: System, oid: str) -> str:
    """The same by SNMPv3, as user poller, by what every client knows."""
    authentic = ("-v3", "-l", "authPriv", "-u", "poller", "-a", "SHA", "-A", AUTH)
    return get(system, oid, *authentic, "-x", "AES", "-X", PRIVACY)


def state(system: System, unit: str, name: str) -> str:
    """A property of a unit."""
    return system.prints("systemctl", "show", "--value", "--property", name, unit)


def pid(system: System, unit: str) -> str:
    """The main process of a unit; as the system itself numbers it."""
    return state(system, unit, "MainPID")
