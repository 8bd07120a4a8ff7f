"""Forks a stored run, within its store or into another one, without loading it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import islice
from typing import Any

from activegraph.core.clock import Clock
from activegraph.core.codec import check_header
from activegraph.core.event import Event, canonical_payload
from activegraph.core.ids import IDGen
from activegraph.errors import CorruptedEventPayloadError, LogInconsistencyError, StoreNotFoundError
from activegraph.store.base import EventStore, ForkResult, RawEvent, RunRecord
from activegraph.store.imports import import_run, not_offered
from activegraph.store.records import normalized_time
from activegraph.store.refusals import missing_position, run_exists, unknown_event
from activegraph.store.registry import backend_of
from activegraph.store.serde import check_payload, header_of
from activegraph.store.url import StoreURL

__all__ = ["fork_stored_run", "same_store"]

_TOLD_EVERY = 500
"""Rows between two calls of `on_progress`."""


def fork_stored_run(
    source: StoreURL,
    target: StoreURL,
    parent: RunRecord,
    *,
    at_event: str,
    label: str | None,
    new_run_id: str | None = None,
    extra_events: Sequence[Event] = (),
    on_progress: Callable[[int, int], object] | None = None,
) -> ForkResult:
    """Make a run that begins with `parent`'s events up to and including `at_event`, in one transaction.

    Args:
        source, target: Where the parent is and where the fork is made; may be one store.
        new_run_id: Default a fresh ULID.
        extra_events: Follow the copied ones in the same transaction.
        on_progress: Called now and then with the number of events copied into another store, and of those
            that the parent holds.

    Raises:
        EventNotFoundError, RunExistsError: Nothing was created.
        CorruptedEventPayloadError, LogInconsistencyError: What is copied into another store cannot be read;
            nothing was created.
        IncompatibleRuntimeState: The target's store cannot commit it in one transaction.
    """
    new_id = IDGen().run() if new_run_id is None else check_header("run_id", new_run_id)
    created_at = Clock().now()
    fork: Any = getattr(backend_of(source), "fork_run", None)
    if fork is not None and same_store(source, target):
        extra: dict[str, Any] = {"extra_events": extra_events} if extra_events else {}
        copied = fork(
            source,
            parent_run_id=parent.run_id,
            new_run_id=new_id,
            at_event_id=at_event,
            label=label,
            created_at=created_at,
            **extra,
        )
    else:
        record = RunRecord(
            new_id, parent.run_id, at_event, label, normalized_time(created_at), parent.goal, parent.frame_id
        )
        copied = _copy(source, target, parent, record, extra_events, on_progress)
    return ForkResult(
        parent.run_id, new_id, at_event, label, copied, target.safe, tuple(event.id for event in extra_events)
    )


def _copy(
    source: StoreURL,
    target: StoreURL,
    parent: RunRecord,
    record: RunRecord,
    extra_events: Sequence[Event],
    on_progress: Callable[[int, int], object] | None,
) -> int:
    """Stream the prefix out of one snapshot into one transaction; returns its length."""
    at_event = str(record.forked_at_event_id)
    with closing(backend_of(source).open(source, parent.run_id, read_only=True)) as store:
        rows: Any = getattr(store, "iter_raw", None)
        if rows is None:
            raise not_offered("fork_run", source)
        if not _holds(store, at_event):
            raise unknown_event(at_event, parent.run_id, "fork", source.scheme)
        if _is_taken(target, record.run_id):
            raise run_exists(record.run_id)
        setup = None if parent.setup_count is None else _length_within(rows(), at_event, parent.setup_count)
        prefix = _Prefix(parent, at_event, on_progress)
        try:
            import_run(target, replace(record, setup_count=setup), prefix.followed_by(rows(), extra_events))
        except LogInconsistencyError as error:
            if error.context.get("reason") == "conflict":
                raise run_exists(record.run_id) from error
            raise
    return prefix.length


class _Prefix:
    """A run's rows up to and including one event, each known to be readable; counts them as they pass."""

    def __init__(self, parent: RunRecord, at_event: str, on_progress: Callable[[int, int], object] | None) -> None:
        self.length = 0
        self._parent = parent
        self._at_event = at_event
        self._on_progress = on_progress

    def followed_by(self, rows: Iterator[RawEvent], extra_events: Sequence[Event]) -> Iterator[RawEvent]:
        for row in rows:
            if row.position != self.length + 1:
                raise missing_position(self._parent.run_id, self.length + 1, row.position)
            raw = row.payload.encode("utf-8", "surrogatepass")
            check_payload(raw, event_id=row.id, run_id=self._parent.run_id)
            self.length += 1
            if self._on_progress is not None and self.length % _TOLD_EVERY == 0:
                self._on_progress(self.length, self._parent.event_count)
            yield row
            if row.id == self._at_event:
                break
        for position, event in enumerate(extra_events, self.length + 1):
            id, type, actor, frame_id, caused_by, timestamp = header_of(event)
            text = canonical_payload(event).decode("utf-8")
            yield RawEvent(position, id, type, actor, text, frame_id, caused_by, timestamp, None)


def _holds(store: EventStore, event_id: str) -> bool:
    try:
        return store.get_event(event_id) is not None
    except CorruptedEventPayloadError:
        return True


def _is_taken(url: StoreURL, run_id: str) -> bool:
    try:
        with closing(backend_of(url).open(url, run_id, read_only=True)) as store:
            look: Any = getattr(store, "get_run", None)
            return store.count() > 0 or (look is not None and look() is not None)
    except StoreNotFoundError:
        return False


def _length_within(rows: Iterator[RawEvent], event_id: str, limit: int) -> int:
    """Position of an event if it is among the first `limit`, else `limit`."""
    for position, row in enumerate(islice(rows, limit), 1):
        if row.id == event_id:
            return position
    return limit


def same_store(a: StoreURL, b: StoreURL) -> bool:
    """Whether two URLs name one store, in whatever spelling."""
    if a.scheme != b.scheme:
        return False
    identity: Any = getattr(backend_of(a), "identity", None)
    if identity is not None:
        mine, other = identity(a), identity(b)
        if mine is not None and other is not None:
            return bool(mine == other)
    return a.raw == b.raw
