"""Statements that append: one fenced statement and one round trip per batch.

The unique key refuses a writer whose head is too low, and the same statement asks for the
predecessor's digest, which refuses one whose head is too high: a database that lost its last
commits must not get a log with a hole.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache

from activegraph.store.base import RawEvent
from activegraph.store.postgres.session import Session
from activegraph.store.records import RunFields

__all__ = ["Sync", "insert_events", "insert_run_once", "instant", "split"]

INSERT = """
INSERT INTO events
    (run_id, position, id, type, actor, payload_text, frame_id, caused_by, timestamp_text, timestamp, digest)"""

# One statement with a subselect that is asked once. Seen by the planner without statistics, any other form
# took the unique key on ids for the predecessor and kept that plan, so that appends slowed down with length.
BEHIND_HEAD = """(
    SELECT digest
    FROM events
    WHERE run_id = %s::text AND position >= %s::bigint
    ORDER BY run_id, position
    LIMIT 1
) = %b::bytea"""

FENCE = f"""
WHERE (%s::bigint = 0 OR {BEHIND_HEAD})
AND (
    SELECT CASE %s::text
        WHEN 'off' THEN set_config('synchronous_commit', 'off', true)
        WHEN 'on' THEN set_config(
            'synchronous_commit',
            CASE current_setting('synchronous_commit')
                WHEN 'off' THEN 'on'
                ELSE current_setting('synchronous_commit')
            END,
            true
        )
        WHEN 'full' THEN set_config(
            'synchronous_commit',
            CASE current_setting('synchronous_commit')
                WHEN 'remote_apply' THEN 'remote_apply'
                ELSE 'on'
            END,
            true
        )
        ELSE ''
    END
) IS NOT NULL"""

# The ordinary case, shorter: the server plans and asks less.
SHORT_FENCE = f"\nWHERE {BEHIND_HEAD}"

# A step is a few rows, and for a few the server takes values faster than it takes texts apart.
SELECT_VALUES = """
SELECT
    %s::text, %s::bigint + b.place, b.id, b.type, b.actor, b.payload, b.frame_id, b.caused_by, b.timestamp_text,
    b.timestamp, b.digest
FROM (VALUES {rows}
) AS b (place, id, type, actor, payload, frame_id, caused_by, timestamp_text, timestamp, digest)"""

ONE_OF_VALUES = """
    ({place}, %s::text, %s::text, %s::text, %s::text, %s::text, %s::text, %s::text, %s::timestamptz, %b::bytea)"""

# Columns as joined texts: half the time of arrays, and near COPY. Canonical text holds no control characters.
SELECT_JOINED = """
SELECT
    %s::text, %s::bigint + b.place, b.id, b.type, b.actor, b.payload, b.frame_id, b.caused_by, b.timestamp_text,
    b.timestamp::timestamptz, substring(%b::bytea FROM (b.place::integer - 1) * 32 + 1 FOR 32)
FROM unnest(
    string_to_array(%s::text, E'\\x1f'),
    string_to_array(%s::text, E'\\x1f'),
    string_to_array(%s::text, E'\\x1f', E'\\x1e'),
    string_to_array(%s::text, E'\\x1f'),
    string_to_array(%s::text, E'\\x1f', E'\\x1e'),
    string_to_array(%s::text, E'\\x1f', E'\\x1e'),
    string_to_array(%s::text, E'\\x1f'),
    string_to_array(%s::text, E'\\x1f', E'\\x1e')
) WITH ORDINALITY AS b (id, type, actor, payload, frame_id, caused_by, timestamp_text, timestamp, place)"""

INSERT_RUN_ONCE = """
INSERT INTO runs (run_id, parent_run_id, forked_at_event_id, label, created_at, goal, frame_id, setup_count)
VALUES (%s, %s, %s, %s, %s::timestamptz, %s, %s, %s)
ON CONFLICT (run_id) DO NOTHING"""

Sync = str | None
"""How a commit is waited for: `on` where the server would not, `full` in any case, `off` not at all, None as it is."""

_FEW = 5
"""Rows that are sent as values; psycopg reads a statement of more than 50 parameters anew each time."""

_SEPARATOR, _NULL = "\x1f", "\x1e"
_ROWS_AT_ONCE = 20_000
_CHARACTERS_AT_ONCE = 32 * 1024 * 1024


def insert_events(
    session: Session, run_id: str, head: int, digest: bytes, rows: Sequence[RawEvent], sync: Sync, *, alone: bool
) -> bool:
    """Append rows behind the head; False if the head is another one, and then nothing is stored.

    Args:
        alone: In a transaction of its own; else inside the open one.

    Raises:
        psycopg.errors.UniqueViolation: Another writer was at these positions first, or an id is taken.
    """
    sql, params = _statement(run_id, head, digest, rows, sync)
    if alone:
        return session.write(sql, params) == len(rows)
    return int(session.execute(sql, params).rowcount) == len(rows)


def insert_run_once(session: Session, fields: RunFields) -> bool:
    """Record a run unless it is recorded; inside an open transaction. False if it was."""
    return int(session.execute(INSERT_RUN_ONCE, tuple(fields.__dict__.values())).rowcount) == 1


def split(rows: list[RawEvent]) -> list[list[RawEvent]]:
    """Rows in portions that one statement can carry; nearly always one."""
    if len(rows) <= _FEW:
        return [rows]
    portions: list[list[RawEvent]] = [[]]
    characters, is_behind_one_alone = 0, False
    for row in rows:
        portion = portions[-1]
        characters += len(row.payload)
        stands_alone = _needs_own_statement(row)
        full = len(portion) >= _ROWS_AT_ONCE or characters > _CHARACTERS_AT_ONCE
        if portion and (full or stands_alone or is_behind_one_alone):
            portions.append([])
            characters = len(row.payload)
        portions[-1].append(row)
        is_behind_one_alone = stands_alone
    return portions


@lru_cache(maxsize=64)
def instant(timestamp: str) -> str | None:
    """A timestamp as PostgreSQL reads it in any setting; None for what is no ISO 8601 time with a zone."""
    try:
        moment = datetime.fromisoformat(timestamp)
        if moment.tzinfo is None:
            return None
        return moment.astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        return None


def _statement(
    run_id: str, head: int, digest: bytes, rows: Sequence[RawEvent], sync: Sync
) -> tuple[str, Sequence[object]]:
    is_ordinary = head > 0 and sync is None
    # Numbers travel as text, so that a statement is prepared once and not once per width of an integer.
    behind = (run_id, str(head), digest)
    fence = behind if is_ordinary else (str(head), *behind, sync)
    if len(rows) <= _FEW:
        values: list[object] = [run_id, str(head)]
        for row in rows:
            values += (
                row.id,
                row.type,
                row.actor,
                row.payload,
                row.frame_id,
                row.caused_by,
                row.timestamp,
                instant(row.timestamp),
                row.digest,
            )
        values += fence
        return _insert_values(len(rows), is_ordinary), values
    columns = (
        run_id,
        str(head),
        b"".join([row.digest for row in rows]),  # type: ignore[misc]  # rows to be stored are chained
        _SEPARATOR.join([row.id for row in rows]),
        _SEPARATOR.join([row.type for row in rows]),
        _SEPARATOR.join([_NULL if row.actor is None else row.actor for row in rows]),
        _SEPARATOR.join([row.payload for row in rows]),
        _SEPARATOR.join([_NULL if row.frame_id is None else row.frame_id for row in rows]),
        _SEPARATOR.join([_NULL if row.caused_by is None else row.caused_by for row in rows]),
        _SEPARATOR.join([row.timestamp for row in rows]),
        _SEPARATOR.join([instant(row.timestamp) or _NULL for row in rows]),
    )
    return INSERT + SELECT_JOINED + (SHORT_FENCE if is_ordinary else FENCE), (*columns, *fence)


@lru_cache(maxsize=2 * _FEW)
def _insert_values(count: int, is_ordinary: bool) -> str:
    rows = ",".join([ONE_OF_VALUES.format(place=place) for place in range(1, count + 1)])
    return INSERT + SELECT_VALUES.format(rows=rows) + (SHORT_FENCE if is_ordinary else FENCE)


def _needs_own_statement(row: RawEvent) -> bool:
    """Whether a header field holds one of the signs that part joined columns."""
    header = f"{row.id}{row.type}{row.actor}{row.frame_id}{row.caused_by}{row.timestamp}"
    return _SEPARATOR in header or _NULL in header
