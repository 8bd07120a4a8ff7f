"""Conditions: every operator on every kind of value, on objects and on events."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from activegraph.core.event import Event
from activegraph.core.graph import Graph, Object, evaluate_where
from activegraph.core.view import View
from activegraph.core.where import compile_where
from activegraph.errors import InternalEvaluatorError, InvalidRuntimeConfiguration
from hypothesis import given
from hypothesis import strategies as st
from support.values import examples, plain_dicts, plain_values

OPERATORS = [">", "<", ">=", "<=", "==", "!=", "in", "not in"]


def holds(where: dict[str, Any], data: dict[str, Any]) -> bool:
    """Whether an object with `data` meets `where`, by every road there is."""
    graph = Graph()
    made = graph.add_object("task", data)
    found = {
        evaluate_where(where, made),
        evaluate_where(where, Object(**made.to_dict())),
        bool(graph.objects(where=where)),
        bool(graph.query("task", where)),
        bool(View([made], [], []).objects(where=where)),
        bool(View([made], [], []).objects("task", where)),
    }
    assert len(found) == 1
    return found.pop()


CASES: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    ({}, {"a": 1}, True),
    ({"a": 1}, {"a": 1}, True),
    ({"a": 1}, {"a": 2}, False),
    ({"a": 1, "b": 2}, {"a": 1, "b": 2}, True),
    ({"a": 1, "b": 2}, {"a": 1, "b": 3}, False),
    ({"a": [1, 2]}, {"a": [1, 2]}, True),
    ({"a": [1, 2]}, {"a": 1}, False),
    ({"a": {">": 1, "<": 5}}, {"a": 3}, True),
    ({"a": {">": 1, "<": 5}}, {"a": 7}, False),
    ({"a": {}}, {"a": 3}, True),
    ({"a": {">=": 3}}, {"a": 3}, True),
    ({"a": {"<=": 3}}, {"a": 3}, True),
    ({"a": {">": 3}}, {"a": 3}, False),
    ({"a": {"==": {"x": 1}}}, {"a": {"x": 1}}, True),
    ({"a": {"!=": 1}}, {"a": 2}, True),
    ({"a": {"!=": 1}}, {"a": 1}, False),
    ({"a": {"in": [1, 2]}}, {"a": 1}, True),
    ({"a": {"in": [1, 2]}}, {"a": 3}, False),
    ({"a": {"not in": [1, 2]}}, {"a": 3}, True),
    ({"a": {"not in": [1, 2]}}, {"a": 1}, False),
    ({"a": {"in": "abc"}}, {"a": "b"}, True),
    # a missing actual value
    ({"a": {">": 1}}, {}, False),
    ({"a": {"<": 1}}, {}, False),
    ({"a": {">=": 1}}, {}, False),
    ({"a": {"<=": 1}}, {}, False),
    ({"a": {"<": 1}}, {"a": None}, False),
    ({"a": 1}, {}, False),
    ({"a": None}, {}, True),
    ({"a": {"==": None}}, {}, True),
    ({"a": {"==": 1}}, {}, False),
    ({"a": {"!=": 1}}, {}, True),
    ({"a": {"!=": None}}, {}, False),
    ({"a": {"!=": None}}, {"a": 0}, True),
    ({"a": {"in": [None]}}, {}, True),
    ({"a": {"in": [1]}}, {}, False),
    ({"a": {"not in": [1]}}, {}, True),
    # values that cannot be ordered
    ({"a": {">": 1}}, {"a": "text"}, False),
    ({"a": {"<": 1}}, {"a": "text"}, False),
    ({"a": {"<": 1}}, {"a": [0]}, False),
    ({"a": {">": None}}, {"a": 1}, False),
    ({"a": {">": Decimal("sNaN")}}, {"a": 1}, False),
    # no container, or an unhashable left side
    ({"a": {"in": 5}}, {"a": 5}, False),
    ({"a": {"not in": 5}}, {"a": 5}, True),
    ({"a": {"in": None}}, {"a": 5}, False),
    ({"a": {"in": {1, 2}}}, {"a": [1]}, False),
    ({"a": {"not in": {1, 2}}}, {"a": [1]}, True),
    ({"a": {"in": "abc"}}, {"a": 5}, False),
    # paths
    ({"inner.deep.x": 1}, {"inner": {"deep": {"x": 1}}}, True),
    ({"inner.deep.x": 1}, {"inner": {"deep": None}}, False),
    ({"inner.deep.x": None}, {"inner": {"deep": None}}, True),
    ({"inner.deep.x": None}, {}, True),
    ({"inner.0": 1}, {"inner": [1]}, False),
    ({"a.b": 1}, {"a.b": 1}, False),
    # roots on objects
    ({"id": "task#1", "type": "task", "version": 1}, {}, True),
    ({"data.x": 1}, {"x": 1}, True),
    ({"data": {"==": {"x": 1}}}, {"x": 1}, True),
    ({"provenance.created_by": "system"}, {}, True),
    ({"provenance": {"!=": None}}, {}, True),
    ({"type": "mine"}, {"type": "mine"}, True),
    ({"type": "task"}, {"type": "mine"}, False),
    ({"version": {">": 5}}, {"version": 7}, True),
    ({"data.version": 7}, {"version": 7}, True),
    ({"data.x": 1}, {"data": {"x": 1}}, True),
    ({"data.x": 1}, {"data": 5, "x": 1}, False),
    ({"to_dict": None}, {}, True),
    ({"_state": None}, {}, True),
    ({"raw": None, "sequence": None, "plain": None}, {}, True),
]


@pytest.mark.parametrize(("where", "data", "expected"), CASES)
def test_conditions_on_objects(where: dict[str, Any], data: dict[str, Any], expected: bool) -> None:
    assert holds(where, data) is expected


EVENT = Event(
    "evt_007",
    "order.placed",
    {"total": 5, "id": "order#1", "object": {"data": {"status": "open"}}, "inner": {"x": None}},
    actor="shop",
    frame_id="tenant_a",
    caused_by="evt_003",
    timestamp="2026-05-15T10:32:01Z",
)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"total": {">": 3}}, True),
        ({"object.data.status": "open"}, True),
        ({"object.data.status": "closed"}, False),
        ({"object.data.missing": None}, True),
        ({"frame_id": "tenant_a"}, True),
        ({"frame_id": "tenant_b"}, False),
        ({"actor": "shop", "type": "order.placed", "caused_by": "evt_003"}, True),
        ({"timestamp": {">=": "2026-05-15"}}, True),
        ({"id": "order#1"}, True),
        ({"id": "evt_007"}, False),
        ({"event.id": "evt_007"}, True),
        ({"event.actor": "shop", "event.frame_id": "tenant_a", "event.type": "order.placed"}, True),
        ({"event.payload.total": 5}, True),
        ({"event": None}, True),
        ({"event.to_dict": None}, True),
        ({"to_dict": None}, True),
        ({"missing": None}, True),
        ({"missing": {"!=": 1}}, True),
        ({"inner.x.y": None}, True),
        ({}, True),
    ],
)
def test_conditions_on_events(where: dict[str, Any], expected: bool) -> None:
    assert evaluate_where(where, EVENT) is expected
    assert compile_where(where).matches_event(EVENT) is expected


def test_a_payload_key_shadows_a_field_of_the_event() -> None:
    event = Event("evt_1", "x", {"actor": "payload", "event": {"id": "inner"}}, actor="field")
    assert evaluate_where({"actor": "payload"}, event)
    assert evaluate_where({"event.id": "inner"}, event)


def test_other_roots_are_walked_by_key_and_by_attribute() -> None:
    assert evaluate_where({"real": 3}, 3)
    assert evaluate_where({"a.real": 3}, {"a": 3})
    assert evaluate_where(None, object())

    class Broken:
        @property
        def part(self) -> int:
            raise RuntimeError

    assert evaluate_where({"part": None}, Broken())


@pytest.mark.parametrize("where", [{"a": {"~": 1}}, {"a": {">": 1, "like": 2}}, {"a": {1: 2}}, {1: 2}, ["a"]])
def test_an_unknown_operator_is_an_evaluator_error_in_a_read(where: Any) -> None:
    graph = Graph()
    made = Object("task#1", "task", {}, 1, {})
    for read in (
        lambda: graph.objects(where=where),
        lambda: graph.query(where=where),
        lambda: View([], [], []).objects(where=where),
        lambda: evaluate_where(where, made),
    ):
        with pytest.raises(InternalEvaluatorError) as refusal:
            read()
        assert refusal.value.context["internal"] is True
    with pytest.raises(InvalidRuntimeConfiguration):
        compile_where(where)


def test_a_compiled_condition_keeps_nothing_of_the_callers() -> None:
    allowed = ["open"]
    where: dict[str, Any] = {"status": {"in": allowed}, "tags": ["a"]}
    compiled = compile_where(where)
    allowed.append("closed")
    where["tags"].append("b")
    assert compiled.matches({"status": "open", "tags": ["a"]})
    assert not compiled.matches({"status": "closed", "tags": ["a"]})


paths = st.lists(
    st.sampled_from(["a", "b", "data", "id", "type", "version", "provenance", "event", "payload", "actor", "", "x"]),
    min_size=1,
    max_size=4,
).map(".".join)
conditions = st.dictionaries(
    paths,
    st.one_of(plain_values(), st.dictionaries(st.sampled_from(OPERATORS), plain_values(), max_size=2)).filter(
        lambda v: not isinstance(v, dict) or set(v) <= set(OPERATORS)
    ),
    max_size=3,
)


@given(where=conditions, data=plain_dicts(), key=st.sampled_from(["a", "data", "type"]), value=plain_values())
@examples(150)
def test_no_data_makes_a_condition_raise(where: dict[str, Any], data: dict[str, Any], key: str, value: Any) -> None:
    data[key] = value
    assert holds(where, data) in (True, False)
    assert evaluate_where(where, Event("evt_1", "x", data)) in (True, False)
    assert evaluate_where(where, data) in (True, False)
