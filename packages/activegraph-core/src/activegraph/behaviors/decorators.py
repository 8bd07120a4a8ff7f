"""Decorators that declare a behavior and put it on the process-wide registry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from activegraph.behaviors.base import Behavior, RelationBehavior
from activegraph.behaviors.registry import clear_registry, get_registry, register
from activegraph.behaviors.signature import check_signature, name_of

if TYPE_CHECKING:
    from activegraph.llm.decorators import llm_behavior as llm_behavior

__all__ = [
    "behavior",
    "clear_registry",
    "declared_behavior",
    "declared_relation_behavior",
    "get_registry",
    "register",
    "relation_behavior",
]


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
) -> Callable[[Callable[..., Any]], Behavior]:
    """Declare `fn(event, graph, ctx)` as a behavior; the name then stands for the behavior object.

    Args:
        name: Actor of what it emits, and its name in logs, metrics and the trace. Default: the function's name.
        on: Event types, any of which matches; None or empty for every queue-visible event. `runtime.*`, `*.started`,
            `behavior.scheduled` and `tool.in_doubt` reach no behavior: naming one is a line in the log at WARNING.
        where: Condition on the event: paths into its payload (or `event.type` and the like) and what they must be.
        view: What `ctx.view` shows: `around`, `depth`, `include_types`, `recent_events`; None for the whole graph.
        creates: Types that it makes; recorded, not enforced.
        budget, priority: Recorded, not enforced: behaviors have their turns in the order of their registration.
        pattern: Pattern over the graph that must have a match.
        activate_after: Delay, counted in dispatched events: `3`, `"3 events"`.

    Raises:
        TypeError: Used without parentheses, or a function that cannot take the three arguments.
        InvalidRuntimeConfiguration: An unknown `where` operator or view key.
        UnsupportedPatternError: The pattern is none of the language.
        InvalidActivateAfter: The delay is no whole number of events.
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
    return lambda fn: register(declare(fn))


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
) -> Callable[[Callable[..., Any]], RelationBehavior]:
    """Declare `fn(relation, event, graph, ctx)`, called once per relation that the event's payload names an end of.

    Args:
        relation_type: Type of the relations.
        on, where, view, creates, budget, priority, pattern, activate_after: As for `behavior`.
        name: Default: the function's name.

    Raises:
        TypeError: Used without the relation's type, or a function that cannot take the four arguments.
        InvalidRuntimeConfiguration: An unknown `where` operator or view key.
        UnsupportedPatternError: The pattern is none of the language.
        InvalidActivateAfter: The delay is no whole number of events.
    """
    declare = declared_relation_behavior(
        relation_type,
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
    return lambda fn: register(declare(fn))


def declared_behavior(*, name: str | None, view: Any, **fields: Any) -> Callable[[Callable[..., Any]], Behavior]:
    """What `behavior` does, but that nothing is registered; `fields` are those of `Behavior`."""
    if callable(name):
        raise TypeError(
            "@behavior needs parentheses: write\n"
            "    @behavior(on=[...])\n"
            f"    def {name_of(name)}(event, graph, ctx): ..."
        )

    def declare(fn: Callable[..., Any]) -> Behavior:
        check_signature(fn, "@behavior", "event", "graph", "ctx")
        return Behavior(name=name or name_of(fn), fn=fn, view_spec=view, **fields)

    return declare


def declared_relation_behavior(
    relation_type: str, *, name: str | None, view: Any, **fields: Any
) -> Callable[[Callable[..., Any]], RelationBehavior]:
    """What `relation_behavior` does, but that nothing is registered; `fields` are those of `RelationBehavior`."""
    if callable(relation_type):
        raise TypeError(
            "@relation_behavior needs the relation's type: write\n"
            '    @relation_behavior("depends_on", on=[...])\n'
            f"    def {name_of(relation_type)}(relation, event, graph, ctx): ..."
        )

    def declare(fn: Callable[..., Any]) -> RelationBehavior:
        check_signature(fn, "@relation_behavior", "relation", "event", "graph", "ctx")
        return RelationBehavior(name=name or name_of(fn), fn=fn, relation_type=relation_type, view_spec=view, **fields)

    return declare


def __getattr__(name: str) -> Any:
    if name == "llm_behavior":  # public here too, and made in a room above
        from importlib import import_module

        return import_module("activegraph.llm.decorators").llm_behavior
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
