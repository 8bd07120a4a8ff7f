"""Objects and relations as users hold them: live, equal by value, and for reading only."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any

import pytest
from activegraph.core.clock import FrozenClock
from activegraph.core.graph import Graph, Object, Relation


@pytest.fixture
def graph() -> Graph:
    return Graph(clock=FrozenClock(), run_id="run_a")


def test_users_may_build_both_by_place() -> None:
    made = Object("task#1", "task", {"a": 1}, 1, {"created_by": "me"})
    assert list(made.to_dict()) == ["id", "type", "data", "version", "provenance"]
    related = Relation("rel_001", "a", "b", "r", {}, {})
    assert list(related.to_dict()) == ["id", "source", "target", "type", "data", "provenance"]
    assert [f.name for f in dataclasses.fields(Object)] == list(made.to_dict())
    assert [f.name for f in dataclasses.fields(Relation)] == list(related.to_dict())


def test_equal_fields_make_equal_elements(graph: Graph) -> None:
    made, related = graph.add_object("task", {"a": [1]}), graph.add_relation("a", "b", "r", {"w": 1})
    assert made == graph.get_object(made.id) == Object(**made.to_dict())
    assert related == graph.get_relation(related.id) == Relation(**related.to_dict())
    assert made != Object(**{**made.to_dict(), "version": 2})
    assert related != Relation(**{**related.to_dict(), "data": {}})
    assert repr(made) == repr(Object(**made.to_dict()))


def test_a_handle_shows_what_became_of_its_object(graph: Graph) -> None:
    made = graph.add_object("task", {"a": 1})
    before = made.data
    graph.patch_object(made.id, {"a": 2})
    assert (made.data, made.version) == ({"a": 2}, 2)
    assert before == {"a": 1}
    graph.apply_patch(graph.propose_patch(made.id, "replace", {"b": 3}, proposed_by="x").id)
    assert (made.data, made.version) == ({"b": 3}, 3)


def test_a_handle_keeps_the_last_state_of_what_was_removed(graph: Graph) -> None:
    made = graph.add_object("task", {"a": 1})
    related = graph.add_relation(made.id, "x", "r", {"w": 1})
    graph.patch_object(made.id, {"a": 2})
    graph.remove_object(made.id)
    assert (made.data, made.version) == ({"a": 2}, 2)
    assert related.data == {"w": 1}
    assert graph.get_object(made.id) is None


def test_assigning_to_a_handle_changes_neither_graph_nor_log(graph: Graph) -> None:
    made, related = graph.add_object("task", {"a": 1}), graph.add_relation("a", "b", "r", {})
    events = [event.to_dict() for event in graph.events]
    for handle in (made, related):
        for field in dataclasses.fields(handle):
            setattr(handle, field.name, "forged")
    fresh, fresh_relation = graph.get_object("task#1"), graph.get_relation("rel_001")
    assert fresh is not None
    assert (fresh.id, fresh.type, fresh.data, fresh.version) == ("task#1", "task", {"a": 1}, 1)
    assert fresh_relation is not None
    assert (fresh_relation.source, fresh_relation.data) == ("a", {})
    assert [event.to_dict() for event in graph.events] == events


def test_what_a_handle_gives_cannot_be_changed(graph: Graph) -> None:
    made, related = graph.add_object("task", {"a": {"b": [1]}}), graph.add_relation("a", "b", "r", {"w": [1]})
    graph.patch_object(made.id, {"c": [{}]})
    writes = [
        lambda: made.data.update(x=1),
        lambda: made.data["a"]["b"].append(2),
        lambda: made.data["c"][0].update(x=1),
        lambda: made.provenance.clear(),
        lambda: made.provenance["evidence"].append("x"),
        lambda: related.data["w"].append(2),
        lambda: related.provenance.pop("run_id"),
        lambda: graph.events[0].payload["object"]["data"].update(x=1),
    ]
    for write in writes:
        with pytest.raises(TypeError, match=r"patch_object.*copy\.deepcopy"):
            write()
    assert made.data == {"a": {"b": [1]}, "c": [{}]}


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
def test_copies_are_plain_elements_of_their_own(graph: Graph, copied: Any) -> None:
    made, related = graph.add_object("task", {"a": [1]}), graph.add_relation("a", "b", "r", {"w": [1]})
    other, other_relation = copied(made), copied(related)
    assert (other, other_relation) == (made, related)
    other.data["a"].append(2)
    other_relation.data["w"].append(2)
    graph.patch_object(made.id, {"a": "later"})
    assert other.data == {"a": [1, 2]}
    assert related.data == {"w": [1]}


def test_dataclass_tools_see_plain_values(graph: Graph) -> None:
    made = graph.add_object("task", {"a": [1]})
    plain = dataclasses.asdict(made)
    assert plain == made.to_dict()
    plain["data"]["a"].append(2)
    made.to_dict()["data"]["a"].append(3)
    assert made.data == {"a": [1]}
    assert dataclasses.replace(made, version=9).data == {"a": [1]}


def test_unknown_attributes_are_missing(graph: Graph) -> None:
    assert not hasattr(graph.add_object("task", {}), "title")
    assert not hasattr(graph.add_relation("a", "b", "r"), "title")
