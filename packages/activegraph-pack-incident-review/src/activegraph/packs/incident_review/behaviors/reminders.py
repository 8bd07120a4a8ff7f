"""What nobody has answered is not forgotten: `stale_inquiry`, and `failed_inquiry` for investigations that broke off."""

from __future__ import annotations

from typing import Any

from activegraph.core.event import Event
from activegraph.packs import behavior
from activegraph.packs.incident_review.behaviors.objects import around, signals_in
from activegraph.packs.incident_review.rules.case import SignalView
from activegraph.packs.incident_review.settings import by_model

__all__ = ["failed_inquiry", "lines_of", "stale_inquiry"]

_LATER = 12
"""Events after which an inquiry should have been answered."""

_NEWEST_EVENTS = 400
"""How far back the inquiry of a failed investigation is looked for first."""


@behavior(
    on=["object.created"],
    where={"object.type": "inquiry", "object.data.status": {"in": ["open", "unresolved"]}},
    view=around("id", 2),
    creates=["reminder"],
    activate_after=_LATER,
)
def stale_inquiry(event: Event, graph: Any, ctx: Any) -> None:
    """Make a reminder of an inquiry that is still without an answer, with the lines that it is about."""
    inquiry = graph.get_object(event.payload["id"])
    owned = set(inquiry.data["signals"])
    signals = [signal for signal in signals_in(ctx.view) if signal.id in owned]
    graph.add_object(
        "reminder",
        {
            "title": "an inquiry has no answer",
            "incident": inquiry.data["incident"],
            "inquiry": inquiry.id,
            "lines": lines_of(signals),
        },
    )


@behavior(
    on=["behavior.failed"],
    where={"behavior": {"in": ["incident_review.investigator"]}},
    view={"recent_events": _NEWEST_EVENTS},
    when=by_model,
)
def failed_inquiry(event: Event, graph: Any, ctx: Any) -> None:
    """Leave an inquiry unresolved whose investigation failed, so that the review goes on without it."""
    newest = ctx.view.events("object.created")
    asked = next((each.payload["id"] for each in newest if each.id == event.payload["event_id"]), None)
    if asked is None:
        # Failures come in the order of the inquiries: of those without an answer it is the oldest one's.
        asked = next((each.id for each in ctx.view.objects("inquiry") if each.data["status"] == "open"), None)
    if asked is not None:
        reason = event.payload.get("reason") or event.payload["exception_type"]
        note = f"the investigation failed: {reason}"
        graph.patch_object(asked, {"status": "unresolved", "not_found": [note]})


def lines_of(signals: list[SignalView]) -> list[int]:
    """The first 100 line numbers of some signals, in order."""
    return sorted({line for signal in signals for line in signal.lines})[:100]
