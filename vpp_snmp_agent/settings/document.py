"""One YAML document that the operator wrote, within limits; the only importer of yaml.

A file that cannot be used is `BadSettings`, which says file, line and what was expected.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

MAX_DEPTH = 100  # levels; vppcfg's own files have six
MAX_ENTRIES = 1_000_000  # entries of mappings, each time they are read or merged

YAML = "tag:yaml.org,2002:"
NULL = f"{YAML}null"  # nothing, `~`, `null`; not what stands in quotes
TEXT, WHOLE, NUMBER = f"{YAML}str", f"{YAML}int", f"{YAML}float"


class BadSettings(Exception):
    """A file that the operator wrote cannot be used; the text says where and why."""


class _Bounded(yaml.constructor.SafeConstructor):
    """Limits that PyYAML has not: to nesting, which would end the process in libyaml's loader,
    and to entries, which aliases and merges multiply without end.
    """

    _depth = 0
    _entries = 0

    def descend_resolver(self, current_node: yaml.Node | None, current_index: object) -> None:
        """A node begins."""
        self._depth += 1
        if current_node and self._depth > MAX_DEPTH:
            raise yaml.MarkedYAMLError(
                problem=f"expected at most {MAX_DEPTH} levels", problem_mark=current_node.start_mark
            )

    def ascend_resolver(self) -> None:
        """A node ends."""
        self._depth -= 1

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Merge into a mapping what it says; for each mapping that is merged, so too."""
        super().flatten_mapping(node)
        self._entries += len(node.value)
        if self._entries > MAX_ENTRIES:
            raise yaml.MarkedYAMLError(
                problem=f"expected at most {MAX_ENTRIES} entries, repeated and merged ones too",
                problem_mark=node.start_mark,
            )


# libyaml where PyYAML was built with it: ten thousand sub-interfaces are no rarity.
_Loader: type[yaml.SafeLoader] = type(
    "_Loader", (_Bounded, getattr(yaml, "CSafeLoader", yaml.SafeLoader)), {}
)


@dataclass(frozen=True)
class Document:
    """One file's YAML while it is read; `root` is None where nothing is written."""

    path: str
    loader: yaml.SafeLoader
    root: yaml.Node | None

    def wrong(self, node: yaml.Node, what: str) -> BadSettings:
        """What is wrong at a node."""
        return BadSettings(f"{self.path}:{node.start_mark.line + 1}: {what}")


@contextlib.contextmanager
def document_of(text: bytes, path: str) -> Iterator[Document]:
    """A file's text, as YAML.  Raises BadSettings, also for what the walk over it finds."""
    try:
        loader = _Loader(text)
        try:
            yield Document(path, loader, loader.get_single_node())
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        begun = error.context_mark  # where an open quote stands, not where the file ends
        context = f"{error.context} (line {begun.line + 1}): " if begun else ""
        problem = f"{context}{error.problem}"
        hint = "; text that begins with `*` stands in quotes" if "alias" in problem else ""
        raise BadSettings(f"{path}{line}: this is no YAML: {problem}{hint}") from error
    except yaml.reader.ReaderError as error:
        number = text.count(b"\n", 0, error.position) + 1
        raise BadSettings(f"{path}:{number}: expected text in UTF-8: {error.reason}") from error
    except RecursionError as error:
        raise BadSettings(f"{path}: expected fewer merges within merges") from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        problem = " ".join(str(error).split())
        raise BadSettings(f"{path}: this is no YAML: {problem}") from error


def read_file(path: str) -> bytes:
    """What is in a file.  Raises FileNotFoundError where there is none, else BadSettings."""
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise BadSettings(f"{path}: {error.strerror}") from error
