"""What to do about what was found: what a model plans, or the rules' advice for each hypothesis they confirmed."""

from __future__ import annotations

from typing import Any

from activegraph.core.elements import Object
from activegraph.core.event import Event
from activegraph.packs import behavior, llm_behavior
from activegraph.packs.incident_review.answers import ActionPlan
from activegraph.packs.incident_review.behaviors.investigating import title_key
from activegraph.packs.incident_review.behaviors.objects import (
    around,
    around_for_model,
    hand_in,
    incident_in,
    signals_in,
)
from activegraph.packs.incident_review.behaviors.reminders import lines_of
from activegraph.packs.incident_review.rules.case import Advice
from activegraph.packs.incident_review.rules.topics import READ_THE_LINES, URGENCY, advice_for
from activegraph.packs.incident_review.settings import by_model, by_rules
from activegraph.packs.incident_review.wording import first_of

__all__ = ["action_planner", "action_rules"]

_ON_READY: dict[str, Any] = {"on": ["review.ready"], "creates": ["action"]}


@llm_behavior(
    **_ON_READY,
    view=around_for_model("incident", 3, "incident", "inquiry", "hypothesis", "evidence", "conflict"),
    output_schema=ActionPlan,
    deterministic=True,
    when=by_model,
)
def action_planner(event: Event, graph: Any, ctx: Any, out: ActionPlan) -> None:
    """Take over the actions that address a hypothesis of this incident; the others are left out and counted."""
    incident = incident_in(ctx.view)
    known = {title_key(each.data["title"]): each.id for each in ctx.view.objects("hypothesis")}
    left_out, planned = 0, 0
    for each in out.actions:
        addressed = [known[key] for title in each.addresses if (key := title_key(title)) in known]
        left_out += len(each.addresses) - len(addressed)
        if addressed:
            planned += 1
            once = [*dict.fromkeys(addressed)]
            data = _action(incident.id, each.title, each.detail, each.priority, each.owner_role, once)
            hand_in(graph, ctx, "action", data, approved=ctx.settings.auto_approve_actions)
    if left_out:
        graph.patch_object(incident.id, {"left_out": incident.data["left_out"] + left_out})
    if not planned:
        seen = (graph.get_object(id) for inquiry in ctx.view.objects("inquiry") for id in inquiry.data["signals"])
        lines = {line for signal in seen if signal.data["source"] == "log" for line in signal.data["lines"]}
        data = _read_the_lines(incident.id, sorted(lines))
        hand_in(graph, ctx, "action", data, approved=ctx.settings.auto_approve_actions)


@behavior(**_ON_READY, view=around("incident", 2), when=by_rules)
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
    planned = [_advised(incident.id, advice_for(rule), by_rule[rule]) for rule in rules]
    if not planned:
        logged = [s for s in signals_in(ctx.view) if s.source == "log" and s.kind != "unreadable"]
        planned = [_read_the_lines(incident.id, lines_of(logged))]
    for data in planned:
        hand_in(graph, ctx, "action", data, approved=ctx.settings.auto_approve_actions)


def _advised(incident_id: str, advice: Advice, hypotheses: list[Object]) -> dict[str, Any]:
    addressed = [each.id for each in hypotheses]
    return _action(incident_id, advice.title, advice.detail, advice.priority, advice.owner_role, addressed)


def _read_the_lines(incident_id: str, lines: list[int]) -> dict[str, Any]:
    advice = READ_THE_LINES
    detail = advice.detail
    detail += f" Lines {first_of([str(line) for line in lines], 10)}." if lines else " The incident came without any."
    return _action(incident_id, advice.title, detail, advice.priority, advice.owner_role, [])


def _action(
    incident_id: str, title: str, detail: str, priority: str, owner_role: str, addressed: list[str]
) -> dict[str, Any]:
    return {
        "title": title,
        "incident": incident_id,
        "detail": detail,
        "priority": priority,
        "owner_role": owner_role,
        "status": "proposed",
        "addresses": addressed,
    }
