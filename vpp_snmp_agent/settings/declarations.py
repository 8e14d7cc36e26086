"""The settings: each is declared once, as a field of `Settings`.

The rules this module keeps:

- A declaration says all there is to a setting: its type, what it is by default, what it may be,
  what a change of it entails, and the flag that sets it too.  The keys of the file, the flags of
  the command line and what a reload does follow from it.
- What a value may be is checked by its parser (values.py), in a file and behind a flag.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import Enum, auto
from typing import Any, Literal, NamedTuple, TypeVar

import yaml

from .document import NULL, TEXT, WHOLE, BadSettings, document_of, read_file
from .values import (
    Parser,
    Value,
    a_path,
    a_path_or_none,
    by_glob,
    did_you_mean,
    enabled,
    entries,
    globs,
    got,
    one_of,
    seconds,
    shown,
    whole,
)

SETTINGS_FILE = "/etc/vpp-snmp-agent/agent.yaml"  # need not be there
MAX_CPU = 8191  # NR_CPUS of Debian's kernel, less 1
MAX_SPEED = 10_000_000  # Mb/s that a setting may claim
MIBS = (
    *("IF-MIB", "IEEE8023-LAG-MIB", "EtherLike-MIB", "IP-MIB", "HOST-RESOURCES-MIB"),
    *("BRIDGE-MIB", "VPP-SNMP-AGENT-MIB"),
)

D = TypeVar("D")
T = TypeVar("T")


# --- addresses -----------------------------------------------------------------------------

ADDRESS = "/path/of/socket or host:port"  # what is expected of one


@dataclass(frozen=True)
class UnixAddress:
    """An AgentX master behind a unix socket."""

    path: str

    def __str__(self) -> str:
        return self.path


@dataclass(frozen=True)
class TCPAddress:
    """An AgentX master behind TCP."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


# IPv6 in brackets: the port of `::1:705` would be anybody's guess.
_HOST_PORT = re.compile(r"(?:\[([^][]+)]|([^][:]+)):([0-9]+)")


def parse_address(text: str) -> UnixAddress | TCPAddress:
    """`/run/agentx-dataplane/master`, `localhost:705`, `[::1]:705`.  Raises BadSettings."""
    if "/" in text:
        return UnixAddress(text.removeprefix("unix:"))
    match = _HOST_PORT.fullmatch(text.removeprefix("tcp:"))
    if match is None:
        raise BadSettings(f"{text!r} is no AgentX address: expected {ADDRESS}")
    bracketed, host, port = match.groups()
    if len(port) > 5 or not 0 < int(port) < 65536:
        raise BadSettings(f"{text!r} is no AgentX address: a port is 1 to 65535")
    return TCPAddress(bracketed or host, int(port))


def an_address(value: Value) -> UnixAddress | TCPAddress:
    """A unix socket, or a host and a port."""
    text = value.text(ADDRESS)
    try:
        return parse_address(text)
    except BadSettings as error:
        raise value.refused(str(error)) from error


# --- MIBs and CPUs -------------------------------------------------------------------------


def some_mibs(value: Value) -> tuple[str, ...]:
    """A list of MIBS."""
    elements = value.elements()
    if not elements:
        raise value.wrong(f"a list of some of {', '.join(MIBS)}", TEXT)
    return tuple(one_of(*MIBS)(each) for each in elements)


def some_cpus(value: Value) -> Literal["auto", "any"] | tuple[int, ...]:
    """A list of CPUs, or a rule by which they are chosen."""
    rule: Parser[Literal["auto", "any"]] = one_of("auto", "any")
    elements = value.elements()
    if elements is None and value.node.tag != WHOLE:
        return rule(value)
    if not elements:
        raise value.wrong("auto, any, or a list of CPUs")
    cpu = whole(MAX_CPU, f"CPUs as whole numbers, 0 to {MAX_CPU}")
    return tuple(cpu(each) for each in elements)


# --- settings ------------------------------------------------------------------------------


class Entails(Enum):
    """What a change of a setting entails when the settings are read again."""

    NOTHING = auto()  # it is read each time it counts
    CONNECTION = auto()  # another connection to snmpd
    REPORTER = auto()  # another child that asks VPP
    ROWS = auto()  # other rows, made beside those that are shown
    STATE = auto()  # another state, and so other rows


class Flag(NamedTuple):
    """How the command line sets it too."""

    name: str
    metavar: str  # nothing where the flag is counted instead
    help: str


def _setting(
    default: D,
    parse: Parser[T],
    entails: Entails = Entails.NOTHING,
    flag: Flag | None = None,
) -> D | T:
    """A field of `Settings`; its key has `-` where the field has `_`."""
    return field(default=default, metadata={"parse": parse, "entails": entails, "flag": flag})


@dataclass(frozen=True)
class Settings:
    """All that the operator sets; paths as given, times in seconds."""

    address: UnixAddress | TCPAddress = _setting(  # noqa: RUF009 - nobody can change it
        UnixAddress("/run/agentx-dataplane/master"),
        an_address,
        Entails.CONNECTION,
        Flag("-a", "ADDRESS", "snmpd's AgentX socket: a path or host:port"),
    )
    mibs: tuple[str, ...] = _setting(MIBS, some_mibs, Entails.ROWS)
    # Between two dumps of what neither event nor segment reports.
    period: float = _setting(
        300.0,
        seconds(1),
        Entails.REPORTER,
        Flag(
            *("-p", "PERIOD"),
            "seconds between two dumps of what no event reports; counters are always read at the"
            " moment of the request",
        ),
    )
    # In which all interfaces are asked; 0: never.
    addresses: float = _setting(300.0, seconds(0), Entails.REPORTER)
    # Between two dumps where VPP reports no events; 0: never asked.
    neighbors: float = _setting(300.0, seconds(0), Entails.REPORTER)
    vppcfg: str | None = _setting(  # which every reload reads again
        None,
        a_path_or_none,
        flag=Flag("-c", "VPPCFG", "vppcfg YAML to take descriptions from"),
    )
    api_socket: str = _setting(
        "/run/vpp/api.sock",
        a_path,
        Entails.REPORTER,
        Flag("--api-socket", "PATH", "VPP's binary API socket"),
    )
    stats_socket: str = _setting(
        "/run/vpp/stats.sock",
        a_path,
        Entails.REPORTER,
        Flag("--stats-socket", "PATH", "VPP's statistics socket"),
    )
    api_dir: str = _setting(
        "/usr/share/vpp/api",
        a_path,
        Entails.REPORTER,
        Flag("--api-dir", "DIR", "VPP's *.api.json files, needed before VPP 24.06"),
    )
    state_dir: str = _setting(
        "/var/lib/vpp-snmp-agent",
        a_path,
        Entails.STATE,
        Flag("--state-dir", "DIR", "where what outlives a restart is kept"),
    )
    ifindex: Literal["kept", "stateless"] = _setting(
        "kept",
        one_of("kept", "stateless"),
        Entails.STATE,
        Flag(
            *("--ifindex", "{kept,stateless}"),
            "keep an interface's ifIndex for ever, or make it 1000 + sw_if_index",
        ),
    )
    # What a VPP that starts may take to be configured.
    settle: float = _setting(120.0, seconds(0))
    names: Literal["lcp", "vpp", "tap"] = _setting("lcp", one_of("lcp", "vpp", "tap"), Entails.ROWS)
    # None: shown where their names are served.
    taps: Literal["hide", "show"] | None = _setting(None, one_of("hide", "show"), Entails.ROWS)
    # Globs of VPP's names and of ifNames.
    hide: tuple[str, ...] = _setting(("local0",), globs, Entails.ROWS)
    alias: Literal["description", "name"] = _setting(
        "description", one_of("description", "name"), Entails.ROWS
    )
    # Of ifAlias.
    charset: Literal["utf-8", "ascii"] = _setting("utf-8", one_of("utf-8", "ascii"), Entails.ROWS)
    # Globs and Mb/s; the first that matches.
    speeds: tuple[tuple[str, int], ...] = _setting(
        (),
        by_glob(whole(MAX_SPEED, f"0 to {MAX_SPEED} whole Mb/s"), "Mb/s (`glob: number` lines)"),
        Entails.ROWS,
    )
    discards: Literal["misses", "all"] = _setting("misses", one_of("misses", "all"), Entails.ROWS)
    # Over whatever VPP zeroes, or as VPP counts.
    counters: Literal["carried", "plain"] = _setting(
        "carried", one_of("carried", "plain"), Entails.ROWS
    )
    # Globs; the first that matches.
    link_traps: tuple[tuple[str, bool], ...] = _setting(
        (), by_glob(enabled, "enabled or disabled (`glob: enabled` lines)"), Entails.ROWS
    )
    # To run on; auto: not VPP's workers'.
    cpus: Literal["auto", "any"] | tuple[int, ...] = _setting("auto", some_cpus)
    # That VPP hangs or is away.
    vpp_traps: Literal["enabled", "disabled"] = _setting("enabled", one_of("enabled", "disabled"))
    # 1: debug log, 2: every PDU too.
    debug: int = _setting(
        0,
        whole(2, "0, 1 or 2"),
        flag=Flag("-d", "", "debug log; -dd: every AgentX PDU too"),
    )

    @property
    def shows_taps(self) -> bool:
        """Whether the TAPs of LCP pairs are rows."""
        return (self.taps or ("show" if self.names == "tap" else "hide")) == "show"

    def entailing(self, *what: Entails) -> dict[str, Any]:
        """By field, the values of which a change entails one of these."""
        return {
            each.field: getattr(self, each.field)
            for each in SETTINGS.values()
            if each.entails in what
        }


class Setting(NamedTuple):
    """What is declared of a field of `Settings`, for whoever goes over all of them."""

    field: str
    default: Any
    parse: Parser[Any]
    entails: Entails
    flag: Flag | None

    @property
    def default_text(self) -> str:
        """Its default, as people read it."""
        if self.default is None:
            return "none"
        return f"{self.default:g}" if isinstance(self.default, float) else str(self.default)


SETTINGS: Mapping[str, Setting] = {
    each.name.replace("_", "-"): Setting(each.name, each.default, **each.metadata)
    for each in fields(Settings)
}


# --- the file ------------------------------------------------------------------------------


def load_settings(path: str | None, flags: Mapping[str, Any]) -> Settings:
    """The settings of a file, except the fields of `Settings` that `flags` holds.

    None means SETTINGS_FILE, or the defaults where that is not there.  Raises BadSettings.
    """
    name = SETTINGS_FILE if path is None else path
    try:
        text = read_file(name)
    except FileNotFoundError as error:
        if path is not None:
            raise BadSettings(f"{path}: there is no such file") from error
        text = b""
    return Settings(**(parse_settings(text, name) | dict(flags)))


def parse_settings(text: bytes, path: str) -> dict[str, Any]:
    """What the text of a settings file sets, by field of `Settings`.  Raises BadSettings."""
    with document_of(text, path) as document:
        root = document.root
        if root is None or root.tag == NULL:
            return {}
        if not isinstance(root, yaml.MappingNode):
            raise document.wrong(
                root, f"expected the file as a mapping (`key: value` lines); got {got(root)}"
            )
        found = {}
        for key, node in entries(document, root, "key"):
            setting = SETTINGS.get(key.value)
            if setting is None:
                hint = did_you_mean(key.value, SETTINGS)
                raise document.wrong(key, f"unknown key {shown(key.value)}{hint}")
            found[setting.field] = setting.parse(Value(node, key.value, document))
        return found
