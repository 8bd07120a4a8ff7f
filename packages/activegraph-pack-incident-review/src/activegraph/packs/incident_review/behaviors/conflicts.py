"""`conflict_detector`: two hypotheses that contradict each other, both of them likely, are a conflict."""

from __future__ import annotations

from typing import Any

from activegraph.core.event import Event
from activegraph.packs import behavior
from activegraph.packs.incident_review.behaviors.objects import around
from activegraph.packs.incident_review.settings import IncidentReviewSettings

__all__ = ["conflict_detector"]


@behavior(
    on=["relation.created"],
    where={"relation.type": "contradicts"},
    pattern="(one:hypothesis)-[found:contradicts]->(other:hypothesis) WHERE one.confidence >= 0.5 AND other.confidence >= 0.5",
    view=around("source", 1),
    creates=["conflict"],
)
def conflict_detector(event: Event, graph: Any, ctx: Any, *, settings: IncidentReviewSettings) -> None:
    """Make a conflict of each new contradiction whose sides both reach the setting's confidence.

    One conflict for two hypotheses, however often a model says that they contradict each other.
    """
    known = [set(conflict.data["hypotheses"]) for conflict in ctx.view.objects("conflict")]
    for match in ctx.new_matches:
        sides = [graph.get_object(match[name]) for name in ("one", "other")]
        if any(side.data["confidence"] < settings.conflict_confidence for side in sides):
            continue
        if {side.id for side in sides} in known:
            continue
        one, other = sides
        conflict = graph.add_object(
            "conflict",
            {
                "title": "two accounts disagree",
                "incident": one.data["incident"],
                "statement": f'"{one.data["title"]}" and "{other.data["title"]}" cannot both be the whole story.',
                "hypotheses": [one.id, other.id],
                "status": "open",
            },
        )
        for side in sides:
            graph.add_relation(conflict.id, side.id, "between")
