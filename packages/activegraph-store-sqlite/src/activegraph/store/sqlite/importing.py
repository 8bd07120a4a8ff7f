"""Writes a run that was recorded elsewhere into a file, compared with what is there."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from itertools import islice
from typing import Any

from activegraph.core.event import NO_DIGEST, digest_of
from activegraph.store.base import ImportResult, RawEvent, RunRecord
from activegraph.store.imports import check_same_origin, compare_existing, conflict, text_to_store, too_long
from activegraph.store.records import merged_record
from activegraph.store.sqlite import catalog, reads
from activegraph.store.sqlite.location import Location

__all__ = ["import_run"]

INSERT_IF_NEW = """
INSERT INTO events (run_id, position, id, type, actor, payload, frame_id, caused_by, timestamp, digest)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING"""

_BATCH = 1000


def import_run(
    location: Location, record: RunRecord, events: Iterable[RawEvent], *, busy_timeout: float = 30.0
) -> ImportResult:
    """Write a run and its rows in one transaction; rows that are there must say the same.

    Raises:
        LogInconsistencyError: Contents conflict (`reason` is `conflict`); nothing was written.
        CorruptedEventPayloadError: A payload is no text; nothing was written.
    """
    run_id = record.run_id
    inserted = existing = position = 0
    digest = NO_DIGEST
    source = iter(events)
    with catalog.write_transaction(location, busy_timeout) as connection:
        _import_record(connection, record)
        head = reads.head(connection, run_id).position
        while batch := list(islice(source, _BATCH)):
            held = _held(connection, run_id, position + 1, min(position + len(batch), head))
            rows = []
            for event in batch:
                position += 1
                if position <= head:
                    stored = held.get(position)
                    compare_existing(run_id, event, stored)
                    digest = (stored and stored.digest) or digest
                    existing += 1
                    continue
                row = _row(run_id, position, event, digest)
                digest = row[-1]
                rows.append(row)
            inserted += _insert(connection, run_id, rows)
        if head > position:
            raise too_long(run_id, position)
    return ImportResult(inserted, existing)


def _held(connection: sqlite3.Connection, run_id: str, start: int, stop: int) -> dict[int, RawEvent]:
    if start > stop:
        return {}
    return {row[0]: RawEvent(*row) for row in reads.page(connection, run_id, start, stop)}


def _row(run_id: str, position: int, event: RawEvent, previous: bytes) -> tuple[Any, ...]:
    text, digest = text_to_store(run_id, event), event.digest
    if digest is None:
        digest = digest_of(
            previous,
            event.id,
            event.type,
            text.encode("utf-8"),
            event.actor,
            event.frame_id,
            event.caused_by,
            event.timestamp,
        )
    return (
        run_id,
        position,
        event.id,
        event.type,
        event.actor,
        text,
        event.frame_id,
        event.caused_by,
        event.timestamp,
        digest,
    )


def _insert(connection: sqlite3.Connection, run_id: str, rows: list[tuple[Any, ...]]) -> int:
    if not rows:
        return 0
    written = connection.executemany(INSERT_IF_NEW, rows).rowcount
    if written != len(rows):
        taken = next(row[2] for row in rows if reads.position_of(connection, run_id, row[2]) != row[1])
        raise conflict(run_id, taken, "position differs")
    return written


def _import_record(connection: sqlite3.Connection, record: RunRecord) -> None:
    known = catalog.select_run(connection, record.run_id)
    if known is not None:
        check_same_origin(known, record)
    missing = {
        name: getattr(record, name)
        for name in ("label", "goal", "frame_id", "setup_count")
        if known is None or getattr(known, name) is None
    }
    merged = merged_record(
        record.run_id,
        known,
        created_at=record.created_at,
        parent_run_id=record.parent_run_id,
        forked_at_event_id=record.forked_at_event_id,
        **missing,
    )
    catalog.write_record(connection, merged)
