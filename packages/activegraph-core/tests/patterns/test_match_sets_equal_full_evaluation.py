"""Kept match sets against the naive evaluation, for generated graphs, patterns and orders of change."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from activegraph.core import change_log
from activegraph.core.graph import Graph
from activegraph.patterns import kept as kept_matches
from activegraph.patterns import match_set, search
from activegraph.patterns.match_set import MatchSet
from activegraph.patterns.parser import parse
from activegraph.patterns.view import MatchView
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from support.naive_patterns import naive_matches

EXAMPLES = 5_000 if os.environ.get("ACTIVEGRAPH_TEST_SCALE") == "full" else 300


@pytest.fixture(scope="module", params=["as shipped", "every index and no memory"], autouse=True)
def limits(request: pytest.FixtureRequest) -> Iterator[None]:
    """Small graphs stay under the limits that large ones pass, so every test runs with limits of almost nothing too."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param != "as shipped":
            patch.setattr(search, "_FEW", 0)
            patch.setattr(match_set, "_FEW", 1)
            patch.setattr(match_set, "_JOURNALED", 1)
            patch.setattr(kept_matches, "_FEW", 0)
            patch.setattr(change_log, "_SHORTEST", 2)
        yield


OBJECTS = ["o1", "o2", "o3", "o4"]
RELATIONS = ["r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8"]
OBJECT_TYPES = ["t", "t", "u"]
RELATION_TYPES = ["p", "p", "q"]
FIELDS = ["x", "y"]

values = st.sampled_from([1, 1, 0, "a", None, True, 1.5, 2, "o1", [1], {"z": 1}, {"z": None}])
fields = st.dictionaries(st.sampled_from(FIELDS), values, max_size=2)


@dataclass(frozen=True)
class Change:
    """One event that the projection applies."""

    type: str
    payload: dict[str, Any]


def an_object(id: str, type: str, data: dict[str, Any]) -> Change:
    return Change(
        "object.created",
        {"object": {"id": id, "type": type, "data": data, "version": 1, "provenance": {}}},
    )


def a_relation(id: str, source: str, target: str, type: str, data: dict[str, Any]) -> Change:
    relation = {"id": id, "source": source, "target": target, "type": type, "data": data, "provenance": {}}
    return Change("relation.created", {"relation": relation})


def a_patch(target: str, op: str, value: dict[str, Any]) -> Change:
    return Change("patch.applied", {"patch": {"id": "patch", "target": target, "op": op, "value": value}})


new_objects = st.builds(an_object, st.sampled_from(OBJECTS), st.sampled_from(OBJECT_TYPES), fields)
new_relations = st.builds(
    a_relation,
    st.sampled_from(RELATIONS),
    st.sampled_from(OBJECTS),
    st.sampled_from(OBJECTS),
    st.sampled_from(RELATION_TYPES),
    fields,
)
changes = st.one_of(
    new_objects,
    new_relations,
    new_relations,
    new_relations,
    st.builds(a_patch, st.sampled_from(OBJECTS), st.sampled_from(["update", "replace"]), fields),
    st.builds(lambda id: Change("object.removed", {"id": id}), st.sampled_from(OBJECTS)),
    st.builds(lambda id: Change("relation.removed", {"id": id}), st.sampled_from(RELATIONS)),
)
beginnings = st.tuples(
    *(st.builds(an_object, st.just(id), st.sampled_from(OBJECT_TYPES), fields) for id in OBJECTS),
    *(
        st.builds(
            a_relation,
            st.just(id),
            st.sampled_from(OBJECTS),
            st.sampled_from(OBJECTS),
            st.sampled_from(RELATION_TYPES),
            fields,
        )
        for id in RELATIONS
    ),
).map(list)


def literal(value: Any) -> str:
    return (
        {True: "TRUE", False: "FALSE", None: "NULL"}[value]
        if value is None or value is True or value is False
        else json.dumps(value)
    )


literals = st.sampled_from([1, 1, 0, None, "a", True, 1.5, 2, "o1"]).map(literal)
node_names = st.sampled_from(["a", "b", "c", "d", ""])
relation_names = st.sampled_from(["k", "l", "", "", ""])


@st.composite
def nodes(draw: st.DrawFn) -> tuple[str, str]:
    name = draw(node_names)
    type = draw(st.sampled_from(["", "", "", ":t", ":u"]))
    count = draw(st.sampled_from([0, 0, 0, 1]))
    properties = draw(st.lists(st.tuples(st.sampled_from(FIELDS), literals), min_size=count, max_size=count))
    inside = ", ".join(f"{key}: {value}" for key, value in properties)
    return name, f"({name}{type}{{{inside}}})" if properties else f"({name}{type})"


@st.composite
def chains(draw: st.DrawFn, longest: int) -> tuple[list[str], list[str], str]:
    """Node variables, relationship variables and text of a chain."""
    name, text = draw(nodes())
    node_variables, relation_variables = [name], []
    for _ in range(min(longest, draw(st.sampled_from([1, 0, 1, 2, 2, 3])))):
        relation = draw(relation_names)
        type = draw(st.sampled_from(RELATION_TYPES))
        hop = draw(st.sampled_from([f"-[{relation}:{type}]->", f"<-[{relation}:{type}]-"]))
        name, node = draw(nodes())
        text += hop + node
        node_variables.append(name)
        relation_variables.append(relation)
    return [n for n in node_variables if n], [n for n in relation_variables if n], text


@st.composite
def conditions(draw: st.DrawFn, objects: list[str], relations: list[str], depth: int = 2) -> str:
    kinds = ["absence", "absence"]
    if objects or relations:
        kinds += ["comparison"] * 3
    if depth:
        kinds += ["not", "and"]
    kind = draw(st.sampled_from(kinds))
    if kind == "absence":
        return f"NOT EXISTS {{ {draw(chains(2))[2]} }}"
    if kind == "not":
        return f"NOT ({draw(conditions(objects, relations, depth - 1))})"
    if kind == "and":
        left, right = (draw(conditions(objects, relations, depth - 1)) for _ in range(2))
        return draw(st.sampled_from([f"{left} AND {right}", f"({left} AND {right})"]))
    paths = [f"{name}{rest}" for name in objects for rest in ("", ".id", ".type", ".version", ".x", ".data.y", ".x.z")]
    paths += [f"{name}{rest}" for name in relations for rest in ("", ".type", ".source", ".target", ".x", ".data.y")]
    operator = draw(st.sampled_from(["=", "=", "<>", "!=", "<", "<=", ">", ">="]))
    right = draw(st.one_of(literals, st.sampled_from(paths)))
    return f"{draw(st.sampled_from(paths))} {operator} {right}"


@st.composite
def patterns(draw: st.DrawFn) -> str:
    objects, relations, text = draw(chains(3))
    if draw(st.integers(0, 2)):
        text += " WHERE " + draw(conditions(objects, relations))
    return text


def apply(graph: Graph, change: Change) -> None:
    graph._projection.apply(change.type, json.dumps(change.payload).encode())


@settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(text=patterns(), beginning=beginnings, steps=st.lists(st.lists(changes, min_size=1, max_size=3), max_size=8))
def test_a_kept_match_set_equals_a_full_evaluation_after_every_change(
    text: str, beginning: list[Change], steps: list[list[Change]]
) -> None:
    graph = Graph()
    for change in beginning:
        apply(graph, change)
    pattern = parse(text)
    matcher = pattern.compile()
    kept = MatchSet(matcher, graph._projection)

    for step in [[], *steps]:
        for change in step:
            apply(graph, change)
        expected = naive_matches(pattern, graph)
        assert len(kept) == len(expected)
        assert [match.bindings for match in kept.view()] == expected
        assert [match.bindings for match in matcher.matches(None, graph)] == expected
        for id in (*OBJECTS[:2], *RELATIONS[:2]):
            touching = [bindings for bindings in expected if id in bindings.values()]
            assert [match.bindings for match in kept.touching(id)] == touching
        event("matches" if expected else "none")


@settings(
    max_examples=EXAMPLES // 2, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(
    text=patterns(),
    beginning=beginnings,
    steps=st.lists(st.tuples(changes, st.booleans(), st.integers(0, 3)), max_size=10),
)
def test_a_view_shows_the_matches_as_of_its_call_whenever_it_is_looked_at(
    text: str, beginning: list[Change], steps: list[tuple[Change, bool, int]]
) -> None:
    graph = Graph()
    for change in beginning:
        apply(graph, change)
    pattern = parse(text)
    kept = MatchSet(pattern.compile(), graph._projection)
    views: list[tuple[MatchView, list[dict[str, str]]]] = []

    for change, is_asked, looked_at in steps:
        if is_asked:
            views.append((kept.view(), naive_matches(pattern, graph)))
        for view, expected in views[-1 : -1 - looked_at : -1]:
            assert [match.bindings for match in view] == expected
        apply(graph, change)

    for view, expected in views:
        assert len(view) == len(expected)
        assert [match.bindings for match in view] == expected
        for id in (*OBJECTS[:2], *RELATIONS[:2]):
            touching = [bindings for bindings in expected if id in bindings.values()]
            assert [match.bindings for match in view.touching(id)] == touching
