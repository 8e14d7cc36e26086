"""Packaging of vpp-snmp-agent."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).resolve().parent
VERSION = re.search(r'__version__ = "(.+)"', (HERE / "vpp_snmp_agent/__init__.py").read_text())
assert VERSION, "vpp_snmp_agent/__init__.py states no __version__"

setup(
    name="vpp-snmp-agent",
    version=VERSION[1],
    description="SNMP agent that serves the interfaces of VPP, live",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="The vpp-snmp-agent authors",
    author_email="maintainers@vpp-snmp-agent.example",
    license="Apache-2.0",
    license_files=["LICENSE"],
    keywords=[
        *("SNMP", "AgentX", "VPP", "fd.io", "IF-MIB", "snmpd", "router", "monitoring"),
        *("LibreNMS", "Zabbix", "Prometheus"),
    ],
    classifiers=[
        "Development Status :: 5 - Production/Stable",
        "Environment :: No Input/Output (Daemon)",
        "Intended Audience :: System Administrators",
        "Intended Audience :: Telecommunications Industry",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: System :: Networking :: Monitoring",
    ],
    python_requires=">=3.10",
    packages=find_packages(include=["vpp_snmp_agent", "vpp_snmp_agent.*"]),
    package_data={"vpp_snmp_agent.mibs": ["VPP-SNMP-AGENT-MIB"]},
    install_requires=[
        "pyagentx3>=0.1.4,<0.2",
        "vpp_papi>=2.4,<2.5",
        "PyYAML>=6.0,<7",
    ],
    extras_require={
        "test": [
            *("pytest>=7", "hypothesis>=6", "mypy>=1.8", "ruff>=0.5", "types-PyYAML>=6"),
            "jsonschema>=4",
        ],
    },
    entry_points={"console_scripts": ["vpp-snmp-agent = vpp_snmp_agent.cli:main"]},
)
