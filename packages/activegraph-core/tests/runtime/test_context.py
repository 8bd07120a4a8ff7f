"""What a behavior gets: its view of the run, its graph, its context."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from activegraph.behaviors.base import Behavior, RelationBehavior
from activegraph.core.event import Event
from activegraph.core.view import View
from activegraph.errors import InvalidArgumentType, RuntimeContextRequiredError
from activegraph.frame import Frame
from activegraph.policy import Policy
from activegraph.runtime.runtime import Runtime
from support.runtimes import emit, new, recording

Look = Callable[[Event, Any, Any], Any]


def look(look: Look, spec: dict[str, Any] | None = None, **options: Any) -> tuple[Runtime, list[Any]]:
    """A runtime whose one behavior on `look` notes what `look` returns."""
    found: list[Any] = []
    behavior = Behavior("look", lambda e, g, c: found.append(look(e, g, c)), ["look"], view_spec=spec)
    return new([behavior], **options), found


def ids(elements: Any) -> list[str]:
    return [element.id for element in elements]


def chain(runtime: Runtime, length: int = 4) -> None:
    """Objects `n#1` to `n#4` in a row, and one of another type at its end."""
    for _ in range(length):
        runtime.graph.add_object("n", {})
    for number in range(1, length):
        runtime.graph.add_relation(f"n#{number}", f"n#{number + 1}", "next")
    runtime.graph.add_object("other", {})
    runtime.graph.add_relation(f"n#{length}", f"other#{length + 1}", "next")


class TestView:
    def shown(self, spec: dict[str, Any] | None, payload: dict[str, Any] | None = None) -> tuple[list[str], list[str]]:
        runtime, found = look(lambda e, g, c: (ids(c.view.objects()), ids(c.view.relations())), spec)
        chain(runtime)
        emit(runtime, "look", payload)
        runtime.run_until_idle()
        assert runtime.errors == []
        shown: tuple[list[str], list[str]] = found[0]
        return shown

    def test_without_a_spec_it_is_the_whole_graph_in_creation_order(self) -> None:
        objects, relations = self.shown(None)

        assert objects == ["n#1", "n#2", "n#3", "n#4", "other#5"]
        assert relations == ["rel_001", "rel_002", "rel_003", "rel_004"]

    @pytest.mark.parametrize(
        ("spec", "objects", "relations"),
        [
            ({"around": "n#2"}, ["n#1", "n#2", "n#3"], ["rel_001", "rel_002"]),
            ({"around": "n#2", "depth": 0}, ["n#2"], []),
            ({"around": "n#1", "depth": 2}, ["n#1", "n#2", "n#3"], ["rel_001", "rel_002"]),
            ({"around": ["n#1", "n#4"]}, ["n#1", "n#2", "n#3", "n#4", "other#5"], ["rel_001", "rel_003", "rel_004"]),
            ({"around": "event.payload.who"}, ["n#3", "n#4", "other#5"], ["rel_003", "rel_004"]),
            ({"around": "event.payload.missing"}, [], []),
            ({"around": "event.payload.n"}, [], []),
            ({"around": "nobody"}, [], []),
            ({"around": "n#4", "include_types": ["other"]}, ["other#5"], ["rel_003", "rel_004"]),
            ({"include_types": []}, [], ["rel_001", "rel_002", "rel_003", "rel_004"]),
        ],
    )
    def test_a_spec_says_what_is_in_it(self, spec: dict[str, Any], objects: list[str], relations: list[str]) -> None:
        assert self.shown(spec, {"who": "n#4", "n": 4}) == (objects, relations)

    def test_it_is_fixed_at_the_call_and_shows_live_data(self) -> None:
        def change(event: Event, graph: Any, ctx: Any) -> tuple[list[str], dict[str, Any], list[str]]:
            view = ctx.view
            graph.add_object("n", {})
            graph.remove_object("n#1")
            graph.patch_object("n#2", {"new": True})
            return ids(view.objects()), view.get_object("n#2").data, ids(view.relations())

        runtime, found = look(change)
        chain(runtime)
        emit(runtime, "look")
        runtime.run_until_idle()

        assert found == [
            (
                ["n#1", "n#2", "n#3", "n#4", "other#5"],
                {"new": True},
                ["rel_001", "rel_002", "rel_003", "rel_004"],
            )
        ]

    def test_around_a_removed_centre_is_what_was_around_it(self) -> None:
        def change(event: Event, graph: Any, ctx: Any) -> tuple[list[str], list[str]]:
            graph.remove_object("n#2")
            return ids(ctx.view.objects()), ids(ctx.view.relations())

        runtime, found = look(change, {"around": "n#2"})
        chain(runtime)
        emit(runtime, "look")
        runtime.run_until_idle()

        assert found == [(["n#1", "n#2", "n#3"], ["rel_001", "rel_002"])]

    def test_reads_of_it_filter_and_hand_out_lists_of_their_own(self) -> None:
        def read(event: Event, graph: Any, ctx: Any) -> None:
            view: View = ctx.view
            view.objects().clear()
            assert ids(view.objects(type="n", where={"id": {"in": ["n#2", "other#5"]}})) == ["n#2"]
            assert ids(view.relations(type="next", source="n#1")) == ["rel_001"]
            assert ids(view.relations(target="other#5")) == ["rel_004"]
            assert ids(view.events(type="look")) == [event.id]
            assert view.get_object("nobody") is None
            assert view.get_relation("rel_001") is not None
            assert view.get_relation("rel_999") is None

        runtime, found = look(read)
        chain(runtime)
        emit(runtime, "look")
        runtime.run_until_idle()

        assert (runtime.errors, found) == ([], [None])

    def test_what_is_outside_of_it_cannot_be_got_from_it(self) -> None:
        runtime, found = look(lambda e, g, c: c.view.get_object("n#4"), {"around": "n#1"})
        chain(runtime)
        emit(runtime, "look")
        runtime.run_until_idle()

        assert found == [None]

    @pytest.mark.parametrize(("spec", "count"), [(None, 50), ({"recent_events": 3}, 3), ({"recent_events": 0}, 0)])
    def test_events_are_the_newest_before_the_start_and_without_stops(
        self, spec: dict[str, Any] | None, count: int
    ) -> None:
        runtime, found = look(lambda e, g, c: [(event.id, event.type) for event in c.view.events()], spec)
        for _ in range(60):
            emit(runtime, "a")
        runtime.run_until_idle()
        event = emit(runtime, "look")
        runtime.run_until_idle()

        (shown,) = found
        assert len(shown) == count
        assert "runtime.idle" not in [type for _, type in shown]
        assert shown[-1:] == ([(event.id, "look")] if count else [])

    def test_events_further_back_than_memory_are_read_when_they_are_asked_for(self) -> None:
        runtime, found = look(lambda e, g, c: len(c.view.events()), {"recent_events": 3000})
        with runtime.graph.transaction():
            for _ in range(2500):
                emit(runtime, "a")
        emit(runtime, "look")
        runtime.run_until_idle()

        assert found == [2501]

    def test_events_hold_the_match_that_begins_the_turn(self) -> None:
        found: list[list[str]] = []
        behavior = Behavior(
            "b", lambda e, g, c: found.append([x.type for x in c.view.events()]), ["look"], pattern="(a:n)"
        )
        runtime = new([behavior])
        runtime.graph.add_object("n", {})
        emit(runtime, "look")
        runtime.run_until_idle()

        assert found == [["object.created", "look", "pattern.matched"]]


class TestBehaviorGraph:
    def test_changes_are_counted_stamped_and_read_back(self) -> None:
        def work(event: Event, graph: Any, ctx: Any) -> None:
            one, two = graph.add_object("x", {"n": 1}), graph.add_object("x", {})
            relation = graph.add_relation(one.id, two.id, "r")
            graph.patch_object(one.id, {"n": 2})
            graph.propose_patch(two.id, value={"n": 3})
            graph.emit("done", {})
            assert graph.get_object(one.id).data == {"n": 2}
            assert graph.get_relation(relation.id) == relation
            graph.remove_relation(relation.id)
            graph.remove_object(two.id)
            graph.remove_object("nobody")
            assert graph.get_object(two.id) is None

        runtime = new([Behavior("w", work, ["a"])], frame=Frame("mission"))
        trigger = emit(runtime, "a")
        runtime.run_until_idle()

        assert runtime.errors == []
        effects = [event for event in runtime.graph.events if event.actor == "w"]
        assert {(event.caused_by, event.frame_id) for event in effects} == {(trigger.id, "frame_001")}
        completed = next(event for event in runtime.graph.events if event.type == "behavior.completed")
        assert completed.payload == {
            "behavior": "w",
            "event_id": trigger.id,
            "objects_created": 2,
            "relations_created": 1,
            "patches_applied": 1,
            "patches_proposed": 1,
            "events_emitted": 1,
        }

    def test_a_proposal_names_the_behavior(self) -> None:
        runtime, _ = look(lambda e, g, c: g.propose_patch("x#1", "replace", {"n": 1}, "why", ["line 1"]))
        emit(runtime, "look")
        runtime.run_until_idle()

        patch = runtime.graph.get_patch("patch_001")
        assert patch is not None
        assert (patch.proposed_by, patch.op, patch.rationale, patch.evidence) == ("look", "replace", "why", ["line 1"])

    @pytest.mark.parametrize(
        "use",
        [
            lambda graph: graph.add_object("x", {}),
            lambda graph: graph.add_relation("a", "b", "r"),
            lambda graph: graph.patch_object("x#1", {}),
            lambda graph: graph.propose_patch("x#1"),
            lambda graph: graph.emit("a", {}),
            lambda graph: graph.get_object("x#1"),
            lambda graph: graph.get_relation("rel_001"),
            lambda graph: graph.remove_object("x#1"),
            lambda graph: graph.remove_relation("rel_001"),
        ],
    )
    def test_every_use_behind_the_return_is_refused(self, use: Any) -> None:
        runtime, kept = look(lambda e, g, c: g)
        emit(runtime, "look")
        runtime.run_until_idle()
        with pytest.raises(RuntimeContextRequiredError) as refusal:
            use(kept[0])

        assert refusal.value.method.startswith("graph.")

    @pytest.mark.parametrize(
        ("use", "argument"),
        [
            (lambda graph: graph.get_object(["x#1"]), "object_id"),
            (lambda graph: graph.get_relation({}), "relation_id"),
            (lambda graph: graph.remove_object(["x#1"]), "object_id"),
            (lambda graph: graph.remove_relation({}), "relation_id"),
            (lambda graph: graph.patch_object(["x#1"], {}), "target"),
        ],
    )
    def test_what_nothing_can_be_called_is_refused_as_by_the_hosts_graph(self, use: Any, argument: str) -> None:
        def work(event: Event, graph: Any, ctx: Any) -> None:
            with pytest.raises(InvalidArgumentType) as refusal:
                use(graph)
            refused.append(refusal.value.context["argument"])

        refused: list[str] = []
        runtime = new([Behavior("w", work, ["a"])])
        emit(runtime, "a")
        runtime.run_until_idle()
        with pytest.raises(InvalidArgumentType):
            use(runtime.graph)

        assert refused == [argument]
        assert runtime.errors == []

    @pytest.mark.parametrize(
        "family", ["runtime", "behavior", "relation_behavior", "llm", "tool", "pattern", "approval"]
    )
    def test_types_of_the_runtimes_own_are_refused(self, family: str) -> None:
        runtime, _ = look(lambda e, g, c: g.emit(f"{family}.x", {}))
        emit(runtime, "look")
        runtime.run_until_idle()

        assert [failure.exception_type for failure in runtime.errors] == ["InvalidArgumentType"]


class TestContext:
    def test_it_shows_what_the_runtime_was_given(self) -> None:
        frame, policy = Frame("mission"), Policy()
        runtime, found = look(
            lambda e, g, c: (
                c.frame,
                c.policy,
                c.clock,
                c.llm_provider,
                c.settings,
                c.pack_settings("none"),
                c.matches,
            ),
            frame=frame,
            policy=policy,
        )
        emit(runtime, "look")
        runtime.run_until_idle()

        assert found == [(frame, policy, runtime.graph.clock, None, None, None, [])]

    def test_random_numbers_follow_from_seed_event_name_ordinal_and_relation(self) -> None:
        def rolled(seed: int, name: str = "dice") -> list[float]:
            rolls: list[float] = []
            behaviors: list[Any] = [
                Behavior(name, lambda e, g, c: rolls.append(c.random.random()), ["a"]),
                RelationBehavior("r", lambda r, e, g, c: rolls.append(c.random.random()), "knows", ["a"]),
            ]
            runtime = new(behaviors, seed=seed)
            runtime.graph.add_relation("hub", "x", "knows")
            runtime.graph.add_relation("hub", "y", "knows")
            emit(runtime, "a", {"id": "hub"})
            emit(runtime, "a")
            runtime.run_until_idle()
            return rolls

        assert rolled(0) == rolled(0)
        assert len({*rolled(0), *rolled(1), *rolled(0, "other")}) == 4 + 4 + 2

    def test_failures_of_several_invocations_are_told_apart_by_their_relation(self) -> None:
        runtime = new([RelationBehavior("r", lambda r, e, g, c: 1 / 0, "knows", ["a"])])
        runtime.graph.add_relation("hub", "x", "knows")
        runtime.graph.add_relation("hub", "y", "knows")
        emit(runtime, "a", {"id": "hub"})
        runtime.run_until_idle()

        failed = [event.payload for event in runtime.graph.events if event.type == "behavior.failed"]
        assert [payload["relation_id"] for payload in failed] == ["rel_001", "rel_002"]
        assert list(failed[0]) == ["behavior", "event_id", "exception_type", "message", "traceback", "relation_id"]

    def test_the_start_names_the_object_of_its_trigger(self) -> None:
        runtime = new([recording("b", [])])
        runtime.graph.add_object("x", {})
        for payload in ({"object": {"id": "y#7"}}, {"object": "y#7"}, {"object": {"id": 7}}, {"id": "y#7"}):
            emit(runtime, "a", payload)
        emit(runtime, "a", {"object": {"id": 'q"\\é'}})
        runtime.run_until_idle()

        started = [event.payload for event in runtime.graph.events if event.type == "behavior.started"]
        assert [p["triggering_object_id"] for p in started] == ["x#1", "y#7", None, None, None, 'q"\\é']
        assert list(started[0]) == ["behavior", "event_id", "triggering_event_type", "triggering_object_id"]
