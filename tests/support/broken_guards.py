"""Stores that write when they read, open what is not theirs, or tell what is secret."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from activegraph.core.event import Event
from activegraph.errors import StoreUnavailableError
from activegraph.store.base import EventStore, ImportResult, RawEvent, RunRecord
from activegraph.store.sqlite import SQLiteEventStore
from activegraph.store.sqlite.backend import SQLiteBackend
from activegraph.store.url import StoreURL
from support.broken_stores import breaks


@breaks("J1")
class makes_the_file_that_it_reads(SQLiteBackend):
    def open(self, url: StoreURL, run_id: str, *, read_only: bool = False) -> SQLiteEventStore:
        Path(url.sqlite_path or "").touch()
        return super().open(url, run_id, read_only=read_only)


@breaks("J1")
class makes_the_store_that_it_lists(SQLiteBackend):
    def list_runs(self, url: StoreURL) -> list[RunRecord]:
        super().open(url, "any").close()
        return super().list_runs(url)


@breaks("J1")
class makes_the_run_that_it_reads(SQLiteBackend):
    def open(self, url: StoreURL, run_id: str, *, read_only: bool = False) -> SQLiteEventStore:
        store = super().open(url, run_id, read_only=read_only)
        if read_only and store.get_run() is None:
            with closing(super().open(url, run_id)) as writer:
                writer.upsert_run(created_at="2026-01-01T00:00:00Z")
        return store


@breaks("J2")
class writes_through_a_read_only_handle(SQLiteEventStore):
    def append_many(self, events: Sequence[Event], **options: Any) -> int:
        if self.read_only:
            with closing(SQLiteEventStore(self.path, self.run_id)) as writer:
                return writer.append_many(events, **options)
        return super().append_many(events, **options)


@breaks("J2")
class truncates_through_a_read_only_handle(SQLiteEventStore):
    def truncate_after(self, event_id: str) -> None:
        if self.read_only:
            with closing(SQLiteEventStore(self.path, self.run_id)) as writer:
                writer.truncate_after(event_id)
            return
        super().truncate_after(event_id)


@breaks("J2")
class notes_who_has_read(SQLiteEventStore):
    def get_event(self, event_id: str) -> Event | None:
        if self.read_only:
            with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
                connection.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('last_read', ?)", (event_id,))
        return super().get_event(event_id)


@breaks("J2")
class leaves_a_file_beside_what_it_reads(SQLiteEventStore):
    def count(self) -> int:
        if self.read_only:
            Path(f"{self.path}.cache").write_text(self.run_id)
        return super().count()


@breaks("J4")
class reads_what_was_there_when_it_opened(SQLiteEventStore):
    _opened_with: int | None = None

    def count(self) -> int:
        if not self.read_only or self._closed:
            return super().count()
        if self._opened_with is None:
            self._opened_with = super().count()
        return self._opened_with


class _Relabelled(SQLiteBackend):
    """Puts the labels of a file right before it opens it."""

    def relabel(self, url: StoreURL) -> None:
        path = Path(url.sqlite_path or "")
        if path.exists():
            with closing(sqlite3.connect(path, isolation_level=None)) as connection, suppress(sqlite3.Error):
                for key, value in (("schema_version", "2"), ("codec_version", "1")):
                    if key in self.labels:
                        connection.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, value))

    labels: tuple[str, ...] = ("schema_version", "codec_version")

    def open(self, url: StoreURL, run_id: str, *, read_only: bool = False) -> SQLiteEventStore:
        self.relabel(url)
        return super().open(url, run_id, read_only=read_only)


@breaks("K1")
class accepts_any_version(_Relabelled):
    pass


@breaks("K1")
class accepts_any_codec_version(_Relabelled):
    labels = ("codec_version",)


@breaks("K1")
class lists_the_runs_of_any_version(_Relabelled):
    def open(self, url: StoreURL, run_id: str, *, read_only: bool = False) -> SQLiteEventStore:
        return SQLiteBackend().open(url, run_id, read_only=read_only)

    def list_runs(self, url: StoreURL) -> list[RunRecord]:
        self.relabel(url)
        return super().list_runs(url)


@breaks("K2")
class moves_into_somebody_elses_database(SQLiteBackend):
    def open(self, url: StoreURL, run_id: str, *, read_only: bool = False) -> SQLiteEventStore:
        path = Path(url.sqlite_path or "")
        if path.exists():
            with closing(sqlite3.connect(path, isolation_level=None)) as connection:
                tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
                if tables and "meta" not in tables:
                    connection.executescript(SQLiteEventStore.ddl())
        return super().open(url, run_id, read_only=read_only)


@breaks("K3")
class issues_its_ddl_at_every_opening(SQLiteBackend):
    def open(self, url: StoreURL, run_id: str, *, read_only: bool = False) -> SQLiteEventStore:
        store = super().open(url, run_id, read_only=read_only)
        if not read_only:
            with closing(sqlite3.connect(url.sqlite_path or "", isolation_level=None, timeout=0.2)) as connection:
                try:
                    connection.execute("BEGIN IMMEDIATE")
                    connection.execute("CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
                    connection.execute("COMMIT")
                except sqlite3.OperationalError as error:
                    raise StoreUnavailableError("locked", context={"driver": "sqlite", "reason": "locked"}) from error
        return store


@breaks("E7")
class is_made_by_one_process_only(SQLiteBackend):
    def open(self, url: StoreURL, run_id: str, *, read_only: bool = False) -> EventStore:  # type: ignore[override]
        mark = Path(f"{url.sqlite_path}.making")
        fresh = not Path(url.sqlite_path or "").exists()
        if fresh and not read_only:
            try:
                mark.touch(exist_ok=False)
            except FileExistsError as error:
                raise StoreUnavailableError("being made", context={"driver": "sqlite", "reason": "locked"}) from error
            time.sleep(0.5)
        return super().open(url, run_id, read_only=read_only)


@breaks("L4")
class uses_up_what_it_borrows(SQLiteEventStore):
    _borrowed = 0

    def iter_events(self, after: str | None = None, until: str | None = None) -> Iterator[Event]:
        self._borrowed += 1
        if self._borrowed > 100:
            raise StoreUnavailableError("no connection left", context={"driver": "sqlite", "reason": "pool_timeout"})
        yield from super().iter_events(after, until)
        self._borrowed -= 1


@breaks("K1", by="schema")
class forks_in_a_store_of_any_version(_Relabelled):
    def open(self, url: StoreURL, run_id: str, *, read_only: bool = False) -> SQLiteEventStore:
        return SQLiteBackend().open(url, run_id, read_only=read_only)

    def fork_run(self, url: StoreURL, **named: Any) -> int:
        self.relabel(url)
        return super().fork_run(url, **named)


@breaks("K1", by="schema")
class imports_into_a_store_of_any_version(_Relabelled):
    def open(self, url: StoreURL, run_id: str, *, read_only: bool = False) -> SQLiteEventStore:
        return SQLiteBackend().open(url, run_id, read_only=read_only)

    def import_run(self, url: StoreURL, record: RunRecord, events: Iterable[RawEvent]) -> ImportResult:
        self.relabel(url)
        return super().import_run(url, record, events)


@breaks("J2")
class opens_a_transaction_for_reading(SQLiteEventStore):
    @contextmanager
    def transaction(self) -> Iterator[None]:
        if self.read_only:
            self._check_open()
            yield
            return
        with super().transaction():
            yield
