"""The command line."""

import argparse
import io
import logging
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from . import __version__
from .agent import Agent
from .interfaces.state import StateError
from .operator.output import OutputFailed, answer, complain, flush
from .runtime.loop import log
from .settings.declarations import SETTINGS, SETTINGS_FILE, Setting, Settings, load_settings
from .settings.document import BadSettings
from .settings.values import Parser, a_path, word

FAILURE, USAGE_ERROR = 1, 2
RESTART_PAUSE = 10.0  # seconds: systemd would try again each second, and each try is logged

# What the journal takes for a priority (sd-daemon(3)).
_PRIORITIES = {"DEBUG": "<7>", "INFO": "<6>", "WARNING": "<4>", "ERROR": "<3>"}


class _JournalFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return _PRIORITIES.get(record.levelname, "") + super().format(record)


def _in_journal() -> bool:
    """Whether standard error goes there: $JOURNAL_STREAM is inherited (systemd.exec(5))."""
    try:
        status = os.fstat(2)
    except OSError:  # closed by whoever started us
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def set_up_logging(level: int) -> None:
    """Lines on standard error; in the journal without what it adds itself."""
    handler = logging.StreamHandler()
    if _in_journal():
        handler.setFormatter(_JournalFormatter("%(message)s"))
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=level, handlers=[handler])


def _from_flag(parse: Parser[Any]) -> Callable[[str], Any]:
    """A parser of values, for argparse."""

    def parsed(text: str) -> Any:
        try:
            return parse(word(text))
        except BadSettings as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return parsed


_SUBID = re.compile("[0-9]{1,10}")
_AN_OID = "1.3.6.1.2.1.2.2"


def _oid(text: str) -> str:
    """An OID as the MIBs write it: no leading dot."""
    oid = text.removeprefix(".")
    subids = oid.split(".")
    if len(subids) > 128 or not all(_SUBID.fullmatch(each) for each in subids):
        raise argparse.ArgumentTypeError(f"{text!r} is no OID: expected numbers, as in {_AN_OID}")
    if any(int(each) >= 2**32 for each in subids):
        raise argparse.ArgumentTypeError(f"{text!r} is no OID: a number is at most {2**32 - 1}")
    return oid


_AGE = re.compile("([0-9]{1,9})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def _age(text: str) -> float:
    """Seconds."""
    match = _AGE.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no age: expected a number and one of smhdw")
    return float(match[1]) * _SECONDS[match[2]]


def _add_flag(parser: argparse.ArgumentParser, setting: Setting) -> None:
    """The flag of a setting, if it has one; None where it is not given."""
    flag = setting.flag
    if flag is None:
        return
    if not flag.metavar:
        parser.add_argument(flag.name, dest=setting.field, action="count", help=flag.help)
        return
    parser.add_argument(
        flag.name,
        metavar=flag.metavar,
        dest=setting.field,
        type=_from_flag(setting.parse),
        help=f"{flag.help} (default {setting.default_text})",
    )


class _Parser(argparse.ArgumentParser):
    """Whose help is an answer as any: argparse is silent where it cannot be written."""

    def print_help(self, file: Any = None) -> None:
        """On standard output, where --help has it."""
        answer(self.format_help().rstrip("\n"))


class _Version(argparse.Action):
    """--version, likewise."""

    def __call__(self, parser: argparse.ArgumentParser, *given: object) -> None:
        answer(f"vpp-snmp-agent {__version__}")
        parser.exit()


def parser() -> argparse.ArgumentParser:
    """All commands and flags; a flag that is not given is None, for the file to show through."""
    parser = _Parser(
        prog="vpp-snmp-agent",
        allow_abbrev=False,
        description="Serve VPP's interfaces, and VPP itself, to snmpd over AgentX, live.",
        epilog="A flag wins over the settings file, which can set more than the flags.",
    )
    add = parser.add_argument
    add(
        "command",
        nargs="?",
        choices=["run", "show", "walk", "check", "ports"],
        default="run",
        help="run the agent (default); show VPP's interfaces as a table, or VPP itself; walk"
        " what the agent would serve; check what must be right for it; list the ports that have an"
        " ifIndex",
    )
    add(
        "arguments",
        metavar="ARGUMENT",
        nargs="*",
        help="show vpp: VPP's state, threads, memory, buffers and errors; walk [OID]: only what is"
        " at or below it (default all); ports [forget [GLOB]]:"
        " forget the names that fit and are not shown",
    )
    add("--json", action="store_true", help="show: JSON instead of tables")
    add(
        "--unseen",
        metavar="AGE",
        type=_age,
        help="ports forget: only what was not shown for so long, as in 90d, 12h, 30m",
    )
    add(
        "-f",
        metavar="FILE",
        dest="file",
        type=_from_flag(a_path),
        help=f"settings file (default {SETTINGS_FILE}, if it is there)",
    )
    for setting in SETTINGS.values():
        _add_flag(parser, setting)
    add("--version", action=_Version, nargs=0, help="print the version")
    return parser


def _level(command: str, debug: int) -> int:
    """What is logged: a command that prints an answer says nothing while it works."""
    if debug:
        return logging.DEBUG
    return logging.INFO if command == "run" else logging.WARNING


def run(settings: Settings, load: Callable[[], Settings]) -> int:
    """The agent, until SIGTERM or SIGINT; the exit status."""
    # Until it runs there is nothing to be read again, and SIGHUP would end it.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        agent = Agent(settings, load)
    except StateError as error:
        log.error("%s", error)
        if os.environ.get("NOTIFY_SOCKET"):
            time.sleep(RESTART_PAUSE)
        return FAILURE
    agent.run()
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; the exit status."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal may know Latin-1 alone
    try:
        try:
            return _main(arguments)
        finally:  # argparse, which prints --help, ends by SystemExit
            flush()
    except BrokenPipeError:  # `walk | head`: who read has enough
        status = 0
    except OutputFailed as error:
        complain(str(error))
        status = FAILURE
    # The interpreter must not find out again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return status


def _main(arguments: Sequence[str] | None) -> int:
    own = parser()
    given = own.parse_intermixed_args(arguments)  # flags may stand before and behind an OID
    root = glob = None
    shows_vpp = given.command == "show" and given.arguments == ["vpp"]
    if given.command == "walk" and len(given.arguments) == 1:
        try:
            root = _oid(given.arguments[0])
        except argparse.ArgumentTypeError as error:
            own.error(f"argument OID: {error}")
    elif given.command == "ports" and given.arguments[:1] == ["forget"]:
        if len(given.arguments) > 2:
            own.error("ports forget takes one GLOB")
        glob = given.arguments[1] if given.arguments[1:] else "*"
        if not given.arguments[1:] and given.unseen is None:
            own.error("ports forget: expected a GLOB, --unseen AGE, or both")
    elif given.arguments and not shows_vpp:
        own.error(f"{given.command} takes no argument {given.arguments[-1]!r}")
    if given.unseen is not None and glob is None:
        own.error("--unseen belongs to `ports forget`")
    if given.json and given.command != "show":
        own.error(f"{given.command} takes no --json")
    if given.debug is not None:
        given.debug = min(given.debug, 2)
    flags = {
        each.field: value
        for each in SETTINGS.values()
        if (value := getattr(given, each.field, None)) is not None
    }

    def load() -> Settings:
        return load_settings(given.file, flags)

    if given.command == "check":  # it reports bad settings itself
        from .operator.check import check

        set_up_logging(_level(given.command, flags.get("debug", 0)))
        return check(given.file or SETTINGS_FILE, load)
    try:
        settings = load()
    except BadSettings as error:
        complain(str(error))
        return USAGE_ERROR
    set_up_logging(_level(given.command, settings.debug))
    if given.command == "run":
        return run(settings, load)
    from .operator.ports import forget_ports, show_ports
    from .operator.show import show, walk
    from .operator.show_vpp import show_vpp

    if shows_vpp:
        return show_vpp(settings, given.json)
    if given.command == "show":
        return show(settings, given.json)
    if given.command == "walk":
        return walk(settings, root)
    if glob is not None:
        return forget_ports(settings, glob, given.unseen or 0.0)
    return show_ports(settings)
