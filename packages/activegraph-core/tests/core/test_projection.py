"""The graph is a function of its log: whatever was done, replaying the events gives the same graph."""

from __future__ import annotations

import copy
from contextlib import nullcontext
from typing import Any

import pytest
from activegraph.core.clock import FrozenClock
from activegraph.core.event import Event, raw_payload
from activegraph.core.graph import Graph
from activegraph.core.projection import Projection
from activegraph.errors import InvalidPatchLifecycleState, NonSerializableEventError
from activegraph.store.base import replay_into
from hypothesis import given
from hypothesis import strategies as st
from support.values import examples, payload_dicts, same

TYPES = ["task", "note", "a:b"]

elements = st.integers(0, 9)
operations = st.one_of(
    st.tuples(st.just("add_object"), st.sampled_from(TYPES), payload_dicts()),
    st.tuples(st.just("add_relation"), elements, elements, st.sampled_from(["r", "s"]), payload_dicts()),
    st.tuples(st.just("patch"), elements, payload_dicts()),
    st.tuples(st.just("propose"), elements, st.sampled_from(["update", "replace"]), payload_dicts()),
    st.tuples(st.just("apply"), elements),
    st.tuples(st.just("reject"), elements),
    st.tuples(st.just("remove_object"), elements),
    st.tuples(st.just("remove_relation"), elements),
    st.tuples(st.just("again"), elements, payload_dicts()),
    st.tuples(st.just("relate_again"), elements, elements, elements),
    st.tuples(st.just("emit"), payload_dicts()),
    st.tuples(st.just("look"), elements),
)


def object_id(place: int) -> str:
    """One of ten ids, of which only those of a created object exist."""
    return f"{TYPES[place % 3]}#{place + 1}"


def perform(graph: Graph, operation: tuple[Any, ...]) -> None:
    """One random change or read; one that the graph refuses changes nothing."""
    kind, *given_values = operation
    existing = [o.id for o in graph.all_objects()]
    patches = [f"patch_{n + 1:03d}" for n in range(10)]
    try:
        match kind, given_values:
            case "add_object", [type, data]:
                graph.add_object(type, data)
            case "add_relation", [source, target, type, data]:
                ends = [*existing, "nowhere"]
                graph.add_relation(ends[source % len(ends)], ends[target % len(ends)], type, data)
            case "patch", [place, data] if existing:
                graph.patch_object(existing[place % len(existing)], data)
            case "propose", [place, op, data]:
                targets = [*existing, object_id(place)]
                graph.propose_patch(targets[place % len(targets)], op, data, proposed_by="me")
            case "apply", [place]:
                graph.apply_patch(patches[place])
            case "reject", [place]:
                graph.reject_patch(patches[place], "no")
            case "remove_object", [place] if existing:
                graph.remove_object(existing[place % len(existing)])
            case "remove_relation", [place]:
                graph.remove_relation(f"rel_{place + 1:03d}")
            case "again", [place, data]:
                about = {"id": object_id(place), "type": "task", "data": data, "version": 1, "provenance": {}}
                graph.emit(Event(graph.ids.event(), "object.created", {"object": about}))
            case "relate_again", [place, source, target]:
                about = {
                    "id": f"rel_{place + 1:03d}",
                    "source": object_id(source),
                    "target": object_id(target),
                    "type": "r",
                    "data": {},
                    "provenance": {},
                }
                graph.emit(Event(graph.ids.event(), "relation.created", {"relation": about}))
            case "emit", [data]:
                graph.emit(Event(graph.ids.event(), "user.event", data))
            case "look", [place]:
                graph.neighborhood(object_id(place), 2)
                graph.objects("task", {"a": 1})
                graph.relations(type="r")
    except (KeyError, InvalidPatchLifecycleState, NonSerializableEventError):
        pass


def content(projection: Projection) -> Any:
    """All that a projection holds, in order."""
    return (
        [(s.id, s.type, s.data(), s.version, s.provenance()) for s in projection.objects.values()],
        [(s.id, s.source, s.target, s.type, s.data(), s.provenance()) for s in projection.relations.values()],
        [(s.id, s.target, s.op, s.status, s.raw, s.rejection_reason) for s in projection.patches.values()],
    )


def reads(graph: Graph) -> Any:
    """What users see of a graph."""
    return (
        [o.to_dict() for o in graph.all_objects()],
        [r.to_dict() for r in graph.all_relations()],
        [[o.id for o in graph.objects(type)] for type in TYPES],
        [[r.id for r in graph.relations(type=type)] for type in ("r", "s")],
        [[r.id for r in graph.get_relations(object_id(n))] for n in range(10)],
        [[p.to_dict() for p in [graph.get_patch(f"patch_{n:03d}")] if p] for n in range(1, 11)],
        [[[e.id for e in part] for part in graph.neighborhood(object_id(n), 2)] for n in range(10)],
    )


@given(steps=st.lists(st.tuples(st.booleans(), st.lists(operations, max_size=5)), max_size=6))
@examples(100)
def test_a_replayed_graph_equals_the_one_that_was_lived(steps: list[tuple[bool, list[tuple[Any, ...]]]]) -> None:
    live = Graph(clock=FrozenClock(), run_id="run_a")
    for together, changes in steps:
        with live.transaction() if together else nullcontext():
            for operation in changes:
                perform(live, operation)

    events = [copy.deepcopy(event) for event in live.events]
    projection = Projection()
    for event in events:
        projection.apply(event.type, raw_payload(event))
    assert same(content(projection), content(live._projection))

    replayed = Graph(clock=FrozenClock(), run_id="run_a")
    assert replay_into(replayed, events) == len(events)
    assert same(reads(replayed), reads(live))
    assert replayed.replayed_ids == frozenset(event.id for event in events)
    assert replayed.add_object("next", {}).to_dict() == live.add_object("next", {}).to_dict()
    assert replayed.events[-1] == live.events[-1]


@given(changes=st.lists(operations, max_size=8), spoil=st.integers(0, 9))
@examples(50)
def test_nothing_that_was_handed_out_or_in_changes_the_log(changes: list[tuple[Any, ...]], spoil: int) -> None:
    graph = Graph(clock=FrozenClock(), run_id="run_a")
    for operation in changes:
        passed_in = [value for value in operation if isinstance(value, dict)]
        perform(graph, operation)
        before = [event.to_dict() for event in graph.events]
        for value in passed_in:
            value["spoilt"] = spoil
        for handle in (*graph.all_objects(), *graph.all_relations()):
            with pytest.raises(TypeError):
                handle.data["spoilt"] = spoil
            with pytest.raises(TypeError):
                handle.provenance.clear()
            handle.to_dict()["data"]["spoilt"] = spoil
            handle.data = {"spoilt": spoil}
        for event in graph.events:
            with pytest.raises(TypeError):
                event.payload["spoilt"] = spoil
            event.to_dict()["payload"]["spoilt"] = spoil
        assert same([event.to_dict() for event in graph.events], before)


def test_events_of_other_types_have_no_effect() -> None:
    projection = Projection()
    projection.apply("goal.created", b'{"object":{"id":"task#1"}}')
    projection.apply("object.updated", b"not even json")
    projection.apply("object.removed", b'{"id":"unknown"}')
    projection.apply("relation.removed", b'{"id":"unknown"}')
    projection.apply("patch.rejected", b'{"patch_id":"unknown","reason":"no"}')
    assert content(projection) == ([], [], [])


def test_text_edited_with_ordinary_tools_projects_alike() -> None:
    plain, edited = Projection(), Projection()
    plain.apply(
        "object.created",
        b'{"object":{"id":"t#1","type":"t","data":{"a":[1,"A"]},"version":1,"provenance":{}},"id":"t#1"}',
    )
    edited.apply(
        "object.created",
        b'{ "id": "t#1",\n "object": { "version": 1, "provenance": {}, "data": { "a" : [ 1, "\\u0041" ] },'
        b' "type": "t", "id": "\\u0074#1" } }',
    )
    assert [s.data() for s in edited.objects.values()] == [s.data() for s in plain.objects.values()]
    assert list(edited.objects) == list(plain.objects)
