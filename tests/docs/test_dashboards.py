"""The dashboard and the alert rules speak of metrics that there are, with the tags that they have."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # the types are no dependency
from activegraph.metrics import METRIC_BY_NAME, METRIC_NAMES

OPERATE = Path(__file__).parents[2] / "docs" / "operate"
DASHBOARD: dict[str, Any] = json.loads((OPERATE / "grafana-dashboard.json").read_text())
ALERTS: dict[str, Any] = yaml.safe_load((OPERATE / "prometheus-alerts.yaml").read_text())
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
RULES: list[dict[str, Any]] = [rule for group in ALERTS["groups"] for rule in group["rules"]]

OF_SCRAPES = {"job", "instance", "le"}
"""Labels that every series has from Prometheus, or a histogram's buckets from the client."""

_SERIES = re.compile(r"(activegraph_\w+)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"')
_GROUPING = re.compile(r"\b(?:by|on)\s*\(([^)]*)\)")


def expressions() -> Iterator[tuple[str, str]]:
    """Every expression, under the name of its panel or rule."""
    for panel in PANELS:
        for target in panel["targets"]:
            yield f"panel {panel['title']}", target["expr"]
    for rule in RULES:
        yield f"rule {rule['alert']}", rule["expr"]


EXPRESSIONS = list(expressions())


def metric_of(series: str) -> str:
    """The standard metric whose exposition holds a series of this name."""
    for spec in METRIC_NAMES:
        endings = ("_bucket", "_count", "_sum") if spec.kind == "histogram" else ("",)
        if series in {f"{spec.name}{ending}" for ending in endings}:
            return spec.name
    raise AssertionError(f"{series} is no series of a standard metric")


def grouped_by(expression: str) -> set[str]:
    """Labels that an expression keeps."""
    return {name.strip() for match in _GROUPING.finditer(expression) for name in match[1].split(",")} - {""}


@pytest.mark.parametrize(("place", "expression"), EXPRESSIONS, ids=lambda value: value)
def test_an_expression_speaks_of_what_there_is(place: str, expression: str) -> None:
    tags = []
    for match in _SERIES.finditer(expression):
        own = {*METRIC_BY_NAME[metric_of(match[1])].tags, *OF_SCRAPES}
        assert set(_MATCHER.findall(match[2] or "")) <= own
        tags.append(own)

    assert tags
    assert grouped_by(expression) <= set.intersection(*tags)
    for opening, closing in ("()", "[]", "{}"):
        assert expression.count(opening) == expression.count(closing)


@pytest.mark.parametrize(("place", "expression"), EXPRESSIONS, ids=lambda value: value)
def test_counters_are_seen_as_rates_and_buckets_as_quantiles(place: str, expression: str) -> None:
    for match in _SERIES.finditer(expression):
        spec = METRIC_BY_NAME[metric_of(match[1])]
        around = expression[: match.start()]
        if spec.kind != "gauge":
            assert re.search(r"(rate|increase)\($", around), f"{match[1]} only ever grows"
        if match[1].endswith("_bucket"):
            assert "histogram_quantile(" in around


def test_the_dashboard_shows_every_metric() -> None:
    shown = {metric_of(m[1]) for panel in PANELS for t in panel["targets"] for m in _SERIES.finditer(t["expr"])}

    assert shown == set(METRIC_BY_NAME)


def test_legends_and_texts_name_labels_that_the_expression_keeps() -> None:
    kept = {panel["title"]: panel for panel in PANELS}
    for panel in kept.values():
        for target in panel["targets"]:
            named = set(re.findall(r"\{\{\s*(\w+)\s*\}\}", target["legendFormat"]))
            metrics = [METRIC_BY_NAME[metric_of(match[1])] for match in _SERIES.finditer(target["expr"])]
            grouped = grouped_by(target["expr"]) if " by (" in target["expr"] else {*metrics[0].tags, *OF_SCRAPES}
            assert named <= grouped, panel["title"]
    for rule in RULES:
        named = set(re.findall(r"\$labels\.(\w+)", json.dumps(rule["annotations"])))
        assert named <= grouped_by(rule["expr"]) | OF_SCRAPES, rule["alert"]


def test_panels_have_places_of_their_own_and_say_what_they_show() -> None:
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    for one, other in combinations(DASHBOARD["panels"], 2):
        a, b = one["gridPos"], other["gridPos"]
        apart = (
            a["x"] + a["w"] <= b["x"]
            or b["x"] + b["w"] <= a["x"]
            or a["y"] + a["h"] <= b["y"]
            or b["y"] + b["h"] <= a["y"]
        )
        assert apart, (one["title"], other["title"])
        assert a["x"] + a["w"] <= 24
    for panel in PANELS:
        assert panel["description"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    names = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    assert set(re.findall(r"\$(\w+)", json.dumps(PANELS))) - {"__rate_interval"} <= names


def test_rules_say_what_to_do() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert set(rule["annotations"]) == {"summary", "description"}
        assert re.fullmatch(r"\d+[smh]", rule.get("for", "0s"))


def test_the_page_lists_the_metrics_as_the_code_has_them() -> None:
    rows = re.findall(
        r"^\| `(activegraph_\w+)` \| (\w+) \| ([^|]*)\|", (OPERATE / "metrics.md").read_text(), re.MULTILINE
    )

    assert [(name, kind, tuple(re.findall(r"`(\w+)`", tags))) for name, kind, tags in rows] == [
        (spec.name, spec.kind, spec.tags) for spec in METRIC_NAMES
    ]


def test_the_page_lists_the_fields_as_the_code_has_them() -> None:
    from activegraph.observability import LOG_FIELDS

    table = (OPERATE / "logs.md").read_text().split("## The fields")[1].split("##")[0]
    listed = [
        name for row in re.findall(r"^\| (`[^|]*) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
    ]

    assert listed == list(LOG_FIELDS)
