"""The decorators for packs make what the global ones make, and register nothing."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import activegraph
import pytest
from activegraph import Behavior, LLMBehavior, RelationBehavior, Tool, get_registry, get_tool_registry, packs
from activegraph.errors import InvalidActivateAfter, InvalidRuntimeConfiguration, UnsupportedPatternError
from pydantic import BaseModel


class Causes(BaseModel):
    causes: list[str]


def on_event(event: Any, graph: Any, ctx: Any) -> None: ...


def on_relation(relation: Any, event: Any, graph: Any, ctx: Any) -> None: ...


def on_answer(event: Any, graph: Any, ctx: Any, llm_output: Any) -> None: ...


def called(args: Any, ctx: Any) -> None: ...


@pytest.mark.parametrize(
    ("decorator", "function", "kind"),
    [
        (packs.behavior(), on_event, Behavior),
        (packs.relation_behavior("r"), on_relation, RelationBehavior),
        (packs.llm_behavior(), on_answer, LLMBehavior),
        (packs.tool(), called, Tool),
    ],
)
def test_declaring_for_a_pack_registers_nowhere(decorator: Callable[..., Any], function: Any, kind: type) -> None:
    made = decorator(function)

    assert type(made) is kind
    assert made.name == function.__name__
    assert get_registry() == []
    assert made not in get_tool_registry()


@pytest.mark.parametrize("name", ["behavior", "relation_behavior", "llm_behavior", "tool"])
def test_a_decorator_takes_what_its_global_twin_takes_and_what_only_packs_know(name: str) -> None:
    twin = inspect.signature(getattr(activegraph, name)).parameters
    ours = inspect.signature(getattr(packs, name)).parameters
    further = {"tool": ["export_globally"]}.get(name, ["when"])

    assert list(ours) == [*twin, *further]
    assert all(ours[each].default == twin[each].default for each in twin)
    assert all(ours[each].kind == twin[each].kind for each in twin)


@pytest.mark.parametrize(
    ("made", "meta"),
    [
        (
            packs.behavior(on=["task.done"], where={"a": 1})(lambda event, graph, ctx: None),
            {"kind": "behavior", "name": "<lambda>", "on": ["task.done"], "where": {"a": 1}},
        ),
        (
            packs.llm_behavior(name="ask", on=["x"], output_schema=Causes)(lambda e, g, c, o: None),
            {"kind": "llm_behavior", "name": "ask", "on": ["x"], "where": None, "output_schema": "Causes"},
        ),
        (
            packs.relation_behavior("blocks", name="follow")(lambda r, e, g, c: None),
            {"kind": "relation_behavior", "name": "follow", "relation_type": "blocks"},
        ),
        (
            packs.tool(name="look", deterministic=True, export_globally=True)(lambda a, c: None),
            {"kind": "tool", "name": "look", "deterministic": True, "export_globally": True},
        ),
    ],
    ids=["behavior", "llm_behavior", "relation_behavior", "tool"],
)
def test_a_function_says_what_it_was_declared_as(made: Any, meta: dict[str, Any]) -> None:
    function = getattr(made, "handler", None) or made.fn

    assert function.__pack_meta__ == meta


def test_an_llm_behavior_of_a_pack_names_no_model_by_itself() -> None:
    assert packs.llm_behavior()(on_answer).model is None


@pytest.mark.parametrize(
    ("declare", "error"),
    [
        (lambda: packs.behavior(where={"a": {"~": 1}})(on_event), InvalidRuntimeConfiguration),
        (lambda: packs.behavior(view={"round": 1})(on_event), InvalidRuntimeConfiguration),
        (lambda: packs.behavior(pattern="(a) OR (b)")(on_event), UnsupportedPatternError),
        (lambda: packs.relation_behavior("r", activate_after="soon")(on_relation), InvalidActivateAfter),
        (lambda: packs.llm_behavior(output_schema=dict)(on_answer), TypeError),
        (lambda: packs.tool(input_schema=dict)(called), TypeError),
        (lambda: packs.behavior()(called), TypeError),
        (lambda: packs.relation_behavior("r")(on_event), TypeError),
        (lambda: packs.llm_behavior()(on_event), TypeError),
        (lambda: packs.tool()(lambda args: None), TypeError),
        (lambda: packs.behavior(on_event), TypeError),  # type: ignore[arg-type]
        (lambda: packs.relation_behavior(on_relation), TypeError),  # type: ignore[arg-type]
        (lambda: packs.tool(called), TypeError),
        (lambda: packs.behavior(when=True)(on_event), TypeError),  # type: ignore[arg-type]
    ],
)
def test_the_checks_of_the_global_decorators_are_done_too(declare: Callable[[], Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        declare()


def test_a_parameter_for_the_settings_may_stand_without_a_default() -> None:
    def with_settings(event: Any, graph: Any, ctx: Any, *, settings: Causes) -> None: ...

    assert packs.behavior()(with_settings).fn is with_settings


def test_a_callable_that_takes_no_attributes_is_refused() -> None:
    class Bound:
        def method(self, event: Any, graph: Any, ctx: Any) -> None: ...

    with pytest.raises(TypeError, match="declare a plain function"):
        packs.behavior()(Bound().method)
