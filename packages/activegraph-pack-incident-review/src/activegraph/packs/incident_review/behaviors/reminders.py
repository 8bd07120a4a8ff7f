"""`stale_inquiry`: what no rule could answer is not forgotten."""

from __future__ import annotations

from typing import Any

from activegraph.core.event import Event
from activegraph.packs.incident_review.behaviors.objects import create, signals_in
from activegraph.packs.incident_review.rules.case import SignalView

__all__ = ["lines_of", "stale_inquiry"]


def stale_inquiry(event: Event, graph: Any, ctx: Any) -> None:
    """Make a reminder of an inquiry that ended unresolved, with the lines that it is about."""
    inquiry = ctx.view.get_object(event.payload["target"])
    owned = set(inquiry.data["signals"])
    signals = [signal for signal in signals_in(ctx.view) if signal.id in owned]
    create(
        graph,
        "reminder",
        title="an inquiry is unresolved",
        incident=inquiry.data["incident"],
        inquiry=inquiry.id,
        lines=lines_of(signals),
    )


def lines_of(signals: list[SignalView]) -> list[int]:
    """The first 100 line numbers of some signals, in order."""
    return sorted({line for signal in signals for line in signal.lines})[:100]
