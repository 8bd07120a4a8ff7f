"""What the conformance suites may do to a SQLite file from outside: damage it, relabel it, hold its lock."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from activegraph.store.url import parse_sqlite_url

__all__ = ["SQLiteHooks"]

UPDATE_COLUMN = {
    "id": "UPDATE events SET id = ? WHERE run_id = ? AND position = ?",
    "type": "UPDATE events SET type = ? WHERE run_id = ? AND position = ?",
    "actor": "UPDATE events SET actor = ? WHERE run_id = ? AND position = ?",
    "payload": "UPDATE events SET payload = ? WHERE run_id = ? AND position = ?",
    "frame_id": "UPDATE events SET frame_id = ? WHERE run_id = ? AND position = ?",
    "caused_by": "UPDATE events SET caused_by = ? WHERE run_id = ? AND position = ?",
    "timestamp": "UPDATE events SET timestamp = ? WHERE run_id = ? AND position = ?",
    "digest": "UPDATE events SET digest = ? WHERE run_id = ? AND position = ?",
}

DELETE_EVENT = "DELETE FROM events WHERE run_id = ? AND position = ?"
SET_META = "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
DELETE_META = "DELETE FROM meta WHERE key = ?"
CREATE_FOREIGN = "CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL)"
INSERT_FOREIGN = "INSERT INTO customers (name) VALUES ('somebody')"


class SQLiteHooks:
    """The backend's hooks for `activegraph.conformance`; each opens and closes a connection of its own."""

    server = False

    def damage(self, url: str, run_id: str, position: int, *, delete: bool = False, **columns: Any) -> None:
        """Change columns of a stored row, or delete it."""
        with _connection(url) as connection:
            if delete:
                connection.execute(DELETE_EVENT, (run_id, position))
            for name, value in columns.items():
                connection.execute(UPDATE_COLUMN[name], (value, run_id, position))

    def set_meta(self, url: str, key: str, value: str | None) -> None:
        """Set a row of `meta`, or remove it."""
        with _connection(url) as connection:
            if value is None:
                connection.execute(DELETE_META, (key,))
            else:
                connection.execute(SET_META, (key, value))

    def make_foreign(self, url: str) -> None:
        """Make a database of somebody else's."""
        with _connection(url) as connection:
            connection.execute(CREATE_FOREIGN)
            connection.execute(INSERT_FOREIGN)

    @contextmanager
    def held_lock(self, url: str) -> Iterator[None]:
        """Hold the write lock."""
        with _connection(url) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")


@contextmanager
def _connection(url: str) -> Iterator[sqlite3.Connection]:
    path = parse_sqlite_url(url).sqlite_path or ""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection
