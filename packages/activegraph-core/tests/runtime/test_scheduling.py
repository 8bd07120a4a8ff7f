"""The loop: in which order events, behaviors, relations and delayed invocations have their turn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from activegraph.behaviors.base import Behavior, RelationBehavior
from activegraph.core.clock import FrozenClock
from activegraph.core.event import Event
from activegraph.core.graph import Graph
from activegraph.errors import IncompatibleRuntimeState
from activegraph.runtime.patterns import parse
from activegraph.runtime.runtime import Runtime


def new(behaviors: list[Any], **options: Any) -> Runtime:
    return Runtime(Graph(clock=FrozenClock(), run_id="run_1"), behaviors=behaviors, **options)


def recording(name: str, seen: list[str], **options: Any) -> Behavior:
    return Behavior(name, lambda event, graph, ctx: seen.append(f"{name} {event.type} {event.id}"), **options)


def emit(runtime: Runtime, type: str, payload: dict[str, Any] | None = None) -> Event:
    graph = runtime.graph
    return graph.emit(Event(graph.ids.event(), type, payload or {}))


def with_pattern(name: str, fn: Any, text: str, **options: Any) -> Behavior:
    return Behavior(name, fn, pattern=text, pattern_matcher=parse(text).compile(), **options)


def types_of(runtime: Runtime) -> list[str]:
    return [event.type for event in runtime.graph.events]


def test_events_are_dispatched_in_log_order_and_behaviors_in_registration_order() -> None:
    seen: list[str] = []
    runtime = new([recording("second", seen), recording("first", seen, on=["a"])])
    emit(runtime, "a")
    emit(runtime, "b")

    runtime.run_until_idle()

    assert seen == ["second a evt_001", "first a evt_001", "second b evt_002"]


def test_a_priority_is_recorded_and_changes_no_order() -> None:
    seen: list[str] = []
    runtime = new([recording("low", seen, priority=-1), recording("high", seen, priority=9)])
    emit(runtime, "a")

    runtime.run_until_idle()

    assert seen == ["low a evt_001", "high a evt_001"]


def test_a_behavior_sees_what_an_earlier_one_did_on_the_same_event() -> None:
    def close(event: Event, graph: Any, ctx: Any) -> None:
        graph.patch_object("door#1", {"open": False})

    seen: list[str] = []
    enters = with_pattern("enters", lambda e, g, c: seen.append("entered"), "(d:door {open: TRUE})", on=["knock"])
    runtime = new([Behavior("closes", close, on=["knock"]), enters])
    runtime.graph.add_object("door", {"open": True})
    emit(runtime, "knock")

    runtime.run_until_idle()

    assert seen == []


def test_what_the_graph_held_before_its_first_runtime_is_not_dispatched() -> None:
    seen: list[str] = []
    graph = Graph(clock=FrozenClock())
    graph.add_object("door", {})
    runtime = Runtime(graph, behaviors=[recording("all", seen)])

    runtime.run_until_idle()

    assert seen == []
    assert types_of(runtime) == ["object.created", "runtime.idle"]


def test_the_number_of_events_of_the_set_up_is_known_after_a_load(tmp_path: Path) -> None:
    seen: list[str] = []
    graph = Graph(clock=FrozenClock())
    graph.add_object("door", {})
    Runtime(graph, behaviors=[], persist_to=str(tmp_path / "run.db")).close()

    Runtime.load(str(tmp_path / "run.db"), behaviors=[recording("all", seen)]).run_until_idle()

    assert seen == []


def test_a_second_runtime_on_a_graph_takes_over_what_waits() -> None:
    seen: list[str] = []
    first = new([])
    emit(first, "a")
    second = Runtime(first.graph, behaviors=[recording("all", seen)])

    second.run_until_idle()

    assert seen == ["all a evt_001"]
    with pytest.raises(IncompatibleRuntimeState):
        first.run_until_idle()


@pytest.mark.parametrize("call", ["run_until_idle", "run_goal", "add", "save", "fork", "approve", "close"])
def test_a_behavior_cannot_call_its_runtime_or_the_graph_behind_its_back(call: str, tmp_path: Path) -> None:
    def meddle(event: Event, graph: Any, ctx: Any) -> None:
        {
            "run_until_idle": lambda: runtime.run_until_idle(),
            "run_goal": lambda: runtime.run_goal("again"),
            "add": lambda: runtime.graph.add_object("door", {}),
            "save": lambda: runtime.save_state(),
            "fork": lambda: runtime.fork("evt_001"),
            "approve": lambda: runtime.approve("approval_001"),
            "close": lambda: runtime.close(),
        }[call]()

    runtime = new([Behavior("meddler", meddle, on=["a"])], persist_to=str(tmp_path / "run.db"))
    emit(runtime, "a")

    runtime.run_until_idle()

    (failure,) = runtime.errors
    assert failure.exception_type == "IncompatibleRuntimeState"
    assert runtime.status().state == "idle"


def test_an_internal_event_reaches_only_those_that_name_its_type() -> None:
    seen: list[str] = []
    runtime = new(
        [
            recording("worker", [], on=["a"]),
            recording("any", seen),
            recording("star", seen, on=["*"]),
            recording("named", seen, on=["behavior.completed"]),
        ]
    )
    emit(runtime, "a")

    runtime.run_until_idle()

    assert seen == [
        "any a evt_001",
        "star a evt_001",
        "named behavior.completed evt_003",
        "named behavior.completed evt_005",
        "named behavior.completed evt_007",
    ]


def test_a_failing_failure_handler_does_not_feed_itself_or_its_like() -> None:
    def fail(event: Event, graph: Any, ctx: Any) -> None:
        raise ValueError("no")

    runtime = new(
        [
            Behavior("worker", fail, on=["a"]),
            Behavior("one", fail, on=["behavior.failed"]),
            Behavior("two", fail, on=["behavior.failed"]),
        ]
    )
    emit(runtime, "a")

    runtime.run_until_idle()

    assert [failure.behavior for failure in runtime.errors] == ["worker", "one", "two"]


def test_lifecycle_marks_cannot_be_subscribed_to() -> None:
    seen: list[str] = []
    runtime = new(
        [
            recording("w", [], on=["a"]),
            recording("m", seen, on=["behavior.started", "runtime.idle", "behavior.scheduled"]),
        ]
    )
    emit(runtime, "a")
    runtime.run_until_idle()
    runtime.run_until_idle()

    assert seen == []


def test_a_relation_behavior_runs_once_per_relation_that_the_payload_names() -> None:
    seen: list[str] = []
    behavior = RelationBehavior("r", lambda relation, e, g, c: seen.append(relation.id), "knows", on=["met"])
    runtime = new([behavior])
    graph = runtime.graph
    for source, target, type in (("a", "b", "knows"), ("c", "d", "knows"), ("b", "c", "hates"), ("e", "a", "knows")):
        graph.add_relation(source, target, type)
    emit(runtime, "met", {"deep": [{"who": "a"}], "d": "not a key that counts"})

    runtime.run_until_idle()

    assert seen == ["rel_001", "rel_004"]


def test_relations_that_a_relation_behavior_makes_or_removes_meanwhile_do_not_change_its_turn() -> None:
    seen: list[str] = []

    def visit(relation: Any, event: Event, graph: Any, ctx: Any) -> None:
        seen.append(relation.id)
        if relation.id == "rel_001":
            graph.add_relation("hub", "new", "spoke")
            graph.remove_relation("rel_002")

    runtime = new([RelationBehavior("visits", visit, "spoke", on=["spin"])])
    for end in ("a", "b", "c"):
        runtime.graph.add_relation("hub", end, "spoke")
    emit(runtime, "spin", {"id": "hub"})

    runtime.run_until_idle()

    assert seen == ["rel_001", "rel_003"]


def test_pattern_matched_comes_once_before_the_first_invocation_of_a_turn() -> None:
    text = "(a:task)"
    behavior = RelationBehavior(
        "r", lambda relation, e, g, c: None, "knows", on=["met"], pattern=text, pattern_matcher=parse(text).compile()
    )
    runtime = new([behavior])
    runtime.graph.add_object("task", {})
    runtime.graph.add_relation("a", "b", "knows")
    runtime.graph.add_relation("a", "c", "knows")
    emit(runtime, "met", {"who": "a"})
    begin = len(runtime.graph.events)

    runtime.run_until_idle()

    assert types_of(runtime)[begin:] == [
        "pattern.matched",
        "relation_behavior.started",
        "behavior.completed",
        "relation_behavior.started",
        "behavior.completed",
        "runtime.idle",
    ]
    matched = runtime.graph.events[begin]
    assert matched.payload == {"behavior": "r", "event_id": "evt_004", "matches_count": 1, "pattern": "(a:task)"}
    assert (matched.actor, matched.caused_by) == ("runtime", "evt_004")


def test_matches_are_those_of_the_call_and_new_ones_touch_the_trigger() -> None:
    found: list[Any] = []

    def look(event: Event, graph: Any, ctx: Any) -> None:
        graph.add_object("task", {})
        found.append(([m["a"] for m in ctx.matches], [m["a"] for m in ctx.new_matches], len(ctx.matches)))

    runtime = new([with_pattern("looks", look, "(a:task)", on=["object.created"], where={"actor": "system"})])
    runtime.graph.add_object("task", {})
    runtime.graph.add_object("task", {})

    runtime.run_until_idle()

    assert found == [(["task#1", "task#2"], ["task#1"], 2), (["task#1", "task#2", "task#3"], ["task#2"], 3)]


def test_marks_carry_an_ordinal_where_behaviors_share_a_name() -> None:
    runtime = new([recording("same", [], on=["a"]), recording("same", [], on=["a"])])
    emit(runtime, "a")

    runtime.run_until_idle()

    marks = [e.payload for e in runtime.graph.events if e.type.startswith("behavior.")]
    assert [m["ordinal"] for m in marks] == [0, 0, 1, 1]


def test_random_numbers_of_behaviors_with_one_name_differ_and_repeat_in_another_run() -> None:
    def rolled() -> list[float]:
        rolls: list[float] = []
        roll = lambda event, graph, ctx: rolls.append(ctx.random.random())  # noqa: E731 - one expression, used twice
        runtime = new([Behavior("dice", roll, on=["a"]), Behavior("dice", roll, on=["a"])])
        emit(runtime, "a")
        runtime.run_until_idle()
        return rolls

    first, second = rolled(), rolled()

    assert first == second
    assert first[0] != first[1]


class TestDelays:
    def test_a_delayed_behavior_fires_after_the_event_of_its_tick_was_dispatched(self) -> None:
        seen: list[str] = []
        runtime = new([recording("late", seen, on=["a"], activate_after=2), recording("now", seen)])
        for type in ("a", "b", "c", "d"):
            emit(runtime, type)

        runtime.run_until_idle()

        assert seen == ["now a evt_001", "now b evt_002", "now c evt_003", "late a evt_001", "now d evt_004"]
        scheduled = next(e for e in runtime.graph.events if e.type == "behavior.scheduled")
        assert scheduled.payload == {
            "behavior": "late",
            "event_id": "evt_001",
            "activate_after": 2,
            "fire_at_tick": 3,
            "current_tick": 1,
        }

    def test_an_entry_that_is_not_due_never_keeps_the_loop_running_and_survives_a_load(self, tmp_path: Path) -> None:
        seen: list[str] = []
        behaviors = [recording("late", seen, on=["a"], activate_after=2)]
        runtime = new(behaviors, persist_to=str(tmp_path / "run.db"))
        emit(runtime, "a")
        runtime.run_until_idle()
        assert (runtime.status().state, runtime.status().queue_depth, seen) == ("idle", 0, [])
        runtime.close()

        loaded = Runtime.load(str(tmp_path / "run.db"), behaviors=behaviors)
        emit(loaded, "b")
        emit(loaded, "c")
        loaded.run_until_idle()

        assert seen == ["late a evt_001"]

    def test_conditions_are_asked_again_of_the_live_object_when_it_fires(self) -> None:
        seen: list[str] = []
        where = {"object.data.status": "open"}
        runtime = new([recording("late", seen, on=["object.created"], where=where, activate_after=1)])
        graph = runtime.graph
        graph.add_object("task", {"status": "open"})
        graph.add_object("task", {"status": "open"})
        graph.add_object("task", {"status": "closed"})
        runtime.run_until(lambda graph: False)
        graph.add_object("task", {"status": "open"})
        graph.patch_object("task#4", {"status": "done"})
        graph.add_object("task", {"status": "open"})
        graph.remove_object("task#5")
        emit(runtime, "tick")

        runtime.run_until_idle()

        assert [line.rsplit(" ", 1)[1] for line in seen] == ["evt_001", "evt_002"]

    def test_a_delayed_pattern_is_announced_at_the_firing(self) -> None:
        runtime = new([with_pattern("late", lambda e, g, c: None, "(a:task)", on=["a"], activate_after=1)])
        runtime.graph.add_object("task", {})
        emit(runtime, "a")
        emit(runtime, "b")

        runtime.run_until_idle()

        assert types_of(runtime)[3:] == [
            "behavior.scheduled",
            "pattern.matched",
            "behavior.started",
            "behavior.completed",
            "runtime.idle",
        ]

    def test_an_entry_that_the_budget_stops_fires_first_when_the_loop_goes_on(self) -> None:
        seen: list[str] = []
        runtime = new(
            [recording("late", seen, on=["a"], activate_after=1), recording("now", seen, on=["b"])],
            budget={"max_behavior_calls": 1},
        )
        for type in ("a", "b", "b"):
            emit(runtime, type)
        runtime.run_until_idle()
        assert seen == ["now b evt_002"]
        stop = runtime.graph.events[-1].payload["next"]
        assert stop == {
            "event_id": "evt_002",
            "finished": False,
            "turn": {"behavior": "late", "ordinal": 0, "event_id": "evt_001"},
        }

        runtime.budget = {}
        runtime.run_until_idle()

        assert seen == ["now b evt_002", "late a evt_001", "now b evt_003"]

    def test_a_relation_behavior_fires_for_the_relations_that_are_there_by_then(self) -> None:
        seen: list[str] = []
        late = RelationBehavior("r", lambda r, e, g, c: seen.append(r.target), "knows", on=["a"], activate_after=1)
        runtime = new([late])
        for other in ("x", "y"):
            runtime.graph.add_relation("hub", other, "knows")
        emit(runtime, "a", {"id": "hub"})
        runtime.run_until_idle()
        assert seen == []
        with runtime.graph.transaction():
            runtime.graph.remove_relation("rel_001")
            runtime.graph.add_relation("z", "hub", "knows")
        runtime.run_until_idle()

        assert seen == ["y", "hub"]

    def test_a_pattern_that_no_longer_matches_drops_the_firing_without_a_word(self) -> None:
        seen: list[str] = []
        runtime = new([with_pattern("late", lambda e, g, c: seen.append(e.id), "(a:task)", on=["a"], activate_after=1)])
        runtime.graph.add_object("task", {})
        emit(runtime, "a")
        runtime.run_until_idle()
        runtime.graph.remove_object("task#1")
        runtime.run_until_idle()

        assert seen == []
        assert types_of(runtime)[-3:] == ["runtime.idle", "object.removed", "runtime.idle"]

    def test_an_internal_event_has_the_tick_of_the_last_visible_one(self) -> None:
        seen: list[str] = []
        runtime = new(
            [recording("w", [], on=["a"]), recording("late", seen, on=["behavior.completed"], activate_after=1)]
        )
        for type in ("a", "b", "b"):
            emit(runtime, type)
        runtime.run_until_idle()

        scheduled = next(e for e in runtime.graph.events if e.type == "behavior.scheduled")
        assert (scheduled.payload["current_tick"], scheduled.payload["fire_at_tick"]) == (3, 4)
        emit(runtime, "b")
        runtime.run_until_idle()
        assert seen == ["late behavior.completed evt_005"]

    def test_the_set_up_has_no_ticks(self) -> None:
        graph = Graph(run_id="run_1")
        graph.add_object("door", {})
        runtime = Runtime(graph, behaviors=[recording("late", [], on=["a"], activate_after=1)])
        emit(runtime, "a")
        runtime.run_until_idle()

        scheduled = next(e for e in runtime.graph.events if e.type == "behavior.scheduled")
        assert scheduled.payload["current_tick"] == 1
