"""When two events say the same: what a re-execution is compared with its record by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from activegraph.core.codec import encode_payload_bytes
from activegraph.core.event import OF_ONE_EXECUTION, Event
from activegraph.core.frozen import thaw
from activegraph.errors import ReplayDivergenceError

__all__ = ["essence", "require_same", "shown_payload"]

_LEFT_OUT = OF_ONE_EXECUTION | {"provenance", "timestamp", "run_id"}
"""Payload keys that may differ between two executions."""

_ELEMENTS = ("object", "relation", "patch")


def essence(payload: Mapping[str, Any]) -> dict[str, Any]:
    """What two executions of the same thing must share of a payload.

    Left out is what the runtime writes of the time and the circumstances. What users put into their
    data counts, whatever they call it.
    """
    kept = {key: item for key, item in payload.items() if key not in _LEFT_OUT and not key.startswith("estimated_")}
    for name in _ELEMENTS:
        element = kept.get(name)
        if isinstance(element, dict):
            kept[name] = {key: item for key, item in element.items() if key != "provenance"}
    return kept


def require_same(recorded: Event, actual: Event) -> None:
    """Raise `ReplayDivergenceError` that pins `recorded` unless `actual` says the same.

    Compared are id, type, actor, cause and payload, less what no two executions share.
    """
    if recorded.type != actual.type:
        raise ReplayDivergenceError(event_id=recorded.id, expected=recorded.type, actual=actual.type)
    if recorded.type == "llm.requested":
        _require_same_prompt(recorded, actual)
    differing: dict[str, tuple[Any, Any]] = {
        name: (getattr(recorded, name), getattr(actual, name))
        for name in ("id", "actor", "caused_by")
        if getattr(recorded, name) != getattr(actual, name)
    }
    before, after = essence(thaw(recorded.payload)), essence(thaw(actual.payload))
    for key in {**before, **after}:
        old, new = before.get(key), after.get(key)
        if (key in before) != (key in after) or encode_payload_bytes({"": old}) != encode_payload_bytes({"": new}):
            differing[key] = (old, new)
    if differing:
        raise ReplayDivergenceError(
            event_id=recorded.id,
            expected=shown_payload({key: pair[0] for key, pair in differing.items()}),
            actual=shown_payload({key: pair[1] for key, pair in differing.items()}),
        )


def _require_same_prompt(recorded: Event, actual: Event) -> None:
    asked, asks = recorded.payload.get("prompt_hash"), actual.payload.get("prompt_hash")
    if asked != asks:
        raise ReplayDivergenceError(event_id=recorded.id, expected=f"prompt_hash={asked}", actual=f"prompt_hash={asks}")


def shown_payload(fields: dict[str, Any]) -> str:
    """Differing fields of a payload, as a divergence shows them."""
    return "payload=" + encode_payload_bytes(fields).decode("utf-8")
