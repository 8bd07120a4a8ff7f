"""`answering_rules`: answers an inquiry by what the rules know, every claim with its quotes."""

from __future__ import annotations

from typing import Any

from activegraph.core.event import Event
from activegraph.packs import behavior
from activegraph.packs.incident_review.behaviors.objects import around, most_telling, signals_in
from activegraph.packs.incident_review.rules.case import Case, Claim
from activegraph.packs.incident_review.rules.topics import topic_named
from activegraph.packs.incident_review.settings import IncidentReviewSettings, by_rules

__all__ = ["answering_rules"]


@behavior(
    on=["object.created"],
    where={"object.type": "inquiry"},
    view=around("id", 2),
    creates=["hypothesis", "evidence"],
    when=by_rules,
)
def answering_rules(event: Event, graph: Any, ctx: Any, *, settings: IncidentReviewSettings) -> None:
    """Make hypotheses with evidence for a new inquiry; it ends `answered`, or `unresolved` where no rule knows."""
    inquiry = event.payload["object"]
    signals = signals_in(ctx.view)
    owned = set(inquiry["data"]["signals"])
    case = Case([signal for signal in signals if signal.id in owned], signals)
    claims = topic_named(inquiry["data"]["topic"]).answer(case) if owned else []
    made: dict[str, str] = {}
    for claim in claims:
        made[claim.rule] = _hypothesis(graph, inquiry, claim, settings.max_signals_per_inquiry)
    for claim in claims:
        if claim.contradicts in made:
            graph.add_relation(made[claim.rule], made[claim.contradicts], "contradicts")
    graph.patch_object(inquiry["id"], {"status": "answered" if claims else "unresolved"})


def _hypothesis(graph: Any, inquiry: Any, claim: Claim, most_quotes: int) -> str:
    incident_id = inquiry["data"]["incident"]
    hypothesis = graph.add_object(
        "hypothesis",
        {
            "title": claim.title,
            "incident": incident_id,
            "statement": claim.statement,
            "inquiry": inquiry["id"],
            "rule": claim.rule,
            "confidence": claim.confidence,
            "status": "open",
        },
    )
    graph.add_relation(hypothesis.id, inquiry["id"], "answers")
    quotes = most_telling(
        claim.quotes, most=most_quotes, weight=lambda each: each.weight, is_against=lambda each: each.against
    )
    for quote in quotes:
        evidence = graph.add_object(
            "evidence",
            {
                "title": f"{quote.signal.source} line {quote.line}",
                "incident": incident_id,
                "quote": quote.text,
                "source": quote.signal.source,
                "line": quote.line,
                "stance": "against" if quote.against else "for",
                "weight": quote.weight,
            },
        )
        graph.add_relation(evidence.id, hypothesis.id, "backs")
        graph.add_relation(evidence.id, quote.signal.id, "cites")
    made: str = hypothesis.id
    return made
