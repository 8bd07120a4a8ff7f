"""`inquiry_rules`: one inquiry for each kind of signal that an incident shows."""

from __future__ import annotations

from typing import Any

from activegraph.core.event import Event
from activegraph.packs.incident_review.behaviors.objects import create, signals_in
from activegraph.packs.incident_review.rules.topics import UNKNOWN, by_topic

__all__ = ["inquiry_rules"]


def inquiry_rules(event: Event, graph: Any, ctx: Any) -> None:
    """Ask the question of each topic that has signals; one without an answer where there are none at all."""
    incident_id = event.payload["id"]
    for topic, signals in by_topic(signals_in(ctx.view)) or [(UNKNOWN, ())]:
        inquiry = create(
            graph,
            "inquiry",
            title=topic.title,
            incident=incident_id,
            question=topic.question,
            topic=topic.name,
            signals=[signal.id for signal in signals],
            priority=topic.priority,
            status="open",
        )
        graph.add_relation(inquiry.id, incident_id, "concerns")
