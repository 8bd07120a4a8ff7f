"""Which questions a review asks: those of a model, or one for each kind of signal that the rules know."""

from __future__ import annotations

from typing import Any

from activegraph.core.event import Event
from activegraph.errors import LLMBehaviorError
from activegraph.packs import behavior, llm_behavior
from activegraph.packs.incident_review.answers import InquiryPlan
from activegraph.packs.incident_review.behaviors.objects import around, around_for_model, signals_in
from activegraph.packs.incident_review.rules.topics import UNKNOWN, by_topic
from activegraph.packs.incident_review.settings import by_model, by_rules

__all__ = ["inquiry_planner", "inquiry_rules"]

_ON_INCIDENT: dict[str, Any] = {
    "on": ["object.created"],
    "where": {"object.type": "incident"},
    "creates": ["inquiry"],
}


@llm_behavior(**_ON_INCIDENT, view=around_for_model("id", 1), output_schema=InquiryPlan, max_tokens=2048, when=by_model)
def inquiry_planner(event: Event, graph: Any, ctx: Any, out: InquiryPlan) -> None:
    """Ask what the model wants to know, each topic once, and no more than the settings allow.

    Raises:
        LLMBehaviorError: `llm.too_few_inquiries`, for a plan that asks less than the settings want.
    """
    planned = {each.topic: each for each in reversed(out.inquiries)}
    questions = [each for each in out.inquiries if planned[each.topic] is each][: ctx.settings.max_inquiries]
    if len(questions) < ctx.settings.min_inquiries:
        raise LLMBehaviorError(
            "llm.too_few_inquiries",
            f"the plan asks {len(questions)} different questions, the settings want {ctx.settings.min_inquiries}",
        )
    incident = event.payload["object"]
    graph.patch_object(incident["id"], {"severity": out.severity})
    for each in questions:
        _ask(graph, incident, each.topic, each.title, each.question, each.priority, [])


@behavior(**_ON_INCIDENT, view=around("id", 1), when=by_rules)
def inquiry_rules(event: Event, graph: Any, ctx: Any) -> None:
    """Ask the question of each topic that has signals; one without an answer where there are none at all."""
    for topic, signals in by_topic(signals_in(ctx.view)) or [(UNKNOWN, ())]:
        owned = [signal.id for signal in signals]
        _ask(graph, event.payload["object"], topic.name, topic.title, topic.question, topic.priority, owned)


def _ask(graph: Any, incident: Any, topic: str, title: str, question: str, priority: str, signals: list[str]) -> None:
    inquiry = graph.add_object(
        "inquiry",
        {
            "title": title,
            "incident": incident["id"],
            "incident_name": incident["data"]["name"],
            "question": question,
            "topic": topic,
            "signals": signals,
            "priority": priority,
            "status": "open",
        },
    )
    graph.add_relation(inquiry.id, incident["id"], "concerns")
