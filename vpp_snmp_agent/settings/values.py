"""What may stand under a key of the settings file, or behind a flag, and what is made of it.

The rules this module keeps:

- A value is taken for what YAML says it is: of what could be misread nothing is guessed.
- A file and a flag refuse the same value in the same words: what was expected, and what there
  is.  A file adds itself, the line and the key; a flag is named by argparse.
"""

import difflib
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

import yaml

from .document import NULL, NUMBER, TEXT, WHOLE, BadSettings, Document

MAX_SECONDS = 86400  # seconds that a setting may last: a day

T = TypeVar("T")

_KINDS = {
    TEXT: "the text ",
    WHOLE: "the number ",
    NUMBER: "the number ",
    "tag:yaml.org,2002:bool": "the boolean ",
    "tag:yaml.org,2002:timestamp": "the date ",
}
_WORD = "a word of the command line"  # instead of a tag: a shell knows no types

# Of YAML's ways to write a number the one that cannot be misread: its 010 is eight.
_PLAIN_NUMBER = re.compile(r"(0|[1-9][0-9]*)(\.[0-9]+)?")


def shown(text: str) -> str:
    """What the operator wrote, on one line."""
    if not text:
        return '`""`'
    text = text if text.isprintable() else repr(text)[1:-1]
    return f"`{text if len(text) <= 60 else text[:60] + '...'}`"


def got(node: yaml.Node, *expected: str) -> str:
    """What stands there instead; with its kind, unless it has one of the expected tags."""
    if not isinstance(node, yaml.ScalarNode):
        kind = "list" if isinstance(node, yaml.SequenceNode) else "mapping"
        return f"a {kind}" if node.value else f"an empty {kind}"
    if node.tag == NULL:
        return "nothing"
    if not node.value:
        return "an empty text"
    has_no_kind = node.tag in (_WORD, *expected)
    kind = "" if has_no_kind else _KINDS.get(node.tag, f"a {shown(node.tag)}, ")
    return kind + shown(node.value)


def did_you_mean(text: str, known: Collection[str]) -> str:
    """The nearest of what is known, if any is near."""
    near = difflib.get_close_matches(text.lower(), known, 1)
    return f"; did you mean `{near[0]}`?" if near else ""


@dataclass(frozen=True)
class Value:
    """What stands under a key, to be judged by the tag that YAML gave it, or behind a flag."""

    node: yaml.Node
    key: str = ""
    document: Document | None = None  # None: of a flag, which argparse names in a refusal

    def refused(self, why: str) -> BadSettings:
        """This value cannot be used."""
        if self.document is None:
            return BadSettings(why)
        return self.document.wrong(self.node, f"{self.key}: {why}")

    def wrong(self, expected: str, *tags: str, hint: str = "") -> BadSettings:
        """Something else, or something of the expected tags that is out of bounds."""
        return self.refused(f"expected {expected}; got {got(self.node, *tags)}{hint}")

    def text(self, expected: str) -> str:
        """Text that is not empty, on one line."""
        if isinstance(self.node, yaml.ScalarNode) and self.node.tag in (TEXT, _WORD):
            text: str = self.node.value
            if text.strip() and text.isprintable():
                return text
        raise self.wrong(expected, TEXT)

    def number(self, least: int, most: int, expected: str, *tags: str) -> float:
        """A number within bounds, of one of the tags."""
        if isinstance(self.node, yaml.ScalarNode) and self.node.tag in (_WORD, *tags):
            text = self.node.value
            if _PLAIN_NUMBER.fullmatch(text) and least <= float(text) <= most:
                return float(text)
        raise self.wrong(expected, WHOLE, NUMBER)

    def elements(self) -> "list[Value] | None":
        """Those of a list; None where this is no list."""
        if not isinstance(self.node, yaml.SequenceNode):
            return None
        return [replace(self, node=each) for each in self.node.value]


def word(text: str) -> Value:
    """What stands behind a flag."""
    return Value(yaml.ScalarNode(_WORD, text))


# What makes a setting of a value, or raises BadSettings.
Parser = Callable[[Value], T]


def a_path(value: Value) -> str:
    """A path, which need not be there."""
    return value.text("a path")


def a_path_or_none(value: Value) -> str | None:
    """A path; in a file there is a way to say that there is none."""
    if value.document is None:
        return a_path(value)
    return None if value.node.tag == NULL else value.text("a path, or `~` for none")


def seconds(least: int) -> Parser[float]:
    """Seconds, `least` to MAX_SECONDS."""
    expected = f"{least} to {MAX_SECONDS} seconds"
    return lambda value: value.number(least, MAX_SECONDS, expected, WHOLE, NUMBER)


def whole(most: int, expected: str) -> Parser[int]:
    """A whole number, 0 to `most`."""
    return lambda value: int(value.number(0, most, expected, WHOLE))


def one_of(*choices: T) -> Parser[T]:
    """One of several words."""
    known = {str(each): each for each in choices}
    expected = f"one of {', '.join(known)}"

    def choice(value: Value) -> T:
        text = value.text(expected)
        if text not in known:
            raise value.wrong(expected, TEXT, hint=did_you_mean(text, known))
        return known[text]

    return choice


def enabled(value: Value) -> bool:
    """`enabled` or `disabled`."""
    return one_of("enabled", "disabled")(value) == "enabled"


def globs(value: Value) -> tuple[str, ...]:
    """A list of globs, or of none."""
    elements = value.elements()
    if elements is None:
        node = value.node
        text = isinstance(node, yaml.ScalarNode) and node.tag == TEXT and node.value.strip()
        hint = f"; did you mean {shown(f'[ {value.node.value} ]')}?" if text else ""
        raise value.wrong("a list of globs", TEXT, hint=hint)
    return tuple(_glob(each) for each in elements)


def _glob(value: Value) -> str:
    return value.text("globs as text")


def by_glob(parse: Parser[T], expected: str) -> Parser[tuple[tuple[str, T], ...]]:
    """A mapping of globs to such values, in the order of the file."""

    def pairs(value: Value) -> tuple[tuple[str, T], ...]:
        if value.document is None or not isinstance(value.node, yaml.MappingNode):
            raise value.wrong(f"a mapping of globs to {expected}")
        found = []
        for key, node in entries(value.document, value.node, "glob"):
            glob = _glob(replace(value, node=key))
            of_glob = replace(value, node=node, key=f"{value.key}: {shown(glob)}")
            found.append((glob, parse(of_glob)))
        return tuple(found)

    return pairs


def entries(
    document: Document, node: yaml.MappingNode, what: str
) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
    """The entries of a mapping, each key once; `<<` is a key as any: there is nothing to merge."""
    lines: dict[str, int] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise document.wrong(key, f"expected a {what}; got {got(key)}")
        if key.value in lines:
            first = f"the first is in line {lines[key.value]}"
            raise document.wrong(key, f"duplicate {what} {shown(key.value)}; {first}")
        lines[key.value] = key.start_mark.line + 1
        yield key, value
