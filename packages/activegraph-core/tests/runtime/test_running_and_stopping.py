"""How a call ends, what it writes down, and how a run that was stopped goes on."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from activegraph.behaviors.base import Behavior
from activegraph.core.clock import FrozenClock, TickingClock
from activegraph.core.event import Event
from activegraph.core.graph import Graph
from activegraph.errors import (
    ConcurrentWriterError,
    IncompatibleRuntimeState,
    RuntimeContextRequiredError,
)
from activegraph.runtime.budget import DIMENSIONS, Budget
from activegraph.runtime.failures import log_commit_failure
from activegraph.runtime.runtime import Runtime
from activegraph.store import InMemoryEventStore


def quiet(event: Event, graph: Any, ctx: Any) -> None:
    pass


def new(behaviors: list[Any] | None = None, **options: Any) -> Runtime:
    graph = Graph(clock=FrozenClock(), run_id="run_1")
    return Runtime(graph, behaviors=[Behavior("quiet", quiet)] if behaviors is None else behaviors, **options)


def emit(runtime: Runtime, *types: str) -> None:
    for type in types:
        runtime.graph.emit(Event(runtime.graph.ids.event(), type, {}))


def stops(runtime: Runtime) -> list[tuple[str, Any]]:
    return [(e.type, e.payload.get("exhausted_by")) for e in runtime.graph.events if e.type.startswith("runtime.")]


def test_a_goal_is_emitted_and_run_until_nothing_is_queued() -> None:
    runtime = new()
    runtime.run_goal("find it", actor="anna")

    first, *_, last = runtime.graph.events
    assert (first.type, first.payload, first.actor, first.caused_by) == (
        "goal.created",
        {"goal": "find it"},
        "anna",
        None,
    )
    assert last.type == "runtime.idle"
    assert set(last.payload["snapshot"]["used"]) == set(DIMENSIONS)


def test_a_second_call_with_nothing_to_do_writes_nothing() -> None:
    runtime = new()
    runtime.run_goal("g")
    length = len(runtime.graph.events)

    runtime.run_until_idle()

    assert len(runtime.graph.events) == length


def test_a_run_without_any_work_is_idle_once() -> None:
    runtime = new()
    runtime.run_until_idle()
    runtime.run_until_idle()

    assert stops(runtime) == [("runtime.idle", None)]


def test_max_events_dispatches_so_many_events_in_full() -> None:
    seen: list[str] = []
    behaviors = [Behavior(name, lambda e, g, c: seen.append(e.id)) for name in ("one", "two")]
    runtime = new(behaviors, budget={"max_events": 2})
    emit(runtime, "a", "b", "c")

    runtime.run_until_idle()

    assert seen == ["evt_001", "evt_001", "evt_002", "evt_002"]
    assert stops(runtime) == [("runtime.budget_exhausted", "max_events")]
    assert runtime.graph.events[-1].id == "stop_001"
    assert runtime.graph.events[-1].payload["next"] == {"event_id": "evt_002", "finished": True, "turn": None}


def test_a_stop_inside_a_fan_out_names_the_turn_that_comes_next() -> None:
    behaviors = [Behavior("same", quiet), Behavior("same", quiet)]
    runtime = new(behaviors, budget={"max_behavior_calls": 1})
    emit(runtime, "a")

    runtime.run_until_idle()

    assert runtime.graph.events[-1].payload["next"] == {
        "event_id": "evt_001",
        "finished": False,
        "turn": {"behavior": "same", "ordinal": 1, "event_id": "evt_001"},
    }
    assert runtime.status().queue_depth == 1


def test_an_empty_queue_under_an_exhausted_budget_is_exhausted_then_idle_with_more() -> None:
    runtime = new(budget={"max_behavior_calls": 1})
    emit(runtime, "a")
    runtime.run_until_idle()
    runtime.run_until_idle()
    runtime.budget = {"max_behavior_calls": 5}
    runtime.run_until_idle()

    assert stops(runtime) == [("runtime.budget_exhausted", "max_behavior_calls"), ("runtime.idle", None)]


def test_a_limit_of_zero_stops_before_the_first_invocation() -> None:
    seen: list[str] = []
    runtime = new([Behavior("b", lambda e, g, c: seen.append(e.id))], budget={"max_behavior_calls": 0})
    emit(runtime, "a")

    runtime.run_until_idle()

    assert seen == []
    assert stops(runtime) == [("runtime.budget_exhausted", "max_behavior_calls")]


def test_max_patches_counts_what_behaviors_apply() -> None:
    def patch(event: Event, graph: Any, ctx: Any) -> None:
        graph.patch_object("door#1", {"seen": event.id})

    runtime = new([Behavior("p", patch, on=["a"])], budget={"max_patches": 2})
    runtime.graph.add_object("door", {})
    emit(runtime, "a", "a", "a")

    runtime.run_until_idle()

    door = runtime.graph.get_object("door#1")
    assert door is not None
    assert door.data == {"seen": "evt_003"}
    assert stops(runtime) == [("runtime.budget_exhausted", "max_patches")]


def test_max_patches_counts_a_patch_that_a_behavior_emits_by_hand_too(tmp_path: Path) -> None:
    def patch(event: Event, graph: Any, ctx: Any) -> None:
        made = {"id": f"patch_{event.id}", "target": "door#1", "op": "update", "value": {"seen": event.id}}
        graph.emit("patch.applied", {"patch": made, "target": "door#1", "diff": {}})

    runtime = new([Behavior("p", patch, on=["a"])], budget={"max_patches": 2}, persist_to=str(tmp_path / "run.db"))
    runtime.graph.add_object("door", {})
    emit(runtime, "a", "a", "a")

    runtime.run_until_idle()

    assert stops(runtime) == [("runtime.budget_exhausted", "max_patches")]
    used = runtime.budget.used["max_patches"]
    runtime.close()
    loaded = Runtime.load(str(tmp_path / "run.db"), behaviors=[], budget=Budget({"max_patches": 2}, carry_over=True))
    assert loaded.budget.used["max_patches"] == used == 2


def test_max_depth_is_the_causal_depth_of_a_dispatched_event() -> None:
    def deeper(event: Event, graph: Any, ctx: Any) -> None:
        graph.emit("deeper", {})

    runtime = new([Behavior("d", deeper)], budget={"max_depth": 3})
    emit(runtime, "a")

    runtime.run_until_idle()

    assert sum(e.type == "deeper" for e in runtime.graph.events) == 3
    assert stops(runtime) == [("runtime.budget_exhausted", "max_depth")]


def test_seconds_are_measured_by_the_clock_and_shown_in_the_status_only() -> None:
    class Stopwatch(FrozenClock):
        seconds = 0.0

        def monotonic(self) -> float:
            self.seconds += 1.0
            return self.seconds

    graph = Graph(clock=Stopwatch())
    runtime = Runtime(graph, behaviors=[Behavior("quiet", quiet)], budget={"max_seconds": 5})
    emit(runtime, *["a"] * 20)

    runtime.run_until_idle()

    assert stops(runtime) == [("runtime.budget_exhausted", "max_seconds")]
    assert graph.events[-1].payload["snapshot"]["used"]["max_seconds"] == 0.0
    assert runtime.status().budget.used["max_seconds"] > 0


def test_a_predicate_stops_the_loop_before_an_event_and_says_so() -> None:
    asked: list[int] = []

    def enough(graph: Graph) -> bool:
        asked.append(len(graph.events))
        return len(asked) > 1

    runtime = new()
    emit(runtime, "a", "b")
    runtime.run_until(enough)

    assert stops(runtime) == [("runtime.paused", None)]
    assert runtime.graph.events[-1].payload["next"] == {"event_id": "evt_001", "finished": True, "turn": None}
    assert runtime.status().state == "stopped"


def test_a_predicate_that_raises_leaves_a_paused_run() -> None:
    runtime = new()
    emit(runtime, "a")

    with pytest.raises(ZeroDivisionError):
        runtime.run_until(lambda graph: 1 / 0)

    assert stops(runtime) == [("runtime.paused", None)]
    runtime.run_until_idle()
    assert runtime.status().state == "idle"


def test_a_stop_shifts_no_id() -> None:
    whole, stopped = new(), new(budget={"max_events": 1})
    for runtime in (whole, stopped):
        emit(runtime, "a", "b")
        runtime.run_until_idle()
    stopped.budget = {}
    stopped.run_until_idle()

    assert [e.id for e in whole.graph.events] == [e.id for e in stopped.graph.events if e.id[:5] != "stop_"]


def test_a_behavior_that_raises_keeps_what_it_did_and_the_next_one_runs(caplog: pytest.LogCaptureFixture) -> None:
    def half(event: Event, graph: Any, ctx: Any) -> None:
        graph.add_object("done", {})
        raise ValueError("first line\nsecond line")

    seen: list[str] = []
    runtime = new([Behavior("half", half, on=["a"]), Behavior("next", lambda e, g, c: seen.append(e.id), on=["a"])])
    emit(runtime, "a")
    with caplog.at_level(logging.ERROR, logger="activegraph.runtime"):
        runtime.run_until_idle()

    assert runtime.graph.get_object("done#1") is not None
    assert seen == ["evt_001"]
    (failure,) = runtime.errors
    assert failure == ("half", "evt_001", None, "ValueError", "first line\nsecond line", failure.failed_event_id)
    failed = next(e for e in runtime.graph.events if e.id == failure.failed_event_id)
    assert failed.payload["traceback"].startswith("Traceback")
    assert "half" in failed.payload["traceback"].splitlines()[1]
    (line,) = caplog.records
    assert line.getMessage() == "behavior failed: half (reason=exception.ValueError)"
    assert (line.event_id, line.behavior, line.reason) == ("evt_001", "half", "exception.ValueError")  # type: ignore[attr-defined]
    assert line.error_message == "first line"  # type: ignore[attr-defined]
    assert line.doc_url.endswith("/errors/execution-error")  # type: ignore[attr-defined]


def test_an_interrupt_writes_nothing_of_its_invocation_and_a_load_goes_on(tmp_path: Path) -> None:
    interrupts = [KeyboardInterrupt]

    def work(event: Event, graph: Any, ctx: Any) -> None:
        graph.add_object("done", {})
        if interrupts:
            raise interrupts.pop()

    behaviors = [Behavior("work", work, on=["a"])]
    runtime = new(behaviors, persist_to=str(tmp_path / "run.db"))
    emit(runtime, "a")
    with pytest.raises(KeyboardInterrupt):
        runtime.run_until_idle()

    assert runtime.status().state == "stopped"
    with pytest.raises(IncompatibleRuntimeState):
        runtime.run_until_idle()
    with pytest.raises(IncompatibleRuntimeState):
        runtime.graph.add_object("door", {})
    loaded = Runtime.load(str(tmp_path / "run.db"), behaviors=behaviors)
    assert [e.type for e in loaded.graph.events] == ["a"]
    loaded.run_until_idle()
    assert [o.id for o in loaded.graph.all_objects()] == ["done#1"]


def test_a_stopped_run_without_a_store_can_still_be_saved(tmp_path: Path) -> None:
    def interrupt(event: Event, graph: Any, ctx: Any) -> None:
        graph.add_object("lost", {})
        raise SystemExit(1)

    runtime = new([Behavior("i", interrupt, on=["a"])])
    emit(runtime, "a")
    with pytest.raises(SystemExit):
        runtime.run_until_idle()

    runtime.save_state(str(tmp_path / "run.db"))

    loaded = Runtime.load(str(tmp_path / "run.db"), behaviors=[])
    assert [e.type for e in loaded.graph.events] == ["a"]
    assert loaded.status().queue_depth == 1


def test_a_graph_kept_beyond_its_invocation_writes_nothing() -> None:
    kept: list[Any] = []
    runtime = new([Behavior("k", lambda e, g, c: kept.extend((g, c)), on=["a"])])
    emit(runtime, "a")
    runtime.run_until_idle()
    length = len(runtime.graph.events)

    with pytest.raises(RuntimeContextRequiredError):
        kept[0].add_object("late", {})
    with pytest.raises(RuntimeContextRequiredError):
        kept[1].propose_object("late", {})

    assert len(runtime.graph.events) == length


def test_a_behavior_cannot_emit_what_only_the_runtime_writes() -> None:
    runtime = new([Behavior("b", lambda e, g, c: g.emit("behavior.failed", {}), on=["a"])])
    emit(runtime, "a")
    runtime.run_until_idle()

    (failure,) = runtime.errors
    assert failure.exception_type == "InvalidArgumentType"


def test_a_payload_that_a_behavior_was_handed_cannot_be_changed() -> None:
    def change(event: Event, graph: Any, ctx: Any) -> None:
        event.payload["x"] = 1

    runtime = new([Behavior("c", change, on=["a"])])
    emit(runtime, "a")
    runtime.run_until_idle()

    (failure,) = runtime.errors
    assert failure.exception_type == "TypeError"
    assert "patch_object" in failure.message


def test_listeners_hear_the_events_of_a_step_after_its_commit_in_log_order() -> None:
    heard: list[tuple[str, int]] = []

    def work(event: Event, graph: Any, ctx: Any) -> None:
        graph.add_object("done", {})
        assert heard == [("a", 1)]

    runtime = new([Behavior("w", work, on=["a"])])
    store = InMemoryEventStore("run_1")
    runtime.graph.attach_store(store)
    runtime.graph.add_listener(lambda event: heard.append((event.type, store.count())))
    emit(runtime, "a")
    runtime.run_until_idle()

    assert heard == [
        ("a", 1),
        ("behavior.started", 4),
        ("object.created", 4),
        ("behavior.completed", 4),
        ("runtime.idle", 5),
    ]
    assert runtime.errors == []


def test_what_a_listener_emits_is_a_host_change_of_its_own() -> None:
    runtime = new([Behavior("w", lambda e, g, c: g.add_object("done", {}), on=["a"])])

    def react(event: Event) -> None:
        if event.type == "behavior.completed":
            runtime.graph.emit(Event(runtime.graph.ids.event(), "heard", {}))

    runtime.graph.add_listener(react)
    emit(runtime, "a")
    runtime.run_until_idle()

    types = [e.type for e in runtime.graph.events]
    assert types == ["a", "behavior.started", "object.created", "behavior.completed", "heard", "runtime.idle"]


def test_the_clock_is_read_once_per_event(tmp_path: Path) -> None:
    graph = Graph(clock=TickingClock(start="2026-01-01T00:00:00Z"))
    runtime = Runtime(
        graph,
        behaviors=[Behavior("w", lambda e, g, c: g.add_object("x", {}), on=["goal.created"])],
        persist_to=str(tmp_path / "run.db"),
    )
    runtime.run_goal("g")

    assert [e.timestamp[-3:] for e in graph.events] == [f"{n:02d}Z" for n in range(len(graph.events))]


def test_a_run_that_another_writer_took_over_says_how_far_both_are(caplog: pytest.LogCaptureFixture) -> None:
    error = ConcurrentWriterError(
        run_id="run_a",
        expected_head="evt_002",
        actual_head="evt_004",
        expected_count=2,
        actual_count=4,
        driver="sqlite",
    )

    log_commit_failure("run_a", error)

    assert caplog.messages == ["concurrent writer: expected 2 events, found 4"]
