"""The settings: what each is, what it may be, and what it is by default."""

import difflib
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import yaml

from .document import NULL, NUMBER, TEXT, WHOLE, BadSettings, Document, document_of, read_file

SETTINGS_FILE = "/etc/vpp-snmp-agent/agent.yaml"  # need not be there
MAX_SECONDS = 86400  # seconds that a setting may last: a day
LAST_CPU = 8191  # NR_CPUS of Debian's kernel, less 1
MAX_SPEED = 10_000_000  # Mb/s that a setting may claim
MIBS = (
    *("IF-MIB", "IEEE8023-LAG-MIB", "EtherLike-MIB", "IP-MIB", "HOST-RESOURCES-MIB"),
    *("BRIDGE-MIB", "VPP-SNMP-AGENT-MIB"),
)


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


# --- settings ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Settings:
    """All that the operator sets; paths as given, times in seconds."""

    address: UnixAddress | TCPAddress = UnixAddress("/run/agentx-dataplane/master")
    mibs: tuple[str, ...] = MIBS
    period: float = 300.0  # between two dumps of what neither event nor segment tells
    addresses: float = 300.0  # in which all interfaces are asked; 0: never
    neighbors: float = 300.0  # between two dumps where VPP reports no events; 0: never asked
    vppcfg: str | None = None
    api_socket: str = "/run/vpp/api.sock"
    stats_socket: str = "/run/vpp/stats.sock"
    api_dir: str = "/usr/share/vpp/api"
    state_dir: str = "/var/lib/vpp-snmp-agent"
    ifindex: Literal["kept", "stateless"] = "kept"
    settle: float = 120.0  # what a VPP that starts may take to be configured
    names: Literal["lcp", "vpp", "tap"] = "lcp"
    taps: Literal["hide", "show"] | None = None  # None: shown where their names are served
    hide: tuple[str, ...] = ("local0",)  # globs of VPP's names and of ifNames
    alias: Literal["description", "name"] = "description"
    charset: Literal["utf-8", "ascii"] = "utf-8"  # of ifAlias
    speeds: tuple[tuple[str, int], ...] = ()  # globs and Mb/s; the first that matches
    discards: Literal["misses", "all"] = "misses"
    counters: Literal["carried", "plain"] = "carried"  # over whatever VPP zeroes, or as VPP counts
    link_traps: tuple[tuple[str, bool], ...] = ()  # globs; the first that matches
    cpus: Literal["auto", "any"] | tuple[int, ...] = "auto"  # to run on; auto: not VPP's workers'
    vpp_traps: Literal["enabled", "disabled"] = "enabled"  # that VPP hangs or is away
    debug: int = 0  # 1: debug log, 2: every PDU too

    @property
    def shows_taps(self) -> bool:
        """Whether the TAPs of LCP pairs are rows."""
        return (self.taps or ("show" if self.names == "tap" else "hide")) == "show"


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
                root, f"expected the file as a mapping (`key: value` lines); got {_got(root)}"
            )
        found = {}
        for key, node in _entries(document, root, "key"):
            if key.value not in _SETTINGS:
                hint = _did_you_mean(key.value, _SETTINGS)
                raise document.wrong(key, f"unknown key {_shown(key.value)}{hint}")
            value = _Value(document, key.value, node)
            found[key.value.replace("-", "_")] = _SETTINGS[key.value](value)
        return found


def _entries(
    document: Document, node: yaml.MappingNode, what: str
) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
    """The entries of a mapping, each key once; `<<` is a key as any: there is nothing to merge."""
    lines: dict[str, int] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise document.wrong(key, f"expected a {what}; got {_got(key)}")
        if key.value in lines:
            first = f"the first is in line {lines[key.value]}"
            raise document.wrong(key, f"duplicate {what} {_shown(key.value)}; {first}")
        lines[key.value] = key.start_mark.line + 1
        yield key, value


_KINDS = {
    TEXT: "the text ",
    WHOLE: "the number ",
    NUMBER: "the number ",
    "tag:yaml.org,2002:bool": "the boolean ",
    "tag:yaml.org,2002:timestamp": "the date ",
}

# Of YAML's ways to write a number the one that cannot be misread: its 010 is eight.
_PLAIN_NUMBER = re.compile(r"(0|[1-9][0-9]*)(\.[0-9]+)?")


def _shown(text: str) -> str:
    """What the operator wrote, on one line."""
    text = text if text.isprintable() else repr(text)[1:-1]
    return f"`{text if len(text) <= 60 else text[:60] + '...'}`"


def _got(node: yaml.Node, *expected: str) -> str:
    """What stands there instead; with its kind, unless it has one of the expected tags."""
    if not isinstance(node, yaml.ScalarNode):
        return "a list" if isinstance(node, yaml.SequenceNode) else "a mapping"
    if node.tag == NULL:
        return "nothing"
    kind = "" if node.tag in expected else _KINDS.get(node.tag, f"a {_shown(node.tag)}, ")
    return kind + _shown(node.value)


def _did_you_mean(text: str, known: Collection[str]) -> str:
    """The nearest of what is known, if any is near."""
    near = difflib.get_close_matches(text.lower(), known, 1)
    return f"; did you mean `{near[0]}`?" if near else ""


@dataclass(frozen=True)
class _Value:
    """What stands under a key, to be judged by the tag that YAML gave it."""

    document: Document
    key: str
    node: yaml.Node

    def wrong(self, expected: str, *tags: str, hint: str = "") -> BadSettings:
        """Something else, or something of the expected tags that is out of bounds."""
        got = _got(self.node, *tags)
        return self.document.wrong(self.node, f"{self.key}: expected {expected}; got {got}{hint}")

    def text(self, expected: str) -> str:
        """Text that is not empty, on one line."""
        if isinstance(self.node, yaml.ScalarNode) and self.node.tag == TEXT:
            text: str = self.node.value
            if text.strip() and text.isprintable():
                return text
        raise self.wrong(expected, TEXT)

    def number(self, least: int, most: int, expected: str, *tags: str) -> float:
        """A number within bounds, of one of the tags."""
        if isinstance(self.node, yaml.ScalarNode) and self.node.tag in tags:
            text = self.node.value
            if _PLAIN_NUMBER.fullmatch(text) and least <= float(text) <= most:
                return float(text)
        raise self.wrong(expected, WHOLE, NUMBER)


def _address(value: _Value) -> UnixAddress | TCPAddress:
    text = value.text(ADDRESS)
    try:
        return parse_address(text)
    except BadSettings as error:
        raise value.document.wrong(value.node, f"{value.key}: {error}") from error


def _path(value: _Value) -> str:
    return value.text("a path")


def _path_or_none(value: _Value) -> str | None:
    return None if value.node.tag == NULL else value.text("a path, or `~` for none")


def _seconds(least: int) -> Callable[[_Value], float]:
    expected = f"{least} to {MAX_SECONDS} seconds"
    return lambda value: value.number(least, MAX_SECONDS, expected, WHOLE, NUMBER)


def _one_of(*choices: str) -> Callable[[_Value], str]:
    expected = f"one of {', '.join(choices)}"

    def choice(value: _Value) -> str:
        text = value.text(expected)
        if text not in choices:
            raise value.wrong(expected, TEXT, hint=_did_you_mean(text, choices))
        return text

    return choice


def _globs(value: _Value) -> tuple[str, ...]:
    if not isinstance(value.node, yaml.SequenceNode):
        text = isinstance(value.node, yaml.ScalarNode) and value.node.tag == TEXT
        hint = f"; did you mean {_shown(f'[ {value.node.value} ]')}?" if text else ""
        raise value.wrong("a list of globs", TEXT, hint=hint)
    return tuple(replace(value, node=each).text("globs as text") for each in value.node.value)


def _mibs(value: _Value) -> tuple[str, ...]:
    if not isinstance(value.node, yaml.SequenceNode) or not value.node.value:
        raise value.wrong(f"a list of some of {', '.join(MIBS)}", TEXT)
    return tuple(_one_of(*MIBS)(replace(value, node=each)) for each in value.node.value)


def _speeds(value: _Value) -> tuple[tuple[str, int], ...]:
    if not isinstance(value.node, yaml.MappingNode):
        raise value.wrong("a mapping of globs to Mb/s (`glob: number` lines)")
    found = []
    for key, node in _entries(value.document, value.node, "glob"):
        glob = replace(value, node=key).text("globs as text")
        speed = replace(value, node=node, key=f"{value.key}: {_shown(glob)}")
        found.append((glob, int(speed.number(0, MAX_SPEED, f"0 to {MAX_SPEED} whole Mb/s", WHOLE))))
    return tuple(found)


def _link_traps(value: _Value) -> tuple[tuple[str, bool], ...]:
    if not isinstance(value.node, yaml.MappingNode):
        raise value.wrong("a mapping of globs to enabled or disabled (`glob: enabled` lines)")
    found = []
    for key, node in _entries(value.document, value.node, "glob"):
        glob = replace(value, node=key).text("globs as text")
        choice = replace(value, node=node, key=f"{value.key}: {_shown(glob)}")
        found.append((glob, _one_of("enabled", "disabled")(choice) == "enabled"))
    return tuple(found)


def _cpus(value: _Value) -> str | tuple[int, ...]:
    if not isinstance(value.node, yaml.SequenceNode):
        if isinstance(value.node, yaml.ScalarNode) and value.node.tag == WHOLE:
            raise value.wrong("auto, any, or a list of CPUs")
        return _one_of("auto", "any")(value)
    if not value.node.value:
        raise value.wrong("auto, any, or a list of CPUs")
    numbers = (replace(value, node=each) for each in value.node.value)
    expected = f"CPUs as whole numbers, 0 to {LAST_CPU}"
    return tuple(int(each.number(0, LAST_CPU, expected, WHOLE)) for each in numbers)


def _debug(value: _Value) -> int:
    return int(value.number(0, 2, "0, 1 or 2", WHOLE))


_SETTINGS: Mapping[str, Callable[[_Value], Any]] = {
    "address": _address,
    "mibs": _mibs,
    "period": _seconds(1),
    "addresses": _seconds(0),
    "neighbors": _seconds(0),
    "vppcfg": _path_or_none,
    "api-socket": _path,
    "stats-socket": _path,
    "api-dir": _path,
    "state-dir": _path,
    "ifindex": _one_of("kept", "stateless"),
    "settle": _seconds(0),
    "names": _one_of("lcp", "vpp", "tap"),
    "taps": _one_of("hide", "show"),
    "hide": _globs,
    "alias": _one_of("description", "name"),
    "charset": _one_of("utf-8", "ascii"),
    "speeds": _speeds,
    "discards": _one_of("misses", "all"),
    "counters": _one_of("carried", "plain"),
    "link-traps": _link_traps,
    "cpus": _cpus,
    "vpp-traps": _one_of("enabled", "disabled"),
    "debug": _debug,
}
