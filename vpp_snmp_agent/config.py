"""The operator's files: descriptions from the vppcfg YAML.  The only importer of yaml.

A file that cannot be used is `BadSettings`, which says file, line and what was expected.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import yaml

_NULL = "tag:yaml.org,2002:null"  # nothing, `~`, `null`; not what stands in quotes
_SECTIONS = ("bondethernets", "loopbacks", "taps", "vxlan_tunnels")

DEEPEST = 100  # levels; vppcfg's own files have six


class _Shallow:
    """A limit to nesting: libyaml's loader has none, and would end the process."""

    _depth = 0

    def descend_resolver(self, current_node: yaml.Node | None, current_index: object) -> None:
        """A node begins."""
        self._depth += 1
        if current_node and self._depth > DEEPEST:
            raise yaml.MarkedYAMLError(
                problem=f"expected at most {DEEPEST} levels", problem_mark=current_node.start_mark
            )

    def ascend_resolver(self) -> None:
        """A node ends."""
        self._depth -= 1


# libyaml where PyYAML was built with it: ten thousand sub-interfaces are no rarity.
_Loader: type[yaml.SafeLoader] = type(
    "_Loader", (_Shallow, getattr(yaml, "CSafeLoader", yaml.SafeLoader)), {}
)


class BadSettings(Exception):
    """A file that the operator wrote cannot be used; the text says where and why."""


@dataclass(frozen=True)
class Descriptions:
    """What the operator calls each interface, by VPP's name for it."""

    by_name: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def of(self, interface_name: str) -> str:
        """The description, or nothing."""
        return self.by_name.get(interface_name, "")


def load_descriptions(path: str) -> Descriptions:
    """The descriptions of a vppcfg file, of vppcfg's own form or the older flat one.

    Raises FileNotFoundError where there is no such file, else BadSettings.
    """
    try:
        text = Path(path).read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise BadSettings(f"{path}: {error.strerror}") from error
    return parse_descriptions(text, path)


def parse_descriptions(text: bytes, path: str) -> Descriptions:
    """The descriptions in the text of a vppcfg file.  Raises BadSettings."""
    try:
        loader = _Loader(text)
        try:
            root = loader.get_single_node()
            return Descriptions(MappingProxyType(_Walk(path, loader).descriptions(root)))
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        begun = error.context_mark  # where an open quote stands, not where the file ends
        context = f"{error.context} (line {begun.line + 1}): " if begun else ""
        raise BadSettings(f"{path}{line}: this is no YAML: {context}{error.problem}") from error
    except yaml.reader.ReaderError as error:
        number = text.count(b"\n", 0, error.position) + 1
        raise BadSettings(f"{path}:{number}: expected text in UTF-8: {error.reason}") from error
    except RecursionError as error:
        raise BadSettings(f"{path}: expected fewer merges within merges") from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        problem = " ".join(str(error).split())
        raise BadSettings(f"{path}: this is no YAML: {problem}") from error


class _Walk:
    """One pass over the nodes of one file."""

    def __init__(self, path: str, loader: yaml.SafeLoader) -> None:
        self._path = path
        self._loader = loader

    def _wrong(self, node: yaml.Node, expected: str) -> BadSettings:
        return BadSettings(f"{self._path}:{node.start_mark.line + 1}: expected {expected}")

    def _mapping(self, node: yaml.Node | None, what: str) -> Iterator[tuple[str, yaml.Node]]:
        """The entries of a mapping; none of an empty value."""
        if node is None or node.tag == _NULL:
            return
        if not isinstance(node, yaml.MappingNode):
            raise self._wrong(node, f"{what} as a mapping (`name: value` lines)")
        self._loader.flatten_mapping(node)
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self._wrong(key, f"a name in {what}")
            yield key.value, value

    def _text(self, node: yaml.Node, what: str = "a description") -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise self._wrong(node, f"{what} as text on one line")
        text = "" if node.tag == _NULL else " ".join(node.value.split())
        return text.encode(errors="replace").decode()  # half a surrogate pair is no text

    def descriptions(self, root: yaml.Node | None) -> dict[str, str]:
        """By interface name, strongest last: facts of vppcfg 1.2.4's own order."""
        top = dict(self._mapping(root, "the file"))
        found = dict(self._bridge_domains(top.get("bridgedomains")))
        for section in reversed(_SECTIONS):
            for name, entry in self._mapping(top.get(section), section):
                found.update(self._own(name, entry))
        subs: dict[str, str] = {}
        for name, entry in self._mapping(top.get("interfaces"), "interfaces"):
            found.update(self._own(name, entry))
            fields = dict(self._mapping(entry, name))
            what = f"the sub-interfaces of {name}"
            for number, sub in self._mapping(fields.get("sub-interfaces"), what):
                subs.update(self._own(f"{name}.{number}", sub))
        return found | subs

    def _own(self, name: str, entry: yaml.Node) -> Iterator[tuple[str, str]]:
        for key, value in self._mapping(entry, name):
            if key == "description" and (text := self._text(value)):
                yield name, text

    def _bridge_domains(self, section: yaml.Node | None) -> Iterator[tuple[str, str]]:
        """A bridge domain's description is its BVI's, where that has none."""
        for name, entry in self._mapping(section, "bridgedomains"):
            fields = dict(self._mapping(entry, name))
            if "bvi" in fields and "description" in fields:
                bvi = self._text(fields["bvi"], "an interface's name")
                text = self._text(fields["description"])
                if bvi and text:
                    yield bvi, text


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
        raise BadSettings(f"{text!r} is no AgentX address: expected /path/of/socket or host:port")
    bracketed, host, port = match.groups()
    if len(port) > 5 or not 0 < int(port) < 65536:
        raise BadSettings(f"{text!r} is no AgentX address: a port is 1 to 65535")
    return TCPAddress(bracketed or host, int(port))


@dataclass(frozen=True)
class Settings:
    """All that the operator sets; paths as given, `period` in seconds."""

    address: UnixAddress | TCPAddress = UnixAddress("/run/agentx-dataplane/master")
    period: float = 30.0
    vppcfg: str | None = None
    api_socket: str = "/run/vpp/api.sock"
    stats_socket: str = "/run/vpp/stats.sock"
    api_dir: str = "/usr/share/vpp/api"
    state_dir: str = "/var/lib/vpp-snmp-agent"
    trace: bool = False  # every PDU into the log
