"""The metrics suite on every backend that the command line names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from activegraph.conformance.metrics_cases import NoOpMetricsConformance
from activegraph.conformance.targets import MetricsTarget
from activegraph.metrics import Metrics


class TestMetrics(NoOpMetricsConformance):
    """Every case, once per `--metrics`; the plugin leaves out those that are about another kind of backend."""

    __test__ = True

    @pytest.fixture(autouse=True)
    def _backend(self, metrics_target: MetricsTarget) -> None:
        self.target = metrics_target

    def make_metrics(self) -> Metrics:
        backend: Metrics = self.target.make()
        return backend

    def reads(self) -> bool:
        return self.target.can_read

    def read(self, metrics: Any) -> Mapping[Any, float]:
        return self.target.read(metrics)
