"""Statements that append: fenced by the key, one transaction per batch.

A single event is one statement that also requires its predecessor; a batch looks at the
predecessor once, inside its transaction. The unique keys refuse everybody else.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from activegraph.core.event import NO_DIGEST, Event, canonical_payload, digest_of
from activegraph.errors import ConcurrentWriterError
from activegraph.store.memory import duplicate, unknown_event
from activegraph.store.records import RunFields
from activegraph.store.serde import validate_header
from activegraph.store.sqlite import reads

__all__ = ["INSERT_EVENT", "INSERT_RUN_ONCE", "Writer"]

INSERT_EVENT = """
INSERT INTO events (run_id, position, id, type, actor, payload, frame_id, caused_by, timestamp, digest)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""

INSERT_BEHIND = """
INSERT INTO events (run_id, position, id, type, actor, payload, frame_id, caused_by, timestamp, digest)
SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
FROM events
WHERE run_id = ? AND position = ? AND digest = ?"""

SELECT_DIGEST = "SELECT digest FROM events WHERE run_id = ? AND position = ?"

INSERT_RUN_ONCE = """
INSERT OR IGNORE INTO runs
    (run_id, parent_run_id, forked_at_event_id, label, created_at, goal, frame_id, setup_count)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""

SELECT_RUN_EXISTS = "SELECT 1 FROM runs WHERE run_id = ?"

DELETE_AFTER = "DELETE FROM events WHERE run_id = ? AND position > ?"

Row = tuple[Any, ...]


class Writer:
    """What a handle knows of its run's head, and the appends behind it."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.head = 0
        self.digest = NO_DIGEST
        self.has_record = False

    def learn(self, connection: sqlite3.Connection) -> None:
        """Read the head, so that the next append goes behind it."""
        position, _, digest = reads.head(connection, self.run_id)
        self.head, self.digest = position, digest or NO_DIGEST
        self.has_record = connection.execute(SELECT_RUN_EXISTS, (self.run_id,)).fetchone() is not None

    def adopt(self, connection: sqlite3.Connection, position: int) -> None:
        """Take a head that the caller has read up to as known."""
        if position != self.head:
            row = connection.execute(SELECT_DIGEST, (self.run_id, position)).fetchone()
            self.head, self.digest = position, NO_DIGEST if row is None else row[0]

    def known(self) -> tuple[int, bytes, bool]:
        """The head as known, to go back to when a transaction is undone."""
        return self.head, self.digest, self.has_record

    def restore(self, known: tuple[int, bytes, bool]) -> None:
        """Go back to what was known before a transaction."""
        self.head, self.digest, self.has_record = known

    def encode(self, connection: sqlite3.Connection, events: Sequence[Event], expected_count: int | None) -> list[Row]:
        """Rows behind the expected head, in the order of the statements' columns.

        Raises:
            NonSerializableEventError, DuplicateEventError, ConcurrentWriterError: Nothing was stored.
        """
        payloads = []
        for event in events:
            validate_header(event)
            payloads.append(canonical_payload(event))
        if len(events) > 1 and len({event.id for event in events}) != len(events):
            raise duplicate(_first_double(events), self.run_id)
        if expected_count is not None and expected_count != self.head:
            self._check_known_ids(connection, events)
            known = self.known()
            self.learn(connection)
            if self.head != expected_count:
                actual = self.head
                self.restore(known)
                raise self.stale(connection, expected_count, actual)
        position, digest, run_id = self.head, self.digest, self.run_id
        rows: list[Row] = []
        for event, payload in zip(events, payloads, strict=True):
            position += 1
            id, type, actor = event.id, event.type, event.actor
            frame_id, caused_by, timestamp = event.frame_id, event.caused_by, event.timestamp
            digest = digest_of(digest, id, type, payload, actor, frame_id, caused_by, timestamp)
            rows.append(
                (run_id, position, id, type, actor, payload.decode("utf-8"), frame_id, caused_by, timestamp, digest)
            )
        if rows and not self.has_record:
            self._first_record = RunFields.for_first_append(run_id, events)
        return rows

    def append(self, connection: sqlite3.Connection, rows: list[Row]) -> int:
        """Append rows in a transaction of their own."""
        if len(rows) == 1 and self.has_record:
            self._append_one(connection, rows[0])
        else:
            connection.execute("BEGIN IMMEDIATE" if rows else "BEGIN")
            try:
                self._append_batch(connection, rows)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        self._advance(rows)
        return self.head

    def append_inside(self, connection: sqlite3.Connection, rows: list[Row]) -> int:
        """Append rows inside an open transaction."""
        self._append_batch(connection, rows)
        self._advance(rows)
        return self.head

    def _append_one(self, connection: sqlite3.Connection, row: Row) -> None:
        try:
            if self.head == 0:
                connection.execute(INSERT_EVENT, row)
                return
            cursor = connection.execute(INSERT_BEHIND, (*row, self.run_id, self.head, self.digest))
        except sqlite3.IntegrityError as error:
            raise self._refused(connection, [row]) from error
        if cursor.rowcount == 0:
            raise self._refused(connection, [row])

    def _append_batch(self, connection: sqlite3.Connection, rows: list[Row]) -> None:
        if self.head:
            found = connection.execute(SELECT_DIGEST, (self.run_id, self.head)).fetchone()
            if found is None or found[0] != self.digest:
                raise self._refused(connection, rows)
        if not rows:
            actual = reads.head(connection, self.run_id)[0]
            if actual != self.head:
                raise self.stale(connection, self.head, actual)
            return
        if not self.has_record:
            fields = self._first_record
            connection.execute(INSERT_RUN_ONCE, tuple(fields.__dict__.values()))
        try:
            connection.executemany(INSERT_EVENT, rows)
        except sqlite3.IntegrityError as error:
            raise self._refused(connection, rows) from error

    def _advance(self, rows: list[Row]) -> None:
        if rows:
            self.head, self.digest = rows[-1][1], rows[-1][9]
            self.has_record = True

    def _refused(self, connection: sqlite3.Connection, rows: list[Row]) -> Exception:
        """Why the keys refused: an id that this handle's prefix holds, or another writer."""
        for row in rows:
            position = reads.position_of(connection, self.run_id, row[2])
            if position is not None and position <= self.head:
                return duplicate(row[2], self.run_id)
        actual = reads.head(connection, self.run_id)[0]
        return self.stale(connection, self.head, actual)

    def _check_known_ids(self, connection: sqlite3.Connection, events: Sequence[Event]) -> None:
        for event in events:
            position = reads.position_of(connection, self.run_id, event.id)
            if position is not None and position <= self.head:
                raise duplicate(event.id, self.run_id)

    def stale(self, connection: sqlite3.Connection, expected: int, actual: int) -> ConcurrentWriterError:
        """The error for a head that is not the expected one."""
        return ConcurrentWriterError(
            run_id=self.run_id,
            expected_head=self._id_at(connection, expected),
            actual_head=self._id_at(connection, actual),
            expected_count=expected,
            actual_count=actual,
            driver="sqlite",
        )

    def _id_at(self, connection: sqlite3.Connection, position: int) -> str | None:
        page = reads.page(connection, self.run_id, position, position)
        return page[0][1] if page else None

    def truncate_after(self, connection: sqlite3.Connection, event_id: str) -> None:
        """Delete what stands behind an event, unless the run grew since this handle last looked."""
        connection.execute("BEGIN IMMEDIATE")
        try:
            position = reads.position_of(connection, self.run_id, event_id)
            if position is None:
                raise unknown_event(event_id, self.run_id, "truncate_after", "sqlite")
            actual = reads.head(connection, self.run_id)[0]
            if actual != self.head:
                raise self.stale(connection, self.head, actual)
            connection.execute(DELETE_AFTER, (self.run_id, position))
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self.learn(connection)


def _first_double(events: Sequence[Event]) -> str:
    seen: set[str] = set()
    for event in events:
        if event.id in seen:
            return event.id
        seen.add(event.id)
    return ""
