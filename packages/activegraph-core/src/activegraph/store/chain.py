"""Events as the rows behind a head: checked, encoded once, and chained by their digests.

One pass for all stores. A step is a few events and steps come by the thousand a second, so an event that
the runtime has made, and that is canonical already, costs hardly a call.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from operator import itemgetter
from typing import Any

import msgspec
from msgspec.structs import astuple

from activegraph.core.event import Event, canonical_payload
from activegraph.core.record import EventBatch, EventRecord, RecordAsRead
from activegraph.errors import ActiveGraphError
from activegraph.store.refusals import no_event
from activegraph.store.serde import header_of

__all__ = ["Row", "rows_behind"]

Row = tuple[int, str, str, str | None, str, str | None, str | None, str, bytes]
"""position, id, type, actor, payload, frame_id, caused_by, timestamp, digest: the order of `RawEvent`."""

_encode = msgspec.json.Encoder().encode
_Raw = msgspec.Raw
_header = itemgetter("id", "type", "actor", "frame_id", "caused_by", "timestamp")
_kind_of = type
_TEXT_OR_NONE = frozenset({str, type(None)})

_NUL = b"\\u0000"
"""How NUL reads in JSON; a payload may hold these signs behind a backslash, which does no harm."""


def rows_behind(events: Iterable[Event], position: int, digest: bytes) -> list[Row]:
    """Rows for `events` behind the event at `position`, whose digest this is.

    Raises:
        NonSerializableEventError: An event that no store could carry.
        InvalidArgumentType: Something that is no event.
    """
    rows: list[Row] = []
    event: Any = None
    try:
        for event in events.records if isinstance(events, EventBatch) else events:
            fields = astuple(event) if event.__class__ is EventRecord else _fields_of(event)
            id, type, payload, actor, frame_id, caused_by, timestamp = fields
            try:
                line = _encode((id, type, _Raw(payload), actor, frame_id, caused_by, timestamp))
            except (TypeError, UnicodeEncodeError):
                line = _NUL
            if _NUL in line:
                id, type, actor, frame_id, caused_by, timestamp = header_of(event)
                line = _encode((id, type, _Raw(payload), actor, frame_id, caused_by, timestamp))
            position += 1
            digest = sha256(digest + line).digest()
            rows.append((position, id, type, actor, payload.decode(), frame_id, caused_by, timestamp, digest))
    except (AttributeError, KeyError, TypeError) as error:
        if isinstance(event, (Event, EventRecord)) or isinstance(error, ActiveGraphError):
            raise
        raise no_event(event if isinstance(events, Iterable) else events) from None
    return rows


def _fields_of(event: Event | RecordAsRead) -> tuple[Any, ...]:
    """The fields of an event that others made or edited: its payload canonical, its header as a store carries it."""
    if isinstance(event, RecordAsRead):
        event = event.event()
    header = id, type, actor, frame_id, caused_by, timestamp = _header(event.__dict__)
    payload = canonical_payload(event)
    if not (_TEXT_OR_NONE.issuperset(map(_kind_of, header)) and id and type and timestamp is not None):
        id, type, actor, frame_id, caused_by, timestamp = header_of(event)
    return id, type, payload, actor, frame_id, caused_by, timestamp
