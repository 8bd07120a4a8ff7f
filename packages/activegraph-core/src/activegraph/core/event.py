"""The event: one record of a run's log, and the digest that chains it to its predecessor.

An event made by this system carries its payload as canonical JSON bytes and decodes it only
when somebody reads `payload`; what is handed out then is frozen. An event built by a user
carries the dict that it was built with until a graph or a store takes it in, which detaches it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import msgspec

from activegraph.core.codec import decode_canonical, encode_payload_bytes
from activegraph.core.frozen import freeze, thaw

__all__ = [
    "INTERNAL_FAMILIES",
    "NO_DIGEST",
    "OF_ONE_EXECUTION",
    "Event",
    "canonical_event",
    "canonical_payload",
    "digest_of",
    "event_as_read",
    "event_digest",
    "raw_payload",
]

INTERNAL_FAMILIES = (
    "behavior.",
    "relation_behavior.",
    "runtime.",
    "llm.",
    "tool.",
    "pattern.",
    "approval.",
)
"""How types begin that are queued only where a behavior names them; a run with only such events behind its idle is idle."""

OF_ONE_EXECUTION = frozenset(
    {
        "latency_seconds",
        "cache_hit",
        "attempt_index",
        "max_attempts",
        "retry_of",
        "resolved_by",
        "budget_remaining_usd",
    }
)
"""Payload keys that the runtime writes of how a call went, which two executions of the same thing need not share."""

NO_DIGEST = bytes(32)
"""What the first event of a run is chained to."""

_EMPTY: dict[str, Any] = {}
"""Stands for a payload that was not given: each such event gets an empty one of its own."""

_encode = msgspec.json.Encoder().encode
_Raw = msgspec.Raw


@dataclass(frozen=True)
class Event:
    """One immutable record of a run's log.

    Attributes:
        id: `evt_NNN`, or any text that the host chose; unique within its run.
        type: Dotted lowercase by convention.
        payload: JSON-like values. Frozen once a graph or a store has handed the event out.
        actor: Who caused it: `"user"`, `"system"`, `"runtime"` or the name of a behavior.
        frame_id: The frame of the run, if it has one.
        caused_by: Id of the event that led to this one.
        timestamp: ISO 8601, UTC, set by the emitter.
    """

    id: str
    type: str
    payload: dict[str, Any] = field(default_factory=dict)
    actor: str | None = None
    frame_id: str | None = None
    caused_by: str | None = None
    timestamp: str = ""

    # The dataclass's own would go through `object.__setattr__` for each field, at twice the time.
    def __init__(
        self,
        id: str,
        type: str,
        payload: dict[str, Any] = _EMPTY,
        actor: str | None = None,
        frame_id: str | None = None,
        caused_by: str | None = None,
        timestamp: str = "",
    ) -> None:
        fields = self.__dict__
        fields["id"] = id
        fields["type"] = type
        fields["payload"] = {} if payload is _EMPTY else payload
        fields["actor"] = actor
        fields["frame_id"] = frame_id
        fields["caused_by"] = caused_by
        fields["timestamp"] = timestamp

    def to_dict(self) -> dict[str, Any]:
        """The seven fields in order, payload as plain dicts and lists."""
        return {
            "id": self.id,
            "type": self.type,
            "payload": thaw(self.payload),
            "actor": self.actor,
            "frame_id": self.frame_id,
            "caused_by": self.caused_by,
            "timestamp": self.timestamp,
        }

    def __getstate__(self) -> dict[str, Any]:
        return self.to_dict()

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__dict__.update(state)


class _DecodedWhenRead:
    """The payload of an event over JSON bytes. Once decoded it is an instance attribute, which is found first."""

    def __get__(self, event: Event | None, owner: type[Event]) -> Any:
        raw = None if event is None else _json_of(event)
        if event is None or raw is None:
            raise AttributeError(f"{owner.__name__!r} object has no attribute 'payload'")
        payload = event.__dict__["payload"] = freeze(decode_canonical(raw))
        return payload


def _json_of(event: Event) -> bytes | None:
    """The payload as the JSON bytes that the event carries, if it carries any."""
    fields = event.__dict__
    raw: bytes | None = fields.get("_canonical")
    return fields.get("_as_read") if raw is None else raw


# Behind the dataclass's back, which would take it for the default.
Event.payload = _DecodedWhenRead()  # type: ignore[assignment]

_new_event = object.__new__


def canonical_event(
    id: str,
    type: str,
    payload: bytes,
    actor: str | None,
    frame_id: str | None,
    caused_by: str | None,
    timestamp: str,
) -> Event:
    """An event over the canonical bytes of its payload, which are decoded and frozen when `payload` is read.

    Nothing is checked here: the payload is known to be canonical, the other fields to be what `check_header` lets pass.
    """
    event = _new_event(Event)
    # One by one, so that all events share one table of keys.
    fields = event.__dict__
    fields["id"] = id
    fields["type"] = type
    fields["actor"] = actor
    fields["frame_id"] = frame_id
    fields["caused_by"] = caused_by
    fields["timestamp"] = timestamp
    fields["_canonical"] = payload
    return event


def event_as_read(
    id: str,
    type: str,
    payload: bytes,
    actor: str | None,
    frame_id: str | None,
    caused_by: str | None,
    timestamp: str,
) -> Event:
    """An event as it was read from a database, where it may have been edited.

    It is checked and encoded again wherever canonical form is asked for.
    """
    event = canonical_event(id, type, payload, actor, frame_id, caused_by, timestamp)
    fields = event.__dict__
    fields["_as_read"] = fields.pop("_canonical")
    return event


def canonical_payload(event: Event) -> bytes:
    """The payload's canonical bytes; a payload of a user's own event passes the event boundary.

    Raises:
        NonSerializableEventError: The payload holds a value that the canonical form refuses.
    """
    canonical: bytes | None = event.__dict__.get("_canonical")
    return encode_payload_bytes(event.payload) if canonical is None else canonical


def raw_payload(event: Event) -> bytes:
    """The payload as JSON bytes, as stored where the event came from a store."""
    raw = _json_of(event)
    return encode_payload_bytes(event.payload) if raw is None else raw


def digest_of(
    previous: bytes,
    id: str,
    type: str,
    payload: bytes,
    actor: str | None,
    frame_id: str | None,
    caused_by: str | None,
    timestamp: str,
) -> bytes:
    """SHA-256 over the predecessor's digest and the canonical array of the seven fields."""
    return sha256(previous + _encode((id, type, _Raw(payload), actor, frame_id, caused_by, timestamp))).digest()


def event_digest(previous: bytes, event: Event) -> bytes:
    """The digest of `event` behind `previous`; 32 zero bytes for the first event of a run."""
    return digest_of(
        previous,
        event.id,
        event.type,
        canonical_payload(event),
        event.actor,
        event.frame_id,
        event.caused_by,
        event.timestamp,
    )
