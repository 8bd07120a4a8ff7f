"""The rule on cardinality, and the conventions for tags."""

from __future__ import annotations

import pytest
from activegraph.conformance import MetricsConformance
from activegraph.conformance.recording import RecordingMetrics
from activegraph.metrics import MetricSpec, validate_cardinality_rule
from activegraph.observability import METRIC_NAMES, PrometheusMetrics
from prometheus_client import CollectorRegistry
from support.busy_run import RUN, SECRET, busy_run


@pytest.fixture(scope="module")
def emitted() -> RecordingMetrics:
    """What a busy run emits."""
    metrics = RecordingMetrics()
    busy_run(metrics=metrics)
    return metrics


def test_run_id_is_a_tag_of_gauges_of_active_state(emitted: RecordingMetrics) -> None:
    with_run_id = {name for _, name, tags, _ in emitted.calls if "run_id" in tags}

    assert with_run_id == {"activegraph_budget_cost_remaining_usd", "activegraph_budget_events_remaining"}


def test_run_id_is_no_tag_of_a_counter_or_a_histogram(emitted: RecordingMetrics) -> None:
    assert {kind for kind, _, tags, _ in emitted.calls if "run_id" in tags} == {"gauge"}
    assert [spec for spec in METRIC_NAMES if spec.kind != "gauge" and "run_id" in spec.tags] == []


def test_a_metric_that_breaks_the_rule_is_found() -> None:
    validate_cardinality_rule()
    for kind in ("counter", "histogram"):
        with pytest.raises(AssertionError, match=r"shop_sales.*run_id"):
            validate_cardinality_rule([MetricSpec("shop_sales", kind, ("run_id",), "Sales.")])


def test_the_budget_gauges_live_only_as_long_as_the_run() -> None:
    registry = CollectorRegistry()
    runtime = busy_run(metrics=PrometheusMetrics(registry))
    shown = {"run_id": RUN}
    assert registry.get_sample_value("activegraph_budget_events_remaining", shown) is not None
    assert registry.get_sample_value("activegraph_budget_cost_remaining_usd", shown) is not None

    runtime.close()

    assert registry.get_sample_value("activegraph_budget_events_remaining", shown) is None
    assert registry.get_sample_value("activegraph_budget_cost_remaining_usd", shown) is None


def test_the_conformance_suite_holds_a_backend_to_the_rule() -> None:
    """On what a run really emits; that a backend which counts by run fails it is a test of the suite."""
    assert "test_metrics_11_cardinality_is_bounded" in dir(MetricsConformance)


def test_ten_runs_make_no_more_series_than_one() -> None:
    def series(runs: int) -> int:
        registry = CollectorRegistry()
        metrics = PrometheusMetrics(registry)
        for _ in range(runs):
            busy_run(metrics=metrics).close()
        return sum(len(family.samples) for family in registry.collect())

    assert series(10) == series(1)


def test_tag_keys_are_the_standard_ones(emitted: RecordingMetrics) -> None:
    keys = {key for _, _, tags, _ in emitted.calls for key in tags}

    assert keys <= {"event_type", "behavior", "tool", "model", "reason", "run_id"}


def test_a_cache_hit_is_a_counter_of_its_own_and_no_tag(emitted: RecordingMetrics) -> None:
    assert "cache_hit" not in {key for _, _, tags, _ in emitted.calls for key in tags}
    assert {"activegraph_llm_cache_hits_total", "activegraph_tools_cache_hits_total"} <= {s.name for s in METRIC_NAMES}


def test_every_tag_is_text_and_none_tells_what_a_user_typed(emitted: RecordingMetrics) -> None:
    values = {value for _, _, tags, _ in emitted.calls for value in tags.values()}

    assert all(isinstance(value, str) for value in values)
    assert not [value for value in values if SECRET in value or value.startswith("evt_")]


def test_tags_of_ones_own_are_taken() -> None:
    registry = CollectorRegistry()

    PrometheusMetrics(registry).counter("shop_sales_total", {"region": "north"})

    assert registry.get_sample_value("shop_sales_total", {"region": "north"}) == 1.0
