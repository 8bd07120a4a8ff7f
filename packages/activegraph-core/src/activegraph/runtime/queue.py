"""What waits for dispatch: events in log order, and delayed entries by the tick at which they fire."""

from __future__ import annotations

from collections import deque

from msgspec import Struct

from activegraph.behaviors.subscribable import SUBSCRIBABLE
from activegraph.core.event import INTERNAL_FAMILIES, Event
from activegraph.core.record import EventRecord
from activegraph.core.state import RelationState

__all__ = [
    "INTERNAL_FAMILIES",
    "LIFECYCLE_FAMILIES",
    "SUBSCRIBABLE",
    "DelayedEntries",
    "DelayedEntry",
    "WorkItem",
    "is_internal",
    "is_lifecycle",
]

LIFECYCLE_FAMILIES = ("runtime.", "behavior.", "relation_behavior.")
"""With `tool.in_doubt`, what diff and strict replay leave out."""

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
    """One queued event, and how far its dispatch has got."""

    record: EventRecord
    tick: int
    """Ordinal among the queue-visible events of the log; that of the last one for an internal event."""
    depth: int | None = None
    """Causal depth; None where it has to be looked up in the log."""
    about: str | None = None
    """For a subscribed internal event: the behavior that it is about, which does not get it."""
    internal: bool = False
    taken: bool = False
    """Whether it was taken from the queue before: then it uses no `max_events` again."""
    next_turn: int = 0
    """Registration index from which behaviors still have their turn."""
    relations: deque[RelationState] | None = None
    """Relations left to the turn at `next_turn`, where that turn has begun."""
    done: frozenset[int] = frozenset()
    """Registration indexes of behaviors that had their turn, wherever they stood then."""
    shown: Event | None = None
    """The event as behaviors see it, once one of them has."""

    @property
    def event(self) -> Event:
        """What behaviors are given: the same for all, so that its payload is decoded once."""
        if self.shown is None:
            self.shown = self.record.event()
        return self.shown


class DelayedEntry(Struct, gc=False):
    """One invocation that waits for a tick."""

    name: str
    ordinal: int | None
    record: EventRecord
    fire_at: int
    depth: int | None = None
    relations: deque[RelationState] | None = None
    """Relations left, where its firing has begun."""

    @property
    def event(self) -> Event:
        """What the behavior is given."""
        return self.record.event()


class DelayedEntries:
    """Entries by tick, those of one tick in the order in which they were scheduled."""

    def __init__(self) -> None:
        self._due: dict[int, deque[DelayedEntry]] = {}

    def add(self, entry: DelayedEntry) -> None:
        """Schedule an entry."""
        self._due.setdefault(entry.fire_at, deque()).append(entry)

    def due(self, tick: int) -> deque[DelayedEntry] | None:
        """The entries of one tick; taken from the left as they are decided."""
        return self._due.get(tick)

    def drop(self, tick: int) -> None:
        """Forget a tick whose entries are all decided."""
        self._due.pop(tick, None)
