"""Appends: one event or a hundred at a time, ours against the bare driver on the store's own tables."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.samples import COLUMNS, RUN, event_dict, events_of, row

INSERT = f"INSERT INTO events ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
POSTGRES_COLUMNS = (
    "run_id, position, id, type, actor, payload_text, frame_id, caused_by, timestamp_text, digest, timestamp"
)
POSTGRES_VALUES = "(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
INSERT_POSTGRES = f"INSERT INTO events ({POSTGRES_COLUMNS}) VALUES {POSTGRES_VALUES}"
COPY_POSTGRES = f"COPY events ({POSTGRES_COLUMNS}) FROM STDIN"


def sqlite_ours(folder: Path, batch: str, batches: str, synchronous: str) -> float:
    """Microseconds per append through the store."""
    from activegraph.store.sqlite import SQLiteEventStore

    store = SQLiteEventStore(folder / "run.db", RUN, synchronous=synchronous)
    return _appended(store, int(batch), int(batches))


def _appended(store: Any, size: int, batches: int) -> float:
    store.append_many(events_of([event_dict(1)]), expected_count=0)
    work = [[event_dict(2 + size * n + k) for k in range(size)] for n in range(batches)]
    head = 1
    began = perf_counter()
    for dicts in work:
        head = store.append_many(events_of(dicts), expected_count=head)
    return (perf_counter() - began) / batches * 1e6


def sqlite_bare(folder: Path, batch: str, batches: str, synchronous: str) -> float:
    """Microseconds per append by INSERT (or executemany) and COMMIT."""
    size, times = int(batch), int(batches)
    connection = sqlite_tables(folder / "run.db", synchronous)
    work = [[event_dict(1 + size * n + k) for k in range(size)] for n in range(times)]
    head = 0
    began = perf_counter()
    for dicts in work:
        if size == 1:
            connection.execute(INSERT, row(head + 1, dicts[0]))
        else:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(INSERT, [row(head + k, fields) for k, fields in enumerate(dicts, 1)])
            connection.execute("COMMIT")
        head += size
    return (perf_counter() - began) / times * 1e6


def sqlite_tables(path: Path, synchronous: str = "normal") -> sqlite3.Connection:
    """A bare connection on an empty database with the store's own tables."""
    from activegraph.store.sqlite import SQLiteEventStore

    connection = sqlite3.connect(path, isolation_level=None, cached_statements=256)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA synchronous={synchronous}")
    connection.executescript(SQLiteEventStore.ddl())
    return connection


def sqlite_lean(folder: Path, batch: str, batches: str, synchronous: str) -> float:
    """The same INSERT on a table that is keyed (run, position) and nothing else."""
    connection = sqlite3.connect(folder / "run.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA synchronous={synchronous}")
    connection.execute(f"CREATE TABLE events ({COLUMNS}, PRIMARY KEY (run_id, position)) WITHOUT ROWID")
    work = [event_dict(n) for n in range(1, int(batches) + 1)]
    began = perf_counter()
    for position, fields in enumerate(work, 1):
        connection.execute(INSERT, row(position, fields))
    return (perf_counter() - began) / int(batches) * 1e6


def postgres_ours(folder: Path, batch: str, batches: str, url: str) -> float:
    """Microseconds per append through the store, on a connection of its own."""
    from activegraph.store.postgres import PostgresEventStore

    return _appended(PostgresEventStore(url, RUN), int(batch), int(batches))


def postgres_bare(folder: Path, batch: str, batches: str, url: str) -> float:
    """Microseconds per prepared INSERT in autocommit, or per BEGIN, COPY and COMMIT."""
    size, times = int(batch), int(batches)
    connection = postgres_tables(url)
    work = [[event_dict(1 + size * n + k) for k in range(size)] for n in range(times)]
    head = 0
    began = perf_counter()
    for dicts in work:
        rows = [postgres_row(head + k, fields) for k, fields in enumerate(dicts, 1)]
        if size == 1:
            connection.execute(INSERT_POSTGRES, rows[0], prepare=True)
        else:
            with connection.transaction(), connection.cursor().copy(COPY_POSTGRES) as copy:
                for values in rows:
                    copy.write_row(values)
        head += size
    return (perf_counter() - began) / times * 1e6


def postgres_row(position: int, fields: dict[str, Any]) -> tuple[Any, ...]:
    """What a bare driver inserts into PostgreSQL, whose table has the time as a time beside its text."""
    return (*row(position, fields), fields["timestamp"])


def postgres_tables(url: str) -> Any:
    """A bare autocommit connection on a schema with the store's own tables."""
    import psycopg
    from activegraph.store.postgres import PostgresEventStore

    connection = psycopg.connect(url, autocommit=True)
    connection.execute(PostgresEventStore.ddl())
    return connection


def postgres_writers_ours(folder: Path, url: str, each: str) -> float:
    """Seconds for 8 threads on 8 runs through one pool of 8."""
    from activegraph.store.postgres import PostgresEventStore
    from psycopg_pool import ConnectionPool

    with ConnectionPool(url, min_size=8, max_size=8, kwargs={"autocommit": True}) as pool:
        pool.wait()
        PostgresEventStore(pool, "warm-up")
        stores = [PostgresEventStore(pool, f"run_{n}") for n in range(8)]
        return _in_threads([lambda s=store: _appended(s, 1, int(each)) for store in stores])


def postgres_writers_bare(folder: Path, url: str, each: str) -> float:
    """Seconds for 8 threads, each with a bare connection."""
    import psycopg

    postgres_tables(url)

    def write(number: int) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            for position in range(1, int(each) + 2):
                values = (f"run_{number}", *postgres_row(position, event_dict(position))[1:])
                connection.execute(INSERT_POSTGRES, values, prepare=True)

    return _in_threads([lambda n=number: write(n) for number in range(8)])


def _in_threads(work: list[Any]) -> float:
    from threading import Thread

    threads = [Thread(target=each) for each in work]
    began = perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return perf_counter() - began
