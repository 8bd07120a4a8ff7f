"""Events and logs as tests of stores make and compare them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from activegraph.core.event import NO_DIGEST, Event, digest_of
from activegraph.store import RawEvent

__all__ = ["event", "events", "is_whole", "raw", "start_python"]


def event(id: str, type: str = "note.taken", **fields: Any) -> Event:
    """An event with the fields that the test is about."""
    payload = fields.pop("payload", {"text": id})
    return Event(id=id, type=type, payload=payload, timestamp=fields.pop("timestamp", "2026-05-15T10:32:01Z"), **fields)


def events(first: int, last: int, type: str = "note.taken") -> list[Event]:
    """`evt_00N` for a range of numbers, both ends inclusive."""
    return [event(f"evt_{n:03d}", type) for n in range(first, last + 1)]


def raw(store: Any) -> list[RawEvent]:
    """All rows of a store."""
    return list(store.iter_raw())


def is_whole(rows: list[RawEvent]) -> bool:
    """Whether rows are dense from 1 and chained by their digests."""
    digest = NO_DIGEST
    for position, row in enumerate(rows, 1):
        digest = digest_of(
            digest,
            row.id,
            row.type,
            row.payload.encode("utf-8"),
            row.actor,
            row.frame_id,
            row.caused_by,
            row.timestamp,
        )
        if row.position != position or row.digest != digest:
            return False
    return True


def start_python(code: str, *arguments: str | Path, **options: Any) -> subprocess.Popen[str]:
    """A Python process that runs `code`; its output is text on a pipe."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True, **options)
