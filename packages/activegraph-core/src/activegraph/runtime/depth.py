"""Causal depth: how many causes stand behind an event, one behind the other."""

from __future__ import annotations

from activegraph.core.log import RunLog
from activegraph.core.record import EventRecord

__all__ = ["causal_depth"]

_MOST_KNOWN = 16384


def causal_depth(log: RunLog, event: EventRecord, known: dict[str, int]) -> int:
    """Depth of `event`: 0 without a cause, or where its cause is unknown or its own consequence.

    Args:
        known: Depths that were found before, so that a long chain is walked once.
    """
    if len(known) > _MOST_KNOWN:
        known.clear()
    way = {event.id: None}
    cause = event.caused_by
    while cause is not None and cause not in known and cause not in way:
        found = log.get(cause)
        if found is None:
            break
        way[cause] = None
        cause = found.caused_by
    depth = known[cause] + 1 if cause is not None and cause in known else 0
    for id in reversed(way):
        known[id] = depth
        depth += 1
    return known[event.id]
