"""Events that the host builds by hand: what they change, what is refused, and which ids come next."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
from activegraph.core.clock import FrozenClock
from activegraph.core.event import Event
from activegraph.core.graph import Graph
from activegraph.errors import DuplicateEventError, InvalidArgumentType, NonSerializableEventError
from activegraph.store.memory import InMemoryEventStore


@pytest.fixture
def graph() -> Graph:
    return Graph(clock=FrozenClock(), run_id="run_a")


OBJECT = {"id": "task#7", "type": "task", "data": {"a": 1}, "version": 3, "provenance": {"by": "hand"}}
RELATION = {"id": "rel_005", "source": "task#7", "target": "x", "type": "r", "data": {}, "provenance": {}}
PATCH = {"id": "patch_004", "target": "task#7", "op": "update", "value": {"b": 2}, "expected_version": 3}


def test_the_event_is_taken_as_it_is(graph: Graph) -> None:
    given = Event("my id", "user.happened", {"a": (1,)}, "me", "frame_004", "cause", "whenever")
    emitted = graph.emit(given)
    assert emitted.to_dict() == {**given.to_dict(), "payload": {"a": [1]}}
    assert graph.events[0] == emitted
    with pytest.raises(TypeError):
        emitted.payload["a"].append(1)


def test_a_hand_built_graph_event_changes_the_graph(graph: Graph) -> None:
    graph.emit(Event("a", "object.created", {"object": OBJECT}))
    graph.emit(Event("b", "relation.created", {"relation": RELATION, "extra": 1}))
    made, related = graph.get_object("task#7"), graph.get_relation("rel_005")
    assert made is not None
    assert made.to_dict() == OBJECT
    assert related is not None
    assert related.to_dict() == RELATION
    graph.emit(Event("c", "patch.applied", {"patch": PATCH}))
    assert (made.data, made.version) == ({"a": 1, "b": 2}, 4)
    graph.emit(Event("d", "relation.removed", {"id": "rel_005"}))
    graph.emit(Event("e", "object.removed", {"id": "task#7"}))
    assert graph.all_objects() == []
    assert graph.all_relations() == []


def test_an_object_created_again_replaces_the_one_before(graph: Graph) -> None:
    graph.emit(Event("a", "object.created", {"object": OBJECT}))
    other = graph.add_object("task", {})
    graph.emit(Event("b", "object.created", {"object": {**OBJECT, "type": "note", "data": {}}}))
    assert [o.id for o in graph.objects()] == [other.id, "task#7"]
    assert graph.objects("task") == [other]


def test_a_hand_built_patch_may_leave_out_what_the_projection_does_not_read(graph: Graph) -> None:
    graph.emit(Event("a", "object.created", {"object": OBJECT}))
    graph.emit(Event("b", "patch.proposed", {"patch": PATCH}))
    patch = graph.get_patch("patch_004")
    assert patch is not None
    assert (patch.rationale, patch.evidence, patch.provenance, patch.status) == (None, [], {}, "proposed")
    assert list(patch.to_dict()) == [
        "id",
        "target",
        "op",
        "value",
        "expected_version",
        "proposed_by",
        "rationale",
        "evidence",
        "status",
        "rejection_reason",
        "provenance",
    ]
    assert graph.apply_patch("patch_004").type == "patch.applied"
    assert graph.objects()[0].data == {"a": 1, "b": 2}


def test_recorded_patches_with_other_operations_raise_the_version_and_leave_the_data(graph: Graph) -> None:
    graph.emit(Event("a", "object.created", {"object": OBJECT}))
    graph.emit(Event("b", "patch.applied", {"patch": {**PATCH, "op": "delete", "value": None}}))
    graph.emit(Event("c", "patch.proposed", {"patch": {**PATCH, "id": "p", "op": "create", "expected_version": 4}}))
    assert (graph.objects()[0].data, graph.objects()[0].version) == ({"a": 1}, 4)
    assert graph.apply_patch("p").payload["diff"] == {}
    assert (graph.objects()[0].data, graph.objects()[0].version) == ({"a": 1}, 5)


def without(fields: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name != key}


MALFORMED: list[tuple[str, Any]] = [
    ("object.created", {}),
    ("object.created", {"object": 5}),
    ("object.created", {"id": "task#1"}),
    *[("object.created", {"object": without(OBJECT, key)}) for key in OBJECT],
    ("object.created", {"object": {**OBJECT, "id": 5}}),
    ("object.created", {"object": {**OBJECT, "data": [1]}}),
    ("object.created", {"object": {**OBJECT, "data": b"bytes"}}),
    ("object.created", {"object": {**OBJECT, "version": "3"}}),
    ("object.created", {"object": {**OBJECT, "provenance": None}}),
    *[("relation.created", {"relation": without(RELATION, key)}) for key in RELATION],
    ("relation.created", {"relation": {**RELATION, "target": None}}),
    ("object.removed", {}),
    ("object.removed", {"id": None}),
    ("relation.removed", {"object": 1}),
    *[("patch.proposed", {"patch": without(PATCH, key)}) for key in ("id", "target", "op", "value")],
    ("patch.applied", {"patch": {**PATCH, "value": "text"}}),
    ("patch.applied", {"target": "task#7"}),
    ("patch.rejected", {"patch_id": "patch_001"}),
    ("patch.rejected", {"reason": "no"}),
]


@pytest.mark.parametrize(("type", "payload"), MALFORMED)
@pytest.mark.parametrize("in_transaction", [False, True])
def test_a_graph_event_that_lacks_what_the_graph_reads_is_refused(
    graph: Graph, type: str, payload: dict[str, Any], in_transaction: bool
) -> None:
    surrounding = graph.transaction() if in_transaction else nullcontext()
    with surrounding, pytest.raises(InvalidArgumentType) as refusal:
        graph.emit(Event("evt_050", type, payload))
    assert refusal.value.context["type"] == type
    assert refusal.value.context["event_id"] == "evt_050"
    assert len(graph.events) == 0
    graph.add_object("a", {})
    assert graph.events[0].id == "evt_001"


@pytest.mark.parametrize("store", [None, InMemoryEventStore])
@pytest.mark.parametrize("in_transaction", [False, True])
def test_an_id_that_the_run_has_is_refused(graph: Graph, store: Any, in_transaction: bool) -> None:
    if store is not None:
        graph.attach_store(store("run_a"))
    if in_transaction:
        with graph.transaction():
            graph.emit(Event("evt_001", "x"))
            with pytest.raises(DuplicateEventError):
                graph.emit(Event("evt_001", "y"))
    else:
        graph.emit(Event("evt_001", "x"))
    with pytest.raises(DuplicateEventError) as refusal:
        graph.emit(Event("evt_001", "object.created", {"object": OBJECT}))
    assert refusal.value.context == {"event_id": "evt_001", "run_id": "run_a"}
    assert isinstance(refusal.value, ValueError)
    assert [e.type for e in graph.events] == ["x"]
    assert graph.all_objects() == []
    graph.emit(Event("evt_002", "y"))


def test_sequences_move_past_ids_that_came_by_hand(graph: Graph) -> None:
    graph.emit(Event("evt_040", "object.created", {"object": OBJECT}, frame_id="frame_003"))
    graph.emit(Event("x", "relation.created", {"relation": RELATION}))
    graph.emit(Event("y", "patch.proposed", {"patch": PATCH}))
    assert graph.add_object("note", {}).id == "note#8"
    assert graph.events[-1].id == "evt_041"
    assert graph.add_relation("a", "b", "r").id == "rel_006"
    assert graph.patch_object("note#8", {}).id == "patch_005"
    assert graph.ids.frame() == "frame_004"
    graph.add_object("note", {}, frame_id="frame_009")
    assert graph.ids.frame() == "frame_010"


@pytest.mark.parametrize("listener", [None, 3, "print"])
def test_a_listener_that_cannot_be_called_is_refused_at_once(graph: Graph, listener: Any) -> None:
    with pytest.raises(InvalidArgumentType, match="a function of an event"):
        graph.add_listener(listener)


def test_a_listener_that_emits_draws_ids_past_the_one_it_hears_of(graph: Graph) -> None:
    def react(event: Event) -> None:
        if event.type == "x":
            graph.add_object("note", {})

    graph.add_listener(react)
    graph.emit(Event("evt_001", "x"))
    assert [e.id for e in graph.events] == ["evt_001", "evt_002"]


def test_the_host_may_emit_types_of_the_framework(graph: Graph) -> None:
    graph.emit(Event("a", "runtime.idle", {}))
    graph.emit(Event("b", "behavior.started", {"behavior": "x"}))
    assert [e.type for e in graph.events] == ["runtime.idle", "behavior.started"]


@pytest.mark.parametrize(
    "event",
    [Event("", "x"), Event("a", ""), Event("a", "x", {"v": object()}), Event("a", "x", "text")],  # type: ignore[arg-type]
)
def test_what_no_log_carries_is_refused_with_nothing_changed(graph: Graph, event: Event) -> None:
    with pytest.raises(NonSerializableEventError):
        graph.emit(event)
    assert len(graph.events) == 0
