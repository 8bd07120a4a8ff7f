"""The projection's indexes and its log of changes, against what a scan finds."""

from __future__ import annotations

from random import Random
from typing import Any

from activegraph.core.change_log import Change, ChangeLog
from activegraph.core.graph import Graph
from activegraph.core.state import ObjectState
from hypothesis import given, settings
from hypothesis import strategies as st
from support import pattern_programs as programs


@settings(max_examples=100, deadline=None)
@given(rng=st.randoms(use_true_random=True))
def test_relations_by_node_type_and_direction_are_those_that_a_scan_finds(rng: Random) -> None:
    graph = Graph()
    projection = graph._projection
    for change in programs.beginning(rng):
        programs.apply(graph, change)
    for _ in range(15):
        links = projection.links
        for node in programs.OBJECTS:
            for type in "pq":
                leaving = [r for r in projection.relations.values() if (r.source, r.type) == (node, type)]
                entering = [r for r in projection.relations.values() if (r.target, r.type) == (node, type)]
                assert by_place(links.leaving(node, type)) == by_place(leaving)
                assert by_place(links.entering(node, type)) == by_place(entering)
        programs.apply(graph, programs.change(rng))


@settings(max_examples=100, deadline=None)
@given(rng=st.randoms(use_true_random=True))
def test_objects_by_value_are_those_that_a_scan_finds_whenever_it_is_asked(rng: Random) -> None:
    graph = Graph()
    projection = graph._projection
    for change in programs.beginning(rng):
        programs.apply(graph, change)
    for _ in range(15):
        index = projection.objects_by_value("t", ("x",))
        for value in (1, 1.0, True, 0, "a", None, "nothing"):
            holders = [o for o in projection.objects_of_type("t").values() if o.data().get("x") == value]
            assert by_place(index.equal_to(value)) == by_place(holders)
        for _ in range(rng.randrange(4)):
            programs.apply(graph, programs.change(rng))


def by_place(states: Any) -> list[int]:
    return sorted(state.sequence for state in states)


def noted(sequence: int, op: str = "", value: bytes = b"{}") -> Change:
    state = ObjectState(f"t#{sequence}", "t", b"{}", 1, sequence)
    return Change("patched" if op else "created", state, op, value)


def test_a_log_of_changes_tells_each_reader_what_it_has_not_read() -> None:
    log = ChangeLog()
    changes = [noted(number) for number in range(3)]
    for change in changes:
        log.append(change)

    assert log.head == 3
    assert log.since(0) == changes
    assert log.since(2) == changes[2:]
    assert log.since(3) == []


def test_a_log_of_changes_forgets_what_is_older_than_the_graph_is_large() -> None:
    log = ChangeLog(range(2000), range(1000))
    for number in range(20_000):
        log.append(noted(number))

    assert log.since(0) is None
    recent = log.since(log.head - 3000)
    assert recent is not None
    assert [change.state.sequence for change in recent] == list(range(17_000, 20_000))


def test_a_patch_touches_the_fields_that_it_names_and_a_replacement_all() -> None:
    update = noted(1, "update", b'{"x":1}')

    assert update.touches(frozenset({"x", "y"}))
    assert not update.touches(frozenset({"y"}))
    assert noted(1, "replace", b'{"x":1}').touches(frozenset({"y"}))
    assert not noted(1, "note", b'{"x":1}').touches(frozenset({"x"}))
