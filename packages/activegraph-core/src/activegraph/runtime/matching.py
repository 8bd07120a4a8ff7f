"""Patterns at work: the kept match sets of a run, and what an invocation sees of them."""

from __future__ import annotations

import logging
from time import perf_counter
from typing import TYPE_CHECKING, Any

from activegraph.core.codec import decode_canonical
from activegraph.core.event import Event, raw_payload
from activegraph.core.log_lines import say
from activegraph.core.projection import Projection
from activegraph.runtime.subscriptions import Subscriber

if TYPE_CHECKING:
    from activegraph.patterns.match_set import MatchSet
    from activegraph.patterns.view import MatchView

__all__ = ["SLOW_SECONDS", "Matching", "touched_element"]

SLOW_SECONDS = 0.1
"""How long an evaluation may take before it is said that it was slow."""

_SILENCE_SECONDS = 60.0
"""How long nothing more is said about the same behavior then."""

_logger = logging.getLogger("activegraph.patterns")


class Matching:
    """One kept match set per pattern; it is filled when the pattern is first asked for."""

    def __init__(self, projection: Projection) -> None:
        self._projection = projection
        self._sets: dict[int, MatchSet] = {}
        self._said_slow: dict[str, float] = {}

    def count(self, subscriber: Subscriber) -> int:
        """How many matches the behavior's pattern has in the graph as it is now."""
        return len(self._set_of(subscriber))

    def say_slow(self, behavior: str, found: int, seconds: float, *, run_id: str, event_id: str) -> None:
        """The WARNING of an evaluation that took long; of each behavior only now and then."""
        now, last = perf_counter(), self._said_slow.get(behavior)
        if last is None or now - last >= _SILENCE_SECONDS:
            self._said_slow[behavior] = now
            fields = {"run_id": run_id, "event_id": event_id, "behavior": behavior, "latency_seconds": seconds}
            say(_logger, logging.WARNING, "slow pattern: %s %d matches", behavior, found, **fields)

    def matches(self, subscriber: Subscriber) -> MatchView:
        """All matches as of now; what the graph becomes later does not change them."""
        return self._set_of(subscriber).view()

    def _set_of(self, subscriber: Subscriber) -> MatchSet:
        kept = self._sets.get(id(subscriber.matcher))
        if kept is None:
            from activegraph.patterns.match_set import MatchSet

            kept = self._sets[id(subscriber.matcher)] = MatchSet(subscriber.matcher, self._projection)
        return kept


_ELEMENT_OF = {
    "object.created": ("id",),
    "object.removed": ("id",),
    "relation.created": ("id",),
    "relation.removed": ("id",),
    "patch.applied": ("target",),
    "patch.proposed": ("patch", "target"),
    "patch.rejected": ("target",),
}


def touched_element(event: Event) -> str | None:
    """Id of the object or relation that a graph event touched; None for other events."""
    path = _ELEMENT_OF.get(event.type)
    if path is None:
        return None
    value: Any = decode_canonical(raw_payload(event))
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    if value is None and event.type.endswith(".created"):
        inner = event.payload.get(event.type.split(".")[0])
        value = inner.get("id") if isinstance(inner, dict) else None
    return value if isinstance(value, str) else None
