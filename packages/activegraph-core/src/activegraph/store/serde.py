"""Events as rows, and rows as events: what every store and every export uses."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec

from activegraph.core.codec import (
    UNREADABLE,
    CodecError,
    check_header,
    decode_canonical,
    decode_value,
    encode_payload_bytes,
    encode_value,
    may_hold_tags,
)
from activegraph.core.event import Event, canonical_payload, event_as_read, event_digest
from activegraph.core.log_lines import error_fields, say
from activegraph.core.record import record_of
from activegraph.errors import CorruptedEventPayloadError, LogInconsistencyError, NonSerializableEventError

__all__ = [
    "NonSerializableEventError",
    "canonicalize_event",
    "check_payload",
    "checked_payload",
    "clone_event",
    "decode_event",
    "decode_payload",
    "decode_stored_payload",
    "decode_value",
    "encode_event",
    "encode_payload",
    "encode_value",
    "event_digest",
    "header_of",
    "inconsistency_logged",
    "log_inconsistency",
    "stored_event",
    "validate_event",
]

_PREVIEW = 120
_NO_TEXT = "the payload is no UTF-8 text"

_decode = msgspec.json.Decoder().decode

_logger = logging.getLogger("activegraph.store")

Header = tuple[str, str, str | None, str | None, str | None, str]
"""id, type, actor, frame_id, caused_by, timestamp."""


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
        message = _NO_TEXT if isinstance(error.__cause__, UnicodeDecodeError) else str(error)
        raise corrupted(text, message, event_id=event_id, run_id=run_id) from error
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
    """An event over text read from a database, which is checked now and decoded when looked at.

    Raises:
        CorruptedEventPayloadError: The text is no payload.
    """
    try:
        raw = checked_payload(payload, event_id=id, run_id=run_id)
    except CorruptedEventPayloadError as error:
        log_inconsistency(error, run_id)
        raise
    return event_as_read(id, type, raw, actor, frame_id, caused_by, timestamp)


def checked_payload(text: str, *, event_id: str, run_id: str | None) -> bytes:
    """Stored text as bytes that are known to decode to a payload.

    Raises:
        CorruptedEventPayloadError: It holds none.
    """
    try:
        raw = text.encode("utf-8")
        sound = type(_decode(raw)) is dict and not may_hold_tags(raw)
    except (msgspec.MsgspecError, RecursionError):
        sound = False
    except (UnicodeEncodeError, AttributeError):
        # A column whose bytes are no UTF-8, or that holds no text at all.
        raise corrupted(str(text), _NO_TEXT, event_id=event_id, run_id=run_id) from None
    if not sound:
        decode_stored_payload(raw, event_id=event_id, run_id=run_id)
    return raw


def check_payload(raw: bytes, *, event_id: str, run_id: str | None) -> None:
    """Refuse stored bytes that do not decode to a payload, as `checked_payload` refuses text.

    Raises:
        CorruptedEventPayloadError: They hold none.
    """
    try:
        sound = type(_decode(raw)) is dict and not may_hold_tags(raw)
    except UNREADABLE:
        sound = False
    if not sound:
        decode_stored_payload(raw, event_id=event_id, run_id=run_id)


def log_inconsistency(error: CorruptedEventPayloadError | LogInconsistencyError, run_id: str | None) -> None:
    """The CRITICAL line of a log that cannot be read as it was written: one an error, and it quotes no payload."""
    if error.__dict__.get("_is_logged"):
        return
    error.__dict__["_is_logged"] = True
    fields = {"run_id": run_id, "event_id": error.context.get("event_id"), **error_fields(error)}
    known = {name: value for name, value in fields.items() if value is not None}
    say(_logger, logging.CRITICAL, "event log inconsistency: %s", error.summary, **known)


@contextmanager
def inconsistency_logged(run_id: str | None) -> Iterator[None]:
    """Log what the block finds to be no log of a run."""
    try:
        yield
    except (CorruptedEventPayloadError, LogInconsistencyError) as error:
        log_inconsistency(error, run_id)
        raise


def corrupted(
    text: str | bytes, message: str, *, event_id: str | None, run_id: str | None
) -> CorruptedEventPayloadError:
    """The error for a payload that cannot be read."""
    shown = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    preview = shown[:_PREVIEW].encode("utf-8", "replace").decode("utf-8")
    line, column = _place(message)
    name = "an event" if event_id is None else f"event {event_id!r}"
    of_run = "" if run_id is None else f" of run {run_id!r}"
    return CorruptedEventPayloadError(
        f"the payload of {name}{of_run} cannot be read: {message}",
        what_failed=f"Reading the payload of {name}{of_run}: {preview!r}",
        why="The log is the truth; a payload that cannot be read must not pass for an empty one.",
        how_to_fix="Restore the row from a copy, or recover the readable events:\n"
        "    activegraph migrate --from <url> --to <other url> --skip-corrupted",
        context={
            "event_id": event_id,
            "run_id": run_id,
            "line": line,
            "column": column,
            "preview": preview,
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
    id, type, actor, frame_id, caused_by, timestamp = header_of(event)
    return {
        "id": id,
        "type": type,
        "payload": canonical_payload(event).decode("utf-8"),
        "actor": actor,
        "frame_id": frame_id,
        "caused_by": caused_by,
        "timestamp": timestamp,
    }


def decode_event(row: Mapping[str, Any]) -> Event:
    """The event of a row; absent optional keys become None, an absent timestamp empty.

    Raises:
        CorruptedEventPayloadError: The row holds no payload.
    """
    text = row["payload"]
    if isinstance(text, (bytes, bytearray)):
        text = bytes(text).decode("utf-8", "surrogateescape")
    raw = checked_payload(text, event_id=row["id"], run_id=None)
    return event_as_read(
        row["id"],
        row["type"],
        raw,
        row.get("actor"),
        row.get("frame_id"),
        row.get("caused_by"),
        row.get("timestamp") or "",
    )


def header_of(event: Event) -> Header:
    """The six header fields as plain text, in the order of `Header`.

    Raises:
        NonSerializableEventError: A field that no store could carry; the path is its name.
    """
    return (
        check_header("id", event.id),
        check_header("type", event.type),
        check_header("actor", event.actor),
        check_header("frame_id", event.frame_id),
        check_header("caused_by", event.caused_by),
        check_header("timestamp", event.timestamp),
    )


def validate_header(event: Event) -> None:
    """Refuse header fields that no store could carry."""
    header_of(event)


def validate_event(event: Event) -> None:
    """Raise `NonSerializableEventError` if a store could not carry the event."""
    header_of(event)
    canonical_payload(event)


def canonicalize_event(event: Event) -> Event:
    """The event as a store would return it, detached."""
    return record_of(event).event()


def clone_event(event: Event) -> Event:
    """A detached copy of an event."""
    return canonicalize_event(event)
