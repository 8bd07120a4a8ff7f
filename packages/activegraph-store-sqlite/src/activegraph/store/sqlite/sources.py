"""The runs of a file as the source of a migration, in this layout or the one before it.

Layout 1 has the same tables without `position` and `digest`; its events are in order of `seq`.
Nothing but a migration reads it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from itertools import starmap
from typing import Any

from activegraph.store.base import RawEvent, RunRecord
from activegraph.store.records import RunFields
from activegraph.store.sqlite import catalog, reads
from activegraph.store.sqlite.location import Location
from activegraph.store.sqlite.reading import ReadOnlyDatabase
from activegraph.store.sqlite.schema import check_schema, lacking, versions

__all__ = ["FileRuns"]

SELECT_OLD_RUNS = """
SELECT run_id, parent_run_id, forked_at_event_id, label, created_at, goal, frame_id, 0
FROM runs
ORDER BY created_at, run_id"""

SELECT_OLD_HEAD = "SELECT max(seq) FROM events WHERE run_id = ?"

SELECT_OLD_PAGE = """
SELECT seq, id, type, actor, payload, frame_id, caused_by, timestamp
FROM events
WHERE run_id = ? AND seq > ? AND seq <= ?
ORDER BY seq
LIMIT ?"""


class FileRuns:
    """The runs of one file, read without leaving a trace."""

    def __init__(self, location: Location) -> None:
        self._database = ReadOnlyDatabase(location, _check_known)
        self._is_old = self._database.read(_is_old)

    def list_runs(self) -> list[RunRecord]:
        """All runs by `created_at`, then id."""
        return self._database.read(_old_runs if self._is_old else catalog.all_runs)

    def iter_raw(self, run_id: str) -> Iterator[RawEvent]:
        """One run's rows in order, undecoded, as of the first `next()`."""
        return self._old_rows(run_id) if self._is_old else self._rows(run_id)

    def close(self) -> None:
        """Nothing is held but a private copy, where one was needed."""
        self._database.close()

    def _rows(self, run_id: str) -> Iterator[RawEvent]:
        head = self._database.read(lambda connection: reads.head(connection, run_id)).position
        start = 1
        while rows := self._page(run_id, start, head):
            yield from starmap(RawEvent, rows)
            start = rows[-1][0] + 1

    def _page(self, run_id: str, start: int, stop: int) -> list[tuple[Any, ...]]:
        return self._database.read(lambda connection: reads.page(connection, run_id, start, stop))

    def _old_rows(self, run_id: str) -> Iterator[RawEvent]:
        last = self._database.read(lambda connection: connection.execute(SELECT_OLD_HEAD, (run_id,)).fetchone()[0])
        seq, position = -1, 0
        while last is not None and (rows := self._old_page(run_id, seq, last)):
            for seq, id, type, actor, payload, frame_id, caused_by, timestamp in rows:  # noqa: B007 - kept for the next page
                position += 1
                yield RawEvent(position, id, type, actor, payload, frame_id, caused_by, timestamp or "", None)

    def _old_page(self, run_id: str, seq: int, last: int) -> list[tuple[Any, ...]]:
        return self._database.read(
            lambda connection: reads.fetch(connection, SELECT_OLD_PAGE, (run_id, seq, last, reads.PAGE))
        )


def _check_known(connection: sqlite3.Connection, location: Location) -> None:
    if not _is_old(connection):
        check_schema(connection, location, may_create=False)


def _is_old(connection: sqlite3.Connection) -> bool:
    schema, _, columns = versions(connection)
    return schema == "1" and not lacking(schema, columns)


def _old_runs(connection: sqlite3.Connection) -> list[RunRecord]:
    return [RunFields(*row).record() for row in connection.execute(SELECT_OLD_RUNS).fetchall()]
