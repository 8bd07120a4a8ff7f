"""A fork may be made at every event: what was begun there is done, what had no mark there is owed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from activegraph.behaviors.base import Behavior, RelationBehavior
from activegraph.core.clock import FrozenClock, TickingClock
from activegraph.core.event import Event
from activegraph.core.graph import Graph
from activegraph.errors import (
    EventNotFoundError,
    IncompatibleRuntimeState,
    InvalidArgumentType,
    InvalidRuntimeConfiguration,
)
from activegraph.frame import Frame
from activegraph.llm import AnthropicProvider
from activegraph.packs import llm_behavior
from activegraph.policy import Policy
from activegraph.runtime.runtime import Runtime
from activegraph.store import InMemoryEventStore, list_runs, sqlite_url
from activegraph.tools import Tool
from support.runtimes import RUN, emit, loaded, new, recording, types_of

ASKS_GPT = llm_behavior(name="asks", on=["a"], model="gpt-4o")(lambda event, graph, ctx, out: None)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.db"


def nth(runtime: Runtime, type: str, place: int = 0) -> str:
    """Id of the nth event of a type."""
    return [event.id for event in runtime.graph.events if event.type == type][place]


def finish(parent: Runtime, at: str, path: Path, *, by_load: bool) -> Runtime:
    """The fork, run until idle at once, or as a dormant one that is loaded."""
    fork = parent.fork(at)
    if by_load:
        fork.close()
        fork = loaded(path, parent._engine.explicit or (), run_id=fork.run_id)
    fork.run_until_idle()
    return fork


@pytest.fixture(params=[False, True], ids=["at-once", "loaded"])
def by_load(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_at_a_start_the_invocation_is_done_and_those_behind_it_are_owed(path: Path, by_load: bool) -> None:
    seen: list[str] = []
    parent = new([recording("one", seen, ["go"]), recording("two", seen, ["go"])], persist_to=path)
    emit(parent, "go")
    parent.run_until_idle()
    seen.clear()

    fork = finish(parent, nth(parent, "behavior.started"), path, by_load=by_load)

    assert seen == ["two evt_001"]
    assert types_of(fork) == ["go", "behavior.started", "behavior.started", "behavior.completed", "runtime.idle"]


def test_at_a_match_the_only_invocation_of_the_turn_is_done(path: Path, by_load: bool) -> None:
    seen: list[str] = []
    pattern = recording("pairs", seen, ["go"], pattern="(a:t)")
    parent = new([pattern, recording("two", seen, ["go"])], persist_to=path)
    parent.graph.add_object("t", {})
    emit(parent, "go")
    parent.run_until_idle()
    seen.clear()

    finish(parent, nth(parent, "pattern.matched"), path, by_load=by_load)

    assert seen == ["two evt_002"]


def visits(seen: list[str], **options: Any) -> RelationBehavior:
    return RelationBehavior("visit", lambda r, e, g, c: seen.append(r.target), "knows", ["go"], **options)


def hub(path: Path, behaviors: Any) -> Runtime:
    """A run whose event is about three relations."""
    parent = new(behaviors, persist_to=path)
    for other in "xyz":
        parent.graph.add_relation("hub", other, "knows")
    parent.graph.add_object("t", {})
    emit(parent, "go", {"id": "hub"})
    parent.run_until_idle()
    return parent


def test_at_a_match_of_a_relation_behavior_its_first_relation_is_done(path: Path, by_load: bool) -> None:
    seen: list[str] = []
    parent = hub(path, [visits(seen, pattern="(a:t)")])
    assert seen == ["x", "y", "z"]
    seen.clear()

    fork = finish(parent, nth(parent, "pattern.matched"), path, by_load=by_load)

    assert seen == ["y", "z"]
    assert types_of(fork).count("pattern.matched") == 1


@pytest.mark.parametrize("type", ["relation_behavior.started", "behavior.completed"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_between_relations_those_behind_the_last_marked_one_are_owed(
    path: Path, by_load: bool, type: str, place: int
) -> None:
    seen: list[str] = []
    parent = hub(path, [visits(seen)])
    seen.clear()

    finish(parent, nth(parent, type, place), path, by_load=by_load)

    assert seen == ["y", "z"][place:]


def test_at_a_schedule_the_entry_waits_and_fires_when_its_tick_comes(path: Path, by_load: bool) -> None:
    seen: list[str] = []
    late = recording("late", seen, ["go"], activate_after=2)
    parent = new([late, recording("now", seen, ["go"])], persist_to=path)
    for type in ("go", "tick", "tick", "tick"):
        emit(parent, type)
    parent.run_until_idle()
    assert seen == ["now evt_001", "late evt_001"]
    seen.clear()

    fork = finish(parent, nth(parent, "behavior.scheduled"), path, by_load=by_load)

    assert seen == ["now evt_001", "late evt_001"]
    assert types_of(fork).count("behavior.scheduled") == 1


def test_behind_a_start_of_a_delayed_invocation_it_is_done(path: Path, by_load: bool) -> None:
    seen: list[str] = []
    late = [recording(name, seen, ["go"], activate_after=1) for name in ("one", "two")]
    parent = new(late, persist_to=path)
    emit(parent, "go")
    emit(parent, "tick")
    parent.run_until_idle()
    seen.clear()

    finish(parent, nth(parent, "behavior.started"), path, by_load=by_load)

    assert seen == ["two evt_001"]


def test_a_fork_cuts_the_delay_off_with_the_events_that_it_waited_for(path: Path, by_load: bool) -> None:
    seen: list[str] = []
    parent = new([recording("late", seen, ["go"], activate_after=1)], persist_to=path)
    emit(parent, "go")
    parent.run_until_idle()
    emit(parent, "tick")
    parent.run_until_idle()
    seen.clear()

    fork = finish(parent, nth(parent, "runtime.idle"), path, by_load=by_load)
    assert seen == []
    emit(fork, "tick")
    fork.run_until_idle()

    assert seen == ["late evt_001"]


@pytest.mark.parametrize("limit", [1, 2])
def test_at_a_stop_the_fork_goes_on_where_its_parent_did(path: Path, by_load: bool, limit: int) -> None:
    seen: list[str] = []
    names = ("one", "two", "three")
    parent = new([recording(n, seen, ["go"]) for n in names], persist_to=path, budget={"max_behavior_calls": limit})
    emit(parent, "go")
    parent.run_until_idle()
    parent.budget = {}
    parent.run_until_idle()
    seen.clear()

    fork = finish(parent, "stop_001", path, by_load=by_load)

    assert seen == [f"{name} evt_001" for name in names[limit:]]
    assert fork.graph.ids.stop() == "stop_002"


def test_at_a_pause_nothing_before_it_is_done_again(path: Path, by_load: bool) -> None:
    seen: list[str] = []
    parent = new([recording("b", seen, ["go"])], persist_to=path)
    emit(parent, "other")
    emit(parent, "go")
    parent.run_until(lambda graph: parent.budget.used["max_events"] == 1)
    parent.run_until_idle()
    seen.clear()

    fork = finish(parent, "stop_001", path, by_load=by_load)

    assert seen == ["b evt_002"]
    assert fork.budget.used["max_events"] == 1.0


def test_inside_the_set_up_nothing_is_owed_and_what_comes_later_is_none_of_it(path: Path) -> None:
    seen: list[str] = []
    graph = Graph(clock=FrozenClock(), run_id=RUN)
    for n in range(4):
        graph.add_object("door", {"n": n})
    parent = new([recording("b", seen, ["object.created"])], graph, persist_to=path)

    fork = parent.fork("evt_002")
    fork.graph.add_object("door", {})
    fork.close()
    again = loaded(path, [recording("b", seen, ["object.created"])], run_id=fork.run_id)
    again.run_until_idle()

    assert seen == ["b evt_003"]


def test_inside_an_invocation_its_later_effects_are_left_out_and_its_earlier_ones_are_dispatched(
    path: Path, by_load: bool
) -> None:
    seen: list[str] = []

    def make(event: Event, graph: Any, ctx: Any) -> None:
        graph.add_object("x", {})
        graph.emit("more", {})

    parent = new([Behavior("make", make, ["go"]), recording("b", seen, ["object.created", "more"])], persist_to=path)
    emit(parent, "go")
    parent.run_until_idle()
    seen.clear()

    finish(parent, nth(parent, "object.created"), path, by_load=by_load)

    assert seen == ["b evt_003"]


def test_inside_a_failed_invocation_its_failure_is_left_out(path: Path, by_load: bool) -> None:
    def fail(event: Event, graph: Any, ctx: Any) -> None:
        graph.emit("more", {})
        raise ValueError("no")

    seen: list[str] = []
    parent = new([Behavior("fail", fail, ["go"]), recording("mourn", seen, ["behavior.failed"])], persist_to=path)
    emit(parent, "go")
    parent.run_until_idle()
    seen.clear()

    fork = finish(parent, nth(parent, "more"), path, by_load=by_load)

    assert (seen, fork.errors) == ([], [])


def test_at_an_outcome_that_somebody_listens_to_it_is_owed_to_them(path: Path, by_load: bool) -> None:
    seen: list[str] = []
    parent = new([recording("a", [], ["go"]), recording("m", seen, ["behavior.completed"])], persist_to=path)
    emit(parent, "go")
    parent.run_until_idle()
    seen.clear()

    finish(parent, nth(parent, "behavior.completed"), path, by_load=by_load)

    assert seen == ["m evt_003"]


class TestWhatAForkIs:
    def test_it_inherits_what_was_given_but_budget_and_seed(self, path: Path) -> None:
        clock, frame, policy = TickingClock(), Frame("mission"), Policy()
        behaviors = [recording("b", [], ["go"])]
        metrics: Any = object()
        parent = Runtime(
            Graph(clock=clock, run_id=RUN),
            behaviors,
            frame,
            policy,
            {"max_events": 1},
            7,
            persist_to=str(path),
            metrics=metrics,
            durability="os",
        )
        emit(parent, "go")
        fork = parent.fork("evt_001")

        assert fork.graph.clock is clock
        assert (fork.frame, fork.policy, fork.metrics) == (frame, policy, metrics)
        assert fork.get_behavior("b") is behaviors[0]
        assert fork._engine.durability == "os"
        assert fork.budget.limits["max_events"] == float("inf")
        assert fork._engine.seed == 0

    def test_copied_events_keep_their_run_and_new_ones_carry_the_forks(self, path: Path) -> None:
        parent = new([], persist_to=path)
        parent.graph.add_object("x", {})
        fork = parent.fork("evt_001")
        fork.graph.add_object("y", {})

        assert [o.provenance["run_id"] for o in fork.graph.all_objects()] == [RUN, fork.run_id]
        assert fork.graph.replayed_ids == {"evt_001"}

    def test_the_parent_and_its_other_forks_see_nothing_of_it(self, path: Path) -> None:
        parent = new([], persist_to=path)
        emit(parent, "a")
        one, two = parent.fork("evt_001"), parent.fork("evt_001")
        emit(one, "b")
        grandchild = one.fork("evt_002")
        emit(grandchild, "c")

        assert [types_of(each) for each in (parent, one, two, grandchild)] == [
            ["a"],
            ["a", "b"],
            ["a"],
            ["a", "b", "c"],
        ]

    @pytest.mark.parametrize(
        "options",
        [
            {"budget": {"max_event": 1}},
            {"durability": "maybe"},
            {"behaviors": [5]},
            {"tools": [5]},
            {"llm_retry_max_attempts": 0},
            {"llm_provider": AnthropicProvider(), "behaviors": [ASKS_GPT]},
        ],
    )
    def test_arguments_that_make_no_sense_make_no_run(self, path: Path, options: dict[str, Any]) -> None:
        parent = new([], persist_to=path)
        emit(parent, "a")
        with pytest.raises((InvalidRuntimeConfiguration, TypeError)):
            parent.fork("evt_001", **options)
        with pytest.raises(EventNotFoundError):
            parent.fork("evt_002")

        assert len(list_runs(sqlite_url(path))) == 1

    @pytest.mark.parametrize("named", [{"at_event": None}, {"at_event": 1}, {"at_event": "evt_001", "label": 5}])
    def test_names_that_are_no_text_are_refused_and_make_no_run(self, named: Any, path: Path) -> None:
        parent = new([], persist_to=path)
        emit(parent, "a")

        with pytest.raises(InvalidArgumentType, match="of a fork is text, not "):
            parent.fork(**named)

        assert len(list_runs(sqlite_url(path))) == 1

    def test_tools_that_can_be_read_only_once_are_the_forks(self, path: Path) -> None:
        parent = new([], persist_to=path)
        emit(parent, "a")

        fork = parent.fork("evt_001", tools=(one for one in [Tool("look", lambda args, ctx: None)]))

        assert fork.get_tool("look").name == "look"

    def test_a_store_that_was_passed_can_fork_and_one_in_memory_cannot(self, path: Path) -> None:
        from activegraph import SQLiteEventStore

        with SQLiteEventStore(str(path), RUN) as store:
            parent = new([], store=store)
            emit(parent, "a")
            assert types_of(parent.fork("evt_001")) == ["a"]
        memory = new([], store=InMemoryEventStore(RUN))
        emit(memory, "a")
        with pytest.raises(IncompatibleRuntimeState):
            memory.fork("evt_001")
