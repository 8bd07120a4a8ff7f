"""Kept match sets: what they cost, and what a view of them promises."""

from __future__ import annotations

import copy
import gc
import pickle
import sys
from collections.abc import Callable, Sequence

import pytest
from activegraph.core.graph import Graph
from activegraph.patterns.match_set import MatchSet
from activegraph.runtime.patterns import Match, parse


def kept(graph: Graph, text: str) -> MatchSet:
    return MatchSet(parse(text).compile(), graph._projection)


def tasks(count: int) -> Graph:
    graph = Graph()
    for number in range(count):
        graph.add_object("task", {"n": number, "status": "open"})
    return graph


def bound(matches: Sequence[Match], name: str = "a") -> list[str]:
    return [match[name] for match in matches]


def test_a_view_equals_a_list_of_matches() -> None:
    view = kept(tasks(3), "(a:task)").view()

    assert view == [Match({"a": "task#1"}), Match({"a": "task#2"}), Match({"a": "task#3"})]
    assert list(view) == view
    assert view != [Match({"a": "task#1"})]
    assert view != ()
    assert not kept(Graph(), "(a)").view()
    assert kept(Graph(), "(a)").view() == []


def test_a_view_is_a_sequence() -> None:
    view = kept(tasks(3), "(a:task)").view()

    assert len(view) == 3
    assert view[0]["a"] == "task#1"
    assert view[-1]["a"] == "task#3"
    assert view[1:] == [Match({"a": "task#2"}), Match({"a": "task#3"})]
    assert bound(list(reversed(view))) == ["task#3", "task#2", "task#1"]
    assert Match({"a": "task#2"}) in view
    assert view.index(Match({"a": "task#2"})) == 1
    assert repr(view) == repr(list(view))
    with pytest.raises(IndexError):
        view[3]


def test_a_view_does_not_change_with_the_graph() -> None:
    graph = tasks(3)
    matches = kept(graph, "(a:task)")
    unseen, seen = matches.view(), matches.view()
    assert bound(seen) == ["task#1", "task#2", "task#3"]

    graph.remove_object("task#1")
    graph.add_object("task", {})
    later = matches.view()
    graph.remove_object("task#3")

    assert bound(later) == ["task#2", "task#3", "task#4"]
    assert bound(unseen) == bound(seen) == ["task#1", "task#2", "task#3"]
    assert bound(matches.view()) == ["task#2", "task#4"]
    assert [len(view) for view in (unseen, seen, later)] == [3, 3, 3]


def test_copies_and_pickles_of_a_view_are_plain_lists() -> None:
    view = kept(tasks(2), "(a:task)").view()

    for made in (copy.copy(view), copy.deepcopy(view), pickle.loads(pickle.dumps(view))):
        assert type(made) is list
        assert made == view


def test_changing_what_a_view_gave_changes_nobody_elses_matches() -> None:
    matches = kept(tasks(1), "(a:task)")
    view = matches.view()

    view[0].bindings["a"] = "mine"

    assert view == matches.view() == [Match({"a": "task#1"})]


def test_touching_gives_the_matches_that_bind_an_id() -> None:
    graph = tasks(3)
    matches = kept(graph, "(a)-[r:blocks]->(b)")
    for source, target in [(1, 2), (2, 3), (3, 1)]:
        graph.add_relation(f"task#{source}", f"task#{target}", "blocks")
    view = matches.view()

    assert bound(matches.touching("task#2"), "r") == ["rel_001", "rel_002"]
    assert bound(matches.touching("rel_003"), "r") == ["rel_003"]
    assert matches.touching("unknown") == []

    graph.remove_relation("rel_001")
    assert bound(matches.touching("task#2"), "r") == ["rel_002"]
    assert bound(view.touching("task#2"), "r") == ["rel_001", "rel_002"]


def test_anonymous_elements_bind_nothing_and_are_not_touched() -> None:
    graph = tasks(2)
    graph.add_relation("task#1", "task#2", "blocks")
    matches = kept(graph, "(a)-[:blocks]->()")

    assert matches.touching("rel_001") == matches.touching("task#2") == []
    assert matches.touching("task#1") == [Match({"a": "task#1"})]


def test_several_sets_share_one_graph_and_catch_up_each_at_its_time() -> None:
    graph = tasks(2)
    open_tasks, all_tasks = kept(graph, "(a {status: 'open'})"), kept(graph, "(a:task)")

    assert (len(open_tasks), len(all_tasks)) == (2, 2)
    graph.patch_object("task#1", {"status": "done"})
    assert len(open_tasks) == 1
    graph.add_object("task", {"status": "open"})
    assert (len(open_tasks), len(all_tasks)) == (2, 3)


def test_a_graph_notes_no_changes_before_the_first_question() -> None:
    graph = tasks(1)
    matches = kept(graph, "(a:task)")

    graph.add_object("task", {})
    assert graph._projection._changes is None
    assert len(matches) == 2
    assert graph._projection._changes is not None


def test_a_set_that_was_not_asked_for_long_is_right_when_it_is() -> None:
    graph = tasks(1)
    matches = kept(graph, "(a:task)-[:blocks]->(b)")
    early = matches.view()
    for number in range(1, 3000):
        graph.add_object("task", {})
        graph.add_relation(f"task#{number}", f"task#{number + 1}", "blocks")
        if number % 3 == 0:
            graph.remove_object(f"task#{number}")

    assert len(matches) == 2999 - 2 * 999
    assert list(matches.view()) == parse("(a:task)-[:blocks]->(b)").compile().matches(None, graph)
    assert early == []


def test_a_view_that_is_kept_for_ever_holds_no_history() -> None:
    graph = tasks(1)
    matches = kept(graph, "(a:task {status: 'open'})")
    view = matches.view()
    for number in range(5000):
        graph.patch_object("task#1", {"status": ["done", "open"][number % 2]})
        len(matches)

    assert len(view._journal.differences) < 1100
    assert bound(view) == ["task#1"]


def test_a_relation_that_not_exists_names_twice_is_missed_at_both_places() -> None:
    graph = tasks(1)
    matches = kept(graph, "(a) WHERE NOT EXISTS { (b)-[l:loops]->(c)<-[l:loops]-(a) }")
    assert bound(matches.view()) == ["task#1"]

    loop = graph.add_relation("task#1", "task#1", "loops")
    assert matches.view() == []
    graph.remove_relation(loop.id)
    assert bound(matches.view()) == ["task#1"]


def calls(work: Callable[[], object]) -> int:
    """Python functions called; the same work calls the same number, but for hooks of the garbage collector."""
    count = 0
    gc.disable()

    def counting(frame: object, what: str, argument: object) -> None:
        nonlocal count
        count += what == "call"

    sys.setprofile(counting)
    try:
        work()
    finally:
        sys.setprofile(None)
        gc.enable()
    return count


TWO_HOPS = "(a:task)-[:blocks]->(b:task)-[:blocks]->(c:task)"


@pytest.mark.parametrize(
    "text",
    [
        TWO_HOPS,
        f"{TWO_HOPS} WHERE a.n < c.n AND b.status = 'open'",
        f"{TWO_HOPS} WHERE NOT EXISTS {{ (c)-[:blocks]->(:task)-[:blocks]->() }}",
        "(a:task)-[:blocks]->(b) WHERE NOT EXISTS { (:alarm) }",
    ],
)
def test_a_change_costs_its_neighbourhood_and_not_the_graph(text: str) -> None:
    costs = set()
    for size in (20, 2000):
        graph = tasks(size + 4)
        for number in range(1, size):
            graph.add_relation(f"task#{number}", f"task#{number + 1}", "blocks")
        matches = kept(graph, text)
        graph.add_relation(f"task#{size + 1}", f"task#{size + 2}", "blocks")
        len(matches)
        graph.add_relation(f"task#{size + 2}", f"task#{size + 3}", "blocks")
        cost = calls(lambda matches=matches: matches.view())
        graph.patch_object(f"task#{size + 2}", {"status": "done"})
        cost += calls(lambda matches=matches: matches.view())
        graph.remove_object(f"task#{size + 3}")
        cost += calls(lambda matches=matches: matches.view())
        costs.add(cost)

    assert len(costs) == 1


def test_a_patch_of_a_field_that_no_pattern_reads_costs_nothing_at_a_hub() -> None:
    costs = set()
    for size in (10, 500):
        graph = tasks(size)
        graph.add_object("project", {"open": True})
        hub = f"project#{size + 1}"
        for number in range(1, size + 1):
            graph.add_relation(f"task#{number}", hub, "in")
        matches = kept(graph, "(a:task)-[:in]->(p:project {open: TRUE})")
        len(matches)
        graph.patch_object(hub, {"title": "new"})
        costs.add(calls(lambda matches=matches: len(matches)))

    assert len(costs) == 1


def test_a_constant_behind_a_hub_is_found_by_its_value() -> None:
    costs = set()
    for size in (500, 2000):
        graph = tasks(size)
        graph.add_object("project", {})
        hub = f"project#{size + 1}"
        for number in range(1, size + 1):
            graph.add_relation(f"task#{number}", hub, "in")
        graph.patch_object("task#7", {"status": "urgent"})
        urgent = kept(graph, "(a:change)-[:in]->(p:project)<-[:in]-(b:task) WHERE b.status = 'urgent'")
        for _ in range(2):
            change = graph.add_object("change", {})
            graph.add_relation(change.id, hub, "in")
            cost = calls(lambda urgent=urgent: len(urgent))
        costs.add(cost)
        assert bound(urgent.view(), "b") == ["task#7", "task#7"]

    assert len(costs) == 1


def test_closing_a_triangle_at_a_hub_starts_from_the_end_with_fewer_relations() -> None:
    costs = set()
    for size in (200, 1000):
        graph = tasks(size + 2)
        hub, newcomer = f"task#{size + 1}", f"task#{size + 2}"
        for number in range(1, size + 1):
            graph.add_relation(hub, f"task#{number}", "owns")
        graph.add_relation(newcomer, "task#5", "likes")
        triangles = kept(graph, "(b)<-[:owns]-(a)-[:knows]->(c)-[:likes]->(b)")
        len(triangles)
        graph.add_relation(hub, newcomer, "knows")
        costs.add(calls(lambda triangles=triangles: len(triangles)))
        assert bound(triangles.view(), "b") == ["task#5"]

    assert len(costs) == 1


def test_a_lost_witness_of_a_global_not_exists_is_replaced_by_its_value() -> None:
    graph = tasks(200)
    graph.add_object("project", {})
    done = kept(graph, "(p:project) WHERE NOT EXISTS { (:task {status: 'open'}) }")
    for number in range(1, 201):
        assert len(done) == 0
        if number % 2:
            graph.patch_object(f"task#{number}", {"status": "done"})
        else:
            graph.remove_object(f"task#{number}")

    assert len(done) == 1
    graph.add_object("task", {"status": "open"})
    assert len(done) == 0
