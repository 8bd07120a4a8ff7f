"""Events as the rows behind a head: checked, encoded once, and chained by their digests.

One pass for all stores. A step is a few events and steps come by the thousand a second, so what is
ordinary (a payload that is canonical already, header fields that are text) costs hardly a call.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from operator import itemgetter

import msgspec

from activegraph.core.event import Event, canonical_payload
from activegraph.store.serde import header_of

__all__ = ["Row", "rows_behind"]

Row = tuple[int, str, str, str | None, str, str | None, str | None, str, bytes]
"""position, id, type, actor, payload, frame_id, caused_by, timestamp, digest: the order of `RawEvent`."""

_encode = msgspec.json.Encoder().encode
_Raw = msgspec.Raw
_header = itemgetter("id", "type", "actor", "frame_id", "caused_by", "timestamp")

_NUL = b"\\u0000"
"""How NUL reads in JSON; a payload may hold these signs behind a backslash, which does no harm."""


def rows_behind(events: Iterable[Event], position: int, digest: bytes) -> list[Row]:
    """Rows for `events` behind the event at `position`, whose digest this is.

    Raises:
        NonSerializableEventError: An event that no store could carry.
    """
    rows: list[Row] = []
    for event in events:
        fields = event.__dict__
        id, type_, actor, frame_id, caused_by, timestamp = _header(fields)
        payload: bytes = fields["_raw"] if fields.get("_canonical") else canonical_payload(event)
        line: bytes | None = None
        if (
            type(id) is type(type_) is type(timestamp) is str
            and (actor is None or type(actor) is str)
            and (frame_id is None or type(frame_id) is str)
            and (caused_by is None or type(caused_by) is str)
            and id
            and type_
        ):
            try:
                line = _encode((id, type_, _Raw(payload), actor, frame_id, caused_by, timestamp))
            except UnicodeEncodeError:
                line = None
        if line is None or _NUL in line:
            id, type_, actor, frame_id, caused_by, timestamp = header_of(event)
            line = _encode((id, type_, _Raw(payload), actor, frame_id, caused_by, timestamp))
        position += 1
        digest = sha256(digest + line).digest()
        rows.append((position, id, type_, actor, payload.decode(), frame_id, caused_by, timestamp, digest))
    return rows
