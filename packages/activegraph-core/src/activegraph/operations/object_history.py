"""What the data of one object was, event by event."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from activegraph.core.event import Event, raw_payload
from activegraph.core.projection import GRAPH_TYPES, Projection

__all__ = ["data_after_changes"]


def data_after_changes(events: Iterable[Event], object_id: str) -> Iterator[tuple[Event, Mapping[str, Any] | None]]:
    """Each event that creates or patches anything, and what the object's data is behind it; None while there is none.

    Args:
        events: A log from its beginning.
    """
    projection = Projection()
    for event in events:
        if event.type in GRAPH_TYPES:
            projection.apply(event.type, raw_payload(event))
        if event.type in ("object.created", "patch.applied"):
            state = projection.objects.get(object_id)
            yield event, None if state is None else state.data()
