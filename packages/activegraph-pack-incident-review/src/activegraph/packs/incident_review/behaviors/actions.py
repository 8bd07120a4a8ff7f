"""`action_rules`: what to do about the hypotheses that were confirmed."""

from __future__ import annotations

from typing import Any

from activegraph.core.elements import Object
from activegraph.core.event import Event
from activegraph.packs.incident_review.behaviors.objects import create, incident_in, signals_in
from activegraph.packs.incident_review.behaviors.reminders import lines_of
from activegraph.packs.incident_review.rules.topics import READ_THE_LINES, URGENCY, advice_for
from activegraph.packs.incident_review.wording import first_of

__all__ = ["action_rules"]


def action_rules(event: Event, graph: Any, ctx: Any) -> None:
    """Make one action per rule that was confirmed; one that says to read the lines where nothing is known."""
    incident = incident_in(ctx.view)
    hypotheses = ctx.view.objects("hypothesis")
    confirmed = [each for each in hypotheses if each.data["status"] == "confirmed"]
    by_rule: dict[str, list[Object]] = {}
    for hypothesis in confirmed or hypotheses[:1]:
        by_rule.setdefault(hypothesis.data["rule"], []).append(hypothesis)
    # The most urgent first; rules of one urgency in the order of their inquiries.
    rules = sorted(by_rule, key=lambda rule: -URGENCY.index(advice_for(rule).priority))
    actions = [_act(graph, incident.id, rule, by_rule[rule]) for rule in rules]
    if not actions:
        logged = [s for s in signals_in(ctx.view) if s.source == "log" and s.kind != "unreadable"]
        actions.append(_read_the_lines(graph, incident.id, lines_of(logged)))
    graph.patch_object(incident.id, {"status": "planned", "actions": actions})


def _act(graph: Any, incident_id: str, rule: str, hypotheses: list[Object]) -> str:
    advice = advice_for(rule)
    action = create(
        graph,
        "action",
        title=advice.title,
        incident=incident_id,
        detail=advice.detail,
        priority=advice.priority,
        owner_role=advice.owner_role,
        status="proposed",
    )
    for hypothesis in hypotheses:
        graph.add_relation(action.id, hypothesis.id, "addresses")
    return action.id


def _read_the_lines(graph: Any, incident_id: str, lines: list[int]) -> str:
    detail = READ_THE_LINES.detail
    detail += f" Lines {first_of([str(line) for line in lines], 10)}." if lines else " The incident came without any."
    action = create(
        graph,
        "action",
        title=READ_THE_LINES.title,
        incident=incident_id,
        detail=detail,
        priority=READ_THE_LINES.priority,
        owner_role=READ_THE_LINES.owner_role,
        status="proposed",
    )
    return action.id
