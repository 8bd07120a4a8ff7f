"""`evidence_weigher`: a hypothesis is confirmed or refuted by the balance of its evidence."""

from __future__ import annotations

from typing import Any

from activegraph.core.elements import Relation
from activegraph.core.event import Event
from activegraph.packs import relation_behavior
from activegraph.packs.incident_review.behaviors.objects import around, sources_of

__all__ = ["evidence_weigher"]

_ENOUGH = 0.5
"""Weight that settles a hypothesis: one line that says it outright."""


@relation_behavior("backs", on=["relation.created"], where={"relation.type": "backs"}, view=around("target", 1))
def evidence_weigher(relation: Relation, event: Event, graph: Any, ctx: Any) -> None:
    """Weigh all evidence of the hypothesis that got some, and patch its status if that changed."""
    hypothesis = graph.get_object(relation.target)
    if hypothesis is None:
        return
    backed_by = (graph.get_object(id) for id in sources_of(ctx.view, hypothesis.id, "backs"))
    weights = [each.data["weight"] * (1 if each.data["stance"] == "for" else -1) for each in backed_by if each]
    # Sums of weights like 0.3 + 0.2 must not miss the mark by a rounding.
    balance = round(sum(weights), 6)
    status = "confirmed" if balance >= _ENOUGH else "refuted" if balance <= -_ENOUGH else "open"
    if status != hypothesis.data["status"]:
        graph.patch_object(hypothesis.id, {"status": status})
