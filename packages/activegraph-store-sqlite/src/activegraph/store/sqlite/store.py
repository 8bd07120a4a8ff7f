"""`SQLiteEventStore`: one run's log in a SQLite file that may hold many."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import RLock
from time import perf_counter
from types import TracebackType
from typing import Self, TypeVar

from activegraph.core.codec import check_header
from activegraph.core.event import Event
from activegraph.core.log_lines import error_fields, say
from activegraph.store.base import RawEvent, RunRecord
from activegraph.store.refusals import (
    closed,
    forked_handle,
    read_only_handle,
    unknown_event,
)
from activegraph.store.sqlite import catalog, reads
from activegraph.store.sqlite.connection import (
    check_settings,
    open_for_writing,
    roll_back,
    sync_directory,
    sync_log,
)
from activegraph.store.sqlite.driver_errors import DriverError, as_ours, translated
from activegraph.store.sqlite.location import locate
from activegraph.store.sqlite.reading import ReadOnlyDatabase
from activegraph.store.sqlite.run_reader import Row, RunReader
from activegraph.store.sqlite.schema import ddl
from activegraph.store.sqlite.writes import Writer

__all__ = ["SQLiteEventStore"]

_Result = TypeVar("_Result")
_logger = logging.getLogger("activegraph.store")


class SQLiteEventStore:
    """One run's event log in a SQLite file.

    Args:
        path: The file; made if missing, its directory is not.
        run_id: The run that this handle is for; opening it creates no run.
        read_only: Create and change nothing, not even beside the file.
        synchronous: `"normal"` survives the process at every commit; `"full"` a power cut as well.
        busy_timeout: Seconds that a writer waits for another one.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        run_id: str | None = None,
        *,
        read_only: bool = False,
        synchronous: str = "normal",
        busy_timeout: float = 30.0,
    ) -> None:
        if path is None or run_id is None:
            raise _missing_arguments(path, run_id)
        self.path = os.fsdecode(path)
        self.run_id: str = check_header("run_id", run_id)
        self.read_only = read_only
        self._location = locate(path)
        self._synchronous = synchronous
        self._busy_timeout = busy_timeout
        self._lock = RLock()
        self._pid = os.getpid()
        self._closed = False
        self._in_transaction = False
        self._sync_is_due = False
        self._names_are_durable = False
        self._writer = Writer(self.run_id)
        self._connection: sqlite3.Connection | None = None
        self._database: ReadOnlyDatabase | None = None
        check_settings(synchronous, busy_timeout)
        if read_only:
            self._database = ReadOnlyDatabase(self._location)
            self._database.read(lambda connection: None)
        else:
            connection = open_for_writing(self._location, synchronous=synchronous, busy_timeout=busy_timeout)
            self._connection = connection
            with translated(self._location, self.run_id):
                self._writer.learn(connection)

    @property
    def target(self) -> str:
        """What the class methods take to reach the same file."""
        return self._location.file

    @property
    def in_callers_transaction(self) -> bool:
        """Whether what is written now becomes durable only when the caller's `transaction()` ends."""
        return self._in_transaction

    def open_sibling(self, run_id: str) -> SQLiteEventStore:
        """A handle on another run of the same file, with the same settings."""
        return SQLiteEventStore(
            self.target,
            run_id,
            read_only=self.read_only,
            synchronous=self._synchronous,
            busy_timeout=self._busy_timeout,
        )

    def append(self, event: Event) -> None:
        """Append one event (see `EventStore`)."""
        self.append_many((event,))

    def append_many(
        self, events: Sequence[Event], *, expected_count: int | None = None, sync: bool | None = None
    ) -> int:
        """Append events, all or none; returns the new head (see `AtomicAppend`)."""
        with self._lock:
            connection = self._writable("append")
            debugging = _logger.isEnabledFor(logging.DEBUG)
            began = perf_counter() if debugging else 0.0
            try:
                head = self._writer.append(connection, events, expected_count, joins=self._in_transaction)
            except DriverError as error:
                raise self._ours(error) from error
            if sync:
                self._sync(wrote=len(events) > 0)
            if debugging and events:
                fields = {"run_id": self.run_id, "latency_seconds": perf_counter() - began}
                message, first = "append: %d events at %d..%d", head - len(events) + 1
                say(_logger, logging.DEBUG, message, len(events), first, head, **fields)
            return head

    def iter_events(self, after: str | None = None, until: str | None = None) -> Iterator[Event]:
        """Events in order, as of the first `next()`."""
        self._check_open()
        return self._slice(after, until)

    def _slice(self, after: str | None, until: str | None) -> Iterator[Event]:
        reader = self._reader
        with self._lock:
            start, stop, end = reader.boundaries(after, until)
            moves = self._writer.moves
        if start is None:
            raise unknown_event(str(after), self.run_id, "after", "sqlite")
        if stop is None:
            raise unknown_event(str(until), self.run_id, "until", "sqlite")
        last: Row | None = None
        for last in reader.rows(start, stop):
            yield reader.event(last)
        if until is None:
            with self._lock:
                # What was read to its end is known from now on, unless this handle has written meanwhile.
                if moves == self._writer.moves:
                    self._writer.head = end if last is None else reads.Head(last[0], last[1], last[8])

    def iter_range(self, start: int = 1, stop: int | None = None) -> Iterator[Event]:
        """Events by position, both ends inclusive."""
        if start < 1:
            raise ValueError(f"positions start at 1, not {start}")
        self._check_open()
        return self._reader.events(start, stop)

    def tail(self, n: int) -> list[Event]:
        """The last `n` events, oldest first."""
        head = self.head()
        return list(self._reader.events(max(1, head - n + 1), head)) if n > 0 else []

    def iter_types(self, *types: str) -> Iterator[Event]:
        """Events of these types in order, by index where the type has one."""
        self._check_open()
        return self._reader.of_types(tuple(dict.fromkeys(types)))

    def iter_raw(self, start: int = 1) -> Iterator[RawEvent]:
        """Rows from a position on, undecoded, as of the first `next()`."""
        self._check_open()
        return self._reader.raw(start)

    def get_event(self, event_id: str) -> Event | None:
        """The event of this id, by index."""
        return self._reader.by_id(event_id)

    def count(self) -> int:
        """Number of events, from the key."""
        return self._reader.head()

    head = count

    def truncate_after(self, event_id: str) -> None:
        """Delete everything after an event, atomically."""
        with self._lock:
            connection = self._writable("truncate_after")
            with self.transaction(), translated(self._location, self.run_id, writing=True):
                self._writer.truncate_after(connection, event_id)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside commits at the end of the block, or nothing of it; nesting joins the outer one."""
        with self._lock:
            connection = self._writable("transaction")
            if self._in_transaction:
                yield
                return
            writer = self._writer
            head, has_record = writer.head, writer.has_record
            with translated(self._location, self.run_id, writing=True):
                connection.execute("BEGIN IMMEDIATE")
            self._in_transaction, self._sync_is_due = True, False
            try:
                yield
                with translated(self._location, self.run_id, writing=True):
                    self._check_open(writing=True)
                    connection.execute("COMMIT")
            except BaseException:
                roll_back(connection)
                writer.head, writer.has_record = head, has_record
                raise
            finally:
                self._in_transaction = False
            if self._sync_is_due:
                self._sync(wrote=True)

    def get_run(self) -> RunRecord | None:
        """This run's record."""
        return self._look(lambda c: catalog.select_run(c, self.run_id))

    def upsert_run(
        self,
        *,
        parent_run_id: str | None = None,
        forked_at_event_id: str | None = None,
        label: str | None = None,
        created_at: str,
        goal: str | None = None,
        frame_id: str | None = None,
        setup_count: int | None = None,
    ) -> None:
        """Insert or update this run's record (see `RunMetadata`)."""
        with self._lock:
            connection = self._writable("upsert_run")
            with self.transaction(), translated(self._location, self.run_id, writing=True):
                catalog.upsert_run(
                    connection,
                    self.run_id,
                    created_at=created_at,
                    parent_run_id=parent_run_id,
                    forked_at_event_id=forked_at_event_id,
                    label=label,
                    goal=goal,
                    frame_id=frame_id,
                    setup_count=setup_count,
                )
            self._writer.has_record = True

    def close(self) -> None:
        """Release the connection. Idempotent; never raises."""
        with self._lock:
            self._closed = True
            # A child made by `fork()` leaves its parent's connection alone.
            if os.getpid() != self._pid:
                return
            connection, self._connection = self._connection, None
            try:
                if connection is not None:
                    connection.close()
                if self._database is not None:
                    self._database.close()
            except DriverError as error:
                fields = {"run_id": self.run_id, **error_fields(error)}
                say(_logger, logging.WARNING, "closing %s failed", self.path, **fields)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"SQLiteEventStore({self.path!r}, run_id={self.run_id!r})"

    @classmethod
    def list_runs(cls, target: str | os.PathLike[str]) -> list[RunRecord]:
        """All runs of a file, by `created_at`, then id."""
        return catalog.list_runs(locate(target))

    @classmethod
    def most_recent_run_id(cls, target: str | os.PathLike[str]) -> str | None:
        """The run of a file that was appended to last."""
        return catalog.most_recent_run_id(locate(target))

    @classmethod
    def fork_run(
        cls,
        target: str | os.PathLike[str],
        *,
        parent_run_id: str,
        new_run_id: str,
        at_event_id: str,
        label: str | None,
        created_at: str,
        extra_events: Sequence[Event] = (),
    ) -> int:
        """Copy a run's events up to and including one into a new run; returns how many."""
        return catalog.fork_run(
            locate(target),
            parent_run_id=parent_run_id,
            new_run_id=new_run_id,
            at_event_id=at_event_id,
            label=label,
            created_at=created_at,
            extra_events=extra_events,
        )

    @staticmethod
    def ddl() -> str:
        """The complete, idempotent statements that make the tables."""
        return ddl()

    def _sync(self, *, wrote: bool) -> None:
        """Force what was committed to stable storage; in a transaction, when that has been committed."""
        if self._in_transaction:
            self._sync_is_due = True
            return
        with translated(self._location, self.run_id, writing=True, committed=True):
            # With synchronous=full SQLite has synced this commit, and with it all before.
            if not (wrote and self._synchronous == "full"):
                sync_log(self._location)
            if not self._names_are_durable:
                sync_directory(self._location)
                self._names_are_durable = True

    @property
    def _reader(self) -> RunReader:
        # Made when asked for: kept, it would make a cycle, and a dropped handle would linger.
        return RunReader(self.run_id, self._look)

    def _look(self, operation: Callable[[sqlite3.Connection], _Result], /) -> _Result:
        with self._lock:
            self._check_open()
            if self._database is not None:
                return self._database.read(operation)
            assert self._connection is not None  # noqa: S101 - an open handle has one or the other
            with translated(self._location, self.run_id):
                return operation(self._connection)

    def _ours(self, error: BaseException) -> BaseException:
        return as_ours(error, self._location, self.run_id, writing=True)

    def _check_open(self, *, writing: bool = False) -> None:
        if self._closed:
            raise closed("sqlite", self.run_id, writing=writing)
        if os.getpid() != self._pid:
            raise forked_handle("sqlite", self.run_id, self.path, writing=writing)

    def _writable(self, operation: str) -> sqlite3.Connection:
        if self._closed or os.getpid() != self._pid:
            self._check_open(writing=True)
        if self._connection is None:
            raise read_only_handle(self.run_id, operation, repr(self))
        if self._in_transaction and not self._connection.in_transaction:
            raise self._ours(sqlite3.OperationalError("the database has rolled the transaction back"))
        return self._connection


def _missing_arguments(path: str | os.PathLike[str] | None, run_id: str | None) -> TypeError:
    missing = "path and a run_id" if path is None and run_id is None else "path" if path is None else "run_id"
    return TypeError(
        f"SQLiteEventStore needs a {missing}. To record a run, let the runtime open its store: "
        'Runtime(graph, persist_to="sqlite:///run.db")'
    )


SQLiteEventStore.__module__ = "activegraph.store.sqlite"
