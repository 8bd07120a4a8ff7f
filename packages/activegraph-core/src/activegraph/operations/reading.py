"""Stored runs opened for reading: which run is meant, and its rows by position, undecoded.

Everything here goes through a read-only handle, so it makes no file, no row and no lock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import islice
from typing import Any

from activegraph.core.event import Event
from activegraph.errors import CorruptedEventPayloadError
from activegraph.runtime.log_rows import StoredEvent, row_of
from activegraph.store.base import RunRecord
from activegraph.store.refusals import missing_position
from activegraph.store.runs import advice_naming, can_be_run_id, most_recent_run_id, open_store, run_not_found
from activegraph.store.serde import check_payload
from activegraph.store.url import parse_store_url

__all__ = ["StoredRun", "open_run"]


class StoredRun:
    """One run of a store, opened read-only.

    Attributes:
        store: The read-only handle.
        record: The run's record; None for a store without run metadata.
        head: Events that the log held when the run was opened; later ones are not read here.
    """

    def __init__(self, store: Any, record: RunRecord | None) -> None:
        self.store = store
        self.run_id: str = store.run_id
        self.record = record
        measure = getattr(store, "head", store.count)
        self.head: int = measure()
        self._newest: list[StoredEvent] = []

    @property
    def setup_count(self) -> int:
        """Events that the graph held before its first runtime."""
        return 0 if self.record is None else self.record.setup_count or 0

    @property
    def forked_at(self) -> str | None:
        """The event that the run was forked at."""
        return None if self.record is None else self.record.forked_at_event_id

    def newest(self, count: int) -> list[StoredEvent]:
        """The last `count` rows, oldest first; they are kept, so that other reads begin with them."""
        if len(self._newest) < min(count, self.head):
            self._newest = list(self.rows(max(1, self.head - count + 1)))
        return self._newest[max(0, len(self._newest) - count) :]

    def rows(self, start: int = 1, stop: int | None = None) -> Iterator[StoredEvent]:
        """The rows at positions `start` to `stop`, both inclusive; payloads are not looked at.

        Raises:
            LogInconsistencyError: A position is missing.
        """
        last = self.head if stop is None else min(stop, self.head)
        first_kept = self.head - len(self._newest) + 1
        if start >= first_kept:
            yield from self._newest[start - first_kept : last - first_kept + 1]
            return
        expected = start
        for row in self._from(start):
            if row.position > last:
                return
            if row.position != expected:
                raise missing_position(self.run_id, expected, row.position)
            expected += 1
            yield row

    def sound_rows(self, start: int = 1) -> Iterator[StoredEvent]:
        """The rows from `start` on, each payload known to be one.

        Raises:
            CorruptedEventPayloadError: At the bad event, after the good ones before it.
            LogInconsistencyError: A position is missing.
        """
        for row in self.rows(start):
            check_payload(row.payload, event_id=row.id, run_id=self.run_id)
            yield row

    def last_of(self, *types: str) -> StoredEvent | None:
        """The newest event of these types that the runtime wrote: from the rows that are kept, else by index.

        One that is found by index has position 0.
        """
        for row in reversed(self._newest):
            if row.type in types and row.actor == "runtime":
                return row
        if len(self._newest) == self.head:
            return None
        try:
            found = deque((e for e in self.of_types(*types) if e.actor == "runtime"), maxlen=1)
        except CorruptedEventPayloadError:
            # Damage before the one that is looked for must not hide it.
            return next(
                iter(deque((r for r in self.rows() if r.type in types and r.actor == "runtime"), maxlen=1)), None
            )
        return row_of(0, found[0]) if found else None

    def of_types(self, *types: str) -> Iterator[Event]:
        """The events of these types in order, by index where the store has one."""
        by_type = getattr(self.store, "iter_types", None)
        if by_type is not None:
            return iter(by_type(*types))
        return (event for event in self.store.iter_events() if event.type in types)

    def _from(self, start: int) -> Iterator[StoredEvent]:
        read = getattr(self.store, "iter_raw", None)
        if read is None:
            yield from self._decoded_from(start)
            return
        try:
            raw = read(start)
        except TypeError:
            # The protocol's `iter_raw` takes no position; that ours do is what makes a tail cheap.
            raw = islice(read(), start - 1, None)
        for row in raw:
            payload = row.payload.encode("utf-8", "surrogatepass")
            yield StoredEvent(
                row.position, row.id, row.type, row.actor, payload, row.frame_id, row.caused_by, row.timestamp
            )

    def _decoded_from(self, start: int) -> Iterator[StoredEvent]:
        by_range = getattr(self.store, "iter_range", None)
        events = islice(self.store.iter_events(), start - 1, None) if by_range is None else by_range(start)
        for position, event in enumerate(events, start):
            yield row_of(position, event)


@contextmanager
def open_run(url: str, run_id: str | None) -> Iterator[StoredRun]:
    """A stored run for reading; `None` is the run that was appended to last.

    Raises:
        StoreNotFoundError, RunNotFoundError: There is no such store or run; nothing is made.
    """
    chosen = most_recent_run_id(url) if run_id is None else run_id
    parsed = parse_store_url(url)
    if chosen is None or not can_be_run_id(chosen):
        raise run_not_found(parsed, chosen)
    with closing(open_store(url, chosen, read_only=True)) as store:
        look = getattr(store, "get_run", None)
        record: RunRecord | None = None if look is None else look()
        run = StoredRun(store, record)
        if record is None and (look is not None or run.head == 0):
            raise run_not_found(parsed, chosen)
        with advice_naming(parsed):
            yield run
