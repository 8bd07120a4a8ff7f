"""The memory store: a run's log as long as the process lives, with the rules of the stores on disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import RLock
from types import TracebackType
from typing import Any, Self

from activegraph.core.event import NO_DIGEST, Event, canonical_payload, digest_of, make_event
from activegraph.errors import (
    ConcurrentWriterError,
    DuplicateEventError,
    EventNotFoundError,
    StoreUnavailableError,
)
from activegraph.store.base import RawEvent, RunRecord
from activegraph.store.records import RunFields, merged_record, status_of_stop
from activegraph.store.serde import validate_header

__all__ = ["InMemoryEventStore"]


class InMemoryEventStore:
    """A volatile event store for one run; thread-safe. It takes, refuses and detaches what the stores on disk do."""

    def __init__(self, run_id: str = "run_mem") -> None:
        self.run_id = run_id
        self._rows: list[RawEvent] = []
        self._positions: dict[str, int] = {}
        self._record: RunRecord | None = None
        self._lock = RLock()
        self._depth = 0
        self._closed = False

    def append(self, event: Event) -> None:
        """Append one event."""
        self.append_many((event,))

    def append_many(
        self, events: Sequence[Event], *, expected_count: int | None = None, sync: bool | None = None
    ) -> int:
        """Append events, all or none; returns the new head."""
        with self._lock:
            self._check_open()
            fresh = self._encoded(events)
            head = len(self._rows)
            if expected_count is not None and expected_count != head:
                raise ConcurrentWriterError(
                    run_id=self.run_id,
                    expected_head=self._id_at(expected_count),
                    actual_head=self._id_at(head),
                    expected_count=expected_count,
                    actual_count=head,
                    driver="memory",
                )
            for row in fresh:
                self._positions[row.id] = row.position
            self._rows.extend(fresh)
            if fresh and self._record is None:
                self._record = RunFields.for_first_append(self.run_id, events).record()
            return len(self._rows)

    def _encoded(self, events: Sequence[Event]) -> list[RawEvent]:
        position = len(self._rows)
        digest = self._rows[-1].digest or NO_DIGEST if self._rows else NO_DIGEST
        fresh: list[RawEvent] = []
        ids: set[str] = set()
        for event in events:
            validate_header(event)
            payload = canonical_payload(event)
            if event.id in self._positions or event.id in ids:
                raise duplicate(event.id, self.run_id)
            ids.add(event.id)
            position += 1
            digest = digest_of(
                digest,
                event.id,
                event.type,
                payload,
                event.actor,
                event.frame_id,
                event.caused_by,
                event.timestamp,
            )
            fresh.append(
                RawEvent(
                    position,
                    event.id,
                    event.type,
                    event.actor,
                    payload.decode("utf-8"),
                    event.frame_id,
                    event.caused_by,
                    event.timestamp,
                    digest,
                )
            )
        return fresh

    def iter_events(self, after: str | None = None, until: str | None = None) -> Iterator[Event]:
        """Events in order, as of the first `next()`."""
        with self._lock:
            self._check_open()
            start = 0 if after is None else self._position_of(after, "after")
            stop = len(self._rows) if until is None else self._position_of(until, "until")
            rows = self._rows[start:stop]
        yield from map(_event, rows)

    def iter_range(self, start: int = 1, stop: int | None = None) -> Iterator[Event]:
        """Events by position, both ends inclusive."""
        if start < 1:
            raise ValueError(f"positions start at 1, not {start}")
        return self._range(start, stop)

    def _range(self, start: int, stop: int | None) -> Iterator[Event]:
        with self._lock:
            self._check_open()
            rows = self._rows[start - 1 : len(self._rows) if stop is None else max(stop, 0)]
        yield from map(_event, rows)

    def tail(self, n: int) -> list[Event]:
        """The last `n` events, oldest first."""
        with self._lock:
            self._check_open()
            return [_event(row) for row in self._rows[max(0, len(self._rows) - n) :]]

    def iter_types(self, *types: str) -> Iterator[Event]:
        """Events of these types in order."""
        with self._lock:
            self._check_open()
            rows = [row for row in self._rows if row.type in types]
        yield from map(_event, rows)

    def iter_raw(self, start: int = 1) -> Iterator[RawEvent]:
        """Rows from a position on, undecoded."""
        with self._lock:
            self._check_open()
            rows = self._rows[start - 1 :]
        yield from rows

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

    def truncate_after(self, event_id: str) -> None:
        """Delete everything after an event."""
        with self._lock:
            self._check_open()
            position = self._position_of(event_id, "truncate_after")
            for row in self._rows[position:]:
                del self._positions[row.id]
            del self._rows[position:]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What is appended inside stays only if the block ends well."""
        with self._lock:
            self._check_open()
            rows, record = len(self._rows), self._record
            self._depth += 1
            try:
                yield
            except BaseException:
                for row in self._rows[rows:]:
                    del self._positions[row.id]
                del self._rows[rows:]
                self._record = record
                raise
            finally:
                self._depth -= 1

    def get_run(self) -> RunRecord | None:
        """The run's record, its derived fields as of now."""
        with self._lock:
            self._check_open()
            if self._record is None:
                return None
            stop = next((r.type for r in reversed(self._rows) if r.type.startswith("runtime.")), None)
            return RunFields.of(self._record).record(
                event_count=len(self._rows),
                last_event_id=self._id_at(len(self._rows)),
                status=status_of_stop(stop, stop is not None and self._rows[-1].type == stop),
            )

    def upsert_run(self, *, created_at: str, **fields: Any) -> None:
        """Insert or update the run's record."""
        with self._lock:
            self._check_open()
            self._record = merged_record(self.run_id, self._record, created_at=created_at, **fields)

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

    def _check_open(self) -> None:
        if self._closed:
            raise closed("memory", self.run_id)

    def _position_of(self, event_id: str, where: str) -> int:
        position = self._positions.get(event_id)
        if position is None:
            raise unknown_event(event_id, self.run_id, where, "memory")
        return position

    def _id_at(self, position: int) -> str | None:
        return self._rows[position - 1].id if 1 <= position <= len(self._rows) else None


InMemoryEventStore.__module__ = "activegraph.store"


def _event(row: RawEvent) -> Event:
    return make_event(
        row.id,
        row.type,
        row.payload.encode("utf-8"),
        row.actor,
        row.frame_id,
        row.caused_by,
        row.timestamp,
        canonical=True,
    )


def closed(driver: str, run_id: str) -> StoreUnavailableError:
    """The error of every call on a closed store."""
    return StoreUnavailableError(
        f"the store of run {run_id!r} is closed",
        what_failed=f"A call on a {driver} store after `close()`.",
        why="A closed handle has given back what it held.",
        how_to_fix="Open the store again: open_store(url, run_id)",
        context={"driver": driver, "reason": "closed", "committed": False},
    )


def duplicate(event_id: str, run_id: str) -> DuplicateEventError:
    """The error for an id that the run holds already."""
    return DuplicateEventError(
        f"event {event_id!r} exists already in run {run_id!r}",
        what_failed=f"Appending event {event_id!r} to run {run_id!r}. Nothing was stored.",
        why="An event id names one event of a run for ever; causes and forks refer to it.",
        how_to_fix="Append it under an id that the run does not hold.",
        context={"event_id": event_id, "run_id": run_id},
    )


def unknown_event(event_id: str, run_id: str, where: str, driver: str) -> EventNotFoundError:
    """The error for an event that the run does not hold."""
    key = "operation" if where in ("fork", "truncate_after") else "where"
    return EventNotFoundError(
        f"run {run_id!r} has no event {event_id!r}",
        what_failed=f"Looking for event {event_id!r} in run {run_id!r} ({where}).",
        why="Positions are named by the events that stand there.",
        how_to_fix=f"See which events there are: activegraph inspect <url> --run-id {run_id} --tail 50",
        context={"event_id": event_id, "run_id": run_id, key: where, "driver": driver},
    )
