"""What is known of the runs of a file: listed, recorded, forked."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, Literal

from activegraph.core.codec import check_header
from activegraph.core.event import Event
from activegraph.store.base import RunRecord
from activegraph.store.records import STOP_TYPES, RunFields, merged_record, normalized_time, shown_text, status_of_stop
from activegraph.store.refusals import missing_position, parent_not_found, run_exists, unknown_event
from activegraph.store.sqlite import reads
from activegraph.store.sqlite.connection import open_for_writing, roll_back, sync_directory, sync_log
from activegraph.store.sqlite.driver_errors import as_ours, translated
from activegraph.store.sqlite.location import Location
from activegraph.store.sqlite.reading import ReadOnlyDatabase
from activegraph.store.sqlite.writes import Writer
from activegraph.store.url import sqlite_url

__all__ = [
    "all_runs",
    "fork_run",
    "list_runs",
    "most_recent_run_id",
    "select_run",
    "upsert_run",
    "write_record",
    "write_transaction",
]

# The last event tells the state by itself as a rule; where it does not, the column is NULL.
SELECT_RUNS = """
SELECT
    r.run_id, r.parent_run_id, r.forked_at_event_id, r.label, r.created_at, r.goal, r.frame_id,
    CAST(coalesce(e.position, 0) AS INTEGER),
    CAST(e.id AS TEXT),
    CASE
        WHEN e.type IS NULL THEN 'stopped'
        WHEN e.type = 'runtime.idle' THEN 'idle'
        WHEN e.type = 'runtime.budget_exhausted' THEN 'exhausted'
        WHEN e.type IN ('runtime.paused', 'tool.in_doubt') THEN 'stopped'
    END,
    r.setup_count
FROM runs AS r
LEFT JOIN events AS e ON e.seq = (
    SELECT l.seq FROM events AS l WHERE l.run_id = r.run_id ORDER BY l.position DESC LIMIT 1
)"""

# Each by index, which the planner takes only for a literal that its condition names.
SELECT_LAST_STOPS = """
SELECT
    (SELECT max(position) FROM events WHERE run_id = :run_id AND type = 'runtime.idle'),
    (SELECT max(position) FROM events WHERE run_id = :run_id AND type = 'runtime.budget_exhausted'),
    (SELECT max(position) FROM events WHERE run_id = :run_id AND type = 'runtime.paused'),
    (SELECT max(position) FROM events WHERE run_id = :run_id AND type = 'tool.in_doubt')"""

# "…01Z" comes before "…01.5Z", and only without its last letter does the text say so.
SELECT_ALL_RUNS = SELECT_RUNS + "\nORDER BY rtrim(r.created_at, 'Z'), r.run_id"
SELECT_ONE_RUN = SELECT_RUNS + "\nWHERE r.run_id = ?"

_STATUS = 9
"""The column of `SELECT_RUNS` that may be NULL."""

SELECT_LAST_APPENDED = """
SELECT e.run_id
FROM events AS e
WHERE EXISTS (SELECT 1 FROM runs AS r WHERE r.run_id = e.run_id)
ORDER BY e.seq DESC
LIMIT 1"""

SELECT_NEWEST_RUN = "SELECT run_id FROM runs ORDER BY rtrim(created_at, 'Z') DESC, run_id DESC LIMIT 1"

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
WHERE run_id = ? AND position BETWEEN ? AND ?
ORDER BY position"""

_COPIED_AT_ONCE = 500
"""Rows of one copying statement: as it reads the table, SQLite takes them through another one in memory."""


def list_runs(location: Location) -> list[RunRecord]:
    """All runs by `created_at`, then id."""
    return ReadOnlyDatabase(location).read(all_runs)


def all_runs(connection: sqlite3.Connection) -> list[RunRecord]:
    """The records of all runs by `created_at`, then id."""
    return [_record(connection, row) for row in reads.fetch(connection, SELECT_ALL_RUNS, ())]


def most_recent_run_id(location: Location) -> str | None:
    """The run that was appended to last; without any event, the newest."""

    def look(connection: sqlite3.Connection) -> str | None:
        row = connection.execute(SELECT_LAST_APPENDED).fetchone()
        if row is None:
            row = connection.execute(SELECT_NEWEST_RUN).fetchone()
        return None if row is None else row[0]

    return ReadOnlyDatabase(location).read(look)


def select_run(connection: sqlite3.Connection, run_id: str) -> RunRecord | None:
    """The record of one run."""
    found = reads.fetch(connection, SELECT_ONE_RUN, (run_id,))
    return _record(connection, found[0]) if found else None


def upsert_run(connection: sqlite3.Connection, run_id: str, *, created_at: str, **fields: Any) -> None:
    """Insert or update a run's row inside an open transaction."""
    write_record(connection, merged_record(run_id, select_run(connection, run_id), created_at=created_at, **fields))


def write_record(connection: sqlite3.Connection, record: RunRecord) -> None:
    """Write the stored part of a record inside an open transaction."""
    connection.execute(UPSERT_RUN, tuple(RunFields.of(record).__dict__.values()))


def fork_run(
    location: Location,
    *,
    parent_run_id: str,
    new_run_id: str,
    at_event_id: str,
    label: str | None,
    created_at: str,
    extra_events: Sequence[Event] = (),
    busy_timeout: float = 30.0,
) -> int:
    """Copy a prefix into a new run, inside the database and in one transaction; returns its length."""
    check_header("run_id", new_run_id)
    # A fork creates no store: without one there is nothing to fork.
    ReadOnlyDatabase(location).read(lambda connection: None)
    with write_transaction(location, busy_timeout) as connection:
        parent = select_run(connection, parent_run_id) if _is_text(parent_run_id) else None
        if parent is None:
            raise parent_not_found(parent_run_id, sqlite_url(location.shown))
        position = reads.position_of(connection, parent_run_id, at_event_id)
        if position is None:
            raise unknown_event(at_event_id, parent_run_id, "fork", "sqlite")
        if select_run(connection, new_run_id) is not None or reads.head(connection, new_run_id).position:
            raise run_exists(new_run_id)
        fields = RunFields(
            new_run_id,
            parent_run_id,
            at_event_id,
            shown_text(label),
            normalized_time(created_at),
            parent.goal,
            parent.frame_id,
            None if parent.setup_count is None else min(parent.setup_count, position),
        )
        connection.execute(UPSERT_RUN, tuple(fields.__dict__.values()))
        copied = 0
        for start in range(1, position + 1, _COPIED_AT_ONCE):
            stop = min(start + _COPIED_AT_ONCE - 1, position)
            copied += connection.execute(COPY_PREFIX, (new_run_id, parent_run_id, start, stop)).rowcount
        if copied != position:
            raise missing_position(parent_run_id, _first_hole(connection, parent_run_id), position)
        if extra_events:
            writer = Writer(new_run_id)
            writer.learn(connection)
            writer.append(connection, extra_events, None, joins=True)
    return position


@contextmanager
def write_transaction(location: Location, busy_timeout: float) -> Iterator[sqlite3.Connection]:
    """A connection of its own with one transaction, which is on stable storage when the block has ended."""
    with closing(open_for_writing(location, synchronous="normal", busy_timeout=busy_timeout)) as connection:
        try:
            with translated(location, None, writing=True):
                connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except sqlite3.Error as error:
                # Only the driver's: the block may read from elsewhere, whose failures are not this file's.
                raise as_ours(error, location, None, writing=True) from error
            with translated(location, None, writing=True):
                connection.execute("COMMIT")
            with translated(location, None, writing=True, committed=True):
                sync_log(location)
                sync_directory(location)
        except BaseException:
            roll_back(connection)
            raise


def _first_hole(connection: sqlite3.Connection, run_id: str) -> int:
    due = 1
    while rows := reads.page(connection, run_id, due, due + reads.PAGE - 1):
        for row in rows:
            if row[0] != due:
                return due
            due += 1
    return due


def _record(connection: sqlite3.Connection, row: tuple[Any, ...]) -> RunRecord:
    record = RunRecord(*row)
    if row[_STATUS] is None:
        record.status = _status(connection, record.run_id)
    return record


def _status(connection: sqlite3.Connection, run_id: str) -> Literal["stopped", "idle", "exhausted"]:
    """How a run stands that goes on behind its last stop."""
    stops = connection.execute(SELECT_LAST_STOPS, {"run_id": run_id}).fetchone()
    stopped_at, last_stop = max((at or 0, type) for at, type in zip(stops, STOP_TYPES, strict=True))
    waiting = last_stop == "runtime.idle" and reads.waits_behind(connection, run_id, stopped_at)
    return status_of_stop(last_stop if stopped_at else None, waiting=waiting)


def _is_text(run_id: str) -> bool:
    try:
        run_id.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
