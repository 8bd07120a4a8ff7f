"""Stores whose records are not what they were told: texts, lists, forks and imports of records."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

from activegraph.core.event import Event
from activegraph.errors import LogInconsistencyError
from activegraph.store.base import ImportResult, RawEvent, RunRecord
from activegraph.store.sqlite import SQLiteEventStore
from activegraph.store.sqlite.backend import SQLiteBackend
from activegraph.store.url import StoreURL
from support.broken_stores import breaks


def _execute(path: Any, statement: str, *values: Any) -> None:
    with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as connection:
        connection.execute(statement, values)


class _Telling(SQLiteEventStore):
    """Records what `told` leaves of each text."""

    names: tuple[str, ...] = ("label",)

    def upsert_run(self, **fields: Any) -> None:
        changed = {name: self.told(fields[name]) for name in self.names if fields.get(name) is not None}
        super().upsert_run(**{**fields, **changed})

    def told(self, text: str) -> str | None:
        return text[:255]


@breaks("G1")
class cuts_labels_at_255_characters(_Telling):
    pass


@breaks("G1")
class cuts_goals_at_255_characters(_Telling):
    names = ("goal",)


@breaks("G1")
class takes_an_empty_label_for_none(_Telling):
    def told(self, text: str) -> str | None:
        return text or None


@breaks("G1")
class leaves_a_nul_out_of_a_frame(_Telling):
    names = ("frame_id",)

    def told(self, text: str) -> str | None:
        return text.replace("\x00", "")


@breaks("G1")
class cuts_the_goal_of_a_first_append(SQLiteEventStore):
    def get_run(self) -> RunRecord | None:
        found = super().get_run()
        return None if found is None else replace(found, goal=found.goal and found.goal[:80])


@breaks("G1")
class cuts_times_at_milliseconds(SQLiteEventStore):
    def get_run(self) -> RunRecord | None:
        found = super().get_run()
        if found is None or "." not in found.created_at:
            return found
        return replace(found, created_at=f"{found.created_at[:23]}Z")


@breaks("G2")
class forgets_a_run_that_is_truncated(SQLiteEventStore):
    def truncate_after(self, event_id: str) -> None:
        super().truncate_after(event_id)
        _execute(self.path, "DELETE FROM runs WHERE run_id = ?", self.run_id)


@breaks("G4")
class finds_a_goal_at_the_start_of_a_batch(SQLiteEventStore):
    def append_many(self, events: Sequence[Event], **options: Any) -> int:
        was_empty = self.count() == 0
        head = super().append_many(events, **options)
        if was_empty and events and events[0].type != "goal.created":
            _execute(self.path, "UPDATE runs SET goal = NULL WHERE run_id = ?", self.run_id)
        return head


class _Listing(SQLiteEventStore):
    """Lists what `listed` makes of the runs."""

    @classmethod
    def list_runs(cls, target: Any) -> list[RunRecord]:
        return cls.listed(super().list_runs(target))

    @classmethod
    def listed(cls, found: list[RunRecord]) -> list[RunRecord]:
        raise NotImplementedError


@breaks("G2")
class lists_runs_of_one_time_backwards(_Listing):
    @classmethod
    def listed(cls, found: list[RunRecord]) -> list[RunRecord]:
        backwards = sorted(found, key=lambda record: record.run_id, reverse=True)
        return sorted(backwards, key=lambda record: record.created_at.rstrip("Z"))


@breaks("G2")
class lists_runs_of_one_time_as_they_came(SQLiteEventStore):
    @classmethod
    def list_runs(cls, target: Any) -> list[RunRecord]:
        with closing(sqlite3.connect(target)) as connection:
            numbers = dict(connection.execute("SELECT run_id, rowid FROM runs").fetchall())
        return sorted(super().list_runs(target), key=lambda each: (each.created_at.rstrip("Z"), numbers[each.run_id]))


@breaks("G2")
class lists_runs_in_any_case(_Listing):
    @classmethod
    def listed(cls, found: list[RunRecord]) -> list[RunRecord]:
        return sorted(found, key=lambda record: (record.created_at.rstrip("Z"), record.run_id.lower()))


@breaks("G2")
class lists_runs_without_their_lineage(_Listing):
    @classmethod
    def listed(cls, found: list[RunRecord]) -> list[RunRecord]:
        return [replace(record, parent_run_id=None, forked_at_event_id=None) for record in found]


@breaks("G2")
class lists_runs_without_their_goals(_Listing):
    @classmethod
    def listed(cls, found: list[RunRecord]) -> list[RunRecord]:
        return [replace(record, goal=None, frame_id=None) for record in found]


@breaks("G2")
class lists_runs_without_their_setup_counts(_Listing):
    @classmethod
    def listed(cls, found: list[RunRecord]) -> list[RunRecord]:
        return [replace(record, setup_count=None) for record in found]


@breaks("G2")
class lists_no_run_without_events(_Listing):
    @classmethod
    def listed(cls, found: list[RunRecord]) -> list[RunRecord]:
        return [record for record in found if record.event_count]


@breaks("G2")
class lists_a_hundred_runs(_Listing):
    @classmethod
    def listed(cls, found: list[RunRecord]) -> list[RunRecord]:
        return found[:100]


@breaks("G3")
class takes_the_longest_run_for_the_most_recent(SQLiteEventStore):
    @classmethod
    def most_recent_run_id(cls, target: Any) -> str | None:
        recent = super().most_recent_run_id(target)
        longest = max((record.event_count for record in super().list_runs(target)), default=0)
        found = {record.run_id for record in super().list_runs(target) if record.event_count == longest}
        return recent if recent in found or not found else min(found)


class _ForkingOver(SQLiteEventStore):
    """Changes the record of a fork afterwards."""

    change = ""

    @classmethod
    def fork_run(cls, target: Any, **named: Any) -> int:
        copied = super().fork_run(target, **named)
        with closing(sqlite3.connect(target, isolation_level=None, timeout=30)) as connection:
            values = {"run": named["new_run_id"], "parent": named["parent_run_id"], "copied": copied}
            connection.execute(f"UPDATE runs SET {cls.change} WHERE run_id = :run", values)
        return copied


@breaks("H1")
class forks_the_setup_count_as_it_is(_ForkingOver):
    change = "setup_count = (SELECT p.setup_count FROM runs AS p WHERE p.run_id = :parent)"


@breaks("H1")
class takes_a_forks_length_for_no_setup_count(_ForkingOver):
    change = "setup_count = coalesce(setup_count, :copied)"


@breaks("H1")
class takes_a_forks_length_for_a_setup_count_of_zero(_ForkingOver):
    change = "setup_count = CASE setup_count WHEN 0 THEN :copied ELSE setup_count END"


@breaks("H1")
class forks_the_label_where_none_is_given(_ForkingOver):
    change = "label = coalesce(label, (SELECT p.label FROM runs AS p WHERE p.run_id = :parent))"


@breaks("H1")
class takes_a_grandparent_for_the_parent(_ForkingOver):
    change = "parent_run_id = coalesce((SELECT p.parent_run_id FROM runs AS p WHERE p.run_id = :parent), parent_run_id)"


@breaks("F4", by="forks_and_imports")
class forks_without_a_sync(SQLiteEventStore):
    @classmethod
    def fork_run(cls, target: Any, **named: Any) -> int:
        with closing(sqlite3.connect(target, isolation_level=None, timeout=30)) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            return connection.execute(
                "INSERT INTO events (run_id, position, id, type, payload, timestamp, digest)"
                " SELECT ?, position, id, type, payload, timestamp, digest FROM events WHERE run_id = ?",
                (named["new_run_id"], named["parent_run_id"]),
            ).rowcount


@breaks("F4", by="forks_and_imports")
class imports_without_a_sync(SQLiteBackend):
    def import_run(self, url: StoreURL, record: RunRecord, events: Iterable[RawEvent]) -> ImportResult:
        rows = list(events)
        with closing(self.open(url, record.run_id)) as store:
            store.append_many([Event(row.id, row.type, {}) for row in rows])
        return ImportResult(len(rows), 0)


@breaks("I1")
class makes_no_record_of_an_empty_import(SQLiteBackend):
    def import_run(self, url: StoreURL, record: RunRecord, events: Iterable[RawEvent]) -> ImportResult:
        rows = list(events)
        return super().import_run(url, record, rows) if rows else ImportResult(0, 0)


@breaks("I1")
class forgets_the_setup_count_of_an_import(SQLiteBackend):
    def import_run(self, url: StoreURL, record: RunRecord, events: Iterable[RawEvent]) -> ImportResult:
        return super().import_run(url, replace(record, setup_count=None), events)


@breaks("I2")
class takes_another_spelling_for_a_conflict(SQLiteBackend):
    def import_run(self, url: StoreURL, record: RunRecord, events: Iterable[RawEvent]) -> ImportResult:
        rows = list(events)
        with closing(self.open(url, record.run_id)) as store:
            for held, row in zip(store.iter_raw(), rows, strict=False):
                if held.payload != row.payload:
                    raise LogInconsistencyError(f"{row.id} differs", context={"reason": "conflict"})
        return super().import_run(url, record, rows)


@breaks("I4")
class overwrites_a_label_by_an_import(SQLiteBackend):
    def import_run(self, url: StoreURL, record: RunRecord, events: Iterable[RawEvent]) -> ImportResult:
        result = super().import_run(url, record, events)
        if record.label is not None:
            _execute(url.sqlite_path, "UPDATE runs SET label = ? WHERE run_id = ?", record.label, record.run_id)
        return result


@breaks("G1")
class records_what_it_knew_when_it_opened(SQLiteEventStore):
    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._is_new = super().get_run() is None

    def upsert_run(self, **fields: Any) -> None:
        if self._is_new:
            _execute(self.path, "DELETE FROM runs WHERE run_id = ?", self.run_id)
        self._is_new = False
        super().upsert_run(**fields)


@breaks("I1")
class stores_an_import_in_its_own_spelling(SQLiteBackend):
    def import_run(self, url: StoreURL, record: RunRecord, events: Iterable[RawEvent]) -> ImportResult:
        rows = list(events)
        result = super().import_run(url, record, rows)
        with closing(sqlite3.connect(url.sqlite_path or "", isolation_level=None)) as connection:
            for row in rows:
                if row.digest is None:
                    values = (row.payload.encode("utf-8", "surrogatepass"), record.run_id, row.id)
                    connection.execute("UPDATE events SET payload = ? WHERE run_id = ? AND id = ?", values)
        return result


@breaks("C6")
class keeps_a_record_that_was_undone(SQLiteEventStore):
    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._told: dict[str, Any] = {}
        try:
            with super().transaction():
                yield
        except RuntimeError:
            if self._told and self.get_run() is not None:
                self.upsert_run(**self._told)
            raise

    def upsert_run(self, **fields: Any) -> None:
        super().upsert_run(**fields)
        self._told = fields
