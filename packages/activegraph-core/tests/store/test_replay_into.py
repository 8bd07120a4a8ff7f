"""`replay_into`: a log becomes the beginning of a graph, and nobody hears of it."""

from __future__ import annotations

import pytest
from activegraph import Graph, IncompatibleRuntimeState, Runtime
from activegraph.errors import DuplicateEventError, LogInconsistencyError
from activegraph.store import InMemoryEventStore, replay_into
from support.logs import event, events


def recorded() -> InMemoryEventStore:
    store = InMemoryEventStore("run_a")
    graph = Graph(run_id="run_a")
    graph.attach_store(store)
    task = graph.add_object("task", {"title": "write", "raw": b"\x00"})
    graph.add_relation(task.id, task.id, "blocks")
    graph.patch_object(task.id, {"title": "send"})
    graph.propose_patch(task.id, "update", {"done": True}, proposed_by="host")
    return store


def test_the_graph_is_what_the_log_says_and_no_listener_hears_of_it() -> None:
    store, graph, heard = recorded(), Graph(), []
    graph.add_listener(heard.append)

    assert replay_into(graph, store.iter_events()) == 4

    assert heard == []
    assert [o.data for o in graph.objects()] == [{"title": "send", "raw": b"\x00"}]
    assert [r.type for r in graph.relations()] == ["blocks"]
    assert list(graph.events) == list(store.iter_events())
    assert graph.replayed_ids == {e.id for e in store.iter_events()}


def test_ids_go_on_behind_the_replayed_ones() -> None:
    graph = Graph()
    replay_into(graph, recorded().iter_events())
    assert (graph.ids.event(), graph.ids.object("task")) == ("evt_005", "task#2")
    assert (graph.ids.relation(), graph.ids.patch()) == ("rel_002", "patch_003")


def test_a_log_may_come_in_pieces() -> None:
    graph, found = Graph(), list(recorded().iter_events())
    assert replay_into(graph, found[:1]) == 1
    assert replay_into(graph, iter(found[1:])) == 3
    assert replay_into(graph, []) == 0
    assert list(graph.events) == found


def test_a_graph_in_use_takes_no_other_log() -> None:
    own = Graph()
    own.add_object("task", {})
    stored = Graph(run_id="run_b")
    stored.attach_store(InMemoryEventStore("run_b"))
    running = Graph()
    Runtime(running)
    for graph in (own, stored, running):
        with pytest.raises(IncompatibleRuntimeState):
            replay_into(graph, events(1, 2))
    assert len(own.events) == 1


def test_what_cannot_be_replayed_leaves_what_came_before() -> None:
    graph = Graph()
    with pytest.raises(LogInconsistencyError) as refusal:
        replay_into(
            graph, [event("evt_001"), event("evt_002", "object.created", payload={"id": "x"}), event("evt_003")]
        )
    assert (refusal.value.context["reason"], refusal.value.context["event_id"]) == ("projection", "evt_002")
    with pytest.raises(DuplicateEventError):
        replay_into(graph, [event("evt_002"), event("evt_001")])
    assert [e.id for e in graph.events] == ["evt_001", "evt_002"]
