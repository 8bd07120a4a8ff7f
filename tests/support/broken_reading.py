"""Stores that read wrongly: another order, another slice, another run, another moment, or with a price."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from activegraph.core.event import Event
from activegraph.errors import CorruptedEventPayloadError, EventNotFoundError, LogInconsistencyError
from activegraph.store.serde import decode_event
from activegraph.store.sqlite import SQLiteEventStore
from support.broken_stores import breaks

SELECT_EVENTS = "SELECT id, type, payload, actor, frame_id, caused_by, timestamp FROM events"


def selected(store: SQLiteEventStore, rest: str, *values: Any) -> list[Event]:
    """Events by a statement of one's own, on a connection of one's own."""
    with closing(sqlite3.connect(store.path)) as connection:
        connection.row_factory = sqlite3.Row
        return [decode_event(dict(row)) for row in connection.execute(f"{SELECT_EVENTS} {rest}", values)]


@breaks("A9")
class orders_by_timestamp(SQLiteEventStore):
    def iter_events(self, after: str | None = None, until: str | None = None) -> Iterator[Event]:
        return iter(sorted(super().iter_events(after, until), key=lambda each: each.timestamp))


@breaks("A1", "A9")
class orders_equal_timestamps_by_id(SQLiteEventStore):
    def iter_events(self, after: str | None = None, until: str | None = None) -> Iterator[Event]:
        found = list(super().iter_events(after, until))
        if len({each.timestamp for each in found}) == 1:
            found.sort(key=lambda each: each.id)
        else:
            found.sort(key=lambda each: (each.timestamp, each.id))
        return iter(found)


@breaks("A11", "D1")
class reads_every_run_in_order_of_insertion(SQLiteEventStore):
    def iter_events(self, after: str | None = None, until: str | None = None) -> Iterator[Event]:
        self.count()
        return iter(selected(self, "ORDER BY seq"))


@breaks("D2")
class takes_a_run_id_for_a_pattern(SQLiteEventStore):
    def iter_events(self, after: str | None = None, until: str | None = None) -> Iterator[Event]:
        if after is None and until is None:
            return iter(selected(self, "WHERE run_id LIKE ? ORDER BY position", self.run_id))
        return super().iter_events(after, until)


@breaks("D2")
class finds_events_of_runs_whose_id_begins_alike(SQLiteEventStore):
    def get_event(self, event_id: str) -> Event | None:
        found = super().get_event(event_id)
        mine = f"{self.run_id[:8]}%"
        return found or next(iter(selected(self, "WHERE run_id LIKE ? AND id = ?", mine, event_id)), None)


@breaks("A10", by="read_in_order")
class doubles_the_event_at_a_page_boundary(SQLiteEventStore):
    def iter_events(self, after: str | None = None, until: str | None = None) -> Iterator[Event]:
        for number, each in enumerate(super().iter_events(after, until), start=1):
            yield each
            if number == 4096:
                yield each


@breaks("A10", by="read_in_order")
class skips_the_event_at_a_page_boundary(SQLiteEventStore):
    def iter_events(self, after: str | None = None, until: str | None = None) -> Iterator[Event]:
        return (each for number, each in enumerate(super().iter_events(after, until)) if number != 4096)


@breaks("A4")
class includes_the_event_after_which_it_reads(SQLiteEventStore):
    def iter_events(self, after: str | None = None, until: str | None = None) -> Iterator[Event]:
        found = super().iter_events(after, until)
        if after is not None and (first := self.get_event(after)) is not None:
            yield first
        yield from found


@breaks("A4")
class leaves_out_the_event_until_which_it_reads(SQLiteEventStore):
    def iter_events(self, after: str | None = None, until: str | None = None) -> Iterator[Event]:
        return (each for each in super().iter_events(after, until) if each.id != until)


@breaks("A4")
class reads_to_the_end_past_reversed_boundaries(SQLiteEventStore):
    def iter_events(self, after: str | None = None, until: str | None = None) -> Iterator[Event]:
        found = list(super().iter_events(after, until))
        return iter(found if found or until is None else list(super().iter_events(after)))


@breaks("A5")
class reads_nothing_after_an_unknown_event(SQLiteEventStore):
    def iter_events(self, after: str | None = None, until: str | None = None) -> Iterator[Event]:
        try:
            yield from super().iter_events(after, until)
        except EventNotFoundError:
            return


@breaks("A5")
class raises_value_error_for_an_unknown_event(SQLiteEventStore):
    def iter_events(self, after: str | None = None, until: str | None = None) -> Iterator[Event]:
        try:
            yield from super().iter_events(after, until)
        except EventNotFoundError as error:
            raise ValueError("no such event") from error


@breaks("A6")
class goes_on_reading_what_is_appended_meanwhile(SQLiteEventStore):
    def iter_events(self, after: str | None = None, until: str | None = None) -> Iterator[Event]:
        last = None
        for last in super().iter_events(after, until):
            yield last
        while last is not None and until is None:
            following = list(super().iter_events(last.id))
            if not following:
                return
            yield from following
            last = following[-1]


@breaks("A6")
class takes_its_snapshot_before_the_first_next(SQLiteEventStore):
    def iter_events(self, after: str | None = None, until: str | None = None) -> Iterator[Event]:
        return iter(list(super().iter_events(after, until)))


@breaks("A10", by="memory")
class holds_a_whole_run_in_memory(SQLiteEventStore):
    def iter_events(self, after: str | None = None, until: str | None = None) -> Iterator[Event]:
        yield from list(super().iter_events(after, until))


@breaks("A10", by="look_ups")
class counts_by_scanning(SQLiteEventStore):
    def count(self) -> int:
        super().count()
        return sum(1 for _ in super().iter_events())


@breaks("A10", by="look_ups")
class finds_events_by_scanning(SQLiteEventStore):
    def get_event(self, event_id: str) -> Event | None:
        return next((each for each in self.tail(self.count()) if each.id == event_id), None)


@breaks("A1")
class remembers_a_count_that_others_change(SQLiteEventStore):
    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._counted: int | None = None

    def count(self) -> int:
        if self._counted is None or self._closed:
            self._counted = super().count()
        return self._counted

    def append_many(self, *arguments: Any, **options: Any) -> int:
        self._counted = super().append_many(*arguments, **options)
        return self._counted

    def truncate_after(self, event_id: str) -> None:
        super().truncate_after(event_id)
        self._counted = None


@breaks("A3")
class finds_the_nearest_event(SQLiteEventStore):
    def get_event(self, event_id: str) -> Event | None:
        return super().get_event(event_id) or next(iter(self.tail(1)), None)


@breaks("A8")
class gives_the_tail_newest_first(SQLiteEventStore):
    def tail(self, n: int) -> list[Event]:
        return super().tail(n)[::-1]


@breaks("A8")
class gives_a_tail_of_one_too_many(SQLiteEventStore):
    def tail(self, n: int) -> list[Event]:
        return super().tail(n + 1) if n else super().tail(n)


@breaks("A8")
class leaves_out_the_end_of_a_range(SQLiteEventStore):
    def iter_range(self, start: int = 1, stop: int | None = None) -> Iterator[Event]:
        return super().iter_range(start, None if stop is None else stop - 1)


@breaks("A8")
class takes_position_zero(SQLiteEventStore):
    def iter_range(self, start: int = 1, stop: int | None = None) -> Iterator[Event]:
        return super().iter_range(max(1, start), stop)


@breaks("A8")
class finds_types_by_their_beginning(SQLiteEventStore):
    def iter_types(self, *types: str) -> Iterator[Event]:
        self.count()
        return (each for each in super().iter_events() if types and each.type.startswith(types))


@breaks("A8")
class gives_events_type_by_type(SQLiteEventStore):
    def iter_types(self, *types: str) -> Iterator[Event]:
        for type in dict.fromkeys(types):
            yield from super().iter_types(type)


@breaks("A7")
class holds_the_write_lock_while_it_is_read(SQLiteEventStore):
    def iter_events(self, after: str | None = None, until: str | None = None) -> Iterator[Event]:
        running = super().iter_events(after, until)
        first = next(running, None)
        if first is None:
            return
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield first
            yield from running


@breaks("A7")
class leaks_a_file_for_each_iterator(SQLiteEventStore):
    def iter_events(self, after: str | None = None, until: str | None = None) -> Iterator[Event]:
        os.open(self.path, os.O_RDONLY)
        return super().iter_events(after, until)


@breaks("A7")
class shares_one_cursor_between_iterators(SQLiteEventStore):
    _running: Iterator[Event] | None = None

    def iter_events(self, after: str | None = None, until: str | None = None) -> Iterator[Event]:
        self._running = super().iter_events(after, until)
        while (found := next(self._running, None)) is not None:
            yield found


@breaks("M1")
class reads_nothing_from_an_unreadable_payload(SQLiteEventStore):
    def iter_events(self, after: str | None = None, until: str | None = None) -> Iterator[Event]:
        found = super().iter_events(after, until)
        try:
            yield from found
        except CorruptedEventPayloadError as error:
            yield Event(str(error.context["event_id"]), "unknown", {})
            yield from self.iter_events(str(error.context["event_id"]), until)


@breaks("M1")
class leaves_out_unreadable_events(SQLiteEventStore):
    def iter_events(self, after: str | None = None, until: str | None = None) -> Iterator[Event]:
        try:
            yield from super().iter_events(after, until)
        except CorruptedEventPayloadError as error:
            yield from self.iter_events(str(error.context["event_id"]), until)


@breaks("M1")
class reads_over_a_gap(SQLiteEventStore):
    def iter_events(self, after: str | None = None, until: str | None = None) -> Iterator[Event]:
        try:
            yield from super().iter_events(after, until)
        except LogInconsistencyError:
            yield from selected(self, "WHERE run_id = ? AND position > 3 ORDER BY position", self.run_id)


@breaks("M2")
class refuses_what_was_edited_by_hand(SQLiteEventStore):
    def iter_events(self, after: str | None = None, until: str | None = None) -> Iterator[Event]:
        texts = {row.id: row.payload for row in self.iter_raw()}
        for each in super().iter_events(after, until):
            if "\n" in texts[each.id] or "\\u00e9" in texts[each.id]:
                raise CorruptedEventPayloadError(f"{each.id} is not canonical", context={"event_id": each.id})
            yield each
