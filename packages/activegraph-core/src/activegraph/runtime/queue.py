"""What waits for dispatch: events in log order, with their tick and causal depth."""

from __future__ import annotations

from msgspec import Struct

from activegraph.core.event import Event

__all__ = ["INTERNAL_FAMILIES", "LIFECYCLE_FAMILIES", "SUBSCRIBABLE", "WorkItem", "is_internal", "is_lifecycle"]

INTERNAL_FAMILIES = (
    "behavior.",
    "relation_behavior.",
    "runtime.",
    "llm.",
    "tool.",
    "pattern.",
    "approval.",
)
"""Types that are queued only where a behavior names them (runtime.md 9.2)."""

LIFECYCLE_FAMILIES = ("runtime.", "behavior.", "relation_behavior.")
"""With `tool.in_doubt`, what diff and strict replay leave out (runtime.md 15)."""

SUBSCRIBABLE = frozenset(
    {
        "behavior.failed",
        "behavior.completed",
        "llm.requested",
        "llm.responded",
        "tool.requested",
        "tool.responded",
        "pattern.matched",
        "approval.proposed",
        "approval.granted",
        "approval.denied",
    }
)
"""Internal types that a behavior may name in `on`."""

_known: dict[str, bool] = {}


def is_internal(type: str) -> bool:
    """Whether events of this type are not queue-visible."""
    internal = _known.get(type)
    if internal is None:
        internal = type.startswith(INTERNAL_FAMILIES)
        if len(_known) < 4096:
            _known[type] = internal
    return internal


def is_lifecycle(type: str) -> bool:
    """Whether events of this type say how a run went rather than what it did."""
    return type.startswith(LIFECYCLE_FAMILIES) or type == "tool.in_doubt"


class WorkItem(Struct, gc=False):
    """One queued event."""

    event: Event
    tick: int
    """Ordinal among the queue-visible events of the log; that of the last one for an internal event."""
    depth: int | None = None
    """Causal depth; None where it has to be looked up in the log."""
    about: str | None = None
    """For a subscribed internal event: the behavior that it is about, which does not get it."""
    next_turn: int = 0
    """Registration index from which behaviors still have their turn; above 0 once dispatch has begun."""
    taken: bool = False
    """Whether it was taken from the queue before: then it uses no `max_events` again."""
