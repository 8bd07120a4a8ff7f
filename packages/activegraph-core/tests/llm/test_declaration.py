"""Declaring LLM behaviors: the decorator, the plain object, and what is refused."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from activegraph import Behavior, LLMBehavior, Tool, get_registry, llm_behavior
from activegraph.errors import (
    InvalidArgumentType,
    InvalidRuntimeConfiguration,
    InvalidToolRegistration,
    UnsupportedPatternError,
)
from activegraph.llm.decorators import declare_llm_behavior
from pydantic import BaseModel


class Out(BaseModel):
    text: str


class NotAModel:
    pass


def suggest(event: Any, graph: Any, ctx: Any, out: Any) -> None: ...


def test_a_decorated_handler_becomes_a_registered_llm_behavior() -> None:
    declared = llm_behavior(on=["object.created"], output_schema=Out, description="Suggest.")(suggest)

    assert type(declared) is LLMBehavior
    assert isinstance(declared, Behavior)
    assert get_registry() == [declared]
    assert (declared.name, declared.handler, declared.on) == ("suggest", suggest, ["object.created"])
    assert (declared.output_schema, declared.description) == (Out, "Suggest.")


def test_what_is_not_given_has_its_documented_default() -> None:
    declared = llm_behavior()(suggest)

    told = {field.name: getattr(declared, field.name) for field in fields(declared)}
    assert callable(told.pop("fn"))
    assert told == {
        "name": "suggest",
        "on": [],
        "where": None,
        "view_spec": None,
        "creates": [],
        "budget": None,
        "priority": 0,
        "pattern": None,
        "pattern_matcher": None,
        "activate_after": None,
        "handler": suggest,
        "description": "",
        "model": None,
        "output_schema": None,
        "deterministic": False,
        "max_tokens": 4096,
        "temperature": 0.7,
        "top_p": 1.0,
        "timeout_seconds": 60.0,
        "prompt_template": None,
        "tools": [],
        "max_tool_turns": 6,
    }


def test_every_argument_arrives_in_its_field() -> None:
    given: dict[str, Any] = {
        "name": "named",
        "on": ["a"],
        "where": {"x": 1},
        "creates": ["task"],
        "budget": {"max_llm_calls": 2},
        "priority": 3,
        "pattern": "(a:task)",
        "activate_after": "2 events",
        "description": "Role.",
        "model": "claude-x",
        "output_schema": Out,
        "deterministic": True,
        "max_tokens": 10,
        "temperature": 0.1,
        "top_p": 0.5,
        "timeout_seconds": 3.0,
        "prompt_template": "{view}",
        "tools": ["look"],
        "max_tool_turns": 2,
    }
    declared = llm_behavior(**given, view={"depth": 2})(suggest)

    assert declared.view_spec == {"depth": 2}
    assert {name: getattr(declared, name) for name in given} == {**given, "activate_after": 2}
    assert declared.pattern_matcher is not None


def test_a_declaration_without_registration_is_the_same_declaration() -> None:
    declared = declare_llm_behavior(name="quiet")(suggest)

    assert type(declared) is LLMBehavior
    assert get_registry() == []


def test_lists_are_the_behaviors_own() -> None:
    tools: list[Any] = ["look"]
    declared = llm_behavior(tools=tools)(suggest)
    tools.append("other")

    assert declared.tools == ["look"]


def test_a_tool_is_given_as_itself_or_by_its_name() -> None:
    look = Tool("look", lambda args, ctx: None)

    assert llm_behavior(tools=[look, "other"])(suggest).tools == [look, "other"]
    assert llm_behavior(tools="other")(suggest).tools == ["other"]
    with pytest.raises(InvalidToolRegistration):
        llm_behavior(tools=[suggest])(suggest)


def test_a_plain_object_needs_no_decorator() -> None:
    made = LLMBehavior("made", handler=suggest, output_schema=Out)

    assert (made.name, made.handler) == ("made", suggest)
    assert get_registry() == []


def test_it_is_not_called_like_a_function() -> None:
    declared = llm_behavior()(suggest)

    with pytest.raises(RuntimeError, match="handler"):
        declared.run(None, None, None)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="handler"):
        declared.fn(None, None, None)  # type: ignore[misc]


def test_a_handler_takes_four_arguments() -> None:
    with pytest.raises(TypeError) as refusal:
        llm_behavior()(lambda event, graph, ctx: None)

    assert "def <lambda>(event, graph, ctx, llm_output): ..." in str(refusal.value)
    assert get_registry() == []


def test_parentheses_left_out_are_shown() -> None:
    with pytest.raises(TypeError, match=r"@llm_behavior\(on=\[...\]\)\n +def suggest\("):
        llm_behavior(suggest)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("schema", "passed"),
    [
        ({"type": "object"}, "not dict"),
        ("Out", "not str"),
        (Out(text="x"), "not Out"),
        (NotAModel, "not NotAModel (a class, but not a BaseModel subclass)"),
        (dict, "not dict (a class, but not a BaseModel subclass)"),
        (list[Out], "not GenericAlias"),
    ],
)
def test_a_schema_that_is_no_model_class_is_refused_with_the_right_form(schema: Any, passed: str) -> None:
    with pytest.raises(TypeError) as refusal:
        llm_behavior(output_schema=schema)

    lines = str(refusal.value).splitlines()
    assert lines[0].endswith(f"{passed}. Write")
    shown = [line.strip() for line in lines]
    assert "from pydantic import BaseModel" in shown
    assert "class MyOutput(BaseModel):" in shown
    assert "@llm_behavior(output_schema=MyOutput)" in shown
    with pytest.raises(TypeError):
        LLMBehavior("made", handler=suggest, output_schema=schema)


@pytest.mark.parametrize("template", ["{view}\n{event}", "{{literal}} {instruction!s:>10}", "no placeholder", ""])
def test_a_template_of_the_four_placeholders_is_taken(template: str) -> None:
    assert llm_behavior(prompt_template=template)(suggest).prompt_template == template


@pytest.mark.parametrize("template", ["{goal}", "{}", "{0}", "{view.events}", "{view[0]}", "{view:{width}}"])
def test_another_placeholder_is_refused_where_it_is_declared(template: str) -> None:
    with pytest.raises(ValueError, match="unknown placeholder") as refusal:
        llm_behavior(prompt_template=template)

    assert "{system}, {view}, {event}, {instruction}" in str(refusal.value)


@pytest.mark.parametrize("template", ["{view", "view}"])
def test_braces_that_do_not_pair_are_refused(template: str) -> None:
    with pytest.raises(ValueError, match="braces"):
        llm_behavior(prompt_template=template)


@pytest.mark.parametrize(
    "option",
    [
        {"max_tokens": 0},
        {"max_tokens": 1.5},
        {"max_tokens": True},
        {"max_tool_turns": 0},
        {"temperature": "hot"},
        {"temperature": float("nan")},
        {"top_p": -1},
        {"timeout_seconds": float("inf")},
    ],
)
def test_numbers_that_make_no_sense_are_refused_by_name(option: dict[str, Any]) -> None:
    (name,) = option

    with pytest.raises(InvalidRuntimeConfiguration, match=f"`{name}`") as refusal:
        llm_behavior(**option)(suggest)

    assert refusal.value.context == {"behavior": "suggest", "argument": name}


def test_a_handler_that_a_call_does_not_run_is_refused_before_a_model_is_asked() -> None:
    async def later(event: Any, graph: Any, ctx: Any, out: Any) -> None: ...

    with pytest.raises(InvalidArgumentType, match="`handler` of behavior 'made' would not run"):
        LLMBehavior("made", handler=later)
    with pytest.raises(TypeError, match="`handler` of behavior 'later' would not run"):
        llm_behavior()(later)


def test_a_behavior_without_a_handler_is_refused() -> None:
    with pytest.raises(InvalidArgumentType, match="no handler"):
        LLMBehavior("made")


def test_conditions_patterns_and_delays_are_checked_as_for_any_behavior() -> None:
    with pytest.raises(UnsupportedPatternError):
        llm_behavior(pattern="(a")(suggest)
    with pytest.raises(InvalidRuntimeConfiguration):
        llm_behavior(view={"radius": 1})(suggest)


def test_the_names_are_found_beside_the_other_kinds_of_behavior() -> None:
    from activegraph.behaviors import base, decorators

    assert base.LLMBehavior is LLMBehavior
    assert decorators.llm_behavior is llm_behavior
