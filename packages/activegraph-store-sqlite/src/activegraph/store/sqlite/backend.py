"""What the URL scheme `sqlite` stands for."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from activegraph.core.event import Event
from activegraph.store.base import ImportResult, RawEvent, RunRecord
from activegraph.store.sqlite import catalog, importing
from activegraph.store.sqlite.location import Location, locate
from activegraph.store.sqlite.sources import FileRuns
from activegraph.store.sqlite.store import SQLiteEventStore
from activegraph.store.url import StoreURL, parse_sqlite_url

__all__ = ["SQLiteBackend", "backend"]

_BUSY_TIMEOUT = 30.0


class SQLiteBackend:
    """Opens SQLite files by URL."""

    scheme = "sqlite"

    @property
    def conformance_hooks(self) -> object:
        """What the conformance suites may do to a file from outside."""
        from activegraph.store.sqlite.conformance import SQLiteHooks

        return SQLiteHooks()

    def parse(self, url: str) -> StoreURL:
        """The URL's path and options."""
        return parse_sqlite_url(url)

    def open(self, url: StoreURL, run_id: str, *, read_only: bool = False) -> SQLiteEventStore:
        """A handle on one run."""
        return SQLiteEventStore(
            url.sqlite_path,
            run_id,
            read_only=read_only,
            synchronous=dict(url.options).get("synchronous", "normal"),
            busy_timeout=_busy_timeout(url),
        )

    def list_runs(self, url: StoreURL) -> list[RunRecord]:
        """All runs by `created_at`, then id."""
        return catalog.list_runs(_location(url))

    def most_recent_run_id(self, url: StoreURL) -> str | None:
        """The run that was appended to last."""
        return catalog.most_recent_run_id(_location(url))

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
            _location(url),
            parent_run_id=parent_run_id,
            new_run_id=new_run_id,
            at_event_id=at_event_id,
            label=label,
            created_at=created_at,
            extra_events=extra_events,
            busy_timeout=_busy_timeout(url),
        )

    def import_run(self, url: StoreURL, record: RunRecord, events: Iterable[RawEvent]) -> ImportResult:
        """Write a run from elsewhere, in one transaction, compared with what is there."""
        return importing.import_run(_location(url), record, events, busy_timeout=_busy_timeout(url))

    def identity(self, url: StoreURL) -> object:
        """The file that the URL means, by whatever name."""
        location = _location(url)
        try:
            state = os.stat(location.file)
        except FileNotFoundError:
            return location.file
        return state.st_dev, state.st_ino

    def open_source(self, url: StoreURL) -> FileRuns:
        """The file's runs, in this layout or the one before it, for a migration."""
        return FileRuns(_location(url))


def _location(url: StoreURL) -> Location:
    return locate(url.sqlite_path or "")


def _busy_timeout(url: StoreURL) -> float:
    return float(dict(url.options).get("busy_timeout", _BUSY_TIMEOUT))


backend = SQLiteBackend()
