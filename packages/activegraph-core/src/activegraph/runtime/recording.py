"""The record of a run: what a store keeps of it beside its events."""

from __future__ import annotations

from typing import Any

from activegraph.core.clock import Clock
from activegraph.core.event import Event
from activegraph.core.log import LogStore

__all__ = ["goal_of", "record_run"]


def record_run(store: LogStore, **fields: Any) -> None:
    """Write fields of the run's record, where the store keeps any; None leaves a field as it is."""
    upsert = getattr(store, "upsert_run", None)
    get_run = getattr(store, "get_run", None)
    if upsert is None or get_run is None:
        return
    known = get_run()
    if known is not None and known.setup_count is not None:
        fields.pop("setup_count", None)
    # Not by the graph's clock, which is read once per event and for nothing else.
    created_at = Clock().now() if known is None else known.created_at
    upsert(created_at=created_at, **fields)


def goal_of(event: Event) -> str | None:
    """The goal that a `goal.created` event tells; None where it tells none."""
    goal = event.payload.get("goal")
    return goal if isinstance(goal, str) else None
