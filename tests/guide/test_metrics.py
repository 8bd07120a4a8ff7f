"""The section on metrics: a protocol of three methods, two implementations, and any other."""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib.metadata import requires
from typing import Any

from activegraph import Graph, Runtime
from activegraph.observability import Metrics, NoOpMetrics, PrometheusMetrics
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from support.busy_run import busy_run


def test_the_protocol_is_three_methods_and_nothing_else() -> None:
    assert {name for name in vars(Metrics) if not name.startswith("_")} == {"counter", "histogram", "gauge"}


def test_their_parameters_are_those_of_the_guide() -> None:
    def shape(name: str) -> list[tuple[str, Any, Any]]:
        signature = inspect.signature(getattr(Metrics, name), eval_str=True)
        assert signature.return_annotation is None
        return [(p.name, p.annotation, p.default) for p in list(signature.parameters.values())[1:]]

    tags = ("tags", dict[str, str], inspect.Parameter.empty)
    name = ("name", str, inspect.Parameter.empty)
    assert shape("counter") == [name, tags, ("value", float, 1.0)]
    assert shape("histogram") == shape("gauge") == [name, tags, ("value", float, inspect.Parameter.empty)]


def test_a_runtime_takes_prometheus_metrics() -> None:
    registry = CollectorRegistry()

    rt = Runtime(Graph(), [], metrics=PrometheusMetrics(registry))
    rt.run_goal("prices")

    assert registry.get_sample_value("activegraph_events_emitted_total", {"event_type": "goal.created"}) == 1.0


def test_what_prometheus_scrapes_can_be_parsed() -> None:
    registry = CollectorRegistry()
    busy_run(metrics=PrometheusMetrics(registry))

    text = generate_latest(registry).decode()

    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert families["activegraph_behaviors_failed"].type == "counter"
    assert families["activegraph_llm_cost_usd"].type == "histogram"
    assert families["activegraph_queue_depth"].type == "gauge"


def test_the_default_is_the_one_that_does_nothing() -> None:
    assert isinstance(Runtime(Graph()).metrics, NoOpMetrics)
    metrics = NoOpMetrics()
    metrics.counter("a", {})
    metrics.histogram("a", {}, 1.0)
    metrics.gauge("a", {}, 1.0)


def test_a_runtime_without_metrics_works_in_full() -> None:
    with_metrics = busy_run(metrics=PrometheusMetrics(CollectorRegistry()))
    without = busy_run()

    assert [(e.id, e.type) for e in without.graph.events] == [(e.id, e.type) for e in with_metrics.graph.events]


def test_prometheus_client_is_imported_only_when_it_is_wanted() -> None:
    code = """
import sys
from activegraph.observability import PrometheusMetrics
from activegraph import Graph, Runtime
Runtime(Graph(), []).run_goal("prices")
before = "prometheus_client" in sys.modules
PrometheusMetrics()
print(before, "prometheus_client" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "False True\n"


def test_the_prometheus_extra_brings_the_client() -> None:
    def of_extra(distribution: str) -> list[str]:
        return [line for line in requires(distribution) or [] if "prometheus" in line.partition(";")[2]]

    assert any(line.startswith("prometheus") for line in of_extra("activegraph-observability"))
    assert any("[prometheus]" in line for line in of_extra("activegraph"))


def test_a_class_with_three_methods_is_a_backend() -> None:
    class Datadog:
        """Sends what it is told."""

        def __init__(self) -> None:
            self.sent: set[str] = set()

        def counter(self, name: str, tags: dict[str, str], value: float = 1.0) -> None:
            self.sent.add(name)

        def histogram(self, name: str, tags: dict[str, str], value: float) -> None:
            self.sent.add(name)

        def gauge(self, name: str, tags: dict[str, str], value: float) -> None:
            self.sent.add(name)

    backend = Datadog()
    busy_run(metrics=backend)

    assert len(backend.sent) >= 17
