"""Records: events as a run carries them from their making to its log.

Thousands are made a second and few are looked at, so a record is a plain struct over the canonical bytes
of its payload. Whoever is to see one (a behavior, a listener, a store, a reader) is given an `Event`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, overload

from msgspec import Struct

from activegraph.core.codec import check_header
from activegraph.core.event import Event, canonical_event, canonical_payload, event_as_read

__all__ = ["EventBatch", "EventRecord", "Events", "RecordAsRead", "record_of"]


class EventRecord(Struct, frozen=True, gc=False):
    """One event: fields that `check_header` lets pass, and the canonical bytes of the payload."""

    id: str
    type: str
    payload: bytes
    actor: str | None
    frame_id: str | None
    caused_by: str | None
    timestamp: str

    def event(self) -> Event:
        """As others may see it; one of their own at each call."""
        return canonical_event(
            self.id, self.type, self.payload, self.actor, self.frame_id, self.caused_by, self.timestamp
        )


class RecordAsRead(EventRecord, frozen=True, gc=False):
    """An event as it was read from a database, where it may have been edited."""

    def event(self) -> Event:
        """As others may see it: an event whose payload is not taken for canonical."""
        return event_as_read(
            self.id, self.type, self.payload, self.actor, self.frame_id, self.caused_by, self.timestamp
        )


def record_of(event: Event) -> EventRecord:
    """`event` as a log takes it in: header checked, payload past the event boundary, nothing kept by reference.

    Raises:
        NonSerializableEventError: A field or the payload holds what the log cannot carry.
    """
    return EventRecord(
        check_header("id", event.id),
        check_header("type", event.type),
        canonical_payload(event),
        check_header("actor", event.actor),
        check_header("frame_id", event.frame_id),
        check_header("caused_by", event.caused_by),
        check_header("timestamp", event.timestamp),
    )


class Events(Sequence[Event]):
    """Events that are made when they are looked at; equal to a list of the same."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, (str, bytes)):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"<{len(self)} events>"


class EventBatch(Events):
    """Records as the sequence of events that a store is given; a store of ours takes the records themselves."""

    __slots__ = ("records",)

    def __init__(self, records: Sequence[EventRecord]) -> None:
        self.records = records

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Event]:
        return (record.event() for record in self.records)

    @overload
    def __getitem__(self, place: int) -> Event: ...
    @overload
    def __getitem__(self, place: slice) -> list[Event]: ...
    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [record.event() for record in self.records[place]]
        return self.records[place].event()
