"""Patches: proposed, applied or rejected once, and what each step records."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any

import pytest
from activegraph.core.clock import FrozenClock
from activegraph.core.graph import Graph, Object
from activegraph.core.patch import Patch
from activegraph.errors import InvalidPatchLifecycleState, InvalidPatchOperation

NOW = "2026-05-15T10:32:01Z"
FIELDS = [
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


@pytest.fixture
def graph() -> Graph:
    return Graph(clock=FrozenClock(), run_id="run_a")


@pytest.fixture
def task(graph: Graph) -> Object:
    return graph.add_object("task", {"title": "x", "status": "open"})


def payload_of_last(graph: Graph) -> dict[str, Any]:
    payload: dict[str, Any] = graph.events[-1].to_dict()["payload"]
    return payload


def test_patch_object_merges_at_once(graph: Graph, task: Object) -> None:
    patch = graph.patch_object(
        task.id, {"status": "done", "n": 1}, rationale="why", evidence=["x"], actor="me", caused_by="evt_9"
    )
    assert task.data == {"title": "x", "status": "done", "n": 1}
    assert task.version == 2
    event = graph.events[-1]
    assert (event.type, event.actor, event.caused_by) == ("patch.applied", "me", "evt_9")
    assert list(payload_of_last(graph)) == ["patch", "target", "diff"]
    assert payload_of_last(graph) == {
        "patch": {
            "id": "patch_001",
            "target": "task#1",
            "op": "update",
            "value": {"status": "done", "n": 1},
            "expected_version": 1,
            "proposed_by": "me",
            "rationale": "why",
            "evidence": ["x"],
            "status": "applied",
            "rejection_reason": None,
            "provenance": {
                "created_by": "me",
                "caused_by_event": "evt_9",
                "frame_id": None,
                "timestamp": NOW,
                "evidence": ["x"],
                "run_id": "run_a",
            },
        },
        "target": "task#1",
        "diff": {"status": {"old": "open", "new": "done"}, "n": {"old": None, "new": 1}},
    }
    assert list(payload_of_last(graph)["patch"]) == FIELDS
    assert patch.to_dict() == payload_of_last(graph)["patch"]
    assert graph.get_patch("patch_001") == patch


def test_a_patch_that_changes_nothing_still_raises_the_version(graph: Graph, task: Object) -> None:
    graph.patch_object(task.id, {"status": "open"})
    assert payload_of_last(graph)["diff"] == {}
    graph.patch_object(task.id, {})
    assert task.version == 3


def test_patching_an_unknown_object_is_a_key_error(graph: Graph) -> None:
    with pytest.raises(KeyError) as refusal:
        graph.patch_object("task#9", {})
    assert refusal.value.args == ("unknown object: task#9",)


def test_a_proposal_waits_for_a_decision(graph: Graph, task: Object) -> None:
    patch = graph.propose_patch(task.id, "update", {"status": "done"}, proposed_by="critic", rationale="why")
    assert (patch.id, patch.status, patch.expected_version, patch.proposed_by) == ("patch_001", "proposed", 1, "critic")
    assert patch.provenance["created_by"] == "critic"
    assert graph.events[-1].actor == "critic"
    assert payload_of_last(graph) == {"patch": patch.to_dict()}
    assert task.data["status"] == "open"
    assert task.version == 1


def test_applying_a_proposal_records_who_approved(graph: Graph, task: Object) -> None:
    patch = graph.propose_patch(task.id, "update", {"status": "done"}, proposed_by="critic")
    proposed = patch.to_dict()
    event = graph.apply_patch(patch.id, approved_by="boss")
    assert event == graph.events[-1]
    assert (event.type, event.actor) == ("patch.applied", "boss")
    assert list(event.payload) == ["patch", "target", "diff", "approved_by"]
    assert event.payload == {
        "patch": {**proposed, "status": "applied"},
        "target": task.id,
        "diff": {"status": {"old": "open", "new": "done"}},
        "approved_by": "boss",
    }
    assert (task.data["status"], task.version, patch.status) == ("done", 2, "applied")
    assert graph.apply_patch(graph.propose_patch(task.id, "update", {}, proposed_by="x").id).actor == "system"


def test_replacing_lists_the_fields_that_vanish(graph: Graph, task: Object) -> None:
    patch = graph.propose_patch(task.id, "replace", {"new": 1, "status": "open"}, proposed_by="critic")
    event = graph.apply_patch(patch.id)
    assert event.payload["diff"] == {"new": {"old": None, "new": 1}, "title": {"old": "x", "new": None}}
    assert list(event.payload["diff"]) == ["new", "title"]
    assert task.data == {"new": 1, "status": "open"}


def test_a_difference_is_one_of_what_is_written(graph: Graph) -> None:
    made = graph.add_object("a", {"n": 1, "b": True, "zero": 0.0, "nan": float("nan"), "list": [1], "gone": None})
    graph.patch_object(made.id, {"n": 1.0, "b": 1, "zero": -0.0, "nan": float("nan"), "list": [1], "new": None})
    assert list(payload_of_last(graph)["diff"]) == ["n", "b", "zero", "new"]
    assert type(made.data["n"]) is float
    assert made.data["b"] is not True


def test_of_two_proposals_at_one_version_the_first_applied_wins(graph: Graph, task: Object) -> None:
    first = graph.propose_patch(task.id, "update", {"status": "a"}, proposed_by="x")
    second = graph.propose_patch(task.id, "update", {"status": "b"}, proposed_by="y")
    assert graph.apply_patch(second.id).type == "patch.applied"
    event = graph.apply_patch(first.id, approved_by="boss")
    assert (event.type, event.actor) == ("patch.rejected", "boss")
    assert list(event.payload) == ["patch_id", "target", "reason", "current_version"]
    assert event.payload == {
        "patch_id": first.id,
        "target": task.id,
        "reason": "version mismatch: expected 1, got 2",
        "current_version": 2,
    }
    assert (first.status, first.rejection_reason) == ("rejected", "version mismatch: expected 1, got 2")
    assert (second.status, second.rejection_reason) == ("applied", None)
    assert task.data["status"] == "b"


def test_a_proposal_for_an_object_that_is_not_there_is_rejected(graph: Graph, task: Object) -> None:
    early = graph.propose_patch("task#2", "update", {"a": 1}, proposed_by="x")
    assert early.expected_version == 0
    event = graph.apply_patch(early.id)
    assert event.payload == {
        "patch_id": early.id,
        "target": "task#2",
        "reason": "target not found: task#2",
        "current_version": 0,
    }
    gone = graph.propose_patch(task.id, "update", {"a": 1}, proposed_by="x")
    later = graph.propose_patch("task#2", "update", {"a": 1}, proposed_by="x")
    graph.remove_object(task.id)
    assert graph.apply_patch(gone.id).payload["reason"] == "target not found: task#1"
    graph.add_object("task", {})
    assert graph.apply_patch(later.id).payload["reason"] == "version mismatch: expected 0, got 1"


def test_rejecting_records_the_reason(graph: Graph, task: Object) -> None:
    patch = graph.propose_patch(task.id, "update", {}, proposed_by="x")
    event = graph.reject_patch(patch.id, "not now", actor="boss")
    assert (event.type, event.actor) == ("patch.rejected", "boss")
    assert event.payload == {"patch_id": patch.id, "target": task.id, "reason": "not now", "current_version": 1}
    assert (patch.status, patch.rejection_reason) == ("rejected", "not now")
    assert graph.reject_patch(graph.propose_patch("x", "update", {}, proposed_by="x").id, "").actor == "system"


@pytest.mark.parametrize("decided", ["applied", "rejected", "applied at once"])
@pytest.mark.parametrize("again", ["apply", "reject"])
def test_a_decision_is_final(graph: Graph, task: Object, decided: str, again: str) -> None:
    if decided == "applied at once":
        patch = graph.patch_object(task.id, {})
    else:
        patch = graph.propose_patch(task.id, "update", {}, proposed_by="x")
        graph.apply_patch(patch.id) if decided == "applied" else graph.reject_patch(patch.id, "no")
    before = len(graph.events)
    with pytest.raises(InvalidPatchLifecycleState) as refusal:
        graph.apply_patch(patch.id) if again == "apply" else graph.reject_patch(patch.id, "no")
    assert refusal.value.context == {"patch_id": patch.id, "current_status": decided.split()[0]}
    assert len(graph.events) == before


def test_unknown_patches_are_key_errors(graph: Graph) -> None:
    for call in (lambda: graph.apply_patch("patch_9"), lambda: graph.reject_patch("patch_9", "no")):
        with pytest.raises(KeyError) as refusal:
            call()
        assert refusal.value.args == ("unknown patch: patch_9",)
    assert graph.get_patch("patch_9") is None


@pytest.mark.parametrize(
    ("target", "stripped"),
    [
        ("object:task#1", "task#1"),
        ("relation:task#1", "task#1"),
        ("my:type#1", "my:type#1"),
        ("object:object:task#1", "object:task#1"),
        ("objects:x", "objects:x"),
    ],
)
def test_one_leading_kind_is_stripped_from_a_target(graph: Graph, target: str, stripped: str) -> None:
    assert graph.propose_patch(target, "update", {}, proposed_by="x").target == stripped


@pytest.mark.parametrize("op", ["delete", "UPDATE", "", None, 5, ["update"]])
def test_other_operations_are_refused_when_the_patch_is_made(graph: Graph, op: Any) -> None:
    with pytest.raises(InvalidPatchOperation) as refusal:
        graph.propose_patch("task#1", op, {}, proposed_by="x")
    assert refusal.value.context == {"op": op, "allowed": ["update", "replace"]}


class TestHandles:
    def test_users_may_build_patches(self) -> None:
        patch = Patch("patch_1", "task#1", "update", {"a": 1}, 1, "me")
        assert [f.name for f in dataclasses.fields(Patch)] == FIELDS
        assert (patch.rationale, patch.evidence, patch.status, patch.rejection_reason, patch.provenance) == (
            None,
            [],
            "proposed",
            None,
            {},
        )
        assert list(patch.to_dict()) == FIELDS

    def test_a_patch_of_a_graph_equals_one_with_the_same_fields(self, graph: Graph, task: Object) -> None:
        patch = graph.propose_patch(task.id, "update", {"a": 1}, proposed_by="x", evidence=["e"])
        assert Patch(**patch.to_dict()) == patch
        assert patch == graph.get_patch(patch.id)
        assert patch != graph.propose_patch(task.id, "update", {"a": 1}, proposed_by="x")
        assert dataclasses.asdict(patch) == patch.to_dict()
        assert "status='proposed'" in repr(patch)

    def test_a_handle_shows_later_transitions_and_assigning_changes_nothing(self, graph: Graph, task: Object) -> None:
        patch = graph.propose_patch(task.id, "update", {"a": 1}, proposed_by="x")
        early = copy.copy(patch)
        patch.status = "applied"
        patch.value = {"forged": 1}
        other = graph.get_patch(patch.id)
        assert other is not None
        assert (other.status, other.value) == ("proposed", {"a": 1})
        graph.apply_patch(patch.id)
        assert (other.status, early.status) == ("applied", "proposed")
        assert task.data["a"] == 1
        assert "forged" not in task.data

    def test_what_a_handle_gives_cannot_be_changed(self, graph: Graph, task: Object) -> None:
        patch = graph.propose_patch(task.id, "update", {"a": [1]}, proposed_by="x", evidence=["e"])
        for write in (
            lambda: patch.value.update(b=1),
            lambda: patch.value["a"].append(2),
            lambda: patch.evidence.append("f"),
            lambda: patch.provenance.clear(),
        ):
            with pytest.raises(TypeError, match="patch_object"):
                write()

    @pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))])
    def test_copies_are_plain_patches_of_their_own(self, graph: Graph, task: Object, copied: Any) -> None:
        patch = graph.propose_patch(task.id, "update", {"a": [1]}, proposed_by="x")
        other = copied(patch)
        assert other == patch
        other.value["a"].append(2)
        assert patch.value == {"a": [1]}
        graph.reject_patch(patch.id, "no")
        assert other.status == "proposed"
