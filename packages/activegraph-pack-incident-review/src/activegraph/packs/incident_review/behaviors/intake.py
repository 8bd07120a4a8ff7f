"""`intake`: a goal that asks for a review becomes an incident, with the signals that came along."""

from __future__ import annotations

from typing import Any

from activegraph.core.event import Event
from activegraph.core.view import View
from activegraph.packs import behavior
from activegraph.packs.incident_review.host import goal_parts
from activegraph.packs.incident_review.rules.case import SignalView
from activegraph.packs.incident_review.rules.topics import URGENCY, by_topic
from activegraph.packs.incident_review.settings import IncidentReviewSettings, by_model

__all__ = ["intake"]

_NEWEST_EVENTS = 400
"""How far back the signals of a goal are looked for first: they came with it, and a log makes fewer of them."""


@behavior(on=["goal.created"], view={"recent_events": _NEWEST_EVENTS}, creates=["incident"])
def intake(event: Event, graph: Any, ctx: Any, *, settings: IncidentReviewSettings) -> None:
    """Make the incident of a goal and tie its signals to it; goals of other kinds are left alone."""
    parts = goal_parts(event.payload["goal"])
    if parts is None:
        return
    name, title = parts
    seen = _signals_of(name, event, ctx.view)
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


def _signals_of(name: str, goal: Event, view: View) -> list[SignalView]:
    """The signals that came with a goal, in the order in which they were added."""
    # A host of its own may not say what its signals belong to; then the name alone must do.
    causes = (goal.id, None)
    newest = view.events()
    made = [each.payload["object"] for each in newest if each.type == "object.created" and each.caused_by in causes]
    ours = [each for each in made if each["type"] == "signal" and each["data"].get("incident") == name]
    if any(each.id == goal.id for each in newest) and not (ours and ours[0]["id"] == newest[0].payload.get("id")):
        return [SignalView.of(each["id"], each["data"]) for each in ours]
    # More has happened since than is seen there, as where several goals are given at once.
    all_of_name = view.objects("signal", where={"data.incident": name})
    return [SignalView.of(s.id, s.data) for s in all_of_name if s.provenance["caused_by_event"] in causes]


def _severity(signals: list[SignalView]) -> str:
    return max((topic.priority for topic, _ in by_topic(signals)), key=URGENCY.index, default="low")
