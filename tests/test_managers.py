"""What is shipped for Prometheus and Grafana asks for nothing that snmp_exporter does not give.

`make managers-test` holds it against the managers themselves.
"""

import json
import re

import pytest
import yaml

from .managers import exposition
from .managers.exposition import (
    ALWAYS,
    DASHBOARD,
    RULES,
    SCRAPES,
    SNMP,
    TARGET_LABELS,
    Query,
    Sample,
    dashboard_queries,
    module_metrics,
    modules,
    rule_queries,
    samples,
)
from .managers.prometheus import RULES_TEST
from .test_mib_file import FILE

GIVEN = {name: labels for module in modules() for name, labels in module_metrics(module).items()}
RULE_QUERIES, DASHBOARD_QUERIES = rule_queries(), dashboard_queries()


def available() -> dict[str, frozenset[str]]:
    """Metrics and their labels: the exporter's, Prometheus's own, and what the rules record."""
    found = dict(GIVEN) | dict.fromkeys(ALWAYS, frozenset[str]())
    for rule, query in zip(exposition.rules(), RULE_QUERIES, strict=True):
        if "record" in rule:
            found[rule["record"]] = frozenset().union(*(found[each] for each in query.metrics))
    return found


AVAILABLE = available()


@pytest.mark.parametrize("query", [*RULE_QUERIES, *DASHBOARD_QUERIES], ids=lambda each: each.origin)
def test_every_metric_and_label_that_is_asked_for_is_given(query: Query) -> None:
    assert query.metrics, "it asks for nothing"
    assert query.metrics <= set(AVAILABLE)
    labels = frozenset().union(*(AVAILABLE[each] for each in query.metrics))
    assert query.labels <= labels | TARGET_LABELS


def test_a_query_names_its_metrics_and_its_labels() -> None:
    query = Query(
        "a test",
        'sum by (port) (rate(octets{job="a", name=~"$b"}[5m]) * 8) / on (card) group_left(slot)'
        " (vpp:speed:ratio * 1e6 > bool 0) unless away offset 10m",
        ("{{ $labels.alias }}", "{{title}} in"),
    )
    assert query.metrics == {"octets", "vpp:speed:ratio", "away"}
    assert query.labels == {"port", "job", "name", "card", "slot", "alias", "title"}


def test_the_exposition_format_is_read() -> None:
    text = '# HELP a B\na{b="c \\"d\\" {e}",f="g\\\\h\\n"} 1.5e+06\ni 7\n'
    assert list(samples(text)) == [
        Sample("a", {"b": 'c "d" {e}', "f": "g\\h\n"}, 1.5e6),
        Sample("i", {}, 7.0),
    ]
    with pytest.raises(ValueError, match="no line"):
        list(samples("a{ 1"))


def test_every_object_of_the_mib_is_a_metric_or_a_label_at_its_place() -> None:
    """snmp.yml is not older than the MIB; the generator itself runs in `make managers-test`."""
    readable = re.findall(
        r"^(vpp\w+) OBJECT-TYPE\n(?:(?!OBJECT-TYPE).)*?MAX-ACCESS read-only",
        FILE.read_text(),
        re.MULTILINE | re.DOTALL,
    )
    metrics = module_metrics("vpp")
    labels = frozenset().union(*metrics.values())
    assert len(readable) > 30
    assert set(readable) <= set(metrics) | labels
    for metric in yaml.safe_load(SNMP.read_text())["vpp"]["metrics"]:
        assert f"{metric['name']} OBJECT-TYPE" in FILE.read_text()


def test_a_gauge_of_64_bits_is_no_counter_to_prometheus() -> None:
    gauges = set(re.findall(r"(vpp\w+) OBJECT-TYPE\n    SYNTAX VppGauge64", FILE.read_text()))
    types = {
        metric["name"]: metric["type"]
        for metric in yaml.safe_load(SNMP.read_text())["vpp"]["metrics"]
    }
    assert len(gauges) > 5
    assert {name for name in gauges if types[name] != "gauge"} == set()


def test_no_metric_is_in_both_modules() -> None:
    """So that the name alone says which job has it."""
    first, second = (set(module_metrics(module)) for module in modules())
    assert not first & second


def test_the_jobs_are_those_that_rules_and_dashboard_go_by() -> None:
    jobs = {job["job_name"]: job for job in yaml.safe_load(SCRAPES.read_text())["scrape_configs"]}
    assert list(jobs) == modules()
    assert all(job["params"]["module"] == [name] for name, job in jobs.items())
    asked = "\n".join(each.expression for each in (*RULE_QUERIES, *DASHBOARD_QUERIES))
    assert set(re.findall(r'job="(\w+)"', asked)) == set(jobs)


def test_the_rules_are_tested_one_by_one() -> None:
    """Each alert is expected to be raised by something, and not to be by something else."""
    raised: set[str] = set()
    silent: set[str] = set()
    for test in yaml.safe_load(RULES_TEST.read_text())["tests"]:
        for each in test.get("alert_rule_test", ()):
            (raised if each["exp_alerts"] else silent).add(each["alertname"])
    alerts = {rule["alert"] for rule in exposition.rules() if "alert" in rule}
    assert raised == silent == alerts
    text = RULES_TEST.read_text()
    records = {rule["record"] for rule in exposition.rules() if "record" in rule}
    assert records - {"vpp:heap_used:ratio", "vpp:port_errors:rate5m"} == {
        record for record in records if f"expr: {record}" in text
    }


def test_an_alert_says_what_it_is_about_and_how_bad_it_is() -> None:
    alerts = [rule for rule in exposition.rules() if "alert" in rule]
    assert alerts
    for alert in alerts:
        assert "$labels.instance" in alert["annotations"]["summary"], alert
        assert alert["labels"]["severity"] in {"critical", "warning", "info"}


def test_states_are_called_what_the_mib_calls_them() -> None:
    """By their numbers, in the dashboard."""
    named = {
        metric["name"]: metric["enum_values"]
        for module in modules()
        for metric in yaml.safe_load(SNMP.read_text())[module]["metrics"]
        if "enum_values" in metric
    }
    compared = set()
    for panel in exposition.panels():
        name = panel["targets"][0]["expr"].partition("{")[0]
        for mapping in panel["fieldConfig"]["defaults"].get("mappings", ()):
            if name in named:
                said = {int(n): each["text"] for n, each in mapping["options"].items()}
                for number, text in said.items():
                    spoken = re.sub(
                        r"[A-Z]", lambda each: f" {each[0].lower()}", named[name][number]
                    )
                    assert text == spoken
                assert set(said) == set(named[name])
                compared.add(name)
    assert {"vppApiState", "vppSegmentState"} <= compared


def test_panels_neither_overlap_nor_leave_the_dashboard() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
    assert taken


def test_no_two_panels_have_the_same_number() -> None:
    numbers = [panel["id"] for panel in json.loads(DASHBOARD.read_text())["panels"]]
    assert len(set(numbers)) == len(numbers)


def test_the_package_installs_what_the_configuration_refers_to() -> None:
    [path] = yaml.safe_load(SCRAPES.read_text())["rule_files"]
    directory = "/usr/share/vpp-snmp-agent/managers/"
    assert path == directory + str(RULES.relative_to(exposition.MANAGERS))
    lines = (exposition.MANAGERS.parents[1] / "debian/vpp-snmp-agent.install").read_text()
    for shipped in (SNMP.parent, DASHBOARD.parent):
        assert f"docs/managers/{shipped.name} {directory[1:-1]}\n" in lines
