"""What is known of the runs of a database: listed and recorded. Logs are looked at by key, never scanned."""

from __future__ import annotations

from typing import Any

from activegraph.errors import StorageError
from activegraph.store.base import RunRecord
from activegraph.store.postgres import reads
from activegraph.store.postgres.connections import Connections
from activegraph.store.postgres.handle import Handle
from activegraph.store.postgres.session import Session
from activegraph.store.postgres.writes import INSERT_RUN_ONCE
from activegraph.store.records import RunFields, merged_record

__all__ = [
    "identity",
    "list_runs",
    "lock_run",
    "most_recent_run_id",
    "select_run",
    "select_runs",
    "upsert_run",
    "write_run",
]

# One descent of the key per run for its last event, which as a rule is the last stop; only where it is none are the
# stops looked up in the partial index, one type at a time.
SELECT_ALL_RUNS = """
SELECT
    r.run_id, r.parent_run_id, r.forked_at_event_id, r.label,
    to_char(r.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    r.goal, r.frame_id,
    coalesce(e.position, 0), e.id,
    CASE e.type
        WHEN 'runtime.idle' THEN 'idle'
        WHEN 'runtime.budget_exhausted' THEN 'exhausted'
        WHEN 'runtime.paused' THEN 'stopped'
        WHEN 'tool.in_doubt' THEN 'stopped'
        ELSE (
            SELECT CASE
                WHEN s.type = 'runtime.budget_exhausted' THEN 'exhausted'
                WHEN s.type = 'runtime.idle' AND NOT EXISTS (
                    SELECT FROM events AS w
                    WHERE w.run_id = r.run_id
                      AND w.position > s.position
                      AND w.type NOT LIKE 'behavior.%%'
                      AND w.type NOT LIKE 'relation_behavior.%%'
                      AND w.type NOT LIKE 'runtime.%%'
                      AND w.type NOT LIKE 'llm.%%'
                      AND w.type NOT LIKE 'tool.%%'
                      AND w.type NOT LIKE 'pattern.%%'
                      AND w.type NOT LIKE 'approval.%%'
                ) THEN 'idle'
            END
            FROM (
                (
                    SELECT t.position, t.type FROM events AS t
                    WHERE t.run_id = r.run_id AND t.type = 'runtime.idle'
                    ORDER BY t.run_id DESC, t.type DESC, t.position DESC LIMIT 1
                )
                UNION ALL
                (
                    SELECT t.position, t.type FROM events AS t
                    WHERE t.run_id = r.run_id AND t.type = 'runtime.budget_exhausted'
                    ORDER BY t.run_id DESC, t.type DESC, t.position DESC LIMIT 1
                )
                UNION ALL
                (
                    SELECT t.position, t.type FROM events AS t
                    WHERE t.run_id = r.run_id AND t.type = 'runtime.paused'
                    ORDER BY t.run_id DESC, t.type DESC, t.position DESC LIMIT 1
                )
                UNION ALL
                (
                    SELECT t.position, t.type FROM events AS t
                    WHERE t.run_id = r.run_id AND t.type = 'tool.in_doubt'
                    ORDER BY t.run_id DESC, t.type DESC, t.position DESC LIMIT 1
                )
            ) AS s
            ORDER BY s.position DESC
            LIMIT 1
        )
    END,
    r.setup_count
FROM runs AS r
LEFT JOIN LATERAL (
    SELECT l.position, l.id, l.type
    FROM events AS l
    WHERE l.run_id = r.run_id
    ORDER BY l.run_id DESC, l.position DESC
    LIMIT 1
) AS e ON true
WHERE %s::text IS NULL OR r.run_id = %s::text
ORDER BY r.created_at, r.run_id"""

# What was appended last stands at the end of the table as a rule, and its append number is the last that was given:
# then nothing else is looked at. Anything else (another number was taken meanwhile, the row filled a hole, this role
# may not ask for the number) proves nothing, and every run is asked for its last event by the key.
SELECT_MOST_RECENT = """
SELECT coalesce(
    (
        SELECT e.run_id
        FROM events AS e
        WHERE e.ctid >= (
              SELECT ('(' || CASE WHEN t.pages > 0 THEN greatest(t.pages - 2, 0) ELSE 4294967294 END || ',0)')::tid
              FROM (
                  SELECT pg_relation_size('events') / current_setting('block_size')::integer AS pages
              ) AS t
          )
          AND e.seq = (
              SELECT CASE
                  WHEN has_sequence_privilege(s.name, 'USAGE, SELECT') THEN pg_sequence_last_value(s.name::regclass)
              END
              FROM (SELECT pg_get_serial_sequence('events', 'seq') AS name) AS s
          )
          AND EXISTS (SELECT FROM runs AS r WHERE r.run_id = e.run_id)
          AND NOT EXISTS (SELECT FROM events AS n WHERE n.run_id = e.run_id AND n.position > e.position)
        LIMIT 1
    ),
    (
        SELECT r.run_id
        FROM runs AS r
        LEFT JOIN LATERAL (
            SELECT l.seq
            FROM events AS l
            WHERE l.run_id = r.run_id
            ORDER BY l.run_id DESC, l.position DESC
            LIMIT 1
        ) AS e ON true
        ORDER BY e.seq DESC NULLS LAST, r.created_at DESC, r.run_id DESC
        LIMIT 1
    )
)"""

# The moment a server started tells it from every other, whatever names and poolers lead to it.
SELECT_IDENTITY = """
SELECT pg_postmaster_start_time()::text, d.oid::text, current_schema()::text
FROM pg_database AS d
WHERE d.datname = current_database()"""

SELECT_RUN_FOR_UPDATE = """
SELECT
    run_id, parent_run_id, forked_at_event_id, label,
    to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    goal, frame_id, setup_count
FROM runs
WHERE run_id = %s
FOR UPDATE"""

UPDATE_RUN = """
UPDATE runs
SET parent_run_id = %s,
    forked_at_event_id = %s,
    label = %s,
    goal = %s,
    frame_id = %s,
    setup_count = %s
WHERE run_id = %s"""


def list_runs(connections: Connections) -> list[RunRecord]:
    """All runs by `created_at`, then id."""
    with Handle(connections, read_only=True).open() as handle:
        return handle.read(select_runs)


def most_recent_run_id(connections: Connections) -> str | None:
    """The run that was appended to last; runs without events come after all others, the newest first."""
    with Handle(connections, read_only=True).open() as handle:
        found: str | None = handle.read(lambda s: s.read(SELECT_MOST_RECENT).fetchone())[0]
        return found


def identity(connections: Connections) -> tuple[str, ...] | None:
    """What tells one store from another: server, database and schema. None where they can't be asked."""
    with Handle(connections, read_only=True) as handle:
        try:
            row = handle.read(lambda session: session.read(SELECT_IDENTITY).fetchone())
        except StorageError:
            return None
    return None if row is None else tuple(row)


def select_runs(session: Session) -> list[RunRecord]:
    """The records of all runs by `created_at`, then id."""
    return [_record(row) for row in session.read(SELECT_ALL_RUNS, (None, None)).fetchall()]


def select_run(session: Session, run_id: str) -> RunRecord | None:
    """The record of one run, with what is derived from its log."""
    if reads.text_or_none(run_id) is None:
        return None
    row = session.read(SELECT_ALL_RUNS, (run_id, run_id)).fetchone()
    return None if row is None else _record(row)


def upsert_run(session: Session, run_id: str, *, created_at: str, **fields: Any) -> RunFields:
    """Insert or update a run's row, in a transaction of its own or in the open one; returns what is in it then."""
    with session.transaction():
        return write_run(session, lambda known: merged_record(run_id, known, created_at=created_at, **fields), run_id)


def write_run(session: Session, merge: Any, run_id: str) -> RunFields:
    """Write what `merge` makes of the stored record, or of None, inside an open transaction; returns it."""
    known = lock_run(session, run_id)
    fields = RunFields.of(merge(known))
    if known is None:
        if int(session.execute(INSERT_RUN_ONCE, tuple(fields.__dict__.values())).rowcount):
            return fields
        # Somebody recorded the run between the two statements; the row is there for good now.
        known = lock_run(session, run_id)
        fields = RunFields.of(merge(known))
    if known is not None and fields != RunFields.of(known):
        session.execute(
            UPDATE_RUN,
            (
                fields.parent_run_id,
                fields.forked_at_event_id,
                fields.label,
                fields.goal,
                fields.frame_id,
                fields.setup_count,
                run_id,
            ),
        )
    return fields


def lock_run(session: Session, run_id: str) -> RunRecord | None:
    """The stored part of a run's record, kept from changing until the transaction ends."""
    row = session.execute(SELECT_RUN_FOR_UPDATE, (run_id,)).fetchone()
    return None if row is None else _fields(row).record()


def _fields(row: tuple[Any, ...]) -> RunFields:
    run_id, parent, forked_at, label, created_at, *rest = row
    return RunFields(run_id, parent, forked_at, label, _time(created_at), *rest)


def _record(row: tuple[Any, ...]) -> RunRecord:
    run_id, parent, forked_at, label, created_at, goal, frame_id, count, last_id, status, setup_count = row
    return RunRecord(
        run_id,
        parent,
        forked_at,
        label,
        _time(created_at),
        goal,
        frame_id,
        count,
        last_id,
        status or "stopped",
        setup_count,
    )


def _time(text: str) -> str:
    return text.replace(".000000Z", "Z")
