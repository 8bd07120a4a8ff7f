"""Causal chains: why an object exists, from the log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from activegraph.core.event import Event
from activegraph.trace.calls import dollars, error_reason
from activegraph.trace.printer import on_one_line, value_text
from activegraph.trace.reading import events_of_type

if TYPE_CHECKING:
    from activegraph.core.graph import Graph

__all__ = ["causal_chain"]


def causal_chain(graph: Graph, object_id: str) -> str:
    """Why an object exists: the calls that fed it, the event that created it, its cause, and so on.

    Lines are joined with a line break. A removed object is explained from the log. Cost follows the
    chain, plus one read of the log's `object.created` events, and of its answers where there were calls.
    """
    created = _creation_of(graph, object_id)
    if created is None:
        return f"(no such object: {object_id})"
    present = graph.get_object(object_id)
    recorded = created.payload["object"]
    data: Any = present.data if present is not None else recorded["data"]
    label = data.get("title") or data.get("text")
    head = f"{object_id} ({present.type if present is not None else recorded['type']})"
    head += f' "{value_text(label)}"' if label else ""
    lines = [head + ("" if present is not None else " (removed)")]
    lines += _calls(graph, _provenance(present, recorded))
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
    return "\n".join(map(on_one_line, lines))


def _provenance(present: Any, recorded: Mapping[str, Any]) -> Mapping[str, Any]:
    found = recorded.get("provenance") if present is None else present.provenance
    return found if isinstance(found, dict) else {}


def _calls(graph: Graph, provenance: Mapping[str, Any]) -> list[str]:
    """The model call and the tool calls that fed the handler, each with its answer."""
    lines: list[str] = []
    request_id = provenance.get("llm_request_event_id")
    if request_id is not None:
        lines += _call(graph, request_id, "model", "llm.responded")
    for request_id in provenance.get("tool_request_event_ids") or ():
        lines += _call(graph, request_id, "tool", "tool.responded")
    return lines


def _call(graph: Graph, request_id: str, what: str, answer_type: str) -> list[str]:
    request = graph._log.get(request_id)
    if request is None:
        return []
    lines = [f"  ← {request.actor or '?'} ({request.id}) {request.type}  {what}={request.payload.get(what, '?')}"]
    for answer in events_of_type(graph, answer_type):
        if answer.caused_by == request_id:
            lines.append(f"  ({answer.id}) {answer.type}{_outcome(answer.payload)}")
    return lines


def _outcome(payload: Mapping[str, Any]) -> str:
    reason = error_reason(payload)
    if reason is not None:
        return f" error={reason}"
    return " (cache_hit)" if payload.get("cache_hit") else f" cost={dollars(payload.get('cost_usd'))}"


def _creation_of(graph: Graph, object_id: str) -> Event | None:
    found = None
    for event in events_of_type(graph, "object.created"):
        created = event.payload.get("object")
        if isinstance(created, dict) and created.get("id") == object_id:
            found = event
    return found
