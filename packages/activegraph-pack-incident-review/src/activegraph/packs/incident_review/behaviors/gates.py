"""The gates: each lets the next part of a review begin once, when everything before it is there.

They are plain functions, so that no model is asked for what would be thrown away.
"""

from __future__ import annotations

from typing import Any

from activegraph.core.event import Event
from activegraph.packs import behavior
from activegraph.packs.incident_review.behaviors.objects import NOTHING, around, incident_in

__all__ = ["memo_filer", "memo_gate", "readiness_gate"]


@behavior(
    on=["patch.applied"],
    where={"diff.status.old": "open", "patch.value.status": {"in": ["answered", "unresolved"]}},
    view=around("target", 2),
)
def readiness_gate(event: Event, graph: Any, ctx: Any) -> None:
    """Emit `review.ready` when the last inquiry of an incident has ended."""
    incident = incident_in(ctx.view)
    ended = all(inquiry.data["status"] != "open" for inquiry in ctx.view.objects("inquiry"))
    if ended and incident.data["status"] == "open":
        graph.patch_object(incident.id, {"status": "investigated"})
        graph.emit("review.ready", {"incident": incident.id, "incident_name": incident.data["name"]})


@behavior(on=["object.created"], where={"object.type": "action"}, view=NOTHING)
def memo_gate(event: Event, graph: Any, ctx: Any) -> None:
    """Tie a new action to what it is about; the first one of an incident requests its memo.

    It makes no difference whether the action was planned or approved.
    """
    action = event.payload["object"]
    for hypothesis_id in action["data"]["addresses"]:
        graph.add_relation(action["id"], hypothesis_id, "addresses")
    incident = graph.get_object(action["data"]["incident"])
    is_first = incident.data["status"] == "investigated"
    change = {"actions": [*incident.data["actions"], action["id"]]}
    graph.patch_object(incident.id, change | {"status": "requested"} if is_first else change)
    if is_first:
        graph.emit("memo.requested", {"incident": incident.id, "incident_name": incident.data["name"]})


@behavior(on=["object.created"], where={"object.type": "memo"}, view=NOTHING)
def memo_filer(event: Event, graph: Any, ctx: Any) -> None:
    """Tie a new memo to its incident, which is then reviewed."""
    memo = event.payload["object"]
    graph.add_relation(memo["id"], memo["data"]["incident"], "reports_on")
    graph.patch_object(memo["data"]["incident"], {"status": "reviewed"})
