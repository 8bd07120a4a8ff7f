"""Reads one run page by page; nothing is held between pages."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from itertools import starmap
from typing import Any, Protocol, TypeVar

from activegraph.core.event import Event
from activegraph.errors import LogInconsistencyError
from activegraph.store.base import RawEvent
from activegraph.store.refusals import missing_position
from activegraph.store.serde import log_inconsistency, stored_event
from activegraph.store.sqlite import reads
from activegraph.store.sqlite.reads import Head

__all__ = ["Look", "Row", "RunReader"]

_Result = TypeVar("_Result")
Row = tuple[Any, ...]


class Look(Protocol):
    """Runs an operation on the handle's connection; refuses where the handle is closed."""

    def __call__(self, operation: Callable[[sqlite3.Connection], _Result], /) -> _Result: ...


class RunReader:
    """The events of one run, by position, by id and by type."""

    def __init__(self, run_id: str, look: Look) -> None:
        self._run_id = run_id
        self._look = look

    def head(self) -> int:
        """The last position, 0 for an empty run."""
        return self._look(lambda c: reads.head(c, self._run_id)).position

    def boundaries(self, after: str | None, until: str | None) -> tuple[int | None, int | None, Head]:
        """First and last position of a slice, None for a boundary that is not there; and the end of the log, if it goes there."""
        return self._look(lambda c: reads.boundaries(c, self._run_id, after, until))

    def raw(self, start: int) -> Iterator[RawEvent]:
        """Rows from a position up to the head of now, whatever they are."""
        for page in self._pages(start, self.head()):
            yield from starmap(RawEvent, page)

    def rows(self, start: int, stop: int) -> Iterator[Row]:
        """Rows at dense positions; whatever else is there is no run's log."""
        due = start
        for page in self._pages(start, stop):
            for row in page:
                if row[0] != due:
                    raise self._hole(due, row[0])
                due += 1
                yield row
        if due <= stop:
            raise self._hole(due, None)

    def events(self, start: int, stop: int | None) -> Iterator[Event]:
        """Events at dense positions up to `stop`, or up to the head of now."""
        head = self.head()
        yield from map(self.event, self.rows(start, head if stop is None else min(stop, head)))

    def of_types(self, types: tuple[str, ...]) -> Iterator[Event]:
        """Events of these types up to the head of now."""
        start, stop = 1, self.head()
        while start <= stop:
            page = self._page_of_types(types, start, stop)
            yield from map(self.event, page)
            if len(page) < reads.PAGE:
                return
            start = page[-1][0] + 1

    def by_id(self, event_id: str) -> Event | None:
        """The event of this id."""
        row = self._look(lambda c: reads.row_by_id(c, self._run_id, event_id))
        return None if row is None else self.event(row)

    def event(self, row: Row) -> Event:
        """The event of a row."""
        _, id, type, actor, payload, frame_id, caused_by, timestamp, _ = row
        return stored_event(id, type, payload, actor, frame_id, caused_by, timestamp, run_id=self._run_id)

    def _pages(self, start: int, stop: int) -> Iterator[list[Row]]:
        while start <= stop and (page := self._page(start, stop)):
            yield page
            start = page[-1][0] + 1

    def _page(self, start: int, stop: int) -> list[Row]:
        return self._look(lambda c: reads.page(c, self._run_id, start, stop))

    def _page_of_types(self, types: tuple[str, ...], start: int, stop: int) -> list[Row]:
        return self._look(lambda c: reads.page_of_types(c, self._run_id, types, start, stop))

    def _hole(self, due: int, found: int | None) -> LogInconsistencyError:
        error = missing_position(self._run_id, due, found)
        log_inconsistency(error, self._run_id)
        return error
