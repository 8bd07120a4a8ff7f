"""What a pattern means: which assignments match, what they bind, and in which order."""

from __future__ import annotations

import pytest
from activegraph.core.event import Event
from activegraph.core.graph import Graph
from activegraph.patterns.match_set import MatchSet
from activegraph.runtime.patterns import Match, parse
from support.naive_patterns import naive_matches


def found(graph: Graph, text: str) -> list[dict[str, str]]:
    """Bindings of all matches; every way of getting them agrees."""
    pattern = parse(text)
    matcher = pattern.compile()
    evaluated = [match.bindings for match in matcher.matches(None, graph)]
    assert evaluated == [match.bindings for match in MatchSet(matcher, graph._projection).view()]
    assert evaluated == naive_matches(pattern, graph)
    return evaluated


def holds(graph: Graph, text: str) -> bool:
    return bool(found(graph, text))


@pytest.fixture
def graph() -> Graph:
    """Three tasks in a line: task#1 blocks task#2 blocks task#3, and a note about the last."""
    graph = Graph()
    graph.add_object("task", {"n": 1, "status": "open", "owner": {"name": "Ann", "level": 2}})
    graph.add_object("task", {"n": 2, "status": "done", "tags": ["x"]})
    graph.add_object("task", {"n": 3, "status": "open", "late": True})
    graph.add_object("note", {"text": "hm"})
    graph.add_relation("task#1", "task#2", "blocks", {"since": 3, "by": {"name": "Ann"}})
    graph.add_relation("task#2", "task#3", "blocks")
    graph.add_relation("note#4", "task#3", "about")
    return graph


def test_every_assignment_of_the_chain_is_a_match_and_binds_its_variables(graph: Graph) -> None:
    assert found(graph, "(a:task)-[r:blocks]->(b:task)") == [
        {"a": "task#1", "r": "rel_001", "b": "task#2"},
        {"a": "task#2", "r": "rel_002", "b": "task#3"},
    ]
    assert found(graph, "(a)<-[:blocks]-(b)") == [{"a": "task#2", "b": "task#1"}, {"a": "task#3", "b": "task#2"}]
    assert found(graph, "(a)-[:blocks]->(b)-[:blocks]->(c)<-[:about]-(n:note)") == [
        {"a": "task#1", "b": "task#2", "c": "task#3", "n": "note#4"}
    ]


def test_an_empty_node_matches_any_object_and_binds_nothing(graph: Graph) -> None:
    assert found(graph, "()") == [{}, {}, {}, {}]
    assert found(graph, "({})") == [{}, {}, {}, {}]


def test_assignments_that_differ_in_anonymous_elements_only_are_separate_equal_matches(graph: Graph) -> None:
    graph.add_relation("task#1", "task#2", "blocks")

    matches = parse("(a)-[:blocks]->(b)").compile().matches(None, graph)

    assert matches[0] == matches[1] == Match({"a": "task#1", "b": "task#2"})
    assert len(matches) == 3


def test_the_event_does_not_narrow_the_result(graph: Graph) -> None:
    matcher = parse("(a:task)").compile()
    event = Event(id="evt_x", type="note.read", payload={"id": "note#4"})

    assert matcher.matches(event, graph) == matcher.matches(None, graph)


def test_the_same_variable_twice_means_the_same_object() -> None:
    graph = Graph()
    for _ in range(3):
        graph.add_object("t", {})
    for source, target in [(1, 2), (2, 1), (2, 3), (3, 3)]:
        graph.add_relation(f"t#{source}", f"t#{target}", "r")

    assert found(graph, "(a)-[:r]->(b)-[:r]->(a)") == [
        {"a": "t#1", "b": "t#2"},
        {"a": "t#2", "b": "t#1"},
        {"a": "t#3", "b": "t#3"},
    ]
    assert found(graph, "(a)-[:r]->(a)") == [{"a": "t#3"}]


def test_the_same_relationship_variable_twice_means_the_same_relation(graph: Graph) -> None:
    assert found(graph, "(a)-[r:blocks]->(b)<-[r:blocks]-(c)") == [
        {"a": "task#1", "r": "rel_001", "b": "task#2", "c": "task#1"},
        {"a": "task#2", "r": "rel_002", "b": "task#3", "c": "task#2"},
    ]
    assert not holds(graph, "(a)-[r:blocks]->(b)-[r:blocks]->(c)")
    assert not holds(graph, "(a)-[r:blocks]->(b)<-[r:about]-(c)")


def test_different_variables_may_bind_the_same_element(graph: Graph) -> None:
    assert {"a": "task#1", "b": "task#2", "c": "task#1"} in found(graph, "(a)-[:blocks]->(b)<-[:blocks]-(c)")


def test_a_variable_with_two_types_matches_nothing(graph: Graph) -> None:
    assert not holds(graph, "(a:task)-[:blocks]->(b)<-[:blocks]-(a:note)")
    assert holds(graph, "(a:task)-[:blocks]->(b)<-[:blocks]-(a)")


def test_what_two_occurrences_of_a_variable_ask_for_must_both_hold(graph: Graph) -> None:
    assert holds(graph, "(a {n: 1})-[:blocks]->()<-[:blocks]-(a {status: 'open'})")
    assert not holds(graph, "(a {n: 1})-[:blocks]->()<-[:blocks]-(a {status: 'done'})")


def test_a_property_equals_the_field_and_null_equals_a_missing_one(graph: Graph) -> None:
    assert found(graph, "(a {status: 'open', n: 3})") == [{"a": "task#3"}]
    assert found(graph, "(a:task {late: NULL})") == [{"a": "task#1"}, {"a": "task#2"}]
    assert found(graph, "(a {late: TRUE})") == [{"a": "task#3"}]
    assert not holds(graph, "(a {tags: 'x'})")


def test_a_relation_whose_other_end_is_no_object_does_not_match(graph: Graph) -> None:
    graph.add_relation("task#3", "nowhere", "blocks")
    graph.add_relation("nowhere", "task#1", "blocks")

    assert len(found(graph, "()-[:blocks]->()")) == 2
    assert found(graph, "(a) WHERE a.n = 3 AND NOT EXISTS { (a)-[:blocks]->() }") == [{"a": "task#3"}]


def test_matches_come_by_creation_of_the_first_node_then_of_each_relation() -> None:
    graph = Graph()
    for _ in range(3):
        graph.add_object("t", {})
    for source, target in [(2, 3), (1, 3), (1, 2), (1, 1), (2, 1)]:
        graph.add_relation(f"t#{source}", f"t#{target}", "r")

    assert [(m["r"], m["s"]) for m in found(graph, "(a)-[r:r]->(b)-[s:r]->(c)")] == [
        ("rel_003", "rel_001"),
        ("rel_003", "rel_005"),
        ("rel_004", "rel_002"),
        ("rel_004", "rel_003"),
        ("rel_004", "rel_004"),
        ("rel_005", "rel_002"),
        ("rel_005", "rel_003"),
        ("rel_005", "rel_004"),
    ]


def test_an_element_made_again_under_its_id_is_last_in_creation_order(graph: Graph) -> None:
    remade = {"id": "task#1", "type": "task", "data": {}, "version": 1, "provenance": {}}
    graph.emit(Event(id="evt_again", type="object.created", payload={"object": remade}))

    assert [match["a"] for match in found(graph, "(a:task)")] == ["task#2", "task#3", "task#1"]
    assert [match["a"] for match in found(graph, "(a)-[:blocks]->()")] == ["task#2", "task#1"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a", "'task#1'"),
        ("a.id", "'task#1'"),
        ("a.type", "'task'"),
        ("a.version", "1"),
        ("a.n", "1"),
        ("a.data.n", "1"),
        ("a.owner.name", "'Ann'"),
        ("a.data.owner.name", "'Ann'"),
        ("a.missing", "NULL"),
        ("a.owner.missing", "NULL"),
        ("a.n.deeper", "NULL"),
        ("a.id.deeper", "NULL"),
        ("a.missing.deeper", "NULL"),
        ("r", "'rel_001'"),
        ("r.id", "'rel_001'"),
        ("r.type", "'blocks'"),
        ("r.source", "'task#1'"),
        ("r.target", "'task#2'"),
        ("r.since", "3"),
        ("r.data.since", "3"),
        ("r.by.name", "'Ann'"),
        ("r.source.deeper", "NULL"),
        ("r.version", "NULL"),
    ],
)
def test_a_path_reads_the_element_or_its_data(graph: Graph, path: str, value: str) -> None:
    chain = "(a {n: 1})-[r:blocks]->(b)"

    assert holds(graph, f"{chain} WHERE {path} = {value}")
    assert not holds(graph, f"{chain} WHERE {path} <> {value}")
    assert holds(graph, f"{chain} WHERE {path} = {path}")


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("a.x = NULL", True),
        ("a.x <> 1", True),
        ("a.x != 1", True),
        ("a.x = 1", False),
        ("a.x <> NULL", False),
        ("a.n <> NULL", True),
        ("a.x > 1", False),
        ("a.x <= 1", False),
        ("NOT a.x > 1", True),
        ("a.n > NULL", False),
        ("a.n >= 1", True),
        ("a.n < 1", False),
        ("a.n < 1.5", True),
        ("a.n < 'x'", False),
        ("a.n >= 'x'", False),
        ("a.owner > 1", False),
        ("a.status < 'p'", True),
        ("a.owner = a.data.owner", True),
        ("a.n < b.n", True),
        ("a.n = b.n", False),
        ("r.since > b.n", True),
        ("a = b", False),
        ("r.source = a", True),
        ("a.x = b.x", True),
        ("NOT a.n = 1", False),
        ("NOT NOT a.n = 1", True),
        ("a.n = 1 AND b.n = 2", True),
        ("a.n = 1 AND b.n = 3", False),
        ("NOT (a.n = 1 AND b.n = 3)", True),
    ],
)
def test_a_comparison_treats_null_as_a_value_and_orders_only_what_has_an_order(
    graph: Graph, condition: str, expected: bool
) -> None:
    assert holds(graph, f"(a {{n: 1}})-[r:blocks]->(b) WHERE {condition}") is expected


@pytest.mark.parametrize("value", ['{"$ag.decimal":"sNaN"}', '{"$ag.decimal":"NaN"}', '{"$ag.float":"nan"}'])
def test_what_is_no_number_equals_nothing_and_has_no_order(value: str) -> None:
    graph = Graph()
    created = '{"object":{"id":"t#1","type":"t","data":{"x":' + value + '},"version":1,"provenance":{}}}'
    graph._projection.apply("object.created", created.encode())
    matcher = parse("(a) WHERE NOT a.x = 1 AND NOT a.x < 1 AND NOT a.x > 1 AND NOT a.x = a.x").compile()

    assert len(matcher.matches(None, graph)) == 1
    assert not parse("(a {x: 1})").compile().matches(None, graph)


def test_not_exists_holds_where_no_assignment_agrees_on_the_shared_variables(graph: Graph) -> None:
    assert found(graph, "(a:task) WHERE NOT EXISTS { (a)<-[:blocks]-() }") == [{"a": "task#1"}]
    assert found(graph, "(a:task) WHERE NOT EXISTS { (a)-[:blocks]->(b {status: 'done'}) }") == [
        {"a": "task#2"},
        {"a": "task#3"},
    ]
    assert found(graph, "(a:task) WHERE NOT NOT EXISTS { (a)<-[:about]-(:note) }") == [{"a": "task#3"}]
    assert found(graph, "(a)-[:blocks]->(b) WHERE NOT EXISTS { (b)-[:blocks]->(c) }") == [
        {"a": "task#2", "b": "task#3"}
    ]


def test_not_exists_may_share_several_variables_and_relationships(graph: Graph) -> None:
    graph.add_relation("task#2", "task#1", "blocks")

    assert found(graph, "(a)-[:blocks]->(b) WHERE NOT EXISTS { (b)-[:blocks]->(a) }") == [
        {"a": "task#2", "b": "task#3"}
    ]
    assert found(graph, "(a)-[r:blocks]->() WHERE NOT EXISTS { (:task {n: 1})-[r:blocks]->() }") == [
        {"a": "task#2", "r": "rel_002"},
        {"a": "task#2", "r": "rel_004"},
    ]


def test_not_exists_without_a_shared_variable_speaks_of_the_whole_graph(graph: Graph) -> None:
    assert not holds(graph, "(a:task) WHERE NOT EXISTS { (:note) }")
    assert len(found(graph, "(a:task) WHERE NOT EXISTS { (:verdict) }")) == 3


def test_variables_inside_not_exists_are_not_bound_outside_nor_shared_between_two(graph: Graph) -> None:
    text = "(a:task) WHERE NOT EXISTS { (a)-[:blocks]->(b {n: 3}) } AND NOT EXISTS { (a)-[:blocks]->(b {n: 2}) }"

    assert found(graph, text) == [{"a": "task#3"}]


def test_a_match_gives_its_bindings_by_name() -> None:
    match = Match({"a": "task#1"})

    assert match["a"] == match.get("a") == "task#1"
    assert match.get("b") is None
    assert match.get("b", "?") == "?"
    assert "a" in match
    assert list(match) == ["a"]
    assert {match, Match({"a": "task#1"})} == {match}
    with pytest.raises(KeyError):
        match["b"]


def test_one_compiled_pattern_serves_many_graphs(graph: Graph) -> None:
    matcher = parse("(a:task)").compile()

    assert matcher.matches(None, Graph()) == []
    assert len(matcher.matches(None, graph)) == 3
    assert matcher.pattern == parse("(a:task)")
    assert matcher.source == "(a:task)"


def test_a_chain_of_a_thousand_hops_is_matched_like_any_other() -> None:
    graph = Graph()
    graph.add_object("t", {})
    graph.add_relation("t#1", "t#1", "r")

    assert found(graph, "(a)" + "-[:r]->()" * 300) == [{"a": "t#1"}]
    assert len(parse("(a)" + "-[:r]->()" * 2000).compile().matches(None, graph)) == 1
