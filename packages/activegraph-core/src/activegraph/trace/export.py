"""A log as JSON lines: one event, one line, canonical."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import IO

import msgspec

from activegraph.core.codec import decode_canonical, encode_payload_bytes
from activegraph.core.event import Event, raw_payload
from activegraph.errors import InvalidArgumentType
from activegraph.errors.base import shown

__all__ = ["checked_file", "event_line", "export_jsonl"]

_quote = msgspec.json.Encoder().encode


def checked_file(path: object) -> str | bytes:
    """A path to write to; a number would stand for a file that is open already, and close it behind the export.

    Raises:
        InvalidArgumentType: It is no path.
    """
    if isinstance(path, (str, bytes, os.PathLike)):
        named: str | bytes = os.fspath(path)
        return named
    raise InvalidArgumentType(
        f"an export goes to the path of a file, not to {shown(path)}",
        what_failed=f"Exporting a trace to `path={shown(path)}`. Nothing was written.",
        why="The file is made, or written anew, and closed at the end.",
        how_to_fix='Pass a path, for example "trace.jsonl".',
        context={"argument": "path", "type": type(path).__name__},
    )


def event_line(event: Event) -> bytes:
    """`Event.to_dict()` as canonical JSON without a line end; reading it back gives an equal event."""
    payload = raw_payload(event)
    if "_canonical" not in event.__dict__:
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
