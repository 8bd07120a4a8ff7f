"""What a handle knows of its run's head, and the appends behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from activegraph.core.event import NO_DIGEST
from activegraph.errors import ConcurrentWriterError, DuplicateEventError
from activegraph.store.base import RawEvent
from activegraph.store.postgres import reads
from activegraph.store.postgres.driver import psycopg
from activegraph.store.postgres.driver_errors import DRIVER
from activegraph.store.postgres.session import IDLE, Session
from activegraph.store.postgres.writes import Sync, insert_events, insert_run_once, split
from activegraph.store.records import RunFields
from activegraph.store.refusals import duplicate, first_double, unknown_event

__all__ = ["Known", "Writer"]

SELECT_RUN_EXISTS = "SELECT 1 FROM runs WHERE run_id = %s"

SELECT_KNOWN_IDS = """
SELECT id
FROM events
WHERE run_id = %s AND id = ANY(%s::text[]) AND position <= %s::bigint"""

# Inserts take their lock on the table before they look at it, so this keeps all appends out until the commit.
LOCK_EVENTS = "LOCK TABLE events IN SHARE ROW EXCLUSIVE MODE"

DELETE_AFTER = "DELETE FROM events WHERE run_id = %s AND position > %s::bigint"


class _Fenced(Exception):
    """The head is another one; rolls the transaction back."""


class Known(NamedTuple):
    """A head as a handle knows it, to go back to when a transaction is undone."""

    head: int
    digest: bytes
    has_record: bool


class Writer:
    """The writing end of one handle. It trusts what it knows; the statements do not."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.known = Known(0, NO_DIGEST, False)
        self.in_doubt: list[RawEvent] = []
        """A batch that was sent, and not there when it was looked for: if it is met later, it is ours."""

    @property
    def head(self) -> int:
        """The last position, as known."""
        return self.known.head

    def learn(self, session: Session) -> None:
        """Read the head, so that the next append goes behind it."""
        position, _, digest = reads.head(session, self.run_id)
        # What a transaction that is open has recorded may yet be rolled back.
        settled = session.status == IDLE
        recorded = settled and session.read(SELECT_RUN_EXISTS, (self.run_id,)).fetchone() is not None
        self.known = Known(position, digest or NO_DIGEST, recorded)

    def adopt(self, position: int, digest: bytes) -> None:
        """Take a head that the caller has read up to as known."""
        self.known = Known(position, digest, self.known.has_record)

    def expect(self, session: Session, rows: Sequence[RawEvent], expected_count: int) -> None:
        """Move to another head than the known one, if it is the log's.

        Raises:
            DuplicateEventError: The known prefix holds one of these ids, or one stands twice among them.
            ConcurrentWriterError: The log's head is another one.
        """
        self.refuse_doubles(session, rows)
        before = self.known
        self.learn(session)
        if self.head != expected_count:
            actual = self.head
            self.known = before
            raise self.stale(session, expected_count, actual)

    def refuse_doubles(self, session: Session, rows: Sequence[RawEvent]) -> None:
        """Raise `DuplicateEventError` for the first id that the known prefix holds or that stands twice in `rows`."""
        double = self._first_double(session, rows)
        if double is not None:
            raise duplicate(double, self.run_id)

    def check(self, session: Session) -> None:
        """Raise `ConcurrentWriterError` unless the log's head is the known one."""
        position, _, digest = reads.head(session, self.run_id)
        if position != self.head or (digest or NO_DIGEST) != self.known.digest:
            raise self.stale(session, self.head, position)

    def append(self, session: Session, rows: list[RawEvent], sync: Sync, *, first_record: RunFields | None) -> None:
        """Append rows behind the known head; what is known then is left to the caller.

        Args:
            first_record: The run's record, written with the rows where the run has none.

        Raises:
            ConcurrentWriterError, DuplicateEventError: Nothing was stored.
        """
        driver = psycopg()
        portions = split(rows)
        known = self.known
        try:
            if first_record is None and len(portions) == 1:
                if not insert_events(session, self.run_id, known.head, known.digest, rows, sync, alone=True):
                    raise _Fenced
                return
            with session.transaction():
                if first_record is not None:
                    insert_run_once(session, first_record)
                head, digest = known.head, known.digest
                for portion in portions:
                    if not insert_events(session, self.run_id, head, digest, portion, sync, alone=False):
                        raise _Fenced
                    head, digest = portion[-1].position, portion[-1].digest or NO_DIGEST
        except _Fenced:
            if not self._met_own(session, rows):
                raise self.refused(session, rows) from None
        except (driver.errors.UniqueViolation, driver.errors.SerializationFailure) as error:
            if self._met_own(session, rows):
                return
            if isinstance(error, driver.errors.SerializationFailure) and not self._moved(session):
                raise
            raise self.refused(session, rows) from error

    def advance(self, rows: Sequence[RawEvent], *, recorded: bool = True) -> None:
        """Take appended rows as known. `recorded` is False where a caller may still roll the record back."""
        self.in_doubt = []
        if rows:
            self.known = Known(rows[-1].position, rows[-1].digest or NO_DIGEST, recorded)

    def truncate_after(self, session: Session, event_id: str) -> None:
        """Delete what stands behind an event, unless the run grew since this handle last looked."""
        with session.transaction():
            session.execute(LOCK_EVENTS)
            position = reads.position_of(session, self.run_id, event_id)
            if position is None:
                raise unknown_event(event_id, self.run_id, "truncate_after", DRIVER)
            self.check(session)
            session.execute(DELETE_AFTER, (self.run_id, str(position)))
        self.learn(session)

    def stale(self, session: Session, expected: int, actual: int) -> ConcurrentWriterError:
        """The error for a head that is not the expected one."""
        return ConcurrentWriterError(
            run_id=self.run_id,
            expected_head=reads.id_at(session, self.run_id, expected),
            actual_head=reads.id_at(session, self.run_id, actual),
            expected_count=expected,
            actual_count=actual,
            driver=DRIVER,
        )

    def _met_own(self, session: Session, rows: list[RawEvent]) -> bool:
        """Whether these rows are in doubt from an earlier try, and stand in the log by now."""
        sent = [(row.position, row.digest) for row in rows]
        if sent != [(row.position, row.digest) for row in self.in_doubt]:
            return False
        return reads.digests(session, self.run_id, rows[0].position, rows[-1].position) == sent

    def _moved(self, session: Session) -> bool:
        return reads.head(session, self.run_id)[0] != self.head

    def refused(self, session: Session, rows: list[RawEvent]) -> DuplicateEventError | ConcurrentWriterError:
        """Why the keys refused: an id that this handle's prefix holds, or another writer."""
        double = self._first_double(session, rows)
        if double is not None:
            return duplicate(double, self.run_id)
        return self.stale(session, self.head, reads.head(session, self.run_id)[0])

    def _first_double(self, session: Session, rows: Sequence[RawEvent]) -> str | None:
        ids = [row.id for row in rows]
        known: set[str] = set()
        if ids and self.head:
            found = session.read(SELECT_KNOWN_IDS, (self.run_id, ids, str(self.head))).fetchall()
            known = {row[0] for row in found}
        return first_double(ids, known)
