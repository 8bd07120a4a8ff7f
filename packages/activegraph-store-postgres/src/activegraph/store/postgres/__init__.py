"""The PostgreSQL event store: many runs in one database, over a URL, a connection or a pool."""

from activegraph.store.postgres.backend import PostgresBackend, backend
from activegraph.store.postgres.schema import SCHEMA_VERSION
from activegraph.store.postgres.store import PostgresEventStore

__all__ = ["SCHEMA_VERSION", "PostgresBackend", "PostgresEventStore", "backend"]
