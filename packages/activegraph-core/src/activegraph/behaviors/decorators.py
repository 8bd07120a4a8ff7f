"""Decorators that declare a behavior and put it on the process-wide registry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from activegraph.behaviors.base import Behavior, RelationBehavior
from activegraph.behaviors.registry import clear_registry, get_registry, register
from activegraph.behaviors.view_spec import checked_view_spec
from activegraph.core.where import compile_where
from activegraph.errors import InvalidRuntimeConfiguration

__all__ = ["behavior", "clear_registry", "get_registry", "register", "relation_behavior"]


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
        name: Default: the function's name.
        on: Event types, any of which matches; None or empty for every queue-visible event.
        where: Condition on the event.
        view: What `ctx.view` shows.
        pattern: Pattern over the graph that must have a match.
        activate_after: Delay, counted in dispatched events.

    Raises:
        TypeError: Used without parentheses.
        InvalidRuntimeConfiguration: An unknown `where` operator or view key.
    """
    if callable(name):
        raise TypeError(
            f"@behavior needs parentheses: write\n    @behavior(on=[...])\n    def {getattr(name, '__name__', 'fn')}(event, graph, ctx): ..."
        )

    def declare(fn: Callable[..., Any]) -> Behavior:
        given = name or fn.__name__
        return register(
            Behavior(
                name=given,
                fn=fn,
                **_declaration(given, on, where, view, creates, budget, priority, pattern, activate_after),
            )
        )

    return declare


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
    """Declare `fn(relation, event, graph, ctx)`, called once per relation that the event's payload names an end of."""
    if callable(relation_type):
        raise TypeError(
            '@relation_behavior needs the relation\'s type: write\n    @relation_behavior("depends_on", on=[...])'
        )

    def declare(fn: Callable[..., Any]) -> RelationBehavior:
        given = name or fn.__name__
        return register(
            RelationBehavior(
                name=given,
                fn=fn,
                relation_type=relation_type,
                **_declaration(given, on, where, view, creates, budget, priority, pattern, activate_after),
            )
        )

    return declare


def _declaration(
    name: str,
    on: Iterable[str] | str | None,
    where: Mapping[str, Any] | None,
    view: Mapping[str, Any] | None,
    creates: Iterable[str] | None,
    budget: Any,
    priority: int,
    pattern: str | None,
    activate_after: int | str | None,
) -> dict[str, Any]:
    if pattern is not None or activate_after is not None:
        raise InvalidRuntimeConfiguration(
            f"behavior {name!r}: patterns and delays are not part of this version",
            what_failed=f"Declaring behavior {name!r} with `pattern=` or `activate_after=`.",
            why="A declaration that is accepted and then ignored would run when its author did not mean it to.",
            how_to_fix="Test the condition in the behavior's body, through `ctx.view`.",
            context={"behavior": name},
        )
    condition = dict(where) if where else None
    if condition is not None:
        compile_where(condition)
    return {
        "on": [on] if isinstance(on, str) else list(on or ()),
        "where": condition,
        "view_spec": checked_view_spec(view, name),
        "creates": list(creates or ()),
        "budget": budget,
        "priority": priority,
    }
