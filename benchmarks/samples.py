"""The events that contestants write: Python dicts of about 370 bytes, as a behavior makes them."""

from __future__ import annotations

import json
from typing import Any

from activegraph.core.event import Event

__all__ = ["COLUMNS", "RUN", "event_dict", "events_of", "row"]

RUN = "01JX8MBENCHMARKRUN00000000"

COLUMNS = "run_id, position, id, type, actor, payload, frame_id, caused_by, timestamp, digest"


def event_dict(position: int) -> dict[str, Any]:
    """The seven fields of the event at a position."""
    return {
        "id": f"evt_{position:03d}",
        "type": "object.created",
        "payload": {
            "object": {
                "id": f"task#{position}",
                "type": "task",
                "data": {"title": "Look up the price of oak", "status": "open", "rank": position % 7, "score": 0.5},
                "version": 1,
                "provenance": {
                    "created_by": "planner",
                    "caused_by_event": "evt_001",
                    "frame_id": None,
                    "timestamp": "2026-05-15T10:32:01Z",
                    "evidence": [],
                    "run_id": RUN,
                },
            },
            "id": f"task#{position}",
        },
        "actor": "planner",
        "frame_id": None,
        "caused_by": "evt_001",
        "timestamp": "2026-05-15T10:32:01Z",
    }


def events_of(dicts: list[dict[str, Any]]) -> list[Event]:
    """As events, payloads still the user's dicts."""
    return [Event(**fields) for fields in dicts]


def row(position: int, fields: dict[str, Any]) -> tuple[Any, ...]:
    """What a bare driver inserts; the payload is encoded with the standard library."""
    return (
        RUN,
        position,
        fields["id"],
        fields["type"],
        fields["actor"],
        json.dumps(fields["payload"]),
        fields["frame_id"],
        fields["caused_by"],
        fields["timestamp"],
        bytes(32),
    )
