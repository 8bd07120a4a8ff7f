"""The SQLite event store: one file, crash-safe, no services."""

from activegraph.store.sqlite.backend import SQLiteBackend, backend
from activegraph.store.sqlite.schema import SCHEMA_VERSION
from activegraph.store.sqlite.store import SQLiteEventStore

__all__ = ["SCHEMA_VERSION", "SQLiteBackend", "SQLiteEventStore", "backend"]
