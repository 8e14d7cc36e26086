"""The operator's files as tests write them: read with and without libyaml, refused, damaged."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import strategies as st

from vpp_snmp_agent.settings import document
from vpp_snmp_agent.settings.declarations import parse_settings
from vpp_snmp_agent.settings.document import BadSettings
from vpp_snmp_agent.settings.vppcfg import parse_descriptions

# Python's own and libyaml's word some problems differently.
LOADERS: list[type[yaml.SafeLoader]] = [
    type(name, (document._Bounded, getattr(yaml, name)), {})
    for name in ("SafeLoader", "CSafeLoader")
    if hasattr(yaml, name)
]


@contextlib.contextmanager
def loading_with(loader: type[yaml.SafeLoader]) -> Iterator[None]:
    """Read YAML by this loader."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(document, "_Loader", loader)
        yield


loaders = st.sampled_from(LOADERS)


def damaged(text: str) -> st.SearchStrategy[bytes]:
    """A text in which some places are cut out or overwritten."""
    whole = text.encode()
    cuts = st.tuples(st.integers(0, len(whole)), st.integers(0, 12), st.binary(max_size=6))

    def cut(mutations: list[tuple[int, int, bytes]]) -> bytes:
        left = whole
        for at, length, instead in mutations:
            left = left[:at] + instead + left[at + length :]
        return left

    return st.lists(cuts, min_size=1, max_size=5).map(cut)


def descriptions(text: str | bytes) -> dict[str, str]:
    """All descriptions in the text of a vppcfg, by name."""
    raw = text.encode() if isinstance(text, str) else text
    return dict(parse_descriptions(raw, "vppcfg.yaml").by_name)


def refusal_of_vppcfg(text: str | bytes) -> str:
    """What is said about a vppcfg that is refused."""
    with pytest.raises(BadSettings) as caught:
        descriptions(text)
    return str(caught.value)


def set_by(text: str | bytes) -> dict[str, Any]:
    """What a settings file sets."""
    return parse_settings(text.encode() if isinstance(text, str) else text, "agent.yaml")


def refusal(text: str | bytes) -> str:
    """What is said about a settings file that is refused."""
    with pytest.raises(BadSettings) as caught:
        set_by(text)
    return str(caught.value)
