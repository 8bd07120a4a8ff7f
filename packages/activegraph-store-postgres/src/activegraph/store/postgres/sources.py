"""The runs of a database as the source of a migration, in this layout or the one before it.

Layout 1 has the same tables without `position`, `digest` and the text columns; its events are in
order of `seq`. Nothing but a migration reads it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from activegraph.store.base import RawEvent, RunRecord
from activegraph.store.imports import canonical_text
from activegraph.store.postgres import catalog, paging, reads
from activegraph.store.postgres.connections import Connections
from activegraph.store.postgres.handle import Handle
from activegraph.store.postgres.schema import is_layout_1
from activegraph.store.postgres.session import Session
from activegraph.store.records import RunFields

__all__ = ["DatabaseRuns"]

SELECT_OLD_RUNS = """
SELECT
    run_id, parent_run_id, forked_at_event_id, label,
    to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    goal, frame_id
FROM runs
ORDER BY created_at, run_id COLLATE "C\""""

SELECT_OLD_HEAD = "SELECT max(seq) FROM events WHERE run_id = %s"

SELECT_OLD_PAGE = """
SELECT
    seq, id, type, actor, payload::text, frame_id, caused_by,
    to_char(timestamp AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
FROM events
WHERE run_id = %s AND seq > %s::bigint AND seq <= %s::bigint
ORDER BY seq
LIMIT %s::bigint"""

_NO_MICROSECONDS = ".000000Z"


class DatabaseRuns:
    """The runs of one database, over a connection that is closed at the end."""

    def __init__(self, connections: Connections) -> None:
        self._handle = Handle(connections, read_only=True)
        try:
            self._is_old = self._handle.read(is_layout_1)
            if not self._is_old:
                self._handle.open()
        except BaseException:
            self._handle.close()
            raise

    def list_runs(self) -> list[RunRecord]:
        """All runs by `created_at`, then id."""
        return self._handle.read(_old_runs if self._is_old else catalog.select_runs)

    def iter_raw(self, run_id: str) -> Iterator[RawEvent]:
        """One run's rows in order, undecoded, as of the first `next()`."""
        return self._old_rows(run_id) if self._is_old else self._rows(run_id)

    def close(self) -> None:
        """Close the connection."""
        self._handle.close()

    def _rows(self, run_id: str) -> Iterator[RawEvent]:
        head = self._handle.read(lambda session: reads.head(session, run_id))[0]
        for row in paging.rows(self._handle.read, run_id, 1, head):
            yield RawEvent(*row)

    def _old_rows(self, run_id: str) -> Iterator[RawEvent]:
        last = self._handle.read(lambda session: session.read(SELECT_OLD_HEAD, (run_id,)).fetchone()[0])
        seq, position = -1, 0
        while last is not None and (rows := self._old_page(run_id, seq, last)):
            for row in rows:
                position += 1
                seq, id, type, actor, payload, frame_id, caused_by, timestamp = row
                # The database has respelt what it kept as JSONB; with canonical text the digests mean something.
                text = canonical_text(payload)
                yield RawEvent(position, id, type, actor, text, frame_id, caused_by, _time(timestamp) or "", None)

    def _old_page(self, run_id: str, seq: int, last: int) -> list[tuple[Any, ...]]:
        params = (run_id, str(seq), str(last), str(reads.PAGE))
        return self._handle.read(lambda session: session.read(SELECT_OLD_PAGE, params).fetchall())


def _old_runs(session: Session) -> list[RunRecord]:
    found = session.read(SELECT_OLD_RUNS).fetchall()
    return [
        RunFields(run_id, parent, forked_at, label, str(_time(created_at)), goal, frame_id, 0).record()
        for run_id, parent, forked_at, label, created_at, goal, frame_id in found
    ]


def _time(text: str | None) -> str | None:
    return None if text is None else text.replace(_NO_MICROSECONDS, "Z")
