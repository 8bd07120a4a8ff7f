"""What a view shows of the whole graph: the graph as it was at the call, whatever happens to it meanwhile."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import Any

import pytest
from activegraph.core.clock import FrozenClock
from activegraph.core.event import Event
from activegraph.core.graph import Graph
from activegraph.core.slices import WholeGraph
from activegraph.core.view import View
from activegraph.errors import InvalidArgumentType
from hypothesis import given
from hypothesis.strategies import integers, lists, none, sampled_from, tuples

NAMES = ["t#1", "t#2", "u#3", "u#4"]
RELATIONS = ["rel_001", "rel_002", "rel_003"]
CHANGES = ["object", "relation", "remove object", "remove relation"]
changes = lists(tuples(sampled_from(CHANGES), integers(0, 3), integers(0, 3)), max_size=14)


def apply(graph: Graph, number: int, change: tuple[str, int, int]) -> None:
    """One change; an object or a relation that is made may be there already and is then replaced."""
    kind, a, b = change
    if kind == "remove object":
        graph.remove_object(NAMES[a])
    elif kind == "remove relation":
        graph.remove_relation(RELATIONS[a % 3])
    else:
        made: dict[str, Any] = {"id": NAMES[a], "type": "tu"[b % 2], "version": 1}
        if kind == "relation":
            made = {"id": RELATIONS[a % 3], "source": NAMES[a], "target": NAMES[b], "type": "rs"[b % 2]}
        payload = {kind: {**made, "data": {"n": number}, "provenance": {}}}
        graph.emit(Event(f"e{number}", f"{kind}.created", payload))


def look(graph: Any, types: list[str] | None = None) -> list[Any]:
    """Everything that a graph or a view can be asked for: ids, and the data that tells one from its successor."""

    def shown(elements: Any) -> list[Any]:
        return [(each.id, each.type, each.data["n"]) for each in elements if each is not None]

    visible = [one for one in graph.objects() if types is None or one.type in types]
    known = {one.id for one in visible}
    return [
        shown(visible),
        *(shown(one for one in graph.objects(type) if one.id in known) for type in ("t", "u", "none")),
        *(shown([graph.get_object(id)] if id in known else []) for id in NAMES),
        *(shown([graph.get_relation(id)]) for id in RELATIONS),
        *(shown(graph.relations(type=type)) for type in (None, "r", "s", "none")),
        *(shown(graph.relations(source=id)) + shown(graph.relations(target=id, type="r")) for id in NAMES),
        *(shown(graph.relations(source=a, target=b)) for a in NAMES[:2] for b in NAMES),
        shown(one for one in graph.objects(where={"n": {">": 3}}) if one.id in known),
    ]


@given(before=changes, after=changes, types=none() | lists(sampled_from(["t", "u", "none"]), max_size=2))
def test_a_view_is_the_graph_of_its_moment(before: Any, after: Any, types: list[str] | None) -> None:
    graph = Graph(clock=FrozenClock(), run_id="run_a")
    for number, change in enumerate(before):
        apply(graph, number, change)
    expected = look(graph, types)
    projection, removals = graph._projection, []  # type: ignore[var-annotated]
    view = View.lazy(WholeGraph(projection, projection.sequence, removals, types), list)
    projection.removals = removals
    for number, change in enumerate(after, len(before)):
        apply(graph, number, change)

    assert look(view) == expected
    assert look(view) == expected


def calls_of(work: Callable[[], object]) -> int:
    """How many functions are called."""
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    # What a collection finalizes is called, too.
    gc.disable()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
        gc.enable()
    return calls


@pytest.mark.parametrize(
    "ask",
    [
        lambda view: view.objects("rare"),
        lambda view: view.get_object("rare#1"),
        lambda view: view.get_relation("rel_001"),
        lambda view: view.relations(source="rare#1"),
        lambda view: view.relations(target="rare#1", type="near"),
        lambda view: view.relations(type="near"),
    ],
)
def test_a_look_costs_what_it_gives_however_large_the_graph(ask: Callable[[View], Any]) -> None:
    costs = []
    for others in (10, 500):
        graph = Graph(clock=FrozenClock(), run_id="run_a")
        graph.add_object("rare", {})
        graph.add_relation("rare#1", "rare#1", "near")
        for _ in range(others):
            other = graph.add_object("common", {})
            graph.add_relation(other.id, other.id, "far")
        projection = graph._projection

        def view(projection: Any = projection) -> View:
            return View.lazy(WholeGraph(projection, projection.sequence, [], None), list)

        assert ask(view()) not in ([], None)
        costs.append(calls_of(lambda view=view: ask(view())))  # type: ignore[misc]

    assert costs[0] == costs[1]


@pytest.fixture(params=["whole graph", "lists"])
def view(request: pytest.FixtureRequest) -> View:
    graph = Graph(run_id="run_a")
    graph.add_object("t", {})
    graph.add_relation("t#1", "t#1", "r")
    if request.param == "lists":
        return View(graph.all_objects(), graph.all_relations(), graph.events)
    return View.lazy(WholeGraph(graph._projection, graph._projection.sequence, [], None), lambda: list(graph.events))


@pytest.mark.parametrize("name", [7, 1.5, True, (), b"t"])
def test_what_nobody_is_called_is_in_no_view(view: View, name: Any) -> None:
    assert view.objects(name) == view.relations(source=name) == view.relations(type=name) == view.events(name) == []
    assert view.get_object(name) is view.get_relation(name) is None


@pytest.mark.parametrize("name", [["t"], {}, {"t"}], ids=["list", "dict", "set"])
@pytest.mark.parametrize(
    ("ask", "argument"),
    [
        (lambda view, name: view.objects(name), "type"),
        (lambda view, name: view.relations(name), "type"),
        (lambda view, name: view.relations(source=name), "source"),
        (lambda view, name: view.relations("r", target=name), "target"),
        (lambda view, name: view.events(name), "type"),
        (lambda view, name: view.get_object(name), "object_id"),
        (lambda view, name: view.get_relation(name), "relation_id"),
    ],
)
def test_what_nothing_can_be_called_is_refused_as_by_the_graph(view: View, ask: Any, argument: str, name: Any) -> None:
    with pytest.raises(InvalidArgumentType) as refusal:
        ask(view, name)

    assert refusal.value.context == {"argument": argument, "type": type(name).__name__}
