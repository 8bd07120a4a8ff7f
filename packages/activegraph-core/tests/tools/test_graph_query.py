"""The tool by which a model looks at the graph."""

from __future__ import annotations

from typing import Any

import pytest
from activegraph.core.graph import Graph
from activegraph.errors import ToolError
from activegraph.tools import ToolContext, make_graph_query_tool
from activegraph.tools.checking import checked_output, prepare_call
from activegraph.tools.invoker import DirectToolInvoker


def ask(graph: Graph, args: dict[str, Any]) -> Any:
    tool = make_graph_query_tool(graph)
    call = prepare_call(tool, args)
    if call.refusal is not None:
        raise call.refusal
    return checked_output(tool, DirectToolInvoker().invoke(tool, call.args, ToolContext("plan", "evt_001")))


def graph_of(*scores: float) -> Graph:
    graph = Graph(run_id="run_a")
    with graph.transaction():
        for score in scores:
            graph.add_object("claim", {"score": score})
    return graph


def test_it_is_free_deterministic_and_registered_nowhere() -> None:
    from activegraph.tools import get_tool_registry

    tool = make_graph_query_tool(graph_of())

    assert (tool.name, tool.cost_per_call, tool.timeout_seconds, tool.deterministic) == ("graph_query", 0, 1.0, True)
    assert tool not in get_tool_registry()


def test_it_finds_objects_of_a_type_that_meet_a_condition_in_the_graphs_order() -> None:
    graph = graph_of(0.9, 0.1, 0.8)
    graph.add_object("task", {"score": 1.0})

    assert ask(graph, {"object_type": "claim", "where": {"score": {">": 0.5}}}) == {
        "refs": [
            {"id": "claim#1", "type": "claim", "data": {"score": 0.9}},
            {"id": "claim#3", "type": "claim", "data": {"score": 0.8}},
        ],
        "truncated": False,
    }


def test_it_says_when_there_are_more() -> None:
    graph = graph_of(*range(51))

    answer = ask(graph, {"object_type": "claim"})
    assert (len(answer["refs"]), answer["truncated"]) == (50, True)
    answer = ask(graph, {"object_type": "claim", "limit": 51})
    assert (len(answer["refs"]), answer["truncated"]) == (51, False)


def test_it_sees_the_graph_as_it_is_when_called() -> None:
    graph = graph_of()
    before = ask(graph, {"object_type": "claim"})
    graph.add_object("claim", {})

    assert (len(before["refs"]), len(ask(graph, {"object_type": "claim"})["refs"])) == (0, 1)


@pytest.mark.parametrize(
    "args",
    [
        {},
        {"object_type": "claim", "limit": 0},
        {"object_type": "claim", "limit": 501},
        {"object_type": "claim", "where": {"score": {"~": 1}}},
    ],
)
def test_a_question_that_makes_no_sense_is_invalid_input(args: dict[str, Any]) -> None:
    with pytest.raises(ToolError) as refusal:
        ask(graph_of(1), args)

    assert refusal.value.reason == "tool.invalid_input"


def test_data_that_json_cannot_carry_is_shown_as_the_log_has_it() -> None:
    graph = Graph()
    graph.add_object("blob", {"bytes": b"\xff", "big": 2**70, "odd": "\ud800", "many": {"a": [1, None]}})

    [ref] = ask(graph, {"object_type": "blob"})["refs"]
    assert ref["data"] == {
        "bytes": {"$ag.bytes": "/w=="},
        "big": {"$ag.int": str(2**70)},
        "odd": {"$ag.str": "7aCA"},
        "many": {"a": [1, None]},
    }
