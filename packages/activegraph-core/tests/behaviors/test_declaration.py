"""Declaring behaviors: decorators, plain objects, the registry, and what is refused there."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields
from typing import Any

import pytest
from activegraph.behaviors.base import Behavior, RelationBehavior
from activegraph.behaviors.decorators import behavior, clear_registry, get_registry, register, relation_behavior
from activegraph.core.event import Event
from activegraph.errors import (
    InvalidActivateAfter,
    InvalidArgumentType,
    InvalidRuntimeConfiguration,
    UnsupportedPatternError,
)


@pytest.fixture(autouse=True)
def _own_registry() -> Iterator[None]:
    kept = clear_registry()
    yield
    clear_registry()
    for declared in kept:
        register(declared)


def react(event: Any, graph: Any, ctx: Any) -> str:
    return "reacted"


def relate(relation: Any, event: Any, graph: Any, ctx: Any) -> str:
    return f"related {relation}"


class TestDecorators:
    def test_a_decorated_function_becomes_a_registered_behavior(self) -> None:
        declared = behavior(on=["a"])(react)
        assert type(declared) is Behavior
        assert (declared.name, declared.fn, declared.on) == ("react", react, ["a"])
        assert get_registry() == [declared]

    def test_waiting_for_what_is_never_dispatched_is_allowed_and_said(self, caplog: pytest.LogCaptureFixture) -> None:
        behavior("deaf", on=["runtime.idle", "task.done", "behavior.started", "llm.retried"])(react)
        behavior("hears", on=["behavior.failed", "task.done", "*"])(react)

        said = [(line.levelname, line.name, line.getMessage()) for line in caplog.records]
        unheard = "runtime.idle, behavior.started, llm.retried"
        expected = f"behavior deaf waits for what is never dispatched: {unheard}"
        assert said == [("WARNING", "activegraph.runtime", expected)]

    def test_arguments_may_be_given_by_place(self) -> None:
        declared = behavior("named", ["a"], {"x": 1}, {"depth": 2}, ["task"], {"max": 1}, 5)(react)
        assert declared.name == "named"
        assert declared.on == ["a"]
        assert declared.where == {"x": 1}
        assert declared.view_spec == {"depth": 2}
        assert declared.creates == ["task"]
        assert declared.budget == {"max": 1}
        assert declared.priority == 5

    def test_a_relation_behavior_is_declared_with_its_relation_type(self) -> None:
        declared = relation_behavior("depends_on", ["a"], "named")(relate)
        assert type(declared) is RelationBehavior
        assert (declared.relation_type, declared.on, declared.name) == ("depends_on", ["a"], "named")
        assert relation_behavior("depends_on")(relate).name == "relate"
        assert len(get_registry()) == 2

    def test_a_bare_string_means_a_list_of_that_string(self) -> None:
        assert behavior(on="goal.created", creates="task")(react).on == ["goal.created"]
        assert get_registry()[0].creates == ["task"]
        assert relation_behavior("r", on="x")(relate).on == ["x"]

    @pytest.mark.parametrize("nothing", [None, [], ()])
    def test_no_event_types_and_no_condition_mean_any_event(self, nothing: Any) -> None:
        declared = behavior(on=nothing, where={} if nothing is None else None)(react)
        assert declared.on == []
        assert declared.where is None
        assert declared.view_spec is None

    def test_a_callable_without_a_name_gets_that_of_its_class(self) -> None:
        assert behavior()(functools.partial(relate, None)).name == "partial"

    def test_parentheses_left_out_are_shown(self) -> None:
        with pytest.raises(TypeError, match=r"@behavior\(on=\[...\]\)\n +def react\("):
            behavior(react)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=r'@relation_behavior\("depends_on"'):
            relation_behavior(relate)  # type: ignore[arg-type]
        assert get_registry() == []

    def test_lists_and_dicts_are_copied_at_declaration(self) -> None:
        on, creates, allowed = ["a"], ["task"], ["open"]
        where = {"status": {"in": allowed}}
        view: dict[str, Any] = {"include_types": ["task"], "around": ["task#1"]}
        budget = {"max": [1]}
        declared = behavior(on=on, creates=creates, where=where, view=view, budget=budget)(react)
        for shared in (on, creates, allowed, view["include_types"], view["around"], budget["max"]):
            shared.append("changed")
        where["other"] = {}
        view["depth"] = 9
        assert declared.on == ["a"]
        assert declared.creates == ["task"]
        assert declared.where == {"status": {"in": ["open"]}}
        assert declared.view_spec == {"include_types": ["task"], "around": ["task#1"]}
        assert declared.budget == {"max": [1]}


class TestRefusals:
    @pytest.mark.parametrize("where", [{"a": {"~": 1}}, {"a": {">": 1, "like": 2}}, {1: 2}, ["a"], "a"])
    def test_a_condition_that_cannot_be_evaluated(self, where: Any) -> None:
        with pytest.raises(InvalidRuntimeConfiguration):
            behavior(where=where)(react)
        with pytest.raises(InvalidRuntimeConfiguration):
            Behavior("b", react, where=where)

    @pytest.mark.parametrize(
        "view",
        [
            {"arround": "x"},
            {1: 2},
            {"depth": -1},
            {"depth": "1"},
            {"depth": True},
            {"recent_events": 1.5},
            {"token_budget": -1},
            {"include_types": "task"},
            {"include_types": [1]},
            {"around": 5},
            {"around": [1]},
            ["around"],
        ],
    )
    def test_a_view_with_unknown_keys_or_values_of_another_kind(self, view: Any) -> None:
        with pytest.raises(InvalidRuntimeConfiguration) as refusal:
            relation_behavior("r", view=view)(relate)
        assert "relate" in refusal.value.summary
        assert get_registry() == []

    def test_every_documented_view_key_is_taken(self) -> None:
        view = {
            "around": "event.payload.object.id",
            "depth": 0,
            "include_types": ["a"],
            "recent_events": 0,
            "token_budget": 100,
        }
        assert behavior(view=view)(react).view_spec == view

    def test_a_pattern_outside_the_language(self) -> None:
        with pytest.raises(UnsupportedPatternError):
            behavior(pattern="(a)-[:r]-(b)")(react)
        with pytest.raises(UnsupportedPatternError):
            Behavior("b", react, pattern="nonsense")
        assert get_registry() == []

    def test_a_delay_that_is_no_number_of_events(self) -> None:
        with pytest.raises(InvalidActivateAfter):
            behavior(activate_after="5 minutes")(react)
        with pytest.raises(InvalidActivateAfter):
            Behavior("b", react, activate_after=0)

    @pytest.mark.parametrize("name", ["", None, 5, "a\x00", "\ud800"])
    def test_a_name_that_cannot_stand_in_the_log(self, name: Any) -> None:
        with pytest.raises(InvalidArgumentType) as refusal:
            Behavior(name, react)
        assert refusal.value.context["argument"] == "name"

    @pytest.mark.parametrize("type", ["", None, "\x00"])
    def test_a_relation_type_that_cannot_stand_in_the_log(self, type: Any) -> None:
        with pytest.raises(InvalidArgumentType) as refusal:
            RelationBehavior("b", relate, type)
        assert refusal.value.context["argument"] == "relation_type"

    @pytest.mark.parametrize("values", [[1], 5, {"a": 1}.values()])
    def test_lists_of_something_else_than_text(self, values: Any) -> None:
        with pytest.raises(InvalidArgumentType):
            behavior(on=values)(react)
        with pytest.raises(InvalidArgumentType):
            behavior(creates=values)(react)

    @pytest.mark.parametrize("fn", [None, "react"])
    def test_a_behavior_with_nothing_to_call(self, fn: Any) -> None:
        with pytest.raises(InvalidArgumentType, match="no function"):
            Behavior("b", fn)
        with pytest.raises(InvalidArgumentType, match="no function"):
            RelationBehavior("b", fn, "r")


class TestConditionsOfADeclaration:
    def test_patterns_and_delays_are_parsed_at_declaration(self) -> None:
        declared = behavior(pattern="(a:task)", activate_after="2 events")(react)
        assert declared.pattern == "(a:task)"
        assert callable(declared.pattern_matcher.matches)
        assert declared.activate_after == 2
        related = relation_behavior("r", pattern="(a)", activate_after=3)(relate)
        assert related.activate_after == 3
        assert related.pattern_matcher is not None

    def test_a_plain_object_compiles_its_pattern_unless_it_brings_a_matcher(self) -> None:
        assert Behavior("b", react, pattern="(a)").pattern_matcher is not None
        mine = object()
        assert Behavior("b", react, pattern="(a)", pattern_matcher=mine).pattern_matcher is mine
        assert Behavior("b", react).pattern_matcher is None


class TestBehaviorObjects:
    def test_fields_stand_in_the_documented_order_with_their_defaults(self) -> None:
        assert [f.name for f in fields(Behavior)] == [
            "name",
            "fn",
            "on",
            "where",
            "view_spec",
            "creates",
            "budget",
            "priority",
            "pattern",
            "pattern_matcher",
            "activate_after",
        ]
        assert [f.name for f in fields(RelationBehavior)][:4] == ["name", "fn", "relation_type", "on"]
        declared = Behavior("b", react)
        assert (declared.on, declared.where, declared.view_spec, declared.creates) == ([], None, None, [])
        assert (declared.budget, declared.priority, declared.pattern, declared.activate_after) == (None, 0, None, None)
        assert fields(Behavior)[0].default is MISSING

    def test_run_calls_the_function(self) -> None:
        event = Event("evt_1", "x")
        assert Behavior("b", react).run(event, None, None) == "reacted"
        assert RelationBehavior("b", relate, "r").run("rel", event, None, None) == "related rel"  # type: ignore[arg-type]

    def test_a_subclass_may_override_run_and_bring_no_function(self) -> None:
        @dataclass(eq=False)
        class Counting(Behavior):
            calls: int = 0

            def run(self, event: Event, graph: Any, ctx: Any) -> None:
                self.calls += 1

        counting = Counting("counting", on=["a"])
        counting.run(Event("evt_1", "a"), None, None)
        assert counting.calls == 1
        assert register(counting) is counting

    def test_a_function_that_a_call_does_not_run_is_refused(self) -> None:
        async def later(event: Event, graph: Any, ctx: Any) -> None: ...
        async def each_later(event: Event, graph: Any, ctx: Any) -> Any:
            yield

        def piecewise(event: Event, graph: Any, ctx: Any) -> Any:
            yield

        class Later:
            async def __call__(self, event: Event, graph: Any, ctx: Any) -> None: ...

        for fn in (later, each_later, piecewise, Later(), functools.partial(later)):
            with pytest.raises(InvalidArgumentType, match="`fn` of behavior 'b' would not run: it "):
                Behavior("b", fn)
            with pytest.raises(TypeError, match="`fn` of behavior 'b' would not run: it "):
                behavior(name="b")(fn)
        assert get_registry() == []

    def test_a_subclass_may_know_how_to_run_any_function(self) -> None:
        async def later(event: Event) -> str:
            return event.id

        class Awaiting(Behavior):
            def run(self, event: Event, graph: Any, ctx: Any) -> Any:
                assert self.fn is not None
                return asyncio.run(self.fn(event))

        assert Awaiting("b", later).run(Event("evt_1", "a"), None, None) == "evt_1"

    def test_behaviors_compare_by_identity(self) -> None:
        assert Behavior("b", react) != Behavior("b", react)
        assert len({Behavior("b", react), Behavior("b", react)}) == 2


class TestRegistry:
    def test_the_registry_keeps_the_order_and_hands_out_new_lists(self) -> None:
        first, second = Behavior("b", react), RelationBehavior("b", relate, "r")
        register(first)
        register(second)
        register(first)
        assert get_registry() == [first, second, first]
        get_registry().clear()
        assert len(get_registry()) == 3
        assert clear_registry() == [first, second, first]
        assert get_registry() == []

    @pytest.mark.parametrize("thing", [react, "b", None, Behavior])
    def test_only_behaviors_can_be_registered(self, thing: Any) -> None:
        with pytest.raises(TypeError, match=rf"expected a Behavior.*{type(thing).__name__}"):
            register(thing)
