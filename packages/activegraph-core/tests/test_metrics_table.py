"""The table of metrics, and the backend that does nothing."""

from __future__ import annotations

import pytest
from activegraph.metrics import (
    METRIC_BY_NAME,
    METRIC_NAMES,
    Metrics,
    MetricSpec,
    NoOpMetrics,
    validate_cardinality_rule,
)

UNITS = {"counter": ("_total",), "histogram": ("_seconds", "_usd", "_in", "_out"), "gauge": ("",)}


def test_there_are_exactly_twenty_metrics_of_distinct_names() -> None:
    assert len(METRIC_NAMES) == 20
    assert len(METRIC_BY_NAME) == 20
    assert [METRIC_BY_NAME[spec.name] for spec in METRIC_NAMES] == list(METRIC_NAMES)


@pytest.mark.parametrize("spec", METRIC_NAMES, ids=lambda spec: spec.name)
def test_a_name_ends_in_the_unit_of_its_kind(spec: MetricSpec) -> None:
    assert spec.name.startswith("activegraph_")
    assert spec.name.endswith(UNITS[spec.kind])
    assert set(spec.tags) <= {"event_type", "behavior", "tool", "model", "reason", "run_id"}
    assert spec.description.endswith(".")


def test_the_table_keeps_the_rule_that_only_gauges_count_by_run() -> None:
    validate_cardinality_rule()


@pytest.mark.parametrize("kind", ["counter", "histogram"])
def test_a_series_per_run_is_refused_by_name(kind: str) -> None:
    growing = MetricSpec("activegraph_growing_total", kind, ("run_id",), "Grows.")  # type: ignore[arg-type]

    with pytest.raises(AssertionError, match=r"activegraph_growing_total.*run_id"):
        validate_cardinality_rule((growing,))


def test_a_gauge_may_have_a_series_per_run() -> None:
    validate_cardinality_rule((MetricSpec("activegraph_left", "gauge", ("run_id",), "Is left."),))


def test_the_backend_that_does_nothing_is_a_backend() -> None:
    metrics = NoOpMetrics()

    assert isinstance(metrics, Metrics)
    assert metrics.counter("x", {}) is None  # type: ignore[func-returns-value]
    assert metrics.histogram("x", {}, 1.0) is None  # type: ignore[func-returns-value]
    assert metrics.gauge("x", {}, 1.0) is None  # type: ignore[func-returns-value]
    assert not hasattr(metrics, "__dict__")
