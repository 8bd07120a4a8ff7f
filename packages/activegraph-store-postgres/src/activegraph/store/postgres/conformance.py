"""What the conformance suites may do to a PostgreSQL store from outside: as an administrator of its schema would.

Everything happens in the current schema of the URL. Roles, which belong to the whole server, have
names that nobody else uses, and are dropped again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlencode
from uuid import uuid4

from activegraph.store.postgres.address import split_options
from activegraph.store.postgres.driver import psycopg
from activegraph.store.postgres.store import PostgresEventStore

__all__ = ["PostgresHooks"]

_COLUMNS = {"payload": "payload_text", "timestamp": "timestamp_text"}

UPDATE_COLUMN = "UPDATE events SET {column} = %s WHERE run_id = %s AND position = %s"
DELETE_EVENT = "DELETE FROM events WHERE run_id = %s AND position = %s"
DELETE_EVENTS = "DELETE FROM events WHERE run_id = %s"
DELETE_RUN = "DELETE FROM runs WHERE run_id = %s"
DELETE_META = "DELETE FROM meta WHERE key = %s"
SET_META = "INSERT INTO meta (key, value) VALUES (%s, %s) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
LOCK_TABLES = "LOCK TABLE events, runs, meta IN EXCLUSIVE MODE"
END_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s"
SELECT_IS_FLUSHED = "SELECT pg_current_wal_flush_lsn() >= pg_current_wal_insert_lsn()"
SELECT_RELATIONS = """
SELECT relname::text, relkind::text
FROM pg_class
WHERE relnamespace = current_schema()::regnamespace
ORDER BY relname"""
SELECT_ROWS = "SELECT {table}::text FROM {table} ORDER BY 1"
SELECT_SETTINGS = "SELECT name, setting FROM pg_settings WHERE source = 'session' ORDER BY name"


class PostgresHooks:
    """The backend's hooks for `activegraph.conformance`."""

    server = True

    @contextmanager
    def isolated(self, url: str) -> Iterator[str]:
        """A schema of its own."""
        name = f"conformance_{uuid4().hex[:16]}"
        _run(url, _quoted("CREATE SCHEMA {name}", name=name))
        try:
            yield _changed(url, options=f"-csearch_path={name}")
        finally:
            _run(url, _quoted("DROP SCHEMA {name} CASCADE", name=name))

    def delete_run(self, url: str, run_id: str) -> None:
        """Remove a run's events and record."""
        _run(url, DELETE_EVENTS, run_id)
        _run(url, DELETE_RUN, run_id)

    def state(self, url: str) -> object:
        """Every relation of the schema, and every row of the tables."""
        relations = _run(url, SELECT_RELATIONS)
        tables = [name for name, kind in relations if kind == "r"]
        return relations, [_run(url, _quoted(SELECT_ROWS, table=name)) for name in tables]

    def damage(self, url: str, run_id: str, position: int, *, delete: bool = False, **columns: Any) -> None:
        """Change columns of a stored row, or delete it; the database refuses a payload that is no JSON."""
        if delete:
            _run(url, DELETE_EVENT, run_id, position)
        for name, value in columns.items():
            _run(url, _quoted(UPDATE_COLUMN, column=_COLUMNS.get(name, name)), value, run_id, position)

    def set_meta(self, url: str, key: str, value: str | None) -> None:
        """Set a row of `meta`, or remove it."""
        if value is None:
            _run(url, DELETE_META, key)
        else:
            _run(url, SET_META, key, value)

    def make_foreign(self, url: str) -> None:
        """Make a table of one of our names that is not ours."""
        _run(url, "CREATE TABLE events (id BIGINT PRIMARY KEY, name TEXT)")
        _run(url, "INSERT INTO events VALUES (1, 'somebody')")

    @contextmanager
    def held_lock(self, url: str) -> Iterator[None]:
        """Hold a lock that lets plain reads in and nothing else."""
        with _connection(url) as connection, connection.transaction():
            connection.execute(LOCK_TABLES)
            yield

    @contextmanager
    def without_rights(self, url: str) -> Iterator[tuple[str, str]]:
        """A role that may read the tables, and one that may also write to them."""
        names = {kind: f"conformance_{kind}_{uuid4().hex[:12]}" for kind in ("reader", "writer")}
        password = uuid4().hex
        schema = _run(url, "SELECT current_schema()::text")[0][0]
        for name in names.values():
            _run(url, _quoted("CREATE ROLE {name} LOGIN PASSWORD {password}", name=name, password=password))
            _run(url, _quoted("GRANT USAGE ON SCHEMA {schema} TO {name}", schema=schema, name=name))
            _run(url, _quoted("GRANT SELECT ON events, runs, meta TO {name}", name=name))
        _run(url, _quoted("GRANT INSERT ON events, runs TO {name}", name=names["writer"]))
        _run(url, _quoted("GRANT UPDATE ON runs TO {name}", name=names["writer"]))
        _run(url, _quoted("GRANT USAGE ON SEQUENCE events_seq_seq TO {name}", name=names["writer"]))
        try:
            reader, writer = (_changed(url, user=name, password=password) for name in names.values())
            yield reader, writer
        finally:
            for name in names.values():
                _run(url, END_SESSIONS.replace("application_name", "usename"), name)
                _run(url, _quoted("DROP OWNED BY {name}", name=name))
                _run(url, _quoted("DROP ROLE {name}", name=name))

    def is_synced(self, url: str) -> bool:
        """Whether all that was written to the log of the server is flushed."""
        return bool(_run(url, SELECT_IS_FLUSHED)[0][0])

    def asynchronous(self, url: str) -> str:
        """The URL with sessions that do not wait for their commits."""
        return _changed(url, options="-csynchronous_commit=off")

    def severable(self, url: str) -> tuple[str, Callable[[], None]]:
        """The URL with sessions that can be told from all others, and what ends them."""
        name = f"conformance_{uuid4().hex[:16]}"

        def sever() -> None:
            _run(url, END_SESSIONS, name)

        return _changed(url, application_name=name), sever

    @contextmanager
    def lend(self, url: str, kind: str, size: int) -> Iterator[CallersConnection | CallersPool]:
        """A connection or a pool of the caller's."""
        if kind == "connection":
            with _connection(url) as connection:
                yield CallersConnection(connection)
            return
        from psycopg_pool import ConnectionPool

        conninfo = split_options(url).conninfo
        with ConnectionPool(conninfo, min_size=1, max_size=size, timeout=30, open=True) as pool:
            yield CallersPool(pool)


class CallersConnection:
    """One connection in autocommit that stores are made on."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def make_store(self, run_id: str) -> PostgresEventStore:
        """A store on the connection."""
        return PostgresEventStore(self._connection, run_id)

    def in_use(self) -> int:
        """1 while a transaction is open, else 0."""
        return int(self._connection.info.transaction_status != psycopg().pq.TransactionStatus.IDLE)

    def settings(self) -> object:
        """What the store must leave as it found it."""
        known = self._connection
        rows = known.execute(SELECT_SETTINGS).fetchall()
        return known.autocommit, known.isolation_level, known.row_factory, known.prepare_threshold, rows

    def execute(self, statement: str) -> None:
        """Run a statement as the owner."""
        self._connection.execute(statement)

    def close(self) -> None:
        """Close the connection under the stores."""
        self._connection.close()


class CallersPool:
    """A pool that stores are made on."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    def make_store(self, run_id: str) -> PostgresEventStore:
        """A store on the pool."""
        return PostgresEventStore(self._pool, run_id)

    def in_use(self) -> int:
        """Connections that have not been given back."""
        told = self._pool.get_stats()
        return int(told.get("pool_size", 0) - told.get("pool_available", 0))

    def settings(self) -> object:
        """Nothing: a pool has no settings that a store could change."""
        return None

    def execute(self, statement: str) -> None:
        """Run a statement on a connection of the pool."""
        with self._pool.connection() as connection:
            connection.execute(statement)

    def close(self) -> None:
        """Close the pool under the stores."""
        self._pool.close()


@contextmanager
def _connection(url: str) -> Iterator[Any]:
    with psycopg().connect(split_options(url).conninfo, autocommit=True) as connection:
        yield connection


def _run(url: str, statement: Any, *values: Any) -> list[Any]:
    """The rows of a statement on a connection of its own."""
    with _connection(url) as connection:
        cursor = connection.execute(statement, values or None)
        return list(cursor.fetchall()) if cursor.description else []


def _quoted(statement: str, *, password: str | None = None, **names: str) -> Any:
    """A statement with names quoted by the driver."""
    sql = psycopg().sql
    parts: dict[str, Any] = {key: sql.Identifier(name) for key, name in names.items()}
    if password is not None:
        parts["password"] = sql.Literal(password)
    return sql.SQL(statement).format(**parts)


def _changed(url: str, **parameters: str) -> str:
    """The URL with other parameters of libpq; `options` are added to those that it has, ours stay."""
    address = split_options(url)
    known = psycopg().conninfo.conninfo_to_dict(address.conninfo)
    if "options" in parameters:
        parameters["options"] = f"{known.get('options') or ''} {parameters['options']}".strip()
    ours = {
        "synchronous": address.synchronous,
        "prepare": None if address.prepare is None else ("off", "on")[address.prepare],
    }
    chosen = {key: str(value) for key, value in {**known, **parameters, **ours}.items() if value is not None}
    return f"postgresql:///?{urlencode(chosen, quote_via=quote)}"
