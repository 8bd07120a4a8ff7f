"""An event as a delayed behavior's condition sees it: with the object and the relation that it tells of as they are now."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from activegraph.core.elements import object_handle, relation_handle
from activegraph.core.event import Event
from activegraph.core.projection import Projection

__all__ = ["live_event"]


def live_event(projection: Projection, event: Event) -> Event:
    """`event` with the payload's `object` and `relation` read from the graph; removed ones are missing."""
    payload: dict[str, Any] = dict(event.payload)
    for key in ("object", "relation"):
        copy = payload.get(key)
        id = copy.get("id") if isinstance(copy, dict) else None
        if isinstance(id, str):
            payload[key] = _live(projection, key, id)
    return replace(event, payload=payload)


def _live(projection: Projection, key: str, id: str) -> dict[str, Any] | None:
    if key == "object":
        state = projection.objects.get(id)
        return None if state is None else object_handle(state).to_dict()
    relation = projection.relations.get(id)
    return None if relation is None else relation_handle(relation).to_dict()
