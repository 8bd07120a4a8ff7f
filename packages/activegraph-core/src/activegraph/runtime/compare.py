"""When two events say the same: what resume compares a re-executed invocation by."""

from __future__ import annotations

from typing import Any

from activegraph.core.codec import encode_payload_bytes
from activegraph.core.event import Event
from activegraph.core.frozen import thaw
from activegraph.errors import ReplayDivergenceError

__all__ = ["require_same"]

_LEFT_OUT = frozenset(
    {
        "provenance",
        "timestamp",
        "run_id",
        "latency_seconds",
        "cache_hit",
        "attempt_index",
        "max_attempts",
        "retry_of",
        "resolved_by",
        "snapshot",
        "budget_remaining_usd",
        "traceback",
    }
)
"""Payload keys that may differ between two executions of one invocation, at any depth."""


def _essence(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _essence(item)
            for key, item in value.items()
            if key not in _LEFT_OUT and not key.startswith("estimated_")
        }
    if isinstance(value, list):
        return [_essence(item) for item in value]
    return value


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
    before, after = _essence(thaw(recorded.payload)), _essence(thaw(actual.payload))
    for key in {**before, **after}:
        old, new = before.get(key), after.get(key)
        if (key in before) != (key in after) or encode_payload_bytes({"": old}) != encode_payload_bytes({"": new}):
            differing[key] = (old, new)
    if differing:
        raise ReplayDivergenceError(
            event_id=recorded.id,
            expected=_shown({key: pair[0] for key, pair in differing.items()}),
            actual=_shown({key: pair[1] for key, pair in differing.items()}),
        )


def _require_same_prompt(recorded: Event, actual: Event) -> None:
    asked, asks = recorded.payload.get("prompt_hash"), actual.payload.get("prompt_hash")
    if asked != asks:
        raise ReplayDivergenceError(event_id=recorded.id, expected=f"prompt_hash={asked}", actual=f"prompt_hash={asks}")


def _shown(fields: dict[str, Any]) -> str:
    return "payload=" + encode_payload_bytes(fields).decode("utf-8")
