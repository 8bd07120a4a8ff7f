"""The writer's end of one run's log: commits batches, knows the head, keeps a window of recent events.

With a store the log lives there and only the window is in memory; without one the events are kept
here as records. A failed commit stops the log for good, because memory is then ahead of the truth.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from threading import Lock
from typing import Any, Protocol, cast

from activegraph.core.event import Event
from activegraph.core.log_lines import say
from activegraph.core.record import EventBatch, EventRecord, Events
from activegraph.errors import (
    DuplicateEventError,
    NonSerializableEventError,
    StoreUnavailableError,
)

__all__ = ["WINDOW", "EventSequence", "LogStore", "RunLog"]

WINDOW = 1000
"""How many of the newest events stay in memory; `status()` and views look no further back as a rule, and then at no store."""

_REPEATS_AFTER_UNKNOWN_OUTCOME = 3

_logger = logging.getLogger("activegraph.store")


class LogStore(Protocol):
    """What a log needs of an event store; `activegraph.store.EventStore` says what each call promises."""

    run_id: str

    def append(self, event: Event) -> None: ...
    def iter_events(self, after: str | None = None, until: str | None = None) -> Iterator[Event]: ...
    def get_event(self, event_id: str) -> Event | None: ...
    def count(self) -> int: ...


class RunLog:
    """One run's log as its single writer sees it."""

    def __init__(self) -> None:
        self.store: LogStore | None = None
        self.head = 0
        """Events that are committed."""
        self.window: deque[EventRecord] = deque(maxlen=WINDOW)
        self.failure: BaseException | None = None
        """What stopped this log first; None while it takes commits."""
        self.lock = Lock()
        """Held while head and window move, so that a reader on another thread sees one instant."""
        self.on_advance: Callable[[], None] | None = None
        """Called under the lock when the head has moved."""
        self._kept: list[EventRecord] = []
        self._ids: set[str] = set()
        self._append_many: Any = None
        self._reopen: Callable[[], LogStore] | None = None

    def attach(self, store: LogStore) -> None:
        """Write through to `store` from now on; the caller has seen to it that both agree."""
        self.store = store
        self._append_many = getattr(store, "append_many", None)
        self._kept = []
        self._ids = set()
        if self._append_many is None:
            name = type(store).__name__
            message = "store has no atomic append: %s"
            say(_logger, logging.WARNING, message, name, run_id=store.run_id, error_type=name)

    def adopt(self, head: int, recent: Sequence[EventRecord]) -> None:
        """Take over a log that was read from the store: its length and its newest events."""
        self.head = head
        self.window.extend(recent)

    def commit(self, events: Sequence[EventRecord], *, sync: bool | None = None) -> None:
        """Write `events` behind the head, all or none, and move the head past them.

        Args:
            sync: True waits for stable storage, also for all that came before; None leaves it to
                the store; False need not wait.

        Raises:
            DuplicateEventError, NonSerializableEventError: Nothing was stored, the log goes on.
            BaseException: Whatever else the store raises, or has raised before; the log is stopped.
        """
        self.write(events, sync=sync)
        self.advance(events)

    def write(self, events: Sequence[EventRecord], *, sync: bool | None = None) -> None:
        """The first half of a commit: `events` are stored, and nobody sees it yet."""
        if self.failure is not None:
            raise self.failure
        if self.store is None:
            self._kept.extend(events)
            return
        try:
            self._write(events, sync)
        except (DuplicateEventError, NonSerializableEventError):
            raise
        except BaseException as error:
            self.failure = error
            raise

    def advance(self, events: Sequence[EventRecord]) -> None:
        """The second half: head and window move, and what others may see of the run with them."""
        with self.lock:
            self.head += len(events)
            self.window.extend(events)
            if self.on_advance is not None:
                self.on_advance()

    def _write(self, events: Sequence[EventRecord], sync: bool | None) -> None:
        if self._append_many is None:
            for record in events:
                cast(LogStore, self.store).append(record.event())
            return
        batch = EventBatch(events)
        for attempt in range(_REPEATS_AFTER_UNKNOWN_OUTCOME + 1):
            try:
                self._append_many(batch, expected_count=self.head, sync=sync)
                return
            except StoreUnavailableError as error:
                # The store looked: none of it is there. Only then may the same batch be sent again.
                nothing_written = error.context.get("committed") is False and error.context.get("reason") == "lost"
                if not nothing_written or attempt == _REPEATS_AFTER_UNKNOWN_OUTCOME:
                    raise

    def flush(self) -> None:
        """Force everything committed so far to stable storage."""
        if self.store is not None and self._append_many is not None:
            self.commit((), sync=True)

    @property
    def is_closed(self) -> bool:
        """Whether the store under this log is closed, so that it can only be read."""
        return self._reopen is not None

    def close(self, reopen: Callable[[], LogStore]) -> None:
        """The store has been closed; `reopen` gives one for reading, which is closed after each read."""
        self._reopen = reopen

    @contextmanager
    def _readable(self) -> Iterator[Any]:
        if self._reopen is None:
            yield self.store
            return
        store: Any = self._reopen()
        try:
            yield store
        finally:
            store.close()

    def contains(self, event_id: str) -> bool:
        """Whether a committed event has this id; one indexed look-up, or a set that is filled when it is asked.

        An event that another writer has put behind the head is none of this log's: the commit will say so.
        """
        if self.store is not None:
            return self.store.get_event(event_id) is not None and not self._is_behind_head(self.store, event_id)
        ids, kept = self._ids, self._kept
        if len(ids) < len(kept):
            ids.update(each.id for each in islice(kept, len(ids), None))
        return event_id in ids

    def _is_behind_head(self, store: LogStore, event_id: str) -> bool:
        last = store.count()
        return last > self.head and any(event.id == event_id for event in self._stored(self.head + 1, last))

    def get(self, event_id: str) -> Event | None:
        """The committed event of this id."""
        for record in reversed(self.window):
            if record.id == event_id:
                return record.event()
        if self.store is not None:
            with self._readable() as store:
                found: Event | None = store.get_event(event_id)
            return found
        return next((kept.event() for kept in self._kept if kept.id == event_id), None)

    def position(self, position: int) -> Event | None:
        """The committed event at a position."""
        return next(self.read(position, position), None) if position >= 1 else None

    def read(self, start: int = 1, stop: int | None = None) -> Iterator[Event]:
        """Committed events at positions `start` to `stop`, both inclusive."""
        last = self.head if stop is None else min(stop, self.head)
        first_held = self.head - len(self.window) + 1
        if start >= first_held:
            held = list(islice(self.window, start - first_held, max(0, last - first_held + 1)))
            yield from EventBatch(held)
        else:
            yield from self._stored(start, last)

    def recent(self, count: int, window: Sequence[EventRecord], head: int) -> Sequence[Event | EventRecord]:
        """The newest `count` events of the instant at which `window` and `head` were copied; for any thread.

        Those of the window are records, so the payloads of what is returned are not of one kind.
        """
        held = len(window)
        if count <= held or head == held:
            return window[max(0, held - count) :]
        return [*self._stored(max(1, head - count + 1), head - held), *window]

    def of_type(self, type: str) -> Iterator[Event]:
        """Committed events of one type in order, by the store's index where it has one."""
        if self.failure is not None or not hasattr(self.store, "iter_types"):
            yield from (event for event in self.read() if event.type == type)
            return
        with self._readable() as store:
            yield from store.iter_types(type)

    def _stored(self, start: int, stop: int) -> Iterator[Event]:
        """Events before the window, from the store or from what is kept here."""
        if self.store is None:
            yield from EventBatch(self._kept[start - 1 : stop])
            return
        with self._readable() as store:
            if (iter_range := getattr(store, "iter_range", None)) is not None:
                yield from iter_range(start, stop)
            else:
                yield from islice(store.iter_events(), start - 1, stop)


class EventSequence(Events):
    """All events of a run in order, read when looked at: committed ones, then the open step's."""

    def __init__(self, log: RunLog, open_step: Sequence[EventRecord]) -> None:
        self._log = log
        self._head = log.head
        self._open = EventBatch(tuple(open_step))

    def __len__(self) -> int:
        return self._head + len(self._open)

    def __iter__(self) -> Iterator[Event]:
        yield from self._log.read(1, self._head)
        yield from self._open

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            start, stop, step = place.indices(len(self))
            if step == 1:
                return self._between(start, stop)
            return list(self)[place]
        size = len(self)
        index = place + size if place < 0 else place
        if not 0 <= index < size:
            raise IndexError("event index out of range")
        return self._between(index, index + 1)[0]

    def _between(self, start: int, stop: int) -> list[Event]:
        found = list(self._log.read(start + 1, min(stop, self._head))) if start < self._head else []
        found.extend(self._open[max(0, start - self._head) : max(0, stop - self._head)])
        return found
