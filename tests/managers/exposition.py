"""What snmp_exporter says, and what its modules and the expressions of others can ask for."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import yaml

MANAGERS = Path(__file__).resolve().parents[2] / "docs" / "managers"
PROMETHEUS = MANAGERS / "prometheus"
SNMP, RULES, SCRAPES = (PROMETHEUS / name for name in ("snmp.yml", "rules.yml", "prometheus.yml"))
DASHBOARD = MANAGERS / "grafana" / "vpp-router.json"

# Of Prometheus's own: by which target, and whether it answers.
TARGET_LABELS = frozenset({"instance", "job"})
ALWAYS = frozenset({"up"})

SAMPLE = re.compile(r"(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
ESCAPED = {"n": "\n", "\\": "\\", '"': '"'}


class Sample(NamedTuple):
    """A line of the exposition format."""

    name: str
    labels: dict[str, str]
    value: float


def samples(text: str) -> Iterator[Sample]:
    """What the text format of Prometheus says, but for its comments."""
    for line in text.splitlines():
        if line and not line.startswith("#"):
            found = SAMPLE.fullmatch(line)
            if found is None:
                raise ValueError(f"no line of the exposition format: {line}")
            labels = {
                name: re.sub(r"\\(.)", lambda each: ESCAPED[each[1]], value)
                for name, value in LABEL.findall(found["labels"] or "")
            }
            yield Sample(found["name"], labels, float(found["value"]))


def module_metrics(module: str) -> dict[str, frozenset[str]]:
    """The metrics of a module of snmp.yml, and the labels of each, as snmp_exporter names them."""
    found = {}
    for metric in yaml.safe_load(SNMP.read_text())[module]["metrics"]:
        name, labels = metric["name"], set()
        for part in ("indexes", "lookups"):
            labels |= {each["labelname"] for each in metric.get(part, ())}
        if metric["type"] in ("DisplayString", "OctetString", "EnumAsInfo", "EnumAsStateSet"):
            labels.add(name)
        if metric["type"] == "EnumAsInfo":
            name += "_info"
        found[name] = frozenset(labels)
    return found


def modules() -> list[str]:
    """Those of snmp.yml."""
    return list(yaml.safe_load(SNMP.read_text()))


@dataclass(frozen=True)
class Query:
    """An expression of PromQL, and what else names labels of its result."""

    origin: str  # for people
    expression: str
    texts: tuple[str, ...] = ()  # templates of Prometheus and of Grafana

    @property
    def metrics(self) -> set[str]:
        """The metrics that it names."""
        return {name for name in _words(_without_labels(self.expression)) if name not in _KEYWORDS}

    @property
    def labels(self) -> set[str]:
        """The labels that it names."""
        bare = _BRACES.sub(" ", _STRINGS.sub("", self.expression))
        found = {name for each in _LABEL_LISTS.findall(bare) for name in _NAME.findall(each)}
        for each in _BRACES.findall(_STRINGS.sub('""', self.expression)):
            found |= set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", each))
        for text in self.texts:
            found |= set(re.findall(r"\$labels\.(\w+)", text))
            found |= set(re.findall(r"\{\{\s*(\w+)\s*\}\}", text)) - _TEMPLATE_WORDS
        return found


_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"')
_BRACES = re.compile(r"\{[^{}]*\}")
_RANGES = re.compile(r"\[[^\]]*\]")
_LABEL_LISTS = re.compile(r"\b(?:on|ignoring|by|without|group_left|group_right)\s*\(([^)]*)\)")
_NAME = re.compile(r"[a-zA-Z_]\w*")
_TEMPLATE_WORDS = frozenset({"else", "end"})
_KEYWORDS = frozenset({"and", "or", "unless", "bool", "offset"})


def _without_labels(expression: str) -> str:
    for pattern in (_STRINGS, _RANGES, _BRACES, _LABEL_LISTS):
        expression = pattern.sub(" ", expression)
    return expression


def _words(expression: str) -> list[str]:
    """The names in it that are no functions."""
    return re.findall(r"(?<![\w:.$])([a-zA-Z_:][\w:]*)(?![\w:]|\s*\()", expression)


def rules() -> list[dict[str, Any]]:
    """The rules of rules.yml."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def rule_queries() -> list[Query]:
    """The expressions of the rules."""
    return [
        Query(
            f"rule {rule.get('alert') or rule['record']}",
            rule["expr"],
            tuple(rule.get("annotations", {}).values()),
        )
        for rule in rules()
    ]


def panels() -> list[dict[str, Any]]:
    """The panels of the dashboard that ask for something."""
    return [panel for panel in json.loads(DASHBOARD.read_text())["panels"] if "targets" in panel]


def dashboard_queries() -> list[Query]:
    """The expressions of the dashboard: of panels, annotations and variables."""
    dashboard = json.loads(DASHBOARD.read_text())
    found = [
        Query(f"panel {panel['title']}", target["expr"], (target["legendFormat"],))
        for panel in panels()
        for target in panel["targets"]
    ]
    found += [
        Query(f"annotation {each['name']}", each["expr"])
        for each in dashboard["annotations"]["list"]
    ]
    for variable in dashboard["templating"]["list"]:
        asked = re.fullmatch(r"label_values\((.*), (\w+)\)", variable.get("definition", ""))
        if asked:
            origin = f"variable {variable['name']}"
            found.append(Query(origin, asked[1], (f"{{{{{asked[2]}}}}}",)))
    return found
