"""Rows: the events of a log as they are read, payloads undecoded."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from activegraph.core.codec import check_header
from activegraph.core.event import Event, raw_payload
from activegraph.core.record import RecordAsRead

__all__ = ["LogRow", "StoredEvent", "cause_of", "event_of", "record_of_row", "row_of"]


class StoredEvent(Struct, frozen=True, gc=False):
    """One event as read from a log, payload undecoded."""

    position: int
    id: str
    type: str
    actor: str | None
    payload: bytes
    frame_id: str | None
    caused_by: str | None
    timestamp: str

    def event(self) -> Event:
        """As an event (see `event_of`)."""
        return event_of(self)


class LogRow(Protocol):
    """What a scanner reads of an event: a `StoredEvent`, or a store's own `RawEvent`."""

    @property
    def position(self) -> int: ...
    @property
    def id(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def actor(self) -> str | None: ...
    @property
    def payload(self) -> bytes | str: ...
    @property
    def frame_id(self) -> str | None: ...
    @property
    def caused_by(self) -> str | None: ...
    @property
    def timestamp(self) -> str: ...


def record_of_row(row: LogRow) -> RecordAsRead:
    """A row as a record; its text may have been edited in the store, so it is not taken for canonical."""
    payload = row.payload
    raw = payload if isinstance(payload, bytes) else payload.encode("utf-8", "surrogatepass")
    return RecordAsRead(row.id, row.type, raw, row.actor, row.frame_id, row.caused_by, row.timestamp)


def event_of(row: LogRow) -> Event:
    """A row as an event."""
    return record_of_row(row).event()


def cause_of(row: LogRow) -> RecordAsRead:
    """A row as the record of an event that others are about to name as their cause.

    Raises:
        NonSerializableEventError: Its id was edited into what no event can name.
    """
    check_header("id", row.id)
    return record_of_row(row)


def row_of(position: int, event: Event) -> StoredEvent:
    """An event as the row that it has, or would have, at a position of a log."""
    return StoredEvent(
        position,
        event.id,
        event.type,
        event.actor,
        raw_payload(event),
        event.frame_id,
        event.caused_by,
        event.timestamp,
    )
