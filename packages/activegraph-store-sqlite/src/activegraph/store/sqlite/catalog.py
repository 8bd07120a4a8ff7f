"""What is known of the runs of a file: listed, recorded, forked and imported."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

from activegraph.core.event import NO_DIGEST, Event, canonical_payload, digest_of
from activegraph.errors import RunExistsError, RunNotFoundError
from activegraph.store.base import ImportResult, RawEvent, RunRecord
from activegraph.store.imports import compare_existing, conflict
from activegraph.store.memory import unknown_event
from activegraph.store.records import RunFields, merged_record, normalized_time, shown_text, status_of_stop
from activegraph.store.serde import validate_header
from activegraph.store.sqlite import reads
from activegraph.store.sqlite.connection import ReadOnlyDatabase, open_for_writing, sync_directory, sync_log
from activegraph.store.sqlite.driver_errors import translated
from activegraph.store.sqlite.writes import INSERT_EVENT

__all__ = ["fork_run", "import_run", "list_runs", "most_recent_run_id", "select_run", "upsert_run"]

# The last event tells the state by itself as a rule; only else are the stops looked up.
SELECT_RUNS = """
SELECT
    r.run_id, r.parent_run_id, r.forked_at_event_id, r.label, r.created_at, r.goal, r.frame_id, r.setup_count,
    e.position, e.id, e.type,
    CASE WHEN e.type LIKE 'runtime.%' OR e.seq IS NULL THEN NULL ELSE (
        SELECT s.type FROM (
            SELECT position, type FROM events WHERE run_id = r.run_id AND type = 'runtime.idle'
            UNION ALL
            SELECT position, type FROM events WHERE run_id = r.run_id AND type = 'runtime.budget_exhausted'
            UNION ALL
            SELECT position, type FROM events WHERE run_id = r.run_id AND type = 'runtime.paused'
        ) AS s ORDER BY s.position DESC LIMIT 1
    ) END
FROM runs AS r
LEFT JOIN events AS e ON e.seq = (
    SELECT l.seq FROM events AS l WHERE l.run_id = r.run_id ORDER BY l.position DESC LIMIT 1
)"""

SELECT_ALL_RUNS = SELECT_RUNS + "\nORDER BY r.created_at, r.run_id"
SELECT_ONE_RUN = SELECT_RUNS + "\nWHERE r.run_id = ?"

SELECT_LAST_APPENDED = "SELECT run_id FROM events ORDER BY seq DESC LIMIT 1"
SELECT_NEWEST_RUN = "SELECT run_id FROM runs ORDER BY created_at DESC, run_id DESC LIMIT 1"

UPSERT_RUN = """
INSERT INTO runs (run_id, parent_run_id, forked_at_event_id, label, created_at, goal, frame_id, setup_count)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (run_id) DO UPDATE SET
    parent_run_id = excluded.parent_run_id,
    forked_at_event_id = excluded.forked_at_event_id,
    label = excluded.label,
    goal = excluded.goal,
    frame_id = excluded.frame_id,
    setup_count = excluded.setup_count"""

COPY_PREFIX = """
INSERT INTO events (run_id, position, id, type, actor, payload, frame_id, caused_by, timestamp, digest)
SELECT ?, position, id, type, actor, payload, frame_id, caused_by, timestamp, digest
FROM events
WHERE run_id = ? AND position <= ?
ORDER BY position"""

INSERT_IF_NEW = """
INSERT INTO events (run_id, position, id, type, actor, payload, frame_id, caused_by, timestamp, digest)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING"""

_BATCH = 1000


def list_runs(path: str) -> list[RunRecord]:
    """All runs by `created_at`, then id."""
    return ReadOnlyDatabase(path).read(lambda connection: [_record(row) for row in connection.execute(SELECT_ALL_RUNS)])


def most_recent_run_id(path: str) -> str | None:
    """The run that was appended to last; without any event, the newest."""

    def look(connection: sqlite3.Connection) -> str | None:
        row = connection.execute(SELECT_LAST_APPENDED).fetchone()
        if row is None:
            row = connection.execute(SELECT_NEWEST_RUN).fetchone()
        return None if row is None else row[0]

    return ReadOnlyDatabase(path).read(look)


def select_run(connection: sqlite3.Connection, run_id: str) -> RunRecord | None:
    """The record of one run."""
    row = connection.execute(SELECT_ONE_RUN, (run_id,)).fetchone()
    return None if row is None else _record(row)


def upsert_run(connection: sqlite3.Connection, run_id: str, *, created_at: str, **fields: Any) -> None:
    """Insert or update a run's row inside an open transaction."""
    merged = merged_record(run_id, select_run(connection, run_id), created_at=created_at, **fields)
    connection.execute(UPSERT_RUN, tuple(RunFields.of(merged).__dict__.values()))


def fork_run(
    path: str,
    *,
    parent_run_id: str,
    new_run_id: str,
    at_event_id: str,
    label: str | None,
    created_at: str,
    extra_events: Sequence[Event] = (),
) -> int:
    """Copy a prefix into a new run, inside the database and in one transaction; returns its length."""
    # A fork creates no store: without one there is nothing to fork.
    ReadOnlyDatabase(path)
    with _write_transaction(path) as connection:
        parent = select_run(connection, parent_run_id)
        if parent is None:
            raise RunNotFoundError(
                f"no run {parent_run_id!r} in {path}",
                what_failed=f"Forking run {parent_run_id!r}. Nothing was created.",
                why="A fork begins with another run's events.",
                how_to_fix=f"See which runs there are: activegraph inspect sqlite:///{path}",
                context={"run_id": parent_run_id, "url": path},
            )
        position = reads.position_of(connection, parent_run_id, at_event_id)
        if position is None:
            raise unknown_event(at_event_id, parent_run_id, "fork", "sqlite")
        if select_run(connection, new_run_id) is not None:
            raise run_exists(new_run_id)
        setup_count = None if parent.setup_count is None else min(parent.setup_count, position)
        fields = RunFields(
            new_run_id,
            parent_run_id,
            at_event_id,
            shown_text(label),
            normalized_time(created_at),
            parent.goal,
            parent.frame_id,
            setup_count,
        )
        connection.execute(UPSERT_RUN, tuple(fields.__dict__.values()))
        connection.execute(COPY_PREFIX, (new_run_id, parent_run_id, position))
        if extra_events:
            connection.executemany(INSERT_EVENT, _rows_behind(connection, new_run_id, extra_events))
    return position


def import_run(path: str, record: RunRecord, events: Iterable[RawEvent]) -> ImportResult:
    """Write a run and its rows in one transaction; rows that are there must be the same.

    Raises:
        LogInconsistencyError: Contents conflict (`reason` is `conflict`); nothing was written.
    """
    inserted = existing = 0
    with _write_transaction(path) as connection:
        known = select_run(connection, record.run_id)
        _import_record(connection, known, record)
        head = reads.head(connection, record.run_id)[0]
        digest = NO_DIGEST
        position = 0
        for batch in _batches(events):
            rows = []
            stored = (
                {r[0]: RawEvent(*r) for r in reads.page(connection, record.run_id, position + 1, position + len(batch))}
                if position < head
                else {}
            )
            for event in batch:
                position += 1
                payload = event.payload.encode("utf-8", "surrogatepass")
                digest = event.digest or digest_of(
                    digest, event.id, event.type, payload, event.actor, event.frame_id, event.caused_by, event.timestamp
                )
                if position <= head:
                    compare_existing(record.run_id, event, stored.get(position))
                    existing += 1
                    continue
                rows.append(
                    (
                        record.run_id,
                        position,
                        event.id,
                        event.type,
                        event.actor,
                        event.payload,
                        event.frame_id,
                        event.caused_by,
                        event.timestamp,
                        digest,
                    )
                )
            inserted += _insert_if_new(connection, record.run_id, rows)
        if head > position:
            raise conflict(record.run_id, None, f"it has {head} events, the source {position}")
    return ImportResult(inserted, existing)


def _insert_if_new(connection: sqlite3.Connection, run_id: str, rows: list[tuple[Any, ...]]) -> int:
    if not rows:
        return 0
    written = connection.executemany(INSERT_IF_NEW, rows).rowcount
    if written != len(rows):
        taken = next(row[2] for row in rows if reads.position_of(connection, run_id, row[2]) != row[1])
        raise conflict(run_id, taken, "position differs")
    return written


def _import_record(connection: sqlite3.Connection, known: RunRecord | None, record: RunRecord) -> None:
    if known is not None:
        for name in ("parent_run_id", "forked_at_event_id", "created_at"):
            given = getattr(record, name)
            stored = getattr(known, name)
            if normalized_time(given) != stored if name == "created_at" else given != stored:
                raise conflict(record.run_id, None, f"its {name} is {stored!r}, not {given!r}")
    merged = merged_record(
        record.run_id,
        known,
        created_at=record.created_at,
        parent_run_id=record.parent_run_id,
        forked_at_event_id=record.forked_at_event_id,
        label=record.label if known is None or known.label is None else None,
        goal=record.goal if known is None or known.goal is None else None,
        frame_id=record.frame_id if known is None or known.frame_id is None else None,
        setup_count=record.setup_count if known is None or known.setup_count is None else None,
    )
    connection.execute(UPSERT_RUN, tuple(RunFields.of(merged).__dict__.values()))


def _batches(events: Iterable[RawEvent]) -> Iterator[list[RawEvent]]:
    source = iter(events)
    for first in source:
        yield [first, *_take(source, _BATCH - 1)]


def _take(source: Iterator[RawEvent], count: int) -> Iterator[RawEvent]:
    for _, event in zip(range(count), source, strict=False):
        yield event


@contextmanager
def _write_transaction(path: str) -> Iterator[sqlite3.Connection]:
    with closing(open_for_writing(path, synchronous="normal", busy_timeout=30.0)) as connection:
        with translated(path, None, writing=True):
            connection.execute("BEGIN IMMEDIATE")
        try:
            with translated(path, None, writing=True):
                yield connection
                connection.execute("COMMIT")
                sync_log(path)
                sync_directory(path)
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _rows_behind(connection: sqlite3.Connection, run_id: str, events: Sequence[Event]) -> Iterator[tuple[Any, ...]]:
    position, _, digest = reads.head(connection, run_id)
    for event in events:
        validate_header(event)
        payload = canonical_payload(event)
        position += 1
        digest = digest_of(
            digest or NO_DIGEST,
            event.id,
            event.type,
            payload,
            event.actor,
            event.frame_id,
            event.caused_by,
            event.timestamp,
        )
        yield (
            run_id,
            position,
            event.id,
            event.type,
            event.actor,
            payload.decode("utf-8"),
            event.frame_id,
            event.caused_by,
            event.timestamp,
            digest,
        )


def _record(row: tuple[Any, ...]) -> RunRecord:
    position, last_id, last_type, last_stop = row[8:]
    ends_with_stop = last_type is not None and last_type.startswith("runtime.")
    return RunFields(*row[:8]).record(
        event_count=position or 0,
        last_event_id=last_id,
        status=status_of_stop(last_type if ends_with_stop else last_stop, ends_with_stop),
    )


def run_exists(run_id: str) -> RunExistsError:
    """The error for an id of a new run that is taken."""
    return RunExistsError(
        f"run {run_id!r} exists already",
        what_failed=f"Forking into run {run_id!r}. Nothing was changed.",
        why="A run id names one history.",
        how_to_fix="Leave the new run's id out, so that a fresh one is drawn.",
        context={"run_id": run_id},
    )
