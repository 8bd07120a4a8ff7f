"""`investigator`: a model answers an inquiry, and only what it can quote is taken in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from activegraph.core.event import Event
from activegraph.packs import llm_behavior
from activegraph.packs.incident_review.answers import Investigation, Quote, Supposition
from activegraph.packs.incident_review.behaviors.citing import Citations, Found
from activegraph.packs.incident_review.behaviors.objects import around_for_model, incident_in, most_telling
from activegraph.packs.incident_review.settings import IncidentReviewSettings, by_model

__all__ = ["investigator", "title_key"]


@llm_behavior(
    on=["object.created"],
    where={"object.type": "inquiry"},
    view=around_for_model("id", 3, "incident", "inquiry", "signal", "hypothesis"),
    creates=["signal", "hypothesis", "evidence"],
    output_schema=Investigation,
    tools=["fetch_signals", "query_metrics", "read_runbook"],
    max_tool_turns=8,
    when=by_model,
)
def investigator(event: Event, graph: Any, ctx: Any, out: Investigation, *, settings: IncidentReviewSettings) -> None:
    """Make signals, hypotheses and evidence of the answer; the inquiry is then answered."""
    inquiry = event.payload["object"]
    incident = incident_in(ctx.view)
    most = settings.max_signals_per_inquiry
    citations = Citations(graph, ctx.view, incident, most=most)
    for seen in out.signals:
        citations.take_in(seen)
    known = {title_key(each.data["title"]): each.id for each in ctx.view.objects("hypothesis")}
    for supposed in out.hypotheses:
        _suppose(graph, inquiry, supposed, citations, known, most)
    left_out = citations.left_out + _contradict(graph, out, known)
    if left_out:
        so_far = graph.get_object(incident.id).data["left_out"]
        graph.patch_object(incident.id, {"left_out": so_far + left_out})
    answered = {"status": "answered", "not_found": out.not_found, "signals": citations.used}
    graph.patch_object(inquiry["id"], answered)


def title_key(title: str) -> str:
    """What two titles have in common that mean one hypothesis."""
    return " ".join(title.split()).casefold()


def _suppose(
    graph: Any,
    inquiry: Mapping[str, Any],
    supposed: Supposition,
    citations: Citations,
    known: dict[str, str],
    most: int,
) -> None:
    """Make a hypothesis with what speaks for and against it; one that nothing speaks for is left out."""
    found = [(quote, place) for quote in supposed.evidence if (place := citations.find(quote)) is not None]
    backed = most_telling(
        found, most=most, weight=lambda each: each[0].weight, is_against=lambda each: each[0].stance == "against"
    )
    if not backed:
        citations.left_out += 1
        return
    key = title_key(supposed.title)
    if key not in known:
        hypothesis = graph.add_object(
            "hypothesis",
            {
                "title": supposed.title,
                "incident": inquiry["data"]["incident"],
                "statement": supposed.statement,
                "inquiry": inquiry["id"],
                "confidence": supposed.confidence,
                "status": "open",
            },
        )
        known[key] = hypothesis.id
    graph.add_relation(known[key], inquiry["id"], "answers")
    for quote, place in backed:
        _back(graph, inquiry["data"]["incident"], known[key], quote, place)


def _back(graph: Any, incident_id: str, hypothesis_id: str, quote: Quote, found: Found) -> None:
    evidence = graph.add_object(
        "evidence",
        {
            "title": f"{quote.source} line {found.line}",
            "incident": incident_id,
            "quote": quote.quote,
            "source": quote.source,
            "line": found.line,
            "stance": quote.stance,
            "weight": quote.weight,
        },
    )
    graph.add_relation(evidence.id, hypothesis_id, "backs")
    graph.add_relation(evidence.id, found.signal, "cites")


def _contradict(graph: Any, out: Investigation, known: Mapping[str, str]) -> int:
    """Tie hypotheses that cannot both be true; returns how many titles no hypothesis has."""
    unknown = 0
    for supposed in out.hypotheses:
        one = known.get(title_key(supposed.title))
        for title in supposed.contradicts:
            other = known.get(title_key(title))
            if one is None or other is None or one == other:
                unknown += 1
            else:
                graph.add_relation(one, other, "contradicts")
    return unknown
