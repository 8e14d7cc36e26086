"""Descriptions of interfaces, from the YAML file that vppcfg applies to VPP."""

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import yaml

from .document import NULL, WHOLE, YAML, BadSettings, Document, document_of, read_file

_SECTIONS = ("bondethernets", "loopbacks", "taps", "vxlan_tunnels")


@dataclass(frozen=True)
class Descriptions:
    """What the operator calls each interface, by VPP's name for it."""

    by_name: Mapping[str, str] = field(default_factory=dict)

    def of(self, interface_name: str) -> str:
        """The description, or nothing."""
        return self.by_name.get(interface_name, "")


def load_descriptions(path: str) -> Descriptions:
    """The descriptions of a vppcfg file, of vppcfg's own form or the older flat one.

    Raises FileNotFoundError where there is no such file, else BadSettings.
    """
    return parse_descriptions(read_file(path), path)


def parse_descriptions(text: bytes, path: str) -> Descriptions:
    """The descriptions in the text of a vppcfg file.  Raises BadSettings."""
    with document_of(text, path) as document:
        return Descriptions(_DescriptionsWalk(document).descriptions())


class _DescriptionsWalk:
    """One pass over the nodes of a vppcfg file."""

    def __init__(self, document: Document) -> None:
        self._document = document

    def _wrong(self, node: yaml.Node, expected: str) -> BadSettings:
        return self._document.wrong(node, f"expected {expected}")

    def _mapping(self, node: yaml.Node | None, what: str) -> Iterator[tuple[str, yaml.Node]]:
        """The entries of a mapping; none of an empty value."""
        if node is None or node.tag == NULL:
            return
        if not isinstance(node, yaml.MappingNode):
            raise self._wrong(node, f"{what} as a mapping (`name: value` lines)")
        self._document.loader.flatten_mapping(node)
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self._wrong(key, f"a name in {what}")
            # vppcfg reads by YAML's rules: 0100 is sub-interface 64, and 0x64 is 100.
            is_number = key.tag == WHOLE
            yield (
                str(self._document.loader.construct_object(key)) if is_number else key.value,
                value,
            )

    def _text(self, node: yaml.Node, what: str = "a description") -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise self._wrong(node, f"{what} as text on one line")
        if not node.tag.startswith(YAML) or node.tag == f"{YAML}binary":
            # `!vault`: what stands behind it is for another program, not for readers.
            raise self._wrong(node, f"{what} as text on one line; got the tag `{node.tag}`")
        text = "" if node.tag == NULL else " ".join(node.value.split())
        # Half a surrogate pair is no text, and a DisplayString has no control characters.
        text = text.encode(errors="replace").decode()
        return "".join(" " if unicodedata.category(each) == "Cc" else each for each in text)

    def descriptions(self) -> dict[str, str]:
        """By interface name, strongest last: facts of vppcfg 1.2.4's own order."""
        top = dict(self._mapping(self._document.root, "the file"))
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
