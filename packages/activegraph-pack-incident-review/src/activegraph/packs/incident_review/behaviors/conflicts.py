"""`conflict_detector`: two hypotheses that contradict each other, both of them likely, are a conflict."""

from __future__ import annotations

from typing import Any

from activegraph.core.event import Event
from activegraph.packs.incident_review.behaviors.objects import create
from activegraph.packs.incident_review.settings import IncidentReviewSettings

__all__ = ["conflict_detector"]


def conflict_detector(event: Event, graph: Any, ctx: Any, *, settings: IncidentReviewSettings) -> None:
    """Make a conflict of a `contradicts` relation if both sides reach the setting's confidence."""
    sides = [graph.get_object(event.payload[end]) for end in ("source", "target")]
    if any(side is None or side.data["confidence"] < settings.conflict_confidence for side in sides):
        return
    one, other = sides
    incident = graph.get_object(one.data["incident"])
    conflict = create(
        graph,
        "conflict",
        title="two accounts disagree",
        incident=incident.id,
        statement=f'"{one.data["title"]}" and "{other.data["title"]}" cannot both be the whole story.',
        hypotheses=[one.id, other.id],
        status="open",
    )
    graph.patch_object(incident.id, {"conflicts": [*incident.data["conflicts"], conflict.id]})
