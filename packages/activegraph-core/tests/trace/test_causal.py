"""Promises of causal chains: why an object exists, from the log."""

from __future__ import annotations

from typing import Any

from activegraph import Event, FrozenClock, Graph, Runtime, replay_into
from activegraph.behaviors.base import Behavior
from activegraph.trace.causal import causal_chain


def _chained() -> Runtime:
    def research(event: Any, graph: Any, ctx: Any) -> None:
        graph.add_object("claim", {"text": "dear"})

    def write(event: Any, graph: Any, ctx: Any) -> None:
        graph.add_object("memo", {"title": "Market memo"})

    behaviors = [
        Behavior("researcher", research, ["goal.created"]),
        Behavior("writer", write, ["object.created"], where={"object.type": "claim"}),
    ]
    runtime = Runtime(Graph(clock=FrozenClock()), behaviors)
    runtime.run_goal("prices")
    return runtime


def test_the_chain_leads_from_the_object_to_the_goal() -> None:
    assert _chained().trace.causal_chain("memo#2").split("\n") == [
        'memo#2 (memo) "Market memo"',
        "  ← writer (evt_006) object.created",
        "    ← researcher (evt_003) object.created",
        "      ← user (evt_001) goal.created",
    ]


def test_an_unknown_object_is_told() -> None:
    assert causal_chain(Graph(), "memo#9") == "(no such object: memo#9)"


def test_the_label_is_the_present_one() -> None:
    runtime = _chained()
    runtime.graph.patch_object("memo#2", {"title": "Final memo"})

    assert runtime.trace.causal_chain("memo#2").startswith('memo#2 (memo) "Final memo"\n')


def test_a_label_of_several_lines_stands_on_one() -> None:
    graph = Graph(clock=FrozenClock())
    graph.add_object("memo", {"title": "first\nsecond"})

    assert causal_chain(graph, "memo#1").split("\n") == [
        'memo#1 (memo) "first\\nsecond"',
        "  ← system (evt_001) object.created",
    ]


def test_a_removed_object_is_explained_from_the_log() -> None:
    runtime = _chained()
    runtime.graph.remove_object("memo#2")

    lines = runtime.trace.causal_chain("memo#2").split("\n")

    assert lines[0] == 'memo#2 (memo) "Market memo" (removed)'
    assert len(lines) == 4


def test_an_object_without_a_cause_has_a_chain_of_one() -> None:
    graph = Graph(clock=FrozenClock())
    graph.add_object("note", {})

    assert causal_chain(graph, "note#1") == "note#1 (note)\n  ← system (evt_001) object.created"


def _made_by_hand(*events: Event) -> Graph:
    graph = Graph(run_id="run_a")
    replay_into(graph, events)
    return graph


def _created(id: str, object_id: str, caused_by: str | None, **provenance: Any) -> Event:
    made = {"id": object_id, "type": "memo", "data": {}, "version": 1, "provenance": provenance}
    return Event(id, "object.created", {"object": made, "id": object_id}, None, None, caused_by)


def test_an_unknown_cause_ends_the_chain() -> None:
    graph = _made_by_hand(_created("evt_1", "memo#1", "evt_0"))

    assert causal_chain(graph, "memo#1") == "memo#1 (memo)\n  ← ? (evt_1) object.created"


def test_a_circle_of_causes_is_told() -> None:
    graph = _made_by_hand(_created("evt_1", "memo#1", "evt_2"), Event("evt_2", "x", {}, "a", None, "evt_1"))

    assert causal_chain(graph, "memo#1").split("\n")[1:] == [
        "  ← ? (evt_1) object.created",
        "    ← a (evt_2) x",
        "      ← (cycle at evt_1)",
    ]


def test_the_calls_that_fed_an_object_come_first() -> None:
    graph = _made_by_hand(
        Event("evt_1", "goal.created", {"goal": "g"}, "user"),
        Event("evt_2", "llm.requested", {"model": "m"}, "writer", None, "evt_1"),
        Event("evt_3", "llm.responded", {"cost_usd": "0.0012"}, "writer", None, "evt_2"),
        Event("evt_4", "tool.requested", {"tool": "disk"}, "writer", None, "evt_2"),
        Event("evt_5", "tool.responded", {"cache_hit": True}, "writer", None, "evt_4"),
        Event("evt_6", "tool.requested", {"tool": "net"}, "writer", None, "evt_2"),
        Event("evt_7", "tool.responded", {"error": {"reason": "tool.timeout"}}, "writer", None, "evt_6"),
        _created("evt_8", "memo#1", "evt_1", llm_request_event_id="evt_2", tool_request_event_ids=["evt_4", "evt_6"]),
    )

    assert causal_chain(graph, "memo#1").split("\n") == [
        "memo#1 (memo)",
        "  ← writer (evt_2) llm.requested  model=m",
        "  (evt_3) llm.responded cost=$0.001",
        "  ← writer (evt_4) tool.requested  tool=disk",
        "  (evt_5) tool.responded (cache_hit)",
        "  ← writer (evt_6) tool.requested  tool=net",
        "  (evt_7) tool.responded error=tool.timeout",
        "  ← ? (evt_8) object.created",
        "    ← user (evt_1) goal.created",
    ]
