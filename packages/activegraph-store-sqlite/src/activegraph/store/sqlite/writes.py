"""Statements that append: fenced by the key, one transaction per batch.

A few events, as a step makes them, are one statement that also requires their predecessor; a larger
batch looks at the predecessor once, inside its transaction. The unique keys refuse everybody else.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import cache
from operator import itemgetter
from typing import Any

from activegraph.core.event import Event
from activegraph.errors import ConcurrentWriterError
from activegraph.store.chain import Row, rows_behind
from activegraph.store.records import RunFields
from activegraph.store.refusals import duplicate, first_double, unknown_event
from activegraph.store.sqlite import reads
from activegraph.store.sqlite.connection import roll_back
from activegraph.store.sqlite.reads import Head
from msgspec.structs import replace

__all__ = ["INSERT_RUN_ONCE", "Writer"]

INSERT = """
INSERT INTO events (digest, run_id, position, id, type, actor, payload, caused_by, timestamp, frame_id)
VALUES """

ROW = "({digest}, ?, ?, ?, ?, ?, ?, ?, ?, {frame})"

# A predecessor that is not the known one makes the digest NULL, which the column refuses.
BEHIND = """CASE WHEN (
    SELECT digest FROM events WHERE run_id = ? AND position = ?
) = ? THEN ? END"""

# The row number of the predecessor spares the way through the key's index; all else must be the same.
BEHIND_ROW = """CASE WHEN (
    SELECT digest FROM events WHERE seq = ? AND run_id = ? AND position = ?
) = ? THEN ? END"""

SELECT_DIGEST = "SELECT digest FROM events WHERE run_id = ? AND position = ?"

SELECT_DIGEST_OF_ROW = "SELECT digest FROM events WHERE seq = ? AND run_id = ? AND position = ?"

INSERT_RUN_ONCE = """
INSERT OR IGNORE INTO runs
    (run_id, parent_run_id, forked_at_event_id, label, created_at, goal, frame_id, setup_count)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""

SELECT_RUN_EXISTS = "SELECT 1 FROM runs WHERE run_id = ?"

DELETE_AFTER = "DELETE FROM events WHERE run_id = ? AND position > ?"

_ROWS_AT_ONCE = 32
"""Rows of one statement; it is prepared once for each number of rows."""

_FEW_ROWS, _FEW_CHARACTERS = 8, 64 * 1024
"""What one fenced statement inserts: as it reads the table, SQLite takes several rows through another one in memory."""

_payload_of = itemgetter(4)


def _are_few(rows: list[Row]) -> bool:
    count = len(rows)
    if count < 2:
        return count == 1
    return count <= _FEW_ROWS and sum(map(len, map(_payload_of, rows))) <= _FEW_CHARACTERS


@cache
def _statement(count: int, digest: str, frame: str) -> str:
    first, other = ROW.format(digest=digest, frame=frame), ROW.format(digest="?", frame=frame)
    return INSERT + ", ".join([first] + [other] * (count - 1))


def _insert(cursor: sqlite3.Cursor, digest: str, fence: list[Any], run_id: str, rows: list[Row]) -> None:
    """Insert rows by one statement.

    Args:
        digest: What the statement says for the digest of the first row; `fence` holds the values that this takes before it.
    """
    # The driver looks for an adapter of every None and of all bytes, time and again; what the statement
    # says itself, and a bytearray, it takes as they are.
    values = fence.copy()
    for position, id, type, actor, payload, frame_id, caused_by, timestamp, own in rows:
        if frame_id is not None:
            break
        values += (bytearray(own), run_id, position, id, type, actor, payload, caused_by, timestamp)
    else:
        cursor.execute(_statement(len(rows), digest, "NULL"), values)
        return
    for position, id, type, actor, payload, frame_id, caused_by, timestamp, own in rows:
        fence += (bytearray(own), run_id, position, id, type, actor, payload, caused_by, timestamp, frame_id)
    cursor.execute(_statement(len(rows), digest, "?"), fence)


class Writer:
    """What a handle knows of its run's head, and the appends behind it.

    Attributes:
        head: The last event as far as this handle knows.
        has_record: Whether the run's row is known to exist.
        moves: Counts the writer's own appends and truncations.
    """

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.head: Head = reads.NO_HEAD
        self.has_record = False
        self.moves = 0

    def learn(self, connection: sqlite3.Connection) -> None:
        """Read the head, so that the next append goes behind it."""
        self._cursor: sqlite3.Cursor = connection.cursor()
        self.head = reads.head(connection, self.run_id)
        self.has_record = connection.execute(SELECT_RUN_EXISTS, (self.run_id,)).fetchone() is not None

    def append(
        self, connection: sqlite3.Connection, events: Sequence[Event], expected_count: int | None, *, joins: bool
    ) -> int:
        """Append events behind the expected head, all or none; returns the new head's position.

        Args:
            joins: Whether a transaction is open, which then commits them.

        Raises:
            NonSerializableEventError, DuplicateEventError, ConcurrentWriterError: Nothing was stored.
        """
        base = self.head
        rows = rows_behind(events, base.position, base.digest)
        if expected_count is not None and expected_count != base.position:
            base = self._other_base(connection, rows, expected_count)
            rows = rows_behind(events, base.position, base.digest)
        if joins:
            seq = self._append_joining(connection, base, rows, events)
        elif self.has_record and _are_few(rows):
            seq = self._append_few(connection, base, rows)
        else:
            seq = self._append_alone(connection, base, rows, events)
        if not rows:
            self.head = base
            return base.position
        last = rows[-1]
        self.head = Head(last[0], last[1], last[8], seq)
        self.has_record = True
        self.moves += 1
        return last[0]

    def _append_few(self, connection: sqlite3.Connection, base: Head, rows: list[Row]) -> int | None:
        """Append what a step commonly is, in one statement; returns the number of the last row."""
        run_id, position, seq = self.run_id, base.position, base.seq
        digest, fence = BEHIND_ROW, [seq, run_id, position, bytearray(base.digest)]
        if seq is None:
            digest, fence = (BEHIND, fence[1:]) if position else ("?", [])
        cursor = self._cursor
        try:
            _insert(cursor, digest, fence, run_id, rows)
        except sqlite3.IntegrityError as error:
            if seq is not None:
                # The row may have got another number, in a file that was dumped and restored.
                return self._append_few(connection, replace(base, seq=None), rows)
            raise self._refused(connection, base, rows) from error
        return cursor.lastrowid

    def _append_alone(
        self, connection: sqlite3.Connection, base: Head, rows: list[Row], events: Sequence[Event]
    ) -> int | None:
        cursor = self._cursor
        cursor.execute("BEGIN IMMEDIATE" if rows else "BEGIN")
        try:
            seq = self._append_batch(cursor, base, rows, events)
            cursor.execute("COMMIT")
        except BaseException:
            roll_back(connection)
            raise
        return seq

    def _append_joining(
        self, connection: sqlite3.Connection, base: Head, rows: list[Row], events: Sequence[Event]
    ) -> int | None:
        # The block may go on after a refusal, so the batch must leave nothing of itself in the transaction.
        connection.execute("SAVEPOINT batch")
        try:
            return self._append_batch(self._cursor, base, rows, events)
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK TO batch")
            raise
        finally:
            if connection.in_transaction:
                connection.execute("RELEASE batch")

    def _append_batch(self, cursor: sqlite3.Cursor, base: Head, rows: list[Row], events: Sequence[Event]) -> int | None:
        """Append rows inside an open transaction; returns the number of the last one."""
        if base.position and not self._is_there(cursor, base):
            raise self._refused(cursor.connection, base, rows)
        if not rows:
            actual = reads.head(cursor.connection, self.run_id)
            if actual.position != base.position:
                raise self._stale(base.position, base.id, actual)
            return None
        if not self.has_record:
            fields = RunFields.for_first_append(self.run_id, events)
            cursor.execute(INSERT_RUN_ONCE, tuple(fields.__dict__.values()))
        try:
            for start in range(0, len(rows), _ROWS_AT_ONCE):
                _insert(cursor, "?", [], self.run_id, rows[start : start + _ROWS_AT_ONCE])
        except sqlite3.IntegrityError as error:
            raise self._refused(cursor.connection, base, rows) from error
        return cursor.lastrowid

    def _is_there(self, cursor: sqlite3.Cursor, base: Head) -> bool:
        """Whether the log holds this head."""
        if base.seq is not None:
            found = cursor.execute(SELECT_DIGEST_OF_ROW, (base.seq, self.run_id, base.position)).fetchone()
            if found is not None and found[0] == base.digest:
                return True
        found = cursor.execute(SELECT_DIGEST, (self.run_id, base.position)).fetchone()
        return found is not None and found[0] == base.digest

    def _other_base(self, connection: sqlite3.Connection, rows: Sequence[Row], expected_count: int) -> Head:
        """The head, where the caller believes in another one than this handle knew, and is right."""
        double = self._double(connection, rows, self.head.position)
        if double is not None:
            raise double
        actual = reads.head(connection, self.run_id)
        if actual.position != expected_count:
            raise self._stale(expected_count, self._id_at(connection, expected_count, actual), actual)
        return actual

    def _double(self, connection: sqlite3.Connection, rows: Sequence[Row], known: int) -> Exception | None:
        """Why a batch with an id twice is refused: the first id that was there before, in the known prefix or the batch."""
        ids = [row[1] for row in rows]
        double = first_double(ids, {id for id in ids if self._is_held(connection, id, known)})
        return None if double is None else duplicate(double, self.run_id)

    def _refused(self, connection: sqlite3.Connection, base: Head, rows: list[Row]) -> Exception:
        """Why the keys refused: an id that the known prefix or the batch holds already, or another writer."""
        double = self._double(connection, rows, base.position)
        if double is not None:
            return double
        return self._stale(base.position, base.id, reads.head(connection, self.run_id))

    def _is_held(self, connection: sqlite3.Connection, event_id: str, known: int) -> bool:
        position = reads.position_of(connection, self.run_id, event_id)
        return position is not None and position <= known

    def _stale(self, expected_count: int, expected_head: str | None, actual: Head) -> ConcurrentWriterError:
        return ConcurrentWriterError(
            run_id=self.run_id,
            expected_head=expected_head,
            actual_head=actual.id,
            expected_count=expected_count,
            actual_count=actual.position,
            driver="sqlite",
        )

    def _id_at(self, connection: sqlite3.Connection, position: int, actual: Head) -> str | None:
        if position == self.head.position:
            return self.head.id
        if not 0 < position <= actual.position:
            return None
        page = reads.page(connection, self.run_id, position, position)
        return page[0][1] if page else None

    def truncate_after(self, connection: sqlite3.Connection, event_id: str) -> None:
        """Delete what stands behind an event, inside an open transaction, unless the run grew meanwhile."""
        position = reads.position_of(connection, self.run_id, event_id)
        if position is None:
            raise unknown_event(event_id, self.run_id, "truncate_after", "sqlite")
        actual = reads.head(connection, self.run_id)
        if (actual.position, actual.id, actual.digest) != (self.head.position, self.head.id, self.head.digest):
            raise self._stale(self.head.position, self.head.id, actual)
        connection.execute(DELETE_AFTER, (self.run_id, position))
        self.head = reads.head(connection, self.run_id)
        self.moves += 1
