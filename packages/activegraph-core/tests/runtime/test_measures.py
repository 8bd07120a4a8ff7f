"""What a run tells its metrics backend: each metric at its moment, for what is in the log, and never to the run's harm."""

from __future__ import annotations

import gc
import logging
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from activegraph.behaviors.base import AnyBehavior, Behavior, RelationBehavior
from activegraph.behaviors.decorators import behavior
from activegraph.behaviors.registry import clear_registry, register
from activegraph.conformance.recording import RecordingMetrics
from activegraph.core.clock import Clock
from activegraph.core.event import Event
from activegraph.core.graph import Graph
from activegraph.errors import ReplayDivergenceError
from activegraph.metrics import METRIC_BY_NAME, NoOpMetrics
from activegraph.runtime import matching
from activegraph.runtime.measures import count_divergence
from activegraph.runtime.runtime import Runtime
from activegraph.store import InMemoryEventStore
from support.runtimes import RUN, emit, loaded, new, recording
from support.shared_memory import SimulatedCrash, new_disk

PREFIX = "activegraph_"


def counts(metrics: RecordingMetrics, kind: str = "counter") -> dict[str, float]:
    """Series of one kind as `name{tag values}`, without the prefix."""
    found = {}
    for (each, name, tags), value in metrics.series().items():
        if each == kind:
            shown = ",".join(dict(tags)[key] for key in METRIC_BY_NAME[name].tags)
            found[name.removeprefix(PREFIX) + (f"{{{shown}}}" if tags else "")] = value
    return found


def gauges(metrics: RecordingMetrics, name: str) -> list[float]:
    """Every value that a gauge was set to, in order."""
    return [value for kind, each, _, value in metrics.calls if (kind, each) == ("gauge", PREFIX + name)]


def gauges_at_last(metrics: RecordingMetrics) -> dict[str, float]:
    """The gauges once another thread has taken back what it is to take back, however busy the machine is."""
    deadline = time.monotonic() + 30
    while len(counts(metrics, "gauge")) > 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    return counts(metrics, "gauge")


def make(event: Event, graph: Any, ctx: Any) -> None:
    graph.add_object("task", {})


def fail(event: Event, graph: Any, ctx: Any) -> None:
    raise ValueError("no")


class TestCounts:
    def test_events_of_every_type_are_counted_once_they_are_in_the_log(self) -> None:
        metrics = RecordingMetrics()
        runtime = new(
            [Behavior("make", make, ["goal.created"]), Behavior("fail", fail, ["task.done"])], metrics=metrics
        )
        with runtime.graph.transaction():
            emit(runtime, "task.done")
            emit(runtime, "task.done")
            assert counts(metrics) == {}
        assert counts(metrics) == {"events_emitted_total{task.done}": 2}
        runtime.run_goal("g")

        assert counts(metrics) == {
            "events_emitted_total{goal.created}": 1,
            "events_emitted_total{task.done}": 2,
            "events_emitted_total{object.created}": 1,
            "events_emitted_total{behavior.started}": 3,
            "events_emitted_total{behavior.completed}": 1,
            "events_emitted_total{behavior.failed}": 2,
            "events_emitted_total{runtime.idle}": 1,
            "behaviors_invoked_total{make}": 1,
            "behaviors_invoked_total{fail}": 2,
            "behaviors_failed_total{fail,exception.ValueError}": 2,
        }
        assert sum(v for k, v in counts(metrics).items() if k.startswith("events")) == len(runtime.graph.events)

    def test_a_relation_behavior_is_counted_once_a_relation(self) -> None:
        metrics = RecordingMetrics()
        runtime = new([RelationBehavior("follow", lambda r, e, g, c: None, "knows", on=["ask"])], metrics=metrics)
        ids = [runtime.graph.add_object("person", {}).id for _ in range(3)]
        for other in ids[1:]:
            runtime.graph.add_relation(ids[0], other, "knows")
        emit(runtime, "ask", {"who": ids[0]})
        runtime.run_until_idle()

        assert counts(metrics)["behaviors_invoked_total{follow}"] == 2
        assert counts(metrics, "histogram_count")["behaviors_duration_seconds{follow}"] == 2

    def test_a_pattern_is_counted_at_each_evaluation_whether_it_matches_or_not(self) -> None:
        kept = clear_registry()
        try:

            @behavior(name="pair", on=["object.created"], pattern="(a:task)-[:before]->(b:task)")
            def pair(event: Any, graph: Any, ctx: Any) -> None:
                pass

            metrics = RecordingMetrics()
            runtime = new([pair], metrics=metrics)
            first, second = (runtime.graph.add_object("task", {}).id for _ in range(2))
            runtime.run_until_idle()
            runtime.graph.add_relation(first, second, "before")
            runtime.graph.add_object("task", {})
            runtime.run_until_idle()
        finally:
            clear_registry()
            for each in kept:
                register(each)

        assert counts(metrics)["patterns_evaluated_total"] == 3
        assert counts(metrics, "histogram_count")["patterns_evaluation_duration_seconds"] == 3
        assert counts(metrics)["behaviors_invoked_total{pair}"] == 1
        assert counts(metrics)["events_emitted_total{pattern.matched}"] == 1

    def test_each_invocation_is_measured_whether_it_fails_or_not(self) -> None:
        class Steady(Clock):
            looks = 0

            def monotonic(self) -> float:
                self.looks += 1
                return float(self.looks)

        metrics = RecordingMetrics()
        graph = Graph(clock=Steady(), run_id=RUN)
        runtime = new([Behavior("make", make, ["a"]), Behavior("fail", fail, ["a"])], graph=graph, metrics=metrics)
        emit(runtime, "a")
        runtime.run_until_idle()

        assert counts(metrics, "histogram_sum") == {
            "behaviors_duration_seconds{make}": 1.0,
            "behaviors_duration_seconds{fail}": 1.0,
        }

    def test_a_commit_that_failed_leaves_no_count(self) -> None:
        class Failing(InMemoryEventStore):
            def append_many(self, events: Sequence[Event], **options: Any) -> int:
                if any(event.type == "object.created" for event in events):
                    raise OSError("disk")
                return super().append_many(events, **options)

        metrics = RecordingMetrics()
        runtime = new([Behavior("make", make, ["a"])], store=Failing(RUN), metrics=metrics)
        emit(runtime, "a")
        with pytest.raises(OSError, match="disk"):
            runtime.run_until_idle()

        assert counts(metrics) == {"events_emitted_total{a}": 1}

    def test_what_is_loaded_or_copied_is_not_counted(self, tmp_path: Path) -> None:
        runtime = new([Behavior("make", make, ["a"])], persist_to=tmp_path / "run.db")
        emit(runtime, "a")
        runtime.run_until_idle()
        metrics = RecordingMetrics()
        again = loaded(tmp_path / "run.db", [Behavior("make", make, ["a"])], metrics=metrics)
        fork = again.fork("evt_001")
        assert metrics.calls == []
        fork.run_until_idle()

        assert fork.metrics is metrics
        assert counts(metrics)["behaviors_invoked_total{make}"] == 1
        assert "events_emitted_total{a}" not in counts(metrics)

    def test_a_resumed_invocation_counts_what_is_new_and_not_its_prefix(self) -> None:
        def work(event: Event, graph: Any, ctx: Any) -> None:
            graph.add_object("x", {})
            graph.add_object("y", {})

        behaviors: list[AnyBehavior] = [Behavior("work", work, ["a"])]
        for commits, expected in {
            2: {"behavior.started": 1, "object.created": 2, "behavior.completed": 1, "runtime.idle": 1},
            3: {"object.created": 2, "behavior.completed": 1, "runtime.idle": 1},
            5: {"behavior.completed": 1, "runtime.idle": 1},
        }.items():
            disk, metrics = new_disk(atomic=False), RecordingMetrics()
            runtime = new(behaviors, persist_to=disk.url)
            disk.crash_at(commits)
            with pytest.raises(SimulatedCrash):
                emit(runtime, "a")
                runtime.run_until_idle()
            disk.crash_at(None)
            again = Runtime.load(disk.url, RUN, behaviors=behaviors, metrics=metrics)
            again.run_until_idle()

            invoked = {"behaviors_invoked_total{work}": 1} if commits == 2 else {}
            assert counts(metrics) == {f"events_emitted_total{{{k}}}": v for k, v in expected.items()} | invoked
            assert counts(metrics, "histogram_count") == {"behaviors_duration_seconds{work}": 1}

    def test_a_divergence_is_counted_with_its_kind(self) -> None:
        disk, metrics = new_disk(atomic=False), RecordingMetrics()
        runtime = new([Behavior("make", make, ["a"])], persist_to=disk.url)
        disk.crash_at(4)
        with pytest.raises(SimulatedCrash):
            emit(runtime, "a")
            runtime.run_until_idle()
        disk.crash_at(None)
        other = Behavior("make", lambda e, g, c: g.add_relation("a", "b", "t"), ["a"])
        again = Runtime.load(disk.url, RUN, behaviors=[other], metrics=metrics)
        with pytest.raises(ReplayDivergenceError) as raised:
            again.run_until_idle()

        assert counts(metrics) == {f"replay_divergence_detected_total{{{raised.value.kind}}}": 1}
        count_divergence(metrics, RUN, "length_mismatch")
        count_divergence(None, RUN, "length_mismatch")
        count_divergence(NoOpMetrics(), RUN, "length_mismatch")
        assert counts(metrics)["replay_divergence_detected_total{length_mismatch}"] == 1

    def test_a_closed_runtime_counts_nothing_more(self) -> None:
        metrics = RecordingMetrics()
        runtime = new([], metrics=metrics)
        runtime.close()
        emit(runtime, "a")

        assert metrics.calls == []


def told(*events: tuple[str, dict[str, Any]]) -> RecordingMetrics:
    """The backend after these events of models and tools have entered a log."""
    metrics = RecordingMetrics()
    runtime = new([], metrics=metrics)
    for type, payload in events:
        emit(runtime, type, payload)
    return metrics


REQUEST = {"behavior": "b", "model": "m-1", "cache_hit": False}
ANSWER = {"model": "m-1", "input_tokens": 12, "output_tokens": 3, "cost_usd": "0.0021", "cache_hit": False}
REFUSAL = {"model": "m-1", "cache_hit": False, "cost_usd": "0", "error": {"reason": "llm.rate_limited", "message": "x"}}


def calls(metrics: RecordingMetrics) -> dict[str, float]:
    """What was counted of models and tools."""
    found = {**counts(metrics), **counts(metrics, "histogram_count")}
    return {name: value for name, value in found.items() if name.startswith(("llm_", "tools_"))}


class TestCallsOfModelsAndTools:
    def test_a_call_to_a_model(self) -> None:
        metrics = told(("llm.requested", REQUEST), ("llm.responded", ANSWER))

        assert counts(metrics)["llm_calls_total{m-1}"] == 1
        assert counts(metrics, "histogram_sum") == {
            "llm_tokens_in{m-1}": 12.0,
            "llm_tokens_out{m-1}": 3.0,
            "llm_cost_usd{m-1}": 0.0021,
        }

    def test_an_answer_from_the_cache_is_a_call_and_a_hit_and_costs_nothing(self) -> None:
        hit = {"cache_hit": True}
        metrics = told(("llm.requested", {**REQUEST, **hit}), ("llm.responded", {**ANSWER, **hit}))

        assert calls(metrics) == {"llm_calls_total{m-1}": 1, "llm_cache_hits_total{m-1}": 1}

    def test_a_failed_call_is_counted_with_its_reason_and_once(self) -> None:
        failed = {"behavior": "b", "exception_type": "LLMBehaviorError", "reason": "llm.rate_limited"}
        metrics = told(("llm.requested", REQUEST), ("llm.responded", REFUSAL), ("behavior.failed", failed))

        assert calls(metrics) == {"llm_calls_total{m-1}": 1, "llm_failed_total{m-1,llm.rate_limited}": 1}
        assert counts(metrics)["behaviors_failed_total{b,llm.rate_limited}"] == 1

    def test_a_failure_that_was_paid_costs(self) -> None:
        metrics = told(("llm.responded", {**REFUSAL, "cost_usd": "0.5", "input_tokens": 7}))

        assert calls(metrics) == {"llm_failed_total{m-1,llm.rate_limited}": 1, "llm_cost_usd{m-1}": 1}

    def test_an_answer_that_cannot_be_used_and_a_call_that_was_not_made_are_failures_of_a_model(self) -> None:
        failed = {"behavior": "b", "exception_type": "LLMBehaviorError"}
        metrics = told(
            ("llm.requested", REQUEST),
            ("llm.responded", ANSWER),
            ("behavior.failed", {**failed, "reason": "llm.parse_error"}),
        )
        assert counts(metrics)["llm_failed_total{m-1,llm.parse_error}"] == 1
        metrics = told(("behavior.failed", {**failed, "reason": "llm.prompt_assembly_error"}))
        assert calls(metrics) == {"llm_failed_total{unknown,llm.prompt_assembly_error}": 1}

    def test_a_budget_that_says_no_is_no_failure_of_a_model(self) -> None:
        refused = {**REFUSAL, "error": {"reason": "budget.cost_exhausted"}}
        failed = {"behavior": "b", "reason": "budget.cost_exhausted", "model": "m-1"}

        assert calls(told(("llm.responded", refused), ("behavior.failed", failed))) == {}

    def test_calls_of_a_tool(self) -> None:
        request, hit = {"tool": "look", "cache_hit": False}, {"cache_hit": True}
        answer = {"tool": "look", "error": None, "cache_hit": False, "latency_seconds": 0.25, "cost_usd": "0"}
        metrics = told(
            ("tool.requested", request),
            ("tool.responded", answer),
            ("tool.requested", {**request, **hit}),
            ("tool.responded", {**answer, **hit}),
            ("tool.requested", request),
            ("tool.responded", {**answer, "error": {"reason": "tool.timeout"}}),
            ("tool.requested", request),
            ("tool.responded", {**answer, "error": {"reason": "tool.invalid_input"}}),
            ("tool.responded", {**answer, "resolved_by": "host"}),
        )

        assert calls(metrics) == {
            "tools_calls_total{look}": 4,
            "tools_cache_hits_total{look}": 1,
            "tools_failed_total{look,tool.timeout}": 1,
            "tools_failed_total{look,tool.invalid_input}": 1,
            "tools_duration_seconds{look}": 2,
        }
        assert counts(metrics, "histogram_sum") == {"tools_duration_seconds{look}": 0.5}

    def test_a_name_that_a_model_made_up_is_no_tag(self) -> None:
        failed = {"behavior": "b", "reason": "tool.unknown_tool", "tool": "made up"}

        assert calls(told(("behavior.failed", failed))) == {"tools_failed_total{unknown,tool.unknown_tool}": 1}

    def test_events_of_any_shape_are_counted_without_harm(self) -> None:
        for kind in ("llm.requested", "llm.responded", "tool.requested", "tool.responded", "behavior.failed"):
            payloads: tuple[dict[str, Any], ...] = (
                {},
                {"model": None, "tool": 7, "error": "x", "cost_usd": "much", "latency_seconds": "long"},
                {"model": "", "input_tokens": [], "cost_usd": None, "error": {"reason": 3}, "reason": 5},
            )
            for payload in payloads:
                metrics = told((kind, payload))
                assert counts(metrics)[f"events_emitted_total{{{kind}}}"] == 1
                for _, name, tags, _ in metrics.calls:
                    assert tuple(tags) == METRIC_BY_NAME[name].tags
                    assert all(type(value) is str and value for value in tags.values())


class TestGauges:
    def test_the_queue_is_told_after_every_push_and_pop_and_at_the_end(self) -> None:
        metrics = RecordingMetrics()
        runtime = new([Behavior("make", make, ["a"])], metrics=metrics)
        emit(runtime, "a")
        emit(runtime, "a")
        assert gauges(metrics, "queue_depth") == [1, 2]
        runtime.run_until_idle()

        assert gauges(metrics, "queue_depth") == [1, 2, 3, 2, 3, 2, 1, 0, 0]

    def test_what_is_left_of_a_budget_is_told_on_every_change_and_at_the_end(self) -> None:
        def pay(event: Event, graph: Any, ctx: Any) -> None:
            runtime.budget.add_cost("0.75")

        metrics = RecordingMetrics()
        budget = {"max_events": 2, "max_cost_usd": "2.00"}
        runtime = new([Behavior("pay", pay, ["a"])], metrics=metrics, budget=budget)
        for _ in range(3):
            emit(runtime, "a")
        runtime.run_until_idle()

        assert runtime.status().state == "exhausted"
        assert gauges(metrics, "budget_events_remaining") == [2, 1, 0, 0]
        assert gauges(metrics, "budget_cost_remaining_usd") == [2.0, 1.25, 0.5, 0.5]
        tags = {tuple(t.items()) for kind, name, t, _ in metrics.calls if "budget" in name}
        assert tags == {(("run_id", RUN),)}
        runtime.budget.add_cost(9)
        assert gauges(metrics, "budget_cost_remaining_usd")[-1] == 0

    def test_without_a_limit_there_is_no_series(self) -> None:
        metrics = RecordingMetrics()
        runtime = new([recording("b", [], ["a"])], metrics=metrics, budget={"max_patches": 3})
        emit(runtime, "a")
        runtime.run_until_idle()

        assert not [name for _, name, _, _ in metrics.calls if "budget" in name]

    def test_a_budget_that_replaces_another_is_the_one_that_is_told(self) -> None:
        metrics = RecordingMetrics()
        runtime = new([], metrics=metrics, budget={"max_events": 5, "max_cost_usd": 1})
        runtime.run_until_idle()
        first = runtime.budget
        runtime.budget = {"max_cost_usd": 3}
        first.add_cost(1)
        runtime.run_until_idle()
        assert counts(metrics, "gauge") == {"queue_depth": 0, f"budget_cost_remaining_usd{{{RUN}}}": 3}

    def test_closing_takes_the_series_of_the_run_back(self) -> None:
        metrics = RecordingMetrics()
        runtime = new([], metrics=metrics, budget={"max_events": 5, "max_cost_usd": 1})
        runtime.run_until_idle()
        assert len(counts(metrics, "gauge")) == 3
        runtime.close()
        runtime.close()

        assert counts(metrics, "gauge") == {"queue_depth": 0}

    def test_so_does_the_end_of_a_runtime_that_nobody_closed(self) -> None:
        metrics = RecordingMetrics()
        runtime = new([], metrics=metrics, budget={"max_events": 5})
        graph = runtime.graph
        runtime.run_until_idle()
        del runtime
        gc.collect()

        assert gauges_at_last(metrics) == {"queue_depth": 0}
        assert graph.run_id == RUN

    def test_a_collection_in_the_middle_of_the_backends_own_work_does_not_wait_for_itself(self) -> None:
        metrics = RecordingMetrics()
        runtime = new([], metrics=metrics, budget={"max_events": 5})
        runtime.run_until_idle()
        with metrics._lock:
            del runtime
            gc.collect()

        assert gauges_at_last(metrics) == {"queue_depth": 0}

    def test_a_process_that_closes_nothing_ends_quietly(self) -> None:
        code = (
            "from activegraph import Graph, Runtime\n"
            "from activegraph.conformance.recording import RecordingMetrics\n"
            "runtime = Runtime(Graph(), [], metrics=RecordingMetrics(), budget={'max_events': 5})\n"
            "runtime.run_until_idle()\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    def test_a_runtime_takes_back_only_what_it_was_the_last_to_set(self, tmp_path: Path) -> None:
        metrics, budget = RecordingMetrics(), {"max_events": 5}
        first = new([], persist_to=tmp_path / "run.db", metrics=metrics, budget=budget)
        first.run_until_idle()
        second = loaded(tmp_path / "run.db", metrics=metrics, budget=budget)
        second.run_until_idle()
        first.close()
        assert f"budget_events_remaining{{{RUN}}}" in counts(metrics, "gauge")
        second.close()
        assert counts(metrics, "gauge") == {"queue_depth": 0}

    def test_a_runtime_that_takes_a_graph_over_measures_from_then_on(self) -> None:
        first, second = RecordingMetrics(), RecordingMetrics()
        runtime = new([], metrics=first, budget={"max_events": 5})
        runtime.run_until_idle()
        again = new([], graph=runtime.graph, metrics=second, budget={"max_events": 7})
        emit(again, "a")
        again.run_until_idle()

        assert counts(first, "gauge") == {"queue_depth": 0}
        assert "events_emitted_total{a}" not in counts(first)
        assert counts(second, "gauge") == {"queue_depth": 0, f"budget_events_remaining{{{RUN}}}": 6}


class Broken(RecordingMetrics):
    """Fails at every n-th call, counted from 1, until it is mended."""

    def __init__(self, every: int) -> None:
        super().__init__()
        self.every = every
        self.met = 0

    def _fail(self) -> None:
        self.met += 1
        if self.every and self.met % self.every == 0:
            raise ConnectionError("backend down")

    def counter(self, name: str, tags: dict[str, str], value: float = 1.0) -> None:
        self._fail()
        super().counter(name, tags, value)

    def histogram(self, name: str, tags: dict[str, str], value: float) -> None:
        self._fail()
        super().histogram(name, tags, value)

    def gauge(self, name: str, tags: dict[str, str], value: float) -> None:
        self._fail()
        super().gauge(name, tags, value)

    def remove_gauge(self, name: str, tags: dict[str, str]) -> None:
        self._fail()
        super().remove_gauge(name, tags)


class TestBackendsThatFail:
    def run(self, metrics: Any) -> Runtime:
        behaviors = [Behavior("make", make, ["a"]), Behavior("fail", fail, ["a"])]
        runtime = new(behaviors, metrics=metrics, budget={"max_events": 50})
        for _ in range(3):
            emit(runtime, "a")
        runtime.run_until_idle()
        return runtime

    @pytest.mark.parametrize("every", [1, 3])
    def test_the_log_is_the_same_and_each_metric_is_said_once(
        self, every: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        expected = list(self.run(NoOpMetrics()).graph.events)
        caplog.clear()
        metrics = Broken(every)
        runtime = self.run(metrics)
        with caplog.at_level(logging.INFO, "activegraph.observability"):
            runtime.close()

        assert list(runtime.graph.events) == expected
        lines = [r for r in caplog.records if r.name == "activegraph.observability"]
        said = [r.getMessage() for r in lines if r.getMessage().startswith("metrics backend failed: ")]
        assert len(said) == len(set(said)) > 1
        assert lines[0].error_type == "ConnectionError"  # type: ignore[attr-defined]
        assert lines[0].error_message == "backend down"  # type: ignore[attr-defined]
        assert lines[0].run_id == RUN  # type: ignore[attr-defined]
        assert lines[-1].levelno == logging.INFO
        dropped = metrics.met // every
        assert lines[-1].getMessage() == f"metrics backend dropped {dropped} observations"

    def test_one_without_the_methods_is_a_failing_one(self, caplog: pytest.LogCaptureFixture) -> None:
        runtime = self.run(object())
        runtime.close()

        assert runtime.status().state == "idle"
        assert "metrics backend failed: activegraph_queue_depth" in [r.getMessage() for r in caplog.records]

    def test_a_backend_is_given_up_after_a_hundred_failures_in_a_row(self, caplog: pytest.LogCaptureFixture) -> None:
        metrics = Broken(1)
        runtime = new([], metrics=metrics)
        for _ in range(200):
            emit(runtime, "a")
        runtime.run_until_idle()

        assert metrics.met == 100
        given_up = [r for r in caplog.records if "no more" in r.getMessage()]
        assert [(r.levelno, r.getMessage()) for r in given_up] == [
            (logging.WARNING, "metrics backend is called no more after 100 failures in a row")
        ]

    def test_one_success_between_failures_keeps_it(self, caplog: pytest.LogCaptureFixture) -> None:
        metrics = Broken(1)
        runtime = new([], metrics=metrics)
        for number in range(300):
            metrics.every = 0 if number % 40 == 0 else 1
            emit(runtime, "a")

        assert metrics.met == 600
        assert not [r for r in caplog.records if "no more" in r.getMessage()]

    def test_two_runtimes_on_one_backend_say_it_once(self, caplog: pytest.LogCaptureFixture) -> None:
        metrics = Broken(1)
        runtimes = [new([], graph=Graph(run_id=f"run_{n}"), metrics=metrics) for n in range(2)]
        for runtime in runtimes:
            emit(runtime, "a")

        assert [r.getMessage() for r in caplog.records] == [
            "metrics backend failed: activegraph_queue_depth",
            "metrics backend failed: activegraph_events_emitted_total",
        ]

    def test_an_interrupt_in_it_is_an_interrupt(self) -> None:
        class Interrupted(RecordingMetrics):
            def histogram(self, name: str, tags: dict[str, str], value: float) -> None:
                raise KeyboardInterrupt

        runtime = new([Behavior("make", make, ["a"])], metrics=Interrupted())
        emit(runtime, "a")
        with pytest.raises(KeyboardInterrupt):
            runtime.run_until_idle()
        assert runtime.status().state == "stopped"


def test_a_backend_that_does_nothing_is_not_even_called() -> None:
    runtime = new([])

    assert isinstance(runtime.metrics, NoOpMetrics)
    assert runtime._engine.measures is None
    assert new([], metrics=NoOpMetrics())._engine.measures is None


def test_a_slow_pattern_is_said_once_a_minute_and_behavior(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = [0.0]

    def slowly() -> float:
        now[0] += 0.15
        return now[0]

    monkeypatch.setattr("activegraph.runtime.turns.perf_counter", slowly)
    monkeypatch.setattr(matching, "perf_counter", lambda: now[0])
    watch = Behavior("watch", lambda e, g, c: None, ["a"], pattern="(t:task)")
    runtime = new([watch])
    runtime.graph.add_object("task", {})
    for _ in range(3):
        emit(runtime, "a")
    runtime.run_until_idle()
    now[0] += 60
    emit(runtime, "a")
    runtime.run_until_idle()

    assert [(r.name, r.levelname, r.getMessage()) for r in caplog.records] == [
        ("activegraph.patterns", "WARNING", "slow pattern: watch 1 matches")
    ] * 2
    line: Any = caplog.records[0]
    assert (line.behavior, line.event_id, line.run_id) == ("watch", "evt_002", RUN)
    assert line.latency_seconds == pytest.approx(0.15)
