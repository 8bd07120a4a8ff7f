"""Metrics for OpenTelemetry: a backend of one's own, which takes three methods and an optional fourth.

    python opentelemetry_bridge.py

Take the class into your program and give it the meter of your own provider, with the exporter that
you use. Here an in-memory reader stands in for one, so that the program can show what arrives.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from math import isfinite
from threading import Lock
from typing import Any

from activegraph import Graph, Runtime, behavior
from activegraph.observability.metrics import METRIC_BY_NAME
from activegraph.observability.prometheus import BUCKETS
from opentelemetry.metrics import CallbackOptions, Meter, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

Tags = dict[str, str]

UNITS = {"seconds": "s", "usd": "USD", "in": "{token}", "out": "{token}"}
"""By the last word of a name."""


class OpenTelemetryMetrics:
    """Counters and histograms as instruments of the same kind, gauges as observable ones, so that a series can end."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._instruments: dict[str, tuple[str, Any]] = {}
        self._gauges: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
        self._lock = Lock()

    def counter(self, name: str, tags: Tags, value: float = 1.0) -> None:
        """Add to a total."""
        instrument = self._instrument("counter", name)
        if instrument is not None and value >= 0 and isfinite(value):
            instrument.add(value, dict(tags))

    def histogram(self, name: str, tags: Tags, value: float) -> None:
        """Record one observation."""
        instrument = self._instrument("histogram", name)
        if instrument is not None and isfinite(value):
            instrument.record(value, dict(tags))

    def gauge(self, name: str, tags: Tags, value: float) -> None:
        """Set what a series stands at."""
        if self._instrument("gauge", name) is not None:
            with self._lock:
                self._gauges[_allowed(name)][tuple(sorted(tags.items()))] = float(value)

    def remove_gauge(self, name: str, tags: Tags) -> None:
        """End a series; the runtime looks this method up, and requires it of nobody."""
        with self._lock:
            self._gauges.get(_allowed(name), {}).pop(tuple(sorted(tags.items())), None)

    def _instrument(self, kind: str, name: str) -> Any:
        """The instrument of this name; None where the name is taken by another kind."""
        allowed = _allowed(name)
        with self._lock:
            if allowed not in self._instruments:
                self._instruments[allowed] = kind, self._make(kind, allowed)
            known, instrument = self._instruments[allowed]
        return instrument if known == kind else None

    def _make(self, kind: str, name: str) -> Any:
        spec = METRIC_BY_NAME.get(name)
        about = {"unit": UNITS.get(name.rsplit("_", 1)[-1], "1"), "description": spec.description if spec else ""}
        if kind == "counter":
            return self._meter.create_counter(name, **about)
        if kind == "histogram":
            bounds = BUCKETS.get(name)
            return self._meter.create_histogram(name, **about, explicit_bucket_boundaries_advisory=bounds)
        series = self._gauges.setdefault(name, {})

        def observe(options: CallbackOptions) -> Iterable[Observation]:
            with self._lock:
                return [Observation(value, dict(tags)) for tags, value in series.items()]

        return self._meter.create_observable_gauge(name, callbacks=[observe], **about)


def _allowed(name: str) -> str:
    """`name` as OpenTelemetry takes it: a letter first, and no odd signs."""
    shown = re.sub(r"[^A-Za-z0-9_.\-/]", "_", name)
    return shown[:255] if shown[:1].isalpha() and shown[:1].isascii() else f"n{shown}"[:255]


def main() -> None:
    """Run something and show what a reader collects."""

    @behavior(name="greeter", on=["goal.created"])
    def greeter(event: Any, graph: Any, ctx: Any) -> None:
        graph.add_object("greeting", {"text": "hello"})

    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader])
    metrics = OpenTelemetryMetrics(provider.get_meter("activegraph"))

    runtime = Runtime(Graph(), [greeter], metrics=metrics, budget={"max_events": 10})
    runtime.run_goal("say hello")
    data: Any = reader.get_metrics_data()
    for metric in sorted(data.resource_metrics[0].scope_metrics[0].metrics, key=lambda metric: metric.name):
        for point in metric.data.data_points:
            value = point.count if hasattr(point, "bucket_counts") else point.value
            print(f"{metric.name} {dict(point.attributes)} {value:g}")
    runtime.close()
    provider.shutdown()


if __name__ == "__main__":
    main()
