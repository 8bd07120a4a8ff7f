"""Statements that read events; each is one indexed look-up or one page by key, and holds nothing afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from activegraph.store.postgres.session import Session
from activegraph.store.records import RARE_TYPES

__all__ = [
    "PAGE",
    "boundaries",
    "digests",
    "head",
    "id_at",
    "page",
    "page_of_types",
    "position_of",
    "row_by_id",
    "tail",
    "text_or_none",
]

PAGE = 2000
"""Rows that are read at once at most."""

# Ordering by the whole key keeps the planner on it; on a fresh table it would else sort by another index.
SELECT_HEAD = """
SELECT position, id, digest
FROM events
WHERE run_id = %s
ORDER BY run_id DESC, position DESC
LIMIT 1"""

SELECT_BOUNDARIES = """
SELECT
    (SELECT position FROM events WHERE run_id = %s ORDER BY run_id DESC, position DESC LIMIT 1),
    (SELECT position FROM events WHERE run_id = %s AND id = %s),
    (SELECT position FROM events WHERE run_id = %s AND id = %s)"""

SELECT_PAGE = """
SELECT position, id, type, actor, payload_text, frame_id, caused_by, timestamp_text, digest
FROM events
WHERE run_id = %s AND position >= %s::bigint AND position <= %s::bigint
ORDER BY run_id, position
LIMIT %s::bigint"""

SELECT_TAIL = """
SELECT position, id, type, actor, payload_text, frame_id, caused_by, timestamp_text, digest
FROM events
WHERE run_id = %s
ORDER BY run_id DESC, position DESC
LIMIT %s::bigint"""

SELECT_BY_ID = """
SELECT position, id, type, actor, payload_text, frame_id, caused_by, timestamp_text, digest
FROM events
WHERE run_id = %s AND id = %s"""

SELECT_POSITION = "SELECT position FROM events WHERE run_id = %s AND id = %s"

SELECT_DIGESTS = """
SELECT position, digest
FROM events
WHERE run_id = %s AND position >= %s::bigint AND position <= %s::bigint
ORDER BY run_id, position"""

SELECT_BY_TYPES = """
SELECT position, id, type, actor, payload_text, frame_id, caused_by, timestamp_text, digest
FROM events
WHERE run_id = %s AND position >= %s::bigint AND position <= %s::bigint AND type = ANY(%s::text[])
ORDER BY run_id, position
LIMIT %s::bigint"""

# The planner takes a partial index only for a literal that its condition names.
SELECT_RARE = {
    type: f"""
SELECT position, id, type, actor, payload_text, frame_id, caused_by, timestamp_text, digest
FROM events
WHERE run_id = %s AND type = '{type}' AND position >= %s::bigint AND position <= %s::bigint
ORDER BY run_id, type, position
LIMIT %s::bigint"""  # noqa: S608 - the types are constants of the schema
    for type in RARE_TYPES
}

Row = tuple[Any, ...]

_LAST_POSITION = 2**63 - 1


def head(session: Session, run_id: str) -> tuple[int, str | None, bytes | None]:
    """Position, id and digest of the run's last event; zeros for an empty run."""
    row = session.read(SELECT_HEAD, (run_id,)).fetchone()
    return (0, None, None) if row is None else row


def boundaries(
    session: Session, run_id: str, after: str | None, until: str | None
) -> tuple[int, int | None, int | None]:
    """The head, and the positions of two events as of the same instant; None for one that is not there."""
    ids = (text_or_none(after), text_or_none(until))
    found = session.read(SELECT_BOUNDARIES, (run_id, run_id, ids[0], run_id, ids[1])).fetchone()
    return found[0] or 0, found[1], found[2]


def page(session: Session, run_id: str, start: int, stop: int, limit: int = PAGE) -> list[Row]:
    """The next rows at positions `start` to `stop`."""
    rows: list[Row] = session.read(SELECT_PAGE, (run_id, str(start), str(stop), str(limit))).fetchall()
    return rows


def tail(session: Session, run_id: str, count: int) -> list[Row]:
    """The last rows, oldest first."""
    rows: list[Row] = session.read(SELECT_TAIL, (run_id, str(count))).fetchall()
    rows.reverse()
    return rows


def row_by_id(session: Session, run_id: str, event_id: str) -> Row | None:
    """The row of an event."""
    found: Row | None = session.read(SELECT_BY_ID, (run_id, text_or_none(event_id))).fetchone()
    return found


def position_of(session: Session, run_id: str, event_id: str) -> int | None:
    """Where an event stands."""
    row = session.read(SELECT_POSITION, (run_id, text_or_none(event_id))).fetchone()
    return None if row is None else row[0]


def id_at(session: Session, run_id: str, position: int) -> str | None:
    """The id of the event at a position; None where there is none."""
    if not 1 <= position <= _LAST_POSITION:
        return None
    found = page(session, run_id, position, position, 1)
    return found[0][1] if found else None


def digests(session: Session, run_id: str, start: int, stop: int) -> list[tuple[int, bytes]]:
    """Positions and digests of a stretch of the log."""
    rows: list[tuple[int, bytes]] = session.read(SELECT_DIGESTS, (run_id, str(start), str(stop))).fetchall()
    return rows


def page_of_types(
    session: Session, run_id: str, types: Sequence[str], start: int, stop: int, limit: int = PAGE
) -> list[Row]:
    """The next rows of these types at positions `start` to `stop`; one rare type is looked up by index."""
    if len(types) == 1 and types[0] in SELECT_RARE:
        cursor = session.read(SELECT_RARE[types[0]], (run_id, str(start), str(stop), str(limit)))
    else:
        known = [type for type in types if text_or_none(type) is not None]
        cursor = session.read(SELECT_BY_TYPES, (run_id, str(start), str(stop), known, str(limit)))
    rows: list[Row] = cursor.fetchall()
    return rows


def text_or_none(text: str | None) -> str | None:
    """Text that a column could hold, to be looked for; else None, which equals nothing."""
    if text is None or "\x00" in text:
        return None
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return None
    return text
