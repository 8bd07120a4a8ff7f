"""The metrics border: three methods, a backend that does nothing, and the table of all that is measured.

The runtime calls a backend, a backend never calls the runtime. What raises in it is dropped
and counted by the caller, so a metrics backend cannot harm a run.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

__all__ = ["METRIC_BY_NAME", "METRIC_NAMES", "MetricSpec", "Metrics", "NoOpMetrics", "validate_cardinality_rule"]


@runtime_checkable
class Metrics(Protocol):
    """What measures. Called positionally, from any thread, with tag keys and values that are always text.

    A backend accepts names and tags that it has never seen. The dict is fresh at each call and may
    be kept. A backend may also have `remove_gauge(name, tags) -> None`, which drops that series;
    the runtime looks it up and requires it of nobody.
    """

    def counter(self, name: str, tags: dict[str, str], value: float = 1.0) -> None:
        """Add `value`, which is not negative, to a total."""
        ...

    def histogram(self, name: str, tags: dict[str, str], value: float) -> None:
        """Record one observation; its unit is the last word of the name."""
        ...

    def gauge(self, name: str, tags: dict[str, str], value: float) -> None:
        """Set what a series stands at now."""
        ...


class NoOpMetrics:
    """Measures nothing and holds nothing; with it the runtime does not even build tags."""

    __slots__ = ()

    def counter(self, name: str, tags: dict[str, str], value: float = 1.0) -> None:
        """Do nothing."""

    def histogram(self, name: str, tags: dict[str, str], value: float) -> None:
        """Do nothing."""

    def gauge(self, name: str, tags: dict[str, str], value: float) -> None:
        """Do nothing."""


Metrics.__module__ = "activegraph.observability"
NoOpMetrics.__module__ = "activegraph.observability"


@dataclass(frozen=True)
class MetricSpec:
    """One metric of the product: its name, kind, the keys of its tags in order, and what it tells."""

    name: str
    kind: Literal["counter", "histogram", "gauge"]
    tags: tuple[str, ...]
    description: str


METRIC_NAMES: tuple[MetricSpec, ...] = (
    MetricSpec(
        "activegraph_events_emitted_total",
        "counter",
        ("event_type",),
        "Events that entered the log live, of every type.",
    ),
    MetricSpec(
        "activegraph_behaviors_invoked_total",
        "counter",
        ("behavior",),
        "Behavior invocations whose start is in the log.",
    ),
    MetricSpec(
        "activegraph_behaviors_failed_total",
        "counter",
        ("behavior", "reason"),
        "Behavior failures by reason.",
    ),
    MetricSpec(
        "activegraph_behaviors_duration_seconds",
        "histogram",
        ("behavior",),
        "Time that one invocation took, successful or not.",
    ),
    MetricSpec(
        "activegraph_llm_calls_total",
        "counter",
        ("model",),
        "Requests to a model, cached ones and retries included.",
    ),
    MetricSpec(
        "activegraph_llm_cache_hits_total",
        "counter",
        ("model",),
        "Requests to a model that a recorded answer served.",
    ),
    MetricSpec(
        "activegraph_llm_failed_total",
        "counter",
        ("model", "reason"),
        "Model calls that failed, by reason.",
    ),
    MetricSpec(
        "activegraph_llm_tokens_in",
        "histogram",
        ("model",),
        "Tokens of the prompt, as the provider counted them.",
    ),
    MetricSpec(
        "activegraph_llm_tokens_out",
        "histogram",
        ("model",),
        "Tokens of the answer, as the provider counted them.",
    ),
    MetricSpec(
        "activegraph_llm_cost_usd",
        "histogram",
        ("model",),
        "US dollars that one answer cost.",
    ),
    MetricSpec(
        "activegraph_tools_calls_total",
        "counter",
        ("tool",),
        "Tool requests, cached ones included.",
    ),
    MetricSpec(
        "activegraph_tools_cache_hits_total",
        "counter",
        ("tool",),
        "Tool requests that a recorded answer served.",
    ),
    MetricSpec(
        "activegraph_tools_failed_total",
        "counter",
        ("tool", "reason"),
        "Tool calls that failed or were refused, by reason.",
    ),
    MetricSpec(
        "activegraph_tools_duration_seconds",
        "histogram",
        ("tool",),
        "Time that one tool call took, successful or not.",
    ),
    MetricSpec(
        "activegraph_queue_depth",
        "gauge",
        (),
        "Events that wait for dispatch in the runtime that reported last.",
    ),
    MetricSpec(
        "activegraph_budget_cost_remaining_usd",
        "gauge",
        ("run_id",),
        "US dollars that the run may still spend; only with a cost limit.",
    ),
    MetricSpec(
        "activegraph_budget_events_remaining",
        "gauge",
        ("run_id",),
        "Events that the run may still process; only with that limit.",
    ),
    MetricSpec(
        "activegraph_patterns_evaluated_total",
        "counter",
        (),
        "Evaluations of a pattern against an event, matched or not.",
    ),
    MetricSpec(
        "activegraph_patterns_evaluation_duration_seconds",
        "histogram",
        (),
        "Time that one evaluation of a pattern took.",
    ),
    MetricSpec(
        "activegraph_replay_divergence_detected_total",
        "counter",
        ("reason",),
        "Differences from the log that a strict replay or a resume met.",
    ),
)
"""Every metric that the product emits; there is no other."""

METRIC_BY_NAME: dict[str, MetricSpec] = {spec.name: spec for spec in METRIC_NAMES}


def validate_cardinality_rule(metrics: Iterable[MetricSpec] = METRIC_NAMES) -> None:
    """Check that no counter or histogram has a series per run, which would grow without end.

    Raises:
        AssertionError: Naming the metric and its tag `run_id`.
    """
    for spec in metrics:
        if spec.kind != "gauge" and "run_id" in spec.tags:
            raise AssertionError(f"{spec.kind} {spec.name} has the tag run_id: one series for every run, for ever")
