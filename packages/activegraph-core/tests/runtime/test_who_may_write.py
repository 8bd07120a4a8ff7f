"""One writer inside a step: who may call what while a behavior, a listener, a predicate or another thread works."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from activegraph.behaviors.base import Behavior
from activegraph.core.event import Event
from activegraph.errors import IncompatibleRuntimeState
from activegraph.runtime.runtime import Runtime
from support.runtimes import emit, new, recording, types_of

CALLS: dict[str, Callable[[Runtime], Any]] = {
    "run_until_idle": lambda runtime: runtime.run_until_idle(),
    "run_until": lambda runtime: runtime.run_until(lambda graph: True),
    "run_goal": lambda runtime: runtime.run_goal("again"),
    "approve": lambda runtime: runtime.approve("approval_001"),
    "deny": lambda runtime: runtime.deny("approval_001"),
    "fork": lambda runtime: runtime.fork("evt_001"),
    "save_state": lambda runtime: runtime.save_state(),
    "close": lambda runtime: runtime.close(),
    "Runtime": lambda runtime: Runtime(runtime.graph, []),
}
CHANGES: dict[str, Callable[[Runtime], Any]] = {
    "add_object": lambda runtime: runtime.graph.add_object("x", {}),
    "remove_object": lambda runtime: runtime.graph.remove_object("x#1"),
    "emit": lambda runtime: emit(runtime, "b"),
    "transaction": lambda runtime: runtime.graph.transaction().__enter__(),
    "apply_patch": lambda runtime: runtime.graph.apply_patch("patch_001"),
}


def refused(call: Callable[[Runtime], Any], runtime: Runtime) -> bool:
    with pytest.raises(IncompatibleRuntimeState):
        call(runtime)
    return True


@pytest.mark.parametrize("name", [*CALLS, *CHANGES])
def test_a_behavior_can_call_nothing_of_its_runtime_or_graph(name: str, tmp_path: Path) -> None:
    tried: list[bool] = []
    call = {**CALLS, **CHANGES}[name]
    runtime = new(
        [Behavior("b", lambda e, g, c: tried.append(refused(call, runtime)), ["a"])], persist_to=tmp_path / "r"
    )
    emit(runtime, "a")
    runtime.run_until_idle()

    assert tried == [True]
    assert types_of(runtime) == ["a", "behavior.started", "behavior.completed", "runtime.idle"]


@pytest.mark.parametrize("name", [*CALLS, *CHANGES])
def test_another_thread_can_call_nothing_while_a_run_is_working(name: str, tmp_path: Path) -> None:
    tried: list[bool] = []

    def from_another_thread() -> None:
        call = {**CALLS, **CHANGES}[name]
        thread = threading.Thread(target=lambda: tried.append(refused(call, runtime)))
        thread.start()
        thread.join()

    runtime = new([], persist_to=tmp_path / "run.db")
    runtime.graph.add_listener(lambda event: from_another_thread() if event.type == "runtime.idle" else None)
    runtime.run_until_idle()

    assert tried == [True]
    assert types_of(runtime) == ["runtime.idle"]


@pytest.mark.parametrize("name", [name for name in CALLS if name != "Runtime"])
def test_no_other_call_is_part_of_a_transaction_and_the_refusal_names_it(name: str, tmp_path: Path) -> None:
    runtime = new([], persist_to=tmp_path / "run.db")
    with runtime.graph.transaction():
        emit(runtime, "a")
        with pytest.raises(IncompatibleRuntimeState) as refusal:
            CALLS[name](runtime)

    assert "called inside `graph.transaction()`" in refusal.value.summary
    assert types_of(runtime) == ["a"]


def test_of_two_threads_that_start_a_run_at_once_one_runs() -> None:
    working, done = threading.Event(), threading.Event()

    def hold(event: Event, graph: Any, ctx: Any) -> None:
        working.set()
        done.wait(10)

    runtime = new([Behavior("hold", hold, ["a"])])
    emit(runtime, "a")
    thread = threading.Thread(target=runtime.run_until_idle)
    thread.start()
    working.wait(10)
    try:
        assert refused(CALLS["run_until_idle"], runtime)
        assert runtime.status().state == "running"
    finally:
        done.set()
        thread.join()

    assert runtime.status().state == "idle"


class TestListeners:
    def test_one_may_change_decide_and_open_a_transaction(self) -> None:
        runtime = new([Behavior("ask", lambda e, g, c: c.propose_object("x", {}), ["a"])])

        def react(event: Event) -> None:
            if event.type == "approval.proposed":
                runtime.approve("approval_001")
                with runtime.graph.transaction():
                    emit(runtime, "b")
                    emit(runtime, "c")

        runtime.graph.add_listener(react)
        emit(runtime, "a")
        runtime.run_until_idle()

        assert types_of(runtime)[3:] == [
            "behavior.completed",
            "approval.granted",
            "object.created",
            "b",
            "c",
            "runtime.idle",
        ]
        assert runtime.pending_approvals() == []

    @pytest.mark.parametrize("name", ["run_until_idle", "run_goal", "fork", "save_state", "close", "Runtime"])
    def test_one_can_neither_run_nor_end_the_run_that_it_hears(self, name: str, tmp_path: Path) -> None:
        tried: list[bool] = []
        runtime = new([], persist_to=tmp_path / "run.db")
        runtime.graph.add_listener(lambda event: tried.append(refused(CALLS[name], runtime)))
        runtime.run_until_idle()

        assert tried == [True]

    def test_what_it_emits_behind_the_last_event_is_left_for_the_next_run(self) -> None:
        seen: list[str] = []
        runtime = new([recording("b", seen, ["late"])])
        hear = {"runtime.idle": lambda: emit(runtime, "late")}
        runtime.graph.add_listener(lambda event: hear.pop(event.type, lambda: None)())
        runtime.run_until_idle()

        assert (runtime.status().state, runtime.status().queue_depth, seen) == ("stopped", 1, [])
        runtime.run_until_idle()
        assert seen == ["b evt_002"]

    def test_one_that_raises_is_skipped_and_the_others_hear(self, caplog: pytest.LogCaptureFixture) -> None:
        heard: list[str] = []

        def broken(event: Event) -> None:
            raise ValueError("no")

        runtime = new([recording("b", [], ["a"])])
        runtime.graph.add_listener(broken)
        runtime.graph.add_listener(lambda event: heard.append(event.type))
        emit(runtime, "a")
        runtime.run_until_idle()

        assert heard == types_of(runtime)
        (line,) = [record for record in caplog.records if record.name == "activegraph.observability"]
        assert line.getMessage().startswith("listener failed: ")

    def test_one_that_is_removed_hears_no_more(self) -> None:
        heard: list[str] = []
        hear = lambda event: heard.append(event.type)  # noqa: E731 - the same object is removed again
        runtime = new([])
        runtime.graph.add_listener(hear)
        emit(runtime, "a")
        assert runtime.graph.remove_listener(hear)
        assert not runtime.graph.remove_listener(hear)
        emit(runtime, "b")

        assert heard == ["a"]


class TestPredicate:
    def test_it_may_change_the_graph_and_is_not_asked_again_about_an_event_that_was_begun(self) -> None:
        asked: list[int] = []

        def predicate(graph: Any) -> bool:
            asked.append(len(graph.events))
            return False

        runtime = new([recording(n, [], ["a"]) for n in ("one", "two")], budget={"max_behavior_calls": 1})
        emit(runtime, "a")
        runtime.run_until(predicate)
        runtime.budget = {}
        runtime.run_until(predicate)

        assert asked == [1]

    def test_what_is_no_function_is_refused_and_nothing_is_written(self) -> None:
        runtime = new([])
        emit(runtime, "a")
        with pytest.raises(TypeError):
            runtime.run_until(True)  # type: ignore[arg-type]

        assert types_of(runtime) == ["a"]

    def test_it_cannot_run_the_loop_that_asks_it(self) -> None:
        runtime = new([])
        emit(runtime, "a")
        with pytest.raises(IncompatibleRuntimeState):
            runtime.run_until(lambda graph: runtime.run_until_idle())

        assert types_of(runtime) == ["a", "runtime.paused"]


class TestTransactions:
    def test_nested_ones_commit_with_the_outermost_and_an_exception_keeps_what_was_emitted(self) -> None:
        heard: list[str] = []
        runtime = new([])
        runtime.graph.add_listener(lambda event: heard.append(event.type))

        def block() -> None:
            with runtime.graph.transaction():
                emit(runtime, "a")
                with pytest.raises(ZeroDivisionError), runtime.graph.transaction():
                    emit(runtime, "b")
                    raise ZeroDivisionError
                assert heard == []
                emit(runtime, "c")
                raise KeyError("outer")

        with pytest.raises(KeyError):
            block()

        assert heard == types_of(runtime) == ["a", "b", "c"]
        runtime.run_until_idle()
        assert runtime.status().state == "idle"

    def test_an_empty_one_writes_nothing(self) -> None:
        runtime = new([])
        with runtime.graph.transaction():
            pass

        assert types_of(runtime) == []

    def test_its_events_are_seen_inside_and_queued_when_it_ends(self) -> None:
        runtime = new([])
        with runtime.graph.transaction():
            runtime.graph.add_object("x", {})
            assert [event.type for event in runtime.graph.events] == ["object.created"]
            assert runtime.graph.get_object("x#1") is not None
            assert (runtime.status().queue_depth, runtime.status().events_processed) == (0, 0)

        assert (runtime.status().queue_depth, runtime.status().events_processed) == (1, 1)


class TestBehaviorsThatMisbehave:
    def test_recursion_without_end_is_a_failure_and_what_it_wrote_is_whole(self) -> None:
        def endless(event: Event, graph: Any, ctx: Any) -> None:
            graph.add_object("x", {})
            endless(event, graph, ctx)

        seen: list[str] = []
        runtime = new([Behavior("endless", endless, ["a"]), recording("b", seen, ["object.created"])])
        emit(runtime, "a")
        runtime.run_until_idle()

        (failure,) = runtime.errors
        assert failure.exception_type == "RecursionError"
        assert len(seen) == len(runtime.graph.all_objects()) > 100
        assert runtime.status().state == "idle"

    def test_one_that_catches_the_end_of_the_stack_and_writes_there_harms_nothing(self) -> None:
        def stubborn(event: Event, graph: Any, ctx: Any, depth: int = 0) -> None:
            try:
                stubborn(event, graph, ctx, depth + 1)
            except RecursionError:
                graph.add_object("x", {"depth": depth})

        seen: list[str] = []
        runtime = new([Behavior("stubborn", stubborn, ["a"]), recording("b", seen, ["object.created"])])
        emit(runtime, "a")
        runtime.run_until_idle()

        assert len(seen) == len(runtime.graph.all_objects()) == 1

    def test_a_message_of_any_length_and_an_error_that_cannot_be_shown_are_recorded(self) -> None:
        class Unspeakable(Exception):
            def __str__(self) -> str:
                raise ValueError("no")

        def fail(event: Event, graph: Any, ctx: Any) -> None:
            raise Unspeakable if event.type == "b" else ValueError("x" * 70_000_000)

        runtime = new([Behavior("f", fail, ["a", "b"])])
        emit(runtime, "a")
        emit(runtime, "b")
        runtime.run_until_idle()

        long, silent = runtime.errors
        assert long.message.startswith("xxx")
        assert long.message.endswith("(70000000 characters)")
        assert silent.message == "<Unspeakable without a readable message>"

    def test_a_relation_of_a_removed_object_is_one_with_an_end_in_nothing(self) -> None:
        def work(event: Event, graph: Any, ctx: Any) -> None:
            graph.remove_object("x#1")
            graph.add_relation("x#1", "x#1", "self")

        runtime = new([Behavior("w", work, ["a"])])
        runtime.graph.add_object("x", {})
        emit(runtime, "a")
        runtime.run_until_idle()

        assert runtime.errors == []
        assert [r.source for r in runtime.graph.all_relations()] == ["x#1"]

    def test_a_huge_fan_out_is_dispatched_whole(self) -> None:
        def spread(event: Event, graph: Any, ctx: Any) -> None:
            for n in range(3000):
                graph.add_object("x", {"n": n})

        seen: list[str] = []
        runtime = new([Behavior("spread", spread, ["a"]), recording("b", seen, ["object.created"])])
        emit(runtime, "a")
        runtime.run_until_idle()

        assert len(seen) == 3000
