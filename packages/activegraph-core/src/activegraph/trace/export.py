"""A log as JSON lines: one event, one line, canonical."""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO

import msgspec

from activegraph.core.codec import decode_canonical, encode_payload_bytes
from activegraph.core.event import Event, raw_payload

__all__ = ["event_line", "export_jsonl"]

_quote = msgspec.json.Encoder().encode


def event_line(event: Event) -> bytes:
    """`Event.to_dict()` as canonical JSON without a line end; reading it back gives an equal event."""
    payload = raw_payload(event)
    if not event.__dict__.get("_canonical"):
        # Text from a store may have been edited, line breaks included.
        payload = encode_payload_bytes(decode_canonical(payload))
    return b'{"id":%b,"type":%b,"payload":%b,"actor":%b,"frame_id":%b,"caused_by":%b,"timestamp":%b}' % (
        _quote(event.id),
        _quote(event.type),
        payload,
        _quote(event.actor),
        _quote(event.frame_id),
        _quote(event.caused_by),
        _quote(event.timestamp),
    )


def export_jsonl(events: Iterable[Event], file: IO[bytes]) -> int:
    """Write one line per event; returns how many. Memory does not grow with the log."""
    count = 0
    for event in events:
        file.write(event_line(event) + b"\n")
        count += 1
    return count
