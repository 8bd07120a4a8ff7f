"""Stores that find what is not there, or stop before the end: look-ups, long reads, and reads of damaged runs."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from typing import Any

from activegraph.core.event import NO_DIGEST, Event, digest_of
from activegraph.errors import CorruptedEventPayloadError, LogInconsistencyError
from activegraph.store.base import RawEvent
from activegraph.store.sqlite import SQLiteEventStore
from msgspec.structs import replace
from msgspec.structs import replace as replace_row
from support.broken_reading import selected
from support.broken_stores import breaks


class _Searching(SQLiteEventStore):
    """Looks for events once more where there is none of an id."""

    def get_event(self, event_id: str) -> Event | None:
        found = super().get_event(event_id)
        if found is not None or not event_id:
            return found
        return next((each for each in super().iter_events() if self.is_meant(each.id, event_id)), None)

    def is_meant(self, id: str, by: str) -> bool:
        raise NotImplementedError


@breaks("A3")
class takes_an_id_for_a_pattern(_Searching):
    def is_meant(self, id: str, by: str) -> bool:
        pattern = "".join({"%": ".*", "_": "."}.get(sign, re.escape(sign)) for sign in by)
        return re.fullmatch(pattern, id) is not None


@breaks("A3")
class finds_events_by_the_beginning_of_an_id(_Searching):
    def is_meant(self, id: str, by: str) -> bool:
        return id.startswith(by)


@breaks("A3")
class finds_events_by_the_end_of_an_id(_Searching):
    def is_meant(self, id: str, by: str) -> bool:
        return id.endswith(by)


@breaks("A5")
class asks_nothing_of_an_empty_run(SQLiteEventStore):
    def iter_events(self, after: str | None = None, until: str | None = None) -> Iterator[Event]:
        return super().iter_events(after, until) if self.count() else iter(())


@breaks("A10", by="read_in_order")
class gives_raw_rows_of_two_pages(SQLiteEventStore):
    def iter_raw(self, start: int = 1) -> Iterator[RawEvent]:
        return islice(super().iter_raw(start), 4000)


@breaks("A10", by="read_in_order")
class gives_a_thousand_events_of_a_type(SQLiteEventStore):
    def iter_types(self, *types: str) -> Iterator[Event]:
        return islice(super().iter_types(*types), 1000)


@breaks("A10", by="read_in_order")
class gives_a_thousand_events_of_a_range(SQLiteEventStore):
    def iter_range(self, start: int = 1, stop: int | None = None) -> Iterator[Event]:
        return islice(super().iter_range(start, stop), 1000)


@breaks("A10", by="read_in_order")
class gives_a_tail_of_a_thousand(SQLiteEventStore):
    def tail(self, n: int) -> list[Event]:
        return super().tail(min(n, 1000))


class _Digesting(SQLiteEventStore):
    """Shows digests of its own making."""

    def iter_raw(self, start: int = 1) -> Iterator[RawEvent]:
        previous = NO_DIGEST
        for row in super().iter_raw(1):
            previous = self.digest(previous, row)
            if row.position >= start:
                yield replace_row(row, digest=previous)

    def digest(self, previous: bytes, row: RawEvent) -> bytes:
        return _digest(previous, row, row.timestamp)


@breaks("M1")
class makes_up_the_digests_that_it_shows(_Digesting):
    pass


@breaks("B2")
class leaves_the_timestamp_out_of_its_digests(_Digesting):
    def digest(self, previous: bytes, row: RawEvent) -> bytes:
        return _digest(previous, row, "")


@breaks("B2")
class digests_each_event_alone(_Digesting):
    def digest(self, previous: bytes, row: RawEvent) -> bytes:
        return _digest(NO_DIGEST, row, row.timestamp)


def _digest(previous: bytes, row: RawEvent, timestamp: str) -> bytes:
    payload = row.payload.encode("utf-8", "surrogatepass")
    return digest_of(previous, row.id, row.type, payload, row.actor, row.frame_id, row.caused_by, timestamp)


@breaks()
class follows_raw_rows_that_are_appended_meanwhile(SQLiteEventStore):
    def iter_raw(self, start: int = 1) -> Iterator[RawEvent]:
        self._check_open()
        while rows := list(islice(super().iter_raw(start), 100)):
            yield from rows
            start = rows[-1].position + 1


class _OverGaps(SQLiteEventStore):
    """Gives what is there where a position is missing."""

    def what_is_there(self, read: Callable[[], Any]) -> Any:
        try:
            return list(read())
        except LogInconsistencyError:
            return selected(self, "WHERE run_id = ? ORDER BY position", self.run_id)


@breaks("M1")
class gives_a_range_over_a_gap(_OverGaps):
    def iter_range(self, start: int = 1, stop: int | None = None) -> Iterator[Event]:
        return iter(self.what_is_there(lambda: super(_OverGaps, self).iter_range(start, stop)))


@breaks("M1")
class gives_a_tail_over_a_gap(_OverGaps):
    def tail(self, n: int) -> list[Event]:
        found: list[Event] = self.what_is_there(lambda: super(_OverGaps, self).tail(n))[-n:]
        return found


@breaks("M1")
class begins_behind_a_lost_beginning(SQLiteEventStore):
    def iter_events(self, after: str | None = None, until: str | None = None) -> Iterator[Event]:
        try:
            yield from super().iter_events(after, until)
        except LogInconsistencyError as error:
            if error.context["position"] != 1:
                raise
            yield from selected(self, "WHERE run_id = ? ORDER BY position", self.run_id)


@breaks("M1")
class ends_before_an_unreadable_event_of_a_type(SQLiteEventStore):
    def iter_types(self, *types: str) -> Iterator[Event]:
        try:
            yield from super().iter_types(*types)
        except CorruptedEventPayloadError:
            return


@breaks("A1")
class remembers_that_there_was_no_event(SQLiteEventStore):
    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._missing: set[str] = set()

    def get_event(self, event_id: str) -> Event | None:
        found = None if event_id in self._missing else super().get_event(event_id)
        if found is None:
            self._missing.add(event_id)
        return found


@breaks("C7")
class remembers_events_that_are_truncated(SQLiteEventStore):
    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._found: dict[str, Event] = {}

    def get_event(self, event_id: str) -> Event | None:
        if event_id not in self._found and (found := super().get_event(event_id)) is not None:
            self._found[event_id] = found
        return self._found.get(event_id)

    def truncate_after(self, event_id: str) -> None:
        super().truncate_after(event_id)
        self._found.clear()


@breaks("A1")
class tells_the_head_that_it_knows(SQLiteEventStore):
    def head(self) -> int:
        return super().count() if self.read_only or self._closed else self._writer.head.position


@breaks("A6")
class follows_the_rest_of_a_log(SQLiteEventStore):
    def iter_events(self, after: str | None = None, until: str | None = None) -> Iterator[Event]:
        if after is None or until is not None:
            yield from super().iter_events(after, until)
            return
        while rest := list(super().iter_events(after)):
            yield from rest
            after = rest[-1].id


class _ChainingAnew(SQLiteEventStore):
    """Forgets the digest that its next event goes behind."""

    def forget(self) -> None:
        head = self._writer.head
        if head.position:
            with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
                row = (NO_DIGEST, self.run_id, head.position)
                connection.execute("UPDATE events SET digest = ? WHERE run_id = ? AND position = ?", row)
            self._writer.head = replace(head, digest=NO_DIGEST)


@breaks("A1")
class begins_a_new_chain_with_each_handle(_ChainingAnew):
    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        if not self.read_only:
            self.forget()


@breaks("C7")
class begins_a_new_chain_behind_a_truncation(_ChainingAnew):
    def truncate_after(self, event_id: str) -> None:
        super().truncate_after(event_id)
        self.forget()
