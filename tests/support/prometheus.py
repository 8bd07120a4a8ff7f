"""A Prometheus backend on a registry of its own, and how its series are read back."""

from __future__ import annotations

from activegraph.conformance.recording import Series
from activegraph.observability import PrometheusMetrics
from prometheus_client import CollectorRegistry

__all__ = ["alone", "read"]


def alone() -> PrometheusMetrics:
    """A backend that shares its registry with nobody."""
    return PrometheusMetrics(CollectorRegistry())


def read(metrics: PrometheusMetrics) -> dict[Series, float]:
    """All series of the backend's registry, under the names that they were observed by."""
    found: dict[Series, float] = {}
    for family in metrics.registry.collect():
        for sample in family.samples:
            ending = sample.name.removeprefix(family.name)
            tags = tuple(sorted(sample.labels.items()))
            match family.type, ending:
                case "counter", "_total":
                    found["counter", sample.name, tags] = sample.value
                case "gauge", "":
                    found["gauge", sample.name, tags] = sample.value
                case "histogram", "_count" | "_sum":
                    found[f"histogram{ending}", family.name, tags] = sample.value
    return found
