"""Stores that write wrongly: too much, too little, too late, or not all at once."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from activegraph.core.event import Event
from activegraph.errors import DuplicateEventError, EventNotFoundError, StoreUnavailableError
from activegraph.store.sqlite import SQLiteEventStore
from support.broken_stores import breaks


@breaks("C3", "C9")
class drops_the_last_event_of_a_batch(SQLiteEventStore):
    def append_many(self, events: Sequence[Event], **options: Any) -> int:
        return super().append_many(events[:-1] if len(events) > 2 else events, **options)


@breaks("C9")
class drops_what_exceeds_a_thousand_events(SQLiteEventStore):
    def append_many(self, events: Sequence[Event], **options: Any) -> int:
        return super().append_many(events[:1000], **options)


@breaks("C3", "F1")
class commits_a_batch_event_by_event(SQLiteEventStore):
    def append_many(
        self, events: Sequence[Event], *, expected_count: int | None = None, sync: bool | None = None
    ) -> int:
        head = super().append_many(events[:1], expected_count=expected_count, sync=sync)
        for each in events[1:]:
            head = super().append_many([each], sync=sync)
        return head


@breaks("F1", "E5")
class commits_a_batch_in_two_halves(SQLiteEventStore):
    def append_many(
        self, events: Sequence[Event], *, expected_count: int | None = None, sync: bool | None = None
    ) -> int:
        if len(events) < 2 or len({each.id for each in events}) < len(events):
            return super().append_many(events, expected_count=expected_count, sync=sync)
        half = len(events) // 2
        super().append_many(events[:half], expected_count=expected_count)
        time.sleep(0)
        return super().append_many(events[half:], sync=sync)


@breaks("C3")
class stores_a_batch_backwards(SQLiteEventStore):
    def append_many(self, events: Sequence[Event], **options: Any) -> int:
        return super().append_many(events[::-1], **options)


@breaks("C3")
class returns_the_length_of_the_batch(SQLiteEventStore):
    def append_many(self, events: Sequence[Event], **options: Any) -> int:
        super().append_many(events, **options)
        return len(events)


@breaks("C1")
class swallows_duplicates(SQLiteEventStore):
    def append_many(self, events: Sequence[Event], **options: Any) -> int:
        return super().append_many([each for each in events if self.get_event(each.id) is None], **options)


@breaks("C1")
class swallows_equal_duplicates(SQLiteEventStore):
    def append_many(self, events: Sequence[Event], **options: Any) -> int:
        fresh = []
        for each in events:
            held = self.get_event(each.id)
            if held is None or (held.type, held.payload) != (each.type, each.payload):
                fresh.append(each)
        return super().append_many(fresh, **options)


@breaks("C1")
class replaces_duplicates(SQLiteEventStore):
    def append_many(self, events: Sequence[Event], **options: Any) -> int:
        try:
            return super().append_many(events, **options)
        except DuplicateEventError:
            with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
                for each in events:
                    connection.execute(
                        "UPDATE events SET type = ? WHERE run_id = ? AND id = ?", (each.type, self.run_id, each.id)
                    )
            return self.count()


@breaks("C1")
class raises_a_driver_error_for_a_duplicate(SQLiteEventStore):
    def append_many(self, events: Sequence[Event], **options: Any) -> int:
        try:
            return super().append_many(events, **options)
        except DuplicateEventError as error:
            raise sqlite3.IntegrityError("UNIQUE constraint failed: events.run_id, events.id") from error


@breaks("C1")
class is_unusable_after_a_duplicate(SQLiteEventStore):
    _refused = False

    def append_many(self, events: Sequence[Event], **options: Any) -> int:
        if self._refused and events:
            raise StoreUnavailableError("broken", context={"driver": "sqlite", "reason": "io"})
        try:
            return super().append_many(events, **options)
        except DuplicateEventError:
            self._refused = True
            raise


@breaks("C2")
class wants_ids_that_are_unique_in_the_store(SQLiteEventStore):
    def append_many(self, events: Sequence[Event], **options: Any) -> int:
        with closing(sqlite3.connect(self.path)) as connection:
            for each in events:
                if connection.execute("SELECT 1 FROM events WHERE id = ?", (each.id,)).fetchone():
                    raise DuplicateEventError("taken", context={"event_id": each.id, "run_id": self.run_id})
        return super().append_many(events, **options)


@breaks("C6")
class commits_inside_a_transaction(SQLiteEventStore):
    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._writable("transaction")
        yield


@breaks("C6")
class commits_at_the_end_of_an_inner_transaction(SQLiteEventStore):
    @contextmanager
    def transaction(self) -> Iterator[None]:
        if self._in_transaction:
            yield
            connection = self._writable("transaction")
            connection.execute("COMMIT")
            connection.execute("BEGIN IMMEDIATE")
            return
        with super().transaction():
            yield


@breaks("C6")
class commits_a_transaction_that_raised(SQLiteEventStore):
    @contextmanager
    def transaction(self) -> Iterator[None]:
        raised: BaseException | None = None
        with super().transaction():
            try:
                yield
            except BaseException as error:
                raised = error
        if raised is not None:
            raise raised


@breaks("C6")
class swallows_what_a_transaction_raised(SQLiteEventStore):
    @contextmanager
    def transaction(self) -> Iterator[None]:
        with contextlib.suppress(RuntimeError), super().transaction():
            yield


@breaks("C7")
class truncates_the_event_itself(SQLiteEventStore):
    def truncate_after(self, event_id: str) -> None:
        super().truncate_after(event_id)
        before = self.tail(2)
        if len(before) == 2:
            super().truncate_after(before[0].id)


@breaks("C7", "D1", "D3")
class truncates_every_run(SQLiteEventStore):
    def truncate_after(self, event_id: str) -> None:
        super().truncate_after(event_id)
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            connection.execute("DELETE FROM events WHERE run_id <> ? AND position > ?", (self.run_id, self.count()))


@breaks("C7")
class ignores_an_unknown_event_to_truncate_after(SQLiteEventStore):
    def truncate_after(self, event_id: str) -> None:
        with contextlib.suppress(EventNotFoundError):
            super().truncate_after(event_id)


@breaks("C7")
class truncates_what_others_appended(SQLiteEventStore):
    def truncate_after(self, event_id: str) -> None:
        self.count()
        if not self.read_only:
            list(self.iter_events())
        super().truncate_after(event_id)


@breaks("C8")
class refuses_to_be_closed_twice(SQLiteEventStore):
    def close(self) -> None:
        if self._closed:
            raise RuntimeError("closed already")
        super().close()


@breaks("C8")
class opens_again_after_close(SQLiteEventStore):
    def count(self) -> int:
        if self._closed:
            with closing(sqlite3.connect(self.path)) as connection:
                row = connection.execute("SELECT count(*) FROM events WHERE run_id = ?", (self.run_id,)).fetchone()
                return int(row[0])
        return super().count()


@breaks("C8")
class deletes_a_run_that_was_not_closed(SQLiteEventStore):
    def __del__(self) -> None:
        if not self._closed:
            self._closed = True
            with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
                connection.execute("DELETE FROM events WHERE run_id = ?", (self.run_id,))


class _WritesLate(SQLiteEventStore):
    """Keeps what was appended until something else is asked for."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._waiting: list[Event] = []

    def append_many(
        self, events: Sequence[Event], *, expected_count: int | None = None, sync: bool | None = None
    ) -> int:
        self.flush()
        if len(events) != 1 or expected_count is not None or self._in_transaction or self.get_event(events[0].id):
            return super().append_many(events, expected_count=expected_count, sync=sync)
        head = super().append_many([], expected_count=None)
        self._waiting = list(events)
        return head + 1

    def flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting:
            super().append_many(waiting)

    def iter_events(self, after: str | None = None, until: str | None = None) -> Iterator[Event]:
        self.flush()
        return super().iter_events(after, until)

    def count(self) -> int:
        self.flush()
        return super().count()

    def close(self) -> None:
        if not self._closed:
            self.flush()
        super().close()


@breaks("F1", "F2", "A1")
class acknowledges_before_it_commits(_WritesLate):
    def append_many(
        self, events: Sequence[Event], *, expected_count: int | None = None, sync: bool | None = None
    ) -> int:
        self.flush()
        head = super().append_many([], expected_count=expected_count)
        if len(events) < 2 or any(self.get_event(each.id) for each in events):
            return super().append_many(events)
        self._waiting = list(events)
        return head + len(events)


@breaks("F1", by="that_returned")
class acknowledges_a_single_append_before_it_commits(_WritesLate):
    pass


@breaks("F3")
class leaves_its_lock_behind(SQLiteEventStore):
    @contextmanager
    def transaction(self) -> Iterator[None]:
        lock = Path(f"{self.path}.lock")
        with super().transaction():
            try:
                os.close(os.open(lock, os.O_CREAT | os.O_EXCL))
                mine = True
            except FileExistsError:
                mine = False
            try:
                yield
            finally:
                if mine:
                    lock.unlink()

    def append_many(self, events: Sequence[Event], **options: Any) -> int:
        if not self._in_transaction and Path(f"{self.path}.lock").exists():
            raise StoreUnavailableError("locked", context={"driver": "sqlite", "reason": "locked", "committed": False})
        return super().append_many(events, **options)


@breaks("F4")
class forgets_to_sync(SQLiteEventStore):
    def append_many(self, events: Sequence[Event], **options: Any) -> int:
        return super().append_many(events, **{**options, "sync": None})


@breaks("F4")
class syncs_only_when_it_writes(SQLiteEventStore):
    def append_many(self, events: Sequence[Event], **options: Any) -> int:
        return super().append_many(events, **(options if events else {**options, "sync": None}))


@breaks("F1", by="closing")
class empties_a_run_that_it_closes(SQLiteEventStore):
    def close(self) -> None:
        if not self._closed and not self.read_only and self.count() == 200:
            connection = self._writable("close")
            rows = connection.execute("SELECT * FROM events WHERE run_id = ?", (self.run_id,)).fetchall()
            connection.execute("DELETE FROM events WHERE run_id = ?", (self.run_id,))
            connection.executemany(f"INSERT INTO events VALUES ({', '.join('?' * len(rows[0]))})", rows)
        super().close()


@breaks("C9", by="large_batch")
class commits_large_batches_in_portions(SQLiteEventStore):
    def append_many(
        self, events: Sequence[Event], *, expected_count: int | None = None, sync: bool | None = None
    ) -> int:
        head = super().append_many(events[:1000], expected_count=expected_count, sync=sync)
        for start in range(1000, len(events), 1000):
            head = super().append_many(events[start : start + 1000], sync=sync)
        return head


@breaks("C8")
class swallows_what_its_block_raises(SQLiteEventStore):
    def __exit__(self, *_: object) -> bool:  # type: ignore[override]
        self.close()
        return True


@breaks("C8")
class raises_when_it_is_closed_under_an_iterator(SQLiteEventStore):
    _running = 0

    def iter_events(self, after: str | None = None, until: str | None = None) -> Iterator[Event]:
        self._running += 1
        try:
            yield from super().iter_events(after, until)
        finally:
            self._running -= 1

    def close(self) -> None:
        super().close()
        if self._running:
            raise sqlite3.OperationalError("unable to close due to unfinalized statements")


@breaks("C7")
class counts_what_was_truncated(SQLiteEventStore):
    _highest = 0

    def head(self) -> int:
        self._highest = max(self._highest, super().count())
        return self._highest


@breaks("C7")
class truncates_nothing_after_an_event_of_another_run(SQLiteEventStore):
    def truncate_after(self, event_id: str) -> None:
        try:
            super().truncate_after(event_id)
        except EventNotFoundError:
            with closing(sqlite3.connect(self.path)) as connection:
                if not connection.execute("SELECT 1 FROM events WHERE id = ?", (event_id,)).fetchone():
                    raise


@breaks("C3", "C5")
class counts_one_more_for_an_empty_batch(SQLiteEventStore):
    def append_many(self, events: Sequence[Event], **options: Any) -> int:
        return super().append_many(events, **options) + (not events)


@breaks("C6")
class undoes_a_transaction_only_for_exceptions(SQLiteEventStore):
    @contextmanager
    def transaction(self) -> Iterator[None]:
        interrupted: BaseException | None = None
        with super().transaction():
            try:
                yield
            except Exception:
                raise
            except BaseException as error:
                interrupted = error
        if interrupted is not None:
            raise interrupted
