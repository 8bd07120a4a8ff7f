"""Whatever kind of value is given for an argument: it is taken, or refused by an error that names the argument."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from activegraph.behaviors.base import Behavior, RelationBehavior
from activegraph.behaviors.decorators import behavior, clear_registry, register, relation_behavior
from activegraph.core.event import Event
from activegraph.core.graph import Graph
from activegraph.errors import ActiveGraphError, ApprovalNotFoundError, InvalidArgumentType, InvalidToolRegistration
from activegraph.frame import Frame
from activegraph.llm.behavior import LLMBehavior
from activegraph.llm.decorators import llm_behavior
from activegraph.policy import Policy
from activegraph.runtime.budget import Budget
from activegraph.runtime.runtime import Runtime
from activegraph.tools.base import Tool
from activegraph.tools.decorators import tool
from activegraph.tools.registry import clear_tool_registry, register_tool


class Odd:
    """Of no kind that anything takes."""


WRONG = (5, -1.5, True, "text", b"bytes", ["a", 3], {"a": 1}, {1, 2}, (1,), Odd(), Odd, float("nan"))

BY_DESIGN = "prompt_template", "output_schema", "input_schema", "name", "relation_type"
"""Arguments for which a plain `TypeError` is promised: schemas, templates, and a decorator without parentheses."""


@pytest.fixture(autouse=True)
def _own_registries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    behaviors, tools = clear_registry(), clear_tool_registry()
    monkeypatch.chdir(tmp_path)  # a text may be the path of a store
    yield
    clear_registry()
    clear_tool_registry()
    for declared in behaviors:
        register(declared)
    for one in tools:
        register_tool(one)


def react(event: Any, graph: Any, ctx: Any, *more: Any) -> None:
    pass


def look_up(args: Any, ctx: Any) -> dict[str, Any]:
    return {}


def run(graph: Graph, **arguments: Any) -> Runtime:
    runtime = Runtime(graph, **arguments)
    runtime.run_goal("any")
    return runtime


def on_a_graph(behavior: Behavior | RelationBehavior) -> None:
    graph = Graph()
    runtime = Runtime(graph, behaviors=[behavior])
    one, other = graph.add_object("task", {}), graph.add_object("task", {})
    graph.add_relation(one.id, other.id, "blocks")
    runtime.run_goal(one.id)


def asked(declared: LLMBehavior, frame: Frame | None = None) -> None:
    declared.build_prompt(Event("evt_001", "goal.created", {"goal": "any"}), Graph(), frame=frame)


def change(method: str, **usual: Any) -> Callable[..., Any]:
    def call(**arguments: Any) -> Any:
        graph = Graph()
        graph.add_object("task", {})
        graph.propose_patch("task#1", "update", {}, proposed_by="me")
        found = getattr(graph, method)(**{**usual, **arguments})
        run(graph)
        return found

    return call


def ask(method: str, **usual: Any) -> Callable[..., Any]:
    return lambda **arguments: getattr(run(Graph(), behaviors=[]), method)(**{**usual, **arguments})


def forked(at_event: Any = "evt_001", **arguments: Any) -> None:
    parent = run(Graph(), behaviors=[], persist_to="parent.db")
    try:
        parent.fork(at_event, **arguments).run_goal("more")
    finally:
        parent.close()
        Path("parent.db").unlink()


USES: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "Runtime": (Runtime, lambda graph=None, **given: run(graph or Graph(), **{"behaviors": [], **given})),
    "fork": (lambda at_event, label, tools, tool_invoker, pack_settings: None, forked),
    "behavior": (behavior, lambda **given: on_a_graph(behavior(**given)(react))),
    "relation_behavior": (
        relation_behavior,
        lambda **given: on_a_graph(relation_behavior(**{"relation_type": "blocks", **given})(react)),
    ),
    "llm_behavior": (llm_behavior, lambda **given: asked(llm_behavior(**given)(react))),
    "Behavior": (Behavior, lambda **given: on_a_graph(Behavior(**{"name": "b", "fn": react, **given}))),
    "RelationBehavior": (
        RelationBehavior,
        lambda **given: on_a_graph(RelationBehavior(**{"name": "b", "fn": react, "relation_type": "blocks", **given})),
    ),
    "LLMBehavior": (LLMBehavior, lambda **given: asked(LLMBehavior(**{"name": "b", "handler": react, **given}))),
    "tool": (tool, lambda **given: run(Graph(), tools=[tool(**given)(look_up)])),
    "Tool": (Tool, lambda **given: run(Graph(), tools=[Tool(**{"name": "t", "fn": look_up, **given})])),
    "Frame": (Frame, lambda **given: asked(llm_behavior()(react), Frame(**{"goal": "any", **given}))),
    "Policy": (Policy, lambda **given: run(Graph(), policy=Policy(**given))),
    "Budget": (Budget, lambda **given: run(Graph(), budget=Budget(**given))),
    "Graph": (Graph, lambda **given: run(Graph(**given))),
    "add_object": (Graph.add_object, change("add_object", type="task", data={})),
    "add_relation": (Graph.add_relation, change("add_relation", source="a", target="b", type="blocks")),
    "remove_object": (Graph.remove_object, change("remove_object", object_id="task#1")),
    "remove_relation": (Graph.remove_relation, change("remove_relation", relation_id="rel_001")),
    "patch_object": (Graph.patch_object, change("patch_object", target="task#1", updates={})),
    "propose_patch": (
        Graph.propose_patch,
        change("propose_patch", target="task#1", op="update", value={}, proposed_by="me"),
    ),
    "apply_patch": (Graph.apply_patch, change("apply_patch", patch_id="patch_001")),
    "reject_patch": (Graph.reject_patch, change("reject_patch", patch_id="patch_001", reason="no")),
    "emit": (Graph.emit, change("emit")),
    "attach_store": (Graph.attach_store, change("attach_store")),
    "objects": (Graph.objects, change("objects")),
    "query": (Graph.query, change("query")),
    "relations": (Graph.relations, change("relations")),
    "get_relations": (Graph.get_relations, change("get_relations")),
    "neighborhood": (Graph.neighborhood, change("neighborhood", object_id="task#1")),
    "has_object_of_type": (Graph.has_object_of_type, change("has_object_of_type")),
    "get_object": (Graph.get_object, change("get_object")),
    "get_relation": (Graph.get_relation, change("get_relation")),
    "get_patch": (Graph.get_patch, change("get_patch")),
    "run_goal": (Runtime.run_goal, ask("run_goal", goal="more")),
    "run_until": (Runtime.run_until, ask("run_until")),
    "status": (Runtime.status, ask("status")),
    "approve": (Runtime.approve, ask("approve", approval_id="approval_001")),
    "deny": (Runtime.deny, ask("deny", approval_id="approval_001")),
    "get_behavior": (Runtime.get_behavior, ask("get_behavior")),
    "get_tool": (Runtime.get_tool, ask("get_tool")),
    "diff": (Runtime.diff, ask("diff")),
}


def arguments() -> Iterator[tuple[str, str]]:
    for use, (signature, _) in USES.items():
        for name in inspect.signature(signature).parameters:
            if name not in ("self", "bare"):
                yield use, name


def refusal(use: str, argument: str, value: object) -> Exception | None:
    try:
        USES[use][1](**{argument: value})
    except Exception as error:  # whatever comes is what the tests are about
        return error
    return None


def helps(error: Exception | None, argument: str) -> bool:
    """Whether there is no error, or one of ours that says what to do, or a builtin one that is promised."""
    if isinstance(error, ActiveGraphError):
        return error.is_structured()
    if isinstance(error, KeyError):
        return argument in ("target", "patch_id") and "unknown" in str(error)
    return error is None or (isinstance(error, TypeError) and argument in BY_DESIGN)


@pytest.mark.parametrize(("use", "argument"), list(arguments()))
def test_a_value_of_any_kind_is_taken_or_refused_by_an_error_that_helps(use: str, argument: str) -> None:
    refusals = [(value, refusal(use, argument, value)) for value in WRONG]

    assert [(value, error) for value, error in refusals if not helps(error, argument)] == []


def test_one_tool_means_the_list_of_it() -> None:
    one = tool(name="look_up")(look_up)

    assert run(Graph(), behaviors=[], tools=one).get_tool("look_up") is one
    assert llm_behavior(name="asks", tools=one)(react).tools == [one]


@pytest.mark.parametrize("tools", [5, "look_up", look_up])
def test_what_is_no_list_of_tools_is_shown_whole(tools: Any) -> None:
    with pytest.raises(InvalidToolRegistration) as refused:
        Runtime(Graph(), tools=tools)

    assert refused.value.value is tools
    assert "tools=[...]" in refused.value.how_to_fix


def test_a_url_is_no_store_and_leaves_the_graph_without_one() -> None:
    graph = Graph()

    with pytest.raises(InvalidArgumentType, match="not str") as refused:
        Runtime(graph, store="sqlite:///run.db")  # type: ignore[arg-type]

    assert "persist_to" in refused.value.how_to_fix
    assert graph.store is None


@pytest.mark.parametrize("argument", ["llm_cache", "tool_cache", "tool_invoker"])
def test_what_could_not_answer_in_the_middle_of_a_run_is_refused_before_it(argument: str) -> None:
    with pytest.raises(InvalidArgumentType, match=argument):
        Runtime(Graph(), **{argument: Odd()})


def test_a_bare_text_is_no_list_of_constraints() -> None:
    with pytest.raises(InvalidArgumentType) as refused:
        Frame("any", constraints="be brief")  # type: ignore[arg-type]

    assert refused.value.how_to_fix == "constraints=['be brief']"


def test_a_bare_id_is_no_list_of_calls_and_nothing_is_changed() -> None:
    graph = Graph()

    with pytest.raises(InvalidArgumentType, match="tool_request_event_ids"):
        graph.add_object("task", {}, tool_request_event_ids="evt_001")

    assert len(graph.events) == 0
    assert graph.add_object("task", {}).id == "task#1"


def test_an_approval_that_nothing_could_be_called_is_unknown() -> None:
    with pytest.raises(ApprovalNotFoundError):
        Runtime(Graph(), behaviors=[]).approve(["approval_001"])  # type: ignore[arg-type]


@pytest.mark.parametrize("path", [True, 1, 7.5, None])
def test_an_export_goes_to_a_path_and_never_to_an_open_file_by_its_number(path: Any) -> None:
    runtime = run(Graph(), behaviors=[])

    for export in (runtime.export_trace, runtime.trace.export):
        with pytest.raises(InvalidArgumentType, match="path of a file"):
            export(path)
