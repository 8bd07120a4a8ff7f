"""What the URL scheme `sqlite` stands for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from activegraph.core.event import Event
from activegraph.store.base import ImportResult, RawEvent, RunRecord
from activegraph.store.sqlite import catalog
from activegraph.store.sqlite.store import SQLiteEventStore
from activegraph.store.url import StoreURL, parse_sqlite_url

__all__ = ["SQLiteBackend", "backend"]


class SQLiteBackend:
    """Opens SQLite files by URL."""

    scheme = "sqlite"

    def parse(self, url: str) -> StoreURL:
        """The URL's path and options."""
        return parse_sqlite_url(url)

    def open(self, url: StoreURL, run_id: str, *, read_only: bool = False) -> SQLiteEventStore:
        """A handle on one run."""
        options = dict(url.options)
        return SQLiteEventStore(
            url.sqlite_path,
            run_id,
            read_only=read_only,
            synchronous=options.get("synchronous", "normal"),
            busy_timeout=float(options.get("busy_timeout", 30.0)),
        )

    def list_runs(self, url: StoreURL) -> list[RunRecord]:
        """All runs by `created_at`, then id."""
        return catalog.list_runs(url.sqlite_path or "")

    def most_recent_run_id(self, url: StoreURL) -> str | None:
        """The run that was appended to last."""
        return catalog.most_recent_run_id(url.sqlite_path or "")

    def fork_run(
        self,
        url: StoreURL,
        *,
        parent_run_id: str,
        new_run_id: str,
        at_event_id: str,
        label: str | None,
        created_at: str,
        extra_events: Sequence[Event] = (),
    ) -> int:
        """Copy a prefix into a new run, in one transaction."""
        return catalog.fork_run(
            url.sqlite_path or "",
            parent_run_id=parent_run_id,
            new_run_id=new_run_id,
            at_event_id=at_event_id,
            label=label,
            created_at=created_at,
            extra_events=extra_events,
        )

    def import_run(self, url: StoreURL, record: RunRecord, events: Iterable[RawEvent]) -> ImportResult:
        """Write a run from elsewhere, in one transaction, compared with what is there."""
        return catalog.import_run(url.sqlite_path or "", record, events)


backend = SQLiteBackend()
