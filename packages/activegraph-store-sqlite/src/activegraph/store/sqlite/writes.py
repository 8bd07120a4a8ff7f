"""Statements that append: fenced by the key, one transaction per batch.

A single event is one statement that also requires its predecessor; a batch looks at the
predecessor once, inside its transaction. The unique keys refuse everybody else.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from activegraph.core.event import Event, canonical_payload, digest_of
from activegraph.errors import ConcurrentWriterError
from activegraph.store.records import RunFields
from activegraph.store.refusals import duplicate, first_double, unknown_event
from activegraph.store.serde import header_of
from activegraph.store.sqlite import reads
from activegraph.store.sqlite.connection import roll_back
from activegraph.store.sqlite.reads import Head

__all__ = ["INSERT_EVENT", "INSERT_RUN_ONCE", "Writer"]

INSERT_EVENT = """
INSERT INTO events (run_id, position, id, type, actor, payload, frame_id, caused_by, timestamp, digest)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""

# A predecessor that is not the known one makes the digest NULL, which the column refuses. An INSERT ... SELECT
# from the table itself would say it more plainly, and copies every row through a temporary table first.
INSERT_BEHIND = """
INSERT INTO events (run_id, position, id, type, actor, payload, frame_id, caused_by, timestamp, digest)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, CASE WHEN (
    SELECT digest FROM events WHERE run_id = ? AND position = ?
) = ? THEN ? END)"""

SELECT_DIGEST = "SELECT digest FROM events WHERE run_id = ? AND position = ?"

INSERT_RUN_ONCE = """
INSERT OR IGNORE INTO runs
    (run_id, parent_run_id, forked_at_event_id, label, created_at, goal, frame_id, setup_count)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""

SELECT_RUN_EXISTS = "SELECT 1 FROM runs WHERE run_id = ?"

DELETE_AFTER = "DELETE FROM events WHERE run_id = ? AND position > ?"

Row = tuple[Any, ...]


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
        if len(events) == 1 and self.has_record and not joins and expected_count in (None, self.head.position):
            return self._append_one(connection, events[0])
        headers = [header_of(event) for event in events]
        payloads = [canonical_payload(event) for event in events]
        if len(headers) > 1 and len({header[0] for header in headers}) != len(headers):
            raise self._double(connection, headers)
        base = self.head
        if expected_count is not None and expected_count != base.position:
            base = self._other_base(connection, headers, expected_count)
        position, digest, run_id = base.position, base.digest, self.run_id
        rows: list[Row] = []
        for (id, type, actor, frame_id, caused_by, timestamp), payload in zip(headers, payloads, strict=True):
            position += 1
            digest = digest_of(digest, id, type, payload, actor, frame_id, caused_by, timestamp)
            text = payload.decode("utf-8")
            rows.append((run_id, position, id, type, actor, text, frame_id, caused_by, timestamp, digest))
        if joins:
            self._append_joining(connection, base, rows, events)
        else:
            self._append_alone(connection, base, rows, events)
        if rows:
            self.head = Head(position, rows[-1][2], digest)
            self.has_record = True
            self.moves += 1
        else:
            self.head = base
        return position

    def _append_one(self, connection: sqlite3.Connection, event: Event) -> int:
        """Append the commonest batch there is: one event behind the known head, in one statement."""
        id, type, actor, frame_id, caused_by, timestamp = header_of(event)
        payload = canonical_payload(event)
        base = self.head
        position = base.position + 1
        digest = digest_of(base.digest, id, type, payload, actor, frame_id, caused_by, timestamp)
        text = payload.decode("utf-8")
        row = (self.run_id, position, id, type, actor, text, frame_id, caused_by, timestamp, digest)
        try:
            if position == 1:
                connection.execute(INSERT_EVENT, row)
            else:
                fence = (self.run_id, base.position, base.digest)
                connection.execute(INSERT_BEHIND, (*row[:-1], *fence, digest))
        except sqlite3.IntegrityError as error:
            raise self._refused(connection, base, [row]) from error
        self.head = Head(position, id, digest)
        self.moves += 1
        return position

    def _append_alone(
        self, connection: sqlite3.Connection, base: Head, rows: list[Row], events: Sequence[Event]
    ) -> None:
        connection.execute("BEGIN IMMEDIATE" if rows else "BEGIN")
        try:
            self._append_batch(connection, base, rows, events)
            connection.execute("COMMIT")
        except BaseException:
            roll_back(connection)
            raise

    def _append_joining(
        self, connection: sqlite3.Connection, base: Head, rows: list[Row], events: Sequence[Event]
    ) -> None:
        # The block may go on after a refusal, so the batch must leave nothing of itself in the transaction.
        connection.execute("SAVEPOINT batch")
        try:
            self._append_batch(connection, base, rows, events)
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK TO batch")
            raise
        finally:
            if connection.in_transaction:
                connection.execute("RELEASE batch")

    def _append_batch(
        self, connection: sqlite3.Connection, base: Head, rows: list[Row], events: Sequence[Event]
    ) -> None:
        if base.position:
            found = connection.execute(SELECT_DIGEST, (self.run_id, base.position)).fetchone()
            if found is None or found[0] != base.digest:
                raise self._refused(connection, base, rows)
        if not rows:
            actual = reads.head(connection, self.run_id)
            if actual.position != base.position:
                raise self._stale(base.position, base.id, actual)
            return
        if not self.has_record:
            fields = RunFields.for_first_append(self.run_id, events)
            connection.execute(INSERT_RUN_ONCE, tuple(fields.__dict__.values()))
        try:
            connection.executemany(INSERT_EVENT, rows)
        except sqlite3.IntegrityError as error:
            raise self._refused(connection, base, rows) from error

    def _other_base(self, connection: sqlite3.Connection, headers: Sequence[Row], expected_count: int) -> Head:
        """The head, where the caller believes in another one than this handle knew, and is right."""
        for header in headers:
            if self._is_held(connection, header[0], self.head.position):
                raise duplicate(header[0], self.run_id)
        actual = reads.head(connection, self.run_id)
        if actual.position != expected_count:
            raise self._stale(expected_count, self._id_at(connection, expected_count, actual), actual)
        return actual

    def _double(self, connection: sqlite3.Connection, headers: Sequence[Row]) -> Exception:
        """Why a batch with an id twice is refused: the first id that was there before, in the log or the batch."""
        ids = [header[0] for header in headers]
        held = {id for id in ids if self._is_held(connection, id, self.head.position)}
        return duplicate(first_double(ids, held) or ids[0], self.run_id)

    def _refused(self, connection: sqlite3.Connection, base: Head, rows: list[Row]) -> Exception:
        """Why the keys refused: an id that the known prefix holds, or another writer."""
        for row in rows:
            if self._is_held(connection, row[2], base.position):
                return duplicate(row[2], self.run_id)
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
        if actual != self.head:
            raise self._stale(self.head.position, self.head.id, actual)
        connection.execute(DELETE_AFTER, (self.run_id, position))
        self.head = reads.head(connection, self.run_id)
        self.moves += 1
