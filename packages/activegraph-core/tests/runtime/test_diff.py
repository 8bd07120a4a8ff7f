"""Two runs side by side: what they share, what each has for itself, which things differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from activegraph.core.clock import TickingClock
from activegraph.core.event import Event
from activegraph.core.graph import Graph
from activegraph.errors import InvalidArgumentType
from activegraph.runtime.runtime import Runtime
from activegraph.store import fork_run
from support.runtimes import emit, new, recording
from support.stored_runs import record_prices


def run(*changes: Any, run_id: str = "run_1", start: str = "2026-01-01T00:00:00Z") -> Runtime:
    """A run of its own, with time that passes, and changes of its host."""
    graph = Graph(run_id=run_id, clock=TickingClock(start=start))
    runtime = Runtime(graph, [recording("b", [], ["a"])])
    for change in changes:
        change(graph)
    return runtime


def add(data: dict[str, Any]) -> Any:
    return lambda graph: graph.add_object("x", data)


def relate(target: str, data: dict[str, Any] | None = None) -> Any:
    return lambda graph: graph.add_relation("x#1", target, "r", data)


def test_when_where_and_how_long_make_no_difference() -> None:
    event = Event("evt_9", "done", {"latency_seconds": 1.5, "deep": [{"latency_seconds": 2}]})
    other = Event("evt_9", "done", {"latency_seconds": 9, "deep": [{"latency_seconds": 7}]})
    one = run(add({"n": 1}), lambda graph: graph.emit(event))
    two = run(add({"n": 1}), lambda graph: graph.emit(other), run_id="run_2", start="2030-01-01T00:00:00Z")
    two.run_until_idle()

    difference = one.diff(two)

    assert difference.is_identical
    assert (difference.parent_run_id, difference.fork_run_id) == ("run_1", "run_2")
    assert [event.id for event in difference.shared_events] == ["evt_001", "evt_9"]


def test_behind_the_first_difference_each_side_has_its_own() -> None:
    one = run(add({"n": 1}), add({"n": 2}), add({"n": 3}))
    two = run(add({"n": 1}), add({"n": 7}), add({"n": 3}))

    difference = one.diff(two)

    assert [event.id for event in difference.shared_events] == ["evt_001"]
    assert [event.id for event in difference.parent_only_events] == ["evt_002", "evt_003"]
    assert [event.id for event in difference.fork_only_events] == ["evt_002", "evt_003"]
    assert [d.id for d in difference.divergent_objects] == ["x#2"]
    assert difference.divergent_objects[0].in_parent == {"id": "x#2", "type": "x", "data": {"n": 2}, "version": 1}
    assert not difference.is_identical


def test_objects_and_relations_tell_how_they_differ_sorted_by_id() -> None:
    def patch(graph: Graph) -> None:
        graph.patch_object("x#1", {"n": 5})

    one = run(add({}), relate("x#1"), relate("gone"), patch, lambda graph: graph.remove_relation("rel_002"))
    two = run(add({}), relate("x#1", {"w": 1}), relate("gone"), add({}), add({}))

    difference = one.diff(two)

    assert [d.summary() for d in difference.divergent_objects] == [
        "x#1 differs (parent v2 ↔ fork v1)",
        "x#2 only in fork",
        "x#3 only in fork",
    ]
    assert [d.summary() for d in two.diff(one).divergent_objects][1:] == ["x#2 only in parent", "x#3 only in parent"]
    assert [d.summary() for d in difference.divergent_relations] == [
        "rel_001 differs",
        "rel_002 only in fork (x#1 --r--> gone)",
    ]
    assert two.diff(one).divergent_relations[1].summary() == "rel_002 only in parent (x#1 --r--> gone)"


def test_data_is_compared_whole_whatever_its_keys_are_called() -> None:
    one, two = run(add({"latency_seconds": 1})), run(add({"latency_seconds": 2}))

    difference = one.diff(two)

    assert difference.parent_only_events == []
    assert [d.id for d in difference.divergent_objects] == ["x#1"]
    assert not difference.is_identical


def test_the_order_of_keys_is_no_difference_of_an_object() -> None:
    one, two = run(add({"a": 1, "b": 2})), run(add({"b": 2, "a": 1}))

    assert one.diff(two).divergent_objects == []


def test_lifecycle_events_are_left_out_and_either_side_may_have_done_less() -> None:
    one = run(lambda graph: graph.emit(Event("evt_1", "a", {})))
    two = run(lambda graph: graph.emit(Event("evt_1", "a", {})))
    two.run_until_idle()

    assert one.diff(two).is_identical
    assert two.diff(one).is_identical


def test_a_diff_prints_as_one_line_of_counts(tmp_path: Path) -> None:
    url = record_prices(tmp_path / "run.db")
    short = fork_run(url, run_id="run_a", at_event="evt_008").new_run_id
    with Runtime.load(url, "run_a", behaviors=[]) as left, Runtime.load(url, short, behaviors=[]) as right:
        text = str(left.diff(right))

    assert text == (
        f"diff run_a vs {short}: 5 events shared, 2 only in parent, 0 only in fork, 1 objects and 0 relations differ"
    )


def test_neither_run_is_changed_and_a_closed_one_can_be_compared(tmp_path: Path) -> None:
    parent = new([], persist_to=tmp_path / "run.db")
    with parent.graph.transaction():
        for _ in range(1200):
            emit(parent, "a")
    fork = parent.fork("evt_1200")
    emit(fork, "b")
    parent.close()

    difference = parent.diff(fork)

    assert len(difference.shared_events) == 1200
    assert [event.type for event in difference.fork_only_events] == ["b"]
    assert len(parent.graph.events) == 1200


@pytest.mark.parametrize("other", ["run_1", None, Graph()])
def test_a_run_is_compared_with_a_runtime_only(other: Any) -> None:
    with pytest.raises(InvalidArgumentType, match=f"another runtime, not with {type(other).__name__}"):
        run().diff(other)
