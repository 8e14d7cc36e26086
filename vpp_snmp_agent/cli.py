"""The command line."""

import argparse
import logging
import os
import sys
from collections.abc import Sequence

from . import __version__
from .agent import Agent
from .config import BadSettings, Settings, parse_address

USAGE_ERROR = 2

# What the journal takes for a priority (sd-daemon(3)).
_PRIORITIES = {"DEBUG": "<7>", "INFO": "<6>", "WARNING": "<4>", "ERROR": "<3>"}


class _JournalFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return _PRIORITIES.get(record.levelname, "") + super().format(record)


def _in_journal() -> bool:
    """Whether standard error goes there: $JOURNAL_STREAM is inherited (systemd.exec(5))."""
    status = os.fstat(2)
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def set_up_logging(debug: bool) -> None:
    """Lines on standard error; in the journal without what it adds itself."""
    handler = logging.StreamHandler()
    if _in_journal():
        handler.setFormatter(_JournalFormatter("%(message)s"))
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.DEBUG if debug else logging.INFO, handlers=[handler])


def _period(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 1 <= seconds <= 86400:
        raise argparse.ArgumentTypeError(f"{text} is not 1 to 86400 seconds")
    return seconds


def parser() -> argparse.ArgumentParser:
    """All flags, with their defaults from `Settings`."""
    default = Settings()
    parser = argparse.ArgumentParser(
        prog="vpp-snmp-agent",
        allow_abbrev=False,
        description="Serve VPP's interfaces as IF-MIB to snmpd, over AgentX, live.",
    )
    add = parser.add_argument
    add("command", nargs="?", choices=["run"], default="run", help="run the agent (default)")
    add(
        "-a",
        metavar="ADDRESS",
        dest="address",
        default=str(default.address),
        help="snmpd's AgentX socket: a path or host:port (default %(default)s)",
    )
    add(
        "-p",
        metavar="PERIOD",
        dest="period",
        type=_period,
        default=default.period,
        help="seconds between two dumps of what no event tells (default %(default)g);"
        " counters are always read at the moment of the request",
    )
    add(
        "-c",
        metavar="VPPCFG",
        dest="vppcfg",
        help="vppcfg YAML to take descriptions from (default none)",
    )
    for name, where in (
        ("api_socket", "VPP's binary API socket"),
        ("stats_socket", "VPP's statistics socket"),
        ("api_dir", "VPP's *.api.json files, needed before VPP 24.06"),
        ("state_dir", "where what outlives a restart is kept"),
    ):
        flag = "--" + name.replace("_", "-")
        metavar = "DIR" if name.endswith("dir") else "PATH"
        add(
            flag,
            metavar=metavar,
            default=getattr(default, name),
            help=f"{where} (default %(default)s)",
        )
    add("-d", dest="debug", action="count", default=0, help="debug log; -dd: every AgentX PDU too")
    add("--version", action="version", version=f"vpp-snmp-agent {__version__}")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; the exit status."""
    given = parser().parse_args(arguments)
    try:
        settings = Settings(
            address=parse_address(given.address),
            period=given.period,
            vppcfg=given.vppcfg,
            api_socket=given.api_socket,
            stats_socket=given.stats_socket,
            api_dir=given.api_dir,
            state_dir=given.state_dir,
            trace=given.debug > 1,
        )
    except BadSettings as error:
        print(f"vpp-snmp-agent: {error}", file=sys.stderr)
        return USAGE_ERROR
    set_up_logging(given.debug > 0)
    Agent(settings).run()
    return 0
