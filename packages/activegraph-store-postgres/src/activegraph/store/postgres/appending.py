"""Appends of one handle: behind the known head, waited for as asked, and settled when the connection is lost."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from activegraph.core.event import Event
from activegraph.core.log_lines import say
from activegraph.errors import StoreUnavailableError
from activegraph.store.base import RawEvent
from activegraph.store.chain import rows_behind
from activegraph.store.postgres import catalog, reads
from activegraph.store.postgres.driver import psycopg
from activegraph.store.postgres.driver_errors import is_lost, masked_cause, translated, unavailable
from activegraph.store.postgres.handle import Handle
from activegraph.store.postgres.outcome import Outcome, look_for
from activegraph.store.postgres.session import IDLE, Session
from activegraph.store.postgres.writer import Known, Writer
from activegraph.store.postgres.writes import Sync
from activegraph.store.records import RunFields

__all__ = ["Appender"]

_LOOKS = 3
"""New sessions that are tried for finding out what became of a batch."""

# An empty commit syncs nothing; this writes a record to the log of the server and touches no table.
SYNC = """
SELECT
    set_config(
        'synchronous_commit',
        CASE current_setting('synchronous_commit')
            WHEN 'off' THEN 'on'
            ELSE current_setting('synchronous_commit')
        END,
        true
    ),
    pg_logical_emit_message(true, 'activegraph', '')"""

_logger = logging.getLogger("activegraph.store")


class Appender:
    """The appending side of one handle."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self._run_id = handle.run_id or ""
        self.writer = Writer(self._run_id)
        self._block_rows: list[RawEvent] = []
        self._block_record: RunFields | None = None
        self._all_synced = False
        self._warned = False

    def append(self, events: Sequence[Event], expected_count: int | None, sync: bool | None) -> int:
        """Append events behind the expected head; returns the new one."""
        writer, handle = self.writer, self._handle
        rows = [RawEvent(*row) for row in rows_behind(events, writer.head, writer.known.digest)]
        if sync:
            self._warn_of_fsync()
        if expected_count is not None and expected_count != writer.head:
            handle.read(lambda session: writer.expect(session, rows, expected_count))
            rows = [RawEvent(*row) for row in rows_behind(events, writer.head, writer.known.digest)]
        if not rows:
            handle.write(lambda session: self._append_nothing(session, sync), repeatable=True)
            return writer.head
        record = None if writer.known.has_record else RunFields.for_first_append(self._run_id, events)
        final = self._append_rows(rows, sync, record)
        writer.advance(rows, recorded=final)
        if handle.block is not None:
            self._block_rows += rows
        return writer.head

    def _append_rows(self, rows: list[RawEvent], sync: bool | None, record: RunFields | None) -> bool:
        """Write rows; whether they are committed, or will be at the end of our own transaction."""
        handle, failure = self._handle, None
        session = handle.take()
        try:
            lent_inside = handle.block is None and session.status != IDLE
            mode = None if lent_inside else self._mode(sync)
            self.writer.append(session, rows, mode, first_record=record)
        except psycopg().Error as error:
            handle.mark(session, error)
            failure = error
        except (KeyboardInterrupt, SystemExit):
            self.writer.in_doubt = rows
            raise
        finally:
            handle.give_back(session)
        if failure is not None:
            self._after_failure(session, rows, failure, committer_is_gone=lent_inside or handle.block is not None)
        self._all_synced = mode in ("on", "full") and handle.block is None
        return not lent_inside

    def _after_failure(
        self, session: Session, rows: list[RawEvent], failure: BaseException, *, committer_is_gone: bool
    ) -> None:
        """Return if the rows are stored after all; else raise what became of them."""
        place = self._handle.place
        with translated(place, self._run_id, writing=True):
            if not session.broken:
                raise failure
            if committer_is_gone:
                raise self._lost(failure, committed=False) from masked_cause(failure, place)
            self._settle(session, rows, failure)

    def _mode(self, sync: bool | None) -> Sync:
        if self._handle.connections.address.synchronous == "full":
            return "full"
        if sync:
            return "on"
        # In a transaction of several appends the strongest wish counts.
        return "off" if sync is False and self._handle.block is None else None

    def _append_nothing(self, session: Session, sync: bool | None) -> None:
        self.writer.check(session)
        if not sync or self._all_synced:
            return
        if self._handle.block is None and session.status != IDLE:
            return
        session.read(SYNC).fetchone()
        self._all_synced = self._handle.block is None

    def _warn_of_fsync(self) -> None:
        facts = self._handle.facts
        if facts is None or facts.fsync or self._warned:
            return
        self._warned = True
        message = "the server has fsync off: what is acknowledged does not survive a power cut"
        say(_logger, logging.WARNING, message, run_id=self._run_id)

    def truncate_after(self, event_id: str) -> None:
        """Delete what stands behind an event."""
        handle = self._handle
        self._all_synced = False
        try:
            handle.write(lambda session: self.writer.truncate_after(session, event_id))
        except StoreUnavailableError as error:
            if error.context.get("committed", False) is not None or not handle.connections.recovers:
                raise
            handle.read(self.writer.learn)
            if handle.read(lambda session: reads.position_of(session, self._run_id, event_id)) != self.writer.head:
                error.context["committed"] = False
                raise

    def note_record(self, fields: RunFields) -> None:
        """Take the run as recorded, unless the owner of the connection may still roll that back."""
        self._block_record = fields
        self._all_synced = False
        recorded = not self._handle.in_callers_transaction()
        self.writer.known = self.writer.known._replace(has_record=recorded)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside commits together; nesting joins the outer block."""
        handle = self._handle
        if handle.block is not None:
            yield
            return
        known, self._block_rows, self._block_record = self.writer.known, [], None
        with translated(handle.place, self._run_id, writing=True):
            session, transaction, inside = self._begin()
        lost: BaseException | None = None
        try:
            handle.block = session
            try:
                yield
            except BaseException:
                handle.block = None
                self._undo(session, transaction)
                raise
            handle.block = None
            lost = self._commit(session, transaction)
        except BaseException:
            self.writer.known = known
            raise
        finally:
            handle.block = None
            handle.connections.release(session)
        if lost is not None:
            self._settle_block(session, lost, known, inside=inside)
        self._all_synced = False
        if inside:
            self.writer.known = self.writer.known._replace(has_record=False)

    def _begin(self) -> tuple[Session, Any, bool]:
        """A session with a transaction begun, and whether that is inside one of the connection's owner."""
        handle = self._handle
        for last in (not handle.connections.recovers, True):
            session = handle.connections.acquire(self._run_id)
            inside = session.status != IDLE
            transaction = session.connection.transaction()
            try:
                transaction.__enter__()
            except psycopg().Error as error:
                session.broken = is_lost(error, session.connection)
                handle.connections.release(session)
                if not session.broken:
                    raise
                if last:
                    raise self._lost(error, committed=False) from masked_cause(error, handle.place)
            else:
                break
        return session, transaction, inside

    def _undo(self, session: Session, transaction: Any) -> None:
        try:
            transaction.__exit__(*sys.exc_info())
        except psycopg().Error as error:
            # What is being raised already says more than that its rollback found the connection lost.
            session.broken = True
            fields = {"run_id": self._run_id, "error_type": type(error).__name__}
            say(_logger, logging.DEBUG, "rollback failed", **fields)

    def _commit(self, session: Session, transaction: Any) -> BaseException | None:
        """Commit the block; the error if the connection was lost over it."""
        with translated(self._handle.place, self._run_id, writing=True):
            try:
                transaction.__exit__(None, None, None)
            except psycopg().Error as error:
                session.broken = is_lost(error, session.connection)
                if not session.broken:
                    raise
                lost: BaseException = error
                return lost
        return None

    def _settle_block(self, session: Session, error: BaseException, known: Known, *, inside: bool) -> None:
        """Return if a block whose commit was not heard of is stored; else raise what became of it."""
        handle = self._handle
        try:
            with translated(handle.place, self._run_id, writing=True):
                if inside:
                    raise self._lost(error, committed=False) from masked_cause(error, handle.place)
                if self._block_rows:
                    self._settle(session, self._block_rows, error)
                elif self._block_record is not None and not self._is_recorded():
                    raise self._lost(error, committed=False) from masked_cause(error, handle.place)
        except BaseException:
            self.writer.known = known
            raise

    def _is_recorded(self) -> bool:
        """Whether the run's record is what the block has written."""
        found = self._handle.read(lambda session: catalog.select_run(session, self._run_id))
        return found is not None and RunFields.of(found) == self._block_record

    def _settle(self, lost: Session, rows: list[RawEvent], error: BaseException) -> None:
        """Find out what became of rows whose commit was not heard of; returns if they are stored.

        Raises:
            StoreUnavailableError: They are not (`committed` is False), or nobody can say (None).
            ConcurrentWriterError: Something else is at their positions.
        """
        connections, place = self._handle.connections, self._handle.place
        self.writer.in_doubt = rows
        if connections.recovers:
            outcome = self._look(rows, lost.backend_pid if connections.direct else None)
            if outcome is Outcome.STORED:
                return
            if outcome is Outcome.ABSENT:
                raise self._lost(error, committed=False) from masked_cause(error, place)
        raise self._lost(error, committed=None) from masked_cause(error, place)

    def _look(self, rows: list[RawEvent], lost_pid: int | None) -> Outcome | None:
        for _ in range(_LOOKS):
            try:
                with self._handle.session() as session:
                    outcome = look_for(session, self._run_id, rows, lost_pid)
                    if outcome is Outcome.OTHER:
                        raise self.writer.refused(session, rows)
                    return outcome
            except StoreUnavailableError:
                return None
            except psycopg().Error:
                if not session.broken:
                    raise
        return None

    def _lost(self, error: BaseException, *, committed: bool | None) -> StoreUnavailableError:
        return unavailable(self._handle.place, self._run_id, "lost", str(error), committed=committed)
