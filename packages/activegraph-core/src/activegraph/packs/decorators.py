"""The decorators for packs: what the global ones declare, registered nowhere.

They take the same arguments and do the same checks. `when=` decides at `load_pack`, by the
settings, whether a behavior takes part.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from activegraph.behaviors.base import Behavior, RelationBehavior
from activegraph.behaviors.decorators import declared_behavior, declared_relation_behavior
from activegraph.llm.behavior import LLMBehavior
from activegraph.llm.decorators import declare_llm_behavior
from activegraph.packs.declaring import When, declared
from activegraph.tools.base import Tool
from activegraph.tools.decorators import declared_tool

__all__ = ["behavior", "llm_behavior", "relation_behavior", "tool"]


def behavior(
    name: str | None = None,
    on: Iterable[str] | str | None = None,
    where: Mapping[str, Any] | None = None,
    view: Mapping[str, Any] | None = None,
    creates: Iterable[str] | None = None,
    budget: Any = None,
    priority: int = 0,
    *,
    pattern: str | None = None,
    activate_after: int | str | None = None,
    when: When | None = None,
) -> Callable[[Callable[..., Any]], Behavior]:
    """Declare `fn(event, graph, ctx)` as a behavior of a pack.

    A further parameter that is annotated with the pack's settings class gets the settings.

    Args:
        when: Called with the effective settings when the pack is loaded; a false answer leaves the
            behavior out. The other arguments are those of `activegraph.behavior`, and so are the errors.
    """
    declare = declared_behavior(
        name=name,
        on=on,
        where=where,
        view=view,
        creates=creates,
        budget=budget,
        priority=priority,
        pattern=pattern,
        activate_after=activate_after,
    )

    def decorate(fn: Callable[..., Any]) -> Behavior:
        made = declare(fn)
        return declared(made, {"kind": "behavior", "name": made.name, "on": made.on, "where": made.where}, when)

    return decorate


def llm_behavior(
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
    when: When | None = None,
) -> Callable[[Callable[..., Any]], LLMBehavior]:
    """Declare `fn(event, graph, ctx, llm_output)` as the handler of an LLM behavior of a pack.

    The pack's prompt of the same name, if there is one, is appended to `description`. Without a
    `model`, the setting `llm_model` names it, if the pack has that setting.

    Args:
        when: As for `behavior`; one that is left out needs no provider and no tools. The other
            arguments are those of `activegraph.llm_behavior`.
    """
    declare = declare_llm_behavior(
        name=name,
        on=on,
        where=where,
        description=description,
        model=model,
        output_schema=output_schema,
        view=view,
        creates=creates,
        budget=budget,
        deterministic=deterministic,
        max_tokens=max_tokens,
        temperature=temperature,
        top_p=top_p,
        timeout_seconds=timeout_seconds,
        prompt_template=prompt_template,
        priority=priority,
        pattern=pattern,
        activate_after=activate_after,
        tools=tools,
        max_tool_turns=max_tool_turns,
    )

    def decorate(fn: Callable[..., Any]) -> LLMBehavior:
        made = declare(fn)
        schema = None if made.output_schema is None else made.output_schema.__name__
        meta = {
            "kind": "llm_behavior",
            "name": made.name,
            "on": made.on,
            "where": made.where,
            "output_schema": schema,
        }
        return declared(made, meta, when)

    return decorate


def relation_behavior(
    relation_type: str,
    on: Iterable[str] | str | None = None,
    name: str | None = None,
    where: Mapping[str, Any] | None = None,
    view: Mapping[str, Any] | None = None,
    creates: Iterable[str] | None = None,
    budget: Any = None,
    priority: int = 0,
    *,
    pattern: str | None = None,
    activate_after: int | str | None = None,
    when: When | None = None,
) -> Callable[[Callable[..., Any]], RelationBehavior]:
    """Declare `fn(relation, event, graph, ctx)` as a relation behavior of a pack.

    Args:
        when: As for `behavior`. The other arguments are those of `activegraph.relation_behavior`.
    """
    declare = declared_relation_behavior(
        relation_type,
        on=on,
        name=name,
        where=where,
        view=view,
        creates=creates,
        budget=budget,
        priority=priority,
        pattern=pattern,
        activate_after=activate_after,
    )

    def decorate(fn: Callable[..., Any]) -> RelationBehavior:
        made = declare(fn)
        meta = {"kind": "relation_behavior", "name": made.name, "relation_type": made.relation_type}
        return declared(made, meta, when)

    return decorate


def tool(
    bare: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    description: str = "",
    input_schema: Any = None,
    output_schema: Any = None,
    cost_per_call: Decimal | str | float = Decimal(0),
    timeout_seconds: float = 30.0,
    deterministic: bool = False,
    retry_safe: bool = True,
    export_globally: bool = False,
) -> Callable[[Callable[..., Any]], Tool]:
    """Declare `fn(args, ctx)` as a tool of a pack.

    Args:
        export_globally: Let others of the runtime call it by its short name too. The other
            arguments are those of `activegraph.tool`.
    """
    if bare is not None:
        raise TypeError("@tool needs parentheses: write\n    @tool(description=...)\n    def look(args, ctx): ...")
    names = sys._getframe(1).f_locals

    def decorate(fn: Callable[..., Any]) -> Tool:
        made = declared_tool(
            fn,
            names,
            name=name,
            description=description,
            input_schema=input_schema,
            output_schema=output_schema,
            cost_per_call=cost_per_call,
            timeout_seconds=timeout_seconds,
            deterministic=deterministic,
            retry_safe=retry_safe,
        )
        meta = {
            "kind": "tool",
            "name": made.name,
            "deterministic": made.deterministic,
            "export_globally": export_globally,
        }
        return declared(made, meta)

    return decorate
