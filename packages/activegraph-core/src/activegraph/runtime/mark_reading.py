"""Which events of a log are marks of the runtime, and what they say.

A host may emit events of any type. What it emits is no mark: those name their trigger as their
cause, and stops, which have no cause, tell of the budget.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from activegraph.core.codec import UNREADABLE

__all__ = ["MARK_TYPES", "Mark", "Next", "Scheduled", "Stop", "Turn", "about_behavior", "mark_of"]


class Mark(Struct, gc=False):
    """A match, a start or an outcome: the turn that it stands in."""

    behavior: str
    event_id: str
    ordinal: int = 0
    relation_id: str | None = None


class Scheduled(Struct, gc=False):
    """A `behavior.scheduled`."""

    behavior: str
    event_id: str
    fire_at_tick: int
    ordinal: int = 0


class Turn(Struct, gc=False):
    """The turn before which the loop stopped; its event is the trigger of a delayed entry, where it is one."""

    behavior: str = ""
    ordinal: int | None = None
    event_id: str = ""


class Next(Struct, gc=False):
    """How far the order of work had got at a stop."""

    event_id: str | None = None
    finished: bool = True
    turn: Turn | None = None


class Stop(Struct, gc=False):
    """A `runtime.*` event."""

    snapshot: dict[str, Any]
    exhausted_by: str | None = None
    next: Next | None = None


class _About(Struct, gc=False):
    behavior: msgspec.Raw = msgspec.Raw(b"null")


_decode_about = msgspec.json.Decoder(_About).decode
_decode_mark = msgspec.json.Decoder(Mark).decode
_decode_stop = msgspec.json.Decoder(Stop).decode
_DECODERS: dict[str, Callable[[bytes | str], Mark | Scheduled | Stop]] = {
    "pattern.matched": _decode_mark,
    "behavior.started": _decode_mark,
    "relation_behavior.started": _decode_mark,
    "behavior.completed": _decode_mark,
    "behavior.failed": _decode_mark,
    "behavior.scheduled": msgspec.json.Decoder(Scheduled).decode,
    "runtime.idle": _decode_stop,
    "runtime.budget_exhausted": _decode_stop,
    "runtime.paused": _decode_stop,
}

MARK_TYPES = frozenset(_DECODERS)
"""Types of events that are marks if the runtime wrote them."""


def mark_of(
    type: str, actor: str | None, caused_by: str | None, payload: bytes | str
) -> Mark | Scheduled | Stop | None:
    """What the event says as a mark; None where it is none, or cannot be read as one."""
    if actor != "runtime":
        return None
    decode = _DECODERS.get(type)
    if decode is None:
        return None
    try:
        mark = decode(payload)
    except UNREADABLE:
        return None
    return mark if caused_by == getattr(mark, "event_id", None) else None


def about_behavior(payload: bytes | str) -> str | None:
    """The behavior that an internal event is about."""
    try:
        name = msgspec.json.decode(_decode_about(payload).behavior)
    except msgspec.MsgspecError:
        return None
    return name if isinstance(name, str) else None
