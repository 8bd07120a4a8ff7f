"""The memo of an incident, in a model's words or the rules', every finding with the evidence that it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from activegraph.core.elements import Object
from activegraph.core.event import Event
from activegraph.core.view import View
from activegraph.packs import behavior, llm_behavior
from activegraph.packs.incident_review.answers import MemoDraft
from activegraph.packs.incident_review.behaviors.investigating import title_key
from activegraph.packs.incident_review.behaviors.objects import (
    around,
    around_for_model,
    hand_in,
    incident_in,
    signals_in,
    sources_of,
)
from activegraph.packs.incident_review.behaviors.reminders import lines_of
from activegraph.packs.incident_review.rules.case import SignalView
from activegraph.packs.incident_review.settings import by_model, by_rules
from activegraph.packs.incident_review.wording import between, counted, duration, seconds_between

__all__ = ["NOTHING_BACKED", "NO_CONFLICTS", "NO_RULE_MATCHED", "memo_rules", "memo_writer"]

NO_CONFLICTS = "no conflicts found"
NO_RULE_MATCHED = "no rule matched"
NOTHING_BACKED = "no hypothesis was backed by a quote"

_ENTRIES = 30


_ON_REQUEST: dict[str, Any] = {"on": ["memo.requested"], "creates": ["memo"]}


@llm_behavior(
    **_ON_REQUEST,
    view=around_for_model("incident", 3),
    output_schema=MemoDraft,
    tools=["incident_clock"],
    when=by_model,
)
def memo_writer(event: Event, graph: Any, ctx: Any, out: MemoDraft) -> None:
    """Write the memo in the model's words; what it cites comes from the graph alone."""
    texts = {title_key(each.hypothesis): each.text for each in out.findings}
    findings = _findings(ctx.view)
    left_out = len(texts)
    for finding in findings:
        text = texts.get(title_key(finding["title"]))
        if text is not None:
            finding["text"], left_out = text, left_out - 1
    settings = ctx.pack_settings("incident_review")
    memo = _memo(graph, ctx.view, out.summary, findings, left_out)
    hand_in(graph, ctx, "memo", memo, approved=settings.auto_approve_memos)


@behavior(**_ON_REQUEST, view=around("incident", 3), when=by_rules)
def memo_rules(event: Event, graph: Any, ctx: Any) -> None:
    """Write the memo of an incident from what the rules have found."""
    findings = _findings(ctx.view)
    memo = _memo(graph, ctx.view, _summary(ctx.view, findings), findings)
    hand_in(graph, ctx, "memo", memo, approved=ctx.settings.auto_approve_memos)


def _memo(graph: Any, view: View, summary: str, findings: list[dict[str, Any]], left_out: int = 0) -> dict[str, Any]:
    """The data of a memo.

    Args:
        left_out: Findings of a draft that no hypothesis has.
    """
    incident = incident_in(view)
    signals = signals_in(view)
    inquiries = view.objects("inquiry")
    conflicts = [_conflict(each) for each in view.objects("conflict")]
    open_conflicts = counted(len(conflicts), "conflict is open", "conflicts are open")
    return {
        "title": incident.data["title"],
        "incident": incident.id,
        "summary": summary,
        "timeline": {"entries": _entries(signals), "notes": _notes(view, findings, left_out)},
        "inquiries_answered": [_answered(view, each) for each in inquiries if each.data["status"] == "answered"],
        "inquiries_unresolved": [_unresolved(each, signals) for each in inquiries if each.data["status"] != "answered"],
        "findings": findings,
        "open_conflicts": conflicts,
        "conflicts_note": open_conflicts if conflicts else NO_CONFLICTS,
        "actions": [_action(graph.get_object(id)) for id in incident.data["actions"]],
    }


def _summary(view: View, findings: Sequence[dict[str, Any]]) -> str:
    incident, signals = incident_in(view), signals_in(view)
    conflicts, inquiries = len(view.objects("conflict")), view.objects("inquiry")
    logged = [signal for signal in signals if signal.source == "log" and signal.kind != "unreadable"]
    if not logged:
        return f"{incident.data['title']}: there is no signal to review."
    first_at, last_at = incident.data["first_at"], incident.data["last_at"]
    count = sum(signal.count for signal in logged)
    tell = counted(count, "line of the log tells", "lines of the log tell")
    text = f"{tell} of trouble {between(first_at, last_at)}"
    lasted = seconds_between(first_at, last_at)
    text += f", over {duration(lasted)}." if lasted else "."
    confirmed = [finding["title"] for finding in findings if finding["status"] == "confirmed"]
    if confirmed:
        text += f" Confirmed: {'; '.join(confirmed)}."
    open_ones = [finding["title"] for finding in findings if finding["status"] == "open"]
    if open_ones:
        text += f" Not settled: {'; '.join(open_ones)}."
    if conflicts:
        text += f" {counted(conflicts, 'conflict is', 'conflicts are')} open."
    unresolved = sum(1 for inquiry in inquiries if inquiry.data["status"] == "unresolved")
    if unresolved:
        text += f" {counted(unresolved, 'inquiry is', 'inquiries are')} unresolved."
    return text


def _entries(signals: Sequence[SignalView]) -> list[dict[str, Any]]:
    logged = [signal for signal in signals if signal.source == "log" and signal.kind != "unreadable"]
    return [
        {
            "at": signal.first_at,
            "until": signal.last_at,
            "text": signal.title,
            "signal": signal.id,
            "lines": list(signal.lines[:5]),
            "count": signal.count,
        }
        for signal in sorted(logged, key=lambda signal: (signal.first_at, signal.line))[:_ENTRIES]
    ]


def _notes(view: View, findings: Sequence[dict[str, Any]], left_out: int) -> list[str]:
    incident, signals, inquiries = incident_in(view), signals_in(view), view.objects("inquiry")
    notes = []
    if not findings:
        notes.append(NO_RULE_MATCHED if incident.data["inquiries_wanted"] is None else NOTHING_BACKED)
    notes += [f"not found: {each}" for inquiry in inquiries for each in inquiry.data["not_found"]]
    if total := incident.data["left_out"] + left_out:
        were = "was" if total == 1 else "were"
        notes.append(f"{counted(total, 'claim')} that nothing in the record bears out {were} left out")
    more = sum(1 for signal in signals if signal.source == "log" and signal.kind != "unreadable") - _ENTRIES
    if more > 0:
        notes.append(f"{counted(more, 'more signal is', 'more signals are')} not listed here")
    for signal in signals:
        if signal.kind == "unreadable":
            shown = ", ".join(str(line) for line in signal.lines[:10])
            rest = f" and {signal.count - 10} more" if signal.count > 10 else ""
            notes.append(f"{counted(signal.count, 'line')} could not be read: {shown}{rest}")
    return notes


def _answered(view: View, inquiry: Object) -> dict[str, Any]:
    return {
        "inquiry": inquiry.id,
        "question": inquiry.data["question"],
        "hypotheses": sources_of(view, inquiry.id, "answers"),
    }


def _unresolved(inquiry: Object, signals: Sequence[SignalView]) -> dict[str, Any]:
    owned = [signal for signal in signals if signal.id in set(inquiry.data["signals"])]
    return {
        "inquiry": inquiry.id,
        "question": inquiry.data["question"],
        "signals": [signal.id for signal in owned],
        "lines": lines_of(owned),
    }


def _findings(view: View) -> list[dict[str, Any]]:
    """What was not refuted: the confirmed before the open, in the order of their inquiries."""
    hypotheses = [each for each in view.objects("hypothesis") if each.data["status"] != "refuted"]
    findings = []
    for hypothesis in sorted(hypotheses, key=lambda each: each.data["status"] != "confirmed"):
        backed = [view.get_object(id) for id in sources_of(view, hypothesis.id, "backs")]
        evidence = [each for each in backed if each is not None]
        findings.append(
            {
                "hypothesis": hypothesis.id,
                "title": hypothesis.data["title"],
                "text": hypothesis.data["statement"],
                "status": hypothesis.data["status"],
                "confidence": hypothesis.data["confidence"],
                "evidence": [each.id for each in evidence if each.data["stance"] == "for"],
                "evidence_against": [each.id for each in evidence if each.data["stance"] == "against"],
            }
        )
    return findings


def _conflict(conflict: Object) -> dict[str, Any]:
    return {
        "conflict": conflict.id,
        "text": conflict.data["statement"],
        "hypotheses": list(conflict.data["hypotheses"]),
    }


def _action(action: Object) -> dict[str, Any]:
    return {"action": action.id, **{name: action.data[name] for name in ("title", "detail", "priority", "owner_role")}}
