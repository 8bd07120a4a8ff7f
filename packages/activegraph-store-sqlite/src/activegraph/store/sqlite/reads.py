"""Statements that read events; each is one indexed look-up or one page by key."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from activegraph.core.event import NO_DIGEST
from activegraph.store.records import RARE_TYPES
from activegraph.store.refusals import malformed_row
from msgspec import Struct

__all__ = [
    "PAGE",
    "Head",
    "boundaries",
    "fetch",
    "head",
    "page",
    "page_of_types",
    "position_of",
    "row_by_id",
    "waits_behind",
]

PAGE = 2000
"""Rows that are read at once; nothing is held between pages."""

# A BLOB in a column of text is damage, and is read as damaged text is.
_COLUMNS = (
    "position, CAST(id AS TEXT), CAST(type AS TEXT), CAST(actor AS TEXT), CAST(payload AS TEXT), "
    "CAST(frame_id AS TEXT), CAST(caused_by AS TEXT), CAST(timestamp AS TEXT), digest"
)

SELECT_HEAD = """
SELECT position, CAST(id AS TEXT), digest, seq
FROM events
WHERE run_id = ?
ORDER BY position DESC
LIMIT 1"""

SELECT_POSITION = "SELECT position FROM events WHERE run_id = ? AND id = ?"

SELECT_PAGE = f"""
SELECT {_COLUMNS}
FROM events
WHERE run_id = ? AND position >= ? AND position <= ?
ORDER BY position
LIMIT ?"""  # noqa: S608 - the columns are a constant

SELECT_BY_ID = f"""
SELECT {_COLUMNS}
FROM events
WHERE run_id = ? AND id = ?"""  # noqa: S608 - the columns are a constant

SELECT_BY_TYPES = f"""
SELECT {_COLUMNS}
FROM events
WHERE run_id = ? AND position >= ? AND position <= ? AND type IN (SELECT value FROM json_each(?))
ORDER BY position
LIMIT ?"""  # noqa: S608 - the columns are a constant

# The planner takes a partial index only for a literal that its condition names.
SELECT_RARE = {
    type: f"""
SELECT {_COLUMNS}
FROM events
WHERE run_id = ? AND type = '{type}' AND position >= ? AND position <= ?
ORDER BY position
LIMIT ?"""  # noqa: S608 - the types are constants of the schema
    for type in RARE_TYPES
}

SELECT_WAITING = """
SELECT 1
FROM events
WHERE run_id = ? AND position > ?
    AND type NOT GLOB 'behavior.*'
    AND type NOT GLOB 'relation_behavior.*'
    AND type NOT GLOB 'runtime.*'
    AND type NOT GLOB 'llm.*'
    AND type NOT GLOB 'tool.*'
    AND type NOT GLOB 'pattern.*'
    AND type NOT GLOB 'approval.*'
LIMIT 1"""

Row = tuple[Any, ...]


class Head(Struct, frozen=True, gc=False):
    """The last event of a run; position 0, no id and zero bytes for an empty one."""

    position: int
    id: str | None
    digest: bytes
    seq: int | None = None
    """Number of its row in the table, where it is known."""


NO_HEAD = Head(0, None, NO_DIGEST)


def head(connection: sqlite3.Connection, run_id: str) -> Head:
    """The run's last event."""
    for position, *others in fetch(connection, SELECT_HEAD, (run_id,)):
        return Head(_whole(run_id, position), *others)
    return NO_HEAD


def page(connection: sqlite3.Connection, run_id: str, start: int, stop: int) -> list[Row]:
    """The next rows at positions `start` to `stop`."""
    return fetch(connection, SELECT_PAGE, (run_id, start, stop, PAGE))


def row_by_id(connection: sqlite3.Connection, run_id: str, event_id: str) -> Row | None:
    """The row of an event."""
    if not _can_stand_in_a_column(event_id):
        return None
    found = fetch(connection, SELECT_BY_ID, (run_id, event_id))
    return found[0] if found else None


def position_of(connection: sqlite3.Connection, run_id: str, event_id: str) -> int | None:
    """Where an event stands."""
    if not _can_stand_in_a_column(event_id):
        return None
    row = connection.execute(SELECT_POSITION, (run_id, event_id)).fetchone()
    return None if row is None else _whole(run_id, row[0])


def _whole(run_id: str, position: object) -> int:
    if type(position) is not int:
        raise malformed_row(run_id, position)
    return position


def boundaries(
    connection: sqlite3.Connection, run_id: str, after: str | None, until: str | None
) -> tuple[int | None, int | None, Head]:
    """First and last position of a slice, None for a boundary that is not there; and the end of the log, if it goes there."""
    start: int | None = 1
    if after is not None:
        found = position_of(connection, run_id, after)
        start = None if found is None else found + 1
    if until is not None:
        return start, position_of(connection, run_id, until), NO_HEAD
    end = head(connection, run_id)
    return start, end.position, end


def page_of_types(
    connection: sqlite3.Connection, run_id: str, types: Sequence[str], start: int, stop: int
) -> list[Row]:
    """The next rows of these types at positions `start` to `stop`, in order.

    Types with an index are looked up one by one; all others share one scan inside the database.
    """
    rows: list[Row] = []
    for type in types:
        if type in SELECT_RARE:
            rows += fetch(connection, SELECT_RARE[type], (run_id, start, stop, PAGE))
    common = [type for type in types if type not in SELECT_RARE and _can_stand_in_a_column(type)]
    if common:
        rows += fetch(connection, SELECT_BY_TYPES, (run_id, start, stop, _json(common), PAGE))
    rows.sort(key=lambda row: row[0])
    return rows[:PAGE]


def waits_behind(connection: sqlite3.Connection, run_id: str, position: int) -> bool:
    """Whether an event behind `position` is of a type that waits in the queue."""
    return connection.execute(SELECT_WAITING, (run_id, position)).fetchone() is not None


def _json(texts: Iterable[str]) -> str:
    import json

    return json.dumps(list(texts))


def fetch(connection: sqlite3.Connection, statement: str, parameters: tuple[Any, ...]) -> list[Row]:
    """All rows of a statement, damaged columns included."""
    try:
        return connection.execute(statement, parameters).fetchall()
    except sqlite3.OperationalError as error:
        if "decode to UTF-8" not in str(error):
            raise
    # A damaged column must not keep the rows beside it from being read: its bytes become lone surrogates.
    connection.text_factory = _leniently
    try:
        return connection.execute(statement, parameters).fetchall()
    finally:
        connection.text_factory = str


def _leniently(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _can_stand_in_a_column(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
