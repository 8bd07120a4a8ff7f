"""Stores that let in a writer whose head is stale, or turn away one whose head is right."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from activegraph.core.event import Event
from activegraph.errors import ConcurrentWriterError, DuplicateEventError, StoreUnavailableError
from activegraph.store.sqlite import SQLiteEventStore
from support.broken_stores import breaks


class _Current(SQLiteEventStore):
    """Can read up to the true head before it writes."""

    def catch_up(self) -> int:
        """Read to the end, by which the handle's known head becomes the true one."""
        return sum(1 for _ in super().iter_events())


@breaks("C5", "E1", "E2")
class ignores_the_expected_count(_Current):
    def append_many(
        self, events: Sequence[Event], *, expected_count: int | None = None, sync: bool | None = None
    ) -> int:
        for _ in range(1000):
            try:
                self._check_open()
                self.catch_up()
                return super().append_many(events, sync=sync)
            except ConcurrentWriterError:
                continue
        raise StoreUnavailableError("busy", context={"driver": "sqlite", "reason": "locked", "committed": False})


@breaks("C5")
class takes_a_count_that_is_too_high(_Current):
    def append_many(self, events: Sequence[Event], *, expected_count: int | None = None, **options: Any) -> int:
        if expected_count is not None and expected_count > self.count():
            expected_count = self.count()
        return super().append_many(events, expected_count=expected_count, **options)


@breaks("C5")
class takes_a_count_that_is_too_low(_Current):
    def append_many(self, events: Sequence[Event], *, expected_count: int | None = None, **options: Any) -> int:
        if expected_count is not None and expected_count < self.count():
            expected_count = self.count()
        return super().append_many(events, expected_count=expected_count, **options)


@breaks("C5")
class takes_zero_for_no_expectation(_Current):
    def append_many(self, events: Sequence[Event], *, expected_count: int | None = None, **options: Any) -> int:
        return super().append_many(events, expected_count=expected_count or None, **options)


@breaks("C5")
class checks_no_head_when_there_is_nothing_to_store(_Current):
    def append_many(self, events: Sequence[Event], **options: Any) -> int:
        if not events and not self._closed and not self.read_only:
            return self.count()
        return super().append_many(events, **options)


@breaks("E1")
class lets_a_stale_handle_append(_Current):
    def append_many(self, events: Sequence[Event], *, expected_count: int | None = None, **options: Any) -> int:
        if expected_count is None and not self._in_transaction:
            expected_count = self.count()
        return super().append_many(events, expected_count=expected_count, **options)


@breaks("E1")
class learns_the_head_from_a_count(_Current):
    def count(self) -> int:
        if not self.read_only and not self._closed and not self._in_transaction:
            self.catch_up()
        return super().count()


@breaks("E1")
class takes_a_replaced_history_for_its_own(_Current):
    def append_many(self, events: Sequence[Event], *, expected_count: int | None = None, **options: Any) -> int:
        if expected_count is None and not self._in_transaction and self.count() == self._writer.head.position:
            self.catch_up()
        return super().append_many(events, expected_count=expected_count, **options)


@breaks("E3")
class checks_the_head_before_its_transaction(_Current):
    def append_many(self, events: Sequence[Event], *, expected_count: int | None = None, **options: Any) -> int:
        if expected_count is None or self._in_transaction:
            return super().append_many(events, expected_count=expected_count, **options)
        if self.count() != expected_count:
            return super().append_many(events, expected_count=expected_count, **options)
        time.sleep(0.001)
        for _ in range(1000):
            try:
                self.catch_up()
                return super().append_many(events, **options)
            except ConcurrentWriterError:
                continue
        raise StoreUnavailableError("busy", context={"driver": "sqlite", "reason": "locked", "committed": False})


@breaks("E3")
class checks_the_head_and_then_reads_it_again(_Current):
    def append_many(self, events: Sequence[Event], *, expected_count: int | None = None, **options: Any) -> int:
        if expected_count is None or self._in_transaction or self.count() != expected_count:
            return super().append_many(events, expected_count=expected_count, **options)
        while True:
            try:
                self.catch_up()
                return super().append_many(events, **options)
            except ConcurrentWriterError:
                continue


@breaks("E2")
class knows_its_own_head_best(_Current):
    def append_many(self, events: Sequence[Event], *, expected_count: int | None = None, **options: Any) -> int:
        return super().append_many(events, **options)


@breaks("E3")
class raises_another_error_when_it_lost(_Current):
    def append_many(self, events: Sequence[Event], *, expected_count: int | None = None, **options: Any) -> int:
        try:
            return super().append_many(events, expected_count=expected_count, **options)
        except ConcurrentWriterError as error:
            if error.actual_count == error.expected_count + 1 and len(events) == 1:
                raise StoreUnavailableError("lost", context={"driver": "sqlite", "reason": "locked"}) from error
            raise


@breaks("E3")
class says_that_the_loser_won(_Current):
    def append_many(self, events: Sequence[Event], *, expected_count: int | None = None, **options: Any) -> int:
        try:
            return super().append_many(events, expected_count=expected_count, **options)
        except ConcurrentWriterError as error:
            if expected_count is not None and error.actual_count == expected_count + len(events) and events:
                return error.actual_count
            raise


@breaks("C5")
class tells_the_wrong_numbers(_Current):
    def append_many(self, events: Sequence[Event], **options: Any) -> int:
        try:
            return super().append_many(events, **options)
        except ConcurrentWriterError as error:
            raise ConcurrentWriterError(
                run_id=error.run_id,
                expected_head=error.expected_head,
                actual_head=error.actual_head,
                expected_count=error.actual_count,
                actual_count=error.expected_count,
                driver=error.driver,
            ) from None


@breaks("C5")
class refuses_the_right_count_of_a_stale_handle(_Current):
    def append_many(self, events: Sequence[Event], *, expected_count: int | None = None, **options: Any) -> int:
        if expected_count is not None and expected_count != self._writer.head.position:
            actual = self.count()
            raise ConcurrentWriterError(
                run_id=self.run_id,
                expected_head=None if expected_count > actual else f"evt_{expected_count}" if expected_count else None,
                actual_head=f"evt_{actual}" if actual else None,
                expected_count=expected_count,
                actual_count=actual,
                driver="sqlite",
            )
        return super().append_many(events, expected_count=expected_count, **options)


@breaks("E6")
class mixes_the_calls_of_two_threads(_Current):
    _next: Sequence[Event] = ()

    def append_many(self, events: Sequence[Event], **options: Any) -> int:
        self._next = events
        time.sleep(0.0001)
        return super().append_many(self._next, **options)


@breaks("E6")
class serves_the_thread_that_opened_it(_Current):
    def __init__(self, *arguments: Any, **named: Any) -> None:
        import threading

        super().__init__(*arguments, **named)
        self._owner = threading.get_ident()

    def iter_events(self, after: str | None = None, until: str | None = None) -> Iterator[Event]:
        import threading

        if threading.get_ident() != self._owner:
            raise StoreUnavailableError("another thread", context={"driver": "sqlite", "reason": "io"})
        return super().iter_events(after, until)


@breaks("E4")
class lets_one_writer_into_the_store(_Current):
    def append_many(self, events: Sequence[Event], **options: Any) -> int:
        import os
        from pathlib import Path

        lock = Path(f"{self.path}.writer")
        if not lock.exists():
            lock.write_text(str(os.getpid()))
        if lock.read_text() != str(os.getpid()):
            raise StoreUnavailableError("one writer", context={"driver": "sqlite", "reason": "locked"})
        return super().append_many(events, **options)


@breaks("E1")
class takes_a_replaced_history_where_the_count_is_right(_Current):
    def append_many(self, events: Sequence[Event], *, expected_count: int | None = None, **options: Any) -> int:
        if expected_count is not None and not self._in_transaction and expected_count == self.count():
            self.catch_up()
        return super().append_many(events, expected_count=expected_count, **options)


@breaks("E1")
class learns_the_head_from_a_duplicate(_Current):
    def append_many(self, events: Sequence[Event], **options: Any) -> int:
        try:
            return super().append_many(events, **options)
        except DuplicateEventError:
            self.catch_up()
            raise


@breaks("E1")
class learns_the_head_from_a_refusal(_Current):
    def append_many(self, events: Sequence[Event], **options: Any) -> int:
        try:
            return super().append_many(events, **options)
        except ConcurrentWriterError:
            self.catch_up()
            raise


@breaks("E1")
class learns_no_head_from_the_rest_of_a_log(_Current):
    def iter_events(self, after: str | None = None, until: str | None = None) -> Iterator[Event]:
        head, moves = self._writer.head, self._writer.moves
        yield from super().iter_events(after, until)
        if after is not None and moves == self._writer.moves:
            self._writer.head = head


@breaks("C6")
class fences_nothing_inside_a_transaction(_Current):
    def append_many(self, events: Sequence[Event], *, expected_count: int | None = None, **options: Any) -> int:
        expected_count = None if self._in_transaction else expected_count
        return super().append_many(events, expected_count=expected_count, **options)
