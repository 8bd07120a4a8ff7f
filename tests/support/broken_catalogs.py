"""Stores that remember runs wrongly: records, lists, forks and imports."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

from activegraph.core.event import Event
from activegraph.errors import IncompatibleRuntimeState, LogInconsistencyError, RunExistsError
from activegraph.store.base import ImportResult, RawEvent, RunRecord
from activegraph.store.records import normalized_time
from activegraph.store.sqlite import SQLiteEventStore
from activegraph.store.sqlite.backend import SQLiteBackend
from activegraph.store.url import StoreURL
from support.broken_stores import breaks


class _Edited(SQLiteEventStore):
    """Can change rows past itself."""

    def execute(self, statement: str, *values: Any) -> None:
        with closing(sqlite3.connect(self.path, isolation_level=None, timeout=30)) as connection:
            connection.execute(statement, values)


@breaks("G1")
class erases_lineage_when_it_is_not_told(_Edited):
    def upsert_run(self, **told: Any) -> None:
        super().upsert_run(**told)
        if told.get("parent_run_id") is None and not self._in_transaction:
            self.execute("UPDATE runs SET parent_run_id = NULL WHERE run_id = ?", self.run_id)


@breaks("G1")
class erases_a_label_when_it_is_not_told(_Edited):
    def upsert_run(self, **told: Any) -> None:
        super().upsert_run(**told)
        if told.get("label") is None and not self._in_transaction:
            self.execute("UPDATE runs SET label = NULL WHERE run_id = ?", self.run_id)


@breaks("G1")
class keeps_the_first_label(_Edited):
    def upsert_run(self, **told: Any) -> None:
        held = self.get_run()
        super().upsert_run(**{**told, "label": held.label if held and held.label else told.get("label")})


@breaks("G1")
class moves_the_time_of_creation(_Edited):
    def upsert_run(self, **told: Any) -> None:
        held = self.get_run()
        if held is not None and not self._in_transaction:
            self.execute(
                "UPDATE runs SET created_at = ? WHERE run_id = ?", normalized_time(told["created_at"]), self.run_id
            )
        super().upsert_run(**told)


@breaks("G1")
class ignores_another_lineage(_Edited):
    def upsert_run(self, **told: Any) -> None:
        with contextlib.suppress(IncompatibleRuntimeState):
            super().upsert_run(**told)


@breaks("G1")
class keeps_times_as_they_are_told(_Edited):
    def get_run(self) -> RunRecord | None:
        found = super().get_run()
        return None if found is None else replace(found, created_at=found.created_at.replace("Z", "+00:00"))


@breaks("G1")
class hands_out_its_own_record(_Edited):
    _held: RunRecord | None = None

    def get_run(self) -> RunRecord | None:
        self._held = super().get_run() if self._held is None else self._held
        return self._held

    def append_many(self, events: Sequence[Event], **options: Any) -> int:
        self._held = None
        return super().append_many(events, **options)

    def upsert_run(self, **told: Any) -> None:
        self._held = None
        super().upsert_run(**told)


@breaks("G2")
class counts_events_by_the_record(_Edited):
    def get_run(self) -> RunRecord | None:
        found = super().get_run()
        return None if found is None else replace(found, event_count=min(found.event_count, 1))


@breaks("G2")
class calls_every_run_idle(_Edited):
    def get_run(self) -> RunRecord | None:
        found = super().get_run()
        return None if found is None else replace(found, status="idle")


@breaks("G2")
class lists_runs_by_their_ids(SQLiteEventStore):
    @classmethod
    def list_runs(cls, target: Any) -> list[RunRecord]:
        return sorted(super().list_runs(target), key=lambda record: record.run_id)


@breaks("G2")
class lists_runs_newest_first(SQLiteEventStore):
    @classmethod
    def list_runs(cls, target: Any) -> list[RunRecord]:
        return super().list_runs(target)[::-1]


@breaks("G3")
class takes_the_newest_run_for_the_most_recent(SQLiteEventStore):
    @classmethod
    def most_recent_run_id(cls, target: Any) -> str | None:
        found = super().list_runs(target)
        return found[-1].run_id if found else None


@breaks("G4")
class makes_a_record_when_it_opens(_Edited):
    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        if not self.read_only and self.get_run() is None:
            self.execute("INSERT INTO runs (run_id, created_at) VALUES (?, '2026-01-01T00:00:00Z')", self.run_id)


@breaks("G4")
class forgets_the_goal_of_a_first_append(_Edited):
    def get_run(self) -> RunRecord | None:
        found = super().get_run()
        return None if found is None else replace(found, goal=None)


class _Forking(SQLiteEventStore):
    """Forks with a second look at the file."""

    @classmethod
    def edit(cls, target: Any, statement: str, *values: Any) -> None:
        with closing(sqlite3.connect(target, isolation_level=None, timeout=30)) as connection:
            connection.execute(statement, values)


@breaks("H1")
class forks_before_the_event(_Forking):
    @classmethod
    def fork_run(cls, target: Any, **named: Any) -> int:
        copied = super().fork_run(target, **named)
        cls.edit(target, "DELETE FROM events WHERE run_id = ? AND position = ?", named["new_run_id"], copied)
        return copied


@breaks("H1")
class forks_the_whole_parent(_Forking):
    @classmethod
    def fork_run(cls, target: Any, **named: Any) -> int:
        with closing(cls(target, named["parent_run_id"], read_only=True)) as parent:
            last = parent.tail(1)
            if last and parent.get_event(named["at_event_id"]) is not None:
                named["at_event_id"] = last[0].id
        return super().fork_run(target, **named)


@breaks("H1")
class forgets_where_a_fork_comes_from(_Forking):
    @classmethod
    def fork_run(cls, target: Any, **named: Any) -> int:
        copied = super().fork_run(target, **named)
        cls.edit(target, "UPDATE runs SET parent_run_id = NULL WHERE run_id = ?", named["new_run_id"])
        return copied


@breaks("H1")
class makes_up_digests_for_a_fork(_Forking):
    @classmethod
    def fork_run(cls, target: Any, **named: Any) -> int:
        copied = super().fork_run(target, **named)
        cls.edit(target, "UPDATE events SET digest = zeroblob(32) WHERE run_id = ?", named["new_run_id"])
        return copied


@breaks("H2")
class forks_into_a_run_that_is_there(_Forking):
    @classmethod
    def fork_run(cls, target: Any, **named: Any) -> int:
        try:
            return super().fork_run(target, **named)
        except RunExistsError:
            if named["new_run_id"] != named["parent_run_id"]:
                cls.edit(target, "DELETE FROM events WHERE run_id = ?", named["new_run_id"])
                cls.edit(target, "DELETE FROM runs WHERE run_id = ?", named["new_run_id"])
            return super().fork_run(target, **named)


@breaks("H3", "D1")
class moves_the_parents_events(_Forking):
    @classmethod
    def fork_run(cls, target: Any, **named: Any) -> int:
        copied = super().fork_run(target, **named)
        cls.edit(target, "UPDATE events SET type = 'moved' WHERE run_id = ?", named["parent_run_id"])
        return copied


@breaks("H4")
class forks_in_two_transactions(_Forking):
    @classmethod
    def fork_run(cls, target: Any, **named: Any) -> int:
        copied = super().fork_run(target, **named)
        part, run = copied // 2, named["new_run_id"]
        with closing(sqlite3.connect(target, isolation_level=None, timeout=30)) as connection:
            rows = connection.execute("SELECT * FROM events WHERE run_id = ? AND position > ?", (run, part)).fetchall()
            connection.execute("DELETE FROM events WHERE run_id = ? AND position > ?", (run, part))
            for row in rows:
                connection.execute(f"INSERT INTO events VALUES ({', '.join('?' * len(row))})", row)
        return copied


@breaks("H4")
class leaves_a_fork_whose_extra_events_fail(_Forking):
    @classmethod
    def fork_run(cls, target: Any, *, extra_events: Sequence[Event] = (), **named: Any) -> int:
        copied = super().fork_run(target, **named)
        if extra_events:
            with closing(cls(target, named["new_run_id"])) as made:
                made.append_many(extra_events)
        return copied


@breaks("H5")
class forgets_the_extra_events_of_a_fork(_Forking):
    @classmethod
    def fork_run(cls, target: Any, *, extra_events: Sequence[Event] = (), **named: Any) -> int:
        return super().fork_run(target, **named)


@breaks("H6")
class forks_through_the_client(_Forking):
    @classmethod
    def fork_run(cls, target: Any, **named: Any) -> int:
        with closing(cls(target, named["parent_run_id"], read_only=True)) as parent:
            passed = [row.payload for row in parent.iter_raw()]
        copied = super().fork_run(target, **named)
        return copied if passed or not copied else 0


class _Importing(SQLiteBackend):
    """Imports in its own way."""

    def held(self, url: StoreURL, run_id: str) -> list[RawEvent]:
        with closing(self.open(url, run_id)) as store:
            return list(store.iter_raw())


@breaks("I3")
class skips_conflicts_in_an_import(_Importing):
    def import_run(self, url: StoreURL, record: RunRecord, events: Iterable[RawEvent]) -> ImportResult:
        held = self.held(url, record.run_id)
        rows = list(events)
        return super().import_run(url, record, [*held, *rows[len(held) :]] if len(rows) >= len(held) else rows)


@breaks("I3")
class skips_imported_events_whose_id_is_there(_Importing):
    def import_run(self, url: StoreURL, record: RunRecord, events: Iterable[RawEvent]) -> ImportResult:
        held = self.held(url, record.run_id)
        known = {row.id for row in held}
        fresh = [row for row in events if row.id not in known]
        return super().import_run(url, record, [*held, *fresh])


@breaks("I3")
class overwrites_conflicts_in_an_import(_Importing):
    def import_run(self, url: StoreURL, record: RunRecord, events: Iterable[RawEvent]) -> ImportResult:
        rows = list(events)
        try:
            return super().import_run(url, record, rows)
        except LogInconsistencyError:
            with closing(sqlite3.connect(url.sqlite_path or "", isolation_level=None)) as connection:
                connection.execute("DELETE FROM events WHERE run_id = ?", (record.run_id,))
            return super().import_run(url, record, rows)


@breaks("I4")
class imports_into_a_longer_run(_Importing):
    def import_run(self, url: StoreURL, record: RunRecord, events: Iterable[RawEvent]) -> ImportResult:
        rows = list(events)
        held = self.held(url, record.run_id)
        return super().import_run(url, record, rows if len(rows) >= len(held) else [*rows, *held[len(rows) :]])


@breaks("I5", "F1", by="import")
class imports_in_batches_of_five(_Importing):
    def import_run(self, url: StoreURL, record: RunRecord, events: Iterable[RawEvent]) -> ImportResult:
        rows: list[RawEvent] = []
        inserted = 0
        for row in events:
            rows.append(row)
            if len(rows) % 5 == 0:
                inserted += super().import_run(url, record, list(rows)).inserted
        inserted += super().import_run(url, record, list(rows)).inserted
        return ImportResult(inserted, len(rows) - inserted)


@breaks("I1")
class encodes_an_import_again(_Importing):
    def import_run(self, url: StoreURL, record: RunRecord, events: Iterable[RawEvent]) -> ImportResult:
        changed = (
            RawEvent(r.position, r.id, r.type, r.actor or None, r.payload, r.frame_id, r.caused_by, r.timestamp, None)
            for r in events
        )
        return super().import_run(url, record, changed)


@breaks("I2")
class counts_every_row_of_an_import_as_new(_Importing):
    def import_run(self, url: StoreURL, record: RunRecord, events: Iterable[RawEvent]) -> ImportResult:
        found = super().import_run(url, record, events)
        return ImportResult(found.inserted + found.existing, 0)
