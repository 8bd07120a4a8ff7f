"""Behaviors as plain values: what is called, and for which events.

A behavior object holds its declaration and nothing of a run; the same object may serve many
runtimes. What it is made with is checked and copied.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from activegraph.behaviors.declaration import (
    checked_function,
    checked_name,
    checked_view_spec,
    checked_where,
    compiled_pattern,
    listed,
    own_copy,
    parse_activate_after,
)
from activegraph.behaviors.subscribable import warn_of_undispatched

if TYPE_CHECKING:
    from activegraph.core.elements import Relation
    from activegraph.core.event import Event
    from activegraph.llm.behavior import LLMBehavior as LLMBehavior

__all__ = ["AnyBehavior", "Behavior", "RelationBehavior"]

BehaviorFunction = Callable[..., Any]


@dataclass(eq=False)
class Behavior:
    """A function that reacts to events.

    Attributes:
        name: Actor of what it emits, and its name in logs, metrics and the trace.
        fn: Called as `fn(event, graph, ctx)`; None only in a subclass that overrides `run`.
        on: Event types, any of which matches; empty or `"*"` for every queue-visible event. `runtime.*`, `*.started`,
            `behavior.scheduled` and `tool.in_doubt` reach no behavior: naming one is a line in the log at WARNING.
        where: Condition on the event.
        view_spec: What `ctx.view` shows; None for the whole graph.
        creates, budget, priority: Recorded, not enforced.
        pattern: Source text of the pattern that must match.
        pattern_matcher: The compiled pattern; made from `pattern` when missing.
        activate_after: Delay in dispatched events; text such as `"3 events"` becomes its number.

    Raises:
        InvalidArgumentType: No name, no function, one that is `async` or holds a `yield`, or a list of the wrong kind.
        InvalidRuntimeConfiguration: An unknown `where` operator or view key.
        UnsupportedPatternError: The pattern is none of the language.
        InvalidActivateAfter: The delay is no whole number of events.
    """

    name: str
    fn: BehaviorFunction | None = None
    on: list[str] = field(default_factory=list)
    where: dict[str, Any] | None = None
    view_spec: dict[str, Any] | None = None
    creates: list[str] = field(default_factory=list)
    budget: Any = None
    priority: int = 0
    pattern: str | None = None
    pattern_matcher: Any = None
    activate_after: int | None = None

    def __post_init__(self) -> None:
        _settle(self, overrides_run=type(self).run is not Behavior.run)

    def run(self, event: Event, graph: Any, ctx: Any) -> Any:
        """Called by the runtime for each match."""
        return self.fn(event, graph, ctx)  # type: ignore[misc]  # None only where this is overridden


@dataclass(eq=False)
class RelationBehavior:
    """A function that reacts to events about the ends of relations of one type.

    `fn` is called as `fn(relation, event, graph, ctx)`; the other fields are those of `Behavior`.
    """

    name: str
    fn: BehaviorFunction | None
    relation_type: str
    on: list[str] = field(default_factory=list)
    where: dict[str, Any] | None = None
    view_spec: dict[str, Any] | None = None
    creates: list[str] = field(default_factory=list)
    budget: Any = None
    priority: int = 0
    pattern: str | None = None
    pattern_matcher: Any = None
    activate_after: int | None = None

    def __post_init__(self) -> None:
        self.relation_type = checked_name(self.relation_type, "relation_type")
        _settle(self, overrides_run=type(self).run is not RelationBehavior.run)

    def run(self, relation: Relation, event: Event, graph: Any, ctx: Any) -> Any:
        """Called by the runtime once per matching relation."""
        return self.fn(relation, event, graph, ctx)  # type: ignore[misc]  # None only where this is overridden


AnyBehavior = Behavior | RelationBehavior


def _settle(behavior: AnyBehavior, *, overrides_run: bool) -> None:
    """Check a new behavior's fields and make its lists and dicts its own."""
    name = behavior.name = checked_name(behavior.name)
    checked_function(behavior.fn, name, overrides_run=overrides_run)
    behavior.on = listed(behavior.on, "on", name)
    warn_of_undispatched(name, behavior.on)
    behavior.where = checked_where(behavior.where)
    behavior.view_spec = checked_view_spec(behavior.view_spec, name)
    behavior.creates = listed(behavior.creates, "creates", name)
    behavior.budget = own_copy(behavior.budget)
    if behavior.pattern is not None and behavior.pattern_matcher is None:
        behavior.pattern_matcher = compiled_pattern(behavior.pattern)
    if behavior.activate_after is not None:
        behavior.activate_after = parse_activate_after(behavior.activate_after)


def __getattr__(name: str) -> Any:
    if name == "LLMBehavior":  # public here too, and made in a room above
        from importlib import import_module

        return import_module("activegraph.llm.behavior").LLMBehavior
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
