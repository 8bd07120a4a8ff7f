"""The memory store: a run's log as long as the process lives, with the rules of the stores on disk."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import RLock
from types import TracebackType
from typing import Self

from activegraph.core.codec import check_header
from activegraph.core.event import NO_DIGEST, Event, canonical_event
from activegraph.core.log_lines import say
from activegraph.errors import ConcurrentWriterError
from activegraph.store.base import RawEvent, RunRecord
from activegraph.store.chain import rows_behind
from activegraph.store.records import INTERNAL_FAMILIES, STOP_TYPES, RunFields, merged_record, status_of_stop
from activegraph.store.refusals import closed, duplicate, first_double, unknown_event

__all__ = ["InMemoryEventStore"]

_logger = logging.getLogger("activegraph.store")


class InMemoryEventStore:
    """A volatile event store for one run; thread-safe. It takes, refuses and detaches what the stores on disk do."""

    def __init__(self, run_id: str = "run_mem") -> None:
        self.run_id: str = check_header("run_id", run_id)
        # Only ever added to, and replaced where something is taken away, so that a reader keeps what it began with.
        self._rows: list[RawEvent] = []
        self._positions: dict[str, int] = {}
        self._stops: list[int] = []
        self._record: RunRecord | None = None
        self._lock = RLock()
        self._depth = 0
        self._closed = False

    def append(self, event: Event) -> None:
        """Append one event (see `EventStore`)."""
        self.append_many((event,))

    def append_many(
        self, events: Sequence[Event], *, expected_count: int | None = None, sync: bool | None = None
    ) -> int:
        """Append events, all or none; returns the new head (see `AtomicAppend`). Nothing here outlives the process."""
        with self._lock:
            self._check_open(writing=True)
            head = len(self._rows)
            digest = (self._rows[-1].digest or NO_DIGEST) if head else NO_DIGEST
            rows = [RawEvent(*row) for row in rows_behind(events, head, digest)]
            double = first_double((row.id for row in rows), self._positions)
            if double is not None:
                raise duplicate(double, self.run_id)
            if expected_count is not None and expected_count != head:
                raise ConcurrentWriterError(
                    run_id=self.run_id,
                    expected_head=self._id_at(expected_count),
                    actual_head=self._id_at(head),
                    expected_count=expected_count,
                    actual_count=head,
                    driver="memory",
                )
            if not rows:
                return head
            for row in rows:
                self._positions[row.id] = row.position
                if row.type in STOP_TYPES:
                    self._stops.append(row.position)
            self._rows.extend(rows)
            if self._record is None:
                self._record = RunFields.for_first_append(self.run_id, events).record()
            if _logger.isEnabledFor(logging.DEBUG):
                fields: dict[str, object] = {"run_id": self.run_id, "latency_seconds": 0.0}
                message = "append: %d events at %d..%d"
                say(_logger, logging.DEBUG, message, len(rows), head + 1, head + len(rows), **fields)
            return head + len(rows)

    def iter_events(self, after: str | None = None, until: str | None = None) -> Iterator[Event]:
        """Events in order, as of the first `next()`."""
        self._check_open()
        return self._events(lambda: self._between(after, until))

    def iter_range(self, start: int = 1, stop: int | None = None) -> Iterator[Event]:
        """Events by position, both ends inclusive."""
        if start < 1:
            raise ValueError(f"positions start at 1, not {start}")
        self._check_open()
        return self._events(lambda: (start - 1, len(self._rows) if stop is None else min(stop, len(self._rows))))

    def tail(self, n: int) -> list[Event]:
        """The last `n` events, oldest first."""
        with self._lock:
            self._check_open()
            return [_event(row) for row in self._rows[max(0, len(self._rows) - n) :]] if n > 0 else []

    def iter_types(self, *types: str) -> Iterator[Event]:
        """Events of these types in order."""
        self._check_open()
        return self._events(lambda: (0, len(self._rows)), frozenset(types))

    def iter_raw(self, start: int = 1) -> Iterator[RawEvent]:
        """Rows from a position on, undecoded, as of the first `next()`."""
        self._check_open()
        return self._raw(lambda: (max(start, 1) - 1, len(self._rows)))

    def _events(self, slice_of: Callable[[], tuple[int, int]], types: frozenset[str] | None = None) -> Iterator[Event]:
        for row in self._raw(slice_of):
            if types is None or row.type in types:
                yield _event(row)

    def _raw(self, slice_of: Callable[[], tuple[int, int]]) -> Iterator[RawEvent]:
        with self._lock:
            self._check_open()
            rows = self._rows
            start, stop = slice_of()
        for index in range(start, stop):
            yield rows[index]

    def get_event(self, event_id: str) -> Event | None:
        """The event of this id."""
        with self._lock:
            self._check_open()
            position = self._positions.get(event_id)
            return None if position is None else _event(self._rows[position - 1])

    def count(self) -> int:
        """Number of events."""
        with self._lock:
            self._check_open()
            return len(self._rows)

    head = count

    def __len__(self) -> int:
        return self.count()

    def __bool__(self) -> bool:
        return True  # an empty store is a store

    def truncate_after(self, event_id: str) -> None:
        """Delete everything after an event."""
        with self._lock:
            self._check_open(writing=True)
            self._cut(self._position_of(event_id, "truncate_after"))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What is appended inside stays only if the block ends well; nesting joins the outer one."""
        with self._lock:
            self._check_open(writing=True)
            before = (self._rows, len(self._rows), self._record)
            self._depth += 1
            try:
                yield
            except BaseException:
                if self._depth == 1:
                    self._restore(*before)
                raise
            finally:
                self._depth -= 1

    def get_run(self) -> RunRecord | None:
        """The run's record, its derived fields as of now."""
        with self._lock:
            self._check_open()
            if self._record is None:
                return None
            stop = self._stops[-1] if self._stops else 0
            last_stop = self._rows[stop - 1].type if stop else None
            waiting = any(
                not self._rows[index].type.startswith(INTERNAL_FAMILIES) for index in range(stop, len(self._rows))
            )
            return RunFields.of(self._record).record(
                event_count=len(self._rows),
                last_event_id=self._id_at(len(self._rows)),
                status=status_of_stop(last_stop, waiting=waiting),
            )

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
        """Insert or update the run's record (see `RunMetadata`)."""
        with self._lock:
            self._check_open(writing=True)
            self._record = merged_record(
                self.run_id,
                self._record,
                created_at=created_at,
                parent_run_id=parent_run_id,
                forked_at_event_id=forked_at_event_id,
                label=label,
                goal=goal,
                frame_id=frame_id,
                setup_count=setup_count,
            )

    def close(self) -> None:
        """Make every further call raise."""
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"InMemoryEventStore(run_id={self.run_id!r})"

    def _check_open(self, *, writing: bool = False) -> None:
        if self._closed:
            raise closed("memory", self.run_id, writing=writing)

    def _between(self, after: str | None, until: str | None) -> tuple[int, int]:
        start = 0 if after is None else self._position_of(after, "after")
        return start, len(self._rows) if until is None else self._position_of(until, "until")

    def _position_of(self, event_id: str, where: str) -> int:
        position = self._positions.get(event_id)
        if position is None:
            raise unknown_event(event_id, self.run_id, where, "memory")
        return position

    def _id_at(self, position: int) -> str | None:
        return self._rows[position - 1].id if 1 <= position <= len(self._rows) else None

    def _cut(self, length: int) -> None:
        for row in self._rows[length:]:
            del self._positions[row.id]
        self._rows = self._rows[:length]
        self._stops = [position for position in self._stops if position <= length]

    def _restore(self, rows: list[RawEvent], length: int, record: RunRecord | None) -> None:
        self._rows = rows[:length]
        self._positions = {row.id: row.position for row in self._rows}
        self._stops = [row.position for row in self._rows if row.type in STOP_TYPES]
        self._record = record


InMemoryEventStore.__module__ = "activegraph.store"


def _event(row: RawEvent) -> Event:
    payload = row.payload.encode("utf-8")
    return canonical_event(row.id, row.type, payload, row.actor, row.frame_id, row.caused_by, row.timestamp)
