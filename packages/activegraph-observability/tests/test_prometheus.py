"""`PrometheusMetrics`: what a real scraper reads, and that no registry and no observation can harm a run."""

from __future__ import annotations

import importlib
import logging
import math
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from typing import Any
from urllib.request import urlopen

import pytest
from activegraph.behaviors.base import Behavior
from activegraph.conformance import MetricsConformance
from activegraph.errors import InvalidRuntimeConfiguration, MissingOptionalDependency
from activegraph.metrics import METRIC_NAMES, Metrics
from activegraph.observability import PrometheusMetrics, prometheus
from prometheus_client import REGISTRY, CollectorRegistry, Counter, generate_latest, start_http_server
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse
from support.prometheus import alone, read
from support.runtimes import RUN, emit, new

EVENTS = "activegraph_events_emitted_total"
LEFT = "activegraph_budget_events_remaining"


class TestPrometheusConforms(MetricsConformance):
    """The suite of all backends, on a registry of its own."""

    __test__ = True

    def make_metrics(self) -> Metrics:
        return alone()

    def read(self, metrics: Any) -> Mapping[Any, float]:
        return read(metrics)


class TestOnTheProcessWideRegistryConforms(MetricsConformance):
    """The suite again where all backends share one registry."""

    __test__ = True

    def make_metrics(self) -> Metrics:
        return PrometheusMetrics()

    def read(self, metrics: Any) -> Mapping[Any, float]:
        return read(metrics)


def exposed(metrics: PrometheusMetrics) -> dict[str, Any]:
    """Families by name, as a scraper reads them from the exposition."""
    return {family.name: family for family in parse(generate_latest(metrics.registry).decode("utf-8"))}


def observe_all(metrics: PrometheusMetrics) -> None:
    """One observation of each standard metric."""
    for spec in METRIC_NAMES:
        getattr(metrics, spec.kind)(spec.name, dict.fromkeys(spec.tags, "x"), 1.0)


def warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


class TestWhatIsExposed:
    def test_each_standard_metric_with_its_kind_its_description_and_its_labels(self) -> None:
        metrics = alone()
        observe_all(metrics)
        families = exposed(metrics)

        for spec in METRIC_NAMES:
            family = families[spec.name.removesuffix("_total") if spec.kind == "counter" else spec.name]
            assert (family.type, family.documentation) == (spec.kind, spec.description)
            for sample in family.samples:
                assert set(sample.labels) - {"le"} == set(spec.tags)
        assert f"{EVENTS}_total" not in generate_latest(metrics.registry).decode()
        assert f"\n{EVENTS}{{" in generate_latest(metrics.registry).decode()
        parsed = {family.name for family in parse_openmetrics(openmetrics(metrics.registry).decode("utf-8"))}
        assert parsed == {name for name in families if not name.endswith("_created")}

    @pytest.mark.parametrize(
        ("name", "first", "last", "number"),
        [
            ("activegraph_behaviors_duration_seconds", 0.001, 300.0, 17),
            ("activegraph_tools_duration_seconds", 0.001, 300.0, 17),
            ("activegraph_patterns_evaluation_duration_seconds", 0.00001, 1.0, 15),
            ("activegraph_llm_tokens_in", 10.0, 1_000_000.0, 14),
            ("activegraph_llm_tokens_out", 10.0, 1_000_000.0, 14),
            ("activegraph_llm_cost_usd", 0.0001, 10.0, 15),
        ],
    )
    def test_the_buckets_of_the_standard_histograms(self, name: str, first: float, last: float, number: int) -> None:
        metrics = alone()
        observe_all(metrics)
        bounds = [float(s.labels["le"]) for s in exposed(metrics)[name].samples if s.name.endswith("_bucket")]

        assert bounds == sorted(bounds)
        assert (bounds[0], bounds[-2], bounds[-1], len(bounds) - 1) == (first, last, math.inf, number)

    def test_buckets_may_be_others(self) -> None:
        metrics = PrometheusMetrics(
            CollectorRegistry(), buckets={"own_seconds": [1, 2], "activegraph_llm_cost_usd": (5,)}
        )
        for name in ("own_seconds", "activegraph_llm_cost_usd", "other_seconds"):
            metrics.histogram(name, {}, 1.5)
        found = {
            name: [s.labels["le"] for s in exposed(metrics)[name].samples if s.name.endswith("_bucket")]
            for name in ("own_seconds", "activegraph_llm_cost_usd", "other_seconds")
        }

        assert found["own_seconds"] == ["1.0", "2.0", "+Inf"]
        assert found["activegraph_llm_cost_usd"] == ["5.0", "+Inf"]
        assert len(found["other_seconds"]) > 10

    @pytest.mark.parametrize("bounds", [(), (2, 1), (1, 1), ("a",), (None,)])
    def test_bounds_that_do_not_rise_are_refused(self, bounds: Any) -> None:
        with pytest.raises(InvalidRuntimeConfiguration, match="own_seconds"):
            PrometheusMetrics(CollectorRegistry(), buckets={"own_seconds": bounds})

    def test_a_run_is_scraped_over_http(self) -> None:
        def work(event: Any, graph: Any, ctx: Any) -> None:
            graph.add_object("task", {})

        def fail(event: Any, graph: Any, ctx: Any) -> None:
            raise ValueError("no")

        metrics = alone()
        behaviors = [Behavior("work", work, ["a"], pattern=None), Behavior("fail", fail, ["a"])]
        runtime = new(behaviors, metrics=metrics, budget={"max_events": 9})
        emit(runtime, "a")
        runtime.run_until_idle()
        server, thread = start_http_server(0, addr="127.0.0.1", registry=metrics.registry)
        try:
            address = f"http://127.0.0.1:{server.server_port}/metrics"
            with urlopen(address, timeout=30) as response:
                text = response.read().decode("utf-8")
                kind = response.headers["Content-Type"]
            runtime.close()
            with urlopen(address, timeout=30) as response:
                later = response.read().decode("utf-8")
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

        assert kind.startswith("text/plain")
        samples = {(s.name, *s.labels.values()): s.value for family in parse(text) for s in family.samples}
        assert samples[EVENTS, "behavior.started"] == 2
        assert samples["activegraph_behaviors_failed_total", "fail", "exception.ValueError"] == 1
        assert samples["activegraph_behaviors_duration_seconds_count", "work"] == 1
        assert samples["activegraph_behaviors_duration_seconds_bucket", "work", "0.001"] == 1
        assert samples[("activegraph_queue_depth",)] == 0
        assert samples[LEFT, RUN] == 7
        assert f'{LEFT}{{run_id="{RUN}"}}' not in later

    @pytest.mark.parametrize("value", ["\ud800", "\x00", 'a"b\\c\nd', "é🦉", "", "x" * 10_000, "\u2028", "\r"])
    def test_any_tag_value_can_be_scraped(self, value: str) -> None:
        metrics = alone()
        metrics.counter(EVENTS, {"event_type": value})
        (sample,) = [s for s in exposed(metrics)["activegraph_events_emitted"].samples if s.name == EVENTS]

        assert sample.labels == {"event_type": "\\ud800" if value == "\ud800" else value}

    def test_characters_that_no_name_may_have_become_underscores(self) -> None:
        metrics = alone()
        metrics.gauge("my.own-metric", {"a b": "1", "9": "2", "__x": "3", "é": "4", "": "5"}, 1.0)
        metrics.gauge("9lives", {}, 9.0)
        metrics.gauge("", {}, 1.0)
        metrics.histogram("sizes", {"le": "x"}, 1.0)

        (sample,) = exposed(metrics)["my_own_metric"].samples
        assert sample.labels == {"_": "5", "_9": "2", "_x": "3", "a_b": "1"}
        assert {"_9lives", "_", "sizes"} <= set(exposed(metrics))


class TestOneRegistryForMany:
    def test_backends_share_its_instruments(self) -> None:
        registry = CollectorRegistry()
        first, second = PrometheusMetrics(registry), PrometheusMetrics(registry)
        for metrics in (first, second, first):
            observe_all(metrics)
            metrics.counter("own_total", {"a": "b"})

        assert read(first)["counter", EVENTS, (("event_type", "x"),)] == 3
        assert read(first)["counter", "own_total", (("a", "b"),)] == 3

    def test_so_do_runtimes_and_the_default_is_the_clients_own(self) -> None:
        before = read(PrometheusMetrics()).get(("counter", EVENTS, (("event_type", "only here"),)), 0.0)
        for number in range(2):
            runtime = new([], metrics=PrometheusMetrics())
            emit(runtime, "only here", {"n": number})
            runtime.close()

        assert REGISTRY.get_sample_value(EVENTS, {"event_type": "only here"}) == before + 2

    def test_a_module_that_is_loaded_again_goes_on_with_them(self) -> None:
        registry = CollectorRegistry()
        observe_all(PrometheusMetrics(registry))
        module = sys.modules["activegraph.observability.prometheus"]
        try:
            del sys.modules["activegraph.observability.prometheus"]
            again = importlib.import_module("activegraph.observability.prometheus")
            assert again.PrometheusMetrics is not prometheus.PrometheusMetrics
            metrics = again.PrometheusMetrics(registry)
            observe_all(metrics)
        finally:
            sys.modules["activegraph.observability.prometheus"] = module

        assert read(metrics)["counter", EVENTS, (("event_type", "x"),)] == 2

    def test_a_name_that_somebody_else_has_registered_is_dropped_and_said_once(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        registry = CollectorRegistry()
        theirs = Counter("activegraph_events_emitted_total", "somebody's", registry=registry)
        theirs.inc(7)
        for metrics in (PrometheusMetrics(registry), PrometheusMetrics(registry)):
            metrics.counter(EVENTS, {"event_type": "a"})
            metrics.counter("activegraph_llm_calls_total", {"model": "m"})

        assert registry.get_sample_value(EVENTS) == 7
        assert registry.get_sample_value("activegraph_llm_calls_total", {"model": "m"}) == 2
        (line,) = caplog.records
        assert line.levelno == logging.WARNING
        assert line.name == "activegraph.observability"
        assert line.getMessage().startswith(f"prometheus metric {EVENTS}: an observation is dropped, ")

    def test_an_instrument_that_is_being_made_keeps_nobody_from_another(self) -> None:
        reached, go_on = Flag(), Flag()

        class Slow(CollectorRegistry):
            def register(self, collector: Any) -> None:
                if "slow" in str(collector):
                    reached.set()
                    go_on.wait(60)
                super().register(collector)

        metrics = PrometheusMetrics(Slow())
        metrics.counter("quick_total", {"a": "b"})
        slow = Thread(target=lambda: metrics.counter("slow_total", {}))
        slow.start()
        assert reached.wait(60)
        metrics.counter("quick_total", {"a": "b"})
        metrics.counter("quick_total", {"a": "c"})
        go_on.set()
        slow.join()

        assert read(metrics)["counter", "quick_total", (("a", "b"),)] == 2
        assert read(metrics)["counter", "slow_total", ()] == 1


class TestWhatARegistryCannotTake:
    @pytest.mark.parametrize("name", [EVENTS, "own_total"])
    def test_a_missing_tag_is_empty(self, name: str) -> None:
        metrics = alone()
        metrics.counter(name, {"event_type": "a"})
        metrics.counter(name, {})

        assert read(metrics)["counter", name, (("event_type", ""),)] == 1

    @pytest.mark.parametrize("name", [EVENTS, "own_total"])
    def test_one_that_is_too_many_is_left_out_and_said_once(self, name: str, caplog: pytest.LogCaptureFixture) -> None:
        metrics = alone()
        metrics.counter(name, {"event_type": "a"})
        for n in range(3):
            metrics.counter(name, {"event_type": "a", "host": str(n)})

        assert read(metrics)["counter", name, (("event_type", "a"),)] == 4
        assert warned(caplog) == [f"prometheus metric {name}: it has no tag 'host'"]

    @pytest.mark.parametrize(
        ("observe", "why"),
        [
            (lambda m: m.counter("x_total", {}, -1.0), "finite values"),
            (lambda m: m.counter("x_total", {}, math.inf), "finite values"),
            (lambda m: m.counter("x_total", {}, math.nan), "finite values"),
            (lambda m: m.counter("x_total", {}, 10**400), "too large"),
            (lambda m: m.histogram("x_seconds", {}, math.nan), "takes numbers"),
            (lambda m: m.gauge("x_total", {}, 1.0), "it is a counter"),
            (lambda m: m.histogram("x_total", {}, 1.0), "it is a counter"),
            (lambda m: m.counter("x_seconds", {}, 1.0), "it is a histogram"),
            (lambda m: m.gauge(EVENTS, {"event_type": "a"}, 1.0), "it is a counter"),
            (lambda m: m.counter("x_total", None), "NoneType"),
            (lambda m: m.counter("x_total", {"a": []}), ""),
            (lambda m: m.gauge("x_left", {}, "much"), "much"),
            (lambda m: m.remove_gauge("x_left", 7), ""),
        ],
    )
    def test_it_is_dropped_and_said_once_and_nothing_is_raised(
        self, observe: Callable[[Any], None], why: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        metrics = alone()
        metrics.counter("x_total", {})
        metrics.histogram("x_seconds", {}, 1.0)
        metrics.gauge("x_left", {}, 1.0)
        before = read(metrics)
        observe(metrics)
        observe(metrics)

        assert {key: value for key, value in read(metrics).items() if value} == before
        (said,) = warned(caplog)
        assert why in said

    def test_other_numbers_are_numbers(self) -> None:
        metrics = alone()
        metrics.counter("x_total", {}, Decimal("1.5"))  # type: ignore[arg-type]
        metrics.counter("x_total", {}, 2**70)
        metrics.histogram("x_seconds", {}, Decimal("1.5"))  # type: ignore[arg-type]
        metrics.histogram("x_seconds", {}, math.inf)
        metrics.gauge("y", {}, math.nan)

        assert read(metrics)["counter", "x_total", ()] == 2**70 + 1.5
        assert read(metrics)["histogram_sum", "x_seconds", ()] == math.inf

    def test_a_gauge_without_tags_can_be_removed_and_comes_back(self) -> None:
        metrics = alone()
        metrics.gauge("y", {}, 1.0)
        metrics.remove_gauge("y", {})
        assert read(metrics) == {}
        metrics.gauge("y", {}, 2.0)
        assert read(metrics) == {("gauge", "y", ()): 2.0}


def test_a_run_with_more_names_than_are_remembered_counts_them_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus, "_MOST_REMEMBERED", 5)
    metrics = alone()
    for _ in range(3):
        for n in range(20):
            metrics.counter(EVENTS, {"event_type": str(n)})

    assert [value for (_, name, _), value in read(metrics).items() if name == EVENTS] == [3.0] * 20


def test_without_the_client_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    assert PrometheusMetrics.available()
    monkeypatch.setattr(prometheus, "find_spec", lambda name: None)
    assert not PrometheusMetrics.available()
    with pytest.raises(
        MissingOptionalDependency, match=r"PrometheusMetrics requires the 'prometheus_client'"
    ) as refused:
        PrometheusMetrics()
    assert refused.value.how_to_fix == "pip install 'activegraph[prometheus]'"


PROCESS = """
import sys
from activegraph import Graph, Runtime, behavior
from activegraph.observability import PrometheusMetrics

@behavior(name="b", on=["goal.created"])
def b(event, graph, ctx):
    pass

runtime = Runtime(Graph(run_id=sys.argv[1]), metrics=PrometheusMetrics(), budget={"max_events": 5})
runtime.run_goal("g")
runtime.close()
"""

COLLECT = """
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
registry = CollectorRegistry()
MultiProcessCollector(registry)
print(generate_latest(registry).decode())
"""


def test_the_clients_multi_process_mode_adds_up_all_processes(tmp_path: Path) -> None:
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONWARNINGS": "error"}
    for number in range(2):
        command = [sys.executable, "-c", PROCESS, f"run_{number}"]
        subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    text = subprocess.run(
        [sys.executable, "-c", COLLECT], env=environment, check=True, capture_output=True, text=True
    ).stdout

    samples = {(s.name, *s.labels.values()): s.value for family in parse(text) for s in family.samples}
    assert samples[EVENTS, "goal.created"] == 2
    assert samples["activegraph_behaviors_duration_seconds_count", "b"] == 2
    pids = {key[-1] for key in samples if key[0] == "activegraph_queue_depth"}
    assert len(pids) == 2
