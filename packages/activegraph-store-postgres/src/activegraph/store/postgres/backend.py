"""What the URL schemes `postgres` and `postgresql` stand for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from activegraph.core.event import Event
from activegraph.store.base import ImportResult, RawEvent, RunRecord
from activegraph.store.postgres.address import parse_postgres_url
from activegraph.store.postgres.catalog import identity
from activegraph.store.postgres.connections import connections_to
from activegraph.store.postgres.importing import import_run
from activegraph.store.postgres.sources import DatabaseRuns
from activegraph.store.postgres.store import PostgresEventStore
from activegraph.store.url import StoreURL

__all__ = ["PostgresBackend", "backend"]


class PostgresBackend:
    """Opens PostgreSQL databases by URL."""

    scheme = "postgres"

    @property
    def conformance_hooks(self) -> object:
        """What the conformance suites may do to a database from outside."""
        from activegraph.store.postgres.conformance import PostgresHooks

        return PostgresHooks()

    def parse(self, url: str) -> StoreURL:
        """The URL, checked, and the options of ours in it."""
        return parse_postgres_url(url)

    def open(self, url: StoreURL, run_id: str, *, read_only: bool = False) -> PostgresEventStore:
        """A handle on one run, over a connection of its own."""
        return PostgresEventStore(url.raw, run_id, read_only=read_only)

    def list_runs(self, url: StoreURL) -> list[RunRecord]:
        """All runs by `created_at`, then id."""
        return PostgresEventStore.list_runs(url.raw)

    def most_recent_run_id(self, url: StoreURL) -> str | None:
        """The run that was appended to last."""
        return PostgresEventStore.most_recent_run_id(url.raw)

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
        return PostgresEventStore.fork_run(
            url.raw,
            parent_run_id=parent_run_id,
            new_run_id=new_run_id,
            at_event_id=at_event_id,
            label=label,
            created_at=created_at,
            extra_events=extra_events,
        )

    def import_run(self, url: StoreURL, record: RunRecord, events: Iterable[RawEvent]) -> ImportResult:
        """Write a run from elsewhere, in one transaction, compared with what is there."""
        return import_run(connections_to(url.raw), record, events)

    def identity(self, url: StoreURL) -> object:
        """The server, database and schema that the URL leads to; None where it can't be asked."""
        return identity(connections_to(url.raw))

    def open_source(self, url: StoreURL) -> DatabaseRuns:
        """The database's runs, in this layout or the one before it, for a migration."""
        return DatabaseRuns(connections_to(url.raw))


backend = PostgresBackend()
