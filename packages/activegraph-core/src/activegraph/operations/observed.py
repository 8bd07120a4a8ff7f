"""Which behaviors a log tells of: what fired, not what is registered now."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from activegraph.core.codec import UNREADABLE
from activegraph.runtime.log_rows import StoredEvent
from activegraph.runtime.status import BehaviorInfo

__all__ = ["observed_behaviors"]


class _Payload(Struct, gc=False):
    behavior: str
    triggering_event_type: str | None = None
    pattern: str | None = None
    activate_after: int | None = None


class _Seen(Struct):
    kind: str = "function"
    subscribed_to: dict[str, None] = msgspec.field(default_factory=dict)
    pattern: str | None = None
    activate_after: int | None = None


_decode = msgspec.json.Decoder(_Payload).decode
_STARTS = ("behavior.started", "relation_behavior.started")
_TYPES = frozenset({*_STARTS, "behavior.scheduled", "pattern.matched", "llm.requested"})


def observed_behaviors(rows: Iterable[StoredEvent]) -> list[BehaviorInfo]:
    """The behaviors that these events tell of, in order of first appearance.

    A damaged payload tells of none. Memory follows the number of behaviors, not of events.
    """
    seen: dict[str, _Seen] = {}
    order: dict[str, None] = {}
    for row in rows:
        if row.type not in _TYPES or (row.actor != "runtime" and row.type != "llm.requested"):
            continue
        try:
            payload = _decode(row.payload)
        except UNREADABLE:
            continue
        info = seen.setdefault(payload.behavior, _Seen())
        _note(info, row.type, payload)
        if row.type in _STARTS or row.type == "behavior.scheduled":
            order.setdefault(payload.behavior)
    return [_info(name, seen[name]) for name in order]


def _note(info: _Seen, type: str, payload: _Payload) -> None:
    if type == "llm.requested":
        info.kind = "llm"
    elif type == "pattern.matched":
        info.pattern = payload.pattern
    elif type == "behavior.scheduled":
        info.activate_after = payload.activate_after
    else:
        if type == "relation_behavior.started":
            info.kind = "relation"
        if payload.triggering_event_type is not None:
            info.subscribed_to.setdefault(payload.triggering_event_type)


def _info(name: str, seen: _Seen) -> BehaviorInfo:
    return BehaviorInfo(name, seen.kind, tuple(seen.subscribed_to), seen.pattern, seen.activate_after)
