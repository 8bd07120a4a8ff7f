"""Statements that read events; each is one indexed look-up or one page by key."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from activegraph.errors import LogInconsistencyError
from activegraph.store.sqlite.schema import RARE_TYPES

__all__ = ["boundaries", "head", "missing_position", "page", "row_by_id", "rows_of_types"]

PAGE = 2000
"""Rows that are read at once; nothing is held between pages."""

SELECT_HEAD = """
SELECT position, id, digest
FROM events
WHERE run_id = ?
ORDER BY position DESC
LIMIT 1"""

SELECT_POSITION = "SELECT position FROM events WHERE run_id = ? AND id = ?"

SELECT_PAGE = """
SELECT position, id, type, actor, payload, frame_id, caused_by, timestamp, digest
FROM events
WHERE run_id = ? AND position >= ? AND position <= ?
ORDER BY position
LIMIT ?"""

SELECT_BY_ID = """
SELECT position, id, type, actor, payload, frame_id, caused_by, timestamp, digest
FROM events
WHERE run_id = ? AND id = ?"""

SELECT_BY_TYPE = """
SELECT position, id, type, actor, payload, frame_id, caused_by, timestamp, digest
FROM events
WHERE run_id = ? AND type = ?
ORDER BY position"""

# The planner takes a partial index only for a literal that its condition names.
SELECT_RARE = {
    type: f"""
SELECT position, id, type, actor, payload, frame_id, caused_by, timestamp, digest
FROM events
WHERE run_id = ? AND type = '{type}'
ORDER BY position"""  # noqa: S608 - the types are constants of the schema
    for type in RARE_TYPES
}

Row = tuple[Any, ...]


def head(connection: sqlite3.Connection, run_id: str) -> tuple[int, str | None, bytes | None]:
    """Position, id and digest of the run's last event; zeros for an empty run."""
    row = connection.execute(SELECT_HEAD, (run_id,)).fetchone()
    return (0, None, None) if row is None else row


def page(connection: sqlite3.Connection, run_id: str, start: int, stop: int) -> list[Row]:
    """The next rows at positions `start` to `stop`."""
    return connection.execute(SELECT_PAGE, (run_id, start, stop, PAGE)).fetchall()


def row_by_id(connection: sqlite3.Connection, run_id: str, event_id: str) -> Row | None:
    """The row of an event."""
    found: Row | None = connection.execute(SELECT_BY_ID, (run_id, event_id)).fetchone()
    return found


def position_of(connection: sqlite3.Connection, run_id: str, event_id: str) -> int | None:
    """Where an event stands."""
    row = connection.execute(SELECT_POSITION, (run_id, event_id)).fetchone()
    return None if row is None else row[0]


def boundaries(
    connection: sqlite3.Connection, run_id: str, after: str | None, until: str | None
) -> tuple[int | None, int | None]:
    """First and last position of a slice; None for a boundary that is not there."""
    start: int | None = 1
    if after is not None:
        found = position_of(connection, run_id, after)
        start = None if found is None else found + 1
    stop = head(connection, run_id)[0] if until is None else position_of(connection, run_id, until)
    return start, stop


def rows_of_types(connection: sqlite3.Connection, run_id: str, types: Sequence[str]) -> list[Row]:
    """Rows of these types in order; one look-up per type."""
    rows: list[Row] = []
    for type in dict.fromkeys(types):
        rare = SELECT_RARE.get(type)
        if rare is not None:
            rows += connection.execute(rare, (run_id,)).fetchall()
        else:
            rows += connection.execute(SELECT_BY_TYPE, (run_id, type)).fetchall()
    rows.sort(key=lambda row: row[0])
    return rows


def missing_position(run_id: str, expected: int, found: int) -> LogInconsistencyError:
    """The error for positions that are not dense."""
    return LogInconsistencyError(
        f"run {run_id!r} has no event at position {expected}",
        what_failed=f"Reading run {run_id!r}: position {found} came where {expected} was due.",
        why="Positions are dense, so a missing one means that an event was deleted or moved.",
        how_to_fix=f"Run `activegraph verify <url> --run-id {run_id}`, and restore the run from a copy.",
        context={"run_id": run_id, "reason": "gap", "position": expected},
    )
