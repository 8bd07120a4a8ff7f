"""The writer's end of one run's log: commits batches, knows the head, keeps a window of recent events.

With a store the log lives there and only the window is in memory; without one the events are kept
here as structs. A failed commit closes the log for good, because memory is then ahead of the truth.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from threading import Lock
from typing import Any, Protocol, cast

from msgspec import Struct

from activegraph.core.event import Event, canonical_payload, make_event
from activegraph.errors import (
    DuplicateEventError,
    NonSerializableEventError,
    StoreUnavailableError,
)

__all__ = ["WINDOW", "EventSequence", "LogStore", "RunLog"]

WINDOW = 1024
"""How many of the newest events stay in memory; `status()` and views look no further back as a rule."""

_REPEATS_AFTER_UNKNOWN_OUTCOME = 3

_logger = logging.getLogger("activegraph.store")


class LogStore(Protocol):
    """What a log needs of an event store; `activegraph.store.EventStore` says what each call promises."""

    run_id: str

    def append(self, event: Event) -> None: ...
    def iter_events(self, after: str | None = None, until: str | None = None) -> Iterator[Event]: ...
    def get_event(self, event_id: str) -> Event | None: ...
    def count(self) -> int: ...


class _Kept(Struct, frozen=True, gc=False):
    id: str
    type: str
    payload: bytes
    actor: str | None
    frame_id: str | None
    caused_by: str | None
    timestamp: str

    def event(self) -> Event:
        return make_event(
            self.id,
            self.type,
            self.payload,
            self.actor,
            self.frame_id,
            self.caused_by,
            self.timestamp,
            canonical=True,
        )


class RunLog:
    """One run's log as its single writer sees it."""

    def __init__(self) -> None:
        self.store: LogStore | None = None
        self.head = 0
        """Events that are committed."""
        self.window: deque[Event] = deque(maxlen=WINDOW)
        self.failure: BaseException | None = None
        """What stopped this log; None while it takes commits."""
        self.lock = Lock()
        """Held while head and window move, so that a reader on another thread sees one instant."""
        self.on_advance: Callable[[], None] | None = None
        """Called under the lock when the head has moved."""
        self._kept: list[_Kept] = []
        self._ids: set[str] | None = None
        self._append_many: Any = None

    def attach(self, store: LogStore) -> None:
        """Write through to `store` from now on; the caller has seen to it that both agree."""
        self.store = store
        self._append_many = getattr(store, "append_many", None)
        self._kept = []
        self._ids = None
        if self._append_many is None:
            _logger.warning(
                "store has no atomic append: %s",
                type(store).__name__,
                extra={"run_id": store.run_id, "error_type": type(store).__name__},
            )

    def adopt(self, head: int, recent: Sequence[Event]) -> None:
        """Take over a log that was read from the store: its length and its newest events."""
        self.head = head
        self.window.extend(recent)

    def commit(self, events: Sequence[Event], *, sync: bool | None = None) -> None:
        """Append `events` behind the head, all or none.

        Args:
            sync: True waits for stable storage, also for all that came before; None leaves it to
                the store; False need not wait.

        Raises:
            DuplicateEventError, NonSerializableEventError: Nothing was stored, the log goes on.
            Exception: Whatever else the store raises; the log is closed then.
        """
        if self.store is None:
            self._kept.extend(
                _Kept(e.id, e.type, canonical_payload(e), e.actor, e.frame_id, e.caused_by, e.timestamp) for e in events
            )
            if self._ids is not None:
                self._ids.update(event.id for event in events)
        else:
            try:
                self._write(events, sync)
            except (DuplicateEventError, NonSerializableEventError):
                raise
            except BaseException as error:
                self.failure = error
                raise
        with self.lock:
            self.head += len(events)
            self.window.extend(events)
            if self.on_advance is not None:
                self.on_advance()

    def _write(self, events: Sequence[Event], sync: bool | None) -> None:
        if self._append_many is None:
            for event in events:
                cast(LogStore, self.store).append(event)
            return
        for attempt in range(_REPEATS_AFTER_UNKNOWN_OUTCOME + 1):
            try:
                self._append_many(events, expected_count=self.head, sync=sync)
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

    def contains(self, event_id: str) -> bool:
        """Whether a committed event has this id; one indexed look-up, or a set that is made once."""
        if self.store is not None:
            return self.store.get_event(event_id) is not None
        if self._ids is None:
            self._ids = {kept.id for kept in self._kept}
        return event_id in self._ids

    def get(self, event_id: str) -> Event | None:
        """The committed event of this id."""
        for event in reversed(self.window):
            if event.id == event_id:
                return event
        if self.store is not None:
            return self.store.get_event(event_id)
        return next((kept.event() for kept in self._kept if kept.id == event_id), None)

    def tail(self, count: int) -> list[Event]:
        """The last `count` committed events, oldest first."""
        held = len(self.window)
        if count <= held:
            return list(islice(self.window, held - count, None))
        return list(self.read(max(1, self.head - count + 1)))

    def read(self, start: int = 1, stop: int | None = None) -> Iterator[Event]:
        """Committed events at positions `start` to `stop`, both inclusive."""
        last = self.head if stop is None else min(stop, self.head)
        first_held = self.head - len(self.window) + 1
        if start >= first_held:
            yield from list(islice(self.window, start - first_held, max(0, last - first_held + 1)))
        elif self.store is None:
            for kept in self._kept[start - 1 : last]:
                yield kept.event()
        elif (iter_range := getattr(self.store, "iter_range", None)) is not None:
            yield from iter_range(start, last)
        else:
            yield from islice(self.store.iter_events(), start - 1, last)


class EventSequence(Sequence[Event]):
    """All events of a run in order, read when looked at: committed ones, then the open step's."""

    def __init__(self, log: RunLog, open_step: Sequence[Event]) -> None:
        self._log = log
        self._head = log.head
        self._open = tuple(open_step)

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

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, (str, bytes)):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"<{len(self)} events>"
