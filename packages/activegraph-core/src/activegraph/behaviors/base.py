"""Behaviors as plain values: what is called, and for which events.

A behavior object holds its declaration and nothing of a run; the same object may serve many runtimes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from activegraph.core.elements import Relation
    from activegraph.core.event import Event

__all__ = ["AnyBehavior", "Behavior", "RelationBehavior"]

BehaviorFunction = Callable[..., Any]


@dataclass(eq=False)
class Behavior:
    """A function that reacts to events (runtime.md 6).

    Attributes:
        name: Actor of what it emits, and its name in logs, metrics and the trace.
        fn: Called as `fn(event, graph, ctx)`; may be None in a subclass that overrides `run`.
        on: Event types, any of which matches; empty or `"*"` for every queue-visible event.
        where: Condition on the event (runtime.md 4.8).
        view_spec: What `ctx.view` shows; None for the whole graph.
        creates, budget, priority: Recorded, not enforced.
        pattern: Source text of the pattern that must match.
        pattern_matcher: The compiled pattern.
        activate_after: Delay in dispatched events.
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

    def run(self, event: Event, graph: Any, ctx: Any) -> Any:
        """Called by the runtime for each match."""
        if self.fn is None:
            raise NotImplementedError(f"behavior {self.name!r} has no `fn` and does not override `run`")
        return self.fn(event, graph, ctx)


@dataclass(eq=False)
class RelationBehavior:
    """A function that reacts to events about the ends of relations of one type (runtime.md 9.3)."""

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

    def run(self, relation: Relation, event: Event, graph: Any, ctx: Any) -> Any:
        """Called by the runtime once per matching relation."""
        if self.fn is None:
            raise NotImplementedError(f"behavior {self.name!r} has no `fn` and does not override `run`")
        return self.fn(relation, event, graph, ctx)


AnyBehavior = Behavior | RelationBehavior
