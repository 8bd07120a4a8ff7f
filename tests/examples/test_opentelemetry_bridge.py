"""The example of a metrics backend of one's own keeps the contract of all backends, as the SDK's own reader sees it."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from activegraph.conformance import MetricsConformance
from activegraph.metrics import METRIC_NAMES, Metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import Gauge, Histogram, InMemoryMetricReader, Sum

PROGRAM = Path(__file__).parents[2] / "examples" / "opentelemetry_bridge.py"


def _loaded() -> ModuleType:
    specification = importlib.util.spec_from_file_location("opentelemetry_bridge", PROGRAM)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


bridge = _loaded()
_readers: dict[int, InMemoryMetricReader] = {}


def alone() -> Metrics:
    """A bridge into a provider of its own."""
    reader = InMemoryMetricReader()
    metrics: Metrics = bridge.OpenTelemetryMetrics(MeterProvider(metric_readers=[reader]).get_meter("test"))
    _readers[id(metrics)] = reader
    return metrics


def collected(metrics: Any) -> list[Any]:
    """The metrics that the reader finds."""
    data: Any = _readers[id(metrics)].get_metrics_data()
    if data is None:
        return []
    return [each for part in data.resource_metrics for scope in part.scope_metrics for each in scope.metrics]


class TestTheBridgeConforms(MetricsConformance):
    __test__ = True

    def make_metrics(self) -> Metrics:
        return alone()

    def read(self, metrics: Any) -> Mapping[Any, float]:
        found: dict[Any, float] = {}
        for metric in collected(metrics):
            for point in metric.data.data_points:
                tags = tuple(sorted(point.attributes.items()))
                match metric.data:
                    case Histogram():
                        found["histogram_count", metric.name, tags] = float(point.count)
                        found["histogram_sum", metric.name, tags] = float(point.sum)
                    case Sum():
                        found["counter", metric.name, tags] = float(point.value)
                    case Gauge():
                        found["gauge", metric.name, tags] = float(point.value)
        return found


def test_the_standard_metrics_arrive_with_their_kinds_units_and_buckets() -> None:
    metrics = alone()
    for spec in METRIC_NAMES:
        getattr(metrics, spec.kind)(spec.name, dict.fromkeys(spec.tags, "x"), 2.0)
    arrived = {metric.name: metric for metric in collected(metrics)}

    assert set(arrived) == {spec.name for spec in METRIC_NAMES}
    kinds = {"counter": Sum, "histogram": Histogram, "gauge": Gauge}
    for spec in METRIC_NAMES:
        assert isinstance(arrived[spec.name].data, kinds[spec.kind])
        assert arrived[spec.name].description == spec.description
    assert arrived["activegraph_events_emitted_total"].data.is_monotonic
    assert arrived["activegraph_behaviors_duration_seconds"].unit == "s"
    (point,) = arrived["activegraph_llm_cost_usd"].data.data_points
    assert point.explicit_bounds[:3] == (0.0001, 0.0005, 0.001)
