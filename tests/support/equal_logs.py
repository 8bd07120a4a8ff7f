"""When two logs are equal in the sense of a resumed run: what is compared, and what is left aside."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from activegraph.core.event import Event

__all__ = ["essence", "essences"]

_STOPS = ("runtime.budget_exhausted", "runtime.paused", "tool.in_doubt")
_LEFT_ASIDE = {"timestamp", "latency_seconds", "snapshot", "budget_remaining_usd", "traceback", "run_id"}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _plain(item)
            for key, item in value.items()
            if key not in _LEFT_ASIDE and not key.startswith("estimated_")
        }
    return [_plain(item) for item in value] if isinstance(value, list) else value


def essence(event: Event) -> tuple[Any, ...]:
    """What must be equal of one event."""
    return event.id, event.type, event.actor, event.caused_by, _plain(event.payload)


def essences(events: Iterable[Event]) -> list[tuple[Any, ...]]:
    """What must be equal of a whole log, in order."""
    return [essence(event) for event in events if event.type not in _STOPS]
