"""The behaviors of a review in rules mode: what each one waits for, and what it sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from activegraph.behaviors.base import AnyBehavior, Behavior
from activegraph.packs.incident_review.behaviors.actions import action_rules
from activegraph.packs.incident_review.behaviors.answering import answering_rules
from activegraph.packs.incident_review.behaviors.conflicts import conflict_detector
from activegraph.packs.incident_review.behaviors.gates import memo_gate, readiness_gate
from activegraph.packs.incident_review.behaviors.intake import NEWEST_EVENTS, intake
from activegraph.packs.incident_review.behaviors.memo import memo_rules
from activegraph.packs.incident_review.behaviors.planning import inquiry_rules
from activegraph.packs.incident_review.behaviors.reminders import stale_inquiry
from activegraph.packs.incident_review.behaviors.weighing import evidence_weigher
from activegraph.packs.incident_review.settings import IncidentReviewSettings

__all__ = ["rules_behaviors"]


class _Row(NamedTuple):
    function: Callable[..., None]
    on: str
    where: Mapping[str, Any]
    view: Mapping[str, Any]
    creates: Sequence[str] = ()
    settings: bool = False


def _around(path: str, depth: int) -> dict[str, Any]:
    # Every behavior sees its own incident only, so that a long log costs no more per incident.
    return {"around": f"event.payload.{path}", "depth": depth, "recent_events": 0}


_NOTHING = {"include_types": [], "recent_events": 0, "around": []}

_TABLE = (
    _Row(intake, "goal.created", {}, {"around": [], "recent_events": NEWEST_EVENTS}, ["incident"]),
    _Row(inquiry_rules, "object.created", {"object.type": "incident"}, _around("id", 1), ["inquiry"]),
    _Row(
        answering_rules,
        "object.created",
        {"object.type": "inquiry"},
        _around("id", 2),
        ["hypothesis", "evidence"],
        settings=True,
    ),
    _Row(evidence_weigher, "relation.created", {"relation.type": "backs"}, _around("target", 1)),
    _Row(
        conflict_detector, "relation.created", {"relation.type": "contradicts"}, _NOTHING, ["conflict"], settings=True
    ),
    _Row(
        readiness_gate,
        "patch.applied",
        {"diff.status.old": "open", "patch.value.status": {"in": ["answered", "unresolved"]}},
        _around("target", 2),
    ),
    _Row(stale_inquiry, "patch.applied", {"patch.value.status": "unresolved"}, _around("target", 2), ["reminder"]),
    _Row(action_rules, "review.ready", {}, _around("incident", 2), ["action"]),
    _Row(memo_gate, "object.created", {"object.type": "action"}, _NOTHING),
    _Row(memo_rules, "memo.requested", {}, _around("incident", 3), ["memo"]),
)


def rules_behaviors(settings: IncidentReviewSettings | None = None) -> list[AnyBehavior]:
    """The behaviors that review incidents by rules; they need neither a model nor a network."""
    chosen = IncidentReviewSettings() if settings is None else settings
    return [
        Behavior(
            name=row.function.__name__,
            fn=partial(row.function, settings=chosen) if row.settings else row.function,
            on=[row.on],
            where=dict(row.where) or None,
            view_spec=dict(row.view),
            creates=list(row.creates),
        )
        for row in _TABLE
    ]
