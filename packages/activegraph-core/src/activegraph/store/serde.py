"""Events as rows, and rows as events: what every store and every export uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from activegraph.core.codec import (
    CodecError,
    check_header,
    decode_canonical,
    decode_value,
    encode_payload_bytes,
    encode_value,
)
from activegraph.core.event import Event, canonical_payload, event_digest, make_event
from activegraph.errors import CorruptedEventPayloadError, NonSerializableEventError

__all__ = [
    "NonSerializableEventError",
    "canonicalize_event",
    "clone_event",
    "decode_event",
    "decode_payload",
    "decode_stored_payload",
    "decode_value",
    "encode_event",
    "encode_payload",
    "encode_value",
    "event_digest",
    "stored_event",
    "validate_event",
]

_PREVIEW = 120
_HEADER = ("id", "type", "actor", "frame_id", "caused_by", "timestamp")

_skim = msgspec.json.Decoder(msgspec.Raw).decode


def encode_payload(payload: dict[str, Any]) -> str:
    """A payload as canonical text, past the event boundary."""
    return encode_payload_bytes(payload).decode("utf-8")


def decode_payload(text: str | bytes) -> dict[str, Any]:
    """The payload that the text holds.

    Raises:
        CorruptedEventPayloadError: It holds none.
    """
    return decode_stored_payload(text)


def decode_stored_payload(
    text: str | bytes, *, event_id: str | None = None, run_id: str | None = None
) -> dict[str, Any]:
    """The payload of a stored event, or the error that names the event."""
    try:
        payload = decode_canonical(text)
    except CodecError as error:
        raise corrupted(text, str(error), event_id=event_id, run_id=run_id) from error
    if not isinstance(payload, dict):
        raise corrupted(text, "a payload is a JSON object", event_id=event_id, run_id=run_id)
    return payload


def stored_event(
    id: str,
    type: str,
    payload: str,
    actor: str | None,
    frame_id: str | None,
    caused_by: str | None,
    timestamp: str,
    *,
    run_id: str,
) -> Event:
    """An event over text read from a database, which is skimmed now and decoded when looked at.

    Raises:
        CorruptedEventPayloadError: The text is no payload.
    """
    raw = payload.encode("utf-8", "surrogatepass")
    try:
        _skim(raw)
        sound = raw[:1] == b"{" and b'"$ag.' not in raw
    except msgspec.MsgspecError:
        sound = False
    if not sound:
        decode_stored_payload(raw, event_id=id, run_id=run_id)
    return make_event(id, type, raw, actor, frame_id, caused_by, timestamp, canonical=False)


def corrupted(
    text: str | bytes, message: str, *, event_id: str | None, run_id: str | None
) -> CorruptedEventPayloadError:
    """The error for a payload that cannot be read."""
    shown = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    line, column = _place(message)
    name = "an event" if event_id is None else f"event {event_id!r}"
    return CorruptedEventPayloadError(
        f"the payload of {name} cannot be read: {message}",
        what_failed=f"Reading the payload of {name} of run {run_id!r}: {shown[:_PREVIEW]!r}",
        why="The log is the truth; a payload that cannot be read must not pass for an empty one.",
        how_to_fix="Restore the row from a copy, or recover the readable events:\n"
        "    activegraph migrate --from <url> --to <other url> --skip-corrupted",
        context={
            "event_id": event_id,
            "run_id": run_id,
            "line": line,
            "column": column,
            "preview": shown[:_PREVIEW],
            "underlying_msg": message,
        },
    )


def _place(message: str) -> tuple[int | None, int | None]:
    words = message.replace(":", " ").split()
    if "line" in words and "column" in words:
        line, column = words[words.index("line") + 1], words[words.index("column") + 1]
        if line.isdigit() and column.isdigit():
            return int(line), int(column)
    return None, None


def encode_event(event: Event) -> dict[str, Any]:
    """A row: the seven fields, payload as canonical text."""
    validate_header(event)
    return {
        "id": event.id,
        "type": event.type,
        "payload": canonical_payload(event).decode("utf-8"),
        "actor": event.actor,
        "frame_id": event.frame_id,
        "caused_by": event.caused_by,
        "timestamp": event.timestamp,
    }


def decode_event(row: Mapping[str, Any]) -> Event:
    """The event of a row; absent optional keys become None, an absent timestamp empty."""
    return stored_event(
        row["id"],
        row["type"],
        row["payload"],
        row.get("actor"),
        row.get("frame_id"),
        row.get("caused_by"),
        row.get("timestamp") or "",
        run_id="",
    )


def validate_header(event: Event) -> None:
    """Refuse header fields that no store could carry."""
    for name in _HEADER:
        check_header(name, getattr(event, name))


def validate_event(event: Event) -> None:
    """Raise `NonSerializableEventError` if a store could not carry the event."""
    validate_header(event)
    canonical_payload(event)


def canonicalize_event(event: Event) -> Event:
    """The event as a store would return it, detached."""
    validate_header(event)
    return make_event(
        event.id,
        event.type,
        canonical_payload(event),
        event.actor,
        event.frame_id,
        event.caused_by,
        event.timestamp,
        canonical=True,
    )


def clone_event(event: Event) -> Event:
    """A detached copy of an event."""
    return canonicalize_event(event)
