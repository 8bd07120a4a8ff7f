"""The cases on what the runtime tells a backend: each is broken by a runtime, or a backend, that does it otherwise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from activegraph.conformance import BrokenPromise
from activegraph.conformance.metrics_cases import MetricsConformance
from activegraph.conformance.recording import RecordingMetrics, Series
from activegraph.core.event import Event
from activegraph.metrics import METRIC_NAMES, Metrics
from activegraph.runtime import measures
from activegraph.runtime.engine import Engine
from activegraph.runtime.guarded_metrics import GuardedMetrics
from activegraph.runtime.measures import Measures

Tags = dict[str, str]
Original = Callable[..., Any]


class Suite(MetricsConformance):
    def __init__(self, kind: type[RecordingMetrics] = RecordingMetrics) -> None:
        self._kind = kind

    def make_metrics(self) -> Metrics:
        return self._kind()

    def read(self, metrics: Any) -> Mapping[Series, float]:
        series: Mapping[Series, float] = metrics.series()
        return series


CASES = {
    10: "test_metrics_10_runs_are_told_exactly",
    11: "test_metrics_11_cardinality_is_bounded",
    12: "test_metrics_12_a_failing_backend_harms_no_run",
}


def refusal(suite: Suite, number: int) -> str:
    with pytest.raises(BrokenPromise) as broken:
        getattr(suite, CASES[number])()
    assert str(broken.value).startswith(f"metrics-{number} is broken: ")
    return str(broken.value)


def test_the_runtime_keeps_them() -> None:
    for name in CASES.values():
        getattr(Suite(), name)()


def test_every_standard_metric_is_told_in_the_scripted_runs() -> None:
    from activegraph.conformance.scripted_runs import run_everything

    metrics = RecordingMetrics()
    run_everything(metrics, "run")

    assert {name for _, name, _, _ in metrics.calls} == {spec.name for spec in METRIC_NAMES}


class TestRuntimesThatTellOtherwise:
    def test_events_are_counted_before_their_commit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        original: Original = Engine.recorded

        def recorded(self: Engine, event: Event) -> None:
            original(self, event)
            if self.measures is not None:
                self.measures.committed((event,))

        monkeypatch.setattr(Engine, "recorded", recorded)
        assert "what was counted" in refusal(Suite(), 10)

    @pytest.mark.parametrize(
        ("name", "shown"),
        [
            ("begins", "what was counted"),
            ("finished", "what was observed"),
            ("evaluated", "what was"),
            ("diverged", "what was counted"),
            ("queued", "what the gauges stand at"),
            ("cost_left", "what the gauges stand at"),
            ("events_left", "what was left of the events' budget"),
            ("budget", "what the gauges stand at"),
        ],
    )
    def test_a_moment_is_left_out(self, name: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Measures, name, lambda self, *arguments: None)
        assert shown in refusal(Suite(), 10)

    @pytest.mark.parametrize(
        "name",
        ["_llm_requested", "_llm_responded", "_tool_requested", "_tool_responded", "_behavior_failed", "_note_answer"],
    )
    def test_a_kind_of_event_is_not_read(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Measures, name, lambda self, payload: None)
        assert "what was" in refusal(Suite(), 10)

    def test_the_queue_is_not_told_at_the_end_of_a_run(self, monkeypatch: pytest.MonkeyPatch) -> None:
        original: Original = Measures.queued
        told: list[int] = []

        def queued(self: Measures, depth: int) -> None:
            if depth or not told or told[-1]:
                original(self, depth)
            told.append(depth)

        monkeypatch.setattr(Measures, "queued", queued)
        assert "how often the queue was told" in refusal(Suite(), 10)

    def test_names_that_models_make_up_become_tags(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(measures, "_UNKNOWN", "made up")
        assert "what was counted" in refusal(Suite(), 10)

    def test_a_metric_is_told_that_is_not_in_the_table(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Measures, "queued", lambda self, depth: self.gauge("activegraph_queue", {}, depth))
        assert "activegraph_queue is no standard metric" in refusal(Suite(), 10)

    def test_the_run_is_a_tag_of_a_counter(self, monkeypatch: pytest.MonkeyPatch) -> None:
        original: Original = GuardedMetrics.counter

        def counter(self: GuardedMetrics, name: str, tags: Tags, value: float = 1.0) -> None:
            original(self, name, {**tags, "run_id": self.run_id}, value)

        monkeypatch.setattr(GuardedMetrics, "counter", counter)
        assert "has the tag run_id" in refusal(Suite(), 11)

    def test_an_event_is_a_tag(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def committed(self: Measures, events: Sequence[Event]) -> None:
            for event in events:
                self.counter("activegraph_events_emitted_total", {"event_type": event.id})

        monkeypatch.setattr(Measures, "committed", committed)
        assert "names an id" in refusal(Suite(), 11)

    def test_an_error_message_is_a_tag(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(measures, "reason_of", lambda payload: payload["message"])
        assert "quotes a payload" in refusal(Suite(), 11)

    def test_the_gauges_of_a_closed_run_stay(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Measures, "close", lambda self: None)
        assert "not taken back" in refusal(Suite(), 11)

    def test_a_failing_backend_is_said_every_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        original: Original = GuardedMetrics._failed

        def failed(self: GuardedMetrics, name: str, error: Exception) -> None:
            self._faults.said.clear()
            original(self, name, error)

        monkeypatch.setattr(GuardedMetrics, "_failed", failed)
        assert "lines about a metric" in refusal(Suite(), 12)

    def test_a_failing_backend_fails_the_run(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def failed(self: GuardedMetrics, name: str, error: Exception) -> None:
            raise error

        monkeypatch.setattr(GuardedMetrics, "_failed", failed)
        assert "ConnectionError" in refusal(Suite(), 12)

    def test_a_measured_run_writes_another_log(self, monkeypatch: pytest.MonkeyPatch) -> None:
        original: Original = Engine.committed

        def committed(self: Engine, events: Sequence[Event]) -> None:
            original(self, events)
            if self.measures is not None:
                self.graph.ids.event()

        monkeypatch.setattr(Engine, "committed", committed)
        assert "logs with this backend" in refusal(Suite(), 12)


class LosesSome(RecordingMetrics):
    def counter(self, name: str, tags: Tags, value: float = 1.0) -> None:
        if len(self.calls) % 50:
            super().counter(name, tags, value)


class SplitsByRun(RecordingMetrics):
    run = "none"

    def gauge(self, name: str, tags: Tags, value: float) -> None:
        self.run = tags.get("run_id", self.run)
        super().gauge(name, tags, value)

    def histogram(self, name: str, tags: Tags, value: float) -> None:
        super().histogram(name, {**tags, "run_id": self.run}, value)


class KeepsGauges(RecordingMetrics):
    def remove_gauge(self, name: str, tags: Tags) -> None:
        pass


@pytest.mark.parametrize(
    ("kind", "number", "shown"),
    [
        (LosesSome, 10, "counters of the backend"),
        (SplitsByRun, 11, "belongs to one run"),
        (KeepsGauges, 11, "still there"),
    ],
)
def test_backends_that_show_otherwise(kind: type[RecordingMetrics], number: int, shown: str) -> None:
    assert shown in refusal(Suite(kind), number)
