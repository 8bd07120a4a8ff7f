"""The decorator that declares an LLM behavior."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any, ParamSpec

from activegraph.behaviors.models import checked_model_class
from activegraph.behaviors.registry import register
from activegraph.behaviors.signature import check_signature, name_of
from activegraph.llm.behavior import LLMBehavior
from activegraph.llm.template import checked_template
from activegraph.tools.base import Tool

__all__ = ["declare_llm_behavior", "llm_behavior"]

_Options = ParamSpec("_Options")
_Declaration = Callable[[Callable[..., Any]], LLMBehavior]


def declare_llm_behavior(
    *,
    name: str | None = None,
    on: Iterable[str] | str | None = None,
    where: Mapping[str, Any] | None = None,
    description: str = "",
    model: str | None = None,
    output_schema: type | None = None,
    view: Mapping[str, Any] | None = None,
    creates: Iterable[str] | None = None,
    budget: Any = None,
    deterministic: bool = False,
    max_tokens: int = 4096,
    temperature: float = 0.7,
    top_p: float = 1.0,
    timeout_seconds: float = 60.0,
    prompt_template: str | None = None,
    priority: int = 0,
    pattern: str | None = None,
    activate_after: int | str | None = None,
    tools: Iterable[Tool | str] | None = None,
    max_tool_turns: int = 6,
) -> _Declaration:
    """Declare `fn(event, graph, ctx, llm_output)` as the handler of an LLM behavior, which then has its name.

    Args:
        name: Default: the function's name.
        on, where, view, pattern, activate_after: When it runs and what it sees, as for `@behavior`.
        description: The role that the model is given.
        model: None for the provider's default.
        output_schema: Pydantic model class; the handler gets an instance of it, and the text without one.
        creates: Object types that it makes; the model is told.
        budget: Limits of each invocation: `max_llm_calls`, `max_tool_calls`, `max_cost_usd`, `max_seconds`.
        deterministic: Temperature 0 and top_p 1.
        max_tokens: Upper bound of the answer.
        timeout_seconds: How long the provider may take.
        prompt_template: Replaces the user message.
        tools: `Tool` objects or names of tools that the model may ask for.
        max_tool_turns: The most answers of the model in one invocation.

    Raises:
        TypeError: The schema is no pydantic model class, or the function cannot be called like that.
        ValueError: An unknown placeholder in the template.
        InvalidRuntimeConfiguration: An unknown `where` operator or view key, or a number that makes no sense.
        UnsupportedPatternError: The pattern is none of the language.
        InvalidActivateAfter: The delay is no whole number of events.
    """
    checked_model_class(output_schema, "@llm_behavior", "output_schema")
    if prompt_template is not None:
        checked_template(prompt_template)

    def declare(fn: Callable[..., Any]) -> LLMBehavior:
        check_signature(fn, "@llm_behavior", "event", "graph", "ctx", "llm_output")
        return LLMBehavior(
            name=name or name_of(fn),
            on=on,  # type: ignore[arg-type]  # what is given is checked and copied there
            where=where,  # type: ignore[arg-type]
            view_spec=view,  # type: ignore[arg-type]
            creates=creates,  # type: ignore[arg-type]
            budget=budget,
            priority=priority,
            pattern=pattern,
            activate_after=activate_after,  # type: ignore[arg-type]
            handler=fn,
            description=description,
            model=model,
            output_schema=output_schema,
            deterministic=deterministic,
            max_tokens=max_tokens,
            temperature=temperature,
            top_p=top_p,
            timeout_seconds=timeout_seconds,
            prompt_template=prompt_template,
            tools=tools,  # type: ignore[arg-type]
            max_tool_turns=max_tool_turns,
        )

    return declare


def _registering(factory: Callable[_Options, _Declaration]) -> Callable[_Options, _Declaration]:
    @wraps(factory)
    def decorator(*args: _Options.args, **options: _Options.kwargs) -> _Declaration:
        if args:
            what = name_of(args[0]) if callable(args[0]) else "handler"
            raise TypeError(
                "@llm_behavior takes keyword arguments, and needs its parentheses: write\n"
                "    @llm_behavior(on=[...])\n"
                f"    def {what}(event, graph, ctx, llm_output): ..."
            )
        declare = factory(*args, **options)
        return lambda fn: register(declare(fn))

    return decorator


llm_behavior = _registering(declare_llm_behavior)
llm_behavior.__name__ = llm_behavior.__qualname__ = "llm_behavior"
