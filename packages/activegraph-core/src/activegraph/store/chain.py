"""Events as the rows behind a head: checked, encoded once, and chained by their digests.

One pass for all stores. A step is a few events and steps come by the thousand a second, so an event that
the runtime has made, and that is canonical already, costs hardly a call.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from operator import itemgetter

import msgspec

from activegraph.core.event import Event, canonical_payload
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
    event: Event | None = None
    try:
        for event in events:
            fields = event.__dict__
            header = id, type, actor, frame_id, caused_by, timestamp = _header(fields)
            payload: bytes | None = fields.get("_canonical")
            if payload is None:
                payload = canonical_payload(event)
                if not (_TEXT_OR_NONE.issuperset(map(_kind_of, header)) and id and type and timestamp is not None):
                    id, type, actor, frame_id, caused_by, timestamp = header_of(event)
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
        if isinstance(event, Event) or isinstance(error, ActiveGraphError):
            raise
        raise no_event(event if isinstance(events, Iterable) else events) from None
    return rows
