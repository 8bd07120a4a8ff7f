"""The table of standard metrics: names, kinds and tags, and that a run emits each."""

from __future__ import annotations

from typing import Any

import pytest
from activegraph.conformance.recording import RecordingMetrics
from activegraph.observability import METRIC_NAMES
from support.busy_run import RUN, busy_fork, busy_run
from support.diverging import diverging_resume

GUIDE = {
    "activegraph_events_emitted_total": ("counter", ["event_type"]),
    "activegraph_behaviors_invoked_total": ("counter", ["behavior"]),
    "activegraph_behaviors_failed_total": ("counter", ["behavior", "reason"]),
    "activegraph_behaviors_duration_seconds": ("histogram", ["behavior"]),
    "activegraph_llm_calls_total": ("counter", ["model"]),
    "activegraph_llm_cache_hits_total": ("counter", ["model"]),
    "activegraph_llm_failed_total": ("counter", ["model", "reason"]),
    "activegraph_llm_tokens_in": ("histogram", ["model"]),
    "activegraph_llm_tokens_out": ("histogram", ["model"]),
    "activegraph_llm_cost_usd": ("histogram", ["model"]),
    "activegraph_tools_calls_total": ("counter", ["tool"]),
    "activegraph_tools_cache_hits_total": ("counter", ["tool"]),
    "activegraph_tools_failed_total": ("counter", ["tool", "reason"]),
    "activegraph_tools_duration_seconds": ("histogram", ["tool"]),
    "activegraph_queue_depth": ("gauge", []),
    "activegraph_budget_cost_remaining_usd": ("gauge", ["run_id"]),
    "activegraph_budget_events_remaining": ("gauge", ["run_id"]),
    "activegraph_patterns_evaluated_total": ("counter", []),
    "activegraph_patterns_evaluation_duration_seconds": ("histogram", []),
    "activegraph_replay_divergence_detected_total": ("counter", ["reason"]),
}
"""The table."""


@pytest.fixture(scope="module")
def emitted(tmp_path_factory: pytest.TempPathFactory) -> RecordingMetrics:
    """What a busy run, a fork of it and a diverging resume emit."""
    metrics, folder = RecordingMetrics(), tmp_path_factory.mktemp("metrics")
    with busy_run(metrics=metrics, persist_to=str(folder / "busy.db")) as parent, busy_fork(parent, metrics=metrics):
        pass
    diverging_resume(f"sqlite:///{folder}/other.db", metrics=metrics)
    return metrics


def calls(metrics: RecordingMetrics, name: str) -> list[tuple[str, dict[str, str], float]]:
    """Kind, tags and value of each observation of a metric."""
    return [(kind, tags, value) for kind, each, tags, value in metrics.calls if each == name]


@pytest.mark.parametrize("name", GUIDE)
def test_each_is_emitted_with_its_kind_and_its_tags(emitted: RecordingMetrics, name: str) -> None:
    kind, tags = GUIDE[name]
    found = calls(emitted, name)

    assert found
    assert {each for each, _, _ in found} == {kind}
    assert all(sorted(each) == sorted(tags) for _, each, _ in found)


def test_no_other_metric_is_emitted(emitted: RecordingMetrics) -> None:
    assert {name for _, name, _, _ in emitted.calls} == GUIDE.keys()


def test_the_list_is_pinned() -> None:
    assert [(spec.name, (spec.kind, list(spec.tags))) for spec in METRIC_NAMES] == list(GUIDE.items())


@pytest.mark.parametrize("name", GUIDE)
def test_names_follow_the_conventions_of_prometheus(name: str) -> None:
    kind, _ = GUIDE[name]

    assert name == name.lower()
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz_")
    assert name.endswith("_total") == (kind == "counter")
    if "duration" in name:
        assert name.endswith("_seconds")
    if "cost" in name:
        assert name.endswith("_usd")


def test_events_are_counted_by_type(emitted: RecordingMetrics, tmp_path: Any) -> None:
    alone = RecordingMetrics()
    runtime = busy_run(metrics=alone)

    counted = calls(alone, "activegraph_events_emitted_total")
    assert sorted(tags["event_type"] for _, tags, _ in counted) == sorted(e.type for e in runtime.graph.events)


def test_failures_are_counted_by_behavior_and_reason() -> None:
    alone = RecordingMetrics()
    busy_run(metrics=alone)

    assert [tags for _, tags, _ in calls(alone, "activegraph_behaviors_failed_total")] == [
        {"behavior": "fail", "reason": "exception.ValueError"},
        {"behavior": "doubter", "reason": "llm.network_error"},
        {"behavior": "breaker", "reason": "tool.execution_error"},
    ]


def test_calls_of_models_and_tools_are_counted_with_tokens_costs_hits_and_failures(emitted: RecordingMetrics) -> None:
    def total(name: str, **tags: str) -> float:
        return sum(value for _, each, value in calls(emitted, f"activegraph_{name}") if each == tags)

    assert total("llm_calls_total", model="m-good") == 6
    assert total("llm_cache_hits_total", model="m-good") == 3
    assert total("llm_failed_total", model="m-down", reason="llm.network_error") == 2
    assert total("llm_tokens_in", model="m-good") == 30
    assert total("llm_tokens_out", model="m-good") == 15
    assert total("llm_cost_usd", model="m-good") == pytest.approx(0.03)
    assert total("tools_calls_total", tool="look") == 2
    assert total("tools_cache_hits_total", tool="look") == 1
    assert total("tools_failed_total", tool="smash", reason="tool.execution_error") == 2


def test_the_gauges_of_the_budget_follow_its_use(emitted: RecordingMetrics) -> None:
    for name, limit in (
        ("activegraph_budget_events_remaining", 100.0),
        ("activegraph_budget_cost_remaining_usd", 10.0),
    ):
        values = [value for _, tags, value in calls(emitted, name) if tags == {"run_id": RUN}]
        assert values[0] == limit
        assert values == sorted(values, reverse=True)
        assert values[-1] < limit


def test_patterns_are_counted_and_measured(emitted: RecordingMetrics) -> None:
    evaluated = calls(emitted, "activegraph_patterns_evaluated_total")
    measured = calls(emitted, "activegraph_patterns_evaluation_duration_seconds")

    assert len(evaluated) == len(measured) == 2


def test_a_divergence_is_counted_with_its_kind(emitted: RecordingMetrics) -> None:
    assert [tags for _, tags, _ in calls(emitted, "activegraph_replay_divergence_detected_total")] == [
        {"reason": "payload_mismatch"}
    ]
