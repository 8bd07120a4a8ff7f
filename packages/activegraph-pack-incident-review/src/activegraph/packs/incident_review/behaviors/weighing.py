"""`evidence_weigher`: a hypothesis is confirmed or refuted by the balance of its evidence."""

from __future__ import annotations

from typing import Any

from activegraph.core.event import Event
from activegraph.packs.incident_review.behaviors.objects import sources_of

__all__ = ["evidence_weigher"]

_ENOUGH = 0.5
"""Weight that settles a hypothesis: one line that says it outright."""


def evidence_weigher(event: Event, graph: Any, ctx: Any) -> None:
    """Weigh all evidence of the hypothesis that got some, and patch its status if that changed."""
    hypothesis = ctx.view.get_object(event.payload["target"])
    if hypothesis is None:
        return
    balance = 0.0
    for evidence_id in sources_of(ctx.view, hypothesis.id, "backs"):
        evidence = ctx.view.get_object(evidence_id)
        if evidence is not None:
            balance += evidence.data["weight"] * (1 if evidence.data["stance"] == "for" else -1)
    status = "confirmed" if balance >= _ENOUGH else "refuted" if balance <= -_ENOUGH else "open"
    if status != hypothesis.data["status"]:
        graph.patch_object(hypothesis.id, {"status": status})
