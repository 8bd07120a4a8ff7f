"""Causal chains: why an object exists, from the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from activegraph.core.event import Event
from activegraph.trace.reading import events_of_type

if TYPE_CHECKING:
    from activegraph.core.graph import Graph

__all__ = ["causal_chain"]


def causal_chain(graph: Graph, object_id: str) -> str:
    """The event that created an object, its cause, and so on; lines joined with a line break.

    A removed object is explained from the log. Cost follows the chain, plus one read of the log's
    `object.created` events.
    """
    created = _creation_of(graph, object_id)
    if created is None:
        return f"(no such object: {object_id})"
    present = graph.get_object(object_id)
    recorded = created.payload["object"]
    data: Any = present.data if present is not None else recorded["data"]
    label = data.get("title") or data.get("text")
    head = f"{object_id} ({present.type if present is not None else recorded['type']})"
    head += f' "{label}"' if label else ""
    lines = [head + ("" if present is not None else " (removed)")]
    seen: set[str] = set()
    event: Event | None = created
    while event is not None:
        indent = "  " * (len(seen) + 1)
        if event.id in seen:
            lines.append(f"{indent}← (cycle at {event.id})")
            break
        seen.add(event.id)
        lines.append(f"{indent}← {event.actor or '?'} ({event.id}) {event.type}")
        event = None if event.caused_by is None else graph._log.get(event.caused_by)
    return "\n".join(lines)


def _creation_of(graph: Graph, object_id: str) -> Event | None:
    found = None
    for event in events_of_type(graph, "object.created"):
        created = event.payload.get("object")
        if isinstance(created, dict) and created.get("id") == object_id:
            found = event
    return found
