"""Alerts and dashboards name what the parts really show, and say what to do."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import promql_parser
import pytest
import yaml

from cli.engines.data import ROOT
from cli.monitoring.__main__ import FOLDER, files
from cli.monitoring.alerts import ALERTS, PAGE, TICKET, rules
from cli.monitoring.dashboards import DASHBOARDS
from tests.support.installation import Installation
from tests.support.scrapes import scrape

PARTS = ("user", "catalog", "processing", "streaming", "worker-1", "envoy")
KUBELET = {"kubelet_volume_stats_available_bytes", "kubelet_volume_stats_capacity_bytes"}
"""What Kubernetes shows, and no part of ours."""


def expressions() -> Iterator[tuple[str, str]]:
    """List every expression, with where it stands."""
    for group in rules()["spec"]["groups"]:
        for rule in group["rules"]:
            yield rule.get("alert") or rule["record"], rule["expr"]
    for dashboard in DASHBOARDS:
        for panel in dashboard.panels:
            for query in panel.queries:
                yield f"{dashboard.title}: {panel.title}", query.expression.replace("$__rate_interval", "5m")


def names(node: Any) -> set[str]:
    """Find the metrics that an expression reads."""
    found = {str(node.name)} if isinstance(node, promql_parser.VectorSelector) else set()
    for attribute in ("lhs", "rhs", "expr", "vector_selector"):
        if isinstance(below := getattr(node, attribute, None), promql_parser.Expr):
            found |= names(below)
    for argument in getattr(node, "args", ()):
        found |= names(argument)
    return found


@pytest.fixture(scope="module")
def shown(installation: Installation) -> set[str]:
    """Return the names that a running installation shows."""
    httpx.get(f"{installation.url}/v1/genres")
    httpx.get(f"{installation.url}/images/00000000-0000-7000-8000-000000000000/64.webp")
    return set().union(*(scrape(installation, part).names for part in PARTS))


def test_what_is_committed_is_what_the_code_writes():
    """`python -m cli.monitoring` changes nothing."""
    committed = {path for path in FOLDER.rglob("*") if path.name == "rules.yaml" or path.suffix == ".json"}

    assert committed == set(files())
    assert {path: path.read_text() for path in committed} == files()


@pytest.mark.parametrize(("place", "expression"), [pytest.param(*one, id=one[0]) for one in expressions()])
def test_every_expression_reads_what_a_part_shows(shown: set[str], place: str, expression: str):
    """A metric that was renamed would make an alert sleep for ever."""
    recorded = {rule["record"] for group in rules()["spec"]["groups"] for rule in group["rules"] if "record" in rule}
    read = names(promql_parser.parse(expression))

    assert read, place
    assert read - shown - recorded - KUBELET == set()


@pytest.mark.parametrize(
    ("expression", "read"),
    [
        ("histogram_quantile(0.9, sum by (le) (rate(a_bucket[5m]))) > 1 or absent(b)", {"a_bucket", "b"}),
        ('-max_over_time(a{b="c"}[1h:5m]) / on (d) (e:f offset 5m) - time()', {"a", "e:f"}),
        ("topk(3, a) and b unless c", {"a", "b", "c"}),
    ],
)
def test_the_reader_of_expressions_finds_every_metric(expression: str, read: set[str]):
    """Inside of functions, aggregations, subqueries and both sides of an operator."""
    assert names(promql_parser.parse(expression)) == read


def test_a_broken_expression_is_noticed():
    """As Prometheus would notice it, too late."""
    with pytest.raises(ValueError, match="unclosed"):
        promql_parser.parse("sum(rate(a[5m])")


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_every_alert_says_what_to_do(alert):
    """Its anchor leads to a paragraph in the operator's handbook."""
    handbook = (ROOT / "docs" / "operations.md").read_text()
    _, heading, after = handbook.partition(f"\n### {alert.name}\n")
    paragraph = after.split("\n#", 1)[0].strip()

    assert heading, f"docs/operations.md has no heading for {alert.name}"
    assert len(paragraph.split()) >= 15
    assert alert.severity in (PAGE, TICKET)
    assert alert.rule()["annotations"]["runbook_url"] == f"docs/operations.md#{alert.name.lower()}"


def test_no_paragraph_tells_of_an_alert_that_is_gone():
    """The handbook has one for each."""
    handbook = (ROOT / "docs" / "operations.md").read_text()
    headings = [line.removeprefix("### ") for line in handbook.splitlines() if line.startswith("### Spotilike")]

    assert sorted(headings) == sorted(alert.name for alert in ALERTS)


def test_names_are_unique():
    """Of alerts, of dashboards and of panels."""
    alerts, uids = [alert.name for alert in ALERTS], [dashboard.uid for dashboard in DASHBOARDS]

    assert len(set(alerts)) == len(alerts)
    assert len(set(uids)) == len(uids)
    for dashboard in DASHBOARDS:
        titles = [panel.title for panel in dashboard.panels]
        assert len(set(titles)) == len(titles)


def test_the_files_are_yaml_and_json():
    """For Prometheus' operator and for Grafana."""
    for path, text in files().items():
        read = yaml.safe_load(text) if path.suffix == ".yaml" else json.loads(text)
        assert read.get("kind", "PrometheusRule") == "PrometheusRule"
