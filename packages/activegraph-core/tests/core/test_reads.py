"""Reads: what each returns, in which order, and that none is ever an error or a write."""

from __future__ import annotations

from typing import Any

import pytest
from activegraph.core.clock import FrozenClock
from activegraph.core.graph import Graph
from activegraph.core.view import View
from activegraph.errors import InvalidArgumentType


@pytest.fixture
def graph() -> Graph:
    """a -> b -> c, d -> a, a loop on b, and a relation from a to nowhere."""
    graph = Graph(clock=FrozenClock())
    for type in ("a", "b", "c", "d"):
        graph.add_object(type, {"n": type})
    graph.add_relation("b#2", "c#3", "r")
    graph.add_relation("a#1", "b#2", "r")
    graph.add_relation("d#4", "a#1", "s")
    graph.add_relation("b#2", "b#2", "loop")
    graph.add_relation("a#1", "nowhere", "s")
    return graph


def ids(elements: Any) -> list[str]:
    return [element.id for element in elements]


def test_lists_come_in_creation_order(graph: Graph) -> None:
    assert ids(graph.all_objects()) == ids(graph.objects()) == ids(graph.query()) == ["a#1", "b#2", "c#3", "d#4"]
    assert ids(graph.all_relations()) == ids(graph.relations()) == [f"rel_00{n}" for n in range(1, 6)]
    assert ids(graph.get_relations()) == ids(graph.all_relations())


def test_objects_are_found_by_type_and_condition(graph: Graph) -> None:
    assert ids(graph.objects("b")) == ids(graph.query("b")) == ids(graph.objects(type="b")) == ["b#2"]
    assert ids(graph.objects(where={"n": {"in": ["c", "a"]}})) == ["a#1", "c#3"]
    assert ids(graph.query("a", {"n": "b"})) == []
    assert ids(graph.query(object_type="b", where={"n": "b"})) == ["b#2"]


def test_relations_are_found_by_ends_and_type(graph: Graph) -> None:
    assert ids(graph.relations(source="a#1")) == ["rel_002", "rel_005"]
    assert ids(graph.relations(target="a#1")) == ["rel_003"]
    assert ids(graph.relations(type="s")) == ["rel_003", "rel_005"]
    assert ids(graph.relations("a#1", "b#2", "r")) == ["rel_002"]
    assert ids(graph.relations(source="a#1", type="s")) == ["rel_005"]
    assert ids(graph.relations(source="a#1", target="c#3")) == []


def test_the_older_spelling_finds_relations_by_direction(graph: Graph) -> None:
    assert ids(graph.get_relations("a#1")) == ["rel_002", "rel_003", "rel_005"]
    assert ids(graph.get_relations("a#1", direction="outgoing")) == ["rel_002", "rel_005"]
    assert ids(graph.get_relations("a#1", direction="incoming")) == ["rel_003"]
    assert ids(graph.get_relations("a#1", "s", "both")) == ["rel_003", "rel_005"]
    assert ids(graph.get_relations("b#2")) == ["rel_001", "rel_002", "rel_004"]
    assert ids(graph.get_relations(type="r")) == ["rel_001", "rel_002"]


@pytest.mark.parametrize("direction", ["out", "", None, 5])
def test_another_direction_is_refused(graph: Graph, direction: Any) -> None:
    with pytest.raises(InvalidArgumentType):
        graph.get_relations("a#1", direction=direction)


@pytest.mark.parametrize(
    ("centre", "depth", "objects", "relations"),
    [
        ("a#1", 0, ["a#1"], []),
        ("a#1", 1, ["a#1", "b#2", "d#4"], ["rel_002", "rel_003", "rel_005"]),
        ("a#1", 2, ["a#1", "b#2", "c#3", "d#4"], [f"rel_00{n}" for n in range(1, 6)]),
        ("a#1", 10**18, ["a#1", "b#2", "c#3", "d#4"], [f"rel_00{n}" for n in range(1, 6)]),
        ("c#3", 1, ["b#2", "c#3"], ["rel_001"]),
        ("c#3", 2, ["a#1", "b#2", "c#3"], ["rel_001", "rel_002", "rel_004"]),
        ("nowhere", 1, [], []),
        ("unknown", 5, [], []),
    ],
)
def test_neighbourhoods_run_both_ways_round_by_round(
    graph: Graph, centre: str, depth: int, objects: list[str], relations: list[str]
) -> None:
    found = graph.neighborhood(centre, depth)
    assert (ids(found[0]), ids(found[1])) == (objects, relations)
    if depth == 1:
        assert graph.neighborhood(centre) == found


def test_creation_order_is_that_of_the_last_creation(graph: Graph) -> None:
    related = graph.all_relations()[0].to_dict()
    graph.remove_relation("rel_001")
    graph.emit(type(graph.events[0])("again", "relation.created", {"relation": related}))
    assert ids(graph.all_relations())[-1] == "rel_001"
    assert ids(graph.relations(source="b#2")) == ["rel_004", "rel_001"]
    assert ids(graph.neighborhood("c#3")[1]) == ["rel_001"]


def test_what_is_unknown_is_empty_and_no_error(graph: Graph) -> None:
    assert graph.get_object("x") is graph.get_relation("x") is graph.get_patch("x") is None
    assert graph.objects("x") == graph.relations("x") == graph.get_relations("x") == graph.relations(type="x") == []
    assert graph.has_object_of_type("a") is True
    assert graph.has_object_of_type("x") is False
    graph.remove_object("a#1")
    assert graph.has_object_of_type("a") is False


def test_lists_are_the_callers_own(graph: Graph) -> None:
    graph.objects().clear()
    graph.all_relations().clear()
    graph.neighborhood("a#1")[0].clear()
    assert len(graph.objects()) == 4
    assert len(graph.all_relations()) == 5


def test_reads_write_nothing(graph: Graph) -> None:
    before = [event.to_dict() for event in graph.events]
    graph.objects(where={"n": 1})
    graph.relations(source="a#1")
    graph.neighborhood("a#1", 3)
    graph.get_relations("a#1")
    assert [event.to_dict() for event in graph.events] == before


class TestEvents:
    def test_the_log_reads_as_a_list(self, graph: Graph) -> None:
        events = graph.events
        as_list = list(events)
        assert len(events) == len(as_list) == 9
        assert events[0] == as_list[0]
        assert events[-1] == as_list[-1]
        assert events[2:5] == as_list[2:5]
        assert events[::-1] == as_list[::-1]
        assert events[-3:] == as_list[-3:]
        assert events[20:] == []
        assert as_list[3] in events
        assert events == as_list
        assert [*reversed(events)] == as_list[::-1]
        for place in (9, -10):
            with pytest.raises(IndexError):
                events[place]

    def test_it_is_the_log_as_of_the_look(self, graph: Graph) -> None:
        events = graph.events
        graph.add_object("late", {})
        assert len(events) == 9
        assert len(list(events)) == 9
        assert len(graph.events) == 10

    def test_events_of_an_open_transaction_are_in_it(self, graph: Graph) -> None:
        with graph.transaction():
            graph.add_object("x", {})
            assert graph.events[-1].payload["id"] == "x#5"
            inside = graph.events
        assert list(inside) == list(graph.events)

    def test_a_log_longer_than_the_window_reads_to_its_beginning(self) -> None:
        graph = Graph(clock=FrozenClock())
        with graph.transaction():
            for n in range(3000):
                graph.add_object("x", {"n": n})
        assert graph.events[0].payload["id"] == "x#1"
        assert graph.events[1500].payload["id"] == "x#1501"
        assert [e.payload["id"] for e in graph.events[1990:1993]] == ["x#1991", "x#1992", "x#1993"]
        assert sum(1 for _ in graph.events) == 3000


class TestView:
    def view(self, graph: Graph) -> View:
        return View(graph.objects(), graph.relations(), graph.events)

    def test_a_view_filters_like_the_graph(self, graph: Graph) -> None:
        view = self.view(graph)
        assert view.objects() == graph.objects()
        assert view.objects("b") == graph.objects("b")
        assert view.objects(where={"n": {">": "b"}}) == graph.objects(where={"n": {">": "b"}})
        assert view.relations() == graph.relations()
        assert view.relations("s") == graph.relations(type="s")
        assert view.relations(source="a#1", target="b#2") == graph.relations("a#1", "b#2")
        assert view.events() == list(graph.events)
        assert ids(view.events("relation.created"))[0] == "evt_005"
        assert view.events("x") == []

    def test_elements_of_a_view_are_found_by_id(self, graph: Graph) -> None:
        view = View(graph.objects("a"), graph.relations(type="r"), [])
        assert view.get_object("a#1") == graph.get_object("a#1")
        assert view.get_object("b#2") is None
        assert view.get_relation("rel_001") == graph.get_relation("rel_001")
        assert view.get_relation("rel_003") is None

    def test_lists_are_the_callers_own(self, graph: Graph) -> None:
        given = graph.objects()
        view = View(given, [], [])
        given.clear()
        view.objects().clear()
        assert len(view.objects()) == 4
