"""`intake`: a goal that asks for a review becomes an incident, with the signals that came along."""

from __future__ import annotations

from typing import Any

from activegraph.core.event import Event
from activegraph.packs import behavior
from activegraph.packs.incident_review.host import goal_parts
from activegraph.packs.incident_review.rules.case import SignalView
from activegraph.packs.incident_review.rules.topics import URGENCY, by_topic
from activegraph.packs.incident_review.settings import IncidentReviewSettings, by_model

__all__ = ["intake"]

_NEWEST_EVENTS = 400
"""How far back the signals of a goal are looked for: they came with it, and a log makes fewer of them."""


@behavior(on=["goal.created"], view={"around": [], "recent_events": _NEWEST_EVENTS}, creates=["incident"])
def intake(event: Event, graph: Any, ctx: Any, *, settings: IncidentReviewSettings) -> None:
    """Make the incident of a goal and tie its signals to it; goals of other kinds are left alone."""
    parts = goal_parts(event.payload["goal"])
    if parts is None:
        return
    name, title = parts
    # A host of its own may not say what its signals belong to; then the name alone must do.
    came_along = [each for each in ctx.view.events("object.created") if each.caused_by in (event.id, None)]
    created = (each.payload["object"] for each in came_along)
    signals = [made for made in created if made["type"] == "signal" and made["data"].get("incident") == name]
    seen = [SignalView.of(made["id"], made["data"]) for made in signals]
    logged = [signal for signal in seen if signal.source == "log" and signal.kind != "unreadable"]
    data: dict[str, Any] = {"title": title, "name": name, "status": "open", "signals": len(logged)}
    data["severity"] = _severity(seen)
    if logged:
        data |= {
            "first_at": min(signal.first_at for signal in logged),
            "last_at": max(signal.last_at for signal in logged),
        }
    if by_model(settings):
        data["inquiries_wanted"] = {"least": settings.min_inquiries, "most": settings.max_inquiries}
    incident = graph.add_object("incident", data)
    for signal in seen:
        graph.add_relation(signal.id, incident.id, "observed_in")


def _severity(signals: list[SignalView]) -> str:
    return max((topic.priority for topic, _ in by_topic(signals)), key=URGENCY.index, default="low")
