"""The gates: each lets the next part of a review begin once, when everything before it is there."""

from __future__ import annotations

from typing import Any

from activegraph.core.event import Event
from activegraph.packs.incident_review.behaviors.objects import incident_in

__all__ = ["memo_gate", "readiness_gate"]


def readiness_gate(event: Event, graph: Any, ctx: Any) -> None:
    """Emit `review.ready` when the last inquiry of an incident has ended."""
    incident = incident_in(ctx.view)
    ended = all(inquiry.data["status"] != "open" for inquiry in ctx.view.objects("inquiry"))
    if ended and incident.data["status"] == "open":
        graph.patch_object(incident.id, {"status": "investigated"})
        graph.emit("review.ready", {"incident": incident.id})


def memo_gate(event: Event, graph: Any, ctx: Any) -> None:
    """Emit `memo.requested` when an incident has got its actions."""
    incident = graph.get_object(event.payload["object"]["data"]["incident"])
    if incident.data["status"] == "planned":
        graph.patch_object(incident.id, {"status": "requested"})
        graph.emit("memo.requested", {"incident": incident.id})
