"""`PostgresEventStore`: one run's log in a PostgreSQL database that may hold many."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter
from types import TracebackType
from typing import Any, Self, TypeVar

from activegraph.core.codec import check_header
from activegraph.core.event import NO_DIGEST, Event
from activegraph.core.log_lines import say
from activegraph.store.base import RawEvent, RunRecord
from activegraph.store.postgres import catalog, paging, reads, schema
from activegraph.store.postgres.appending import Appender
from activegraph.store.postgres.connections import connections_to
from activegraph.store.postgres.driver_errors import DRIVER
from activegraph.store.postgres.handle import Handle
from activegraph.store.postgres.session import Session
from activegraph.store.postgres.writer import Known
from activegraph.store.refusals import unknown_event
from activegraph.store.serde import stored_event

__all__ = ["PostgresEventStore"]

_Result = TypeVar("_Result")
_logger = logging.getLogger("activegraph.store")


class PostgresEventStore:
    """One run's event log in a PostgreSQL database.

    Args:
        target: A URL (one dedicated connection, owned), a `psycopg.Connection` or a
            `psycopg_pool.ConnectionPool` (lent, never closed).
        run_id: The run that this handle is for; opening it creates no run.
        read_only: Change nothing; a role with SELECT alone is enough.
        create_schema: Make the tables where they are missing.

    Raises:
        MissingOptionalDependency: psycopg is not installed.
        InvalidArgumentType, InvalidStoreURL: The target is nothing to connect to.
        StoreNotFoundError, StoreUnavailableError, SchemaVersionMismatch: It cannot be opened.
    """

    def __init__(self, target: Any, run_id: str, *, read_only: bool = False, create_schema: bool = True) -> None:
        self.run_id: str = check_header("run_id", run_id)
        self.target = target
        self.read_only = read_only
        self._create_schema = create_schema
        self._handle = Handle(connections_to(target), self.run_id, read_only=read_only, describe=lambda: repr(self))
        self._appender = Appender(self._handle)
        self._handle.open(create_schema=create_schema, learn=None if read_only else self._appender.writer.learn)

    @property
    def url(self) -> str | None:
        """The URL as given, passwords included; None over a connection or a pool that was lent."""
        return self._handle.connections.url

    @property
    def safe_url(self) -> str:
        """Where the store is, without passwords."""
        return self._handle.place.safe_url

    @property
    def in_callers_transaction(self) -> bool:
        """Whether what is written now becomes durable only with a commit of the caller: the connection's owner, or
        whoever has `transaction()` open."""
        return self._handle.block is not None or self._handle.in_callers_transaction()

    def open_sibling(self, run_id: str) -> PostgresEventStore:
        """A handle on another run of the same database, with the same settings."""
        return PostgresEventStore(self.target, run_id, read_only=self.read_only, create_schema=self._create_schema)

    def append(self, event: Event) -> None:
        """Append one event (see `EventStore`)."""
        self.append_many((event,))

    def append_many(
        self, events: Sequence[Event], *, expected_count: int | None = None, sync: bool | None = None
    ) -> int:
        """Append events, all or none; returns the new head (see `AtomicAppend`).

        Every commit is waited for as the server is set to, unless `sync` is False. Inside a
        transaction of the connection's owner `sync` has no effect.

        Raises:
            StoreUnavailableError: `context["committed"]` says what became of the batch.
        """
        self._handle.check_writable("append")
        with self._handle.lock:
            self._handle.check_open(writing=True)
            debugging = _logger.isEnabledFor(logging.DEBUG)
            began = perf_counter() if debugging else 0.0
            head = self._appender.append(events, expected_count, sync)
            if debugging and events:
                fields = {"run_id": self.run_id, "latency_seconds": perf_counter() - began}
                message, first = "append: %d events at %d..%d", head - len(events) + 1
                say(_logger, logging.DEBUG, message, len(events), first, head, **fields)
            return head

    def iter_events(self, after: str | None = None, until: str | None = None) -> Iterator[Event]:
        """Events in order, as of the first `next()`; nothing is held between pages."""
        self._handle.check_open()
        return self._iter_events(after, until)

    def _iter_events(self, after: str | None, until: str | None) -> Iterator[Event]:
        before = self._appender.writer.known
        head, first, last = self._read(lambda s: reads.boundaries(s, self.run_id, after, until))
        for wanted, found, where in ((after, first, "after"), (until, last, "until")):
            if wanted is not None and found is None:
                raise unknown_event(wanted, self.run_id, where, DRIVER)
        start = 1 if first is None else first + 1
        digest: bytes | None = NO_DIGEST if start == 1 else None
        for row in self._rows(start, head if last is None else last):
            digest = row[8]
            yield self._event(row)
        if until is None and not self.read_only:
            self._adopt(before, head, digest)

    def _adopt(self, before: Known, head: int, digest: bytes | None) -> None:
        """Take the head that an iteration ran to as the known one, unless this handle has written meanwhile."""
        if self._handle.is_usable() and self._appender.writer.known is before:
            if digest is None:
                found = self._read(lambda s: reads.digests(s, self.run_id, head, head))
                digest = found[0][1] if found else NO_DIGEST
            with self._handle.lock:
                if self._appender.writer.known is before:
                    self._appender.writer.adopt(head, digest)

    def iter_range(self, start: int = 1, stop: int | None = None) -> Iterator[Event]:
        """Events by position, both ends inclusive."""
        if start < 1:
            raise ValueError(f"positions start at 1, not {start}")
        self._handle.check_open()
        return self._range(start, stop)

    def _range(self, start: int, stop: int | None) -> Iterator[Event]:
        head = self.head()
        for row in self._rows(start, head if stop is None else min(stop, head)):
            yield self._event(row)

    def tail(self, n: int) -> list[Event]:
        """The last `n` events, oldest first."""
        if n <= 0:
            self._handle.check_open()
            return []
        if n > reads.PAGE:
            return list(self._range(max(1, self.head() - n + 1), None))
        rows = self._read(lambda s: reads.tail(s, self.run_id, n))
        first = max(1, rows[-1][0] - n + 1) if rows else 1
        return [self._event(row) for row in paging.dense(self.run_id, rows, first)]

    def iter_types(self, *types: str) -> Iterator[Event]:
        """Events of these types in order, by index where the type has one, as of the first `next()`."""
        self._handle.check_open()
        return self._types(types)

    def _types(self, types: Sequence[str]) -> Iterator[Event]:
        head = self.head()
        for row in paging.rows_of_types(self._read, self.run_id, types, head):
            yield self._event(row)

    def iter_raw(self, start: int = 1) -> Iterator[RawEvent]:
        """Rows from a position on, undecoded, as of the first `next()`."""
        self._handle.check_open()
        return self._raw(start)

    def _raw(self, start: int) -> Iterator[RawEvent]:
        for row in paging.rows(self._read, self.run_id, max(start, 1), self.head()):
            yield RawEvent(*row)

    def get_event(self, event_id: str) -> Event | None:
        """The event of this id, by index."""
        row = self._read(lambda s: reads.row_by_id(s, self.run_id, event_id))
        return None if row is None else self._event(row)

    def count(self) -> int:
        """Number of events, from the key."""
        return self._read(lambda s: reads.head(s, self.run_id))[0]

    head = count

    def truncate_after(self, event_id: str) -> None:
        """Delete everything after an event, atomically. Appends to the database wait meanwhile."""
        self._handle.check_writable("truncate_after")
        with self._handle.lock:
            self._handle.check_writable("truncate_after")
            self._appender.truncate_after(event_id)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside commits at the end of the block, or nothing of it; nesting joins the outer one."""
        self._handle.check_writable("transaction")
        with self._handle.lock:
            self._handle.check_writable("transaction")
            with self._appender.transaction():
                yield

    def get_run(self) -> RunRecord | None:
        """This run's record, its derived fields as of now."""
        return self._read(lambda s: catalog.select_run(s, self.run_id))

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
        self._handle.check_writable("upsert_run")
        with self._handle.lock:
            self._handle.check_writable("upsert_run")
            recorded = self._handle.write(
                lambda s: catalog.upsert_run(
                    s,
                    self.run_id,
                    created_at=created_at,
                    parent_run_id=parent_run_id,
                    forked_at_event_id=forked_at_event_id,
                    label=label,
                    goal=goal,
                    frame_id=frame_id,
                    setup_count=setup_count,
                ),
                repeatable=True,
            )
            self._appender.note_record(recorded)

    def close(self) -> None:
        """Close the connection if it is the store's own. Idempotent; never raises."""
        self._handle.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"PostgresEventStore({self.safe_url!r}, run_id={self.run_id!r})"

    @classmethod
    def list_runs(cls, target: Any) -> list[RunRecord]:
        """All runs of a database, by `created_at`, then id."""
        return catalog.list_runs(connections_to(target))

    @classmethod
    def most_recent_run_id(cls, target: Any) -> str | None:
        """The run of a database that was appended to last."""
        return catalog.most_recent_run_id(connections_to(target))

    @classmethod
    def fork_run(
        cls,
        target: Any,
        *,
        parent_run_id: str,
        new_run_id: str,
        at_event_id: str,
        label: str | None,
        created_at: str,
        extra_events: Sequence[Event] = (),
    ) -> int:
        """Copy a run's events up to and including one into a new run; returns how many."""
        from activegraph.store.postgres.forking import fork_run

        return fork_run(
            connections_to(target),
            parent_run_id=parent_run_id,
            new_run_id=new_run_id,
            at_event_id=at_event_id,
            label=label,
            created_at=created_at,
            extra_events=extra_events,
        )

    @staticmethod
    def ddl() -> str:
        """The complete, idempotent statements that make the tables, and GRANT lines to choose from."""
        return schema.ddl()

    def _read(self, operation: Callable[[Session], _Result]) -> _Result:
        return self._handle.read(operation)

    def _rows(self, start: int, stop: int) -> Iterator[paging.Row]:
        return paging.dense(self.run_id, paging.rows(self._read, self.run_id, start, stop), start)

    def _event(self, row: paging.Row) -> Event:
        _, id, type, actor, payload, frame_id, caused_by, timestamp, _ = row
        return stored_event(id, type, payload, actor, frame_id, caused_by, timestamp, run_id=self.run_id)


PostgresEventStore.__module__ = "activegraph.store.postgres"
