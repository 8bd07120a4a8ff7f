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
from typing import Any, Self, TypeVar

from activegraph.core.codec import check_header
from activegraph.core.event import Event
from activegraph.errors import StoreReadOnlyError, StoreUnavailableError
from activegraph.store.base import RawEvent, RunRecord
from activegraph.store.memory import closed, unknown_event
from activegraph.store.serde import stored_event
from activegraph.store.sqlite import catalog, reads, writes
from activegraph.store.sqlite.connection import (
    ReadOnlyDatabase,
    open_for_writing,
    sync_directory,
    sync_log,
)
from activegraph.store.sqlite.driver_errors import translated
from activegraph.store.sqlite.schema import ddl

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
            missing = "path and a run_id" if path is None and run_id is None else "path" if path is None else "run_id"
            raise TypeError(
                f"SQLiteEventStore needs a {missing}. To record a run, let the runtime open its store: "
                'Runtime(graph, persist_to="sqlite:///run.db")'
            )
        self.path = os.fspath(path)
        self.run_id: str = check_header("run_id", run_id)
        self.read_only = read_only
        self._synchronous = synchronous
        self._busy_timeout = busy_timeout
        self._lock = RLock()
        self._pid = os.getpid()
        self._closed = False
        self._depth = 0
        self._name_is_durable = False
        self._writer = writes.Writer(self.run_id)
        self._connection: sqlite3.Connection | None = None
        self._database: ReadOnlyDatabase | None = None
        if read_only:
            self._database = ReadOnlyDatabase(self.path)
            self._database.read(lambda connection: None)
        else:
            self._connection = open_for_writing(self.path, synchronous=synchronous, busy_timeout=busy_timeout)
            self._writer.learn(self._connection)

    @property
    def target(self) -> str:
        """What the class methods take to reach the same file."""
        return self.path

    def open_sibling(self, run_id: str) -> SQLiteEventStore:
        """A handle on another run of the same file, with the same settings."""
        return SQLiteEventStore(
            self.path,
            run_id,
            read_only=self.read_only,
            synchronous=self._synchronous,
            busy_timeout=self._busy_timeout,
        )

    def append(self, event: Event) -> None:
        """Append one event."""
        self.append_many((event,))

    def append_many(
        self, events: Sequence[Event], *, expected_count: int | None = None, sync: bool | None = None
    ) -> int:
        """Append events, all or none; returns the new head (see `AtomicAppend`)."""
        with self._lock:
            self._check_writable("append")
            connection = self._connection
            assert connection is not None  # noqa: S101 - a writable handle has one
            debugging = _logger.isEnabledFor(logging.DEBUG)
            began = perf_counter() if debugging else 0.0
            rows = self._writer.encode(connection, events, expected_count)
            with translated(self.path, self.run_id, writing=True):
                if self._depth:
                    head = self._writer.append_inside(connection, rows)
                else:
                    head = self._writer.append(connection, rows)
                    if sync:
                        self._sync()
            if debugging and rows:
                _logger.debug(
                    "append: %d events at %d..%d",
                    len(rows),
                    head - len(rows) + 1,
                    head,
                    extra={"run_id": self.run_id, "latency_seconds": perf_counter() - began},
                )
            return head

    def iter_events(self, after: str | None = None, until: str | None = None) -> Iterator[Event]:
        """Events in order, as of the first `next()`."""
        with self._lock:
            self._check_open()
            start, stop = self._read(lambda c: reads.boundaries(c, self.run_id, after, until))
        for missing, where in ((after if start is None else None, "after"), (until if stop is None else None, "until")):
            if missing is not None:
                raise unknown_event(missing, self.run_id, where, "sqlite")
        yield from self._events(start or 1, stop or 0)
        if until is None and not self.read_only:
            with self._lock:
                if self._connection is not None and not self._closed:
                    self._writer.adopt(self._connection, stop or 0)

    def iter_range(self, start: int = 1, stop: int | None = None) -> Iterator[Event]:
        """Events by position, both ends inclusive."""
        if start < 1:
            raise ValueError(f"positions start at 1, not {start}")
        return self._range(start, stop)

    def _range(self, start: int, stop: int | None) -> Iterator[Event]:
        head = self.head()
        yield from self._events(start, head if stop is None else min(stop, head))

    def tail(self, n: int) -> list[Event]:
        """The last `n` events, oldest first."""
        head = self.head()
        return list(self._events(max(1, head - n + 1), head)) if n > 0 else []

    def iter_types(self, *types: str) -> Iterator[Event]:
        """Events of these types in order, by index where the type has one."""
        with self._lock:
            self._check_open()
            rows = self._read(lambda c: reads.rows_of_types(c, self.run_id, types))
        for row in rows:
            yield self._event(row)

    def iter_raw(self, start: int = 1) -> Iterator[RawEvent]:
        """Rows from a position on, undecoded, as of the first `next()`."""
        head = self.head()
        for page in self._pages(start, head):
            for row in page:
                yield RawEvent(*row)

    def get_event(self, event_id: str) -> Event | None:
        """The event of this id, by index."""
        with self._lock:
            self._check_open()
            row = self._read(lambda c: reads.row_by_id(c, self.run_id, event_id))
        return None if row is None else self._event(row)

    def count(self) -> int:
        """Number of events, from the key."""
        with self._lock:
            self._check_open()
            return self._read(lambda c: reads.head(c, self.run_id))[0]

    head = count

    def truncate_after(self, event_id: str) -> None:
        """Delete everything after an event, atomically."""
        with self._lock:
            self._check_writable("truncate_after")
            assert self._connection is not None  # noqa: S101 - a writable handle has one
            with translated(self.path, self.run_id, writing=True):
                self._writer.truncate_after(self._connection, event_id)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside commits at the end of the block, or nothing of it; nesting joins the outer one."""
        with self._lock:
            self._check_writable("transaction")
            connection = self._connection
            assert connection is not None  # noqa: S101 - a writable handle has one
            if self._depth:
                yield
                return
            known = self._writer.known()
            with translated(self.path, self.run_id, writing=True):
                connection.execute("BEGIN IMMEDIATE")
            self._depth = 1
            try:
                yield
                with translated(self.path, self.run_id, writing=True):
                    connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                self._writer.restore(known)
                raise
            finally:
                self._depth = 0

    def get_run(self) -> RunRecord | None:
        """This run's record."""
        with self._lock:
            self._check_open()
            return self._read(lambda c: catalog.select_run(c, self.run_id))

    def upsert_run(self, *, created_at: str, **fields: Any) -> None:
        """Insert or update this run's record (see `RunMetadata`)."""
        with self._lock:
            self._check_writable("upsert_run")
            connection = self._connection
            assert connection is not None  # noqa: S101 - a writable handle has one
            with self.transaction():
                catalog.upsert_run(connection, self.run_id, created_at=created_at, **fields)
            self._writer.has_record = True

    def close(self) -> None:
        """Release the connection. Idempotent; never raises."""
        with self._lock:
            self._closed = True
            connection, self._connection = self._connection, None
            if connection is not None and os.getpid() == self._pid:
                try:
                    connection.close()
                except sqlite3.Error as error:
                    _logger.warning("closing %s failed: %s", self.path, error, extra={"run_id": self.run_id})

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
        return catalog.list_runs(os.fspath(target))

    @classmethod
    def most_recent_run_id(cls, target: str | os.PathLike[str]) -> str | None:
        """The run of a file that was appended to last."""
        return catalog.most_recent_run_id(os.fspath(target))

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
            os.fspath(target),
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

    def _sync(self) -> None:
        sync_log(self.path)
        if not self._name_is_durable:
            sync_directory(self.path)
            self._name_is_durable = True

    def _read(self, operation: Callable[[sqlite3.Connection], _Result]) -> _Result:
        if self._database is not None:
            return self._database.read(operation)
        assert self._connection is not None  # noqa: S101 - an open handle has one or the other
        with translated(self.path, self.run_id):
            return operation(self._connection)

    def _pages(self, start: int, stop: int) -> Iterator[list[tuple[Any, ...]]]:
        while start <= stop:
            with self._lock:
                self._check_open()
                page = self._read(lambda c: reads.page(c, self.run_id, start, stop))  # noqa: B023 - called at once
            if not page:
                return
            yield page
            start = page[-1][0] + 1

    def _events(self, start: int, stop: int) -> Iterator[Event]:
        expected = start
        for page in self._pages(start, stop):
            for row in page:
                if row[0] != expected:
                    raise reads.missing_position(self.run_id, expected, row[0])
                expected += 1
                yield self._event(row)

    def _event(self, row: tuple[Any, ...]) -> Event:
        _, id, type, actor, payload, frame_id, caused_by, timestamp, _ = row
        return stored_event(id, type, payload, actor, frame_id, caused_by, timestamp, run_id=self.run_id)

    def _check_open(self) -> None:
        if self._closed:
            raise closed("sqlite", self.run_id)
        if os.getpid() != self._pid:
            raise StoreUnavailableError(
                f"the store of run {self.run_id!r} was opened by the parent process",
                what_failed=f"Using a handle on {self.path} in a forked child.",
                why="SQLite connections and their locks do not survive `fork()`.",
                how_to_fix="Open the store again in the child: open_store(url, run_id)",
                context={"driver": "sqlite", "reason": "forked", "committed": False},
            )

    def _check_writable(self, operation: str) -> None:
        self._check_open()
        if self.read_only:
            raise StoreReadOnlyError(
                f"the store of run {self.run_id!r} was opened read-only",
                what_failed=f"`{operation}` on {self!r}. Nothing was changed.",
                why="A handle that was opened for reading changes nothing.",
                how_to_fix="Open it for writing: open_store(url, run_id)",
                context={"run_id": self.run_id, "operation": operation},
            )


SQLiteEventStore.__module__ = "activegraph.store.sqlite"
